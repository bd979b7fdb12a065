//! BlurPool (Zhang, ICML 2019, arXiv 1904.11486) and the fixed filter of Vasconcelos et al. (ICCV 2021, arXiv
//! 2108.03489).

use super::fir::Fir;
use super::plane::Taps;
use crate::spectrum::filter::Filter;

/// Separable binomial taps C(k − 1, t)/2^{k−1}, |G(ω)| = |cos(ω/2)|^{k−1}, padded by ⌊(k − 1)/2⌋ before and ⌈(k − 1)/2⌉
/// after, then every s-th sample.
pub fn blurpool(taps: usize, stride: usize) -> Fir {
    let about = "BlurPool: binomial taps before the stride (Zhang 2019, arXiv 1904.11486)";
    Fir::new(format!("blurpool:{taps}"), about, Taps::centred(Filter::Binomial(taps).taps(stride as f64)), stride)
}

/// A fixed 3 × 3 binomial filter, put where a network cannot learn one (before a strided 1 × 1 convolution or
/// identity). The filter is BlurPool's of 3 taps; what the paper adds is where it goes.
pub fn vasconcelos(stride: usize) -> Fir {
    let about = "a fixed 3 x 3 low-pass only where none can be learned (Vasconcelos 2021, arXiv 2108.03489); as a filter, blurpool:3";
    Fir::new("vasconcelos", about, Taps::centred(Filter::Binomial(3).taps(stride as f64)), stride)
}
