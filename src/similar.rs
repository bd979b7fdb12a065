//! Which names a user may have meant by one that is not there.

/// A name says what it is in so many characters; a longer one is compared by them alone, as the time of a comparison
/// goes with the product of the lengths, and files may hold names of megabytes.
const COMPARED: usize = 100;

/// How alike two names are, from 0 to 1: Jaro–Winkler similarity of their beginnings.
pub(crate) fn similarity(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(beginning(a), beginning(b))
}

/// How alike a name such as `/stem/conv1/Conv`, or the part of it that is most alike, and another are.
pub(crate) fn similarity_by_parts(name: &str, other: &str) -> f64 {
    name.split('/').map(|part| similarity(part, other)).fold(similarity(name, other), f64::max)
}

fn beginning(name: &str) -> &str {
    name.char_indices().nth(COMPARED).map_or(name, |(end, _)| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_by_their_beginnings() {
        assert!(similarity("MaxPool", "MaxPol") > 0.9 && similarity("MaxPool", "Einsum") < 0.5);
        assert_eq!(similarity_by_parts("/stem/conv1/Conv", "conv1"), 1.0);
        let long = "ä".repeat(COMPARED);
        assert_eq!(similarity(&format!("{long}{}", "a".repeat(2_000_000)), &format!("{long}b")), 1.0);
        assert_eq!(similarity_by_parts(&format!("/{long}/conv1"), "conv1"), 1.0);
    }
}
