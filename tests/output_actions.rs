//! Outputs that move: tokens, boxes and flows of networks that are equivariant in closed form have no Lie derivative.

use std::fs;
use std::path::Path;

use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::{GraphProto, NodeProto, TensorProto};
use aliascope::graph::{LoadOptions, Network, Target};
use aliascope::measure::layers::{Grouping, LayerMeter, LayersOptions};
use aliascope::measure::lee::{ActionChoice, LeeError, LeeMeter, LeeOptions, Output, OutputAction as LeeOutput};
use aliascope::spectrum::differentiation::Scheme;
use aliascope::symmetry::{Grid, MEASURED, Units};
use assert_cmd::Command;
use prost::Message;
use tch::{Device, Kind, Tensor};

use crate::common::asset;
use crate::common::model::{Value, attribute, doubles, floats, ints, model, node};

const ROWS: i64 = 44;
const COLUMNS: i64 = 52;

/// A blob that is nothing near the edges nor at the Nyquist frequency (10⁻¹⁴ of its peak), with axes along rows and columns: its moments are sums over samples to rounding.
fn blob() -> Tensor {
    let gauss = |n: i64, centre: f64, width: f64| {
        let at = Tensor::arange(n, (Kind::Double, Device::Cpu)) + 0.5 - centre;
        (-(at.square() / (2.0 * width * width))).exp()
    };
    let image = gauss(ROWS, 21.5, 2.5).unsqueeze(1) * gauss(COLUMNS, 24.5, 2.7).unsqueeze(0);
    image.reshape([1, 1, 1, ROWS, COLUMNS])
}

struct Draft {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Draft {
    /// The sum of x, and centre (cx, cy) and standard deviations (sx, sy) of its mass, in pixels: `[1, 1, 1, 1]`.
    fn moments() -> Self {
        let line = |n: i64, power: i32| (0..n).map(|i| (i as f64 + 0.5).powi(power)).collect::<Vec<_>>();
        let constants = vec![
            doubles("px", &[1, 1, 1, COLUMNS], &line(COLUMNS, 1)),
            doubles("py", &[1, 1, ROWS, 1], &line(ROWS, 1)),
            doubles("px2", &[1, 1, 1, COLUMNS], &line(COLUMNS, 2)),
            doubles("py2", &[1, 1, ROWS, 1], &line(ROWS, 2)),
            ints("plane", &[2], &[2, 3]),
        ];
        let mut draft = Self { nodes: Vec::new(), constants };
        draft.sum("x", "m0");
        for axis in ["x", "y"] {
            let of = |what: &str| format!("{what}{axis}");
            for power in ["", "2"] {
                let product = of(&format!("weighed{power}"));
                draft.add("Mul", &["x", &format!("p{axis}{power}")], &product);
                draft.sum(&product, &of(&format!("sum{power}")));
                draft.add("Div", &[&of(&format!("sum{power}")), "m0"], &of(&format!("c{power}")));
            }
            draft.add("Mul", &[&of("c"), &of("c")], &of("square"));
            draft.add("Sub", &[&of("c2"), &of("square")], &of("variance"));
            draft.add("Sqrt", &[&of("variance")], &of("s"));
        }
        draft
    }

    fn add(&mut self, operator: &str, inputs: &[&str], output: &str) -> &mut NodeProto {
        self.nodes.push(node(operator, inputs, &[output]));
        self.nodes.last_mut().unwrap()
    }

    fn sum(&mut self, input: &str, output: &str) {
        self.add("ReduceSum", &[input, "plane"], output);
    }

    fn concat(&mut self, inputs: &[&str], axis: i64, output: &str) {
        self.add("Concat", inputs, output).attribute.push(attribute("axis", Value::Int(axis)));
    }

    fn file(self) -> OnnxFile {
        let graph = GraphProto {
            name: Some("moments".to_owned()),
            node: self.nodes,
            initializer: self.constants,
            input: vec![floats("x", &[1, 1, ROWS, COLUMNS])],
            output: vec![floats("y", &[])],
            ..Default::default()
        };
        model(graph, 21)
    }

    fn network(self) -> Network {
        Network::from_file(&self.file(), &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap()
    }
}

/// Six boxes of the blob, one deviation to each side, `[1, 4, 6]` or `[1, 6, 4]`, after them something that stays.
fn boxes(corners: bool, last: bool) -> Draft {
    let mut draft = Draft::moments();
    let four = if corners {
        for axis in ["x", "y"] {
            draft.add("Sub", &[&format!("c{axis}"), &format!("s{axis}")], &format!("low{axis}"));
            draft.add("Add", &[&format!("c{axis}"), &format!("s{axis}")], &format!("high{axis}"));
        }
        ["lowx", "lowy", "highx", "highy"]
    } else {
        for axis in ["x", "y"] {
            draft.add("Add", &[&format!("s{axis}"), &format!("s{axis}")], &format!("side{axis}"));
        }
        ["cx", "cy", "sidex", "sidey"]
    };
    draft.constants.push(ints("one", &[3], &[1, 1, 1]));
    draft.constants.push(ints("many", &[3], if last { &[1, 6, 1] } else { &[1, 1, 6] }));
    for name in four {
        draft.add("Reshape", &[name, "one"], &format!("{name}/flat"));
    }
    draft.add("Div", &["m0", "m0"], "ratio");
    draft.add("Reshape", &["ratio", "one"], "score");
    let mut five = four.map(|name| format!("{name}/flat")).to_vec();
    five.push("score".to_owned());
    draft.concat(&five.iter().map(String::as_str).collect::<Vec<_>>(), if last { 2 } else { 1 }, "single");
    draft.add("Tile", &["single", "many"], "y");
    draft
}

/// The same boxes with numbers that are shares of the image's sides.
fn boxes_of_one(corners: bool, last: bool) -> Draft {
    let mut draft = boxes(corners, last);
    draft.nodes.last_mut().unwrap().output[0] = "pixels".to_owned();
    let [width, height] = [COLUMNS as f64, ROWS as f64];
    let shape: &[i64] = if last { &[1, 1, 5] } else { &[1, 5, 1] };
    draft.constants.push(doubles("sides", shape, &[width, height, width, height, 1.0]));
    draft.add("Div", &["pixels", "sides"], "y");
    draft
}

fn lie(network: &Network, action: &str, options: LeeOptions) -> Tensor {
    let action = Some(action.parse::<ActionChoice>().unwrap());
    LeeMeter::new(network, LeeOptions { action, ..options }).unwrap().lie_derivatives(&blob()).unwrap()
}

fn largest(x: &Tensor) -> f64 {
    x.abs().max().double_value(&[])
}

#[test]
fn boxes_of_a_moving_blob_move_with_it() {
    for (corners, last) in [(false, false), (false, true), (true, false), (true, true)] {
        let network = boxes(corners, last).network();
        let (right, wrong) = if corners { ("boxes:xyxy", "boxes:xywh") } else { ("boxes:xywh", "boxes:xyxy") };
        for units in [Units::HalfWidth, Units::Pixel] {
            let options = || LeeOptions { units, ..Default::default() };
            let still = lie(&network, "none", options());
            let moved = lie(&network, right, options());
            // Squares of positions are a hundred times the variances that they leave.
            assert!(largest(&moved) < 1e-9 * largest(&still), "{right}, {last}: {}", largest(&moved));
            for (at, generator) in MEASURED.into_iter().enumerate().take(6) {
                assert!(largest(&still.get(at as i64)) > 1e-3, "{generator} moves boxes");
            }
            assert!(largest(&lie(&network, wrong, options())) > 1e-3);
        }
    }
}

#[test]
fn boxes_as_shares_of_the_sides_move_too_and_a_wrong_unit_is_refused() {
    for (corners, last) in [(false, false), (true, true)] {
        let name = if corners { "boxes:xyxy" } else { "boxes:xywh" };
        let [pixels, shares] = [boxes(corners, last).network(), boxes_of_one(corners, last).network()];
        let still = lie(&shares, "none", LeeOptions::default());
        let moved = lie(&shares, &format!("{name}01"), LeeOptions::default());
        assert!(largest(&still) > 1e-3 && largest(&moved) < 1e-9 * largest(&still), "{name}: {}", largest(&moved));
        for (network, given, other) in
            [(&pixels, format!("{name}01"), name.to_owned()), (&shares, name.to_owned(), format!("{name}01"))]
        {
            let action = Some(given.parse::<ActionChoice>().unwrap());
            let mut meter = LeeMeter::new(network, LeeOptions { action, ..Default::default() }).unwrap();
            let message = meter.lie_derivatives(&blob()).unwrap_err().to_string();
            let words = format!("--action {given} takes them for");
            assert!(message.contains(&words) && message.ends_with(&format!("give --action {other}")), "{message}");
        }
    }
}

#[test]
fn an_inner_image_moves_on_the_grid_that_layers_track() {
    // Strided windows without padding: 21 × 25 samples that cover the input, a quarter of a sample off its centre.
    let mut conv = node("Conv", &["x", "w"], &["inner"]);
    conv.attribute =
        vec![attribute("strides", Value::Ints(vec![2, 2])), attribute("pads", Value::Ints(vec![1, 1, 0, 0]))];
    let mut draft = Draft { nodes: vec![conv], constants: vec![] };
    let weights: Vec<f64> = crate::common::noise(9).into_iter().map(f64::from).collect();
    draft.constants.push(doubles("w", &[1, 1, 3, 3], &weights));
    draft.add("Relu", &["inner"], "y");
    let file = draft.file();
    let load = |target: Target| {
        Network::from_file(&file, &LoadOptions { kind: Kind::Double, target, ..Default::default() }).unwrap()
    };
    let whole = load(Target::First);
    let grid = whole.values().iter().find(|value| value.name == "inner").unwrap().layout.plane().unwrap();
    let half = ROWS as f64 / COLUMNS as f64;
    let off = |grid: &Grid| (grid.rows.origin + half - grid.rows.pitch / 2.0).abs();
    assert!((grid.rows.extent() - 2.0 * half).abs() < 1e-12 && off(&grid) > 1e-3, "{grid:?}");

    // The error at that depth, as `layers` states it of the whole network, is what `lee` measures there.
    for generator in ["translate_x", "rotate", "stretch_y"] {
        let options = LayersOptions { grouping: Grouping::Node, ..LayersOptions::new(generator.parse().unwrap()) };
        let mut meter = LayerMeter::new(&whole, options).unwrap();
        meter.measure(&blob(), &["blob".to_owned()], &mut |_, _| {}).unwrap();
        let stated = meter.results().layers[0].local_error;
        let inner = load(Target::At("inner".to_owned()));
        let mut meter = LeeMeter::new(&inner, LeeOptions::default()).unwrap();
        meter.measure(&blob(), &["blob".to_owned()]).unwrap();
        let measured = meter.results()[generator].lee;
        assert!((measured - stated).abs() <= 1e-9 * stated && stated > 0.0, "{generator}: {measured} {stated}");
    }
    // An output that is an image moves about the input's centre, whatever was tracked.
    let LeeOutput::Image(output) = LeeMeter::new(&whole, LeeOptions::default()).unwrap().output_action().clone() else {
        panic!("the output is an image")
    };
    assert!(off(&output) < 1e-12, "{output:?}");
}

#[test]
fn layers_of_boxes_add_up() {
    let network = boxes(false, false).network();
    for generator in ["rotate", "scale", "saturate"] {
        let action = Some("boxes:xywh".parse().unwrap());
        let new = LayersOptions::new(generator.parse().unwrap());
        let options = LayersOptions { action, grouping: Grouping::Node, ..new };
        let mut meter = LayerMeter::new(&network, options).unwrap();
        meter.measure(&blob(), &["blob".to_owned()], &mut |_, _| {}).unwrap();
        let results = meter.results();
        assert!(results.conservation_residual <= 1e-10, "{generator}: {}", results.conservation_residual);
        assert!(results.lee < 1e-16, "{generator}: {}", results.lee);
    }
}

/// Vectors from every pixel to the blob's centre: they move, turn and stretch with the image.
#[test]
fn a_flow_turns_with_the_image() {
    let mut draft = Draft::moments();
    for (axis, rows, columns) in [("x", ROWS, COLUMNS), ("y", ROWS, COLUMNS)] {
        let values: Vec<f64> =
            (0..rows * columns).map(|i| 0.5 + if axis == "x" { i % columns } else { i / columns } as f64).collect();
        draft.constants.push(doubles(&format!("at{axis}"), &[1, 1, rows, columns], &values));
        // An image of ones: its pixels have places, which a sum over the plane has not.
        draft.add("Sub", &["x", "x"], &format!("none{axis}"));
        draft.add("Add", &[&format!("none{axis}"), &format!("c{axis}")], &format!("spread{axis}"));
        draft.add("Sub", &[&format!("spread{axis}"), &format!("at{axis}")], &format!("flow{axis}"));
    }
    draft.concat(&["flowx", "flowy"], 1, "y");
    let network = draft.network();
    // Central differences sum by parts exactly, and are exact of ramps but at the edges.
    let options = || LeeOptions { scheme: Scheme::Central, ..Default::default() };
    let inside = |x: Tensor| x.narrow(-1, 1, COLUMNS - 2).narrow(-2, 1, ROWS - 2);
    let moved = inside(lie(&network, "flow", options()));
    assert!(largest(&moved) < 1e-9, "{}", largest(&moved));
    // As two images they do not turn.
    for at in 2..6 {
        assert!(largest(&inside(lie(&network, "image", options())).get(at)) > 1.0);
    }
}

/// Channels mixed site by site, then tokens, transposed.
fn tokens() -> Draft {
    let weights: Vec<f64> = (0..3).map(|i| 0.5 + i as f64).collect();
    let mut draft = Draft { nodes: Vec::new(), constants: vec![doubles("w", &[3, 1, 1, 1], &weights)] };
    draft.add("Conv", &["x", "w"], "mixed");
    draft.constants.push(ints("flat", &[3], &[1, 3, ROWS * COLUMNS]));
    draft.add("Reshape", &["mixed", "flat"], "rows");
    draft.add("Transpose", &["rows"], "y").attribute.push(attribute("perm", Value::Ints(vec![0, 2, 1])));
    draft
}

#[test]
fn tokens_move_on_the_grid_that_they_lie_on() {
    let network = tokens().network();
    let still = lie(&network, "none", LeeOptions::default());
    let moved = lie(&network, "tokens", LeeOptions::default());
    assert_eq!(moved.size(), [7, 1, 1, ROWS * COLUMNS, 3]);
    assert!(largest(&moved) < 1e-12 * largest(&still), "{}", largest(&moved));
    let refused = |network: &Network, action: &str| {
        let action = Some(action.parse().unwrap());
        match LeeMeter::new(network, LeeOptions { action, ..Default::default() }) {
            Err(error @ LeeError::NoAction { .. }) => error.to_string(),
            _ => panic!("{action:?} is not refused"),
        }
    };
    assert!(refused(&network, "image").contains("--action image needs rows and columns"));
    assert!(refused(&network, "flow").contains("two channels"));
    assert!(refused(&network, "boxes:xywh").contains("--action boxes needs"));
    assert!(refused(&boxes(false, false).network(), "tokens").contains("places in the input are known"));
    assert!("boxes".parse::<ActionChoice>().unwrap_err().to_string().contains("boxes:xywh"));
}

/// What an output vector is taken for, and the sentence that says so.
#[test]
fn what_is_assumed_of_the_output_is_said() {
    let vector = |name: &str, after: Option<&str>| {
        let mut draft = Draft::moments();
        draft.concat(&["cx", "cy", "sx", "sy"], 1, "four");
        draft.constants.push(ints("flat", &[2], &[1, 4]));
        let last = if after.is_some() { "before" } else { name };
        draft.add("Reshape", &["four", "flat"], last);
        if let Some(operator) = after {
            draft.add(operator, &["before"], name);
        }
        let mut file = draft.file();
        file.model.graph.as_mut().unwrap().output[0].name = Some(name.to_owned());
        let network = Network::from_file(&file, &LoadOptions { kind: Kind::Double, ..Default::default() }).unwrap();
        let meter = LeeMeter::new(&network, LeeOptions::default()).unwrap();
        (meter.output(), meter.why().to_owned())
    };
    let (output, why) = vector("y", None);
    assert_eq!(output, Output::Softmax);
    assert_eq!(
        why,
        "Softmax over 4 class scores is assumed, which no generator moves; give --output identity for a regression."
    );
    for (name, after) in [("landmarks", None), ("y", Some("Sigmoid")), ("y", Some("Softmax"))] {
        let (output, why) = vector(name, after);
        assert_eq!(output, Output::Identity, "{name} {after:?}");
        assert_eq!(why, "The output (1×4) is taken as a vector that no generator moves.");
    }

    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, file: OnnxFile| {
        let path = folder.path().join(name);
        fs::write(&path, file.model.encode_to_vec()).unwrap();
        path
    };
    let first = |model: &Path, command: &str, more: &[&str]| {
        let mut run = Command::new(env!("CARGO_BIN_EXE_aliascope"));
        run.current_dir(env!("CARGO_MANIFEST_DIR")).arg(command).arg(model).args(more);
        let assert = run.arg("--images").arg(asset("photos/chelsea.png")).assert().success();
        let table = String::from_utf8_lossy(&assert.get_output().stdout).replace('\n', " ");
        table.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (boxes, tokens) = (save("boxes.onnx", boxes(false, false).file()), save("tokens.onnx", tokens().file()));
    for command in ["lee", "layers"] {
        let table = first(&boxes, command, &["--action", "boxes:xywh", "--preprocess", "raw"]);
        assert!(table.contains("The output (1×5×6) is taken as 6 boxes (centre, width, height, in pixels of the input), as --action boxes:xywh says"), "{table}");
        let table = first(&tokens, command, &[]);
        assert!(table.contains("44×52 tokens have places in the image, and --action tokens moves them."), "{table}");
        let table = first(&tokens, command, &["--at", "rows"]);
        assert!(
            table.contains("is taken as 44×52 tokens of an image, since their places in the image are known"),
            "{table}"
        );
    }
}

/// An image in another order of axes is the same image: strided, upsampled, with three channels, as a network writes it.
#[test]
fn an_image_channels_last_moves_as_channels_first() {
    let network = |last: bool| {
        let mut draft = Draft { nodes: Vec::new(), constants: Vec::new() };
        let taps: Vec<f64> = (0..3 * 9).map(|i| f64::from((i * 7) % 11 - 5) / 9.0).collect();
        draft.constants.push(doubles("w", &[3, 1, 3, 3], &taps));
        let conv = draft.add("Conv", &["x", "w"], "conv");
        conv.attribute.push(attribute("strides", Value::Ints(vec![2, 2])));
        conv.attribute.push(attribute("pads", Value::Ints(vec![0, 0, 1, 1])));
        draft.add("Relu", &["conv"], if last { "kept" } else { "y" });
        if last {
            draft.add("Transpose", &["kept"], "y").attribute.push(attribute("perm", Value::Ints(vec![0, 2, 3, 1])));
        }
        draft.network()
    };
    let lie = |network: &Network| {
        let mut meter = LeeMeter::new(network, LeeOptions::default()).unwrap();
        (meter.lie_derivatives(&blob()).unwrap(), meter.why().to_owned())
    };
    let ((first, _), (last, why)) = (lie(&network(false)), lie(&network(true)));
    assert!(why.contains("channels last"), "{why}");
    let turned = last.permute([0, 1, 2, 5, 3, 4]);
    assert_eq!(turned.size(), first.size());
    assert!(largest(&first) > 1e-3 && largest(&(&turned - &first)) <= 1e-13 * largest(&first));
}
