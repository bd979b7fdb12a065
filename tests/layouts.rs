//! Layouts: which axes of a value are rows and columns is followed entry by entry through tokens, windows and heads,
//! or is said not to be known.

mod common;

use std::path::Path;

use aliascope::graph::layout::Layout;
use aliascope::graph::operator::Operator;
use aliascope::graph::{LoadOptions, Network, ValueInfo};
use tch::{Device, Kind, Tensor};

fn family(name: &str) -> Network {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/families/{name}.onnx"));
    Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

fn value<'a>(network: &'a Network, node: &str) -> &'a ValueInfo {
    let step = network.steps().iter().find(|step| step.name == node).unwrap_or_else(|| panic!("no node {node}"));
    &network.values()[step.outputs[0].unwrap()]
}

#[test]
fn tokens_and_windows_are_followed() {
    let swin = family("swin");
    let layout = |node: &str| value(&swin, node).layout.describe();
    assert_eq!(layout("/patch_embed/Transpose"), "8×8 channels last");
    assert_eq!(layout("/layers/layers.0/blocks/blocks.0/Reshape_4"), "8×8 in windows");
    assert_eq!(layout("/layers/layers.0/blocks/blocks.0/Add_1"), "8×8 tokens");
    // Rolled by half a window, and back.
    assert_eq!(layout("/layers/layers.0/blocks/blocks.1/Concat_1"), "8×8 in windows");
    assert_eq!(layout("/layers/layers.0/blocks/blocks.1/Add"), "8×8 channels last");
    // The weights of an attention relate two sites.
    assert_eq!(value(&swin, "/layers/layers.0/blocks/blocks.0/attn/softmax/Softmax").layout, Layout::Unknown);

    let vit = family("vit");
    let tokens = value(&vit, "/blocks/blocks.0/Add").layout.describe();
    assert!(tokens.starts_with("1 + "), "{tokens}");
    for name in ["resnet", "mobilenet", "vit", "swin", "convnext", "mixer", "xcit"] {
        let network = family(name);
        let unknown: Vec<&str> = network
            .steps()
            .iter()
            .filter(|s| s.op_type == "Add" && network.values()[s.outputs[0].unwrap()].layout == Layout::Unknown)
            .map(|s| s.name.as_str())
            .filter(|name| !name.contains("attn") && !name.contains("mlp_tokens"))
            .collect();
        // Every residual sum has a layout, whatever mixes sites between two of them.
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
        assert_eq!(network.output().layout, Layout::Still, "{name}");
    }
}

#[test]
fn merged_patches_lie_at_the_centres_of_what_they_merge() {
    let swin = family("swin");
    let merged = value(&swin, "/layers/layers.1/downsample/reduction/MatMul");
    let Layout::Map(map) = &merged.layout else { panic!("{:?}", merged.layout) };
    // Patches of 8×8 pixels of 32: pitch 2·8/32, the first one centred on half of that.
    for axis in [map.grid.rows, map.grid.columns] {
        assert_eq!((axis.samples, axis.pitch, axis.origin), (4, 0.5, -0.75));
    }
}

#[test]
fn gathered_maps_are_what_was_moved() {
    // Operators that only move entries change no map: channel sums over the sites stay as they are.
    let mut compared = 0;
    for name in ["vit", "swin", "convnext", "mixer", "xcit"] {
        let network = family(name);
        let shape = network.input().shape.clone();
        tch::manual_seed(1);
        let x = Tensor::randn([&[1], shape.as_slice()].concat(), (Kind::Double, Device::Cpu));
        let mut stacks: Vec<Option<Tensor>> = network.values().iter().map(|_| None).collect();
        let _ = network
            .forward_observed(&x, &mut |id, value| {
                stacks[id] = Some(value.stack.copy());
                Ok(())
            })
            .unwrap();
        let sums = |id: usize| {
            let Layout::Map(map) = &network.values()[id].layout else { return None };
            let maps = map.gather(stacks[id].as_ref().unwrap()).unwrap();
            let sites = (map.grid.rows.samples * map.grid.columns.samples) as i64;
            Some((
                maps.numel(),
                maps.reshape([-1, sites]).square().sum_dim_intlist([0i64].as_slice(), false, None::<Kind>),
            ))
        };
        for step in network.steps() {
            let Operator::Linear(op) = &step.operator else { continue };
            let [input] = step.inputs[..] else { continue };
            if !op.selects() || op.offset().is_some() {
                continue;
            }
            if let (Some((n, before)), Some((m, after))) = (sums(input), step.outputs[0].and_then(sums))
                && n == m
            {
                compared += 1;
                assert!(common::relative(&after, &before) < 1e-14, "{name}: {}", step.name);
            }
        }
        // What is gathered is put back where it was.
        for (id, info) in network.values().iter().enumerate() {
            if let Layout::Map(map) = &info.layout {
                let stack = stacks[id].as_ref().unwrap();
                let back = map.scatter(&map.gather(stack).unwrap(), &info.shape).unwrap();
                assert_eq!(back.size(), stack.size(), "{name}: {}", info.name);
                let again = map.gather(&back).unwrap();
                assert!(again.equal(&map.gather(stack).unwrap()), "{name}: {}", info.name);
            }
        }
    }
    assert!(compared > 50, "only {compared} nodes were compared");
}
