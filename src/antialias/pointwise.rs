//! Pointwise functions on samples: plain activations, smooth stand-ins, polynomials fitted to one.

use tch::{TchError, Tensor};

use super::design::{Cost, Design, Resampling};
use super::onnx_form::{Chain, NotOnnx, OnnxForm, OnnxSite, float, text};
use super::prediction::{Prediction, PredictionError, PredictionInput, oversampled_prediction};
use super::{Guarantee, Kind, Padding};
use crate::graph::operator::{Elementwise, Torch};
use crate::graph::ops::Function;
use crate::spectrum::activation::Activation;
use crate::spectrum::activation::formula::{AttributeValue, Formula};

/// σ(x) of a tensor: by libtorch's own loop where there is one, else as its ONNX form says.
///
/// # Errors
/// When libtorch refuses.
pub fn value(activation: &Activation, x: &Tensor) -> Torch<Tensor> {
    match activation {
        Activation::LeakyRelu(slope) => x.f_where_self(&x.f_gt(0.0)?, &x.f_mul_scalar(*slope)?),
        Activation::Gelu => x.f_gelu("none"),
        Activation::GeluTanh => x.f_gelu("tanh"),
        Activation::Silu => x.f_silu(),
        // max(x, 0) + ln(1 + e^−|x|); libtorch's own is the identity above 20.
        Activation::Softplus => x.f_abs()?.f_neg()?.f_exp()?.f_log1p()?.f_add(&x.f_relu()?),
        Activation::Elu => x.f_elu(),
        Activation::HardSwish => x.f_hardswish(),
        Activation::Mish => x.f_mish(),
        Activation::Polynomial(coefficients) => horner(coefficients, x),
        other => match other.forms().first() {
            Some(form) => evaluate(form, x),
            None => Err(TchError::Torch(format!("there is no way to compute {other}"))),
        },
    }
}

/// A formula of a tensor, node by node.
fn evaluate(form: &Formula, x: &Tensor) -> Torch<Tensor> {
    let Formula::Node { operator, inputs, attributes } = form else { return Ok(x.shallow_clone()) };
    let constant = |at: usize| match inputs.get(at) {
        Some(Formula::Constant(number)) => Some(number.value()),
        _ => None,
    };
    let unknown = || TchError::Torch(format!("there is no way to compute {operator} in an activation"));
    let first = match inputs.first() {
        Some(input @ (Formula::X | Formula::Node { .. })) => evaluate(input, x)?,
        _ => return Err(unknown()),
    };
    match (*operator, constant(1), constant(2)) {
        ("Clip", Some(low), Some(high)) => first.f_clamp(low, high),
        ("Add", Some(c), _) => first.f_add_scalar(c),
        ("Mul", Some(c), _) => first.f_mul_scalar(c),
        ("Div", Some(c), _) => first.f_div_scalar(c),
        ("Add" | "Mul" | "Div", None, _) => {
            let second = evaluate(inputs.get(1).ok_or_else(unknown)?, x)?;
            match *operator {
                "Add" => first.f_add(&second),
                "Mul" => first.f_mul(&second),
                _ => first.f_div(&second),
            }
        }
        (_, None, None) if attributes.is_empty() => Function::plain(operator).ok_or_else(unknown)?.value(&first),
        _ => Err(unknown()),
    }
}

/// σ′(x) of a tensor; at a kink as [`Activation::derivative`] has it.
pub(super) fn derivative(activation: &Activation, x: &Tensor) -> Torch<Option<Tensor>> {
    Ok(Some(match activation {
        Activation::Relu => x.f_gt(0.0)?.f_to_kind(x.kind())?,
        Activation::LeakyRelu(slope) => x.f_full_like(*slope)?.f_masked_fill(&x.f_gt(0.0)?, 1.0)?,
        Activation::Relu6 => x.f_gt(0.0)?.f_logical_and(&x.f_lt(6.0)?)?.f_to_kind(x.kind())?,
        Activation::Softplus => x.f_sigmoid()?,
        Activation::Abs => x.f_sign()?,
        Activation::Polynomial(c) => {
            let slopes: Vec<f64> = c.iter().enumerate().skip(1).map(|(j, c)| j as f64 * c).collect();
            horner(&slopes, x)?
        }
        _ => return Ok(None),
    }))
}

/// Σ_j c_j x^j.
fn horner(coefficients: &[f64], x: &Tensor) -> Torch<Tensor> {
    let Some((highest, rest)) = coefficients.split_last() else { return x.f_zeros_like() };
    let mut sum = x.f_full_like(*highest)?;
    for c in rest.iter().rev() {
        sum = sum.f_mul(x)?.f_add_scalar(*c)?;
    }
    Ok(sum)
}

/// Appends σ to a chain of ONNX nodes.
///
/// # Errors
/// A function that ONNX cannot say.
pub(super) fn onnx_activation(chain: &mut Chain<'_>, activation: &Activation, design: &str) -> Result<(), NotOnnx> {
    let forms = activation.forms();
    let form = forms.first().ok_or_else(|| NotOnnx {
        design: design.to_owned(),
        reason: "a constant function needs the input's shape alone".to_owned(),
    })?;
    let x = chain.at();
    write(chain, form, &x);
    Ok(())
}

/// Appends a formula of the value `x`; the name of what its last node writes.
fn write(chain: &mut Chain<'_>, form: &Formula, x: &str) -> String {
    match form {
        Formula::X => x.to_owned(),
        Formula::Constant(number) => chain.constant("c", &[], &[number.value()]),
        Formula::Node { operator, inputs, attributes } => {
            let inputs: Vec<String> = inputs.iter().map(|input| write(chain, input, x)).collect();
            let attributes = attributes.iter().map(|attribute| match attribute.value {
                AttributeValue::Number { number, .. } => float(attribute.name, number.value() as f32),
                AttributeValue::Text { text: word, .. } => text(attribute.name, word),
            });
            chain.node(operator, &inputs.iter().map(String::as_str).collect::<Vec<_>>(), attributes.collect())
        }
    }
}

/// A pointwise function.
#[derive(Debug)]
pub struct Pointwise {
    name: String,
    about: String,
    activation: Activation,
    guarantee: Guarantee,
}

impl Pointwise {
    /// An activation as it is.
    pub fn plain(activation: Activation) -> Self {
        let about = "pointwise, as networks have it".to_owned();
        Self { name: activation.to_string(), about, activation, guarantee: Guarantee::None }
    }

    /// A smooth function in the place of one with a kink.
    pub fn smooth(activation: Activation) -> Self {
        let about = "pointwise and smooth: harmonics fall off exponentially, where ReLU's fall as 1/k^2".to_owned();
        Self { name: activation.to_string(), about, activation, guarantee: Guarantee::Approximate }
    }

    /// The polynomial of this degree nearest to σ over a range: by least squares with Chebyshev's weight.
    pub fn fitted(of: &Activation, degree: usize, range: [f64; 2]) -> Self {
        let activation = Activation::Polynomial(fit(of, degree, range));
        let about = format!(
            "the polynomial of degree {degree} nearest to {of} over {:.3} to {:.3}: alias-free where (degree + 1) times the band is below the grid",
            range[0], range[1]
        );
        Self { name: format!("polyfit:{of}:{degree}"), about, activation, guarantee: Guarantee::Approximate }
    }

    /// The function.
    pub fn activation(&self) -> &Activation {
        &self.activation
    }
}

/// Coefficients c₀ … c_d of the polynomial nearest to σ over `range` in the mean square with Chebyshev's weight.
pub fn fit(of: &Activation, degree: usize, [low, high]: [f64; 2]) -> Vec<f64> {
    /// The sum over the nodes is exact for polynomials of far higher degree than any fit's.
    const NODES: usize = 4096;
    let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
    let mut series = vec![0.0; degree + 1];
    for i in 0..NODES {
        let angle = std::f64::consts::PI * (i as f64 + 0.5) / NODES as f64;
        let value = of.value(middle + half * angle.cos());
        for (k, c) in series.iter_mut().enumerate() {
            let weight = if k == 0 { 1.0 } else { 2.0 } / NODES as f64;
            *c += weight * value * (k as f64 * angle).cos();
        }
    }
    // From Chebyshev's polynomials of u = (x − middle)/half to powers of x: T_{k+1} = 2u T_k − T_{k−1}.
    let times_u = |p: &[f64]| {
        let mut product = vec![0.0; p.len() + 1];
        for (k, c) in p.iter().enumerate() {
            product[k + 1] += c / half;
            product[k] -= c * middle / half;
        }
        product
    };
    let mut sum = vec![0.0; degree + 1];
    let (mut before, mut now): (Vec<f64>, Vec<f64>) = (vec![1.0], times_u(&[1.0]));
    for (k, c) in series.iter().enumerate() {
        let current = if k == 0 { &before } else { &now };
        current.iter().zip(&mut sum).for_each(|(t, s)| *s += c * t);
        if k > 0 {
            let mut next: Vec<f64> = times_u(&now).iter().map(|t| 2.0 * t).collect();
            before.iter().zip(&mut next).for_each(|(b, n)| *n -= b);
            (before, now) = (now, next);
        }
    }
    sum
}

impl Design for Pointwise {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn about(&self) -> String {
        self.about.clone()
    }

    fn kind(&self) -> Kind {
        Kind::Nonlinearity
    }

    fn guarantee(&self) -> Guarantee {
        self.guarantee
    }

    fn resampling(&self) -> Resampling {
        Resampling::Same { first: 0.0 }
    }

    fn forward(&self, x: &Tensor, _: Padding) -> Torch<Tensor> {
        value(&self.activation, x)
    }

    fn tangent(&self, x: &Tensor, dx: &Tensor, padding: Padding) -> Torch<Tensor> {
        match derivative(&self.activation, x)? {
            Some(slope) => dx.f_mul(&slope),
            None => {
                let one = |t| {
                    let dx = dx.f_get(t)?;
                    let (_, dy) =
                        crate::graph::forward_ad::jvp(|x| Ok(vec![self.forward(x[0], padding)?]), &[x], &[Some(&dx)])?;
                    dy.into_iter().next().ok_or_else(|| tch::TchError::Torch("no output".to_owned()))
                };
                Tensor::f_stack(&(0..dx.size()[0]).map(one).collect::<Torch<Vec<_>>>()?, 0)
            }
        }
    }

    fn predict(&self, input: &PredictionInput<'_>) -> Result<Option<Prediction>, PredictionError> {
        let sigma = |fine: ndarray::Array3<f64>, _| fine.mapv_into(|h| self.activation.value(h));
        Ok(Some(oversampled_prediction(input, 1, 1, &|_| true, &sigma)?))
    }

    fn cost(&self, shape: [usize; 4]) -> Option<Cost> {
        let numbers = shape.iter().product::<usize>() as f64;
        let operations = self.activation.degree().unwrap_or(1).max(1) as f64;
        Some(Cost { operations: numbers * operations, numbers })
    }

    fn onnx(&self, site: &OnnxSite) -> Result<OnnxForm, NotOnnx> {
        let mut chain = Chain::new(site);
        onnx_activation(&mut chain, &self.activation, &self.name)?;
        Ok(chain.finish())
    }
}
