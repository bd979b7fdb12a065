//! Damaged models never panic, hang or take memory beyond reason: mutations of small models, the same on every run.
//!
//! fuzz/ has a coverage-guided target over the same loader; this needs nothing but stable Rust.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::ModelProto;
use aliascope::graph::{LoadOptions, Network};
use prost::Message;

use crate::common::mutation::{Random, corpus, mutant};

/// How many damaged models are loaded.
fn runs() -> usize {
    std::env::var("ALIASCOPE_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000)
}

#[test]
fn damaged_models_are_loaded_or_refused() {
    let corpus = corpus();
    let donors: Vec<ModelProto> = corpus.iter().map(|bytes| ModelProto::decode(bytes.as_slice()).unwrap()).collect();
    for (bytes, model) in corpus.iter().zip(&donors) {
        let file = OnnxFile { path: PathBuf::from("corpus.onnx"), model: model.clone() };
        let loaded = Network::from_file(&file, &LoadOptions::default());
        assert!(loaded.is_ok(), "a model of the corpus is refused: {} ({} bytes)", loaded.unwrap_err(), bytes.len());
    }
    let mut random = Random(0x0a11_a5c0_9e5e_ed01);
    let (mut loaded, mut slowest, mut panics) = (0, Duration::ZERO, Vec::new());
    let runs = runs();
    for run in 0..runs {
        let Some(model) = mutant(&corpus, &donors, &mut random) else { continue };
        let file = OnnxFile { path: PathBuf::from("damaged.onnx"), model };
        let started = Instant::now();
        let result = catch_unwind(AssertUnwindSafe(|| Network::from_file(&file, &LoadOptions::default()).is_ok()));
        slowest = slowest.max(started.elapsed());
        match result {
            Ok(ok) => loaded += usize::from(ok),
            Err(_) => {
                let path = std::env::temp_dir().join(format!("aliascope-panic-{run}.onnx"));
                std::fs::write(&path, file.model.encode_to_vec()).unwrap();
                panics.push(format!("run {run}: {}", path.display()));
            }
        }
        assert!(slowest < Duration::from_secs(20), "run {run} takes {slowest:?}");
    }
    assert!(panics.is_empty(), "{} models make the loader panic:\n{}", panics.len(), panics.join("\n"));
    println!("{runs} damaged models, {loaded} load all the same, the slowest in {slowest:?}");
    // The changes leave some models whole and damage most.
    assert!(loaded > runs / 20 && loaded < runs * 9 / 10, "{loaded} of {runs} load");
}
