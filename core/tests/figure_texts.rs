//! What every figure's SVG keeps to: each text lies inside the drawing and on no other, what must be shown is there,
//! and every number is one.

use aliascope_core::figure::style::FAMILY;
use aliascope_core::figure::{
    AliasedFractionFigure, FiltersFigure, FoldingMapFigure, Format, ImageSpectrumFigure, SchemesFigure, render,
};
use aliascope_core::measure::representation_report::RepresentationReport;
use aliascope_core::measure::scalar::Scalar;
use aliascope_core::report::{OrbitBeside, Outcome};
use aliascope_core::spectrum::Velocity;
use aliascope_core::spectrum::filter::Filter;
use aliascope_core::spectrum::harmonics::aliased_fractions;
use plotters::style::{FontDesc, FontFamily, FontStyle};
use roxmltree::{Document, Node};

use crate::samples::{bench, comparison, layers, long_name, metrics, motions, repair, spectral, study, surgery};

/// DejaVu Sans's ascent and descent together, in ems: plotters scales the font so that this is its size.
const LINE: f64 = 2384.0 / 2048.0;
/// Its height of a small x, in ems: half of it is how far plotters moves text that is centred on its point.
const EX: f64 = 1120.0 / 2048.0;
/// How far letters reach above and below their baseline, in ems.
const ABOVE: f64 = 0.73;
const BELOW: f64 = 0.2;
/// Pixels that two boxes may share: plotters rounds places and widths to whole ones.
const SLACK: f64 = 1.5;

/// A text's box.
struct Text {
    words: String,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Text {
    fn of(node: Node<'_, '_>) -> Self {
        let words = node.text().unwrap_or_default().trim().to_owned();
        let number = |name: &str| node.attribute(name).map_or(0.0, |text| text.parse::<f64>().unwrap());
        let inherited = |name: &str| node.ancestors().find_map(|node| node.attribute(name));
        let em: f64 = inherited("font-size").map_or(16.0, |size| size.parse().unwrap());
        let style = if inherited("font-weight") == Some("bold") { FontStyle::Bold } else { FontStyle::Normal };
        // At a hundred times the size, as plotters cuts widths to whole pixels.
        let font = FontDesc::new(FontFamily::Name(FAMILY), 100.0 * LINE * em, style);
        let width = f64::from(font.box_size(&words).unwrap().0) / 100.0;
        let dy = match node.attribute("dy") {
            None => 0.0,
            Some(dy) if dy.ends_with("em") => em * dy.trim_end_matches("em").parse::<f64>().unwrap(),
            Some(dy) => EX * em * dy.trim_end_matches("ex").parse::<f64>().unwrap(),
        };
        let start = match inherited("text-anchor") {
            Some("end") => -width,
            Some("middle") => -width / 2.0,
            _ => 0.0,
        };
        let corners = [(start, dy - ABOVE * em), (start + width, dy + BELOW * em)];
        let turned = corners.map(|(x, y)| match node.attribute("transform").map(|t| t.split(',').next().unwrap()) {
            None => (x, y),
            Some("rotate(90") => (-y, x),
            Some("rotate(270") => (y, -x),
            Some(other) => panic!("{words} is turned in another way: {other}"),
        });
        let (mut x, mut y) = (number("x"), number("y"));
        for moved in node.ancestors().skip(1).filter_map(|node| node.attribute("transform")) {
            let numbers = moved.trim_start_matches("translate(").trim_end_matches(')').split(' ');
            let numbers: Vec<f64> = numbers.map(|number| number.parse().unwrap()).collect();
            (x, y) = (x + numbers[0], y + numbers[1]);
        }
        Self {
            words,
            left: x + turned[0].0.min(turned[1].0),
            top: y + turned[0].1.min(turned[1].1),
            right: x + turned[0].0.max(turned[1].0),
            bottom: y + turned[0].1.max(turned[1].1),
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let shared = |a: (f64, f64), b: (f64, f64)| a.1.min(b.1) - a.0.max(b.0) > SLACK;
        shared((self.left, self.right), (other.left, other.right))
            && shared((self.top, self.bottom), (other.top, other.bottom))
    }
}

/// What is wrong with an SVG that must show `labels`.
fn faults(svg: &str, labels: &[&str]) -> Vec<String> {
    let document = Document::parse(svg).unwrap();
    let root = document.root_element();
    let side = |name: &str| root.attribute(name).unwrap().parse::<f64>().unwrap();
    let (width, height) = (side("width"), side("height"));
    let drawn = document.descendants().filter(|node| node.has_tag_name("text"));
    let texts: Vec<Text> = drawn.map(Text::of).filter(|text| !text.words.is_empty()).collect();
    let mut faults = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        if text.left < -0.5 || text.top < -0.5 || text.right > width + 0.5 || text.bottom > height + 0.5 {
            let Text { words, left, top, right, bottom } = text;
            faults.push(format!("'{words}' at {left:.0}..{right:.0}, {top:.0}..{bottom:.0} leaves {width} x {height}"));
        }
        // plotters writes some ticks of a logarithmic axis twice, at one place.
        let is_twice = |other: &Text| other.words == text.words && other.left == text.left && other.top == text.top;
        for other in texts[..at].iter().filter(|other| text.overlaps(other) && !is_twice(other)) {
            faults.push(format!("'{}' lies on '{}' at {:.0}, {:.0}", text.words, other.words, text.left, text.top));
        }
    }
    let is_shown = |label: &str| texts.iter().any(|text| text.words.contains(label));
    faults.extend(labels.iter().filter(|label| !is_shown(label)).map(|label| format!("'{label}' is not shown")));
    // A hyphen for a minus sign, or a power of ten as 1e-3.
    let is_typed = |words: &str| words.parse::<f64>().is_ok() && words.contains(['-', 'e']);
    let typed = texts.iter().filter(|text| is_typed(&text.words));
    faults.extend(typed.map(|text| format!("'{}' is a number as computers write it", text.words)));
    for node in document.descendants() {
        // Pictures are letters at random.
        let number = |text: &str| text.contains("NaN") || text.split([' ', ',']).any(|w| w == "inf" || w == "-inf");
        let broken = |text: &str| !text.starts_with("data:") && number(text);
        let attributes = node.attributes().map(|a| a.value());
        faults.extend(attributes.chain(node.text()).filter(|t| broken(t)).map(|text| format!("no number: {text}")));
    }
    faults
}

/// What is wrong with a report's figures; `labels` are of figures by name.
fn wrong<T: Outcome>(name: &str, report: &T, beside: &T::Beside, labels: &[(&str, &[&str])]) -> Vec<String> {
    let shown = report.shown().unwrap();
    let figures = shown.figures(beside);
    let mut wrong = Vec::new();
    for (figure, _) in labels {
        assert!(figures.iter().any(|one| one.name() == *figure), "{name} has no figure '{figure}'");
    }
    for figure in figures {
        let labels = labels.iter().find(|(name, _)| *name == figure.name()).map_or(&[][..], |(_, labels)| *labels);
        let svg = String::from_utf8(figure.render(Format::Svg).unwrap()).unwrap();
        if let Some(folder) = std::env::var_os("ALIASCOPE_KEEP_FIGURES") {
            let path = std::path::Path::new(&folder).join(format!("{name}_{}.png", figure.name()));
            std::fs::write(path, figure.render(Format::Png).unwrap()).unwrap();
        }
        wrong.extend(faults(&svg, labels).into_iter().map(|fault| format!("{name} {}: {fault}", figure.name())));
    }
    wrong
}

/// The steps' numbers that an error bar, which is drawn over them, makes unreadable.
fn numbers_on_bars(svg: &str) -> Vec<String> {
    let document = Document::parse(svg).unwrap();
    let ends = |node: Node<'_, '_>| -> Option<[f64; 4]> {
        let number = |name: &str| node.attribute(name)?.parse::<f64>().ok();
        if node.has_tag_name("line") {
            return Some([number("x1")?, number("y1")?, number("x2")?, number("y2")?]);
        }
        let points = node.attribute("points").filter(|_| node.has_tag_name("polyline"))?;
        let numbers: Vec<f64> = points.split([' ', ',']).filter_map(|number| number.parse().ok()).collect();
        numbers.try_into().ok()
    };
    // Upright ones, but for the axis and its ticks.
    let bars = document.descendants().filter_map(ends).filter(|[x, y, to_x, to_y]| x == to_x && (y - to_y).abs() > 8.0);
    let bars: Vec<[f64; 4]> = bars.collect();
    let texts = document.descendants().filter(|node| node.has_tag_name("text")).map(Text::of);
    let numbers = texts.filter(|text| !text.words.is_empty() && text.words.chars().all(|c| ('1'..='9').contains(&c)));
    let lies_on = |text: &Text, [x, y, _, to_y]: [f64; 4]| {
        text.left < x && x < text.right && text.top < y.max(to_y) && y.min(to_y) < text.bottom
    };
    let hidden = numbers.filter(|text| bars.iter().any(|bar| lies_on(text, *bar)));
    hidden.map(|text| format!("the number {} lies on an error bar", text.words)).collect()
}

fn right(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong[..wrong.len().min(60)].join("\n"));
}

fn long(count: usize) -> Vec<String> {
    (0..count).map(long_name).collect()
}

fn places(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("/blocks/blocks.{at}/blocks.{at}.0/conv_dw/Conv")).collect()
}

#[test]
fn figures_of_layers() {
    let mut all = Vec::new();
    let named: [(&str, Vec<String>); 5] = [
        ("14", layers::names(14)),
        ("1", layers::names(1)),
        ("60", layers::names(60)),
        ("long_1", long(1)),
        ("long_60", long(60)),
    ];
    for (kind, names) in named {
        // The first one is the worst, so every figure that shows a few layers shows it.
        let first: &str = if kind.starts_with("long") { "branch.0/mixer.0/activation" } else { "blocks.0.0.act" };
        let main: &[(&str, &[&str])] =
            &[("", &[first, "LEE E‖L‖²/dim", "translate_x"]), ("worst", &[first]), ("maps", &["photo"])];
        let report = layers::generators(&names);
        let labels = [main, &[("generators", &["translate_x", "rotate", "scale", "convolution"][..])]].concat();
        all.extend(wrong(&format!("generators_{kind}"), &report, &layers::beside(&report), &labels));
        let report = layers::derivatives(&names);
        let labels = [main, &[("derivatives", &["spectral", "forward", "central", "convolution"][..])]].concat();
        all.extend(wrong(&format!("derivatives_{kind}"), &report, &layers::beside(&report), &labels));
        let report = layers::octaves(&names);
        let labels = [("octaves", &["below 1/16", "left, cut at ½", first][..])];
        all.extend(wrong(&format!("octaves_{kind}"), &report, &layers::beside(&report), &labels));
        let report = layers::report(vec![layers::silent(&names)]);
        all.extend(wrong(&format!("silent_{kind}"), &report, &layers::beside(&report), &[("", &["saturate"])]));
    }
    right(&all);
}

#[test]
fn figures_of_surgery() {
    let mut all = Vec::new();
    for (kind, names) in
        [("12", places(12)), ("1", places(1)), ("60", places(60)), ("long_1", long(1)), ("long_60", long(60))]
    {
        let main: (&str, &[&str]) = ("", &["translate_x", "saturate", "before", "after", "Lie derivative error"]);
        all.extend(wrong(&format!("surgery_{kind}"), &surgery::report(&names), &(), &[main]));
        all.extend(wrong(&format!("surgery_plain_{kind}"), &surgery::without_layers(&names), &(), &[main]));
        let advice: (&str, &[&str]) = ("advice", &["LEE", "contribution", "translate_x"]);
        all.extend(wrong(&format!("surgery_advised_{kind}"), &surgery::advised(&names), &(), &[main, advice]));
        let numbered: (&str, &[&str]) = ("advice", &["as it was", "1"]);
        all.extend(wrong(&format!("surgery_alike_{kind}"), &surgery::advised_alike(&names), &(), &[numbered]));
        assert!(surgery::nothing_chosen(&names).figures(&()).is_empty());
        for report in [surgery::advised(&names), surgery::advised_alike(&names)] {
            let report = report.shown().unwrap();
            let figures = report.figures(&());
            let advice = figures.iter().find(|figure| figure.name() == "advice").unwrap();
            let svg = String::from_utf8(advice.render(Format::Svg).unwrap()).unwrap();
            all.extend(numbers_on_bars(&svg).into_iter().map(|fault| format!("advice_{kind}: {fault}")));
        }
    }
    right(&all);
}

#[test]
fn figures_of_repair() {
    let mut all = Vec::new();
    for (kind, names) in [("5", places(5)), ("1", places(1)), ("long_1", long(1)), ("long_60", long(60))] {
        let main: (&str, &[&str]) =
            ("", &["LEE translate_x", "before", "recalibration", "KL of the outputs", "91.7 %"]);
        all.extend(wrong(&format!("repair_{kind}"), &repair::report(&names), &(), &[main]));
        let plain: (&str, &[&str]) = ("", &["LEE translate_x", "Not judged", "no steps"]);
        all.extend(wrong(&format!("repair_plain_{kind}"), &repair::without_steps(&names), &(), &[plain]));
        let fix: (&str, &[&str]) = ("", &["Worst layers", "put in", "before", "Less error", "LEE falls by"]);
        let advice: (&str, &[&str]) = ("advice", &["LEE", "contribution"]);
        all.extend(wrong(&format!("fix_{kind}"), &repair::fix(&names), &(), &[fix, advice]));
        let none: (&str, &[&str]) = ("", &["Nothing was put in"]);
        all.extend(wrong(&format!("fix_nothing_{kind}"), &repair::nothing_fixed(&names), &(), &[none]));
    }
    all.extend(wrong("repair_images", &repair::images(), &(), &[("", &["Change of the output"])]));
    right(&all);
}

#[test]
fn figures_of_metrics() {
    let classes: &[&str] = &["consistency, whole, circular", "Mean square change", "49.0–88.2", "one image"];
    let mut all = wrong("metrics", &metrics::classifier(), &(), &[("", classes)]);
    all.extend(wrong(
        "metrics_images",
        &metrics::images(),
        &(),
        &[("", &["EQ-T_frac", "exact", "31.40 dB", "−12.60 dB (−17.60 to −9.60)"])],
    ));
    all.extend(wrong("metrics_authors", &metrics::authors(), &(), &[("", &["consistency, columns rolled"])]));
    all.extend(wrong("metrics_single", &metrics::single(), &(), &[("", &["sample invariance, rotation"])]));
    // Of a long network those that matter are named: the first one is the worst.
    for (kind, names) in
        [("14", layers::names(14)), ("1", places(1)), ("60", places(60)), ("300", places(300)), ("long_60", long(60))]
    {
        let first = if kind.starts_with("long") { "0/activation" } else { "0" };
        let labels: &[&str] = &["layer by layer, from input to output", "by class", "EQ-T_frac", first];
        let report = metrics::of_layers(&names);
        all.extend(wrong(&format!("metrics_layers_{kind}"), &report, &(), &[("", labels)]));
        let svg = String::from_utf8(report.figures(&())[0].render(Format::Svg).unwrap()).unwrap();
        let width: f64 = Document::parse(&svg).unwrap().root_element().attribute("width").unwrap().parse().unwrap();
        assert!(width <= 1700.0, "{kind}: {width} pixels are too wide for a slide");
    }
    right(&all);
}

#[test]
fn figures_of_designs() {
    let report = bench::report();
    let names: &[&str] = &["subsample", "blur-3", "ideal"];
    let mut all = wrong("bench", &report, &bench::beside(&report), &[("", names), ("downsampled", names)]);
    let single = bench::single();
    all.extend(wrong("bench_single", &single, &bench::beside(&single), &[]));
    right(&all);
}

#[test]
fn figures_of_networks_side_by_side() {
    let few: &[&str] = &["translate_x", "scale", "efficientnet-lite0", "mobilenet_v2_1.0", "Family 0", "15 images"];
    let mut all = wrong("compared", &comparison::few(), &(), &[("", few)]);
    let many = comparison::of(&(0..40).map(|at| format!("net-{at}.onnx")).collect::<Vec<_>>(), 6, &["translate_x"]);
    all.extend(wrong("compared_many", &many, &(), &[("", &["net-39", "Family 13"])]));
    let ten = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "rotate+0.5*saturate-1.25*hyperbolic"];
    all.extend(wrong("compared_long", &comparison::of(&long(3), 1, &ten), &(), &[("", &["mixer.0/activation"])]));
    right(&all);
}

#[test]
fn figures_of_studies() {
    let names = |count: usize| (0..count).map(|at| format!("net-{at}")).collect::<Vec<_>>();
    let labels: [(&str, &[&str]); 3] = [
        ("", &["translate_x", "rotate", "top-1 accuracy", "Family 0", "net-3"]),
        ("size", &["parameters", "Family 1"]),
        ("sets", &["textures (out-of-distribution)", "net-1", "all: relative LEE"]),
    ];
    let mut all = wrong("study", &study::report(&names(9), 12), &(), &labels);
    all.extend(wrong("study_many", &study::report(&names(30), 4), &(), &[]));
    all.extend(wrong("study_long", &study::report(&long(4), 3), &(), &[]));
    all.extend(wrong("study_of_one", &study::report(&names(1), 1), &(), &[]));
    right(&all);
}

#[test]
fn figures_of_formulas() {
    let forms: &[(&str, &[&str])] = &[("", &["exact", "measured", "diagonal", "paper"])];
    let mut all = wrong("theorem", &spectral::theorem(9, Velocity::new(0.8, 0.6), None), &(), forms);
    all.extend(wrong("theorem_gelu", &spectral::theorem(3, Velocity::new(1.0, 0.0), Some("gelu")), &(), forms));
    let sweep = aliased_fractions(&["relu", "tanh"].map(|name| name.parse().unwrap()), 3, 32).unwrap();
    let signal = spectral::harmonics_of("relu", 2);
    let photo = spectral::photo();
    for (name, svg) in [
        ("aliased_fraction", render(&AliasedFractionFigure { sweep: &sweep }, Format::Svg)),
        ("folding_map", render(&FoldingMapFigure { report: &signal }, Format::Svg)),
        ("schemes", render(&SchemesFigure { samples: 224 }, Format::Svg)),
        ("filters", render(&FiltersFigure { filters: Filter::examples()[1..].to_vec(), stride: 2 }, Format::Svg)),
        ("photo", render(&ImageSpectrumFigure { report: &photo }, Format::Svg)),
    ] {
        let svg = String::from_utf8(svg.unwrap()).unwrap();
        all.extend(faults(&svg, &[]).into_iter().map(|fault| format!("{name}: {fault}")));
    }
    for activation in ["relu", "poly:0,1"] {
        let report = spectral::harmonics_of(activation, 2);
        all.extend(wrong(&activation[..4], &report, &(), &[("", &["Nyquist", "|c_k|"])]));
    }
    let departures: &[&str] = &["diagonal", "paper", "2K/M", "form/exact"];
    all.extend(wrong("departures", &spectral::departures(), &(), &[("", departures)]));
    right(&all);
}

#[test]
fn figures_of_motions() {
    let mut all = Vec::new();
    for (kind, scalar, rows, columns) in [
        ("margin", Scalar::Margin, 64, 64),
        ("energy", Scalar::Energy, 30, 90),
        ("entry", Scalar::Entry(123_456), 90, 30),
    ] {
        let labels: &[(&str, &[&str])] = &[("", &["where to push the picture", "|F|", "worst smooth deformation"])];
        let beside = Some(motions::picture(rows, columns));
        all.extend(wrong(&format!("field_{kind}"), &motions::field(3, scalar), &beside, labels));
    }
    for (kind, names, of_classes) in
        [("14", layers::names(14), true), ("2", places(2), false), ("long_60", long(60), true)]
    {
        let labels: &[(&str, &[&str])] = &[("", &["along the way", "what each layer has added"])];
        all.extend(wrong(
            &format!("orbit_{kind}"),
            &motions::orbit(&names, of_classes),
            &OrbitBeside::default(),
            labels,
        ));
    }
    right(&all);
}

#[test]
fn figures_of_representations() {
    let all = ["rotate", "scale", "hyperbolic", "translate_x", "translate_y", "shear_x", "stretch_x"];
    let generators = |count: usize| all[..count].iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let rows: &[&str] = &["no action", "A, as assumed", "A and M", "M in place of A", "M explains 100.0 %"];
    let planes = [rows, &["Eigenvalues of M", "λ₁", "antisymmetric: 100.0 %"]].concat();
    let mut wrongs =
        wrong("representation", &motions::representation(), &(), &[("", &["±1.00 i", "M explains nothing"])]);
    for count in 1..=all.len() {
        let report = motions::representation_of(&generators(count), 32);
        wrongs.extend(wrong(&format!("representation_{count}"), &report, &(), &[("", &planes)]));
        let large = motions::representation_of(&generators(count), 512);
        wrongs.extend(wrong(&format!("representation_{count}_large"), &large, &(), &[("", rows)]));
    }
    let combinations = ["rotate", "rotate+0.5*saturate-1.25*hyperbolic", "translate_x+translate_y"].map(str::to_owned);
    let mut many = motions::representation_of(&combinations, 256);
    many.run.model.path = long_name(0);
    let whole: &[&str] = &["rotate+0.5*saturate-1.25*hyperbolic", "≈ 0"];
    wrongs.extend(wrong("representation_combinations", &many, &(), &[("", whole)]));
    let silent: &[&str] = &["LEE ≈ 0: nothing to explain", "saturate", "≈ 0"];
    wrongs.extend(wrong("representation_silent", &motions::no_representation(), &(), &[("", silent)]));
    right(&wrongs);
}

/// Dots of the four actions, and one per eigenvalue.
#[test]
fn a_representation_is_drawn_dot_by_dot() {
    let circles = |report: &RepresentationReport| {
        let svg = String::from_utf8(report.figures(&())[0].render(Format::Svg).unwrap()).unwrap();
        let document = Document::parse(&svg).unwrap();
        document.descendants().filter(|node| node.has_tag_name("circle")).count()
    };
    let names =
        |count: usize| ["rotate", "scale", "shear_x"][..count].iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    // Two circles per dot, its face and its edge; of M's held-out dot the face alone, as a ring is around it. In the key
    // one dot and one ring.
    let rows = |count: usize| 3 + count * (3 * 2 + 1 + 2);
    for count in 1..=3 {
        for channels in [2, 32] {
            let report = motions::representation_of(&names(count), channels);
            assert_eq!(circles(&report), rows(count) + count * 2 * channels);
        }
        assert_eq!(circles(&motions::representation_of(&names(count), 300)), rows(count));
    }
    let mut broken = motions::representation();
    broken.generators["rotate"].still = f64::NAN;
    let refused = broken.figures(&())[0].render(Format::Svg).unwrap_err().to_string();
    assert!(refused.contains("NaN"), "{refused}");
}

#[test]
fn the_check_sees_what_is_wrong() {
    let svg =
        |inside: &str| format!("<svg width=\"100\" height=\"40\" xmlns=\"http://www.w3.org/2000/svg\">{inside}</svg>");
    let text = |x: i32, y: i32, words: &str| format!("<text x=\"{x}\" y=\"{y}\" font-size=\"10\">{words}</text>");
    assert!(faults(&svg(&(text(5, 12, "one") + &text(5, 30, "two"))), &["one", "two"]).is_empty());
    // 18 letters 'm' of 0.974 em.
    assert_eq!(faults(&svg(&text(5, 12, &"m".repeat(18))), &[]).len(), 1);
    assert_eq!(faults(&svg(&text(5, 5, "one")), &[]).len(), 1);
    assert_eq!(faults(&svg(&(text(5, 12, "one") + &text(12, 15, "two"))), &[]).len(), 1);
    assert_eq!(faults(&svg(""), &["one"]), ["'one' is not shown"]);
    assert_eq!(faults(&svg("<circle cx=\"NaN\"/>"), &[]).len(), 1);
}
