//! Convolutions over the plane and its turns by 360°/G about a point: what a filter answers to a turned image at one
//! orientation is what it answers to the image at another.

use std::f64::consts::TAU;

use aliascope::antialias::onnx_form::{Chain, int};
use tch::{Device, Kind, Tensor, nn};

use super::{Layer, reshape};

/// Functions on a square of taps, of which filters are sums, at each orientation of the group.
#[derive(Clone, Debug)]
pub struct Bases {
    /// `[orientations, functions, taps, taps]`.
    functions: std::rc::Rc<Tensor>,
}

impl Bases {
    /// Every tap by itself, turned by quarters: p4, exact on the grid.
    pub fn quarters(taps: i64) -> Self {
        let each = Tensor::eye(taps * taps, (Kind::Float, Device::Cpu)).view([taps * taps, taps, taps]);
        let turned: Vec<Tensor> = (0..4).map(|g| each.rot90(g, [1, 2])).collect();
        Self { functions: Tensor::stack(&turned, 0).into() }
    }

    /// Waves cos mφ and sin mφ on rings, turned by eighths as functions of the plane and then sampled: C8, exact on the
    /// grid for quarters alone. `rings` has each ring's radius in taps and its largest m; the middle is one function
    /// more.
    pub fn eighths(taps: i64, rings: &[(f64, u32)]) -> Self {
        /// A ring's width: its Gaussian's standard deviation.
        const WIDTH: f64 = 0.6;
        let middle = (taps - 1) as f64 / 2.0;
        let sampled = |radius: f64, mean: f64, wave: &dyn Fn(f64) -> f64| -> Vec<f64> {
            let tap = |at: i64| {
                let (x, y) = ((at % taps) as f64 - middle, middle - (at / taps) as f64);
                let far = (x.hypot(y) - radius) / WIDTH;
                // The middle has no direction: only the wave that is the same in all has a value there.
                let wave = if (x, y) == (0.0, 0.0) { mean } else { wave(y.atan2(x)) };
                (-0.5 * far * far).exp() * wave
            };
            (0..taps * taps).map(tap).collect()
        };
        let mut all = Vec::new();
        for g in 0..8 {
            let turn = TAU * f64::from(g) / 8.0;
            let mut functions = vec![sampled(0.0, 1.0, &|_| 1.0)];
            for &(radius, most) in rings {
                functions.push(sampled(radius, 1.0, &|_| 1.0));
                for m in (1..=most).map(f64::from) {
                    functions.push(sampled(radius, 0.0, &|angle| (m * (angle - turn)).cos()));
                    functions.push(sampled(radius, 0.0, &|angle| (m * (angle - turn)).sin()));
                }
            }
            all.extend(functions);
        }
        let count = all.len() as i64 / 8;
        let flat: Vec<f64> = all.concat();
        let functions = Tensor::from_slice(&flat).view([8, count, taps, taps]);
        // As large as a tap by itself, at the orientation that turns nothing.
        let norm = functions.get(0).square().sum_dim_intlist([1, 2].as_slice(), true, None::<Kind>).sqrt();
        Self { functions: (functions / norm).to_kind(Kind::Float).into() }
    }

    /// How many orientations there are.
    pub fn orientations(&self) -> i64 {
        self.functions.size()[0]
    }
}

/// Maps of `[images, channels · orientations, rows, columns]`, the orientations of a channel in a row; an image, which has
/// one orientation, is lifted.
#[derive(Debug)]
pub struct GroupConvolution {
    bases: Bases,
    /// `[outputs, inputs, orientations of the input, functions]`.
    weight: Tensor,
}

impl GroupConvolution {
    /// From an image.
    pub fn lifting(path: &nn::Path<'_>, bases: &Bases, [inputs, outputs]: [i64; 2]) -> Self {
        Self::new(path, bases, [inputs, outputs, 1])
    }

    /// Between maps of all orientations.
    pub fn between(path: &nn::Path<'_>, bases: &Bases, [inputs, outputs]: [i64; 2]) -> Self {
        Self::new(path, bases, [inputs, outputs, bases.orientations()])
    }

    fn new(path: &nn::Path<'_>, bases: &Bases, [inputs, outputs, orientations]: [i64; 3]) -> Self {
        let functions = bases.functions.size()[1];
        let deviation = (2.0 / (inputs * orientations * functions) as f64).sqrt();
        let shape = [outputs, inputs, orientations, functions];
        let weight = path.var("weight", &shape, nn::Init::Randn { mean: 0.0, stdev: deviation });
        Self { bases: bases.clone(), weight }
    }

    /// The kernel of an ordinary convolution, K\[o, g, i, h\] = Σ_b w\[o, i, h − g, b\] B\[g, b\].
    pub fn kernel(&self) -> Tensor {
        let functions = self.bases.functions.to_kind(self.weight.kind());
        let each: Vec<Tensor> = (0..self.bases.orientations())
            .map(|g| self.weight.roll([g], [2]).tensordot(&functions.get(g), [3], [0]))
            .collect();
        let [outputs, inputs, orientations, _] = self.weight.size()[..] else { unreachable!("weights have four axes") };
        let taps = functions.size()[2];
        Tensor::stack(&each, 1).reshape([outputs * self.bases.orientations(), inputs * orientations, taps, taps])
    }
}

impl Layer for GroupConvolution {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let kernel = self.kernel();
        x.conv2d(&kernel, None::<&Tensor>, 1, kernel.size()[2] / 2, 1, 1)
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        let kernel = self.kernel();
        super::convolution::write(chain, shape, &kernel, None, [1, kernel.size()[2] / 2]);
    }
}

/// One map of the orientations of each channel, which no turn by the group changes but by turning it.
#[derive(Debug)]
pub struct GroupPool {
    /// How many there are.
    pub orientations: i64,
}

impl Layer for GroupPool {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        let size = x.size();
        let split = [size[0], size[1] / self.orientations, self.orientations, size[2], size[3]];
        x.reshape(split).amax([2].as_slice(), false)
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        shape[1] /= self.orientations;
        reshape(chain, &[1, shape[1], self.orientations, shape[2], shape[3]]);
        let axes = chain.integers("axes", &[2]);
        chain.then("ReduceMax", &[&axes], vec![int("keepdims", 0)]);
    }
}
