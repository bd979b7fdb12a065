//! The executor computes what the networks compute, and its tangents are their derivatives.

use aliascope::graph::{LoadOptions, MemoryFormat, Network, forward_ad};
use tch::{Kind, Tensor};

use crate::common::{MODELS, asset, noise, recorded, relative};

fn load(name: &str, kind: Kind, shape: &[i64]) -> Network {
    let options = LoadOptions { input_shape: Some(shape.to_vec()), kind, ..Default::default() };
    Network::load(&asset(&format!("models/{name}.onnx")), &options).unwrap()
}

#[test]
fn outputs_are_those_of_onnx_runtime() {
    for name in MODELS {
        let recorded = recorded(name);
        let network = load(name, Kind::Float, &recorded.shape);
        let error = relative(&network.forward(&recorded.x).unwrap(), &recorded.y);
        // Two single-precision runs that add in different orders; a wrong padding or epsilon gives 1e-2 and more.
        assert!(error <= 1e-5, "{name}: {error:.1e}");
    }
}

/// An input and two tangents of a network, in double precision; photos are not needed for derivatives to be right.
fn point(shape: &[i64]) -> (Tensor, Tensor) {
    let count: i64 = shape.iter().product();
    let values = Tensor::from_slice(&noise(3 * count as u32)).to_kind(Kind::Double);
    let x = values.narrow(0, 0, count).reshape([&[1], shape].concat());
    let dx = values.narrow(0, count, 2 * count).reshape([&[2, 1], shape].concat());
    (x, dx)
}

/// Small inputs, so that double precision is quick; sizes that fit the networks' heads.
const SHAPES: [(&str, [i64; 4]); 4] = [
    ("efficientnet-lite0", [1, 3, 224, 224]),
    ("ppocr-v4-det", [1, 3, 64, 96]),
    ("ppocr-v4-rec", [1, 3, 48, 80]),
    ("ppocr-v4-cls", [1, 3, 48, 192]),
];

#[test]
fn tangents_are_those_of_libtorch() {
    for (name, shape) in SHAPES {
        let network = load(name, Kind::Double, &shape);
        let (x, dx) = point(&shape);
        let sweep = network.sweep(&x, &dx).unwrap();
        for t in 0..2 {
            // Node by node: libtorch's attention, which stands for several nodes, has no forward mode.
            let forward = |x: &[&Tensor]| {
                let y = network.forward_observed(x[0], &mut |_, _| Ok(()));
                y.map(|y| vec![y]).map_err(|e| tch::TchError::Torch(e.to_string()))
            };
            let (y, dy) = forward_ad::jvp(forward, &[&x], &[Some(&dx.get(t))]).unwrap();
            // Same operations in double precision, in another order: rounding of depth some hundred layers.
            assert!(relative(&sweep.value, &y[0]) <= 1e-12, "{name}: value");
            let error = relative(&sweep.tangent.get(t), &dy[0]);
            assert!(error <= 1e-10, "{name}, tangent {t}: {error:.1e}");
        }
    }
}

#[test]
fn tangents_are_limits_of_differences() {
    for (name, shape) in SHAPES {
        let network = load(name, Kind::Double, &shape);
        let (x, dx) = point(&shape);
        let dx = dx.narrow(0, 0, 1);
        let sweep = network.sweep(&x, &dx).unwrap();
        // Networks of ReLUs are piecewise smooth: a step that crosses no kink among some million entries is very
        // small, and double precision leaves 1e-16/1e-8 = 1e-8 of the value at it.
        let step = 1e-8;
        let ahead = network.forward(&(&x + step * dx.get(0))).unwrap();
        let after = network.forward(&(&x - step * dx.get(0))).unwrap();
        let difference = (ahead - after) / (2.0 * step);
        let error = relative(&sweep.tangent.get(0), &difference);
        println!("{name}: {error:.1e}");
        assert!(error <= 1e-6, "{name}: {error:.1e}");
    }
}

#[test]
fn tangents_are_linear_and_entries_of_the_stack_do_not_mix() {
    let network = load("ppocr-v4-det", Kind::Double, &[1, 3, 64, 96]);
    let (x, dx) = point(&[1, 3, 64, 96]);
    let sum = dx.get(0) * 0.7 - dx.get(1) * 1.3;
    let all = Tensor::cat(&[&dx, &sum.unsqueeze(0)], 0);
    let sweep = network.sweep(&x, &all).unwrap();
    let expected = sweep.tangent.get(0) * 0.7 - sweep.tangent.get(1) * 1.3;
    // Linear operators and products with fixed slopes: rounding only.
    assert!(relative(&sweep.tangent.get(2), &expected) <= 1e-12);

    // Two images in one run give what each gives alone.
    let other = x.flip([-1]);
    let two = Tensor::cat(&[&x, &other], 0);
    let d_two = Tensor::cat(&[&dx, &dx.flip([-1])], 1);
    let both = network.sweep(&two, &d_two).unwrap();
    let alone = network.sweep(&other, &dx.flip([-1])).unwrap();
    assert!(relative(&both.value.narrow(0, 1, 1), &alone.value) <= 1e-12);
    assert!(relative(&both.tangent.narrow(1, 1, 1), &alone.tangent) <= 1e-12);
}

#[test]
fn the_order_of_memory_changes_rounding_alone() {
    let shape = [1, 3, 64, 96];
    for kind in [Kind::Float, Kind::Double] {
        let mut network = load("ppocr-v4-det", kind, &shape);
        assert_eq!(network.has_memory_formats(), kind == Kind::Float);
        let (x, dx) = point(&shape);
        let (x, dx) = (network.place(&x).unwrap(), network.place(&dx).unwrap());
        let mut run = |order| {
            network.set_memory_format(order).unwrap();
            network.sweep(&x, &dx).unwrap()
        };
        let [last, first] = MemoryFormat::ALL.map(&mut run);
        // Sums in another order; single precision moves kinks as well, and 1e-3 is what it is held to everywhere.
        let tolerance = if kind == Kind::Float { 1e-3 } else { 1e-10 };
        assert!(relative(&first.value, &last.value) <= tolerance);
        assert!(relative(&first.tangent, &last.tangent) <= tolerance);
    }
}

#[test]
fn both_orders_of_memory_are_timed() {
    let mut network = load("ppocr-v4-cls", Kind::Float, &[1, 3, 48, 192]);
    let times = network.time_memory_formats().unwrap();
    assert!(times.iter().all(|ms| ms.is_finite() && *ms > 0.0), "{times:?}");
    assert_eq!(network.memory_format(), MemoryFormat::ChannelsLast);
    let other = load("ppocr-v4-cls", Kind::Float, &[1, 3, 48, 160]);
    assert_ne!(network.shape_hash(), other.shape_hash());
    assert_eq!(network.shape_hash(), load("ppocr-v4-cls", Kind::Double, &[1, 3, 48, 192]).shape_hash());
}
