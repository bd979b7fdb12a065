//! What names stand for while a network is loaded: constants in the precision of the run, and values that vary.

use tch::{Kind, Tensor};

use super::{Known, Loader, wrong};
use crate::graph::builder::Slot;
use crate::graph::error::GraphError;
use crate::graph::onnx::proto::NodeProto;
use crate::graph::onnx::{ElementType, OnnxError, OnnxTensor};
use crate::graph::ops;
use crate::graph::tensors::{has_nan, is_finite, tensor_from_onnx};

impl Loader<'_> {
    /// Names a constant, in the run's precision and on its device.
    ///
    /// # Errors
    /// When it holds NaN. Infinity is left to who reads it.
    pub(super) fn define_constant(
        &mut self,
        node: &str,
        operator: &str,
        name: &str,
        tensor: Tensor,
    ) -> Result<(), GraphError> {
        if !is_finite(&tensor)? {
            if has_nan(&tensor)? {
                return Err(GraphError::NotFinite(format!(
                    "{}: the constant '{name}' of node '{node}' ({operator}) holds NaN; export the model again",
                    self.file.path.display()
                )));
            }
            self.infinite.insert(name.to_owned());
        }
        let tensor = self.constant(tensor)?;
        self.known.insert(name.to_owned(), Known::Constant(tensor));
        Ok(())
    }

    /// Refuses infinite constants that an operator would multiply by, or divide.
    pub(super) fn check_infinite(&self, node: &NodeProto, name: &str, operator: &str) -> Result<(), GraphError> {
        match node.input.iter().find(|input| self.infinite.contains(*input)) {
            Some(input) if !ops::takes_infinity(operator) => Err(GraphError::NotFinite(format!(
                "{}: the constant '{input}' of node '{name}' ({operator}) holds infinity, which only operators take that \
                 choose, compare or add; export the model again",
                self.file.path.display()
            ))),
            _ => Ok(()),
        }
    }

    /// A constant in the run's precision and on its device.
    pub(super) fn constant(&self, tensor: Tensor) -> Result<Tensor, GraphError> {
        let tensor = match tensor.kind() {
            Kind::Float | Kind::Double => tensor.f_to_kind(self.options.kind)?,
            _ => tensor,
        };
        Ok(tensor.f_to_device(self.options.device)?)
    }

    /// Refuses operators that compute with a constant whose element type is held in a wider one, whose results would be
    /// others without a word.
    pub(super) fn check_held_wider(&self, node: &NodeProto, name: &str, operator: &str) -> Result<(), GraphError> {
        for input in &node.input {
            let held = self.stored_type(input).and_then(|code| ElementType::try_from(code).ok());
            if let Some(held) = held.filter(|held| held.is_held_wider())
                && !ops::takes_any_element_type(operator)
            {
                return Err(GraphError::File(OnnxError::Tensor {
                    tensor: input.clone(),
                    problem: format!(
                        "it has the element type {}, which node '{name}' ({operator}) does not take: only DequantizeLinear, Cast \
                         and operators that move entries do; save it as int32 or as floats",
                        held.name()
                    ),
                }));
            }
        }
        Ok(())
    }

    /// ONNX's element type of a constant that the file has as such; some are computed with in a wider one.
    pub(super) fn stored_type(&self, name: &str) -> Option<i32> {
        let initializer = self.initializers.get(name).and_then(|tensor| tensor.data_type);
        initializer.or_else(|| self.constant_types.get(name).copied())
    }

    /// What a node reads by this name; nothing where it is left out.
    ///
    /// # Errors
    /// When nothing has made it.
    pub(super) fn slot(&mut self, node: &str, operator: &str, name: &str) -> Result<Option<Slot>, GraphError> {
        if name.is_empty() {
            return Ok(None);
        }
        if !self.known.contains_key(name)
            && let Some(proto) = self.initializers.get(name)
        {
            let tensor = tensor_from_onnx(&OnnxTensor::from_proto(proto, &self.file.folder(), name)?)?;
            self.define_constant(node, operator, name, tensor)?;
        }
        match self.known.get(name) {
            Some(Known::Constant(tensor)) => Ok(Some(Slot::Constant(tensor.shallow_clone()))),
            Some(Known::Varying(id)) => {
                let value = &self.values[*id];
                Ok(Some(Slot::Varying { shape: value.shape.clone(), kind: value.kind }))
            }
            None if self.sequences.contains_key(name) => Err(wrong(
                self.file,
                format!(
                    "node '{node}' ({operator}) reads '{name}', which is a list of values; only operators of lists take one"
                ),
            )),
            None => Err(wrong(
                self.file,
                if self.made.contains(name) {
                    format!(
                        "node '{node}' ({operator}) reads '{name}', which is made after it: the graph has a cycle, or its nodes \
                         are not in order; export the model again"
                    )
                } else {
                    format!(
                        "node '{node}' ({operator}) reads '{name}', which nothing makes: a constant is missing; \
                         export the model again"
                    )
                },
            )),
        }
    }
}
