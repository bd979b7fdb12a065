//! What people give in the place of an ONNX model, by its first and last bytes, and what to type instead.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use crate::input::is_picture;

const TORCHSCRIPT: &str = "this is a TorchScript module, which is code that would run with your rights, and aliascope runs none; \
     if you trust it, convert it: python3 scripts/export.py module.pt --trust-code --input-shape 1,3,224,224";
const CHECKPOINT: &str = "this is a PyTorch checkpoint, weights without a network: export the two together, for example with \
     python3 scripts/export.py timm:NAME --checkpoint FILE model.onnx";
const TENSORS: &str = "this is a safetensors file, weights without a network: export the two together, for example with \
     python3 scripts/export.py timm:NAME --checkpoint FILE model.onnx; images as tensors go after --images";
const LITE: &str =
    "this is a TensorFlow Lite model: convert it with python3 -m tf2onnx.convert --tflite FILE --output model.onnx";
const PICTURE: &str = "this is an image and not an ONNX model: give the model first, and images after --images";
const TEXT: &str = "this is a text file and not an ONNX model: give a file that an ONNX exporter wrote";

/// By the first bytes; the ones that are followed by more than their mark stand in [`recognise`].
const MARKS: &[(&[u8], &str)] = &[
    (
        b"\x89HDF\r\n\x1a\n",
        "this is an HDF5 file, as Keras writes: convert the network with python3 -m tf2onnx.convert --keras FILE --output model.onnx",
    ),
    (b"\x80\x02", CHECKPOINT),
    (b"\x80\x03", CHECKPOINT),
    (b"\x80\x04", CHECKPOINT),
    (b"\x80\x05", CHECKPOINT),
    (b"\x1f\x8b", "this is a gzip archive: unpack it, and give the .onnx file in it"),
    (b"7z\xbc\xaf\x27\x1c", "this is a 7z archive: unpack it, and give the .onnx file in it"),
    (b"\x93NUMPY", "this is a NumPy array and not an ONNX model: give an .onnx file"),
    (
        b"ptrt",
        "this is a TensorRT engine, which runs on one kind of GPU alone: give the ONNX model that it was built from",
    ),
    (
        b"ftrt",
        "this is a TensorRT engine, which runs on one kind of GPU alone: give the ONNX model that it was built from",
    ),
];

/// How much of an archive's end is searched for the names in it.
const TAIL: u64 = 1 << 20;

/// How many of a file's first bytes are enough to recognise it.
pub(super) const START: u64 = 4096;

/// What a file is and what to do, where its bytes say that it is no ONNX model; nothing where they do not. `start` are
/// its first [`START`] bytes.
pub(super) fn recognise(start: &[u8], file: &mut File) -> Option<&'static str> {
    if start.starts_with(b"PK\x03\x04") {
        return Some(archive(file));
    }
    if let Some((_, what)) = MARKS.iter().find(|(mark, _)| start.starts_with(mark)) {
        return Some(what);
    }
    match start.get(4..8) {
        Some(b"TFL3") => {
            return Some(LITE);
        }
        Some(b"ORTM") => {
            return Some("this is a model in ONNX Runtime's own format: give the .onnx file that it was made from");
        }
        _ => {}
    }
    let header = start.first_chunk().map(|length| u64::from_le_bytes(*length));
    if start.get(8) == Some(&b'{') && header.is_some_and(|length| length < 1 << 30) {
        return Some(TENSORS);
    }
    if is_text(start) {
        return Some(TEXT);
    }
    is_picture(start).then_some(PICTURE)
}

/// What lies in a zip file, by the names at its end.
fn archive(file: &mut File) -> &'static str {
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut tail = Vec::new();
    let read = file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).and_then(|_| file.read_to_end(&mut tail));
    let has = |name: &[u8]| read.is_ok() && tail.windows(name.len()).any(|window| window == name);
    if has(b"constants.pkl") {
        TORCHSCRIPT
    } else if has(b"data.pkl") {
        CHECKPOINT
    } else if has(b".onnx") {
        "this is a zip archive: unpack it, and give the .onnx file in it"
    } else if has(b"model.weights.h5") {
        "this is a Keras model: convert the network with python3 -m tf2onnx.convert --keras FILE --output model.onnx"
    } else {
        "this is a zip archive and no ONNX model: unpack it, and give an .onnx file"
    }
}

/// Whether the bytes read as text: no ONNX model does, whose fields begin with control characters.
fn is_text(start: &[u8]) -> bool {
    let whole = match std::str::from_utf8(start) {
        Ok(text) => text,
        // The last character may be cut off.
        Err(error) if error.error_len().is_none() => match std::str::from_utf8(&start[..error.valid_up_to()]) {
            Ok(text) => text,
            Err(_) => return false,
        },
        Err(_) => return false,
    };
    !whole.is_empty() && whole.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}
