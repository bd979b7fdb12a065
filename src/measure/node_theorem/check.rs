//! One node: its defect predicted, measured and compared.

use tch::{Kind, Tensor};

use super::NodeTheoremOptions;
use super::arrays::array3;
use super::candidate::{Candidate, Source};
use super::error::NodeTheoremError;
use super::folds::{damage_at, fold_map, worst_folds};
use super::prediction::{Apply, compare, predict_convolution, predict_nonlinear};
use crate::graph::Network;
use crate::graph::layout::{Layout, PositionMap};
use crate::graph::operator::{Differentiable, Point, Torch};
use crate::graph::ops::MaxPool;
use crate::graph::window::{Taps, Window};
use crate::measure::action::Action;
use crate::measure::node_theorem_report::{FoldMap, NodeTheorem, Skipped};
use crate::spectrum::alias::GridSize;
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::spectrum::half_spectrum::HalfSpectrum;
use crate::spectrum::velocity::Velocity;
use crate::symmetry::{Axis, Generator, Grid};

/// What became of a node.
pub(super) enum Checked {
    /// Prediction beside measurement, and what each harmonic does.
    Compared(Box<NodeTheorem>, FoldMap),
    /// The theorem does not apply here.
    Skipped(Skipped),
}

/// Checks one node on the value that it reads.
///
/// # Errors
/// What ends the run.
pub(super) fn check(
    network: &Network,
    candidate: &Candidate<'_>,
    value: &Tensor,
    options: &NodeTheoremOptions,
) -> Result<Checked, NodeTheoremError> {
    let Candidate { step, source, input, .. } = candidate;
    let skipped =
        |reason: String| Ok(Checked::Skipped(Skipped { name: step.name.clone(), op: candidate.operators(), reason }));
    let info = &network.values()[*input];
    // Windows slide over the last two axes; where a function of every entry has rows and columns is the layout's to
    // say.
    let positions = match (&info.layout, source) {
        (_, Source::Convolution(_) | Source::Maximum(_)) => None,
        (Layout::Map(positions), _) => Some(positions),
        (Layout::NonSpatial, _) => return skipped(format!("its input {:?} has no rows and columns", info.shape)),
        (Layout::Unknown | Layout::Part(_), _) => {
            return skipped(format!("where its input {:?} has rows and columns is not certain", info.shape));
        }
    };
    let value = &match positions {
        Some(positions) => {
            let map = positions.gather(value)?;
            let (rows, columns) = (positions.grid.rows.samples as i64, positions.grid.columns.samples as i64);
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
    let defect = measured_defect(source, positions, value, grid, coarse, options.velocity)?;
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
            let apply = |h: &Tensor| match positions {
                Some(positions) => Ok(composite.apply(positions, h, None)?.0),
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
    Ok(Checked::Compared(Box::new(node), map))
}

/// The energy that rounding alone gives a measured defect: the derivative's largest factor times roundings of the
/// input, which is all there is on a map of one colour.
fn rounding_energy(kind: Kind, grid: GridSize, velocity: Velocity, input_energy: f64) -> f64 {
    const ROUNDINGS: f64 = 64.0;
    let unit = if kind == Kind::Double { f64::EPSILON } else { f64::from(f32::EPSILON) };
    let steepest = std::f64::consts::PI * (velocity.x.abs() * grid.x as f64 + velocity.y.abs() * grid.y as f64);
    (ROUNDINGS * unit * steepest).powi(2) * input_energy
}

/// δ = Dop\[v·∇h\] − v·∇(op h) on the torus, `[1, 1, channels, rows, columns]`.
fn measured_defect(
    source: &Source<'_>,
    positions: Option<&PositionMap>,
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
            let Some(positions) = positions else { return Ok(h.f_zeros_like()?) };
            let (y, dy) = composite.apply(positions, h, Some(&moved))?;
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
