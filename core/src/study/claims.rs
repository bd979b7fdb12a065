//! What the data of a study say of the paper's claims, each with its number: Gruver et al., *The Lie Derivative for Measuring
//! Learned Equivariance*, 2023.

use super::claim::{Claim, Finding};
use super::class_offset::class_doubts;
use super::data::{StudyData, complete, picked};
use super::failure::FailureRow;
use super::report::{StudyReport, StudyRun};
use super::store::Store;
use super::store_error::StoreError;
use crate::measure::run::Origin;
use crate::number::compact;
use crate::statistics::{Estimate, paired_ratio};

fn said(estimate: Option<&Estimate>) -> String {
    match estimate {
        Some(Estimate { value, interval: Some(interval) }) => {
            format!("{} [{}, {}]", compact(*value), compact(interval.low), compact(interval.high))
        }
        Some(Estimate { value, interval: None }) => format!("{} (no interval)", compact(*value)),
        None => "not defined".to_owned(),
    }
}

/// Makes the report of a store.
///
/// # Errors
/// It cannot be read.
pub fn study_report(store: &Store, origin: Origin) -> Result<StudyReport, StoreError> {
    let data = StudyData::read(store)?;
    let runs = store.rows("SELECT began, aliascope, command, device, threads, shard FROM run ORDER BY id", |row| {
        Ok(StudyRun {
            began: row.get(0)?,
            aliascope: row.get(1)?,
            command: row.get(2)?,
            device: row.get(3)?,
            threads: row.get(4)?,
            shard: row.get(5)?,
        })
    })?;
    let failures = store.failures()?.iter().map(FailureRow::sentence).collect();
    let doubts = class_doubts(store)?;
    let report =
        StudyReport { origin, settings: store.settings()?, runs, doubts, failures, ..StudyReport::summed_up(&data) };
    Ok(StudyReport { claims: claims(&report, &data), ..report })
}

/// The claims that a survey can speak to, in the order of the paper.
pub fn claims(report: &StudyReport, data: &StudyData) -> Vec<Claim> {
    let Some((set, output, derivative)) = report.primary() else { return Vec::new() };
    let (set, output, derivative) = (set.to_owned(), output.to_owned(), derivative.to_owned());
    let is_primary = |s: &str, o: &str, d: &str| s == set && o == output && d == derivative;
    let generator = report.generators().first().map_or("", |generator| generator).to_owned();
    let of = format!("{generator}, {output}, the set '{set}'");
    let new = |claim: &str, verdict, because| Claim { claim: claim.to_owned(), verdict, because };
    vec![
        agreement_of_shifts(report, &set, &generator, &new),
        accuracy(report, &is_primary, &generator, &of, &new),
        architecture(report, &is_primary, &generator, &of, &new),
        other_metrics(report, &set, &generator, &new),
        error_bars(data, &set, &output, &derivative, &generator, &of, &new),
        out_of_distribution(report, &output, &derivative, &generator, &new),
    ]
}

/// Fewer networks than this decide no claim about networks.
const FEWEST: usize = 5;
/// Fewer images than this decide nothing about error bars over images.
const FEWEST_IMAGES: usize = 10;

type New<'a> = &'a dyn Fn(&str, Finding, String) -> Claim;
type IsPrimary<'a> = &'a dyn Fn(&str, &str, &str) -> bool;

fn agreement_of_shifts(report: &StudyReport, set: &str, generator: &str, new: New<'_>) -> Claim {
    let claim = "LEE sees what metrics under whole-pixel shifts miss, and needs no normalisation as fractional ones do";
    let lee = format!("LEE {generator}");
    let with = |metric: &str| {
        let found = report.agreements.iter().find(|a| a.set == set && a.a == lee && a.b == metric);
        found.and_then(|agreement| agreement.spearman)
    };
    let [whole, half] = ["consistency_integer_circular", "consistency_half_pixel_circular"].map(with);
    let because = match (whole, half) {
        (None, None) => "the study has no metrics under shifts (metric_draws = 0), and the claim is of layers, which \
                         `aliascope metrics --layers` measures one network at a time"
            .to_owned(),
        (whole, half) => format!(
            "rank correlation over networks of {lee} with consistency under whole-pixel shifts {}, half a pixel more {}; the \
             claim is of layers, which `aliascope metrics --layers` measures one network at a time",
            said(whole.as_ref()),
            said(half.as_ref())
        ),
    };
    new(claim, Finding::NotDecided, because)
}

fn accuracy(report: &StudyReport, is_primary: IsPrimary<'_>, generator: &str, of: &str, new: New<'_>) -> Claim {
    let claim = "LEE falls as accuracy rises, over all networks and within families";
    let found = report
        .associations
        .iter()
        .find(|a| is_primary(&a.set, &a.output, &a.derivative) && a.generator == generator && a.with == "accuracy");
    let Some(found) = found else {
        return new(claim, Finding::NotDecided, "no set has classes for all of its images".to_owned());
    };
    let (overall, within) = (found.spearman.as_ref(), found.spearman_within.as_ref());
    let verdict = Finding::all([Finding::below(overall, 0.0), Finding::below(within, 0.0)]);
    let others = report.associations.iter().filter(|a| a.with == "accuracy" && a.set == found.set);
    let signs: Vec<Finding> = others.map(|a| Finding::below(a.spearman.as_ref(), 0.0)).collect();
    let count = |finding| signs.iter().filter(|sign| **sign == finding).count();
    let because = format!(
        "Spearman's correlation over {} networks and {} images {}, within families {} ({of}); of all {} outputs, derivatives \
         and generators {} fall, {} rise, {} are not decided overall",
        found.networks,
        found.images,
        said(overall),
        said(within),
        signs.len(),
        count(Finding::Supported),
        count(Finding::Contradicted),
        count(Finding::NotDecided)
    );
    new(claim, verdict, because)
}

fn architecture(report: &StudyReport, is_primary: IsPrimary<'_>, generator: &str, of: &str, new: New<'_>) -> Claim {
    let claim = "Size and accuracy (training) matter more for LEE than the architecture";
    let found = report.models.iter().find(|m| is_primary(&m.set, &m.output, &m.derivative) && m.generator == generator);
    let Some(found) = found else { return new(claim, Finding::NotDecided, "there are no results".to_owned()) };
    if found.families < 2 {
        return new(claim, Finding::NotDecided, format!("the study has one family of networks ({of})"));
    }
    let share = |share: Option<f64>| share.map_or_else(|| "not defined".to_owned(), compact);
    let because = format!(
        "adjusted R² of log LEE by columns ({}) {}, by {} families {}, by both {}; columns less families {} over {} networks \
         ({of})",
        found.slopes.keys().cloned().collect::<Vec<_>>().join(", "),
        share(found.by_columns),
        found.families,
        share(found.by_family),
        share(found.by_both),
        said(found.columns_less_families.as_ref()),
        found.networks
    );
    new(claim, Finding::above(found.columns_less_families.as_ref(), 0.0), because)
}

fn other_metrics(report: &StudyReport, set: &str, generator: &str, new: New<'_>) -> Claim {
    let claim = "Metrics over larger motions rank networks as LEE does";
    let lee = format!("LEE {generator}");
    let found: Vec<_> =
        report.agreements.iter().filter(|a| a.set == set && a.a == lee && !a.b.starts_with("LEE ")).collect();
    if found.is_empty() {
        return new(claim, Finding::NotDecided, "the study has no metrics under shifts (metric_draws = 0)".to_owned());
    }
    // Consistency and PSNRs fall as errors grow.
    let falls = |name: &str| name.starts_with("consistency") || name.starts_with("eq_");
    let findings = found.iter().map(|a| match falls(&a.b) {
        true => Finding::below(a.spearman.as_ref(), 0.0),
        false => Finding::above(a.spearman.as_ref(), 0.0),
    });
    let verdict = Finding::all(findings);
    let each: Vec<String> = found.iter().map(|a| format!("{} {}", a.b, said(a.spearman.as_ref()))).collect();
    new(claim, verdict, format!("rank correlations over networks of {lee} with {}", each.join("; ")))
}

/// How many pairs of networks whose one-standard-error bars overlap are told apart image by image, and the other way round.
fn error_bars(
    data: &StudyData,
    set: &str,
    output: &str,
    derivative: &str,
    generator: &str,
    of: &str,
    new: New<'_>,
) -> Claim {
    let claim = "Error bars of one standard error over images show which networks differ";
    let place = data.sets.iter().position(|one| one.name == set);
    let key = data
        .keys
        .iter()
        .position(|key| key.output == output && key.derivative == derivative && key.generator == generator);
    let (Some(place), Some(key)) = (place, key) else {
        return new(claim, Finding::NotDecided, "there are no results".to_owned());
    };
    let (networks, images) = complete(&data.lee[place][key]);
    let lee = picked(&data.lee[place][key], &networks, &images);
    let bars: Vec<(f64, f64)> = lee
        .iter()
        .map(|values| {
            let mean = crate::statistics::mean(values);
            (mean, crate::statistics::standard_error(values, mean).unwrap_or(f64::INFINITY))
        })
        .collect();
    let (mut hidden, mut apart, mut pairs) = (0, 0, 0);
    for a in 0..lee.len() {
        for b in 0..a {
            let Some(interval) = paired_ratio(&lee[a], &lee[b]).ok().and_then(|ratio| ratio.geometric.interval) else {
                continue;
            };
            let overlap = (bars[a].0 - bars[b].0).abs() <= bars[a].1 + bars[b].1;
            pairs += 1;
            hidden += usize::from(overlap && !interval.covers(1.0));
            apart += usize::from(!overlap && interval.covers(1.0));
        }
    }
    let verdict = match (pairs, hidden + apart) {
        _ if lee.len() < FEWEST || images.len() < FEWEST_IMAGES => Finding::NotDecided,
        (0, _) => Finding::NotDecided,
        (_, 0) => Finding::Supported,
        (pairs, wrong) if 20 * wrong > pairs => Finding::Contradicted,
        _ => Finding::Supported,
    };
    let because = format!(
        "of {pairs} pairs of networks, the bars of {hidden} overlap though the paired ratio tells the networks apart, and \
         those of {apart} lie apart though the paired ratio does not tell ({of})"
    );
    new(claim, verdict, because)
}

fn out_of_distribution(report: &StudyReport, output: &str, derivative: &str, generator: &str, new: New<'_>) -> Claim {
    let claim = "Networks are less equivariant out of distribution";
    let found: Vec<_> = report
        .set_ratios
        .iter()
        .filter(|r| {
            r.role == "out-of-distribution"
                && r.output == output
                && r.derivative == derivative
                && r.generator == generator
        })
        .collect();
    if found.is_empty() {
        return new(claim, Finding::NotDecided, "no set has the role out-of-distribution".to_owned());
    }
    // Of the error, its mean and what is usual, and of what is left when the images' own change is taken into account: only
    // all of them are evidence.
    let findings = found
        .iter()
        .flat_map(|r| [Some(&r.lee), r.geometric.as_ref(), r.relative.as_ref()].map(|of| Finding::above(of, 1.0)));
    // Of fewer networks it is a finding of these, not of networks.
    let verdict = if found[0].networks < FEWEST { Finding::NotDecided } else { Finding::all(findings) };
    let each: Vec<String> = found
        .iter()
        .map(|r| {
            format!(
                "on '{}' LEE is {} times that on '{}', its geometric mean over images {} times, relative LEE {} times, the \
                 images' own change {} times",
                r.of,
                said(Some(&r.lee)),
                r.to,
                said(r.geometric.as_ref()),
                said(r.relative.as_ref()),
                said(r.energy.as_ref())
            )
        })
        .collect();
    new(claim, verdict, format!("{} ({generator}, {output}; {} networks)", each.join("; "), found[0].networks))
}
