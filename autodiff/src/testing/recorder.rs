//! Records random programs: the values there are, how choices become operands, and the loss.

use super::programs::{Instruction, RandomProgram, Recorded};
use crate::scalar::philox;
use crate::{Array, DType, Shape, Tape, Var};

/// Results are kept within this.
pub(super) const BOUND: f64 = 8.0;

/// Elements of a result, unless the variable is large itself; more are averaged away.
const MAX_ELEMENTS: usize = 200;

/// Axes of a result.
const MAX_RANK: usize = 4;

/// A value that later instructions can use.
#[derive(Clone)]
pub(super) struct Value {
    pub(super) var: Var,
    pub(super) name: String,
    /// Its elements are at most this large.
    pub(super) bound: f64,
    /// Whether derivatives with respect to the variable flow through it.
    pub(super) depends: bool,
    used: bool,
}

/// The values of one kind: reals, integers or masks.
#[derive(Default)]
pub(super) struct Values(Vec<Value>);

impl Values {
    /// One of the values, the latest more often than others.
    pub(super) fn take(&mut self, choices: &mut Choices) -> Value {
        let n = self.0.len();
        let choice = choices.below(usize::MAX);
        let back = if choice.is_multiple_of(2) { choice / 2 % n.min(4) } else { choice / 2 % n };
        self.0[n - 1 - back].used = true;
        self.0[n - 1 - back].clone()
    }

    /// The first value from a chosen one on that satisfies a condition.
    pub(super) fn find(
        &mut self,
        choices: &mut Choices,
        fits: impl Fn(&Value) -> bool,
    ) -> Option<Value> {
        let n = self.0.len();
        let start = choices.below(n);
        let found = (0..n).map(|i| (start + i) % n).find(|&i| fits(&self.0[i]))?;
        self.0[found].used = true;
        Some(self.0[found].clone())
    }
}

/// The numbers of an instruction, taken one after the other.
pub(super) struct Choices {
    numbers: [u16; 10],
    next: usize,
}

impl Choices {
    /// A number below `n`; 0 once there are no choices left.
    pub(super) fn below(&mut self, n: usize) -> usize {
        let number = self.numbers.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        usize::from(number) % n.max(1)
    }

    /// Some of `n` axes.
    pub(super) fn axes(&mut self, n: usize) -> Vec<usize> {
        let bits = self.below(1 << n);
        (0..n).filter(|axis| bits >> axis & 1 == 1).collect()
    }

    /// A permutation of `0..n`.
    pub(super) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut code = self.below(usize::MAX);
        let mut rest: Vec<usize> = (0..n).collect();
        let mut order = Vec::with_capacity(n);
        while !rest.is_empty() {
            order.push(rest.remove(code % rest.len()));
            code /= rest.len() + 1;
        }
        order
    }
}

/// What differs from the program itself.
#[derive(Default)]
pub(super) struct Variant {
    /// Whether stopped values become inputs.
    pub(super) stopped_are_inputs: bool,
    /// The instruction whose result becomes an input.
    pub(super) replaced: Option<usize>,
    /// Whether results pass through operations that change nothing.
    pub(super) identities: bool,
}

/// A program while it is recorded.
pub(super) struct Recorder<'a> {
    program: &'a RandomProgram,
    pub(super) tape: &'a Tape,
    pub(super) dtype: DType,
    variant: Variant,
    computed: Vec<Var>,
    pub(super) reals: Values,
    pub(super) integers: Values,
    pub(super) masks: Values,
    inputs: Vec<Var>,
    values: Vec<Array>,
    decisions: Vec<Var>,
    stopped: Vec<Var>,
    listing: Vec<String>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(
        program: &'a RandomProgram,
        tape: &'a Tape,
        dtype: DType,
        variant: Variant,
    ) -> Self {
        Recorder {
            program,
            tape,
            dtype,
            variant,
            computed: Vec::new(),
            reals: Values::default(),
            integers: Values::default(),
            masks: Values::default(),
            inputs: Vec::new(),
            values: Vec::new(),
            decisions: Vec::new(),
            stopped: Vec::new(),
            listing: Vec::new(),
        }
    }

    pub(super) fn smooth(&self) -> bool {
        self.program.smooth
    }

    /// The largest number of elements of a result.
    fn most_elements(&self) -> usize {
        MAX_ELEMENTS.max(2 * self.program.variable.iter().product::<usize>())
    }

    /// Whether a product of this many elements would be out of proportion.
    pub(super) fn is_too_large(&self, sizes: impl Iterator<Item = usize>) -> bool {
        sizes.fold(1usize, usize::saturating_mul)
            > 200 * MAX_ELEMENTS.max(self.most_elements() / 20)
    }

    /// The values of an element type.
    pub(super) fn values_of(&mut self, dtype: DType) -> &mut Values {
        match dtype {
            DType::U32 => &mut self.integers,
            DType::Bool => &mut self.masks,
            DType::F32 | DType::F64 => &mut self.reals,
        }
    }

    /// A value of any kind, mostly a real one.
    pub(super) fn take_any(&mut self, choices: &mut Choices) -> Value {
        match choices.below(8) {
            6 => self.integers.take(choices),
            7 => self.masks.take(choices),
            _ => self.reals.take(choices),
        }
    }

    fn input(
        &mut self,
        name: &str,
        dtype: DType,
        shape: &[usize],
        number: impl Fn([u32; 2], u64) -> f64,
    ) {
        let key = [self.program.seed, self.inputs.len() as u32];
        let shape = Shape::from(shape);
        let numbers: Vec<f64> = (0..shape.count() as u64).map(|i| number(key, i)).collect();
        let mut array = Array::zeros(dtype, shape.clone());
        array.fill_from_f64(&numbers);
        let var = self.tape.input(name, dtype, shape);
        let depends = self.inputs.is_empty();
        let bound = numbers.iter().fold(1.0f64, |m, x| m.max(x.abs()));
        self.values.push(array);
        self.inputs.push(var);
        let value = Value { var, name: name.to_owned(), bound, depends, used: false };
        self.values_of(dtype).0.push(value);
    }

    fn declare_inputs(&mut self) {
        let (variable, data) = (self.program.variable.clone(), self.program.data.clone());
        // At most 4 in absolute value: within the bound, and not too near to each other.
        let real = |key, i| philox::normal(key, 0, i).clamp(-4.0, 4.0);
        self.input("x", self.dtype, &variable, real);
        self.input("data", self.dtype, &data, real);
        self.input("key", DType::U32, &[2], |key, i| f64::from(philox::word(key, 0, i)));
        self.input("indices", DType::U32, &[3], |key, i| f64::from(philox::word(key, 0, i) % 7));
        self.input("mask", DType::Bool, &[3], |key, i| f64::from(philox::word(key, 0, i) % 2));
    }

    /// Lets later instructions use a result; what is too large is reduced and squashed.
    pub(super) fn give(&mut self, text: String, var: Var, bound: f64, depends: bool) {
        let (mut var, mut bound) = (var, bound);
        while var.rank() > MAX_RANK || var.shape().count() > self.most_elements() {
            let n = var.shape()[0];
            var = match var.dtype() {
                _ if n == 0 => var.reshape([0]),
                DType::F32 | DType::F64 => var.mean_axes(&[0]),
                DType::U32 | DType::Bool => var.at(n - 1),
            };
        }
        if var.dtype().is_float() && bound > BOUND {
            let (squashed, limit) = match self.listing.len() % 4 {
                0 => (var.tanh(), 1.0),
                1 => (var.sin(), 1.0),
                2 => (var * (4.0 / bound), 4.0),
                _ => (var.atan(), 1.6),
            };
            (var, bound) = (squashed, limit);
        }
        let kind = match var.dtype() {
            DType::U32 => "u",
            DType::Bool => "b",
            DType::F32 | DType::F64 => "r",
        };
        let name = format!("{kind}{}", self.listing.len());
        self.listing.push(format!("{name} = {text} : {}{}", var.dtype(), var.shape()));
        if self.variant.identities {
            var = self.unchanged(var);
        }
        if self.variant.replaced == Some(self.listing.len() - 1) {
            let (dtype, shape) = (var.dtype(), var.shape());
            var = self.tape.input("replaced", dtype, shape.clone());
            self.inputs.push(var);
            self.values.push(Array::zeros(dtype, shape));
        }
        self.computed.push(var);
        let depends = depends && var.dtype().is_float();
        self.values_of(var.dtype()).0.push(Value { var, name, bound, depends, used: false });
    }

    /// The same value, recorded as the result of an operation that changes nothing.
    fn unchanged(&self, var: Var) -> Var {
        let shape = var.shape();
        let moved = match self.listing.len() % 4 {
            0 => var.reshape(&shape),
            1 => var.cast(var.dtype()),
            2 => var.transpose(&(0..shape.len()).collect::<Vec<_>>()),
            _ => var.slice_steps(&shape.iter().map(|&n| (0, n, 1)).collect::<Vec<_>>()),
        };
        if !var.dtype().is_float() {
            return moved;
        }
        match self.listing.len() % 7 {
            0 => 1.0 * moved,
            1 => moved + 0.0,
            2 => moved / 1.0,
            3 => -(-moved),
            4 => moved.powi(1),
            5 => moved.broadcast_to(&shape),
            _ => moved.sum_axes(&[]),
        }
    }

    /// Notes what decides between smooth pieces.
    pub(super) fn decide(&mut self, var: Var) {
        self.decisions.push(var.flatten().cast(DType::F64));
    }

    /// A value through which no derivative flows.
    pub(super) fn stop(&mut self, value: &Value) -> Var {
        if !value.depends {
            return value.var.stop_gradient();
        }
        self.stopped.push(value.var);
        if !self.variant.stopped_are_inputs {
            return value.var.stop_gradient();
        }
        let (shape, dtype) = (value.var.shape(), value.var.dtype());
        let input =
            self.tape.input(&format!("stopped {}", self.stopped.len()), dtype, shape.clone());
        self.inputs.push(input);
        self.values.push(Array::zeros(dtype, shape));
        input
    }

    /// Makes a value broadcast to a shape, by taking one entry along axes that do not fit.
    /// `None` where there is no entry to take.
    pub(super) fn fit(&self, var: Var, shape: &Shape, choices: &mut Choices) -> Option<Var> {
        let mut var = var;
        let own = var.shape();
        for axis in 0..own.len() {
            let from_end = own.len() - axis;
            let wanted =
                if from_end <= shape.len() { shape[shape.len() - from_end] } else { own[axis] };
            if own[axis] == wanted || own[axis] == 1 || (wanted == 1 && own[axis] > 0) {
                continue;
            }
            if own[axis] == 0 {
                return None;
            }
            let place = choices.below(own[axis]);
            var = var.slice_axis(axis, place, place + 1);
        }
        Some(var)
    }

    pub(super) fn record(mut self) -> Recorded {
        self.declare_inputs();
        let instructions = self.program.instructions.clone();
        for Instruction { step, choices } in instructions {
            self.step(step, Choices { numbers: choices, next: 0 });
        }
        let loss = self.loss();
        let decisions = match self.decisions.is_empty() {
            true => self.tape.zeros(DType::F64, [0]),
            false => self.tape.concat(&self.decisions, 0),
        };
        let kinds = [&self.reals, &self.integers, &self.masks];
        let results = kinds.iter().flat_map(|values| values.0.iter().map(|v| v.var)).collect();
        Recorded {
            x: self.inputs[0],
            results,
            inputs: self.inputs,
            values: self.values,
            loss,
            decisions,
            stopped: self.stopped,
            computed: self.computed,
            listing: self.listing,
        }
    }

    /// A scalar that depends on every value that nothing else used.
    fn loss(&mut self) -> Var {
        let unused: Vec<Value> = [&self.reals, &self.integers, &self.masks]
            .iter()
            .flat_map(|values| values.0.iter())
            .filter(|v| !v.used)
            .cloned()
            .collect();
        let mut total = self.tape.zeros(self.dtype, ());
        for (number, value) in (0u32..).zip(&unused) {
            let flat = match value.var.dtype() {
                DType::U32 => value.var.flatten().cast(DType::F64) * (1.0 / value.bound),
                DType::F32 | DType::F64 | DType::Bool => value.var.flatten(),
            };
            let flat = flat.cast(self.dtype);
            let n = flat.shape().count();
            // Weights with which no two elements are exchangeable, and a sum of order one.
            let weights: Vec<f64> = (0..n as u64)
                .map(|i| (0.5 + philox::uniform([77, 0], number, i)) / (n as f64).sqrt())
                .map(|w| f64::from(w as f32))
                .collect();
            let mut literal = Array::zeros(self.dtype, [n]);
            literal.fill_from_f64(&weights);
            total += (flat * self.tape.literal(&literal)).sum();
        }
        total + 0.5 * (0.7 * total).sin()
    }
}
