//! Where libtorch is: of an installed PyTorch, in the cache, or where it was when this was built.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use aliascope_core::cli::{Failure, Status};

/// The version that the program which runs networks is linked with; no other has the same binary interface.
const VERSION: &str = "2.13.0";

/// Where libtorch was when this was built.
const BUILT_WITH: &str = env!("ALIASCOPE_LIBTORCH");

/// The folder that the user, or a program that starts this one, wants libtorch to be taken from.
const CHOSEN: &str = "ALIASCOPE_LIBTORCH";

/// Where the system looks for libraries first.
const SEARCHED: &str = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// Where libtorch is.
#[derive(Clone, Debug, PartialEq)]
pub enum Libtorch {
    /// The system finds it by itself: by the user's search path, or where this was built.
    Found,
    /// In this folder, which the system has to be told.
    At(PathBuf),
}

impl Libtorch {
    /// `2.13.0 at …/lib`
    pub fn in_words(&self) -> String {
        match self {
            Self::Found if env::var_os(SEARCHED).is_some() => {
                format!("{VERSION}, where {SEARCHED} or {BUILT_WITH} has it")
            }
            Self::Found => format!("{VERSION} at {BUILT_WITH}"),
            Self::At(folder) => format!("{VERSION} at {}", folder.display()),
        }
    }

    /// The variable by which the system is told, where it has to be.
    pub fn setting(&self) -> Option<(&'static str, OsString)> {
        let Self::At(folder) = self else { return None };
        let mut searched = vec![folder.clone()];
        searched
            .extend(env::split_paths(&env::var_os(SEARCHED).unwrap_or_default()).filter(|path| path != Path::new("")));
        // A folder with a separator in its name cannot be told; the system then says what it does not find.
        env::join_paths(searched).ok().map(|paths| (SEARCHED, paths))
    }
}

/// Finds libtorch for the `program` that is linked with it.
///
/// In this order: `ALIASCOPE_LIBTORCH`; the search path of the user's own; where pip installed the program, a PyTorch of
/// the same version beside it, then the cache that `python -m aliascope setup` fills; otherwise where it was when this was
/// built.
///
/// # Errors
/// It is nowhere.
pub fn find(program: &Path) -> Result<Libtorch, Failure> {
    if let Some(chosen) = env::var_os(CHOSEN).filter(|chosen| !chosen.is_empty()) {
        let folder = PathBuf::from(chosen);
        if !is_in(&folder) {
            let place = folder.display();
            let message = format!("{CHOSEN} is {place}, where there is no {}; name libtorch's lib folder", library());
            return Err(Failure::new(Status::Machine, message));
        }
        return Ok(Libtorch::At(folder));
    }
    let search = env::var_os(SEARCHED);
    if search.as_deref().is_some_and(|paths| env::split_paths(paths).any(|folder| is_in(&folder))) {
        return Ok(Libtorch::Found);
    }
    let packages = packages_beside(program);
    if packages.is_empty() {
        // With a search path of the user's own the system decides.
        if is_in(Path::new(BUILT_WITH)) || search.is_some() {
            return Ok(Libtorch::Found);
        }
        return Err(Failure::new(
            Status::Machine,
            format!(
                "libtorch is no longer at {BUILT_WITH}, where it was when aliascope was built; run `make setup`, then build \
                 again"
            ),
        ));
    }
    let torch = packages.iter().find(|folder| has_torch(folder)).map(|folder| folder.join("torch/lib"));
    let cached = || Some(cache()?.join(format!("libtorch-{VERSION}")).join("lib")).filter(|folder| is_in(folder));
    torch.filter(|folder| is_in(folder)).or_else(cached).map(Libtorch::At).ok_or_else(|| {
        Failure::new(
            Status::Machine,
            format!(
                "libtorch {VERSION} is not here, on which networks run; run `python -m aliascope setup`, which fetches it \
                 once, or install torch {VERSION} into the same environment"
            ),
        )
    })
}

fn library() -> String {
    format!("{}torch_cpu{}", env::consts::DLL_PREFIX, env::consts::DLL_SUFFIX)
}

fn is_in(folder: &Path) -> bool {
    folder.join(library()).is_file()
}

/// The folders of Python packages that the program was installed with, if pip installed it: it then lies in `bin` beside
/// `lib/pythonX.Y`, or beside the packages themselves after `pip install --target`.
fn packages_beside(program: &Path) -> Vec<PathBuf> {
    let Some(prefix) = program.parent().and_then(Path::parent) else { return Vec::new() };
    let mut folders = vec![prefix.to_owned()];
    for lib in ["lib", "lib64", "local/lib"] {
        let versions = fs::read_dir(prefix.join(lib)).into_iter().flatten().flatten();
        let pythons = versions.filter(|entry| entry.file_name().to_string_lossy().starts_with("python"));
        folders
            .extend(pythons.flat_map(|entry| ["site-packages", "dist-packages"].map(|name| entry.path().join(name))));
    }
    folders.retain(|folder| has_distribution(folder, |name| name.starts_with("aliascope-")));
    folders.sort();
    folders
}

/// Whether a folder of packages has PyTorch in the version that is needed, by the name of its metadata.
fn has_torch(folder: &Path) -> bool {
    let [released, built] = [format!("torch-{VERSION}.dist-info"), format!("torch-{VERSION}+")];
    has_distribution(folder, |name| name == released || name.starts_with(&built))
}

fn has_distribution(folder: &Path, is_it: impl Fn(&str) -> bool) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name());
    names.any(|name| name.to_str().is_some_and(|name| name.ends_with(".dist-info") && is_it(name)))
}

/// The cache that setting up fills: `ALIASCOPE_CACHE`, else `aliascope` in the user's cache folder.
fn cache() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !OsStr::is_empty(value));
    if let Some(own) = set("ALIASCOPE_CACHE") {
        return Some(PathBuf::from(own));
    }
    let base = set("XDG_CACHE_HOME").map(PathBuf::from);
    Some(base.or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")))?.join("aliascope"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(distributions: &[&str]) -> tempfile::TempDir {
        let prefix = tempfile::tempdir().unwrap();
        for name in distributions {
            fs::create_dir_all(prefix.path().join("lib/python3.11/site-packages").join(name)).unwrap();
        }
        prefix
    }

    #[test]
    fn packages_are_beside_a_program_that_pip_installed() {
        let prefix = environment(&["aliascope-0.1.0.dist-info", "torch-2.13.0+cpu.dist-info"]);
        let found = packages_beside(&prefix.path().join("bin/aliascope-networks"));
        assert_eq!(found, [prefix.path().join("lib/python3.11/site-packages")]);
        assert!(has_torch(&found[0]));
        assert!(packages_beside(Path::new("target/debug/aliascope-networks")).is_empty());
    }

    #[test]
    fn a_torch_of_another_version_is_not_taken() {
        for other in ["torch-2.5.1.dist-info", "torch-2.13.0.post1.dist-info", "torch-2.13.01.dist-info", "torch"] {
            let prefix = environment(&["aliascope-0.1.0.dist-info", other]);
            let found = packages_beside(&prefix.path().join("bin/aliascope-networks"));
            assert_eq!(found.len(), 1);
            assert!(!has_torch(&found[0]), "{other}");
        }
    }

    #[test]
    fn the_system_is_told_before_what_it_was_told() {
        assert_eq!(Libtorch::Found.setting(), None);
        let (name, value) = Libtorch::At(PathBuf::from("/opt/torch")).setting().unwrap();
        assert_eq!(name, SEARCHED);
        assert_eq!(env::split_paths(&value).next(), Some(PathBuf::from("/opt/torch")));
    }
}
