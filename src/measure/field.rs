//! The field of motion of a network: one backward pass gives the derivative of a scalar of the output along every motion.

use std::time::Instant;

use ndarray::{Array3, ArrayView3};
use tch::{Kind, Tensor};

use crate::graph::operator::Torch;
use crate::graph::{Bound, Gradient, GraphError, Network, is_finite};
use crate::spectrum::differentiation::{Boundary, DifferentiationError, Scheme};
use crate::spectrum::smooth::{Edge, RandomFields, Smoothness, Sobolev};
use crate::spectrum::warp::warped;
use crate::symmetry::{Grid, GridKind, Motion, Units};

use super::field_report::{Deformations, FieldFound, FieldImage, FieldReport, Furthest, Warped};
use super::lee_error::LeeError;
use super::motion_field::{MotionField, Steepest, VectorField, moved, on_grid, orthonormal};
use super::output::Output;
use super::output_action::{OutputAction, behind_output, measured};
use super::run::{Lie, Run};
use super::scalar::Scalar;

/// How to measure.
#[derive(Clone, Debug)]
pub struct FieldOptions {
    /// How ∇ is taken.
    pub scheme: Scheme,
    /// What lies beyond the image's edge.
    pub boundary: Boundary,
    /// How positions are chosen.
    pub grid: GridKind,
    /// The unit of t.
    pub units: Units,
    /// What of the output is differentiated; none for the margin of class scores, else the energy.
    pub scalar: Option<Scalar>,
    /// ℓ, in pixels.
    pub smoothness: f64,
    /// How many derivatives the size of a motion counts.
    pub norm: Sobolev,
    /// What deformations do at the edge; none for that which goes with the boundary.
    pub edge: Option<Edge>,
    /// The cut-off of the random fields of the relative stability.
    pub cutoff: usize,
    /// The sizes of finite deformations that are tried, in pixels.
    pub warps: Vec<f64>,
}

impl Default for FieldOptions {
    fn default() -> Self {
        Self {
            scheme: Scheme::Spectral,
            boundary: Boundary::Reflect,
            grid: GridKind::Tracked,
            units: Units::HalfWidth,
            scalar: None,
            smoothness: 16.0,
            norm: Sobolev::H2,
            edge: None,
            cutoff: 3,
            warps: Vec::new(),
        }
    }
}

/// Why there is no field of motion.
#[derive(Debug, thiserror::Error)]
pub enum FieldError {
    /// The network failed, or a value is not finite.
    #[error(transparent)]
    Lee(#[from] LeeError),
    /// The derivative is not defined.
    #[error(transparent)]
    Derivative(#[from] DifferentiationError),
    /// Finite deformations need the interpolant that is differentiated.
    #[error(
        "finite deformations move the band-limited image: give --derivative spectral, not {0}, or leave --warp out"
    )]
    Warp(Scheme),
    /// The scalar is of class scores.
    #[error(
        "--scalar {scalar} needs a vector of class scores, and the output has the shape {shape:?}; take energy, sum or \
         entry:INDEX"
    )]
    NotClasses {
        /// What was asked for.
        scalar: Scalar,
        /// The output's shape.
        shape: Vec<i64>,
    },
    /// The output is probabilities already.
    #[error("--scalar {0}: the network's output is probabilities, not scores; take log-probability, or entry:INDEX")]
    Probabilities(Scalar),
    /// There is no such entry.
    #[error("--scalar {scalar}: the output has {entries} entries, counted from 0")]
    NoEntry {
        /// What was asked for.
        scalar: Scalar,
        /// How many there are.
        entries: usize,
    },
    /// Rounding stops reverse mode.
    #[error(
        "the derivative of quantised values is passed straight through by forward mode alone: measure the network with lee \
         or layers, or a copy of it that is not quantised"
    )]
    Quantised,
    /// Forward and reverse mode do not agree.
    #[error(
        "the derivative of '{image}' along its worst deformation is {reverse:e} by reverse mode and {forward:e} by forward \
         mode; try --precision f64, and report it if that does not help"
    )]
    Disagree {
        /// The image.
        image: String,
        /// Σ v·F.
        reverse: f64,
        /// ∂m/∂f · Df\[v·∇x\].
        forward: f64,
    },
}

impl From<GraphError> for FieldError {
    fn from(error: GraphError) -> Self {
        Self::Lee(error.into())
    }
}

impl From<tch::TchError> for FieldError {
    fn from(error: tch::TchError) -> Self {
        Self::Lee(error.into())
    }
}

/// The classes that a scalar is of.
#[derive(Clone, Copy, Debug, Default)]
struct Classes {
    class: Option<usize>,
    other: Option<usize>,
}

/// The measurement of one network, image by image.
pub struct FieldMeter<'a> {
    network: &'a Network,
    options: FieldOptions,
    scalar: Scalar,
    edge: Edge,
    motions: Vec<(Motion, VectorField)>,
    smoothness: Smoothness,
    /// Orthonormal in the norm.
    affine: Vec<VectorField>,
    random: RandomFields,
    found: Vec<FieldFound>,
}

/// The fields of one image, to be drawn or kept.
#[derive(Clone, Debug)]
pub struct Fields {
    /// F.
    pub field: VectorField,
    /// The worst smooth deformation of size 1; none where m does not change.
    pub worst: Option<Steepest>,
}

impl<'a> FieldMeter<'a> {
    /// Prepares the measurement of `network`.
    ///
    /// # Errors
    /// When input, output or options do not allow it.
    pub fn new(network: &'a Network, options: FieldOptions) -> Result<Self, FieldError> {
        network.check_moves()?;
        if network.is_straight_through() {
            return Err(FieldError::Quantised);
        }
        if !options.warps.is_empty() && options.scheme != Scheme::Spectral {
            return Err(FieldError::Warp(options.scheme));
        }
        let input = network.input();
        let plane = input.layout.plane().ok_or_else(|| LeeError::NotAnImage(input.shape.clone()))?;
        let scalar = chosen(network, options.scalar)?;
        let grid: Grid = plane.placed(options.grid, options.units, &plane);
        let edge = options.edge.unwrap_or(match options.boundary {
            Boundary::Reflect => Edge::Free,
            Boundary::Periodic => Edge::Periodic,
        });
        let size = [grid.rows.samples, grid.columns.samples];
        let smoothness = Smoothness::new(size, options.smoothness, edge, options.norm);
        let motions: Vec<(Motion, VectorField)> =
            Motion::all().into_iter().map(|motion| (motion.clone(), on_grid(&motion, &grid))).collect();
        let affine = motions.iter().filter(|(motion, _)| matches!(motion, Motion::Affine(_)));
        let affine = orthonormal(affine.map(|(_, field)| field.clone()), &smoothness);
        let random = RandomFields::new(size, options.cutoff);
        Ok(Self { network, scalar, edge, motions, smoothness, affine, random, options, found: Vec::new() })
    }

    /// What is differentiated.
    pub fn scalar(&self) -> Scalar {
        self.scalar
    }

    /// The classes that the network has scores for; none where its output is no vector of classes.
    pub fn classes(&self) -> Option<usize> {
        self.network.classes()
    }

    /// What is found of one image, `[1, input shape…]`, of this class where it is known, called `name` in messages.
    ///
    /// # Errors
    /// The network fails, or a value or gradient is not finite.
    pub fn find(&self, x: &Tensor, name: &str, label: Option<usize>) -> Result<(FieldFound, Fields), FieldError> {
        let x = self.network.place(x)?;
        if !is_finite(&x)? {
            return Err(LeeError::not_finite("the input", name, "check the image or tensor").into());
        }
        let begun = Instant::now();
        let mut classes = Classes::default();
        let gradient: Gradient = self.network.gradient(&x, |output| {
            let (scalar, of) = self.evaluate(output, label, None)?;
            classes = of;
            Ok::<_, FieldError>(scalar)
        })?;
        let gradient_ms = begun.elapsed().as_secs_f64() * 1e3;
        if !gradient.scalar.is_finite() || !is_finite(&gradient.by_input)? {
            let hint = "values that are not finite, such as scores behind a mask, have none in reverse mode; or try \
                        --precision f64";
            return Err(LeeError::not_finite("the scalar or its gradient", name, hint).into());
        }
        let image = array(&x)?;
        let g = array(&gradient.by_input)?;
        let field = MotionField::new(image.view(), g.view(), self.options.scheme, self.options.boundary)?;
        let worst = field.worst(&self.smoothness);
        let smooth = worst.as_ref().map_or(0.0, |worst| worst.gain);
        let (mut residual, mut warps) = (0.0, Vec::new());
        if let Some(worst) = &worst {
            residual = self.disagreement(&x, image.view(), &gradient, worst, name)?;
            warps = self.warp(&x, image.view(), worst, label, classes)?;
        }
        let mut derivatives: Vec<f64> = self.motions.iter().map(|(_, v)| field.along(v)).collect();
        derivatives.push(field.saturate);
        let is_margin = self.scalar == Scalar::Margin;
        let found = FieldImage {
            value: gradient.scalar,
            class: classes.class,
            other: classes.other,
            smooth,
            affine: field.best_of(&self.affine).map_or(0.0, |best| best.gain),
            distance: (is_margin && smooth > 0.0).then(|| gradient.scalar.abs() / smooth),
            furthest: worst.as_ref().map(furthest),
            half_area: field.half_area(),
            stability: field.relative_stability(&self.random),
            residual,
            warps,
        };
        let top = self.top(&gradient.output)?;
        Ok((FieldFound { image: found, derivatives, top, gradient_ms }, Fields { field: field.field, worst }))
    }

    /// Takes up what [`find`](Self::find) found, now or in an earlier run.
    pub fn take(&mut self, found: FieldFound) {
        self.found.push(found);
    }

    /// The result over the images so far: of the run that is described, with what one forward takes.
    pub fn report(&self, run: Run, forward_ms: f64) -> FieldReport {
        let options = &self.options;
        let lie =
            Lie { derivative: options.scheme, boundary: options.boundary, grid: options.grid, units: options.units };
        let output = measured(self.network, Output::Identity, &OutputAction::None, &self.why());
        let deformations = Deformations {
            smoothness: options.smoothness,
            norm: options.norm,
            edge: self.edge,
            cutoff: options.cutoff,
        };
        let named = |(motion, v): &(Motion, VectorField)| (motion.name().to_owned(), Some(self.smoothness.norm(v)));
        let motions: Vec<_> = self.motions.iter().map(named).chain([("saturate".to_owned(), None)]).collect();
        let run = Run { lie: Some(lie), output: Some(output), ..run };
        FieldReport::of(run, self.scalar, deformations, &motions, &self.found, forward_ms)
    }

    /// What the scalar is, in a sentence.
    fn why(&self) -> String {
        let given = if self.options.scalar.is_some() { ", as --scalar says" } else { "" };
        match self.scalar {
            Scalar::Margin => format!(
                "The scalar is the margin: the score of the image's own class, or else of the one with the largest score, \
                 less the largest other score{given}."
            ),
            Scalar::LogProbability => format!(
                "The scalar is the log-probability of the image's own class, or else of the one with the largest \
                 score{given}."
            ),
            Scalar::Logit(class) => format!("The scalar is the score of class {class}{given}."),
            Scalar::Entry(index) => format!("The scalar is entry {index} of the output{given}."),
            Scalar::Energy => format!("The scalar is the mean square of the output's entries{given}."),
            Scalar::Sum => format!("The scalar is the sum of the output's entries{given}."),
        }
    }

    /// m of an output `[1, shape…]`, and the classes that it is of: of these, where they are fixed.
    fn evaluate(
        &self,
        output: &Tensor,
        label: Option<usize>,
        fixed: Option<Classes>,
    ) -> Result<(Tensor, Classes), FieldError> {
        let flat = output.f_reshape([-1])?.f_to_kind(Kind::Double)?;
        let entry = |of: &Tensor, at: usize| of.f_get(at as i64);
        let scores = || match self.network.bound() {
            Some(Bound::Simplex) => flat.f_log(),
            _ => Ok(flat.shallow_clone()),
        };
        let own = |z: &Tensor| -> Torch<usize> {
            match (fixed.and_then(|classes| classes.class), label) {
                (Some(class), _) | (None, Some(class)) => Ok(class),
                (None, None) => largest(z, None),
            }
        };
        Ok(match self.scalar {
            Scalar::Margin => {
                let z = scores()?;
                let class = own(&z)?;
                let other = match fixed.and_then(|classes| classes.other) {
                    Some(other) => other,
                    None => largest(&z, Some(class))?,
                };
                let margin = entry(&z, class)?.f_sub(&entry(&z, other)?)?;
                (margin, Classes { class: Some(class), other: Some(other) })
            }
            Scalar::LogProbability => {
                let z = scores()?;
                let class = own(&z)?;
                let normalised = z.f_log_softmax(0, None::<Kind>)?;
                (entry(&normalised, class)?, Classes { class: Some(class), other: None })
            }
            Scalar::Logit(class) => (entry(&flat, class)?, Classes { class: Some(class), other: None }),
            Scalar::Entry(index) => (entry(&flat, index)?, Classes::default()),
            Scalar::Energy => (flat.f_square()?.f_mean(None::<Kind>)?, Classes::default()),
            Scalar::Sum => (flat.f_sum(None::<Kind>)?, Classes::default()),
        })
    }

    fn top(&self, output: &Tensor) -> Torch<Option<usize>> {
        self.classes().map(|_| largest(&output.f_reshape([-1])?, None)).transpose()
    }

    /// By how much forward mode differs along the worst deformation, as a share of it.
    fn disagreement(
        &self,
        x: &Tensor,
        image: ArrayView3<'_, f64>,
        gradient: &Gradient,
        worst: &Steepest,
        name: &str,
    ) -> Result<f64, FieldError> {
        /// What forward and reverse mode may differ by: hundreds of layers' roundings, each by the noise of sums.
        const ROUNDING: [f64; 2] = [1e-2, 1e-8];
        let tangent = moved(image, &worst.field, self.options.scheme, self.options.boundary)?;
        let tangent = self.network.place(&tensor(&tangent)?)?.f_unsqueeze(0)?;
        let sweep = self.network.sweep(x, &tangent)?;
        let product = sweep.tangent.f_squeeze_dim(0)?.f_to_kind(Kind::Double)?.f_mul(&gradient.by_output)?;
        let forward = product.f_sum(Kind::Double)?.f_double_value(&[])?;
        let residual = (forward - worst.gain).abs() / worst.gain;
        let is_double = self.network.kind() == Kind::Double;
        // Below this gain m itself changes by rounding.
        let floor = gradient.scalar.abs() * if is_double { 1e-12 } else { 1e-5 };
        match residual <= ROUNDING[usize::from(is_double)] || worst.gain <= floor {
            true => Ok(residual),
            false => Err(FieldError::Disagree { image: name.to_owned(), reverse: worst.gain, forward }),
        }
    }

    /// m on the image moved against the worst deformation, so that it falls.
    fn warp(
        &self,
        x: &Tensor,
        image: ArrayView3<'_, f64>,
        worst: &Steepest,
        label: Option<usize>,
        classes: Classes,
    ) -> Result<Vec<Warped>, FieldError> {
        let mut found = Vec::new();
        for &size in &self.options.warps {
            let by = [0, 1].map(|axis| &worst.field[axis] * -size);
            let moved = tensor(&warped(image, &by, self.options.boundary))?;
            let output = self.network.forward(&self.network.place(&moved)?.f_view(x.size().as_slice())?)?;
            let (value, _) = self.evaluate(&output, label, Some(classes))?;
            found.push(Warped { size, value: value.f_double_value(&[])?, top: self.top(&output)? });
        }
        Ok(found)
    }
}

/// The scalar that is asked for, where the output has it, or what its shape says.
fn chosen(network: &Network, asked: Option<Scalar>) -> Result<Scalar, FieldError> {
    let shape = &network.output().shape;
    let is_simplex = network.bound() == Some(Bound::Simplex);
    let Some(scalar) = asked else {
        let scores = network.classes().is_some() && (is_simplex || behind_output(network, None)? == Output::Softmax);
        return Ok(if scores { Scalar::Margin } else { Scalar::Energy });
    };
    let entries = shape.iter().product::<i64>().max(0) as usize;
    match scalar {
        Scalar::Logit(_) if is_simplex => Err(FieldError::Probabilities(scalar)),
        _ if scalar.is_of_classes() && network.classes().is_none() => {
            Err(FieldError::NotClasses { scalar, shape: shape.clone() })
        }
        Scalar::Logit(at) | Scalar::Entry(at) if at >= entries => Err(FieldError::NoEntry { scalar, entries }),
        _ => Ok(scalar),
    }
}

/// The place of the largest entry, of all but one of them.
fn largest(scores: &Tensor, but: Option<usize>) -> Torch<usize> {
    let scores = scores.f_detach()?.copy();
    if let Some(but) = but {
        let _ = scores.f_get(but as i64)?.f_fill_(f64::NEG_INFINITY)?;
    }
    Ok(usize::try_from(scores.f_argmax(-1, false)?.f_int64_value(&[])?).unwrap_or(0))
}

/// Where a deformation moves the picture furthest.
fn furthest(worst: &Steepest) -> Furthest {
    let [x, y] = &worst.field;
    let size = |at: &(usize, usize)| x[*at].hypot(y[*at]);
    let (row, column) =
        x.indexed_iter().map(|(at, _)| at).max_by(|a, b| size(a).total_cmp(&size(b))).unwrap_or_default();
    Furthest { column, row, displacement: size(&(row, column)) }
}

/// `[…, channels, rows, columns]` of one image in double precision.
fn array(x: &Tensor) -> Torch<Array3<f64>> {
    let size = x.size();
    let [c, h, w] = [size[size.len() - 3], size[size.len() - 2], size[size.len() - 1]].map(|n| n as usize);
    let values = Vec::<f64>::try_from(&x.f_to_device(tch::Device::Cpu)?.f_to_kind(Kind::Double)?.f_reshape([-1])?)?;
    Array3::from_shape_vec((c, h, w), values).map_err(|error| tch::TchError::Torch(error.to_string()))
}

/// The same back, as `[1, 1, channels, rows, columns]`.
fn tensor(x: &Array3<f64>) -> Torch<Tensor> {
    let (c, h, w) = x.dim();
    let values: Vec<f64> = x.iter().copied().collect();
    Tensor::f_from_slice(&values)?.f_view([1, 1, c as i64, h as i64, w as i64])
}
