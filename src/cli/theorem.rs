//! `aliascope theorem`: on formulas and photos, or on the nodes of a network.

use std::path::PathBuf;

use aliascope_core::cli::theorem::{self, FormulaArgs};
use clap::{Args, ValueHint};

use super::Failure;
use super::theorem_model;

/// Check the aliasing theorem: its exact, diagonal and printed forms beside the measured defect of sampling.
#[derive(Debug, Args)]
pub struct TheoremArgs {
    #[command(flatten)]
    formula: FormulaArgs,
    /// Every strided convolution, pooling and activation of this ONNX network, on its real feature maps (--images).
    #[arg(value_name = "MODEL", value_hint = ValueHint::FilePath, group = "InputArgs", requires = "images",
        conflicts_with_all =
        ["grid", "samples", "stride", "prefilter", "activation", "band", "decay", "complex", "tolerance"])]
    model: Option<PathBuf>,
    #[command(flatten)]
    nodes: theorem_model::NodeArgs,
}

pub(super) fn run(args: &TheoremArgs) -> Result<(), Failure> {
    match &args.model {
        Some(model) => theorem_model::run(model, args.formula.velocity, &args.nodes, &args.formula.output),
        None => Ok(theorem::run(&args.formula)?),
    }
}
