//! Which value of a model is measured.

/// Which value of a model is measured.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// The first output.
    #[default]
    First,
    /// The output of this name.
    Output(String),
    /// The inner value of this name, or what the node of this name makes first; the end of a name will do where only
    /// one has it. Nodes that only later ones need are not loaded.
    At(String),
}
