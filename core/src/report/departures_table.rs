//! How far the theorem's forms depart from the exact one, as a table for a terminal.

use crate::number::{compact, percent};
use crate::spectrum::departures::{Departure, Departures};

use super::table::Table;
use super::text::page;

/// Departures beyond this say nothing more about a form.
const UNREADABLE: f64 = 9.995;

/// Three in four series of each band and grid, and of each share of crowded bins, depart by less than the table says;
/// in lines of at most `width` columns (taken as 80 where it is less).
pub fn departures_table(study: &Departures, width: usize) -> String {
    let width = width.max(80);
    let mut lines = vec![
        format!(
            "{} random real series per band K and grid M, v = {}: three in four depart from exact by less than",
            study.per_case, study.velocity
        ),
        String::new(),
    ];
    lines.extend(by_grid(study).lines(width));
    lines.push(String::new());
    lines.extend(by_crowding(study).lines(width));
    lines.extend([
        String::new(),
        "bins shared: occupied bins of the grid that hold two harmonics or more. Without any, diagonal is exact; the printed \
         form is so only where, besides, v lies along an axis. Their means over translations (and, for the printed form, a \
         reflection) are right everywhere."
            .to_owned(),
    ]);
    page(&lines, width)
}

fn by_grid(study: &Departures) -> Table {
    let mut keys: Vec<(u64, usize)> = study.cases.iter().map(|case| (case.band, case.grid)).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut table = Table::of_numbers(["K", "M", "bins shared", "diagonal", "paper", "measured"]);
    for (band, grid) in keys {
        let cases: Vec<_> = study.cases.iter().filter(|case| (case.band, case.grid) == (band, grid)).collect();
        let shared = cases.iter().map(|case| case.collision_share).sum::<f64>() / cases.len() as f64;
        let mut row = vec![band.to_string(), grid.to_string(), percent(shared, 0)];
        row.extend(sizes(&cases));
        table.push(row);
    }
    table
}

fn by_crowding(study: &Departures) -> Table {
    let mut table = Table::of_numbers(["bins shared", "series", "diagonal", "paper", "measured"]);
    for (name, above, to) in
        [("none", -1.0, 0.0), ("up to 30 %", 0.0, 0.3), ("30 to 70 %", 0.3, 0.7), ("more", 0.7, 1.0)]
    {
        let within = |case: &&Departure| case.collision_share > above && case.collision_share <= to;
        let cases: Vec<_> = study.cases.iter().filter(within).collect();
        if !cases.is_empty() {
            let mut row = vec![name.to_owned(), cases.len().to_string()];
            row.extend(sizes(&cases));
            table.push(row);
        }
    }
    table
}

/// What three in four departures of the diagonal, the printed and the measured form do not reach.
fn sizes(cases: &[&Departure]) -> [String; 3] {
    let size = |form: fn(&Departure) -> f64| match third_quartile(cases.iter().map(|case| form(case).abs())) {
        size if size >= UNREADABLE => format!("> {}", percent(UNREADABLE, 0)),
        size => percent(size, 1),
    };
    let measured = third_quartile(cases.iter().map(|case| case.measured));
    [size(|case| case.diagonal), size(|case| case.paper), compact(measured)]
}

/// What three in four values do not reach; NaN of no values.
fn third_quartile(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(3 * values.len() / 4).copied().unwrap_or(f64::NAN)
}
