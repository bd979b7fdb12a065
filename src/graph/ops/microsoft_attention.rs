//! The attentions of ONNX Runtime's optimiser, written out as products and softmaxes.

use tch::{Kind, Tensor};

use crate::graph::builder::Builder;
use crate::graph::error::GraphError;
use crate::graph::onnx::proto::NodeProto;

use super::expansion::{Writer, int, ints, only_outputs};

type Nodes = Result<Vec<NodeProto>, GraphError>;

/// What both attentions have.
struct Heads {
    count: i64,
    /// None where it is 1/√(size of a head).
    scale: Option<f64>,
    /// Added to the scores of masked entries.
    filter: f64,
    causal: bool,
}

impl Heads {
    fn read(b: &mut Builder<'_>) -> Result<Self, GraphError> {
        let count = b.int("num_heads")?.filter(|&n| n > 0).ok_or_else(|| b.invalid("it has no num_heads"))?;
        Ok(Self {
            count,
            scale: b.float("scale")?.filter(|&scale| scale != 0.0),
            filter: b.float("mask_filter_value")?.unwrap_or(-10_000.0),
            causal: b.int("unidirectional")?.unwrap_or(0) != 0,
        })
    }

    fn check(&self, b: &Builder<'_>, widths: &[i64]) -> Result<(), GraphError> {
        match widths.iter().find(|&width| *width < 1 || width % self.count != 0) {
            None => Ok(()),
            Some(width) => Err(b.invalid(format!("{} heads do not divide {width} features", self.count))),
        }
    }

    /// What is added to scores `[batch, heads, queries, keys]`: by the mask that is input `i`, and for keys after their
    /// query; none where nothing is.
    fn mask(&self, b: &Builder<'_>, i: usize, scores: [i64; 4]) -> Result<Option<Tensor>, GraphError> {
        let [batch, _, queries, keys] = scores;
        let mut total = None;
        if b.has(i) {
            let mask = b.parameter(i, "mask")?.f_to_kind(Kind::Int64)?;
            let size = mask.size();
            let places = Tensor::f_arange(keys, (Kind::Int64, mask.device()))?;
            let kept = match size[..] {
                // How many keys each sequence has; then where they start.
                [n] if n == batch || n == 2 * batch => {
                    let bound = |from: i64| mask.f_narrow(0, from, batch)?.f_view([batch, 1, 1, 1]);
                    let kept = places.f_lt_tensor(&bound(0)?)?;
                    if n == batch { kept } else { kept.f_logical_and(&places.f_ge_tensor(&bound(batch)?)?)? }
                }
                [n, k] if n == batch && k == keys => mask.f_view([batch, 1, 1, keys])?.f_gt(0)?,
                [n, q, k] if n == batch && q == queries && k == keys => {
                    mask.f_view([batch, 1, queries, keys])?.f_gt(0)?
                }
                _ => {
                    let hint = "lengths, [batch, keys] and [batch, queries, keys] are";
                    return Err(b.unsupported(format!("a mask of shape {size:?}"), hint));
                }
            };
            total = Some(kept.f_logical_not()?.f_to_kind(Kind::Double)?.f_mul_scalar(self.filter)?);
        }
        if self.causal {
            b.check_size(&[queries, keys])?;
            let later = Tensor::f_ones([queries, keys], (Kind::Double, b.device()))?.f_triu(1 + keys - queries)?;
            let later = later.f_mul_scalar(f64::from(f32::MIN))?.f_view([1, 1, queries, keys])?;
            total = Some(match total {
                Some(mask) => mask.f_add(&later)?,
                None => later,
            });
        }
        Ok(total)
    }

    /// `[batch, sequence, heads·size]` as `[batch, heads, sequence, size]`, or with the last two axes turned.
    fn split(&self, w: &mut Writer<'_>, x: &str, perm: [i64; 4]) -> String {
        let to = w.ints(&[0, 0, self.count, -1]);
        let x = w.add("Reshape", &[x, &to], Vec::new());
        w.add("Transpose", &[&x], vec![ints("perm", &perm)])
    }

    /// softmax(s·QKᵀ + mask + bias)·V, for Kᵀ, as `[batch, sequence, heads·size]`.
    fn attend(
        &self,
        w: &mut Writer<'_>,
        [q, k, v]: [&str; 3],
        size: i64,
        mask: Option<Tensor>,
        bias: &str,
    ) -> Result<String, GraphError> {
        let scale = w.number(self.scale.unwrap_or(1.0 / (size as f64).sqrt()))?;
        let mut scores = w.add("MatMul", &[q, k], Vec::new());
        scores = w.add("Mul", &[&scores, &scale], Vec::new());
        if let Some(mask) = mask {
            let mask = w.floats(&mask)?;
            scores = w.add("Add", &[&scores, &mask], Vec::new());
        }
        if !bias.is_empty() {
            scores = w.add("Add", &[&scores, bias], Vec::new());
        }
        let weights = w.add("Softmax", &[&scores], vec![int("axis", -1)]);
        let y = w.add("MatMul", &[&weights, v], Vec::new());
        let y = w.add("Transpose", &[&y], vec![ints("perm", &[0, 2, 1, 3])]);
        let to = w.ints(&[0, 0, -1]);
        Ok(w.add("Reshape", &[&y, &to], Vec::new()))
    }
}

const ACROSS: [i64; 4] = [0, 2, 1, 3];
const TURNED: [i64; 4] = [0, 2, 3, 1];

/// Refuses what remembers earlier runs: the inputs of these numbers.
fn refuse_past(b: &Builder<'_>, inputs: &[usize]) -> Result<(), GraphError> {
    match inputs.iter().find(|&&i| b.has(i)) {
        None => Ok(()),
        Some(i) => Err(b.unsupported(format!("past keys and values (input {i})"), "attention within one input is")),
    }
}

/// Attention: one matrix makes queries, keys and values of the input.
pub fn attention(b: &mut Builder<'_>, node: &NodeProto) -> Nodes {
    let heads = Heads::read(b)?;
    for name in ["do_rotary", "past_present_share_buffer", "rotary_embedding_dim"] {
        if let Some(value) = b.int(name)?.filter(|&value| value != 0) {
            return Err(b.unsupported(format!("{name} = {value}"), "0 is"));
        }
    }
    refuse_past(b, &[4, 6])?;
    only_outputs(b, node, &[0])?;
    let (shape, weight) = (b.shape(0)?, b.parameter(1, "weight")?);
    let ([batch, sequence, features], [rows, columns]) = (&shape[..], &weight.size()[..]) else {
        return Err(b.invalid("its input has not three axes, or its weight not two"));
    };
    let widths = b.ints("qkv_hidden_sizes")?.unwrap_or_else(|| vec![columns / 3; 3]);
    let total = widths.iter().try_fold(0i64, |sum, &n| if n < 0 { None } else { sum.checked_add(n) });
    if widths.len() != 3 || total != Some(*columns) || rows != features || widths[0] != widths[1] {
        return Err(b.invalid(format!("its weight {:?} does not make {widths:?} of {features}", weight.size())));
    }
    heads.check(b, &widths)?;
    let bias = if b.has(2) { Some(b.parameter(2, "bias")?) } else { None };
    if let Some(bias) = bias.as_ref().filter(|bias| bias.size() != [*columns]) {
        return Err(b.invalid(format!("its bias has the shape {:?}", bias.size())));
    }
    let scores = [*batch, heads.count, *sequence, *sequence];
    b.check_size(&scores)?;
    let mask = heads.mask(b, 3, scores)?;
    b.has(5);
    let mut w = Writer::new(node);
    let mut parts = Vec::with_capacity(3);
    let mut start = 0;
    for (&width, perm) in widths.iter().zip([ACROSS, TURNED, ACROSS]) {
        let part = w.floats(&weight.f_narrow(1, start, width)?)?;
        let mut x = w.add("MatMul", &[&w.input(0), &part], Vec::new());
        if let Some(bias) = &bias {
            let part = w.floats(&bias.f_narrow(0, start, width)?)?;
            x = w.add("Add", &[&x, &part], Vec::new());
        }
        parts.push(heads.split(&mut w, &x, perm));
        start += width;
    }
    let attention_bias = w.input(5);
    let parts = [parts[0].as_str(), &parts[1], &parts[2]];
    let y = heads.attend(&mut w, parts, widths[0] / heads.count, mask, &attention_bias)?;
    Ok(w.finish(&[(0, &y)]))
}

/// MultiHeadAttention: queries, keys and values are inputs, `[batch, sequence, heads·size]` each; keys and values may
/// be split into heads already, or all three packed in one as `[batch, sequence, heads, 3, size]`, the last two as
/// `[batch, sequence, heads, 2, size]`.
pub fn multi_head_attention(b: &mut Builder<'_>, node: &NodeProto) -> Nodes {
    let heads = Heads::read(b)?;
    refuse_past(b, &[6, 7, 8, 9])?;
    only_outputs(b, node, &[0])?;
    let query = b.shape(0)?;
    let shape = |i: usize| if b.has(i) { b.shape(i) } else { Ok(Vec::new()) };
    let (key, value) = (shape(1)?, shape(2)?);
    b.has(3);
    b.has(5);
    let h = heads.count;
    // Queries, keys, size of a head, size of a head of values.
    let (queries, keys, size, value_size) = match (&query[..], &key[..], &value[..]) {
        ([_, s, n, 3, d], [], []) if *n == h => (*s, *s, *d, *d),
        ([_, s, q], [_, l, n, 2, d], []) if *n == h && *q == h * d => (*s, *l, *d, *d),
        ([_, s, q], [_, l, k], [_, lv, v]) if l == lv && k == q => (*s, *l, q / h, v / h),
        ([_, s, q], [_, n, l, d], [_, nv, lv, dv]) if [*n, *nv] == [h; 2] && l == lv && *q == h * d => {
            (*s, *l, *d, *dv)
        }
        _ => return Err(b.invalid("its query, key and value do not fit each other and its heads")),
    };
    if query.len() == 3 {
        heads.check(b, &[query[2]])?;
    }
    if value.len() == 3 {
        heads.check(b, &[value[2]])?;
    }
    let scores = [query[0], h, queries, keys];
    b.check_size(&scores)?;
    let mask = heads.mask(b, 4, scores)?;
    let bias = if b.has(3) { Some(b.parameter(3, "bias")?) } else { None };
    let widths = [h * size, h * size, h * value_size];
    if let Some(bias) = bias.as_ref().filter(|bias| bias.size() != [widths.iter().sum::<i64>()]) {
        return Err(b.invalid(format!("its bias has the shape {:?}", bias.size())));
    }
    let mut w = Writer::new(node);
    let mut parts = Vec::with_capacity(3);
    let mut start = 0;
    for (i, (&width, perm)) in widths.iter().zip([ACROSS, TURNED, ACROSS]).enumerate() {
        // The input that holds the part, its place there where it is packed, and how many axes it has.
        let (input, packed, axes) = match (query.len(), key.len()) {
            (5, _) => (0, Some(i as i64), 4),
            (_, 5) if i > 0 => (1, Some(i as i64 - 1), 4),
            (_, rank) if i > 0 => (i, None, rank),
            _ => (0, None, 3),
        };
        let mut x = w.input(input);
        let split = input > 0 && packed.is_none() && axes == 4;
        if let Some(place) = packed {
            let index = w.ints(&[place]);
            x = w.add("Gather", &[&x, &index], vec![int("axis", 3)]);
            let to = w.ints(&[0, 0, h * if i == 2 { value_size } else { size }]);
            x = w.add("Reshape", &[&x, &to], Vec::new());
        }
        if let Some(bias) = &bias {
            if split {
                return Err(b.unsupported("a bias beside keys that are split into heads", String::new()));
            }
            let part = w.floats(&bias.f_narrow(0, start, width)?)?;
            x = w.add("Add", &[&x, &part], Vec::new());
        }
        parts.push(match (split, i) {
            (true, 1) => w.add("Transpose", &[&x], vec![ints("perm", &[0, 1, 3, 2])]),
            (true, _) => x,
            (false, _) => heads.split(&mut w, &x, perm),
        });
        start += width;
    }
    let attention_bias = w.input(5);
    let y = heads.attend(&mut w, [parts[0].as_str(), &parts[1], &parts[2]], size, mask, &attention_bias)?;
    Ok(w.finish(&[(0, &y)]))
}
