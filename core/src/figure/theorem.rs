//! The theorem's forms beside the measurement, and the harmonics that do the damage.

use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::prelude::DrawingBackend;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::key::{Dot, key};
use super::number::compact;
use super::scale::compact_tick;
use super::{Area, Figure, FigureError, style};
use crate::spectrum::theorem::TheoremReport;

/// Left: the three forms and the measured defect, as multiples of `exact`. Right: where the worst harmonics fold.
#[derive(Clone, Copy, Debug)]
pub struct TheoremFigure<'a> {
    /// The check.
    pub report: &'a TheoremReport,
}

/// Folds drawn; more would hide each other.
const DRAWN_FOLDS: usize = 40;

impl Figure for TheoremFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (1100, 560)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        root.draw_text("The aliasing theorem's three forms and the measured defect", &style::title(), (24, 14))?;
        let mut note = format!(
            "{}, grid {} × {}, v = {}, prefilter {}",
            report.input,
            report.grid.x,
            report.grid.y,
            report.velocity.to_string().replace('-', "−"),
            report.prefilter
        );
        if let Some(activation) = &report.activation {
            note += &format!(", after {activation}");
        }
        root.draw_text(&style::printable(&note), &style::note(), (24, 44))?;
        let (_, panels) = root.split_vertically(68);
        let (left, right) = panels.split_horizontally(530);
        forms(&left, report)?;
        folds(&right, report)
    }
}

fn forms<DB: DrawingBackend>(area: &Area<DB>, report: &TheoremReport) -> Result<(), FigureError> {
    let values = [report.exact, report.measured, report.diagonal, report.paper];
    let names = ["exact", "measured", "diagonal", "paper"];
    // Rounding errors are shown against the slopes that they are errors of.
    let nothing = values.iter().all(|value| *value <= report.rounding());
    let tallest = if nothing { report.slope_energy } else { values.iter().copied().fold(0.0, f64::max) };
    let top = 1.2 * tallest.max(f64::MIN_POSITIVE);
    let (width, _) = area.dim_in_pixel();
    area.draw_text("Mean square of the defect δ", &style::panel(), (26, 4))?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(34)
        .margin_left(12)
        .margin_right(16)
        .margin_bottom(8)
        .x_label_area_size(52)
        .y_label_area_size(96)
        .build_cartesian_2d(-0.6..3.6_f64, 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(style::GRID.mix(0.0))
        .bold_line_style(style::GRID)
        .axis_style(style::INK)
        .x_labels(0)
        .y_desc("mean of δ², in units of h² per t²")
        .axis_desc_style(style::axis())
        .label_style(style::label())
        .y_label_formatter(&|y| compact_tick(*y))
        .draw()?;
    let (base_x, base_y) = area.get_base_pixel();
    if nothing {
        area.draw_text(
            "all 0 to rounding; the axis is that of the slopes, mean of (v·∇h)²",
            &style::anchored(style::note(), HPos::Center, VPos::Top),
            (width as i32 / 2 + 40, 44),
        )?;
    }
    for (index, (name, value)) in names.iter().zip(values).enumerate() {
        let at = index as f64;
        let color = if index < 2 { style::SERIES[0] } else { style::SERIES[1] };
        chart.draw_series([Rectangle::new(
            [(at - 0.35, 0.0), (at + 0.35, value)],
            color.mix(if index % 2 == 0 { 1.0 } else { 0.55 }).filled(),
        )])?;
        let (x, y) = chart.backend_coord(&(at, value));
        let above = match (index, report.exact > report.rounding()) {
            (_, _) if value == 0.0 => "0".to_owned(),
            (0, _) => compact(value),
            (1, true) if value == report.exact => "no digit differs".to_owned(),
            (1, true) => format!("differs by {}", one_digit((value / report.exact - 1.0).abs())),
            (_, true) => format!("{:+.1} %", 100.0 * (value / report.exact - 1.0)).replace('-', "−"),
            _ => compact(value),
        };
        area.draw_text(
            &above,
            &style::anchored(style::note(), HPos::Center, VPos::Bottom),
            (x - base_x, y - base_y - 5),
        )?;
        let (x, y) = chart.backend_coord(&(at, 0.0));
        area.draw_text(name, &style::anchored(style::axis(), HPos::Center, VPos::Top), (x - base_x, y - base_y + 10))?;
    }
    Ok(())
}

/// A number of one significant digit: with more, the remark would lie on the bars beside its own.
fn one_digit(value: f64) -> String {
    let rounded = format!("{value:.0e}").parse().unwrap_or(value);
    compact_tick(rounded)
}

fn folds<DB: DrawingBackend>(area: &Area<DB>, report: &TheoremReport) -> Result<(), FigureError> {
    let drawn: Vec<_> = report.folds.iter().take(DRAWN_FOLDS).collect();
    let furthest = drawn.iter().map(|fold| fold.from.band()).max().unwrap_or(0);
    let reach = 1.15 * (furthest as f64).max(0.6 * report.grid.x.max(report.grid.y) as f64);
    let (width, _) = area.dim_in_pixel();
    let title = match (drawn.len(), report.folds_total) {
        (0, _) => "No harmonic folds".to_owned(),
        (shown, total) if shown < total => format!("The {shown} worst of {total} harmonics that fold"),
        (shown, _) => format!("The {shown} harmonics that fold"),
    };
    area.draw_text(&title, &style::panel(), (26, 4))?;
    key(
        area,
        &[
            (Dot::Filled(style::SERIES[1]), "a harmonic, sized by its term of diagonal"),
            (Dot::Hollow(style::SERIES[0]), "where the grid (shaded) sees it"),
        ],
        (width as i32 / 2 + 12, 38),
    )?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(54)
        .margin_left(12)
        .margin_right(24)
        .margin_bottom(8)
        .x_label_area_size(52)
        .y_label_area_size(70)
        .build_cartesian_2d(-reach..reach, reach..-reach)?;
    let (half_x, half_y) = (report.grid.x as f64 / 2.0, report.grid.y as f64 / 2.0);
    chart.draw_series([Rectangle::new([(-half_x, -half_y), (half_x, half_y)], style::SERIES[2].mix(0.16).filled())])?;
    chart
        .configure_mesh()
        .light_line_style(style::GRID.mix(0.0))
        .bold_line_style(style::GRID)
        .axis_style(style::INK)
        .x_desc("cycles to the right")
        .y_desc("cycles down")
        .axis_desc_style(style::axis())
        .label_style(style::label())
        .x_label_formatter(&|x| format!("{x:.0}").replace('-', "−"))
        .y_label_formatter(&|y| format!("{y:.0}").replace('-', "−"))
        .draw()?;
    chart.draw_series([Rectangle::new([(-half_x, -half_y), (half_x, half_y)], style::INK.stroke_width(1))])?;
    let worst = drawn.first().map_or(1.0, |fold| fold.defect.max(f64::MIN_POSITIVE));
    for fold in drawn.iter().rev() {
        let (from, to) = ((fold.from.x as f64, fold.from.y as f64), (fold.to.x as f64, fold.to.y as f64));
        let strength = (fold.defect / worst).sqrt();
        chart.draw_series([PathElement::new(
            vec![from, to],
            style::SERIES[1].mix(0.15 + 0.5 * strength).stroke_width(1),
        )])?;
        chart.draw_series([Circle::new(from, (2.0 + 6.0 * strength) as i32, style::SERIES[1].filled())])?;
        chart.draw_series([Circle::new(to, 4, plotters::style::WHITE.filled())])?;
        chart.draw_series([Circle::new(to, 4, style::SERIES[0].stroke_width(2))])?;
    }
    Ok(())
}
