//! The module of the network's source that a node came from.
//!
//! The exporter that traces puts the path into the node's name; the one that captures a graph writes it beside the node,
//! as the scopes around the operation, and names the node after that alone.

use super::proto::NodeProto;

/// `['', 'blocks', 'blocks.0', 'blocks.0.conv1', 'conv2d_3']`: the modules from the outside in, and the operation.
const SCOPES: &str = "pkg.torch.onnx.name_scopes";
/// The same with classes, as earlier versions write it alone: `: Net/blocks.0: Block/conv2d_3: aten.conv2d.default`.
const NAMESPACE: &str = "namespace";
/// The rewritings that made the node.
const RULES: &str = "pkg.onnxscript.rewriter.rule_name";
/// A batch normalisation that went into the convolution before it leaves a convolution in the scope of the norm.
const INTO_CONVOLUTION: [&str; 2] = ["FuseBatchNormIntoConv", "FuseBatchNormIntoGemm"];

/// The module path of a node called `name`; empty where nothing tells it.
pub fn module_of_node(node: &NodeProto, name: &str) -> String {
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
