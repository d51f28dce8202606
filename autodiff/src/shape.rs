//! Shapes: the sizes of a value's axes, outermost first.

use smallvec::SmallVec;
use std::fmt;
use std::ops::Deref;

/// Axes of a value, at most: numbers of axes of two values together fit a byte.
const MOST_AXES: usize = 64;

/// The sizes of the axes of a value, outermost first; `[]` is a scalar.
///
/// ```
/// use burlap_autodiff::Shape;
/// let s = Shape::from([32, 784]);
/// assert_eq!(s.len(), 2);
/// assert_eq!(s.count(), 25088);
/// assert_eq!(s.to_string(), "[32, 784]");
/// ```
#[derive(PartialEq, Eq, Hash, Default)]
pub struct Shape(SmallVec<[usize; 4]>);

impl Shape {
    /// The shape of a scalar.
    pub fn scalar() -> Shape {
        Shape::default()
    }

    /// The number of elements: the product of the sizes (saturating).
    pub fn count(&self) -> usize {
        self.0.iter().fold(1usize, |n, &d| n.saturating_mul(d))
    }

    /// Why no value has this shape, if none has: more than 64 axes, or more elements than a
    /// machine can address.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.len() > MOST_AXES {
            return Some(format!("{} axes; at most {MOST_AXES}", self.len()));
        }
        (!self.is_possible())
            .then(|| format!("the shape {self} has more elements than memory can hold"))
    }

    /// Whether there can be values of this shape.
    #[inline]
    pub(crate) fn is_possible(&self) -> bool {
        // A zero size makes the product zero, but kernels also form partial products.
        let count = self.0.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)));
        self.len() <= MOST_AXES && count.is_some_and(|n| n <= isize::MAX as usize / 16)
    }

    /// A shape of as many axes, but of one element and no more axes than there may be.
    pub(crate) fn of_ones(&self) -> Shape {
        Shape(SmallVec::from_elem(1, self.len().min(MOST_AXES)))
    }

    /// Row-major strides, in elements.
    pub(crate) fn strides(&self) -> Strides {
        let mut strides: Strides = SmallVec::from_elem(0, self.len());
        let mut step = 1isize;
        for axis in (0..self.len()).rev() {
            strides[axis] = step;
            step *= self.0[axis] as isize;
        }
        strides
    }

    pub(crate) fn without(&self, axes: &[u8]) -> Shape {
        self.iter()
            .enumerate()
            .filter(|(i, _)| !axes.contains(&(*i as u8)))
            .map(|(_, &d)| d)
            .collect()
    }
}

/// Distances between neighbours along each axis, in elements; zero where a value is
/// broadcast, negative where it is reversed.
pub(crate) type Strides = SmallVec<[isize; 4]>;

/// A list of axes of one value.
pub(crate) type Axes = SmallVec<[u8; 8]>;

impl Clone for Shape {
    // A copy of plain numbers: the derived one goes element by element.
    fn clone(&self) -> Shape {
        Shape(SmallVec::from_slice(&self.0))
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl std::ops::DerefMut for Shape {
    fn deref_mut(&mut self) -> &mut [usize] {
        &mut self.0
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(iter: I) -> Shape {
        Shape(iter.into_iter().collect())
    }
}

impl From<&[usize]> for Shape {
    fn from(sizes: &[usize]) -> Shape {
        Shape(SmallVec::from_slice(sizes))
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Shape {
        Shape(SmallVec::from_slice(&sizes))
    }
}

impl From<Vec<usize>> for Shape {
    fn from(sizes: Vec<usize>) -> Shape {
        Shape(SmallVec::from_vec(sizes))
    }
}

impl From<&Shape> for Shape {
    fn from(shape: &Shape) -> Shape {
        shape.clone()
    }
}

impl From<usize> for Shape {
    fn from(size: usize) -> Shape {
        Shape::from([size])
    }
}

impl From<()> for Shape {
    fn from((): ()) -> Shape {
        Shape::scalar()
    }
}

impl<const N: usize> PartialEq<[usize; N]> for Shape {
    fn eq(&self, other: &[usize; N]) -> bool {
        self[..] == other[..]
    }
}

impl PartialEq<[usize]> for Shape {
    fn eq(&self, other: &[usize]) -> bool {
        self[..] == *other
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}
