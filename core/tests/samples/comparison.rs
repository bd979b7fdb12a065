//! Networks side by side, with the proportions of real ones.

use aliascope_core::measure::lee_report::{
    Accuracy, GeneratorLee, Gram, InputUnits, LEE_SCHEMA_VERSION, LeeByImage, LeeReport, Timing,
};
use aliascope_core::measure::run::{Images, Model, Origin, Run};
use aliascope_core::statistics::Summary;
use aliascope_core::study::comparison::{About, Comparison, Failed};

/// The LEE of an image by the network and image: networks differ by a factor, images by orders of magnitude.
pub fn lee(network: usize, image: usize, generator: usize) -> f64 {
    let wave = |at: usize| ((at * 2654435761) % 1000) as f64 / 1000.0;
    let image_part = 10f64.powf(2.0 * wave(image + 3) - 2.5);
    image_part * (1.0 + 0.25 * network as f64) * (0.7 + 0.6 * wave(31 * network + image)) / (1.0 + generator as f64)
}

/// What `lee` found of one network.
pub fn report(name: &str, network: usize, images: usize, generators: &[&str]) -> LeeReport {
    let names: Vec<String> = (0..images).map(|i| format!("photos/photo_{i}.png")).collect();
    let generators = generators.iter().enumerate().map(|(at, generator)| {
        let by_image: Vec<f64> = (0..images).map(|image| lee(network, image, at)).collect();
        let mean = by_image.iter().sum::<f64>() / images.max(1) as f64;
        let lee = GeneratorLee {
            lee: mean,
            sem: None,
            mean_abs: mean.sqrt(),
            relative: Some(mean / 50.0),
            summary: Summary::of(&by_image, |_| true),
            relative_interval: None,
            relative_geometric_mean: None,
            fisher: None,
            margin_rate: None,
            by_image: LeeByImage { lee: by_image, ..LeeByImage::default() },
        };
        ((*generator).to_owned(), lee)
    });
    LeeReport {
        schema_version: LEE_SCHEMA_VERSION,
        run: Run {
            model: Model {
                path: name.to_owned(),
                input_shape: vec![1, 3, 224, 224],
                output_shape: vec![1, 1000],
                ..Model::default()
            },
            images: Images { names, ..super::run(images).images },
            ..super::run(images)
        },
        images_constant: 0,
        images_flat: 0,
        input_units: InputUnits::Photo,
        accuracy: (network != 1).then_some(Accuracy {
            images: 10,
            right: 9 - network.min(9),
            top1: 0.9 - 0.1 * network.min(9) as f64,
        }),
        predicted: Some(vec![network; images]),
        generators: generators.collect(),
        gram: Gram { order: Vec::new(), matrix: Vec::new(), input_gram: Vec::new() },
        symmetry_spectrum: Vec::new(),
        margins: None,
        horizon: None,
        horizon_missing: None,
        timing: Timing { forward_ms: Some(40.0), forward_batch8_ms: None, sweep_ms: 400.0 + 100.0 * network as f64 },
    }
}

pub const GENERATORS: [&str; 4] = ["translate_x", "translate_y", "rotate", "scale"];

/// Networks of these names on so many images; a family holds three.
pub fn of(names: &[String], images: usize, generators: &[&str]) -> Comparison {
    let measured = names.iter().enumerate().map(|(at, name)| {
        let about = About {
            family: format!("Family {}", at / 3),
            parameters: 4_650_000 + 1_000_000 * at as u64,
            bytes: 18_600_000,
        };
        (about, report(name, at, images, generators))
    });
    Comparison::of(Origin::default(), measured.collect(), Vec::new())
}

/// The networks that a newcomer has, one of which cannot be measured.
pub fn few() -> Comparison {
    let names = ["models/efficientnet-lite0.onnx", "models/efficientnet-lite1.onnx", "models/mobilenet_v2_1.0.onnx"];
    let mut comparison = of(&names.map(str::to_owned), 15, &GENERATORS);
    comparison.failures.push(Failed {
        network: "models/detector.onnx".to_owned(),
        problem: "models/detector.onnx: the input has the shape [1, 12]; images are [1, channels, rows, columns]"
            .to_owned(),
    });
    comparison
}
