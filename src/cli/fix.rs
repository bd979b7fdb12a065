//! `aliascope fix`: the worst layers, what helps there, and the network with it, judged on images held out.

use std::num::{NonZeroU16, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, ValueHint};
use tch::Tensor;

use super::antialias_surgery::read_replacement;
use super::network::{Console, NetworkArgs, Opened};
use super::repair::{
    DesignArgs, Job, JudgementArgs, Request, TrainingArgs, TrainingImages, check_saved, opened_with_file,
};
use super::{Failure, Status};
use crate::antialias::surgery::advise::{AdviseOptions, advise};
use crate::antialias::surgery::report::Advice;
use crate::antialias::surgery::{Insertion, Replacement, SiteKind, TargetModel};
use crate::figure::Format;
use crate::graph::onnx::OnnxFile;
use crate::measure::layers::{LayerMeter, LayersOptions, SplitBy};
use crate::measure::layers_report::LayerResults;
use crate::measure::lee::LeeMeter;
use crate::measure::run::Run;
use crate::repair::{Conclusion, FIX_SCHEMA_VERSION, FixReport, HoldOut, RepairReport, WorstLayer};
use crate::symmetry::Combination;
use aliascope_core::cli::outputs::{FigureName, OutputArgs, Outputs};

/// Find the worst layers of a pretrained network, put designs where they help, recalibrate, and say whether it is
/// repaired.
///
/// Layers and places are chosen on some of the photos, and what comes of it is judged on others: half of --images, 200
/// at the most, are held out, unless --validate gives some. Without --steps no weight is trained, and it takes minutes.
#[derive(Debug, Args)]
pub struct FixArgs {
    /// A pretrained network, an ONNX file with one image input.
    #[arg(value_hint = ValueHint::FilePath)]
    model: PathBuf,
    /// Photos (png, jpg), folders of them, or a .safetensors with key `x`; no labels are needed.
    #[arg(short, long, required = true, num_args = 1.., value_name = "PATH")]
    images: Vec<PathBuf>,
    /// Other photos, on which the result is judged [default: some of --images, held out by --seed].
    #[arg(long, num_args = 1.., value_name = "PATH")]
    validate: Vec<PathBuf>,
    /// What is tried, as in `antialias`; may be repeated [default: stride=blurpool:3, or activation=filtered:2x without
    /// strides].
    #[arg(long, value_name = "WHAT=DESIGN", value_parser = read_replacement)]
    replace: Vec<Replacement>,
    /// Places that may be chosen.
    #[arg(long, value_name = "N", default_value = "5")]
    budget: NonZeroU16,
    /// Images that layers and places are chosen on, of those that are not held out.
    #[arg(long, value_name = "N", default_value = "8")]
    chosen_on: NonZeroUsize,
    #[command(flatten)]
    designs: DesignArgs,
    /// Save the network with designs as an ONNX file.
    #[arg(long, value_name = "NEW.onnx")]
    save: Option<PathBuf>,
    /// Steps that adapt weights, after recalibration; 0 for none.
    #[arg(long, value_name = "N", default_value = "0", help_heading = "How weights are adapted")]
    steps: usize,
    #[command(flatten, next_help_heading = "How weights are adapted")]
    training: TrainingArgs,
    #[command(flatten, next_help_heading = "How the network is judged")]
    judgement: JudgementArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// The fix, and the choice of places.
const FIGURES: [FigureName; 2] = [("", None), ("advice", Some(Format::Png))];
/// The most images that are held out.
const MOST_HELD: usize = 200;

/// Runs the subcommand.
pub fn run(args: &FixArgs) -> Result<(), Failure> {
    args.training.check()?;
    let mut outputs = Outputs::claim(&args.output, &FIGURES)?;
    let save_to = outputs.another(args.save.as_ref())?;
    let judged_on = if args.validate.is_empty() { &args.images } else { &args.validate };
    let (mut opened, file) = opened_with_file(&args.network, &args.model, judged_on)?;
    let console = Console::new(args.output.quiet, 1, "trials");
    opened.note_outputs(&console);
    let (training, hold_out) = match args.validate.is_empty() {
        true => args.hold_out(&mut opened, &console)?,
        false => (TrainingImages::open(&args.images, &opened, &console)?, None),
    };
    let fix = Fix { args, opened: &opened, file: &file, console: &console };
    let (report, saved) = fix.run(training, hold_out)?;
    match (save_to, saved) {
        (Some(file), Some(bytes)) => outputs.fill(file, bytes),
        (Some(_), None) => console.note("nothing was put in, so there is no new model to save"),
        (None, _) => {}
    }
    outputs.write(&report, &(), args.network.per_image)?;
    report.repair.as_ref().map_or(Ok(()), check_saved)?;
    opened.finish()
}

impl FixArgs {
    fn seed(&self) -> u64 {
        self.network.seed().unwrap_or(0)
    }

    /// Leaves some of the opened images to judge on, and takes the others to choose and adapt on.
    fn hold_out(&self, opened: &mut Opened, console: &Console) -> Result<(TrainingImages, Option<HoldOut>), Failure> {
        let of = opened.source.frames().len();
        let held = (of / 2).min(MOST_HELD);
        if held == 0 {
            let problem = "--images: one image cannot be both adapted and judged on; give more, or --validate";
            return Err(Failure::new(Status::Input, problem));
        }
        let seed = self.seed();
        let others = opened.source.hold_out(held, seed);
        let mut training = TrainingImages::of(others, opened, console)?;
        let twice = training.leave_out_copies(opened)?;
        Ok((training, Some(HoldOut { seed, of, held, twice })))
    }
}

/// A network that is fixed.
struct Fix<'a> {
    args: &'a FixArgs,
    opened: &'a Opened,
    file: &'a OnnxFile,
    console: &'a Console,
}

impl Fix<'_> {
    /// The report, and the bytes of the new model where designs were put in.
    fn run(
        &self,
        training: TrainingImages,
        hold_out: Option<HoldOut>,
    ) -> Result<(FixReport, Option<Vec<u8>>), Failure> {
        let (args, opened) = (self.args, self.opened);
        let target = TargetModel::new(self.file, &opened.network)?;
        let replace = self.rules(&target);
        let insertions = args.designs.insertions(&replace, &target, opened, self.console)?;
        let images = training.some(args.chosen_on.get(), opened)?;
        let layers = self.layers(&images)?;
        let (mut chosen, advice) = self.advice(&target, &insertions, &images)?;
        chosen.sort_unstable();
        let meter = LeeMeter::new(&opened.network, args.judgement.lee_options())?;
        let run = Run {
            lie: Some(meter.lie()),
            output: Some(meter.measured()),
            ..opened.run(images.iter().map(|(name, _)| name.clone()).collect())
        };
        let worst = WorstLayer::of(&layers, &advice);
        let (repair, saved) = match chosen.is_empty() {
            true => (None, None),
            false => {
                let chosen = chosen.iter().map(|at| &insertions[*at]).collect();
                let (repair, bytes) = self.repair(&target, chosen, &replace, training)?;
                (Some(repair), Some(bytes))
            }
        };
        let report = FixReport {
            schema_version: FIX_SCHEMA_VERSION,
            run,
            conclusion: Conclusion::default(),
            hold_out,
            replace: replace.iter().map(ToString::to_string).collect(),
            generator: self.generator().name().to_owned(),
            worst,
            advice,
            repair,
        };
        Ok((report.concluded(), saved))
    }

    /// What is tried: as given, or what there is a place for.
    fn rules(&self, target: &TargetModel<'_>) -> Vec<Replacement> {
        if !self.args.replace.is_empty() {
            return self.args.replace.clone();
        }
        let strided = target.sites().iter().any(|site| matches!(site.kind, SiteKind::Strided(_)));
        let rule = if strided { "stride=blurpool:3" } else { "activation=filtered:2x" };
        if !strided {
            self.console.note("there is no strided layer, so that filtered activations are tried");
        }
        read_replacement(rule).into_iter().collect()
    }

    /// The generator that layers and places are judged under.
    fn generator(&self) -> Combination {
        self.args.judgement.generators().swap_remove(0)
    }

    fn layers_options(&self) -> LayersOptions {
        let measuring = &self.args.judgement.measuring;
        LayersOptions {
            scheme: measuring.derivative,
            boundary: measuring.boundary,
            grid: measuring.grid,
            units: measuring.units,
            output: measuring.output,
            action: measuring.action,
            split: SplitBy::Nothing,
            ..LayersOptions::new(self.generator())
        }
    }

    /// What each layer contributes.
    fn layers(&self, images: &[(String, Tensor)]) -> Result<LayerResults, Failure> {
        let mut meter = LayerMeter::new(&self.opened.network, self.layers_options())?;
        let console = Console::new(self.args.output.quiet, images.len(), "images, layer by layer");
        for (name, x) in images {
            meter.measure(&x.f_unsqueeze(0)?, std::slice::from_ref(name), &mut |_, _| {})?;
            console.advance(1);
        }
        console.finish();
        Ok(meter.results())
    }

    fn advice(
        &self,
        target: &TargetModel<'_>,
        insertions: &[Insertion],
        images: &[(String, Tensor)],
    ) -> Result<(Vec<usize>, Advice), Failure> {
        let options = AdviseOptions {
            generator: self.generator(),
            lee: self.args.judgement.lee_options(),
            layers: self.layers_options(),
            budget: usize::from(self.args.budget.get()),
            // What surgery changes, recalibration and steps bring back: the result is judged, not the way to it.
            keep: 0.0,
        };
        let stacked = images.iter().map(|(name, x)| Ok((name.clone(), x.f_unsqueeze(0)?)));
        let stacked = stacked.collect::<Result<Vec<_>, Failure>>()?;
        let console = Console::new(self.args.output.quiet, 1, "trials");
        let found = advise(target, insertions, &options, &stacked, &mut |done, of| console.reach(done, of))?;
        console.finish();
        Ok(found)
    }

    fn repair(
        &self,
        target: &TargetModel<'_>,
        insertions: Vec<&Insertion>,
        replace: &[Replacement],
        training: TrainingImages,
    ) -> Result<(RepairReport, Vec<u8>), Failure> {
        let args = self.args;
        let job = Job {
            request: Request {
                replace,
                pattern: args.designs.pattern.as_deref(),
                padding: args.designs.padding(),
                place: args.designs.place.place(),
                steps: args.steps,
                training: &args.training,
                judgement: &args.judgement,
                seed: args.seed(),
                save: args.save.as_ref(),
                quiet: args.output.quiet,
            },
            opened: self.opened,
            target,
            before: self.file,
            insertions,
            training,
            console: self.console,
        };
        job.run()
    }
}
