//! Named dots on logarithmic axes, whose names keep out of each other's way.

use plotters::backend::DrawingBackend;
use plotters::element::{Circle, PathElement, Rectangle};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor};

use super::canvas::{Area, FigureError};
use super::number::power_of_ten;
use super::style::{self, FAINT_INK, GRID, INK};

/// A dot.
pub(super) struct Dot {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) name: String,
    pub(super) color: RGBColor,
}

/// What stands around the dots.
pub(super) struct Axes<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    /// Values of y up to this are drawn as 0, below the axis.
    pub(super) zero: f64,
    /// The same for x.
    pub(super) zero_x: f64,
    /// Whether x and y are the same quantity, so that a diagonal means something.
    pub(super) diagonal: bool,
}

const LEFT: i32 = 86;
const TOP: i32 = 40;
const RIGHT: i32 = 22;
const BOTTOM: i32 = 62;
/// Height (width) of the strip of zeros.
const STRIP: i32 = 30;

/// Decades that hold values, from a power of ten to another.
struct Decades {
    first: f64,
    last: f64,
}

impl Decades {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let least = values.clone().fold(f64::INFINITY, f64::min);
        let most = values.fold(0.0, f64::max);
        if !(least.is_finite() && most > 0.0) {
            return Self { first: -1.0, last: 1.0 };
        }
        // A little air on both sides, in fractions of a decade.
        let (low, high) = (least.log10(), most.log10());
        let air = (0.06 * (high - low)).max(0.12);
        Self { first: low - air, last: high + air }
    }

    fn place(&self, value: f64) -> f64 {
        (value.log10() - self.first) / (self.last - self.first)
    }

    /// Powers of ten; between them 2 and 5 where there are few.
    fn ticks(&self) -> Vec<(f64, String)> {
        let span = self.last - self.first;
        let every = ((span / 7.0).ceil() as i32).max(1);
        let mut ticks = Vec::new();
        for exponent in self.first.floor() as i32..=self.last.ceil() as i32 {
            let factors: &[f64] = if span < 2.2 { &[1.0, 2.0, 5.0] } else { &[1.0] };
            for factor in factors {
                let value = factor * 10f64.powi(exponent);
                let place = self.place(value);
                if !(0.0..=1.0).contains(&place) || exponent.rem_euclid(every) != 0 {
                    continue;
                }
                let label = if (-3..=4).contains(&exponent) {
                    let text = format!("{value:.*}", (-exponent).max(0) as usize);
                    text
                } else if *factor == 1.0 {
                    power_of_ten(exponent)
                } else {
                    format!("{factor:.0}·{}", power_of_ten(exponent))
                };
                ticks.push((place, label));
            }
        }
        ticks
    }
}

pub(super) fn draw_dots<DB: DrawingBackend>(area: &Area<DB>, axes: &Axes<'_>, dots: &[Dot]) -> Result<(), FigureError> {
    let (width, height) = area.dim_in_pixel();
    let (width, height) = (width as i32, height as i32);
    area.draw_text(axes.title, &style::panel(), (LEFT, 8))?;
    let zero_y = dots.iter().any(|dot| dot.y <= axes.zero);
    let zero_x = dots.iter().any(|dot| dot.x <= axes.zero_x);
    let (left, top) = (LEFT + if zero_x { STRIP } else { 0 }, TOP);
    let (right, bottom) = (width - RIGHT, height - BOTTOM - if zero_y { STRIP } else { 0 });
    let positive = |value: f64, zero: f64| value > zero && value.is_finite();
    let xs = Decades::of(
        dots.iter().map(|dot| dot.x).filter(move |x| positive(*x, axes.zero_x)).collect::<Vec<_>>().into_iter(),
    );
    let ys = Decades::of(
        dots.iter().map(|dot| dot.y).filter(move |y| positive(*y, axes.zero)).collect::<Vec<_>>().into_iter(),
    );
    let (xs, ys) = if axes.diagonal {
        let first = xs.first.min(ys.first);
        let last = xs.last.max(ys.last);
        (Decades { first, last }, Decades { first, last })
    } else {
        (xs, ys)
    };
    let at_x = |x: f64| {
        if x <= axes.zero_x { LEFT + STRIP / 2 } else { left + (xs.place(x) * f64::from(right - left)).round() as i32 }
    };
    let at_y = |y: f64| {
        if y <= axes.zero {
            bottom + STRIP / 2
        } else {
            bottom - (ys.place(y) * f64::from(bottom - top)).round() as i32
        }
    };

    for (place, label) in xs.ticks() {
        let x = left + (place * f64::from(right - left)).round() as i32;
        area.draw(&PathElement::new(vec![(x, top), (x, bottom)], GRID.stroke_width(1)))?;
        area.draw_text(&label, &style::anchored(style::label(), HPos::Center, VPos::Top), (x, height - BOTTOM + 6))?;
    }
    for (place, label) in ys.ticks() {
        let y = bottom - (place * f64::from(bottom - top)).round() as i32;
        area.draw(&PathElement::new(vec![(left, y), (right, y)], GRID.stroke_width(1)))?;
        area.draw_text(&label, &style::anchored(style::label(), HPos::Right, VPos::Center), (LEFT - 8, y))?;
    }
    if zero_y {
        area.draw(&Rectangle::new([(LEFT, bottom), (right, bottom + STRIP)], GRID.mix(0.45).filled()))?;
        area.draw_text(
            "0",
            &style::anchored(style::label(), HPos::Right, VPos::Center),
            (LEFT - 8, bottom + STRIP / 2),
        )?;
    }
    if zero_x {
        area.draw(&Rectangle::new([(LEFT, top), (left, height - BOTTOM)], GRID.mix(0.45).filled()))?;
        area.draw_text(
            "0",
            &style::anchored(style::label(), HPos::Center, VPos::Top),
            (LEFT + STRIP / 2, height - BOTTOM + 6),
        )?;
    }
    area.draw(&Rectangle::new([(LEFT, top), (right, height - BOTTOM)], INK.stroke_width(1)))?;
    if axes.diagonal {
        area.draw(&PathElement::new(vec![(left, bottom), (right, top)], FAINT_INK.stroke_width(1)))?;
    }
    area.draw_text(
        axes.x,
        &style::anchored(style::axis(), HPos::Center, VPos::Bottom),
        ((left + right) / 2, height - 8),
    )?;
    let upright =
        style::anchored(style::axis(), HPos::Center, VPos::Top).transform(plotters::style::FontTransform::Rotate270);
    area.draw_text(axes.y, &upright, (4, (top + bottom) / 2))?;

    let boxes: Vec<[i32; 4]> =
        dots.iter().map(|dot| (at_x(dot.x), at_y(dot.y))).map(|(x, y)| [x - 5, y - 5, x + 5, y + 5]).collect();
    let mut taken = boxes.clone();
    let mut labels = Vec::new();
    let mut order: Vec<usize> = (0..dots.len()).collect();
    // From the right, so that names that grow to the right find room first.
    order.sort_by_key(|at| std::cmp::Reverse(boxes[*at][0]));
    for at in order {
        let dot = &dots[at];
        if dot.name.is_empty() {
            continue;
        }
        let (w, h) = area.estimate_text_size(&dot.name, &style::note())?;
        let (w, h) = (w as i32 + 4, h as i32);
        let (x, y) = (at_x(dot.x), at_y(dot.y));
        let mut best: Option<([i32; 4], i32)> = None;
        for ring in 0..9 {
            let d = 8 + 11 * ring;
            let candidates = [
                (x + d, y - h / 2),
                (x - d - w, y - h / 2),
                (x - w / 2, y - d - h),
                (x - w / 2, y + d),
                (x + d, y - d - h / 2),
                (x + d, y + d - h / 2),
                (x - d - w, y - d - h / 2),
                (x - d - w, y + d - h / 2),
            ];
            for (a, b) in candidates {
                let place = [a, b, a + w, b + h];
                let inside = a >= LEFT + 2 && b >= top && a + w <= right - 2 && b + h <= height - BOTTOM;
                let free =
                    taken.iter().all(|t| t[2] <= place[0] || place[2] <= t[0] || t[3] <= place[1] || place[3] <= t[1]);
                if inside && free && best.is_none() {
                    best = Some((place, ring));
                }
            }
            if best.is_some() {
                break;
            }
        }
        if let Some((place, ring)) = best {
            taken.push(place);
            labels.push((at, place, ring));
        }
    }
    for (at, place, ring) in &labels {
        if *ring > 0 {
            let dot = &dots[*at];
            let (x, y) = (at_x(dot.x), at_y(dot.y));
            let end = (x.clamp(place[0], place[2]), y.clamp(place[1], place[3]));
            area.draw(&PathElement::new(vec![(x, y), end], FAINT_INK.mix(0.6).stroke_width(1)))?;
        }
    }
    for dot in dots {
        area.draw(&Circle::new((at_x(dot.x), at_y(dot.y)), 5, dot.color.filled()))?;
        area.draw(&Circle::new((at_x(dot.x), at_y(dot.y)), 5, INK.stroke_width(1)))?;
    }
    for (at, place, _) in labels {
        area.draw_text(&dots[at].name, &style::note().color(&INK), (place[0] + 2, place[1]))?;
    }
    Ok(())
}
