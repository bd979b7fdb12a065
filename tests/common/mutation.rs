//! Damaged files, the same on every run.

use std::path::PathBuf;

use aliascope::graph::onnx::proto::ModelProto;
use prost::Message;

/// Numbers drawn by a seed, the same on every machine.
pub struct Random(pub u64);

impl Random {
    /// A number from 0 up to `n`, which it is not.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// Small models, one per family of operators: fuzz/corpus/load.
pub fn corpus() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/load");
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 20, "{} has only {} models", folder.display(), paths.len());
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Numbers that programs get wrong.
pub const NUMBERS: [i64; 14] =
    [0, 1, -1, 2, 3, 7, 1 << 20, 1 << 31, (1 << 31) - 1, 1 << 33, 1 << 62, i64::MAX, i64::MIN, -(1 << 40)];

/// A mutant of a model of the corpus: a few bytes, or a few changes on the level of nodes, attributes and constants.
/// None where the bytes are no message any more.
pub fn mutant(corpus: &[Vec<u8>], donors: &[ModelProto], random: &mut Random) -> Option<ModelProto> {
    let which = random.below(corpus.len());
    if random.below(4) == 0 {
        return ModelProto::decode(damaged_bytes(&corpus[which], random).as_slice()).ok();
    }
    let mut model = donors[which].clone();
    for _ in 0..=random.below(3) {
        damage(&mut model, random, donors);
    }
    Some(model)
}

/// The bytes of a file with a few of them changed, taken out or doubled, or the end cut off.
pub fn damaged_bytes(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len());
        match random.below(12) {
            0 => bytes.truncate(at.max(1)),
            1 => bytes.extend_from_within(at..),
            2 => drop(bytes.drain(at..(at + 1 + random.below(8)).min(bytes.len()))),
            3 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            _ => bytes[at] = random.below(256) as u8,
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

/// Changes a decoded model: what is left is a graph, so that the loader is met and not the decoder alone.
pub fn damage(model: &mut ModelProto, random: &mut Random, donors: &[ModelProto]) {
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
