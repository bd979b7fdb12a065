//! What of a result is no more than rounding.
//!
//! Σ J δ − L, and on equivariant networks or photos of one colour L itself, is what is left where larger vectors cancel.
//! Against which size it is to be seen follows from them: the vectors at the output, and those inside that cancel on the
//! way there, such as the derivatives that a mean over a whole map takes to nothing. These are the actions a on inner
//! values h; what they would be at the output is not known, but how a layer's own defect is carried there is:
//!
//! ```text
//! Σ_v (‖a_v‖² + ‖h_v‖² s_v²) · ‖J δ‖²/Σ_v ‖δ_v‖²,    s = max|v|/pitch,
//! ```
//!
//! where ‖h‖ s stands for the differences of samples that a derivative is made of, which cancel on a map of one colour.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::graph::operator::Torch;
use crate::measure::precision::precision;
use crate::measure::run::Precision;

/// Roundings that results of a whole network may be off by.
const ROUNDINGS: f64 = 16.0;

/// Sizes at a layer's nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Gauge {
    /// Σ ‖δ‖².
    defect: f64,
    /// Σ ‖a‖² + ‖h‖² s².
    action: f64,
    /// Of the value where the layer ends: (‖a‖² + ‖h‖² s²)/dim.
    pub closing: f64,
}

impl Gauge {
    /// Of one node: its defect, its own action and its value, each with an axis of images in front.
    pub fn at(defect: &Tensor, action: &Tensor, value: &Tensor, steepness: f64) -> Torch<Self> {
        let action = squared_norm(action)? + squared_norm(value)? * steepness * steepness;
        let images = value.size().first().map_or(1.0, |&n| n.max(1) as f64);
        let dim = (value.numel() as f64 / images).max(1.0);
        Ok(Self { defect: squared_norm(defect)?, action, closing: action / dim })
    }

    /// Takes up another node, or other images.
    pub fn add(&mut self, other: &Self) {
        self.defect += other.defect;
        self.action += other.action;
        self.closing += other.closing;
    }

    /// Takes up another node of the same layer, which ends there if `closes`.
    pub fn join(&mut self, node: &Self, closes: bool) {
        self.defect += node.defect;
        self.action += node.action;
        self.closing += if closes { node.closing } else { 0.0 };
    }

    /// The square of the actions' size at the output, from the layer's contribution ‖J δ‖² there.
    pub fn at_output(&self, contribution: f64) -> f64 {
        if self.defect > 0.0 { self.action * contribution / self.defect } else { 0.0 }
    }
}

/// A precision, and what it rounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rounding {
    /// Relative.
    unit: f64,
    /// The largest residual that a run may leave.
    limit: f64,
}

impl Rounding {
    pub fn of(kind: Kind) -> Self {
        let precision = precision(kind);
        let unit = match precision {
            Precision::F64 => f64::EPSILON,
            Precision::F32 => f64::from(f32::EPSILON),
        };
        Self { unit: ROUNDINGS * unit, limit: precision.residual_limit() }
    }

    /// The largest residual that a run may leave.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// The square of what rounding leaves of something of this square.
    pub fn square(&self, size: f64) -> f64 {
        self.unit * self.unit * size
    }

    /// ‖rest‖ over the size of what cancels in it, of the squares of both; rounding of the actions inside counts as much as
    /// makes it the largest residual that is allowed.
    pub fn residual(&self, rest: f64, cancelling: f64, inside: f64) -> f64 {
        let size = cancelling + self.square(inside) / (self.limit * self.limit);
        if size > 0.0 { (rest / size).sqrt() } else { 0.0 }
    }
}

/// ‖x‖². Values inside a network may be so large that their squares exceed single precision.
pub(super) fn squared_norm(x: &Tensor) -> Torch<f64> {
    let norm = x.f_norm_scalaropt_dtype(2, Kind::Double)?.f_double_value(&[])?;
    Ok(norm * norm)
}
