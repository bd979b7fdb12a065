//! Parts of maps, windows that overlap, pools over tokens and scans: where their entries lie is held against where
//! single pixels show, and parts that are put together again leave no trace.

use aliascope::graph::layout::{Layout, PositionMap};
use aliascope::graph::onnx::proto::{GraphProto, NodeProto, TensorProto, ValueInfoProto};
use aliascope::graph::{LoadOptions, Network, ValueInfo};
use aliascope::measure::layers::{Grouping, LayerMeter, LayersOptions};
use tch::{Device, Kind, Tensor};

use crate::common::drawing::{normal, seeded};
use crate::common::model::{Value, attribute, doubles, floats, ints, model, node};

/// A model from `x` of the given shape to `y`, in double precision.
fn network(shape: &[i64], nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Network {
    of_opset(18, shape, nodes, constants)
}

/// As [`network`], where reductions have their axes as attributes.
fn network17(shape: &[i64], nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Network {
    of_opset(17, shape, nodes, constants)
}

fn of_opset(opset: i64, shape: &[i64], nodes: Vec<NodeProto>, constants: Vec<TensorProto>) -> Network {
    let graph = GraphProto {
        node: nodes,
        initializer: constants,
        input: vec![floats("x", shape)],
        output: vec![ValueInfoProto { name: Some("y".to_owned()), ..Default::default() }],
        ..Default::default()
    };
    Network::from_file(&model(graph, opset), &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
}

fn with(operator: &str, inputs: &[&str], output: &str, attributes: &[(&'static str, Value)]) -> NodeProto {
    let mut made = node(operator, inputs, &[output]);
    made.name = Some(format!("/{output}"));
    made.attribute = attributes.iter().map(|(name, value)| attribute(name, value.clone())).collect();
    made
}

fn transpose(input: &str, output: &str, order: &[i64]) -> NodeProto {
    with("Transpose", &[input], output, &[("perm", Value::Ints(order.to_vec()))])
}

/// Rows (or columns) `start`, `start + step`, … of `input` along an axis, as a node and its constants.
fn slice(input: &str, output: &str, axis: i64, [start, end, step]: [i64; 3]) -> (NodeProto, Vec<TensorProto>) {
    let names: Vec<String> = ["start", "end", "axis", "step"].map(|part| format!("{output} {part}")).to_vec();
    let inputs: Vec<&str> = std::iter::once(input).chain(names.iter().map(String::as_str)).collect();
    let constants = names.iter().zip([start, end, axis, step]).map(|(name, v)| ints(name, &[1], &[v])).collect();
    (with("Slice", &inputs, output, &[]), constants)
}

fn concat(inputs: &[&str], output: &str, axis: i64) -> NodeProto {
    with("Concat", inputs, output, &[("axis", Value::Int(axis))])
}

/// Every value of a run on `x`.
fn values(of: &Network, x: &Tensor) -> Vec<Tensor> {
    let mut found: Vec<Option<Tensor>> = of.values().iter().map(|_| None).collect();
    let _ = of
        .forward_observed(x, &mut |id, value| {
            found[id] = Some(value.stack.copy());
            Ok(())
        })
        .unwrap();
    found.into_iter().map(Option::unwrap).collect()
}

fn info<'a>(of: &'a Network, name: &str) -> &'a ValueInfo {
    of.values().iter().find(|value| value.name == name).unwrap_or_else(|| panic!("no value {name}"))
}

fn describe(of: &Network, name: &str) -> String {
    info(of, name).layout.describe()
}

fn map<'a>(of: &'a Network, name: &str) -> &'a PositionMap {
    info(of, name).layout.positions().unwrap_or_else(|| panic!("{name}: {:?}", info(of, name).layout))
}

/// How strongly each pixel shows at each position of each value: what a change of that pixel alone makes of the value's
/// map, summed over its channels, `[pixels, positions]`. Nothing where a value has no map.
fn shown(of: &Network) -> Vec<Option<Tensor>> {
    let [1, channels, rows, columns] = of.input().shape[..] else { panic!("{:?}", of.input().shape) };
    let ground = normal(&[1, 1, channels, rows, columns], Kind::Double, 3);
    let pixels = rows * columns;
    let deltas = Tensor::eye(pixels, (Kind::Double, Device::Cpu)).reshape([pixels, 1, 1, rows, columns]);
    // Small enough that what is not linear is, and large beside rounding.
    let changed = values(of, &(&ground + deltas * 1e-5));
    let before = values(of, &ground);
    let maps = of.values().iter().zip(changed.iter().zip(&before));
    maps.map(|(info, (after, before))| {
        let map = info.layout.positions()?;
        let positions = (map.grid.rows.samples * map.grid.columns.samples) as i64;
        let change = map.gather(&(after - before)).unwrap().reshape([pixels, -1, positions]);
        Some(change.abs().sum_dim_intlist([1i64].as_slice(), false, None::<Kind>))
    })
    .collect()
}

/// Holds every map of a network against where single pixels show: the mean place of the pixels that a position sees,
/// weighed by how strongly, is the place of the position, for all whose window is not cut by the image's edge. Says how
/// many values and how many positions were held.
fn lies_where_pixels_show(of: &Network) -> [usize; 2] {
    let names: Vec<&str> = of.values().iter().map(|value| value.name.as_str()).collect();
    lies_where_pixels_show_of(of, &names)
}

/// As [`lies_where_pixels_show`], of some values.
fn lies_where_pixels_show_of(of: &Network, names: &[&str]) -> [usize; 2] {
    let input = of.input().layout.plane().unwrap();
    let columns = input.columns.samples;
    let mut held = [0, 0];
    for (info, shown) in of.values().iter().zip(shown(of)) {
        let (Some(shown), Some(map)) = (shown, info.layout.positions()) else { continue };
        if !names.contains(&info.name.as_str()) {
            continue;
        }
        let wide = map.grid.columns.samples;
        let weights: Vec<Vec<f64>> = (0..shown.size()[1])
            .map(|position| Vec::try_from(&shown.select(1, position).contiguous()).unwrap())
            .collect();
        let most = weights.iter().map(|w| w.iter().filter(|w| **w > 1e-12).count()).max().unwrap();
        for (position, weights) in weights.iter().enumerate() {
            if weights.iter().filter(|w| **w > 1e-12).count() < most {
                continue;
            }
            let total: f64 = weights.iter().sum();
            let mean = |place: &dyn Fn(usize) -> f64| {
                weights.iter().enumerate().map(|(pixel, w)| w * place(pixel)).sum::<f64>() / total
            };
            let found = [
                mean(&|pixel| input.rows.position((pixel / columns) as f64)),
                mean(&|pixel| input.columns.position((pixel % columns) as f64)),
            ];
            let said =
                [map.grid.rows.position((position / wide) as f64), map.grid.columns.position((position % wide) as f64)];
            for (found, said) in found.iter().zip(said) {
                // Differences of numbers of size 1 over 1e-5.
                assert!((found - said).abs() < 1e-8, "{} position {position}: at {found}, said {said}", info.name);
            }
            held[1] += 1;
        }
        held[0] += 1;
    }
    held
}

/// `x` rolled by three rows and two columns, as the tracing exporter writes it, over the axes given; and back.
fn rolled(rows: i64, columns: i64, last: bool) -> Network {
    let (first, second) = if last { (1, 2) } else { (2, 3) };
    let mut nodes = vec![with("Relu", &["x"], "act", &[])];
    let mut constants = Vec::new();
    if last {
        nodes.push(transpose("act", "map", &[0, 2, 3, 1]));
    } else {
        nodes.push(with("Identity", &["act"], "map", &[]));
    }
    let mut roll = |from: &str, to: &str, axis: i64, at: i64| {
        let parts = [format!("{to} a"), format!("{to} b")];
        for (part, range) in parts.iter().zip([[at, 1 << 40, 1], [0, at, 1]]) {
            let (cut, mut given) = slice(from, part, axis, range);
            nodes.push(cut);
            constants.append(&mut given);
        }
        nodes.push(concat(&[&parts[0], &parts[1]], to, axis));
    };
    roll("map", "down", first, 3);
    roll("down", "both", second, 2);
    roll("both", "back", first, rows - 3);
    roll("back", "home", second, columns - 2);
    nodes.push(with("Sigmoid", &["home"], "y", &[]));
    network(&[1, 2, rows, columns], nodes, constants)
}

#[test]
fn the_two_parts_of_a_rolled_map_are_known_and_leave_no_trace() {
    for last in [false, true] {
        let network = rolled(8, 6, last);
        let parts =
            [("down a", "5×6 of 8×6"), ("down b", "3×6 of 8×6"), ("both a", "8×4 of 8×6"), ("home b", "8×4 of 8×6")];
        for (name, said) in parts {
            assert_eq!(describe(&network, name), said, "{name}");
        }
        for name in ["down", "both"] {
            assert_eq!(describe(&network, name), "8×6 in windows", "{name}");
        }
        assert_eq!(map(&network, "home"), map(&network, "map"));
        let [values, positions] = lies_where_pixels_show(&network);
        assert!(values >= 15 && positions > 300, "{values} {positions}");
        // Nothing but the two functions is a layer: what the parts do to each other is not laid to them.
        let options = LayersOptions::new("rotate".parse().unwrap());
        let mut meter = LayerMeter::new(&network, LayersOptions { grouping: Grouping::Node, ..options }).unwrap();
        let x = normal(&[1, 1, 2, 8, 6], Kind::Double, 3);
        meter.measure(&x, &["noise".to_owned()], &mut |_, _| {}).unwrap();
        let results = meter.results();
        assert!(results.conservation_residual < 1e-10, "{}", results.conservation_residual);
        for layer in &results.layers {
            let own = ["/act", "/y"].contains(&layer.name.as_str());
            assert!(own || layer.contribution < 1e-20, "{}: {}", layer.name, layer.contribution);
        }
    }
}

#[test]
fn slices_lie_where_they_were_taken() {
    // Rows and columns from any start to any end in any step, also backwards, of channels-last maps.
    let ranges = [[0, 8, 2], [1, 8, 2], [1, 7, 3], [2, 5, 1], [7, -9, -1], [6, 1, -2], [0, 8, 1], [3, 4, 1], [5, 8, 2]];
    for rows in ranges {
        for columns in [[0, 6, 1], [1, 6, 2], [0, 5, 2], [5, -7, -2]] {
            let (first, mut constants) = slice("map", "some rows", 1, rows);
            let (second, given) = slice("some rows", "some", 2, columns);
            constants.extend(given);
            let nodes = vec![
                transpose("x", "map", &[0, 2, 3, 1]),
                first,
                second,
                with("Relu", &["some"], "act", &[]),
                with("ReduceMean", &["act"], "y", &[("axes", Value::Ints(vec![1, 2]))]),
            ];
            let network = network17(&[1, 2, 8, 6], nodes, constants);
            // A cut that nothing is put to again is a map of its own, and its mean has no place.
            for name in ["some rows", "some", "act"] {
                assert!(matches!(info(&network, name).layout, Layout::Map(_)), "{name} {rows:?} {columns:?}");
            }
            assert_eq!(network.output().layout, Layout::NonSpatial);
            let _ = lies_where_pixels_show(&network);
        }
    }
}

#[test]
fn subsampled_tokens_are_pooled_and_subsampled_again() {
    // Every second row and column of 12×12 tokens; of those the means of 2×2, and every third.
    let mut constants = vec![
        ints("plane", &[4], &[1, 12, 12, 2]),
        ints("cut", &[6], &[1, 3, 2, 3, 2, 2]),
        ints("flat", &[3], &[1, 36, 2]),
        ints("six", &[4], &[1, 6, 6, 2]),
        doubles("w", &[2, 3], &[0.5, 0.25, 1.0, 0.125, 2.0, 0.75]),
    ];
    let mut cuts = Vec::new();
    for (from, to, axis, range) in
        [("map", "rows", 1, [0, 12, 2]), ("rows", "some", 2, [0, 12, 2]), ("again", "third rows", 1, [1, 6, 3])]
    {
        let (cut, given) = slice(from, to, axis, range);
        cuts.push(cut);
        constants.extend(given);
    }
    let third = cuts.pop().unwrap();
    let mut nodes = vec![transpose("x", "map", &[0, 2, 3, 1])];
    nodes.extend(cuts);
    nodes.extend([
        with("Reshape", &["some", "flat"], "tokens", &[]),
        with("MatMul", &["tokens", "w"], "mixed", &[]),
        with("Reshape", &["some", "cut"], "pieces", &[]),
        with("ReduceMean", &["pieces"], "means", &[("axes", Value::Ints(vec![2, 4])), ("keepdims", Value::Int(0))]),
        with("Reshape", &["tokens", "six"], "again", &[]),
        third,
        with("ReduceMean", &["third rows"], "a", &[("axes", Value::Ints(vec![1, 2])), ("keepdims", Value::Int(0))]),
        with("ReduceMean", &["means"], "b", &[("axes", Value::Ints(vec![1, 2])), ("keepdims", Value::Int(0))]),
        with("ReduceMean", &["mixed"], "c", &[("axes", Value::Ints(vec![1])), ("keepdims", Value::Int(0))]),
        concat(&["a", "b", "c"], "y", 1),
    ]);
    let network = network17(&[1, 2, 12, 12], nodes, constants);
    for (name, said) in [
        ("rows", "6×12 channels last"),
        ("some", "6×6 channels last"),
        ("mixed", "6×6 tokens"),
        ("means", "3×3 channels last"),
        ("third rows", "2×6 channels last"),
        ("a", "non-spatial"),
        ("b", "non-spatial"),
        ("y", "non-spatial"),
    ] {
        assert_eq!(describe(&network, name), said, "{name}");
    }
    assert!(lies_where_pixels_show(&network)[0] >= 9);
}

#[test]
fn interleaved_parts_are_one_map_again_or_merged_at_its_middle() {
    let mut constants = vec![
        doubles("w", &[8, 3], &(1..=24).map(f64::from).collect::<Vec<_>>()),
        ints("apart", &[5], &[1, 3, 1, 6, 2]),
        ints("whole", &[4], &[1, 6, 6, 2]),
    ];
    let mut nodes = vec![transpose("x", "map", &[0, 2, 3, 1])];
    for (name, [down, right]) in [("a", [0, 0]), ("b", [1, 0]), ("c", [0, 1]), ("d", [1, 1])] {
        for (from, to, axis, start) in
            [("map", format!("{name} rows"), 1, down), (&*format!("{name} rows"), name.to_owned(), 2, right)]
        {
            let (cut, given) = slice(from, &to, axis, [start, 6, 2]);
            nodes.push(cut);
            constants.extend(given);
        }
    }
    // Patches, merged; and the even rows beside the odd ones, as rows again.
    nodes.extend([
        concat(&["a", "b", "c", "d"], "patches", 3),
        with("MatMul", &["patches", "w"], "merged", &[]),
        with("Reshape", &["a rows", "apart"], "even", &[]),
        with("Reshape", &["b rows", "apart"], "odd", &[]),
        concat(&["even", "odd"], "pairs", 2),
        with("Reshape", &["pairs", "whole"], "rows", &[]),
        with("ReduceMean", &["rows"], "p", &[("axes", Value::Ints(vec![1, 2])), ("keepdims", Value::Int(0))]),
        with("ReduceMean", &["merged"], "q", &[("axes", Value::Ints(vec![1, 2])), ("keepdims", Value::Int(0))]),
        concat(&["p", "q"], "y", 1),
    ]);
    let network = network17(&[1, 2, 6, 6], nodes, constants);
    for (name, said) in [
        ("a", "3×3 of 6×6"),
        ("d", "3×3 of 6×6"),
        ("odd", "3×6 of 6×6"),
        ("patches", "6×6 among channels"),
        ("merged", "3×3 channels last"),
        ("rows", "6×6 channels last"),
    ] {
        assert_eq!(describe(&network, name), said, "{name}");
    }
    assert_eq!(map(&network, "rows"), map(&network, "map"));
    // The weights are not alike, so the merged maps' mean places are not their middles; the middle is the grid.
    let pixel = network.input().layout.plane().unwrap().rows;
    assert!(map(&network, "merged").grid.rows.agrees_with(&pixel.resampled(0.5, 2.0, 3)));
}

#[test]
fn pools_over_tokens_lie_in_the_middle_of_what_they_pool_or_nowhere() {
    let pooled = |length: i64, columns: i64| {
        let attributes = [("kernel_shape", Value::Ints(vec![length])), ("strides", Value::Ints(vec![length]))];
        let nodes = vec![
            with("Reshape", &["x", "flat"], "tokens", &[]),
            with("AveragePool", &["tokens"], "pooled", &attributes),
            with("Relu", &["pooled"], "y", &[]),
        ];
        network(&[1, 2, 6, columns], nodes, vec![ints("flat", &[3], &[1, 2, 6 * columns])])
    };
    for (length, said) in [(2, "6×3"), (3, "6×2"), (6, "6×1"), (12, "3×1"), (18, "2×1"), (36, "non-spatial")] {
        let network = pooled(length, 6);
        assert!(describe(&network, "y").starts_with(said), "{length}: {}", describe(&network, "y"));
        assert!(lies_where_pixels_show(&network)[0] >= 2);
    }
    // Four of six columns, then two and two of the next row, and so on.
    for length in [4, 9] {
        let network = pooled(length, 6);
        assert_eq!((&network.output().layout, network.output().relates), (&Layout::Unknown, true), "{length}");
    }
    // What is left over after the last whole pool is left out.
    assert_eq!(describe(&pooled(10, 5), "y"), "3×1 tokens");
    assert!(matches!(pooled(7, 7).output().layout, Layout::Map(_)));
}

#[test]
fn windows_that_overlap_lie_at_their_centres_and_are_added_up_where_they_were() {
    // Windows of 3×3 in stride 2, as PyTorch's unfold is written; their means; and the windows, added up again.
    let index: Vec<i64> = (0..3).flat_map(|tap| (0..4).map(move |at| 2 * at + tap)).collect();
    let constants = vec![
        ints("pads", &[8], &[0, 0, 1, 1, 0, 0, 1, 1]),
        ints("index", &[3, 4], &index),
        ints("taps", &[4], &[1, 2, 9, 16]),
        ints("spread", &[4], &[1, 2, 9, 16]),
        ints("blocks", &[3], &[1, 18, 16]),
        ints("image", &[2], &[8, 8]),
        ints("block", &[2], &[3, 3]),
        ints("axes", &[1], &[2]),
        ints("flat", &[3], &[1, 2, 16]),
        ints("weights", &[4], &[1, 16, 9, 9]),
        doubles("w", &[2, 81], &(0..162).map(|at| f64::from(at % 7) - 3.0).collect::<Vec<_>>()),
    ];
    let nodes = vec![
        with("Pad", &["x", "pads"], "padded", &[]),
        with("Gather", &["padded", "index"], "rows", &[("axis", Value::Int(2))]),
        with("Gather", &["rows", "index"], "both", &[("axis", Value::Int(4))]),
        transpose("both", "turned", &[0, 1, 2, 4, 3, 5]),
        with("Reshape", &["turned", "taps"], "windows", &[]),
        with("ReduceMean", &["windows", "axes"], "means", &[("keepdims", Value::Int(1))]),
        with("Expand", &["means", "spread"], "again", &[]),
        with("Reshape", &["again", "blocks"], "columns", &[]),
        with(
            "Col2Im",
            &["columns", "image", "block"],
            "folded",
            &[("strides", Value::Ints(vec![2, 2])), ("pads", Value::Ints(vec![1; 4]))],
        ),
        // Weights for each window from means of 2×2, half a sample beside the windows' centres.
        with(
            "AveragePool",
            &["x"],
            "beside",
            &[("kernel_shape", Value::Ints(vec![2; 2])), ("strides", Value::Ints(vec![2; 2]))],
        ),
        with("Reshape", &["beside", "flat"], "of windows", &[]),
        transpose("of windows", "tokens", &[0, 2, 1]),
        with("MatMul", &["tokens", "w"], "numbers", &[]),
        with("Reshape", &["numbers", "weights"], "of taps", &[]),
        transpose("windows", "values", &[0, 3, 2, 1]),
        with("MatMul", &["of taps", "values"], "weighed", &[]),
        with("ReduceSum", &["weighed"], "sum", &[]),
        with("Add", &["folded", "sum"], "y", &[]),
    ];
    let network = network(&[1, 2, 8, 8], nodes, constants);
    assert_eq!(describe(&network, "windows"), "–");
    assert_eq!(describe(&network, "of taps"), "4×4 tokens");
    assert!(map(&network, "weighed").grid.agrees_with(&map(&network, "means").grid));
    assert!(!map(&network, "weighed").grid.agrees_with(&map(&network, "of taps").grid));
    let pixel = network.input().layout.plane().unwrap().rows;
    assert_eq!(describe(&network, "means"), "4×4 tokens");
    assert!(map(&network, "means").grid.rows.agrees_with(&pixel.resampled(0.0, 2.0, 4)));
    assert_eq!(describe(&network, "folded"), "8×8 plane");
    assert!(map(&network, "folded").grid.agrees_with(&network.input().layout.plane().unwrap()));
}

#[test]
fn a_class_token_that_has_seen_the_whole_map_has_no_site() {
    let random = |name: &str, shape: &[i64]| {
        let values: Vec<f64> = Vec::try_from(normal(shape, Kind::Double, 11).reshape([-1])).unwrap();
        doubles(name, shape, &values)
    };
    let nodes = vec![
        with("Reshape", &["x", "flat"], "channels first", &[]),
        transpose("channels first", "tokens", &[0, 2, 1]),
        with("ReduceMean", &["tokens", "axes"], "query", &[("keepdims", Value::Int(1))]),
        with("MatMul", &["query", "channels first"], "products", &[]),
        with("Softmax", &["products"], "weights", &[("axis", Value::Int(-1))]),
        with("MatMul", &["weights", "tokens"], "seen", &[]),
        with("MatMul", &["seen", "w"], "class", &[]),
        concat(&["class", "tokens"], "joined", 1),
        with("Relu", &["joined"], "y", &[]),
    ];
    let constants = vec![ints("flat", &[3], &[1, 3, 16]), ints("axes", &[1], &[1]), random("w", &[3, 3])];
    let network = network(&[1, 3, 4, 4], nodes, constants);
    assert_eq!(describe(&network, "weights"), "4×4 tokens");
    assert!(info(&network, "seen").relates && info(&network, "class").relates);
    for name in ["joined", "y"] {
        assert_eq!(describe(&network, name), "1 + 4×4 tokens", "{name}");
    }
}

/// The pixel that shows most at each position is the one at the position's place.
fn sees_its_own_place_most(of: &Network, name: &str) {
    let at = of.values().iter().position(|value| value.name == name).unwrap();
    let shown = shown(of)[at].as_ref().unwrap().shallow_clone();
    let grid = map(of, name).grid;
    assert!(grid.agrees_with(&of.input().layout.plane().unwrap()), "{name}: {grid:?}");
    let most: Vec<i64> = Vec::try_from(&shown.argmax(0, false)).unwrap();
    assert_eq!(most, (0..most.len() as i64).collect::<Vec<_>>(), "{name}");
}

#[test]
fn what_is_read_step_by_step_lies_at_its_step() {
    // An LSTM over the rows of every column, both ways, whose states fade: a step shows its own row most.
    let (channels, hidden) = (2, 3);
    let mut weights = vec![0.0; (2 * 4 * hidden * channels) as usize];
    let mut recurrence = vec![0.0; (2 * 4 * hidden * hidden) as usize];
    let turn = seeded(13);
    for list in [&mut weights, &mut recurrence] {
        let noise: Vec<f64> = Vec::try_from(Tensor::randn([list.len() as i64], (Kind::Double, Device::Cpu))).unwrap();
        let scale = if list.len() == (2 * 4 * hidden * channels) as usize { 1.0 } else { 0.1 };
        list.iter_mut().zip(noise).for_each(|(entry, noise)| *entry = scale * noise);
    }
    drop(turn);
    // Input, output, forget and cell gates, and the same for the recurrence.
    let forget = |at: i64| (at / hidden) % 8 == 2;
    let biases: Vec<f64> = (0..2 * 8 * hidden).map(|at| if forget(at) { -3.0 } else { 0.0 }).collect();
    let nodes = vec![
        transpose("x", "steps", &[2, 0, 3, 1]),
        with("Reshape", &["steps", "three"], "sequence", &[]),
        with(
            "LSTM",
            &["sequence", "w", "r", "b"],
            "scanned",
            &[("hidden_size", Value::Int(hidden)), ("direction", Value::Text("bidirectional"))],
        ),
        transpose("scanned", "turned", &[2, 0, 1, 3]),
        with("Reshape", &["turned", "joined"], "y", &[]),
    ];
    let constants = vec![
        ints("three", &[3], &[6, 4, channels]),
        ints("joined", &[3], &[4, 6, 2 * hidden]),
        doubles("w", &[2, 4 * hidden, channels], &weights),
        doubles("r", &[2, 4 * hidden, hidden], &recurrence),
        doubles("b", &[2, 8 * hidden], &biases),
    ];
    let network = network(&[1, 2, 6, 4], nodes, constants);
    for name in ["scanned", "turned", "y"] {
        sees_its_own_place_most(&network, name);
    }
    assert_eq!(map(&network, "y").axes, [-3, -2]);
}

#[test]
fn windows_over_three_axes_and_products_of_a_site_with_itself_stay_in_place() {
    let ones = |name: &str, shape: &[i64]| doubles(name, shape, &vec![0.5; shape.iter().product::<i64>() as usize]);
    let nodes = vec![
        transpose("x", "last", &[0, 2, 3, 1]),
        with("Reshape", &["last", "five"], "volume", &[]),
        with("Conv", &["volume", "w"], "lambdas", &[("pads", Value::Ints(vec![1, 1, 0, 1, 1, 0]))]),
        with("Reshape", &["lambdas", "matrices"], "by position", &[]),
        transpose("by position", "positions first", &[0, 2, 1, 3]),
        with("Reshape", &["last", "vectors"], "queries", &[]),
        with("MatMul", &["queries", "positions first"], "applied", &[]),
        with("Relu", &["applied"], "y", &[]),
    ];
    let constants = vec![
        ints("five", &[5], &[1, 1, 5, 6, 2]),
        ones("w", &[2, 1, 3, 3, 1]),
        ints("matrices", &[4], &[1, 2, 30, 2]),
        ints("vectors", &[4], &[1, 30, 1, 2]),
    ];
    let network = network(&[1, 2, 5, 6], nodes, constants);
    for name in ["volume", "lambdas", "by position", "applied", "y"] {
        assert!(map(&network, name).grid.agrees_with(&network.input().layout.plane().unwrap()), "{name}");
        assert!(matches!(info(&network, name).layout, Layout::Map(_)), "{name}");
    }
    let [held, _] = lies_where_pixels_show_of(&network, &["volume", "lambdas", "by position", "positions first"]);
    assert_eq!(held, 4);
    // A window over an axis whose samples do not follow each other evenly has no centre.
    let nodes = vec![
        with("Reshape", &["x", "flat"], "tokens", &[]),
        with("Gather", &["tokens", "order"], "mixed", &[("axis", Value::Int(2))]),
        with("Conv", &["mixed", "w"], "y", &[("pads", Value::Ints(vec![1, 1]))]),
    ];
    let order: Vec<i64> = (0..16).map(|at| at * 5 % 16).collect();
    let constants = vec![ints("flat", &[3], &[1, 2, 16]), ints("order", &[16], &order), ones("w", &[2, 2, 3])];
    let shuffled = self::network(&[1, 2, 4, 4], nodes, constants);
    assert!(matches!(info(&shuffled, "mixed").layout, Layout::Map(_)));
    assert_eq!(shuffled.output().layout, Layout::Unknown);
}
