//! Where a downsampling stands.

/// Where a downsampling goes that takes the place of a strided convolution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Where its paper has it: behind the activation, or right behind the convolution. `follows_activation` in
    /// `aliascope` says of which.
    #[default]
    Paper,
    /// Behind the convolution, before the activation.
    Before,
    /// Behind the activation.
    After,
}
