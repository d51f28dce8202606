//! Tests of recomputation over random programs, divided at random.

use crate::scalar::philox4x32;
use crate::tape::with_tape;
use crate::testing::{RandomProgram, random_programs};
use crate::{Array, DType, Interpreter, Result, Tape, Var};

/// Makes regions of some stretches of a tape, next to and inside one another.
fn divide(tape: &Tape, seed: u32) {
    with_tape(tape.id(), |t| {
        let end = t.next();
        let mut draw = 0;
        let mut below = |n: u32| {
            draw += 1;
            philox4x32([seed, 5], [draw, 0, 0, 0])[0] % n.max(1)
        };
        // Ends in order; each region begins where the last one ended, or around it.
        let mut starts = vec![0];
        let mut at = 0;
        while at < end {
            at = end.min(at + 1 + below(12));
            let around = below(starts.len() as u32 + 1) as usize;
            if let Some(&start) = starts.get(around) {
                starts.truncate(around + 1);
                t.regions.push(start..at);
            }
            starts.push(at);
        }
    });
}

/// First derivatives, and ones that are nested.
fn derivatives(program: &RandomProgram, regions: Option<u32>) -> Result<[Vec<Array>; 2]> {
    let tape = Tape::new();
    let recorded = program.record(&tape, DType::F64);
    with_tape(tape.id(), |t| t.regions.clear());
    if let Some(seed) = regions {
        divide(&tape, seed);
    }
    let (f, x) = (recorded.loss, recorded.x);
    let n = x.shape().count() as f64;
    let v = tape.iota(n as usize).cast(DType::F64).sin().reshape(x.shape());
    let inner = *recorded.results.iter().filter(|v| v.dtype().is_float()).nth(3).unwrap_or(&x);
    let g = f.grad(x);
    let first = [f, g, f.jvp(x, v), f.grad(inner)];
    let all = f.value_grad_hvp(x, v);
    let (q, third) = f.second_directional_grad(x, v);
    let nested = [
        all.value,
        all.grad,
        all.hvp,
        (g * v).sum().grad(x),
        g.jvp(x, v),
        q,
        third,
        (all.hvp * v).sum().grad(x),
        (g * v).sum().grad(x).jvp(x, v),
        // Of a value that was computed from the other variable.
        f.jvp(x, v).grad(inner),
        (g * v).sum().grad(inner),
        f.grad(inner).vjp(x, f.grad(inner)),
        all.hvp.jvp(inner, inner),
    ];
    let outputs: Vec<Var> = first.into_iter().chain(nested).collect();
    let inputs: Vec<&Array> = recorded.values.iter().collect();
    let mut out = tape.compile(&Interpreter, &outputs)?.run(&inputs)?;
    let nested = out.split_off(first.len());
    Ok([out, nested])
}

/// Any division of any program into regions has the same derivatives as none.
#[test]
fn regions_change_no_derivative() -> Result<()> {
    // Those that are not smooth round to F32, where the order of sums tells.
    let programs = [random_programs(300, 11, false), random_programs(500, 11, true)].concat();
    for (i, program) in programs.iter().enumerate() {
        let plain = derivatives(program, None)?;
        let divided = derivatives(program, Some(i as u32))?;
        assert_eq!(plain[0], divided[0], "first order: {program:?}");
        for (k, (a, b)) in plain[1].iter().zip(&divided[1]).enumerate().filter(|_| program.smooth) {
            let (a, b) = (a.to_f64_vec(), b.to_f64_vec());
            let scale = a.iter().fold(1.0, |s: f64, x| s.max(x.abs()));
            // The order of sums differs where transforms are nested.
            let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-11 * scale || a == b;
            assert!(a.iter().zip(&b).all(close), "{k}: {a:?} {b:?} in {program:?}");
        }
    }
    Ok(())
}
