//! Links what tch leaves to its user: an rpath to libtorch, so that the binary runs from any folder without
//! LD_LIBRARY_PATH, and the C++ shim for forward-mode automatic differentiation.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_TORCH").is_some() {
        link_libtorch();
    }
}

#[cfg(feature = "torch")]
fn link_libtorch() {
    use std::path::PathBuf;

    println!("cargo:rerun-if-changed=src/graph/forward_ad.cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH_INCLUDE");
    let Some(lib) = env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from) else {
        // torch-sys says where libtorch is; it says nothing only where it failed, with its own message.
        return;
    };
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    println!("cargo:rustc-env=ALIASCOPE_LIBTORCH={}", lib.display());

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
        .file("src/graph/forward_ad.cpp")
        .compile("aliascope_forward_ad");
}

#[cfg(not(feature = "torch"))]
fn link_libtorch() {}
