//! Weights that bring each layer's output closest to the teacher's, without a step.
//!
//! Layers behind the first replacement are taken in graph order, each on what the layers before it make now. For a
//! layer with input X of the student (one row per position of the output, one column per entry of the window) and
//! output T of the teacher, R = T − X w₀ − b₀ is what the old weights miss. Either each output channel gets a scale and
//! a shift, the regression of T on y₀ = X w₀ + b₀, or with moments those that give y₀ the mean and the spread of T: a
//! regression shrinks what it cannot explain, layer by layer. Or the weights get Δ with min ‖R − XΔ − 1δᵀ‖² + λ tr(XᵀX)/d ‖Δ‖²
//! (ridge regression towards w₀), by normal equations of centred X and R in double precision, group by group.

use std::collections::HashSet;

use aliascope_core::repair::{RecalibratedLayer, RecalibrationKind};
use tch::{Kind, Tensor};

use super::error::RepairError;
use crate::graph::operator::{Operator, Pattern, Torch};
use crate::graph::{GraphError, Network, Parameter, ParameterRole, Step, Values, Visitor, wires};

/// λ: the share of the mean eigenvalue of XᵀX below which directions of the input keep their weights.
const RIDGE: f64 = 1e-2;
/// A channel that hardly varies any more is noise, which is not to be blown up: by moments, no scale changes more than
/// this.
const MOST_SCALE: f64 = 4.0;
/// More columns than this make normal equations too large; such layers get scales and shifts.
const MOST_COLUMNS: i64 = 4608;

/// Recalibrates the student's layers behind values of the names `written`, on images `[images, input shape…]`.
///
/// # Errors
/// When a network fails, or normal equations cannot be solved.
pub fn recalibrate(
    [teacher, student]: [&Network; 2],
    parameters: &[Parameter],
    written: &[String],
    kind: RecalibrationKind,
    x: &Tensor,
) -> Result<Vec<RecalibratedLayer>, RepairError> {
    tch::no_grad(|| {
        let named = |value: &crate::graph::ValueInfo| written.contains(&value.name);
        let places = student.values().iter().enumerate().filter(|(_, value)| named(value));
        let x = student.prepared(&student.place(x)?)?;
        let mut values = Values::none(teacher);
        values.insert(0, x.shallow_clone());
        let mut visitor = Recalibration {
            teacher,
            student,
            parameters,
            behind: steps_behind(student, places.map(|(id, _)| id).collect()),
            kind,
            walked: 0,
            values,
            layers: Vec::new(),
        };
        let _ = student.walk(x, &mut visitor)?;
        Ok(visitor.layers)
    })
}

/// The steps that depend on some of the values, by name.
fn steps_behind(network: &Network, mut open: Vec<usize>) -> HashSet<String> {
    let (_, readers) = wires(network.steps(), network.values().len());
    let (mut seen, mut found) = (HashSet::new(), HashSet::new());
    while let Some(id) = open.pop() {
        for &at in readers[id].iter().filter(|&&at| seen.insert(at)) {
            let step = &network.steps()[at];
            found.insert(step.name.clone());
            open.extend(step.outputs.iter().flatten());
        }
    }
    found
}

/// The student's walk, beside which the teacher's goes on as far as it is needed.
struct Recalibration<'a> {
    teacher: &'a Network,
    student: &'a Network,
    parameters: &'a [Parameter],
    behind: HashSet<String>,
    kind: RecalibrationKind,
    /// Steps of the teacher that are done, and what it has.
    walked: usize,
    values: Values<Tensor>,
    layers: Vec<RecalibratedLayer>,
}

/// The teacher's own pass, of which the last step's output is kept.
struct Ahead<'a> {
    network: &'a Network,
    last: Option<Tensor>,
}

impl Visitor for Ahead<'_> {
    type Value = Tensor;
    type Error = GraphError;

    fn outputs(&mut self, step: &Step, inputs: &[&Tensor]) -> Result<Vec<Tensor>, GraphError> {
        self.network.forward_step(step, inputs)
    }

    fn made(&mut self, _: &Step, _: usize, value: Tensor) -> Result<Tensor, GraphError> {
        self.last = Some(value.shallow_clone());
        Ok(value)
    }
}

impl Visitor for Recalibration<'_> {
    type Value = Tensor;
    type Error = RepairError;

    fn outputs(&mut self, step: &Step, inputs: &[&Tensor]) -> Result<Vec<Tensor>, RepairError> {
        if let (true, &[input]) = (self.behind.contains(&step.name), inputs) {
            let own = |parameter: &&Parameter| parameter.node == step.name;
            let weight = self.parameters.iter().filter(own).find(|p| matches!(p.role, ParameterRole::Weight { .. }));
            let bias = self.parameters.iter().filter(own).find(|p| p.role == ParameterRole::Bias);
            if let Some(weight) = weight {
                self.layer(step, input, weight, bias)?;
            }
        }
        Ok(self.student.forward_step(step, inputs)?)
    }
}

impl Recalibration<'_> {
    /// The teacher's step of this name, and its output.
    fn teachers(&mut self, name: &str) -> Result<Option<(usize, Tensor)>, GraphError> {
        let steps = self.teacher.steps();
        let Some(at) = steps.iter().skip(self.walked).position(|step| step.name == name) else { return Ok(None) };
        let at = at + self.walked;
        let mut ahead = Ahead { network: self.teacher, last: None };
        self.teacher.walk_through(&steps[self.walked..=at], &mut self.values, &mut ahead)?;
        self.walked = at + 1;
        Ok(ahead.last.map(|value| (at, value)))
    }

    fn layer(
        &mut self,
        step: &Step,
        input: &Tensor,
        weight: &Parameter,
        bias: Option<&Parameter>,
    ) -> Result<(), RepairError> {
        let Some((at, wanted)) = self.teachers(&step.name)? else { return Ok(()) };
        let theirs = &self.teacher.steps()[at];
        let Operator::Linear(op) = &*theirs.operator else { return Ok(()) };
        // The old layer, with its own stride, on what the student makes now.
        let old = self.teacher.forward_step(theirs, &[input])?.swap_remove(0);
        if old.size() != wanted.size() {
            return Ok(());
        }
        let mut solver = match (op.pattern(), self.kind) {
            (Pattern::Convolution(taps), RecalibrationKind::Weights) => {
                let columns: i64 = taps.weight.size()[1..].iter().product();
                if columns <= MOST_COLUMNS { Solver::Windows } else { Solver::Channels }
            }
            (_, RecalibrationKind::Weights) if is_dense(theirs) && input.size()[input.dim() - 1] <= MOST_COLUMNS => {
                Solver::Dense
            }
            _ => Solver::Channels,
        };
        // A layer of two axes behind the images has its channels last.
        let channels_last = !matches!(op.pattern(), Pattern::Convolution(_)) && is_dense(theirs);
        if matches!(solver, Solver::Channels) && weight.tensor.dim() != 4 && !channels_last {
            return Ok(());
        }
        if matches!(solver, Solver::Dense) && weight.is_transposed() && weight.tensor.dim() != 2 {
            solver = Solver::Channels;
        }
        let [before, after] = match (solver, op.pattern()) {
            (Solver::Windows, Pattern::Convolution(taps)) => {
                let columns = |image: i64| -> Torch<[Tensor; 3]> {
                    let x = windows(&input.f_select(0, image)?, taps.window, taps.groups)?;
                    let rows = |y: &Tensor| {
                        let y = y.f_select(0, image)?.f_to_kind(Kind::Double)?;
                        let size = y.size();
                        y.f_reshape([taps.groups, size[1] / taps.groups, -1])
                    };
                    Ok([x, rows(&wanted)?, rows(&wanted.f_sub(&old)?)?])
                };
                regress(input.size()[0], columns, weight, bias)?
            }
            (Solver::Dense, _) => {
                let columns = |image: i64| -> Torch<[Tensor; 3]> {
                    let columns = |y: &Tensor| {
                        let y = y.f_select(0, image)?.f_to_kind(Kind::Double)?;
                        let last = y.size()[y.dim() - 1];
                        y.f_reshape([1, -1, last])?.f_transpose(1, 2)
                    };
                    Ok([columns(input)?, columns(&wanted)?, columns(&wanted.f_sub(&old)?)?])
                };
                regress(input.size()[0], columns, weight, bias)?
            }
            _ => scale_and_shift([&old, &wanted], self.kind, channels_last, weight, bias)?,
        };
        self.layers.push(RecalibratedLayer { name: step.name.clone(), before, after });
        Ok(())
    }
}

/// How a layer is solved.
#[derive(Clone, Copy)]
enum Solver {
    Windows,
    Dense,
    Channels,
}

/// Whether a step is x·W along the last axis.
fn is_dense(step: &Step) -> bool {
    let Operator::Linear(op) = &*step.operator else { return false };
    step.op_type == "Gemm" || matches!(op.pattern(), Pattern::Matrix { axis: -1, .. })
}

/// The windows of an image `[1, channels, rows, columns]` group by group, `[groups, columns, positions]`, in double
/// precision.
fn windows(x: &Tensor, window: &crate::graph::window::Window, groups: i64) -> Torch<Tensor> {
    let pads = [window.begin[1], window.end[1], window.begin[0], window.end[0]];
    let padded = x.f_constant_pad_nd(pads.as_slice())?.f_contiguous()?;
    let unfolded = padded.f_im2col(&window.kernel, &window.dilations, [0, 0], &window.strides)?;
    let size = unfolded.size();
    unfolded.f_reshape([groups, size[1] / groups, size[2]])?.f_to_kind(Kind::Double)
}

/// Ridge regression of the residuals on the windows, both image by image, `[groups, …, positions]`: windows, wanted
/// outputs, residuals. The new weights are written; the relative squared error before and after.
fn regress(
    images: i64,
    columns: impl Fn(i64) -> Torch<[Tensor; 3]>,
    weight: &Parameter,
    bias: Option<&Parameter>,
) -> Torch<[f64; 2]> {
    let mut sums: Option<[Tensor; 6]> = None;
    let (mut count, mut square) = (0.0, 0.0);
    for image in 0..images {
        let [x, wanted, residual] = columns(image)?;
        count += x.size()[2] as f64;
        square += residual.f_square()?.f_sum(None::<Kind>)?.f_double_value(&[])?;
        let total = |y: &Tensor| y.f_sum_dim_intlist([2].as_slice(), true, None::<Kind>);
        let turned = x.f_transpose(1, 2)?;
        let next = [
            x.f_matmul(&turned)?,
            residual.f_matmul(&turned)?,
            total(&x)?,
            total(&residual)?,
            total(&wanted)?,
            wanted.f_square()?.f_sum_dim_intlist([2].as_slice(), true, None::<Kind>)?,
        ];
        match &mut sums {
            None => sums = Some(next),
            Some(sums) => {
                for (sum, next) in sums.iter_mut().zip(&next) {
                    let _ = sum.f_add_(next)?;
                }
            }
        }
    }
    let Some([gram, cross, x, residual, wanted, squares]) = sums else { return Ok([0.0; 2]) };
    let number = |y: &Tensor| -> Torch<f64> { y.f_sum(None::<Kind>)?.f_double_value(&[]) };
    let spread = number(&squares)? - number(&wanted.f_square()?)? / count;
    // Centred where there is a bias to take the means up.
    let (gram, cross) = match bias {
        Some(_) => (
            gram.f_sub(&x.f_matmul(&x.f_transpose(1, 2)?)?.f_div_scalar(count)?)?,
            cross.f_sub(&residual.f_matmul(&x.f_transpose(1, 2)?)?.f_div_scalar(count)?)?,
        ),
        None => (gram, cross),
    };
    let explained = match bias {
        Some(_) => square - number(&residual.f_square()?)? / count,
        None => square,
    };
    let side = gram.size()[1];
    let mean = gram.f_diagonal(0, 1, 2)?.f_mean_dim([1].as_slice(), true, None::<Kind>)?.f_unsqueeze(2)?;
    // A group without input keeps its weights.
    let ridge = mean.f_mul_scalar(RIDGE)?.f_clamp_min(f64::MIN_POSITIVE.sqrt())?;
    let identity = Tensor::f_eye(side, (Kind::Double, gram.device()))?;
    let loaded = gram.f_add(&identity.f_mul(&ridge)?)?;
    // Δᵀ, [groups, outputs, columns].
    let change = Tensor::f_linalg_solve(&loaded, &cross.f_transpose(1, 2)?, true)?.f_transpose(1, 2)?;
    let gained = 2.0 * number(&change.f_mul(&cross)?)? - number(&change.f_matmul(&gram)?.f_mul(&change)?)?;
    if let Some(bias) = bias {
        let shift = residual.f_sub(&change.f_matmul(&x)?)?.f_div_scalar(count)?;
        add(bias, &shift.f_reshape([-1])?)?;
    }
    let stored = weight.as_stored(&weight.tensor)?.size();
    let change = match weight.role {
        // A matrix [inputs, outputs].
        ParameterRole::Weight { outputs: 1 } => change.f_squeeze_dim(0)?.f_transpose(0, 1)?,
        _ => change,
    };
    add(weight, &change.f_reshape(stored.as_slice())?)?;
    let scale = spread.max(f64::MIN_POSITIVE);
    Ok([square / scale, (explained - gained).max(0.0) / scale])
}

/// Adds to a parameter what has its shape in the file.
fn add(parameter: &Parameter, change: &Tensor) -> Torch<()> {
    let change = parameter.as_held(&change.f_reshape(parameter.as_stored(&parameter.tensor)?.size())?)?;
    let _ = parameter.tensor.f_detach()?.f_add_(&change.f_to_kind(parameter.tensor.kind())?)?;
    Ok(())
}

/// The regression of each channel of the wanted outputs on the old ones, or what gives these the wanted moments; a shift
/// only where there is a bias. The new weights are written; the relative squared error before and after.
fn scale_and_shift(
    maps: [&Tensor; 2],
    kind: RecalibrationKind,
    channels_last: bool,
    weight: &Parameter,
    bias: Option<&Parameter>,
) -> Torch<[f64; 2]> {
    let Moments { means: [middle_y, middle_t], squares: [yy, tt, yt] } = moments(maps, channels_last)?;
    let total = |x: &Tensor| x.f_sum(None::<Kind>)?.f_double_value(&[]);
    // Around the means where there is a bias to take these up.
    let about = |central: &Tensor, a: &Tensor, b: &Tensor| match bias {
        Some(_) => Ok(central.shallow_clone()),
        None => central.f_add(&a.f_mul(b)?),
    };
    let variance = about(&yy, &middle_y, &middle_y)?;
    let theirs = about(&tt, &middle_t, &middle_t)?;
    let covariance = about(&yt, &middle_y, &middle_t)?;
    let ridge = variance.f_mul_scalar(RIDGE)?.f_add_scalar(f64::MIN_POSITIVE.sqrt())?;
    // Towards 1.
    let scale = match kind {
        RecalibrationKind::Moments => {
            let ratio = theirs.f_add(&ridge)?.f_div(&variance.f_add(&ridge)?)?.f_sqrt()?;
            ratio.f_clamp(1.0 / MOST_SCALE, MOST_SCALE)?
        }
        _ => covariance.f_add(&ridge)?.f_div(&variance.f_add(&ridge)?)?,
    };
    let shift = match bias {
        Some(_) => middle_t.f_sub(&middle_y.f_mul(&scale)?)?,
        None => scale.f_zeros_like()?,
    };
    // E(t − a y − b)² = var t − 2a cov(y, t) + a² var y + (E t − a E y − b)².
    let error = |scale: &Tensor, shift: &Tensor| -> Torch<f64> {
        let spread = tt.f_sub(&yt.f_mul(scale)?.f_mul_scalar(2.0)?)?.f_add(&yy.f_mul(&scale.f_square()?)?)?;
        let middle = middle_t.f_sub(&middle_y.f_mul(scale)?)?.f_sub(shift)?;
        Ok(total(&spread.f_add(&middle.f_square()?)?)?.max(0.0))
    };
    let spread = total(&tt)?.max(f64::MIN_POSITIVE);
    let [before, after] =
        [error(&scale.f_ones_like()?, &scale.f_zeros_like()?)? / spread, error(&scale, &shift)? / spread];
    let stored = weight.as_stored(&weight.tensor)?;
    let ParameterRole::Weight { outputs } = weight.role else { return Ok([before, before]) };
    let shape: Vec<i64> = (0..stored.dim()).map(|axis| if axis == outputs { -1 } else { 1 }).collect();
    let factor = scale.f_reshape(shape)?.f_to_kind(stored.kind())?;
    weight.tensor.f_detach()?.f_copy_(&weight.as_held(&stored.f_mul(&factor)?)?)?;
    if let Some(bias) = bias {
        let own = bias.as_stored(&bias.tensor)?;
        let flat = |x: &Tensor| x.f_reshape(own.size())?.f_to_kind(own.kind());
        let new = own.f_mul(&flat(&scale)?)?.f_add(&flat(&shift)?)?;
        bias.tensor.f_detach()?.f_copy_(&bias.as_held(&new)?)?;
    }
    Ok([before, after])
}

/// Means and central second moments of each channel of two stacks, in double precision: of y and t the means, and
/// var y, var t and cov(y, t).
struct Moments {
    means: [Tensor; 2],
    squares: [Tensor; 3],
}

/// Of maps `[images, 1, channels, …]`, or `[images, …, channels]`, image by image: a whole stack in double precision would
/// be several times as large as all else.
fn moments(maps: [&Tensor; 2], channels_last: bool) -> Torch<Moments> {
    let images = maps[0].size()[0];
    let rows = |stack: &Tensor, image: i64| -> Torch<Tensor> {
        let y = stack.f_narrow(0, image, 1)?;
        let y = if channels_last { y.f_movedim_int(-1, 0)? } else { y.f_movedim_int(2, 0)? };
        y.f_flatten(1, -1)?.f_to_kind(Kind::Double)
    };
    let mean = |x: &Tensor| x.f_mean_dim([1].as_slice(), true, None::<Kind>);
    let averaged = |sums: Option<Tensor>| match sums {
        Some(sum) => sum.f_div_scalar(images as f64),
        None => Tensor::f_zeros([1, 1], (Kind::Double, maps[0].device())),
    };
    let add = |sum: &mut Option<Tensor>, next: Tensor| -> Torch<()> {
        match sum {
            Some(sum) => {
                let _ = sum.f_add_(&next)?;
            }
            None => *sum = Some(next),
        }
        Ok(())
    };
    // All images have as many positions: the mean over images of the means over positions is the mean over all.
    let mut means = [None, None];
    for image in 0..images {
        for (sum, stack) in means.iter_mut().zip(maps) {
            add(sum, mean(&rows(stack, image)?)?)?;
        }
    }
    let [y, t] = means;
    let means = [averaged(y)?, averaged(t)?];
    let mut squares = [None, None, None];
    for image in 0..images {
        let y = rows(maps[0], image)?.f_sub(&means[0])?;
        let t = rows(maps[1], image)?.f_sub(&means[1])?;
        let products = [y.f_square()?, t.f_square()?, y.f_mul(&t)?];
        for (sum, product) in squares.iter_mut().zip(products) {
            add(sum, mean(&product)?)?;
        }
    }
    let [yy, tt, yt] = squares;
    Ok(Moments { means, squares: [averaged(yy)?, averaged(tt)?, averaged(yt)?] })
}
