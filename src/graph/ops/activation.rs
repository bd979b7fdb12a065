//! Pointwise functions: value and derivative side by side.

use std::f64::consts::PI;

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
pub use crate::graph::function::Function;
use crate::graph::fused_activation::FusedActivation;
use crate::graph::layout::Flow;
use crate::graph::operator::{Elementwise, Operator, Torch};

impl Elementwise for Function {
    fn value(&self, x: &Tensor) -> Torch<Tensor> {
        match *self {
            Self::Relu => x.f_relu(),
            Self::LeakyRelu(a) => x.f_where_self(&x.f_ge(0.0)?, &x.f_mul_scalar(a)?),
            Self::ThresholdedRelu(a) => x.f_mul(&x.f_gt(a)?),
            Self::Clip(low, high) if is_integer(x.kind()) => {
                // Bounds beyond 64 bits saturate, so an absent bound, an infinity, bounds nothing.
                x.f_to_kind(Kind::Int64)?.f_clamp(low as i64, high as i64)?.f_to_kind(x.kind())
            }
            // The same values; backwards one pass over the plane where clamp takes four.
            Self::Clip(0.0, 6.0) => x.f_relu6(),
            Self::Clip(low, high) => x.f_clamp(low, high),
            Self::Sigmoid => x.f_sigmoid(),
            Self::Tanh => x.f_tanh(),
            Self::HardSigmoid(a, b) => x.f_mul_scalar(a)?.f_add_scalar_(b)?.f_clamp_(0.0, 1.0),
            Self::HardSwish => x.f_hardswish(),
            Self::Elu(a) => x.f_where_self(&x.f_gt(0.0)?, &x.f_expm1()?.f_mul_scalar(a)?),
            Self::Selu(a, g) => x.f_where_self(&x.f_gt(0.0)?, &x.f_expm1()?.f_mul_scalar(a)?)?.f_mul_scalar(g),
            Self::Celu(a) => x.f_where_self(&x.f_gt(0.0)?, &x.f_div_scalar(a)?.f_expm1()?.f_mul_scalar(a)?),
            Self::Gelu => x.f_gelu("none"),
            Self::GeluTanh => x.f_gelu("tanh"),
            Self::Mish => x.f_mish(),
            Self::Swish(1.0) if !is_integer(x.kind()) => x.f_silu(),
            Self::Swish(a) => x.f_mul(&x.f_mul_scalar(a)?.f_sigmoid()?),
            Self::Softplus => x.f_softplus(),
            Self::Softsign => x.f_div(&x.f_abs()?.f_add_scalar(1.0)?),
            Self::Erf => x.f_erf(),
            Self::Exp => x.f_exp(),
            Self::Log => x.f_log(),
            Self::Sqrt => x.f_sqrt(),
            Self::Reciprocal => x.f_reciprocal(),
            Self::Abs => x.f_abs(),
            Self::Sin => x.f_sin(),
            Self::Cos => x.f_cos(),
            Self::Tan => x.f_tan(),
            Self::Asin => x.f_asin(),
            Self::Acos => x.f_acos(),
            Self::Atan => x.f_atan(),
            Self::Sinh => x.f_sinh(),
            Self::Cosh => x.f_cosh(),
            Self::Asinh => x.f_asinh(),
            Self::Acosh => x.f_acosh(),
            Self::Atanh => x.f_atanh(),
            Self::Shrink(threshold, bias) => {
                let kept = x.f_abs()?.f_gt(threshold)?;
                x.f_sub(&x.f_sign()?.f_mul_scalar(bias)?)?.f_mul(&kept)?.f_to_kind(x.kind())
            }
            // A power has the kind of its base.
            Self::Power(p) if is_integer(x.kind()) => x.f_pow_tensor_scalar(p)?.f_to_kind(x.kind()),
            Self::Power(p) => x.f_pow_tensor_scalar(p),
        }
    }

    fn derivative(&self, x: &Tensor, y: &Tensor) -> Torch<Tensor> {
        // Slope 1 on the right of the kink at zero, `left` on the other side.
        let kinked = |left: Tensor| left.f_masked_fill(&x.f_gt(0.0)?, 1.0);
        match *self {
            Self::Relu => x.f_gt(0.0),
            Self::LeakyRelu(a) => kinked(x.f_full_like(a)?),
            Self::ThresholdedRelu(a) => x.f_gt(a),
            Self::Clip(low, high) => x.f_ge(low)?.f_logical_and(&x.f_le(high)?),
            Self::Sigmoid => y.f_mul(&one_minus(y)?),
            Self::Tanh => one_minus(&y.f_mul(y)?),
            Self::HardSigmoid(a, _) => inside(y, 0.0, 1.0)?.f_to_kind(x.kind())?.f_mul_scalar(a),
            Self::HardSwish => {
                // x ≤ −3: 0; −3 < x < 3: x/3 + 1/2; x ≥ 3: 1.
                let middle = x.f_div_scalar(3.0)?.f_add_scalar(0.5)?;
                middle.f_masked_fill(&x.f_le(-3.0)?, 0.0)?.f_masked_fill(&x.f_ge(3.0)?, 1.0)
            }
            Self::Elu(a) => kinked(y.f_add_scalar(a)?),
            Self::Selu(a, g) => y.f_add_scalar(a * g)?.f_masked_fill(&x.f_gt(0.0)?, g),
            Self::Celu(a) => kinked(x.f_div_scalar(a)?.f_exp()?),
            // libtorch's own kernels of reverse mode give σ' in one pass: they multiply it by what is given to them.
            Self::Gelu => x.f_gelu_backward(&x.f_ones_like()?, "none"),
            Self::GeluTanh => x.f_gelu_backward(&x.f_ones_like()?, "tanh"),
            Self::Mish => {
                let t = x.f_softplus()?.f_tanh()?;
                let slope = one_minus(&t.f_square()?)?.f_mul(&x.f_sigmoid()?)?.f_mul(x)?;
                t.f_add(&slope)
            }
            Self::Swish(1.0) => x.f_silu_backward(&x.f_ones_like()?),
            Self::Swish(a) => {
                let s = x.f_mul_scalar(a)?.f_sigmoid()?;
                s.f_add(&one_minus(&s)?.f_mul(y)?.f_mul_scalar(a)?)
            }
            Self::Softplus => x.f_sigmoid(),
            Self::Softsign => x.f_abs()?.f_add_scalar(1.0)?.f_square()?.f_reciprocal(),
            Self::Erf => x.f_square()?.f_neg()?.f_exp()?.f_mul_scalar(2.0 / PI.sqrt()),
            Self::Exp => Ok(y.shallow_clone()),
            Self::Log => x.f_reciprocal(),
            Self::Sqrt => y.f_reciprocal()?.f_mul_scalar(0.5),
            Self::Reciprocal => y.f_square()?.f_neg(),
            Self::Abs => x.f_sign(),
            Self::Sin => x.f_cos(),
            Self::Cos => x.f_sin()?.f_neg(),
            Self::Tan => y.f_square()?.f_add_scalar(1.0),
            Self::Asin => one_minus(&x.f_square()?)?.f_rsqrt(),
            Self::Acos => one_minus(&x.f_square()?)?.f_rsqrt()?.f_neg(),
            Self::Atan => x.f_square()?.f_add_scalar(1.0)?.f_reciprocal(),
            Self::Sinh => x.f_cosh(),
            Self::Cosh => x.f_sinh(),
            Self::Asinh => x.f_square()?.f_add_scalar(1.0)?.f_rsqrt(),
            Self::Acosh => x.f_square()?.f_sub_scalar(1.0)?.f_rsqrt(),
            Self::Atanh => one_minus(&x.f_square()?)?.f_reciprocal(),
            Self::Shrink(threshold, _) => x.f_abs()?.f_gt(threshold),
            Self::Power(2.0) => x.f_mul_scalar(2.0),
            Self::Power(p) => x.f_pow_tensor_scalar(p - 1.0)?.f_mul_scalar(p),
        }
    }

    fn value_onto(&self, x: &mut Tensor) -> Torch<bool> {
        if is_integer(x.kind()) {
            return Ok(false);
        }
        let _ = match *self {
            Self::Relu => x.f_relu_()?,
            Self::Clip(low, high) => x.f_clamp_(low, high)?,
            Self::Sigmoid => x.f_sigmoid_()?,
            Self::Tanh => x.f_tanh_()?,
            Self::HardSwish => x.f_hardswish_()?,
            Self::Gelu => x.f_gelu_("none")?,
            Self::GeluTanh => x.f_gelu_("tanh")?,
            Self::Mish => x.f_mish_()?,
            Self::Swish(1.0) => x.f_silu_()?,
            _ => return Ok(false),
        };
        Ok(true)
    }

    fn fused_activation(&self) -> Option<FusedActivation> {
        match *self {
            Self::Relu => Some(FusedActivation::Clip { low: 0.0, high: f64::INFINITY, open: true }),
            Self::Clip(low, high) => Some(FusedActivation::Clip { low, high, open: false }),
            Self::Gelu => Some(FusedActivation::Gelu),
            Self::GeluTanh => Some(FusedActivation::GeluTanh),
            Self::Swish(factor) => Some(FusedActivation::Swish(factor)),
            _ => None,
        }
    }

    fn function(&self) -> Option<Function> {
        Some(*self)
    }
}

/// Whether values of this kind are whole numbers.
pub fn is_integer(kind: Kind) -> bool {
    matches!(kind, Kind::Int64 | Kind::Int | Kind::Int16 | Kind::Int8 | Kind::Uint8)
}

fn one_minus(x: &Tensor) -> Torch<Tensor> {
    x.f_neg()?.f_add_scalar(1.0)
}

fn inside(y: &Tensor, low: f64, high: f64) -> Torch<Tensor> {
    y.f_gt(low)?.f_logical_and(&y.f_lt(high)?)
}

/// A pointwise node whose function needs only attributes.
pub fn pointwise(b: &mut Builder<'_>) -> Build {
    let function = match b.operator {
        "LeakyRelu" => Function::LeakyRelu(b.float("alpha")?.unwrap_or(0.01)),
        "ThresholdedRelu" => Function::ThresholdedRelu(b.float("alpha")?.unwrap_or(1.0)),
        "HardSigmoid" => Function::HardSigmoid(b.float("alpha")?.unwrap_or(0.2), b.float("beta")?.unwrap_or(0.5)),
        "Elu" => Function::Elu(b.float("alpha")?.unwrap_or(1.0)),
        "Selu" => Function::Selu(
            b.float("alpha")?.unwrap_or(1.673_263_192_176_818_8),
            b.float("gamma")?.unwrap_or(1.050_701_022_148_132_3),
        ),
        "Celu" => Function::Celu(b.float("alpha")?.unwrap_or(1.0)),
        "Gelu" => match b.string("approximate")?.as_deref() {
            None | Some("none") => Function::Gelu,
            Some("tanh") => Function::GeluTanh,
            Some(other) => return Err(b.unsupported(format!("approximate = '{other}'"), "none and tanh are")),
        },
        "Swish" => Function::Swish(b.float("alpha")?.unwrap_or(1.0)),
        "Shrink" => Function::Shrink(b.float("lambd")?.unwrap_or(0.5), b.float("bias")?.unwrap_or(0.0)),
        "QuickGelu" => Function::Swish(b.float("alpha")?.unwrap_or(1.702)),
        other => match Function::plain(other) {
            Some(function) => function,
            None => return Err(b.invalid(format!("{other} is not a pointwise function"))),
        },
    };
    build(b, function)
}

/// A node that applies `function` to input 0.
pub fn build(b: &mut Builder<'_>, function: Function) -> Build {
    b.varying_input(0)?;
    Ok(Built { operator: Operator::Elementwise(Box::new(function)), flow: Flow::Pointwise })
}

/// Clip: bounds as attributes (opset 6) or inputs (opset 11).
pub fn clip(b: &mut Builder<'_>) -> Build {
    let low = match b.float("min")? {
        Some(low) => Some(low),
        None => b.parameter_float(1, "minimum")?,
    };
    let high = match b.float("max")? {
        Some(high) => Some(high),
        None => b.parameter_float(2, "maximum")?,
    };
    build(b, Function::Clip(low.unwrap_or(f64::NEG_INFINITY), high.unwrap_or(f64::INFINITY)))
}

/// x for x ≥ 0, else slope·x with a slope per entry.
#[derive(Debug)]
struct ParametricRelu {
    slope: Tensor,
}

impl Elementwise for ParametricRelu {
    fn value(&self, x: &Tensor) -> Torch<Tensor> {
        x.f_where_self(&x.f_ge(0.0)?, &x.f_mul(&self.slope)?)
    }

    fn derivative(&self, x: &Tensor, _: &Tensor) -> Torch<Tensor> {
        self.slope.f_expand_as(x)?.f_masked_fill(&x.f_gt(0.0)?, 1.0)
    }
}

/// PRelu: LeakyRelu with a learned slope that broadcasts.
pub fn prelu(b: &mut Builder<'_>) -> Build {
    let slope = b.parameter(1, "slope")?;
    let shape = b.shape(0)?;
    if super::arithmetic::broadcast_shape(&[shape.clone(), slope.size()]).as_ref() != Some(&shape) {
        return Err(b.invalid(format!("its slope of shape {:?} does not broadcast to its input", slope.size())));
    }
    b.varying_input(0)?;
    Ok(Built { operator: Operator::Elementwise(Box::new(ParametricRelu { slope })), flow: Flow::Pointwise })
}

/// Rounding and signs: locally constant.
#[derive(Clone, Copy, Debug)]
enum Step {
    Floor,
    Ceil,
    Round,
    Sign,
}

impl crate::graph::operator::Forward for Step {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let x = x[0];
        if x.kind() == Kind::Int64 && !matches!(self, Self::Sign) {
            return Ok(vec![x.copy()]);
        }
        Ok(vec![match self {
            Self::Floor => x.f_floor()?,
            Self::Ceil => x.f_ceil()?,
            Self::Round => x.f_round()?,
            Self::Sign => x.f_sign()?,
        }])
    }
}

/// Floor, Ceil, Round (halves to even) and Sign.
pub fn step(b: &mut Builder<'_>) -> Build {
    let step = match b.operator {
        "Floor" => Step::Floor,
        "Ceil" => Step::Ceil,
        "Round" => Step::Round,
        _ => Step::Sign,
    };
    b.varying_input(0)?;
    Ok(Built { operator: Operator::LocallyConstant(Box::new(step)), flow: Flow::Pointwise })
}
