//! The operators, one file per family: forward and tangent side by side.

mod activation;
mod arithmetic;
mod attention;
mod col2im;
mod convolution;
mod convolve;
mod creation;
mod cumulative;
mod dynamic_convolution;
pub mod expansion;
mod fused;
mod grid_sample;
mod listing;
mod local_response;
mod logic;
mod matrix;
mod mean_variance;
mod microsoft;
mod microsoft_attention;
mod normalization;
mod pad;
mod pooling;
mod power_pooling;
mod quantization;
mod rearrangement;
mod recurrent;
mod reduction;
mod reshape;
mod resize;
mod scatter;
mod selection;
mod softmax;

pub use activation::Function;
pub use convolution::activated_convolution;
pub use creation::create;
pub use expansion::Expand;
pub use fused::head_attention;
pub use listing::{OPERATORS_SCHEMA_VERSION, OperatorList, OperatorRow, RefusedRow, operator_list};
pub use matrix::affine;
pub use normalization::standardized;
pub use pooling::MaxPool;
pub use softmax::Softmax;

use super::builder::{Build, Builder};
use super::operator::Rule::{self, Automatic, Constant, Differentiable, Elementwise, Linear, LocallyConstant, Nodes};
use Make::{Branch, List, Operator};

/// The newest opset whose operators are the ones that the table describes; ONNX Runtime's domain has no numbers.
pub const NEWEST_OPSET: i64 = 25;

/// The oldest: before it, operators had no broadcasting as NumPy has it.
pub const OLDEST_OPSET: i64 = 7;

type BuildFunction = fn(&mut Builder<'_>) -> Build;

/// What becomes of a node.
#[derive(Clone, Copy, Debug)]
pub enum Make {
    /// An operator of the running network.
    Operator(BuildFunction),
    /// A constant, once shapes are known.
    Constant,
    /// Nodes of other operators in its place.
    Nodes(Expand),
    /// The nodes of one of its subgraphs.
    Branch,
    /// A list of values, or what is taken from one.
    List,
}

/// An operator that is supported.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The operator's name.
    pub name: &'static str,
    /// Its domain: empty for ONNX's own.
    pub domain: &'static str,
    /// The first opset of the domain that has it.
    pub since: i64,
    /// How it carries tangents; several where that depends on which of its inputs are constant.
    pub rules: &'static [Rule],
    /// Limits and conventions; may be empty.
    pub notes: &'static str,
    /// What becomes of it.
    pub make: Make,
}

/// An operator that is refused for a reason worth saying.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The operators' names.
    pub names: &'static [&'static str],
    /// Why, and what to do.
    pub reason: &'static str,
}

const fn entry(
    name: &'static str,
    domain: &'static str,
    since: i64,
    make: Make,
    rules: &'static [Rule],
    notes: &'static str,
) -> Entry {
    Entry { name, domain, since, rules, notes, make }
}

const fn onnx(name: &'static str, since: i64, make: Make, rules: &'static [Rule], notes: &'static str) -> Entry {
    entry(name, "", since, make, rules, notes)
}

const fn microsoft(name: &'static str, since: i64, make: Make, rules: &'static [Rule], notes: &'static str) -> Entry {
    entry(name, MICROSOFT, since, make, rules, notes)
}

/// ONNX Runtime's domain: what its optimiser writes into files.
pub const MICROSOFT: &str = "com.microsoft";

/// Every supported operator, by domain and name.
pub const OPERATORS: &[Entry] = &[
    onnx("Abs", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Acos", 7, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Acosh", 9, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Add", 1, Operator(arithmetic::sum), &[Linear], ""),
    onnx("AffineGrid", 20, Operator(rearrangement::affine_grid), &[Linear], "constant size"),
    onnx("And", 1, Operator(logic::predicate), &[LocallyConstant], ""),
    onnx("ArgMax", 1, Operator(reduction::arg_extremum), &[LocallyConstant], ""),
    onnx("ArgMin", 1, Operator(reduction::arg_extremum), &[LocallyConstant], ""),
    onnx("Asin", 7, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Asinh", 9, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Atan", 7, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Atanh", 9, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Attention", 23, Operator(attention::attention), &[Automatic], "without nonpad_kv_seqlen"),
    onnx("AveragePool", 1, Operator(pooling::average_pool), &[Linear], "one to three spatial axes"),
    onnx(
        "BatchNormalization",
        1,
        Operator(normalization::batch),
        &[Linear],
        "opsets 7 and 8 also with spatial = 0; at test time, folded to a scale and an offset; by its own statistics of constants alone",
    ),
    onnx("BitShift", 11, Operator(logic::bitwise), &[LocallyConstant], ""),
    onnx("BitwiseAnd", 18, Operator(logic::bitwise), &[LocallyConstant], ""),
    onnx("BitwiseNot", 18, Operator(logic::bitwise), &[LocallyConstant], ""),
    onnx("BitwiseOr", 18, Operator(logic::bitwise), &[LocallyConstant], ""),
    onnx("BitwiseXor", 18, Operator(logic::bitwise), &[LocallyConstant], ""),
    onnx(
        "Cast",
        1,
        Operator(reshape::cast),
        &[Linear, LocallyConstant],
        "among floats nothing changes, as a run has one precision; else locally constant",
    ),
    onnx(
        "CastLike",
        15,
        Operator(reshape::cast),
        &[Linear, LocallyConstant],
        "among floats nothing changes, as a run has one precision; else locally constant",
    ),
    onnx("Ceil", 1, Operator(activation::step), &[LocallyConstant], ""),
    onnx("Celu", 12, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("CenterCropPad", 18, Operator(rearrangement::center_crop_pad), &[Linear], "constant shape"),
    onnx("Clip", 1, Operator(activation::clip), &[Elementwise], "constant bounds"),
    onnx("Col2Im", 18, Operator(col2im::col2im), &[Linear], "constant shapes"),
    onnx("Compress", 9, Operator(rearrangement::compress), &[Linear], "constant condition"),
    onnx("Concat", 1, Operator(selection::concat), &[Linear], ""),
    onnx("ConcatFromSequence", 11, List, &[Nodes], "Concat, of a list whose length is known"),
    onnx("Constant", 1, Make::Constant, &[Constant], ""),
    onnx("ConstantOfShape", 9, Make::Constant, &[Constant], "constant shape"),
    onnx(
        "Conv",
        1,
        Operator(convolution::conv),
        &[Linear, Differentiable],
        "one to three spatial axes; linear where weight and bias are constant",
    ),
    onnx(
        "ConvTranspose",
        1,
        Operator(convolution::conv_transpose),
        &[Linear, Differentiable],
        "one to three spatial axes; linear where weight and bias are constant",
    ),
    onnx("Cos", 7, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Cosh", 9, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("CumSum", 11, Operator(cumulative::cum_sum), &[Linear], "constant axis"),
    onnx("DepthToSpace", 1, Operator(reshape::blocks), &[Linear], ""),
    onnx(
        "DequantizeLinear",
        10,
        Operator(quantization::dequantize),
        &[Linear],
        "constant scale and zero point; whole numbers of 4 to 32 bits and 8-bit floats, of constants exactly",
    ),
    onnx("Det", 11, Operator(matrix::determinant), &[Automatic], ""),
    onnx("Div", 1, Operator(arithmetic::div), &[Linear, Differentiable], "linear where the divisor is constant"),
    onnx("Dropout", 1, Operator(reshape::identity), &[Linear], "at test time: nothing changes"),
    onnx("Einsum", 12, Operator(matrix::einsum), &[Linear, Differentiable], "linear where one operand varies"),
    onnx("Elu", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Equal", 1, Operator(logic::predicate), &[LocallyConstant], ""),
    onnx("Erf", 9, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Exp", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Expand", 8, Operator(selection::expand), &[Linear], "constant shape"),
    onnx("EyeLike", 9, Make::Constant, &[Constant], ""),
    onnx("Flatten", 1, Operator(reshape::flatten), &[Linear], ""),
    onnx("Floor", 1, Operator(activation::step), &[LocallyConstant], ""),
    onnx("GRU", 1, Operator(recurrent::recurrent), &[Automatic], "constant weights; whole sequences"),
    onnx("Gather", 1, Operator(selection::gather), &[Linear], "constant indices"),
    onnx("GatherElements", 11, Operator(selection::gather_elements), &[Linear], "constant indices"),
    onnx("GatherND", 11, Operator(scatter::gather_nd), &[Linear], "constant indices"),
    onnx("Gelu", 20, Operator(activation::pointwise), &[Elementwise], ""),
    onnx(
        "Gemm",
        1,
        Operator(matrix::gemm),
        &[Linear, Automatic],
        "linear where the second and third operands are constant",
    ),
    onnx("GlobalAveragePool", 1, Operator(pooling::global_average_pool), &[Linear], "one to three spatial axes"),
    onnx(
        "GlobalLpPool",
        1,
        Operator(power_pooling::global_lp_pool),
        &[Differentiable],
        "one to three spatial axes; tangent 0 where the norm is 0",
    ),
    onnx(
        "GlobalMaxPool",
        1,
        Operator(pooling::global_max_pool),
        &[Differentiable],
        "one to three spatial axes; the tangent of the largest sample",
    ),
    onnx("Greater", 1, Operator(logic::predicate), &[LocallyConstant], ""),
    onnx("GreaterOrEqual", 12, Operator(logic::predicate), &[LocallyConstant], ""),
    onnx(
        "GridSample",
        16,
        Operator(grid_sample::grid_sample),
        &[Linear, Automatic],
        "two spatial axes, no volumes; modes bilinear and bicubic until opset 19, linear and cubic from 20 on; linear where \
         the grid is constant",
    ),
    onnx(
        "GroupNormalization",
        18,
        Operator(normalization::group),
        &[Differentiable],
        "constant scale and bias, per group until opset 20",
    ),
    onnx("HardSigmoid", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("HardSwish", 14, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Hardmax", 1, Operator(logic::hardmax), &[LocallyConstant], ""),
    onnx("Identity", 1, Operator(reshape::identity), &[Linear], ""),
    onnx("If", 1, Branch, &[Nodes], "constant condition: the chosen branch is written out"),
    onnx("InstanceNormalization", 1, Operator(normalization::instance), &[Differentiable], "constant scale and bias"),
    onnx("IsInf", 10, Operator(logic::predicate), &[LocallyConstant], ""),
    onnx("IsNaN", 9, Operator(logic::predicate), &[LocallyConstant], ""),
    onnx("LRN", 1, Operator(local_response::lrn), &[Differentiable], ""),
    onnx("LSTM", 1, Operator(recurrent::recurrent), &[Automatic], "constant weights; whole sequences"),
    onnx("LayerNormalization", 17, Operator(normalization::layer), &[Differentiable], "constant scale and bias"),
    onnx("LeakyRelu", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Less", 1, Operator(logic::predicate), &[LocallyConstant], ""),
    onnx("LessOrEqual", 12, Operator(logic::predicate), &[LocallyConstant], ""),
    onnx("Log", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx(
        "LogSoftmax",
        1,
        Operator(softmax::softmax),
        &[Differentiable],
        "until opset 12 over all axes from its axis on",
    ),
    onnx("LpNormalization", 1, Operator(normalization::lp), &[Differentiable], "tangent 0 where the norm is 0"),
    onnx(
        "LpPool",
        1,
        Operator(power_pooling::lp_pool),
        &[Differentiable],
        "one to three spatial axes; tangent 0 where the norm is 0",
    ),
    onnx("MatMul", 1, Operator(matrix::matmul), &[Linear, Differentiable], "linear where one operand is constant"),
    onnx("Max", 1, Operator(arithmetic::extremum), &[Differentiable], "operands that tie share the tangent"),
    onnx(
        "MaxPool",
        1,
        Operator(pooling::max_pool),
        &[Differentiable],
        "one to three spatial axes; the tangent of the largest sample, the first of those that tie",
    ),
    onnx("Mean", 1, Operator(arithmetic::mean), &[Linear], ""),
    onnx("MeanVarianceNormalization", 9, Operator(mean_variance::mean_variance), &[Differentiable], ""),
    onnx("Min", 1, Operator(arithmetic::extremum), &[Differentiable], "operands that tie share the tangent"),
    onnx("Mish", 18, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Mod", 10, Operator(arithmetic::modulo), &[Automatic], ""),
    onnx("Mul", 1, Operator(arithmetic::mul), &[Linear, Differentiable], "linear where one factor is constant"),
    onnx("Neg", 1, Operator(arithmetic::neg), &[Linear], ""),
    onnx("NonZero", 9, Make::Constant, &[Constant], "constant input"),
    onnx("Not", 1, Operator(logic::predicate), &[LocallyConstant], ""),
    onnx("OneHot", 9, Make::Constant, &[Constant], "constant input"),
    onnx("Or", 1, Operator(logic::predicate), &[LocallyConstant], ""),
    onnx("PRelu", 1, Operator(activation::prelu), &[Elementwise], "constant slope"),
    onnx("Pad", 1, Operator(pad::pad), &[Linear], "constant pads; negative ones crop before anything is copied"),
    onnx(
        "Pow",
        1,
        Operator(arithmetic::pow),
        &[Elementwise, Automatic],
        "elementwise where the exponent is one constant",
    ),
    onnx(
        "QuantizeLinear",
        10,
        Operator(quantization::quantize),
        &[Elementwise],
        "constant scale and zero point, to whole numbers; of what depends on the input with --quantised straight-through alone",
    ),
    onnx("RMSNormalization", 23, Operator(normalization::root_mean_square), &[Differentiable], "constant scale"),
    onnx("RNN", 1, Operator(recurrent::recurrent), &[Automatic], "constant weights; whole sequences"),
    onnx("Range", 11, Make::Constant, &[Constant], "constant bounds"),
    onnx("Reciprocal", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("ReduceL1", 1, Operator(reduction::reduce), &[Differentiable], ""),
    onnx("ReduceL2", 1, Operator(reduction::reduce), &[Differentiable], ""),
    onnx("ReduceLogSum", 1, Operator(reduction::reduce), &[Differentiable], ""),
    onnx("ReduceLogSumExp", 1, Operator(reduction::reduce), &[Differentiable], ""),
    onnx("ReduceMax", 1, Operator(reduction::reduce), &[Differentiable], "entries that tie share the tangent"),
    onnx("ReduceMean", 1, Operator(reduction::reduce), &[Linear], ""),
    onnx("ReduceMin", 1, Operator(reduction::reduce), &[Differentiable], "entries that tie share the tangent"),
    onnx("ReduceProd", 1, Operator(reduction::reduce), &[Automatic], ""),
    onnx("ReduceSum", 1, Operator(reduction::reduce), &[Linear], ""),
    onnx("ReduceSumSquare", 1, Operator(reduction::reduce), &[Differentiable], ""),
    onnx("Relu", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Reshape", 1, Operator(reshape::reshape), &[Linear], "constant shape"),
    onnx(
        "Resize",
        10,
        Operator(resize::resize),
        &[Linear],
        "a matrix, or an index, per axis; positions are exact fractions (ONNX Runtime's are rounded to single precision, and \
         now and then pick the neighbour of the nearest sample); sizes from scales, align_corners with fractional scales, and \
         opset 10 as in ONNX Runtime",
    ),
    onnx("ReverseSequence", 10, Operator(rearrangement::reverse_sequence), &[Linear], "constant sequence_lens"),
    onnx("RotaryEmbedding", 23, Operator(attention::rotary_embedding), &[Linear], "constant angles and positions"),
    onnx("Round", 11, Operator(activation::step), &[LocallyConstant], ""),
    onnx(
        "Scatter",
        9,
        Operator(scatter::scatter_elements),
        &[Linear, Automatic],
        "constant indices; linear for reduction none and add",
    ),
    onnx(
        "ScatterElements",
        11,
        Operator(scatter::scatter_elements),
        &[Linear, Automatic],
        "constant indices; linear for reduction none and add",
    ),
    onnx(
        "ScatterND",
        11,
        Operator(scatter::scatter_nd),
        &[Linear, Automatic],
        "constant indices; linear for reduction none and add",
    ),
    onnx("Selu", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("SequenceAt", 11, List, &[Nodes], "Identity; constant place"),
    onnx("SequenceConstruct", 11, List, &[Nodes], "a list of values"),
    onnx("SequenceEmpty", 11, List, &[Nodes], "a list of values"),
    onnx("SequenceErase", 11, List, &[Nodes], "constant place"),
    onnx("SequenceInsert", 11, List, &[Nodes], "constant place"),
    onnx("SequenceLength", 11, List, &[Nodes], "a constant"),
    onnx("Shape", 1, Make::Constant, &[Constant], ""),
    onnx("Shrink", 9, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Sigmoid", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Sign", 9, Operator(activation::step), &[LocallyConstant], ""),
    onnx(
        "SimplifiedLayerNormalization",
        1,
        Operator(normalization::root_mean_square),
        &[Differentiable],
        "as ONNX Runtime's optimiser writes it; constant scale",
    ),
    onnx("Sin", 7, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Sinh", 9, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Size", 1, Make::Constant, &[Constant], ""),
    onnx("Slice", 1, Operator(selection::slice), &[Linear], "constant bounds"),
    onnx("Softmax", 1, Operator(softmax::softmax), &[Differentiable], "until opset 12 over all axes from its axis on"),
    onnx("Softplus", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Softsign", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("SpaceToDepth", 1, Operator(reshape::blocks), &[Linear], ""),
    onnx("Split", 1, Operator(selection::split), &[Linear], ""),
    onnx("SplitToSequence", 11, List, &[Nodes], "Split; constant sizes"),
    onnx("Sqrt", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Squeeze", 1, Operator(reshape::squeeze), &[Linear], ""),
    onnx("Sub", 1, Operator(arithmetic::sum), &[Linear], ""),
    onnx("Sum", 1, Operator(arithmetic::sum), &[Linear], ""),
    onnx("Swish", 24, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Tan", 7, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Tanh", 1, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("ThresholdedRelu", 10, Operator(activation::pointwise), &[Elementwise], ""),
    onnx("Tile", 1, Operator(selection::tile), &[Linear], "constant repeats"),
    onnx("TopK", 1, Operator(selection::top_k), &[Automatic], "constant k; indices do not move"),
    onnx("Transpose", 1, Operator(reshape::transpose), &[Linear], ""),
    onnx("Trilu", 14, Operator(cumulative::trilu), &[Linear], "constant k"),
    onnx("Unsqueeze", 1, Operator(reshape::unsqueeze), &[Linear], ""),
    onnx("Upsample", 1, Operator(resize::resize), &[Linear], "a matrix, or an index, per axis; scales of 1 at least"),
    onnx("Where", 9, Operator(selection::choose), &[Differentiable], ""),
    onnx("Xor", 1, Operator(logic::predicate), &[LocallyConstant], ""),
    microsoft(
        "Attention",
        1,
        Make::Nodes(microsoft_attention::attention),
        &[Nodes],
        "MatMul, Softmax, MatMul; constant weight, bias and mask; no past",
    ),
    microsoft("BiasAdd", 1, Make::Nodes(microsoft::bias_add), &[Nodes], "Add, Add"),
    microsoft("BiasGelu", 1, Make::Nodes(microsoft::bias_gelu), &[Nodes], "Add, Gelu"),
    microsoft("BiasSoftmax", 1, Make::Nodes(microsoft::bias_softmax), &[Nodes], "Add, Softmax over the last axis"),
    microsoft("BiasSplitGelu", 1, Make::Nodes(microsoft::bias_split_gelu), &[Nodes], "Add, Gelu, Mul"),
    microsoft("FastGelu", 1, Make::Nodes(microsoft::bias_gelu), &[Nodes], "Add, Gelu"),
    microsoft("FusedConv", 1, Make::Nodes(microsoft::fused_conv), &[Nodes], "Conv, Add, its activation"),
    microsoft("FusedGemm", 1, Make::Nodes(microsoft::fused_gemm), &[Nodes], "Gemm, its activation"),
    microsoft(
        "FusedMatMul",
        1,
        Operator(matrix::matmul),
        &[Linear, Differentiable],
        "linear where one operand is constant",
    ),
    microsoft("Gelu", 1, Operator(activation::pointwise), &[Elementwise], ""),
    microsoft("GroupNorm", 1, Make::Nodes(microsoft::group_norm), &[Nodes], "GroupNormalization, Swish"),
    microsoft("LayerNormalization", 1, Operator(normalization::layer), &[Differentiable], "constant scale and bias"),
    microsoft(
        "MultiHeadAttention",
        1,
        Make::Nodes(microsoft_attention::multi_head_attention),
        &[Nodes],
        "MatMul, Softmax, MatMul; constant bias and mask; no past",
    ),
    microsoft("NhwcConv", 1, Make::Nodes(microsoft::nhwc_conv), &[Nodes], "Transpose, Conv, Transpose"),
    microsoft("QuickGelu", 1, Operator(activation::pointwise), &[Elementwise], ""),
    microsoft("SkipGroupNorm", 1, Make::Nodes(microsoft::group_norm), &[Nodes], "Add, GroupNormalization, Swish"),
    microsoft(
        "SkipLayerNormalization",
        1,
        Make::Nodes(microsoft::skip_layer_normalization),
        &[Nodes],
        "Add, LayerNormalization",
    ),
    microsoft(
        "SkipSimplifiedLayerNormalization",
        1,
        Make::Nodes(microsoft::skip_layer_normalization),
        &[Nodes],
        "Add, RMSNormalization",
    ),
    microsoft(
        "TransposeMatMul",
        1,
        Operator(matrix::matmul),
        &[Linear, Differentiable],
        "linear where one operand is constant",
    ),
];

/// Operators of any domain that are refused for a reason worth saying; all others are refused by name alone.
pub const REFUSED: &[Refusal] = &[
    Refusal {
        names: &[
            "ConvInteger",
            "DynamicQuantizeLinear",
            "DynamicQuantizeMatMul",
            "MatMulInteger",
            "MatMulIntegerToFloat",
            "MatMulNBits",
            "QAttention",
            "QGemm",
            "QLinearAdd",
            "QLinearAveragePool",
            "QLinearConcat",
            "QLinearConv",
            "QLinearGlobalAveragePool",
            "QLinearLeakyRelu",
            "QLinearMatMul",
            "QLinearMul",
            "QLinearSigmoid",
            "QLinearSoftmax",
        ],
        reason: "operators on quantised numbers, whose derivative is zero almost everywhere, so that no tangent passes; \
                 export the network with QuantizeLinear and DequantizeLinear around its operators (the QDQ format) and \
                 measure it with --quantised straight-through, or measure it from before its quantisation",
    },
    Refusal {
        names: &["Loop", "Scan"],
        reason: "loops are not unrolled; export the network for a fixed input size, so that the exporter unrolls them",
    },
    Refusal {
        names: &["Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"],
        reason: "a random output has no derivative; export the network in evaluation mode",
    },
    Refusal {
        names: &[
            "DecoderMaskedMultiHeadAttention",
            "DecoderMaskedSelfAttention",
            "GroupQueryAttention",
            "PackedAttention",
            "PackedMultiHeadAttention",
            "SparseAttention",
        ],
        reason: "attention of language models in steps or packed batches; export the network for one whole input",
    },
    Refusal {
        names: &["EmbedLayerNormalization"],
        reason: "its input holds token indices, along which there is no derivative; measure the network after it",
    },
    Refusal {
        names: &["NonMaxSuppression"],
        reason: "which boxes it keeps has no derivative, and their number changes; cut the model before it",
    },
];

/// The entry of an operator, if it is supported.
pub fn find(domain: &str, operator: &str) -> Option<&'static Entry> {
    let domain = if domain == "ai.onnx" { "" } else { domain };
    OPERATORS.iter().find(|entry| entry.name == operator && entry.domain == domain)
}

/// Domains whose operators are refused, and why.
const REFUSED_DOMAINS: &[(&str, &str)] = &[(
    "com.microsoft.nchwc",
    "ONNX Runtime writes it for one processor's memory at its highest level; save the model with ORT_ENABLE_EXTENDED, or \
     take the one from before its optimisation",
)];

/// Why an operator is refused, where there is more to say than that it is not supported.
pub fn refusal(domain: &str, operator: &str) -> Option<&'static str> {
    if let Some((_, reason)) = REFUSED_DOMAINS.iter().find(|(known, _)| *known == domain) {
        return Some(reason);
    }
    REFUSED.iter().find(|refusal| refusal.names.contains(&operator)).map(|refusal| refusal.reason)
}

/// Whether an operator only moves entries of its first input.
pub fn moves_entries(operator: &str) -> bool {
    const MOVES: [&str; 11] = [
        "Concat",
        "Expand",
        "Flatten",
        "Gather",
        "Identity",
        "Reshape",
        "Slice",
        "Squeeze",
        "Tile",
        "Transpose",
        "Unsqueeze",
    ];
    MOVES.contains(&operator)
}

/// Whether an operator takes constants of element types that are held in wider ones.
pub fn takes_any_element_type(operator: &str) -> bool {
    matches!(operator, "Cast" | "DequantizeLinear" | "QuantizeLinear" | "Shape" | "Size") || moves_entries(operator)
}

/// Whether an operator does with an infinite constant what is meant beside values that are finite: masks that are added
/// in front of a softmax, bounds, padding in front of a maximum. All others would multiply by it.
pub fn takes_infinity(operator: &str) -> bool {
    const OPERATORS: [&str; 22] = [
        "Add",
        "And",
        "Attention",
        "CastLike",
        "Clip",
        "Concat",
        "Equal",
        "Greater",
        "GreaterOrEqual",
        "IsInf",
        "IsNaN",
        "Less",
        "LessOrEqual",
        "Max",
        "Min",
        "Or",
        "Pad",
        "Scatter",
        "ScatterElements",
        "ScatterND",
        "Sub",
        "Where",
    ];
    OPERATORS.contains(&operator)
}

/// The three supported operators whose names are nearest to `operator`, those of its domain first among equals, in words.
pub fn nearest(domain: &str, operator: &str) -> String {
    let wanted = operator.to_lowercase();
    let mut named: Vec<(f64, bool, &str)> = OPERATORS
        .iter()
        .map(|entry| (-strsim::jaro_winkler(&wanted, &entry.name.to_lowercase()), entry.domain != domain, entry.name))
        .collect();
    named.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut names: Vec<&str> = Vec::with_capacity(3);
    for (_, _, name) in named {
        if names.len() < 3 && !names.contains(&name) {
            names.push(name);
        }
    }
    match &names[..] {
        [first, second, third] => format!("{first}, {second} and {third}"),
        _ => names.join(", "),
    }
}
