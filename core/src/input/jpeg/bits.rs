//! Entropy-coded data of a JPEG file, Huffman code by Huffman code.

use super::problem::{CUT, Problem, damaged};

/// A Huffman table: of every code of up to 16 bits, its length and symbol.
pub(super) struct Huffman {
    /// By the next [`Huffman::SHORT`] bits: length and symbol, or length 0 where the code is longer.
    short: Vec<(u8, u8)>,
    /// By length: the first code, the one after the last, and where its symbols begin.
    long: [(u32, u32, usize); 17],
    symbols: Vec<u8>,
}

impl Huffman {
    const SHORT: u32 = 9;

    /// Nothing where there are more codes than fit (section C.2).
    pub(super) fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
        let mut short = vec![(0, 0); 1 << Self::SHORT];
        let mut long = [(0, 0, 0); 17];
        let (mut code, mut place) = (0u32, 0usize);
        for (length, &count) in (1u32..).zip(counts) {
            let end = code + u32::from(count);
            if end > 1 << length {
                return None;
            }
            long[length as usize] = (code, end, place);
            if length <= Self::SHORT {
                let spread = 1usize << (Self::SHORT - length);
                for (i, &symbol) in symbols[place..place + usize::from(count)].iter().enumerate() {
                    let from = (code as usize + i) * spread;
                    short[from..from + spread].fill((length as u8, symbol));
                }
            }
            place += usize::from(count);
            code = end << 1;
        }
        Some(Self { short, long, symbols: symbols.to_vec() })
    }
}

/// Entropy-coded data, bit by bit.
pub(super) struct Data<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) bits: u64,
    pub(super) count: u32,
}

impl Data<'_> {
    /// Reads ahead while there are data, up to the next marker.
    fn fill(&mut self) {
        while self.count <= 48 {
            match self.bytes.get(self.at..) {
                Some([0xff, 0, ..]) => {
                    self.bits = self.bits << 8 | 0xff;
                    self.at += 2;
                }
                Some([0xff, ..] | []) | None => return,
                Some([byte, ..]) => {
                    self.bits = self.bits << 8 | u64::from(*byte);
                    self.at += 1;
                }
            }
            self.count += 8;
        }
    }

    /// The next so many bits, up to 16.
    pub(super) fn take(&mut self, count: u32) -> Result<u32, Problem> {
        if self.count < count {
            self.fill();
            if self.count < count {
                return Err(CUT.to_owned());
            }
        }
        self.count -= count;
        Ok((self.bits >> self.count) as u32 & ((1 << count) - 1))
    }

    pub(super) fn symbol(&mut self, table: &Huffman) -> Result<u8, Problem> {
        if self.count < 16 {
            self.fill();
        }
        // After the last bit stand ones, which no code is made of alone.
        let ahead = |n: u32| match self.count.checked_sub(n) {
            Some(left) => (self.bits >> left) as u32 & ((1 << n) - 1),
            None => {
                let padding = n - self.count;
                ((self.bits << padding) as u32 | ((1 << padding) - 1)) & ((1 << n) - 1)
            }
        };
        let found = match table.short[ahead(Huffman::SHORT) as usize] {
            (0, _) => (Huffman::SHORT + 1..=16).find_map(|length| {
                let code = ahead(length);
                let (first, end, place) = table.long[length as usize];
                (first..end).contains(&code).then(|| (length, table.symbols[place + (code - first) as usize]))
            }),
            (length, symbol) => Some((u32::from(length), symbol)),
        };
        match found {
            Some((length, symbol)) if length <= self.count => {
                self.count -= length;
                Ok(symbol)
            }
            _ if self.count < 16 => Err(CUT.to_owned()),
            _ => Err(damaged("a code is none of its Huffman table")),
        }
    }

    /// Where data end; less than a byte may be left of them, or zeros.
    pub(super) fn end(&mut self) -> Result<usize, Problem> {
        self.fill();
        let whole = self.count / 8 * 8;
        match whole > 0 && self.bits & ((1 << whole) - 1) != 0 {
            true => Err(damaged("data are left over after the last block of a scan")),
            false => Ok(self.at),
        }
    }

    /// The restart marker of this number, in front of which less than a byte may be left.
    pub(super) fn restart(&mut self, number: u8) -> Result<(), Problem> {
        self.fill();
        if self.count >= 8 {
            return Err(damaged("data are left over in front of a restart"));
        }
        (self.bits, self.count) = (0, 0);
        while self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(&[0xff, 0xff])) {
            self.at += 1;
        }
        match self.bytes.get(self.at..) {
            Some([0xff, code, ..]) if *code == 0xd0 + number => {
                self.at += 2;
                Ok(())
            }
            Some([0xff, 0xd0..=0xd7, ..]) => Err(damaged("its restarts are not in order")),
            _ => Err(CUT.to_owned()),
        }
    }
}
