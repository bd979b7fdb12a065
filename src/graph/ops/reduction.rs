//! ReduceMean, ReduceSum and the other reductions; ArgMax and ArgMin.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::error::GraphError;
use crate::graph::layout::Flow;
use crate::graph::operator::{Differentiable, Forward, Linear, Operator, Pattern, Point, Torch};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reduction {
    Mean,
    Sum,
    L1,
    L2,
    Max,
    Min,
    SumSquare,
    LogSum,
    LogSumExp,
    Product,
}

#[derive(Debug)]
struct Reduce {
    reduction: Reduction,
    /// From the end.
    axes: Vec<i64>,
    keep: bool,
}

impl Reduce {
    fn value(&self, x: &Tensor) -> Torch<Tensor> {
        let (axes, keep) = (self.axes.as_slice(), self.keep);
        match self.reduction {
            Reduction::Mean => x.f_mean_dim(axes, keep, None::<Kind>),
            Reduction::Sum => x.f_sum_dim_intlist(axes, keep, None::<Kind>),
            Reduction::L1 => x.f_abs()?.f_sum_dim_intlist(axes, keep, None::<Kind>),
            Reduction::L2 => x.f_square()?.f_sum_dim_intlist(axes, keep, None::<Kind>)?.f_sqrt(),
            Reduction::Max => x.f_amax(axes, keep),
            Reduction::Min => x.f_amin(axes, keep),
            Reduction::SumSquare => x.f_square()?.f_sum_dim_intlist(axes, keep, None::<Kind>),
            Reduction::LogSum => x.f_sum_dim_intlist(axes, keep, None::<Kind>)?.f_log(),
            Reduction::LogSumExp => x.f_logsumexp(axes, keep),
            Reduction::Product => {
                let mut y = x.shallow_clone();
                let mut axes = axes.to_vec();
                // From the first axis to the last: removing one leaves the others' places from the end as they are.
                axes.sort_unstable();
                for axis in axes {
                    y = y.f_prod_dim_int(axis, keep, None::<Kind>)?;
                }
                Ok(y)
            }
        }
    }
}

impl Linear for Reduce {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.value(x[0])?])
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

impl Forward for Reduce {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.value(x[0])?])
    }
}

impl Differentiable for Reduce {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![self.value(x[0])?])
    }

    fn tangent(&self, at: &Point<'_>) -> Torch<Vec<Tensor>> {
        let (x, y) = (at.x[0], &at.y[0]);
        if matches!(self.reduction, Reduction::Max | Reduction::Min) {
            // Entries that tie share the tangent equally, as libtorch has it. Chosen, not multiplied: the tangents of
            // the others may be infinite.
            let best = x.f_eq_tensor(&self.kept(y)?)?;
            let count = best.f_to_kind(x.kind())?.f_sum_dim_intlist(self.axes.as_slice(), true, None::<Kind>)?;
            let nothing = Tensor::f_zeros([1], (x.kind(), x.device()))?;
            let share = |dx: &Tensor| {
                let chosen = dx.f_where_self(&best, &nothing)?.f_div(&count)?;
                chosen.f_sum_dim_intlist(self.axes.as_slice(), self.keep, None::<Kind>)
            };
            return Ok(vec![at.sum(|_, dx| share(dx))?]);
        }
        // dy = Σ w·dx with the weight w = ∂y/∂x, of x's shape.
        let weight = match self.reduction {
            Reduction::L1 => x.f_sign()?,
            // Where the norm is 0 it has no derivative; 0 is its least subgradient, which libtorch takes as well.
            Reduction::L2 => {
                let y = self.kept(y)?;
                x.f_div(&y)?.f_masked_fill(&y.f_eq(0.0)?, 0.0)?
            }
            Reduction::SumSquare => x.f_mul_scalar(2.0)?,
            Reduction::LogSum => self.kept(y)?.f_neg()?.f_exp()?.f_expand_as(x)?,
            Reduction::LogSumExp => x.f_sub(&self.kept(y)?)?.f_exp()?,
            Reduction::Max | Reduction::Min | Reduction::Mean | Reduction::Sum | Reduction::Product => {
                return Err(tch::TchError::Torch(format!("{:?} has no rule here", self.reduction)));
            }
        };
        let dy = at.sum(|_, dx| dx.f_mul(&weight)?.f_sum_dim_intlist(self.axes.as_slice(), self.keep, None::<Kind>))?;
        Ok(vec![dy])
    }
}

impl Reduce {
    /// A result of `value` with the reduced axes kept.
    fn kept(&self, y: &Tensor) -> Torch<Tensor> {
        if self.keep {
            return Ok(y.shallow_clone());
        }
        // From the end, the first axis last: each finds its place again when those after it are back.
        let mut axes = self.axes.clone();
        axes.sort_unstable();
        let mut y = y.shallow_clone();
        for axis in axes.into_iter().rev() {
            y = y.f_unsqueeze(axis)?;
        }
        Ok(y)
    }
}

#[derive(Debug)]
struct Unchanged;

impl Linear for Unchanged {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].shallow_clone()])
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }
}

/// The axes of a reduction: an attribute, or an input in later opsets.
fn axes(b: &mut Builder<'_>, rank: usize) -> Result<Option<Vec<i64>>, GraphError> {
    let given = match b.ints("axes")? {
        Some(axes) => Some(axes),
        None => b.parameter_ints(1, "axes")?,
    };
    let skip = b.int("noop_with_empty_axes")?.unwrap_or(0) != 0;
    match given {
        Some(axes) if !axes.is_empty() => Ok(Some(b.axes_from_end(&axes, rank)?)),
        _ if skip => Ok(None),
        _ => Ok(Some((-(rank as i64)..0).collect())),
    }
}

/// All reductions that return values.
pub fn reduce(b: &mut Builder<'_>) -> Build {
    let rank = b.shape(0)?.len();
    let keep = b.int("keepdims")?.unwrap_or(1) != 0;
    let reduction = match b.operator {
        "ReduceMean" => Reduction::Mean,
        "ReduceSum" => Reduction::Sum,
        "ReduceL1" => Reduction::L1,
        "ReduceL2" => Reduction::L2,
        "ReduceMax" => Reduction::Max,
        "ReduceMin" => Reduction::Min,
        "ReduceSumSquare" => Reduction::SumSquare,
        "ReduceLogSum" => Reduction::LogSum,
        "ReduceLogSumExp" => Reduction::LogSumExp,
        _ => Reduction::Product,
    };
    let axes = axes(b, rank)?;
    b.varying_input(0)?;
    let Some(axes) = axes else {
        if !matches!(reduction, Reduction::Mean | Reduction::Sum | Reduction::Max | Reduction::Min | Reduction::Product)
        {
            return Err(b.unsupported("noop_with_empty_axes = 1 without axes", "name the axes"));
        }
        return Ok(Built { operator: Operator::Linear(Box::new(Unchanged)), flow: Flow::Pointwise });
    };
    let shape = b.shape(0)?;
    let nothing = axes.iter().any(|&a| shape[(a + rank as i64) as usize] == 0);
    if nothing && matches!(reduction, Reduction::Max | Reduction::Min) {
        return Err(b.unsupported("the extremum of no entries", String::new()));
    }
    let flow = Flow::Reduced { axes: axes.clone(), keep };
    let op = Box::new(Reduce { reduction, axes, keep });
    let operator = match reduction {
        Reduction::Mean | Reduction::Sum => Operator::Linear(op),
        Reduction::Product => Operator::Automatic(op),
        _ => Operator::Differentiable(op),
    };
    Ok(Built { operator, flow })
}

#[derive(Debug)]
struct ArgExtremum {
    axis: i64,
    keep: bool,
    largest: bool,
    /// Whether the last of entries that tie is taken, not the first.
    last: bool,
}

impl ArgExtremum {
    fn place(&self, x: &Tensor) -> usize {
        (x.dim() as i64 + self.axis) as usize
    }
}

impl Forward for ArgExtremum {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let x = if self.last { x[0].f_flip([self.axis])? } else { x[0].shallow_clone() };
        let index = if self.largest { x.f_argmax(self.axis, self.keep)? } else { x.f_argmin(self.axis, self.keep)? };
        let index = if self.last { index.f_neg()?.f_add_scalar(x.size()[self.place(&x)] - 1)? } else { index };
        Ok(vec![index])
    }
}

/// ArgMax and ArgMin: locally constant.
pub fn arg_extremum(b: &mut Builder<'_>) -> Build {
    let rank = b.shape(0)?.len();
    let last = b.int("select_last_index")?.unwrap_or(0) != 0;
    let axis = b.int("axis")?.unwrap_or(0);
    let axis = b.axis_from_end(axis, rank)?;
    let keep = b.int("keepdims")?.unwrap_or(1) != 0;
    let largest = b.operator == "ArgMax";
    b.varying_input(0)?;
    Ok(Built {
        operator: Operator::LocallyConstant(Box::new(ArgExtremum { axis, keep, largest, last })),
        flow: Flow::Unknown,
    })
}
