//! The networks.

use std::fmt;

use serde::{Deserialize, Serialize};
use tch::nn::{self, VarStore};

use super::Problem;
use super::layers::{
    Attention, Bases, BatchNorm, Convolution, Dense, Designed, Gelu, GlobalMean, GroupConvolution, GroupPool,
    LayerNorm, MaxPool, Position, Relu, Residual, Sequence, Swap, TokenMean, Tokens,
};

/// A family of networks of grey images of 28 × 28 pixels and ten classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Four convolutions with ReLU and two max pools.
    Cnn,
    /// The same with filtered activations and blur pools.
    FilteredCnn,
    /// The same over the plane and its quarter turns.
    P4,
    /// The same over the plane and its turns by 45°.
    C8,
    /// A vision transformer of 4 × 4 patches.
    Vit,
    /// An MLP-Mixer of 4 × 4 patches.
    Mixer,
}

/// How wide a family's networks are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    /// About 6,000 parameters.
    Small,
    /// About 24,000.
    Medium,
    /// About 95,000.
    Large,
}

/// Rows and columns of the images, and of the patches.
const SIDE: i64 = 28;
const PATCH: i64 = 4;
const CLASSES: i64 = 10;
const TOKENS: i64 = (SIDE / PATCH) * (SIDE / PATCH);

impl Family {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cnn => "cnn",
            Self::FilteredCnn => "filtered-cnn",
            Self::P4 => "p4-cnn",
            Self::C8 => "c8-cnn",
            Self::Vit => "vit",
            Self::Mixer => "mixer",
        }
    }

    /// A network whose variables are in `store`, for `[images, 1, 28, 28]`.
    ///
    /// # Errors
    /// An anti-aliasing design is not known.
    pub fn network(self, size: Size, store: &VarStore) -> Result<Sequence, Problem> {
        let root = store.root();
        // Twice the width is four times the parameters.
        let of = |widths: [i64; 4]| match size {
            Size::Small => widths.map(|n| n / 2),
            Size::Medium => widths,
            Size::Large => widths.map(|n| 2 * n),
        };
        match self {
            Self::Cnn => convolutional(&root, of([12, 24, 32, 48]), ["relu", "max"]),
            Self::FilteredCnn => convolutional(&root, of([12, 24, 32, 48]), ["filtered:relu:2x", "blurpool:4"]),
            Self::P4 => Ok(grouped(&root, of([6, 12, 16, 24]), [Bases::quarters(5), Bases::quarters(3)])),
            Self::C8 => {
                let bases = [Bases::eighths(5, &[(1.0, 2), (2.0, 3)]), Bases::eighths(3, &[(1.2, 2)])];
                Ok(grouped(&root, of([5, 10, 14, 20]), bases))
            }
            Self::Vit => Ok(transformer(&root, of([32; 4])[0])),
            Self::Mixer => Ok(mixer(&root, of([32; 4])[0])),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Size {
    /// The name in results.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
        }
    }
}

fn convolutional(root: &nn::Path<'_>, widths: [i64; 4], [activation, pool]: [&str; 2]) -> Result<Sequence, Problem> {
    let mut layers = Sequence::default();
    let mut inputs = 1;
    for (at, outputs) in widths.into_iter().enumerate() {
        let path = root / format!("conv{at}");
        let kernel = if at == 0 { 5 } else { 3 };
        layers = layers.then(Convolution::same(&path, [inputs, outputs, kernel])).then(BatchNorm::new(
            &(&path / "norm"),
            outputs,
            1,
        ));
        layers = if activation == "relu" { layers.then(Relu) } else { layers.then(Designed::new(activation)?) };
        if at < 2 {
            layers = if pool == "max" { layers.then(MaxPool) } else { layers.then(Designed::new(pool)?) };
        }
        inputs = outputs;
    }
    Ok(layers.then(GlobalMean).then(Dense::new(&(root / "scores"), [inputs, CLASSES])))
}

fn grouped(root: &nn::Path<'_>, widths: [i64; 4], [first, rest]: [Bases; 2]) -> Sequence {
    let orientations = first.orientations();
    let mut layers = Sequence::default();
    let mut inputs = 1;
    for (at, outputs) in widths.into_iter().enumerate() {
        let path = root / format!("conv{at}");
        layers = match at {
            0 => layers.then(GroupConvolution::lifting(&path, &first, [inputs, outputs])),
            _ => layers.then(GroupConvolution::between(&path, &rest, [inputs, outputs])),
        };
        layers = layers.then(BatchNorm::new(&(&path / "norm"), outputs, orientations)).then(Relu);
        if at < 2 {
            layers = layers.then(MaxPool);
        }
        inputs = outputs;
    }
    let scores = Dense::new(&(root / "scores"), [inputs, CLASSES]);
    layers.then(GroupPool { orientations }).then(GlobalMean).then(scores)
}

fn patched(root: &nn::Path<'_>, channels: i64) -> Sequence {
    let path = root / "patches";
    Sequence::default().then(Convolution::patches(&path, [1, channels, PATCH])).then(Tokens)
}

fn scored(layers: Sequence, root: &nn::Path<'_>, channels: i64) -> Sequence {
    let scores = Dense::new(&(root / "scores"), [channels, CLASSES]);
    layers.then(LayerNorm::new(&(root / "norm"), channels)).then(TokenMean).then(scores)
}

/// A dense layer, GELU, and one back.
fn perceptron(path: &nn::Path<'_>, [entries, hidden]: [i64; 2]) -> [Dense; 2] {
    [Dense::new(&(path / "in"), [entries, hidden]), Dense::new(&(path / "out"), [hidden, entries])]
}

fn transformer(root: &nn::Path<'_>, channels: i64) -> Sequence {
    let mut layers = patched(root, channels).then(Position::new(root, [TOKENS, channels]));
    for block in 0..2 {
        let path = root / format!("block{block}");
        let attention = Attention::new(&(&path / "attention"), channels, 4);
        let [inner, outer] = perceptron(&path, [channels, 3 * channels]);
        layers = layers
            .then(Residual(Sequence::default().then(LayerNorm::new(&(&path / "norm1"), channels)).then(attention)))
            .then(Residual(
                Sequence::default()
                    .then(LayerNorm::new(&(&path / "norm2"), channels))
                    .then(inner)
                    .then(Gelu)
                    .then(outer),
            ));
    }
    scored(layers, root, channels)
}

fn mixer(root: &nn::Path<'_>, channels: i64) -> Sequence {
    let mut layers = patched(root, channels);
    for block in 0..2 {
        let path = root / format!("block{block}");
        let [inner, outer] = perceptron(&(&path / "tokens"), [TOKENS, 3 * channels / 2]);
        let norm = LayerNorm::new(&(&path / "norm1"), channels);
        let tokens = Sequence::default().then(norm).then(Swap).then(inner).then(Gelu).then(outer).then(Swap);
        let [inner, outer] = perceptron(&(&path / "channels"), [channels, 3 * channels]);
        let norm = LayerNorm::new(&(&path / "norm2"), channels);
        let mixed = Sequence::default().then(norm).then(inner).then(Gelu).then(outer);
        layers = layers.then(Residual(tokens)).then(Residual(mixed));
    }
    scored(layers, root, channels)
}
