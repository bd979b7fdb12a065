//! What `aliascope field` returns: plain data, read by the reports and figures.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::run::Run;
use super::scalar::Scalar;
use crate::spectrum::smooth::{Edge, Sobolev};
use crate::statistics::{mean, median};

/// The version of [`FieldReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const FIELD_SCHEMA_VERSION: u32 = 1;

/// How a scalar of a network's output changes under every motion of its input.
///
/// x ↦ x(u + t v(u)) changes the scalar m by t·Σ v(u)·F(u) to first order. Sizes of motions are those of a
/// Sobolev norm, by default ‖v‖² = mean |v|² + ℓ²·mean |∇v|² in pixels, in which a shift by one pixel has the size 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldReport {
    /// [`FIELD_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What computed it, of what, and how.
    pub run: Run,
    /// m.
    pub scalar: Scalar,
    /// How motions are measured.
    pub deformations: Deformations,
    /// Named motions, saturation last.
    pub motions: IndexMap<String, MotionResult>,
    /// Over images: what the motions of size 1 that change m most gain.
    pub steepest: SteepestResult,
    /// The relative stability of m to diffeomorphisms, means of numerator and denominator over images; null where no image
    /// changes.
    pub relative_stability: Option<f64>,
    /// What finite deformations do, in the order of their sizes.
    pub warps: Vec<WarpResult>,
    /// Image by image, in the order of `run.images.names`.
    pub by_image: Vec<FieldImage>,
    /// What the run cost.
    pub timing: FieldTiming,
}

/// How motions and deformations are measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Deformations {
    /// ℓ, in pixels.
    pub smoothness: f64,
    /// How many derivatives the size of a motion counts.
    pub norm: Sobolev,
    /// What deformations do at the image's edge.
    pub edge: Edge,
    /// The largest frequency of the random fields of the relative stability, in half-periods per side.
    pub cutoff: usize,
}

/// The derivative of m along one motion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MotionResult {
    /// dm/dt, root mean square over images, t in `run.lie.units`.
    pub rms: f64,
    /// |dm/dt| over the size of the motion, root mean square over images; null of saturation, which moves nothing.
    pub gain: Option<f64>,
    /// dm/dt image by image.
    pub by_image: Vec<f64>,
}

/// What the steepest motions of size 1 gain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SteepestResult {
    /// Root mean square over images of the gain of the worst smooth deformation.
    pub smooth: f64,
    /// That of the best affine motion.
    pub affine: f64,
    /// The median over images of the one over the other; null where no image changes.
    pub ratio: Option<f64>,
    /// Of a margin: the median over images of |m| over the gain, the size of the worst deformation that takes the margin to 0
    /// by the linear estimate, in pixels.
    pub distance: Option<f64>,
}

/// The images moved along their worst deformations, so that m falls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WarpResult {
    /// The size of the deformation, in pixels.
    pub size: f64,
    /// By how much m falls to first order, mean over images.
    pub predicted: f64,
    /// By how much m falls, mean over images.
    pub actual: f64,
    /// How many images' class changes; null without classes.
    pub changed: Option<usize>,
}

/// What is found of one image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FieldImage {
    /// m.
    pub value: f64,
    /// The class that m is of; null where it is of none.
    pub class: Option<usize>,
    /// The class that a margin is held against.
    pub other: Option<usize>,
    /// The gain of the worst smooth deformation of size 1, in m per pixel.
    pub smooth: f64,
    /// That of the best affine motion of size 1.
    pub affine: f64,
    /// Of a margin: |m| over `smooth`.
    pub distance: Option<f64>,
    /// Where the worst deformation of size 1 moves the picture furthest: column, row, and by how many pixels; null where m
    /// does not change.
    pub furthest: Option<Furthest>,
    /// The share of pixels that have half of Σ|F|², the least number of them.
    pub half_area: f64,
    /// The numerator and the denominator of the relative stability.
    pub stability: [f64; 2],
    /// |Σ v·F − dm/dt|/|dm/dt| along the worst deformation, the derivative by forward mode.
    pub residual: f64,
    /// The value of m, and the top class, after each of the finite deformations.
    pub warps: Vec<Warped>,
}

/// A place of a deformation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Furthest {
    /// The column.
    pub column: usize,
    /// The row.
    pub row: usize,
    /// The displacement there, in pixels, of a deformation of size 1.
    pub displacement: f64,
}

/// A network on a deformed image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warped {
    /// The size of the deformation, in pixels.
    pub size: f64,
    /// m, of the same classes as before.
    pub value: f64,
    /// The class with the largest score; null without classes.
    pub top: Option<usize>,
}

/// Milliseconds; medians over the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FieldTiming {
    /// One forward of one image.
    pub forward_ms: f64,
    /// A forward that is recorded, and the way back.
    pub gradient_ms: f64,
}

/// What one image contributes, and its derivatives along the named motions, in the order of their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldFound {
    /// What is reported of it.
    pub image: FieldImage,
    /// dm/dt per motion, saturation last.
    pub derivatives: Vec<f64>,
    /// The class with the largest score.
    pub top: Option<usize>,
    /// What the gradient took, in milliseconds.
    pub gradient_ms: f64,
}

impl FieldReport {
    /// The result over images: of motions with their names and sizes, saturation last and without one.
    pub fn of(
        run: Run,
        scalar: Scalar,
        deformations: Deformations,
        motions: &[(String, Option<f64>)],
        found: &[FieldFound],
        forward_ms: f64,
    ) -> Self {
        let rms = |values: Vec<f64>| mean(&values.iter().map(|v| v * v).collect::<Vec<_>>()).sqrt();
        let each = |of: &dyn Fn(&FieldFound) -> f64| found.iter().map(of).collect::<Vec<f64>>();
        let of_motion = |at: usize, size: Option<f64>| {
            let by_image = each(&|found| found.derivatives.get(at).copied().unwrap_or(0.0));
            let rms = rms(by_image.clone());
            MotionResult { rms, gain: size.map(|size| rms / size), by_image }
        };
        let moving: Vec<&FieldImage> = found.iter().map(|f| &f.image).filter(|image| image.affine > 0.0).collect();
        let ratios: Vec<f64> = moving.iter().map(|image| image.smooth / image.affine).collect();
        let distances: Vec<f64> = found.iter().filter_map(|found| found.image.distance).collect();
        let steepest = SteepestResult {
            smooth: rms(each(&|found| found.image.smooth)),
            affine: rms(each(&|found| found.image.affine)),
            ratio: (!ratios.is_empty()).then(|| median(ratios)),
            distance: (!distances.is_empty()).then(|| median(distances)),
        };
        let part = |at: usize| each(&|found| found.image.stability[at]).iter().sum::<f64>();
        let sizes = found.first().map_or(0, |found| found.image.warps.len());
        let warp = |at: usize| {
            let of = |value: &dyn Fn(&FieldFound, &Warped) -> f64| {
                mean(&found.iter().filter_map(|f| Some(value(f, f.image.warps.get(at)?))).collect::<Vec<_>>())
            };
            let changes = |f: &FieldFound| Some(f.image.warps.get(at)?.top? != f.top?);
            WarpResult {
                size: found[0].image.warps[at].size,
                predicted: of(&|found, warp| warp.size * found.image.smooth),
                actual: of(&|found, warp| found.image.value - warp.value),
                changed: found
                    .iter()
                    .map(changes)
                    .collect::<Option<Vec<_>>>()
                    .map(|all| all.iter().filter(|c| **c).count()),
            }
        };
        Self {
            schema_version: FIELD_SCHEMA_VERSION,
            run,
            scalar,
            deformations,
            motions: motions
                .iter()
                .enumerate()
                .map(|(at, (name, size))| (name.clone(), of_motion(at, *size)))
                .collect(),
            steepest,
            relative_stability: (part(1) > 0.0).then(|| part(0) / part(1)),
            warps: (0..sizes).map(warp).collect(),
            by_image: found.iter().map(|found| found.image.clone()).collect(),
            timing: FieldTiming { forward_ms, gradient_ms: median(each(&|found| found.gradient_ms)) },
        }
    }
}
