//! How much memory a sweep takes, beside a forward pass of eight images: the most that the process ever held, in a
//! process of its own for each.
//!
//!     cargo run --example peak_memory -- models/efficientnet-lite0.onnx…

use std::path::Path;
use std::process::Command;

use aliascope::graph::{LoadOptions, Network};
use tch::{Kind, Tensor};

/// The most resident memory of this process so far, in MiB.
fn peak_mib() -> Result<f64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM; this needs Linux")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib / 1024.0)
}

/// Runs one kind of work three times and prints the peak before and after.
fn run(model: &Path, work: &str) -> Result<(), Box<dyn std::error::Error>> {
    let network = Network::load(model, &LoadOptions::default())?;
    let shape = [&[1], network.input().shape.as_slice()].concat();
    let random = |size: &[i64]| Tensor::f_randn(size, (Kind::Float, tch::Device::Cpu));
    let before = peak_mib()?;
    for _ in 0..3 {
        if work == "sweep" {
            network.sweep(&random(&shape)?, &random(&[&[7], shape.as_slice()].concat())?)?;
        } else {
            let _ = network.forward(&random(&[&[8], &shape[1..]].concat())?)?;
        }
    }
    println!("{before} {}", peak_mib()?);
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [model, work] = &arguments[..]
        && matches!(work.as_str(), "forward" | "sweep")
    {
        return run(Path::new(model), work);
    }
    println!(
        "{:<36} {:>11} {:>17} {:>11} {:>7} {:>18}",
        "MiB at the peak", "loaded", "forward of 8", "sweep", "ratio", "ratio, model apart"
    );
    for model in &arguments {
        let mut peaks = Vec::new();
        for work in ["forward", "sweep"] {
            let done = Command::new(std::env::current_exe()?).args([model.as_str(), work]).output()?;
            let text = String::from_utf8(done.stdout)?;
            let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
            let [before, after] = numbers[..] else {
                return Err(format!("{model}: {}", String::from_utf8_lossy(&done.stderr)).into());
            };
            peaks.push((before, after));
        }
        let [(before, forward), (other, sweep)] = peaks[..] else { return Err("two runs".into()) };
        println!(
            "{:<36} {before:>11.0} {forward:>17.0} {sweep:>11.0} {:>7.2} {:>18.2}",
            Path::new(model).file_stem().unwrap_or_default().to_string_lossy(),
            sweep / forward,
            (sweep - other) / (forward - before),
        );
    }
    Ok(())
}
