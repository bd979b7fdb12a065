//! Up to what shift the linear answer holds.
//!
//! L is the derivative at t = 0 of g₋ₜ f(g_t x), so ‖g₋ₜ f(g_t x) − f(x)‖/(t‖L‖) goes to 1 as t goes to 0. Here g_t shifts the
//! image by its trigonometric interpolant, over the mirror image beyond the edge or around the torus, as the derivative has
//! it.

use tch::{Kind, Tensor};

use crate::graph::operator::Torch;
use crate::measure::lee_report::Horizon;
use crate::measure::output_action::OutputAction;
use crate::measure::torus::translate;
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::statistics::median;
use crate::symmetry::{Combination, Generator, Grid, MEASURED};

use super::{LeeError, LeeMeter, Output, quadratic};

/// The shifts, in pixels.
pub const SHIFTS: [f64; 6] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0];
/// On no more images than this.
pub const MOST_IMAGES: usize = 4;

/// The ratios between which the linear answer is said to hold.
const HOLDS: [f64; 2] = [0.5, 2.0];

impl LeeMeter<'_> {
    /// Measures the horizon on the first images, `x` of each `[1, input shape…]`, which were measured first and in this order:
    /// actual over linear change of the output under the first translation that is reported.
    ///
    /// Where it cannot be measured the report says why.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub fn measure_horizon(&mut self, first: &[Tensor]) -> Result<(), LeeError> {
        self.horizon = Some(match self.translation() {
            Ok((along, velocity)) => Ok(self.horizon_along(&along, velocity, first)?),
            Err(reason) => Err(reason.to_owned()),
        });
        Ok(())
    }

    /// The translation, and its velocity [right, down] in units of t; or why there is none to measure along.
    fn translation(&self) -> Result<(Combination, [f64; 2]), &'static str> {
        if self.options.scheme != Scheme::Spectral {
            return Err("shifts are those of the spectral derivative");
        }
        if !matches!(self.output_action, OutputAction::None | OutputAction::Image(_)) {
            return Err("it is measured of outputs that do not move or move as images");
        }
        let translations = [Generator::TranslateX, Generator::TranslateY];
        let is_one = |c: &&Combination| MEASURED.iter().all(|g| translations.contains(g) || c.coefficient(*g) == 0.0);
        let found = self.generators.iter().find(is_one).ok_or("no translation is among the generators")?;
        Ok((found.clone(), translations.map(|generator| found.coefficient(generator))))
    }

    fn horizon_along(&self, along: &Combination, v: [f64; 2], first: &[Tensor]) -> Result<Horizon, LeeError> {
        let placed = self.placed(&self.input_grid);
        let speed = v[0].hypot(v[1]);
        let mut by_image = Vec::new();
        for (x, found) in first.iter().zip(&self.images).take(MOST_IMAGES) {
            let x = self.network.place(x)?;
            // As many pixels to the left and up as t moves the picture by, since (g_t x)(u) = x(u + t v).
            let pixels = |t: f64| v.map(|v| -t * v / speed);
            let value = self.function(&x)?;
            let linear = quadratic(along, &found.gram).sqrt();
            let mut ratios = Vec::new();
            for t in SHIFTS {
                // One image at a time, which takes less memory than a sweep.
                let seen = self.function(&shifted(&x, pixels(t), self.options.boundary)?)?;
                let back = match &self.output_action {
                    OutputAction::Image(grid) => shifted(&seen, self.samples(grid, pixels(-t)), self.options.boundary)?,
                    _ => seen,
                };
                let change = back.f_sub(&value)?.f_square()?.f_mean(Kind::Double)?.f_double_value(&[])?.sqrt();
                // A pixel along v in units of t.
                let t = t * placed.columns.pitch / speed;
                ratios.push((linear > 0.0).then(|| change / (t * linear)).filter(|ratio| ratio.is_finite()));
            }
            by_image.push(ratios);
        }
        let ratios: Vec<Option<f64>> = (0..SHIFTS.len())
            .map(|at| {
                let known: Vec<f64> = by_image.iter().filter_map(|ratios| ratios[at]).collect();
                (!known.is_empty()).then(|| median(known))
            })
            .collect();
        let holds = |ratio: &Option<f64>| ratio.is_some_and(|ratio| (HOLDS[0]..=HOLDS[1]).contains(&ratio));
        let reached = ratios.iter().take_while(|ratio| holds(ratio)).count();
        Ok(Horizon {
            generator: along.name().to_owned(),
            images: by_image.len(),
            forward_passes: by_image.len() * (1 + SHIFTS.len()),
            shifts: SHIFTS.to_vec(),
            ratios,
            by_image,
            pixels: reached.checked_sub(1).map(|last| SHIFTS[last]),
        })
    }

    /// What is measured of `[images, input shape…]`.
    fn function(&self, x: &Tensor) -> Result<Tensor, LeeError> {
        let y = self.network.forward(x)?;
        Ok(if self.output == Output::Softmax { y.f_softmax(-1, None::<Kind>)? } else { y })
    }

    /// A shift in pixels of the input in samples of an output.
    fn samples(&self, grid: &Grid, pixels: [f64; 2]) -> [f64; 2] {
        let input = &self.input_grid;
        [pixels[0] * input.columns.pitch / grid.columns.pitch, pixels[1] * input.rows.pitch / grid.rows.pitch]
    }
}

/// `x`, `[…, rows, columns]`, moved by \[right, down\] samples: its even extension around the torus of twice its sides, cut
/// back; or itself around its own torus.
fn shifted(x: &Tensor, shift: [f64; 2], boundary: Boundary) -> Torch<Tensor> {
    let mut moved = x.shallow_clone();
    for (axis, by) in [(-1, [shift[0], 0.0]), (-2, [0.0, shift[1]])] {
        if by == [0.0; 2] {
            continue;
        }
        moved = match boundary {
            Boundary::Periodic => translate(&moved, by)?,
            Boundary::Reflect => {
                let samples = moved.size()[(moved.dim() as i64 + axis) as usize];
                let extended = Tensor::f_cat(&[&moved, &moved.f_flip([axis])?], axis)?;
                translate(&extended, by)?.f_narrow(axis, 0, samples)?
            }
        };
    }
    Ok(moved)
}
