//! One instruction on one block.

use super::simd::{Operand, Simd};
use crate::DType;
use crate::graph::Compare;
use crate::scalar::Real;
use crate::work::{Instruction, Scalar};
use std::mem::MaybeUninit;

/// Bytes of a register: some of them stay in the first-level cache.
pub(super) const REGISTER_BYTES: usize = 2048;

/// The block that a pointer shows.
///
/// # Safety
/// `pointer` is valid and aligned for `len` elements of `T`, which nobody writes.
#[inline(always)]
unsafe fn block<'a, T>(pointer: *const u8, len: usize) -> &'a [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(pointer.cast(), len) }
}

/// A block to be written: what it holds may be of another type, of which not all bytes are truth
/// values.
///
/// # Safety
/// `pointer` is valid and aligned for `len` elements of `T`, which nobody else touches.
#[inline(always)]
pub(super) unsafe fn room<'a, T>(pointer: *mut u8, len: usize) -> &'a mut [MaybeUninit<T>] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts_mut(pointer.cast(), len) }
}

/// A block of numbers to be written, of which all bytes are some.
///
/// # Safety
/// As [`room`], for a type of which all bytes are values.
#[inline(always)]
unsafe fn numbers<'a, T: Real>(pointer: *mut u8, len: usize) -> &'a mut [T] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts_mut(pointer.cast(), len) }
}

/// # Safety
/// As [`block`], for one element where the operand is the same at all points.
#[inline(always)]
unsafe fn operand<'a, T: Copy>(pointer: *const u8, same: bool, len: usize) -> Operand<'a, T> {
    // SAFETY: the caller's.
    unsafe {
        if same { Operand::Same(*pointer.cast()) } else { Operand::Block(block(pointer, len)) }
    }
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

/// Fills `len` elements of a register with a literal.
///
/// # Safety
/// `y` has room for them.
pub(super) unsafe fn fill(value: f64, dtype: DType, y: *mut u8, len: usize) {
    typed!(dtype, T => {
        // SAFETY: the caller's.
        unsafe { room::<T>(y, len) }.fill(MaybeUninit::new(<T as crate::Element>::from_f64(value)));
    });
}

/// Evaluates a choice by a comparison of the same points with a number.
///
/// # Safety
/// As [`evaluate`]: `x` shows `len` elements, `b` one, `choices` those of `Select`.
#[inline(always)]
pub(super) unsafe fn choose<S: Simd>(
    f: Compare,
    dtype: DType,
    [x, b]: [*const u8; 2],
    choices: [(*const u8, bool); 2],
    y: *mut u8,
    len: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        typed!(dtype, T => {
            let choices = choices.map(|(pointer, same)| operand::<T>(pointer, same, len));
            S::choose::<T>(f, block(x, len), *b.cast(), choices, room(y, len));
        });
    }
}

/// Evaluates an instruction on `len` points. Loads and literals are not for here.
///
/// # Safety
/// The processor has the instruction set. The operand pointers show `len` elements of the
/// operand type (the first one of `Bool` for `Select`), one where `same` says so; `y` has
/// room for `len` elements of the result type and overlaps none of them.
#[inline(always)]
pub(super) unsafe fn evaluate<S: Simd>(
    i: &Instruction,
    args: [*const u8; 3],
    same: [bool; 3],
    y: *mut u8,
    len: usize,
) {
    // SAFETY: the caller's, here and below.
    unsafe {
        match i.scalar {
            Scalar::Load(_) | Scalar::Constant(_) => {}
            Scalar::Unary(f) => match i.dtype {
                DType::F32 => S::unary::<f32>(f, block(args[0], len), numbers(y, len)),
                DType::F64 => S::unary::<f64>(f, block(args[0], len), numbers(y, len)),
                // Functions are of floats.
                DType::U32 | DType::Bool => {}
            },
            Scalar::Binary(f) => typed!(i.dtype, T => {
                let a = operand::<T>(args[0], same[0], len);
                S::binary::<T>(f, a, operand(args[1], same[1], len), room(y, len));
            }),
            Scalar::Compare(f) => typed!(i.operand, T => {
                let a = operand::<T>(args[0], same[0], len);
                S::compare::<T>(f, a, operand(args[1], same[1], len), room(y, len));
            }),
            Scalar::Select => typed!(i.dtype, T => {
                let choices = [1, 2].map(|i| operand::<T>(args[i], same[i], len));
                S::select::<T>(block(args[0], len), choices, room(y, len));
            }),
            Scalar::Cast => typed!(i.operand, A => {
                typed!(i.dtype, B => S::convert::<A, B>(block(args[0], len), room(y, len)));
            }),
        }
    }
}

impl Instruction {
    /// Whether operand `i` may be one number in place of a block.
    pub(super) fn takes_number(&self, i: usize) -> bool {
        match self.scalar {
            Scalar::Binary(_) | Scalar::Compare(_) => true,
            Scalar::Select => i > 0,
            _ => false,
        }
    }

    /// The registers read.
    pub(super) fn operands(&self) -> impl Iterator<Item = u16> {
        let n = match self.scalar {
            Scalar::Load(_) | Scalar::Constant(_) => 0,
            Scalar::Unary(_) | Scalar::Cast => 1,
            Scalar::Binary(_) | Scalar::Compare(_) => 2,
            Scalar::Select => 3,
        };
        self.args.into_iter().take(n)
    }
}
