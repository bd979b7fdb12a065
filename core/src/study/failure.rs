//! What of a study could not be measured.

use rusqlite::{Transaction, params};

/// Something that could not be measured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailureRow {
    /// The network; none where the image fails by itself.
    pub network: Option<String>,
    /// The set of the image.
    pub image_set: Option<String>,
    /// The image; none where the network fails by itself.
    pub image: Option<String>,
    /// The sentence.
    pub problem: String,
}

impl FailureRow {
    /// The sentence that says what failed, and why.
    pub fn sentence(&self) -> String {
        let image = match (&self.image_set, &self.image) {
            (Some(set), Some(image)) => Some(format!("{image} of the set '{set}'")),
            (_, image) => image.clone(),
        };
        let of: Vec<&str> = self.network.iter().chain(&image).map(String::as_str).collect();
        // Sentences of other programs end in a full stop of their own.
        format!("{} is left out: {}", of.join(" on "), self.problem.trim_end_matches('.'))
    }
}

/// Takes a failure out of a store, where there is one.
pub(super) fn forget(
    transaction: &Transaction<'_>,
    network: Option<&str>,
    image_set: Option<&str>,
    image: Option<&str>,
) -> rusqlite::Result<()> {
    let mut delete = transaction.prepare_cached(
        "DELETE FROM failure WHERE COALESCE(network, '') = ?1 AND COALESCE(image_set, '') = ?2 AND COALESCE(image, '') = ?3",
    )?;
    delete.execute(params![network.unwrap_or(""), image_set.unwrap_or(""), image.unwrap_or("")])?;
    Ok(())
}
