//! The network's graph, every node in the shade of what its layer contributes; written as SVG by hand, since plotters
//! has no hover texts.

use std::fmt::Write;

use super::graph_layout::lay_out;
use super::layer_looks::{classes, letter, percent, short_name, sum, what, with_error};
use super::markup::escaped;
use super::number::compact;
use crate::measure::layer_graph::{GraphNode, LayerGraph, NodeRole};
use crate::measure::layers_report::{DefectPart, LayerReport, LayerResults, LayersReport};

/// The graph of one attribution.
#[derive(Clone, Copy, Debug)]
pub struct LayersGraphFigure<'a> {
    /// The report.
    pub report: &'a LayersReport,
    /// The attribution in it that is drawn.
    pub results: &'a LayerResults,
    /// The graph that belongs to it.
    pub graph: &'a LayerGraph,
}

const WIDTH: f64 = 176.0;
/// A node with an error has two lines.
const SOURCE: f64 = 34.0;
const OTHER: f64 = 18.0;
const MARGIN: f64 = 28.0;
const TOP: f64 = 92.0;
/// A line of the notes above it.
const NOTE: f64 = 20.0;
/// The mean width of a letter of the notes, rather too large.
const LETTER: f64 = 7.8;
/// Characters that fit into a node's second line.
const CHARACTERS: usize = 28;
/// The deepest shade lets dark and light text be read on it.
const DEEPEST: f64 = 0.85;

impl LayersGraphFigure<'_> {
    /// The picture as the text of an SVG file, on white.
    pub fn svg(&self) -> String {
        let heights: Vec<f64> = self.graph.nodes.iter().map(|node| self.height(node)).collect();
        let drawn = lay_out(WIDTH, &heights, &self.graph.edges);
        let width = (drawn.width + 2.0 * MARGIN).max(760.0);
        let notes = self.notes(width);
        let top = TOP + NOTE * notes.len() as f64;
        let height = drawn.height + top + MARGIN;
        let mut svg = format!(
            "<svg width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             xmlns=\"http://www.w3.org/2000/svg\" font-family=\"DejaVu Sans, Verdana, sans-serif\" fill=\"#222222\">\n\
             <rect width=\"{width:.0}\" height=\"{height:.0}\" fill=\"#FFFFFF\"/>\n"
        );
        self.header(&mut svg, &notes);
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
        for (node, &[x, y, height]) in self.graph.nodes.iter().zip(&drawn.boxes) {
            self.node(&mut svg, node, [x, y, height]);
        }
        svg.push_str("</g>\n</svg>\n");
        svg
    }

    fn height(&self, node: &GraphNode) -> f64 {
        if self.layer(node).is_some() { SOURCE } else { OTHER }
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

    /// The opacity of a share's shade: by its root, so that small ones are seen.
    fn shade(&self, share: f64) -> f64 {
        let most = self.results.layers.iter().map(|l| self.share(l)).fold(0.0, f64::max);
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
        let most = ((width - 2.0 * MARGIN) / LETTER) as usize;
        let mut lines = in_lines(&what(self.results), most);
        lines.extend(in_lines(&letters.join("; "), most));
        lines
    }

    fn header(&self, svg: &mut String, notes: &[String]) {
        let text = |svg: &mut String, (x, y): (f64, f64), size: i32, attributes: &str, text: &str| {
            let _ =
                writeln!(svg, "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{attributes}>{}</text>", escaped(text));
        };
        let title = format!("Where {} makes its error", short_name(&self.report.run));
        text(svg, (MARGIN, 34.0), 20, " font-weight=\"bold\"", &title);
        let mut y = 56.0;
        for note in notes {
            text(svg, (MARGIN, y), 13, " fill=\"#5C5C5C\"", note);
            y += NOTE;
        }
        y += 8.0;
        let most = self.results.layers.iter().map(|l| self.share(l)).fold(0.0, f64::max);
        text(svg, (MARGIN, y), 13, "", "share of the sum of ‖J δ‖²");
        for (i, part) in [0.0, 0.0625, 0.25, 0.5625, 1.0].into_iter().enumerate() {
            let x = MARGIN + 210.0 + 92.0 * i as f64;
            let opacity = DEEPEST * f64::sqrt(part);
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{}\" width=\"24\" height=\"16\" fill=\"#C85200\" fill-opacity=\"{opacity:.3}\" \
                 stroke=\"#222222\"/>",
                y - 13.0
            );
            text(svg, (x + 30.0, y), 13, "", &percent(part * most));
        }
    }

    fn node(&self, svg: &mut String, node: &GraphNode, [x, y, height]: [f64; 3]) {
        let layer = self.layer(node);
        let target = layer.map_or_else(String::new, |(place, _)| format!(" data-layer=\"{place}\""));
        let _ = writeln!(svg, "<g{target}><title>{}</title>", escaped_lines(&self.hover(node)));
        let (dash, shade) = match node.role {
            NodeRole::Exact => (" stroke-dasharray=\"4 3\"", 0.0),
            NodeRole::Later => (" stroke-dasharray=\"1 2\"", 0.0),
            NodeRole::Input => ("", 0.0),
            NodeRole::Source(_) => ("", layer.map_or(0.0, |(_, layer)| self.shade(self.share(layer)))),
        };
        let place = format!("x=\"{x:.1}\" y=\"{y:.1}\" width=\"{WIDTH}\" height=\"{height}\" rx=\"3\"");
        let _ = writeln!(svg, "<rect {place} fill=\"#FFFFFF\"/>");
        let _ = writeln!(svg, "<rect {place} fill=\"#C85200\" fill-opacity=\"{shade:.3}\" stroke=\"#222222\"{dash}/>");
        let (left, right) = (x + 7.0, x + WIDTH - 7.0);
        let Some((_, layer)) = layer else {
            let operator = cut_end(&node.op, CHARACTERS);
            let _ = writeln!(svg, "<text x=\"{left:.1}\" y=\"{:.1}\" font-size=\"10\">{operator}</text></g>", y + 13.0);
            return;
        };
        let _ = writeln!(
            svg,
            "<text x=\"{left:.1}\" y=\"{:.1}\" font-size=\"11\" font-weight=\"bold\">{}  {}</text>\
             <text x=\"{right:.1}\" y=\"{:.1}\" font-size=\"11\" font-weight=\"bold\" text-anchor=\"end\">{}</text>\
             <text x=\"{left:.1}\" y=\"{:.1}\" font-size=\"9\">{}</text></g>",
            y + 14.0,
            letter(layer.class),
            cut_end(&node.op, 14),
            y + 14.0,
            short_percent(self.share(layer)),
            y + 27.0,
            cut_front(&layer.name, CHARACTERS)
        );
    }

    /// What a reader sees who points at a node.
    fn hover(&self, node: &GraphNode) -> String {
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

/// What is not zero is not shown as zero.
fn short_percent(share: f64) -> String {
    if share > 0.0 && share < 0.001 { "&lt;0.1 %".to_owned() } else { percent(share) }
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
