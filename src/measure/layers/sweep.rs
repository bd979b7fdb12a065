//! All defects pushed to the output in one sweep: they join the stack of tangents at their node.

use std::ops::Range;

use ndarray::Array2;
use tch::{Device, Kind, Tensor};

use crate::graph::layout::Layout;
use crate::graph::operator::Torch;
use crate::graph::{Network, Step, Value, Visitor};
use crate::spectrum::differentiation::Scheme;

use super::actor::{Actor, Unbounded};
use super::extension::Periodic;
use super::motion::saturating;
use super::octaves::{self, Octaves};
use super::plan::{Carried, Role};
use super::rounding::{Gauge, squared_norm};
use super::sampling::OnPlane;
use super::split::Split;
use super::{LayerMeter, LayersError, SplitBy};
use crate::measure::action::Actions;
use crate::measure::defect_map::DefectMap;
use crate::measure::layers_report::DefectPart;
use crate::measure::lee::{Output, softmax_tangent};

/// What one sweep, or several under a memory limit, found.
pub(super) struct Outcome {
    /// L, `[images, output shape…]`.
    pub lie: Tensor,
    /// The network's output, of the same shape.
    pub value: Tensor,
    /// J δ, `[tangents of all layers, images, output shape…]`.
    pub pushed: Tensor,
    /// Per layer: Σ over images of ‖e‖²/dim and ‖a‖²/dim where it ends.
    pub local: Vec<[f64; 2]>,
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
    /// The action under the spectral derivative, where another one is asked for and defects are split.
    spectral: Option<i64>,
    /// What saturation alone does, where positions move as well and defects are split.
    saturation: Option<i64>,
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
    spectral: Actor,
    saturating: Actor,
    /// What parts on the plane are made with.
    actions: Actions,
    periodic: Periodic,
    /// What lies below cut-offs, where defects are split by octaves.
    octaves: Option<Octaves>,
    fixed: Fixed,
    /// The layers whose defects this sweep pushes.
    layers: Range<usize>,
    /// Per layer of the network: its first tangent in this sweep.
    firsts: Vec<i64>,
    outcome: Found,
}

#[derive(Default)]
struct Found {
    local: Vec<[f64; 2]>,
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
    let ranges = ranges(meter, images)?;
    let sweeps = ranges.len();
    let steps = meter.network.steps().len();
    let mut first = None;
    let mut pushed = Vec::new();
    let mut found = Found { local: vec![[0.0; 2]; layers], gauges: vec![Gauge::default(); layers], ..Found::default() };
    for (at, range) in ranges.into_iter().enumerate() {
        let mut sweep = Sweep::new(meter, images, range, at == 0, found);
        let (whole, made) = sweep.run(x, &mut |done| progress(at * steps + done, sweeps * steps))?;
        found = sweep.outcome;
        first = first.or(whole);
        pushed.push(made);
    }
    let (lie, value) = first.ok_or_else(|| tch::TchError::Torch("the first sweep has no tangent".into()))?;
    let pushed = Tensor::f_cat(&pushed, 0)?;
    found.maps.sort_by_key(|(at, _)| *at);
    let maps = found.maps.into_iter().map(|(_, map)| map).collect();
    let Found { local, gauges, cancelling, .. } = found;
    Ok(Outcome { lie, value, pushed, local, gauges, cancelling, maps })
}

/// J δ of one layer alone, `[its tangents, images, output shape…]`.
pub(super) fn pushed_of(meter: &LayerMeter<'_>, x: &Tensor, layer: usize) -> Result<Tensor, LayersError> {
    let layers = meter.plan.layers.len();
    let found = Found { local: vec![[0.0; 2]; layers], gauges: vec![Gauge::default(); layers], ..Found::default() };
    let mut sweep = Sweep::new(meter, x.size()[0], layer..layer + 1, false, found);
    Ok(sweep.run(x, &mut |_| {})?.1)
}

/// The layers whose defects go together: as many in a row as fit into the memory limit beside what every sweep holds.
fn ranges(meter: &LayerMeter<'_>, images: i64) -> Result<Vec<Range<usize>>, LayersError> {
    // Beside a step's input and output stacks a copy of one of them may exist.
    let entry = 2 * peak_entry(meter.network) * images as u64;
    let beside = if meter.options.split == SplitBy::Octave { octaves::BESIDE } else { 0 };
    let fixed = 1 + beside + fixed_tangents(meter, true).count as u64;
    let room = (meter.options.memory / entry.max(1)).saturating_sub(fixed);
    let needs = |layer: usize| meter.plan.layers[layer].carries.len() as u64;
    let layers = meter.plan.layers.len();
    let most = (0..layers).map(needs).max().unwrap_or(1);
    if room < most {
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        return Err(LayersError::Memory {
            given: meter.options.memory >> 20,
            needed: mib(entry * (fixed + most)),
            images,
        });
    }
    let (mut ranges, mut start, mut taken) = (Vec::new(), 0, 0);
    for layer in 0..layers {
        if taken + needs(layer) > room {
            ranges.push(start..layer);
            (start, taken) = (layer, 0);
        }
        taken += needs(layer);
    }
    ranges.push(start..layers);
    Ok(ranges)
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
    let by_cause = meter.options.split == SplitBy::Cause;
    let spectral = next(by_cause && meter.options.scheme != Scheme::Spectral);
    let saturation = next(by_cause && meter.motion.is_mixed());
    let whole = next(first);
    Fixed { spectral, saturation, whole, count }
}

impl<'m, 'n> Sweep<'m, 'n> {
    fn new(meter: &'m LayerMeter<'n>, images: i64, layers: Range<usize>, first: bool, outcome: Found) -> Self {
        let generator = &meter.options.generator;
        let saturation = saturating(generator).unwrap_or_else(|| generator.clone());
        let (kind, device) = (meter.network.kind(), meter.network.device());
        let fixed = fixed_tangents(meter, first);
        let firsts: Vec<i64> = meter.plan.firsts().collect();
        let before = firsts.get(layers.start).copied().unwrap_or(0);
        let octaves = (meter.options.split == SplitBy::Octave).then(|| {
            let steps = meter.plan.layers[layers.clone()].iter().flat_map(|layer| layer.steps.iter().copied());
            Octaves::new(meter.network, meter.options.boundary, steps)
        });
        Self {
            meter,
            images,
            main: meter.actor(),
            spectral: meter.actor_of(generator, Scheme::Spectral),
            saturating: meter.actor_of(&saturation, Scheme::Spectral),
            actions: Actions::new(Scheme::Spectral, meter.options.boundary, kind, device),
            periodic: Periodic::new(kind, device),
            octaves,
            firsts: firsts.into_iter().map(|first| fixed.count + first - before).collect(),
            fixed,
            layers,
            outcome,
        }
    }

    /// L and the output, in the first sweep, and J δ of this sweep's layers, `[tangents, images, output shape…]`.
    fn run(&mut self, x: &Tensor, progress: &mut dyn FnMut(usize)) -> Result<Pushed, LayersError> {
        let input = self.input(x)?;
        let network = self.meter.network;
        let output =
            network.walk(input, &mut Attribution { sweep: self, plane: OnPlane::default(), at: 0, progress })?;
        self.output(output)
    }

    /// The tangents that a step's outputs have once their own defects have joined.
    fn room(&self, step: &Step) -> i64 {
        let tangents = |id: &usize| match self.meter.plan.roles[*id] {
            Role::Source(layer) if self.layers.contains(&layer) => self.end(layer),
            _ => 0,
        };
        step.outputs.iter().flatten().map(tangents).max().unwrap_or(0)
    }

    /// Behind the last tangent of a layer of this sweep.
    fn end(&self, layer: usize) -> i64 {
        self.firsts[layer] + self.meter.plan.layers[layer].carries.len() as i64
    }

    /// The tangents of this sweep.
    fn count(&self) -> i64 {
        self.layers.clone().last().map_or(self.fixed.count, |last| self.end(last))
    }

    fn input(&mut self, x: &Tensor) -> Result<Value, LayersError> {
        let layout = &self.meter.network.input().layout;
        let action = self.main.on(layout, x)?;
        let mut stack = vec![x.shallow_clone(), action.shallow_clone()];
        if self.fixed.spectral.is_some() {
            stack.push(self.spectral.on(layout, x)?);
        }
        if self.fixed.saturation.is_some() {
            stack.push(self.saturating.on(layout, x)?);
        }
        if self.fixed.whole.is_some() {
            stack.push(action);
        }
        let stack = self.meter.network.prepared(&Tensor::f_cat(&stack, 0)?)?;
        Ok(Value { stack, tangents: self.fixed.count })
    }

    /// What a node with a window does on a plane without an edge; nothing of other nodes.
    fn on_plane(&mut self, step: &Step, inputs: &[&Value]) -> Result<OnPlane, LayersError> {
        let meter = self.meter;
        for &id in step.outputs.iter().flatten() {
            let (Role::Source(layer), Split::Sampling(sampling)) = (meter.plan.roles[id], &meter.plan.splits[id])
            else {
                continue;
            };
            let (Some(field), [input]) = (&meter.motion.field, inputs) else { continue };
            if input.tangents == 0 || !self.layers.contains(&layer) || !meter.plan.layers[layer].tells_parts() {
                continue;
            }
            let x = input.primal(self.images)?;
            let x = Unbounded::of(&x)?.zeroed(&x)?;
            let shape = &meter.network.values()[id].shape;
            return Ok(sampling.on_plane(step, &x, field, (&mut self.actions, &mut self.periodic), shape)?);
        }
        Ok(OnPlane::default())
    }

    /// Puts the value's own actions in place of the pushed ones, and the difference into the layer's tangents.
    fn at_source(
        &mut self,
        step: &Step,
        id: usize,
        layer: usize,
        value: Value,
        plane: &OnPlane,
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
        let spectral = self.fixed.spectral.map(|at| defect(&mut self.spectral, at, &mut own)).transpose()?;
        let saturated = self.fixed.saturation.map(|at| defect(&mut self.saturating, at, &mut own)).transpose()?;
        let joins = self.layers.contains(&layer);
        let parts = match joins {
            true => self.parts((id, layer), Defect { whole, spectral, saturated }, plane, (&y, &unbounded))?,
            false => Vec::new(),
        };
        let wanted = if joins { self.end(layer) } else { 0 };
        let value = owned(value, images, wanted, step.operator.is_fresh())?;
        for (at, action) in own {
            value.tangents_from(images, at, 1)?.f_copy_(&action)?;
        }
        for (carried, part) in &parts {
            let place = meter.plan.layers[layer].carries.iter().position(|other| other == carried);
            debug_assert!(place.is_some(), "{carried:?} of '{}' has no tangent", step.name);
            if let Some(place) = place {
                let _ = value.tangents_from(images, self.firsts[layer] + place as i64, 1)?.f_add_(part)?;
            }
        }
        if let (Some(whole), true) = (self.fixed.whole, self.meter.plan.layers[layer].closes == id) {
            let action = unbounded.zeroed(&value.tangents_from(images, ACTION, 1)?)?;
            let error = unbounded.zeroed(&value.tangents_from(images, whole, 1)?.f_sub(&action)?)?;
            let dim = (error.numel() as f64 / images as f64).max(1.0);
            self.outcome.local[layer] = [squared_norm(&error)? / dim, squared_norm(&action)? / dim];
        }
        Ok(value)
    }

    /// What joins the layer's tangents: they add up to the defect.
    fn parts(
        &mut self,
        (id, layer): (usize, usize),
        defect: Defect,
        plane: &OnPlane,
        (y, unbounded): (&Tensor, &Unbounded),
    ) -> Result<Vec<(Carried, Tensor)>, LayersError> {
        use DefectPart::{Aliasing, Boundary, Discretisation, Kernel};
        let Defect { whole, spectral, saturated } = defect;
        let mut parts = Vec::new();
        if let Some(spectral) = &spectral {
            parts.push((Carried::Part(Discretisation), whole.f_sub(spectral)?));
        }
        let spectral = spectral.unwrap_or(whole);
        if let Some(octaves) = &self.octaves {
            return by_octave(octaves, id, &spectral, self.images, unbounded, |y| {
                self.meter.own_action(id, &mut self.main, y)
            });
        }
        if !self.meter.plan.layers[layer].tells_parts() {
            parts.push((Carried::Whole, spectral));
            return Ok(parts);
        }
        let motion = match &saturated {
            Some(saturated) => spectral.f_sub(saturated)?,
            None => spectral,
        };
        let mut told = Vec::new();
        match &self.meter.plan.splits[id] {
            Split::Pointwise => told.push((Aliasing, motion)),
            Split::Plane | Split::Whole => told.push((Kernel, motion)),
            Split::Sampling(_) | Split::Mean { .. } => {
                let kernel = match &self.meter.plan.splits[id] {
                    Split::Mean { divergence } if *divergence != 0.0 => Some(y.f_mul_scalar(-divergence)?),
                    _ => plane.kernel.as_ref().map(Tensor::shallow_clone),
                };
                let aliasing = plane.aliasing.as_ref().map(Tensor::shallow_clone);
                let mut rest = motion;
                for (part, on_plane) in [(Aliasing, aliasing), (Kernel, kernel)] {
                    let Some(on_plane) = on_plane else { continue };
                    let on_plane = unbounded.zeroed(&on_plane)?;
                    rest = rest.f_sub(&on_plane)?;
                    told.push((part, on_plane));
                }
                told.push((Boundary, rest));
            }
        }
        told.extend(saturated.map(|saturated| (Kernel, saturated)));
        parts.extend(told.into_iter().map(|(part, tensor)| (Carried::Part(part), tensor)));
        Ok(parts)
    }

    /// Through the softmax behind the output, and apart.
    fn output(&mut self, output: Value) -> Result<Pushed, LayersError> {
        let wanted = self.count();
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
                Some((whole.f_sub(&action)?, value.copy()))
            }
            None => None,
        };
        Ok((lie, tangents.f_narrow(0, self.fixed.count, wanted - self.fixed.count)?))
    }
}

/// L and the network's output, in the first sweep, and what layers' tangents become.
type Pushed = (Option<(Tensor, Tensor)>, Tensor);

/// The defect of a node, and what of it comes from less than all that is asked for.
struct Defect {
    whole: Tensor,
    /// Under the spectral derivative, where another one is asked for.
    spectral: Option<Tensor>,
    /// Under saturation alone, where positions move as well.
    saturated: Option<Tensor>,
}

/// A sweep on its way through the network.
struct Attribution<'s, 'm, 'n> {
    sweep: &'s mut Sweep<'m, 'n>,
    /// What the step that has just run does on a plane without an edge.
    plane: OnPlane,
    /// Steps done.
    at: usize,
    progress: &'s mut dyn FnMut(usize),
}

impl Visitor for Attribution<'_, '_, '_> {
    type Value = Value;
    type Error = LayersError;

    fn outputs(&mut self, step: &Step, inputs: &[&Value]) -> Result<Vec<Value>, LayersError> {
        // Before the step runs: it may write over its input.
        self.plane = self.sweep.on_plane(step, inputs)?;
        let Sweep { octaves, meter, main, images, .. } = &mut *self.sweep;
        if let Some(octaves) = octaves {
            octaves.run(meter.network, (self.at, step), inputs, *images, main)?;
        }
        Ok(self.sweep.meter.network.apply(step, inputs, self.sweep.images, self.sweep.room(step))?)
    }

    fn made(&mut self, step: &Step, id: usize, value: Value) -> Result<Value, LayersError> {
        match self.sweep.meter.plan.roles[id] {
            Role::Source(layer) if value.tangents > 0 => self.sweep.at_source(step, id, layer, value, &self.plane),
            _ => Ok(value),
        }
    }

    fn done(&mut self, step: &Step) {
        self.plane = OnPlane::default();
        let Sweep { octaves, meter, .. } = &mut *self.sweep;
        if let Some(octaves) = octaves {
            octaves.forget(step, |id| meter.plan.roles[id] == Role::Pushed);
        }
        self.at += 1;
        (self.progress)(self.at);
    }
}

/// What the octaves make of a defect, highest first: they add up to it.
fn by_octave(
    octaves: &Octaves,
    id: usize,
    whole: &Tensor,
    images: i64,
    unbounded: &Unbounded,
    action: impl FnOnce(&Tensor) -> Result<Tensor, LayersError>,
) -> Result<Vec<(Carried, Tensor)>, LayersError> {
    let below = octaves.defects(id, images, action)?;
    let mut parts = Vec::new();
    let mut upper = whole.shallow_clone();
    for (octave, defect) in below.iter().enumerate() {
        let defect = unbounded.zeroed(defect)?;
        parts.push((Carried::Octave(octave), upper.f_sub(&defect)?));
        upper = defect;
    }
    parts.push((Carried::Octave(below.len()), upper));
    Ok(parts)
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
    let positions = map.gather(&defect.f_narrow(0, 0, 1)?)?;
    let (rows, columns) = (map.grid.rows.samples, map.grid.columns.samples);
    let channels = positions.f_reshape([-1, rows as i64, columns as i64])?.f_to_kind(Kind::Double)?;
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
