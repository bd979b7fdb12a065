//! `aliascope lee` and `doctor` as a user meets them: what they print, and how they fail.

use std::fs;
use std::path::{Path, PathBuf};

use aliascope::graph::onnx::proto::*;
use assert_cmd::Command;
use predicates::prelude::*;
use prost::Message;
use serde_json::Value;

use crate::common::asset;
use crate::common::onnx::{model, node, text};

fn aliascope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aliascope"));
    // Tests share the machine: libtorch's threads must not spin while others wait for a core.
    command.env("OMP_WAIT_POLICY", "passive").current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn lee(model: &Path, image: &Path) -> Command {
    let mut command = aliascope();
    command.arg("lee").arg(model).arg("--images").arg(image);
    command
}

fn chelsea() -> PathBuf {
    asset("photos/chelsea.png")
}

fn lite0() -> PathBuf {
    asset("models/efficientnet-lite0.onnx")
}

/// One sentence, the status, no backtrace, nothing on standard output.
fn refuses(mut command: Command, status: i32, words: &[&str]) {
    let mut assert = command.assert().code(status).stdout("");
    for word in words {
        assert = assert.stderr(predicate::str::contains(*word));
    }
    let stderr = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    let messages: Vec<&str> = stderr.lines().filter(|line| !line.starts_with("note:")).collect();
    assert_eq!(messages.len(), 1, "one message, not:\n{stderr}");
    assert!(messages[0].starts_with("aliascope: "), "{stderr}");
    for trace in ["panicked", "0x", "frame #", ".cpp", "Exception raised"] {
        assert!(!stderr.contains(trace), "{trace} in:\n{stderr}");
    }
}

const FIXED: [Option<i64>; 4] = [Some(1), Some(3), Some(16), Some(16)];

fn saved(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn saved_model(folder: &Path, model: &ModelProto) -> PathBuf {
    saved(folder, "model.onnx", &model.encode_to_vec())
}

#[test]
fn results_have_their_schema() {
    let output = lee(&lite0(), &chelsea()).args(["--json", "-"]).assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).expect("standard output is JSON alone");
    insta::assert_json_snapshot!(report, {
        ".run.aliascope" => "[version]",
        ".run.command" => "[words]",
        ".run.time" => "[time]",
        ".run.model.path" => "[model]",
        ".run.images.names[]" => "[photo]",
        ".run.threads" => "[number]",
        ".generators.*.by_image.*[]" => "[number]",
        ".generators.*.lee" => "[number]",
        ".generators.*.mean_abs" => "[number]",
        ".generators.*.relative" => "[number]",
        ".gram.matrix[][]" => "[number]",
        ".gram.input_gram[][]" => "[number]",
        ".generators.*.summary.geometric_mean.value" => "[number]",
        ".generators.*.summary.mean.value" => "[number]",
        ".generators.*.relative_geometric_mean.value" => "[number]",
        ".generators.*.fisher.geometric_mean.value" => "[number]",
        ".generators.*.fisher.mean.value" => "[number]",
        ".generators.*.margin_rate.median.value" => "[number]",
        ".margins.by_image[]" => "[number]",
        ".horizon.pixels" => "[number]",
        ".horizon.ratios[]" => "[number]",
        ".horizon.by_image[][]" => "[number]",
        ".symmetry_spectrum[].eigenvalue" => "[number]",
        ".symmetry_spectrum[].direction.*" => "[number]",
        ".timing.*" => "[number]",
    });

    // What follows by linearity does follow.
    let lee = |name: &str| report["generators"][name]["lee"].as_f64().unwrap();
    let gram = |i: usize, j: usize| report["gram"]["matrix"][i][j].as_f64().unwrap();
    let close = |a: f64, b: f64| assert!((a - b).abs() <= 1e-12 * (a.abs() + b.abs()), "{a} {b}"); // sums in f64
    close(lee("shear_x"), gram(4, 4));
    close(lee("rotate"), gram(4, 4) - 2.0 * gram(4, 5) + gram(5, 5));
    close(lee("scale"), gram(2, 2) + 2.0 * gram(2, 3) + gram(3, 3));
    // An eigenvalue is the relative LEE along its direction, along which the images change by 1.
    let input = |i: usize, j: usize| report["gram"]["input_gram"][i][j].as_f64().unwrap();
    let names = ["translate_x", "translate_y", "stretch_x", "stretch_y", "shear_x", "shear_y"];
    let directions = report["symmetry_spectrum"].as_array().unwrap();
    assert_eq!(directions.len(), 6);
    for direction in directions {
        let a = names.map(|name| direction["direction"][name].as_f64().unwrap());
        let form = |of: &dyn Fn(usize, usize) -> f64| -> f64 {
            (0..6).map(|i| (0..6).map(|j| a[i] * a[j] * of(i, j)).sum::<f64>()).sum()
        };
        // Sums over six directions whose sizes differ by a few hundreds.
        assert!((form(&input) - 1.0).abs() < 1e-9);
        assert!((form(&gram) / direction["eigenvalue"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    }
}

#[test]
fn outputs_are_written_and_never_replaced_unasked() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let run = || {
        let mut command = lee(&lite0(), &chelsea());
        command.args(["--generator", "all,rotate+0.5*saturate"]);
        for (flag, name) in
            [("--json", "lee.json"), ("--csv", "lee.csv"), ("--vectors", "lee.safetensors"), ("--plot", "lee.svg")]
        {
            command.arg(flag).arg(path(name));
        }
        command
    };
    run().assert().success().stdout(predicate::str::contains("rotate+0.5*saturate"));
    let mut names: Vec<String> =
        fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["lee-tangents.png", "lee.csv", "lee.json", "lee.safetensors", "lee.svg"]);

    let bytes = fs::read(path("lee.safetensors")).unwrap();
    let vectors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(vectors.tensor("lie/translate_x").unwrap().shape(), [1, 1000]);
    assert_eq!(vectors.tensor("value").unwrap().shape(), [1, 1000]);
    let floats = |name: &str| -> Vec<f32> {
        let tensor = vectors.tensor(&format!("lie/{name}")).unwrap();
        tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
    };
    // LEE is the mean square of the vectors, to single precision.
    let report: Value = serde_json::from_slice(&fs::read(path("lee.json")).unwrap()).unwrap();
    for name in ["translate_x", "rotate", "rotate+0.5*saturate"] {
        let mean = floats(name).iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() / 1000.0;
        let lee = report["generators"][name]["lee"].as_f64().unwrap();
        assert!((mean - lee).abs() <= 1e-5 * lee, "{name}: {mean} {lee}");
    }

    // The values are a softmax's: positive, and 1 together.
    let value = vectors.tensor("value").unwrap();
    let value: Vec<f32> = value.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert!(value.iter().all(|&p| p >= 0.0) && (value.iter().sum::<f32>() - 1.0).abs() <= 1e-5);

    refuses(run(), 6, &["exists", "--force"]);
    run().arg("--force").assert().success();
    let mut command = lee(&lite0(), &chelsea());
    command.args(["--json", "/proc/no/such/place.json"]);
    refuses(command, 6, &["/proc/no/such/place.json"]);
    let mut command = lee(&lite0(), &chelsea());
    command.arg("--plot").arg(path("figure.gif"));
    refuses(command, 2, &[".svg, .png or .pdf"]);
}

#[test]
fn an_image_to_image_network_moves_its_output() {
    let output = lee(&asset("models/ppocr-v4-det.onnx"), &chelsea())
        .args(["--input-shape", "1,3,96,160", "--preprocess", "half", "--json", "-", "--precision", "f64"])
        .assert()
        .success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(report["run"]["output"]["action"], "image");
    assert_eq!(report["run"]["output"]["function"], "identity");
    assert_eq!(report["run"]["model"]["output_shape"], serde_json::json!([1, 1, 96, 160]));
}

#[test]
fn models_that_cannot_be_used_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let photo = chelsea();

    refuses(lee(&folder.join("none.onnx"), &photo), 3, &["none.onnx", "cannot be read"]);
    refuses(lee(folder, &photo), 3, &["folder"]);
    refuses(lee(&saved(folder, "empty.onnx", b""), &photo), 3, &["empty"]);
    refuses(lee(&saved(folder, "text.onnx", b"this is no model\n"), &photo), 3, &["not an ONNX model"]);
    let whole = fs::read(lite0()).unwrap();
    refuses(lee(&saved(folder, "half.onnx", &whole[..whole.len() / 2]), &photo), 3, &["half.onnx", "cut off"]);

    let unknown = model(&FIXED, vec![node("Frobnicate", &["x"], "y")], vec![]);
    refuses(
        lee(&saved_model(folder, &unknown), &photo),
        4,
        &["/body/Frobnicate", "opset 17", "not supported", "nearest supported are", "inspect"],
    );
    let mut attribute = node("Relu", &["x"], "y");
    attribute.attribute =
        vec![AttributeProto { name: text("slope"), r#type: Some(1), f: Some(0.1), ..Default::default() }];
    let attribute = model(&FIXED, vec![attribute], vec![]);
    refuses(lee(&saved_model(folder, &attribute), &photo), 4, &["/body/Relu", "'slope'", "opset 17"]);

    let open = model(&[Some(1), Some(3), None, None], vec![node("Relu", &["x"], "y")], vec![]);
    refuses(lee(&saved_model(folder, &open), &photo), 3, &["[1, 3, ?, ?]", "--input-shape 1,3,224,224"]);
    for shape in ["1,3", "1,3,0,32", "2,4,32,32"] {
        let mut wrong = lee(&saved_model(folder, &open), &photo);
        wrong.args(["--input-shape", shape]);
        refuses(wrong, 2, &["--input-shape", shape, "[1, 3, ?, ?]"]);
    }
    let mut fixed = lee(&saved_model(folder, &open), &photo);
    fixed.args(["--input-shape", "1,3,32,32", "--quiet"]).assert().success();

    let cycle = model(&FIXED, vec![node("Add", &["x", "z"], "y"), node("Relu", &["y"], "z")], vec![]);
    refuses(lee(&saved_model(folder, &cycle), &photo), 3, &["/body/Add", "'z'", "cycle"]);
    let constant = TensorProto { name: text("c"), data_type: Some(1), float_data: vec![1.0], ..Default::default() };
    let still = model(&FIXED, vec![node("Relu", &["c"], "y")], vec![constant]);
    refuses(lee(&saved_model(folder, &still), &photo), 3, &["does not depend on the input"]);
    let nan = TensorProto { name: text("c"), data_type: Some(1), float_data: vec![f32::NAN], ..Default::default() };
    let nan = model(&FIXED, vec![node("Add", &["x", "c"], "y")], vec![nan]);
    refuses(lee(&saved_model(folder, &nan), &photo), 7, &["'c'", "NaN", "/body/Add"]);
    let log = model(&FIXED, vec![node("Log", &["x"], "y")], vec![]);
    refuses(lee(&saved_model(folder, &log), &photo), 7, &["NaN", "chelsea.png"]);
}

#[test]
fn images_that_cannot_be_used_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let small = saved_model(folder, &model(&FIXED, vec![node("Relu", &["x"], "y")], vec![]));

    refuses(lee(&small, &folder.join("none.png")), 5, &["none.png"]);
    refuses(lee(&small, &saved(folder, "empty.png", b"")), 5, &["empty.png"]);
    refuses(lee(&small, &saved(folder, "text.png", b"no pixels here, only words")), 5, &["text.png", "PNG or JPEG"]);
    let whole = fs::read(chelsea()).unwrap();
    refuses(lee(&small, &saved(folder, "half.png", &whole[..whole.len() / 2])), 5, &["half.png", "cut off"]);
    // A header of 0 × 0 pixels, with the checksum that belongs to it.
    let mut none = whole.clone();
    none[16..24].fill(0);
    let sum = crc32(&none[12..29]).to_be_bytes();
    none[29..33].copy_from_slice(&sum);
    refuses(lee(&small, &saved(folder, "none.png", &none)), 5, &["none.png", "no pixels"]);
    let nothing = folder.join("nothing");
    fs::create_dir(&nothing).unwrap();
    refuses(lee(&small, &nothing), 5, &["nothing", "no .png"]);

    let tensor = |name: &str, key: &str, shape: Vec<usize>, values: Vec<f32>| {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape, &bytes).unwrap();
        let path = folder.join(name);
        fs::write(&path, safetensors::serialize([(key, view)], None).unwrap()).unwrap();
        path
    };
    let count = 2 * 3 * 16 * 16;
    let good = tensor("good.safetensors", "x", vec![2, 3, 16, 16], (0..count).map(|i| i as f32 * 0.01).collect());
    let mut command = lee(&small, &good);
    let output = command.args(["--json", "-"]).assert().success();
    let report: Value = serde_json::from_slice(&output.get_output().stdout).unwrap();
    assert_eq!(report["run"]["images"]["names"].as_array().map(Vec::len), Some(2));
    assert_eq!(report["run"]["images"]["preprocess"], "tensor (taken as it is)");
    refuses(lee(&small, &tensor("key.safetensors", "z", vec![1, 3, 16, 16], vec![0.0; 768])), 5, &["'x'", "'z'"]);
    refuses(lee(&small, &tensor("shape.safetensors", "x", vec![3, 16, 16], vec![0.0; 768])), 5, &["[N, 3, 16, 16]"]);
    let nan = tensor("nan.safetensors", "x", vec![1, 3, 16, 16], vec![f32::NAN; 768]);
    refuses(lee(&small, &nan), 7, &["nan.safetensors[0]", "NaN"]);
}

/// PNG's checksum of a chunk.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn places_that_cannot_be_written_are_refused_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let with = |flag: &str, path: &Path| {
        // A model that is not there: were it looked at first, the status would be 3.
        let mut command = lee(Path::new("none.onnx"), &chelsea());
        command.arg(flag).arg(path);
        command
    };
    let taken = saved(folder.path(), "taken", b"kept");
    for flag in ["--json", "--csv", "--vectors"] {
        refuses(with(flag, &taken), 6, &["taken", "exists", "--force"]);
        refuses(with(flag, &taken.join("lee")), 6, &["taken is not a folder"]);
        refuses(with(flag, folder.path()), 6, &["is a folder"]);
        refuses(with(flag, Path::new("/proc/sys/lee.json")), 6, &["/proc/sys/lee.json", "cannot be written"]);
    }
    assert_eq!(fs::read(&taken).unwrap(), b"kept");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let locked = folder.path().join("locked");
        fs::create_dir(&locked).unwrap();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
        // Root may write there all the same.
        if fs::write(locked.join("probe"), "").is_err() {
            refuses(with("--json", &locked.join("lee.json")), 6, &["lee.json", "cannot be written"]);
        }
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_with_a_sentence_and_leaves_nothing() {
    use std::io::{BufRead, BufReader, Read};
    use std::process::Stdio;

    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("lee.json");
    let photos = asset("photos");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_aliascope"))
        .arg("lee")
        .arg(lite0())
        // Far more than can be done before the signal comes.
        .args(std::iter::once("--images".as_ref()).chain(std::iter::repeat_n(photos.as_os_str(), 40)))
        .args(["--verbose", "--json"])
        .arg(&out)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    // The note on how the network is run says that the measurement begins.
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.starts_with("note: threads: "), "{line}");
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest}");
    let message = rest.lines().find(|line| line.starts_with("aliascope: "));
    assert_eq!(message, Some("aliascope: interrupted; outputs that were not finished are not there"), "{rest}");
    assert!(!rest.contains("panicked") && !rest.contains("terminate called"), "{rest}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "no half-written file");
}

#[test]
fn photos_of_other_kinds_are_converted_and_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let small = saved_model(folder, &model(&FIXED, vec![node("Relu", &["x"], "y")], vec![]));
    let grey = folder.join("grey.png");
    image::GrayImage::from_fn(20, 20, |x, y| image::Luma([(x * y) as u8])).save(&grey).unwrap();
    let deep = folder.join("deep.png");
    image::ImageBuffer::from_fn(20, 20, |x, y| image::Rgb([(x * 3000) as u16, (y * 3000) as u16, 9]))
        .save(&deep)
        .unwrap();
    let clear = folder.join("clear.png");
    image::RgbaImage::from_fn(20, 20, |x, y| image::Rgba([x as u8, y as u8, 9, 100])).save(&clear).unwrap();
    for (path, note) in [(grey, "greyscale"), (deep, "16 bits"), (clear, "alpha")] {
        lee(&small, &path).assert().success().stderr(predicate::str::contains(note));
    }
    // Of several photos, one note each, with how many they are; what is passed over and what is assumed is said too.
    std::fs::write(folder.join("other.webp"), b"").unwrap();
    let told = lee(&small, folder).assert().success();
    let told = String::from_utf8_lossy(&told.get_output().stderr).into_owned();
    for note in [
        "note: 1 of 3 photos is greyscale and was repeated over the colour channels: grey.png\n",
        "note: 1 of 3 photos has an alpha channel, which was dropped: clear.png\n",
        "note: passed over, as they are no PNG or JPEG images by their names: other.webp\n",
        "--preprocess imagenet is assumed\n",
    ] {
        assert_eq!(told.matches(note).count(), 1, "{note} in\n{told}");
    }
    lee(&small, folder)
        .args(["--limit", "2", "--seed", "1"])
        .assert()
        .success()
        .stdout(predicate::str::contains("2 images"));
}

#[test]
fn wrong_usage_is_refused() {
    let with = |arguments: &[&str]| {
        let mut command = lee(&lite0(), &chelsea());
        command.args(arguments);
        command
    };
    for (arguments, word) in [
        (["--generator", "rotat"], "rotate"),
        (["--derivative", "spectrall"], "spectral"),
        (["--grid", "middle"], "tracked"),
        (["--device", "tpu"], "cuda"),
        (["--threads", "0"], "0"),
    ] {
        with(&arguments).assert().code(2).stdout("").stderr(predicate::str::contains(word));
    }
    refuses(with(&["--derivative", "authors", "--boundary", "periodic"]), 2, &["authors", "periodic"]);
    refuses(with(&["--device", "cuda:7"]), 8, &["cuda:7"]);
    let mut logits = lee(&asset("models/ppocr-v4-det.onnx"), &chelsea());
    logits.args(["--input-shape", "1,3,32,32", "--output", "softmax"]);
    refuses(logits, 2, &["softmax", "identity"]);
}

#[test]
fn doctor_says_what_is_here() {
    let words = predicate::str::contains("libtorch").and(predicate::str::contains("2.13.0"));
    aliascope().arg("doctor").assert().success().stdout(words.and(predicate::str::contains("efficientnet-lite0.onnx")));
}

#[test]
fn how_a_network_is_run_is_said_where_asked() {
    let network = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/vit.onnx");
    let mut verbose = lee(&network, &asset("photos/chelsea.png"));
    verbose.args(["--verbose", "--threads", "1"]).assert().success().stderr(
        predicate::str::contains("threads: 1; images at once: 1")
            .and(predicate::str::contains("Attention"))
            .and(predicate::str::contains("channels last in memory")),
    );
}

#[test]
fn the_order_of_memory_is_measured_once_where_that_pays() {
    let cache = tempfile::tempdir().unwrap();
    let network = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/resnet.onnx");
    let run = |images: usize, order: &[&str]| {
        let mut command = aliascope();
        command.env("ALIASCOPE_CACHE", cache.path()).arg("lee").arg(&network).arg("--images");
        command.args(vec![asset("photos/chelsea.png"); images]).args(["--verbose", "--threads", "1"]).args(order);
        let output = command.assert().success().get_output().clone();
        String::from_utf8(output.stderr).unwrap()
    };
    let kept = cache.path().join("memory-format.json");
    assert!(run(1, &[]).contains("channels last in memory (not measured"));
    assert!(
        run(1, &["--memory-order", "channels-first"]).contains("channels first in memory (as --memory-format says)")
    );
    assert!(!kept.exists());

    assert!(run(64, &[]).contains("measured and kept in"));
    let json: Value = serde_json::from_slice(&fs::read(&kept).unwrap()).unwrap();
    let (key, _) = json.as_object().unwrap().iter().next().unwrap();
    assert!(key.starts_with("resnet.onnx") && key.ends_with("1 threads"), "{key}");
    assert!(run(64, &[]).contains("measured earlier in"));
    // Of a short run the numbers do not depend on what ran before.
    assert!(run(1, &[]).contains("channels last in memory (not measured"));

    // What was measured decides; a damaged file is nobody's choice.
    let slow = serde_json::json!({ key.as_str(): { "channels_last_ms": 9.0, "channels_first_ms": 5.0 } });
    fs::write(&kept, slow.to_string()).unwrap();
    assert!(run(64, &[]).contains("channels first in memory (measured earlier"));
    fs::write(&kept, "{").unwrap();
    assert!(run(64, &[]).contains("measured and kept in"));
}

/// One generator has one tangent, and the same error as among seven.
#[test]
fn generators_that_were_asked_for_are_swept_alone() {
    let json = |generators: &[&str]| -> Value {
        let mut command = lee(&lite0(), &chelsea());
        for generator in generators {
            command.args(["--generator", generator]);
        }
        let output = command.args(["--json", "-"]).assert().success();
        serde_json::from_slice(&output.get_output().stdout).unwrap()
    };
    let all = json(&[]);
    let swept = |report: &Value| -> Vec<String> {
        report["gram"]["order"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((swept(&all).len(), all["symmetry_spectrum"].as_array().unwrap().len()), (7, 6));
    for (asked, reported, carried) in [
        (&["translate_x"][..], vec!["translate_x"], vec!["translate_x"]),
        (&["rotate,translate_y"], vec!["rotate", "translate_y"], vec!["translate_y", "shear_x", "shear_y"]),
        (&["scale", "2*scale"], vec!["scale", "2*scale"], vec!["stretch_x", "stretch_y"]),
    ] {
        let report = json(asked);
        let names: Vec<&String> = report["generators"].as_object().unwrap().keys().collect();
        let mut wanted = reported.clone();
        wanted.sort_unstable();
        assert_eq!(names, wanted, "{asked:?}");
        assert_eq!(swept(&report), carried);
        assert!(report["symmetry_spectrum"].as_array().unwrap().is_empty());
        for key in ["lee", "relative", "mean_abs"] {
            let of = |report: &Value| report["generators"][reported[0]][key].as_f64().unwrap();
            // Rounding of single precision in batches of another size.
            assert!((of(&report) / of(&all) - 1.0).abs() < 1e-4, "{asked:?} {key}");
        }
    }
}

#[test]
fn a_batch_is_as_large_as_the_memory_allows() {
    let run = |memory: &str, batch: &str| {
        let folder = tempfile::tempdir().unwrap();
        let json = folder.path().join("lee.json");
        let mut command = lee(&lite0(), &chelsea());
        command.arg("--images").args([chelsea(), asset("photos/moon.png"), asset("photos/coffee.png")]);
        command.args(["--batch", batch, "--memory", memory, "--json"]).arg(&json);
        let assert = command.assert().success();
        let report: Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
        let lee = report["generators"]["rotate"]["lee"].as_f64().unwrap();
        (lee, String::from_utf8_lossy(&assert.get_output().stderr).into_owned())
    };
    // An image takes some 170 MiB, and each further one some 150.
    let (whole, notes) = run("4000", "3");
    assert!(!notes.contains("--batch"), "{notes}");
    let (lowered, notes) = run("350", "3");
    assert!(
        notes.contains("note: --batch 3 takes about") && notes.contains("350 MiB are free: --batch 2 is taken"),
        "{notes}"
    );
    // Rounding depends on the batch, results on nothing else.
    assert!((lowered / whole - 1.0).abs() < 1e-4, "{lowered} beside {whole}");
    let mut none = lee(&lite0(), &chelsea());
    none.args(["--batch", "3", "--memory", "50"]);
    refuses(none, 8, &["efficientnet-lite0.onnx", "one image takes about", "50 MiB are free", "--memory"]);
}
