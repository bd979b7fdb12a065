//! How long a design takes, beside the plainest of its kind.

use std::time::Instant;

use tch::Tensor;

use super::{Bench, BenchError, reference};
use crate::antialias::design::Design;
use crate::graph::operator::Torch;

/// Channels of the map that designs are timed on.
pub(super) const TIMED_CHANNELS: usize = 64;
/// Its least side.
const TIMED_SIDE: usize = 56;

impl Bench {
    /// The side of the map that designs are timed on: 56 samples as in the middle of a network, more where the stride
    /// does not divide them twice.
    pub(super) fn timed_side(&self) -> usize {
        let whole = if self.stride <= 8 { self.stride * self.stride } else { self.stride };
        TIMED_SIDE.div_ceil(whole) * whole
    }

    /// The least time of a call in milliseconds on a map of [`TIMED_CHANNELS`] channels, and its ratio to the
    /// reference's, in single precision.
    pub(super) fn time(&self, design: &dyn Design) -> Result<[f64; 2], BenchError> {
        /// Rounds at the most, the least of them, and the seconds that they may take.
        const ROUNDS: usize = 50;
        const LEAST: usize = 5;
        const SECONDS: f64 = 0.25;
        let side = self.timed_side();
        design.check([TIMED_CHANNELS, side, side], self.padding)?;
        // Values as a network has them, the same in every run; their kind changes no time.
        let values: Vec<f32> = (0..TIMED_CHANNELS * side * side)
            .map(|i| (i as u32).wrapping_mul(2_654_435_761) as f32 / 2e9 - 1.0)
            .collect();
        let x = Tensor::f_from_slice(&values)?.f_view([1, TIMED_CHANNELS as i64, side as i64, side as i64])?;
        let plain = reference(design.kind(), self.stride)?;
        let run = |design: &dyn Design| -> Torch<f64> {
            let start = Instant::now();
            let _ = design.forward(&x, self.padding)?;
            Ok(start.elapsed().as_secs_f64() * 1e3)
        };
        // The first runs touch memory and make plans.
        let _ = run(&*plain)? + run(design)?;
        let begin = Instant::now();
        let (mut least, mut least_plain) = (f64::INFINITY, f64::INFINITY);
        for round in 0..ROUNDS {
            if round >= LEAST && begin.elapsed().as_secs_f64() > SECONDS {
                break;
            }
            least_plain = least_plain.min(run(&*plain)?);
            least = least.min(run(design)?);
        }
        // What else the machine does only adds to a time.
        Ok([least, least / least_plain.max(1e-6)])
    }
}
