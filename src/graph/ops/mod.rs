//! The operators, one file per family: forward and tangent side by side.

mod activation;
mod arithmetic;
mod convolution;
mod creation;
mod logic;
mod matrix;
mod normalization;
mod pad;
mod pooling;
mod reduction;
mod reshape;
mod resize;
mod selection;
mod softmax;

pub use creation::create;
pub use pooling::MaxPool;
pub use softmax::Softmax;

use super::builder::{Build, Builder};

type BuildFunction = fn(&mut Builder<'_>) -> Build;

/// Every operator that depends on its inputs' values, with the function that builds it.
const OPERATORS: &[(&str, BuildFunction)] = &[
    ("Abs", activation::pointwise),
    ("Add", arithmetic::sum),
    ("And", logic::predicate),
    ("ArgMax", reduction::arg_extremum),
    ("ArgMin", reduction::arg_extremum),
    ("AveragePool", pooling::average_pool),
    ("BatchNormalization", normalization::batch),
    ("Cast", reshape::cast),
    ("Ceil", activation::step),
    ("Celu", activation::pointwise),
    ("Clip", activation::clip),
    ("Concat", selection::concat),
    ("Conv", convolution::conv),
    ("ConvTranspose", convolution::conv_transpose),
    ("Cos", activation::pointwise),
    ("DepthToSpace", reshape::blocks),
    ("Div", arithmetic::div),
    ("Dropout", reshape::identity),
    ("Einsum", matrix::einsum),
    ("Elu", activation::pointwise),
    ("Equal", logic::predicate),
    ("Erf", activation::pointwise),
    ("Exp", activation::pointwise),
    ("Expand", selection::expand),
    ("Flatten", reshape::flatten),
    ("Floor", activation::step),
    ("Gather", selection::gather),
    ("GatherElements", selection::gather_elements),
    ("Gelu", activation::pointwise),
    ("Gemm", matrix::gemm),
    ("GlobalAveragePool", pooling::global_average_pool),
    ("GlobalMaxPool", pooling::global_max_pool),
    ("Greater", logic::predicate),
    ("GreaterOrEqual", logic::predicate),
    ("GroupNormalization", normalization::group),
    ("HardSigmoid", activation::pointwise),
    ("HardSwish", activation::pointwise),
    ("Identity", reshape::identity),
    ("InstanceNormalization", normalization::instance),
    ("IsInf", logic::predicate),
    ("IsNaN", logic::predicate),
    ("LayerNormalization", normalization::layer),
    ("LeakyRelu", activation::pointwise),
    ("Less", logic::predicate),
    ("LessOrEqual", logic::predicate),
    ("Log", activation::pointwise),
    ("LogSoftmax", softmax::softmax),
    ("LpNormalization", normalization::lp),
    ("MatMul", matrix::matmul),
    ("Max", arithmetic::extremum),
    ("MaxPool", pooling::max_pool),
    ("Mean", arithmetic::mean),
    ("Min", arithmetic::extremum),
    ("Mish", activation::pointwise),
    ("Mod", arithmetic::modulo),
    ("Mul", arithmetic::mul),
    ("Neg", arithmetic::neg),
    ("Not", logic::predicate),
    ("Or", logic::predicate),
    ("PRelu", activation::prelu),
    ("Pad", pad::pad),
    ("Pow", arithmetic::pow),
    ("Reciprocal", activation::pointwise),
    ("ReduceL1", reduction::reduce),
    ("ReduceL2", reduction::reduce),
    ("ReduceLogSum", reduction::reduce),
    ("ReduceLogSumExp", reduction::reduce),
    ("ReduceMax", reduction::reduce),
    ("ReduceMean", reduction::reduce),
    ("ReduceMin", reduction::reduce),
    ("ReduceProd", reduction::reduce),
    ("ReduceSum", reduction::reduce),
    ("ReduceSumSquare", reduction::reduce),
    ("Relu", activation::pointwise),
    ("Reshape", reshape::reshape),
    ("Resize", resize::resize),
    ("Round", activation::step),
    ("Selu", activation::pointwise),
    ("Sigmoid", activation::pointwise),
    ("Sign", activation::step),
    ("Sin", activation::pointwise),
    ("Slice", selection::slice),
    ("Softmax", softmax::softmax),
    ("Softplus", activation::pointwise),
    ("Softsign", activation::pointwise),
    ("SpaceToDepth", reshape::blocks),
    ("Split", selection::split),
    ("Sqrt", activation::pointwise),
    ("Squeeze", reshape::squeeze),
    ("Sub", arithmetic::sum),
    ("Sum", arithmetic::sum),
    ("Swish", activation::pointwise),
    ("Tan", activation::pointwise),
    ("Tanh", activation::pointwise),
    ("ThresholdedRelu", activation::pointwise),
    ("Tile", selection::tile),
    ("TopK", selection::top_k),
    ("Transpose", reshape::transpose),
    ("Unsqueeze", reshape::unsqueeze),
    ("Upsample", resize::resize),
    ("Where", selection::choose),
    ("Xor", logic::predicate),
];

/// The build function of an operator, if it is supported.
pub fn find(operator: &str) -> Option<BuildFunction> {
    OPERATORS.iter().find(|(name, _)| *name == operator).map(|(_, build)| *build)
}

/// The names of all supported operators, in order.
pub fn names() -> Vec<&'static str> {
    let mut names: Vec<_> = OPERATORS.iter().map(|(name, _)| *name).chain(creation::NAMES.iter().copied()).collect();
    names.sort_unstable();
    names
}
