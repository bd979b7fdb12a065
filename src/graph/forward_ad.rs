//! libtorch's forward-mode automatic differentiation: the fallback for operators without a rule, and a peer in tests.

use tch::{TchError, Tensor};

use super::operator::Torch;

unsafe extern "C" {
    fn aliascope_enter_dual_level() -> i64;
    fn aliascope_exit_dual_level(level: i64) -> i32;
}

/// An open level of differentiation; it closes when dropped.
struct DualLevel(i64);

impl DualLevel {
    fn open() -> Torch<Self> {
        // SAFETY: the shim takes nothing, and returns -1 instead of throwing.
        let level = unsafe { aliascope_enter_dual_level() };
        if level < 0 {
            return Err(TchError::Torch("libtorch's forward-mode differentiation is already in use".to_owned()));
        }
        Ok(Self(level))
    }
}

impl Drop for DualLevel {
    fn drop(&mut self) {
        // SAFETY: the level was opened by `open` and is closed once. A refusal leaves nothing to undo.
        unsafe { aliascope_exit_dual_level(self.0) };
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
    let level = DualLevel::open()?;
    tch::with_grad(|| {
        let duals = x
            .iter()
            .zip(tangents)
            .map(|(x, tangent)| match tangent {
                Some(tangent) => Tensor::f_internal_make_dual(x, tangent, level.0),
                None => Ok(x.shallow_clone()),
            })
            .collect::<Torch<Vec<_>>>()?;
        let outputs = f(&duals.iter().collect::<Vec<_>>())?;
        let mut values = Vec::with_capacity(outputs.len());
        let mut products = Vec::with_capacity(outputs.len());
        for output in outputs {
            let (value, product) = Tensor::f_internal_unpack_dual(&output, level.0)?;
            // An output that does not depend on a moving input carries no tangent: it is zero.
            let product = if product.defined() { product } else { value.f_zeros_like()? };
            values.push(value.f_detach()?);
            products.push(product.f_detach()?);
        }
        Ok((values, products))
    })
}
