//! Architecture, size or recipe: CNNs, vision transformers and mixers of three sizes, with and without shifts of the
//! training images, on Fashion-MNIST. The trained networks are ONNX files, and `aliascope survey` measures them:
//! `make study-fashion` does both; docs/results.md has what came out.

#[path = "../training/mod.rs"]
mod training;

mod survey;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use training::Problem;
use training::architecture::{Family, Size};
use training::augmentation::Augmentation;
use training::images::{Labelled, order};
use training::recipe::Recipe;
use training::run::Data;
use training::study::study;
use training::summary::{kinds, table};

/// Train networks of three families and sizes on Fashion-MNIST, and write the study that surveys them.
#[derive(Debug, Parser)]
struct Arguments {
    /// Fashion-MNIST as IDX files: train-images-idx3-ubyte, t10k-images-idx3-ubyte and their labels.
    #[arg(long, default_value = "fashion")]
    fashion: PathBuf,
    /// Digits as IDX files, the images that no network has seen the like of.
    #[arg(long, default_value = "digits")]
    digits: PathBuf,
    /// Where records, networks, images and STUDY.toml go.
    #[arg(long, default_value = "results/fashion")]
    into: PathBuf,
    /// Images to train on.
    #[arg(long, default_value_t = 5000)]
    train: usize,
    /// Images to test on.
    #[arg(long, default_value_t = 1000)]
    test: usize,
    /// How many of those, and how many digits, the survey measures.
    #[arg(long, default_value_t = 100)]
    images: usize,
    /// How often each image is seen.
    #[arg(long, default_value_t = 6)]
    epochs: usize,
    /// Networks of each kind.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// libtorch's threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Which images are taken of each file: the same for all networks.
const SEED: u64 = 30;

impl Arguments {
    /// So many images of a part of Fashion-MNIST, drawn by a seed.
    fn part(&self, part: &str, count: usize) -> Result<Labelled, Problem> {
        let file = |what: &str| self.fashion.join(format!("{part}-{what}"));
        let all = Labelled::read(&file("images-idx3-ubyte"), &file("labels-idx1-ubyte"))
            .map_err(|problem| format!("{problem}; `python3 scripts/fashion.py` fetches them"))?;
        Ok(all.select(&order(all.count(), SEED)[..count.min(all.count())]))
    }

    fn data(&self) -> Result<Data, Problem> {
        let (train, test) = (self.part("train", self.train)?, self.part("t10k", self.test)?);
        Ok(Data {
            name: format!("{} images of Fashion-MNIST to train on, {} others to test on", train.count(), test.count()),
            train,
            upright: None,
            test,
            lee_images: [64, 100],
            along: "translate_x".parse()?,
            generators: ["translate_x", "rotate", "scale"].map(str::parse).into_iter().collect::<Result<_, _>>()?,
        })
    }

    /// Every kind with the first seed, then with the next.
    fn recipes(&self) -> Vec<Recipe> {
        let mut recipes = Vec::new();
        for seed in 0..self.seeds {
            for size in [Size::Small, Size::Medium, Size::Large] {
                for family in [Family::Cnn, Family::Vit, Family::Mixer] {
                    for augmentation in [Augmentation::None, Augmentation::Shift] {
                        let rate = if family == Family::Cnn { 1e-2 } else { 3e-3 };
                        let (lee_weight, epochs, batch, threads) = (0.0, self.epochs, 25, self.threads);
                        recipes.push(Recipe {
                            family,
                            size,
                            augmentation,
                            lee_weight,
                            seed,
                            epochs,
                            batch,
                            rate,
                            threads,
                        });
                    }
                }
            }
        }
        recipes
    }
}

fn run(arguments: &Arguments) -> Result<(), Problem> {
    let data = arguments.data()?;
    let recipes = arguments.recipes();
    let records = study(&recipes, &data, &arguments.into)?;
    println!("{}\n\n{}", data.name, table(&kinds(&records), data.along.name()));
    let file = |what: &str| arguments.digits.join(what);
    let digits = Labelled::read(&file("images-idx3-ubyte"), &file("labels-idx1-ubyte"))
        .map_err(|problem| format!("{problem}; `python3 scripts/digits.py` fetches them"))?;
    let digits = digits.select(&order(digits.count(), SEED)[..arguments.images.min(digits.count())]);
    let sets = [("fashion", "test", data.test.first(arguments.images)), ("digits", "out-of-distribution", digits)];
    survey::write(&arguments.into, &recipes, &sets)?;
    println!("{} has what `aliascope survey run` measures", arguments.into.join("STUDY.toml").display());
    Ok(())
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("fashion: {problem}");
            ExitCode::FAILURE
        }
    }
}
