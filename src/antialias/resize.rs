//! Antialiased resizing by a whole factor, as image libraries do it: a triangle or Keys's cubic, stretched by the
//! stride.

use super::fir::Fir;
use super::plane::Taps;

/// A kernel for resizing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    /// 1 − |x| for |x| < 1.
    Bilinear,
    /// Keys's cubic with a = −½ (Catmull and Rom's), as Pillow's and PyTorch's antialiased resizing have it.
    Bicubic,
}

impl Kernel {
    fn reach(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::Bicubic => 2.0,
        }
    }

    fn value(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Self::Bilinear => (1.0 - x).max(0.0),
            Self::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Self::Bicubic if x < 2.0 => ((x - 5.0) * x + 8.0) * x * A - 4.0 * A,
            Self::Bicubic => 0.0,
        }
    }
}

/// Output j is centred on s·j + (s − 1)/2, the middle of s input pixels; taps k((t − centre)/s), scaled to the sum 1.
pub fn resize(kernel: Kernel, stride: usize) -> Fir {
    let s = stride as f64;
    let centre = (s - 1.0) / 2.0;
    let first = (centre - kernel.reach() * s).floor() as i64 + 1;
    let last = (centre + kernel.reach() * s).ceil() as i64 - 1;
    let weights: Vec<f64> = (first..=last).map(|t| kernel.value((t as f64 - centre) / s)).collect();
    let sum: f64 = weights.iter().sum();
    let taps =
        Taps { weights: weights.into_iter().map(|w| w / sum).collect(), anchor: usize::try_from(-first).unwrap_or(0) };
    let name = match kernel {
        Kernel::Bilinear => "bilinear",
        Kernel::Bicubic => "bicubic",
    };
    Fir::new(name, "antialiased resizing with a kernel stretched by the stride", taps, stride)
}
