//! What is installed beside the command: completions, man pages, what it says of itself.

use assert_cmd::Command;
use predicates::prelude::*;

fn aliascope() -> Command {
    Command::new(env!("CARGO_BIN_EXE_aliascope"))
}

#[test]
fn completions_know_the_subcommands_and_their_options() {
    for (shell, words) in [
        ("bash", ["aliascope__subcmd__layers", "--images"]),
        ("zsh", ["#compdef aliascope", "--images"]),
        ("fish", ["__fish_aliascope", "-l images"]),
    ] {
        let said = aliascope().args(["completions", shell]).assert().success().stderr("");
        for word in words {
            let said = String::from_utf8_lossy(&said.get_output().stdout).into_owned();
            assert!(said.contains(word), "{shell}: no {word}");
        }
    }
    aliascope().args(["completions", "cmd"]).assert().code(2);
}

#[test]
fn every_subcommand_has_a_man_page() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    aliascope().arg("man").arg(&pages).assert().success().stdout("").stderr("");
    let help = aliascope().arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).collect();
    assert!(names.contains(&"layers"), "{names:?}");
    for name in names.into_iter().filter(|name| !name.is_empty() && *name != "help") {
        let page = std::fs::read_to_string(pages.join(format!("aliascope-{name}.1")))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
    // A file is no folder.
    let sentence = predicate::str::contains("no man pages can be written there");
    aliascope().arg("man").arg(pages.join("aliascope.1")).assert().code(6).stderr(sentence);
}

#[test]
fn the_version_says_what_it_was_built_with() {
    let first = concat!("aliascope ", env!("CARGO_PKG_VERSION"), "\n");
    aliascope().arg("-V").assert().success().stdout(first);
    let said = predicate::str::starts_with(first).and(predicate::str::contains("libtorch 2."));
    aliascope().arg("--version").assert().success().stdout(said.and(predicate::str::contains(" build")));
}

#[test]
fn a_networks_name_in_the_place_of_its_file_is_told_how_to_export_it() {
    for (name, line) in [
        ("timm:resnet18", "scripts/export.py timm:resnet18 --pretrained resnet18.onnx"),
        ("resnet50", "scripts/export.py timm:resnet50 --pretrained resnet50.onnx"),
    ] {
        let said = predicate::str::contains(line);
        aliascope().args(["lee", name, "--images", "a.png"]).assert().code(3).stderr(said);
    }
    let said = predicate::str::contains("cannot be read").and(predicate::str::contains("export.py").not());
    aliascope().args(["lee", "resnet50.onnx", "--images", "a.png"]).assert().code(3).stderr(said);
}
