//! The agreement of a backend with the interpreter on random programs.

use super::differences::{distance, norm};
use super::programs::{RandomProgram, random_programs};
use crate::error::{At, Error, Result};
use crate::scalar::philox;
use crate::{Array, Backend, DType, Interpreter, Program, Tape};
use std::fmt;

/// Relative error granted in `F64`: some thousand roundings of numbers of order one, which
/// the values of random programs are.
const F64_TOLERANCE: f64 = 1e-12;

/// A backend's `F32` results may be this much farther from the `F64` ones than the
/// interpreter's `F32` results are: it rounds at other places, but not more often.
const F32_FACTOR: f64 = 16.0;

/// Roundings to `F32`, of numbers of order one, that are granted in any case: the
/// interpreter's error is one sample, and may be small by luck.
const F32_ROUNDINGS: f64 = 128.0;

/// How a backend compared with the interpreter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Programs that were compared.
    pub programs: usize,
    /// Programs in which a rounding decided a comparison, maximum or index differently, so
    /// that results need not agree.
    pub undecided: usize,
    /// The worst error, in units of what was granted: at most 1.
    pub worst: f64,
}

impl Agreement {
    fn and(self, other: Agreement) -> Agreement {
        Agreement {
            programs: self.programs + other.programs,
            undecided: self.undecided + other.undecided,
            worst: self.worst.max(other.worst),
        }
    }
}

impl fmt::Display for Agreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Agreement { programs, undecided, worst } = self;
        write!(
            f,
            "{programs} programs agree, worst error {worst:.2e} of what is granted; {undecided} undecided"
        )
    }
}

/// A program with loss, gradient, Hessian-vector product and decisions, and its inputs.
struct Compiled {
    program: Program,
    values: Vec<Array>,
}

/// The outputs that are compared, before those of single instructions.
const OUTPUTS: [&str; 3] = ["loss", "gradient", "Hessian-vector product"];

/// With `wide`, everything computed on the way is an output too, and the last of it twice.
fn compile(
    program: &RandomProgram,
    dtype: DType,
    backend: &dyn Backend,
    wide: bool,
) -> Result<Compiled> {
    let tape = Tape::new();
    let recorded = program.record(&tape, dtype);
    let mut values = recorded.values;
    let v = tape.input("v", dtype, recorded.x.shape());
    let key = [program.seed, u32::MAX];
    let direction: Vec<f64> = (0..recorded.x.shape().count() as u64)
        .map(|i| f64::from(philox::normal(key, 1, i) as f32))
        .collect();
    values.push(Array::from_f64(dtype, v.shape(), &direction)?);
    // The numbers of F32 inputs, so that programs of both types compute the same.
    for value in values.iter_mut().filter(|v| v.dtype() == DType::F64) {
        *value = value.cast(DType::F32).cast(DType::F64);
    }
    let at = recorded.loss.value_grad_hvp(recorded.x, v);
    let mut outputs = vec![recorded.decisions, at.value, at.grad, at.hvp];
    if wide {
        outputs.extend(&recorded.results);
        outputs.extend(recorded.results.last());
    }
    let program = tape.compile(backend, &outputs)?;
    Ok(Compiled { program, values })
}

fn run(compiled: &Compiled) -> Result<Vec<Array>> {
    compiled.program.run(&compiled.values.iter().collect::<Vec<_>>())
}

fn check(
    condition: bool,
    check: &'static str,
    at: At,
    problem: impl FnOnce() -> String,
) -> Result<()> {
    if condition { Ok(()) } else { Err(Error::Check { check, problem: problem(), at }) }
}

/// Compares a backend with the interpreter on one random program: loss, gradient and
/// Hessian-vector product, alone and beside all intermediate results; run at once, run again
/// (the same bits), and with each number of leading inputs bound.
///
/// In `F64` results must agree to 10⁻¹² in the maximum norm, relative to it or to 1. In `F32`
/// the `F64` results are the measure: the backend may be 16 times as far from them as the
/// interpreter is.
///
/// # Errors
/// [`Error::Check`] with the program and the numbers that disagree; what the backend reports.
#[track_caller]
pub fn check_program(
    backend: &dyn Backend,
    program: &RandomProgram,
    dtype: DType,
) -> Result<Agreement> {
    check_program_at(backend, program, dtype, At::caller())
}

fn check_program_at(
    backend: &dyn Backend,
    program: &RandomProgram,
    dtype: DType,
    at: At,
) -> Result<Agreement> {
    let mut agreement = Agreement { programs: 1, ..Agreement::default() };
    for wide in [false, true] {
        compare(backend, program, dtype, wide, at, &mut agreement)?;
    }
    Ok(agreement)
}

fn compare(
    backend: &dyn Backend,
    program: &RandomProgram,
    dtype: DType,
    wide: bool,
    at: At,
    agreement: &mut Agreement,
) -> Result<()> {
    let expected = run(&compile(program, dtype, &Interpreter, wide)?)?;
    let compiled = compile(program, dtype, backend, wide)?;
    let found = run(&compiled)?;
    let name = backend.name();
    check(
        run(&compiled)?.iter().zip(&found).all(|(a, b)| same_bits(a, b)),
        "same bits from run to run",
        at,
        || format!("{name} gave other bits when run again: {program:?}"),
    )?;
    let exact = match dtype {
        DType::F32 => run(&compile(program, DType::F64, &Interpreter, wide)?)?,
        DType::F64 | DType::U32 | DType::Bool => expected.clone(),
    };
    if found[0] != expected[0] || exact[0] != expected[0] {
        agreement.undecided = 1;
        return Ok(());
    }
    let mut compare = |found: &[Array], how: &str| {
        for i in 1..found.len() {
            let is_real = found[i].dtype().is_float();
            let [found, expected, exact] =
                [&found[i], &expected[i], &exact[i]].map(Array::to_f64_vec);
            let size = norm(&exact).max(1.0);
            let granted = match dtype {
                // Integers and masks are exact.
                _ if !is_real => f64::MIN_POSITIVE,
                DType::F32 => {
                    F32_FACTOR * distance(&expected, &exact)
                        + F32_ROUNDINGS * f64::from(f32::EPSILON) * size
                }
                DType::F64 | DType::U32 | DType::Bool => F64_TOLERANCE * size,
            };
            let error = distance(&found, &exact);
            check(error <= granted, "agreement with the interpreter", at, || {
                let output = OUTPUTS.get(i - 1).copied().unwrap_or("an intermediate result");
                format!(
                    "{output} (output {i}) in {dtype} {how}: {name} gives {found:?}, the interpreter \
                     {expected:?}; error {error:.3e}, at most {granted:.3e}: {program:?}"
                )
            })?;
            agreement.worst = agreement.worst.max(error / granted);
        }
        Ok(())
    };
    compare(&found, "run at once")?;
    let inputs: Vec<&Array> = compiled.values.iter().collect();
    for bound in 1..=inputs.len() {
        let staged = compiled.program.bind(&inputs[..bound])?;
        staged.run(&inputs[bound..])?;
        compare(&staged.run(&inputs[bound..])?, "with leading inputs bound")?;
    }
    Ok(())
}

fn same_bits(a: &Array, b: &Array) -> bool {
    let bits = |a: &Array| a.to_f64_vec().into_iter().map(f64::to_bits).collect::<Vec<_>>();
    a.shape() == b.shape() && bits(a) == bits(b)
}

/// Compares a backend with the interpreter on random programs over all primitives, in `F64`
/// and `F32`, as [`check_program`] does; the same ones each time.
///
/// ```
/// use burlap_autodiff::Cpu;
/// use burlap_autodiff::testing::conformance;
/// let agreement = conformance(&Cpu::with_threads(1)?, 20)?;
/// assert_eq!(agreement.programs, 40);
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// # Errors
/// As [`check_program`], for the smallest part of a program that fails; also when more than
/// one program in twenty is undecided.
#[track_caller]
pub fn conformance(backend: &dyn Backend, programs: usize) -> Result<Agreement> {
    let at = At::caller();
    let mut agreement = Agreement::default();
    for program in random_programs(programs, 3, false) {
        for dtype in [DType::F64, DType::F32] {
            agreement =
                agreement.and(check_program_at(backend, &program, dtype, at).map_err(|error| {
                    let again =
                        |part: &RandomProgram| check_program_at(backend, part, dtype, at).err();
                    again(&program.smallest(|part| again(part).is_some())).unwrap_or(error)
                })?);
        }
    }
    let decided = agreement.undecided * 20 <= agreement.programs;
    check(decided, "decided by more than rounding", at, || {
        format!("{} of {} programs are undecided", agreement.undecided, agreement.programs)
    })?;
    Ok(agreement)
}
