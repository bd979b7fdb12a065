//! A photo's spectrum before and after a nonlinearity.

use ndarray::Array2;
use plotters::chart::ChartBuilder;
use plotters::element::{PathElement, Rectangle};
use plotters::prelude::DrawingBackend;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::{Area, Figure, FigureError, style};
use crate::spectrum::image_spectrum::ImageSpectrumReport;

/// Two maps of log power over frequency, to twice the pixels' Nyquist frequency, and a scale.
#[derive(Clone, Copy, Debug)]
pub struct ImageSpectrumFigure<'a> {
    /// The spectra.
    pub report: &'a ImageSpectrumReport,
}

/// Decades of power from the darkest shade to the lightest.
const DECADES: f64 = 10.0;
/// Width of the numbers beside an axis.
const NUMBERS: i32 = 76;

impl Figure for ImageSpectrumFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (1100, 600)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.report;
        let title = format!("What {} adds to the spectrum of a photo", report.activation);
        root.draw_text(&style::printable(&title), &style::title(), (24, 14))?;
        let note = format!(
            "{} × {} pixels, standard deviation {}; beyond the grid of {} × {} (square): {:.3} % of the energy before, {:.3} % after",
            report.samples.x,
            report.samples.y,
            report.amplitude,
            report.grid.x,
            report.grid.y,
            100.0 * report.aliased_fraction_before,
            100.0 * report.aliased_fraction
        );
        root.draw_text(&note, &style::note(), (24, 44))?;
        let (_, panels) = root.split_vertically(68);
        let (left, rest) = panels.split_horizontally(505);
        let (right, scale) = rest.split_horizontally(505);
        let largest = report.power_before.iter().chain(&report.power_after).copied().fold(f64::MIN, f64::max);
        self.map(&left, "before", &report.power_before, largest)?;
        self.map(&right, "after", &report.power_after, largest)?;
        shades(&scale)
    }
}

impl ImageSpectrumFigure<'_> {
    fn map<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        title: &str,
        power: &Array2<f64>,
        largest: f64,
    ) -> Result<(), FigureError> {
        // Above the map, which begins right of its numbers.
        area.draw_text(title, &style::panel(), (12 + NUMBERS, 4))?;
        let mut chart = ChartBuilder::on(area)
            .margin_top(32)
            .margin_left(12)
            .margin_right(14)
            .margin_bottom(8)
            .x_label_area_size(50)
            .y_label_area_size(NUMBERS)
            .build_cartesian_2d(-1.0..1.0_f64, 1.0..-1.0_f64)?;
        let (rows, columns) = power.dim();
        let step = (2.0 / columns as f64, 2.0 / rows as f64);
        chart.draw_series(power.indexed_iter().map(|((row, column), value)| {
            let corner = (-1.0 + step.0 * column as f64, -1.0 + step.1 * row as f64);
            // A hair larger than its cell, so that no seams show.
            let far = (corner.0 + 1.05 * step.0, corner.1 + 1.05 * step.1);
            Rectangle::new([corner, far], shade((value - largest) / DECADES + 1.0).filled())
        }))?;
        chart
            .configure_mesh()
            .disable_mesh()
            .axis_style(style::INK)
            .x_desc("cycles per pixel, to the right")
            .y_desc("cycles per pixel, down")
            .axis_desc_style(style::axis())
            .label_style(style::label())
            .x_labels(5)
            .y_labels(5)
            .x_label_formatter(&|x| format!("{x:.1}").replace('-', "−"))
            .y_label_formatter(&|y| format!("{y:.1}").replace('-', "−"))
            .draw()?;
        let (x, y) = (
            0.5 * self.report.grid.x as f64 / self.report.samples.x as f64,
            0.5 * self.report.grid.y as f64 / self.report.samples.y as f64,
        );
        let square = vec![(-x, -y), (x, -y), (x, y), (-x, y), (-x, -y)];
        chart.draw_series([PathElement::new(square.clone(), plotters::style::WHITE.stroke_width(4))])?;
        chart.draw_series([PathElement::new(square, style::SERIES[1].stroke_width(2))])?;
        Ok(())
    }
}

/// Black for nothing, through blue, to white for the largest.
fn shade(weight: f64) -> RGBColor {
    let w = weight.clamp(0.0, 1.0);
    let channel = |low: f64, high: f64| (255.0 * ((w - low) / (high - low)).clamp(0.0, 1.0)) as u8;
    RGBColor(channel(0.5, 1.0), channel(0.25, 0.95), channel(0.0, 0.6))
}

fn shades<DB: DrawingBackend>(area: &Area<DB>) -> Result<(), FigureError> {
    let (left, top, height) = (8, 32, 440);
    for step in 0..height {
        let color = shade(1.0 - f64::from(step) / f64::from(height));
        area.draw(&Rectangle::new([(left, top + step), (left + 18, top + step + 1)], color.filled()))?;
    }
    for (label, at) in [("1", 0.0), ("10⁻⁵", 0.5), ("10⁻¹⁰", 1.0)] {
        let y = top + (at * f64::from(height)) as i32;
        area.draw_text(label, &style::anchored(style::label(), HPos::Left, VPos::Center), (left + 24, y))?;
    }
    area.draw_text("power", &style::label(), (left, 8))?;
    Ok(())
}
