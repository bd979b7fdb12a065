//! The aliasing theorem on one random field, and how far its diagonal and printed forms depart over many.
//!
//! cargo run --no-default-features --example theorem_check [FOLDER]

use std::path::PathBuf;

use aliascope::figure::{DeparturesFigure, Format, TheoremFigure, render};
use aliascope::spectrum::departures::departures;
use aliascope::spectrum::filter::Filter;
use aliascope::spectrum::series::RandomSeries;
use aliascope::spectrum::theorem::{Setup, check_series};
use aliascope::spectrum::{FourierSeries, GridSize, Velocity};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "results".to_owned()));
    std::fs::create_dir_all(&folder)?;
    let velocity = Velocity::new(0.8, 0.6);
    let series = FourierSeries::random(RandomSeries { band: 9, decay: 1.0, real: true, seed: 1 })?;
    let mut report = check_series(
        &series,
        &Setup {
            samples: None,
            grid: GridSize::square(7),
            velocity,
            prefilter: Filter::None,
            activation: None,
            tolerance: 1e-6,
        },
    )?;
    report.input = "random real series of band 9".to_owned();
    let path = folder.join("theorem.png");
    std::fs::write(&path, render(&TheoremFigure { report: &report }, Format::Png)?)?;
    println!(
        "{}: exact {:.6e}, measured {:.6e}, diagonal {:.6e}, paper {:.6e}. See in it: exact and measured agree to \
         rounding, the other two do not.",
        path.display(),
        report.exact,
        report.measured,
        report.diagonal,
        report.paper
    );
    let study = departures(&[3, 4, 5, 6, 8, 10], &[5, 6, 7, 8, 9, 11, 12], 12, velocity)?;
    let path = folder.join("departures.png");
    std::fs::write(&path, render(&DeparturesFigure { study: &study }, Format::Png)?)?;
    println!("  K   M   bins shared   3 in 4 depart less: diagonal     paper      measured");
    let quartile = |values: Vec<f64>| {
        let mut sizes: Vec<f64> = values.into_iter().map(f64::abs).collect();
        sizes.sort_by(f64::total_cmp);
        sizes.get(3 * sizes.len() / 4).copied().unwrap_or(f64::NAN)
    };
    for band in [3, 4, 6, 10] {
        for grid in [5, 8, 12] {
            let cases: Vec<_> = study.cases.iter().filter(|case| (case.band, case.grid) == (band, grid)).collect();
            if !cases.is_empty() {
                println!(
                    "{band:>3} {grid:>3} {:>10.0} % {:>26.1} % {:>10.1} % {:>13.0e}",
                    100.0 * cases.iter().map(|case| case.collision_share).sum::<f64>() / cases.len() as f64,
                    100.0 * quartile(cases.iter().map(|case| case.diagonal).collect()),
                    100.0 * quartile(cases.iter().map(|case| case.paper).collect()),
                    quartile(cases.iter().map(|case| case.measured).collect()),
                );
            }
        }
    }
    println!("  occupied bins that are shared   3 in 4 depart less: diagonal     paper");
    for (name, from, to) in
        [("none", 0.0, 0.0), ("up to 30 %", f64::MIN_POSITIVE, 0.3), ("30 to 70 %", 0.3, 0.7), ("more", 0.7, 1.0)]
    {
        let cases: Vec<_> = study.cases.iter().filter(|case| (from..=to).contains(&case.collision_share)).collect();
        println!(
            "{name:>31} {:>30.1} % {:>8.1} %",
            100.0 * quartile(cases.iter().map(|case| case.diagonal).collect()),
            100.0 * quartile(cases.iter().map(|case| case.paper).collect()),
        );
    }
    println!(
        "{}: See in it: where no bins are shared the diagonal form is right, and the printed one need not be, since v is \
         not along an axis.",
        path.display()
    );
    Ok(())
}
