//! The module of the network's source that a node came from.
//!
//! The exporter that traces puts the path into the node's name; the one that captures a graph writes it beside the
//! node, as the scopes around the operation, and names the node after that alone.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::proto::{GraphProto, NodeProto};

/// `['', 'blocks', 'blocks.0', 'blocks.0.conv1', 'conv2d_3']`: the modules from the outside in, and the operation.
const SCOPES: &str = "pkg.torch.onnx.name_scopes";
/// The same with classes, as earlier versions write it alone: `: Net/blocks.0: Block/conv2d_3: aten.conv2d.default`.
const NAMESPACE: &str = "namespace";
/// The rewritings that made the node.
const RULES: &str = "pkg.onnxscript.rewriter.rule_name";
/// A batch normalisation that went into the convolution before it leaves a convolution in the scope of the norm.
const INTO_CONVOLUTION: [&str; 2] = ["FuseBatchNormIntoConv", "FuseBatchNormIntoGemm"];

/// What the nodes of a module, and of those in it, are and read.
#[derive(Default, PartialEq)]
struct Contents<'a> {
    operators: BTreeSet<&'a str>,
    weights: BTreeSet<&'a str>,
}

/// The modules of a graph's nodes, one name for all calls of one.
///
/// Where a module is called again, the exporter that traces calls it `relu_1`, and the one that captures a graph
/// `relu`. It is the module without the number where the graph has that too, with the same operators and the same
/// weights.
#[derive(Debug, Default)]
pub struct Modules {
    /// The names of paths with numbers that stand for calls.
    calls: HashMap<String, String>,
}

impl Modules {
    /// The modules of a graph's nodes.
    pub fn of(graph: &GraphProto) -> Self {
        let initializers: HashSet<&str> =
            graph.initializer.iter().filter_map(|tensor| tensor.name.as_deref()).collect();
        let mut contents: HashMap<String, Contents<'_>> = HashMap::new();
        for node in graph.node.iter().filter(|node| node.op_type.as_deref() != Some("Constant")) {
            let path = module_of_node(node, node.name.as_deref().unwrap_or(""));
            for (end, _) in path.match_indices('.').chain([(path.len(), "")]) {
                let module = contents.entry(path[..end].to_owned()).or_default();
                module.operators.extend(node.op_type.as_deref());
                module.weights.extend(node.input.iter().map(String::as_str).filter(|name| initializers.contains(name)));
            }
        }
        let called = |path: &str| {
            let mut whole = String::new();
            let mut plain = String::new();
            for part in path.split('.') {
                let dot = if whole.is_empty() { "" } else { "." };
                let parents = [format!("{whole}{dot}"), format!("{plain}{dot}")];
                whole = format!("{whole}{dot}{part}");
                let first = without_number(part).filter(|first| {
                    let same = |parent: &String| contents.get(&format!("{parent}{first}")) == contents.get(&whole);
                    parents.iter().any(same)
                });
                plain = format!("{plain}{dot}{}", first.unwrap_or(part));
            }
            plain
        };
        let paths = contents.keys().map(|path| (path.clone(), called(path)));
        Self { calls: paths.filter(|(path, called)| path != called).collect() }
    }

    /// The module path of a node called `name`; empty where nothing tells it.
    pub fn of_node(&self, node: &NodeProto, name: &str) -> String {
        let module = module_of_node(node, name);
        self.calls.get(&module).cloned().unwrap_or(module)
    }
}

/// `relu` of `relu_1`.
fn without_number(part: &str) -> Option<&str> {
    let (first, number) = part.rsplit_once('_')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !first.is_empty()).then_some(first)
}

/// The module path of a node called `name`; empty where nothing tells it.
fn module_of_node(node: &NodeProto, name: &str) -> String {
    let entry = |key: &str| {
        let found = node.metadata_props.iter().find(|entry| entry.key.as_deref() == Some(key));
        found.and_then(|entry| entry.value.as_deref())
    };
    let scoped = entry(SCOPES).and_then(innermost).or_else(|| entry(NAMESPACE).and_then(innermost_of_namespace));
    let Some(module) = scoped else { return module_of(name) };
    let rewritten = entry(RULES).is_some_and(|rules| INTO_CONVOLUTION.iter().any(|rule| rules.contains(rule)));
    // The weight is still called after the convolution.
    let weight = node.input.get(1).and_then(|weight| weight.strip_suffix(".weight")).filter(|_| rewritten);
    weight.map_or(module, str::to_owned)
}

/// The last scope but that of the operation itself.
fn innermost(scopes: &str) -> Option<String> {
    let inside = scopes.trim().strip_prefix('[')?.strip_suffix(']')?;
    let scopes: Vec<&str> = inside.split(',').map(|scope| scope.trim().trim_matches(['\'', '"'])).collect();
    Some((*scopes.get(scopes.len().checked_sub(2)?)?).to_owned())
}

fn innermost_of_namespace(namespace: &str) -> Option<String> {
    let scopes: Vec<&str> = namespace.split('/').collect();
    let scope = scopes.get(scopes.len().checked_sub(2)?)?;
    Some(scope.split(':').next().unwrap_or_default().trim().to_owned())
}

/// `/blocks/blocks.1/blocks.1.0/bn1/act/Clip` as `blocks.1.0.bn1.act`: the module path without the operator; empty
/// where the name holds no path.
pub fn module_of(name: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    parts.pop();
    let mut path: Vec<&str> = Vec::new();
    for part in parts {
        // Exporters repeat what a nested list is called: blocks, blocks.1, blocks.1.0.
        if path.last().is_some_and(|last| part.strip_prefix(last).is_some_and(|rest| rest.starts_with('.'))) {
            path.pop();
        }
        path.push(part);
    }
    path.join(".")
}

#[cfg(test)]
mod tests {
    use super::super::proto::StringStringEntryProto;
    use super::*;

    #[test]
    fn module_paths_leave_out_what_exporters_repeat() {
        assert_eq!(module_of("/blocks/blocks.1/blocks.1.0/bn1/act/Clip"), "blocks.1.0.bn1.act");
        assert_eq!(module_of("/conv1/Conv"), "conv1");
        assert_eq!(module_of("Conv_0"), "");
    }

    fn node(metadata: &[(&str, &str)]) -> NodeProto {
        let entry = |(key, value): &(&str, &str)| StringStringEntryProto {
            key: Some((*key).to_owned()),
            value: Some((*value).to_owned()),
        };
        NodeProto {
            input: vec!["x".to_owned(), "stem.conv.weight".to_owned()],
            metadata_props: metadata.iter().map(entry).collect(),
            ..NodeProto::default()
        }
    }

    #[test]
    fn calls_of_one_module_have_one_name() {
        let node = |name: &str, operator: &str, weight: &str| NodeProto {
            name: Some(name.to_owned()),
            op_type: Some(operator.to_owned()),
            input: vec!["x".to_owned(), weight.to_owned()],
            ..NodeProto::default()
        };
        let names = [
            ("/a/relu/Relu", "Relu", "", "a.relu"),
            ("/a/relu_1/Relu", "Relu", "", "a.relu"),
            ("/a/relu_2/Relu", "Relu", "", "a.relu"),
            ("/a/act_1/Relu", "Relu", "", "a.act_1"),
            ("/a/relu_3/Clip", "Clip", "", "a.relu_3"),
            ("/a/norm/Conv", "Conv", "first", "a.norm"),
            ("/a/norm_1/Conv", "Conv", "second", "a.norm_1"),
            ("/head/conv/Conv", "Conv", "third", "head.conv"),
            ("/head/act/Relu", "Relu", "", "head.act"),
            ("/head_1/conv/Conv", "Conv", "third", "head.conv"),
            ("/head_1/act_1/Relu", "Relu", "", "head.act"),
            ("/blocks/blocks.0/Add", "Add", "", "blocks.0"),
        ];
        let weights = ["first", "second", "third"];
        let graph = GraphProto {
            node: names.iter().map(|(name, operator, weight, _)| node(name, operator, weight)).collect(),
            initializer: weights
                .map(|name| super::super::proto::TensorProto { name: Some(name.to_owned()), ..Default::default() })
                .to_vec(),
            ..GraphProto::default()
        };
        let modules = Modules::of(&graph);
        for (node, (name, _, _, module)) in graph.node.iter().zip(names) {
            assert_eq!(modules.of_node(node, name), module, "{name}");
        }
    }

    #[test]
    fn scopes_beside_a_node_come_before_its_name() {
        let scopes = "['', 'stem', 'stem.bn', '_native_batch_norm_legit_no_training']";
        let namespace = ": net.Net/stem: net.Stem/stem.bn: torch.nn.BatchNorm2d/relu: aten.relu.default";
        assert_eq!(module_of_node(&node(&[(SCOPES, scopes)]), "node_Conv_292"), "stem.bn");
        assert_eq!(module_of_node(&node(&[(NAMESPACE, namespace)]), "node_Conv_292"), "stem.bn");
        // In the network itself, outside of its modules.
        assert_eq!(module_of_node(&node(&[(SCOPES, "['', 'add']")]), "node_add"), "");
        assert_eq!(module_of_node(&node(&[]), "/stem/act/Relu"), "stem.act");
        for odd in ["", "[]", "['add']", "add"] {
            assert_eq!(module_of_node(&node(&[(SCOPES, odd)]), "/stem/act/Relu"), "stem.act", "{odd}");
        }
        // A norm that became part of the convolution is the convolution's.
        let rules = (RULES, "RemoveOptionalBiasFromConv, FuseBatchNormIntoConv");
        assert_eq!(module_of_node(&node(&[(SCOPES, scopes), rules]), "node_Conv_292"), "stem.conv");
    }
}
