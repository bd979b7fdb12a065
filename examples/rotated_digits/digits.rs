//! The digits, each turned once.

use super::Arguments;
use super::training::Problem;
use super::training::images::Labelled;
use super::training::rotation::randomly_turned;
use super::training::run::Data;

/// Of the split into training and test images, and of their angles: the same for all networks.
const SEED: u64 = 20;

/// Images to train and to test on, as the arguments have it.
pub fn data(arguments: &Arguments) -> Result<Data, Problem> {
    let (train, upright, test, source) = match &arguments.rotated {
        Some(folder) => {
            let read = |part: &str| {
                let file = |what: &str| folder.join(format!("{part}-{what}"));
                Labelled::read(&file("images-idx3-ubyte"), &file("labels-idx1-ubyte"))
            };
            let (train, test) = (read("train")?.first(arguments.train), read("test")?.first(arguments.test));
            (train, None, test, "images of rotated MNIST")
        }
        None => {
            let file = |what: &str| arguments.digits.join(what);
            let all = Labelled::read(&file("images-idx3-ubyte"), &file("labels-idx1-ubyte"))
                .map_err(|problem| format!("{problem}; `python3 scripts/digits.py` fetches them"))?;
            let [train, test] = all.split(arguments.train, arguments.test, SEED)?;
            let turned = |images: &Labelled, seed| images.with_pixels(randomly_turned(&images.pixels, seed));
            let upright = Some(train.pixels.shallow_clone());
            (turned(&train, SEED + 1), upright, turned(&test, SEED + 2), "MNIST digits, each turned once")
        }
    };
    Ok(Data {
        name: format!("{} {source}, to train on, {} others to test on", train.count(), test.count()),
        train,
        upright,
        test,
        lee_images: [64, 200],
        along: "rotate".parse()?,
        generators: ["rotate", "translate_x", "scale"].map(str::parse).into_iter().collect::<Result<_, _>>()?,
    })
}
