//! What each layer contributes, along the depth of the network.

use plotters::backend::DrawingBackend;
use plotters::element::{PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, FontTransform, RGBColor, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::layer_looks::{MARGIN, check, classes, group, header, letter, pattern, plate, short_name, sum, what, worst};
use super::scale::Scale;
use super::style::{self, FAINT_INK, GRID, INK, anchored, fit_end, printable};
use crate::measure::layers_report::{LayerClass, LayerReport, LayerResults, LayersReport};

/// Bars of ‖J δ‖²/dim per layer, running sums below them, and a lane per class below those.
#[derive(Clone, Copy, Debug)]
pub struct LayersDepthFigure<'a> {
    /// The report.
    pub report: &'a LayersReport,
    /// The attribution in it that is drawn.
    pub results: &'a LayerResults,
}

/// Left of the plots, for ticks and the classes' names.
const LEFT: i32 = 214;
const TOP: i32 = 128;
const BARS: i32 = 250;
/// Above the longest bar, for its number.
const HEADROOM: i32 = 20;
const SUMS: i32 = 170;
const GAP: i32 = 42;
const LANE: i32 = 18;
const MOST_FOR_NAMES: i32 = 200;
/// More layers have no room for names.
const MOST_NAMED: usize = 130;
/// The numbers of the worst.
const RANKED: usize = 10;
/// Contributions below this share of the largest have no bar.
const FLOOR: f64 = 1e-8;

/// Places along the depth.
#[derive(Clone, Copy)]
struct Depth {
    count: usize,
    width: i32,
}

impl Depth {
    fn of(results: &LayerResults) -> Self {
        let count = results.layers.len();
        let pitch = if count <= MOST_NAMED { 16.0 } else { (1500.0 / count as f64).max(2.0) };
        Self { count, width: ((count as f64 * pitch) as i32).max(640) }
    }

    fn pitch(self) -> f64 {
        (f64::from(self.width) / self.count.max(1) as f64).min(48.0)
    }

    /// From the left to the right edge of a layer.
    fn cell(self, place: usize) -> (i32, i32) {
        let x = |at: f64| LEFT + (at * self.pitch()).round() as i32;
        (x(place as f64), x(place as f64 + 1.0))
    }

    fn middle(self, place: usize) -> i32 {
        let (left, right) = self.cell(place);
        i32::midpoint(left, right)
    }

    fn named(self) -> bool {
        self.count <= MOST_NAMED
    }

    fn right(self) -> i32 {
        LEFT + self.width
    }
}

impl LayersDepthFigure<'_> {
    fn classes(&self) -> Vec<LayerClass> {
        classes([self.results])
    }

    fn lanes_top() -> i32 {
        TOP + BARS + GAP + SUMS + GAP
    }
}

impl Figure for LayersDepthFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let depth = Depth::of(self.results);
        let lanes = LANE * self.classes().len() as i32;
        let foot = names_height(self.results) + 54;
        ((depth.right() + MARGIN) as u32, (Self::lanes_top() + lanes + foot) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        check(self.results)?;
        let width = self.size().0 as i32 - 2 * MARGIN;
        let title = format!("Layer contributions to the equivariance error of {}", short_name(&self.report.run));
        let notes = [
            what(self.results),
            format!(
                "mean over {}; output: {}; {} boundary; {}",
                self.report.run.images.in_words(),
                self.report.run.function(),
                self.report.run.lie().boundary,
                group(self.report)
            ),
        ];
        header(root, &title, &notes, width)?;
        let depth = Depth::of(self.results);
        bars(root, self.results, depth)?;
        sums(root, self.results, depth, TOP + BARS + GAP)?;
        lanes(root, self.results, depth, &self.classes())
    }
}

/// The room for upright names, none where there are too many.
fn names_height(results: &LayerResults) -> i32 {
    if !Depth::of(results).named() {
        return 0;
    }
    // The face's widest letters are rare in names; what does not fit is cut.
    let longest = results.layers.iter().map(|layer| layer.name.chars().count()).max().unwrap_or(0);
    (longest as i32 * 8 + 8).min(MOST_FOR_NAMES)
}

fn grid_line<DB: DrawingBackend>(root: &Area<DB>, depth: Depth, y: i32, text: &str) -> Result<(), FigureError> {
    root.draw(&PathElement::new(vec![(LEFT, y), (depth.right(), y)], GRID.stroke_width(1)))?;
    root.draw_text(text, &anchored(style::label(), HPos::Right, VPos::Center), (LEFT - 8, y))?;
    Ok(())
}

fn heading<DB: DrawingBackend>(root: &Area<DB>, text: &str, note: &str, y: i32) -> Result<(), FigureError> {
    root.draw_text(text, &anchored(style::panel(), HPos::Left, VPos::Bottom), (LEFT, y - 8))?;
    let x = LEFT + root.estimate_text_size(text, &style::panel())?.0 as i32 + 14;
    root.draw_text(note, &anchored(style::note(), HPos::Left, VPos::Bottom), (x, y - 9))?;
    Ok(())
}

/// What each layer makes, with its standard error.
fn bars<DB: DrawingBackend>(root: &Area<DB>, results: &LayerResults, depth: Depth) -> Result<(), FigureError> {
    let (top, bottom) = (TOP, TOP + BARS);
    let largest = results.layers.iter().map(|l| l.contribution).fold(0.0, f64::max);
    let seen = |value: f64| value > FLOOR * largest;
    let reach = results.layers.iter().map(|l| l.contribution + l.sem.unwrap_or(0.0)).fold(0.0, f64::max);
    let scale = Scale::of(results.layers.iter().map(|l| l.contribution).filter(|v| seen(*v)), reach);
    let up = |place: f64| bottom - (place * f64::from(BARS - HEADROOM)).round() as i32;
    let y = |value: f64| up(scale.place(value));
    let log = if scale.is_log() { "logarithmic axis; " } else { "" };
    let errors = if results.layers.iter().any(|l| l.sem.is_some()) { "± standard error; " } else { "" };
    heading(root, "Contribution ‖J δ‖²/dim", &format!("{log}{errors}numbers: the ten largest"), top - 4)?;
    for (place, text) in scale.ticks() {
        grid_line(root, depth, up(place), &text)?;
    }
    for (place, layer) in results.layers.iter().enumerate().filter(|(_, l)| seen(l.contribution)) {
        let (left, right) = depth.cell(place);
        // A gap between bars that have room for one.
        let inner = if right - left >= 6 { 1 } else { 0 };
        pattern(layer.class).fill(root, [(left + inner, y(layer.contribution)), (right - inner, bottom)])?;
        if right - left >= 6 {
            whisker(root, layer, depth.middle(place), y)?;
        }
    }
    root.draw(&PathElement::new(vec![(LEFT, bottom), (depth.right(), bottom)], INK.stroke_width(1)))?;
    for (rank, place) in worst(results, RANKED).into_iter().enumerate() {
        let layer = &results.layers[place];
        if seen(layer.contribution) {
            let at = y(layer.contribution + layer.sem.unwrap_or(0.0)) - 10;
            plate(root, &(rank + 1).to_string(), (depth.middle(place), at.max(top - 2)))?;
        }
    }
    Ok(())
}

fn whisker<DB: DrawingBackend>(
    root: &Area<DB>,
    layer: &LayerReport,
    x: i32,
    y: impl Fn(f64) -> i32,
) -> Result<(), FigureError> {
    let Some(sem) = layer.sem.filter(|sem| *sem > 0.0) else { return Ok(()) };
    let (low, high) = (y(layer.contribution - sem), y(layer.contribution + sem));
    let lines = [[(x, low), (x, high)], [(x - 3, low), (x + 3, low)], [(x - 3, high), (x + 3, high)]];
    // A pale line under the dark one keeps it visible on a dark bar.
    for (color, width) in [(WHITE, 3), (INK, 1)] {
        for line in &lines {
            root.draw(&PathElement::new(line.to_vec(), color.stroke_width(width)))?;
        }
    }
    Ok(())
}

/// Running sums of contributions and of signed shares.
fn sums<DB: DrawingBackend>(
    root: &Area<DB>,
    results: &LayerResults,
    depth: Depth,
    top: i32,
) -> Result<(), FigureError> {
    heading(root, "Running sum", "thick: of contributions, over the sum of all; dashed: of signed shares", top - 4)?;
    let whole = sum(results);
    if whole <= 0.0 {
        root.draw_text("no layer makes an error", &style::axis(), (LEFT + 12, top + SUMS / 2))?;
        return Ok(());
    }
    let running = |shares: &mut dyn Iterator<Item = f64>| -> Vec<f64> {
        shares
            .scan(0.0, |sum, share| {
                *sum += share;
                Some(*sum)
            })
            .collect()
    };
    let unsigned = running(&mut results.layers.iter().map(|l| l.contribution / whole));
    let signed = running(&mut results.layers.iter().map(|l| l.signed_share.unwrap_or(0.0)));
    let has_signed = results.layers.iter().any(|l| l.signed_share.is_some());
    let reach = |start, pick: fn(f64, f64) -> f64| signed.iter().copied().fold(start, pick);
    let (low, high) = (reach(0.0, f64::min), reach(1.0, f64::max));
    let step = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0].into_iter().find(|step| (high - low) / step <= 6.0).unwrap_or(100.0);
    let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
    let y = |share: f64| top + SUMS - ((share - low) / (high - low) * f64::from(SUMS)).round() as i32;
    let ticks = ((high - low) / step).round() as i32;
    for tick in 0..=ticks {
        let share = low + step * f64::from(tick);
        grid_line(root, depth, y(share), &format!("{:.0} %", 100.0 * share).replace('-', "−"))?;
    }
    let mut before = 0.0;
    for (place, layer) in results.layers.iter().enumerate() {
        let (left, right) = depth.cell(place);
        let (from, to) = (y(before), y(unsigned[place]));
        if from > to {
            let half = ((right - left) / 3).clamp(1, 5);
            let x = depth.middle(place);
            pattern(layer.class).fill(root, [(x - half, to), (x + half, from)])?;
        }
        let level = vec![(depth.middle(place), to), (depth.cell(place + 1).1.min(depth.cell(depth.count - 1).1), to)];
        root.draw(&PathElement::new(level, INK.stroke_width(2)))?;
        before = unsigned[place];
    }
    if has_signed {
        let mut line = vec![(LEFT, y(0.0))];
        for (place, share) in signed.iter().enumerate() {
            let from = line[line.len() - 1].1;
            line.extend([(depth.middle(place), from), (depth.middle(place), y(*share))]);
        }
        line.push((depth.cell(depth.count - 1).1, line[line.len() - 1].1));
        dashed(root, &line, FAINT_INK)?;
    }
    root.draw(&PathElement::new(vec![(LEFT, y(0.0)), (depth.right(), y(0.0))], INK.stroke_width(1)))?;
    Ok(())
}

/// A line of dashes along upright and level pieces.
fn dashed<DB: DrawingBackend>(root: &Area<DB>, line: &[(i32, i32)], color: RGBColor) -> Result<(), FigureError> {
    const DASH: i32 = 5;
    let mut at = 0;
    for pair in line.windows(2) {
        let [(x, y), (to_x, to_y)] = [pair[0], pair[1]];
        let length = (to_x - x).abs() + (to_y - y).abs();
        let point = |d: i32| (x + (to_x - x).signum() * d, y + (to_y - y).signum() * d);
        let mut done = 0;
        while done < length {
            let next = (done + DASH - at % DASH).min(length);
            if at / DASH % 2 == 0 {
                root.draw(&PathElement::new(vec![point(done), point(next)], color.stroke_width(2)))?;
            }
            at += next - done;
            done = next;
        }
    }
    Ok(())
}

/// A lane per class with a mark at its layers, and the layers' names where there is room.
fn lanes<DB: DrawingBackend>(
    root: &Area<DB>,
    results: &LayerResults,
    depth: Depth,
    classes: &[LayerClass],
) -> Result<(), FigureError> {
    let top = LayersDepthFigure::lanes_top();
    heading(root, "Class", "", top - 2)?;
    for (lane, &class) in classes.iter().enumerate() {
        let y = top + LANE * lane as i32;
        root.draw(&PathElement::new(vec![(LEFT, y + LANE), (depth.right(), y + LANE)], GRID.stroke_width(1)))?;
        pattern(class).fill(root, [(LEFT - 26, y + 3), (LEFT - 8, y + LANE - 3)])?;
        let name = format!("{} {}", class.name(), letter(class));
        root.draw_text(&name, &anchored(style::label(), HPos::Right, VPos::Center), (LEFT - 34, y + LANE / 2))?;
        for (place, _) in results.layers.iter().enumerate().filter(|(_, l)| l.class == class) {
            let (left, right) = depth.cell(place);
            let inner = if right - left >= 6 { 2 } else { 0 };
            let corners = [(left + inner, y + 3), ((right - inner).max(left + 1), y + LANE - 3)];
            root.draw(&Rectangle::new(corners, INK.filled()))?;
        }
    }
    let bottom = top + LANE * classes.len() as i32;
    let room = names_height(results);
    let mut y = bottom + 8;
    if room > 0 {
        let small = style::note().color(&INK).transform(FontTransform::Rotate270);
        let upright = anchored(small, HPos::Right, VPos::Center);
        for (place, layer) in results.layers.iter().enumerate() {
            let name = fit_end(root, &printable(&layer.name), &style::note(), room)?;
            root.draw_text(&name, &upright, (depth.middle(place), bottom + 8))?;
        }
        y += room;
    }
    let layers = if depth.count == 1 { "layer" } else { "layers" };
    let text = format!("{} {layers} that can make an error, from the input to the output", depth.count);
    root.draw_text(&text, &anchored(style::axis(), HPos::Left, VPos::Top), (LEFT, y + 12))?;
    Ok(())
}
