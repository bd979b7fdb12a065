//! A model file's bytes, from its messages.

use prost::Message;

use super::error::OnnxError;
use super::proto::{AttributeProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto};
use super::read::OnnxFile;
use super::tensor::embed_external_data;

/// A protobuf message of 2 GiB or more is refused by the programs that read it.
const LARGEST_MESSAGE: usize = i32::MAX as usize;

impl OnnxFile {
    /// The bytes of a file that holds the whole model.
    ///
    /// Tensors that lie in files beside the model are taken in, so that the new file can be put anywhere. All else is
    /// encoded as it was decoded.
    ///
    /// # Errors
    /// When a data file is missing, cut off or outside the model's folder, or the model is too large for one file.
    pub fn to_bytes(&self) -> Result<Vec<u8>, OnnxError> {
        let folder = self.folder();
        let mut model = self.model.clone();
        let mut taken_in = 0;
        for_each_tensor(&mut model, &mut |tensor| {
            taken_in += embed_external_data(tensor, &folder, LARGEST_MESSAGE - taken_in)?;
            Ok(())
        })?;
        let size = model.encoded_len();
        if size > LARGEST_MESSAGE {
            return Err(OnnxError::Format {
                path: self.path.clone(),
                problem: format!("one ONNX file holds less than 2 GiB, and the whole model needs {size} bytes"),
            });
        }
        Ok(model.encode_to_vec())
    }
}

type Visit<'a> = &'a mut dyn FnMut(&mut TensorProto) -> Result<(), OnnxError>;

/// Visits every tensor of a model, wherever a message may hold one.
fn for_each_tensor(model: &mut ModelProto, visit: Visit<'_>) -> Result<(), OnnxError> {
    if let Some(graph) = &mut model.graph {
        in_graph(graph, visit)?;
    }
    for training in &mut model.training_info {
        for graph in training.initialization.iter_mut().chain(&mut training.algorithm) {
            in_graph(graph, visit)?;
        }
    }
    for function in &mut model.functions {
        in_nodes(&mut function.node, visit)?;
        in_attributes(&mut function.attribute_proto, visit)?;
    }
    Ok(())
}

fn in_graph(graph: &mut GraphProto, visit: Visit<'_>) -> Result<(), OnnxError> {
    graph.initializer.iter_mut().try_for_each(&mut *visit)?;
    graph.sparse_initializer.iter_mut().try_for_each(|sparse| in_sparse(sparse, visit))?;
    in_nodes(&mut graph.node, visit)
}

fn in_nodes(nodes: &mut [NodeProto], visit: Visit<'_>) -> Result<(), OnnxError> {
    nodes.iter_mut().try_for_each(|node| in_attributes(&mut node.attribute, visit))
}

fn in_attributes(attributes: &mut [AttributeProto], visit: Visit<'_>) -> Result<(), OnnxError> {
    for attribute in attributes {
        attribute.t.as_deref_mut().into_iter().chain(&mut attribute.tensors).try_for_each(&mut *visit)?;
        for sparse in attribute.sparse_tensor.as_deref_mut().into_iter().chain(&mut attribute.sparse_tensors) {
            in_sparse(sparse, visit)?;
        }
        for graph in attribute.g.as_deref_mut().into_iter().chain(&mut attribute.graphs) {
            in_graph(graph, visit)?;
        }
    }
    Ok(())
}

fn in_sparse(sparse: &mut SparseTensorProto, visit: Visit<'_>) -> Result<(), OnnxError> {
    sparse.values.iter_mut().chain(&mut sparse.indices).try_for_each(visit)
}
