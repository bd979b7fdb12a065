//! Links what tch leaves to its user: an rpath to libtorch, so that the binary runs from any folder without
//! LD_LIBRARY_PATH, the C++ shims for forward-mode automatic differentiation and memory, and the kernels.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    name_the_commit();
    link_libtorch();
}

/// For `--version` of an optimised build from a checkout. Others are built again and again, and would be at each commit.
fn name_the_commit() {
    if env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    let git = |arguments: &[&str]| {
        let said =
            std::process::Command::new("git").args(arguments).output().ok().filter(|said| said.status.success())?;
        Some(String::from_utf8(said.stdout).ok()?.trim().to_owned())
    };
    // A packed crate has no history; what lies around it is another project's.
    let ours = git(&["ls-files", "--error-unmatch", "build.rs"]).is_some();
    if let Some(commit) = git(&["describe", "--always", "--dirty", "--abbrev=12"]).filter(|_| ours) {
        if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
            println!("cargo:rerun-if-changed={log}");
        }
        println!("cargo:rustc-env=ALIASCOPE_COMMIT={commit}");
    }
}

/// LAPACK, for ndarray-linalg: where pkg-config knows OpenBLAS, or where the linker looks by itself.
fn link_lapack() {
    println!("cargo:rerun-if-env-changed={STATIC_LAPACK}");
    if let Ok(folders) = env::var(STATIC_LAPACK) {
        return link_reference_lapack(&folders);
    }
    if let Err(error) = pkg_config::Config::new().probe("openblas") {
        println!("cargo:warning=pkg-config does not find OpenBLAS, so that the linker has to: {error}");
        println!("cargo:rustc-link-lib=dylib=openblas");
    }
}

/// For programs that are moved to other machines: Netlib's LAPACK, as archives in these folders (with colons between), so
/// that the program needs no OpenBLAS there. What it decomposes is of a few rows, and the reference is as fast there.
const STATIC_LAPACK: &str = "ALIASCOPE_STATIC_LAPACK";

fn link_reference_lapack(folders: &str) {
    for folder in folders.split(':') {
        println!("cargo:rustc-link-arg=-L{folder}");
    }
    // Arguments of the linker stand behind all crates, among them the one that asks for these functions. Hidden, since
    // libtorch has functions of the same names, and would call these instead of its own.
    let archives = ["liblapack.a", "libblas.a", "libgfortran.a", "libquadmath.a"];
    println!("cargo:rustc-link-arg=-Wl,--exclude-libs,{}", archives.join(":"));
    for archive in archives {
        println!("cargo:rustc-link-arg=-l:{archive}");
    }
}

fn link_libtorch() {
    use std::path::PathBuf;

    for file in ["forward_ad.cpp", "guard.cpp"] {
        println!("cargo:rerun-if-changed=src/graph/{file}");
    }
    for file in ["attention.cpp", "loops.cpp", "pointwise.cpp", "vectors.h"] {
        println!("cargo:rerun-if-changed=src/graph/kernels/{file}");
    }
    println!("cargo:rerun-if-env-changed=LIBTORCH_INCLUDE");
    println!("cargo:rerun-if-env-changed=ALIASCOPE_SANITIZE");
    let Some(lib) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        // torch-sys says where libtorch is; it says nothing only where it failed, with its own message.
        return;
    };
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    println!("cargo:rustc-env=ALIASCOPE_LIBTORCH={}", lib.display());
    // DEP_ALIASCOPE_LIBTORCH, for those who depend on this crate: arguments of the linker do not reach them.
    println!("cargo:libtorch={}", lib.display());
    // Before the OpenBLAS that ndarray-linalg brings: libtorch's own matrix products have the same names, and the library
    // that is named first would serve both, with threads of its own beside libtorch's.
    println!("cargo:rustc-link-search=native={}", lib.display());
    println!("cargo:rustc-link-lib=dylib=torch_cpu");
    link_lapack();

    let root = env::var_os("LIBTORCH_INCLUDE")
        .map(PathBuf::from)
        .or_else(|| lib.parent().map(PathBuf::from))
        .unwrap_or_default();
    cc::Build::new()
        .cpp(true)
        .pic(true)
        .warnings(false)
        .std("c++17")
        .include(root.join("include"))
        .include(root.join("include/torch/csrc/api/include"))
        .files(["src/graph/forward_ad.cpp", "src/graph/guard.cpp"])
        .compile("aliascope_libtorch");

    let mut kernels = cc::Build::new();
    kernels.cpp(true).pic(true).warnings(false).std("c++17");
    kernels.files(["attention.cpp", "loops.cpp", "pointwise.cpp"].map(|file| format!("src/graph/kernels/{file}")));
    // Whatever the profile: these loops are the hot ones. Sums may be reordered, as libtorch's are.
    kernels.opt_level(3).flag("-fno-math-errno").flag("-fno-trapping-math").flag("-ffp-contract=fast");
    if let Ok(checks) = env::var("ALIASCOPE_SANITIZE") {
        // The loops with checks of every access, for tests: see fuzz/README.md. Fully optimised they would compile for ten
        // minutes.
        kernels.opt_level(1).flag(format!("-fsanitize={checks}")).flag("-fno-sanitize-recover=all").debug(true);
        for library in
            [("address", "-lasan"), ("undefined", "-lubsan")].iter().filter(|(check, _)| checks.contains(check))
        {
            println!("cargo:rustc-link-arg={}", library.1);
        }
    }
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // libtorch's own threads: its libgomp is the one that is loaded.
        kernels.flag("-fopenmp");
        println!("cargo:rustc-link-lib=gomp");
    } else {
        kernels.flag("-fopenmp-simd");
    }
    kernels.compile("aliascope_kernels");
}
