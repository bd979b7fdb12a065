//! What training changes: parameters, or a scale of each of their channels, in units of their channels' size.
//!
//! Adam moves each number by about the learning rate, whatever its size. A folded batch norm has multiplied each output
//! channel by a factor of its own, so that weights of one layer differ in size a hundredfold, and a rate that is right
//! for some turns others into noise. Each output channel's weights are therefore adapted in units of their root mean
//! square at the start, and its shift in units of their norm: steps are the same whatever factor a fold has left.

use std::collections::HashSet;

use aliascope_core::repair::Trained;
use tch::{Kind, Tensor};

use super::error::RepairError;
use super::write::constant_of;
use crate::graph::onnx::OnnxFile;
use crate::graph::operator::Torch;
use crate::graph::{Network, Parameter, ParameterRole, wires};

/// The student's parameters that may be adapted, and how many others there are: those that are constants of the file
/// before designs were put in, which designs' own are not.
///
/// # Errors
/// When memory is short, or there is none.
pub fn adaptable(
    student: &mut Network,
    before: &OnnxFile,
    file: &OnnxFile,
) -> Result<(Vec<Parameter>, usize), RepairError> {
    let own: HashSet<&str> = before
        .model
        .graph
        .iter()
        .flat_map(|graph| &graph.initializer)
        .filter_map(|tensor| tensor.name.as_deref())
        .collect();
    let is_own = |parameter: &Parameter| {
        constant_of(file, parameter).is_some_and(|tensor| own.contains(tensor.name.as_deref().unwrap_or("")))
    };
    let (adaptable, others): (Vec<_>, Vec<_>) = student.parameters()?.into_iter().partition(is_own);
    if adaptable.is_empty() {
        return Err(RepairError::Nothing);
    }
    Ok((adaptable, others.len()))
}

/// One of them.
#[derive(Debug)]
pub(super) struct Variable {
    /// Its place among the parameters.
    pub parameter: usize,
    /// What the parameter is per unit of the variable, entry by entry.
    unit: Tensor,
    /// The axis along which the variable lies, where it is one number per channel.
    axis: Option<usize>,
}

/// The variables, and the tensors that hold them: parameter = unit · variable.
#[derive(Debug)]
pub(super) struct Variables {
    pub all: Vec<Variable>,
    pub values: Vec<Tensor>,
}

impl Variables {
    /// Of parameters, as `train` chooses; `behind` are places of values that replacements write.
    pub fn new(
        network: &Network,
        parameters: &[Parameter],
        train: Trained,
        behind: &[usize],
    ) -> Result<Self, RepairError> {
        let chosen = match train {
            Trained::All | Trained::Affine => None,
            Trained::After => Some(steps_after(network, parameters, behind)),
        };
        let (mut all, mut values) = (Vec::new(), Vec::new());
        for (at, parameter) in parameters.iter().enumerate() {
            if chosen.as_ref().is_some_and(|chosen| !chosen.contains(&parameter.step)) {
                continue;
            }
            let tensor = &parameter.tensor;
            let (unit, axis, value) = match (train, parameter.role) {
                (Trained::Affine, ParameterRole::Weight { .. }) => {
                    let axis = channel_axis(parameter)?;
                    let shape: Vec<i64> =
                        tensor.size().iter().enumerate().map(|(a, &n)| if a == axis { n } else { 1 }).collect();
                    (tensor.copy(), Some(axis), Tensor::f_ones(shape, (tensor.kind(), tensor.device()))?)
                }
                _ => {
                    let unit = unit(parameters, parameter)?;
                    let value = tensor.f_div(&unit)?;
                    (unit, None, value)
                }
            };
            all.push(Variable { parameter: at, unit, axis });
            values.push(value);
        }
        if all.is_empty() {
            return Err(RepairError::Nothing);
        }
        Ok(Self { all, values })
    }

    /// Gradients by the variables, from those by their parameters.
    pub fn gradients(&self, by_parameter: Vec<Tensor>) -> Torch<Vec<Tensor>> {
        let each = self.all.iter().zip(by_parameter).map(|(variable, gradient)| {
            let product = gradient.f_mul(&variable.unit)?;
            let Some(axis) = variable.axis else { return Ok(product) };
            let others: Vec<i64> = (0..product.dim()).filter(|&a| a != axis).map(|a| a as i64).collect();
            product.f_sum_dim_intlist(others.as_slice(), true, None)
        });
        each.collect()
    }

    /// Writes values of the variables into the parameters.
    pub fn write(&self, parameters: &[Parameter], values: &[Tensor]) -> Torch<()> {
        for (variable, value) in self.all.iter().zip(values) {
            parameters[variable.parameter].tensor.f_detach()?.f_copy_(&variable.unit.f_mul(value)?)?;
        }
        Ok(())
    }

    /// How many numbers there are.
    pub fn count(&self) -> usize {
        self.values.iter().map(Tensor::numel).sum()
    }
}

/// The size of a parameter's entries at the start as a power of two, of the parameter's shape up to broadcasting: of a
/// weight, the root mean square over each output channel; of a bias, the norm of its channel's weights, by which a shift
/// counts beside an input of size 1. What has no such size has a unit of 1.
fn unit(parameters: &[Parameter], parameter: &Parameter) -> Torch<Tensor> {
    let by_channel = |weight: &Parameter, mean: bool| -> Torch<Tensor> {
        let axis = channel_axis(weight)?;
        let others: Vec<i64> = (0..weight.tensor.dim()).filter(|&a| a != axis).map(|a| a as i64).collect();
        let squares = weight.tensor.f_detach()?.f_square()?;
        let sizes = match mean {
            true => squares.f_mean_dim(others.as_slice(), true, None::<Kind>)?,
            false => squares.f_sum_dim_intlist(others.as_slice(), true, None::<Kind>)?,
        };
        let sizes = sizes.f_sqrt()?;
        // A channel that is 0, a pruned one, takes the others' size.
        let all = sizes.f_mean(None::<Kind>)?;
        let all = if all.f_double_value(&[])? > 0.0 { all } else { all.f_ones_like()? };
        // Powers of two, so that weights that no step has moved are what they were to the last bit.
        sizes.f_where_self(&sizes.f_gt(0.0)?, &all)?.f_log2()?.f_round()?.f_exp2()
    };
    match parameter.role {
        ParameterRole::Weight { .. } => by_channel(parameter, true),
        ParameterRole::Bias => {
            let is_weight =
                |other: &&Parameter| other.step == parameter.step && matches!(other.role, ParameterRole::Weight { .. });
            let own = parameters.iter().find(is_weight).map(|weight| by_channel(weight, false)).transpose()?;
            match own.filter(|own| own.numel() == parameter.tensor.numel()) {
                Some(own) => own.f_reshape(parameter.tensor.size()),
                None => parameter.tensor.f_detach()?.f_ones_like(),
            }
        }
        ParameterRole::Factor => parameter.tensor.f_detach()?.f_ones_like(),
    }
}

/// The axis of a weight, as its operator holds it, along which its output channels lie.
fn channel_axis(parameter: &Parameter) -> Torch<usize> {
    let ParameterRole::Weight { outputs } = parameter.role else { return Ok(0) };
    let stored = parameter.as_stored(&parameter.tensor)?.size();
    let held = parameter.tensor.size();
    // A matrix may be held transposed, and with more axes in front.
    let transposed = parameter.is_transposed();
    let axis = if transposed { stored.len() - 1 - outputs } else { outputs };
    Ok(axis + held.len() - stored.len())
}

/// The steps with weights that read, through others without, one of the values.
fn steps_after(network: &Network, parameters: &[Parameter], values: &[usize]) -> HashSet<usize> {
    let (_, readers) = wires(network.steps(), network.values().len());
    let weighted: HashSet<usize> = parameters
        .iter()
        .filter(|parameter| matches!(parameter.role, ParameterRole::Weight { .. }))
        .map(|parameter| parameter.step)
        .collect();
    let (mut found, mut seen, mut open) = (HashSet::new(), HashSet::new(), values.to_vec());
    while let Some(id) = open.pop() {
        for &step in readers[id].iter().filter(|&&step| seen.insert(step)) {
            if weighted.contains(&step) {
                found.insert(step);
            } else {
                open.extend(network.steps()[step].outputs.iter().flatten());
            }
        }
    }
    found
}
