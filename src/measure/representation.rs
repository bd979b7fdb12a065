//! Whether a network's channels carry a representation of the group, such as gradients that turn with the image.
//!
//! Beside the assumed action A on places, a matrix M over channels is fitted to Df\[A x\] ≈ A f + M f by least squares,
//! M = (Σ L fᵀ)(Σ f fᵀ)⁺ over all places of all images, and evaluated on data that it was not fitted to.

use std::time::Instant;

use indexmap::IndexMap;
use ndarray::{Array1, Array2, s};
use ndarray_linalg::{Eig, Eigh, UPLO};
use tch::{Device, Kind, Tensor};

use crate::graph::operator::Torch;
use crate::graph::{GraphError, Network, is_finite};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::statistics::median;
use crate::symmetry::{Combination, Grid, GridKind, Units};

use super::action::{ActionError, Actions};
use super::lee_error::LeeError;
use super::output::{ActionChoice, Output};
use super::output_action::{OutputAction, Place, choose, measured};
use super::representation_report::{Halves, REPRESENTATION_SCHEMA_VERSION, Representation, RepresentationReport};
use super::run::{Lie, Run};

/// How to measure.
#[derive(Clone, Debug)]
pub struct RepresentationOptions {
    /// How ∇ is taken.
    pub scheme: Scheme,
    /// What lies beyond the edge.
    pub boundary: Boundary,
    /// How positions are chosen.
    pub grid: GridKind,
    /// The unit of t.
    pub units: Units,
    /// How the places of the output move; none to choose by its shape.
    pub action: Option<ActionChoice>,
    /// The generators; none for all that have a name.
    pub generators: Vec<Combination>,
    /// Whether there is one image, whose sides are the halves.
    pub single: bool,
}

impl Default for RepresentationOptions {
    fn default() -> Self {
        Self {
            scheme: Scheme::Spectral,
            boundary: Boundary::Reflect,
            grid: GridKind::Tracked,
            units: Units::HalfWidth,
            action: None,
            generators: Vec::new(),
            single: false,
        }
    }
}

/// Why no representation was found.
#[derive(Debug, thiserror::Error)]
pub enum RepresentationError {
    /// The network cannot be measured.
    #[error(transparent)]
    Lee(#[from] LeeError),
    /// The output has no channels at places.
    #[error(
        "a representation on channels needs an output of channels at places, and its action is {0}: measure an inner value \
         that is a map or tokens by --at, or give --action image or tokens"
    )]
    NoPlaces(String),
    /// LAPACK failed.
    #[error("LAPACK cannot decompose the channels' products: {0}")]
    Linalg(#[from] ndarray_linalg::error::LinalgError),
}

impl From<GraphError> for RepresentationError {
    fn from(error: GraphError) -> Self {
        Self::Lee(error.into())
    }
}

impl From<ActionError> for RepresentationError {
    fn from(error: ActionError) -> Self {
        Self::Lee(error.into())
    }
}

impl From<tch::TchError> for RepresentationError {
    fn from(error: tch::TchError) -> Self {
        Self::Lee(error.into())
    }
}

/// Directions of the channels below this share of the largest carry rounding and no signal.
const RANK: f64 = 1e-12;
/// Channels whose M has its eigenvalues told, and is told itself.
const EIGENVALUES: usize = 256;
const PRINTED: usize = 64;

/// Sums over places of y yᵀ and the like, of y = Df\[A x\] with or without the assumed action, and f.
#[derive(Clone, Debug)]
struct Products {
    /// Σ y fᵀ.
    cross: Array2<f64>,
    /// Σ‖y‖².
    square: f64,
}

/// One half of the data.
#[derive(Clone, Debug)]
struct Half {
    /// Σ f fᵀ.
    gram: Array2<f64>,
    /// Per generator: with the assumed action taken off, and without.
    products: Vec<[Products; 2]>,
    /// Entries of y.
    entries: usize,
}

impl Half {
    fn new(channels: usize, generators: usize) -> Self {
        let zeros = || Array2::zeros((channels, channels));
        let none = || Products { cross: zeros(), square: 0.0 };
        Self { gram: zeros(), products: (0..generators).map(|_| [none(), none()]).collect(), entries: 0 }
    }

    fn joined(&self, other: &Self) -> Self {
        let sum = |a: &Products, b: &Products| Products { cross: &a.cross + &b.cross, square: a.square + b.square };
        let products = self.products.iter().zip(&other.products);
        Self {
            gram: &self.gram + &other.gram,
            products: products.map(|(a, b)| [sum(&a[0], &b[0]), sum(&a[1], &b[1])]).collect(),
            entries: self.entries + other.entries,
        }
    }

    /// Σ‖y − M f‖², which rounding may leave just below 0.
    fn left(&self, products: &Products, matrix: &Array2<f64>) -> f64 {
        let explained = 2.0 * (matrix * &products.cross).sum() - (matrix.dot(&self.gram) * matrix).sum();
        (products.square - explained).max(0.0)
    }
}

/// (Σ f fᵀ)⁺, without directions that are rounding.
fn inverse(gram: &Array2<f64>) -> Result<Array2<f64>, RepresentationError> {
    let (values, vectors) = gram.eigh(UPLO::Lower)?;
    let largest = values.iter().copied().fold(0.0, f64::max);
    let inverse: Array1<f64> = values.mapv(|value| if value > RANK * largest { 1.0 / value } else { 0.0 });
    Ok((&vectors * &inverse).dot(&vectors.t()))
}

/// The measurement of one network, image by image.
pub struct RepresentationMeter<'a> {
    network: &'a Network,
    options: RepresentationOptions,
    action: OutputAction,
    why: String,
    plane: Grid,
    actions: Actions,
    generators: Vec<Combination>,
    halves: Option<[Half; 2]>,
    images: usize,
    sweeps: Vec<f64>,
}

impl<'a> RepresentationMeter<'a> {
    /// Prepares the measurement of `network`.
    ///
    /// # Errors
    /// When input or output do not allow it.
    pub fn new(network: &'a Network, options: RepresentationOptions) -> Result<Self, RepresentationError> {
        network.check_moves()?;
        let input = network.input();
        let plane = input.layout.plane().ok_or_else(|| LeeError::NotAnImage(input.shape.clone()))?;
        let chosen = choose(network, Some(Output::Identity), options.action)?;
        if !matches!(chosen.action, OutputAction::Image(_) | OutputAction::Tokens(_)) {
            return Err(RepresentationError::NoPlaces(chosen.action.choice().to_string()));
        }
        let generators = if options.generators.is_empty() { Combination::all() } else { options.generators.clone() };
        Ok(Self {
            network,
            action: chosen.action,
            why: chosen.why,
            plane,
            actions: Actions::new(options.scheme, options.boundary, network.kind(), network.device()),
            generators,
            options,
            halves: None,
            images: 0,
            sweeps: Vec::new(),
        })
    }

    /// Takes up one image, `[1, input shape…]`, called `name` in messages.
    ///
    /// # Errors
    /// The network fails, or a value is not finite.
    pub fn measure(&mut self, x: &Tensor, name: &str) -> Result<(), RepresentationError> {
        let x = self.network.place(x)?;
        if !is_finite(&x)? {
            return Err(LeeError::not_finite("the input", name, "check the image or tensor").into());
        }
        let begun = Instant::now();
        let place = Place { grid: self.options.grid, units: self.options.units, input: self.plane };
        let grid = place.of(&self.plane);
        let mut tangents = Vec::new();
        for generator in &self.generators {
            tangents.push(self.actions.on(&grid)?.along(generator, &x)?);
        }
        let sweep = self.network.sweep(&x, &Tensor::f_stack(&tangents, 0)?)?;
        self.sweeps.push(begun.elapsed().as_secs_f64() * 1e3);
        if !is_finite(&sweep.tangent)? {
            let hint = "check the model's weights, or try --precision f64";
            return Err(LeeError::not_finite("the output's tangent", name, hint).into());
        }
        let value = self.places(&sweep.value)?;
        let (channels, columns) = (value.dim().0, self.columns());
        let mut halves =
            self.halves.take().unwrap_or_else(|| [(); 2].map(|()| Half::new(channels, self.generators.len())));
        let parts = self.parts(value.ncols(), columns);
        for (half, at) in halves.iter_mut().zip(&parts) {
            let f = value.select(ndarray::Axis(1), at);
            half.gram = &half.gram + &f.dot(&f.t());
            half.entries += f.len();
        }
        for (i, generator) in self.generators.clone().iter().enumerate() {
            let pushed = sweep.tangent.f_get(i as i64)?;
            let action = self.action.along(generator, &sweep.value, &mut self.actions, &place)?;
            let both = [self.places(&pushed.f_sub(&action)?)?, self.places(&pushed)?];
            for (half, at) in halves.iter_mut().zip(&parts) {
                let f = value.select(ndarray::Axis(1), at);
                for (products, y) in half.products[i].iter_mut().zip(&both) {
                    let y = y.select(ndarray::Axis(1), at);
                    products.cross = &products.cross + &y.dot(&f.t());
                    products.square += y.iter().map(|v| v * v).sum::<f64>();
                }
            }
        }
        self.halves = Some(halves);
        self.images += 1;
        Ok(())
    }

    /// The columns of the output's grid.
    fn columns(&self) -> usize {
        match &self.action {
            OutputAction::Image(grid) => grid.columns.samples,
            OutputAction::Tokens(map) => map.grid.columns.samples,
            _ => 1,
        }
    }

    /// The places of this image that belong to either half.
    fn parts(&self, places: usize, columns: usize) -> [Vec<usize>; 2] {
        if self.options.single {
            let (left, right) = (0..places).partition(|at| 2 * (at % columns) < columns);
            return [left, right];
        }
        let all: Vec<usize> = (0..places).collect();
        if self.images.is_multiple_of(2) { [all, Vec::new()] } else { [Vec::new(), all] }
    }

    /// `[1, shape…]` as `[channels, places]` in double precision.
    fn places(&self, value: &Tensor) -> Torch<Array2<f64>> {
        let value = match &self.action {
            OutputAction::Tokens(map) => map.gather(value)?,
            _ => value.shallow_clone(),
        };
        let size = value.size();
        let places = size[size.len() - 2] * size[size.len() - 1];
        let flat = value.f_reshape([-1, places])?.f_to_kind(Kind::Double)?.f_to_device(Device::Cpu)?;
        let channels = flat.size()[0] as usize;
        Array2::from_shape_vec((channels, places as usize), Vec::try_from(&flat.f_reshape([-1])?)?)
            .map_err(|error| tch::TchError::Torch(error.to_string()))
    }

    /// The result over the images so far, of the run that is described; none before the first.
    ///
    /// # Errors
    /// LAPACK fails.
    pub fn report(&self, run: Run, forward_ms: f64) -> Result<Option<RepresentationReport>, RepresentationError> {
        let Some([a, b]) = &self.halves else { return Ok(None) };
        let all = a.joined(b);
        let channels = all.gram.nrows();
        let inverses = [inverse(&a.gram)?, inverse(&b.gram)?, inverse(&all.gram)?];
        let mut generators = IndexMap::new();
        for (i, generator) in self.generators.iter().enumerate() {
            generators.insert(generator.name().to_owned(), found([a, b, &all], &inverses, i)?);
        }
        let options = &self.options;
        let lie =
            Lie { derivative: options.scheme, boundary: options.boundary, grid: options.grid, units: options.units };
        let output = measured(self.network, Output::Identity, &self.action, &self.why);
        Ok(Some(RepresentationReport {
            schema_version: REPRESENTATION_SCHEMA_VERSION,
            run: Run { lie: Some(lie), output: Some(output), ..run },
            channels,
            samples: all.entries / channels.max(1),
            halves: if options.single { Halves::Sides } else { Halves::Images },
            generators,
            timing: [forward_ms, median(self.sweeps.clone())],
        }))
    }
}

/// What there is of one generator in both halves and all data.
fn found(
    [a, b, all]: [&Half; 3],
    inverses: &[Array2<f64>; 3],
    at: usize,
) -> Result<Representation, RepresentationError> {
    let entries = all.entries.max(1) as f64;
    let fitted = |half: &Half, which: usize, inverse: usize| half.products[at][which].cross.dot(&inverses[inverse]);
    let held_out = |which: usize| {
        let on = |half: &Half, matrix: Array2<f64>| half.left(&half.products[at][which], &matrix);
        (on(b, fitted(a, which, 0)) + on(a, fitted(b, which, 1))) / entries
    };
    let matrix = fitted(all, 0, 2);
    let [with, without] = &all.products[at];
    let lee = with.square / entries;
    let left = held_out(0);
    let size: f64 = matrix.iter().map(|m| m * m).sum();
    let turning: f64 = (&matrix - &matrix.t()).iter().map(|m| m * m / 4.0).sum();
    let channels = matrix.nrows();
    let mut eigenvalues = Vec::new();
    if channels <= EIGENVALUES {
        eigenvalues = matrix.eig()?.0.iter().map(|value| [value.re, value.im]).collect::<Vec<_>>();
        let size = |[re, im]: &[f64; 2]| re.hypot(*im);
        eigenvalues.sort_by(|a, b| size(b).total_cmp(&size(a)).then(b[1].total_cmp(&a[1])));
    }
    let told = (channels <= PRINTED).then(|| (0..channels).map(|i| matrix.slice(s![i, ..]).to_vec()).collect());
    Ok(Representation {
        lee,
        held_out: left,
        fitted: all.left(with, &matrix) / entries,
        explained: (lee > 0.0).then(|| 1.0 - left / lee),
        still: without.square / entries,
        alone: held_out(1),
        antisymmetric: (size > 0.0).then(|| turning / size),
        eigenvalues,
        matrix: told,
    })
}
