//! The seven generators that are measured, and the named ones that follow by linearity.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A generator that a sweep measures: six span the affine algebra, the seventh is saturation.
///
/// Position u = (u_x, u_y): x to the right, y down, origin at the image centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generator {
    /// ∂x
    TranslateX,
    /// ∂y
    TranslateY,
    /// x∂x
    StretchX,
    /// y∂y
    StretchY,
    /// y∂x
    ShearX,
    /// x∂y
    ShearY,
    /// h ↦ h: the generator of h ↦ (1 + t)h, not affine but linear in h.
    Saturate,
}

/// The measured generators, in the order of every Gram matrix and vector file.
pub const MEASURED: [Generator; 7] = [
    Generator::TranslateX,
    Generator::TranslateY,
    Generator::StretchX,
    Generator::StretchY,
    Generator::ShearX,
    Generator::ShearY,
    Generator::Saturate,
];

impl Generator {
    /// The six generators of the affine algebra: the first six of [`MEASURED`].
    pub const AFFINE: [Generator; 6] = [
        Generator::TranslateX,
        Generator::TranslateY,
        Generator::StretchX,
        Generator::StretchY,
        Generator::ShearX,
        Generator::ShearY,
    ];

    /// The name used on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TranslateX => "translate_x",
            Self::TranslateY => "translate_y",
            Self::StretchX => "stretch_x",
            Self::StretchY => "stretch_y",
            Self::ShearX => "shear_x",
            Self::ShearY => "shear_y",
            Self::Saturate => "saturate",
        }
    }

    /// The formula, for labels.
    pub const fn formula(self) -> &'static str {
        match self {
            Self::TranslateX => "∂x",
            Self::TranslateY => "∂y",
            Self::StretchX => "x∂x",
            Self::StretchY => "y∂y",
            Self::ShearX => "y∂x",
            Self::ShearY => "x∂y",
            Self::Saturate => "h",
        }
    }

    /// The vector field (v_x, v_y) at u; zero for saturation, which moves nothing.
    ///
    /// ```
    /// use aliascope_numerics::symmetry::Generator;
    /// assert_eq!(Generator::ShearX.field([0.25, -0.5]), [-0.5, 0.0]);
    /// ```
    pub const fn field(self, u: [f64; 2]) -> [f64; 2] {
        let [x, y] = u;
        match self {
            Self::TranslateX => [1.0, 0.0],
            Self::TranslateY => [0.0, 1.0],
            Self::StretchX => [x, 0.0],
            Self::StretchY => [0.0, y],
            Self::ShearX => [y, 0.0],
            Self::ShearY => [0.0, x],
            Self::Saturate => [0.0, 0.0],
        }
    }

    /// Its place in [`MEASURED`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A transform with a name that is a combination of measured generators, never a sweep of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// y∂x − x∂y
    Rotate,
    /// y∂x + x∂y
    Hyperbolic,
    /// x∂x + y∂y
    Scale,
}

impl Named {
    /// All of them, in the order of results.
    pub const ALL: [Named; 3] = [Named::Rotate, Named::Hyperbolic, Named::Scale];

    /// The name used on the command line and in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rotate => "rotate",
            Self::Hyperbolic => "hyperbolic",
            Self::Scale => "scale",
        }
    }

    /// The measured generators it is made of, with their coefficients.
    pub const fn terms(self) -> [(Generator, f64); 2] {
        match self {
            Self::Rotate => [(Generator::ShearX, 1.0), (Generator::ShearY, -1.0)],
            Self::Hyperbolic => [(Generator::ShearX, 1.0), (Generator::ShearY, 1.0)],
            Self::Scale => [(Generator::StretchX, 1.0), (Generator::StretchY, 1.0)],
        }
    }
}
