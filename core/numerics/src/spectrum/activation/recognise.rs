//! Activations in a graph: one node, or the several that exporters write SiLU, GELU and hard swish as.
//!
//! This is the only place that knows how such nodes are put together; what they are is said by
//! [`Activation::forms`]. Factors and summands are taken in any order, and a number may be multiplied in anywhere in a
//! product: `x·½·(1 + Erf(x/√2))` is found however it is bracketed.

use super::Activation;
use super::formula::{Attribute, AttributeValue, Formula, Number};

/// How far a constant may be from the one that is meant, as a share of that.
///
/// Half precision, the coarsest in which constants are written, rounds a number by up to 2⁻¹¹ of it. A coefficient may
/// be made of two such constants, which gives 2⁻¹⁰. Constants of single precision are far inside. No two activations
/// differ by so little.
pub const TOLERANCE: f64 = 1.0 / 1024.0;

/// The most nodes of a product or a sum that are looked at.
const MOST: usize = 8;

/// A graph as the recogniser sees it.
pub trait Graph {
    /// What names a value.
    type Value: Copy + PartialEq;

    /// The node that makes a value.
    fn producer(&self, value: Self::Value) -> Option<usize>;

    /// A node of one output; nothing for one that cannot be a part of a pointwise function.
    fn node(&self, at: usize) -> Option<Node<'_, Self::Value>>;

    /// A number among a node's attributes.
    fn number(&self, at: usize, name: &str) -> Option<f64>;

    /// A word among a node's attributes.
    fn text(&self, at: usize, name: &str) -> Option<String>;

    /// Whether nothing but these nodes reads what node `at` makes.
    fn is_read_only_by(&self, at: usize, nodes: &[usize]) -> bool;
}

/// A node of a graph.
#[derive(Clone, Debug)]
pub struct Node<'g, V> {
    /// Its operator, in ONNX's words.
    pub operator: &'g str,
    /// What it reads; of `Clip`, the value and both bounds wherever they stand.
    pub operands: Vec<Operand<V>>,
}

/// What a node reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operand<V> {
    /// A value.
    Value(V),
    /// A constant of one entry.
    Constant(f64),
}

/// An activation in a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<V> {
    /// The function. A parameter is the decimal number that was meant where single precision is stored.
    pub activation: Activation,
    /// The parameter as it is stored, where there is one.
    pub parameter: Option<f64>,
    /// Its nodes, in the graph's order; the last makes the function's value.
    pub nodes: Vec<usize>,
    /// What it is a function of.
    pub input: V,
    /// The largest distance of a constant from the one that is meant, as a share of that: a graph whose nodes are to be
    /// computed as the function must know that they are that to its own precision.
    pub deviation: f64,
}

/// Which forms are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Of one node.
    Single,
    /// Of several.
    Composite,
}

/// The activation whose value node `root` makes, in a form of this size.
pub fn recognise<G: Graph>(graph: &G, root: usize, size: Size) -> Option<Found<G::Value>> {
    Activation::examples().into_iter().filter(|activation| !activation.is_polynomial()).find_map(|activation| {
        activation
            .forms()
            .iter()
            .filter(|form| (form.nodes() > 1) == (size == Size::Composite))
            .find_map(|form| Matched::start().node(graph, form, root)?.finish(graph, root, &activation))
    })
}

/// Every activation among `count` nodes, by the place of its last node; no node is in two of them.
pub fn recognise_all<G: Graph>(graph: &G, count: usize) -> Vec<Found<G::Value>> {
    let mut found: Vec<Found<G::Value>> = Vec::new();
    let mut taken = vec![false; count];
    for size in [Size::Composite, Size::Single] {
        for at in 0..count {
            if !taken[at]
                && let Some(activation) = recognise(graph, at, size)
                && activation.nodes.iter().all(|&node| !taken[node])
            {
                activation.nodes.iter().for_each(|&node| taken[node] = true);
                found.push(activation);
            }
        }
    }
    found.sort_by_key(|activation| activation.nodes.last().copied());
    found
}

/// What is known so far while a form is laid over a graph.
#[derive(Clone)]
struct Matched<V> {
    x: Option<V>,
    parameter: Option<f64>,
    nodes: Vec<usize>,
    deviation: f64,
}

/// A product or a sum, over several nodes: c·Π values, or c + Σ values.
struct Flat<T> {
    constant: f64,
    /// Of a form: whether the constant holds the parameter, which any number may be.
    has_parameter: bool,
    parts: Vec<T>,
    nodes: Vec<usize>,
}

/// The two operations whose operands come in any order.
#[derive(Clone, Copy, PartialEq)]
enum Operation {
    Product,
    Sum,
}

impl Operation {
    fn of(operator: &str) -> Option<Self> {
        match operator {
            "Mul" | "Div" => Some(Self::Product),
            "Add" | "Sub" => Some(Self::Sum),
            _ => None,
        }
    }

    const fn neutral(self) -> f64 {
        match self {
            Self::Product => 1.0,
            Self::Sum => 0.0,
        }
    }

    fn combine(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Product => a * b,
            Self::Sum => a + b,
        }
    }

    /// What the second operand c of a Div or Sub is as one of a Mul or Add: 1/c, −c.
    fn inverse(self, c: f64) -> f64 {
        match self {
            Self::Product => c.recip(),
            Self::Sum => -c,
        }
    }
}

fn is_inverse(operator: &str) -> bool {
    matches!(operator, "Div" | "Sub")
}

/// A form's product or sum.
fn flat_form(form: &Formula, operation: Operation, flat: &mut Flat<Formula>) {
    match form {
        Formula::Node { operator, inputs, .. } if Operation::of(operator) == Some(operation) => {
            for (at, input) in inputs.iter().enumerate() {
                match input {
                    Formula::Constant(number) => {
                        let inverts = at == 1 && is_inverse(operator);
                        let c = if inverts { operation.inverse(number.value()) } else { number.value() };
                        match number {
                            Number::Fixed(_) => flat.constant = operation.combine(flat.constant, c),
                            Number::Parameter(_) => flat.has_parameter = true,
                        }
                    }
                    other => flat_form(other, operation, flat),
                }
            }
        }
        other => flat.parts.push(other.clone()),
    }
}

/// A graph's product or sum, its last node at `root`.
fn flat_graph<G: Graph>(graph: &G, root: usize, operation: Operation) -> Option<Flat<G::Value>> {
    let mut flat = Flat { constant: operation.neutral(), has_parameter: false, parts: Vec::new(), nodes: Vec::new() };
    let mut open = vec![root];
    while let Some(at) = open.pop() {
        let node = graph.node(at)?;
        if flat.nodes.len() == MOST {
            return None;
        }
        flat.nodes.push(at);
        // x² and x³ are as many factors.
        if let ("Pow", [Operand::Value(base), Operand::Constant(power)]) = (node.operator, &node.operands[..]) {
            flat.parts.extend(std::iter::repeat_n(*base, *power as usize));
            continue;
        }
        let [_, _] = &node.operands[..] else { return None };
        for (side, operand) in node.operands.iter().enumerate() {
            let inverts = side == 1 && is_inverse(node.operator);
            match *operand {
                Operand::Constant(c) if inverts => {
                    flat.constant = operation.combine(flat.constant, operation.inverse(c));
                }
                Operand::Value(_) if inverts => return None,
                Operand::Constant(c) if !is_inverse(node.operator) => {
                    flat.constant = operation.combine(flat.constant, c);
                }
                // A number divided by a value, or less a value.
                Operand::Constant(_) => return None,
                Operand::Value(value) => match inner(graph, value, operation, &flat.nodes) {
                    Some(inner) => open.push(inner),
                    None => flat.parts.push(value),
                },
            }
        }
    }
    Some(flat)
}

/// The node that makes a value, where it is a part of the same product or sum: nothing else reads it.
fn inner<G: Graph>(graph: &G, value: G::Value, operation: Operation, nodes: &[usize]) -> Option<usize> {
    let at = graph.producer(value)?;
    let node = graph.node(at)?;
    let whole_power = |node: &Node<'_, G::Value>| matches!(node.operands[..], [Operand::Value(_), Operand::Constant(power)] if power == 2.0 || power == 3.0);
    let belongs = Operation::of(node.operator) == Some(operation)
        || (operation == Operation::Product && node.operator == "Pow" && whole_power(&node));
    (belongs && graph.is_read_only_by(at, nodes)).then_some(at)
}

impl<V: Copy + PartialEq> Matched<V> {
    const fn start() -> Self {
        Self { x: None, parameter: None, nodes: Vec::new(), deviation: 0.0 }
    }

    /// Lays `form` over the value.
    fn value<G: Graph<Value = V>>(mut self, graph: &G, form: &Formula, value: V) -> Option<Self> {
        match form {
            Formula::X => match self.x {
                Some(x) => (x == value).then_some(self),
                None => {
                    self.x = Some(value);
                    Some(self)
                }
            },
            Formula::Constant(_) => None,
            Formula::Node { .. } => {
                let at = graph.producer(value)?;
                self.node(graph, form, at)
            }
        }
    }

    /// Lays a form, which is a node itself, over a node of the graph.
    fn node<G: Graph<Value = V>>(mut self, graph: &G, form: &Formula, at: usize) -> Option<Self> {
        let Formula::Node { operator, inputs, attributes } = form else { return None };
        let node = graph.node(at)?;
        if let Some(operation) = Operation::of(operator) {
            if Operation::of(node.operator) != Some(operation) {
                return None;
            }
            return self.flat(graph, form, operation, at);
        }
        if *operator != node.operator || node.operands.len() != inputs.len() {
            return None;
        }
        self.nodes.push(at);
        for attribute in attributes {
            self = self.attribute(graph, attribute, at)?;
        }
        for (form, operand) in inputs.iter().zip(&node.operands) {
            self = match (form, *operand) {
                (Formula::Constant(number), Operand::Constant(c)) => self.number(*number, c)?,
                (form, Operand::Value(value)) => self.value(graph, form, value)?,
                (_, Operand::Constant(_)) => return None,
            };
        }
        Some(self)
    }

    /// Lays a product or sum over one.
    fn flat<G: Graph<Value = V>>(mut self, graph: &G, form: &Formula, operation: Operation, at: usize) -> Option<Self> {
        let mut wanted =
            Flat { constant: operation.neutral(), has_parameter: false, parts: Vec::new(), nodes: Vec::new() };
        flat_form(form, operation, &mut wanted);
        let got = flat_graph(graph, at, operation)?;
        if wanted.parts.len() != got.parts.len() {
            return None;
        }
        self.nodes.extend(&got.nodes);
        self = match (wanted.has_parameter, operation) {
            (false, _) => self.number(Number::Fixed(wanted.constant), got.constant)?,
            (true, Operation::Product) => self.number(Number::Parameter(1.0), got.constant / wanted.constant)?,
            (true, Operation::Sum) => self.number(Number::Parameter(0.0), got.constant - wanted.constant)?,
        };
        // x comes last: what is written around it says which value it is.
        wanted.parts.sort_by_key(|part| *part == Formula::X);
        self.assign(graph, &wanted.parts, got.parts)
    }

    /// Lays each of the forms over one of the values.
    fn assign<G: Graph<Value = V>>(self, graph: &G, forms: &[Formula], values: Vec<V>) -> Option<Self> {
        let Some((form, rest)) = forms.split_first() else { return Some(self) };
        (0..values.len()).find_map(|at| {
            let matched = self.clone().value(graph, form, values[at])?;
            let mut values = values.clone();
            values.remove(at);
            matched.assign(graph, rest, values)
        })
    }

    fn attribute<G: Graph<Value = V>>(self, graph: &G, attribute: &Attribute, at: usize) -> Option<Self> {
        match attribute.value {
            AttributeValue::Number { number, usual } => {
                self.number(number, graph.number(at, attribute.name).unwrap_or(usual))
            }
            AttributeValue::Text { text, usual } => {
                let got = graph.text(at, attribute.name);
                (got.as_deref().unwrap_or(usual) == text).then_some(self)
            }
        }
    }

    fn number(mut self, wanted: Number, got: f64) -> Option<Self> {
        match wanted {
            Number::Fixed(wanted) => {
                let distance = (got - wanted).abs();
                if distance > TOLERANCE * wanted.abs() || distance.is_nan() {
                    return None;
                }
                if distance > 0.0 {
                    self.deviation = self.deviation.max(distance / wanted.abs());
                }
            }
            Number::Parameter(_) if !got.is_finite() || self.parameter.is_some_and(|p| p != got) => return None,
            Number::Parameter(_) => self.parameter = Some(got),
        }
        Some(self)
    }

    fn finish<G: Graph<Value = V>>(mut self, graph: &G, root: usize, activation: &Activation) -> Option<Found<V>> {
        self.nodes.sort_unstable();
        self.nodes.dedup();
        let is_closed = self.nodes.iter().all(|&at| at == root || graph.is_read_only_by(at, &self.nodes));
        let activation = match self.parameter {
            Some(stored) => activation.with_parameter(decimal(stored)),
            None => activation.clone(),
        };
        let input = self.x?;
        let Self { parameter, nodes, deviation, .. } = self;
        is_closed.then_some(Found { activation, parameter, nodes, input, deviation })
    }
}

/// The number that was meant where single precision was stored.
fn decimal(stored: f64) -> f64 {
    (stored as f32).to_string().parse().unwrap_or(stored)
}
