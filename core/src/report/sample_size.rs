//! What a mean over images is worth, in a sentence.

use crate::measure::run::Images;
use crate::statistics::{deciding, effective_count};

/// `effective sample size 4.9 of 15: flower.jpg has 31 % of the sum, rocket.jpg 20 %`; nothing for fewer than two
/// images, or values that are all 0.
pub(super) fn sample_size(values: &[f64], images: &Images) -> Option<String> {
    let effective = effective_count(values).filter(|_| values.len() > 1)?;
    let shares: Vec<String> = deciding(values)
        .into_iter()
        .enumerate()
        .map(|(at, (image, share))| {
            let of = if at == 0 { "has " } else { "" };
            format!("{} {of}{:.0} %{}", images.name(image), 100.0 * share, if at == 0 { " of the sum" } else { "" })
        })
        .collect();
    Some(format!("effective sample size {effective:.1} of {}: {}", values.len(), shares.join(", ")))
}
