//! CumSum and Trilu.

use tch::Tensor;

use crate::graph::builder::{Build, Builder, Built};
use crate::graph::layout::Flow;
use crate::graph::operator::{Linear, Operator, Pattern, Torch};

/// Sums along an axis up to each entry.
#[derive(Debug)]
struct RunningSum {
    axis: i64,
    exclusive: bool,
    reverse: bool,
}

impl Linear for RunningSum {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let turned = |t: &Tensor| if self.reverse { t.f_flip([self.axis]) } else { Ok(t.shallow_clone()) };
        let mut y = turned(x[0])?.f_cumsum(self.axis, x[0].kind())?;
        if self.exclusive {
            // Shifted by one entry: a difference of sums would round.
            let n = y.size()[(y.dim() as i64 + self.axis) as usize];
            let nothing = y.f_narrow(self.axis, 0, n.min(1))?.f_zeros_like()?;
            y = Tensor::f_cat(&[nothing, y.f_narrow(self.axis, 0, (n - 1).max(0))?], self.axis)?;
        }
        Ok(vec![turned(&y)?])
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

/// CumSum along a constant axis.
pub fn cum_sum(b: &mut Builder<'_>) -> Build {
    let rank = b.shape(0)?.len();
    let axis = match b.parameter_ints(1, "axis")?.as_deref() {
        Some([axis]) => b.axis_from_end(*axis, rank)?,
        _ => return Err(b.invalid("its axis is not one number")),
    };
    let (exclusive, reverse) = (b.int("exclusive")?.unwrap_or(0) != 0, b.int("reverse")?.unwrap_or(0) != 0);
    b.varying_input(0)?;
    let op = RunningSum { axis, exclusive, reverse };
    Ok(Built { operator: Operator::Linear(Box::new(op)), flow: Flow::Unknown })
}

/// The entries of matrices on one side of a diagonal; zeros elsewhere.
#[derive(Debug)]
struct Triangle {
    upper: bool,
    diagonal: i64,
}

impl Linear for Triangle {
    fn apply(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        Ok(vec![if self.upper { x[0].f_triu(self.diagonal)? } else { x[0].f_tril(self.diagonal)? }])
    }

    fn pattern(&self) -> Pattern<'_> {
        Pattern::Selection
    }

    fn is_fresh(&self) -> bool {
        true
    }
}

/// Trilu.
pub fn trilu(b: &mut Builder<'_>) -> Build {
    let upper = b.int("upper")?.unwrap_or(1) != 0;
    let diagonal = match b.parameter_ints(1, "k")?.as_deref() {
        None => 0,
        Some([k]) => (*k).clamp(-(1 << 30), 1 << 30),
        Some(_) => return Err(b.invalid("its k is not one number")),
    };
    if b.shape(0)?.len() < 2 {
        return Err(b.invalid("its input is no matrix"));
    }
    b.varying_input(0)?;
    Ok(Built { operator: Operator::Linear(Box::new(Triangle { upper, diagonal })), flow: Flow::Unknown })
}
