//! An attribution as one page that needs nothing else: figures, and a table that sorts and filters.

use std::fmt::Write;

use crate::figure::layer_looks::{group, letter, percent, short_name, sum, what, with_error};
use crate::figure::markup::escaped;
use crate::figure::{
    ClassSharesFigure, DefectMapsFigure, DerivativesFigure, Figure, FigureError, Format, LayersDepthFigure,
    LayersGraphFigure, WorstLayersFigure, render,
};
use crate::measure::layer_graph::LayerGraph;
use crate::measure::layers_report::{DefectPart, LayerReport, LayerResults, LayersReport, Part};
use crate::number::compact;

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

const STYLE: &str = include_str!("layers_page.css");
const SCRIPT: &str = include_str!("layers_page.js");
/// Nothing is fetched, and only what is in the page runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// The page as HTML that is well-formed XML as well. Names of the model and its nodes are escaped: nothing in a file
/// becomes markup or script.
///
/// # Errors
/// A figure cannot be drawn: the report holds NaN or infinity.
pub fn layers_html(page: &LayersPage<'_>) -> Result<String, FigureError> {
    let report = page.report;
    let all = report.results.all();
    let title = format!("Layer contributions to the equivariance error of {}", short_name(&report.run));
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n<title>{0}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{0}</h1>\n",
        escaped(&title)
    );
    let conditions = format!(
        "Mean over {}; output: {}; {} boundary, {} grid, t in {}s; {}; {}; estimator {}. Preprocessing: {}.",
        report.run.images.in_words(),
        report.run.function(),
        report.run.lie().boundary,
        report.run.lie().grid,
        report.run.lie().units,
        report.run.arithmetic(),
        group(report),
        report.estimator,
        report.run.images.preprocess
    );
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(html, "<p>{}</p>", escaped(&conditions));
    html.push_str(
        "<p class=\"note\">A layer's contribution is E‖J δ‖²/dim: its own defect δ, pushed to the output by the layers after \
         it. Defects add up as vectors to the Lie derivative L of the network, so signed shares add up to 100 %, and \
         squares need not.</p>\n</header>\n<main>\n",
    );
    comparisons(&mut html, report)?;
    if all.len() > 1 {
        html.push_str("<nav class=\"controls\"><label>Attribution <select id=\"choice\">");
        for (i, results) in all.iter().enumerate() {
            let name = escaped(&format!("{}, {} derivative", results.generator, results.derivative));
            let _ = write!(html, "<option value=\"a{i}\">{name}</option>");
        }
        html.push_str("</select></label></nav>\n");
    }
    for (i, results) in all.iter().enumerate() {
        let maps = page.maps.filter(|_| i == 0);
        attribution(&mut html, page, (i, results), maps)?;
    }
    let names: Vec<String> = report.run.images.names.iter().map(|name| escaped(name)).collect();
    let _ = write!(
        html,
        "</main>\n<footer class=\"note\"><p>Model: {}. Images: {}. One image and generator took {} ms; one forward pass {} \
         ms.</p></footer>\n<script>\n//<![CDATA[\n{SCRIPT}//]]>\n</script>\n</body>\n</html>\n",
        escaped(&report.run.model.path),
        names.join(", "),
        compact(report.attribution_ms),
        compact(report.forward_ms)
    );
    Ok(html)
}

/// Figures over several attributions.
fn comparisons(html: &mut String, report: &LayersReport) -> Result<(), FigureError> {
    let (generators, derivatives) = (report.results.generators(), report.results.derivatives());
    if generators.len() > 1 {
        let caption = "Which classes of layers make the error, for each generator.";
        picture(html, &ClassSharesFigure { report, results: generators }, caption)?;
    }
    if derivatives.len() > 1 {
        let caption = "The same generator under several derivatives: a derivative that is not spectral adds errors of \
                       its own to every layer.";
        picture(html, &DerivativesFigure { report, results: derivatives }, caption)?;
    }
    Ok(())
}

fn picture(html: &mut String, figure: &impl Figure, caption: &str) -> Result<(), FigureError> {
    let bytes = render(figure, Format::Svg)?;
    let svg = String::from_utf8(bytes).map_err(|_| FigureError::Drawing("an SVG is not text".to_owned()))?;
    framed(html, &svg, "picture fitted", caption);
    Ok(())
}

/// Wide pictures scroll, by keyboard too.
fn framed(html: &mut String, svg: &str, class: &str, caption: &str) {
    let _ = write!(
        html,
        "<figure>\n<div class=\"{class}\" tabindex=\"0\" role=\"group\" aria-label=\"{0}\">\n{svg}</div>\n\
         <figcaption>{0}</figcaption>\n</figure>\n",
        escaped(caption)
    );
}

fn attribution(
    html: &mut String,
    page: &LayersPage<'_>,
    (place, results): (usize, &LayerResults),
    maps: Option<&DefectMapsFigure<'_>>,
) -> Result<(), FigureError> {
    let report = page.report;
    let heading = format!("{}, {} derivative", results.generator, results.derivative);
    let _ = writeln!(html, "<section class=\"attribution\" id=\"a{place}\">\n<h2>{}</h2>", escaped(&heading));
    let signed: Option<f64> = results.layers.iter().map(|l| l.signed_share).sum();
    let facts = [
        ("LEE E‖L‖²/dim, the whole error", with_error(results.lee, results.sem)),
        ("entries of the output, dim", results.dim.to_string()),
        ("conservation residual", compact(results.conservation_residual)),
        ("signed shares add up to", signed.map_or_else(|| "–".to_owned(), percent)),
        ("layers that can make an error", results.layers.len().to_string()),
    ];
    html.push_str("<dl class=\"facts\">\n");
    for (term, value) in facts {
        let _ = writeln!(html, "<div><dt>{term}</dt><dd>{}</dd></div>", escaped(&value));
    }
    html.push_str("</dl>\n");
    let caption = "What each layer contributes, from the input to the output, and running sums.";
    picture(html, &LayersDepthFigure { report, results }, caption)?;
    let caption = "The layers that contribute most, and what their parts alone would make.";
    picture(html, &WorstLayersFigure { report, results }, caption)?;
    by_class(html, results);
    layer_table(html, results);
    if let Some(graph) = page.graphs.get(place) {
        html.push_str("<h3>The network</h3>\n");
        let caption = format!(
            "Every node in the shade of its layer's share; point at one for its numbers, click for its row. {}.",
            what(results)
        );
        framed(html, &LayersGraphFigure { report, results, graph }.svg(), "picture", &caption);
    }
    if let Some(maps) = maps {
        html.push_str("<h3>Where in the image</h3>\n");
        picture(html, maps, "Where in the first image the worst layers' own defects sit.")?;
    }
    html.push_str("</section>\n");
    Ok(())
}

fn by_class(html: &mut String, results: &LayerResults) {
    html.push_str(
        "<h3>By class</h3>\n<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Sums by class\">\n\
         <table>\n<thead><tr><th class=\"word\" scope=\"col\">class</th><th scope=\"col\">layers</th>\
         <th scope=\"col\">contribution</th><th scope=\"col\">share</th><th scope=\"col\">joint</th>\
         <th scope=\"col\">signed share</th></tr></thead>\n<tbody>\n",
    );
    for (name, class) in &results.by_type {
        let optional = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
        let _ = writeln!(
            html,
            "<tr><td class=\"word\">{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(name),
            class.layers,
            compact(class.contribution) + &class.sem.map_or_else(String::new, |sem| format!(" ± {}", compact(sem))),
            optional(class.share) + &class.share_sem.map_or_else(String::new, |sem| format!(" ± {}", percent(sem))),
            compact(class.joint),
            optional(class.signed_share)
        );
    }
    html.push_str(
        "</tbody>\n</table>\n</div>\n<p class=\"note\">joint: the class's errors added up as vectors before the square.</p>\n",
    );
}

/// The columns: heading, and whether they hold words.
const COLUMNS: [(&str, bool); 16] = [
    ("#", false),
    ("layer", true),
    ("operators", true),
    ("class", true),
    ("contribution", false),
    ("± s.e.", false),
    ("share", false),
    ("signed share", false),
    ("removal gain", false),
    ("aliasing", false),
    ("kernel", false),
    ("boundary", false),
    ("discretisation", false),
    ("running sum", false),
    ("error at that depth", false),
    ("relative", false),
];

fn layer_table(html: &mut String, results: &LayerResults) {
    html.push_str(
        "<h3>All layers</h3>\n<div class=\"controls\"><label>Name contains <input class=\"by-name\" type=\"search\"/>\
         </label><label>Class <select class=\"by-class\"><option value=\"\">all</option>",
    );
    for class in crate::figure::layer_looks::classes([results]) {
        let _ = write!(html, "<option value=\"{0}\">{1} {0}</option>", class.name(), letter(class));
    }
    html.push_str(
        "</select></label><span class=\"count note\" role=\"status\"></span></div>\n<div class=\"scroll\" \
         tabindex=\"0\" role=\"group\" aria-label=\"All layers\">\n<table class=\"layers\">\n<thead><tr>",
    );
    for (name, words) in COLUMNS {
        let class = if words { " class=\"word\"" } else { "" };
        let _ = write!(html, "<th scope=\"col\"{class}><button type=\"button\">{name}</button></th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    let whole = sum(results);
    for (place, layer) in results.layers.iter().enumerate() {
        row(html, (place, layer), whole);
    }
    html.push_str(
        "</tbody>\n</table>\n</div>\n<p class=\"note\">aliasing, kernel, boundary and discretisation: E‖J δ‖²/dim of that part alone; – where parts cannot be told. Removal gain: what LEE would fall \
         by if this layer alone were exact. \
         Error at that depth: E‖e‖²/dim where the layer ends; relative: over E‖A x‖²/dim there.</p>\n",
    );
}

/// A number with a minus sign that is one.
fn signed(value: f64) -> String {
    compact(value).replace('-', "−")
}

fn row(html: &mut String, (place, layer): (usize, &LayerReport), whole: f64) {
    let class = layer.class.name();
    let _ = write!(html, "<tr data-place=\"{place}\" data-class=\"{class}\"><td data-v=\"{0}\">{0}</td>", place + 1);
    let name = escaped(&layer.name);
    let op = escaped(&layer.op);
    let _ = write!(
        html,
        "<td class=\"word name\" data-v=\"{name}\">{name}</td><td class=\"word\" data-v=\"{op}\">{op}</td>\
         <td class=\"word\" data-v=\"{class}\">{} {class}</td>",
        letter(layer.class)
    );
    let mut cell = |value: Option<f64>, text: fn(f64) -> String| {
        let _ = match value {
            Some(value) => write!(html, "<td data-v=\"{value}\">{}</td>", text(value)),
            None => write!(html, "<td data-v=\"\">–</td>"),
        };
    };
    let part = |part: Option<Part>| part.map(|p| p.contribution);
    cell(Some(layer.contribution), compact);
    cell(layer.sem, compact);
    cell((whole > 0.0).then(|| layer.contribution / whole), percent);
    cell(layer.signed_share, percent);
    cell(Some(layer.removal_gain), signed);
    for of in DefectPart::ALL {
        cell(part(layer.part(of)), compact);
    }
    cell(Some(layer.cumulative), compact);
    cell(Some(layer.local_error), compact);
    cell(layer.relative_local_error, compact);
    html.push_str("</tr>\n");
}
