//! Col2Im: overlapping blocks added up to an image.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::layout::{Flow, Step};
use crate::graph::operator::{Linear, Operator, Torch};

use super::convolution::{positive, read_window};

/// Every column's entries are added where the block lies; what falls into the padding is dropped.
#[derive(Debug)]
struct Blocks {
    /// The place of entry (tap, block) in the image, its size where that is in the padding.
    index: Tensor,
    /// Taps of a block.
    taps: i64,
    image: Vec<i64>,
}

impl Linear for Blocks {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        // [stack, batch, channels·taps, blocks] as [stack, batch, channels, taps·blocks]
        let size = x[0].size();
        let [stack, batch, rows, blocks] = size[..] else {
            return Err(tch::TchError::Torch("Col2Im's input has not three axes".into()));
        };
        let channels = rows / self.taps;
        let flat = x[0].f_reshape([stack, batch, channels, self.taps * blocks])?;
        let places: i64 = self.image.iter().product();
        let zeros = Tensor::f_zeros([stack, batch, channels, places + 1], (flat.kind(), flat.device()))?;
        let y = zeros.f_index_add(-1, &self.index, &flat)?.f_narrow(-1, 0, places)?;
        Ok(vec![y.f_reshape([&[stack, batch, channels], self.image.as_slice()].concat())?])
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

/// Col2Im, for any number of spatial axes.
pub fn col2im(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let image = b.parameter_ints(1, "image_shape")?.unwrap_or_default();
    let block = b.parameter_ints(2, "block_shape")?.unwrap_or_default();
    let axes = image.len();
    if axes == 0 || block.len() != axes || block.contains(&0) {
        return Err(b.invalid(format!("its image_shape {image:?} and block_shape {block:?} do not fit each other")));
    }
    b.check_size(&image)?;
    b.check_size(&block)?;
    if b.attributes().has("auto_pad") || positive(b, "strides", axes)?.is_some_and(|s| s.len() != axes) {
        return Err(b.invalid("it has an attribute auto_pad"));
    }
    let window = read_window(b, &image, block.clone())?;
    let places = |axis: usize| {
        (image[axis] + window.begin[axis] + window.end[axis] - window.reach(axis)) / window.strides[axis] + 1
    };
    let count: Vec<i64> = (0..axes).map(places).collect();
    let (taps, blocks): (i64, i64) = (block.iter().product(), count.iter().product());
    let fits = matches!(shape[..], [_, rows, columns] if rows % taps == 0 && columns == blocks);
    if !fits || count.iter().any(|&n| n < 1) {
        return Err(b.invalid(format!("blocks of {block:?} in an image of {image:?} do not fit its input {shape:?}")));
    }
    b.check_size(&[shape[0], shape[1] / taps, image.iter().product::<i64>() + 1])?;
    b.check_size(&[taps, blocks])?;
    let beyond: i64 = image.iter().product();
    let mut index = Vec::with_capacity((taps * blocks) as usize);
    for tap in 0..taps {
        for at in 0..blocks {
            let (mut tap, mut at, mut place, mut stride) = (tap, at, 0, 1);
            for axis in (0..axes).rev() {
                let (t, o) = (tap % block[axis], at % count[axis]);
                (tap, at) = (tap / block[axis], at / count[axis]);
                let sample = o * window.strides[axis] + t * window.dilations[axis] - window.begin[axis];
                if !(0..image[axis]).contains(&sample) {
                    place = beyond;
                    break;
                }
                place += sample * stride;
                stride *= image[axis];
            }
            index.push(place);
        }
    }
    let index = Tensor::f_from_slice(&index)?.f_to_kind(Kind::Int64)?.f_to_device(b.device())?;
    b.varying_input(0)?;
    let flow = match count[..] {
        [rows, columns] => {
            let step = |a: usize| Step::window(block[a], window.strides[a], window.dilations[a], window.begin[a]);
            Flow::Folded { rows: step(0), columns: step(1), blocks: [rows, columns] }
        }
        _ => Flow::Unknown,
    };
    Ok(Built { operator: Operator::Linear(Box::new(Blocks { index, taps, image })), flow })
}
