//! Single calls of the engine's public interface, well-formed or not.

use crate::choices::Choices;
use burlap::autodiff::{
    Array, At, Contraction, DType, Shape, Tape, Var, checkpoint, map_rows, vmap,
};

/// Elements of a value that is used further.
const MOST: usize = 512;

/// Primitives of a tape on which transforms still record.
const LONGEST: usize = 4000;

/// A recorded value.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    pub(crate) var: Var,
    /// Whether every backend gives the same bits: no result on the way to it was rounded.
    pub(crate) exact: bool,
}

/// Calls on one tape.
pub(crate) struct Calls<'t, 'a, 'c> {
    pub(crate) tape: &'t Tape,
    pub(crate) values: Vec<Known>,
    pub(crate) listing: Vec<String>,
    pub(crate) c: &'c mut Choices<'a>,
    /// Whether all operands of the call so far are exact.
    exact: bool,
    /// Vectorised and checkpointed calls within others.
    depth: usize,
}

type Unary = (&'static str, fn(Var) -> Var);
type Binary = (&'static str, fn(Var, Var) -> Var);
type WithNumber = (&'static str, fn(Var, f64) -> Var);
type OverAxes = (&'static str, fn(Var, &[usize]) -> Var);
type OverAxis = (&'static str, fn(Var, usize) -> Var);

macro_rules! table {
    ($($name:literal $function:expr),* $(,)?) => { &[$(($name, $function)),*] };
}

// Closures, not paths: only a call has a place in this file, which errors must name.

/// What does not round.
const EXACT: &[Unary] = table! {
    "negated" |x| x.negated(), "-" |x| -x, "!" |x| !x, "abs" |x| x.abs(), "sign" |x| x.sign(), "floor" |x| x.floor(),
    "ceil" |x| x.ceil(), "relu" |x| x.relu(), "stop_gradient" |x| x.stop_gradient(), "max_all" |x| x.max_all(),
    "min_all" |x| x.min_all(), "flatten" |x| x.flatten(), "t" |x| x.t(), "is_finite" |x| x.is_finite(),
};

const ROUNDED: &[Unary] = table! {
    "exp" |x| x.exp(), "expm1" |x| x.expm1(), "log" |x| x.log(), "log1p" |x| x.log1p(), "sqrt" |x| x.sqrt(),
    "rsqrt" |x| x.rsqrt(), "recip" |x| x.recip(), "sin" |x| x.sin(), "cos" |x| x.cos(), "tan" |x| x.tan(),
    "atan" |x| x.atan(), "tanh" |x| x.tanh(), "sech2" |x| x.sech2(), "sigmoid" |x| x.sigmoid(),
    "softplus" |x| x.softplus(), "erf" |x| x.erf(), "gelu" |x| x.gelu(), "gelu_tanh" |x| x.gelu_tanh(),
    "silu" |x| x.silu(), "elu" |x| x.elu(), "sinh" |x| x.sinh(), "cosh" |x| x.cosh(), "square" |x| x.square(),
    "exp_strong" |x| x.exp_strong(), "exp2" |x| x.exp2(), "log2" |x| x.log2(), "log10" |x| x.log10(),
    "root" |x| x.root(), "asin" |x| x.asin(), "acos" |x| x.acos(), "cos_atan" |x| x.cos_atan(),
    "sec_asin" |x| x.sec_asin(), "log_cosh" |x| x.log_cosh(), "asinh" |x| x.asinh(),
    "acosh" |x| x.acosh(), "atanh" |x| x.atanh(), "erfc" |x| x.erfc(), "gaussian" |x| x.gaussian(),
    "normal_cdf" |x| x.normal_cdf(), "normal_pdf" |x| x.normal_pdf(), "log_ndtr" |x| x.log_ndtr(),
    "log_sigmoid" |x| x.log_sigmoid(), "prod" |x| x.prod(), "sum" |x| x.sum(), "mean" |x| x.mean(), "norm" |x| x.norm(),
};

const EXACT_BINARY: &[Binary] = table! {
    "max" |a, b| a.max(b), "min" |a, b| a.min(b), "equal" |a, b| a.equal(b),
    "not_equal" |a, b| a.not_equal(b), "lt" |a, b| a.lt(b), "le" |a, b| a.le(b), "gt" |a, b| a.gt(b),
    "ge" |a, b| a.ge(b),
};

/// What rounds, of two reals that go together elementwise.
const ROUNDED_BINARY: &[Binary] = table! {
    "pow" |a, b| a.pow(b), "strong_mul" |a, b| a.strong_mul(b),
    "strong_mul_both" |a, b| a.strong_mul_both(b), "xlogy" |a, b| a.xlogy(b), "logaddexp" |a, b| a.logaddexp(b),
    "atan2" |a, b| a.atan2(b), "hypot" |a, b| a.hypot(b),
};

/// What rounds reals only.
const ARITHMETIC: &[Binary] = table! {
    "+" |a, b| a + b, "-" |a, b| a - b, "*" |a, b| a * b, "/" |a, b| a / b,
};

const PRODUCTS: &[Binary] = table! {
    "dot" |a, b| a.dot(b), "matmul" |a, b| a.matmul(b),
};

const EXACT_NUMBERS: &[WithNumber] = table! {
    "max" |a, n| a.max(n), "min" |a, n| a.min(n), "equal" |a, n| a.equal(n), "lt" |a, n| a.lt(n),
    "ge" |a, n| a.ge(n), "constant_like" |a, n| a.constant_like(n),
};

const ROUNDED_NUMBERS: &[WithNumber] = table! {
    "+" |a, n| a + n, "-" |a, n| a - n, "from" |a, n| n - a, "*" |a, n| n * a, "/" |a, n| a / n,
    "over" |a, n| n / a, "pow" |a, n| a.pow(n), "powf" |a, n| a.powf(n), "leaky_relu" |a, n| a.leaky_relu(n),
};

const EXACT_AXES: &[OverAxes] = table! {
    "max_axes" |x, axes| x.max_axes(axes), "min_axes" |x, axes| x.min_axes(axes), "flip" |x, axes| x.flip(axes),
};

const ROUNDED_AXES: &[OverAxes] = table! {
    "sum_axes" |x, axes| x.sum_axes(axes), "mean_axes" |x, axes| x.mean_axes(axes), "logsumexp" |x, axes| x.logsumexp(axes),
};

const ROUNDED_AXIS: &[OverAxis] = table! {
    "softmax" |x, axis| x.softmax(axis), "cumsum" |x, axis| x.cumsum(axis),
    "cumprod" |x, axis| x.cumprod(axis), "log_softmax" |x, axis| x.log_softmax(axis),
};

const EQUATIONS: [&str; 10] = [
    "ab,bc->ac",
    "a,b->ba",
    "ab,ab->",
    "abc,cd->dab",
    ",a->a",
    "ab,b->ab",
    "aa,a->a",
    "a,a",
    "é,é->é",
    "a, a -> a",
];

impl<'t, 'a, 'c> Calls<'t, 'a, 'c> {
    pub(crate) fn new(tape: &'t Tape, values: Vec<Known>, c: &'c mut Choices<'a>) -> Self {
        Calls { tape, values, listing: Vec::new(), c, exact: true, depth: 0 }
    }

    fn any(&mut self) -> (Var, String) {
        let i = self.c.below(self.values.len());
        self.exact &= self.values[i].exact;
        (self.values[i].var, format!("v{i}"))
    }

    /// The first value of a type from a chosen one on, seldom one of another type.
    fn of(&mut self, fits: impl Fn(DType) -> bool) -> (Var, String) {
        let (n, start) = (self.values.len(), self.c.below(self.values.len()));
        let found = (0..n).map(|i| (start + i) % n).find(|&i| fits(self.values[i].var.dtype()));
        match found {
            Some(i) if !self.c.odd(64) => {
                self.exact &= self.values[i].exact;
                (self.values[i].var, format!("v{i}"))
            }
            _ => self.any(),
        }
    }

    fn real(&mut self) -> (Var, String) {
        self.of(DType::is_float)
    }

    /// Two values of one type.
    fn pair(&mut self) -> ((Var, String), (Var, String)) {
        let a = self.any();
        let b = self.of(|dtype| dtype == a.0.dtype());
        (a, b)
    }

    /// Two values of one type that go together elementwise: where they do not, one entry of the
    /// second does.
    fn fitting(&mut self, real: bool) -> ((Var, String), (Var, String)) {
        let a = if real { self.real() } else { self.any() };
        let b = self.of(|dtype| dtype == a.0.dtype());
        let (of_a, of_b) = (a.0.shape(), b.0.shape());
        let fit = |(m, n): (&usize, &usize)| m == n || *m == 1 || *n == 1;
        if of_a.iter().rev().zip(of_b.iter().rev()).all(fit) || self.c.odd(8) {
            return (a, b);
        }
        match of_b.count() {
            0 => (a.clone(), a),
            _ => (a, (b.0.flatten().at(0), format!("{}.flatten().at(0)", b.1))),
        }
    }

    /// Two reals whose inner sizes agree, mostly.
    fn product(&mut self) -> ((Var, String), (Var, String)) {
        let (a, b) = (self.real(), self.real());
        let fit = a.0.rank() == 1 && a.0.shape() == b.0.shape();
        match (fit || self.c.odd(4), a.0.rank()) {
            (true, _) => (a, b),
            (_, 1) => (a.clone(), a),
            (_, 2) => (a.clone(), (a.0.t(), format!("{}.t()", a.1))),
            _ => {
                let flat = (a.0.flatten(), format!("{}.flatten()", a.1));
                (flat.clone(), flat)
            }
        }
    }

    /// A scalar to differentiate, and a variable that it may depend on.
    fn differentiable(&mut self) -> (Var, Var, String) {
        self.exact = false;
        // Mostly the latest value, which depends on others.
        let latest = self.values.last().filter(|known| known.var.dtype().is_float()).copied();
        let (f, a) = match latest {
            Some(known) if !self.c.chance(4) => (known.var, format!("v{}", self.values.len() - 1)),
            _ => self.real(),
        };
        let (x, b) = self.real();
        (if self.c.odd(32) { f } else { f.sum() }, x, format!("{a}.sum(), {b}"))
    }

    /// A value of any type with an axis.
    fn with_axis(&mut self) -> (Var, String) {
        let (x, a) = self.any();
        if x.rank() == 0 && !self.c.odd(4) {
            return (x.flatten(), format!("{a}.flatten()"));
        }
        (x, a)
    }

    /// Something with the shape and type of a value.
    fn like(&mut self, x: Var) -> Var {
        match self.c.below(5) {
            0 => self.of(|dtype| dtype == x.dtype()).0,
            1 => x,
            2 => x.stop_gradient() * 2.0,
            _ => x.constant_like(0.5),
        }
    }

    /// Many of a value along a new first axis.
    fn stacked(&mut self, x: Var, k: usize) -> Var {
        let sizes: Vec<usize> = std::iter::once(k).chain(x.shape().iter().copied()).collect();
        if self.c.odd(32) { x } else { x.broadcast_to(sizes) }
    }

    fn record(&mut self, text: String, var: Var, exact: bool) -> Var {
        let number = self.values.len();
        self.listing.push(format!("v{number} = {text} : {}{}", var.dtype(), var.shape()));
        self.values.push(Known { var, exact: exact && self.exact });
        var
    }

    /// Records one call.
    pub(crate) fn call(&mut self) -> Var {
        self.exact = true;
        match self.c.below(12) {
            0 | 10 | 11 => self.elementwise(),
            1 | 2 => self.of_two(),
            3 => self.with_number(),
            4 => self.over_axes(),
            5 => self.moved(),
            6 => self.indexed(),
            7 => self.made(),
            8 if self.tape.len() < LONGEST => self.transformed(),
            8 => self.elementwise(),
            _ => self.several(),
        }
    }

    fn elementwise(&mut self) -> Var {
        match self.c.below(6) {
            0 => {
                let ((x, a), (name, f)) = (self.real(), self.c.pick(EXACT));
                self.record(format!("{a}.{name}()"), f(x), true)
            }
            1..=4 => {
                let ((x, a), (name, f)) = (self.real(), self.c.pick(ROUNDED));
                self.record(format!("{a}.{name}()"), f(x), false)
            }
            _ => {
                let ((x, a), to) = (self.any(), self.c.dtype());
                self.record(format!("{a}.cast({to})"), x.cast(to), true)
            }
        }
    }

    fn of_two(&mut self) -> Var {
        let kind = self.c.below(5);
        let ((a, left), (b, right)) = match kind {
            0 => self.product(),
            _ => self.fitting(kind == 1),
        };
        let integer = !a.dtype().is_float();
        let ((name, f), exact) = match kind {
            0 => (self.c.pick(PRODUCTS), false),
            1 => (self.c.pick(ROUNDED_BINARY), false),
            2 => (self.c.pick(EXACT_BINARY), true),
            _ => (self.c.pick(ARITHMETIC), integer),
        };
        self.record(format!("{left} {name} {right}"), f(a, b), exact)
    }

    fn with_number(&mut self) -> Var {
        let n = self.c.number();
        match self.c.below(4) {
            0 => {
                let ((x, a), (name, f)) = (self.any(), self.c.pick(EXACT_NUMBERS));
                self.record(format!("{a}.{name}({n:?})"), f(x, n), true)
            }
            1 => {
                let (x, a) = self.real();
                let n = self.c.pick(&[2, 1, 0, -1, 3, -2, 7, i32::MAX, i32::MIN]);
                self.record(format!("{a}.powi({n})"), x.powi(n), false)
            }
            2 => {
                let ((x, a), high) = (self.real(), self.c.number());
                self.record(format!("{a}.clamp({n:?}, {high:?})"), x.clamp(n, high), true)
            }
            _ => {
                let ((x, a), (name, f)) = (self.real(), self.c.pick(ROUNDED_NUMBERS));
                self.record(format!("{a}.{name}({n:?})"), f(x, n), false)
            }
        }
    }

    fn over_axes(&mut self) -> Var {
        let (x, a) = if self.c.chance(4) { self.with_axis() } else { self.real() };
        let integer = !x.dtype().is_float();
        let axes = self.c.axes(x.rank());
        match self.c.below(6) {
            0 => {
                let (name, f) = self.c.pick(EXACT_AXES);
                self.record(format!("{a}.{name}({axes:?})"), f(x, &axes), true)
            }
            1 => {
                let (name, f) = self.c.pick(ROUNDED_AXES);
                self.record(format!("{a}.{name}({axes:?})"), f(x, &axes), integer)
            }
            2 => {
                let x = if x.rank() == 0 { x.flatten() } else { x };
                let (axis, (name, f)) = (self.c.axis(x.rank()), self.c.pick(ROUNDED_AXIS));
                self.record(format!("{a}.{name}({axis})"), f(x, axis), false)
            }
            3 => {
                let x = if x.rank() == 0 { x.flatten() } else { x };
                let axis = self.c.axis(x.rank());
                self.record(format!("{a}.argmax({axis})"), x.argmax(axis), true)
            }
            4 => {
                let correction = if self.c.odd(4) { self.c.size() } else { 0 };
                self.record(
                    format!("{a}.variance({axes:?}, {correction})"),
                    x.variance(&axes, correction),
                    false,
                )
            }
            _ => {
                let from = if self.c.odd(8) { self.any().0.shape() } else { x.shape() };
                let reduced = x.sum_axes(&axes);
                self.record(
                    format!("{a}.sum_axes({axes:?}).keep_axes({axes:?}, {from})"),
                    reduced.keep_axes(&axes, &from),
                    integer,
                )
            }
        }
    }

    fn moved(&mut self) -> Var {
        let (x, a) = self.with_axis();
        let (shape, rank) = (x.shape(), x.rank());
        match self.c.below(9) {
            0 => {
                let count = shape.count();
                let to = match self.c.below(5) {
                    0 => self.c.sizes(),
                    1 => vec![1, count],
                    2 => vec![count, 1, 1],
                    3 if count.is_multiple_of(2) => vec![2, count / 2],
                    _ => vec![count],
                };
                self.record(format!("{a}.reshape({to:?})"), x.reshape(to), true)
            }
            1 => {
                let mut to = self.c.sizes();
                if !self.c.odd(8) {
                    to.truncate(1);
                    to.extend(shape.iter());
                }
                self.record(format!("{a}.broadcast_to({to:?})"), x.broadcast_to(to), true)
            }
            2 => {
                let place = self.c.axis(rank + 1).min(rank);
                let (mut to, kept): (Vec<usize>, Vec<usize>) =
                    (shape.to_vec(), (0..=rank).filter(|&axis| axis != place).collect());
                to.insert(place, self.c.size());
                let kept = if self.c.odd(16) { self.c.axes(rank + 1) } else { kept };
                self.record(
                    format!("{a}.broadcast_axes({to:?}, {kept:?})"),
                    x.broadcast_axes(to, &kept),
                    true,
                )
            }
            3 => {
                let order = self.c.order(rank);
                self.record(format!("{a}.transpose({order:?})"), x.transpose(&order), true)
            }
            4 => {
                let mut ranges: Vec<(usize, usize, usize)> = Vec::new();
                for &n in shape.iter() {
                    let start = self.c.below(n + 1);
                    ranges.push((start, start + self.c.below(n - start + 1), 1 + self.c.below(3)));
                }
                if self.c.odd(16) {
                    ranges.push((self.c.size(), self.c.size(), self.c.size()));
                }
                self.record(format!("{a}.slice_steps({ranges:?})"), x.slice_steps(&ranges), true)
            }
            5 => {
                let axis = self.c.axis(rank);
                let n = shape.get(axis).copied().unwrap_or(3);
                let mut end = || if self.c.odd(16) { self.c.size() } else { self.c.below(n + 1) };
                let (start, end) = (end(), end());
                self.record(
                    format!("{a}.slice_axis({axis}, {start}, {end})"),
                    x.slice_axis(axis, start, end),
                    true,
                )
            }
            6 if rank > 0 && shape[0] > 0 || self.c.odd(4) => {
                let n = shape.first().copied().unwrap_or(1);
                let i = if self.c.odd(16) { self.c.size() } else { self.c.below(n) };
                self.record(format!("{a}.at({i})"), x.at(i), true)
            }
            7 => {
                let padding = self.c.padding(rank);
                self.record(format!("{a}.pad({padding:?})"), x.pad(&padding), true)
            }
            _ => {
                let axis = self.c.axis(rank + 1);
                self.record(format!("{a}.expand_dims({axis})"), x.expand_dims(axis), true)
            }
        }
    }

    fn indexed(&mut self) -> Var {
        let ((x, a), (i, b)) = (self.with_axis(), self.of(|dtype| dtype == DType::U32));
        let axis = self.c.axis(x.rank());
        let n = x.shape().get(axis).copied().unwrap_or(1).max(1);
        // Mostly within the axis.
        let (i, b) = match self.c.odd(8) || i.dtype() != DType::U32 {
            true => (i, b),
            false => (i.min((n - 1) as f64), format!("{b}.min({})", n - 1)),
        };
        match self.c.below(4) {
            0 => self.record(format!("{a}.gather({axis}, {b})"), x.gather(axis, i), true),
            1 => {
                let like = x.gather(axis, i);
                let updates = if self.c.odd(8) { self.any().0 } else { like };
                let exact = !x.dtype().is_float();
                self.record(
                    format!("{a}.scatter_add({axis}, {b}, {})", updates.shape()),
                    x.scatter_add(axis, i, updates),
                    exact,
                )
            }
            2 => {
                let i = match self.c.chance(4) {
                    true => i,
                    false => i.flatten().at(0).broadcast_to(x.shape()),
                };
                self.record(format!("{a}.take_along({axis}, {b})"), x.take_along(axis, i), true)
            }
            _ => {
                let (classes, dtype) = (self.c.size(), self.c.dtype());
                self.record(
                    format!("{b}.one_hot({classes}, {dtype})"),
                    i.one_hot(classes, dtype),
                    true,
                )
            }
        }
    }

    /// Values that are made of none or of a key.
    fn made(&mut self) -> Var {
        let dtype = self.c.dtype();
        match self.c.below(7) {
            0 => {
                let (sizes, n) = (self.c.sizes(), self.c.number());
                let var = self.tape.full(dtype, sizes.clone(), n);
                self.record(format!("tape.full({dtype}, {sizes:?}, {n:?})"), var, true)
            }
            1 => {
                let n = self.c.size();
                let var = self.tape.iota(n);
                self.record(format!("tape.iota({n})"), var, true)
            }
            2 => {
                let (x, a) = self.any();
                let data = Array::full(dtype, self.c.shape(0), self.c.number());
                self.record(format!("{a}.literal({data:?})"), x.literal(&data), true)
            }
            3 => {
                let n = self.c.number();
                let var = self.tape.constant(dtype, n);
                self.record(format!("tape.constant({dtype}, {n:?})"), var, true)
            }
            kind => {
                let ((key, a), stream) = (self.of(|dtype| dtype == DType::U32), self.c.word());
                let key = if self.c.odd(16) { key } else { key.flatten().at(0).broadcast_to([2]) };
                let (float, shape) = (self.c.float(), self.c.sizes());
                match kind {
                    4 => {
                        let var = key.uniform(stream, float, shape.clone());
                        let text = format!("{a}.uniform({stream}, {float}, {shape:?})");
                        // Bits and a product with a power of two.
                        self.record(text, var, true)
                    }
                    5 => {
                        let var = key.normal(stream, float, shape.clone());
                        self.record(format!("{a}.normal({stream}, {float}, {shape:?})"), var, false)
                    }
                    _ => {
                        let var = key.bits(stream, shape.clone());
                        self.record(format!("{a}.bits({stream}, {shape:?})"), var, true)
                    }
                }
            }
        }
    }

    /// Calls with several operands.
    fn several(&mut self) -> Var {
        match self.c.below(7) {
            0 => {
                let (m, mask) = self.of(|dtype| dtype == DType::Bool);
                let ((a, left), (b, right)) = self.fitting(false);
                let scalar = m.shape() != a.shape() && m.shape().count() > 0 && !self.c.odd(4);
                let m = if scalar { m.flatten().at(0) } else { m };
                self.record(format!("{mask}.select({left}, {right})"), m.select(a, b), true)
            }
            1 => {
                let (m, mask) = self.of(|dtype| dtype == DType::Bool);
                let ((a, left), n) = (self.any(), self.c.number());
                self.record(format!("{mask}.select({left}, {n:?})"), m.select(a, n), true)
            }
            2 => {
                let (a, left) = self.with_axis();
                let (b, right) = self.of(|dtype| dtype == a.dtype());
                let axis = self.c.axis(a.rank());
                let b = if b.shape() == a.shape() || self.c.odd(2) { b } else { a };
                let n = if self.c.odd(16) { 0 } else { 1 + self.c.below(3) };
                let parts = &[a, b, a][..n];
                let text = format!("concat({left}, {right}, {} parts, axis {axis})", parts.len());
                let var = self.tape.concat(parts, axis);
                self.record(text, var, true)
            }
            3 => {
                let ((a, left), (b, right)) = self.pair();
                let axis = self.c.axis(a.rank() + 1);
                let b = if b.shape() == a.shape() || self.c.odd(2) { b } else { a };
                let var = match self.c.below(2) {
                    _ if axis == a.rank() => self.tape.stack(&[a, b], axis),
                    0 => self.tape.stack(&[a, b], axis),
                    _ => a.join(&[b, a], axis),
                };
                self.record(format!("stack or join({left}, {right}, axis {axis})"), var, true)
            }
            4 => {
                let ((a, left), (b, right)) = (self.real(), self.real());
                let equation = match (a.rank(), b.rank()) {
                    _ if self.c.odd(4) => self.c.pick(&EQUATIONS),
                    (1, 1) => "a,b->ba",
                    (0, 1) => ",a->a",
                    (0, 0) => ",->",
                    (1, 2) => "a,bc->cab",
                    (2, 1) => "ab,c->b",
                    _ => return self.over_axes(),
                };
                self.record(
                    format!("{left}.einsum({equation:?}, {right})"),
                    a.einsum(equation, b),
                    false,
                )
            }
            5 => {
                let ((a, left), (b, right)) = self.pair();
                let b = if self.c.odd(2) { b } else { a };
                let pairs = self.c.below(1 + a.rank().min(b.rank()));
                let of_a = self.c.order(a.rank());
                let of_b = if self.c.odd(2) { self.c.order(b.rank()) } else { of_a.clone() };
                let batch = self.c.below(pairs + 1);
                let list = |axes: &[usize]| axes.iter().map(|&axis| axis as u8).collect();
                let part = |axes: &[usize], from: usize, to: usize| {
                    list(&axes[from.min(axes.len())..to.min(axes.len())])
                };
                let contraction = Contraction {
                    left_batch: part(&of_a, 0, batch),
                    right_batch: part(&of_b, 0, batch),
                    left_sum: part(&of_a, batch, pairs),
                    right_sum: part(&of_b, batch, pairs),
                };
                let text = format!("{left}.contract({right}, {contraction:?})");
                self.record(text, a.contract(b, contraction), false)
            }
            _ => {
                let (x, a) = self.any();
                let var = match self.c.odd(32) {
                    true => x.fail("fuzz", "asked to fail"),
                    false => x.record_at(At::caller(), || x.abs()),
                };
                self.record(format!("{a}.record_at(…, abs)"), var, true)
            }
        }
    }

    fn transformed(&mut self) -> Var {
        let (f, x, text) = self.differentiable();
        let small = x.shape().count() <= 16 && f.shape().count() <= 16;
        let v = self.like(x);
        let (name, var) = match self.c.below(17) {
            0 => ("grad", f.grad(x)),
            1 => ("grads", f.grads(&[x, v, f])[self.c.below(3)]),
            2 => ("jvp", f.jvp(x, v)),
            3 => ("jvp_many", f.jvp_many(&[(x, v), (v, v)])),
            4 => ("vjp", f.vjp(x, f)),
            5 => ("hvp", f.hvp(x, v)),
            6 => {
                let all = f.value_grad_hvp(x, v);
                ("value_grad_hvp", self.c.pick(&[all.value, all.grad, all.hvp]))
            }
            7 => {
                let k = self.c.size();
                let many = self.stacked(v, k);
                ("hvp_many", f.hvp_many(x, many))
            }
            8 => {
                let many = self.stacked(v, 2);
                let all = f.value_grad_hvp_many(x, many);
                ("value_grad_hvp_many", self.c.pick(&[all.value, all.grad, all.hvp]))
            }
            9 => ("second_directional", f.second_directional(x, v)),
            10 => {
                let (second, third) = f.second_directional_grad(x, v);
                ("second_directional_grad", self.c.pick(&[second, third]))
            }
            11 if small => ("hessian", f.hessian(x)),
            12 if small => ("jacobian", f.jacobian(x)),
            13 => {
                let k = self.c.size();
                let (many, also) = (self.stacked(x, k), self.stacked(v, k));
                ("vmap", vmap(&[f, v], &[(x, many), (v, also)])[self.c.below(2)])
            }
            14 if self.depth < 2 => ("map_rows", self.inside(x, true)),
            15 if self.depth < 2 => ("checkpoint", self.inside(x, false)),
            16 if x.rank() > 0 => {
                let largest = x.take_along(0, x.argmax(0).expand_dims(0));
                ("grad of the largest", (largest * largest).sum().grad(x))
            }
            _ => ("grad", f.grad(x)),
        };
        self.exact = false;
        self.record(format!("{name} of ({text})"), var, false)
    }

    /// A call inside of a function of rows, or of a checkpoint.
    fn inside(&mut self, x: Var, rows: bool) -> Var {
        self.depth += 1;
        let kept = self.values.len();
        let mut body = |x: Var| {
            self.values.push(Known { var: x, exact: false });
            let y = self.call();
            // The operands of another call are mostly those of the last ones.
            if self.c.chance(2) { y } else { self.call() }
        };
        let out = match rows {
            true => map_rows([x], |[row]| [body(row)])[0],
            false => checkpoint(&[x], |v| vec![body(v[0])])[0],
        };
        // What belongs to the rows means nothing outside.
        self.values.truncate(kept);
        self.depth -= 1;
        out
    }

    /// Whether a value is small enough to be used further, and run.
    pub(crate) fn is_small(shape: &Shape) -> bool {
        shape.count() <= MOST
    }
}
