//! ONNX's messages: every message and field of its specification (IR version 14), so that a file that is read and
//! written again loses nothing. Field numbers are the specification's.

use prost::{Message, Oneof};

/// A named value of a node.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// `name`
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// `f`
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// `i`
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// `s`
    #[prost(bytes = "vec", optional, tag = "4")]
    pub s: Option<Vec<u8>>,
    /// `t`
    #[prost(message, optional, boxed, tag = "5")]
    pub t: Option<Box<TensorProto>>,
    /// `g`
    #[prost(message, optional, boxed, tag = "6")]
    pub g: Option<Box<GraphProto>>,
    /// `floats`
    #[prost(float, repeated, tag = "7", packed = "false")]
    pub floats: Vec<f32>,
    /// `ints`
    #[prost(int64, repeated, tag = "8", packed = "false")]
    pub ints: Vec<i64>,
    /// `strings`
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub strings: Vec<Vec<u8>>,
    /// `tensors`
    #[prost(message, repeated, tag = "10")]
    pub tensors: Vec<TensorProto>,
    /// `graphs`
    #[prost(message, repeated, tag = "11")]
    pub graphs: Vec<GraphProto>,
    /// `doc_string`
    #[prost(string, optional, tag = "13")]
    pub doc_string: Option<String>,
    /// `tp`
    #[prost(message, optional, boxed, tag = "14")]
    pub tp: Option<Box<TypeProto>>,
    /// `type_protos`
    #[prost(message, repeated, tag = "15")]
    pub type_protos: Vec<TypeProto>,
    /// `type`
    #[prost(int32, optional, tag = "20")]
    pub r#type: Option<i32>,
    /// `ref_attr_name`
    #[prost(string, optional, tag = "21")]
    pub ref_attr_name: Option<String>,
    /// `sparse_tensor`
    #[prost(message, optional, boxed, tag = "22")]
    pub sparse_tensor: Option<Box<SparseTensorProto>>,
    /// `sparse_tensors`
    #[prost(message, repeated, tag = "23")]
    pub sparse_tensors: Vec<SparseTensorProto>,
}

/// The name and type of a value.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    /// `name`
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// `type`
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
    /// `doc_string`
    #[prost(string, optional, tag = "3")]
    pub doc_string: Option<String>,
    /// `metadata_props`
    #[prost(message, repeated, tag = "4")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// One call of an operator.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// `input`
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// `output`
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// `name`
    #[prost(string, optional, tag = "3")]
    pub name: Option<String>,
    /// `op_type`
    #[prost(string, optional, tag = "4")]
    pub op_type: Option<String>,
    /// `attribute`
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// `doc_string`
    #[prost(string, optional, tag = "6")]
    pub doc_string: Option<String>,
    /// `domain`
    #[prost(string, optional, tag = "7")]
    pub domain: Option<String>,
    /// `overload`
    #[prost(string, optional, tag = "8")]
    pub overload: Option<String>,
    /// `metadata_props`
    #[prost(message, repeated, tag = "9")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// `device_configurations`
    #[prost(message, repeated, tag = "10")]
    pub device_configurations: Vec<NodeDeviceConfigurationProto>,
}

/// A key with a list of integers.
#[derive(Clone, PartialEq, Message)]
pub struct IntIntListEntryProto {
    /// `key`
    #[prost(int64, optional, tag = "1")]
    pub key: Option<i64>,
    /// `value`
    #[prost(int64, repeated, tag = "2", packed = "false")]
    pub value: Vec<i64>,
}

/// How a node is spread over devices.
#[derive(Clone, PartialEq, Message)]
pub struct NodeDeviceConfigurationProto {
    /// `configuration_id`
    #[prost(string, optional, tag = "1")]
    pub configuration_id: Option<String>,
    /// `sharding_spec`
    #[prost(message, repeated, tag = "2")]
    pub sharding_spec: Vec<ShardingSpecProto>,
    /// `pipeline_stage`
    #[prost(int32, optional, tag = "3")]
    pub pipeline_stage: Option<i32>,
}

/// How a tensor is spread over devices.
#[derive(Clone, PartialEq, Message)]
pub struct ShardingSpecProto {
    /// `tensor_name`
    #[prost(string, optional, tag = "1")]
    pub tensor_name: Option<String>,
    /// `device`
    #[prost(int64, repeated, tag = "2", packed = "false")]
    pub device: Vec<i64>,
    /// `index_to_device_group_map`
    #[prost(message, repeated, tag = "3")]
    pub index_to_device_group_map: Vec<IntIntListEntryProto>,
    /// `sharded_dim`
    #[prost(message, repeated, tag = "4")]
    pub sharded_dim: Vec<ShardedDimProto>,
}

/// How an axis is spread over devices.
#[derive(Clone, PartialEq, Message)]
pub struct ShardedDimProto {
    /// `axis`
    #[prost(int64, optional, tag = "1")]
    pub axis: Option<i64>,
    /// `simple_sharding`
    #[prost(message, repeated, tag = "2")]
    pub simple_sharding: Vec<SimpleShardedDimProto>,
}

/// A part of an axis.
#[derive(Clone, PartialEq, Message)]
pub struct SimpleShardedDimProto {
    /// `num_shards`
    #[prost(int64, optional, tag = "3")]
    pub num_shards: Option<i64>,
    /// `dim`
    #[prost(oneof = "ShardedDimension", tags = "1, 2")]
    pub dim: Option<ShardedDimension>,
}

/// The alternatives of [`SimpleShardedDimProto`].
#[derive(Clone, PartialEq, Oneof)]
pub enum ShardedDimension {
    /// `dim_value`
    #[prost(int64, tag = "1")]
    Value(i64),
    /// `dim_param`
    #[prost(string, tag = "2")]
    Param(String),
}

/// Graphs that train the model.
#[derive(Clone, PartialEq, Message)]
pub struct TrainingInfoProto {
    /// `initialization`
    #[prost(message, optional, tag = "1")]
    pub initialization: Option<GraphProto>,
    /// `algorithm`
    #[prost(message, optional, tag = "2")]
    pub algorithm: Option<GraphProto>,
    /// `initialization_binding`
    #[prost(message, repeated, tag = "3")]
    pub initialization_binding: Vec<StringStringEntryProto>,
    /// `update_binding`
    #[prost(message, repeated, tag = "4")]
    pub update_binding: Vec<StringStringEntryProto>,
}

/// A whole file.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// `ir_version`
    #[prost(int64, optional, tag = "1")]
    pub ir_version: Option<i64>,
    /// `producer_name`
    #[prost(string, optional, tag = "2")]
    pub producer_name: Option<String>,
    /// `producer_version`
    #[prost(string, optional, tag = "3")]
    pub producer_version: Option<String>,
    /// `domain`
    #[prost(string, optional, tag = "4")]
    pub domain: Option<String>,
    /// `model_version`
    #[prost(int64, optional, tag = "5")]
    pub model_version: Option<i64>,
    /// `doc_string`
    #[prost(string, optional, tag = "6")]
    pub doc_string: Option<String>,
    /// `graph`
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// `opset_import`
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// `metadata_props`
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
    /// `training_info`
    #[prost(message, repeated, tag = "20")]
    pub training_info: Vec<TrainingInfoProto>,
    /// `functions`
    #[prost(message, repeated, tag = "25")]
    pub functions: Vec<FunctionProto>,
    /// `configuration`
    #[prost(message, repeated, tag = "26")]
    pub configuration: Vec<DeviceConfigurationProto>,
}

/// A named set of devices.
#[derive(Clone, PartialEq, Message)]
pub struct DeviceConfigurationProto {
    /// `name`
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// `num_devices`
    #[prost(int32, optional, tag = "2")]
    pub num_devices: Option<i32>,
    /// `device`
    #[prost(string, repeated, tag = "3")]
    pub device: Vec<String>,
}

/// A key and its value.
#[derive(Clone, PartialEq, Message)]
pub struct StringStringEntryProto {
    /// `key`
    #[prost(string, optional, tag = "1")]
    pub key: Option<String>,
    /// `value`
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

/// Quantization parameters of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TensorAnnotation {
    /// `tensor_name`
    #[prost(string, optional, tag = "1")]
    pub tensor_name: Option<String>,
    /// `quant_parameter_tensor_names`
    #[prost(message, repeated, tag = "2")]
    pub quant_parameter_tensor_names: Vec<StringStringEntryProto>,
}

/// Nodes in topological order, with constants, inputs and outputs.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// `node`
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// `name`
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
    /// `initializer`
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// `doc_string`
    #[prost(string, optional, tag = "10")]
    pub doc_string: Option<String>,
    /// `input`
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// `output`
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    /// `value_info`
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
    /// `quantization_annotation`
    #[prost(message, repeated, tag = "14")]
    pub quantization_annotation: Vec<TensorAnnotation>,
    /// `sparse_initializer`
    #[prost(message, repeated, tag = "15")]
    pub sparse_initializer: Vec<SparseTensorProto>,
    /// `metadata_props`
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// A tensor with its data, or where the data lie.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// `dims`
    #[prost(int64, repeated, tag = "1", packed = "false")]
    pub dims: Vec<i64>,
    /// `data_type`
    #[prost(int32, optional, tag = "2")]
    pub data_type: Option<i32>,
    /// `segment`
    #[prost(message, optional, tag = "3")]
    pub segment: Option<TensorSegment>,
    /// `float_data`
    #[prost(float, repeated, tag = "4", packed = "true")]
    pub float_data: Vec<f32>,
    /// `int32_data`
    #[prost(int32, repeated, tag = "5", packed = "true")]
    pub int32_data: Vec<i32>,
    /// `string_data`
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub string_data: Vec<Vec<u8>>,
    /// `int64_data`
    #[prost(int64, repeated, tag = "7", packed = "true")]
    pub int64_data: Vec<i64>,
    /// `name`
    #[prost(string, optional, tag = "8")]
    pub name: Option<String>,
    /// `raw_data`
    #[prost(bytes = "vec", optional, tag = "9")]
    pub raw_data: Option<Vec<u8>>,
    /// `double_data`
    #[prost(double, repeated, tag = "10", packed = "true")]
    pub double_data: Vec<f64>,
    /// `uint64_data`
    #[prost(uint64, repeated, tag = "11", packed = "true")]
    pub uint64_data: Vec<u64>,
    /// `doc_string`
    #[prost(string, optional, tag = "12")]
    pub doc_string: Option<String>,
    /// `external_data`
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
    /// `data_location`
    #[prost(int32, optional, tag = "14")]
    pub data_location: Option<i32>,
    /// `metadata_props`
    #[prost(message, repeated, tag = "16")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// A part of a tensor.
#[derive(Clone, PartialEq, Message)]
pub struct TensorSegment {
    /// `begin`
    #[prost(int64, optional, tag = "1")]
    pub begin: Option<i64>,
    /// `end`
    #[prost(int64, optional, tag = "2")]
    pub end: Option<i64>,
}

/// A tensor given by its non-zero entries.
#[derive(Clone, PartialEq, Message)]
pub struct SparseTensorProto {
    /// `values`
    #[prost(message, optional, tag = "1")]
    pub values: Option<TensorProto>,
    /// `indices`
    #[prost(message, optional, tag = "2")]
    pub indices: Option<TensorProto>,
    /// `dims`
    #[prost(int64, repeated, tag = "3", packed = "false")]
    pub dims: Vec<i64>,
}

/// Sizes, some of them open.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// `dim`
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<Dimension>,
}

/// One axis.
#[derive(Clone, PartialEq, Message)]
pub struct Dimension {
    /// `denotation`
    #[prost(string, optional, tag = "3")]
    pub denotation: Option<String>,
    /// `value`
    #[prost(oneof = "DimensionValue", tags = "1, 2")]
    pub value: Option<DimensionValue>,
}

/// The alternatives of [`Dimension`].
#[derive(Clone, PartialEq, Oneof)]
pub enum DimensionValue {
    /// `dim_value`
    #[prost(int64, tag = "1")]
    Value(i64),
    /// `dim_param`
    #[prost(string, tag = "2")]
    Param(String),
}

/// The type of a value.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    /// `denotation`
    #[prost(string, optional, tag = "6")]
    pub denotation: Option<String>,
    /// `value`
    #[prost(oneof = "TypeValue", tags = "1, 4, 5, 9, 8, 7")]
    pub value: Option<TypeValue>,
}

/// The alternatives of [`TypeProto`].
#[derive(Clone, PartialEq, Oneof)]
pub enum TypeValue {
    /// `tensor_type`
    #[prost(message, tag = "1")]
    Tensor(TensorType),
    /// `sequence_type`
    #[prost(message, boxed, tag = "4")]
    Sequence(Box<SequenceType>),
    /// `map_type`
    #[prost(message, boxed, tag = "5")]
    Map(Box<MapType>),
    /// `optional_type`
    #[prost(message, boxed, tag = "9")]
    Optional(Box<OptionalType>),
    /// `sparse_tensor_type`
    #[prost(message, tag = "8")]
    SparseTensor(SparseTensorType),
    /// `opaque_type`
    #[prost(message, tag = "7")]
    Opaque(OpaqueType),
}

/// A tensor of some element type and shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorType {
    /// `elem_type`
    #[prost(int32, optional, tag = "1")]
    pub elem_type: Option<i32>,
    /// `shape`
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A list.
#[derive(Clone, PartialEq, Message)]
pub struct SequenceType {
    /// `elem_type`
    #[prost(message, optional, boxed, tag = "1")]
    pub elem_type: Option<Box<TypeProto>>,
}

/// A map.
#[derive(Clone, PartialEq, Message)]
pub struct MapType {
    /// `key_type`
    #[prost(int32, optional, tag = "1")]
    pub key_type: Option<i32>,
    /// `value_type`
    #[prost(message, optional, boxed, tag = "2")]
    pub value_type: Option<Box<TypeProto>>,
}

/// A value or nothing.
#[derive(Clone, PartialEq, Message)]
pub struct OptionalType {
    /// `elem_type`
    #[prost(message, optional, boxed, tag = "1")]
    pub elem_type: Option<Box<TypeProto>>,
}

/// A sparse tensor.
#[derive(Clone, PartialEq, Message)]
pub struct SparseTensorType {
    /// `elem_type`
    #[prost(int32, optional, tag = "1")]
    pub elem_type: Option<i32>,
    /// `shape`
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A type that only its domain knows.
#[derive(Clone, PartialEq, Message)]
pub struct OpaqueType {
    /// `domain`
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    /// `name`
    #[prost(string, optional, tag = "2")]
    pub name: Option<String>,
}

/// A domain and its opset.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    /// `domain`
    #[prost(string, optional, tag = "1")]
    pub domain: Option<String>,
    /// `version`
    #[prost(int64, optional, tag = "2")]
    pub version: Option<i64>,
}

/// A function made of nodes.
#[derive(Clone, PartialEq, Message)]
pub struct FunctionProto {
    /// `name`
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
    /// `input`
    #[prost(string, repeated, tag = "4")]
    pub input: Vec<String>,
    /// `output`
    #[prost(string, repeated, tag = "5")]
    pub output: Vec<String>,
    /// `attribute`
    #[prost(string, repeated, tag = "6")]
    pub attribute: Vec<String>,
    /// `node`
    #[prost(message, repeated, tag = "7")]
    pub node: Vec<NodeProto>,
    /// `doc_string`
    #[prost(string, optional, tag = "8")]
    pub doc_string: Option<String>,
    /// `opset_import`
    #[prost(message, repeated, tag = "9")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// `domain`
    #[prost(string, optional, tag = "10")]
    pub domain: Option<String>,
    /// `attribute_proto`
    #[prost(message, repeated, tag = "11")]
    pub attribute_proto: Vec<AttributeProto>,
    /// `value_info`
    #[prost(message, repeated, tag = "12")]
    pub value_info: Vec<ValueInfoProto>,
    /// `overload`
    #[prost(string, optional, tag = "13")]
    pub overload: Option<String>,
    /// `metadata_props`
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
}
