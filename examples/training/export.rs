//! A trained network into its file, checked: what the file says is what was trained.

use std::path::Path;

use aliascope::graph::{LoadOptions, Network};
use aliascope::report::OutputFile;
use tch::{Kind, Tensor};

use super::Problem;
use super::layers::{Layer, Sequence};
use super::onnx_file::onnx_file;

/// How far scores may differ, of the largest: single precision, added in another order.
const ROUNDING: f64 = 1e-4;

/// Writes `network` as an ONNX file, after its scores of these images, loaded again, have been found the same.
///
/// # Errors
/// They are not; the file cannot be written.
pub fn export(network: &Sequence, name: &str, images: &Tensor, path: &Path) -> Result<(), Problem> {
    let size = images.size();
    let file = onnx_file(network, name, [size[1], size[2], size[3]])?;
    let loaded = Network::from_file(&file, &LoadOptions::default())?;
    let scores = tch::no_grad(|| network.forward(images, false));
    let again = loaded.forward(&images.unsqueeze(1))?.squeeze_dim(1);
    let largest = |t: &Tensor| t.abs().max().to_kind(Kind::Double).double_value(&[]);
    let (error, scale) = (largest(&(&again - &scores)), largest(&scores));
    if error.is_nan() || error > ROUNDING * scale {
        return Err(format!("{name}: its ONNX file gives other scores, by {error:.1e} of {scale:.1e}").into());
    }
    Ok(OutputFile::claim(path, true)?.write_bytes(&file.to_bytes()?)?)
}
