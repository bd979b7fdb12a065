//! Evenly spaced rows and columns of a map: what slices and strides leave of it.

use crate::symmetry::{Axis, Grid};

/// Which rows and columns of a map are left.
#[derive(Debug)]
pub(super) struct Kept {
    /// Their own grid.
    pub grid: Grid,
    /// Whether they are all.
    pub all: bool,
    rows: Steps,
    columns: Steps,
    /// Columns of the whole map.
    width: usize,
}

/// The indices `first`, `first + step`, …, of which there are `count`.
#[derive(Clone, Copy, Debug)]
struct Steps {
    first: usize,
    step: usize,
    count: usize,
}

impl Steps {
    /// Those of which it is said that they are there, where they are evenly spaced.
    fn of(there: &[bool]) -> Option<Self> {
        let first = there.iter().position(|&there| there)?;
        let count = there.iter().filter(|&&there| there).count();
        let step = there[first + 1..].iter().position(|&there| there).map_or(1, |next| next + 1);
        let even = (0..count).all(|i| there.get(first + i * step).is_some_and(|&there| there));
        even.then_some(Self { first, step, count })
    }

    fn axis(&self, of: &Axis) -> Axis {
        of.resampled(self.first as f64, self.step as f64, self.count)
    }

    fn place(&self, index: usize) -> usize {
        (index - self.first) / self.step
    }
}

impl Kept {
    /// Those whose positions, numbered from 1, row by row, are among `ids`; 0 is none. Nothing where the rows or
    /// columns are not evenly spaced, or where some row lacks a column that others have.
    pub fn of(ids: &[f64], grid: &Grid) -> Option<Self> {
        let (height, width) = (grid.rows.samples, grid.columns.samples);
        let mut there = vec![false; height * width];
        for &id in ids.iter().filter(|id| **id > 0.0) {
            *there.get_mut(id as usize - 1)? = true;
        }
        let (mut rows, mut columns) = (vec![false; height], vec![false; width]);
        for position in there.iter().enumerate().filter_map(|(position, &there)| there.then_some(position)) {
            rows[position / width] = true;
            columns[position % width] = true;
        }
        let (rows, columns) = (Steps::of(&rows)?, Steps::of(&columns)?);
        let count = there.iter().filter(|&&there| there).count();
        if count != rows.count * columns.count {
            return None;
        }
        let own = Grid { rows: rows.axis(&grid.rows), columns: columns.axis(&grid.columns) };
        let all = count == height * width;
        Some(Self { grid: if all { *grid } else { own }, all, rows, columns, width })
    }

    /// Numbers the positions that are left from 1, row by row.
    pub fn renumber(&self, ids: &mut [f64]) {
        if self.all {
            return;
        }
        for id in ids.iter_mut().filter(|id| **id > 0.0) {
            let position = *id as usize - 1;
            let (row, column) = (self.rows.place(position / self.width), self.columns.place(position % self.width));
            *id = (row * self.columns.count + column + 1) as f64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symmetry::GridKind;

    #[test]
    fn what_is_left_lies_where_it_lay() {
        let whole = Grid::image(7, 6, GridKind::Tracked);
        // Every set of rows and columns: those evenly spaced, and no others.
        for rows in 1u32..1 << 7 {
            for columns in [1u32, 2, 3, 5, 9, 10, 21, 42, 63, 11, 37] {
                let list = |bits: u32| (0..7).filter(|i| bits >> i & 1 == 1).collect::<Vec<usize>>();
                let (r, c) = (list(rows), list(columns));
                let mut ids: Vec<f64> = r.iter().flat_map(|r| c.iter().map(move |c| (r * 6 + c + 1) as f64)).collect();
                let even = |list: &[usize]| list.windows(3).all(|w| w[1] - w[0] == w[2] - w[1]);
                let kept = Kept::of(&ids, &whole);
                assert_eq!(kept.is_some(), even(&r) && even(&c), "{r:?} {c:?}");
                let Some(kept) = kept else { continue };
                assert_eq!(kept.all, r.len() == 7 && c.len() == 6);
                for (axis, whole, list) in [(kept.grid.rows, whole.rows, &r), (kept.grid.columns, whole.columns, &c)] {
                    assert_eq!(axis.samples, list.len());
                    for (at, &index) in list.iter().enumerate() {
                        // A handful of sums and products of numbers of size 1.
                        assert!((axis.position(at as f64) - whole.position(index as f64)).abs() < 1e-14);
                    }
                }
                kept.renumber(&mut ids);
                assert!(ids.iter().enumerate().all(|(at, &id)| id == (at + 1) as f64), "{ids:?}");
                // One position less is no rectangle.
                if r.len() > 1 && c.len() > 1 {
                    let _ = ids.pop();
                    assert!(Kept::of(&ids, &kept.grid).is_none());
                }
            }
        }
    }
}
