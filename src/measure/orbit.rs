//! What a finite translation of the image does to the output, layer by layer: the Lie derivative integrated along the way.
//!
//! With x_t = g_t x the image moved by t, and y_t = g_{−t} f(x_t) the output moved back,
//!
//! ```text
//! y_T − y_0 = ∫₀ᵀ g_{−t} Σ_v J δ_v(x_t) dt + ∫₀ᵀ g_{−t} Df[ẋ_t − A x_t] dt + ∫₀ᵀ (g_{−t} A y − ∂_t g_{−t} y) dt
//! ```
//!
//! exactly: the defects of the layers, and what happens at the edges. x_t is the band-limited interpolant moved, of the
//! image's own period or of its even extension; with the latter the moved image is no even extension, so that its derivative
//! ẋ_t is not A x_t near the edge. An output that is an image is moved back in the same way. On the torus both edges'
//! terms are zero, but for the Nyquist harmonic of even axes.

use tch::{Device, Kind, Tensor};

use crate::graph::operator::Torch;
use crate::graph::{GraphError, Network, is_finite};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::spectrum::quadrature::gauss_legendre;
use crate::spectrum::translation::translation;
use crate::symmetry::{Generator, Grid, Orbit};

use super::action::{ActionError, Actions};
use super::layers::{LayerMeter, LayersError, LayersOptions, SplitBy};
use super::lee::softmax_tangent;
use super::lee_error::LeeError;
use super::orbit_report::{OrbitImage, OrbitNames, OrbitPath, OrbitReport};
use super::output::Output;
use super::output_action::{OutputAction, Place, measured};
use super::run::{Lie, Run};

/// Why an orbit was not followed.
#[derive(Debug, thiserror::Error)]
pub enum OrbitError {
    /// The layers' errors cannot be found.
    #[error(transparent)]
    Layers(#[from] LayersError),
    /// Another derivative does not belong to the motion.
    #[error("--orbit moves the band-limited image, whose derivative is the spectral one: leave --derivative {0} out")]
    Scheme(Scheme),
    /// The output moves in a way that has no inverse here.
    #[error(
        "--orbit moves back outputs that are images or stay as they are, not --action {0}: give --action none or image, or \
         measure an inner value that is an image by --at"
    )]
    Action(String),
}

impl From<LeeError> for OrbitError {
    fn from(error: LeeError) -> Self {
        Self::Layers(error.into())
    }
}

impl From<GraphError> for OrbitError {
    fn from(error: GraphError) -> Self {
        Self::Layers(error.into())
    }
}

impl From<ActionError> for OrbitError {
    fn from(error: ActionError) -> Self {
        Self::Layers(error.into())
    }
}

impl From<tch::TchError> for OrbitError {
    fn from(error: tch::TchError) -> Self {
        Self::Layers(error.into())
    }
}

/// The names of the edges' contributions.
const EDGES: [&str; 2] = ["edge of the image", "edge of the output"];

/// The motion of maps on one grid.
struct Mover {
    samples: [usize; 2],
    /// Samples per unit of t along x and y.
    speed: [f64; 2],
    boundary: Boundary,
    kind: (Kind, Device),
}

/// A motion by one t, and its derivative by t: matrices that act on columns and on rows.
struct Moved {
    value: [Tensor; 2],
    slope: [Tensor; 2],
    speed: [f64; 2],
}

impl Mover {
    fn at(&self, t: f64) -> Torch<Moved> {
        let axis = |axis: usize| -> Torch<[Tensor; 2]> {
            let n = self.samples[axis] as i64;
            let matrices = translation(self.samples[axis], self.speed[axis] * t, self.boundary);
            let tensor = |matrix: &ndarray::Array2<f64>| {
                let entries: Vec<f64> = matrix.iter().copied().collect();
                Tensor::f_from_slice(&entries)?.f_view([n, n])?.f_to_kind(self.kind.0)?.f_to_device(self.kind.1)
            };
            Ok([tensor(&matrices[0])?, tensor(&matrices[1])?])
        };
        let ([x, dx], [y, dy]) = (axis(0)?, axis(1)?);
        Ok(Moved { value: [x, y], slope: [dx, dy], speed: self.speed })
    }
}

impl Moved {
    fn along(h: &Tensor, x: &Tensor, y: &Tensor) -> Torch<Tensor> {
        y.f_matmul(&h.f_matmul(&x.f_transpose(0, 1)?)?)
    }

    /// h moved, `[…, rows, columns]`.
    fn value(&self, h: &Tensor) -> Torch<Tensor> {
        Self::along(h, &self.value[0], &self.value[1])
    }

    /// The derivative by t of what moves h.
    fn slope(&self, h: &Tensor) -> Torch<Tensor> {
        let x = Self::along(h, &self.slope[0], &self.value[1])?.f_mul_scalar(self.speed[0])?;
        let y = Self::along(h, &self.value[0], &self.slope[1])?.f_mul_scalar(self.speed[1])?;
        x.f_add(&y)
    }
}

/// What is read of the output.
enum Reading {
    /// The score of one class less that of another.
    Margin(i64, i64),
    /// The part along a unit vector.
    Along(Tensor),
}

/// The classes at both ends, and the one that the margin is held against.
struct Ends {
    top: [usize; 2],
    against: usize,
}

impl Reading {
    /// Of vectors `[…, entries]` in double precision.
    fn of(&self, vectors: &Tensor) -> Torch<Tensor> {
        match self {
            Self::Margin(class, against) => vectors.f_select(-1, *class)?.f_sub(&vectors.f_select(-1, *against)?),
            Self::Along(unit) => vectors.f_matmul(unit),
        }
    }
}

/// Follows one network along one orbit, image by image.
pub struct OrbitMeter<'a> {
    network: &'a Network,
    meter: LayerMeter<'a>,
    options: LayersOptions,
    orbit: Orbit,
    /// t and weight of each node.
    nodes: Vec<[f64; 2]>,
    grid: Grid,
    input: Mover,
    output: Option<Mover>,
    names: OrbitNames,
    images: Vec<OrbitImage>,
}

impl<'a> OrbitMeter<'a> {
    /// Prepares the orbit of `network`; of the options the generator is the orbit's, nothing is split, and class scores are
    /// taken as they are unless an output was asked for.
    ///
    /// # Errors
    /// When input, output or options do not allow it.
    pub fn new(network: &'a Network, orbit: Orbit, options: LayersOptions) -> Result<Self, OrbitError> {
        if options.scheme != Scheme::Spectral {
            return Err(OrbitError::Scheme(options.scheme));
        }
        let units = orbit.units.unwrap_or(options.units);
        let mut options =
            LayersOptions { generator: orbit.generator.clone(), split: SplitBy::Nothing, units, ..options };
        let mut meter = LayerMeter::new(network, options.clone())?;
        if options.output.is_none() && meter.output() == Output::Softmax {
            options.output = Some(Output::Logits);
            meter = LayerMeter::new(network, options.clone())?;
        }
        let plane =
            network.input().layout.plane().ok_or_else(|| LeeError::NotAnImage(network.input().shape.clone()))?;
        let place = Place { grid: options.grid, units, input: plane };
        let kind = (network.kind(), network.device());
        let boundary = options.boundary;
        let mover = |grid: &Grid| Mover {
            samples: [grid.columns.samples, grid.rows.samples],
            speed: [
                orbit.generator.coefficient(Generator::TranslateX) / grid.columns.pitch,
                orbit.generator.coefficient(Generator::TranslateY) / grid.rows.pitch,
            ],
            boundary,
            kind,
        };
        let output = match meter.output_action() {
            OutputAction::None => None,
            OutputAction::Image(grid) => Some(Mover { kind: (Kind::Double, kind.1), ..mover(&place.of(grid)) }),
            other => return Err(OrbitError::Action(other.choice().to_string())),
        };
        let grid = place.of(&plane);
        let (places, weights) = gauss_legendre(orbit.nodes);
        let half = orbit.distance / 2.0;
        let mut nodes: Vec<[f64; 2]> = places.iter().zip(weights).map(|(x, w)| [half * (1.0 + x), half * w]).collect();
        nodes.sort_by(|a, b| a[0].abs().total_cmp(&b[0].abs()));
        let layers = meter.layer_classes().map(|(name, class)| (name.to_owned(), Some(class)));
        let names = layers.chain(EDGES.map(|edge| (edge.to_owned(), None))).collect();
        Ok(Self { network, input: mover(&grid), meter, options, orbit, nodes, grid, output, names, images: Vec::new() })
    }

    /// What is found of one image, `[1, input shape…]`, with so many nodes in each sweep; `progress` hears how many nodes are
    /// done.
    ///
    /// # Errors
    /// The network fails, or a value is not finite.
    pub fn find(
        &self,
        x: &Tensor,
        name: &str,
        at_once: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<OrbitImage, OrbitError> {
        let x = self.network.place(x)?;
        if !is_finite(&x)? {
            return Err(LeeError::not_finite("the input", name, "check the image or tensor").into());
        }
        tch::no_grad(|| self.follow(&x, name, at_once, progress))
    }

    fn follow(
        &self,
        x: &Tensor,
        name: &str,
        at_once: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<OrbitImage, OrbitError> {
        let ends = [self.end(x, 0.0)?, self.end(x, self.orbit.distance)?];
        if !is_finite(&ends[0])? || !is_finite(&ends[1])? {
            let hint = "check the model's weights, or try --precision f64";
            return Err(LeeError::not_finite("the output", name, hint).into());
        }
        let change = ends[1].f_sub(&ends[0])?;
        let square = change.f_square()?.f_sum(None::<Kind>)?.f_double_value(&[])?;
        let (reading, classes) = self.reading(&ends, &change, square)?;
        let scalar = |y: &Tensor| reading.of(y)?.f_double_value(&[]);
        let mut image = OrbitImage {
            top: classes.as_ref().map(|ends| ends.top),
            against: classes.as_ref().map(|ends| ends.against),
            scalar: [scalar(&ends[0])?, scalar(&ends[1])?],
            square,
            slopes: vec![Vec::new(); self.names.len()],
            ..OrbitImage::default()
        };
        let mut actions =
            Actions::new(Scheme::Spectral, self.options.boundary, self.network.kind(), self.network.device());
        let mut sum = Tensor::f_zeros([self.names.len() as i64, change.size()[0]], (Kind::Double, change.device()))?;
        let mut done = 0;
        for nodes in self.nodes.chunks(at_once.max(1)) {
            let found = self.at_nodes(x, nodes, &mut actions)?;
            for ([_, weight], (value, vectors)) in nodes.iter().zip(found) {
                image.along.push(scalar(&value)?);
                let slopes = Vec::<f64>::try_from(&reading.of(&vectors)?.f_to_device(Device::Cpu)?)?;
                image.slopes.iter_mut().zip(slopes).for_each(|(slopes, slope)| slopes.push(slope));
                sum = sum.f_add(&vectors.f_mul_scalar(*weight)?)?;
            }
            done += nodes.len();
            progress(done, self.nodes.len());
        }
        if !is_finite(&sum)? {
            let hint = "check the model's weights, or try --precision f64";
            return Err(LeeError::not_finite("the Lie derivative along the orbit", name, hint).into());
        }
        let vector = |t: Tensor| Vec::<f64>::try_from(&t.f_to_device(Device::Cpu)?);
        image.parts = vector(reading.of(&sum)?)?;
        let squares = vector(sum.f_square()?.f_sum_dim_intlist([-1].as_slice(), false, None::<Kind>)?)?;
        let products = vector(sum.f_matmul(&change)?)?;
        image.products = squares.into_iter().zip(products).map(|(square, product)| [square, product]).collect();
        let rest = change.f_sub(&sum.f_sum_dim_intlist([0].as_slice(), false, None::<Kind>)?)?;
        image.rest = rest.f_square()?.f_sum(None::<Kind>)?.f_double_value(&[])?;
        Ok(image)
    }

    /// y_t, flat and in double precision.
    fn end(&self, x: &Tensor, t: f64) -> Result<Tensor, OrbitError> {
        let moved = if t == 0.0 { x.shallow_clone() } else { self.input.at(t)?.value(x)? };
        let y = self.network.forward(&moved)?;
        let y = match self.meter.output() {
            Output::Softmax => y.f_softmax(-1, None::<Kind>)?,
            Output::Logits | Output::Identity => y,
        };
        let y = y.f_to_kind(Kind::Double)?;
        let y = match &self.output {
            Some(mover) if t != 0.0 => mover.at(-t)?.value(&y)?,
            _ => y,
        };
        Ok(y.f_reshape([-1])?)
    }

    /// What is read of the output, and the classes at both ends.
    fn reading(&self, ends: &[Tensor; 2], change: &Tensor, square: f64) -> Result<(Reading, Option<Ends>), OrbitError> {
        let is_classes =
            self.network.classes().is_some() && matches!(self.meter.output(), Output::Softmax | Output::Logits);
        if !is_classes {
            let unit = if square > 0.0 { change.f_div_scalar(square.sqrt())? } else { change.f_zeros_like()? };
            return Ok((Reading::Along(unit), None));
        }
        let largest = |y: &Tensor| y.f_argmax(-1, false)?.f_int64_value(&[]);
        let [before, after] = [largest(&ends[0])?, largest(&ends[1])?];
        let against = match before == after {
            false => after,
            true => {
                let others = ends[0].copy();
                let _ = others.f_get(before)?.f_fill_(f64::NEG_INFINITY)?;
                largest(&others)?
            }
        };
        let [first, last, other] = [before, after, against].map(|class| class.unsigned_abs() as usize);
        Ok((Reading::Margin(before, against), Some(Ends { top: [first, last], against: other })))
    }

    /// At each of these nodes y_t, and its derivative by each layer and edge, `[layers and edges, entries]`: flat and in
    /// double precision.
    fn at_nodes(
        &self,
        x: &Tensor,
        nodes: &[[f64; 2]],
        actions: &mut Actions,
    ) -> Result<Vec<(Tensor, Tensor)>, OrbitError> {
        let moved = nodes.iter().map(|[t, _]| self.input.at(*t)).collect::<Torch<Vec<_>>>()?;
        let each = |of: &dyn Fn(&Moved) -> Torch<Tensor>| -> Torch<Tensor> {
            Tensor::f_cat(&moved.iter().map(of).collect::<Torch<Vec<_>>>()?, 0)
        };
        let (x_t, slope) = (each(&|moved| moved.value(x))?, each(&|moved| moved.slope(x))?);
        let (_, pushed) = self.meter.vectors(&x_t)?;
        // What comes in at the edge.
        let action = actions.on(&self.grid)?.along(&self.options.generator, &x_t)?;
        let sweep = self.network.sweep(&x_t, &slope.f_sub(&action)?.f_unsqueeze(0)?)?;
        let (value, edge) = match self.meter.output() {
            Output::Softmax => softmax_tangent(&sweep.value, &sweep.tangent)?,
            Output::Logits | Output::Identity => (sweep.value, sweep.tangent),
        };
        let vectors = Tensor::f_cat(&[&pushed, &edge], 0)?.f_to_kind(Kind::Double)?;
        let value = value.f_to_kind(Kind::Double)?;
        let own = match &self.output {
            Some(_) => {
                let place = Place { grid: self.options.grid, units: self.options.units, input: self.plane()? };
                let mut actions = Actions::new(Scheme::Spectral, self.options.boundary, Kind::Double, value.device());
                self.meter.output_action().along(&self.options.generator, &value, &mut actions, &place)?
            }
            None => value.f_zeros_like()?,
        };
        let mut found = Vec::new();
        for (at, [t, _]) in nodes.iter().enumerate() {
            let pick = |tensor: &Tensor, axis: i64| tensor.f_select(axis, at as i64);
            let (y, vectors, own) = (pick(&value, 0)?, pick(&vectors, 1)?, pick(&own, 0)?);
            let (y, vectors, last) = match &self.output {
                Some(mover) => {
                    let back = mover.at(-t)?;
                    (back.value(&y)?, back.value(&vectors)?, back.value(&own)?.f_sub(&back.slope(&y)?)?)
                }
                None => (y, vectors, own),
            };
            let all = Tensor::f_cat(&[&vectors, &last.f_unsqueeze(0)?], 0)?;
            found.push((y.f_reshape([-1])?, all.f_flatten(1, -1)?));
        }
        Ok(found)
    }

    fn plane(&self) -> Result<Grid, LeeError> {
        let input = self.network.input();
        input.layout.plane().ok_or_else(|| LeeError::NotAnImage(input.shape.clone()))
    }

    /// Takes up what [`find`](Self::find) found, now or in an earlier run.
    pub fn take(&mut self, image: OrbitImage) {
        self.images.push(image);
    }

    /// The result over the images so far: of the run that is described, with the times in milliseconds that
    /// forward passes and orbits took.
    pub fn report(&self, run: Run, times: [Vec<f64>; 2]) -> OrbitReport {
        let options = &self.options;
        let lie =
            Lie { derivative: options.scheme, boundary: options.boundary, grid: options.grid, units: options.units };
        let output = measured(self.network, self.meter.output(), self.meter.output_action(), self.meter.why());
        let path = OrbitPath {
            generator: self.orbit.generator.name().to_owned(),
            distance: self.orbit.distance,
            pixels: self.input.speed.map(|speed| speed * self.orbit.distance),
            nodes: self.nodes.iter().map(|[t, _]| *t).collect(),
        };
        let dim = self.network.output().shape.iter().product::<i64>().unsigned_abs() as usize;
        let run = Run { lie: Some(lie), output: Some(output), ..run };
        OrbitReport::of(run, path, &self.names, dim, self.images.clone(), times)
    }
}
