//! The command line as it is typed, before it is parsed.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Subcommands that take a model, without an option, and images.
const WITH_MODEL: [&str; 8] =
    ["lee", "compare", "layers", "field", "representation", "metrics", "theorem", "antialias"];

/// Arguments in the order in which they are understood: a model among the images is no image, so that
/// `lee --images a.png b.png model.onnx` is `lee model.onnx --images a.png b.png`. So is `--model model.onnx`, as two
/// subcommands had it.
pub(super) fn in_order(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    if !arguments.get(1).is_some_and(|command| WITH_MODEL.iter().any(|known| command == known)) {
        return arguments;
    }
    if let Some(at) = arguments.iter().position(|argument| argument == "--model") {
        // Without a name after it the option is left for the message that it is unknown.
        if arguments.get(at + 1).is_some_and(|model| !is_option(model)) {
            let model = arguments.remove(at + 1);
            arguments.remove(at);
            arguments.insert(2, model);
            return arguments;
        }
    }
    let joined = |argument: &OsString| argument.to_str()?.strip_prefix("--model=").map(OsString::from);
    if let Some((at, model)) = arguments.iter().enumerate().find_map(|(at, argument)| Some((at, joined(argument)?))) {
        arguments.remove(at);
        arguments.insert(2, model);
        return arguments;
    }
    let mut among_images = false;
    let is_misplaced = |argument: &OsString| {
        if is_option(argument) {
            among_images = is_images(argument);
            return false;
        }
        among_images && is_model(argument)
    };
    let misplaced: Vec<usize> =
        arguments.iter().map(is_misplaced).enumerate().filter(|(_, found)| *found).map(|(at, _)| at).collect();
    // Several networks are compared, in their order, as the first is the one that the others are held against. One network
    // is measured: others stay among the images, where it is said that they are none.
    let (first, most) = match (&misplaced[..], arguments[1] == "compare") {
        ([at, ..], true) => (arguments[..*at].iter().position(|word| is_images(word)).unwrap_or(2), misplaced.len()),
        _ => (2, 1),
    };
    for (found, at) in misplaced.into_iter().take(most).enumerate() {
        let model = arguments.remove(at);
        arguments.insert(first + found, model);
    }
    arguments
}

/// `--images` or `-i`, or `--images=a.png`, which takes more images behind it as well.
fn is_images(argument: &OsStr) -> bool {
    argument == "--images" || argument == "-i" || argument.to_string_lossy().starts_with("--images=")
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
        assert_eq!(ordered("aliascope lee -i a.png m.onnx -q"), "aliascope lee m.onnx -i a.png -q");
        assert_eq!(ordered("aliascope antialias --images a.png m.onnx"), "aliascope antialias m.onnx --images a.png");
        assert_eq!(
            ordered("aliascope compare a.onnx --images a.png b.onnx b.png c.onnx"),
            "aliascope compare a.onnx b.onnx c.onnx --images a.png b.png"
        );
        for option in ["--model m.onnx", "--model=m.onnx"] {
            let line = format!("aliascope theorem --images a.png {option} --quiet");
            assert_eq!(ordered(&line), "aliascope theorem m.onnx --images a.png --quiet");
        }
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        for line in [
            "aliascope lee m.onnx --images a.png",
            "aliascope lee --images a.png --json m.onnx",
            "aliascope antialias m.onnx --images a.png",
            "aliascope theorem --image a.png --grid 7",
            "aliascope theorem --model",
            "aliascope",
        ] {
            assert_eq!(ordered(line), line);
        }
    }
}
