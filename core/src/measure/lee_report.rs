//! What `aliascope lee` returns: plain data, read by the reports and figures.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::run::Run;

/// The version of [`LeeReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const LEE_SCHEMA_VERSION: u32 = 3;

/// The Lie derivatives of one network over a set of images, under the affine algebra and saturation.
///
/// L = Df\[A x\] − A f(x) with (A h)(u) = v(u)·∇h(u); `lee` of a generator is E‖L‖²/dim(output).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeeReport {
    /// [`LEE_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What computed it, of what, and how.
    pub run: Run,
    /// On how many images the output hardly changes under any generator, so that a small LEE says nothing of a symmetry.
    pub images_constant: usize,
    /// How many of them change under no generator of the plane, as those of one colour.
    pub images_flat: usize,
    /// What `relative`, `gram.input_energy` and the symmetry spectrum take the input's size in.
    pub input_units: InputUnits,
    /// How many images the network classifies rightly; null where no classes are known.
    pub accuracy: Option<Accuracy>,
    /// The class with the largest score, image by image, counted from 0; null where the output is no vector of classes.
    pub predicted: Option<Vec<usize>>,
    /// One entry per generator that was asked for: without a choice the measured seven, then `rotate`, `hyperbolic`, `scale`.
    pub generators: IndexMap<String, GeneratorLee>,
    /// The Gram matrix of the measured generators.
    pub gram: Gram,
    /// The affine algebra's directions, least equivariant first; empty without the feature `linalg`, and where the images
    /// change under no generator of the plane.
    pub symmetry_spectrum: Vec<SymmetryDirection>,
    /// What the run cost; the forwards are null where they were not timed.
    pub timing: Timing,
}

/// What an input's size is taken in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputUnits {
    /// Pixel values of 0 to 1.
    #[default]
    Photo,
    /// The units of the network's input, where the images are tensors.
    Input,
}

/// Agreement of the class with the largest score with the image's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// The images whose class is known.
    pub images: usize,
    /// How many of them the network gives that class.
    pub right: usize,
    /// Their share.
    pub top1: f64,
}

/// The equivariance error under one generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeneratorLee {
    /// E‖L‖²/dim(output), the mean over images.
    pub lee: f64,
    /// Its standard error over images; null for a single image.
    pub sem: Option<f64>,
    /// E|L|, mean over output entries and images: what the paper's released script reports.
    pub mean_abs: f64,
    /// `lee` over E‖A x‖²/dim(x), in `input_units`; null where A x is no more than rounding, as on images of one colour.
    pub relative: Option<f64>,
    /// (Σ ‖L‖²)²/Σ ‖L‖⁴ over images, the effective sample size: how many images of equal weight the mean is worth; null
    /// without any error.
    pub images_effective: Option<f64>,
    /// The values that the means are of.
    pub by_image: LeeByImage,
}

/// Values image by image, in the order of `run.images.names`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LeeByImage {
    /// ‖L‖²/dim(output).
    pub lee: Vec<f64>,
    /// Mean |L| over the output's entries.
    pub mean_abs: Vec<f64>,
    /// ‖A x‖²/dim(x), in `input_units`; 0 where it is rounding.
    pub input_energy: Vec<f64>,
}

/// Of the generators that were swept: G_ij = E⟨L_i, L_j⟩/dim(output), so that its diagonal is `lee` and the LEE of Σ a_i A_i is aᵀ G a.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gram {
    /// The generators' names in the order of rows and columns.
    pub order: Vec<String>,
    /// The raw matrix.
    pub matrix: Vec<Vec<f64>>,
    /// n_i = E‖A_i x‖²/dim(x) in `input_units`, per generator, 0 where it is rounding; G_ij/√(n_i n_j) is the matrix whose eigenvectors are the symmetry spectrum.
    pub input_energy: Vec<f64>,
}

/// One eigenvector of the affine block of the normalised Gram matrix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SymmetryDirection {
    /// The relative LEE along this direction, with generators normalised.
    pub eigenvalue: f64,
    /// Unit vector over the *normalised* generators A_i/√n_i.
    pub direction: IndexMap<String, f64>,
}

/// Milliseconds; medians over the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// One forward of one image.
    pub forward_ms: Option<f64>,
    /// One forward of eight images; none where a sweep takes so long that nothing is repeated.
    pub forward_batch8_ms: Option<f64>,
    /// One sweep: primal and seven tangents of one image.
    pub sweep_ms: f64,
}
