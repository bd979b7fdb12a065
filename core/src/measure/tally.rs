//! Sums of one measure image by image, and the mean that is made of them.

use serde::{Deserialize, Serialize};

use super::metrics_report::{Measure, Psnr};
use crate::statistics::{Interval, bca, geometric_mean, jackknife};

/// What was added up of one measure, and of how much, image by image.
#[derive(Clone, Debug, Default)]
pub struct Tally(Vec<Sum>);

/// What was added up of one image, and of how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    total: f64,
    count: f64,
}

impl Sum {
    fn mean(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.total / self.count)
    }
}

/// A function of the mean.
struct OverImages {
    value: Option<f64>,
    sem: Option<f64>,
    interval: Option<Interval>,
    by_image: Vec<Option<f64>>,
}

impl Tally {
    /// What follows is the next image's.
    pub fn next_image(&mut self) {
        self.0.push(Sum::default());
    }

    /// Adds to the image at hand.
    pub fn add(&mut self, total: f64, count: f64) {
        if let Some(last) = self.0.last_mut() {
            last.total += total;
            last.count += count;
        }
    }

    /// What was added to the image at hand.
    pub fn last(&self) -> Sum {
        self.0.last().copied().unwrap_or_default()
    }

    /// The next image, of which this was added up.
    pub fn take(&mut self, image: Sum) {
        self.0.push(image);
    }

    /// How many images have it.
    pub fn images(&self) -> usize {
        self.0.iter().filter(|sum| sum.count > 0.0).count()
    }

    /// All images together, without one of those that have it.
    fn pooled(&self, without: Option<usize>) -> Sum {
        let mut pooled = Sum::default();
        let having = self.0.iter().filter(|sum| sum.count > 0.0).enumerate();
        for (_, sum) in having.filter(|(at, _)| Some(*at) != without) {
            pooled.total += sum.total;
            pooled.count += sum.count;
        }
        pooled
    }

    /// A function of the pooled mean, with the jackknife's error over images; of a mean over images of equal counts that is
    /// its standard error.
    fn of(&self, value: impl Fn(f64) -> Option<f64>) -> OverImages {
        let having: Vec<Sum> = self.0.iter().copied().filter(|sum| sum.count > 0.0).collect();
        let of_sample = |sample: &[usize]| {
            let sum = |of: fn(&Sum) -> f64| sample.iter().map(|image| of(&having[*image])).sum();
            Sum { total: sum(|image| image.total), count: sum(|image| image.count) }.mean().and_then(&value)
        };
        OverImages {
            value: self.pooled(None).mean().and_then(&value),
            sem: jackknife(self.images(), |image| self.pooled(Some(image)).mean().and_then(&value)),
            interval: bca(having.len(), of_sample),
            by_image: self.0.iter().map(|sum| sum.mean().and_then(&value)).collect(),
        }
    }

    /// The mean; nothing where no image has it.
    pub fn measure(&self) -> Option<Measure> {
        let OverImages { value, sem, interval, by_image } = self.of(Some);
        let geometric = geometric_mean(&by_image.iter().copied().flatten().collect::<Vec<_>>()).ok();
        value.map(|value| Measure { value, sem, interval, geometric_mean: geometric, by_image })
    }

    /// The mean square error as a PSNR for outputs of this range.
    pub fn psnr(&self, range: f64) -> Option<Psnr> {
        let mse = self.measure()?;
        let pixels = self.pooled(None).count;
        let OverImages { value, sem, interval, by_image } = self.of(|mse| psnr(mse, range));
        Some(Psnr { value, sem, interval, by_image, mse, pixels })
    }
}

/// 20 log₁₀(range) − 10 log₁₀(mse); nothing for an error of 0, whose PSNR is infinite.
pub fn psnr(mse: f64, range: f64) -> Option<f64> {
    (mse > 0.0).then(|| 20.0 * range.log10() - 10.0 * mse.log10())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(images: &[[f64; 2]]) -> Tally {
        let mut tally = Tally::default();
        for [total, count] in images {
            tally.next_image();
            tally.add(*total, *count);
        }
        tally
    }

    #[test]
    fn means_have_the_textbook_error_where_images_count_the_same() {
        // Means 1, 3, 8: mean 4, standard deviation √13, over √3.
        let measure = tally(&[[2.0, 2.0], [6.0, 2.0], [0.0, 0.0], [16.0, 2.0]]).measure().unwrap();
        assert_eq!((measure.value, measure.by_image), (4.0, vec![Some(1.0), Some(3.0), None, Some(8.0)]));
        assert!((measure.sem.unwrap() - (13.0_f64 / 3.0).sqrt()).abs() < 1e-14);
        let interval = measure.interval.unwrap();
        assert!(1.0 <= interval.low && interval.low < 4.0 && 4.0 < interval.high && interval.high <= 8.0);
        // Each image counts the same, whatever its weight in the pooled mean.
        let geometric = tally(&[[1.0, 1.0], [200.0, 2.0], [0.0, 0.0]]).measure().unwrap().geometric_mean.unwrap();
        assert!((geometric.value - 10.0).abs() < 1e-12 && geometric.interval.is_some());
        assert_eq!(tally(&[[0.0, 1.0], [1.0, 1.0]]).measure().unwrap().geometric_mean, None);
        let alone = tally(&[[3.0, 2.0]]).measure().unwrap();
        assert_eq!((alone.sem, alone.interval), (None, None));
        assert_eq!(tally(&[[0.0, 0.0]]).measure(), None);
    }

    #[test]
    fn psnrs_are_pooled_before_the_logarithm() {
        let psnr = tally(&[[4.0, 4.0], [0.04, 4.0]]).psnr(2.0).unwrap();
        let db = |mse: f64| 20.0 * 2.0_f64.log10() - 10.0 * mse.log10();
        assert!((psnr.value.unwrap() - db(0.505)).abs() < 1e-12);
        assert_eq!(psnr.by_image, [Some(db(1.0)), Some(db(0.01))]);
        // The jackknife of two: half of the distance between the values with one left out.
        assert!((psnr.sem.unwrap() - 10.0).abs() < 1e-12);
        // An error of 0 has no PSNR.
        let exact = tally(&[[0.0, 4.0], [0.0, 4.0]]).psnr(2.0).unwrap();
        assert_eq!((exact.value, exact.sem, exact.mse.value), (None, None, 0.0));
    }
}
