//! What low-pass filters leave of the frequencies that a stride folds.

use plotters::chart::ChartBuilder;
use plotters::element::{PathElement, Rectangle};
use plotters::prelude::{DrawingBackend, LineSeries};
use plotters::style::Color;

use super::{Area, Figure, FigureError, style};
use crate::spectrum::GridSize;
use crate::spectrum::filter::{Filter, Response};

/// |G| of several filters along an axis (solid) and along the diagonal (faint), one panel each.
#[derive(Clone, Debug)]
pub struct FiltersFigure {
    /// At most eight.
    pub filters: Vec<Filter>,
    /// The stride that they go before.
    pub stride: usize,
}

/// A grid fine enough to stand for any.
const COARSE: usize = 64;
/// A few pixels apart: closer ones would show the pixels that they are rounded to.
const POINTS: usize = 81;
const COLUMNS: usize = 4;
/// Width of the numbers beside an axis.
const NUMBERS: i32 = 44;

impl Figure for FiltersFigure {
    fn size(&self) -> (u32, u32) {
        (1100, 560)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let title = format!("What filters leave of the frequencies that a stride of {} folds", self.stride);
        root.draw_text(&title, &style::title(), (24, 14))?;
        root.draw_text(
            "|G| over cycles per fine sample, along an axis (dark) and along the diagonal (pale); shaded: what the coarse grid holds",
            &style::note(),
            (24, 44),
        )?;
        let (_, panels) = root.split_vertically(70);
        let (fine, coarse) = (GridSize::square(COARSE * self.stride), GridSize::square(COARSE));
        for (filter, area) in self.filters.iter().zip(panels.split_evenly((2, COLUMNS))) {
            let response = filter
                .design(Some(fine), coarse)
                .map_err(|error| FigureError::Data { reason: format!("{filter}: {error}") })?;
            panel(&area, filter, &response, 0.5 / self.stride as f64)?;
        }
        Ok(())
    }
}

fn panel<DB: DrawingBackend>(
    area: &Area<DB>,
    filter: &Filter,
    response: &Response,
    nyquist: f64,
) -> Result<(), FigureError> {
    // Above the axis, which begins right of its numbers.
    let left = 6 + NUMBERS;
    area.draw_text(&style::printable(&filter.to_string()), &style::panel(), (left, 4))?;
    let leaks = format!("leaks {:.2} %", 100.0 * response.quality().stop_band);
    area.draw_text(&leaks, &style::note(), (left, 26))?;
    let mut chart = ChartBuilder::on(area)
        .margin_top(48)
        .margin_left(6)
        .margin_right(14)
        .margin_bottom(8)
        .x_label_area_size(30)
        .y_label_area_size(NUMBERS)
        .build_cartesian_2d(0.0..0.5_f64, 0.0..1.2_f64)?;
    chart.draw_series([Rectangle::new([(0.0, 0.0), (nyquist, 1.2)], style::SERIES[2].mix(0.16).filled())])?;
    chart
        .configure_mesh()
        .light_line_style(style::GRID.mix(0.0))
        .bold_line_style(style::GRID)
        .axis_style(style::INK)
        .label_style(style::label())
        .x_labels(3)
        .y_labels(4)
        .x_label_formatter(&|x| format!("{x:.1}"))
        .y_label_formatter(&|y| format!("{y:.1}"))
        .draw()?;
    let profile = response.profile(POINTS);
    let line = |column: usize| profile.iter().map(move |row| (row[0], row[column].min(1.2)));
    chart.draw_series(LineSeries::new(line(3), style::SERIES[1].mix(0.5).stroke_width(2)))?;
    chart.draw_series(LineSeries::new(line(1), style::SERIES[0].stroke_width(3)))?;
    chart.draw_series([PathElement::new(vec![(nyquist, 0.0), (nyquist, 1.2)], style::INK.stroke_width(1))])?;
    Ok(())
}
