//! What a sweep needs of memory.

use tch::Kind;

use super::network::{Network, ValueInfo};
use super::operator::Operator;

/// What a sweep adds to a process, over the values that live at once: measured 1.1 to 2.4 (docs/performance.md). The
/// rest are an operator's working copies, and pieces that the allocator cannot use.
const WORKING: f64 = 2.0;

impl Network {
    /// Bytes of all values that live at once, at the most, while `images` images and `tangents` tangents of each run.
    ///
    /// It follows an unobserved run, and counts every value as moving and none as overwritten.
    pub fn live_bytes(&self, images: u64, tangents: u64) -> u64 {
        let entries = images.saturating_mul(1 + tangents);
        let mut held = bytes(self.input());
        let mut most = held;
        for step in &self.fused {
            let made: u64 = step.outputs.iter().flatten().map(|&id| bytes(&self.values[id])).sum();
            held = held.saturating_add(made);
            most = most.max(held);
            let freed: u64 = step.frees.iter().map(|&id| bytes(&self.values[id])).sum();
            held = held.saturating_sub(freed);
            if matches!(*step.operator, Operator::Activated(_)) {
                // What the function reads lies beside what it writes.
                most = most.max(held.saturating_add(made));
            }
        }
        most.saturating_mul(entries)
    }

    /// Bytes that measuring `images` images at once takes, about: the sweep with its working memory, the tangents
    /// before and the Lie derivatives after it, and what is computed of them in double precision.
    pub fn measuring_bytes(&self, images: u64) -> u64 {
        const TANGENTS: u64 = 7;
        let sweep = (self.live_bytes(images, TANGENTS) as f64 * WORKING) as u64;
        let (input, output) = (bytes(self.input()), bytes(self.output()));
        let around = (1 + TANGENTS).saturating_mul(images).saturating_mul(input.saturating_add(output));
        // One image at a time, its tangents and derivatives, and their combinations.
        let double = if self.kind() == Kind::Double { 1 } else { 2 };
        let mixed = (2 * TANGENTS + 3).saturating_mul(double).saturating_mul(input.max(output));
        sweep.saturating_add(around).saturating_add(mixed)
    }

    /// Bytes that forward passes of `images` moved images at once take, about: the values with working memory, the
    /// images and outputs in double precision, and what they are held against.
    pub fn moving_bytes(&self, images: u64) -> u64 {
        let forward = (self.live_bytes(images, 0) as f64 * WORKING) as u64;
        let double = if self.kind() == Kind::Double { 1 } else { 2 };
        let (input, output) = (bytes(self.input()), bytes(self.output()));
        // Each image as it was moved, side by side with the others, and as the network takes it; its output, and what
        // that differs by.
        let moved = images.saturating_mul(double * 3).saturating_mul(input.saturating_add(output));
        // The image, a larger one, two that are being made of it; the output, what is wanted of it, masks and errors.
        let around = double.saturating_mul(4 * input).saturating_add(double.saturating_mul(8 * output));
        forward.saturating_add(moved).saturating_add(around)
    }

    /// Bytes of every value of one image.
    pub fn all_values_bytes(&self) -> u64 {
        self.values.iter().map(bytes).fold(0, u64::saturating_add)
    }

    /// Bytes of what is kept of `images` images where their derivatives are written: values and seven derivatives, once
    /// as they come and once as they are written.
    pub fn kept_bytes(&self, images: u64) -> u64 {
        images.saturating_mul(2 * 8).saturating_mul(bytes(self.output()))
    }
}

/// Bytes of a value for one entry of the stack.
fn bytes(value: &ValueInfo) -> u64 {
    let entries = value.shape.iter().fold(1u64, |product, &n| product.saturating_mul(n.max(0) as u64));
    entries.saturating_mul(value.kind.elt_size_in_bytes() as u64)
}
