//! The figure of `aliascope lee`: LEE per generator and the symmetry spectrum.

use plotters::backend::DrawingBackend;
use plotters::element::{Circle, PathElement};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::decades::Decades;
use super::field::draw_field;
use super::number::compact;
use super::style::{self, FAINT_INK, GRID, INK, SERIES, anchored, draw_note, fit, note_fits, printable};
use crate::measure::lee_report::{GeneratorLee, InputUnits, LeeReport};
use crate::measure::output::ActionChoice;
use crate::statistics::Interval;
use crate::symmetry::{MEASURED, Named, Units};

/// Dots with intervals of LEE per generator on a logarithmic axis, beside the eigenvalues and vector fields of the symmetry
/// spectrum.
#[derive(Clone, Copy, Debug)]
pub struct LeeFigure<'a>(pub &'a LeeReport);

const HEIGHT: i32 = 760;
const MARGIN: i32 = 28;
/// Where panels begin, below title and subtitle.
const TOP: i32 = 112;
/// The panel of LEE.
const DOTS_WIDTH: i32 = 620;
/// The panel of one direction.
const DIRECTION_WIDTH: i32 = 212;
const DIRECTIONS_PER_ROW: i32 = 3;

impl Figure for LeeFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let spectrum =
            if self.0.symmetry_spectrum.is_empty() { 0 } else { MARGIN + DIRECTIONS_PER_ROW * DIRECTION_WIDTH };
        ((2 * MARGIN + DOTS_WIDTH + spectrum) as u32, HEIGHT as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.0;
        check(report)?;
        draw_header(root, report, self.size().0 as i32 - 2 * MARGIN)?;
        draw_generators(root, report)?;
        draw_spectrum(root, report, 2 * MARGIN + DOTS_WIDTH)
    }
}

/// One of the two panels alone.
#[derive(Clone, Copy, Debug)]
pub enum LeePart<'a> {
    /// LEE per generator.
    Generators(&'a LeeReport),
    /// The symmetry spectrum.
    Spectrum(&'a LeeReport),
}

impl Figure for LeePart<'_> {
    fn size(&self) -> (u32, u32) {
        let width = match self {
            Self::Generators(_) => DOTS_WIDTH,
            Self::Spectrum(_) => DIRECTIONS_PER_ROW * DIRECTION_WIDTH,
        };
        ((2 * MARGIN + width) as u32, HEIGHT as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let (Self::Generators(report) | Self::Spectrum(report)) = self;
        check(report)?;
        draw_header(root, report, self.size().0 as i32 - 2 * MARGIN)?;
        match self {
            Self::Generators(_) => draw_generators(root, report),
            Self::Spectrum(_) => draw_spectrum(root, report, MARGIN),
        }
    }
}

/// Numbers that have a place on an axis.
fn check(report: &LeeReport) -> Result<(), FigureError> {
    let all_finite = report.generators.values().all(|g| Shown::of(g).is_finite())
        && report.symmetry_spectrum.iter().all(|direction| direction.eigenvalue.is_finite());
    match all_finite {
        true => Ok(()),
        false => Err(FigureError::NotFinite("the report holds NaN or infinity".to_owned())),
    }
}

fn draw_header<DB: DrawingBackend>(root: &Area<DB>, report: &LeeReport, width: i32) -> Result<(), FigureError> {
    let model = report.run.model.name();
    let title = fit(root, &format!("Equivariance error of {}", printable(model)), &style::title(), width)?;
    root.draw_text(&title, &style::title(), (MARGIN, 16))?;
    let images = report.run.images.in_words();
    let unit = if report.run.lie().units == Units::Pixel { "pixels" } else { "half-widths of the image" };
    let action = match report.run.output.as_ref().map(|output| output.action).unwrap_or_default() {
        ActionChoice::None => "not moved by the transforms".to_owned(),
        ActionChoice::Image => "moved by the transforms as an image is".to_owned(),
        other => format!("moved by the transforms as {other}"),
    };
    let chosen = |preprocess: &str| {
        let (output, arithmetic) = (report.run.function(), report.run.arithmetic());
        format!("output: {output}, {action}; preprocessing: {preprocess}; {arithmetic}")
    };
    // In a panel alone there is no room for what a preprocessing's name stands for.
    let preprocess = report.run.images.preprocess.to_string();
    let named = preprocess.split(" (").next().unwrap_or_default();
    let chosen = match note_fits(root, &printable(&chosen(&preprocess)), width)? {
        true => chosen(&preprocess),
        false => chosen(named),
    };
    let subtitles = [
        format!(
            "{images}; t in {unit}; {} derivative, {} boundary, {} grid",
            report.run.lie().derivative,
            report.run.lie().boundary,
            report.run.lie().grid
        ),
        chosen,
    ];
    for (line, subtitle) in subtitles.iter().enumerate() {
        draw_note(root, &printable(subtitle), (MARGIN, 48 + 20 * line as i32), width)?;
    }
    Ok(())
}

/// What a dot stands for; those of one kind stand together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Measured,
    Derived,
    Asked,
}

impl Origin {
    fn of(name: &str) -> Self {
        if MEASURED.iter().any(|generator| generator.name() == name) {
            Self::Measured
        } else if Named::ALL.iter().any(|named| named.name() == name) {
            Self::Derived
        } else {
            Self::Asked
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Derived => "derived by linearity",
            Self::Asked => "asked for, by linearity",
        }
    }

    fn color(self) -> RGBColor {
        match self {
            Self::Measured => SERIES[0],
            Self::Derived => SERIES[2],
            Self::Asked => SERIES[3],
        }
    }
}

/// What is drawn of a generator's LEE.
#[derive(Clone, Copy)]
struct Shown {
    mean: f64,
    /// A filled dot; none where it is not defined.
    geometric_mean: Option<f64>,
    /// Of the geometric mean, or of the mean where there is none.
    interval: Option<Interval>,
}

impl Shown {
    fn of(lee: &GeneratorLee) -> Self {
        let estimate = lee.summary.geometric_mean.unwrap_or(lee.summary.mean);
        Self {
            mean: lee.lee,
            geometric_mean: lee.summary.geometric_mean.map(|mean| mean.value),
            interval: estimate.interval,
        }
    }

    fn all(self) -> impl Iterator<Item = f64> + Clone {
        let ends = self.interval.map(|interval| [interval.low, interval.high]);
        std::iter::once(self.mean).chain(self.geometric_mean).chain(ends.into_iter().flatten())
    }

    fn is_finite(self) -> bool {
        self.all().all(f64::is_finite)
    }

    /// The number beside it.
    fn number(self) -> f64 {
        self.geometric_mean.unwrap_or(self.mean)
    }
}

fn draw_generators<DB: DrawingBackend>(root: &Area<DB>, report: &LeeReport) -> Result<(), FigureError> {
    const MOST_FOR_NAMES: i32 = 230;
    const NUMBERS: i32 = 84;
    const AXIS: i32 = 60;
    let values = report.generators.values().flat_map(|lee| Shown::of(lee).all()).filter(|value| *value > 0.0);
    let decades = Decades::of(values.collect::<Vec<_>>().into_iter());
    let groups: Vec<(Origin, Vec<(&String, &GeneratorLee)>)> = [Origin::Measured, Origin::Derived, Origin::Asked]
        .into_iter()
        .map(|origin| (origin, report.generators.iter().filter(|(name, _)| Origin::of(name) == origin).collect()))
        .filter(|(_, members): &(_, Vec<_>)| !members.is_empty())
        .collect();

    root.draw_text("Lie derivative error ‖L f‖² / dim over images", &style::panel(), (MARGIN, TOP - 10))?;
    if groups.is_empty() {
        return Ok(());
    }
    let headings = groups.iter().map(|(origin, _)| origin.heading().to_owned());
    let mut names = 0;
    for text in report.generators.keys().map(|name| printable(name)).chain(headings) {
        names = names.max(root.estimate_text_size(&text, &style::label())?.0 as i32 + 24);
    }
    let names = names.min(MOST_FOR_NAMES);
    let (left, right) = (MARGIN + names, MARGIN + DOTS_WIDTH - NUMBERS);
    let (top, bottom) = (TOP + 20, HEIGHT - AXIS);
    // A heading takes two thirds of a row.
    let rows = 3 * report.generators.len() as i32 + 2 * groups.len() as i32;
    let third = f64::from(bottom - top) / f64::from(rows.max(1));
    let third = third.min(18.0);
    let bottom = top + (third * f64::from(rows)).round() as i32;

    for (place, text) in decades.ticks() {
        let x = left + (place * f64::from(right - left)).round() as i32;
        root.draw(&PathElement::new(vec![(x, top), (x, bottom)], GRID.stroke_width(1)))?;
        root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 6))?;
    }
    draw_key(root, (left, bottom + 36))?;

    let mut y = f64::from(top);
    for (origin, members) in groups {
        let heading = anchored(style::note(), HPos::Left, VPos::Center);
        root.draw_text(origin.heading(), &heading, (MARGIN, (y + third * 1.2).round() as i32))?;
        y += 2.0 * third;
        for (name, lee) in members {
            let middle = (y + 1.5 * third).round() as i32;
            let name = fit(root, &printable(name), &style::label(), names - 12)?;
            root.draw_text(&name, &anchored(style::label(), HPos::Right, VPos::Center), (left - 10, middle))?;
            draw_dot(root, Shown::of(lee), &decades, origin.color(), Row { left, right, middle })?;
            y += 3.0 * third;
        }
    }
    root.draw(&PathElement::new(vec![(left, top), (left, bottom)], INK.stroke_width(1)))?;
    Ok(())
}

/// What the two dots are.
fn draw_key<DB: DrawingBackend>(root: &Area<DB>, (left, middle): (i32, i32)) -> Result<(), FigureError> {
    let note = anchored(style::note(), HPos::Left, VPos::Center);
    let mut x = left;
    for (text, color) in [("geometric mean, 95 % interval", FAINT_INK), ("mean", WHITE)] {
        root.draw(&Circle::new((x, middle), 4, color.filled()))?;
        root.draw(&Circle::new((x, middle), 4, INK.stroke_width(1)))?;
        root.draw_text(text, &note, (x + 10, middle))?;
        x += 10 + root.estimate_text_size(text, &note)?.0 as i32 + 24;
    }
    Ok(())
}

struct Row {
    left: i32,
    right: i32,
    middle: i32,
}

fn draw_dot<DB: DrawingBackend>(
    root: &Area<DB>,
    shown: Shown,
    decades: &Decades,
    color: RGBColor,
    row: Row,
) -> Result<(), FigureError> {
    const RADIUS: i32 = 5;
    const CAP: i32 = 4;
    // What is 0 has no place on the axis: it stands on its left end.
    let x = |value: f64| {
        let place = if value > 0.0 { decades.place(value).clamp(0.0, 1.0) } else { 0.0 };
        row.left + (place * f64::from(row.right - row.left)).round() as i32
    };
    if let Some(interval) = shown.interval {
        let (low, high) = (x(interval.low), x(interval.high));
        for line in [
            [(low, row.middle), (high, row.middle)],
            [(low, row.middle - CAP), (low, row.middle + CAP)],
            [(high, row.middle - CAP), (high, row.middle + CAP)],
        ] {
            root.draw(&PathElement::new(line.to_vec(), INK.stroke_width(2)))?;
        }
    }
    let mean = (x(shown.mean), row.middle);
    root.draw(&Circle::new(mean, RADIUS - 1, WHITE.filled()))?;
    root.draw(&Circle::new(mean, RADIUS - 1, INK.stroke_width(1)))?;
    if let Some(geometric) = shown.geometric_mean {
        root.draw(&Circle::new((x(geometric), row.middle), RADIUS, color.filled()))?;
        root.draw(&Circle::new((x(geometric), row.middle), RADIUS, INK.stroke_width(1)))?;
    }
    let number = anchored(style::label(), HPos::Left, VPos::Center);
    Ok(root.draw_text(&compact(shown.number()), &number, (row.right + 12, row.middle))?)
}

fn draw_spectrum<DB: DrawingBackend>(root: &Area<DB>, report: &LeeReport, left: i32) -> Result<(), FigureError> {
    if report.symmetry_spectrum.is_empty() {
        return Ok(());
    }
    let units = if report.input_units == InputUnits::Photo { "pixel values of 0 to 1" } else { "units of the input" };
    let width = DIRECTIONS_PER_ROW * DIRECTION_WIDTH;
    let title = format!("Symmetry spectrum of the affine algebra, x in {units}");
    root.draw_text(&fit(root, &title, &style::panel(), width)?, &style::panel(), (left, TOP - 10))?;
    let note = "λ: relative LEE, E‖L‖²/E‖A x‖² along a direction, whatever the basis; x right, y down";
    draw_note(root, note, (left, TOP + 14), width)?;
    draw_eigenvalues(root, report, (left, TOP + 44), (DIRECTIONS_PER_ROW * DIRECTION_WIDTH, 84))?;

    const FIELD: i32 = 144;
    let top = TOP + 192;
    let row_height = (HEIGHT + 10 - top) / 2;
    for (i, direction) in report.symmetry_spectrum.iter().take(6).enumerate() {
        let (column, row) = (i as i32 % DIRECTIONS_PER_ROW, i as i32 / DIRECTIONS_PER_ROW);
        let (x, y) = (left + column * DIRECTION_WIDTH, top + row * row_height);
        let coefficients = direction.coefficients();
        let field = |u: [f64; 2]| {
            coefficients.iter().fold([0.0; 2], |[x, y], (generator, a)| {
                let [vx, vy] = generator.field(u);
                [x + a * vx, y + a * vy]
            })
        };
        let value = format!("{} = {}", subscripted(i), compact(direction.eigenvalue.max(0.0)));
        root.draw_text(&value, &style::label(), (x, y - 22))?;
        draw_field(root, (x, y), FIELD, field)?;
        for (line, term) in
            direction.words(&report.gram).replace(" + ", "\n+ ").replace(" − ", "\n− ").lines().enumerate()
        {
            let text = fit(root, term, &style::label(), DIRECTION_WIDTH - 8)?;
            root.draw_text(&text, &style::label(), (x, y + FIELD + 6 + 18 * line as i32))?;
        }
    }
    Ok(())
}

fn draw_eigenvalues<DB: DrawingBackend>(
    root: &Area<DB>,
    report: &LeeReport,
    (left, top): (i32, i32),
    (width, height): (i32, i32),
) -> Result<(), FigureError> {
    // Rounding can leave the least eigenvalue of a singular matrix just below zero.
    let values: Vec<f64> = report.symmetry_spectrum.iter().map(|direction| direction.eigenvalue.max(0.0)).collect();
    let decades = Decades::of(values.iter().copied().filter(|value| *value > 0.0).collect::<Vec<_>>().into_iter());
    let bottom = top + height;
    let left = left + 52;
    let step = (width - 60) / values.len() as i32;
    let right = left + step * values.len() as i32;
    for (place, text) in decades.ticks() {
        let y = bottom - (place * f64::from(height)).round() as i32;
        root.draw(&PathElement::new(vec![(left, y), (right, y)], GRID.stroke_width(1)))?;
        root.draw_text(&text, &anchored(style::note(), HPos::Right, VPos::Center), (left - 6, y))?;
    }
    for (i, value) in values.iter().enumerate() {
        let x = left + step * i as i32 + step / 2;
        let place = if *value > 0.0 { decades.place(*value).clamp(0.0, 1.0) } else { 0.0 };
        let y = bottom - (place * f64::from(height)).round() as i32;
        root.draw(&Circle::new((x, y), 5, SERIES[0].filled()))?;
        root.draw_text(&subscripted(i), &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 4))?;
    }
    root.draw(&PathElement::new(vec![(left, bottom), (right, bottom)], INK.stroke_width(1)))?;
    Ok(())
}

/// `λ₁` for the first.
fn subscripted(index: usize) -> String {
    let digits = (index + 1).to_string();
    let lowered = digits.chars().filter_map(|c| char::from_u32('₀' as u32 + c.to_digit(10)?));
    format!("λ{}", lowered.collect::<String>())
}
