//! Matrices, reductions, and operators that move, pick and join entries.

use super::{Case, Dims, In, c, case, cr, f, i, is, list, s, table, v, vr};

pub fn cases(d: &Dims) -> Vec<Case> {
    let mut all = matrices(d);
    all.extend(reductions(d));
    all.extend(moves(d));
    all.extend(picks(d));
    all.extend(attention(d));
    all
}

fn matrices(d: &Dims) -> Vec<Case> {
    let stack = [d.n, d.c, d.h, d.w];
    let (tall, wide) = ([d.h, d.w], [d.w, d.h]);
    let einsum = |inputs: Vec<In>, equation: &'static str| case("Einsum", 12, inputs, vec![s("equation", equation)]);
    let gemm = |inputs: Vec<In>, attributes| case("Gemm", 13, inputs, attributes);
    let fused = |inputs: Vec<In>, attributes| case("FusedMatMul", 1, inputs, attributes).microsoft();
    let scaled = || vec![f("alpha", 0.7), f("beta", 1.3), i("transA", 1), i("transB", 1)];
    let mut all = vec![
        gemm(vec![v(&tall), c(&wide)], vec![]),
        gemm(vec![v(&tall), c(&wide), c(&[d.h])], vec![f("alpha", 0.7), f("beta", 1.3)]),
        gemm(vec![v(&wide), c(&wide), c(&[d.h, 1])], vec![i("transA", 1)]),
        gemm(vec![v(&tall), c(&tall)], vec![i("transB", 1)]),
        gemm(vec![c(&tall), v(&wide), v(&[d.h])], vec![f("alpha", 0.7), f("beta", 1.3)]),
        gemm(vec![v(&wide), v(&tall), c(&[1])], scaled()),
        gemm(vec![v(&tall), c(&wide), v(&[d.h, d.h])], vec![f("beta", 0.4)]),
        fused(vec![v(&stack), c(&[d.h, d.w])], vec![i("transB", 1), f("alpha", 0.6)]),
        fused(vec![v(&stack), v(&stack)], vec![i("transA", 1), f("alpha", 0.6)]),
        fused(vec![c(&stack), v(&stack)], vec![i("transB", 1)]),
        einsum(vec![v(&stack), c(&[3, d.h, d.w])], "nchw,khw->nck"),
        einsum(vec![v(&tall), v(&wide)], "ij,jk->ik"),
        einsum(vec![v(&tall), v(&wide)], "ij,jk"),
        einsum(vec![v(&stack), v(&stack)], "nchw , ncHw -> nchH"),
        einsum(vec![v(&stack), c(&wide)], "...ij,jk->...ik"),
        einsum(vec![v(&tall), v(&[d.h]), v(&[d.w])], "ij,i,j->"),
        einsum(vec![v(&stack)], "nchw->nwc"),
        einsum(vec![v(&[d.h, d.h])], "ii->i"),
        einsum(vec![v(&tall), In::Same(0)], "ij,ij->j"),
        case("MatMul", 13, vec![v(&[d.h, d.h]), In::Same(0)], vec![]),
    ];
    for (left, right) in [
        (&stack[..], &wide[..]),
        (&tall[..], &[d.n, d.c, d.w, 3][..]),
        (&stack[..], &[d.c, d.w, 3][..]),
        (&[d.w][..], &wide[..]),
        (&stack[..], &[d.w][..]),
        (&[d.w][..], &[d.w][..]),
        (&[d.h][..], &stack[..]),
    ] {
        all.push(case("MatMul", 13, vec![v(left), c(right)], vec![]));
        all.push(case("MatMul", 13, vec![c(left), v(right)], vec![]));
        all.push(case("MatMul", 13, vec![v(left), v(right)], vec![]));
    }
    all
}

fn reductions(d: &Dims) -> Vec<Case> {
    let x = d.image();
    let x = x.as_slice();
    let mut all = Vec::new();
    for operator in [
        "ReduceMean",
        "ReduceSum",
        "ReduceL1",
        "ReduceL2",
        "ReduceMax",
        "ReduceMin",
        "ReduceSumSquare",
        "ReduceLogSum",
        "ReduceLogSumExp",
        "ReduceProd",
    ] {
        let input = || if operator == "ReduceLogSum" { vr(x, 0.3, 2.0) } else { vr(x, -1.4, 1.4) };
        // An input since opset 13 for the sum, 18 for the others.
        all.push(case(operator, 18, vec![input(), list(&[1])], vec![]));
        all.push(case(operator, 18, vec![input(), list(&[-1, 1])], vec![i("keepdims", 0)]));
        if operator != "ReduceSum" {
            all.push(case(operator, 11, vec![input()], vec![is("axes", &[2, 3]), i("keepdims", 0)]));
        }
        if operator != "ReduceProd" {
            all.push(case(operator, 11, vec![input()], vec![i("keepdims", 0)]));
        }
    }
    all.push(case("ReduceSum", 13, vec![v(x)], vec![i("noop_with_empty_axes", 1)]));
    for operator in ["ArgMax", "ArgMin"] {
        all.push(case(operator, 13, vec![v(x)], vec![i("axis", 2)]));
        all.push(case(operator, 13, vec![v(x)], vec![i("axis", -1), i("keepdims", 0), i("select_last_index", 1)]));
    }
    for (exclusive, reverse) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let attributes = vec![i("exclusive", exclusive), i("reverse", reverse)];
        all.push(case("CumSum", 14, vec![v(x), table(&[], &[2])], attributes));
    }
    for upper in [0, 1] {
        all.push(case("Trilu", 14, vec![v(x), table(&[], &[-1])], vec![i("upper", upper)]));
        all.push(case("Trilu", 14, vec![v(x)], vec![i("upper", upper)]));
    }
    all
}

fn moves(d: &Dims) -> Vec<Case> {
    let x = d.image();
    let x = x.as_slice();
    let pads = || list(&[0, 1, 2, 0, 0, 0, 1, 2]);
    let mut all = vec![
        case("Reshape", 14, vec![v(x), list(&[0, -1, d.w])], vec![]),
        case("Reshape", 14, vec![v(x), list(&[d.w, d.h, d.c, d.n])], vec![i("allowzero", 1)]),
        case("Flatten", 13, vec![v(x)], vec![]),
        case("Flatten", 13, vec![v(x)], vec![i("axis", -1)]),
        case("Flatten", 13, vec![v(x)], vec![i("axis", 0)]),
        case("Squeeze", 13, vec![v(&[1, d.c, 1, d.w]), list(&[2])], vec![]),
        case("Squeeze", 11, vec![v(&[1, d.c, 1, d.w])], vec![is("axes", &[0, -2])]),
        case("Squeeze", 13, vec![v(&[1, d.c, 1, d.w])], vec![]),
        case("Unsqueeze", 13, vec![v(x), list(&[0, -1])], vec![]),
        case("Unsqueeze", 11, vec![v(x)], vec![is("axes", &[1, 3])]),
        case("Transpose", 13, vec![v(x)], vec![]),
        case("Transpose", 13, vec![v(x)], vec![is("perm", &[0, 2, 3, 1])]),
        case("Cast", 13, vec![v(x)], vec![i("to", 1)]),
        case("Cast", 13, vec![v(x)], vec![i("to", 7)]),
        case("Cast", 13, vec![v(x)], vec![i("to", 9)]),
        case("CastLike", 15, vec![v(x), c(&[1])], vec![]),
        case("CastLike", 15, vec![v(x), list(&[1])], vec![]),
        case("Expand", 13, vec![v(&[d.c, 1, d.w]), list(&[d.n, 1, d.h, 1])], vec![]),
        case("Tile", 13, vec![v(x), list(&[1, 2, 1, 3])], vec![]),
        case("Concat", 13, vec![v(x), c(x), v(&[d.n, 3, d.h, d.w])], vec![i("axis", 1)]),
        case("Concat", 13, vec![v(x), v(x)], vec![i("axis", -1)]),
        case("Concat", 13, vec![c(&[d.n, 1, d.w]), v(&[d.n, d.h, d.w])], vec![i("axis", 1)]),
        case("Split", 13, vec![v(x), list(&[1, d.w - 1])], vec![i("axis", 3)]).outputs(2),
        case("Split", 11, vec![v(x)], vec![i("axis", -2), is("split", &[1, 2, d.h - 3])]).outputs(3),
        case("Split", 18, vec![v(&[d.n, 7, d.w])], vec![i("axis", 1), i("num_outputs", 3)]).outputs(3),
        case("Split", 13, vec![v(x)], vec![i("axis", 1)]).outputs(2),
        case("Slice", 13, vec![v(x), list(&[1, 0]), list(&[4, -1]), list(&[2, 3]), list(&[2, 1])], vec![]),
        case("Slice", 13, vec![v(x), list(&[-1]), list(&[-100]), list(&[3]), list(&[-2])], vec![]),
        case("Slice", 9, vec![v(x)], vec![is("starts", &[1]), is("ends", &[1 << 40]), is("axes", &[2])]),
    ];
    for mode in ["constant", "reflect", "edge", "wrap"] {
        all.push(case("Pad", 19, vec![v(x), pads()], vec![s("mode", mode)]));
    }
    all.extend([
        case("Pad", 13, vec![v(x), pads(), cr(&[], 0.6, 0.7)], vec![]),
        case("Pad", 18, vec![v(x), list(&[1, -1]), cr(&[], 0.6, 0.7), list(&[-1])], vec![]),
        case("Pad", 7, vec![v(x)], vec![is("pads", &[0, 0, 1, 1, 0, 0, 1, 1]), f("value", 0.4)]),
    ]);
    all
}

fn picks(d: &Dims) -> Vec<Case> {
    let x = d.image();
    let x = x.as_slice();
    let tall = [d.h, d.w];
    let mut all = vec![
        case("Gather", 13, vec![v(x), list(&[0, -1, 1])], vec![i("axis", 3)]),
        case("Gather", 13, vec![v(x), table(&[], &[1])], vec![i("axis", 2)]),
        case("Gather", 13, vec![v(&tall), table(&[2, 2], &[0, 1, -1, 2])], vec![]),
        case("GatherElements", 13, vec![v(&tall), table(&[2, 2], &[0, 1, -1, 2])], vec![i("axis", 1)]),
        case("GatherElements", 13, vec![v(&tall), table(&[2, 2], &[0, 1, -1, 2])], vec![]),
        case("GatherND", 13, vec![v(x), table(&[2, 2], &[0, 1, 0, -1])], vec![]),
        case("GatherND", 13, vec![v(&[2, d.h, d.w]), table(&[2, 1], &[1, -1])], vec![i("batch_dims", 1)]),
        case("TopK", 11, vec![v(x), list(&[3])], vec![]).outputs(2),
        case("TopK", 11, vec![v(x), list(&[2])], vec![i("axis", 2), i("largest", 0)]).outputs(2),
        case("TopK", 11, vec![v(x), list(&[2])], vec![i("sorted", 0)]),
    ];
    for reduction in ["none", "add", "mul", "max", "min"] {
        let how = || vec![s("reduction", reduction)];
        // The reductions that combine meet a place twice; which of two updates stays is not defined for `none`.
        let rows = if reduction == "none" { [0, 3, -2] } else { [0, 3, 0] };
        let (rows, updates) = (table(&[3, 1], &rows), [3, d.w]);
        all.push(case("ScatterND", 18, vec![v(&tall), rows.clone(), v(&updates)], how()));
        all.push(case("ScatterND", 18, vec![v(&tall), rows.clone(), c(&updates)], how()));
        all.push(case("ScatterND", 18, vec![c(&tall), rows.clone(), v(&updates)], how()));
        let places = if reduction == "none" { [0, 1, 2, -1] } else { [0, 0, 1, 1] };
        let places = table(&[2, 2], &places);
        for axis in [0, 1] {
            let how = || vec![s("reduction", reduction), i("axis", axis)];
            all.push(case("ScatterElements", 18, vec![v(&tall), places.clone(), v(&[2, 2])], how()));
            all.push(case("ScatterElements", 18, vec![v(&tall), places.clone(), c(&[2, 2])], how()));
        }
    }
    all.push(case("Scatter", 9, vec![v(&tall), table(&[1, 2], &[1, 3]), v(&[1, 2])], vec![i("axis", 1)]));
    all.push(case("Scatter", 9, vec![c(&tall), table(&[1, 2], &[1, 3]), v(&[1, 2])], vec![]));
    // Of no exporter, but the table says that it exists.
    all.push(case("Scatter", 9, vec![v(&tall), table(&[1, 2], &[1, 3]), v(&[1, 2])], vec![s("reduction", "max")]));
    all
}

fn attention(d: &Dims) -> Vec<Case> {
    let (sequence, size) = (d.h, 4);
    let heads = [d.n, 4, sequence, size];
    let shared = [d.n, 2, d.w, size];
    let flat = [d.n, sequence, 4 * size];
    let counts = || vec![i("q_num_heads", 4), i("kv_num_heads", 4)];
    let mask = vec![sequence, d.w];
    let holds = In::Bools(mask.clone(), (0..sequence * d.w).map(|i| i % 3 != 1).collect());
    let cosine = || cr(&[9, 2], -1.0, 1.0);
    let positions = || table(&[d.n, sequence], &(0..d.n * sequence).map(|i| i % 9).collect::<Vec<_>>());
    let rotary = |inputs: Vec<In>, attributes| case("RotaryEmbedding", 23, inputs, attributes);
    vec![
        case("Attention", 23, vec![v(&heads), v(&heads), v(&heads)], vec![]).outputs(4),
        case("Attention", 23, vec![v(&heads), v(&heads), v(&heads)], vec![i("is_causal", 1), f("scale", 0.3)]),
        case("Attention", 23, vec![v(&heads), c(&shared), v(&shared)], vec![]),
        case("Attention", 23, vec![v(&heads), v(&shared), v(&shared), c(&mask)], vec![f("softcap", 1.5)]),
        case("Attention", 23, vec![v(&heads), v(&shared), v(&shared), holds], vec![]),
        case("Attention", 23, vec![v(&flat), v(&flat), v(&flat)], counts()),
        case(
            "Attention",
            23,
            vec![v(&heads), v(&heads), v(&heads), In::Absent, c(&[d.n, 4, 3, size]), v(&[d.n, 4, 3, size])],
            vec![i("qk_matmul_output_mode", 3), i("is_causal", 1)],
        )
        .outputs(4),
        rotary(vec![v(&heads), cosine(), cosine(), positions()], vec![]),
        rotary(vec![v(&heads), cosine(), cosine(), positions()], vec![i("interleaved", 1)]),
        rotary(vec![v(&flat), cosine(), cosine(), positions()], vec![i("num_heads", 4)]),
        rotary(
            vec![v(&heads), cr(&[d.n, sequence, 1], -1.0, 1.0), cr(&[d.n, sequence, 1], -1.0, 1.0)],
            vec![i("rotary_embedding_dim", 2)],
        ),
    ]
}
