//! `aliascope fix` as a table for a terminal.

use std::fmt::{Result, Write};

use super::before_after::{heading, plus_minus};
use super::repair_table::write_repair;
use super::surgery_table::write_advice;
use super::table::Table;
use super::text::{NONE, page};
use crate::measure::run::counted;
use crate::number::{compact, percent};
use crate::repair::FixReport;

/// The worst layers, what was tried there, and the network with what was chosen, in lines of at most `width` columns
/// (taken as 80 where it is less).
pub fn fix_table(report: &FixReport, width: usize) -> String {
    let width = width.max(80);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_fix(&mut text, report, width);
    page(&text.lines().map(str::to_owned).collect::<Vec<_>>(), width)
}

fn write_fix(text: &mut String, report: &FixReport, width: usize) -> Result {
    writeln!(text, "{}", heading(&report.run, "layers and places chosen on "))?;
    match &report.hold_out {
        Some(hold_out) => {
            let twice = match hold_out.twice {
                0 => String::new(),
                twice => format!(", and {} left out as copies of these", twice),
            };
            writeln!(
                text,
                "held out: {} of {} by seed {}, on which nothing is chosen or adapted{twice}\n",
                hold_out.held,
                counted(hold_out.of, "image"),
                hold_out.seed
            )?;
        }
        None => writeln!(text, "judged on the images that --validate gave\n")?,
    }
    write_worst(text, report, width)?;
    writeln!(text)?;
    write_advice(text, &report.advice, width)?;
    if let Some(repair) = &report.repair {
        write_repair(text, repair, width)?;
        let facts = repair.conclusion.text.split_once(". ").map_or("", |(_, facts)| facts);
        writeln!(text, "\n{facts}\n")?;
    }
    writeln!(text, "{}", report.conclusion.text)
}

fn write_worst(text: &mut String, report: &FixReport, width: usize) -> Result {
    writeln!(text, "worst layers under {}: E‖J δ‖²/dim, and what LEE falls by", report.generator)?;
    let mut table = Table::of_numbers(["layer", "contribution", "share", "if exact", "by a design", "put in"]);
    for layer in &report.worst {
        table.push([
            layer.name.clone(),
            plus_minus(layer.contribution, layer.sem, &compact),
            layer.signed_share.map_or(NONE.to_owned(), |share| percent(share, 0)),
            compact(layer.removal_gain),
            layer.design_gain.map_or(NONE.to_owned(), compact),
            if layer.chosen { "yes" } else { NONE }.to_owned(),
        ]);
    }
    table.lines(width).iter().try_for_each(|line| writeln!(text, "{line}"))
}
