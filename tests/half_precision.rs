//! Models of half precision: whatever a file rounds to float16 or bfloat16 is widened exactly, and computed in the
//! precision of the run.

use std::path::PathBuf;

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::*;
use aliascope::graph::{LoadOptions, Network};
use tch::{Device, Kind, Tensor};

use crate::common::model::{Value, attribute};
use crate::common::onnx::{model, node, text};

const FLOAT16: i32 = 10;
const BFLOAT16: i32 = 16;

/// 1.1, −2.3 and 0.2 as float16, and their values.
const HALF: [(u16, f64); 3] = [(0x3c66, 1.099609375), (0xc09a, -2.30078125), (0x3266, 0.199951171875)];
/// 0.3 as bfloat16, and its value.
const BRAIN: (u16, f64) = (0x3e9a, 0.30078125);

fn raw(name: &str, element_type: i32, bits: u16) -> TensorProto {
    TensorProto {
        name: text(name),
        data_type: Some(element_type),
        raw_data: Some(bits.to_le_bytes().to_vec()),
        ..Default::default()
    }
}

fn listed(name: &str, element_type: i32, bits: u16) -> TensorProto {
    TensorProto {
        name: text(name),
        data_type: Some(element_type),
        int32_data: vec![i32::from(bits)],
        ..Default::default()
    }
}

fn cast(from: &str, to: &str, element_type: i32) -> NodeProto {
    NodeProto { attribute: vec![attribute("to", Value::Int(element_type.into()))], ..node("Cast", &[from], to) }
}

/// y = ((x·w + b)·c)² + d, of an input and to an output of float16, with casts on the way.
fn network(kind: Kind) -> Network {
    let value = AttributeProto {
        name: text("value"),
        r#type: Some(4),
        t: Some(Box::new(raw("", FLOAT16, HALF[2].0))),
        ..Default::default()
    };
    let nodes = vec![
        node("Mul", &["x", "w"], "m"),
        node("Add", &["m", "b"], "s"),
        NodeProto { attribute: vec![value], ..node("Constant", &[], "c") },
        node("Mul", &["s", "c"], "t"),
        cast("t", "u", BFLOAT16),
        node("Mul", &["u", "u"], "v"),
        node("Add", &["v", "d"], "z"),
        cast("z", "y", FLOAT16),
    ];
    let constants = vec![raw("w", FLOAT16, HALF[0].0), listed("b", FLOAT16, HALF[1].0), listed("d", BFLOAT16, BRAIN.0)];
    let mut half = model(&[Some(1), Some(3), Some(4), Some(5)], nodes, constants);
    let graph = half.graph.as_mut().unwrap();
    for info in graph.input.iter_mut().chain(&mut graph.output) {
        if let Some(TypeValue::Tensor(tensor)) = info.r#type.as_mut().and_then(|t| t.value.as_mut()) {
            tensor.elem_type = Some(FLOAT16);
        }
    }
    let file = OnnxFile { path: PathBuf::from("half.onnx"), model: half };
    Network::from_file(&file, &LoadOptions { kind, ..Default::default() }).unwrap()
}

#[test]
fn half_precision_is_widened_and_computed_in_the_precision_of_the_run() {
    let (w, b, c, d) = (HALF[0].1, HALF[1].1, HALF[2].1, BRAIN.1);
    for (kind, tolerance) in [(Kind::Double, 1e-15), (Kind::Float, 1e-6)] {
        let x = Tensor::arange(60, (Kind::Double, Device::Cpu)) / 7.0 - 4.0;
        let t = (&x * w + b) * c;
        let (wanted, slope) = (&t * &t + d, &t * (2.0 * c * w));
        let x = x.view([1, 1, 3, 4, 5]).to_kind(kind);
        let sweep = network(kind).sweep(&x, &x.ones_like().unsqueeze(0)).unwrap();
        // Rounding to half precision on the way would be off by 5e-4 of the value.
        for (found, wanted) in [(sweep.value, wanted), (sweep.tangent, slope)] {
            assert_eq!(found.kind(), kind);
            let error = (found.to_kind(Kind::Double).flatten(0, -1) - &wanted).abs().max().double_value(&[]);
            assert!(error <= tolerance * wanted.abs().max().double_value(&[]), "{kind:?}: {error:e}");
        }
    }
}
