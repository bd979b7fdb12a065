//! An attribution as one page that needs nothing else: what it says, a table that sorts, filters and folds, and figures.

use std::fmt::Write;

use crate::figure::layer_looks::{group, letter, percent, short_name, sum, what, with_error};
use crate::figure::markup::escaped;
use crate::figure::{
    ClassSharesFigure, DefectMapsFigure, DerivativesFigure, FigureError, LayersDepthFigure, LayersGraphFigure,
    WorstLayersFigure,
};
use crate::measure::layer_graph::LayerGraph;
use crate::measure::layers_report::{DefectPart, LayerReport, LayerResults, LayersReport};
use crate::number::{compact, milliseconds};

use super::layers_conclusion::layers_conclusion;
use super::page::Page;

/// What the page shows.
#[derive(Clone, Copy, Debug)]
pub struct LayersPage<'a> {
    /// The report.
    pub report: &'a LayersReport,
    /// The network's graph for each of its attributions, in their order; fewer leave graphs out.
    pub graphs: &'a [LayerGraph],
    /// Where the defects of the first attribution's layers sit.
    pub maps: Option<&'a DefectMapsFigure<'a>>,
}

const SCRIPT: &str = include_str!("layers_page.js");
/// The layers that bars show.
const BARS: usize = 10;

const TERMS: [(&str, &str); 6] = [
    (
        "error, LEE",
        "Lie derivative error, E‖L‖²/dim: how fast the output changes, per entry and squared, when the image is moved along \
         a generator; L is that change.",
    ),
    (
        "contribution",
        "E‖J δ‖²/dim: the layer's own defect δ, what it does beyond moving its input along, pushed to the output by the \
         layers after it (J).",
    ),
    (
        "share",
        "the contribution over the sum of all contributions; squares need not add up to the error, so shares say who is large, \
         not what would be left.",
    ),
    ("signed share", "the part of L itself that the layer makes: signed shares of all layers add up to 100 %."),
    (
        "removal gain",
        "what the error would fall by if this layer alone were exact; less than nothing where others cancel against it.",
    ),
    (
        "aliasing, kernel, boundary, discretisation",
        "what of the defect sampling makes, what the operator makes on a continuous plane, what edge and padding add, and what \
         a derivative other than the spectral one adds: the contribution that each would make alone.",
    ),
];

/// The page as HTML that is well-formed XML as well. Names of the model and its nodes are escaped: nothing in a file
/// becomes markup or script.
///
/// # Errors
/// A figure cannot be drawn: the report holds NaN or infinity.
pub fn layers_html(page: &LayersPage<'_>) -> Result<String, FigureError> {
    let report = page.report;
    let all = report.results.all();
    let title = format!("Which layers make the equivariance error of {}", short_name(&report.run));
    let mut html = Page::new(&title, &layers_conclusion(report));
    html.terms(&TERMS);
    if all.len() > 1 {
        html.push("<nav class=\"controls\"><label>Attribution <select id=\"choice\">");
        for (i, results) in all.iter().enumerate() {
            let name = escaped(&format!("{}, {} derivative", results.generator, results.derivative));
            html.push(&format!("<option value=\"a{i}\">{name}</option>"));
        }
        html.push("</select></label></nav>\n");
    }
    for (i, results) in all.iter().enumerate() {
        let maps = page.maps.filter(|_| i == 0);
        attribution(&mut html, page, (i, results), maps)?;
    }
    comparisons(&mut html, report)?;
    let conditions = format!(
        "Mean over {}; output: {}; {} boundary, {} grid, t in {}s; {}; {}; estimator {}.",
        report.run.images.in_words(),
        report.run.function(),
        report.run.lie().boundary,
        report.run.lie().grid,
        report.run.lie().units,
        report.run.arithmetic(),
        group(report),
        report.estimator
    );
    let times = format!(
        "One image and generator took {}; one forward pass {}.",
        milliseconds(report.attribution_ms),
        milliseconds(report.forward_ms)
    );
    Ok(html.finish(&report.run, &[conditions, times], SCRIPT))
}

/// Figures over several attributions.
fn comparisons(html: &mut Page, report: &LayersReport) -> Result<(), FigureError> {
    let (generators, derivatives) = (report.results.generators(), report.results.derivatives());
    if generators.len() > 1 || derivatives.len() > 1 {
        html.heading(2, "Side by side");
    }
    if generators.len() > 1 {
        let caption = "Which classes of layers make the error, for each generator.";
        html.figure(&ClassSharesFigure { report, results: generators }, caption)?;
    }
    if derivatives.len() > 1 {
        let caption = "The same generator under several derivatives: a derivative that is not spectral adds errors of \
                       its own to every layer.";
        html.figure(&DerivativesFigure { report, results: derivatives }, caption)?;
    }
    Ok(())
}

fn attribution(
    html: &mut Page,
    page: &LayersPage<'_>,
    (place, results): (usize, &LayerResults),
    maps: Option<&DefectMapsFigure<'_>>,
) -> Result<(), FigureError> {
    let report = page.report;
    html.push(&format!("<section class=\"attribution\" id=\"a{place}\">\n"));
    html.heading(2, &format!("{}, {} derivative", results.generator, results.derivative));
    let signed: Option<f64> = results.layers.iter().map(|l| l.signed_share).sum();
    html.facts(&[
        ("the whole error, LEE E‖L‖²/dim", with_error(results.lee, results.sem)),
        ("layers that can make an error", results.layers.len().to_string()),
        ("signed shares add up to", signed.map_or_else(|| "–".to_owned(), percent)),
        ("and miss L by, of its size", compact(results.conservation_residual)),
    ]);
    let whole = sum(results);
    let mut sorted: Vec<&LayerReport> = results.layers.iter().collect();
    sorted.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
    if whole > 0.0 {
        let bars: Vec<(String, f64, String)> = sorted
            .iter()
            .take(BARS)
            .map(|layer| (layer.name.clone(), layer.contribution / whole, percent(layer.contribution / whole)))
            .collect();
        html.heading(3, "The largest shares of the sum of contributions");
        html.bars("The largest shares of the sum of contributions", &bars);
    }
    layer_table(html, results);
    by_class(html, results);
    html.heading(3, "Figures");
    let caption = "The layers that contribute most, and what their parts alone would make.";
    html.figure(&WorstLayersFigure { report, results }, caption)?;
    let caption = "What each layer contributes, from the input to the output, and running sums.";
    html.figure(&LayersDepthFigure { report, results }, caption)?;
    if let Some(graph) = page.graphs.get(place) {
        html.heading(3, "The network");
        let caption = format!(
            "Every node in the shade of its layer's share; point at one for its numbers, click for its row. {}.",
            what(results)
        );
        html.svg(LayersGraphFigure { report, results, graph }.svg().into_bytes(), "picture", &caption)?;
    }
    if let Some(maps) = maps {
        html.heading(3, "Where in the image");
        html.figure(maps, "Where in the first image the worst layers' own defects sit.")?;
    }
    html.push("</section>\n");
    Ok(())
}

fn by_class(html: &mut Page, results: &LayerResults) {
    html.heading(3, "By class");
    let mut markup = String::from(
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Sums by class\">\n\
         <table>\n<thead><tr><th class=\"word\" scope=\"col\">class</th><th scope=\"col\">layers</th>\
         <th scope=\"col\">contribution</th><th scope=\"col\">share</th><th scope=\"col\">joint</th>\
         <th scope=\"col\">signed share</th></tr></thead>\n<tbody>\n",
    );
    for (name, class) in &results.by_type {
        let optional = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            markup,
            "<tr><td class=\"word\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(name),
            class.layers,
            with_error(class.contribution, class.sem),
            optional(class.share) + &class.share_sem.map_or_else(String::new, |sem| format!(" ± {}", percent(sem))),
            compact(class.joint),
            optional(class.signed_share)
        );
    }
    markup.push_str("</tbody>\n</table>\n</div>\n");
    html.push(&markup);
    html.paragraph("note", "joint: the class's errors added up as vectors before the square.");
}

/// How a cell shows its number.
type Shown = fn(f64) -> String;

/// The number of a layer, where it has one.
type ValueOf = Box<dyn Fn(&LayerReport) -> Option<f64>>;

/// A column of numbers: heading, what it is in a sentence, the value of a layer at a place, and how that is shown.
struct Column {
    name: &'static str,
    about: &'static str,
    value: ValueOf,
    shown: Shown,
}

/// A number with a minus sign that is one.
fn signed(value: f64) -> String {
    compact(value).replace('-', "−")
}

/// The columns of numbers that some layer has a number in.
fn columns(results: &LayerResults) -> Vec<Column> {
    let whole = sum(results);
    let column = |name, about, value: ValueOf, shown| Column { name, about, value, shown };
    let mut all = vec![
        column("contribution", "E‖J δ‖²/dim", Box::new(|l| Some(l.contribution)), compact as Shown),
        column("± s.e.", "its standard error over images", Box::new(|l| l.sem), compact),
        column(
            "share",
            "contribution over the sum of all",
            Box::new(move |l| (whole > 0.0).then(|| l.contribution / whole)),
            percent,
        ),
        column("signed share", "part of L itself; all layers: 100 %", Box::new(|l| l.signed_share), percent),
        column(
            "removal gain",
            "what LEE would fall by if this layer alone were exact",
            Box::new(|l| Some(l.removal_gain)),
            signed,
        ),
    ];
    for part in DefectPart::ALL {
        let about = match part {
            DefectPart::Aliasing => "what sampling makes, alone",
            DefectPart::Kernel => "what the operator makes on a continuous plane, alone",
            DefectPart::Boundary => "what edge and padding add, alone",
            DefectPart::Discretisation => "what a derivative other than the spectral one adds, alone",
        };
        all.push(column(part.name(), about, Box::new(move |l| l.part(part).map(|p| p.contribution)), compact));
    }
    all.extend([
        column("running sum", "contributions up to here", Box::new(|l| Some(l.cumulative)), compact as Shown),
        column("error at that depth", "E‖e‖²/dim where the layer ends", Box::new(|l| Some(l.local_error)), compact),
        column("relative", "the same over E‖A x‖²/dim there", Box::new(|l| l.relative_local_error), compact),
    ]);
    all.retain(|column| results.layers.is_empty() || results.layers.iter().any(|l| (column.value)(l).is_some()));
    all
}

fn layer_table(html: &mut Page, results: &LayerResults) {
    html.heading(3, "All layers, the largest first");
    let mut markup = String::from(
        "<div class=\"controls\"><label>Name contains <input class=\"by-name\" type=\"search\"/>\
         </label><label>Class <select class=\"by-class\"><option value=\"\">all</option>",
    );
    for class in crate::figure::layer_looks::classes([results]) {
        let _ = write!(markup, "<option value=\"{0}\">{1} {0}</option>", class.name(), letter(class));
    }
    markup.push_str(
        "</select></label><label class=\"check\"><input class=\"by-module\" type=\"checkbox\"/> fold modules</label>\
         <span class=\"count note\" role=\"status\"></span></div>\n<div class=\"scroll\" \
         tabindex=\"0\" role=\"group\" aria-label=\"All layers\">\n<table class=\"layers sortable\">\n<thead><tr>\
         <th scope=\"col\" data-key=\"place\" title=\"from the input to the output\">\
         <button type=\"button\">#</button></th>",
    );
    for (name, about) in
        [("layer", "the module, node or class"), ("operators", "of its nodes"), ("class", "letter and name")]
    {
        let _ = write!(
            markup,
            "<th scope=\"col\" class=\"word\" data-key=\"{name}\" title=\"{about}\"><button type=\"button\">{name}</button></th>"
        );
    }
    let columns = columns(results);
    for Column { name, about, .. } in &columns {
        let _ = write!(
            markup,
            "<th scope=\"col\" data-key=\"{name}\" title=\"{}\"><button type=\"button\">{name}</button></th>",
            escaped(about)
        );
    }
    markup.push_str("</tr></thead>\n<tbody>\n");
    let mut sorted: Vec<(usize, &LayerReport)> = results.layers.iter().enumerate().collect();
    sorted.sort_by(|a, b| b.1.contribution.total_cmp(&a.1.contribution));
    for (place, layer) in sorted {
        row(&mut markup, (place, layer), &columns);
    }
    markup.push_str("</tbody>\n</table>\n</div>\n");
    html.push(&markup);
    html.paragraph(
        "note",
        "Press a heading to sort; what it means stands where the pointer rests. – where a part cannot be told.",
    );
}

/// The module that a layer's row folds into: the first part of its path, with the number after it.
fn module(layer: &LayerReport) -> String {
    let path = if layer.module.is_empty() { layer.name.as_str() } else { layer.module.as_str() };
    let mut parts = path.trim_start_matches('/').split(['.', '/']);
    let first = parts.next().unwrap_or_default();
    match parts.next() {
        Some(second) if second.chars().all(|c| c.is_ascii_digit()) && !second.is_empty() => format!("{first}.{second}"),
        _ => first.to_owned(),
    }
}

fn row(markup: &mut String, (place, layer): (usize, &LayerReport), columns: &[Column]) {
    let class = layer.class.name();
    let _ = write!(
        markup,
        "<tr data-place=\"{place}\" data-class=\"{class}\" data-module=\"{}\"><td data-v=\"{1}\">{1}</td>",
        escaped(&module(layer)),
        place + 1
    );
    let name = escaped(&layer.name);
    let op = escaped(&layer.op);
    let _ = write!(
        markup,
        "<td class=\"word name\" data-v=\"{name}\">{name}</td><td class=\"word\" data-v=\"{op}\">{op}</td>\
         <td class=\"word\" data-v=\"{class}\">{} {class}</td>",
        letter(layer.class)
    );
    for Column { value, shown, .. } in columns {
        let _ = match value(layer) {
            Some(value) => write!(markup, "<td data-v=\"{value}\">{}</td>", shown(value)),
            None => write!(markup, "<td data-v=\"\">–</td>"),
        };
    }
    markup.push_str("</tr>\n");
}
