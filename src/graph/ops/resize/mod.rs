//! Resize and Upsample: nearest, linear and cubic, as one matrix per axis.
//!
//! Every mode is linear and separable, so the weights of one output sample are a row of a matrix, built here from the
//! specification's coordinate transformations. A matrix with one 1 per row becomes an index instead.

mod rule;
mod scale;

use tch::{Kind, Tensor};

use self::rule::{AxisRule, Coordinates, Mode, Rounding};
use self::scale::Scale;
use crate::graph::builder::{Build, Builder, Built};
use crate::graph::error::GraphError;
use crate::graph::layout::{Flow, Step};
use crate::graph::operator::{Linear, Operator, Torch};

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
    let flow = if spatial_only { Flow::Resampled { rows: steps[0], columns: steps[1] } } else { Flow::Unknown };
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
