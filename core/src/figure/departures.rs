//! How far the diagonal and the printed form are from the exact one.

use plotters::chart::ChartBuilder;
use plotters::element::{Circle, PathElement};
use plotters::prelude::DrawingBackend;
use plotters::style::Color;

use super::key::{Dot, key};
use super::{Area, Figure, FigureError, style};
use crate::spectrum::departures::Departures;

/// Departures over band at one grid, and over the share of bins with collisions: one dot per series.
#[derive(Clone, Copy, Debug)]
pub struct DeparturesFigure<'a> {
    /// The study.
    pub study: &'a Departures,
}

/// Departures are drawn up to this.
const TOP: f64 = 1.0;

impl Figure for DeparturesFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (1100, 520)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let study = self.study;
        root.draw_text(
            "How far the diagonal and the printed form are from what is measured",
            &style::title(),
            (24, 14),
        )?;
        let note = format!(
            "{} random real series per band and grid, v = {}; every dot is one series, those beyond ±100 % at the edge",
            study.per_case,
            study.velocity.to_string().replace('-', "−")
        );
        root.draw_text(&note, &style::note(), (24, 44))?;
        let (_, panels) = root.split_vertically(66);
        let (left, right) = panels.split_horizontally(550);
        self.panel(&left, "band over the grid's Nyquist frequency, 2K/M", |case| {
            2.0 * case.band as f64 / case.grid as f64
        })?;
        self.panel(&right, "share of occupied bins that hold more than one harmonic", |case| case.collision_share)
    }
}

impl DeparturesFigure<'_> {
    fn panel<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        axis: &str,
        place: impl Fn(&crate::spectrum::departures::Departure) -> f64,
    ) -> Result<(), FigureError> {
        let cases = &self.study.cases;
        let reach = 1.04 * cases.iter().map(&place).fold(f64::MIN_POSITIVE, f64::max);
        let start = cases.iter().map(&place).fold(f64::MAX, f64::min).min(reach) - 0.04 * reach;
        let mut chart = ChartBuilder::on(area)
            .margin_top(30)
            .margin_left(12)
            .margin_right(20)
            .margin_bottom(10)
            .x_label_area_size(54)
            .y_label_area_size(84)
            .build_cartesian_2d(start..reach, -TOP..TOP)?;
        chart
            .configure_mesh()
            .light_line_style(style::GRID.mix(0.0))
            .bold_line_style(style::GRID)
            .axis_style(style::INK)
            .x_desc(axis)
            .y_desc("form/exact − 1")
            .axis_desc_style(style::axis())
            .label_style(style::label())
            .x_label_formatter(&|x| format!("{x:.1}"))
            .y_label_formatter(&|y| {
                if y.abs() < 1e-9 { "0".to_owned() } else { format!("{:+.0} %", 100.0 * y).replace('-', "−") }
            })
            .draw()?;
        for case in cases {
            // Side by side, so that neither hides the other.
            let shift = 0.006 * reach;
            let at = place(case);
            let diagonal = (at - shift, case.diagonal.clamp(-TOP, TOP));
            let paper = (at + shift, case.paper.clamp(-TOP, TOP));
            chart.draw_series([Circle::new(diagonal, 3, style::SERIES[0].mix(0.7).filled())])?;
            chart.draw_series([Circle::new(paper, 3, style::SERIES[1].stroke_width(1))])?;
        }
        let (width, _) = area.dim_in_pixel();
        let entries = [(Dot::Filled(style::SERIES[0]), "diagonal"), (Dot::Hollow(style::SERIES[1]), "paper")];
        key(area, &entries, (width as i32 / 2 + 30, 16))?;
        chart.draw_series([PathElement::new(vec![(start, 0.0), (reach, 0.0)], style::INK.stroke_width(1))])?;
        Ok(())
    }
}
