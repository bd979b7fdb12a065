//! Measures a network in a dozen lines:
//! `cargo run --example measure_network -- models/efficientnet-lite0.onnx photos/chelsea.png`
//!
//! What to see: translations in x and y cost about the same, and rotation follows from the two shears.

use std::error::Error;
use std::path::Path;

use aliascope::graph::{LoadOptions, Network};
use aliascope::input::{METADATA_KEY, Preprocessing, read_photo};
use aliascope::measure::lee::{LeeMeter, LeeOptions};
use tch::Tensor;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, photo] = &arguments[..] else {
        return Err("give a model and a photo".into());
    };
    let network = Network::load(Path::new(model), &LoadOptions::default())?;
    let preprocessing = match network.metadata(METADATA_KEY) {
        Some(json) => Preprocessing::from_metadata(json)?,
        None => Preprocessing::imagenet(),
    };
    let [_, channels, rows, columns] = network.input().shape[..] else {
        return Err("the network takes no images".into());
    };
    let image = read_photo(Path::new(photo), &preprocessing, [channels as usize, rows as usize, columns as usize])?;
    let values: Vec<f64> = image.data.iter().copied().collect();
    let x = Tensor::from_slice(&values).view([1, 1, channels, rows, columns]);

    let mut meter = LeeMeter::new(&network, LeeOptions::default())?;
    meter.measure(&x, std::slice::from_ref(photo))?;
    for (name, result) in meter.results() {
        println!("{name:>12}  LEE {:.3e}   mean |L| {:.3e}", result.lee, result.mean_abs);
    }
    let timing = meter.timing(&x, 5)?;
    let batch = timing.forward_batch8_ms.unwrap_or(f64::NAN);
    println!("sweep {:.1} ms, batch-8 forward {batch:.1} ms: ratio {:.2}", timing.sweep_ms, timing.sweep_ms / batch);
    Ok(())
}
