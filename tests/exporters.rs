//! One network by both of PyTorch's exporters: the same modules, and the same layers with the same errors.
//!
//! tests/fixtures/exporters/record.py made the files, and says what they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::inspect::inspect;
use aliascope::measure::layers::{LayerMeter, LayersOptions};
use aliascope::measure::layers_report::LayerReport;
use aliascope::measure::run::Run;
use tch::{Kind, Tensor};

use crate::common::drawing::normal;
use crate::common::weightless::{NETWORKS, timm};

fn exported(by: &str) -> Network {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/exporters/{by}.onnx"));
    Network::load(&path, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

/// Every layer's contribution by its name and class; a node outside of all modules has a name of its exporter's.
fn layers(network: &Network, x: &Tensor) -> BTreeMap<(String, &'static str), f64> {
    let mut meter = LayerMeter::new(network, LayersOptions::new("rotate".parse().unwrap())).unwrap();
    meter.measure(x, &["noise".to_owned()], &mut |_, _| {}).unwrap();
    let name = |layer: &LayerReport| if layer.module.is_empty() { String::new() } else { layer.name.clone() };
    let layers = meter.results().layers;
    let found: BTreeMap<_, _> = layers.iter().map(|l| ((name(l), l.class.name()), l.contribution)).collect();
    assert_eq!(found.len(), layers.len(), "two layers of one name");
    found
}

#[test]
fn both_exporters_give_the_same_layers() {
    let x = normal(&[1, 1, 3, 16, 16], Kind::Double, 3);
    let (traced, dynamo) = (layers(&exported("traced"), &x), layers(&exported("dynamo"), &x));
    let names = |of: &BTreeMap<(String, &'static str), f64>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&traced), names(&dynamo));
    for expected in ["stem.0", "stages.0.1.conv", "stages.1.0", "layers.0.attn", "layers.0.mlp.act"] {
        assert!(traced.keys().any(|(name, _)| name == expected), "no {expected} among {:?}", names(&traced));
    }
    let most = traced.values().copied().fold(0.0, f64::max);
    for (layer, contribution) in &traced {
        // Each exporter folds batch normalisation into the weights in its own single precision.
        assert!((contribution - dynamo[layer]).abs() < 1e-5 * most, "{layer:?}: {contribution} and {}", dynamo[layer]);
    }
}

#[test]
fn nodes_that_no_name_tells_of_have_their_module_beside_them() {
    let modules = |by: &str| -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for node in inspect(&exported(by), Run::default()).nodes {
            *found.entry(node.module).or_default() += 1;
        }
        found
    };
    let (traced, dynamo) = (modules("traced"), modules("dynamo"));
    assert_eq!(traced.keys().collect::<Vec<_>>(), dynamo.keys().collect::<Vec<_>>());
}

#[test]
fn timm_networks_have_the_same_layers_by_both_exporters() {
    for name in NETWORKS {
        let layers = |by: &str| -> BTreeSet<(String, &'static str)> {
            let network = timm(name, by, Kind::Float);
            let [placed, all] = inspect(&network, Run::default()).placed();
            assert!(placed as f64 >= 0.95 * all as f64, "{name} {by}: {placed} of {all} nodes have a layout");
            let meter = LayerMeter::new(&network, LayersOptions::new("rotate".parse().unwrap())).unwrap();
            let of =
                |l: &LayerReport| (if l.module.is_empty() { String::new() } else { l.name.clone() }, l.class.name());
            meter.results().layers.iter().map(of).collect()
        };
        let (traced, dynamo) = (layers("traced"), layers("dynamo"));
        let only = |a: &BTreeSet<_>, b: &BTreeSet<_>| a.difference(b).cloned().collect::<Vec<(String, &str)>>();
        assert!(
            traced == dynamo,
            "{name}: only traced {:?}, only dynamo {:?}",
            only(&traced, &dynamo),
            only(&dynamo, &traced)
        );
        assert!(traced.len() > 10, "{name}: {traced:?}");
    }
}
