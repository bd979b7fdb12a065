//! A LEE report as CSV.

use std::fmt::Write;

use super::text::quoted;
use crate::measure::lee_report::LeeReport;

/// One row per generator under the header `name,lee,sem,mean_abs,relative`; a field that does not exist is empty.
///
/// Numbers have as many digits as it takes to read the same `f64` back.
pub fn lee_csv(report: &LeeReport) -> String {
    let mut text = String::from("name,lee,sem,mean_abs,relative\n");
    let optional = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
    for (name, lee) in &report.generators {
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{},{},{},{},{}",
            quoted(name),
            lee.lee,
            optional(lee.sem),
            lee.mean_abs,
            optional(lee.relative)
        );
    }
    text
}
