//! The network that a meter measures: another's, or its own.

use std::ops::Deref;

use crate::graph::Network;

/// The network that a meter measures.
#[derive(Debug)]
pub enum Subject<'a> {
    /// It belongs to somebody else.
    Borrowed(&'a Network),
    /// It was made for the meter.
    Owned(Box<Network>),
}

impl Deref for Subject<'_> {
    type Target = Network;

    fn deref(&self) -> &Network {
        match self {
            Self::Borrowed(network) => network,
            Self::Owned(network) => network,
        }
    }
}
