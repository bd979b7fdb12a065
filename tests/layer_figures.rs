//! Figures and the page of an attribution: well-formed files that name every layer, whatever the report holds.

use std::collections::HashSet;

use aliascope::figure::{
    ClassSharesFigure, DefectMapsFigure, DerivativesFigure, Figure, FigureError, Format, LayersDepthFigure,
    LayersGraphFigure, WorstLayersFigure, render,
};
use aliascope::measure::defect_map::DefectMap;
use aliascope::measure::grouping::{Estimator, Grouping};
use aliascope::measure::layer_graph::{GraphNode, LayerGraph, NodeRole};
use aliascope::measure::layers_report::{
    Attributions, ClassSum, LAYERS_SCHEMA_VERSION, LayerClass, LayerReport, LayerResults, LayersReport, Part,
};
use aliascope::measure::output::Output;
use aliascope::measure::run::{Images, Measured, Model, Run};
use aliascope::report::{LayersPage, layers_html};
use aliascope::symmetry::{Axis, Grid, GridKind};
use ndarray::{Array2, Array3};
use roxmltree::{Document, ParsingOptions};

/// An attribution to `count` layers of all classes; each a fraction of the one before, in an order that is not sorted.
fn results(generator: &str, derivative: &str, count: usize) -> LayerResults {
    let mut cumulative = 0.0;
    let layers: Vec<LayerReport> = (0..count)
        .map(|i| {
            let contribution = 90.0 * 0.8f64.powi((i * 7 % count.max(1)) as i32);
            cumulative += contribution;
            let part = |factor: f64| Some(Part { contribution: factor * contribution, signed_share: Some(0.01) });
            LayerReport {
                name: format!("blocks.{}.{}.act", i / 5, i % 5),
                op: "Clip".to_owned(),
                module: format!("blocks.{}", i / 5),
                class: LayerClass::ALL[i % LayerClass::ALL.len()],
                sources: 1 + i % 2,
                contribution,
                sem: Some(0.1 * contribution),
                geometric_mean: None,
                by_image: vec![contribution; 15],
                signed_share: Some(if i % 3 == 0 { 2.0 } else { -0.5 } / count as f64),
                removal_gain: 0.5 * contribution,
                removal_gain_sem: None,
                aliasing: part(0.7),
                kernel: part(0.1),
                boundary: part(1.2),
                discretisation: if derivative == "spectral" { None } else { part(0.2) },
                cumulative,
                local_error: 0.5,
                relative_local_error: None,
            }
        })
        .collect();
    let by_type = LayerClass::ALL.into_iter().filter(|class| layers.iter().any(|l| l.class == *class));
    let by_type = by_type
        .map(|class| {
            let contribution: f64 = layers.iter().filter(|l| l.class == class).map(|l| l.contribution).sum();
            let share = (cumulative > 0.0).then(|| contribution / cumulative);
            let sum = ClassSum {
                layers: 1,
                contribution,
                sem: None,
                share,
                share_sem: None,
                share_interval: None,
                share_by_image: share,
                share_by_image_sem: None,
                joint: contribution,
                signed_share: share,
            };
            (class.name().to_owned(), sum)
        })
        .collect();
    LayerResults {
        generator: generator.to_owned(),
        derivative: derivative.parse().unwrap(),
        conservation_residual: 3e-7,
        rounding: 2e-11,
        is_rounding: false,
        dim: 10,
        lee: 208.0,
        images_effective: None,
        lee_by_image: vec![208.0; 15],
        sem: Some(12.0),
        norm_squared: 2080.0,
        layers,
        by_type,
    }
}

fn report(list: Vec<LayerResults>) -> LayersReport {
    LayersReport {
        schema_version: LAYERS_SCHEMA_VERSION,
        run: Run {
            model: Model { path: "models/network.onnx".to_owned(), ..Model::default() },
            images: Images { names: vec!["photos/chelsea.png".to_owned(); 15], ..Images::default() },
            output: Some(Measured { function: Output::Softmax, ..Measured::default() }),
            ..Run::default()
        },
        group: Grouping::Module(None),
        estimator: Estimator::Exact,
        forward_ms: 80.0,
        attribution_ms: 6800.0,
        spectrum: None,
        agreement: Vec::new(),
        results: Attributions::new(list),
    }
}

/// Nothing makes an error: shares do not exist.
fn silent(count: usize) -> LayerResults {
    let mut silent = results("saturate", "spectral", count);
    (silent.lee, silent.norm_squared) = (0.0, 0.0);
    for layer in &mut silent.layers {
        (layer.contribution, layer.sem, layer.signed_share, layer.cumulative) = (0.0, None, None, 0.0);
        layer.aliasing = Some(Part { contribution: 0.0, signed_share: None });
    }
    for sum in silent.by_type.values_mut() {
        (sum.contribution, sum.share, sum.signed_share) = (0.0, None, None);
    }
    silent
}

/// A chain with a node per layer, residual edges and nodes without an error.
fn graph(results: &LayerResults) -> LayerGraph {
    let node = |name: &str, op: &str, role| GraphNode {
        name: name.to_owned(),
        op: op.to_owned(),
        shape: vec![1, 8, 4, 4],
        layout: "4×4 plane".to_owned(),
        role,
    };
    let mut graph = LayerGraph { nodes: vec![node("x", "input", NodeRole::Input)], edges: vec![] };
    for (i, layer) in results.layers.iter().enumerate() {
        graph.nodes.push(node(&format!("/{}/Clip", layer.name), "Clip", NodeRole::Source(i)));
        let role = if i % 4 == 0 { NodeRole::Later } else { NodeRole::Exact };
        graph.nodes.push(node(&format!("/{}/Add", layer.name), "Add", role));
        let at = graph.nodes.len() - 1;
        graph.edges.extend([[at - 2, at - 1], [at - 1, at], [at - 2, at]]);
    }
    graph
}

fn map(layer: usize, samples: usize, values: impl Fn(usize, usize) -> f64) -> DefectMap {
    let image = Axis::image(32, GridKind::Tracked);
    let step = 32.0 / samples as f64;
    let axis = image.resampled((step - 1.0) / 2.0, step, samples);
    let squares = Array2::from_shape_fn((samples, samples), |(i, j)| values(i, j));
    DefectMap { layer, node: format!("node {layer}"), grid: Grid { rows: axis, columns: axis }, squares }
}

fn image() -> Array3<f32> {
    Array3::from_shape_fn((3, 32, 32), |(c, i, j)| ((i + 2 * j + 5 * c) as f32 / 9.0).sin())
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
            assert!(texts.iter().any(|text| text.starts_with(layer.class.name())), "{:?}", layer.class);
        }
        assert!(texts.iter().any(|text| text.contains("LEE E‖L‖²/dim = 208 ± 12.0")));
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
    // 90 of Σ 90·0.8^i = 450 (1 − 0.8^51).
    assert!(texts.contains(&"90.0 ± 9.00  (20.0 %)".to_owned()), "{texts:?}");
    for part in ["thin: aliasing", "thin: boundary", "thin: discretisation"] {
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
    assert!(texts.contains(&"forward: LEE = 208 ± 12.0".to_owned()), "{texts:?}");
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
        let titles: HashSet<&str> = document
            .descendants()
            .filter(|node| node.has_tag_name("title"))
            .filter_map(|node| node.text()?.lines().next())
            .collect();
        let graph = graph(&report.results.all()[0]);
        assert_eq!(titles, graph.nodes.iter().map(|node| node.name.as_str()).collect());
        assert_eq!(document.descendants().filter(|node| node.has_tag_name("polyline")).count(), graph.edges.len());
        let layers = document.descendants().filter_map(|node| node.attribute("data-layer")?.parse::<usize>().ok());
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
        assert_eq!(cells.len(), 16);
        assert!(cells.iter().all(|cell| cell.attribute("data-v").is_some()));
    }
    let text: String = document.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect();
    for words in ["208 ± 12.0", "3.0e−7", "rotate, spectral derivative", "signed shares add up to", "joint"] {
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
