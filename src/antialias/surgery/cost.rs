//! What networks cost, counted and timed.

use std::collections::HashMap;

use tch::Tensor;

use super::insertion::Insertion;
use super::report::Cost;
use super::rewrite::Rewritten;
use crate::graph::operator::Operator;
use crate::graph::{GraphError, Network, Step};
use crate::statistics::median;

/// Multiplications of one node, given the shapes of its first input and output without the stack axis: of convolutions
/// and matrix products what their sums take, of anything else one per entry.
pub(super) fn step_cost(step: &Step, input: &[i64], output: &[i64]) -> f64 {
    let entries = |shape: &[i64]| shape.iter().product::<i64>() as f64;
    if let Operator::Linear(op) = &*step.operator {
        if let Some(taps) = op.pattern().taps() {
            let weight = taps.weight.size();
            return entries(output) * entries(&weight[1..]);
        }
        if matches!(step.op_type.as_str(), "MatMul" | "Gemm") {
            return entries(output) * input.last().copied().unwrap_or(1) as f64;
        }
    }
    entries(output)
}

/// Multiplications of a design on a map of `[batch, channels, rows, columns]`.
pub(super) fn insertion_cost(insertion: &Insertion, input: &[i64], output: &[i64]) -> f64 {
    let shape =
        <[usize; 4]>::try_from(input.iter().map(|&n| n as usize).collect::<Vec<_>>()).unwrap_or(insertion.shape);
    let entries = output.iter().product::<i64>() as f64;
    insertion.design.cost(shape).map_or(entries, |cost| cost.operations.max(0.0))
}

/// Multiplications of one forward pass.
pub fn multiplications(network: &Network, insertions: &[&Insertion], rewritten: Option<&Rewritten>) -> f64 {
    let mut designs: HashMap<&str, &Insertion> = HashMap::new();
    for (insertion, swap) in insertions.iter().zip(rewritten.iter().flat_map(|rewritten| &rewritten.swaps)) {
        if let Some(last) = swap.after.last() {
            designs.insert(last, insertion);
        }
    }
    let values = network.values();
    network
        .steps()
        .iter()
        .filter_map(|step| {
            let output = &values[step.outputs.iter().flatten().next().copied()?];
            let input = step.inputs.first().map_or(&[][..], |&id| &values[id].shape);
            Some(match designs.get(output.name.as_str()) {
                Some(insertion) => insertion_cost(insertion, input, &output.shape),
                None => step_cost(step, input, &output.shape),
            })
        })
        .sum()
}

/// What a network costs with designs in it, on an image `[1, input shape…]`, beside the one without; one and the same
/// where none was put in.
///
/// # Errors
/// When a network fails.
pub fn cost(
    [before, after]: [&Network; 2],
    chosen: &[&Insertion],
    rewritten: &Rewritten,
    x: &Tensor,
) -> Result<Cost, GraphError> {
    const TURNS: usize = 9;
    let [forward_ms_before, forward_ms_after, time_ratio] = time_in_turn(before, after, x, TURNS)?;
    let multiplications_before = multiplications(before, &[], None);
    let multiplications_after = match std::ptr::eq(before, after) {
        true => multiplications_before,
        false => multiplications(after, chosen, Some(rewritten)),
    };
    Ok(Cost {
        multiplications_before,
        multiplications_after,
        forward_passes: multiplications_after / multiplications_before.max(1.0),
        forward_ms_before,
        forward_ms_after,
        time_ratio,
    })
}

/// Times of a forward pass of one network and the other in milliseconds, taken in turn: medians, and the median of the
/// ratios. One and the same network is timed alone.
///
/// # Errors
/// When a network fails.
pub fn time_in_turn(before: &Network, after: &Network, x: &Tensor, turns: usize) -> Result<[f64; 3], GraphError> {
    let x = before.place(x)?;
    let run = |network: &Network| network.forward_ms(&x);
    // The first runs make plans and touch memory.
    let _ = run(before)?;
    if std::ptr::eq(before, after) {
        let alone = median((0..turns.max(1)).map(|_| run(before)).collect::<Result<Vec<_>, _>>()?);
        return Ok([alone, alone, 1.0]);
    }
    let _ = run(after)?;
    let (mut old, mut new, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..turns.max(1) {
        let (a, b) = if turn % 2 == 0 {
            let a = run(before)?;
            (a, run(after)?)
        } else {
            let b = run(after)?;
            (run(before)?, b)
        };
        old.push(a);
        new.push(b);
        ratios.push(b / a.max(1e-6));
    }
    Ok([median(old), median(new), median(ratios)])
}
