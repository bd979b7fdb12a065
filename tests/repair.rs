//! Repair on small networks: gradients, recalibration, training, and what is written back.

use std::collections::HashMap;

use aliascope::antialias::Padding;
use aliascope::antialias::surgery::{Form, Insertion, InsertionOptions, Place, Replacement, Rewritten, TargetModel};
use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::{LoadOptions, Network, Parameter, ParameterRole};
use aliascope::measure::lee::{LeeMeter, LeeOptions};
use aliascope::repair::{
    CurvePoint, Judge, Loss, RecalibrationKind, RepairError, State, TangentMeter, TrainOptions, Trained, Trainer,
    adaptable, batch, recalibrate, recorded, with_parameters,
};
use aliascope::symmetry::{Combination, Generator};
use tch::{Kind, Tensor};

use crate::common::classifier::{Noise, classifier};
use crate::common::model::{doubles, node};
use crate::common::relative;

const DOUBLE: fn() -> LoadOptions = || LoadOptions { kind: Kind::Double, ..Default::default() };

/// A network and itself with designs.
struct Case {
    file: OnnxFile,
    teacher: Network,
    rewritten: Rewritten,
}

fn case(rule: &str) -> Case {
    // Tests share the machine, and these networks are too small for more.
    tch::set_num_threads(1);
    let file = classifier(doubles);
    let teacher = Network::from_file(&file, &DOUBLE()).unwrap();
    let rules: Vec<Replacement> = vec![rule.parse().unwrap()];
    let ranges = HashMap::new();
    let options = InsertionOptions {
        rules: &rules,
        pattern: None,
        padding: Padding::Reflect,
        place: Place::Paper,
        ranges: &ranges,
    };
    let target = TargetModel::new(&file, &teacher).unwrap();
    let insertions = target.insertions(&options).unwrap();
    let rewritten = target.rewrite(&insertions.iter().collect::<Vec<&Insertion>>(), Form::Onnx).unwrap();
    Case { file, teacher, rewritten }
}

impl Case {
    fn student(&self) -> (Network, Vec<Parameter>) {
        let mut student = Network::from_file(&self.rewritten.file, &DOUBLE()).unwrap();
        let (parameters, _) = adaptable(&mut student, &self.file, &self.rewritten.file).unwrap();
        (student, parameters)
    }

    fn written(&self) -> Vec<String> {
        self.rewritten.swaps.iter().filter_map(|swap| swap.after.last().cloned()).collect()
    }

    fn divergence(&self, network: &Network, x: &Tensor) -> f64 {
        let x = x.to_kind(network.kind());
        let [p, q] = [&self.teacher, network].map(|network| {
            network.forward(&x.to_kind(network.kind())).unwrap().to_kind(Kind::Double).log_softmax(-1, None)
        });
        (p.exp() * (&p - &q)).sum(None::<Kind>).double_value(&[]) / x.size()[0] as f64
    }
}

fn forward(network: &Network, x: &Tensor) -> Tensor {
    recorded(network, x, &[]).unwrap().0
}

/// Every parameter is found, once, and designs' own filters are not among them.
#[test]
fn parameters_are_those_of_the_file() {
    let case = case("stride=blurpool:3");
    let (_, parameters) = case.student();
    let found: Vec<(&str, usize)> = parameters.iter().map(|p| (p.node.as_str(), p.input)).collect();
    let convolution = |name: &'static str| [(name, 1), (name, 2)];
    let wanted: Vec<(&str, usize)> = ["/stem/Conv", "/depthwise/Conv", "/down/Conv", "/mix/Conv"]
        .into_iter()
        .flat_map(convolution)
        .chain([("/gained/Mul", 1)])
        .chain(convolution("/up/ConvTranspose"))
        .chain(convolution("/dense/Gemm"))
        .chain([("/product/MatMul", 1), ("/y/Add", 0)])
        .collect();
    assert_eq!(found, wanted);
    let stored: Vec<Vec<i64>> = parameters.iter().map(|p| p.as_stored(&p.tensor).unwrap().size()).collect();
    let constants = &case.file.model.graph.as_ref().unwrap().initializer;
    let dims: Vec<Vec<i64>> = constants.iter().filter(|c| c.name() != "flat").map(|c| c.dims.clone()).collect();
    assert_eq!(stored, dims);
}

/// Gradients of the recorded forward pass by every parameter, against central differences in double precision. ReLU's
/// kinks are passed by few entries: of the differences of step 1e-6 the error is some 1e-9.
#[test]
fn gradients_are_those_of_differences() {
    let case = case("stride=blurpool:3");
    let (student, parameters) = case.student();
    let mut noise = Noise(5);
    let x = noise.images(2);
    let direction = Tensor::from_slice(&noise.list(8, 1.0)).view([2, 1, 4]);
    let value = || (forward(&student, &x) * &direction).sum(None::<Kind>);
    for parameter in &parameters {
        let _ = parameter.tensor.set_requires_grad(true);
    }
    let leaves: Vec<&Tensor> = parameters.iter().map(|parameter| &parameter.tensor).collect();
    let gradients = Tensor::run_backward(&[&value()], &leaves, false, false);
    for (parameter, gradient) in parameters.iter().zip(&gradients) {
        let along = Tensor::from_slice(&noise.list(gradient.numel() as i64, 1.0)).view_(gradient.size());
        let h = 1e-6;
        let moved = |by: f64| {
            tch::no_grad(|| {
                let _ = parameter.tensor.detach().g_add_scaled(&along, by);
                let value = value().double_value(&[]);
                let _ = parameter.tensor.detach().g_add_scaled(&along, -by);
                value
            })
        };
        let slope = (moved(h) - moved(-h)) / (2.0 * h);
        let wanted = (gradient * &along).sum(None::<Kind>).double_value(&[]);
        assert!((slope - wanted).abs() < 1e-7 * (1.0 + wanted.abs()), "{}: {slope} {wanted}", parameter.node);
    }
}

/// In-place addition of a scaled tensor.
trait Scaled {
    fn g_add_scaled(&self, other: &Tensor, by: f64) -> Tensor;
}

impl Scaled for Tensor {
    fn g_add_scaled(&self, other: &Tensor, by: f64) -> Tensor {
        let mut own = self.shallow_clone();
        own.f_add_(&(other * by)).unwrap()
    }
}

/// What is written is what computes: in the file's type and shape, constants that others read stay for them, and a
/// second writing changes nothing.
#[test]
fn a_written_file_is_the_network() {
    let case = case("stride=blurpool:3");
    let (student, parameters) = case.student();
    let mut noise = Noise(8);
    tch::no_grad(|| {
        for parameter in &parameters {
            let change = Tensor::from_slice(&noise.list(parameter.tensor.numel() as i64, 0.1));
            let _ = parameter.tensor.detach().g_add_scaled(&change.view_(parameter.tensor.size()), 1.0);
        }
    });
    let values: Vec<(&Parameter, &Tensor)> = parameters.iter().map(|p| (p, &p.tensor)).collect();
    let file = with_parameters(&case.rewritten.file, &values).unwrap();
    let bytes = file.to_bytes().unwrap();
    let again = OnnxFile::from_bytes(&bytes, &file.path).unwrap();
    let again = Network::from_file(&again, &DOUBLE()).unwrap();
    let x = noise.images(2);
    let wanted = tch::no_grad(|| forward(&student, &x));
    assert!(relative(&again.forward(&x).unwrap(), &wanted) < 1e-12);
    assert!(relative(&case.teacher.forward(&x).unwrap(), &wanted) > 1e-2);
    let names = |file: &OnnxFile| -> Vec<String> {
        file.model.graph.as_ref().unwrap().initializer.iter().map(|c| c.name().to_owned()).collect()
    };
    assert_eq!(names(&file), names(&case.rewritten.file));
}

/// Two nodes that read one constant get one each.
#[test]
fn shared_constants_part() {
    let mut file = classifier(doubles);
    let graph = file.model.graph.as_mut().unwrap();
    // The two convolutions of eight outputs share a bias.
    let mix = graph.node.iter_mut().find(|node| node.name() == "/mix/Conv").unwrap();
    mix.input[2] = "down.bias".to_owned();
    graph.initializer.retain(|constant| constant.name() != "mix.bias");
    let mut network = Network::from_file(&file, &DOUBLE()).unwrap();
    let (parameters, _) = adaptable(&mut network, &file, &file).unwrap();
    let bias = parameters.iter().find(|p| p.node == "/mix/Conv" && p.role == ParameterRole::Bias).unwrap();
    let _ = tch::no_grad(|| bias.tensor.detach().fill_(3.0));
    let written = with_parameters(&file, &[(bias, &bias.tensor)]).unwrap();
    let written = Network::from_file(&written, &DOUBLE()).unwrap();
    let x = Noise(2).images(1);
    assert!(relative(&written.forward(&x).unwrap(), &tch::no_grad(|| forward(&network, &x))) < 1e-12);
}

/// The recorded LEE is the one of a sweep, up to the central difference's error and kinks within its step.
#[test]
fn the_recorded_lee_is_that_of_a_sweep() {
    let case = case("stride=blurpool:3");
    let (student, _) = case.student();
    let x = Noise(3).images(4);
    let along = Combination::single(Generator::TranslateX);
    let options = LeeOptions { generators: vec![along.clone()], ..LeeOptions::default() };
    let mut meter = LeeMeter::new(&student, options.clone()).unwrap();
    let names: Vec<String> = (0..4).map(|i| i.to_string()).collect();
    meter.measure(&x, &names).unwrap();
    let wanted = meter.per_image()["translate_x"].iter().sum::<f64>() / 4.0;
    let mut recorded = TangentMeter::new(&student, &options).unwrap();
    let found = tch::no_grad(|| recorded.lee(&x, &along)).unwrap().double_value(&[]);
    assert!((found - wanted).abs() < 0.03 * wanted, "{found} {wanted}");
}

/// A layer whose input is a sum of what the teacher's layer sees and noise-free, rescaled channels is recovered: where
/// a design leaves all as it was, nothing changes; where the weights of a layer were spoilt, they come back.
#[test]
fn recalibration_finds_what_was_there() {
    let case = case("stride=blurpool:3");
    let mut noise = Noise(21);
    let x = noise.images(24);
    for kind in [RecalibrationKind::Channels, RecalibrationKind::Weights] {
        let (student, parameters) = case.student();
        let layers = recalibrate([&case.teacher, &student], &parameters, &case.written(), kind, &x).unwrap();
        let names: Vec<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(names[..3], ["/depthwise/Conv", "/down/Conv", "/mix/Conv"], "{kind}");
        assert!(layers.iter().all(|layer| layer.after <= layer.before * (1.0 + 1e-9)), "{kind} {layers:?}");
        assert!(layers[..3].iter().any(|layer| layer.after < 0.9 * layer.before), "{kind} {layers:?}");
        // What is told of the first layer is what the network does: its old weights against its new ones.
        let id = |network: &Network| network.values().iter().position(|value| value.name == "depthwise").unwrap();
        let of = |network: &Network| tch::no_grad(|| recorded(network, &x, &[id(network)]).unwrap().1.swap_remove(0));
        let (wanted, got) = (of(&case.teacher), of(&student));
        let middle = wanted.mean_dim([0i64, 1, 3, 4].as_slice(), true, None::<Kind>);
        let spread = (&wanted - middle).square().sum(None::<Kind>).double_value(&[]);
        let error = (&wanted - got).square().sum(None::<Kind>).double_value(&[]) / spread;
        assert!((error - layers[0].after).abs() < 1e-9, "{kind}: {error} {:?}", layers[0]);
    }
}

/// With moments each channel of a layer has the teacher's mean and spread on the calibration images, up to the ridge of
/// 1e-2 towards the old scale.
#[test]
fn recalibration_by_moments_keeps_mean_and_spread() {
    let case = case("stride=blurpool:3");
    let x = Noise(22).images(24);
    let (student, parameters) = case.student();
    let moments = |network: &Network| {
        let id = network.values().iter().position(|value| value.name == "depthwise").unwrap();
        let y = tch::no_grad(|| recorded(network, &x, &[id]).unwrap().1.swap_remove(0));
        let y = y.movedim_int(2, 0).flatten(1, -1);
        let of = |y: Tensor| Vec::<f64>::try_from(&y).unwrap();
        (of(y.mean_dim([1i64].as_slice(), false, None::<Kind>)), of(y.std_dim([1i64].as_slice(), false, false)))
    };
    let before = moments(&student);
    let networks = [&case.teacher, &student];
    recalibrate(networks, &parameters, &case.written(), RecalibrationKind::Moments, &x).unwrap();
    let (wanted, found) = (moments(&case.teacher), moments(&student));
    let most =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs() / b.abs().max(1e-3)).fold(0.0, f64::max);
    assert!(most(&before.1, &wanted.1) > 0.05, "nothing to bring back: {before:?} {wanted:?}");
    assert!(most(&found.0, &wanted.0) < 1e-9 && most(&found.1, &wanted.1) < 1e-2, "{found:?} {wanted:?}");
}

/// The known answer: a design that scales what it passes on is undone by the next layer's weights.
#[test]
fn recalibration_undoes_a_known_change() {
    let case = case("stride=blurpool:3");
    // A network that is the teacher but for a factor on one value, which the rewriting is said to have written.
    let mut file = case.file.clone();
    let graph = file.model.graph.as_mut().unwrap();
    let at = graph.node.iter().position(|node| node.name() == "/down/Conv").unwrap();
    graph.initializer.push(doubles("half", &[1], &[0.5]));
    let mut halved = node("Mul", &["depthwise/act", "half"], &["halved"]);
    halved.name = Some("/halved/Mul".to_owned());
    graph.node[at].input[0] = "halved".to_owned();
    graph.node.insert(at, halved);
    let mut student = Network::from_file(&file, &DOUBLE()).unwrap();
    let (parameters, _) = adaptable(&mut student, &case.file, &file).unwrap();
    let x = Noise(4).images(24);
    let written = ["halved".to_owned()];
    let networks = [&case.teacher, &student];
    let layers = recalibrate(networks, &parameters, &written, RecalibrationKind::Channels, &x).unwrap();
    // Halving is not undone by scales of the sums where there is a bias inside them, but nearly: b + s(y − b) with s =
    // 2 and a shift is exact. The ridge of 1e-2 towards the old scale leaves 1e-2 of the distance, and so 1e-4 of the
    // error.
    assert!(layers[0].before > 0.1 && layers[0].after < 2e-4 * layers[0].before, "{layers:?}");
}

fn options(steps: usize) -> TrainOptions {
    TrainOptions { steps, batch: 8, rate: 5e-3, every: 10, ..TrainOptions::default() }
}

/// Training on images; the student's weights as bytes.
fn train(
    case: &Case,
    options: &TrainOptions,
    pool: &Tensor,
    held: &Tensor,
    stop: Option<usize>,
) -> (Vec<u8>, f64, State) {
    let (student, parameters) = case.student();
    let lee = LeeOptions::default();
    let networks = [&case.teacher, &student];
    let mut trainer = Trainer::new(networks, &parameters, &case.written(), options.clone(), &lee).unwrap();
    let held: Vec<Tensor> = (0..held.size()[0]).map(|at| held.get(at)).collect();
    let judge = Judge::new(&case.teacher, &held, 8, 2).unwrap();
    let state = run(&mut trainer, &judge, pool, stop, None);
    trainer.finish().unwrap();
    (flat(&parameters), trainer.curve().last().unwrap().validation, state)
}

fn run(trainer: &mut Trainer<'_>, judge: &Judge, pool: &Tensor, stop: Option<usize>, from: Option<&State>) -> State {
    if let Some(state) = from {
        state.restore(trainer, "own").unwrap();
    } else {
        trainer.validate(judge).unwrap();
    }
    let options = trainer.options().clone();
    while trainer.steps() < stop.unwrap_or(options.steps) {
        let (chosen, _) = batch(&options, trainer.steps(), pool.size()[0] as usize);
        let chosen: Vec<i64> = chosen.into_iter().map(|at| at as i64).collect();
        let x = pool.index_select(0, &Tensor::from_slice(&chosen));
        trainer.step([&x, &x]).unwrap();
        if trainer.steps().is_multiple_of(options.every) {
            trainer.validate(judge).unwrap();
        }
    }
    State::of(trainer, "own").unwrap()
}

fn flat(parameters: &[Parameter]) -> Vec<u8> {
    let all: Vec<Tensor> = parameters.iter().map(|p| p.tensor.detach().contiguous().view([-1])).collect();
    let all: Vec<f64> = Vec::try_from(&Tensor::cat(&all, 0)).unwrap();
    all.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Adam's first step moves each number by the rate: here, in units of its output channel's root mean square, as a power of
/// two, so that factors that a folded batch norm has left do not matter. The stem's channels are made to differ 64-fold.
#[test]
fn steps_are_as_large_as_their_channels() {
    let case = case("stride=blurpool:3");
    let (student, parameters) = case.student();
    let stem = &parameters[0];
    assert_eq!((stem.node.as_str(), stem.input), ("/stem/Conv", 1));
    let channels = stem.tensor.size()[0];
    let factors: Vec<f64> = (0..channels).map(|at| 4.0_f64.powi(at as i32 % 4)).collect();
    let factors = Tensor::from_slice(&factors).view([-1, 1, 1, 1]);
    tch::no_grad(|| stem.tensor.shallow_clone().copy_(&(&stem.tensor * &factors)));
    let before = stem.tensor.copy();
    let (options, lee) = (options(10), LeeOptions::default());
    let networks = [&case.teacher, &student];
    let mut trainer = Trainer::new(networks, &parameters, &case.written(), options.clone(), &lee).unwrap();
    let x = Noise(3).images(8);
    trainer.step([&x, &x]).unwrap();
    let size = before.square().mean_dim([1, 2, 3].as_slice(), true, None::<Kind>).sqrt().log2().round().exp2();
    let moved = (stem.tensor.detach() - &before).abs() / (size * options.rate_at(0));
    let moved: Vec<f64> = Vec::try_from(&moved.reshape([-1])).unwrap();
    // √v̂ stands beside ε = 1e-8, a hundredth of a gradient of 1e-6, which few are below.
    assert!(moved.iter().all(|&step| step < 1.0 + 1e-9), "{moved:?}");
    assert!(moved.iter().filter(|&&step| step > 0.99).count() * 10 > moved.len() * 9, "{moved:?}");
}

#[test]
fn training_brings_back_what_was_said_and_repeats_bit_for_bit() {
    let case = case("stride=blurpool:3");
    let mut noise = Noise(9);
    let (pool, held) = (noise.images(48), noise.images(16));
    let (student, _) = case.student();
    let before = case.divergence(&student, &held);
    for (train_what, loss) in [
        (Trained::All, Loss::Kl),
        (Trained::Affine, Loss::Kl),
        (Trained::After, Loss::Features),
        (Trained::All, Loss::Logits),
    ] {
        let options = TrainOptions { train: train_what, loss, ..options(40) };
        let (first, validation, _) = train(&case, &options, &pool, &held, None);
        if train_what == Trained::All && loss == Loss::Kl {
            let (second, ..) = train(&case, &options, &pool, &held, None);
            assert!(first == second, "another result");
            let other = TrainOptions { seed: 1, ..options };
            assert!(first != train(&case, &other, &pool, &held, None).0);
        }
        if loss != Loss::Logits {
            assert!(validation < 0.6 * before, "{train_what} {loss}: {before} → {validation}");
        }
    }
}

/// The student's LEE falls where it is asked to.
#[test]
fn a_weighted_lee_falls() {
    let case = case("stride=blurpool:3");
    let mut noise = Noise(14);
    let (pool, held) = (noise.images(32), noise.images(8));
    let lee_of = |weight: f64| {
        let options = TrainOptions {
            lee_weight: weight,
            generators: vec![Combination::single(Generator::TranslateX)],
            ..options(30)
        };
        let (student, parameters) = case.student();
        let lee = LeeOptions { generators: options.generators.clone(), ..LeeOptions::default() };
        let mut trainer = Trainer::new([&case.teacher, &student], &parameters, &case.written(), options, &lee).unwrap();
        let held: Vec<Tensor> = (0..held.size()[0]).map(|at| held.get(at)).collect();
        let judge = Judge::new(&case.teacher, &held, 8, 8).unwrap();
        let _ = run(&mut trainer, &judge, &pool, None, None);
        trainer.curve().last().unwrap().lee
    };
    let (without, with) = (lee_of(0.0), lee_of(300.0));
    assert!(with < 0.7 * without, "{without} {with}");
}

/// Without a design the network before has no distance from itself, so that only its LEE can speak for other weights: the
/// best are those of the least distance and weighted LEE.
#[test]
fn weights_are_chosen_by_what_is_lowered() {
    let case = case("stride=blurpool:3");
    let mut noise = Noise(14);
    let (pool, held) = (noise.images(32), noise.images(8));
    let mut student = Network::from_file(&case.file, &DOUBLE()).unwrap();
    let (parameters, _) = adaptable(&mut student, &case.file, &case.file).unwrap();
    let generators = vec![Combination::single(Generator::TranslateX), Combination::single(Generator::TranslateY)];
    let lee = LeeOptions { generators: generators.clone(), ..LeeOptions::default() };
    let options = TrainOptions { lee_weight: 300.0, generators, ..options(30) };
    let mut trainer = Trainer::new([&case.teacher, &student], &parameters, &[], options, &lee).unwrap();
    let held: Vec<Tensor> = (0..held.size()[0]).map(|at| held.get(at)).collect();
    let judge = Judge::new(&case.teacher, &held, 8, 8).unwrap();
    let _ = run(&mut trainer, &judge, &pool, None, None);
    let score = |point: &CurvePoint| point.validation + 300.0 * point.lee;
    let best = trainer.curve().iter().min_by(|a, b| score(a).total_cmp(&score(b))).unwrap();
    assert_eq!(trainer.curve()[0].validation, 0.0);
    assert!(best.step > 0 && score(best) < 0.8 * score(&trainer.curve()[0]), "{:?}", trainer.curve());
    assert_eq!(trainer.best_step(), best.step);
}

/// The teacher's outputs are of what it is given: a student who sees a scaled image learns to undo the scale.
#[test]
fn teacher_and_student_may_see_different_images() {
    let case = case("stride=blurpool:3");
    let x = Noise(5).images(8);
    let mut losses = Vec::new();
    for own in [&x, &(&x * 0.5)] {
        let mut student = Network::from_file(&case.file, &DOUBLE()).unwrap();
        let (parameters, _) = adaptable(&mut student, &case.file, &case.file).unwrap();
        let (options, lee) = (options(1), LeeOptions::default());
        let mut trainer = Trainer::new([&case.teacher, &student], &parameters, &[], options, &lee).unwrap();
        losses.push(trainer.step([&x, own]).unwrap());
    }
    let (theirs, own) = (case.teacher.forward(&x).unwrap(), case.teacher.forward(&(&x * 0.5)).unwrap());
    let centred = &theirs - theirs.mean_dim([-1i64].as_slice(), true, None::<Kind>);
    let wanted = ((&own - &theirs).square().sum(None::<Kind>) / centred.square().sum(None::<Kind>)).double_value(&[]);
    assert_eq!(losses[0], 0.0);
    assert!((losses[1] - wanted).abs() <= 1e-12 * wanted, "{losses:?} {wanted}");
}

#[test]
fn a_resumed_run_ends_where_an_uninterrupted_one_does() {
    let case = case("stride=blurpool:3");
    let mut noise = Noise(6);
    let (pool, held) = (noise.images(24), noise.images(8));
    for train_what in [Trained::All, Trained::Affine] {
        let options = TrainOptions { train: train_what, ..options(20) };
        let (whole, ..) = train(&case, &options, &pool, &held, None);
        let (_, _, state) = train(&case, &options, &pool, &held, Some(13));
        let state = State::from_bytes(state.into_bytes());
        let (student, parameters) = case.student();
        let lee = LeeOptions::default();
        let mut trainer = Trainer::new([&case.teacher, &student], &parameters, &case.written(), options, &lee).unwrap();
        let held: Vec<Tensor> = (0..held.size()[0]).map(|at| held.get(at)).collect();
        let judge = Judge::new(&case.teacher, &held, 8, 2).unwrap();
        let refused = state.restore(&mut trainer, "other").unwrap_err();
        assert!(refused.to_string().contains("another network"), "{refused}");
        let _ = run(&mut trainer, &judge, &pool, None, Some(&state));
        trainer.finish().unwrap();
        assert!(flat(&parameters) == whole, "{train_what}: another result");
    }
}

#[test]
fn numbers_that_are_none_stop_with_the_step() {
    let case = case("stride=blurpool:3");
    let (student, parameters) = case.student();
    let lee = LeeOptions::default();
    let networks = [&case.teacher, &student];
    let mut trainer = Trainer::new(networks, &parameters, &case.written(), options(5), &lee).unwrap();
    let mut x = Noise(1).images(2);
    trainer.step([&x, &x]).unwrap();
    let _ = x.fill_(f64::INFINITY);
    let error = trainer.step([&x, &x]).unwrap_err();
    assert!(matches!(error, RepairError::NotFinite { step: 2, .. }), "{error}");
    assert!(error.to_string().contains("step 2") && error.to_string().contains("--rate"), "{error}");
}
