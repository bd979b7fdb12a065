//! What an operator is: its value, and how it carries tangents.
//!
//! **Batched tangents.** Every value of a running graph is one tensor with a leading axis, the *stack axis*: first one
//! entry per image (the primals), then one per image and tangent. Behind that axis stands the shape that ONNX gives the
//! value, batch axis included, so operators mean what the specification says, also where a network folds its batch axis
//! into windows or heads. Operators address axes from the end and so need not know how many axes lead.

use std::fmt::Debug;

use tch::{TchError, Tensor};

use super::function::Function;
use super::fused_activation::FusedActivation;
use super::memory_format::MemoryFormat;
use super::parameter::Held;
pub use super::torch::Torch;
use super::window::{Taps, Window};

/// An operator, built for one node: its attributes, constants and shapes are resolved, nothing is left to interpret.
#[derive(Debug)]
pub enum Operator {
    /// y = Λx + c: the tangent is Λẋ, so values and tangents go through one call.
    Linear(Box<dyn Linear>),
    /// y = σ(x) entry by entry: the tangent is σ'(x)·ẋ.
    Elementwise(Box<dyn Elementwise>),
    /// y = σ(Λx + c), as an unobserved run fuses it.
    Activated(Activated),
    /// A rule of its own.
    Differentiable(Box<dyn Differentiable>),
    /// Tangents by libtorch's own forward-mode automatic differentiation, one at a time.
    Automatic(Box<dyn Forward>),
    /// Locally constant (comparisons, rounding, arg max): the tangent is zero.
    LocallyConstant(Box<dyn Forward>),
}

/// How tangents are carried, for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// [`Operator::Linear`]
    Linear,
    /// [`Operator::Elementwise`]
    Elementwise,
    /// [`Operator::Differentiable`]
    Differentiable,
    /// [`Operator::Automatic`]
    Automatic,
    /// [`Operator::LocallyConstant`]
    LocallyConstant,
    /// The output is a constant, and there is nothing to carry.
    Constant,
    /// Nodes of other operators stand in its place.
    Nodes,
}

impl Rule {
    /// The rule's name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Elementwise => "elementwise",
            Self::Differentiable => "rule",
            Self::Automatic => "automatic",
            Self::LocallyConstant => "locally constant",
            Self::Constant => "constant",
            Self::Nodes => "other operators",
        }
    }
}

impl Operator {
    /// How tangents are carried, for tables.
    pub fn rule(&self) -> Rule {
        match self {
            Self::Linear(_) => Rule::Linear,
            Self::Elementwise(_) => Rule::Elementwise,
            Self::Activated(_) | Self::Differentiable(_) => Rule::Differentiable,
            Self::Automatic(_) => Rule::Automatic,
            Self::LocallyConstant(_) => Rule::LocallyConstant,
        }
    }

    /// The values for primals alone.
    pub fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        match self {
            Self::Linear(op) => op.value(x),
            Self::Elementwise(op) => Ok(vec![op.value(x[0])?]),
            Self::Activated(op) => op.forward(x),
            Self::Differentiable(op) => op.forward(x),
            Self::Automatic(op) | Self::LocallyConstant(op) => op.forward(x),
        }
    }

    /// Whether the output owns its memory: never a view of an input, so that a later operator may overwrite it.
    pub fn is_fresh(&self) -> bool {
        match self {
            Self::Linear(op) => op.is_fresh(),
            _ => true,
        }
    }
}

/// y = Λx + c.
pub trait Linear: Debug {
    /// Λx for a stack of any length; the inputs are the node's varying inputs in order.
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>>;

    /// Λx + c for primals alone.
    fn value(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let mut y = self.apply(x)?;
        if let (Some(offset), Some(first)) = (self.offset(), y.first_mut()) {
            let _ = first.f_add_(offset)?;
        }
        Ok(y)
    }

    /// Λx in the memory of the first input, which nothing else reads, where the operator has a way to; false where it
    /// has not, and then nothing is touched.
    fn apply_onto(&self, _first: &mut Tensor, _rest: &[&Tensor]) -> Torch<bool> {
        Ok(false)
    }

    /// c, to be added to the first output's primals; needs [`is_fresh`](Self::is_fresh).
    fn offset(&self) -> Option<&Tensor> {
        None
    }

    /// Whether `apply` returns memory of its own.
    fn is_fresh(&self) -> bool {
        self.offset().is_some()
    }

    /// The constants that Λ and c broadcast against the output entry by entry: factors and the offset.
    fn constants(&self) -> Vec<&Tensor> {
        self.offset().into_iter().collect()
    }

    /// What Λ is, as far as plans and layouts go by it.
    fn pattern(&self) -> Pattern<'_> {
        Pattern::Any
    }

    /// The constants that training may change.
    fn parameters(&mut self) -> Vec<Held<'_>> {
        Vec::new()
    }

    /// Puts weights that images are convolved with into the memory format that images will have.
    fn arrange(&mut self, _format: MemoryFormat) -> Torch<()> {
        Ok(())
    }
}

/// What a linear map is.
#[derive(Debug)]
pub enum Pattern<'a> {
    /// Nothing that is told.
    Any,
    /// Every entry of Λx is an entry of x, or zero: the map only moves entries.
    Selection,
    /// A selection that puts the axes after the stack axis into this order.
    Transposition(&'a [i64]),
    /// A product with a constant matrix along an axis: y_j = Σ_i M_ji x_i.
    Matrix {
        /// The axis, counted from the end.
        axis: i64,
        /// M, of shape `[outputs, inputs]`.
        matrix: Tensor,
    },
    /// A convolution over rows and columns.
    Convolution(Taps<'a>),
    /// The adjoint of one.
    TransposedConvolution(Taps<'a>),
}

impl<'a> Pattern<'a> {
    /// Whether the map only moves entries.
    pub fn selects(&self) -> bool {
        matches!(self, Self::Selection | Self::Transposition(_))
    }

    /// The taps, where it is a convolution.
    pub fn taps(self) -> Option<Taps<'a>> {
        match self {
            Self::Convolution(taps) => Some(taps),
            _ => None,
        }
    }
}

/// y = σ(x), entry by entry.
pub trait Elementwise: Debug {
    /// σ(x).
    fn value(&self, x: &Tensor) -> Torch<Tensor>;

    /// σ'(x), given y = σ(x) as well: a tensor that multiplies the tangents (of their kind, or boolean).
    ///
    /// At a kink it is the derivative that libtorch takes.
    fn derivative(&self, x: &Tensor, y: &Tensor) -> Torch<Tensor>;

    /// σ(x) in the memory of x, which nothing else reads, where there is a way to; false where there is none, and then
    /// nothing is touched.
    fn value_onto(&self, _x: &mut Tensor) -> Torch<bool> {
        Ok(false)
    }

    /// The function, where it is one of those that values and tangents can pass at once.
    fn fused_activation(&self) -> Option<FusedActivation> {
        None
    }

    /// The function, where it is one of those that have a name.
    fn function(&self) -> Option<Function> {
        None
    }
}

/// y = σ(Λx + c): an affine operator of one output with a function entry by entry after it.
///
/// The function adds c to the values on its way, so that the tangents' run passes over them once less.
#[derive(Debug)]
pub struct Activated {
    /// x ↦ Λx + c.
    pub linear: Box<dyn Linear>,
    /// σ
    pub activation: Box<dyn Elementwise>,
}

impl Activated {
    /// The values for primals alone.
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let mut y = self.linear.value(x)?;
        for y in &mut y {
            if !self.activation.value_onto(y)? {
                *y = self.activation.value(y)?;
            }
        }
        Ok(y)
    }
}

/// An operator with a value and a tangent of its own.
pub trait Differentiable: Debug {
    /// The outputs; the stack axis leads. Outputs own their memory.
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>>;

    /// The outputs' tangents.
    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>>;

    /// Outputs and tangents at once, each output one stack, for operators that can write into it: none where values and
    /// tangents are computed apart and joined. `x` and `dx` are those of [`Point`].
    fn value_and_jvp(&self, _x: &[&Tensor], _dx: &[Option<Tensor>]) -> Torch<Option<Vec<Tensor>>> {
        Ok(None)
    }

    /// The window over rows and columns whose maximum is taken, where that is what the operator does.
    fn max_window(&self) -> Option<&Window> {
        None
    }

    /// What part of an attention the operator can be, where it can be one.
    fn attention_part(&self) -> Option<AttentionPart> {
        None
    }
}

/// The operators of which attention is made, as far as they vary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionPart {
    /// The product of two stacks of matrices, as they are.
    Product,
    /// Softmax over the last axis.
    Softmax,
}

/// A stack to be filled, as values and as tangents.
pub struct Stack {
    /// `[stack, shape…]`.
    pub whole: Tensor,
    /// Its values: `[images, shape…]`, a view.
    pub y: Tensor,
    /// Its tangents: `[tangents, images, shape…]`, a view.
    pub dy: Tensor,
}

impl Stack {
    /// Room for values of the size `[images, shape…]` and their tangents, in the memory format of `like` where it has
    /// that size and each entry of the stack in one piece.
    ///
    /// # Errors
    /// When libtorch cannot allocate it.
    pub fn new(size: &[i64], tangents: i64, like: &Tensor) -> Torch<Self> {
        let images = size[0];
        let mut whole_size = size.to_vec();
        whole_size[0] = images * (1 + tangents);
        let options = (like.kind(), like.device());
        let strides = like.stride();
        let whole = if like.size() == size && strides[0] == size[1..].iter().product::<i64>() && like.numel() > 0 {
            Tensor::f_empty_strided(whole_size.as_slice(), strides.as_slice(), options)?
        } else {
            Tensor::f_empty(whole_size.as_slice(), options)?
        };
        let y = whole.f_narrow(0, 0, images)?;
        let dy = whole.f_narrow(0, images, images * tangents)?.f_view([&[tangents], size].concat().as_slice())?;
        Ok(Self { whole, y, dy })
    }
}

/// Where a tangent is taken.
pub struct Point<'a> {
    /// Inputs, `[images, shape…]`.
    pub x: &'a [&'a Tensor],
    /// Outputs, `[images, shape…]`.
    pub y: &'a [Tensor],
    /// Tangents of the inputs, `[tangents, images, shape…]`; none where an input does not move.
    pub dx: &'a [Option<Tensor>],
}

impl Point<'_> {
    /// Sum of the given terms, one per moving input.
    pub fn sum(&self, term: impl Fn(usize, &Tensor) -> Torch<Tensor>) -> Torch<Tensor> {
        let mut total: Option<Tensor> = None;
        for (i, dx) in self.dx.iter().enumerate() {
            if let Some(dx) = dx {
                let next = term(i, dx)?;
                total = Some(match total {
                    Some(sum) => sum.f_add(&next)?,
                    None => next,
                });
            }
        }
        total.ok_or_else(|| TchError::Torch("a tangent was asked for, and no input moves".to_owned()))
    }
}

/// An operator with a value only.
pub trait Forward: Debug {
    /// The outputs; the stack axis leads.
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>>;
}

/// A tensor whose own shape has `rank` axes after the stack axis, viewed with `wanted` axes: ones are put in front of
/// the shape, after the stack axis, as broadcasting would put them.
pub fn with_rank(x: &Tensor, rank: usize, wanted: usize) -> Torch<Tensor> {
    if rank >= wanted {
        return Ok(x.shallow_clone());
    }
    let mut size = x.size();
    let lead = size.len() - rank;
    for _ in rank..wanted {
        size.insert(lead, 1);
    }
    x.f_view(size.as_slice())
}

/// The number of leading axes of a tensor whose own shape has `rank` axes.
pub fn leading(x: &Tensor, rank: usize) -> usize {
    x.dim().saturating_sub(rank)
}
