//! Where samples lie depends on what a layer does, not on how a file writes it, and a value that is put together of maps
//! a part of a sample apart has a place, and a defect.

use aliascope::graph::layout::Layout;
use aliascope::graph::onnx::proto::{GraphProto, NodeProto, TensorProto};
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::layers::{Grouping, LayerMeter, LayersOptions};
use aliascope::measure::layers_report::{LayerClass, LayerResults};
use aliascope::symmetry::{Axis, Grid, GridKind};
use tch::{Kind, Tensor};

use crate::common::drawing::normal;
use crate::common::model::{Value, attribute, doubles, floats, ints, model, node};

/// A model from `x` of the given shape to `y`, in double precision.
fn network(shape: &[i64], nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Network {
    let graph = GraphProto {
        node: nodes,
        initializer: constants,
        input: vec![floats("x", shape)],
        output: vec![aliascope::graph::onnx::proto::ValueInfoProto {
            name: Some("y".to_owned()),
            ..Default::default()
        }],
        ..Default::default()
    };
    Network::from_file(&model(graph, 17), &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

fn with(mut of: NodeProto, attributes: Vec<aliascope::graph::onnx::proto::AttributeProto>) -> NodeProto {
    of.attribute = attributes;
    of
}

fn resize(mode: &'static str, coordinates: &'static str, rounding: &'static str, scale: f64) -> Network {
    let attributes = vec![
        attribute("mode", Value::Text(mode)),
        attribute("coordinate_transformation_mode", Value::Text(coordinates)),
        attribute("nearest_mode", Value::Text(rounding)),
    ];
    let resized = with(node("Resize", &["x", "", "scales"], &["y"]), attributes);
    network(&[1, 2, 6, 6], vec![resized], vec![doubles("scales", &[4], &[1.0, 1.0, scale, scale])])
}

fn noise(shape: &[i64]) -> Tensor {
    normal(&[&[1], shape].concat(), Kind::Double, 7)
}

fn output(of: &Network, x: &Tensor) -> Tensor {
    of.forward(x).unwrap()
}

fn grid(of: &Network) -> Grid {
    match &of.output().layout {
        Layout::Map(map) => map.grid,
        other => panic!("{other:?}"),
    }
}

/// All of them are one function, and so have one grid, whose first sample lies at the input's index `first`.
fn agree(networks: &[(&str, Network)], first: f64) {
    let x = noise(&[1, 2, 6, 6]);
    let (_, reference) = &networks[0];
    let pixel = Axis::image(6, GridKind::Tracked);
    for (name, network) in networks {
        assert!(output(network, &x).allclose(&output(reference, &x), 1e-14, 1e-14, false), "{name}: another function");
        assert!(grid(network).agrees_with(&grid(reference)), "{name}: {:?}, not {:?}", grid(network), grid(reference));
        let at = (grid(network).rows.origin - pixel.origin) / pixel.pitch;
        assert!((at - first).abs() < 1e-12, "{name}: the first sample at {at}, not {first}");
    }
}

/// A depthwise convolution, transposed or not, with a kernel of `weight` in each of two channels.
fn depthwise(operator: &str, size: i64, weight: f64) -> Network {
    let kernel = doubles("w", &[2, 1, size, size], &vec![weight; 2 * (size * size) as usize]);
    let attributes = vec![
        attribute("group", Value::Int(2)),
        attribute("strides", Value::Ints(vec![size, size])),
        attribute("kernel_shape", Value::Ints(vec![size, size])),
    ];
    network(&[1, 2, 6, 6], vec![with(node(operator, &["x", "w"], &["y"]), attributes)], vec![kernel])
}

#[test]
fn repeated_samples_lie_about_the_one_that_they_repeat() {
    // Twelve rows out of six, each twice, as a product with a matrix; so for columns.
    let repeat: Vec<f64> = (0..12 * 6).map(|at| f64::from(at % 6 == at / 6 / 2)).collect();
    let transposed: Vec<f64> = (0..6 * 12).map(|at| f64::from(at / 12 == at % 12 / 2)).collect();
    let product = network(
        &[1, 2, 6, 6],
        vec![node("MatMul", &["r", "x"], &["rows"]), node("MatMul", &["rows", "c"], &["y"])],
        vec![doubles("r", &[12, 6], &repeat), doubles("c", &[6, 12], &transposed)],
    );
    let channels = ints("four", &[8], &[0, 1, 0, 1, 0, 1, 0, 1]);
    let depth = network(
        &[1, 2, 6, 6],
        vec![
            with(node("Gather", &["x", "four"], &["deep"]), vec![attribute("axis", Value::Int(1))]),
            with(node("DepthToSpace", &["deep"], &["y"]), vec![attribute("blocksize", Value::Int(2))]),
        ],
        vec![channels],
    );
    agree(
        &[
            ("nearest", resize("nearest", "asymmetric", "floor", 2.0)),
            ("nearest, half pixels", resize("nearest", "half_pixel", "round_prefer_floor", 2.0)),
            ("nearest, corners", resize("nearest", "align_corners", "round_prefer_floor", 2.0)),
            ("transposed convolution", depthwise("ConvTranspose", 2, 1.0)),
            ("depth to space", depth),
            ("matrices", product),
        ],
        -0.25,
    );
    agree(
        &[
            ("nearest", resize("nearest", "asymmetric", "floor", 3.0)),
            ("transposed convolution", depthwise("ConvTranspose", 3, 1.0)),
        ],
        -1.0 / 3.0,
    );
}

#[test]
fn kept_and_averaged_samples_lie_where_they_were() {
    let slice = |start: i64, step: i64| {
        network(
            &[1, 2, 6, 6],
            vec![node("Slice", &["x", "start", "end", "axes", "step"], &["y"])],
            vec![
                ints("start", &[2], &[start; 2]),
                ints("end", &[2], &[6, 6]),
                ints("axes", &[2], &[2, 3]),
                ints("step", &[2], &[step; 2]),
            ],
        )
    };
    agree(
        &[
            ("every second", slice(0, 2)),
            ("nearest", resize("nearest", "asymmetric", "floor", 0.5)),
            ("linear", resize("linear", "asymmetric", "floor", 0.5)),
            ("nearest, half pixels", resize("nearest", "half_pixel", "round_prefer_floor", 0.5)),
        ],
        0.0,
    );
    agree(
        &[
            ("the middle of three", slice(1, 3)),
            ("nearest", resize("nearest", "half_pixel", "round_prefer_floor", 1.0 / 3.0)),
            ("linear", resize("linear", "half_pixel", "floor", 1.0 / 3.0)),
        ],
        1.0,
    );
    agree(
        &[("linear", resize("linear", "half_pixel", "floor", 0.5)), ("convolution", depthwise("Conv", 2, 0.25))],
        0.5,
    );
}

fn named(of: NodeProto, name: &str) -> NodeProto {
    NodeProto { name: Some(name.to_owned()), ..of }
}

/// A branch of 3×3 taps in stride 2 and one of 1×1, as TensorFlow pads them, put together; then a head.
fn branches(operator: &str, swapped: bool) -> Network {
    let shape = [1, 2, 12, 12];
    let random = |name: &str, shape: &[i64]| {
        let values: Vec<f64> = Vec::try_from(noise(shape).reshape([-1]) * 0.3).unwrap();
        doubles(name, shape, &values)
    };
    let strides = || attribute("strides", Value::Ints(vec![2, 2]));
    let wide = vec![strides(), attribute("pads", Value::Ints(vec![0, 0, 1, 1]))];
    let order = if swapped { ["b", "a"] } else { ["a", "b"] };
    let joined = match operator {
        "Concat" => with(node("Concat", &order, &["joined"]), vec![attribute("axis", Value::Int(1))]),
        other => node(other, &order, &["joined"]),
    };
    let channels = if operator == "Concat" { 4 } else { 2 };
    let nodes = vec![
        named(with(node("Conv", &["x", "w3"], &["a"]), wide), "/wide/Conv"),
        named(with(node("Conv", &["x", "w1"], &["b"]), vec![strides()]), "/narrow/Conv"),
        named(joined, "/joined"),
        named(node("Relu", &["joined"], &["act"]), "/act/Relu"),
        named(node("GlobalAveragePool", &["act"], &["pooled"]), "/pool/GlobalAveragePool"),
        named(node("Flatten", &["pooled"], &["flat"]), "/flat/Flatten"),
        named(node("MatMul", &["flat", "head"], &["y"]), "/head/MatMul"),
    ];
    let constants = vec![random("w3", &[2, 2, 3, 3]), random("w1", &[2, 2, 1, 1]), random("head", &[channels, 5])];
    network(&shape, nodes, constants)
}

fn layers(network: &Network, generator: &str, compute_zeros: bool) -> LayerResults {
    let options = LayersOptions::new(generator.parse().unwrap());
    let mut meter =
        LayerMeter::new(network, LayersOptions { grouping: Grouping::Node, compute_zeros, ..options }).unwrap();
    meter.measure(&noise(&[1, 2, 12, 12]), &["noise".to_owned()], &mut |_, _| {}).unwrap();
    meter.results()
}

#[test]
fn branches_half_a_sample_apart_meet_halfway_and_the_disagreement_is_the_sum_s() {
    for operator in ["Add", "Concat", "Mul"] {
        let network = branches(operator, false);
        let at = |name: &str| {
            let step = network.steps().iter().find(|step| step.name == name).unwrap();
            match &network.values()[step.outputs[0].unwrap()].layout {
                Layout::Map(map) => map.grid.rows,
                other => panic!("{name}: {other:?}"),
            }
        };
        let pixel = Axis::image(12, GridKind::Tracked);
        assert_eq!(at("/wide/Conv"), pixel.resampled(1.0, 2.0, 6));
        assert_eq!(at("/narrow/Conv"), pixel.resampled(0.0, 2.0, 6));
        for name in ["/joined", "/act/Relu"] {
            assert!(at(name).agrees_with(&pixel.resampled(0.5, 2.0, 6)), "{operator} {name}: {:?}", at(name));
        }
        let swapped = branches(operator, true);
        let of = |network: &Network| {
            let step = network.steps().iter().find(|step| step.name == "/joined").unwrap();
            network.values()[step.outputs[0].unwrap()].layout.clone()
        };
        assert_eq!(of(&network), of(&swapped), "{operator}: the order of the branches decides");
        for generator in ["rotate", "stretch_x", "translate_x"] {
            let results = layers(&network, generator, false);
            let sum: f64 = results.layers.iter().filter_map(|layer| layer.signed_share).sum();
            // Shares of a squared norm, to rounding of double precision.
            assert!((sum - 1.0).abs() < 1e-10, "{operator} {generator}: {sum}");
            assert!(results.conservation_residual < 1e-10, "{operator} {generator}: {}", results.conservation_residual);
            let joined = results.layers.iter().find(|layer| layer.name == "/joined").unwrap();
            let class = if operator == "Mul" { LayerClass::Nonlinearity } else { LayerClass::Misalignment };
            assert_eq!(joined.class, class, "{operator} {generator}");
            // A translation's field is the same wherever samples lie: two branches apart make no error of it.
            let moves = generator != "translate_x" || operator == "Mul";
            assert_eq!(joined.contribution > 1e-20, moves, "{operator} {generator}: {}", joined.contribution);
        }
    }
}

/// A norm that is written out is named by its module; an activation that is called after it stays one.
#[test]
fn an_activation_of_a_norms_name_is_a_nonlinearity() {
    let nodes = vec![
        named(node("Mul", &["x", "x"], &["square"]), "/block/norm/Mul"),
        named(node("Relu", &["square"], &["act"]), "/block/norm/act/Relu"),
        named(node("GlobalAveragePool", &["act"], &["pooled"]), "/pool/GlobalAveragePool"),
        named(node("Flatten", &["pooled"], &["y"]), "/flat/Flatten"),
    ];
    let results = layers(&network(&[1, 2, 12, 12], nodes, Vec::new()), "rotate", false);
    let class = |name: &str| results.layers.iter().find(|layer| layer.name == name).unwrap().class;
    assert_eq!(class("/block/norm/Mul"), LayerClass::Normalisation);
    assert_eq!(class("/block/norm/act/Relu"), LayerClass::Nonlinearity);
}

#[test]
fn one_sample_has_nowhere_to_go() {
    // A pool over everything, written as a window; what comes of it after a resize, beside a map.
    let pool = with(node("AveragePool", &["x"], &["pooled"]), vec![attribute("kernel_shape", Value::Ints(vec![6, 6]))]);
    let resized =
        with(node("Resize", &["pooled", "", "", "sizes"], &["large"]), vec![attribute("mode", Value::Text("linear"))]);
    let joined = with(node("Concat", &["large", "x"], &["y"]), vec![attribute("axis", Value::Int(1))]);
    let network = network(&[1, 2, 6, 6], vec![pool, resized, joined], vec![ints("sizes", &[4], &[1, 2, 6, 6])]);
    let layouts: Vec<String> = network.values()[1..].iter().map(|value| value.layout.describe()).collect();
    assert_eq!(layouts, ["non-spatial", "non-spatial", "6×6 plane"]);
    assert_eq!(grid(&network), Grid::image(6, 6, GridKind::Tracked));
}

#[test]
fn windows_share_queries_and_convolutions_without_losing_their_places() {
    // Windows of 2×2 of a 4×4 map on the batch axis; a convolution in them; then queries that all windows share: the means
    // over the windows, one for each place in a window of the coarse map.
    let random = |name: &str, shape: &[i64]| {
        let values: Vec<f64> = Vec::try_from(noise(shape).reshape([-1])).unwrap();
        doubles(name, shape, &values)
    };
    let transpose = |of: &str, to: &str, order: &[i64]| {
        with(node("Transpose", &[of], &[to]), vec![attribute("perm", Value::Ints(order.to_vec()))])
    };
    let nodes = vec![
        node("Reshape", &["x", "cut"], &["pieces"]),
        transpose("pieces", "turned", &[0, 2, 4, 1, 3, 5]),
        node("Reshape", &["turned", "windows"], &["windowed"]),
        with(node("Conv", &["windowed", "w"], &["mixed"]), vec![attribute("pads", Value::Ints(vec![1; 4]))]),
        node("Reshape", &["mixed", "flat"], &["keys"]),
        transpose("keys", "values", &[0, 2, 1]),
        with(
            node("ReduceMax", &["turned"], &["most"]),
            vec![attribute("axes", Value::Ints(vec![4, 5])), attribute("keepdims", Value::Int(0))],
        ),
        node("Reshape", &["most", "queries_shape"], &["queries"]),
        node("Expand", &["queries", "all"], &["shared"]),
        node("MatMul", &["shared", "keys"], &["products"]),
        with(node("Softmax", &["products"], &["weights"]), vec![attribute("axis", Value::Int(-1))]),
        node("MatMul", &["weights", "values"], &["attended"]),
        node("Add", &["values", "attended"], &["y"]),
    ];
    let constants = vec![
        ints("cut", &[6], &[1, 2, 2, 2, 2, 2]),
        ints("windows", &[4], &[4, 2, 2, 2]),
        ints("flat", &[3], &[4, 2, 4]),
        ints("queries_shape", &[3], &[1, 4, 2]),
        ints("all", &[3], &[4, 4, 2]),
        random("w", &[2, 2, 3, 3]),
    ];
    let network = network(&[1, 2, 4, 4], nodes, constants);
    let layout = |name: &str| {
        let value = network.values().iter().find(|value| value.name == name).unwrap();
        value.layout.describe()
    };
    for name in ["windowed", "mixed", "keys", "values", "y"] {
        assert_eq!(layout(name), "4×4 in windows", "{name}");
    }
    let grid_of = |name: &str| match &network.values().iter().find(|value| value.name == name).unwrap().layout {
        Layout::Map(map) => map.grid,
        other => panic!("{name}: {other:?}"),
    };
    // The largest of each window lies at its centre, and so does what every window makes of the shared queries.
    let pixel = Axis::image(4, GridKind::Tracked);
    for name in ["most", "attended"] {
        assert!(grid_of(name).rows.agrees_with(&pixel.resampled(0.5, 2.0, 2)), "{name}: {:?}", grid_of(name));
    }
    for name in ["products", "weights"] {
        assert_eq!(layout(name), "–", "{name}");
    }
}

fn transposed(of: &str, to: &str, order: &[i64]) -> NodeProto {
    with(node("Transpose", &[of], &[to]), vec![attribute("perm", Value::Ints(order.to_vec()))])
}

fn random(name: &str, shape: &[i64]) -> TensorProto {
    let values: Vec<f64> = Vec::try_from(noise(shape).reshape([-1])).unwrap();
    doubles(name, shape, &values)
}

fn layout_of(of: &Network, name: &str) -> Layout {
    of.values().iter().find(|value| value.name == name).unwrap_or_else(|| panic!("no value {name}")).layout.clone()
}

#[test]
fn merged_patches_of_an_odd_map_lie_where_a_strided_convolution_has_them() {
    // Five rows, padded to six; patches of 2×2 as channels, and a matrix: as a convolution of 2×2 in stride 2.
    let pads = ints("pads", &[8], &[0, 0, 0, 0, 0, 1, 1, 0]);
    let nodes = vec![
        transposed("x", "last", &[0, 2, 3, 1]),
        node("Pad", &["last", "pads"], &["padded"]),
        node("Reshape", &["padded", "cut"], &["pieces"]),
        transposed("pieces", "patches", &[0, 1, 3, 2, 4, 5]),
        node("Reshape", &["patches", "flat"], &["merged"]),
        node("MatMul", &["merged", "w"], &["mixed"]),
        transposed("mixed", "y", &[0, 3, 1, 2]),
    ];
    let weights: Vec<f64> = Vec::try_from(noise(&[8, 5]).reshape([-1])).unwrap();
    let constants = vec![
        pads,
        ints("cut", &[6], &[1, 3, 2, 3, 2, 2]),
        ints("flat", &[4], &[1, 3, 3, 8]),
        doubles("w", &[8, 5], &weights),
    ];
    let merging = network(&[1, 2, 5, 5], nodes, constants);
    let kernel = Tensor::from_slice(&weights).reshape([2, 2, 2, 5]).permute([3, 2, 0, 1]).contiguous();
    let kernel: Vec<f64> = Vec::try_from(kernel.reshape([-1])).unwrap();
    let attributes =
        vec![attribute("strides", Value::Ints(vec![2, 2])), attribute("pads", Value::Ints(vec![0, 0, 1, 1]))];
    let convolution = network(
        &[1, 2, 5, 5],
        vec![with(node("Conv", &["x", "w"], &["y"]), attributes)],
        vec![doubles("w", &[5, 2, 2, 2], &kernel)],
    );
    let x = noise(&[1, 2, 5, 5]);
    assert!(output(&merging, &x).allclose(&output(&convolution, &x), 1e-13, 1e-13, false));
    assert!(grid(&merging).agrees_with(&grid(&convolution)), "{:?} and {:?}", grid(&merging), grid(&convolution));
    assert_eq!(layout_of(&merging, "merged").describe(), "5×5 among channels");
}

#[test]
fn sums_over_every_second_site_lie_nowhere() {
    // Rows as 3 pairs, columns so: sums over a pair lie in its middle, sums over all pairs are of the whole image.
    let sums = |axes: &[i64]| {
        let nodes = vec![
            node("Reshape", &["x", "cut"], &["pieces"]),
            with(
                node("ReduceMean", &["pieces"], &["y"]),
                vec![attribute("axes", Value::Ints(axes.to_vec())), attribute("keepdims", Value::Int(0))],
            ),
        ];
        network(&[1, 2, 6, 6], nodes, vec![ints("cut", &[6], &[1, 2, 3, 2, 3, 2])])
    };
    let pixel = Axis::image(6, GridKind::Tracked);
    assert!(grid(&sums(&[3, 5])).rows.agrees_with(&pixel.resampled(0.5, 2.0, 3)));
    let spread = sums(&[2, 4]);
    assert_eq!((&spread.output().layout, spread.output().relates), (&Layout::Unknown, true));
}

#[test]
fn channels_that_share_an_axis_with_the_sites_are_told_from_them() {
    let nodes = vec![
        node("Reshape", &["x", "flat"], &["one"]),
        node("Relu", &["one"], &["act"]),
        node("Reshape", &["act", "back"], &["plane"]),
        node("Reshape", &["plane", "tokens"], &["channels first"]),
        transposed("channels first", "channels last", &[0, 2, 1]),
        node("Reshape", &["channels last", "flat"], &["other"]),
        node("Concat", &["token", "other"], &["y"]),
    ];
    let nodes = nodes.into_iter().map(|n| match n.op_type.as_deref() {
        Some("Concat") => with(n, vec![attribute("axis", Value::Int(2))]),
        _ => n,
    });
    let constants = vec![
        ints("flat", &[3], &[1, 1, 48]),
        ints("back", &[4], &[1, 3, 4, 4]),
        ints("tokens", &[3], &[1, 3, 16]),
        random("token", &[1, 1, 2]),
    ];
    let network = network(&[1, 3, 4, 4], nodes.collect(), constants);
    assert_eq!(layout_of(&network, "plane").plane(), Some(Grid::image(4, 4, GridKind::Tracked)));
    let x = noise(&[1, 3, 4, 4]);
    let y = output(&network, &x);
    for (name, value) in [("one", x.reshape([1, 1, 1, 48])), ("y", y)] {
        let Layout::Map(map) = layout_of(&network, name) else { panic!("{name}") };
        let maps = map.gather(&value).unwrap();
        let expected = if name == "one" { x.shallow_clone() } else { x.relu() };
        assert!(maps.reshape([3, 4, 4]).equal(&expected.reshape([3, 4, 4])), "{name}");
        let shape = &value.size()[1..];
        assert!(map.gather(&map.scatter(&maps, shape).unwrap()).unwrap().equal(&maps), "{name}");
    }
}

#[test]
fn a_channel_of_constants_is_a_channel() {
    // Linear attention: the values with a channel of ones, whose sums are what it divides by.
    let nodes = |value: &'static str| {
        vec![
            node("Reshape", &["x", "tokens"], &["t"]),
            with(node("Concat", &["t", value], &["joined"]), vec![attribute("axis", Value::Int(1))]),
            transposed("t", "keys", &[0, 2, 1]),
            node("MatMul", &["joined", "keys"], &["context"]),
            node("MatMul", &["context", "t"], &["y"]),
        ]
    };
    let constants = || {
        vec![
            ints("tokens", &[3], &[1, 3, 16]),
            doubles("ones", &[1, 1, 16], &[1.0; 16]),
            random("positions", &[1, 1, 16]),
        ]
    };
    let ones = network(&[1, 3, 4, 4], nodes("ones"), constants());
    assert_eq!(layout_of(&ones, "joined").describe(), "4×4 tokens");
    assert_eq!(ones.output().layout.describe(), "4×4 tokens");
    let positions = network(&[1, 3, 4, 4], nodes("positions"), constants());
    // What differs from site to site does not move with the image: the channel has no places.
    let Layout::Map(map) = layout_of(&positions, "joined") else { panic!("no map") };
    assert_eq!(map.channels.as_ref().map(|channels| channels.len()), Some(3));
}

#[test]
fn sums_of_products_are_followed_by_their_letters() {
    let einsum = |equation: &'static str, inputs: &[&str]| {
        with(node("Einsum", inputs, &["y"]), vec![attribute("equation", Value::Text(equation))])
    };
    let made = |equation: &'static str, second: &'static str, constants: Vec<TensorProto>| {
        let nodes = vec![transposed("x", "last", &[0, 2, 3, 1]), einsum(equation, &["last", second])];
        network(&[1, 3, 4, 5], nodes, constants)
    };
    let constant = |shape: &[i64]| vec![random("c", shape)];
    let of = |network: &Network| (network.output().layout.describe(), network.output().relates);
    // Relative positions: every row its own matrix of channels.
    assert_eq!(of(&made("bhwc,hkc->bhwk", "c", constant(&[4, 7, 3]))), ("4×5 channels last".to_owned(), false));
    assert_eq!(of(&made("bhwc,ck->bkhw", "c", constant(&[3, 2]))), ("4×5 plane".to_owned(), false));
    assert_eq!(of(&made("bhwc,wk->bhkc", "c", constant(&[5, 2]))), ("–".to_owned(), false));
    // Each site with itself, each with each, and both summed away.
    assert_eq!(of(&made("bhwc,bhwc->bhw", "last", vec![])), ("4×5 plane".to_owned(), false));
    assert_eq!(of(&made("bhwc,bijc->bhwij", "last", vec![])), ("–".to_owned(), true));
}
