//! What the group does to a network's output: nothing, or what it does to images, tokens, boxes or flows.
//!
//! A x = v·∇x takes x(u) to x(u + t v(u)), so what lay at p lies at p − t v(p) then. Hence, for an equivariant network,
//!
//! - an image, or tokens with places in it: A f = v·∇f, and saturation scales it;
//! - a box with its centre at c and sides s: A c = −v(c), A s_i = −V_ii s_i with V the linear part of v: the centre
//!   moves as a point, and the sides stretch with the axes (a box has no way to turn or lean);
//! - a flow F, which takes u to u + F(u): A F = v·∇F − V F.
//!
//! Saturation changes neither boxes nor flows. Both are in pixels of the network's input, x to the right, y down, 0 at
//! the outer edge of the first pixel.

use tch::{Kind, Tensor};

use crate::graph::layout::{Layout, PositionMap};
use crate::graph::operator::Torch;
use crate::graph::{Network, Target};
use crate::symmetry::{Axis, Combination, Generator, Grid, GridKind, Units};

use super::action::{ActionError, Actions};
use super::lee_error::LeeError;
use super::output::{ActionChoice, BoxFormat, ChosenBy, Output};
use super::run::Measured;

/// What the group does to the output.
#[derive(Clone, Debug, PartialEq)]
pub enum OutputAction {
    /// Nothing: a class vector stays, A f = 0.
    None,
    /// What it does to an image sampled on this grid, in half-widths.
    Image(Grid),
    /// What it does to tokens that lie so in the image.
    Tokens(PositionMap),
    /// What it does to boxes: their format, and the axis of their four numbers, counted from the end.
    Boxes(BoxFormat, i64),
    /// What it does to vectors (x, y) in pixels, channel by channel, on this grid.
    Flow(Grid),
}

/// What is measured of a network: the output or inner value, what comes after it, and how it moves.
pub(super) fn measured(network: &Network, function: Output, action: &OutputAction, why: &str) -> Measured {
    let chosen_by = match network.target() {
        Target::First => ChosenBy::FirstOutput,
        Target::Output(_) => ChosenBy::OutputName,
        Target::At(_) => ChosenBy::At,
    };
    let (name, action, reason) = (network.output().name.clone(), action.choice(), why.to_owned());
    Measured { name, chosen_by, function, action, reason }
}

/// Where samples lie, in which units.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub grid: GridKind,
    pub units: Units,
    pub input: Grid,
}

impl Place {
    pub fn of(&self, grid: &Grid) -> Grid {
        grid.placed(self.grid, self.units, &self.input)
    }
}

impl OutputAction {
    /// What it is, as the command line and results name it.
    pub const fn choice(&self) -> ActionChoice {
        match self {
            Self::None => ActionChoice::None,
            Self::Image(_) => ActionChoice::Image,
            Self::Tokens(_) => ActionChoice::Tokens,
            Self::Boxes(format, _) => ActionChoice::Boxes(*format),
            Self::Flow(_) => ActionChoice::Flow,
        }
    }

    /// Where the entries of the output lie, as far as the action moves them.
    pub(super) fn layout(&self) -> Layout {
        match self {
            Self::None | Self::Boxes(..) => Layout::NonSpatial,
            Self::Image(grid) | Self::Flow(grid) => Layout::planar(*grid),
            Self::Tokens(map) => Layout::Map(map.clone()),
        }
    }

    /// A f along `combination` of values `[images, shape…]`.
    pub(super) fn along(
        &self,
        combination: &Combination,
        value: &Tensor,
        actions: &mut Actions,
        place: &Place,
    ) -> Result<Tensor, ActionError> {
        match self {
            Self::None => Ok(value.f_zeros_like()?),
            Self::Image(grid) => Ok(actions.on(&place.of(grid))?.along(combination, value)?),
            Self::Tokens(map) => {
                let scaled = value.f_mul_scalar(combination.coefficient(Generator::Saturate))?;
                let Some(field) = combination.without(Generator::Saturate) else { return Ok(scaled) };
                let moved = actions.on(&place.of(&map.grid))?.along(&field, &map.gather(value)?)?;
                Ok(map.scatter(&moved, &value.size()[1..])?.f_add(&scaled)?)
            }
            Self::Boxes(format, axis) => {
                check(*format, &value.f_narrow(*axis, 0, 4)?)?;
                Ok(boxes(combination, value, (*format, *axis), &place.of(&place.input))?)
            }
            Self::Flow(grid) => {
                let Some(field) = combination.without(Generator::Saturate) else { return Ok(value.f_zeros_like()?) };
                let moved = actions.on(&place.of(grid))?.along(&field, value)?;
                Ok(moved.f_sub(&turned(&field, value)?)?)
            }
        }
    }
}

/// Refuses numbers that cannot be in the unit that the format says: boxes of an image are pixels apart, and lie hardly
/// beyond its edge.
fn check(boxes: BoxFormat, numbers: &Tensor) -> Result<(), ActionError> {
    let largest = numbers.f_abs()?.f_max()?.f_double_value(&[])?;
    let (said, wrong) = match boxes.is_of_one() {
        true => ("shares of the input's sides", largest > 4.0),
        false => ("pixels", largest > 0.0 && largest <= 1.5),
    };
    if !wrong {
        return Ok(());
    }
    let (format, other) = (boxes.name(), boxes.in_the_other_unit().name());
    Err(ActionError::BoxUnit { format, said, largest, other })
}

/// What a box's numbers change by, on the input's grid.
fn boxes(field: &Combination, value: &Tensor, (format, axis): (BoxFormat, i64), input: &Grid) -> Torch<Tensor> {
    let a = |generator| field.coefficient(generator);
    // What one unit of a box's numbers is in pixels, along x and y in turn.
    let unit = |samples: usize| if format.is_of_one() { samples as f64 } else { 1.0 };
    let units = [unit(input.columns.samples), unit(input.rows.samples)];
    let part = |i: i64| value.f_narrow(axis, i, 1)?.f_mul_scalar(units[i as usize % 2]);
    let (x, y, w, h) = if format.has_corners() {
        let middle = |a: i64| part(a)?.f_add(&part(a + 2)?)?.f_mul_scalar(0.5);
        (middle(0)?, middle(1)?, part(2)?.f_sub(&part(0)?)?, part(3)?.f_sub(&part(1)?)?)
    } else {
        (part(0)?, part(1)?, part(2)?, part(3)?)
    };
    // Pixel 0 is centred on 0.5.
    let position = |p: &Tensor, axis: &Axis| p.f_sub_scalar(0.5)?.f_mul_scalar(axis.pitch)?.f_add_scalar(axis.origin);
    let (u, v) = (position(&x, &input.columns)?, position(&y, &input.rows)?);
    let velocity = |[constant, along_x, along_y]: [Generator; 3], pitch: f64| {
        let sum = u.f_mul_scalar(a(along_x))?.f_add(&v.f_mul_scalar(a(along_y))?)?.f_add_scalar(a(constant))?;
        sum.f_mul_scalar(-1.0 / pitch)
    };
    let dx = velocity([Generator::TranslateX, Generator::StretchX, Generator::ShearX], input.columns.pitch)?;
    let dy = velocity([Generator::TranslateY, Generator::ShearY, Generator::StretchY], input.rows.pitch)?;
    let dw = w.f_mul_scalar(-a(Generator::StretchX))?;
    let dh = h.f_mul_scalar(-a(Generator::StretchY))?;
    let four = if format.has_corners() {
        let (w, h) = (dw.f_mul_scalar(0.5)?, dh.f_mul_scalar(0.5)?);
        [dx.f_sub(&w)?, dy.f_sub(&h)?, dx.f_add(&w)?, dy.f_add(&h)?]
    } else {
        [dx, dy, dw, dh]
    };
    let rest = value.size()[(value.dim() as i64 + axis) as usize] - 4;
    let [a, b, c, d] = four
        .iter()
        .enumerate()
        .map(|(i, n)| n.f_div_scalar(units[i % 2]))
        .collect::<Torch<Vec<_>>>()?
        .try_into()
        .map_err(|_| tch::TchError::Torch("a box has four numbers".to_owned()))?;
    let still = value.f_narrow(axis, 4, rest)?.f_zeros_like()?;
    Tensor::f_cat(&[&a, &b, &c, &d, &still], axis)
}

/// V F: the linear part of the field applied to vectors in pixels, which are square, `[…, 2, rows, columns]`.
fn turned(field: &Combination, value: &Tensor) -> Torch<Tensor> {
    let a = |generator| field.coefficient(generator);
    let matrix = [a(Generator::StretchX), a(Generator::ShearX), a(Generator::ShearY), a(Generator::StretchY)];
    let matrix = Tensor::f_from_slice(&matrix)?.f_view([2, 2])?.f_to_kind(Kind::Double)?;
    let matrix = matrix.f_to_device(value.device())?.f_to_kind(value.kind())?;
    let size = value.size();
    matrix.f_matmul(&value.f_flatten(-2, -1)?)?.f_reshape(size)
}

/// The function of the output that is measured, what the group does to it, and why.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    pub output: Output,
    pub action: OutputAction,
    /// A sentence or two.
    pub why: String,
}

/// Which function of the output to measure and how it moves: as asked, or by its name, last operator and shape.
pub(super) fn choose(
    network: &Network,
    output: Option<Output>,
    action: Option<ActionChoice>,
) -> Result<Chosen, LeeError> {
    let moves = !matches!(action, None | Some(ActionChoice::None));
    let chosen = match output {
        None if moves => Output::Identity,
        asked => behind_output(network, asked)?,
    };
    let made = match action {
        None => by_shape(network)?,
        Some(choice) => asked(network, choice)?,
    };
    let why = reason(network, (chosen, output.is_some()), &made, action.is_some());
    Ok(Chosen { output: chosen, action: made, why })
}

/// The action that is asked for, where the output has what it takes.
fn asked(network: &Network, choice: ActionChoice) -> Result<OutputAction, LeeError> {
    let (shape, layout) = (&network.output().shape, &network.output().layout);
    let refused =
        |action: &'static str, problem: &'static str| LeeError::NoAction { action, shape: shape.clone(), problem };
    match (choice, layout) {
        (ActionChoice::None, _) => Ok(OutputAction::None),
        (ActionChoice::Image, Layout::Map(map)) if map.is_planar() => {
            Ok(OutputAction::Image(image_grid(network, &map.grid)))
        }
        (ActionChoice::Image, _) => {
            Err(refused("image", "needs rows and columns on the last two axes whose places in the input are known"))
        }
        (ActionChoice::Tokens, Layout::Map(map)) => Ok(OutputAction::Tokens(map.clone())),
        (ActionChoice::Tokens, _) => Err(refused("tokens", "needs tokens whose places in the input are known")),
        (ActionChoice::Boxes(format), _) => match shape[..] {
            [1, a, b] if a >= 4 && a < b => Ok(OutputAction::Boxes(format, -2)),
            [1, a, b] if b >= 4 && b < a => Ok(OutputAction::Boxes(format, -1)),
            _ => Err(refused(
                "boxes",
                "needs [1, numbers, boxes] or [1, boxes, numbers], four numbers or more of each box and more boxes than those",
            )),
        },
        (ActionChoice::Flow, Layout::Map(map)) if map.is_planar() && shape[1] == 2 => {
            Ok(OutputAction::Flow(image_grid(network, &map.grid)))
        }
        (ActionChoice::Flow, _) => {
            Err(refused("flow", "needs two channels of rows and columns whose places in the input are known"))
        }
    }
}

/// The choice in words.
fn reason(network: &Network, (output, asked): (Output, bool), action: &OutputAction, given: bool) -> String {
    let info = network.output();
    let shape = info.shape.iter().map(i64::to_string).collect::<Vec<_>>().join("×");
    let what = if network.is_inner() { "inner value" } else { "output" };
    let says = if given { format!(", as --action {} says", action.choice()) } else { String::new() };
    match action {
        OutputAction::None if given => format!("No generator moves the {what} ({shape}){says}."),
        OutputAction::None => match (output, &info.layout) {
            (Output::Softmax, _) if !asked => format!(
                "Softmax over {} class scores is assumed, which no generator moves; give --output identity for a regression.",
                info.shape.last().copied().unwrap_or(0)
            ),
            (Output::Identity, Layout::Map(map)) => format!(
                "The {what} ({shape}) is taken as vectors that no generator moves; its {}×{} tokens have places in the \
                 image, and --action tokens moves them.",
                map.grid.rows.samples, map.grid.columns.samples
            ),
            (Output::Identity, Layout::Unknown) if network.is_inner() => format!(
                "Where the entries of the inner value ({shape}) lie is not certain: it is taken as a vector that no generator \
                 moves."
            ),
            (Output::Identity, _) => format!("The {what} ({shape}) is taken as a vector that no generator moves."),
            (Output::Softmax | Output::Logits, _) => {
                format!(
                    "The {what} is taken as {} class scores, which no generator moves.",
                    shape.trim_start_matches("1×")
                )
            }
        },
        OutputAction::Image(_) => {
            let why = if given { says } else { ", since it has rows and columns".to_owned() };
            format!("The {what} ({shape}) is taken as an image{why}: spatial generators move it, saturate scales it.")
        }
        OutputAction::Tokens(map) if map.is_channels_last() && !given => format!(
            "The {what} ({shape}) is taken as an image, channels last, as the places of its entries are known: spatial \
             generators move it, saturate scales it."
        ),
        OutputAction::Tokens(map) => {
            let why = if given { says } else { ", since their places in the image are known".to_owned() };
            format!(
                "The {what} ({shape}) is taken as {}×{} tokens of an image{why}: spatial generators move them, saturate \
                 scales them.",
                map.grid.rows.samples, map.grid.columns.samples
            )
        }
        OutputAction::Boxes(format, axis) => {
            let boxes = info.shape[if *axis == -2 { 2 } else { 1 }];
            let unit = if format.is_of_one() { "as shares of the input's sides" } else { "in pixels of the input" };
            let format = if format.has_corners() { "two corners" } else { "centre, width, height" };
            format!(
                "The {what} ({shape}) is taken as {boxes} boxes ({format}, {unit}){says}: centres move with \
                 the image, sides stretch with it, and nothing else moves."
            )
        }
        OutputAction::Flow(_) => format!(
            "The {what} ({shape}) is taken as a flow (x, y, in pixels){says}: vectors move with the image and turn with it, \
             saturate leaves them."
        ),
    }
}

/// Which function of the output to measure, and what the group does to it, by its shape.
pub(super) fn choose_output(network: &Network, asked: Option<Output>) -> Result<(Output, OutputAction), LeeError> {
    Ok((behind_output(network, asked)?, by_shape(network)?))
}

/// Which function of the output to measure.
pub(super) fn behind_output(network: &Network, asked: Option<Output>) -> Result<Output, LeeError> {
    let shape = &network.output().shape;
    let is_class_vector = matches!(shape[..], [1, classes] if classes > 1);
    match asked {
        Some(output @ (Output::Softmax | Output::Logits)) if !is_class_vector => {
            Err(LeeError::NotClasses { output: output.name(), shape: shape.clone() })
        }
        Some(output) => Ok(output),
        None if is_class_vector && !network.is_inner() && may_be_scores(network) => Ok(Output::Softmax),
        None => Ok(Output::Identity),
    }
}

/// Whether nothing speaks against an output vector being class scores: a sigmoid, tanh or softmax at its end, or a name
/// that says what else it is.
fn may_be_scores(network: &Network) -> bool {
    const OTHERS: [&str; 8] = ["landmark", "keypoint", "embedding", "feature", "box", "pose", "coord", "regress"];
    let name = network.output().name.to_lowercase();
    network.bound().is_none() && !OTHERS.iter().any(|other| name.contains(other))
}

/// What the group does to the output, by its shape: an image moves. Of an inner value all moves whose place is known.
pub(super) fn by_shape(network: &Network) -> Result<OutputAction, LeeError> {
    let output = network.output();
    let image_like = matches!(output.shape[..], [1, _, rows, columns] if rows > 1 && columns > 1);
    match (&output.layout, output.layout.plane()) {
        (_, Some(grid)) if image_like => Ok(OutputAction::Image(image_grid(network, &grid))),
        (Layout::Map(map), _) if network.is_inner() => Ok(OutputAction::Tokens(map.clone())),
        // The same pixels as channels first, in another order of axes.
        (Layout::Map(map), _) if map.is_channels_last() => {
            Ok(OutputAction::Tokens(PositionMap { grid: as_image(network, &map.grid), ..map.clone() }))
        }
        (Layout::NonSpatial, _) if network.is_inner() => Ok(OutputAction::None),
        _ if image_like => Err(LeeError::UnknownGrid(output.shape.clone())),
        _ => Ok(OutputAction::None),
    }
}

/// The grid on which a value that is an image moves: an inner one where its samples were tracked, as it moves on the
/// way to the output, so that its error is the one that `layers` states at that depth; an output as [`as_image`] has
/// it.
pub(super) fn image_grid(network: &Network, tracked: &Grid) -> Grid {
    if network.is_inner() { *tracked } else { as_image(network, tracked) }
}

/// The grid of an output that is an image: where its samples are cells that cover the input's plane, they are that
/// image's pixels, whatever fraction of a pixel the strides and paddings before it have moved their nominal centres.
fn as_image(network: &Network, tracked: &Grid) -> Grid {
    let Some(input) = network.input().layout.plane() else { return *tracked };
    let covers = |axis: &Axis, image: &Axis| (axis.extent() - image.extent()).abs() < 1e-9 * image.extent();
    if covers(&tracked.rows, &input.rows) && covers(&tracked.columns, &input.columns) {
        input.covered_by(tracked.rows.samples, tracked.columns.samples, GridKind::Tracked)
    } else {
        *tracked
    }
}
