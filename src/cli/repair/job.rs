//! A repair from the network before to the report: designs, recalibration, steps, and the file of each stage.

use std::time::Instant;

use tch::{Kind, Tensor};

use super::images::TrainingImages;
use super::judgement::Judgement;
use super::request::Request;
use super::steps::Steps;
use crate::antialias::surgery::cost::{multiplications, time_in_turn};
use crate::antialias::surgery::report::Cost;
use crate::antialias::surgery::{Form, Insertion, Rewritten, TargetModel};
use crate::cli::network::{Console, Opened};
use crate::cli::{Failure, Status};
use crate::graph::onnx::OnnxFile;
use crate::graph::{Network, Parameter};
use crate::measure::run::Run;
use crate::repair::{
    Conclusion, REPAIR_SCHEMA_VERSION, Recalibration, RecalibrationKind, RepairReport, Stage, StageKind, adaptable,
    recalibrate, recorded, with_parameters,
};

/// A network that is repaired, and what goes with it.
pub(in crate::cli) struct Job<'a> {
    pub(in crate::cli) request: Request<'a>,
    pub(in crate::cli) opened: &'a Opened,
    pub(in crate::cli) target: &'a TargetModel<'a>,
    /// The file before.
    pub(in crate::cli) before: &'a OnnxFile,
    pub(in crate::cli) insertions: Vec<&'a Insertion>,
    pub(in crate::cli) training: TrainingImages,
    pub(in crate::cli) console: &'a Console,
}

/// The largest difference between a saved model and the trained network, over the largest output.
const SAVED_TOLERANCE: f64 = 1e-4;

impl Job<'_> {
    /// The report, and the bytes of the repaired model.
    pub(in crate::cli) fn run(&self) -> Result<(RepairReport, Vec<u8>), Failure> {
        let (request, network) = (&self.request, &self.opened.network);
        // What cannot be is said before photos are measured.
        let generators = request.judgement.generators();
        let options =
            request.training.options(request.steps, request.seed, &generators, network.classes().is_some())?;
        let rewritten = self.target.rewrite(&self.insertions, Form::Onnx)?;
        let written_values: Vec<String> =
            rewritten.swaps.iter().filter_map(|swap| swap.after.last().cloned()).collect();
        let judgement = Judgement::new(request.judgement, self.opened, request.seed, request.quiet)?;
        let mut stages = Vec::new();
        let mut file = rewritten.file;
        let mut student = self.load(&file)?;
        if !self.insertions.is_empty() {
            stages.push(judgement.stage(&student, StageKind::Surgery, "with designs")?);
        }
        let (parameters, left) = adaptable(&mut student, self.before, &file)?;
        let recalibration = match request.training.kind().filter(|_| !self.insertions.is_empty()) {
            Some(kind) => {
                let found = self.recalibrate(&student, &parameters, &written_values, kind)?;
                let recalibrated = written(&file, &parameters)?;
                stages.push(judgement.stage(&self.load(&recalibrated)?, StageKind::Recalibration, "recalibrated")?);
                self.keep_better(&stages, &parameters, &file)?;
                file = recalibrated;
                Some(found)
            }
            None => None,
        };
        let steps = Steps {
            request,
            options: &options,
            opened: self.opened,
            student: &student,
            parameters: &parameters,
            written: &written_values,
            images: &self.training,
            judgement: &judgement,
            console: self.console,
        };
        let (training, curve) = steps.run(left)?;
        let file = written(&file, &parameters)?;
        let bytes = file.to_bytes()?;
        let again = self.load(&OnnxFile::from_bytes(&bytes, &file.path)?)?;
        if training.steps_asked > 0 {
            stages.push(judgement.stage(&again, StageKind::Repair, "repaired")?);
        }
        let first = judgement.first()?;
        let report = RepairReport {
            schema_version: REPAIR_SCHEMA_VERSION,
            run: Run {
                lie: Some(judgement.before.lie()),
                output: Some(judgement.before.measured()),
                ..self.opened.run(judgement.names())
            },
            conclusion: Conclusion::default(),
            saved: request.save.map(|path| path.display().to_string()),
            saved_difference: difference(&student, &again, &first)?,
            replace: request.replace.iter().map(ToString::to_string).collect(),
            pattern: request.pattern.map(str::to_owned),
            padding: request.padding,
            place: request.place,
            insertions: self.insertions.iter().map(|i| i.among(&self.insertions).report()).collect(),
            training,
            recalibration,
            lee_images: judgement.names_wholly(),
            draws: usize::from(request.judgement.draws),
            stages,
            accuracy_before: judgement.accuracy_before()?,
            curve,
            cost: cost(network, &again, &first)?,
        };
        Ok((RepairReport { conclusion: Conclusion::of(&report), ..report }, bytes))
    }

    /// The network of a file, loaded as the one before was.
    fn load(&self, file: &OnnxFile) -> Result<Network, Failure> {
        let rewritten = Rewritten { file: file.clone(), custom: Default::default(), swaps: Vec::new() };
        Ok(self.target.load(&rewritten)?)
    }

    fn recalibrate(
        &self,
        student: &Network,
        parameters: &[Parameter],
        written: &[String],
        kind: RecalibrationKind,
    ) -> Result<Recalibration, Failure> {
        let begun = Instant::now();
        let x = self.training.evenly(self.request.training.calibration.get(), self.opened)?;
        let networks = [&self.opened.network, student];
        let layers = recalibrate(networks, parameters, written, kind, &x)?;
        Ok(Recalibration { kind, images: x.size()[0] as usize, layers, seconds: begun.elapsed().as_secs_f64() })
    }

    /// Goes back to the weights before recalibration where it took the outputs further away.
    fn keep_better(&self, stages: &[Stage], parameters: &[Parameter], before: &OnnxFile) -> Result<(), Failure> {
        let [.., surgery, recalibrated] = stages else { return Ok(()) };
        let away =
            |stage: &Stage| stage.change.kl.as_ref().map_or(stage.change.relative.mean, |divergence| divergence.mean);
        if away(recalibrated) <= away(surgery) {
            return Ok(());
        }
        self.console
            .note("recalibration took the outputs further away on the validation images, so steps begin without it");
        let mut old = self.load(before)?;
        let (old, _) = adaptable(&mut old, self.before, before)?;
        for (parameter, old) in parameters.iter().zip(&old) {
            tch::no_grad(|| parameter.tensor.f_detach()?.f_copy_(&old.tensor))?;
        }
        Ok(())
    }
}

/// The promise of a saved file.
pub(in crate::cli) fn check_saved(report: &RepairReport) -> Result<(), Failure> {
    let difference = report.saved_difference;
    if difference <= SAVED_TOLERANCE {
        return Ok(());
    }
    Err(Failure::new(
        Status::Check,
        format!("the model file's outputs differ by {difference:.1e} from those of the trained network; report it"),
    ))
}

/// The file with parameters as they are now.
fn written(file: &OnnxFile, parameters: &[Parameter]) -> Result<OnnxFile, Failure> {
    let values: Vec<(&Parameter, &Tensor)> = parameters.iter().map(|p| (p, &p.tensor)).collect();
    Ok(with_parameters(file, &values)?)
}

fn cost(before: &Network, after: &Network, x: &Tensor) -> Result<Cost, Failure> {
    let [old, new, ratio] = time_in_turn(before, after, x, 5)?;
    let (old_cost, new_cost) = (multiplications(before, &[], None), multiplications(after, &[], None));
    Ok(Cost {
        multiplications_before: old_cost,
        multiplications_after: new_cost,
        forward_passes: new_cost / old_cost.max(1.0),
        forward_ms_before: old,
        forward_ms_after: new,
        time_ratio: ratio,
    })
}

/// The largest difference of the outputs of the trained network and the one of its file, over the largest output.
fn difference(student: &Network, again: &Network, x: &Tensor) -> Result<f64, Failure> {
    tch::no_grad(|| {
        let x = student.place(x)?;
        let (wanted, _) = recorded(student, &x, &[])?;
        let got = again.forward(&x)?;
        let (wanted, got) = (wanted.f_to_kind(Kind::Double)?, got.f_to_kind(Kind::Double)?);
        let scale = wanted.f_abs()?.f_max()?.f_double_value(&[])?;
        let difference = wanted.f_sub(&got)?.f_abs()?.f_max()?.f_double_value(&[])?;
        Ok(if scale > 0.0 { difference / scale } else { difference })
    })
}
