//! The direction and speed of a translation.

use std::f64::consts::TAU;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::alias::Wave;

/// The velocity v of a translation, in lengths of the torus \[0, 1)² per unit of t; x to the right, y down.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f64; 2]", into = "[f64; 2]")]
pub struct Velocity {
    /// To the right.
    pub x: f64,
    /// Down.
    pub y: f64,
}

impl Velocity {
    /// The velocity with these components.
    pub const fn new(x: f64, y: f64) -> Self {
        Self { x, y }
    }

    /// v·n.
    pub fn dot(self, wave: Wave) -> f64 {
        self.x * wave.x as f64 + self.y * wave.y as f64
    }

    /// 2π v·n: the rate, in radians per unit of t, at which the phase of `wave` turns.
    pub fn rate(self, wave: Wave) -> f64 {
        TAU * self.dot(wave)
    }

    /// Whether v lies along an axis, so that v_x v_y = 0.
    pub fn is_axis_aligned(self) -> bool {
        self.x == 0.0 || self.y == 0.0
    }

    /// Whether both components are finite and one of them is not 0.
    pub fn moves(self) -> bool {
        self.x.is_finite() && self.y.is_finite() && (self.x != 0.0 || self.y != 0.0)
    }
}

impl From<[f64; 2]> for Velocity {
    fn from([x, y]: [f64; 2]) -> Self {
        Self { x, y }
    }
}

impl From<Velocity> for [f64; 2] {
    fn from(velocity: Velocity) -> Self {
        [velocity.x, velocity.y]
    }
}

impl fmt::Display for Velocity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", self.x, self.y)
    }
}
