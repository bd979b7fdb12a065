//! A network that is one function of tensors, written in Rust with tch: nothing of it is known but what it computes.

use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use tch::{Device, Kind, TchError, Tensor};

use super::caught::caught;
use super::error::GraphError;
use super::forward_ad::jvp;
use super::guard;
use super::layout::{Flow, Layout};
use super::load::InputLayout;
use super::memory_format::MemoryFormat;
use super::network::{Network, Step, ValueInfo};
use super::operator::{Forward, Operator, Torch};
use super::refusal;
use super::target::Target;
use crate::symmetry::{Grid, GridKind};

/// What a function does not say of itself.
#[derive(Clone, Debug)]
pub struct FunctionOptions {
    /// What results call it.
    pub name: String,
    /// Channels, rows and columns of an image.
    pub input: [i64; 3],
    /// `Kind::Float` or `Kind::Double`: that of its weights.
    pub kind: Kind,
    /// Where its weights lie.
    pub device: Device,
    /// Where the samples of an output `[images, channels, rows, columns]` lie, in half-widths; none for the input's own
    /// grid where the output has as many rows and columns, and for a place that is not known where it has not.
    pub output_grid: Option<Grid>,
}

impl FunctionOptions {
    /// In single precision on the processor.
    pub fn new(name: impl Into<String>, input: [i64; 3]) -> Self {
        Self { name: name.into(), input, kind: Kind::Float, device: Device::Cpu, output_grid: None }
    }
}

/// The function as an operator.
struct TensorFunction(Box<dyn Fn(&Tensor) -> Tensor>);

impl fmt::Debug for TensorFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TensorFunction")
    }
}

impl Forward for TensorFunction {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        // `[images, 1, channels, rows, columns]`: images are one batch for the function.
        let images = x[0].f_flatten(0, 1)?;
        let y = caught(|| Torch::Ok((self.0)(&images)))?;
        if y.size().first() != images.size().first() || y.kind() != images.kind() {
            let problem = format!(
                "it makes {:?} of {:?} out of images {:?} of {:?}; return one row per image, of the same kind",
                y.size(),
                y.kind(),
                images.size(),
                images.kind()
            );
            return Err(TchError::Torch(problem));
        }
        Ok(vec![y.f_unsqueeze(1)?])
    }
}

/// How far values may lie apart that are the same but for rounding, of their largest: convolutions of batches of other
/// sizes add in another order.
fn rounding(kind: Kind) -> f64 {
    if kind == Kind::Double { 1e-9 } else { 1e-4 }
}

impl Network {
    /// `function`, of images `[images, channels, rows, columns]`, with a row of its output per image, as a network of one
    /// node. Every measurement of a network measures it, end to end.
    ///
    /// Tangents are libtorch's forward mode, one pass per tangent, and exact: all that tch's tensors do has one, but for
    /// a few operations, which are refused when they come. What the function draws or updates must be switched off:
    /// dropout, and batch normalisation in training mode.
    ///
    /// # Errors
    /// The function fails on images of noise; its output is no row per image; what it says of one image depends on the
    /// others of the batch, or on chance; its output carries no derivative, as behind `detach` or arg max.
    pub fn of_function(
        function: impl Fn(&Tensor) -> Tensor + 'static,
        options: &FunctionOptions,
    ) -> Result<Self, GraphError> {
        let function = TensorFunction(Box::new(function));
        let refused = |problem: String| GraphError::Graph {
            path: options.name.clone(),
            problem: format!("the function: {problem}"),
        };
        let input: Vec<i64> = [&[1], options.input.as_slice()].concat();
        if !matches!(options.kind, Kind::Float | Kind::Double) || options.input.iter().any(|&n| n < 1) {
            return Err(refused(format!("an input {:?} of {:?} is no image of floats", options.input, options.kind)));
        }
        let failed = |error: TchError| match guard::shortage(&error) {
            Some(shortage) => GraphError::Memory { place: format!("{}: the function", options.name), shortage },
            None => refused(refusal::first_line(&error)),
        };
        let output = tch::no_grad(|| probed(&function, &input, options)).map_err(failed)?.map_err(refused)?;
        let [rows, columns] = [options.input[1], options.input[2]].map(|n| n as usize);
        let plane = Grid::image(rows, columns, GridKind::Tracked);
        let layout = match (&output[..], options.output_grid) {
            (&[_, _, r, c], Some(grid)) if [r, c] == [&grid.rows, &grid.columns].map(|axis| axis.samples as i64) => {
                Layout::planar(grid)
            }
            (_, Some(grid)) => {
                let size = format!("{}×{}", grid.rows.samples, grid.columns.samples);
                return Err(refused(format!("its output {output:?} has no {size} rows and columns, as its grid has")));
            }
            (&[_, _, r, c], None) if [r, c] == options.input[1..] => Layout::planar(plane),
            ([_, _], None) => Layout::NonSpatial,
            _ => Layout::Unknown,
        };
        let value = |name: &str, shape: Vec<i64>, layout| ValueInfo {
            name: name.to_owned(),
            shape,
            kind: options.kind,
            layout,
            relates: false,
        };
        let step = Step {
            name: options.name.clone(),
            module: String::new(),
            op_type: refusal::FUNCTION.to_owned(),
            operator: Rc::new(Operator::Automatic(Box::new(function))),
            nodes: 1,
            flow: Flow::Unknown,
            inputs: vec![0],
            outputs: vec![Some(1)],
            frees: vec![0],
            may_overwrite: false,
        };
        Ok(Self {
            path: PathBuf::from(&options.name),
            files: Vec::new(),
            steps: vec![step.clone()],
            fused: vec![step],
            values: vec![value("x", input, Layout::planar(plane)), value("output", output, layout)],
            output: 1,
            metadata: Vec::new(),
            target: Target::First,
            input_layout: InputLayout::ChannelsFirst,
            integers: None,
            sized_by: None,
            other_outputs: Vec::new(),
            kind: options.kind,
            device: options.device,
            straight_through: false,
            // What the function does may be written for it, as `view` is.
            format: MemoryFormat::ChannelsFirst,
        })
    }
}

/// The output's shape for one image, from images of noise between 0 and 1; or what is wrong with the function.
fn probed(function: &TensorFunction, input: &[i64], options: &FunctionOptions) -> Torch<Result<Vec<i64>, String>> {
    let both = noise([&[2], input].concat(), options)?;
    let of = |x: &Tensor| -> Torch<Tensor> {
        function.forward(&[x])?.pop().ok_or_else(|| TchError::Torch("it has no output".to_owned()))
    };
    let together = of(&both)?;
    let apart = Tensor::f_cat(&[of(&both.f_narrow(0, 0, 1)?)?, of(&both.f_narrow(0, 1, 1)?)?], 0)?;
    let number = |t: Tensor| t.f_double_value(&[]);
    let size = number(apart.f_abs()?.f_max()?)?;
    // Of NaN and infinity nothing is learned; a measurement says on which image they come.
    if number(together.f_sub(&apart)?.f_abs()?.f_max()?)? > rounding(options.kind) * size {
        return Ok(Err(
            "what it makes of an image depends on the other images of the batch, or on chance; switch dropout \
                       off, and batch normalisation to its running statistics (forward_t(x, false))"
                .to_owned(),
        ));
    }
    let direction = both.f_sub_scalar(0.5)?;
    let (_, tangents) = jvp(|x| function.forward(x), &[&both], &[Some(&direction)])?;
    let still = match tangents.first() {
        Some(tangent) => number(tangent.f_abs()?.f_max()?)? == 0.0,
        None => true,
    };
    if still && number(apart.f_get(0)?.f_sub(&apart.f_get(1)?)?.f_abs()?.f_max()?)? > 0.0 {
        return Ok(Err(
            "its output differs from image to image and has no derivative; take detach, rounding, arg max and \
                       numbers read out of tensors from the way between input and output"
                .to_owned(),
        ));
    }
    Ok(Ok(apart.size()[1..].to_vec()))
}

/// Numbers between 0 and 1, the same at each call; libtorch's own generator, which training may use, stays as it is.
fn noise(shape: Vec<i64>, options: &FunctionOptions) -> Torch<Tensor> {
    let count: i64 = shape.iter().product();
    // Multiples of the golden section spread evenly; their squares, without the order in which they come.
    let values: Vec<f64> =
        (0..count).map(|i| ((i * i) as f64 * 0.618_033_988_749_894_9 + i as f64 * 0.414).fract()).collect();
    Tensor::f_from_slice(&values)?.f_view(shape.as_slice())?.f_to_kind(options.kind)?.f_to_device(options.device)
}
