//! Windows over rows and columns: the geometry of convolutions and pooling, on the image and on the torus.

use tch::Tensor;

use super::layout::{Flow, Step};
use super::operator::Torch;

/// A window's geometry along each spatial axis, as ONNX's attributes give it.
#[derive(Clone, Debug)]
pub struct Window {
    /// Taps.
    pub kernel: Vec<i64>,
    /// Strides.
    pub strides: Vec<i64>,
    /// Dilations.
    pub dilations: Vec<i64>,
    /// Padding before each axis.
    pub begin: Vec<i64>,
    /// Padding after each axis.
    pub end: Vec<i64>,
}

impl Window {
    /// The input samples that one window spans along an axis.
    pub fn reach(&self, axis: usize) -> i64 {
        self.dilations[axis] * (self.kernel[axis] - 1) + 1
    }

    /// Whether padding is the same on both sides of every axis.
    pub fn is_symmetric(&self) -> bool {
        self.begin == self.end
    }

    /// Where output samples lie on the input, where there are rows and columns.
    pub fn flow(&self) -> Flow {
        match self.kernel.len() {
            2 => {
                let step = |a: usize| Step::window(self.kernel[a], self.strides[a], self.dilations[a], self.begin[a]);
                Flow::Resampled { rows: step(0), columns: step(1) }
            }
            // The output has as many samples where reach and padding fit each other.
            n if (0..n).all(|a| {
                let step = Step::window(self.kernel[a], self.strides[a], self.dilations[a], self.begin[a]);
                step == Step { first: 0.0, step: 1.0 }
            }) =>
            {
                Flow::InPlace { kernel: self.kernel.clone() }
            }
            _ => Flow::Unknown,
        }
    }
}

/// A convolution over rows and columns: its weight, window and groups.
#[derive(Clone, Copy, Debug)]
pub struct Taps<'a> {
    /// `[outputs, inputs per group, rows, columns]`.
    pub weight: &'a Tensor,
    /// Strides, dilations and padding.
    pub window: &'a Window,
    /// Groups of channels.
    pub groups: i64,
}

impl Taps<'_> {
    /// The convolution on the torus, without bias: `x` of shape `[stack, batch, channels, rows, columns]` wraps around,
    /// and output j along an axis has its window at s·j − p, for j < N/s.
    ///
    /// # Errors
    /// When libtorch refuses; when a stride does not divide its axis the last windows overlap the first.
    pub fn circular(&self, x: &Tensor) -> Torch<Tensor> {
        let (x, lead) = fold_stack(&self.window.wrapped(x)?)?;
        let w = self.window;
        let y = x.f_conv2d(self.weight, None::<&Tensor>, &w.strides, [0, 0], &w.dilations, self.groups)?;
        unfold_stack(y, lead)
    }
}

impl Window {
    /// `x`, ending in rows and columns, extended periodically so that the window without padding has N/s places.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn wrapped(&self, x: &Tensor) -> Torch<Tensor> {
        let size = x.size();
        let mut y = x.shallow_clone();
        for axis in 0..2 {
            let n = size[size.len() - 2 + axis];
            let places = n / self.strides[axis];
            let length = (places - 1) * self.strides[axis] + self.reach(axis);
            let index: Vec<i64> = (0..length).map(|i| (i - self.begin[axis]).rem_euclid(n)).collect();
            y = y.f_index_select(axis as i64 - 2, &Tensor::f_from_slice(&index)?.f_to_device(x.device())?)?;
        }
        Ok(y)
    }

    /// The same window with its padding left out.
    pub fn unpadded(&self) -> Self {
        let none = vec![0; self.kernel.len()];
        Self { begin: none.clone(), end: none, ..self.clone() }
    }
}

/// [stack, batch, channels, …] as [stack·batch, channels, …], and the two leading sizes.
pub fn fold_stack(x: &Tensor) -> Torch<(Tensor, [i64; 2])> {
    let size = x.size();
    Ok((x.f_flatten(0, 1)?, [size[0], size[1]]))
}

/// The inverse of [`fold_stack`].
pub fn unfold_stack(y: Tensor, lead: [i64; 2]) -> Torch<Tensor> {
    let mut size = lead.to_vec();
    size.extend(&y.size()[1..]);
    y.f_view(size.as_slice())
}
