//! Where to put a design first: LEE against cost with the Pareto front, and the forecast beside what came true.

use plotters::backend::DrawingBackend;
use plotters::element::{Circle, PathElement};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::decades::Decades;
use super::dot_labels::{Edges, covered, draw_labels};
use super::error_bar::draw_upright_error_bar;
use super::scale::Scale;
use super::style::{self, FAINT_INK, GRID, INK, SERIES, anchored, draw_note, fit, printable};
use crate::antialias::surgery_report::{Advice, ForecastPlace, Trial};
use crate::measure::run::Run;

/// The choices of `--advise`.
#[derive(Clone, Copy, Debug)]
pub struct AdviceFigure<'a> {
    /// Of what, and on which images.
    pub run: &'a Run,
    /// The rules as they were given.
    pub replace: &'a [String],
    /// The choices.
    pub advice: &'a Advice,
}

const WIDTH: i32 = 1480;
const HEIGHT: i32 = 640;
const MARGIN: i32 = 24;
const TOP: i32 = 84;

impl Figure for AdviceFigure<'_> {
    fn size(&self) -> (u32, u32) {
        (WIDTH as u32, HEIGHT as u32)
    }

    fn draw<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let model = self.run.model.name();
        let title = format!("Where to begin in {}: {}", printable(model), printable(&self.replace.join(", ")));
        root.draw_text(&fit(root, &title, &style::title(), WIDTH - 48)?, &style::title(), (MARGIN, 14))?;
        let note = format!(
            "{}; each dot is a network in which one more place was tried, in the colour of its step; the choice (ringed, ± \
             paired standard error) lowers LEE most per forward pass that it adds",
            self.run.images.in_words()
        );
        draw_note(root, &note, (MARGIN, 46), WIDTH - 48)?;
        self.race(root)?;
        self.forecast(root)
    }
}

/// The path of a place's module where there is one, as the tables of layers have it.
fn short(advice: &Advice, name: &str) -> String {
    let place = advice.forecast.places.iter().find(|place| place.name == name);
    printable(place.map(|place| place.module.as_str()).filter(|module| !module.is_empty()).unwrap_or(name))
}

fn step_color(step: usize) -> RGBColor {
    SERIES[step % SERIES.len()]
}

impl AdviceFigure<'_> {
    fn race<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let advice = self.advice;
        let (left, right) = (100, WIDTH / 2 + 40);
        let (top, bottom) = (TOP + 28, HEIGHT - 62);
        root.draw_text("LEE against cost", &style::panel(), (left, TOP))?;
        let trials: Vec<(usize, &Trial)> = advice
            .steps
            .iter()
            .enumerate()
            .flat_map(|(at, step)| step.tried.iter().map(move |trial| (at, trial)))
            .collect();
        let lees = trials.iter().map(|(_, trial)| trial.lee).chain([advice.start]);
        let reach = lees.clone().fold(0.0, f64::max);
        let scale = Scale::of(lees.collect::<Vec<_>>().into_iter(), reach);
        let dearest = trials.iter().map(|(_, trial)| trial.cost).fold(1.0, f64::max);
        let air = (0.06 * (dearest - 1.0)).max(0.01);
        let (low, high) = (1.0 - air, dearest + air);
        let at = |cost: f64, lee: f64| {
            let x = f64::from(left) + (cost - low) / (high - low) * f64::from(right - left);
            (x.round() as i32, bottom - (scale.place(lee) * f64::from(bottom - top)).round() as i32)
        };
        for (place, text) in scale.ticks() {
            let y = bottom - (place * f64::from(bottom - top)).round() as i32;
            root.draw(&PathElement::new(vec![(left, y), (right, y)], GRID.stroke_width(1)))?;
            root.draw_text(&text, &anchored(style::label(), HPos::Right, VPos::Center), (left - 8, y))?;
        }
        let (step, digits) = round_step(high - low);
        let mut cost = (low / step).ceil() * step;
        while cost <= high {
            let x = at(cost, 0.0).0;
            root.draw(&PathElement::new(vec![(x, bottom), (x, bottom + 5)], INK.stroke_width(1)))?;
            let text = format!("{cost:.digits$}");
            root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 8))?;
            cost += step;
        }
        root.draw(&PathElement::new(vec![(left, top), (left, bottom), (right, bottom)], INK.stroke_width(1)))?;
        let x_title = anchored(style::axis(), HPos::Center, VPos::Bottom);
        root.draw_text("cost, forward passes of the network as it was", &x_title, ((left + right) / 2, HEIGHT - 8))?;
        let upright =
            anchored(style::axis(), HPos::Center, VPos::Top).transform(plotters::style::FontTransform::Rotate270);
        root.draw_text(&format!("LEE, {}", advice.generator), &upright, (8, (top + bottom) / 2))?;

        // The front, as a staircase: what the least LEE is at each cost.
        let mut front: Vec<[f64; 2]> =
            trials.iter().filter(|(_, trial)| trial.pareto).map(|(_, trial)| [trial.cost, trial.lee]).collect();
        front.push([1.0, advice.start]);
        front.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let mut stairs = Vec::new();
        for pair in front.windows(2) {
            stairs.extend([at(pair[0][0], pair[0][1]), at(pair[1][0], pair[0][1])]);
        }
        stairs.extend(front.last().map(|last| at(last[0], last[1])));
        let mut drawn = covered(&stairs);
        root.draw(&PathElement::new(stairs, FAINT_INK.mix(0.45).stroke_width(5)))?;
        let mut path = vec![at(1.0, advice.start)];
        for step in &advice.steps {
            path.extend(step.tried.iter().find(|trial| trial.name == step.chosen).map(|t| at(t.cost, t.lee)));
        }
        drawn.extend(covered(&path));
        root.draw(&PathElement::new(path.clone(), INK.stroke_width(2)))?;
        // What a trial gains is known to its paired standard error; that of the chosen ones is drawn, and no name on it.
        for step in &advice.steps {
            let Some(trial) = step.tried.iter().find(|trial| trial.name == step.chosen) else { continue };
            if let Some(sem) = trial.gain.sem.filter(|sem| *sem > 0.0) {
                let x = at(trial.cost, trial.lee).0;
                let end = |lee: f64| at(trial.cost, lee.max(0.0)).1;
                let ends = [end(trial.lee - sem), end(trial.lee + sem)];
                draw_upright_error_bar(root, x, ends, 4)?;
                drawn.push(beside_bar(x, ends));
            }
        }
        for (step, trial) in &trials {
            let point = at(trial.cost, trial.lee);
            root.draw(&Circle::new(point, 5, step_color(*step).filled()))?;
            root.draw(&Circle::new(point, 5, WHITE.stroke_width(1)))?;
        }
        root.draw(&Circle::new(path[0], 7, INK.filled()))?;
        let mut names = vec!["as it was".to_owned()];
        let mut marks = vec![path[0]];
        let mut y = top + 8;
        for (at_step, step) in advice.steps.iter().enumerate() {
            let text = match step.chosen.is_empty() {
                true => format!("step {}: tried, none chosen", at_step + 1),
                false => format!("{}. {}", at_step + 1, short(self.advice, &step.chosen)),
            };
            if let Some(&point) = path.get(at_step + 1).filter(|_| !step.chosen.is_empty()) {
                root.draw(&Circle::new(point, 7, step_color(at_step).filled()))?;
                root.draw(&Circle::new(point, 7, INK.stroke_width(2)))?;
                names.push((at_step + 1).to_string());
                marks.push(point);
            }
            let text = fit(root, &text, &style::label(), 260)?;
            root.draw(&Circle::new((right - 282, y + 10), 6, step_color(at_step).filled()))?;
            root.draw_text(&text, &style::label(), (right - 268, y))?;
            y += 22;
        }
        root.draw(&PathElement::new(
            vec![(right - 292, y + 11), (right - 272, y + 11)],
            FAINT_INK.mix(0.45).stroke_width(5),
        ))?;
        root.draw_text("Pareto front of all tried", &style::label(), (right - 268, y))?;
        // Choices may lie on each other or on other trials; their numbers do not.
        marks.extend(trials.iter().map(|(_, trial)| at(trial.cost, trial.lee)));
        names.resize(marks.len(), String::new());
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        drawn.push([right - 294, top, right, y + 22]);
        draw_labels(root, &names, &marks, [left + 2, top, right - 2, bottom - 2], &drawn)
    }

    /// Gains against contributions: gains on a plain axis, as some are losses; contributions in decades where they span
    /// some, so that small ones do not all lie on zero.
    fn forecast<DB: DrawingBackend>(&self, root: &Area<DB>) -> Result<(), FigureError> {
        let forecast = &self.advice.forecast;
        let (left, right) = (WIDTH / 2 + 150, WIDTH - 40);
        let (top, bottom) = (TOP + 28, HEIGHT - 62);
        let title = match forecast.rank_correlation {
            Some(rho) => {
                format!("What the layers' contributions foretell: rank correlation {rho:.2}").replace('-', "−")
            }
            None => "What the layers' contributions foretell".to_owned(),
        };
        root.draw_text(&title, &style::panel(), (left - 60, TOP))?;
        if forecast.places.is_empty() {
            return Ok(());
        }
        let foretold = Foretold::of(forecast.places.iter().map(|place| place.contribution));
        // With their errors, as long as those are not many times as long as all gains.
        let first = self.advice.steps.first();
        let sem = |place: &ForecastPlace| {
            let trial = first.and_then(|step| step.tried.iter().find(|trial| trial.name == place.name));
            trial.and_then(|trial| trial.gain.sem).unwrap_or(0.0)
        };
        let most = forecast.places.iter().map(|place| place.gain.abs()).fold(0.0, f64::max);
        let gains = || {
            let ends = |place: &ForecastPlace| [place.gain - sem(place), place.gain + sem(place)];
            forecast.places.iter().flat_map(ends).map(|gain| gain.clamp(-2.0 * most, 2.0 * most))
        };
        let (low, high) = with_air(gains().fold(0.0, f64::min), gains().fold(0.0, f64::max));
        let x_of = |value: f64| left + (foretold.place(value) * f64::from(right - left)).round() as i32;
        let y_of = |value: f64| bottom - ((value - low) / (high - low) * f64::from(bottom - top)).round() as i32;
        for (place, text) in foretold.ticks() {
            let x = left + (place * f64::from(right - left)).round() as i32;
            root.draw(&PathElement::new(vec![(x, top), (x, bottom)], GRID.stroke_width(1)))?;
            root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 8))?;
        }
        for (value, text) in round_values(low, high) {
            let y = y_of(value);
            root.draw(&PathElement::new(vec![(left, y), (right, y)], GRID.stroke_width(1)))?;
            root.draw_text(&text, &anchored(style::label(), HPos::Right, VPos::Center), (left - 8, y))?;
        }
        if let Foretold::Plain { .. } = foretold {
            root.draw(&PathElement::new(vec![(x_of(0.0), top), (x_of(0.0), bottom)], INK.stroke_width(1)))?;
        }
        root.draw(&PathElement::new(vec![(left, y_of(0.0)), (right, y_of(0.0))], INK.stroke_width(1)))?;
        root.draw(&PathElement::new(vec![(left, top), (left, bottom), (right, bottom)], INK.stroke_width(1)))?;
        let x_title = anchored(style::axis(), HPos::Center, VPos::Bottom);
        let x_text = match foretold {
            Foretold::Plain { .. } => "contribution of the place's layers, ‖J δ‖²/dim",
            Foretold::Decades(_) => "contribution of the place's layers, ‖J δ‖²/dim, logarithmic axis",
        };
        root.draw_text(x_text, &x_title, ((left + right) / 2, HEIGHT - 8))?;
        let upright =
            anchored(style::axis(), HPos::Center, VPos::Top).transform(plotters::style::FontTransform::Rotate270);
        root.draw_text("LEE that replacing it alone takes away, ± s.e.", &upright, (left - 92, (top + bottom) / 2))?;
        // The names of those that matter, where there are many.
        let mut named: Vec<usize> = (0..forecast.places.len()).collect();
        named.sort_by(|a, b| forecast.places[*b].gain.abs().total_cmp(&forecast.places[*a].gain.abs()));
        named.truncate(8);
        // No name lies on a mark, on the line of no gain, or on another.
        let point = |place: &ForecastPlace| (x_of(place.contribution), y_of(place.gain));
        let zero = [left, y_of(0.0) - 1, right, y_of(0.0) + 1];
        let points: Vec<(i32, i32)> = forecast.places.iter().map(point).collect();
        let mut drawn = vec![zero];
        for (place, at) in forecast.places.iter().zip(&points) {
            let sem = sem(place);
            if sem > 0.0 {
                let end = |gain: f64| y_of(gain).clamp(top, bottom);
                let ends = [end(place.gain - sem), end(place.gain + sem)];
                draw_upright_error_bar(root, at.0, ends, 3)?;
                drawn.push(beside_bar(at.0, ends));
            }
        }
        for at in &points {
            root.draw(&Circle::new(*at, 5, SERIES[0].filled()))?;
            root.draw(&Circle::new(*at, 5, WHITE.stroke_width(1)))?;
        }
        let name = |(at, place): (usize, &ForecastPlace)| match named.contains(&at) {
            true => short(self.advice, &place.name),
            false => String::new(),
        };
        let names: Vec<String> = forecast.places.iter().enumerate().map(name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        draw_labels(root, &names, &points, [left + 2, top, right - 2, bottom - 2], &drawn)
    }
}

/// What an upright error bar takes up, with a little air around it.
fn beside_bar(x: i32, [low, high]: [i32; 2]) -> Edges {
    const AIR: i32 = 6;
    [x - AIR, high - AIR, x + AIR, low + AIR]
}

/// The axis of contributions.
enum Foretold {
    Plain { low: f64, high: f64 },
    Decades(Decades),
}

impl Foretold {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        /// Where the small ones would lie on each other.
        const WIDE: f64 = 30.0;
        let low = values.clone().fold(f64::INFINITY, f64::min);
        let high = values.clone().fold(f64::NEG_INFINITY, f64::max);
        if low > 0.0 && high > WIDE * low {
            return Self::Decades(Decades::of(values));
        }
        let (low, high) = with_air(low.min(0.0), high.max(0.0));
        Self::Plain { low, high }
    }

    /// From 0 at the left end to 1 at the right one.
    fn place(&self, value: f64) -> f64 {
        match self {
            Self::Plain { low, high } => (value - low) / (high - low),
            Self::Decades(decades) => decades.place(value),
        }
    }

    fn ticks(&self) -> Vec<(f64, String)> {
        match self {
            Self::Plain { low, high } => {
                let unsigned = |text: String| text.trim_start_matches('+').to_owned();
                let ticks = round_values(*low, *high).into_iter();
                ticks.map(|(value, text)| (self.place(value), unsigned(text))).collect()
            }
            Self::Decades(decades) => decades.ticks(),
        }
    }
}

/// Both ends of an axis, with room beyond them.
fn with_air(low: f64, high: f64) -> (f64, f64) {
    let air = 0.08 * (high - low).max(1e-300);
    (low - air, high + air)
}

/// Round values of an axis, with their texts.
fn round_values(low: f64, high: f64) -> Vec<(f64, String)> {
    let (step, digits) = round_step(high - low);
    let first = (low / step).ceil() as i64;
    let values = (first..).map(|at| at as f64 * step).take_while(|value| *value <= high);
    let text = |value: f64| match value == 0.0 {
        true => "0".to_owned(),
        false => format!("{value:+.digits$}").replace('-', "−"),
    };
    values.map(|value| (value, text(value))).collect()
}

/// 1, 2 or 5 times a power of ten, so that about five steps make `span`; and the decimals that its multiples need.
fn round_step(span: f64) -> (f64, usize) {
    let decade = 10f64.powf((span / 5.0).max(1e-300).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * decade).find(|step| span / step <= 6.0).unwrap_or(decade);
    (step, (-(step * 1.0001).log10().floor()).max(0.0) as usize)
}
