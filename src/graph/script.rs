//! TorchScript modules: end to end by libtorch's forward-mode automatic differentiation.
//!
//! A module is a network of one step, whose operator is the module. There are no layers in it to look into.

use std::path::Path;

use tch::{CModule, IValue, Kind, TchError, Tensor, jit};

use crate::symmetry::{Grid, GridKind};

use super::error::{GraphError, first_line};
use super::layout::{Flow, Layout, plane};
use super::load::{InputLayout, LoadOptions, Target};
use super::memory_order::MemoryOrder;
use super::network::{Network, Step, ValueInfo};
use super::onnx::{Foreign, recognise};
use super::operator::{Forward, Operator, Torch};
use super::plan;

/// What the layerwise commands say to a TorchScript module; to be read behind the file's name.
pub const NEEDS_ONNX: &str = "this is a TorchScript module, and layers are measured on ONNX models alone (`aliascope lee` takes \
     TorchScript too); export the network with torch.onnx.export(model.eval(), image, 'model.onnx', opset_version=17)";

/// The operator's name of the one step.
pub const TORCHSCRIPT: &str = "TorchScript";

/// Whether a file is a TorchScript module.
pub fn is_module(path: &Path) -> bool {
    recognise(path) == Some(Foreign::TorchScript)
}

/// A module as an operator: lane by lane, as it may have been traced for a batch of one.
#[derive(Debug)]
struct Script(CModule);

impl Script {
    fn one(&self, x: &Tensor) -> Torch<Tensor> {
        let first = |values: Vec<IValue>| values.into_iter().next().unwrap_or(IValue::None);
        let output = match self.0.forward_is(&[IValue::Tensor(x.shallow_clone())])? {
            IValue::TensorList(tensors) => tensors.into_iter().next().map_or(IValue::None, IValue::Tensor),
            IValue::Tuple(values) | IValue::GenericList(values) => first(values),
            other => other,
        };
        match output {
            IValue::Tensor(tensor) => Ok(tensor),
            _ => Err(TchError::Torch("the module's first output is not a tensor".to_owned())),
        }
    }
}

impl Forward for Script {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        // Forward mode needs no graph for a backward pass.
        tch::no_grad(|| {
            let lanes = x[0].size()[0];
            let outputs = (0..lanes).map(|i| self.one(&x[0].f_select(0, i)?)).collect::<Torch<Vec<_>>>()?;
            Ok(vec![Tensor::f_stack(&outputs, 0)?])
        })
    }
}

impl Network {
    /// Loads a TorchScript module with one image input; `options.input_shape` is needed, as the file does not state it.
    ///
    /// # Errors
    /// When the file is no TorchScript module, the shape is missing, or the module refuses an image of that shape.
    pub fn load_torchscript(path: &Path, options: &LoadOptions) -> Result<Self, GraphError> {
        let wrong = |problem: String| GraphError::Graph { path: path.display().to_string(), problem };
        if options.layout == Some(InputLayout::ChannelsLast) {
            let problem = "a TorchScript module takes its images channels first; leave out --layout".to_owned();
            return Err(wrong(problem));
        }
        let target = match &options.target {
            Target::First => None,
            Target::Output(given) => Some(("--output-name", given)),
            Target::At(given) => Some(("--at", given)),
        };
        if let Some((option, given)) = target {
            let problem = "cannot be found, as a TorchScript module has neither; export the network to ONNX".to_owned();
            let path = path.display().to_string();
            return Err(GraphError::Target { path, option, given: given.clone(), problem });
        }
        let shape = options.input_shape.clone().ok_or_else(|| GraphError::DynamicInput {
            path: path.display().to_string(),
            input: "of the TorchScript module".to_owned(),
            shape: "?".to_owned(),
            example: "1,3,224,224".to_owned(),
        })?;
        if shape.len() < 2 || shape[0] != 1 || shape.iter().any(|&n| !(1..=1 << 20).contains(&n)) {
            let given = shape.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
            let problem = "is not a batch of one, such as 1,3,224,224".to_owned();
            return Err(GraphError::InputShape { path: path.display().to_string(), given, problem });
        }
        // Fused and specialised graphs drop forward-mode tangents.
        jit::f_set_profiling_mode(false)?;
        jit::f_set_graph_executor_optimize(false)?;
        jit::f_set_tensor_expr_fuser_enabled(false)?;
        let mut module = CModule::load_on_device(path, options.device).map_err(|error| {
            wrong(format!(
                "this is not a TorchScript module ({}); a state dict or a pickled module is none: save it with \
                 torch.jit.trace(model.eval(), image).save('model.pt')",
                first_line(&error)
            ))
        })?;
        module.f_set_eval()?;
        module.to(options.device, options.kind, false);
        let script = Script(module);
        let size = [&[1], shape.as_slice()].concat();
        // Not zeros: an output that is a probability is to be told from one that is nothing.
        let x = Tensor::f_ones(&size, (options.kind, options.device))?.f_mul_scalar(0.3)?;
        let y = script.forward(&[&x]).map_err(|error| {
            wrong(format!(
                "the module refuses an input of shape {shape:?} in this precision: {}; check --input-shape, --precision",
                first_line(&error)
            ))
        })?;
        let output_shape = y[0].size()[1..].to_vec();
        if !matches!(y[0].kind(), Kind::Float | Kind::Double) {
            return Err(wrong("the module's output is not made of floats".to_owned()));
        }
        let probabilities = gives_probabilities(&y[0])?;
        let layout = plane(&shape)
            .map_or(Layout::Unknown, |(rows, columns)| Layout::planar(Grid::image(rows, columns, GridKind::Tracked)));
        let value = |name: &str, shape, layout| ValueInfo {
            name: name.to_owned(),
            shape,
            kind: options.kind,
            layout,
            relates: false,
        };
        let step = Step {
            name: "forward".to_owned(),
            module: String::new(),
            op_type: TORCHSCRIPT.to_owned(),
            operator: Operator::Automatic(Box::new(script)),
            inputs: vec![0],
            outputs: vec![Some(1)],
            frees: vec![0],
            may_overwrite: false,
            flow: Flow::Lost,
        };
        let steps = vec![step];
        Ok(Self {
            path: path.to_owned(),
            tasks: plan::plain(&steps),
            steps,
            values: vec![value("input", shape, layout), value("output", output_shape, Layout::Unknown)],
            output: 1,
            metadata: Vec::new(),
            target: Target::First,
            input_layout: InputLayout::ChannelsFirst,
            integers: None,
            sized_by: None,
            other_outputs: Vec::new(),
            probabilities,
            kind: options.kind,
            device: options.device,
            order: MemoryOrder::of(options.kind),
        })
    }
}

/// Whether the last axis holds numbers in 0 ‥ 1 whose sum is 1: the module ends in a softmax.
fn gives_probabilities(y: &Tensor) -> Torch<bool> {
    if y.dim() < 2 || y.numel() == 0 {
        return Ok(false);
    }
    let sums = y.f_sum_dim_intlist([-1].as_slice(), false, None::<Kind>)?;
    let sums = sums.f_sub_scalar(1.0)?.f_abs()?.f_max()?.f_double_value(&[])?;
    Ok(y.f_min()?.f_double_value(&[])? >= 0.0 && sums < 1e-5)
}
