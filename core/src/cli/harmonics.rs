//! `aliascope harmonics`: the harmonics that a nonlinearity makes, and where they fold.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::failure::{Failure, Status};
use super::outputs::{ONE_FIGURE, OutputArgs, Outputs};
use crate::input::read_luma;
use crate::report::refuse_inputs;
use crate::spectrum::activation::Activation;
use crate::spectrum::filter::Filter;
use crate::spectrum::harmonics::{HarmonicsError, Signal, harmonics};
use crate::spectrum::image_spectrum::{ImageSignal, ImageSpectrumError, image_spectrum};

/// Show the harmonics that a nonlinearity makes of a cosine or a photo, and where sampling folds each one.
#[derive(Debug, Args)]
pub struct HarmonicsArgs {
    #[arg(long, value_name = "NAME", help = Activation::grammar())]
    activation: Activation,
    /// The cosine's frequency: cycles per unit length.
    #[arg(long, value_name = "K", default_value_t = 3, conflicts_with = "image")]
    frequency: usize,
    /// The cosine's amplitude; the standard deviation that a photo is scaled to.
    #[arg(long, value_name = "A", default_value_t = 1.0, allow_hyphen_values = true)]
    amplitude: f64,
    /// Samples per unit length.
    #[arg(long, value_name = "N", default_value_t = 32, conflicts_with = "image")]
    samples: usize,
    /// Coefficients from a transform of F·N samples, aliases and all [default: by quadrature, without any; 4 for a
    /// photo].
    #[arg(long, value_name = "F")]
    oversample: Option<usize>,
    /// Keep every S-th sample afterwards.
    #[arg(long, value_name = "S", default_value_t = 1)]
    stride: usize,
    /// The filter before the stride: none, ideal, binomial-1 to -7, kaiser, lanczos:LOBES, taps:W0,W1,….
    #[arg(long, value_name = "NAME", default_value = "none")]
    filter: Filter,
    /// A photo (png, jpg) in the cosine's place.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    image: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// What the signal or the outputs make impossible.
pub fn run(args: &HarmonicsArgs) -> Result<(), Failure> {
    let outputs = Outputs::claim(&args.output, &ONE_FIGURE)?;
    if let Some(path) = &args.image {
        refuse_inputs([path.as_path()])?;
        let image = read_luma(path)?;
        let signal = ImageSignal {
            activation: args.activation.clone(),
            amplitude: args.amplitude,
            oversample: args.oversample.unwrap_or(4),
            stride: args.stride,
            filter: args.filter.clone(),
        };
        let report = image_spectrum(image.view(), &signal)?;
        return outputs.write(&report, &(), false);
    }
    let report = harmonics(&Signal {
        activation: args.activation.clone(),
        amplitude: args.amplitude,
        frequency: args.frequency,
        samples: args.samples,
        stride: args.stride,
        filter: args.filter.clone(),
        oversample: args.oversample,
    })?;
    outputs.write(&report, &(), false)
}

impl From<HarmonicsError> for Failure {
    fn from(error: HarmonicsError) -> Self {
        let status = if matches!(error, HarmonicsError::NotFinite(_)) { Status::NotFinite } else { Status::Usage };
        Self::new(status, error.to_string())
    }
}

impl From<ImageSpectrumError> for Failure {
    fn from(error: ImageSpectrumError) -> Self {
        let status = match error {
            ImageSpectrumError::NotFinite(_) => Status::NotFinite,
            ImageSpectrumError::Constant => Status::Input,
            _ => Status::Usage,
        };
        Self::new(status, error.to_string())
    }
}
