//! Networks of timm without their weights (tests/fixtures/timm), with seeded noise in their place.

use std::path::Path;

use aliascope::graph::onnx::proto::TensorProto;
use aliascope::graph::onnx::read_model;
use aliascope::graph::{LoadOptions, Network};
use tch::{Device, Kind, Tensor};

use super::drawing::seeded;

/// What tests/fixtures/timm/record.py writes.
pub const NETWORKS: [&str; 9] =
    ["resnet", "mobilenetv3", "vit", "convnext", "swin", "efficientvit", "mobilevitv2", "mobilevit", "hiera"];

/// The network `name` as the exporter `by` (`traced` or `dynamo`) writes it.
pub fn timm(name: &str, by: &str, kind: Kind) -> Network {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/timm/{name}.{by}.onnx"));
    let mut file = read_model(&path).unwrap();
    let turn = seeded(5);
    let graph = file.model.graph.as_mut().unwrap();
    graph.initializer.iter_mut().for_each(fill);
    let attributes = graph.node.iter_mut().flat_map(|node| &mut node.attribute);
    attributes.filter_map(|attribute| attribute.t.as_deref_mut()).for_each(fill);
    drop(turn);
    Network::from_file(&file, &LoadOptions { kind, ..Default::default() }).unwrap()
}

/// Noise in a tensor of floats that has lost its numbers: a matrix keeps the size of what it is applied to, a vector
/// scales it by about one.
fn fill(tensor: &mut TensorProto) {
    let count: i64 = tensor.dims.iter().product();
    if tensor.data_type != Some(1) || count == 0 || tensor.raw_data.as_ref().is_some_and(|data| !data.is_empty()) {
        return;
    }
    if !tensor.float_data.is_empty() {
        return;
    }
    let on = (Kind::Float, Device::Cpu);
    let noise = match tensor.dims[..] {
        [] | [_] => Tensor::rand([count], on) + 0.5,
        // Of matrices the second axis or the first is summed over: they differ by a small factor.
        [first, ..] => Tensor::randn([count], on) * (count as f64 / first as f64).powf(-0.5),
    };
    let values: Vec<f32> = Vec::try_from(noise).unwrap();
    tensor.raw_data = Some(values.iter().flat_map(|value| value.to_le_bytes()).collect());
}
