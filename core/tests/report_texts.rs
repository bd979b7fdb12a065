//! Tables, CSV and Markdown as a reader gets them; no line is wider than the terminal.

use aliascope_core::antialias::surgery_report::SurgeryReport;
use aliascope_core::measure::scalar::Scalar;
use aliascope_core::report::{LayersBeside, OrbitBeside, Outcome, study_html};
use aliascope_core::spectrum::Velocity;
use aliascope_core::study::claim::Finding;
use aliascope_core::study::claims::claims;
use aliascope_core::study::report::StudyReport;

use crate::samples::{bench, comparison, layers, long_name, metrics, motions, repair, spectral, study, surgery};

/// Holds the tables at 80 and 120 columns, the CSV and the Markdown against their snapshots.
fn told<T: Outcome>(name: &str, report: &T, beside: &T::Beside) {
    let shown = report.shown().unwrap();
    for width in [80, 120] {
        let table = shown.table(beside, width);
        insta::assert_snapshot!(format!("{name}_{width}"), table);
    }
    fits(name, report, beside);
    let rows = report.rows(false);
    let csv = String::from_utf8(rows.csv()).unwrap();
    insta::assert_snapshot!(format!("{name}_rows"), format!("{csv}\n{}", rows.markdown()));
}

/// No line is wider than asked, ends in a space, or shows what is no number.
fn fits<T: Outcome>(name: &str, report: &T, beside: &T::Beside) {
    let shown = report.shown().unwrap();
    for width in [80, 81, 97, 100, 120, 137] {
        for line in shown.table(beside, width).lines() {
            assert!(line.chars().count() <= width, "{name} at {width}: {line}");
            assert!(!line.ends_with(' '), "{name} at {width}: '{line}'");
            assert!(!line.contains("NaN") && !line.contains("inf "), "{name} at {width}: {line}");
        }
    }
}

/// Holds the CSV of the values image by image against its snapshot.
fn by_image<T: Outcome>(name: &str, report: &T) {
    insta::assert_snapshot!(format!("{name}_by_image"), String::from_utf8(report.rows(true).csv()).unwrap());
}

fn beside() -> LayersBeside {
    LayersBeside { top: 10, ..LayersBeside::default() }
}

fn places(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("/blocks/blocks.{at}/blocks.{at}.0/conv_dw/Conv")).collect()
}

fn long(count: usize) -> Vec<String> {
    (0..count).map(long_name).collect()
}

#[test]
fn layers_of_one_attribution() {
    told(
        "layers_one",
        &layers::report(vec![layers::results("translate_x", "spectral", &layers::names(14))]),
        &beside(),
    );
}

#[test]
fn fields_of_motion() {
    told("field", &motions::field(3, Scalar::Margin), &None);
    fits("field_energy", &motions::field(25, Scalar::Energy), &None);
}

#[test]
fn orbits() {
    told("orbit", &motions::orbit(&layers::names(14), true), &OrbitBeside::default());
    fits("orbit_long", &motions::orbit(&long(60), false), &OrbitBeside { top: 60 });
}

#[test]
fn representations() {
    told("representation", &motions::representation(), &());
}

#[test]
fn layers_by_octaves() {
    told("layers_octaves", &layers::octaves(&layers::names(3)), &beside());
}

#[test]
fn layers_with_one_resolved_by_frequency() {
    told("layers_spectrum", &layers::with_spectrum(&layers::names(3)), &beside());
}

#[test]
fn values_image_by_image() {
    by_image("layers", &layers::generators(&layers::names(3)));
    by_image("surgery", &surgery::report(&places(2)));
    by_image("metrics", &metrics::classifier());
}

#[test]
fn layers_of_several_generators() {
    told("layers_generators", &layers::generators(&layers::names(3)), &beside());
}

#[test]
fn layers_of_several_derivatives() {
    told("layers_derivatives", &layers::derivatives(&layers::names(3)), &beside());
}

#[test]
fn layers_without_an_error() {
    told("layers_silent", &layers::report(vec![layers::silent(&layers::names(3))]), &beside());
}

#[test]
fn layers_of_any_names_and_numbers_fit() {
    for names in [long(1), long(60), layers::names(1), layers::names(60)] {
        fits("generators", &layers::generators(&names), &beside());
        fits("derivatives", &layers::derivatives(&names), &beside());
        fits("octaves", &layers::octaves(&names), &beside());
        fits("silent", &layers::report(vec![layers::silent(&names)]), &beside());
    }
}

#[test]
fn a_network_before_and_after() {
    told("surgery_layers", &surgery::report(&places(12)), &());
    told("surgery_plain", &surgery::without_layers(&places(1)), &());
}

#[test]
fn where_to_begin() {
    told("surgery_advised", &surgery::advised(&places(4)), &());
    told("surgery_nothing_chosen", &surgery::nothing_chosen(&places(2)), &());
}

#[test]
fn surgery_at_any_names_and_numbers_fits() {
    let kinds: [fn(&[String]) -> SurgeryReport; 4] =
        [surgery::report, surgery::without_layers, surgery::advised, surgery::nothing_chosen];
    for names in [long(1), long(60), places(1), places(60)] {
        for kind in kinds {
            fits("surgery", &kind(&names), &());
        }
    }
}

#[test]
fn a_network_repaired() {
    told("repair", &repair::report(&places(5)), &());
    told("repair_without_steps", &repair::without_steps(&places(2)), &());
    told("repair_images", &repair::images(), &());
    told("fix", &repair::fix(&places(4)), &());
    told("fix_nothing", &repair::nothing_fixed(&places(2)), &());
    for names in [long(1), long(60), places(60)] {
        fits("repair", &repair::report(&names), &());
        fits("fix", &repair::fix(&names), &());
    }
}

#[test]
fn networks_side_by_side() {
    told("compared", &comparison::few(), &());
    for names in [long(1), long(60)] {
        fits("compared", &comparison::of(&names, 3, &comparison::GENERATORS), &());
    }
    fits("compared on one image", &comparison::of(&long(2), 1, &["translate_x"]), &());
}

#[test]
fn studies() {
    let names: Vec<String> = (0..9).map(|at| format!("net-{at}")).collect();
    told("study", &study::report(&names, 12), &());
    told("study_status", &study::status(&names[..4]), &());
    for (names, images) in [(long(1), 1), (long(20), 3)] {
        fits("study", &study::report(&names, images), &());
        fits("study_status", &study::status(&names), &());
    }
}

/// The page is well-formed, has nothing of names as markup, and its conclusions come first.
/// Of one family nothing says whether the architecture matters, however much of LEE size and accuracy explain.
#[test]
fn one_family_decides_nothing_of_architectures() {
    let names: Vec<String> = (0..12).map(|at| format!("net-{at}")).collect();
    let verdict = |families: bool| {
        let mut data = study::data(&names, 12);
        if !families {
            data.networks.iter_mut().for_each(|network| network.about.family = "one".to_owned());
        }
        let report = StudyReport::summed_up(&data);
        let claim = claims(&report, &data).into_iter().find(|claim| claim.claim.contains("the architecture")).unwrap();
        (claim.verdict, claim.because)
    };
    assert!(verdict(true).1.contains("by 4 families"), "{}", verdict(true).1);
    let (finding, because) = verdict(false);
    assert_eq!(finding, Finding::NotDecided);
    assert!(because.contains("one family"), "{because}");
}

#[test]
fn the_page_of_a_study() {
    let names = ["net-0", "<script>alert(1)</script>", "net-2", "net-3", "net-4", "net-5"].map(str::to_owned);
    let page = study_html(&study::report(&names, 8).shown().unwrap()).unwrap();
    let body = page.strip_prefix("<!DOCTYPE html>\n").unwrap();
    let document = roxmltree::Document::parse(body).unwrap();
    assert!(!page.contains("<script>alert"), "a name became markup");
    let text: String = document.descendants().filter_map(|node| node.text()).collect::<Vec<_>>().join(" ");
    let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("'{words}' is not on the page"));
    assert!(place("LEE falls as accuracy rises") < place("Networks"));
    for words in [
        "not decided by these data",
        "Spearman",
        "textures",
        "SHA-256",
        "survey run STUDY.toml",
        "net-9 is left out",
        "features.4.1",
    ] {
        place(words);
    }
    let tables = document.descendants().filter(|node| node.attribute("class") == Some("sortable"));
    // Networks, correlations, models, sets, agreement, layers, one for each network and one for each that is attributed.
    assert_eq!(tables.count(), 6 + 2 * names.len() - 1);
}

#[test]
fn designs_side_by_side() {
    told("bench", &bench::report(), &bench::beside(&bench::report()));
    fits("bench of one", &bench::single(), &bench::beside(&bench::single()));
}

#[test]
fn a_network_as_it_was_understood() {
    told("inspect", &crate::samples::inspection(), &());
    let mut empty = crate::samples::inspection();
    empty.nodes.clear();
    fits("inspect", &empty, &());
}

#[test]
fn the_theorem_on_formulas() {
    told("theorem", &spectral::theorem(9, Velocity::new(0.8, 0.6), None), &());
    told("theorem_activation", &spectral::theorem(3, Velocity::new(1.0, 0.0), Some("gelu")), &());
}

#[test]
fn harmonics_of_activations() {
    told("harmonics", &spectral::harmonics_of("relu", 2), &());
    told("harmonics_polynomial", &spectral::harmonics_of("poly:0,1", 1), &());
}

#[test]
fn departures_of_the_forms() {
    told("departures", &spectral::departures(), &());
}

#[test]
fn metrics_under_finite_transforms() {
    told("metrics", &metrics::classifier(), &());
    told("metrics_images", &metrics::images(), &());
    for report in [metrics::authors(), metrics::single()] {
        fits("metrics", &report, &());
    }
}
