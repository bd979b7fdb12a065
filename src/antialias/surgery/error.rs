//! Why an operation is not possible.

use crate::antialias::{DesignError, Kind, NotOnnx};
use crate::graph::GraphError;
use crate::graph::onnx::OnnxError;
use crate::measure::layers::LayersError;
use crate::measure::lee::LeeError;
use crate::spectrum::name::UnknownName;

/// Why an operation is not possible.
#[derive(Debug, thiserror::Error)]
pub enum SurgeryError {
    /// Not of the form `WHAT=DESIGN`.
    #[error("cannot read the replacement '{0}'; write WHAT=DESIGN, such as stride=blurpool:5 or relu6=filtered:2x")]
    Form(String),
    /// An unknown place.
    #[error(transparent)]
    Place(UnknownName),
    /// A design for another kind of place.
    #[error(
        "the design '{design}' is a {kind}, and in the place of {place} goes a {fits}; `aliascope antialias --list` has them"
    )]
    Kind {
        /// The design.
        design: String,
        /// What it is.
        kind: Kind,
        /// The place as it was given.
        place: String,
        /// What goes there.
        fits: Kind,
    },
    /// The design itself is impossible.
    #[error(transparent)]
    Design(#[from] DesignError),
    /// The design is impossible at one node.
    #[error("layer '{layer}' ({shape}): {source}")]
    AtLayer {
        /// The node.
        layer: String,
        /// The size of the map that the design would act on.
        shape: String,
        /// Why.
        source: DesignError,
    },
    /// One node that cannot be rewritten.
    #[error("layer '{layer}' ({operator}): {problem}; leave it out with --where")]
    Layer {
        /// The node.
        layer: String,
        /// Its operator.
        operator: String,
        /// Why.
        problem: String,
    },
    /// Nothing to replace.
    #[error("the network has no {what} that is a place for '{rule}'; {found}")]
    NoSite {
        /// The kind of place.
        what: String,
        /// The rule.
        rule: String,
        /// What there is instead.
        found: String,
    },
    /// The pattern matches nothing.
    #[error("no {what} has '{pattern}' in its name; there are {near}")]
    NoMatch {
        /// The places.
        what: String,
        /// The pattern.
        pattern: String,
        /// Names of the nearest.
        near: String,
    },
    /// Two rules for one node.
    #[error("layer '{layer}' is a place for both '{first}' and '{second}'; use --where, or run twice")]
    Twice {
        /// The node.
        layer: String,
        /// A rule.
        first: String,
        /// Another.
        second: String,
    },
    /// The design cannot be saved.
    #[error("layer '{layer}' cannot be saved: {source}; leave --save out, or take another design")]
    NotOnnx {
        /// The node.
        layer: String,
        /// Why.
        source: NotOnnx,
    },
    /// The model cannot be saved.
    #[error("the model cannot be saved: {0}")]
    NotSaved(String),
    /// The network failed.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The network cannot be measured.
    #[error(transparent)]
    Lee(#[from] LeeError),
    /// Its error cannot be attributed.
    #[error(transparent)]
    Layers(#[from] LayersError),
    /// The file cannot be made.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// libtorch refused.
    #[error("{}", crate::graph::in_words(.0))]
    Torch(#[from] tch::TchError),
}
