//! What an exact attribution of one generator on one image costs, in forward passes of the same network in the same
//! process.
//!
//! `cargo bench --bench layers` prints medians over repetitions that take turns; `-- MODEL.onnx…` measures other
//! networks, such as a ResNet-50 from `scripts/export.py`.

use std::path::PathBuf;
use std::time::Instant;

use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::layers::{Grouping, LayerMeter, LayersOptions, SplitBy, probes};
use tch::{Kind, Tensor};

const REPETITIONS: usize = 5;
const PROBES: usize = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut models: Vec<PathBuf> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).map(PathBuf::from).collect();
    if models.is_empty() {
        models.push(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/efficientnet-lite0.onnx"));
    }
    println!(
        "medians of {REPETITIONS} repetitions in turn, {} threads; forward passes of batch 1",
        tch::get_num_threads()
    );
    println!(
        "{:<28} {:>7} {:>11} {:>8} {:>8} {:>8} {:>11} {:>10}",
        "network", "sources", "forward ms", "exact", "split", "octaves", "100 probes", "residual"
    );
    for path in models {
        let network = Network::load(&path, &LoadOptions::default())?;
        let shape = [&[1], network.input().shape.as_slice()].concat();
        tch::manual_seed(0);
        let x = Tensor::f_randn(shape, (Kind::Float, tch::Device::Cpu))?;
        let options = |split: SplitBy| -> Result<LayersOptions, Box<dyn std::error::Error>> {
            Ok(LayersOptions { split, grouping: Grouping::Node, ..LayersOptions::new("translate_x".parse()?) })
        };
        let timed = |run: &mut dyn FnMut() -> Result<(), Box<dyn std::error::Error>>| {
            let start = Instant::now();
            run().map(|()| start.elapsed().as_secs_f64() * 1e3)
        };
        let (mut forward, mut exact, mut split, mut octaves) = (vec![], vec![], vec![], vec![]);
        let (mut residual, mut sources) = (0.0, 0);
        let names = ["noise".to_owned()];
        let _ = network.forward(&x)?;
        for _ in 0..REPETITIONS {
            forward.push(timed(&mut || Ok(network.forward(&x).map(drop)?))?);
            let ways = [(SplitBy::Nothing, &mut exact), (SplitBy::Cause, &mut split), (SplitBy::Octave, &mut octaves)];
            for (split, times) in ways {
                let mut meter = LayerMeter::new(&network, options(split)?)?;
                times.push(timed(&mut || Ok(meter.measure(&x, &names, &mut |_, _| {})?))?);
                let results = meter.results();
                (residual, sources) = (results.conservation_residual, results.layers.len());
            }
        }
        let mut meters = [LayerMeter::new(&network, options(SplitBy::Nothing)?)?];
        let by_probes = timed(&mut || Ok(probes::measure(&mut meters, &x, "noise", PROBES, &mut |_, _| {})?))?;
        let one = median(forward);
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        println!(
            "{name:<28} {sources:>7} {one:>11.1} {:>8.1} {:>8.1} {:>8.1} {:>11.1} {residual:>10.1e}",
            median(exact) / one,
            median(split) / one,
            median(octaves) / one,
            by_probes / one
        );
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
