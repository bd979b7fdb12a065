//! The aliasing theorem on one random field, and how far its diagonal and printed forms depart over many.
//!
//! cargo run -p aliascope-core --example theorem_check [FOLDER]

use std::path::PathBuf;

use aliascope_core::figure::{DeparturesFigure, Format, TheoremFigure, render};
use aliascope_core::report::departures_table;
use aliascope_core::spectrum::departures::departures;
use aliascope_core::spectrum::filter::Filter;
use aliascope_core::spectrum::series::RandomSeries;
use aliascope_core::spectrum::theorem::{Setup, check_series};
use aliascope_core::spectrum::{FourierSeries, GridSize, Velocity};

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
    print!("{}", departures_table(&study, 80));
    println!(
        "{}: See in it: where no bins are shared the diagonal form is right, and the printed one need not be, since v is \
         not along an axis.",
        path.display()
    );
    Ok(())
}
