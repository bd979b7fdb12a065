//! What is replaced by which design: `stride=blurpool:5`.

use std::fmt;
use std::str::FromStr;

use super::SurgeryError;
use crate::antialias::{Context, DesignError, Kind, design};
use crate::spectrum::activation::Activation;
use crate::spectrum::name::UnknownName;

/// A kind of place in a network.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Convolutions and poolings with a stride.
    Stride,
    /// Convolutions with a stride.
    Convolution,
    /// Max-poolings with a stride.
    MaxPool,
    /// Average-poolings with a stride.
    AveragePool,
    /// Pointwise functions on maps: any.
    Activation,
    /// One function; a leaky one with any slope.
    Function(Activation),
}

/// The names of [`What`] beside those of functions.
const PLACES: [&str; 5] = ["stride", "conv", "maxpool", "averagepool", "activation"];

/// The names of the functions that are looked for in a graph.
pub fn functions() -> Vec<&'static str> {
    let all = Activation::examples();
    all.iter().filter(|function| !function.is_polynomial()).map(Activation::name).collect()
}

/// The names of all places.
pub fn places() -> Vec<&'static str> {
    PLACES.into_iter().chain(functions()).collect()
}

impl What {
    /// Whether it is a place where samples are left out.
    pub const fn is_stride(&self) -> bool {
        matches!(self, Self::Stride | Self::Convolution | Self::MaxPool | Self::AveragePool)
    }

    /// Whether a function in the graph is meant.
    pub fn is(&self, found: &Activation) -> bool {
        match self {
            Self::Activation => true,
            Self::Function(wanted) => std::mem::discriminant(wanted) == std::mem::discriminant(found),
            _ => false,
        }
    }
}

/// `WHAT=DESIGN`.
#[derive(Clone, Debug, PartialEq)]
pub struct Replacement {
    /// The places.
    pub what: What,
    /// As it was given.
    pub name: String,
    /// The design's name, as [`design`] reads it.
    pub design: String,
}

impl FromStr for Replacement {
    type Err = SurgeryError;

    /// Reads `stride=blurpool:5`, `relu6=filtered:2x`.
    fn from_str(text: &str) -> Result<Self, SurgeryError> {
        let form = || SurgeryError::Form(text.chars().take(60).collect());
        let (name, wanted) = text.split_once('=').ok_or_else(form)?;
        if wanted.is_empty() {
            return Err(form());
        }
        let what = match name {
            "stride" => What::Stride,
            "conv" => What::Convolution,
            "maxpool" => What::MaxPool,
            "averagepool" => What::AveragePool,
            "activation" => What::Activation,
            name if places().contains(&name) => What::Function(name.parse().map_err(|_| form())?),
            _ => return Err(SurgeryError::Place(UnknownName::new("place", name, &places()))),
        };
        let replacement = Self { what, name: name.to_owned(), design: wanted.to_owned() };
        // The design is made once for nothing, so that a wrong name is said before a model is loaded.
        let stand_in = if replacement.what.is_stride() { None } else { Some(&Activation::Relu) };
        let made = match design(&replacement.design_for(stand_in), &Context::default()) {
            // Whether it goes with the strides that there are is seen at each node.
            Err(DesignError::Stride { .. }) => return Ok(replacement),
            other => other?,
        };
        let fits = if replacement.what.is_stride() { Kind::Downsampling } else { Kind::Nonlinearity };
        if made.kind() != fits {
            return Err(SurgeryError::Kind { design: made.name(), kind: made.kind(), place: name.to_owned(), fits });
        }
        Ok(replacement)
    }
}

impl Replacement {
    /// The design's name with the function that it is put around: `filtered:2x` in the place of relu6 is
    /// `filtered:relu6:2x`, `polyfit:4` is `polyfit:relu6:4` and `adaa` is `adaa:relu6`.
    pub fn design_for(&self, function: Option<&Activation>) -> String {
        let Some(function) = function else { return self.design.clone() };
        let (word, rest) = self.design.split_once(':').map_or((self.design.as_str(), ""), |(word, rest)| (word, rest));
        let first = rest.split(':').next().unwrap_or("");
        let counts = |text: &str| text.trim_end_matches('x').parse::<usize>().is_ok();
        match word {
            "filtered" if counts(first) => format!("filtered:{function}:{rest}"),
            "polyfit" if counts(first) => format!("polyfit:{function}:{rest}"),
            "adaa" if rest.is_empty() => format!("adaa:{function}"),
            _ => self.design.clone(),
        }
    }

    /// Whether the design is fitted to the range of values that its function sees.
    pub fn is_fitted(&self) -> bool {
        self.design.split(':').next() == Some("polyfit")
    }
}

impl fmt::Display for Replacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.design)
    }
}

/// Whether the paper of a downsampling has it after the activation that follows a strided convolution.
///
/// - Behind it: Zhang (2019) has convolution, ReLU, blur; APS, LPS and DDAC replace that blur.
/// - After the convolution itself: AFC's ideal filter, and WaveCNet, which has a convolution of stride 1 and the
///   wavelet's low band in the place of a strided convolution.
/// - FLC and ASAP stand *before* the convolution in the code released with them (github.com/GeJulia/flc_pooling,
///   `resnet_flc.py`, `preact_resnet_flc.py`): pooling, then a convolution of stride 1 on the coarser map. A pretrained
///   kernel is made for the finer one, and would have twice its reach there: another function. So here they are where
///   AFC has the same filter.
/// - Vasconcelos et al. (2021) filter where a filter cannot be learned: strided convolutions of one tap, as on skip
///   branches. A filter that is the same for all channels commutes with those, so before and after are one. At larger
///   kernels their paper is no guide, and after the convolution is this project's choice.
pub fn follows_activation(design: &str) -> bool {
    !matches!(design.split(':').next().unwrap_or(design), "ideal" | "asap" | "wavelet" | "vasconcelos" | "stride")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_design_takes_the_function_that_it_replaces() {
        let at = |text: &str, function: Activation| text.parse::<Replacement>().unwrap().design_for(Some(&function));
        assert_eq!(at("relu6=filtered:2x", Activation::Relu6), "filtered:relu6:2x");
        assert_eq!(at("relu=filtered:4x:ideal", Activation::Relu), "filtered:relu:4x:ideal");
        assert_eq!(at("relu=filtered:gelu:2x", Activation::Relu), "filtered:gelu:2x");
        assert_eq!(at("activation=polyfit:4", Activation::Silu), "polyfit:silu:4");
        assert_eq!(at("leaky_relu=adaa", Activation::LeakyRelu(0.2)), "adaa:leaky_relu:0.2");
        assert_eq!(at("relu=softplus", Activation::Relu), "softplus");
    }

    #[test]
    fn wrong_ones_are_told_apart() {
        let message = |text: &str| text.parse::<Replacement>().unwrap_err().to_string();
        assert!(message("stride").contains("WHAT=DESIGN"), "{}", message("stride"));
        assert!(message("stide=blurpool").contains("did you mean stride"), "{}", message("stide=blurpool"));
        assert!(message("stride=blurpol:3").contains("blurpool"), "{}", message("stride=blurpol:3"));
        assert!(message("stride=softplus").contains("nonlinearity"), "{}", message("stride=softplus"));
        assert!(message("relu=blurpool:3").contains("downsampling"), "{}", message("relu=blurpool:3"));
        assert!(message("stride=blurpool:9").contains("1 to 7"), "{}", message("stride=blurpool:9"));
    }
}
