//! The figure of `aliascope compare`: LEE of every network under each generator, with its interval, by family.

use plotters::backend::DrawingBackend;
use plotters::element::PathElement;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::decades::Decades;
use super::decades_axis::DecadesAxis;
use super::family_mark::FamilyMark;
use super::style::{self, anchored, fit, fit_end, printable};
use crate::statistics::Estimate;
use crate::study::comparison::{ComparedNetwork, Comparison};
use crate::symmetry::Units;

/// A panel per generator, a row per network, families together.
#[derive(Clone, Copy, Debug)]
pub struct ComparisonFigure<'a>(pub &'a Comparison);

const MARGIN: i32 = 28;
const NAMES: i32 = 280;
const TOP: i32 = 96;
const PANEL: i32 = 260;
const BETWEEN: i32 = 26;
/// Panels side by side; the others go below.
const ABREAST: usize = 4;
const ROW: i32 = 24;
const HEADING: i32 = 26;
/// Below the rows of a panel: its axis, and air before the next.
const AXIS: i32 = 72;

/// A network, the place of its family, and the middle of its row below the first one's top.
type Row<'a> = (&'a ComparedNetwork, usize, i32);

impl ComparisonFigure<'_> {
    fn panels(&self) -> usize {
        self.0.generators().len().max(1)
    }

    /// Height of the rows of one panel.
    fn rows(&self) -> i32 {
        let families = self.0.families();
        ROW * self.0.networks.len().max(1) as i32 + HEADING * families.len() as i32
    }
}

impl Figure for ComparisonFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let (abreast, below) = (self.panels().min(ABREAST) as i32, self.panels().div_ceil(ABREAST) as i32);
        // Title and note need as much.
        let width = (2 * MARGIN + NAMES + abreast * PANEL + (abreast - 1) * BETWEEN).max(820);
        (width as u32, (TOP + below * (HEADING + self.rows() + AXIS)) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let comparison = self.0;
        let width = self.size().0 as i32 - 2 * MARGIN;
        root.draw_text("Equivariance error of networks on the same images", &style::title(), (MARGIN, 16))?;
        let note = self.note();
        root.draw_text(&fit(root, &printable(&note), &style::note(), width)?, &style::note(), (MARGIN, 48))?;
        for (at, generator) in comparison.generators().into_iter().enumerate() {
            let (column, row) = ((at % ABREAST) as i32, (at / ABREAST) as i32);
            let top = TOP + row * (HEADING + self.rows() + AXIS);
            if column == 0 {
                self.names(root, top + HEADING)?;
            }
            self.panel(root, generator, (MARGIN + NAMES + column * (PANEL + BETWEEN), top))?;
        }
        Ok(())
    }
}

impl ComparisonFigure<'_> {
    fn note(&self) -> String {
        let Some(first) = self.0.networks.first() else { return String::new() };
        let lie = first.run.lie();
        let unit = if lie.units == Units::Pixel { "pixels" } else { "half-widths" };
        format!(
            "mean over {} with its {:.0} % interval; {}; t in {unit}; {} derivative, {} boundary",
            first.run.images.in_words(),
            100.0 * self.0.level,
            first.run.what(),
            lie.derivative,
            lie.boundary
        )
    }

    /// Families with the middle of their headings, and every network's row.
    fn places(&self) -> (Vec<(&str, i32)>, Vec<Row<'_>>) {
        let (mut headings, mut rows) = (Vec::new(), Vec::new());
        let mut y = 0;
        for (place, (family, networks)) in self.0.families().into_iter().enumerate() {
            headings.push((family, y + HEADING / 2));
            y += HEADING;
            for network in networks {
                rows.push((network, place, y + ROW / 2));
                y += ROW;
            }
        }
        (headings, rows)
    }

    fn names<DB: DrawingBackend>(&self, root: &Area<DB>, top: i32) -> Result<(), FigureError> {
        let (headings, rows) = self.places();
        for (family, y) in headings {
            let text = fit(root, &printable(family), &style::axis(), NAMES - 12)?;
            root.draw_text(&text, &anchored(style::axis(), HPos::Left, VPos::Center), (MARGIN, top + y))?;
        }
        for (network, _, y) in rows {
            let text = fit_end(root, &printable(&network.name), &style::label(), NAMES - 12)?;
            let place = (MARGIN + NAMES - 10, top + y);
            root.draw_text(&text, &anchored(style::label(), HPos::Right, VPos::Center), place)?;
        }
        Ok(())
    }

    fn panel<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        generator: &str,
        (left, top): (i32, i32),
    ) -> Result<(), FigureError> {
        let start = top + HEADING;
        let bottom = start + self.rows();
        let title = fit(root, &printable(generator), &style::panel(), PANEL)?;
        root.draw_text(&title, &style::panel(), (left, top))?;
        let (_, rows) = self.places();
        let lee = |network: &ComparedNetwork| network.generators.get(generator).map(|of| of.lee);
        let ends = |of: Estimate| [Some(of.value), of.interval.map(|i| i.low), of.interval.map(|i| i.high)];
        let values: Vec<f64> = rows.iter().filter_map(|(network, ..)| lee(network)).flat_map(ends).flatten().collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(FigureError::NotFinite("the comparison holds NaN or infinity".to_owned()));
        }
        let most = values.iter().copied().fold(0.0, f64::max);
        let decades = Decades::of(values.into_iter().filter(|value| *value > 1e-6 * most));
        let axis = DecadesAxis { decades, left, width: PANEL };
        axis.draw(root, (start, bottom), "LEE, E‖L‖²/dim")?;
        for (network, place, y) in rows {
            let Some(lee) = lee(network) else { continue };
            let (mark, middle) = (FamilyMark::of(place), start + y);
            if let Some(interval) = lee.interval {
                let line = vec![(axis.x(interval.low), middle), (axis.x(interval.high), middle)];
                root.draw(&PathElement::new(line.clone(), WHITE.stroke_width(5)))?;
                root.draw(&PathElement::new(line, mark.color.stroke_width(2)))?;
            }
            mark.draw(root, (axis.x(lee.value), middle), 6)?;
        }
        Ok(())
    }
}
