//! In which ranges a network's values lie, for designs that are fitted to them.

use std::collections::HashMap;

use tch::Tensor;

use super::SurgeryError;
use crate::graph::Network;

/// The least and the largest entry of some values over all images so far.
#[derive(Clone, Debug)]
pub struct Ranges<'a> {
    network: &'a Network,
    names: Vec<String>,
    found: HashMap<String, [f64; 2]>,
}

impl<'a> Ranges<'a> {
    /// Of the values of these names; nothing is run where there are none.
    pub fn new(network: &'a Network, names: Vec<String>) -> Self {
        Self { network, names, found: HashMap::new() }
    }

    /// Whether images are needed.
    pub fn is_needed(&self) -> bool {
        !self.names.is_empty()
    }

    /// Takes in one image, `[1, input shape…]`.
    ///
    /// # Errors
    /// When the network fails.
    pub fn see(&mut self, x: &Tensor) -> Result<(), SurgeryError> {
        let Self { network, names, found } = self;
        let values = network.values();
        let _ = network.forward_observed(&network.place(x)?, &mut |id, value| {
            let name = &values[id].name;
            if names.contains(name) {
                let least = value.stack.f_min()?.f_double_value(&[])?;
                let most = value.stack.f_max()?.f_double_value(&[])?;
                let range = found.entry(name.clone()).or_insert([least, most]);
                *range = [range[0].min(least), range[1].max(most)];
            }
            Ok(())
        })?;
        Ok(())
    }

    /// The ranges by the values' names.
    pub fn found(&self) -> &HashMap<String, [f64; 2]> {
        &self.found
    }
}
