//! Motions of the plane that have names: the affine ones, and some that are not affine.

use super::combination::Combination;
use super::generator::Generator;

/// A vector field v(u) on the plane, with u in the units of a grid.
#[derive(Clone, Debug, PartialEq)]
pub enum Motion {
    /// A combination of the affine generators.
    Affine(Combination),
    /// u_x·u: with the affine ones it spans the projective algebra, whose flows are the homographies.
    KeystoneX,
    /// u_y·u, the other one.
    KeystoneY,
    /// |u|²·u: what a lens's first radial coefficient does.
    Distort,
}

impl Motion {
    /// The six affine generators, rotate, hyperbolic and scale, then those that are not affine.
    pub fn all() -> Vec<Self> {
        let affine = Combination::all().into_iter().filter(|c| c.coefficient(Generator::Saturate) == 0.0);
        affine.map(Self::Affine).chain([Self::KeystoneX, Self::KeystoneY, Self::Distort]).collect()
    }

    /// The name in results.
    pub fn name(&self) -> &str {
        match self {
            Self::Affine(combination) => combination.name(),
            Self::KeystoneX => "keystone_x",
            Self::KeystoneY => "keystone_y",
            Self::Distort => "distort",
        }
    }

    /// v(u).
    pub fn field(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        match self {
            Self::Affine(combination) => combination.field([x, y]),
            Self::KeystoneX => [x * x, x * y],
            Self::KeystoneY => [x * y, y * y],
            Self::Distort => [x, y].map(|u| u * (x * x + y * y)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The homography (x, y)/(1 − t x) moves along u_x·u, as its first order shows.
    #[test]
    fn keystones_are_homographies_and_distortion_is_radial() {
        let (x, y, t) = (0.3, -0.7, 1e-6);
        let moved = |t: f64| [x / (1.0 - t * x), y / (1.0 - t * x)];
        let slope = [0, 1].map(|a| (moved(t)[a] - moved(-t)[a]) / (2.0 * t));
        let field = Motion::KeystoneX.field([x, y]);
        assert!((slope[0] - field[0]).abs() < 1e-9 && (slope[1] - field[1]).abs() < 1e-9);
        assert_eq!(Motion::KeystoneY.field([y, x]), [field[1], field[0]]);
        let [a, b] = Motion::Distort.field([x, y]);
        assert!((a * y - b * x).abs() < 1e-16 && (a.hypot(b) - x.hypot(y).powi(3)).abs() < 1e-15);
        assert_eq!(Motion::all().len(), 12);
    }
}
