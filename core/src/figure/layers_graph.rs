//! The network's graph, every node in the shade of what its layer contributes; as SVG it is written by hand, since
//! plotters has no hover texts.

use std::fmt::Write;

use plotters::backend::DrawingBackend;
use plotters::element::{PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, FontStyle, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::graph_groups::{Groups, module_of};
use super::graph_layout::{Drawn, lay_out};
use super::layer_looks::{classes, letter, percent, short_name, sum, what, with_error};
use super::markup::escaped;
use super::number::compact;
use super::style::{self, FAINT_INK, INK, SERIES, anchored, fit, fit_end, printable};
use crate::measure::layer_graph::{GraphNode, LayerGraph, NodeRole};
use crate::measure::layers_report::{DefectPart, LayerReport, LayerResults, LayersReport};

/// The graph of one attribution. Neighbours of one module that make less than a thousandth of the sum are one box.
#[derive(Clone, Copy, Debug)]
pub struct LayersGraphFigure<'a> {
    /// The report.
    pub report: &'a LayersReport,
    /// The attribution in it that is drawn.
    pub results: &'a LayerResults,
    /// The graph that belongs to it.
    pub graph: &'a LayerGraph,
}

const WIDTH: f64 = 190.0;
/// Nodes with an error and groups have two lines.
const TALL: f64 = 38.0;
const LOW: f64 = 20.0;
const MARGIN: f64 = 28.0;
const TOP: f64 = 92.0;
/// A line of the notes above it.
const NOTE: f64 = 20.0;
/// The mean width of a letter of the notes, rather too large.
const LETTER: f64 = 7.8;
/// Characters that fit into a node's second line.
const CHARACTERS: usize = 30;
/// The deepest shade lets dark and light text be read on it.
const DEEPEST: f64 = 0.85;
/// Less than this share of the sum is quiet.
const QUIET: f64 = 1e-3;
/// Nodes that a group's hover text names.
const NAMED: usize = 30;

/// A box of the picture: a node, or several quiet ones.
struct Shown<'a> {
    nodes: Vec<&'a GraphNode>,
    /// The layers that their errors count to.
    layers: Vec<usize>,
    share: f64,
}

/// The texts of a box: what stands left and right in its first line, and below.
struct Words {
    left: String,
    right: String,
    below: Option<String>,
}

impl LayersGraphFigure<'_> {
    /// The picture as the text of an SVG file, on white.
    pub fn svg(&self) -> String {
        self.titled(None)
    }

    /// The same under another title.
    pub fn titled(&self, title: Option<&str>) -> String {
        let (boxes, edges) = self.boxes();
        let drawn = drawing(&boxes, &edges);
        let (width, height, notes) = self.extent(&drawn);
        let top = TOP + NOTE * notes.len() as f64;
        let mut svg = format!(
            "<svg width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             xmlns=\"http://www.w3.org/2000/svg\" font-family=\"DejaVu Sans, Verdana, sans-serif\" fill=\"#222222\">\n\
             <rect width=\"{width:.0}\" height=\"{height:.0}\" fill=\"#FFFFFF\"/>\n"
        );
        self.header(&mut svg, title, &notes);
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(svg, "<g transform=\"translate({MARGIN} {top})\">");
        let _ = writeln!(svg, "<g fill=\"none\" stroke=\"#5C5C5C\" stroke-width=\"1\" stroke-linejoin=\"round\">");
        for path in &drawn.paths {
            let points: Vec<String> = path.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
            let _ = write!(svg, "<polyline points=\"{}\"/>", points.join(" "));
            if let Some([x, y]) = path.last() {
                let _ = writeln!(svg, "<path d=\"M{:.1},{:.1} l3,5 l3,-5\"/>", x - 3.0, y - 5.0);
            }
        }
        svg.push_str("</g>\n");
        for (shown, &place) in boxes.iter().zip(&drawn.boxes) {
            self.write_box(&mut svg, shown, place);
        }
        svg.push_str("</g>\n</svg>\n");
        svg
    }

    /// Nodes and groups of quiet ones, with the edges between them.
    fn boxes(&self) -> (Vec<Shown<'_>>, Vec<[usize; 2]>) {
        let nodes = &self.graph.nodes;
        let quiet: Vec<bool> = nodes
            .iter()
            .map(|node| {
                let share = self.layer(node).map_or(0.0, |(_, layer)| self.share(layer));
                node.role != NodeRole::Input && share < QUIET
            })
            .collect();
        let modules: Vec<&str> = nodes.iter().map(|node| module_of(&node.name)).collect();
        let groups = Groups::of(nodes.len(), &self.graph.edges, &quiet, &modules);
        let shown = groups.members.iter().map(|members| {
            let nodes: Vec<&GraphNode> = members.iter().map(|&at| &nodes[at]).collect();
            let mut layers: Vec<usize> = nodes.iter().filter_map(|node| Some(self.layer(node)?.0)).collect();
            layers.sort_unstable();
            layers.dedup();
            let share = layers.iter().map(|&place| self.share(&self.results.layers[place])).sum();
            Shown { nodes, layers, share }
        });
        (shown.collect(), groups.edges)
    }

    /// Width, height and the lines of notes.
    fn extent(&self, drawn: &Drawn) -> (f64, f64, Vec<String>) {
        let width = (drawn.width + 2.0 * MARGIN).max(760.0);
        let notes = self.notes(width);
        (width, drawn.height + TOP + NOTE * notes.len() as f64 + MARGIN, notes)
    }

    /// The layer that a node's error counts to, and its place.
    fn layer(&self, node: &GraphNode) -> Option<(usize, &LayerReport)> {
        match node.role {
            NodeRole::Source(place) => self.results.layers.get(place).map(|layer| (place, layer)),
            _ => None,
        }
    }

    fn share(&self, layer: &LayerReport) -> f64 {
        let whole = sum(self.results);
        if whole > 0.0 { layer.contribution / whole } else { 0.0 }
    }

    fn most(&self) -> f64 {
        self.results.layers.iter().map(|l| self.share(l)).fold(0.0, f64::max)
    }

    /// The opacity of a share's shade: by its root, so that small ones are seen.
    fn shade(&self, share: f64) -> f64 {
        let most = self.most();
        if most > 0.0 && share > 0.0 { DEEPEST * (share / most).sqrt().min(1.0) } else { 0.0 }
    }

    /// What stands under the title, in lines that fit into a drawing of this width.
    fn notes(&self, width: f64) -> Vec<String> {
        let mut letters: Vec<String> =
            classes([self.results]).into_iter().map(|class| format!("{} {}", letter(class), class.name())).collect();
        letters.push("dashed: no error by construction".to_owned());
        if self.graph.nodes.iter().any(|node| node.role == NodeRole::Later) {
            letters.push("dotted: error shows at a later node".to_owned());
        }
        letters.push(format!("neighbours of one module below {} each are one box", super::number::percent(QUIET, 1)));
        let most = ((width - 2.0 * MARGIN) / LETTER) as usize;
        let mut lines = in_lines(&what(self.results), most);
        lines.extend(in_lines(&letters.join("; "), most));
        lines
    }

    fn title(&self) -> String {
        format!("Where {} makes its error", short_name(&self.report.run))
    }

    fn header(&self, svg: &mut String, title: Option<&str>, notes: &[String]) {
        let text = |svg: &mut String, (x, y): (f64, f64), size: i32, attributes: &str, text: &str| {
            let _ =
                writeln!(svg, "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{attributes}>{}</text>", escaped(text));
        };
        let own = self.title();
        text(svg, (MARGIN, 34.0), 20, " font-weight=\"bold\"", title.unwrap_or(&own));
        let mut y = 56.0;
        for note in notes {
            text(svg, (MARGIN, y), 13, " fill=\"#5C5C5C\"", note);
            y += NOTE;
        }
        y += 8.0;
        text(svg, (MARGIN, y), 13, "", "share of the sum of ‖J δ‖²");
        for (x, opacity, words) in self.scale() {
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{}\" width=\"24\" height=\"16\" fill=\"#C85200\" fill-opacity=\"{opacity:.3}\" \
                 stroke=\"#222222\"/>",
                y - 13.0
            );
            text(svg, (x + 30.0, y), 13, "", &words);
        }
    }

    /// The legend's swatches: place, opacity and meaning.
    fn scale(&self) -> impl Iterator<Item = (f64, f64, String)> {
        let most = self.most();
        [0.0, 0.0625, 0.25, 0.5625, 1.0]
            .into_iter()
            .enumerate()
            .map(move |(i, part)| (MARGIN + 210.0 + 92.0 * i as f64, DEEPEST * f64::sqrt(part), percent(part * most)))
    }

    fn words(&self, shown: &Shown<'_>) -> Words {
        if let [node] = &shown.nodes[..] {
            let Some((_, layer)) = self.layer(node) else {
                return Words { left: node.op.clone(), right: String::new(), below: None };
            };
            return Words {
                left: format!("{}  {}", letter(layer.class), node.op),
                right: short_percent(self.share(layer)),
                below: Some(layer.name.clone()),
            };
        }
        let module = module_of(&shown.nodes[0].name);
        let count = format!("{} nodes", shown.nodes.len());
        let (left, below) = if module.is_empty() { (count, None) } else { (module.to_owned(), Some(count)) };
        let right = if shown.layers.is_empty() { String::new() } else { short_percent(shown.share) };
        let below = below.or_else(|| Some(format!("{} …", shown.nodes[0].op)));
        Words { left, right, below }
    }

    fn write_box(&self, svg: &mut String, shown: &Shown<'_>, [x, y, height]: [f64; 3]) {
        let places: Vec<String> = shown.layers.iter().map(ToString::to_string).collect();
        let target = if places.is_empty() { String::new() } else { format!(" data-layer=\"{}\"", places.join(" ")) };
        let _ = writeln!(svg, "<g{target}><title>{}</title>", escaped_lines(&self.hover(shown)));
        let dash = match look(shown) {
            Line::Whole => "",
            Line::Dashed => " stroke-dasharray=\"4 3\"",
            Line::Dotted => " stroke-dasharray=\"1 2\"",
        };
        let shade = self.shade(shown.share);
        let place = format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{WIDTH}\" height=\"{height}\" rx=\"3\"");
        let _ = writeln!(svg, "<rect {place} fill=\"#FFFFFF\"/>");
        let _ = writeln!(svg, "<rect {place} fill=\"#C85200\" fill-opacity=\"{shade:.3}\" stroke=\"#222222\"{dash}/>");
        let (left, right) = (x + 7.0, x + WIDTH - 7.0);
        let words = self.words(shown);
        let Some(below) = words.below else {
            let operator = cut_end(&words.left, CHARACTERS - 4);
            let _ = writeln!(svg, "<text x=\"{left:.1}\" y=\"{:.1}\" font-size=\"11\">{operator}</text></g>", y + 14.0);
            return;
        };
        let _ = writeln!(
            svg,
            "<text x=\"{left:.1}\" y=\"{:.1}\" font-size=\"12\" font-weight=\"bold\">{}</text>\
             <text x=\"{right:.1}\" y=\"{:.1}\" font-size=\"12\" font-weight=\"bold\" text-anchor=\"end\">{}</text>\
             <text x=\"{left:.1}\" y=\"{:.1}\" font-size=\"10\">{}</text></g>",
            y + 16.0,
            cut_end(&words.left, 15),
            y + 16.0,
            escaped(&words.right),
            y + 31.0,
            cut_front(&below, CHARACTERS)
        );
    }

    /// What a reader sees who points at a box.
    fn hover(&self, shown: &Shown<'_>) -> String {
        if let [node] = &shown.nodes[..] {
            return self.hover_of(node);
        }
        let mut lines: Vec<String> = shown.nodes.iter().take(NAMED).map(|node| node.name.clone()).collect();
        if shown.nodes.len() > NAMED {
            lines.push(format!("and {} more", shown.nodes.len() - NAMED));
        }
        match shown.layers.len() {
            0 => lines.push("they make no error, by construction or before a later node".to_owned()),
            1 => lines.push(format!("1 layer, {} of the sum", percent_or_less(shown.share))),
            count => lines.push(format!("{count} layers, {} of the sum", percent_or_less(shown.share))),
        }
        lines.join("\n")
    }

    fn hover_of(&self, node: &GraphNode) -> String {
        let shape: Vec<String> = node.shape.iter().map(ToString::to_string).collect();
        let mut text = format!("{}\n{}, [{}], layout: {}", node.name, node.op, shape.join(", "), node.layout);
        let Some((place, layer)) = self.layer(node) else {
            text += match node.role {
                NodeRole::Later => "\nno layout: its error shows at a later node",
                NodeRole::Input => "",
                _ => "\nmakes no error, by construction",
            };
            return text;
        };
        let _ = write!(
            text,
            "\nlayer {}: {}, {}\ncontribution {}, {} of the sum",
            place + 1,
            layer.name,
            layer.class.name(),
            with_error(layer.contribution, layer.sem),
            percent(self.share(layer))
        );
        if let Some(share) = layer.signed_share {
            let _ = write!(text, "\nsigned share of L {}", percent(share));
        }
        for of in DefectPart::ALL {
            if let Some(part) = layer.part(of) {
                let _ = write!(text, "\n{} {}", of.name(), compact(part.contribution));
            }
        }
        if layer.sources > 1 {
            let _ = write!(text, "\nshared by {} nodes", layer.sources);
        }
        text
    }
}

fn drawing(boxes: &[Shown<'_>], edges: &[[usize; 2]]) -> Drawn {
    let tall = |shown: &Shown<'_>| shown.nodes.len() > 1 || !shown.layers.is_empty();
    let heights: Vec<f64> = boxes.iter().map(|shown| if tall(shown) { TALL } else { LOW }).collect();
    lay_out(WIDTH, &heights, edges)
}

/// The outline of a box.
enum Line {
    Whole,
    /// No error by construction.
    Dashed,
    /// The error shows later.
    Dotted,
}

fn look(shown: &Shown<'_>) -> Line {
    let all = |role: NodeRole| shown.nodes.iter().all(|node| node.role == role);
    if all(NodeRole::Later) {
        Line::Dotted
    } else if shown.layers.is_empty() && !all(NodeRole::Input) {
        Line::Dashed
    } else {
        Line::Whole
    }
}

/// As pixels or on a page, without hover texts.
impl Figure for LayersGraphFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let (boxes, edges) = self.boxes();
        let (width, height, _) = self.extent(&drawing(&boxes, &edges));
        (width.ceil() as u32, height.ceil() as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let (boxes, edges) = self.boxes();
        let drawn = drawing(&boxes, &edges);
        let (width, _, notes) = self.extent(&drawn);
        let margin = MARGIN as i32;
        let title = fit(root, &printable(&self.title()), &style::title(), width as i32 - 2 * margin)?;
        root.draw_text(&title, &style::title(), (margin, 14))?;
        for (line, note) in notes.iter().enumerate() {
            root.draw_text(&printable(note), &style::note(), (margin, 44 + (NOTE * line as f64) as i32))?;
        }
        let y = 64 + (NOTE * notes.len() as f64) as i32;
        let left = anchored(style::label(), HPos::Left, VPos::Center);
        root.draw_text("share of the sum of ‖J δ‖²", &left, (margin, y - 5))?;
        for (x, opacity, words) in self.scale() {
            let x = x as i32;
            root.draw(&Rectangle::new([(x, y - 13), (x + 24, y + 3)], SERIES[1].mix(opacity).filled()))?;
            root.draw(&Rectangle::new([(x, y - 13), (x + 24, y + 3)], INK.stroke_width(1)))?;
            root.draw_text(&words, &left, (x + 30, y - 5))?;
        }
        let top = TOP + NOTE * notes.len() as f64;
        let at = |x: f64, y: f64| ((x + MARGIN).round() as i32, (y + top).round() as i32);
        for path in &drawn.paths {
            let line: Vec<(i32, i32)> = path.iter().map(|[x, y]| at(*x, *y)).collect();
            root.draw(&PathElement::new(line, FAINT_INK.stroke_width(1)))?;
            if let Some([x, y]) = path.last() {
                let head = vec![at(x - 3.0, y - 5.0), at(*x, *y), at(x + 3.0, y - 5.0)];
                root.draw(&PathElement::new(head, FAINT_INK.stroke_width(1)))?;
            }
        }
        for (shown, &[x, y, height]) in boxes.iter().zip(&drawn.boxes) {
            self.draw_box(root, shown, [at(x, y), at(x + WIDTH, y + height)])?;
        }
        Ok(())
    }
}

impl LayersGraphFigure<'_> {
    fn draw_box<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        shown: &Shown<'_>,
        corners: [(i32, i32); 2],
    ) -> Result<(), FigureError> {
        let [(left, top), (right, bottom)] = corners;
        root.draw(&Rectangle::new(corners, WHITE.filled()))?;
        root.draw(&Rectangle::new(corners, SERIES[1].mix(self.shade(shown.share)).filled()))?;
        // Dashes of any kind are pale here: plotters has none for rectangles.
        let line = if matches!(look(shown), Line::Whole) { INK } else { FAINT_INK };
        root.draw(&Rectangle::new(corners, line.stroke_width(1)))?;
        let words = self.words(shown);
        let small = anchored(style::small(11.5, FontStyle::Normal), HPos::Left, VPos::Center);
        let Some(below) = words.below else {
            let text = fit(root, &printable(&words.left), &small, right - left - 14)?;
            root.draw_text(&text, &small, (left + 7, i32::midpoint(top, bottom)))?;
            return Ok(());
        };
        let bold = anchored(style::small(13.5, FontStyle::Bold), HPos::Left, VPos::Center);
        let number = root.estimate_text_size(&words.right, &bold)?.0 as i32;
        let text = fit(root, &printable(&words.left), &bold, right - left - 20 - number)?;
        root.draw_text(&text, &bold, (left + 7, top + 11))?;
        let end = anchored(style::small(13.5, FontStyle::Bold), HPos::Right, VPos::Center);
        root.draw_text(&words.right, &end, (right - 7, top + 11))?;
        let text = fit_end(root, &printable(&below), &small, right - left - 14)?;
        root.draw_text(&text, &small, (left + 7, top + 27))?;
        Ok(())
    }
}

/// What is not zero is not shown as zero.
fn short_percent(share: f64) -> String {
    if share > 0.0 && share < QUIET { "<0.1 %".to_owned() } else { percent(share) }
}

fn percent_or_less(share: f64) -> String {
    if share > 0.0 && share < QUIET { "less than 0.1 %".to_owned() } else { percent(share) }
}

/// Broken at its semicolons into lines of at most so many characters; a part that is longer has a line of its own.
fn in_lines(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in text.split("; ") {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 2 + part.chars().count() < most => {
                line.push_str("; ");
                line.push_str(part);
            }
            _ => lines.push(part.to_owned()),
        }
    }
    lines
}

/// Lines stay lines.
fn escaped_lines(text: &str) -> String {
    text.lines().map(escaped).collect::<Vec<_>>().join("\n")
}

fn cut_end(text: &str, most: usize) -> String {
    let cut = text.chars().count() > most;
    escaped(&if cut { text.chars().take(most - 1).chain(['…']).collect() } else { text.to_owned() })
}

fn cut_front(text: &str, most: usize) -> String {
    let count = text.chars().count();
    let cut = count > most;
    escaped(&if cut {
        ['…'].into_iter().chain(text.chars().skip(count + 1 - most)).collect()
    } else {
        text.to_owned()
    })
}
