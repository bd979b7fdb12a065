//! Which nodes make errors of their own, and how they group into layers.

use std::collections::HashMap;

use crate::graph::layout::{Flow, Layout};
use crate::graph::operator::{Linear, Operator};
use crate::graph::{Network, Step};

use super::SplitBy;
use super::class::{class_of, is_constant_over};
use super::motion::Motion;
use super::split::{Padded, Site, Split};
use crate::measure::grouping::Grouping;
use crate::measure::layers_report::{DefectPart, LayerClass};
use crate::measure::output_action::OutputAction;
use crate::spectrum::octave;

/// A layer: nodes whose errors are added up as vectors.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Layer {
    pub name: String,
    /// The operators of its nodes, each once.
    pub ops: Vec<String>,
    pub module: String,
    pub class: LayerClass,
    /// How many nodes make errors in it.
    pub sources: usize,
    /// The places of its nodes: those that make errors, and those whose error shows at them.
    pub steps: Vec<usize>,
    /// The value whose error is the layer's local one: the last that it makes.
    pub closes: usize,
    /// What its tangents carry, in their order: they add up to its defect.
    pub carries: Vec<Carried>,
}

/// What one tangent of a layer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carried {
    /// The defect under the spectral derivative, of which no part is told.
    Whole,
    /// A part of it.
    Part(DefectPart),
    /// What an octave of what the node reads makes of it, by its place in `octave::edges`.
    Octave(usize),
}

/// What becomes of a value's action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// No layout: the action is the pushed tangent, and the error shows further on.
    Pushed,
    /// The pushed tangent of the inputs' actions is the value's action: no error by construction.
    Exact,
    /// The two differ: the defect belongs to this layer.
    Source(usize),
}

/// The sources of a network.
#[derive(Debug)]
pub(super) struct Plan {
    /// Per value.
    pub roles: Vec<Role>,
    /// Per value: how the defect of the node that makes it is split, where it is a source.
    pub splits: Vec<Split>,
    /// In graph order.
    pub layers: Vec<Layer>,
}

/// How a plan is made.
pub(super) struct PlanOptions<'a> {
    pub grouping: Grouping,
    /// Whether the generator holds saturation, for which an offset is an error.
    pub saturates: bool,
    /// Whether known zeros are computed all the same: a check of the plan itself.
    pub compute_zeros: bool,
    /// What the group does to the output.
    pub output_action: &'a OutputAction,
    /// The motion whose defects are attributed.
    pub motion: &'a Motion,
    /// What they are split by.
    pub split: SplitBy,
    /// Whether the derivative's scheme adds a part of its own to those of other causes.
    pub discretises: bool,
}

impl Plan {
    pub fn new(network: &Network, options: &PlanOptions<'_>) -> Self {
        let values = network.values();
        let mut roles = vec![Role::Exact; values.len()];
        let mut padded = vec![None; values.len()];
        let mut splits = vec![Split::Whole; values.len()];
        let mut pending: Vec<Vec<usize>> = vec![Vec::new(); values.len()];
        let mut layers = Layers { list: Vec::new(), places: HashMap::new(), grouping: options.grouping };
        for (at, step) in network.steps().iter().enumerate() {
            let mut before: Vec<usize> = step.inputs.iter().flat_map(|&id| pending[id].clone()).collect();
            before.sort_unstable();
            before.dedup();
            for &id in step.outputs.iter().flatten() {
                // The output's action is given, whatever its layout.
                let is_output = id == network.output_id();
                let known = !matches!(values[id].layout, Layout::Unknown | Layout::Part(_));
                let still = step
                    .inputs
                    .iter()
                    .all(|&i| matches!(values[i].layout, Layout::NonSpatial) && pending[i].is_empty());
                let exact = before.is_empty() && (is_exact(network, step, id, options) || still && !options.saturates);
                padded[id] = padding(network, step, id).filter(|_| !is_output && before.is_empty());
                let known = known && padded[id].is_none();
                // Saturation moves a pooled value, but not the output.
                let stays = if is_output { still && !options.saturates } else { still || known };
                let moves = is_output && *options.output_action != OutputAction::None;
                let exact = exact && !options.compute_zeros && stays && !moves;
                roles[id] = if exact {
                    Role::Exact
                } else if known || is_output {
                    let class = class_of(network, step, &before);
                    let layer = layers.of(step, class, id);
                    layers.list[layer].steps.push(at);
                    for &earlier in &before {
                        layers.mention(layer, &network.steps()[earlier]);
                        layers.list[layer].steps.push(earlier);
                    }
                    if options.split == SplitBy::Cause {
                        let motion = options.motion;
                        let (padded, output_action) = (&padded, options.output_action);
                        splits[id] = Site { network, step, id, before: &before, padded, output_action }.split(motion);
                    }
                    Role::Source(layer)
                } else {
                    pending[id].clone_from(&before);
                    pending[id].push(at);
                    Role::Pushed
                };
            }
        }
        let mut layers = layers.list;
        for (at, layer) in layers.iter_mut().enumerate() {
            let own = roles.iter().zip(&splits).filter(|(role, _)| **role == Role::Source(at)).map(|(_, split)| split);
            layer.carries = match options.split {
                SplitBy::Nothing => vec![Carried::Whole],
                SplitBy::Octave => (0..octave::BANDS).map(Carried::Octave).collect(),
                SplitBy::Cause => by_cause(own, options),
            };
        }
        Self { roles, splits, layers }
    }
}

/// What the tangents of a layer carry whose nodes' defects are split like this.
fn by_cause<'s>(own: impl Iterator<Item = &'s Split>, options: &PlanOptions<'_>) -> Vec<Carried> {
    let mut carries = match own.map(|split| split.parts(options.motion)).collect::<Option<Vec<_>>>() {
        // A part that one of its nodes has is a part of the layer; where a node has none to tell, neither has it.
        Some(parts) => {
            let has = |part: &DefectPart| parts.iter().flatten().any(|other| other == part);
            DefectPart::ALL.into_iter().filter(has).map(Carried::Part).collect()
        }
        None => vec![Carried::Whole],
    };
    if options.discretises {
        carries.push(Carried::Part(DefectPart::Discretisation));
    }
    carries
}

impl Layer {
    /// Whether parts of its defect are told apart by their causes.
    pub fn tells_parts(&self) -> bool {
        !self.carries.iter().any(|carried| matches!(carried, Carried::Whole | Carried::Octave(_)))
    }
}

impl Plan {
    /// Per layer: the tangents of the layers before it.
    pub fn firsts(&self) -> impl Iterator<Item = i64> + '_ {
        self.layers.iter().scan(0, |first, layer| {
            let own = *first;
            *first += layer.carries.len() as i64;
            Some(own)
        })
    }
}

struct Layers {
    list: Vec<Layer>,
    places: HashMap<(String, LayerClass), usize>,
    grouping: Grouping,
}

impl Layers {
    /// The layer of a node, made at its first source.
    fn of(&mut self, step: &Step, class: LayerClass, closes: usize) -> usize {
        let module = step.module.clone();
        let name = match self.grouping {
            Grouping::Type => class.name().to_owned(),
            Grouping::Module(depth) if !module.is_empty() => cut(&module, depth),
            _ => step.name.clone(),
        };
        let place = self.place(name, class, module);
        let layer = &mut self.list[place];
        layer.sources += 1;
        layer.closes = closes;
        self.mention(place, step);
        place
    }

    fn mention(&mut self, place: usize, step: &Step) {
        let ops = &mut self.list[place].ops;
        if !ops.contains(&step.op_type) {
            ops.push(step.op_type.clone());
        }
    }

    fn place(&mut self, name: String, class: LayerClass, module: String) -> usize {
        *self.places.entry((name.clone(), class)).or_insert_with(|| {
            self.list.push(Layer {
                name,
                ops: Vec::new(),
                module,
                class,
                sources: 0,
                steps: Vec::new(),
                closes: 0,
                carries: Vec::new(),
            });
            self.list.len() - 1
        })
    }
}

/// What a node pads, if it pads a plane by a whole number of samples, or crops nothing.
fn padding(network: &Network, step: &Step, output: usize) -> Option<Padded> {
    let values = network.values();
    let inside = values[*step.inputs.first()?].layout.plane()?;
    let outside = values[output].layout.plane()?;
    let Flow::Resampled { rows, columns } = &step.flow else { return None };
    let begin = [-rows.first as i64, -columns.first as i64];
    let inside = [inside.rows.samples as i64, inside.columns.samples as i64];
    let outside = [outside.rows.samples as i64, outside.columns.samples as i64];
    let fits = (0..2).all(|a| begin[a] >= 0 && outside[a] >= begin[a] + inside[a]);
    (step.op_type == "Pad" && fits && inside != outside).then_some(Padded { begin, inside })
}

/// Whether the action passes through the node as it is, for every input: Dop\[A x\] = A op(x).
fn is_exact(network: &Network, step: &Step, output: usize, options: &PlanOptions<'_>) -> bool {
    let Operator::Linear(op) = &*step.operator else { return false };
    if options.saturates && op.offset().is_some() {
        return false;
    }
    let values = network.values();
    let axes = match &values[output].layout {
        Layout::Unknown | Layout::Part(_) => return false,
        Layout::NonSpatial => Vec::new(),
        Layout::Map(map) => {
            let same = step.inputs.iter().all(|&id| match &values[id].layout {
                Layout::Map(input) => input.grid.agrees_with(&map.grid),
                Layout::NonSpatial => true,
                Layout::Unknown | Layout::Part(_) => false,
            });
            if !same {
                return false;
            }
            map.axes.clone()
        }
    };
    if axes.is_empty() && !step.inputs.iter().all(|&id| matches!(values[id].layout, Layout::NonSpatial)) {
        // Nothing moves behind it, and something moved before: entries without a place, picked out, stay exact.
        return op.pattern().selects();
    }
    let constant_over_positions = is_constant_over(op.as_ref(), &axes);
    match (op.pattern().taps(), &step.flow) {
        (Some(taps), _) => is_pointwise_convolution(op.as_ref(), taps.window),
        // What it joins from constants has no place.
        _ if op.pattern().selects() => true,
        (None, Flow::Pointwise | Flow::Mixed { .. } | Flow::Reduced { .. }) => constant_over_positions,
        _ => false,
    }
}

fn is_pointwise_convolution(op: &dyn Linear, window: &crate::graph::window::Window) -> bool {
    let ones = |values: &[i64]| values.iter().all(|&v| v == 1);
    let none = |values: &[i64]| values.iter().all(|&v| v == 0);
    let bias = op.offset().is_none_or(|offset| offset.dim() < 2 || offset.size()[offset.dim() - 2..] == [1, 1]);
    ones(&window.kernel) && ones(&window.strides) && none(&window.begin) && none(&window.end) && bias
}

fn cut(module: &str, depth: Option<usize>) -> String {
    match depth {
        Some(depth) => module.split('.').take(depth).collect::<Vec<_>>().join("."),
        None => module.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_paths_are_cut_after_so_many_parts() {
        assert_eq!(cut("blocks.1.0.bn1", Some(2)), "blocks.1");
    }
}
