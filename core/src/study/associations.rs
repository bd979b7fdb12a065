//! What goes together over networks: LEE with accuracy, size and columns, families, sets of images, other metrics.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::data::{ByImage, Key, StudyData, complete, picked};
use super::settings::ColumnValue;
use crate::statistics::correlation::Kind;
use crate::statistics::{
    Estimate, Interval, crossed_bootstrap, crossed_bootstraps, grouped_least_squares, least_squares, mean,
    unpaired_ratio, weighted_mean,
};

/// What LEE is held against.
#[derive(Clone, Debug)]
enum Side {
    /// A number of each network.
    Fixed(Vec<f64>),
    /// A mean over images: the accuracy.
    ByImage(Vec<ByImage>),
}

/// How LEE goes with something else over networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Association {
    /// On which set of images.
    pub set: String,
    /// What comes behind the networks' outputs.
    pub output: String,
    /// How ∇ was taken.
    pub derivative: String,
    /// The generator.
    pub generator: String,
    /// With what: `accuracy`, `parameters` or a column.
    pub with: String,
    /// How many networks have both.
    pub networks: usize,
    /// How many images all of them were measured on.
    pub images: usize,
    /// Spearman's rank correlation; the crossed bootstrap's interval, as for the others.
    pub spearman: Option<Estimate>,
    /// Pearson's correlation of the logarithms (of what is negative or 0 somewhere, the values).
    pub pearson: Option<Estimate>,
    /// Spearman's within families.
    pub spearman_within: Option<Estimate>,
    /// Pearson's within families.
    pub pearson_within: Option<Estimate>,
}

/// Log LEE by least squares: family as a factor, accuracy and size as columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FamilyModel {
    /// On which set of images.
    pub set: String,
    /// What comes behind the networks' outputs.
    pub output: String,
    /// How ∇ was taken.
    pub derivative: String,
    /// The generator.
    pub generator: String,
    /// How many networks.
    pub networks: usize,
    /// How many families.
    pub families: usize,
    /// The slope of log LEE by each column, families having levels of their own; null where there are too few networks.
    pub slopes: BTreeMap<String, Option<Estimate>>,
    /// Adjusted R² of the families' levels alone.
    pub by_family: Option<f64>,
    /// Adjusted R² of the columns alone.
    pub by_columns: Option<f64>,
    /// Adjusted R² of both.
    pub by_both: Option<f64>,
    /// Columns less families, with the crossed bootstrap's interval, families having as many networks as they have.
    pub columns_less_families: Option<Estimate>,
}

/// How many times as large LEE is on one set of images as on another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetRatio {
    /// The set above.
    pub of: String,
    /// Its role.
    pub role: String,
    /// The set below.
    pub to: String,
    /// What comes behind the networks' outputs.
    pub output: String,
    /// How ∇ was taken.
    pub derivative: String,
    /// The generator.
    pub generator: String,
    /// How many networks.
    pub networks: usize,
    /// The geometric mean over networks of the ratio of LEE, with the crossed bootstrap's interval.
    pub lee: Estimate,
    /// The same of the ratio of geometric means over images, which is of the usual image where LEE is of the few with the
    /// largest errors; null where an image has no error.
    #[serde(default)]
    pub geometric: Option<Estimate>,
    /// The same of relative LEE, E‖L‖²/E‖A x‖²: what is left of the ratio when images that change more under the generator
    /// are taken for what they are.
    pub relative: Option<Estimate>,
    /// The same of E‖A x‖²/dim: the images' own change, which is their bandwidth for translations.
    pub energy: Option<Estimate>,
    /// The ratio of geometric means of every network, with Welch's interval; null where an image has no error.
    pub by_network: BTreeMap<String, Option<Estimate>>,
}

/// How two measures of the same networks agree in rank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// On which set of images.
    pub set: String,
    /// The one: `LEE translate_x`, or a metric's name.
    pub a: String,
    /// The other.
    pub b: String,
    /// How many networks have both.
    pub networks: usize,
    /// Spearman's rank correlation, with the crossed bootstrap's interval.
    pub spearman: Option<Estimate>,
}

/// Values of networks, one for each: logarithms where all are above 0.
fn logarithms(values: Vec<f64>) -> Vec<f64> {
    if values.iter().all(|value| *value > 0.0) { values.iter().map(|value| value.ln()).collect() } else { values }
}

fn at<T: Copy>(values: &[T], places: &[usize]) -> Vec<T> {
    places.iter().map(|place| values[*place]).collect()
}

fn estimate(value: Option<f64>, interval: Option<Interval>) -> Option<Estimate> {
    value.map(|value| Estimate { value, interval })
}

/// Places by group.
fn strata(groups: &[usize]) -> Vec<Vec<usize>> {
    let mut strata: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    groups.iter().enumerate().for_each(|(place, group)| strata.entry(*group).or_default().push(place));
    strata.into_values().collect()
}

/// One number of every network in `places`: means over images as often as they were drawn.
fn means(values: &[ByImage], places: &[usize], counts: &[f64]) -> Vec<f64> {
    places.iter().map(|place| weighted_mean(&values[*place], counts)).collect()
}

impl Side {
    fn of(&self, places: &[usize], counts: &[f64]) -> Vec<f64> {
        match self {
            Self::Fixed(values) => at(values, places),
            Self::ByImage(values) => means(values, places, counts),
        }
    }
}

/// LEE on one set under one key, on the networks and images that are complete, and what is known of those networks.
struct Case {
    lee: Vec<ByImage>,
    families: Vec<usize>,
    sides: Vec<(String, Side)>,
    images: usize,
}

impl Case {
    fn of(data: &StudyData, set: usize, key: usize) -> Option<Self> {
        let (networks, images) = complete(&data.lee[set][key]);
        if networks.is_empty() || images.is_empty() {
            return None;
        }
        let mut sides = Vec::new();
        // Only images with a class count for the accuracy; all networks have the same of them.
        let right = picked(&data.right[set], &networks, &images);
        if right.iter().all(|row| row.iter().all(|value| value.is_finite())) {
            sides.push(("accuracy".to_owned(), Side::ByImage(right)));
        }
        let parameters: Option<Vec<f64>> =
            networks.iter().map(|at| data.networks[*at].about.parameters.map(|count| count as f64)).collect();
        sides.extend(parameters.map(|values| ("parameters".to_owned(), Side::Fixed(values))));
        let first = &data.networks[networks[0]];
        for column in first.about.columns.keys() {
            let value = |at: &usize| match data.networks[*at].about.columns.get(column) {
                Some(ColumnValue::Number(number)) => Some(*number),
                _ => None,
            };
            let values: Option<Vec<f64>> = networks.iter().map(value).collect();
            sides.extend(values.map(|values| (column.clone(), Side::Fixed(values))));
        }
        let (families, _) = data.families();
        let families = at(&families, &networks);
        Some(Self { lee: picked(&data.lee[set][key], &networks, &images), families, sides, images: images.len() })
    }

    fn everyone(&self) -> (Vec<usize>, Vec<f64>) {
        ((0..self.lee.len()).collect(), vec![1.0; self.images])
    }

    fn logs(&self, places: &[usize], counts: &[f64]) -> Vec<f64> {
        logarithms(means(&self.lee, places, counts))
    }
}

fn cases(data: &StudyData) -> Vec<(usize, usize)> {
    (0..data.sets.len()).flat_map(|set| (0..data.keys.len()).map(move |key| (set, key))).collect()
}

/// LEE with accuracy, parameters and every numeric column that all networks have, set by set.
pub fn associations(data: &StudyData) -> Vec<Association> {
    let of = |(set, key): (usize, usize)| {
        let Some(case) = Case::of(data, set, key) else { return Vec::new() };
        case.sides.iter().map(|(with, side)| associated(data, (set, key), &case, with, side)).collect()
    };
    cases(data).into_par_iter().map(of).collect::<Vec<Vec<Association>>>().concat()
}

fn associated(data: &StudyData, (set, key): (usize, usize), case: &Case, with: &str, side: &Side) -> Association {
    let Key { output, derivative, generator } = data.keys[key].clone();
    let overall = |places: &[usize], counts: &[Vec<f64>]| {
        let (x, y) = (side.of(places, &counts[0]), case.logs(places, &counts[0]));
        [Kind::Ranks.of(&x, &y), Kind::Values.of(&logarithms(x), &y)]
    };
    let within = |places: &[usize], counts: &[Vec<f64>]| {
        let families = at(&case.families, places);
        let (x, y) = (side.of(places, &counts[0]), case.logs(places, &counts[0]));
        [Kind::Ranks.within(&families, &x, &y), Kind::Values.within(&families, &logarithms(x), &y)]
    };
    let (everyone, once) = case.everyone();
    let once = [once];
    let [spearman, pearson] = overall(&everyone, &once);
    let [spearman_within, pearson_within] = within(&everyone, &once);
    let intervals = crossed_bootstraps(std::slice::from_ref(&everyone), &[case.images], overall);
    let intervals_within = crossed_bootstraps(&strata(&case.families), &[case.images], within);
    Association {
        set: data.sets[set].name.clone(),
        output,
        derivative,
        generator,
        with: with.to_owned(),
        networks: case.lee.len(),
        images: case.images,
        spearman: estimate(spearman, intervals[0]),
        pearson: estimate(pearson, intervals[1]),
        spearman_within: estimate(spearman_within, intervals_within[0]),
        pearson_within: estimate(pearson_within, intervals_within[1]),
    }
}

/// Log LEE by families, accuracy and size, set by set.
pub fn family_models(data: &StudyData) -> Vec<FamilyModel> {
    let of = |(set, key): (usize, usize)| Some(modelled(data, (set, key), &Case::of(data, set, key)?));
    cases(data).into_par_iter().filter_map(of).collect()
}

fn modelled(data: &StudyData, (set, key): (usize, usize), case: &Case) -> FamilyModel {
    let Key { output, derivative, generator } = data.keys[key].clone();
    let columns: Vec<&(String, Side)> =
        case.sides.iter().filter(|(name, _)| name == "accuracy" || name == "parameters").collect();
    // Families by numbers without gaps.
    let groups = |places: &[usize]| {
        let families = at(&case.families, places);
        let mut known = families.clone();
        known.sort_unstable();
        known.dedup();
        families.iter().map(|family| known.binary_search(family).unwrap_or(0)).collect::<Vec<usize>>()
    };
    let sides = |places: &[usize], counts: &[f64]| -> Vec<Vec<f64>> {
        columns.iter().map(|(_, side)| logarithms(side.of(places, counts))).collect()
    };
    let explained = |places: &[usize], counts: &[f64]| {
        let y = case.logs(places, counts);
        let with_constant: Vec<Vec<f64>> = std::iter::once(vec![1.0; y.len()]).chain(sides(places, counts)).collect();
        [
            grouped_least_squares(&groups(places), &[], &y).and_then(|fit| fit.adjusted(&y)),
            least_squares(&with_constant, &y).and_then(|fit| fit.adjusted(&y)),
            grouped_least_squares(&groups(places), &sides(places, counts), &y).and_then(|fit| fit.adjusted(&y)),
        ]
    };
    let (everyone, once) = case.everyone();
    let [by_family, by_columns, by_both] = explained(&everyone, &once);
    let fit = grouped_least_squares(&groups(&everyone), &sides(&everyone, &once), &case.logs(&everyone, &once));
    let slope = |at: usize| fit.as_ref().and_then(|fit| fit.coefficients.get(at).copied());
    let less = |[family, columns, _]: [Option<f64>; 3]| Some(columns? - family?);
    let interval = crossed_bootstrap(&strata(&case.families), &[case.images], |places, counts| {
        less(explained(places, &counts[0]))
    });
    FamilyModel {
        set: data.sets[set].name.clone(),
        output,
        derivative,
        generator,
        networks: case.lee.len(),
        families: strata(&case.families).len(),
        slopes: columns.iter().enumerate().map(|(at, (name, _))| (name.clone(), slope(at))).collect(),
        columns_less_families: estimate(less([by_family, by_columns, by_both]), interval),
        by_family,
        by_columns,
        by_both,
    }
}

/// Every other set against the first set of the role `test`, or the first of all.
pub fn set_ratios(data: &StudyData) -> Vec<SetRatio> {
    let below = data.sets.iter().position(|set| set.role == "test").unwrap_or(0);
    let pairs: Vec<(usize, usize)> = cases(data).into_iter().filter(|(above, _)| *above != below).collect();
    pairs.into_par_iter().filter_map(|(above, key)| ratio(data, above, below, key)).collect()
}

fn ratio(data: &StudyData, above: usize, below: usize, key: usize) -> Option<SetRatio> {
    let Key { output, derivative, generator } = data.keys[key].clone();
    let (in_above, images_above) = complete(&data.lee[above][key]);
    let (in_below, images_below) = complete(&data.lee[below][key]);
    let networks: Vec<usize> = in_above.into_iter().filter(|at| in_below.contains(at)).collect();
    if networks.is_empty() || images_above.is_empty() || images_below.is_empty() {
        return None;
    }
    let of = |values: &[Vec<Vec<ByImage>>]| {
        [picked(&values[above][key], &networks, &images_above), picked(&values[below][key], &networks, &images_below)]
    };
    let (lee, energy) = (of(&data.lee), of(&data.energy));
    let mean_log = |values: &[Vec<ByImage>; 2], places: &[usize], counts: &[Vec<f64>]| {
        let logs = places.iter().map(|place| {
            (weighted_mean(&values[0][*place], &counts[0]) / weighted_mean(&values[1][*place], &counts[1])).ln()
        });
        let logs: Vec<f64> = logs.collect();
        Some(mean(&logs)).filter(|value| value.is_finite())
    };
    let logs = lee.clone().map(|set| set.into_iter().map(|of| of.into_iter().map(f64::ln).collect()).collect());
    let mean_of_logs = |values: &[Vec<ByImage>; 2], places: &[usize], counts: &[Vec<f64>]| {
        let of = |place: &usize| {
            weighted_mean(&values[0][*place], &counts[0]) - weighted_mean(&values[1][*place], &counts[1])
        };
        Some(mean(&places.iter().map(of).collect::<Vec<f64>>())).filter(|value| value.is_finite())
    };
    let all = |places: &[usize], counts: &[Vec<f64>]| {
        let (lee, energy) = (mean_log(&lee, places, counts), mean_log(&energy, places, counts));
        [lee, lee.zip(energy).map(|(lee, energy)| lee - energy), energy, mean_of_logs(&logs, places, counts)]
    };
    let everyone: Vec<usize> = (0..networks.len()).collect();
    let once = [vec![1.0; images_above.len()], vec![1.0; images_below.len()]];
    let values = all(&everyone, &once);
    let intervals = crossed_bootstraps(&[everyone], &[images_above.len(), images_below.len()], all);
    let exp = |at: usize| estimate(values[at], intervals[at]).map(|estimate| estimate.map(f64::exp));
    let by_network = networks.iter().enumerate().map(|(at, network)| {
        (data.networks[*network].about.name.clone(), unpaired_ratio(&lee[0][at], &lee[1][at]).ok())
    });
    Some(SetRatio {
        of: data.sets[above].name.clone(),
        role: data.sets[above].role.clone(),
        to: data.sets[below].name.clone(),
        output,
        derivative,
        generator,
        networks: networks.len(),
        lee: exp(0)?,
        relative: exp(1),
        energy: exp(2),
        geometric: exp(3),
        by_network: by_network.collect(),
    })
}

/// What is measured, and its values: network by network, image by image.
type Measure<'a> = (String, &'a Vec<ByImage>);

/// Rank correlations between LEE under every generator (of the first output and derivative) and the other metrics, set by
/// set.
pub fn agreements(data: &StudyData) -> Vec<Agreement> {
    let Some(first) = data.keys.first() else { return Vec::new() };
    let mut all: Vec<(usize, Measure<'_>, Measure<'_>)> = Vec::new();
    for set in 0..data.sets.len() {
        let mut measures: Vec<Measure<'_>> = Vec::new();
        for (at, key) in data.keys.iter().enumerate() {
            if key.output == first.output && key.derivative == first.derivative {
                measures.push((format!("LEE {}", key.generator), &data.lee[set][at]));
            }
        }
        measures.extend(data.metrics.iter().map(|(name, values)| (name.clone(), &values[set])));
        for (at, (name, values)) in measures.iter().enumerate() {
            for (other, of_other) in &measures[..at] {
                all.push((set, (other.clone(), *of_other), (name.clone(), *values)));
            }
        }
    }
    let agree = |(set, (a, of_a), (b, of_b)): &(usize, Measure<'_>, Measure<'_>)| {
        // What one of them lacks, both lack.
        let both: Vec<ByImage> =
            of_a.iter().zip(of_b.iter()).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect();
        let (networks, images) = complete(&both);
        let (a_values, b_values) = (picked(of_a, &networks, &images), picked(of_b, &networks, &images));
        let ranks = |places: &[usize], counts: &[Vec<f64>]| {
            Kind::Ranks.of(&means(&a_values, places, &counts[0]), &means(&b_values, places, &counts[0]))
        };
        let everyone: Vec<usize> = (0..networks.len()).collect();
        let value = ranks(&everyone, &[vec![1.0; images.len()]]);
        let interval = value.and_then(|_| crossed_bootstrap(&[everyone], &[images.len()], ranks));
        Agreement {
            set: data.sets[*set].name.clone(),
            a: a.clone(),
            b: b.clone(),
            networks: networks.len(),
            spearman: estimate(value, interval),
        }
    };
    all.par_iter().map(agree).collect()
}
