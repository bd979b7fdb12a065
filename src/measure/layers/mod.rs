//! Which layer breaks the symmetry: the error of a whole network split exactly among its nodes.
//!
//! With a_v = A x_v the action on node v's value and t_v the tangent pushed through the network from A x, the *defect*
//! of one node is δ_v = Dop_v\[a_inputs\] − a_v, and the Lie derivative at the output is the sum of what every defect
//! becomes there: L = Σ_v J_{v→out} δ_v, to rounding. A defect is split further, as vectors that add up to it:
//!
//! - *aliasing*: the defect on the torus, where the value wraps around and ∇ is the periodic spectral derivative;
//! - *boundary*: what the network's own padding and the reflecting ∇ add to that;
//! - *discretisation*: what a derivative other than the spectral one adds to that.
//!
//! Under generators other than translations the first part holds, beside aliasing, what an operator does to the
//! symmetry on a continuous plane: a kernel of three taps does not turn with the image.

mod agreement;
pub mod alone;
mod class;
mod graph;
mod parts;
mod plan;
pub mod probes;
mod results;
mod rounding;
mod sweep;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::graph::{GraphError, Network, is_finite};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::symmetry::{Combination, Grid, GridKind, Units};

use super::action::ActionError;
use super::defect_map::DefectMap;
use super::layer_graph::LayerGraph;
use super::layers_report::LayerClass;
use super::lee::{ActionChoice, LeeError, Output, OutputAction};
use super::output_action::{Chosen, choose};
use crate::graph::layout::Layout;

pub use crate::graph::module_of;
pub use crate::measure::grouping::Grouping;
pub use agreement::agreements;
pub use results::report;

use parts::Actor;
use plan::{Plan, PlanOptions};
use probes::{Defects, Samples};
use rounding::{Gauge, Rounding};

/// How to attribute.
#[derive(Clone, Debug)]
pub struct LayersOptions {
    /// The generator.
    pub generator: Combination,
    /// How ∇ is taken.
    pub scheme: Scheme,
    /// What lies beyond a value's edge.
    pub boundary: Boundary,
    /// How positions are chosen.
    pub grid: GridKind,
    /// The unit of t.
    pub units: Units,
    /// What comes behind the network's output; none to choose by its shape.
    pub output: Option<Output>,
    /// What the group does to the output; none to choose by its shape.
    pub action: Option<ActionChoice>,
    /// What a layer is.
    pub grouping: Grouping,
    /// Whether defects are split into aliasing, boundary and discretisation.
    pub split: bool,
    /// Bytes that the stacks of a run may take.
    pub memory: u64,
    /// Whether nodes that make no error by construction are computed all the same.
    pub compute_zeros: bool,
    /// Whether to keep where in the first image defects sit.
    pub maps: bool,
}

impl LayersOptions {
    /// The defaults for one generator: spectral, reflect, tracked, half-widths, one layer per module, 4 GiB.
    pub fn new(generator: Combination) -> Self {
        Self {
            generator,
            scheme: Scheme::Spectral,
            boundary: Boundary::Reflect,
            grid: GridKind::Tracked,
            units: Units::HalfWidth,
            output: None,
            action: None,
            grouping: Grouping::Module(None),
            split: true,
            memory: 4 << 30,
            compute_zeros: false,
            maps: false,
        }
    }
}

/// Why an error could not be attributed.
#[derive(Debug, thiserror::Error)]
pub enum LayersError {
    /// The network cannot be measured.
    #[error(transparent)]
    Lee(#[from] LeeError),
    /// The memory limit is too small for one source.
    #[error(
        "--memory {given} MiB is too small: one layer at a time needs {needed} MiB for this network and {images} image(s) at once"
    )]
    Memory {
        /// The limit.
        given: u64,
        /// What one source needs.
        needed: u64,
        /// Images per sweep.
        images: i64,
    },
}

impl From<GraphError> for LayersError {
    fn from(error: GraphError) -> Self {
        Self::Lee(error.into())
    }
}

impl From<ActionError> for LayersError {
    fn from(error: ActionError) -> Self {
        Self::Lee(error.into())
    }
}

impl From<tch::TchError> for LayersError {
    fn from(error: tch::TchError) -> Self {
        Self::Lee(error.into())
    }
}

/// The parts that defects are split into, in the order of their tangents.
const PARTS: [&str; 3] = ["aliasing", "boundary", "discretisation"];

/// Attributes one network's error under one generator, image by image.
pub struct LayerMeter<'a> {
    network: &'a Network,
    options: LayersOptions,
    output: Output,
    output_action: OutputAction,
    why: String,
    input_grid: Grid,
    plan: Plan,
    /// Entries of the output.
    dim: usize,
    /// Tangents per layer: its defect, or the parts that add up to it.
    parts: usize,
    sums: Vec<LayerSums>,
    classes: BTreeMap<LayerClass, ClassSums>,
    /// Per image: ‖L‖².
    totals: Vec<f64>,
    /// Σ over images of ‖Σ_v J δ_v − L‖² and ‖L‖².
    residual: [f64; 2],
    /// Σ over images of what cancels in that sum: ‖Df\[A x\]‖² + ‖A f‖² + Σ ‖J δ‖².
    cancelling: f64,
    rounding: Rounding,
    maps: Vec<DefectMap>,
}

/// Sums over images of one layer.
#[derive(Clone, Debug, Default)]
struct LayerSums {
    /// Per image: ‖J δ‖².
    contribution: Vec<f64>,
    /// Σ ⟨J δ, L⟩.
    signed: f64,
    /// Per part: Σ ‖J δ_part‖² and Σ ⟨J δ_part, L⟩; none where a node has no torus to be split on.
    parts: [Option<[f64; 2]>; 3],
    /// Σ ‖e‖²/dim and Σ ‖a‖²/dim where the layer ends.
    local: [f64; 2],
    /// Sizes at the layer's nodes, over images.
    gauge: Gauge,
    /// Σ over images of the variance that probes leave in the contribution.
    probe_variance: f64,
}

/// What a sweep found of a batch of images, or probes of one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayersFound {
    images: Vec<ImageFound>,
    /// Per layer: Σ over images of ‖e‖²/dim and ‖a‖²/dim where it ends.
    local: Vec<[f64; 2]>,
    /// Per layer: sizes at its nodes.
    gauges: Vec<Gauge>,
    /// Per layer: whether a node in it has no torus to be split on; none of probes.
    unsplit: Vec<bool>,
    /// What cancels beside the contributions, in front of them and behind.
    cancelling: [f64; 2],
    /// Where the first image's defects sit, if that is asked for.
    maps: Vec<DefectMap>,
}

/// What was found of one image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct ImageFound {
    /// Per layer: ‖J δ‖² and ⟨J δ, L⟩.
    contribution: Vec<f64>,
    signed: Vec<f64>,
    /// Per layer and part: ‖J δ_part‖² and ⟨J δ_part, L⟩.
    parts: Vec<[f64; 2]>,
    /// Per layer: the variance that probes leave in the contribution.
    variance: Vec<f64>,
    /// ‖Σ_{layers of the class} J δ‖².
    joint: Vec<(LayerClass, f64)>,
    /// ‖Σ_v J δ_v − L‖² and ‖L‖².
    residual: [f64; 2],
}

#[derive(Clone, Debug, Default)]
struct ClassSums {
    /// Σ ‖Σ_{layers of the class} J δ‖².
    joint: f64,
}

impl<'a> LayerMeter<'a> {
    /// Prepares the attribution for `network`.
    ///
    /// # Errors
    /// When input or output do not allow it.
    pub fn new(network: &'a Network, options: LayersOptions) -> Result<Self, LayersError> {
        network.check_moves()?;
        let input = network.input();
        let input_grid = input.layout.plane().ok_or_else(|| LeeError::NotAnImage(input.shape.clone()))?;
        let Chosen { output, action: output_action, why } = choose(network, options.output, options.action)?;
        let saturates = options.generator.coefficient(crate::symmetry::Generator::Saturate) != 0.0;
        let plan = Plan::new(
            network,
            &PlanOptions {
                grouping: options.grouping,
                saturates,
                compute_zeros: options.compute_zeros,
                output_moves: output_action != OutputAction::None,
            },
        );
        let parts = match (options.split, options.scheme) {
            (false, _) => 1,
            (true, Scheme::Spectral) => 2,
            (true, _) => 3,
        };
        let unsplit = if options.split { Some([0.0; 2]) } else { None };
        let start = LayerSums { parts: [unsplit; 3], ..LayerSums::default() };
        let sums = vec![start; plan.layers.len()];
        let dim = network.output().shape.iter().product::<i64>().unsigned_abs() as usize;
        Ok(Self {
            network,
            dim,
            output,
            output_action,
            why,
            input_grid,
            parts,
            sums,
            classes: BTreeMap::new(),
            totals: Vec::new(),
            residual: [0.0; 2],
            cancelling: 0.0,
            rounding: Rounding::of(network.kind()),
            maps: Vec::new(),
            plan,
            options,
        })
    }

    /// What is measured behind the network's output.
    pub fn output(&self) -> Output {
        self.output
    }

    /// What the group does to the output.
    pub fn output_action(&self) -> &OutputAction {
        &self.output_action
    }

    /// Why both are as they are, in a sentence or two.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Names of the layers that make errors.
    pub fn layer_names(&self) -> impl Iterator<Item = &str> {
        self.plan.layers.iter().map(|layer| layer.name.as_str())
    }

    /// Attributes a batch of images, `[images, input shape…]`, called `names` in messages; `progress` hears how many
    /// steps are done, and of how many.
    ///
    /// # Errors
    /// When the network fails, a result is not finite, or the memory limit is too small.
    pub fn measure(
        &mut self,
        x: &Tensor,
        names: &[String],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(), LayersError> {
        let found = self.find(x, names, progress)?;
        self.take(found);
        Ok(())
    }

    /// What a sweep finds of a batch of images, as [`measure`](Self::measure) takes it up.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub fn find(
        &self,
        x: &Tensor,
        names: &[String],
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<LayersFound, LayersError> {
        let x = self.network.place(x)?;
        let name = names.join("', '");
        self.check_input(&x, &name)?;
        let outcome = tch::no_grad(|| sweep::attribute(self, &x, progress))?;
        self.check_lie(&outcome.lie, &name)?;
        let images = (0..x.size()[0]).map(|image| self.image_of(&outcome, image)).collect::<Result<_, _>>()?;
        Ok(LayersFound {
            images,
            local: outcome.local,
            gauges: outcome.gauges,
            unsplit: outcome.unsplit,
            cancelling: [0.0, outcome.cancelling],
            maps: outcome.maps,
        })
    }

    /// L, `[images, output shape…]`, and what each layer's defects become at the output, J δ, `[layers, images, output
    /// shape…]`, of a batch of images `[images, input shape…]`.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub fn vectors(&self, x: &Tensor) -> Result<(Tensor, Tensor), LayersError> {
        let outcome = tch::no_grad(|| sweep::attribute(self, x, &mut |_, _| {}))?;
        Ok((outcome.lie, outcome.pushed.f_sum_dim_intlist([1].as_slice(), false, None::<Kind>)?))
    }

    /// The layers that make errors, and what they are, in the order of [`vectors`](Self::vectors).
    pub fn layer_classes(&self) -> impl Iterator<Item = (&str, LayerClass)> {
        self.plan.layers.iter().map(|layer| (layer.name.as_str(), layer.class))
    }

    /// Takes up images that [`find`](Self::find) or probes measured, now or in an earlier run.
    pub fn take(&mut self, mut found: LayersFound) {
        self.maps.append(&mut found.maps);
        self.cancelling += found.cancelling[0];
        for image in &found.images {
            self.take_image(image);
        }
        for ((sums, local), gauge) in self.sums.iter_mut().zip(&found.local).zip(&found.gauges) {
            sums.local = [sums.local[0] + local[0], sums.local[1] + local[1]];
            sums.gauge.add(gauge);
        }
        self.cancelling += found.cancelling[1];
        for (sums, missing) in self.sums.iter_mut().zip(&found.unsplit) {
            if *missing {
                sums.parts[..2].fill(None);
            }
        }
    }

    fn take_image(&mut self, image: &ImageFound) {
        self.cancelling += image.contribution.iter().sum::<f64>();
        for (layer, sums) in self.sums.iter_mut().enumerate() {
            sums.contribution.push(image.contribution[layer]);
            sums.signed += image.signed[layer];
            sums.probe_variance += image.variance.get(layer).copied().unwrap_or(0.0);
            // Probes tell no parts apart.
            if image.parts.is_empty() {
                sums.parts = [None; 3];
                continue;
            }
            for part in 0..self.parts {
                if let Some(sum) = &mut sums.parts[part] {
                    let [square, signed] = image.parts[layer * self.parts + part];
                    *sum = [sum[0] + square, sum[1] + signed];
                }
            }
        }
        for (class, joint) in &image.joint {
            self.classes.entry(*class).or_default().joint += joint;
        }
        self.residual = [self.residual[0] + image.residual[0], self.residual[1] + image.residual[1]];
        self.totals.push(image.residual[1]);
    }

    fn check_input(&self, x: &Tensor, image: &str) -> Result<(), LayersError> {
        match is_finite(x)? {
            true => Ok(()),
            false => Err(LeeError::not_finite("the input", image, "check the image or tensor").into()),
        }
    }

    fn check_lie(&self, lie: &Tensor, image: &str) -> Result<(), LayersError> {
        let hint = "check the model's weights, or try --precision f64";
        match is_finite(lie)? {
            true => Ok(()),
            false => Err(LeeError::not_finite("the Lie derivative", image, hint).into()),
        }
    }

    /// The generator under the asked derivative.
    fn actor(&self) -> Actor {
        self.actor_under((self.options.scheme, self.options.boundary))
    }

    fn actor_under(&self, derivative: (Scheme, Boundary)) -> Actor {
        let place = (self.options.grid, self.options.units, self.input_grid);
        Actor::new(&self.options.generator, derivative, place, (self.network.kind(), self.network.device()))
    }

    /// The action of `actor` on the value `y` of the given place, which has one of its own.
    fn own_action(&self, id: usize, actor: &mut Actor, y: &Tensor) -> Result<Tensor, LayersError> {
        // A class vector is not moved, by saturation neither.
        if id == self.network.output_id() {
            return Ok(actor.on_output(&self.output_action, y)?);
        }
        Ok(actor.on(&self.own_layout(id), y)?)
    }

    /// Where the entries of a value with an action of its own lie.
    fn own_layout(&self, id: usize) -> Layout {
        if id == self.network.output_id() {
            return self.output_action.layout();
        }
        self.network.values()[id].layout.clone()
    }

    /// What one image's probes found.
    fn of_probes(&self, samples: &Samples, defects: Defects, count: usize) -> Result<LayersFound, LayersError> {
        let n = count.max(1) as f64;
        let mut image = ImageFound::default();
        for sampled in &samples.layers {
            let mean = sampled[0] / n;
            image.contribution.push(mean);
            image.variance.push((sampled[1] / n - mean * mean).max(0.0) / (n - 1.0).max(1.0));
            image.signed.push(sampled[2] / n);
        }
        let classes = LayerClass::ALL.into_iter().zip(&samples.classes);
        let has = |class: LayerClass| self.plan.layers.iter().any(|layer| layer.class == class);
        image.joint = classes.filter(|(class, _)| has(*class)).map(|(class, sum)| (class, sum / n)).collect();
        let total = defects.lie.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;
        // The law holds for every probe, Σ_v zᵀJδ_v = zᵀL, and E (zᵀr)² = ‖r‖².
        image.residual = [samples.residual / n, total];
        let Defects { local, gauges, cancelling, .. } = defects;
        Ok(LayersFound {
            images: vec![image],
            local,
            gauges,
            unsplit: Vec::new(),
            cancelling: [cancelling, 0.0],
            maps: Vec::new(),
        })
    }

    /// One image's sizes, of its vectors in double precision.
    fn image_of(&self, outcome: &sweep::Outcome, image: i64) -> Result<ImageFound, LayersError> {
        let lie = outcome.lie.f_get(image)?.f_reshape([-1])?.f_to_kind(Kind::Double)?;
        // [layers, parts, entries]
        let pushed = outcome.pushed.f_select(2, image)?.f_flatten(2, -1)?.f_to_kind(Kind::Double)?;
        let whole = pushed.f_sum_dim_intlist([1].as_slice(), false, None::<Kind>)?;
        let mut parts = Vec::new();
        if self.parts > 1 {
            let squares = floats(&pushed.f_square()?.f_sum_dim_intlist([-1].as_slice(), false, None::<Kind>)?)?;
            let signed = floats(&pushed.f_matmul(&lie)?)?;
            parts = squares.into_iter().zip(signed).map(|(square, signed)| [square, signed]).collect();
        }
        let mut joint = Vec::new();
        for class in self.plan.layers.iter().map(|layer| layer.class).collect::<std::collections::BTreeSet<_>>() {
            let members: Vec<i64> =
                (0..self.plan.layers.len() as i64).filter(|&i| self.plan.layers[i as usize].class == class).collect();
            let index = Tensor::f_from_slice(&members)?.f_to_device(whole.device())?;
            let sum = whole.f_index_select(0, &index)?.f_sum_dim_intlist([0].as_slice(), false, None::<Kind>)?;
            joint.push((class, sum.f_square()?.f_sum(None::<Kind>)?.f_double_value(&[])?));
        }
        let rest = whole.f_sum_dim_intlist([0].as_slice(), false, None::<Kind>)?.f_sub(&lie)?;
        let square =
            |x: &Tensor| -> Result<f64, LayersError> { Ok(x.f_square()?.f_sum(None::<Kind>)?.f_double_value(&[])?) };
        Ok(ImageFound {
            contribution: floats(&whole.f_square()?.f_sum_dim_intlist([-1].as_slice(), false, None::<Kind>)?)?,
            signed: floats(&whole.f_matmul(&lie)?)?,
            parts,
            variance: Vec::new(),
            joint,
            residual: [square(&rest)?, square(&lie)?],
        })
    }

    /// Where the defects of the first image sit, node by node in the network's order, if that was asked for; a node
    /// whose output has no place in the image has no map.
    pub fn maps(&self) -> &[DefectMap] {
        &self.maps
    }

    /// The network's nodes, with the layers of this attribution that they belong to.
    pub fn graph(&self) -> LayerGraph {
        graph::layer_graph(self.network, &self.plan)
    }

    /// Every layer's name and contribution ‖J δ‖²/dim, image by image.
    pub fn per_image(&self) -> impl Iterator<Item = (&str, Vec<f64>)> {
        self.squares().map(|(name, squares)| (name, self.over_dim(squares)))
    }

    /// Every layer's name and ‖J δ‖², image by image.
    fn squares(&self) -> impl Iterator<Item = (&str, &[f64])> {
        self.plan.layers.iter().zip(&self.sums).map(|(layer, sums)| (layer.name.as_str(), sums.contribution.as_slice()))
    }

    fn over_dim(&self, squares: &[f64]) -> Vec<f64> {
        squares.iter().map(|square| square / self.dim as f64).collect()
    }

    /// ‖L‖²/dim, image by image.
    pub fn lee_by_image(&self) -> Vec<f64> {
        self.over_dim(&self.totals)
    }

    /// How many images have been measured.
    pub fn images(&self) -> usize {
        self.totals.len()
    }

    /// About how many forward passes an exact attribution of one image takes: the entries of the stack that every node
    /// carries, weighted by the size of its output.
    pub fn exact_cost(&self) -> f64 {
        let (mut cost, mut whole, mut entries) = (0.0, 0.0, 3.0);
        for step in self.network.steps() {
            for &id in step.outputs.iter().flatten() {
                if matches!(self.plan.roles[id], plan::Role::Source(_)) {
                    entries += self.parts as f64;
                }
                let size = self.network.values()[id].shape.iter().product::<i64>() as f64;
                cost += entries * size;
                whole += size;
            }
        }
        if whole > 0.0 { cost / whole } else { 0.0 }
    }
}

fn floats(x: &Tensor) -> Result<Vec<f64>, tch::TchError> {
    Vec::try_from(&x.f_to_device(tch::Device::Cpu)?.f_reshape([-1])?)
}
