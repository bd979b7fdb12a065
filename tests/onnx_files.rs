//! ONNX files come back from reading and writing as they were, and damaged ones end in a sentence.

use std::fs;
use std::path::{Path, PathBuf};

use aliascope::graph::onnx::proto::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto,
};
use aliascope::graph::onnx::{Attributes, ElementType, OnnxFile, OnnxTensor, read_model};
use proptest::prelude::*;
use prost::Message;

const FLOAT: i32 = 1;
const EXTERNAL: i32 = 1;

/// scripts/record_onnx_fields.py writes it with ONNX's own package.
fn every_field() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/every-field.onnx");
    fs::read(path).unwrap()
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

fn entry(key: &str, value: impl ToString) -> StringStringEntryProto {
    StringStringEntryProto { key: text(key), value: Some(value.to_string()) }
}

fn external(shape: &[i64], entries: &[(&str, &str)]) -> TensorProto {
    TensorProto {
        name: text("w"),
        dims: shape.to_vec(),
        data_type: Some(FLOAT),
        data_location: Some(EXTERNAL),
        external_data: entries.iter().map(|(key, value)| entry(key, value)).collect(),
        ..TensorProto::default()
    }
}

fn model(weight: TensorProto) -> ModelProto {
    let node =
        NodeProto { op_type: text("Relu"), input: vec!["x".into()], output: vec!["y".into()], ..Default::default() };
    ModelProto {
        ir_version: Some(8),
        opset_import: vec![OperatorSetIdProto { domain: text(""), version: Some(17) }],
        graph: Some(GraphProto { name: text("g"), node: vec![node], initializer: vec![weight], ..Default::default() }),
        ..Default::default()
    }
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The reason why `bytes` are no model.
fn refusal(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    fs::write(&path, bytes).unwrap();
    let message = read_model(&path).unwrap_err().to_string();
    assert!(message.starts_with(&path.display().to_string()), "{message}");
    message
}

fn tensor_refusal(tensor: &TensorProto, folder: &Path) -> String {
    OnnxTensor::from_proto(tensor, folder, "unnamed").unwrap_err().to_string()
}

#[test]
fn every_field_of_every_message_survives() {
    let bytes = every_field();
    let model = ModelProto::decode(bytes.as_slice()).unwrap();
    // The specification leaves the order of fields open (a oneof's member may come before or after its neighbours), so
    // the same bytes in another order are the same message; a dropped field or another type or packing is not.
    let sorted = |mut bytes: Vec<u8>| {
        bytes.sort_unstable();
        bytes
    };
    let again = model.encode_to_vec();
    assert!(ModelProto::decode(again.as_slice()).unwrap() == model);
    assert!(sorted(again) == sorted(bytes), "a field is dropped or takes another type");
}

#[test]
fn a_file_is_written_as_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let bytes = model(TensorProto {
        name: text("w"),
        dims: vec![2],
        data_type: Some(FLOAT),
        raw_data: Some(floats(&[1.0, f32::NAN])),
        ..Default::default()
    })
    .encode_to_vec();
    fs::write(&path, &bytes).unwrap();
    assert_eq!(read_model(&path).unwrap().to_bytes().unwrap(), bytes);
}

#[test]
fn external_data_are_taken_in() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("w.bin"), floats(&[9.0, 1.0, 2.0, 3.0])).unwrap();
    // The third has no length: its shape says how much of the rest of the file is meant.
    let stated = external(&[2], &[("location", "w.bin"), ("offset", "4"), ("length", "8")]);
    let implied = external(&[1], &[("location", "w.bin"), ("offset", "4")]);
    let attribute = AttributeProto { name: text("value"), t: Some(Box::new(implied)), ..Default::default() };
    let mut model = model(stated);
    model.graph.as_mut().unwrap().node[0].attribute.push(attribute);
    let file = OnnxFile { path: folder.path().join("model.onnx"), model };

    let alone = ModelProto::decode(file.to_bytes().unwrap().as_slice()).unwrap();
    let graph = alone.graph.unwrap();
    let nowhere = Path::new("/nowhere");
    let weight = OnnxTensor::from_proto(&graph.initializer[0], nowhere, "").unwrap();
    assert_eq!((weight.shape, weight.data), (vec![2], floats(&[1.0, 2.0])));
    let value = OnnxTensor::from_proto(graph.node[0].attribute[0].t.as_ref().unwrap(), nowhere, "").unwrap();
    assert_eq!(value.data, floats(&[1.0]));
}

#[test]
fn external_data_stay_in_the_models_folder() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("model");
    fs::create_dir(&folder).unwrap();
    let secret = outer.path().join("secret.bin");
    fs::write(&secret, floats(&[1.0])).unwrap();
    for location in ["../secret.bin", "sub/../../secret.bin", secret.to_str().unwrap()] {
        fs::create_dir_all(folder.join("sub")).unwrap();
        let message = tensor_refusal(&external(&[1], &[("location", location)]), &folder);
        assert!(message.contains("'w'") && message.contains("outside the model's folder"), "{message}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&secret, folder.join("link.bin")).unwrap();
        let message = tensor_refusal(&external(&[1], &[("location", "link.bin")]), &folder);
        assert!(message.contains("outside the model's folder"), "{message}");
    }
}

/// A shape, the entries of its external data, and what the refusal says.
type Damage<'a> = (&'a [i64], &'a [(&'a str, &'a str)], &'a str);

#[test]
fn damaged_external_data_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("w.bin"), floats(&[1.0, 2.0])).unwrap();
    let huge = u64::MAX.to_string();
    let cases: [Damage<'_>; 8] = [
        (&[3], &[("location", "w.bin")], "has 8 bytes"),
        (&[2], &[("location", "w.bin"), ("offset", "4")], "has 8 bytes"),
        (&[2], &[("location", "w.bin"), ("offset", &huge)], "has 8 bytes"),
        (&[1], &[("location", "w.bin"), ("length", "8")], "its shape needs 4 bytes"),
        (&[2], &[("location", "w.bin"), ("offset", "-4")], "not a number"),
        (&[2], &[("location", "gone.bin")], "cannot be read"),
        (&[2], &[("location", ".")], "not an ordinary file"),
        (&[2], &[], "not named"),
    ];
    for (shape, entries, expected) in cases {
        let message = tensor_refusal(&external(shape, entries), folder.path());
        assert!(message.contains("'w'") && message.contains(expected), "{message}");
    }
}

#[test]
fn what_is_not_a_model_is_refused() {
    let whole = model(TensorProto::default()).encode_to_vec();
    assert!(refusal(b"").contains("empty"));
    assert!(refusal(b"\x89PNG\r\n\x1a\n and more").contains("not an ONNX model"));
    assert!(refusal(&whole[..whole.len() - 1]).contains("cut off"));
    let without = |change: fn(&mut ModelProto)| {
        let mut model = model(TensorProto::default());
        change(&mut model);
        refusal(&model.encode_to_vec())
    };
    assert!(without(|model| model.graph = None).contains("no graph"));
    assert!(without(|model| model.graph = Some(GraphProto::default())).contains("no nodes"));
    assert!(without(|model| model.opset_import.clear()).contains("no opset"));
}

#[test]
fn what_is_not_a_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(read_model(folder.path()).unwrap_err().to_string().contains("folder"));
    assert!(read_model(&folder.path().join("gone.onnx")).unwrap_err().to_string().contains("gone.onnx"));
    // Endless; a reader that asks for all of it would take the machine's memory.
    #[cfg(unix)]
    assert!(read_model(&PathBuf::from("/dev/zero")).unwrap_err().to_string().contains("not an ordinary file"));
}

#[test]
fn typed_fields_and_raw_bytes_give_the_same_tensor() {
    let base = |element_type: ElementType| TensorProto {
        dims: vec![3],
        data_type: Some(element_type as i32),
        ..TensorProto::default()
    };
    let ints = vec![-1, 0, 1];
    let cases: Vec<(TensorProto, Vec<u8>)> = vec![
        (TensorProto { float_data: vec![-0.5, 0.0, 2.0], ..base(ElementType::Float) }, floats(&[-0.5, 0.0, 2.0])),
        (TensorProto { int32_data: ints.clone(), ..base(ElementType::Int8) }, vec![255, 0, 1]),
        (TensorProto { int32_data: ints.clone(), ..base(ElementType::Int16) }, vec![255, 255, 0, 0, 1, 0]),
        (
            TensorProto { int64_data: vec![-1, 0, i64::MAX], ..base(ElementType::Int64) },
            [-1, 0, i64::MAX].iter().flat_map(|v| v.to_le_bytes()).collect(),
        ),
        (
            TensorProto { double_data: vec![0.1, 0.2, 0.3], ..base(ElementType::Double) },
            [0.1f64, 0.2, 0.3].iter().flat_map(|v| v.to_le_bytes()).collect(),
        ),
    ];
    for (typed, raw) in cases {
        let element_type = ElementType::try_from(typed.data_type.unwrap()).unwrap();
        let from_raw = TensorProto { raw_data: Some(raw), ..base(element_type) };
        let read = |tensor: &TensorProto| OnnxTensor::from_proto(tensor, Path::new("."), "t").unwrap();
        assert_eq!(read(&typed), read(&from_raw), "{element_type:?}");
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused_by_name() {
    let tensor = |dims: &[i64]| TensorProto {
        name: text("conv1.weight"),
        dims: dims.to_vec(),
        data_type: Some(FLOAT),
        raw_data: Some(vec![0; 8]),
        ..TensorProto::default()
    };
    for dims in [&[3][..], &[-2], &[i64::MAX, i64::MAX], &[0], &[1 << 62]] {
        let message = tensor_refusal(&tensor(dims), Path::new("."));
        assert!(message.contains("'conv1.weight'"), "{message}");
    }
    let strings = TensorProto { data_type: Some(8), ..tensor(&[2]) };
    assert!(tensor_refusal(&strings, Path::new(".")).contains("string"));
    assert!(tensor_refusal(&TensorProto { data_type: Some(-7), ..tensor(&[2]) }, Path::new(".")).contains("-7"));
}

#[test]
fn an_attribute_that_nothing_asks_for_is_named() {
    let attribute = |name: &str, value: i64| AttributeProto {
        name: text(name),
        i: Some(value),
        r#type: Some(2),
        ..AttributeProto::default()
    };
    let node = NodeProto {
        op_type: text("Conv"),
        attribute: vec![attribute("group", 4), attribute("sparkle", 1)],
        ..NodeProto::default()
    };
    let mut attributes = Attributes::new(&node, "/stem/Conv", Path::new(".")).unwrap();
    assert_eq!(attributes.int("group").unwrap(), Some(4));
    assert_eq!(attributes.ints("pads").unwrap(), None);
    let message = attributes.finish(17).unwrap_err().to_string();
    for part in ["/stem/Conv", "(Conv, opset 17)", "'sparkle'", "group, pads"] {
        assert!(message.contains(part), "{message}");
    }
    let message = attributes.floats("sparkle").unwrap_err().to_string();
    assert!(message.contains("'sparkle' is not a list of floats"), "{message}");

    let twice = NodeProto { attribute: vec![attribute("group", 1), attribute("group", 2)], ..node };
    assert!(Attributes::new(&twice, "n", Path::new(".")).is_err());
}

/// Reads every tensor and writes the model, as far as the bytes allow: for the damage tests, where only panics count.
fn use_all(bytes: &[u8], folder: &Path) {
    let Ok(model) = ModelProto::decode(bytes) else { return };
    if let Some(graph) = &model.graph {
        for tensor in &graph.initializer {
            let _ = OnnxTensor::from_proto(tensor, folder, "t");
        }
        for node in &graph.node {
            if let Ok(mut attributes) = Attributes::new(node, "n", folder) {
                let names: Vec<_> = node.attribute.iter().filter_map(|a| a.name.clone()).collect();
                for name in names {
                    let _ = (attributes.int(&name), attributes.string(&name), attributes.tensor(&name));
                }
                let _ = attributes.finish(17);
            }
        }
    }
    let _ = OnnxFile { path: folder.join("m.onnx"), model }.to_bytes();
}

proptest! {
    #[test]
    fn damaged_models_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        let mut bytes = every_field();
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        if cuts {
            bytes.truncate(cut.index(bytes.len()));
        }
        let folder = tempfile::tempdir().unwrap();
        use_all(&bytes, folder.path());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        use_all(&bytes, Path::new("."));
    }

    #[test]
    fn raw_tensors_round_trip(values in prop::collection::vec(any::<f32>(), 0..64)) {
        let data = floats(&values);
        let tensor = TensorProto {
            dims: vec![values.len() as i64],
            data_type: Some(FLOAT),
            raw_data: Some(data.clone()),
            ..TensorProto::default()
        };
        let again = TensorProto::decode(tensor.encode_to_vec().as_slice()).unwrap();
        // Bytes, not numbers: NaN keeps its payload.
        prop_assert_eq!(OnnxTensor::from_proto(&again, Path::new("."), "t").unwrap().data, data);
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_a_stack_overflow() {
    // A model → graph → node → attribute → graph → …; each layer wraps the last in its field's tag and length.
    let wrap = |tag: u8, inner: &[u8]| {
        let mut outer = vec![tag << 3 | 2];
        prost::encoding::encode_varint(inner.len() as u64, &mut outer);
        outer.extend_from_slice(inner);
        outer
    };
    let mut graph = Vec::new();
    for _ in 0..10_000 {
        graph = wrap(1, &wrap(5, &wrap(6, &graph)));
    }
    assert!(refusal(&wrap(7, &graph)).contains("recursion limit"));
}
