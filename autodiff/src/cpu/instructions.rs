//! One instruction on one block: a loop over typed slices that the compiler vectorises.

use crate::DType;
use crate::ops::{Real, Scalar as Element};
use crate::program::plan::{Instruction, Scalar};

/// Points of a block: registers of this length stay in the first-level cache.
pub(super) const BLOCK: usize = 512;

/// Bytes of a register, enough for every element type.
pub(super) const REGISTER_BYTES: usize = BLOCK * 8;

/// The block that a pointer shows.
///
/// # Safety
/// `pointer` is valid and aligned for `len` elements of `T`, which nobody writes.
#[inline(always)]
unsafe fn block<'a, T>(pointer: *const u8, len: usize) -> &'a [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(pointer.cast(), len) }
}

/// # Safety
/// As [`block`], and nobody else reads it.
#[inline(always)]
unsafe fn block_mut<'a, T>(pointer: *mut u8, len: usize) -> &'a mut [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts_mut(pointer.cast(), len) }
}

fn convert<A: crate::Element, B: crate::Element>(a: &[A], y: &mut [B]) {
    for (y, a) in y.iter_mut().zip(a) {
        *y = B::from_f64(a.to_f64());
    }
}

fn fill<T: crate::Element>(value: f64, y: &mut [T]) {
    y.fill(T::from_f64(value));
}

/// Calls `$body` with `$T` standing for the type.
macro_rules! typed {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            DType::F32 => {
                type $T = f32;
                $body
            }
            DType::F64 => {
                type $T = f64;
                $body
            }
            DType::U32 => {
                type $T = u32;
                $body
            }
            DType::Bool => {
                type $T = bool;
                $body
            }
        }
    };
}
pub(super) use typed;

/// Evaluates an instruction on `len` points. Loads are not for here.
///
/// # Safety
/// The operand pointers show `len` elements of the operand type (the first one of `Bool` for
/// `Select`), `y` has room for `len` elements of the result type and overlaps none of them.
pub(super) unsafe fn evaluate(i: &Instruction, args: [*const u8; 3], y: *mut u8, len: usize) {
    // SAFETY: the caller's, here and below.
    unsafe {
        match i.scalar {
            Scalar::Load(_) => {}
            Scalar::Constant(c) => typed!(i.dtype, T => fill::<T>(c, block_mut(y, len))),
            Scalar::Unary(f) => match i.dtype {
                DType::F32 => unary::<f32>(f, block(args[0], len), block_mut(y, len)),
                _ => unary::<f64>(f, block(args[0], len), block_mut(y, len)),
            },
            Scalar::Binary(f) => {
                typed!(i.dtype, T => binary::<T>(f, block(args[0], len), block(args[1], len), block_mut(y, len)));
            }
            Scalar::Compare(f) => typed!(i.operand, T => {
                compare::<T>(f, block(args[0], len), block(args[1], len), block_mut(y, len));
            }),
            Scalar::Select => typed!(i.dtype, T => {
                select::<T>(block(args[0], len), block(args[1], len), block(args[2], len), block_mut(y, len));
            }),
            Scalar::Cast(from) => typed!(from, A => {
                typed!(i.dtype, B => convert::<A, B>(block(args[0], len), block_mut(y, len)));
            }),
        }
    }
}

// Instances of their own, so that the compiler sees slices that do not overlap.
#[inline(never)]
fn unary<T: Real>(f: crate::ops::Unary, x: &[T], y: &mut [T]) {
    f.map(x, y);
}

#[inline(never)]
fn binary<T: Element>(f: crate::ops::Binary, a: &[T], b: &[T], y: &mut [T]) {
    f.map(a, b, y);
}

#[inline(never)]
fn compare<T: Element>(f: crate::ops::Compare, a: &[T], b: &[T], y: &mut [bool]) {
    f.map(a, b, y);
}

#[inline(never)]
fn select<T: Copy>(mask: &[bool], a: &[T], b: &[T], y: &mut [T]) {
    for (((y, &mask), &a), &b) in y.iter_mut().zip(mask).zip(a).zip(b) {
        *y = if mask { a } else { b };
    }
}
