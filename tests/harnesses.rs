//! Promise: every file of tests is a module of one of the programs that cargo is told of: a forgotten one would never run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Names of the `mod NAME;` lines of a file.
fn modules(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).map(str::to_owned).collect()
}

#[test]
fn every_file_of_tests_is_in_one_program() {
    for member in [".", "core", "core/numerics"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(member);
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let programs: Vec<&str> =
            manifest.lines().filter_map(|line| line.strip_prefix("path = \"tests/")?.strip_suffix(".rs\"")).collect();
        assert!(!programs.is_empty() && manifest.contains("\nautotests = false\n"), "{member}/Cargo.toml");
        let mut files: Vec<String> = Vec::new();
        for entry in fs::read_dir(root.join("tests")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            files.extend(name.strip_suffix(".rs").map(str::to_owned));
        }
        assert!(files.len() > 10, "{member}: {files:?}");
        for file in files.iter().filter(|file| !programs.contains(&file.as_str())) {
            let inside = |program: &&&str| modules(&root.join(format!("tests/{program}.rs"))).contains(file);
            let holders: Vec<_> = programs.iter().filter(inside).collect();
            assert!(holders.len() == 1, "{member}: tests/{file}.rs is in {holders:?} of {programs:?}");
        }
    }
}
