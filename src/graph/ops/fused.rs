//! Attention over heads as one operator, where a network runs and nobody looks at what lies between its nodes.

use tch::{TchError, Tensor};

use crate::graph::kernels::{self, Heads};
use crate::graph::operator::{Differentiable, Operator, Point, Stack, Torch};

/// softmax(s·QKᵀ + c)·V for stacks of matrices: Q `[…, n, d]`, Kᵀ `[…, d, m]`, V `[…, m, e]`.
///
/// Node by node every stage would pass through memory for the whole stack. Here each tangent goes through all stages by
/// itself, and what lies between them stays in the cache:
/// dS = s·(dQ·Kᵀ + Q·dKᵀ), dP = P∘(dS − Σ P∘dS), dY = dP·V + P·dV.
#[derive(Debug)]
struct HeadAttention {
    scale: f64,
    /// c, which broadcasts against `[…, n, m]`.
    offset: Option<Tensor>,
}

/// The operator softmax(s·QKᵀ + c)·V, whose inputs are Q, Kᵀ and V.
pub fn head_attention(scale: f64, offset: Option<Tensor>) -> Operator {
    Operator::Differentiable(Box::new(HeadAttention { scale, offset }))
}

/// All axes but the last two as one.
fn groups(x: &Tensor) -> Torch<Tensor> {
    x.f_flatten(0, -3)
}

/// As [`groups`], for matrices that come as a view of their transposes: copied, if they have to be, as they lie.
fn transposed_groups(x: &Tensor) -> Torch<Tensor> {
    groups(&x.f_transpose(-1, -2)?)?.f_transpose(-1, -2)
}

/// All axes before heads, rows and columns as one.
fn batches(x: &Tensor) -> Torch<Tensor> {
    if x.dim() > 4 { x.f_flatten(0, -4) } else { Ok(x.shallow_clone()) }
}

/// Whether nothing but heads, rows and columns differ in c.
fn is_the_same_for_all(offset: &Tensor) -> bool {
    let size = offset.size();
    size[..size.len().saturating_sub(3)].iter().all(|&n| n == 1)
}

impl HeadAttention {
    /// The values by libtorch's own attention, of `[batch, heads, rows, columns]`.
    fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<Tensor>) -> Torch<Tensor> {
        Tensor::f_scaled_dot_product_attention(q, k, v, mask, 0.0, false, self.scale, false)
    }

    /// The size of the output for operands with the stack axis in front.
    fn size(x: &[&Tensor]) -> Torch<Vec<i64>> {
        let (mut size, value) = (x[0].size(), x[2].size());
        match (size.last_mut(), value.last()) {
            (Some(last), Some(&features)) => *last = features,
            _ => return Err(TchError::Torch("attention over numbers".to_owned())),
        }
        Ok(size)
    }
}

impl Differentiable for HeadAttention {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let size = Self::size(x)?;
        let (q, k, v) = (x[0], x[1].f_transpose(-1, -2)?, x[2]);
        let y = match &self.offset {
            Some(offset) if !is_the_same_for_all(offset) => {
                // A mask has no stack axis, so that entries of the stack come one after the other.
                let mut wanted = size[1..].to_vec();
                let columns = v.size()[v.dim() - 2];
                wanted.pop();
                wanted.push(columns);
                let mask = batches(&offset.f_expand(wanted, false)?)?;
                let one = |i: i64| {
                    let of = |t: &Tensor| batches(&t.f_select(0, i)?);
                    self.attend(&of(q)?, &of(&k)?, &of(v)?, Some(mask.shallow_clone()))?.f_transpose(1, 2)
                };
                let all = (0..size[0]).map(one).collect::<Torch<Vec<_>>>()?;
                Tensor::f_cat(&all, 0)?.f_transpose(1, 2)?
            }
            offset => {
                let mask = match offset {
                    Some(offset) => {
                        let own = offset.size();
                        let after = &own[own.len().saturating_sub(3)..];
                        let ones = vec![1; 4 - after.len()];
                        Some(offset.f_view([ones.as_slice(), after].concat().as_slice())?)
                    }
                    None => None,
                };
                self.attend(&batches(q)?, &batches(&k)?, &batches(v)?, mask)?
            }
        };
        // The stack axis apart again; heads keep their place in memory.
        let y = if size.len() > 4 { y.f_unflatten(0, &size[..size.len() - 3])? } else { y };
        Ok(vec![y])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let stack = self.value_and_jvp(at.x, at.dx)?.and_then(|stacks| stacks.into_iter().next());
        let stack = stack.ok_or_else(|| TchError::Torch("attention has one output".to_owned()))?;
        let images = at.x[0].size()[0];
        let rest = stack.f_narrow(0, images, stack.size()[0] - images)?;
        let mut size = rest.size();
        size[0] = images;
        size.insert(0, -1);
        Ok(vec![rest.f_reshape(size)?])
    }

    fn value_and_jvp(&self, x: &[&Tensor], dx: &[Option<Tensor>]) -> Torch<Option<Vec<Tensor>>> {
        let [dq, dk, dv] = dx else { return Ok(None) };
        let Some(tangents) = dx.iter().flatten().map(|dx| dx.size()[0]).next() else { return Ok(None) };
        let kind = x[0].kind();
        // Heads lie beside features, as the transpose after an attention wants them.
        let size = Self::size(x)?;
        let mut transposed = size.clone();
        let rank = transposed.len();
        transposed.swap(rank - 2, rank - 3);
        let like = Tensor::f_empty(transposed.as_slice(), (kind, x[0].device()))?.f_transpose(-2, -3)?;
        let Stack { whole, mut y, dy } = Stack::new(&size, tangents, &like)?;
        let transposed = |t: &Tensor| t.f_transpose(-1, -2);
        let (key, dkey) = (transposed(x[1])?, dk.as_ref().map(transposed).transpose()?);
        let heads = Heads {
            q: (x[0], dq.as_ref()),
            k: (&key, dkey.as_ref()),
            v: (x[2], dv.as_ref()),
            scale: self.scale,
            offset: self.offset.as_ref(),
        };
        if kernels::attention(&y, &dy, &heads, kernels::WIDEST)? {
            return Ok(Some(vec![whole]));
        }

        let (k, v) = (transposed_groups(x[1])?, groups(x[2])?);
        let q = groups(x[0])?.f_mul_scalar(self.scale)?;
        let p = q.f_bmm(&k)?;
        if let Some(offset) = &self.offset {
            let mut size = x[0].size();
            size.pop();
            size.push(k.size()[2]);
            let _ = p.f_view(size.as_slice())?.f_add_(offset)?;
        }
        let p = p.f_softmax(-1, kind)?;
        let mut out = p.f_bmm(&v)?;
        y.f_copy_(&out.f_view(size.as_slice())?)?;
        let k = k.f_mul_scalar(self.scale)?;
        let mut ds = p.f_empty_like()?;
        let one = |of: &Option<Tensor>, t: i64| of.as_ref().map(|of| of.f_select(0, t)).transpose();
        for t in 0..tangents {
            let dq = one(dq, t)?.map(|dq| groups(&dq)).transpose()?;
            let dk = one(dk, t)?.map(|dk| transposed_groups(&dk)).transpose()?;
            let dv = one(dv, t)?.map(|dv| groups(&dv)).transpose()?;
            let moved = match (&dq, &dk) {
                (None, None) => false,
                (dq, dk) => {
                    if let Some(dq) = dq {
                        let _ = dq.f_bmm_out(&ds, &k)?;
                    }
                    match dk {
                        Some(dk) if dq.is_some() => drop(ds.f_baddbmm_(&q, dk)?),
                        Some(dk) => drop(q.f_bmm_out(&ds, dk)?),
                        None => {}
                    }
                    // Each row is read before it is written.
                    let _ = Tensor::f_internal_softmax_backward_data_out(&ds, &ds, &p, -1, kind)?;
                    let _ = ds.f_bmm_out(&out, &v)?;
                    true
                }
            };
            match dv {
                Some(dv) if moved => drop(out.f_baddbmm_(&p, &dv)?),
                Some(dv) => drop(p.f_bmm_out(&out, &dv)?),
                None if !moved => drop(out.f_zero_()?),
                None => {}
            }
            dy.f_select(0, t)?.f_copy_(&out.f_view(size.as_slice())?)?;
        }
        Ok(Some(vec![whole]))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;

    fn random(size: &[i64]) -> Tensor {
        Tensor::randn(size, (Kind::Double, Device::Cpu))
    }

    /// The stages one after the other.
    fn plainly(x: &[&Tensor], scale: f64, offset: Option<&Tensor>) -> Tensor {
        let scores = x[0].matmul(x[1]) * scale;
        let scores = offset.map_or(scores.shallow_clone(), |c| &scores + c);
        scores.softmax(-1, scores.kind()).matmul(x[2])
    }

    fn distance(a: &Tensor, b: &Tensor) -> f64 {
        assert_eq!(a.size(), b.size());
        ((a - b).abs().max() / b.abs().max()).double_value(&[])
    }

    /// Q, Kᵀ and V of n rows, m columns, d and e features; K lies in memory row by row, as networks have it.
    fn operands(lead: &[i64], [n, m, d, e]: [i64; 4]) -> [Tensor; 3] {
        let sized = |matrix: [i64; 2]| random(&[lead, &matrix].concat());
        [sized([n, d]), sized([m, d]).transpose(-1, -2), sized([m, e])]
    }

    #[test]
    fn values_and_tangents_are_those_of_the_stages() {
        tch::manual_seed(0);
        // Own axes before rows and columns; one offset for all windows, one for each, none; sizes for libtorch's
        // products and for our own loops, with rows and columns that fill registers and that do not.
        let (small, loops, longer) = ([5, 6, 4, 4], [5, 6, 4, 16], [49, 70, 8, 32]);
        for (sizes, own, offset) in [
            (small, vec![1, 3], None),
            (small, vec![4, 3], Some(vec![1, 3, 5, 6])),
            (small, vec![4, 3], Some(vec![4, 3, 5, 6])),
            (small, vec![4, 3], Some(vec![5, 6])),
            (small, vec![3], Some(vec![3, 5, 6])),
            (small, vec![2, 2, 3], Some(vec![2, 1, 3, 5, 6])),
            (loops, vec![4, 3], Some(vec![4, 3, 5, 6])),
            (loops, vec![3], None),
            (longer, vec![2, 2], Some(vec![1, 2, 49, 70])),
        ] {
            let offset = offset.map(|size| random(&size));
            let op = HeadAttention { scale: 0.3, offset: offset.as_ref().map(Tensor::shallow_clone) };
            let lead = |stack: &[i64]| [stack, own.as_slice()].concat();
            for images in [1, 2] {
                let x = operands(&lead(&[images]), sizes);
                let refs: Vec<&Tensor> = x.iter().collect();
                let y = plainly(&refs, 0.3, offset.as_ref());
                assert!(distance(&op.forward(&refs).unwrap()[0], &y) < 1e-13);
                for moving in [[true; 3], [true, false, false], [false, true, false], [false, false, true]] {
                    let dx: Vec<Option<Tensor>> = operands(&lead(&[2, images]), sizes)
                        .into_iter()
                        .zip(moving)
                        .map(|(dx, moves)| moves.then_some(dx))
                        .collect();
                    let stack = op.value_and_jvp(&refs, &dx).unwrap().unwrap().remove(0);
                    assert!(distance(&stack.narrow(0, 0, images), &y) < 1e-13);
                    for t in 0..2 {
                        let h = 1e-5;
                        let moved = |sign: f64| {
                            let x: Vec<Tensor> = x
                                .iter()
                                .zip(&dx)
                                .map(|(x, dx)| dx.as_ref().map_or(x.shallow_clone(), |dx| x + dx.get(t) * (sign * h)))
                                .collect();
                            plainly(&x.iter().collect::<Vec<_>>(), 0.3, offset.as_ref())
                        };
                        let dy = (moved(1.0) - moved(-1.0)) / (2.0 * h);
                        let error = distance(&stack.narrow(0, images * (1 + t), images), &dy);
                        assert!(error < 1e-7, "{sizes:?} {own:?} {moving:?}: {error:.1e}");
                    }
                }
            }
        }
    }

    #[test]
    fn our_own_loops_are_taken_where_rows_are_in_one_piece() {
        let x = operands(&[1, 2], [7, 9, 4, 16]);
        let key = x[1].transpose(-1, -2);
        let (y, dy) = (random(&[1, 2, 7, 16]), random(&[3, 1, 2, 7, 16]));
        let dq = random(&[3, 1, 2, 7, 4]);
        let run = |k: &Tensor, offset: Option<&Tensor>| {
            let heads = Heads { q: (&x[0], Some(&dq)), k: (k, None), v: (&x[2], None), scale: 1.0, offset };
            kernels::attention(&y, &dy, &heads, kernels::WIDEST).unwrap()
        };
        assert!(run(&key, None));
        assert!(run(&key, Some(&random(&[9]))));
        // Not where a row of K or of what is added is not in one piece, or their sizes do not fit.
        assert!(!run(&x[1].contiguous().transpose(-1, -2), None));
        assert!(!run(&key, Some(&random(&[7, 1]))));
        assert!(!run(&x[1], None));
    }

    #[test]
    fn our_own_loops_are_the_same_in_vectors_of_all_widths() {
        // Rows and columns that fill vectors, tiles of registers and pieces for the cache, and that do not.
        for (kind, limit) in [(Kind::Double, 1e-13), (Kind::Float, 1e-5)] {
            for [n, m, d, e] in [[7, 9, 4, 16], [1, 1, 1, 16], [50, 70, 33, 80], [197, 197, 64, 64], [130, 1500, 8, 16]]
            {
                let of = |lead: &[i64], rows, columns| {
                    (random(&[lead, &[rows, columns]].concat()) / (columns as f64).sqrt()).to_kind(kind)
                };
                let [q, k, v] = [of(&[2], n, d), of(&[2], m, d), of(&[2], m, e)];
                let [dq, dk, dv] = [of(&[3, 2], n, d), of(&[3, 2], m, d), of(&[3, 2], m, e)];
                let c = (random(&[2, n, m]) * 30.0).to_kind(kind);
                let scores = q.matmul(&k.transpose(1, 2)) * 0.7 + &c;
                let p = scores.softmax(-1, kind);
                let ds = (dq.matmul(&k.transpose(1, 2)) + q.matmul(&dk.transpose(2, 3))) * 0.7;
                let dp = &p * (&ds - (&p * &ds).sum_dim_intlist(-1, true, kind));
                let (values, tangents) = (p.matmul(&v), dp.matmul(&v) + p.matmul(&dv));
                let heads =
                    Heads { q: (&q, Some(&dq)), k: (&k, Some(&dk)), v: (&v, Some(&dv)), scale: 0.7, offset: Some(&c) };
                for bytes in [16, 32, kernels::WIDEST] {
                    let (y, dy) = (values.full_like(f64::NAN), tangents.full_like(f64::NAN));
                    assert!(kernels::attention(&y, &dy, &heads, bytes).unwrap());
                    for (ours, wanted) in [(&y, &values), (&dy, &tangents)] {
                        let error = distance(ours, wanted);
                        assert!(error < limit, "{kind:?}, {bytes} bytes, {n} by {m}: {error:.1e}");
                    }
                }
            }
        }
    }

    #[test]
    fn masked_scores_and_those_that_are_no_numbers_weigh_as_in_softmax() {
        for kind in [Kind::Float, Kind::Double] {
            let [q, k, v, dq] =
                [[4, 16], [6, 16], [6, 16], [4, 16]].map(|size| random(&size).unsqueeze(0).to_kind(kind));
            let (c, dq) = (Tensor::zeros([1, 4, 6], (kind, Device::Cpu)), dq.unsqueeze(0));
            // Left out, hardly there, beyond all numbers, none.
            for (row, value) in [(0, f64::NEG_INFINITY), (1, -100.0), (2, f64::INFINITY), (3, f64::NAN)] {
                let _ = c.get(0).get(row).narrow(0, 2, 2).fill_(value);
            }
            let (y, dy) = (q.full_like(7.0), dq.full_like(7.0));
            let heads = Heads { q: (&q, Some(&dq)), k: (&k, None), v: (&v, None), scale: 1.0, offset: Some(&c) };
            for bytes in [16, 32, kernels::WIDEST] {
                assert!(kernels::attention(&y, &dy, &heads, bytes).unwrap());
                let wanted = plainly(&[&q, &k.transpose(-1, -2), &v], 1.0, Some(&c));
                assert!(distance(&y.narrow(1, 0, 2), &wanted.narrow(1, 0, 2)) < 1e-6);
                assert!(bool::try_from(wanted.narrow(1, 2, 2).isnan().all()).unwrap());
                assert!(bool::try_from(y.narrow(1, 2, 2).isnan().all()).unwrap());
            }
        }
    }
}
