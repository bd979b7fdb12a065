//! RNN, GRU and LSTM with constant weights, step by step.

use tch::Tensor;

use crate::graph::builder::{Build, Builder, Built, Operand};
use crate::graph::error::GraphError;
use crate::graph::layout::Flow;
use crate::graph::operator::{Elementwise, Forward, Operator, Torch};

use super::activation::Function;

/// Which recurrence.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cell {
    /// h' = f(xW + hR + b)
    Rnn,
    /// Gates z, r, h; whether the reset gate stands after the product with R.
    Gru { reset_after: bool },
    /// Gates i, o, f, c; whether f = 1 − i.
    Lstm { coupled: bool },
}

impl Cell {
    fn gates(self) -> i64 {
        match self {
            Self::Rnn => 1,
            Self::Gru { .. } => 3,
            Self::Lstm { .. } => 4,
        }
    }
}

/// One direction: its weights, each with inputs first.
#[derive(Debug)]
struct Direction {
    /// `[inputs, gates·hidden]`
    input: Tensor,
    /// `[hidden, gates·hidden]`
    hidden: Tensor,
    /// `[gates·hidden]` each: of the input's product and of the hidden state's.
    biases: [Tensor; 2],
    /// `[3·hidden]`: of the gates i, o, f.
    peepholes: Option<Tensor>,
    activations: Vec<Function>,
    backwards: bool,
}

#[derive(Debug)]
struct Recurrent {
    cell: Cell,
    directions: Vec<Direction>,
    size: i64,
    clip: Option<f64>,
    /// Axes are `[batch, sequence, …]`, not `[sequence, batch, …]`.
    batch_first: bool,
    /// The input, and the initial states h and c.
    operands: [Option<Operand>; 3],
    outputs: usize,
}

impl Recurrent {
    /// An operand with the stack axis in front.
    fn operand(&self, i: usize, x: &[&Tensor]) -> Torch<Option<Tensor>> {
        self.operands[i].as_ref().map(|operand| operand.in_stack(x)).transpose()
    }

    /// σ of its clipped argument.
    fn activated(&self, function: Function, x: &Tensor) -> Torch<Tensor> {
        match self.clip {
            Some(clip) => function.value(&x.f_clamp(-clip, clip)?),
            None => function.value(x),
        }
    }

    /// Hidden states of all steps, `[stack, batch, hidden]` each, and the cell's last state.
    fn run(&self, d: &Direction, steps: &[Tensor], mut h: Tensor, mut c: Tensor) -> Torch<(Vec<Tensor>, Tensor)> {
        let gate = |x: &Tensor, i: i64| x.f_narrow(-1, i * self.size, self.size);
        let [of_input, of_hidden] = &d.biases;
        let f = |i: usize| d.activations[i];
        let mut all = Vec::with_capacity(steps.len());
        let order: Vec<usize> = if d.backwards { (0..steps.len()).rev().collect() } else { (0..steps.len()).collect() };
        for at in order {
            let x = steps[at].f_matmul(&d.input)?.f_add(of_input)?;
            match self.cell {
                Cell::Rnn => {
                    h = self.activated(f(0), &x.f_add(&h.f_matmul(&d.hidden)?)?.f_add(of_hidden)?)?;
                }
                Cell::Gru { reset_after } => {
                    let product = h.f_matmul(&d.hidden)?.f_add(of_hidden)?;
                    let z = self.activated(f(0), &gate(&x, 0)?.f_add(&gate(&product, 0)?)?)?;
                    let r = self.activated(f(0), &gate(&x, 1)?.f_add(&gate(&product, 1)?)?)?;
                    let inner = if reset_after {
                        r.f_mul(&gate(&product, 2)?)?
                    } else {
                        r.f_mul(&h)?.f_matmul(&gate(&d.hidden, 2)?)?.f_add(&gate(of_hidden, 2)?)?
                    };
                    let candidate = self.activated(f(1), &gate(&x, 2)?.f_add(&inner)?)?;
                    h = candidate.f_add(&z.f_mul(&h.f_sub(&candidate)?)?)?;
                }
                Cell::Lstm { coupled } => {
                    let sums = x.f_add(&h.f_matmul(&d.hidden)?)?.f_add(of_hidden)?;
                    let sum = |i: i64, peephole: i64, state: &Tensor| -> Torch<Tensor> {
                        match &d.peepholes {
                            Some(p) => gate(&sums, i)?.f_add(&gate(p, peephole)?.f_mul(state)?),
                            None => gate(&sums, i),
                        }
                    };
                    let i = self.activated(f(0), &sum(0, 0, &c)?)?;
                    let forget =
                        if coupled { i.f_neg()?.f_add_scalar(1.0)? } else { self.activated(f(0), &sum(2, 2, &c)?)? };
                    let candidate = self.activated(f(1), &gate(&sums, 3)?)?;
                    c = forget.f_mul(&c)?.f_add(&i.f_mul(&candidate)?)?;
                    let o = self.activated(f(0), &sum(1, 1, &c)?)?;
                    h = o.f_mul(&f(2).value(&c)?)?;
                }
            }
            all.push(h.shallow_clone());
        }
        if d.backwards {
            all.reverse();
        }
        Ok((all, c))
    }
}

impl Forward for Recurrent {
    fn forward(&self, x: &[&Tensor]) -> Torch<Vec<Tensor>> {
        let missing = || tch::TchError::Torch("a recurrent layer lacks its input".into());
        let input = self.operand(0, x)?.ok_or_else(missing)?;
        let input = if self.batch_first { input.f_transpose(1, 2)? } else { input };
        let size = input.size();
        let steps = (0..size[1]).map(|t| input.f_select(1, t)).collect::<Torch<Vec<_>>>()?;
        let axis = if self.batch_first { 2 } else { 1 };
        let zeros = Tensor::f_zeros([size[0], size[2], self.size], (input.kind(), input.device()))?;
        let (mut sequences, mut last, mut cells) = (Vec::new(), Vec::new(), Vec::new());
        for (i, direction) in self.directions.iter().enumerate() {
            let initial = |which: usize| match self.operand(which, x)? {
                Some(state) => state.f_select(axis, i as i64),
                None => Ok(zeros.shallow_clone()),
            };
            let (all, c) = self.run(direction, &steps, initial(1)?, initial(2)?)?;
            let end = if direction.backwards { all.first() } else { all.last() };
            last.push(end.ok_or_else(missing)?.shallow_clone());
            cells.push(c);
            // [stack, sequence, batch, hidden]
            sequences.push(Tensor::f_stack(&all, 1)?);
        }
        // [stack, sequence, directions, batch, hidden], or [stack, batch, sequence, directions, hidden]
        let y = Tensor::f_stack(&sequences, 2)?;
        let y = if self.batch_first { y.f_permute([0, 3, 1, 2, 4])?.f_contiguous()? } else { y };
        let mut outputs = vec![y, Tensor::f_stack(&last, axis)?, Tensor::f_stack(&cells, axis)?];
        outputs.truncate(self.outputs.max(1));
        Ok(outputs)
    }
}

fn activation(b: &Builder<'_>, name: &str) -> Result<Function, GraphError> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "relu" => Function::Relu,
        "tanh" => Function::Tanh,
        "sigmoid" => Function::Sigmoid,
        "softsign" => Function::Softsign,
        "softplus" => Function::Softplus,
        "hardsigmoid" => Function::HardSigmoid(0.2, 0.5),
        _ => {
            let hint = "Relu, Tanh, Sigmoid, Softsign, Softplus and HardSigmoid are";
            return Err(b.unsupported(format!("the activation '{name}'"), hint));
        }
    })
}

/// RNN, GRU or LSTM.
pub fn recurrent(b: &mut Builder<'_>) -> Build {
    let batch_first = b.int("layout")?.unwrap_or(0) != 0;
    let cell = match b.operator {
        "GRU" => Cell::Gru { reset_after: b.int("linear_before_reset")?.unwrap_or(0) != 0 },
        "LSTM" => Cell::Lstm { coupled: b.int("input_forget")?.unwrap_or(0) != 0 },
        _ => Cell::Rnn,
    };
    let shape = b.shape(0)?;
    let &[first, second, features] = &shape[..] else {
        return Err(b.invalid("its input has not the axes sequence, batch and features"));
    };
    let (steps, batch) = if batch_first { (second, first) } else { (first, second) };
    let (weight, recurrence) = (b.parameter(1, "weight")?, b.parameter(2, "recurrence weight")?);
    let gates = cell.gates();
    let backwards = match b.string("direction")?.as_deref() {
        None | Some("forward") => vec![false],
        Some("reverse") => vec![true],
        Some("bidirectional") => vec![false, true],
        Some(other) => return Err(b.invalid(format!("its direction is '{other}'"))),
    };
    let count = backwards.len() as i64;
    let size = recurrence.size().last().copied().unwrap_or(0);
    let wide = gates.saturating_mul(size);
    if steps < 1 || size < 1 || weight.size() != [count, wide, features] || recurrence.size() != [count, wide, size] {
        let (w, r) = (weight.size(), recurrence.size());
        return Err(b.invalid(format!("its weights {w:?} and {r:?} do not fit {features} features")));
    }
    if let Some(stated) = b.int("hidden_size")?.filter(|&stated| stated != size) {
        return Err(b.invalid(format!("hidden_size = {stated} contradicts its weights of {size}")));
    }
    b.check_size(&[steps, count, batch, wide])?;
    let kind = (weight.kind(), weight.device());
    let rows = |i: usize, what: &str, width: i64| -> Result<Option<Tensor>, GraphError> {
        if !b.has(i) {
            return Ok(None);
        }
        let tensor = b.parameter(i, what)?;
        match tensor.size() == [count, width] {
            true => Ok(Some(tensor)),
            false => Err(b.invalid(format!("its {what} has the shape {:?}", tensor.size()))),
        }
    };
    let bias = match rows(3, "bias", 2 * wide)? {
        Some(bias) => bias,
        None => Tensor::f_zeros([count, 2 * wide], kind)?,
    };
    let lstm = matches!(cell, Cell::Lstm { .. });
    let peepholes = if lstm { rows(7, "peephole weights", 3 * size)? } else { None };
    if let Some(lengths) = b.parameter_ints(4, "sequence_lens")?
        && lengths.iter().any(|&length| length != steps)
    {
        return Err(
            b.unsupported(format!("sequence_lens = {lengths:?}"), format!("sequences of {steps} steps all are"))
        );
    }
    for name in ["activation_alpha", "activation_beta"] {
        if b.attributes().floats(name)?.is_some() {
            return Err(b.unsupported(name, "activations by their own numbers are"));
        }
    }
    let named = b.attributes().strings("activations")?;
    let each: &[&str] = match cell {
        Cell::Rnn => &["Tanh"],
        Cell::Gru { .. } => &["Sigmoid", "Tanh"],
        Cell::Lstm { .. } => &["Sigmoid", "Tanh", "Tanh"],
    };
    let named = named.unwrap_or_else(|| backwards.iter().flat_map(|_| each.iter().map(|&s| s.to_owned())).collect());
    if named.len() != each.len() * backwards.len() {
        return Err(b.invalid(format!("{} activations do not fit its {count} directions", named.len())));
    }
    let clip = b.float("clip")?;
    let mut directions = Vec::with_capacity(backwards.len());
    for (i, &backwards) in backwards.iter().enumerate() {
        let at = i as i64;
        let names = &named[i * each.len()..(i + 1) * each.len()];
        let turned = |w: &Tensor| w.f_select(0, at)?.f_transpose(0, 1)?.f_contiguous();
        let bias = bias.f_select(0, at)?;
        directions.push(Direction {
            input: turned(&weight)?,
            hidden: turned(&recurrence)?,
            biases: [bias.f_narrow(0, 0, wide)?, bias.f_narrow(0, wide, wide)?],
            peepholes: peepholes.as_ref().map(|p| p.f_select(0, at)).transpose()?,
            activations: names.iter().map(|name| activation(b, name)).collect::<Result<_, _>>()?,
            backwards,
        });
    }
    let state = if batch_first { [batch, count, size] } else { [count, batch, size] };
    let mut operands = [Some(b.operand(0)?), None, None];
    for (place, i) in [(1, 5), (2, 6)] {
        if (place == 1 || lstm) && b.has(i) {
            if b.shape(i)? != state {
                return Err(b.invalid(format!("its initial state has the shape {:?}", b.shape(i)?)));
            }
            operands[place] = Some(b.operand(i)?);
        }
    }
    let outputs = b.outputs().min(if lstm { 3 } else { 2 });
    // Initial states that vary are read at every step.
    let free = operands.iter().skip(1).all(|state| !matches!(state, Some(Operand::Varying(_))));
    let flow = if free && !batch_first { Flow::Recurrent } else { Flow::Unknown };
    let op = Recurrent { cell, directions, size, clip, batch_first, operands, outputs };
    Ok(Built { operator: Operator::Automatic(Box::new(op)), flow })
}
