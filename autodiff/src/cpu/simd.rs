//! Loops over blocks, compiled for each instruction set.
//!
//! Every loop is a function of its own, so that the compiler sees slices that do not
//! overlap, and is written once: the macro repeats it with other processor features.

use super::draws::Drawable;
use super::math::{self, Fast};
use crate::Element;
use crate::graph::{Binary, Compare, Distribution, TakesFunction, Unary};
use crate::scalar::Scalar;
use crate::scalar::philox::{self, GROUP, Words};
use crate::work::Combine;
use std::mem::MaybeUninit;

/// An operand of a loop: a block, or one number for all its points.
#[derive(Clone, Copy)]
pub(super) enum Operand<'a, T> {
    Block(&'a [T]),
    Same(T),
}

/// Where results go, whatever is there.
pub(super) type Room<'a, T> = &'a mut [MaybeUninit<T>];

#[inline(always)]
fn set<T: Copy>(to: &mut MaybeUninit<T>, value: T) {
    to.write(value);
}

/// The loops for one instruction set.
///
/// # Safety
/// The processor has the instruction set.
pub(super) trait Simd {
    unsafe fn unary<T: Fast>(f: Unary, x: &[T], y: &mut [T]);
    unsafe fn binary<T: Scalar>(f: Binary, a: Operand<T>, b: Operand<T>, y: Room<T>);
    unsafe fn compare<T: Scalar>(f: Compare, a: Operand<T>, b: Operand<T>, y: Room<bool>);
    unsafe fn select<T: Copy>(mask: &[bool], choices: Choices<T>, y: Room<T>);
    unsafe fn choose<T: Scalar>(f: Compare, x: &[T], than: T, choices: Choices<T>, y: Room<T>);
    unsafe fn convert<A: Element, B: Element>(a: &[A], y: Room<B>);
    unsafe fn fold<T: Scalar>(combine: Combine, x: &[T]) -> T;
    unsafe fn join<T: Scalar>(combine: Combine, from: &[T], to: &mut [T]);
    unsafe fn words(key: [u32; 2], counter: [u32; 4]) -> Words;
    unsafe fn random<T: Drawable>(
        from: Distribution,
        high: &Words,
        low: &Words,
        to: &mut [T; GROUP],
    );
}

/// A function of two operands at every point.
struct Pointwise<'a, T, R> {
    a: Operand<'a, T>,
    b: Operand<'a, T>,
    y: Room<'a, R>,
}

impl<T: Copy, R: Copy> TakesFunction<T, R> for Pointwise<'_, T, R> {
    #[inline(always)]
    fn take(self, f: impl Fn(T, T) -> R) {
        let y = self.y.iter_mut();
        match (self.a, self.b) {
            (Operand::Block(a), Operand::Block(b)) => {
                y.zip(a).zip(b).for_each(|((y, &a), &b)| set(y, f(a, b)));
            }
            (Operand::Block(a), Operand::Same(b)) => y.zip(a).for_each(|(y, &a)| set(y, f(a, b))),
            (Operand::Same(a), Operand::Block(b)) => y.zip(b).for_each(|(y, &b)| set(y, f(a, b))),
            (Operand::Same(a), Operand::Same(b)) => y.for_each(|y| set(y, f(a, b))),
        }
    }
}

/// What is taken at every point of which something holds, and where not: both are read at
/// every point, since a branch would keep the loop from vectorising.
#[inline(always)]
fn choose<T: Copy, M: Copy>(
    points: &[M],
    holds: impl Fn(M) -> bool,
    [a, b]: Choices<T>,
    y: Room<T>,
) {
    let points = y.iter_mut().zip(points);
    match (a, b) {
        (Operand::Block(a), Operand::Block(b)) => {
            points
                .zip(a)
                .zip(b)
                .for_each(|(((y, &m), &a), &b)| set(y, if holds(m) { a } else { b }));
        }
        (Operand::Block(a), Operand::Same(b)) => {
            points.zip(a).for_each(|((y, &m), &a)| set(y, if holds(m) { a } else { b }));
        }
        (Operand::Same(a), Operand::Block(b)) => {
            points.zip(b).for_each(|((y, &m), &b)| set(y, if holds(m) { a } else { b }));
        }
        (Operand::Same(a), Operand::Same(b)) => {
            points.for_each(|(y, &m)| set(y, if holds(m) { a } else { b }));
        }
    }
}

/// What is taken where something holds, and where not.
pub(super) type Choices<'a, T> = [Operand<'a, T>; 2];

/// A choice by the comparison of points with a number, without a mask in between.
struct Choose<'a, T> {
    x: &'a [T],
    than: T,
    choices: Choices<'a, T>,
    y: Room<'a, T>,
}

impl<T: Scalar> TakesFunction<T, bool> for Choose<'_, T> {
    #[inline(always)]
    fn take(self, test: impl Fn(T, T) -> bool) {
        choose(self.x, |x| test(x, self.than), self.choices, self.y);
    }
}

#[inline(always)]
pub(super) fn combine<T: Scalar>(how: Combine, a: T, b: T) -> T {
    match how {
        Combine::Sum => a.plus(b),
        Combine::Max => a.larger(b),
        Combine::Min => a.smaller(b),
    }
}

/// What changes nothing when combined.
pub(super) fn identity<T: Scalar>(how: Combine) -> T {
    match how {
        Combine::Sum => T::from_f64(0.0),
        // Converting to u32 saturates.
        Combine::Max => T::from_f64(f64::NEG_INFINITY),
        Combine::Min => T::from_f64(f64::INFINITY),
    }
}

/// Lanes in which a run is combined: faster and more accurate than one by one.
const LANES: usize = 32;

#[inline(always)]
fn fold_with<T: Scalar>(start: T, x: &[T], f: impl Fn(T, T) -> T + Copy) -> T {
    let mut lanes = [start; LANES];
    let (chunks, rest) = x.as_chunks::<LANES>();
    // By numbers: see `gemm::micro::tile`.
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = f(lanes[i], chunk[i]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(rest) {
        *lane = f(*lane, x);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = f(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

#[inline(always)]
fn fold<T: Scalar>(how: Combine, x: &[T]) -> T {
    match how {
        Combine::Sum => fold_with(identity(how), x, T::plus),
        Combine::Max => fold_with(identity(how), x, T::larger),
        Combine::Min => fold_with(identity(how), x, T::smaller),
    }
}

#[inline(always)]
fn join<T: Scalar>(how: Combine, from: &[T], to: &mut [T]) {
    match how {
        Combine::Sum => to.iter_mut().zip(from).for_each(|(t, &f)| *t = t.plus(f)),
        Combine::Max => to.iter_mut().zip(from).for_each(|(t, &f)| *t = t.larger(f)),
        Combine::Min => to.iter_mut().zip(from).for_each(|(t, &f)| *t = t.smaller(f)),
    }
}

#[inline(always)]
fn convert<A: Element, B: Element>(a: &[A], y: Room<B>) {
    for (y, a) in y.iter_mut().zip(a) {
        set(y, B::from_f64(a.to_f64()));
    }
}

macro_rules! instruction_set {
    ($(#[$feature:meta])? $Name:ident, $fma:expr) => {
        pub(super) struct $Name;

        impl Simd for $Name {
            $(#[$feature])? #[inline(never)]
            unsafe fn unary<T: Fast>(f: Unary, x: &[T], y: &mut [T]) {
                if !math::map::<$fma, T>(f, x, y) {
                    f.map(x, y);
                }
            }
            $(#[$feature])? #[inline(never)]
            unsafe fn binary<T: Scalar>(f: Binary, a: Operand<T>, b: Operand<T>, y: Room<T>) {
                f.hand(Pointwise { a, b, y });
            }
            $(#[$feature])? #[inline(never)]
            unsafe fn compare<T: Scalar>(f: Compare, a: Operand<T>, b: Operand<T>, y: Room<bool>) {
                f.hand(Pointwise { a, b, y });
            }
            $(#[$feature])? #[inline(never)]
            unsafe fn select<T: Copy>(mask: &[bool], choices: Choices<T>, y: Room<T>) {
                choose(mask, |m| m, choices, y);
            }
            $(#[$feature])? #[inline(never)]
            unsafe fn choose<T: Scalar>(f: Compare, x: &[T], than: T, choices: Choices<T>, y: Room<T>) {
                f.hand(Choose { x, than, choices, y });
            }
            $(#[$feature])? #[inline(never)]
            unsafe fn convert<A: Element, B: Element>(a: &[A], y: Room<B>) {
                convert(a, y);
            }
            $(#[$feature])? #[inline(never)]
            unsafe fn fold<T: Scalar>(how: Combine, x: &[T]) -> T {
                fold(how, x)
            }
            $(#[$feature])? #[inline(never)]
            unsafe fn join<T: Scalar>(how: Combine, from: &[T], to: &mut [T]) {
                join(how, from, to);
            }
            $(#[$feature])? #[inline(never)]
            unsafe fn words(key: [u32; 2], counter: [u32; 4]) -> Words {
                philox::blocks(key, counter)
            }
            $(#[$feature])? #[inline(never)]
            unsafe fn random<T: Drawable>(
                from: Distribution,
                high: &Words,
                low: &Words,
                to: &mut [T; GROUP],
            ) {
                T::draw::<$fma>(from, high, low, to);
            }
        }
    };
}

/// Evaluates an expression with `$S` the loops for an instruction set that the processor has.
macro_rules! dispatch {
    ($set:expr, $S:ident => $what:expr) => {
        match $set {
            $crate::cpu::InstructionSet::Base => {
                type $S = $crate::cpu::simd::Base;
                $what
            }
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::InstructionSet::Avx2 => {
                type $S = $crate::cpu::simd::Avx2;
                $what
            }
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::InstructionSet::Avx512 => {
                type $S = $crate::cpu::simd::Avx512;
                $what
            }
            #[cfg(not(target_arch = "x86_64"))]
            _ => {
                type $S = $crate::cpu::simd::Base;
                $what
            }
        }
    };
}
pub(super) use dispatch;

// NEON always has fused multiply-add.
instruction_set!(Base, { cfg!(target_arch = "aarch64") });
#[cfg(target_arch = "x86_64")]
instruction_set!(
    #[target_feature(enable = "avx2,fma")]
    Avx2,
    true
);
#[cfg(target_arch = "x86_64")]
instruction_set!(
    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
    Avx512,
    true
);
