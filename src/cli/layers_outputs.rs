//! The output files of `aliascope layers`, claimed before anything is computed.

use std::path::{Path, PathBuf};

use clap::Args;
use ndarray::Array3;

use crate::figure::{
    ClassSharesFigure, DefectMapsFigure, DerivativesFigure, Format, LayersDepthFigure, LayersGraphFigure,
    WorstLayersFigure, render,
};
use crate::measure::defect_map::DefectMap;
use crate::measure::layer_graph::LayerGraph;
use crate::measure::layers_report::LayersReport;
use crate::report::{LayersPage, OutputFile, Sink, json_bytes, layers_html, layers_rows};

use super::Failure;
use aliascope_core::cli::outputs::{deliver, shown};

/// Where results go.
#[derive(Debug, Args)]
pub(super) struct LayersOutputArgs {
    /// Write the result as JSON; - is standard output, which then carries nothing else.
    #[arg(long, value_name = "FILE|-")]
    json: Option<PathBuf>,
    /// Write one row per layer.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw what each layer contributes along the depth.
    ///
    /// Beside it, in the same format: FILE-worst, the ten worst layers and their parts; FILE-generators, the shares of
    /// classes of layers under several generators; FILE-derivatives, those of --compare. FILE-graph.svg is the network
    /// with each node in the shade of its share, FILE-maps.png where in the first photo the worst layers' defects sit.
    /// Single figures show the first generator and derivative.
    #[arg(long, value_name = "FILE.svg|png")]
    plot: Option<PathBuf>,
    /// Write one page with all figures and a table that sorts and filters; it needs no network.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Replace output files that exist.
    #[arg(long)]
    force: bool,
}

/// The claimed files.
pub(super) struct LayersOutputs {
    per_image: bool,
    json: Option<Sink>,
    csv: Option<OutputFile>,
    plots: Option<Plots>,
    html: Option<OutputFile>,
}

struct Plots {
    format: Format,
    depth: OutputFile,
    worst: OutputFile,
    generators: Option<OutputFile>,
    derivatives: Option<OutputFile>,
    graph: OutputFile,
    maps: OutputFile,
}

/// What figures need beside the report.
pub(super) struct Pictured {
    /// For each attribution.
    pub graphs: Vec<LayerGraph>,
    /// Of the first attribution, on the first image.
    pub maps: Vec<DefectMap>,
    /// The first image; none where its channels are no picture's.
    pub image: Option<Array3<f32>>,
}

impl LayersOutputs {
    /// Claims what `args` asks for, with figures for so many generators and derivatives.
    pub(super) fn claim(
        args: &LayersOutputArgs,
        per_image: bool,
        generators: usize,
        derivatives: usize,
    ) -> Result<Self, Failure> {
        let file = |path: &PathBuf| OutputFile::claim(path, args.force);
        let plots = args.plot.as_ref().map(|path| Plots::claim(path, args.force, [generators, derivatives]));
        Ok(Self {
            per_image,
            plots: plots.transpose()?,
            json: args.json.as_ref().map(|path| Sink::claim(path, args.force)).transpose()?,
            csv: args.csv.as_ref().map(file).transpose()?,
            html: args.html.as_ref().map(file).transpose()?,
        })
    }

    /// Whether standard output carries JSON and nothing else.
    pub(super) fn stdout_is_json(&self) -> bool {
        matches!(self.json, Some(Sink::Standard))
    }

    /// Whether figures are drawn.
    pub(super) fn has_figures(&self) -> bool {
        self.plots.is_some() || self.html.is_some()
    }

    /// Prints the table, if there is one, and writes what was asked for.
    pub(super) fn write(
        self,
        report: &LayersReport,
        pictured: &Pictured,
        table: Option<String>,
    ) -> Result<(), Failure> {
        let printed = &shown(report)?;
        let graphs = pictured.graphs.iter().map(shown).collect::<Result<Vec<_>, _>>()?;
        let first = printed.results.all().first();
        let places = pictured.maps.iter().map(shown).collect::<Result<Vec<DefectMap>, _>>()?;
        let maps = match (first, &pictured.image) {
            (Some(results), Some(image)) if !places.is_empty() => {
                Some(DefectMapsFigure { report: printed, results, image: image.clone(), maps: &places })
            }
            _ => None,
        };
        // All bytes first: a figure that cannot be drawn leaves no other file behind.
        let mut files: Vec<(OutputFile, Vec<u8>)> = Vec::new();
        files.extend(self.csv.map(|file| (file, layers_rows(report, self.per_image).csv())));
        if let (Some(plots), Some(results)) = (self.plots, first) {
            let (report, format) = (printed, plots.format);
            files.push((plots.depth, render(&LayersDepthFigure { report, results }, format)?));
            files.push((plots.worst, render(&WorstLayersFigure { report, results }, format)?));
            if let Some(file) = plots.generators {
                let figure = ClassSharesFigure { report, results: report.results.generators() };
                files.push((file, render(&figure, format)?));
            }
            if let Some(file) = plots.derivatives {
                let figure = DerivativesFigure { report, results: report.results.derivatives() };
                files.push((file, render(&figure, format)?));
            }
            if let Some(graph) = graphs.first() {
                files.push((plots.graph, LayersGraphFigure { report, results, graph }.svg().into_bytes()));
            }
            if let Some(maps) = &maps {
                files.push((plots.maps, render(maps, Format::Png)?));
            }
        }
        if let Some(file) = self.html {
            let page = LayersPage { report: printed, graphs: &graphs, maps: maps.as_ref() };
            files.push((file, layers_html(&page)?.into_bytes()));
        }
        let json = self.json.as_ref().map(|_| json_bytes(report)).transpose()?;
        Ok(deliver(table, files, self.json.zip(json))?)
    }
}

impl Plots {
    fn claim(path: &Path, force: bool, [generators, derivatives]: [usize; 2]) -> Result<Self, Failure> {
        let format = Format::from_path(path)?;
        let extension = if format == Format::Svg { "svg" } else { "png" };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let beside = |what: &str, extension: &str| {
            OutputFile::claim(path.with_file_name(format!("{stem}-{what}.{extension}")), force)
        };
        let several = |count: usize, what: &str| (count > 1).then(|| beside(what, extension)).transpose();
        Ok(Self {
            format,
            depth: OutputFile::claim(path, force)?,
            worst: beside("worst", extension)?,
            generators: several(generators, "generators")?,
            derivatives: several(derivatives, "derivatives")?,
            graph: beside("graph", "svg")?,
            maps: beside("maps", "png")?,
        })
    }
}
