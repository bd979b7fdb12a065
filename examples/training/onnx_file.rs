//! A trained network as an ONNX file, which `aliascope lee`, `layers` and `survey` read.

use std::path::PathBuf;

use aliascope::antialias::onnx_form::Chain;
use aliascope::antialias::{OnnxSite, Padding};
use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::{
    Dimension, DimensionValue, GraphProto, ModelProto, OperatorSetIdProto, StringStringEntryProto, TensorShapeProto,
    TensorType, TypeProto, TypeValue, ValueInfoProto,
};
use aliascope::input::{METADATA_KEY, Preprocessing};

use super::Problem;
use super::layers::{Layer, Sequence};

/// The first opset that has GELU.
const OPSET: i64 = 20;
/// A tensor's element type: single precision.
const FLOAT: i32 = 1;

/// The network in evaluation, for one image of this shape, as a model called `name`.
///
/// # Errors
/// The preprocessing cannot be written.
pub fn onnx_file(network: &Sequence, name: &str, input: [i64; 3]) -> Result<OnnxFile, Problem> {
    let [channels, rows, columns] = input.map(|n| n as usize);
    let site = OnnxSite {
        input: "image".to_owned(),
        output: "scores".to_owned(),
        prefix: name.to_owned(),
        shape: [1, channels, rows, columns],
        padding: Padding::Zero,
        double: false,
    };
    let mut shape: Vec<i64> = [&[1], input.as_slice()].concat();
    let mut chain = Chain::new(&site);
    let image = value(&site.input, &shape);
    tch::no_grad(|| network.write(&mut chain, &mut shape));
    let form = chain.finish();
    let entry = |key: &str, text: String| StringStringEntryProto { key: Some(key.to_owned()), value: Some(text) };
    let model = ModelProto {
        ir_version: Some(9),
        producer_name: Some("aliascope".to_owned()),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPSET) }],
        metadata_props: vec![entry(METADATA_KEY, serde_json::to_string(&Preprocessing::raw())?)],
        graph: Some(GraphProto {
            name: Some(name.to_owned()),
            node: form.nodes,
            initializer: form.constants,
            input: vec![image],
            output: vec![value(&site.output, &shape)],
            ..Default::default()
        }),
        ..Default::default()
    };
    Ok(OnnxFile { path: PathBuf::from(format!("{name}.onnx")), model })
}

fn value(name: &str, shape: &[i64]) -> ValueInfoProto {
    let dim = |&n: &i64| Dimension { value: Some(DimensionValue::Value(n)), ..Default::default() };
    let shape = TensorShapeProto { dim: shape.iter().map(dim).collect() };
    let tensor = TensorType { elem_type: Some(FLOAT), shape: Some(shape) };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto { value: Some(TypeValue::Tensor(tensor)), ..Default::default() }),
        ..Default::default()
    }
}
