//! Where the samples of a feature map lie in the input plane.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::spectrum::name::UnknownName;

use super::combination::Combination;

/// How the positions of samples are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GridKind {
    /// Pixels are cells of the image: u_i = (2i + 1 − N)/N_x at the input, N the axis's own number of pixels and N_x that of
    /// its columns, carried through every stride and padding.
    #[default]
    Tracked,
    /// The outer samples' centres lie on the image's edge at every depth, as in the code released with the paper, a bias of
    /// its own: u_i = (2i/(N − 1) − 1)·a, a = 1 along x and (N_y − 1)/(N_x − 1) of the input along y.
    AlignCorners,
}

/// The unit of the group's parameter t.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Units {
    /// Half the input's width, for both axes: x runs from −1 to 1, y from −N_y/N_x to N_y/N_x. On an image that is not square
    /// no other unit that is tied to a side lets a rotation rotate.
    #[default]
    HalfWidth,
    /// The input's pixels, about the same centre.
    Pixel,
}

impl GridKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Tracked, Self::AlignCorners];

    /// The name used on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tracked => "tracked",
            Self::AlignCorners => "align-corners",
        }
    }
}

impl Units {
    /// Every unit.
    pub const ALL: [Self; 2] = [Self::HalfWidth, Self::Pixel];

    /// The name used on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HalfWidth => "half-width",
            Self::Pixel => "pixel",
        }
    }
}

impl fmt::Display for GridKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for GridKind {
    type Err = UnknownName;

    fn from_str(given: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == given);
        found.ok_or_else(|| UnknownName::new("grid", given, &Self::ALL.map(Self::name)))
    }
}

impl FromStr for Units {
    type Err = UnknownName;

    fn from_str(given: &str) -> Result<Self, UnknownName> {
        let found = Self::ALL.into_iter().find(|units| units.name() == given);
        found.ok_or_else(|| UnknownName::new("unit", given, &Self::ALL.map(Self::name)))
    }
}

/// Equally spaced samples along one axis: sample i lies at origin + i·pitch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Axis {
    /// The number of samples.
    pub samples: usize,
    /// The position of sample 0.
    pub origin: f64,
    /// The distance between samples.
    pub pitch: f64,
}

impl Axis {
    /// The columns of an image that is `samples` pixels wide, in half-widths.
    pub fn image(samples: usize, kind: GridKind) -> Self {
        Self::spanning(samples, 1.0, kind)
    }

    /// `samples` samples from −`half` to `half`: cells that fill it, or points with the outer ones at its ends.
    pub fn spanning(samples: usize, half: f64, kind: GridKind) -> Self {
        let n = samples as f64;
        match kind {
            GridKind::Tracked => Self { samples, origin: half / n - half, pitch: 2.0 * half / n },
            // One sample has no spacing of its own; it lies at the centre.
            GridKind::AlignCorners if samples < 2 => Self { samples, origin: 0.0, pitch: 2.0 * half },
            GridKind::AlignCorners => Self { samples, origin: -half, pitch: 2.0 * half / (n - 1.0) },
        }
    }

    /// The length that its samples' cells fill.
    pub fn extent(&self) -> f64 {
        self.pitch * self.samples as f64
    }

    /// The same samples with positions multiplied by `factor`.
    fn scaled(self, factor: f64) -> Self {
        Self { origin: self.origin * factor, pitch: self.pitch * factor, ..self }
    }

    /// The position of sample i; i may be fractional or outside.
    pub fn position(&self, i: f64) -> f64 {
        self.origin + self.pitch * i
    }

    /// The axis whose sample j lies at this axis's (fractional) index `first + j·step`.
    pub fn resampled(&self, first: f64, step: f64, samples: usize) -> Self {
        Self { samples, origin: self.position(first), pitch: self.pitch * step }
    }

    /// The positions of all samples.
    pub fn positions(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.samples).map(|i| self.position(i as f64))
    }

    /// Whether both axes have the same samples, to rounding.
    pub fn agrees_with(&self, other: &Self) -> bool {
        // Origins and pitches are sums and products of a few dozen dyadic-like numbers of size 1.
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * self.pitch.abs().max(other.pitch.abs());
        self.samples == other.samples && close(self.origin, other.origin) && close(self.pitch, other.pitch)
    }
}

/// The axis halfway between the outermost of `axes`; where all agree, the first. None where numbers of samples differ,
/// or where axes lie further apart than maps of one image do.
fn halfway(axes: &[Axis]) -> Option<Axis> {
    let first = *axes.first()?;
    if axes.iter().all(|axis| axis.agrees_with(&first)) {
        return Some(first);
    }
    let pitch = axes.iter().map(|axis| axis.pitch.abs()).fold(f64::INFINITY, f64::min);
    // Paddings move a map as a whole, and by whole samples of it where an encoder's moves come back on a finer map.
    let moved = axes.iter().all(|axis| (axis.pitch - first.pitch).abs() <= 1e-9 * pitch);
    let most = if moved { (first.samples as f64 / 2.0).max(1.0) } else { 1.0 };
    // Positions are linear in the sample, so they are furthest apart at an end.
    let middle = |i: f64| {
        let positions = || axes.iter().map(|axis| axis.position(i));
        let (low, high) = (positions().fold(f64::INFINITY, f64::min), positions().fold(f64::NEG_INFINITY, f64::max));
        (high - low < pitch * most * (1.0 - 1e-9)).then_some((low + high) / 2.0)
    };
    let last = first.samples.saturating_sub(1);
    let (start, end) = (middle(0.0)?, middle(last as f64)?);
    let pitch = if last > 0 { (end - start) / last as f64 } else { first.pitch };
    let same = axes.iter().all(|axis| axis.samples == first.samples);
    same.then_some(Axis { samples: first.samples, origin: start, pitch })
}

/// The rows and columns of a feature map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grid {
    /// Along y, downwards.
    pub rows: Axis,
    /// Along x, to the right.
    pub columns: Axis,
}

impl Grid {
    /// The largest |v|/pitch of a vector field on the grid: what a derivative along it multiplies differences of
    /// samples by.
    pub fn steepness(&self, field: &Combination) -> f64 {
        let ends = |axis: &Axis| [axis.origin, axis.origin + axis.pitch * (axis.samples as f64 - 1.0)];
        let mut most = 0.0f64;
        for x in ends(&self.columns) {
            for y in ends(&self.rows) {
                let [vx, vy] = field.field([x, y]);
                most = most.max(vx.abs() / self.columns.pitch.abs()).max(vy.abs() / self.rows.pitch.abs());
            }
        }
        most
    }

    /// The grid of an image of `rows` × `columns` pixels, in half-widths: of square pixels, so that y runs from
    /// −rows/columns to rows/columns.
    ///
    /// ```
    /// use aliascope_numerics::symmetry::{Grid, GridKind};
    /// let grid = Grid::image(48, 320, GridKind::Tracked);
    /// assert_eq!((grid.columns.pitch, grid.rows.extent()), (2.0 / 320.0, 0.3));
    /// ```
    pub fn image(rows: usize, columns: usize, kind: GridKind) -> Self {
        let half = match kind {
            GridKind::Tracked => rows as f64 / columns as f64,
            GridKind::AlignCorners => rows.saturating_sub(1).max(1) as f64 / columns.saturating_sub(1).max(1) as f64,
        };
        Self { rows: Axis::spanning(rows, half, kind), columns: Axis::image(columns, kind) }
    }

    /// The grid of `rows` × `columns` samples that cover the plane of this grid, an image.
    pub fn covered_by(&self, rows: usize, columns: usize, kind: GridKind) -> Self {
        let image = Self::image(self.rows.samples, self.columns.samples, kind);
        let half = |axis: &Axis| match kind {
            GridKind::Tracked => 0.5 * axis.extent(),
            GridKind::AlignCorners => 0.5 * axis.pitch * axis.samples.saturating_sub(1).max(1) as f64,
        };
        Self {
            rows: Axis::spanning(rows, half(&image.rows), kind),
            columns: Axis::spanning(columns, half(&image.columns), kind),
        }
    }

    /// The same samples with positions in `units`; `input` is the network's input, in half-widths.
    pub fn in_units(&self, units: Units, input: &Self) -> Self {
        match units {
            Units::HalfWidth => *self,
            Units::Pixel => Self {
                rows: self.rows.scaled(1.0 / input.rows.pitch),
                columns: self.columns.scaled(1.0 / input.columns.pitch),
            },
        }
    }

    /// These samples, tracked from `input`, with positions of the given kind and in the given units.
    pub fn placed(&self, kind: GridKind, units: Units, input: &Self) -> Self {
        let of_kind = |g: &Self| match kind {
            GridKind::Tracked => *g,
            GridKind::AlignCorners => input.covered_by(g.rows.samples, g.columns.samples, kind),
        };
        of_kind(self).in_units(units, &of_kind(input))
    }

    /// The grid halfway between the outermost of `grids`, axis by axis: that of a value that is put together of maps
    /// sampled on them. Where all agree it is the first. None where numbers of samples differ, or two grids of one
    /// pitch lie half the map apart, or two of different pitches a sample somewhere.
    pub fn halfway(grids: &[Self]) -> Option<Self> {
        let along = |of: fn(&Self) -> Axis| halfway(&grids.iter().map(of).collect::<Vec<_>>());
        Some(Self { rows: along(|grid| grid.rows)?, columns: along(|grid| grid.columns)? })
    }

    /// Whether the grid is one sample.
    pub fn is_point(&self) -> bool {
        self.rows.samples == 1 && self.columns.samples == 1
    }

    /// Whether both grids have the same samples, to rounding.
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.rows.agrees_with(&other.rows) && self.columns.agrees_with(&other.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_axes_are_centred() {
        for kind in [GridKind::Tracked, GridKind::AlignCorners] {
            for n in [1, 2, 7, 224] {
                let sum: f64 = Axis::image(n, kind).positions().sum();
                // n terms of size at most 1, each exact to half a unit in the last place.
                assert!(sum.abs() < 1e-12 * n as f64, "{kind} {n}: {sum}");
            }
        }
    }

    #[test]
    fn a_square_image_has_the_positions_of_both_its_sides() {
        for kind in GridKind::ALL {
            for n in [1, 2, 7, 224, 299] {
                let (grid, side) = (Grid::image(n, n, kind), n as f64);
                assert_eq!(grid.rows, grid.columns);
                if kind == GridKind::Tracked {
                    // To the last bit as when each side was its own unit.
                    assert_eq!((grid.rows.origin, grid.rows.pitch), (1.0 / side - 1.0, 2.0 / side));
                }
                // Half and full extents are powers of two times these.
                assert_eq!(grid.covered_by(n, n, kind), grid);
            }
        }
    }

    #[test]
    fn pixels_of_any_image_are_square() {
        for kind in GridKind::ALL {
            for (rows, columns) in [(48, 320), (320, 48), (3, 7), (24, 40)] {
                let grid = Grid::image(rows, columns, kind);
                // One rounding of the ratio of the sides, another of the pitch.
                assert!((grid.rows.pitch / grid.columns.pitch - 1.0).abs() < 4.0 * f64::EPSILON, "{kind} {grid:?}");
                let middle = grid.rows.position((rows as f64 - 1.0) / 2.0);
                assert!(middle.abs() < 1e-14 * grid.rows.extent(), "{kind} {middle}");
            }
        }
        // A map of other proportions covers the same plane.
        let map = Grid::image(48, 320, GridKind::Tracked).covered_by(3, 40, GridKind::Tracked);
        assert!((map.rows.extent() - 0.3).abs() < 1e-15 && (map.columns.extent() - 2.0).abs() < 1e-15, "{map:?}");
    }

    #[test]
    fn maps_that_are_put_together_lie_halfway() {
        let of = |origin: f64, pitch: f64, samples| Axis { samples, origin, pitch };
        let grid = |rows, columns| Grid { rows, columns };
        let here = grid(of(-0.5, 0.25, 5), of(-0.5, 0.25, 5));
        let half = grid(of(-0.375, 0.25, 5), of(-0.5, 0.25, 5));
        assert_eq!(Grid::halfway(&[here, half]), Some(grid(of(-0.4375, 0.25, 5), of(-0.5, 0.25, 5))));
        // How often one of them is there does not matter, and which comes first neither.
        assert_eq!(Grid::halfway(&[half, here, here]), Grid::halfway(&[here, half]));
        assert_eq!(Grid::halfway(&[here, here]), Some(here));
        // Half of the map apart, or a sample at an end; other numbers of samples.
        assert_eq!(Grid::halfway(&[here, grid(of(0.125, 0.25, 5), here.columns)]), None);
        assert_eq!(Grid::halfway(&[here, grid(of(-0.5, 0.3125, 5), here.columns)]), None);
        assert_eq!(Grid::halfway(&[here, grid(of(-0.5, 0.25, 4), here.columns)]), None);
        // Pitches may differ a little: the corners' middles.
        let wide = grid(of(-0.5, 0.28125, 5), here.columns);
        assert_eq!(Grid::halfway(&[here, wide]), Some(grid(of(-0.5, 0.265625, 5), here.columns)));
    }

    #[test]
    fn tensorflow_same_padding_moves_the_origin_by_half_a_pixel() {
        // 3 taps, stride 2, padding (0, 1): output j is centred on input 2j + 1.
        let input = Axis::image(224, GridKind::Tracked);
        let output = input.resampled(1.0, 2.0, 112);
        assert_eq!(output.position(0.0), input.position(1.0));
        assert_eq!(output.position(111.0), input.position(223.0));
    }
}
