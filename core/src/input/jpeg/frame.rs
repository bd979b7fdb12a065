//! The frame of a JPEG file: size, sampling, and what is still to come of every coefficient.

use super::problem::{Problem, damaged, unsupported};
use crate::input::error::TOO_LARGE;

/// The picture: its size, and its components.
pub(super) struct Frame {
    pub(super) progressive: bool,
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) components: Vec<Component>,
}

/// A component: brightness, or a colour.
pub(super) struct Component {
    pub(super) id: u8,
    pub(super) horizontal: usize,
    pub(super) vertical: usize,
    /// Of every coefficient the bits that are still to come; 255 where nothing came.
    pub(super) missing: [u8; 64],
    /// Of every block, which coefficients are not zero, for refining scans; of whole MCUs.
    pub(super) nonzero: Vec<u64>,
    /// Blocks along a row of whole MCUs.
    pub(super) stride: usize,
}

impl Component {
    pub(super) fn is_complete(&self) -> bool {
        self.missing == [0; 64]
    }
}

impl Frame {
    pub(super) fn is_equally_sampled(&self) -> bool {
        let (across, down) = self.most();
        self.components.iter().all(|c| (c.horizontal, c.vertical) == (across, down))
    }

    /// The largest sampling factors, across and down.
    pub(super) fn most(&self) -> (usize, usize) {
        let most = |size: fn(&Component) -> usize| self.components.iter().map(size).max().unwrap_or(1);
        (most(|c| c.horizontal), most(|c| c.vertical))
    }
}

impl Frame {
    /// Section B.2.2.
    pub(super) fn read(header: &[u8], progressive: bool, most: u64) -> Result<Self, Problem> {
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
