//! One small member of each main family: outputs and Lie derivatives are those that PyTorch computed.
//!
//! tests/fixtures/families/record.py made the networks and the recordings, and says what they hold. So did
//! tests/fixtures/torchscript/record.py for modules that scripts/export.py converted.

use std::path::{Path, PathBuf};

use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::lee::{LeeMeter, LeeOptions, Output};
use aliascope::symmetry::MEASURED;
use safetensors::SafeTensors;
use tch::{Kind, Tensor};

use crate::common::relative;

const FAMILIES: [&str; 7] = ["resnet", "mobilenet", "vit", "swin", "convnext", "mixer", "xcit"];

fn fixture(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families").join(file)
}

/// What PyTorch computed in double precision.
struct Recording {
    /// `[images = 1, 1, 3, N, N]`.
    x: Tensor,
    /// `[1, classes]`.
    y: Tensor,
    /// `[generators, classes]`.
    lie: Tensor,
}

fn recording(name: &str) -> Recording {
    let bytes = std::fs::read(fixture(&format!("{name}.safetensors"))).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let generators = header.metadata().clone().unwrap()["generators"].clone();
    let expected: Vec<&str> = MEASURED.iter().map(|generator| generator.name()).collect();
    assert_eq!(generators.split(',').collect::<Vec<_>>(), expected);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |key: &str, kind: Kind| {
        let view = file.tensor(key).unwrap();
        let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        Tensor::from_data_size(view.data(), &shape, kind).to_kind(Kind::Double)
    };
    Recording {
        x: tensor("x", Kind::Float).unsqueeze(0),
        y: tensor("y", Kind::Double),
        lie: tensor("lie", Kind::Double),
    }
}

fn load(name: &str, kind: Kind) -> Network {
    Network::load(&fixture(&format!("{name}.onnx")), &LoadOptions { kind, ..Default::default() }).unwrap()
}

/// The largest relative errors of the output and of any generator's Lie derivative.
fn errors(name: &str, kind: Kind) -> (f64, f64) {
    let recording = recording(name);
    let network = load(name, kind);
    let value = relative(&network.forward(&network.place(&recording.x).unwrap()).unwrap(), &recording.y);
    let options = LeeOptions { output: Some(Output::Logits), ..Default::default() };
    let lie = LeeMeter::new(&network, options).unwrap().lie_derivatives(&recording.x).unwrap();
    let lie = (0..7).map(|i| relative(&lie.get(i), &recording.lie.get(i))).fold(0.0, f64::max);
    (value, lie)
}

#[test]
fn double_precision_agrees_to_rounding() {
    for name in FAMILIES {
        let (value, lie) = errors(name, Kind::Double);
        println!("{name}: output {value:.1e}, L {lie:.1e}");
        // Rounding of 1e-16, grown over some tens of layers and by sums that cancel.
        assert!(value <= 1e-12, "{name}: output {value:.1e}");
        assert!(lie <= 1e-11, "{name}: L {lie:.1e}");
    }
}

#[test]
fn single_precision_agrees_to_its_own_rounding() {
    for name in FAMILIES {
        let (value, lie) = errors(name, Kind::Float);
        println!("{name}: output {value:.1e}, L {lie:.1e}");
        // A unit in the last place is 6e-8; sums over some tens of layers, and ratios of norms that are small, lose some.
        assert!(value <= 1e-5, "{name}: output {value:.1e}");
        assert!(lie <= 1e-4, "{name}: L {lie:.1e}");
    }
}

#[test]
fn every_branch_takes_part() {
    for name in FAMILIES {
        let recording = recording(name);
        let network = load(name, Kind::Double);
        let mut dead = Vec::new();
        // A value or tangent that is zero everywhere would be no test of what comes before it.
        let dx = recording.x.unsqueeze(0);
        let sweep = network.sweep_observed(&recording.x, &dx, &mut |id, value| {
            for entry in 0..value.stack.size()[0] {
                if value.stack.get(entry).abs().sum(Kind::Double).double_value(&[]) == 0.0 {
                    dead.push((network.values()[id].name.clone(), entry));
                }
            }
            Ok(())
        });
        sweep.unwrap();
        // XCiT's class token asks its first question before it has seen the image.
        dead.retain(|(name, entry)| !(name.starts_with("/cls_attn_blocks.0/attn/") && *entry == 1));
        assert!(dead.is_empty(), "{name}: {dead:?}");
    }
}

#[test]
fn converted_modules_compute_what_the_modules_compute() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/torchscript");
    for name in ["traced", "scripted"] {
        let bytes = std::fs::read(folder.join(format!("{name}.safetensors"))).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensor = |key: &str| {
            let view = file.tensor(key).unwrap();
            let shape: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
            Tensor::from_data_size(view.data(), &shape, Kind::Double)
        };
        let options = LoadOptions { kind: Kind::Double, ..Default::default() };
        let network = Network::load(&folder.join(format!("{name}.onnx")), &options).unwrap();
        let error = relative(&network.forward(&tensor("x").unsqueeze(0)).unwrap(), &tensor("y"));
        assert!(error < 1e-12, "{name}: {error:e}");
    }
}
