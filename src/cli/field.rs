//! `aliascope field`: the derivative of a scalar of the output along every motion of the input.

use std::collections::HashMap;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use tch::Tensor;

use crate::figure::FieldPicture;
use crate::measure::field::{FieldMeter, FieldOptions, Fields};
use crate::measure::field_report::FieldReport;
use crate::measure::motion_field::VectorField;
use crate::measure::scalar::Scalar;
use crate::memory::Allowance;
use crate::report::{Vectors, tensors_bytes};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::spectrum::smooth::{Edge, Sobolev};
use crate::symmetry::{GridKind, Units};

use super::labels::LabelArgs;
use super::lee::picture;
use super::network::{Console, NetworkArgs, Opened};
use super::resume::{Options, Progress, ResumeArgs};
use super::{Failure, Status};
use aliascope_core::cli::outputs::{ONE_FIGURE, OutputArgs, Outputs};

/// Measure how a scalar of the output changes under every motion of the image: arrows, and the worst smooth deformation.
#[derive(Debug, Args)]
pub struct FieldArgs {
    /// The network: an ONNX file with one image input.
    #[arg(value_hint = ValueHint::FilePath)]
    model: PathBuf,
    /// Photos (png, jpg), folders of them, or a .safetensors with key `x` [N, C, H, W], taken as it is.
    #[arg(short, long, required = true, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    /// What of the output is differentiated: margin, log-probability, logit:CLASS, entry:INDEX, energy or sum [default: the
    /// margin of class scores, else the energy].
    #[arg(long, value_name = "NAME")]
    scalar: Option<Scalar>,
    /// The length ℓ in pixels that deformations are smooth over, ‖v‖² = mean |v|² + 2ℓ²·mean |∇v|² + ℓ⁴·mean |Δv|².
    #[arg(long, default_value_t = 16.0, value_name = "PIXELS")]
    smoothness: f64,
    /// How a motion's size counts its derivatives: h2 as above, or h1, ‖v‖² = mean |v|² + ℓ²·mean |∇v|², whose worst
    /// deformations are ragged.
    #[arg(long, default_value_t = Sobolev::H2, value_name = "h1|h2")]
    norm: Sobolev,
    /// What deformations do at the image's edge [default: free, and periodic with --boundary periodic].
    #[arg(long, value_name = "free|fixed|periodic")]
    edge: Option<Edge>,
    /// The largest frequency of the random deformations of the relative stability, in half-periods per side.
    #[arg(long, default_value_t = 3, value_name = "C", value_parser = clap::value_parser!(u16).range(1..=512))]
    cutoff: u16,
    /// Also move every image along its worst deformation, by these sizes in pixels, and run the network on it.
    #[arg(long, value_name = "PIXELS,…", value_delimiter = ',')]
    warp: Vec<f64>,
    /// How ∇ is taken.
    #[arg(long, default_value_t = Scheme::Spectral, value_name = "spectral|forward|central|authors")]
    derivative: Scheme,
    /// What lies beyond the edge of the image.
    #[arg(long, default_value_t = Boundary::Reflect, value_name = "reflect|periodic")]
    boundary: Boundary,
    /// Where samples lie.
    #[arg(long, default_value_t = GridKind::Tracked, value_name = "tracked|align-corners")]
    grid: GridKind,
    /// The unit of t.
    #[arg(long, default_value_t = Units::HalfWidth, value_name = "half-width|pixel")]
    units: Units,
    /// Memory for a run, in MiB [default: what the system says is free].
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    resume: ResumeArgs,
    /// Write the fields themselves: keys field and worst, [N, 2, H, W], along x and y, per pixel and in pixels.
    #[arg(long, value_name = "FILE.safetensors")]
    vectors: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the subcommand.
pub fn run(args: &FieldArgs) -> Result<(), Failure> {
    check(args)?;
    let mut outputs = Outputs::claim(&args.output, &ONE_FIGURE)?;
    let vectors = outputs.another(args.vectors.as_ref())?;
    let _allowance = Allowance::of(args.memory.map(|mib| mib.saturating_mul(1 << 20)));
    let opened = args.network.open(&args.model, &args.images)?;
    let network = &opened.network;
    let mut meter = FieldMeter::new(network, options(args))?;
    let console = Console::new(args.output.quiet, opened.source.frames().len(), "images");
    opened.note_outputs(&console);
    let labels = args.labels.read(&opened.source, meter.classes())?;
    let mut progress = Progress::open(&args.resume, "field", &opened, checkpoint_options(args, &opened), &console)?;
    let (mut names, mut kept) = (Vec::new(), Vec::new());
    let mut first: Option<(Tensor, Fields)> = None;
    opened.for_batches(1, &console, &progress.known(), |batch| {
        let (name, label) = (batch.names().concat(), batch.frames().next().and_then(|frame| labels.of(frame)));
        let mut fields = None;
        let part = label.map_or_else(String::new, |label| format!("class {label}"));
        let found = progress.recall(&part, batch, || {
            let (found, made) = meter.find(&batch.tensor()?, &name, label)?;
            fields = Some(made);
            Ok(found)
        })?;
        meter.take(found);
        let drawn = outputs.draws() && first.is_none();
        if drawn || vectors.is_some() {
            // What an earlier run found has numbers and no fields.
            let x = batch.tensor()?;
            let made = match fields {
                Some(made) => made,
                None => meter.find(&x, &name, label)?.1,
            };
            if vectors.is_some() {
                kept.push(made.clone());
            }
            first.get_or_insert((x, made));
        }
        names.push(name);
        console.advance(1);
        Ok(())
    })?;
    console.finish();
    let report = meter.report(opened.run(names), forward_ms(&opened)?);
    if let Some(file) = vectors {
        outputs.fill(file, vector_file(&report, &kept)?);
    }
    let drawn = match first {
        // Inputs of other channels are no pictures.
        Some((x, fields)) if outputs.draws() && matches!(x.size()[2], 1 | 3) => Some(FieldPicture {
            image: picture(&x)?,
            field: fields.field,
            worst: fields.worst.map(|worst| worst.field),
        }),
        _ => None,
    };
    outputs.write(&report, &drawn, args.network.per_image)?;
    progress.finish();
    opened.finish()
}

/// Refuses numbers that mean nothing.
fn check(args: &FieldArgs) -> Result<(), Failure> {
    let usage = |message: String| Err(Failure::new(Status::Usage, message));
    if !(args.smoothness >= 0.0 && args.smoothness.is_finite()) {
        return usage(format!("--smoothness is a length in pixels, 0 or more, not {}", args.smoothness));
    }
    match args.warp.iter().find(|size| !(**size > 0.0 && size.is_finite())) {
        Some(size) => usage(format!("--warp takes sizes in pixels above 0, not {size}")),
        None => Ok(()),
    }
}

fn options(args: &FieldArgs) -> FieldOptions {
    FieldOptions {
        scheme: args.derivative,
        boundary: args.boundary,
        grid: args.grid,
        units: args.units,
        scalar: args.scalar,
        smoothness: args.smoothness,
        norm: args.norm,
        edge: args.edge,
        cutoff: usize::from(args.cutoff),
        warps: args.warp.clone(),
    }
}

/// The options that results of an image depend on.
fn checkpoint_options(args: &FieldArgs, opened: &Opened) -> Options {
    Options::of(opened, 1)
        .with("derivative", args.derivative)
        .with("boundary", args.boundary)
        .with("grid", args.grid)
        .with("units", args.units)
        .with("scalar", args.scalar.map_or_else(String::new, |scalar| scalar.to_string()))
        .with("smoothness", args.smoothness)
        .with("norm", args.norm)
        .with("edge", args.edge.map_or("", Edge::name))
        .with("cutoff", args.cutoff)
        .with("warp", args.warp.iter().map(f64::to_string).collect::<Vec<_>>().join(","))
}

/// What one forward pass of one image takes, in milliseconds.
fn forward_ms(opened: &Opened) -> Result<f64, Failure> {
    let network = &opened.network;
    let x = Tensor::f_zeros([&[1], network.input().shape.as_slice()].concat(), (network.kind(), network.device()))?;
    Ok(network.typical_forward_ms(&x)?)
}

/// F and the worst deformation of every image; zeros where the scalar does not change.
fn vector_file(report: &FieldReport, fields: &[Fields]) -> Result<Vec<u8>, Failure> {
    let shape = |v: &VectorField| vec![fields.len(), 2, v[0].nrows(), v[0].ncols()];
    let Some(first) = fields.first() else { return Ok(Vec::new()) };
    let flat = |v: &VectorField| v.iter().flatten().copied().collect::<Vec<f64>>();
    let zeros = || vec![0.0; first.field.iter().map(ndarray::Array2::len).sum()];
    let named: [Vectors<f64>; 2] = [
        ("field".to_owned(), shape(&first.field), fields.iter().flat_map(|fields| flat(&fields.field)).collect()),
        (
            "worst".to_owned(),
            shape(&first.field),
            fields
                .iter()
                .flat_map(|fields| fields.worst.as_ref().map_or_else(zeros, |worst| flat(&worst.field)))
                .collect(),
        ),
    ];
    let lie = report.run.lie();
    let about = [
        ("model", report.run.model.path.clone()),
        ("scalar", report.scalar.to_string()),
        ("derivative", lie.derivative.to_string()),
        ("boundary", lie.boundary.to_string()),
        ("smoothness", report.deformations.smoothness.to_string()),
        ("norm", report.deformations.norm.to_string()),
        ("edge", report.deformations.edge.to_string()),
    ];
    let about: HashMap<String, String> = about.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(tensors_bytes(&named, about)?)
}
