//! Pointwise functions, arithmetic, comparisons.

use super::{Case, Dims, In, c, case, cr, f, i, s, v, vr};
use crate::common::model::node;

pub fn cases(d: &Dims) -> Vec<Case> {
    let x = d.image();
    let (x, row, channel) = (x.as_slice(), &[d.w][..], &[d.c, 1, 1][..]);
    let mut all = Vec::new();
    for (operator, low, high) in [
        ("Abs", -2.0, 2.0),
        ("Acos", -0.9, 0.9),
        ("Acosh", 1.2, 3.0),
        ("Asin", -0.9, 0.9),
        ("Asinh", -2.0, 2.0),
        ("Atan", -2.0, 2.0),
        ("Atanh", -0.9, 0.9),
        ("Celu", -2.0, 2.0),
        ("Cos", -2.0, 2.0),
        ("Cosh", -2.0, 2.0),
        ("Elu", -2.0, 2.0),
        ("Erf", -2.0, 2.0),
        ("Exp", -2.0, 2.0),
        ("Gelu", -3.0, 3.0),
        ("HardSigmoid", -4.0, 4.0),
        ("HardSwish", -4.0, 4.0),
        ("LeakyRelu", -2.0, 2.0),
        ("Log", 0.3, 3.0),
        ("Mish", -3.0, 3.0),
        ("Reciprocal", 0.4, 3.0),
        ("Relu", -2.0, 2.0),
        ("Selu", -2.0, 2.0),
        ("Shrink", -2.0, 2.0),
        ("Sigmoid", -3.0, 3.0),
        ("Sin", -2.0, 2.0),
        ("Sinh", -2.0, 2.0),
        ("Softplus", -3.0, 3.0),
        ("Softsign", -3.0, 3.0),
        ("Sqrt", 0.3, 3.0),
        ("Swish", -3.0, 3.0),
        ("Tan", -1.2, 1.2),
        ("Tanh", -2.0, 2.0),
        ("ThresholdedRelu", -3.0, 3.0),
        ("Ceil", -2.0, 2.0),
        ("Floor", -2.0, 2.0),
        ("Round", -2.0, 2.0),
        ("Sign", -2.0, 2.0),
        ("Neg", -2.0, 2.0),
        ("Identity", -2.0, 2.0),
        ("Dropout", -2.0, 2.0),
        ("Not", -2.0, 2.0),
        ("IsNaN", -2.0, 2.0),
        ("IsInf", -2.0, 2.0),
    ] {
        all.push(case(operator, 20, vec![vr(x, low, high)], vec![]));
    }
    all.extend([
        case("LeakyRelu", 11, vec![v(x)], vec![f("alpha", 0.3)]),
        case("ThresholdedRelu", 11, vec![v(x)], vec![f("alpha", 0.6)]),
        case("Elu", 11, vec![v(x)], vec![f("alpha", 0.7)]),
        case("Celu", 12, vec![v(x)], vec![f("alpha", 0.7)]),
        case("Selu", 11, vec![v(x)], vec![f("alpha", 1.4), f("gamma", 0.9)]),
        case("HardSigmoid", 11, vec![vr(x, -4.0, 4.0)], vec![f("alpha", 0.3), f("beta", 0.4)]),
        case("Gelu", 20, vec![vr(x, -3.0, 3.0)], vec![s("approximate", "tanh")]),
        case("Swish", 24, vec![vr(x, -3.0, 3.0)], vec![f("alpha", 1.3)]),
        case("Shrink", 11, vec![v(x)], vec![f("lambd", 0.7), f("bias", 0.2)]),
        case("Clip", 7, vec![v(x)], vec![f("min", -0.7), f("max", 1.2)]),
        case("Clip", 13, vec![v(x), cr(&[], -0.7, -0.6), cr(&[], 1.1, 1.2)], vec![]),
        case("Clip", 13, vec![v(x), In::Absent, cr(&[], 1.1, 1.2)], vec![]),
        case("PRelu", 16, vec![v(x), cr(channel, 0.1, 0.9)], vec![]),
        case("PRelu", 16, vec![v(x), cr(x, 0.1, 0.9)], vec![]),
        case("IsInf", 20, vec![v(x)], vec![i("detect_negative", 1), i("detect_positive", 1)]),
        case("Gelu", 1, vec![vr(x, -3.0, 3.0)], vec![]).microsoft(),
        case("QuickGelu", 1, vec![vr(x, -3.0, 3.0)], vec![]).microsoft(),
        case("QuickGelu", 1, vec![vr(x, -3.0, 3.0)], vec![f("alpha", 1.2)]).microsoft(),
        case("FastGelu", 1, vec![vr(x, -3.0, 3.0)], vec![]).microsoft(),
        case("FastGelu", 1, vec![vr(x, -3.0, 3.0), c(row)], vec![]).microsoft(),
        case("BiasGelu", 1, vec![vr(x, -3.0, 3.0), c(row)], vec![]).microsoft(),
        case("BiasGelu", 1, vec![vr(x, -3.0, 3.0), v(row)], vec![]).microsoft(),
    ]);
    for operator in ["Add", "Sub", "Mul", "Div", "Max", "Min"] {
        // Away from zero, for the divisor's sake.
        let (a, b) = (vr(x, 0.4, 2.0), vr(channel, 0.5, 2.1));
        all.push(case(operator, 14, vec![a.clone(), vr(x, 0.5, 2.1)], vec![]));
        all.push(case(operator, 14, vec![a.clone(), b.clone()], vec![]));
        all.push(case(operator, 14, vec![b.clone(), a.clone()], vec![]));
        all.push(case(operator, 14, vec![vr(row, 0.4, 2.0), b.clone()], vec![]));
        all.push(case(operator, 14, vec![a.clone(), cr(channel, 0.5, 2.1)], vec![]));
        all.push(case(operator, 14, vec![cr(x, 0.5, 2.1), b.clone()], vec![]));
        all.push(case(operator, 14, vec![b.clone(), cr(x, 0.5, 2.1)], vec![]));
        // Operands that tie have no derivative in Max and Min.
        if !matches!(operator, "Max" | "Min") {
            all.push(case(operator, 14, vec![a, In::Same(0)], vec![]));
        }
    }
    for operator in ["Sum", "Mean", "Max", "Min"] {
        all.push(case(operator, 13, vec![v(x), v(channel), v(row)], vec![]));
        all.push(case(operator, 13, vec![v(channel), c(x), v(row)], vec![]));
        all.push(case(operator, 13, vec![v(x)], vec![]));
    }
    for fmod in [0, 1] {
        let attributes = || vec![i("fmod", fmod)];
        // No quotient is near a whole number, where the remainder jumps.
        all.push(case("Mod", 13, vec![vr(x, 2.2, 2.8), vr(x, 0.98, 1.02)], attributes()));
        all.push(case("Mod", 13, vec![vr(x, -2.8, -2.2), cr(channel, 0.98, 1.02)], attributes()));
        all.push(case("Mod", 13, vec![cr(x, 2.2, 2.8), vr(row, -1.02, -0.98)], attributes()));
    }
    all.extend([
        case("Pow", 13, vec![v(x), In::Constant(vec![], 2.0, 2.0)], vec![]),
        case("Pow", 13, vec![v(x), In::Constant(vec![], 3.0, 3.0)], vec![]),
        case("Pow", 13, vec![vr(x, 0.4, 2.0), cr(&[1], 0.4, 0.6)], vec![]),
        case("Pow", 13, vec![vr(x, 0.4, 2.0), cr(channel, -1.5, 2.0)], vec![]),
        case("Pow", 13, vec![vr(x, 0.4, 2.0), vr(channel, -1.5, 2.0)], vec![]),
        case("Pow", 13, vec![cr(x, 0.4, 2.0), vr(row, -1.5, 2.0)], vec![]),
    ]);
    for operator in ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor"] {
        all.push(case(operator, 16, vec![v(x), v(channel)], vec![]));
        all.push(case(operator, 16, vec![v(x), c(channel)], vec![]));
    }
    let holds = |shape: &[i64]| {
        let count: i64 = shape.iter().product();
        In::Bools(shape.to_vec(), (0..count).map(|i| i % 3 == 1).collect())
    };
    let above = |name: &str| node("Greater", &["in0", "in1"], &[name]);
    all.extend([
        case("Where", 16, vec![holds(x), v(x), v(x)], vec![]),
        case("Where", 16, vec![holds(row), v(channel), v(x)], vec![]),
        case("Where", 16, vec![holds(x), v(row), c(channel)], vec![]),
        case("Where", 16, vec![holds(x), c(&[]), v(x)], vec![]),
        // A condition that depends on the input: in0 > in1.
        case("Where", 16, vec![v(x), v(x)], vec![]).after("condition", vec![above("condition")]),
    ]);
    all
}
