//! A path of the group, as it is named on the command line: `translate_x=1px:16`.

use std::fmt;
use std::str::FromStr;

use super::combination::Combination;
use super::generator::{Generator, MEASURED};
use super::grid::Units;

/// A translation from 0 to a distance, and the nodes at which its Lie derivative is taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Orbit {
    /// The generator, a translation.
    pub generator: Combination,
    /// The end of the path, t in `units`.
    pub distance: f64,
    /// The unit of t; none for that of the run.
    pub units: Option<Units>,
    /// Gauss–Legendre nodes.
    pub nodes: usize,
}

/// Nodes, where nothing says how many.
pub const NODES: usize = 16;
/// More nodes than this resolve nothing that fewer do not.
pub const MOST_NODES: usize = 512;

impl FromStr for Orbit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write GENERATOR=DISTANCE[px][:NODES], such as translate_x=1px:16";
        let (generator, path) = text.split_once('=').ok_or_else(|| format!("'{text}' has no distance: {form}"))?;
        let generator: Combination = generator.parse().map_err(|error| format!("{error}"))?;
        let translations = [Generator::TranslateX, Generator::TranslateY];
        if MEASURED.iter().any(|g| !translations.contains(g) && generator.coefficient(*g) != 0.0) {
            return Err(format!(
                "{generator} does more than translate, and an image moves exactly along translations alone: give \
                 translate_x, translate_y or a sum of them; aliascope field --warp and metrics move images in other ways"
            ));
        }
        let (distance, nodes) = match path.split_once(':') {
            Some((distance, nodes)) => {
                let count = nodes.parse().ok().filter(|count| (1..=MOST_NODES).contains(count));
                (
                    distance,
                    count.ok_or_else(|| format!("'{nodes}' is no number of nodes from 1 to {MOST_NODES}: {form}"))?,
                )
            }
            None => (path, NODES),
        };
        let (number, units) = match distance.strip_suffix("px") {
            Some(number) => (number, Some(Units::Pixel)),
            None => (distance, None),
        };
        let known = number.parse::<f64>().ok().filter(|distance| distance.is_finite() && *distance != 0.0);
        let distance = known.ok_or_else(|| format!("'{distance}' is no distance: {form}"))?;
        Ok(Self { generator, distance, units, nodes })
    }
}

impl fmt::Display for Orbit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = if self.units == Some(Units::Pixel) { "px" } else { "" };
        write!(f, "{}={}{unit}:{}", self.generator, self.distance, self.nodes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orbits_are_read_as_they_are_written() {
        for (text, whole) in [
            ("translate_x=1px", "translate_x=1px:16"),
            ("translate_x+translate_y=-0.5px:4", "translate_x+translate_y=-0.5px:4"),
            ("translate_y=0.01:32", "translate_y=0.01:32"),
        ] {
            assert_eq!(text.parse::<Orbit>().unwrap().to_string(), whole);
        }
        for (wrong, words) in [
            ("translate_x", "no distance"),
            ("translate_x=px", "no distance"),
            ("translate_x=0px", "no distance"),
            ("translate_x=1px:0", "number of nodes"),
            ("rotate=0.1", "translations alone"),
            ("saturate+translate_x=1px", "translations alone"),
            ("translat_x=1px", "translate_x"),
        ] {
            assert!(wrong.parse::<Orbit>().unwrap_err().contains(words), "{wrong}: {:?}", wrong.parse::<Orbit>());
        }
    }
}
