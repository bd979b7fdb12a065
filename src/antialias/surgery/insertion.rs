//! A place and the design that goes there.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::Place;
use super::report::InsertionReport;
use super::rule::Replacement;
use super::sites::{Site, SiteKind, Strided};
use crate::antialias::{Design, Padding};

/// A place and the design that goes there.
#[derive(Clone, Debug)]
pub struct Insertion {
    /// The place.
    pub site: Site,
    /// Which of the rules.
    pub rule: usize,
    /// The design.
    pub design: Rc<dyn Design>,
    /// What lies beyond the edge of the map that it reads.
    pub padding: Padding,
    /// Whether a downsampling follows the activation.
    pub after_activation: bool,
    /// The map that the design reads, `[batch, channels, rows, columns]`.
    pub shape: [usize; 4],
    /// Of a strided place, the end padding at stride 1.
    pub(super) end: Vec<i64>,
}

/// How insertions are made.
#[derive(Clone, Debug)]
pub struct InsertionOptions<'o> {
    /// What goes where.
    pub rules: &'o [Replacement],
    /// What must be in a node's name.
    pub pattern: Option<&'o str>,
    /// What lies beyond the edge of the maps that designs read.
    pub padding: Padding,
    /// Where downsamplings go.
    pub place: Place,
    /// By the names of functions' inputs: the range that they were seen in, for designs that are fitted.
    pub ranges: &'o HashMap<String, [f64; 2]>,
}

impl Insertion {
    /// The name of the node that the design follows.
    pub fn follows(&self) -> &str {
        match &self.site.kind {
            SiteKind::Strided(Strided { activation: Some(region), .. }) if self.after_activation => &region.last,
            _ => &self.site.name,
        }
    }

    /// Its name: the design's, beside the node's.
    pub(super) fn node_name(&self, taken: &HashSet<String>) -> String {
        let site = &self.site.name;
        let folder = site.rfind('/').map_or(site.as_str(), |at| &site[..at]);
        let name = format!("{folder}/{}", self.design.name());
        // A block may hold two of a kind.
        (1..)
            .map(|n| if n == 1 { name.clone() } else { format!("{name}.{n}") })
            .find(|n| !taken.contains(n))
            .unwrap_or(name)
    }

    /// The insertion as it is beside others: a function is on the finer map where a stride that is replaced too follows
    /// it.
    pub fn among(&self, insertions: &[&Self]) -> Self {
        let SiteKind::Function(function) = &self.site.kind else { return self.clone() };
        let around = insertions.iter().find(|other| match &other.site.kind {
            SiteKind::Strided(Strided { activation: Some(region), .. }) if other.after_activation => {
                function.nodes.iter().all(|node| region.nodes.contains(node))
            }
            _ => false,
        });
        let mut own = self.clone();
        if let Some(around) = around {
            own.shape[2..].copy_from_slice(&around.shape[2..]);
        }
        own
    }

    /// The stride of a strided place; 1 elsewhere.
    pub fn stride(&self) -> usize {
        match &self.site.kind {
            SiteKind::Strided(strided) => strided.window.strides.first().map_or(1, |&s| s as usize),
            SiteKind::Function(_) => 1,
        }
    }

    /// The insertion as it is told.
    pub fn report(&self) -> InsertionReport {
        InsertionReport {
            name: self.site.name.clone(),
            op: self.site.operator.clone(),
            design: self.design.name(),
            follows: self.follows().to_owned(),
            stride: self.stride(),
            reads: [self.shape[2], self.shape[3]],
            writes: [self.output()[2], self.output()[3]],
        }
    }

    /// What the design writes, `[batch, channels, rows, columns]`.
    pub fn output(&self) -> [usize; 4] {
        match &self.site.kind {
            SiteKind::Strided(strided) => strided.output.map(|n| n as usize),
            SiteKind::Function(_) => self.shape,
        }
    }
}
