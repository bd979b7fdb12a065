//! How much longer an axis becomes, as a fraction.

/// How much longer an axis becomes: the numerator over the denominator, both positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) numerator: i128,
    pub(super) denominator: i128,
}

impl Scale {
    /// Of sizes.
    pub(super) fn of(output: i64, input: i64) -> Self {
        Self { numerator: i128::from(output), denominator: i128::from(input) }
    }

    /// The fraction with the smallest denominator that is `scale` in single precision, in which files have it: two
    /// thirds, seven tenths; else the number itself. None where it is not positive or out of all proportion.
    pub(super) fn meant(scale: f32) -> Option<Self> {
        if !(2f32.powi(-20)..=2f32.powi(20)).contains(&scale) {
            return None;
        }
        let exact = f64::from(scale);
        for denominator in 1..5000 {
            let numerator = (exact * f64::from(denominator)).round();
            if numerator >= 1.0 && (numerator / f64::from(denominator)) as f32 == scale {
                return Some(Self { numerator: numerator as i128, denominator: i128::from(denominator) });
            }
        }
        // 24 bits of fraction below 2^-20 at least: whole after 44 doublings.
        Some(Self { numerator: (exact * 2f64.powi(44)) as i128, denominator: 1 << 44 })
    }

    pub(super) fn value(self) -> f64 {
        self.numerator as f64 / self.denominator as f64
    }

    /// Compares without rounding.
    pub(super) fn is_less(self, other: Self) -> bool {
        self.numerator * other.denominator < other.numerator * self.denominator
    }

    /// ⌊scale·n⌋.
    pub(super) fn floor_of(self, n: i64) -> i128 {
        self.numerator * i128::from(n) / self.denominator
    }

    /// scale·n to the nearest whole number, halves up.
    pub(super) fn round_of(self, n: i64) -> i128 {
        (2 * self.numerator * i128::from(n) + self.denominator) / (2 * self.denominator)
    }
}
