//! `aliascope inspect`: a network as it is understood.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use aliascope_core::cli::outputs::terminal_width;

use crate::graph::{LoadOptions, MissingOperator, Network, missing_operators};
use crate::measure::inspect::inspect;
use crate::report::{Sink, inspect_table, json_bytes, refuse_inputs};

use super::network::LayoutChoice;
use super::{Failure, Status};
use aliascope_core::cli::outputs::{deliver, shown};

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
    /// Write the result as JSON; - is standard output, which then carries nothing else.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Replace output files that exist.
    #[arg(long)]
    force: bool,
    /// No table.
    #[arg(long)]
    quiet: bool,
}

/// Runs the subcommand.
pub fn run(args: &InspectArgs) -> Result<(), Failure> {
    let json = args.json.as_ref().map(|path| Sink::claim(path, args.force)).transpose()?;
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
    let inspection = inspect(&network, &args.model.display().to_string());
    let bytes = json.as_ref().map(|_| json_bytes(&inspection)).transpose()?;
    let mut table = None;
    if !args.quiet && !matches!(json, Some(Sink::Standard)) {
        table = Some(inspect_table(&shown(&inspection)?, terminal_width()));
    }
    Ok(deliver(table, None, json.zip(bytes))?)
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
