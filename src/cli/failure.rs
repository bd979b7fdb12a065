//! How a subcommand that runs networks fails.

use std::ops::Deref;

use aliascope_core::cli::{self, Status};
use tch::TchError;

use crate::figure::FigureError;
use crate::graph::onnx::OnnxError;
use crate::graph::{GraphError, in_words, is_of_machine};
use crate::input::InputError;
use crate::measure::MeasureError;
use crate::measure::action::ActionError;
use crate::measure::field::FieldError;
use crate::measure::layers::LayersError;
use crate::measure::lee::LeeError;
use crate::measure::orbit::OrbitError;
use crate::measure::representation::RepresentationError;
use crate::report::{JsonError, OutputError, VectorsError};
use crate::spectrum::theorem::TheoremError;

/// The core's failure, as a type of this crate: only so can libtorch's errors become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(cli::Failure);

impl Failure {
    /// A failure with this status and message.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self(cli::Failure::new(status, message))
    }

    /// A failure whose message ends in a list.
    pub fn listing(status: Status, message: impl Into<String>, lines: Vec<String>) -> Self {
        Self(cli::Failure::listing(status, message, lines))
    }
}

impl Deref for Failure {
    type Target = cli::Failure;

    fn deref(&self) -> &cli::Failure {
        &self.0
    }
}

impl From<Failure> for cli::Failure {
    fn from(failure: Failure) -> Self {
        failure.0
    }
}

impl From<cli::Failure> for Failure {
    fn from(failure: cli::Failure) -> Self {
        Self(failure)
    }
}

/// Errors of the core, with the status that it gives them.
macro_rules! as_the_core_has_it {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self(error.into())
            }
        })*
    };
}

as_the_core_has_it!(FigureError, InputError, JsonError, OnnxError, OutputError, TheoremError, VectorsError);

impl From<GraphError> for Failure {
    fn from(error: GraphError) -> Self {
        let message = error.to_string();
        match error {
            GraphError::File(error) => error.into(),
            GraphError::Operator { .. } | GraphError::Unsupported { .. } | GraphError::LocallyConstant { .. } => {
                Self::new(Status::Unsupported, message)
            }
            GraphError::Memory { .. } => Self::new(Status::Machine, message),
            GraphError::NotFinite(_) => Self::new(Status::NotFinite, message),
            GraphError::Torch(error) => error.into(),
            GraphError::InputShape { .. } | GraphError::Target { .. } => Self::new(Status::Usage, message),
            GraphError::Node { .. } | GraphError::Graph { .. } | GraphError::DynamicInput { .. } => {
                Self::new(Status::Model, message)
            }
        }
    }
}

impl From<LeeError> for Failure {
    fn from(error: LeeError) -> Self {
        let message = error.to_string();
        match error {
            LeeError::Graph(error) => error.into(),
            LeeError::Action(ActionError::Torch(error)) | LeeError::Torch(error) => error.into(),
            LeeError::Action(ActionError::Derivative(_) | ActionError::BoxUnit { .. })
            | LeeError::NotClasses { .. }
            | LeeError::NoAction { .. } => Self::new(Status::Usage, message),
            LeeError::NotAnImage(_) | LeeError::UnknownGrid(_) => Self::new(Status::Unsupported, message),
            LeeError::NotFinite { .. } => Self::new(Status::NotFinite, message),
        }
    }
}

impl From<FieldError> for Failure {
    fn from(error: FieldError) -> Self {
        let message = error.to_string();
        match error {
            FieldError::Lee(error) => error.into(),
            FieldError::Quantised => Self::new(Status::Unsupported, message),
            FieldError::Disagree { .. } => Self::new(Status::NotFinite, message),
            FieldError::Derivative(_)
            | FieldError::Warp(_)
            | FieldError::NotClasses { .. }
            | FieldError::Probabilities(_)
            | FieldError::NoEntry { .. } => Self::new(Status::Usage, message),
        }
    }
}

impl From<LayersError> for Failure {
    fn from(error: LayersError) -> Self {
        let message = error.to_string();
        match error {
            LayersError::Lee(error) => error.into(),
            LayersError::Memory { .. } => Self::new(Status::Usage, message),
        }
    }
}

impl From<OrbitError> for Failure {
    fn from(error: OrbitError) -> Self {
        let message = error.to_string();
        match error {
            OrbitError::Layers(error) => error.into(),
            OrbitError::Scheme(_) | OrbitError::Action(_) => Self::new(Status::Usage, message),
        }
    }
}

impl From<RepresentationError> for Failure {
    fn from(error: RepresentationError) -> Self {
        let message = error.to_string();
        match error {
            RepresentationError::Lee(error) => error.into(),
            RepresentationError::NoPlaces(_) => Self::new(Status::Unsupported, message),
            RepresentationError::Linalg(_) => Self::new(Status::Machine, message),
        }
    }
}

impl From<MeasureError> for Failure {
    fn from(error: MeasureError) -> Self {
        let message = error.to_string();
        match error {
            MeasureError::Input(error) => error.into(),
            MeasureError::Lee(error) => error.into(),
            MeasureError::Layers(error) => error.into(),
            MeasureError::Torch(error) => error.into(),
            MeasureError::NotAnImage(_) => Self::new(Status::Unsupported, message),
            MeasureError::NoImage => Self::new(Status::Input, message),
            MeasureError::Model { .. } => Self::new(Status::Model, message),
            MeasureError::Spectrum(_) => Self::new(Status::Machine, message),
        }
    }
}

impl From<TchError> for Failure {
    fn from(error: TchError) -> Self {
        let status = if is_of_machine(&error) { Status::Machine } else { Status::Defect };
        Self::new(status, in_words(&error))
    }
}
