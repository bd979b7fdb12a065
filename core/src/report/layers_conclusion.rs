//! What an attribution says, in two or three sentences made from its numbers.

use crate::figure::layer_looks::sum;
use crate::measure::layers_report::{DefectPart, LayerClass, LayerReport, LayerResults, LayersReport};
use crate::number::percent;
use crate::statistics::jackknife;

/// The sentences, the most important one first.
pub(super) fn layers_conclusion(report: &LayersReport) -> Vec<String> {
    let Some(first) = report.results.all().first() else { return Vec::new() };
    if first.is_rounding || sum(first) <= 0.0 {
        return vec![format!(
            "No layer makes an error under {} that is more than rounding: the network is equivariant on these images, or \
             nothing changes them.",
            first.generator
        )];
    }
    let mut sentences = Vec::new();
    if let Some(layer) = worst(first) {
        sentences.push(leading(first, layer));
    }
    sentences.extend(others(report));
    sentences.extend(worst(first).and_then(|layer| advice(report, first, layer)));
    sentences
}

fn worst(results: &LayerResults) -> Option<&LayerReport> {
    results.layers.iter().max_by(|a, b| a.contribution.total_cmp(&b.contribution))
}

/// `53 ± 4 %`: a layer's share of the sum, and its standard error over images.
fn share(results: &LayerResults, layer: &LayerReport) -> String {
    let of = |without: Option<usize>| {
        let kept = |values: &[f64]| -> f64 {
            values.iter().enumerate().filter(|(at, _)| Some(*at) != without).map(|(_, value)| value).sum()
        };
        let all: f64 = results.layers.iter().map(|layer| kept(&layer.by_image)).sum();
        (all > 0.0).then(|| kept(&layer.by_image) / all)
    };
    let value = of(None).unwrap_or_else(|| layer.contribution / sum(results));
    match jackknife(layer.by_image.len(), |at| of(Some(at))) {
        Some(sem) => format!("{:.0} ± {}", 100.0 * value, percent(sem, 0)),
        None => percent(value, 0),
    }
}

fn leading(results: &LayerResults, layer: &LayerReport) -> String {
    let mut text = format!(
        "{} ({}) makes {} of what the layers contribute to the error under {}",
        layer.name,
        class(layer),
        share(results, layer),
        results.generator
    );
    match main_part(layer) {
        Some(DefectPart::Aliasing) => text += ", mostly by aliasing",
        Some(DefectPart::Boundary) => text += ", mostly at the image's edge",
        Some(DefectPart::Kernel) => text += ", mostly by what its kernel does, however fine the grid",
        Some(DefectPart::Discretisation) => text += ", mostly by the derivative that was chosen",
        None => {}
    }
    let few = results.layers.len() > 10;
    let mut sorted: Vec<f64> = results.layers.iter().map(|layer| layer.contribution).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let five: f64 = sorted.iter().take(5).sum();
    if few {
        text += &format!("; the five largest of {} layers make {}", sorted.len(), percent(five / sum(results), 0));
    }
    text + "."
}

/// What the layer is in words, as its class has it.
fn class(layer: &LayerReport) -> String {
    let class = layer.class.name().replace('-', " ");
    let article = if class.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    match layer.class {
        LayerClass::Pooling | LayerClass::Attention | LayerClass::Resampling | LayerClass::Normalisation => class,
        _ => format!("{article} {class}"),
    }
}

/// The part that alone would make at least half of what the layer makes, where one does.
fn main_part(layer: &LayerReport) -> Option<DefectPart> {
    let parts = DefectPart::ALL.into_iter().filter_map(|part| Some((part, layer.part(part)?.contribution)));
    let (part, most) = parts.max_by(|a, b| a.1.total_cmp(&b.1))?;
    (most >= 0.5 * layer.contribution && most > 0.0).then_some(part)
}

/// Which layer leads under the other generators.
fn others(report: &LayersReport) -> Option<String> {
    let generators = report.results.generators();
    let (first, rest) = generators.split_first()?;
    let lead = worst(first)?;
    let led: Vec<(&str, &LayerReport, &LayerResults)> = rest
        .iter()
        .filter(|results| !results.is_rounding)
        .filter_map(|results| Some((results.generator.as_str(), worst(results)?, *results)))
        .collect();
    if led.is_empty() {
        return None;
    }
    let same: Vec<&str> =
        led.iter().filter(|(_, layer, _)| layer.name == lead.name).map(|(generator, ..)| *generator).collect();
    let mut parts = Vec::new();
    if !same.is_empty() {
        parts.push(format!("under {} it is the largest too", list(&same)));
    }
    for (generator, layer, results) in led.iter().filter(|(_, layer, _)| layer.name != lead.name).take(3) {
        parts.push(format!("under {generator} the largest is {}, with {}", layer.name, share(results, layer)));
    }
    let mut text = parts.join("; ");
    if let Some(start) = text.get(..1) {
        text = start.to_uppercase() + &text[1..];
    }
    Some(text + ".")
}

/// `a, b and c`.
fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// What is worth trying, and what is not.
fn advice(report: &LayersReport, results: &LayerResults, layer: &LayerReport) -> Option<String> {
    let gain = match layer.removal_gain {
        gain if gain > 0.0 && results.lee > 0.0 => {
            let share = percent((gain / results.lee).min(1.0), 0);
            format!(" (if it alone were exact, the error would fall by {share})")
        }
        _ => " (though the error would not fall if it alone were exact, as others cancel against it)".to_owned(),
    };
    let model = crate::measure::run::file_name(&report.run.model.path);
    let try_it = |what: &str, replace: &str| {
        format!("{what} is worth trying{gain}: `aliascope antialias {model} --replace {replace} --advise --images …`")
    };
    match (main_part(layer), layer.class) {
        (Some(DefectPart::Boundary), _) => {
            Some(format!("What happens at the edge is padding: no anti-aliasing design removes it{gain}."))
        }
        (Some(DefectPart::Aliasing) | None, LayerClass::StridedConvolution | LayerClass::PatchEmbedding) => {
            Some(try_it("A three-tap blur behind its stride", "stride=blurpool:3"))
        }
        (Some(DefectPart::Aliasing) | None, LayerClass::Pooling) => {
            Some(try_it("A blur behind its stride", "stride=blurpool:3"))
        }
        (Some(DefectPart::Aliasing) | None, LayerClass::Nonlinearity) => {
            Some(try_it("An activation on a finer grid, with a filter behind it,", "activation=filtered:2x"))
        }
        _ => None,
    }
}
