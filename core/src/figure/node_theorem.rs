//! The theorem on the nodes of a network: prediction against measurement.

use plotters::backend::DrawingBackend;
use plotters::chart::ChartBuilder;
use plotters::element::PathElement;
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, FontTransform, RGBColor, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::marks::Shape;
use super::number::power_of_ten;
use super::style::{self, FAINT_INK, GRID, INK, SERIES, anchored, draw_note, fit, fit_end, printable};
use crate::measure::node_theorem_report::{NodeTheorem, NodeTheoremReport};

/// Left: predicted against measured defect, one mark per node. Right: how far the two fields are apart, node by node.
#[derive(Clone, Copy, Debug)]
pub struct NodeTheoremFigure<'a>(pub &'a NodeTheoremReport);

const HEIGHT: u32 = 620;
const MARGIN: i32 = 28;
/// Where panels begin, below title, note and legend.
const TOP: u32 = 104;
const LEFT_PANEL: u32 = 560;
/// The right panel's least width, its room for a node, and what is left of it and right of it.
const LEAST_RIGHT: u32 = 620;
const PITCH: u32 = 17;
const BESIDE: u32 = 118;
/// Below the right panel, for the nodes' names.
const MOST_FOR_NAMES: i32 = 160;
/// More nodes than these have no names.
const MOST_NAMED: usize = 90;
/// From its middle to its edge.
const MARK: i32 = 6;

/// Shape and colour of a kind; shapes differ, so that grey print loses nothing.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Convolution,
    Average,
    Maximum,
    Activation,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Convolution, Self::Average, Self::Maximum, Self::Activation];

    fn name(self) -> &'static str {
        match self {
            Self::Convolution => "strided convolution",
            Self::Average => "average pooling",
            Self::Maximum => "max pooling",
            Self::Activation => "activation",
        }
    }

    fn of(node: &NodeTheorem) -> Self {
        Self::ALL.into_iter().find(|kind| kind.name() == node.kind).unwrap_or(Self::Activation)
    }

    fn color(self) -> RGBColor {
        match self {
            Self::Convolution => SERIES[0],
            Self::Average => SERIES[2],
            Self::Maximum => SERIES[3],
            Self::Activation => SERIES[1],
        }
    }

    fn shape(self) -> Shape {
        match self {
            Self::Convolution => Shape::Circle,
            Self::Average => Shape::Square,
            Self::Maximum => Shape::Triangle,
            Self::Activation => Shape::Diamond,
        }
    }

    fn mark<DB: DrawingBackend>(self, area: &Area<DB>, at: (i32, i32)) -> Result<(), FigureError> {
        self.shape().draw(area, at, MARK, self.color())
    }
}

impl Figure for NodeTheoremFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let nodes = self.0.nodes.len().min(MOST_NAMED) as u32;
        let right = (BESIDE + PITCH * nodes).max(LEAST_RIGHT);
        (LEFT_PANEL + right, HEIGHT + names_room(&self.0.nodes) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.0;
        let numbers =
            report.nodes.iter().flat_map(|node| [Some(node.predicted), Some(node.measured), node.relative_difference]);
        if numbers.flatten().any(|number| !number.is_finite()) {
            return Err(FigureError::NotFinite("the report holds NaN or infinity".to_owned()));
        }
        self.header(root)?;
        let (_, panels) = root.split_vertically(TOP);
        let (left, right) = panels.split_horizontally(LEFT_PANEL);
        // Both panels are as high, names below the right one left aside.
        let (left, _) = left.split_vertically(HEIGHT - TOP);
        scatter(&left, &report.nodes)?;
        differences(&right, &report.nodes)
    }
}

impl NodeTheoremFigure<'_> {
    fn header<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.0;
        let width = self.size().0 as i32 - 2 * MARGIN;
        let model = report.run.model.name();
        let title = format!("The aliasing theorem on the nodes of {}", printable(model));
        root.draw_text(&fit(root, &title, &style::title(), width)?, &style::title(), (MARGIN, 16))?;
        let images = match &report.run.images.names[..] {
            [name] => name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned(),
            names => format!("{} images", names.len()),
        };
        let velocity = report.velocity.map(|v| v.to_string().replace('-', "−"));
        let mut note = format!(
            "mean square of the defect on {images}, v = ({}, {}) lengths of the torus, {}",
            velocity[0],
            velocity[1],
            report.run.arithmetic()
        );
        if let Some(truncation) = report.nodes.iter().find_map(|node| node.truncation) {
            note += &format!("; nonlinear nodes are predicted on a grid {} × finer", truncation.oversample);
        }
        draw_note(root, &printable(&note), (MARGIN, 48), width)?;
        let mut x = MARGIN + 8;
        for kind in Kind::ALL {
            let count = report.nodes.iter().filter(|node| Kind::of(node) == kind).count();
            if count == 0 {
                continue;
            }
            let text = format!("{} ({count})", kind.name());
            kind.mark(root, (x, 82))?;
            root.draw_text(&text, &anchored(style::label(), HPos::Left, VPos::Center), (x + 14, 82))?;
            x += 44 + root.estimate_text_size(&text, &style::label())?.0 as i32;
        }
        if report.nodes.iter().any(|node| node.truncation.is_some()) {
            dash(root, (x, 82))?;
            let text = "change when that grid was last doubled";
            root.draw_text(text, &anchored(style::label(), HPos::Left, VPos::Center), (x + 16, 82))?;
        }
        Ok(())
    }
}

/// The room for upright names of nodes below the right panel, beyond that of the left panel's axis.
fn names_room(nodes: &[NodeTheorem]) -> i32 {
    if nodes.len() > MOST_NAMED {
        return 0;
    }
    let longest = nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or(0);
    (longest as i32 * 7 + 12 - 40).clamp(0, MOST_FOR_NAMES - 40)
}

/// What a grid twice as coarse left out.
fn dash<DB: DrawingBackend>(area: &Area<DB>, (x, y): (i32, i32)) -> Result<(), FigureError> {
    area.draw(&PathElement::new(vec![(x - 8, y), (x + 8, y)], WHITE.stroke_width(4)))?;
    area.draw(&PathElement::new(vec![(x - 8, y), (x + 8, y)], INK.stroke_width(2)))?;
    Ok(())
}

/// Whole decades around positive values, as exponents.
fn decades(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let logs = values.filter(|value| *value > 0.0).map(f64::log10);
    let (least, most) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), log| (low.min(log), high.max(log)));
    let (first, last) = ((least - 0.05).floor(), (most + 0.05).ceil());
    first.is_finite().then_some((first, last.max(first + 1.0)))
}

fn decade_label(exponent: &f64) -> String {
    if exponent.fract().abs() < 1e-9 { power_of_ten(exponent.round() as i32) } else { String::new() }
}

/// Labels of an axis over so many decades, so that they fall on whole ones.
fn labels((first, last): (f64, f64)) -> usize {
    (last - first) as usize + 1
}

fn nothing<DB: DrawingBackend>(area: &Area<DB>, text: &str) -> Result<(), FigureError> {
    let (width, height) = area.dim_in_pixel();
    let centred = anchored(style::axis(), HPos::Center, VPos::Center);
    area.draw_text(text, &centred, (width as i32 / 2, height as i32 / 2))?;
    Ok(())
}

fn scatter<DB: DrawingBackend>(area: &Area<DB>, nodes: &[NodeTheorem]) -> Result<(), FigureError> {
    let drawn: Vec<&NodeTheorem> = nodes.iter().filter(|node| node.predicted > 0.0 && node.measured > 0.0).collect();
    let Some(reach) = decades(drawn.iter().flat_map(|node| [node.predicted, node.measured])) else {
        return nothing(area, "no node has a defect");
    };
    let mut chart = ChartBuilder::on(area)
        .margin_top(8)
        .margin_right(18)
        .margin_bottom(12)
        .margin_left(16)
        .x_label_area_size(54)
        .y_label_area_size(74)
        .build_cartesian_2d(reach.0..reach.1, reach.0..reach.1)?;
    chart
        .configure_mesh()
        .light_line_style(GRID.mix(0.0))
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_desc("measured")
        .y_desc("predicted")
        .axis_desc_style(style::axis())
        .label_style(style::label())
        .x_labels(labels(reach))
        .y_labels(labels(reach))
        .x_label_formatter(&decade_label)
        .y_label_formatter(&decade_label)
        .draw()?;
    let ends = vec![(reach.0, reach.0), (reach.1, reach.1)];
    chart.draw_series([PathElement::new(ends, FAINT_INK.stroke_width(1))])?;
    let (base_x, base_y) = area.get_base_pixel();
    let place = |x: f64, y: f64| {
        let (x, y) = chart.backend_coord(&(x, y));
        (x - base_x, y - base_y)
    };
    let (x, y) = place(reach.1, reach.1);
    area.draw_text("equal", &anchored(style::note(), HPos::Right, VPos::Top), (x - 40, y + 10))?;
    // Convolutions last: exact ones may not hide below others.
    for kind in [Kind::Activation, Kind::Maximum, Kind::Average, Kind::Convolution] {
        for node in drawn.iter().filter(|node| Kind::of(node) == kind) {
            kind.mark(area, place(node.measured.log10(), node.predicted.log10()))?;
        }
    }
    let hidden = nodes.len() - drawn.len();
    if hidden > 0 {
        let text = format!("not drawn: {hidden} without a defect");
        let (x, y) = place(reach.1, reach.0);
        area.draw_text(&text, &anchored(style::note(), HPos::Right, VPos::Bottom), (x - 6, y - 6))?;
    }
    Ok(())
}

fn differences<DB: DrawingBackend>(area: &Area<DB>, nodes: &[NodeTheorem]) -> Result<(), FigureError> {
    let all = nodes.iter().flat_map(|node| [node.relative_difference, node.truncation.map(|t| t.field_change)]);
    // Rounding has no floor in a double; below this it is all the same.
    const FLOOR: f64 = 1e-17;
    let Some((first, last)) = decades(all.flatten().map(|value| value.max(FLOOR))) else {
        return nothing(area, "nothing was measured");
    };
    let last = last.max(0.0);
    let named = nodes.len() <= MOST_NAMED;
    let count = nodes.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .margin_top(8)
        .margin_right(28)
        .margin_bottom(12)
        .margin_left(10)
        .x_label_area_size(54 + names_room(nodes))
        .y_label_area_size(80)
        .build_cartesian_2d(0.3..count + 0.7, first..last)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(GRID.mix(0.0))
        .bold_line_style(GRID)
        .axis_style(INK)
        .x_desc(if named { "" } else { "node, in the order of the network" })
        .y_desc("‖predicted − measured‖ / ‖measured‖")
        .axis_desc_style(style::axis())
        .label_style(style::label())
        .x_labels(if named { 0 } else { 8 })
        .y_labels(labels((first, last)))
        .x_label_formatter(&|x| if x.fract() == 0.0 && *x > 0.0 { format!("{x:.0}") } else { String::new() })
        .y_label_formatter(&decade_label)
        .draw()?;
    let (base_x, base_y) = area.get_base_pixel();
    let place = |x: f64, y: f64| {
        let (x, y) = chart.backend_coord(&(x, y.max(FLOOR).log10()));
        (x - base_x, y - base_y)
    };
    for (index, node) in nodes.iter().enumerate() {
        let at = index as f64 + 1.0;
        if let Some(truncation) = node.truncation {
            dash(area, place(at, truncation.field_change))?;
        }
        if let Some(difference) = node.relative_difference {
            Kind::of(node).mark(area, place(at, difference))?;
        }
    }
    if named {
        let small = style::note().color(&INK).transform(FontTransform::Rotate270);
        let upright = anchored(small, HPos::Right, VPos::Center);
        for (index, node) in nodes.iter().enumerate() {
            let (x, y) = place(index as f64 + 1.0, 10f64.powf(first));
            let name = fit_end(area, &printable(&node.name), &style::note(), 36 + names_room(nodes))?;
            area.draw_text(&name, &upright, (x, y + 10))?;
        }
    }
    Ok(())
}
