//! Batches of matrix products, divided by rows, by columns or by matrix.

use super::gemm;
use super::instruction_set::{Kernels, ProductKernel};
use super::kernel::{Compute, Making, Run, wide};
use super::memory::{Base, Memory};
use crate::DType;
use crate::error::Result;
use crate::work::{Kernel, Kind, Product, View};

/// Rows or columns of a part are a multiple of this, which suits the inner kernels.
const GRAIN: usize = 16;

/// Which of a product's matrices are computed, and which rows and columns of them.
struct Part {
    matrices: (usize, usize),
    rows: (usize, usize),
    columns: (usize, usize),
}

impl Compute for Product {
    fn nanoseconds(&self) -> usize {
        self.flops().saturating_mul(wide(self.dtype)) / 80 + 100
    }

    fn ready(&self, _: &Kernel, _: &mut Making<'_>) -> Box<dyn Run> {
        Box::new(self.clone())
    }

    fn product(&self) -> Option<&Product> {
        Some(self)
    }
}

impl Run for Product {
    fn most_parts(&self) -> usize {
        self.batch.count().max(self.m.max(self.n).div_ceil(GRAIN))
    }

    unsafe fn part(
        &self,
        memory: &Memory,
        kernels: Kernels,
        part: usize,
        parts: usize,
    ) -> Result<()> {
        let count = self.batch.count();
        let mut whole = Part { matrices: (0, count), rows: (0, self.m), columns: (0, self.n) };
        if count >= parts {
            whole.matrices = (part * count / parts, (part + 1) * count / parts);
        } else {
            // The larger side is divided, in each matrix.
            let side = self.m.max(self.n);
            let at = |i: usize| (i * side.div_ceil(GRAIN) / parts * GRAIN).min(side);
            let range = (at(part), at(part + 1));
            if self.m >= self.n { whole.rows = range } else { whole.columns = range }
        }
        // SAFETY: the caller's.
        unsafe { run(self, kernels, memory.bases, &whole) };
        Ok(())
    }

    /// Of the result, or of the first batch axis.
    unsafe fn rows(
        &self,
        memory: &Memory,
        kernels: Kernels,
        (first, last): (usize, usize),
        _: usize,
    ) -> Result<()> {
        let mut part = Part { matrices: (0, 1), rows: (first, last), columns: (0, self.n) };
        if let Some(n) = self.batch.first() {
            let each = self.batch.count() / n;
            part.matrices = (first * each, last * each);
            part.rows = (0, self.m);
        }
        // SAFETY: the caller's.
        unsafe { run(self, kernels, memory.bases, &part) };
        Ok(())
    }
}

/// # Safety
/// As [`Run::part`].
unsafe fn run(p: &Product, kernels: Kernels, bases: &[Base], part: &Part) {
    let nb = p.batch.len();
    let (m, n) = (part.rows.1 - part.rows.0, part.columns.1 - part.columns.0);
    if m == 0 || n == 0 {
        return;
    }
    let position = |mut i: usize, view: &View| {
        let mut at = view.offset;
        for axis in (0..nb).rev() {
            at += (i % p.batch[axis]) as isize * view.strides[axis];
            i /= p.batch[axis];
        }
        at
    };
    // An empty sum is zero, which the other crate leaves to the caller.
    let products = if p.k == 0 { ProductKernel::Burlap } else { kernels.products };
    let kernels = Kernels { products, ..kernels };
    for matrix in part.matrices.0..part.matrices.1 {
        let operand = |v: &View, row: usize, column: usize| {
            let strides = (v.strides[nb], v.strides[nb + 1]);
            let at = position(matrix, v) + row as isize * strides.0 + column as isize * strides.1;
            (bases[v.buffer].0, at, strides)
        };
        let a = operand(&p.left, part.rows.0, 0);
        let b = operand(&p.right, 0, part.columns.0);
        let c = operand(&p.out, part.rows.0, part.columns.0);
        // SAFETY: the caller's; the views of the plan lie within their buffers.
        unsafe {
            match p.dtype {
                DType::F32 => multiply::<f32>(kernels, [m, p.k, n], [a, b, c], p.add),
                DType::F64 => multiply::<f64>(kernels, [m, p.k, n], [a, b, c], p.add),
                // Contractions are of floats.
                DType::U32 | DType::Bool => {}
            }
        }
    }
}

/// Where a matrix lies: a buffer, the offset of the first element, and strides.
type Operand = (*mut u8, isize, (isize, isize));

/// # Safety
/// The matrices lie within their buffers; the result is this part's alone.
unsafe fn multiply<T: Element>(
    kernels: Kernels,
    [m, k, n]: [usize; 3],
    operands: [Operand; 3],
    add: bool,
) {
    // SAFETY: the caller's.
    unsafe {
        let [a, b, c] = operands.map(|(base, at, s)| (base.cast::<T>().wrapping_offset(at), s));
        let (a, b) = ((a.0.cast_const(), a.1), (b.0.cast_const(), b.1));
        match kernels.products {
            ProductKernel::Burlap => T::gemm(kernels.set, &gemm::Gemm { m, k, n, a, b, c, add }),
            ProductKernel::MatrixMultiply => {
                let beta = if add { T::one() } else { T::zero() };
                let [(a, sa), (b, sb)] = [a, b];
                let (c, sc) = c;
                T::OTHER(m, k, n, T::one(), a, sa.0, sa.1, b, sb.0, sb.1, beta, c, sc.0, sc.1);
            }
        }
    }
}

/// matrixmultiply's interface.
type Gemm<T> = unsafe fn(
    usize,
    usize,
    usize,
    T,
    *const T,
    isize,
    isize,
    *const T,
    isize,
    isize,
    T,
    *mut T,
    isize,
    isize,
);

/// Elements of matrices.
trait Element: gemm::Product + num_traits::One {
    const OTHER: Gemm<Self>;
}

impl Element for f32 {
    const OTHER: Gemm<f32> = matrixmultiply::sgemm;
}

impl Element for f64 {
    const OTHER: Gemm<f64> = matrixmultiply::dgemm;
}
