//! Products of all instruction sets against plain sums, over shapes, strides and divisions.
#![allow(clippy::unwrap_used)]

use super::super::instruction_set::InstructionSet;
use super::{Gemm, Product};
use crate::scalar::philox4x32;

/// Small integers, whose products and sums are exact in both types.
fn numbers<T: num_traits::FromPrimitive>(n: usize, seed: u32) -> Vec<T> {
    (0..n)
        .map(|i| T::from_i32((philox4x32([seed, 1], [i as u32, 0, 0, 0])[0] % 9) as i32 - 4))
        .map(Option::unwrap)
        .collect()
}

/// A matrix of `rows × columns` whose strides are those of one of four layouts.
fn strides(layout: u32, rows: usize, columns: usize) -> (isize, isize, usize) {
    match layout % 4 {
        0 => (columns as isize, 1, rows * columns),
        1 => (1, rows as isize, rows * columns),
        2 => (2 * columns as isize + 3, 2, rows * (2 * columns + 3)),
        _ => (3, 3 * rows as isize + 1, columns * (3 * rows + 1)),
    }
}

fn check<T>(set: InstructionSet, [m, k, n]: [usize; 3], layout: u32, add: bool)
where
    T: Product + num_traits::FromPrimitive + num_traits::Float + std::fmt::Debug,
{
    let (ai, ap, na) = strides(layout, m, k);
    let (bp, bj, nb) = strides(layout / 4, k, n);
    let (ci, cj, nc) = strides(layout / 16, m, n);
    let (a, b) = (numbers::<T>(na, 1), numbers::<T>(nb, 2));
    let before = numbers::<T>(nc, 3);
    let mut c = before.clone();
    let g = Gemm {
        m,
        k,
        n,
        a: (a.as_ptr(), (ai, ap)),
        b: (b.as_ptr(), (bp, bj)),
        c: (c.as_mut_ptr(), (ci, cj)),
        add,
    };
    // SAFETY: the strides stay within the vectors.
    unsafe { T::gemm(set, &g) };
    let mut expected = before;
    for i in 0..m {
        for j in 0..n {
            let at = i * ci as usize + j * cj as usize;
            let start = if add { expected[at] } else { T::zero() };
            expected[at] = (0..k).fold(start, |sum, p| {
                let x = a[i * ai as usize + p * ap as usize];
                sum + x * b[p * bp as usize + j * bj as usize]
            });
        }
    }
    // What lies between the elements must be as before.
    assert_eq!(c, expected, "{set:?} {m} × {k} × {n}, layout {layout}, add {add}");
}

#[test]
fn products_equal_plain_sums() {
    let sizes = [0, 1, 2, 3, 5, 6, 7, 8, 12, 13, 16, 17, 31, 33, 64];
    for &set in InstructionSet::available() {
        for case in 0..1500u32 {
            let draw = philox4x32([5, 6], [case, 7, 0, 0]);
            let pick = |i: usize| sizes[draw[i] as usize % sizes.len()];
            let shape = [pick(0), pick(1), pick(2)];
            let add = case % 3 == 0;
            check::<f32>(set, shape, draw[3] % 64, add);
            check::<f64>(set, shape, draw[3] % 64, add);
        }
        // Beyond one block along each axis.
        for (i, shape) in
            [[400, 3, 5], [7, 600, 9], [3, 5, 2500], [200, 300, 530]].iter().enumerate()
        {
            for layout in [0, 1, 4, 5, 16, 21] {
                check::<f32>(set, *shape, layout, i % 2 == 0);
                check::<f64>(set, *shape, layout, i % 2 == 1);
            }
        }
    }
}

#[test]
fn parts_have_the_bits_of_the_whole() {
    let (m, k, n) = (37, 530, 41);
    let real = |n: usize, seed| -> Vec<f32> {
        numbers::<f32>(n, seed).iter().enumerate().map(|(i, x)| x + (i as f32).sin()).collect()
    };
    let (a, b) = (real(m * k, 1), real(k * n, 2));
    for &set in InstructionSet::available() {
        let run = |from: usize, to: usize, c: &mut [f32]| {
            let g = Gemm {
                m: to - from,
                k,
                n,
                a: (a[from * k..].as_ptr(), (k as isize, 1)),
                b: (b.as_ptr(), (n as isize, 1)),
                c: (c[from * n..].as_mut_ptr(), (n as isize, 1)),
                add: false,
            };
            // SAFETY: rows `from..to` exist.
            unsafe { f32::gemm(set, &g) };
        };
        let mut whole = vec![0.0; m * n];
        run(0, m, &mut whole);
        for cut in 1..m {
            let mut parts = vec![0.0; m * n];
            run(0, cut, &mut parts);
            run(cut, m, &mut parts);
            assert_eq!(parts, whole, "{set:?} cut at {cut}");
        }
    }
}
