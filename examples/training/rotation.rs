//! Images turned about their middle, exactly for what their grid can hold.

use std::cell::RefCell;
use std::collections::HashMap;

use aliascope::spectrum::differentiation::Boundary;
use aliascope::spectrum::interpolation::weights;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use tch::{Kind, Tensor};

/// Beyond each edge, in pixels of 28: no part of a turned image comes from beyond the black frame.
const FRAME: i64 = 6;

/// `[images, 1, rows, columns]`, each turned by an angle in whole degrees drawn by the seed: the trigonometric
/// interpolant of the image in a black frame, at the turned places.
pub fn randomly_turned(pixels: &Tensor, seed: u64) -> Tensor {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let angles: Vec<u32> = (0..pixels.size()[0]).map(|_| random.random_range(0..360)).collect();
    turned(pixels, &angles)
}

/// Each image turned by its angle in degrees, against the clock as it is displayed.
pub fn turned(pixels: &Tensor, degrees: &[u32]) -> Tensor {
    let [_, _, rows, columns] = pixels.size()[..] else { unreachable!("images have four axes") };
    let framed = pixels.pad([FRAME; 4], "constant", 0.0).squeeze_dim(1);
    let mut result = pixels.zeros_like();
    // Images of one angle share their weights.
    for angle in 0..360 {
        let places: Vec<i64> =
            (0..degrees.len()).filter(|&at| degrees[at] % 360 == angle).map(|at| at as i64).collect();
        if places.is_empty() {
            continue;
        }
        let at = Tensor::from_slice(&places);
        let [along, down] = weights_at([rows, columns], angle, pixels.kind());
        // y_p = Σ_r down_pr Σ_c x_rc along_pc.
        let between = framed.index_select(0, &at).matmul(&along.transpose(0, 1));
        let moved = (between * down.transpose(0, 1)).sum_dim_intlist([1].as_slice(), false, None::<Kind>);
        let _ = result.index_copy_(0, &at, &moved.view([-1, 1, rows, columns]));
    }
    result
}

/// Rows, columns, degrees and kind.
type Turn = (i64, i64, u32, i32);

thread_local! {
    /// The same images are turned again and again.
    static WEIGHTS: RefCell<HashMap<Turn, [Tensor; 2]>> = RefCell::default();
}

/// What the columns and the rows of a framed image count at each pixel of the turned one: `[pixels, columns]` and
/// `[pixels, rows]`.
fn weights_at([rows, columns]: [i64; 2], degrees: u32, kind: Kind) -> [Tensor; 2] {
    WEIGHTS.with_borrow_mut(|known| {
        let made = known.entry((rows, columns, degrees, kind as i32)).or_insert_with(|| {
            let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
            let middle = [columns, rows].map(|n| (n as f64 - 1.0) / 2.0);
            let of = |axis: usize, samples: i64| {
                // With y down, a turn against the clock takes what lies at (cos x − sin y, sin x + cos y) to (x, y).
                let place = |at: i64| {
                    let (x, y) = ((at % columns) as f64 - middle[0], (at / columns) as f64 - middle[1]);
                    let from = if axis == 0 { cos * x - sin * y } else { sin * x + cos * y };
                    from + middle[axis] + FRAME as f64
                };
                let places: Vec<f64> = (0..rows * columns).map(place).collect();
                let weights = weights(&places, (samples + 2 * FRAME) as usize, Boundary::Reflect);
                let flat: Vec<f64> = weights.iter().copied().collect();
                Tensor::from_slice(&flat).view([rows * columns, -1]).to_kind(kind)
            };
            [of(0, columns), of(1, rows)]
        });
        made.each_ref().map(Tensor::shallow_clone)
    })
}
