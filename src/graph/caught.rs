//! Refusals of libtorch that tch turns into panics.
//!
//! tch frees numbers that it handed to libtorch before it asks whether libtorch refused, and panics on the refusal that
//! it finds then. Here such a panic becomes the error that it should have been; others go on.

use std::any::Any;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, resume_unwind};

use tch::TchError;

/// How tch's panics show an error of libtorch.
const SHOWN: &str = "Torch(\"";

/// What `run` returns, or the refusal in which it ended.
///
/// # Errors
/// As `run`.
pub fn caught<T, E: From<TchError>>(run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    // What is half done is dropped by the unwinding, and seen by nobody.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| match refusal(payload.as_ref()) {
        Some(error) => Err(error.into()),
        None => resume_unwind(payload),
    })
}

/// libtorch's refusal, where a panic was one.
fn refusal(payload: &(dyn Any + Send)) -> Option<TchError> {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    let (_, shown) = text?.split_once(SHOWN)?;
    Some(TchError::Torch(shown.trim_end_matches("\")").to_owned()))
}

/// Whether a panic is a refusal that comes out of tch.
pub fn is_refusal(info: &PanicHookInfo<'_>) -> bool {
    let file = info.location().map_or("", |place| place.file());
    (file.contains("/tch-") || file.contains("\\tch-")) && refusal(info.payload()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::operator::Torch;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn a_refusal_behind_a_number_is_an_error() {
        let x = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
        let error = caught(|| x.f_select(7, 0)).unwrap_err();
        assert!(matches!(error, TchError::Torch(_)));
        let error = caught(|| Tensor::f_full([-1], 2.0, (Kind::Float, Device::Cpu))).unwrap_err();
        assert!(error.to_string().to_lowercase().contains("negative"), "{error}");
    }

    #[test]
    #[should_panic(expected = "a defect")]
    fn other_panics_go_on() {
        let _ = caught(|| -> Torch<()> { panic!("a defect") });
    }
}
