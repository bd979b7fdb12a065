//! What a sweep of seven generators costs, as a ratio to one batch-8 forward of the same network in the same process.
//!
//! `cargo bench --bench sweep` prints medians over repetitions that take turns, so that a drift of the machine's speed
//! falls on all alike; `-- MODEL.onnx…` measures other networks. Behind them: what one image of several at once costs,
//! which says whether the stack should be cut into smaller batches, and what a batch of eight costs in either memory
//! format.

use std::path::PathBuf;
use std::time::Instant;

use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::lee::{LeeMeter, LeeOptions};
use aliascope::symmetry::{Combination, Generator};
use tch::{Kind, Tensor};

const REPETITIONS: usize = 15;
const AT_ONCE: [i64; 6] = [1, 2, 4, 6, 8, 16];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut models: Vec<PathBuf> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).map(PathBuf::from).collect();
    if models.is_empty() {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models");
        models = (0..3).map(|i| root.join(format!("efficientnet-lite{i}.onnx"))).collect();
    }
    println!("medians of {REPETITIONS} repetitions in turn, {} threads", tch::get_num_threads());
    println!(
        "{:<28} {:>11} {:>11} {:>11} {:>16} {:>14} {:>14} {:>14} {:>10}",
        "network",
        "forward ms",
        "batch-8 ms",
        "sweep ms",
        "batch-8/forward",
        "sweep/forward",
        "sweep/batch-8",
        "translate_x ms",
        "of sweep"
    );
    for path in &models {
        let network = Network::load(path, &LoadOptions::default())?;
        let mut meter = LeeMeter::new(&network, LeeOptions::default())?;
        let shape = [&[1], network.input().shape.as_slice()].concat();
        let x = Tensor::f_randn(shape, (Kind::Float, tch::Device::Cpu))?;
        meter.timing(&x, 2)?;
        let timing = meter.timing(&x, REPETITIONS)?;
        let (one, batch) = (timing.forward_ms.unwrap_or(f64::NAN), timing.forward_batch8_ms.unwrap_or(f64::NAN));
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let sweep = timing.sweep_ms;
        let ratios = [batch / one, sweep / one, sweep / batch];
        // One generator has one tangent, not seven.
        let alone =
            LeeOptions { generators: vec![Combination::single(Generator::TranslateX)], ..LeeOptions::default() };
        let alone = LeeMeter::new(&network, alone)?.timing(&x, REPETITIONS)?.sweep_ms;
        println!(
            "{name:<28} {one:>11.1} {batch:>11.1} {sweep:>11.1} {:>16.2} {:>14.2} {:>14.2} {alone:>14.1} {:>10.2}",
            ratios[0],
            ratios[1],
            ratios[2],
            alone / sweep
        );
    }
    println!("\nms per image in forward passes of so many, and ms of a forward pass of eight in either memory format");
    let heads: Vec<String> = AT_ONCE.iter().map(|n| format!("{n:>7}")).collect();
    println!("{:<28} {} {:>15} {:>15}", "network", heads.join(" "), "channels last", "channels first");
    for path in &models {
        let mut network = Network::load(path, &LoadOptions::default())?;
        let per_image = per_image(&network)?.map(|ms| format!("{ms:>7.2}"));
        let [last, first] = network.time_memory_formats()?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        println!("{name:<28} {} {last:>15.1} {first:>15.1}", per_image.join(" "));
    }
    Ok(())
}

/// The median milliseconds per image of forward passes of [`AT_ONCE`] images, in turn.
fn per_image(network: &Network) -> Result<[f64; 6], Box<dyn std::error::Error>> {
    let mut times = AT_ONCE.map(|_| Vec::new());
    for _ in 0..=REPETITIONS / 2 {
        for (n, times) in AT_ONCE.into_iter().zip(&mut times) {
            let x =
                Tensor::f_full([&[n, 1], &network.input().shape[1..]].concat(), 0.5, (Kind::Float, tch::Device::Cpu))?;
            let start = Instant::now();
            let _ = network.forward(&x)?;
            times.push(start.elapsed().as_secs_f64() * 1e3 / n as f64);
        }
    }
    Ok(times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    }))
}
