//! Built in or learned: networks of equal size with and without a symmetry under rotation, on rotated digits, with test
//! error and LEE over training. `make study-digits` runs it; docs/results.md has what came out.

#[path = "../training/mod.rs"]
mod training;

mod curves;
mod digits;
mod networks;

use std::path::PathBuf;
use std::process::ExitCode;

use aliascope::figure::{Format, render};
use aliascope::report::{OutputFile, json_bytes};
use clap::Parser;

use training::Problem;
use training::study::{kept, study};
use training::summary::{kinds, rows, table};

/// Train networks with and without built-in rotation symmetry on rotated digits.
#[derive(Debug, Parser)]
pub struct Arguments {
    /// The digits, as IDX files: images-idx3-ubyte and labels-idx1-ubyte.
    #[arg(long, default_value = "digits")]
    digits: PathBuf,
    /// Rotated MNIST as IDX files, train-images-idx3-ubyte and so on, instead of digits that are turned here.
    #[arg(long)]
    rotated: Option<PathBuf>,
    /// Where records, networks and the report go.
    #[arg(long, default_value = "results/digits")]
    into: PathBuf,
    /// Images to train on.
    #[arg(long, default_value_t = 4000)]
    train: usize,
    /// Images to test on.
    #[arg(long, default_value_t = 1000)]
    test: usize,
    /// How often each image is seen.
    #[arg(long, default_value_t = 12)]
    epochs: usize,
    /// Networks of each kind.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// libtorch's threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// These kinds of networks alone, such as cnn,vit+rotation.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Train nothing: report what is there.
    #[arg(long)]
    report: bool,
}

fn run(arguments: &Arguments) -> Result<(), Problem> {
    let data = digits::data(arguments)?;
    let recipes = networks::recipes(arguments);
    let records = if arguments.report {
        kept(&recipes, &data, &arguments.into)?
    } else {
        study(&recipes, &data, &arguments.into)?
    };
    let kinds = kinds(&records);
    if kinds.is_empty() {
        return Err("there is no network of that name; leave --only out to see all".into());
    }
    println!("{}\n", data.name);
    println!("{}", table(&kinds, data.along.name()));
    println!(
        "Test error: mean over seeds ± its standard error. LEE under rotation of the\n\
         softmax, and Fisher LEE of the logits: geometric means over {} test images\n\
         and seeds, ×÷ the factor of one standard error.",
        data.lee_images[1]
    );
    // For `aliascope layers NETWORK.onnx --images test.safetensors`.
    let some = data.test.first(data.lee_images[1]).pixels;
    tch::Tensor::write_safetensors(&[("x", &some)], arguments.into.join("test.safetensors"))?;
    let figure = curves::Curves { kinds: &kinds, images: &data.name };
    let write = |name: &str, bytes: &[u8]| -> Result<(), Problem> {
        Ok(OutputFile::claim(arguments.into.join(name), true)?.write_bytes(bytes)?)
    };
    write("study.json", &json_bytes(&kinds)?)?;
    write("study.csv", &rows(&records).csv())?;
    write("study.svg", &render(&figure, Format::Svg)?)?;
    write("study.png", &render(&figure, Format::Png)?)
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("rotated_digits: {problem}");
            ExitCode::FAILURE
        }
    }
}
