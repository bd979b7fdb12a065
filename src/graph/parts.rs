//! Parts of maps that are put together again, and those that are not.

use super::layout::{Layout, Part};
use super::network::{Step, ValueInfo};
use super::operator::Operator;

/// Makes maps of their own of the parts of which no larger part of the same map is put together: what a subsampling
/// keeps, and crops. The value `measured` is one whatever is made of it.
pub(super) fn settle(steps: &[Step], values: &mut [ValueInfo], measured: usize) {
    // The most positions of a map that what is made of a part brings together.
    let mut most: Vec<usize> = values.iter().map(|value| positions(&value.layout)).collect();
    for step in steps.iter().rev() {
        let joins = matches!(&*step.operator, Operator::Linear(op) if op.pattern().selects());
        for &input in &step.inputs {
            let Layout::Part(part) = &values[input].layout else { continue };
            for &output in step.outputs.iter().flatten() {
                let same = match &values[output].layout {
                    Layout::Map(map) => map.grid.agrees_with(&part.whole),
                    Layout::Part(other) => other.whole.agrees_with(&part.whole),
                    Layout::NonSpatial | Layout::Unknown => false,
                };
                let grows = positions(&values[output].layout) > positions(&values[input].layout);
                if same && (joins || !grows) {
                    most[input] = most[input].max(most[output]);
                }
            }
        }
    }
    for (id, value) in values.iter_mut().enumerate() {
        if let Layout::Part(Part { map, .. }) = &value.layout
            && (id == measured || most[id] <= positions(&value.layout))
        {
            value.layout = Layout::Map(map.clone());
        }
    }
}

fn positions(layout: &Layout) -> usize {
    layout.positions().map_or(0, |map| map.grid.rows.samples * map.grid.columns.samples)
}
