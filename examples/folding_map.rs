//! Where a grid folds each frequency, with the harmonics of a rectified cosine on it.
//!
//! cargo run --no-default-features --example folding_map [FILE.png|svg]

use std::path::PathBuf;

use aliascope::figure::{FoldingMapFigure, Format, render};
use aliascope::spectrum::filter::Filter;
use aliascope::spectrum::harmonics::{Signal, harmonics};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "results/folding-map.png".to_owned()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let report = harmonics(&Signal {
        activation: "relu".parse()?,
        amplitude: 1.0,
        frequency: 5,
        samples: 48,
        stride: 2,
        filter: Filter::None,
        oversample: None,
    })?;
    std::fs::write(&path, render(&FoldingMapFigure { report: &report }, Format::from_path(&path)?)?)?;
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
    Ok(())
}
