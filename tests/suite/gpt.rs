//! The formulas of the benchmark's GPT, on a tiny one.
#![allow(missing_docs)]

#[path = "../../examples/bench/gpt.rs"]
mod network;

use anyhow::{Result, ensure};
use burlap::autodiff::testing::Check;
use burlap::autodiff::{Array, Cpu, DType, Tape, Var};
use network::{BETAS, DECAY, Gpt, RATE, adamw};

const TINY: Gpt = Gpt { layers: 1, width: 8, heads: 2, context: 5, vocabulary: 7 };

const TOKENS: [u32; 10] = [3, 0, 6, 2, 5, 1, 1, 4, 0, 3];
const TARGETS: [u32; 10] = [0, 6, 2, 5, 4, 1, 4, 0, 3, 2];

fn batch(tape: &Tape, tokens: [u32; 10]) -> Result<[Var; 2]> {
    let array = |a: [u32; 10]| Array::from_vec([2, 5], a.to_vec());
    Ok([tape.literal(&array(tokens)?), tape.literal(&array(TARGETS)?)])
}

/// Numbers of either sign that any language can make.
fn point() -> Array {
    Array::vector((1..=TINY.total()).map(|i| 0.4 * (i as f64).sin()).collect::<Vec<f64>>())
}

fn losses(params: &Array, tokens: [u32; 10]) -> Result<Vec<f64>> {
    let tape = Tape::new();
    let p = tape.input("p", DType::F64, params.shape());
    let losses = TINY.losses(&tape, p, batch(&tape, tokens)?);
    Ok(tape.compile(&Cpu::new(), &[losses])?.run(&[params])?[0].to_f64_vec())
}

#[test]
fn the_gradient_agrees_with_differences() -> Result<()> {
    for params in [point(), TINY.init(1)?] {
        let mut check = Check::new(
            |tape, p| match batch(tape, TOKENS) {
                Ok(batch) => TINY.losses(tape, p, batch).mean(),
                Err(_) => p,
            },
            params,
        );
        check.gradient()?;
    }
    Ok(())
}

#[test]
fn no_position_sees_a_later_one() -> Result<()> {
    let before = losses(&point(), TOKENS)?;
    let mut tokens = TOKENS;
    tokens[3] = 6;
    let after = losses(&point(), tokens)?;
    for i in 0..TOKENS.len() {
        let may_change = i == 3 || i == 4;
        ensure!((before[i] != after[i]) == may_change, "{i}: {} and {}", before[i], after[i]);
    }
    Ok(())
}

#[test]
fn without_parameters_all_tokens_are_equally_likely() -> Result<()> {
    for loss in losses(&Array::zeros(DType::F64, [TINY.total()]), TOKENS)? {
        ensure!((loss - 7f64.ln()).abs() < 1e-15, "{loss}");
    }
    Ok(())
}

#[test]
fn the_first_step_goes_against_the_sign_of_the_gradient() -> Result<()> {
    let tape = Tape::new();
    let vector = |name| tape.input(name, DType::F64, [3]);
    let (p, m, v, g) = (vector("p"), vector("m"), vector("v"), vector("g"));
    let unbias = BETAS.map(|beta| tape.constant(DType::F64, 1.0 / (1.0 - beta)));
    let program = tape.compile(&Cpu::new(), &adamw(p, [m, v], unbias, g))?;
    let zeros = Array::zeros(DType::F64, [3]);
    let (start, gradient) = ([1.0, -2.0, 0.5], [0.25, -3.0, 0.0]);
    let out = program.run(&[&Array::vector(start), &zeros, &zeros, &Array::vector(gradient)])?;
    let signs = [1.0, -1.0, 0.0];
    for i in 0..3 {
        let expected = start[i] * (1.0 - RATE * DECAY) - RATE * signs[i];
        let found = out[0].to_f64_vec()[i];
        ensure!((found - expected).abs() < 1e-11, "{found}, not {expected}");
        let moments = [out[1].to_f64_vec()[i], out[2].to_f64_vec()[i]];
        let expected = [0.1 * gradient[i], 0.001 * gradient[i] * gradient[i]];
        for (found, expected) in moments.iter().zip(expected) {
            ensure!((found - expected).abs() < 1e-15, "{found}, not {expected}");
        }
    }
    Ok(())
}

/// The same network written with loops over batch, heads and positions in NumPy (f64).
#[test]
fn the_loss_agrees_with_another_implementation() -> Result<()> {
    let losses = losses(&point(), TOKENS)?;
    let mean = losses.iter().sum::<f64>() / losses.len() as f64;
    ensure!((mean - 2.015_785_662_287_135_4).abs() < 1e-12, "{mean}");
    Ok(())
}
