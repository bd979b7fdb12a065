//! All defects pushed to the output in one sweep: they join the stack of tangents at their node.

use std::ops::Range;

use ndarray::Array2;
use tch::{Device, Kind, Tensor};

use crate::graph::layout::Layout;
use crate::graph::operator::Torch;
use crate::graph::{Network, Step, Value, Visitor};
use crate::spectrum::differentiation::{Boundary, Scheme};

use super::parts::{Actor, Unbounded, Windowed};
use super::plan::Role;
use super::rounding::Gauge;
use super::{LayerMeter, LayersError, Output, PARTS};
use crate::measure::defect_map::DefectMap;
use crate::measure::lee::softmax_tangent;

/// What one sweep, or several under a memory limit, found.
pub(super) struct Outcome {
    /// L, `[images, output shape…]`.
    pub lie: Tensor,
    /// J δ, `[layers, parts, images, output shape…]`.
    pub pushed: Tensor,
    /// Per layer: Σ over images of ‖e‖²/dim and ‖a‖²/dim where it ends.
    pub local: Vec<[f64; 2]>,
    /// Per layer: whether a node in it has no torus to be split on.
    pub unsplit: Vec<bool>,
    /// Per layer: sizes at its nodes.
    pub gauges: Vec<Gauge>,
    /// ‖Df\[A x\]‖² + ‖A f‖², summed over images.
    pub cancelling: f64,
    /// Where the first image's defects sit, if that is asked for and not known yet.
    pub maps: Vec<DefectMap>,
}

/// The tangents that every sweep has, by their places.
#[derive(Clone, Copy)]
struct Fixed {
    /// The action under the periodic spectral derivative, where defects are split.
    torus: Option<i64>,
    /// The action under the spectral derivative and the asked boundary, where another derivative is asked for.
    spectral: Option<i64>,
    /// The tangent of the whole network, in the first sweep.
    whole: Option<i64>,
    count: i64,
}

/// The place of the asked action.
const ACTION: i64 = 0;

struct Sweep<'m, 'n> {
    meter: &'m LayerMeter<'n>,
    images: i64,
    main: Actor,
    torus: Actor,
    spectral: Actor,
    fixed: Fixed,
    /// The layers whose defects this sweep pushes.
    layers: Range<usize>,
    outcome: Found,
}

#[derive(Default)]
struct Found {
    local: Vec<[f64; 2]>,
    unsplit: Vec<bool>,
    gauges: Vec<Gauge>,
    cancelling: f64,
    /// By the values' places.
    maps: Vec<(usize, DefectMap)>,
}

/// Attributes the error on a batch of images.
pub(super) fn attribute(
    meter: &LayerMeter<'_>,
    x: &Tensor,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Outcome, LayersError> {
    let images = x.size()[0];
    let layers = meter.plan.layers.len();
    let together = layers_at_once(meter, images)?.min(layers.max(1));
    let sweeps = layers.div_ceil(together).max(1);
    let steps = meter.network.steps().len();
    let mut lie = None;
    let mut pushed = Vec::new();
    let mut found = Found {
        local: vec![[0.0; 2]; layers],
        unsplit: vec![false; layers],
        gauges: vec![Gauge::default(); layers],
        ..Found::default()
    };
    for at in 0..sweeps {
        let range = at * together..((at + 1) * together).min(layers);
        let mut sweep = Sweep::new(meter, images, range, at == 0, found);
        let (whole, made) = sweep.run(x, &mut |done| progress(at * steps + done, sweeps * steps))?;
        found = sweep.outcome;
        lie = lie.or(whole);
        pushed.push(made);
    }
    let lie = lie.ok_or_else(|| tch::TchError::Torch("the first sweep has no tangent".into()))?;
    let pushed = Tensor::f_cat(&pushed, 0)?;
    found.maps.sort_by_key(|(at, _)| *at);
    let maps = found.maps.into_iter().map(|(_, map)| map).collect();
    let Found { local, unsplit, gauges, cancelling, .. } = found;
    Ok(Outcome { lie, pushed, local, unsplit, gauges, cancelling, maps })
}

/// How many layers' defects fit into the memory limit beside what every sweep holds.
fn layers_at_once(meter: &LayerMeter<'_>, images: i64) -> Result<usize, LayersError> {
    // Beside a step's input and output stacks a copy of one of them may exist.
    let entry = 2 * peak_entry(meter.network) * images as u64;
    let fixed = 1 + fixed_tangents(meter, true).count as u64;
    let parts = meter.parts as u64;
    let fits = (meter.options.memory / entry.max(1)).saturating_sub(fixed) / parts;
    if fits == 0 {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        return Err(LayersError::Memory {
            given: meter.options.memory >> 20,
            needed: mib(entry * (fixed + parts)),
            images,
        });
    }
    Ok(usize::try_from(fits).unwrap_or(usize::MAX))
}

/// The most bytes that all live values take, for one entry of the stack.
fn peak_entry(network: &Network) -> u64 {
    let size = |id: usize| network.values()[id].shape.iter().product::<i64>().unsigned_abs() * 8;
    let scale = if network.kind() == Kind::Double { 1 } else { 2 };
    let mut live = size(0);
    let mut peak = live;
    for step in network.steps() {
        live += step.outputs.iter().flatten().map(|&id| size(id)).sum::<u64>();
        peak = peak.max(live);
        live -= step.frees.iter().map(|&id| size(id)).sum::<u64>().min(live);
    }
    peak / scale
}

fn fixed_tangents(meter: &LayerMeter<'_>, first: bool) -> Fixed {
    let mut count = 1;
    let mut next = |wanted: bool| {
        wanted.then(|| {
            count += 1;
            count - 1
        })
    };
    let torus = next(meter.parts > 1);
    let spectral = next(meter.parts > 2);
    let whole = next(first);
    Fixed { torus, spectral, whole, count }
}

impl<'m, 'n> Sweep<'m, 'n> {
    fn new(meter: &'m LayerMeter<'n>, images: i64, layers: Range<usize>, first: bool, outcome: Found) -> Self {
        Self {
            meter,
            images,
            main: meter.actor(),
            torus: meter.actor_under((Scheme::Spectral, Boundary::Periodic)),
            spectral: meter.actor_under((Scheme::Spectral, meter.options.boundary)),
            fixed: fixed_tangents(meter, first),
            layers,
            outcome,
        }
    }

    /// L, in the first sweep, and J δ of this sweep's layers, `[layers, parts, images, output shape…]`.
    fn run(&mut self, x: &Tensor, progress: &mut dyn FnMut(usize)) -> Result<(Option<Tensor>, Tensor), LayersError> {
        let input = self.input(x)?;
        let network = self.meter.network;
        let output = network.walk(input, &mut Attribution { sweep: self, torus: None, at: 0, progress })?;
        self.output(output)
    }

    /// The tangents that a step's outputs have once their own defects have joined.
    fn room(&self, step: &Step) -> i64 {
        let tangents = |id: &usize| match self.meter.plan.roles[*id] {
            Role::Source(layer) if self.layers.contains(&layer) => self.first_tangent(layer) + self.meter.parts as i64,
            _ => 0,
        };
        step.outputs.iter().flatten().map(tangents).max().unwrap_or(0)
    }

    /// The first tangent of a layer of this sweep.
    fn first_tangent(&self, layer: usize) -> i64 {
        self.fixed.count + ((layer - self.layers.start) * self.meter.parts) as i64
    }

    fn input(&mut self, x: &Tensor) -> Result<Value, LayersError> {
        let layout = &self.meter.network.input().layout;
        let action = self.main.on(layout, x)?;
        let mut stack = vec![x.shallow_clone(), action.shallow_clone()];
        if self.fixed.torus.is_some() {
            stack.push(self.torus.on(layout, x)?);
        }
        if self.fixed.spectral.is_some() {
            stack.push(self.spectral.on(layout, x)?);
        }
        if self.fixed.whole.is_some() {
            stack.push(action);
        }
        let stack = self.meter.network.prepared(&Tensor::f_cat(&stack, 0)?)?;
        Ok(Value { stack, tangents: self.fixed.count })
    }

    /// The defect on the torus of a node with a window: none where it has no window, or it is not asked for; inside,
    /// none where the window does not close on the torus.
    fn torus_defect(&mut self, step: &Step, inputs: &[&Value]) -> Result<Option<Option<Tensor>>, LayersError> {
        let (Some(at), Some(windowed)) = (self.fixed.torus, Windowed::of(step)) else { return Ok(None) };
        let network = self.meter.network;
        let Some(&Some(id)) = step.outputs.first() else { return Ok(None) };
        let (Role::Source(layer), Some(input)) = (self.meter.plan.roles[id], inputs.first()) else { return Ok(None) };
        if input.tangents == 0 || !self.layers.contains(&layer) {
            return Ok(None);
        }
        let layout = (&network.values()[step.inputs[0]].layout, self.meter.plan.padded[step.inputs[0]]);
        let shape = &network.values()[id].shape;
        Ok(Some(windowed.torus_defect(&mut self.torus, (input, self.images, at), layout, shape)?))
    }

    /// Puts the value's own actions in place of the pushed ones, and the difference into the layer's tangents.
    fn at_source(
        &mut self,
        step: &Step,
        id: usize,
        layer: usize,
        value: Value,
        torus: Option<&Option<Tensor>>,
    ) -> Result<Value, LayersError> {
        let meter = self.meter;
        let images = self.images;
        let (y, unbounded) = bounded(meter, id, &value, images)?;
        let mut own = Vec::new();
        let defect = |actor: &mut Actor, at: i64, own: &mut Vec<(i64, Tensor)>| -> Result<Tensor, LayersError> {
            let pushed = value.tangents_from(images, at, 1)?;
            let action = meter.own_action(id, actor, &y)?;
            let defect = unbounded.zeroed(&pushed.f_sub(&action)?)?;
            own.push((at, unbounded.action(&pushed, &action)?));
            Ok(defect)
        };
        let whole = defect(&mut self.main, ACTION, &mut own)?;
        if let Some((_, action)) = own.first().filter(|_| self.layers.contains(&layer)) {
            let steepness = self.main.steepness(&meter.own_layout(id));
            let gauge = Gauge::at(&whole, &unbounded.zeroed(action)?, &y, steepness)?;
            self.outcome.gauges[layer].join(&gauge, meter.plan.layers[layer].closes == id);
        }
        if meter.options.maps && meter.images() == 0 && self.layers.contains(&layer) {
            // An output that is moved as an image of its own may yet lie elsewhere in the input's plane.
            let layout = match &meter.network.values()[id].layout {
                known @ Layout::Map(_) => known.clone(),
                _ => meter.own_layout(id),
            };
            self.outcome.maps.extend(defect_map(&whole, &layout, layer, step)?.map(|map| (id, map)));
        }
        let mut parts = Vec::new();
        if let Some(at) = self.fixed.torus {
            let on_torus = match torus {
                Some(known) => {
                    let _ = defect(&mut self.torus, at, &mut own)?;
                    known.as_ref().map(|defect| unbounded.zeroed(defect)).transpose()?
                }
                None => Some(defect(&mut self.torus, at, &mut own)?),
            };
            if on_torus.is_none() {
                self.outcome.unsplit[layer] = true;
            }
            let aliasing = on_torus.map_or_else(|| whole.f_zeros_like(), Ok)?;
            let spectral = match self.fixed.spectral {
                Some(at) => defect(&mut self.spectral, at, &mut own)?,
                None => whole.shallow_clone(),
            };
            parts.push(aliasing.shallow_clone());
            parts.push(spectral.f_sub(&aliasing)?);
            if self.fixed.spectral.is_some() {
                parts.push(whole.f_sub(&spectral)?);
            }
        } else {
            parts.push(whole);
        }
        debug_assert!(parts.len() == self.meter.parts && parts.len() <= PARTS.len());

        let first = if self.layers.contains(&layer) { Some(self.first_tangent(layer)) } else { None };
        let wanted = first.map_or(0, |first| first + parts.len() as i64);
        let value = owned(value, images, wanted, step.operator.is_fresh())?;
        for (at, action) in own {
            value.tangents_from(images, at, 1)?.f_copy_(&action)?;
        }
        if let Some(first) = first {
            for (i, part) in parts.iter().enumerate() {
                let _ = value.tangents_from(images, first + i as i64, 1)?.f_add_(part)?;
            }
        }
        if let (Some(whole), true) = (self.fixed.whole, self.meter.plan.layers[layer].closes == id) {
            let action = unbounded.zeroed(&value.tangents_from(images, ACTION, 1)?)?;
            let error = unbounded.zeroed(&value.tangents_from(images, whole, 1)?.f_sub(&action)?)?;
            let dim = (error.numel() as f64 / images as f64).max(1.0);
            let square =
                |x: &Tensor| -> Torch<f64> { Ok(x.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])? / dim) };
            self.outcome.local[layer] = [square(&error)?, square(&action)?];
        }
        Ok(value)
    }

    /// Through the softmax behind the output, and apart.
    fn output(&mut self, output: Value) -> Result<(Option<Tensor>, Tensor), LayersError> {
        let wanted = self.fixed.count + (self.layers.len() * self.meter.parts) as i64;
        let output = owned(output, self.images, wanted, true)?;
        let (value, tangents) = (output.primal(self.images)?, output.tangents_from(self.images, 0, wanted)?);
        let mut size = vec![wanted, self.images];
        size.extend(&value.size()[1..]);
        let tangents = tangents.f_reshape(size)?;
        let tangents = match self.meter.output {
            Output::Softmax => softmax_tangent(&value, &tangents)?.1,
            Output::Logits | Output::Identity => tangents,
        };
        let lie = match self.fixed.whole {
            Some(whole) => {
                let (whole, action) = (tangents.f_get(whole)?, tangents.f_get(ACTION)?);
                let square = |x: &Tensor| -> Torch<f64> { x.f_square()?.f_sum(Kind::Double)?.f_double_value(&[]) };
                self.outcome.cancelling = square(&whole)? + square(&action)?;
                Some(whole.f_sub(&action)?)
            }
            None => None,
        };
        let mut size = vec![self.layers.len() as i64, self.meter.parts as i64];
        size.extend(&tangents.size()[1..]);
        let pushed = tangents.f_narrow(0, self.fixed.count, wanted - self.fixed.count)?.f_reshape(size)?;
        Ok((lie, pushed))
    }
}

/// A sweep on its way through the network.
struct Attribution<'s, 'm, 'n> {
    sweep: &'s mut Sweep<'m, 'n>,
    /// The defect on the torus of the step that has just run; as [`Sweep::torus_defect`].
    torus: Option<Option<Tensor>>,
    /// Steps done.
    at: usize,
    progress: &'s mut dyn FnMut(usize),
}

impl Visitor for Attribution<'_, '_, '_> {
    type Value = Value;
    type Error = LayersError;

    fn outputs(&mut self, step: &Step, inputs: &[&Value]) -> Result<Vec<Value>, LayersError> {
        // Before the step runs: it may write over its input.
        self.torus = self.sweep.torus_defect(step, inputs)?;
        Ok(self.sweep.meter.network.apply(step, inputs, self.sweep.images, self.sweep.room(step))?)
    }

    fn made(&mut self, step: &Step, id: usize, value: Value) -> Result<Value, LayersError> {
        match self.sweep.meter.plan.roles[id] {
            Role::Source(layer) if value.tangents > 0 => {
                self.sweep.at_source(step, id, layer, value, self.torus.as_ref())
            }
            _ => Ok(value),
        }
    }

    fn done(&mut self, _step: &Step) {
        self.torus = None;
        self.at += 1;
        (self.progress)(self.at);
    }
}

/// The primals of a value, with zeros in the images in which it is not finite. The output is left as it is: there that is
/// refused.
pub(super) fn bounded(meter: &LayerMeter<'_>, id: usize, value: &Value, images: i64) -> Torch<(Tensor, Unbounded)> {
    let y = value.primal(images)?;
    let is_output = id == meter.network.output_id();
    let unbounded = if is_output { Unbounded::refused() } else { Unbounded::of(&y)? };
    Ok((unbounded.zeroed(&y)?, unbounded))
}

/// Where the first image's defect sits.
fn defect_map(defect: &Tensor, layout: &Layout, layer: usize, step: &Step) -> Torch<Option<DefectMap>> {
    let Layout::Map(map) = layout else { return Ok(None) };
    let sites = map.gather(&defect.f_narrow(0, 0, 1)?)?;
    let (rows, columns) = (map.grid.rows.samples, map.grid.columns.samples);
    let channels = sites.f_reshape([-1, rows as i64, columns as i64])?.f_to_kind(Kind::Double)?;
    let squares = channels.f_square()?.f_sum_dim_intlist([0].as_slice(), false, None::<Kind>)?;
    let squares = Vec::try_from(&squares.f_to_device(Device::Cpu)?.f_reshape([-1])?)?;
    let squares = Array2::from_shape_vec((rows, columns), squares)
        .map_err(|error| tch::TchError::Torch(format!("a map of '{}' of the wrong size: {error}", step.name)))?;
    Ok(Some(DefectMap { layer, node: step.name.clone(), grid: map.grid, squares }))
}

/// The value with room for `wanted` tangents at least, in memory that may be written to.
fn owned(value: Value, images: i64, wanted: i64, fresh: bool) -> Torch<Value> {
    if value.tangents < wanted {
        return Ok(Value { stack: value.widened(images, wanted)?, tangents: wanted });
    }
    let stack = if fresh { value.stack } else { value.stack.copy() };
    Ok(Value { stack, ..value })
}
