//! Functions entry by entry, of values and tangents in one pass; pointwise.cpp has the loops.

use std::ffi::c_void;

use tch::{Kind, Tensor};

use super::can_loop_over;
use crate::graph::fused_activation::FusedActivation;
use crate::graph::operator::Torch;

unsafe extern "C" {
    fn aliascope_pointwise_f32(pointwise: *const RawPointwise);
    fn aliascope_pointwise_f64(pointwise: *const RawPointwise);
}

/// As pointwise.cpp has it.
#[repr(C)]
pub(super) struct RawPointwise {
    pub(super) out: *mut c_void,
    pub(super) x: *const c_void,
    pub(super) y: *const c_void,
    pub(super) offset: *const c_void,
    pub(super) channels: i64,
    pub(super) tangents: i64,
    pub(super) n: i64,
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) factor: f64,
    pub(super) function: i32,
}

/// The most channels whose offsets the loops add.
const MOST_CHANNELS: i64 = 2048;

/// Whether the entries of a stack lie one after the other, each in one piece.
fn is_dense(stack: &Tensor) -> bool {
    let (size, strides) = (stack.size(), stack.stride());
    let mut axes: Vec<(i64, i64)> = strides.iter().copied().zip(size.iter().copied()).skip(1).collect();
    axes.retain(|&(_, n)| n != 1);
    axes.sort_unstable();
    let mut entries = 1;
    for (stride, n) in axes {
        if stride != entries {
            return false;
        }
        entries *= n;
    }
    size[0] == 1 || strides[0] == entries
}

/// Whether `offset` has one entry for each of the channels of a stack `[stack, …, channels, rows, columns]`, which lie
/// side by side.
fn is_of_channels(offset: &Tensor, stack: &Tensor) -> bool {
    let (size, strides) = (stack.size(), stack.stride());
    let Some(at) = size.len().checked_sub(3).filter(|&at| at > 0) else { return false };
    let channels = size[at];
    offset.size() == [channels, 1, 1]
        && offset.is_contiguous()
        && offset.kind() == stack.kind()
        && can_loop_over(offset)
        && (1..=MOST_CHANNELS).contains(&channels)
        && (channels == 1 || strides[at] == 1)
}

/// Values and tangents of a stack, `[images·(1 + tangents), …]`, through a function, into a stack of the same order of
/// memory that has as many entries at least and may be the same. False where memory does not lie as the loops need it,
/// and then nothing is touched.
///
/// `value` computes the function, of the values alone; clips have no use for it. What the values lack yet, `offset`, is
/// added on the way, by clips only.
///
/// # Errors
/// When `value` fails.
pub fn apply_jvp(
    activation: FusedActivation,
    [out, stack]: [&Tensor; 2],
    [images, tangents]: [i64; 2],
    offset: Option<&Tensor>,
    value: impl FnOnce(&Tensor) -> Torch<Tensor>,
) -> Torch<bool> {
    let (size, length, kind) = (stack.size(), images * (1 + tangents), stack.kind());
    let clips = matches!(activation, FusedActivation::Clip { .. });
    let fits = can_loop_over(stack)
        && can_loop_over(out)
        && out.kind() == kind
        && size[0] == length
        && out.size()[0] >= length
        && out.size()[1..] == size[1..]
        && out.stride() == stack.stride()
        && is_dense(stack)
        && offset.is_none_or(|offset| clips && is_of_channels(offset, stack));
    if !fits {
        return Ok(false);
    }
    let y = if clips {
        None
    } else {
        let x = stack.f_narrow(0, 0, images)?;
        let y = value(&x)?;
        if y.size() != x.size() || y.stride() != x.stride() || y.kind() != kind {
            return Ok(false);
        }
        Some(y)
    };
    let (function, low, high, factor) = match activation {
        FusedActivation::Clip { low, high, open } => (i32::from(open), low, high, 0.0),
        FusedActivation::Gelu => (2, 0.0, 0.0, 0.0),
        FusedActivation::GeluTanh => (3, 0.0, 0.0, 0.0),
        FusedActivation::Swish(factor) => (4, 0.0, 0.0, factor),
    };
    let pointer = |t: Option<&Tensor>| t.map_or(std::ptr::null(), |t| t.data_ptr().cast_const());
    let raw = RawPointwise {
        out: out.data_ptr(),
        x: stack.data_ptr().cast_const(),
        y: pointer(y.as_ref()),
        offset: pointer(offset),
        channels: offset.map_or(1, |offset| offset.numel() as i64),
        tangents,
        n: images * size[1..].iter().product::<i64>(),
        low,
        high,
        factor,
        function,
    };
    let run = if kind == Kind::Double { aliascope_pointwise_f64 } else { aliascope_pointwise_f32 };
    // SAFETY: all are of this kind and on the CPU; `out` and `stack` have n entries for the values and each tangent,
    // one after the other, and y, a tensor of its own, has n in the same order; entries are read before they are
    // written, so that both stacks may be the same memory; offsets are those of channels that lie side by side, 2048 at
    // most.
    unsafe { run(&raw const raw) };
    Ok(true)
}

#[cfg(test)]
mod tests {
    use tch::{Device, Tensor};

    use super::*;
    use crate::graph::operator::Elementwise;
    use crate::graph::ops::Function;

    fn distance(a: &Tensor, b: &Tensor) -> f64 {
        ((a - b).abs() / (b.abs() + 1.0)).max().double_value(&[])
    }

    /// Values of both signs, those about 0, and large ones, in a stack of `channels` channels that lie side by side.
    fn stack(kind: Kind, length: i64, channels: i64) -> Tensor {
        let x = Tensor::randn([length, 1, 5, 7, channels], (Kind::Double, Device::Cpu)) * 4.0;
        let special = [0.0, -0.0, 1e-30, -1e-30, 1e-17, 6.0, -6.0, 30.0, -30.0, 300.0, -300.0, 1e10, -1e10];
        let place = x.get(0).flatten(0, -1).narrow(0, 3, special.len() as i64);
        place.shallow_clone().copy_(&Tensor::from_slice(&special));
        x.to_kind(kind).movedim_int(-1, -3)
    }

    #[test]
    fn values_and_tangents_are_those_of_the_functions() {
        tch::manual_seed(0);
        let functions =
            [Function::Relu, Function::Clip(-1.5, 6.0), Function::Gelu, Function::GeluTanh, Function::Swish(1.702)];
        // Against libtorch in double precision, whose own slopes have lost up to 55 units for GELU by tanh at x = 6, as
        // it takes 1 − tanh² as a difference; tangents are up to 16 here.
        for (kind, limit) in [(Kind::Double, 1e-13), (Kind::Float, 2e-6)] {
            for function in functions {
                for (images, tangents) in [(1, 7), (2, 3)] {
                    let x = stack(kind, images * (1 + tangents), 67);
                    let exact = x.to_kind(Kind::Double);
                    let value = exact.narrow(0, 0, images);
                    let y = function.value(&value).unwrap();
                    let slope = function.derivative(&value, &y).unwrap();
                    let dx = exact.narrow(0, images, images * tangents).unflatten(0, [tangents, images]);
                    let dy = (dx * &slope).flatten(0, 1);
                    let activation = function.fused_activation().unwrap();
                    // Into other memory, and onto itself.
                    for out in [x.empty_like(), x.shallow_clone()] {
                        assert!(
                            apply_jvp(activation, [&out, &x], [images, tangents], None, |x| function.value(x)).unwrap()
                        );
                        for (ours, wanted) in
                            [(out.narrow(0, 0, images), &y), (out.narrow(0, images, images * tangents), &dy)]
                        {
                            let error = distance(&ours.to_kind(Kind::Double), wanted);
                            assert!(error <= limit, "{function:?} {kind:?}: {error:.1e}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_values_lack_is_added_where_channels_lie_side_by_side() {
        tch::manual_seed(0);
        for channels in [1, 3, 64, 700, MOST_CHANNELS] {
            let x = stack(Kind::Float, 8, channels);
            let offset = Tensor::randn([channels, 1, 1], (Kind::Float, Device::Cpu));
            let activation = FusedActivation::Clip { low: 0.0, high: 6.0, open: true };
            let run = |offset: &Tensor| {
                let out = x.empty_like();
                apply_jvp(activation, [&out, &x], [1, 7], Some(offset), |x| Ok(x.shallow_clone()))
                    .unwrap()
                    .then_some(out)
            };
            let moved = x.narrow(0, 0, 1) + &offset;
            let mask = moved.gt(0.0).logical_and(&moved.le(6.0));
            let out = run(&offset).unwrap();
            assert_eq!(distance(&out.narrow(0, 0, 1), &moved.clamp(0.0, 6.0)), 0.0);
            assert_eq!(distance(&out.narrow(0, 1, 7), &(x.narrow(0, 1, 7) * mask)), 0.0);
            // Not for another number of channels, in another kind, nor of rows.
            assert!(run(&Tensor::ones([channels + 1, 1, 1], (Kind::Float, Device::Cpu))).is_none());
            assert!(run(&offset.to_kind(Kind::Double)).is_none());
            assert!(run(&Tensor::ones([1, 5, 1], (Kind::Float, Device::Cpu))).is_none());
        }
        // Without a channel there is nothing to add to.
        let none = Tensor::zeros([8, 1, 0, 5, 7], (Kind::Float, Device::Cpu));
        assert!(!is_of_channels(&Tensor::zeros([0, 1, 1], (Kind::Float, Device::Cpu)), &none));
        let wide = stack(Kind::Float, 8, MOST_CHANNELS + 1);
        let offset = Tensor::zeros([MOST_CHANNELS + 1, 1, 1], (Kind::Float, Device::Cpu));
        let clip = FusedActivation::Clip { low: 0.0, high: 6.0, open: false };
        let refused = |activation, x: &Tensor, offset: &Tensor| {
            !apply_jvp(activation, [x, x], [1, 7], Some(offset), |x| Ok(x.shallow_clone())).unwrap()
        };
        assert!(refused(clip, &wide, &offset));
        let x = stack(Kind::Float, 8, 4);
        let offset = Tensor::zeros([4, 1, 1], (Kind::Float, Device::Cpu));
        assert!(refused(clip, &x.contiguous(), &offset));
        assert!(refused(FusedActivation::Gelu, &x, &offset));
    }
}
