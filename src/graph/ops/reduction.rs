//! ReduceMean, ReduceSum and the other reductions; ArgMax and ArgMin.

use tch::{Kind, Tensor};

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::error::GraphError;
use crate::graph::layout::Flow;
use crate::graph::operator::{Forward, Linear, Operator, Torch};

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

#[derive(Debug)]
struct Unchanged;

impl Linear for Unchanged {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![x[0].shallow_clone()])
    }

    fn selects(&self) -> bool {
        true
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
        _ => Operator::Automatic(op),
    };
    Ok(Built { operator, flow })
}

#[derive(Debug)]
struct ArgExtremum {
    axis: i64,
    keep: bool,
    largest: bool,
}

impl Forward for ArgExtremum {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![if self.largest { x[0].f_argmax(self.axis, self.keep)? } else { x[0].f_argmin(self.axis, self.keep)? }])
    }
}

/// ArgMax and ArgMin: locally constant.
pub fn arg_extremum(b: &mut Builder<'_>) -> Build {
    let rank = b.shape(0)?.len();
    if b.int("select_last_index")?.unwrap_or(0) != 0 {
        return Err(b.unsupported("select_last_index = 1", "0 is"));
    }
    let axis = b.int("axis")?.unwrap_or(0);
    let axis = b.axis_from_end(axis, rank)?;
    let keep = b.int("keepdims")?.unwrap_or(1) != 0;
    let largest = b.operator == "ArgMax";
    b.varying_input(0)?;
    Ok(Built { operator: Operator::LocallyConstant(Box::new(ArgExtremum { axis, keep, largest })), flow: Flow::Lost })
}
