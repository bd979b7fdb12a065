//! Putting designs into a model.

use std::collections::HashSet;
use std::rc::Rc;

use super::graph_index::{GraphIndex, name_of};
use super::insertion::Insertion;
use super::sites::{FunctionSite, SiteKind, Strided};
use super::target_model::TargetModel;
use super::{SurgeryError, What};
use crate::antialias::onnx_form::{OnnxSite, int, ints};
use crate::antialias::operator;
use crate::graph::custom::{CUSTOM_DOMAIN, CustomOperators};
use crate::graph::onnx::OnnxFile;
use crate::graph::onnx::proto::{
    DimensionValue, GraphProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TypeValue,
};
use crate::graph::{Built, LoadOptions, Network, ops};

/// The metadata key under which a saved model says what was put into it.
pub const SURGERY_KEY: &str = "aliascope.surgery";

/// How designs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One node each, whose operator is the design: every design, in memory alone.
    Memory,
    /// ONNX's own operators.
    Onnx,
}

/// A model with designs in it.
#[derive(Debug)]
pub struct Rewritten {
    /// The rewritten file.
    pub file: OnnxFile,
    /// Operators of its nodes that are no ONNX; none for [`Form::Onnx`].
    pub custom: CustomOperators,
    /// Per insertion: the names of the nodes that a plain network would have in the place of others. See [`Swap`].
    pub swaps: Vec<Swap>,
}

/// What one insertion changed, by the names of values that nodes write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    /// Written by nodes of the target model that the rewritten network does not have, or has at stride 1.
    pub before: Vec<String>,
    /// Written by the nodes that stand there now, in order.
    pub after: Vec<String>,
    /// Written by nodes between a stride and its design, which see the finer map now: before, and under what name now.
    pub between: Vec<(String, String)>,
}

impl TargetModel<'_> {
    /// The network of a rewritten model, loaded as the target model was.
    ///
    /// # Errors
    /// When it does not load.
    pub fn load(&self, rewritten: &Rewritten) -> Result<Network, SurgeryError> {
        let options = LoadOptions {
            input_shape: Some(self.network.file_shape()),
            layout: Some(self.network.input_layout()),
            kind: self.network.kind(),
            device: self.network.device(),
            target: self.network.target().clone(),
            // What is refused was refused when the network was loaded.
            straight_through: true,
        };
        Ok(Network::from_file_with(&rewritten.file, &options, &rewritten.custom)?)
    }

    /// The model with insertions in it.
    ///
    /// # Errors
    /// For [`Form::Onnx`], a design that ONNX cannot say, or an opset that does not have its operators.
    pub fn rewrite(&self, insertions: &[&Insertion], form: Form) -> Result<Rewritten, SurgeryError> {
        let index = GraphIndex::new(self.file)?;
        let mut rewriting = Rewriting {
            file: self.file,
            slots: index.graph.node.iter().map(|node| vec![node.clone()]).collect(),
            constants: Vec::new(),
            custom: CustomOperators::default(),
            taken: index.graph.node.iter().map(name_of).collect(),
            stale: HashSet::new(),
            form,
            double: is_double(index.graph),
        };
        if form == Form::Onnx {
            rewriting.check_precision()?;
        }
        let mut swaps: Vec<Option<Swap>> = vec![None; insertions.len()];
        // Functions first: a downsampling may have to follow one.
        for (at, insertion) in insertions.iter().enumerate() {
            if let SiteKind::Function(function) = &insertion.site.kind {
                let own = insertion.among(insertions);
                swaps[at] = Some(rewriting.replace_function(&index, &own, function)?);
            }
        }
        for (at, insertion) in insertions.iter().enumerate() {
            if let SiteKind::Strided(strided) = &insertion.site.kind {
                let (swap, [exit, fine]) = rewriting.replace_stride(&index, insertion, strided)?;
                // A function in front of it writes to the finer map now.
                for name in swaps.iter_mut().flatten().flat_map(|swap| &mut swap.after).filter(|name| **name == exit) {
                    name.clone_from(&fine);
                }
                swaps[at] = Some(swap);
            }
        }
        let (file, custom) = rewriting.finish(self.network, insertions)?;
        Ok(Rewritten { file, custom, swaps: swaps.into_iter().flatten().collect() })
    }
}

/// Whether the input is of double precision.
fn is_double(graph: &GraphProto) -> bool {
    element_type(graph) == Some(11)
}

fn element_type(graph: &GraphProto) -> Option<i32> {
    match graph.input.first()?.r#type.as_ref()?.value.as_ref()? {
        TypeValue::Tensor(tensor) => tensor.elem_type,
        _ => None,
    }
}

struct Rewriting<'a> {
    file: &'a OnnxFile,
    /// Per node of the target model: what stands in its place.
    slots: Vec<Vec<NodeProto>>,
    constants: Vec<TensorProto>,
    custom: CustomOperators,
    taken: HashSet<String>,
    /// Values whose stated shapes no longer hold.
    stale: HashSet<String>,
    form: Form,
    double: bool,
}

impl Rewriting<'_> {
    fn check_precision(&self) -> Result<(), SurgeryError> {
        let graph = self.file.graph()?;
        if matches!(element_type(graph), Some(10 | 16)) {
            return Err(SurgeryError::NotSaved(
                "it takes half precision, and designs are written in single or double".to_owned(),
            ));
        }
        Ok(())
    }

    /// The nodes of an insertion from `input` to `output`, and the names of what they write.
    fn nodes(&mut self, insertion: &Insertion, input: &str, output: &str) -> Result<Vec<NodeProto>, SurgeryError> {
        let name = insertion.node_name(&self.taken);
        self.taken.insert(name.clone());
        if self.form == Form::Memory {
            let design = Rc::clone(&insertion.design);
            let padding = insertion.padding;
            // What an operator is called in tables.
            let stride = insertion.stride();
            let base = if stride > 1 { format!("{} /{stride}", design.name()) } else { design.name() };
            // Two designs of one name may differ: polynomials fitted to different ranges.
            let key = (1..).map(|n| if n == 1 { base.clone() } else { format!("{base} ({n})") });
            let key = key.take(10_000).find(|key| self.custom.get(key).is_none()).unwrap_or(base);
            self.custom.insert(
                key.clone(),
                Rc::new(move |shape: &[i64]| {
                    let &[_, channels, rows, columns] = shape else {
                        return Err(format!("the design '{}' acts on maps of rows and columns", design.name()));
                    };
                    design
                        .check([channels, rows, columns].map(|n| n as usize), padding)
                        .map_err(|error| error.to_string())?;
                    Ok(Built { operator: operator(Rc::clone(&design), padding), flow: design.resampling().flow() })
                }),
            );
            return Ok(vec![NodeProto {
                name: Some(name),
                op_type: Some(key),
                domain: Some(CUSTOM_DOMAIN.to_owned()),
                input: vec![input.to_owned()],
                output: vec![output.to_owned()],
                ..Default::default()
            }]);
        }
        let site = OnnxSite {
            input: input.to_owned(),
            output: output.to_owned(),
            prefix: name,
            shape: insertion.shape,
            padding: insertion.padding,
            double: self.double,
        };
        let refused = |source| SurgeryError::NotOnnx { layer: insertion.site.name.clone(), source };
        let form = insertion.design.onnx(&site).map_err(refused)?;
        let opset = self.file.opset("");
        for node in &form.nodes {
            let operator = node.op_type.as_deref().unwrap_or("");
            // Pad takes its widths as an input, and Clip its bounds, from 11 on.
            let since = ops::find("", operator).map_or(1, |entry| entry.since).max(11);
            if opset < since {
                return Err(SurgeryError::NotSaved(format!(
                    "the design '{}' at '{}' is written with {operator}, which needs opset {since}, and the model has \
                     opset {opset}; convert or export it with a newer one",
                    insertion.design.name(),
                    insertion.site.name
                )));
            }
        }
        self.constants.extend(form.constants);
        self.taken.extend(form.nodes.iter().map(name_of));
        Ok(form.nodes)
    }

    fn replace_function(
        &mut self,
        index: &GraphIndex<'_>,
        insertion: &Insertion,
        function: &FunctionSite,
    ) -> Result<Swap, SurgeryError> {
        let nodes = self.nodes(insertion, &function.input, &function.output)?;
        let before = function.nodes.iter().flat_map(|&at| index.node(at).output.clone()).collect();
        let after = nodes.iter().flat_map(|node| node.output.clone()).collect();
        for &at in &function.nodes {
            self.stale.extend(index.node(at).output.iter().filter(|name| **name != function.output).cloned());
            self.slots[at].clear();
        }
        if let Some(&last) = function.nodes.last() {
            self.slots[last] = nodes;
        }
        Ok(Swap { before, after, between: Vec::new() })
    }

    fn replace_stride(
        &mut self,
        index: &GraphIndex<'_>,
        insertion: &Insertion,
        strided: &Strided,
    ) -> Result<(Swap, [String; 2]), SurgeryError> {
        let node = index.node(strided.node);
        let own = node.output.first().cloned().unwrap_or_default();
        if let Some(slot) = self.slots[strided.node].first_mut() {
            *slot = at_stride_one(node, strided, &insertion.end);
        }
        let region = strided.activation.as_ref().filter(|_| insertion.after_activation);
        let exit = region.map_or(own.clone(), |region| region.exit.clone());
        self.stale.insert(own.clone());
        for &at in region.iter().flat_map(|region| &region.nodes) {
            self.stale.extend(index.node(at).output.iter().filter(|name| **name != exit).cloned());
        }
        let fine = (1..)
            .map(|n| if n == 1 { format!("{exit}/fine") } else { format!("{exit}/fine.{n}") })
            .find(|name| !index.producer.contains_key(name.as_str()))
            .unwrap_or_else(|| exit.clone());
        let slot = *index.producer.get(exit.as_str()).unwrap_or(&strided.node);
        for output in self.slots[slot].iter_mut().flat_map(|node| &mut node.output).filter(|output| **output == exit) {
            output.clone_from(&fine);
        }
        let nodes = self.nodes(insertion, &fine, &exit)?;
        let mut after = vec![if exit == own { fine.clone() } else { own.clone() }];
        after.extend(nodes.iter().flat_map(|node| node.output.clone()));
        self.slots[slot].extend(nodes);
        let renamed = |name: &String| if *name == exit { fine.clone() } else { name.clone() };
        let between = region.iter().flat_map(|region| &region.nodes).flat_map(|&at| &index.node(at).output);
        let between = between.map(|name| (name.clone(), renamed(name))).collect();
        Ok((Swap { before: vec![own], after, between }, [exit, fine]))
    }

    fn finish(self, network: &Network, insertions: &[&Insertion]) -> Result<(OnnxFile, CustomOperators), SurgeryError> {
        let mut file = self.file.clone();
        let form = self.form;
        let Some(graph) = &mut file.model.graph else { return Ok((file, self.custom)) };
        graph.node = self.slots.into_iter().flatten().collect();
        graph.initializer.extend(self.constants);
        graph.value_info.retain(|value| !self.stale.contains(value.name.as_deref().unwrap_or("")));
        if form == Form::Onnx {
            fix_input(graph, &network.input().name, &network.input().shape);
            note(&mut file, insertions);
        } else {
            let domain = OperatorSetIdProto { domain: Some(CUSTOM_DOMAIN.to_owned()), version: Some(1) };
            file.model.opset_import.push(domain);
        }
        Ok((file, self.custom))
    }
}

/// The node with its window at every sample.
fn at_stride_one(node: &NodeProto, strided: &Strided, end: &[i64]) -> NodeProto {
    let mut node = node.clone();
    node.attribute.retain(|a| !matches!(a.name.as_deref(), Some("strides" | "pads" | "auto_pad" | "ceil_mode")));
    let pads = [strided.window.begin.as_slice(), end].concat();
    node.attribute.push(ints("strides", &[1, 1]));
    node.attribute.push(ints("pads", &pads));
    if strided.what != What::Convolution {
        node.attribute.push(int("ceil_mode", 0));
    }
    node
}

/// Rows and columns that were open: padding and constants are those of this size.
fn fix_input(graph: &mut GraphProto, name: &str, shape: &[i64]) {
    let Some(input) = graph.input.iter_mut().find(|input| input.name.as_deref() == Some(name)) else { return };
    let Some(TypeValue::Tensor(tensor)) = input.r#type.as_mut().and_then(|t| t.value.as_mut()) else { return };
    let Some(stated) = &mut tensor.shape else { return };
    for (dim, &n) in stated.dim.iter_mut().zip(shape).skip(1) {
        if !matches!(dim.value, Some(DimensionValue::Value(stated)) if stated > 0) {
            dim.value = Some(DimensionValue::Value(n));
        }
    }
}

/// Says in the metadata what was put where.
fn note(file: &mut OnnxFile, insertions: &[&Insertion]) {
    let lines: Vec<String> = insertions
        .iter()
        .map(|insertion| {
            format!("{} after {} ({} padding)", insertion.design.name(), insertion.follows(), insertion.padding)
        })
        .collect();
    let entries = &mut file.model.metadata_props;
    let earlier = entries.iter_mut().find(|entry| entry.key.as_deref() == Some(SURGERY_KEY));
    let text = lines.join("; ");
    match earlier {
        Some(entry) => entry.value = Some(format!("{}; {text}", entry.value.clone().unwrap_or_default())),
        None => {
            entries.push(StringStringEntryProto { key: Some(SURGERY_KEY.to_owned()), value: Some(text) });
        }
    }
}
