//! What training changes: parameters themselves, or a scale of each of their channels.

use std::collections::HashSet;

use aliascope_core::repair::Trained;
use tch::Tensor;

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
    /// Of a scale: the parameter as it was, and the axis of channels.
    scaled: Option<(Tensor, usize)>,
}

/// The variables, and the tensors that hold them.
#[derive(Debug)]
pub(super) struct Variables {
    pub all: Vec<Variable>,
    /// The parameters' own tensors, or scales.
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
            let (scaled, value) = match (train, parameter.role) {
                (Trained::Affine, ParameterRole::Weight { .. }) => {
                    let axis = channel_axis(parameter)?;
                    let shape: Vec<i64> =
                        tensor.size().iter().enumerate().map(|(a, &n)| if a == axis { n } else { 1 }).collect();
                    let ones = Tensor::f_ones(shape, (tensor.kind(), tensor.device()))?;
                    (Some((tensor.copy(), axis)), ones)
                }
                _ => (None, tensor.shallow_clone()),
            };
            all.push(Variable { parameter: at, scaled });
            values.push(value);
        }
        if all.is_empty() {
            return Err(RepairError::Nothing);
        }
        Ok(Self { all, values })
    }

    /// Gradients by the variables, from those by their parameters.
    pub fn gradients(&self, by_parameter: Vec<Tensor>) -> Torch<Vec<Tensor>> {
        let each = self.all.iter().zip(by_parameter).map(|(variable, gradient)| match &variable.scaled {
            // w = s·w₀, so that ∂/∂s = Σ ∂/∂w·w₀ over what the scale reaches.
            Some((start, axis)) => {
                let others: Vec<i64> = (0..start.dim()).filter(|a| a != axis).map(|a| a as i64).collect();
                gradient.f_mul(start)?.f_sum_dim_intlist(others.as_slice(), true, None)
            }
            None => Ok(gradient),
        });
        each.collect()
    }

    /// Writes values into the parameters; those of `values` are the variables' own.
    pub fn write(&self, parameters: &[Parameter], values: &[Tensor]) -> Torch<()> {
        for (variable, value) in self.all.iter().zip(values) {
            let mut tensor = parameters[variable.parameter].tensor.f_detach()?;
            match &variable.scaled {
                Some((start, _)) => tensor.f_copy_(&start.f_mul(value)?)?,
                None if tensor.data_ptr() == value.data_ptr() => {}
                None => tensor.f_copy_(value)?,
            }
        }
        Ok(())
    }

    /// How many numbers there are.
    pub fn count(&self) -> usize {
        self.values.iter().map(Tensor::numel).sum()
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
