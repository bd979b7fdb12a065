//! The meter that attributes errors, image by image.

use std::collections::BTreeMap;

use tch::{Kind, Tensor};

use crate::graph::Network;
use crate::graph::layout::Layout;
use crate::measure::defect_map::DefectMap;
use crate::measure::layer_graph::LayerGraph;
use crate::measure::layers_report::LayerClass;
use crate::measure::lee::{LeeError, Output, OutputAction};
use crate::measure::output_action::{Chosen, choose};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::spectrum::octave;
use crate::symmetry::{Combination, Grid};

use super::actor::Actor;
use super::found::{Facts, ImageFound, LayerSums, LayersFound};
use super::motion::Motion;
use super::plan::{Plan, PlanOptions, Role};
use super::rounding::Rounding;
use super::{LayersError, LayersOptions, SplitBy, graph};

/// Attributes one network's error under one generator, image by image.
pub struct LayerMeter<'a> {
    pub(super) network: &'a Network,
    pub(super) options: LayersOptions,
    pub(super) motion: Motion,
    pub(super) output: Output,
    pub(super) output_action: OutputAction,
    pub(super) why: String,
    input_grid: Grid,
    pub(super) plan: Plan,
    /// Entries of the output.
    pub(super) dim: usize,
    pub(super) sums: Vec<LayerSums>,
    /// Σ over images of ‖Σ_{layers of the class} J δ‖².
    pub(super) joint: BTreeMap<LayerClass, f64>,
    /// Per image: ‖L‖².
    pub(super) totals: Vec<f64>,
    /// Per image.
    pub(super) facts: Vec<Facts>,
    /// Σ over images of ‖Σ_v J δ_v − L‖² and ‖L‖².
    pub(super) residual: [f64; 2],
    /// Σ over images of what cancels in that sum: ‖Df\[A x\]‖² + ‖A f‖² + Σ ‖J δ‖².
    pub(super) cancelling: f64,
    pub(super) rounding: Rounding,
    maps: Vec<DefectMap>,
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
        let mirrors = options.boundary == Boundary::Reflect;
        let motion = Motion::new(&options.generator, mirrors, (options.grid, options.units, input_grid));
        let plan = Plan::new(
            network,
            &PlanOptions {
                grouping: options.grouping,
                saturates: motion.saturation != 0.0,
                compute_zeros: options.compute_zeros,
                output_action: &output_action,
                motion: &motion,
                split: options.split,
                discretises: options.scheme != Scheme::Spectral,
            },
        );
        let dim = network.output().shape.iter().product::<i64>().unsigned_abs() as usize;
        Ok(Self {
            network,
            motion,
            dim,
            output,
            output_action,
            why,
            input_grid,
            sums: vec![LayerSums::default(); plan.layers.len()],
            joint: BTreeMap::new(),
            totals: Vec::new(),
            facts: Vec::new(),
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
    }

    /// Forgets the images so far.
    pub fn clear(&mut self) {
        self.sums.fill(LayerSums::default());
        self.joint.clear();
        self.totals.clear();
        self.facts.clear();
        self.residual = [0.0; 2];
        self.cancelling = 0.0;
        self.maps.clear();
    }

    fn take_image(&mut self, image: &ImageFound) {
        self.cancelling += image.contribution.iter().sum::<f64>();
        for (layer, sums) in self.sums.iter_mut().enumerate() {
            sums.take(image, layer);
        }
        for (class, joint) in &image.joint {
            *self.joint.entry(*class).or_default() += joint;
        }
        self.residual = [self.residual[0] + image.residual[0], self.residual[1] + image.residual[1]];
        self.totals.push(image.residual[1]);
        self.facts.push(image.facts);
    }

    /// The generator under the asked derivative.
    pub(super) fn actor(&self) -> Actor {
        self.actor_of(&self.options.generator, self.options.scheme)
    }

    /// A generator under a derivative with the asked boundary.
    pub(super) fn actor_of(&self, generator: &Combination, scheme: Scheme) -> Actor {
        let place = (self.options.grid, self.options.units, self.input_grid);
        let derivative = (scheme, self.options.boundary);
        Actor::new(generator, derivative, place, (self.network.kind(), self.network.device()))
    }

    /// The action of `actor` on the value `y` of the given place, which has one of its own.
    pub(super) fn own_action(&self, id: usize, actor: &mut Actor, y: &Tensor) -> Result<Tensor, LayersError> {
        // A class vector is not moved, by saturation neither.
        if id == self.network.output_id() {
            return Ok(actor.on_output(&self.output_action, y)?);
        }
        Ok(actor.on(&self.own_layout(id), y)?)
    }

    /// What one image, `[1, input shape…]`, is to the network; its Lie derivative and the network's output, `[output shape…]`.
    pub(super) fn facts(&self, x: &Tensor, lie: &Tensor, value: &Tensor) -> Result<Facts, LayersError> {
        let layout = &self.network.input().layout;
        let mut actor = self.actor();
        let in_pixels = |t: &Tensor| -> Result<Tensor, tch::TchError> {
            let t = t.f_to_kind(Kind::Double)?;
            match &self.options.pixel_scale {
                Some(scale) => t.f_mul(&Tensor::f_from_slice(scale)?.f_view([-1, 1, 1])?.f_to_device(t.device())?),
                None => Ok(t),
            }
        };
        let mean_square = |t: &Tensor| -> Result<f64, tch::TchError> {
            in_pixels(t)?.f_square()?.f_mean(None::<Kind>)?.f_double_value(&[])
        };
        let energy = mean_square(&actor.on(layout, x)?)?;
        let steepness = actor.steepness(layout).max(self.motion.saturation.abs());
        let rounding = self.rounding.square(mean_square(x)? * steepness * steepness);
        let classes = matches!(self.output, Output::Softmax | Output::Logits);
        let top = match classes {
            true => usize::try_from(value.f_flatten(0, -1)?.f_argmax(-1, false)?.f_int64_value(&[])?).ok(),
            false => None,
        };
        Ok(Facts {
            mean_abs: lie.f_abs()?.f_mean(Kind::Double)?.f_double_value(&[])?,
            input_energy: if energy > rounding { energy } else { 0.0 },
            top,
        })
    }

    /// Where the entries of a value with an action of its own lie.
    pub(super) fn own_layout(&self, id: usize) -> Layout {
        if id == self.network.output_id() {
            return self.output_action.layout();
        }
        self.network.values()[id].layout.clone()
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
    pub(super) fn squares(&self) -> impl Iterator<Item = (&str, &[f64])> {
        self.plan.layers.iter().zip(&self.sums).map(|(layer, sums)| (layer.name.as_str(), sums.contribution.as_slice()))
    }

    pub(super) fn over_dim(&self, squares: &[f64]) -> Vec<f64> {
        squares.iter().map(|square| square / self.dim as f64).collect()
    }

    /// Every layer's ⟨J δ, L⟩/dim, in the order of [`per_image`](Self::per_image), image by image.
    pub fn signed_per_image(&self) -> impl Iterator<Item = Vec<f64>> {
        self.sums.iter().map(|sums| self.over_dim(&sums.signed))
    }

    /// ‖L‖²/dim, image by image.
    pub fn lee_by_image(&self) -> Vec<f64> {
        self.over_dim(&self.totals)
    }

    /// The largest residual of the conservation law that a run of this precision may leave.
    pub fn residual_limit(&self) -> f64 {
        self.rounding.limit()
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
                if let Role::Source(layer) = self.plan.roles[id] {
                    entries += self.plan.layers[layer].carries.len() as f64;
                }
                let size = self.network.values()[id].shape.iter().product::<i64>() as f64;
                cost += entries * size;
                whole += size;
            }
        }
        // What octaves leave out is run beside, each with a tangent.
        let beside = if self.options.split == SplitBy::Octave { 2.0 * octave::EDGES.len() as f64 } else { 0.0 };
        if whole > 0.0 { cost / whole + beside } else { 0.0 }
    }
}
