//! The CPU backend agrees with the interpreter on random programs over all primitives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_autodiff::testing::{check_program, conformance, random_programs};
use burlap_autodiff::{Cpu, DType, Interpreter};

#[test]
fn find_all() {
    let mut kinds = std::collections::BTreeMap::<String, (usize, String)>::new();
    for program in random_programs(600, 3, false) {
        for dtype in [DType::F64, DType::F32] {
            let r = std::panic::catch_unwind(|| check_program(&Cpu::with_threads(1).unwrap(), &program, dtype));
            let text = match r { Ok(Ok(_)) => continue, Ok(Err(e)) => e.to_string(), Err(_) => format!("PANIC {program:?}") };
            let e = kinds.entry(text.chars().take(60).collect()).or_insert((0, text.clone()));
            e.0 += 1;
            if text.len() < e.1.len() { e.1 = text; }
        }
    }
    for (k, (n, t)) in kinds { println!("=== {n} × {k}\n{t}\n"); }
    let _ = (conformance, Interpreter);
}
