//! Contributions by random probes in reverse mode: one backward pass serves all nodes and all generators.
//!
//! With z ~ N(0, I) over the output, E (zᵀJδ)² = ‖Jδ‖² and E (zᵀJδ)(zᵀL) = ⟨Jδ, L⟩. One value of (zᵀJδ)² has a
//! standard deviation of √2 of its mean, so that n probes leave a relative standard error of √(2/n): 14 % for 100.

use tch::{Kind, Tensor};

use crate::graph::operator::Torch;
use crate::graph::{Network, Step, Value, Visitor};

use super::actor::Actor;
use super::found::{ImageFound, LayersFound};
use super::plan::Role;
use super::rounding::Gauge;
use super::sweep::bounded;
use super::{LayerMeter, LayersError};
use crate::measure::layers_report::LayerClass;
use crate::measure::lee::{LeeError, Output, softmax_tangent};

/// What to do where reverse mode does not get past entries that forward mode only chooses among.
const BACKWARD: &str = "values that are not finite, such as scores behind a mask, have none: use --estimator exact";

/// Attributes one image's error by `count` probes, for all meters (one per generator) at once.
///
/// # Errors
/// As [`LayerMeter::measure`].
pub fn measure(
    meters: &mut [LayerMeter<'_>],
    x: &Tensor,
    name: &str,
    count: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), LayersError> {
    let found = find(meters, x, name, count, progress)?;
    meters.iter_mut().zip(found).for_each(|(meter, found)| meter.take(found));
    Ok(())
}

/// What `count` probes find of one image, for each meter, as [`measure`] takes it up.
///
/// # Errors
/// As [`LayerMeter::measure`].
pub fn find(
    meters: &[LayerMeter<'_>],
    x: &Tensor,
    name: &str,
    count: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<LayersFound>, LayersError> {
    let Some(network) = meters.first().map(|meter| meter.network) else { return Ok(Vec::new()) };
    let x = network.place(x)?;
    for meter in meters.iter() {
        meter.check_input(&x, name)?;
    }
    let mut defects = tch::no_grad(|| defects(network, meters, &x))?;
    for (meter, defects) in meters.iter().zip(&defects) {
        meter.check_lie(&defects.lie, name)?;
    }
    let (output, sources) = forward(network, meters, &x)?;
    let mut samples: Vec<Samples> = meters.iter().map(|meter| Samples::new(meter.plan.layers.len())).collect();
    let leaves: Vec<&Tensor> = sources.iter().map(|(_, value)| value).collect();
    for probe in 0..count {
        let z = output.f_randn_like()?;
        let scalar = tch::no_grad(|| Torch::Ok(z.shallow_clone()))?.f_mul(&output)?.f_sum(None::<Kind>)?;
        let gradients = gradients(&scalar, &leaves)?;
        tch::no_grad(|| -> Result<(), LayersError> {
            for ((meter, defects), samples) in meters.iter().zip(&mut defects).zip(&mut samples) {
                let along = z.f_mul(&defects.lie)?.f_sum(Kind::Double)?.f_double_value(&[])?;
                let mut values = vec![0.0; meter.plan.layers.len()];
                for ((id, _), gradient) in sources.iter().zip(&gradients) {
                    let Some(gradient) = gradient else { continue };
                    if let (Role::Source(layer), Some(defect)) = (meter.plan.roles[*id], &defects.at[*id]) {
                        values[layer] += gradient.f_mul(defect)?.f_sum(Kind::Double)?.f_double_value(&[])?;
                    }
                }
                if !values.iter().all(|value| value.is_finite()) {
                    return Err(LeeError::not_finite("a gradient of a probe", name, BACKWARD).into());
                }
                samples.take(meter, &values, along);
            }
            Ok(())
        })?;
        progress(probe + 1, count);
    }
    let each = meters.iter().zip(&samples).zip(defects);
    each.map(|((meter, samples), defects)| found_of(meter, &x, samples, defects, count)).collect()
}

/// What one image's probes found.
fn found_of(
    meter: &LayerMeter<'_>,
    x: &Tensor,
    samples: &Samples,
    defects: Defects,
    count: usize,
) -> Result<LayersFound, LayersError> {
    let n = count.max(1) as f64;
    let plan = &meter.plan;
    let facts = tch::no_grad(|| meter.facts(x, &defects.lie, &defects.value))?;
    let mut image = ImageFound { facts, ..ImageFound::default() };
    for sampled in &samples.layers {
        let mean = sampled[0] / n;
        image.contribution.push(mean);
        image.variance.push((sampled[1] / n - mean * mean).max(0.0) / (n - 1.0).max(1.0));
        image.signed.push(sampled[2] / n);
    }
    let classes = LayerClass::ALL.into_iter().zip(&samples.classes);
    let has = |class: LayerClass| plan.layers.iter().any(|layer| layer.class == class);
    image.joint = classes.filter(|(class, _)| has(*class)).map(|(class, sum)| (class, sum / n)).collect();
    // The law holds for every probe, Σ_v zᵀJδ_v = zᵀL, and E (zᵀr)² = ‖r‖².
    image.residual = [samples.residual / n, defects.lie.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?];
    let Defects { local, gauges, cancelling, .. } = defects;
    Ok(LayersFound { images: vec![image], local, gauges, cancelling: [cancelling, 0.0], maps: Vec::new() })
}

/// The gradients of `scalar` by `leaves`: none where no derivative comes through, as behind an ArgMax or a comparison.
fn gradients(scalar: &Tensor, leaves: &[&Tensor]) -> Torch<Vec<Option<Tensor>>> {
    // libtorch reads a null pointer for a scalar that nothing recorded.
    if !scalar.requires_grad() {
        return Ok(leaves.iter().map(|_| None).collect());
    }
    let gradients = Tensor::f_run_backward(&[scalar], leaves, true, false)?;
    Ok(gradients.into_iter().map(|gradient| gradient.defined().then_some(gradient)).collect())
}

/// Sums over probes.
pub(super) struct Samples {
    /// Per layer: Σ q², Σ q⁴, Σ q·(zᵀL).
    pub layers: Vec<[f64; 3]>,
    /// Per class, by its place in `LayerClass::ALL`: Σ (Σ_layers q)².
    pub classes: Vec<f64>,
    /// Σ (Σ_v q − zᵀL)².
    pub residual: f64,
}

impl Samples {
    fn new(layers: usize) -> Self {
        let classes = LayerClass::ALL.len();
        Self { layers: vec![[0.0; 3]; layers], classes: vec![0.0; classes], residual: 0.0 }
    }

    fn take(&mut self, meter: &LayerMeter<'_>, values: &[f64], along: f64) {
        let mut classes = vec![0.0; self.classes.len()];
        for ((sums, &q), layer) in self.layers.iter_mut().zip(values).zip(&meter.plan.layers) {
            sums[0] += q * q;
            sums[1] += q.powi(4);
            sums[2] += q * along;
            classes[layer.class as usize] += q;
        }
        for (sum, q) in self.classes.iter_mut().zip(classes) {
            *sum += q * q;
        }
        let rest = values.iter().sum::<f64>() - along;
        self.residual += rest * rest;
    }
}

/// One generator's defects on one image.
pub(super) struct Defects {
    /// Per value, where it is a source: δ.
    pub at: Vec<Option<Tensor>>,
    /// L, of the output's shape with the images axis in front.
    pub lie: Tensor,
    /// Per layer: ‖e‖²/dim and ‖a‖²/dim where it ends.
    pub local: Vec<[f64; 2]>,
    /// Per layer: sizes at its nodes.
    pub gauges: Vec<Gauge>,
    /// The network's output.
    pub value: Tensor,
    /// ‖Df\[A x\]‖² + ‖A f‖².
    pub cancelling: f64,
}

/// All generators' defects by one sweep: per generator a tangent for the action and one for the whole.
fn defects(network: &Network, meters: &[LayerMeter<'_>], x: &Tensor) -> Result<Vec<Defects>, LayersError> {
    let images = x.size()[0];
    let layout = &network.input().layout;
    let mut actors: Vec<Actor> = meters.iter().map(LayerMeter::actor).collect();
    let mut stack = vec![x.shallow_clone()];
    for actor in &mut actors {
        let action = actor.on(layout, x)?;
        stack.extend([action.shallow_clone(), action]);
    }
    let tangents = 2 * meters.len() as i64;
    let found: Vec<Defects> = meters
        .iter()
        .map(|meter| Defects {
            at: network.values().iter().map(|_| None).collect(),
            lie: Tensor::new(),
            local: vec![[0.0; 2]; meter.plan.layers.len()],
            gauges: vec![Gauge::default(); meter.plan.layers.len()],
            value: Tensor::new(),
            cancelling: 0.0,
        })
        .collect();
    let input = Value { stack: network.prepared(&Tensor::f_cat(&stack, 0)?)?, tangents };
    let mut push = Push { network, meters, actors, found, images };
    let output = network.walk(input, &mut push)?;
    let mut found = push.found;
    for (at, (meter, found)) in meters.iter().zip(&mut found).enumerate() {
        let pair =
            Value { stack: output.widened(images, tangents)?, tangents }.tangents_from(images, 2 * at as i64, 2)?;
        let (action, whole) = (pair.f_narrow(0, 0, images)?, pair.f_narrow(0, images, images)?);
        let lie = whole.f_sub(&action)?;
        found.value = output.primal(images)?;
        let square = |x: &Tensor| -> Torch<f64> { x.f_square()?.f_sum(Kind::Double)?.f_double_value(&[]) };
        (found.lie, found.cancelling) = match meter.output {
            // The action on a class vector is none, so that the softmax passes L on.
            Output::Softmax => {
                let lie = softmax_tangent(&output.primal(images)?, &lie.f_unsqueeze(0)?)?.1.f_squeeze_dim(0)?;
                let size = square(&lie)?;
                (lie, size)
            }
            Output::Logits | Output::Identity => (lie, square(&whole)? + square(&action)?),
        };
    }
    Ok(found)
}

/// The sweep that takes each source's defect.
struct Push<'a, 'n> {
    network: &'n Network,
    meters: &'a [LayerMeter<'n>],
    actors: Vec<Actor>,
    found: Vec<Defects>,
    images: i64,
}

impl Visitor for Push<'_, '_> {
    type Value = Value;
    type Error = LayersError;

    fn outputs(&mut self, step: &Step, inputs: &[&Value]) -> Result<Vec<Value>, LayersError> {
        Ok(self.network.apply(step, inputs, self.images, 0)?)
    }

    fn made(&mut self, step: &Step, id: usize, mut value: Value) -> Result<Value, LayersError> {
        if value.tangents == 0 || !is_source(self.meters, id) {
            return Ok(value);
        }
        if !step.operator.is_fresh() {
            value.stack = value.stack.copy();
        }
        let images = self.images;
        let (y, unbounded) = bounded(&self.meters[0], id, &value, images)?;
        for (at, ((meter, actor), found)) in self.meters.iter().zip(&mut self.actors).zip(&mut self.found).enumerate() {
            let Role::Source(layer) = meter.plan.roles[id] else { continue };
            let action = meter.own_action(id, actor, &y)?;
            let mut pushed = value.tangents_from(images, 2 * at as i64, 1)?;
            let defect = unbounded.zeroed(&pushed.f_sub(&action)?)?;
            let gauge = Gauge::at(&defect, &action, &y, actor.steepness(&meter.own_layout(id)))?;
            found.gauges[layer].join(&gauge, meter.plan.layers[layer].closes == id);
            found.at[id] = Some(defect);
            pushed.f_copy_(&unbounded.action(&pushed, &action)?)?;
            if meter.plan.layers[layer].closes == id {
                let error = unbounded.zeroed(&value.tangents_from(images, 2 * at as i64 + 1, 1)?.f_sub(&action)?)?;
                found.local[layer] = [mean_square(&error)?, mean_square(&action)?];
            }
        }
        Ok(value)
    }
}

/// Whether a defect is taken at this value, under one generator at least.
fn is_source(meters: &[LayerMeter<'_>], id: usize) -> bool {
    meters.iter().any(|meter| matches!(meter.plan.roles[id], Role::Source(_)))
}

fn mean_square(x: &Tensor) -> Torch<f64> {
    x.f_square()?.f_mean(Kind::Double)?.f_double_value(&[])
}

/// The output, softmax included, and every source's value, recorded for reverse mode.
fn forward(
    network: &Network,
    meters: &[LayerMeter<'_>],
    x: &Tensor,
) -> Result<(Tensor, Vec<(usize, Tensor)>), LayersError> {
    let mut record = Record { network, meters, sources: Vec::new() };
    let output = network.walk(x.f_detach()?.f_set_requires_grad(true)?, &mut record)?;
    let softmax = meters.iter().any(|meter| meter.output == Output::Softmax);
    Ok((if softmax { output.f_softmax(-1, None::<Kind>)? } else { output }, record.sources))
}

/// A forward that libtorch records.
struct Record<'a, 'n> {
    network: &'n Network,
    meters: &'a [LayerMeter<'n>],
    /// Sources' values, by their places.
    sources: Vec<(usize, Tensor)>,
}

impl Visitor for Record<'_, '_> {
    type Value = Tensor;
    type Error = LayersError;

    fn outputs(&mut self, step: &Step, inputs: &[&Tensor]) -> Result<Vec<Tensor>, LayersError> {
        Ok(self.network.forward_step(step, inputs)?)
    }

    fn made(&mut self, _step: &Step, id: usize, value: Tensor) -> Result<Tensor, LayersError> {
        if is_source(self.meters, id) && value.requires_grad() {
            self.sources.push((id, value.shallow_clone()));
        }
        Ok(value)
    }
}
