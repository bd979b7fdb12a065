//! Nodes of a subgraph or of a function, brought into the graph that uses them.
//!
//! Values that the inner nodes make get the outer node's output in front, so that a branch of another node, or a second
//! call of the same function, cannot meet them.

use std::collections::{HashMap, HashSet};

use super::onnx::OnnxFile;
use super::onnx::proto::{AttributeProto, FunctionProto, GraphProto, NodeProto};

/// Names that a node reads beside its inputs: those of its subgraphs that they do not make themselves, and others.
pub fn subgraph_reads(node: &NodeProto) -> Vec<&str> {
    let mut reads = Vec::new();
    let mut graphs: Vec<&GraphProto> = subgraphs(node).collect();
    while let Some(graph) = graphs.pop() {
        reads.extend(graph.output.iter().filter_map(|o| o.name.as_deref()));
        for inner in &graph.node {
            reads.extend(inner.input.iter().map(String::as_str));
            graphs.extend(subgraphs(inner));
        }
    }
    reads.retain(|name| !name.is_empty());
    reads
}

fn subgraphs(node: &NodeProto) -> impl Iterator<Item = &GraphProto> {
    node.attribute.iter().flat_map(|a| a.g.iter().map(|g| &**g).chain(&a.graphs))
}

/// New names for the values that a body makes.
struct Renaming {
    /// In front of nodes' names.
    path: String,
    /// In front of values' names: the outer node's first output, which no other node has.
    prefix: String,
    names: HashMap<String, String>,
}

impl Renaming {
    fn new(node: &NodeProto, path: &str) -> Self {
        let prefix = node.output.iter().find(|name| !name.is_empty()).cloned().unwrap_or_default();
        Self { path: path.to_owned(), prefix, names: HashMap::new() }
    }

    fn of(&self, name: &str) -> String {
        self.names.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn make(&mut self, name: &str) {
        if !name.is_empty() && !self.names.contains_key(name) {
            self.names.insert(name.to_owned(), format!("{}/{name}", self.prefix));
        }
    }

    fn node(&self, node: &NodeProto) -> NodeProto {
        let all = |names: &[String]| names.iter().map(|name| self.of(name)).collect();
        let name = node.name.as_deref().filter(|name| !name.is_empty());
        NodeProto {
            name: name.map(|name| format!("{}/{name}", self.path)),
            input: all(&node.input),
            output: all(&node.output),
            attribute: node.attribute.iter().map(|a| self.attribute(a)).collect(),
            ..node.clone()
        }
    }

    /// An attribute whose subgraphs see the new names.
    fn attribute(&self, attribute: &AttributeProto) -> AttributeProto {
        let mut attribute = attribute.clone();
        for graph in attribute.g.as_deref_mut().into_iter().chain(&mut attribute.graphs) {
            self.graph(graph);
        }
        attribute
    }

    /// Names that the subgraph makes itself are its own, although the specification forbids them to be outer ones.
    fn graph(&self, graph: &mut GraphProto) {
        let made =
            graph.node.iter().flat_map(|n| &n.output).chain(graph.initializer.iter().filter_map(|t| t.name.as_ref()));
        let hidden: Vec<String> = made.filter(|name| self.names.contains_key(*name)).cloned().collect();
        if !hidden.is_empty() {
            let mut names = self.names.clone();
            hidden.iter().for_each(|name| drop(names.remove(name)));
            return Self { path: self.path.clone(), prefix: self.prefix.clone(), names }.graph(graph);
        }
        for output in &mut graph.output {
            output.name = output.name.as_deref().map(|name| self.of(name));
        }
        for node in &mut graph.node {
            *node = NodeProto { name: node.name.clone(), ..self.node(node) };
        }
    }
}

/// The nodes of a branch of `node`, with its outputs called as `node` calls them; its initializers become constants.
pub fn branch(node: &NodeProto, name: &str, graph: &GraphProto) -> Result<Vec<NodeProto>, String> {
    if !graph.input.is_empty() || graph.output.len() != node.output.len() {
        return Err("its branch does not fit its outputs".to_owned());
    }
    let mut renaming = Renaming::new(node, name);
    let made = graph.node.iter().flat_map(|n| &n.output);
    let held = graph.initializer.iter().filter_map(|t| t.name.as_ref());
    made.chain(held).for_each(|name| renaming.make(name));
    let mut nodes = Vec::with_capacity(graph.initializer.len() + graph.node.len() + graph.output.len());
    for tensor in &graph.initializer {
        let value = AttributeProto {
            name: Some("value".to_owned()),
            r#type: Some(4),
            t: Some(Box::new(tensor.clone())),
            ..Default::default()
        };
        nodes.push(NodeProto {
            op_type: Some("Constant".to_owned()),
            output: vec![renaming.of(tensor.name.as_deref().unwrap_or(""))],
            attribute: vec![value],
            ..Default::default()
        });
    }
    nodes.extend(graph.node.iter().map(|node| renaming.node(node)));
    for (inner, outer) in graph.output.iter().zip(&node.output).filter(|(_, outer)| !outer.is_empty()) {
        nodes.push(identity(renaming.of(inner.name.as_deref().unwrap_or("")), outer.clone()));
    }
    Ok(nodes)
}

/// Puts the values of a function's attributes where a node, or one in its branches, refers to them.
fn bind<'v>(node: &mut NodeProto, value: &impl Fn(&str) -> Option<&'v AttributeProto>) {
    // The attribute may have another name in the function; where the call leaves it out, so does the node.
    let bound = |a: AttributeProto| match a.ref_attr_name.as_deref().filter(|name| !name.is_empty()) {
        None => Some(a),
        Some(outer) => value(outer).map(|v| AttributeProto { name: a.name.clone(), ..v.clone() }),
    };
    node.attribute = std::mem::take(&mut node.attribute).into_iter().filter_map(bound).collect();
    for attribute in &mut node.attribute {
        for graph in attribute.g.as_deref_mut().into_iter().chain(&mut attribute.graphs) {
            graph.node.iter_mut().for_each(|inner| bind(inner, value));
        }
    }
}

fn identity(from: String, to: String) -> NodeProto {
    NodeProto {
        op_type: Some("Identity".to_owned()),
        name: Some(to.clone()),
        input: vec![from],
        output: vec![to],
        ..Default::default()
    }
}

/// The nodes of a function that `node` calls.
pub fn call(node: &NodeProto, name: &str, function: &FunctionProto) -> Result<Vec<NodeProto>, String> {
    let mut renaming = Renaming::new(node, name);
    if node.input.len() > function.input.len() || node.output.len() > function.output.len() {
        return Err("its inputs or outputs do not fit the function".to_owned());
    }
    for (i, formal) in function.input.iter().enumerate() {
        let actual = node.input.get(i).cloned().unwrap_or_default();
        if renaming.names.insert(formal.clone(), actual).is_some() {
            return Err(format!("two inputs of its function are called '{formal}'"));
        }
    }
    let mut made = HashSet::new();
    for name in function.node.iter().flat_map(|n| &n.output).filter(|name| !name.is_empty()) {
        if function.input.contains(name) || !made.insert(name.as_str()) {
            return Err(format!("its function makes the value '{name}' twice"));
        }
        renaming.make(name);
    }
    let mut given = HashSet::new();
    if let Some(twice) = node.attribute.iter().filter_map(|a| a.name.as_deref()).find(|name| !given.insert(*name)) {
        return Err(format!("it gives the attribute '{twice}' twice"));
    }
    let known = |name: &str| {
        function.attribute.iter().any(|a| a == name)
            || function.attribute_proto.iter().any(|a| a.name.as_deref() == Some(name))
    };
    if let Some(unknown) = node.attribute.iter().filter_map(|a| a.name.as_deref()).find(|name| !known(name)) {
        return Err(format!("the function has no attribute '{unknown}'"));
    }
    let value = |name: &str| {
        let is = |a: &&AttributeProto| a.name.as_deref() == Some(name);
        node.attribute.iter().find(is).or_else(|| function.attribute_proto.iter().find(is))
    };
    let mut nodes = Vec::with_capacity(function.node.len() + function.output.len());
    for inner in &function.node {
        let mut inner = renaming.node(inner);
        bind(&mut inner, &value);
        nodes.push(inner);
    }
    for (inner, outer) in function.output.iter().zip(&node.output).filter(|(_, outer)| !outer.is_empty()) {
        nodes.push(identity(renaming.of(inner), outer.clone()));
    }
    Ok(nodes)
}

/// Functions in functions; what is deeper, or longer written out, no exporter writes.
const DEPTH: usize = 50;
const MOST: usize = 1 << 18;

/// The model with its functions written out where its graph calls them, values and nodes called as a loaded network
/// calls them. Nothing where a call does not fit its function, or functions are nested without end: loading says which.
///
/// Calls inside branches stay, and the functions with them.
pub fn functions(file: &OnnxFile) -> Option<OnnxFile> {
    if file.model.functions.is_empty() {
        return Some(file.clone());
    }
    let known: HashMap<_, _> = file.model.functions.iter().map(|function| (function_key(function), function)).collect();
    let mut file = file.clone();
    let calls = std::mem::take(&mut file.model.graph.as_mut()?.node);
    let mut made = Vec::with_capacity(calls.len());
    for node in calls {
        write_out(&file, &known, node, 0, &mut made)?;
    }
    file.model.graph.as_mut()?.node = made;
    Some(file)
}

type Key<'a> = (&'a str, &'a str, &'a str);

fn function_key(function: &FunctionProto) -> Key<'_> {
    (text_of(&function.domain), text_of(&function.name), text_of(&function.overload))
}

fn text_of(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or("")
}

fn write_out(
    file: &OnnxFile,
    known: &HashMap<Key<'_>, &FunctionProto>,
    node: NodeProto,
    depth: usize,
    made: &mut Vec<NodeProto>,
) -> Option<()> {
    let key = (text_of(&node.domain), text_of(&node.op_type), text_of(&node.overload));
    let Some(function) = known.get(&key) else {
        made.push(node);
        return (made.len() <= MOST).then_some(());
    };
    let other = |import: &super::onnx::proto::OperatorSetIdProto| {
        import.version.unwrap_or(1) != file.opset(import.domain.as_deref().unwrap_or(""))
    };
    if depth >= DEPTH || function.opset_import.iter().any(other) {
        return None;
    }
    let first = || node.output.first().cloned().unwrap_or_default();
    let name = node.name.clone().filter(|name| !name.is_empty()).unwrap_or_else(first);
    let mut nodes = call(&node, &name, function).ok()?;
    // The body writes the call's outputs itself where it can: a pattern of nodes is not broken by an identity.
    let body = nodes.len() - node.output.iter().filter(|output| !output.is_empty()).count().min(nodes.len());
    let (body, outputs) = nodes.split_at_mut(body);
    let plain = body.iter().all(|node| subgraphs(node).next().is_none());
    let mut passed = Vec::new();
    let mut renamed: HashMap<String, String> = HashMap::new();
    for output in outputs {
        let (from, to) = (output.input.first()?.clone(), output.output.first()?.clone());
        if let Some(now) = renamed.get(&from) {
            passed.push(identity(now.clone(), to));
            continue;
        }
        let own = body.iter().any(|node| node.output.contains(&from));
        if !(plain && own) || node.input.contains(&to) {
            passed.push(output.clone());
            continue;
        }
        for inner in body.iter_mut() {
            if inner.name.as_deref().is_none_or(str::is_empty) && inner.output.first() == Some(&from) {
                inner.name = Some(from.clone());
            }
            inner
                .input
                .iter_mut()
                .chain(&mut inner.output)
                .filter(|name| **name == from)
                .for_each(|name| name.clone_from(&to));
        }
        renamed.insert(from, to);
    }
    for inner in body.iter().cloned().chain(passed) {
        write_out(file, known, inner, depth + 1, made)?;
    }
    Some(())
}
