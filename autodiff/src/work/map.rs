//! Fused elementwise expressions, with reductions at their end.

use super::{Access, Accesses, Buffer, BufferId, Kind, View};
use crate::graph::{Binary, Compare, Unary};
use crate::shape::Axes;
use crate::{DType, Shape};

/// A register of a [`Map`]: a block of elements of one type.
pub type Register = u16;

/// What an instruction of a [`Map`] computes, element by element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// Element of load number `.0`.
    Load(u16),
    /// A literal.
    Constant(f64),
    /// A function of one register.
    Unary(Unary),
    /// A function of two registers.
    Binary(Binary),
    /// A comparison of two registers; the result is `Bool`.
    Compare(Compare),
    /// Mask, then the two choices.
    Select,
    /// From the type of the operand to that of the result.
    Cast,
}

/// One phase of a [`Map`], writing the register of its own position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Instruction {
    /// What is computed.
    pub scalar: Scalar,
    /// The type of the operands (of the choices, for `Select`).
    pub operand: DType,
    /// The type of the result.
    pub dtype: DType,
    /// The operand registers, each of an earlier instruction.
    pub args: [Register; 3],
}

/// How elements are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combine {
    /// Addition.
    Sum,
    /// The larger, or NaN.
    Max,
    /// The smaller, or NaN.
    Min,
}

/// A reduction at the end of a [`Map`].
#[derive(Clone, Debug)]
pub struct Reduction {
    /// The register reduced.
    pub register: Register,
    /// How.
    pub combine: Combine,
    /// The contiguous result, over the kept axes.
    pub store: View,
}

/// An expression evaluated at every point of a domain, stored, reduced, or both.
#[derive(Clone, Debug, Default)]
pub struct Map {
    /// The domain.
    pub domain: Shape,
    /// What is read, with strides along the domain's axes.
    pub loads: Vec<View>,
    /// Element types of the loads.
    pub load_types: Vec<DType>,
    /// The expression, in order.
    pub code: Vec<Instruction>,
    /// What is written, with strides along the domain's axes.
    pub stores: Vec<(Register, View)>,
    /// What is reduced over `reduced`.
    pub reductions: Vec<Reduction>,
    /// The axes reduced by all reductions.
    pub reduced: Axes,
    /// Whether reductions are divided within what makes one value: long rows, as the
    /// [costs](crate::Costs::long_row) of the backend say.
    pub has_long_rows: bool,
}

impl Map {
    /// One load, one store.
    pub(crate) fn copy(domain: Shape, from: View, to: View, dtype: DType) -> Map {
        Map {
            domain,
            loads: vec![from],
            load_types: vec![dtype],
            code: vec![Instruction::new(Scalar::Load(0), dtype)],
            stores: vec![(0, to)],
            ..Map::default()
        }
    }

    /// Adds to what is there.
    pub(crate) fn add(domain: Shape, from: View, to: View, dtype: DType) -> Map {
        let sum = Instruction::new(Scalar::Binary(Binary::Add), dtype);
        Map {
            domain,
            loads: vec![from, to.clone()],
            load_types: vec![dtype; 2],
            code: vec![
                Instruction::new(Scalar::Load(0), dtype),
                Instruction::new(Scalar::Load(1), dtype),
                Instruction { args: [0, 1, 0], ..sum },
            ],
            stores: vec![(2, to)],
            ..Map::default()
        }
    }

    /// Zeros.
    pub(crate) fn fill(domain: Shape, to: View, dtype: DType) -> Map {
        Map {
            domain,
            code: vec![Instruction::new(Scalar::Constant(0.0), dtype)],
            stores: vec![(0, to)],
            ..Map::default()
        }
    }

    /// The points as `[a, r, b]`: kept axes, reduced ones, trailing kept ones.
    pub(crate) fn split(&self) -> [usize; 3] {
        let reduced = |axis: usize| self.reduced.contains(&(axis as u8));
        let sizes = || self.domain.iter().copied().enumerate();
        let trailing = sizes().rev().take_while(|&(axis, _)| !reduced(axis)).count();
        let inner = self.domain.len() - trailing;
        let count = |wanted: bool| -> usize {
            sizes()
                .take(inner)
                .filter(|&(axis, _)| reduced(axis) == wanted)
                .map(|(_, n)| n)
                .product()
        };
        [count(false), count(true), self.domain[inner..].iter().product()]
    }
}

impl Instruction {
    /// One without operands.
    pub(crate) fn new(scalar: Scalar, dtype: DType) -> Instruction {
        Instruction { scalar, operand: dtype, dtype, args: [0; 3] }
    }
}

impl Kind for Map {
    fn rows(&self) -> Option<usize> {
        let rows = *self.domain.first()?;
        // Long rows are reduced in parts of their own.
        let short = self.reductions.is_empty() || !self.has_long_rows;
        (!self.reduced.contains(&0) && short).then_some(rows)
    }

    fn accesses(&self) -> Accesses {
        let by_rows = self.rows().is_some();
        let loads = self.loads.iter();
        let mut all: Accesses =
            loads.map(|view| Access::read(view, &self.domain, by_rows)).collect();
        let stores = self.stores.iter();
        all.extend(stores.map(|(_, view)| Access::write(view, &self.domain, by_rows)));
        let kept = self.domain.without(&self.reduced);
        let reductions = self.reductions.iter();
        all.extend(reductions.map(|r| Access::write(&r.store, &kept, by_rows)));
        all
    }

    fn flops(&self) -> usize {
        let arithmetic =
            |i: &&Instruction| !matches!(i.scalar, Scalar::Load(_) | Scalar::Constant(_));
        let each = self.code.iter().filter(arithmetic).count() + self.reductions.len();
        self.domain.count().saturating_mul(each)
    }

    fn divide_rows_beyond(&mut self, points: usize) {
        let [_, r, b] = self.split();
        self.has_long_rows = r * b > points;
    }

    fn describe(&self) -> String {
        let kind = match (self.stores.is_empty(), self.reductions.is_empty()) {
            (false, false) => "map + reduce",
            (true, false) => "reduce",
            _ => "map",
        };
        let reduced = if self.reduced.is_empty() {
            String::new()
        } else {
            format!(" over {:?}", self.reduced)
        };
        format!("{kind} {}{reduced}, {} instructions", self.domain, self.code.len())
    }

    /// What is read element by element in the order in which `write` is written.
    fn in_place(
        &self,
        write: BufferId,
        buffers: &[Buffer],
        dying: &dyn Fn(BufferId) -> bool,
    ) -> Option<BufferId> {
        if !self.reductions.is_empty() {
            return None;
        }
        let row_major = self.domain.strides();
        let whole = |v: &View| {
            v.offset == 0
                && v.strides == row_major
                && buffers[v.buffer].count == self.domain.count()
        };
        let (_, store) = self.stores.iter().find(|(_, v)| v.buffer == write)?;
        if !whole(store) {
            return None;
        }
        self.loads.iter().map(|v| v.buffer).find(|&read| {
            dying(read)
                && buffers[read].dtype == buffers[write].dtype
                && self.loads.iter().filter(|v| v.buffer == read).all(whole)
        })
    }
}
