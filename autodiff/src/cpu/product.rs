//! Batches of matrix products, divided by rows, by columns or by matrix.

use super::gemm;
use super::instruction_set::InstructionSet;
use super::{Base, Kernels, ProductKernel};
use crate::DType;
use crate::program::plan::{Product, View};

/// Rows or columns of a part are a multiple of this, which suits the inner kernels.
const GRAIN: usize = 16;

/// Which of a product's matrices are computed, and which rows and columns of them.
struct Part {
    matrices: (usize, usize),
    rows: (usize, usize),
    columns: (usize, usize),
}

/// Into how many parts a product can be divided at most.
pub(super) fn most_parts(p: &Product) -> usize {
    p.batch.count().max(p.m.max(p.n).div_ceil(GRAIN))
}

pub(super) fn part(p: &Product, kernels: Kernels, bases: &[Base], part: usize, parts: usize) {
    let count = p.batch.count();
    let mut whole = Part { matrices: (0, count), rows: (0, p.m), columns: (0, p.n) };
    if count >= parts {
        whole.matrices = (part * count / parts, (part + 1) * count / parts);
        run(p, kernels, bases, &whole);
        return;
    }
    // The larger side is divided, in each matrix.
    let side = p.m.max(p.n);
    let at = |i: usize| (i * side.div_ceil(GRAIN) / parts * GRAIN).min(side);
    let range = (at(part), at(part + 1));
    if p.m >= p.n {
        whole.rows = range
    } else {
        whole.columns = range
    }
    run(p, kernels, bases, &whole);
}

/// Rows `first..last`: of the result, or of the first batch axis.
pub(super) fn rows(p: &Product, kernels: Kernels, bases: &[Base], first: usize, last: usize) {
    let mut part = Part { matrices: (0, 1), rows: (first, last), columns: (0, p.n) };
    if let Some(n) = p.batch.first() {
        let each = p.batch.count() / n;
        part.matrices = (first * each, last * each);
        part.rows = (0, p.m);
    }
    run(p, kernels, bases, &part);
}

fn run(p: &Product, kernels: Kernels, bases: &[Base], part: &Part) {
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
    let strides = [&p.left, &p.right, &p.out].map(|v| (v.strides[nb], v.strides[nb + 1]));
    let buffers = [bases[p.left.buffer].0, bases[p.right.buffer].0, bases[p.out.buffer].0];
    for matrix in part.matrices.0..part.matrices.1 {
        let [mut a, mut b, mut c] = [&p.left, &p.right, &p.out].map(|v| position(matrix, v));
        a += part.rows.0 as isize * strides[0].0;
        b += part.columns.0 as isize * strides[1].1;
        c += part.rows.0 as isize * strides[2].0 + part.columns.0 as isize * strides[2].1;
        let sizes = [m, p.k, n];
        // An empty sum is zero, which the other crate leaves to the caller.
        let kernel = if p.k == 0 { ProductKernel::Burlap } else { kernels.products };
        let set = kernels.set;
        // SAFETY: the views of the plan lie within their buffers; parts are disjoint.
        unsafe {
            match (p.dtype, kernel) {
                (DType::F32, ProductKernel::Burlap) => {
                    own::<f32>(set, sizes, buffers, [a, b, c], strides, p.add);
                }
                (_, ProductKernel::Burlap) => {
                    own::<f64>(set, sizes, buffers, [a, b, c], strides, p.add)
                }
                (DType::F32, ProductKernel::MatrixMultiply) => {
                    other::<f32>(matrixmultiply::sgemm, sizes, buffers, [a, b, c], strides, p.add);
                }
                (_, ProductKernel::MatrixMultiply) => {
                    other::<f64>(matrixmultiply::dgemm, sizes, buffers, [a, b, c], strides, p.add);
                }
            }
        }
    }
}

type Strides = [(isize, isize); 3];

/// # Safety
/// The matrices lie within their buffers; the result is this part's alone.
unsafe fn own<T: gemm::Product>(
    set: InstructionSet,
    [m, k, n]: [usize; 3],
    buffers: [*mut u8; 3],
    [a, b, c]: [isize; 3],
    [sa, sb, sc]: Strides,
    add: bool,
) {
    let [at_a, at_b, at_c] = buffers.map(|b| b.cast::<T>());
    // SAFETY: the caller's.
    unsafe {
        let a = (at_a.offset(a).cast_const(), sa);
        let b = (at_b.offset(b).cast_const(), sb);
        let c = (at_c.offset(c), sc);
        T::gemm(set, &gemm::Gemm { m, k, n, a, b, c, add });
    }
}

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

/// # Safety
/// As [`own`].
unsafe fn other<T: num_traits::Float>(
    gemm: Gemm<T>,
    [m, k, n]: [usize; 3],
    buffers: [*mut u8; 3],
    [a, b, c]: [isize; 3],
    [sa, sb, sc]: Strides,
    add: bool,
) {
    let [at_a, at_b, at_c] = buffers.map(|b| b.cast::<T>());
    // SAFETY: the caller's.
    unsafe {
        let (a, b, c) = (at_a.offset(a), at_b.offset(b), at_c.offset(c));
        let beta = if add { T::one() } else { T::zero() };
        gemm(m, k, n, T::one(), a, sa.0, sa.1, b, sb.0, sb.1, beta, c, sc.0, sc.1);
    }
}
