//! The figure of `aliascope representation`: what a linear action on channels explains, and what that action is.

use plotters::backend::DrawingBackend;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{Area, Figure, FigureError};
use super::decades::Decades;
use super::decades_axis::DecadesAxis;
use super::key::{Dot, key};
use super::number::{compact, percent};
use super::scale::compact_tick;
use super::style::{self, FAINT_INK, GRID, INK, PALE, SERIES, anchored, draw_note, fit, printable};
use crate::measure::representation_report::{Representation, RepresentationReport};
use crate::measure::run::counted;
use crate::symmetry::Units;

/// Per generator what is left of Df\[A x\] under each action, and the eigenvalues of M in the complex plane.
#[derive(Clone, Copy, Debug)]
pub struct RepresentationFigure<'a>(pub &'a RepresentationReport);

const MARGIN: i32 = 28;
/// Where the first generator begins.
const TOP: i32 = 148;
/// Names of actions.
const NAMES: i32 = 138;
/// The axis, strip of zeros included, beside planes and without them.
const AXIS: [i32; 2] = [424, 580];
/// Left of the axis for values that have no place on it, and where in it they lie: clear of the axis's first number.
const STRIP: i32 = 52;
const ZERO: i32 = 36;
const NUMBERS: i32 = 104;
/// A generator: its name, a line per action, and air.
const HEADING: i32 = 24;
const LINE: i32 = 22;
const BLOCK: i32 = HEADING + 4 * LINE + 22;
/// A complex plane, with room for its numbers to the left, and for words to the right.
const PLANE: i32 = 108;
const TICKS: i32 = 84;
const WORDS: i32 = 224;
/// Below the last block: the axis's numbers and what it shows.
const FOOT: i32 = 44;

/// Shares of the largest value that are rounding: M explains all but that where channels carry a representation exactly.
const FLOOR: f64 = 1e-12;

const STILL: RGBColor = PALE;
const ASSUMED: RGBColor = SERIES[0];
const ADDED: RGBColor = SERIES[1];
const ALONE: RGBColor = SERIES[2];

/// A line: the action's name, its colour, and what it leaves on held-out data and, where M has all of them, on all.
type Line = (&'static str, RGBColor, f64, Option<f64>);

fn lines(found: &Representation) -> [Line; 4] {
    [
        ("no action", STILL, found.still, None),
        ("A, as assumed", ASSUMED, found.lee, None),
        ("A and M", ADDED, found.held_out, Some(found.fitted)),
        ("M in place of A", ALONE, found.alone, None),
    ]
}

impl Figure for RepresentationFigure<'_> {
    fn size(&self) -> (u32, u32) {
        let planes = if self.has_planes() { TICKS + PLANE + WORDS } else { 0 };
        let width = 2 * MARGIN + NAMES + self.axis_width() + NUMBERS + planes;
        (width as u32, (TOP + BLOCK * self.0.generators.len().max(1) as i32 + FOOT) as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.0;
        self.check()?;
        self.header(root)?;
        let values = || report.generators.values().flat_map(lines).flat_map(|(_, _, at, fitted)| [Some(at), fitted]);
        let most = values().flatten().fold(0.0, f64::max);
        let floor = FLOOR * most;
        let strip = if values().flatten().any(|value| value <= floor) { STRIP } else { 0 };
        let decades = Decades::of(values().flatten().filter(|value| *value > floor).collect::<Vec<_>>().into_iter());
        let axis = DecadesAxis { decades, left: MARGIN + NAMES + strip, width: self.axis_width() - strip };
        let last = report.generators.len().saturating_sub(1);
        for (at, (name, found)) in report.generators.iter().enumerate() {
            let top = TOP + BLOCK * at as i32;
            let explains = (found.lee > floor).then_some(found.explained).flatten();
            self.heading(root, name, explains, found.antisymmetric, top)?;
            let (first, bottom) = (top + HEADING, top + HEADING + 4 * LINE);
            if strip > 0 {
                let corners = [(axis.left - strip, first), (axis.left, bottom)];
                root.draw(&Rectangle::new(corners, GRID.mix(0.45).filled()))?;
            }
            if at == last {
                axis.draw(root, (first, bottom), "E‖…‖²/dim; logarithmic axis")?;
                if strip > 0 {
                    let below = anchored(style::label(), HPos::Center, VPos::Top);
                    root.draw_text("≈ 0", &below, (axis.left - ZERO, bottom + 6))?;
                }
            } else {
                axis.frame(root, (first, bottom))?;
            }
            for (row, line) in lines(found).into_iter().enumerate() {
                let middle = first + LINE * row as i32 + LINE / 2;
                let x = |value: f64| if value <= floor { axis.left - ZERO } else { axis.x(value) };
                self.line(root, line, x, middle)?;
            }
            if self.has_planes() {
                self.plane(root, found, explains, (MARGIN + NAMES + self.axis_width() + NUMBERS + TICKS, top))?;
            }
        }
        Ok(())
    }
}

impl RepresentationFigure<'_> {
    fn has_planes(&self) -> bool {
        self.0.generators.values().any(|found| !found.eigenvalues.is_empty())
    }

    fn axis_width(&self) -> i32 {
        AXIS[usize::from(!self.has_planes())]
    }

    /// Numbers that have a place on an axis.
    fn check(&self) -> Result<(), FigureError> {
        let numbers = |found: &Representation| {
            let shares = found.explained.into_iter().chain(found.antisymmetric);
            let left = [found.lee, found.held_out, found.fitted, found.still, found.alone];
            left.into_iter().chain(shares).chain(found.eigenvalues.iter().flatten().copied()).collect::<Vec<_>>()
        };
        match self.0.generators.values().flat_map(numbers).all(f64::is_finite) {
            true => Ok(()),
            false => Err(FigureError::NotFinite("the report holds NaN or infinity".to_owned())),
        }
    }

    fn header<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let report = self.0;
        let (lie, width) = (report.run.lie(), self.size().0 as i32 - 2 * MARGIN);
        let title = format!("Do the channels of {} carry a representation?", report.run.model.name());
        root.draw_text(&fit(root, &printable(&title), &style::title(), width)?, &style::title(), (MARGIN, 16))?;
        let unit = if lie.units == Units::Pixel { "pixels" } else { "half-widths" };
        let notes = [
            format!(
                "{} ({}), {} at {}; {}",
                report.run.what(),
                report.run.model.output_shape_in_words(),
                counted(report.channels, "channel"),
                counted(report.samples, "place"),
                report.run.images.in_words()
            ),
            format!(
                "halves of the data: {}; t in {unit}; {} derivative, {} boundary, {} grid",
                report.halves.in_words(),
                lie.derivative,
                lie.boundary,
                lie.grid
            ),
        ];
        for (line, note) in notes.iter().enumerate() {
            draw_note(root, &printable(note), (MARGIN, 48 + 20 * line as i32), width)?;
        }
        root.draw_text("What is left of Df[A x] under an action", &style::panel(), (MARGIN, 96))?;
        let entries = [
            (Dot::Filled(ADDED), "M fitted to one half, judged on the other"),
            (Dot::Hollow(ADDED), "M fitted to all"),
        ];
        key(root, &entries, (MARGIN + NAMES + self.axis_width() / 2, 130))?;
        if self.has_planes() {
            let left = MARGIN + NAMES + self.axis_width() + NUMBERS + TICKS - 48;
            root.draw_text("Eigenvalues of M", &style::panel(), (left, 96))?;
            let words = "imaginary: channels turn; real: they grow";
            root.draw_text(words, &anchored(style::note(), HPos::Left, VPos::Center), (left, 130))?;
        }
        Ok(())
    }

    /// The generator, and what M explains.
    fn heading<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        name: &str,
        explains: Option<f64>,
        antisymmetric: Option<f64>,
        top: i32,
    ) -> Result<(), FigureError> {
        let right = MARGIN + NAMES + self.axis_width();
        let mut told = explains.map_or_else(
            || "LEE ≈ 0: nothing to explain".to_owned(),
            |share| format!("M explains {}", percent(share, 1)),
        );
        if let (Some(_), Some(share), false) = (explains, antisymmetric, self.has_planes()) {
            told += &format!("; antisymmetric: {}", percent(share, 1));
        }
        let middle = top + HEADING / 2 - 1;
        let told_width = root.estimate_text_size(&told, &style::label())?.0 as i32;
        let name = fit(root, &printable(name), &style::panel(), right - MARGIN - told_width - 16)?;
        root.draw_text(&name, &anchored(style::panel(), HPos::Left, VPos::Center), (MARGIN, middle))?;
        root.draw_text(&told, &anchored(style::label(), HPos::Right, VPos::Center), (right, middle))?;
        Ok(())
    }

    fn line<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        (name, color, value, fitted): Line,
        x: impl Fn(f64) -> i32,
        middle: i32,
    ) -> Result<(), FigureError> {
        let left = anchored(style::note(), HPos::Right, VPos::Center);
        root.draw_text(name, &left, (MARGIN + NAMES - 10, middle))?;
        if let Some(fitted) = fitted {
            // Larger than the dot that may lie on it.
            Dot::Hollow(color).draw(root, (x(fitted), middle), 7)?;
        }
        let place = (x(value), middle);
        Dot::Filled(color).draw(root, place, if fitted.is_some() { 4 } else { 5 })?;
        if fitted.is_none() {
            root.draw(&Circle::new(place, 5, INK.stroke_width(1)))?;
        }
        let right = anchored(style::label(), HPos::Left, VPos::Center);
        root.draw_text(&compact(value), &right, (MARGIN + NAMES + self.axis_width() + 12, middle))?;
        Ok(())
    }

    fn plane<DB: DrawingBackend>(
        &self,
        root: &Area<DB>,
        found: &Representation,
        explains: Option<f64>,
        (left, top): (i32, i32),
    ) -> Result<(), FigureError> {
        let Some(first) = found.eigenvalues.first() else { return Ok(()) };
        // Of rounding there is no matrix.
        let Some(share) = explains else { return Ok(()) };
        let explains = share > 0.0;
        let furthest = found.eigenvalues.iter().flatten().fold(0.0f64, |most, part| most.max(part.abs()));
        let (right, bottom) = (left + PLANE, top + PLANE);
        let middle = (left + PLANE / 2, top + PLANE / 2);
        // Of a matrix of zeros all eigenvalues lie in the middle.
        let reach = if furthest.is_normal() { 1.3 * furthest } else { 1.3 };
        let step = tick(reach / 1.3);
        let along = |part: f64| (part / reach * f64::from(PLANE) / 2.0).round() as i32;
        let steps = (reach / step).floor() as i32;
        for at in (-steps..=steps).filter(|at| *at != 0) {
            let (x, y) = (middle.0 + along(f64::from(at) * step), middle.1 - along(f64::from(at) * step));
            root.draw(&PathElement::new(vec![(x, top), (x, bottom)], GRID.stroke_width(1)))?;
            root.draw(&PathElement::new(vec![(left, y), (right, y)], GRID.stroke_width(1)))?;
        }
        let number = compact_tick(step);
        // Where numbers are long there is room for one of them alone.
        let width = root.estimate_text_size(&format!("−{number}"), &style::note())?.0 as i32;
        let ends = [("", 1.0), ("−", -1.0)];
        let below = if width + 6 > 2 * along(step) { &ends[..1] } else { &ends[..] };
        for (sign, at) in below {
            let centred = anchored(style::note(), HPos::Center, VPos::Top);
            root.draw_text(&format!("{sign}{number}"), &centred, (middle.0 + along(at * step), bottom + 3))?;
        }
        for (sign, at) in ends {
            let times = if number == "1" { String::new() } else { format!("{number} ") };
            let beside = anchored(style::note(), HPos::Right, VPos::Center);
            root.draw_text(&format!("{sign}{times}i"), &beside, (left - 6, middle.1 - along(at * step)))?;
        }
        for line in [[(left, middle.1), (right, middle.1)], [(middle.0, top), (middle.0, bottom)]] {
            root.draw(&PathElement::new(line.to_vec(), FAINT_INK.stroke_width(1)))?;
        }
        let radius = if found.eigenvalues.len() > 64 { 2 } else { 4 };
        let color = if explains { ADDED } else { PALE };
        for [re, im] in &found.eigenvalues {
            let place = (middle.0 + along(*re), middle.1 - along(*im));
            root.draw(&Circle::new(place, radius, color.filled()))?;
            root.draw(&Circle::new(place, radius, INK.mix(0.7).stroke_width(1)))?;
        }
        root.draw(&Rectangle::new([(left, top), (right, bottom)], INK.stroke_width(1)))?;
        let turning = found.antisymmetric.map(|share| format!("antisymmetric: {}", percent(share, 1)));
        let noise = (!explains).then(|| "M explains nothing".to_owned());
        let told = std::iter::once(format!("λ₁ = {}", in_words(*first))).chain(turning).chain(noise);
        for (line, text) in told.enumerate() {
            let at = (right + 14, top + 14 + 22 * line as i32);
            let text = fit(root, &text, &style::label(), WORDS - 14)?;
            root.draw_text(&text, &anchored(style::label(), HPos::Left, VPos::Center), at)?;
        }
        Ok(())
    }
}

/// The largest of 1, 2 and 5 times powers of ten up to a number above 0.
fn tick(furthest: f64) -> f64 {
    let decade = 10f64.powf(furthest.log10().floor());
    // Eigenvalues of ±i lie below 1 by rounding.
    [10.0, 5.0, 2.0, 1.0].into_iter().map(|f| f * decade).find(|step| *step <= 1.001 * furthest).unwrap_or(decade)
}

/// `0.310 ± 1.00 i`: an eigenvalue with its conjugate; parts that are rounding are left out.
fn in_words([re, im]: [f64; 2]) -> String {
    let [re, im] = [re, im].map(|part| if part.abs() < 5e-4 * re.hypot(im) { 0.0 } else { part });
    match (re == 0.0, im == 0.0) {
        (_, true) => compact(re),
        (true, false) => format!("±{} i", compact(im.abs())),
        (false, false) => format!("{} ± {} i", compact(re), compact(im.abs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvalues_are_written_without_rounding() {
        assert_eq!(in_words([1e-9, 1.0]), "±1.00 i");
        assert_eq!(in_words([-2.0, 0.0]), "−2.00");
        assert_eq!(in_words([0.31, -1.02]), "0.310 ± 1.02 i");
        assert_eq!(in_words([0.0, 0.0]), "0");
    }

    #[test]
    fn ticks_are_where_eigenvalues_are() {
        // 10^floor(log10) of a power of ten is that power to rounding.
        for (furthest, step) in [(1.0, 1.0), (0.9999, 1.0), (2.0, 2.0), (4.9, 2.0), (37.0, 20.0), (0.0071, 0.005)] {
            assert!((tick(furthest) / step - 1.0).abs() < 1e-12, "{furthest}: {}", tick(furthest));
        }
    }
}
