//! The operators as a table for the terminal, and as a page of the documentation.

use std::fmt::Write as _;

use crate::onnx::{AttributeSpan, attribute_spans};
use crate::operators::{OperatorList, OperatorRow};

/// What the rules mean.
const RULES: [(&str, &str); 7] = [
    ("linear", "the operator itself carries the tangents, in the same call as the values"),
    ("elementwise", "a derivative per entry multiplies them"),
    ("rule", "a formula of the operator's own carries them"),
    ("automatic", "libtorch's forward-mode differentiation carries them, one at a time"),
    ("locally constant", "they are zero"),
    ("constant", "the output is a constant, folded when the model is loaded"),
    ("other operators", "the node is written out as the operators that it stands for"),
];

fn origin(row: &OperatorRow) -> String {
    if row.domain.is_empty() { format!("{} to {}", row.since, row.until) } else { row.domain.clone() }
}

/// The table for a terminal `width` columns wide; notes are wrapped.
pub fn operator_table(list: &OperatorList, width: usize) -> String {
    let head = ["operator", "opsets", "rule", "notes"];
    let cells = |row: &OperatorRow| [row.name.clone(), origin(row), row.rules.join(", ")];
    let mut widths = head.map(|h| h.chars().count());
    for row in &list.operators {
        for (width, cell) in widths.iter_mut().zip(cells(row)) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let [a, b, c, _] = widths;
    let indent = a + b + c + 6;
    let room = width.saturating_sub(indent).max(24);
    let mut text = String::new();
    let _ = writeln!(text, "{:<a$}  {:<b$}  {:<c$}  {}", head[0], head[1], head[2], head[3]);
    for row in &list.operators {
        let [name, since, rules] = cells(row);
        let mut notes = wrapped(&row.notes, room).into_iter();
        let first = notes.next().unwrap_or_default();
        let line = format!("{name:<a$}  {since:<b$}  {rules:<c$}  {first}");
        let _ = writeln!(text, "{}", line.trim_end());
        for rest in notes {
            let _ = writeln!(text, "{:indent$}{rest}", "");
        }
    }
    let _ = writeln!(
        text,
        "\n{} operators; opsets {} to {} are supported.",
        list.operators.len(),
        list.oldest_opset,
        list.newest_opset
    );
    for (rule, meaning) in RULES {
        let _ = writeln!(text, "  {rule:<16}  {meaning}");
    }
    let _ = writeln!(text, "\nRefused, with the reason:");
    for row in &list.refused {
        for line in wrapped(&format!("{}: {}", row.names.join(", "), row.reason), width.saturating_sub(2).max(24)) {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}

/// Lines of at most `width` characters, broken at spaces.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// How long a line of prose in the page is at most.
const PAGE_WIDTH: usize = 110;

/// docs/operators.md.
pub fn operator_page(list: &OperatorList) -> String {
    let opsets = format!(
        "Written by `aliascope ops --markdown`; a test compares it with the code. Opsets {} to {} of ONNX's own domain are \
         supported, and what ONNX Runtime's optimiser writes where it is listed. If an operator changed its meaning from \
         one opset to another, each opset has its own meaning. The model's opset says which one counts, or in a function \
         the function's. A model of an older opset is refused: convert it with `onnx.version_converter`. An attribute \
         that an operator does not have here is refused by name, never passed over. So is one that the operator has in \
         other opsets than the node's ([below](#attributes-that-come-or-go)).",
        list.oldest_opset, list.newest_opset
    );
    let constants = "Initializers and activations of half precision (float16, bfloat16) are computed in the precision of the \
                     run, and casts among floats change nothing. Constants may be infinite where an operator chooses, \
                     compares or adds (masks, bounds, padding before a maximum); NaN is refused.";
    let mut text = "# Operators\n\n".to_owned();
    for paragraph in [&opsets, constants, "How tangents are carried:"] {
        let _ = writeln!(text, "{}\n", wrapped(paragraph, PAGE_WIDTH).join("\n"));
    }
    for (rule, meaning) in RULES {
        let _ = writeln!(text, "- **{rule}**: {meaning}.");
    }
    text += "\n| Operator | Opsets | Rule | Notes |\n|---|---|---|---|\n";
    for row in &list.operators {
        let _ = writeln!(text, "| {} | {} | {} | {} |", row.name, origin(row), row.rules.join(", "), row.notes);
    }
    text += "\n## Attributes that come or go\n\nThe opsets that have the attribute by ONNX's schemas \
             (`scripts/record_attributes.py`). In other opsets it is refused.\n\n| Operator | Attribute | Opsets |\n|---|---|---|\n";
    let supported = |operator: &str| list.operators.iter().any(|row| row.domain.is_empty() && row.name == operator);
    for AttributeSpan { operator, attribute, first, last } in attribute_spans().filter(|span| supported(span.operator))
    {
        let opsets = if first == last { first.to_string() } else { format!("{first} to {last}") };
        let _ = writeln!(text, "| {operator} | {attribute} | {opsets} |");
    }
    text += "\n## Refused\n\nAny other operator is refused by its name. These are refused for a reason:\n\n";
    for row in &list.refused {
        let item = format!("- {}: {}.", row.names.join(", "), row.reason);
        let _ = writeln!(text, "{}", wrapped(&item, PAGE_WIDTH).join("\n  "));
    }
    text
}
