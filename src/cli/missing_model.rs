//! What to type where a network's name stands in the place of its file.

use std::path::Path;

use super::{Failure, Status};

/// Refuses what is no file but reads like a network of timm or torchvision: `timm:resnet18`, `resnet50`.
pub(super) fn refuse_names(model: &Path) -> Result<(), Failure> {
    match model.to_str().filter(|_| !model.exists()).and_then(network) {
        None => Ok(()),
        Some((library, name)) => Err(Failure::new(
            Status::Model,
            format!(
                "{}: there is no such file, and networks are measured from ONNX files; \
                 `python3 scripts/export.py {library}:{name} --pretrained {name}.onnx` writes one",
                model.display()
            ),
        )),
    }
}

/// The library and the network that a text names.
fn network(text: &str) -> Option<(&str, &str)> {
    let (library, name) = match text.split_once(':') {
        Some((library @ ("timm" | "torchvision"), name)) => (library, name),
        Some(_) => return None,
        None => ("timm", text),
    };
    // timm's names may end in a tag of their weights, as `vit_tiny_patch16_224.augreg_in21k`.
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '.';
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    let is_file = matches!(extension, Some("onnx" | "pt" | "pth" | "torchscript" | "pb" | "tflite" | "h5"));
    (name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_name) && !is_file)
        .then_some((library, name))
}

#[cfg(test)]
mod tests {
    use super::network;

    #[test]
    fn names_of_networks_are_told_from_files() {
        assert_eq!(network("resnet50"), Some(("timm", "resnet50")));
        assert_eq!(network("timm:resnet18"), Some(("timm", "resnet18")));
        assert_eq!(network("torchvision:convnext_tiny"), Some(("torchvision", "convnext_tiny")));
        assert_eq!(network("vit_tiny.augreg_in21k"), Some(("timm", "vit_tiny.augreg_in21k")));
        for file in ["resnet50.onnx", "models/resnet50", "Net", "a.pt", "c:model", "", "my model"] {
            assert_eq!(network(file), None, "{file}");
        }
    }
}
