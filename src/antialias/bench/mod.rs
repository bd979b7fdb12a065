//! Designs on one field: predicted, measured, shifted, timed.

mod lie;
mod protocols;
mod spot;
mod timing;

use indexmap::IndexMap;
use ndarray::{Array2, Array3, Axis, s};
use tch::{Device, Kind as Element, TchError, Tensor};

use super::catalogue::{Context, design};
use super::design::{Cost, Design, DesignError, Resampling, apply};
use super::prediction::{Prediction, PredictionError, PredictionInput};
use super::report::{ANTIALIAS_SCHEMA_VERSION, BenchReport, DesignResult, GeneratorResult, Truncation};
use super::shift::{Crop, circular_error, cropped_error, fractional_shifts, integer_shifts};
use super::{Kind, Padding};
use crate::graph::operator::Torch;
use crate::measure::action::{Action, ActionError};
use crate::origin::Origin;
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::spectrum::{HalfSpectrum, Velocity};
use crate::symmetry::{Grid, GridKind};
use lie::Lie;
use timing::TIMED_CHANNELS;

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
        let run = Origin::here();
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
            run,
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
