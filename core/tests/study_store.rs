//! What is attributed to layers goes into a store with all else of an image, out of it again, and into another store.

use std::collections::BTreeMap;
use std::path::Path;

use aliascope_core::measure::layers_report::LayerClass;
use aliascope_core::origin::Origin;
use aliascope_core::study::batch::{AttributionRow, Batch, Found, ImagePlace, LayerRow, LeeRow};
use aliascope_core::study::claims::study_report;
use aliascope_core::study::data::StudyData;
use aliascope_core::study::models::{ListedModel, Origin as ModelOrigin};
use aliascope_core::study::settings::Role;
use aliascope_core::study::status::StudyStatus;
use aliascope_core::study::store::{RunHeader, Store};

fn settings(layers: &str) -> BTreeMap<String, String> {
    [("measure.generators", "rotate, translate_x"), ("measure.layers", layers)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// What is found of the image at this place: numbers of its own.
fn found(at: usize) -> Found {
    let size = 1.0 + at as f64 / 3.0;
    let lee = ["rotate", "translate_x"].map(|generator| LeeRow {
        output: "softmax".to_owned(),
        derivative: "spectral".to_owned(),
        generator: generator.to_owned(),
        lee: size,
        mean_abs: None,
        input_energy: 1.0,
    });
    let layer = |name: &str, class, part: f64| LayerRow {
        name: name.to_owned(),
        class,
        contribution: part * part * size,
        signed: part * size,
    };
    // Not in the order of STUDY.toml.
    let attributions = ["translate_x", "rotate"].map(|generator| AttributionRow {
        generator: generator.to_owned(),
        output: "softmax".to_owned(),
        derivative: "spectral".to_owned(),
        lee: size,
        rounding: 1e-12,
        residual: 1e-8 * size,
        layers: vec![
            layer("conv", LayerClass::StridedConvolution, 0.25),
            layer("conv", LayerClass::Nonlinearity, 0.75),
        ],
    });
    Found {
        lee: lee.to_vec(),
        attributions: attributions.to_vec(),
        class: None,
        metrics: Vec::new(),
        milliseconds: 1.0,
    }
}

/// A store of one network on these of the images `0.png` to `3.png`.
fn store(path: &Path, layers: &str, images: &[usize]) -> Store {
    let mut store = Store::open(path, &settings(layers)).unwrap();
    store.begin(&RunHeader::default(), "0.1.0").unwrap();
    let model = ListedModel {
        name: "net".to_owned(),
        origin: ModelOrigin::File("net.onnx".into()),
        family: "net".to_owned(),
        preprocess: None,
        class_offset: 0,
        input_shape: None,
        columns: BTreeMap::new(),
    };
    let network = store.enter_networks(&[model]).unwrap()[0];
    let listed: Vec<(String, Option<i64>)> = images.iter().map(|at| (format!("{at}.png"), None)).collect();
    let ids = store.enter_set("test", Role::Test, "photos", &listed).unwrap();
    let mut batch = Batch::default();
    for (at, (name, _)) in images.iter().zip(&listed) {
        let place = ImagePlace { id: ids[name], set: "test", name, hash: name };
        batch.push((network, "net"), &place, None, found(*at));
    }
    // Of each image 2 rows, 2 of LEE, and 2 attributions to 2 layers each.
    assert_eq!(batch.rows(), images.len() * (2 + 2 + 2 * 3));
    store.add(&batch).unwrap();
    store
}

#[test]
fn layers_go_into_a_store_and_out_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Entered in another order than that of names.
    let whole = store(&at("whole.db"), "rotate, translate_x", &[2, 0, 3, 1]);
    let data = StudyData::read(&whole).unwrap();
    let generators: Vec<&str> = data.attributions.iter().map(|of| of.generator.as_str()).collect();
    assert_eq!(generators, ["rotate", "translate_x"]);
    let wanted: Vec<Found> = (0..4).map(found).collect();
    for of in &data.attributions {
        assert_eq!((of.network, of.set, of.output.as_str(), of.derivative.as_str()), (0, 0, "softmax", "spectral"));
        let by_image = |value: &dyn Fn(&AttributionRow) -> f64| -> Vec<f64> {
            wanted.iter().map(|found| value(&found.attributions[0])).collect()
        };
        assert_eq!(of.lee, by_image(&|row| row.lee));
        assert_eq!(of.residual, by_image(&|row| row.residual));
        assert_eq!(of.rounding, by_image(&|row| row.rounding));
        assert_eq!(of.layers.len(), 2);
        for (place, layer) in of.layers.iter().enumerate() {
            let first = &wanted[0].attributions[0].layers[place];
            // Two layers may have one name.
            assert_eq!((&layer.name, layer.class), (&first.name, first.class));
            assert_eq!(layer.contribution, by_image(&|row| row.layers[place].contribution));
            assert_eq!(layer.signed, by_image(&|row| row.layers[place].signed));
        }
    }
    let report = study_report(&whole, Origin::here()).unwrap();
    let layers = &report.networks[0].sets["test"].layers;
    let worst = layers[0].worst().unwrap();
    // 0.75² of 0.75² and 0.25², on every image, so that the interval has no width.
    let share = worst.share.unwrap();
    assert!((share.value - 0.9).abs() < 1e-15 && (share.interval.unwrap().high - 0.9).abs() < 1e-12);
    assert_eq!((worst.class, worst.signed_share), (LayerClass::Nonlinearity, Some(0.75)));
    let status = StudyStatus::of(&whole, Origin::here()).unwrap();
    assert_eq!((status.layers.as_deref(), status.measured()), (Some("rotate, translate_x"), (4, 4)));
    drop(whole);
    // Parts make the whole, whatever their order.
    drop(store(&at("one.db"), "rotate, translate_x", &[3, 1]));
    drop(store(&at("two.db"), "rotate, translate_x", &[0, 2, 1]));
    let mut merged = Store::open(&at("merged.db"), &settings("rotate, translate_x")).unwrap();
    merged.merge(&at("two.db")).unwrap();
    merged.merge(&at("one.db")).unwrap();
    assert_eq!(StudyData::read(&merged).unwrap().attributions, data.attributions);
    // A study of other layers is another study.
    drop(store(&at("other.db"), "rotate", &[3, 1]));
    let told = merged.merge(&at("other.db")).unwrap_err().to_string();
    assert!(told.contains("measure.layers"), "{told}");
    let told = Store::open(&at("whole.db"), &settings("rotate")).err().unwrap().to_string();
    assert!(told.contains("measure.layers = rotate, translate_x"), "{told}");
}
