//! A pointwise function in ONNX's operators: what is written into a model, and what is looked for in one.

use std::ops::{Add, Div, Mul};

/// A function of x, such as `x * Sigmoid(x)`. Sums, products and quotients are written with Rust's operators, and
/// other nodes with [`call`](Formula::call).
#[derive(Clone, Debug, PartialEq)]
pub enum Formula {
    /// The value that it is a function of.
    X,
    /// A number.
    Constant(Number),
    /// A node with its inputs and attributes.
    Node {
        /// The operator, of ONNX's own domain.
        operator: &'static str,
        /// What it reads.
        inputs: Vec<Self>,
        /// Its attributes.
        attributes: Vec<Attribute>,
    },
}

/// A number of a formula.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// It belongs to the function.
    Fixed(f64),
    /// It is the function's parameter: any number may stand there, and this one does.
    Parameter(f64),
}

/// An attribute of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: AttributeValue,
}

/// What an attribute says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttributeValue {
    /// A number.
    Number {
        /// The value.
        number: Number,
        /// What ONNX takes where the attribute is missing.
        usual: f64,
    },
    /// A word.
    Text {
        /// The value.
        text: &'static str,
        /// What ONNX takes where the attribute is missing.
        usual: &'static str,
    },
}

impl Number {
    /// The number.
    pub const fn value(self) -> f64 {
        match self {
            Self::Fixed(value) | Self::Parameter(value) => value,
        }
    }
}

/// x.
pub const fn x() -> Formula {
    Formula::X
}

/// A number that is the function's parameter.
pub const fn parameter(value: f64) -> Formula {
    Formula::Constant(Number::Parameter(value))
}

impl Formula {
    /// The node `operator` that reads this.
    pub fn call(self, operator: &'static str) -> Self {
        self.call_with(operator, [])
    }

    /// The node `operator` that reads this and then numbers.
    pub fn call_with<const N: usize>(self, operator: &'static str, numbers: [f64; N]) -> Self {
        let numbers = numbers.into_iter().map(|c| Self::Constant(Number::Fixed(c)));
        Self::Node { operator, inputs: std::iter::once(self).chain(numbers).collect(), attributes: Vec::new() }
    }

    /// The same node with one more attribute; without it ONNX takes `usual`.
    pub fn with(self, name: &'static str, number: Number, usual: f64) -> Self {
        self.with_attribute(Attribute { name, value: AttributeValue::Number { number, usual } })
    }

    /// The same node with one more attribute that is a word; without it ONNX takes `usual`.
    pub fn with_text(self, name: &'static str, text: &'static str, usual: &'static str) -> Self {
        self.with_attribute(Attribute { name, value: AttributeValue::Text { text, usual } })
    }

    fn with_attribute(mut self, attribute: Attribute) -> Self {
        if let Self::Node { attributes, .. } = &mut self {
            attributes.push(attribute);
        }
        self
    }

    fn binary(self, operator: &'static str, other: Self) -> Self {
        Self::Node { operator, inputs: vec![self, other], attributes: Vec::new() }
    }

    /// How many nodes it has.
    pub fn nodes(&self) -> usize {
        match self {
            Self::Node { inputs, .. } => 1 + inputs.iter().map(Self::nodes).sum::<usize>(),
            Self::X | Self::Constant(_) => 0,
        }
    }
}

impl From<f64> for Formula {
    fn from(value: f64) -> Self {
        Self::Constant(Number::Fixed(value))
    }
}

impl<T: Into<Self>> Add<T> for Formula {
    type Output = Self;

    fn add(self, other: T) -> Self {
        self.binary("Add", other.into())
    }
}

impl<T: Into<Self>> Mul<T> for Formula {
    type Output = Self;

    fn mul(self, other: T) -> Self {
        self.binary("Mul", other.into())
    }
}

impl<T: Into<Self>> Div<T> for Formula {
    type Output = Self;

    fn div(self, other: T) -> Self {
        self.binary("Div", other.into())
    }
}
