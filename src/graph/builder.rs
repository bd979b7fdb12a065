//! One node on its way to becoming an [`Operator`](super::operator::Operator): attributes, constants and shapes.

use std::cell::Cell;

use tch::{Device, Kind, Tensor};

use super::error::GraphError;
use super::layout::Flow;
use super::onnx::Attributes;
use super::operator::{Operator, Torch, with_rank};
use crate::memory;

/// What is known of a node's input when its operator is built.
#[derive(Debug)]
pub enum Slot {
    /// A constant.
    Constant(Tensor),
    /// A value that depends on the network's input.
    Varying {
        /// Its shape, as ONNX gives it.
        shape: Vec<i64>,
        /// Its element kind.
        kind: Kind,
    },
}

impl Slot {
    /// The shape, as ONNX gives it.
    pub fn shape(&self) -> Vec<i64> {
        match self {
            Self::Constant(tensor) => tensor.size(),
            Self::Varying { shape, .. } => shape.clone(),
        }
    }

    /// The element kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Constant(tensor) => tensor.kind(),
            Self::Varying { kind, .. } => *kind,
        }
    }
}

/// An input as an operator sees it: one of its varying inputs, or a constant that it keeps.
#[derive(Debug)]
pub enum Operand {
    /// The place among the operator's varying inputs.
    Varying(usize),
    /// A constant, in the run's precision when it is a float.
    Constant(Tensor),
}

impl Operand {
    /// The operand's tensor at a call, viewed with `wanted` axes after the stack axis.
    pub fn at(&self, x: &[&Tensor], rank: usize, wanted: usize) -> Torch<Tensor> {
        match self {
            Self::Varying(i) => with_rank(x[*i], rank, wanted),
            Self::Constant(tensor) => Ok(tensor.shallow_clone()),
        }
    }

    /// The operand's tensor at a call, with the batched tangents' axis in front of its own: a constant is the same in
    /// all.
    pub fn in_stack(&self, x: &[&Tensor]) -> Torch<Tensor> {
        match self {
            Self::Varying(i) => Ok(x[*i].shallow_clone()),
            Self::Constant(tensor) => {
                let size = [&[x[0].size()[0]], tensor.size().as_slice()].concat();
                tensor.f_unsqueeze(0)?.f_expand(size, false)
            }
        }
    }
}

/// More entries than one value of any vision network has (1 GiB in single precision): the file is damaged, and the
/// memory is not asked for.
pub const MAX_ENTRIES: i64 = 1 << 28;

/// The outcome of building a node.
pub struct Built {
    /// The operator.
    pub operator: Operator,
    /// What it does to rows and columns.
    pub flow: Flow,
}

/// The result of an operator's build function.
pub type Build = Result<Built, GraphError>;

/// A node, its inputs' shapes and constants, and typed access to its attributes.
pub struct Builder<'a> {
    /// The node's name, or a stand-in.
    pub node: &'a str,
    /// The operator's name.
    pub operator: &'a str,
    /// The opset of the operator's domain.
    pub opset: i64,
    /// Whether derivatives are passed straight through the rounding of quantised values.
    pub straight_through: bool,
    /// ONNX's element type of the third input, a zero point, where it is a stored constant.
    pub zero_type: Option<i32>,
    attributes: &'a mut Attributes,
    slots: &'a [Option<Slot>],
    outputs: usize,
    /// Whether anything reads an output, one by one.
    read: &'a [bool],
    /// All operands are constants, and the node is evaluated once, now.
    folding: bool,
    device: Device,
    varying: Vec<usize>,
    /// Which of the first inputs were asked for, a bit each.
    asked: Cell<u128>,
}

impl<'a> Builder<'a> {
    /// A builder for one node.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        node: &'a str,
        operator: &'a str,
        opset: i64,
        attributes: &'a mut Attributes,
        slots: &'a [Option<Slot>],
        read: &'a [bool],
        folding: bool,
        device: Device,
    ) -> Self {
        Self {
            node,
            operator,
            opset,
            straight_through: false,
            zero_type: None,
            attributes,
            slots,
            outputs: read.len(),
            read,
            folding,
            device,
            varying: Vec::new(),
            asked: Cell::new(0),
        }
    }

    /// The inputs that the operator takes as varying, in the order in which it sees them.
    pub fn varying(&self) -> &[usize] {
        &self.varying
    }

    /// Whether all operands are constants: the node is evaluated once, when the model is loaded.
    pub fn folds(&self) -> bool {
        self.folding
    }

    /// The run's device.
    pub fn device(&self) -> Device {
        self.device
    }

    /// How many outputs the node names.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Whether anything reads output `i`.
    pub fn reads(&self, i: usize) -> bool {
        self.read.get(i).is_some_and(|&read| read)
    }

    /// How many inputs the node names, trailing absent ones included.
    pub fn inputs(&self) -> usize {
        self.slots.len()
    }

    fn ask(&self, i: usize) {
        self.asked.set(self.asked.get() | 1u128.checked_shl(i as u32).unwrap_or(0));
    }

    /// The first input that is given and that nothing has asked for: the operator has no such input.
    pub fn unread(&self) -> Option<usize> {
        (0..self.slots.len().min(128)).find(|&i| self.slots[i].is_some() && self.asked.get() & (1 << i) == 0)
    }

    /// Whether input `i` is given.
    pub fn has(&self, i: usize) -> bool {
        self.ask(i);
        self.slots.get(i).is_some_and(Option::is_some)
    }

    /// Whether input `i` is given and depends on the network's input.
    pub fn varies(&self, i: usize) -> bool {
        matches!(self.slots.get(i), Some(Some(Slot::Varying { .. })))
    }

    fn slot(&self, i: usize) -> Result<&'a Slot, GraphError> {
        self.ask(i);
        match self.slots.get(i) {
            Some(Some(slot)) => Ok(slot),
            _ => Err(self.invalid(format!("input {i} is missing"))),
        }
    }

    /// The shape of input `i`.
    pub fn shape(&self, i: usize) -> Result<Vec<i64>, GraphError> {
        Ok(self.slot(i)?.shape())
    }

    /// The element kind of input `i`.
    pub fn kind(&self, i: usize) -> Result<Kind, GraphError> {
        Ok(self.slot(i)?.kind())
    }

    /// Input `i` as something that may depend on the network's input.
    pub fn operand(&mut self, i: usize) -> Result<Operand, GraphError> {
        match self.slot(i)? {
            Slot::Constant(tensor) if !self.folding => Ok(Operand::Constant(tensor.shallow_clone())),
            _ => {
                let place = self.varying.iter().position(|&known| known == i).unwrap_or_else(|| {
                    self.varying.push(i);
                    self.varying.len() - 1
                });
                Ok(Operand::Varying(place))
            }
        }
    }

    /// Declares input `i` the operator's next varying input, as most operators have one.
    ///
    /// # Errors
    /// When it is a constant although the node as a whole is not.
    pub fn varying_input(&mut self, i: usize) -> Result<(), GraphError> {
        match self.operand(i)? {
            Operand::Varying(_) => Ok(()),
            Operand::Constant(_) => {
                Err(self.unsupported(format!("a constant input {i} beside varying ones"), String::new()))
            }
        }
    }

    /// Input `i` as a constant parameter.
    ///
    /// # Errors
    /// When it depends on the network's input.
    pub fn parameter(&self, i: usize, what: &str) -> Result<Tensor, GraphError> {
        match self.slot(i)? {
            Slot::Constant(tensor) => Ok(tensor.shallow_clone()),
            Slot::Varying { .. } => {
                let problem = format!("that its {what} (input {i}) depends on the network's input");
                Err(self.unsupported(problem, "a constant is"))
            }
        }
    }

    /// Input `i` as constant integers, or none where it is absent.
    pub fn parameter_ints(&self, i: usize, what: &str) -> Result<Option<Vec<i64>>, GraphError> {
        if !self.has(i) {
            return Ok(None);
        }
        let flat = self.parameter(i, what)?.f_to_kind(Kind::Int64)?.f_reshape([-1])?.f_to_device(Device::Cpu)?;
        Ok(Some(Vec::try_from(&flat)?))
    }

    /// Input `i` as constant floats, or none where it is absent.
    pub fn parameter_floats(&self, i: usize, what: &str) -> Result<Option<Vec<f64>>, GraphError> {
        if !self.has(i) {
            return Ok(None);
        }
        let flat = self.parameter(i, what)?.f_to_kind(Kind::Double)?.f_reshape([-1])?.f_to_device(Device::Cpu)?;
        Ok(Some(Vec::try_from(&flat)?))
    }

    /// Input `i` as one constant float, or none where it is absent.
    pub fn parameter_float(&self, i: usize, what: &str) -> Result<Option<f64>, GraphError> {
        match self.parameter_floats(i, what)?.as_deref() {
            None => Ok(None),
            Some([value]) => Ok(Some(*value)),
            Some(values) => Err(self.invalid(format!("its {what} has {} entries, not one", values.len()))),
        }
    }

    /// An integer attribute.
    pub fn int(&mut self, name: &str) -> Result<Option<i64>, GraphError> {
        Ok(self.attributes.int(name)?)
    }

    /// A float attribute, as the number that was meant.
    pub fn float(&mut self, name: &str) -> Result<Option<f64>, GraphError> {
        Ok(self.attributes.float(name)?.map(meant))
    }

    /// A list of integers.
    pub fn ints(&mut self, name: &str) -> Result<Option<Vec<i64>>, GraphError> {
        Ok(self.attributes.ints(name)?)
    }

    /// A string attribute.
    pub fn string(&mut self, name: &str) -> Result<Option<String>, GraphError> {
        Ok(self.attributes.string(name)?)
    }

    /// All attributes, for what the shorthands above do not cover.
    pub fn attributes(&mut self) -> &mut Attributes {
        self.attributes
    }

    /// An axis attribute or input of a value with `rank` axes, counted from the end (−1 is the last).
    pub fn axis_from_end(&self, axis: i64, rank: usize) -> Result<i64, GraphError> {
        let rank = rank as i64;
        let from_end = if axis < 0 { axis } else { axis - rank };
        if (-rank..0).contains(&from_end) {
            Ok(from_end)
        } else {
            Err(self.invalid(format!("axis {axis} is outside a value of {rank} axes")))
        }
    }

    /// Several axes, counted from the end.
    pub fn axes_from_end(&self, axes: &[i64], rank: usize) -> Result<Vec<i64>, GraphError> {
        axes.iter().map(|&axis| self.axis_from_end(axis, rank)).collect()
    }

    /// Checks the shape of a value that the node makes, before anything is allocated.
    ///
    /// # Errors
    /// When a size is negative, there are more than [`MAX_ENTRIES`], or memory that large is not free.
    pub fn check_size(&self, shape: &[i64]) -> Result<(), GraphError> {
        // Sizes beside a zero count too: their products are taken elsewhere.
        let entries =
            shape.iter().try_fold(1i64, |product, &n| if n < 0 { None } else { product.checked_mul(n.max(1)) });
        match entries {
            Some(entries) if entries <= MAX_ENTRIES => self.check_bytes(shape, entries.unsigned_abs() * 4),
            _ => Err(self.invalid(format!("a value of shape {shape:?} is impossible or too large"))),
        }
    }

    /// Checks that making a value of this shape, which takes so many bytes on the way, finds them free.
    ///
    /// # Errors
    /// When it does not.
    pub fn check_bytes(&self, shape: &[i64], bytes: u64) -> Result<(), GraphError> {
        memory::check(bytes).map_err(|shortage| GraphError::Memory {
            place: format!("node '{}' ({}) for a value of shape {shape:?}", self.node, self.operator),
            shortage,
        })
    }

    /// The error for a node that contradicts itself or its inputs.
    pub fn invalid(&self, problem: impl Into<String>) -> GraphError {
        GraphError::Node {
            node: self.node.to_owned(),
            operator: self.operator.to_owned(),
            shapes: shapes_of(self.slots),
            problem: problem.into(),
        }
    }

    /// The error for a use of the operator that is not supported.
    pub fn unsupported(&self, problem: impl Into<String>, hint: impl Into<String>) -> GraphError {
        GraphError::Unsupported {
            node: self.node.to_owned(),
            operator: self.operator.to_owned(),
            opset: self.opset,
            problem: problem.into(),
            hint: hint.into(),
        }
    }
}

/// The number after an attribute, which ONNX can only store in single precision: the shortest decimal that rounds to
/// it, so that a slope of 0.01 or an epsilon of 1e-5 is just that in a run of double precision too. A sixth, the slope
/// of hard sigmoid, is no short decimal. A run of single precision sees what is stored.
fn meant(stored: f32) -> f64 {
    const SIXTH: f64 = 1.0 / 6.0;
    if stored == SIXTH as f32 { SIXTH } else { stored.to_string().parse().unwrap_or(f64::from(stored)) }
}

/// The inputs' shapes, for messages.
pub fn shapes_of(slots: &[Option<Slot>]) -> String {
    let shapes: Vec<String> = slots
        .iter()
        .map(|slot| slot.as_ref().map_or("absent".to_owned(), |slot| format!("{:?}", slot.shape())))
        .collect();
    shapes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn attributes_mean_decimals() {
        assert_eq!([1e-5, 0.01, -3.0, 0.0].map(|v: f32| meant(v)), [1e-5, 0.01, -3.0, 0.0]);
        assert_eq!(meant(1.0 / 6.0), 1.0 / 6.0);
        assert!(meant(f32::NAN).is_nan() && meant(f32::INFINITY) == f64::INFINITY);
        // Nothing changes in single precision.
        for stored in [0.1f32, 1.702, 0.797_884_6, f32::MIN_POSITIVE, f32::MAX] {
            assert_eq!(meant(stored) as f32, stored);
        }
    }
}
