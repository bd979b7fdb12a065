//! ONNX's own node tests: what a supported operator computes is what the specification says, or it is refused by name.
//!
//! Each test runs in three ways, as far as its operator allows: with all float inputs depending on the network's
//! input, with the first alone, and with constants only (folding). In none may an output be wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use aliascope::graph::onnx::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TypeValue, ValueInfoProto,
};
use aliascope::graph::onnx::{OnnxError, OnnxFile, OnnxTensor, read_model};
use aliascope::graph::{GraphError, LoadOptions, Network, evaluate, ops, tensor_from_onnx};
use prost::Message;
use tch::{Kind, Tensor};

use crate::common::docs;
use crate::common::model::one_input;

/// What came of one way of running a test.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Passed,
    Refused(String),
    Failed(String),
}

/// A test folder, read.
struct NodeTest {
    name: String,
    file: OnnxFile,
    inputs: Vec<TensorProto>,
    outputs: Vec<TensorProto>,
}

impl NodeTest {
    fn graph(&self) -> &GraphProto {
        self.file.graph().unwrap()
    }

    fn operators(&self) -> BTreeSet<String> {
        self.graph().node.iter().map(|n| n.op_type.clone().unwrap_or_default()).collect()
    }

    /// Whether all inputs and outputs are tensors; sequences and optional values are not read.
    fn has_tensors_alone(&self) -> bool {
        let is_tensor =
            |v: &ValueInfoProto| matches!(v.r#type.as_ref().and_then(|t| t.value.as_ref()), Some(TypeValue::Tensor(_)));
        self.graph().input.iter().chain(&self.graph().output).all(is_tensor)
    }

    /// Whether all tensors have the element types that the model declares: bfloat16 is kept as uint16 in some.
    fn has_declared_types(&self) -> bool {
        let declared = |v: &ValueInfoProto| match v.r#type.as_ref().and_then(|t| t.value.as_ref()) {
            Some(TypeValue::Tensor(tensor)) => tensor.elem_type,
            _ => None,
        };
        let graph = self.graph();
        let same = |infos: &[ValueInfoProto], tensors: &[TensorProto]| {
            infos.iter().zip(tensors).all(|(info, tensor)| declared(info) == tensor.data_type)
        };
        same(&graph.input, &self.inputs) && same(&graph.output, &self.outputs)
    }

    /// The model with the named inputs as constants.
    fn with_constants(&self, vary: &[usize]) -> (OnnxFile, Option<Tensor>) {
        let mut file = self.file.clone();
        let graph = file.model.graph.as_mut().unwrap();
        let mut pieces = Vec::new();
        let mut x = Vec::new();
        for (i, (info, tensor)) in self.graph().input.iter().zip(&self.inputs).enumerate() {
            let name = info.name.clone().unwrap();
            if vary.contains(&i) {
                pieces.push((name, tensor.dims.clone()));
                x.push(read(tensor).unwrap().to_kind(Kind::Float).reshape([-1]));
            } else {
                graph.initializer.push(TensorProto { name: Some(name), ..tensor.clone() });
            }
        }
        graph.input.clear();
        if pieces.is_empty() {
            return (file, None);
        }
        one_input(graph, &pieces);
        // What cuts the pieces is of ONNX's own domain, which a model of other domains need not import.
        let imports = &mut file.model.opset_import;
        if !imports.iter().any(|import| import.domain.as_deref().unwrap_or("").is_empty()) {
            imports.push(OperatorSetIdProto { domain: Some(String::new()), version: Some(17) });
        }
        // The stack axis, and the batch of one in front of the pieces.
        (file, Some(Tensor::cat(&x, 0).reshape([1, 1, -1])))
    }
}

fn read(tensor: &TensorProto) -> Result<Tensor, GraphError> {
    tensor_from_onnx(&OnnxTensor::from_proto(tensor, Path::new("."), "value")?)
}

fn load(folder: &Path) -> NodeTest {
    let file = read_model(&folder.join("model.onnx")).unwrap();
    let tensors = |what: &str| {
        (0..)
            .map(|i| folder.join(format!("test_data_set_0/{what}_{i}.pb")))
            .take_while(|path| path.exists())
            .map(|path| TensorProto::decode(std::fs::read(path).unwrap().as_slice()).unwrap_or_default())
            .collect::<Vec<_>>()
    };
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    NodeTest { name, file, inputs: tensors("input"), outputs: tensors("output") }
}

/// A refusal names what is not supported. That a valid node is called invalid, or left to libtorch, is a failure.
fn refusal(error: GraphError) -> Outcome {
    match &error {
        GraphError::Operator { operator, .. } => Outcome::Refused(format!("the operator {operator}")),
        GraphError::Unsupported { problem, .. } => Outcome::Refused(problem.clone()),
        GraphError::File(OnnxError::UnknownAttribute { attribute, .. }) => {
            Outcome::Refused(format!("the attribute {attribute}"))
        }
        GraphError::File(OnnxError::Tensor { .. }) => Outcome::Refused("an element type".to_owned()),
        GraphError::Graph { problem, .. } if problem.contains("operators are known from opset") => {
            Outcome::Refused("an opset before 7".to_owned())
        }
        GraphError::NotFinite(_) => Outcome::Refused("constants that are not finite".to_owned()),
        GraphError::Graph { problem, .. } if problem.contains("does not depend on the input") => {
            Outcome::Refused("an output that does not depend on the input".to_owned())
        }
        GraphError::Graph { problem, .. } if problem.contains("depends on an input") => {
            Outcome::Refused("an output that is not constant".to_owned())
        }
        _ => Outcome::Failed(error.to_string()),
    }
}

fn compare(actual: &Tensor, expected: &TensorProto, (relative, absolute): (f64, f64)) -> Outcome {
    let expected = match read(expected) {
        Ok(expected) => expected,
        Err(_) => return Outcome::Refused("an element type".to_owned()),
    };
    if actual.size() != expected.size() {
        return Outcome::Failed(format!("shape {:?}, expected {:?}", actual.size(), expected.size()));
    }
    let is_float = |t: &Tensor| matches!(t.kind(), Kind::Float | Kind::Double);
    if is_float(actual) != is_float(&expected) {
        return Outcome::Failed(format!("kind {:?}, expected {:?}", actual.kind(), expected.kind()));
    }
    let (a, e) = (actual.to_kind(Kind::Double), expected.to_kind(Kind::Double));
    if a.allclose(&e, relative, absolute, true) {
        return Outcome::Passed;
    }
    let difference = (&a - &e).abs().max();
    Outcome::Failed(format!("differs by {:.2e}", difference.double_value(&[])))
}

/// Runs the test with some inputs varying; the worst outcome of its outputs.
fn run(test: &NodeTest, vary: &[usize], tolerances: (f64, f64)) -> Outcome {
    let (file, x) = test.with_constants(vary);
    let options = LoadOptions::default();
    let results: Vec<Result<Tensor, GraphError>> = match x {
        None => match evaluate(&file, &options) {
            Ok(outputs) => outputs.into_iter().map(Ok).collect(),
            Err(error) => return refusal(error),
        },
        Some(x) => (0..test.outputs.len())
            .map(|i| {
                let mut file = file.clone();
                let graph = file.model.graph.as_mut().unwrap();
                graph.output = vec![graph.output[i].clone()];
                let network = Network::from_file(&file, &options)?;
                Ok(network.forward(&x)?.squeeze_dim(0))
            })
            .collect(),
    };
    let outcomes: Vec<Outcome> = results
        .into_iter()
        .zip(&test.outputs)
        .map(|(result, expected)| match result {
            Ok(actual) => compare(&actual, expected, tolerances),
            Err(error) => refusal(error),
        })
        .collect();
    let worst = |kind: fn(&Outcome) -> bool| outcomes.iter().find(|o| kind(o)).cloned();
    worst(|o| matches!(o, Outcome::Failed(_)))
        .or_else(|| worst(|o| matches!(o, Outcome::Refused(_))))
        .unwrap_or(Outcome::Passed)
}

/// All ways of running a test, within ONNX's own tolerances for its backends.
fn outcome(test: &NodeTest) -> Outcome {
    outcome_within(test, 1e-3, 1e-7)
}

/// All ways of running a test: failed if one fails, passed if one passes, refused otherwise.
fn outcome_within(test: &NodeTest, relative: f64, absolute: f64) -> Outcome {
    if !test.has_tensors_alone() {
        return Outcome::Refused("values that are not tensors".to_owned());
    }
    if !test.has_declared_types() {
        return Outcome::Refused("an element type".to_owned());
    }
    let floats: Vec<usize> = (0..test.inputs.len())
        .filter(|&i| matches!(test.inputs[i].data_type, Some(1 | 10 | 11 | 16)))
        .filter(|&i| !test.inputs[i].dims.contains(&0))
        .collect();
    let mut ways = vec![vec![]];
    if let Some(&first) = floats.first() {
        ways.push(vec![first]);
    }
    if floats.len() > 1 {
        ways.push(floats);
    }
    let outcomes: Vec<Outcome> = ways
        .iter()
        .map(|vary| {
            catch_unwind(AssertUnwindSafe(|| run(test, vary, (relative, absolute))))
                .unwrap_or_else(|_| Outcome::Failed("a panic".to_owned()))
        })
        .collect();
    for (vary, outcome) in ways.iter().zip(&outcomes) {
        if let Outcome::Failed(problem) = outcome {
            return Outcome::Failed(format!("inputs {vary:?} vary: {problem}"));
        }
    }
    if outcomes.contains(&Outcome::Passed) {
        return Outcome::Passed;
    }
    outcomes[0].clone()
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("onnx-node-tests");
    assert!(folder.exists(), "{} is not there: run `make conformance` first", folder.display());
    folder
}

/// The tests of the operators that are newer than the folder's: tests/fixtures/onnx-node-tests-23.onnx, a model of one
/// node per test, which scripts/record_node_tests.py writes.
fn newer_tests() -> Vec<NodeTest> {
    recorded("onnx-node-tests-23.onnx")
}

/// The tests of a fixture that holds a node per test, whose attributes are its model, inputs and outputs.
fn recorded(fixture: &str) -> Vec<NodeTest> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(fixture);
    let container = read_model(&path).unwrap();
    let read = |node: &NodeProto| {
        let attribute = |name: &str| node.attribute.iter().find(|a| a.name.as_deref() == Some(name)).unwrap();
        let model = ModelProto::decode(attribute("model").s.as_deref().unwrap()).unwrap();
        NodeTest {
            name: node.name.clone().unwrap(),
            file: OnnxFile { path: path.clone(), model },
            inputs: attribute("inputs").tensors.clone(),
            outputs: attribute("outputs").tensors.clone(),
        }
    };
    container.graph().unwrap().node.iter().map(read).collect()
}

/// What ONNX Runtime itself computes for the fusions of its optimiser (scripts/record_microsoft.py), in single
/// precision: aliascope computes the same in all ways in which the inputs can vary.
#[test]
fn fusions_compute_what_onnx_runtime_computes() {
    let tests = recorded("microsoft.onnx");
    assert!(tests.len() > 20, "{}", tests.len());
    let mut wrong = Vec::new();
    for test in tests {
        // Exponentials and sums in another order leave some units in the last place of single precision.
        match outcome_within(&test, 1e-5, 1e-6) {
            Outcome::Passed => {}
            other => wrong.push(format!("{}: {other:?}", test.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Release 1.17 divides the windows at the end of this volume by all their taps. Later releases, and ONNX Runtime, divide by
/// those that lie on the volume and its padding, as in two dimensions; the fixture of ONNX Runtime has such windows.
const RECORDED_WRONGLY: &str = "test_averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True";

/// ONNX's reference takes the size of the output before it is rounded for where the last sample of `align_corners` lies, so
/// that corners are not aligned where a scale gives a part of a sample. ONNX Runtime and PyTorch align them, as
/// tests/opsets.rs records.
const NOT_ALIGNED: [&str; 2] =
    ["test_resize_downsample_scales_cubic_align_corners", "test_resize_downsample_scales_linear_align_corners"];

fn all_tests() -> Vec<NodeTest> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let mut tests: Vec<NodeTest> =
        folders.iter().filter(|folder| folder.join("model.onnx").exists()).map(|folder| load(folder)).collect();
    let before = tests.len();
    tests.retain(|test| test.name != RECORDED_WRONGLY && !NOT_ALIGNED.contains(&test.name.as_str()));
    assert_eq!(tests.len() + 1 + NOT_ALIGNED.len(), before);
    tests.extend(newer_tests());
    tests
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    refused: usize,
    reasons: BTreeSet<String>,
}

/// The results by operator, and the names of tests that should have gone otherwise.
fn results() -> (BTreeMap<String, Tally>, Vec<String>) {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut failures = Vec::new();
    for test in all_tests() {
        let operators = test.operators();
        // A test of a function written out has no operator of its own.
        let group = match operators.len() {
            1 => operators.iter().next().unwrap().clone(),
            _ => SEVERAL.to_owned(),
        };
        let tally = tallies.entry(group).or_default();
        let result = outcome(&test);
        let supported = operators.iter().all(|operator| ops::find("", operator).is_some());
        match result {
            Outcome::Passed if !supported => failures.push(format!("{}: passes without its operators", test.name)),
            Outcome::Passed => tally.passed += 1,
            Outcome::Refused(reason) => {
                tally.refused += 1;
                tally.reasons.insert(reason);
            }
            Outcome::Failed(problem) => {
                tally.failed += 1;
                failures.push(format!("{}: {problem}", test.name));
            }
        }
    }
    (tallies, failures)
}

const SEVERAL: &str = "several in one test";

/// The section of docs/coverage.md.
fn section(tallies: &BTreeMap<String, Tally>) -> String {
    let sum = |f: fn(&Tally) -> usize| tallies.values().map(f).sum::<usize>();
    let mut text = String::from("## ONNX node tests\n\n");
    let how = format!(
        "ONNX's own tests of its operators: those of its release 1.17, and those of Attention, RotaryEmbedding and \
         RMSNormalization of release 1.20. Each runs in three ways: with all float inputs depending on the network's \
         input, with the first alone, and with constants only. It passes if it runs in one of the ways and is right, \
         within ONNX's tolerances (1e-3 relative, 1e-7 absolute), in all in which it runs. Passed {}, failed {}, \
         refused {}.",
        sum(|t| t.passed),
        sum(|t| t.failed),
        sum(|t| t.refused),
    );
    let what = format!(
        "Refused means an error that names the operator, attribute or type. libtorch computes the values. Where its \
         kernels and ONNX's specification differ, the specification is followed (`AveragePool`'s padding with \
         `ceil_mode`, `Resize`, `Mod`, `Div` of integers, `MaxPool`'s indices). Three tests are left out. Release 1.17 \
         records `{}` wrongly, as later releases say. `{}` and `{}` place the last sample of `align_corners` by a size \
         with a fraction, where ONNX Runtime and PyTorch, and so aliascope, align it.",
        RECORDED_WRONGLY.trim_start_matches("test_"),
        NOT_ALIGNED[0].trim_start_matches("test_"),
        NOT_ALIGNED[1].trim_start_matches("test_")
    );
    for paragraph in [how, what] {
        text += &docs::wrapped(&paragraph);
        text += "\n";
    }
    text += "| Operator | Passed | Failed | Refused | Why refused |\n|---|---|---|---|---|\n";
    let mut absent = Vec::new();
    for (group, t) in tallies {
        let alone = format!("the operator {group}");
        if t.passed + t.failed == 0 && t.reasons.iter().all(|reason| *reason == alone) {
            absent.push(format!("{group} ({})", t.refused));
            continue;
        }
        let reasons: Vec<String> = t.reasons.iter().map(|reason| reason.replace('|', "\\|")).collect();
        text += &format!("| {group} | {} | {} | {} | {} |\n", t.passed, t.failed, t.refused, reasons.join("; "));
    }
    let refused = format!("Operators that are refused by name, with the number of their tests: {}.", absent.join(", "));
    text + "\n" + &docs::wrapped(&refused)
}

/// Set it to have the tables in docs/ written anew.
const UPDATE: &str = "ALIASCOPE_UPDATE_DOCS";

#[test]
fn supported_operators_compute_what_the_specification_says() {
    let (tallies, failures) = results();
    for (group, t) in tallies.iter().filter(|(_, t)| t.refused > 0 && t.passed > 0) {
        println!("{group}: {} refused: {}", t.refused, t.reasons.iter().cloned().collect::<Vec<_>>().join("; "));
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    let section = section(&tallies);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/coverage.md");
    let page = std::fs::read_to_string(&path).unwrap_or_else(|_| "# What is covered\n".to_owned());
    let current = docs::section(&page, "## ONNX node tests");
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, docs::with_section(&page, "## ONNX node tests", &section)).unwrap();
    } else {
        assert!(current == section, "docs/coverage.md is out of date: run the tests with {UPDATE}=1");
    }
}
