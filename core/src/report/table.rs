//! A table for a terminal: columns and rows are described once, and laid out for any width.

use super::text::{GAP, bar, pad_left, pad_right, shortened, tail, wrapped};

/// What stands in a column: to which side it keeps, and how it gives way where there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Words, to the left; cut at their end.
    Words,
    /// Names of nodes, to the left; cut at their front, as the ends tell them apart.
    Names,
    /// Numbers, to the right.
    Numbers,
    /// Sentences, in lines below each other; of the last column alone.
    Prose,
}

/// What is left of a first column where columns go below each other, so that its names can be told apart.
const LEAST_FIRST: usize = 18;
/// The least room of a first column before columns are left out, and the most that they are left out for.
const LEAST_NAME: usize = 20;
const MOST_NAME: usize = 44;
/// What is left of any column that gives way.
const LEAST_CELL: usize = 6;
/// Bars do without the room that names up to this length need.
const LONG_NAME: usize = 24;
/// The least room of bars, and the most.
const LEAST_BAR: usize = 8;
const MOST_BAR: usize = 24;
/// The least room of prose.
const LEAST_PROSE: usize = 24;

/// Columns with their headings, and rows of as many cells.
#[derive(Clone, Debug)]
pub(super) struct Table {
    columns: Vec<(String, Side)>,
    rows: Vec<Vec<String>>,
    optional: usize,
    /// What the bars behind the rows stand for; none where there are no bars.
    bars: Vec<f64>,
}

impl Table {
    /// A table of these columns, without rows; without a line of headings where all are empty.
    pub(super) fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Side)>) -> Self {
        let columns = columns.into_iter().map(|(heading, side)| (heading.to_owned(), side)).collect();
        Self { columns, rows: Vec::new(), optional: 0, bars: Vec::new() }
    }

    /// Names in the first column, numbers in the others.
    pub(super) fn of_numbers<'a>(headings: impl IntoIterator<Item = &'a str>) -> Self {
        let side = |at| if at == 0 { Side::Names } else { Side::Numbers };
        Self::new(headings.into_iter().enumerate().map(|(at, heading)| (heading, side(at))))
    }

    /// Terms and what they mean, without headings.
    pub(super) fn of_terms<'a>(terms: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut table = Self::new([("", Side::Words), ("", Side::Prose)]);
        terms.into_iter().for_each(|(term, meaning)| table.push([term, meaning].map(str::to_owned)));
        table
    }

    /// So many columns at the end may be left out where there is no room: see [`narrowed`](Self::narrowed).
    pub(super) fn optional(self, count: usize) -> Self {
        Self { optional: count, ..self }
    }

    /// A bar behind each row in the order of rows, of these sizes, where there is room for bars.
    pub(super) fn with_bars(self, bars: Vec<f64>) -> Self {
        Self { bars, ..self }
    }

    /// With the columns of another table of as many rows, but for its first.
    pub(super) fn beside(&self, other: &Self) -> Self {
        let mut joined = self.clone();
        joined.columns.extend(other.columns.iter().skip(1).cloned());
        joined.rows.iter_mut().zip(&other.rows).for_each(|(row, more)| row.extend(more.iter().skip(1).cloned()));
        joined
    }

    /// The columns that all of it takes side by side, without bars.
    pub(super) fn width(&self) -> usize {
        let sizes = self.sizes();
        sizes.iter().sum::<usize>() + GAP.len() * sizes.len().saturating_sub(1)
    }

    /// Whether so many columns hold all of it side by side, with enough of the first column to tell its names apart.
    pub(super) fn fits(&self, width: usize) -> bool {
        let sizes = self.sizes();
        let room = width.saturating_sub(sizes.iter().skip(1).map(|size| GAP.len() + size).sum());
        sizes.first().is_none_or(|&longest| room >= longest.min(LEAST_FIRST))
    }

    /// One more row; missing cells are empty.
    pub(super) fn push(&mut self, cells: impl Into<Vec<String>>) {
        let mut cells = cells.into();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// Lines of at most `width` columns: the first column is shortened where the others need the room, and what does
    /// not fit beside each other goes below, in blocks with the first column again and without bars.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let sizes = self.sizes();
        let Some((&longest, others)) = sizes.split_first() else { return Vec::new() };
        if self.columns.last().is_some_and(|(_, side)| *side == Side::Prose) {
            return self.block(0..self.columns.len(), &sizes, width);
        }
        let all: usize = others.iter().map(|size| GAP.len() + size).sum();
        let first =
            if longest + all <= width { longest } else { longest.min(LEAST_FIRST.max(width.saturating_sub(all))) };
        let mut sizes = sizes;
        let free = width.saturating_sub(all);
        if !self.bars.is_empty() && free >= longest.min(LEAST_FIRST) {
            // A name that can be told apart goes before a bar, and a short bar says nothing.
            sizes[0] = longest.min(free.saturating_sub(GAP.len() + LEAST_BAR).max(LONG_NAME)).min(free);
            let room = free.saturating_sub(sizes[0] + GAP.len());
            return self.barred(self.block(1..sizes.len(), &sizes, width), sizes[0] + all, room);
        }
        sizes[0] = first;
        let mut lines = Vec::new();
        let mut start = 1;
        loop {
            let ends = sizes[start..].iter().scan(first, |end, size| {
                *end += GAP.len() + size;
                Some(*end)
            });
            let end = (start + ends.take_while(|end| *end <= width).count().max(1)).min(sizes.len());
            if start > 1 {
                lines.push(String::new());
            }
            lines.extend(self.block(start..end, &sizes, width));
            start = end;
            if start >= sizes.len() {
                return lines;
            }
        }
    }

    /// Lines of at most `width` columns without blocks: [`optional`](Self::optional) columns are left out from the end
    /// until the first one tells its rows apart, then the longest ones are cut. With the headings of those left out.
    pub(super) fn narrowed(&self, width: usize) -> (Vec<String>, Vec<&str>) {
        let mut sizes = self.sizes();
        let Some(&longest) = sizes.first() else { return (Vec::new(), Vec::new()) };
        let room = |sizes: &[usize]| width.saturating_sub(sizes[1..].iter().map(|size| GAP.len() + size).sum());
        let needed = self.telling_width().min(longest);
        let least = sizes.len() - self.optional;
        while room(&sizes) < needed && sizes.len() > least {
            sizes.pop();
        }
        let dropped = self.columns[sizes.len()..].iter().map(|(heading, _)| heading.as_str()).collect();
        sizes[0] = longest.min(room(&sizes).max(LEAST_NAME));
        while room(&sizes) < sizes[0] {
            let longest = (0..sizes.len()).max_by_key(|&at| (sizes[at], at > 0));
            match longest.filter(|&at| sizes[at] > LEAST_CELL) {
                Some(at) => sizes[at] -= 1,
                None => break,
            }
        }
        (self.block(1..sizes.len(), &sizes, width), dropped)
    }

    /// Lines of rows below a heading with their bars, which begin behind so many columns and have so much room.
    fn barred(&self, lines: Vec<String>, behind: usize, room: usize) -> Vec<String> {
        let room = if room < LEAST_BAR { 0 } else { room.min(MOST_BAR) };
        let largest = self.bars.iter().copied().fold(0.0, f64::max);
        let bars = self.bars.iter().map(|size| bar(*size, largest, room));
        let bars = std::iter::repeat_n(String::new(), lines.len() - self.rows.len()).chain(bars);
        let line = |(line, bar): (String, String)| match bar.is_empty() {
            true => line,
            false => pad_right(&line, behind) + GAP + &bar,
        };
        lines.into_iter().zip(bars).map(line).collect()
    }

    /// The widest cell of every column, its heading among them.
    fn sizes(&self) -> Vec<usize> {
        let widest = |at: usize| self.rows.iter().map(move |row| row[at].chars().count());
        let heading = |at: usize| self.columns[at].0.chars().count();
        (0..self.columns.len()).map(|at| widest(at).fold(heading(at), usize::max)).collect()
    }

    /// The least room in which the ends of the first column's cells still tell them apart.
    fn telling_width(&self) -> usize {
        let apart = |width: usize| {
            let mut ends: Vec<String> = self.rows.iter().map(|row| tail(&row[0], width)).collect();
            ends.sort();
            ends.windows(2).all(|pair| pair[0] != pair[1])
        };
        (LEAST_NAME..MOST_NAME).find(|&width| apart(width)).unwrap_or(MOST_NAME)
    }

    /// The first column and those of a range, each as wide as `sizes` says.
    fn block(&self, others: std::ops::Range<usize>, sizes: &[usize], width: usize) -> Vec<String> {
        let places: Vec<usize> = std::iter::once(0).chain(others.filter(|&at| at > 0)).collect();
        let headings: Vec<String> = self.columns.iter().map(|(heading, _)| heading.clone()).collect();
        let has_headings = headings.iter().any(|heading| !heading.is_empty());
        let mut lines = Vec::new();
        for row in has_headings.then_some(&headings).into_iter().chain(&self.rows) {
            let mut line = String::new();
            let mut more = Vec::new();
            for &at in &places {
                line += if at > 0 { GAP } else { "" };
                let (cell, size) = (&row[at], sizes[at]);
                match self.columns[at].1 {
                    Side::Words => line += &pad_right(&shortened(cell, size), size),
                    Side::Names => line += &pad_right(&tail(cell, size), size),
                    Side::Numbers => line += &pad_left(cell, size),
                    Side::Prose => {
                        let indent = line.chars().count();
                        let mut parts = wrapped(cell, width.saturating_sub(indent).max(LEAST_PROSE)).into_iter();
                        line += &parts.next().unwrap_or_default();
                        more.extend(parts.map(|part| " ".repeat(indent) + part.trim_start()));
                    }
                }
            }
            lines.push(line.trim_end().to_owned());
            lines.extend(more);
        }
        lines
    }
}

/// Rows under a heading, which is the first of them: names, then numbers, in lines of at most `width` columns.
pub(super) fn blocks(rows: &[Vec<String>], width: usize) -> Vec<String> {
    let Some((head, rows)) = rows.split_first() else { return Vec::new() };
    let mut table = Table::of_numbers(head.iter().map(String::as_str));
    rows.iter().for_each(|row| table.push(row.clone()));
    table.lines(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_goes_below() {
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

    #[test]
    fn optional_columns_give_way_to_names() {
        let mut table = Table::of_numbers(["node", "size", "more"]).optional(1);
        table.push(["/a/long/name/of/a/node/1", "1", "2"].map(str::to_owned));
        table.push(["/a/long/name/of/a/node/2", "10", "20"].map(str::to_owned));
        let (lines, dropped) = table.narrowed(40);
        assert_eq!((lines[1].as_str(), dropped.len()), ("/a/long/name/of/a/node/1     1     2", 0));
        let (lines, dropped) = table.narrowed(30);
        assert_eq!((lines[2].as_str(), dropped), ("/a/long/name/of/a/node/2    10", vec!["more"]));
        assert_eq!(table.narrowed(26).0[2], "…ng/name/of/a/node/2    10");
    }

    #[test]
    fn bars_take_what_is_left() {
        let mut table = Table::of_numbers(["node", "size"]).with_bars(vec![2.0, 1.0]);
        table.push(["/a", "2"].map(str::to_owned));
        table.push(["/b", ""].map(str::to_owned));
        assert_eq!(table.lines(22), ["node  size", "/a       2  ██████████", "/b          █████"]);
        // Of eight columns at least.
        assert_eq!(table.lines(19)[1], "/a       2");
        assert_eq!(table.lines(80)[1].chars().filter(|c| *c == '█').count(), 24);
    }

    #[test]
    fn prose_goes_on_below_itself() {
        let table = Table::of_terms([("exact", "assumes nothing, and holds for all fields"), ("paper", "less")]);
        assert_eq!(
            table.lines(33),
            ["exact  assumes nothing, and holds", "       for all fields", "paper  less"].map(str::to_owned)
        );
    }
}
