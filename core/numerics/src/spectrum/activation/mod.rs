//! Pointwise nonlinearities: everything that is particular to one of them is in this file, function by function.
//!
//! What is the same for all is beside it: how a name is read (`name`), what a spelling in ONNX's operators is
//! ([`formula`]) and how one is found in a graph ([`recognise`]). docs/adding-an-activation.md says how to add one.

pub mod formula;
mod name;
pub mod recognise;

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use num_complex::Complex64;

use self::formula::{Formula, Number, parameter, x};
use super::bessel::{bessel_j, normal_distribution};
use super::cosine::{binomial, truncated_cosine};

pub use name::{ActivationError, MAX_DEGREE};

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
    /// ½x(1 + tanh(√(2/π)(x + 0.044715x³))), which is within 5·10⁻⁴ of x Φ(x).
    GeluTanh,
    /// x / (1 + e^{−x}), also called swish.
    Silu,
    /// x / (1 + e^{−βx}).
    QuickGelu(
        /// β; 1.702 for the function nearest to x Φ(x).
        f64,
    ),
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

impl Activation {
    /// Every activation, the parametrised ones with their usual or an exemplary parameter.
    pub fn examples() -> Vec<Self> {
        use Activation as A;
        vec![
            A::Relu,
            A::LeakyRelu(0.01),
            A::Relu6,
            A::Gelu,
            A::GeluTanh,
            A::Silu,
            A::QuickGelu(1.702),
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
            Self::GeluTanh => 0.5 * x * (1.0 + gelu_argument(x).tanh()),
            Self::Silu => x * sigmoid(x),
            Self::QuickGelu(beta) => x * sigmoid(beta * x),
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
            Self::GeluTanh => {
                let t = gelu_argument(x).tanh();
                let slope = (2.0 / PI).sqrt() * (1.0 + 3.0 * GELU_CUBIC * x * x);
                0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope
            }
            Self::Silu => {
                let s = sigmoid(x);
                s * (1.0 + x * (1.0 - s))
            }
            Self::QuickGelu(beta) => {
                let s = sigmoid(beta * x);
                s * (1.0 + beta * x * (1.0 - s))
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
            Self::QuickGelu(beta) if *beta != 0.0 => Some((Complex64::new(0.0, PI / beta.abs()), 0.0)),
            Self::GeluTanh => Some((gelu_tanh_pole(), 0.0)),
            Self::Softplus => Some((Complex64::new(0.0, PI), -1.0)),
            // tanh(softplus x) = ((1 + e^x)² − 1)/((1 + e^x)² + 1) has its poles where e^x = −1 ± i.
            Self::Mish => Some((Complex64::new(0.5 * 2.0_f64.ln(), 0.75 * PI), 0.0)),
            _ => None,
        }
    }

    /// The degree of σ where it is one polynomial on all of [−a, a].
    pub fn degree_on(&self, amplitude: f64) -> Option<usize> {
        match self {
            // x(x + 3)/6 up to its kinks.
            Self::HardSwish if amplitude <= 3.0 => Some(2),
            other => other.degree(),
        }
    }

    /// The degree of σ where it is a polynomial on the whole line.
    pub fn degree(&self) -> Option<usize> {
        match self {
            Self::Polynomial(c) => Some(c.iter().rposition(|c| *c != 0.0).unwrap_or(0)),
            Self::LeakyRelu(slope) if *slope == 1.0 => Some(1),
            Self::QuickGelu(beta) if *beta == 0.0 => Some(1),
            _ => None,
        }
    }

    /// How the harmonics of σ(a cos θ) fall where σ is entire, no polynomial, and so has nothing that decides it.
    pub fn entire_decay(&self, amplitude: f64) -> EntireDecay {
        match self {
            // J_k(a) ∝ (k² − a²)^{−1/4} e^{−∫acosh(k/a)}.
            Self::Sin => EntireDecay {
                rate: 1.0,
                first: amplitude as usize + 2,
                local: |k, a| ((k / a).max(1.0).acosh(), 0.5 * k / (k * k - a * a)),
            },
            // GELU″ is (2 − x²)e^{−x²/2}/√2π, whose harmonics are those of e^{−x²/2}, I_m(z) with m = k/2 and z = a²/4,
            // up to two places on, and integrating twice divides by (2k/a)².
            _ => EntireDecay {
                rate: 0.5,
                first: 6,
                local: |k, a| {
                    let (m, z) = (0.5 * k - 2.0, 0.25 * a * a);
                    ((m / z).asinh(), 2.0 / k + 0.25 * m / (m * m + z * z))
                },
            },
        }
    }

    /// c_k of σ(a cos θ) = Σ_k c_k e^{ikθ} in closed form, where there is one: ReLU, leaky ReLU, ReLU6 and |x|
    /// (integrals of truncated cosines), the sine (Bessel functions), polynomials (binomials). Elsewhere nothing.
    pub fn harmonic(&self, amplitude: f64, k: usize) -> Option<f64> {
        let a = amplitude;
        let identity = if k == 1 { 0.5 * a } else { 0.0 };
        match self {
            Self::Relu => Some(truncated_cosine(a, 0.0, k)),
            Self::LeakyRelu(slope) => Some(slope * identity + (1.0 - slope) * truncated_cosine(a, 0.0, k)),
            Self::Relu6 => Some(truncated_cosine(a, 0.0, k) - truncated_cosine(a, 6.0, k)),
            Self::Abs => Some(2.0 * truncated_cosine(a, 0.0, k) - identity),
            // sin(a cos θ) = 2 Σ_m (−1)^m J_{2m+1}(a) cos((2m + 1)θ).
            Self::Sin if k.is_multiple_of(2) => Some(0.0),
            Self::Sin => {
                let sign = if k % 4 == 1 { 1.0 } else { -1.0 };
                Some(sign * bessel_j(i32::try_from(k).ok()?, a))
            }
            // cos^d θ = 2^{−d} Σ_j C(d, j) e^{i(d − 2j)θ}.
            Self::Polynomial(coefficients) => {
                let powers = coefficients.iter().enumerate().filter(|(d, _)| *d >= k && (d - k).is_multiple_of(2));
                Some(powers.map(|(d, c)| c * (0.5 * a).powi(d as i32) * binomial(d, (d - k) / 2)).sum())
            }
            _ => None,
        }
    }

    /// σ in ONNX's operators. The first form is how a model is written; the others are looked for as well. Nothing for
    /// polynomials without a slope, which ONNX cannot say without the shape of x.
    pub fn forms(&self) -> Vec<Formula> {
        match self {
            Self::Relu => vec![x().call("Relu")],
            Self::LeakyRelu(slope) => vec![x().call("LeakyRelu").with("alpha", Number::Parameter(*slope), 0.01)],
            Self::Relu6 => vec![x().call_with("Clip", [0.0, 6.0])],
            Self::Gelu => vec![
                ((x() * FRAC_1_SQRT_2).call("Erf") + 1.0) * x() * 0.5,
                x().call("Gelu").with_text("approximate", "none", "none"),
            ],
            Self::GeluTanh => {
                let scale = (2.0 / PI).sqrt();
                vec![
                    (((x() * x() * x() * GELU_CUBIC + x()) * scale).call("Tanh") + 1.0) * x() * 0.5,
                    (((x() * x() * GELU_CUBIC + 1.0) * x() * scale).call("Tanh") + 1.0) * x() * 0.5,
                    x().call("Gelu").with_text("approximate", "tanh", "none"),
                ]
            }
            Self::Silu => vec![x().call("Sigmoid") * x(), x().call("Swish").with("alpha", Number::Fixed(1.0), 1.0)],
            Self::QuickGelu(beta) => vec![
                (x() * parameter(*beta)).call("Sigmoid") * x(),
                x().call("Swish").with("alpha", Number::Parameter(*beta), 1.0),
            ],
            Self::Tanh => vec![x().call("Tanh")],
            Self::Softplus => vec![x().call("Softplus")],
            Self::Elu => vec![x().call("Elu").with("alpha", Number::Fixed(1.0), 1.0)],
            Self::HardSwish => vec![
                x().call("HardSwish"),
                (x() + 3.0).call_with("Clip", [0.0, 6.0]) * x() / 6.0,
                x().call("HardSigmoid").with("alpha", Number::Fixed(1.0 / 6.0), 0.2).with(
                    "beta",
                    Number::Fixed(0.5),
                    0.5,
                ) * x(),
            ],
            Self::Mish => vec![x().call("Softplus").call("Tanh") * x(), x().call("Mish")],
            Self::Sigmoid => vec![x().call("Sigmoid")],
            Self::Sin => vec![x().call("Sin")],
            Self::Abs => vec![x().call("Abs")],
            Self::Polynomial(coefficients) => horner(coefficients).into_iter().collect(),
        }
    }

    /// Its word in the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::LeakyRelu(_) => "leaky_relu",
            Self::Relu6 => "relu6",
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_tanh",
            Self::Silu => "silu",
            Self::QuickGelu(_) => "quick_gelu",
            Self::Tanh => "tanh",
            Self::Softplus => "softplus",
            Self::Elu => "elu",
            Self::HardSwish => "hardswish",
            Self::Mish => "mish",
            Self::Sigmoid => "sigmoid",
            Self::Sin => "sin",
            Self::Abs => "abs",
            Self::Polynomial(_) => "poly",
        }
    }

    /// Its parameter, where it has one, and what that is called.
    pub const fn parameter(&self) -> Option<(f64, &'static str)> {
        match self {
            Self::LeakyRelu(slope) => Some((*slope, "slope")),
            Self::QuickGelu(factor) => Some((*factor, "factor")),
            _ => None,
        }
    }

    /// The same function with another parameter, where it has one.
    pub fn with_parameter(&self, parameter: f64) -> Self {
        match self {
            Self::LeakyRelu(_) => Self::LeakyRelu(parameter),
            Self::QuickGelu(_) => Self::QuickGelu(parameter),
            other => other.clone(),
        }
    }

    /// Whether it is given by coefficients rather than found in a network.
    pub const fn is_polynomial(&self) -> bool {
        matches!(self, Self::Polynomial(_))
    }
}

/// How harmonics of an entire function fall: −d ln c_k/dk = rate·growth + correction.
#[derive(Clone, Copy, Debug)]
pub struct EntireDecay {
    /// The rate r of ln |c_k| ≈ −r k ln k.
    pub rate: f64,
    /// The first harmonic that obeys.
    pub first: usize,
    /// Growth and correction at k for the amplitude a; the growth tends to ln k (Debye's expansions).
    pub local: fn(f64, f64) -> (f64, f64),
}

/// Σ_j c_j x^j, the highest power first.
fn horner(coefficients: &[f64]) -> Option<Formula> {
    let (highest, rest) = coefficients.split_last()?;
    let (constant, middle) = rest.split_first()?;
    Some(middle.iter().rev().fold(x() * *highest, |sum, c| (sum + *c) * x()) + *constant)
}

/// The factor of x³ in the GELU by way of tanh.
const GELU_CUBIC: f64 = 0.044_715;

/// √(2/π)(x + 0.044715x³).
fn gelu_argument(x: f64) -> f64 {
    (2.0 / PI).sqrt() * (x + GELU_CUBIC * x * x * x)
}

/// Where √(2/π)(z + 0.044715z³) = iπ/2, in the upper half plane nearest to the real line.
fn gelu_tanh_pole() -> Complex64 {
    let mut z = Complex64::new(0.66, 2.75);
    // Newton's steps from three digits: four are more than enough.
    for _ in 0..4 {
        let value = (2.0 / PI).sqrt() * (z + GELU_CUBIC * z * z * z) - Complex64::new(0.0, PI / 2.0);
        z -= value / ((2.0 / PI).sqrt() * (1.0 + 3.0 * GELU_CUBIC * z * z));
    }
    z
}

fn sigmoid(x: f64) -> f64 {
    // e^{−|x|} never overflows.
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
