//! The aliasing theorem on the nodes of a real network: the defect predicted from Fourier coefficients beside the
//! defect measured, on the node's real input feature maps.
//!
//! Everything happens on the torus: the feature map wraps around, ∇ is the periodic spectral derivative in lengths of
//! the torus, and v is a translation. *Measured* is δ = Dop\[v·∇h\] − v·∇(op h), computed with the network's own
//! operators. *Predicted* never runs the operator on its grid: for convolutions and average pooling it comes from the
//! weights and the transform of h; for activations and max-pooling from the harmonics of σ(h) on a finer grid.

use std::time::Instant;

use ndarray::{Array2, Array3, Array4};
use tch::{Kind, Tensor};

use crate::graph::layout::{Layout, SiteMap};
use crate::graph::operator::{Differentiable, Elementwise, Operator, Point, Torch};
use crate::graph::ops::MaxPool;
use crate::graph::window::{Taps, Window};
use crate::graph::{GraphError, Network, Step};
use crate::spectrum::alias::{GridSize, Wave};
use crate::spectrum::convolution::{ConvolutionError, ConvolutionShape, convolve};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::spectrum::half_spectrum::HalfSpectrum;
use crate::spectrum::strided::{StridedError, strided_defect};
use crate::spectrum::transform::TransformError;
use crate::spectrum::velocity::Velocity;
use crate::symmetry::{Axis, Generator, Grid};

use super::action::{Action, ActionError};
use super::composite::Composite;
use super::node_theorem_report::{Fold, FoldMap, NodeTheorem, NodeTheorems, Skipped, Truncation};

/// How to check the theorem.
#[derive(Clone, Debug)]
pub struct NodeTheoremOptions {
    /// v, in lengths of the torus.
    pub velocity: Velocity,
    /// The finest grid for nonlinear nodes, as a multiple of the node's own; 2 or more.
    pub oversample: usize,
    /// Only nodes whose name contains this.
    pub pattern: Option<String>,
}

/// Why the theorem could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum NodeTheoremError {
    /// The network failed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The derivative failed.
    #[error(transparent)]
    Action(#[from] ActionError),
    /// A transform failed.
    #[error(transparent)]
    Transform(#[from] TransformError),
    /// A stride does not fit.
    #[error(transparent)]
    Strided(#[from] StridedError),
    /// Weights do not fit.
    #[error(transparent)]
    Convolution(#[from] ConvolutionError),
    /// libtorch refused.
    #[error("{}", crate::graph::in_words(.0))]
    Torch(#[from] tch::TchError),
    /// Prediction and measurement cannot be compared; a defect.
    #[error(
        "the predicted field has {predicted} channels and the measured one {measured}, which is a defect of aliascope"
    )]
    Channels {
        /// Of the prediction.
        predicted: usize,
        /// Of the measurement.
        measured: usize,
    },
    /// No node matches.
    #[error("no node that can alias has '{pattern}' in its name; near are {near}")]
    NoNode {
        /// What was asked for.
        pattern: String,
        /// Names of such nodes.
        near: String,
    },
}

/// What can alias at a node.
enum Source<'a> {
    Convolution(Taps<'a>),
    Maximum(&'a Window),
    /// One function of every entry.
    Pointwise(&'a dyn Elementwise),
    /// Nodes that are together a function of every entry, or one node with a function per channel.
    Composite(Composite<'a>),
}

/// A node to check.
struct Candidate<'a> {
    /// Its place in the order of the network.
    at: usize,
    /// The node, or the last of those that belong together.
    step: &'a Step,
    /// The value that it reads.
    input: usize,
    source: Source<'a>,
}

impl<'a> Candidate<'a> {
    fn all(network: &'a Network) -> Vec<Self> {
        let mut found = Vec::new();
        let mut covered: Vec<*const Step> = Vec::new();
        for composite in Composite::all(network) {
            covered.extend(composite.steps.iter().map(|step| std::ptr::from_ref(*step)));
            let at = network
                .steps()
                .iter()
                .position(|step| composite.steps.last().is_some_and(|&end| std::ptr::eq(step, end)));
            if let Some(at) = at {
                let (step, input) = (&network.steps()[at], composite.root);
                found.push(Self { at, step, input, source: Source::Composite(composite) });
            }
        }
        for (at, step) in network.steps().iter().enumerate() {
            let Some(&input) = step.inputs.first() else { continue };
            if covered.contains(&std::ptr::from_ref(step)) {
                continue;
            }
            if let Some(source) = source_of(network, step) {
                found.push(Self { at, step, input, source });
            }
        }
        found.sort_by_key(|candidate| candidate.at);
        found
    }

    /// The nodes that belong to it.
    fn steps(&self) -> &[&'a Step] {
        match &self.source {
            Source::Composite(composite) => &composite.steps,
            _ => std::slice::from_ref(&self.step),
        }
    }

    fn operators(&self) -> String {
        match &self.source {
            Source::Composite(composite) => composite.operators(),
            _ => self.step.op_type.clone(),
        }
    }
}

/// Checks the theorem at every strided convolution, pooling and activation, on the feature maps of one image
/// `[1, input shape…]`; `progress` hears how many nodes are done, and of how many.
///
/// # Errors
/// When the network fails, or no node matches the pattern. Nodes on which the theorem cannot be checked are listed.
pub fn node_theorems(
    network: &Network,
    x: &Tensor,
    options: &NodeTheoremOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<NodeTheorems, NodeTheoremError> {
    // A whole name means that node alone, also where it is a part of others' names.
    let pattern = options.pattern.as_deref();
    let exact = network.steps().iter().any(|step| Some(step.name.as_str()) == pattern);
    // Tables of layers name modules, and cut names at their front.
    let wanted = |step: &Step| match (pattern, pattern.and_then(|pattern| pattern.strip_prefix('…'))) {
        (Some(pattern), _) if exact => step.name == pattern,
        (_, Some(end)) => step.name.ends_with(end) || step.module.ends_with(end),
        (Some(pattern), None) => step.name.contains(pattern) || step.module == pattern,
        (None, None) => true,
    };
    let mut candidates = Candidate::all(network);
    if let (Some(pattern), false) =
        (&options.pattern, candidates.iter().any(|candidate| candidate.steps().iter().any(|step| wanted(step))))
    {
        return Err(NodeTheoremError::NoNode { pattern: pattern.clone(), near: nearest(&candidates, pattern) });
    }
    candidates.retain(|candidate| candidate.steps().iter().any(|step| wanted(step)));
    let alone = candidates.len() == 1;
    let mut map = None;
    let mut found: Vec<(usize, Result<NodeTheorem, Skipped>)> = Vec::new();
    let mut failure = None;
    let ran = network.forward_observed(x, &mut |id, value| {
        for candidate in candidates.iter().filter(|candidate| candidate.input == id) {
            let started = Instant::now();
            let checked = check(network, candidate, &value.stack, options);
            let (at, name) = (candidate.at, &candidate.step.name);
            tracing::debug!(node = %name, seconds = started.elapsed().as_secs_f64(), "node checked");
            match checked {
                Ok(Ok((node, fold_map))) => {
                    if alone {
                        map = Some(fold_map);
                    }
                    found.push((at, Ok(node)));
                }
                Ok(Err(skipped)) => found.push((at, Err(skipped))),
                Err(error) => {
                    failure = Some(error);
                    return Err(GraphError::Graph { path: name.clone(), problem: "stopped".to_owned() });
                }
            }
            progress(found.len(), candidates.len());
        }
        Ok(())
    });
    if let Some(error) = failure {
        return Err(error);
    }
    let _ = ran?;
    found.sort_by_key(|(at, _)| *at);
    let mut theorems = NodeTheorems { map, ..NodeTheorems::default() };
    for (_, outcome) in found {
        match outcome {
            Ok(node) => theorems.nodes.push(node),
            Err(skipped) => theorems.skipped.push(skipped),
        }
    }
    Ok(theorems)
}

fn source_of<'a>(network: &'a Network, step: &'a Step) -> Option<Source<'a>> {
    match &*step.operator {
        Operator::Linear(op) => {
            op.pattern().taps().filter(|taps| taps.window.strides.iter().any(|&s| s > 1)).map(Source::Convolution)
        }
        Operator::Differentiable(op) => op.max_window().map(Source::Maximum),
        // Its slopes belong to channels, so that channels cannot be taken one by one.
        Operator::Elementwise(_) if step.op_type == "PRelu" => Composite::of(network, step).map(Source::Composite),
        // Its slope is none of its own function, of which the theorem speaks.
        Operator::Elementwise(_) if step.op_type == "QuantizeLinear" => None,
        Operator::Elementwise(op) => Some(Source::Pointwise(op.as_ref())),
        _ => None,
    }
}

fn nearest(candidates: &[Candidate<'_>], pattern: &str) -> String {
    let mut names: Vec<(f64, &str)> = candidates
        .iter()
        .map(|candidate| candidate.step.name.as_str())
        .map(|name| {
            let parts = name.split('/').map(|part| strsim::jaro_winkler(part, pattern));
            (parts.fold(strsim::jaro_winkler(name, pattern), f64::max), name)
        })
        .collect();
    names.sort_by(|a, b| b.0.total_cmp(&a.0));
    names.iter().take(3).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

/// One node: the outer error ends the run, the inner one says why the theorem does not apply here.
fn check(
    network: &Network,
    candidate: &Candidate<'_>,
    value: &Tensor,
    options: &NodeTheoremOptions,
) -> Result<Result<(NodeTheorem, FoldMap), Skipped>, NodeTheoremError> {
    let Candidate { step, source, input, .. } = candidate;
    let skipped = |reason: String| Ok(Err(Skipped { name: step.name.clone(), op: candidate.operators(), reason }));
    let info = &network.values()[*input];
    // Windows slide over the last two axes; where a function of every entry has rows and columns is the layout's to say.
    let sites = match (&info.layout, source) {
        (_, Source::Convolution(_) | Source::Maximum(_)) => None,
        (Layout::Map(sites), _) => Some(sites),
        (Layout::Still, _) => return skipped(format!("its input {:?} has no rows and columns", info.shape)),
        (Layout::Unknown | Layout::Part(_), _) => {
            return skipped(format!("where its input {:?} has rows and columns is not certain", info.shape));
        }
    };
    let value = &match sites {
        Some(sites) => {
            let map = sites.gather(value)?;
            let (rows, columns) = (sites.grid.rows.samples as i64, sites.grid.columns.samples as i64);
            map.f_reshape([1, 1, -1, rows, columns])?
        }
        None => value.shallow_clone(),
    };
    let [1, 1, _, rows, columns] = value.size()[..] else {
        return skipped(format!("its input {:?} has no rows and columns", info.shape));
    };
    if rows == 1 && columns == 1 {
        return skipped("its input is one sample, which nothing can alias".to_owned());
    }
    let grid = GridSize::new(columns as usize, rows as usize);
    let stride = match source {
        Source::Convolution(Taps { window, .. }) | Source::Maximum(window) => {
            GridSize::new(window.strides[1] as usize, window.strides[0] as usize)
        }
        Source::Pointwise(_) | Source::Composite(_) => GridSize::square(1),
    };
    let Some(coarse) = grid.strided(stride) else {
        return skipped(format!(
            "its stride of {} by {} does not divide {columns} columns and {rows} rows, so it does not close on the torus",
            stride.x, stride.y
        ));
    };
    let input = HalfSpectrum::from_samples(array3(value)?.view())?;
    let defect = measured_defect(source, sites, value, grid, coarse, options.velocity)?;
    let measured = HalfSpectrum::from_samples(array3(&defect)?.view())?;
    let (prediction, truncation) = match source {
        Source::Convolution(taps) => (predict_convolution(&input, taps, stride, options.velocity)?, None),
        Source::Maximum(window) => {
            let apply = |fine: &Tensor, finer| maximum(window, fine, finer);
            predict_nonlinear(&input, stride, options, &Apply::Alone(&apply))?
        }
        Source::Pointwise(function) => {
            predict_nonlinear(&input, stride, options, &Apply::Alone(&|fine, _| function.value(fine)))?
        }
        Source::Composite(composite) => {
            let apply = |h: &Tensor| match sites {
                Some(sites) => Ok(composite.apply(sites, h, None)?.0),
                None => Ok(h.shallow_clone()),
            };
            predict_nonlinear(&input, stride, options, &Apply::Together(&apply))?
        }
    };
    let (energy, difference) = compare(&prediction.spectrum, &measured)?;
    let channels = prediction.spectrum.channels();
    let input_energy: f64 = input.energy().sum();
    let above: f64 = input.energy_above(coarse).sum();
    let kind = match source {
        Source::Convolution(_) if step.op_type == "AveragePool" => "average pooling",
        Source::Convolution(_) => "strided convolution",
        Source::Maximum(_) => "max pooling",
        Source::Pointwise(_) | Source::Composite(_) => "activation",
    };
    let exists = energy > rounding_energy(network.kind(), grid, options.velocity, input_energy);
    let map = fold_map(&step.name, &prediction.power, coarse, options.velocity);
    let [predicted, measured] = [prediction.exact, energy].map(|energy| energy / channels.max(1) as f64);
    let node = NodeTheorem {
        name: step.name.clone(),
        op: candidate.operators(),
        kind: kind.to_owned(),
        channels,
        samples: grid.into(),
        stride: stride.into(),
        predicted,
        measured,
        by_image: vec![[predicted, measured]],
        relative_difference: exists.then(|| (difference / energy).sqrt()),
        truncation,
        input_above_nyquist: (input_energy > 0.0).then(|| above / input_energy),
        worst: if exists { worst_folds(&map) } else { Vec::new() },
        damage_at: damage_at(&map),
    };
    Ok(Ok((node, map)))
}

/// The energy that rounding alone gives a measured defect: the derivative's largest factor times roundings of the input,
/// which is all there is on a map of one colour.
fn rounding_energy(kind: Kind, grid: GridSize, velocity: Velocity, input_energy: f64) -> f64 {
    const ROUNDINGS: f64 = 64.0;
    let unit = if kind == Kind::Double { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let steepest = std::f64::consts::PI * (velocity.x.abs() * grid.x as f64 + velocity.y.abs() * grid.y as f64);
    (ROUNDINGS * unit * steepest).powi(2) * input_energy
}

/// A predicted defect.
struct Prediction {
    spectrum: HalfSpectrum,
    /// Summed over channels.
    exact: f64,
    power: HalfPower,
}

/// |H_n|² of the harmonics before the sampling, summed over channels: `[rows, half the columns]`.
struct HalfPower {
    fine: GridSize,
    bins: Array2<f64>,
}

impl HalfPower {
    fn of(spectrum: &HalfSpectrum) -> Self {
        let (_, rows, half) = spectrum.bins().dim();
        let mut bins = Array2::zeros((rows, half));
        for channel in spectrum.bins().outer_iter() {
            bins.zip_mut_with(&channel, |sum, h| *sum += h.norm_sqr());
        }
        Self { fine: spectrum.grid(), bins }
    }
}

fn predict_convolution(
    input: &HalfSpectrum,
    taps: &Taps<'_>,
    stride: GridSize,
    velocity: Velocity,
) -> Result<Prediction, NodeTheoremError> {
    let along = |values: &[i64]| [values[1] as usize, values[0] as usize];
    let shape = ConvolutionShape {
        groups: taps.groups as usize,
        dilation: along(&taps.window.dilations),
        padding: along(&taps.window.begin),
    };
    let filtered = convolve(input, array4(taps.weight)?.view(), shape)?;
    predict(&filtered, stride, velocity)
}

fn predict(spectrum: &HalfSpectrum, stride: GridSize, velocity: Velocity) -> Result<Prediction, NodeTheoremError> {
    let defect = strided_defect(spectrum, stride, velocity)?;
    let exact = defect.forms.iter().map(|forms| forms.exact).sum();
    Ok(Prediction { spectrum: defect.spectrum, exact, power: HalfPower::of(spectrum) })
}

/// Power and damage of every harmonic, the constant in the middle.
fn fold_map(name: &str, half_power: &HalfPower, coarse: GridSize, velocity: Velocity) -> FoldMap {
    let fine = half_power.fine;
    let mut power = vec![vec![0.0; fine.x]; fine.y];
    let mut damage = power.clone();
    let place = |n: i64, side: usize| (n + side as i64 / 2).rem_euclid(side as i64) as usize;
    for ((row, column), &here) in half_power.bins.indexed_iter() {
        let y = if row > (fine.y - 1) / 2 { row as i64 - fine.y as i64 } else { row as i64 };
        let wave = Wave::new(column as i64, y);
        let (from, to) = (fine.derivative_symbol(wave), coarse.derivative_symbol(wave));
        let rate = velocity.rate(Wave::new(from.x - to.x, from.y - to.y));
        // The half that is not stored holds the conjugates; a column of its own conjugates finds them at their places.
        for (x, y) in [(wave.x, wave.y), (-wave.x, -wave.y)] {
            let (y, x) = (place(y, fine.y), place(x, fine.x));
            power[y][x] = here;
            damage[y][x] = rate * rate * here;
        }
    }
    FoldMap { node: name.to_owned(), fine: fine.into(), coarse: coarse.into(), power, damage }
}

/// How many harmonics are listed.
const LISTED: usize = 5;

/// The harmonics whose own defect is largest, each with its conjugate, and their shares of all such defects.
fn worst_folds(map: &FoldMap) -> Vec<Fold> {
    let [columns, rows] = map.fine;
    let coarse = GridSize::from(map.coarse);
    let total: f64 = map.damage.iter().flatten().sum();
    let mut folds = Vec::new();
    for (y, row) in map.damage.iter().enumerate() {
        for (x, &damage) in row.iter().enumerate() {
            let wave = Wave::new(x as i64 - columns as i64 / 2, y as i64 - rows as i64 / 2);
            // Of a conjugate pair the one to the right; on the vertical axis the lower one.
            if damage > 0.0 && (wave.x > 0 || wave.x == 0 && wave.y > 0) {
                folds.push(Fold { from: wave.into(), to: coarse.alias(wave).into(), share: 2.0 * damage / total });
            }
        }
    }
    folds.sort_by(|a, b| b.share.total_cmp(&a.share));
    folds.truncate(LISTED);
    folds
}

/// Where, in multiples of the coarse grid's Nyquist frequency, a tenth, half and nine tenths of the damage are reached.
fn damage_at(map: &FoldMap) -> [f64; 3] {
    let [columns, rows] = map.fine;
    let reach = |at: usize, fine: usize, coarse: usize| {
        (at as f64 - (fine / 2) as f64).abs() / (coarse as f64 / 2.0).max(f64::MIN_POSITIVE)
    };
    let mut damages: Vec<(f64, f64)> = Vec::with_capacity(columns * rows);
    for (y, row) in map.damage.iter().enumerate() {
        for (x, &damage) in row.iter().enumerate().filter(|(_, damage)| **damage > 0.0) {
            damages.push((reach(x, columns, map.coarse[0]).max(reach(y, rows, map.coarse[1])), damage));
        }
    }
    damages.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = damages.iter().map(|(_, damage)| damage).sum();
    let mut reached = 0.0;
    let mut places = [0.0; 3];
    for (place, damage) in damages {
        reached += damage;
        for (at, share) in places.iter_mut().zip([0.1, 0.5, 0.9]) {
            if *at == 0.0 && reached >= share * total {
                *at = place;
            }
        }
    }
    places
}

/// A nonlinearity on a finer grid.
enum Apply<'a> {
    /// To one channel of a grid so many times as fine.
    Alone(&'a dyn Fn(&Tensor, i64) -> Torch<Tensor>),
    /// Entry by entry, to all channels `[1, 1, channels, rows, columns]` of the node's own grid.
    Together(&'a dyn Fn(&Tensor) -> Result<Tensor, NodeTheoremError>),
}

/// σ(h) of all channels on the finer grid, `[channels, rows, columns]`: its samples are those of shifted copies of the
/// node's own grid, on which the network's nodes can run as they are.
fn together(
    input: &HalfSpectrum,
    finer: usize,
    apply: &dyn Fn(&Tensor) -> Result<Tensor, NodeTheoremError>,
) -> Result<Array3<f64>, NodeTheoremError> {
    let grid = input.grid();
    let empty = || TransformError::Empty { x: grid.x, y: grid.y };
    let mut fine = Array3::zeros((input.channels(), finer * grid.y, finer * grid.x));
    for (channel, mut field) in fine.outer_iter_mut().enumerate() {
        let one = input.channel(channel).ok_or_else(empty)?;
        let samples = one.oversample(GridSize::square(finer)).ok_or_else(empty)?.into_samples()?;
        field.assign(&samples.index_axis(ndarray::Axis(0), 0));
    }
    let step = finer as isize;
    for row in 0..finer as isize {
        for column in 0..step {
            let mut phase = fine.slice_mut(ndarray::s![.., row..;step, column..;step]);
            let values: Vec<f64> = phase.iter().copied().collect();
            let size = [1, 1, input.channels() as i64, grid.y as i64, grid.x as i64];
            let made = array3(&apply(&Tensor::f_from_slice(&values)?.f_view(size)?)?)?;
            if made.dim() != phase.dim() {
                return Err(NodeTheoremError::Channels { predicted: made.dim().0, measured: phase.dim().0 });
            }
            phase.assign(&made);
        }
    }
    Ok(fine)
}

/// The defect of sampling σ(h), with σ applied on a grid half as fine as the options allow and on the finest.
fn predict_nonlinear(
    input: &HalfSpectrum,
    stride: GridSize,
    options: &NodeTheoremOptions,
    apply: &Apply<'_>,
) -> Result<(Prediction, Option<Truncation>), NodeTheoremError> {
    let finest = options.oversample.max(2);
    let before = predict_at(input, stride, options.velocity, finest / 2, apply)?;
    let prediction = predict_at(input, stride, options.velocity, finest, apply)?;
    let (energy, difference) = compare(&before.spectrum, &prediction.spectrum)?;
    let over = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let truncation = Truncation {
        oversample: finest,
        last_change: over((prediction.exact - before.exact).abs(), prediction.exact),
        field_change: over(difference, energy).sqrt(),
    };
    Ok((prediction, Some(truncation)))
}

fn predict_at(
    input: &HalfSpectrum,
    stride: GridSize,
    velocity: Velocity,
    finer: usize,
    apply: &Apply<'_>,
) -> Result<Prediction, NodeTheoremError> {
    let fine_stride = GridSize::new(stride.x * finer, stride.y * finer);
    let mut spectra = Vec::with_capacity(input.channels());
    let mut exact = 0.0;
    let mut power: Option<HalfPower> = None;
    let all = match apply {
        Apply::Together(apply) => Some(together(input, finer, apply)?),
        Apply::Alone(_) => None,
    };
    // Channel by channel: transforms of the finer grid of all channels at once would not fit into memory.
    for channel in 0..input.channels() {
        let empty = || TransformError::Empty { x: input.grid().x, y: input.grid().y };
        let made = match (apply, &all) {
            (Apply::Alone(apply), _) => {
                let one = input.channel(channel).ok_or_else(empty)?;
                let samples = one.oversample(GridSize::square(finer)).ok_or_else(empty)?.into_samples()?;
                let (_, rows, columns) = samples.dim();
                let flat: Vec<f64> = samples.iter().copied().collect();
                let h = Tensor::f_from_slice(&flat)?.f_view([1, 1, 1, rows as i64, columns as i64])?;
                HalfSpectrum::from_samples(array3(&apply(&h, finer as i64)?)?.view())?
            }
            (Apply::Together(_), Some(all)) => {
                HalfSpectrum::from_samples(all.slice(ndarray::s![channel..=channel, .., ..]))?
            }
            (Apply::Together(_), None) => return Err(empty().into()),
        };
        let one = predict(&made, fine_stride, velocity)?;
        exact += one.exact;
        match &mut power {
            Some(sum) => sum.bins += &one.power.bins,
            None => power = Some(one.power),
        }
        spectra.push(one.spectrum);
    }
    let power = power.ok_or(TransformError::Empty { x: input.grid().x, y: input.grid().y })?;
    Ok(Prediction { spectrum: stacked(&spectra)?, exact, power })
}

fn stacked(spectra: &[HalfSpectrum]) -> Result<HalfSpectrum, NodeTheoremError> {
    let grid = spectra.first().map_or(GridSize::square(1), HalfSpectrum::grid);
    let bins: Vec<_> = spectra.iter().map(HalfSpectrum::bins).collect();
    let bins =
        ndarray::concatenate(ndarray::Axis(0), &bins).map_err(|_| TransformError::Empty { x: grid.x, y: grid.y })?;
    Ok(HalfSpectrum::from_bins(grid, bins)?)
}

/// Σ|δ measured|² and Σ|δ predicted − δ measured|² over channels and bins: mean squares of the samples by Parseval.
fn compare(predicted: &HalfSpectrum, measured: &HalfSpectrum) -> Result<(f64, f64), NodeTheoremError> {
    if predicted.bins().dim() != measured.bins().dim() {
        return Err(NodeTheoremError::Channels { predicted: predicted.channels(), measured: measured.channels() });
    }
    let (mut energy, mut difference) = (0.0, 0.0);
    for ((index, m), p) in measured.bins().indexed_iter().zip(predicted.bins().iter()) {
        let weight = measured.multiplicity(index.2);
        energy += weight * m.norm_sqr();
        difference += weight * (m - p).norm_sqr();
    }
    Ok((energy, difference))
}

/// δ = Dop\[v·∇h\] − v·∇(op h) on the torus, `[1, 1, channels, rows, columns]`.
fn measured_defect(
    source: &Source<'_>,
    sites: Option<&SiteMap>,
    h: &Tensor,
    grid: GridSize,
    coarse: GridSize,
    velocity: Velocity,
) -> Result<Tensor, NodeTheoremError> {
    let moved = along(h, grid, velocity)?;
    let (y, dy) = match source {
        Source::Convolution(taps) => (taps.circular(h)?, taps.circular(&moved)?),
        Source::Pointwise(function) => {
            let y = function.value(h)?;
            let dy = moved.f_mul(&function.derivative(h, &y)?)?;
            (y, dy)
        }
        Source::Composite(composite) => {
            let Some(sites) = sites else { return Ok(h.f_zeros_like()?) };
            let (y, dy) = composite.apply(sites, h, Some(&moved))?;
            let dy = dy.map_or_else(|| y.f_zeros_like(), Ok)?;
            (y, dy)
        }
        Source::Maximum(window) => {
            let pool = MaxPool::unpadded(window);
            let (h, moved) = (window.wrapped(h)?, window.wrapped(&moved)?);
            let mut y = pool.forward(&[&h])?;
            let mut dy = pool.tangent(&Point { x: &[&h], y: &y, dx: &[Some(moved.f_unsqueeze(0)?)] })?;
            (y.swap_remove(0), dy.swap_remove(0).f_squeeze_dim(0)?)
        }
    };
    Ok(dy.f_sub(&along(&y, coarse, velocity)?)?)
}

/// v·∇h with the periodic spectral derivative, in lengths of the torus.
fn along(h: &Tensor, grid: GridSize, velocity: Velocity) -> Result<Tensor, NodeTheoremError> {
    let axis = |samples: usize| Axis { samples, origin: 0.0, pitch: 1.0 / samples as f64 };
    let torus = Grid { rows: axis(grid.y), columns: axis(grid.x) };
    let action = Action::new(&torus, Scheme::Spectral, Boundary::Periodic, h.kind(), h.device())?;
    let all = action.all(h)?;
    let (dx, dy) = (all.f_get(Generator::TranslateX.index() as i64)?, all.f_get(Generator::TranslateY.index() as i64)?);
    Ok(dx.f_mul_scalar(velocity.x)?.f_add(&dy.f_mul_scalar(velocity.y)?)?)
}

/// The maximum over the window's taps at every sample of a grid `finer` times finer: what max-pooling does to the
/// continuous field before it samples.
fn maximum(window: &Window, fine: &Tensor, finer: i64) -> Torch<Tensor> {
    let shift = |axis: usize, tap: i64| finer * (window.begin[axis] - window.dilations[axis] * tap);
    let mut best = fine.f_roll([shift(0, 0), shift(1, 0)], [-2, -1])?;
    for row in 0..window.kernel[0] {
        for column in 0..window.kernel[1] {
            best = best.f_maximum(&fine.f_roll([shift(0, row), shift(1, column)], [-2, -1])?)?;
        }
    }
    Ok(best)
}

/// `[…, channels, rows, columns]` with ones in front, as an array.
fn array3(x: &Tensor) -> Result<Array3<f64>, NodeTheoremError> {
    let size = x.size();
    let [c, h, w] = [size[size.len() - 3], size[size.len() - 2], size[size.len() - 1]].map(|n| n as usize);
    Array3::from_shape_vec((c, h, w), doubles(x)?).map_err(|_| TransformError::Empty { x: w, y: h }.into())
}

/// `[outputs, inputs, rows, columns]` as an array.
fn array4(x: &Tensor) -> Result<Array4<f64>, NodeTheoremError> {
    let (o, i, h, w) = x.size4()?;
    let [o, i, h, w] = [o, i, h, w].map(|n| n as usize);
    Array4::from_shape_vec((o, i, h, w), doubles(x)?).map_err(|_| TransformError::Empty { x: w, y: h }.into())
}

fn doubles(x: &Tensor) -> Torch<Vec<f64>> {
    Vec::try_from(&x.f_to_kind(Kind::Double)?.f_to_device(tch::Device::Cpu)?.f_reshape([-1])?)
}
