//! The field of motion of a scalar of a network: its derivative along every vector field at once.

use ndarray::{Array2, Array3, ArrayView3, Axis};

use crate::spectrum::differentiation::{Boundary, DifferentiationError, Scheme, differentiation_matrix};
use crate::spectrum::smooth::{RandomFields, Smoothness};
use crate::symmetry::{Grid, Motion};

/// A vector field on an image's pixels: what moves along the columns and along the rows, in pixels, each `[rows, columns]`.
pub type VectorField = [Array2<f64>; 2];

/// F(u) = Σ_c g_c(u) ∇x_c(u), where g is the gradient of a scalar m by the image x: moving the image along v,
/// x(u) ↦ x(u + t v(u)), changes m by t·Σ_u v(u)·F(u) to first order, whatever v is.
#[derive(Clone, Debug)]
pub struct MotionField {
    /// F, in m per pixel of displacement.
    pub field: VectorField,
    /// Σ g·x, the derivative of m along saturation, x ↦ (1 + t) x.
    pub saturate: f64,
    /// Σ_c (∂x x_c)² and Σ_c (∂y x_c)², per pixel squared.
    slopes: VectorField,
    /// ‖g‖².
    gradient_square: f64,
    /// The entries of x.
    entries: usize,
}

/// A field of the size 1, and the derivative of m along it.
#[derive(Clone, Debug)]
pub struct Steepest {
    /// v, with ‖v‖ = 1.
    pub field: VectorField,
    /// Σ v·F.
    pub gain: f64,
}

impl MotionField {
    /// Of an image and the gradient by it, both `[channels, rows, columns]`.
    ///
    /// # Errors
    /// The derivative is not defined with the boundary, or an axis is too long for its matrix.
    pub fn new(
        image: ArrayView3<'_, f64>,
        gradient: ArrayView3<'_, f64>,
        scheme: Scheme,
        boundary: Boundary,
    ) -> Result<Self, DifferentiationError> {
        let (_, rows, columns) = image.dim();
        let (along, down) = derivatives(image, scheme, boundary)?;
        let total = |a: &Array3<f64>, b: ArrayView3<'_, f64>| (a * &b).sum_axis(Axis(0));
        debug_assert_eq!(gradient.dim().1, rows);
        debug_assert_eq!(gradient.dim().2, columns);
        Ok(Self {
            field: [total(&along, gradient), total(&down, gradient)],
            saturate: (&image * &gradient).sum(),
            slopes: [total(&along, along.view()), total(&down, down.view())],
            gradient_square: gradient.iter().map(|g| g * g).sum(),
            entries: image.len(),
        })
    }

    /// Σ v·F.
    pub fn along(&self, v: &VectorField) -> f64 {
        (&v[0] * &self.field[0]).sum() + (&v[1] * &self.field[1]).sum()
    }

    /// |F|, `[rows, columns]`.
    pub fn size(&self) -> Array2<f64> {
        let [x, y] = &self.field;
        ndarray::Zip::from(x).and(y).map_collect(|x, y| x.hypot(*y))
    }

    /// The least share of pixels that have half of Σ|F|²; 0 where F is 0.
    pub fn half_area(&self) -> f64 {
        let mut squares: Vec<f64> = self.size().iter().map(|size| size * size).collect();
        squares.sort_by(|a, b| b.total_cmp(a));
        let half = squares.iter().sum::<f64>() / 2.0;
        let sums = squares.iter().scan(0.0, |sum, square| {
            *sum += square;
            Some(*sum)
        });
        if half > 0.0 { (sums.take_while(|sum| *sum < half).count() + 1) as f64 / squares.len() as f64 } else { 0.0 }
    }

    /// The field of the size 1 along which m grows fastest: v ∝ (1 − ℓ²Δ)⁻ˢF, its gain √(N·Σ F·(1 − ℓ²Δ)⁻ˢF) with N
    /// pixels. None where F is 0.
    pub fn worst(&self, smoothness: &Smoothness) -> Option<Steepest> {
        let smooth = [0, 1].map(|axis| smoothness.smoothed(&self.field[axis]));
        let pixels = self.field[0].len() as f64;
        let gain = (pixels * self.along(&smooth)).sqrt();
        (gain > 0.0).then(|| Steepest { field: smooth.map(|v| v * (pixels / gain)), gain })
    }

    /// The field of the size 1 in the span of `basis`, which is orthonormal in that norm, along which m grows fastest. None
    /// where m changes along none of them.
    pub fn best_of(&self, basis: &[VectorField]) -> Option<Steepest> {
        let gains: Vec<f64> = basis.iter().map(|v| self.along(v)).collect();
        let gain = gains.iter().map(|gain| gain * gain).sum::<f64>().sqrt();
        let zero = || Array2::zeros(self.field[0].dim());
        let sum = basis.iter().zip(&gains).fold([zero(), zero()], |[x, y], (v, part)| {
            let weight = part / gain;
            [x + &v[0] * weight, y + &v[1] * weight]
        });
        (gain > 0.0).then_some(Steepest { field: sum, gain })
    }

    /// The relative stability of m to diffeomorphisms, to first order, as its numerator E(Σ v·F)² and its denominator
    /// E(g·η)²: v is drawn from `fields`, and η is white noise that changes the image as much, E‖η‖² = E‖v·∇x‖². Below 1,
    /// m is more stable to smooth deformations than to noise. In the quotient the fields' temperature cancels.
    pub fn relative_stability(&self, fields: &RandomFields) -> [f64; 2] {
        let deformed: f64 = self.field.iter().map(|f| fields.mean_square_along(f)).sum();
        let square = fields.mean_square();
        // Both components have the same moments and are independent.
        let moved: f64 = self.slopes.iter().map(|slope| (slope * &square).sum()).sum();
        [deformed, self.gradient_square * moved / self.entries as f64]
    }
}

/// ∂x and ∂y per pixel of every channel.
fn derivatives(
    image: ArrayView3<'_, f64>,
    scheme: Scheme,
    boundary: Boundary,
) -> Result<(Array3<f64>, Array3<f64>), DifferentiationError> {
    let (channels, rows, columns) = image.dim();
    let (dx, dy) =
        (differentiation_matrix(columns, scheme, boundary)?, differentiation_matrix(rows, scheme, boundary)?);
    let zeros = || Array3::zeros((channels, rows, columns));
    let (mut along, mut down) = (zeros(), zeros());
    for (c, plane) in image.axis_iter(Axis(0)).enumerate() {
        along.index_axis_mut(Axis(0), c).assign(&plane.dot(&dx.t()));
        down.index_axis_mut(Axis(0), c).assign(&dy.dot(&plane));
    }
    Ok((along, down))
}

/// (v·∇) x of every channel.
///
/// # Errors
/// As [`MotionField::new`].
pub fn moved(
    image: ArrayView3<'_, f64>,
    v: &VectorField,
    scheme: Scheme,
    boundary: Boundary,
) -> Result<Array3<f64>, DifferentiationError> {
    let (along, down) = derivatives(image, scheme, boundary)?;
    Ok(along * &v[0] + down * &v[1])
}

/// A motion on a grid's samples in pixels, for t = 1 in the grid's unit.
pub fn on_grid(motion: &Motion, grid: &Grid) -> VectorField {
    let (rows, columns) = (&grid.rows, &grid.columns);
    let at = |axis: usize| {
        let pitch = [columns.pitch, rows.pitch][axis];
        Array2::from_shape_fn((rows.samples, columns.samples), |(i, j)| {
            motion.field([columns.position(j as f64), rows.position(i as f64)])[axis] / pitch
        })
    };
    [at(0), at(1)]
}

/// An orthonormal basis of what `fields` span, in the norm's product; fields that depend on those before them are left out.
pub fn orthonormal(fields: impl IntoIterator<Item = VectorField>, smoothness: &Smoothness) -> Vec<VectorField> {
    let mut basis: Vec<VectorField> = Vec::new();
    for [mut x, mut y] in fields {
        let before = smoothness.norm(&[x.clone(), y.clone()]);
        // Twice, as one pass leaves rounding times the angle between the fields.
        for _ in 0..2 {
            for known in &basis {
                let part = smoothness.product(&[x.clone(), y.clone()], known);
                x.scaled_add(-part, &known[0]);
                y.scaled_add(-part, &known[1]);
            }
        }
        let norm = smoothness.norm(&[x.clone(), y.clone()]);
        if norm > 1e-10 * before {
            basis.push([x / norm, y / norm]);
        }
    }
    basis
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spectrum::smooth::{Edge, Sobolev};
    use crate::symmetry::{Combination, GridKind, Units};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn array(shape: (usize, usize, usize), seed: u64) -> Array3<f64> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        Array3::from_shape_simple_fn(shape, || random.random_range(-1.0..1.0))
    }

    fn field() -> (Array3<f64>, Array3<f64>, MotionField) {
        let (x, g) = (array((2, 6, 8), 1), array((2, 6, 8), 2));
        let field = MotionField::new(x.view(), g.view(), Scheme::Spectral, Boundary::Reflect).unwrap();
        (x, g, field)
    }

    fn random_field(seed: u64) -> VectorField {
        let v = array((2, 6, 8), seed);
        [0, 1].map(|a| v.index_axis(Axis(0), a).to_owned())
    }

    /// m(x) = g·x moves by g·(v·∇x), for any v.
    #[test]
    fn the_field_is_the_gradient_along_every_motion() {
        let (x, g, field) = field();
        for seed in 3..6 {
            let v = random_field(seed);
            let wanted = (&moved(x.view(), &v, Scheme::Spectral, Boundary::Reflect).unwrap() * &g).sum();
            // Sums of a hundred products of numbers up to ten.
            assert!((field.along(&v) - wanted).abs() < 1e-12, "{} {wanted}", field.along(&v));
        }
        assert!((field.saturate - (&x * &g).sum()).abs() < 1e-12);
    }

    /// No field of the same size gains more, and the worst one gains what it says.
    #[test]
    fn the_worst_deformation_is_the_worst() {
        let (_, _, field) = field();
        for edge in Edge::ALL {
            let smoothness = Smoothness::new([6, 8], 1.5, edge, Sobolev::H1);
            let worst = field.worst(&smoothness).unwrap();
            assert!((smoothness.norm(&worst.field) - 1.0).abs() < 1e-12);
            assert!((field.along(&worst.field) - worst.gain).abs() < 1e-12 * worst.gain);
            for seed in 10..60 {
                let v = random_field(seed);
                let other = field.along(&v) / smoothness.norm(&v);
                assert!(other.abs() < worst.gain);
                // Along any field the gain is the product with the worst one: it is the gradient in this norm.
                assert!(
                    (other - worst.gain * smoothness.product(&v, &worst.field) / smoothness.norm(&v)).abs() < 1e-11
                );
            }
        }
    }

    #[test]
    fn the_best_affine_motion_is_the_best_of_its_span() {
        let (_, _, field) = field();
        let smoothness = Smoothness::new([6, 8], 1.5, Edge::Free, Sobolev::H2);
        let image = Grid::image(6, 8, GridKind::Tracked);
        let grid = image.placed(GridKind::Tracked, Units::HalfWidth, &image);
        let affine: Vec<VectorField> = Motion::all().iter().take(6).map(|motion| on_grid(motion, &grid)).collect();
        let basis = orthonormal(affine.clone().into_iter().chain(affine.clone()), &smoothness);
        assert_eq!(basis.len(), 6);
        let best = field.best_of(&basis).unwrap();
        assert!((smoothness.norm(&best.field) - 1.0).abs() < 1e-12);
        assert!((field.along(&best.field) - best.gain).abs() < 1e-12 * best.gain);
        for v in &affine {
            assert!(field.along(v).abs() / smoothness.norm(v) <= best.gain * (1.0 + 1e-12));
        }
        assert!(best.gain < field.worst(&smoothness).unwrap().gain);
        // A translation by one half-width is by half the number of pixels.
        let shift = on_grid(&Motion::Affine(Combination::single(crate::symmetry::Generator::TranslateX)), &grid);
        assert!(shift[0].iter().all(|v| (v - 4.0).abs() < 1e-12) && shift[1].iter().all(|v| *v == 0.0));
    }

    /// The closed form is the mean over fields and noise that are drawn.
    #[test]
    fn relative_stability_is_what_drawing_gives() {
        let (x, g, field) = field();
        let fields = RandomFields::new([6, 8], 3);
        let mut random = ChaCha8Rng::seed_from_u64(7);
        // Sums of twelve uniform numbers are close enough to normal: only their variance counts.
        let mut normal = || (0..12).map(|_| random.random_range(-0.5..0.5)).sum::<f64>();
        let draws = 4000;
        let (mut deformed, mut moved_by, mut noise) = (0.0, 0.0, 0.0);
        for _ in 0..draws {
            let v = [(); 2].map(|()| fields.field(&Array2::from_shape_simple_fn((3, 3), &mut normal)));
            let dx = moved(x.view(), &v, Scheme::Spectral, Boundary::Reflect).unwrap();
            deformed += (&dx * &g).sum().powi(2);
            moved_by += dx.iter().map(|d| d * d).sum::<f64>();
            noise += (&Array3::from_shape_simple_fn(x.dim(), &mut normal) * &g).sum().powi(2);
        }
        // Noise of variance 1 changes the image by its number of entries.
        let drawn = deformed / (noise * moved_by / draws as f64 / x.len() as f64);
        let [above, below] = field.relative_stability(&fields);
        let exact = above / below;
        // Three means of squares of about normal numbers: √(2/4000) = 2.2 % each.
        assert!((drawn / exact - 1.0).abs() < 0.1, "{drawn} {exact}");
    }
}
