//! A result as tidy rows: one description, from which CSV and Markdown are written.

use std::fmt::Write;

use crate::number::compact;
use crate::printable::printable;

/// What stands in one column of one row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words or a name.
    Text(String),
    /// A measured number.
    Number(f64),
    /// A count, or another whole number.
    Count(i64),
    /// What this row does not have.
    Empty,
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Cell {
    fn from(count: usize) -> Self {
        Self::Count(count as i64)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Count(number)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Empty, Into::into)
    }
}

/// Rows under the same columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Rows {
    /// The columns' names.
    pub fn columns(&self) -> &[&'static str] {
        &self.columns
    }

    /// The rows, each as long as there are columns.
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// No rows yet.
    pub fn new(columns: impl Into<Vec<&'static str>>) -> Self {
        Self { columns: columns.into(), rows: Vec::new() }
    }

    /// One more row: a cell for every column, missing ones empty.
    pub fn push(&mut self, cells: impl Into<Vec<Cell>>) {
        let mut cells = cells.into();
        cells.resize(self.columns.len(), Cell::Empty);
        self.rows.push(cells);
    }

    /// More rows under the same columns.
    pub fn extend(&mut self, more: Self) {
        more.rows.into_iter().for_each(|cells| self.push(cells));
    }

    /// Comma-separated values as RFC 4180 has them, with line feeds. Numbers have as many digits as it takes to read
    /// the same `f64` back. What a spreadsheet would take for a formula has an apostrophe in front, as OWASP advises,
    /// and names are printable.
    pub fn csv(&self) -> Vec<u8> {
        let text = |cell: &Cell| match cell {
            Cell::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{}", printable(text)),
            Cell::Text(text) => printable(text).into_owned(),
            Cell::Number(number) => number.to_string(),
            Cell::Count(count) => count.to_string(),
            Cell::Empty => String::new(),
        };
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
        // Writing to memory cannot fail, and all rows are as long as the first.
        let _ = writer.write_record(&self.columns);
        for row in &self.rows {
            let _ = writer.write_record(row.iter().map(text));
        }
        writer.into_inner().unwrap_or_default()
    }

    /// A table as GitHub's Markdown has it, with numbers as the terminal's tables have them.
    pub fn markdown(&self) -> String {
        let is_text = |column: usize| self.rows.iter().any(|row| matches!(row[column], Cell::Text(_)));
        let text = |cell: &Cell| match cell {
            Cell::Text(text) => printable(text).replace('\\', "\\\\").replace('|', "\\|"),
            Cell::Number(number) => compact(*number),
            Cell::Count(count) => count.to_string(),
            Cell::Empty => "–".to_owned(),
        };
        let mut table = format!("| {} |\n|", self.columns.join(" | "));
        for column in 0..self.columns.len() {
            table += if is_text(column) { " --- |" } else { " ---: |" };
        }
        table.push('\n');
        for row in &self.rows {
            // Writing to a String cannot fail.
            let _ = writeln!(table, "| {} |", row.iter().map(text).collect::<Vec<_>>().join(" | "));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        let mut rows = Rows::new(["name", "lee", "images"]);
        rows.push([Cell::from("a,\"b\"|c"), Cell::from(0.1 + 0.2), Cell::from(3_usize)]);
        rows.push([Cell::from("=1+1\u{1b}"), Cell::from(None::<f64>)]);
        rows
    }

    #[test]
    fn csv_quotes_what_it_must_and_disarms_formulas() {
        let csv = String::from_utf8(rows().csv()).unwrap();
        assert_eq!(csv, "name,lee,images\n\"a,\"\"b\"\"|c\",0.30000000000000004,3\n'=1+1\\u{1b},,\n");
    }

    #[test]
    fn markdown_has_the_same_rows() {
        let table =
            "| name | lee | images |\n| --- | ---: | ---: |\n| a,\"b\"\\|c | 0.300 | 3 |\n| =1+1\\\\u{1b} | – | – |\n";
        assert_eq!(rows().markdown(), table);
    }
}
