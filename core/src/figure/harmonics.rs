//! A nonlinearity's harmonics before and after sampling.

use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::prelude::{DrawingBackend, IntoLogRange};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::key::{Dot, key};
use super::number::power_of_ten;
use super::{Area, Figure, FigureError, style};
use crate::spectrum::harmonics::HarmonicsReport;

/// Two panels: the harmonics as they are, over the grid's band; and where the grid sees them.
#[derive(Clone, Copy, Debug)]
pub struct HarmonicsFigure<'a> {
    /// The harmonics.
    pub report: &'a HarmonicsReport,
}

/// Decades shown below the largest harmonic.
const DECADES: i32 = 6;

impl Figure for HarmonicsFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (1100, 480)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        let title = format!(
            "{} of {} on {} samples{}",
            report.activation,
            wave(report),
            report.grid,
            if report.filter == "none" { String::new() } else { format!(", after {}", report.filter) }
        );
        root.draw_text(&style::printable(&title), &style::title(), (24, 14))?;
        let note = format!(
            "{:.2} % of the energy beside the constant lies at or beyond the Nyquist frequency and folds back",
            100.0 * report.aliased_fraction
        );
        root.draw_text(&note, &style::note(), (24, 44))?;
        let (_, panels) = root.split_vertically(64);
        let (left, right) = panels.split_horizontally(640);
        let largest = report.harmonics.iter().map(|h| h.magnitude).fold(f64::MIN_POSITIVE, f64::max);
        let nyquist = report.grid as f64 / 2.0;
        let shown = (4.0 * nyquist).max(8.0 * report.frequency as f64);
        let stems: Vec<Stem> = report
            .harmonics
            .iter()
            .filter(|h| h.frequency as f64 <= shown)
            .map(|h| Stem {
                at: h.frequency as f64,
                height: h.magnitude,
                folds: 2.0 * h.frequency as f64 >= 2.0 * nyquist,
            })
            .collect();
        panel(
            &left,
            "As the nonlinearity makes them",
            "frequency, cycles per unit length",
            1.03 * shown,
            nyquist,
            largest,
            &stems,
        )?;
        let seen: Vec<Stem> = report
            .harmonics
            .iter()
            .map(|h| Stem {
                at: h.folds_to.unsigned_abs() as f64,
                height: h.magnitude,
                folds: h.folds_to != h.frequency,
            })
            .collect();
        panel(
            &right,
            "As the grid sees them",
            "|Alias(frequency)|, cycles per unit length",
            1.12 * nyquist,
            nyquist,
            largest,
            &seen,
        )?;
        Ok(())
    }
}

/// The wave that the nonlinearity is applied to; an amplitude of 1 goes without saying.
pub(super) fn wave(report: &HarmonicsReport) -> String {
    let amplitude = if report.amplitude == 1.0 { String::new() } else { format!("{} ", report.amplitude) };
    format!("{amplitude}cos(2π·{} x)", report.frequency).replace('-', "−")
}

struct Stem {
    at: f64,
    height: f64,
    folds: bool,
}

fn panel<DB: DrawingBackend>(
    area: &Area<DB>,
    title: &str,
    axis: &str,
    shown: f64,
    nyquist: f64,
    largest: f64,
    stems: &[Stem],
) -> Result<(), FigureError> {
    let floor = largest * 10f64.powi(-DECADES);
    let (width, _) = area.dim_in_pixel();
    area.draw_text(title, &style::panel(), (26, 6))?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(34)
        .margin_left(12)
        .margin_right(24)
        .margin_bottom(8)
        .x_label_area_size(52)
        .y_label_area_size(86)
        .build_cartesian_2d(-0.02 * shown..shown, (floor..2.0 * largest).log_scale())?;
    // The band that the grid holds.
    chart.draw_series([Rectangle::new(
        [(-0.02 * shown, floor), (nyquist.min(shown), 2.0 * largest)],
        style::SERIES[2].mix(0.14).filled(),
    )])?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(style::GRID.mix(0.0))
        .bold_line_style(style::GRID)
        .axis_style(style::INK)
        .x_desc(axis)
        .y_desc("|c_k|, logarithmic axis")
        .axis_desc_style(style::axis())
        .label_style(style::label())
        .x_label_formatter(&|x| format!("{x:.0}").replace('-', "−"))
        .y_label_formatter(&|y| power_of_ten(y.log10().round() as i32))
        .y_labels(7)
        .draw()?;
    chart.draw_series([PathElement::new(
        vec![(nyquist, floor), (nyquist, 2.0 * largest)],
        style::INK.stroke_width(1),
    )])?;
    let (kept, folded) = (style::SERIES[0], style::SERIES[1]);
    for stem in stems.iter().filter(|stem| stem.height > floor) {
        let (color, radius) = if stem.folds { (folded, 5) } else { (kept, 5) };
        // A line for the eye: on a logarithmic axis lengths mean nothing.
        let line = vec![(stem.at, floor), (stem.at, stem.height)];
        chart.draw_series([PathElement::new(line, color.mix(0.35).stroke_width(1))])?;
        // Hollow and filled, so that both are told apart in grey as well.
        if stem.folds {
            chart.draw_series([Circle::new((stem.at, stem.height), radius, plotters::style::WHITE.filled())])?;
            chart.draw_series([Circle::new((stem.at, stem.height), radius, color.stroke_width(2))])?;
        } else {
            chart.draw_series([Circle::new((stem.at, stem.height), radius, color.filled())])?;
        }
    }
    let (x, y) = chart.backend_coord(&(nyquist, 2.0 * largest));
    let (base_x, base_y) = area.get_base_pixel();
    let (h, shift) = if nyquist > 0.8 * shown { (HPos::Right, -6) } else { (HPos::Left, 6) };
    area.draw_text("Nyquist", &style::anchored(style::note(), h, VPos::Top), (x - base_x + shift, y - base_y + 4))?;
    if nyquist <= 0.8 * shown {
        key(area, &[(Dot::Filled(kept), "stays"), (Dot::Hollow(folded), "folds")], (width as i32 - 110, 54))?;
    }
    Ok(())
}
