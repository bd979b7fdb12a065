//! Pieces of text for a terminal.

use crate::figure::style::printable;

/// Between columns, and before what continues a line.
pub(super) const GAP: &str = "  ";

/// What stands where there is no number.
pub(super) const NONE: &str = "–";

/// Lines as they are printed: names made printable, broken where they are wider than `width`, without blanks at their
/// ends.
pub(super) fn page(lines: &[String], width: usize) -> String {
    lines
        .iter()
        .flat_map(|line| wrapped(&printable(line), width))
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

/// A bar of `room` columns for the largest value, in eighths of a column.
pub(super) fn bar(value: f64, largest: f64, room: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if largest <= 0.0 || value <= 0.0 {
        return String::new();
    }
    let eighths = (value / largest * room as f64 * 8.0).round() as usize;
    // What is not zero is seen.
    let eighths = if room > 0 { eighths.max(1) } else { 0 };
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

pub(super) fn pad_left(text: &str, width: usize) -> String {
    " ".repeat(width.saturating_sub(text.chars().count())) + text
}

pub(super) fn pad_right(text: &str, width: usize) -> String {
    text.to_owned() + &" ".repeat(width.saturating_sub(text.chars().count()))
}

pub(super) fn shortened(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// Broken between words where it is too long; a word longer than a line is left whole.
pub(super) fn wrapped(line: &str, width: usize) -> Vec<String> {
    if line.chars().count() <= width {
        return vec![line.to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in line.split(' ') {
        let last = lines.len() - 1;
        if !lines[last].is_empty() && lines[last].chars().count() + 1 + word.chars().count() > width {
            lines.push(format!("{GAP}{word}"));
        } else {
            if !lines[last].is_empty() {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}

/// A path's end, which tells nodes of one network apart, where all of it is too long.
pub(super) fn tail(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().skip(count + 1 - width.max(1)).collect();
    format!("…{kept}")
}
