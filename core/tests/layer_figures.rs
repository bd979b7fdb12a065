//! Figures and the page of an attribution: well-formed files that name every layer, whatever the report holds.

use std::collections::HashSet;

use aliascope_core::figure::{
    ClassSharesFigure, DefectMapsFigure, DerivativesFigure, Figure, FigureError, Format, LayersDepthFigure,
    LayersGraphFigure, WorstLayersFigure, render,
};
use aliascope_core::measure::layer_graph::LayerGraph;
use aliascope_core::measure::layers_report::{Attributions, LayerClass, LayerReport, LayerResults, LayersReport};
use aliascope_core::report::{LayersPage, layers_html};
use ndarray::Array3;
use roxmltree::{Document, ParsingOptions};

use crate::samples::layers::{self, graph, image, map, report};

/// An attribution to `count` layers.
fn results(generator: &str, derivative: &str, count: usize) -> LayerResults {
    layers::results(generator, derivative, &layers::names(count))
}

fn silent(count: usize) -> LayerResults {
    layers::silent(&layers::names(count))
}

/// The figure's PNG, kept for a look at it in the folder that `ALIASCOPE_KEEP_FIGURES` names, and its SVG, which is
/// well-formed; the texts in it.
fn drawn(figure: &impl Figure, name: &str) -> Vec<String> {
    let bytes = render(figure, Format::Png).unwrap();
    if let Some(folder) = std::env::var_os("ALIASCOPE_KEEP_FIGURES") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), &bytes).unwrap();
    }
    let picture = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png).unwrap();
    let (width, height) = figure.size();
    assert_eq!((picture.width(), picture.height()), (2 * width, 2 * height), "{name}");
    let svg = String::from_utf8(render(figure, Format::Svg).unwrap()).unwrap();
    let document = Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}"));
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.map(|node| node.text().unwrap_or_default().trim().to_owned()).collect()
}

fn graph_drawn(report: &LayersReport) -> String {
    let results = &report.results.all()[0];
    LayersGraphFigure { report, results, graph: &graph(results) }.svg()
}

fn page(report: &LayersReport) -> String {
    let graphs: Vec<LayerGraph> = report.results.all().iter().map(graph).collect();
    let maps = [map(0, 8, |i, j| (i * j) as f64)];
    let first = report.results.all().first();
    let maps = first.map(|results| DefectMapsFigure { report, results, image: image(), maps: &maps });
    layers_html(&LayersPage { report, graphs: &graphs, maps: maps.as_ref() }).unwrap()
}

/// The page is HTML and well-formed XML at once, so a strict parser finds every tag that is not closed.
fn parsed(html: &str) -> Document<'_> {
    Document::parse_with_options(html, ParsingOptions { allow_dtd: true, ..Default::default() }).unwrap()
}

#[test]
fn the_figure_along_the_depth_names_every_layer() {
    for count in [1, 2, 51, 130] {
        let report = report(vec![results("translate_x", "spectral", count)]);
        let results = &report.results.all()[0];
        let texts = drawn(&LayersDepthFigure { report: &report, results }, &format!("depth_{count}"));
        for layer in &results.layers {
            assert!(texts.contains(&layer.name), "{} of {count}", layer.name);
        }
        for layer in results.layers.iter().take(13) {
            assert!(texts.iter().any(|text| text.ends_with(layer.class.name())), "{:?}", layer.class);
        }
        assert!(texts.iter().any(|text| text.contains("LEE E‖L‖²/dim = 0.208 ± 0.0120")));
    }
}

#[test]
fn the_worst_layers_stand_in_order_with_their_numbers() {
    let report = report(vec![results("translate_x", "forward", 51)]);
    let results = &report.results.all()[0];
    let texts = drawn(&WorstLayersFigure { report: &report, results }, "worst");
    let mut sorted: Vec<&LayerReport> = results.layers.iter().collect();
    sorted.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
    let places: Vec<usize> =
        sorted[..10].iter().map(|layer| texts.iter().position(|text| *text == layer.name).unwrap()).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(!texts.contains(&sorted[10].name));
    // 0.09 of Σ 0.09·0.8^i = 0.45 (1 − 0.8^51).
    assert!(texts.contains(&"0.0900 ± 0.00900".to_owned()) && texts.contains(&"20.0 %".to_owned()), "{texts:?}");
    for part in ["aliasing", "boundary", "discretisation"] {
        assert!(texts.contains(&part.to_owned()), "{part}");
    }
}

#[test]
fn classes_are_compared_over_generators_and_derivatives() {
    let list = [("translate_x", "spectral"), ("rotate", "spectral"), ("translate_x", "forward"), ("rotate", "forward")];
    let report = report(list.map(|(generator, derivative)| results(generator, derivative, 20)).to_vec());
    let generators = report.results.generators();
    assert_eq!(generators.iter().map(|r| &*r.generator).collect::<Vec<_>>(), ["translate_x", "rotate"]);
    let texts = drawn(&ClassSharesFigure { report: &report, results: generators }, "generators");
    assert!(["translate_x", "rotate", "C convolution"].iter().all(|t| texts.contains(&(*t).to_owned())), "{texts:?}");
    let derivatives = report.results.derivatives();
    assert_eq!(derivatives.iter().map(|r| r.derivative.name()).collect::<Vec<_>>(), ["spectral", "forward"]);
    let texts = drawn(&DerivativesFigure { report: &report, results: derivatives }, "derivatives");
    assert!(texts.contains(&"forward: LEE = 0.208 ± 0.0120".to_owned()), "{texts:?}");
    assert_eq!(
        texts.iter().filter(|text| text.contains("%)")).count(),
        2 * LayerClass::ALL.len(),
        "a number for every bar"
    );
}

#[test]
fn maps_say_where_a_defect_sits() {
    let report = report(vec![results("translate_x", "spectral", 9)]);
    let results = &report.results.all()[0];
    // The worst layer is the first; all of its defect lies in one corner, of 4 × 4 of 32 × 32 pixels.
    let maps = [map(0, 8, |i, j| f64::from(u8::from(i + j == 0))), map(3, 16, |i, _| i as f64), map(4, 1, |_, _| 0.0)];
    let figure = DefectMapsFigure { report: &report, results, image: image(), maps: &maps };
    let texts = drawn(&figure, "maps");
    // Half of 16 pixels; the frame of two pixels holds 12 of them.
    assert!(texts.contains(&"half on 0.8 % of the area; border 75.0 %".to_owned()), "{texts:?}");
    assert!(texts.contains(&"no defect".to_owned()));
    assert!(texts.contains(&format!("1  {}", results.layers[0].name)));
    assert!(texts.contains(&"photo".to_owned()));

    let broken = DefectMapsFigure { image: Array3::zeros((2, 4, 4)), ..figure.clone() };
    assert!(matches!(render(&broken, Format::Png), Err(FigureError::Data { .. })));
    let nan = [map(0, 8, |_, _| f64::NAN)];
    assert!(matches!(render(&DefectMapsFigure { maps: &nan, ..figure }, Format::Png), Err(FigureError::NotFinite(_))));
}

#[test]
fn the_graph_names_every_node_in_a_hover_text() {
    for count in [0, 1, 40, 400] {
        let report = report(vec![results("translate_x", "spectral", count)]);
        let svg = graph_drawn(&report);
        let document = Document::parse(&svg).unwrap();
        let hovers = document.descendants().filter(|node| node.has_tag_name("title")).filter_map(|node| node.text());
        let lines: HashSet<&str> = hovers.flat_map(str::lines).collect();
        let graph = graph(&report.results.all()[0]);
        let missing: Vec<&str> =
            graph.nodes.iter().map(|node| node.name.as_str()).filter(|name| !lines.contains(name)).collect();
        // A group of quiet nodes names its first thirty.
        assert!(missing.is_empty() || (count == 400 && missing.len() < 600), "{missing:?}");
        let boxes = document.descendants().filter(|node| node.has_tag_name("title")).count();
        assert!(boxes <= graph.nodes.len() && (count < 400 || boxes < 300), "{boxes} of {}", graph.nodes.len());
        let layers = document.descendants().filter_map(|node| node.attribute("data-layer"));
        let layers = layers.flat_map(|places| places.split(' ').map(|place| place.parse::<usize>().unwrap()));
        assert_eq!(layers.collect::<HashSet<_>>(), (0..count).collect());
    }
}

#[test]
fn shades_of_nodes_follow_their_shares() {
    let report = report(vec![results("translate_x", "spectral", 20)]);
    let svg = graph_drawn(&report);
    let document = Document::parse(&svg).unwrap();
    let mut shades: Vec<(f64, f64)> = document
        .descendants()
        .filter_map(|node| {
            let place: usize = node.attribute("data-layer")?.parse().ok()?;
            let shade = node.children().find_map(|child| child.attribute("fill-opacity"))?.parse().ok()?;
            Some((report.results.all()[0].layers[place].contribution, shade))
        })
        .collect();
    shades.sort_by(|a, b| a.0.total_cmp(&b.0));
    assert_eq!(shades.len(), 20);
    assert!(shades.windows(2).all(|pair| pair[0].1 < pair[1].1), "{shades:?}");
}

#[test]
fn names_from_a_model_are_text_wherever_they_stand() {
    let attack = "</title></svg><script>alert('x')</script><img src=\"http://evil.example/\" onerror=\"x\">&amp;";
    let mut results = results("translate_x", "spectral", 5);
    for (i, layer) in results.layers.iter_mut().enumerate() {
        layer.name = format!("{i}{attack}\u{7}\u{ffff}");
        layer.op = attack.to_owned();
    }
    let mut report = report(vec![results]);
    report.run.model.path = format!("folder/{attack}");
    report.run.images.names = vec![attack.to_owned()];
    report.run.images.preprocess = attack.to_owned();
    for generator in [attack, "]]>"] {
        let Attributions::One(one) = &mut report.results else { panic!("one attribution") };
        one.generator = generator.to_owned();
        let html = page(&report);
        let document = parsed(&html);
        let count = |name: &str| document.descendants().filter(|node| node.tag_name().name() == name).count();
        assert_eq!((count("script"), count("img"), count("html"), count("header")), (1, 0, 1, 1));
        assert!(document.descendants().all(|node| node.attribute("onerror").is_none()));
        let rows: Vec<&str> = document
            .descendants()
            .filter(|node| node.attribute("class") == Some("word name"))
            .filter_map(|node| node.text())
            .collect();
        assert_eq!(rows.len(), 5);
        assert_eq!(rows[0], format!("0{attack}\\u{{7}}\\u{{ffff}}"), "whole, and as text");
        Document::parse(&graph_drawn(&report)).unwrap();
    }
}

#[test]
fn the_page_is_whole_and_needs_nothing_else() {
    let list = [("translate_x", "spectral"), ("rotate", "spectral"), ("translate_x", "forward")];
    let report = report(list.map(|(generator, derivative)| results(generator, derivative, 30)).to_vec());
    let html = page(&report);
    let document = parsed(&html);
    for node in document.descendants() {
        for attribute in node.attributes().filter(|a| matches!(a.name(), "src" | "href" | "srcset" | "data" | "action"))
        {
            assert!(attribute.value().starts_with("data:"), "{attribute:?}");
        }
        assert!(!matches!(node.tag_name().name(), "link" | "iframe" | "object" | "embed" | "base"), "{node:?}");
    }
    // Namespaces are names, not addresses to fetch from.
    let addresses = html.replace("http://www.w3.org/1999/xhtml", "").replace("http://www.w3.org/2000/svg", "");
    assert!(!addresses.contains("http:") && !addresses.contains("https:") && !addresses.contains("url("));
    let sections: Vec<_> =
        document.descendants().filter(|node| node.attribute("class") == Some("attribution")).collect();
    assert_eq!(sections.len(), 3);
    for section in sections {
        let rows = section.descendants().filter(|node| node.attribute("data-place").is_some()).count();
        assert_eq!(rows, 30);
        // Along the depth, worst, graph.
        assert!(
            section.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "svg"))).count() >= 3
        );
    }
    // Every row has a cell for every heading, with the number that it is sorted by.
    for row in document.descendants().filter(|node| node.attribute("data-place").is_some()) {
        let cells: Vec<_> = row.children().filter(|node| node.is_element()).collect();
        let section = row.ancestors().find(|node| node.attribute("class") == Some("attribution")).unwrap();
        let heads = section.descendants().filter(|node| node.attribute("data-key").is_some()).count();
        assert!(cells.len() == heads && heads >= 15, "{} cells under {heads} headings", cells.len());
        assert!(cells.iter().all(|cell| cell.attribute("data-v").is_some()));
    }
    let text: String = document.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect();
    for words in ["0.208 ± 0.0120", "3.00·10⁻⁷", "rotate, spectral derivative", "signed shares add up to", "joint"]
    {
        assert!(text.contains(words), "{words}");
    }
}

#[test]
fn degenerate_reports_have_figures_and_pages() {
    let cases = [
        ("one", vec![results("translate_x", "spectral", 1)]),
        ("silent", vec![silent(6), silent(6)]),
        ("empty", vec![results("translate_x", "spectral", 0)]),
        ("many", vec![results("translate_x", "spectral", 700)]),
    ];
    for (name, list) in cases {
        let report = report(list);
        for results in report.results.all() {
            drawn(&LayersDepthFigure { report: &report, results }, &format!("depth_{name}"));
            drawn(&WorstLayersFigure { report: &report, results }, &format!("worst_{name}"));
        }
        let all: Vec<&LayerResults> = report.results.all().iter().collect();
        drawn(&ClassSharesFigure { report: &report, results: all.clone() }, &format!("generators_{name}"));
        drawn(&DerivativesFigure { report: &report, results: all }, &format!("derivatives_{name}"));
        parsed(&page(&report));
        Document::parse(&graph_drawn(&report)).unwrap();
    }
    // A list of none has nothing to draw and still is a page.
    parsed(&page(&report(vec![])));
}

#[test]
fn numbers_without_a_place_are_an_error() {
    let mut broken = results("translate_x", "spectral", 4);
    broken.layers[2].contribution = f64::NAN;
    let report = report(vec![broken]);
    let results = &report.results.all()[0];
    let is_nan = |result: Result<Vec<u8>, FigureError>| matches!(result, Err(FigureError::NotFinite(_)));
    assert!(is_nan(render(&LayersDepthFigure { report: &report, results }, Format::Svg)));
    assert!(is_nan(render(&WorstLayersFigure { report: &report, results }, Format::Svg)));
    assert!(layers_html(&LayersPage { report: &report, graphs: &[], maps: None }).is_err());
}
