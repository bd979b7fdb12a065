//! A rewritten model as a file of its own.

use tch::{Kind, Tensor};

use super::insertion::Insertion;
use super::rewrite::Form;
use super::{SurgeryError, TargetModel};
use crate::graph::onnx::OnnxFile;
use crate::graph::{LoadOptions, Network};

/// The bytes of a rewritten model, and how far what they compute is from what was measured.
#[derive(Clone, Debug)]
pub struct SavedModel {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// The largest difference of outputs between this model, read again, and the measured one, over the largest output.
    pub difference: f64,
}

impl TargetModel<'_> {
    /// The model with these designs in ONNX's own operators, read again and held against `after`, the network that was
    /// measured, on one image.
    ///
    /// # Errors
    /// When a design cannot be written; when the network fails.
    pub fn save(&self, chosen: &[&Insertion], after: &Network, x: &Tensor) -> Result<SavedModel, SurgeryError> {
        let bytes = self.rewrite(chosen, Form::Onnx)?.file.to_bytes()?;
        let again = OnnxFile::from_bytes(&bytes, &self.file.path)?;
        let options = LoadOptions {
            input_shape: Some(after.file_shape()),
            layout: Some(after.input_layout()),
            kind: after.kind(),
            device: after.device(),
            target: after.target().clone(),
            straight_through: true,
        };
        let again = Network::from_file(&again, &options)?;
        let x = after.place(x)?;
        let (wanted, got) = (after.forward(&x)?.f_to_kind(Kind::Double)?, again.forward(&x)?.f_to_kind(Kind::Double)?);
        let scale = wanted.f_abs()?.f_max()?.f_double_value(&[])?;
        let difference = wanted.f_sub(&got)?.f_abs()?.f_max()?.f_double_value(&[])?;
        Ok(SavedModel { bytes, difference: if scale > 0.0 { difference / scale } else { difference } })
    }
}
