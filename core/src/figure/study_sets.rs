//! How much larger the errors of a study's networks are on other images.

use plotters::backend::DrawingBackend;
use plotters::element::{PathElement, Rectangle};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{Area, Figure, FigureError};
use super::decades::Decades;
use super::decades_axis::DecadesAxis;
use super::family_mark::FamilyMark;
use super::style::{self, INK, anchored, draw_note, fit, fit_end, printable};
use crate::statistics::Estimate;
use crate::study::associations::SetRatio;
use crate::study::report::StudyReport;

/// A panel per other set: the ratio of geometric means over images of every network, and below them, over all networks, that
/// ratio, those of LEE, which is a mean over images, and of relative LEE, and that of the images' own change.
#[derive(Clone, Copy, Debug)]
pub struct StudySetsFigure<'a>(pub &'a StudyReport);

const MARGIN: i32 = 28;
const NAMES: i32 = 260;
const TOP: i32 = 92;
const HEADING: i32 = 28;
const PANEL: i32 = 330;
const BETWEEN: i32 = 30;
const ROW: i32 = 22;
const AXIS: i32 = 66;
/// Rows over all networks, and the gap above them.
const OVERALL: [&str; 4] =
    ["all: geometric means", "all: LEE, the means", "all: relative LEE", "all: the images' own change"];
const GAP: i32 = 14;
/// Panels at the most.
const MOST: usize = 4;

impl StudySetsFigure<'_> {
    /// The ratios of the first generator, set by set.
    fn ratios(&self) -> Vec<&SetRatio> {
        let report = self.0;
        let Some((_, output, derivative)) = report.primary() else { return Vec::new() };
        let generators = report.generators();
        let first = generators.first().copied().unwrap_or_default();
        let is_shown = |r: &&SetRatio| r.output == output && r.derivative == derivative && r.generator == first;
        report.set_ratios.iter().filter(is_shown).take(MOST).collect()
    }

    /// Whether there is something to draw.
    pub fn has_ratios(&self) -> bool {
        !self.ratios().is_empty()
    }

    fn rows(&self) -> i32 {
        ROW * (self.0.networks.len() + OVERALL.len()) as i32 + GAP
    }
}

impl Figure for StudySetsFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let panels = self.ratios().len().max(1) as i32;
        let width = 2 * MARGIN + NAMES + panels * PANEL + (panels - 1) * BETWEEN;
        (width.max(780) as u32, (TOP + HEADING + self.rows() + AXIS) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let (report, ratios) = (self.0, self.ratios());
        let width = self.size().0 as i32 - 2 * MARGIN;
        root.draw_text("Equivariance error on other images", &style::title(), (MARGIN, 14))?;
        let Some(first) = ratios.first() else { return Ok(()) };
        let note = format!(
            "{} under {}, {} derivative: geometric means over those of '{}', {:.0} % intervals",
            first.output,
            first.generator,
            first.derivative,
            first.to,
            100.0 * report.level
        );
        draw_note(root, &printable(&note), (MARGIN, 48), width)?;
        let top = TOP + HEADING;
        let overall = top + ROW * report.networks.len() as i32 + GAP;
        let right = anchored(style::label(), HPos::Right, VPos::Center);
        let names = report.networks.iter().map(|network| printable(&network.about.name)).enumerate();
        let names = names.map(|(at, name)| (name, top + ROW * at as i32));
        let all = OVERALL.iter().enumerate().map(|(at, name)| ((*name).to_owned(), overall + ROW * at as i32));
        for (name, y) in names.chain(all) {
            let text = fit_end(root, &name, &style::label(), NAMES - 14)?;
            root.draw_text(&text, &right, (MARGIN + NAMES - 10, y + ROW / 2))?;
        }
        for (at, ratio) in ratios.iter().enumerate() {
            self.panel(root, ratio, (MARGIN + NAMES + at as i32 * (PANEL + BETWEEN), TOP))?;
        }
        Ok(())
    }
}

impl StudySetsFigure<'_> {
    fn panel<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        ratio: &SetRatio,
        (left, top): (i32, i32),
    ) -> Result<(), FigureError> {
        let report = self.0;
        let start = top + HEADING;
        let bottom = start + self.rows();
        let title = fit(root, &printable(&format!("{} ({})", ratio.of, ratio.role)), &style::panel(), PANEL)?;
        root.draw_text(&title, &style::panel(), (left, top))?;
        let families = report.families();
        let mut drawn: Vec<(usize, i32, Estimate)> = Vec::new();
        for (at, network) in report.networks.iter().enumerate() {
            let family = families.iter().position(|family| *family == network.about.family).unwrap_or(0);
            if let Some(Some(estimate)) = ratio.by_network.get(&network.about.name) {
                drawn.push((family, start + ROW * at as i32 + ROW / 2, *estimate));
            }
        }
        let overall = start + ROW * report.networks.len() as i32 + GAP;
        let all = [ratio.geometric, Some(ratio.lee), ratio.relative, ratio.energy];
        let all = all.into_iter().enumerate().filter_map(|(at, estimate)| Some((at, estimate?)));
        let all: Vec<(i32, Estimate)> = all.map(|(at, e)| (overall + ROW * at as i32 + ROW / 2, e)).collect();
        let ends = |e: &Estimate| [Some(e.value), e.interval.map(|i| i.low), e.interval.map(|i| i.high)];
        let estimates = drawn.iter().map(|(.., e)| e).chain(all.iter().map(|(_, e)| e));
        let values: Vec<f64> = estimates.flat_map(ends).flatten().chain([1.0]).filter(|v| *v > 0.0).collect();
        let decades = Decades::of(values.into_iter());
        let axis = DecadesAxis { decades, left, width: PANEL };
        axis.draw(root, (start, bottom), "ratio")?;
        let one = axis.x(1.0);
        root.draw(&PathElement::new(vec![(one, start), (one, bottom)], INK.stroke_width(1)))?;
        for (family, y, estimate) in drawn {
            let mark = FamilyMark::of(family);
            if let Some(interval) = estimate.interval {
                root.draw(&PathElement::new(
                    vec![(axis.x(interval.low), y), (axis.x(interval.high), y)],
                    mark.color.stroke_width(2),
                ))?;
            }
            mark.draw(root, (axis.x(estimate.value), y), 5)?;
        }
        for (y, estimate) in all {
            if let Some(interval) = estimate.interval {
                root.draw(&PathElement::new(
                    vec![(axis.x(interval.low), y), (axis.x(interval.high), y)],
                    INK.stroke_width(3),
                ))?;
            }
            let middle = axis.x(estimate.value);
            root.draw(&Rectangle::new([(middle - 5, y - 5), (middle + 5, y + 5)], INK.filled()))?;
        }
        Ok(())
    }
}
