//! What an anti-aliasing design is.

use std::fmt;
use std::rc::Rc;

use num_complex::Complex64;
use serde::{Deserialize, Serialize};
use tch::{TchError, Tensor};

use crate::graph::forward_ad;
use crate::graph::operator::{Differentiable, Linear, Operator, Point, Torch};
use crate::graph::window::{fold_stack, unfold_stack};
use crate::spectrum::{GridSize, Wave};

pub use super::design_error::DesignError;
use super::onnx_form::{NotOnnx, OnnxForm, OnnxSite};
use super::prediction::{Prediction, PredictionError, PredictionInput, linear_prediction};
pub use super::resampling::Resampling;
use super::{Guarantee, Kind, Padding};

/// What one call costs, as the design's definition has it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Multiplications, or comparisons where it compares.
    pub operations: f64,
    /// Numbers held at once beside the input: the output and what leads to it.
    pub numbers: f64,
}

/// An anti-aliased layer: what it computes, how it carries tangents, and what is known of it beforehand.
///
/// Maps are `[images, channels, rows, columns]`. A design of one's own needs `name`, `about`, `kind`, `guarantee`,
/// `resampling` and `forward`; the rest has defaults.
pub trait Design: fmt::Debug {
    /// The name that the command line takes and results show.
    fn name(&self) -> String;

    /// Its definition and source in one sentence.
    fn about(&self) -> String;

    /// What it takes the place of.
    fn kind(&self) -> Kind;

    /// What it promises.
    fn guarantee(&self) -> Guarantee;

    /// How many samples come out, and where they lie.
    fn resampling(&self) -> Resampling;

    /// How many channels it needs for its measurement to say anything: one, or more where channels act on each other.
    fn channels(&self) -> usize {
        1
    }

    /// The layer's value. Called only where [`check`](Self::check) is content.
    ///
    /// # Errors
    /// When libtorch refuses.
    fn forward(&self, x: &Tensor, padding: Padding) -> Torch<Tensor>;

    /// Whether `forward` is linear, without an offset: its tangent is then itself.
    fn is_linear(&self) -> bool {
        false
    }

    /// D f_x\[ẋ\] for `dx` of shape `[tangents, images, channels, rows, columns]`; by default `forward` itself where it
    /// is linear, else libtorch's forward-mode automatic differentiation.
    ///
    /// # Errors
    /// When libtorch refuses.
    fn tangent(&self, x: &Tensor, dx: &Tensor, padding: Padding) -> Torch<Tensor> {
        if self.is_linear() {
            let (folded, lead) = fold_stack(dx)?;
            return unfold_stack(self.forward(&folded, padding)?, lead);
        }
        let one = |dx: Tensor| {
            let (_, mut dy) = forward_ad::jvp(|x| Ok(vec![self.forward(x[0], padding)?]), &[x], &[Some(&dx)])?;
            dy.pop().ok_or_else(|| TchError::Torch("a design without an output".to_owned()))
        };
        let parts = (0..dx.size()[0]).map(|t| one(dx.f_get(t)?)).collect::<Torch<Vec<_>>>()?;
        Tensor::f_stack(&parts, 0)
    }

    /// Whether a map of this size can be its input.
    ///
    /// # Errors
    /// Too small for the padding, or not a whole number of strides where the design needs one.
    fn check(&self, _shape: [usize; 3], _padding: Padding) -> Result<(), DesignError> {
        Ok(())
    }

    /// The output's position where it depends on the input, as \[rows, columns\]: see [`Resampling::first`].
    ///
    /// # Errors
    /// When libtorch refuses.
    fn origin(&self, x: &Tensor, padding: Padding) -> Torch<[f64; 2]> {
        match self.frozen(x, padding)? {
            Some(frozen) => frozen.origin(x, padding),
            None => Ok([self.resampling().first(); 2]),
        }
    }

    /// G_n on the torus: the factor by which harmonic n of the finer of its two grids is multiplied, in the convention
    /// of
    /// [`crate::spectrum::filter::Response::gain`]; nothing where the design is no filter. For a downsampling the finer
    /// grid is the input's; an upsampling puts N samples on N·factor, where the harmonics repeat, and filters there.
    fn gain(&self, _fine: GridSize, _wave: Wave) -> Option<Complex64> {
        None
    }

    /// Where the design is one of several linear ones, chosen by its input (APS chooses a phase): the one for `x`.
    ///
    /// # Errors
    /// When libtorch refuses.
    fn frozen(&self, _x: &Tensor, _padding: Padding) -> Torch<Option<Box<dyn Design>>> {
        Ok(None)
    }

    /// What the theorem predicts for circular padding, where it says something: by default from [`gain`](Self::gain).
    ///
    /// # Errors
    /// When libtorch or a transform refuses.
    fn predict(&self, input: &PredictionInput<'_>) -> Result<Option<Prediction>, PredictionError> {
        match self.frozen(input.x, Padding::Circular)? {
            Some(frozen) => frozen.predict(input),
            None => linear_prediction(self.resampling(), &|fine, wave| self.gain(fine, wave), input),
        }
    }

    /// What a call on `[images, channels, rows, columns]` costs, where the design says so.
    fn cost(&self, _shape: [usize; 4]) -> Option<Cost> {
        None
    }

    /// The layer as ONNX nodes from `site.input` to `site.output`.
    ///
    /// # Errors
    /// With the reason where ONNX cannot say it exactly; the default.
    fn onnx(&self, _site: &OnnxSite) -> Result<OnnxForm, NotOnnx> {
        Err(NotOnnx { design: self.name(), reason: "no ONNX form has been written for it".to_owned() })
    }
}

/// `design.forward` with its check before it.
///
/// # Errors
/// Those of [`Design::check`] and [`Design::forward`].
pub fn apply(design: &dyn Design, x: &Tensor, padding: Padding) -> Result<Tensor, DesignError> {
    let size = x.size();
    if let [_, channels, rows, columns] = size[..] {
        design.check([channels as usize, rows as usize, columns as usize], padding)?;
    }
    Ok(design.forward(x, padding)?)
}

/// The design as an operator of the executor, for values `[stack, batch, channels, rows, columns]`. Check the map's
/// size with [`Design::check`] first; [`Resampling::flow`] tells where the output's samples lie.
pub fn operator(design: Rc<dyn Design>, padding: Padding) -> Operator {
    let is_linear = design.is_linear();
    let layer = Layer { design, padding };
    if is_linear { Operator::Linear(Box::new(layer)) } else { Operator::Differentiable(Box::new(layer)) }
}

#[derive(Debug)]
struct Layer {
    design: Rc<dyn Design>,
    padding: Padding,
}

impl Layer {
    fn run(&self, x: &Tensor) -> Torch<Tensor> {
        let (folded, lead) = fold_stack(x)?;
        unfold_stack(self.design.forward(&folded, self.padding)?.f_contiguous()?, lead)
    }
}

impl Linear for Layer {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.run(x[0])?])
    }
}

impl Differentiable for Layer {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.run(x[0])?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let (x, lead) = fold_stack(at.x[0])?;
        let dy = at.sum(|_, dx| {
            let size = dx.size();
            let folded = dx.f_flatten(1, 2)?;
            let dy = self.design.tangent(&x, &folded, self.padding)?;
            let mut shape = vec![size[0]];
            shape.extend(lead);
            shape.extend(&dy.size()[2..]);
            dy.f_reshape(shape)
        })?;
        Ok(vec![dy])
    }
}
