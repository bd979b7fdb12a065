//! Promise: every ONNX form of an activation computes its value, and is found in a graph, however it is bracketed and in
//! whatever precision its constants are written; what only looks like it is not.

use std::collections::HashMap;

use aliascope_core::spectrum::activation::Activation;
use aliascope_core::spectrum::activation::formula::{Attribute, AttributeValue, Formula, Number};
use aliascope_core::spectrum::activation::recognise::{Found, Graph, Node, Operand, TOLERANCE, recognise_all};
use aliascope_core::spectrum::bessel::erf;

/// A node of a graph that is made by hand; value n is what node n makes, and X is the value 1000.
struct Made {
    operator: &'static str,
    operands: Vec<Operand<usize>>,
    attributes: Vec<Attribute>,
}

const X: usize = 1000;

#[derive(Default)]
struct Toy {
    nodes: Vec<Made>,
    /// Values that the graph gives away.
    outputs: Vec<usize>,
}

impl Toy {
    fn put(&mut self, operator: &'static str, operands: &[Operand<usize>]) -> usize {
        self.nodes.push(Made { operator, operands: operands.to_vec(), attributes: Vec::new() });
        self.nodes.len() - 1
    }

    /// A formula's nodes, with each constant changed by `store`, and operands that commute the other way round where
    /// `turned`; the value of its last.
    fn add(&mut self, form: &Formula, store: &dyn Fn(f64) -> f64, turned: bool) -> Operand<usize> {
        match form {
            Formula::X => Operand::Value(X),
            Formula::Constant(number) => Operand::Constant(store(number.value())),
            Formula::Node { operator, inputs, attributes } => {
                let mut operands: Vec<_> = inputs.iter().map(|input| self.add(input, store, turned)).collect();
                if turned && matches!(*operator, "Add" | "Mul") {
                    operands.reverse();
                }
                let attributes = attributes.iter().map(|attribute| Attribute {
                    value: match attribute.value {
                        AttributeValue::Number { number, usual } => {
                            AttributeValue::Number { number: Number::Fixed(store(number.value())), usual }
                        }
                        text @ AttributeValue::Text { .. } => text,
                    },
                    ..*attribute
                });
                let attributes = attributes.collect();
                self.nodes.push(Made { operator, operands, attributes });
                Operand::Value(self.nodes.len() - 1)
            }
        }
    }

    fn found(&self) -> Vec<Found<usize>> {
        recognise_all(self, self.nodes.len())
    }

    fn names(&self) -> Vec<String> {
        self.found().iter().map(|found| found.activation.to_string()).collect()
    }
}

impl Graph for Toy {
    type Value = usize;

    fn producer(&self, value: usize) -> Option<usize> {
        (value < self.nodes.len()).then_some(value)
    }

    fn node(&self, at: usize) -> Option<Node<'_, usize>> {
        let made = &self.nodes[at];
        Some(Node { operator: made.operator, operands: made.operands.clone() })
    }

    fn number(&self, at: usize, name: &str) -> Option<f64> {
        self.nodes[at].attributes.iter().find(|a| a.name == name).and_then(|a| match a.value {
            AttributeValue::Number { number, .. } => Some(number.value()),
            AttributeValue::Text { .. } => None,
        })
    }

    fn text(&self, at: usize, name: &str) -> Option<String> {
        self.nodes[at].attributes.iter().find(|a| a.name == name).and_then(|a| match a.value {
            AttributeValue::Text { text, .. } => Some(text.to_owned()),
            AttributeValue::Number { .. } => None,
        })
    }

    fn is_read_only_by(&self, at: usize, nodes: &[usize]) -> bool {
        let reads = |made: &Made| made.operands.contains(&Operand::Value(at));
        let readers = self.nodes.iter().enumerate().filter(|(_, made)| reads(made)).map(|(reader, _)| reader);
        !self.outputs.contains(&at) && readers.into_iter().all(|reader| nodes.contains(&reader))
    }
}

fn same(c: f64) -> f64 {
    c
}

/// Rounded to `bits` binary digits, as half (11) and single precision (24) are.
fn rounded(c: f64, bits: i32) -> f64 {
    if c == 0.0 {
        return c;
    }
    let unit = 2.0_f64.powi(c.abs().log2().floor() as i32 + 1 - bits);
    (c / unit).round() * unit
}

/// What ONNX's specification says of an operator, for one number.
fn computed(form: &Formula, x: f64) -> f64 {
    let Formula::Node { operator, inputs, attributes } = form else {
        return match form {
            Formula::Constant(number) => number.value(),
            _ => x,
        };
    };
    let operands: Vec<f64> = inputs.iter().map(|input| computed(input, x)).collect();
    let mut numbers = HashMap::new();
    let mut words = HashMap::new();
    for attribute in attributes {
        match attribute.value {
            AttributeValue::Number { number, .. } => drop(numbers.insert(attribute.name, number.value())),
            AttributeValue::Text { text, .. } => drop(words.insert(attribute.name, text)),
        }
    }
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let a = operands[0];
    match *operator {
        "Add" => a + operands[1],
        "Mul" => a * operands[1],
        "Div" => a / operands[1],
        "Clip" => a.max(operands[1]).min(operands[2]),
        "Relu" => a.max(0.0),
        "LeakyRelu" => {
            if a < 0.0 {
                numbers["alpha"] * a
            } else {
                a
            }
        }
        "Elu" => {
            if a < 0.0 {
                numbers["alpha"] * (a.exp() - 1.0)
            } else {
                a
            }
        }
        "Erf" => erf(a),
        "Gelu" if words["approximate"] == "tanh" => {
            0.5 * a * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (a + 0.044715 * a.powi(3))).tanh())
        }
        "Gelu" => 0.5 * a * (1.0 + erf(a / 2.0_f64.sqrt())),
        "Sigmoid" => sigmoid(a),
        "Swish" => a * sigmoid(numbers["alpha"] * a),
        "Tanh" => a.tanh(),
        "Softplus" => (1.0 + a.exp()).ln(),
        "Mish" => a * (1.0 + a.exp()).ln().tanh(),
        "HardSigmoid" => (numbers["alpha"] * a + numbers["beta"]).clamp(0.0, 1.0),
        "HardSwish" => a * (a / 6.0 + 0.5).clamp(0.0, 1.0),
        "Sin" => a.sin(),
        "Abs" => a.abs(),
        other => panic!("{other} is not known here"),
    }
}

#[test]
fn every_form_computes_the_value() {
    for activation in Activation::examples() {
        assert!(!activation.forms().is_empty(), "{activation} has no form");
        for form in activation.forms() {
            for step in -80..=80 {
                let x = f64::from(step) / 8.0;
                let (form, value) = (computed(&form, x), activation.value(x));
                // Each operation rounds; 1 + erf and 1 + tanh cancel where x is far below 0.
                assert!((form - value).abs() <= 1e-14 * (1.0 + x.abs()), "{activation}({x}): {form} and {value}");
            }
        }
    }
    assert!(Activation::Polynomial(vec![1.0]).forms().is_empty());
}

#[test]
fn every_form_is_found_however_it_is_written() {
    for activation in Activation::examples().into_iter().filter(|activation| !activation.is_polynomial()) {
        for form in activation.forms() {
            for turned in [false, true] {
                for bits in [53, 24, 11] {
                    let mut graph = Toy::default();
                    graph.add(&form, &|c| rounded(c, bits), turned);
                    let found = graph.found();
                    let [found] = &found[..] else { panic!("{activation}, {bits} bits: {:?}", graph.names()) };
                    assert_eq!(found.nodes, (0..graph.nodes.len()).collect::<Vec<_>>(), "{activation}");
                    assert_eq!(found.input, X);
                    assert!(found.deviation <= 2.0 * 2.0_f64.powi(-bits), "{activation} at {bits} bits: {found:?}");
                    match activation.parameter() {
                        // The decimal number comes back from single precision.
                        _ if bits >= 24 => assert_eq!(found.activation, activation),
                        Some((parameter, _)) => {
                            assert!((found.parameter.unwrap() - parameter).abs() <= TOLERANCE * parameter);
                        }
                        None => assert_eq!(found.activation, activation),
                    }
                }
            }
        }
    }
}

#[test]
fn other_brackets_and_quotients_are_the_same_function() {
    use Operand::{Constant as C, Value as V};
    // (½·x)·(1 + erf(x/√2))
    let mut graph = Toy::default();
    let scaled = graph.put("Div", &[V(X), C(2.0_f64.sqrt())]);
    let erf = graph.put("Erf", &[V(scaled)]);
    let sum = graph.put("Add", &[C(1.0), V(erf)]);
    let half = graph.put("Div", &[V(X), C(2.0)]);
    graph.put("Mul", &[V(sum), V(half)]);
    assert_eq!(graph.names(), ["gelu"]);
    // x·((clip(x + 3, 0, 6))/6)
    let mut graph = Toy::default();
    let sum = graph.put("Sub", &[V(X), C(-3.0)]);
    let clip = graph.put("Clip", &[V(sum), C(0.0), C(6.0)]);
    let gate = graph.put("Div", &[V(clip), C(6.0)]);
    graph.put("Mul", &[V(X), V(gate)]);
    assert_eq!(graph.names(), ["hardswish"]);
    // With x³ as a power, as PyTorch writes it.
    let mut graph = Toy::default();
    let cube = graph.put("Pow", &[V(X), C(3.0)]);
    let small = graph.put("Mul", &[V(cube), C(0.044715)]);
    let sum = graph.put("Add", &[V(X), V(small)]);
    let scaled = graph.put("Mul", &[V(sum), C((2.0 / std::f64::consts::PI).sqrt())]);
    let tanh = graph.put("Tanh", &[V(scaled)]);
    let one = graph.put("Add", &[V(tanh), C(1.0)]);
    let half = graph.put("Mul", &[V(X), C(0.5)]);
    graph.put("Mul", &[V(half), V(one)]);
    assert_eq!(graph.names(), ["gelu_tanh"]);
}

#[test]
fn what_only_looks_like_one_is_none() {
    use Operand::{Constant as C, Value as V};
    let gelu = &Activation::Gelu.forms()[0];
    // A constant that is off by more than half precision makes it.
    for (wrong, by) in [(0.5, 1.002), (1.0, 1.002), (std::f64::consts::FRAC_1_SQRT_2, 1.0 + 1.1 * TOLERANCE)] {
        let mut graph = Toy::default();
        graph.add(gelu, &|c| if c == wrong { c * by } else { c }, false);
        assert_eq!(graph.names(), [""; 0], "{wrong}");
    }
    // A value in the middle is read elsewhere, or given away: what is left is the single node.
    let silu = &Activation::Silu.forms()[0];
    let mut graph = Toy::default();
    graph.add(silu, &same, false);
    graph.put("Neg", &[V(0)]);
    assert_eq!(graph.names(), ["sigmoid"]);
    let mut graph = Toy { outputs: vec![0], ..Toy::default() };
    graph.add(silu, &same, false);
    assert_eq!(graph.names(), ["sigmoid"]);
    // A gate of another value.
    let mut graph = Toy::default();
    let other = graph.put("Neg", &[V(X)]);
    let gate = graph.put("Sigmoid", &[V(other)]);
    graph.put("Mul", &[V(X), V(gate)]);
    assert_eq!(graph.names(), ["sigmoid"]);
    // x is divided by the gate, or the number by x.
    let mut graph = Toy::default();
    let gate = graph.put("Sigmoid", &[V(X)]);
    graph.put("Div", &[V(X), V(gate)]);
    graph.put("Div", &[C(1.0), V(X)]);
    assert_eq!(graph.names(), ["sigmoid"]);
    // Twice what it should be.
    let mut graph = Toy::default();
    graph.add(silu, &same, false);
    graph.put("Mul", &[V(1), C(2.0)]);
    assert_eq!(graph.names(), ["silu"]);
    // Clips elsewhere than at 0 and 6.
    for bounds in [[0.0, 1.0], [-1.0, 6.0], [1e-9, 6.0]] {
        let mut graph = Toy::default();
        graph.put("Clip", &[V(X), C(bounds[0]), C(bounds[1])]);
        assert_eq!(graph.names(), [""; 0]);
    }
}

#[test]
fn a_product_of_x_and_others_is_x_of_the_next() {
    use Operand::Value as V;
    // z = a·b, then SiLU of z: the product in front belongs to x.
    let mut graph = Toy::default();
    let z = graph.put("Mul", &[V(X), V(2000)]);
    let gate = graph.put("Sigmoid", &[V(z)]);
    let last = graph.put("Mul", &[V(z), V(gate)]);
    let found = graph.found();
    assert_eq!((found.len(), found[0].input), (1, z));
    assert_eq!(found[0].nodes, [gate, last]);
}
