//! Which opsets have an attribute of ONNX's own operators, where not every opset of the operator has it.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Recorded from ONNX's schemas by `scripts/record_attributes.py`.
const RECORDED: &str = include_str!("attributes.txt");

/// An attribute, and the first and the last opset that have it, of those that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributeSpan {
    /// The operator.
    pub operator: &'static str,
    /// The attribute.
    pub attribute: &'static str,
    /// The first opset.
    pub first: i64,
    /// The last opset.
    pub last: i64,
}

/// The attributes that come or go with an opset, by operator and name.
pub fn attribute_spans() -> impl Iterator<Item = AttributeSpan> {
    RECORDED.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (operator, attribute) = (words.next()?, words.next()?);
        let (first, last) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        Some(AttributeSpan { operator, attribute, first, last })
    })
}

/// The opsets that have the attribute, where `opset` is none of them.
pub fn other_opsets(operator: &str, attribute: &str, opset: i64) -> Option<AttributeSpan> {
    static SPANS: LazyLock<HashMap<&str, Vec<AttributeSpan>>> = LazyLock::new(|| {
        let mut spans: HashMap<&str, Vec<AttributeSpan>> = HashMap::new();
        attribute_spans().for_each(|span| spans.entry(span.operator).or_default().push(span));
        spans
    });
    let span = SPANS.get(operator)?.iter().find(|span| span.attribute == attribute)?;
    (opset < span.first || opset > span.last).then_some(*span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_line_is_read_and_no_attribute_is_there_twice() {
        assert_eq!(attribute_spans().count(), RECORDED.lines().count());
        let mut names: Vec<_> = attribute_spans().map(|span| (span.operator, span.attribute)).collect();
        names.dedup();
        assert_eq!(names.len(), RECORDED.lines().count());
    }

    #[test]
    fn attributes_come_and_go() {
        assert_eq!(other_opsets("Clip", "max", 10), None);
        assert_eq!(other_opsets("Clip", "max", 11).map(|span| (span.first, span.last)), Some((7, 10)));
        assert_eq!(other_opsets("Reshape", "allowzero", 13).map(|span| span.first), Some(14));
        assert_eq!(other_opsets("Conv", "group", 7), None);
    }
}
