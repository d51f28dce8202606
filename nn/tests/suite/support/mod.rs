//! What several tests need.

use burlap_autodiff::{Array, Cpu, DType, Tape, Var};
use burlap_nn::Model;

/// Numbers that look random, in ±1.
pub(crate) fn noise(seed: u64, n: usize) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Compiles and runs.
pub(crate) fn run(tape: &Tape, outputs: &[Var], inputs: &[&Array]) -> Vec<Array> {
    let program = tape.compile(&Cpu::new(), outputs).unwrap();
    program.run(inputs).unwrap()
}

/// The output of a model in evaluation.
#[allow(dead_code)]
pub(crate) fn evaluate(model: &Model, params: &Array, x: &Array) -> Array {
    let tape = Tape::new();
    let p = tape.input("params", params.dtype(), params.shape());
    let input = tape.input("x", x.dtype(), x.shape());
    run(&tape, &[model.forward(p, input)], &[params, x]).remove(0)
}

#[allow(dead_code)]
pub(crate) fn f64s(shape: &[usize], values: &[f64]) -> Array {
    Array::from_f64(DType::F64, shape, values).unwrap()
}

#[allow(dead_code)]
pub(crate) fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        let error = (f - e).abs();
        assert!(error <= tolerance * (1.0 + e.abs()), "[{i}] {f} is not {e}");
    }
}
