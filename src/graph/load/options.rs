//! How to load a network.

use tch::{Device, Kind};

use super::input_layout::InputLayout;
use super::target::Target;

/// How to load a network.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// The input's shape, where the model leaves it open.
    pub input_shape: Option<Vec<i64>>,
    /// The order of the input's axes, where nodes and shape do not say it, or say it wrongly.
    pub layout: Option<InputLayout>,
    /// `Kind::Float` or `Kind::Double`.
    pub kind: Kind,
    /// Where to run.
    pub device: Device,
    /// Which value is measured.
    pub target: Target,
    /// Whether values that depend on the input may be quantised, with derivatives that pass straight through the rounding;
    /// they are refused otherwise.
    pub straight_through: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            input_shape: None,
            layout: None,
            kind: Kind::Float,
            device: Device::Cpu,
            target: Target::First,
            straight_through: false,
        }
    }
}
