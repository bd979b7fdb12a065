//! libtorch's forward-mode automatic differentiation: the fallback for operators without a rule, and a peer in tests.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tch::{TchError, Tensor};

use super::operator::Torch;

unsafe extern "C" {
    fn aliascope_enter_dual_level() -> i64;
    fn aliascope_exit_dual_level(level: i64) -> i32;
}

/// libtorch has one level of differentiation for the whole process: threads take turns.
static TURN: Mutex<()> = Mutex::new(());

thread_local! {
    /// Whether this thread has the level open: waiting for itself it would wait for ever.
    static OPEN: Cell<bool> = const { Cell::new(false) };
}

/// An open level of differentiation; it closes when dropped.
struct DualLevel {
    level: i64,
    _turn: MutexGuard<'static, ()>,
}

impl DualLevel {
    fn open() -> Torch<Self> {
        if OPEN.get() {
            return Err(TchError::Torch("forward-mode differentiation does not nest".to_owned()));
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the shim takes nothing, and returns -1 instead of throwing.
        let level = unsafe { aliascope_enter_dual_level() };
        if level < 0 {
            return Err(TchError::Torch("libtorch's forward-mode differentiation is already in use".to_owned()));
        }
        OPEN.set(true);
        Ok(Self { level, _turn: turn })
    }
}

impl Drop for DualLevel {
    fn drop(&mut self) {
        // SAFETY: the level was opened by `open` and is closed once. A refusal leaves nothing to undo.
        unsafe { aliascope_exit_dual_level(self.level) };
        OPEN.set(false);
    }
}

/// The values f(x) and the Jacobian's products J·ẋ, by libtorch.
///
/// `tangents[i]` belongs to `x[i]`, with its shape; inputs without one are held fixed.
///
/// # Errors
/// When libtorch has no forward-mode derivative for something f does, or is inside another call of this function.
pub fn jvp(
    f: impl FnOnce(&[&Tensor]) -> Torch<Vec<Tensor>>,
    x: &[&Tensor],
    tangents: &[Option<&Tensor>],
) -> Torch<(Vec<Tensor>, Vec<Tensor>)> {
    let (values, products) = recorded_jvp(f, x, tangents)?;
    let detached = |all: Vec<Tensor>| all.iter().map(Tensor::f_detach).collect::<Torch<Vec<_>>>();
    Ok((detached(values)?, detached(products)?))
}

/// As [`jvp`], with values and products that libtorch has recorded: `backward` goes through both of them, to the
/// weights that f holds.
///
/// # Errors
/// As for [`jvp`].
pub fn recorded_jvp(
    f: impl FnOnce(&[&Tensor]) -> Torch<Vec<Tensor>>,
    x: &[&Tensor],
    tangents: &[Option<&Tensor>],
) -> Torch<(Vec<Tensor>, Vec<Tensor>)> {
    let level = DualLevel::open()?;
    tch::with_grad(|| {
        let duals = x
            .iter()
            .zip(tangents)
            .map(|(x, tangent)| match tangent {
                Some(tangent) => Tensor::f_internal_make_dual(x, tangent, level.level),
                None => Ok(x.shallow_clone()),
            })
            .collect::<Torch<Vec<_>>>()?;
        let outputs = f(&duals.iter().collect::<Vec<_>>())?;
        let mut values = Vec::with_capacity(outputs.len());
        let mut products = Vec::with_capacity(outputs.len());
        for output in outputs {
            let (value, product) = Tensor::f_internal_unpack_dual(&output, level.level)?;
            // An output that does not depend on a moving input carries no tangent: it is zero.
            let product = if product.defined() { product } else { value.f_zeros_like()? };
            values.push(value);
            products.push(product);
        }
        Ok((values, products))
    })
}
