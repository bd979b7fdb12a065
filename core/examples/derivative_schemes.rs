//! What each derivative scheme does to each frequency.
//!
//! cargo run -p aliascope-core --example derivative_schemes [FOLDER]

use std::f64::consts::PI;
use std::path::PathBuf;

use aliascope_core::figure::{Format, SchemesFigure, render};
use aliascope_core::spectrum::differentiation::{Scheme, authors_forward_share, derivative_error};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "results".to_owned()));
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("derivative-schemes.png");
    std::fs::write(&path, render(&SchemesFigure { samples: 224 }, Format::Png)?)?;
    println!("relative error at a tenth, half and all of the Nyquist frequency:");
    for scheme in Scheme::ALL {
        let errors = [0.1, 0.5, 0.999].map(|share| format!("{:>8.2} %", 100.0 * derivative_error(scheme, share * PI)));
        println!("  {:<9} {}", scheme.name(), errors.join(" "));
    }
    println!("authors takes the forward difference at {:.0} % of 224 samples", 100.0 * authors_forward_share(224));
    println!(
        "{}: See in it: a one-sided difference errs by half the frequency, so that it reports errors where nothing \
         aliases.",
        path.display()
    );
    Ok(())
}
