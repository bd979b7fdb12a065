//! Whether a JPEG file is whole: every segment, every scan and every block of it.
//!
//! Decoders are lenient: where data run out they fill with grey, and say nothing. So the file is read once more here,
//! Huffman code by Huffman code, without computing pixels. What is found is that each scan codes as many blocks as its
//! components have, that restart markers come in order, that every coefficient of every component was sent to its last
//! bit, and that the end marker is there. The syntax is that of ITU-T T.81, to whose sections comments refer.

use super::error::TOO_LARGE;

/// What keeps a file from being decoded, in words.
pub(super) type Problem = String;

const CUT: &str = "the image is cut off: its data end early; fetch it again";

fn damaged(what: &str) -> Problem {
    format!("the image is damaged ({what}); fetch it again")
}

fn unsupported(what: &str) -> Problem {
    format!("the image is {what}, which is not supported; save it again as an ordinary JPEG or as PNG")
}

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

struct Frame {
    progressive: bool,
    columns: usize,
    rows: usize,
    components: Vec<Component>,
}

struct Component {
    id: u8,
    horizontal: usize,
    vertical: usize,
    /// Of every coefficient the bits that are still to come; 255 where nothing came.
    missing: [u8; 64],
    /// Of every block, which coefficients are not zero, for refining scans; of whole MCUs.
    nonzero: Vec<u64>,
    /// Blocks along a row of whole MCUs.
    stride: usize,
}

impl Component {
    fn is_complete(&self) -> bool {
        self.missing == [0; 64]
    }
}

impl Frame {
    fn is_equally_sampled(&self) -> bool {
        let (across, down) = self.most();
        self.components.iter().all(|c| (c.horizontal, c.vertical) == (across, down))
    }

    /// The largest sampling factors, across and down.
    fn most(&self) -> (usize, usize) {
        let most = |size: fn(&Component) -> usize| self.components.iter().map(size).max().unwrap_or(1);
        (most(|c| c.horizontal), most(|c| c.vertical))
    }
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
                        0 => return Err(damaged("data are left over behind the last block of a scan")),
                        code => return Ok(code),
                    }
                },
                _ => return Err(damaged("data are left over behind the last block of a scan")),
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
            0xdc => return Err(unsupported("a JPEG whose height comes behind its data")),
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
            let (symbols, behind) = symbols.split_at_checked(entries).ok_or_else(wrong)?;
            if class > 1 || number > 3 {
                return Err(wrong());
            }
            read.push((class, number, Huffman::new(counts, symbols).ok_or_else(wrong)?));
            rest = behind;
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

impl Frame {
    /// Section B.2.2.
    fn read(header: &[u8], progressive: bool, most: u64) -> Result<Self, Problem> {
        let wrong = || damaged("its frame makes no sense");
        let &[precision, h1, h0, w1, w0, count, ref rest @ ..] = header else { return Err(wrong()) };
        let (rows, columns) = (usize::from(h1) << 8 | usize::from(h0), usize::from(w1) << 8 | usize::from(w0));
        if precision != 8 {
            return Err(unsupported(&format!("a JPEG of {precision} bits")));
        }
        if rows == 0 || columns == 0 {
            return Err("the image has no pixels".to_owned());
        }
        if (rows * columns) as u64 * u64::from(count) > most {
            return Err(TOO_LARGE.to_owned());
        }
        if rest.len() != 3 * usize::from(count) || !matches!(count, 1 | 3 | 4) {
            return Err(wrong());
        }
        let mut components: Vec<Component> = Vec::new();
        for part in rest.chunks_exact(3) {
            let (horizontal, vertical) = (usize::from(part[1] >> 4), usize::from(part[1] & 15));
            if !(1..=4).contains(&horizontal) || !(1..=4).contains(&vertical) {
                return Err(wrong());
            }
            if components.iter().any(|c| c.id == part[0]) {
                return Err(wrong());
            }
            let component =
                Component { id: part[0], horizontal, vertical, missing: [255; 64], nonzero: vec![], stride: 0 };
            components.push(component);
        }
        let mut frame = Self { progressive, columns, rows, components };
        let (across, down) = frame.most();
        // Decoders take the first component, brightness, for the finest one.
        let finest = |c: &Component| (c.horizontal, c.vertical) == (across, down);
        let divides = |c: &Component| [across, c.horizontal, down, c.vertical].iter().all(|n| n.is_power_of_two());
        if !frame.components.first().is_some_and(finest) || !frame.components.iter().all(divides) {
            return Err(unsupported("a JPEG of an unusual subsampling"));
        }
        for component in &mut frame.components {
            component.stride = columns.div_ceil(8 * across) * component.horizontal;
            if progressive {
                component.nonzero = vec![0; component.stride * rows.div_ceil(8 * down) * component.vertical];
            }
        }
        Ok(frame)
    }
}

/// A component of a scan, with its tables.
struct Part {
    component: usize,
    dc: usize,
    ac: usize,
}

/// Which coefficients a scan holds, and which of their bits.
struct Scan {
    first: usize,
    last: usize,
    high: u8,
}

impl Scan {
    fn read(
        &self,
        frame: &mut Frame,
        parts: &[Part],
        tables: &[[Option<Huffman>; 4]; 2],
        restart: usize,
        data: &mut Data<'_>,
    ) -> Result<(), Problem> {
        let no_table = || damaged("a scan names a Huffman table that is not there");
        let table =
            |class: usize, number: usize| tables[class].get(number).and_then(Option::as_ref).ok_or_else(no_table);
        let (across, down) = frame.most();
        let (rows, columns, progressive) = (frame.rows, frame.columns, frame.progressive);
        let mut blocks = Vec::new();
        for part in parts {
            let component = &frame.components[part.component];
            let dc = if self.first == 0 && self.high == 0 { Some(table(0, part.dc)?) } else { None };
            let ac = if self.last > 0 { Some(table(1, part.ac)?) } else { None };
            // A scan of one component has its blocks in rows, none of them padding: section A.2.2.
            let size = match parts.len() {
                1 => (1, 1),
                _ => (component.horizontal, component.vertical),
            };
            blocks.push((part.component, size, component.stride, dc, ac));
        }
        let (units_across, units_down) = match parts {
            [part] => {
                let component = &frame.components[part.component];
                let blocks = |size: usize, own: usize, most: usize| (size * own).div_ceil(8 * most);
                (blocks(columns, component.horizontal, across), blocks(rows, component.vertical, down))
            }
            _ => (columns.div_ceil(8 * across), rows.div_ceil(8 * down)),
        };
        let mut run = 0;
        let mut next = 0;
        let units = units_across * units_down;
        for unit in 0..units {
            if restart > 0 && unit > 0 && unit % restart == 0 {
                if run > 0 {
                    return Err(damaged("a run of blocks goes past a restart"));
                }
                data.restart(next)?;
                next = (next + 1) % 8;
            }
            let (x, y) = (unit % units_across, unit / units_across);
            for &(component, (h, v), stride, dc, ac) in &blocks {
                for (j, i) in (0..v).flat_map(|j| (0..h).map(move |i| (j, i))) {
                    let at = (y * v + j) * stride + x * h + i;
                    let nonzero = if progressive { &mut frame.components[component].nonzero[at] } else { &mut 0 };
                    self.block(progressive, nonzero, dc, ac, &mut run, data)?;
                }
            }
        }
        if run > 0 { Err(damaged("a run of blocks goes past the last one")) } else { Ok(()) }
    }

    fn block(
        &self,
        progressive: bool,
        nonzero: &mut u64,
        dc: Option<&Huffman>,
        ac: Option<&Huffman>,
        run: &mut u32,
        data: &mut Data<'_>,
    ) -> Result<(), Problem> {
        if self.first == 0 {
            match dc {
                Some(table) => {
                    let size = data.symbol(table)?;
                    if size > 11 {
                        return Err(damaged("a coefficient is too large"));
                    }
                    data.take(u32::from(size))?;
                }
                None => {
                    data.take(1)?;
                }
            }
        }
        let Some(ac) = ac else { return Ok(()) };
        match (progressive, self.high) {
            (false, _) => self.coefficients(1, nonzero, ac, &mut 0, false, data),
            (true, 0) => self.coefficients(self.first, nonzero, ac, run, true, data),
            (true, _) => self.refined(nonzero, ac, run, data),
        }
    }

    /// Sections F.1.2.2 and G.1.2.2.
    fn coefficients(
        &self,
        first: usize,
        nonzero: &mut u64,
        ac: &Huffman,
        run: &mut u32,
        runs: bool,
        data: &mut Data<'_>,
    ) -> Result<(), Problem> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let mut k = first;
        while k <= self.last {
            let symbol = data.symbol(ac)?;
            let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            match (zeros, size) {
                (15, 0) => k += 16,
                (zeros, 0) if runs => {
                    *run = (1 << zeros) - 1 + data.take(zeros as u32)?;
                    return Ok(());
                }
                // Where there are no runs of blocks, any other zero ends the block, as decoders have it.
                (_, 0) => return Ok(()),
                (zeros, size) => {
                    k += zeros;
                    if k > self.last {
                        return Err(damaged("a block has more than 64 coefficients"));
                    }
                    data.take(size)?;
                    *nonzero |= 1 << k;
                    k += 1;
                }
            }
        }
        if k > self.last + 1 { Err(damaged("a block has more than 64 coefficients")) } else { Ok(()) }
    }

    /// Section G.1.2.3: coefficients that are not zero yet, and one more bit of those that are.
    fn refined(&self, nonzero: &mut u64, ac: &Huffman, run: &mut u32, data: &mut Data<'_>) -> Result<(), Problem> {
        let mut k = self.first;
        if *run == 0 {
            while k <= self.last {
                let symbol = data.symbol(ac)?;
                let (mut zeros, size) = (u32::from(symbol >> 4), symbol & 15);
                match size {
                    0 if zeros < 15 => {
                        *run = (1 << zeros) + data.take(zeros)?;
                        break;
                    }
                    0 => {}
                    1 => {
                        data.take(1)?;
                    }
                    _ => return Err(damaged("a coefficient is refined by more than a bit")),
                }
                let mut fits = size == 0;
                while k <= self.last {
                    if *nonzero & (1 << k) != 0 {
                        data.take(1)?;
                    } else if zeros == 0 {
                        if size == 1 {
                            *nonzero |= 1 << k;
                        }
                        fits = true;
                        k += 1;
                        break;
                    } else {
                        zeros -= 1;
                    }
                    k += 1;
                }
                if !fits {
                    return Err(damaged("a block has more than 64 coefficients"));
                }
            }
        }
        if *run > 0 {
            let rest = (k..=self.last).filter(|k| *nonzero & (1 << k) != 0).count();
            for _ in 0..rest {
                data.take(1)?;
            }
            *run -= 1;
        }
        Ok(())
    }
}

/// A Huffman table: of every code of up to 16 bits, its length and symbol.
struct Huffman {
    /// By the next [`Huffman::SHORT`] bits: length and symbol, or length 0 where the code is longer.
    short: Vec<(u8, u8)>,
    /// By length: the first code, behind the last one, and where its symbols begin.
    long: [(u32, u32, usize); 17],
    symbols: Vec<u8>,
}

impl Huffman {
    const SHORT: u32 = 9;

    /// Nothing where there are more codes than fit (section C.2).
    fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
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
struct Data<'a> {
    bytes: &'a [u8],
    at: usize,
    bits: u64,
    count: u32,
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
    fn take(&mut self, count: u32) -> Result<u32, Problem> {
        if self.count < count {
            self.fill();
            if self.count < count {
                return Err(CUT.to_owned());
            }
        }
        self.count -= count;
        Ok((self.bits >> self.count) as u32 & ((1 << count) - 1))
    }

    fn symbol(&mut self, table: &Huffman) -> Result<u8, Problem> {
        if self.count < 16 {
            self.fill();
        }
        // Behind the last bit stand ones, which no code is made of alone.
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
    fn end(&mut self) -> Result<usize, Problem> {
        self.fill();
        let whole = self.count / 8 * 8;
        match whole > 0 && self.bits & ((1 << whole) - 1) != 0 {
            true => Err(damaged("data are left over behind the last block of a scan")),
            false => Ok(self.at),
        }
    }

    /// The restart marker of this number, in front of which less than a byte may be left.
    fn restart(&mut self, number: u8) -> Result<(), Problem> {
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
