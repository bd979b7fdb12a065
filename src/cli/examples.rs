//! What stands at the end of a subcommand's help: command lines to begin with.

macro_rules! examples {
    ($($line:literal),+ $(,)?) => {
        concat!("Examples:", $("\n  aliascope ", $line),+)
    };
}

pub(super) const LEE: &str = examples!(
    "lee MODEL.onnx -i PHOTOS/",
    "lee MODEL.onnx -i PHOTOS/ -g translate_x,rotate -p lee.png",
    "lee DETECTOR.onnx -i PHOTOS/ --input-shape 1,3,320,320",
);
pub(super) const COMPARE: &str =
    examples!("compare A.onnx B.onnx -i PHOTOS/", "compare *.onnx -i PHOTOS/ --labels folders -p compare.png",);
pub(super) const LAYERS: &str = examples!(
    "layers MODEL.onnx -i PHOTOS/ --html layers.html",
    "layers MODEL.onnx -i PHOTOS/ -g rotate -p layers.png",
    "layers MODEL.onnx -i PHOTOS/ --orbit translate_x=1px",
);
pub(super) const FIELD: &str = examples!("field MODEL.onnx -i PHOTO.png -p field.png");
pub(super) const SURVEY: &str = examples!(
    "survey run STUDY.toml --into study.db",
    "survey status study.db",
    "survey report study.db --html study.html",
);
pub(super) const INSPECT: &str = examples!("inspect MODEL.onnx", "inspect MODEL.onnx --input-shape 1,3,224,224");
pub(super) const THEOREM: &str =
    examples!("theorem --field random:9 --grid 7", "theorem MODEL.onnx -i PHOTOS/ --limit 3 -p theorem.png",);
pub(super) const HARMONICS: &str = examples!(
    "harmonics --activation relu",
    "harmonics --activation gelu --amplitude 3 -p gelu.png",
    "harmonics --activation relu --image PHOTO.png -p photo.png",
);
pub(super) const REPRESENTATION: &str = examples!("representation MODEL.onnx -i PHOTOS/ --at NODE -g rotate");
pub(super) const METRICS: &str =
    examples!("metrics MODEL.onnx -i PHOTOS/", "metrics MODEL.onnx -i PHOTOS/ --layers --draws 4 -p metrics.png",);
pub(super) const ANTIALIAS: &str = examples!(
    "antialias --design blurpool:3,kaiser --field random:12 --samples 32",
    "antialias MODEL.onnx --replace stride=blurpool:3 -i PHOTOS/",
    "antialias MODEL.onnx --replace stride=blurpool:3 --advise -i PHOTOS/",
);
pub(super) const REPAIR: &str = examples!("repair MODEL.onnx --replace stride=blurpool:3 -i A/ --validate B/");
pub(super) const FIX: &str = examples!("fix MODEL.onnx -i PHOTOS/ --save fixed.onnx");

/// The usage of `theorem`: what stands in for the model is one of several options, too many for one line.
pub(super) const THEOREM_USAGE: &str = "\
aliascope theorem [OPTIONS] --field <random:BAND|FILE>
       aliascope theorem [OPTIONS] --harmonics <FILE.json>
       aliascope theorem [OPTIONS] --image <FILE>
       aliascope theorem [OPTIONS] --random <SEED>
       aliascope theorem [OPTIONS] --departures
       aliascope theorem [OPTIONS] --images <PATH>... <MODEL>";

/// The usage of `repair`, in 80 columns.
pub(super) const REPAIR_USAGE: &str = "\
aliascope repair [OPTIONS] --images <PATH>... --validate <PATH>...
                        <MODEL>";

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use crate::cli::Cli;

    #[test]
    fn examples_are_command_lines() {
        let mut count = 0;
        for command in Cli::command().get_subcommands() {
            let Some(text) = command.get_after_help() else { continue };
            for line in text.to_string().lines().filter(|line| line.starts_with("  aliascope ")) {
                let words: Vec<&str> = line.split_whitespace().collect();
                assert_eq!(words[1], command.get_name(), "{line}");
                assert!(line.chars().count() <= 80, "{line}");
                if let Err(said) = Cli::try_parse_from(&words) {
                    panic!("{line}: {said}");
                }
                count += 1;
            }
        }
        assert!(count > 20, "{count} examples");
    }
}
