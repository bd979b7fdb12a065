//! Output files: refused early, written whole or not at all.

use std::fs;
use std::io;

use aliascope::report::{OutputError, OutputFile, Sink, json_bytes};

fn names(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_claim_touches_nothing_and_a_write_makes_parents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a").join("b.json");
    let file = OutputFile::claim(&path, false).unwrap();
    assert!(names(folder.path()).is_empty());
    file.write_bytes(b"[1]").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"[1]");
    assert_eq!(names(&folder.path().join("a")), ["b.json"]);
}

#[test]
fn an_existing_file_is_kept_unless_forced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    fs::write(&path, "old").unwrap();
    let message = OutputFile::claim(&path, false).unwrap_err().to_string();
    assert!(message.ends_with("out.csv exists; give another name or --force"), "{message}");
    OutputFile::claim(&path, true).unwrap().write_bytes(b"new").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
}

#[test]
fn a_file_that_appears_during_the_computation_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    let file = OutputFile::claim(&path, false).unwrap();
    fs::write(&path, "someone else's").unwrap();
    assert!(matches!(file.write_bytes(b"mine"), Err(OutputError::Exists { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "someone else's");
    assert_eq!(names(folder.path()), ["out.csv"]);
}

#[test]
fn a_write_that_fails_half_way_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.csv");
    fs::write(&path, "old").unwrap();
    let result = OutputFile::claim(&path, true).unwrap().write(|writer| {
        writer.write_all(b"half of it")?;
        Err(io::Error::other("the source ran dry"))
    });
    let message = result.unwrap_err().to_string();
    assert!(message.contains("out.csv cannot be written: the source ran dry"), "{message}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(names(folder.path()), ["out.csv"]);
}

#[test]
fn folders_and_what_lies_under_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let claim = |path: std::path::PathBuf| OutputFile::claim(path, true);
    assert!(matches!(claim(folder.path().to_owned()), Err(OutputError::IsFolder { .. })));
    assert!(matches!(claim(folder.path().join("new/")), Err(OutputError::IsFolder { .. })));
    assert!(matches!(claim(folder.path().join("..")), Err(OutputError::IsFolder { .. })));
    assert!(matches!(claim("".into()), Err(OutputError::Empty)));
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(matches!(claim(folder.path().join("file/out.csv")), Err(OutputError::NotFolder { .. })));
    assert!(matches!(claim(folder.path().join("n".repeat(300))), Err(OutputError::System { .. })));
}

#[test]
fn a_dash_is_standard_output() {
    assert!(matches!(Sink::claim("-", false), Ok(Sink::Standard)));
    assert!(matches!(Sink::claim("./-", false), Ok(Sink::File(_))));
    // Nobody who writes a dash means a file of that name.
    assert!(matches!(OutputFile::claim("-", false), Err(OutputError::Dash)));
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn the_mode_is_that_of_an_ordinary_file() {
        let folder = tempfile::tempdir().unwrap();
        let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (ordinary, ours) = (folder.path().join("ordinary"), folder.path().join("ours"));
        fs::write(&ordinary, "").unwrap();
        OutputFile::claim(&ours, false).unwrap().write_bytes(b"").unwrap();
        assert_eq!(mode(&ours), mode(&ordinary));
        fs::set_permissions(&ours, fs::Permissions::from_mode(0o640)).unwrap();
        OutputFile::claim(&ours, true).unwrap().write_bytes(b"").unwrap();
        assert_eq!(mode(&ours), 0o640);
    }

    #[test]
    fn a_link_stays_and_its_target_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        symlink(&target, &link).unwrap();
        assert!(matches!(OutputFile::claim(&link, false), Err(OutputError::Exists { .. })));
        fs::write(&target, "old").unwrap();
        OutputFile::claim(&link, true).unwrap().write_bytes(b"new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    }

    /// As when another thread replaces its output and a new file gets the inode that this frees.
    #[test]
    fn a_claim_is_on_the_file_of_that_name_not_on_the_inode_that_it_once_had() {
        let folder = tempfile::tempdir().unwrap();
        let (claimed, other) = (folder.path().join("claimed"), folder.path().join("other"));
        fs::write(&claimed, "old").unwrap();
        let claim = OutputFile::claim(&claimed, true).unwrap();
        fs::rename(&claimed, &other).unwrap();
        fs::write(&claimed, "new").unwrap();
        OutputFile::claim(&other, true).unwrap();
        fs::remove_file(&other).unwrap();
        fs::hard_link(&claimed, &other).unwrap();
        assert!(matches!(OutputFile::claim(&other, true), Err(OutputError::Twice { .. })));
        drop(claim);
    }

    #[test]
    fn devices_are_written_to_and_not_replaced() {
        OutputFile::claim("/dev/null", false).unwrap().write_bytes(b"gone").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
    }

    #[test]
    fn a_full_disk_is_an_error() {
        if fs::metadata("/dev/full").is_ok() {
            let result = OutputFile::claim("/dev/full", false).unwrap().write_bytes(b"too much");
            assert!(matches!(result, Err(OutputError::System { .. })));
        }
    }
}

#[test]
fn json_names_the_first_number_that_is_not_finite() {
    #[derive(serde::Serialize)]
    struct Report {
        name: &'static str,
        rows: Vec<indexmap::IndexMap<String, Option<f64>>>,
    }
    let report = |last| Report {
        name: "r",
        rows: vec![Default::default(), [("a".to_owned(), None), ("b".to_owned(), Some(last))].into()],
    };
    let message = json_bytes(&report(f64::NEG_INFINITY)).unwrap_err().to_string();
    assert!(message.starts_with("rows[1].b is -inf"), "{message}");
    let text = String::from_utf8(json_bytes(&report(2.0)).unwrap()).unwrap();
    assert!(text.contains("\"a\": null") && text.contains("\"b\": 2.0") && text.ends_with("}\n"), "{text}");
}
