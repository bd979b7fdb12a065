//! What a sweep of seven generators costs, as a ratio to one batch-8 forward of the same network in the same process.
//!
//! `cargo bench --bench sweep` prints medians over repetitions that take turns, so that a drift of the machine's speed
//! falls on all alike; `-- MODEL.onnx…` measures other networks.

use std::path::PathBuf;

use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::lee::{LeeMeter, LeeOptions};
use tch::{Kind, Tensor};

const REPETITIONS: usize = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut models: Vec<PathBuf> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).map(PathBuf::from).collect();
    if models.is_empty() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models");
        models = (0..3).map(|i| root.join(format!("efficientnet-lite{i}.onnx"))).collect();
    }
    println!("medians of {REPETITIONS} repetitions in turn, {} threads", tch::get_num_threads());
    println!(
        "{:<28} {:>11} {:>11} {:>11} {:>16} {:>14} {:>14}",
        "network", "forward ms", "batch-8 ms", "sweep ms", "batch-8/forward", "sweep/forward", "sweep/batch-8"
    );
    for path in models {
        let network = Network::load(&path, &LoadOptions::default())?;
        let mut meter = LeeMeter::new(&network, LeeOptions::default())?;
        let shape = [&[1], network.input().shape.as_slice()].concat();
        let x = Tensor::f_randn(shape, (Kind::Float, tch::Device::Cpu))?;
        meter.timing(&x, 2)?;
        let timing = meter.timing(&x, REPETITIONS)?;
        let (one, batch) = (timing.forward_ms.unwrap_or(f64::NAN), timing.forward_batch8_ms.unwrap_or(f64::NAN));
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let sweep = timing.sweep_ms;
        let ratios = [batch / one, sweep / one, sweep / batch];
        println!(
            "{name:<28} {one:>11.1} {batch:>11.1} {sweep:>11.1} {:>16.2} {:>14.2} {:>14.2}",
            ratios[0], ratios[1], ratios[2]
        );
    }
    Ok(())
}
