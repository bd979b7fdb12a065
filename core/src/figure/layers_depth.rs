//! What each layer contributes, along the depth of the network.

use plotters::backend::DrawingBackend;
use plotters::element::{Circle, PathElement};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, FontTransform, RGBColor};

use super::canvas::{Area, Figure, FigureError};
use super::error_bar::draw_upright_error_bar;
use super::layer_looks::{
    MARGIN, check, classes, entries, group, header, legend, legend_lines, letter, pattern, plate, short_name, sum,
    what, worst,
};
use super::number::{compact, percent};
use super::scale::Scale;
use super::style::{self, FAINT_INK, GRID, INK, anchored, fit_end, printable};
use crate::measure::layers_report::{LayerReport, LayerResults, LayersReport};

/// Bars of each layer's share of the sum of all contributions; dots of ‖J δ‖²/dim on a logarithmic axis where they span
/// decades; running sums.
#[derive(Clone, Copy, Debug)]
pub struct LayersDepthFigure<'a> {
    /// The report.
    pub report: &'a LayersReport,
    /// The attribution in it that is drawn.
    pub results: &'a LayerResults,
}

/// Left of the plots, for ticks.
const LEFT: i32 = 92;
/// Where the legend begins, and the height of a line of it.
const LEGEND: i32 = 92;
const LINE: i32 = 24;
const BARS: i32 = 200;
const DOTS: i32 = 200;
const SUMS: i32 = 130;
/// Above a panel, for its heading.
const GAP: i32 = 44;
/// Of letters below the last panel.
const LETTERS: i32 = 22;
const MOST_FOR_NAMES: i32 = 200;
/// More layers have no room for names.
const MOST_NAMED: usize = 130;
/// The numbers of the worst.
const RANKED: usize = 10;
/// Contributions below this share of the largest have no dot.
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
        Self { count, width: ((count as f64 * pitch) as i32).max(760) }
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
    /// Where the first panel begins.
    fn top(&self) -> i32 {
        let width = Depth::of(self.results).right() - MARGIN;
        LEGEND + LINE * legend_lines(&entries(&classes([self.results])), width) + GAP
    }

    /// The axis of the dots, where linear bars do not show all layers.
    fn dots_scale(&self) -> Option<Scale> {
        let largest = self.results.layers.iter().map(|l| l.contribution).fold(0.0, f64::max);
        let drawn = self.results.layers.iter().map(|l| l.contribution).filter(|v| *v > FLOOR * largest);
        let reach = self.results.layers.iter().map(|l| l.contribution + l.sem.unwrap_or(0.0)).fold(0.0, f64::max);
        Some(Scale::of(drawn.collect::<Vec<_>>().into_iter(), reach)).filter(Scale::is_log)
    }

    /// Where the panel of running sums begins.
    fn sums_top(&self) -> i32 {
        self.top() + BARS + GAP + if self.dots_scale().is_some() { DOTS + GAP } else { 0 }
    }
}

impl Figure for LayersDepthFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let depth = Depth::of(self.results);
        let foot = LETTERS + names_height(self.results) + 44;
        ((depth.right() + MARGIN) as u32, (self.sums_top() + SUMS + foot) as u32)
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
        legend(root, &entries(&classes([self.results])), (MARGIN, LEGEND), depth.right() - MARGIN)?;
        shares(root, self.results, depth, self.top())?;
        if let Some(scale) = self.dots_scale() {
            dots(root, self.results, depth, &scale, self.top() + BARS + GAP)?;
        }
        sums(root, self.results, depth, self.sums_top())?;
        feet(root, self.results, depth, self.sums_top() + SUMS)
    }
}

/// The room for upright names, none where there are too many.
fn names_height(results: &LayerResults) -> i32 {
    if !Depth::of(results).named() {
        return 0;
    }
    // What is wider than letters mostly are is cut.
    let longest = results.layers.iter().map(|layer| layer.name.chars().count()).max().unwrap_or(0);
    (longest as i32 * 7 + 10).min(MOST_FOR_NAMES)
}

fn grid_line<DB: DrawingBackend>(root: &Area<DB>, depth: Depth, y: i32, text: &str) -> Result<(), FigureError> {
    root.draw(&PathElement::new(vec![(LEFT, y), (depth.right(), y)], GRID.stroke_width(1)))?;
    root.draw_text(text, &anchored(style::label(), HPos::Right, VPos::Center), (LEFT - 8, y))?;
    Ok(())
}

fn heading<DB: DrawingBackend>(root: &Area<DB>, text: &str, note: &str, y: i32) -> Result<(), FigureError> {
    root.draw_text(text, &anchored(style::panel(), HPos::Left, VPos::Bottom), (LEFT, y - 10))?;
    let x = LEFT + root.estimate_text_size(text, &style::panel())?.0 as i32 + 14;
    root.draw_text(note, &anchored(style::note(), HPos::Left, VPos::Bottom), (x, y - 11))?;
    Ok(())
}

/// A layer's standard error over images, in what it is drawn in.
fn error_of(layer: &LayerReport, unit: f64) -> Option<[f64; 2]> {
    let sem = layer.sem.filter(|sem| *sem > 0.0)?;
    Some([(layer.contribution - sem) / unit, (layer.contribution + sem) / unit])
}

/// Each layer's share of the sum, on an axis from 0: lengths are what the layers make.
fn shares<DB: DrawingBackend>(
    root: &Area<DB>,
    results: &LayerResults,
    depth: Depth,
    top: i32,
) -> Result<(), FigureError> {
    let bottom = top + BARS;
    let whole = sum(results);
    let errors = if results.layers.iter().any(|l| l.sem.is_some()) { "± standard error; " } else { "" };
    heading(root, "Share of the sum of all contributions", &format!("{errors}numbers: the ten largest"), top)?;
    if whole <= 0.0 {
        root.draw_text("no layer makes an error", &style::axis(), (LEFT + 12, top + BARS / 2))?;
        root.draw(&PathElement::new(vec![(LEFT, bottom), (depth.right(), bottom)], INK.stroke_width(1)))?;
        return Ok(());
    }
    let reach = results.layers.iter().map(|l| (l.contribution + l.sem.unwrap_or(0.0)) / whole).fold(0.0, f64::max);
    let step = [0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5].into_iter().find(|step| reach / step <= 5.0).unwrap_or(1.0);
    // Room for a number above the longest.
    let high = (1.12 * reach / step).ceil().max(1.0) * step;
    let y = |share: f64| bottom - (share.clamp(0.0, high) / high * f64::from(BARS)).round() as i32;
    for tick in 0..=(high / step).round() as i32 {
        let share = step * f64::from(tick);
        grid_line(root, depth, y(share), &percent(share, 0))?;
    }
    for (place, layer) in results.layers.iter().enumerate().filter(|(_, l)| l.contribution > 0.0) {
        let (left, right) = depth.cell(place);
        // A gap between bars that have room for one.
        let inner = if right - left >= 6 { 1 } else { 0 };
        let end = y(layer.contribution / whole);
        if end < bottom {
            pattern(layer.class).fill(root, [(left + inner, end), (right - inner, bottom)])?;
        }
        if let Some([low, high]) = error_of(layer, whole).filter(|_| right - left >= 6 && bottom - end >= 3) {
            draw_upright_error_bar(root, depth.middle(place), [y(low), y(high)], 3)?;
        }
    }
    root.draw(&PathElement::new(vec![(LEFT, bottom), (depth.right(), bottom)], INK.stroke_width(1)))?;
    for (rank, place) in worst(results, RANKED).into_iter().enumerate() {
        let layer = &results.layers[place];
        if layer.contribution > 0.0 {
            let at = y((layer.contribution + layer.sem.unwrap_or(0.0)) / whole) - 10;
            plate(root, &(rank + 1).to_string(), (depth.middle(place), at))?;
        }
    }
    Ok(())
}

/// ‖J δ‖²/dim over decades: a place on a logarithmic axis has no length, so it is a dot.
fn dots<DB: DrawingBackend>(
    root: &Area<DB>,
    results: &LayerResults,
    depth: Depth,
    scale: &Scale,
    top: i32,
) -> Result<(), FigureError> {
    let bottom = top + DOTS;
    let up = |place: f64| bottom - (place * f64::from(DOTS)).round() as i32;
    let y = |value: f64| up(scale.place(value));
    let floor = FLOOR * results.layers.iter().map(|l| l.contribution).fold(0.0, f64::max);
    let below = results.layers.iter().filter(|l| l.contribution <= floor).count();
    let said = match below {
        0 => String::new(),
        1 => format!("; 1 layer below {} has no dot", compact(floor)),
        count => format!("; {count} layers below {} have no dot", compact(floor)),
    };
    heading(root, "Contribution ‖J δ‖²/dim", &format!("logarithmic axis{said}"), top)?;
    for (place, text) in scale.ticks() {
        grid_line(root, depth, up(place), &text)?;
    }
    for (place, layer) in results.layers.iter().enumerate().filter(|(_, l)| l.contribution > floor) {
        let (left, right) = depth.cell(place);
        let x = depth.middle(place);
        if let Some([low, high]) = error_of(layer, 1.0).filter(|_| right - left >= 6) {
            draw_upright_error_bar(root, x, [y(low), y(high)], 3)?;
        }
        let radius = ((right - left) / 3).clamp(1, 5);
        root.draw(&Circle::new((x, y(layer.contribution)), radius, pattern(layer.class).color.filled()))?;
        if radius > 2 {
            root.draw(&Circle::new((x, y(layer.contribution)), radius, INK.stroke_width(1)))?;
        }
    }
    root.draw(&PathElement::new(vec![(LEFT, top), (LEFT, bottom)], INK.stroke_width(1)))?;
    Ok(())
}

/// Running sums of contributions and of signed shares.
fn sums<DB: DrawingBackend>(
    root: &Area<DB>,
    results: &LayerResults,
    depth: Depth,
    top: i32,
) -> Result<(), FigureError> {
    let whole = sum(results);
    if whole <= 0.0 {
        return heading(root, "Running sum", "nothing to add", top);
    }
    heading(root, "Running sum", "thick: of contributions, over the sum of all; dashed: of signed shares of L", top)?;
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
    let step = [0.25, 0.5, 1.0, 2.0, 5.0, 10.0].into_iter().find(|step| (high - low) / step <= 5.0).unwrap_or(100.0);
    let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
    let y = |share: f64| top + SUMS - ((share - low) / (high - low) * f64::from(SUMS)).round() as i32;
    for tick in 0..=((high - low) / step).round() as i32 {
        let share = low + step * f64::from(tick);
        grid_line(root, depth, y(share), &percent(share, 0))?;
    }
    // From step to step at the layers' middles, to the right edge of the last one.
    let line = |shares: &[f64]| {
        let mut line = vec![(LEFT, y(0.0))];
        for (place, share) in shares.iter().enumerate() {
            let from = line[line.len() - 1].1;
            line.extend([(depth.middle(place), from), (depth.middle(place), y(*share))]);
        }
        line.push((depth.cell(depth.count.max(1) - 1).1, line[line.len() - 1].1));
        line
    };
    root.draw(&PathElement::new(line(&unsigned), INK.stroke_width(2)))?;
    if has_signed {
        dashed(root, &line(&signed), FAINT_INK)?;
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

/// Below all panels: the letters of the layers' classes, which tell them in grey as well, and their names.
fn feet<DB: DrawingBackend>(
    root: &Area<DB>,
    results: &LayerResults,
    depth: Depth,
    bottom: i32,
) -> Result<(), FigureError> {
    const LEAST: f64 = 12.0;
    let mut y = bottom + 6;
    if depth.pitch() >= LEAST {
        let middle = anchored(style::note().color(&INK), HPos::Center, VPos::Top);
        for (place, layer) in results.layers.iter().enumerate() {
            root.draw_text(&letter(layer.class).to_string(), &middle, (depth.middle(place), y))?;
        }
        y += LETTERS;
    }
    let room = names_height(results);
    if room > 0 {
        let small = style::note().color(&INK).transform(FontTransform::Rotate270);
        let upright = anchored(small, HPos::Right, VPos::Center);
        for (place, layer) in results.layers.iter().enumerate() {
            let name = fit_end(root, &printable(&layer.name), &style::note(), room)?;
            root.draw_text(&name, &upright, (depth.middle(place), y))?;
        }
        y += room;
    }
    let layers = if depth.count == 1 { "layer" } else { "layers" };
    let text = format!("{} {layers} that can make an error, from the input to the output", depth.count);
    root.draw_text(&text, &anchored(style::axis(), HPos::Left, VPos::Top), (LEFT, y + 4))?;
    Ok(())
}
