//! Operators that a caller brings along, for nodes that no ONNX operator can say.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use super::builder::Built;

/// The domain of nodes whose operators a caller brings along. They live in memory alone: a saved model says the same in
/// ONNX's own operators.
pub const CUSTOM_DOMAIN: &str = "aliascope.custom";

/// Makes an operator of one varying input from the input's shape, batch axis included; or says why it cannot.
pub type Make = Rc<dyn Fn(&[i64]) -> Result<Built, String>>;

/// Operators by the names that nodes of [`CUSTOM_DOMAIN`] call them by.
#[derive(Clone, Default)]
pub struct CustomOperators(HashMap<String, Make>);

impl CustomOperators {
    /// Takes up an operator; one that has the name already makes way.
    pub fn insert(&mut self, name: impl Into<String>, make: Make) {
        self.0.insert(name.into(), make);
    }

    /// The operator of this name.
    pub fn get(&self, name: &str) -> Option<&Make> {
        self.0.get(name)
    }
}

impl fmt::Debug for CustomOperators {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
