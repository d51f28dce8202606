//! A million recorded operations in a row overflow nothing.

use burlap_autodiff::{Array, Cpu, DType, Tape};
use std::time::Instant;

#[test]
fn a_chain_of_a_million_operations() {
    // The test's thread has 2 MB of stack: any recursion over the graph would end it.
    let begin = Instant::now();
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, ());
    let mut y = x;
    for i in 0..1_000_000 {
        y = if i % 2 == 0 { y.recip() } else { y * 1.000_001 };
    }
    assert!(tape.len() > 1_000_000);
    let program = tape.compile(&Cpu::new(), &[y, y.grad(x)]).unwrap();
    drop(tape);
    let out = program.run(&[&Array::scalar(0.3)]).unwrap();
    drop(program);
    println!(
        "recorded, differentiated, compiled, run and dropped in {:.1} s",
        begin.elapsed().as_secs_f64()
    );
    let (mut value, mut slope) = (0.3f64, 1.0f64);
    for i in 0..1_000_000 {
        if i % 2 == 0 {
            slope *= -(1.0 / value) * (1.0 / value);
            value = 1.0 / value;
        } else {
            slope *= 1.000_001;
            value *= 1.000_001;
        }
    }
    assert_eq!(out[0].item().unwrap(), value);
    // The products are taken from the other end.
    assert!((out[1].item().unwrap() - slope).abs() <= 1e-9 * slope.abs(), "{:?} {slope}", out[1]);
}
