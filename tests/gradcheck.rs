//! Every operator's tangent is the derivative of its value: against central differences and libtorch's forward mode.
//!
//! The cases are data (tests/gradcheck_cases): operator, opset, inputs, attributes. A case says which inputs depend on
//! the network's input; shapes are random.

use std::collections::BTreeSet;

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::{GraphProto, TensorProto, ValueInfoProto};
use aliascope::graph::operator::Rule;
use aliascope::graph::{LoadOptions, Network, forward_ad, ops};
use proptest::prelude::*;
use tch::{Kind, Tensor};

use crate::common::model::{doubles, ints, model, node, one_input};
use crate::gradcheck_cases::{Case, Dims, In, cases};

/// Numbers from a seed: SplitMix64, which needs no state beyond one word.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `count` numbers from `low` to `high`, spread evenly in a random order, for the input of that number.
    ///
    /// They lie on a lattice of 5e-4 that belongs to the input: numbers of different inputs are 1e-4 apart, and 3.7e-5
    /// off the round numbers where functions have their kinks, so that a difference quotient meets neither.
    fn apart(&mut self, count: usize, low: f64, high: f64, input: usize) -> Vec<f64> {
        let mut order: Vec<usize> = (0..count).collect();
        for i in (1..count).rev() {
            order.swap(i, (self.next() % (i as u64 + 1)) as usize);
        }
        let step = 5e-4;
        let offset = 3.7e-5 + 1e-4 * (input % 5) as f64;
        let spread = |i: usize| low + (i as f64 + 0.5) * (high - low) / count as f64;
        let lattice = |v: f64| if low == high { v } else { (v / step).floor() * step + offset };
        order.into_iter().map(|i| lattice(spread(i))).collect()
    }
}

/// A case as a network of one input, in double precision, with a point to differentiate at.
struct Prepared {
    network: Network,
    x: Tensor,
}

fn prepare(case: &Case, output: usize, seed: u64) -> Result<Prepared, String> {
    let (file, x) = build(case, output, seed);
    let options = LoadOptions { kind: Kind::Double, ..Default::default() };
    Ok(Prepared { network: Network::from_file(&file, &options).map_err(|e| e.to_string())?, x })
}

/// The case as a model, and two images for it.
fn build(case: &Case, output: usize, seed: u64) -> (OnnxFile, Tensor) {
    let mut numbers = Numbers(seed);
    let mut graph = GraphProto::default();
    let (mut names, mut pieces, mut x) = (Vec::new(), Vec::new(), Vec::new());
    for (i, input) in case.inputs.iter().enumerate() {
        let name = format!("in{i}");
        let mut draw =
            |shape: &[i64], low: f64, high: f64| numbers.apart(shape.iter().product::<i64>() as usize, low, high, i);
        names.push(match input {
            In::Varying(shape, low, high) => {
                // Two images.
                for image in 0..2 {
                    let values = draw(shape, *low, *high);
                    x.push((image, i, values));
                }
                pieces.push((name.clone(), shape.clone()));
                name
            }
            In::Values(shape, values) => {
                (0..2).for_each(|image| x.push((image, i, values.clone())));
                pieces.push((name.clone(), shape.clone()));
                name
            }
            In::Constant(shape, low, high) => {
                graph.initializer.push(doubles(&name, shape, &draw(shape, *low, *high)));
                name
            }
            In::Constants(values) => {
                graph.initializer.push(doubles(&name, &[values.len() as i64], values));
                name
            }
            In::Ints(shape, values) => {
                graph.initializer.push(ints(&name, shape, values));
                name
            }
            In::Bools(shape, values) => {
                graph.initializer.push(TensorProto {
                    name: Some(name.clone()),
                    dims: shape.clone(),
                    data_type: Some(9),
                    int32_data: values.iter().map(|&b| i32::from(b)).collect(),
                    ..Default::default()
                });
                name
            }
            In::Same(other) => format!("in{other}"),
            In::Absent => String::new(),
        });
    }
    let inputs: Vec<&str> = case.first.into_iter().chain(names.iter().skip(case.hidden).map(String::as_str)).collect();
    let outputs: Vec<String> = (0..case.outputs).map(|i| format!("out{i}")).collect();
    let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
    let mut one = node(case.operator, &inputs, &outputs);
    one.domain = Some(case.domain.to_owned());
    one.attribute.clone_from(&case.attributes);
    graph.node = case.before.clone();
    graph.node.push(one);
    // Whole numbers and truth values become floats, so that the network has an output to differentiate.
    let mut cast = node("Cast", &[&format!("out{output}")], &["y"]);
    cast.attribute = vec![crate::common::model::attribute("to", crate::common::model::Value::Int(11))];
    graph.node.push(cast);
    graph.output = vec![ValueInfoProto { name: Some("y".to_owned()), ..Default::default() }];
    one_input(&mut graph, &pieces);
    let image = |wanted: usize| -> Vec<f64> {
        x.iter().filter(|(image, _, _)| *image == wanted).flat_map(|(_, _, values)| values.clone()).collect()
    };
    let rows: Vec<Tensor> = (0..2).map(|i| Tensor::from_slice(&image(i)).reshape([1, -1])).collect();
    (model(graph, case.opset), Tensor::stack(&rows, 0))
}

/// ‖a − b‖ over ‖b‖, or over 1e-3 of the value's size where the derivative is smaller than that.
fn error(a: &Tensor, b: &Tensor, value: &Tensor) -> f64 {
    let size = b.norm().double_value(&[]).max(1e-3 * value.norm().double_value(&[]));
    let difference = (a - b).norm().double_value(&[]);
    if difference == 0.0 { 0.0 } else { difference / size }
}

/// The first that is wrong with an output of a case.
fn check(case: &Case, output: usize, seed: u64) -> Result<(), String> {
    let Prepared { network, x } = prepare(case, output, seed)?;
    let entries = x.numel();
    let mut numbers = Numbers(seed ^ 0x5eed);
    let dx = Tensor::from_slice(&numbers.apart(2 * entries, -1.0, 1.0, 0)).reshape([2, 2, 1, -1]);
    let sweep = network.sweep(&x, &dx).map_err(|e| e.to_string())?;
    let forward = network.forward(&x).map_err(|e| e.to_string())?;
    // The sweep's value is made by the same calls, of other batch sizes.
    within("the forward run's value", error(&sweep.value, &forward, &forward), 1e-12)?;
    for t in 0..2 {
        let (tangent, direction) = (sweep.tangent.get(t), dx.get(t));
        // Truncation h²·f‴/6 is 1e-10 at most for these functions, and rounding 1e-16/h = 1e-11. Where a kink lies
        // between the two points they say nothing of the derivative, and a shorter step is taken: rounding is 1e-9.
        let at = |h: f64| network.forward(&(&x + h * &direction)).map_err(|e| e.to_string());
        let apart = |h: f64| Ok::<_, String>(error(&tangent, &((at(h)? - at(-h)?) / (2.0 * h)), &forward));
        within("central differences", apart(1e-5)?, 1e-7)
            .or_else(|_| within("central differences", apart(1e-7)?, 1e-7))?;
        if case.peer {
            let run =
                |x: &[&Tensor]| network.forward(x[0]).map(|y| vec![y]).map_err(|e| tch::TchError::Torch(e.to_string()));
            let peer = forward_ad::jvp(run, &[&x], &[Some(&direction)]);
            let (_, peer) = peer.map_err(|e| format!("libtorch has no derivative: {e}"))?;
            // Other orders of the same sums and products.
            within("libtorch's tangent", error(&tangent, &peer[0], &forward), 1e-10)?;
        }
    }
    Ok(())
}

fn within(what: &str, error: f64, tolerance: f64) -> Result<(), String> {
    // NaN is not within anything.
    if error <= tolerance { Ok(()) } else { Err(format!("differs from {what} by {error:.1e}")) }
}

fn check_all(dims: &Dims, seed: u64) {
    let mut wrong = Vec::new();
    for case in cases(dims) {
        for output in 0..case.outputs {
            if let Err(problem) = check(&case, output, seed) {
                wrong.push(format!("{case}, output {output}: {problem}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of the cases:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn tangents_are_derivatives() {
    check_all(&Dims { n: 1, c: 4, h: 6, w: 5 }, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]
    #[test]
    fn tangents_are_derivatives_for_random_shapes(
        n in 1i64..3, c in 1i64..3, h in 4i64..9, w in 4i64..9, seed in any::<u64>(),
    ) {
        check_all(&Dims { n, c: 2 * c, h, w }, seed);
    }
}

/// The table of operators says how tangents are carried: each rule that it names is met by a case here, and no other.
#[test]
fn the_table_of_operators_names_the_rules_that_are_used() {
    let mut met: BTreeSet<(&str, &str, &str)> = BTreeSet::new();
    for case in cases(&Dims { n: 1, c: 4, h: 6, w: 5 }) {
        let Prepared { network, .. } = prepare(&case, 0, 1).unwrap_or_else(|e| panic!("{case}: {e}"));
        for step in network.steps().iter().filter(|step| step.op_type == case.operator) {
            met.insert((case.domain, case.operator, step.operator.rule().name()));
        }
    }
    // Of rounded values, by a choice of the user's: not the derivatives of the values, so not for this test. tests/quantised.rs
    // has PyTorch's.
    let mut stated = BTreeSet::new();
    let straight_through = |entry: &&ops::Entry| !["QuantizeLinear", "DequantizeLinear"].contains(&entry.name);
    for entry in ops::OPERATORS.iter().filter(straight_through) {
        let carried = entry.rules.iter().filter(|rule| !matches!(rule, Rule::Constant | Rule::Nodes));
        stated.extend(carried.map(|rule| (entry.domain, entry.name, rule.name())));
    }
    let missing: Vec<_> = stated.difference(&met).collect();
    let surplus: Vec<_> = met.difference(&stated).collect();
    assert!(missing.is_empty(), "stated and not met by a case: {missing:?}");
    assert!(surplus.is_empty(), "met and not stated: {surplus:?}");
}

/// Every operator that others are written out for has a case, and so has its derivative.
#[test]
fn operators_written_out_have_cases() {
    let cases = cases(&Dims { n: 1, c: 4, h: 6, w: 5 });
    for entry in ops::OPERATORS.iter().filter(|entry| matches!(entry.make, ops::Make::Nodes(_))) {
        assert!(cases.iter().any(|case| case.operator == entry.name && case.domain == entry.domain), "{}", entry.name);
    }
}

/// A difference of one part in a million is seen.
#[test]
fn a_wrong_tangent_is_noticed() {
    let case = cases(&Dims { n: 1, c: 4, h: 6, w: 5 }).into_iter().find(|case| case.operator == "LRN").unwrap();
    let Prepared { network, x } = prepare(&case, 0, 1).unwrap();
    let dx = x.flip([-1]).unsqueeze(0);
    let tangent = network.sweep(&x, &dx).unwrap().tangent.get(0);
    let value = network.forward(&x).unwrap();
    assert!(within("itself", error(&(&tangent * (1.0 + 1e-6)), &tangent, &value), 1e-7).is_err());
    assert!(within("NaN", error(&(&tangent * f64::NAN), &tangent, &value), 1e-7).is_err());
}

#[test]
#[ignore = "writes fuzz/corpus/load: a small model of each operator"]
fn write_the_corpus() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/load");
    std::fs::create_dir_all(&folder).unwrap();
    let mut written = BTreeSet::new();
    for case in cases(&Dims { n: 1, c: 2, h: 4, w: 4 }) {
        let name =
            if case.domain.is_empty() { case.operator.to_owned() } else { format!("microsoft-{}", case.operator) };
        if written.insert(name.clone()) {
            let (file, _) = build(&case, 0, 1);
            std::fs::write(folder.join(format!("{name}.onnx")), file.to_bytes().unwrap()).unwrap();
        }
    }
}
