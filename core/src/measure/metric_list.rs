//! The measures of a metrics report in one list, from which table, rows and figure are made.

use super::metrics_report::{Measure, MetricsReport, Psnr};
use crate::number::compact;
use crate::statistics::{Estimate, Interval};

/// What a measure's number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricUnit {
    /// A peak signal-to-noise ratio in decibels.
    Decibels,
    /// A mean square of the output's entries.
    MeanSquare,
    /// A share of images and draws.
    Share,
    /// The squared length of the output's change.
    SquaredLength,
}

impl MetricUnit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Decibels, Self::MeanSquare, Self::Share, Self::SquaredLength];

    /// What the numbers are, and which are good.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Decibels => "Equivariance as PSNR, dB (more is better)",
            Self::MeanSquare => "Mean square change of an entry of the output (less is better)",
            Self::Share => "Share of unchanged top-1 classes (more is better)",
            Self::SquaredLength => "Mean squared length of the output's change (less is better)",
        }
    }

    /// A number of this unit: `31.20 dB`, `87.5 %`, `0.0120`.
    pub fn shown(self, value: f64) -> String {
        match self {
            Self::Decibels => self.bare(value) + " dB",
            Self::Share => self.bare(value) + " %",
            Self::MeanSquare | Self::SquaredLength => self.bare(value),
        }
    }

    /// The same without the unit.
    fn bare(self, value: f64) -> String {
        match self {
            Self::Decibels => format!("{value:.2}").replace('-', "−"),
            Self::Share => format!("{:.1}", 100.0 * value),
            Self::MeanSquare | Self::SquaredLength => compact(value),
        }
    }
}

impl Metric<'_> {
    /// The value and its interval as they are shown; an error of 0 is `exact`.
    pub fn shown(&self) -> (String, Option<String>) {
        let value = self.value.map_or("exact".to_owned(), |value| self.unit.shown(value));
        let interval = self.interval.map(|Interval { low, high, .. }| {
            let to = if low < 0.0 { " to " } else { "–" };
            format!("{}{to}{}", self.unit.bare(low), self.unit.bare(high))
        });
        (value, interval)
    }
}

/// One measure as it is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric<'a> {
    /// Its field in the JSON.
    pub field: &'static str,
    /// Its name in tables and figures.
    pub title: &'static str,
    /// What its number is.
    pub unit: MetricUnit,
    /// The mean over all draws of all images; none where the error of a PSNR is 0.
    pub value: Option<f64>,
    /// Its standard error.
    pub sem: Option<f64>,
    /// Its interval of 95 %.
    pub interval: Option<Interval>,
    /// The geometric mean over images, of squares alone.
    pub geometric_mean: Option<Estimate>,
    /// How many images were measured.
    pub images: usize,
    /// The values image by image, empty for images without one, and for a PSNR of an error of 0.
    pub by_image: &'a [Option<f64>],
    /// The shift protocol, in words.
    pub protocol: &'a str,
}

impl MetricsReport {
    /// The measures that there are.
    pub fn list(&self) -> Vec<Metric<'_>> {
        use MetricUnit::{MeanSquare, Share, SquaredLength};
        let (m, p) = (&self.metrics, &self.protocols);
        let all = [
            psnr("eq_t", "EQ-T", &m.eq_t, &p.eq_t),
            psnr("eq_t_frac", "EQ-T_frac", &m.eq_t_frac, &p.eq_t_frac),
            psnr("eq_r", "EQ-R", &m.eq_r, &p.eq_r),
            mean(("mse_eq_t", "mse_eq_t"), MeanSquare, &m.mse_eq_t, &p.mse),
            mean(("mse_eq_t_frac", "mse_eq_t_frac"), MeanSquare, &m.mse_eq_t_frac, &p.mse),
            mean(("mse_eq_r", "mse_eq_r"), MeanSquare, &m.mse_eq_r, &p.mse),
            mean(
                ("consistency_integer_circular", "consistency, whole, circular"),
                Share,
                &m.consistency_integer_circular,
                &p.consistency_circular,
            ),
            mean(
                ("consistency_half_pixel_circular", "consistency, half, circular"),
                Share,
                &m.consistency_half_pixel_circular,
                &p.consistency_circular,
            ),
            mean(
                ("consistency_integer_cropped", "consistency, whole, cropped"),
                Share,
                &m.consistency_integer_cropped,
                &p.consistency_cropped,
            ),
            mean(
                ("consistency_half_pixel_cropped", "consistency, half, cropped"),
                Share,
                &m.consistency_half_pixel_cropped,
                &p.consistency_cropped,
            ),
            mean(
                ("sample_invariance_translate_x", "sample invariance, shift"),
                SquaredLength,
                &m.sample_invariance_translate_x,
                &p.sample_invariance,
            ),
            mean(
                ("sample_invariance_rotate", "sample invariance, rotation"),
                SquaredLength,
                &m.sample_invariance_rotate,
                &p.sample_invariance,
            ),
            mean(
                ("consistency_authors_columns", "consistency, columns rolled"),
                Share,
                &m.consistency_authors_columns,
                &p.consistency_authors,
            ),
            mean(
                ("consistency_authors_rows", "consistency, rows rolled"),
                Share,
                &m.consistency_authors_rows,
                &p.consistency_authors,
            ),
            mean(
                ("sample_invariance_authors_x", "sample invariance along x"),
                MeanSquare,
                &m.sample_invariance_authors_x,
                &p.sample_invariance_authors,
            ),
            mean(
                ("sample_invariance_authors_y", "sample invariance along y"),
                MeanSquare,
                &m.sample_invariance_authors_y,
                &p.sample_invariance_authors,
            ),
        ];
        all.into_iter().flatten().collect()
    }
}

fn psnr<'a>(field: &'static str, title: &'static str, psnr: &'a Option<Psnr>, protocol: &'a str) -> Option<Metric<'a>> {
    let psnr = psnr.as_ref()?;
    let (value, sem, interval, by_image) = (psnr.value, psnr.sem, psnr.interval, &psnr.by_image[..]);
    let images = psnr.mse.by_image.iter().flatten().count();
    let (unit, geometric_mean) = (MetricUnit::Decibels, None);
    Some(Metric { field, title, unit, value, sem, interval, geometric_mean, images, by_image, protocol })
}

fn mean<'a>(
    (field, title): (&'static str, &'static str),
    unit: MetricUnit,
    measure: &'a Option<Measure>,
    protocol: &'a str,
) -> Option<Metric<'a>> {
    let measure = measure.as_ref()?;
    let (value, sem, interval, by_image) = (Some(measure.value), measure.sem, measure.interval, &measure.by_image[..]);
    let images = by_image.iter().flatten().count();
    // A share that is 1 on most images is no log-normal number.
    let geometric_mean = measure.geometric_mean.filter(|_| unit != MetricUnit::Share);
    Some(Metric { field, title, unit, value, sem, interval, geometric_mean, images, by_image, protocol })
}
