//! Designs on one field: predicted, measured, shifted, timed.

use std::time::Instant;

use indexmap::IndexMap;
use ndarray::{Array2, Array3, Axis, s};
use tch::{Device, Kind as Element, TchError, Tensor};

use super::catalogue::{Context, design};
use super::design::{Cost, Design, DesignError, Resampling, apply};
use super::prediction::{Prediction, PredictionError, PredictionInput};
use super::report::{
    ANTIALIAS_SCHEMA_VERSION, BenchReport, DesignResult, GeneratorResult, Protocols, ShiftSweep, Truncation,
};
use super::shift::{Crop, circular_error, cropped_error, fractional_shifts, integer_shifts};
use super::{Kind, Padding};
use crate::graph::operator::Torch;
use crate::measure::action::{Action, ActionError};
use crate::measure::torus::translate;
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::spectrum::{HalfSpectrum, Velocity};
use crate::symmetry::{Combination, Grid, GridKind, MEASURED, Named};

/// Channels of the map that designs are timed on.
const TIMED_CHANNELS: usize = 64;
/// Its least side.
const TIMED_SIDE: usize = 56;

/// What designs are measured on.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The field's samples, a square `[rows, columns]`.
    pub field: Array2<f64>,
    /// What it is, in words.
    pub input: String,
    /// The stride of downsamplings, the factor of upsamplings.
    pub stride: usize,
    /// The translation, in lengths of the torus.
    pub velocity: Velocity,
    /// What layers find beyond the edge.
    pub padding: Padding,
}

/// Why designs could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// A design refused.
    #[error(transparent)]
    Design(#[from] DesignError),
    /// There is no prediction where there should be one.
    #[error("the design '{design}': {source}")]
    Prediction {
        /// The design.
        design: String,
        /// Why.
        source: PredictionError,
    },
    /// The action is not defined.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// The field is no square, empty, or not finite.
    #[error(
        "the field has {rows} rows and {columns} columns, all finite: {finite}; a bench needs a finite square field"
    )]
    Field {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
        /// Whether its samples are finite.
        finite: bool,
    },
    /// A layer's output is not finite.
    #[error("the design '{0}' makes NaN or infinity of this field; scale the field down")]
    NotFinite(String),
    /// libtorch refused.
    #[error("{}", crate::graph::in_words(.0))]
    Torch(#[from] TchError),
}

impl Bench {
    /// The smallest and the largest sample: the range over which polynomials are fitted.
    pub fn range(&self) -> [f64; 2] {
        let low = self.field.iter().copied().fold(f64::INFINITY, f64::min);
        let high = self.field.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // A constant field has no range; any will do.
        if high > low { [low, high] } else { [low - 1.0, low + 1.0] }
    }

    /// What names are completed with.
    pub fn context(&self) -> Context {
        Context { stride: self.stride, range: self.range() }
    }

    /// Measures each design.
    ///
    /// # Errors
    /// The first design that cannot take this field, by name.
    pub fn run(
        &self,
        designs: &[Box<dyn Design>],
        progress: &mut dyn FnMut(usize, &str),
    ) -> Result<BenchReport, BenchError> {
        let (rows, columns) = self.field.dim();
        let finite = self.field.iter().all(|h| h.is_finite());
        if rows != columns || rows == 0 || !finite {
            return Err(BenchError::Field { rows, columns, finite });
        }
        // Refuse before hours of work: every design first says whether it can take the field.
        for design in designs {
            design.check([design.channels(), rows, columns], self.padding)?;
        }
        let spectrum = HalfSpectrum::from_samples(self.field.view().insert_axis(Axis(0)))
            .map_err(|error| BenchError::Prediction { design: String::new(), source: error.into() })?;
        let floor = 1e-26 * spectrum.bins().iter().map(|bin| bin.norm_sqr()).fold(0.0, f64::max);
        let occupied = spectrum.bins();
        let occupied = occupied.indexed_iter().filter(|(_, bin)| bin.norm_sqr() > floor);
        let band = occupied.map(|((_, row, column), _)| spectrum.wave(row, column).band()).max().unwrap_or(0);
        let slope_energy = spectrum.differentiate(self.velocity).energy().sum();
        let mut results = Vec::new();
        for (at, design) in designs.iter().enumerate() {
            progress(at, &design.name());
            results.push(self.measure(design.as_ref(), slope_energy)?);
        }
        Ok(BenchReport {
            schema_version: ANTIALIAS_SCHEMA_VERSION,
            input: self.input.clone(),
            samples: rows,
            stride: self.stride,
            velocity: [self.velocity.x, self.velocity.y],
            protocol: self.padding,
            protocols: self.protocols(),
            band,
            slope_energy,
            designs: results,
            shift_sweep: self.sweep(designs)?,
        })
    }

    /// The field as `channels` channels: itself, and itself rolled by quarters of the rows and thirds of the columns.
    fn channels(&self, channels: usize) -> Array3<f64> {
        let (rows, columns) = self.field.dim();
        Array3::from_shape_fn((channels, rows, columns), |(c, j, i)| {
            self.field[[(j + c * (rows / 4)) % rows, (i + c * (columns / 3)) % columns]]
        })
    }

    /// What is predicted of a design and what is measured, without shifts and times.
    ///
    /// # Errors
    /// When the design cannot take the field.
    pub fn defect(&self, design: &dyn Design) -> Result<Defect, BenchError> {
        let fields = self.channels(design.channels());
        let x = tensor(&fields)?;
        let y = apply(design, &x, self.padding)?;
        if !crate::graph::is_finite(&y)? {
            return Err(BenchError::NotFinite(design.name()));
        }
        let lie = self.lie_derivatives(design, &x, &y)?;
        let prediction = if self.padding == Padding::Circular {
            let input = PredictionInput { fields: fields.view(), x: &x, velocity: self.velocity };
            design.predict(&input).map_err(|source| BenchError::Prediction { design: design.name(), source })?
        } else {
            None
        };
        Ok(Defect { prediction, measured: lie.along(self.velocity)?, generators: lie.generators()? })
    }

    fn measure(&self, design: &dyn Design, slope_energy: f64) -> Result<DesignResult, BenchError> {
        let Defect { prediction, measured, generators } = self.defect(design)?;
        let fields = self.channels(design.channels());
        let x = tensor(&fields)?;
        let predicted = prediction.map(|prediction| prediction.exact);
        // Differences of slopes of this size round at ε² of their squares, and a little more for their number.
        let above = measured > 1e-24 * slope_energy;
        let shifts = [integer_shifts(fields.dim().1, self.stride), fractional_shifts(self.stride)];
        let errors = |shifts: &[[f64; 2]]| circular_error(design, &x, shifts, self.padding);
        let cropped = |shifts: &[[f64; 2]]| -> Result<Option<f64>, DesignError> {
            let Some(crop) = Crop::of(fields.dim().1, self.stride) else { return Ok(None) };
            match cropped_error(design, &x, shifts, crop) {
                // The whole field is large enough, the window is not: there is nothing to report.
                Err(DesignError::TooSmall { .. } | DesignError::Indivisible { .. }) => Ok(None),
                other => other,
            }
        };
        let timing = self.time(design)?;
        let side = self.timed_side();
        let timed = design.cost([1, TIMED_CHANNELS, side, side]).map(|cost| cost.operations);
        let (_, rows, columns) = fields.dim();
        let shape = [1, fields.dim().0, rows, columns];
        let reference = reference(design.kind(), self.stride)?;
        let cost = design.cost(shape);
        let ratio = |cost: Cost, plain: Cost| cost.numbers / plain.numbers;
        Ok(DesignResult {
            name: design.name(),
            kind: design.kind(),
            guarantee: design.guarantee(),
            about: design.about(),
            channels: fields.dim().0,
            predicted,
            truncation: prediction
                .and_then(|p| p.truncation)
                .map(|(oversampled, change)| Truncation { oversampled, change }),
            measured,
            relative_difference: predicted.filter(|_| above).map(|predicted| (predicted - measured).abs() / measured),
            generators,
            integer_shift_error: errors(&shifts[0])?,
            fractional_shift_error: errors(&shifts[1])?,
            integer_shift_error_cropped: cropped(&shifts[0][..shifts[0].len().min(24)])?,
            fractional_shift_error_cropped: cropped(&shifts[1])?,
            passband_energy: prediction.and_then(|prediction| prediction.passband),
            aliased_energy: prediction.map(|prediction| prediction.aliased),
            time_ms: timing[0],
            time_ratio: timing[1],
            time_multiplications: timed,
            memory_ratio: cost.zip(reference.cost(shape)).map(|(cost, plain)| ratio(cost, plain)),
            operations: cost.map(|cost| cost.operations),
            cost_reference: reference.name(),
        })
    }

    /// D f\[A x\] − A f(x) for the seven measured generators.
    fn lie_derivatives(&self, design: &dyn Design, x: &Tensor, y: &Tensor) -> Result<Lie, BenchError> {
        let boundary = if self.padding == Padding::Circular { Boundary::Periodic } else { Boundary::Reflect };
        let size = x.size();
        let grid = Grid::image(size[2] as usize, size[3] as usize, GridKind::Tracked);
        let act = |grid: &Grid| Action::new(grid, Scheme::Spectral, boundary, Element::Double, Device::Cpu);
        let dx = act(&grid)?.all(x)?;
        let dy = design.tangent(x, &dx, self.padding)?;
        let [first_y, first_x] = design.origin(x, self.padding)?;
        let step = design.resampling().step();
        let out = y.size();
        let moved = Grid {
            rows: grid.rows.resampled(first_y, step, out[2] as usize),
            columns: grid.columns.resampled(first_x, step, out[3] as usize),
        };
        let ay = act(&moved)?.all(y)?;
        Ok(Lie { defects: dy.f_sub(&ay)?.f_reshape([7, -1])?, moved: ay.f_reshape([7, -1])? })
    }

    /// The side of the map that designs are timed on: 56 samples as in the middle of a network, more where the stride does
    /// not divide them twice.
    fn timed_side(&self) -> usize {
        let whole = if self.stride <= 8 { self.stride * self.stride } else { self.stride };
        TIMED_SIDE.div_ceil(whole) * whole
    }

    /// The least time of a call in milliseconds on a map of [`TIMED_CHANNELS`] channels, and its ratio to the reference's, in
    /// single precision.
    fn time(&self, design: &dyn Design) -> Result<[f64; 2], BenchError> {
        /// Rounds at the most, the least of them, and the seconds that they may take.
        const ROUNDS: usize = 50;
        const LEAST: usize = 5;
        const SECONDS: f64 = 0.25;
        let side = self.timed_side();
        design.check([TIMED_CHANNELS, side, side], self.padding)?;
        // Values as a network has them, the same in every run; their kind changes no time.
        let values: Vec<f32> = (0..TIMED_CHANNELS * side * side)
            .map(|i| (i as u32).wrapping_mul(2_654_435_761) as f32 / 2e9 - 1.0)
            .collect();
        let x = Tensor::f_from_slice(&values)?.f_view([1, TIMED_CHANNELS as i64, side as i64, side as i64])?;
        let plain = reference(design.kind(), self.stride)?;
        let run = |design: &dyn Design| -> Torch<f64> {
            let start = Instant::now();
            let _ = design.forward(&x, self.padding)?;
            Ok(start.elapsed().as_secs_f64() * 1e3)
        };
        // The first runs touch memory and make plans.
        let _ = run(&*plain)? + run(design)?;
        let begin = Instant::now();
        let (mut least, mut least_plain) = (f64::INFINITY, f64::INFINITY);
        for round in 0..ROUNDS {
            if round >= LEAST && begin.elapsed().as_secs_f64() > SECONDS {
                break;
            }
            least_plain = least_plain.min(run(&*plain)?);
            least = least.min(run(design)?);
        }
        // What else the machine does only adds to a time.
        Ok([least, least / least_plain.max(1e-6)])
    }

    /// A spot of half a sample's standard deviation, moved to the right in steps of a twentieth sample, through every
    /// downsampling.
    fn sweep(&self, designs: &[Box<dyn Design>]) -> Result<Option<ShiftSweep>, BenchError> {
        const STEPS: usize = 40;
        const WIDTH: f64 = 0.5;
        let n = self.field.nrows();
        let spot: Vec<f64> = (0..n)
            .map(|i| {
                (0..=n / 2)
                    .map(|k| {
                        let weight = if k == 0 || 2 * k == n { 1.0 } else { 2.0 };
                        let turns = std::f64::consts::TAU * k as f64 / n as f64;
                        weight * (-0.5 * (turns * WIDTH).powi(2)).exp() * (turns * (i as f64 - (n / 2) as f64)).cos()
                    })
                    .sum::<f64>()
                    / n as f64
            })
            .collect();
        let field = Array3::from_shape_fn((1, n, n), |(_, j, i)| spot[j] * spot[i]);
        let x = tensor(&field)?;
        let shifts: Vec<f64> = (0..=STEPS).map(|i| 2.0 * i as f64 / STEPS as f64).collect();
        let mut positions = IndexMap::new();
        for design in designs.iter().filter(|design| design.kind() == Kind::Downsampling && design.channels() == 1) {
            let mut found = Vec::new();
            let mut first = None;
            for shift in &shifts {
                let moved = translate(&x, [*shift, 0.0])?;
                let y = apply(design.as_ref(), &moved, Padding::Circular)?;
                // APS moves its samples as well as their values.
                let [_, origin] = design.origin(&moved, Padding::Circular)?;
                let place = place_of(&y)? * self.stride as f64 + origin;
                let start = *first.get_or_insert(place);
                let period = n as f64;
                found.push((place - start + 0.5 * period).rem_euclid(period) - 0.5 * period);
            }
            if found.iter().all(|place| place.is_finite()) {
                positions.insert(design.name(), found);
            }
        }
        Ok((!positions.is_empty()).then_some(ShiftSweep { shifts, positions }))
    }

    fn protocols(&self) -> Protocols {
        let n = self.field.nrows();
        let pads = match self.padding {
            Padding::Circular => "circular padding",
            Padding::Reflect => "reflect padding",
            Padding::Zero => "zero padding",
        };
        let boundary = if self.padding == Padding::Circular { "periodic" } else { "reflect" };
        let window = Crop::of(n, self.stride).map_or("nothing: the field is too small for a window".to_owned(), |crop| {
            format!(
                "the field moves around the torus, the layer sees a window of {0} x {0} samples and pads it by reflection; \
                 the middle half of its output against that part of the torus's output, moved",
                crop.side
            )
        });
        let where_to = "the output is compared with the unshifted output moved by shift/stride, or by the whole number of \
                        samples next to that; worst relative error in the L2 norm";
        Protocols {
            predicted:
                "circular: the theorem's exact form of the filtered harmonics; nonlinear designs by oversampling"
                    .to_owned(),
            measured: format!(
                "{pads}, spectral derivative ({boundary}); measured along the velocity in lengths of the torus, \
                 generators with t in half-widths"
            ),
            integer_shift_error: format!(
                "circular shifts by {} pairs of whole samples from 0 to {n}, layer with {pads}; {where_to}",
                integer_shifts(n, self.stride).len()
            ),
            fractional_shift_error: format!(
                "circular shifts of the trigonometric interpolant by {} fractions within a stride, layer with {pads}; \
                 {where_to}",
                fractional_shifts(self.stride).len()
            ),
            cropped: window,
            energy:
                "circular: shares of the filtered field's energy; the band of the coarser grid, without its Nyquist bin"
                    .to_owned(),
            cost: "memory from each design's definition: numbers held at once beside the input".to_owned(),
            time: format!(
                "one map of {TIMED_CHANNELS} channels of {0} x {0} samples, single precision: the least time of up to 50 \
                 calls in turn with the plainest design, and the multiplications (or comparisons) of one",
                self.timed_side()
            ),
        }
    }
}

/// A design's defect under the field's translation.
#[derive(Clone, Debug)]
pub struct Defect {
    /// What the theorem says, where it says something and the padding is circular.
    pub prediction: Option<Prediction>,
    /// The mean square of the Lie derivative along the velocity, in lengths of the torus.
    pub measured: f64,
    /// LEE per generator, t in half-widths.
    pub generators: IndexMap<String, GeneratorResult>,
}

/// The plainest design of a kind, which costs are compared with.
fn reference(kind: Kind, stride: usize) -> Result<Box<dyn Design>, DesignError> {
    let name = match kind {
        Kind::Downsampling => "stride",
        Kind::Nonlinearity => "relu",
        Kind::Normalisation => "batchnorm",
        Kind::Upsampling => "upsample:nearest",
    };
    design(name, &Context { stride, ..Context::default() })
}

/// Lie derivatives of the seven measured generators, as rows.
struct Lie {
    defects: Tensor,
    moved: Tensor,
}

impl Lie {
    /// The mean square of (a combination of rows), in the rows' units.
    fn mean_square(rows: &Tensor, coefficients: &[f64; 7]) -> Torch<f64> {
        let mixed = Tensor::f_from_slice(coefficients)?.f_view([1, 7])?.f_matmul(rows)?;
        mixed.f_square()?.f_mean(None::<Element>)?.f_double_value(&[])
    }

    /// Along a velocity in lengths of the torus: a length is two half-widths.
    fn along(&self, velocity: Velocity) -> Torch<f64> {
        Self::mean_square(&self.defects, &[2.0 * velocity.x, 2.0 * velocity.y, 0.0, 0.0, 0.0, 0.0, 0.0])
    }

    fn generators(&self) -> Torch<IndexMap<String, GeneratorResult>> {
        let all =
            MEASURED.iter().map(|g| Combination::single(*g)).chain(Named::ALL.into_iter().map(Combination::named));
        all.map(|combination| {
            let lee = Self::mean_square(&self.defects, combination.coefficients())?;
            let moved = Self::mean_square(&self.moved, combination.coefficients())?;
            let relative = (moved > 0.0).then(|| lee / moved);
            Ok((combination.name().to_owned(), GeneratorResult { lee, relative }))
        })
        .collect()
    }
}

/// Where the first harmonic of the field's square, along the rows, says that its energy lies, in its own samples.
fn place_of(y: &Tensor) -> Torch<f64> {
    let columns = y.f_square()?.f_sum_dim_intlist([0, 1, 2].as_slice(), false, None::<Element>)?;
    let values: Vec<f64> = Vec::try_from(&columns)?;
    let n = values.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (i, value) in values.iter().enumerate() {
        let angle = std::f64::consts::TAU * i as f64 / n;
        re += value * angle.cos();
        im += value * angle.sin();
    }
    Ok(im.atan2(re) / std::f64::consts::TAU * n)
}

/// `[channels, rows, columns]` as `[1, channels, rows, columns]`, double precision.
pub fn tensor(fields: &Array3<f64>) -> Torch<Tensor> {
    let (channels, rows, columns) = fields.dim();
    let values: Vec<f64> = fields.iter().copied().collect();
    Tensor::f_from_slice(&values)?.f_view([1, channels as i64, rows as i64, columns as i64])
}

/// The middle square of an image, of at most `most` samples a side and a whole number of double strides.
pub fn middle(image: &Array2<f64>, most: usize, stride: usize) -> Array2<f64> {
    let (rows, columns) = image.dim();
    let unit = 2 * stride.max(1);
    let side = rows.min(columns).min(most);
    let side = if side >= unit { side / unit * unit } else { side };
    let (top, left) = ((rows - side) / 2, (columns - side) / 2);
    image.slice(s![top..top + side, left..left + side]).to_owned()
}

/// Whether a design makes fewer samples.
pub fn is_downsampling(design: &dyn Design) -> bool {
    matches!(design.resampling(), Resampling::Down { .. })
}
