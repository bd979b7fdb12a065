//! Kernels: loops over stacks for which libtorch has no operator of one pass; the files in C++ have them.

mod attention;
mod pointwise;

use std::ffi::c_void;

use tch::{Device, Kind, TchError, Tensor};

use super::memory_format::MemoryFormat;
use super::operator::Torch;

pub use attention::{Heads, WIDEST, attention};
pub use pointwise::apply_jvp;

unsafe extern "C" {
    fn aliascope_layer_norm_tangent_f32(norm: *const RawNorm);
    fn aliascope_layer_norm_tangent_f64(norm: *const RawNorm);
    fn aliascope_move_f32(moved: *const RawMoved) -> i32;
    fn aliascope_move_f64(moved: *const RawMoved) -> i32;
}

/// As loops.cpp has it.
#[repr(C)]
struct RawMoved {
    fields: [*const c_void; 3],
    x: *const c_void,
    y: *const c_void,
    out: *mut c_void,
    groups: i64,
    inner: i64,
    rows: i64,
    columns: i64,
    terms: i64,
    field: *const i32,
    factor: *const i32,
}

/// As loops.cpp has it.
#[repr(C)]
struct RawNorm {
    out: *mut c_void,
    dx: *const c_void,
    x: *const c_void,
    mean: *const c_void,
    inverse: *const c_void,
    scale: *const c_void,
    tangents: i64,
    rows: i64,
    n: i64,
}

/// Whether the loops can run on tensors like this one.
pub fn can_loop_over(x: &Tensor) -> bool {
    x.device() == Device::Cpu && matches!(x.kind(), Kind::Float | Kind::Double)
}

/// What a term is a product of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// Which field: the map itself, its derivative along columns, that along rows.
    pub field: usize,
    /// The axis by whose positions it is multiplied.
    pub factor: Option<Along>,
}

/// An axis of positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// Those of the columns.
    X,
    /// Those of the rows.
    Y,
}

/// A map, `fields[0]`, and after it the terms: from `[images, …, channels, rows, columns]` to
/// `[images·(1 + terms), …, channels, rows, columns]`, in that memory format. `x` and `y` are the positions of columns
/// and rows. None where memory does not lie as the loop needs it.
///
/// # Errors
/// When memory is short.
pub fn stack_of_terms(
    fields: [&Tensor; 3],
    [x, y]: [&Tensor; 2],
    terms: &[Term],
    format: MemoryFormat,
) -> Torch<Option<Tensor>> {
    let size = fields[0].size();
    let &[images, .., channels, rows, columns] = size.as_slice() else { return Ok(None) };
    let kind = fields[0].kind();
    let fits = fields.iter().chain(&[x, y]).all(|t| can_loop_over(t) && t.kind() == kind && t.is_contiguous())
        && fields.iter().all(|field| field.size() == size)
        && (x.numel() as i64, y.numel() as i64) == (columns, rows)
        && terms.iter().all(|term| term.field < fields.len())
        && fields[0].numel() > 0;
    if !fits {
        return Ok(None);
    }
    let inner = if format == MemoryFormat::ChannelsLast { channels } else { 1 };
    let groups = fields[0].numel() as i64 / (inner * rows * columns);
    let mut out = size.clone();
    out[0] = images * (1 + terms.len() as i64);
    if format == MemoryFormat::ChannelsLast {
        let last = out.len() - 3;
        out[last..].rotate_left(1);
    }
    let out = Tensor::f_empty(out, (kind, Device::Cpu))?;
    let field: Vec<i32> = terms.iter().map(|term| term.field as i32).collect();
    let factor = |term: &Term| match term.factor {
        None => 0,
        Some(Along::X) => 1,
        Some(Along::Y) => 2,
    };
    let factor: Vec<i32> = terms.iter().map(factor).collect();
    let raw = RawMoved {
        fields: fields.map(|field| field.data_ptr().cast_const()),
        x: x.data_ptr().cast_const(),
        y: y.data_ptr().cast_const(),
        out: out.data_ptr(),
        groups,
        inner,
        rows,
        columns,
        terms: terms.len() as i64,
        field: field.as_ptr(),
        factor: factor.as_ptr(),
    };
    let run = if kind == Kind::Double { aliascope_move_f64 } else { aliascope_move_f32 };
    // SAFETY: all tensors are of this kind, on the CPU and in one piece; fields have groups·inner·rows·columns entries,
    // `out`, which is new, as many for the map and each term; there are as many positions as columns and rows; the
    // lists have an entry per term, name fields that are there, and outlive the call.
    if unsafe { run(&raw const raw) } != 0 {
        return Err(TchError::Torch("no memory for the tangents of the input".to_owned()));
    }
    Ok(Some(if format == MemoryFormat::ChannelsLast { out.f_movedim_int(-1, -3)? } else { out }))
}

/// The tangents of layer norm over the last `n` entries, with x̂ = (x − mean)·inverse:
/// out = scale·inverse·(dx − mean(dx) − x̂·mean(x̂·dx)).
///
/// `out` and `dx` are `[tangents, …]` in front of the shape of `x`, `mean` and `inverse` have one entry per row,
/// `scale` has n; all lie in one piece of memory, in order, but `dx` and `x`, which are copied where they do not.
///
/// # Errors
/// When sizes or kinds do not fit, or memory is not in one piece.
pub fn layer_norm_tangent(
    out: &Tensor,
    dx: &Tensor,
    x: &Tensor,
    (mean, inverse): (&Tensor, &Tensor),
    scale: Option<&Tensor>,
    n: i64,
) -> Torch<()> {
    let (dx, x) = (dx.f_contiguous()?, x.f_contiguous()?);
    let kind = x.kind();
    let rows = x.numel() as i64 / n.max(1);
    let tangents = dx.size()[0];
    let entries = |t: &Tensor| t.numel() as i64;
    let plain = |t: &Tensor| t.kind() == kind && t.device() == Device::Cpu && t.is_contiguous();
    let fits = [out, &dx, &x, mean, inverse].into_iter().chain(scale).all(plain)
        && n > 0
        && rows * n == entries(&x)
        && entries(&dx) == tangents * rows * n
        && entries(out) == entries(&dx)
        && entries(mean) == rows
        && entries(inverse) == rows
        && scale.is_none_or(|scale| entries(scale) == n);
    let run = match kind {
        Kind::Float if fits => aliascope_layer_norm_tangent_f32,
        Kind::Double if fits => aliascope_layer_norm_tangent_f64,
        _ => return Err(TchError::Torch("the tangent of layer norm was given sizes that do not fit".to_owned())),
    };
    let raw = RawNorm {
        out: out.data_ptr(),
        dx: dx.data_ptr().cast_const(),
        x: x.data_ptr().cast_const(),
        mean: mean.data_ptr().cast_const(),
        inverse: inverse.data_ptr().cast_const(),
        scale: scale.map_or(std::ptr::null(), |scale| scale.data_ptr().cast_const()),
        tangents,
        rows,
        n,
    };
    // SAFETY: all tensors are of this kind, on the CPU, in one piece, and have as many entries as the loop touches;
    // `out` is no input's memory, as its caller has just allocated it.
    unsafe { run(&raw const raw) };
    Ok(())
}

/// Structs that Rust and C++ share have their fields in the same places.
#[cfg(test)]
mod layout_tests {
    use std::mem::offset_of;

    use super::attention::{RawAttention, RawOperand};
    use super::pointwise::RawPointwise;
    use super::{RawMoved, RawNorm};

    unsafe extern "C" {
        fn aliascope_pointwise_layout(to: *mut i64) -> i64;
        fn aliascope_move_layout(to: *mut i64) -> i64;
        fn aliascope_layer_norm_layout(to: *mut i64) -> i64;
        fn aliascope_operand_layout(to: *mut i64) -> i64;
        fn aliascope_attention_layout(to: *mut i64) -> i64;
    }

    /// The offsets of a struct's fields, and its size.
    macro_rules! layout {
        ($of:ident: $($field:ident),*) => {
            vec![$(offset_of!($of, $field)),*, size_of::<$of>()]
        };
    }

    #[test]
    fn fields_lie_where_the_loops_read_them() {
        let cases: [(unsafe extern "C" fn(*mut i64) -> i64, Vec<usize>); 5] = [
            (
                aliascope_pointwise_layout,
                layout!(RawPointwise: out, x, y, offset, channels, tangents, n, low, high, factor, function),
            ),
            (
                aliascope_move_layout,
                layout!(RawMoved: fields, x, y, out, groups, inner, rows, columns, terms, field, factor),
            ),
            (aliascope_layer_norm_layout, layout!(RawNorm: out, dx, x, mean, inverse, scale, tangents, rows, n)),
            (aliascope_operand_layout, layout!(RawOperand: x, dx, row, dx_row, tangent, at, dx_at)),
            (
                aliascope_attention_layout,
                layout!(RawAttention: q, k, v, c, c_row, c_at, p, y, y_row, y_at, dy, dy_row, dy_tangent, dy_at, groups, tangents, n, m, d, e, scale),
            ),
        ];
        for (layout, ours) in cases {
            let mut theirs = [0; 32];
            // SAFETY: the functions write fewer than 32 numbers.
            let count = unsafe { layout(theirs.as_mut_ptr()) };
            let theirs: Vec<usize> = theirs[..count as usize].iter().map(|&at| at as usize).collect();
            assert_eq!(ours, theirs);
        }
    }
}
