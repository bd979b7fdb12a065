//! Layer by layer, each on its own: LEE beside metrics under finite shifts, as figure 4 (right) of Gruver et al. 2023
//! compares them.
//!
//! A layer's own maps are moved before it, and what it makes of them is held against its moved output. LEE is the same in
//! the limit of small motions, and has besides what becomes of the error at the network's output.

mod pieces;
mod results;

use std::collections::{HashMap, HashSet};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::{LayerMeter, LayersError, LayersFound, LayersOptions, SplitBy};
use crate::graph::layout::{Layout, PositionMap};
use crate::graph::operator::Torch;
use crate::graph::{Network, Value, is_finite};
use crate::measure::layer_metrics::LayerMeasure;
use crate::measure::lee::LeeError;
use crate::measure::transport::{shift_lanczos, shift_whole};
use crate::statistics::mean;
use crate::symmetry::{Combination, Generator};

use pieces::{Piece, pieces};

/// How far a number of samples may be from a whole one: rounding of pitches.
const WHOLE: f64 = 1e-6;

/// Bytes that the stacks of an attribution may take: a few sweeps more cost little beside all the shifts.
const MEMORY: u64 = 1 << 30;

/// Shifts of a layer's maps at once.
pub const AT_ONCE: usize = 16;

/// How maps are moved by the same part of the image.
#[derive(Clone, Copy, PartialEq)]
enum Steps {
    /// Whole steps of the coarsest map.
    Whole,
    /// Whole samples of each map.
    Rounded,
    /// Not rounded.
    Fractional,
}

/// Squared errors of a layer, draw by draw: Σ mask·error², Σ mask.
type Draws = Vec<[f64; 2]>;

/// What was found of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShiftsFound {
    /// Under translate_x and translate_y.
    attributions: [LayersFound; 2],
    /// Per layer, the measures behind the first; none where a layer has no such.
    measures: Vec<[Option<f64>; LayerMeasure::ALL.len() - 1]>,
    /// Per layer, why a measure is missing.
    missing: Vec<Option<String>>,
    /// How far the random numbers were used.
    drawn: u64,
}

/// The measurement of every layer of one network, image by image.
pub struct LayerShifts<'a> {
    network: &'a Network,
    /// Under translate_x and translate_y.
    meters: [LayerMeter<'a>; 2],
    pieces: Vec<Piece>,
    draws: usize,
    rng: ChaCha8Rng,
    /// Per image and layer, the measures behind the first; none where a layer has no such.
    found: Vec<Vec<[Option<f64>; LayerMeasure::ALL.len() - 1]>>,
    /// Per layer, why a measure is missing.
    missing: Vec<Option<String>>,
}

impl<'a> LayerShifts<'a> {
    /// Prepares the measurement with so many shifts per image, drawn from `seed`.
    ///
    /// # Errors
    /// When input or output of the network do not allow it.
    pub fn new(network: &'a Network, draws: usize, seed: u64) -> Result<Self, LayersError> {
        Self::within(network, draws, seed, u64::MAX)
    }

    /// As [`new`](Self::new), with attributions that take no more than so many bytes.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn within(network: &'a Network, draws: usize, seed: u64, memory: u64) -> Result<Self, LayersError> {
        let meter = |generator| {
            let options = LayersOptions::new(Combination::single(generator));
            LayerMeter::new(network, LayersOptions { split: SplitBy::Nothing, memory: MEMORY.min(memory), ..options })
        };
        let meters = [meter(Generator::TranslateX)?, meter(Generator::TranslateY)?];
        let pieces = pieces(network, &meters[0].plan);
        let missing = vec![None; meters[0].plan.layers.len()];
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Ok(Self { network, meters, pieces, draws, rng, found: Vec::new(), missing })
    }

    /// Measures one image, `[1, input shape…]`.
    ///
    /// # Errors
    /// When the network fails or a result is not finite.
    pub fn measure(&mut self, x: &Tensor, name: &str) -> Result<(), LayersError> {
        let found = self.find(x, name)?;
        self.take(found);
        Ok(())
    }

    /// How far the random numbers were used, which the next image's shifts depend on.
    pub fn drawn(&self) -> u64 {
        self.rng.get_word_pos() as u64
    }

    /// Takes up an image that [`find`](Self::find) measured, now or in an earlier run.
    pub fn take(&mut self, found: ShiftsFound) {
        for (meter, attribution) in self.meters.iter_mut().zip(found.attributions) {
            meter.take(attribution);
        }
        self.found.push(found.measures);
        for (known, missing) in self.missing.iter_mut().zip(found.missing) {
            *known = missing.or_else(|| known.take());
        }
        self.rng.set_word_pos(u128::from(found.drawn));
    }

    /// What is found of one image, as [`measure`](Self::measure) takes it up.
    ///
    /// # Errors
    /// As [`measure`](Self::measure).
    pub fn find(&mut self, x: &Tensor, name: &str) -> Result<ShiftsFound, LayersError> {
        let names = [name.to_owned()];
        let [across, down] = &self.meters;
        let attributions = [across.find(x, &names, &mut |_, _| {})?, down.find(x, &names, &mut |_, _| {})?];
        let shifts: Vec<[f64; 2]> =
            (0..self.draws).map(|_| [0.0; 2].map(|_: f64| self.rng.random_range(-0.125..=0.125))).collect();
        let values = self.values(x)?;
        let layers = self.missing.len();
        let mut alone = vec![[0.0; 2]; layers];
        let mut draws: [Vec<Draws>; 3] = std::array::from_fn(|_| vec![vec![[0.0; 2]; self.draws]; layers]);
        let pieces = std::mem::take(&mut self.pieces);
        let done: Result<(), LayersError> = tch::no_grad(|| {
            pieces.iter().try_for_each(|piece| {
                let layer = piece.layer;
                if let Some(reason) = self.problem(piece, &values)? {
                    self.missing[layer] = Some(reason);
                }
                if self.missing[layer].is_some() {
                    return Ok(());
                }
                let [square, entries] = self.defect(piece, &values)?;
                alone[layer] = [alone[layer][0] + square, alone[layer][1] + entries];
                for (how, draws) in [Steps::Whole, Steps::Rounded, Steps::Fractional].into_iter().zip(&mut draws) {
                    for (shifts, draws) in shifts.chunks(AT_ONCE).zip(draws[layer].chunks_mut(AT_ONCE)) {
                        self.shifted(piece, &values, shifts, how, draws)?;
                    }
                }
                Ok(())
            })
        });
        self.pieces = pieces;
        done?;
        let measures = (0..layers)
            .map(|layer| {
                let local = (alone[layer][1] > 0.0).then(|| alone[layer][0] / alone[layer][1]);
                let [whole, rounded, fractional] = [0, 1, 2].map(|how| normalised(&draws[how][layer]));
                [local, whole[0], whole[1], rounded[0], rounded[1], fractional[0], fractional[1]]
            })
            .collect();
        Ok(ShiftsFound { attributions, measures, missing: self.missing.clone(), drawn: self.drawn() })
    }

    /// Copies of all values that pieces read or give, of one image.
    fn values(&self, x: &Tensor) -> Result<HashMap<usize, Tensor>, LayersError> {
        let needed: HashSet<usize> =
            self.pieces.iter().flat_map(|p| p.inputs.iter().chain(&p.outputs)).copied().collect();
        let mut values = HashMap::new();
        let _ = self.network.forward_observed(&self.network.place(x)?, &mut |id, value| {
            if needed.contains(&id) {
                // What runs later may write over it.
                values.insert(id, copied(&value.stack)?);
            }
            Ok(())
        })?;
        Ok(values)
    }

    fn layout(&self, id: usize) -> &Layout {
        &self.network.values()[id].layout
    }

    fn map(&self, id: usize) -> Option<&PositionMap> {
        match self.layout(id) {
            Layout::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Why finite shifts say nothing of a piece.
    fn problem(&self, piece: &Piece, values: &HashMap<usize, Tensor>) -> Result<Option<String>, LayersError> {
        let mut problem = None;
        if piece.inputs.iter().all(|&id| self.map(id).is_none()) {
            problem = Some("what it reads has no rows and columns");
        } else if piece.outputs.iter().any(|&id| self.map(id).is_none()) {
            problem = Some("what it gives has no rows and columns");
        } else {
            for &id in piece.inputs.iter().chain(&piece.outputs) {
                if !is_finite(value(values, id)?)? {
                    problem = Some("what it reads or gives is not finite everywhere");
                }
            }
        }
        Ok(problem.map(str::to_owned))
    }

    /// ‖δ‖² of the piece alone, the mean of both translations, and the number of entries.
    fn defect(&self, piece: &Piece, values: &HashMap<usize, Tensor>) -> Result<[f64; 2], LayersError> {
        let mut actors = [self.meters[0].actor(), self.meters[1].actor()];
        let mut inputs = HashMap::new();
        for &id in &piece.inputs {
            let x = value(values, id)?;
            let input = match self.layout(id) {
                layout @ Layout::Map(_) => {
                    let mut stack = vec![x.shallow_clone()];
                    for actor in &mut actors {
                        stack.push(actor.on(layout, x)?);
                    }
                    Value { stack: Tensor::f_cat(&stack, 0)?, tangents: 2 }
                }
                _ => Value { stack: copied(x)?, tangents: 0 },
            };
            inputs.insert(id, input);
        }
        let outputs = self.run(piece, inputs, 1)?;
        let mut sum = [0.0; 2];
        for (id, output) in outputs {
            let y = value(values, id)?;
            for (at, actor) in actors.iter_mut().enumerate() {
                let pushed = match output.tangents {
                    0 => y.f_zeros_like()?,
                    _ => output.tangents_from(1, at as i64, 1)?,
                };
                let defect = pushed.f_sub(&actor.on(self.layout(id), y)?)?;
                sum[0] += 0.5 * defect.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])?;
            }
            sum[1] += y.numel() as f64;
        }
        Ok(sum)
    }

    /// Adds the piece's squared errors under every shift, \[right, down\] as parts of the image; nothing where whole
    /// steps of one map are none of another.
    fn shifted(
        &mut self,
        piece: &Piece,
        values: &HashMap<usize, Tensor>,
        shifts: &[[f64; 2]],
        how: Steps,
        draws: &mut [[f64; 2]],
    ) -> Result<(), LayersError> {
        let maps = || piece.inputs.iter().chain(&piece.outputs).filter_map(|&id| self.map(id));
        let coarsest = maps()
            .fold([0.0_f64; 2], |most, map| [most[0].max(map.grid.columns.pitch), most[1].max(map.grid.rows.pitch)]);
        let image = self.network.input().layout.plane().map_or([2.0; 2], |g| [g.columns.extent(), g.rows.extent()]);
        let samples = |map: &PositionMap, shift: [f64; 2]| -> Option<[f64; 2]> {
            let mut samples = [0.0; 2];
            for (axis, pitch) in [map.grid.columns.pitch, map.grid.rows.pitch].into_iter().enumerate() {
                let length = image[axis] * shift[axis];
                samples[axis] = match how {
                    Steps::Fractional => length / pitch,
                    Steps::Rounded => (length / pitch).round(),
                    Steps::Whole => {
                        let steps = (length / coarsest[axis]).round() * coarsest[axis] / pitch;
                        if (steps - steps.round()).abs() > WHOLE * steps.abs().max(1.0) {
                            return None;
                        }
                        steps.round()
                    }
                };
            }
            Some(samples)
        };
        let moved = |maps: &Tensor, by: [f64; 2]| match how {
            Steps::Fractional => shift_lanczos(maps, by),
            _ => shift_whole(maps, by.map(|t| t as i64)),
        };
        let mut inputs = HashMap::new();
        for &id in &piece.inputs {
            let x = value(values, id)?;
            let Some(map) = self.map(id) else {
                let mut times = vec![1; x.dim()];
                times[0] = shifts.len() as i64;
                inputs.insert(id, Value { stack: x.f_repeat(times.as_slice())?, tangents: 0 });
                continue;
            };
            let positions = map.gather(x)?;
            let mut stack = Vec::new();
            for shift in shifts {
                let Some(by) = samples(map, *shift) else {
                    let reason = "whole steps of what it gives are no whole steps of what it reads";
                    self.missing[piece.layer] = Some(reason.to_owned());
                    return Ok(());
                };
                stack.push(with_positions(map, x, &positions, &moved(&positions, by)?.0)?);
            }
            inputs.insert(id, Value { stack: Tensor::f_cat(&stack, 0)?, tangents: 0 });
        }
        for (id, output) in self.run(piece, inputs, shifts.len() as i64)? {
            let Some(map) = self.map(id) else { continue };
            let positions = map.gather(value(values, id)?)?;
            for (at, (shift, sums)) in shifts.iter().zip(draws.iter_mut()).enumerate() {
                let Some(by) = samples(map, *shift) else { continue };
                let (wanted, mask) = moved(&positions, by)?;
                // What does not depend on the moved input is the same for all draws.
                let entry = if output.stack.size()[0] == 1 { 0 } else { at as i64 };
                let seen = map.gather(&output.stack.f_narrow(0, entry, 1)?)?;
                let mask = mask.f_to_kind(Kind::Double)?;
                let error = seen.f_sub(&wanted)?.f_to_kind(Kind::Double)?.f_square()?.f_mul(&mask)?;
                let planes = seen.numel() as f64 / mask.numel().max(1) as f64;
                sums[0] += error.f_sum(None::<Kind>)?.f_double_value(&[])?;
                sums[1] += planes * mask.f_sum(None::<Kind>)?.f_double_value(&[])?;
            }
        }
        Ok(())
    }

    /// The piece's outputs for its inputs of so many images.
    fn run(
        &self,
        piece: &Piece,
        inputs: HashMap<usize, Value>,
        images: i64,
    ) -> Result<Vec<(usize, Value)>, LayersError> {
        let steps = piece.steps.iter().map(|&at| &self.network.steps()[at]);
        Ok(self.network.run_part(steps, inputs, images, &piece.outputs)?)
    }
}

/// Squared error over N, all draws together, and over √N, the mean over draws; none where nothing was compared.
fn normalised(draws: &Draws) -> [Option<f64>; 2] {
    let [error, entries] = draws.iter().fold([0.0; 2], |sum, draw| [sum[0] + draw[0], sum[1] + draw[1]]);
    let seen: Vec<f64> = draws.iter().filter(|draw| draw[1] > 0.0).map(|draw| draw[0] / draw[1].sqrt()).collect();
    [(entries > 0.0).then(|| error / entries), (!seen.is_empty()).then(|| mean(&seen))]
}

/// `x` with other maps at its positions; what has no position stays.
fn with_positions(map: &PositionMap, x: &Tensor, positions: &Tensor, moved: &Tensor) -> Torch<Tensor> {
    if map.is_planar() {
        return Ok(moved.shallow_clone());
    }
    let shape = &x.size()[1..];
    x.f_sub(&map.scatter(positions, shape)?)?.f_add(&map.scatter(moved, shape)?)
}

fn copied(x: &Tensor) -> Torch<Tensor> {
    let mut copy = x.f_empty_like()?;
    copy.f_copy_(x)?;
    Ok(copy)
}

fn value(values: &HashMap<usize, Tensor>, id: usize) -> Result<&Tensor, LayersError> {
    values.get(&id).ok_or_else(|| missing_value("a layer"))
}

fn missing_value(reader: &str) -> LayersError {
    LeeError::Torch(tch::TchError::Torch(format!("'{reader}' reads a value that was not made"))).into()
}
