//! The output files of `aliascope layers`, claimed before anything is computed.

use std::path::PathBuf;

use clap::Args;

use crate::figure::Format;
use crate::measure::layers_report::LayersReport;
use crate::report::{LayersBeside, LayersPage, OutputFile, layers_html};

use super::Failure;
use aliascope_core::cli::outputs::{FigureName, OutputArgs, Outputs, shown, shown_part};

/// Where results go.
#[derive(Debug, Args)]
pub(super) struct LayersOutputArgs {
    /// Write one page with all figures and a table that sorts and filters; it needs no network.
    ///
    /// --plot draws what each layer contributes along the depth, and beside it, in the same format: FILE-worst, the ten
    /// worst layers and their parts; FILE-generators, the shares of classes of layers under several generators;
    /// FILE-derivatives, those of --compare; FILE-octaves, with --octaves, which frequencies make the worst layers' errors.
    /// FILE-graph.svg is the network with each node in the shade of its share,
    /// FILE-maps.png where in the first photo the worst layers' defects sit. Single figures show the first generator
    /// and derivative.
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    html: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

/// The claimed files.
pub(super) struct LayersOutputs {
    outputs: Outputs,
    html: Option<OutputFile>,
}

impl LayersOutputs {
    /// Claims what `args` asks for, with figures for so many generators and derivatives, and of octaves or not.
    pub(super) fn claim(
        args: &LayersOutputArgs,
        [generators, derivatives]: [usize; 2],
        octaves: bool,
    ) -> Result<Self, Failure> {
        let several = |count: usize, name| (count > 1).then_some((name, None));
        let figures: Vec<FigureName> = [("", None), ("worst", None)]
            .into_iter()
            .chain(octaves.then_some(("octaves", None)))
            .chain(several(generators, "generators"))
            .chain(several(derivatives, "derivatives"))
            .chain([("graph", Some(Format::Svg)), ("maps", Some(Format::Png))])
            .collect();
        let outputs = Outputs::claim(&args.output, &figures)?;
        Ok(Self { html: outputs.another(args.html.as_ref())?, outputs })
    }

    /// Whether figures are drawn.
    pub(super) fn has_figures(&self) -> bool {
        self.outputs.draws() || self.html.is_some()
    }

    /// Prints the table and writes what was asked for.
    pub(super) fn write(self, report: &LayersReport, beside: LayersBeside, per_image: bool) -> Result<(), Failure> {
        // Names of nodes are as hostile here as in the report.
        let beside = LayersBeside {
            graphs: beside.graphs.iter().map(shown_part).collect::<Result<_, _>>()?,
            maps: beside.maps.iter().map(shown_part).collect::<Result<_, _>>()?,
            ..beside
        };
        let mut outputs = self.outputs;
        if let Some(file) = self.html {
            let printed = &shown(report)?;
            let maps = beside.defect_maps(printed);
            let page = LayersPage { report: printed, graphs: &beside.graphs, maps: maps.as_ref() };
            outputs.fill(file, layers_html(&page)?.into_bytes());
        }
        Ok(outputs.write(report, &beside, per_image)?)
    }
}
