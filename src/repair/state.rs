//! The state of a training, in a safetensors file.

use std::collections::HashMap;

use aliascope_core::repair::CurvePoint;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tch::{Kind, Tensor};

use super::error::RepairError;
use super::train::{Seen, Trainer};
use super::write::bytes;

/// All that a training goes on from: variables, moments, averages, best averages, and what was seen. Random numbers
/// depend on seed and step, and need no state.
pub struct State(Vec<u8>);

/// What a state belongs to: a training of the same networks, images and options.
const OWNER: &str = "owner";
const SEEN: &str = "seen";

impl State {
    /// Of a training; `owner` tells trainings apart.
    ///
    /// # Errors
    /// When libtorch or the format refuse.
    pub fn of(trainer: &Trainer<'_>, owner: &str) -> Result<Self, RepairError> {
        let mut encoded: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        for (name, tensors) in lists(trainer) {
            for (at, tensor) in tensors.iter().enumerate() {
                let double = tensor.kind() == Kind::Double;
                let dtype = if double { Dtype::F64 } else { Dtype::F32 };
                let shape = tensor.size().iter().map(|&n| n as usize).collect();
                let kind = if double { Kind::Double } else { Kind::Float };
                encoded.push((format!("{name}/{at}"), dtype, shape, bytes(tensor, kind)?));
            }
        }
        let refused = |error: &dyn std::fmt::Display| RepairError::State(error.to_string());
        let views = encoded.iter().map(|(name, dtype, shape, bytes)| {
            TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name.clone(), view))
        });
        let views = views.collect::<Result<Vec<_>, _>>().map_err(|error| refused(&error))?;
        let about = HashMap::from([
            (OWNER.to_owned(), owner.to_owned()),
            (SEEN.to_owned(), seen_in_words(&trainer.seen, trainer.minutes())),
        ]);
        Ok(Self(safetensors::serialize(views, Some(about)).map_err(|error| refused(&error))?))
    }

    /// The bytes of the file.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A file's bytes as a state.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Puts a training where it was.
    ///
    /// # Errors
    /// When this is no state, or another training's.
    pub fn restore(&self, trainer: &mut Trainer<'_>, owner: &str) -> Result<(), RepairError> {
        let refused = |error: &dyn std::fmt::Display| RepairError::State(error.to_string());
        let (_, header) = SafeTensors::read_metadata(&self.0).map_err(|error| refused(&error))?;
        let about = header.metadata().clone().unwrap_or_default();
        if about.get(OWNER).map(String::as_str) != Some(owner) {
            return Err(RepairError::State(
                "it belongs to another network, other images or other options; give those of the run that wrote it, or \
                 leave --resume out"
                    .to_owned(),
            ));
        }
        let seen = about.get(SEEN).and_then(|text| seen_of(text));
        let seen = seen.ok_or_else(|| refused(&"it does not say how far the run was"))?;
        let file = SafeTensors::deserialize(&self.0).map_err(|error| refused(&error))?;
        for (name, tensors) in lists(trainer) {
            for (at, tensor) in tensors.iter().enumerate() {
                let stored = file.tensor(&format!("{name}/{at}")).map_err(|error| refused(&error))?;
                let kind = if tensor.kind() == Kind::Double { Kind::Double } else { Kind::Float };
                let value = Tensor::f_from_data_size(stored.data(), &tensor.size(), kind)?;
                tch::no_grad(|| tensor.f_detach()?.f_copy_(&value))?;
            }
        }
        trainer.restored(seen)
    }
}

fn lists<'t>(trainer: &'t Trainer<'_>) -> [(&'static str, &'t [Tensor]); 5] {
    [
        ("variable", &trainer.variables.values),
        ("first", &trainer.adam.first),
        ("second", &trainer.adam.second),
        ("average", &trainer.average),
        ("best", &trainer.best),
    ]
}

/// Step, best step, best score, losses, seconds, and the curve, as JSON: numbers are read back to the last bit.
type Words = (usize, usize, Option<f64>, [f64; 2], f64, Vec<CurvePoint>);

fn seen_in_words(seen: &Seen, minutes: f64) -> String {
    // JSON has no infinity.
    let best = seen.best.is_finite().then_some(seen.best);
    let words: Words = (seen.step, seen.best_step, best, seen.losses, 60.0 * minutes, seen.curve.clone());
    serde_json::to_string(&words).unwrap_or_default()
}

fn seen_of(text: &str) -> Option<Seen> {
    let (step, best_step, best, losses, seconds, curve): Words = serde_json::from_str(text).ok()?;
    Some(Seen { step, curve, best_step, best: best.unwrap_or(f64::INFINITY), losses, seconds })
}
