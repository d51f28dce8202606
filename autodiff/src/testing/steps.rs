//! What each instruction of a random program records: elementwise functions, choice,
//! conversion, reductions and random numbers. Movements and products are in `moves.rs`.

use super::programs::Step;
use super::recorder::{Choices, Recorder, Value};
use crate::error::At;
use crate::graph::{Binary, Compare, Distribution, Unary};
use crate::{DType, Shape, Var};

/// Smooth everywhere, and below 2.
const BOUNDED: [Unary; 13] = [
    Unary::Sign,
    Unary::Sin,
    Unary::Cos,
    Unary::Atan,
    Unary::CosAtan,
    Unary::Tanh,
    Unary::Sech2,
    Unary::Sigmoid,
    Unary::Erf,
    Unary::Erfc,
    Unary::Gaussian,
    Unary::NormalCdf,
    Unary::NormalPdf,
];

/// A two-operand function of variables.
fn binary(f: Binary, a: Var, b: Var) -> Var {
    match f {
        Binary::Add => a + b,
        Binary::Sub => a - b,
        Binary::Mul => a * b,
        Binary::StrongMul => a.strong_mul(b),
        Binary::StrongMulBoth => a.strong_mul_both(b),
        Binary::Div => a / b,
        Binary::Pow => a.pow(b),
        Binary::Max => a.max(b),
        Binary::Min => a.min(b),
        Binary::LogAddExp => a.logaddexp(b),
        Binary::Atan2 => a.atan2(b),
    }
}

fn compare(f: Compare, a: Var, b: Var) -> Var {
    match f {
        Compare::Eq => a.equal(b),
        Compare::Ne => a.not_equal(b),
        Compare::Lt => a.lt(b),
        Compare::Le => a.le(b),
        Compare::Gt => a.gt(b),
        Compare::Ge => a.ge(b),
    }
}

/// A value within `m` moved to where logarithms, roots and reciprocals are tame: between 0.3 and a
/// bound that is returned too.
fn positive(a: Var, m: f64, choices: &mut Choices) -> (Var, f64) {
    match choices.below(4) {
        0 => (a.softplus() + 0.3, m + 1.0),
        1 => (a.square() + 0.4, m * m + 0.4),
        2 => (1.5 + a.sin(), 2.5),
        _ => ((a * (1.0 / m)).exp(), std::f64::consts::E),
    }
}

/// The shape to which two that fit are broadcast.
pub(super) fn joint(a: &Shape, b: &Shape) -> Shape {
    let rank = a.len().max(b.len());
    let size = |s: &Shape, axis: usize| {
        if axis + s.len() >= rank { s[axis + s.len() - rank] } else { 1 }
    };
    (0..rank).map(|axis| if size(a, axis) == 1 { size(b, axis) } else { size(a, axis) }).collect()
}

impl Recorder<'_> {
    pub(super) fn step(&mut self, step: Step, mut choices: Choices) {
        let c = &mut choices;
        match step {
            Step::Unary(f) => self.unary(f, c),
            Step::Binary(f) => self.real_binary(f, c),
            Step::Compare(f) => self.comparison(f, DType::F64, c),
            Step::IntegerCompare(f) => self.comparison(f, DType::U32, c),
            Step::IntegerBinary(f) => self.other_binary(f, DType::U32, c),
            Step::MaskBinary(f) => self.other_binary(f, DType::Bool, c),
            Step::Select => self.select(c),
            Step::RoundTrip => self.round_trip(c),
            Step::ToInteger => self.make_integer(c),
            Step::ToMask => self.make_mask(c),
            Step::ToReal => self.make_real(c),
            Step::StopGradient => {
                let a = self.reals.take(c);
                let stopped = self.stop(&a);
                self.give(format!("stop_gradient({})", a.name), stopped, a.bound, false);
            }
            Step::Sum | Step::MaxOver | Step::MinOver => self.reduce(step, c),
            Step::ArgMax => self.argmax(c),
            Step::Random(distribution) => self.random(distribution, c),
            Step::Composed => self.composed(c),
            Step::Checkpoint => self.checkpoint(c),
            Step::Example => self.example(c),
            other => self.movement(other, c),
        }
    }

    fn unary(&mut self, f: Unary, c: &mut Choices) {
        let a = self.reals.take(c);
        let m = a.bound;
        let (argument, bound) = match f {
            Unary::Neg | Unary::Abs => (a.var, m),
            Unary::Floor => (a.var, m + 1.0),
            Unary::Softplus | Unary::LogCosh => (a.var, m + 1.0),
            Unary::Exp
            | Unary::ExpStrong
            | Unary::Expm1
            | Unary::Exp2
            | Unary::Sinh
            | Unary::Cosh => (a.var * (2.0 / m.max(2.0)), 7.4),
            Unary::Log | Unary::Log2 | Unary::Log10 => {
                let (argument, largest) = positive(a.var, m, c);
                (argument, largest.log2().max(1.8))
            }
            Unary::Sqrt | Unary::Root => {
                let (argument, largest) = positive(a.var, m, c);
                (argument, largest.sqrt())
            }
            Unary::Rsqrt => (positive(a.var, m, c).0, 1.9),
            Unary::Recip => {
                let sign = if c.below(2) == 0 { 1.0 } else { -1.0 };
                (positive(a.var, m, c).0 * sign, 3.4)
            }
            Unary::Acosh => {
                let (argument, largest) = positive(a.var, m, c);
                (argument + 1.0, (largest + 1.0).acosh())
            }
            Unary::Asin | Unary::Atanh | Unary::SecAsin => (a.var * (0.7 / m.max(0.7)), 1.5),
            Unary::Acos => (a.var * (0.7 / m.max(0.7)), 2.4),
            Unary::Asinh => (a.var, m),
            Unary::Log1p => (a.var * (0.7 / m.max(0.7)), 1.3),
            f if BOUNDED.contains(&f) => (a.var, 2.0),
            f => {
                // What the row knows: between these bounds it is smooth.
                let (low, high) = f.domain();
                let at = |t: f64| 0.5 * (low + high) + 0.5 * (high - low) * t;
                let largest = |m: f64, i: i32| m.max(f.eval(at(0.125 * f64::from(i))).abs());
                (a.var * (0.5 * (high - low) / m.max(1.0)) + at(0.0), (-8..=8).fold(1.0, largest))
            }
        };
        if matches!(f, Unary::Abs | Unary::Sign) {
            self.decide(argument.sign());
        }
        let result = argument.unary(f, At::caller());
        if f == Unary::Floor {
            self.decide(result);
        }
        let domain = if argument.is_same(a.var) { "" } else { ", brought into the domain" };
        self.give(format!("{}({}{domain})", f.name(), a.name), result, bound, a.depends);
    }

    /// Two reals that can be broadcast together.
    fn pair(&mut self, c: &mut Choices) -> (Value, Value, Var) {
        let a = self.reals.take(c);
        let b = self.reals.take(c);
        match self.fit(b.var, &a.var.shape(), c) {
            Some(fitted) => (a, b, fitted),
            None => (a.clone(), a.clone(), a.var),
        }
    }

    fn real_binary(&mut self, f: Binary, c: &mut Choices) {
        let (a, b, fitted) = self.pair(c);
        let (m, n) = (a.bound, b.bound);
        let literal = c.below(3) == 0;
        let number: f64 = [0.5, -1.25, 2.0, 3.0, -1.0, 0.0, 1.0][c.below(7)];
        let text = if literal { format!("{number}") } else { b.name.clone() };
        let is_product = matches!(f, Binary::Mul | Binary::StrongMul | Binary::StrongMulBoth);
        let (result, bound) = match f {
            // Away from the origin, and from the jump.
            Binary::Atan2 if literal => (a.var.atan2(0.5 + number.abs()), 1.6),
            Binary::Atan2 => (a.var.atan2(positive(fitted, n, c).0), 1.6),
            Binary::Div if literal => (number / positive(a.var, m, c).0, 11.0),
            Binary::Div => (a.var / positive(fitted, n, c).0, 3.4 * m),
            Binary::Pow => {
                let (base, largest) = positive(a.var, m, c);
                if literal {
                    (base.powf(number), largest.powf(3.0).max(5.0))
                } else {
                    (base.pow(fitted * (2.0 / n.max(2.0))), largest.powf(2.0).max(12.0))
                }
            }
            _ if literal => {
                let number_left = c.below(2) == 0;
                let result = match f {
                    Binary::Add if number_left => number + a.var,
                    Binary::Sub if number_left => number - a.var,
                    Binary::Mul if number_left => number * a.var,
                    Binary::Add => a.var + number,
                    Binary::Sub => a.var - number,
                    Binary::Mul => a.var * number,
                    Binary::StrongMul => a.var.strong_mul(number),
                    Binary::StrongMulBoth => a.var.strong_mul_both(number),
                    Binary::Max => a.var.max(number),
                    Binary::LogAddExp => a.var.logaddexp(number),
                    _ => a.var.min(number),
                };
                (result, if is_product { 3.0 * m } else { m + 3.7 })
            }
            _ if is_product => (binary(f, a.var, fitted), m * n),
            // log(eᵃ + eᵇ) is within log 2 of the larger.
            Binary::LogAddExp => (binary(f, a.var, fitted), m + n + 0.7),
            _ => (binary(f, a.var, fitted), m + n),
        };
        if matches!(f, Binary::Max | Binary::Min) {
            let difference = if literal { a.var - number } else { a.var - fitted };
            self.decide(difference.sign());
        }
        let depends = a.depends || (!literal && b.depends);
        self.give(format!("{}({}, {text})", f.name(), a.name), result, bound, depends);
    }

    fn comparison(&mut self, f: Compare, dtype: DType, c: &mut Choices) {
        let a = self.values_of(dtype).take(c);
        let b = self.values_of(dtype).take(c);
        let fitted = self.fit(b.var, &a.var.shape(), c).unwrap_or(a.var);
        let mask = compare(f, a.var, fitted);
        if dtype.is_float() {
            self.decide(mask);
        }
        self.give(format!("{}({}, {})", f.name(), a.name, b.name), mask, 1.0, false);
    }

    /// Integers and masks.
    fn other_binary(&mut self, f: Binary, dtype: DType, c: &mut Choices) {
        let a = self.values_of(dtype).take(c);
        let b = self.values_of(dtype).take(c);
        let fitted = self.fit(b.var, &a.var.shape(), c).unwrap_or(a.var);
        let result = binary(f, a.var, fitted);
        let bound = if dtype == DType::Bool { 1.0 } else { f64::from(u32::MAX) };
        self.give(format!("{}({}, {})", f.name(), a.name, b.name), result, bound, false);
    }

    fn select(&mut self, c: &mut Choices) {
        let mask = self.masks.take(c);
        let (a, b, fitted) = self.pair(c);
        let Some(chooser) = self.fit(mask.var, &joint(&a.var.shape(), &fitted.shape()), c) else {
            return;
        };
        let (result, other) = match c.below(4) {
            0 => (chooser.select(a.var, 0.5), "0.5".to_owned()),
            _ => (chooser.select(a.var, fitted), b.name.clone()),
        };
        let text = format!("select({}, {}, {other})", mask.name, a.name);
        self.give(text, result, a.bound.max(b.bound), a.depends || b.depends);
    }

    fn round_trip(&mut self, c: &mut Choices) {
        let a = self.reals.take(c);
        let other = if self.dtype == DType::F64 { DType::F32 } else { DType::F64 };
        // Differences cannot follow steps of 6e-8.
        if self.smooth() && a.depends {
            return;
        }
        let there = a.var.cast(other);
        // Only what no rounding can disturb happens over there.
        let moved = if c.below(2) == 0 { there.t() } else { -there };
        self.give(
            format!("cast({}) to {other} and back", a.name),
            moved.cast(self.dtype),
            a.bound,
            a.depends,
        );
    }

    fn make_integer(&mut self, c: &mut Choices) {
        if c.below(3) == 0 {
            let a = self.masks.take(c);
            self.give(format!("cast({}) to u32", a.name), a.var.cast(DType::U32), 1.0, false);
            return;
        }
        let a = self.reals.take(c);
        let integer = (a.var * 1.7).cast(DType::U32);
        self.decide(integer);
        self.give(format!("cast(1.7 {}) to u32", a.name), integer, 1.0 + 1.7 * a.bound, false);
    }

    fn make_mask(&mut self, c: &mut Choices) {
        if c.below(2) == 0 {
            let a = self.integers.take(c);
            self.give(format!("cast({}) to bool", a.name), a.var.cast(DType::Bool), 1.0, false);
            return;
        }
        let a = self.reals.take(c);
        let mask = a.var.cast(DType::Bool);
        self.decide(mask);
        self.give(format!("cast({}) to bool", a.name), mask, 1.0, false);
    }

    fn make_real(&mut self, c: &mut Choices) {
        if c.below(2) == 0 {
            let a = self.masks.take(c);
            self.give(format!("cast({}) to real", a.name), a.var.cast(self.dtype), 1.0, false);
            return;
        }
        let a = self.integers.take(c);
        self.give(format!("cast({}) to real", a.name), a.var.cast(self.dtype), a.bound, false);
    }

    fn reduce(&mut self, step: Step, c: &mut Choices) {
        let integer = c.below(6) == 5;
        let a = self.values_of(if integer { DType::U32 } else { DType::F64 }).take(c);
        let shape = a.var.shape();
        let axes = c.axes(shape.len());
        let n: usize = axes.iter().map(|&axis| shape[axis]).product();
        let keep = c.below(2) == 0;
        let (name, result, bound) = match step {
            Step::Sum if integer => ("sum", a.var.sum_axes(&axes), f64::from(u32::MAX)),
            Step::Sum => ("sum", a.var.sum_axes(&axes), a.bound * n.max(1) as f64),
            // There is no largest of no elements.
            _ if axes.iter().any(|&axis| shape[axis] == 0) => return,
            Step::MaxOver => ("max_over", a.var.max_axes(&axes), a.bound),
            _ => ("min_over", a.var.min_axes(&axes), a.bound),
        };
        if step != Step::Sum && !integer {
            self.decide(a.var.equal(result.keepdims(&axes, &shape)));
        }
        let result = if keep { result.keepdims(&axes, &shape) } else { result };
        self.give(
            format!("{name}({}, axes {axes:?}, repeated {keep})", a.name),
            result,
            bound,
            a.depends,
        );
    }

    fn argmax(&mut self, c: &mut Choices) {
        let integer = c.below(4) == 3;
        let a = self.values_of(if integer { DType::U32 } else { DType::F64 }).take(c);
        let var = if a.var.rank() == 0 { a.var.expand_dims(0) } else { a.var };
        let axis = c.below(var.rank());
        if var.shape()[axis] == 0 {
            return;
        }
        let place = var.argmax(axis);
        if !integer {
            self.decide(place);
        }
        self.give(
            format!("argmax({}, axis {axis})", a.name),
            place,
            var.shape()[axis] as f64,
            false,
        );
    }

    fn random(&mut self, distribution: Distribution, c: &mut Choices) {
        let keys = self.integers.find(c, |v| v.var.shape() == [2]);
        // The key input has this shape, so there is one.
        let Some(key) = keys else { return };
        let stream = c.below(3) as u32;
        let shape = match c.below(3) {
            0 => self.reals.take(c).var.shape(),
            1 => [2usize].into(),
            _ => [3usize, 2].into(),
        };
        let text = format!("{}({}, stream {stream})", distribution.name(), key.name);
        match distribution {
            Distribution::Uniform => {
                self.give(text, key.var.uniform(stream, self.dtype, shape), 1.0, false)
            }
            // √(2 · 53 log 2): the largest that 53 bits can give.
            Distribution::Normal => {
                self.give(text, key.var.normal(stream, self.dtype, shape), 8.6, false)
            }
            Distribution::Bits => {
                self.give(text, key.var.bits(stream, shape), f64::from(u32::MAX), false)
            }
        }
    }

    fn composed(&mut self, c: &mut Choices) {
        let a = self.reals.take(c);
        let var = if a.var.rank() == 0 { a.var.expand_dims(0) } else { a.var };
        let axis = c.below(var.rank());
        let m = a.bound;
        let which = c.below(6);
        let empty = var.shape()[axis] == 0;
        let (name, result, bound) = match which {
            0 if !empty => ("softmax", var.softmax(axis), 1.0),
            1 if !empty => ("log_softmax", var.log_softmax(axis), 2.0 * m + 6.0),
            2 if !empty => ("logsumexp", var.logsumexp(&[axis]), m + 6.0),
            3 if !empty => ("variance", var.variance(&[axis], 0), m * m),
            4 => ("gelu", var.gelu(), m),
            _ => ("silu", var.silu(), m),
        };
        self.give(format!("{name}({}, axis {axis})", a.name), result, bound, a.depends);
    }

    /// A product of a value and a captured one, within a checkpoint or two.
    fn checkpoint(&mut self, c: &mut Choices) {
        let (a, b, captured) = self.pair(c);
        let inner = |x: Var| (x.sin() * captured).tanh();
        let nested = c.below(2) == 1;
        let result = a.var.checkpoint(|x| {
            let y = if nested { x.cos().checkpoint(inner) } else { inner(x) };
            (y + y.square()).sin()
        });
        let name = format!("checkpoint({}, {}, nested {nested})", a.name, b.name);
        self.give(name, result, 1.0, a.depends || b.depends);
    }
}
