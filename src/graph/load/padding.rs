//! Padding with −∞ in front of a maximum, which exporters write as a node of its own: the maximum takes it over.
//!
//! The values are the same. But what a padded value is at its rim has no derivative along rows and columns, and with it
//! none of the errors could be told of the node.

use std::collections::{HashMap, HashSet};

use tch::{Kind, Tensor};

use crate::graph::builder::Slot;
use crate::graph::onnx::proto::{AttributeProto, NodeProto};

/// A value that is padded with −∞, and how far.
#[derive(Clone, Debug)]
pub(super) struct Padding {
    source: String,
    /// Before rows and columns, then after them.
    pads: [i64; 4],
}

/// The values that maxima alone read, and that have their padding stated or none.
pub(super) fn read_by_maxima<'n>(
    nodes: impl Iterator<Item = &'n NodeProto> + Clone,
    outputs: &[&str],
) -> HashSet<String> {
    let mut others: HashSet<&str> = outputs.iter().copied().collect();
    let mut maxima = HashSet::new();
    for node in nodes {
        let takes = is_plain_maximum(node);
        for (i, name) in super::reads(node).enumerate() {
            if takes && i == 0 {
                maxima.insert(name);
            } else {
                others.insert(name);
            }
        }
    }
    maxima.difference(&others).map(|name| (*name).to_owned()).collect()
}

fn is_plain_maximum(node: &NodeProto) -> bool {
    let attribute = |name: &str| node.attribute.iter().find(|a| a.name.as_deref() == Some(name));
    node.op_type.as_deref() == Some("MaxPool")
        && node.output.iter().skip(1).all(String::is_empty)
        && attribute("auto_pad").is_none_or(|a| matches!(a.s.as_deref(), None | Some(b"NOTSET")))
        && attribute("ceil_mode").is_none_or(|a| a.i.unwrap_or(0) == 0)
        && attribute("pads").is_none_or(|a| matches!(a.ints.len(), 0 | 4))
}

impl Padding {
    /// What a node pads with −∞, where it pads rows and columns of images alone.
    pub fn of(node: &NodeProto, slots: &[Option<Slot>]) -> Option<Self> {
        let attribute = |name: &str| node.attribute.iter().find(|a| a.name.as_deref() == Some(name));
        let constant = attribute("mode").is_none_or(|a| a.s.as_deref() == Some(b"constant"));
        let constant = constant && node.op_type.as_deref() == Some("Pad") && slots.get(3).is_none_or(Option::is_none);
        let Some(Some(Slot::Varying { shape, .. })) = slots.first() else { return None };
        if !constant || shape.len() != 4 {
            return None;
        }
        let given = |i: usize| match slots.get(i) {
            Some(Some(Slot::Constant(tensor))) => Some(tensor),
            _ => None,
        };
        let value = match (attribute("value"), given(2)) {
            (Some(a), _) => f64::from(a.f.unwrap_or(0.0)),
            (None, Some(tensor)) if tensor.numel() == 1 => number(tensor)?,
            _ => return None,
        };
        let pads = match (attribute("pads"), given(1)) {
            (Some(a), _) => a.ints.clone(),
            (None, Some(tensor)) => Vec::try_from(&tensor.f_to_kind(Kind::Int64).ok()?.f_reshape([-1]).ok()?).ok()?,
            _ => return None,
        };
        match pads[..] {
            [0, 0, top, left, 0, 0, bottom, right]
                if value == f64::NEG_INFINITY
                    && [top, left, bottom, right].iter().all(|p| (0..1 << 20).contains(p)) =>
            {
                Some(Self { source: node.input.first()?.clone(), pads: [top, left, bottom, right] })
            }
            _ => None,
        }
    }

    /// The padded value's name before it was padded.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The maximum with the padding as its own.
    pub fn taken_over(&self, maximum: &NodeProto) -> NodeProto {
        let mut node = maximum.clone();
        if let Some(input) = node.input.first_mut() {
            input.clone_from(&self.source);
        }
        let own = node.attribute.iter().position(|a| a.name.as_deref() == Some("pads"));
        let mut pads = own.map(|at| node.attribute.remove(at).ints).unwrap_or_default();
        pads.resize(4, 0);
        let pads = pads.iter().zip(&self.pads).map(|(a, b)| a.saturating_add(*b)).collect();
        let name = Some("pads".to_owned());
        node.attribute.push(AttributeProto { name, r#type: Some(7), ints: pads, ..Default::default() });
        node
    }
}

fn number(tensor: &Tensor) -> Option<f64> {
    tensor.f_to_kind(Kind::Double).ok()?.f_reshape([-1]).ok()?.f_double_value(&[0]).ok()
}

/// The paddings that maxima take over, by the padded value's name.
pub(super) type Paddings = HashMap<String, Padding>;
