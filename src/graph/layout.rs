//! Which values are images, and where their samples lie in the input plane.
//!
//! A value has a grid when its last two axes are rows and columns whose sampling positions are known for certain:
//! `[batch, channels, rows, columns]`. Anything else counts as a value without a grid.

use crate::symmetry::Grid;

/// What an operator does to rows and columns.
#[derive(Clone, Debug, PartialEq)]
pub enum Flow {
    /// Output sample (i, j) comes from input sample (i, j): pointwise operators, and channel mixing.
    Pointwise,
    /// Output sample j lies at the input's index `first + j·step`, along rows and columns.
    Resampled {
        /// Rows.
        rows: Step,
        /// Columns.
        columns: Step,
    },
    /// No output has rows and columns that are known.
    Lost,
}

/// Output sample j lies at input index `first + j·step`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The input index of output sample 0.
    pub first: f64,
    /// The input indices between two output samples.
    pub step: f64,
}

impl Step {
    /// A window of `kernel` taps: output j is centred on input j·stride + dilation·(kernel − 1)/2 − pad.
    pub fn window(kernel: i64, stride: i64, dilation: i64, pad_begin: i64) -> Self {
        Self { first: dilation as f64 * (kernel - 1) as f64 / 2.0 - pad_begin as f64, step: stride as f64 }
    }

    /// A transposed window: input i is centred on output i·stride + dilation·(kernel − 1)/2 − pad.
    pub fn transposed_window(kernel: i64, stride: i64, dilation: i64, pad_begin: i64) -> Self {
        let forward = Self::window(kernel, stride, dilation, pad_begin);
        Self { first: -forward.first / forward.step, step: 1.0 / forward.step }
    }
}

impl Flow {
    /// The grid of an output of shape `shape`, given the grids and shapes of the varying inputs.
    ///
    /// Inputs that are broadcast along rows or columns carry no positions and are passed over. Where positions
    /// contradict each other the output has none.
    pub fn grid(&self, inputs: &[(&[i64], Option<Grid>)], shape: &[i64]) -> Option<Grid> {
        let (rows, columns) = plane(shape)?;
        let mut found: Option<Grid> = None;
        for (input_shape, grid) in inputs {
            let resampled = match self {
                Self::Lost => return None,
                Self::Pointwise => {
                    if plane(input_shape) != Some((rows, columns)) {
                        continue;
                    }
                    (*grid)?
                }
                Self::Resampled { rows: r, columns: c } => {
                    let grid = (*grid)?;
                    Grid {
                        rows: grid.rows.resampled(r.first, r.step, rows),
                        columns: grid.columns.resampled(c.first, c.step, columns),
                    }
                }
            };
            match found {
                None => found = Some(resampled),
                Some(first) if first.agrees_with(&resampled) => {}
                Some(_) => return None,
            }
        }
        found
    }
}

/// Rows and columns of `[batch, channels, rows, columns]`.
pub fn plane(shape: &[i64]) -> Option<(usize, usize)> {
    match shape {
        [_, _, rows, columns] if *rows > 0 && *columns > 0 => Some((*rows as usize, *columns as usize)),
        _ => None,
    }
}
