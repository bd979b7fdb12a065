//! From a file to a [`Network`]: constants folded, shapes known, operators built.
//!
//! Nodes are visited once, in order. A node whose inputs are all constant is evaluated and becomes a constant; every
//! other is built into an operator and run on a zero image, which tells its outputs' shapes. So
//! arithmetic on shapes needs no inference of its own.

mod constants;
mod entry;
mod functions;
mod input_layout;
mod missing;
mod node;
mod opsets;
mod options;
mod padding;
mod sequence;
mod target;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use tch::Tensor;

use crate::symmetry::{Grid, GridKind};

use super::builder::Slot;
use super::custom::CustomOperators;
use super::error::GraphError;
use super::fusion;
use super::guard;
use super::inline;
use super::labels::Labels;
use super::layout::{Layout, plane};
use super::memory_format;
use super::network::{Network, Step, ValueInfo};
use super::onnx::proto::{FunctionProto, GraphProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto};
use super::onnx::{Modules, OnnxFile, opset_of, read_model};
use super::parts;

pub use missing::{MissingOperator, missing_operators};

use functions::{FunctionKey, functions};
pub use input_layout::{InputLayout, Integers};
pub use options::LoadOptions;
use target::Found;
pub use target::Target;

impl Network {
    /// Loads an ONNX file.
    ///
    /// # Errors
    /// When the file is damaged, leaves its input's size open, or uses something that is not supported: the message
    /// names node, operator and attribute.
    pub fn load(path: &Path, options: &LoadOptions) -> Result<Self, GraphError> {
        Self::from_file(&Self::read(path)?, options)
    }

    /// Loads an ONNX file as its author meant it: its first output, in single precision, on the processor.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, GraphError> {
        Self::load(path.as_ref(), &LoadOptions::default())
    }

    /// Reads an ONNX file, as [`load`](Self::load) does before anything else.
    ///
    /// # Errors
    /// When the file is damaged, or of another program.
    pub fn read(path: &Path) -> Result<OnnxFile, GraphError> {
        Ok(read_model(path)?)
    }

    /// Loads a model that is already in memory; `file.path` is for messages and for data beside it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_file(file: &OnnxFile, options: &LoadOptions) -> Result<Self, GraphError> {
        Self::from_file_with(file, options, &CustomOperators::default())
    }

    /// As [`from_file`](Self::from_file), with operators of the caller's for nodes of
    /// [`CUSTOM_DOMAIN`](super::custom::CUSTOM_DOMAIN).
    ///
    /// # Errors
    /// As [`load`](Self::load), and when such a node has no operator or its operator refuses it.
    pub fn from_file_with(
        file: &OnnxFile,
        options: &LoadOptions,
        custom: &CustomOperators,
    ) -> Result<Self, GraphError> {
        let _loading = guard::Loading::begin();
        tch::no_grad(|| Loader::new(file, options, custom)?.load())
    }
}

/// The outputs of a model that depends on no input, in the model's order: what folding makes of constants.
///
/// # Errors
/// As [`Network::load`], and when an output depends on an input.
pub fn evaluate(file: &OnnxFile, options: &LoadOptions) -> Result<Vec<Tensor>, GraphError> {
    let _loading = guard::Loading::begin();
    tch::no_grad(|| Loader::new(file, options, &CustomOperators::default())?.constants())
}

/// What a name stands for.
enum Known {
    Constant(Tensor),
    Varying(usize),
}

struct Loader<'a> {
    file: &'a OnnxFile,
    graph: &'a GraphProto,
    options: &'a LoadOptions,
    custom: &'a CustomOperators,
    initializers: HashMap<&'a str, &'a TensorProto>,
    functions: HashMap<FunctionKey<'a>, &'a FunctionProto>,
    modules: Modules,
    /// What the functions import in which the loader is, the innermost last.
    imports: Vec<&'a [OperatorSetIdProto]>,
    /// Every name that stands for a value somewhere in the graph.
    made: HashSet<String>,
    /// Nodes that stand in other nodes' places, so far; and how deep the loader is in them.
    written: usize,
    depth: usize,
    known: HashMap<String, Known>,
    /// Lists of values, by the names of their elements.
    sequences: HashMap<String, Vec<String>>,
    /// Values that maxima alone read; and those of them that are padded with −∞, which the maxima do.
    pooled: HashSet<String>,
    paddings: padding::Paddings,
    /// Constants that hold infinity.
    infinite: HashSet<String>,
    /// ONNX's element types of constants that are no initializers, where they are known: those of Constant nodes, and
    /// of what operators that only move entries make of constants.
    constant_types: HashMap<String, i32>,
    /// How many nodes still read a name.
    readers: HashMap<String, usize>,
    steps: Vec<Step>,
    values: Vec<ValueInfo>,
    /// The zero image's values, while something still reads them.
    trace: Vec<Option<Tensor>>,
    /// Positions of the values' entries, where a layout does not say as much, while something still reads them.
    labels: Vec<Option<Labels>>,
}

impl<'a> Loader<'a> {
    fn new(file: &'a OnnxFile, options: &'a LoadOptions, custom: &'a CustomOperators) -> Result<Self, GraphError> {
        let graph = file.graph()?;
        let mut initializers = HashMap::new();
        for tensor in &graph.initializer {
            let name = tensor.name.as_deref().unwrap_or("");
            if initializers.insert(name, tensor).is_some() {
                return Err(wrong(file, format!("the constant '{name}' is there twice; export the model again")));
            }
        }
        if let Some(sparse) = graph.sparse_initializer.first() {
            let name = sparse.values.as_ref().and_then(|v| v.name.as_deref()).unwrap_or("");
            return Err(wrong(file, format!("the sparse constant '{name}' is not supported; save it as a dense one")));
        }
        opsets::check(&file.model.opset_import).map_err(|problem| wrong(file, format!("the model {problem}")))?;
        let functions = functions(file)?;
        Ok(Self {
            file,
            graph,
            options,
            custom,
            initializers,
            functions,
            modules: Modules::of(graph),
            imports: Vec::new(),
            made: HashSet::new(),
            written: 0,
            depth: 0,
            known: HashMap::new(),
            sequences: HashMap::new(),
            pooled: HashSet::new(),
            paddings: padding::Paddings::new(),
            infinite: HashSet::new(),
            constant_types: HashMap::new(),
            readers: HashMap::new(),
            steps: Vec::new(),
            values: Vec::new(),
            trace: Vec::new(),
            labels: Vec::new(),
        })
    }

    /// The opset of a domain's operators: what the innermost function imports, or else the model.
    fn opset(&self, domain: &str) -> Option<i64> {
        let imports = self.imports.iter().rev().copied().chain([self.file.model.opset_import.as_slice()]);
        imports.filter_map(|imports| opset_of(imports, domain)).next()
    }

    fn load(mut self) -> Result<Network, GraphError> {
        let input = entry::only_input(self.file, self.graph, |name| self.initializers.contains_key(name))?;
        let by_metadata = match self.options.input_shape {
            Some(_) => None,
            None => entry::size_by_metadata(self.file, input),
        };
        let given = self.options.input_shape.as_deref().or(by_metadata.as_ref().map(|(shape, _)| shape.as_slice()));
        let shape = entry::input_shape(self.file, input, given)?;
        let name = input.name.clone().unwrap_or_default();
        let found = target::in_file(self.file, self.graph, &self.options.target)?;
        let wanted: Vec<&str> = match &found {
            Found::Value(output) => vec![output],
            Found::Steps => self.graph.output.iter().filter_map(|o| o.name.as_deref()).collect(),
        };
        let nodes = self.nodes_before(&wanted)?;

        let integers = input_layout::integers(self.file, self.graph, input)?;
        let input_layout = input_layout::of(self.file, &name, &shape, &nodes, self.options.layout)?;
        let shape = match (input_layout, &shape[..]) {
            (InputLayout::ChannelsLast, &[n, rows, columns, channels]) => vec![n, channels, rows, columns],
            _ => shape,
        };
        let x = Tensor::f_zeros([&[1], shape.as_slice()].concat(), (self.options.kind, self.options.device));
        let x = x.map_err(|error| match guard::shortage(&error) {
            Some(shortage) => {
                let place = format!("{}: an input of shape [{}]", self.file.path.display(), entry::list(&shape, ", "));
                GraphError::Memory { place, shortage }
            }
            None => error.into(),
        })?;
        let layout = match plane(&shape) {
            Some((rows, columns)) => Layout::planar(Grid::image(rows, columns, GridKind::Tracked)),
            None => Layout::Unknown,
        };
        match input_layout {
            InputLayout::ChannelsFirst => self.define(name.clone(), x, shape, (layout, None)),
            InputLayout::ChannelsLast => {
                let image = format!("{name} (channels first)");
                self.claim(std::slice::from_ref(&image))?;
                self.define(image.clone(), x, shape, (layout, None));
                let node = input_layout::transposition(&image, &name);
                self.count_reads(&node);
                self.visit(&node)?;
            }
        }
        for node in nodes {
            self.visit(node).map_err(|error| match (&found, &self.options.target) {
                // Where the rest cannot be loaded, the name is sought among the file's nodes alone.
                (Found::Steps, Target::At(given)) => target::missed_in_file(self.file, self.graph, given),
                _ => error,
            })?;
        }
        let output_id = match (&found, &self.options.target) {
            (Found::Steps, Target::At(given)) => target::in_steps(self.file, &self.steps, &self.values, given)?,
            (Found::Steps, Target::First | Target::Output(_)) => 0,
            (Found::Value(output), _) => match self.known.get(output) {
                Some(Known::Varying(id)) => *id,
                Some(Known::Constant(_)) => {
                    let problem = format!("the output '{output}' does not depend on the input '{name}'");
                    return Err(wrong(self.file, problem));
                }
                None => {
                    let problem = format!("no node makes the output '{output}'; export the model again");
                    return Err(wrong(self.file, problem));
                }
            },
        };
        self.check_shapes(input)?;
        if matches!(found, Found::Steps) {
            self.steps = target::steps_before(self.steps, self.values.len(), output_id);
        }
        parts::settle(&self.steps, &mut self.values, output_id);
        fusion::set_lifetimes(&mut self.steps, self.values.len(), output_id);
        let target = match &self.options.target {
            // By the value's name, which stays when a node gives way to others.
            Target::At(_) => Target::At(self.values[output_id].name.clone()),
            other => other.clone(),
        };
        let other_outputs = match (&self.options.target, &found) {
            (Target::First | Target::Output(_), Found::Value(output)) => {
                self.graph.output.iter().filter_map(|o| o.name.clone()).filter(|name| name != output).collect()
            }
            _ => Vec::new(),
        };
        let entry = |p: &super::onnx::proto::StringStringEntryProto| Some((p.key.clone()?, p.value.clone()?));
        let format = memory_format::of_kind(self.options.kind);
        let mut network = Network {
            path: self.file.path.clone(),
            files: self.file.files(),
            steps: self.steps,
            fused: Vec::new(),
            values: self.values,
            output: output_id,
            metadata: self.file.model.metadata_props.iter().filter_map(entry).collect(),
            target,
            input_layout,
            integers,
            sized_by: by_metadata.map(|(_, program)| program),
            other_outputs,
            kind: self.options.kind,
            device: self.options.device,
            straight_through: self.options.straight_through,
            format,
        };
        network.set_memory_format(format)?;
        Ok(network)
    }

    fn constants(mut self) -> Result<Vec<Tensor>, GraphError> {
        let outputs: Vec<&str> = self.graph.output.iter().filter_map(|o| o.name.as_deref()).collect();
        for node in self.nodes_before(&outputs)? {
            self.visit(node)?;
        }
        outputs
            .iter()
            .map(|name| match self.slot("", "output", name)? {
                Some(Slot::Constant(tensor)) => Ok(tensor),
                _ => Err(wrong(self.file, format!("the output '{name}' depends on an input"))),
            })
            .collect()
    }

    /// The nodes on which outputs depend, in the file's order; counts readers of every name on the way.
    fn nodes_before(&mut self, outputs: &[&str]) -> Result<Vec<&'a NodeProto>, GraphError> {
        for input in &self.graph.input {
            self.made.extend(input.name.clone());
        }
        self.made.extend(self.initializers.keys().map(|name| (*name).to_owned()));
        for node in &self.graph.node {
            self.claim(&node.output)?;
        }
        let nodes = needed(&self.graph.node, outputs);
        let mut names = HashSet::new();
        for name in nodes.iter().filter_map(|node| node.name.as_deref()).filter(|name| !name.is_empty()) {
            if !names.insert(name) {
                return Err(wrong(self.file, format!("two nodes are called '{name}'; export the model again")));
            }
        }
        nodes.iter().for_each(|node| self.count_reads(node));
        self.pooled = padding::read_by_maxima(nodes.iter().copied(), outputs);
        for output in outputs {
            *self.readers.entry((*output).to_owned()).or_default() += 1;
        }
        Ok(nodes)
    }

    /// Takes names for the values that a node makes.
    fn claim(&mut self, names: &[String]) -> Result<(), GraphError> {
        for name in names.iter().filter(|name| !name.is_empty()) {
            if !self.made.insert(name.clone()) {
                return Err(wrong(self.file, format!("the value '{name}' is made twice; export the model again")));
            }
        }
        Ok(())
    }

    fn count_reads(&mut self, node: &NodeProto) {
        for name in reads(node) {
            *self.readers.entry(name.to_owned()).or_default() += 1;
        }
    }

    fn define(&mut self, name: String, stack: Tensor, shape: Vec<i64>, (layout, labels): (Layout, Option<Labels>)) {
        let id = self.values.len();
        let relates = labels.as_ref().is_some_and(Labels::relate);
        self.values.push(ValueInfo { name: name.clone(), shape, kind: stack.kind(), layout, relates });
        self.trace.push(Some(stack));
        self.labels.push(labels);
        self.known.insert(name, Known::Varying(id));
    }

    /// Forgets trace values and constants that no later node reads.
    fn release(&mut self, node: &NodeProto) {
        for name in reads(node) {
            let Some(readers) = self.readers.get_mut(name) else { continue };
            *readers -= 1;
            if *readers == 0 {
                match self.known.get(name) {
                    Some(Known::Varying(id)) => {
                        self.trace[*id] = None;
                        self.labels[*id] = None;
                    }
                    Some(Known::Constant(_)) => {
                        self.known.remove(name);
                    }
                    None => {}
                }
            }
        }
    }

    /// Refuses values whose shapes are not those that the file states.
    ///
    /// Where the file leaves sizes of the input open, what it states of others was made for some sizes or none.
    fn check_shapes(&self, input: &ValueInfoProto) -> Result<(), GraphError> {
        let maker = |id: usize| {
            let step = self.steps.iter().find(|step| step.outputs.contains(&Some(id)));
            step.map_or_else(String::new, |step| format!("node '{}' ({}): ", step.name, step.op_type))
        };
        if entry::stated(input).is_none_or(|sizes| sizes.contains(&None)) {
            return Ok(());
        }
        for info in self.graph.value_info.iter().chain(&self.graph.output) {
            let Some(Known::Varying(id)) = self.known.get(info.name.as_deref().unwrap_or("")) else { continue };
            let (Some(sizes), value) = (entry::stated(info), &self.values[*id]) else { continue };
            let fits = sizes.len() == value.shape.len()
                && sizes.iter().zip(&value.shape).all(|(stated, n)| stated.is_none_or(|stated| stated == *n));
            if !fits {
                return Err(wrong(
                    self.file,
                    format!(
                        "{}its output '{}' has the shape [{}], and the file states [{}]; export the model again",
                        maker(*id),
                        value.name,
                        entry::list(&value.shape, ", "),
                        entry::open(&sizes)
                    ),
                ));
            }
        }
        Ok(())
    }
}

fn wrong(file: &OnnxFile, problem: impl Into<String>) -> GraphError {
    GraphError::Graph { path: file.path.display().to_string(), problem: problem.into() }
}

/// All names that a node and its subgraphs read.
fn reads(node: &NodeProto) -> impl Iterator<Item = &str> {
    let own = node.input.iter().map(String::as_str).filter(|name| !name.is_empty());
    own.chain(inline::subgraph_reads(node))
}

/// The nodes on which outputs depend, in order.
fn needed<'n>(nodes: &'n [NodeProto], outputs: &[&str]) -> Vec<&'n NodeProto> {
    let mut wanted: HashSet<&str> = outputs.iter().copied().collect();
    let mut chosen = Vec::new();
    for node in nodes.iter().rev() {
        if node.output.iter().any(|name| wanted.contains(name.as_str())) {
            wanted.extend(reads(node));
            chosen.push(node);
        }
    }
    chosen.reverse();
    chosen
}
