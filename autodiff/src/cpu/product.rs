//! Matrix products by matrixmultiply, divided over our own threads.

use super::Base;
use super::gemm;
use super::level::Level;
use super::pool::{PRODUCT_WORTH, each};
use crate::DType;
use crate::program::plan::Product;
use smallvec::SmallVec;

/// Rows or columns of a part are a multiple of this, which suits the inner kernels.
const GRAIN: usize = 16;

/// Into how many parts a single product is divided: by its size alone.
fn parts(flops: usize) -> usize {
    match flops {
        0..PRODUCT_WORTH => 1,
        PRODUCT_WORTH..64_000_000 => 2,
        _ => 4,
    }
}

pub(super) fn run(p: &Product, bases: &[Base], divide: bool) {
    let nb = p.batch.len();
    let count = p.batch.count();
    if count == 0 || p.m == 0 || p.n == 0 {
        return;
    }
    let one = 2 * p.m * p.n * p.k;
    let pieces = if divide { parts(one) } else { 1 };
    let side = p.m.max(p.n);
    let step = side.div_ceil(pieces).next_multiple_of(GRAIN);
    let pieces = side.div_ceil(step);
    each(count * pieces, divide && one * count >= PRODUCT_WORTH, |task| {
        let (matrix, piece) = (task / pieces, task % pieces);
        let position = position(&p.batch, matrix);
        let start = |view: &crate::program::plan::View| {
            let along: isize =
                position.iter().zip(&view.strides).map(|(&p, s)| p as isize * s).sum();
            view.offset + along
        };
        let (mut a, mut b, mut c) = (start(&p.left), start(&p.right), start(&p.out));
        let (mut m, mut n) = (p.m, p.n);
        let (from, to) = (piece * step, ((piece + 1) * step).min(side));
        if p.m >= p.n {
            a += from as isize * p.left.strides[nb];
            c += from as isize * p.out.strides[nb];
            m = to - from;
        } else {
            b += from as isize * p.right.strides[nb + 1];
            c += from as isize * p.out.strides[nb + 1];
            n = to - from;
        }
        let bases = [bases[p.left.buffer].0, bases[p.right.buffer].0, bases[p.out.buffer].0];
        let strides = [&p.left, &p.right, &p.out].map(|v| (v.strides[nb], v.strides[nb + 1]));
        // SAFETY: the views of the plan lie within their buffers; parts are disjoint.
        unsafe {
            match p.dtype {
                DType::F32 => multiply::<f32>([m, p.k, n], bases, [a, b, c], strides),
                _ => multiply::<f64>([m, p.k, n], bases, [a, b, c], strides),
            }
        }
    });
}

fn position(shape: &[usize], mut i: usize) -> SmallVec<[usize; 4]> {
    let mut p: SmallVec<[usize; 4]> = SmallVec::from_elem(0, shape.len());
    for axis in (0..shape.len()).rev() {
        p[axis] = i % shape[axis];
        i /= shape[axis];
    }
    p
}

/// # Safety
/// The matrices lie within their buffers; `c` is this task's alone.
unsafe fn multiply<T: gemm::Product>(
    [m, k, n]: [usize; 3],
    bases: [*mut u8; 3],
    [a, b, c]: [isize; 3],
    [sa, sb, sc]: [(isize, isize); 3],
) {
    let [at_a, at_b, at_c] = bases.map(|b| b.cast::<T>());
    // SAFETY: the caller's.
    unsafe {
        let a = (at_a.offset(a).cast_const(), sa);
        let b = (at_b.offset(b).cast_const(), sb);
        let c = (at_c.offset(c), sc);
        T::gemm(Level::best(), &gemm::Gemm { m, k, n, a, b, c, add: false });
    }
}
