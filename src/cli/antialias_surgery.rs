//! `aliascope antialias MODEL`: designs in a pretrained network.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum, ValueHint};
use tch::Tensor;

use super::batch::not_finite;
use super::generators::GeneratorArgs;
use super::labels::LabelArgs;
use super::measuring::MeasuringArgs;
use super::network::{Console, NetworkArgs, Opened};
use super::{Failure, Status};
use crate::antialias::Padding;
use crate::antialias::surgery::advise::{AdviseOptions, advise};
use crate::antialias::surgery::compare::{CompareOptions, Comparison, Operation};
use crate::antialias::surgery::cost::cost;
use crate::antialias::surgery::report::{Advice, SurgeryReport};
use crate::antialias::surgery::{
    Form, Insertion, InsertionOptions, Place, Ranges, Replacement, Rewritten, SurgeryError, TargetModel, functions,
};
use crate::figure::Format;
use crate::graph::branches;
use crate::graph::inline;
use crate::graph::{LoadOptions, Network, is_finite};
use crate::measure::layers::{LayersOptions, SplitBy};
use crate::measure::lee::LeeOptions;
use crate::measure::metrics::MARGIN;
use crate::symmetry::{Combination, Generator};
use aliascope_core::cli::outputs::{FigureName, OutputArgs, Outputs, PageArgs};

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
    #[arg(short, long, num_args = 1.., value_name = "PATH", requires = "model")]
    images: Vec<PathBuf>,
    /// Only layers with this in their name, or of exactly this name; a list with commas for several.
    #[arg(long = "where", value_name = "PATTERN", requires = "model")]
    pattern: Option<String>,
    /// Where a downsampling goes after a strided convolution [default: as its paper has it].
    #[arg(long, value_enum, default_value_t = PlaceChoice::Paper, requires = "model")]
    place: PlaceChoice,
    /// Choose where: at each step the place that lowers LEE most per cost, of all that are left.
    #[arg(long, requires = "model")]
    advise: bool,
    /// Replacements that --advise may choose.
    #[arg(long, value_name = "N", requires = "advise", default_value = "3")]
    budget: std::num::NonZeroU16,
    /// The share of images whose top-1 class --advise must keep, such as 0.9; of other outputs, the share of their
    /// length.
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
    /// After the activation.
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
    pub(super) page: &'a PageArgs,
    pub(super) output: &'a OutputArgs,
}

/// The comparison, and where to begin.
const FIGURES: [FigureName; 2] = [("", None), ("advice", Some(Format::Png))];

/// The figures of the page.
const CAPTIONS: [(&str, &str); 2] = [
    (
        "",
        "Before and after: the error under each generator, the layers that contribute most, and what became of the answers.",
    ),
    ("advice", "Where to begin: the error against cost at each step, and what the layers' removal gains foretell."),
];

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
    let page = outputs.page(how.page)?;
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
    let mut ranges = Ranges::new(network, target.fitted_inputs(&args.replace, pattern));
    if ranges.is_needed() {
        opened.for_images(&console, |_, x| Ok(ranges.see(&x)?))?;
    }
    console.finish();
    let options = InsertionOptions {
        rules: &args.replace,
        pattern,
        padding: how.padding,
        place: args.place(),
        ranges: ranges.found(),
    };
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
    let subject = Subject { opened: &opened, after, target: &target, chosen: &chosen, rewritten: &rewritten };
    let (report, saved) = measure(args, how, &subject, advice)?;
    if chosen.is_empty() && (outputs.draws() || save_to.is_some()) {
        console.note("nothing was chosen, so there is no figure to draw and no new model to save");
    }
    if let (Some(file), Some(bytes)) = (save_to, saved) {
        outputs.fill(file, bytes);
    }
    outputs.fill_page(page, &report, &(), &CAPTIONS)?;
    outputs.write(&report, &(), how.network.per_image)?;
    check(&report)?;
    opened.finish()
}

/// The law that makes an attribution one, and the promise of a saved file.
fn check(report: &SurgeryReport) -> Result<(), Failure> {
    let limit = report.run.precision.residual_limit();
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
        split: SplitBy::Nothing,
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

/// Says where positions that were certain no longer are: a branch that was moved by half a sample meets one that was
/// not.
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

/// Both networks, and what lies between them.
struct Subject<'a> {
    opened: &'a Opened,
    after: &'a Network,
    target: &'a TargetModel<'a>,
    chosen: &'a [&'a Insertion],
    rewritten: &'a Rewritten,
}

/// The comparison, and the bytes of the new model where it is to be saved.
fn measure(
    args: &SurgeryArgs,
    how: &How<'_>,
    subject: &Subject<'_>,
    advice: Option<Advice>,
) -> Result<(SurgeryReport, Option<Vec<u8>>), Failure> {
    let Subject { opened, after, target, chosen, rewritten } = *subject;
    let before = &opened.network;
    let options = CompareOptions {
        lee: lee_options(args, how),
        layers: (!args.no_layers).then(|| layers_options(args, how)),
        draws: usize::from(args.draws),
        seed: how.network.seed().unwrap_or(0),
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
            return Err(not_finite(frame));
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
    let cost = cost([before, after], chosen, rewritten, &first)?;
    let save_to = args.save.as_ref().filter(|_| !chosen.is_empty());
    let saved = save_to.map(|path| Ok::<_, Failure>((path, target.save(chosen, after, &first)?))).transpose()?;
    let report = comparison.report(
        opened.run(names),
        Operation {
            rules: &args.replace,
            pattern: args.pattern.as_deref(),
            padding: how.padding,
            place: args.place(),
            generator: args.generator().name(),
            chosen,
            classes: &classes,
            cost,
            saved: saved.as_ref().map(|(path, model)| (path.display().to_string(), model.difference)),
            advice,
        },
    );
    Ok((report, saved.map(|(_, model)| model.bytes)))
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
