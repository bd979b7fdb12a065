//! Which layer breaks the symmetry: the error of a whole network split exactly among its nodes.
//!
//! With a_v = A x_v the action on node v's value and t_v the tangent pushed through the network from A x, the *defect*
//! of one node is δ_v = Dop_v\[a_inputs\] − a_v, and the Lie derivative at the output is the sum of what every defect
//! becomes there: L = Σ_v J_{v→out} δ_v, to rounding. A defect is split further, as vectors that add up to it:
//!
//! - *aliasing*: what sampling does to the translation along v(u), where the plane has no edge;
//! - *kernel*: what the operator does to the motion on a continuous plane: three taps in a row do not turn with the image;
//! - *boundary*: what the value's edge adds, with the network's own padding;
//! - *discretisation*: what a derivative other than the spectral one adds.
//!
//! `sampling` has the definitions, `split` which nodes have which parts. Instead it may be split by the octaves of what a
//! node reads (`octaves`).

mod actor;
mod agreement;
mod class;
mod extension;
mod find;
mod found;
mod graph;
mod meter;
mod motion;
mod octaves;
pub mod per_layer;
mod plan;
pub mod probes;
mod reach;
mod results;
mod rounding;
mod sampling;
mod split;
mod sweep;

use crate::graph::GraphError;
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::symmetry::{Combination, GridKind, Units};

use super::action::ActionError;
use super::lee::{ActionChoice, LeeError, Output};

pub use crate::graph::module_of;
pub use crate::measure::grouping::Grouping;
pub use agreement::agreements;
pub use found::LayersFound;
pub use meter::LayerMeter;
pub use results::report;

/// What layers' defects are split by, into vectors that add up to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SplitBy {
    /// They are left whole.
    Nothing,
    /// What makes them: aliasing, kernel, boundary, discretisation.
    Cause,
    /// The octave of what a node reads.
    Octave,
}

impl SplitBy {
    /// The name that checkpoints use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Cause => "cause",
            Self::Octave => "octave",
        }
    }
}

/// How to attribute.
#[derive(Clone, Debug)]
pub struct LayersOptions {
    /// The generator.
    pub generator: Combination,
    /// How ∇ is taken.
    pub scheme: Scheme,
    /// What lies beyond a value's edge.
    pub boundary: Boundary,
    /// How positions are chosen.
    pub grid: GridKind,
    /// The unit of t.
    pub units: Units,
    /// What comes behind the network's output; none to choose by its shape.
    pub output: Option<Output>,
    /// What the group does to the output; none to choose by its shape.
    pub action: Option<ActionChoice>,
    /// What a layer is.
    pub grouping: Grouping,
    /// What defects are split by.
    pub split: SplitBy,
    /// Bytes that the stacks of a run may take.
    pub memory: u64,
    /// Whether nodes that make no error by construction are computed all the same.
    pub compute_zeros: bool,
    /// Whether to keep where in the first image defects sit.
    pub maps: bool,
    /// Per channel of the input, what one unit of it is in pixel values of 0 to 1; none where that is not known, and then
    /// the input's size is taken in its own units.
    pub pixel_scale: Option<Vec<f64>>,
}

impl LayersOptions {
    /// The defaults for one generator: spectral, reflect, tracked, half-widths, one layer per module, 4 GiB.
    pub fn new(generator: Combination) -> Self {
        Self {
            generator,
            scheme: Scheme::Spectral,
            boundary: Boundary::Reflect,
            grid: GridKind::Tracked,
            units: Units::HalfWidth,
            output: None,
            action: None,
            grouping: Grouping::Module(None),
            split: SplitBy::Cause,
            memory: 4 << 30,
            compute_zeros: false,
            maps: false,
            pixel_scale: None,
        }
    }
}

/// Why an error could not be attributed.
#[derive(Debug, thiserror::Error)]
pub enum LayersError {
    /// The network cannot be measured.
    #[error(transparent)]
    Lee(#[from] LeeError),
    /// The memory limit is too small for one source.
    #[error(
        "--memory {given} MiB is too small: one layer at a time needs {needed} MiB for this network and {images} image(s) at once"
    )]
    Memory {
        /// The limit.
        given: u64,
        /// What one source needs.
        needed: u64,
        /// Images per sweep.
        images: i64,
    },
}

impl From<GraphError> for LayersError {
    fn from(error: GraphError) -> Self {
        Self::Lee(error.into())
    }
}

impl From<ActionError> for LayersError {
    fn from(error: ActionError) -> Self {
        Self::Lee(error.into())
    }
}

impl From<tch::TchError> for LayersError {
    fn from(error: tch::TchError) -> Self {
        Self::Lee(error.into())
    }
}
