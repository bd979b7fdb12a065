//! Which frequency a grid mistakes each frequency for.

use plotters::chart::ChartBuilder;
use plotters::element::{PathElement, Rectangle};
use plotters::prelude::DrawingBackend;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::harmonics::wave;
use super::key::{Dot, key};
use super::{Area, Figure, FigureError, style};
use crate::spectrum::alias::alias;
use crate::spectrum::harmonics::HarmonicsReport;

/// The saw-tooth n → Alias(n), with a signal's harmonics on it, sized by magnitude.
#[derive(Clone, Copy, Debug)]
pub struct FoldingMapFigure<'a> {
    /// The harmonics and their grid.
    pub report: &'a HarmonicsReport,
}

impl Figure for FoldingMapFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (1000, 520)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        let title = format!("Where a grid of {} samples folds each frequency", report.grid);
        root.draw_text(&title, &style::title(), (24, 14))?;
        let note = format!(
            "dots: harmonics of {}({}), larger where they are stronger; in the shaded band a frequency is seen as what it is",
            report.activation,
            wave(report)
        );
        root.draw_text(&style::printable(&note), &style::note(), (24, 44))?;
        let (_, area) = root.split_vertically(66);
        let nyquist = report.grid as f64 / 2.0;
        let shown = 4.2 * nyquist;
        let mut chart = ChartBuilder::on(&area)
            .margin_top(8)
            .margin_left(12)
            .margin_right(28)
            .margin_bottom(10)
            .x_label_area_size(54)
            .y_label_area_size(84)
            .build_cartesian_2d(-0.02 * shown..shown, -1.15 * nyquist..1.15 * nyquist)?;
        chart.draw_series([Rectangle::new(
            [(-0.02 * shown, -nyquist), (nyquist, nyquist)],
            style::SERIES[2].mix(0.16).filled(),
        )])?;
        chart
            .configure_mesh()
            .light_line_style(style::GRID.mix(0.0))
            .bold_line_style(style::GRID)
            .axis_style(style::INK)
            .x_desc("frequency n, cycles per unit length")
            .y_desc("seen as Alias(n)")
            .axis_desc_style(style::axis())
            .label_style(style::label())
            .x_label_formatter(&|x| format!("{x:.0}").replace('-', "−"))
            .y_label_formatter(&|y| format!("{y:.0}").replace('-', "−"))
            .draw()?;
        let teeth = (shown / report.grid as f64).ceil() as i64 + 1;
        for tooth in 0..teeth {
            let middle = tooth as f64 * report.grid as f64;
            let clip = |x: f64| x.clamp(-0.02 * shown, shown);
            let (from, to) = (clip(middle - nyquist), clip(middle + nyquist));
            if from < to {
                chart.draw_series([PathElement::new(
                    vec![(from, from - middle), (to, to - middle)],
                    style::SERIES[0].stroke_width(2),
                )])?;
            }
        }
        let edge = vec![(nyquist, -1.15 * nyquist), (nyquist, 1.15 * nyquist)];
        chart.draw_series([PathElement::new(edge, style::INK.stroke_width(1))])?;
        let (base_x, base_y) = area.get_base_pixel();
        let largest = report.harmonics.iter().skip(1).map(|h| h.magnitude).fold(f64::MIN_POSITIVE, f64::max);
        for harmonic in report.harmonics.iter().filter(|h| h.magnitude > 1e-6 * largest) {
            if harmonic.frequency as f64 > shown {
                break;
            }
            // Half a power, so that small harmonics stay visible.
            let radius = (3.0 + 11.0 * (harmonic.magnitude / largest).min(1.0).powf(0.5)) as i32;
            let at = (harmonic.frequency as f64, alias(harmonic.frequency, report.grid) as f64);
            let moved = harmonic.folds_to != harmonic.frequency;
            let dot = if moved { Dot::Hollow(style::SERIES[1]) } else { Dot::Filled(style::SERIES[0]) };
            let (x, y) = chart.backend_coord(&at);
            dot.draw(&area, (x - base_x, y - base_y), radius)?;
        }
        let entries = [(Dot::Filled(style::SERIES[0]), "stays"), (Dot::Hollow(style::SERIES[1]), "folds")];
        let (x, y) = chart.backend_coord(&(shown, 1.15 * nyquist));
        key(&area, &entries, (x - base_x - 80, y - base_y + 16))?;
        let (x, y) = chart.backend_coord(&(nyquist, -1.15 * nyquist));
        let text = style::anchored(style::note(), HPos::Left, VPos::Bottom);
        area.draw_text("Nyquist frequency: to its left nothing moves", &text, (x - base_x + 6, y - base_y - 4))?;
        Ok(())
    }
}
