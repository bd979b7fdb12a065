//! Logarithmic axes.

use super::number::power_of_ten;
use super::scale::compact_tick;

/// Decades that hold values, from a power of ten to another.
pub(super) struct Decades {
    /// The decimal logarithm of where the axis begins.
    pub(super) first: f64,
    /// And of where it ends.
    pub(super) last: f64,
}

impl Decades {
    pub(super) fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(0.0, f64::max);
        if !(least.is_finite() && most > 0.0) {
            return Self { first: -1.0, last: 1.0 };
        }
        // A little air on both sides, in fractions of a decade.
        let (low, high) = (least.log10(), most.log10());
        let air = (0.06 * (high - low)).max(0.12);
        Self { first: low - air, last: high + air }
    }

    /// From 0 at the beginning to 1 at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        (value.log10() - self.first) / (self.last - self.first)
    }

    /// Powers of ten; between them 2 and 5 where there are few.
    pub(super) fn ticks(&self) -> Vec<(f64, String)> {
        let span = self.last - self.first;
        let every = ((span / 7.0).ceil() as i32).max(1);
        // All of them in digits, or all as powers.
        let exponents = (self.first - 1e-9).ceil() as i32..=(self.last + 1e-9).floor() as i32;
        let in_digits = exponents.clone().all(|exponent| (-3..=4).contains(&exponent));
        let mut ticks = Vec::new();
        for exponent in self.first.floor() as i32..=self.last.ceil() as i32 {
            let factors: &[f64] = match span {
                // So that even an axis of one value has ticks.
                span if span < 0.7 => &[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0],
                span if span < 2.2 => &[1.0, 2.0, 5.0],
                _ => &[1.0],
            };
            for factor in factors {
                let value = factor * 10f64.powi(exponent);
                let place = self.place(value);
                if !(0.0..=1.0).contains(&place) || exponent.rem_euclid(every) != 0 {
                    continue;
                }
                let label = if span < 0.7 {
                    compact_tick(value)
                } else if in_digits && (-4..=4).contains(&exponent) {
                    let text = format!("{value:.*}", (-exponent).max(0) as usize);
                    text
                } else if *factor == 1.0 {
                    power_of_ten(exponent)
                } else {
                    format!("{factor:.0}·{}", power_of_ten(exponent))
                };
                ticks.push((place, label));
            }
        }
        ticks
    }
}
