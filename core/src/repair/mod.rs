//! What a repair returns: a network before designs were put into it, with them, and after its weights were adapted.

mod conclusion;
mod fix;
mod kinds;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::antialias::surgery_report::{Cost, InsertionReport, OutputChange, Paired};
use crate::antialias::{Padding, Place};
use crate::measure::lee_report::Accuracy;
use crate::measure::run::Run;
use crate::statistics::{PairedRatio, paired_ratio};

pub use conclusion::{Conclusion, LEAST_IMAGES, Verdict};
pub use fix::{FIX_SCHEMA_VERSION, FixReport, HoldOut, WorstLayer};
pub use kinds::{Ended, Loss, RecalibrationKind, StageKind, Trained};

/// The version of [`RepairReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const REPAIR_SCHEMA_VERSION: u32 = 1;

/// A repair, judged on images that the weights were not adapted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RepairReport {
    /// [`REPAIR_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What computed it, of what (the network before), and how; its images are the validation images.
    pub run: Run,
    /// What it comes to.
    pub conclusion: Conclusion,
    /// Where the repaired model was saved; null where it was not.
    pub saved: Option<String>,
    /// The largest difference of outputs between the model file, read again, and the network that was trained, over the
    /// largest output.
    pub saved_difference: f64,
    /// The rules as they were given; none where only weights were adapted.
    pub replace: Vec<String>,
    /// What had to be in a node's name.
    #[serde(rename = "where")]
    pub pattern: Option<String>,
    /// What lies beyond the edge of the maps that designs read.
    pub padding: Padding,
    /// Where downsamplings were put.
    pub place: Place,
    /// What was put where.
    pub insertions: Vec<InsertionReport>,
    /// How weights were adapted by steps.
    pub training: Training,
    /// What recalibration did; null where it was left out.
    pub recalibration: Option<Recalibration>,
    /// The validation images on which LEE and metrics under shifts were measured, in the order of their values by
    /// image.
    pub lee_images: Vec<String>,
    /// Shifts per image; 0 where they were left out.
    pub draws: usize,
    /// What was measured at each stage, each against the network before, image by image.
    pub stages: Vec<Stage>,
    /// How many validation images the network before classifies rightly; null where no classes are known.
    pub accuracy_before: Option<Accuracy>,
    /// Loss and validation over steps.
    pub curve: Vec<CurvePoint>,
    /// What the repaired network costs against the one before.
    pub cost: Cost,
}

/// How weights were adapted by steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// Images that the weights were adapted on.
    pub images: usize,
    /// Validation images whose bytes are those of a training image.
    pub overlap: Vec<String>,
    /// Numbers that were adapted.
    pub parameters: usize,
    /// Parameters of the network that no training changes, as they are no constants of one node in the file.
    pub left: usize,
    /// Which.
    pub train: Trained,
    /// What was lowered.
    pub loss: Loss,
    /// The weight of the student's own LEE beside it.
    pub lee_weight: f64,
    /// The generators of that LEE, one a step.
    pub generators: Vec<String>,
    /// How far the crops that the network before saw were moved, along both axes, in pixels.
    #[serde(default)]
    pub teacher_shift: f64,
    /// The share of images that were blended with another.
    #[serde(default)]
    pub mixup: f64,
    /// Steps that were asked for.
    pub steps_asked: usize,
    /// Steps that were done.
    pub steps: usize,
    /// The step whose averaged weights were kept; 0 where none was better than no step.
    pub best_step: usize,
    /// Images per step.
    pub batch: usize,
    /// The first learning rate.
    pub rate: f64,
    /// The limit of the gradient's length.
    pub clip: f64,
    /// The seed of crops and generators.
    pub seed: u64,
    /// Minutes that steps and their validations took.
    pub minutes: f64,
    /// Why it ended.
    pub ended: Ended,
}

/// What recalibration did, without a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recalibration {
    /// What was solved for.
    pub kind: RecalibrationKind,
    /// Training images that it saw.
    pub images: usize,
    /// Layer by layer, in graph order.
    pub layers: Vec<RecalibratedLayer>,
    /// Seconds that it took.
    pub seconds: f64,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecalibratedLayer {
    /// The node.
    pub name: String,
    /// ‖student − teacher‖²/‖teacher − its channel means‖² of the layer's output on the calibration images, the layers
    /// before it recalibrated already, and this one not.
    pub before: f64,
    /// The same with this layer recalibrated.
    pub after: f64,
}

/// One stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// Which.
    pub stage: StageKind,
    /// LEE of the network before, and at this stage, for each generator, on [`RepairReport::lee_images`].
    pub generators: IndexMap<String, Paired>,
    /// LEE at this stage over LEE before, image by image, with intervals, for each generator; not of one under which an
    /// image has none.
    #[serde(default)]
    pub lee_ratios: IndexMap<String, PairedRatio>,
    /// Metrics under finite shifts by name, as `aliascope metrics` has them, on the same images.
    pub shifts: IndexMap<String, Paired>,
    /// What became of the outputs, on all validation images.
    pub change: OutputChange,
    /// How many images it classifies rightly; null where no classes are known.
    pub accuracy: Option<Accuracy>,
}

/// What was seen at one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Steps done.
    pub step: usize,
    /// The mean loss of the steps since the last point, as it was lowered; null at the first.
    pub loss: Option<f64>,
    /// On validation images, with averaged weights: the divergence KL of classes, or the squared error of another
    /// output over its variance.
    pub validation: f64,
    /// LEE as the mean over the generators, by a central difference: on 16 of the validation images, or on all where it
    /// is lowered too.
    pub lee: f64,
    /// The share of validation images whose top-1 class is unchanged; null without classes.
    pub top1_unchanged: Option<f64>,
    /// Minutes since training began.
    pub minutes: f64,
}

impl RepairReport {
    /// What was measured of a stage, where there was one.
    pub fn stage(&self, kind: StageKind) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.stage == kind)
    }

    /// The last stage: what the repair came to.
    pub fn last(&self) -> Option<&Stage> {
        self.stages.last()
    }
}

/// The ratios of LEE after to before, by generator, where there are any.
pub fn lee_ratios(generators: &IndexMap<String, Paired>) -> IndexMap<String, PairedRatio> {
    let ratio = |paired: &Paired| {
        let side = |at: usize| paired.by_image.iter().map(|both| both[at]).collect::<Vec<f64>>();
        paired_ratio(&side(1), &side(0)).ok()
    };
    generators.iter().filter_map(|(name, paired)| Some((name.clone(), ratio(paired)?))).collect()
}
