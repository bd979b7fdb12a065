//! Low-pass filters before sampling, and their frequency responses.

use std::f64::consts::{PI, TAU};
use std::fmt;
use std::str::FromStr;

use ndarray::{Array2, Array3, ArrayView3};
use num_complex::Complex64;
use thiserror::Error;

use super::alias::{GridSize, Wave};
use super::bessel::{bessel_i0, bessel_j};
use super::half_spectrum::HalfSpectrum;
use super::name::UnknownName;
use super::transform::TransformError;

/// What an ideal low-pass filter does with the coarse grid's two Nyquist harmonics ±M/2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nyquist {
    /// Both go: nothing is left that the coarse grid cannot tell apart.
    Zeroed,
    /// Both stay, and fold onto one bin.
    Kept,
    /// Half of each stays, so that the bin holds their mean.
    Split,
}

/// A low-pass filter, as it is named.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// No filter.
    None,
    /// 1 below the coarse grid's Nyquist frequency on each axis, 0 above.
    Ideal(Nyquist),
    /// 1 to 7 binomial taps per axis, C(n − 1, t)/2^{n−1}.
    Binomial(usize),
    /// Windowed sinc: cut-off at the coarse Nyquist frequency, Kaiser's window; taps per axis, or 6 per coarse sample.
    Kaiser(Option<usize>),
    /// The same with a jinc in place of the sinc, so that it passes all directions alike.
    KaiserRadial(Option<usize>),
    /// sinc(x) sinc(x/a) with a lobes, x in coarse samples.
    Lanczos(usize),
    /// These taps along each axis, as they are.
    Taps(Vec<f64>),
}

/// Why there is no such filter.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FilterError {
    /// A name that is not known.
    #[error(transparent)]
    Unknown(#[from] UnknownName),
    /// Arguments out of range.
    #[error("cannot read the filter '{given}': {reason}")]
    Arguments {
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A filter made of taps without samples for them to lie on.
    #[error("the filter '{0}' is made of taps, which need samples to lie on; say how many (or use 'ideal')")]
    NeedsSamples(Filter),
    /// The transform failed.
    #[error(transparent)]
    Transform(#[from] TransformError),
}

const NAMES: [&str; 15] = [
    "none",
    "ideal",
    "ideal-kept",
    "ideal-split",
    "binomial-1",
    "binomial-2",
    "binomial-3",
    "binomial-4",
    "binomial-5",
    "binomial-6",
    "binomial-7",
    "kaiser",
    "kaiser-radial",
    "lanczos",
    "taps",
];

/// The most taps along an axis.
pub const MAX_TAPS: usize = 512;

impl Filter {
    /// One filter of each kind, for tables and figures.
    pub fn examples() -> Vec<Self> {
        let mut filters = vec![Self::None, Self::Ideal(Nyquist::Zeroed)];
        filters.extend([2, 3, 5, 7].map(Self::Binomial));
        filters.extend([Self::Kaiser(None), Self::KaiserRadial(None), Self::Lanczos(3)]);
        filters
    }

    /// The filter for going from samples on `fine` to samples on `coarse`; `fine` may be missing for filters that act on
    /// a continuous signal.
    ///
    /// # Errors
    /// A filter made of taps without `fine`.
    pub fn design(&self, fine: Option<GridSize>, coarse: GridSize) -> Result<Response, FilterError> {
        let shape = match (self, fine) {
            (Self::None, _) => Shape::All,
            (Self::Ideal(nyquist), _) => Shape::Ideal(*nyquist),
            (_, None) => return Err(FilterError::NeedsSamples(self.clone())),
            (Self::KaiserRadial(taps), Some(fine)) => Shape::Plane(radial_taps(*taps, fine, coarse)),
            (_, Some(fine)) => Shape::Separable {
                x: self.taps(fine.x as f64 / coarse.x.max(1) as f64),
                y: self.taps(fine.y as f64 / coarse.y.max(1) as f64),
            },
        };
        Ok(Response { fine, coarse, shape })
    }

    /// The taps along one axis where one coarse sample is `ratio` fine ones; a single 1 for filters without taps.
    pub fn taps(&self, ratio: f64) -> Vec<f64> {
        match self {
            Self::None | Self::Ideal(_) => vec![1.0],
            Self::Binomial(count) => {
                let mut taps = vec![1.0];
                for _ in 1..*count {
                    let shifted = taps.iter().copied().chain([0.0]).zip([0.0].into_iter().chain(taps.iter().copied()));
                    taps = shifted.map(|(a, b)| 0.5 * (a + b)).collect();
                }
                taps
            }
            Self::Kaiser(count) | Self::KaiserRadial(count) => {
                let count = kaiser_length(*count, ratio);
                let window = kaiser_window(count, ratio);
                let centre = (count as f64 - 1.0) / 2.0;
                normalised(window.iter().enumerate().map(|(t, w)| w * sinc((t as f64 - centre) / ratio)).collect())
            }
            Self::Lanczos(lobes) => {
                let reach = (*lobes as f64 * ratio).ceil() as i64 - 1;
                let lobes = *lobes as f64;
                normalised((-reach..=reach).map(|t| sinc(t as f64 / ratio) * sinc(t as f64 / ratio / lobes)).collect())
            }
            Self::Taps(taps) => taps.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    All,
    Ideal(Nyquist),
    Separable { x: Vec<f64>, y: Vec<f64> },
    Plane(Array2<f64>),
}

/// A filter between two grids.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    fine: Option<GridSize>,
    coarse: GridSize,
    shape: Shape,
}

impl Response {
    /// Whether it passes everything.
    pub fn is_identity(&self) -> bool {
        self.shape == Shape::All
    }

    /// G_n: for taps w_t about the anchor p = ⌊(taps − 1)/2⌋, Σ_t w_t e^{2πi n·(t − p)/N} per axis, N the fine grid.
    /// With a fine grid it has that grid's period.
    pub fn gain(&self, wave: Wave) -> Complex64 {
        match (&self.shape, self.fine) {
            (Shape::All, _) => Complex64::ONE,
            (Shape::Ideal(nyquist), fine) => {
                let wave = fine.map_or(wave, |fine| fine.alias(wave));
                let pass = |n: i64, m: usize| match (2 * n.unsigned_abs()).cmp(&(m as u64)) {
                    std::cmp::Ordering::Less => 1.0,
                    std::cmp::Ordering::Greater => 0.0,
                    std::cmp::Ordering::Equal => match nyquist {
                        Nyquist::Zeroed => 0.0,
                        Nyquist::Kept => 1.0,
                        Nyquist::Split => 0.5,
                    },
                };
                Complex64::from(pass(wave.x, self.coarse.x) * pass(wave.y, self.coarse.y))
            }
            (Shape::Separable { x, y }, Some(fine)) => {
                response(x, wave.x as f64 / fine.x as f64) * response(y, wave.y as f64 / fine.y as f64)
            }
            (Shape::Plane(taps), Some(fine)) => {
                let (rows, columns) = taps.dim();
                let anchor = ((rows - 1) / 2, (columns - 1) / 2);
                taps.indexed_iter()
                    .map(|((j, i), tap)| {
                        let turns = wave.x as f64 * (i as f64 - anchor.1 as f64) / fine.x as f64
                            + wave.y as f64 * (j as f64 - anchor.0 as f64) / fine.y as f64;
                        tap * Complex64::cis(TAU * turns)
                    })
                    .sum()
            }
            (_, None) => Complex64::ONE,
        }
    }

    /// The filter applied to samples `[channels, rows, columns]` of the fine grid as a network does it, as a circular sum
    /// over taps; an ideal filter, which has no taps, by transform.
    ///
    /// # Errors
    /// Fields without samples.
    pub fn apply(&self, fields: ArrayView3<'_, f64>) -> Result<Array3<f64>, FilterError> {
        Ok(match &self.shape {
            Shape::All => fields.to_owned(),
            Shape::Ideal(_) => {
                let mut spectrum = HalfSpectrum::from_samples(fields)?;
                spectrum.multiply(|wave| self.gain(wave));
                spectrum.into_samples()?
            }
            Shape::Separable { x, y } => {
                let taps = Array2::from_shape_fn((y.len(), x.len()), |(j, i)| y[j] * x[i]);
                circular_sum(fields, &taps)
            }
            Shape::Plane(taps) => circular_sum(fields, taps),
        })
    }
}

/// Σ_t w_t e^{2πi f (t − p)}, the response of taps along one axis at f cycles per sample, p = ⌊(taps − 1)/2⌋.
pub fn response(taps: &[f64], frequency: f64) -> Complex64 {
    let anchor = (taps.len().saturating_sub(1) / 2) as f64;
    taps.iter().enumerate().map(|(t, w)| w * Complex64::cis(TAU * frequency * (t as f64 - anchor))).sum()
}

/// How well taps keep the coarse grid's band and stop the rest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// The mean of |G|² over the frequencies that fold, from the coarse Nyquist frequency to the fine one.
    pub stop_band: f64,
    /// From where |G| first falls below 0.9 to where it last exceeds 0.1, in cycles per fine sample.
    pub transition: [f64; 2],
}

/// The quality of taps along one axis where one coarse sample is `ratio` fine ones.
pub fn quality(taps: &[f64], ratio: f64) -> Quality {
    const POINTS: usize = 2048;
    let frequency = |i: usize| 0.5 * i as f64 / POINTS as f64;
    let gains: Vec<f64> = (0..=POINTS).map(|i| response(taps, frequency(i)).norm()).collect();
    let stopped: Vec<f64> =
        (0..=POINTS).filter(|i| frequency(*i) >= 0.5 / ratio).map(|i| gains[i] * gains[i]).collect();
    let start = gains.iter().position(|g| *g < 0.9).unwrap_or(POINTS);
    let end = gains.iter().rposition(|g| *g > 0.1).unwrap_or(0);
    Quality {
        stop_band: stopped.iter().sum::<f64>() / stopped.len().max(1) as f64,
        transition: [frequency(start), frequency(end)],
    }
}

fn circular_sum(fields: ArrayView3<'_, f64>, taps: &Array2<f64>) -> Array3<f64> {
    let (_, rows, columns) = fields.dim();
    let anchor = ((taps.nrows() - 1) / 2, (taps.ncols() - 1) / 2);
    let wrapped = |i: usize, t: usize, anchor: usize, n: usize| (i + t + n * anchor.div_ceil(n) - anchor) % n;
    Array3::from_shape_fn(fields.dim(), |(c, j, i)| {
        taps.indexed_iter()
            .map(|((v, u), tap)| tap * fields[[c, wrapped(j, v, anchor.0, rows), wrapped(i, u, anchor.1, columns)]])
            .sum()
    })
}

fn kaiser_length(count: Option<usize>, ratio: f64) -> usize {
    count.unwrap_or((6.0 * ratio).round() as usize).clamp(1, MAX_TAPS)
}

/// Kaiser's window for a transition as wide as the coarse band, with his formula for β (as in `scipy.signal`).
fn kaiser_window(count: usize, ratio: f64) -> Vec<f64> {
    let attenuation = 2.285 * (count as f64 - 1.0) * PI * 0.5 / ratio + 7.95;
    let beta = match attenuation {
        a if a > 50.0 => 0.1102 * (a - 8.7),
        a if a > 21.0 => 0.5842 * (a - 21.0).powf(0.4) + 0.07886 * (a - 21.0),
        _ => 0.0,
    };
    let centre = (count as f64 - 1.0) / 2.0;
    (0..count)
        .map(|t| {
            let r = if centre > 0.0 { (t as f64 - centre) / centre } else { 0.0 };
            bessel_i0(beta * (1.0 - r * r).max(0.0).sqrt()) / bessel_i0(beta)
        })
        .collect()
}

fn radial_taps(count: Option<usize>, fine: GridSize, coarse: GridSize) -> Array2<f64> {
    let (ratio_x, ratio_y) = (fine.x as f64 / coarse.x.max(1) as f64, fine.y as f64 / coarse.y.max(1) as f64);
    let axis = |ratio: f64| {
        let count = kaiser_length(count, ratio);
        (kaiser_window(count, ratio), (count as f64 - 1.0) / 2.0)
    };
    let ((window_x, centre_x), (window_y, centre_y)) = (axis(ratio_x), axis(ratio_y));
    let mut taps = Array2::from_shape_fn((window_y.len(), window_x.len()), |(j, i)| {
        let r = ((i as f64 - centre_x) / ratio_x).hypot((j as f64 - centre_y) / ratio_y);
        // J₁(πr)/(2r) tends to π/4; a disc's transform.
        let jinc = if r < 1e-9 { PI / 4.0 } else { bessel_j(1, PI * r) / (2.0 * r) };
        window_x[i] * window_y[j] * jinc
    });
    let sum = taps.sum();
    taps /= sum;
    taps
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

fn normalised(taps: Vec<f64>) -> Vec<f64> {
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| tap / sum).collect()
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("none"),
            Self::Ideal(Nyquist::Zeroed) => f.pad("ideal"),
            Self::Ideal(Nyquist::Kept) => f.pad("ideal-kept"),
            Self::Ideal(Nyquist::Split) => f.pad("ideal-split"),
            Self::Binomial(count) => f.pad(&format!("binomial-{count}")),
            Self::Kaiser(None) => f.pad("kaiser"),
            Self::Kaiser(Some(taps)) => f.pad(&format!("kaiser:{taps}")),
            Self::KaiserRadial(None) => f.pad("kaiser-radial"),
            Self::KaiserRadial(Some(taps)) => f.pad(&format!("kaiser-radial:{taps}")),
            Self::Lanczos(lobes) => f.pad(&format!("lanczos:{lobes}")),
            Self::Taps(taps) => {
                let list: Vec<String> = taps.iter().map(f64::to_string).collect();
                f.pad(&format!("taps:{}", list.join(",")))
            }
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    /// Reads `none`, `ideal`, `ideal-kept`, `ideal-split`, `binomial-1` to `binomial-7`, `kaiser`, `kaiser:TAPS`,
    /// `kaiser-radial`, `kaiser-radial:TAPS`, `lanczos`, `lanczos:LOBES` and `taps:w0,w1,…`.
    fn from_str(given: &str) -> Result<Self, FilterError> {
        let refuse = |reason: String| Err(FilterError::Arguments { given: given.chars().take(60).collect(), reason });
        let (name, arguments) = match given.split_once(':') {
            Some((name, arguments)) => (name, Some(arguments)),
            None => (given, None),
        };
        let count = |most: usize| match arguments {
            None => Ok(None),
            Some(text) => match text.trim().parse::<usize>() {
                Ok(count) if (1..=most).contains(&count) => Ok(Some(count)),
                _ => Err(FilterError::Arguments {
                    given: given.chars().take(60).collect(),
                    reason: format!("'{name}:' takes a whole number from 1 to {most}"),
                }),
            },
        };
        let filter = match name {
            "kaiser" => return Ok(Self::Kaiser(count(MAX_TAPS)?)),
            "kaiser-radial" => return Ok(Self::KaiserRadial(count(64)?)),
            "lanczos" => return Ok(Self::Lanczos(count(16)?.unwrap_or(3))),
            "taps" => {
                let taps: Option<Vec<f64>> = arguments
                    .map(|text| {
                        text.split(',').map(|w| w.trim().parse().ok().filter(|w: &f64| w.is_finite())).collect()
                    })
                    .unwrap_or_default();
                return match taps {
                    Some(taps) if taps.len() <= MAX_TAPS => Ok(Self::Taps(taps)),
                    Some(_) => refuse(format!("at most {MAX_TAPS} taps")),
                    None => refuse("taps are finite numbers, as in taps:0.25,0.5,0.25".to_owned()),
                };
            }
            "none" => Self::None,
            "ideal" => Self::Ideal(Nyquist::Zeroed),
            "ideal-kept" => Self::Ideal(Nyquist::Kept),
            "ideal-split" => Self::Ideal(Nyquist::Split),
            _ => match name.strip_prefix("binomial-").and_then(|n| n.parse().ok()) {
                Some(count @ 1..=7) => Self::Binomial(count),
                _ => return Err(UnknownName::new("filter", name, &NAMES).into()),
            },
        };
        if arguments.is_some() { refuse(format!("'{name}' takes no arguments")) } else { Ok(filter) }
    }
}
