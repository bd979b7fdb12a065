//! Recurrent layers, and operators that few networks have.

use aliascope::graph::onnx::proto::AttributeProto;

use super::{Case, Dims, In, c, case, cr, f, i, is, list, s, table, v};

pub fn cases(d: &Dims) -> Vec<Case> {
    let mut all = recurrent(d);
    let x = d.image();
    let x = x.as_slice();
    let columns = |image: [i64; 2], strides: [i64; 2]| (image[0] - 2) / strides[0] * ((image[1] - 1) / strides[1] + 1);
    all.extend([
        case("Col2Im", 18, vec![v(&[d.n, d.c * 6, columns([6, 5], [1, 1])]), list(&[6, 6]), list(&[3, 2])], vec![]),
        case(
            "Col2Im",
            18,
            vec![v(&[d.n, d.c * 4, 3 * 3]), list(&[4, 5]), list(&[2, 2])],
            vec![is("pads", &[1, 0, 0, 2]), is("strides", &[1, 2]), is("dilations", &[2, 2])],
        ),
        case("Col2Im", 18, vec![v(&[d.n, 3, 4]), list(&[6]), list(&[3])], vec![]),
        case("ReverseSequence", 10, vec![v(&[d.h, d.n, d.w]), list(&vec![3; d.n as usize])], vec![]),
        case(
            "ReverseSequence",
            10,
            vec![v(&[d.n, d.h, d.w]), list(&vec![d.h - 1; d.n as usize])],
            vec![i("batch_axis", 0), i("time_axis", 1)],
        ),
        case("Compress", 11, vec![v(x), In::Bools(vec![3], vec![true, false, true])], vec![i("axis", -1)]),
        case("Compress", 11, vec![v(x), In::Bools(vec![4], vec![false, true, false, true])], vec![]),
        case("CenterCropPad", 18, vec![v(x), list(&[d.h + 3, 3])], vec![is("axes", &[-2, 3])]),
        case("CenterCropPad", 18, vec![v(x), list(&[d.n, d.c + 1, 2, d.w])], vec![]),
        case("AffineGrid", 20, vec![v(&[d.n, 2, 3]), list(&[d.n, 1, 3, 4])], vec![]),
        case("AffineGrid", 20, vec![v(&[d.n, 3, 4]), list(&[d.n, 1, 3, 1, 2])], vec![i("align_corners", 1)]),
        case("MeanVarianceNormalization", 13, vec![v(x)], vec![]),
        case("MeanVarianceNormalization", 13, vec![v(x)], vec![is("axes", &[-1, 1])]),
        case("Det", 11, vec![v(&[d.n, 3, 3])], vec![]),
        case("Hardmax", 13, vec![v(x)], vec![]),
        case("Hardmax", 11, vec![v(x)], vec![]),
        case("Hardmax", 13, vec![v(x)], vec![i("axis", 1)]),
    ]);
    // Bits of places, which arg max makes.
    for (operator, opset, more) in [
        ("BitwiseAnd", 18, vec![]),
        ("BitwiseOr", 18, vec![]),
        ("BitwiseXor", 18, vec![]),
        ("BitShift", 11, vec![s("direction", "LEFT")]),
    ] {
        let mut one = bits(d, operator, opset, more);
        one.inputs.push(table(&[1], &[1]));
        all.push(one);
    }
    all.push(bits(d, "BitwiseNot", 18, vec![]));
    all
}

fn bits(d: &Dims, operator: &'static str, opset: i64, attributes: Vec<AttributeProto>) -> Case {
    let mut places = crate::common::model::node("ArgMax", &["in0"], &["places"]);
    places.attribute = vec![i("axis", -1)];
    case(operator, opset, vec![v(&d.image())], attributes).instead("places", vec![places])
}

fn recurrent(d: &Dims) -> Vec<Case> {
    let (steps, batch, features, size) = (3, d.n, d.c, 2);
    let x = || v(&[steps, batch, features]);
    let small = |shape: &[i64]| cr(shape, -0.9, 0.9);
    let mut all = Vec::new();
    for (operator, gates) in [("RNN", 1), ("GRU", 3), ("LSTM", 4)] {
        let wide = gates * size;
        let weights = |n: i64| vec![small(&[n, wide, features]), small(&[n, wide, size])];
        let hidden = || i("hidden_size", size);
        let outputs = if operator == "LSTM" { 3 } else { 2 };
        all.push(case(operator, 14, [vec![x()], weights(1)].concat(), vec![hidden()]).outputs(outputs));
        let mut whole = [vec![x()], weights(2), vec![small(&[2, 2 * wide]), In::Absent]].concat();
        whole.push(v(&[2, batch, size]));
        if operator == "LSTM" {
            whole.extend([c(&[2, batch, size]), small(&[2, 3 * size])]);
        }
        let both = vec![hidden(), s("direction", "bidirectional"), f("clip", 1.3)];
        all.push(case(operator, 14, whole, both).outputs(outputs));
        let turned = [vec![v(&[batch, steps, features])], weights(1), vec![small(&[1, 2 * wide])]].concat();
        let reverse = vec![hidden(), s("direction", "reverse"), i("layout", 1)];
        all.push(case(operator, 14, turned, reverse).outputs(outputs));
    }
    let wide = 3 * size;
    let gru = vec![x(), small(&[1, wide, features]), small(&[1, wide, size]), small(&[1, 2 * wide])];
    all.push(case("GRU", 14, gru, vec![i("hidden_size", size), i("linear_before_reset", 1)]));
    let wide = 4 * size;
    let lstm = vec![c(&[steps, batch, features]), small(&[1, wide, features]), small(&[1, wide, size]), In::Absent]
        .into_iter()
        .chain([In::Absent, c(&[1, batch, size]), v(&[1, batch, size])])
        .collect();
    let named = AttributeProto {
        name: Some("activations".to_owned()),
        r#type: Some(8),
        strings: ["HardSigmoid", "Softsign", "Relu"].map(|name| name.as_bytes().to_vec()).to_vec(),
        ..Default::default()
    };
    all.push(case("LSTM", 14, lstm, vec![i("hidden_size", size), i("input_forget", 1), named]));
    all
}
