//! Operators that are refused for a reason worth saying.

/// An operator that is refused for a reason worth saying.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The operators' names.
    pub names: &'static [&'static str],
    /// Why, and what to do.
    pub reason: &'static str,
}

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
