//! The parts of a node's defect against the definitions written out: the map doubled into an even one, circular operators
//! tap by tap, derivatives as sums of sines.

use std::f64::consts::TAU;

use aliascope::graph::onnx::proto::{GraphProto, NodeProto, TensorProto, ValueInfoProto};
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::layers::{Grouping, LayerMeter, LayersOptions};
use aliascope::measure::layers_report::{LayerReport, LayerResults};
use aliascope::measure::lee::{ActionChoice, LeeMeter, LeeOptions, Output};
use aliascope::spectrum::differentiation::{Boundary, Scheme};
use aliascope::symmetry::Combination;
use tch::{Kind, Tensor};

use crate::common::drawing::seeded;
use crate::common::model::{Value, attribute, doubles, floats, ints, model, node};

/// `[channels, rows, columns]`.
#[derive(Clone)]
struct Map {
    size: [usize; 3],
    data: Vec<f64>,
}

impl Map {
    fn new(size: [usize; 3], value: impl Fn(usize, usize, usize) -> f64) -> Self {
        let [channels, rows, columns] = size;
        let mut data = Vec::new();
        for c in 0..channels {
            for i in 0..rows {
                for j in 0..columns {
                    data.push(value(c, i, j));
                }
            }
        }
        Self { size, data }
    }

    fn at(&self, c: usize, i: usize, j: usize) -> f64 {
        self.data[(c * self.size[1] + i) * self.size[2] + j]
    }

    /// Around the torus.
    fn around(&self, c: usize, i: i64, j: i64) -> f64 {
        self.at(c, i.rem_euclid(self.size[1] as i64) as usize, j.rem_euclid(self.size[2] as i64) as usize)
    }

    /// The map beside its mirror images.
    fn doubled(&self) -> Self {
        let [c, n, m] = self.size;
        let fold = |i: usize, n: usize| if i < n { i } else { 2 * n - 1 - i };
        Self::new([c, 2 * n, 2 * m], |c, i, j| self.at(c, fold(i, n), fold(j, m)))
    }

    /// The periodic spectral derivative along an axis (0 rows, 1 columns), samples `pitch` apart.
    fn derivative(&self, axis: usize, pitch: f64) -> Self {
        let period = self.size[1 + axis];
        let entry = |d: i64| -> f64 {
            let waves = (1..period).take_while(|n| 2 * n < period);
            waves
                .map(|n| {
                    -2.0 / period as f64
                        * (TAU * n as f64 / period as f64)
                        * (TAU * n as f64 * d as f64 / period as f64).sin()
                })
                .sum()
        };
        let entries: Vec<f64> = (0..period as i64).map(entry).collect();
        let weight = |i: usize, k: usize| entries[(k + period - i) % period] / pitch;
        Self::new(self.size, |c, i, j| {
            (0..period)
                .map(|k| if axis == 0 { weight(i, k) * self.at(c, k, j) } else { weight(j, k) * self.at(c, i, k) })
                .sum()
        })
    }

    /// The derivative of the even continuation, at the map's own samples.
    fn reflected(&self, axis: usize, pitch: f64) -> Self {
        let all = self.doubled().derivative(axis, pitch);
        Self::new(self.size, |c, i, j| all.at(c, i, j))
    }

    fn minus(&self, other: &Self) -> Self {
        Self::new(self.size, |c, i, j| self.at(c, i, j) - other.at(c, i, j))
    }

    fn mean_square(&self) -> f64 {
        self.data.iter().map(|x| x * x).sum::<f64>() / self.data.len() as f64
    }
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kernel {
    Convolution {
        groups: usize,
    },
    Average,
    Maximum,
    Transposed,
    /// Every s-th sample, by slices.
    Slices,
}

/// A node with a window, the same along both axes.
#[derive(Clone, Copy, Debug)]
struct Case {
    kernel: Kernel,
    n: usize,
    taps: i64,
    stride: i64,
    dilation: i64,
    pads: [i64; 2],
}

const CHANNELS: usize = 2;

fn weight(o: usize, c: usize, a: i64, b: i64) -> f64 {
    let seed = (o * 31 + c * 17) as f64 + 5.0 * a as f64 + 1.7 * b as f64;
    (seed * 1.234).sin() * 0.5
}

impl Case {
    fn outputs(&self) -> usize {
        let (n, reach) = (self.n as i64, self.dilation * (self.taps - 1) + 1);
        (match self.kernel {
            Kernel::Transposed => (n - 1) * self.stride + reach - self.pads[0] - self.pads[1],
            Kernel::Slices => (n - self.pads[0] + self.stride - 1) / self.stride,
            _ => (n + self.pads[0] + self.pads[1] - reach) / self.stride + 1,
        }) as usize
    }

    /// The index of the sample read by tap t of output k; none where that is between samples.
    fn reads(&self, k: i64, t: i64) -> Option<i64> {
        match self.kernel {
            Kernel::Transposed => {
                let at = k + self.pads[0] - self.dilation * t;
                (at.rem_euclid(self.stride) == 0).then(|| at.div_euclid(self.stride))
            }
            Kernel::Slices => Some(k * self.stride + self.pads[0]),
            _ => Some(k * self.stride - self.pads[0] + self.dilation * t),
        }
    }

    /// Where output k lies, as an index of the input: the middle of its taps.
    fn lies(&self, k: i64) -> f64 {
        let middle = self.dilation as f64 * (self.taps - 1) as f64 / 2.0;
        match self.kernel {
            Kernel::Transposed => (k as f64 + self.pads[0] as f64 - middle) / self.stride as f64,
            Kernel::Slices => (k * self.stride + self.pads[0]) as f64,
            _ => (k * self.stride - self.pads[0]) as f64 + middle,
        }
    }

    fn step(&self) -> f64 {
        if self.kernel == Kernel::Transposed { 1.0 / self.stride as f64 } else { self.stride as f64 }
    }

    /// Samples on a period of the doubled map.
    fn period(&self) -> usize {
        (2.0 * self.n as f64 / self.step()).round() as usize
    }

    /// Σ over taps of weight × what `of` gives for the channel and the places read, or that of the winner among `h`.
    fn output(&self, h: &Map, own: bool, [o, k, l]: [usize; 3], of: &dyn Fn(usize, i64, i64) -> f64) -> f64 {
        let n = self.n as i64;
        let mut terms = Vec::new();
        for a in 0..self.taps {
            for b in 0..self.taps {
                let (Some(i), Some(j)) = (self.reads(k as i64, a), self.reads(l as i64, b)) else { continue };
                let inside = (0..n).contains(&i) && (0..n).contains(&j);
                if inside || !own {
                    terms.push((a, b, i, j, inside));
                }
            }
        }
        match self.kernel {
            Kernel::Convolution { groups } => {
                let per = CHANNELS / groups;
                let first = o / per * per;
                terms
                    .iter()
                    .map(|(a, b, i, j, _)| {
                        (first..first + per).map(|c| weight(o, c - first, *a, *b) * of(c, *i, *j)).sum::<f64>()
                    })
                    .sum()
            }
            // With padding that counts.
            Kernel::Average => {
                terms.iter().map(|(_, _, i, j, _)| of(o, *i, *j)).sum::<f64>() / (self.taps * self.taps) as f64
            }
            Kernel::Transposed => terms
                .iter()
                .map(|(a, b, i, j, _)| (0..CHANNELS).map(|c| weight(c, o, *a, *b) * of(c, *i, *j)).sum::<f64>())
                .sum(),
            Kernel::Slices => terms.iter().take(1).map(|(_, _, i, j, _)| of(o, *i, *j)).sum(),
            Kernel::Maximum => {
                let mut best: Option<(f64, bool, i64, i64)> = None;
                for (_, _, i, j, inside) in &terms {
                    let value = h.around(o, *i, *j);
                    // Of a sample and its mirror image it is the sample.
                    if best.is_none_or(|(most, was, ..)| value > most || value == most && *inside && !was) {
                        best = Some((value, *inside, *i, *j));
                    }
                }
                let (_, _, i, j) = best.unwrap();
                of(o, i, j)
            }
        }
    }

    fn make(&self) -> Network {
        let taps = vec![self.taps; 2];
        let window = |kernel: bool| {
            let mut list = vec![
                attribute("strides", Value::Ints(vec![self.stride; 2])),
                attribute("pads", Value::Ints(vec![self.pads[0], self.pads[0], self.pads[1], self.pads[1]])),
            ];
            if kernel {
                list.push(attribute("kernel_shape", Value::Ints(taps.clone())));
            }
            list
        };
        let mut constants: Vec<TensorProto> = Vec::new();
        let mut nodes: Vec<NodeProto> = Vec::new();
        let mut push = |operator: &str, inputs: &[&str], output: &str, attributes| {
            let mut made = node(operator, inputs, &[output]);
            made.name = Some(output.to_owned());
            made.attribute = attributes;
            nodes.push(made);
        };
        let filled = |per: usize| {
            let mut values = Vec::new();
            for o in 0..CHANNELS {
                for c in 0..per {
                    for a in 0..self.taps {
                        for b in 0..self.taps {
                            values.push(weight(o, c, a, b));
                        }
                    }
                }
            }
            doubles("w", &[CHANNELS as i64, per as i64, self.taps, self.taps], &values)
        };
        match self.kernel {
            Kernel::Convolution { groups } => {
                constants.push(filled(CHANNELS / groups));
                constants.push(doubles("b", &[CHANNELS as i64], &[0.5, -1.0]));
                let mut attributes = window(false);
                attributes.push(attribute("dilations", Value::Ints(vec![self.dilation; 2])));
                attributes.push(attribute("group", Value::Int(groups as i64)));
                push("Conv", &["x", "w", "b"], "it", attributes);
            }
            Kernel::Transposed => {
                constants.push(filled(CHANNELS));
                push("ConvTranspose", &["x", "w"], "it", window(false));
            }
            Kernel::Average => {
                let mut attributes = window(true);
                attributes.push(attribute("count_include_pad", Value::Int(1)));
                push("AveragePool", &["x"], "it", attributes);
            }
            Kernel::Maximum => push("MaxPool", &["x"], "it", window(true)),
            Kernel::Slices => {
                for (name, values) in [
                    ("from", vec![self.pads[0]; 2]),
                    ("to", vec![1 << 40; 2]),
                    ("axes", vec![2, 3]),
                    ("steps", vec![self.stride; 2]),
                ] {
                    constants.push(ints(name, &[2], &values));
                }
                push("Slice", &["x", "from", "to", "axes", "steps"], "it", vec![]);
            }
        }
        push("Identity", &["it"], "y", vec![]);
        network(nodes, constants, &[1, CHANNELS as i64, self.n as i64, self.n as i64])
    }
}

fn network(nodes: Vec<NodeProto>, constants: Vec<TensorProto>, shape: &[i64]) -> Network {
    let graph = GraphProto {
        node: nodes,
        initializer: constants,
        input: vec![floats("x", shape)],
        output: vec![ValueInfoProto { name: Some("y".to_owned()), ..Default::default() }],
        ..Default::default()
    };
    Network::from_file(&model(graph, 17), &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

/// Like a photo: most of it slow, ends that do not meet, some of every frequency.
fn photo(n: usize) -> Map {
    Map::new([CHANNELS, n, n], |c, i, j| {
        let (x, y) = (j as f64 / n as f64, i as f64 / n as f64);
        let fine = ((i * 7919 + j * 104_729 + c * 1_299_709) % 1009) as f64 / 1009.0 - 0.5;
        3.0 * x - 2.0 * y + (TAU * (1.3 * x + 0.7 * y) + c as f64).sin() + 0.4 * fine
    })
}

fn tensor(map: &Map) -> Tensor {
    let [c, n, m] = map.size.map(|n| n as i64);
    Tensor::from_slice(&map.data).view([1, 1, c, n, m])
}

fn options(generator: &str) -> LayersOptions {
    let generator: Combination = generator.parse().unwrap();
    LayersOptions {
        grouping: Grouping::Node,
        output: Some(Output::Identity),
        action: Some(ActionChoice::Image),
        ..LayersOptions::new(generator)
    }
}

fn attribute_error(network: &Network, x: &Tensor, options: LayersOptions) -> LayerResults {
    let mut meter = LayerMeter::new(network, options).unwrap();
    meter.measure(x, &["x".to_owned()], &mut |_, _| {}).unwrap();
    meter.results()
}

fn layer<'a>(results: &'a LayerResults, name: &str) -> &'a LayerReport {
    results.layers.iter().find(|layer| layer.name == name).unwrap_or_else(|| panic!("{name}: {:?}", results.layers))
}

/// Whole, aliasing, kernel and boundary of a case, by the definitions.
fn by_definition(case: &Case, generator: &Combination, h: &Map) -> [Map; 4] {
    let (n, m, pitch) = (case.n, case.outputs(), 2.0 / case.n as f64);
    let position = |index: f64| (2.0 * index + 1.0) / n as f64 - 1.0;
    // [x, y]
    let field = |i: f64, j: f64| generator.field([position(j), position(i)]);
    let even = h.doubled();
    let [ey, ex] = [0, 1].map(|axis| even.derivative(axis, pitch));
    let size = [CHANNELS, m, m];
    let of = |map: &Map, own: bool, at: [usize; 3]| case.output(&even, own, at, &|c, i, j| map.around(c, i, j));
    // C(E h) on a period.
    let period = case.period();
    let behind = Map::new([CHANNELS, period, period], |o, k, l| of(&even, false, [o, k, l]));
    let coarse = case.step() * pitch;
    let [by, bx] = [0, 1].map(|axis| behind.derivative(axis, coarse));
    let place = |k: usize| case.lies(k as i64);
    let aliasing = Map::new(size, |o, k, l| {
        let [vx, vy] = field(place(k), place(l));
        let (k2, l2) = (k % period, l % period);
        vx * (of(&ex, false, [o, k, l]) - bx.at(o, k2, l2)) + vy * (of(&ey, false, [o, k, l]) - by.at(o, k2, l2))
    });
    // Σ_t w_t (V p t)·∇h(u + p t): the field's difference, which is linear.
    let kernel = Map::new(size, |o, k, l| {
        let [vx, vy] = field(place(k), place(l));
        case.output(&even, false, [o, k, l], &|c, i, j| {
            let [wx, wy] = field(i as f64, j as f64);
            (wx - vx) * ex.around(c, i, j) + (wy - vy) * ey.around(c, i, j)
        })
    });
    let y = Map::new(size, |o, k, l| of(&even, true, [o, k, l]));
    let [dy, dx] = [0, 1].map(|axis| y.reflected(axis, coarse));
    let whole = Map::new(size, |o, k, l| {
        let [vx, vy] = field(place(k), place(l));
        let moved = case.output(&even, true, [o, k, l], &|c, i, j| {
            let [wx, wy] = field(i as f64, j as f64);
            wx * ex.around(c, i, j) + wy * ey.around(c, i, j)
        });
        moved - vx * dx.at(o, k, l) - vy * dy.at(o, k, l)
    });
    let boundary = whole.minus(&aliasing).minus(&kernel);
    [whole, aliasing, kernel, boundary]
}

const GENERATORS: [&str; 5] = ["translate_x", "translate_y", "stretch_x", "rotate", "shear_x+0.3*translate_y"];

fn cases() -> Vec<Case> {
    let case = |kernel, n, taps, stride, pads| Case { kernel, n, taps, stride, dilation: 1, pads };
    let dense = Kernel::Convolution { groups: 1 };
    vec![
        case(dense, 8, 3, 2, [1, 1]),
        // TensorFlow's padding; an odd number of samples; windows that leave samples out.
        case(dense, 8, 3, 2, [0, 1]),
        case(dense, 7, 3, 2, [1, 1]),
        case(dense, 9, 2, 3, [0, 0]),
        case(dense, 8, 4, 4, [0, 0]),
        case(dense, 6, 1, 2, [0, 0]),
        case(dense, 8, 3, 1, [1, 1]),
        case(dense, 7, 5, 1, [0, 1]),
        case(Kernel::Convolution { groups: 2 }, 8, 3, 2, [1, 1]),
        Case { dilation: 2, ..case(Kernel::Convolution { groups: 2 }, 8, 3, 2, [2, 2]) },
        case(Kernel::Average, 8, 2, 2, [0, 0]),
        case(Kernel::Average, 7, 3, 2, [1, 1]),
        case(Kernel::Maximum, 8, 2, 2, [0, 0]),
        case(Kernel::Maximum, 9, 3, 2, [1, 1]),
        case(Kernel::Maximum, 8, 3, 1, [1, 1]),
        case(Kernel::Transposed, 6, 4, 2, [1, 1]),
        case(Kernel::Transposed, 5, 3, 2, [1, 0]),
        case(Kernel::Transposed, 5, 2, 3, [0, 0]),
        case(Kernel::Slices, 8, 1, 2, [0, 0]),
        case(Kernel::Slices, 7, 1, 2, [1, 0]),
    ]
}

#[test]
fn parts_are_what_their_definitions_say() {
    for case in cases() {
        let network = case.make();
        let h = photo(case.n);
        for generator in GENERATORS {
            let results = attribute_error(&network, &tensor(&h), options(generator));
            assert!(results.conservation_residual < 1e-10, "{case:?} {generator}: {}", results.conservation_residual);
            let found = layer(&results, "it");
            let [whole, aliasing, kernel, boundary] = by_definition(&case, &generator.parse().unwrap(), &h);
            let size = whole.mean_square();
            let parts = [
                ("whole", whole, Some(found.contribution)),
                ("aliasing", aliasing, found.aliasing.map(|p| p.contribution)),
                ("kernel", kernel, found.kernel.map(|p| p.contribution)),
                ("boundary", boundary, found.boundary.map(|p| p.contribution)),
            ];
            for (name, expected, found) in parts {
                let (expected, found) = (expected.mean_square(), found.unwrap_or(f64::NAN));
                // Roundings of sums of some hundred products, squared beside what they are subtracted from.
                let close = (found - expected).abs() <= 1e-10 * (expected + size);
                assert!(close, "{case:?} {generator} {name}: {found} against {expected}");
            }
        }
    }
}

/// Patches laid beside each other among the channels and then mixed are a convolution whose windows do not overlap.
#[test]
fn merged_patches_have_the_parts_of_that_convolution() {
    let case = Case { kernel: Kernel::Convolution { groups: 1 }, n: 8, taps: 2, stride: 2, dilation: 1, pads: [0, 0] };
    let named = |operator: &str, inputs: &[&str], output: &str, perm: &[i64]| {
        let mut made = node(operator, inputs, &[output]);
        made.name = Some(output.to_owned());
        if !perm.is_empty() {
            made.attribute = vec![attribute("perm", Value::Ints(perm.to_vec()))];
        }
        made
    };
    let nodes = vec![
        named("Reshape", &["x", "cut"], "cells", &[]),
        named("Transpose", &["cells"], "patches", &[0, 2, 4, 1, 3, 5]),
        named("Reshape", &["patches", "flat"], "merged", &[]),
        named("MatMul", &["merged", "w"], "it", &[]),
        named("Transpose", &["it"], "y", &[0, 3, 1, 2]),
    ];
    let mut weights = Vec::new();
    for c in 0..CHANNELS {
        for (a, b) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            weights.extend((0..CHANNELS).map(|o| weight(o, c, a, b)));
        }
    }
    let constants = vec![
        ints("cut", &[6], &[1, CHANNELS as i64, 4, 2, 4, 2]),
        ints("flat", &[4], &[1, 4, 4, 4 * CHANNELS as i64]),
        doubles("w", &[4 * CHANNELS as i64, CHANNELS as i64], &weights),
    ];
    let merging = network(nodes, constants, &[1, CHANNELS as i64, 8, 8]);
    let h = photo(case.n);
    for generator in GENERATORS {
        let results = attribute_error(&merging, &tensor(&h), options(generator));
        let found = layer(&results, "it");
        let defined = by_definition(&case, &generator.parse().unwrap(), &h).map(|part| part.mean_square());
        let parts = [found.aliasing, found.kernel, found.boundary].map(|part| part.unwrap().contribution);
        for (found, wanted) in std::iter::once(found.contribution).chain(parts).zip(defined) {
            // Roundings of sums of some hundred products, squared beside what they are subtracted from.
            assert!((found - wanted).abs() <= 1e-10 * (wanted + defined[0]), "{generator}: {found} against {wanted}");
        }
    }
}

/// Branches a sample apart, added as if they lay on each other: what is wrong with that is wrong on a plane too.
#[test]
fn sums_of_what_lies_apart_have_a_kernel_part_alone() {
    let n = 8;
    let slice = |from: &str, to: &str, output: &str| {
        let mut made = node("Slice", &["x", from, to, "axes"], &[output]);
        made.name = Some(output.to_owned());
        made
    };
    let mut sum = node("Add", &["first", "last"], &["it"]);
    sum.name = Some("it".to_owned());
    let mut last = node("Identity", &["it"], &["y"]);
    last.name = Some("y".to_owned());
    let constants = vec![
        ints("zero", &[1], &[0]),
        ints("one", &[1], &[1]),
        ints("most", &[1], &[7]),
        ints("all", &[1], &[8]),
        ints("axes", &[1], &[3]),
    ];
    let nodes = vec![slice("zero", "most", "first"), slice("one", "all", "last"), sum, last];
    let network = network(nodes, constants, &[1, CHANNELS as i64, n as i64, n as i64]);
    let h = photo(n);
    let columns = |name: &str| {
        let value = network.values().iter().find(|value| value.name == name).unwrap();
        value.layout.plane().unwrap().columns
    };
    let pitch = 2.0 / n as f64;
    // In half-widths of the image, whose first sample lies at −1 + 1/N.
    let left = columns("first").origin;
    for generator in ["stretch_x", "shear_y", "translate_x"] {
        let field: Combination = generator.parse().unwrap();
        let results = attribute_error(&network, &tensor(&h), options(generator));
        let found = layer(&results, "it");
        let mut square = 0.0;
        let own = (columns("it").origin - left) / columns("first").pitch;
        let crops = [0, 1].map(|skip| rectangle(&h, skip));
        let slopes = crops.map(|crop| [slope_of_rows(&crop, pitch, 0), slope_of_rows(&crop, pitch, 1)]);
        for c in 0..CHANNELS {
            for i in 0..n {
                for j in 0..n - 1 {
                    let mut sum = 0.0;
                    for (skip, slopes) in slopes.iter().enumerate() {
                        let at = |x: f64| [(2.0 * x + 1.0) / n as f64 - 1.0, (2.0 * i as f64 + 1.0) / n as f64 - 1.0];
                        let [there, here] = [(j + skip) as f64, j as f64 + own].map(|x| field.field(at(x)));
                        sum += (there[0] - here[0]) * slopes[1][c][i][j] + (there[1] - here[1]) * slopes[0][c][i][j];
                    }
                    square += sum * sum;
                }
            }
        }
        let wanted = square / (CHANNELS * n * (n - 1)) as f64;
        // Where nothing is wrong, roundings of slopes of size 10, squared.
        let close = (found.contribution - wanted).abs() <= 1e-10 * wanted + 1e-26;
        assert!(close, "{generator}: {} {wanted}", found.contribution);
        assert_eq!(wanted > 0.0, generator != "translate_x", "{generator}");
        let [aliasing, kernel, boundary] =
            [found.aliasing, found.kernel, found.boundary].map(|part| part.unwrap().contribution);
        assert_eq!([aliasing, kernel, boundary], [0.0, found.contribution, 0.0], "{generator}");
    }
}

/// All columns but one: from `skip` on.
fn rectangle(h: &Map, skip: usize) -> Vec<Vec<Vec<f64>>> {
    let [channels, rows, columns] = h.size;
    let row = |c: usize, i: usize| (skip..skip + columns - 1).map(|j| h.at(c, i, j)).collect();
    (0..channels).map(|c| (0..rows).map(|i| row(c, i)).collect()).collect()
}

/// ∂ along rows (0) or columns (1) of the even continuation: cosines summed by hand.
fn slope_of_rows(h: &[Vec<Vec<f64>>], pitch: f64, axis: usize) -> Vec<Vec<Vec<f64>>> {
    let slope = |line: &[f64]| -> Vec<f64> {
        let n = line.len();
        let omega = |k: usize| std::f64::consts::PI * k as f64 / n as f64;
        let coefficient = |k: usize| {
            2.0 / n as f64 * line.iter().enumerate().map(|(j, x)| x * (omega(k) * (j as f64 + 0.5)).cos()).sum::<f64>()
        };
        let at =
            |j: usize| (1..n).map(|k| -omega(k) * coefficient(k) * (omega(k) * (j as f64 + 0.5)).sin()).sum::<f64>();
        (0..n).map(|j| at(j) / pitch).collect()
    };
    let of_channel = |map: &Vec<Vec<f64>>| -> Vec<Vec<f64>> {
        if axis == 1 {
            return map.iter().map(|row| slope(row)).collect();
        }
        let columns: Vec<Vec<f64>> =
            (0..map[0].len()).map(|j| slope(&map.iter().map(|row| row[j]).collect::<Vec<_>>())).collect();
        (0..map.len()).map(|i| columns.iter().map(|column| column[i]).collect()).collect()
    };
    h.iter().map(of_channel).collect()
}

/// Without a period on which the windows close there is no aliasing to tell from the rest.
#[test]
fn windows_that_do_not_close_have_no_parts() {
    // 16 samples with their mirror images are not a whole number of strides.
    let case = Case { kernel: Kernel::Convolution { groups: 1 }, n: 8, taps: 3, stride: 3, dilation: 1, pads: [0, 0] };
    let h = photo(case.n);
    let results = attribute_error(&case.make(), &tensor(&h), options("translate_x"));
    let found = layer(&results, "it");
    let whole = by_definition(&case, &"translate_x".parse().unwrap(), &h)[0].mean_square();
    assert!((found.contribution / whole - 1.0).abs() < 1e-10 && whole > 0.0, "{}", found.contribution);
    assert_eq!([found.aliasing, found.kernel, found.boundary], [None; 3]);
    assert!(results.conservation_residual < 1e-10);
}

#[test]
fn parts_that_are_zero_by_construction_are_zeros() {
    let convolution =
        Case { kernel: Kernel::Convolution { groups: 1 }, n: 8, taps: 3, stride: 1, dilation: 1, pads: [1, 1] };
    let results = attribute_error(&convolution.make(), &tensor(&photo(8)), options("translate_x"));
    let found = layer(&results, "it");
    assert_eq!([found.aliasing, found.kernel].map(|part| part.unwrap().contribution), [0.0, 0.0]);
    assert_eq!(found.boundary.unwrap().contribution, found.contribution);
    assert_eq!(found.discretisation, None);
}

/// One function, position by position: on a plane it commutes with every motion.
#[test]
fn pointwise_nodes_have_their_reflecting_defect_as_aliasing() {
    let n = 8;
    let relu = {
        let mut made = node("Relu", &["x"], &["it"]);
        made.name = Some("it".to_owned());
        let mut last = node("Identity", &["it"], &["y"]);
        last.name = Some("y".to_owned());
        network(vec![made, last], vec![], &[1, CHANNELS as i64, n as i64, n as i64])
    };
    let h = photo(n);
    let pitch = 2.0 / n as f64;
    let y = Map::new(h.size, |c, i, j| h.at(c, i, j).max(0.0));
    let (dh, dy) = (h.reflected(1, pitch), y.reflected(1, pitch));
    // On the doubled map it is the same.
    let even = h.doubled();
    let rectified = Map::new(even.size, |c, i, j| even.at(c, i, j).max(0.0));
    let (de, dr) = (even.derivative(1, pitch), rectified.derivative(1, pitch));
    let slope = |x: f64| if x > 0.0 { 1.0 } else { 0.0 };
    let defect = Map::new(h.size, |c, i, j| slope(h.at(c, i, j)) * dh.at(c, i, j) - dy.at(c, i, j));
    let doubled = Map::new(h.size, |c, i, j| slope(h.at(c, i, j)) * de.at(c, i, j) - dr.at(c, i, j));
    assert!(defect.minus(&doubled).mean_square() < 1e-24 * defect.mean_square());
    let results = attribute_error(&relu, &tensor(&h), options("translate_x"));
    let found = layer(&results, "it");
    assert!((found.aliasing.unwrap().contribution / defect.mean_square() - 1.0).abs() < 1e-12);
    assert_eq!([found.kernel, found.boundary].map(|part| part.unwrap().contribution), [0.0, 0.0]);
    // The defect of a function under a motion is v(u) times its translations'.
    let results = attribute_error(&relu, &tensor(&h), options("rotate"));
    let found = layer(&results, "it");
    assert_eq!(found.aliasing.unwrap().contribution, found.contribution);
}

/// Where nothing is sampled and nothing ends, what zero padding does is seen at the edge alone. The tangent of an even map is
/// odd, and the layer pads it as if it were even: translation by reflection is no group action.
#[test]
fn the_boundary_part_is_at_the_edge() {
    let n = 64;
    for (stride, pads) in [(1, [1, 1]), (2, [0, 1]), (2, [1, 1])] {
        let case = Case { kernel: Kernel::Convolution { groups: 1 }, n, taps: 3, stride, dilation: 1, pads };
        // Falls off as photos do.
        let h = Map::new([CHANNELS, n, n], |c, i, j| {
            let (x, y) = (j as f64 / n as f64, i as f64 / n as f64);
            (1..20)
                .map(|k| {
                    (TAU * (k as f64 * 0.37 * x + 0.11 * k as f64 * y) + (k * k + c) as f64).sin() / (k * k) as f64
                })
                .sum::<f64>()
                + 2.0 * x
        });
        for generator in ["translate_x", "stretch_x"] {
            let [_, _, _, boundary] = by_definition(&case, &generator.parse().unwrap(), &h);
            let columns = boundary.size[2];
            let edge = Map::new(boundary.size, |c, i, j| {
                let rows = boundary.size[1];
                let near = |i: usize, n: usize| i < 3 || i + 3 >= n;
                if near(j, columns) || near(i, rows) { boundary.at(c, i, j) } else { 0.0 }
            });
            let share = edge.mean_square() / boundary.mean_square();
            assert!(share > 0.95, "stride {stride}, pads {pads:?}, {generator}: {share}");
        }
    }
}

#[test]
fn on_the_torus_nothing_is_at_the_edge() {
    // With the periodic derivative the map goes on as itself, and a layer that pads by wrapping around has no edge.
    let n = 8i64;
    let pads = ints("pads", &[8], &[0, 0, 1, 1, 0, 0, 1, 1]);
    let weights: Vec<f64> = (0..36).map(|i| weight(i / 18, i / 9 % 2, i as i64 / 3 % 3, i as i64 % 3)).collect();
    let mut nodes = vec![
        node("Pad", &["x", "pads"], &["padded"]),
        node("Conv", &["padded", "w"], &["it"]),
        node("Identity", &["it"], &["y"]),
    ];
    for made in &mut nodes {
        made.name = made.output.first().cloned();
    }
    nodes[0].attribute = vec![attribute("mode", Value::Text("wrap"))];
    nodes[1].attribute = vec![attribute("strides", Value::Ints(vec![2, 2]))];
    let network = network(nodes, vec![pads, doubles("w", &[2, 2, 3, 3], &weights)], &[1, 2, n, n]);
    let options = LayersOptions { boundary: Boundary::Periodic, ..options("translate_x") };
    let results = attribute_error(&network, &tensor(&photo(n as usize)), options);
    let found = layer(&results, "it");
    let [aliasing, boundary] = [found.aliasing, found.boundary].map(|part| part.unwrap().contribution);
    assert!(
        (aliasing / found.contribution - 1.0).abs() < 1e-12 && boundary < 1e-24 * aliasing,
        "{aliasing} {boundary}"
    );
}

#[test]
fn other_schemes_add_a_part_and_saturation_goes_to_the_kernel() {
    let case = Case { kernel: Kernel::Convolution { groups: 1 }, n: 8, taps: 3, stride: 2, dilation: 1, pads: [1, 1] };
    let (network, x) = (case.make(), tensor(&photo(8)));
    let spectral = attribute_error(&network, &x, options("rotate"));
    let forward = attribute_error(&network, &x, LayersOptions { scheme: Scheme::Forward, ..options("rotate") });
    let (one, other) = (layer(&spectral, "it"), layer(&forward, "it"));
    for part in [|l: &LayerReport| l.aliasing, |l: &LayerReport| l.kernel, |l: &LayerReport| l.boundary] {
        let [one, other] = [part(one), part(other)].map(|part| part.unwrap().contribution);
        assert!((one / other - 1.0).abs() < 1e-10, "{one} {other}");
    }
    assert!(other.discretisation.unwrap().contribution > 0.0 && one.discretisation.is_none());
    // Signed shares of parts that add up as vectors add up to the layer's.
    let sum: f64 = [other.aliasing, other.kernel, other.boundary, other.discretisation]
        .iter()
        .map(|part| part.unwrap().signed_share.unwrap())
        .sum();
    assert!((sum - other.signed_share.unwrap()).abs() < 1e-10, "{sum}");
    // A s: W h s − s (W h + b) = −s b, on a plane or not.
    let saturated = attribute_error(&network, &x, options("0.5*saturate"));
    let found = layer(&saturated, "it");
    let expected = 0.25 * (0.5f64.powi(2) + 1.0) / 2.0;
    assert!((found.contribution / expected - 1.0).abs() < 1e-10, "{}", found.contribution);
    assert_eq!(found.kernel.unwrap().contribution, found.contribution);
    let mixed = attribute_error(&network, &x, options("translate_x+0.5*saturate"));
    let moved = attribute_error(&network, &x, options("translate_x"));
    let found = layer(&mixed, "it");
    assert!((found.kernel.unwrap().contribution / expected - 1.0).abs() < 1e-9);
    let boundary = layer(&moved, "it").boundary.unwrap().contribution;
    assert!((found.boundary.unwrap().contribution / boundary - 1.0).abs() < 1e-9);
}

/// A layer behind which everything is linear, so that it can be made exact: its defect is taken out of L by itself.
#[test]
fn the_removal_gain_is_what_removing_a_defect_saves() {
    let case = Case { kernel: Kernel::Convolution { groups: 1 }, n: 8, taps: 3, stride: 2, dilation: 1, pads: [1, 1] };
    let h = photo(8);
    let generator = "stretch_x+0.4*translate_y";
    let results = attribute_error(&case.make(), &tensor(&h), options(generator));
    let found = layer(&results, "it");
    // Behind the layer the output's own motion makes an error as well: L = δ + rest.
    let others: f64 = results.layers.iter().filter(|l| l.name != "it").map(|l| l.contribution).sum();
    assert!(others > 0.0 && results.layers.len() == 2);
    let saved = results.lee - others;
    assert!((found.removal_gain / saved - 1.0).abs() < 1e-10, "{} against {saved}", found.removal_gain);
}

/// A mean over everything: what enters at the edge, and that what grows counts for more.
#[test]
fn means_over_everything_lose_at_the_edge() {
    let n = 16;
    let mut nodes = vec![node("GlobalAveragePool", &["x"], &["it"]), node("Flatten", &["it"], &["y"])];
    for made in &mut nodes {
        made.name = made.output.first().cloned();
    }
    let network = network(nodes, vec![], &[1, CHANNELS as i64, n as i64, n as i64]);
    let h = photo(n);
    let x = tensor(&h);
    let of = |generator: &str| attribute_error(&network, &x, LayersOptions { action: None, ..options(generator) });
    let results = of("translate_x");
    let found = layer(&results, "it");
    assert_eq!(found.boundary.unwrap().contribution, found.contribution);
    let means = x.mean_dim([-2i64, -1].as_slice(), false, None::<Kind>);
    let square = means.square().mean(Kind::Double).double_value(&[]);
    let kernel = layer(&of("stretch_x"), "it").kernel.unwrap().contribution;
    assert!((kernel / square - 1.0).abs() < 1e-12, "{kernel} {square}");
    // A rotation keeps areas.
    assert_eq!(layer(&of("rotate"), "it").kernel.unwrap().contribution, 0.0);
    // A blob far from the edge: all is in the kernel.
    let blob = Map::new(h.size, |_, i, j| (-((i as f64 - 7.5).powi(2) + (j as f64 - 7.5).powi(2)) / 4.0).exp());
    let results = attribute_error(&network, &tensor(&blob), LayersOptions { action: None, ..options("stretch_x") });
    let found = layer(&results, "it");
    assert!(found.boundary.unwrap().contribution < 1e-6 * found.kernel.unwrap().contribution, "{found:?}");
}

/// Image by image the layers' report has what `lee` has, whichever way the contributions are found.
#[test]
fn images_have_the_facts_that_lee_states() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/resnet.onnx");
    let network = Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap();
    let shape = network.input().shape.clone();
    let _turn = seeded(5);
    let x = Tensor::rand([&[2], shape.as_slice()].concat(), (Kind::Double, tch::Device::Cpu));
    let names = ["a", "b"].map(str::to_owned);
    let scale = Some(vec![0.25, 0.5, 0.125]);
    let mut lee = LeeMeter::new(&network, LeeOptions { pixel_scale: scale.clone(), ..Default::default() }).unwrap();
    lee.measure(&x, &names).unwrap();
    let generators = lee.results();
    for generator in ["rotate", "saturate", "translate_x"] {
        let options = LayersOptions { pixel_scale: scale.clone(), ..LayersOptions::new(generator.parse().unwrap()) };
        let mut exact = LayerMeter::new(&network, options.clone()).unwrap();
        exact.measure(&x, &names, &mut |_, _| {}).unwrap();
        let mut probed = [LayerMeter::new(&network, options).unwrap()];
        for (at, name) in names.iter().enumerate() {
            let image = x.narrow(0, at as i64, 1);
            aliascope::measure::layers::probes::measure(&mut probed, &image, name, 2, &mut |_, _| {}).unwrap();
        }
        let expected = &generators[generator].by_image;
        for results in [exact.results(), probed[0].results()] {
            let pairs = [
                (&results.lee_by_image, &expected.lee),
                (&results.mean_abs_by_image, &expected.mean_abs),
                (&results.input_energy_by_image, &expected.input_energy),
            ];
            for (found, expected) in pairs {
                assert_eq!(found.len(), 2);
                for (found, expected) in found.iter().zip(expected) {
                    assert!((found / expected - 1.0).abs() < 1e-10, "{generator}: {found} against {expected}");
                }
            }
        }
    }
}
