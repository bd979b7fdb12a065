//! Sections of pages that tests write and check.

/// A paragraph in lines that `scripts/prose.py` allows.
pub fn wrapped(paragraph: &str) -> String {
    const WIDTH: usize = 110;
    let mut text = String::new();
    let mut used = 0;
    for word in paragraph.split_whitespace() {
        let length = word.chars().count();
        if used > 0 && used + 1 + length <= WIDTH {
            text.push(' ');
            used += 1 + length;
        } else {
            if used > 0 {
                text.push('\n');
            }
            used = length;
        }
        text.push_str(word);
    }
    text + "\n"
}

/// The section of a page from its heading to the next heading of its level, or nothing.
pub fn section<'p>(page: &'p str, heading: &str) -> &'p str {
    match range(page, heading) {
        Some((start, end)) => &page[start..end],
        None => "",
    }
}

/// The page with the section in the place of the one of that heading, or at its end.
pub fn with_section(page: &str, heading: &str, section: &str) -> String {
    match range(page, heading) {
        Some((start, end)) => format!("{}{section}{}", &page[..start], &page[end..]),
        None => format!("{}\n\n{section}", page.trim_end()),
    }
}

fn range(page: &str, heading: &str) -> Option<(usize, usize)> {
    let start = page.find(&format!("{heading}\n"))?;
    let level = format!("\n{} ", heading.split(' ').next()?);
    // The blank line in front of the next heading belongs to the page.
    let end = page[start..].find(&level).map_or(page.len(), |at| start + at);
    Some((start, end))
}
