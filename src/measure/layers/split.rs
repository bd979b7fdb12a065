//! Which parts the defect of a node has, by what the node does to positions.

use crate::graph::layout::{Flow, Layout};
use crate::graph::operator::{Linear, Operator};
use crate::graph::{Network, Step};
use crate::measure::layers_report::DefectPart;
use crate::measure::output_action::OutputAction;

use super::class::{is_constant_along, is_constant_over};
use super::motion::Motion;
use super::reach::is_blockwise;
use super::sampling::{Operation, Sampling};

/// What is known of a node that makes an error.
#[derive(Clone, Debug, Default)]
pub(super) enum Split {
    /// It mixes positions otherwise than under a window, or by weights that differ between positions: of its defect no part
    /// can be told from the others.
    #[default]
    Whole,
    /// It acts position by position, the same everywhere: on a plane it commutes with every motion, so that all of its
    /// defect is aliasing.
    Pointwise,
    /// It moves entries, adds them up where they lie, or adds what does not move: what it does wrong it does on a plane too.
    Plane,
    /// A window.
    Sampling(Box<Sampling>),
    /// A mean over all positions, which content enters and leaves at the edge.
    Mean {
        /// div v: what lies in a region that grows counts for more.
        divergence: f64,
    },
}

impl Split {
    /// The parts that are not zero by construction, discretisation aside; none where no part can be told.
    pub fn parts(&self, motion: &Motion) -> Option<Vec<DefectPart>> {
        use DefectPart::{Aliasing, Boundary, Kernel};
        let has = match self {
            Self::Whole => return None,
            Self::Pointwise => [true, false, false],
            Self::Plane => [false, true, false],
            Self::Sampling(sampling) => [sampling.has_aliasing(), sampling.has_kernel, true],
            Self::Mean { divergence } => [false, *divergence != 0.0, true],
        };
        // Values that do not scale do not scale on a plane either.
        let has = [has[0], has[1] || motion.is_mixed(), has[2]];
        let parts = [Aliasing, Kernel, Boundary].into_iter().zip(has);
        Some(parts.filter(|(_, has)| *has).map(|(part, _)| part).collect())
    }
}

/// What a padding put around a value's rows and columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Padded {
    /// Samples before the first row and column.
    pub begin: [i64; 2],
    /// Rows and columns of the value inside.
    pub inside: [i64; 2],
}

/// A node whose defect is taken at its output `id`; `before` are the places of nodes whose error shows there.
pub(super) struct Site<'a> {
    pub network: &'a Network,
    pub step: &'a Step,
    pub id: usize,
    pub before: &'a [usize],
    /// What a padding node put around each value.
    pub padded: &'a [Option<Padded>],
    /// What the group does to the network's output.
    pub output_action: &'a OutputAction,
}

impl Site<'_> {
    /// How the node's defect is split.
    pub fn split(&self, motion: &Motion) -> Split {
        let Some(field) = &motion.field else { return Split::Plane };
        let (network, step) = (self.network, self.step);
        let output = match self.own_layout() {
            Some(layout) => layout,
            None => return Split::Whole,
        };
        let layouts: Vec<&Layout> = step.inputs.iter().map(|&input| &network.values()[input].layout).collect();
        if let [before] = self.before
            && let [input] = step.inputs[..]
            && let Some(Padded { begin, .. }) = self.padded[input]
        {
            // The padding's own input: what is inside of it.
            let inside = network.steps()[*before].inputs.first().map(|&inner| &network.values()[inner].layout);
            let sampling = inside.and_then(|layout| Sampling::of(step, motion, field, (layout, Some(begin)), &output));
            return sampling.map_or(Split::Whole, |sampling| Split::Sampling(Box::new(sampling)));
        }
        if !self.before.is_empty() {
            return if self.only_moves_entries(&output) { Split::Plane } else { Split::Whole };
        }
        if layouts.iter().all(|layout| matches!(layout, Layout::NonSpatial)) {
            return if output == Layout::NonSpatial { Split::Plane } else { Split::Whole };
        }
        match &output {
            Layout::NonSpatial => self.mean(field.divergence(), &layouts),
            Layout::Map(_) => self.on_map(motion, &layouts, &output),
            Layout::Unknown | Layout::Part(_) => Split::Whole,
        }
    }

    fn on_map(&self, motion: &Motion, layouts: &[&Layout], output: &Layout) -> Split {
        let (Some(field), Layout::Map(to)) = (&motion.field, output) else { return Split::Whole };
        if let [input] = layouts
            && let Some(sampling) = Sampling::of(self.step, motion, field, (input, None), output)
        {
            // What is a block by its places alone is tried out.
            let holds = sampling.operation != Operation::Blocks || self.acts_blockwise(sampling.blocks());
            if holds {
                return Split::Sampling(Box::new(sampling));
            }
        }
        let same_positions = layouts.iter().all(|layout| match layout {
            Layout::Map(from) => {
                from.grid.rows.samples == to.grid.rows.samples && from.grid.columns.samples == to.grid.columns.samples
            }
            Layout::NonSpatial => true,
            Layout::Unknown | Layout::Part(_) => false,
        });
        if !same_positions {
            return Split::Whole;
        }
        match &*self.step.operator {
            Operator::Linear(op) if self.adds_to_positions(op.as_ref(), &to.axes) => Split::Plane,
            Operator::Linear(_) if self.acts_blockwise([1, 1]) => Split::Plane,
            Operator::Linear(_) => Split::Whole,
            _ => {
                let agree = layouts.iter().all(|layout| match layout {
                    Layout::Map(from) => from.grid.agrees_with(&to.grid),
                    _ => true,
                });
                if agree && self.acts_blockwise([1, 1]) { Split::Pointwise } else { Split::Whole }
            }
        }
    }

    /// Whether an operator adds constants that differ between positions, and multiplies by none.
    fn adds_to_positions(&self, op: &dyn Linear, axes: &[i64]) -> bool {
        let Some(offset) = op.offset() else { return false };
        let adds = matches!(self.step.op_type.as_str(), "Add" | "Sub" | "Sum");
        let others = op.constants().into_iter().filter(|c| !std::ptr::eq(*c, offset));
        adds && !is_constant_along(offset, axes) && others.into_iter().all(|c| is_constant_along(c, axes))
    }

    fn acts_blockwise(&self, blocks: [i64; 2]) -> bool {
        match &self.network.values()[self.id].layout {
            Layout::Map(to) => is_blockwise(self.network, self.step, self.id, to, blocks),
            _ => false,
        }
    }

    fn mean(&self, divergence: f64, layouts: &[&Layout]) -> Split {
        let (Operator::Linear(op), Flow::Reduced { axes, .. }) = (&*self.step.operator, &self.step.flow) else {
            return Split::Whole;
        };
        let [Layout::Map(map)] = layouts else { return Split::Whole };
        let all = map.places.is_none() && map.channels.is_none() && map.axes.iter().all(|axis| axes.contains(axis));
        let evenly = !op.pattern().selects() && is_constant_over(op.as_ref(), &map.axes);
        if all && evenly { Split::Mean { divergence } } else { Split::Whole }
    }

    /// Whether the node and those before it only move entries, to where they lie.
    fn only_moves_entries(&self, output: &Layout) -> bool {
        let Layout::Map(to) = output else { return false };
        let steps = || self.before.iter().map(|&at| &self.network.steps()[at]).chain([self.step]);
        let made: Vec<usize> = steps().flat_map(|step| step.outputs.iter().flatten().copied()).collect();
        let outside = steps().flat_map(|step| &step.inputs).filter(|input| !made.contains(input));
        let moves = |step: &Step| matches!(&*step.operator, Operator::Linear(op) if op.pattern().selects());
        steps().all(moves)
            && outside.into_iter().all(|&input| match &self.network.values()[input].layout {
                Layout::Map(from) => from.grid.agrees_with(&to.grid),
                _ => false,
            })
    }

    /// Where the action has the output's entries; none where it does more than move them.
    fn own_layout(&self) -> Option<Layout> {
        let info = &self.network.values()[self.id];
        if self.id != self.network.output_id() {
            return Some(info.layout.clone());
        }
        match (self.output_action, &info.layout) {
            (OutputAction::None, Layout::NonSpatial) | (OutputAction::Image(_) | OutputAction::Tokens(_), _) => {
                Some(self.output_action.layout())
            }
            // Tokens that are given as they are, and vectors whose entries move otherwise.
            _ => None,
        }
    }
}
