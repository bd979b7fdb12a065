//! Names that come from files, made fit to be printed: what a terminal, a table or a reader could take for something
//! else is written as an escape, and what is too long to be read is cut.
//!
//! Results keep the names as they are, JSON has the true ones. What is printed passes through here where it leaves:
//! [`shown`] for a whole result before a table, a figure or a page is made of it, [`printable`] for a message.

use std::borrow::Cow;
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::ser::{CharEscape, Formatter};

/// The most characters of a name or sentence in tables, figures and pages.
pub const NAME: usize = 600;
/// The most characters of a message.
pub const MESSAGE: usize = 2000;

/// Whether a character does something else than stand for itself: control characters, those that turn the direction of
/// writing, those without width, line and paragraph separators, tags, and the two that are none.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

/// `text` with escapes such as `\n` and `\u{202e}` for characters that do something else than stand for themselves.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let escaped = |c: char| match acts(c) {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// As [`printable`], of which no more than so many characters are left: its beginning and its end.
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    // No character takes less than a byte.
    if text.len() <= most || text.chars().count() <= most {
        return printable(text);
    }
    let kept = most.saturating_sub(1);
    let front: String = text.chars().take(kept.div_ceil(2)).collect();
    let mut back: Vec<char> = text.chars().rev().take(kept / 2).collect();
    back.reverse();
    Cow::Owned(format!("{}…{}", printable(&front), printable(&back.iter().collect::<String>())))
}

/// A result with every name and sentence in it as [`shortened`] has it.
///
/// # Errors
/// A number is not finite, which no result may hold.
pub fn shown<T: Serialize + DeserializeOwned>(result: &T) -> Result<T, serde_json::Error> {
    let mut json = Vec::new();
    result.serialize(&mut serde_json::Serializer::with_formatter(&mut json, Shown::default()))?;
    serde_json::from_slice(&json)
}

/// Writes JSON whose strings are shown: each is taken as a whole first.
#[derive(Default)]
struct Shown(String);

impl Formatter for Shown {
    fn begin_string<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.clear();
        writer.write_all(b"\"")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, _: &mut W, fragment: &str) -> io::Result<()> {
        self.0.push_str(fragment);
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, _: &mut W, escape: CharEscape) -> io::Result<()> {
        self.0.push(match escape {
            CharEscape::Quote => '"',
            CharEscape::ReverseSolidus => '\\',
            CharEscape::Solidus => '/',
            CharEscape::Backspace => '\u{8}',
            CharEscape::FormFeed => '\u{c}',
            CharEscape::LineFeed => '\n',
            CharEscape::CarriageReturn => '\r',
            CharEscape::Tab => '\t',
            CharEscape::AsciiControl(byte) => char::from(byte),
        });
        Ok(())
    }

    fn end_string<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        let text = shortened(&self.0, NAME).replace('\\', "\\\\").replace('"', "\\\"");
        writer.write_all(text.as_bytes())?;
        self.0.clear();
        writer.write_all(b"\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn what_acts_is_escaped_and_what_stands_for_itself_is_kept() {
        for plain in ["/model/layer_1/Conv", "Größe × 3 → 5", "猫.png", "שלום", "a b"] {
            assert!(matches!(printable(plain), Cow::Borrowed(_)), "{plain}");
        }
        for (acting, wanted) in [
            ("a\u{1b}[2Jb", "a\\u{1b}[2Jb"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("two\r\nlines\tand", "two\\r\\nlines\\tand"),
            ("photo\u{202e}gnp.exe", "photo\\u{202e}gnp.exe"),
            ("a\u{200b}b\u{2066}c\u{feff}", "a\\u{200b}b\\u{2066}c\\u{feff}"),
            ("c1 \u{9b}31m", "c1 \\u{9b}31m"),
        ] {
            assert_eq!(printable(acting), wanted);
        }
    }

    #[test]
    fn what_is_long_keeps_its_beginning_and_its_end() {
        assert_eq!(shortened("abcdefghij", 10), "abcdefghij");
        assert_eq!(shortened("abcdefghijk", 10), "abcde…hijk");
        // Characters are counted, not bytes.
        assert_eq!(shortened("ééééééé", 7), "ééééééé");
        assert_eq!(shortened("éééééééé", 7), "ééé…ééé");
        assert_eq!(shortened("\n\n\n\n\n\n\n\n", 5), "\\n\\n…\\n\\n");
        let name = "n".repeat(200_000);
        assert_eq!(shortened(&name, NAME).chars().count(), NAME);
    }

    #[test]
    fn every_string_of_a_result_is_shown_and_no_number_changes() {
        let result: BTreeMap<String, Vec<(String, f64)>> =
            [("key\u{1b}".to_owned(), vec![("a\nb".to_owned(), 0.1 + 0.2), ("c".to_owned(), 1e-320)])].into();
        let found = shown(&result).unwrap();
        assert_eq!(found["key\\u{1b}"], vec![("a\\nb".to_owned(), 0.1 + 0.2), ("c".to_owned(), 1e-320)]);
        assert!(shown(&vec![f64::NAN]).is_err());
        let quoted = vec!["a \"quoted\" C:\\path/\u{8}".to_owned()];
        assert_eq!(shown(&quoted).unwrap(), ["a \"quoted\" C:\\path/\\u{8}"]);
        let numbered: BTreeMap<u8, String> = [(7, "b".to_owned())].into();
        assert_eq!(shown(&numbered).unwrap(), numbered);
    }
}
