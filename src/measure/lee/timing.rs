//! What a sweep takes, beside forward passes.

use std::time::Instant;

use tch::Tensor;

use crate::measure::lee_report::Timing;
use crate::statistics::median;

use super::{LeeError, LeeMeter};

impl LeeMeter<'_> {
    /// Medians of what a sweep costs, and of a forward pass of one and of eight times the same image, in turn. Without
    /// repetitions the sweeps that were measured say what one costs, and one forward pass stands beside them.
    pub fn timing(&mut self, x: &Tensor, repetitions: usize) -> Result<Timing, LeeError> {
        let x = self.network.place(x)?.f_narrow(0, 0, 1)?;
        if repetitions == 0 {
            let forward = milliseconds(|| Ok(self.network.forward(&x).map(drop)?))?;
            return Ok(Timing { forward_ms: Some(forward), forward_batch8_ms: None, sweep_ms: self.sweep_ms() });
        }
        let eight = x.f_repeat([8, 1, 1, 1, 1])?;
        let (mut one, mut batch, mut sweep) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..repetitions {
            one.push(milliseconds(|| Ok(self.network.forward(&x).map(drop)?))?);
            batch.push(milliseconds(|| Ok(self.network.forward(&eight).map(drop)?))?);
            sweep.push(milliseconds(|| self.lie_derivatives(&x).map(drop))?);
        }
        Ok(Timing { forward_ms: Some(median(one)), forward_batch8_ms: Some(median(batch)), sweep_ms: median(sweep) })
    }

    /// The median time of the measured sweeps, per image.
    pub fn sweep_ms(&self) -> f64 {
        median(self.images.iter().map(|image| image.sweep_ms).collect())
    }
}

fn milliseconds(run: impl FnOnce() -> Result<(), LeeError>) -> Result<f64, LeeError> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}
