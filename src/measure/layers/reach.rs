//! How far an operator reaches: tried out on made-up values, since no list of operators and attributes is ever whole.

use tch::{Kind, Tensor};

use crate::graph::layout::{Layout, PositionMap};
use crate::graph::operator::Torch;
use crate::graph::{GraphError, Network, Step, Value};

/// Whether each position of the output at `id` depends on its own block of positions alone, and in the same way on each:
/// `blocks` is their size, rows and columns; 1 × 1 for an operator that acts position by position.
///
/// A tangent in one block shows at no other position, and blocks that are alike give positions that are alike.
pub(super) fn is_blockwise(network: &Network, step: &Step, id: usize, to: &PositionMap, blocks: [i64; 2]) -> bool {
    let tried = tch::no_grad(|| try_out(network, step, id, to, blocks));
    // What cannot be run on made-up values is not known.
    tried.unwrap_or(false)
}

fn try_out(network: &Network, step: &Step, id: usize, to: &PositionMap, blocks: [i64; 2]) -> Result<bool, GraphError> {
    let Some(at) = step.outputs.iter().position(|&output| output == Some(id)) else { return Ok(false) };
    let run = |make: &dyn Fn(&PositionMap, &Tensor) -> Torch<[Tensor; 2]>| -> Result<Option<[Tensor; 2]>, GraphError> {
        let mut inputs = Vec::new();
        for &input in &step.inputs {
            let info = &network.values()[input];
            let filled = filled(&[&[1], info.shape.as_slice()].concat(), info.kind, network)?;
            inputs.push(match &info.layout {
                Layout::Map(map) if matches!(info.kind, Kind::Float | Kind::Double) => {
                    let [x, dx] =
                        make(map, &map.gather(&filled)?)?.map(|positions| map.scatter(&positions, &info.shape));
                    Value { stack: Tensor::f_cat(&[x?, dx?], 0)?, tangents: 1 }
                }
                _ => Value { stack: filled, tangents: 0 },
            });
        }
        let made = network.apply(step, &inputs.iter().collect::<Vec<_>>(), 1, 0)?;
        let Some(value) = made.get(at).filter(|value| value.tangents == 1) else { return Ok(None) };
        let of = |x: Tensor| -> Torch<Tensor> { to.gather(&x) };
        Ok(Some([of(value.primal(1)?)?, of(value.tangents_from(1, 0, 1)?)?]))
    };
    // One block moves.
    let middle = [(to.grid.rows.samples / 2) as i64, (to.grid.columns.samples / 2) as i64];
    let moving = |_: &PositionMap, positions: &Tensor| -> Torch<[Tensor; 2]> {
        let dx = positions.f_zeros_like()?;
        let block = |x: &Tensor| -> Torch<Tensor> {
            x.f_narrow(-2, middle[0] * blocks[0], blocks[0])?.f_narrow(-1, middle[1] * blocks[1], blocks[1])
        };
        block(&dx)?.f_copy_(&block(positions)?)?;
        Ok([positions.shallow_clone(), dx])
    };
    if let Some([_, dy]) = run(&moving)? {
        let _ = dy.f_narrow(-2, middle[0], 1)?.f_narrow(-1, middle[1], 1)?.f_zero_()?;
        if dy.f_count_nonzero(None::<i64>)?.f_int64_value(&[])? > 0 {
            return Ok(false);
        }
    }
    // All blocks are alike.
    let alike = |map: &PositionMap, positions: &Tensor| -> Torch<[Tensor; 2]> {
        let tile = positions.f_narrow(-2, 0, blocks[0])?.f_narrow(-1, 0, blocks[1])?;
        let mut repeats = vec![1; positions.dim()];
        let last = repeats.len() - 2;
        repeats[last] = map.grid.rows.samples as i64 / blocks[0];
        repeats[last + 1] = map.grid.columns.samples as i64 / blocks[1];
        let x = tile.f_repeat(repeats.as_slice())?;
        Ok([x.shallow_clone(), x])
    };
    let Some([y, dy]) = run(&alike)? else { return Ok(true) };
    let mut even = true;
    for x in [y, dy] {
        let first = x.f_narrow(-2, 0, 1)?.f_narrow(-1, 0, 1)?;
        let most = |x: &Tensor| -> Torch<f64> { x.f_abs()?.f_max()?.f_double_value(&[]) };
        // Sums in another order differ by rounding; what depends on the position differs by far more.
        even &= most(&x.f_sub(&first)?)? <= 1e-4 * most(&first)?.max(1e-30);
    }
    Ok(even)
}

/// Positive numbers without a pattern, of a size that functions are defined for; zeros where they are no floats.
fn filled(size: &[i64], kind: Kind, network: &Network) -> Torch<Tensor> {
    let device = network.device();
    if !matches!(kind, Kind::Float | Kind::Double) {
        return Tensor::f_zeros(size, (kind, device));
    }
    let entries = size.iter().product::<i64>();
    let phases = Tensor::f_arange(entries, (Kind::Double, device))?.f_mul_scalar(std::f64::consts::SQRT_2)?;
    phases.f_sin()?.f_mul_scalar(0.4)?.f_add_scalar(0.5)?.f_to_kind(kind)?.f_reshape(size)
}
