//! `aliascope doctor`: what is here, what is missing, how to fix it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::report::{Rows, Sink, json_bytes};

use super::outputs::{OutputArgs, Outputs};
use super::{Failure, Status};

/// Say which libraries, models and photos are here, and how to fix what is not.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    output: OutputArgs,
    /// What libraries are found, as JSON.
    #[arg(long, hide = true)]
    libraries: bool,
}

/// One line of the report.
#[derive(Debug, Serialize)]
struct Finding {
    ok: bool,
    needed: bool,
    what: &'static str,
    found: String,
    /// What to do where it is not.
    hint: String,
}

impl Finding {
    fn new(what: &'static str, found: Option<String>, needed: bool, hint: &str) -> Self {
        let ok = found.is_some();
        Self { ok, needed, what, found: found.unwrap_or_else(|| "not found".to_owned()), hint: hint.to_owned() }
    }
}

/// The libraries that networks run on, as the program finds them that is linked with them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Libraries {
    /// libtorch's version and place; nothing where it does not compute.
    pub libtorch: Option<String>,
    /// The place of the library that decomposes matrices; nothing where it does not compute.
    pub lapack: Option<String>,
    /// How many threads libtorch takes.
    pub threads: i32,
    /// How many CUDA devices libtorch sees.
    pub cuda_devices: i64,
}

/// Runs the subcommand: `libraries` is what was found, or why nothing could be; models and photos are looked for in the
/// current folder and in `checkout`.
///
/// # Errors
/// With [`Status::Check`] when networks cannot be measured.
pub fn run(
    args: &DoctorArgs,
    libraries: &Result<Libraries, String>,
    checkout: &Path,
    version: &str,
) -> Result<(), Failure> {
    if args.libraries {
        let found = libraries.as_ref().map_err(|problem| Failure::new(Status::Machine, problem.clone()))?;
        return Ok(Sink::Standard.write_bytes(&json_bytes(found)?)?);
    }
    let outputs = Outputs::claim(&args.output, &[])?;
    let mut findings = vec![Finding::new("aliascope", Some(version.to_owned()), true, "")];
    findings.extend(of(libraries));
    findings.extend(assets(checkout));
    let mut text = String::new();
    for finding in &findings {
        let mark = match (finding.ok, finding.needed) {
            (true, _) => "ok  ",
            (false, true) => "FAIL",
            (false, false) => "-   ",
        };
        let _ = writeln!(text, "{mark}  {:<10}  {}", finding.what, finding.found);
        if !finding.ok && !finding.hint.is_empty() {
            let _ = writeln!(text, "      {:<10}  → {}", "", finding.hint);
        }
    }
    let mut rows = Rows::new(["what", "ok", "needed", "found", "hint"]);
    for finding in &findings {
        let said = |yes: bool| if yes { "yes" } else { "no" };
        rows.push([
            finding.what.into(),
            said(finding.ok).into(),
            said(finding.needed).into(),
            (&finding.found).into(),
            (&finding.hint).into(),
        ]);
    }
    outputs.write_list(&findings, |_| text, &rows)?;
    match findings.iter().find(|finding| finding.needed && !finding.ok) {
        None => Ok(()),
        Some(finding) => Err(Failure::new(
            Status::Check,
            format!("networks cannot be measured: {} ({})", finding.what, finding.hint),
        )),
    }
}

fn of(libraries: &Result<Libraries, String>) -> Vec<Finding> {
    let again = "run `make setup`, then build again";
    let found = match libraries {
        Ok(found) => found,
        Err(problem) => {
            // Most problems say themselves what to do, which differs between a build and a wheel.
            let (found, hint) = problem.split_once("; ").unwrap_or((problem, again));
            return vec![Finding { found: found.to_owned(), ..Finding::new("libtorch", None, true, hint) }];
        }
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let threads = format!("{} of {cores} cores (--threads N changes it)", found.threads);
    let cuda = (found.cuda_devices > 0).then(|| format!("{} devices", found.cuda_devices));
    let cuda_hint = "not needed; build with LIBTORCH set to a libtorch with CUDA to use --device cuda";
    vec![
        Finding::new("libtorch", found.libtorch.clone(), true, again),
        Finding::new("OpenBLAS", found.lapack.clone(), true, "install libopenblas-dev, then build again"),
        Finding::new("threads", Some(threads), false, ""),
        Finding::new("CUDA", cuda, false, cuda_hint),
    ]
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

fn assets(checkout: &Path) -> [Finding; 2] {
    let hint = "run `make models` in the checkout; models and photos of your own serve as well";
    let models = listed("models", &["onnx"], checkout).map(|found| {
        let missing: Vec<&str> = MODELS.into_iter().filter(|name| !found.contains(name)).collect();
        if missing.is_empty() {
            return found;
        }
        format!("{found}; not there: {} (`make models` fetches them)", missing.join(", "))
    });
    [
        Finding::new("models", models, false, hint),
        Finding::new("photos", listed("photos", &["png", "jpg"], checkout), false, hint),
    ]
}

/// The files with these extensions in a folder beside the current one, or beside the sources this was built from.
fn listed(folder: &str, extensions: &[&str], checkout: &Path) -> Option<String> {
    let places = [PathBuf::from(folder), checkout.join(folder)];
    let place = places.into_iter().find(|place| place.is_dir())?;
    let mut names: Vec<String> = std::fs::read_dir(&place)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| extensions.iter().any(|extension| name.ends_with(&format!(".{extension}"))))
        .collect();
    names.sort();
    (!names.is_empty()).then(|| format!("{} in {}: {}", names.len(), place.display(), names.join(", ")))
}
