//! The pages of `lee`, `metrics` and `antialias`: what the result says, its figures and its rows.

use crate::antialias::report::BenchReport;
use crate::antialias::surgery_report::{Paired, SurgeryReport};
use crate::figure::{FigureError, Format};
use crate::measure::lee_report::{GeneratorLee, LeeReport};
use crate::measure::metric_list::Metric;
use crate::measure::metrics_report::MetricsReport;
use crate::measure::run::counted;
use crate::number::{compact, percent};
use crate::origin::Origin;
use crate::statistics::{Estimate, Interval};

use super::outcome::Outcome;
use super::page::Page;

/// A result that has a page.
pub trait Paged: Outcome {
    /// The page's title.
    fn title(&self) -> String;

    /// What the numbers say, in two or three sentences.
    fn conclusion(&self) -> Vec<String>;

    /// The terms that the page uses.
    fn terms(&self) -> &'static [(&'static str, &'static str)];

    /// The page's last lines.
    fn foot(&self, page: PageToEnd) -> String;
}

/// A page whose end is missing.
pub struct PageToEnd(Page);

/// The page as HTML that is well-formed XML as well, of a result that is fit to be printed (see [`Outcome::shown`]).
///
/// # Errors
/// A figure cannot be drawn: the result holds NaN or infinity.
pub fn outcome_html<T: Paged>(shown: &T, beside: &T::Beside, captions: &[(&str, &str)]) -> Result<String, FigureError> {
    let mut page = Page::new(&shown.title(), &shown.conclusion());
    page.terms(shown.terms());
    let figures = shown.figures(beside);
    for (name, caption) in captions {
        if let Some(figure) = figures.iter().find(|figure| figure.name() == *name) {
            page.svg(figure.render(Format::Svg)?, "picture fitted", caption)?;
        }
    }
    page.heading(2, "Numbers");
    page.rows("Numbers", &shown.rows(false));
    Ok(shown.foot(PageToEnd(page)))
}

/// `0.0637 (0.0341–0.120)`.
fn with_interval(of: Estimate) -> String {
    let ends = |interval: Interval| format!(" ({}–{})", compact(interval.low), compact(interval.high));
    format!("{}{}", compact(of.value), of.interval.map_or_else(String::new, ends))
}

impl Paged for LeeReport {
    fn title(&self) -> String {
        format!("How equivariant {} is", self.run.model.name())
    }

    fn conclusion(&self) -> Vec<String> {
        let estimate = |lee: &GeneratorLee| lee.summary.geometric_mean.unwrap_or(lee.summary.mean);
        let order = |a: &(&String, &GeneratorLee), b: &(&String, &GeneratorLee)| {
            estimate(a.1).value.total_cmp(&estimate(b.1).value)
        };
        let mut sentences = Vec::new();
        if let (Some(most), Some(least)) = (self.generators.iter().max_by(order), self.generators.iter().min_by(order))
        {
            sentences.push(format!(
                "Over {} the output of {} changes fastest under {}: LEE {}; slowest under {}: {}.",
                self.run.images.in_words(),
                self.run.model.name(),
                most.0,
                with_interval(estimate(most.1)),
                least.0,
                with_interval(estimate(least.1))
            ));
        }
        if let (Some(hardest), Some(easiest)) = (self.symmetry_spectrum.first(), self.symmetry_spectrum.last()) {
            sentences.push(format!(
                "Over how far it moves the images, the hardest of all affine motions is {} (relative LEE {}), the easiest {} \
                 ({}).",
                hardest.words(&self.gram),
                compact(hardest.eigenvalue.max(0.0)),
                easiest.words(&self.gram),
                compact(easiest.eigenvalue.max(0.0))
            ));
        }
        if let Some(horizon) = &self.horizon {
            sentences.push(match horizon.pixels {
                Some(pixels) => format!("These are rates; as changes they hold for motions up to about {pixels} px."),
                None => "These are rates: even a motion by a fraction of a pixel changes the output by another amount."
                    .to_owned(),
            });
        }
        sentences
    }

    fn terms(&self) -> &'static [(&'static str, &'static str)] {
        &[
            (
                "LEE",
                "Lie derivative error, ‖L‖²/dim: how fast the output changes, per entry and squared, as the image moves along a \
                 generator; 0 for an equivariant network. The geometric mean over images, with an interval of 95 %.",
            ),
            ("generator", "a motion of the image: translate_x to the right, rotate, scale, saturate (colours), …"),
            ("relative", "LEE over ‖A x‖²/dim, how fast the image itself changes under the motion."),
            (
                "symmetry spectrum",
                "the directions among all affine motions from the hardest to the easiest, with relative LEE along each.",
            ),
            ("images effective", "how many images of equal weight the plain mean is worth."),
        ]
    }

    fn foot(&self, page: PageToEnd) -> String {
        let lie = self.run.lie();
        let how = format!(
            "Output: {}; derivative {}, boundary {}, grid {}, t in {}s; {}.",
            self.run.function(),
            lie.derivative,
            lie.boundary,
            lie.grid,
            lie.units,
            self.run.arithmetic()
        );
        page.0.finish(&self.run, &[how], "")
    }
}

impl Paged for MetricsReport {
    fn title(&self) -> String {
        format!("{} under finite shifts and rotations", self.run.model.name())
    }

    fn conclusion(&self) -> Vec<String> {
        let list = self.list();
        let value = |metric: &Metric<'_>| {
            let (value, interval) = metric.shown();
            value + &interval.map_or_else(String::new, |ends| format!(" ({ends})"))
        };
        let of = |field: &str| list.iter().find(|metric| metric.field == field).map(value);
        let images = self.run.images.in_words();
        let mut sentences = Vec::new();
        // What a camera that pans does, where that was measured, says more than all measures in a row.
        let panned = [of("consistency_half_pixel_cropped"), of("consistency_integer_cropped")];
        let moved = [of("sample_invariance_rotate"), of("sample_invariance_translate_x")];
        if let [Some(half), Some(whole)] = panned {
            sentences.push(format!(
                "Cropped elsewhere by random pixels and a half, a photo keeps its answer in {half} of pairs of crops of \
                 {images}; by whole pixels, in {whole}."
            ));
            if let [Some(rotated), Some(shifted)] = moved {
                sentences.push(format!(
                    "A small random rotation changes the output by a squared length of {rotated}, a shift of a pixel or two \
                     by {shifted}."
                ));
            }
        } else {
            let all: Vec<String> = list.iter().map(|metric| format!("{} {}", metric.title, value(metric))).collect();
            sentences.push(format!("On {images}: {}.", all.join("; ")));
        }
        if let Some(layers) = &self.layers {
            sentences.push(format!("Below, {} layers each alone, on {images}.", layers.layers.len()));
        }
        sentences
    }

    fn terms(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("consistency", "the share of random pairs of shifts of an image under which the top-1 class is the same."),
            ("whole, half", "shifts by whole pixels, and by whole pixels and a half."),
            ("circular, cropped", "what leaves at one edge comes in at the other; or the photo is cropped elsewhere."),
            ("EQ-T, EQ-R", "StyleGAN3's PSNRs, of the output against the moved output, in decibels: more is better."),
            ("sample invariance", "the mean squared length of the output's change under a random motion."),
        ]
    }

    fn foot(&self, page: PageToEnd) -> String {
        let how = format!("{} random motions per image, seed {}; {}.", self.draws, self.seed, self.run.arithmetic());
        page.0.finish(&self.run, &[how], "")
    }
}

/// `−50 ± 45 %`, with what that can be told from.
fn change(paired: &Paired) -> String {
    let share = |value: f64| 100.0 * value / paired.before;
    match paired.difference_sem {
        Some(sem) => {
            let told = if paired.difference.abs() > 1.96 * sem { "" } else { ", not told from no change" };
            format!("{:+.0} ± {:.0} %{told}", share(paired.difference), share(sem)).replace('-', "−")
        }
        None => format!("{:+.0} % on one image", share(paired.difference)).replace('-', "−"),
    }
}

impl Paged for SurgeryReport {
    fn title(&self) -> String {
        format!("{} with {}", self.run.model.name(), self.replace.join(", "))
    }

    fn conclusion(&self) -> Vec<String> {
        if self.insertions.is_empty() {
            return vec!["Nothing was chosen: the network is as it was.".to_owned()];
        }
        let mut sentences = Vec::new();
        let generators = &self.generators;
        if let Some((name, paired)) = generators.get_key_value(&self.layers_generator).or_else(|| generators.first()) {
            let changed = if paired.before > 0.0 { change(paired) } else { "none before".to_owned() };
            sentences.push(format!(
                "With {} in it, the error under {name} goes from {} to {} ({changed}).",
                counted(self.insertions.len(), "design"),
                compact(paired.before),
                compact(paired.after)
            ));
        }
        let cost = format!("it costs {:.2} forward passes of the network as it was", self.cost.forward_passes);
        let count = self.run.images.count();
        sentences.push(match &self.change.top1_unchanged {
            Some(kept) => {
                let same = (kept.mean * count as f64).round();
                let verdict =
                    if kept.mean < 0.9 { "; without training again it is no replacement for what it was" } else { "" };
                format!("It says the same top-1 class on {same:.0} of {count} images, and {cost}{verdict}.")
            }
            None => format!("Its output changed by {}, and {cost}.", percent(self.change.relative.mean, 0)),
        });
        sentences
    }

    fn terms(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("error, LEE", "Lie derivative error, E‖L‖²/dim: how fast the output changes as the image moves."),
            ("contribution", "E‖J δ‖²/dim: what a layer's own defect makes of that at the output."),
            ("± ", "the standard error over images, of a change paired by image."),
            ("consistency", "the share of pairs of shifts of an image under which the top-1 class is the same."),
            ("divergence", "Kullback–Leibler, of the old probabilities from the new, in nats."),
        ]
    }

    fn foot(&self, page: PageToEnd) -> String {
        page.0.finish(&self.run, &[format!("Designs pad: {}.", self.padding)], "")
    }
}

impl Paged for BenchReport {
    fn title(&self) -> String {
        "Anti-aliasing designs side by side".to_owned()
    }

    fn conclusion(&self) -> Vec<String> {
        let floor = 1e-22 * self.slope_energy;
        let exact: Vec<&str> =
            self.designs.iter().filter(|d| d.measured <= floor).map(|design| design.name.as_str()).collect();
        let mut sentences = Vec::new();
        if !exact.is_empty() {
            sentences.push(format!("Exact to rounding on this field: {}.", exact.join(", ")));
        }
        let rest = || self.designs.iter().filter(|design| design.measured > floor);
        let by = |a: &&_, b: &&_| {
            let of = |design: &crate::antialias::report::DesignResult| design.measured;
            of(a).total_cmp(&of(b))
        };
        if let (Some(best), 1) = (rest().next(), rest().count()) {
            sentences.push(format!(
                "{} leaves a mean square of {}; of the field's own slopes it is {}.",
                best.name,
                compact(best.measured),
                compact(self.slope_energy)
            ));
        } else if let (Some(best), Some(worst)) = (rest().min_by(by), rest().max_by(by)) {
            sentences.push(format!(
                "Of those that are not exact {} leaves the least, a mean square of {}, and {} the most, {}; of the field's own slopes it is {}.",
                best.name,
                compact(best.measured),
                worst.name,
                compact(worst.measured),
                compact(self.slope_energy)
            ));
        }
        let predicted = self.designs.iter().filter(|design| design.predicted.is_some()).count();
        sentences.push(format!("The theorem predicts {predicted} of the {} designs.", self.designs.len()));
        sentences
    }

    fn terms(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("predicted", "by the aliasing theorem, from the field's Fourier coefficients."),
            (
                "measured",
                "the mean square of the Lie derivative along the velocity, on tensors: what is not equivariant.",
            ),
            (
                "integer, fractional shift error",
                "how far the output of a moved field is from the moved output, relatively.",
            ),
            ("passband, aliased energy", "what is kept of what the coarse grid can hold, and the share of what folds."),
            ("operations", "multiplications or comparisons of a call on the field."),
        ]
    }

    fn foot(&self, page: PageToEnd) -> String {
        let origin: &Origin = &self.run;
        let velocity = self.velocity.map(|v| v.to_string().replace('-', "−"));
        let how = format!(
            "{}, {n} × {n} samples, stride {}, v = ({}, {}), {} padding.",
            self.input,
            self.stride,
            velocity[0],
            velocity[1],
            self.protocol,
            n = self.samples
        );
        page.0.finish_without_network(origin, &[how])
    }
}
