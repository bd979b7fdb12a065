//! Which opsets are read.

use std::collections::HashMap;

use crate::graph::onnx::is_own;
use crate::graph::onnx::proto::OperatorSetIdProto;
use crate::graph::ops::{NEWEST_OPSET, OLDEST_OPSET};

/// Refuses imports that contradict each other, and opsets of ONNX's own domain that are not known.
///
/// # Errors
/// What is said of the model, or of the function, whose imports they are.
pub(super) fn check(imports: &[OperatorSetIdProto]) -> Result<(), String> {
    let mut versions = HashMap::new();
    for import in imports {
        let domain = import.domain.as_deref().unwrap_or("");
        let (domain, version) = (if is_own(domain) { "" } else { domain }, import.version.unwrap_or(1));
        if versions.insert(domain, version).is_some_and(|other| other != version) {
            return Err(format!("imports two opsets of the domain '{domain}'; export the model again"));
        }
        if domain.is_empty() && version > NEWEST_OPSET {
            return Err(format!(
                "uses opset {version}, and operators are known up to opset {NEWEST_OPSET}; export it with an older one"
            ));
        }
        if domain.is_empty() && version < OLDEST_OPSET {
            return Err(format!(
                "uses opset {version}, and operators are known from opset {OLDEST_OPSET} on; convert it with \
                 onnx.version_converter.convert_version(model, 13)"
            ));
        }
    }
    Ok(())
}
