//! Attention over heads and its tangents; attention.cpp has the loops.

use tch::{Device, Kind, TchError, Tensor};

use super::can_loop_over;
use crate::graph::operator::Torch;

unsafe extern "C" {
    fn aliascope_attention_f32(attention: *const RawAttention, bytes: i32) -> i32;
    fn aliascope_attention_f64(attention: *const RawAttention, bytes: i32) -> i32;
}

/// As attention.cpp has it.
#[repr(C)]
pub(super) struct RawOperand {
    pub(super) x: *const std::ffi::c_void,
    pub(super) dx: *const std::ffi::c_void,
    pub(super) row: i64,
    pub(super) dx_row: i64,
    pub(super) tangent: i64,
    pub(super) at: *const i64,
    pub(super) dx_at: *const i64,
}

/// As attention.cpp has it.
#[repr(C)]
pub(super) struct RawAttention {
    pub(super) q: RawOperand,
    pub(super) k: RawOperand,
    pub(super) v: RawOperand,
    pub(super) c: *const std::ffi::c_void,
    pub(super) c_row: i64,
    pub(super) c_at: *const i64,
    pub(super) p: *mut std::ffi::c_void,
    pub(super) y: *mut std::ffi::c_void,
    pub(super) y_row: i64,
    pub(super) y_at: *const i64,
    pub(super) dy: *mut std::ffi::c_void,
    pub(super) dy_row: i64,
    pub(super) dy_tangent: i64,
    pub(super) dy_at: *const i64,
    pub(super) groups: i64,
    pub(super) tangents: i64,
    pub(super) n: i64,
    pub(super) m: i64,
    pub(super) d: i64,
    pub(super) e: i64,
    pub(super) scale: f64,
}

/// The bytes of the widest vectors that the loops know.
pub const WIDEST: i32 = 64;

/// The longest rows for which an attention goes by our own loops.
const LONGEST: i64 = 8192;

/// An attention over heads, softmax(s·QKᵀ + c)·V, for Q `[…, n, d]`, K `[…, m, d]` and V `[…, m, e]`, each with its
/// tangents, `[tangents, …]` in front, where it moves.
pub struct Heads<'a> {
    /// Q.
    pub q: (&'a Tensor, Option<&'a Tensor>),
    /// K.
    pub k: (&'a Tensor, Option<&'a Tensor>),
    /// V.
    pub v: (&'a Tensor, Option<&'a Tensor>),
    /// s.
    pub scale: f64,
    /// c, which broadcasts against `[…, n, m]`.
    pub offset: Option<&'a Tensor>,
}

/// Where the matrices of a tensor begin, `[…, rows, columns]`, in order.
fn matrices(x: &Tensor) -> Vec<i64> {
    let (size, strides) = (x.size(), x.stride());
    let lead = size.len() - 2;
    let mut at = vec![0];
    for (n, stride) in size[..lead].iter().zip(&strides[..lead]) {
        at = at.iter().flat_map(|begin| (0..*n).map(move |i| begin + i * stride)).collect();
    }
    at
}

/// The last two sizes.
fn matrix(x: &Tensor) -> [i64; 2] {
    let size = x.size();
    [size[size.len() - 2], size[size.len() - 1]]
}

/// Between rows of a matrix.
fn row(x: &Tensor) -> i64 {
    x.stride()[x.dim() - 2]
}

/// Whether the entries of a row lie side by side.
fn has_whole_rows(x: &Tensor) -> bool {
    x.stride().last() == Some(&1)
}

/// Values and tangents of an operand, and where their matrices begin.
struct Places<'a> {
    x: &'a Tensor,
    dx: Option<&'a Tensor>,
    at: Vec<i64>,
    dx_at: Vec<i64>,
}

impl<'a> Places<'a> {
    fn new((x, dx): (&'a Tensor, Option<&'a Tensor>)) -> Torch<Self> {
        let dx_at = dx.map_or(Ok(Vec::new()), |dx| Ok::<_, TchError>(matrices(&dx.f_select(0, 0)?)))?;
        Ok(Self { x, dx, at: matrices(x), dx_at })
    }

    fn raw(&self) -> RawOperand {
        RawOperand {
            x: self.x.data_ptr().cast_const(),
            dx: self.dx.map_or(std::ptr::null(), |dx| dx.data_ptr().cast_const()),
            row: row(self.x),
            dx_row: self.dx.map_or(0, row),
            tangent: self.dx.map_or(0, |dx| dx.stride()[0]),
            at: self.at.as_ptr(),
            dx_at: self.dx_at.as_ptr(),
        }
    }
}

/// The values of an attention into `y`, `[…, n, e]`, and their tangents into `dy`, `[tangents, …, n, e]`, in vectors of
/// `bytes` at most. False where rows are too long, or memory does not lie as the loops need it, and then nothing is
/// touched.
///
/// # Errors
/// When memory is short.
pub fn attention(y: &Tensor, dy: &Tensor, heads: &Heads<'_>, bytes: i32) -> Torch<bool> {
    let operands = [heads.q, heads.k, heads.v];
    let [(q, dq), (k, dk), (v, dv)] = operands;
    let kind = q.kind();
    let moving = [dq, dk, dv];
    let stacks = [Some(q), Some(k), Some(v), Some(y), Some(dy), dq, dk, dv];
    let known = |t: &Tensor| t.kind() == kind && can_loop_over(t);
    if !stacks.iter().flatten().all(|t| known(t) && t.dim() >= 3) || !heads.offset.is_none_or(known) {
        return Ok(false);
    }
    let ([n, d], [m, e], tangents) = (matrix(q), matrix(v), dy.size()[0]);
    let lead = &q.size()[..q.dim() - 2];
    let groups: i64 = lead.iter().product();
    let sized = |t: &Tensor, matrix: [i64; 2]| t.size() == [lead, &matrix].concat();
    let fits = sized(k, [m, d])
        && sized(v, [m, e])
        && sized(y, [n, e])
        && dy.size()[1..] == y.size()
        && moving.iter().any(Option::is_some)
        && operands.iter().all(|(x, dx)| dx.is_none_or(|dx| dx.size()[0] == tangents && dx.size()[1..] == x.size()))
        && stacks.iter().flatten().all(|t| has_whole_rows(t))
        // Columns of the output in whole vectors.
        && e % 16 == 0
        && m <= LONGEST
        && [n, d, m, tangents, groups].iter().all(|&n| n > 0);
    if !fits {
        return Ok(false);
    }
    let offset = heads.offset.map(|c| c.f_expand([lead, &[n, m]].concat(), false)).transpose()?;
    if offset.as_ref().is_some_and(|c| !has_whole_rows(c)) {
        return Ok(false);
    }
    let c_at = offset.as_ref().map_or_else(Vec::new, matrices);
    let (q, k, v) = (Places::new(heads.q)?, Places::new(heads.k)?, Places::new(heads.v)?);
    let (y_at, dy_at) = (matrices(y), matrices(&dy.f_select(0, 0)?));
    let vector = i64::from(WIDEST) / if kind == Kind::Double { 8 } else { 4 };
    let p = Tensor::f_empty([groups, n, (m + vector - 1) / vector * vector], (kind, Device::Cpu))?;
    let raw = RawAttention {
        q: q.raw(),
        k: k.raw(),
        v: v.raw(),
        c: offset.as_ref().map_or(std::ptr::null(), |c| c.data_ptr().cast_const()),
        c_row: offset.as_ref().map_or(0, row),
        c_at: c_at.as_ptr(),
        p: p.data_ptr(),
        y: y.data_ptr(),
        y_row: row(y),
        y_at: y_at.as_ptr(),
        dy: dy.data_ptr(),
        dy_row: row(dy),
        dy_tangent: dy.stride()[0],
        dy_at: dy_at.as_ptr(),
        groups,
        tangents,
        n,
        m,
        d,
        e,
        scale: heads.scale,
    };
    let run = if kind == Kind::Double { aliascope_attention_f64 } else { aliascope_attention_f32 };
    // SAFETY: all tensors are of this kind and on the CPU; sizes fit each other; the lists of places have one entry per
    // group, and outlive the call; rows lie side by side; `y`, `dy` and `p` are memory of their own.
    let failed = unsafe { run(&raw const raw, bytes) };
    if failed == 0 { Ok(true) } else { Err(TchError::Torch("no memory for an attention".to_owned())) }
}
