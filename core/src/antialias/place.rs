//! Where a downsampling stands.

/// Where a downsampling goes that takes the place of a strided convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Where its paper has it: after the activation, or right after the convolution. `follows_activation` in
    /// `aliascope` says of which.
    #[default]
    Paper,
    /// After the convolution, before the activation.
    Before,
    /// After the activation.
    After,
}
