//! An anti-aliasing design of the library as a layer.

use aliascope::antialias::onnx_form::Chain;
use aliascope::antialias::{Context, Design, DesignError, OnnxSite, Padding, design};
use tch::Tensor;

use super::Layer;

/// A design by its name, such as `blurpool:4` or `filtered:relu:2x`, over the mirror image beyond the edge.
#[derive(Debug)]
pub struct Designed(Box<dyn Design>);

impl Designed {
    /// The design.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn new(name: &str) -> Result<Self, DesignError> {
        Ok(Self(design(name, &Context::default())?))
    }
}

impl Layer for Designed {
    fn forward(&self, x: &Tensor, _training: bool) -> Tensor {
        // A refusal of libtorch, as of a map that is smaller than its padding, is a defect of the architecture.
        self.0.forward(x, Padding::Reflect).unwrap_or_else(|error| panic!("{}: {error}", self.0.name()))
    }

    fn write(&self, chain: &mut Chain<'_>, shape: &mut Vec<i64>) {
        let (input, output) = (chain.at(), format!("{}/{}", chain.at(), self.0.name()));
        let site = OnnxSite {
            prefix: output.clone(),
            input,
            output: output.clone(),
            shape: [0, 1, 2, 3].map(|axis| shape[axis] as usize),
            padding: Padding::Reflect,
            double: false,
        };
        match self.0.onnx(&site) {
            Ok(form) => chain.append(form, output),
            Err(problem) => panic!("{problem}"),
        }
        let [rows, columns] = self.0.resampling().output([shape[2] as usize, shape[3] as usize]);
        (shape[2], shape[3]) = (rows as i64, columns as i64);
    }
}
