//! `aliascope theorem` on formulas and photos: the aliasing theorem in three forms, beside the measured defect.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use ndarray::Axis;
use num_complex::Complex64;

use super::failure::{Failure, Status};
use super::field::Field;
use super::outputs::{ONE_FIGURE, OutputArgs, Outputs};
use crate::input::read_luma;
use crate::report::{is_descriptor, refuse_inputs};
use crate::spectrum::activation::Activation;
use crate::spectrum::departures::departures;
use crate::spectrum::filter::Filter;
use crate::spectrum::series::{FourierSeries, RandomSeries, SeriesError};
use crate::spectrum::theorem::{Setup, TheoremError, TheoremReport, check_field, check_series};
use crate::spectrum::{GridSize, Velocity, Wave};

/// What the theorem is checked on, and how.
#[derive(Debug, Args)]
pub struct FormulaArgs {
    #[command(flatten)]
    input: InputArgs,
    /// The largest |n| of a random series.
    #[arg(long, value_name = "K", requires = "random", default_value_t = 9, hide = true)]
    band: u64,
    /// How fast a random series' coefficients fall off, as (1 + |n|)^-DECAY.
    #[arg(long, value_name = "DECAY", requires = "random", default_value_t = 1.0, hide = true)]
    decay: f64,
    /// Let a random series be complex.
    #[arg(long, requires = "random", hide = true)]
    complex: bool,
    /// The grid that the field ends on: M, or COLUMNSxROWS.
    #[arg(long, value_name = "M", value_parser = grid_size)]
    grid: Option<GridSize>,
    /// Sample the field on this grid first, as a layer's input is: N, or COLUMNSxROWS; an image's own pixels.
    #[arg(long, value_name = "N", value_parser = grid_size)]
    samples: Option<GridSize>,
    /// Keep every S-th of those samples: the grid is N/S.
    #[arg(long, value_name = "S", value_parser = grid_size, conflicts_with = "grid")]
    stride: Option<GridSize>,
    /// The filter before the last sampling: none, ideal, ideal-kept, ideal-split, binomial-1 to -7, kaiser,
    /// kaiser-radial, lanczos:LOBES, taps:W0,W1,….
    #[arg(long = "filter", alias = "prefilter", value_name = "NAME", default_value = "none")]
    prefilter: Filter,
    /// The translation's direction and speed, to the right and down.
    #[arg(long, value_name = "VX,VY", value_parser = velocity, default_value = "1,0", allow_hyphen_values = true)]
    pub velocity: Velocity,
    #[arg(long, value_name = "NAME", help = format!("A nonlinearity before the filter: {}", Activation::grammar()))]
    activation: Option<Activation>,
    /// Follow an activation's harmonics until doubling the oversampling changes `exact` by less than this share.
    #[arg(long, default_value_t = 1e-6, requires = "activation")]
    tolerance: f64,
    #[command(flatten)]
    /// Where the result goes.
    pub output: OutputArgs,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct InputArgs {
    /// The field: random:BAND, a random trigonometric polynomial, with ,seed=S ,decay=D (coefficients fall off as
    /// (1 + |n|)^-D) or ,complex after it; FILE.json, its harmonics [[n, m, re, im], …], n cycles to the right and m
    /// down; or a photo's luma (png, jpg).
    #[arg(long, value_name = "random:BAND|FILE", value_hint = ValueHint::FilePath)]
    field: Option<Field>,
    /// Harmonics from a JSON file.
    #[arg(long, value_name = "FILE.json", value_hint = ValueHint::FilePath, hide = true)]
    harmonics: Option<PathBuf>,
    /// A photo's luma.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide = true)]
    image: Option<PathBuf>,
    /// A random trigonometric polynomial with this seed.
    #[arg(long, value_name = "SEED", hide = true)]
    random: Option<u64>,
    /// How far the diagonal and the printed form depart from the exact one, over random series of many bands on many
    /// grids; move askew (--velocity 0.8,0.6), or the two forms are one.
    #[arg(long, conflicts_with_all =
        ["grid", "samples", "stride", "prefilter", "activation", "band", "decay", "complex", "tolerance"])]
    departures: bool,
}

/// Bands and grids of `--departures`: from twice as many samples as harmonics to a quarter.
const STUDY_BANDS: [u64; 6] = [3, 4, 5, 6, 8, 10];
const STUDY_GRIDS: [usize; 7] = [5, 6, 7, 8, 9, 11, 12];
const STUDY_SERIES: usize = 12;

impl FormulaArgs {
    /// The field, by its old names too.
    fn field(&self) -> Field {
        let input = &self.input;
        match (&input.field, &input.harmonics, &input.image) {
            (Some(field), ..) => field.clone(),
            (_, Some(path), _) => Field::Harmonics(path.clone()),
            (.., Some(path)) => Field::Image(path.clone()),
            _ => Field::Random(RandomSeries {
                band: self.band,
                decay: self.decay,
                real: !self.complex,
                seed: input.random.unwrap_or_default(),
            }),
        }
    }
}

/// Runs the subcommand.
///
/// # Errors
/// What the field or the outputs make impossible.
pub fn run(args: &FormulaArgs) -> Result<(), Failure> {
    let outputs = Outputs::claim(&args.output, &ONE_FIGURE)?;
    if args.input.departures {
        let study = departures(&STUDY_BANDS, &STUDY_GRIDS, STUDY_SERIES, args.velocity)?;
        return outputs.write(&study, &(), false);
    }
    if !(args.tolerance > 0.0 && args.tolerance < 1.0) {
        return Err(Failure::new(
            Status::Usage,
            format!("--tolerance must lie between 0 and 1, not {}", args.tolerance),
        ));
    }
    let field = args.field();
    refuse_inputs(field.path())?;
    let mut report = report(args, &field)?;
    report.input = field.in_words();
    outputs.write(&report, &(), false)
}

fn report(args: &FormulaArgs, field: &Field) -> Result<TheoremReport, Failure> {
    if let Field::Image(path) = field {
        if let Some(samples) = args.samples {
            let message = format!("an image has its own samples; drop --samples {}x{}", samples.x, samples.y);
            return Err(Failure::new(Status::Usage, message));
        }
        let image = read_luma(path)?;
        let samples = GridSize::new(image.ncols(), image.nrows());
        let setup = setup(args, Some(samples))?;
        let field = image.insert_axis(Axis(0));
        if setup.stride().is_some() {
            return Ok(check_field(field.view(), &setup)?);
        }
        // Without a common grid every harmonic is summed at every sample.
        const MOST_WORK: usize = 4 << 30;
        let work =
            samples.len().saturating_mul(setup.grid.x).saturating_add(setup.grid.len().saturating_mul(samples.y));
        if work > MOST_WORK {
            let message = format!(
                "a grid of {}x{} does not divide the image's {}x{} pixels, and the image is too large to do without; \
                 use --stride, or a smaller image",
                setup.grid.x, setup.grid.y, samples.x, samples.y
            );
            return Err(Failure::new(Status::Usage, message));
        }
        return Ok(check_series(&FourierSeries::from_samples(field.view()).map_err(TheoremError::from)?, &setup)?);
    }
    let series = match field {
        Field::Random(series) => FourierSeries::random(*series)
            .map_err(|error| Failure::new(Status::Usage, format!("{error}; change the band")))?,
        Field::Harmonics(path) | Field::Image(path) => read_harmonics(path)?,
    };
    let setup = setup(args, args.samples)?;
    let work = (series.len()).saturating_mul(setup.grid.x.max(setup.samples.map_or(0, |samples| samples.x)));
    if work > 4 << 30 {
        let message = "this many harmonics on a grid this large would take hours; use fewer of one of them";
        return Err(Failure::new(Status::Usage, message));
    }
    Ok(check_series(&series, &setup)?)
}

fn setup(args: &FormulaArgs, samples: Option<GridSize>) -> Result<Setup, Failure> {
    let usage = |message: String| Failure::new(Status::Usage, message);
    let grid = match (args.grid, args.stride, samples) {
        (_, Some(stride), Some(samples)) => samples.strided(stride).ok_or_else(|| {
            let remedy = match (samples.x / stride.x.max(1) * stride.x, samples.y / stride.y.max(1) * stride.y) {
                (0, _) | (_, 0) => "use a smaller one".to_owned(),
                (x, y) => format!("use a divisor, or {x}x{y} samples"),
            };
            usage(format!(
                "the stride of {}x{} does not divide the {}x{} samples; {remedy}",
                stride.x, stride.y, samples.x, samples.y
            ))
        })?,
        (_, Some(_), None) => {
            return Err(usage("--stride needs --samples: every S-th of how many samples?".to_owned()));
        }
        (Some(grid), None, _) => grid,
        (None, None, _) => return Err(usage("give --grid M, or --samples N and --stride S".to_owned())),
    };
    Ok(Setup {
        samples,
        grid,
        velocity: args.velocity,
        prefilter: args.prefilter.clone(),
        activation: args.activation.clone(),
        tolerance: args.tolerance,
    })
}

/// Reads a file of harmonics, `[[n, m, re, im], …]`.
///
/// # Errors
/// When it cannot be read, is no such list, or its harmonics are no series.
pub fn read_harmonics(path: &Path) -> Result<FourierSeries, Failure> {
    /// A quarter of a million harmonics, written out.
    const MOST_BYTES: u64 = 64 << 20;
    let refuse = |problem: String| Failure::new(Status::Input, format!("{}: {problem}", path.display()));
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) && !is_descriptor(path) {
        return Err(refuse("this is not an ordinary file; give a JSON file, or /dev/stdin".to_owned()));
    }
    let file = fs::File::open(path).map_err(|error| refuse(format!("it cannot be read: {error}")))?;
    let mut text = String::new();
    let read = file.take(MOST_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| refuse(format!("it cannot be read: {error}")))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(refuse("it is larger than 64 MiB; give fewer harmonics".to_owned()));
    }
    let rows: Vec<[f64; 4]> = serde_json::from_str(&text).map_err(|error| {
        refuse(format!("harmonics are written as [[n, m, re, im], …], all finite numbers ({error})"))
    })?;
    let mut terms = Vec::with_capacity(rows.len());
    for [n, m, re, im] in rows {
        // Beyond 2^53 neighbouring whole numbers are one f64; the series' own limit is far below.
        let whole = |n: f64| (n.fract() == 0.0 && n.abs() < 9e15).then_some(n as i64);
        let (Some(x), Some(y)) = (whole(n), whole(m)) else {
            return Err(refuse(format!("harmonic ({n}, {m}) is not a pair of whole numbers of cycles")));
        };
        terms.push((Wave::new(x, y), Complex64::new(re, im)));
    }
    FourierSeries::new(terms).map_err(|error: SeriesError| refuse(error.to_string()))
}

/// `M` or `COLUMNSxROWS`.
fn grid_size(text: &str) -> Result<GridSize, String> {
    let side = |text: &str| match text.trim().parse::<usize>() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(side) => Ok(side),
        Err(_) => Err("write a whole number, or COLUMNSxROWS".to_owned()),
    };
    match text.split_once(['x', ',']) {
        Some((columns, rows)) => Ok(GridSize::new(side(columns)?, side(rows)?)),
        None => Ok(GridSize::square(side(text)?)),
    }
}

/// `VX,VY`.
pub fn velocity(text: &str) -> Result<Velocity, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    let parsed = text.split_once(',').and_then(|(x, y)| Some(Velocity::new(number(x)?, number(y)?)));
    match parsed {
        Some(velocity) if velocity.moves() => Ok(velocity),
        Some(_) => Err("a velocity of 0 moves nothing".to_owned()),
        None => Err("write two finite numbers, such as 0.8,-0.6".to_owned()),
    }
}

impl From<TheoremError> for Failure {
    fn from(error: TheoremError) -> Self {
        let status = match error {
            TheoremError::NotFinite => Status::NotFinite,
            TheoremError::Complex | TheoremError::Channels(_) => Status::Input,
            _ => Status::Usage,
        };
        Self::new(status, error.to_string())
    }
}
