//! Element types narrower than those that are computed with: 4 bits, 8-bit floats, half precision.

/// Single precision of every 16 bits.
pub fn widen(data: &[u8], convert: impl Fn(u16) -> f32) -> Vec<u8> {
    data.chunks_exact(2).flat_map(|pair| convert(u16::from_le_bytes([pair[0], pair[1]])).to_le_bytes()).collect()
}

/// A byte for each of `entries` numbers of 4 bits, of which every byte holds two, the lower half first.
pub fn nibbles(data: &[u8], entries: usize, signed: bool) -> Vec<u8> {
    let both = data.iter().flat_map(|byte| [byte & 15, byte >> 4]);
    let extended = |four: u8| if signed && four > 7 { four | 0xf0 } else { four };
    both.take(entries).map(extended).collect()
}

/// IEEE 754 half to single precision.
pub fn half_to_single(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

/// An 8-bit float: how many of its bits are the fraction, its exponent's bias, and whether it is one of those without a
/// negative zero, whose place NaN takes.
#[derive(Clone, Copy, Debug)]
pub struct Float8 {
    /// Bits of the fraction.
    pub fraction: u32,
    /// The exponent's bias.
    pub bias: i32,
    /// NaN in the place of the negative zero, and nothing else that is not finite.
    pub unsigned_zero: bool,
}

impl Float8 {
    /// Three bits of fraction, no infinity.
    pub const E4M3FN: Self = Self { fraction: 3, bias: 7, unsigned_zero: false };
    /// As that, without a negative zero.
    pub const E4M3FNUZ: Self = Self { fraction: 3, bias: 8, unsigned_zero: true };
    /// Two bits of fraction, as half precision cut short.
    pub const E5M2: Self = Self { fraction: 2, bias: 15, unsigned_zero: false };
    /// As that, without infinities and a negative zero.
    pub const E5M2FNUZ: Self = Self { fraction: 2, bias: 16, unsigned_zero: true };

    /// The number in single precision, which holds all of them.
    pub fn to_single(self, bits: u8) -> f32 {
        let sign = if bits >> 7 == 1 { -1.0 } else { 1.0 };
        let steps = 1u8 << self.fraction;
        let (exponent, fraction) = (bits >> self.fraction & ((128 / steps) - 1), bits & (steps - 1));
        let highest = 128 / steps - 1;
        if self.unsigned_zero && bits == 0x80 {
            return f32::NAN;
        }
        if !self.unsigned_zero && exponent == highest {
            match (self.fraction, fraction) {
                // Half precision cut short: infinity, and beside it NaN.
                (2, 0) => return sign * f32::INFINITY,
                (2, _) => return f32::NAN,
                (_, fraction) if fraction == steps - 1 => return f32::NAN,
                _ => {}
            }
        }
        let share = f32::from(fraction) / f32::from(steps);
        sign * match exponent {
            0 => share * 2f32.powi(1 - self.bias),
            _ => (1.0 + share) * 2f32.powi(i32::from(exponent) - self.bias),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_widens_exactly() {
        for (bits, value) in
            [(0x3c00, 1.0), (0xc000, -2.0), (0x0001, 2f32.powi(-24)), (0x7bff, 65504.0), (0x8000, -0.0)]
        {
            assert_eq!(half_to_single(bits).to_bits(), f32::to_bits(value));
        }
        assert!(half_to_single(0x7e00).is_nan());
        assert_eq!(half_to_single(0xfc00), f32::NEG_INFINITY);
    }

    #[test]
    fn halves_of_bytes_are_numbers_of_their_own() {
        assert_eq!(nibbles(&[0x21, 0xf8], 3, false), [1, 2, 8]);
        assert_eq!(nibbles(&[0x21, 0xf8], 4, true), [1, 2, 0xf8, 0xff]);
    }
}
