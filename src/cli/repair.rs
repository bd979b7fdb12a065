//! `aliascope repair`: designs in a pretrained network, and its weights adapted until it says what it said before.

use std::fs;
use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use tch::{Kind, Tensor};

use super::antialias::PaddingChoice;
use super::antialias_surgery::{PlaceChoice, read_replacement};
use super::generators::GeneratorArgs;
use super::labels::LabelArgs;
use super::measuring::MeasuringArgs;
use super::network::{Console, NetworkArgs, Opened};
use super::repair_images::TrainingImages;
use super::{Failure, Status};
use crate::antialias::Padding;
use crate::antialias::surgery::cost::{multiplications, time_in_turn};
use crate::antialias::surgery::report::Cost;
use crate::antialias::surgery::{
    Form, Insertion, InsertionOptions, Place, Ranges, Replacement, Rewritten, TargetModel,
};
use crate::graph::onnx::OnnxFile;
use crate::graph::{LoadOptions, Network, Parameter, branches, inline, is_finite};
use crate::hash::hash_of;
use crate::measure::lee::LeeOptions;
use crate::measure::metrics::MARGIN;
use crate::measure::run::Run;
use crate::repair::{
    Conclusion, Ended, Judge, Loss, REPAIR_SCHEMA_VERSION, Recalibration, RecalibrationKind, RepairError, RepairReport,
    StageKind, StageMeter, StageOptions, State, TrainOptions, Trained, Trainer, Training, adaptable, recalibrate,
    recorded, with_parameters,
};
use crate::report::OutputFile;
use crate::symmetry::{Combination, Generator};
use aliascope_core::cli::outputs::{ONE_FIGURE, OutputArgs, Outputs};
use aliascope_core::cli::signals;

/// Put anti-aliasing designs into a pretrained network, and adapt its weights on unlabelled photos until it says again
/// what it said before.
///
/// The network before is the teacher. What is reported is measured on other photos than those that weights were adapted
/// on: with designs in place, after recalibration without a step, and after the steps, each against the network before.
#[derive(Debug, Args)]
pub struct RepairArgs {
    /// A pretrained network, an ONNX file with one image input.
    #[arg(value_hint = ValueHint::FilePath)]
    model: PathBuf,
    /// What is replaced by which design, as in `antialias`; may be repeated. Without it, weights alone are adapted.
    #[arg(long, value_name = "WHAT=DESIGN", value_parser = read_replacement)]
    replace: Vec<Replacement>,
    /// Only layers with this in their name, or of exactly this name.
    #[arg(long = "where", value_name = "PATTERN")]
    pattern: Option<String>,
    /// Photos that weights are adapted on (png, jpg), folders of them, or a .safetensors with key `x`; no labels are
    /// needed.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    /// Other photos, on which the result is judged.
    #[arg(long, required = true, num_args = 1.., value_name = "PATH")]
    validate: Vec<PathBuf>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten, next_help_heading = "How weights are adapted")]
    training: TrainingArgs,
    /// What designs find beyond the edge of maps [default: reflect].
    #[arg(long, value_enum)]
    padding: Option<PaddingChoice>,
    /// Where a downsampling goes behind a strided convolution [default: as its paper has it].
    #[arg(long, value_enum, default_value_t = PlaceChoice::Paper)]
    place: PlaceChoice,
    /// Save the repaired network as an ONNX file.
    #[arg(long, value_name = "NEW.onnx")]
    save: Option<PathBuf>,
    #[command(flatten)]
    generators: GeneratorArgs,
    /// Random shifts per image for consistency; 0 leaves it out.
    #[arg(long, value_name = "D", default_value = "4")]
    draws: u16,
    /// Validation images on which LEE and shifts are measured; outputs are compared on all.
    #[arg(long, value_name = "N", default_value = "50")]
    measured: NonZeroUsize,
    #[command(flatten, next_help_heading = "How the network is measured")]
    measuring: MeasuringArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
pub(super) struct TrainingArgs {
    /// Steps; 0 for none.
    #[arg(long, value_name = "N", default_value = "200")]
    steps: usize,
    /// End after so many minutes of steps, if they are not done before.
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// Images per step.
    #[arg(long, value_name = "B", default_value = "16")]
    batch: NonZeroU16,
    /// The first learning rate of Adam; it falls to 0 along half a cosine.
    #[arg(long, value_name = "R", default_value_t = 1e-4)]
    rate: f64,
    /// What is lowered.
    #[arg(long, value_enum, default_value_t = Loss::Kl)]
    loss: Loss,
    /// The weight of the network's own LEE beside it, under one of the generators a step.
    #[arg(long, value_name = "W", default_value_t = 0.0)]
    lee_weight: f64,
    /// Which weights are adapted.
    #[arg(long, value_enum, default_value_t = Trained::All)]
    train: Trained,
    /// What is solved for before the first step, layer by layer.
    #[arg(long, value_enum, default_value_t = Recalibrate::Channels)]
    recalibrate: Recalibrate,
    /// Training images that this is solved on.
    #[arg(long, value_name = "N", default_value = "32")]
    calibration: NonZeroUsize,
    /// Steps between validations.
    #[arg(long, value_name = "N", default_value = "25")]
    every: NonZeroUsize,
    /// The limit of the gradient's length.
    #[arg(long, value_name = "LENGTH", default_value_t = 1.0)]
    clip: f64,
    /// Keep the state of the training in this file, at every validation.
    #[arg(long, value_name = "FILE.safetensors")]
    state: Option<PathBuf>,
    /// Go on from the state in --state: the same command, interrupted or out of time before.
    #[arg(long, requires = "state")]
    resume: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Recalibrate {
    /// Nothing.
    None,
    /// A scale and a shift of each output channel.
    Channels,
    /// The weights, by ridge regression.
    Weights,
}

/// The largest difference between a saved model and the trained network, over the largest output.
const SAVED_TOLERANCE: f64 = 1e-4;
/// Validation images of the curve, and those of its LEE.
const CURVE_IMAGES: usize = 100;
const CURVE_LEE_IMAGES: usize = 16;

/// Runs the subcommand.
pub fn run(args: &RepairArgs) -> Result<(), Failure> {
    args.training.check()?;
    let mut outputs = Outputs::claim(&args.output, &ONE_FIGURE)?;
    let save_to = outputs.another(args.save.as_ref())?;
    let (report, bytes, opened) = repair(args)?;
    if let Some(file) = save_to {
        outputs.fill(file, bytes);
    }
    outputs.write(&report, &(), args.network.per_image)?;
    if report.saved_difference > SAVED_TOLERANCE {
        let difference = report.saved_difference;
        return Err(Failure::new(
            Status::Check,
            format!("the model file's outputs differ by {difference:.1e} from those of the trained network; report it"),
        ));
    }
    opened.finish()
}

impl TrainingArgs {
    fn check(&self) -> Result<(), Failure> {
        let positive = |name: &str, value: f64| match value.is_finite() && value > 0.0 {
            true => Ok(()),
            false => Err(Failure::new(Status::Usage, format!("{name} must be a number above 0, not {value}"))),
        };
        positive("--rate", self.rate)?;
        positive("--clip", self.clip)?;
        self.minutes.map_or(Ok(()), |minutes| positive("--minutes", minutes))?;
        if !self.lee_weight.is_finite() || self.lee_weight < 0.0 {
            let problem = format!("--lee-weight must be a number from 0, not {}", self.lee_weight);
            return Err(Failure::new(Status::Usage, problem));
        }
        Ok(())
    }

    fn kind(&self) -> Option<RecalibrationKind> {
        match self.recalibrate {
            Recalibrate::None => None,
            Recalibrate::Channels => Some(RecalibrationKind::Channels),
            Recalibrate::Weights => Some(RecalibrationKind::Weights),
        }
    }
}

/// A network that is repaired, and what goes with it.
struct Job<'a> {
    args: &'a RepairArgs,
    opened: &'a Opened,
    target: TargetModel<'a>,
    /// The file before.
    before: &'a OnnxFile,
    /// The file with designs.
    rewritten: Rewritten,
    insertions: Vec<&'a Insertion>,
    console: &'a Console,
    training: TrainingImages,
    generators: Vec<Combination>,
    /// The classes of validation images.
    classes: Vec<Option<usize>>,
    names: Vec<String>,
    /// Which of them are measured wholly.
    wholly: Vec<bool>,
}

fn repair(args: &RepairArgs) -> Result<(RepairReport, Vec<u8>, Opened), Failure> {
    let file = Network::read(&args.model)?;
    let file = inline::functions(&file).unwrap_or(file);
    let opened = args.network.open_as(
        |_, options: &LoadOptions| Network::from_file(&file, options),
        &args.model,
        &args.validate,
    )?;
    let (file, _) = branches::written_out(&file, &opened.network.file_shape());
    let console = Console::new(args.output.quiet, 1, "steps");
    opened.note_outputs(&console);
    let (report, bytes) = judged(args, &opened, &file, &console)?;
    Ok((report, bytes, opened))
}

fn judged(
    args: &RepairArgs,
    opened: &Opened,
    file: &OnnxFile,
    console: &Console,
) -> Result<(RepairReport, Vec<u8>), Failure> {
    let target = TargetModel::new(file, &opened.network)?;
    let pattern = args.pattern.as_deref();
    let mut ranges = Ranges::new(&opened.network, target.fitted_inputs(&args.replace, pattern));
    if ranges.is_needed() {
        opened.for_images(console, |_, x| Ok(ranges.see(&x)?))?;
    }
    let options = InsertionOptions {
        rules: &args.replace,
        pattern,
        padding: args.padding(),
        place: args.place(),
        ranges: ranges.found(),
    };
    let insertions = target.insertions(&options)?;
    let chosen: Vec<&Insertion> = insertions.iter().collect();
    let rewritten = target.rewrite(&chosen, Form::Onnx)?;
    let training = TrainingImages::open(&args.images, opened, console)?;
    let given = args.generators.named();
    let both = || [Generator::TranslateX, Generator::TranslateY].map(Combination::single).to_vec();
    let mut job = Job {
        args,
        opened,
        target,
        before: file,
        rewritten,
        insertions: chosen,
        console,
        training,
        generators: if given.is_empty() { both() } else { given },
        classes: Vec::new(),
        names: Vec::new(),
        wholly: Vec::new(),
    };
    job.run()
}

impl RepairArgs {
    fn padding(&self) -> Padding {
        self.padding.map_or(Padding::Reflect, PaddingChoice::padding)
    }

    fn place(&self) -> Place {
        self.place.place()
    }
}

impl Job<'_> {
    fn lee_options(&self) -> LeeOptions {
        let measuring = &self.args.measuring;
        LeeOptions {
            generators: self.generators.clone(),
            scheme: measuring.derivative,
            boundary: measuring.boundary,
            grid: measuring.grid,
            units: measuring.units,
            output: measuring.output,
            action: measuring.action,
            ..LeeOptions::default()
        }
    }

    fn train_options(&self) -> TrainOptions {
        let training = &self.args.training;
        TrainOptions {
            steps: training.steps,
            batch: usize::from(training.batch.get()),
            rate: training.rate,
            seed: self.args.network.seed().unwrap_or(0),
            loss: training.loss,
            train: training.train,
            lee_weight: training.lee_weight,
            generators: self.generators.clone(),
            clip: training.clip,
            every: training.every.get(),
        }
    }

    /// The network of a file, loaded as the one before was.
    fn load(&self, file: &OnnxFile) -> Result<Network, Failure> {
        let rewritten = Rewritten { file: file.clone(), custom: Default::default(), swaps: Vec::new() };
        Ok(self.target.load(&rewritten)?)
    }

    fn run(&mut self) -> Result<(RepairReport, Vec<u8>), Failure> {
        let network = &self.opened.network;
        let labels =
            self.args.labels.read(&self.opened.source, StageMeter::new(network, self.stage_options())?.classes())?;
        let frames = self.opened.source.frames();
        // Some of all of them, not the first: a folder may begin with one class.
        let every = frames.len().div_ceil(self.args.measured.get()).max(1);
        self.wholly = (0..frames.len()).map(|at| at % every == 0).collect();
        self.names = frames.iter().map(|frame| frame.name()).collect();
        self.classes = frames.iter().map(|frame| labels.of(frame)).collect();
        let before = self.measure(network, "before")?;
        let mut stages = Vec::new();
        let mut file = self.rewritten.file.clone();
        if !self.insertions.is_empty() {
            let surgery = self.load(&file)?;
            stages.push(self.measure(&surgery, "with designs")?.against(&before, StageKind::Surgery, &self.classes)?);
        }
        let mut student = self.load(&file)?;
        let (parameters, left) = adaptable(&mut student, self.before, &file)?;
        let recalibration = match self.args.training.kind().filter(|_| !self.insertions.is_empty()) {
            Some(kind) => {
                let found = self.recalibrate(&student, &parameters, kind)?;
                let recalibrated = written(&file, &parameters)?;
                let network = self.load(&recalibrated)?;
                let stage = self.measure(&network, "recalibrated")?;
                stages.push(stage.against(&before, StageKind::Recalibration, &self.classes)?);
                self.keep_better(&stages, &parameters, &file)?;
                file = recalibrated;
                Some(found)
            }
            None => None,
        };
        let (training, curve) = self.train(&student, &parameters, left)?;
        let file = written(&file, &parameters)?;
        let bytes = file.to_bytes()?;
        let again = self.load(&OnnxFile::from_bytes(&bytes, &file.path)?)?;
        if training.steps_asked > 0 {
            stages.push(self.measure(&again, "repaired")?.against(&before, StageKind::Repair, &self.classes)?);
        }
        let first = self.first()?;
        let saved_difference = difference(&student, &again, &first)?;
        let [old, new, ratio] = time_in_turn(network, &again, &first, 5)?;
        let (old_cost, new_cost) = (multiplications(network, &[], None), multiplications(&again, &[], None));
        let wholly = self.names.iter().zip(&self.wholly).filter(|(_, wholly)| **wholly);
        let report = RepairReport {
            schema_version: REPAIR_SCHEMA_VERSION,
            run: Run {
                lie: Some(before.lie()),
                output: Some(before.measured()),
                ..self.opened.run(self.names.clone())
            },
            conclusion: Conclusion::default(),
            saved: self.args.save.as_ref().map(|path| path.display().to_string()),
            saved_difference,
            replace: self.args.replace.iter().map(ToString::to_string).collect(),
            pattern: self.args.pattern.clone(),
            padding: self.args.padding(),
            place: self.args.place(),
            insertions: self.insertions.iter().map(|i| i.among(&self.insertions).report()).collect(),
            training,
            recalibration,
            lee_images: wholly.map(|(name, _)| name.clone()).collect(),
            draws: usize::from(self.args.draws),
            stages,
            accuracy_before: before.accuracy(&self.classes)?,
            curve,
            cost: Cost {
                multiplications_before: old_cost,
                multiplications_after: new_cost,
                forward_passes: new_cost / old_cost.max(1.0),
                forward_ms_before: old,
                forward_ms_after: new,
                time_ratio: ratio,
            },
        };
        Ok((RepairReport { conclusion: Conclusion::of(&report), ..report }, bytes))
    }

    fn stage_options(&self) -> StageOptions {
        StageOptions {
            lee: self.lee_options(),
            draws: usize::from(self.args.draws),
            seed: self.args.network.seed().unwrap_or(0),
        }
    }

    fn measure<'n>(&self, network: &'n Network, what: &str) -> Result<StageMeter<'n>, Failure> {
        let mut meter = StageMeter::new(network, self.stage_options())?;
        let console = Console::new(self.args.output.quiet, self.names.len(), &format!("images {what}"));
        let mut at = 0;
        self.opened.for_images(&console, |frame, x| {
            if !is_finite(&x)? {
                let message =
                    format!("the input of '{}' holds NaN or infinity; check the image or tensor", frame.name());
                return Err(Failure::new(Status::NotFinite, message));
            }
            let wholly = self.wholly.get(at).copied().unwrap_or(false);
            let wide = wholly && self.args.draws > 0;
            let larger = if wide { self.opened.read_larger(frame, MARGIN)? } else { None };
            meter.measure(&x, larger.as_ref(), &frame.name(), wholly)?;
            at += 1;
            console.advance(1);
            Ok(())
        })?;
        console.finish();
        Ok(meter)
    }

    /// The first validation image, `[1, 1, channels, rows, columns]`.
    fn first(&self) -> Result<Tensor, Failure> {
        let frame = self.opened.source.frames().first();
        let frame =
            frame.ok_or_else(|| Failure::new(Status::Input, "there is no image to judge on; give --validate"))?;
        let (image, _) = self.opened.source.read(frame, &self.opened.preprocessing)?;
        Ok(crate::measure::input(&image)?.f_unsqueeze(0)?)
    }

    /// The names of the values that replacements write.
    fn written_values(&self) -> Vec<String> {
        self.rewritten.swaps.iter().filter_map(|swap| swap.after.last().cloned()).collect()
    }

    fn recalibrate(
        &self,
        student: &Network,
        parameters: &[Parameter],
        kind: RecalibrationKind,
    ) -> Result<Recalibration, Failure> {
        let begun = std::time::Instant::now();
        let x = self.training.evenly(self.args.training.calibration.get(), self.opened)?;
        let networks = [&self.opened.network, student];
        let layers = recalibrate(networks, parameters, &self.written_values(), kind, &x)?;
        Ok(Recalibration { kind, images: x.size()[0] as usize, layers, seconds: begun.elapsed().as_secs_f64() })
    }

    /// Goes back to the weights before recalibration where it took the outputs further away.
    fn keep_better(
        &self,
        stages: &[crate::repair::Stage],
        parameters: &[Parameter],
        before: &OnnxFile,
    ) -> Result<(), Failure> {
        let [.., surgery, recalibrated] = stages else { return Ok(()) };
        let away = |stage: &crate::repair::Stage| {
            stage.change.kl.as_ref().map_or(stage.change.relative.mean, |divergence| divergence.mean)
        };
        if away(recalibrated) <= away(surgery) {
            return Ok(());
        }
        self.console
            .note("recalibration took the outputs further away on the validation images, so steps begin without it");
        let mut old = self.load(before)?;
        let (old, _) = adaptable(&mut old, self.before, before)?;
        for (parameter, old) in parameters.iter().zip(&old) {
            tch::no_grad(|| parameter.tensor.f_detach()?.f_copy_(&old.tensor))?;
        }
        Ok(())
    }

    fn train(
        &self,
        student: &Network,
        parameters: &[Parameter],
        left: usize,
    ) -> Result<(Training, Vec<crate::repair::CurvePoint>), Failure> {
        let (args, options) = (&self.args.training, self.train_options());
        let networks = [&self.opened.network, student];
        let mut trainer =
            Trainer::new(networks, parameters, &self.written_values(), options.clone(), &self.lee_options())?;
        let overlap = self.training.overlap(self.opened)?;
        let mut ended = Ended::Steps;
        if options.steps > 0 {
            let owner = self.owner(&options)?;
            let mut begin = trainer.minutes();
            if args.resume {
                self.resume(&mut trainer, &owner)?;
                begin = trainer.minutes();
            }
            let judge = self.judge(options.batch)?;
            if trainer.curve().is_empty() {
                self.tell(&trainer.validate(&judge)?, &trainer);
                self.keep(&trainer, &owner)?;
            }
            signals::note_only(true);
            let bar = Console::new(self.args.output.quiet, options.steps, "steps");
            while trainer.steps() < options.steps {
                let x = self.training.batch(&options, trainer.steps(), self.opened)?;
                trainer.step(&x)?;
                bar.reach(trainer.steps(), options.steps);
                let out_of_time = args.minutes.is_some_and(|minutes| trainer.minutes() - begin >= minutes);
                let interrupted = signals::was_noted();
                let last = trainer.steps() == options.steps || out_of_time || interrupted;
                if last || trainer.steps().is_multiple_of(options.every) {
                    self.tell(&trainer.validate(&judge)?, &trainer);
                    self.keep(&trainer, &owner)?;
                }
                if last && trainer.steps() < options.steps {
                    ended = if interrupted { Ended::Interrupted } else { Ended::Minutes };
                    break;
                }
            }
            bar.finish();
            signals::note_only(false);
        }
        let training = Training {
            images: self.training.len(),
            overlap,
            parameters: trainer.count(),
            left,
            train: options.train,
            loss: options.loss,
            lee_weight: options.lee_weight,
            generators: options.generators.iter().map(|generator| generator.name().to_owned()).collect(),
            steps_asked: options.steps,
            steps: trainer.steps(),
            best_step: trainer.best_step(),
            batch: options.batch,
            rate: options.rate,
            clip: options.clip,
            seed: options.seed,
            minutes: trainer.minutes(),
            ended,
        };
        if options.steps > 0 {
            trainer.finish()?;
        }
        Ok((training, trainer.curve().to_vec()))
    }

    fn judge(&self, batch: usize) -> Result<Judge, Failure> {
        let mut images = Vec::new();
        let frames = self.opened.source.frames();
        let every = frames.len().div_ceil(CURVE_IMAGES).max(1);
        for frame in frames.iter().step_by(every) {
            let (image, _) = self.opened.source.read(frame, &self.opened.preprocessing)?;
            images.push(crate::measure::input(&image)?.f_to_kind(self.opened.network.kind())?);
        }
        Ok(Judge::new(&self.opened.network, &images, batch, CURVE_LEE_IMAGES)?)
    }

    /// A validation in a line.
    fn tell(&self, point: &crate::repair::CurvePoint, trainer: &Trainer<'_>) {
        let steps = trainer.options().steps;
        let loss = point.loss.map_or(String::new(), |loss| format!("loss {loss:.3}, "));
        let kept = point.top1_unchanged.map_or(String::new(), |kept| format!(", top-1 {:.0} %", 100.0 * kept));
        let best = if trainer.best_step() == point.step { " (best)" } else { "" };
        let rest = match point.step {
            0 => String::new(),
            done => format!("; {:.1} min left", point.minutes / done as f64 * (steps - done.min(steps)) as f64),
        };
        self.console.note(&format!(
            "step {} of {steps}: {loss}validation {:.4}{best}{kept}, LEE {:.4}; {:.1} min{rest}",
            point.step, point.validation, point.lee, point.minutes
        ));
    }

    /// What tells a training from others: networks, images and options.
    fn owner(&self, options: &TrainOptions) -> Result<String, Failure> {
        let model = &self.opened.header().model;
        let mut validation = String::new();
        for frame in self.opened.source.frames() {
            validation += &hash_of(&self.opened.source.bytes(frame)?);
        }
        let replace: Vec<String> = self.args.replace.iter().map(ToString::to_string).collect();
        let lee = self.lee_options();
        let all = format!(
            "{} {} {:?} {replace:?} {:?} {} {:?} {options:?} {:?} {} {lee:?} {} {validation} {:?}",
            env!("CARGO_PKG_VERSION"),
            model.sha256,
            model.weights_sha256,
            self.args.pattern,
            self.args.padding(),
            self.args.place(),
            self.args.training.recalibrate,
            self.args.training.calibration,
            self.training.hash(),
            self.opened.network.kind()
        );
        Ok(hash_of(all.as_bytes()))
    }

    fn keep(&self, trainer: &Trainer<'_>, owner: &str) -> Result<(), Failure> {
        let Some(path) = &self.args.training.state else { return Ok(()) };
        let bytes = State::of(trainer, owner)?.into_bytes();
        // The state of this run takes the place of an earlier one's.
        Ok(OutputFile::claim(path, true)?.write_bytes(&bytes)?)
    }

    fn resume(&self, trainer: &mut Trainer<'_>, owner: &str) -> Result<(), Failure> {
        let Some(path) = &self.args.training.state else { return Ok(()) };
        let bytes = fs::read(path)
            .map_err(|error| Failure::new(Status::Input, format!("{}: it cannot be read: {error}", path.display())))?;
        State::from_bytes(bytes)
            .restore(trainer, owner)
            .map_err(|error| Failure::new(Status::Input, format!("{}: {error}", path.display())))?;
        self.console.note(&format!("going on from step {}", trainer.steps()));
        Ok(())
    }
}

/// The file with parameters as they are now.
fn written(file: &OnnxFile, parameters: &[Parameter]) -> Result<OnnxFile, Failure> {
    let values: Vec<(&Parameter, &Tensor)> = parameters.iter().map(|p| (p, &p.tensor)).collect();
    Ok(with_parameters(file, &values)?)
}

/// The largest difference of the outputs of the trained network and the one of its file, over the largest output.
fn difference(student: &Network, again: &Network, x: &Tensor) -> Result<f64, Failure> {
    tch::no_grad(|| {
        let x = student.place(x)?;
        let (wanted, _) = recorded(student, &x, &[])?;
        let got = again.forward(&x)?;
        let (wanted, got) = (wanted.f_to_kind(Kind::Double)?, got.f_to_kind(Kind::Double)?);
        let scale = wanted.f_abs()?.f_max()?.f_double_value(&[])?;
        let difference = wanted.f_sub(&got)?.f_abs()?.f_max()?.f_double_value(&[])?;
        Ok(if scale > 0.0 { difference / scale } else { difference })
    })
}

impl From<RepairError> for Failure {
    fn from(error: RepairError) -> Self {
        let message = error.to_string();
        match error {
            RepairError::Graph(error) => error.into(),
            RepairError::Lee(error) => error.into(),
            RepairError::Surgery(error) => error.into(),
            RepairError::Onnx(error) => error.into(),
            RepairError::Torch(error) => error.into(),
            RepairError::Nothing => Self::new(Status::Unsupported, message),
            RepairError::NotFinite { .. } => Self::new(Status::NotFinite, message),
            RepairError::State(_) => Self::new(Status::Input, message),
        }
    }
}
