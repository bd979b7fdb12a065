//! What several tests share.
#![allow(dead_code)]

pub mod alone;
pub mod classifier;
pub mod command;
pub mod docs;
pub mod drawing;
pub mod model;
pub mod mutation;
pub mod onnx;
pub mod weightless;

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use tch::{Kind, Tensor};

/// The shipped networks.
pub const MODELS: [&str; 6] =
    ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2", "ppocr-v4-det", "ppocr-v4-rec", "ppocr-v4-cls"];

/// A file that `make models` puts into the checkout.
pub fn asset(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(path.exists(), "{} is not there: run `make models` first", path.display());
    path
}

/// A recorded run of a shipped network: input and output.
pub struct Recorded {
    pub shape: Vec<i64>,
    /// `[images = 1, input shape…]`, single precision.
    pub x: Tensor,
    /// Output of ONNX Runtime, single precision, as one row.
    pub y: Tensor,
}

/// Reads tests/fixtures/NAME.safetensors; scripts/record_fixtures.py says what is in it.
pub fn recorded(name: &str) -> Recorded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.safetensors"));
    let bytes = std::fs::read(&path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = header.metadata().clone().unwrap_or_default();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |key: &str| -> Vec<f32> {
        file.tensor(key).unwrap().data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let shape: Vec<i64> = metadata["shape"].split(',').map(|n| n.trim().parse().unwrap()).collect();
    let x = match metadata.get("rule").map(String::as_str) {
        Some("hash") => noise(shape.iter().product::<i64>() as u32),
        _ => floats("x"),
    };
    let x = Tensor::from_slice(&x).reshape([&[1], shape.as_slice()].concat());
    Recorded { shape, x, y: Tensor::from_slice(&floats("y")) }
}

/// The white noise of the rule `hash`.
pub fn noise(count: u32) -> Vec<f32> {
    (0..count)
        .map(|i| {
            let mut h = i.wrapping_mul(2_654_435_761);
            h = (h ^ (h >> 16)).wrapping_mul(2_246_822_519);
            h ^= h >> 13;
            ((h >> 8) as f32 - 8_388_608.0) / 8_388_608.0
        })
        .collect()
}

/// ‖a − b‖/‖b‖ in double precision.
pub fn relative(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) = (a.to_kind(Kind::Double).reshape([-1]), b.to_kind(Kind::Double).reshape([-1]));
    (&a - &b).norm().double_value(&[]) / b.norm().double_value(&[])
}
