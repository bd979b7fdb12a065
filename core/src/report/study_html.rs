//! A study as one page that needs nothing else: conclusions first, then figures and tables that sort.

use std::fmt::Write;

use crate::figure::markup::escaped;
use crate::figure::{Against, Figure, FigureError, Format, StudyScatterFigure, StudySetsFigure, render};
use crate::number::compact;
use crate::statistics::Estimate;
use crate::study::claim::Finding;
use crate::study::report::{StudyNetwork, StudyReport};

use super::comparison_table::{count, estimate};
use super::page::{begun, ended};
use super::study_layers::{class_share, share, signed};

/// The page as HTML that is well-formed XML as well. Names of networks, sets and columns are escaped.
///
/// # Errors
/// A figure cannot be drawn: the report holds NaN or infinity.
pub fn study_html(report: &StudyReport) -> Result<String, FigureError> {
    let mut html = begun(&format!("Equivariance of {} networks", report.networks.len()));
    conclusions(&mut html, report);
    html.push_str("</header>\n<main>\n");
    figures(&mut html, report)?;
    networks(&mut html, report);
    associations(&mut html, report);
    sets(&mut html, report);
    agreements(&mut html, report);
    layers(&mut html, report);
    sections(&mut html, report);
    provenance(&mut html, report);
    html.push_str("</main>\n");
    html.push_str(&ended(""));
    Ok(html)
}

fn conclusions(html: &mut String, report: &StudyReport) {
    html.push_str("<h2>What these data say</h2>\n");
    for doubt in &report.doubts {
        let _ = writeln!(html, "<p><strong>{}.</strong></p>", escaped(doubt));
    }
    html.push_str("<dl class=\"facts\">\n");
    for claim in &report.claims {
        let mark = match claim.verdict {
            Finding::Supported => "✓",
            Finding::Contradicted => "✗",
            Finding::NotDecided => "?",
        };
        let _ = writeln!(
            html,
            "<div><dt>{mark} {}</dt><dd>{}</dd><dt>{}.</dt></div>",
            claim.verdict.words(),
            escaped(&claim.claim),
            escaped(&claim.because)
        );
    }
    html.push_str("</dl>\n");
    let _ = writeln!(
        html,
        "<p class=\"note\">Intervals have the level {:.0} %. Those over networks draw networks and images anew; with a dozen \
         networks they are somewhat too narrow. A claim is supported or contradicted where its interval lies on one side.</p>",
        100.0 * report.level
    );
}

fn picture(html: &mut String, figure: &impl Figure, caption: &str) -> Result<(), FigureError> {
    let bytes = render(figure, Format::Svg)?;
    let svg = String::from_utf8(bytes).map_err(|_| FigureError::Drawing("an SVG is not text".to_owned()))?;
    let _ = write!(
        html,
        "<figure>\n<div class=\"picture fitted\" tabindex=\"0\" role=\"group\" aria-label=\"{0}\">\n{svg}</div>\n\
         <figcaption>{0}</figcaption>\n</figure>\n",
        escaped(caption)
    );
    Ok(())
}

fn figures(html: &mut String, report: &StudyReport) -> Result<(), FigureError> {
    let scatter = |against| StudyScatterFigure { report, against };
    let captions = [
        (Against::Accuracy, "LEE against accuracy, with intervals over images."),
        (Against::Parameters, "LEE against the number of parameters."),
    ];
    for (against, caption) in captions {
        if scatter(against).has_dots() {
            picture(html, &scatter(against), caption)?;
        }
    }
    let sets = StudySetsFigure(report);
    if sets.has_ratios() {
        let caption = "Errors on other images over those on the test images: geometric means over images, network by network and \
                       over all; over all the means too, which a few images make.";
        picture(html, &sets, caption)?;
    }
    Ok(())
}

/// How many of a network's layers its section shows; the JSON has all.
const WORST: usize = 10;

/// A cell: what is shown, and the number to sort by.
type Cell = (String, Option<f64>);

fn words(text: &str) -> Cell {
    (text.to_owned(), None)
}

fn number(value: Option<f64>) -> Cell {
    (value.map_or_else(|| "–".to_owned(), compact), value)
}

fn with_interval(of: Option<&Estimate>) -> Cell {
    (of.map_or_else(|| "–".to_owned(), estimate), of.map(|of| of.value))
}

/// A table that sorts; the first `named` columns hold words.
fn table(html: &mut String, label: &str, heads: &[&str], named: usize, rows: &[Vec<Cell>]) {
    let _ = write!(
        html,
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{0}\">\n<table class=\"sortable\">\n<thead><tr>",
        escaped(label)
    );
    let class = |at: usize| if at < named { " class=\"word\"" } else { "" };
    for (at, head) in heads.iter().enumerate() {
        let _ = write!(html, "<th scope=\"col\"{}><button type=\"button\">{}</button></th>", class(at), escaped(head));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (at, (text, value)) in row.iter().enumerate() {
            let key = match value {
                Some(value) => value.to_string(),
                None if at < named => escaped(text),
                None => String::new(),
            };
            let _ = write!(html, "<td{} data-v=\"{key}\">{}</td>", class(at), escaped(text));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
}

fn networks(html: &mut String, report: &StudyReport) {
    let Some((set, output, derivative)) = report.primary() else { return };
    let generators = report.generators();
    let _ = writeln!(
        html,
        "<h2>Networks</h2>\n<p>LEE on the set '{}', {}, {} derivative.</p>",
        escaped(set),
        escaped(output),
        escaped(derivative)
    );
    let heads: Vec<&str> = ["network", "family", "images", "top-1", "parameters", "ms an image"]
        .into_iter()
        .chain(generators.iter().copied())
        .collect();
    let row = |network: &StudyNetwork| {
        let on = network.sets.get(set);
        let top1 = on.and_then(|on| on.accuracy);
        let parameters = network.about.parameters;
        let mut cells = vec![
            words(&network.about.name),
            words(&network.about.family),
            (on.map_or(0, |on| on.images).to_string(), on.map(|on| on.images as f64)),
            (top1.map_or_else(|| "–".to_owned(), |a| format!("{:.1} %", 100.0 * a.value)), top1.map(|a| a.value)),
            (parameters.map_or_else(|| "–".to_owned(), count), parameters.map(|count| count as f64)),
            number(on.map(|on| on.milliseconds)),
        ];
        let lee = |g: &&str| with_interval(on.and_then(|on| on.error(output, derivative, g)).map(|e| &e.lee));
        cells.extend(generators.iter().map(lee));
        cells
    };
    let rows: Vec<Vec<Cell>> = report.networks.iter().map(row).collect();
    table(html, "Networks", &heads, 2, &rows);
}

fn associations(html: &mut String, report: &StudyReport) {
    html.push_str("<h2>What LEE goes with</h2>\n");
    let heads = [
        "set",
        "output",
        "derivative",
        "generator",
        "with",
        "networks",
        "images",
        "Spearman",
        "within families",
        "Pearson of logs",
        "within families",
    ];
    let rows: Vec<Vec<Cell>> = report
        .associations
        .iter()
        .map(|a| {
            vec![
                words(&a.set),
                words(&a.output),
                words(&a.derivative),
                words(&a.generator),
                words(&a.with),
                (a.networks.to_string(), Some(a.networks as f64)),
                (a.images.to_string(), Some(a.images as f64)),
                with_interval(a.spearman.as_ref()),
                with_interval(a.spearman_within.as_ref()),
                with_interval(a.pearson.as_ref()),
                with_interval(a.pearson_within.as_ref()),
            ]
        })
        .collect();
    table(html, "Correlations over networks", &heads, 5, &rows);
    html.push_str(
        "<h3>Families, accuracy and size</h3>\n<p class=\"note\">Least squares of log LEE: adjusted R² by the families' levels \
         alone, by the columns alone, by both; slopes of the logarithms, with Student's intervals.</p>\n",
    );
    let heads = [
        "set",
        "output",
        "derivative",
        "generator",
        "networks",
        "families",
        "R² by families",
        "R² by columns",
        "R² by both",
        "columns less families",
        "slope of accuracy",
        "slope of parameters",
    ];
    let rows: Vec<Vec<Cell>> = report
        .models
        .iter()
        .map(|m| {
            let slope = |name: &str| with_interval(m.slopes.get(name).and_then(Option::as_ref));
            vec![
                words(&m.set),
                words(&m.output),
                words(&m.derivative),
                words(&m.generator),
                (m.networks.to_string(), Some(m.networks as f64)),
                (m.families.to_string(), Some(m.families as f64)),
                number(m.by_family),
                number(m.by_columns),
                number(m.by_both),
                with_interval(m.columns_less_families.as_ref()),
                slope("accuracy"),
                slope("parameters"),
            ]
        })
        .collect();
    table(html, "Models of log LEE", &heads, 4, &rows);
}

fn sets(html: &mut String, report: &StudyReport) {
    if report.set_ratios.is_empty() {
        return;
    }
    html.push_str("<h2>Other images</h2>\n");
    let heads = [
        "set",
        "role",
        "over",
        "output",
        "derivative",
        "generator",
        "networks",
        "geometric means",
        "LEE",
        "relative LEE",
        "the images' own change",
    ];
    let rows: Vec<Vec<Cell>> = report
        .set_ratios
        .iter()
        .map(|r| {
            vec![
                words(&r.of),
                words(&r.role),
                words(&r.to),
                words(&r.output),
                words(&r.derivative),
                words(&r.generator),
                (r.networks.to_string(), Some(r.networks as f64)),
                with_interval(r.geometric.as_ref()),
                with_interval(Some(&r.lee)),
                with_interval(r.relative.as_ref()),
                with_interval(r.energy.as_ref()),
            ]
        })
        .collect();
    table(html, "Ratios of sets", &heads, 6, &rows);
}

fn agreements(html: &mut String, report: &StudyReport) {
    if report.agreements.is_empty() {
        return;
    }
    html.push_str("<h2>How metrics agree</h2>\n<p class=\"note\">Spearman's correlation over networks.</p>\n");
    let heads = ["set", "the one", "the other", "networks", "Spearman"];
    let rows: Vec<Vec<Cell>> = report
        .agreements
        .iter()
        .map(|a| {
            vec![
                words(&a.set),
                words(&a.a),
                words(&a.b),
                (a.networks.to_string(), Some(a.networks as f64)),
                with_interval(a.spearman.as_ref()),
            ]
        })
        .collect();
    table(html, "Agreement of metrics", &heads, 3, &rows);
}

/// Classes of layers over all networks; which layers these are stands in the networks' sections.
fn layers(html: &mut String, report: &StudyReport) {
    let (generators, classes) = report.attributed();
    if generators.is_empty() {
        return;
    }
    html.push_str(
        "<h2>Layers</h2>\n<p class=\"note\">Shares of classes of layers in the sum of all layers' E‖J δ‖²/dim, with Student's \
         intervals of the jackknife over images. The worst layers stand in each network's section.</p>\n",
    );
    let heads: Vec<&str> = ["network", "family", "set", "output", "generator", "images", "LEE", "residual"]
        .into_iter()
        .chain(classes.iter().map(|class| class.name()))
        .collect();
    let mut rows = Vec::new();
    for network in &report.networks {
        for (set, on) in &network.sets {
            rows.extend(on.layers.iter().map(|of| {
                let mut cells = vec![
                    words(&network.about.name),
                    words(&network.about.family),
                    words(set),
                    words(&of.output),
                    words(&of.generator),
                    (of.images.to_string(), Some(of.images as f64)),
                    number(Some(of.lee)),
                    number(Some(of.conservation_residual)),
                ];
                cells.extend(classes.iter().map(|class| share_cell(class_share(of, *class).as_ref())));
                cells
            }));
        }
    }
    table(html, "Classes of layers", &heads, 5, &rows);
}

fn share_cell(of: Option<&Estimate>) -> Cell {
    (share(of), of.map(|of| of.value))
}

/// The worst layers of a network, set by set and generator by generator.
fn worst_layers(html: &mut String, network: &StudyNetwork) {
    let mut rows = Vec::new();
    for (set, on) in &network.sets {
        for of in &on.layers {
            rows.extend(of.layers.iter().take(WORST).map(|layer| {
                vec![
                    words(set),
                    words(&of.output),
                    words(&of.generator),
                    words(&layer.name),
                    words(layer.class.name()),
                    number(Some(layer.contribution)),
                    share_cell(layer.share.as_ref()),
                    (signed(layer.signed_share), layer.signed_share),
                ]
            }));
        }
    }
    if !rows.is_empty() {
        html.push_str("<p class=\"note\">The layers that contribute most to the error, worst first.</p>\n");
        let heads = ["set", "output", "generator", "layer", "class", "contribution", "share", "signed share"];
        table(html, &format!("Layers of {}", network.about.name), &heads, 5, &rows);
    }
}

fn sections(html: &mut String, report: &StudyReport) {
    html.push_str("<h2>Each network</h2>\n");
    for network in &report.networks {
        let facts = [
            ("file", network.about.origin.clone()),
            ("SHA-256", network.about.sha256.clone().unwrap_or_else(|| "never loaded".to_owned())),
            ("preprocessing", network.about.preprocess.clone().unwrap_or_else(|| "–".to_owned())),
        ];
        let _ = writeln!(html, "<details>\n<summary>{}</summary>\n<dl class=\"facts\">", escaped(&network.about.name));
        for (term, value) in facts {
            let _ = writeln!(html, "<div><dt>{term}</dt><dd>{}</dd></div>", escaped(&value));
        }
        html.push_str("</dl>\n");
        let heads = [
            "set",
            "output",
            "derivative",
            "generator",
            "images",
            "LEE",
            "geometric mean",
            "median",
            "relative",
            "effective images",
        ];
        let mut rows = Vec::new();
        for (set, on) in &network.sets {
            rows.extend(on.errors.iter().map(|e| {
                vec![
                    words(set),
                    words(&e.output),
                    words(&e.derivative),
                    words(&e.generator),
                    (on.images.to_string(), Some(on.images as f64)),
                    with_interval(Some(&e.lee)),
                    with_interval(e.geometric_mean.as_ref()),
                    number(Some(e.median)),
                    number(e.relative),
                    number(e.images_effective),
                ]
            }));
        }
        table(html, &network.about.name, &heads, 4, &rows);
        worst_layers(html, network);
        html.push_str("</details>\n");
    }
}

fn provenance(html: &mut String, report: &StudyReport) {
    html.push_str("<h2>Where this comes from</h2>\n<h3>Runs</h3>\n<ul>\n");
    for run in &report.runs {
        let shard = run.shard.as_ref().map_or_else(String::new, |shard| format!(", share {shard}"));
        let text = format!(
            "{}: {} (aliascope {}, {} on {} threads{shard})",
            run.began, run.command, run.aliascope, run.device, run.threads
        );
        let _ = writeln!(html, "<li>{}</li>", escaped(&text));
    }
    html.push_str("</ul>\n<h3>Settings</h3>\n<ul>\n");
    for (name, value) in &report.settings {
        let _ = writeln!(html, "<li>{} = {}</li>", escaped(name), escaped(value));
    }
    for set in &report.sets {
        let text = format!("set {}: {}, {} images, {} with a class", set.name, set.role, set.images, set.labelled);
        let _ = writeln!(html, "<li>{}</li>", escaped(&text));
    }
    html.push_str("</ul>\n");
    if !report.failures.is_empty() {
        html.push_str("<h3>What could not be measured</h3>\n<ul>\n");
        for failure in &report.failures {
            let _ = writeln!(html, "<li>{}</li>", escaped(failure));
        }
        html.push_str("</ul>\n");
    }
}
