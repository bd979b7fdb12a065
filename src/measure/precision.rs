//! The precision of a network's numbers, as results name it.

use tch::Kind;

use super::run::Precision;

/// Of numbers that networks compute with.
pub(super) fn precision(kind: Kind) -> Precision {
    if kind == Kind::Double { Precision::F64 } else { Precision::F32 }
}
