//! Measures a network in a dozen lines:
//! `cargo run --example measure_network -- models/efficientnet-lite0.onnx photos`
//!
//! What to see: translations in x and y cost about the same, and rotation follows from the two shears.

use std::error::Error;

use aliascope::{Images, LeeOptions, Network, Outcome, measure_lee};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((model, photos)) = arguments.split_first().filter(|(_, photos)| !photos.is_empty()) else {
        return Err("give a model and photos or folders of them".into());
    };
    let network = Network::open(model)?;
    let images = Images::open(&network, photos)?;
    let lee = measure_lee(&images, LeeOptions::default())?;
    print!("{}", lee.text(100)?);
    lee.save("results/measure_network.json")?;
    lee.save("results/measure_network.svg")?;
    println!("results/measure_network.json and .svg hold it");
    Ok(())
}
