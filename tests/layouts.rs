//! Layouts: which axes of a value are rows and columns is followed entry by entry through tokens, windows and heads,
//! or is said not to be known.

use std::path::Path;

use aliascope::graph::layout::Layout;
use aliascope::graph::operator::Operator;
use aliascope::graph::{LoadOptions, Network, ValueInfo};
use tch::{Kind, Tensor};

use crate::common::drawing::normal;
use crate::common::weightless::timm;

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
    // The weights of an attention relate two positions.
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
        // Every residual sum has a layout, whatever mixes positions between two of them.
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
        assert_eq!(network.output().layout, Layout::NonSpatial, "{name}");
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
    // Operators that only move entries change no map: channel sums over the positions stay as they are.
    let mut compared = 0;
    for name in ["vit", "swin", "convnext", "mixer", "xcit"] {
        let network = family(name);
        let shape = network.input().shape.clone();
        let x = normal(&[&[1], shape.as_slice()].concat(), Kind::Double, 1);
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
            let positions = (map.grid.rows.samples * map.grid.columns.samples) as i64;
            Some((
                maps.numel(),
                maps.reshape([-1, positions]).square().sum_dim_intlist([0i64].as_slice(), false, None::<Kind>),
            ))
        };
        for step in network.steps() {
            let Operator::Linear(op) = &*step.operator else { continue };
            let [input] = step.inputs[..] else { continue };
            if !op.pattern().selects() || op.offset().is_some() {
                continue;
            }
            if let (Some((n, before)), Some((m, after))) = (sums(input), step.outputs[0].and_then(sums))
                && n == m
            {
                compared += 1;
                assert!(crate::common::relative(&after, &before) < 1e-14, "{name}: {}", step.name);
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

/// Every value of one run.
fn values(network: &Network, x: &Tensor) -> Vec<Option<Tensor>> {
    let mut stacks: Vec<Option<Tensor>> = network.values().iter().map(|_| None).collect();
    let mut keep = |id: usize, value: &aliascope::graph::Value| {
        stacks[id] = Some(value.stack.copy());
        Ok(())
    };
    let _ = network.forward_observed(x, &mut keep).unwrap();
    stacks
}

/// How alike maps `[…, rows, columns]` are to others displaced by so many rows and columns, going around, over how
/// alike they are where they are most alike; the correlation is summed over all maps, without their means. None where
/// all are constant.
fn agreement(moved: &Tensor, maps: &Tensor, [down, right]: [i64; 2]) -> Option<f64> {
    let size = maps.size();
    let [rows, columns] = [size[size.len() - 2], size[size.len() - 1]];
    let centred = |x: &Tensor| {
        let x = x.reshape([-1, rows, columns]);
        let mean = x.mean_dim([1i64, 2].as_slice(), true, None::<Kind>);
        x - mean
    };
    let (a, b) = (centred(moved), centred(maps));
    let energy = |x: &Tensor| f64::try_from(x.square().sum(Kind::Double)).unwrap();
    if energy(&b) < 1e-20 * energy(maps) {
        return None;
    }
    let spectrum = |x: &Tensor| x.fft_fft2(None::<&[i64]>, [-2i64, -1].as_slice(), "backward");
    let product = (spectrum(&a) * spectrum(&b).conj()).sum_dim_intlist([0i64].as_slice(), false, None::<Kind>);
    let correlation = product.fft_ifft2(None::<&[i64]>, [-2i64, -1].as_slice(), "backward").real();
    if down >= rows || right >= columns {
        return Some(0.0);
    }
    Some(correlation.double_value(&[down, right]) / correlation.max().double_value(&[]))
}

/// Every value, image by image, less the mean over the images: what padding and positions alone make of it falls out.
fn contrasts(network: &Network, images: &Tensor) -> Vec<Option<Tensor>> {
    let stacks = values(network, images).into_iter();
    stacks.map(|stack| stack.map(|x| &x - x.mean_dim([0i64].as_slice(), true, None::<Kind>))).collect()
}

/// A network, one of its exporters, and the fewest samples along rows and columns that are compared: of four samples
/// two are at an edge, and what padding makes of each image is no part of the layout.
const MOVED: [(&str, &str, usize); 15] = [
    ("resnet", "traced", 4),
    ("mobilenetv3", "dynamo", 4),
    ("vit", "traced", 4),
    ("convnext", "traced", 4),
    ("swin", "dynamo", 4),
    ("efficientvit", "traced", 4),
    ("mobilevitv2", "dynamo", 4),
    ("mobilevit", "dynamo", 8),
    ("hiera", "traced", 4),
    ("levit", "traced", 4),
    ("crossvit", "traced", 4),
    ("sequencer", "traced", 4),
    ("nextvit", "traced", 4),
    ("lambda", "traced", 8),
    ("volo", "dynamo", 4),
];

/// What noise in the place of weights leaves constant: a softmax over all positions of which one gets everything, the
/// same one for every image.
const SATURATED: [(&str, &str); 1] = [("lambda", "/stages/stages.3/stages.3.0/self_attn/Softmax_output_0")];

#[test]
fn maps_of_timm_networks_move_with_the_image() {
    for (name, by, fewest) in MOVED {
        let network = timm(name, by, Kind::Float);
        let [_, _, rows, columns] = network.input().shape[..] else { panic!("{:?}", network.input().shape) };
        let x = normal(&[8, 1, 3, rows, columns], Kind::Float, 2);
        let still = contrasts(&network, &x);
        // Down by a half, to the right by a quarter: whole numbers of samples on all but the coarsest grids.
        let shifts = if columns % 64 == 0 { vec![[0.5, 0.25]] } else { vec![[0.5, 0.0], [0.0, 0.5]] };
        let (mut compared, mut wrong) = (0, Vec::new());
        for [down, right] in shifts {
            let pixels = [down * rows as f64, right * columns as f64].map(|pixels| pixels as i64);
            let moved = contrasts(&network, &x.roll(pixels, [-2, -1]));
            for (id, info) in network.values().iter().enumerate() {
                let Layout::Map(map) = &info.layout else { continue };
                if SATURATED.contains(&(name, info.name.as_str())) {
                    continue;
                }
                let by = [2.0 * down / map.grid.rows.pitch, 2.0 * right / map.grid.columns.pitch];
                let coarse = [map.grid.rows, map.grid.columns].iter().any(|axis| axis.samples < fewest);
                if coarse || by.iter().any(|samples| samples.fract() != 0.0) {
                    continue;
                }
                let maps = |of: &Option<Tensor>| map.gather(of.as_ref().unwrap()).unwrap();
                let by = by.map(|samples| samples as i64);
                let Some(found) = agreement(&maps(&moved[id]), &maps(&still[id]), by) else { continue };
                compared += 1;
                if found < 0.5 {
                    wrong.push(format!("{} {:?} ({}): {found}", info.name, info.shape, info.layout.describe()));
                }
            }
        }
        assert!(wrong.is_empty(), "{name} {by}: {} of {compared} do not move with the image: {wrong:#?}", wrong.len());
        assert!(compared > 30, "{name} {by}: only {compared} values were compared");
    }
}
