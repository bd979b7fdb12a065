//! What libtorch returns.

use tch::TchError;

/// A result of libtorch.
pub type Torch<T> = Result<T, TchError>;
