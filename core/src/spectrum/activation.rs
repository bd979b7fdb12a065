//! Pointwise nonlinearities: values, derivatives, and where they stop being analytic.

use std::f64::consts::PI;
use std::fmt;
use std::str::FromStr;

use num_complex::Complex64;
use thiserror::Error;

use super::bessel::erf;
use super::name::UnknownName;

/// A pointwise function σ.
#[derive(Clone, Debug, PartialEq)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x where x > 0, else slope·x.
    LeakyRelu(
        /// The slope left of 0.
        f64,
    ),
    /// min(max(x, 0), 6).
    Relu6,
    /// x Φ(x), Φ the distribution function of the standard normal.
    Gelu,
    /// x / (1 + e^{−x}), also called swish.
    Silu,
    /// tanh x.
    Tanh,
    /// ln(1 + e^x).
    Softplus,
    /// x where x > 0, else e^x − 1.
    Elu,
    /// x·min(max(x + 3, 0), 6)/6.
    HardSwish,
    /// x tanh(softplus x).
    Mish,
    /// 1 / (1 + e^{−x}).
    Sigmoid,
    /// sin x.
    Sin,
    /// |x|.
    Abs,
    /// Σ_j c_j x^j.
    Polynomial(
        /// c₀, c₁, …
        Vec<f64>,
    ),
}

/// Why there is no such activation.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ActivationError {
    /// A name that is not known.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// Arguments that are no numbers, or too many.
    #[error("cannot read '{given}': {reason}")]
    Arguments {
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The highest degree of a polynomial.
pub const MAX_DEGREE: usize = 64;

const NAMES: [&str; 14] = [
    "relu",
    "leaky_relu",
    "relu6",
    "gelu",
    "silu",
    "tanh",
    "softplus",
    "elu",
    "hardswish",
    "mish",
    "sigmoid",
    "sin",
    "abs",
    "poly",
];

impl Activation {
    /// Every activation, the parametrised ones with their usual or an exemplary parameter.
    pub fn examples() -> Vec<Self> {
        use Activation as A;
        vec![
            A::Relu,
            A::LeakyRelu(0.01),
            A::Relu6,
            A::Gelu,
            A::Silu,
            A::Tanh,
            A::Softplus,
            A::Elu,
            A::HardSwish,
            A::Mish,
            A::Sigmoid,
            A::Sin,
            A::Abs,
            A::Polynomial(vec![0.0, 0.5, 0.25]),
        ]
    }

    /// σ(x).
    pub fn value(&self, x: f64) -> f64 {
        match self {
            Self::Relu => x.max(0.0),
            Self::LeakyRelu(slope) => {
                if x > 0.0 {
                    x
                } else {
                    slope * x
                }
            }
            Self::Relu6 => x.clamp(0.0, 6.0),
            Self::Gelu => x * normal_distribution(x),
            Self::Silu => x * sigmoid(x),
            Self::Tanh => x.tanh(),
            Self::Softplus => softplus(x),
            Self::Elu => {
                if x > 0.0 {
                    x
                } else {
                    x.exp_m1()
                }
            }
            Self::HardSwish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
            Self::Mish => x * softplus(x).tanh(),
            Self::Sigmoid => sigmoid(x),
            Self::Sin => x.sin(),
            Self::Abs => x.abs(),
            Self::Polynomial(coefficients) => coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c),
        }
    }

    /// σ′(x); at a kink the derivative from the left, as PyTorch's ReLU has it, and 0 for |x|.
    pub fn derivative(&self, x: f64) -> f64 {
        match self {
            Self::Relu => {
                if x > 0.0 {
                    1.0
                } else {
                    0.0
                }
            }
            Self::LeakyRelu(slope) => {
                if x > 0.0 {
                    1.0
                } else {
                    *slope
                }
            }
            Self::Relu6 => {
                if x > 0.0 && x < 6.0 {
                    1.0
                } else {
                    0.0
                }
            }
            Self::Gelu => normal_distribution(x) + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt(),
            Self::Silu => {
                let s = sigmoid(x);
                s * (1.0 + x * (1.0 - s))
            }
            Self::Tanh => 1.0 - x.tanh().powi(2),
            Self::Softplus => sigmoid(x),
            Self::Elu => {
                if x > 0.0 {
                    1.0
                } else {
                    x.exp()
                }
            }
            Self::HardSwish => match x {
                x if x <= -3.0 => 0.0,
                x if x < 3.0 => (2.0 * x + 3.0) / 6.0,
                _ => 1.0,
            },
            Self::Mish => {
                let t = softplus(x).tanh();
                t + x * (1.0 - t * t) * sigmoid(x)
            }
            Self::Sigmoid => {
                let s = sigmoid(x);
                s * (1.0 - s)
            }
            Self::Sin => x.cos(),
            Self::Abs => {
                if x == 0.0 {
                    0.0
                } else {
                    x.signum()
                }
            }
            Self::Polynomial(coefficients) => {
                coefficients.iter().enumerate().skip(1).rev().fold(0.0, |sum, (j, c)| sum * x + j as f64 * c)
            }
        }
    }

    /// The points x where σ is not analytic on the real line, each with the order p of its singularity: the p-th
    /// derivative jumps there, so that harmonics fall as k^{−p−1}.
    pub fn kinks(&self) -> Vec<(f64, u32)> {
        match self {
            Self::Relu | Self::Abs => vec![(0.0, 1)],
            // With slope 1 it is the identity.
            Self::LeakyRelu(slope) if *slope == 1.0 => Vec::new(),
            Self::LeakyRelu(_) => vec![(0.0, 1)],
            Self::Relu6 => vec![(0.0, 1), (6.0, 1)],
            Self::Elu => vec![(0.0, 2)],
            Self::HardSwish => vec![(-3.0, 1), (3.0, 1)],
            _ => Vec::new(),
        }
    }

    /// The singularity of σ in the upper half plane that lies nearest to the real line, and the power of k that
    /// multiplies the exponential decay it causes: 0 for a simple pole, −1 for a logarithm. Nothing for entire
    /// functions and for those with kinks on the real line.
    pub fn nearest_singularity(&self) -> Option<(Complex64, f64)> {
        match self {
            Self::Tanh => Some((Complex64::new(0.0, PI / 2.0), 0.0)),
            Self::Sigmoid | Self::Silu => Some((Complex64::new(0.0, PI), 0.0)),
            Self::Softplus => Some((Complex64::new(0.0, PI), -1.0)),
            // tanh(softplus x) = ((1 + e^x)² − 1)/((1 + e^x)² + 1) has its poles where e^x = −1 ± i.
            Self::Mish => Some((Complex64::new(0.5 * 2.0_f64.ln(), 0.75 * PI), 0.0)),
            _ => None,
        }
    }

    /// The degree of σ where it is a polynomial on the whole line.
    pub fn degree(&self) -> Option<usize> {
        match self {
            Self::Polynomial(c) => Some(c.iter().rposition(|c| *c != 0.0).unwrap_or(0)),
            Self::LeakyRelu(slope) if *slope == 1.0 => Some(1),
            _ => None,
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Relu => "relu",
            Self::LeakyRelu(slope) if *slope == 0.01 => "leaky_relu",
            Self::LeakyRelu(slope) => return write!(f, "leaky_relu:{slope}"),
            Self::Relu6 => "relu6",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
            Self::Tanh => "tanh",
            Self::Softplus => "softplus",
            Self::Elu => "elu",
            Self::HardSwish => "hardswish",
            Self::Mish => "mish",
            Self::Sigmoid => "sigmoid",
            Self::Sin => "sin",
            Self::Abs => "abs",
            Self::Polynomial(coefficients) => {
                let list: Vec<String> = coefficients.iter().map(f64::to_string).collect();
                return write!(f, "poly:{}", list.join(","));
            }
        };
        f.pad(name)
    }
}

impl FromStr for Activation {
    type Err = ActivationError;

    /// Reads `relu`, `leaky_relu`, `leaky_relu:0.2`, `poly:c0,c1,c2,…` and the other names.
    fn from_str(given: &str) -> Result<Self, ActivationError> {
        let refuse = |reason: &str| {
            Err(ActivationError::Arguments { given: given.chars().take(60).collect(), reason: reason.to_owned() })
        };
        let (name, arguments) = match given.split_once(':') {
            Some((name, arguments)) => (name, Some(arguments)),
            None => (given, None),
        };
        let numbers = |text: &str| -> Option<Vec<f64>> {
            text.split(',').map(|c| c.trim().parse().ok().filter(|c: &f64| c.is_finite())).collect()
        };
        let plain = match name {
            "leaky_relu" => {
                return match arguments.map(numbers) {
                    None => Ok(Self::LeakyRelu(0.01)),
                    Some(Some(slope)) if slope.len() == 1 => Ok(Self::LeakyRelu(slope[0])),
                    Some(_) => refuse("leaky_relu takes one finite slope, as in leaky_relu:0.2"),
                };
            }
            "poly" => {
                return match arguments.and_then(numbers) {
                    Some(c) if c.len() <= MAX_DEGREE + 1 => Ok(Self::Polynomial(c)),
                    Some(_) => refuse(&format!("poly takes at most {} coefficients", MAX_DEGREE + 1)),
                    None => refuse("poly takes finite coefficients, lowest first, as in poly:0,1,0.5"),
                };
            }
            "relu" => Self::Relu,
            "relu6" => Self::Relu6,
            "gelu" => Self::Gelu,
            "silu" => Self::Silu,
            "tanh" => Self::Tanh,
            "softplus" => Self::Softplus,
            "elu" => Self::Elu,
            "hardswish" => Self::HardSwish,
            "mish" => Self::Mish,
            "sigmoid" => Self::Sigmoid,
            "sin" => Self::Sin,
            "abs" => Self::Abs,
            _ => return Err(UnknownName::new("activation", name, &NAMES).into()),
        };
        if arguments.is_some() { refuse(&format!("{name} takes no arguments")) } else { Ok(plain) }
    }
}

fn sigmoid(x: f64) -> f64 {
    // e^{−|x|} never overflows.
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// Φ(x) = ½(1 + erf(x/√2)).
fn normal_distribution(x: f64) -> f64 {
    0.5 * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2))
}
