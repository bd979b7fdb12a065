//! In which memory format a network runs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::error::GraphError;
use super::fusion;
use super::memory_format::MemoryFormat;
use super::network::Network;
use super::operator::Operator;
use super::torch::Torch;

/// No more than so many forward passes in each format, and no new ones after so long.
const MOST_ROUNDS: usize = 5;
const LONG_ENOUGH: Duration = Duration::from_secs(3);

impl Network {
    /// The memory format of its runs.
    pub fn memory_format(&self) -> MemoryFormat {
        self.format
    }

    /// Whether there is a format to choose: there are convolutions of images, in single precision.
    pub fn has_memory_formats(&self) -> bool {
        let convolves = |operator: &Operator| matches!(operator, Operator::Linear(op) if op.pattern().taps().is_some());
        self.kind == Kind::Float && self.steps.iter().any(|step| convolves(&step.operator))
    }

    /// Puts the weights of convolutions, and from now on stacks of images, into this format. Results are the same up to
    /// the order in which libtorch adds, that is, up to rounding.
    ///
    /// # Errors
    /// When memory is short.
    pub fn set_memory_format(&mut self, format: MemoryFormat) -> Torch<()> {
        // Fused nodes share weights with those that they are made of, and are made anew.
        self.fused = Vec::new();
        for step in &mut self.steps {
            if let Some(Operator::Linear(op)) = Rc::get_mut(&mut step.operator) {
                op.arrange(format)?;
            }
        }
        self.format = format;
        self.fused = fusion::fuse(&self.steps, &self.values, self.output, (self.kind, self.device))?;
        Ok(())
    }

    /// Milliseconds of a forward pass of eight images in each format of [`MemoryFormat::ALL`]: the least of up to five
    /// in turn, after one that is not counted. The network's own format stays what it was.
    ///
    /// # Errors
    /// When an operator fails, which the message names.
    pub fn time_memory_formats(&mut self) -> Result<[f64; 2], GraphError> {
        let size = [&[8, 1], &self.input().shape[1..]].concat();
        let x = Tensor::f_full(size, 0.5, (self.kind, self.device))?;
        let own = self.format;
        let mut least = [f64::INFINITY; 2];
        let start = Instant::now();
        for round in 0..=MOST_ROUNDS {
            for (format, least) in MemoryFormat::ALL.into_iter().zip(&mut least) {
                self.set_memory_format(format)?;
                let before = Instant::now();
                // What is asked of a device is done when its result has arrived.
                let _ = self.forward(&x)?.f_to_device(Device::Cpu)?;
                let time = before.elapsed().as_secs_f64() * 1e3;
                if round > 0 {
                    *least = least.min(time);
                }
            }
            if round > 0 && start.elapsed() > LONG_ENOUGH {
                break;
            }
        }
        self.set_memory_format(own)?;
        Ok(least)
    }

    /// A number that is the same for networks of the same operators and shapes, whose times are the same too.
    pub fn shape_hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.values.iter().for_each(|value| value.shape.hash(&mut hasher));
        for step in &self.steps {
            step.op_type.hash(&mut hasher);
            step.inputs.hash(&mut hasher);
            if let Operator::Linear(op) = &*step.operator
                && let Some(taps) = op.pattern().taps()
            {
                (taps.weight.size(), &taps.window.strides, taps.groups).hash(&mut hasher);
            }
        }
        hasher.finish()
    }
}
