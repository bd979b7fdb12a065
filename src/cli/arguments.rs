//! The command line as it is typed, before it is parsed.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Subcommands whose model is named without an option.
const WITH_MODEL: [&str; 3] = ["lee", "layers", "metrics"];

/// Arguments in the order in which they are understood: a model among the images is no image, so that
/// `lee --images a.png b.png model.onnx` is `lee model.onnx --images a.png b.png`.
pub(super) fn in_order(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if !arguments.get(1).is_some_and(|command| WITH_MODEL.iter().any(|known| command == known)) {
        return arguments;
    }
    let mut among_images = false;
    let found = arguments.iter().position(|argument| {
        if is_option(argument) {
            // `--images=a.png` takes more images behind it as well.
            let name = argument.to_string_lossy();
            among_images = name == "--images" || name.starts_with("--images=");
            return false;
        }
        among_images && is_model(argument)
    });
    if let Some(at) = found {
        let model = arguments.remove(at);
        arguments.insert(2, model);
    }
    arguments
}

fn is_option(argument: &OsStr) -> bool {
    argument.as_encoded_bytes().starts_with(b"-")
}

/// Whether the name is one that models have and images have not.
fn is_model(argument: &OsStr) -> bool {
    let extension = Path::new(argument).extension().map(|extension| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| ["onnx", "pt", "pth", "torchscript"].iter().any(|known| extension == *known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(line: &str) -> String {
        let arguments = in_order(line.split(' ').map(OsString::from));
        arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_model_among_the_images_is_the_model() {
        for line in ["aliascope lee --images a.png b.png m.onnx", "aliascope lee --images a.png m.ONNX b.png --quiet"] {
            let model = line.split(' ').find(|word| word.to_lowercase().ends_with("onnx")).unwrap();
            assert!(ordered(line).starts_with(&format!("aliascope lee {model} --images a.png b.png")), "{line}");
        }
        assert_eq!(ordered("aliascope metrics --images=a.png m.pt"), "aliascope metrics m.pt --images=a.png");
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        for line in [
            "aliascope lee m.onnx --images a.png",
            "aliascope lee --images a.png --json m.onnx",
            "aliascope antialias --images a.png m.onnx",
            "aliascope",
        ] {
            assert_eq!(ordered(line), line);
        }
    }
}
