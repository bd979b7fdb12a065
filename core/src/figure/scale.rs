//! The axis of bars: linear from zero, or logarithmic where values span decades.

use super::number::{compact, power_of_ten};

/// From values ≥ 0 to places in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    /// Zero to this end.
    Linear { end: f64 },
    /// Between two powers of ten; zero has no place.
    Log { first: i32, last: i32 },
}

/// Where one bar would hide the others.
const LOG_FROM_RATIO: f64 = 50.0;

impl Scale {
    /// The scale that shows `values`, with `reach` their largest with error bars.
    pub(super) fn of(values: impl Iterator<Item = f64> + Clone, reach: f64) -> Self {
        let positive = values.filter(|value| *value > 0.0);
        let least = positive.clone().fold(f64::INFINITY, f64::min);
        let most = positive.fold(0.0, f64::max);
        if most == 0.0 {
            return Self::Linear { end: 1.0 };
        }
        // Beyond these, steps and decades would themselves leave the range of f64.
        let [least, most, reach] = [least, most, reach.max(most)].map(|value| value.clamp(1e-300, 1e300));
        if most / least <= LOG_FROM_RATIO {
            let step = step(reach);
            return Self::Linear { end: (reach / step).ceil() * step };
        }
        // Room below the least value, so that its bar has a length.
        let first = (least * 0.7).log10().floor() as i32;
        Self::Log { first, last: (reach.log10().ceil() as i32).max(first + 1) }
    }

    /// The place of `value`, clamped to the axis.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = match *self {
            Self::Linear { end } => value / end,
            Self::Log { .. } if value <= 0.0 => 0.0,
            Self::Log { first, last } => (value.log10() - f64::from(first)) / f64::from(last - first),
        };
        place.clamp(0.0, 1.0)
    }

    /// Places and labels of the ticks.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        match *self {
            Self::Linear { end } => {
                let step = step(end);
                let count = (end / step).round() as usize;
                (0..=count).map(|i| (i as f64 * step / end, compact_tick(i as f64 * step))).collect()
            }
            Self::Log { first, last } => {
                let stride = ((last - first + 5) / 6).max(1);
                (first..=last)
                    .step_by(stride as usize)
                    .map(|exponent| (f64::from(exponent - first) / f64::from(last - first), power_of_ten(exponent)))
                    .collect()
            }
        }
    }

    pub(super) fn is_log(&self) -> bool {
        matches!(self, Self::Log { .. })
    }
}

/// 1, 2 or 5 times a power of ten, so that three to six steps reach `end`.
fn step(end: f64) -> f64 {
    let decade = 10f64.powf(end.log10().floor());
    [0.2, 0.5, 1.0, 2.0].into_iter().map(|factor| factor * decade).find(|step| end / step <= 5.0).unwrap_or(decade)
}

/// A tick is a round number: no zeros after its digits.
pub(super) fn compact_tick(value: f64) -> String {
    let text = compact(value);
    match text.split_once('·') {
        Some((mantissa, power)) => format!("{}·{power}", trimmed(mantissa)),
        None => trimmed(&text).to_owned(),
    }
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decades_need_a_log_axis() {
        let scale = |values: &[f64]| Scale::of(values.iter().copied(), 0.0);
        assert_eq!(scale(&[1e-4, 3e-2]), Scale::Log { first: -5, last: -1 });
        assert_eq!(scale(&[0.011, 0.03]), Scale::Linear { end: 0.03 });
        assert_eq!(scale(&[0.0, 0.0]), Scale::Linear { end: 1.0 });
        assert_eq!(scale(&[]), Scale::Linear { end: 1.0 });
        assert_eq!(scale(&[0.0, 2.0]), Scale::Linear { end: 2.0 });
        for extreme in [f64::MAX, 5e-324] {
            let ticks = scale(&[extreme]).ticks();
            assert!(ticks.len() > 2 && ticks.iter().all(|(place, _)| (0.0..=1.0).contains(place)), "{ticks:?}");
        }
    }

    #[test]
    fn ticks_are_round_numbers() {
        let labels = |scale: Scale| scale.ticks().into_iter().map(|(_, label)| label).collect::<Vec<_>>();
        assert_eq!(labels(Scale::Linear { end: 0.03 }), ["0", "0.01", "0.02", "0.03"]);
        assert_eq!(labels(Scale::Linear { end: 3e-5 }), ["0", "1·10⁻⁵", "2·10⁻⁵", "3·10⁻⁵"]);
        assert_eq!(labels(Scale::Log { first: -3, last: -1 }), ["10⁻³", "10⁻²", "10⁻¹"]);
    }
}
