//! Operators that move entries without changing them: Reshape, Flatten, Transpose, Squeeze, Unsqueeze, Identity,
//! Dropout, DepthToSpace, SpaceToDepth and Cast.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::layout::{Flow, Step};
use crate::graph::operator::{Forward, Linear, Operator, Pattern, Torch};

/// x with its own axes viewed as `shape`.
#[derive(Debug)]
struct View {
    rank: usize,
    shape: Vec<i64>,
}

impl Linear for View {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let size = x[0].size();
        let mut wanted = size[..size.len() - self.rank].to_vec();
        wanted.extend(&self.shape);
        Ok(vec![x[0].f_reshape(wanted)?])
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

fn view(b: &mut Builder<'_>, shape: Vec<i64>) -> Build {
    let from = b.shape(0)?;
    let count = |s: &[i64]| s.iter().try_fold(1i64, |product, &n| product.checked_mul(n));
    if count(&from) != count(&shape) || shape.iter().any(|&n| n < 0) {
        return Err(b.invalid(format!("{from:?} cannot become {shape:?}")));
    }
    b.varying_input(0)?;
    let flow = if from == shape { Flow::Pointwise } else { Flow::Unknown };
    Ok(Built { operator: Operator::Linear(Box::new(View { rank: from.len(), shape })), flow })
}

/// Reshape: 0 copies an axis (unless allowzero), −1 takes what is left.
pub fn reshape(b: &mut Builder<'_>) -> Build {
    let from = b.shape(0)?;
    let wanted = b.parameter_ints(1, "shape")?.ok_or_else(|| b.invalid("it has no shape"))?;
    let zero_is_zero = b.int("allowzero")?.unwrap_or(0) != 0;
    let mut shape = Vec::with_capacity(wanted.len());
    for (i, &n) in wanted.iter().enumerate() {
        match n {
            0 if !zero_is_zero => {
                let copied = from.get(i).ok_or_else(|| b.invalid(format!("its shape {wanted:?} copies axis {i}")))?;
                shape.push(*copied);
            }
            n if n < -1 => return Err(b.invalid(format!("its shape is {wanted:?}"))),
            n => shape.push(n),
        }
    }
    if shape.iter().filter(|&&n| n == -1).count() > 1 {
        return Err(b.invalid(format!("its shape {wanted:?} leaves two axes open")));
    }
    if let Some(open) = shape.iter().position(|&n| n == -1) {
        let total: i64 = from.iter().product();
        let rest = shape.iter().filter(|&&n| n != -1).try_fold(1i64, |product, &n| product.checked_mul(n));
        match rest {
            Some(rest) if rest > 0 && total % rest == 0 => shape[open] = total / rest,
            _ => return Err(b.invalid(format!("{from:?} cannot become {wanted:?}"))),
        }
    }
    view(b, shape)
}

/// Flatten: two axes, split at `axis`.
pub fn flatten(b: &mut Builder<'_>) -> Build {
    let from = b.shape(0)?;
    let axis = b.int("axis")?.unwrap_or(1);
    let split = if axis < 0 { axis + from.len() as i64 } else { axis };
    if split < 0 || split > from.len() as i64 {
        return Err(b.invalid(format!("axis {axis} is outside a value of {} axes", from.len())));
    }
    let (outer, inner) = from.split_at(split as usize);
    view(b, vec![outer.iter().product(), inner.iter().product()])
}

/// Squeeze: drops axes of one sample.
pub fn squeeze(b: &mut Builder<'_>) -> Build {
    let from = b.shape(0)?;
    let axes = match b.ints("axes")? {
        Some(axes) => Some(axes),
        None => b.parameter_ints(1, "axes")?,
    };
    let rank = from.len() as i64;
    let dropped: Vec<usize> = match axes {
        Some(axes) => b.axes_from_end(&axes, from.len())?.iter().map(|a| (a + rank) as usize).collect(),
        None => (0..from.len()).filter(|&i| from[i] == 1).collect(),
    };
    if let Some(&long) = dropped.iter().find(|&&i| from[i] != 1) {
        return Err(b.invalid(format!("axis {long} has {} samples, not one", from[long])));
    }
    let shape = (0..from.len()).filter(|i| !dropped.contains(i)).map(|i| from[i]).collect();
    view(b, shape)
}

/// Unsqueeze: puts in axes of one sample.
pub fn unsqueeze(b: &mut Builder<'_>) -> Build {
    let from = b.shape(0)?;
    let axes = match b.ints("axes")? {
        Some(axes) => axes,
        None => b.parameter_ints(1, "axes")?.ok_or_else(|| b.invalid("it has no axes"))?,
    };
    let rank = from.len() + axes.len();
    let mut places: Vec<usize> = b.axes_from_end(&axes, rank)?.iter().map(|a| (a + rank as i64) as usize).collect();
    places.sort_unstable();
    if places.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(b.invalid(format!("its axes {axes:?} repeat one")));
    }
    let mut shape = from;
    for place in places {
        shape.insert(place, 1);
    }
    view(b, shape)
}

#[derive(Debug)]
struct Permutation {
    axes: Vec<i64>,
}

impl Linear for Permutation {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let lead = x[0].dim() - self.axes.len();
        let mut order: Vec<i64> = (0..lead as i64).collect();
        order.extend(self.axes.iter().map(|a| a + lead as i64));
        Ok(vec![x[0].f_permute(order)?])
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Transposition(&self.axes)
    }
}

/// Transpose: reverses the axes unless `perm` says otherwise.
pub fn transpose(b: &mut Builder<'_>) -> Build {
    let rank = b.shape(0)?.len();
    let axes = b.ints("perm")?.unwrap_or_else(|| (0..rank as i64).rev().collect());
    let mut sorted = axes.clone();
    sorted.sort_unstable();
    if sorted != (0..rank as i64).collect::<Vec<_>>() {
        return Err(b.invalid(format!("perm = {axes:?} is not an order of {rank} axes")));
    }
    b.varying_input(0)?;
    let flow = if axes.iter().enumerate().all(|(i, &a)| i as i64 == a) { Flow::Pointwise } else { Flow::Unknown };
    Ok(Built { operator: Operator::Linear(Box::new(Permutation { axes })), flow })
}

#[derive(Debug)]
struct Identity;

impl Linear for Identity {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].shallow_clone()])
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// Identity, and Dropout at test time.
pub fn identity(b: &mut Builder<'_>) -> Build {
    if b.operator == "Dropout" {
        let _ = (b.float("ratio")?, b.int("seed")?, b.has(1));
        let training = b.parameter_ints(2, "training_mode")?.is_some_and(|mode| mode != [0]);
        if training {
            return Err(b.unsupported("training_mode", "export the network in evaluation mode"));
        }
        if b.reads(1) {
            return Err(b.unsupported("the output mask", "the first output is"));
        }
    }
    b.varying_input(0)?;
    Ok(Built { operator: Operator::Linear(Box::new(Identity)), flow: Flow::Pointwise })
}

#[derive(Debug)]
struct Blocks {
    shape: [i64; 4],
    block: i64,
    /// Whether the block's axes come before the channels' (DCR, and SpaceToDepth).
    depth_first: bool,
    to_space: bool,
}

impl Linear for Blocks {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let size = x[0].size();
        let lead: i64 = size[..size.len() - 4].iter().product();
        let [n, c, h, w] = self.shape;
        let s = self.block;
        let (y, shape) = if self.to_space {
            let depth = c / (s * s);
            let y = if self.depth_first {
                x[0].f_reshape([lead * n, s, s, depth, h, w])?.f_permute([0, 3, 4, 1, 5, 2])?
            } else {
                x[0].f_reshape([lead * n, depth, s, s, h, w])?.f_permute([0, 1, 4, 2, 5, 3])?
            };
            (y, [n, depth, h * s, w * s])
        } else {
            let y = x[0].f_reshape([lead * n, c, h / s, s, w / s, s])?.f_permute([0, 3, 5, 1, 2, 4])?;
            (y, [n, c * s * s, h / s, w / s])
        };
        let mut wanted = size[..size.len() - 4].to_vec();
        wanted.extend(shape);
        Ok(vec![y.f_reshape(wanted)?])
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// DepthToSpace and SpaceToDepth.
pub fn blocks(b: &mut Builder<'_>) -> Build {
    let shape: [i64; 4] =
        b.shape(0)?.try_into().map_err(|_| b.invalid("its input is not [batch, channels, rows, columns]"))?;
    let block = b.int("blocksize")?.ok_or_else(|| b.invalid("it has no blocksize"))?;
    let to_space = b.operator == "DepthToSpace";
    let depth_first = match b.string("mode")?.as_deref() {
        None | Some("DCR") => true,
        Some("CRD") => false,
        Some(other) => return Err(b.unsupported(format!("mode = '{other}'"), "DCR and CRD are")),
    };
    let fits = (1..=1 << 15).contains(&block)
        && if to_space { shape[1] % (block * block) == 0 } else { shape[2] % block == 0 && shape[3] % block == 0 };
    if !fits {
        return Err(b.invalid(format!("its input does not fit blocks of {block}")));
    }
    b.varying_input(0)?;
    // A block's samples lie about the centre of the cell that they came from.
    let s = block as f64;
    let step = if to_space {
        Step { first: (1.0 / s - 1.0) / 2.0, step: 1.0 / s }
    } else {
        Step { first: (s - 1.0) / 2.0, step: s }
    };
    let op = Blocks { shape, block, depth_first, to_space };
    let flow = Flow::Resampled { rows: step, columns: step };
    Ok(Built { operator: Operator::Linear(Box::new(op)), flow })
}

#[derive(Debug)]
struct Conversion(Kind);

impl Forward for Conversion {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let x = x[0];
        // To integers ONNX cuts off the fraction, and a bool is whether the value is not zero: libtorch does the same.
        Ok(vec![if x.kind() == self.0 { x.copy() } else { x.f_to_kind(self.0)? }])
    }
}

/// Cast: among floats it changes nothing, as the whole run has one precision.
pub fn cast(b: &mut Builder<'_>) -> Build {
    // What becomes of values too large for eight-bit floats, which are refused.
    let _ = (b.int("saturate")?, b.string("round_mode")?);
    if b.operator == "CastLike" {
        let (from, to) = (b.kind(0)?, b.kind(1)?);
        b.varying_input(0)?;
        let float = |kind: Kind| matches!(kind, Kind::Float | Kind::Double);
        let operator = if float(from) && float(to) {
            Operator::Linear(Box::new(Identity))
        } else {
            Operator::LocallyConstant(Box::new(Conversion(to)))
        };
        return Ok(Built { operator, flow: Flow::Pointwise });
    }
    let to = b.int("to")?.ok_or_else(|| b.invalid("it does not say to what"))?;
    let from = b.kind(0)?;
    let float = matches!(from, Kind::Float | Kind::Double);
    b.varying_input(0)?;
    let target = match to {
        1 | 10 | 11 | 16 if float => {
            return Ok(Built { operator: Operator::Linear(Box::new(Identity)), flow: Flow::Pointwise });
        }
        1 | 10 | 11 | 16 => Kind::Float,
        2 => Kind::Uint8,
        3 => Kind::Int8,
        5 => Kind::Int16,
        6 => Kind::Int,
        7 => Kind::Int64,
        9 => Kind::Bool,
        other => return Err(b.unsupported(format!("to = {other}"), "floats, integers of 8 to 64 bits and bool are")),
    };
    Ok(Built { operator: Operator::LocallyConstant(Box::new(Conversion(target))), flow: Flow::Pointwise })
}
