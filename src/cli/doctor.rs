//! `aliascope doctor`: what is here, what is missing, how to mend it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::report::Sink;

use super::failure::{Failure, Status};

/// Say which libraries, models and photos are here, and how to mend what is not.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// No table: the exit status alone, and one sentence where networks cannot be measured.
    #[arg(long)]
    quiet: bool,
}

/// One line of the report.
struct Finding {
    ok: bool,
    needed: bool,
    what: &'static str,
    found: String,
    mend: String,
}

impl Finding {
    fn new(what: &'static str, found: Option<String>, needed: bool, mend: &str) -> Self {
        let ok = found.is_some();
        Self { ok, needed, what, found: found.unwrap_or_else(|| "not found".to_owned()), mend: mend.to_owned() }
    }
}

/// Runs the subcommand.
///
/// # Errors
/// With [`Status::Check`] when networks cannot be measured.
pub fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let mut findings = vec![Finding::new("aliascope", Some(env!("CARGO_PKG_VERSION").to_owned()), true, "")];
    findings.extend(libraries());
    findings.extend(assets());
    let mut text = String::new();
    for finding in &findings {
        let mark = match (finding.ok, finding.needed) {
            (true, _) => "ok  ",
            (false, true) => "FAIL",
            (false, false) => "-   ",
        };
        let _ = writeln!(text, "{mark}  {:<10}  {}", finding.what, finding.found);
        if !finding.ok && !finding.mend.is_empty() {
            let _ = writeln!(text, "      {:<10}  → {}", "", finding.mend);
        }
    }
    if !args.quiet {
        Sink::Standard.write_bytes(text.as_bytes())?;
    }
    match findings.iter().find(|finding| finding.needed && !finding.ok) {
        None => Ok(()),
        Some(finding) => Err(Failure::new(
            Status::Check,
            format!("networks cannot be measured: {} ({})", finding.what, finding.mend),
        )),
    }
}
fn libraries() -> Vec<Finding> {
    use tch::{Cuda, Tensor, utils};

    let works = Tensor::f_ones([2, 2], (tch::Kind::Float, tch::Device::Cpu)).and_then(|t| t.f_matmul(&t)).is_ok();
    let torch_mend = "run `make setup`, then build again";
    let where_is = mapped("libtorch_cpu").unwrap_or_else(|| env!("ALIASCOPE_LIBTORCH").to_owned());
    let torch = works.then(|| format!("{} at {where_is}", libtorch_version(Path::new(&where_is))));
    let cuda = (Cuda::is_available() && utils::has_cuda()).then(|| format!("{} devices", Cuda::device_count()));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let threads = format!("{} of {cores} cores (--threads N changes it)", tch::get_num_threads());
    vec![
        Finding::new("libtorch", torch, true, torch_mend),
        lapack(),
        Finding::new("threads", Some(threads), false, ""),
        Finding::new(
            "CUDA",
            cuda,
            false,
            "not needed; build with LIBTORCH set to a libtorch with CUDA to use --device cuda",
        ),
    ]
}
fn libtorch_version(library: &Path) -> String {
    // …/lib/libtorch_cpu.so or …/lib, with …/build-version beside lib.
    let file = library.ancestors().take(3).map(|folder| folder.join("build-version")).find(|file| file.exists());
    let version = file.and_then(|file| std::fs::read_to_string(file).ok());
    version.map_or_else(|| "2.13 (the version tch is bound to)".to_owned(), |version| version.trim().to_owned())
}

fn lapack() -> Finding {
    use ndarray_linalg::{Eigh, UPLO};
    let works = ndarray::arr2(&[[2.0, 1.0], [1.0, 2.0]]).eigh(UPLO::Lower).is_ok();
    let place = mapped("openblas").or_else(|| mapped("lapack")).unwrap_or_else(|| "linked".to_owned());
    Finding::new("OpenBLAS", works.then_some(place), true, "install libopenblas-dev, then build again")
}

/// The file of a library that is loaded into this process, where the system tells.
fn mapped(name: &str) -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.rsplit('/').next().is_some_and(|file| file.contains(name)))?;
    line.find('/').map(|at| line[at..].to_owned())
}

/// What `make models` fetches.
const MODELS: [&str; 6] = [
    "efficientnet-lite0.onnx",
    "efficientnet-lite1.onnx",
    "efficientnet-lite2.onnx",
    "ppocr-v4-cls.onnx",
    "ppocr-v4-det.onnx",
    "ppocr-v4-rec.onnx",
];

fn assets() -> [Finding; 2] {
    let mend = "run `make models` in the checkout; models and photos of your own serve as well";
    let models = listed("models", &["onnx"]).map(|found| {
        let missing: Vec<&str> = MODELS.into_iter().filter(|name| !found.contains(name)).collect();
        if missing.is_empty() {
            return found;
        }
        format!("{found}; not there: {} (`make models` fetches them)", missing.join(", "))
    });
    [
        Finding::new("models", models, false, mend),
        Finding::new("photos", listed("photos", &["png", "jpg"]), false, mend),
    ]
}

/// The files with these extensions in a folder beside the current one, or beside the sources this was built from.
fn listed(folder: &str, extensions: &[&str]) -> Option<String> {
    let places = [PathBuf::from(folder), Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let place = places.into_iter().find(|place| place.is_dir())?;
    let mut names: Vec<String> = std::fs::read_dir(&place)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| extensions.iter().any(|extension| name.ends_with(&format!(".{extension}"))))
        .collect();
    names.sort();
    (!names.is_empty()).then(|| format!("{} in {}: {}", names.len(), place.display(), names.join(", ")))
}
