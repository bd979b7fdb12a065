//! Quantised constants, as ONNX's reference evaluator has them, and fake-quantised values, as PyTorch has them
//! (scripts/record_quantised.py).

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use aliascope::graph::onnx::proto::{GraphProto, ModelProto, NodeProto, TensorProto};
use aliascope::graph::onnx::{OnnxFile, OnnxTensor, read_model};
use aliascope::graph::{GraphError, LoadOptions, Network, tensor_from_onnx};
use assert_cmd::Command;
use prost::Message;
use tch::{Kind, Tensor};

use crate::common::model::{Value, attribute, doubles, floats, model, node};
use crate::common::{asset, relative};

#[test]
fn quantised_constants_are_exact() {
    let container = read_model(&asset("tests/fixtures/quantised.onnx")).unwrap();
    let tests = &container.graph().unwrap().node;
    assert!(tests.len() > 80, "{}", tests.len());
    for test in tests {
        let given = |name: &str| test.attribute.iter().find(|a| a.name.as_deref() == Some(name)).unwrap();
        let model = ModelProto::decode(given("model").s.as_deref().unwrap()).unwrap();
        let file = OnnxFile { path: "quantised.onnx".into(), model };
        let wanted = OnnxTensor::from_proto(&given("outputs").tensors[0], Path::new("."), "outputs").unwrap();
        let wanted = tensor_from_onnx(&wanted).unwrap();
        let network = Network::from_file(&file, &LoadOptions::default()).unwrap();
        let x = Tensor::zeros([&[1], wanted.size().as_slice()].concat(), (Kind::Float, tch::Device::Cpu));
        let y = network.forward(&x).unwrap().squeeze_dim(0);
        let name = test.name.as_deref().unwrap_or("");
        // The reference rounds 32 bits to single precision before it multiplies, and once more after; here it is once.
        let exact = if name.starts_with("INT32") { y.allclose(&wanted, 1.2e-7, 0.0, false) } else { y.equal(&wanted) };
        assert!(exact, "{name}: {:?}", (y - wanted).abs().max());
    }
}

/// A whole number in ONNX's element type `code`; two of 4 bits are one byte.
fn whole(name: &str, code: i32, values: &[i32]) -> TensorProto {
    let four_bits = matches!(code, 21 | 22);
    let pair = |pair: &[i32]| pair[0] & 15 | pair.get(1).map_or(0, |second| (second & 15) << 4);
    TensorProto {
        name: Some(name.to_owned()),
        dims: if values.len() == 1 { vec![] } else { vec![values.len() as i64] },
        data_type: Some(code),
        int32_data: if four_bits { values.chunks(2).map(pair).collect() } else { values.to_vec() },
        ..Default::default()
    }
}

/// x, quantised and back, with what goes between.
fn there_and_back(scale: TensorProto, zero: TensorProto, between: Option<NodeProto>) -> OnnxFile {
    let axis = || vec![attribute("axis", Value::Int(1))];
    let to = NodeProto { attribute: axis(), ..node("QuantizeLinear", &["x", "s", "z"], &["q"]) };
    let last = if between.is_some() { "moved" } else { "q" };
    let back = NodeProto { attribute: axis(), ..node("DequantizeLinear", &[last, "s", "z"], &["y"]) };
    let graph = GraphProto {
        node: [Some(to), between, Some(back)].into_iter().flatten().collect(),
        initializer: vec![scale, zero],
        input: vec![floats("x", &[1, 3, 5, 6])],
        output: vec![floats("y", &[])],
        ..Default::default()
    };
    model(graph, 21)
}

fn load(file: &OnnxFile, straight_through: bool) -> Result<Network, GraphError> {
    Network::from_file(file, &LoadOptions { kind: Kind::Double, straight_through, ..Default::default() })
}

#[test]
fn values_are_rounded_and_derivatives_pass_straight_through_as_in_pytorch() {
    let all: HashMap<String, Tensor> =
        Tensor::read_safetensors(asset("tests/fixtures/fake_quantised.safetensors")).unwrap().into_iter().collect();
    let x = all["x"].unsqueeze(0);
    let dx = x.cos().unsqueeze(0);
    // Element type, its largest number, and the zero point.
    for (name, code, high, zero) in
        [("uint8", 2, 255, 110), ("int8", 3, 127, 5), ("int4", 22, 7, 1), ("uint4", 21, 15, 6)]
    {
        for kind in ["tensor", "channel"] {
            let (scale, zeros) = if kind == "tensor" {
                (doubles("s", &[], &[if high > 15 { 0.03125 } else { 0.375 }]), vec![zero])
            } else {
                let steps = Vec::<f64>::try_from(all["steps"].to_kind(Kind::Double)).unwrap();
                (doubles("s", &[3], &steps), vec![zero, zero - 1, zero + 1])
            };
            let zero = whole("z", code, &zeros);
            let turned = || NodeProto {
                attribute: vec![attribute("perm", Value::Ints(vec![0, 1, 2, 3]))],
                ..node("Transpose", &["q"], &["moved"])
            };
            for between in [None, Some(turned())] {
                let network = load(&there_and_back(scale.clone(), zero.clone(), between), true).unwrap();
                let sweep = network.sweep(&x, &dx).unwrap();
                let (y, slope) = (&all[&format!("{name}.{kind}.y")], &all[&format!("{name}.{kind}.slope")]);
                for value in [sweep.value.squeeze_dim(0), network.forward(&x).unwrap().squeeze_dim(0)] {
                    let off = (value - y).abs().max().double_value(&[]);
                    assert!(off <= 1e-12, "{name}, {kind}: {off:e}");
                }
                let wanted = slope * dx.reshape(slope.size().as_slice());
                let off = relative(&sweep.tangent.reshape(slope.size().as_slice()), &wanted);
                assert!(off <= 1e-14, "{name}, {kind}: {off:e}");
                // Both kinds of slope occur, so that neither can be the answer to everything.
                let passed = slope.mean(Kind::Double).double_value(&[]);
                assert!(passed > 0.1 && passed < 1.0, "{name}, {kind}: {passed}");
            }
        }
    }
}

#[test]
fn what_cannot_be_rounded_right_is_refused() {
    let scale = || doubles("s", &[], &[0.5]);
    let refusal = |file: &OnnxFile, straight_through| load(file, straight_through).unwrap_err().to_string();
    let plain = there_and_back(scale(), whole("z", 2, &[3]), None);
    assert!(refusal(&plain, false).contains("--quantised straight-through"), "{}", refusal(&plain, false));
    // 8-bit floats are rounded by other rules.
    let float = TensorProto { int32_data: vec![0], ..whole("z", 17, &[0]) };
    let message = refusal(&there_and_back(scale(), float, None), true);
    assert!(message.contains("the element type 17") && message.contains("whole numbers are"), "{message}");
    // A zero point that is computed has no type of its own any more; one that is only moved has.
    let after = |operator: &str, inputs: &[&str], code| {
        let mut file = there_and_back(scale(), whole("stored", code, &[3]), None);
        file.model.graph.as_mut().unwrap().node.insert(0, node(operator, inputs, &["z"]));
        load(&file, true).map(|_| ()).map_err(|error| error.to_string())
    };
    let message = after("Neg", &["stored"], 3).unwrap_err();
    assert!(message.contains("a zero point that is computed"), "{message}");
    assert_eq!(after("Identity", &["stored"], 22), Ok(()));
    // Arithmetic on 4 bits would not wrap around here.
    let message = after("Add", &["stored", "stored"], 22).unwrap_err();
    assert!(message.contains("the element type int4") && message.contains("only DequantizeLinear"), "{message}");
}

#[test]
fn commands_refuse_or_say_how_quantised_values_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qdq.onnx");
    let mut file = there_and_back(doubles("s", &[], &[0.0625]), whole("z", 3, &[4]), None);
    file.model.graph.as_mut().unwrap().input = vec![floats("x", &[1, 3, 16, 16])];
    fs::write(&path, file.model.encode_to_vec()).unwrap();
    let run = |command: &str, more: &[&str]| {
        let mut built = Command::new(env!("CARGO_BIN_EXE_aliascope"));
        built.arg(command).arg(&path).arg("--images").arg(asset("photos/chelsea.png")).args(more);
        built.env("OMP_WAIT_POLICY", "passive").output().unwrap()
    };
    for command in ["lee", "layers", "metrics"] {
        let refused = run(command, &[]);
        let stderr = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && stderr.contains("--quantised straight-through"), "{command}: {stderr}");
        let how = ["--quantised", "straight-through", "--preprocess", "half"];
        let told = run(command, &how);
        let table = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(told.status.success(), "{command}: {}", String::from_utf8_lossy(&told.stderr));
        let flat = table.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains("f32, quantised values straight-through"), "{command}: {table}");
        let json = run(command, &[&how[..], &["--json", "-"]].concat()).stdout;
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["run"]["quantised"], "straight-through", "{command}");
        if command == "metrics" {
            assert!(
                table.contains("metrics of its identity (1×3×16×16)") && json["run"]["output"]["name"] == "y",
                "{table}"
            );
        }
    }
}
