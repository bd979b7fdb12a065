//! Maps continued beyond their edges, and the derivative on what they are continued to.

use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use crate::graph::operator::Torch;
use crate::measure::action::ActionError;
use crate::spectrum::differentiation::{Boundary, Scheme, differentiation_matrix};

/// One axis of N samples, continued: by its mirror image to a period of 2N (h, reversed h), or by itself to one of N.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extended {
    pub samples: i64,
    pub mirrors: bool,
}

impl Extended {
    pub fn period(self) -> i64 {
        if self.mirrors { 2 * self.samples } else { self.samples }
    }

    /// The sample that stands at place i, anywhere, and whether it is a mirror image.
    fn sample(self, i: i64) -> (i64, bool) {
        let i = i.rem_euclid(self.period());
        if i < self.samples { (i, false) } else { (2 * self.samples - 1 - i, true) }
    }

    /// Whether all of these places are the axis's own.
    pub fn owns(self, span: Span) -> bool {
        span.from >= 0 && span.from + span.count <= self.samples
    }

    /// `x` at these places of an axis.
    pub fn take(self, x: &Tensor, axis: i64, span: Span) -> Torch<Tensor> {
        if self.owns(span) {
            return x.f_narrow(axis, span.from, span.count);
        }
        let index: Vec<i64> = span.places().map(|i| self.sample(i).0).collect();
        x.f_index_select(axis, &Tensor::f_from_slice(&index)?.f_to_device(x.device())?)
    }

    /// The sign that the derivative along this axis has at these places, against that of the sample that stands there.
    pub fn signs(self, span: Span, like: &Tensor) -> Torch<Tensor> {
        vector(span.places().map(|i| if self.sample(i).1 { -1.0 } else { 1.0 }), like)
    }

    /// Which of these places are not the axis's own.
    pub fn beyond(self, span: Span, device: Device) -> Torch<Tensor> {
        let beyond: Vec<bool> = span.places().map(|i| !(0..self.samples).contains(&i)).collect();
        Tensor::f_from_slice(&beyond)?.f_to_device(device)
    }
}

/// Places `from`, and `count` of them in all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub from: i64,
    pub count: i64,
}

impl Span {
    pub fn places(self) -> impl Iterator<Item = i64> {
        self.from..self.from + self.count
    }
}

/// A vector of the kind and on the device of `like`.
pub(super) fn vector(values: impl Iterator<Item = f64>, like: &Tensor) -> Torch<Tensor> {
    Tensor::f_from_slice(&values.collect::<Vec<_>>())?.f_to_kind(like.kind())?.f_to_device(like.device())
}

/// Periodic spectral derivatives, in units per sample: networks have few distinct ones.
#[derive(Debug)]
pub(super) struct Periodic {
    kind: Kind,
    device: Device,
    made: HashMap<[i64; 2], Tensor>,
}

impl Periodic {
    pub fn new(kind: Kind, device: Device) -> Self {
        Self { kind, device, made: HashMap::new() }
    }

    /// Of a period of so many samples, at its first `rows` samples: `[rows, samples]`.
    pub fn rows(&mut self, samples: i64, rows: i64) -> Result<&Tensor, ActionError> {
        match self.made.entry([samples, rows]) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let matrix = differentiation_matrix(samples as usize, Scheme::Spectral, Boundary::Periodic)?;
                let index: Vec<i64> = (0..rows).map(|row| row % samples).collect();
                let all: Vec<f64> = matrix.iter().copied().collect();
                let all = Tensor::f_from_slice(&all)?.f_view([samples, samples])?;
                let first = all.f_index_select(0, &Tensor::f_from_slice(&index)?)?;
                Ok(entry.insert(first.f_to_kind(self.kind)?.f_to_device(self.device)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_goes_on_as_its_mirror_image_or_as_itself() {
        let x = Tensor::from_slice(&[1.0, 2.0, 3.0]);
        let taken = |mirrors, from, count| {
            let extended = Extended { samples: 3, mirrors };
            Vec::<f64>::try_from(&extended.take(&x, -1, Span { from, count }).unwrap()).unwrap()
        };
        assert_eq!(taken(true, -2, 10), [2.0, 1.0, 1.0, 2.0, 3.0, 3.0, 2.0, 1.0, 1.0, 2.0]);
        assert_eq!(taken(false, -2, 6), [2.0, 3.0, 1.0, 2.0, 3.0, 1.0]);
        let signs = Extended { samples: 3, mirrors: true }.signs(Span { from: -1, count: 5 }, &x).unwrap();
        assert_eq!(Vec::<f64>::try_from(&signs).unwrap(), [-1.0, 1.0, 1.0, 1.0, -1.0]);
    }
}
