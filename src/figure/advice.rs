//! Where to put a design first: LEE against cost with the Pareto front, and the forecast beside what came true.

use plotters::backend::DrawingBackend;
use plotters::element::{Circle, PathElement};
use plotters::style::text_anchor::{HPos, VPos};
use plotters::style::{Color, RGBColor, WHITE};

use super::canvas::{Area, Figure, FigureError};
use super::dots::{Axes, Dot, draw_dots};
use super::scale::Scale;
use super::style::{self, FAINT_INK, GRID, INK, SERIES, anchored, fit, printable};
use crate::antialias::surgery::report::{Advice, SurgeryReport, Trial};

/// The choices of `--advise`.
#[derive(Clone, Copy, Debug)]
pub struct AdviceFigure<'a> {
    /// The result.
    pub report: &'a SurgeryReport,
    /// Its advice.
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
        let report = self.report;
        let model = report.model.rsplit(['/', '\\']).next().unwrap_or(&report.model);
        let title = format!("Where to begin in {}: {}", printable(model), printable(&report.replace.join(", ")));
        root.draw_text(&fit(root, &title, &style::title(), WIDTH - 48)?, &style::title(), (MARGIN, 14))?;
        let note = format!(
            "{} images; each dot is a network in which one more place was tried; the choice lowers LEE most per forward that it adds",
            report.images
        );
        root.draw_text(&fit(root, &note, &style::note(), WIDTH - 48)?, &style::note(), (MARGIN, 46))?;
        self.race(root)?;
        let (_, right) = root.split_horizontally(WIDTH / 2 + 60);
        let (_, right) = right.split_vertically(TOP - 14);
        self.forecast(&right)
    }
}

/// The last parts of a node's path.
fn short(name: &str) -> String {
    let mut parts: Vec<&str> = name.split('/').filter(|part| !part.is_empty()).collect();
    if parts.len() > 1 {
        parts.pop();
    }
    let keep = parts.len().saturating_sub(2);
    printable(&parts[keep..].join("/"))
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
        let ticks = 5;
        for tick in 0..=ticks {
            let cost = 1.0 + (dearest - 1.0) * f64::from(tick) / f64::from(ticks);
            let x = at(cost, 0.0).0;
            root.draw(&PathElement::new(vec![(x, bottom), (x, bottom + 5)], INK.stroke_width(1)))?;
            let digits = if dearest - 1.0 < 0.2 { 3 } else { 2 };
            let text = format!("{cost:.digits$}");
            root.draw_text(&text, &anchored(style::label(), HPos::Center, VPos::Top), (x, bottom + 8))?;
            if dearest - 1.0 < 1e-9 {
                break;
            }
        }
        root.draw(&PathElement::new(
            vec![(left, top), (left, bottom), (right, bottom)],
            INK.stroke_width(1),
        ))?;
        let x_title = anchored(style::axis(), HPos::Center, VPos::Bottom);
        root.draw_text("cost, forwards of the network as it was", &x_title, ((left + right) / 2, HEIGHT - 8))?;
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
        root.draw(&PathElement::new(stairs, FAINT_INK.mix(0.45).stroke_width(5)))?;
        let mut path = vec![at(1.0, advice.start)];
        for step in &advice.steps {
            path.extend(step.tried.iter().find(|trial| trial.name == step.chosen).map(|t| at(t.cost, t.lee)));
        }
        root.draw(&PathElement::new(path.clone(), INK.stroke_width(2)))?;
        for (step, trial) in &trials {
            let point = at(trial.cost, trial.lee);
            root.draw(&Circle::new(point, 5, step_color(*step).filled()))?;
            root.draw(&Circle::new(point, 5, WHITE.stroke_width(1)))?;
        }
        root.draw(&Circle::new(path[0], 7, INK.filled()))?;
        root.draw_text("as it was", &anchored(style::label(), HPos::Left, VPos::Bottom), (path[0].0 + 10, path[0].1 - 4))?;
        let mut y = top + 8;
        for (at_step, step) in advice.steps.iter().enumerate().filter(|(_, step)| !step.chosen.is_empty()) {
            if let Some(&point) = path.get(at_step + 1) {
                root.draw(&Circle::new(point, 7, step_color(at_step).filled()))?;
                root.draw(&Circle::new(point, 7, INK.stroke_width(2)))?;
                let number = (at_step + 1).to_string();
                root.draw_text(&number, &anchored(style::label(), HPos::Left, VPos::Top), (point.0 + 9, point.1 - 4))?;
            }
            let text = format!("{}. {}", at_step + 1, short(&step.chosen));
            let text = fit(root, &text, &style::label(), 260)?;
            root.draw(&Circle::new((right - 282, y + 10), 6, step_color(at_step).filled()))?;
            root.draw_text(&text, &style::label(), (right - 268, y))?;
            y += 22;
        }
        root.draw(&PathElement::new(vec![(right - 292, y + 11), (right - 272, y + 11)], FAINT_INK.mix(0.45).stroke_width(5)))?;
        root.draw_text("Pareto front of all tried", &style::label(), (right - 268, y))?;
        Ok(())
    }

    fn forecast<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<(), FigureError> {
        let forecast = &self.advice.forecast;
        let largest = forecast.places.iter().map(|place| place.contribution.max(place.gain)).fold(0.0, f64::max);
        let dots: Vec<Dot> = forecast
            .places
            .iter()
            .map(|place| Dot { x: place.contribution, y: place.gain, name: short(&place.name), color: SERIES[0] })
            .collect();
        let title = match forecast.rank_correlation {
            Some(rho) => format!("The cheap forecast: rank correlation {rho:.2}").replace('-', "−"),
            None => "The cheap forecast".to_owned(),
        };
        let axes = Axes {
            title: &title,
            x: "the layer's contribution E‖J δ‖²/dim",
            y: "gain in LEE when replaced alone (0: none, or a loss)",
            zero: 1e-6 * largest,
            zero_x: 1e-6 * largest,
            diagonal: true,
        };
        draw_dots(area, &axes, &dots)
    }
}
