//! Antiderivative antialiasing (ADAA) of order 1: after Parker, Zavalishin & Le Bivic (DAFx 2016) in audio, and for
//! images arXiv 2512.20211.

use tch::{Kind as Element, Tensor};

use super::design::{Cost, Design, DesignError, Resampling};
use super::plane::{check_padding, pad};
use super::pointwise::value;
use super::{Guarantee, Kind, Padding};
use crate::graph::operator::Torch;
use crate::spectrum::activation::Activation;

/// The mean of σ along the straight line between neighbours, (F(xₙ) − F(xₙ₋₁))/(xₙ − xₙ₋₁) with F′ = σ, along each
/// axis.
///
/// Along an axis the result lies half a sample before xₙ. The difference along x is averaged over two rows and that
/// along y over two columns, so that both lie at (n − ½, m − ½), and the layer is the mean of both.
#[derive(Debug)]
pub struct Adaa {
    activation: Activation,
}

impl Adaa {
    /// The antialiased form of σ.
    ///
    /// # Errors
    /// When σ has no antiderivative among elementary functions and erf.
    pub fn new(activation: Activation) -> Result<Self, DesignError> {
        if has_antiderivative(&activation) {
            return Ok(Self { activation });
        }
        Err(DesignError::Arguments {
            given: format!("adaa:{activation}"),
            reason: format!(
                "{activation} has no elementary antiderivative; use relu, leaky_relu, relu6, gelu, tanh, sigmoid, sin, abs or poly"
            ),
        })
    }

    /// (F(b) − F(a))/(b − a), or σ at the middle where a and b are too close for the quotient.
    fn between(&self, a: &Tensor, b: &Tensor) -> Torch<Tensor> {
        // The quotient loses ε/d, the middle is off by d²: both are least near ∛ε.
        let close = if a.kind() == Element::Double { 1e-5 } else { 5e-3 };
        let step = b.f_sub(a)?;
        let near = step.f_abs()?.f_lt(close)?;
        let safe = step.f_masked_fill(&near, 1.0)?;
        let quotient =
            antiderivative(&self.activation, b)?.f_sub(&antiderivative(&self.activation, a)?)?.f_div(&safe)?;
        let middle = value(&self.activation, &a.f_add(b)?.f_mul_scalar(0.5)?)?;
        middle.f_where_self(&near, &quotient)
    }
}

fn has_antiderivative(activation: &Activation) -> bool {
    use Activation as A;
    matches!(
        activation,
        A::Relu | A::LeakyRelu(_) | A::Relu6 | A::Gelu | A::Tanh | A::Sigmoid | A::Sin | A::Abs | A::Polynomial(_)
    )
}

/// F with F′ = σ.
fn antiderivative(activation: &Activation, x: &Tensor) -> Torch<Tensor> {
    use Activation as A;
    let half_square = |x: &Tensor| x.f_square()?.f_mul_scalar(0.5);
    match activation {
        A::Relu => half_square(&x.f_relu()?),
        A::LeakyRelu(slope) => {
            let negative = x.f_clamp_max(0.0)?;
            half_square(&x.f_relu()?)?.f_add(&half_square(&negative)?.f_mul_scalar(*slope)?)
        }
        // x²/2 up to 6, then a line of slope 6.
        A::Relu6 => half_square(&x.f_clamp(0.0, 6.0)?)?.f_add(&x.f_sub_scalar(6.0)?.f_relu()?.f_mul_scalar(6.0)?),
        // ½((x² − 1)Φ(x) + xφ(x))
        A::Gelu => {
            let cdf = x.f_mul_scalar(std::f64::consts::FRAC_1_SQRT_2)?.f_erf()?.f_add_scalar(1.0)?.f_mul_scalar(0.5)?;
            let density =
                x.f_square()?.f_mul_scalar(-0.5)?.f_exp()?.f_mul_scalar(1.0 / (2.0 * std::f64::consts::PI).sqrt())?;
            let first = x.f_square()?.f_sub_scalar(1.0)?.f_mul(&cdf)?;
            first.f_add(&x.f_mul(&density)?)?.f_mul_scalar(0.5)
        }
        // ln cosh x = |x| + ln(1 + e^−2|x|) − ln 2
        A::Tanh => {
            let size = x.f_abs()?;
            size.f_add(&size.f_mul_scalar(-2.0)?.f_exp()?.f_log1p()?)?.f_sub_scalar(std::f64::consts::LN_2)
        }
        A::Sigmoid => value(&A::Softplus, x),
        A::Sin => x.f_cos()?.f_neg(),
        A::Abs => x.f_abs()?.f_mul(x)?.f_mul_scalar(0.5),
        A::Polynomial(c) => {
            let raised: Vec<f64> =
                std::iter::once(0.0).chain(c.iter().enumerate().map(|(j, c)| c / (j as f64 + 1.0))).collect();
            value(&A::Polynomial(raised), x)
        }
        _ => Err(tch::TchError::Torch("this function has no antiderivative here".to_owned())),
    }
}

impl Design for Adaa {
    fn name(&self) -> String {
        format!("adaa:{}", self.activation)
    }

    fn about(&self) -> String {
        "the mean of the function along the line between neighbours, along each axis (ADAA of order 1, arXiv 2512.20211)"
            .to_owned()
    }

    fn kind(&self) -> Kind {
        Kind::Nonlinearity
    }

    fn guarantee(&self) -> Guarantee {
        Guarantee::Approximate
    }

    fn resampling(&self) -> Resampling {
        Resampling::Same { first: -0.5 }
    }

    fn check(&self, shape: [usize; 3], padding: Padding) -> Result<(), DesignError> {
        check_padding(&self.name(), [1, 0], shape, padding)
    }

    fn forward(&self, x: &Tensor, padding: Padding) -> Torch<Tensor> {
        let wide = pad(x, 1, 0, padding)?;
        let (rows, columns) = (x.size()[2], x.size()[3]);
        let left = wide.f_narrow(3, 0, columns)?;
        let right = wide.f_narrow(3, 1, columns)?;
        let along_x = self.between(&left, &right)?;
        let up = wide.f_narrow(2, 0, rows)?;
        let down = wide.f_narrow(2, 1, rows)?;
        let along_y = self.between(&up, &down)?;
        let mean_x = along_x.f_narrow(2, 0, rows)?.f_add(&along_x.f_narrow(2, 1, rows)?)?;
        let mean_y = along_y.f_narrow(3, 0, columns)?.f_add(&along_y.f_narrow(3, 1, columns)?)?;
        mean_x.f_add(&mean_y)?.f_mul_scalar(0.25)
    }

    fn cost(&self, shape: [usize; 4]) -> Option<Cost> {
        let numbers = shape.iter().product::<usize>() as f64;
        Some(Cost { operations: 10.0 * numbers, numbers: 5.0 * numbers })
    }
}
