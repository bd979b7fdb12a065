//! The libraries that networks run on, for `aliascope doctor`.

use std::path::Path;

use aliascope_core::cli::doctor::Libraries;
use ndarray_linalg::{Eigh, UPLO};
use tch::{Cuda, Device, Kind, Tensor};

/// What is found, and whether it computes.
pub(super) fn libraries() -> Libraries {
    let works = Tensor::f_ones([2, 2], (Kind::Float, Device::Cpu)).and_then(|t| t.f_matmul(&t)).is_ok();
    let place = mapped("libtorch_cpu").unwrap_or_else(|| env!("ALIASCOPE_LIBTORCH").to_owned());
    let decomposes = ndarray::arr2(&[[2.0, 1.0], [1.0, 2.0]]).eigh(UPLO::Lower).is_ok();
    let lapack = mapped("openblas").or_else(|| mapped("lapack")).unwrap_or_else(|| "linked".to_owned());
    Libraries {
        libtorch: works.then(|| format!("{} at {place}", libtorch_version(Path::new(&place)))),
        lapack: decomposes.then_some(lapack),
        threads: tch::get_num_threads(),
        cuda_devices: if Cuda::is_available() && tch::utils::has_cuda() { Cuda::device_count() } else { 0 },
    }
}

fn libtorch_version(library: &Path) -> String {
    // …/lib/libtorch_cpu.so or …/lib, with …/build-version beside lib.
    let file = library.ancestors().take(3).map(|folder| folder.join("build-version")).find(|file| file.exists());
    let version = file.and_then(|file| std::fs::read_to_string(file).ok());
    version.map_or_else(|| "2.13 (the version tch is bound to)".to_owned(), |version| version.trim().to_owned())
}

/// The file of a library that is loaded into this process, where the system tells.
fn mapped(name: &str) -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = maps.lines().find(|line| line.rsplit('/').next().is_some_and(|file| file.contains(name)))?;
    line.find('/').map(|at| line[at..].to_owned())
}
