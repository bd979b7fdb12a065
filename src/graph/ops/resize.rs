//! Resize and Upsample: nearest, linear and cubic, as one matrix per axis.
//!
//! Every mode is linear and separable, so the weights of one output sample are a row of a matrix, built here from the
//! specification's coordinate transformations. A matrix with one 1 per row becomes an index instead.
//!
//! Positions are fractions of whole numbers, so that the nearest sample is the nearest sample: in floating point
//! j/(m/n) falls short of whole numbers for some sizes.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::error::GraphError;
use crate::graph::layout::{Flow, Step};
use crate::graph::operator::{Linear, Operator, Torch};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mode {
    Nearest,
    Linear,
    Cubic,
}

/// How an output index becomes an input position.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    /// Half pixels to the right of `HalfPixel`, as old versions of TensorFlow have it for nearest neighbours.
    TensorFlowHalfPixel,
    /// The part of the axis between two fractions of it.
    Crop {
        start: f64,
        end: f64,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Rounding {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
}

/// What is needed for the rows of one axis's matrix.
#[derive(Clone, Copy, Debug)]
struct AxisRule {
    input: i64,
    output: i64,
    scale: Scale,
    mode: Mode,
    coordinates: Coordinates,
    rounding: Rounding,
    cubic_coefficient: f64,
    exclude_outside: bool,
    antialias: bool,
}

/// How much longer an axis becomes: the numerator over the denominator, both positive.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    numerator: i128,
    denominator: i128,
}

impl Scale {
    /// Of sizes.
    fn of(output: i64, input: i64) -> Self {
        Self { numerator: i128::from(output), denominator: i128::from(input) }
    }

    /// The fraction with the smallest denominator that is `scale` in single precision, in which files have it: two
    /// thirds, seven tenths; else the number itself. None where it is not positive or out of all proportion.
    fn meant(scale: f32) -> Option<Self> {
        if !(2f32.powi(-20)..=2f32.powi(20)).contains(&scale) {
            return None;
        }
        let exact = f64::from(scale);
        for denominator in 1..5000 {
            let numerator = (exact * f64::from(denominator)).round();
            if numerator >= 1.0 && (numerator / f64::from(denominator)) as f32 == scale {
                return Some(Self { numerator: numerator as i128, denominator: i128::from(denominator) });
            }
        }
        // 24 bits of fraction below 2^-20 at least: whole after 44 doublings.
        Some(Self { numerator: (exact * 2f64.powi(44)) as i128, denominator: 1 << 44 })
    }

    fn value(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// Compares without rounding.
    fn is_less(self, other: Self) -> bool {
        self.numerator * other.denominator < other.numerator * self.denominator
    }

    /// ⌊scale·n⌋.
    fn floor_of(self, n: i64) -> i128 {
        self.numerator * i128::from(n) / self.denominator
    }

    /// scale·n to the nearest whole number, halves up.
    fn round_of(self, n: i64) -> i128 {
        (2 * self.numerator * i128::from(n) + self.denominator) / (2 * self.denominator)
    }
}

impl AxisRule {
    /// The input position of output sample j as a fraction; none where a crop says it in decimals.
    fn fraction(&self, j: i64) -> Option<(i128, i128)> {
        let (j, input, output) = (i128::from(j), i128::from(self.input), i128::from(self.output));
        let Scale { numerator: p, denominator: q } = self.scale;
        // (j + ½)/s = (2j + 1)q/2p.
        let middle = (2 * j + 1) * q;
        Some(match self.coordinates {
            Coordinates::HalfPixel => (middle - p, 2 * p),
            // From the middle of the input: n/2·(1 − m/(s·n)) further.
            Coordinates::HalfPixelSymmetric => (middle - p + input * p - output * q, 2 * p),
            Coordinates::PytorchHalfPixel if output > 1 => (middle - p, 2 * p),
            // With the whole length of the output, as ONNX Runtime and PyTorch have it; ONNX's reference evaluator keeps
            // the fraction of scale·n.
            Coordinates::AlignCorners if output > 1 => (j * (input - 1), output - 1),
            Coordinates::PytorchHalfPixel | Coordinates::AlignCorners => (0, 1),
            Coordinates::Asymmetric => (j * q, p),
            Coordinates::TensorFlowHalfPixel => (middle, 2 * p),
            Coordinates::Crop { .. } => return None,
        })
    }

    /// The input position of output sample j.
    fn position(&self, j: i64) -> f64 {
        if let Some((above, below)) = self.fraction(j) {
            return above as f64 / below as f64;
        }
        let (j, input, output) = (j as f64, self.input as f64, self.output as f64);
        match self.coordinates {
            Coordinates::Crop { start, end } if self.output > 1 => {
                start * (input - 1.0) + j * (end - start) * (input - 1.0) / (output - 1.0)
            }
            Coordinates::Crop { start, end } => 0.5 * (start + end) * (input - 1.0),
            _ => 0.0,
        }
    }

    /// The input sample nearest to output sample j.
    fn nearest(&self, j: i64) -> i64 {
        let index = match self.fraction(j) {
            Some((above, below)) => {
                let floor = |above: i128, below: i128| above.div_euclid(below);
                let ceil = |above: i128, below: i128| -(-above).div_euclid(below);
                let index = match self.rounding {
                    Rounding::Floor => floor(above, below),
                    Rounding::Ceil => ceil(above, below),
                    Rounding::PreferFloor => ceil(2 * above - below, 2 * below),
                    Rounding::PreferCeil => floor(2 * above + below, 2 * below),
                };
                index.clamp(0, i128::from(self.input - 1)) as i64
            }
            None => {
                let position = self.position(j);
                let index = match self.rounding {
                    Rounding::Floor => position.floor(),
                    Rounding::Ceil => position.ceil(),
                    Rounding::PreferFloor => (position - 0.5).ceil(),
                    Rounding::PreferCeil => (position + 0.5).floor(),
                };
                index as i64
            }
        };
        index.clamp(0, self.input - 1)
    }

    /// The kernel that interpolation puts on the samples around a position.
    fn kernel(&self, distance: f64) -> f64 {
        let x = distance.abs();
        match self.mode {
            Mode::Linear => (1.0 - x).max(0.0),
            _ => {
                let a = self.cubic_coefficient;
                if x < 1.0 {
                    ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
                } else if x < 2.0 {
                    (((x - 5.0) * x + 8.0) * x - 4.0) * a
                } else {
                    0.0
                }
            }
        }
    }

    /// Whether output sample j reads what lies beyond a crop's image, which has a value of its own.
    fn is_outside(&self, j: i64) -> bool {
        let position = self.position(j);
        matches!(self.coordinates, Coordinates::Crop { .. }) && !(0.0..=(self.input - 1) as f64).contains(&position)
    }

    /// Row j: the weights of the input samples.
    fn row(&self, j: i64) -> Vec<f64> {
        let mut row = vec![0.0; self.input as usize];
        let position = self.position(j);
        if self.is_outside(j) {
            return row;
        }
        if self.mode == Mode::Nearest {
            row[self.nearest(j) as usize] = 1.0;
            return row;
        }
        let stretch = if self.antialias { self.scale.value().min(1.0) } else { 1.0 };
        let support = if self.mode == Mode::Linear { 1.0 } else { 2.0 } / stretch;
        let first = (position - support).floor() as i64;
        let last = (position + support).ceil() as i64;
        let mut total = 0.0;
        for i in first..=last {
            let inside = (0..self.input).contains(&i);
            if self.exclude_outside && !inside {
                continue;
            }
            let weight = self.kernel((i as f64 - position) * stretch);
            total += weight;
            row[i.clamp(0, self.input - 1) as usize] += weight;
        }
        if total != 0.0 {
            row.iter_mut().for_each(|w| *w /= total);
        }
        row
    }

    /// Where output samples lie: on the line through the centres of what they take, whatever attributes say it.
    ///
    /// The kernels of interpolation are symmetric about the position that the coordinate transformation gives, so that is
    /// it. Of the nearest neighbours it is the line through their places, or, where those lie on none, the line of cells
    /// that cover the axis, through the neighbours' mean: twice as many samples, each repeated, lie a quarter of a sample
    /// before and behind the one that they repeat, as a transposed convolution with a box of ones has them.
    fn step(&self) -> Step {
        let cells = self.input as f64 / self.output as f64;
        if self.input == 1 {
            return Step { first: (cells - 1.0) / 2.0, step: cells };
        }
        if let Some(places) = self.neighbours() {
            let stride = places[places.len() - 1] - places[0];
            let between = (places.len() as i64 - 1).max(1);
            let even = stride != 0 && places.windows(2).all(|pair| (pair[1] - pair[0]) * between == stride);
            if even {
                return Step { first: places[0] as f64, step: (stride / between) as f64 };
            }
            let whole = match self.coordinates {
                Coordinates::Crop { start, end } => start == 0.0 && end == 1.0,
                _ => true,
            };
            if whole {
                let middle = places.iter().sum::<i64>() as f64 / places.len() as f64;
                return Step { first: middle - cells * (self.output - 1) as f64 / 2.0, step: cells };
            }
        }
        let first = self.position(0);
        let step = if self.output > 1 { self.position(1) - first } else { cells };
        Step { first, step }
    }

    /// The one input sample that each output sample takes, where the rule is that and all lie inside.
    fn neighbours(&self) -> Option<Vec<i64>> {
        let inside = self.mode == Mode::Nearest && !(0..self.output).any(|j| self.is_outside(j));
        inside.then(|| (0..self.output).map(|j| self.nearest(j)).collect())
    }
}

/// What happens along one axis.
#[derive(Debug)]
enum AxisMap {
    Index(Tensor),
    /// [output, input]
    Matrix(Tensor),
}

#[derive(Debug)]
struct Resampling {
    axes: Vec<(i64, AxisMap)>,
    /// What a crop reads beyond the image.
    offset: Option<Tensor>,
}

impl Linear for Resampling {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let mut y = x[0].shallow_clone();
        for (axis, map) in &self.axes {
            y = match map {
                AxisMap::Index(index) => y.f_index_select(*axis, index)?,
                AxisMap::Matrix(matrix) if *axis == -1 => y.f_matmul(&matrix.f_transpose(0, 1)?)?,
                AxisMap::Matrix(matrix) if *axis == -2 => matrix.f_matmul(&y)?,
                AxisMap::Matrix(matrix) => {
                    y.f_transpose(*axis, -1)?.f_matmul(&matrix.f_transpose(0, 1)?)?.f_transpose(*axis, -1)?
                }
            };
        }
        Ok(vec![y])
    }

    fn offset(&self) -> Option<&Tensor> {
        self.offset.as_ref()
    }
}

/// Resize (and Upsample, its predecessor).
pub fn resize(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let rank = shape.len();
    let upsample = b.operator == "Upsample";
    let mode = match b.string("mode")?.as_deref() {
        None | Some("nearest") => Mode::Nearest,
        Some("linear") | Some("bilinear") => Mode::Linear,
        Some("cubic") => Mode::Cubic,
        Some(other) => return Err(b.unsupported(format!("mode = '{other}'"), "nearest, linear and cubic are")),
    };
    let coordinates = match b.string("coordinate_transformation_mode")?.as_deref() {
        None if upsample || b.opset < 11 => Coordinates::Asymmetric,
        None | Some("half_pixel") => Coordinates::HalfPixel,
        Some("half_pixel_symmetric") => Coordinates::HalfPixelSymmetric,
        Some("pytorch_half_pixel") => Coordinates::PytorchHalfPixel,
        Some("align_corners") => Coordinates::AlignCorners,
        Some("asymmetric") => Coordinates::Asymmetric,
        Some("tf_half_pixel_for_nn") => Coordinates::TensorFlowHalfPixel,
        // The fractions follow, axis by axis.
        Some("tf_crop_and_resize") => Coordinates::Crop { start: 0.0, end: 1.0 },
        Some(other) => {
            return Err(b.unsupported(
                format!("coordinate_transformation_mode = '{other}'"),
                "half_pixel, half_pixel_symmetric, pytorch_half_pixel, align_corners, asymmetric, tf_half_pixel_for_nn and \
                 tf_crop_and_resize are",
            ));
        }
    };
    let rounding = match b.string("nearest_mode")?.as_deref() {
        None if upsample || b.opset < 11 => Rounding::Floor,
        None | Some("round_prefer_floor") => Rounding::PreferFloor,
        Some("round_prefer_ceil") => Rounding::PreferCeil,
        Some("floor") => Rounding::Floor,
        Some("ceil") => Rounding::Ceil,
        Some(other) => return Err(b.unsupported(format!("nearest_mode = '{other}'"), String::new())),
    };
    let cubic_coefficient = b.float("cubic_coeff_a")?.unwrap_or(-0.75);
    let exclude_outside = b.int("exclude_outside")?.unwrap_or(0) != 0;
    let antialias = b.int("antialias")?.unwrap_or(0) != 0;
    let extrapolation = b.float("extrapolation_value")?.unwrap_or(0.0);
    let axes = match b.ints("axes")? {
        Some(axes) => b.axes_from_end(&axes, rank)?,
        None => (-(rank as i64)..0).collect(),
    };
    let (scales_at, sizes_at) = if upsample || b.opset < 11 { (1, 3) } else { (2, 3) };
    let scales: Option<Vec<f32>> = match b.attributes().floats("scales")? {
        Some(scales) => Some(scales),
        None => b
            .parameter_floats(scales_at, "scales")?
            .filter(|scales| !scales.is_empty())
            .map(|scales| scales.into_iter().map(|scale| scale as f32).collect()),
    };
    if upsample && scales.iter().flatten().any(|&scale| scale < 1.0) {
        return Err(b.invalid("it enlarges, and one of its scales is below 1"));
    }
    let sizes = b.parameter_ints(sizes_at, "sizes")?.filter(|sizes| !sizes.is_empty());
    let policy = b.string("keep_aspect_ratio_policy")?.unwrap_or_else(|| "stretch".to_owned());
    if !matches!(policy.as_str(), "stretch" | "not_larger" | "not_smaller") {
        let hint = "stretch, not_larger and not_smaller are";
        return Err(b.unsupported(format!("keep_aspect_ratio_policy = '{policy}'"), hint));
    }
    let inputs: Vec<i64> = axes.iter().map(|axis| shape[(axis + rank as i64) as usize]).collect();
    let outputs = output_sizes(b, &inputs, scales.as_deref(), sizes.as_deref(), &policy)?;
    let roi = match coordinates {
        Coordinates::Crop { .. } => {
            let roi = b.parameter_floats(1, "roi")?.unwrap_or_default();
            if roi.len() != 2 * axes.len() {
                return Err(b.invalid(format!("its roi {roi:?} does not fit {} axes", axes.len())));
            }
            roi
        }
        // Of no meaning, whatever it holds.
        _ => {
            let _ = b.opset >= 11 && b.has(1);
            Vec::new()
        }
    };
    let (mut rules, mut out) = (Vec::new(), shape.clone());
    let mut steps = [Step { first: 0.0, step: 1.0 }; 2];
    let mut spatial_only = rank == 4;
    for (i, &axis) in axes.iter().enumerate() {
        let input = inputs[i];
        let coordinates = match coordinates {
            Coordinates::Crop { .. } => Coordinates::Crop { start: roi[i], end: roi[axes.len() + i] },
            other => other,
        };
        let whole = match coordinates {
            Coordinates::Crop { start, end } => start == 0.0 && end == 1.0,
            _ => true,
        };
        let (output, scale) = outputs[i];
        if input == output && scale.numerator == scale.denominator && whole {
            continue;
        }
        // Shrinking, Resize of opset 10 takes the next sample to the right: the specification's example says so, and
        // ONNX Runtime does.
        let shrinks = scale.numerator < scale.denominator;
        let rounding = if !upsample && b.opset < 11 && shrinks { Rounding::Ceil } else { rounding };
        spatial_only &= axis >= -2;
        let rule = AxisRule {
            input,
            output,
            scale,
            mode,
            coordinates,
            rounding,
            cubic_coefficient,
            exclude_outside,
            antialias,
        };
        if (-2..0).contains(&axis) {
            steps[(axis + 2) as usize] = rule.step();
        }
        out[(axis + rank as i64) as usize] = output;
        b.check_size(&out)?;
        rules.push((axis, rule));
    }
    let mut maps = Vec::with_capacity(rules.len());
    for (axis, rule) in &rules {
        maps.push((*axis, axis_map(b, rule)?));
    }
    let offset = beyond(b, &rules, &out, extrapolation)?;
    b.varying_input(0)?;
    let flow = if spatial_only { Flow::Resampled { rows: steps[0], columns: steps[1] } } else { Flow::Lost };
    Ok(Built { operator: Operator::Linear(Box::new(Resampling { axes: maps, offset })), flow })
}

/// The length of each axis afterwards, and its scale.
fn output_sizes(
    b: &Builder<'_>,
    inputs: &[i64],
    scales: Option<&[f32]>,
    sizes: Option<&[i64]>,
    policy: &str,
) -> Result<Vec<(i64, Scale)>, GraphError> {
    let axes = inputs.len();
    let impossible =
        |n: i64, to: &dyn std::fmt::Display| b.invalid(format!("an axis of {n} samples cannot become {to}"));
    let mut found = Vec::with_capacity(axes);
    match (sizes, scales) {
        (Some(sizes), _) if sizes.len() == axes => {
            for (&size, &n) in sizes.iter().zip(inputs) {
                if size < 1 || n < 1 {
                    return Err(impossible(n, &size));
                }
                found.push((size, Scale::of(size, n)));
            }
        }
        (None, Some(scales)) if scales.len() == axes => {
            for (&scale, &n) in scales.iter().zip(inputs) {
                let meant = Scale::meant(scale).ok_or_else(|| b.invalid(format!("its scale {scale} is impossible")))?;
                found.push((i64::try_from(meant.floor_of(n)).unwrap_or(i64::MAX), meant));
            }
        }
        (None, None) => return Err(b.invalid("it has neither scales nor sizes")),
        _ => return Err(b.invalid(format!("its scales or sizes do not fit {axes} axes"))),
    }
    if sizes.is_some() && policy != "stretch" {
        // One scale for all axes, the least or the largest.
        let larger = policy == "not_smaller";
        let chosen = found.iter().map(|(_, scale)| *scale).reduce(|a, b| if a.is_less(b) == larger { b } else { a });
        if let Some(scale) = chosen {
            let rounded = |n: i64| i64::try_from(scale.round_of(n)).unwrap_or(i64::MAX);
            found = inputs.iter().map(|&n| (rounded(n), scale)).collect();
        }
    }
    match found
        .iter()
        .zip(inputs)
        .find(|((output, _), n)| !(1..=1 << 20).contains(output) || !(1..=1 << 20).contains(*n))
    {
        Some(((output, _), n)) => Err(impossible(*n, output)),
        None => Ok(found),
    }
}

/// `value` where an output sample lies beyond a crop's image along some axis, 0 elsewhere; none where no sample does.
fn beyond(b: &Builder<'_>, rules: &[(i64, AxisRule)], out: &[i64], value: f64) -> Result<Option<Tensor>, GraphError> {
    if value == 0.0 || !rules.iter().any(|(_, rule)| (0..rule.output).any(|j| rule.is_outside(j))) {
        return Ok(None);
    }
    let mut inside = Tensor::f_ones(out, (b.kind(0)?, b.device()))?;
    for (axis, rule) in rules {
        let along: Vec<f64> = (0..rule.output).map(|j| if rule.is_outside(j) { 0.0 } else { 1.0 }).collect();
        let mut lined = vec![1; out.len()];
        lined[(axis + out.len() as i64) as usize] = rule.output;
        inside = inside.f_mul(&Tensor::f_from_slice(&along)?.f_reshape(lined)?.f_to_kind(inside.kind())?)?;
    }
    Ok(Some(inside.f_neg()?.f_add_scalar(1.0)?.f_mul_scalar(value)?))
}

fn axis_map(b: &Builder<'_>, rule: &AxisRule) -> Result<AxisMap, GraphError> {
    let device = b.device();
    if let Some(index) = rule.neighbours() {
        return Ok(AxisMap::Index(Tensor::f_from_slice(&index)?.f_to_device(device)?));
    }
    if rule.input.saturating_mul(rule.output) > 1 << 26 {
        return Err(
            b.unsupported(format!("interpolation from {} to {} samples", rule.input, rule.output), String::new())
        );
    }
    let rows: Vec<f64> = (0..rule.output).flat_map(|j| rule.row(j)).collect();
    let kind = match b.kind(0)? {
        Kind::Double => Kind::Double,
        _ => Kind::Float,
    };
    let matrix = Tensor::f_from_slice(&rows)?.f_reshape([rule.output, rule.input])?.f_to_kind(kind)?;
    Ok(AxisMap::Matrix(matrix.f_to_device(device)?))
}
