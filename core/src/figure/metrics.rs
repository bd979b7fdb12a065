//! Metrics under finite transforms: every measure with its interval, beside the images that it is the mean of.

use plotters::backend::DrawingBackend;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::error_bar::draw_error_bar;
use super::layer_looks::{MARGIN, header, short_name};
use super::scale::Scale;
use super::style::{self, FAINT_INK, GRID, INK, SERIES, anchored};
use crate::measure::metric_list::{Metric, MetricUnit};
use crate::measure::metrics_report::MetricsReport;

/// A panel per unit, a row per measure: the mean over all draws of all images as a dot with its interval of 95 %, each
/// image's own mean as a faint one.
#[derive(Clone, Copy, Debug)]
pub struct MetricsFigure<'a>(pub &'a MetricsReport);

const NAMES: i32 = 230;
const DOTS: i32 = 560;
const NUMBERS: i32 = 270;
const WIDTH: i32 = 2 * MARGIN + NAMES + DOTS + NUMBERS;
const LEFT: i32 = MARGIN + NAMES;
const TOP: i32 = 118;
const ROW: i32 = 34;
/// How far means lie above the middle of their row, and images below it, so that neither hides the other.
const ABOVE: i32 = 3;
const BELOW: i32 = 9;
/// Of a panel, its title and its axis.
const TITLE: i32 = 30;
const AXIS: i32 = 48;
const LEGEND: i32 = 34;

/// From values to places in [0, 1].
enum Axis {
    /// From the first to the second value, with a tick at every multiple of the third.
    Linear([f64; 3]),
    Decades(Scale),
}

impl Axis {
    fn of(unit: MetricUnit, metrics: &[Metric<'_>]) -> Self {
        let means = metrics.iter().filter_map(|metric| metric.value);
        let images = metrics.iter().flat_map(|metric| metric.by_image.iter().flatten().copied());
        let ends =
            metrics.iter().filter_map(|metric| metric.interval).flat_map(|interval| [interval.low, interval.high]);
        match unit {
            MetricUnit::Share => Self::Linear([0.0, 1.0, 0.25]),
            MetricUnit::MeanSquare | MetricUnit::SquaredLength => {
                let all: Vec<f64> = means.chain(images).collect();
                Self::Decades(Scale::of(all.into_iter(), ends.fold(0.0, f64::max)))
            }
            MetricUnit::Decibels => {
                let all: Vec<f64> = means.chain(images).chain(ends).collect();
                let least = all.iter().copied().fold(f64::INFINITY, f64::min);
                let most = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let [least, most] = if all.is_empty() { [0.0, 10.0] } else { [least, most] };
                let step = if most - least > 40.0 { 20.0 } else { 10.0 };
                let first = (least / step).floor() * step;
                Self::Linear([first, ((most / step).ceil() * step).max(first + step), step])
            }
        }
    }

    fn x(&self, value: f64) -> i32 {
        let place = match self {
            Self::Linear([first, last, _]) => ((value - first) / (last - first)).clamp(0.0, 1.0),
            Self::Decades(scale) => scale.place(value),
        };
        LEFT + (place * f64::from(DOTS)).round() as i32
    }

    fn ticks(&self, unit: MetricUnit) -> Vec<(i32, String)> {
        match self {
            Self::Linear([first, last, step]) => {
                let count = ((last - first) / step).round() as usize;
                let value = |at: usize| first + at as f64 * step;
                let text = |value: f64| match unit {
                    MetricUnit::Share => format!("{:.0} %", 100.0 * value),
                    _ => format!("{value:.0}").replace('-', "−"),
                };
                (0..=count).map(|at| (self.x(value(at)), text(value(at)))).collect()
            }
            Self::Decades(scale) => {
                let x = |place: f64| LEFT + (place * f64::from(DOTS)).round() as i32;
                scale.ticks().into_iter().map(|(place, text)| (x(place), text)).collect()
            }
        }
    }
}

impl MetricsFigure<'_> {
    /// The measures of each unit that has any.
    fn panels(&self) -> Vec<(MetricUnit, Vec<Metric<'_>>)> {
        let list = self.0.list();
        let of = |unit| (unit, list.iter().copied().filter(|metric| metric.unit == unit).collect::<Vec<_>>());
        MetricUnit::ALL.map(of).into_iter().filter(|(_, metrics)| !metrics.is_empty()).collect()
    }
}

impl Figure for MetricsFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let panel = |(_, metrics): &(MetricUnit, Vec<Metric<'_>>)| TITLE + ROW * metrics.len() as i32 + AXIS;
        let panels: i32 = self.panels().iter().map(panel).sum();
        (WIDTH as u32, (TOP + panels + LEGEND) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.0;
        let panels = self.panels();
        if panels.is_empty() {
            return Err(FigureError::Data { reason: "this output allows none of the measures".to_owned() });
        }
        let numbers = |metric: &Metric<'_>| {
            metric
                .value
                .into_iter()
                .chain(metric.sem)
                .chain(metric.by_image.iter().flatten().copied())
                .all(f64::is_finite)
        };
        if !panels.iter().flat_map(|(_, metrics)| metrics).all(numbers) {
            return Err(FigureError::NotFinite("the report holds NaN or infinity".to_owned()));
        }
        let title = format!("{} under finite shifts and rotations", short_name(&report.run));
        let notes = [
            format!(
                "{}, {} random transforms each, seed {}; output: {}; preprocessing: {}; {}",
                report.run.images.in_words(),
                report.draws,
                report.seed,
                report.run.function(),
                report.run.images.preprocess,
                report.run.arithmetic()
            ),
            "the table and the JSON say how each measure is taken".to_owned(),
        ];
        header(root, &title, &notes, WIDTH - 2 * MARGIN)?;
        let mut top = TOP;
        for (unit, metrics) in &panels {
            draw_panel(root, *unit, metrics, top)?;
            top += TITLE + ROW * metrics.len() as i32 + AXIS;
        }
        draw_legend(root, top + LEGEND / 2 - 12)
    }
}

fn draw_panel<DB: DrawingBackend>(
    root: &Area<DB>,
    unit: MetricUnit,
    metrics: &[Metric<'_>],
    top: i32,
) -> Result<(), FigureError> {
    let axis = Axis::of(unit, metrics);
    let log = matches!(&axis, Axis::Decades(scale) if scale.is_log());
    let title = format!("{}{}", unit.title(), if log { ", logarithmic axis" } else { "" });
    root.draw_text(&title, &style::panel(), (MARGIN, top - 4))?;
    let top = top + TITLE;
    let bottom = top + ROW * metrics.len() as i32;
    for (x, text) in axis.ticks(unit) {
        root.draw(&PathElement::new(vec![(x, top), (x, bottom)], GRID.stroke_width(1)))?;
        root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 6))?;
    }
    for (row, metric) in metrics.iter().enumerate() {
        draw_row(root, &axis, metric, top + ROW * row as i32 + ROW / 2)?;
    }
    root.draw(&PathElement::new(vec![(LEFT, bottom), (LEFT + DOTS, bottom)], INK.stroke_width(1)))?;
    Ok(())
}

fn draw_row<DB: DrawingBackend>(
    root: &Area<DB>,
    axis: &Axis,
    metric: &Metric<'_>,
    middle: i32,
) -> Result<(), FigureError> {
    root.draw_text(metric.title, &anchored(style::label(), HPos::Right, VPos::Center), (LEFT - 14, middle))?;
    for value in metric.by_image.iter().flatten() {
        draw_image(root, (axis.x(*value), middle + BELOW))?;
    }
    let (value, interval) = metric.shown();
    let text = interval.map_or(value.clone(), |interval| format!("{value} ({interval})"));
    root.draw_text(&text, &anchored(style::label(), HPos::Left, VPos::Center), (LEFT + DOTS + 16, middle))?;
    let Some(mean) = metric.value else { return Ok(()) };
    let ends = metric.interval.map(|interval| [axis.x(interval.low), axis.x(interval.high)]);
    draw_mean(root, (axis.x(mean), middle - ABOVE), ends)
}

/// An image's own value.
fn draw_image<DB: DrawingBackend>(root: &Area<DB>, at: (i32, i32)) -> Result<(), FigureError> {
    root.draw(&Circle::new(at, 3, FAINT_INK.mix(0.5).filled()))?;
    Ok(())
}

/// A mean, and from where to where it is likely to lie.
fn draw_mean<DB: DrawingBackend>(
    root: &Area<DB>,
    (x, middle): (i32, i32),
    ends: Option<[i32; 2]>,
) -> Result<(), FigureError> {
    if let Some(ends) = ends {
        draw_error_bar(root, ends, middle, 6)?;
    }
    root.draw(&Circle::new((x, middle), 6, SERIES[0].filled()))?;
    root.draw(&Circle::new((x, middle), 6, INK.stroke_width(1)))?;
    Ok(())
}

fn draw_legend<DB: DrawingBackend>(root: &Area<DB>, y: i32) -> Result<(), FigureError> {
    let style = || anchored(style::note(), HPos::Left, VPos::Center);
    root.draw(&Rectangle::new([(LEFT, y - 10), (LEFT + 24, y + 10)], WHITE.filled()))?;
    draw_mean(root, (LEFT + 14, y), Some([LEFT, LEFT + 28]))?;
    root.draw_text("mean over all draws of all images, and its interval of 95 %", &style(), (LEFT + 38, y))?;
    draw_image(root, (LEFT + 448, y))?;
    root.draw_text("one image", &style(), (LEFT + 458, y))?;
    Ok(())
}
