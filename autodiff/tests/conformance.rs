//! The CPU backend agrees with the interpreter on random programs over all primitives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_autodiff::testing::{check_program, random_programs};
use burlap_autodiff::{Cpu, DType};

#[test]
fn find_all() {
    let seed: u64 = std::env::var("SEED").ok().map_or(3, |s| s.parse().unwrap());
    let n: usize = std::env::var("N").ok().map_or(600, |s| s.parse().unwrap());
    let mut kinds = std::collections::BTreeMap::<String, (usize, String)>::new();
    let (mut undecided, mut worst) = ([0; 2], [0.0f64; 2]);
    for program in random_programs(n, seed, false) {
        for (k, dtype) in [DType::F64, DType::F32].into_iter().enumerate() {
            let r = std::panic::catch_unwind(|| {
                check_program(&Cpu::with_threads(1).unwrap(), &program, dtype)
            });
            let text = match r {
                Ok(Ok(a)) => {
                    undecided[k] += a.undecided;
                    worst[k] = worst[k].max(a.worst);
                    continue;
                }
                Ok(Err(e)) => e.to_string(),
                Err(_) => format!("PANIC {program:?}"),
            };
            let e = kinds.entry(text.chars().take(60).collect()).or_insert((0, text.clone()));
            e.0 += 1;
            if text.len() < e.1.len() {
                e.1 = text;
            }
        }
    }
    for (k, (n, t)) in kinds {
        println!("=== {n} × {k}\n{t}\n");
    }
    println!("undecided {undecided:?} worst {worst:?}");
}
