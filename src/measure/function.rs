//! The Lie derivative of a function that is no ONNX file: a closure of tch's tensors, or a module in training.
//!
//! Tangents are libtorch's forward mode: the shim in `graph/forward_ad.cpp` opens the level that tch's own
//! `make_dual` and `unpack_dual` work at. Reverse mode applied twice would give the same vectors for two backward passes
//! per tangent instead of one forward pass.

use tch::{Device, Kind, Tensor};

use super::action::{Action, ActionError};
use super::images::{MeasureError, header};
use super::lee::{HORIZON_IMAGES, LeeError, LeeMeter, LeeOptions};
use super::lee_report::LeeReport;
use super::run::{Images, Run};
use super::subject::Subject;
use crate::graph::forward_ad::recorded_jvp;
use crate::graph::{FunctionOptions, Network};
use crate::spectrum::differentiation::{Boundary, Scheme};
use crate::symmetry::{Combination, Grid, GridKind};

impl LeeMeter<'static> {
    /// Prepares the measurement of `f`, of images `[images, channels, rows, columns]`, end to end: L = Df\[A x\] − A f(x)
    /// with all that [`new`](Self::new) takes and all that a network's report has.
    ///
    /// A vector `[images, classes]` counts as class scores before a softmax, as a network's does;
    /// [`LeeOptions::output`] says otherwise. `f` is moved in: share a module by an `Rc`.
    ///
    /// ```
    /// use aliascope::measure::lee::LeeMeter;
    /// use aliascope::tch::{Device, Kind, Tensor};
    /// use aliascope::{FunctionOptions, LeeOptions};
    ///
    /// let weights = Tensor::rand([3 * 8 * 8, 10], (Kind::Float, Device::Cpu));
    /// let f = move |x: &Tensor| x.flatten(1, -1).tanh().matmul(&weights);
    /// let mut meter = LeeMeter::of_function(f, &FunctionOptions::new("tanh", [3, 8, 8]), LeeOptions::default())?;
    /// let images = Tensor::rand([2, 1, 3, 8, 8], (Kind::Float, Device::Cpu));
    /// meter.measure(&images, &["a".into(), "b".into()])?;
    /// assert!(meter.results()["rotate"].lee > 0.0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Network::of_function`] and [`new`](Self::new).
    pub fn of_function(
        f: impl Fn(&Tensor) -> Tensor + 'static,
        function: &FunctionOptions,
        options: LeeOptions,
    ) -> Result<Self, LeeError> {
        Self::on(Subject::Owned(Box::new(Network::of_function(f, function)?)), options)
    }
}

/// The Lie derivative error of a function over images `[images, channels, rows, columns]` called `names`, `batch` of them
/// at a time, with their classes where they are known: the report that [`measure_lee`](super::measure_lee) makes of a
/// network.
///
/// ```
/// use aliascope::tch::{Device, Kind, Tensor};
/// use aliascope::{FunctionOptions, LeeOptions, Outcome, measure_function};
///
/// let images = Tensor::rand([4, 1, 8, 8], (Kind::Float, Device::Cpu));
/// let names: Vec<String> = (0..4).map(|i| format!("digit {i}")).collect();
/// let sums = |x: &Tensor| x.square().sum_dim_intlist([2].as_slice(), false, None::<Kind>).flatten(1, -1);
/// let function = FunctionOptions::new("squares by column", [1, 8, 8]);
/// let report = measure_function(sums, &function, &images, (&names, &[]), 4, LeeOptions::default())?;
/// println!("{}", report.text(80)?);
/// // A sum over rows does not see how they are shifted, but for what the mirror at the edge brings in.
/// assert!(report.generators["translate_y"].lee < report.generators["translate_x"].lee);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`LeeMeter::of_function`]; there is no image, or another number of names.
pub fn measure_function(
    f: impl Fn(&Tensor) -> Tensor + 'static,
    function: &FunctionOptions,
    images: &Tensor,
    (names, classes): (&[String], &[Option<usize>]),
    batch: usize,
    options: LeeOptions,
) -> Result<LeeReport, MeasureError> {
    let mut meter = LeeMeter::of_function(f, function, options)?;
    if images.dim() != 4 || images.size()[1..] != function.input {
        return Err(MeasureError::NotAnImage(images.size()));
    }
    if names.is_empty() || names.len() as i64 != images.size()[0] {
        return Err(MeasureError::NoImage);
    }
    let stack = images.f_unsqueeze(1)?;
    let at = |from: usize, count: usize| stack.f_narrow(0, from as i64, count as i64);
    for from in (0..names.len()).step_by(batch.max(1)) {
        let count = batch.max(1).min(names.len() - from);
        meter.measure(&at(from, count)?, &names[from..from + count])?;
    }
    let first = (0..names.len().min(HORIZON_IMAGES)).map(|n| at(n, 1)).collect::<Result<Vec<_>, _>>()?;
    meter.measure_horizon(&first)?;
    let timing = meter.timing(&at(0, 1)?, 0)?;
    let preprocess = "tensor (taken as it is)".to_owned();
    let images = Images { names: names.to_vec(), preprocess, skipped: Vec::new() };
    let run = Run { images, ..header(meter.network())? };
    Ok(meter.report(run, classes, timing)?)
}

/// The Lie derivative along one combination as a part of a training loss, of functions whose output no generator moves.
#[derive(Debug)]
pub struct LieTerm {
    action: Action,
    along: Combination,
}

impl LieTerm {
    /// Of images of `rows` × `columns` pixels in this kind and on this device, as [`LeeOptions`] has it by default.
    ///
    /// # Errors
    /// An axis is too long for a matrix.
    pub fn new(
        along: Combination,
        [rows, columns]: [usize; 2],
        (kind, device): (Kind, Device),
    ) -> Result<Self, ActionError> {
        let grid = Grid::image(rows, columns, GridKind::Tracked);
        Ok(Self { action: Action::new(&grid, Scheme::Spectral, Boundary::Reflect, kind, device)?, along })
    }

    /// f(x) and L = Df\[A x\] for `x` of shape `[images, channels, rows, columns]`, both recorded: the mean of L² is the
    /// LEE of these images, and its gradient by f's weights is exact.
    ///
    /// libtorch 2.13 cannot take the gradient of the tangent of its own `softmax`, and says so in `backward`: in an
    /// attention write exp(x − max x)/Σ exp(x − max x).
    ///
    /// # Errors
    /// f refuses, or has no forward-mode derivative.
    pub fn of(&self, f: impl FnOnce(&Tensor) -> Tensor, x: &Tensor) -> Result<(Tensor, Tensor), tch::TchError> {
        let tangent = self.action.along(&self.along, x)?;
        let run = |x: &[&Tensor]| crate::graph::caught::caught(|| Ok(vec![f(x[0])]));
        let (values, products) = recorded_jvp(run, &[x], &[Some(&tangent)])?;
        match (values.into_iter().next(), products.into_iter().next()) {
            (Some(value), Some(lie)) => Ok((value, lie)),
            _ => Err(tch::TchError::Torch("the function has no output".to_owned())),
        }
    }
}
