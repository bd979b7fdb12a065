//! LEE of the networks of a study against their accuracy or size, families in colour and shape.

use plotters::backend::DrawingBackend;
use plotters::element::{PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, FontTransform, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::decades::Decades;
use super::dot_labels::{Label, place_labels};
use super::family_mark::FamilyMark;
use super::style::{self, FAINT_INK, GRID, INK, anchored, fit, printable};
use crate::statistics::Estimate;
use crate::study::report::StudyReport;

/// What LEE is drawn against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The top-1 accuracy.
    Accuracy,
    /// How many numbers a network has learned.
    Parameters,
}

/// A panel per generator: a mark per network with its intervals, larger for more parameters.
#[derive(Clone, Copy, Debug)]
pub struct StudyScatterFigure<'a> {
    /// The study.
    pub report: &'a StudyReport,
    /// The axis to the right.
    pub against: Against,
}

const MARGIN: i32 = 28;
const TOP: i32 = 92;
const PANEL: (i32, i32) = (620, 420);
/// Left of a panel its numbers, below it its numbers and what they are.
const LEFT: i32 = 84;
const BELOW: i32 = 66;
const HEADING: i32 = 30;
const ABREAST: usize = 2;
/// Panels at the most: what is named first counts.
const MOST: usize = 4;
const KEY_ROW: i32 = 24;

/// A network's mark.
struct Dot<'a> {
    name: &'a str,
    family: usize,
    x: Estimate,
    y: Estimate,
    radius: i32,
}

/// The axis to the right.
enum Axis {
    Shares { low: f64, high: f64 },
    Decades(Decades),
}

impl Axis {
    fn of(against: Against, dots: &[Dot<'_>]) -> Self {
        let ends = |dot: &Dot<'_>| [Some(dot.x.value), dot.x.interval.map(|i| i.low), dot.x.interval.map(|i| i.high)];
        let values: Vec<f64> = dots.iter().flat_map(ends).flatten().collect();
        match against {
            Against::Parameters => Self::Decades(Decades::of(values.into_iter())),
            Against::Accuracy => {
                let (low, high) = values.iter().fold((1.0_f64, 0.0_f64), |(l, h), v| (l.min(*v), h.max(*v)));
                let air = (0.06 * (high - low)).max(0.01);
                Self::Shares { low: low - air, high: high + air }
            }
        }
    }

    fn place(&self, value: f64) -> f64 {
        match self {
            Self::Shares { low, high } => (value - low) / (high - low),
            Self::Decades(decades) => decades.place(value),
        }
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        match self {
            Self::Decades(decades) => decades.ticks(),
            Self::Shares { low, high } => {
                let step =
                    [0.01, 0.02, 0.05, 0.1, 0.2].into_iter().find(|step| (high - low) / step <= 8.0).unwrap_or(0.5);
                let first = (low / step).ceil() as i32;
                (first..)
                    .map(|at| f64::from(at) * step)
                    .take_while(|value| value <= high)
                    .filter(|value| (-1e-9..=1.0 + 1e-9).contains(value))
                    .map(|value| (self.place(value), format!("{:.0} %", 100.0 * value)))
                    .collect()
            }
        }
    }
}

impl StudyScatterFigure<'_> {
    fn generators(&self) -> Vec<&str> {
        self.report.generators().into_iter().take(MOST).collect()
    }

    fn dots(&self, generator: &str) -> Vec<Dot<'_>> {
        let Some((set, output, derivative)) = self.report.primary() else { return Vec::new() };
        let families = self.report.families();
        let sizes: Vec<f64> =
            self.report.networks.iter().filter_map(|n| n.about.parameters).map(|n| (n as f64).ln()).collect();
        let (least, most) = sizes.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), s| (l.min(*s), m.max(*s)));
        let radius = |parameters: Option<u64>| match parameters {
            Some(count) if most > least => (4.0 + 5.0 * ((count as f64).ln() - least) / (most - least)).round() as i32,
            _ => 6,
        };
        let dot = |network: &'_ crate::study::report::StudyNetwork| {
            let on = network.sets.get(set)?;
            let y = on.error(output, derivative, generator)?.lee;
            let x = match self.against {
                Against::Accuracy => on.accuracy?,
                Against::Parameters => Estimate { value: network.about.parameters? as f64, interval: None },
            };
            (y.value > 0.0 && x.value.is_finite() && y.value.is_finite()).then_some((x, y))
        };
        self.report
            .networks
            .iter()
            .filter_map(|network| {
                let (x, y) = dot(network)?;
                let family = families.iter().position(|family| *family == network.about.family)?;
                Some(Dot { name: &network.about.name, family, x, y, radius: radius(network.about.parameters) })
            })
            .collect()
    }

    /// Whether there is something to draw.
    pub fn has_dots(&self) -> bool {
        self.generators().first().is_some_and(|generator| !self.dots(generator).is_empty())
    }

    fn key_rows(&self) -> i32 {
        (self.report.families().len().max(1) as i32 + 3) / 4
    }
}

impl Figure for StudyScatterFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let panels = self.generators().len().max(1);
        let (abreast, below) = (panels.min(ABREAST) as i32, panels.div_ceil(ABREAST) as i32);
        let width = 2 * MARGIN + abreast * (LEFT + PANEL.0);
        let height = TOP + below * (HEADING + PANEL.1 + BELOW) + KEY_ROW * self.key_rows() + 24;
        (width.max(780) as u32, height as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let width = self.size().0 as i32 - 2 * MARGIN;
        let with = if self.against == Against::Accuracy { "accuracy" } else { "size" };
        root.draw_text(&format!("Equivariance error against {with}"), &style::title(), (MARGIN, 14))?;
        let (set, output, derivative) = self.report.primary().unwrap_or_default();
        let note = format!(
            "{} networks on the set '{set}'; {output}, {derivative} derivative; means with {:.0} % intervals; larger marks \
             have more parameters",
            self.report.networks.len(),
            100.0 * self.report.level
        );
        root.draw_text(&fit(root, &printable(&note), &style::note(), width)?, &style::note(), (MARGIN, 48))?;
        let generators = self.generators();
        for (at, generator) in generators.iter().enumerate() {
            let (column, row) = ((at % ABREAST) as i32, (at / ABREAST) as i32);
            let left = MARGIN + LEFT + column * (LEFT + PANEL.0);
            self.panel(root, generator, (left, TOP + row * (HEADING + PANEL.1 + BELOW)))?;
        }
        let below = generators.len().max(1).div_ceil(ABREAST) as i32;
        self.key(root, TOP + below * (HEADING + PANEL.1 + BELOW) + 10, width)
    }
}

impl StudyScatterFigure<'_> {
    fn panel<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        generator: &str,
        (left, top): (i32, i32),
    ) -> Result<(), FigureError> {
        let (right, start, bottom) = (left + PANEL.0, top + HEADING, top + HEADING + PANEL.1);
        root.draw_text(&fit(root, &printable(generator), &style::panel(), PANEL.0)?, &style::panel(), (left, top))?;
        let dots = self.dots(generator);
        let xs = Axis::of(self.against, &dots);
        let most = dots.iter().map(|dot| dot.y.value).fold(0.0, f64::max);
        let ends = |dot: &Dot<'_>| [Some(dot.y.value), dot.y.interval.map(|i| i.low), dot.y.interval.map(|i| i.high)];
        let ys = Decades::of(
            dots.iter().flat_map(ends).flatten().filter(|y| *y > 1e-6 * most).collect::<Vec<_>>().into_iter(),
        );
        let along_x = |place: f64| left + (place.clamp(0.0, 1.0) * f64::from(PANEL.0)).round() as i32;
        let along_y = |place: f64| bottom - (place.clamp(0.0, 1.0) * f64::from(PANEL.1)).round() as i32;
        let y_of = |value: f64| if value > 0.0 { along_y(ys.place(value)) } else { bottom };
        for (place, text) in xs.ticks() {
            let x = along_x(place);
            root.draw(&PathElement::new(vec![(x, start), (x, bottom)], GRID.stroke_width(1)))?;
            root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 6))?;
        }
        for (place, text) in ys.ticks() {
            let y = along_y(place);
            root.draw(&PathElement::new(vec![(left, y), (right, y)], GRID.stroke_width(1)))?;
            root.draw_text(&text, &anchored(style::label(), HPos::Right, VPos::Center), (left - 8, y))?;
        }
        root.draw(&Rectangle::new([(left, start), (right, bottom)], INK.stroke_width(1)))?;
        let below = if self.against == Against::Accuracy { "top-1 accuracy" } else { "parameters" };
        let middle = ((left + right) / 2, bottom + 30);
        root.draw_text(below, &anchored(style::axis(), HPos::Center, VPos::Top), middle)?;
        let upright = anchored(style::axis(), HPos::Center, VPos::Top).transform(FontTransform::Rotate270);
        root.draw_text("LEE, E‖L‖²/dim", &upright, (left - 76, (start + bottom) / 2))?;
        let places: Vec<(i32, i32)> =
            dots.iter().map(|dot| (along_x(xs.place(dot.x.value)), y_of(dot.y.value))).collect();
        for (dot, (x, y)) in dots.iter().zip(&places) {
            let color = FamilyMark::of(dot.family).color.mix(0.55);
            if let Some(interval) = dot.y.interval {
                root.draw(&PathElement::new(
                    vec![(*x, y_of(interval.low)), (*x, y_of(interval.high))],
                    color.stroke_width(1),
                ))?;
            }
            if let Some(interval) = dot.x.interval {
                let ends = vec![(along_x(xs.place(interval.low)), *y), (along_x(xs.place(interval.high)), *y)];
                root.draw(&PathElement::new(ends, color.stroke_width(1)))?;
            }
        }
        let names: Vec<String> = dots.iter().map(|dot| printable(dot.name)).collect();
        let names: Vec<String> =
            names.iter().map(|name| fit(root, name, &style::note(), 150)).collect::<Result<_, _>>()?;
        let named: Vec<&str> = names.iter().map(String::as_str).collect();
        let labels = place_labels(root, &named, &places, [left + 2, start + 2, right - 2, bottom - 2], &[])?;
        for Label { at, place, .. } in labels.iter().filter(|label| label.is_far) {
            let (x, y) = places[*at];
            let end = (x.clamp(place[0], place[2]), y.clamp(place[1], place[3]));
            root.draw(&PathElement::new(vec![(x, y), end], FAINT_INK.mix(0.5).stroke_width(1)))?;
        }
        // Intervals that cross a name are faint behind it.
        for Label { place: [left, top, right, bottom], .. } in &labels {
            root.draw(&Rectangle::new([(*left, *top), (*right, *bottom)], WHITE.mix(0.8).filled()))?;
        }
        for (dot, place) in dots.iter().zip(&places) {
            FamilyMark::of(dot.family).draw(root, *place, dot.radius)?;
        }
        for Label { at, place, .. } in labels {
            root.draw_text(named[at], &style::note().color(&INK), (place[0] + 2, place[1]))?;
        }
        Ok(())
    }

    fn key<DB: DrawingBackend>(&self, root: &Area<DB>, top: i32, width: i32) -> Result<(), FigureError> {
        let column = width / 4;
        for (at, family) in self.report.families().iter().enumerate() {
            let (x, y) = (MARGIN + (at as i32 % 4) * column, top + (at as i32 / 4) * KEY_ROW);
            FamilyMark::of(at).draw(root, (x + 8, y + 8), 6)?;
            let text = fit(root, &printable(family), &style::label(), column - 30)?;
            root.draw_text(&text, &anchored(style::label(), HPos::Left, VPos::Center), (x + 22, y + 8))?;
        }
        Ok(())
    }
}
