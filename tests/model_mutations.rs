//! Damaged models never panic, hang or take memory beyond reason: mutations of small models, the same on every run.
//!
//! fuzz/ has a coverage-guided target over the same loader; this needs nothing but stable Rust.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::ModelProto;
use aliascope::graph::{LoadOptions, Network};
use prost::Message;

/// How many damaged models are loaded.
fn runs() -> usize {
    std::env::var("ALIASCOPE_MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000)
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// Small models, one per family of operators: fuzz/corpus/load.
fn corpus() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/load");
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 20, "{} has only {} models", folder.display(), paths.len());
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Numbers that programs get wrong.
const NUMBERS: [i64; 12] = [0, 1, -1, 2, 7, 1 << 20, 1 << 31, 1 << 33, i64::MAX, i64::MIN, i64::MAX - 1, -(1 << 40)];

/// Changes a decoded model: what is left is a graph, so that the loader is met and not the decoder alone.
fn damage(model: &mut ModelProto, random: &mut Random, donors: &[ModelProto]) {
    let Some(graph) = &mut model.graph else { return };
    let names: Vec<String> = graph.node.iter().flat_map(|n| n.input.iter().chain(&n.output)).cloned().collect();
    let nodes = graph.node.len();
    let at = random.below(nodes);
    match random.below(16) {
        0 if nodes > 1 => {
            graph.node.remove(at);
        }
        1 if nodes > 0 => graph.node.swap(at, random.below(nodes)),
        2 if nodes > 0 => {
            let copy = graph.node[at].clone();
            graph.node.push(copy);
        }
        3 | 4 if nodes > 0 && !names.is_empty() && !graph.node[at].input.is_empty() => {
            let i = random.below(graph.node[at].input.len());
            graph.node[at].input[i] = names[random.below(names.len())].clone();
        }
        5 if nodes > 0 => {
            graph.node[at].input.pop();
        }
        6 if nodes > 0 && !names.is_empty() => graph.node[at].input.push(names[random.below(names.len())].clone()),
        // Another operator's name, or its attributes.
        7 | 8 if nodes > 0 => {
            let donor = &donors[random.below(donors.len())];
            let others = donor.graph.as_ref().map(|g| g.node.as_slice()).unwrap_or_default();
            if !others.is_empty() {
                let other = &others[random.below(others.len())];
                if random.below(2) == 0 {
                    graph.node[at].op_type.clone_from(&other.op_type);
                } else {
                    graph.node[at].attribute.clone_from(&other.attribute);
                }
            }
        }
        9 | 10 if nodes > 0 && !graph.node[at].attribute.is_empty() => {
            let i = random.below(graph.node[at].attribute.len());
            let attribute = &mut graph.node[at].attribute[i];
            let number = NUMBERS[random.below(NUMBERS.len())];
            match random.below(4) {
                0 => attribute.i = Some(number),
                1 if !attribute.ints.is_empty() => {
                    let j = random.below(attribute.ints.len());
                    attribute.ints[j] = number;
                }
                2 => {
                    attribute.ints.pop();
                }
                _ => attribute.f = Some(number as f32),
            }
        }
        11 | 12 if !graph.initializer.is_empty() => {
            let i = random.below(graph.initializer.len());
            let tensor = &mut graph.initializer[i];
            let number = NUMBERS[random.below(NUMBERS.len())];
            if tensor.int64_data.is_empty() || random.below(3) == 0 {
                match tensor.dims.len() {
                    0 => tensor.dims.push(number),
                    n => tensor.dims[random.below(n)] = number,
                }
            } else {
                let j = random.below(tensor.int64_data.len());
                tensor.int64_data[j] = number;
            }
        }
        13 if !graph.initializer.is_empty() => {
            let i = random.below(graph.initializer.len());
            graph.initializer[i].data_type = Some([1, 6, 7, 9, 10, 11][random.below(6)]);
        }
        14 => {
            for id in &mut model.opset_import {
                id.version = Some([1, 9, 11, 13, 17, 18, 21, 25][random.below(8)]);
            }
        }
        _ if !graph.initializer.is_empty() => {
            let i = random.below(graph.initializer.len());
            graph.initializer.remove(i);
        }
        _ => {}
    }
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
        let which = random.below(corpus.len());
        let model = if random.below(4) == 0 {
            let mut bytes = corpus[which].clone();
            for _ in 0..=random.below(4) {
                let at = random.below(bytes.len());
                bytes[at] = random.below(256) as u8;
            }
            match ModelProto::decode(bytes.as_slice()) {
                Ok(model) => model,
                Err(_) => continue,
            }
        } else {
            let mut model = donors[which].clone();
            for _ in 0..=random.below(3) {
                damage(&mut model, &mut random, &donors);
            }
            model
        };
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
