//! The functions of the public interface, by what they take, and whether they round.

use burlap::autodiff::Var;

pub(super) type Unary = (&'static str, fn(Var) -> Var);
pub(super) type Binary = (&'static str, fn(Var, Var) -> Var);
pub(super) type WithNumber = (&'static str, fn(Var, f64) -> Var);
pub(super) type OverAxes = (&'static str, fn(Var, &[usize]) -> Var);
pub(super) type OverAxis = (&'static str, fn(Var, usize) -> Var);

macro_rules! table {
    ($($name:literal $function:expr),* $(,)?) => { &[$(($name, $function)),*] };
}

// Closures, not paths: only a call has a place in this file, which errors must name.

/// What does not round.
pub(super) const EXACT: &[Unary] = table! {
    "negated" |x| x.negated(), "-" |x| -x, "!" |x| !x, "abs" |x| x.abs(), "sign" |x| x.sign(), "floor" |x| x.floor(),
    "ceil" |x| x.ceil(), "relu" |x| x.relu(), "stop_gradient" |x| x.stop_gradient(), "max_all" |x| x.max_all(),
    "min_all" |x| x.min_all(), "flatten" |x| x.flatten(), "t" |x| x.t(), "is_finite" |x| x.is_finite(),
};

pub(super) const ROUNDED: &[Unary] = table! {
    "exp" |x| x.exp(), "expm1" |x| x.expm1(), "log" |x| x.log(), "log1p" |x| x.log1p(), "sqrt" |x| x.sqrt(),
    "rsqrt" |x| x.rsqrt(), "recip" |x| x.recip(), "sin" |x| x.sin(), "cos" |x| x.cos(), "tan" |x| x.tan(),
    "atan" |x| x.atan(), "tanh" |x| x.tanh(), "sech2" |x| x.sech2(), "sigmoid" |x| x.sigmoid(),
    "softplus" |x| x.softplus(), "erf" |x| x.erf(), "gelu" |x| x.gelu(), "gelu_tanh" |x| x.gelu_tanh(),
    "silu" |x| x.silu(), "elu" |x| x.elu(), "sinh" |x| x.sinh(), "cosh" |x| x.cosh(), "square" |x| x.square(),
    "exp_strong" |x| x.exp_strong(), "exp2" |x| x.exp2(), "log2" |x| x.log2(), "log10" |x| x.log10(),
    "root" |x| x.root(), "cbrt" |x| x.cbrt(), "asin" |x| x.asin(), "acos" |x| x.acos(), "cos_atan" |x| x.cos_atan(),
    "sec_asin" |x| x.sec_asin(), "log_cosh" |x| x.log_cosh(), "asinh" |x| x.asinh(),
    "acosh" |x| x.acosh(), "atanh" |x| x.atanh(), "erfc" |x| x.erfc(), "gaussian" |x| x.gaussian(),
    "normal_cdf" |x| x.normal_cdf(), "normal_pdf" |x| x.normal_pdf(), "log_ndtr" |x| x.log_ndtr(),
    "log_sigmoid" |x| x.log_sigmoid(), "prod" |x| x.prod(), "sum" |x| x.sum(), "mean" |x| x.mean(), "norm" |x| x.norm(),
};

pub(super) const EXACT_BINARY: &[Binary] = table! {
    "max" |a, b| a.max(b), "min" |a, b| a.min(b), "equal" |a, b| a.equal(b),
    "not_equal" |a, b| a.not_equal(b), "lt" |a, b| a.lt(b), "le" |a, b| a.le(b), "gt" |a, b| a.gt(b),
    "ge" |a, b| a.ge(b),
};

/// What rounds, of two reals that go together elementwise.
pub(super) const ROUNDED_BINARY: &[Binary] = table! {
    "pow" |a, b| a.pow(b), "strong_mul" |a, b| a.strong_mul(b),
    "strong_mul_both" |a, b| a.strong_mul_both(b), "xlogy" |a, b| a.xlogy(b), "logaddexp" |a, b| a.logaddexp(b),
    "atan2" |a, b| a.atan2(b), "hypot" |a, b| a.hypot(b),
};

/// What rounds reals only.
pub(super) const ARITHMETIC: &[Binary] = table! {
    "+" |a, b| a + b, "-" |a, b| a - b, "*" |a, b| a * b, "/" |a, b| a / b,
};

pub(super) const PRODUCTS: &[Binary] = table! {
    "dot" |a, b| a.dot(b), "matmul" |a, b| a.matmul(b),
};

pub(super) const EXACT_NUMBERS: &[WithNumber] = table! {
    "max" |a, n| a.max(n), "min" |a, n| a.min(n), "equal" |a, n| a.equal(n), "lt" |a, n| a.lt(n),
    "ge" |a, n| a.ge(n), "constant_like" |a, n| a.constant_like(n),
};

pub(super) const ROUNDED_NUMBERS: &[WithNumber] = table! {
    "+" |a, n| a + n, "-" |a, n| a - n, "from" |a, n| n - a, "*" |a, n| n * a, "/" |a, n| a / n,
    "over" |a, n| n / a, "pow" |a, n| a.pow(n), "powf" |a, n| a.powf(n), "leaky_relu" |a, n| a.leaky_relu(n),
};

pub(super) const EXACT_AXES: &[OverAxes] = table! {
    "max_axes" |x, axes| x.max_axes(axes), "min_axes" |x, axes| x.min_axes(axes), "flip" |x, axes| x.flip(axes),
};

pub(super) const ROUNDED_AXES: &[OverAxes] = table! {
    "sum_axes" |x, axes| x.sum_axes(axes), "mean_axes" |x, axes| x.mean_axes(axes), "logsumexp" |x, axes| x.logsumexp(axes),
};

pub(super) const ROUNDED_AXIS: &[OverAxis] = table! {
    "softmax" |x, axis| x.softmax(axis), "cumsum" |x, axis| x.cumsum(axis),
    "cumprod" |x, axis| x.cumprod(axis), "log_softmax" |x, axis| x.log_softmax(axis),
};

pub(super) const EQUATIONS: [&str; 10] = [
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
