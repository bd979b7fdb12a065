//! The pointwise functions that have loops of their own.

/// The functions that the loops know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FusedActivation {
    /// min(max(x, low), high).
    Clip {
        /// The lower bound; may be −∞.
        low: f64,
        /// The upper bound; may be ∞. On it the derivative is 1.
        high: f64,
        /// Whether the derivative on the lower bound is 0; else it is 1.
        open: bool,
    },
    /// x·Φ(x)
    Gelu,
    /// ½x(1 + tanh(√(2/π)(x + 0.044715x³)))
    GeluTanh,
    /// x/(1 + e^{−factor·x})
    Swish(f64),
}
