//! `aliascope inspect`: a network as it is understood.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::graph::{LoadOptions, MissingOperator, Network, missing_operators};
use crate::measure::header;
use crate::measure::inspect::inspect;
use crate::report::refuse_inputs;

use super::network::LayoutChoice;
use super::{Failure, Status};
use aliascope_core::cli::outputs::{OutputArgs, Outputs};

/// Show a network as it is understood: shapes, layouts, where samples lie, what can alias.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The network: an ONNX file with one image input.
    #[arg(value_hint = ValueHint::FilePath)]
    model: PathBuf,
    /// The input's shape where the model leaves it open, such as 1,3,224,224.
    #[arg(long, value_name = "N,C,H,W", value_delimiter = ',')]
    input_shape: Option<Vec<i64>>,
    /// The order of the input's axes [default: what the first nodes or the shape say].
    #[arg(long, value_enum, value_name = "ORDER")]
    layout: Option<LayoutChoice>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the subcommand.
pub fn run(args: &InspectArgs) -> Result<(), Failure> {
    let outputs = Outputs::claim(&args.output, &[])?;
    let options = LoadOptions {
        input_shape: args.input_shape.clone(),
        layout: args.layout.map(LayoutChoice::into),
        // Nothing is differentiated.
        straight_through: true,
        ..LoadOptions::default()
    };
    let file = Network::read(&args.model)?;
    refuse_inputs(file.files().iter().map(PathBuf::as_path))?;
    let missing = missing_operators(&file);
    if !missing.is_empty() {
        let message = format!("{}: operators that are not supported:", args.model.display());
        return Err(Failure::listing(Status::Unsupported, message, missing.iter().map(lack).collect()));
    }
    let network = Network::from_file(&file, &options)?;
    let inspection = inspect(&network, header(&network)?);
    Ok(outputs.write(&inspection, &(), false)?)
}

/// An operator that a model uses and that is not supported, in a line.
fn lack(lack: &MissingOperator) -> String {
    let domain = if lack.domain.is_empty() { String::new() } else { format!(" of {}", lack.domain) };
    let nodes = match lack.count {
        1 => format!("node '{}'", lack.node),
        count => format!("{count} nodes, first '{}'", lack.node),
    };
    format!("{}{domain} ({nodes}): {}", lack.operator, lack.reason)
}
