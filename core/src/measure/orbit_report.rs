//! What `aliascope layers --orbit` returns: plain data, read by the reports and figures.

use serde::{Deserialize, Serialize};

use super::layers_report::LayerClass;
use super::run::Run;
use crate::statistics::median;

/// The version of [`OrbitReport`]'s JSON; it grows when a field changes its meaning or goes away.
pub const ORBIT_SCHEMA_VERSION: u32 = 1;

/// What a finite translation of the image does to the output, layer by layer.
///
/// With x_t the image moved by t and y_t = g_{−t} f(x_t) the output moved back, y_T − y_0 = ∫₀ᵀ g_{−t} L(x_t) dt + edges, and
/// L = Σ Jδ: each layer has its share of the change. Shares are signed and add up to 1 with those of the edges and what is
/// left of the quadrature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrbitReport {
    /// [`ORBIT_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// What computed it, of what, and how.
    pub run: Run,
    /// The generator.
    pub generator: String,
    /// The end T of the path, in `run.lie.units`.
    pub distance: f64,
    /// T in pixels of the input, along x and y.
    pub pixels: [f64; 2],
    /// The Gauss–Legendre nodes, from 0 to T.
    pub nodes: Vec<f64>,
    /// ‖y_T − y_0 − Σ contributions‖ over ‖y_T − y_0‖, over all images: 0 with infinitely many nodes; null where nothing
    /// changes.
    pub residual: Option<f64>,
    /// E‖y_T − y_0‖²/dim.
    pub change: f64,
    /// How many images' class changes; null where the output is no vector of classes.
    pub changed: Option<usize>,
    /// The layers in the network's order, then the edges of image and output.
    pub layers: Vec<OrbitLayer>,
    /// Image by image.
    pub by_image: Vec<OrbitImage>,
    /// Milliseconds, medians: one forward, and the orbit of one image.
    pub timing: [f64; 2],
}

/// One layer along the orbit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrbitLayer {
    /// Its name; that of an edge says which.
    pub name: String,
    /// What it is; null of an edge.
    pub class: Option<LayerClass>,
    /// E‖c‖²/dim of its contribution c = ∫ g_{−t} Jδ dt.
    pub contribution: f64,
    /// E⟨c, y_T − y_0⟩/E‖y_T − y_0‖²; null where nothing changes.
    pub share: Option<f64>,
    /// What it adds to the margin, mean over images; null where the output is no vector of classes.
    pub margin: Option<f64>,
}

/// One image along the orbit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrbitImage {
    /// The classes with the largest score at both ends; null where the output is no vector of classes.
    pub top: Option<[usize; 2]>,
    /// The class whose score is taken from the first one's in the margin: that at the end where it is another, else the
    /// second at the beginning.
    pub against: Option<usize>,
    /// m at both ends: the margin, or ⟨y_t, y_T − y_0⟩/‖y_T − y_0‖ where the output is no vector of classes.
    pub scalar: [f64; 2],
    /// m at the nodes.
    pub along: Vec<f64>,
    /// dm/dt at the nodes by each layer, in the order of `layers`.
    pub slopes: Vec<Vec<f64>>,
    /// What each layer adds to m.
    pub parts: Vec<f64>,
    /// ‖y_T − y_0‖².
    pub square: f64,
    /// Per layer ‖c‖² and ⟨c, y_T − y_0⟩.
    pub products: Vec<[f64; 2]>,
    /// ‖y_T − y_0 − Σ c‖².
    pub rest: f64,
}

/// Names and classes of layers, edges last.
pub type OrbitNames = Vec<(String, Option<LayerClass>)>;

/// The path of a report: generator, end, its length in pixels, and nodes.
#[derive(Clone, Debug, Default)]
pub struct OrbitPath {
    /// The generator.
    pub generator: String,
    /// T.
    pub distance: f64,
    /// T in pixels along x and y.
    pub pixels: [f64; 2],
    /// From 0 to T.
    pub nodes: Vec<f64>,
}

impl OrbitReport {
    /// The result over images.
    pub fn of(
        run: Run,
        path: OrbitPath,
        names: &OrbitNames,
        dim: usize,
        by_image: Vec<OrbitImage>,
        times: [Vec<f64>; 2],
    ) -> Self {
        let count = by_image.len().max(1) as f64;
        let total: f64 = by_image.iter().map(|image| image.square).sum();
        let rest: f64 = by_image.iter().map(|image| image.rest).sum();
        let classes = by_image.iter().all(|image| image.top.is_some());
        let layer = |(at, (name, class)): (usize, &(String, Option<LayerClass>))| {
            let sum = |of: &dyn Fn(&OrbitImage) -> f64| by_image.iter().map(of).sum::<f64>();
            OrbitLayer {
                name: name.clone(),
                class: *class,
                contribution: sum(&|image| image.products[at][0]) / count / dim.max(1) as f64,
                share: (total > 0.0).then(|| sum(&|image| image.products[at][1]) / total),
                margin: classes.then(|| sum(&|image| image.parts[at]) / count),
            }
        };
        let changed =
            || by_image.iter().filter(|image| image.top.is_some_and(|[before, after]| before != after)).count();
        Self {
            schema_version: ORBIT_SCHEMA_VERSION,
            run,
            generator: path.generator,
            distance: path.distance,
            pixels: path.pixels,
            nodes: path.nodes,
            residual: (total > 0.0).then(|| (rest / total).sqrt()),
            change: total / count / dim.max(1) as f64,
            changed: classes.then(changed),
            layers: names.iter().enumerate().map(layer).collect(),
            by_image,
            timing: times.map(median),
        }
    }

    /// The image to look at: of those whose class changes, or else of all, the one whose scalar changes most.
    pub fn telling(&self) -> Option<usize> {
        let flips = |image: &OrbitImage| image.top.is_some_and(|[before, after]| before != after);
        let change = |image: &OrbitImage| (image.scalar[1] - image.scalar[0]).abs();
        let key = |at: &usize| (flips(&self.by_image[*at]), change(&self.by_image[*at]));
        (0..self.by_image.len()).max_by(|a, b| {
            let (a, b) = (key(a), key(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        })
    }
}
