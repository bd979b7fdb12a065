//! Text in columns.

/// Between columns, and before what continues a line.
pub(super) const GAP: &str = "  ";

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

/// Rows of cells as lines of at most `width` columns: the first column to the left and shortened from its front where the
/// others need the room, the others to the right. What does not fit beside each other goes below, in blocks with the
/// first column again. All rows have as many cells as the first.
pub(super) fn blocks(rows: &[Vec<String>], width: usize) -> Vec<String> {
    /// What is left of a first column, so that its names can be told apart.
    const LEAST: usize = 18;
    let count = rows.first().map_or(0, Vec::len);
    let size = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let sizes: Vec<usize> = (0..count).map(size).collect();
    let Some((&longest, others)) = sizes.split_first() else { return Vec::new() };
    let all: usize = others.iter().map(|size| GAP.len() + size).sum();
    let first = if longest + all <= width { longest } else { longest.min(LEAST.max(width.saturating_sub(all))) };
    let mut lines = Vec::new();
    let mut start = 1;
    while start < count {
        let ends = sizes[start..].iter().scan(first, |end, size| {
            *end += GAP.len() + size;
            Some(*end)
        });
        let end = start + ends.take_while(|end| *end <= width).count().max(1);
        if start > 1 {
            lines.push(String::new());
        }
        for row in rows {
            let mut line = pad_right(&tail(&row[0], first), first);
            for at in start..end {
                line = line + GAP + &pad_left(&row[at], sizes[at]);
            }
            lines.push(line.trim_end().to_owned());
        }
        start = end;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_to_the_width() {
        let row =
            |name: &str, cells: [&str; 3]| std::iter::once(name).chain(cells).map(str::to_owned).collect::<Vec<_>>();
        let rows = [row("", ["one", "two", "three"]), row("/a/long/name/of/a/node", ["1", "22", "333"])];
        let wide = blocks(&rows, 60);
        assert_eq!(wide, ["                        one  two  three", "/a/long/name/of/a/node    1   22    333"]);
        // First the name gives way, then columns go below.
        assert_eq!(blocks(&rows, 37)[1], "…long/name/of/a/node    1   22    333");
        let narrow = blocks(&rows, 28);
        assert_eq!(narrow.len(), 5);
        assert!(narrow.iter().all(|line| line.chars().count() <= 28), "{narrow:?}");
        assert!(narrow[4].ends_with("333"));
    }
}
