//! Every result as an [`Outcome`].

use ndarray::Array3;

use super::antialias_rows::antialias_rows;
use super::antialias_table::antialias_table;
use super::departures_table::departures_table;
use super::field_rows::field_rows;
use super::field_table::field_table;
use super::fix_rows::fix_rows;
use super::fix_table::fix_table;
use super::inspect_rows::{inspect_rows, operator_rows};
use super::inspect_table::inspect_table;
use super::layers_rows::layers_rows;
use super::layers_table::layers_table;
use super::lee_rows::lee_rows;
use super::lee_table::lee_table;
use super::metrics_rows::metrics_rows;
use super::metrics_table::metrics_table;
use super::node_theorem_rows::node_theorem_rows;
use super::node_theorem_table::node_theorem_table;
use super::operator_table::operator_table;
use super::orbit_rows::orbit_rows;
use super::orbit_table::orbit_table;
use super::outcome::{NamedFigure, Outcome};
use super::repair_rows::repair_rows;
use super::repair_table::repair_table;
use super::representation_table::{representation_rows, representation_table};
use super::rows::Rows;
use super::spectrum_rows::{departures_rows, harmonics_rows, image_spectrum_rows, theorem_rows};
use super::spectrum_table::{harmonics_table, image_spectrum_table, theorem_table};
use super::surgery_rows::surgery_rows;
use super::surgery_table::surgery_table;
use crate::antialias::Kind;
use crate::antialias::pictures::{Curve, Picture};
use crate::antialias::report::{BenchReport, DesignResult};
use crate::antialias::surgery_report::SurgeryReport;
use crate::figure::{
    AdviceFigure, AntialiasFigure, ClassSharesFigure, DefectMapsFigure, DeparturesFigure, DerivativesFigure,
    DownsampledFigure, FieldFigure, FieldPicture, FixFigure, HarmonicsFigure, ImageSpectrumFigure, LayerMetricsFigure,
    LayersDepthFigure, LayersGraphFigure, LayersOctavesFigure, LeeFigure, LeePart, MetricsFigure, NodesFigure,
    OrbitFigure, OtherDesignsFigure, RepairFigure, RepresentationFigure, SurgeryFigure, TangentsFigure, TheoremFigure,
    WorstLayersFigure,
};
use crate::measure::defect_map::DefectMap;
use crate::measure::field_report::FieldReport;
use crate::measure::inspection::Inspection;
use crate::measure::layer_graph::LayerGraph;
use crate::measure::layers_report::LayersReport;
use crate::measure::lee_report::LeeReport;
use crate::measure::metrics_report::MetricsReport;
use crate::measure::node_theorem_report::NodeTheoremReport;
use crate::measure::orbit_report::OrbitReport;
use crate::measure::representation_report::RepresentationReport;
use crate::operators::OperatorList;
use crate::repair::{FixReport, RepairReport};
use crate::spectrum::departures::Departures;
use crate::spectrum::harmonics::HarmonicsReport;
use crate::spectrum::image_spectrum::ImageSpectrumReport;
use crate::spectrum::theorem::TheoremReport;

impl Outcome for LeeReport {
    /// The first image beside its tangents, where it is a picture.
    type Beside = Option<TangentsFigure>;

    fn table(&self, _: &Self::Beside, width: usize) -> String {
        lee_table(self, width)
    }

    fn rows(&self, per_image: bool) -> Rows {
        lee_rows(self, per_image)
    }

    fn figures<'a>(&'a self, beside: &'a Self::Beside) -> Vec<NamedFigure<'a>> {
        let tangents = beside.iter().map(|figure| NamedFigure::new("tangents", figure));
        let mut figures: Vec<NamedFigure<'a>> =
            std::iter::once(NamedFigure::main(LeeFigure(self))).chain(tangents).collect();
        figures.push(NamedFigure::new("generators", LeePart::Generators(self)));
        if !self.symmetry_spectrum.is_empty() {
            figures.push(NamedFigure::new("spectrum", LeePart::Spectrum(self)));
        }
        figures
    }
}

/// What table and figures of an attribution need beside it.
#[derive(Clone, Debug)]
pub struct LayersBeside {
    /// How many layers the table shows.
    pub top: usize,
    /// The network's graph for each attribution.
    pub graphs: Vec<LayerGraph>,
    /// Where defects sit under the first attribution, on the first image.
    pub maps: Vec<DefectMap>,
    /// The first image; none where its channels are no picture's.
    pub image: Option<Array3<f32>>,
}

impl Default for LayersBeside {
    /// The ten worst layers, without graph and maps.
    fn default() -> Self {
        Self { top: 10, graphs: Vec::new(), maps: Vec::new(), image: None }
    }
}

impl LayersBeside {
    /// The maps of the first attribution of a report.
    pub fn defect_maps<'a>(&'a self, report: &'a LayersReport) -> Option<DefectMapsFigure<'a>> {
        let results = report.results.all().first()?;
        let image = self.image.clone().filter(|_| !self.maps.is_empty())?;
        Some(DefectMapsFigure { report, results, image, maps: &self.maps })
    }
}

impl Outcome for LayersReport {
    type Beside = LayersBeside;

    fn table(&self, beside: &Self::Beside, width: usize) -> String {
        layers_table(self, beside.top, width.min(140))
    }

    fn rows(&self, per_image: bool) -> Rows {
        layers_rows(self, per_image)
    }

    fn figures<'a>(&'a self, beside: &'a Self::Beside) -> Vec<NamedFigure<'a>> {
        let report = self;
        let Some(results) = report.results.all().first() else { return Vec::new() };
        let (generators, derivatives) = (report.results.generators(), report.results.derivatives());
        let mut figures = vec![
            NamedFigure::main(LayersDepthFigure { report, results }),
            NamedFigure::new("worst", WorstLayersFigure { report, results }),
        ];
        if results.layers.iter().any(|layer| layer.octaves.is_some()) {
            figures.push(NamedFigure::new("octaves", LayersOctavesFigure { report, results }));
        }
        if generators.len() > 1 {
            figures.push(NamedFigure::new("generators", ClassSharesFigure { report, results: generators }));
        }
        if derivatives.len() > 1 {
            figures.push(NamedFigure::new("derivatives", DerivativesFigure { report, results: derivatives }));
        }
        if let Some(graph) = beside.graphs.first() {
            let figure = LayersGraphFigure { report, results, graph };
            figures.push(NamedFigure::hovering("graph", move |title| figure.titled(title), figure));
        }
        figures.extend(beside.defect_maps(report).map(|maps| NamedFigure::new("maps", maps)));
        figures
    }
}

impl Outcome for FieldReport {
    /// The first image with its fields, where it is a picture.
    type Beside = Option<FieldPicture>;

    fn table(&self, _: &Self::Beside, width: usize) -> String {
        field_table(self, width)
    }

    fn rows(&self, per_image: bool) -> Rows {
        field_rows(self, per_image)
    }

    fn figures<'a>(&'a self, beside: &'a Self::Beside) -> Vec<NamedFigure<'a>> {
        beside.iter().map(|picture| NamedFigure::main(FieldFigure { report: self, picture })).collect()
    }
}

/// How much of an orbit the table shows.
#[derive(Clone, Copy, Debug)]
pub struct OrbitBeside {
    /// How many layers.
    pub top: usize,
}

impl Default for OrbitBeside {
    fn default() -> Self {
        Self { top: 10 }
    }
}

impl Outcome for OrbitReport {
    type Beside = OrbitBeside;

    fn table(&self, beside: &Self::Beside, width: usize) -> String {
        orbit_table(self, beside.top, width)
    }

    fn rows(&self, per_image: bool) -> Rows {
        orbit_rows(self, per_image)
    }

    fn figures<'a>(&'a self, _: &'a Self::Beside) -> Vec<NamedFigure<'a>> {
        vec![NamedFigure::main(OrbitFigure { report: self })]
    }
}

impl Outcome for RepresentationReport {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        representation_table(self, width)
    }

    fn rows(&self, _: bool) -> Rows {
        representation_rows(self)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        vec![NamedFigure::main(RepresentationFigure(self))]
    }
}

impl Outcome for MetricsReport {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        metrics_table(self, width)
    }

    fn rows(&self, per_image: bool) -> Rows {
        metrics_rows(self, per_image)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        match &self.layers {
            Some(layers) => vec![NamedFigure::main(LayerMetricsFigure { report: self, layers })],
            None => vec![NamedFigure::main(MetricsFigure(self))],
        }
    }
}

impl Outcome for NodeTheoremReport {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        node_theorem_table(self, width)
    }

    fn rows(&self, per_image: bool) -> Rows {
        node_theorem_rows(self, per_image)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        vec![NamedFigure::main(NodesFigure::of(self))]
    }
}

impl Outcome for SurgeryReport {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        surgery_table(self, width)
    }

    fn rows(&self, per_image: bool) -> Rows {
        surgery_rows(self, per_image)
    }

    /// None where nothing was chosen: then both sides are the same network.
    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        if self.insertions.is_empty() {
            return Vec::new();
        }
        let advice =
            |advice| NamedFigure::new("advice", AdviceFigure { run: &self.run, replace: &self.replace, advice });
        std::iter::once(NamedFigure::main(SurgeryFigure { report: self }))
            .chain(self.advice.as_ref().map(advice))
            .collect()
    }
}

impl Outcome for RepairReport {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        repair_table(self, width)
    }

    fn rows(&self, per_image: bool) -> Rows {
        repair_rows(self, per_image)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        vec![NamedFigure::main(RepairFigure { report: self })]
    }
}

impl Outcome for FixReport {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        fix_table(self, width)
    }

    fn rows(&self, per_image: bool) -> Rows {
        fix_rows(self, per_image)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        let advice = AdviceFigure { run: &self.run, replace: &self.replace, advice: &self.advice };
        vec![NamedFigure::main(FixFigure { report: self }), NamedFigure::new("advice", advice)]
    }
}

/// What figures of designs need beside their report.
#[derive(Clone, Debug, Default)]
pub struct BenchBeside {
    /// The filters' responses.
    pub curves: Vec<Curve>,
    /// What each design makes of the field.
    pub pictures: Vec<Picture>,
}

impl Outcome for BenchReport {
    type Beside = BenchBeside;

    fn table(&self, _: &Self::Beside, width: usize) -> String {
        antialias_table(self, width)
    }

    fn rows(&self, _: bool) -> Rows {
        antialias_rows(self)
    }

    fn figures<'a>(&'a self, beside: &'a Self::Beside) -> Vec<NamedFigure<'a>> {
        let mut figures = vec![NamedFigure::main(AntialiasFigure { report: self, curves: &beside.curves })];
        if !beside.pictures.is_empty() {
            figures.push(NamedFigure::new("downsampled", DownsampledFigure::of(self, &beside.pictures)));
        }
        let is_downsampling = |design: &DesignResult| design.kind == Kind::Downsampling;
        if self.designs.iter().any(is_downsampling) && !self.designs.iter().all(is_downsampling) {
            figures.push(NamedFigure::new("others", OtherDesignsFigure { report: self }));
        }
        figures
    }
}

impl Outcome for TheoremReport {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        theorem_table(self, width)
    }

    fn rows(&self, _: bool) -> Rows {
        theorem_rows(self)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        vec![NamedFigure::main(TheoremFigure { report: self })]
    }
}

impl Outcome for Departures {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        departures_table(self, width)
    }

    fn rows(&self, _: bool) -> Rows {
        departures_rows(self)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        vec![NamedFigure::main(DeparturesFigure { study: self })]
    }
}

impl Outcome for HarmonicsReport {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        harmonics_table(self, width)
    }

    fn rows(&self, _: bool) -> Rows {
        harmonics_rows(self)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        vec![NamedFigure::main(HarmonicsFigure { report: self })]
    }
}

impl Outcome for ImageSpectrumReport {
    type Beside = ();

    /// It holds no names from files, and has pictures that its JSON leaves out.
    fn shown(&self) -> Result<Self, serde_json::Error> {
        Ok(self.clone())
    }

    fn table(&self, (): &(), width: usize) -> String {
        image_spectrum_table(self, width)
    }

    fn rows(&self, _: bool) -> Rows {
        image_spectrum_rows(self)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        vec![NamedFigure::main(ImageSpectrumFigure { report: self })]
    }
}

impl Outcome for Inspection {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        inspect_table(self, width)
    }

    fn rows(&self, _: bool) -> Rows {
        inspect_rows(self)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        Vec::new()
    }
}

impl Outcome for OperatorList {
    type Beside = ();

    fn table(&self, (): &(), width: usize) -> String {
        operator_table(self, width)
    }

    fn rows(&self, _: bool) -> Rows {
        operator_rows(self)
    }

    fn figures<'a>(&'a self, (): &'a ()) -> Vec<NamedFigure<'a>> {
        Vec::new()
    }
}
