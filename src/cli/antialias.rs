//! `aliascope antialias`: anti-aliasing designs side by side on one field, or in a pretrained network.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use ndarray::Axis;

use super::antialias_surgery::{self, SurgeryArgs};
use super::measuring::MeasuringArgs;
use super::network::{Console, NetworkArgs};
use super::{Failure, Status};
use crate::antialias::bench::{Bench, BenchError, middle};
use crate::antialias::pictures::{curves, pictures};
use crate::antialias::{Context, Design, DesignError, Padding, catalogue, design, list, split_names};
use crate::figure::Format;
use crate::input::read_luma;
use crate::report::{BenchBeside, antialias_list, listed_rows, refuse_inputs};
use crate::spectrum::series::RandomSeries;
use crate::spectrum::{FourierSeries, GridSize, Velocity};
use aliascope_core::cli::field::Field;
use aliascope_core::cli::outputs::{FigureName, OutputArgs, Outputs, PageArgs};
use aliascope_core::cli::theorem::{read_harmonics, velocity};

/// Compare anti-aliasing designs on a field (--design), or put them into a pretrained network (MODEL, --replace).
///
/// On a field: what the theorem predicts, what is measured, shift errors, costs. In a network: LEE, layers, consistency
/// under shifts, outputs and cost before and after, without training again.
#[derive(Debug, Args)]
pub struct AntialiasArgs {
    /// List every design, with its guarantee and source.
    #[arg(long, conflicts_with_all = ["design", "field", "signal", "image", "random", "plot", "model"])]
    list: bool,
    /// Designs, such as stride,blurpool:5,ideal,aps, or all.
    #[arg(long, value_name = "NAME,…")]
    design: Vec<String>,
    #[command(flatten)]
    input: InputArgs,
    /// How fast a random field's coefficients fall off, as (1 + |n|)^-DECAY.
    #[arg(long, value_name = "DECAY", requires = "random", default_value_t = 1.0, hide = true)]
    decay: f64,
    /// Samples along each side; of a photo the middle, 256 or what it has.
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// The stride of downsamplings, and the factor of upsamplings.
    #[arg(long, value_name = "S", default_value_t = 2)]
    stride: usize,
    /// The translation's direction and speed, to the right and down.
    #[arg(long, value_name = "VX,VY", value_parser = velocity, default_value = "1,0", allow_hyphen_values = true)]
    velocity: Velocity,
    /// What designs find beyond the edge [default: circular on a field, reflect in a network].
    #[arg(long, value_enum)]
    padding: Option<PaddingChoice>,
    #[command(flatten, next_help_heading = "In a network")]
    surgery: SurgeryArgs,
    #[command(flatten, next_help_heading = "How the network is measured")]
    measuring: MeasuringArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    page: PageArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct InputArgs {
    /// The field, real: random:BAND, a random trigonometric polynomial, with ,seed=S or ,decay=D (coefficients fall off
    /// as (1 + |n|)^-D) after it; FILE.json, its harmonics [[n, m, re, im], …], n cycles to the right and m down; or a
    /// photo's luma (png, jpg), the middle of it.
    #[arg(long, value_name = "random:BAND|FILE", value_hint = ValueHint::FilePath)]
    field: Option<Field>,
    /// Harmonics of a real field from a JSON file.
    #[arg(long, alias = "harmonics", value_name = "FILE.json", value_hint = ValueHint::FilePath, hide = true)]
    signal: Option<PathBuf>,
    /// A photo's luma (png, jpg), the middle of it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide = true)]
    image: Option<PathBuf>,
    /// A random real trigonometric polynomial of this band.
    #[arg(long, value_name = "BAND", hide = true)]
    random: Option<u64>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum PaddingChoice {
    /// The other end.
    Circular,
    /// The mirror image.
    Reflect,
    /// Zeros.
    Zero,
}

impl PaddingChoice {
    pub(super) fn padding(self) -> Padding {
        match self {
            Self::Circular => Padding::Circular,
            Self::Reflect => Padding::Reflect,
            Self::Zero => Padding::Zero,
        }
    }
}

/// The most samples along a side: a differentiation matrix and a batch of shifted fields must fit into memory.
const MAX_SIDE: usize = 2048;
/// Of a photo, unless asked for more.
const PHOTO_SIDE: usize = 256;

/// Downsamplings side by side, what each makes of the field, and the other designs.
const FIGURES: [FigureName; 3] = [("", None), ("downsampled", Some(Format::Png)), ("others", None)];

/// The figures of the page.
const CAPTIONS: [(&str, &str); 3] = [
    (
        "",
        "Downsamplings: responses, where a spot seems to be, error against cost, and the theorem against measurement.",
    ),
    ("others", "The other designs: error against cost."),
    ("downsampled", "The field downsampled, and what of it is aliased."),
];

pub(super) fn run(args: &AntialiasArgs) -> Result<(), Failure> {
    if args.list {
        return run_list(args);
    }
    if args.surgery.model().is_some() {
        let padding = args.padding.map_or(Padding::Reflect, PaddingChoice::padding);
        let how = antialias_surgery::How {
            padding,
            measuring: &args.measuring,
            network: &args.network,
            page: &args.page,
            output: &args.output,
        };
        return antialias_surgery::run(&args.surgery, &how);
    }
    if args.design.is_empty() {
        let message = "antialias has two ways: --design NAME,… --field random:12 --samples 32 puts designs side by side on a \
                       field, and MODEL.onnx --replace stride=blurpool:3 --images PHOTOS/ puts them into a network; --list \
                       names the designs";
        return Err(Failure::new(Status::Usage, message));
    }
    let mut outputs = Outputs::claim(&args.output, &FIGURES)?;
    let page = outputs.page(&args.page)?;
    let field = args.field()?;
    refuse_inputs(field.path())?;
    let bench = bench(args, &field)?;
    let context = bench.context();
    let names = args.design.iter().flat_map(|names| split_names(names));
    let mut designs: Vec<Box<dyn Design>> = Vec::new();
    for name in names {
        let made = design(&name, &context)?;
        // `all` beside a name of its own: once.
        if !designs.iter().any(|known| known.name() == made.name()) {
            designs.push(made);
        }
    }
    let console = Console::new(args.output.quiet, designs.len(), "designs");
    let report = bench.run(&designs, &mut |at, _| {
        if at > 0 {
            console.advance(1)
        }
    })?;
    console.finish();
    let beside = match outputs.draws() || page.is_some() {
        true => BenchBeside { curves: curves(&designs, bench.stride), pictures: pictures(&bench.field, &designs)? },
        false => BenchBeside::default(),
    };
    outputs.fill_page(page, &report, &beside, &CAPTIONS)?;
    Ok(outputs.write(&report, &beside, false)?)
}

impl AntialiasArgs {
    /// The field, by its old names too.
    fn field(&self) -> Result<Field, Failure> {
        let input = &self.input;
        match (&input.field, &input.signal, &input.image, input.random) {
            (Some(field), ..) => Ok(field.clone()),
            (_, Some(path), ..) => Ok(Field::Harmonics(path.clone())),
            (.., Some(path), _) => Ok(Field::Image(path.clone())),
            (.., Some(band)) => {
                let seed = self.network.seed().unwrap_or(0);
                Ok(Field::Random(RandomSeries { band, decay: self.decay, real: true, seed }))
            }
            _ => {
                let message = "give a field: --field random:BAND, a FILE.json of harmonics, or a photo";
                Err(Failure::new(Status::Usage, message))
            }
        }
    }
}

fn run_list(args: &AntialiasArgs) -> Result<(), Failure> {
    let listed = list(&Context::default())?;
    let outputs = Outputs::claim(&args.output, &[])?;
    let table = |width| antialias_list(&listed, &catalogue(), width);
    Ok(outputs.write_list(&listed, table, &listed_rows(&listed))?)
}

fn bench(args: &AntialiasArgs, field: &Field) -> Result<Bench, Failure> {
    let usage = |message: String| Failure::new(Status::Usage, message);
    if !(1..=64).contains(&args.stride) {
        return Err(usage(format!(
            "--stride {} cannot be worked with; strides from 1 to 64 are supported",
            args.stride
        )));
    }
    if let Some(samples) = args.samples.filter(|samples| !(1..=MAX_SIDE).contains(samples)) {
        return Err(usage(format!("--samples {samples} cannot be worked with; give 1 to {MAX_SIDE} samples a side")));
    }
    let padding = args.padding.map_or(Padding::Circular, PaddingChoice::padding);
    let make = |field, input| Bench { field, input, stride: args.stride, velocity: args.velocity, padding };
    if let Field::Image(path) = field {
        let image = read_luma(path)?;
        let field = middle(&image, args.samples.unwrap_or(PHOTO_SIDE), args.stride);
        if let Some(samples) = args.samples.filter(|samples| field.nrows() != *samples) {
            return Err(usage(format!(
                "{} has {} x {} pixels, of which no middle of {samples} x {samples} can be taken that the stride {} \
                 divides twice; give --samples {} or fewer",
                path.display(),
                image.ncols(),
                image.nrows(),
                args.stride,
                field.nrows()
            )));
        }
        let input = format!("the middle {0} x {0} of the luma of {1}", field.nrows(), path.display());
        return Ok(make(field, input));
    }
    let samples = args.samples.ok_or_else(|| usage("--samples is missing: how many samples has a side?".to_owned()))?;
    let series = match field {
        Field::Random(series) => {
            FourierSeries::random(*series).map_err(|error| usage(format!("{error}; change the band")))?
        }
        Field::Harmonics(path) | Field::Image(path) => read_harmonics(path)?,
    };
    let input = field.in_words();
    // Coefficients may come from a file of few digits.
    if !series.is_real(1e-9) {
        let message = "layers act on real fields, and these harmonics are not those of one: H(-n) must be conj H(n)";
        return Err(Failure::new(Status::Input, message));
    }
    let field = series.sample(GridSize::square(samples)).mapv(|h| h.re).index_axis_move(Axis(0), 0);
    Ok(make(field, input))
}

impl From<DesignError> for Failure {
    fn from(error: DesignError) -> Self {
        let message = error.to_string();
        match error {
            DesignError::Torch(error) => error.into(),
            _ => Self::new(Status::Usage, message),
        }
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        let message = error.to_string();
        match error {
            BenchError::Design(error) => error.into(),
            BenchError::Torch(error) | BenchError::Action(crate::measure::action::ActionError::Torch(error)) => {
                error.into()
            }
            BenchError::NotFinite(_) => Self::new(Status::NotFinite, message),
            BenchError::Field { .. } => Self::new(Status::Input, message),
            BenchError::Prediction { .. } | BenchError::Action(_) => Self::new(Status::Usage, message),
        }
    }
}
