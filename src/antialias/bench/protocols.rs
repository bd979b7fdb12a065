//! How each figure of the bench is taken, in words.

use super::Bench;
use super::timing::TIMED_CHANNELS;
use crate::antialias::Padding;
use crate::antialias::report::Protocols;
use crate::antialias::shift::{Crop, fractional_shifts, integer_shifts};

impl Bench {
    pub(super) fn protocols(&self) -> Protocols {
        let n = self.field.nrows();
        let pads = match self.padding {
            Padding::Circular => "circular padding",
            Padding::Reflect => "reflect padding",
            Padding::Zero => "zero padding",
        };
        let boundary = if self.padding == Padding::Circular { "periodic" } else { "reflect" };
        let window = Crop::of(n, self.stride).map_or("nothing: the field is too small for a window".to_owned(), |crop| {
            format!(
                "the field moves around the torus, the layer sees a window of {0} x {0} samples and pads it by reflection; \
                 the middle half of its output against that part of the torus's output, moved",
                crop.side
            )
        });
        let where_to = "the output is compared with the unshifted output moved by shift/stride, or by the whole number of \
                        samples next to that; worst relative error in the L2 norm";
        Protocols {
            predicted:
                "circular: the theorem's exact form of the filtered harmonics; nonlinear designs by oversampling"
                    .to_owned(),
            measured: format!(
                "{pads}, spectral derivative ({boundary}); measured along the velocity in lengths of the torus, \
                 generators with t in half-widths"
            ),
            integer_shift_error: format!(
                "circular shifts by {} pairs of whole samples from 0 to {n}, layer with {pads}; {where_to}",
                integer_shifts(n, self.stride).len()
            ),
            fractional_shift_error: format!(
                "circular shifts of the trigonometric interpolant by {} fractions within a stride, layer with {pads}; \
                 {where_to}",
                fractional_shifts(self.stride).len()
            ),
            cropped: window,
            energy:
                "circular: shares of the filtered field's energy; the band of the coarser grid, without its Nyquist bin"
                    .to_owned(),
            cost: "memory from each design's definition: numbers held at once beside the input".to_owned(),
            time: format!(
                "one map of {TIMED_CHANNELS} channels of {0} x {0} samples, single precision: the least time of up to 50 \
                 calls in turn with the plainest design, and the multiplications (or comparisons) of one",
                self.timed_side()
            ),
        }
    }
}
