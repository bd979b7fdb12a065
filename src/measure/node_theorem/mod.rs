//! The aliasing theorem on the nodes of a real network: the defect predicted from Fourier coefficients beside the
//! defect measured, on the node's real input feature maps.
//!
//! Everything happens on the torus: the feature map wraps around, ∇ is the periodic spectral derivative in lengths of
//! the torus, and v is a translation. *Measured* is δ = Dop\[v·∇h\] − v·∇(op h), computed with the network's own
//! operators. *Predicted* never runs the operator on its grid: for convolutions and average pooling it comes from the
//! weights and the transform of h; for activations and max-pooling from the harmonics of σ(h) on a finer grid.

mod arrays;
mod candidate;
mod check;
mod error;
mod folds;
mod prediction;

use std::time::Instant;

use tch::Tensor;

use self::candidate::named;
use self::check::{Checked, check};
pub use self::error::NodeTheoremError;
use super::node_theorem_report::{NODE_THEOREM_SCHEMA_VERSION, NodeTheorem, NodeTheoremReport, NodeTheorems, Skipped};
use super::run::Run;
use crate::graph::{GraphError, Network};
use crate::spectrum::velocity::Velocity;

/// How to check the theorem.
#[derive(Clone, Debug)]
pub struct NodeTheoremOptions {
    /// v, in lengths of the torus.
    pub velocity: Velocity,
    /// The finest grid for nonlinear nodes, as a multiple of the node's own; 2 or more.
    pub oversample: usize,
    /// Only nodes whose name contains this.
    pub pattern: Option<String>,
}

/// The check on one network, image by image.
pub struct NodeTheoremMeter<'a> {
    network: &'a Network,
    options: NodeTheoremOptions,
    images: Vec<NodeTheorems>,
}

impl<'a> NodeTheoremMeter<'a> {
    /// Prepares the check.
    pub fn new(network: &'a Network, options: NodeTheoremOptions) -> Self {
        Self { network, options, images: Vec::new() }
    }

    /// Checks the nodes on one image, `[1, input shape…]`; `progress` hears how many nodes are done, and of how many.
    ///
    /// # Errors
    /// As [`node_theorems`]; the image holds NaN or infinity.
    pub fn measure(&mut self, x: &Tensor, progress: &mut dyn FnMut(usize, usize)) -> Result<(), NodeTheoremError> {
        let x = self.network.place(x)?;
        if !crate::graph::is_finite(&x)? {
            return Err(NodeTheoremError::NotFinite);
        }
        self.images.push(node_theorems(self.network, &x, &self.options, progress)?);
        Ok(())
    }

    /// The result over the images so far, of the run that is described.
    pub fn report(self, run: Run) -> NodeTheoremReport {
        let NodeTheorems { nodes, skipped, map } = NodeTheorems::mean(self.images);
        let Velocity { x, y } = self.options.velocity;
        NodeTheoremReport { schema_version: NODE_THEOREM_SCHEMA_VERSION, run, velocity: [x, y], nodes, skipped, map }
    }
}

/// Checks the theorem at every strided convolution, pooling and activation, on the feature maps of one image
/// `[1, input shape…]`; `progress` hears how many nodes are done, and of how many.
///
/// # Errors
/// When the network fails, or no node matches the pattern. Nodes on which the theorem cannot be checked are listed.
pub fn node_theorems(
    network: &Network,
    x: &Tensor,
    options: &NodeTheoremOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<NodeTheorems, NodeTheoremError> {
    let candidates = named(network, options.pattern.as_deref())?;
    let mut nodes: Vec<(usize, NodeTheorem)> = Vec::new();
    let mut skipped: Vec<(usize, Skipped)> = Vec::new();
    let mut map = None;
    let mut failure = None;
    let ran = network.forward_observed(x, &mut |id, value| {
        for candidate in candidates.iter().filter(|candidate| candidate.input == id) {
            let started = Instant::now();
            let name = &candidate.step.name;
            let checked = check(network, candidate, &value.stack, options);
            tracing::debug!(node = %name, seconds = started.elapsed().as_secs_f64(), "node checked");
            match checked {
                Ok(Checked::Compared(node, folds)) => {
                    // Of a single node alone: maps of all would not fit into memory.
                    map = (candidates.len() == 1).then_some(folds);
                    nodes.push((candidate.at, *node));
                }
                Ok(Checked::Skipped(reason)) => skipped.push((candidate.at, reason)),
                Err(error) => {
                    failure = Some(error);
                    return Err(GraphError::Graph { path: name.clone(), problem: "stopped".to_owned() });
                }
            }
            progress(nodes.len() + skipped.len(), candidates.len());
        }
        Ok(())
    });
    if let Some(error) = failure {
        return Err(error);
    }
    let _ = ran?;
    Ok(NodeTheorems { nodes: in_order(nodes), skipped: in_order(skipped), map })
}

/// By places in the order of the network.
fn in_order<T>(mut placed: Vec<(usize, T)>) -> Vec<T> {
    placed.sort_by_key(|(at, _)| *at);
    placed.into_iter().map(|(_, item)| item).collect()
}
