//! Attention and RotaryEmbedding, as opset 23 has them.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built, Operand};
use crate::graph::error::GraphError;
use crate::graph::layout::Flow;
use crate::graph::operator::{Forward, Linear, Operator, Torch, leading, with_rank};

/// Which of the products' stages is the fourth output.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    Product,
    Masked,
    Capped,
    Softmax,
}

/// softmax(s·QKᵀ + mask)·V over heads.
#[derive(Debug)]
struct Attention {
    /// Query, key, value, mask, past key, past value.
    operands: [Option<Operand>; 6],
    ranks: [usize; 6],
    /// Heads of queries and of keys and values, where the inputs are `[batch, sequence, heads·size]`.
    heads: Option<(i64, i64)>,
    scale: f64,
    softcap: f64,
    causal: bool,
    stage: Stage,
    outputs: usize,
}

impl Attention {
    /// An operand with the stack axis in front of its own axes.
    fn operand(&self, i: usize, x: &[&Tensor]) -> Torch<Option<Tensor>> {
        self.operands[i].as_ref().map(|operand| operand.in_stack(x)).transpose()
    }

    fn required(&self, i: usize, x: &[&Tensor]) -> Torch<Tensor> {
        self.operand(i, x)?.ok_or_else(|| tch::TchError::Torch("attention lacks an input".into()))
    }

    /// `[…, sequence, heads·size]` as `[…, heads, sequence, size]`.
    fn split(&self, x: &Tensor, heads: impl Fn((i64, i64)) -> i64) -> Torch<Tensor> {
        match self.heads {
            None => Ok(x.shallow_clone()),
            Some(counts) => {
                let mut size = x.size();
                let width = size.pop().unwrap_or(0);
                size.extend([heads(counts), width / heads(counts)]);
                x.f_reshape(size)?.f_transpose(-2, -3)
            }
        }
    }
}

impl Forward for Attention {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let query = self.split(&self.required(0, x)?, |(q, _)| q)?;
        let mut key = self.split(&self.required(1, x)?, |(_, kv)| kv)?;
        let mut value = self.split(&self.required(2, x)?, |(_, kv)| kv)?;
        let mut past = 0;
        if let Some(before) = self.operand(4, x)? {
            past = before.size()[before.dim() - 2];
            key = Tensor::f_cat(&[before, key], -2)?;
        }
        if let Some(before) = self.operand(5, x)? {
            value = Tensor::f_cat(&[before, value], -2)?;
        }
        let count = |t: &Tensor| t.size()[t.dim() - 3];
        let each = count(&query) / count(&key).max(1);
        let shared =
            |t: &Tensor| if each > 1 { t.f_repeat_interleave_self_int(each, -3, None) } else { Ok(t.shallow_clone()) };
        // The root of the scale on each side, as the specification has it.
        let root = self.scale.sqrt();
        let turned = shared(&key)?.f_mul_scalar(root)?.f_transpose(-1, -2)?;
        let product = query.f_mul_scalar(root)?.f_matmul(&turned)?;
        let mut masked = product.shallow_clone();
        let (rows, columns) = (masked.size()[masked.dim() - 2], masked.size()[masked.dim() - 1]);
        if let Some(mask) = self.operand(3, x)? {
            let rank = self.ranks[3];
            let mask = with_rank(&mask, rank, 4)?;
            masked = if mask.kind() == Kind::Bool {
                masked.f_masked_fill(&mask.f_logical_not()?, f64::NEG_INFINITY)?
            } else {
                masked.f_add(&mask)?
            };
        }
        if self.causal {
            let later = Tensor::f_ones([rows, columns], (Kind::Bool, masked.device()))?.f_triu(1 + past)?;
            masked = masked.f_masked_fill(&later, f64::NEG_INFINITY)?;
        }
        let capped = if self.softcap > 0.0 {
            masked.f_div_scalar(self.softcap)?.f_tanh()?.f_mul_scalar(self.softcap)?
        } else {
            masked.shallow_clone()
        };
        let weights = capped.f_softmax(-1, None::<Kind>)?;
        let mut y = weights.f_matmul(&shared(&value)?)?;
        if self.heads.is_some() {
            y = y.f_transpose(-2, -3)?.f_flatten(-2, -1)?;
        }
        let stage = match self.stage {
            Stage::Product => product,
            Stage::Masked => masked,
            Stage::Capped => capped,
            Stage::Softmax => weights,
        };
        let mut outputs = vec![y, key.copy(), value.copy(), stage];
        outputs.truncate(self.outputs.max(1));
        Ok(outputs)
    }
}

/// Attention of opset 23: 3 or 4 axes, masks, shared heads, caches.
pub fn attention(b: &mut Builder<'_>) -> Build {
    let rank = b.shape(0)?.len();
    if !matches!(rank, 3 | 4) || b.shape(1)?.len() != rank || b.shape(2)?.len() != rank {
        return Err(b.invalid("its query, key and value do not have the same three or four axes"));
    }
    if b.has(6) {
        return Err(b.unsupported("the input nonpad_kv_seqlen", "a mask is"));
    }
    let (query_heads, other_heads) = (b.int("q_num_heads")?, b.int("kv_num_heads")?);
    let heads = match (rank, query_heads, other_heads) {
        (4, _, _) => None,
        (_, Some(q), Some(kv)) if q > 0 && kv > 0 => Some((q, kv)),
        _ => return Err(b.invalid("it needs q_num_heads and kv_num_heads")),
    };
    let (q, k, v) = (b.shape(0)?, b.shape(1)?, b.shape(2)?);
    let (counts, size) = match heads {
        None => ((q[1], k[1]), q[3]),
        Some((q_heads, kv_heads)) => {
            if q[2] % q_heads != 0 || k[2] % kv_heads != 0 || v[2] % kv_heads != 0 {
                return Err(b.invalid(format!("its heads ({q_heads}, {kv_heads}) do not divide its inputs")));
            }
            ((q_heads, kv_heads), q[2] / q_heads)
        }
    };
    if counts.1 < 1 || counts.0 % counts.1 != 0 {
        return Err(b.invalid(format!("{} heads of keys cannot serve {} heads of queries", counts.1, counts.0)));
    }
    b.check_size(&[q[0], counts.0, q[rank - 2], k[rank - 2]])?;
    let scale = b.float("scale")?.unwrap_or(1.0 / (size as f64).sqrt());
    if scale < 0.0 {
        return Err(b.unsupported(format!("scale = {scale}"), "positive ones are"));
    }
    let softcap = b.float("softcap")?.unwrap_or(0.0);
    let causal = b.int("is_causal")?.unwrap_or(0) != 0;
    // The precision of the softmax; the whole run has one.
    let _ = b.int("softmax_precision")?;
    let stage = match b.int("qk_matmul_output_mode")?.unwrap_or(0) {
        0 => Stage::Product,
        1 => Stage::Masked,
        2 => Stage::Capped,
        3 => Stage::Softmax,
        other => return Err(b.unsupported(format!("qk_matmul_output_mode = {other}"), "0 to 3 are")),
    };
    let mut operands = [const { None }; 6];
    let mut ranks = [0; 6];
    for (i, (operand, rank)) in operands.iter_mut().zip(&mut ranks).enumerate() {
        if b.has(i) {
            (*operand, *rank) = (Some(b.operand(i)?), b.shape(i)?.len());
        }
    }
    let op = Attention { operands, ranks, heads, scale, softcap, causal, stage, outputs: b.outputs() };
    Ok(Built { operator: Operator::Automatic(Box::new(op)), flow: Flow::Unknown })
}

/// Pairs of features turned by an angle per position.
#[derive(Debug)]
struct Rotation {
    rank: usize,
    heads: i64,
    turned: i64,
    interleaved: bool,
    /// `[batch or 1, 1, sequence, turned/2]`.
    cosine: Tensor,
    sine: Tensor,
}

impl Linear for Rotation {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let size = x[0].size();
        let flat = self.rank == 3;
        let lead = leading(x[0], self.rank);
        // [stack, batch, heads, sequence, size]
        let y = if flat {
            let mut split = size[..lead + 2].to_vec();
            split.extend([self.heads, -1]);
            x[0].f_reshape(split)?.f_transpose(-2, -3)?
        } else {
            x[0].shallow_clone()
        };
        let own = y.size()[y.dim() - 1];
        let (part, rest) = (y.f_narrow(-1, 0, self.turned)?, y.f_narrow(-1, self.turned, own - self.turned)?);
        let half = self.turned / 2;
        let (a, c) = if self.interleaved {
            (part.f_slice(-1, 0, self.turned, 2)?, part.f_slice(-1, 1, self.turned, 2)?)
        } else {
            (part.f_narrow(-1, 0, half)?, part.f_narrow(-1, half, half)?)
        };
        let first = a.f_mul(&self.cosine)?.f_sub(&c.f_mul(&self.sine)?)?;
        let second = a.f_mul(&self.sine)?.f_add(&c.f_mul(&self.cosine)?)?;
        let turned = if self.interleaved {
            Tensor::f_stack(&[first, second], -1)?.f_flatten(-2, -1)?
        } else {
            Tensor::f_cat(&[first, second], -1)?
        };
        let y = Tensor::f_cat(&[turned, rest], -1)?;
        Ok(vec![if flat { y.f_transpose(-2, -3)?.f_reshape(size)? } else { y }])
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

/// RotaryEmbedding with constant angles.
pub fn rotary_embedding(b: &mut Builder<'_>) -> Build {
    let shape = b.shape(0)?;
    let (interleaved, heads) = (b.int("interleaved")?.unwrap_or(0) != 0, b.int("num_heads")?.unwrap_or(0));
    let stated = b.int("rotary_embedding_dim")?.unwrap_or(0);
    let size = match shape[..] {
        [_, _, width] if heads > 0 && width % heads == 0 => width / heads,
        [_, _, _, size] => size,
        _ => return Err(b.invalid(format!("its input does not fit {heads} heads"))),
    };
    let turned = if stated > 0 { stated } else { size };
    if turned > size || turned % 2 != 0 {
        return Err(b.invalid(format!("rotary_embedding_dim = {turned} does not fit heads of {size}")));
    }
    let sequence = if shape.len() == 3 { shape[1] } else { shape[2] };
    let angles = |what: &str, i: usize| -> Result<Tensor, GraphError> {
        let mut cache = b.parameter(i, what)?;
        if b.has(3) {
            let places = b.parameter(3, "position_ids")?.f_to_kind(Kind::Int64)?;
            let size = [places.size().as_slice(), &cache.size()[1..]].concat();
            cache = cache.f_index_select(0, &places.f_reshape([-1])?)?.f_reshape(size)?;
        }
        if cache.dim() != 3 || cache.size()[1] != sequence || cache.size()[2] != turned / 2 {
            return Err(b.invalid(format!("its {what} has the shape {:?}", cache.size())));
        }
        Ok(cache.f_unsqueeze(1)?)
    };
    let (cosine, sine) = (angles("cos_cache", 1)?, angles("sin_cache", 2)?);
    b.varying_input(0)?;
    let op = Rotation { rank: shape.len(), heads, turned, interleaved, cosine, sine };
    Ok(Built { operator: Operator::Linear(Box::new(op)), flow: Flow::Unknown })
}
