//! `aliascope inspect`: a network as it is understood.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::graph::{LoadOptions, Network};
use crate::measure::inspect::inspect;
use crate::report::{Sink, inspect_table, json_bytes};

use super::failure::Failure;
use super::network::LayoutChoice;

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
        ..LoadOptions::default()
    };
    let network = Network::load(&args.model, &options)?;
    let inspection = inspect(&network, &args.model.display().to_string());
    if !args.quiet && !matches!(json, Some(Sink::Standard)) {
        let width = console::Term::stdout().size_checked().map_or(160, |(_, columns)| usize::from(columns));
        Sink::Standard.write_bytes(inspect_table(&inspection, width).as_bytes())?;
    }
    if let Some(sink) = json {
        sink.write_bytes(&json_bytes(&inspection)?)?;
    }
    Ok(())
}
