//! TorchScript modules give what the ONNX of the same network gives.
#![cfg(feature = "torch")]

mod common;

use std::path::{Path, PathBuf};

use aliascope::graph::onnx::proto::{ModelProto, TensorProto};
use aliascope::graph::{LoadOptions, Network};
use assert_cmd::Command;
use common::model::{Value, attribute, doubles};
use common::onnx::{model, node};
use common::{asset, relative};
use predicates::prelude::*;
use prost::Message;
use serde_json::Value as Json;
use tch::{CModule, Device, Kind, Tensor};

const SHAPE: [i64; 4] = [1, 3, 16, 16];

/// Weights of a small network, the same for both files.
struct Weights {
    kernel: Tensor,
    bias: Tensor,
    dense: Tensor,
}

impl Weights {
    fn new(kind: Kind) -> Self {
        let numbers = |shape: &[i64], scale: f64| {
            let count: i64 = shape.iter().product();
            let values = common::noise(count as u32);
            (Tensor::from_slice(&values).reshape(shape) * scale).to_kind(kind)
        };
        Self { kernel: numbers(&[6, 3, 3, 3], 0.4), bias: numbers(&[6], 0.3), dense: numbers(&[6, 5], 0.9) }
    }

    fn forward(&self, x: &Tensor, softmax: bool) -> Tensor {
        let y = x.conv2d(&self.kernel, Some(&self.bias), [2, 2], [1, 1], [1, 1], 1).gelu("none");
        let y = y.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false).mean_dim([-1, -2].as_slice(), false, None::<Kind>);
        let y = y.matmul(&self.dense);
        if softmax { y.softmax(-1, None::<Kind>) } else { y }
    }

    /// The module as TorchScript, traced.
    fn torchscript(&self, path: &Path, kind: Kind, softmax: bool) {
        let x = Tensor::ones(SHAPE, (kind, Device::Cpu));
        let mut run = |x: &[Tensor]| vec![self.forward(&x[0], softmax)];
        let module = tch::no_grad(|| CModule::create_by_tracing("Small", "forward", &[x], &mut run)).unwrap();
        module.save(path).unwrap();
    }

    fn onnx(&self, path: &Path, softmax: bool) {
        let constant = |name: &str, tensor: &Tensor| -> TensorProto {
            let values: Vec<f64> = Vec::try_from(tensor.to_kind(Kind::Double).reshape([-1])).unwrap();
            doubles(name, &tensor.size(), &values)
        };
        let ints = |name: &str, values: &[i64]| attribute(name, Value::Ints(values.to_vec()));
        let mut conv = node("Conv", &["x", "kernel", "bias"], "a");
        conv.attribute = vec![ints("strides", &[2, 2]), ints("pads", &[1, 1, 1, 1])];
        let mut pool = node("MaxPool", &["b"], "c");
        pool.attribute = vec![ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])];
        let mut mean = node("ReduceMean", &["c"], "d");
        mean.attribute = vec![ints("axes", &[2, 3]), attribute("keepdims", Value::Int(0))];
        let mut nodes = vec![conv, node("Gelu", &["a"], "b"), pool, mean];
        nodes.push(node("MatMul", &["d", "dense"], if softmax { "e" } else { "y" }));
        if softmax {
            nodes.push(node("Softmax", &["e"], "y"));
        }
        let constants =
            vec![constant("kernel", &self.kernel), constant("bias", &self.bias), constant("dense", &self.dense)];
        let model: ModelProto = model(&SHAPE.map(Some), nodes, constants);
        std::fs::write(path, model.encode_to_vec()).unwrap();
    }
}

fn lee(model: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    command.env("OMP_WAIT_POLICY", "passive").arg("lee").arg(model);
    command.arg("--images").arg(asset("photos/chelsea.png")).args(more);
    command
}

fn report(model: &Path, more: &[&str]) -> Json {
    let output = lee(model, &[more, &["--json", "-"]].concat()).assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).unwrap()
}

/// The same files for all that follows: TorchScript and ONNX.
fn files(folder: &Path, kind: Kind, softmax: bool) -> (PathBuf, PathBuf) {
    let (script, onnx) = (folder.join("small.pt"), folder.join("small.onnx"));
    let weights = Weights::new(kind);
    weights.torchscript(&script, kind, softmax);
    weights.onnx(&onnx, softmax);
    (script, onnx)
}

#[test]
fn lee_of_torchscript_is_lee_of_onnx() {
    // Double precision agrees but for the order of sums; single precision to its rounding.
    for (kind, precision, tolerance) in [(Kind::Double, "f64", 1e-10), (Kind::Float, "f32", 1e-4)] {
        for softmax in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let (script, onnx) = files(folder.path(), kind, softmax);
            let ours = report(&script, &["--input-shape", "1,3,16,16", "--precision", precision]);
            let theirs = report(&onnx, &["--precision", precision]);
            for key in ["output", "output_action", "output_shape", "preprocess", "derivative"] {
                assert_eq!(ours[key], theirs[key], "{key}, {precision}, softmax: {softmax}");
            }
            assert_eq!(ours["output"], if softmax { "identity" } else { "softmax" });
            for (name, generator) in theirs["generators"].as_object().unwrap() {
                for key in ["lee", "mean_abs", "relative"] {
                    let (a, b) = (&ours["generators"][name][key], &generator[key]);
                    let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
                    assert!((a - b).abs() <= tolerance * b.abs(), "{name}.{key}, {precision}: {a} and {b}");
                }
            }
        }
    }
}

#[test]
fn tangents_are_those_of_the_onnx_network_for_several_images() {
    let folder = tempfile::tempdir().unwrap();
    let (script, onnx) = files(folder.path(), Kind::Double, false);
    let options = LoadOptions { kind: Kind::Double, input_shape: Some(SHAPE.to_vec()), ..Default::default() };
    let script = Network::load_torchscript(&script, &options).unwrap();
    let onnx = Network::load(&onnx, &options).unwrap();
    let noise = Tensor::from_slice(&common::noise(6 * 3 * 256)).to_kind(Kind::Double).reshape([6, 1, 3, 16, 16]);
    let (x, dx) = (noise.narrow(0, 0, 2), noise.narrow(0, 2, 4).reshape([2, 2, 1, 3, 16, 16]));
    let (ours, theirs) = (script.sweep(&x, &dx).unwrap(), onnx.sweep(&x, &dx).unwrap());
    assert!(relative(&ours.value, &theirs.value) <= 1e-12);
    assert!(relative(&ours.tangent, &theirs.tangent) <= 1e-12);
}

#[test]
fn what_a_module_cannot_do_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (script, _) = files(folder.path(), Kind::Float, false);
    let says = |words: &str| predicate::str::contains(words.to_owned());
    lee(&script, &[]).assert().code(3).stderr(says("--input-shape 1,3,224,224"));
    lee(&script, &["--input-shape", "1,4,16,16"])
        .assert()
        .code(3)
        .stderr(says("refuses an input of shape [1, 4, 16, 16]"));
    lee(&script, &["--input-shape", "1,3,16,16", "--memory", "4000"])
        .assert()
        .code(2)
        .stderr(says("--memory cannot bound a TorchScript module"));
    lee(&script, &["--input-shape", "1,3,16,16", "--at", "conv"])
        .assert()
        .code(2)
        .stderr(says("export the network to ONNX"));
    let mut theorem = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    theorem.args(["theorem", "--model"]).arg(&script).arg("--images").arg(asset("photos/chelsea.png"));
    theorem.assert().code(3).stderr(says("torch.onnx.export"));
}
