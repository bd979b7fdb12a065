//! How far a study is, on standard error.

use std::time::Instant;

use aliascope::report::duration;

/// How far a study is.
#[derive(Debug)]
pub struct Progress {
    begun: Instant,
    total: usize,
    done: usize,
    /// Work done since the beginning, and all of it, in units that are about equal in time.
    work: [f64; 2],
}

impl Progress {
    /// Of so many networks, which take so much work.
    pub fn new(total: usize, work: f64) -> Self {
        Self { begun: Instant::now(), total, done: 0, work: [0.0, work] }
    }

    /// A network was there already.
    pub fn skip(&mut self, work: f64) {
        self.done += 1;
        self.work[1] -= work;
    }

    /// A network is finished.
    pub fn finish(&mut self, work: f64) {
        self.done += 1;
        self.work[0] += work;
    }

    /// `[ 3 of 42, 12 min left] vit-0: …`.
    pub fn say(&self, what: &str) {
        let left = (self.work[0] > 0.0).then(|| {
            let rate = self.begun.elapsed().as_secs_f64() / self.work[0];
            format!(", {} left", duration(rate * (self.work[1] - self.work[0]).max(0.0)))
        });
        eprintln!("[{:>2} of {}{}] {what}", self.done, self.total, left.unwrap_or_default());
    }
}
