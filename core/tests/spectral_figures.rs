//! The spectral side's figures: promised labels, and nothing cut off at the edges.

use aliascope_core::figure::{
    AliasedFractionFigure, DeparturesFigure, Figure, FiltersFigure, FoldingMapFigure, Format, HarmonicsFigure,
    ImageSpectrumFigure, SchemesFigure, TheoremFigure, render,
};
use aliascope_core::spectrum::Velocity;
use aliascope_core::spectrum::filter::Filter;
use aliascope_core::spectrum::harmonics::aliased_fractions;

use crate::samples::spectral;

/// Draws it both ways, checks that it holds `labels`, and that its rim is white: what reaches it is cut off.
///
/// Kept for a look in the folder that `ALIASCOPE_KEEP_FIGURES` names.
fn check(figure: &impl Figure, name: &str, labels: &[&str]) {
    let text = String::from_utf8(render(figure, Format::Svg).unwrap()).unwrap();
    for label in labels {
        assert!(text.contains(label), "{name}: no '{label}'");
    }
    let bytes = render(figure, Format::Png).unwrap();
    if let Some(folder) = std::env::var_os("ALIASCOPE_KEEP_FIGURES") {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.png")), &bytes).unwrap();
    }
    let picture = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png).unwrap().to_luma8();
    let (width, height) = picture.dimensions();
    const RIM: u32 = 4;
    for (x, y, pixel) in picture.enumerate_pixels() {
        let at_the_rim = x < RIM || y < RIM || x >= width - RIM || y >= height - RIM;
        assert!(!at_the_rim || pixel.0[0] == 255, "{name}: something is cut off at ({x}, {y})");
    }
}

#[test]
fn the_theorem_figure() {
    for (name, band, velocity) in [
        ("theorem", 9, Velocity::new(0.8, 0.6)),
        ("theorem_axis", 9, Velocity::new(1.0, 0.0)),
        ("theorem_alias_free", 3, Velocity::new(1.0, 0.0)),
    ] {
        let report = spectral::theorem(band, velocity, None);
        check(
            &TheoremFigure { report: &report },
            name,
            &["exact", "measured", "diagonal", "paper", "cycles down", "fold"],
        );
    }
}

#[test]
fn the_harmonics_figures() {
    for activation in ["relu", "tanh", "poly:0,1"] {
        let report = spectral::harmonics_of(activation, 2);
        let labels = ["Nyquist", "|c_k|", "As the grid sees them", "stays", "folds", "after binomial-2"];
        check(&HarmonicsFigure { report: &report }, &format!("harmonics_{}", &activation[..4]), &labels);
        check(&FoldingMapFigure { report: &report }, &format!("folding_{}", &activation[..4]), &["seen as Alias(n)"]);
    }
    let names = ["relu", "gelu", "silu", "tanh", "poly:0,1,0.1"];
    let sweep = aliased_fractions(&names.map(|name| name.parse().unwrap()), 3, 32).unwrap();
    check(&AliasedFractionFigure { sweep: &sweep }, "aliased_fraction", &["amplitude a", "aliased fraction", "gelu"]);
}

#[test]
fn the_photo_figure() {
    let report = spectral::photo();
    check(&ImageSpectrumFigure { report: &report }, "photo", &["before", "after", "cycles per pixel, down"]);
}

#[test]
fn the_studies_figures() {
    let study = spectral::departures();
    check(&DeparturesFigure { study: &study }, "departures", &["diagonal", "paper", "2K/M", "form/exact"]);
    check(&SchemesFigure { samples: 224 }, "schemes", &["spectral", "authors", "radians per sample"]);
    let filters = FiltersFigure { filters: Filter::examples()[1..].to_vec(), stride: 2 };
    check(&filters, "filters", &["binomial-3", "kaiser-radial", "lanczos", "leaks"]);
}
