//! Any bytes as a model: the loader gives a network or a sentence, and never panics, hangs or takes all memory.
//!
//!     LIBTORCH=$PWD/libtorch cargo +nightly fuzz run --sanitizer none load -- -rss_limit_mb=4096 -timeout=20
//!
//! The corpus is a small model of each operator, which
//! `cargo test --test networks write_the_corpus -- --ignored` writes anew.
#![no_main]

use std::path::PathBuf;

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::ModelProto;
use aliascope::graph::{LoadOptions, Network};
use libfuzzer_sys::fuzz_target;
use prost::Message;

fuzz_target!(|bytes: &[u8]| {
    // Bytes that are no message are the decoder's business, which tests/onnx_files.rs fuzzes.
    let Ok(model) = ModelProto::decode(bytes) else { return };
    let file = OnnxFile { path: PathBuf::from("fuzzed.onnx"), model };
    if let Ok(network) = Network::from_file(&file, &LoadOptions::default()) {
        let input = network.input();
        let size = [&[1], input.shape.as_slice()].concat();
        let Ok(x) = tch::Tensor::f_zeros(size, (input.kind, tch::Device::Cpu)) else { return };
        // A network that loads runs, or says why not.
        let _ = network.forward(&x);
    }
});
