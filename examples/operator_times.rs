//! Where a network's time goes: milliseconds per operator, in a forward pass of eight images and in a sweep of one.
//!
//! It is the processor's time on one thread, which other programs on the machine disturb little; with a number of
//! threads it is time by the clock on so many.
//!
//!     cargo run --example operator_times -- models/efficientnet-lite0.onnx
//!     cargo run --example operator_times -- models/efficientnet-lite0.onnx 2

use std::collections::BTreeMap;
use std::path::PathBuf;

use aliascope::graph::{LoadOptions, Network};
use tch::{Kind, Tensor};

const REPETITIONS: usize = 7;

/// Milliseconds: the processor's time that this process has taken, or those of the clock.
fn milliseconds(clock: libc::clockid_t) -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes to `time` alone.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).map(PathBuf::from).ok_or("name an ONNX file")?;
    let threads = std::env::args().nth(2).map(|threads| threads.parse()).transpose()?;
    let clock = if threads.is_some() { libc::CLOCK_MONOTONIC } else { libc::CLOCK_PROCESS_CPUTIME_ID };
    tch::set_num_threads(threads.unwrap_or(1));
    let network = Network::load(&path, &LoadOptions::default())?;
    let shape = [&[1], network.input().shape.as_slice()].concat();
    let x = Tensor::f_randn(&shape, (Kind::Float, tch::Device::Cpu))?;
    let eight = Tensor::f_randn([&[8], &shape[1..]].concat(), (Kind::Float, tch::Device::Cpu))?;
    let dx = Tensor::f_randn([&[7], shape.as_slice()].concat(), (Kind::Float, tch::Device::Cpu))?;

    let mut times: BTreeMap<String, [Vec<f64>; 2]> = BTreeMap::new();
    for _ in 0..REPETITIONS {
        for (column, (x, dx)) in [(&eight, None), (&x, Some(&dx))].into_iter().enumerate() {
            let mut now: BTreeMap<String, f64> = BTreeMap::new();
            let mut last = milliseconds(clock);
            network.profile(x, dx, &mut |operator| {
                let time = milliseconds(clock);
                *now.entry(operator.to_owned()).or_default() += time - last;
                last = time;
            })?;
            for (operator, time) in now {
                times.entry(operator).or_default()[column].push(time);
            }
        }
    }
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    };
    let mut rows: Vec<(&str, f64, f64)> = times
        .iter_mut()
        .map(|(operator, [forward, sweep])| (operator.as_str(), median(forward), median(sweep)))
        .collect();
    rows.sort_by(|a, b| b.2.total_cmp(&a.2));
    println!("{:<24} {:>16} {:>10}", "operator", "forward of 8, ms", "sweep, ms");
    for (operator, forward, sweep) in &rows {
        println!("{operator:<24} {forward:>16.1} {sweep:>10.1}");
    }
    let total = |of: fn(&(&str, f64, f64)) -> f64| rows.iter().map(of).sum::<f64>();
    println!("{:<24} {:>16.1} {:>10.1}", "together", total(|r| r.1), total(|r| r.2));
    Ok(())
}
