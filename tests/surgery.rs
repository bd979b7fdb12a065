//! Designs in a network: what stays as it was, what falls, what is saved, and what is refused.

use std::collections::HashMap;

use aliascope::antialias::Padding;
use aliascope::antialias::surgery::advise::{AdviseOptions, advise};
use aliascope::antialias::surgery::cost::multiplications;
use aliascope::antialias::surgery::{
    Form, Insertion, InsertionOptions, Place, Replacement, SURGERY_KEY, SiteKind, SurgeryError, TargetModel,
    follows_activation, with_functions_written_out,
};
use aliascope::graph::layout::Layout;
use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::{AttributeProto, GraphProto, NodeProto, StringStringEntryProto, TensorProto};
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::layers::LayersOptions;
use aliascope::measure::lee::{LeeMeter, LeeOptions};
use aliascope::spectrum::differentiation::Boundary;
use tch::{Kind, Tensor};

use crate::common::model::{Value, attribute, doubles, floats, ints, model, node};

const DOUBLE: fn() -> LoadOptions = || LoadOptions { kind: Kind::Double, ..Default::default() };

/// A graph under construction.
struct Draft {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    noise: u64,
}

impl Draft {
    fn new(seed: u64) -> Self {
        Self { nodes: Vec::new(), constants: Vec::new(), noise: seed | 1 }
    }

    /// Uniform in ±1.
    fn random(&mut self) -> f64 {
        self.noise = self.noise.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.noise >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }

    fn add(&mut self, operator: &str, inputs: &[&str], output: &str, attributes: Vec<AttributeProto>) {
        let mut made = node(operator, inputs, &[output]);
        made.name = Some(format!("/{output}/{operator}"));
        made.attribute = attributes;
        self.nodes.push(made);
    }

    fn constant(&mut self, name: &str, shape: &[i64], values: &[f64]) {
        self.constants.push(doubles(name, shape, values));
    }

    fn convolution(
        &mut self,
        from: &str,
        to: &str,
        [outputs, inputs, kernel]: [i64; 3],
        strides: [i64; 2],
        pads: [i64; 4],
        group: i64,
    ) {
        let weight = format!("{to}.weight");
        let size = outputs * inputs * kernel * kernel;
        let values: Vec<f64> = (0..size).map(|_| self.random() / ((inputs * kernel * kernel) as f64).sqrt()).collect();
        self.constant(&weight, &[outputs, inputs, kernel, kernel], &values);
        let bias: Vec<f64> = (0..outputs).map(|_| 0.3 * self.random()).collect();
        self.constant(&format!("{to}.bias"), &[outputs], &bias);
        let attributes = vec![
            attribute("kernel_shape", Value::Ints(vec![kernel; 2])),
            attribute("strides", Value::Ints(strides.to_vec())),
            attribute("pads", Value::Ints(pads.to_vec())),
            attribute("group", Value::Int(group)),
        ];
        self.add("Conv", &[from, &weight, &format!("{to}.bias")], to, attributes);
    }

    fn finish(self, shape: &[i64], output: &str) -> OnnxFile {
        self.finish_as(shape, output, 17)
    }

    fn finish_as(self, shape: &[i64], output: &str, opset: i64) -> OnnxFile {
        let graph = GraphProto {
            node: self.nodes,
            initializer: self.constants,
            input: vec![floats("x", shape)],
            output: vec![floats(output, &[])],
            ..Default::default()
        };
        model(graph, opset)
    }
}

/// Strided convolution with relu6, SiLU, max-pooling, hard swish as an exporter of opset 12 writes it, GELU, a head.
fn classifier(n: i64) -> OnnxFile {
    let mut d = Draft::new(7);
    d.constant("zero", &[], &[0.0]);
    d.constant("six", &[], &[6.0]);
    d.constant("three", &[], &[3.0]);
    d.constant("one", &[], &[1.0]);
    d.constant("half", &[], &[0.5]);
    d.constant("root", &[], &[std::f64::consts::SQRT_2]);
    d.convolution("x", "stem", [6, 3, 3], [2, 2], [0, 0, 1, 1], 1);
    d.add("Clip", &["stem", "zero", "six"], "stem/act", vec![]);
    d.convolution("stem/act", "dw", [6, 1, 3], [1, 1], [1, 1, 1, 1], 6);
    d.add("Sigmoid", &["dw"], "dw/sigmoid", vec![]);
    d.add("Mul", &["dw", "dw/sigmoid"], "dw/silu", vec![]);
    let window = || {
        vec![
            attribute("kernel_shape", Value::Ints(vec![3, 3])),
            attribute("strides", Value::Ints(vec![2, 2])),
            attribute("pads", Value::Ints(vec![1; 4])),
        ]
    };
    d.add("MaxPool", &["dw/silu"], "pool", window());
    d.convolution("pool", "down", [8, 6, 3], [2, 2], [1; 4], 1);
    d.add("Add", &["down", "three"], "down/plus", vec![]);
    d.add("Clip", &["down/plus", "zero", "six"], "down/clip", vec![]);
    d.add("Mul", &["down", "down/clip"], "down/product", vec![]);
    d.add("Div", &["down/product", "six"], "down/act", vec![]);
    d.convolution("down/act", "last", [8, 8, 1], [1, 1], [0; 4], 1);
    d.add("Div", &["last", "root"], "last/scaled", vec![]);
    d.add("Erf", &["last/scaled"], "last/erf", vec![]);
    d.add("Add", &["last/erf", "one"], "last/cdf", vec![]);
    d.add("Mul", &["last", "last/cdf"], "last/twice", vec![]);
    d.add("Mul", &["last/twice", "half"], "last/gelu", vec![]);
    d.add("GlobalAveragePool", &["last/gelu"], "pooled", vec![]);
    d.add("Flatten", &["pooled"], "y", vec![]);
    d.finish(&[1, 3, n, n], "y")
}

/// An image to an image on the torus: padding by wrapping around, a strided convolution, a function.
fn torus(n: i64) -> OnnxFile {
    let mut d = Draft::new(3);
    d.constants.push(ints("pads", &[8], &[0, 0, 1, 1, 0, 0, 1, 1]));
    d.add("Pad", &["x", "pads"], "wide", vec![attribute("mode", Value::Text("wrap"))]);
    d.convolution("wide", "y", [2, 3, 3], [2, 2], [0; 4], 1);
    d.finish_as(&[1, 3, n, n], "y", 19)
}

fn image(n: i64, seed: u64) -> Tensor {
    let mut d = Draft::new(seed);
    let values: Vec<f64> = (0..3 * n * n).map(|_| d.random()).collect();
    Tensor::from_slice(&values).reshape([1, 1, 3, n, n])
}

fn rules(texts: &[&str]) -> Vec<Replacement> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn insertions(
    target: &TargetModel<'_>,
    texts: &[&str],
    pattern: Option<&str>,
    padding: Padding,
) -> Result<Vec<Insertion>, SurgeryError> {
    let ranges = HashMap::new();
    let rules = rules(texts);
    target.insertions(&InsertionOptions { rules: &rules, pattern, padding, place: Place::Paper, ranges: &ranges })
}

/// The network with designs in it, in memory.
fn rewritten(target: &TargetModel<'_>, texts: &[&str]) -> Network {
    let found = insertions(target, texts, None, Padding::Reflect).unwrap();
    let made = target.rewrite(&found.iter().collect::<Vec<_>>(), Form::Memory).unwrap();
    target.load(&made).unwrap()
}

fn largest(x: &Tensor) -> f64 {
    x.abs().max().double_value(&[])
}

fn lee(network: &Network, x: &Tensor, boundary: Boundary) -> HashMap<String, f64> {
    let mut meter = LeeMeter::new(network, LeeOptions { boundary, ..Default::default() }).unwrap();
    meter.measure(x, &["image".to_owned()]).unwrap();
    meter.results().into_iter().map(|(name, result)| (name, result.lee)).collect()
}

#[test]
fn every_place_is_found_once() {
    let file = classifier(16);
    let network = Network::from_file(&file, &DOUBLE()).unwrap();
    let target = TargetModel::new(&file, &network).unwrap();
    let found: Vec<(&str, &str)> = target.sites().iter().map(|s| (s.name.as_str(), s.operator.as_str())).collect();
    assert_eq!(
        found,
        [
            ("/stem/Conv", "Conv"),
            ("/stem/act/Clip", "relu6"),
            ("/dw/silu/Mul", "silu"),
            ("/pool/MaxPool", "MaxPool"),
            ("/down/Conv", "Conv"),
            ("/down/act/Div", "hardswish"),
            ("/last/gelu/Mul", "gelu"),
        ]
    );
    let composite = target.sites().iter().find(|site| site.operator == "gelu").unwrap();
    assert_eq!(composite.nodes.len(), 5);
    assert!(matches!(&composite.kind, SiteKind::Function(f) if f.activation.to_string() == "gelu"));
}

#[test]
fn a_design_that_is_what_was_there_changes_nothing() {
    // Odd sizes: the finer map has other borders than twice the coarser one.
    for n in [16, 19, 23] {
        let file = classifier(n);
        let network = Network::from_file(&file, &DOUBLE()).unwrap();
        let target = TargetModel::new(&file, &network).unwrap();
        let x = image(n, 5);
        let y = network.forward(&x).unwrap();
        for same in [
            &["stride=stride"][..],
            &["relu6=relu6", "silu=silu", "hardswish=hardswish", "gelu=gelu"],
            &["stride=stride", "relu6=relu6", "hardswish=hardswish"],
        ] {
            let after = rewritten(&target, same);
            let difference = largest(&(after.forward(&x).unwrap() - &y));
            assert!(difference <= 1e-13 * largest(&y), "{n}, {same:?}: {difference:e}");
            let (before, now) = (lee(&network, &x, Boundary::Reflect), lee(&after, &x, Boundary::Reflect));
            for (name, value) in &before {
                assert!(
                    (now[name] - value).abs() <= 1e-10 * value.abs(),
                    "{n}, {same:?}, {name}: {} {value}",
                    now[name]
                );
            }
        }
    }
}

#[test]
fn shapes_and_grids_keep_their_place() {
    let file = classifier(32);
    let network = Network::from_file(&file, &DOUBLE()).unwrap();
    let target = TargetModel::new(&file, &network).unwrap();
    let grid = |network: &Network, name: &str| {
        let value = network.values().iter().find(|value| value.name == name).unwrap();
        (value.shape.clone(), value.layout.plane().unwrap())
    };
    for (rule, moved) in
        [("conv=blurpool:3", 0.0), ("conv=ideal", 0.0), ("conv=blurpool:5", 0.0), ("conv=blurpool:4", 0.5)]
    {
        let after = rewritten(&target, &[rule]);
        for (name, strides) in [("stem/act", 1), ("pool", 1), ("down/act", 2)] {
            let ((shape, before), (new_shape, now)) = (grid(&network, name), grid(&after, name));
            assert_eq!(shape, new_shape, "{rule}, {name}");
            for (old, new) in [(before.rows, now.rows), (before.columns, now.columns)] {
                assert!((old.pitch - new.pitch).abs() < 1e-12, "{rule}, {name}");
                // The first stride's finer map has the input's pitch; the second's, that of the pool, four times as much.
                let pixel = 2.0 / 32.0;
                let shift = moved * pixel * if strides == 1 { 1.0 } else { 1.0 + 4.0 };
                assert!(
                    (new.origin - old.origin - shift).abs() < 1e-12,
                    "{rule}, {name}: {} {}",
                    new.origin,
                    old.origin
                );
            }
        }
    }
}

#[test]
fn positions_of_a_moved_branch_are_tracked_truly() {
    // What the grid says of a filter of even length is what an image shows: a ramp reads its own position.
    let mut d = Draft::new(1);
    d.constant("one", &[1, 1, 1, 1], &[1.0]);
    let attributes =
        vec![attribute("kernel_shape", Value::Ints(vec![1, 1])), attribute("strides", Value::Ints(vec![2, 2]))];
    d.add("Conv", &["x", "one"], "y", attributes);
    let file = d.finish(&[1, 1, 32, 32], "y");
    let network = Network::from_file(&file, &DOUBLE()).unwrap();
    let target = TargetModel::new(&file, &network).unwrap();
    let ramp: Vec<f64> = (0..32 * 32).map(|i| f64::from(i % 32)).collect();
    let x = Tensor::from_slice(&ramp).reshape([1, 1, 1, 32, 32]);
    for name in
        ["blurpool:2", "blurpool:4", "blurpool:6", "blurpool:5", "kaiser:12", "average", "bilinear", "wavelet:db2"]
    {
        let after = rewritten(&target, &[&format!("conv={name}")]);
        let row = after.forward(&x).unwrap().reshape([16, 16]).get(8);
        let columns = after.output().layout.plane().unwrap().columns;
        for j in 5..11 {
            // From half-widths to samples.
            let said = (columns.origin + f64::from(j) * columns.pitch + 1.0) * 16.0 - 0.5;
            let seen = row.double_value(&[i64::from(j)]);
            assert!((seen - said).abs() < 2e-3 * said, "{name}: {seen} where {said} was said");
        }
    }
}

#[test]
fn an_ideal_filter_makes_the_torus_exact() {
    let file = torus(16);
    let network = Network::from_file(&file, &DOUBLE()).unwrap();
    let target = TargetModel::new(&file, &network).unwrap();
    let x = image(16, 9);
    let found = insertions(&target, &["stride=ideal"], None, Padding::Circular).unwrap();
    let made = target.rewrite(&found.iter().collect::<Vec<_>>(), Form::Memory).unwrap();
    let after = target.load(&made).unwrap();
    let (before, now) = (lee(&network, &x, Boundary::Periodic), lee(&after, &x, Boundary::Periodic));
    for name in ["translate_x", "translate_y"] {
        assert!(before[name] > 1e-2, "{name}: {}", before[name]);
        assert!(now[name] < 1e-24, "{name}: {} of {}", now[name], before[name]);
    }
    // And a short filter lowers it without an exactness.
    let found = insertions(&target, &["stride=blurpool:5"], None, Padding::Circular).unwrap();
    let made = target.rewrite(&found.iter().collect::<Vec<_>>(), Form::Memory).unwrap();
    let blurred = lee(&target.load(&made).unwrap(), &x, Boundary::Periodic);
    assert!(blurred["translate_x"] < 0.5 * before["translate_x"] && blurred["translate_x"] > 1e-6, "{blurred:?}");
}

#[test]
fn downsamplings_stand_where_their_papers_have_them() {
    assert!(["blurpool:3", "aps", "ddac", "lps", "kaiser"].iter().all(|name| follows_activation(name)));
    assert!(!["ideal", "asap", "wavelet:haar", "vasconcelos"].iter().any(|name| follows_activation(name)));
    let file = classifier(32);
    let network = Network::from_file(&file, &DOUBLE()).unwrap();
    let target = TargetModel::new(&file, &network).unwrap();
    let after = |rule: &str| -> Vec<String> {
        insertions(&target, &[rule], None, Padding::Reflect).unwrap().iter().map(|g| g.follows().to_owned()).collect()
    };
    // Hard swish is four nodes, and the filter goes after the last of them.
    assert_eq!(after("stride=blurpool:3"), ["/stem/act/Clip", "/pool/MaxPool", "/down/act/Div"]);
    assert_eq!(after("stride=ideal"), ["/stem/Conv", "/pool/MaxPool", "/down/Conv"]);
    // Written out by hand: convolution at stride 1, relu6, blur with the stride.
    let after = rewritten(&target, &["conv=blurpool:3"]);
    let stem: Vec<&str> = after.steps().iter().take(3).map(|step| step.op_type.as_str()).collect();
    assert_eq!(stem, ["Conv", "Clip", "blurpool:3 /2"]);
}

#[test]
fn saved_models_compute_the_same_and_keep_everything_else() {
    let mut file = classifier(48);
    file.model.producer_name = Some("a test".to_owned());
    file.model
        .metadata_props
        .push(StringStringEntryProto { key: Some("own".to_owned()), value: Some("kept".to_owned()) });
    let network = Network::from_file(&file, &DOUBLE()).unwrap();
    let target = TargetModel::new(&file, &network).unwrap();
    let x = image(48, 11);
    let old = network.forward(&x).unwrap();
    for texts in [
        &["stride=blurpool:3"][..],
        &["stride=blurpool:4"],
        &["stride=ideal"],
        &["stride=wavelet:db2"],
        &["stride=kaiser", "activation=filtered:2x"],
        &["relu6=filtered:2x:ideal", "silu=softplus"],
        &["conv=max-blurpool:3", "maxpool=blurpool:5", "hardswish=afc"],
        &["gelu=polyfit:4"],
    ] {
        for padding in [Padding::Reflect, Padding::Circular, Padding::Zero] {
            let found = insertions(&target, texts, None, padding).unwrap();
            let found: Vec<&Insertion> = found.iter().collect();
            let after = target.load(&target.rewrite(&found, Form::Memory).unwrap()).unwrap();
            let written = target.rewrite(&found, Form::Onnx).unwrap();
            let bytes = written.file.to_bytes().unwrap();
            let again = OnnxFile::from_bytes(&bytes, std::path::Path::new("again.onnx")).unwrap();
            let saved = Network::from_file(&again, &DOUBLE()).unwrap();
            let (wanted, got) = (after.forward(&x).unwrap(), saved.forward(&x).unwrap());
            // The file's constants are of single precision.
            let difference = largest(&(&wanted - got)) / largest(&wanted);
            assert!(difference < 3e-6, "{texts:?}, {padding}: {difference:e}");
            assert!(largest(&(&wanted - &old)) > 1e-4 * largest(&old), "{texts:?} changes nothing");
            // What the measured network knows of places the saved one knows too, but where they are not certain: taps around
            // the torus are written with Gather, which has an entry twice; ideal filters around a function have the
            // mirror image in between; and taps of db2 lean to one side, of which a convolution's window knows nothing.
            let has = |word: &str| texts.iter().any(|text| text.contains(word));
            let certain = match padding {
                Padding::Circular => has("ideal"),
                _ => !has("2x:ideal") && !has("afc") && !has("wavelet"),
            };
            if !certain {
                continue;
            }
            let layouts: HashMap<&str, &Layout> =
                saved.values().iter().map(|value| (value.name.as_str(), &value.layout)).collect();
            for value in after.values() {
                let Some(&found) = layouts.get(value.name.as_str()) else { continue };
                let same = match (&value.layout, found) {
                    (Layout::Map(a), Layout::Map(b)) => a.grid.agrees_with(&b.grid) && a.axes == b.axes,
                    (a, b) => a == b,
                };
                assert!(same, "{texts:?}, {padding}: '{}' is {:?} and {found:?}", value.name, value.layout);
            }
            assert_eq!(again.metadata("own"), Some("kept"));
            assert!(again.metadata(SURGERY_KEY).unwrap().contains(&found[0].design.name()));
            assert_eq!(again.model.producer_name.as_deref(), Some("a test"));
            assert_eq!(again.model.opset_import, file.model.opset_import);
            let graph = again.graph().unwrap();
            let (old_graph, kept) = (file.graph().unwrap(), &graph.node);
            assert_eq!((&graph.input, &graph.output), (&old_graph.input, &old_graph.output));
            let head = ["/pooled/GlobalAveragePool", "/y/Flatten", "/last/Conv"];
            for name in head {
                let of = |nodes: &[NodeProto]| nodes.iter().find(|n| n.name.as_deref() == Some(name)).cloned();
                assert_eq!(of(kept), of(&old_graph.node), "{texts:?}: {name}");
            }
            assert!(old_graph.initializer.iter().all(|tensor| graph.initializer.contains(tensor)));
        }
    }
}

#[test]
fn tangents_of_a_rewritten_network_are_its_derivatives() {
    let file = classifier(24);
    let network = Network::from_file(&file, &DOUBLE()).unwrap();
    let target = TargetModel::new(&file, &network).unwrap();
    // Smooth functions throughout, so that a difference quotient has no kinks to cross; max-pooling keeps its winners.
    for texts in [
        &["stride=blurpool:4", "relu6=softplus"][..],
        &["stride=ideal", "relu6=filtered:silu:2x", "hardswish=filtered:gelu:2x:ideal"],
        &["stride=ddac", "relu6=polyfit:4", "hardswish=silu"],
        &["stride=aps:3", "relu6=adaa:tanh", "hardswish=afc"],
    ] {
        let after = rewritten(&target, texts);
        let (x, dx) = (image(24, 13), image(24, 17));
        let sweep = after.sweep(&x, &dx.unsqueeze(0)).unwrap();
        let step = 1e-6;
        let moved = |t: f64| after.forward(&(&x + &dx * t)).unwrap();
        let quotient = (moved(step) - moved(-step)) / (2.0 * step);
        let error = largest(&(sweep.tangent.squeeze_dim(0) - &quotient)) / largest(&quotient);
        assert!(error < 2e-7, "{texts:?}: {error:e}");
    }
}

/// An image to an image, as detectors are: a strided convolution and two functions.
fn painter(n: i64) -> OnnxFile {
    let mut d = Draft::new(21);
    d.convolution("x", "stem", [5, 3, 3], [2, 2], [0, 0, 1, 1], 1);
    d.add("Relu", &["stem"], "stem/act", vec![]);
    d.convolution("stem/act", "mid", [4, 5, 3], [1, 1], [1; 4], 1);
    d.add("Relu", &["mid"], "mid/act", vec![]);
    d.convolution("mid/act", "y", [2, 4, 3], [1, 1], [1; 4], 1);
    d.finish(&[1, 3, n, n], "y")
}

#[test]
fn advice_keeps_images_that_it_is_told_to_keep() {
    let file = painter(16);
    let network = Network::from_file(&file, &DOUBLE()).unwrap();
    let target = TargetModel::new(&file, &network).unwrap();
    let found = insertions(&target, &["stride=blurpool:5", "relu=filtered:2x"], None, Padding::Reflect).unwrap();
    let images: Vec<(String, Tensor)> = (0..3).map(|i| (i.to_string(), image(16, 51 + i))).collect();
    let advice = |keep: f64| {
        let options = AdviseOptions {
            generator: "translate_x".parse().unwrap(),
            lee: LeeOptions::default(),
            layers: LayersOptions::new("translate_x".parse().unwrap()),
            budget: 1,
            keep,
        };
        advise(&target, &found, &options, &images, &mut |_, _| {}).unwrap().1
    };
    let free = advice(0.0);
    let tried = &free.steps[0].tried;
    // What stays of an image is 1 − the mean of ‖new − old‖ over the root mean square of ‖old‖, by networks loaded one by one.
    let norm = |x: &Tensor| x.square().sum(Kind::Double).double_value(&[]).sqrt();
    let old: Vec<Tensor> = images.iter().map(|(_, x)| network.forward(x).unwrap()).collect();
    let length = (old.iter().map(|y| norm(y).powi(2)).sum::<f64>() / 3.0).sqrt();
    for trial in tried {
        let own = found.iter().find(|insertion| insertion.site.name == trial.name).unwrap();
        let after = target.load(&target.rewrite(&[own], Form::Memory).unwrap()).unwrap();
        let changes: f64 =
            images.iter().zip(&old).map(|((_, x), y)| norm(&(after.forward(x).unwrap() - y))).sum::<f64>() / 3.0;
        let kept = (1.0 - changes / length).max(0.0);
        assert!(trial.top1_unchanged.is_none() && trial.kl.is_none());
        assert!((trial.kept() - kept).abs() < 1e-12, "{}: {} {kept}", trial.name, trial.kept());
    }
    let gaining: Vec<_> = tried.iter().filter(|trial| trial.gain.mean > 0.0).collect();
    assert!(gaining.len() > 1, "one place alone gains: nothing to choose between");
    assert_eq!(free.steps[0].chosen, gaining[0].name);
    // Asked to keep more than the first choice keeps, it takes the best of those that do, or none.
    let keep = (gaining[0].kept() + 1e-9).min(1.0);
    let careful = advice(keep);
    let wanted = gaining.iter().find(|trial| trial.kept() >= keep);
    assert!(wanted.is_some(), "no second choice keeps more than {keep}");
    assert_eq!(careful.steps[0].chosen, wanted.unwrap().name);
    let none = advice(1.0);
    assert_eq!(none.steps[0].chosen, "");
    assert!(none.ended.unwrap().contains("--keep 1 allows"));
}

#[test]
fn trials_of_the_advice_are_the_networks_loaded_one_by_one() {
    let file = classifier(24);
    let network = Network::from_file(&file, &DOUBLE()).unwrap();
    let target = TargetModel::new(&file, &network).unwrap();
    let found = insertions(
        &target,
        &["stride=blurpool:3", "relu6=filtered:2x", "silu=softplus", "hardswish=silu"],
        None,
        Padding::Reflect,
    )
    .unwrap();
    let images: Vec<(String, Tensor)> = (0..3).map(|i| (i.to_string(), image(24, 31 + i))).collect();
    let options = AdviseOptions {
        generator: "translate_x".parse().unwrap(),
        lee: LeeOptions::default(),
        layers: LayersOptions::new("translate_x".parse().unwrap()),
        budget: 2,
        keep: 0.0,
    };
    let (mut calls, mut most) = (0, 0);
    let (chosen, advice) = advise(&target, &found, &options, &images, &mut |done, of| {
        calls += 1;
        (most, _) = (of, assert!(done <= of));
    })
    .unwrap();
    assert_eq!(calls, most);
    let mean = |network: &Network| -> f64 {
        images.iter().map(|(_, x)| lee(network, x, Boundary::Reflect)["translate_x"]).sum::<f64>() / 3.0
    };
    assert!((advice.start - mean(&network)).abs() < 1e-10 * advice.start);
    let plain = multiplications(&network, &[], None);
    let mut on: Vec<&Insertion> = Vec::new();
    for step in &advice.steps {
        assert_eq!(step.tried.len(), found.len() - on.len());
        for trial in &step.tried {
            let own = found.iter().find(|insertion| insertion.site.name == trial.name).unwrap();
            let mut with = on.clone();
            with.push(own);
            with.sort_by_key(|insertion| found.iter().position(|g| g.site.name == insertion.site.name));
            let made = target.rewrite(&with, Form::Memory).unwrap();
            let loaded = target.load(&made).unwrap();
            let wanted = mean(&loaded);
            assert!((trial.lee - wanted).abs() < 1e-9 * wanted, "{}: {} {wanted}", trial.name, trial.lee);
            let cost = multiplications(&loaded, &with, Some(&made)) / plain;
            assert!((trial.cost - cost).abs() < 1e-12, "{}: {} {cost}", trial.name, trial.cost);
        }
        let best = step.tried.iter().max_by(|a, b| a.gain_per_cost.total_cmp(&b.gain_per_cost)).unwrap();
        if step.chosen.is_empty() {
            assert!(best.gain.mean <= 0.0);
            continue;
        }
        assert_eq!((&best.name, &step.tried[0].name), (&step.chosen, &step.chosen));
        on.push(found.iter().find(|insertion| insertion.site.name == step.chosen).unwrap());
    }
    assert_eq!(on.len(), chosen.len());
    // The front holds no trial that another beats.
    let all: Vec<_> = advice.steps.iter().flat_map(|step| &step.tried).collect();
    let beaten = |a: &&aliascope::antialias::surgery::report::Trial| {
        all.iter().any(|b| b.lee < a.lee && b.cost < a.cost) || (advice.start <= a.lee && a.cost > 1.0)
    };
    assert!(all.iter().filter(|trial| trial.pareto).all(|trial| !beaten(trial)));
    assert!(advice.forecast.rank_correlation.is_some_and(|rho| (-1.0..=1.0).contains(&rho)));
    for place in &advice.forecast.places {
        // Less is left the less comes in; all of it where nothing is cut off, which is not listed.
        let edges: Vec<f64> = place.left_below.iter().map(|[edge, _]| *edge).collect();
        assert_eq!(edges, [0.5, 0.25, 0.125, 0.0625], "{place:?}");
        assert!(place.left_below.iter().all(|[_, left]| left.is_finite() && *left >= 0.0), "{place:?}");
    }
}

#[test]
fn what_is_impossible_is_said_in_a_sentence_with_the_layer() {
    let file = classifier(32);
    let network = Network::from_file(&file, &DOUBLE()).unwrap();
    let target = TargetModel::new(&file, &network).unwrap();
    let refused = |texts: &[&str], pattern: Option<&str>| {
        insertions(&target, texts, pattern, Padding::Reflect).unwrap_err().to_string()
    };
    let message = refused(&["stride=blurpool:3"], Some("stam"));
    assert!(message.contains("'stam'") && message.contains("/stem/Conv"), "{message}");
    let message = refused(&["elu=softplus"], None);
    assert!(message.contains("no function") && message.contains("relu6") && message.contains("silu"), "{message}");
    let message = refused(&["stride=blurpool:3", "conv=ideal"], None);
    assert!(message.contains("/stem/Conv") && message.contains("conv=ideal"), "{message}");
    // At stride 1 the last convolution makes 8 x 8 samples: 20 taps reach 10.
    let message = refused(&["stride=kaiser:20"], Some("/down/Conv"));
    assert!(message.contains("/down/Conv") && message.contains("8 rows"), "{message}");
    // A phase that the input chooses has no ONNX form.
    let found = insertions(&target, &["stride=aps"], None, Padding::Reflect).unwrap();
    let message = target.rewrite(&found.iter().collect::<Vec<_>>(), Form::Onnx).unwrap_err().to_string();
    assert!(message.contains("/stem/Conv") && message.contains("aps") && message.contains("--save"), "{message}");

    let mut d = Draft::new(1);
    d.convolution("x", "narrow", [4, 3, 3], [2, 1], [1; 4], 1);
    d.convolution("narrow", "y", [4, 4, 3], [3, 3], [1; 4], 1);
    let file = d.finish(&[1, 3, 24, 24], "y");
    let network = Network::from_file(&file, &DOUBLE()).unwrap();
    let target = TargetModel::new(&file, &network).unwrap();
    let refused = |texts: &[&str], pattern: Option<&str>| {
        insertions(&target, texts, pattern, Padding::Reflect).unwrap_err().to_string()
    };
    let message = refused(&["stride=blurpool:3"], None);
    assert!(message.contains("/narrow/Conv") && message.contains("2 by 1") && message.contains("--where"), "{message}");
    let message = refused(&["stride=wavelet:haar"], Some("/y/"));
    assert!(message.contains("/y/Conv") && message.contains("stride 3"), "{message}");

    // Half precision and old opsets cannot be written.
    let mut file = classifier(48);
    file.model.opset_import[0].version = Some(13);
    let network = Network::from_file(&file, &DOUBLE()).unwrap();
    let target = TargetModel::new(&file, &network).unwrap();
    let found = insertions(&target, &["hardswish=filtered:2x"], None, Padding::Reflect).unwrap();
    let message = target.rewrite(&found.iter().collect::<Vec<_>>(), Form::Onnx).unwrap_err().to_string();
    assert!(message.contains("HardSwish") && message.contains("opset 14") && message.contains("opset 13"), "{message}");
}

/// A model whose convolutions lie in a function is rewritten as its twin without one, under the names that `layers` has.
#[test]
fn strides_inside_functions_are_places_too() {
    use aliascope::graph::onnx::proto::{FunctionProto, OperatorSetIdProto};

    let twin = classifier(32);
    let mut file = twin.clone();
    let graph = file.model.graph.as_mut().unwrap();
    // Stem, activation, depthwise convolution and SiLU; the rest stays.
    let body: Vec<NodeProto> = graph.node.drain(..5).collect();
    let mut formal = vec!["x".to_owned()];
    let constants: Vec<String> = graph.initializer.iter().filter_map(|tensor| tensor.name.clone()).collect();
    formal.extend(constants.into_iter().filter(|name| body.iter().any(|node| node.input.contains(name))));
    let mut call = NodeProto { input: formal.clone(), ..node("Block", &[], &["dw/silu"]) };
    call.name = Some("/block".to_owned());
    call.domain = Some("local".to_owned());
    graph.node.insert(0, call);
    let id = |domain: &str, version| OperatorSetIdProto { domain: Some(domain.to_owned()), version: Some(version) };
    file.model.opset_import.push(id("local", 1));
    file.model.functions.push(FunctionProto {
        name: Some("Block".to_owned()),
        domain: Some("local".to_owned()),
        input: formal,
        output: vec!["dw/silu".to_owned()],
        node: body,
        opset_import: vec![id("", 17)],
        ..Default::default()
    });
    let as_loaded = Network::from_file(&file, &DOUBLE()).unwrap();
    let written = with_functions_written_out(&file).unwrap();
    let rules: Vec<Replacement> = ["stride=blurpool:3", "silu=filtered:2x"].map(|rule| rule.parse().unwrap()).into();
    let x = Tensor::from_slice(&crate::common::noise(3 * 32 * 32)).to_kind(Kind::Double).view([1, 1, 3, 32, 32]);
    let lee = |file: &OnnxFile| {
        let network = Network::from_file(file, &DOUBLE()).unwrap();
        let target = TargetModel::new(file, &network).unwrap();
        let options = InsertionOptions {
            rules: &rules,
            pattern: None,
            padding: Padding::Reflect,
            place: Place::Paper,
            ranges: &HashMap::new(),
        };
        let insertions = target.insertions(&options).unwrap();
        let names: Vec<String> = insertions.iter().map(|insertion| insertion.site.name.clone()).collect();
        let rewritten =
            target.load(&target.rewrite(&insertions.iter().collect::<Vec<_>>(), Form::Memory).unwrap()).unwrap();
        let mut meter = LeeMeter::new(&rewritten, LeeOptions::default()).unwrap();
        meter.measure(&x, &["noise".to_owned()]).unwrap();
        (names, meter.results()["translate_x"].lee)
    };
    let ((names, found), (plain, wanted)) = (lee(&written), lee(&twin));
    assert_eq!((names.len(), plain.len()), (4, 4), "{names:?}");
    assert!((found - wanted).abs() <= 1e-12 * wanted, "{found} {wanted}");
    // `layers` loads the file as it is: its steps have these names.
    for name in &names {
        assert!(as_loaded.steps().iter().any(|step| &step.name == name), "{name}");
    }
    // Without functions nothing changes; one without end is left to the loader, which says so.
    assert_eq!(with_functions_written_out(&twin).unwrap().model, twin.model);
    let again = file.model.functions[0].clone();
    file.model.functions[0].node =
        vec![NodeProto { domain: Some("local".to_owned()), ..node("Block", &["x"], &["dw/silu"]) }];
    assert!(with_functions_written_out(&file).is_none());
    file.model.functions[0] = FunctionProto { opset_import: vec![id("", 11)], ..again };
    assert!(with_functions_written_out(&file).is_none());
}
