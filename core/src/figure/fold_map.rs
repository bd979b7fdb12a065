//! Which frequencies of a real feature map fold where, at one node of a network.

use image::RgbImage;
use plotters::backend::DrawingBackend;
use plotters::element::{BitMapElement, Circle, PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::number::compact;
use super::style::{self, INK, SERIES, anchored, fit, printable};
use crate::measure::node_theorem_report::{FoldMap, NodeTheorem, NodeTheoremReport};
use crate::spectrum::alias::{GridSize, Wave};

/// The power of each harmonic, the damage that each does, and the bins of the output's grid where the damage lands.
#[derive(Clone, Copy, Debug)]
pub struct FoldMapFigure<'a> {
    /// The report of one node.
    pub report: &'a NodeTheoremReport,
    /// The node.
    pub node: &'a NodeTheorem,
    /// Its harmonics.
    pub map: &'a FoldMap,
}

const WIDTH: i32 = MARGIN + 44 + 2 * STEP + SIDE + MARGIN;
const MARGIN: i32 = 28;
/// Where the maps begin, below title, notes and their own headings.
const TOP: i32 = 136;
/// The square that a map is fitted into.
const SIDE: i32 = 352;
/// From one map's left edge to the next.
const STEP: i32 = SIDE + 56;
/// Decades from the darkest shade to the lightest, at most.
const MOST_DECADES: f64 = 8.0;

impl Figure for FoldMapFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH as u32, (TOP + SIDE + 124) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let map = self.map;
        let fits = |field: &Vec<Vec<f64>>| {
            field.len() == map.fine[1]
                && field.iter().all(|row| row.len() == map.fine[0] && row.iter().all(|v| v.is_finite()))
        };
        if !fits(&map.power) || !fits(&map.damage) || map.fine.contains(&0) || map.coarse.contains(&0) {
            return Err(FigureError::Data { reason: "the map of harmonics has holes, NaN or infinity".to_owned() });
        }
        self.header(root)?;
        let before = if self.node.truncation.is_some() { "σ(h)" } else { "the filtered map" };
        let panels = [
            (format!("power of {before}"), &map.power, map.fine),
            ("damage, where it comes from".to_owned(), &map.damage, map.fine),
            ("damage, where it lands".to_owned(), &landed(map), map.coarse),
        ];
        for (index, (title, field, grid)) in panels.iter().enumerate() {
            let panel = Panel { left: MARGIN + 44 + index as i32 * STEP, grid: *grid };
            root.draw_text(title, &style::panel(), (panel.left, TOP - 32))?;
            panel.map(root, field)?;
            if index < 2 {
                panel.box_of(root, map.coarse)?;
            }
            panel.axes(root, index == 0)?;
        }
        self.arrows(root)
    }
}

impl FoldMapFigure<'_> {
    fn header<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let (node, map) = (self.node, self.map);
        let width = WIDTH - 2 * MARGIN;
        let title = format!("Which frequencies fold where: {}", printable(&node.name));
        root.draw_text(&fit(root, &title, &style::title(), width)?, &style::title(), (MARGIN, 16))?;
        let image = self.report.run.images.names.first().map_or("", String::as_str);
        let image = image.rsplit(['/', '\\']).next().unwrap_or(image);
        let model = self.report.run.model.name();
        let note = format!(
            "{} of {model} on {image}, sum over {} channels; {}×{} harmonics, of which the output's grid holds {}×{} (frame)",
            node.kind, node.channels, map.fine[0], map.fine[1], map.coarse[0], map.coarse[1]
        );
        root.draw_text(&fit(root, &printable(&note), &style::note(), width)?, &style::note(), (MARGIN, 48))?;
        let [low, _, high] = node.damage_at;
        let note = format!(
            "damage of a harmonic: (2π v·(n − Alias n))² |H|², v = ({}, {}); 80 % of it comes from {low:.2} to {high:.2} × \
             the grid's Nyquist frequency",
            self.report.velocity[0], self.report.velocity[1]
        )
        .replace('-', "−");
        root.draw_text(&fit(root, &note, &style::note(), width)?, &style::note(), (MARGIN, 70))?;
        Ok(())
    }

    /// From the worst harmonics to where they land, on the map of damage.
    fn arrows<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let panel = Panel { left: MARGIN + 44 + STEP, grid: self.map.fine };
        for fold in self.node.worst.iter().rev() {
            for sign in [1.0, -1.0] {
                let [from, to] = [fold.from, fold.to].map(|[x, y]| panel.place(sign * x as f64, sign * y as f64));
                root.draw(&PathElement::new(vec![from, to], WHITE.stroke_width(3)))?;
                root.draw(&PathElement::new(vec![from, to], SERIES[1].stroke_width(1)))?;
                root.draw(&Circle::new(to, 4, WHITE.filled()))?;
                root.draw(&Circle::new(to, 4, INK.stroke_width(1)))?;
                root.draw(&Circle::new(from, 4, SERIES[1].filled()))?;
                root.draw(&Circle::new(from, 4, WHITE.stroke_width(1)))?;
            }
        }
        // Marks of the legend; the embedded face has no such glyphs.
        let (x, y) = (panel.left, TOP + SIDE + 104);
        let text = anchored(style::note(), HPos::Left, VPos::Center);
        root.draw(&Circle::new((x + 4, y), 4, SERIES[1].filled()))?;
        let named = format!("the {} worst harmonics", self.node.worst.len());
        root.draw_text(&named, &text, (x + 14, y))?;
        let x = x + 40 + root.estimate_text_size(&named, &style::note())?.0 as i32;
        root.draw(&Circle::new((x, y), 4, WHITE.filled()))?;
        root.draw(&Circle::new((x, y), 4, INK.stroke_width(1)))?;
        root.draw_text("where the grid sees them", &text, (x + 10, y))?;
        Ok(())
    }
}

/// The damage by the bin of the coarse grid that it lands on; what each harmonic does alone, added up.
fn landed(map: &FoldMap) -> Vec<Vec<f64>> {
    let [columns, rows] = map.coarse;
    let coarse = GridSize::from(map.coarse);
    let mut bins = vec![vec![0.0; columns]; rows];
    let middle = |fine: usize| fine as i64 / 2;
    for (y, row) in map.damage.iter().enumerate() {
        for (x, damage) in row.iter().enumerate() {
            let to = coarse.alias(Wave::new(x as i64 - middle(map.fine[0]), y as i64 - middle(map.fine[1])));
            let place = |n: i64, side: usize| (n + middle(side)).rem_euclid(side as i64) as usize;
            bins[place(to.y, rows)][place(to.x, columns)] += damage;
        }
    }
    bins
}

/// A map of frequencies with the constant in the middle.
struct Panel {
    left: i32,
    grid: [usize; 2],
}

impl Panel {
    /// Width and height in pixels: frequencies of both axes at one scale.
    fn size(&self) -> (i32, i32) {
        let longest = self.grid[0].max(self.grid[1]) as f64;
        let side = |n: usize| ((n as f64 / longest * f64::from(SIDE)).round() as i32).max(1);
        (side(self.grid[0]), side(self.grid[1]))
    }

    /// The pixel of a frequency: bin n is the cell from n − ½ to n + ½.
    fn place(&self, x: f64, y: f64) -> (i32, i32) {
        let (width, height) = self.size();
        let along = |n: f64, cells: usize, pixels: i32| {
            ((n + (cells / 2) as f64 + 0.5) / cells as f64 * f64::from(pixels)).round() as i32
        };
        (self.left + along(x, self.grid[0], width), TOP + along(y, self.grid[1], height))
    }

    /// The field in shades of its logarithm, relative to its largest value.
    fn map<DB: DrawingBackend>(&self, root: &Area<DB>, field: &[Vec<f64>]) -> Result<(), FigureError> {
        let (width, height) = self.size();
        let largest = field.iter().flatten().copied().fold(0.0, f64::max);
        let decades = decades(field, largest);
        let cell = |pixel: u32, pixels: i32, cells: usize| {
            ((f64::from(pixel) + 0.5) / f64::from(pixels) * cells as f64) as usize
        };
        let picture = RgbImage::from_fn(width as u32, height as u32, |x, y| {
            let value = field[cell(y, height, self.grid[1])][cell(x, width, self.grid[0])];
            let depth = if value > 0.0 { (value / largest).log10() / decades + 1.0 } else { 0.0 };
            let RGBColor(r, g, b) = shade(depth);
            image::Rgb([r, g, b])
        });
        let element =
            BitMapElement::with_owned_buffer((self.left, TOP), (width as u32, height as u32), picture.into_raw());
        root.draw(&element.ok_or_else(|| FigureError::Drawing("a map's size and buffer disagree".to_owned()))?)?;
        root.draw(&Rectangle::new([(self.left, TOP), (self.left + width, TOP + height)], INK.stroke_width(1)))?;
        self.shades(root, largest, decades)
    }

    /// The scale of the map's shades, below it.
    fn shades<DB: DrawingBackend>(&self, root: &Area<DB>, largest: f64, decades: f64) -> Result<(), FigureError> {
        let (width, height) = self.size();
        let (width, top) = (width.max(120), TOP + height + 54);
        if largest <= 0.0 {
            root.draw_text("nothing", &style::note(), (self.left, top))?;
            return Ok(());
        }
        for step in 0..width {
            let color = shade(f64::from(step) / f64::from(width));
            root.draw(&Rectangle::new([(self.left + step, top), (self.left + step + 1, top + 10)], color.filled()))?;
        }
        let lowest = format!("≤ {}", compact(largest * 10f64.powf(-decades)));
        root.draw_text(&lowest, &style::note(), (self.left, top + 14))?;
        let highest = anchored(style::note(), HPos::Right, VPos::Top);
        root.draw_text(&compact(largest), &highest, (self.left + width, top + 14))?;
        Ok(())
    }

    /// The frame of what the coarse grid can hold.
    fn box_of<DB: DrawingBackend>(&self, root: &Area<DB>, coarse: [usize; 2]) -> Result<(), FigureError> {
        let half = coarse.map(|n| n as f64 / 2.0);
        let corners = [self.place(-half[0], -half[1]), self.place(half[0], half[1])];
        root.draw(&Rectangle::new(corners, WHITE.stroke_width(3)))?;
        root.draw(&Rectangle::new(corners, SERIES[1].stroke_width(1)))?;
        Ok(())
    }

    fn axes<DB: DrawingBackend>(&self, root: &Area<DB>, named: bool) -> Result<(), FigureError> {
        let (width, height) = self.size();
        let ends = |cells: usize| {
            let half = cells as i64 / 2;
            [-(half / 2), 0, half / 2]
        };
        for n in ends(self.grid[0]) {
            let (x, _) = self.place(n as f64, 0.0);
            let y = TOP + height;
            root.draw(&PathElement::new(vec![(x, y), (x, y + 5)], INK.stroke_width(1)))?;
            let text = n.to_string().replace('-', "−");
            root.draw_text(&text, &anchored(style::note(), HPos::Center, VPos::Top), (x, y + 8))?;
        }
        for n in ends(self.grid[1]) {
            let (_, y) = self.place(0.0, n as f64);
            root.draw(&PathElement::new(vec![(self.left - 5, y), (self.left, y)], INK.stroke_width(1)))?;
            let text = n.to_string().replace('-', "−");
            root.draw_text(&text, &anchored(style::note(), HPos::Right, VPos::Center), (self.left - 8, y))?;
        }
        let middle = self.left + width / 2;
        root.draw_text(
            "cycles to the right",
            &anchored(style::note(), HPos::Center, VPos::Top),
            (middle, TOP + height + 26),
        )?;
        if named {
            let text = style::note().transform(plotters::style::FontTransform::Rotate270);
            let text = anchored(text, HPos::Center, VPos::Center);
            root.draw_text("cycles down", &text, (MARGIN - 12, TOP + height / 2))?;
        }
        Ok(())
    }
}

/// Dark for little, through blue, to pale yellow for much: lighter all the way.
fn shade(depth: f64) -> RGBColor {
    const STOPS: [RGBColor; 4] = [
        RGBColor(0x0b, 0x10, 0x24),
        RGBColor(0x00, 0x4c, 0x80),
        RGBColor(0x5a, 0xb4, 0xe5),
        RGBColor(0xff, 0xf0, 0xa8),
    ];
    let at = depth.clamp(0.0, 1.0) * (STOPS.len() - 1) as f64;
    let index = (at as usize).min(STOPS.len() - 2);
    let weight = at - index as f64;
    let (RGBColor(r, g, b), RGBColor(r2, g2, b2)) = (STOPS[index], STOPS[index + 1]);
    let mix = |a: u8, b: u8| (f64::from(a) + weight * (f64::from(b) - f64::from(a))).round() as u8;
    RGBColor(mix(r, r2), mix(g, g2), mix(b, b2))
}

/// As many decades as nineteen of twenty values need.
fn decades(field: &[Vec<f64>], largest: f64) -> f64 {
    let mut values: Vec<f64> = field.iter().flatten().copied().filter(|value| *value > 0.0).collect();
    values.sort_by(f64::total_cmp);
    let low = values.get(values.len() / 20).copied().unwrap_or(largest);
    if low > 0.0 { (largest / low).log10().ceil().clamp(1.0, MOST_DECADES) } else { MOST_DECADES }
}
