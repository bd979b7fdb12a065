//! An attribution is one only if its parts add up to the whole: on random graphs, on every shipped network, whatever
//! the generator, the derivative and the memory; and what makes no error is found to make none.

use std::path::Path;
use std::rc::Rc;

use aliascope::graph::Built;
use aliascope::graph::custom::{CUSTOM_DOMAIN, CustomOperators};
use aliascope::graph::layout::Flow;
use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::{GraphProto, NodeProto, TensorProto};
use aliascope::graph::operator::{Differentiable, Operator, Point, Torch};
use aliascope::graph::{LoadOptions, Network};
use aliascope::measure::layers::{Grouping, LayerMeter, LayersError, LayersOptions, SplitBy};
use aliascope::measure::layers_report::{DefectPart, LayerClass, LayerResults};
use aliascope::measure::lee::{LeeMeter, LeeOptions, Output};
use aliascope::spectrum::differentiation::{Boundary, Scheme};
use aliascope::spectrum::strided::strided_defect;
use aliascope::spectrum::{GridSize, HalfSpectrum, Velocity};
use aliascope::symmetry::{Combination, MEASURED};
use proptest::prelude::*;
use tch::{Device, Kind, Tensor};

use crate::common::drawing::{normal, seeded};
use crate::common::model::{Value, attribute, doubles, floats, ints, model, node};

fn single(kind: Kind) -> LoadOptions {
    LoadOptions { kind, ..Default::default() }
}

fn options(generator: &str) -> LayersOptions {
    LayersOptions { grouping: Grouping::Node, ..LayersOptions::new(generator.parse().unwrap()) }
}

fn attribute_error(network: &Network, x: &Tensor, options: LayersOptions) -> LayerResults {
    let mut meter = LayerMeter::new(network, options).unwrap();
    let names: Vec<String> = (0..x.size()[0]).map(|i| i.to_string()).collect();
    meter.measure(x, &names, &mut |_, _| {}).unwrap();
    meter.results()
}

/// Σ of signed shares.
fn shares(results: &LayerResults) -> f64 {
    results.layers.iter().filter_map(|layer| layer.signed_share).sum()
}

/// A graph under construction: a plane of values `[1, channels, n, n]`.
struct Draft {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
    shape: [i64; 2],
    last: String,
    noise: u64,
}

impl Draft {
    fn new(channels: i64, n: i64, seed: u64) -> Self {
        Self { nodes: Vec::new(), constants: Vec::new(), shape: [channels, n], last: "x".to_owned(), noise: seed | 1 }
    }

    /// Uniform in ±1.
    fn random(&mut self) -> f64 {
        self.noise = self.noise.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.noise >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }

    fn add(&mut self, operator: &str, inputs: &[&str], attributes: Vec<aliascope::graph::onnx::proto::AttributeProto>) {
        let name = format!("{}_{}", operator.to_lowercase(), self.nodes.len());
        let mut made = node(operator, inputs, &[&name]);
        made.name = Some(name.clone());
        made.attribute = attributes;
        self.nodes.push(made);
        self.last = name;
    }

    fn constant(&mut self, shape: &[i64], scale: f64) -> String {
        let name = format!("constant_{}", self.constants.len());
        let values: Vec<f64> = (0..shape.iter().product()).map(|_| scale * self.random()).collect();
        self.constants.push(doubles(&name, shape, &values));
        name
    }

    /// A convolution of `kernel` taps, zero-padded by `pads`.
    fn convolution(&mut self, channels: i64, kernel: i64, stride: i64, pads: [i64; 2]) {
        let [from, n] = self.shape;
        let weight = self.constant(&[channels, from, kernel, kernel], 1.0 / kernel as f64);
        let bias = self.constant(&[channels], 0.3);
        let (begin, end) = (pads[0], pads[1]);
        let last = self.last.clone();
        self.add(
            "Conv",
            &[&last, &weight, &bias],
            vec![
                attribute("strides", Value::Ints(vec![stride, stride])),
                attribute("pads", Value::Ints(vec![begin, begin, end, end])),
            ],
        );
        self.shape = [channels, (n + begin + end - kernel) / stride + 1];
    }

    /// The value extended around the torus by one sample on each side.
    fn wrap(&mut self) {
        let name = format!("pads_{}", self.constants.len());
        self.constants.push(ints(&name, &[8], &[0, 0, 1, 1, 0, 0, 1, 1]));
        let last = self.last.clone();
        self.add("Pad", &[&last, &name], vec![attribute("mode", Value::Text("wrap"))]);
        self.shape[1] += 2;
    }

    fn pool(&mut self, operator: &str) {
        let last = self.last.clone();
        let window = |name: &str| attribute(name, Value::Ints(vec![2, 2]));
        self.add(operator, &[&last], vec![window("kernel_shape"), window("strides")]);
        self.shape[1] /= 2;
    }

    fn pointwise(&mut self, operator: &str) {
        let last = self.last.clone();
        self.add(operator, &[&last], vec![]);
    }

    /// Mean over everything, then a dense layer.
    fn head(&mut self, classes: i64) {
        let last = self.last.clone();
        self.add("GlobalAveragePool", &[&last], vec![]);
        let last = self.last.clone();
        self.add("Flatten", &[&last], vec![]);
        let weight = self.constant(&[self.shape[0], classes], 1.0);
        let last = self.last.clone();
        self.add("Gemm", &[&last, &weight], vec![]);
    }

    fn build(self, input: [i64; 2]) -> OnnxFile {
        let graph = GraphProto {
            name: Some("draft".to_owned()),
            node: self.nodes,
            initializer: self.constants,
            input: vec![floats("x", &[1, input[0], input[1], input[1]])],
            output: vec![floats(&self.last, &[])],
            ..Default::default()
        };
        model(graph, 21)
    }
}

fn noise(shape: &[i64], seed: i64) -> Tensor {
    normal(shape, Kind::Double, seed)
}

#[derive(Clone, Debug)]
enum Layer {
    Convolution { channels: i64, kernel: i64, stride: i64, begin: i64, end: i64 },
    Pool(&'static str),
    Pointwise(&'static str),
    Residual,
    Gate,
}

fn layer() -> impl Strategy<Value = Layer> {
    prop_oneof![
        4 => (1i64..5, 1i64..4, 1i64..3, 0i64..2, 0i64..2).prop_map(|(channels, kernel, stride, begin, end)| {
            Layer::Convolution { channels, kernel, stride, begin, end }
        }),
        1 => prop_oneof![Just("MaxPool"), Just("AveragePool")].prop_map(Layer::Pool),
        3 => prop_oneof![Just("Relu"), Just("Tanh"), Just("Sigmoid"), Just("Gelu"), Just("Softplus")]
            .prop_map(Layer::Pointwise),
        1 => Just(Layer::Residual),
        1 => Just(Layer::Gate),
    ]
}

fn drawn(layers: &[Layer], n: i64, head: bool, seed: u64) -> OnnxFile {
    let mut draft = Draft::new(2, n, seed);
    for layer in layers {
        match *layer {
            Layer::Convolution { channels, kernel, stride, begin, end } => {
                if draft.shape[1] + begin + end >= kernel + 2 * stride {
                    draft.convolution(channels, kernel, stride, [begin, end]);
                }
            }
            Layer::Pool(operator) if draft.shape[1] >= 4 => draft.pool(operator),
            Layer::Pool(_) => {}
            Layer::Pointwise(operator) => draft.pointwise(operator),
            Layer::Residual => {
                let before = draft.last.clone();
                draft.convolution(draft.shape[0], 3, 1, [1, 1]);
                draft.pointwise("Tanh");
                let branch = draft.last.clone();
                draft.add("Add", &[&before, &branch], vec![]);
            }
            Layer::Gate => {
                let before = draft.last.clone();
                draft.pointwise("Sigmoid");
                let gate = draft.last.clone();
                draft.add("Mul", &[&before, &gate], vec![]);
            }
        }
    }
    if head {
        draft.head(3);
    } else {
        draft.pointwise("Identity");
    }
    draft.build([2, n])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_parts_of_random_graphs_add_up(
        layers in prop::collection::vec(layer(), 1..7),
        n in 6i64..13,
        head in any::<bool>(),
        generator in prop_oneof![Just("translate_x"), Just("rotate"), Just("scale+0.3*saturate"), Just("shear_y")],
        scheme in prop_oneof![Just(Scheme::Spectral), Just(Scheme::Forward), Just(Scheme::Central), Just(Scheme::Authors)],
        seed in 1u64..1000,
    ) {
        let network = Network::from_file(&drawn(&layers, n, head, seed), &single(Kind::Double)).unwrap();
        let x = noise(&[2, 1, 2, n, n], seed as i64);
        let options = LayersOptions { scheme, ..options(generator) };
        let results = attribute_error(&network, &x, options.clone());
        // Two images, a handful of layers: rounding of sums of some thousand terms in double precision.
        prop_assert!(results.conservation_residual <= 1e-10, "residual {}", results.conservation_residual);
        if results.norm_squared > 1e-20 {
            prop_assert!((shares(&results) - 1.0).abs() <= 1e-9, "shares add up to {}", shares(&results));
        }

        // The whole is what lee measures, by a sweep of its own.
        let mut meter = LeeMeter::new(&network, LeeOptions { scheme, ..Default::default() }).unwrap();
        let lie = meter.lie_derivatives(&x).unwrap();
        let c: Combination = generator.parse().unwrap();
        let mixed = Tensor::from_slice(c.coefficients()).view([1, 7]).matmul(&lie.reshape([7, -1]));
        let total = mixed.square().sum(Kind::Double).double_value(&[]) / 2.0;
        prop_assert!((results.norm_squared - total).abs() <= 1e-9 * total.max(1e-12), "{} against {total}", results.norm_squared);

        // And divided by the entries of the output it is the number of that name.
        let dim = lie.numel() as f64 / 14.0;
        prop_assert!(results.dim as f64 == dim && results.lee == results.norm_squared / dim);

        // Parts are vectors that add up to the layer's own.
        for layer in &results.layers {
            let parts: Vec<f64> =
                DefectPart::ALL.into_iter().filter_map(|part| layer.part(part)?.signed_share).collect();
            if let (Some(_), Some(share)) = (layer.boundary, layer.signed_share) {
                // Parts may be much larger than their sum.
                let (sum, scale) = (parts.iter().sum::<f64>(), 1.0 + parts.iter().map(|part| part.abs()).sum::<f64>());
                prop_assert!((sum - share).abs() <= 1e-9 * scale, "{}: {parts:?} against {share}", layer.name);
            }
        }

        // One layer at a time finds the same as all at once.
        let mut tight = options.clone();
        tight.memory = needed(&network, &x, &options);
        let again = attribute_error(&network, &x, tight);
        for (a, b) in results.layers.iter().zip(&again.layers) {
            prop_assert!((a.contribution - b.contribution).abs() <= 1e-9 * results.lee.max(a.contribution), "{}", a.name);
        }

        // What is known to make no error makes none.
        let all = attribute_error(&network, &x, LayersOptions { compute_zeros: true, split: SplitBy::Nothing, ..options });
        // Where no layer makes any, rounding is that of the action itself, E‖A x‖²/dim.
        let actions = all.layers.iter().filter_map(|l| l.relative_local_error.filter(|r| *r > 0.0).map(|r| l.local_error / r));
        let scale = results.layers.iter().map(|l| l.contribution).chain(actions).fold(results.lee, f64::max).max(1e-12);
        for layer in &all.layers {
            match results.layers.iter().find(|l| l.name == layer.name) {
                Some(known) => prop_assert!((known.contribution - layer.contribution).abs() <= 1e-9 * scale),
                // Squares of rounding.
                None => prop_assert!(layer.contribution <= 1e-20 * scale, "{} makes {}", layer.name, layer.contribution),
            }
        }
    }
}

/// The least memory limit that is taken, in bytes; the error of a smaller one names it.
fn needed(network: &Network, x: &Tensor, options: &LayersOptions) -> u64 {
    let mut meter = LayerMeter::new(network, LayersOptions { memory: 1, ..options.clone() }).unwrap();
    match meter.measure(x, &["a".to_owned(), "b".to_owned()], &mut |_, _| {}) {
        Err(LayersError::Memory { needed, .. }) => needed << 20,
        other => panic!("a limit of one byte is taken: {other:?}"),
    }
}

#[test]
fn the_layers_of_every_shipped_network_add_up() {
    for name in crate::common::MODELS {
        let recorded = crate::common::recorded(name);
        let load = LoadOptions { input_shape: Some(recorded.shape.clone()), ..single(Kind::Float) };
        let network = Network::load(&crate::common::asset(&format!("models/{name}.onnx")), &load).unwrap();
        let options = LayersOptions { grouping: Grouping::Type, ..options("rotate+translate_x") };
        let results = attribute_error(&network, &recorded.x, options);
        // Single precision through some hundred layers.
        assert!(results.conservation_residual <= 1e-4, "{name}: {}", results.conservation_residual);
        assert!((shares(&results) - 1.0).abs() <= 1e-3, "{name}: shares add up to {}", shares(&results));
    }
}

#[test]
fn the_layers_of_every_family_add_up_under_every_generator_and_derivative() {
    for name in ["resnet", "mobilenet", "vit", "swin", "convnext", "mixer", "xcit"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/families/{name}.onnx"));
        let network = Network::load(&path, &single(Kind::Double)).unwrap();
        let shape = network.input().shape.clone();
        let x = noise(&[&[1], shape.as_slice()].concat(), 3);
        for (at, generator) in MEASURED.iter().enumerate() {
            let scheme = [Scheme::Spectral, Scheme::Forward, Scheme::Central, Scheme::Authors][at % 4];
            let options = LayersOptions { scheme, grouping: Grouping::Module(Some(2)), ..options(generator.name()) };
            let results = attribute_error(&network, &x, options);
            assert!(results.conservation_residual <= 1e-10, "{name}, {generator}: {}", results.conservation_residual);
            assert!((shares(&results) - 1.0).abs() <= 1e-9, "{name}, {generator}: {}", shares(&results));
        }
    }
}

#[test]
fn probes_agree_with_the_exact_contributions() {
    const PROBES: usize = 300;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families/resnet.onnx");
    let network = Network::load(&path, &single(Kind::Double)).unwrap();
    let shape = network.input().shape.clone();
    let x = noise(&[&[1], shape.as_slice()].concat(), 8);
    let generators = ["translate_x", "rotate"];
    let exact: Vec<LayerResults> = generators
        .iter()
        .map(|g| attribute_error(&network, &x, LayersOptions { split: SplitBy::Nothing, ..options(g) }))
        .collect();
    let mut outside = 0;
    let mut compared = 0;
    for seed in 0..5 {
        let mut meters: Vec<LayerMeter<'_>> = generators
            .iter()
            .map(|g| LayerMeter::new(&network, LayersOptions { split: SplitBy::Nothing, ..options(g) }).unwrap())
            .collect();
        let _turn = seeded(seed);
        aliascope::measure::layers::probes::measure(&mut meters, &x, "x", PROBES, &mut |_, _| {}).unwrap();
        for (meter, exact) in meters.iter().zip(&exact) {
            let found = meter.results();
            assert!((found.lee / exact.lee - 1.0).abs() < 1e-9, "{} against {}", found.lee, exact.lee);
            // The law holds for every single probe.
            assert!(found.conservation_residual <= 1e-10, "residual {}", found.conservation_residual);
            for (a, b) in found.layers.iter().zip(&exact.layers) {
                assert_eq!(a.name, b.name);
                assert!((a.local_error - b.local_error).abs() <= 1e-9 * b.local_error.max(1e-12));
                // zᵀJδ is normal, so that n squares of it have the relative standard error √(2/n).
                let sem = (2.0 / PROBES as f64).sqrt() * b.contribution;
                compared += 1;
                outside += usize::from((a.contribution - b.contribution).abs() > 3.0 * sem + 1e-15 * exact.lee);
                if b.contribution > 1e-12 * exact.lee {
                    // The error that is reported is estimated from the same probes: from their fourth powers.
                    let reported = a.sem.unwrap() / sem;
                    assert!((0.5..2.0).contains(&reported), "{}: reported {reported} of the standard error", a.name);
                }
            }
        }
    }
    // Three standard errors hold 99.6 % of means of some hundred squares; one probe's errors go together over layers.
    assert!(outside * 50 <= compared, "{outside} of {compared} lie outside three standard errors");
}

/// A band-limited image on the torus, `[1, 1, channels, n, n]`.
fn smooth(channels: i64, n: i64, band: i64) -> Tensor {
    let angle = Tensor::arange(n, (Kind::Double, Device::Cpu)) * (2.0 * std::f64::consts::PI / n as f64);
    let planes: Vec<Tensor> = (0..channels)
        .map(|c| {
            (1..=band).fold(Tensor::zeros([n, n], (Kind::Double, Device::Cpu)), |sum, k| {
                let along_x = (&angle * k as f64 + 0.7 * (c + k) as f64).cos();
                let along_y = (&angle * (band + 1 - k) as f64 + 1.3 * c as f64).cos();
                sum + along_y.unsqueeze(1) * along_x.unsqueeze(0) / k as f64
            })
        })
        .collect();
    Tensor::stack(&planes, 0).unsqueeze(0).unsqueeze(0)
}

/// Circular convolutions and squares of a low band: each square doubles the band, 1 → 2 → 4 < 16.
fn equivariant(stride: i64) -> Draft {
    let mut draft = Draft::new(2, 32, 5);
    for at in 0..2 {
        draft.wrap();
        let stride = if at == 1 { stride } else { 1 };
        draft.convolution(3, 3, stride, [0, 0]);
        let last = draft.last.clone();
        if at == 0 {
            draft.add("Mul", &[&last, &last], vec![]);
        }
    }
    draft
}

fn on_the_torus(generator: &str) -> LayersOptions {
    LayersOptions { boundary: Boundary::Periodic, output: Some(Output::Identity), ..options(generator) }
}

#[test]
fn equivariant_layers_make_no_error() {
    let mut draft = equivariant(1);
    draft.head(4);
    let network = Network::from_file(&draft.build([2, 32]), &single(Kind::Double)).unwrap();
    for generator in ["translate_x", "translate_y", "translate_x-2*translate_y"] {
        let results = attribute_error(&network, &smooth(2, 32, 2), on_the_torus(generator));
        // Squares of rounding; the values themselves are of size 1 to 100.
        assert!(results.norm_squared < 1e-20, "{generator}: {}", results.norm_squared);
        for layer in &results.layers {
            assert!(layer.contribution < 1e-20, "{generator}: {} makes {}", layer.name, layer.contribution);
        }
    }
}

/// What is left of an exact cancellation is seen against what cancels: the values in front of the mean, not what the mean
/// leaves of them.
#[test]
fn equivariant_networks_add_up_and_nothing_has_a_share_of_rounding() {
    for head in [true, false] {
        let mut draft = equivariant(1);
        if head {
            draft.head(4);
        }
        let file = draft.build([2, 32]);
        for (kind, limit) in [(Kind::Double, 1e-10), (Kind::Float, 1e-4)] {
            let network = Network::from_file(&file, &single(kind)).unwrap();
            let x = smooth(2, 32, 2);
            let mut meter = LayerMeter::new(&network, on_the_torus("translate_x")).unwrap();
            meter.measure(&x, &["x".to_owned()], &mut |_, _| {}).unwrap();
            let exact = meter.results();
            let mut meters = [LayerMeter::new(&network, on_the_torus("translate_x")).unwrap()];
            let _turn = seeded(2);
            aliascope::measure::layers::probes::measure(&mut meters, &x.to_kind(kind), "x", 10, &mut |_, _| {})
                .unwrap();
            for results in [exact, meters[0].results()] {
                assert!(results.is_rounding, "{head} {kind:?}");
                assert!(results.conservation_residual <= limit, "{head} {kind:?}: {}", results.conservation_residual);
                assert!(results.layers.iter().all(|layer| layer.signed_share.is_none()), "{head} {kind:?}");
                assert!(results.by_type.values().all(|class| class.share.is_none() && class.share_by_image.is_none()));
                assert_eq!(results.images_effective, None);
            }
        }
    }
}

/// x, with tangents that are not carried linearly: entry t of the stack by 1 + t/1000.
#[derive(Debug)]
struct Sabotaged;

impl Differentiable for Sabotaged {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].copy()])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let moved = at.dx[0].as_ref().unwrap();
        let mut size = vec![1; moved.dim()];
        size[0] = moved.size()[0];
        let factors = Tensor::arange(size[0], (moved.kind(), moved.device())) * 1e-3 + 1.0;
        Ok(vec![moved * factors.reshape(size.as_slice())])
    }
}

#[test]
fn a_wrong_sum_is_caught() {
    let residual = |kind: Kind, operator: &str| {
        let mut draft = Draft::new(2, 16, 3);
        draft.convolution(4, 3, 2, [1, 1]);
        draft.pointwise("Relu");
        draft.convolution(4, 3, 1, [1, 1]);
        draft.pointwise(operator);
        if operator == "Sabotaged" {
            draft.nodes.last_mut().unwrap().domain = Some(CUSTOM_DOMAIN.to_owned());
        }
        draft.head(4);
        let mut custom = CustomOperators::default();
        let make =
            |_: &[i64]| Ok(Built { operator: Operator::Differentiable(Box::new(Sabotaged)), flow: Flow::Pointwise });
        custom.insert("Sabotaged", Rc::new(make));
        let mut file = draft.build([2, 16]);
        file.model.opset_import.push(aliascope::graph::onnx::proto::OperatorSetIdProto {
            domain: Some(CUSTOM_DOMAIN.to_owned()),
            version: Some(1),
        });
        let network = Network::from_file_with(&file, &single(kind), &custom).unwrap();
        let results = attribute_error(&network, &noise(&[1, 1, 2, 16, 16], 4), options("translate_x"));
        assert!(!results.is_rounding);
        results.conservation_residual
    };
    for (kind, limit) in [(Kind::Double, 1e-10), (Kind::Float, 1e-4)] {
        assert!(residual(kind, "Identity") <= limit);
        let wrong = residual(kind, "Sabotaged");
        assert!(wrong > 3.0 * limit, "{kind:?}: {wrong}");
    }
}

#[test]
fn one_stride_makes_the_error_that_the_theorem_predicts() {
    let mut draft = equivariant(1);
    draft.pointwise("Identity");
    let whole = draft.build([2, 32]);
    // The same network, its second convolution strided by 4, so that bands up to 16 fold on 8 samples.
    let strided = Network::from_file(&equivariant(4).build([2, 32]), &single(Kind::Double)).unwrap();
    let x = smooth(2, 32, 6);
    let results = attribute_error(&strided, &x, on_the_torus("translate_x"));
    let worst = results.layers.iter().max_by(|a, b| a.contribution.total_cmp(&b.contribution)).unwrap();
    assert_eq!(worst.class, LayerClass::StridedConvolution);

    // Unstrided, the network gives the filtered field; its transform goes into the theorem. One half-width is half
    // the torus.
    let field = Network::from_file(&whole, &single(Kind::Double)).unwrap().forward(&x).unwrap();
    let (channels, n) = (field.size()[2] as usize, field.size()[4] as usize);
    let values = Vec::<f64>::try_from(&field.reshape([-1])).unwrap();
    let samples = ndarray::Array3::from_shape_vec((channels, n, n), values).unwrap();
    let spectrum = HalfSpectrum::from_samples(samples.view()).unwrap();
    let velocity = Velocity { x: 0.5, y: 0.0 };
    let predicted: f64 =
        strided_defect(&spectrum, GridSize::square(4), velocity).unwrap().forms.iter().map(|f| f.exact).sum();
    // The theorem's forms are means over samples for each channel, the attribution is one over channels as well.
    let predicted = predicted / channels as f64;
    assert!((worst.contribution / predicted - 1.0).abs() < 1e-10, "{} against {predicted}", worst.contribution);
    let aliasing = worst.aliasing.unwrap().contribution;
    assert!((aliasing / predicted - 1.0).abs() < 1e-10, "aliasing {aliasing} against {predicted}");
}

/// Layer by layer by finite differences: a road that shares nothing with tangents but the network's values.
#[test]
fn contributions_are_what_small_perturbations_do() {
    let n = 10;
    let build = |from: usize, channels: i64| {
        // conv – tanh – strided conv – sigmoid – head; the nodes before `from` are left out.
        let mut draft = Draft::new(2, n, 11);
        draft.convolution(3, 3, 1, [1, 1]);
        draft.pointwise("Tanh");
        draft.convolution(4, 3, 2, [1, 1]);
        draft.pointwise("Sigmoid");
        draft.head(3);
        let first = if from == 0 { "x".to_owned() } else { draft.nodes[from - 1].output[0].clone() };
        let mut file = draft.build([2, n]);
        let graph = file.model.graph.as_mut().unwrap();
        graph.node.drain(..from);
        graph.input =
            vec![floats(&first, &[1, channels, if from < 3 { n } else { n / 2 }, if from < 3 { n } else { n / 2 }])];
        Network::from_file(&file, &single(Kind::Double)).unwrap()
    };
    let network = build(0, 2);
    let x = noise(&[1, 1, 2, n, n], 4);
    let options = LayersOptions { output: Some(Output::Logits), ..options("stretch_x+0.5*translate_y") };
    let results = attribute_error(&network, &x, options.clone());

    let act = |grid: &aliascope::symmetry::Grid, h: &Tensor| {
        let kind = (Kind::Double, Device::Cpu);
        let action =
            aliascope::measure::action::Action::new(grid, Scheme::Spectral, Boundary::Reflect, kind.0, kind.1).unwrap();
        let all = action.all(h).unwrap();
        Tensor::from_slice(options.generator.coefficients()).view([7, 1, 1, 1, 1, 1]).g_mul(&all).sum_dim_intlist(
            [0i64].as_slice(),
            false,
            Kind::Double,
        )
    };
    // Values and grids of the four maps, in order.
    let mut values = vec![];
    let _ = network
        .forward_observed(&x, &mut |id, value| {
            values.push((network.values()[id].clone(), value.stack.copy()));
            Ok(())
        })
        .unwrap();
    let h = 1e-5;
    for (at, channels) in [(1usize, 3i64), (2, 3), (3, 4), (4, 4)] {
        let (before, after) = (&values[at - 1], &values[at]);
        let step = build(at - 1, before.1.size()[2]);
        let rest = build(at, channels);
        let (grid_before, grid_after) = (before.0.layout.plane().unwrap(), after.0.layout.plane().unwrap());
        let a = act(&grid_before, &before.1);
        // Dop[a] by central differences of the first node of what is left.
        let value_at = |sign: f64| {
            let mut out = None;
            let _ = step
                .forward_observed(&(&before.1 + &a * (sign * h)), &mut |id, value| {
                    if id == 1 {
                        out = Some(value.stack.copy());
                    }
                    Ok(())
                })
                .unwrap();
            out.unwrap()
        };
        let defect = (value_at(1.0) - value_at(-1.0)) / (2.0 * h) - act(&grid_after, &after.1);
        let pushed = (rest.forward(&(&after.1 + &defect * h)).unwrap()
            - rest.forward(&(&after.1 - &defect * h)).unwrap())
            / (2.0 * h);
        let expected = pushed.square().mean(Kind::Double).double_value(&[]);
        let name = &network.steps()[at - 1].name;
        let found = results.layers.iter().find(|l| &l.name == name).unwrap().contribution;
        // Central differences with h = 1e-5 are right to h² times a third derivative, some 1e-8 relative.
        assert!((found / expected - 1.0).abs() < 1e-6, "{name}: {found} against {expected}");
    }
}
