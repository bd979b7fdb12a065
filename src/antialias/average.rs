//! Average pooling.

use super::fir::Fir;
use super::plane::Taps;

/// The mean of `window` × `window` samples; padded as networks pad it: not at all where the window is the stride, else
/// by ⌊(window − 1)/2⌋ before.
pub fn average(window: usize, stride: usize) -> Fir {
    let anchor = if window <= stride { 0 } else { (window - 1) / 2 };
    let taps = Taps { weights: vec![1.0 / window as f64; window], anchor };
    let name = if window == stride { "average".to_owned() } else { format!("average:{window}") };
    Fir::new(name, "the mean over a window", taps, stride)
}
