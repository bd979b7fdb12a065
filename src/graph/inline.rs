//! Nodes of a subgraph or of a function, brought into the graph that uses them.
//!
//! Values that the inner nodes make get the outer node's output in front, so that a branch of another node, or a second
//! call of the same function, cannot meet them.

use std::collections::HashMap;

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
        renaming.names.insert(formal.clone(), node.input.get(i).cloned().unwrap_or_default());
    }
    for made in function.node.iter().flat_map(|n| &n.output) {
        renaming.make(made);
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
        // An attribute may be the function's own, under another name; where the call leaves it out, so does the node.
        inner.attribute = inner
            .attribute
            .into_iter()
            .filter_map(|a| match a.ref_attr_name.as_deref().filter(|name| !name.is_empty()) {
                None => Some(a),
                Some(outer) => value(outer).map(|v| AttributeProto { name: a.name.clone(), ..v.clone() }),
            })
            .collect();
        nodes.push(inner);
    }
    for (inner, outer) in function.output.iter().zip(&node.output).filter(|(_, outer)| !outer.is_empty()) {
        nodes.push(identity(renaming.of(inner), outer.clone()));
    }
    Ok(nodes)
}
