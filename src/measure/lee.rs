//! The Lie derivative of a whole network and its error, LEE, in one sweep per batch of images.
//!
//! L = Df\[A x\] − A f(x) for the seven measured generators at once: their tangents share one primal. Everything else
//! (rotation, scale, any combination) is linear in these seven vectors.

mod class_scores;
mod horizon;
mod report;
mod sizes;
mod timing;

use std::time::Instant;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::graph::operator::{Differentiable, Point, Torch};
use crate::graph::ops::Softmax;
use crate::graph::{Bound, Network, Sweep, Value, is_finite};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::symmetry::{Combination, Generator, Grid, GridKind, MEASURED, Units};

use super::action::Actions;
use super::lee_report::{Horizon, Logits};
use super::output_action::{Chosen, Place, choose};
use super::subject::Subject;

use class_scores::ClassScores;
use sizes::quadratic;

pub use super::lee_error::LeeError;
pub use super::output::{ActionChoice, BoxFormat, Output};
pub use super::output_action::OutputAction;
pub use horizon::MOST_IMAGES as HORIZON_IMAGES;

/// How to measure.
#[derive(Clone, Debug)]
pub struct LeeOptions {
    /// How ∇ is taken.
    pub scheme: Scheme,
    /// What lies beyond the image's edge.
    pub boundary: Boundary,
    /// How positions are chosen.
    pub grid: GridKind,
    /// The unit of t.
    pub units: Units,
    /// What comes behind the network's output; none to choose by its shape.
    pub output: Option<Output>,
    /// What the group does to the output; none to choose by its shape.
    pub action: Option<ActionChoice>,
    /// The generators and combinations to report, for which alone tangents are swept; none for the measured generators and
    /// rotate, hyperbolic, scale.
    pub generators: Vec<Combination>,
    /// Whether the Lie derivatives themselves are kept.
    pub keep_vectors: bool,
    /// Per channel of the input, what one unit of it is in pixel values of 0 to 1; none where that is not known, and then
    /// `relative` and the symmetry spectrum are in units of the input.
    pub pixel_scale: Option<Vec<f64>>,
}

impl Default for LeeOptions {
    fn default() -> Self {
        Self {
            scheme: Scheme::Spectral,
            boundary: Boundary::Reflect,
            grid: GridKind::Tracked,
            units: Units::HalfWidth,
            output: None,
            action: None,
            generators: Vec::new(),
            keep_vectors: false,
            pixel_scale: None,
        }
    }
}

/// What comes behind a network's output.
struct Behind {
    value: Tensor,
    tangent: Tensor,
    lie: Tensor,
    /// The network's own output and its tangents, where they are class scores.
    scores: Option<(Tensor, Tensor)>,
}

/// What a sweep found of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeeImage {
    /// G = L Lᵀ/dim, upper and lower.
    gram: [[f64; 7]; 7],
    /// ⟨A_i x, A_j x⟩/dim(x), of pixel values where their scale is known; 0 where A_i x is rounding.
    input_gram: [[f64; 7]; 7],
    /// ‖f(x)‖²/dim and the largest of ‖Df\[A_i x\]‖²/dim, t in half-widths.
    change: [f64; 2],
    /// The class with the largest score; none where the output is no vector of classes.
    top: Option<usize>,
    /// Mean |L| per generator that is reported.
    mean_abs: Vec<f64>,
    /// Of a classifier.
    scores: Option<ClassScores>,
    /// What the sweep took, in milliseconds per image.
    sweep_ms: f64,
    /// The values and L, where they are kept.
    vectors: Option<[Entries; 2]>,
}

/// A tensor's entries, in its own precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Entries {
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl Entries {
    fn of(x: &Tensor) -> Torch<Self> {
        let flat = x.f_to_device(tch::Device::Cpu)?.f_reshape([-1])?;
        match x.kind() {
            Kind::Double => Vec::try_from(&flat).map(Self::Double),
            _ => Vec::try_from(&flat).map(Self::Single),
        }
    }

    fn tensor(&self, shape: &[i64]) -> Torch<Tensor> {
        match self {
            Self::Single(entries) => Tensor::f_from_slice(entries)?.f_reshape(shape),
            Self::Double(entries) => Tensor::f_from_slice(entries)?.f_reshape(shape),
        }
    }
}

/// The measurement of one network, image by image.
pub struct LeeMeter<'a> {
    network: Subject<'a>,
    options: LeeOptions,
    output: Output,
    output_action: OutputAction,
    why: String,
    input_grid: Grid,
    actions: Actions,
    /// What is reported.
    generators: Vec<Combination>,
    /// The measured generators that what is reported is made of, in their order.
    swept: Vec<Generator>,
    images: Vec<LeeImage>,
    /// Where it was asked for: the horizon, or why there is none.
    horizon: Option<Result<Horizon, String>>,
    /// What one unit of the input's channels is in pixel values, `[channels, 1, 1]`.
    pixel_scale: Option<Tensor>,
}

impl<'a> LeeMeter<'a> {
    /// Prepares the measurement of `network`.
    ///
    /// # Errors
    /// When input or output do not allow it; so for the other methods.
    pub fn new(network: &'a Network, options: LeeOptions) -> Result<Self, LeeError> {
        Self::on(Subject::Borrowed(network), options)
    }

    /// As [`new`](Self::new), of a network that may be the meter's own.
    pub(super) fn on(network: Subject<'a>, options: LeeOptions) -> Result<Self, LeeError> {
        network.check_moves()?;
        let input = network.input();
        let input_grid = input.layout.plane().ok_or_else(|| LeeError::NotAnImage(input.shape.clone()))?;
        let Chosen { output, action: output_action, why } = choose(&network, options.output, options.action)?;
        let asked = if options.generators.is_empty() { Combination::all() } else { options.generators.clone() };
        // What is asked for twice is reported once.
        let mut generators: Vec<Combination> = Vec::new();
        for combination in asked {
            if !generators.iter().any(|known| known.name() == combination.name()) {
                generators.push(combination);
            }
        }
        let is_part = |generator: &Generator| generators.iter().any(|c| c.coefficient(*generator) != 0.0);
        let swept = MEASURED.into_iter().filter(is_part).collect();
        let pixel_scale = match &options.pixel_scale {
            Some(scale) => Some(Tensor::f_from_slice(scale)?.f_view([-1, 1, 1])?.f_to_device(network.device())?),
            None => None,
        };
        Ok(Self {
            actions: Actions::new(options.scheme, options.boundary, network.kind(), network.device()),
            network,
            output,
            output_action,
            why,
            input_grid,
            pixel_scale,
            generators,
            swept,
            options,
            images: Vec::new(),
            horizon: None,
        })
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// What is measured behind the network's output.
    pub fn output(&self) -> Output {
        self.output
    }

    /// What the group does to the output.
    pub fn output_action(&self) -> &OutputAction {
        &self.output_action
    }

    /// Why both are as they are, in a sentence or two.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// A grid in the options' kind and units.
    fn placed(&self, grid: &Grid) -> Grid {
        grid.placed(self.options.grid, self.options.units, &self.input_grid)
    }

    /// A_i x for all measured generators: `[7, …]` in front of `x`'s own shape.
    pub fn input_tangents(&mut self, x: &Tensor) -> Result<Tensor, LeeError> {
        let grid = self.placed(&self.input_grid);
        Ok(self.actions.on(&grid)?.all(&self.network.place(x)?)?)
    }

    /// A x along one combination: `[1, …]` in front of `x`'s own shape.
    pub fn input_tangent(&mut self, x: &Tensor, along: &Combination) -> Result<Tensor, LeeError> {
        let grid = self.placed(&self.input_grid);
        Ok(self.actions.on(&grid)?.along(along, &self.network.place(x)?)?.f_unsqueeze(0)?)
    }

    /// The measured function's value, and L along one combination, `[1, images, output shape…]`, from what a sweep with
    /// [`input_tangent`](Self::input_tangent) gave.
    pub fn along(&mut self, sweep: Sweep, along: &Combination) -> Result<(Tensor, Tensor), LeeError> {
        let behind = self.behind(sweep, Some(along))?;
        Ok((behind.value, behind.lie))
    }

    /// The measured function's value, its tangent, and L: the tangent less what the group does to the value, along a
    /// combination or every measured generator.
    fn behind(&mut self, Sweep { value, tangent }: Sweep, along: Option<&Combination>) -> Result<Behind, LeeError> {
        let scores = self.logits().map(|_| (value.shallow_clone(), tangent.shallow_clone()));
        let (value, tangent) = match self.output {
            Output::Softmax => softmax_tangent(&value, &tangent)?,
            Output::Logits | Output::Identity => (value, tangent),
        };
        let place = Place { grid: self.options.grid, units: self.options.units, input: self.input_grid };
        let lie = match (&self.output_action, along) {
            (OutputAction::None, _) => tangent.shallow_clone(),
            (OutputAction::Image(grid), None) => {
                tangent.f_sub(&self.actions.on(&place.of(grid))?.each(&self.swept, &value)?)?
            }
            (action, Some(along)) => tangent.f_sub(&action.along(along, &value, &mut self.actions, &place)?)?,
            (action, None) => {
                let each = self
                    .swept
                    .iter()
                    .map(|generator| action.along(&Combination::single(*generator), &value, &mut self.actions, &place));
                tangent.f_sub(&Tensor::f_stack(&each.collect::<Result<Vec<_>, _>>()?, 0)?)?
            }
        };
        Ok(Behind { value, tangent, lie, scores })
    }

    /// L for `x` of shape `[images, input shape…]`, under the swept generators: `[7, images, output shape…]` where all are.
    pub fn lie_derivatives(&mut self, x: &Tensor) -> Result<Tensor, LeeError> {
        let input = self.input(&self.network.place(x)?)?;
        Ok(self.derivatives_of(&input, x.size()[0])?.lie)
    }

    /// x and A_i x for all swept generators, as a sweep takes them.
    fn input(&mut self, x: &Tensor) -> Result<Value, LeeError> {
        let grid = self.placed(&self.input_grid);
        let stack = self.actions.on(&grid)?.stack(&self.swept, x, self.network.memory_format())?;
        Ok(Value { stack, tangents: self.swept.len() as i64 })
    }

    fn derivatives_of(&mut self, input: &Value, images: i64) -> Result<Behind, LeeError> {
        let sweep = self.network.sweep_stack(input, images)?;
        self.behind(sweep, None)
    }

    /// Measures a batch of images, `[images, input shape…]`, called `names` in messages.
    pub fn measure(&mut self, x: &Tensor, names: &[String]) -> Result<(), LeeError> {
        let found = self.find(x, names)?;
        self.take(found);
        Ok(())
    }

    /// Takes up images that [`find`](Self::find) measured, now or in an earlier run.
    pub fn take(&mut self, images: Vec<LeeImage>) {
        self.images.extend(images);
    }

    /// What a sweep finds of a batch of images, `[images, input shape…]`, called `names` in messages.
    pub fn find(&mut self, x: &Tensor, names: &[String]) -> Result<Vec<LeeImage>, LeeError> {
        Self::find_each(std::slice::from_mut(self), x, names).map(|found| found.into_iter().flatten().collect())
    }

    /// The same of several meters of one network that differ in nothing but what they measure behind its output: one sweep
    /// is for all of them.
    pub fn find_each(meters: &mut [Self], x: &Tensor, names: &[String]) -> Result<Vec<Vec<LeeImage>>, LeeError> {
        let Some(first) = meters.first_mut() else { return Ok(Vec::new()) };
        let x = first.network.place(x)?;
        if !is_finite(&x)? {
            return Err(first.not_finite("the input", names, "check the image or tensor"));
        }
        let start = Instant::now();
        let images = x.size()[0];
        let input = first.input(&x)?;
        let swept = first.network.sweep_stack(&input, images)?;
        let find = |meter: &mut Self| {
            let swept = Sweep { value: swept.value.shallow_clone(), tangent: swept.tangent.shallow_clone() };
            meter.found(&x, &input, swept, names, start)
        };
        meters.iter_mut().map(find).collect()
    }

    /// What is found of images `x`, where `input` is x and A x, and `swept` what the network makes of it since `start`.
    fn found(
        &mut self,
        x: &Tensor,
        input: &Value,
        swept: Sweep,
        names: &[String],
        start: Instant,
    ) -> Result<Vec<LeeImage>, LeeError> {
        let images = x.size()[0];
        let Behind { value, tangent, lie, scores } = self.behind(swept, None)?;
        if !is_finite(&lie)? {
            let hint = "check the model's weights, or try --precision f64";
            return Err(self.not_finite("the Lie derivative", names, hint));
        }
        let sweep_ms = start.elapsed().as_secs_f64() * 1e3 / images as f64;
        tracing::debug!(images = ?names, seconds = start.elapsed().as_secs_f64(), "swept");
        let dx = input.tangents_from(images, 0, input.tangents)?.f_unflatten(0, [input.tangents, images])?;
        let places: Vec<usize> = self.swept.iter().map(|generator| generator.index()).collect();
        let mut found = Vec::new();
        for image in 0..images {
            let scores = match (&scores, self.logits()) {
                (Some((output, tangents)), Some(logits)) => {
                    let (output, tangents) = (output.f_get(image)?, tangents.f_select(1, image)?);
                    Some(ClassScores::of(&output, &tangents, &places, logits)?)
                }
                _ => None,
            };
            let (value, lie) = (value.f_narrow(0, image, 1)?, lie.f_narrow(1, image, 1)?);
            let sizes = self.sizes(&x.f_get(image)?, &dx.f_select(1, image)?, &lie.f_squeeze_dim(1)?)?;
            let vectors = match self.options.keep_vectors {
                true => Some([Entries::of(&value)?, Entries::of(&lie)?]),
                false => None,
            };
            let value = value.f_squeeze_dim(0)?;
            found.push(LeeImage {
                gram: sizes.gram,
                input_gram: sizes.input_gram,
                change: self.change(&value, &tangent.f_select(1, image)?)?,
                top: self.top_class(&value)?,
                mean_abs: sizes.mean_abs,
                scores,
                sweep_ms,
                vectors,
            });
        }
        Ok(found)
    }

    /// The classes that the network has scores for; none where its output is no vector of classes.
    pub fn classes(&self) -> Option<usize> {
        self.network.classes()
    }

    /// What the logits of a classifier are: its output's entries where softmax comes behind them or they are measured as
    /// they are, the logarithms where the network ends in a softmax itself. None of an output that is no vector of class
    /// scores or moves.
    fn logits(&self) -> Option<Logits> {
        if self.classes().is_none() || self.output_action != OutputAction::None {
            return None;
        }
        match (self.output, self.network.bound()) {
            (Output::Softmax, _) => Some(Logits::Output),
            (_, Some(Bound::Simplex)) => Some(Logits::LogProbabilities),
            (Output::Logits, _) => Some(Logits::Output),
            (Output::Identity, _) => None,
        }
    }

    /// Whether a Fisher LEE is found beside LEE.
    pub fn has_fisher(&self) -> bool {
        self.logits().is_some()
    }

    fn top_class(&self, value: &Tensor) -> Torch<Option<usize>> {
        if self.classes().is_none() {
            return Ok(None);
        }
        Ok(usize::try_from(value.f_reshape([-1])?.f_argmax(-1, false)?.f_int64_value(&[])?).ok())
    }

    fn not_finite(&self, what: &'static str, names: &[String], hint: &'static str) -> LeeError {
        LeeError::NotFinite { what, image: names.join("', '"), hint }
    }

    /// How many images have been measured.
    pub fn images(&self) -> usize {
        self.images.len()
    }

    /// The measured function's values, `[images, output shape…]`, and L, `[swept generators, images, output shape…]`, of
    /// every image,
    /// where they were kept; in the run's precision.
    pub fn vectors(&self) -> Torch<Option<(Tensor, Tensor)>> {
        let (mut values, mut vectors) = (Vec::new(), Vec::new());
        let shape = self.network.output().shape.as_slice();
        for [value, lie] in self.images.iter().filter_map(|image| image.vectors.as_ref()) {
            values.push(value.tensor(&[&[1], shape].concat())?);
            vectors.push(lie.tensor(&[&[self.swept.len() as i64, 1], shape].concat())?);
        }
        match values.is_empty() {
            true => Ok(None),
            false => Ok(Some((Tensor::f_cat(&values, 0)?, Tensor::f_cat(&vectors, 1)?))),
        }
    }

    /// The generators and combinations that are reported.
    pub fn generators(&self) -> &[Combination] {
        &self.generators
    }

    /// The measured generators that those are made of: what a sweep carries a tangent for.
    pub fn swept(&self) -> &[Generator] {
        &self.swept
    }
}

/// Softmax over the last axis, with its tangent.
pub(super) fn softmax_tangent(value: &Tensor, tangent: &Tensor) -> Torch<(Tensor, Tensor)> {
    let softmax = Softmax::along(-1);
    let y = softmax.forward(&[value])?;
    let dy = softmax.tangent(&Point { x: &[value], y: &y, dx: &[Some(tangent.shallow_clone())] })?;
    match (y.into_iter().next(), dy.into_iter().next()) {
        (Some(y), Some(dy)) => Ok((y, dy)),
        _ => Err(tch::TchError::Torch("softmax has no output".into())),
    }
}
