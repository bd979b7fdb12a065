//! What each derivative scheme does to each frequency.

use plotters::chart::ChartBuilder;
use plotters::element::PathElement;
use plotters::prelude::{DrawingBackend, IntoLogRange, LineSeries};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::number::power_of_ten;
use super::{Area, Figure, FigureError, style};
use crate::spectrum::differentiation::{Scheme, derivative_error, transfer_function};

/// Left: the size of each scheme's transfer function; right: its error.
#[derive(Clone, Copy, Debug)]
pub struct SchemesFigure {
    /// The samples of the axis, which `authors` depends on.
    pub samples: usize,
}

/// A few pixels apart: closer ones would show the pixels that they are rounded to.
const POINTS: usize = 100;

fn frequency(point: usize) -> f64 {
    std::f64::consts::PI * point as f64 / POINTS as f64
}

fn look(scheme: Scheme) -> (RGBColor, u32) {
    match scheme {
        Scheme::Spectral => (style::SERIES[0], 3),
        Scheme::Forward => (style::SERIES[1], 3),
        Scheme::Central => (style::SERIES[2], 3),
        Scheme::Authors => (style::INK, 1),
    }
}

impl Figure for SchemesFigure {
    fn size(&self) -> (u32, u32) {
        (1100, 500)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        root.draw_text("A derivative is a filter: only the spectral one is iω", &style::title(), (24, 14))?;
        let note = format!("ω in radians per sample; authors: the mean over an axis of {} samples", self.samples);
        root.draw_text(&note, &style::note(), (24, 44))?;
        let (_, panels) = root.split_vertically(66);
        let (left, right) = panels.split_horizontally(550);
        self.sizes(&left)?;
        self.errors(&right)
    }
}

impl SchemesFigure {
    fn sizes<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<(), FigureError> {
        let mut chart = ChartBuilder::on(area)
            .margin_top(12)
            .margin_left(12)
            .margin_right(20)
            .margin_bottom(10)
            .x_label_area_size(54)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..std::f64::consts::PI, 0.0..3.3_f64)?;
        chart
            .configure_mesh()
            .light_line_style(style::GRID.mix(0.0))
            .bold_line_style(style::GRID)
            .axis_style(style::INK)
            .x_desc("frequency ω, radians per sample")
            .y_desc("|T(ω)|")
            .axis_desc_style(style::axis())
            .label_style(style::label())
            .draw()?;
        for scheme in Scheme::ALL {
            let (color, width) = look(scheme);
            let points =
                (0..POINTS).map(|p| (frequency(p), transfer_function(scheme, self.samples, frequency(p)).norm()));
            chart.draw_series(LineSeries::new(points, color.stroke_width(width)))?;
        }
        for (row, scheme) in Scheme::ALL.into_iter().enumerate() {
            let (color, width) = look(scheme);
            let y = 34 + 22 * row as i32;
            area.draw(&PathElement::new(vec![(90, y), (118, y)], color.stroke_width(width)))?;
            area.draw_text(scheme.name(), &style::anchored(style::label(), HPos::Left, VPos::Center), (126, y))?;
        }
        Ok(())
    }

    fn errors<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<(), FigureError> {
        let first = frequency(2);
        let mut chart = ChartBuilder::on(area)
            .margin_top(12)
            .margin_left(12)
            .margin_right(24)
            .margin_bottom(10)
            .x_label_area_size(54)
            .y_label_area_size(90)
            .build_cartesian_2d((first..std::f64::consts::PI).log_scale(), (1e-4..2.0).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(style::GRID.mix(0.0))
            .bold_line_style(style::GRID)
            .axis_style(style::INK)
            .x_desc("frequency ω, radians per sample")
            .y_desc("|T(ω) − iω| / ω")
            .axis_desc_style(style::axis())
            .label_style(style::label())
            .x_label_formatter(&|x| {
                // Between them they would run into each other.
                let shown = [0.1, 0.2, 0.5, 1.0, 2.0, 3.0].iter().any(|tick| (tick - x).abs() < 1e-9);
                if shown { format!("{x:.1}") } else { String::new() }
            })
            .y_label_formatter(&|y| power_of_ten(f64::log10(*y).round() as i32))
            .draw()?;
        for scheme in [Scheme::Forward, Scheme::Central, Scheme::Authors] {
            let (color, width) = look(scheme);
            let points = (2..POINTS).map(|p| (frequency(p), derivative_error(scheme, frequency(p))));
            chart.draw_series(LineSeries::new(points, color.stroke_width(width)))?;
        }
        let (base_x, base_y) = area.get_base_pixel();
        for (text, at) in
            [("forward, authors: ω/2", (0.1, 0.4)), ("central: ω²/6", (0.33, 0.007)), ("spectral: 0", (0.07, 2.2e-4))]
        {
            let (x, y) = chart.backend_coord(&at);
            area.draw_text(text, &style::label(), (x - base_x, y - base_y))?;
        }
        Ok(())
    }
}
