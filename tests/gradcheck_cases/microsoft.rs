//! What ONNX Runtime's optimiser writes, beside what stands with its relatives.

use aliascope::graph::onnx::proto::AttributeProto;

use super::{Case, Dims, In, c, case, cr, f, i, is, s, table, v};

pub fn cases(d: &Dims) -> Vec<Case> {
    let one = |operator: &'static str, inputs: Vec<In>, attributes: Vec<AttributeProto>| {
        case(operator, 1, inputs, attributes).microsoft()
    };
    let last = [d.n, d.h, d.w, d.c];
    let tokens = [d.n, d.h, 2 * d.c];
    let width = 2 * d.c;
    let mut all = vec![
        one("NhwcConv", vec![v(&last), c(&[3, 3, 2, d.c]), c(&[3])], vec![is("pads", &[1, 0, 2, 1])]),
        one("NhwcConv", vec![v(&last), c(&[4, 3, 2, d.c / 2])], vec![i("group", 2), is("kernel_shape", &[3, 2])]),
        one("GroupNorm", vec![v(&last), c(&[d.c]), c(&[d.c])], vec![i("groups", 2), i("activation", 1)]),
        one(
            "GroupNorm",
            vec![v(&d.image()), c(&[d.c]), c(&[d.c])],
            vec![i("groups", 2), i("activation", 0), i("channels_last", 0), f("epsilon", 0.01)],
        ),
        one(
            "SkipGroupNorm",
            vec![v(&last), c(&[d.c]), c(&[d.c]), v(&[d.n, d.c]), c(&[d.c])],
            vec![i("groups", 2), i("activation", 1)],
        )
        .outputs(2),
        one(
            "SkipGroupNorm",
            vec![v(&d.image()), c(&[d.c]), c(&[d.c]), v(&d.image()), c(&[d.c])],
            vec![i("groups", 1), i("activation", 0), i("channels_last", 0)],
        ),
        one("BiasAdd", vec![v(&tokens), c(&[width]), v(&tokens)], vec![]),
        one("BiasSplitGelu", vec![v(&tokens), c(&[width])], vec![]),
        one("BiasSoftmax", vec![v(&tokens), v(&[1, d.h, width])], vec![i("axis", 2), i("is_inner_broadcast", 0)]),
        one("SkipSimplifiedLayerNormalization", vec![v(&tokens), v(&tokens), c(&[width]), c(&[width])], vec![]),
        one("SkipSimplifiedLayerNormalization", vec![v(&tokens), c(&tokens), c(&[width])], vec![f("epsilon", 0.01)]),
        case(
            "SimplifiedLayerNormalization",
            13,
            vec![v(&tokens), c(&[width])],
            vec![f("epsilon", 0.01), i("axis", -1)],
        ),
        one("TransposeMatMul", vec![v(&tokens), c(&[3, width])], vec![i("transB", 1), f("alpha", 0.6)]),
        one("TransposeMatMul", vec![v(&tokens), v(&tokens)], vec![i("transA", 1)]),
        // The rows of A are its first axis, [rows, n, c, columns]; those of B too, and then both are turned.
        one("FusedMatMul", vec![v(&[3, d.n, d.c, d.w]), c(&[d.n, d.c, d.w, 2])], vec![i("transBatchA", 1)]),
        one(
            "FusedMatMul",
            vec![v(&[d.w, d.n, d.c, 3]), v(&[2, d.n, d.c, d.w])],
            vec![i("transBatchA", 1), i("transBatchB", 1), i("transA", 1), i("transB", 1), f("alpha", 0.3)],
        ),
    ];
    for (activation, parameters) in [
        ("Relu", vec![]),
        ("Softplus", vec![]),
        ("LeakyRelu", vec![f("activation_alpha", 0.2)]),
        ("HardSigmoid", vec![f("activation_alpha", 0.2), f("activation_beta", 0.4)]),
        ("Selu", vec![f("activation_alpha", 1.2), f("activation_gamma", 0.8)]),
    ] {
        let attributes = [vec![s("activation", activation), i("transB", 1), f("alpha", 0.7)], parameters].concat();
        all.push(one("FusedGemm", vec![v(&[d.h, d.w]), c(&[3, d.w]), c(&[3])], attributes));
    }
    all.extend(attentions(d));
    all
}

fn attentions(d: &Dims) -> Vec<Case> {
    let (n, h, width) = (d.n, d.h, 2 * d.c);
    let tokens = [n, h, width];
    let one = |operator: &'static str, inputs: Vec<In>, more: Vec<AttributeProto>| {
        // Products and softmax run as one attention, of which libtorch has no forward-mode derivative.
        case(operator, 1, inputs, [vec![i("num_heads", 2)], more].concat()).microsoft().without_peer()
    };
    let small = |shape: &[i64]| cr(shape, -0.8, 0.8);
    let matrix = || small(&[width, 3 * width]);
    let lengths = || table(&[n], &vec![h - 1; n as usize]);
    // All but the last two keys, and all but one pair.
    let keys: Vec<i64> = (0..n * h).map(|at| i64::from(at % h < h - 2)).collect();
    let pairs: Vec<i64> = (0..n * h * h).map(|at| i64::from(at % (h * h) != 1)).collect();
    let attention = |inputs: Vec<In>, more: Vec<AttributeProto>| one("Attention", inputs, more);
    let several = |inputs: Vec<In>, more: Vec<AttributeProto>| one("MultiHeadAttention", inputs, more);
    vec![
        attention(vec![v(&tokens), matrix(), c(&[3 * width])], vec![]),
        attention(vec![v(&tokens), matrix()], vec![i("unidirectional", 1), f("scale", 0.3)]),
        attention(
            vec![v(&tokens), small(&[width, 2 * width + 4]), c(&[2 * width + 4])],
            vec![is("qkv_hidden_sizes", &[width, width, 4])],
        ),
        attention(vec![v(&tokens), matrix(), c(&[3 * width]), lengths()], vec![f("mask_filter_value", -3.0)]),
        attention(vec![v(&tokens), matrix(), In::Absent, table(&[n, h], &keys)], vec![]),
        attention(
            vec![v(&tokens), matrix(), In::Absent, table(&[n, h, h], &pairs), In::Absent, c(&[1, 2, h, h])],
            vec![i("unidirectional", 1)],
        ),
        several(vec![v(&tokens), v(&tokens), v(&tokens)], vec![]),
        several(
            vec![v(&tokens), v(&[n, 3, width]), v(&[n, 3, 4]), c(&[2 * width + 4])],
            vec![f("scale", 0.4), f("mask_filter_value", -2.0)],
        ),
        several(vec![v(&tokens), v(&[n, 2, 3, d.c]), v(&[n, 2, 3, 5])], vec![]),
        several(vec![v(&tokens), v(&[n, 3, 2, 2, d.c])], vec![]),
        several(vec![v(&[n, h, 2, 3, d.c]), In::Absent, In::Absent, c(&[3 * width])], vec![i("unidirectional", 1)]),
        several(
            vec![v(&tokens), c(&tokens), v(&tokens), In::Absent, table(&[n, h], &keys), v(&[n, 2, h, h])],
            vec![f("mask_filter_value", -2.0)],
        ),
    ]
}
