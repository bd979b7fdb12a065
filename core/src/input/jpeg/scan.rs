//! A scan of a JPEG file: as many blocks as its components have, read to their last bit.

use super::bits::{Data, Huffman};
use super::frame::Frame;
use super::problem::{Problem, damaged};

/// A component of a scan, with its tables.
pub(super) struct Part {
    pub(super) component: usize,
    pub(super) dc: usize,
    pub(super) ac: usize,
}

/// Which coefficients a scan holds, and which of their bits.
pub(super) struct Scan {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) high: u8,
}

impl Scan {
    pub(super) fn read(
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
