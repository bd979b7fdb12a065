//! The designs that a figure is about, and the one look of each in all of its panels.

use plotters::style::RGBColor;

use super::style::{INK, SERIES};
use crate::antialias::Kind;
use crate::antialias::report::BenchReport;

/// So many lines can be told apart.
const MOST: usize = 6;
/// Where more were asked for: one of each family, the plain stride first.
const OF_FAMILIES: [&str; 5] = ["stride", "max", "blurpool:3", "kaiser", "ideal"];
const COLORS: [RGBColor; MOST] = [INK, SERIES[1], SERIES[0], SERIES[2], RGBColor(0x7a, 0x3e, 0x9d), SERIES[3]];

/// Downsamplings with their colours: all where they are few, else one of each family and those with the least error.
#[derive(Clone, Debug)]
pub(super) struct Featured<'a>(Vec<(&'a str, RGBColor)>);

impl<'a> Featured<'a> {
    pub(super) fn of(report: &'a BenchReport) -> Self {
        let mut downsamplings: Vec<_> = report.designs.iter().filter(|d| d.kind == Kind::Downsampling).collect();
        let mut names: Vec<&str> = downsamplings.iter().map(|design| design.name.as_str()).collect();
        if names.len() > MOST {
            names.retain(|name| OF_FAMILIES.contains(name));
            names.sort_by_key(|name| OF_FAMILIES.iter().position(|known| known == name));
            // Of exact ones the one above is enough: the best of the others is what can be had for less.
            downsamplings.sort_by(|a, b| a.measured.total_cmp(&b.measured));
            let floor = 1e-22 * report.slope_energy;
            let best = downsamplings.iter().filter(|d| d.measured > floor).map(|d| d.name.as_str());
            let more: Vec<&str> = best.filter(|name| !OF_FAMILIES.contains(name)).collect();
            names.extend(more.into_iter().take(MOST - names.len()));
        }
        Self(names.into_iter().zip(COLORS).collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, RGBColor)> + '_ {
        self.0.iter().copied()
    }

    /// Its colour, where it is one of them.
    pub(super) fn color(&self, name: &str) -> Option<RGBColor> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, color)| *color)
    }
}
