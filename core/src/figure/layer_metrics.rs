//! Which layers make the error by LEE, and by metrics under finite shifts: figure 4 (right) of Gruver et al. 2023.

use plotters::backend::DrawingBackend;
use plotters::element::PathElement;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, FontTransform};

use super::canvas::{Area, Figure, FigureError};
use super::layer_looks::{MARGIN, entries, header, legend, pattern, share_bar, short_name};
use super::style::{self, FAINT_INK, GRID, INK, anchored, fit_end, printable};
use crate::measure::layer_metrics::{LayerMeasure, LayerMetric, LayerMetrics};
use crate::measure::layers_report::LayerClass;
use crate::measure::metrics_report::MetricsReport;

/// A strip per measure: each layer's share along the depth, and beside it the shares of the classes.
#[derive(Clone, Copy, Debug)]
pub struct LayerMetricsFigure<'a> {
    /// The report.
    pub report: &'a MetricsReport,
    /// Its layers.
    pub layers: &'a LayerMetrics,
}

/// Left of the strips, for the measures' names.
const LEFT: i32 = MARGIN + 262;
const TOP: i32 = 116;
const STRIP: i32 = 64;
const GAP: i32 = 20;
/// The shares of the classes.
const SHARES: i32 = 420;
const BAR: i32 = 34;
const NAMES: i32 = 190;
/// Pixels along the depth that a name takes.
const NAME: i32 = 16;
/// The longest strip: a wider figure would have to be shrunk below what can be read on a slide.
const LONGEST: i32 = 880;
/// In a longer network, a layer is named whose share reaches this under some measure.
const NAMED_SHARE: f64 = 0.01;
/// From the strips down to the names, which may stand a little beside their layers.
const LEADERS: i32 = 12;

impl LayerMetricsFigure<'_> {
    fn compared(&self) -> Vec<&LayerMetric> {
        self.layers.layers.iter().filter(|layer| layer.missing.is_none()).collect()
    }

    fn width(&self) -> i32 {
        (self.compared().len() as i32).saturating_mul(NAME).clamp(560, LONGEST)
    }

    /// The places of the layers that are named: all where there is room, else those that matter, the largest first.
    fn named(&self, layers: &[&LayerMetric]) -> Vec<usize> {
        let room = (self.width() / NAME) as usize;
        let mut places: Vec<usize> = (0..layers.len()).collect();
        if places.len() > room {
            let largest = |place: usize| {
                layers[place].measures.values().flatten().filter_map(|measured| measured.share).fold(0.0, f64::max)
            };
            places.retain(|place| largest(*place) >= NAMED_SHARE);
            places.sort_by(|a, b| largest(*b).total_cmp(&largest(*a)));
            places.truncate(room);
            places.sort_unstable();
        }
        places
    }

    /// The height of the names.
    fn names(&self) -> i32 {
        let layers = self.compared();
        let longest = self.named(&layers).into_iter().map(|place| layers[place].name.chars().count()).max();
        longest.map_or(0, |longest| (longest as i32 * 7 + 8).min(NAMES))
    }

    fn strips() -> i32 {
        (STRIP + GAP) * LayerMeasure::ALL.len() as i32
    }
}

impl Figure for LayerMetricsFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let width = LEFT + self.width() + 36 + SHARES + MARGIN;
        (width as u32, (TOP + Self::strips() + LEADERS + self.names() + 84) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let layers = self.compared();
        if layers.is_empty() {
            return Err(FigureError::Data { reason: "no layer has all measures".to_owned() });
        }
        let shares = layers.iter().flat_map(|layer| layer.measures.values().flatten().filter_map(|m| m.share));
        if !shares.into_iter().all(f64::is_finite) {
            return Err(FigureError::NotFinite("the report holds NaN or infinity".to_owned()));
        }
        let width = self.size().0 as i32 - 2 * MARGIN;
        let title = format!(
            "Layer contributions to the equivariance error of {}, by eight measures",
            short_name(&self.report.run)
        );
        let photos = if self.report.run.images.count() == 1 { "image" } else { "images" };
        let named = self.named(&layers);
        let which = match named.len() < layers.len() {
            true => format!("; named: layers with {:.0} % or more under some measure", 100.0 * NAMED_SHARE),
            false => String::new(),
        };
        let note = format!(
            "share of each layer in the sum of squared errors under translation; mean over {} {photos}, each at the same \
             weight; {} shifts each; N: entries compared{which}",
            self.report.run.images.count(),
            self.report.draws
        );
        header(root, &title, &[note], width)?;
        let right = LEFT + self.width() + 36;
        for (text, x) in [("layer by layer, from input to output", LEFT), ("by class", right)] {
            root.draw_text(text, &anchored(style::panel(), HPos::Left, VPos::Bottom), (x, TOP - 10))?;
        }
        for (row, measure) in LayerMeasure::ALL.into_iter().enumerate() {
            let top = TOP + (STRIP + GAP) * row as i32;
            self.strip(root, measure, &layers, top)?;
            self.classes(root, measure, (right, top + (STRIP - BAR) / 2))?;
        }
        let bottom = TOP + Self::strips() - GAP;
        let small = anchored(style::note().color(&INK).transform(FontTransform::Rotate270), HPos::Right, VPos::Center);
        let middle = |place: usize| i32::midpoint(self.cell(place, layers.len()).0, self.cell(place, layers.len()).1);
        let at: Vec<i32> = named.iter().map(|place| middle(*place)).collect();
        for ((place, at), x) in named.iter().zip(&at).zip(apart(&at, NAME, LEFT + self.width())) {
            let name = fit_end(root, &printable(&layers[*place].name), &style::note(), self.names())?;
            if x != *at {
                let leader = vec![(*at, bottom + 3), (x, bottom + LEADERS + 4)];
                root.draw(&PathElement::new(leader, FAINT_INK.stroke_width(1)))?;
            }
            root.draw_text(&name, &small, (x, bottom + LEADERS + 8))?;
        }
        let shown: Vec<LayerClass> =
            LayerClass::ALL.into_iter().filter(|class| self.layers.is_seen(class.name())).collect();
        legend(root, &entries(&shown), (LEFT, bottom + LEADERS + self.names() + 34), width - LEFT)?;
        Ok(())
    }
}

impl LayerMetricsFigure<'_> {
    fn cell(&self, place: usize, count: usize) -> (i32, i32) {
        let pitch = (f64::from(self.width()) / count.max(1) as f64).min(48.0);
        let x = |at: usize| LEFT + (at as f64 * pitch).round() as i32;
        (x(place), x(place + 1))
    }

    fn strip<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        measure: LayerMeasure,
        layers: &[&LayerMetric],
        top: i32,
    ) -> Result<(), FigureError> {
        let share = |layer: &LayerMetric| layer.measured(measure).and_then(|measured| measured.share);
        let largest = layers.iter().filter_map(|layer| share(layer)).fold(0.0, f64::max);
        let (name, how) = measure.title().split_once(", ").unwrap_or((measure.title(), ""));
        let bottom = top + STRIP;
        for (text, font, y) in [(name, style::label(), top + 14), (how, style::note(), top + 34)] {
            root.draw_text(text, &anchored(font, HPos::Right, VPos::Center), (LEFT - 12, y))?;
        }
        if largest > 0.0 {
            let text = format!("tallest {:.0} %", 100.0 * largest);
            root.draw_text(&text, &anchored(style::note(), HPos::Right, VPos::Center), (LEFT - 12, top + 54))?;
        }
        root.draw(&PathElement::new(vec![(LEFT, top), (LEFT + self.width(), top)], GRID.stroke_width(1)))?;
        for (place, layer) in layers.iter().enumerate() {
            let (left, right) = self.cell(place, layers.len());
            let height = match share(layer) {
                Some(share) if largest > 0.0 => (share / largest * f64::from(STRIP)).round() as i32,
                _ => 0,
            };
            let inner = if right - left >= 6 { 1 } else { 0 };
            if height > 0 {
                pattern(layer.class).fill(root, [(left + inner, bottom - height), (right - inner, bottom)])?;
            }
        }
        root.draw(&PathElement::new(vec![(LEFT, bottom), (LEFT + self.width(), bottom)], INK.stroke_width(1)))?;
        Ok(())
    }

    fn classes<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        measure: LayerMeasure,
        (left, top): (i32, i32),
    ) -> Result<(), FigureError> {
        let share = |class: LayerClass| self.layers.by_type.get(class.name())?.get(measure.name())?.share;
        share_bar(root, [(left, top), (left + SHARES, top + BAR)], share, "no error, or none in some images")
    }
}

/// Places at least `gap` apart, as near to the given ones, which ascend, as a pass to the right and one back from `end`
/// bring them.
fn apart(places: &[i32], gap: i32, end: i32) -> Vec<i32> {
    let mut moved = places.to_vec();
    // A crowd grows to both sides of its middle: half of what it lacks lies before its first.
    let mut first = 0;
    for at in 1..=moved.len() {
        let ends = at == moved.len() || places[at] - places[at - 1] >= gap;
        if ends {
            let lacks = gap * (at - 1 - first) as i32 - (places[at - 1] - places[first]);
            for (step, place) in moved[first..at].iter_mut().enumerate() {
                *place = places[first] - lacks / 2 + gap * step as i32;
            }
            first = at;
        }
    }
    for at in 1..moved.len() {
        moved[at] = moved[at].max(moved[at - 1] + gap);
    }
    let mut limit = end;
    for place in moved.iter_mut().rev() {
        *place = (*place).min(limit);
        limit = *place - gap;
    }
    moved
}
