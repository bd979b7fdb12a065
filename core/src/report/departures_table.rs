//! How far the theorem's forms depart from the exact one, as a table for a terminal.

use std::fmt::Write;

use crate::spectrum::departures::{Departure, Departures};

/// Three in four series of each band and grid, and of each share of crowded bins, depart by less than the table says.
pub fn departures_table(study: &Departures) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_table(&mut text, study);
    text
}

/// Departures beyond this say nothing more about a form.
const UNREADABLE: f64 = 9.995;

fn write_table(text: &mut String, study: &Departures) -> std::fmt::Result {
    writeln!(
        text,
        "{} random real series per band K and grid M, v = {}: three in four depart from exact by less than\n",
        study.per_case, study.velocity
    )?;
    writeln!(text, "    K    M   bins shared   diagonal      paper   measured")?;
    let mut keys: Vec<(u64, usize)> = study.cases.iter().map(|case| (case.band, case.grid)).collect();
    keys.sort_unstable();
    keys.dedup();
    for (band, grid) in keys {
        let cases: Vec<_> = study.cases.iter().filter(|case| (case.band, case.grid) == (band, grid)).collect();
        let shared = cases.iter().map(|case| case.collision_share).sum::<f64>() / cases.len() as f64;
        writeln!(text, "{band:>5} {grid:>4} {:>11.0} % {}", 100.0 * shared, sizes(&cases))?;
    }
    writeln!(text, "\n  bins shared   series   diagonal      paper   measured")?;
    for (name, above, to) in
        [("none", -1.0, 0.0), ("up to 30 %", 0.0, 0.3), ("30 to 70 %", 0.3, 0.7), ("more", 0.7, 1.0)]
    {
        let cases: Vec<_> =
            study.cases.iter().filter(|case| case.collision_share > above && case.collision_share <= to).collect();
        if !cases.is_empty() {
            writeln!(text, "{name:>13} {:>8} {}", cases.len(), sizes(&cases))?;
        }
    }
    writeln!(
        text,
        "\nbins shared: occupied bins of the grid that hold two harmonics or more. Without any, diagonal is exact; the\n\
         printed form is so only where, besides, v lies along an axis. Their means over translations (and, for the printed\n\
         form, a reflection) are right everywhere."
    )
}

fn sizes(cases: &[&Departure]) -> String {
    let percent = |form: fn(&Departure) -> f64| match 100.0 * third_quartile(cases.iter().map(|case| form(case).abs()))
    {
        size if size >= 100.0 * UNREADABLE => format!("> {:.0} %", 100.0 * UNREADABLE),
        size => format!("{size:.1} %"),
    };
    let measured = third_quartile(cases.iter().map(|case| case.measured));
    format!("{:>10} {:>10} {measured:>10.0e}", percent(|case| case.diagonal), percent(|case| case.paper))
}

/// What three in four values do not reach; NaN of no values.
fn third_quartile(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(3 * values.len() / 4).copied().unwrap_or(f64::NAN)
}
