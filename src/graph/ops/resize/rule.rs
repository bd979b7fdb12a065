//! Which input samples an output sample of one axis is made of: a row of its matrix.
//!
//! Positions are fractions of whole numbers, so that the nearest sample is the nearest sample: in floating point
//! j/(m/n) falls short of whole numbers for some sizes.

use super::scale::Scale;
use crate::graph::layout::Step;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    Nearest,
    Linear,
    Cubic,
}

/// How an output index becomes an input position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    /// Half pixels to the right of `HalfPixel`, as old versions of TensorFlow have it for nearest neighbours.
    TensorFlowHalfPixel,
    /// The part of the axis between two fractions of it.
    Crop {
        start: f64,
        end: f64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Rounding {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
}

/// What is needed for the rows of one axis's matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct AxisRule {
    pub(super) input: i64,
    pub(super) output: i64,
    pub(super) scale: Scale,
    pub(super) mode: Mode,
    pub(super) coordinates: Coordinates,
    pub(super) rounding: Rounding,
    pub(super) cubic_coefficient: f64,
    pub(super) exclude_outside: bool,
    pub(super) antialias: bool,
}

impl AxisRule {
    /// The input position of output sample j as a fraction; none where a crop says it in decimals.
    fn fraction(&self, j: i64) -> Option<(i128, i128)> {
        let (j, input, output) = (i128::from(j), i128::from(self.input), i128::from(self.output));
        let Scale { numerator: p, denominator: q } = self.scale;
        // (j + ½)/s = (2j + 1)q/2p.
        let middle = (2 * j + 1) * q;
        Some(match self.coordinates {
            Coordinates::HalfPixel => (middle - p, 2 * p),
            // From the middle of the input: n/2·(1 − m/(s·n)) further.
            Coordinates::HalfPixelSymmetric => (middle - p + input * p - output * q, 2 * p),
            Coordinates::PytorchHalfPixel if output > 1 => (middle - p, 2 * p),
            // With the whole length of the output, as ONNX Runtime and PyTorch have it; ONNX's reference evaluator keeps
            // the fraction of scale·n.
            Coordinates::AlignCorners if output > 1 => (j * (input - 1), output - 1),
            Coordinates::PytorchHalfPixel | Coordinates::AlignCorners => (0, 1),
            Coordinates::Asymmetric => (j * q, p),
            Coordinates::TensorFlowHalfPixel => (middle, 2 * p),
            Coordinates::Crop { .. } => return None,
        })
    }

    /// The input position of output sample j.
    fn position(&self, j: i64) -> f64 {
        if let Some((above, below)) = self.fraction(j) {
            return above as f64 / below as f64;
        }
        let (j, input, output) = (j as f64, self.input as f64, self.output as f64);
        match self.coordinates {
            Coordinates::Crop { start, end } if self.output > 1 => {
                start * (input - 1.0) + j * (end - start) * (input - 1.0) / (output - 1.0)
            }
            Coordinates::Crop { start, end } => 0.5 * (start + end) * (input - 1.0),
            _ => 0.0,
        }
    }

    /// The input sample nearest to output sample j.
    fn nearest(&self, j: i64) -> i64 {
        let index = match self.fraction(j) {
            Some((above, below)) => {
                let floor = |above: i128, below: i128| above.div_euclid(below);
                let ceil = |above: i128, below: i128| -(-above).div_euclid(below);
                let index = match self.rounding {
                    Rounding::Floor => floor(above, below),
                    Rounding::Ceil => ceil(above, below),
                    Rounding::PreferFloor => ceil(2 * above - below, 2 * below),
                    Rounding::PreferCeil => floor(2 * above + below, 2 * below),
                };
                index.clamp(0, i128::from(self.input - 1)) as i64
            }
            None => {
                let position = self.position(j);
                let index = match self.rounding {
                    Rounding::Floor => position.floor(),
                    Rounding::Ceil => position.ceil(),
                    Rounding::PreferFloor => (position - 0.5).ceil(),
                    Rounding::PreferCeil => (position + 0.5).floor(),
                };
                index as i64
            }
        };
        index.clamp(0, self.input - 1)
    }

    /// The kernel that interpolation puts on the samples around a position.
    fn kernel(&self, distance: f64) -> f64 {
        let x = distance.abs();
        match self.mode {
            Mode::Linear => (1.0 - x).max(0.0),
            _ => {
                let a = self.cubic_coefficient;
                if x < 1.0 {
                    ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
                } else if x < 2.0 {
                    (((x - 5.0) * x + 8.0) * x - 4.0) * a
                } else {
                    0.0
                }
            }
        }
    }

    /// Whether output sample j reads what lies beyond a crop's image, which has a value of its own.
    pub(super) fn is_outside(&self, j: i64) -> bool {
        let position = self.position(j);
        matches!(self.coordinates, Coordinates::Crop { .. }) && !(0.0..=(self.input - 1) as f64).contains(&position)
    }

    /// Row j: the weights of the input samples.
    pub(super) fn row(&self, j: i64) -> Vec<f64> {
        let mut row = vec![0.0; self.input as usize];
        let position = self.position(j);
        if self.is_outside(j) {
            return row;
        }
        if self.mode == Mode::Nearest {
            row[self.nearest(j) as usize] = 1.0;
            return row;
        }
        let stretch = if self.antialias { self.scale.value().min(1.0) } else { 1.0 };
        let support = if self.mode == Mode::Linear { 1.0 } else { 2.0 } / stretch;
        let first = (position - support).floor() as i64;
        let last = (position + support).ceil() as i64;
        let mut total = 0.0;
        for i in first..=last {
            let inside = (0..self.input).contains(&i);
            if self.exclude_outside && !inside {
                continue;
            }
            let weight = self.kernel((i as f64 - position) * stretch);
            total += weight;
            row[i.clamp(0, self.input - 1) as usize] += weight;
        }
        if total != 0.0 {
            row.iter_mut().for_each(|w| *w /= total);
        }
        row
    }

    /// Where output samples lie: on the line through the centres of what they take, whatever attributes say it.
    ///
    /// The kernels of interpolation are symmetric about the position that the coordinate transformation gives, so that is
    /// it. Of the nearest neighbours it is the line through their places, or, where those lie on none, the line of cells
    /// that cover the axis, through the neighbours' mean: twice as many samples, each repeated, lie a quarter of a sample
    /// before and after the one that they repeat, as a transposed convolution with a box of ones has them.
    pub(super) fn step(&self) -> Step {
        let cells = self.input as f64 / self.output as f64;
        if self.input == 1 {
            return Step { first: (cells - 1.0) / 2.0, step: cells };
        }
        if let Some(places) = self.neighbours() {
            let stride = places[places.len() - 1] - places[0];
            let between = (places.len() as i64 - 1).max(1);
            let even = stride != 0 && places.windows(2).all(|pair| (pair[1] - pair[0]) * between == stride);
            if even {
                return Step { first: places[0] as f64, step: (stride / between) as f64 };
            }
            let whole = match self.coordinates {
                Coordinates::Crop { start, end } => start == 0.0 && end == 1.0,
                _ => true,
            };
            if whole {
                let middle = places.iter().sum::<i64>() as f64 / places.len() as f64;
                return Step { first: middle - cells * (self.output - 1) as f64 / 2.0, step: cells };
            }
        }
        let first = self.position(0);
        let step = if self.output > 1 { self.position(1) - first } else { cells };
        Step { first, step }
    }

    /// The one input sample that each output sample takes, where the rule is that and all lie inside.
    pub(super) fn neighbours(&self) -> Option<Vec<i64>> {
        let inside = self.mode == Mode::Nearest && !(0..self.output).any(|j| self.is_outside(j));
        inside.then(|| (0..self.output).map(|j| self.nearest(j)).collect())
    }
}
