//! Operators that read a map through a window that is the same at all positions, and write samples of a map: what of their
//! defect is aliasing, and what their kernel makes.
//!
//! The map is continued beyond its edges to E h, by its mirror image to an even one of period 2N. There the operator C has
//! no padding, and ∂ is the periodic spectral derivative. At the operator's own samples, with the field v = b + V u,
//!
//! ```text
//! aliasing   v(u)·[C(∇E h) − ∇C(E h)]
//! kernel     C(v·∇E h) − v(u)·C(∇E h)  =  Σ_t w_t (V p t)·∇h(u + p t)
//! ```
//!
//! where the right-hand side is a convolution's, with pitch p and the taps' offsets t from where the sample lies; of a
//! maximum it is the term of the tap that wins. Both together are the defect where the plane has no edge.

use tch::Tensor;

use crate::graph::Step;
use crate::graph::layout::{Layout, PositionMap, Step as Places};
use crate::graph::operator::{Differentiable, Operator, Pattern, Point, Torch};
use crate::graph::ops::MaxPool;
use crate::graph::window::{Taps, Window, fold_stack, unfold_stack};
use crate::measure::action::{ActionError, Actions};
use crate::spectrum::differentiation::MAX_SAMPLES;
use crate::symmetry::{Axis, Grid};

use super::extension::{Extended, Periodic, Span, vector};
use super::motion::{Affine, Motion};

/// How samples are made of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Sums under a window, with taps.
    Convolution,
    /// The adjoint of one.
    Transposed,
    /// Maxima under a window.
    Maximum,
    /// Every s-th sample, as it is.
    Selection,
    /// One dense layer for disjoint blocks that cover the map.
    Blocks,
}

/// A node of which samples, windows and positions are known along rows and columns.
#[derive(Clone, Debug)]
pub(super) struct Sampling {
    pub operation: Operation,
    /// Rows, columns.
    along: [Along; 2],
    mirrors: bool,
    /// Where entries lie in what is read and in what is written.
    maps: [PositionMap; 2],
    /// Along which axes there is an aliasing part.
    aliases: [bool; 2],
    /// Whether there is a kernel part.
    pub has_kernel: bool,
}

/// One axis of a sampling.
#[derive(Clone, Copy, Debug)]
struct Along {
    /// Where the action finds the samples read, and those written.
    input: Axis,
    output: Axis,
    /// Samples in front of them that a padding node put there.
    skipped: i64,
    /// Samples written, as the operator has them: j lies at the input's place first + j·step.
    step: f64,
    taps: i64,
    dilation: i64,
    stride: i64,
    begin: i64,
}

/// Of one node, on the plane without an edge.
#[derive(Debug, Default)]
pub(super) struct OnPlane {
    pub aliasing: Option<Tensor>,
    pub kernel: Option<Tensor>,
}

impl Along {
    fn extended(&self, mirrors: bool) -> Extended {
        Extended { samples: self.input.samples as i64, mirrors }
    }

    /// The places that `count` samples written from the first on are made of.
    fn read_by(&self, operation: Operation, count: i64) -> Span {
        if operation == Operation::Transposed {
            let from = self.transposed_from();
            // One more than the last that reaches them, so that nothing is short where taps are fewer than the stride.
            return Span { from, count: (count - 1 + self.begin).div_euclid(self.stride) + 2 - from };
        }
        Span { from: -self.begin, count: (count - 1) * self.stride + self.dilation * (self.taps - 1) + 1 }
    }

    fn transposed_from(&self) -> i64 {
        (self.begin - self.dilation * (self.taps - 1)).div_euclid(self.stride)
    }

    /// The samples written on one period; none where windows do not close on it.
    fn written_on(&self, operation: Operation, mirrors: bool) -> Option<i64> {
        let period = self.extended(mirrors).period();
        let written = match operation {
            Operation::Transposed => period * self.stride,
            _ if period % self.stride == 0 => period / self.stride,
            _ => return None,
        };
        // More samples have no derivative.
        (written <= MAX_SAMPLES as i64).then_some(written)
    }

    /// The pitch that the operator gives, over the one that the action has.
    fn pitches(&self) -> f64 {
        self.step * self.input.pitch / self.output.pitch
    }
}

impl Sampling {
    /// What a node is, if it is one of these and closes on the period along the axes that the field moves along.
    ///
    /// Behind a padding node `input` is what that pads, and `skipped` the samples that it puts in front; `output` is where
    /// the action has the node's samples.
    pub fn of(
        step: &Step,
        motion: &Motion,
        field: &Affine,
        (input, skipped): (&Layout, Option<[i64; 2]>),
        output: &Layout,
    ) -> Option<Self> {
        let (Layout::Map(from), Layout::Map(to)) = (input, output) else { return None };
        let operator = operation_of(step, from, to, skipped.is_some())?;
        let skipped = skipped.unwrap_or_default();
        let (inputs, outputs) = (motion.placed(&from.grid), motion.placed(&to.grid));
        let window = operator.window;
        let axes = |grid: &Grid| [grid.rows, grid.columns];
        let (reads, writes) = (axes(&inputs), axes(&outputs));
        let along = [0, 1].map(|a| Along {
            input: reads[a],
            output: writes[a],
            skipped: skipped[a],
            step: operator.places[a].step,
            taps: window.kernel[a],
            dilation: window.dilations[a],
            stride: window.strides[a],
            begin: window.begin[a] + skipped[a],
        });
        let operation = operator.operation;
        // A convolution of stride 1 commutes with the derivative, and so does the adjoint of one.
        let aliases = [0, 1].map(|a| {
            let commutes = along[a].stride == 1 && (operation != Operation::Maximum || along[a].taps == 1);
            field.moves(a) && !commutes
        });
        if (0..2).any(|a| aliases[a] && along[a].written_on(operation, motion.mirrors).is_none()) {
            return None;
        }
        // Where samples are not where the action has them, the plane itself is distorted.
        let same_pitch = |a: usize| (along[a].pitches() - 1.0).abs() < 1e-9;
        let lies = |a: usize| {
            let first = operator.places[a].first - skipped[a] as f64;
            (along[a].input.position(first) - along[a].output.origin).abs() < 1e-9 * along[a].input.pitch.abs()
        };
        let one_tap = window.kernel.iter().all(|&taps| taps == 1) && (0..2).all(lies);
        let has_kernel = !(field.is_translation() || one_tap) || (0..2).any(|a| field.moves(a) && !same_pitch(a));
        Some(Self { operation, along, mirrors: motion.mirrors, maps: [from.clone(), to.clone()], aliases, has_kernel })
    }

    /// Rows and columns that one sample written is made of.
    pub fn blocks(&self) -> [i64; 2] {
        [0, 1].map(|a| self.along[a].taps)
    }

    /// Whether there is an aliasing part.
    pub fn has_aliasing(&self) -> bool {
        self.aliases.contains(&true)
    }

    /// Both parts of the node's defect for what it reads, `[images, shape…]`, at the samples of an output of this shape.
    pub fn on_plane(
        &self,
        step: &Step,
        x: &Tensor,
        field: &Affine,
        (actions, periodic): (&mut Actions, &mut Periodic),
        shape: &[i64],
    ) -> Result<OnPlane, ActionError> {
        let [from, to] = &self.maps;
        let h = self.inside(&from.gather(x)?)?;
        let count = self.along.map(|axis| axis.output.samples as i64);
        let own_shape = &x.size()[1..];
        let worker = Worker { sampling: self, step, own_shape };
        let grid = Grid { rows: self.along[0].input, columns: self.along[1].input };
        let (hx, hy) = actions.on(&grid)?.derivatives(&h)?;
        let spans = [0, 1].map(|a| self.along[a].read_by(self.operation, count[a]));
        let derivatives = [self.beyond(&hy, spans, Some(0))?, self.beyond(&hx, spans, Some(1))?];
        // C(∂E h) along the axes that move, and C(v·∇E h).
        let moved: Vec<usize> = (0..2).filter(|&a| field.moves(a)).collect();
        let mut tangents: Vec<Tensor> = moved.iter().map(|&a| derivatives[a].shallow_clone()).collect();
        if self.has_kernel {
            let [y, x] = [0, 1].map(|a| {
                let axis = self.along[a].input;
                vector(spans[a].places().map(|i| axis.position(i as f64)), &h)
            });
            let positions = [&y?.f_unsqueeze(-1)?, &x?];
            let mut sum: Option<Tensor> = None;
            for &a in &moved {
                let term = derivatives[a].f_mul(&field.along(a, positions)?)?;
                sum = Some(sum.map_or_else(|| Ok(term.shallow_clone()), |sum| sum.f_add(&term))?);
            }
            tangents.extend(sum);
        }
        let made = worker.tangents(&self.beyond(&h, spans, None)?, &tangents, spans, count)?;
        let [y, x] = [0, 1].map(|a| vector(self.along[a].output.positions(), &h));
        let positions = [&y?.f_unsqueeze(-1)?, &x?];
        let mut aliasing: Option<Tensor> = None;
        let mut kernel = if self.has_kernel { made.last().map(Tensor::shallow_clone) } else { None };
        for (of, &a) in made.iter().zip(&moved) {
            let velocity = field.along(a, positions)?.f_mul_scalar(self.along[a].pitches())?;
            if let Some(kernel) = &mut kernel {
                *kernel = kernel.f_sub(&of.f_mul(&velocity)?)?;
            }
            if self.aliases[a] {
                let behind = self.derivative_behind(&worker, &h, a, (spans, count), periodic)?;
                let term = of.f_sub(&behind)?.f_mul(&velocity)?;
                aliasing = Some(aliasing.map_or_else(|| Ok(term.shallow_clone()), |sum| sum.f_add(&term))?);
            }
        }
        let placed = |part: Option<Tensor>| part.map(|part| to.scatter(&part, shape)).transpose();
        Ok(OnPlane { aliasing: placed(aliasing)?, kernel: placed(kernel)? })
    }

    /// What lies inside of a padding.
    fn inside(&self, h: &Tensor) -> Torch<Tensor> {
        let mut h = h.shallow_clone();
        for (a, axis) in self.along.iter().enumerate() {
            h = h.f_narrow(a as i64 - 2, axis.skipped, axis.input.samples as i64)?;
        }
        Ok(h)
    }

    /// A map at these places, which may lie beyond its edges; of a derivative along an axis the mirror image has the other
    /// sign.
    fn beyond(&self, x: &Tensor, spans: [Span; 2], derivative: Option<usize>) -> Torch<Tensor> {
        let mut x = x.shallow_clone();
        for (a, (axis, span)) in self.along.iter().zip(spans).enumerate() {
            let extended = axis.extended(self.mirrors);
            x = extended.take(&x, a as i64 - 2, span)?;
            if derivative == Some(a) && !extended.owns(span) {
                let signs = extended.signs(span, &x)?;
                x = x.f_mul(&if a == 0 { signs.f_unsqueeze(-1)? } else { signs })?;
            }
        }
        Ok(x)
    }

    /// ∂C(E h) along an axis, at the operator's own samples.
    fn derivative_behind(
        &self,
        worker: &Worker<'_>,
        h: &Tensor,
        axis: usize,
        (mut spans, mut count): ([Span; 2], [i64; 2]),
        periodic: &mut Periodic,
    ) -> Result<Tensor, ActionError> {
        let along = &self.along[axis];
        let own = count[axis];
        // Known to close, as parts are only asked for where it does.
        let period = along.written_on(self.operation, self.mirrors).unwrap_or(own);
        count[axis] = period;
        spans[axis] = along.read_by(self.operation, period);
        let y = worker.values(&self.beyond(h, spans, None)?, count)?;
        let matrix = periodic.rows(period, own)?;
        let derivative = if axis == 0 { matrix.f_matmul(&y)? } else { y.f_matmul(&matrix.f_transpose(0, 1)?)? };
        Ok(derivative.f_div_scalar(along.step * along.input.pitch)?)
    }
}

/// A node's operator, without padding.
struct Worker<'a> {
    sampling: &'a Sampling,
    step: &'a Step,
    /// The shape of what it reads, without images.
    own_shape: &'a [i64],
}

impl Worker<'_> {
    /// C of a continued map, `count` samples of it along each axis.
    fn values(&self, x: &Tensor, count: [i64; 2]) -> Torch<Tensor> {
        let along = &self.sampling.along;
        let (strides, dilations) = (along.map(|axis| axis.stride), along.map(|axis| axis.dilation));
        match self.sampling.operation {
            Operation::Maximum => Ok(self.pool().forward(&[x])?.swap_remove(0)),
            Operation::Selection => {
                let mut x = x.shallow_clone();
                for a in 0..2 {
                    x = x.f_slice(a as i64 - 2, None, None, strides[a])?.f_narrow(a as i64 - 2, 0, count[a])?;
                }
                Ok(x)
            }
            Operation::Convolution => {
                let taps = self.taps()?;
                let (x, lead) = fold_stack(x)?;
                let y = x.f_conv2d(taps.weight, None::<&Tensor>, strides, [0, 0], dilations, taps.groups)?;
                unfold_stack(y, lead)
            }
            Operation::Transposed => {
                let taps = self.taps()?;
                let (x, lead) = fold_stack(x)?;
                let mut y = x.f_conv_transpose2d(
                    taps.weight,
                    None::<&Tensor>,
                    strides,
                    [0, 0],
                    [0, 0],
                    taps.groups,
                    dilations,
                )?;
                for a in 0..2 {
                    let cut = along[a].begin - along[a].stride * along[a].transposed_from();
                    y = y.f_narrow(a as i64 - 2, cut, count[a])?;
                }
                unfold_stack(y, lead)
            }
            Operation::Blocks => self.blocks(x),
        }
    }

    /// C'(h) of tangents, each of the shape of `h`.
    fn tangents(&self, h: &Tensor, tangents: &[Tensor], spans: [Span; 2], count: [i64; 2]) -> Torch<Vec<Tensor>> {
        if tangents.is_empty() {
            return Ok(Vec::new());
        }
        if self.sampling.operation == Operation::Maximum {
            return self.winners(h, tangents, spans);
        }
        let images = tangents[0].size()[0];
        let made = self.values(&Tensor::f_cat(tangents, 0)?, count)?;
        (0..tangents.len() as i64).map(|at| made.f_narrow(0, at * images, images)).collect()
    }

    /// The tangents of the samples that win. Where a sample and a mirror image of it are equal it is the sample.
    fn winners(&self, h: &Tensor, tangents: &[Tensor], spans: [Span; 2]) -> Torch<Vec<Tensor>> {
        let pool = self.pool();
        let stack = Tensor::f_stack(tangents, 0)?;
        let best = |x: &Tensor| -> Torch<(Tensor, Tensor)> {
            let y = pool.forward(&[x])?;
            let dy = pool.tangent(&Point { x: &[x], y: &y, dx: &[Some(stack.shallow_clone())] })?.swap_remove(0);
            Ok((y[0].shallow_clone(), dy))
        };
        let extended = self.sampling.along.map(|axis| axis.extended(self.sampling.mirrors));
        let made = if (0..2).all(|a| extended[a].owns(spans[a])) {
            best(h)?.1
        } else {
            let [rows, columns] = [0, 1].map(|a| extended[a].beyond(spans[a], h.device()));
            let beyond = rows?.f_unsqueeze(-1)?.f_logical_or(&columns?)?;
            let (inside, by_inside) = best(&h.f_masked_fill(&beyond, f64::NEG_INFINITY)?)?;
            let (outside, by_outside) = best(&h.f_masked_fill(&beyond.f_logical_not()?, f64::NEG_INFINITY)?)?;
            by_inside.f_where_self(&inside.f_ge_tensor(&outside)?.f_unsqueeze(0)?, &by_outside)?
        };
        (0..tangents.len() as i64).map(|at| made.f_get(at)).collect()
    }

    fn pool(&self) -> MaxPool {
        let along = &self.sampling.along;
        let of = |get: fn(&Along) -> i64| along.iter().map(get).collect::<Vec<_>>();
        MaxPool::unpadded(&Window {
            kernel: of(|axis| axis.taps),
            strides: of(|axis| axis.stride),
            dilations: of(|axis| axis.dilation),
            begin: vec![0; 2],
            end: vec![0; 2],
        })
    }

    /// A map of a whole number of copies of the operator's own, copy by copy: blocks cover it, and so they do each copy.
    fn blocks(&self, x: &Tensor) -> Torch<Tensor> {
        let Operator::Linear(op) = &*self.step.operator else { return Err(unknown()) };
        let along = &self.sampling.along;
        let [from, to] = &self.sampling.maps;
        let mut rows = Vec::new();
        for i in 0..x.size()[x.dim() - 2] / along[0].input.samples as i64 {
            let mut columns = Vec::new();
            for j in 0..x.size()[x.dim() - 1] / along[1].input.samples as i64 {
                let [n, m] = along.map(|axis| axis.input.samples as i64);
                let copy = x.f_narrow(-2, i * n, n)?.f_narrow(-1, j * m, m)?;
                let y = op.apply(&[&from.scatter(&copy, self.own_shape)?])?.swap_remove(0);
                columns.push(to.gather(&y)?);
            }
            rows.push(Tensor::f_cat(&columns, -1)?);
        }
        Tensor::f_cat(&rows, -2)
    }

    fn taps(&self) -> Torch<Taps<'_>> {
        let Operator::Linear(op) = &*self.step.operator else { return Err(unknown()) };
        match op.pattern() {
            Pattern::Convolution(taps) | Pattern::TransposedConvolution(taps) => Ok(taps),
            _ => Err(unknown()),
        }
    }
}

fn unknown() -> tch::TchError {
    tch::TchError::Torch("a node is not what the plan of its layers says".to_owned())
}

/// An operator with its window, as far as it is known without a field.
struct Windowed {
    operation: Operation,
    window: Window,
    /// Where samples written lie in what is read, padding included.
    places: [Places; 2],
}

fn operation_of(step: &Step, from: &PositionMap, to: &PositionMap, is_padded: bool) -> Option<Windowed> {
    let planar = from.is_planar() && to.is_planar();
    let size = |map: &PositionMap| [map.grid.rows.samples, map.grid.columns.samples];
    let windowed = |operation, window: &Window| {
        let places = [0, 1].map(|a| match operation {
            Operation::Transposed => {
                Places::transposed_window(window.kernel[a], window.strides[a], window.dilations[a], window.begin[a])
            }
            _ => Places::window(window.kernel[a], window.strides[a], window.dilations[a], window.begin[a]),
        });
        Windowed { operation, window: window.clone(), places }
    };
    match &*step.operator {
        Operator::Linear(op) => match op.pattern() {
            Pattern::Convolution(taps) if planar => Some(windowed(Operation::Convolution, taps.window)),
            Pattern::TransposedConvolution(taps) if planar && !is_padded => {
                Some(windowed(Operation::Transposed, taps.window))
            }
            Pattern::Convolution(_) | Pattern::TransposedConvolution(_) => None,
            pattern if !is_padded && size(from) != size(to) => {
                let selects = pattern.selects();
                let [rows, columns] = [(from.grid.rows, to.grid.rows), (from.grid.columns, to.grid.columns)]
                    .map(|(from, to)| if selects { decimation(from, to) } else { block(from, to) });
                let (rows, columns) = (rows?, columns?);
                let operation = if selects { Operation::Selection } else { Operation::Blocks };
                Some(from_axes(operation, [rows, columns]))
            }
            _ => None,
        },
        Operator::Differentiable(op) if planar => op.max_window().map(|window| windowed(Operation::Maximum, window)),
        _ => None,
    }
}

/// Taps, stride and padding of one axis, and where its samples lie.
type Line = ([i64; 3], Places);

fn from_axes(operation: Operation, [rows, columns]: [Line; 2]) -> Windowed {
    let of = |i: usize| vec![rows.0[i], columns.0[i]];
    let window = Window { kernel: of(0), strides: of(1), dilations: vec![1; 2], begin: of(2), end: vec![0; 2] };
    Windowed { operation, window, places: [rows.1, columns.1] }
}

/// Every s-th sample of an axis from one of its samples on.
fn decimation(from: Axis, to: Axis) -> Option<Line> {
    let (first, step) = ((to.origin - from.origin) / from.pitch, to.pitch / from.pitch);
    let whole = |x: f64| ((x - x.round()).abs() < 1e-6).then_some(x.round() as i64);
    // One sample has no pitch of its own.
    let stride = if to.samples == 1 { from.samples as i64 } else { whole(step)? };
    let first = whole(first)?;
    let last = first + stride * (to.samples as i64 - 1);
    let inside = first >= 0 && last < from.samples as i64 && stride >= 1;
    inside.then_some(([1, stride, -first], Places { first: first as f64, step }))
}

/// Disjoint blocks that cover an axis.
fn block(from: Axis, to: Axis) -> Option<Line> {
    let (n, m) = (from.samples as i64, to.samples as i64);
    if m == 0 || n % m != 0 {
        return None;
    }
    let stride = n / m;
    let first = (stride - 1) as f64 / 2.0;
    let fits = to.agrees_with(&from.resampled(first, stride as f64, to.samples));
    fits.then_some(([stride, stride, 0], Places { first, step: stride as f64 }))
}
