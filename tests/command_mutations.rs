//! Damaged models, images, tensors and harmonics through whole commands, in this process: a result, or a sentence with a
//! status that is not that of a defect; never a panic, an abort, or words of libtorch.
//!
//! The same on every run. fuzz/README.md says how to make it a long one.

use std::collections::HashMap;
use std::fs;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aliascope::antialias::Padding;
use aliascope::antialias::surgery::{Form, InsertionOptions, Place, Replacement, SurgeryError, TargetModel};
use aliascope::cli::{Failure, Status};
use aliascope::graph::onnx::OnnxFile;
use aliascope::graph::onnx::proto::ModelProto;
use aliascope::graph::{GraphError, LoadOptions, Network};
use aliascope::input::{Preprocessing, Source, read_luma};
use aliascope::measure::layers::{LayerMeter, LayersOptions, SplitBy, probes};
use aliascope::measure::lee::{LeeMeter, LeeOptions};
use aliascope::measure::metrics::{MetricsMeter, MetricsOptions};
use aliascope::memory::Allowance;
use aliascope_core::cli::theorem::read_harmonics;
use prost::Message;
use safetensors::tensor::{Dtype, TensorView};
use tch::{Kind, Tensor};

use crate::common::alone::alone;
use crate::common::mutation::{Random, corpus, damaged_bytes, mutant};

/// How many mutants of each kind, and where the sequence of them starts.
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

fn runs() -> u64 {
    setting("ALIASCOPE_MUTATIONS", 300)
}

fn random(kind: u64) -> Random {
    let seed = setting("ALIASCOPE_MUTATION_SEED", 1);
    Random((0x9e37_79b9_7f4a_7c15 ^ kind).wrapping_mul(2 * seed + 1))
}

/// Words that no message to a user has.
const FOREIGN: [&str; 9] =
    ["libtorch:", "c10::", "at::", "aten", "Exception raised", " Tensor ", "TORCH_CHECK", "INTERNAL ASSERT", "std::"];

/// What is wrong with how a run ended.
fn fault(outcome: Result<Result<(), Failure>, Box<dyn std::any::Any + Send>>) -> Option<String> {
    match outcome {
        Ok(Ok(())) => None,
        Ok(Err(failure)) => {
            let foreign = FOREIGN.iter().any(|word| failure.message.contains(word));
            let defect = matches!(failure.status, Status::Defect | Status::Check);
            (foreign || defect).then(|| format!("status {}: {}", failure.status as u8, failure.message))
        }
        Err(payload) => {
            let text = payload.downcast_ref::<String>().cloned();
            Some(format!(
                "panic: {}",
                text.or_else(|| payload.downcast_ref::<&str>().map(|t| (*t).to_owned())).unwrap_or_default()
            ))
        }
    }
}

/// Runs mutants, each from a file of its own, and gathers what goes wrong; `mutate` writes the file.
struct Campaign {
    folder: tempfile::TempDir,
    faults: Vec<String>,
    done: u64,
    slowest: Duration,
}

impl Campaign {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), faults: Vec::new(), done: 0, slowest: Duration::ZERO }
    }

    fn run(&mut self, name: &str, bytes: &[u8], command: impl FnOnce(&Path) -> Result<(), Failure>) {
        // It stays there where the process ends in the middle of a run.
        let path = match std::env::var_os("ALIASCOPE_MUTATION_FOLDER") {
            Some(folder) => PathBuf::from(folder).join(name),
            None => self.folder.path().join(name),
        };
        fs::write(&path, bytes).unwrap();
        let started = Instant::now();
        let outcome = catch_unwind(AssertUnwindSafe(|| command(&path)));
        let took = started.elapsed();
        self.slowest = self.slowest.max(took);
        self.done += 1;
        let slow = (took > Duration::from_secs(20)).then(|| format!("{took:?}"));
        if let Some(fault) = fault(outcome).or(slow) {
            let kept = std::env::temp_dir().join(format!("aliascope-fault-{}-{name}", self.faults.len()));
            fs::write(&kept, bytes).unwrap();
            eprintln!("fault: {}: {fault}", kept.display());
            self.faults.push(format!("{}: {fault}", kept.display()));
        }
    }

    fn finish(self, what: &str) {
        println!("{} damaged {what}, {} faults, the slowest in {:?}", self.done, self.faults.len(), self.slowest);
        assert!(self.faults.is_empty(), "{} faults:\n{}", self.faults.len(), self.faults.join("\n"));
    }
}

/// As the commands do it, one after the other, on noise; each ends for itself.
fn commands(network: &Network, file: &OnnxFile, counts: &mut [u64; 6]) -> Result<(), Failure> {
    let shape = network.input().shape.clone();
    let entries: i64 = shape.iter().product();
    if entries > 1 << 16 {
        return Ok(());
    }
    network.check_output()?;
    let noise = Tensor::from_slice(&crate::common::noise(entries as u32)).to_kind(Kind::Double);
    let x = noise.reshape([&[1], shape.as_slice()].concat());
    let dx = x.unsqueeze(0);
    network.sweep(&network.place(&x)?, &network.place(&dx)?)?;
    counts[0] += 1;
    let names = ["noise".to_owned()];
    let rotate = || LayersOptions::new("rotate".parse().unwrap_or_else(|_| unreachable!()));
    let mut ends: Vec<Result<(), Failure>> = Vec::new();
    let mut count = |at: usize, end: Result<(), Failure>| {
        counts[at] += u64::from(end.is_ok());
        ends.push(end);
    };
    let lee = || -> Result<(), Failure> { Ok(LeeMeter::new(network, LeeOptions::default())?.measure(&x, &names)?) };
    count(1, lee());
    let exact = || -> Result<(), Failure> {
        let mut meter = LayerMeter::new(network, rotate())?;
        meter.measure(&x, &names, &mut |_, _| {})?;
        let _ = meter.results();
        Ok(())
    };
    count(2, exact());
    let probed = || -> Result<(), Failure> {
        let mut meters = vec![LayerMeter::new(network, LayersOptions { split: SplitBy::Nothing, ..rotate() })?];
        probes::measure(&mut meters, &x, "noise", 2, &mut |_, _| {})?;
        let _ = meters[0].results();
        Ok(())
    };
    count(3, probed());
    let rewritten = || -> Result<(), Failure> {
        let target = TargetModel::new(file, network)?;
        let rules: Vec<Replacement> =
            ["stride=blurpool:3", "activation=filtered:2x"].iter().filter_map(|rule| rule.parse().ok()).collect();
        for rule in rules {
            let ranges = HashMap::new();
            let options = InsertionOptions {
                rules: std::slice::from_ref(&rule),
                pattern: None,
                padding: Padding::Reflect,
                place: Place::default(),
                ranges: &ranges,
            };
            let insertions = match target.insertions(&options) {
                Err(SurgeryError::NoMatch { .. }) => continue,
                insertions => insertions?,
            };
            let chosen: Vec<_> = insertions.iter().collect();
            let after = target.load(&target.rewrite(&chosen, Form::Memory)?)?;
            let _ = after.forward(&after.place(&x)?)?;
        }
        Ok(())
    };
    count(4, rewritten());
    let metrics = || -> Result<(), Failure> {
        let options = MetricsOptions { draws: 1, ..MetricsOptions::default() };
        Ok(MetricsMeter::new(network, options)?.measure(&x.squeeze_dim(0), None)?)
    };
    count(5, metrics());
    // The worst end is the one that is told: a defect before what a model is refused for.
    ends.into_iter().filter_map(Result::err).try_for_each(|failure| match fault(Ok(Err(failure.clone()))) {
        Some(_) => Err(failure),
        None => Ok(()),
    })
}

/// The allowance is the whole process's.
#[test]
fn damaged_models_end_every_command_in_a_result_or_a_sentence() {
    alone("command_mutations::damaged_models_end_every_command_in_a_result_or_a_sentence", damaged_models);
}

fn damaged_models() {
    let mut corpus = corpus();
    for name in ["traced", "scripted"] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/torchscript/{name}.onnx"));
        // Some copies, as it is the one with layers in a row.
        corpus.extend(std::iter::repeat_n(fs::read(file).unwrap(), corpus.len() / 2));
    }
    let donors: Vec<ModelProto> = corpus.iter().map(|bytes| ModelProto::decode(bytes.as_slice()).unwrap()).collect();
    let mut random = random(1);
    let mut campaign = Campaign::new();
    let mut counts = [0; 6];
    let _allowance = Allowance::of(Some(256 << 20));
    for _ in 0..runs() {
        let Some(model) = mutant(&corpus, &donors, &mut random) else { continue };
        let bytes = model.encode_to_vec();
        campaign.run("model.onnx", &bytes, |path| {
            let file = OnnxFile { path: path.to_owned(), model };
            let network = Network::from_file(&file, &LoadOptions::default());
            let network = match network {
                Err(GraphError::LocallyConstant { .. }) => return Ok(()),
                network => network?,
            };
            commands(&network, &file, &mut counts)
        });
    }
    println!("of them sweep, lee, layers, layers by probes, surgery, metrics end with a result: {counts:?}");
    assert!(counts.iter().all(|&count| count * 50 > campaign.done), "too few get through: {counts:?}");
    campaign.finish("models");
}

/// A small picture, encoded.
fn picture(format: image::ImageFormat) -> Vec<u8> {
    let pixels: Vec<u8> = crate::common::noise(3 * 24 * 20).iter().map(|v| (127.0 + 100.0 * v) as u8).collect();
    let image = image::RgbImage::from_raw(24, 20, pixels).unwrap();
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
    bytes
}

#[test]
fn damaged_pictures_are_read_or_refused() {
    let pictures = [picture(image::ImageFormat::Png), picture(image::ImageFormat::Jpeg)];
    let mut random = random(2);
    let mut campaign = Campaign::new();
    for _ in 0..runs() {
        let bytes = damaged_bytes(&pictures[random.below(2)], &mut random);
        campaign.run("picture.png", &bytes, |path| {
            let read = |path: &Path| -> Result<(), Failure> {
                let source = Source::open(&[path.to_owned()], [3, 8, 8])?;
                source.read(&source.frames()[0], &Preprocessing::imagenet())?;
                Ok(())
            };
            read(path)?;
            read_luma(path)?;
            Ok(())
        });
    }
    campaign.finish("pictures");
}

#[test]
fn damaged_tensors_are_read_or_refused() {
    let values: Vec<u8> = crate::common::noise(2 * 3 * 8 * 8).iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, vec![2, 3, 8, 8], &values).unwrap();
    let whole = safetensors::serialize([("x", view)], None).unwrap();
    let mut random = random(3);
    let mut campaign = Campaign::new();
    for _ in 0..runs() {
        // Half of them in the header, where there is more to get wrong.
        let bytes = match random.below(2) {
            0 => damaged_bytes(&whole, &mut random),
            _ => [damaged_bytes(&whole[..80], &mut random).as_slice(), &whole[80..]].concat(),
        };
        campaign.run("images.safetensors", &bytes, |path| {
            let source = Source::open(&[path.to_owned()], [3, 8, 8])?;
            source.frames().iter().take(4).try_for_each(|frame| {
                source.read(frame, &Preprocessing::imagenet())?;
                Ok(())
            })
        });
    }
    campaign.finish("tensor files");
}

#[test]
fn damaged_harmonics_are_read_or_refused() {
    let whole = b"[[1, 2, 0.5, -0.25], [0, 3, 1e-3, 0], [-4, 1, 2.5, 1e2]]";
    let pieces: [&[u8]; 10] = [b"[", b"]", b",", b"1e308", b"-1", b"9007199254740993", b"null", b"NaN", b"\"", b"0.1"];
    let mut random = random(4);
    let mut campaign = Campaign::new();
    for _ in 0..runs() {
        let mut bytes = damaged_bytes(whole, &mut random);
        for _ in 0..random.below(3) {
            let at = random.below(bytes.len());
            bytes.splice(at..at, pieces[random.below(pieces.len())].iter().copied());
        }
        campaign.run("harmonics.json", &bytes, |path| {
            read_harmonics(path)?;
            Ok(())
        });
    }
    campaign.finish("lists of harmonics");
}
