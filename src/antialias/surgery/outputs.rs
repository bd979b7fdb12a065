//! How far outputs moved.

use tch::{Kind, Tensor};

use super::report::{Mean, OutputChange, Paired};
use crate::graph::Network;
use crate::graph::operator::Torch;

/// Outputs of one network against those of another, image by image.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    classes: bool,
    probabilities: bool,
    kept: Vec<f64>,
    changed: Vec<String>,
    /// The first classes before and after.
    first: [Vec<usize>; 2],
    kl: Vec<f64>,
    /// The largest probabilities before and after.
    confidence: [Vec<f64>; 2],
    /// ‖new − old‖ and ‖old‖.
    lengths: Vec<[f64; 2]>,
}

impl Changes {
    /// For outputs like this network's.
    pub fn new(network: &Network) -> Self {
        let classes = network.classes().is_some();
        Self {
            classes,
            probabilities: network.ends_in_softmax(),
            kept: Vec::new(),
            changed: Vec::new(),
            first: [Vec::new(), Vec::new()],
            kl: Vec::new(),
            confidence: [Vec::new(), Vec::new()],
            lengths: Vec::new(),
        }
    }

    /// Takes up one image's outputs, as the networks give them.
    pub fn add(&mut self, old: &Tensor, new: &Tensor, name: &str) -> Torch<()> {
        let flat = |y: &Tensor| y.f_to_kind(Kind::Double)?.f_to_device(tch::Device::Cpu)?.f_reshape([-1]);
        let (old, new) = (flat(old)?, flat(new)?);
        let norm = |x: &Tensor| -> Torch<f64> { Ok(x.f_square()?.f_sum(None::<Kind>)?.f_double_value(&[])?.sqrt()) };
        self.lengths.push([norm(&new.f_sub(&old)?)?, norm(&old)?]);
        if !self.classes {
            return Ok(());
        }
        let first = |y: &Tensor| y.f_argmax(-1, false)?.f_int64_value(&[]);
        let classes = [first(&old)?, first(&new)?];
        let same = classes[0] == classes[1];
        for (seen, class) in self.first.iter_mut().zip(classes) {
            seen.push(usize::try_from(class).unwrap_or(0));
        }
        self.kept.push(f64::from(same));
        if !same {
            self.changed.push(name.to_owned());
        }
        let logs = |y: &Tensor| {
            if self.probabilities {
                // Below what single precision can hold beside 1, a probability is rounding.
                y.f_clamp_min(1e-12)?.f_log()
            } else {
                y.f_log_softmax(-1, None::<Kind>)
            }
        };
        let (p, q) = (logs(&old)?, logs(&new)?);
        let kl = p.f_exp()?.f_mul(&p.f_sub(&q)?)?.f_sum(None::<Kind>)?.f_double_value(&[])?;
        for (seen, logs) in self.confidence.iter_mut().zip([&p, &q]) {
            seen.push(logs.f_max()?.f_double_value(&[])?.exp());
        }
        // Rounding alone makes it less.
        self.kl.push(kl.max(0.0));
        Ok(())
    }

    /// The share of images whose top-1 class is unchanged, where there are classes.
    pub fn kept(&self) -> Option<f64> {
        self.classes.then(|| Mean::of(&self.kept).mean)
    }

    /// The mean divergence, where there are classes.
    pub fn kl(&self) -> Option<f64> {
        self.classes.then(|| Mean::of(&self.kl).mean)
    }

    /// The mean relative change.
    pub fn relative(&self) -> f64 {
        self.relative_lengths().mean
    }

    fn relative_lengths(&self) -> Mean {
        let squares: f64 = self.lengths.iter().map(|[_, old]| old * old).sum();
        let scale = (squares / self.lengths.len().max(1) as f64).sqrt();
        let over = |length: f64| if scale > 0.0 { length / scale } else { length };
        Mean::of(&self.lengths.iter().map(|[change, _]| over(*change)).collect::<Vec<_>>())
    }

    /// All of it.
    pub fn results(&self) -> OutputChange {
        let classes = |values: &[f64]| self.classes.then(|| Mean::of(values));
        OutputChange {
            top1_unchanged: classes(&self.kept),
            predicted: self.classes.then(|| self.first.clone()),
            top1_changed: self.changed.clone(),
            kl: classes(&self.kl),
            confidence: self.classes.then(|| Paired::of(&self.confidence[0], &self.confidence[1])),
            relative: self.relative_lengths(),
        }
    }
}
