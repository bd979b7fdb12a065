//! The pointwise functions of ONNX's operators, with their parameters.

/// A pointwise function with its parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// max(x, 0)
    Relu,
    /// x for x ≥ 0, else αx
    LeakyRelu(f64),
    /// x for x > α, else 0
    ThresholdedRelu(f64),
    /// min(max(x, low), high)
    Clip(f64, f64),
    /// 1/(1 + e^−x)
    Sigmoid,
    /// tanh x
    Tanh,
    /// min(max(αx + β, 0), 1)
    HardSigmoid(f64, f64),
    /// x·HardSigmoid(x; 1/6, 1/2)
    HardSwish,
    /// x for x > 0, else α(e^x − 1)
    Elu(f64),
    /// γ·(x for x > 0, else α(e^x − 1))
    Selu(f64, f64),
    /// max(x, 0) + min(0, α(e^{x/α} − 1))
    Celu(f64),
    /// x·Φ(x)
    Gelu,
    /// ½x(1 + tanh(√(2/π)(x + 0.044715x³)))
    GeluTanh,
    /// x·tanh(softplus x)
    Mish,
    /// x·sigmoid(αx)
    Swish(f64),
    /// ln(1 + e^x)
    Softplus,
    /// x/(1 + |x|)
    Softsign,
    /// The error function.
    Erf,
    /// e^x
    Exp,
    /// ln x
    Log,
    /// √x
    Sqrt,
    /// 1/x
    Reciprocal,
    /// |x|
    Abs,
    /// sin x
    Sin,
    /// cos x
    Cos,
    /// tan x
    Tan,
    /// arcsin x
    Asin,
    /// arccos x
    Acos,
    /// arctan x
    Atan,
    /// sinh x
    Sinh,
    /// cosh x
    Cosh,
    /// arsinh x
    Asinh,
    /// arcosh x
    Acosh,
    /// artanh x
    Atanh,
    /// x − b for x > λ, x + b for x < −λ, else 0: λ, b.
    Shrink(f64, f64),
    /// x^p
    Power(f64),
}

impl Function {
    /// The function of an ONNX operator without attributes.
    pub fn plain(operator: &str) -> Option<Self> {
        Some(match operator {
            "Relu" => Self::Relu,
            "Sigmoid" => Self::Sigmoid,
            "Tanh" => Self::Tanh,
            "HardSwish" => Self::HardSwish,
            "Mish" => Self::Mish,
            "Softplus" => Self::Softplus,
            "Softsign" => Self::Softsign,
            "Erf" => Self::Erf,
            "Exp" => Self::Exp,
            "Log" => Self::Log,
            "Sqrt" => Self::Sqrt,
            "Reciprocal" => Self::Reciprocal,
            "Abs" => Self::Abs,
            "Sin" => Self::Sin,
            "Cos" => Self::Cos,
            "Tan" => Self::Tan,
            "Asin" => Self::Asin,
            "Acos" => Self::Acos,
            "Atan" => Self::Atan,
            "Sinh" => Self::Sinh,
            "Cosh" => Self::Cosh,
            "Asinh" => Self::Asinh,
            "Acosh" => Self::Acosh,
            "Atanh" => Self::Atanh,
            _ => return None,
        })
    }
}
