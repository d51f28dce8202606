//! The point at which a function is checked, and the directions in which it moves from there.

use super::differences::norm;
use crate::error::{At, Error, Result};
use crate::scalar::philox;
use crate::{Array, DType, Shape};

/// Random directions of each check.
const DIRECTIONS: u32 = 3;

/// Up to this many variables every one of them is moved alone too, and the dense Hessian is formed.
pub(super) const DENSE: usize = 64;

/// The point at which a function is checked: a vector, a number, or an array of any shape.
///
/// Functions are checked in double precision. Single-precision numbers are converted exactly;
/// differences of values that are rounded to them would have no digits to compare.
#[derive(Clone, Debug)]
pub struct Point(Array);

impl From<Array> for Point {
    fn from(array: Array) -> Point {
        Point(array)
    }
}

impl From<&Array> for Point {
    fn from(array: &Array) -> Point {
        Point(array.clone())
    }
}

impl From<f64> for Point {
    fn from(value: f64) -> Point {
        Point(Array::scalar(value))
    }
}

impl<T: Copy + Into<f64>> From<&[T]> for Point {
    fn from(values: &[T]) -> Point {
        Point(Array::vector(values.iter().map(|&x| x.into()).collect::<Vec<f64>>()))
    }
}

impl<T: Copy + Into<f64>> From<&Vec<T>> for Point {
    fn from(values: &Vec<T>) -> Point {
        Point::from(values.as_slice())
    }
}

impl<T: Copy + Into<f64>> From<Vec<T>> for Point {
    fn from(values: Vec<T>) -> Point {
        Point::from(values.as_slice())
    }
}

impl<T: Copy + Into<f64>, const N: usize> From<[T; N]> for Point {
    fn from(values: [T; N]) -> Point {
        Point::from(values.as_slice())
    }
}

impl Point {
    /// The numbers in double precision.
    pub(super) fn array(&self) -> Array {
        self.0.cast(DType::F64)
    }

    /// Whether the user gave single precision, and may have written the function for it.
    pub(super) fn is_single(&self) -> bool {
        self.0.dtype() == DType::F32
    }

    /// Nothing can be checked at a point that is not real and finite.
    pub(super) fn problem(&self, at: At) -> Option<Error> {
        let check = "point";
        if !self.0.dtype().is_float() {
            let problem = format!("it is {}, but derivatives are those of reals", self.0.dtype());
            return Some(Error::Check { check, problem, at });
        }
        let values = self.0.to_f64_vec();
        let i = values.iter().position(|x| !x.is_finite())?;
        let place = element(i, self.0.shape(), "the point");
        Some(Error::Check { check, problem: format!("{place} is {}", values[i]), at })
    }
}

/// The index along each axis of an element, as a user of the shape would write it.
fn index(mut flat: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (i, &size) in index.iter_mut().zip(shape).rev() {
        *i = flat % size.max(1);
        flat /= size.max(1);
    }
    index
}

/// The index in brackets; nothing for a scalar, which has none.
pub(super) fn subscript(flat: usize, shape: &[usize]) -> String {
    if shape.is_empty() { String::new() } else { format!("{:?}", index(flat, shape)) }
}

/// `element [1, 2] of` something that has elements, and otherwise the thing itself.
pub(super) fn element(flat: usize, shape: &[usize], whole: &str) -> String {
    if shape.is_empty() {
        return whole.into();
    }
    format!("element {} of {whole}", subscript(flat, shape))
}

/// A direction in which the point moves.
pub(super) struct Direction {
    pub(super) vector: Array,
    /// The only variable that moves, and how far.
    pub(super) axis: Option<(usize, f64)>,
}

impl Direction {
    pub(super) fn values(&self) -> Vec<f64> {
        self.vector.to_f64_vec()
    }
}

/// A point in double precision, and its scale.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) point: Array,
    /// What counts as a change of order one in a variable: the largest of them.
    pub(super) length: f64,
    /// The user's line that asked for the check.
    pub(super) at: At,
}

impl Frame {
    pub(super) fn new(point: Array, at: At) -> Frame {
        let length = norm(&point.to_f64_vec());
        let length = if length > 0.0 && length.is_finite() { length } else { 1.0 };
        Frame { point, length, at }
    }

    pub(super) fn shape(&self) -> &Shape {
        self.point.shape()
    }

    fn array(&self, values: &[f64]) -> Array {
        let mut array = self.point.clone();
        array.fill_from_f64(values);
        array
    }

    /// A change of order one in a variable of this value: as large as itself, within six orders
    /// of magnitude of the largest; what is zero tells nothing of its scale.
    fn scale(&self, x: f64) -> f64 {
        if x == 0.0 { self.length } else { x.abs().max(1e-6 * self.length) }
    }

    /// A random direction, of order one in each variable.
    pub(super) fn random(&self, number: u32) -> Direction {
        let values: Vec<f64> = (0u64..)
            .zip(self.point.to_f64_vec())
            .map(|(i, x)| philox::normal([0x00C0_FFEE, 7], number, i) * self.scale(x))
            .collect();
        Direction { vector: self.array(&values), axis: None }
    }

    /// What part of a direction is a change of order one in the only variable that it moves.
    pub(super) fn part_of_order_one(&self, direction: &Direction) -> f64 {
        let x = direction.axis.and_then(|(i, _)| self.point.to_f64_vec().get(i).copied());
        x.map_or(1.0, |x| self.scale(x) / self.length)
    }

    /// Some of the variables, all as far as the largest of the point.
    fn part(&self, variables: std::ops::Range<usize>) -> Direction {
        let mut values = vec![0.0; self.point.len()];
        let axis = (variables.len() == 1).then_some((variables.start, self.length));
        values[variables].fill(self.length);
        Direction { vector: self.array(&values), axis }
    }

    /// Every variable alone where they are not too many, and some random directions: that order
    /// lets a mistake be said of the element that is wrong.
    pub(super) fn directions(&self) -> Vec<Direction> {
        let alone = if self.point.len() <= DENSE { self.point.len() } else { 0 };
        let axes = (0..alone).map(|i| self.part(i..i + 1));
        axes.chain((0..DIRECTIONS).map(|number| self.random(number))).collect()
    }

    /// A variable along which something is wrong, given how wrong it is along a direction: the
    /// worse half of the worse half, and so on.
    pub(super) fn worst_axis(
        &self,
        wrong: impl Fn(&Direction) -> Result<f64>,
    ) -> Result<Direction> {
        let mut variables = 0..self.point.len();
        while variables.len() > 1 {
            let middle = variables.start + variables.len() / 2;
            let (left, right) = (variables.start..middle, middle..variables.end);
            let [by_left, by_right] = [left.clone(), right.clone()].map(|v| wrong(&self.part(v)));
            variables = if by_left? >= by_right? { left } else { right };
        }
        Ok(self.part(variables))
    }

    /// point + t · direction.
    pub(super) fn shifted(&self, t: f64, direction: &Array) -> Array {
        let pairs = self.point.to_f64_vec().into_iter().zip(direction.to_f64_vec());
        self.array(&pairs.map(|(x, v)| x + t * v).collect::<Vec<f64>>())
    }

    /// a · u + b · v.
    pub(super) fn combined(&self, a: f64, u: &[f64], b: f64, v: &[f64]) -> Array {
        self.array(&combined(a, u, b, v))
    }

    pub(super) fn fail<T>(&self, check: &'static str, problem: String) -> Result<T> {
        Err(Error::Check { check, problem, at: self.at })
    }
}

/// a · u + b · v.
pub(super) fn combined(a: f64, u: &[f64], b: f64, v: &[f64]) -> Vec<f64> {
    u.iter().zip(v).map(|(u, v)| a * u + b * v).collect()
}
