//! The output options that commands share, claimed before anything is computed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::failure::{Failure, Status};
use crate::figure::{Format, Look};
use crate::report::{Outcome, OutputFile, Paged, Rows, Sink, json_bytes, outcome_html};

/// Columns for tables: the terminal's where there is one, else 100.
pub fn terminal_width() -> usize {
    console::Term::stdout().size_checked().map_or(100, |(_, columns)| usize::from(columns)).clamp(60, 160)
}

/// Where results go: the same options in every subcommand.
#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Write the result as JSON; - is standard output, which then carries nothing else.
    #[arg(short, long, value_name = "FILE|-", help_heading = "Results")]
    json: Option<PathBuf>,
    /// Write the result's rows as comma-separated values.
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    csv: Option<PathBuf>,
    /// Write the same rows as a table in Markdown.
    #[arg(long = "md", id = "markdown_rows", value_name = "FILE", help_heading = "Results")]
    markdown: Option<PathBuf>,
    /// Draw the result; what a result has of more figures lies beside it as FILE-NAME.
    #[arg(short, long, value_name = "FILE.svg|png|pdf", help_heading = "Results")]
    plot: Option<PathBuf>,
    /// Draw this figure alone, or a part of one: main, or the NAME of FILE-NAME; another name lists them.
    #[arg(long, value_name = "NAME", requires = "plot", help_heading = "Results")]
    figure: Option<String>,
    /// The size of figures in pixels, such as 1920x1080; each keeps its proportions.
    #[arg(long, value_name = "WxH", requires = "plot", value_parser = read_size, help_heading = "Results")]
    plot_size: Option<(u32, u32)>,
    /// Another title for figures; '' leaves it out.
    #[arg(long, value_name = "TEXT", requires = "plot", help_heading = "Results")]
    title: Option<String>,
    /// Replace output files that exist.
    #[arg(short, long, help_heading = "Results")]
    pub force: bool,
    /// No progress bar, no notes, no table.
    #[arg(short, long, help_heading = "Results")]
    pub quiet: bool,
    /// Say how the result is computed, and how long it takes.
    #[arg(short, long, conflicts_with = "quiet", help_heading = "Results")]
    pub verbose: bool,
}

impl OutputArgs {
    /// Whether a figure is asked for.
    pub fn draws(&self) -> bool {
        self.plot.is_some()
    }

    fn look(&self) -> Look {
        Look { title: self.title.clone(), size: self.plot_size }
    }
}

/// The most pixels of a figure along a side.
const LARGEST: u32 = 16_000;

fn read_size(text: &str) -> Result<(u32, u32), String> {
    let side = |text: &str| text.trim().parse::<u32>().ok().filter(|side| (64..=LARGEST).contains(side));
    let sides = text.split_once(['x', '×', 'X']).and_then(|(width, height)| Some((side(width)?, side(height)?)));
    sides.ok_or_else(|| format!("a size is WIDTHxHEIGHT, such as 1920x1080, each from 64 to {LARGEST} pixels"))
}

/// The page of a result.
#[derive(Debug, Args)]
pub struct PageArgs {
    /// Write one page that says what the result means, with its figures and a table that sorts; it needs no network.
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    html: Option<PathBuf>,
}

impl PageArgs {
    /// Whether it is asked for.
    pub fn is_given(&self) -> bool {
        self.html.is_some()
    }
}

/// A figure that a result may have: its name beside the plot's file, empty for the main one, and its own format where
/// it has one.
pub type FigureName = (&'static str, Option<Format>);

/// The main figure alone.
pub const ONE_FIGURE: [FigureName; 1] = [("", None)];

/// The claimed files.
#[derive(Debug)]
pub struct Outputs {
    json: Option<Sink>,
    csv: Option<OutputFile>,
    markdown: Option<OutputFile>,
    plots: Vec<(&'static str, OutputFile, Format)>,
    look: Look,
    /// Files of more than one kind of result: safetensors, pages, models.
    more: Vec<(OutputFile, Vec<u8>)>,
    force: bool,
    quiet: bool,
    /// Where to say how long it took.
    begun: Option<Instant>,
}

impl Outputs {
    /// Claims what was asked for, with these figures.
    ///
    /// # Errors
    /// A file is there already, or cannot be written, or names no format; there is no figure to draw.
    pub fn claim(args: &OutputArgs, figures: &[FigureName]) -> Result<Self, Failure> {
        Self::claim_parts(args, figures, &[])
    }

    /// The same for a result whose figures have parts, which are drawn where they are asked for by name.
    ///
    /// # Errors
    /// As [`claim`](Self::claim); none of the figures and parts has the name that is asked for.
    pub fn claim_parts(args: &OutputArgs, figures: &[FigureName], parts: &[&'static str]) -> Result<Self, Failure> {
        let file = |path: &PathBuf| OutputFile::claim(path, args.force);
        let mut plots = Vec::new();
        if let Some(path) = &args.plot {
            if figures.is_empty() {
                let message = "there is no figure of this result; leave --plot out, or write --json, --csv or --md";
                return Err(Failure::new(Status::Usage, message));
            }
            let asked = Format::from_path(path)?;
            match &args.figure {
                Some(name) => plots.push((one_figure(name, figures, parts)?, file(path)?, asked)),
                None => {
                    for (name, own) in figures {
                        let format = own.unwrap_or(asked);
                        plots.push((*name, file(&beside(path, name, format, asked))?, format));
                    }
                }
            }
        }
        Ok(Self {
            plots,
            look: args.look(),
            json: args.json.as_ref().map(|path| Sink::claim(path, args.force)).transpose()?,
            csv: args.csv.as_ref().map(file).transpose()?,
            markdown: args.markdown.as_ref().map(file).transpose()?,
            more: Vec::new(),
            force: args.force,
            quiet: args.quiet,
            begun: args.verbose.then(Instant::now),
        })
    }

    /// Claims another file, for what the result is not told by.
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub fn another(&self, path: Option<&PathBuf>) -> Result<Option<OutputFile>, Failure> {
        Ok(path.map(|path| OutputFile::claim(path, self.force)).transpose()?)
    }

    /// Claims the file of a page.
    ///
    /// # Errors
    /// As [`claim`](Self::claim).
    pub fn page(&self, args: &PageArgs) -> Result<Option<OutputFile>, Failure> {
        self.another(args.html.as_ref())
    }

    /// What the file of a page is to hold, where one was claimed; `captions` are of the figures that the page shows.
    ///
    /// # Errors
    /// A number is not finite; a figure cannot be drawn.
    pub fn fill_page<T: Paged>(
        &mut self,
        file: Option<OutputFile>,
        result: &T,
        beside: &T::Beside,
        captions: &[(&str, &str)],
    ) -> Result<(), Failure> {
        if let Some(file) = file {
            let page = outcome_html(&shown(result)?, beside, captions)?;
            self.fill(file, page.into_bytes());
        }
        Ok(())
    }

    /// What that file is to hold.
    pub fn fill(&mut self, file: OutputFile, bytes: Vec<u8>) {
        self.more.push((file, bytes));
    }

    /// Whether a figure was asked for.
    pub fn draws(&self) -> bool {
        !self.plots.is_empty()
    }

    /// Renders all that was asked for, then prints the table unless JSON has standard output to itself, then writes the
    /// files. A figure that the result does not have is left out.
    ///
    /// # Errors
    /// A number is not finite; a figure cannot be drawn; a file cannot be written.
    pub fn write<T: Outcome>(self, result: &T, beside: &T::Beside, per_image: bool) -> Result<(), Failure> {
        let told = shown(result)?;
        let json = self.json.as_ref().map(|_| json_bytes(result)).transpose()?;
        let mut files = self.more;
        if let Some(file) = self.csv {
            files.push((file, result.rows(per_image).csv()));
        }
        if let Some(file) = self.markdown {
            files.push((file, result.rows(per_image).markdown().into_bytes()));
        }
        let figures = told.figures(beside);
        for (name, file, format) in self.plots {
            if let Some(figure) = figures.iter().find(|figure| figure.name() == name) {
                files.push((file, figure.render_as(format, &self.look)?));
            }
        }
        let is_alone = self.quiet || matches!(self.json, Some(Sink::Standard));
        let table = (!is_alone).then(|| told.table(beside, terminal_width()));
        if let Some(begun) = self.begun {
            eprintln!("note: computed in {}", crate::number::seconds(begun.elapsed().as_secs_f64()));
        }
        deliver(table, files, self.json.zip(json))
    }

    /// As [`write`](Self::write) for what is text and rows alone.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_list(
        self,
        list: &impl Serialize,
        table: impl FnOnce(usize) -> String,
        rows: &Rows,
    ) -> Result<(), Failure> {
        let json = self.json.as_ref().map(|_| json_bytes(list)).transpose()?;
        let mut files = self.more;
        files.extend(self.csv.map(|file| (file, rows.csv())));
        files.extend(self.markdown.map(|file| (file, rows.markdown().into_bytes())));
        let is_alone = self.quiet || matches!(self.json, Some(Sink::Standard));
        deliver((!is_alone).then(|| table(terminal_width())), files, self.json.zip(json))
    }
}

/// The figure or part of one that is called so.
fn one_figure(wanted: &str, figures: &[FigureName], parts: &[&'static str]) -> Result<&'static str, Failure> {
    let wanted = if wanted == "main" { "" } else { wanted };
    if let Some((name, _)) = figures.iter().find(|(name, _)| *name == wanted) {
        return Ok(name);
    }
    if let Some(name) = parts.iter().find(|name| **name == wanted) {
        return Ok(name);
    }
    let named = figures.iter().map(|(name, _)| if name.is_empty() { "main" } else { name });
    let known: Vec<&str> = named.chain(parts.iter().copied()).collect();
    let message = format!("this result has no figure '{wanted}'; it has {}", known.join(", "));
    Err(Failure::new(Status::Usage, message))
}

/// The path of a figure beside the plot.
fn beside(path: &Path, name: &str, format: Format, asked: Format) -> PathBuf {
    if name.is_empty() && format == asked {
        return path.to_owned();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{name}.{}", format.extension()))
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
///
/// # Errors
/// A number is not finite.
pub fn shown<T: Outcome>(result: &T) -> Result<T, Failure> {
    result.shown().map_err(|error| unprintable(result, &error))
}

/// The same of what is no result by itself.
///
/// # Errors
/// As [`shown`].
pub fn shown_part<T: Serialize + DeserializeOwned>(part: &T) -> Result<T, Failure> {
    crate::printable::shown(part).map_err(|error| unprintable(part, &error))
}

fn unprintable(result: &impl Serialize, error: &serde_json::Error) -> Failure {
    match json_bytes(result) {
        Err(not_finite) => not_finite.into(),
        Ok(_) => Failure::new(Status::Defect, format!("a result cannot be printed ({error}); please report this")),
    }
}
