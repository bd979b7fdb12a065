//! A loaded network: operators in order, and what is known of every value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use tch::{Device, Kind, Tensor};

use super::error::GraphError;
use super::layout::{Flow, Layout};
use super::load::{InputLayout, Integers};
use super::memory_format::MemoryFormat;
use super::operator::Operator;
use super::target::Target;

/// One node, ready to run, or several that an unobserved run fuses.
#[derive(Clone, Debug)]
pub struct Step {
    /// The node's name.
    pub name: String,
    /// The path of the module that it came from, as its name or what is written beside it tells; empty where neither
    /// does, and of fused nodes.
    pub module: String,
    /// The ONNX operator; of fused nodes, what they are as one.
    pub op_type: String,
    /// The operator, with constants and shapes resolved. A run of fused nodes shares those of nodes that stay.
    pub operator: Rc<Operator>,
    /// How many nodes it is.
    pub nodes: usize,
    /// What it does to rows and columns; not known of fused nodes.
    pub flow: Flow,
    /// The values that it reads, in the operator's order.
    pub inputs: Vec<usize>,
    /// The values that it writes; none where nothing reads an output.
    pub outputs: Vec<Option<usize>>,
    /// The values that nothing reads after this step.
    pub frees: Vec<usize>,
    /// Whether the first input's memory may be overwritten: it has one reader, and no view of it exists.
    pub may_overwrite: bool,
}

/// Of `values` values, the step that makes each, and the steps that read it, in order.
pub(crate) fn wires(steps: &[Step], values: usize) -> (Vec<Option<usize>>, Vec<Vec<usize>>) {
    let mut writer = vec![None; values];
    let mut readers = vec![Vec::new(); values];
    for (at, step) in steps.iter().enumerate() {
        step.inputs.iter().for_each(|&id| readers[id].push(at));
        step.outputs.iter().flatten().for_each(|&id| writer[id] = Some(at));
    }
    (writer, readers)
}

/// What is known of a value that depends on the network's input.
#[derive(Clone, Debug)]
pub struct ValueInfo {
    /// Its name in the file.
    pub name: String,
    /// Its shape, batch axis included.
    pub shape: Vec<i64>,
    /// Its element kind.
    pub kind: Kind,
    /// Which axes are rows and columns and where they lie in the input plane, in half-widths, where that is certain.
    pub layout: Layout,
    /// Whether its entries relate positions to each other, or channels over all positions, as the weights of an
    /// attention do, or are sums over positions that lie on no grid: it has no rows and columns, and no layout is
    /// missing.
    pub relates: bool,
}

/// Within what an output lies by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Each entry between −1 and 1.
    One,
    /// Probabilities along the last axis.
    Simplex,
}

/// A network, loaded for one input shape, precision and device.
#[derive(Debug)]
pub struct Network {
    pub(super) path: PathBuf,
    pub(super) files: Vec<PathBuf>,
    pub(super) steps: Vec<Step>,
    /// The steps of an unobserved run, in which nodes are fused.
    pub(super) fused: Vec<Step>,
    pub(super) values: Vec<ValueInfo>,
    pub(super) output: usize,
    pub(super) metadata: Vec<(String, String)>,
    /// As it was asked for, an inner value by its whole name.
    pub(super) target: Target,
    pub(super) input_layout: InputLayout,
    pub(super) integers: Option<Integers>,
    pub(super) sized_by: Option<&'static str>,
    pub(super) other_outputs: Vec<String>,
    pub(super) kind: Kind,
    pub(super) device: Device,
    pub(super) straight_through: bool,
    pub(super) format: MemoryFormat,
}

impl Network {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file and those beside it that hold its tensors' data.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Whether derivatives pass the rounding of quantised values.
    pub fn is_straight_through(&self) -> bool {
        self.straight_through
    }

    /// The nodes that the output depends on, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The values that depend on the input; the first is the input itself.
    pub fn values(&self) -> &[ValueInfo] {
        &self.values
    }

    /// The input.
    pub fn input(&self) -> &ValueInfo {
        &self.values[0]
    }

    /// The order of the axes of the file's input. Here the input is `[1, channels, rows, columns]` either way.
    pub fn input_layout(&self) -> InputLayout {
        self.input_layout
    }

    /// The shape of the file's input, in the file's order of axes.
    pub fn file_shape(&self) -> Vec<i64> {
        match (self.input_layout, &self.input().shape[..]) {
            (InputLayout::ChannelsLast, &[n, channels, rows, columns]) => vec![n, rows, columns, channels],
            (_, shape) => shape.to_vec(),
        }
    }

    /// Which integers the file's input holds, before it casts them to floats; nothing where it holds floats.
    pub fn integers(&self) -> Option<Integers> {
        self.integers
    }

    /// The program by whose metadata rows and columns of the input were chosen, which the file leaves open.
    pub fn sized_by(&self) -> Option<&'static str> {
        self.sized_by
    }

    /// The measured output, or inner value.
    pub fn output(&self) -> &ValueInfo {
        &self.values[self.output]
    }

    /// The classes that it has scores for; none where its output is no vector of classes.
    pub fn classes(&self) -> Option<usize> {
        match self.output().shape[..] {
            [1, classes] if classes > 1 => usize::try_from(classes).ok(),
            _ => None,
        }
    }

    /// Refuses a network whose output has no entries, of which there is nothing to measure.
    ///
    /// # Errors
    /// Then; the message names the node that makes it.
    pub fn check_output(&self) -> Result<(), GraphError> {
        let output = self.output();
        if !output.shape.contains(&0) {
            return Ok(());
        }
        let step = self.steps.iter().find(|step| step.outputs.contains(&Some(self.output)));
        let (name, op_type, inputs) =
            step.map_or(("", "", &[][..]), |step| (step.name.as_str(), step.op_type.as_str(), step.inputs.as_slice()));
        let problem = format!("the network's output '{}' of shape {:?} has no entries", output.name, output.shape);
        Err(self.failed(name, op_type, inputs, &problem))
    }

    /// The measured output's place in [`values`](Self::values).
    pub fn output_id(&self) -> usize {
        self.output
    }

    /// Which value is measured, an inner one by its whole name.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Whether what is measured is an inner value and no output of the model.
    pub fn is_inner(&self) -> bool {
        matches!(self.target, Target::At(_))
    }

    /// Refuses a measured value to which no path from the input carries a derivative, or that is no number: it is
    /// constant around almost every input.
    ///
    /// # Errors
    /// Then; the message names the last node that passes no derivative on, and the value before it.
    pub fn check_moves(&self) -> Result<(), GraphError> {
        let mut moves = vec![false; self.values.len()];
        moves[0] = is_float(self.values[0].kind);
        // The last steps that stop a derivative, by what depends on them.
        let mut stopped: Vec<Option<usize>> = vec![None; self.values.len()];
        for (at, step) in self.steps.iter().enumerate() {
            let enters = step.inputs.iter().any(|&id| moves[id]);
            let passes = enters && !matches!(*step.operator, Operator::LocallyConstant(_));
            let before = step.inputs.iter().filter_map(|&id| stopped[id]).max();
            for &id in step.outputs.iter().flatten() {
                moves[id] = passes && is_float(self.values[id].kind);
                stopped[id] = if enters && !moves[id] { Some(at) } else { before };
            }
        }
        if moves[self.output] {
            return Ok(());
        }
        let step = stopped[self.output].map(|at| &self.steps[at]);
        let before = step.and_then(|step| step.inputs.iter().find(|&&id| moves[id]));
        let hint = match before {
            Some(&0) | None => "no node before it makes a value that moves".to_owned(),
            Some(&id) => format!("measure the value before it with --at '{}'", self.values[id].name),
        };
        Err(GraphError::LocallyConstant {
            path: self.path.display().to_string(),
            value: self.output().name.clone(),
            node: step.map_or_else(String::new, |step| format!("'{}' ({})", step.name, step.op_type)),
            hint,
        })
    }

    /// Outputs of the model that are not measured.
    pub fn other_outputs(&self) -> &[String] {
        &self.other_outputs
    }

    /// Whether the measured output is probabilities already: those of a softmax, with axes of one entry put in or taken out
    /// behind it at most.
    pub fn ends_in_softmax(&self) -> bool {
        const ONLY_SHAPE: [&str; 7] = ["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Cast", "Dropout"];
        // Axes of more than one entry: where these are the same, each vector of probabilities is still one.
        let axes = |id: usize| self.values[id].shape.iter().copied().filter(|&n| n != 1).collect::<Vec<_>>();
        let mut at = self.output;
        while let Some(step) = self.steps.iter().rev().find(|step| step.outputs.contains(&Some(at))) {
            match (step.op_type.as_str(), &step.inputs[..]) {
                (op, &[input, ..]) if ONLY_SHAPE.contains(&op) => at = input,
                (last, _) => return last == "Softmax" && axes(at) == axes(self.output),
            }
        }
        false
    }

    /// Within what the measured output lies, where its last operator that does more than move entries says so.
    pub fn bound(&self) -> Option<Bound> {
        if self.ends_in_softmax() {
            return Some(Bound::Simplex);
        }
        let mut at = self.output;
        loop {
            let step = self.steps.iter().rev().find(|step| step.outputs.contains(&Some(at)))?;
            match (&*step.operator, &step.inputs[..]) {
                (Operator::Linear(op), &[input]) if op.pattern().selects() => at = input,
                _ => {
                    let one = matches!(step.op_type.as_str(), "Sigmoid" | "HardSigmoid" | "Tanh" | "Softmax");
                    return one.then_some(Bound::One);
                }
            }
        }
    }

    /// How an unobserved run goes about it, in words: which nodes are fused, and the memory format.
    pub fn describe_run(&self) -> String {
        let mut fused: BTreeMap<&str, usize> = BTreeMap::new();
        for step in self.fused.iter().filter(|step| step.nodes > 1) {
            *fused.entry(&step.op_type).or_default() += 1;
        }
        let parts: Vec<String> = fused.iter().map(|(operator, count)| format!("{count} {operator}")).collect();
        let made = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
        format!("{} nodes run as {} operators{made}, {} in memory", self.steps.len(), self.fused.len(), self.format)
    }

    /// A value of the model's metadata.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// The precision of the run.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The device of the run.
    pub fn device(&self) -> Device {
        self.device
    }

    /// `x` in the run's precision and on its device.
    ///
    /// # Errors
    /// When libtorch cannot allocate it.
    pub fn place(&self, x: &Tensor) -> Result<Tensor, tch::TchError> {
        x.f_to_device(self.device)?.f_to_kind(self.kind)
    }
}

fn is_float(kind: Kind) -> bool {
    matches!(kind, Kind::Float | Kind::Double)
}
