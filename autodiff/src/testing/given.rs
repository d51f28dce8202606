//! Checks of derivatives that were made by hand: recorded ones, and ones in plain numbers.

use super::against::{self, Derivative, Values};
use super::check::recording_problem;
use super::differences::norm;
use super::point::{Direction, Frame, Point};
use super::report::Report;
use super::second_order::hessian_place;
use crate::error::{At, Error, Result};
use crate::{Array, Cpu, DType, Shape, Tape, Var};
use std::marker::PhantomData;

/// The kind of functions that are recorded: `|x: Var| …`.
#[derive(Debug)]
pub enum OnTape {}

/// The kind of functions of plain numbers: `|x: &[f64]| …`.
#[derive(Debug)]
pub struct OnHost<V>(PhantomData<V>);

/// What a function of plain numbers may return: a number, several of them, or an array.
pub trait HostValue {
    /// The numbers in row-major order.
    fn into_numbers(self) -> Vec<f64>;
}

impl HostValue for f64 {
    fn into_numbers(self) -> Vec<f64> {
        vec![self]
    }
}

impl HostValue for Vec<f64> {
    fn into_numbers(self) -> Vec<f64> {
        self
    }
}

impl<const N: usize> HostValue for [f64; N] {
    fn into_numbers(self) -> Vec<f64> {
        self.to_vec()
    }
}

impl HostValue for Array {
    fn into_numbers(self) -> Vec<f64> {
        self.to_f64_vec()
    }
}

/// What the value of a given function should be.
#[doc(hidden)]
#[derive(Debug)]
pub struct Wanted<'a> {
    name: &'static str,
    shape: Shape,
    point: &'a Point,
    at: At,
}

impl Wanted<'_> {
    /// Records a function of some variables with the shape of the point.
    fn record<const N: usize>(&self, f: impl FnOnce([Var; N]) -> Var) -> Result<crate::Program> {
        let tape = Tape::new();
        let mut number = 0;
        let inputs = [(); N].map(|()| {
            number += 1;
            let name = ["x", "v"][(number - 1) % 2];
            tape.input(name, DType::F64, self.point.array().shape())
        });
        let y = f(inputs);
        if let Some(problem) = recording_problem(&tape, y, self.point.is_single(), self.at) {
            return Err(problem);
        }
        if y.shape() != self.shape {
            let problem = format!("has the shape {}, not {}", y.shape(), self.shape);
            return Err(self.error(problem));
        }
        tape.compile(&Cpu::with_threads(1)?, &[y])
    }

    /// As many numbers as there should be.
    fn numbers(&self, value: impl HostValue) -> Result<Vec<f64>> {
        let numbers = value.into_numbers();
        if numbers.len() == self.shape.count() {
            return Ok(numbers);
        }
        let (found, count) = (numbers.len(), self.shape.count());
        let problem = format!("has {found} numbers, not the {count} of the shape {}", self.shape);
        Err(self.error(problem))
    }

    fn error(&self, problem: String) -> Error {
        Error::Check { check: self.name, problem, at: self.at }
    }
}

/// A function of one variable: `Fn(Var) -> Var`, or `Fn(&[f64])` with values of any
/// [`HostValue`]. Closures need the type of their argument, which tells the two apart.
pub trait Function<Kind> {
    #[doc(hidden)]
    fn values<'a>(&'a self, wanted: &'a Wanted<'a>) -> Result<Box<Values<'a>>>;
}

impl<F: Fn(Var) -> Var> Function<OnTape> for F {
    fn values<'a>(&'a self, wanted: &'a Wanted<'a>) -> Result<Box<Values<'a>>> {
        let program = wanted.record(|[x]| self(x))?;
        Ok(Box::new(move |x| Ok(program.run(&[x])?[0].to_f64_vec())))
    }
}

impl<V: HostValue, F: Fn(&[f64]) -> V> Function<OnHost<V>> for F {
    fn values<'a>(&'a self, wanted: &'a Wanted<'a>) -> Result<Box<Values<'a>>> {
        Ok(Box::new(move |x| wanted.numbers(self(x.as_slice()?))))
    }
}

/// Both arguments as numbers.
type Product2<'a> = dyn Fn(&Array, &Array) -> Result<Vec<f64>> + 'a;

/// A function of a variable and a direction: `Fn(Var, Var) -> Var`, or `Fn(&[f64], &[f64])`
/// with values of any [`HostValue`].
pub trait Product<Kind> {
    #[doc(hidden)]
    fn values<'a>(&'a self, wanted: &'a Wanted<'a>) -> Result<Box<Product2<'a>>>;
}

impl<F: Fn(Var, Var) -> Var> Product<OnTape> for F {
    fn values<'a>(&'a self, wanted: &'a Wanted<'a>) -> Result<Box<Product2<'a>>> {
        let program = wanted.record(|[x, v]| self(x, v))?;
        Ok(Box::new(move |x, v| Ok(program.run(&[x, v])?[0].to_f64_vec())))
    }
}

impl<V: HostValue, F: Fn(&[f64], &[f64]) -> V> Product<OnHost<V>> for F {
    fn values<'a>(&'a self, wanted: &'a Wanted<'a>) -> Result<Box<Product2<'a>>> {
        Ok(Box::new(move |x, v| wanted.numbers(self(x.as_slice()?, v.as_slice()?))))
    }
}

/// A function and its gradient, as they were given.
fn wanted<'a>(point: &'a Point, at: At) -> Result<[Wanted<'a>; 3]> {
    if let Some(problem) = point.problem(at) {
        return Err(problem);
    }
    let shape = || point.array().shape().clone();
    let names = [("f", Shape::scalar()), ("the gradient", shape()), ("the product", shape())];
    Ok(names.map(|(name, shape)| Wanted { name, shape, point, at }))
}

/// Checks a gradient that was made by hand: every element (for up to 64 variables), and
/// ⟨∇f, v⟩ for random directions `v`, against extrapolated differences of the function.
///
/// Function and gradient are each either recorded (`|x: Var| …`) or plain (`|x: &[f64]| …`).
///
/// ```
/// use burlap_autodiff::Var;
/// use burlap_autodiff::testing::check_gradient_of;
/// let f = |x: &[f64]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
/// let gradient = |x: &[f64]| {
///     let inner = x[1] - x[0] * x[0];
///     [-2.0 * (1.0 - x[0]) - 400.0 * x[0] * inner, 100.0 * inner]
/// };
/// let text = check_gradient_of(f, gradient, [1.0, 3.0]).unwrap_err().to_string();
/// println!("{text}");
/// assert!(text.starts_with("∇f = differences of f: element [1] of the gradient: expected 400"));
/// // A recorded function may have a gradient in plain numbers.
/// check_gradient_of(|x: Var| x.sin().sum(), |x: &[f64]| [x[0].cos(), x[1].cos()], [1.0, 3.0])?;
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// # Errors
/// [`Error::Check`] with the element that is wrong, what was expected and found, or the element
/// that is not finite; also for a gradient of another shape than the point's. Errors of
/// recording.
#[track_caller]
pub fn check_gradient_of<F, G>(
    f: impl Function<F>,
    gradient: impl Function<G>,
    point: impl Into<Point>,
) -> Result<Report> {
    let (point, at) = (point.into(), At::caller());
    let [of_f, of_gradient, _] = wanted(&point, at)?;
    let (f, gradient) = (f.values(&of_f)?, gradient.values(&of_gradient)?);
    let (frame, mut report) = (Frame::new(point.array(), at), Report::default());
    against::gradient(&frame, &mut report, &gradient(&frame.point)?, &*f)?;
    Ok(report)
}

/// Checks a Hessian-vector product that was made by hand, v ↦ ∇²f(x) v: first the gradient, as
/// [`check_gradient_of`] does it; then the product against extrapolated differences of that.
///
/// Each of the three functions is either recorded (`|x: Var, v: Var| …`) or plain
/// (`|x: &[f64], v: &[f64]| …`).
///
/// ```
/// use burlap_autodiff::Var;
/// use burlap_autodiff::testing::check_hvp_of;
/// let f = |x: Var| x.square().sum().square();
/// let product = |x: &[f64], v: &[f64]| {
///     let [xx, xv] = [x, v].map(|y| x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>());
///     x.iter().zip(v).map(|(x, v)| 4.0 * xx * v + 8.0 * xv * x).collect::<Vec<f64>>()
/// };
/// check_hvp_of(f, |x: Var| f(x).grad(x), product, [0.5, -1.0, 2.0])?;
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// # Errors
/// As [`check_gradient_of`].
#[track_caller]
pub fn check_hvp_of<F, G, P>(
    f: impl Function<F>,
    gradient: impl Function<G>,
    product: impl Product<P>,
    point: impl Into<Point>,
) -> Result<Report> {
    let (point, at) = (point.into(), At::caller());
    let [of_f, of_gradient, of_product] = wanted(&point, at)?;
    let (f, gradient) = (f.values(&of_f)?, gradient.values(&of_gradient)?);
    let product = product.values(&of_product)?;
    let (frame, mut report) = (Frame::new(point.array(), at), Report::default());
    against::gradient(&frame, &mut report, &gradient(&frame.point)?, &*f)?;
    let slope = norm(&f(&frame.point)?) / frame.length;
    for direction in frame.directions() {
        Derivative {
            name: "H v = differences of ∇f",
            along: &|v: &Direction| product(&frame.point, &v.vector),
            of: &*gradient,
            of_name: "∇f",
            natural: slope,
            rounding: 0.0,
            place: &hessian_place(frame.shape()),
        }
        .check(&frame, &mut report, &direction)?;
    }
    Ok(report)
}

/// As [`check_gradient_of`], for tests.
///
/// ```
/// use burlap_autodiff::testing::assert_gradient_of;
/// assert_gradient_of(|x: &[f64]| x[0] * x[1], |x: &[f64]| [x[1], x[0]], [0.3, 2.0]);
/// ```
///
/// # Panics
/// When the check fails.
#[track_caller]
#[allow(clippy::panic, reason = "an assertion for tests is meant to panic")]
pub fn assert_gradient_of<F, G>(
    f: impl Function<F>,
    gradient: impl Function<G>,
    point: impl Into<Point>,
) {
    if let Err(error) = check_gradient_of(f, gradient, point) {
        panic!("{error}");
    }
}

/// As [`check_hvp_of`], for tests.
///
/// ```
/// use burlap_autodiff::testing::assert_hvp_of;
/// let (f, gradient) = (|x: &[f64]| x[0] * x[1], |x: &[f64]| [x[1], x[0]]);
/// assert_hvp_of(f, gradient, |_: &[f64], v: &[f64]| [v[1], v[0]], [0.3, 2.0]);
/// ```
///
/// # Panics
/// When the check fails.
#[track_caller]
#[allow(clippy::panic, reason = "an assertion for tests is meant to panic")]
pub fn assert_hvp_of<F, G, P>(
    f: impl Function<F>,
    gradient: impl Function<G>,
    product: impl Product<P>,
    point: impl Into<Point>,
) {
    if let Err(error) = check_hvp_of(f, gradient, product, point) {
        panic!("{error}");
    }
}
