//! What `aliascope theorem MODEL` returns: plain data, read by the reports and figures.

use serde::{Deserialize, Serialize};

use super::run::Run;

/// The version of [`NodeTheoremReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const NODE_THEOREM_SCHEMA_VERSION: u32 = 2;

/// The aliasing theorem on a network's nodes, over a set of images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeTheoremReport {
    /// [`NODE_THEOREM_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What computed it, of what, and how.
    pub run: Run,
    /// v, in lengths of the torus per unit of t, \[x, y\].
    pub velocity: [f64; 2],
    /// Nodes in graph order.
    pub nodes: Vec<NodeTheorem>,
    /// Nodes that could alias but were not checked.
    pub skipped: Vec<Skipped>,
    /// Where one node was asked for: what each of its harmonics does, on the first image.
    pub map: Option<FoldMap>,
}

/// The harmonics before a node's sampling (of the filtered field, or of σ(h)) and what each does to the defect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldMap {
    /// The node's name.
    pub node: String,
    /// The grid that the harmonics are given on, \[columns, rows\].
    pub fine: [usize; 2],
    /// The grid that they are sampled to, \[columns, rows\].
    pub coarse: [usize; 2],
    /// |H_n|² summed over channels, `[rows][columns]`, with the constant in the middle (row ⌊rows/2⌋).
    pub power: Vec<Vec<f64>>,
    /// Each harmonic's own part of the defect, (2π v·(s(n) − s(k)))² |H_n|², in the same places.
    pub damage: Vec<Vec<f64>>,
}

/// The theorem at one node, on one image or as the mean over several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeTheorem {
    /// The node's name.
    pub name: String,
    /// Its ONNX operator.
    pub op: String,
    /// What it is: `strided convolution`, `average pooling`, `max pooling`, `activation`.
    pub kind: String,
    /// Channels of its output.
    pub channels: usize,
    /// The input's samples, \[columns, rows\].
    pub samples: [usize; 2],
    /// Strides along x and y.
    pub stride: [usize; 2],
    /// The mean square of the predicted defect, over channels and samples.
    pub predicted: f64,
    /// The same of the measured defect.
    pub measured: f64,
    /// Both image by image, in the order of `run.images.names`: \[predicted, measured\].
    pub by_image: Vec<[f64; 2]>,
    /// ‖δ predicted − δ measured‖/‖δ measured‖, as fields; null where what was measured is
    /// rounding, as on images of one colour. The largest over images.
    pub relative_difference: Option<f64>,
    /// For nonlinear nodes: how far oversampling went. Convolutions have none: their prediction is exact.
    pub truncation: Option<Truncation>,
    /// The share of the input's energy at or above the Nyquist frequency of the output's grid; the mean over the images
    /// where the input has any.
    pub input_above_nyquist: Option<f64>,
    /// The harmonics (of the filtered field, or of σ(h)) that do most of the damage; none where it is rounding.
    pub worst: Vec<Fold>,
    /// How far out the harmonics lie that do the damage, as multiples of the output grid's Nyquist frequency (the
    /// larger of the two axes'): a tenth, half and nine tenths of the damage lie at or below.
    pub damage_at: [f64; 3],
}

/// How far oversampling went.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Truncation {
    /// The finest grid over the node's own.
    pub oversample: usize,
    /// |predicted − predicted on half that grid| / predicted.
    pub last_change: f64,
    /// ‖δ predicted − δ predicted on half that grid‖/‖δ predicted‖, as fields: for a σ with kinks about the share that
    /// is still missing, since its harmonics fall off as 1/k² and the missing ones' field as the root of the grid.
    pub field_change: f64,
}

/// A harmonic and where it lands.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// The harmonic, \[x, y\]; its conjugate is counted with it.
    pub from: [i64; 2],
    /// The bin of the coarse grid that it lands on.
    pub to: [i64; 2],
    /// Its share of the defect's energy when every harmonic acts alone (the `diagonal` form).
    pub share: f64,
}

/// A node that could alias but was not checked, and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Skipped {
    /// The node's name.
    pub name: String,
    /// Its operator.
    pub op: String,
    /// Why.
    pub reason: String,
}

/// The theorem at every node of a network where something can alias.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeTheorems {
    /// Nodes in graph order.
    pub nodes: Vec<NodeTheorem>,
    /// Nodes that could alias but were not checked.
    pub skipped: Vec<Skipped>,
    /// The map of the only node, where there is only one.
    pub map: Option<FoldMap>,
}

impl NodeTheorems {
    /// The mean over images of the same network's results: energies, shares and places averaged, differences at their
    /// largest, the worst folds of the first image.
    pub fn mean(mut images: Vec<Self>) -> Self {
        let count = images.len().max(1) as f64;
        let Some(mut mean) = images.pop() else { return Self::default() };
        images.reverse();
        if let Some(first) = images.last_mut() {
            mean.map = first.map.take();
        }
        for (at, node) in mean.nodes.iter_mut().enumerate() {
            // The last image takes up the others, which are in the order from it to the first.
            let others = images.iter().rev().filter_map(|image| image.nodes.get(at));
            let all = others.map(|other| [other.predicted, other.measured]);
            node.by_image = all.chain([[node.predicted, node.measured]]).collect();
            let alike = images.iter().filter_map(|image| image.nodes.get(at));
            let shares: Vec<f64> =
                alike.filter_map(|node| node.input_above_nyquist).chain(node.input_above_nyquist).collect();
            node.input_above_nyquist = (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64);
            for other in images.iter().filter_map(|image| image.nodes.get(at)) {
                node.predicted += other.predicted;
                node.measured += other.measured;
                node.relative_difference = match (node.relative_difference, other.relative_difference) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    (a, b) => a.or(b),
                };
                if let (Some(a), Some(b)) = (&mut node.truncation, &other.truncation) {
                    a.last_change = a.last_change.max(b.last_change);
                    a.field_change = a.field_change.max(b.field_change);
                }
                node.worst.clone_from(&other.worst);
                node.damage_at.iter_mut().zip(other.damage_at).for_each(|(a, b)| *a += b);
            }
            node.predicted /= count;
            node.measured /= count;
            node.damage_at.iter_mut().for_each(|at| *at /= count);
        }
        mean
    }
}
