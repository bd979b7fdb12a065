//! The octaves of layers' errors against the definition written out: cosines summed by hand, operators tap by tap.

use std::f64::consts::PI;
use std::path::Path;

use aliascope::graph::onnx::proto::{GraphProto, NodeProto, TensorProto, ValueInfoProto};
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::layers::{Grouping, LayerMeter, LayersOptions, SplitBy};
use aliascope::measure::layers_report::{LayerClass, LayerReport, LayerResults, OctavePart};
use aliascope::measure::lee::{ActionChoice, Output};
use tch::{Kind, Tensor};

use crate::common::model::{Value, attribute, doubles, floats, ints, model, node};

const N: usize = 16;
const EDGES: [f64; 4] = [0.5, 0.25, 0.125, 0.0625];

/// `[rows][columns]`.
type Map = Vec<Vec<f64>>;

fn map(n: usize, value: impl Fn(usize, usize) -> f64) -> Map {
    (0..n).map(|i| (0..n).map(|j| value(i, j)).collect()).collect()
}

fn cosine(k: usize, i: usize, n: usize) -> f64 {
    (PI * k as f64 * (i as f64 + 0.5) / n as f64).cos()
}

/// Along one axis, in place of h: Σ_k of the cosines that `factor` leaves, or with `slope` their derivatives by the index.
fn along(h: &Map, columns: bool, slope: bool, factor: impl Fn(usize) -> f64) -> Map {
    let n = h.len();
    let at = |i: usize, j: usize| if columns { h[i][j] } else { h[j][i] };
    let line = |i: usize| -> Vec<f64> {
        let coefficient = |k: usize| {
            let norm = if k == 0 { 1.0 } else { 2.0 } / n as f64;
            norm * factor(k) * (0..n).map(|j| at(i, j) * cosine(k, j, n)).sum::<f64>()
        };
        let coefficients: Vec<f64> = (0..n).map(coefficient).collect();
        let wave = |k: usize, j: usize| {
            let omega = PI * k as f64 / n as f64;
            if slope { -omega * (omega * (j as f64 + 0.5)).sin() } else { cosine(k, j, n) }
        };
        (0..n).map(|j| (0..n).map(|k| coefficients[k] * wave(k, j)).sum()).collect()
    };
    let lines: Map = (0..n).map(line).collect();
    if columns { lines } else { map(n, |i, j| lines[j][i]) }
}

fn below(h: &Map, cut_off: f64) -> Map {
    let n = h.len() as f64;
    let keep = |k: usize| f64::from((k as f64) < cut_off * n);
    along(&along(h, true, false, keep), false, false, keep)
}

/// ∂x of the even continuation, in half-widths of the first map, whose samples are 2/N apart.
fn slope(h: &Map, pitch: f64) -> Map {
    let lines = along(h, true, true, |_| 1.0);
    map(h.len(), |i, j| lines[i][j] / pitch)
}

fn taps(a: usize, b: usize) -> f64 {
    [[0.3, -0.5, 0.2], [0.7, 1.1, -0.4], [-0.1, 0.6, 0.25]][a][b]
}

/// Every other sample of a convolution with zeros beyond the edge.
fn convolved(h: &Map) -> Map {
    let n = h.len() as i64;
    map(h.len() / 2, |i, j| {
        let mut sum = 0.0;
        for a in 0..3 {
            for b in 0..3 {
                let (y, x) = (2 * i as i64 + a as i64 - 1, 2 * j as i64 + b as i64 - 1);
                if (0..n).contains(&y) && (0..n).contains(&x) {
                    sum += taps(a, b) * h[y as usize][x as usize];
                }
            }
        }
        sum
    })
}

/// Softmax attention over all samples, and its derivative along `dh`.
fn attended(h: &Map, dh: &Map) -> (Map, Map) {
    let (h, dh) = (h.concat(), dh.concat());
    let mut both = (vec![vec![0.0; N]; N], vec![vec![0.0; N]; N]);
    for t in 0..h.len() {
        let score = |s: usize| h[t] * h[s];
        let slope = |s: usize| dh[t] * h[s] + h[t] * dh[s];
        let most = (0..h.len()).map(score).fold(f64::NEG_INFINITY, f64::max);
        let sum = |of: &dyn Fn(usize) -> f64| (0..h.len()).map(|s| (score(s) - most).exp() * of(s)).sum::<f64>();
        let whole = sum(&|_| 1.0);
        let mean_slope = sum(&slope) / whole;
        both.0[t / N][t % N] = sum(&|s| h[s]) / whole;
        both.1[t / N][t % N] = sum(&|s| (slope(s) - mean_slope) * h[s] + dh[s]) / whole;
    }
    both
}

/// What a node does, and how its defect under translate_x is found by hand.
#[derive(Clone, Copy, Debug)]
enum Case {
    Convolution,
    /// The same, behind a node that pads.
    Padded,
    Relu,
    /// Every sample a token of one channel: Σ_s softmax_s(h_t h_s) h_s, whose scores have no place in the image.
    Attention,
}

impl Case {
    fn defect(self, h: &Map) -> Map {
        let dh = slope(h, 2.0 / N as f64);
        let (dy, y, pitch) = match self {
            Self::Convolution | Self::Padded => (convolved(&dh), convolved(h), 4.0 / N as f64),
            Self::Relu => {
                let dy = map(N, |i, j| if h[i][j] > 0.0 { dh[i][j] } else { 0.0 });
                (dy, map(N, |i, j| h[i][j].max(0.0)), 2.0 / N as f64)
            }
            Self::Attention => {
                let (y, dy) = attended(h, &dh);
                (dy, y, 2.0 / N as f64)
            }
        };
        let ay = slope(&y, pitch);
        map(y.len(), |i, j| dy[i][j] - ay[i][j])
    }

    fn network(self) -> Network {
        let weights: Vec<f64> = (0..9).map(|t| taps(t / 3, t % 3)).collect();
        let weights = doubles("w", &[1, 1, 3, 3], &weights);
        let convolution = |input: &str, pads: &[i64]| {
            let mut made = named("Conv", &[input, "w"], "it");
            made.attribute =
                vec![attribute("strides", Value::Ints(vec![2, 2])), attribute("pads", Value::Ints(pads.to_vec()))];
            made
        };
        let (mut nodes, constants) = match self {
            Self::Convolution => (vec![convolution("x", &[1; 4])], vec![weights]),
            Self::Padded => {
                let pads = ints("p", &[8], &[0, 0, 1, 1, 0, 0, 1, 1]);
                (vec![named("Pad", &["x", "p"], "around"), convolution("around", &[0; 4])], vec![weights, pads])
            }
            Self::Relu => (vec![named("Relu", &["x"], "it")], vec![]),
            Self::Attention => {
                let shape = |name: &str, shape: &[i64]| ints(name, &[shape.len() as i64], shape);
                let (n, tokens) = (N as i64, (N * N) as i64);
                let mut softmax = named("Softmax", &["scores"], "p");
                softmax.attribute = vec![attribute("axis", Value::Int(-1))];
                let nodes = vec![
                    named("Reshape", &["x", "rows"], "q"),
                    named("Reshape", &["x", "columns"], "k"),
                    named("MatMul", &["q", "k"], "scores"),
                    softmax,
                    named("MatMul", &["p", "q"], "it"),
                    named("Reshape", &["it", "image"], "back"),
                ];
                let shapes = vec![
                    shape("rows", &[1, tokens, 1]),
                    shape("columns", &[1, 1, tokens]),
                    shape("image", &[1, 1, n, n]),
                ];
                (nodes, shapes)
            }
        };
        let last = if matches!(self, Self::Attention) { "back" } else { "it" };
        nodes.push(named("Identity", &[last], "y"));
        network(nodes, constants)
    }
}

fn named(op: &str, inputs: &[&str], output: &str) -> NodeProto {
    let mut made = node(op, inputs, &[output]);
    made.name = Some(output.to_owned());
    made
}

fn network(nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Network {
    let graph = GraphProto {
        node: nodes,
        initializer: constants,
        input: vec![floats("x", &[1, 1, N as i64, N as i64])],
        output: vec![ValueInfoProto { name: Some("y".to_owned()), ..Default::default() }],
        ..Default::default()
    };
    Network::from_file(&model(graph, 17), &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

fn options(split: SplitBy) -> LayersOptions {
    LayersOptions {
        grouping: Grouping::Node,
        output: Some(Output::Identity),
        action: Some(ActionChoice::Image),
        split,
        ..LayersOptions::new("translate_x".parse().unwrap())
    }
}

fn tensor(h: &Map) -> Tensor {
    Tensor::from_slice(&h.concat()).view([1, 1, 1, N as i64, N as i64])
}

fn attribute_error(network: &Network, h: &Map, split: SplitBy) -> LayerResults {
    let mut meter = LayerMeter::new(network, options(split)).unwrap();
    meter.measure(&tensor(h), &["x".to_owned()], &mut |_, _| {}).unwrap();
    meter.results()
}

fn octaves<'a>(results: &'a LayerResults, name: &str) -> (&'a LayerReport, &'a [OctavePart]) {
    let layer = results.layers.iter().find(|layer| layer.name == name).unwrap();
    (layer, layer.octaves.as_deref().unwrap())
}

fn photo() -> Map {
    map(N, |i, j| {
        let fine = ((i * 7919 + j * 104_729) % 1009) as f64 / 1009.0 - 0.5;
        0.2 * j as f64 - 0.1 * i as f64 + (0.8 * i as f64 + 0.5 * j as f64).sin() + 0.4 * fine
    })
}

fn mean_square(h: &Map) -> f64 {
    h.concat().iter().map(|x| x * x).sum::<f64>() / (h.len() * h.len()) as f64
}

#[test]
fn octaves_are_what_their_definition_says() {
    let h = photo();
    for case in [Case::Convolution, Case::Padded, Case::Relu, Case::Attention] {
        let results = attribute_error(&case.network(), &h, SplitBy::Octave);
        let (layer, found) = octaves(&results, "it");
        let whole = case.defect(&h);
        let cumulative: Vec<Map> =
            std::iter::once(whole.clone()).chain(EDGES.map(|edge| case.defect(&below(&h, edge)))).collect();
        let size = mean_square(&whole);
        // Roundings of sums of some hundred products, squared beside what they are subtracted from.
        let close = |found: f64, wanted: f64| (found - wanted).abs() <= 1e-10 * (wanted + size);
        assert!(close(layer.contribution, size), "{case:?}: {} against {size}", layer.contribution);
        assert_eq!(found.len(), 5);
        for (band, part) in found.iter().enumerate() {
            let upper = &cumulative[band];
            let own = match cumulative.get(band + 1) {
                Some(lower) => map(upper.len(), |i, j| upper[i][j] - lower[i][j]),
                None => upper.clone(),
            };
            let wanted = mean_square(&own);
            assert!(close(part.contribution, wanted), "{case:?} {band}: {} against {wanted}", part.contribution);
            assert!(close(part.up_to, mean_square(upper)), "{case:?} up to {}", part.to);
        }
        // None of them is empty on such a map, so that what is compared is there.
        assert!(found.iter().take(3).all(|part| part.contribution > 1e-4 * size), "{case:?}: {found:?}");
    }
}

/// On one cosine every operator's error, linear or not, is made by the octave that it lies in.
#[test]
fn one_harmonic_lies_in_its_octave() {
    for case in [Case::Convolution, Case::Relu] {
        let network = case.network();
        // N = 16: harmonics 8 and 15 lie in [½, 1), 4 and 7 in [¼, ½), 2 in [⅛, ¼), 1 in [1/16, ⅛).
        for (k, band) in [(15, 0), (8, 0), (7, 1), (4, 1), (3, 2), (2, 2), (1, 3)] {
            let h = map(N, |i, j| cosine(k, j, N) * cosine(k.min(1), i, N));
            let results = attribute_error(&network, &h, SplitBy::Octave);
            let (layer, found) = octaves(&results, "it");
            assert!(layer.contribution > 1e-3, "{case:?} {k}");
            for (at, part) in found.iter().enumerate() {
                // What a projection leaves of a cosine is rounding, squared.
                let wanted = if at == band { layer.contribution } else { 0.0 };
                let close = (part.contribution - wanted).abs() <= 1e-12 * layer.contribution;
                assert!(
                    close || matches!(case, Case::Relu),
                    "{case:?} {k} in {at}: {part:?} of {}",
                    layer.contribution
                );
                let is_there = part.up_to > 0.5 * layer.contribution;
                assert_eq!(is_there, at <= band, "{case:?} {k} up to {}", part.to);
            }
        }
    }
}

#[test]
fn they_add_up_to_what_the_layer_makes() {
    let nodes = vec![
        named("Relu", &["x"], "a"),
        {
            let mut made = named("Conv", &["a", "w"], "b");
            made.attribute =
                vec![attribute("strides", Value::Ints(vec![2, 2])), attribute("pads", Value::Ints(vec![1; 4]))];
            made
        },
        named("Sigmoid", &["b"], "c"),
        named("Mul", &["b", "c"], "it"),
        named("Identity", &["it"], "y"),
    ];
    let weights: Vec<f64> = (0..9).map(|t| taps(t / 3, t % 3)).collect();
    let network = network(nodes, vec![doubles("w", &[1, 1, 3, 3], &weights)]);
    let [by_octave, whole] =
        [SplitBy::Octave, SplitBy::Nothing].map(|split| attribute_error(&network, &photo(), split));
    assert!(by_octave.conservation_residual < 1e-12);
    assert_eq!(by_octave.layers.len(), whole.layers.len());
    let meter = LayerMeter::new(&network, options(SplitBy::Octave)).unwrap();
    for layer in &by_octave.layers {
        // One layer on its own has a sweep of its own.
        let alone = meter.octaves_of(&layer.name, &tensor(&photo())).unwrap();
        for (square, octave) in alone.iter().zip(layer.octaves.as_ref().unwrap()) {
            let up_to = square / by_octave.dim as f64;
            assert!((up_to - octave.up_to).abs() <= 1e-12 * layer.contribution, "{}: {up_to} {octave:?}", layer.name);
        }
        assert_eq!(alone.len(), 5);
    }
    for (layer, other) in by_octave.layers.iter().zip(&whole.layers) {
        let octaves = layer.octaves.as_ref().unwrap();
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b;
        assert!(close(layer.contribution, other.contribution), "{}", layer.name);
        assert!(close(octaves[0].up_to, layer.contribution), "{}", layer.name);
        let signed: f64 = octaves.iter().map(|part| part.signed_share.unwrap()).sum();
        assert!((signed - other.signed_share.unwrap()).abs() < 1e-12, "{}", layer.name);
        assert_eq!([layer.aliasing, layer.kernel, layer.boundary], [None; 3]);
        assert!(other.octaves.is_none());
    }
}

/// The same of transformers, small members of their families: attention, whose scores have no place in the image, is one
/// layer with its softmax, and the octaves of every layer are differences of what it makes alone.
#[test]
fn they_add_up_where_tokens_attend() {
    for name in ["vit", "swin", "mixer", "xcit"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families");
        let options = LoadOptions { kind: Kind::Double, ..Default::default() };
        let network = Network::load(&folder.join(format!("{name}.onnx")), &options).unwrap();
        let bytes = std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let view = file.tensor("x").unwrap();
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        let x = Tensor::from_data_size(view.data(), &shape, Kind::Float).to_kind(Kind::Double).unsqueeze(0);
        let [by_octave, whole] = [SplitBy::Octave, SplitBy::Nothing].map(|split| {
            let options = LayersOptions {
                grouping: Grouping::Node,
                output: Some(Output::Logits),
                split,
                ..LayersOptions::new("translate_x".parse().unwrap())
            };
            let mut meter = LayerMeter::new(&network, options).unwrap();
            meter.measure(&x, &["x".to_owned()], &mut |_, _| {}).unwrap();
            meter.results()
        });
        let class = if name == "mixer" { LayerClass::TokenMixing } else { LayerClass::Attention };
        // Rounding is 1e-20 of it, squared as it is.
        let is_there = |layer: &LayerReport| layer.class == class && layer.contribution > 1e-9 * by_octave.lee;
        assert!(by_octave.layers.iter().any(is_there), "{name} has no {}", class.name());
        for (layer, other) in by_octave.layers.iter().zip(&whole.layers) {
            let octaves = layer.octaves.as_ref().unwrap();
            // Roundings of some tens of layers, beside the largest of them.
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-10 * (b + by_octave.lee);
            assert!(close(layer.contribution, other.contribution), "{name}, {}", layer.name);
            assert!(close(octaves[0].up_to, layer.contribution), "{name}, {}", layer.name);
            assert!(close(octaves[4].up_to, octaves[4].contribution), "{name}, {}", layer.name);
            let signed: f64 = octaves.iter().map(|part| part.signed_share.unwrap()).sum();
            assert!((signed - other.signed_share.unwrap()).abs() < 1e-9, "{name}, {}", layer.name);
        }
    }
}
