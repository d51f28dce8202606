//! `vmap` is the loop over the entries: for every primitive and any choice of batched
//! operands, for random programs with their derivatives, nested, and differentiated.

mod errors;
mod primitives;
mod programs;
mod second_order;

use burlap_autodiff::{Array, DType, Interpreter, Tape, Var};

/// A program computes two recorded values as one.
fn assert_one(tape: &Tape, a: Var, b: Var, what: impl Fn() -> String) {
    let primitives = |outputs: &[Var]| tape.compile(&Interpreter, outputs).unwrap().primitives();
    let (one, two) = (primitives(&[a]), primitives(&[a, b]));
    assert_eq!(one, two, "{}", what());
}

fn bits(array: &Array) -> Vec<u64> {
    array.to_f64_vec().into_iter().map(f64::to_bits).collect()
}

/// Equal shapes and types; integers and masks equal, reals up to roundings of sums.
#[track_caller]
fn close(found: &Array, expected: &Array, what: &str) {
    assert_eq!((found.shape(), found.dtype()), (expected.shape(), expected.dtype()), "{what}");
    let tolerance = match found.dtype() {
        DType::F32 => 1e-5,
        DType::F64 => 1e-12,
        DType::U32 | DType::Bool => 0.0,
    };
    let (found, expected) = (found.to_f64_vec(), expected.to_f64_vec());
    let size = expected.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    for (a, b) in found.iter().zip(&expected) {
        assert!(a == b || (a - b).abs() <= tolerance * size, "{what}: {found:?} {expected:?}");
    }
}
