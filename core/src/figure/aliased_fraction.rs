//! How aliasing grows with the size of activations.

use plotters::chart::ChartBuilder;
use plotters::element::PathElement;
use plotters::prelude::{DrawingBackend, IntoLogRange, LineSeries};
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};

use super::number::power_of_ten;
use super::{Area, Figure, FigureError, style};
use crate::spectrum::harmonics::AliasedFractions;

/// The aliased fraction against amplitude, one curve per activation.
#[derive(Clone, Copy, Debug)]
pub struct AliasedFractionFigure<'a> {
    /// The curves.
    pub sweep: &'a AliasedFractions,
}

/// Fractions below this are drawn at it.
const FLOOR: f64 = 1e-12;

impl Figure for AliasedFractionFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (1000, 560)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let sweep = self.sweep;
        let (Some(first), Some(last)) = (sweep.amplitudes.first(), sweep.amplitudes.last()) else {
            return Err(FigureError::Data { reason: "there are no amplitudes".to_owned() });
        };
        root.draw_text(
            "The louder the activation, the more it aliases, unless it is homogeneous",
            &style::title(),
            (24, 14),
        )?;
        let note = format!(
            "share of energy that folds, σ(a cos 2π·{} x) on {} samples; what is below {}, 0 included, lies at the floor",
            sweep.frequency,
            sweep.grid,
            power_of_ten(FLOOR.log10().round() as i32)
        );
        root.draw_text(&note, &style::note(), (24, 44))?;
        let (_, area) = root.split_vertically(66);
        let (plot, names) = area.split_horizontally(850);
        let mut chart = ChartBuilder::on(&plot)
            .margin_top(8)
            .margin_left(12)
            .margin_right(8)
            .margin_bottom(10)
            .x_label_area_size(54)
            .y_label_area_size(90)
            .build_cartesian_2d((*first..*last).log_scale(), (FLOOR..1.0).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(style::GRID.mix(0.0))
            .bold_line_style(style::GRID)
            .axis_style(style::INK)
            .x_desc("amplitude a")
            .y_desc("aliased fraction")
            .axis_desc_style(style::axis())
            .label_style(style::label())
            .x_label_formatter(&|x| format!("{x}"))
            .y_label_formatter(&|y| power_of_ten(f64::log10(*y).round() as i32))
            .draw()?;
        // Names go to the curves' ends, pushed apart.
        let mut ends = Vec::new();
        for (index, (name, fractions)) in sweep.curves.iter().enumerate() {
            let color = style::SERIES[index % style::SERIES.len()];
            let points: Vec<_> = sweep.amplitudes.iter().copied().zip(fractions.iter().map(|f| f.max(FLOOR))).collect();
            // Later rounds through the colours are thin.
            let width = if index < style::SERIES.len() { 3 } else { 1 };
            chart.draw_series(LineSeries::new(points.clone(), color.stroke_width(width)))?;
            if let Some(end) = points.last() {
                ends.push((chart.backend_coord(end).1 - plot.get_base_pixel().1, name, color, width));
            }
        }
        ends.sort_by_key(|end| end.0);
        let mut free = i32::MIN;
        for (y, name, color, width) in ends {
            let at = y.max(free);
            names.draw(&PathElement::new(vec![(0, y), (12, at), (22, at)], color.stroke_width(width)))?;
            names.draw_text(
                &style::printable(name),
                &style::anchored(style::label(), HPos::Left, VPos::Center),
                (27, at),
            )?;
            free = at + 20;
        }
        Ok(())
    }
}
