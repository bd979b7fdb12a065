//! Test error and LEE over training, mean over seeds with their standard error.

use aliascope::figure::{Area, Figure, FigureError, style};
use aliascope::number::power_of_ten;
use plotters::chart::ChartBuilder;
use plotters::element::PathElement;
use plotters::prelude::{DashedLineSeries, DrawingBackend, IntoLogRange, LineSeries};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::training::architecture::Family;
use super::training::augmentation::Augmentation;
use super::training::summary::{Kind, OverSeeds, Point};

/// Left to right: test error, LEE; above without augmentation, below with it.
#[derive(Debug)]
pub struct Curves<'a> {
    /// What is drawn.
    pub kinds: &'a [Kind],
    /// The images in words.
    pub images: &'a str,
}

/// Where the panels end and the key begins.
const KEY: u32 = 200;

fn color(family: Family) -> RGBColor {
    match family {
        Family::Cnn => style::SERIES[0],
        Family::FilteredCnn => style::SERIES[2],
        Family::P4 => style::SERIES[1],
        Family::C8 => style::SERIES[3],
        Family::Vit => style::INK,
        Family::Mixer => RGBColor(0x99, 0x99, 0x99),
    }
}

/// A number beside a logarithmic axis; those that would crowd it are left out.
fn tick(value: f64, percent: bool) -> String {
    let shown = if percent { 100.0 * value } else { value };
    // A tick of 10⁻³ may be a hair below it.
    let exponent = (shown.log10() + 1e-9).floor() as i32;
    let leading = shown / 10f64.powi(exponent);
    if ![1.0, 2.0, 5.0].iter().any(|kept| (leading - kept).abs() < 1e-6) {
        return String::new();
    }
    let power = power_of_ten(exponent);
    match leading.round() {
        _ if percent => format!("{shown:.*}", (-exponent).max(0) as usize),
        1.0 => power,
        leading => format!("{leading}·{power}"),
    }
}

/// An axis of powers of ten around values.
fn around(values: impl Iterator<Item = f64> + Clone) -> std::ops::Range<f64> {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(0.0, f64::max);
    if low.is_finite() && high > 0.0 { 0.8 * low..1.25 * high } else { 0.1..1.0 }
}

impl Figure for Curves<'_> {
    fn size(&self) -> (u32, u32) {
        (1200, 860)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        root.draw_text("Symmetry built in and learned, as training goes on", &style::title(), (24, 14))?;
        let seeds = self.kinds.iter().map(|kind| kind.seeds).max().unwrap_or(0);
        let seeds = if seeds == 1 { "one seed".to_owned() } else { format!("{seeds} seeds, bars: one standard error") };
        let note = format!("{}; {seeds}", self.images);
        root.draw_text(&note, &style::note(), (24, 44))?;
        let (_, rest) = root.split_vertically(66);
        let (panels, key) = rest.split_horizontally(1200 - KEY);
        for (row, augmented) in panels.split_evenly((2, 1)).iter().zip([false, true]) {
            let (left, right) = row.split_horizontally((1200 - KEY) / 2);
            let what = if augmented { "training images turned anew each epoch" } else { "each image at one angle" };
            let error = |point: &Point| Some(point.test_error);
            self.panel(&left, augmented, ("test error, %", what), &|point| {
                error(point)
                    .map(|OverSeeds { mean, error }| [mean, mean - error.unwrap_or(0.0), mean + error.unwrap_or(0.0)])
            })?;
            self.panel(&right, augmented, ("LEE under rotation, geometric mean", what), &|point| {
                let OverSeeds { mean, error } = point.log_lee?;
                let at = |log: f64| 10f64.powf(log);
                Some([at(mean), at(mean - error.unwrap_or(0.0)), at(mean + error.unwrap_or(0.0))])
            })?;
        }
        self.key(&key)
    }
}

impl Curves<'_> {
    fn of(&self, augmented: bool) -> impl Iterator<Item = &Kind> {
        self.kinds.iter().filter(move |kind| (kind.recipe.augmentation != Augmentation::None) == augmented)
    }

    fn panel<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        augmented: bool,
        (what, note): (&str, &str),
        value: &dyn Fn(&Point) -> Option<[f64; 3]>,
    ) -> Result<(), FigureError> {
        // Both rows on one scale.
        let all = self.kinds.iter().flat_map(|kind| &kind.points).filter_map(value).flatten().filter(|v| *v > 0.0);
        let range = around(all.collect::<Vec<_>>().into_iter());
        let epochs = self.kinds.iter().map(|kind| kind.points.len()).max().unwrap_or(1);
        let percent = what.contains('%');
        area.draw_text(note, &style::panel(), (112, 6))?;
        let mut chart = ChartBuilder::on(area)
            .margin_top(34)
            .margin_left(12)
            .margin_right(20)
            .margin_bottom(8)
            .x_label_area_size(48)
            .y_label_area_size(96)
            .build_cartesian_2d(0.7..epochs as f64 + 0.3, range.log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(style::GRID.mix(0.0))
            .bold_line_style(style::GRID)
            .axis_style(style::INK)
            .x_desc("epoch")
            .y_desc(what)
            .axis_desc_style(style::axis())
            .label_style(style::label())
            .x_labels(epochs.min(12))
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| tick(*y, percent))
            .draw()?;
        for kind in self.of(augmented) {
            let line = color(kind.recipe.family).stroke_width(2);
            let points: Vec<(f64, [f64; 3])> =
                (1..).zip(&kind.points).filter_map(|(epoch, point)| Some((f64::from(epoch), value(point)?))).collect();
            let middle = points.iter().filter(|(_, [mean, ..])| *mean > 0.0).map(|&(epoch, [mean, ..])| (epoch, mean));
            if kind.recipe.lee_weight > 0.0 {
                chart.draw_series(DashedLineSeries::new(middle, 6, 4, line))?;
            } else {
                chart.draw_series(LineSeries::new(middle, line))?;
            }
            let bars = points.iter().filter(|(_, [_, low, _])| *low > 0.0);
            chart.draw_series(bars.map(|&(epoch, [_, low, high])| {
                PathElement::new(vec![(epoch, low), (epoch, high)], color(kind.recipe.family).stroke_width(1))
            }))?;
        }
        Ok(())
    }

    fn key<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<(), FigureError> {
        let mut seen: Vec<(Family, bool)> = Vec::new();
        for kind in self.kinds {
            let entry = (kind.recipe.family, kind.recipe.lee_weight > 0.0);
            if !seen.contains(&entry) {
                seen.push(entry);
            }
        }
        for (row, (family, term)) in seen.into_iter().enumerate() {
            let y = 44 + 26 * row as i32;
            let pieces = if term { vec![(8, 14), (19, 25), (30, 36)] } else { vec![(8, 36)] };
            for (from, to) in pieces {
                area.draw(&PathElement::new(vec![(from, y), (to, y)], color(family).stroke_width(3)))?;
            }
            let name = format!("{family}{}", if term { " + LEE term" } else { "" });
            area.draw_text(&name, &style::anchored(style::label(), HPos::Left, VPos::Center), (44, y))?;
        }
        Ok(())
    }
}
