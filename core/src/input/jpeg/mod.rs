//! Whether a JPEG file is whole: every segment, every scan and every block of it.
//!
//! Decoders are lenient: where data run out they fill with grey, and say nothing. So the file is read once more here,
//! Huffman code by Huffman code, without computing pixels. What is found is that each scan codes as many blocks as its
//! components have, that restart markers come in order, that every coefficient of every component was sent to its last
//! bit, and that the end marker is there. The syntax is that of ITU-T T.81, to whose sections comments refer.

mod bits;
mod frame;
mod problem;
mod scan;

use self::bits::{Data, Huffman};
use self::frame::{Component, Frame};
pub(super) use self::problem::Problem;
use self::problem::{CUT, damaged, unsupported};
use self::scan::{Part, Scan};

/// Whether these are the first bytes of a JPEG file.
pub(super) fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

/// Reads the file's segments and entropy-coded data to the end marker; what follows that is nobody's.
///
/// # Errors
/// When something is missing, damaged, or of a kind that decoders get wrong; when there are more than `most` samples.
pub(super) fn check(bytes: &[u8], most: u64) -> Result<(), Problem> {
    let mut file = File { bytes, at: 2, most, ..File::default() };
    loop {
        match file.marker()? {
            0xd9 => break,
            0xda => file.scan()?,
            0xd0..=0xd8 | 0x01 => return Err(damaged("a marker stands where none belongs")),
            code => file.segment(code)?,
        }
    }
    let Some(frame) = &file.frame else { return Err(damaged("it has no frame")) };
    match frame.components.iter().all(Component::is_complete) {
        true => Ok(()),
        false => Err("the image is cut off: scans of it are missing; fetch it again".to_owned()),
    }
}

#[derive(Default)]
struct File<'a> {
    bytes: &'a [u8],
    at: usize,
    most: u64,
    frame: Option<Frame>,
    /// Of DC and AC, by number.
    tables: [[Option<Huffman>; 4]; 2],
    restart: usize,
}

impl File<'_> {
    fn byte(&mut self) -> Result<u8, Problem> {
        let byte = *self.bytes.get(self.at).ok_or(CUT)?;
        self.at += 1;
        Ok(byte)
    }

    /// The next marker's code. In front of one may stand fill bytes, and zeros as some cameras write them.
    fn marker(&mut self) -> Result<u8, Problem> {
        loop {
            match self.byte()? {
                0 => {}
                0xff => loop {
                    match self.byte()? {
                        0xff => {}
                        0 => return Err(damaged("data are left over after the last block of a scan")),
                        code => return Ok(code),
                    }
                },
                _ => return Err(damaged("data are left over after the last block of a scan")),
            }
        }
    }

    /// The contents of a segment.
    fn contents(&mut self) -> Result<&[u8], Problem> {
        let length = usize::from(self.byte()?) << 8 | usize::from(self.byte()?);
        let from = self.at;
        let to = from + length.checked_sub(2).ok_or_else(|| damaged("a segment is shorter than its own length"))?;
        self.at = to;
        self.bytes.get(from..to).ok_or_else(|| CUT.to_owned())
    }

    fn segment(&mut self, code: u8) -> Result<(), Problem> {
        match code {
            0xc0..=0xc2 => {
                if self.frame.is_some() {
                    return Err(damaged("it has two frames"));
                }
                let most = self.most;
                self.frame = Some(Frame::read(self.contents()?, code == 0xc2, most)?);
            }
            0xc4 => self.huffman_tables()?,
            0xc3 | 0xc7 | 0xcb | 0xcf => return Err(unsupported("a lossless JPEG")),
            0xc5 | 0xc6 | 0xcd | 0xce => return Err(unsupported("a hierarchical JPEG")),
            0xc8..=0xca | 0xcc => return Err(unsupported("an arithmetically coded JPEG")),
            0xdc => return Err(unsupported("a JPEG whose height comes after its data")),
            0xdd => match *self.contents()? {
                [high, low] => self.restart = usize::from(high) << 8 | usize::from(low),
                _ => return Err(damaged("its restart interval is no number")),
            },
            _ => {
                self.contents()?;
            }
        }
        Ok(())
    }

    /// Section B.2.4.2.
    fn huffman_tables(&mut self) -> Result<(), Problem> {
        let wrong = || damaged("a Huffman table is none");
        let mut rest = self.contents()?;
        let mut read = Vec::new();
        while let [place, counts @ ..] = rest {
            let (class, number) = (usize::from(place >> 4), usize::from(place & 15));
            let (counts, symbols) = counts.split_at_checked(16).ok_or_else(wrong)?;
            let entries: usize = counts.iter().map(|&n| usize::from(n)).sum();
            let (symbols, after) = symbols.split_at_checked(entries).ok_or_else(wrong)?;
            if class > 1 || number > 3 {
                return Err(wrong());
            }
            read.push((class, number, Huffman::new(counts, symbols).ok_or_else(wrong)?));
            rest = after;
        }
        for (class, number, table) in read {
            self.tables[class][number] = Some(table);
        }
        Ok(())
    }

    /// A scan's header, section B.2.3, and its data.
    fn scan(&mut self) -> Result<(), Problem> {
        let wrong = || damaged("the header of a scan is none");
        let header = self.contents()?.to_vec();
        let Some(frame) = self.frame.as_mut() else { return Err(damaged("a scan comes before its frame")) };
        let [count, rest @ ..] = &header[..] else { return Err(wrong()) };
        let count = usize::from(*count);
        let (pairs, rest) = rest.split_at_checked(2 * count).ok_or_else(wrong)?;
        let &[first, last, bits] = rest else { return Err(wrong()) };
        let mut parts = Vec::new();
        for pair in pairs.chunks_exact(2) {
            let at = frame.components.iter().position(|c| c.id == pair[0]).ok_or_else(wrong)?;
            if parts.iter().any(|part: &Part| part.component == at) {
                return Err(wrong());
            }
            parts.push(Part { component: at, dc: usize::from(pair[1] >> 4), ac: usize::from(pair[1] & 15) });
        }
        let (high, low) = (bits >> 4, bits & 15);
        let fits = match frame.progressive {
            true => first <= last && last <= 63 && (first > 0 || last == 0) && (first == 0 || count == 1) && low <= 13,
            false => (first, last, bits) == (0, 63, 0),
        };
        if parts.is_empty() || count > 4 || !fits || (high != 0 && high != low + 1) {
            return Err(wrong());
        }
        if !frame.progressive && count < frame.components.len() && !frame.is_equally_sampled() {
            return Err(unsupported("a JPEG with subsampled components in scans of their own"));
        }
        let scan = Scan { first: usize::from(first), last: usize::from(last), high };
        for part in &parts {
            for missing in &mut frame.components[part.component].missing[scan.first..=scan.last] {
                // A scan refines what is there to the bit before, or is the first.
                if *missing != if high == 0 { 255 } else { high } {
                    return Err(damaged("its scans are not in order"));
                }
                *missing = low;
            }
        }
        let mut data = Data { bytes: self.bytes, at: self.at, bits: 0, count: 0 };
        scan.read(frame, &parts, &self.tables, self.restart, &mut data)?;
        self.at = data.end()?;
        Ok(())
    }
}
