//! A study with the proportions of a real one.

use std::collections::BTreeMap;

use aliascope_core::measure::layers_report::LayerClass;
use aliascope_core::study::attributions::{Attribution, LayerByImage};
use aliascope_core::study::claims::claims;
use aliascope_core::study::data::{AboutNetwork, Key, Network, Set, StudyData};
use aliascope_core::study::report::{StudyReport, StudyRun};
use aliascope_core::study::settings::ColumnValue;
use aliascope_core::study::status::{NetworkStatus, STATUS_SCHEMA_VERSION, StudyStatus};

/// Between 0 and 1, the same for the same place.
fn wave(at: usize) -> f64 {
    ((at * 2_654_435_761) % 9973) as f64 / 9973.0
}

/// Networks of these names, three a family, on two sets: LEE falls with accuracy, and is twice as large on other images,
/// which change twice as much.
pub fn data(names: &[String], images: usize) -> StudyData {
    let set = |name: &str, role: &str, first: usize, labelled: usize| Set {
        name: name.to_owned(),
        role: role.to_owned(),
        images: (0..images).map(|at| ((first + at) as i64, format!("{name}/{at:03}.png"))).collect(),
        labelled,
    };
    let networks: Vec<Network> = names
        .iter()
        .enumerate()
        .map(|(at, name)| Network {
            id: at as i64,
            about: AboutNetwork {
                name: name.clone(),
                family: format!("Family {}", at / 3),
                origin: format!("zoo/{name}.onnx"),
                sha256: Some("0123456789abcdef".repeat(4)),
                parameters: Some((1.0e6 * 10f64.powf(2.0 * wave(at + 5))) as u64),
                preprocess: Some("centre crop 0.875, bicubic".to_owned()),
                columns: BTreeMap::from([("year".to_owned(), ColumnValue::Number(2014.0 + (at % 7) as f64))]),
            },
        })
        .collect();
    let keys: Vec<Key> = ["translate_x", "rotate", "scale"]
        .iter()
        .map(|generator| Key {
            output: "softmax".to_owned(),
            derivative: "spectral".to_owned(),
            generator: (*generator).to_owned(),
        })
        .collect();
    let good = |network: usize| 0.5 + 0.45 * wave(7 * network + 1);
    let lee = |set: usize, key: usize, network: usize, image: usize| {
        let hard = 10f64.powf(1.5 * wave(100 * set + image) - 2.0);
        let level = (-3.0 * good(network) + 0.3 * wave(3 * network + 11)).exp();
        hard * level * (1.0 + set as f64) / (1.0 + key as f64) * (0.8 + 0.4 * wave(31 * network + 17 * image + key))
    };
    let by_key = |of: &dyn Fn(usize, usize, usize, usize) -> f64| -> Vec<Vec<Vec<Vec<f64>>>> {
        let image = |s, k, n| (0..images).map(|i| of(s, k, n, i)).collect();
        let network = |s, k| (0..names.len()).map(|n| image(s, k, n)).collect();
        (0..2).map(|s| (0..keys.len()).map(|k| network(s, k)).collect()).collect()
    };
    let by_network = |of: &dyn Fn(usize, usize, usize) -> f64| -> Vec<Vec<Vec<f64>>> {
        let network = |s, n| (0..images).map(|i| of(s, n, i)).collect();
        (0..2).map(|s| (0..names.len()).map(|n| network(s, n)).collect()).collect()
    };
    let right = |set: usize, network: usize, image: usize| match set {
        0 => f64::from(u8::from(wave(13 * image + 5 * network) < good(network))),
        _ => f64::NAN,
    };
    let consistency = |_: usize, network: usize, image: usize| 0.6 + 0.3 * good(network) + 0.1 * wave(image + network);
    let attribution = |(network, set): (usize, usize)| {
        let error: Vec<f64> = (0..images).map(|image| lee(set, 0, network, image)).collect();
        let layer = |at: usize, name: &str, class| LayerByImage {
            name: name.to_owned(),
            class,
            contribution: (0..images).map(|image| error[image] * wave(at + 5 * network + 17 * image)).collect(),
            signed: error.iter().map(|error| error / 4.0).collect(),
        };
        Attribution {
            network,
            set,
            // Of many networks one gives something else than classes.
            output: if network == 10 { "identity" } else { "softmax" }.to_owned(),
            derivative: "spectral".to_owned(),
            generator: "translate_x".to_owned(),
            rounding: vec![1e-12; images],
            residual: vec![2e-7; images],
            layers: vec![
                layer(1, "features.0.0", LayerClass::StridedConvolution),
                layer(2, "features.0.2", LayerClass::Nonlinearity),
                layer(3, "features.3.a.long.path.of.modules.down.to.its.pool", LayerClass::Pooling),
                layer(4, "features.4.1", LayerClass::Nonlinearity),
            ],
            lee: error,
        }
    };
    StudyData {
        // The last network has none of an attribution.
        attributions: (0..names.len().saturating_sub(1))
            .flat_map(|network| [(network, 0), (network, 1)])
            .map(attribution)
            .collect(),
        lee: by_key(&lee),
        energy: by_key(&|set, _, _, image| 50.0 * (1.0 + set as f64) * (0.5 + wave(image))),
        right: by_network(&right),
        milliseconds: by_network(&|_, network, _| 300.0 + 50.0 * network as f64),
        metrics: [("consistency_half_pixel_circular".to_owned(), by_network(&consistency))].into_iter().collect(),
        sets: vec![set("photos", "test", 0, images), set("textures", "out-of-distribution", 1000, 0)],
        networks,
        keys,
    }
}

/// What they come to.
pub fn report(names: &[String], images: usize) -> StudyReport {
    let data = data(names, images);
    let run = StudyRun {
        began: "2026-11-30T20:00:00Z".to_owned(),
        aliascope: "0.1.0".to_owned(),
        command: "aliascope survey run STUDY.toml --into study.db".to_owned(),
        device: "cpu".to_owned(),
        threads: 2,
        shard: Some("1/2".to_owned()),
    };
    let report = StudyReport {
        runs: vec![run],
        settings: BTreeMap::from([("measure.outputs".to_owned(), "softmax".to_owned())]),
        doubts: Vec::new(),
        failures: vec!["net-9 is left out: zoo/net-9.onnx: this is not an ONNX model".to_owned()],
        ..StudyReport::summed_up(&data)
    };
    StudyReport { claims: claims(&report, &data), ..report }
}

/// A study on its way.
pub fn status(names: &[String]) -> StudyStatus {
    let network = |(at, name): (usize, &String)| NetworkStatus {
        name: name.clone(),
        family: format!("Family {}", at / 3),
        measured: 100_usize.saturating_sub(40 * at),
        failures: usize::from(at == 1),
        milliseconds: (at < 3).then_some(400.0),
    };
    StudyStatus {
        schema_version: STATUS_SCHEMA_VERSION,
        store: "study.db".to_owned(),
        layers: Some("translate_x".to_owned()),
        images: 100,
        networks: names.iter().enumerate().map(network).collect(),
        failures: vec!["net-1 on a.png of the set 'photos' is left out: the file is empty".to_owned()],
        ..StudyStatus::default()
    }
}
