//! `aliascope antialias MODEL`: designs in a pretrained network.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use tch::{Kind, Tensor};

use super::generators::GeneratorArgs;
use super::labels::LabelArgs;
use super::measuring::MeasuringArgs;
use super::network::{Console, NetworkArgs, Opened};
use super::{Failure, Status};
use crate::antialias::Padding;
use crate::antialias::surgery::advise::{AdviseOptions, advise};
use crate::antialias::surgery::compare::{CompareOptions, Comparison};
use crate::antialias::surgery::cost::{multiplications, time_in_turn};
use crate::antialias::surgery::report::{Advice, Cost, InsertionReport, SURGERY_SCHEMA_VERSION, SurgeryReport};
use crate::antialias::surgery::{
    Form, Insertion, InsertionOptions, Place, Replacement, SurgeryError, TargetModel, functions,
};
use crate::figure::Format;
use crate::graph::branches;
use crate::graph::inline;
use crate::graph::onnx::OnnxFile;
use crate::graph::{LoadOptions, Network, is_finite};
use crate::measure::layers::LayersOptions;
use crate::measure::lee::LeeOptions;
use crate::measure::metrics::MARGIN;
use crate::measure::run::{Precision, Run};
use crate::symmetry::{Combination, Generator};
use aliascope_core::cli::outputs::{FigureName, OutputArgs, Outputs};

/// Designs in the place of a network's strides and activations.
#[derive(Debug, Args)]
pub(super) struct SurgeryArgs {
    /// A pretrained network, an ONNX file with one image input.
    #[arg(
        value_name = "MODEL",
        value_hint = ValueHint::FilePath,
        requires_all = ["replace", "images"],
        conflicts_with_all = ["design", "field", "signal", "image", "random"]
    )]
    model: Option<PathBuf>,
    /// What is replaced by which design, such as stride=blurpool:5 or relu6=filtered:2x; may be repeated.
    #[arg(
        long,
        value_name = "WHAT=DESIGN",
        requires = "model",
        value_parser = read_replacement,
        long_help = format!(
            "What is replaced by which design, such as stride=blurpool:5 or relu6=filtered:2x; may be repeated.\n\n\
             Places are stride (every strided layer), conv, maxpool, averagepool (strided ones), activation (all), or one \
             function: {}. A design that is put around a function takes the one that it replaces.",
            functions().join(", ")
        )
    )]
    replace: Vec<Replacement>,
    /// Photos (png, jpg), folders of them, or a .safetensors with key `x` [N, C, H, W], taken as it is.
    #[arg(long, num_args = 1.., value_name = "PATH", requires = "model")]
    images: Vec<PathBuf>,
    /// Only layers with this in their name, or of exactly this name.
    #[arg(long = "where", value_name = "PATTERN", requires = "model")]
    pattern: Option<String>,
    /// Where a downsampling goes behind a strided convolution [default: as its paper has it].
    #[arg(long, value_enum, default_value_t = PlaceChoice::Paper, requires = "model")]
    place: PlaceChoice,
    /// Choose where: at each step the place that lowers LEE most per cost, of all that are left.
    #[arg(long, requires = "model")]
    advise: bool,
    /// Replacements that --advise may choose.
    #[arg(long, value_name = "N", requires = "advise", default_value = "3")]
    budget: std::num::NonZeroU16,
    /// The share of images whose top-1 class --advise must keep, such as 0.9; of other outputs, the share of their length.
    #[arg(long, value_name = "SHARE", requires = "advise", default_value = "0")]
    keep: f64,
    #[command(flatten)]
    generators: GeneratorArgs,
    /// Random shifts per image for consistency; 0 leaves it out.
    #[arg(long, value_name = "D", requires = "model", default_value = "4")]
    draws: u16,
    #[command(flatten)]
    labels: LabelArgs,
    /// Leave out the layers' contributions.
    #[arg(long, requires = "model")]
    no_layers: bool,
    /// Save the new network as an ONNX file.
    #[arg(long, value_name = "NEW.onnx", requires = "model")]
    save: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum PlaceChoice {
    /// As its paper has it.
    Paper,
    /// Before the activation.
    Before,
    /// Behind the activation.
    After,
}

impl PlaceChoice {
    pub(super) fn place(self) -> Place {
        match self {
            Self::Paper => Place::Paper,
            Self::Before => Place::Before,
            Self::After => Place::After,
        }
    }
}

pub(super) fn read_replacement(text: &str) -> Result<Replacement, String> {
    text.parse().map_err(|error: SurgeryError| error.to_string())
}

impl SurgeryArgs {
    /// The model, where a network is to be rewritten.
    pub(super) fn model(&self) -> Option<&Path> {
        self.model.as_deref()
    }

    /// The generator that --advise lowers and that layers' contributions are under: the first that was given.
    fn generator(&self) -> Combination {
        let given = self.generators.measured().into_iter().next();
        given.unwrap_or_else(|| Combination::single(Generator::TranslateX))
    }

    fn place(&self) -> Place {
        self.place.place()
    }
}

/// What surgery shares with other commands.
pub(super) struct How<'a> {
    pub(super) padding: Padding,
    pub(super) measuring: &'a MeasuringArgs,
    pub(super) network: &'a NetworkArgs,
    pub(super) output: &'a OutputArgs,
}

/// The comparison, and where to begin.
const FIGURES: [FigureName; 2] = [("", None), ("advice", Some(Format::Png))];

/// The largest difference between a saved model and the measured one, over the largest output.
const SAVED_TOLERANCE: f64 = 1e-4;

pub(super) fn run(args: &SurgeryArgs, how: &How<'_>) -> Result<(), Failure> {
    let Some(model) = args.model() else { return Ok(()) };
    if !(0.0..=1.0).contains(&args.keep) {
        return Err(Failure::new(Status::Usage, format!("--keep must be from 0 to 1, not {}", args.keep)));
    }
    let figures = if args.advise { &FIGURES[..] } else { &FIGURES[..1] };
    let mut outputs = Outputs::claim(how.output, figures)?;
    let save_to = outputs.another(args.save.as_ref())?;
    // Places inside functions are found where the functions are written out; what cannot be, the loader refuses.
    let file = Network::read(model)?;
    let file = inline::functions(&file).unwrap_or(file);
    let opened =
        how.network.open_as(|_, options: &LoadOptions| Network::from_file(&file, options), model, &args.images)?;
    let network = &opened.network;
    // The nodes of branches have the names that the loader gave them.
    let (file, left) = branches::written_out(&file, &network.file_shape());
    let target = TargetModel::new(&file, network)?;
    let console = Console::new(how.output.quiet, 1, "measurements");
    opened.note_outputs(&console);
    if let Some((first, more)) = left.split_first() {
        let others = if more.is_empty() { String::new() } else { format!(" and of {} more", more.len()) };
        console.note(&format!(
            "places in the branches of '{first}' (If){others} are not looked for, as its condition could not be computed \
             alone: simplify the model (python3 -m onnxsim OLD.onnx NEW.onnx) to have them found"
        ));
    }

    let pattern = args.pattern.as_deref();
    let fitted = target.fitted_inputs(&args.replace, pattern);
    let ranges = if fitted.is_empty() { HashMap::new() } else { ranges(&opened, &fitted, &console)? };
    console.finish();
    let options =
        InsertionOptions { rules: &args.replace, pattern, padding: how.padding, place: args.place(), ranges: &ranges };
    let insertions = target.insertions(&options)?;
    // What cannot be saved is said before an hour's measurement.
    if save_to.is_some() {
        target.rewrite(&insertions.iter().collect::<Vec<_>>(), Form::Onnx)?;
    }
    let (chosen, advice) = if args.advise {
        let (chosen, advice) = advice(args, how, &opened, &target, &insertions)?;
        (chosen.iter().map(|at| &insertions[*at]).collect(), Some(advice))
    } else {
        (insertions.iter().collect::<Vec<&Insertion>>(), None)
    };
    let mut chosen = chosen;
    chosen.sort_by_key(|insertion| insertions.iter().position(|other| other.site.name == insertion.site.name));

    let rewritten = target.rewrite(&chosen, Form::Memory)?;
    // Where nothing was chosen the network stands on both sides, and is measured once.
    let loaded = if chosen.is_empty() { None } else { Some(target.load(&rewritten)?) };
    let after = loaded.as_ref().unwrap_or(network);
    note_layouts(network, after, &console);
    let (report, saved) = measure(args, how, &opened, [network, after], &target, &chosen, advice, &file)?;
    let before_cost = multiplications(network, &[], None);
    let after_cost = loaded.as_ref().map_or(before_cost, |after| multiplications(after, &chosen, Some(&rewritten)));
    let report = SurgeryReport {
        cost: Cost {
            multiplications_before: before_cost,
            multiplications_after: after_cost,
            forward_passes: after_cost / before_cost.max(1.0),
            ..report.cost
        },
        ..report
    };
    if chosen.is_empty() && (outputs.draws() || save_to.is_some()) {
        console.note("nothing was chosen, so there is no figure to draw and no new model to save");
    }
    if let (Some(file), Some(bytes)) = (save_to, saved) {
        outputs.fill(file, bytes);
    }
    outputs.write(&report, &(), how.network.per_image)?;
    check(&report)?;
    opened.finish()
}

/// The law that makes an attribution one, and the promise of a saved file.
fn check(report: &SurgeryReport) -> Result<(), Failure> {
    let limit = if report.run.precision == Precision::F64 { 1e-10 } else { 1e-4 };
    if let Some(residual) = report.conservation_residual.iter().find(|residual| **residual > limit) {
        return Err(Failure::new(
            Status::Check,
            format!(
                "the layers' errors do not add up to the whole: a residual of {residual:.1e}, above {limit:.0e}; use --precision \
                 f64, and report it if that does not help"
            ),
        ));
    }
    match report.saved_difference {
        Some(difference) if difference > SAVED_TOLERANCE => Err(Failure::new(
            Status::Check,
            format!("the saved model's outputs differ by {difference:.1e} from those that were measured; report it"),
        )),
        _ => Ok(()),
    }
}

fn lee_options(args: &SurgeryArgs, how: &How<'_>) -> LeeOptions {
    LeeOptions {
        generators: args.generators.named(),
        scheme: how.measuring.derivative,
        boundary: how.measuring.boundary,
        grid: how.measuring.grid,
        units: how.measuring.units,
        output: how.measuring.output,
        action: how.measuring.action,
        ..LeeOptions::default()
    }
}

fn layers_options(args: &SurgeryArgs, how: &How<'_>) -> LayersOptions {
    LayersOptions {
        scheme: how.measuring.derivative,
        boundary: how.measuring.boundary,
        grid: how.measuring.grid,
        units: how.measuring.units,
        output: how.measuring.output,
        action: how.measuring.action,
        split: false,
        ..LayersOptions::new(args.generator())
    }
}

fn advice(
    args: &SurgeryArgs,
    how: &How<'_>,
    opened: &Opened,
    target: &TargetModel<'_>,
    insertions: &[Insertion],
) -> Result<(Vec<usize>, Advice), Failure> {
    let console = Console::new(how.output.quiet, 1, "trials");
    let mut images: Vec<(String, Tensor)> = Vec::new();
    opened.for_images(&console, |frame, x| {
        images.push((frame.name(), x.f_to_kind(opened.network.kind())?));
        Ok(())
    })?;
    let options = AdviseOptions {
        generator: args.generator(),
        lee: lee_options(args, how),
        layers: layers_options(args, how),
        budget: usize::from(args.budget.get()),
        keep: args.keep,
    };
    let found = advise(target, insertions, &options, &images, &mut |done, of| console.reach(done, of))?;
    console.finish();
    Ok(found)
}

/// The least and the largest entry of values over all images.
pub(super) fn ranges(
    opened: &Opened,
    names: &[String],
    console: &Console,
) -> Result<HashMap<String, [f64; 2]>, Failure> {
    let mut found: HashMap<String, [f64; 2]> = HashMap::new();
    let values = opened.network.values();
    opened.for_images(console, |_, x| {
        let x = opened.network.place(&x)?;
        let _ = opened.network.forward_observed(&x, &mut |id, value| {
            let name = &values[id].name;
            if names.contains(name) {
                let least = value.stack.f_min()?.f_double_value(&[])?;
                let most = value.stack.f_max()?.f_double_value(&[])?;
                let range = found.entry(name.clone()).or_insert([least, most]);
                *range = [range[0].min(least), range[1].max(most)];
            }
            Ok(())
        })?;
        Ok(())
    })?;
    Ok(found)
}

/// Says where positions that were certain no longer are: a branch that was moved by half a sample meets one that was not.
fn note_layouts(before: &Network, after: &Network, console: &Console) {
    use crate::graph::layout::Layout;
    let known: HashMap<&str, bool> =
        before.values().iter().map(|v| (v.name.as_str(), matches!(v.layout, Layout::Map(_)))).collect();
    let lost = after
        .values()
        .iter()
        .filter(|value| matches!(value.layout, Layout::Unknown) && known.get(value.name.as_str()) == Some(&true));
    let lost: Vec<&str> = lost.map(|value| value.name.as_str()).collect();
    if let Some(first) = lost.first() {
        console.note(&format!(
            "at '{first}' samples that a filter of even length moved by half a sample meet others that it did not, so \
             positions are not certain in {} values from there on; filters of odd length move nothing",
            lost.len()
        ));
    }
}

#[allow(clippy::too_many_arguments)]
fn measure(
    args: &SurgeryArgs,
    how: &How<'_>,
    opened: &Opened,
    [before, after]: [&Network; 2],
    target: &TargetModel<'_>,
    chosen: &[&Insertion],
    advice: Option<Advice>,
    file: &OnnxFile,
) -> Result<(SurgeryReport, Option<Vec<u8>>), Failure> {
    let seed = how.network.seed().unwrap_or(0);
    let options = CompareOptions {
        lee: lee_options(args, how),
        layers: (!args.no_layers).then(|| layers_options(args, how)),
        draws: usize::from(args.draws),
        seed,
    };
    let mut comparison = Comparison::new(before, after, options)?;
    let labels = args.labels.read(&opened.source, comparison.classes())?;
    let frames = opened.source.frames();
    let console = Console::new(how.output.quiet, frames.len() * comparison.parts() as usize, "measurements");
    // What the images are like was said when they were read for the advice.
    let reading = Console::new(how.output.quiet || advice.is_some(), 1, "images");
    reading.finish();
    let (mut names, mut classes) = (Vec::new(), Vec::new());
    let mut first = None;
    opened.for_images(&reading, |frame, x| {
        if !is_finite(&x)? {
            let message = format!("the input of '{}' holds NaN or infinity; check the image or tensor", frame.name());
            return Err(Failure::new(Status::NotFinite, message));
        }
        let larger = if args.draws > 0 { opened.read_larger(frame, MARGIN)? } else { None };
        comparison.measure(&x, larger.as_ref(), &frame.name(), &mut || console.advance(1))?;
        names.push(frame.name());
        classes.push(labels.of(frame));
        first.get_or_insert(x);
        Ok(())
    })?;
    console.finish();
    let Some(first) = first else {
        return Err(Failure::new(Status::Input, "there is no image to measure; give --images files or folders"));
    };
    let [old, new, ratio] = time_in_turn(before, after, &first, 9)?;
    let (saved, difference) = match &args.save {
        Some(_) if !chosen.is_empty() => {
            let (bytes, difference) = save(target, chosen, after, &first, file)?;
            (Some(bytes), Some(difference))
        }
        _ => (None, None),
    };
    let (layers_lee, conservation_residual) = comparison.layers_lee();
    let report = SurgeryReport {
        schema_version: SURGERY_SCHEMA_VERSION,
        run: Run { lie: Some(comparison.lie()), output: Some(comparison.measured()), ..opened.run(names) },
        saved: args.save.as_ref().filter(|_| saved.is_some()).map(|path| path.display().to_string()),
        saved_difference: difference,
        replace: args.replace.iter().map(ToString::to_string).collect(),
        pattern: args.pattern.clone(),
        padding: how.padding,
        place: args.place(),
        insertions: chosen.iter().map(|insertion| insertion_report(&insertion.among(chosen))).collect(),
        generators: comparison.generators(),
        layers_generator: args.generator().name().to_owned(),
        layers: comparison.layers(),
        layers_lee,
        conservation_residual,
        shifts: comparison.shifts(),
        draws: usize::from(args.draws),
        seed,
        change: comparison.change(),
        accuracy: comparison.accuracy(&classes),
        cost: Cost { forward_ms_before: old, forward_ms_after: new, time_ratio: ratio, ..Cost::default() },
        advice,
    };
    Ok((report, saved))
}

pub(super) fn insertion_report(insertion: &Insertion) -> InsertionReport {
    InsertionReport {
        name: insertion.site.name.clone(),
        op: insertion.site.operator.clone(),
        design: insertion.design.name(),
        behind: insertion.follows().to_owned(),
        stride: insertion.stride(),
        reads: [insertion.shape[2], insertion.shape[3]],
        writes: [insertion.output()[2], insertion.output()[3]],
    }
}

/// The bytes of the model in ONNX's own operators, read again and held against the network that was measured.
fn save(
    target: &TargetModel<'_>,
    chosen: &[&Insertion],
    after: &Network,
    x: &Tensor,
    file: &OnnxFile,
) -> Result<(Vec<u8>, f64), Failure> {
    let written = target.rewrite(chosen, Form::Onnx)?;
    let bytes = written.file.to_bytes()?;
    let again = OnnxFile::from_bytes(&bytes, &file.path)?;
    let options = LoadOptions {
        input_shape: Some(after.file_shape()),
        layout: Some(after.input_layout()),
        kind: after.kind(),
        device: after.device(),
        target: after.target().clone(),
        straight_through: true,
    };
    let again = Network::from_file(&again, &options)?;
    let x = after.place(x)?;
    let (wanted, got) = (after.forward(&x)?.f_to_kind(Kind::Double)?, again.forward(&x)?.f_to_kind(Kind::Double)?);
    let scale = wanted.f_abs()?.f_max()?.f_double_value(&[])?;
    let difference = wanted.f_sub(&got)?.f_abs()?.f_max()?.f_double_value(&[])?;
    Ok((bytes, if scale > 0.0 { difference / scale } else { difference }))
}

impl From<SurgeryError> for Failure {
    fn from(error: SurgeryError) -> Self {
        let message = error.to_string();
        match error {
            SurgeryError::Graph(error) => error.into(),
            SurgeryError::Lee(error) => error.into(),
            SurgeryError::Layers(error) => error.into(),
            SurgeryError::Onnx(error) => error.into(),
            SurgeryError::Torch(error) => error.into(),
            SurgeryError::NotOnnx { .. } | SurgeryError::NotSaved(_) | SurgeryError::NoSite { .. } => {
                Self::new(Status::Unsupported, message)
            }
            _ => Self::new(Status::Usage, message),
        }
    }
}
