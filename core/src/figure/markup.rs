//! Text inside SVG and HTML.

use super::style::printable;

/// `text` as it stands between tags or inside a quoted attribute: markup escaped, and what XML cannot hold replaced.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in printable(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        assert_eq!(escaped("<a href='x'>\"&\u{1b}\u{ffff}"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;\\u{1b}\\u{ffff}");
    }
}
