//! What networks are judged on: images that no weight was adapted on.

use std::num::NonZeroUsize;

use clap::Args;
use tch::Tensor;

use crate::cli::batch::not_finite;
use crate::cli::generators::GeneratorArgs;
use crate::cli::labels::LabelArgs;
use crate::cli::measuring::MeasuringArgs;
use crate::cli::network::{Console, Opened};
use crate::cli::{Failure, Status};
use crate::graph::{Network, is_finite};
use crate::hash::hash_of;
use crate::input::Frame;
use crate::measure::input;
use crate::measure::lee::LeeOptions;
use crate::measure::lee_report::Accuracy;
use crate::measure::metrics::MARGIN;
use crate::repair::{Judge, Stage, StageKind, StageMeter, StageOptions, TrainOptions};
use crate::symmetry::{Combination, Generator};

/// Validation images of the curve, and those of its LEE where nothing is decided by it.
const CURVE_IMAGES: usize = 100;
const CURVE_LEE_IMAGES: usize = 16;

/// How a network is judged before and after.
#[derive(Debug, Args)]
pub(in crate::cli) struct JudgementArgs {
    #[command(flatten)]
    pub(in crate::cli) labels: LabelArgs,
    #[command(flatten)]
    pub(in crate::cli) generators: GeneratorArgs,
    /// Random shifts per image for consistency; 0 leaves it out.
    #[arg(long, value_name = "D", default_value = "4")]
    pub(in crate::cli) draws: u16,
    /// Validation images on which LEE and shifts are measured; outputs are compared on all.
    #[arg(long, value_name = "N", default_value = "50")]
    pub(in crate::cli) measured: NonZeroUsize,
    #[command(flatten, next_help_heading = "How the network is measured")]
    pub(in crate::cli) measuring: MeasuringArgs,
}

impl JudgementArgs {
    /// The generators that were given, or both translations.
    pub(in crate::cli) fn generators(&self) -> Vec<Combination> {
        let given = self.generators.named();
        if given.is_empty() {
            return [Generator::TranslateX, Generator::TranslateY].map(Combination::single).to_vec();
        }
        given
    }

    /// How Lie derivatives are taken.
    pub(in crate::cli) fn lee_options(&self) -> LeeOptions {
        let measuring = &self.measuring;
        LeeOptions {
            generators: self.generators(),
            scheme: measuring.derivative,
            boundary: measuring.boundary,
            grid: measuring.grid,
            units: measuring.units,
            output: measuring.output,
            action: measuring.action,
            ..LeeOptions::default()
        }
    }

    /// How a stage is measured.
    fn stage_options(&self, seed: u64) -> StageOptions {
        StageOptions { lee: self.lee_options(), draws: usize::from(self.draws), seed }
    }
}

/// The validation images, and the network before on them.
pub(super) struct Judgement<'a> {
    opened: &'a Opened,
    options: StageOptions,
    quiet: bool,
    /// The network before.
    pub(super) before: StageMeter<'a>,
    /// The images that can be read.
    images: Vec<Judged>,
}

/// One validation image.
struct Judged {
    frame: Frame,
    class: Option<usize>,
    /// Whether LEE and shifts are measured on it.
    wholly: bool,
}

impl<'a> Judgement<'a> {
    /// Measures the network before.
    pub(super) fn new(args: &JudgementArgs, opened: &'a Opened, seed: u64, quiet: bool) -> Result<Self, Failure> {
        let options = args.stage_options(seed);
        let mut before = StageMeter::new(&opened.network, options.clone())?;
        let labels = args.labels.read(&opened.source, before.classes())?;
        // Some of all of them, not the first: a folder may begin with one class.
        let every = opened.source.frames().len().div_ceil(args.measured.get()).max(1);
        let mut images: Vec<Judged> = Vec::new();
        let console = Console::new(quiet, opened.source.frames().len(), "images before");
        opened.for_images(&console, |frame, x| {
            let image =
                Judged { frame: frame.clone(), class: labels.of(frame), wholly: images.len().is_multiple_of(every) };
            add(&mut before, opened, options.draws, &image, &x)?;
            images.push(image);
            console.advance(1);
            Ok(())
        })?;
        console.finish();
        Ok(Self { opened, options, quiet, before, images })
    }

    /// A network against the one before; `what` it is, for the progress.
    pub(super) fn stage(&self, network: &Network, kind: StageKind, what: &str) -> Result<Stage, Failure> {
        let mut meter = StageMeter::new(network, self.options.clone())?;
        let console = Console::new(self.quiet, self.images.len(), &format!("images {what}"));
        let mut images = self.images.iter();
        self.opened.for_images(&console, |frame, x| {
            let Some(image) = images.next().filter(|image| image.frame == *frame) else {
                let message = format!("'{}' could not be read before, or has become another; run again", frame.name());
                return Err(Failure::new(Status::Input, message));
            };
            add(&mut meter, self.opened, self.options.draws, image, &x)?;
            console.advance(1);
            Ok(())
        })?;
        console.finish();
        Ok(meter.against(&self.before, kind, &self.classes())?)
    }

    fn classes(&self) -> Vec<Option<usize>> {
        self.images.iter().map(|image| image.class).collect()
    }

    /// The images' names.
    pub(super) fn names(&self) -> Vec<String> {
        self.images.iter().map(|image| image.frame.name()).collect()
    }

    /// The names of those on which LEE and shifts are measured.
    pub(super) fn names_wholly(&self) -> Vec<String> {
        self.images.iter().filter(|image| image.wholly).map(|image| image.frame.name()).collect()
    }

    /// The network before on labelled images.
    pub(super) fn accuracy_before(&self) -> Result<Option<Accuracy>, Failure> {
        Ok(self.before.accuracy(&self.classes())?)
    }

    /// The first image, `[1, 1, channels, rows, columns]`.
    pub(super) fn first(&self) -> Result<Tensor, Failure> {
        let first = self.images.first();
        let first =
            first.ok_or_else(|| Failure::new(Status::Input, "there is no image to judge on; give --validate"))?;
        Ok(self.read(&first.frame)?.f_unsqueeze(0)?)
    }

    fn read(&self, frame: &Frame) -> Result<Tensor, Failure> {
        Ok(input(&self.opened.source.read(frame, &self.opened.preprocessing)?.0)?)
    }

    /// Some of the images, for the curve over steps.
    pub(super) fn judge(&self, options: &TrainOptions) -> Result<Judge, Failure> {
        let every = self.images.len().div_ceil(CURVE_IMAGES).max(1);
        let kind = self.opened.network.kind();
        let images = self.images.iter().step_by(every).map(|image| Ok(self.read(&image.frame)?.f_to_kind(kind)?));
        let images = images.collect::<Result<Vec<Tensor>, Failure>>()?;
        // LEE of a few images is decided by one or two of them: where it has a say, it is taken of all.
        let lee_images = if options.lee_weight > 0.0 { images.len() } else { CURVE_LEE_IMAGES };
        Ok(Judge::new(&self.opened.network, &images, options.batch, lee_images)?)
    }

    /// What tells the images from others.
    pub(super) fn hash(&self) -> Result<String, Failure> {
        let mut all = String::new();
        for image in &self.images {
            all += &hash_of(&self.opened.source.bytes(&image.frame)?);
        }
        Ok(hash_of(all.as_bytes()))
    }
}

/// Measures a network on one image.
fn add(meter: &mut StageMeter<'_>, opened: &Opened, draws: usize, image: &Judged, x: &Tensor) -> Result<(), Failure> {
    if !is_finite(x)? {
        return Err(not_finite(&image.frame));
    }
    let wide = image.wholly && draws > 0;
    let larger = if wide { opened.read_larger(&image.frame, MARGIN)? } else { None };
    Ok(meter.measure(x, larger.as_ref(), &image.frame.name(), image.wholly)?)
}
