//! The networks that examples train: built-in symmetries, ONNX files, and a study of one epoch.

#[path = "../examples/training/mod.rs"]
mod example;

use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::LieTerm;
use aliascope::measure::lee::{LeeMeter, LeeOptions, Output};
use aliascope::{FunctionOptions, Outcome};
use tch::nn::VarStore;
use tch::{Device, Kind, Tensor};

use example::architecture::{Family, Size};
use example::augmentation::Augmentation;
use example::export::export;
use example::images::Labelled;
use example::layers::{Bases, BatchNorm, GroupConvolution, GroupPool, Layer, MaxPool, Relu, Sequence};
use example::onnx_file::onnx_file;
use example::recipe::Recipe;
use example::record::Trained;
use example::rotation::turned;
use example::run::{Data, train};
use example::study::study;

use crate::common::drawing::seeded;

const FAMILIES: [Family; 6] = [Family::Cnn, Family::FilteredCnn, Family::P4, Family::C8, Family::Vit, Family::Mixer];

/// Smooth images, `[images, channels, 28, 28]` or of another side, in double precision.
fn waves(images: i64, channels: i64, side: i64) -> Tensor {
    let value = |at: i64| ((at * at % 8_191) as f64 * 0.37 + at as f64 * 0.11).sin();
    let values: Vec<f64> = (0..images * channels * side * side).map(value).collect();
    Tensor::from_slice(&values).view([images, channels, side, side])
}

fn largest(t: &Tensor) -> f64 {
    t.abs().max().double_value(&[])
}

/// Maps of all orientations, `[images, channels · orientations, …]`, turned by quarters: each one's plane turns, and the
/// orientations move on.
fn moved(x: &Tensor, quarters: i64, orientations: i64) -> Tensor {
    let size = x.size();
    let split = x.view([size[0], size[1] / orientations, orientations, size[2], size[3]]);
    split.rot90(quarters, [3, 4]).roll([quarters * orientations / 4], [2]).reshape(size)
}

#[test]
fn group_layers_turn_with_the_image_by_quarters_to_rounding() {
    let _turn = seeded(1);
    for bases in [
        Bases::quarters(3),
        Bases::quarters(5),
        Bases::eighths(3, &[(1.2, 2)]),
        Bases::eighths(5, &[(1.0, 2), (2.0, 3)]),
    ] {
        let mut store = VarStore::new(Device::Cpu);
        let g = bases.orientations();
        let lifting = GroupConvolution::lifting(&(store.root() / "a"), &bases, [2, 3]);
        let between = GroupConvolution::between(&(store.root() / "b"), &bases, [3, 2]);
        let norm = BatchNorm::new(&(store.root() / "n"), 3, g);
        store.double();
        let (image, maps) = (waves(2, 2, 8), waves(2, 3 * g, 8));
        for quarters in 1..4 {
            let turn = |x: &Tensor| x.rot90(quarters, [2, 3]);
            let close = |found: Tensor, wanted: Tensor, what: &str| {
                // Sums of some hundred products of numbers of size 1; the eighths' sampled waves err by roundings of sines.
                let error = largest(&(&found - &wanted));
                assert!(error < 1e-12 * largest(&wanted), "{what}, {g} orientations: {error:.1e}");
            };
            close(
                lifting.forward(&turn(&image), false),
                moved(&lifting.forward(&image, false), quarters, g),
                "lifting",
            );
            let turned = moved(&maps, quarters, g);
            close(between.forward(&turned, false), moved(&between.forward(&maps, false), quarters, g), "between");
            close(norm.forward(&turned, true), moved(&norm.forward(&maps, true), quarters, g), "norm");
            close(MaxPool.forward(&turned, false), moved(&MaxPool.forward(&maps, false), quarters, g), "max pool");
            let pool = GroupPool { orientations: g };
            close(pool.forward(&turned, false), turn(&pool.forward(&maps, false)), "group pool");
        }
    }
}

/// The same kernels and outputs as escnn's (Weiler and Cesa, 2019), from the taps that its filters have at the first
/// orientation: recorded by scripts/record_escnn.py.
#[test]
fn p4_convolutions_are_those_of_escnn() {
    let _turn = seeded(0);
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/escnn-p4.safetensors");
    let recorded: std::collections::HashMap<String, Tensor> =
        Tensor::read_safetensors(path).unwrap().into_iter().collect();
    let check = |layer: GroupConvolution, store: &VarStore, filter: &Tensor, [x, y]: [&Tensor; 2]| {
        let weight = store.trainable_variables().pop().unwrap();
        let first = filter.view([weight.size()[0], 4, weight.size()[1], weight.size()[2], -1]).select(1, 0);
        tch::no_grad(|| weight.shallow_clone().copy_(&first));
        // Its filters are sums of a steerable basis in single precision; outputs add some tens of products.
        assert!(largest(&(layer.kernel() - filter)) < 1e-6 * largest(filter));
        assert!(largest(&(layer.forward(x, false) - y)) < 1e-5 * largest(y));
    };
    let store = VarStore::new(Device::Cpu);
    let lifting = GroupConvolution::lifting(&store.root(), &Bases::quarters(5), [1, 2]);
    check(lifting, &store, &recorded["lifting"], [&recorded["x"], &recorded["lifted"]]);
    let store = VarStore::new(Device::Cpu);
    let between = GroupConvolution::between(&store.root(), &Bases::quarters(3), [2, 3]);
    check(between, &store, &recorded["between"], [&recorded["lifted"], &recorded["output"]]);
}

/// A filter that was turned the wrong way, or orientations that move on the wrong way, would pass no test of p4 above by
/// chance alone; this one sees that a filter is not the same at all orientations.
#[test]
fn orientations_of_a_group_convolution_differ() {
    let _turn = seeded(2);
    let store = VarStore::new(Device::Cpu);
    let bases = Bases::eighths(3, &[(1.2, 2)]);
    let kernel = GroupConvolution::lifting(&store.root(), &bases, [1, 1]).kernel();
    for g in 1..8 {
        assert!(largest(&(kernel.get(g) - kernel.get(0))) > 0.05, "{g}");
    }
}

/// Between quarters C8 is not exact on a grid, and much nearer to it than p4: LEE measures the rest.
#[test]
fn eighths_are_more_equivariant_than_quarters_between_them() {
    let lee = |bases: Bases| {
        let _turn = seeded(3);
        let store = VarStore::new(Device::Cpu);
        let orientations = bases.orientations();
        let network = Sequence::default()
            .then(GroupConvolution::lifting(&store.root(), &bases, [1, 24 / orientations]))
            .then(Relu)
            .then(GroupPool { orientations })
            .then(example::layers::GlobalMean);
        let function = FunctionOptions::new("network", [1, 28, 28]);
        let options = LeeOptions {
            output: Some(Output::Identity),
            generators: vec!["rotate".parse().unwrap()],
            ..Default::default()
        };
        let mut meter = LeeMeter::of_function(move |x| network.forward(x, false), &function, options).unwrap();
        // A smooth blob off the middle, black at the edge.
        let value = |at: i64| {
            let (x, y) = ((at % 28) as f64 - 16.0, (at / 28) as f64 - 11.0);
            (-(x * x / 18.0 + y * y / 5.0)).exp()
        };
        let values: Vec<f64> = (0..28 * 28).map(value).collect();
        let x = Tensor::from_slice(&values).view([1, 1, 1, 28, 28]);
        meter.measure(&x, &["blob".to_owned()]).unwrap();
        let values = meter.results()["rotate"].lee;
        values / largest(&x).powi(2)
    };
    let [p4, c8] = [lee(Bases::quarters(5)), lee(Bases::eighths(5, &[(1.0, 2), (2.0, 3)]))];
    assert!(c8 < 0.2 * p4, "{c8:.2e} {p4:.2e}");
}

#[test]
fn networks_have_as_many_parameters_within_a_fifth() {
    let _turn = seeded(0);
    let counts = FAMILIES.map(|family| {
        let store = VarStore::new(Device::Cpu);
        family.network(Size::Medium, &store).unwrap();
        store.trainable_variables().iter().map(Tensor::numel).sum::<usize>()
    });
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(*most as f64 <= 1.2 * *least as f64, "{FAMILIES:?} {counts:?}");
}

/// Every family, with running statistics that are not those of the beginning.
#[test]
fn onnx_files_say_what_was_built_and_know_where_maps_lie() {
    let x = waves(2, 1, 28).to_kind(Kind::Float);
    for family in FAMILIES {
        let _turn = seeded(4);
        let store = VarStore::new(Device::Cpu);
        let network = family.network(Size::Small, &store).unwrap();
        let _ = tch::no_grad(|| network.forward(&x, true));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.onnx");
        export(&network, "net", &x, &path).unwrap();
        let loaded = Network::open(&path).unwrap();
        let unknown = loaded.values().iter().filter(|value| value.layout.describe() == "–" && !value.relates);
        let unknown: Vec<_> = unknown.map(|value| (&value.name, &value.shape)).collect();
        assert!(unknown.is_empty(), "{family}: {unknown:?}");
    }
}

/// The p4 network's scores do not see quarter turns; the others' do.
#[test]
fn p4_and_c8_networks_are_invariant_to_quarter_turns() {
    let x = waves(2, 1, 28).to_kind(Kind::Float);
    for family in FAMILIES {
        let _turn = seeded(5);
        let store = VarStore::new(Device::Cpu);
        let network = family.network(Size::Medium, &store).unwrap();
        let scores = |x: &Tensor| tch::no_grad(|| network.forward(x, false));
        let change = largest(&(scores(&x.rot90(1, [2, 3])) - scores(&x))) / largest(&scores(&x));
        // Single precision through five layers.
        let exact = change < 1e-4;
        assert_eq!(exact, matches!(family, Family::P4 | Family::C8), "{family}: {change:.1e}");
    }
}

#[test]
fn images_turn_exactly() {
    let x = waves(3, 1, 28);
    let quarters = turned(&x, &[90, 180, 270]);
    for (at, quarter) in [(0, 1), (1, 2), (2, 3)] {
        // Weights of sines, a thousand of them.
        assert!(largest(&(quarters.get(at) - x.get(at).rot90(quarter, [1, 2]))) < 1e-11);
    }
    // A smooth blob a long way from the edge, against the formula.
    let blob = |angle: f64| {
        let (sin, cos) = angle.to_radians().sin_cos();
        let value = |at: i64| {
            let (x, y) = ((at % 28) as f64 - 13.5, (at / 28) as f64 - 13.5);
            let (x, y) = (cos * x - sin * y, sin * x + cos * y);
            (-((x - 1.0).powi(2) / 7.0 + (y + 2.0).powi(2) / 6.0)).exp()
        };
        Tensor::from_slice(&(0..28 * 28).map(value).collect::<Vec<f64>>()).view([1, 1, 28, 28])
    };
    // A Gaussian of √3 pixels has e^{−3π²/2} = 4·10⁻⁷ left at the Nyquist frequency.
    let error = largest(&(turned(&blob(0.0), &[37]) - blob(37.0)));
    assert!(error < 4e-6, "{error:.1e}");
}

/// Ten classes of bright spots at ten places, which anything learns.
fn data() -> Data {
    let count = 120;
    let value = |at: i64| {
        let (image, place) = (at / 784, at % 784);
        let class = image % 10;
        let (x, y) =
            ((place % 28) as f64 - (4 + 5 * (class % 5)) as f64, (place / 28) as f64 - (9 + 10 * (class / 5)) as f64);
        (-(x * x + y * y) / (4.0 + (image / 10) as f64 * 0.3)).exp()
    };
    let pixels: Vec<f64> = (0..count * 784).map(value).collect();
    let all = Labelled {
        pixels: Tensor::from_slice(&pixels).to_kind(Kind::Float).view([count, 1, 28, 28]),
        classes: Tensor::arange(count, (Kind::Int64, Device::Cpu)).remainder(10),
        names: (0..count).map(|at| format!("{at}")).collect(),
    };
    let [train, test] = all.split(100, 20, 0).unwrap();
    Data {
        name: "spots".to_owned(),
        upright: Some(train.pixels.shallow_clone()),
        train,
        test,
        lee_images: [8, 8],
        along: "rotate".parse().unwrap(),
        generators: vec!["rotate".parse().unwrap()],
    }
}

fn recipe(family: Family, lee_weight: f64) -> Recipe {
    Recipe {
        family,
        size: Size::Small,
        augmentation: Augmentation::Rotation,
        lee_weight,
        seed: 0,
        epochs: 1,
        batch: 20,
        rate: 3e-3,
        threads: 1,
    }
}

#[test]
fn a_split_shares_no_image_and_training_repeats_to_the_last_bit() {
    let _turn = seeded(0);
    let data = data();
    assert!(data.train.names.iter().all(|name| !data.test.names.contains(name)));
    for recipe in [recipe(Family::Vit, 0.0), recipe(Family::Cnn, 0.02)] {
        let mut heard = 0;
        let first = train(&recipe, &data, &mut |_| heard += 1).unwrap();
        let second = train(&recipe, &data, &mut |_| {}).unwrap();
        assert_eq!((&first.record.epochs, heard), (&second.record.epochs, 1), "{}", recipe.name());
        let [a, b] =
            [first, second].map(|outcome| onnx_file(&outcome.network, "net", [1, 28, 28]).unwrap().to_bytes().unwrap());
        assert_eq!(a, b);
    }
}

/// The LEE term's pass is the training pass: running statistics move in it as in any other.
#[test]
fn the_lee_term_trains_the_same_network() {
    let _turn = seeded(6);
    let x = waves(5, 1, 28).to_kind(Kind::Float) + 0.3;
    let term = LieTerm::new("rotate".parse().unwrap(), [28, 28], (Kind::Float, Device::Cpu)).unwrap();
    let after = |with_term: bool| {
        tch::manual_seed(6);
        let store = VarStore::new(Device::Cpu);
        let network = Family::Cnn.network(Size::Small, &store).unwrap();
        for _ in 0..3 {
            let _ = match with_term {
                true => term.of(|x| network.forward(x, true), &x).unwrap().0,
                false => network.forward(&x, true),
            };
        }
        tch::no_grad(|| network.forward(&x, false))
    };
    let [plain, with_term] = [after(false), after(true)];
    assert!(largest(&(&plain - &with_term)) < 1e-5 * largest(&plain), "{plain:?} {with_term:?}");
}

#[test]
fn a_study_goes_on_where_it_stopped() {
    let _turn = seeded(0);
    let (data, folder) = (data(), tempfile::tempdir().unwrap());
    let recipes = [recipe(Family::Mixer, 0.0), recipe(Family::Vit, 0.0)];
    let first = study(&recipes[..1], &data, folder.path()).unwrap();
    let both = study(&recipes, &data, folder.path()).unwrap();
    assert_eq!((first.as_slice(), both.len()), (&both[..1], 2));
    // Another recipe of the same name, and other images, are not taken up.
    let path = folder.path().join("mixer-small+rotation-0.json");
    assert_eq!(Trained::read(&path, &recipes[0], "spots").as_ref(), first.first());
    let longer = Recipe { epochs: 2, ..recipes[0].clone() };
    assert!(Trained::read(&path, &longer, "spots").is_none() && Trained::read(&path, &recipes[0], "digits").is_none());
    assert!(first[0].lee.text(80).unwrap().contains("rotate"));
    let loaded = Network::load(&path.with_extension("onnx"), &LoadOptions::default()).unwrap();
    assert_eq!(loaded.input().shape, [1, 1, 28, 28]);
    let kinds = example::summary::kinds(&both);
    assert_eq!(kinds.len(), 2);
    let table = example::summary::table(&kinds, "rotate");
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
}
