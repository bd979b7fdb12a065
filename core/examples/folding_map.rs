//! Where a grid folds each frequency, with the harmonics of a rectified cosine on it, and what filters would take away.
//!
//! cargo run -p aliascope-core --example folding_map [FOLDER]

use std::path::PathBuf;

use aliascope_core::figure::{FiltersFigure, FoldingMapFigure, Format, render};
use aliascope_core::spectrum::GridSize;
use aliascope_core::spectrum::filter::Filter;
use aliascope_core::spectrum::harmonics::{Signal, harmonics};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "results".to_owned()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("folding-map.png");
    let report = harmonics(&Signal {
        activation: "relu".parse()?,
        amplitude: 1.0,
        frequency: 5,
        samples: 48,
        stride: 2,
        filter: Filter::None,
        oversample: None,
    })?;
    std::fs::write(&path, render(&FoldingMapFigure { report: &report }, Format::Png)?)?;
    for harmonic in report.harmonics.iter().skip(1).filter(|h| h.magnitude > 1e-3).take(6) {
        println!(
            "harmonic {:>2} of frequency {:>3} is seen as {:>3}",
            harmonic.k, harmonic.frequency, harmonic.folds_to
        );
    }
    println!(
        "{}: See in it: every dot outside the shaded band has a false twin inside it, at its own height.",
        path.display()
    );
    let filters = FiltersFigure { filters: Filter::examples().into_iter().skip(1).collect(), stride: 2 };
    let path = folder.join("filters.png");
    std::fs::write(&path, render(&filters, Format::Png)?)?;
    println!("what filters before a stride of 2 leave of what folds, and of what stays (mean of |G|^2 along an axis):");
    for filter in &filters.filters {
        let quality = filter.design(Some(GridSize::square(128)), GridSize::square(64))?.quality();
        println!(
            "  {filter:<14} {:>6.2} % {:>7.2} %   transition {:.3} to {:.3} cycles per sample",
            100.0 * quality.stop_band,
            100.0 * quality.pass_band,
            quality.transition[0],
            quality.transition[1]
        );
    }
    println!(
        "{}: See in it: what lies right of the line folds; binomial taps pay for a clean stop band with the pass band.",
        path.display()
    );
    Ok(())
}
