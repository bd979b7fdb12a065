//! Whether networks count classes from where the labels do.
//!
//! A network of 1001 classes, of which the first is background, gets every class wrong by one; its accuracy is then a
//! number like any other, and correlations with it mean nothing.

use super::store::Store;
use super::store_error::StoreError;

/// How many standard errors of a difference of two counts, √(a + b), an offset must be better by.
const STANDARD_ERRORS: f64 = 4.0;

/// A sentence for each network that would be right far more often if its classes were counted from another number.
///
/// # Errors
/// The store cannot be read.
pub fn class_doubts(store: &Store) -> Result<Vec<String>, StoreError> {
    let query = "SELECT n.name, n.class_offset, COUNT(*), SUM(p.class - n.class_offset = i.label),
             SUM(p.class - n.class_offset - 1 = i.label), SUM(p.class - n.class_offset + 1 = i.label)
         FROM prediction p JOIN network n ON n.id = p.network JOIN image i ON i.id = p.image
         WHERE i.label IS NOT NULL AND p.class IS NOT NULL GROUP BY n.id ORDER BY n.id";
    let found = store.rows(query, |row| {
        let (name, offset): (String, i64) = (row.get(0)?, row.get(1)?);
        let [labelled, right, above, below] = [row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?].map(|n: i64| n as f64);
        let (other, better) = if above >= below { (offset + 1, above) } else { (offset - 1, below) };
        if better - right <= STANDARD_ERRORS * (better + right).sqrt() {
            return Ok(None);
        }
        let share = |count: f64| 100.0 * count / labelled;
        Ok(Some(format!(
            "The classes of {name} seem to be counted from another number than the labels: {:.1} % are right, and {:.1} % \
             would be with class_offset = {other}; set this in STUDY.toml and run the study again, which measures nothing \
             twice",
            share(right),
            share(better)
        )))
    })?;
    Ok(found.into_iter().flatten().collect())
}
