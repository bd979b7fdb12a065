//! The output options that commands share, claimed before anything is computed.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::{Failure, Status};
use crate::figure::{Figure, Format, render};
use crate::report::{OutputFile, Sink, json_bytes};

/// Columns for tables: the terminal's where there is one, and 80 at the least.
pub fn terminal_width() -> usize {
    console::Term::stdout().size_checked().map_or(100, |(_, columns)| usize::from(columns)).clamp(80, 160)
}

/// Where results go.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Write the result as JSON; - is standard output, which then carries nothing else.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Draw the result.
    #[arg(long, value_name = "FILE.svg|png")]
    plot: Option<PathBuf>,
    /// Replace output files that exist.
    #[arg(long)]
    pub force: bool,
    /// No progress bar, no notes, no table.
    #[arg(long)]
    pub quiet: bool,
}

impl OutputArgs {
    /// The place for JSON alone, for what is never drawn.
    pub fn json_sink(&self) -> Result<Option<Sink>, Failure> {
        Ok(self.json.as_ref().map(|path| Sink::claim(path, self.force)).transpose()?)
    }

    /// The file FILE-`what`.png beside the plot, where there is one.
    pub fn beside(&self, what: &str) -> Result<Option<OutputFile>, Failure> {
        let Some(path) = &self.plot else { return Ok(None) };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        Ok(Some(OutputFile::claim(path.with_file_name(format!("{stem}-{what}.png")), self.force)?))
    }
}

/// The claimed files.
#[derive(Debug)]
pub struct Outputs {
    json: Option<Sink>,
    plot: Option<(OutputFile, Format)>,
    quiet: bool,
}

impl Outputs {
    /// Claims what was asked for.
    ///
    /// # Errors
    /// Where a file is there already, or cannot be written, or names no format.
    pub fn claim(args: &OutputArgs) -> Result<Self, Failure> {
        let plot = match &args.plot {
            Some(path) => {
                let format = Format::from_path(path).map_err(|error| Failure::new(Status::Usage, error.to_string()))?;
                Some((OutputFile::claim(path, args.force)?, format))
            }
            None => None,
        };
        Ok(Self { json: args.json_sink()?, plot, quiet: args.quiet })
    }

    /// Whether a figure was asked for.
    pub fn draws(&self) -> bool {
        self.plot.is_some()
    }

    /// No figure, whatever was asked for.
    pub fn without_figure(self) -> Self {
        Self { plot: None, ..self }
    }

    /// Writes what was asked for, and the table unless JSON has standard output to itself.
    pub fn write(
        self,
        report: &impl Serialize,
        figure: &impl Figure,
        table: impl FnOnce() -> String,
        more: Vec<(OutputFile, Vec<u8>)>,
    ) -> Result<(), Failure> {
        let broken = |error: &dyn std::error::Error| Failure::new(Status::NotFinite, error.to_string());
        // All bytes first: a figure that cannot be drawn leaves no JSON behind.
        let json = self.json.as_ref().map(|_| json_bytes(report)).transpose().map_err(|error| broken(&error))?;
        let plot = match &self.plot {
            Some((_, format)) => Some(render(figure, *format).map_err(|error| broken(&error))?),
            None => None,
        };
        let table = (!self.quiet && !matches!(self.json, Some(Sink::Standard))).then(table);
        let plot = self.plot.zip(plot).map(|((file, _), bytes)| (file, bytes));
        deliver(table, more.into_iter().chain(plot), self.json.zip(json))
    }
}

/// Prints the table, then writes the files, small ones first: each that can be written, whatever becomes of the others.
///
/// # Errors
/// When something could not be written; the message says what, and what was.
pub fn deliver(
    table: Option<String>,
    files: impl IntoIterator<Item = (OutputFile, Vec<u8>)>,
    json: Option<(Sink, Vec<u8>)>,
) -> Result<(), Failure> {
    let mut outputs: Vec<(Sink, Vec<u8>)> = files.into_iter().map(|(file, bytes)| (Sink::File(file), bytes)).collect();
    outputs.extend(json);
    outputs.sort_by_key(|(_, bytes)| bytes.len());
    let table = table.map(|table| (Sink::Standard, table.into_bytes()));
    let (mut written, mut failed) = (Vec::new(), Vec::new());
    for (sink, bytes) in table.into_iter().chain(outputs) {
        let name = match &sink {
            Sink::Standard => "standard output".to_owned(),
            Sink::File(file) => file.path().file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        match sink.write_bytes(&bytes) {
            Ok(()) => written.push(name),
            Err(error) => failed.push((name, error)),
        }
    }
    let mut failed = failed.into_iter();
    let Some((_, error)) = failed.next() else { return Ok(()) };
    let mut message = error.to_string();
    let others: Vec<String> = failed.map(|(name, _)| name).collect();
    if !others.is_empty() {
        message = format!("{message}; missing as well: {}", others.join(", "));
    }
    if !written.is_empty() {
        message = format!("{message}; written: {}", written.join(", "));
    }
    Err(Failure::new(Status::Output, message))
}

/// A result as it is printed and drawn, with names that came from files made fit for that.
pub fn shown<T: Serialize + DeserializeOwned>(report: &T) -> Result<T, Failure> {
    crate::printable::shown(report).map_err(|error| match json_bytes(report) {
        Err(not_finite) => not_finite.into(),
        Ok(_) => Failure::new(Status::Defect, format!("a result cannot be printed ({error}); please report this")),
    })
}
