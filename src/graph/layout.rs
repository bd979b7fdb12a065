//! Which values are maps over the input plane, and where their samples lie.
//!
//! A value has a layout when it is certain which of its axes carry rows and columns and where each of their entries
//! lies in the input plane: channels first or last, tokens with leading class tokens, windows, whatever
//! `positions` can follow entry by entry. Anything else counts as a value without a layout.

use std::sync::Arc;

use tch::Tensor;

use crate::symmetry::Grid;

use super::operator::Torch;

/// What is known of where a value's entries lie in the input plane.
#[derive(Clone, Debug, PartialEq)]
pub enum Layout {
    /// Nothing that is certain.
    Unknown,
    /// No entry has a place (pooled values, class tokens): transforms of the plane do not move it.
    NonSpatial,
    /// Maps over rows and columns, one per channel.
    Map(PositionMap),
    /// Maps over some rows and columns of larger ones, which are put together with the others again, as the two parts
    /// of a rolled map are: what moves across a part's edge comes from the other parts, so a part has no motion of its
    /// own.
    Part(Part),
}

/// A part of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Its own rows and columns, on a grid of their own.
    pub map: PositionMap,
    /// The grid of which that grid is a part.
    pub whole: Grid,
}

/// Maps over rows and columns, wherever the value keeps them.
#[derive(Clone, Debug, PartialEq)]
pub struct PositionMap {
    /// Where the positions lie in the input plane.
    pub grid: Grid,
    /// The axes that carry the positions, counted from the end, first axis first.
    pub axes: Vec<i64>,
    /// The place of every position, row by row, on those axes taken as one; none where they are the positions in order.
    /// Places that are no position's (class tokens, padding) do not move.
    pub places: Option<Arc<Vec<i64>>>,
    /// Where those axes hold channels too: how far after a position's place in the first channel it is in each of them.
    pub channels: Option<Arc<Vec<i64>>>,
}

impl Layout {
    /// `[batch, channels, rows, columns]` sampled on `grid`.
    pub fn planar(grid: Grid) -> Self {
        Self::Map(PositionMap { grid, axes: vec![-2, -1], places: None, channels: None })
    }

    /// The grid of `[batch, channels, rows, columns]`, if that is what the value is.
    pub fn plane(&self) -> Option<Grid> {
        match self {
            Self::Map(map) if map.is_planar() => Some(map.grid),
            _ => None,
        }
    }

    /// Where the entries lie, whether they have a motion of their own or not.
    pub fn positions(&self) -> Option<&PositionMap> {
        match self {
            Self::Map(map) | Self::Part(Part { map, .. }) => Some(map),
            Self::Unknown | Self::NonSpatial => None,
        }
    }

    /// For tables: `rows, columns`, `rows, columns, channels`, `1 + 14×14 tokens`, `windows`, `among channels`,
    /// `3×56 of 56×56`, `non-spatial`, or a dash.
    pub fn describe(&self) -> String {
        let map = match self {
            Self::Unknown => return "–".to_owned(),
            Self::NonSpatial => return "non-spatial".to_owned(),
            Self::Map(map) => map,
            Self::Part(Part { map, whole }) => {
                let size = |grid: &Grid| format!("{}×{}", grid.rows.samples, grid.columns.samples);
                return format!("{} of {}", size(&map.grid), size(whole));
            }
        };
        let (rows, columns) = (map.grid.rows.samples, map.grid.columns.samples);
        if map.channels.is_some() {
            return format!("{rows}×{columns} among channels");
        }
        match (map.axes.as_slice(), &map.places) {
            ([-2, -1], None) => format!("{rows}×{columns} plane"),
            ([-3, -2], None) => format!("{rows}×{columns} channels last"),
            ([_], None) => format!("{rows}×{columns} tokens"),
            ([_], Some(places)) if is_shift(places) => format!("{} + {rows}×{columns} tokens", places[0]),
            _ => format!("{rows}×{columns} in windows"),
        }
    }
}

fn is_shift(places: &[i64]) -> bool {
    places.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

impl PositionMap {
    /// Whether the last two axes are rows and columns.
    pub fn is_planar(&self) -> bool {
        self.axes == [-2, -1] && self.places.is_none()
    }

    /// Whether the value is `[…, rows, columns, channels]`.
    pub fn is_channels_last(&self) -> bool {
        self.axes == [-3, -2] && self.places.is_none()
    }

    /// The place of every position in every channel that the axes hold, channel by channel.
    fn index(&self, places: &[i64]) -> Vec<i64> {
        let first = [0];
        let channels = self.channels.as_ref().map_or(first.as_slice(), |channels| channels);
        channels.iter().flat_map(|channel| places.iter().map(move |place| place + channel)).collect()
    }

    /// `x`, whose last axes are the value's own, with rows and columns brought to the end: `[…, rows, columns]`, before
    /// them the channels that shared axes with them.
    ///
    /// # Errors
    /// When libtorch refuses; so for the next.
    pub fn gather(&self, x: &Tensor) -> Torch<Tensor> {
        if self.is_planar() {
            return Ok(x.shallow_clone());
        }
        let flat = x.f_movedim(self.axes.as_slice(), self.ends())?.f_flatten(-(self.axes.len() as i64), -1)?;
        let positions = match &self.places {
            Some(places) => {
                flat.f_index_select(-1, &Tensor::f_from_slice(&self.index(places))?.f_to_device(x.device())?)?
            }
            None => flat,
        };
        let mut size = positions.size();
        size.pop();
        size.extend(self.channels.as_ref().map(|channels| channels.len() as i64));
        size.extend([self.grid.rows.samples as i64, self.grid.columns.samples as i64]);
        positions.f_reshape(size)
    }

    /// The inverse of [`gather`](Self::gather) for a value whose own last axes are `shape`: places without a position
    /// become zero.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn scatter(&self, y: &Tensor, shape: &[i64]) -> Torch<Tensor> {
        if self.is_planar() {
            return Ok(y.shallow_clone());
        }
        let lengths: Vec<i64> = self.axes.iter().map(|a| shape[(shape.len() as i64 + a) as usize]).collect();
        let positions = y.f_flatten(if self.channels.is_some() { -3 } else { -2 }, -1)?;
        let flat = match &self.places {
            Some(places) => {
                let mut size = positions.size();
                size.pop();
                size.push(lengths.iter().product());
                let index = Tensor::f_from_slice(&self.index(places))?.f_to_device(y.device())?;
                Tensor::f_zeros(size, (y.kind(), y.device()))?.f_index_copy(-1, &index, &positions)?
            }
            None => positions,
        };
        let mut size = flat.size();
        size.pop();
        size.extend(&lengths);
        flat.f_reshape(size)?.f_movedim(self.ends(), self.axes.as_slice())
    }

    fn ends(&self) -> Vec<i64> {
        (-(self.axes.len() as i64)..0).collect()
    }
}

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
    /// Every output is a sum over one axis, which becomes the channels: a dense layer along the other axes.
    Mixed {
        /// The axis, counted from the end.
        axis: i64,
    },
    /// A matrix product of two varying values: rows from the first, columns from the second.
    Product,
    /// Sums of products of the varying inputs, and of constants.
    Contracted {
        /// Per input: where each of its axes is in the output, counted from the front; none where it is summed over.
        axes: Vec<Vec<Option<usize>>>,
    },
    /// Every output lies at the input of the same place along all axes but the second, which it mixes: windows over
    /// other than two axes that keep their samples where they are.
    InPlace {
        /// Taps along the axes from the third on.
        kernel: Vec<i64>,
    },
    /// Every output is a sum, or an extremum, over `length` entries in a row along the last axis: pools over one axis.
    Pooled {
        /// Entries.
        length: i64,
    },
    /// `[batch, channels · taps, blocks]` are added up to an image, where blocks may overlap: block j, row by row, is
    /// centred on the image's index `first + j·step`.
    Folded {
        /// Rows.
        rows: Step,
        /// Columns.
        columns: Step,
        /// Rows and columns of blocks.
        blocks: [i64; 2],
    },
    /// `[steps, batch, channels]` is read step by step, and step j of the first output, `[steps, directions, batch,
    /// channels]`, lies at step j: it tells of
    /// the steps before it and less of those further off, in the other direction of those after it. Further outputs are
    /// the last states.
    Recurrent,
    /// A reduction over axes, counted from the end.
    Reduced {
        /// The axes.
        axes: Vec<i64>,
        /// Whether they stay as axes of one entry.
        keep: bool,
    },
    /// No output has rows and columns that are known.
    Unknown,
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
    /// Whether values that vary are multiplied, and summed.
    pub fn is_product(&self) -> bool {
        match self {
            Self::Product => true,
            Self::Contracted { axes } => axes.len() > 1,
            _ => false,
        }
    }

    /// The grid of a planar output of shape `shape`, given the shapes and, where they are planar, grids of the varying
    /// inputs.
    ///
    /// Inputs that are broadcast along rows or columns carry no positions and are passed over, and so are inputs whose
    /// positions are not known, where another of the same shape has them. Where inputs lie a part of a sample apart the
    /// output lies halfway, and where they lie further apart it has no grid.
    pub fn grid(&self, inputs: &[(&[i64], Option<Grid>)], shape: &[i64]) -> Option<Grid> {
        let (rows, columns) = plane(shape)?;
        let mut found: Vec<Grid> = Vec::new();
        // What resamples, resamples its first input: others are its weights.
        let counted = if matches!(self, Self::Resampled { .. }) { 1 } else { inputs.len() };
        for (input_shape, grid) in inputs.iter().take(counted) {
            let Some(grid) = grid else { continue };
            let resampled = match self {
                Self::Pointwise if plane(input_shape) != Some((rows, columns)) => continue,
                Self::Pointwise => *grid,
                Self::Resampled { rows: r, columns: c } => Grid {
                    rows: grid.rows.resampled(r.first, r.step, rows),
                    columns: grid.columns.resampled(c.first, c.step, columns),
                },
                _ => return None,
            };
            found.push(resampled);
        }
        Grid::halfway(&found)
    }
}

/// Rows and columns of `[batch, channels, rows, columns]`.
pub fn plane(shape: &[i64]) -> Option<(usize, usize)> {
    match shape {
        [_, _, rows, columns] if *rows > 0 && *columns > 0 => Some((*rows as usize, *columns as usize)),
        _ => None,
    }
}
