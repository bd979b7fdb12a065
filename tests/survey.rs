//! Studies of several networks: what is in the store is what `lee` measures, once and all of it, whatever happens on the way.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aliascope::graph::onnx::proto::*;
use prost::Message;
use rusqlite::Connection;
use serde_json::Value;

use crate::common::command::{aliascope, photo, run, with};
use crate::common::onnx::{ints, model, node, text};

/// A convolution and a dense layer, of an image of `side` × `side` pixels, for ten classes.
fn classifier(path: &Path, side: i64, seed: usize) {
    let weights = |name: &str, shape: &[i64], seed: usize| {
        let count = shape.iter().product::<i64>() as usize;
        let values = crate::common::noise((count + seed) as u32).split_off(seed);
        TensorProto {
            name: text(name),
            data_type: Some(1),
            dims: shape.to_vec(),
            float_data: values,
            ..Default::default()
        }
    };
    let nodes = vec![
        NodeProto {
            attribute: vec![ints("pads", &[1; 4]), ints("strides", &[2; 2])],
            ..node("Conv", &["x", "a"], "h1")
        },
        node("Relu", &["h1"], "h2"),
        node("GlobalAveragePool", &["h2"], "h3"),
        node("Flatten", &["h3"], "h4"),
        node("MatMul", &["h4", "c"], "y"),
    ];
    let constants = vec![weights("a", &[8, 3, 3, 3], seed), weights("c", &[8, 10], seed + 1)];
    fs::write(path, model(&[Some(1), Some(3), Some(side), Some(side)], nodes, constants).encode_to_vec()).unwrap();
}

/// A constant of one number.
fn scalar(name: &str, value: f32) -> TensorProto {
    TensorProto { name: text(name), data_type: Some(1), dims: vec![1], float_data: vec![value], ..Default::default() }
}

const STUDY: &str = r#"
[[model]]
path = "zoo/*.onnx"

[[model]]
path = "other.onnx"
family = "other"
preprocess = "half"
columns = { year = 2019, recipe = "none" }

[[set]]
name = "test"
images = ["photos"]
labels = "labels.csv"
first_label = 1

[[set]]
name = "textures"
images = ["textures"]
role = "out-of-distribution"

[measure]
generators = ["translate_x", "rotate"]
outputs = ["softmax", "logits", "fisher"]
metric_draws = 1
layers = ["translate_x"]
"#;

/// Three networks of two sizes, and two sets of so many photos.
fn given(photos: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for inside in ["zoo", "photos", "textures"] {
        fs::create_dir(path.join(inside)).unwrap();
    }
    classifier(&path.join("zoo/net-1.onnx"), 16, 0);
    classifier(&path.join("zoo/net-2.onnx"), 16, 5);
    classifier(&path.join("other.onnx"), 24, 9);
    let mut labels = "image,class\n".to_owned();
    for at in 0..photos {
        photo(&path.join(format!("photos/{at:02}.png")), at);
        photo(&path.join(format!("textures/{at:02}.png")), 100 + at);
        labels += &format!("{at:02}.png,{}\n", 1 + at % 10);
    }
    fs::write(path.join("labels.csv"), labels).unwrap();
    fs::write(path.join("STUDY.toml"), STUDY).unwrap();
    folder
}

const RUN: [&str; 5] = ["survey", "run", "STUDY.toml", "--into", "study.db"];

/// All that was measured, to the last bit, by names: times, runs and places in the file may differ.
fn measured(store: &Path) -> Vec<String> {
    let connection = Connection::open(store).unwrap();
    let of = "JOIN network n ON n.id = r.network JOIN image i ON i.id = r.image JOIN image_set s ON s.id = i.image_set";
    let queries = [
        format!(
            "SELECT n.name || s.name || i.name || output || derivative || generator, lee,
                COALESCE(mean_abs, -1.0), input_energy FROM lee r {of}"
        ),
        format!(
            "SELECT n.name || s.name || i.name || generator || output, lee, rounding, residual FROM attribution r {of}"
        ),
        format!(
            "SELECT n.name || s.name || i.name || generator || place || r.name || class, contribution, signed, 0.0
             FROM layer r {of}"
        ),
        format!("SELECT n.name || s.name || i.name || metric, value, 0.0, 0.0 FROM metric r {of}"),
        format!(
            "SELECT n.name || s.name || i.name, class + 0.0, COALESCE(is_right, 7) + 0.0, 0.0 FROM prediction r {of}"
        ),
        format!("SELECT n.name || s.name || i.name || 'measured', 0.0, 0.0, 0.0 FROM measured r {of}"),
    ];
    let mut rows: Vec<String> = queries
        .iter()
        .flat_map(|query| {
            let mut statement = connection.prepare(query).unwrap();
            let read = |row: &rusqlite::Row<'_>| {
                let bits =
                    (1..4).map(|at| Ok(row.get::<_, f64>(at)?.to_bits())).collect::<rusqlite::Result<Vec<_>>>()?;
                Ok(format!("{} {bits:?}", row.get::<_, String>(0)?))
            };
            statement.query_map([], read).unwrap().collect::<rusqlite::Result<Vec<_>>>().unwrap()
        })
        .collect();
    rows.sort();
    rows
}

fn count(store: &Path, table: &str) -> i64 {
    let connection = Connection::open(store).unwrap();
    connection.query_row(&format!("SELECT COUNT(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn the_store_has_what_lee_measures() {
    let folder = given(3);
    let path = folder.path();
    run(path, &with(&RUN, &["--quiet"]), 0);
    let store = path.join("study.db");
    // 3 networks, 6 photos, 3 outputs, 2 generators.
    assert_eq!((count(&store, "lee"), count(&store, "measured")), (3 * 6 * 6, 18));
    let connection = Connection::open(&store).unwrap();
    for (network, file, more) in
        [("net-2", "zoo/net-2.onnx", &[][..]), ("other", "other.onnx", &["--preprocess", "half"])]
    {
        // Fisher LEE stands beside either.
        for (output, of, by_image) in
            [("softmax", "softmax", "lee"), ("logits", "logits", "lee"), ("fisher", "logits", "fisher")]
        {
            let lee = ["lee", file, "--images", "photos", "--generator", "translate_x,rotate", "--output", of];
            let lee = with(&lee, &["--labels", "labels.csv", "--first-label", "1", "--json", "lee.json", "--force"]);
            run(path, &with(&lee, more), 0);
            let report: Value = serde_json::from_slice(&fs::read(path.join("lee.json")).unwrap()).unwrap();
            for generator in ["translate_x", "rotate"] {
                let mut statement = connection
                    .prepare(
                        "SELECT lee FROM lee JOIN network n ON n.id = network JOIN image i ON i.id = image
                         WHERE n.name = ?1 AND output = ?2 AND generator = ?3 AND image_set = 1 ORDER BY i.name",
                    )
                    .unwrap();
                let stored: Vec<f64> = statement
                    .query_map([network, output, generator], |row| row.get(0))
                    .unwrap()
                    .collect::<rusqlite::Result<_>>()
                    .unwrap();
                let wanted: Vec<f64> =
                    serde_json::from_value(report["generators"][generator]["by_image"][by_image].clone()).unwrap();
                assert_eq!(stored, wanted, "{network} {output} {generator}");
            }
            let right: i64 = connection
                .query_row(
                    "SELECT SUM(is_right) FROM prediction JOIN network n ON n.id = network WHERE n.name = ?1",
                    [network],
                    |row| row.get(0),
                )
                .unwrap();
            assert_eq!(Some(right), report["accuracy"]["right"].as_i64());
        }
    }
    let year: f64 =
        connection.query_row("SELECT number FROM network_column WHERE name = 'year'", [], |row| row.get(0)).unwrap();
    assert_eq!(year, 2019.0);
    let status = ["survey", "status", "study.db", "--json", "status.json", "--quiet"];
    run(path, &status, 0);
    let status: Value = serde_json::from_slice(&fs::read(path.join("status.json")).unwrap()).unwrap();
    assert_eq!((&status["networks"][2]["name"], &status["networks"][2]["measured"]), (&"other".into(), &6.into()));
    let report =
        ["survey", "report", "study.db", "--json", "r.json", "--csv", "r.csv", "--md", "r.md", "--plot", "r.svg"];
    run(path, &with(&report, &["--html", "r.html"]), 0);
    let told: Value = serde_json::from_slice(&fs::read(path.join("r.json")).unwrap()).unwrap();
    assert_eq!(told["claims"].as_array().unwrap().len(), 6);
    let error = &told["networks"][1]["sets"]["test"]["errors"][0];
    assert_eq!((&error["output"], &error["generator"]), (&"softmax".into(), &"translate_x".into()));
    let mean: f64 = connection
        .query_row(
            "SELECT AVG(lee) FROM lee JOIN network n ON n.id = network JOIN image i ON i.id = image
             WHERE n.name = 'net-2' AND output = 'softmax' AND generator = 'translate_x' AND image_set = 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    // SQLite and we add three numbers in different orders.
    assert!((error["lee"]["value"].as_f64().unwrap() - mean).abs() < 1e-14 * mean);
    for file in ["r.csv", "r.md", "r.svg", "r-size.svg", "r-sets.svg", "r.html"] {
        assert!(fs::metadata(path.join(file)).unwrap().len() > 500, "{file}");
    }
    let none = run(path, &["survey", "status", "none.db"], 6);
    assert!(none.contains("there is no such file"), "{none}");
    // Again there is nothing to do, and nothing is there twice.
    let before = measured(&store);
    let told = run(path, &RUN, 0);
    assert!(
        told.contains("18 measurements of 18 are there from before") && told.contains("0 measurements added"),
        "{told}"
    );
    assert_eq!(measured(&store), before);
}

#[test]
fn the_store_has_what_layers_attributes() {
    let folder = given(3);
    let path = folder.path();
    run(path, &with(&RUN, &["--quiet"]), 0);
    let store = path.join("study.db");
    // One for each measurement.
    assert_eq!(count(&store, "attribution"), 18);
    let connection = Connection::open(&store).unwrap();
    let column = |query: &str, network: &str| -> Vec<f64> {
        let mut statement = connection.prepare(query).unwrap();
        statement.query_map([network], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
    };
    for (network, file, more) in
        [("net-2", "zoo/net-2.onnx", &[][..]), ("other", "other.onnx", &["--preprocess", "half"])]
    {
        let layers = |split: &[&str], into: &str| -> Value {
            let layers = ["layers", file, "--images", "photos", "--generator", "translate_x", "--output", "softmax"];
            let layers = with(&with(&layers, split), &["--json", into, "--force", "--quiet"]);
            run(path, &with(&layers, more), 0);
            serde_json::from_slice(&fs::read(path.join(into)).unwrap()).unwrap()
        };
        let report = layers(&["--no-split"], "layers.json");
        let whole = layers(&[], "split.json");
        let numbers = |of: &Value| -> Vec<f64> { serde_json::from_value(of.clone()).unwrap() };
        let of = "JOIN network n ON n.id = r.network JOIN image i ON i.id = r.image
             WHERE n.name = ?1 AND image_set = 1";
        let lee = column(&format!("SELECT lee FROM attribution r {of} ORDER BY i.name"), network);
        assert_eq!(lee, numbers(&report["lee_by_image"]), "{network}");
        let listed = report["layers"].as_array().unwrap();
        assert!(listed.len() > 1, "{network}");
        let mut sum = [0.0; 3];
        for (place, layer) in listed.iter().enumerate() {
            let name = layer["name"].as_str().unwrap();
            let one = |column: &str| format!("SELECT {column} FROM layer r {of} AND place = {place} ORDER BY i.name");
            let stored = column(&one("contribution"), network);
            assert_eq!(stored, numbers(&layer["by_image"]), "{network} {name}");
            let whole = numbers(&whole["layers"][place]["by_image"]);
            // The parts of a defect add up to it with the rounding of 32-bit floats.
            assert!(
                stored.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-4 * b.max(1e-12)),
                "{stored:?} {whole:?}"
            );
            let class = layer["class"].as_str().unwrap();
            let named = format!("SELECT COUNT(*) FROM layer r {of} AND place = {place} AND r.name = ?2 AND class = ?3");
            let named: i64 = connection.query_row(&named, [network, name, class], |row| row.get(0)).unwrap();
            assert_eq!(named, 3, "{network} {name} {class}");
            let signed = column(&one("signed"), network);
            sum.iter_mut().zip(&signed).for_each(|(sum, signed)| *sum += signed);
        }
        // ⟨Σ J δ, L⟩ = ‖L‖², to a residual of 32-bit floats.
        assert!(sum.iter().zip(&lee).all(|(sum, lee)| (sum - lee).abs() < 1e-4 * lee), "{sum:?} {lee:?}");
        // The report says the same of the mean over images.
        run(path, &["survey", "report", "study.db", "--json", "r.json", "--html", "r.html", "--force", "--quiet"], 0);
        let told: Value = serde_json::from_slice(&fs::read(path.join("r.json")).unwrap()).unwrap();
        let networks = told["networks"].as_array().unwrap();
        let told = networks.iter().find(|of| of["name"] == network).unwrap();
        let told = &told["sets"]["test"]["layers"][0];
        assert_eq!(told["output"], "softmax");
        let near = |a: &Value, b: &Value| {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            // Sums over images and layers in other orders.
            assert!((a - b).abs() < 1e-12 * b.abs().max(1e-3), "{network}: {a} is not {b}");
        };
        near(&told["lee"], &report["lee"]);
        // Worst first; nodes without names may share one.
        let mut worst_first: Vec<&Value> = listed.iter().collect();
        worst_first.sort_by(|a, b| {
            let [a, b] = [a, b].map(|layer| layer["contribution"].as_f64().unwrap());
            b.total_cmp(&a)
        });
        assert_eq!(told["layers"].as_array().unwrap().len(), listed.len());
        for (layer, same) in told["layers"].as_array().unwrap().iter().zip(worst_first) {
            assert_eq!((&layer["name"], &layer["class"]), (&same["name"], &same["class"]));
            near(&layer["contribution"], &same["contribution"]);
            near(&layer["signed_share"], &same["signed_share"]);
        }
        for (class, of) in told["by_type"].as_object().unwrap() {
            let same = &report["by_type"][class];
            near(&of["share"]["value"], &same["share"]);
            near(&of["share"]["interval"]["low"], &same["share_interval"]["low"]);
            near(&of["share"]["interval"]["high"], &same["share_interval"]["high"]);
            near(&of["signed_share"], &same["signed_share"]);
        }
        assert_eq!(told["by_type"].as_object().unwrap().len(), report["by_type"].as_object().unwrap().len());
        let page = fs::read_to_string(path.join("r.html")).unwrap();
        assert!(page.contains(listed[0]["name"].as_str().unwrap()) && page.contains("Classes of layers"));
    }
}

/// Class 0 of many networks is background, and their accuracy is then nought in silence.
#[test]
fn classes_that_are_counted_from_another_number_are_told() {
    let folder = given(24);
    let path = folder.path();
    let study = STUDY.replace("metric_draws = 1\nlayers = [\"translate_x\"]\n", "");
    let study = study.replace("path = \"zoo/*.onnx\"", "path = \"zoo/net-1.onnx\"");
    fs::write(path.join("STUDY.toml"), &study).unwrap();
    run(path, &["survey", "run", "STUDY.toml", "--into", "first.db", "--quiet"], 0);
    // Labels by which one network is right always, were its classes counted from 1.
    let connection = Connection::open(path.join("first.db")).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT i.name, p.class FROM prediction p JOIN image i ON i.id = p.image JOIN network n ON n.id = p.network
             JOIN image_set s ON s.id = i.image_set WHERE n.name = 'other' AND s.name = 'test'",
        )
        .unwrap();
    let predicted = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let predicted: Vec<(String, i64)> = predicted.collect::<rusqlite::Result<_>>().unwrap();
    let labels: Vec<String> =
        predicted.iter().map(|(name, class)| format!("{name},{}\n", (class + 9) % 10 + 1)).collect();
    fs::write(path.join("labels.csv"), format!("image,class\n{}", labels.concat())).unwrap();
    let right = predicted.iter().filter(|(_, class)| *class > 0).count();
    let told = run(path, &RUN, 0);
    let share = 100.0 * right as f64 / 24.0;
    let sentence = format!("0.0 % are right, and {share:.1} % would be with class_offset = 1");
    let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("The classes of other seem") && one_line(&told).contains(&sentence), "{told}");
    let report = || {
        let words = ["survey", "report", "study.db", "--html", "study.html", "--force"];
        String::from_utf8(aliascope(path, &words).output().unwrap().stdout).unwrap()
    };
    assert!(one_line(&report()).contains(&sentence));
    assert!(fs::read_to_string(path.join("study.html")).unwrap().contains("The classes of other seem"));
    // Said in STUDY.toml it measures nothing again.
    let before = count(&path.join("study.db"), "measured");
    fs::write(path.join("STUDY.toml"), study.replace("family = \"other\"", "family = \"other\"\nclass_offset = 1"))
        .unwrap();
    let told = run(path, &RUN, 0);
    assert!(told.contains("0 measurements added") && !told.contains("seem to be counted"), "{told}");
    assert_eq!(count(&path.join("study.db"), "measured"), before);
    let of_other = "prediction WHERE is_right AND network = (SELECT id FROM network WHERE name = 'other')";
    assert_eq!(count(&path.join("study.db"), of_other), right as i64);
    assert!(!report().contains("seem to be counted"));
}

/// Inner values of 10²⁵ have squares that 32-bit floats do not hold.
#[test]
fn a_network_with_large_inner_values_is_attributed() {
    let folder = given(2);
    let path = folder.path();
    let nodes = vec![
        node("Mul", &["x", "large"], "h1"),
        node("Relu", &["h1"], "h2"),
        node("Mul", &["h2", "small"], "h3"),
        node("GlobalAveragePool", &["h3"], "h4"),
        node("Flatten", &["h4"], "y"),
    ];
    let constants = vec![scalar("large", 1e25), scalar("small", 1e-25)];
    let large = model(&[Some(1), Some(3), Some(16), Some(16)], nodes, constants);
    fs::write(path.join("zoo/large.onnx"), large.encode_to_vec()).unwrap();
    let study = |more: &str| {
        let study = "[[model]]\npath = 'zoo/*.onnx'\n[[set]]\nname = 'test'\nimages = ['photos']\n[measure]\n";
        fs::write(path.join("STUDY.toml"), format!("{study}generators = ['translate_x']\n{more}")).unwrap();
    };
    let layers = "layers = ['translate_x']";
    let double = format!("{layers}\nprecision = 'f64'");
    for (into, more, attributed) in [("none.db", "", 0), ("single.db", layers, 6), ("double.db", &double, 6)] {
        study(more);
        run(path, &["survey", "run", "STUDY.toml", "--into", into, "--quiet"], 0);
        assert_eq!(["measured", "attribution"].map(|table| count(&path.join(into), table)), [6, attributed]);
    }
}

/// 10²²⁸ has a square in no precision; the error itself, of values that were made small again, has.
#[test]
fn a_network_that_cannot_be_attributed_is_left_out_with_a_sentence() {
    let folder = given(1);
    let path = folder.path();
    let mut nodes: Vec<NodeProto> = Vec::new();
    let mut last = "x".to_owned();
    let factors = ["large"; 6].into_iter().chain(["small"; 6]).enumerate();
    for (at, factor) in factors {
        let next = format!("h{at}");
        nodes.push(node("Mul", &[&last, factor], &next));
        last = next;
        if at == 5 {
            nodes.push(node("Relu", &[&last], "r"));
            last = "r".to_owned();
        }
    }
    nodes.push(node("GlobalAveragePool", &[&last], "p"));
    nodes.push(node("Flatten", &["p"], "y"));
    let constants = vec![scalar("large", 1e38), scalar("small", 1e-38)];
    let large = model(&[Some(1), Some(3), Some(16), Some(16)], nodes, constants);
    fs::write(path.join("zoo/large.onnx"), large.encode_to_vec()).unwrap();
    let study = "[[model]]\npath = 'zoo/*.onnx'\n[[set]]\nname = 'test'\nimages = ['photos']\n[measure]\n\
                 generators = ['translate_x']\nprecision = 'f64'\n";
    fs::write(path.join("STUDY.toml"), study).unwrap();
    run(path, &["survey", "run", "STUDY.toml", "--into", "whole.db", "--quiet"], 0);
    assert_eq!(count(&path.join("whole.db"), "measured"), 3);
    fs::write(path.join("STUDY.toml"), format!("{study}layers = ['translate_x']\n")).unwrap();
    let told = run(path, &RUN, 10);
    let sentence = "its layers cannot be attributed under translate_x: the squares of some of its inner values hold NaN or \
                    infinity; leave the network or measure.layers out";
    let one_line = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(one_line.contains(sentence) && one_line.contains("large"), "{told}");
    assert_eq!(["measured", "attribution"].map(|table| count(&path.join("study.db"), table)), [2, 2]);
}

#[test]
fn what_fails_is_listed_and_the_rest_is_measured() {
    let folder = given(2);
    let path = folder.path();
    fs::write(path.join("zoo/broken.onnx"), b"no network").unwrap();
    fs::write(path.join("photos/empty.png"), b"").unwrap();
    let mut damaged = fs::read(path.join("photos/01.png")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 8].fill(0xff);
    fs::write(path.join("textures/damaged.png"), damaged).unwrap();
    let told = run(path, &RUN, 10);
    for wanted in [
        "broken is left out: zoo/broken.onnx",
        "photos/empty.png of the set 'test' is left out: the file is empty",
        "textures/damaged.png of the set 'textures' is left out: the image is damaged",
        "1 failure of networks, 2 of photos",
    ] {
        assert!(told.contains(wanted), "{wanted}\n{told}");
    }
    let store = path.join("study.db");
    assert_eq!((count(&store, "failure"), count(&store, "measured")), (3, 12));
    // What is repaired is measured, and is no failure any more.
    classifier(&path.join("zoo/broken.onnx"), 16, 3);
    fs::remove_file(path.join("photos/empty.png")).unwrap();
    photo(&path.join("textures/damaged.png"), 3);
    run(path, &with(&RUN, &["--quiet"]), 10);
    assert_eq!((count(&store, "failure"), count(&store, "measured")), (1, 20));
}

#[test]
fn fisher_lee_is_of_class_scores_alone() {
    let folder = given(1);
    let path = folder.path();
    let nodes = vec![node("Relu", &["x"], "y")];
    fs::write(path.join("map.onnx"), model(&[Some(1), Some(3), Some(16), Some(16)], nodes, vec![]).encode_to_vec())
        .unwrap();
    let study = "[[model]]\npath = 'map.onnx'\n[[set]]\nname = 'test'\nimages = ['photos']\n[measure]\noutputs = ";
    fs::write(path.join("STUDY.toml"), format!("{study}['identity', 'fisher']")).unwrap();
    let told = run(path, &RUN, 10);
    assert!(told.contains("map is left out: there is no Fisher LEE of an output that is no vector"), "{told}");
    fs::write(path.join("STUDY.toml"), format!("{study}['identity']")).unwrap();
    run(path, &["survey", "run", "STUDY.toml", "--into", "other.db", "--quiet"], 0);
    assert_eq!(count(&path.join("other.db"), "measured"), 1);
}

#[test]
fn another_study_is_refused_by_its_setting() {
    let folder = given(1);
    let path = folder.path();
    run(path, &with(&RUN, &["--quiet"]), 0);
    let before = measured(&path.join("study.db"));
    for (old, new, named) in [
        ("\"rotate\"", "\"scale\"", "measure.generators = translate_x, rotate"),
        ("metric_draws = 1", "metric_draws = 2", "measure.metric_draws = 1"),
        ("[\"translate_x\"]", "[\"rotate\"]", "measure.layers = translate_x"),
        ("layers = [\"translate_x\"]", "", "this one has measure.layers = nothing"),
        ("first_label = 1", "first_label = 0", "set test = photos; test; labels labels.csv from 1"),
        ("preprocess = \"half\"", "preprocess = \"raw\"", "model other = other.onnx; preprocess half"),
    ] {
        fs::write(path.join("STUDY.toml"), STUDY.replace(old, new)).unwrap();
        let told = run(path, &RUN, 2);
        assert!(told.contains("study.db holds a study with") && told.contains(named), "{named}\n{told}");
    }
    // A network that is another one now is named, and its rows stay; one that is added is measured.
    fs::write(path.join("STUDY.toml"), STUDY).unwrap();
    classifier(&path.join("other.onnx"), 24, 11);
    photo(&path.join("photos/07.png"), 7);
    fs::write(path.join("labels.csv"), "image,class\n00.png,1\n07.png,8\n").unwrap();
    let told = run(path, &RUN, 10);
    assert!(told.contains("the SHA-256 of other"), "{told}");
    let after = measured(&path.join("study.db"));
    assert!(before.iter().all(|row| after.contains(row)));
    // Two networks measured one photo more.
    assert_eq!(count(&path.join("study.db"), "measured"), 6 + 2);
    for (text, problem) in [
        (
            "[[model]]\npath = 'a.onnx'\n[[set]]\nname='t'\nimages=['photos']\n[measure]\ngenerator=['x']",
            "line 7: unknown field `generator`",
        ),
        ("[[model]]\npath = 'none*.onnx'\n[[set]]\nname='t'\nimages=['photos']", "no file is called 'none*.onnx'"),
        ("[[model]]\nname = 'a'\n[[set]]\nname='t'\nimages=['photos']", "a: give either path or timm"),
        (
            "[[model]]\npath = 'other.onnx'\n[[set]]\nname='t'\nimages=['photos']\n[measure]\ngenerators=['rotat']",
            "rotat",
        ),
        (
            "[[model]]\npath = 'other.onnx'\n[[set]]\nname='t'\nimages=['photos']\n[measure]\nlayers=['rotat']",
            "measure.layers: ",
        ),
        (
            "[[model]]\npath = 'other.onnx'\n[[set]]\nname='t'\nimages=['photos']\n[measure]\nlayers=['saturate']",
            "measure.layers: saturate is none of the generators",
        ),
        (
            "[[model]]\npath = 'other.onnx'\n[[set]]\nname='t'\nimages=['photos']\n[measure]\nlayers=['rotate']\n\
             outputs=['fisher']",
            "measure.layers: Fisher LEE is not attributed to layers",
        ),
    ] {
        fs::write(path.join("bad.toml"), text).unwrap();
        let told = run(path, &["survey", "run", "bad.toml", "--into", "bad.db"], 2);
        assert!(told.contains("bad.toml") && told.contains(problem), "{told}");
        assert!(!path.join("bad.db").exists() || count(&path.join("bad.db"), "network") == 0);
    }
}

#[test]
fn shards_merge_into_the_whole() {
    let folder = given(2);
    let path = folder.path();
    run(path, &with(&RUN, &["--quiet"]), 0);
    for shard in ["1/2", "2/2"] {
        let into = format!("part-{}.db", &shard[..1]);
        run(path, &["survey", "run", "STUDY.toml", "--into", &into, "--shard", shard, "--quiet"], 0);
    }
    let parts = ["part-1.db", "part-2.db"];
    assert!(parts.iter().all(|part| count(&path.join(part), "measured") > 0));
    let merge = with(&["survey", "merge"], &parts);
    run(path, &with(&merge, &["--into", "all.db"]), 0);
    assert_eq!(measured(&path.join("all.db")), measured(&path.join("study.db")));
    // Twice is once.
    run(path, &with(&merge, &["--into", "all.db"]), 0);
    assert_eq!(measured(&path.join("all.db")), measured(&path.join("study.db")));
    // Results that contradict each other are not mixed, of layers neither.
    let third = path.join("part-3.db");
    fs::copy(path.join("part-2.db"), &third).unwrap();
    Connection::open(&third).unwrap().execute("UPDATE layer SET contribution = 2 * contribution + 1", []).unwrap();
    let told = run(path, &["survey", "merge", "part-3.db", "--into", "all.db"], 2);
    assert!(told.contains("part-3.db: what a layer makes of the error of"), "{told}");
    let other = Connection::open(path.join("part-2.db")).unwrap();
    other.execute("UPDATE lee SET lee = 2 * lee + 1", []).unwrap();
    let told = run(path, &with(&merge, &["--into", "all.db"]), 2);
    assert!(told.contains("part-2.db: the LEE of"), "{told}");
    assert_eq!(measured(&path.join("all.db")), measured(&path.join("study.db")));
    fs::write(path.join("STUDY.toml"), STUDY.replace("\"rotate\"", "\"scale\"")).unwrap();
    run(path, &["survey", "run", "STUDY.toml", "--into", "scaled.db", "--quiet"], 0);
    let told = run(path, &["survey", "merge", "part-1.db", "scaled.db", "--into", "mixed.db"], 2);
    assert!(told.contains("measure.generators") && !path.join("mixed.db").exists(), "{told}");
    let told = run(path, &["survey", "run", "STUDY.toml", "--into", "x.db", "--shard", "3/2"], 2);
    assert!(told.contains("3/2"), "{told}");
}

/// Kills of a study after these times, in milliseconds, that grow so that some come early and some late; then it ends.
#[test]
fn a_study_that_is_killed_loses_nothing_and_has_nothing_twice() {
    let folder = given(12);
    let path = folder.path();
    run(path, &["survey", "run", "STUDY.toml", "--into", "calm.db", "--quiet"], 0);
    let mut killed = 0;
    for wait in [40, 300, 450, 500, 560, 620, 700, 800] {
        let mut child: Child = aliascope(path, &with(&RUN, &["--quiet"])).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        killed += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        if path.join("study.db").exists() {
            let connection = Connection::open(path.join("study.db")).unwrap();
            let whole: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
            assert_eq!(whole, "ok");
        }
    }
    assert!(killed > 0, "no run was killed");
    run(path, &with(&RUN, &["--quiet"]), 0);
    assert_eq!(measured(&path.join("study.db")), measured(&path.join("calm.db")));
}

#[test]
fn a_full_disk_a_locked_file_and_other_files_are_named() {
    let folder = given(8);
    let path = folder.path();
    run(path, &["survey", "run", "STUDY.toml", "--into", "calm.db", "--quiet"], 0);
    // No file may have more than 96 KiB, which the tables alone do not reach.
    let program = env!("CARGO_BIN_EXE_aliascope");
    let limited = format!("ulimit -f 96; exec {program} survey run STUDY.toml --into study.db --quiet");
    let output = Command::new("bash").args(["-c", &limited]).current_dir(path).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{told}");
    assert!(told.contains("the disk is full, or the file as large as it may be"), "{told}");
    // Another program has it open and locked for a while: it is waited for.
    let other = Connection::open(path.join("study.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let child = aliascope(path, &with(&RUN, &["--quiet"])).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    other.execute_batch("COMMIT").unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(measured(&path.join("study.db")), measured(&path.join("calm.db")));
    // Two runs do not write to one file.
    let held = fs::File::open(path.join("study.db.lock")).unwrap();
    // SAFETY: the descriptor is open.
    assert_eq!(unsafe { libc::flock(std::os::fd::AsRawFd::as_raw_fd(&held), libc::LOCK_EX) }, 0);
    let told = run(path, &RUN, 6);
    assert!(told.contains("another `survey` writes to it"), "{told}");
    drop(held);
    for (name, problem) in [("labels.csv", "it is no SQLite file"), ("foreign.db", "it is another program's database")]
    {
        if name == "foreign.db" {
            Connection::open(path.join(name)).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
        }
        let before = fs::read(path.join(name)).unwrap();
        let told = run(path, &["survey", "run", "STUDY.toml", "--into", name], 5);
        assert!(told.contains(problem), "{told}");
        assert_eq!(fs::read(path.join(name)).unwrap(), before);
    }
}

/// Light and dark, narrow and wide.
#[test]
#[ignore = "needs Chromium: `make check-page` installs it and runs this test"]
fn the_page_works_in_a_browser() {
    let folder = given(3);
    let path = folder.path();
    run(path, &with(&RUN, &["--quiet"]), 0);
    run(path, &["survey", "report", "study.db", "--html", "page.html"], 0);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_page.py");
    let checked = Command::new("python3").arg(script).arg(path.join("page.html")).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.matches("good").count() == 4, "{said}");
}
