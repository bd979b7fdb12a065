//! A result as one page that needs nothing else: what it says first, then pictures and tables that sort.

use std::fmt::Write;

use crate::figure::markup::escaped;
use crate::figure::{Figure, FigureError, Format, render};
use crate::measure::run::Run;
use crate::number::compact;
use crate::origin::Origin;

use super::rows::{Cell, Rows};

const STYLE: &str = include_str!("layers_page.css");
const TABLES: &str = include_str!("page.js");
/// Nothing is fetched, and only what is in the page runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// A page in the making: HTML that is well-formed XML as well. All text is escaped: nothing in a file becomes markup or
/// script.
pub(super) struct Page {
    html: String,
}

impl Page {
    /// A page with its title and what it says, in sentences made from the numbers.
    pub(super) fn new(title: &str, conclusion: &[String]) -> Self {
        let mut page = Self { html: begun(title) };
        page.push("<div class=\"conclusion\">\n");
        conclusion.iter().for_each(|sentence| page.sentence(sentence));
        page.push("</div>\n</header>\n<main>\n");
        page
    }

    /// Markup as it stands.
    pub(super) fn push(&mut self, markup: &str) {
        self.html.push_str(markup);
    }

    /// Text, of a class of the style sheet where one is named.
    pub(super) fn paragraph(&mut self, class: &str, text: &str) {
        let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(self.html, "<p{class}>{}</p>", escaped(text));
    }

    /// Text of which what stands between two backticks is a command line.
    fn sentence(&mut self, text: &str) {
        match text.split('`').collect::<Vec<_>>()[..] {
            [before, command, after] => {
                let command = code(command.split(' '));
                let _ = writeln!(self.html, "<p>{}{command}{}</p>", escaped(before), escaped(after));
            }
            _ => self.paragraph("", text),
        }
    }

    /// A heading below the title.
    pub(super) fn heading(&mut self, level: u8, text: &str) {
        let _ = writeln!(self.html, "<h{level}>{}</h{level}>", escaped(text));
    }

    /// Terms, and what they mean, where they first stand.
    pub(super) fn terms(&mut self, terms: &[(&str, &str)]) {
        self.push("<details class=\"terms\">\n<summary>What the words mean</summary>\n<dl>\n");
        for (term, meaning) in terms {
            let _ = writeln!(self.html, "<dt>{}</dt><dd>{}</dd>", escaped(term), escaped(meaning));
        }
        self.push("</dl>\n</details>\n");
    }

    /// Numbers that come before all others, each under its name.
    pub(super) fn facts(&mut self, facts: &[(&str, String)]) {
        self.push("<dl class=\"facts\">\n");
        for (term, value) in facts {
            let _ = writeln!(self.html, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(term), escaped(value));
        }
        self.push("</dl>\n");
    }

    /// A figure as wide as the page.
    ///
    /// # Errors
    /// It cannot be drawn.
    pub(super) fn figure(&mut self, figure: &impl Figure, caption: &str) -> Result<(), FigureError> {
        self.svg(render(figure, Format::Svg)?, "picture fitted", caption)
    }

    /// A figure that is drawn already.
    ///
    /// # Errors
    /// It is no text.
    pub(super) fn svg(&mut self, svg: Vec<u8>, class: &str, caption: &str) -> Result<(), FigureError> {
        let svg = String::from_utf8(svg).map_err(|_| FigureError::Drawing("an SVG is not text".to_owned()))?;
        let _ = write!(
            self.html,
            "<figure>\n<div class=\"{class}\" tabindex=\"0\" role=\"group\" aria-label=\"{0}\">\n{svg}</div>\n\
             <figcaption>{0}</figcaption>\n</figure>\n",
            escaped(caption)
        );
        Ok(())
    }

    /// Bars of text and boxes, which fit any width: a name, its share of a bar's whole length, and the number beside it.
    pub(super) fn bars(&mut self, label: &str, bars: &[(String, f64, String)]) {
        let _ = writeln!(self.html, "<div class=\"bars\" role=\"img\" aria-label=\"{}\">", escaped(label));
        for (name, share, number) in bars {
            let width = 100.0 * share.clamp(0.0, 1.0);
            let _ = writeln!(
                self.html,
                "<div><span class=\"bar-name\">{}</span><span class=\"bar\"><span style=\"width:{width:.1}%\"></span></span>\
                 <span class=\"bar-number\">{}</span></div>",
                escaped(name),
                escaped(number)
            );
        }
        self.push("</div>\n");
    }

    /// Rows as a table that sorts; columns that are empty are left out.
    pub(super) fn rows(&mut self, label: &str, rows: &Rows) {
        let shown: Vec<usize> =
            (0..rows.columns().len()).filter(|&at| rows.rows().iter().any(|row| row[at] != Cell::Empty)).collect();
        let _ = write!(
            self.html,
            "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">\n<table class=\"sortable\">\n<thead><tr>",
            escaped(label)
        );
        let is_text = |at: usize| rows.rows().iter().any(|row| matches!(row[at], Cell::Text(_)));
        for &at in &shown {
            let class = if is_text(at) { " class=\"word\"" } else { "" };
            let name = rows.columns()[at].replace('_', " ");
            let _ =
                write!(self.html, "<th scope=\"col\"{class}><button type=\"button\">{}</button></th>", escaped(&name));
        }
        self.push("</tr></thead>\n<tbody>\n");
        for row in rows.rows() {
            self.push("<tr>");
            for &at in &shown {
                let _ = match &row[at] {
                    Cell::Text(text) => {
                        write!(self.html, "<td class=\"word\" data-v=\"{0}\">{0}</td>", escaped(text))
                    }
                    Cell::Number(number) => write!(self.html, "<td data-v=\"{number}\">{}</td>", compact(*number)),
                    Cell::Count(count) => write!(self.html, "<td data-v=\"{count}\">{count}</td>"),
                    Cell::Empty => write!(self.html, "<td data-v=\"\">–</td>"),
                };
            }
            self.push("</tr>\n");
        }
        self.push("</tbody>\n</table>\n</div>\n");
    }

    /// What computed the result of a network, and of what; the end of the page. `script` runs after that of tables.
    pub(super) fn finish(mut self, run: &Run, more: &[String], script: &str) -> String {
        self.push("</main>\n<footer class=\"note\">\n");
        let model = &run.model;
        if !model.path.is_empty() {
            let sha = if model.sha256.is_empty() { String::new() } else { format!(", SHA-256 {}", model.sha256) };
            self.paragraph("", &format!("Model: {}{sha}.", model.path));
        }
        if run.images.count() > 0 {
            let text = format!(
                "{}, preprocessing {}: {}.",
                run.images.in_words(),
                run.images.preprocess,
                run.images.names.join(", ")
            );
            self.paragraph("", &text);
        }
        more.iter().for_each(|line| self.paragraph("", line));
        self.end(&run.origin, script)
    }

    /// The end of a page on no network.
    pub(super) fn finish_without_network(mut self, origin: &Origin, more: &[String]) -> String {
        self.push("</main>\n<footer class=\"note\">\n");
        more.iter().for_each(|line| self.paragraph("", line));
        self.end(origin, "")
    }

    fn end(mut self, origin: &Origin, script: &str) -> String {
        if !origin.command.is_empty() {
            let words: Vec<String> = origin.command.iter().map(|word| quoted(word)).collect();
            let _ = writeln!(self.html, "<p>Command: {}</p>", code(words.iter().map(String::as_str)));
        }
        self.paragraph("", &format!("aliascope {}, {}.", origin.aliascope, origin.time));
        self.push("</footer>\n");
        self.push(&ended(script));
        self.html
    }
}

/// A command line that breaks between its words: browsers would break `--force` after its hyphens.
fn code<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(|word| format!("<span>{}</span>", escaped(word))).collect();
    format!("<code>{}</code>", words.join(" "))
}

/// A page from its first byte to its title.
pub(super) fn begun(title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n\
         <meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n<title>{0}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{0}</h1>\n",
        escaped(title)
    )
}

/// The end of a page: what makes its tables sort, and then `script`.
pub(super) fn ended(script: &str) -> String {
    format!("<script>\n//<![CDATA[\n{TABLES}{script}//]]>\n</script>\n</body>\n</html>\n")
}

/// A word of a command line as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./=,:@+%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_command_are_quoted_where_they_must_be() {
        assert_eq!(["a-b_c=1", "two words", "it's", ""].map(quoted), ["a-b_c=1", "'two words'", "'it'\\''s'", "''"]);
    }
}
