//! Programs: whatever is recorded, nothing crashes, hangs or grows without bound, and the
//! backends agree.

use crate::calls::{Calls, Known};
use crate::choices::Choices;
use burlap::autodiff::testing::check_program;
use burlap::autodiff::{Array, Backend, Cpu, DType, Error, Interpreter, Program, Shape, Tape};
use std::sync::OnceLock;

/// Elements of all values of a program that is run.
const MOST: usize = 1 << 18;

/// Random programs through the public interface.
///
/// One in four is well-formed by construction and keeps its values within moderate bounds: there
/// the backend must agree with the interpreter as closely as
/// [`check_program`](burlap::autodiff::testing::check_program) asks, in both precisions, run
/// again (the same bits) and with every number of leading inputs bound.
///
/// The others are made of any calls at all, among them ones of wrong shapes and types, of
/// absurd sizes, with variables of other tapes. What the tape refuses, it refuses with a typed
/// error that names this crate's line. What it accepts must compile, and run to the same outcome
/// on both backends; the same bits on one thread and on two, on several threads that share the
/// program, and with leading inputs bound. Values are compared where nothing on the way to them
/// was rounded, and then exactly: of what was rounded and may cancel, overflow or decide a
/// comparison no tolerance could be argued.
pub fn programs(data: &[u8]) {
    primitives(data);
}

/// As [`programs`]; the primitives of a program of any calls, none where it was refused or is
/// well-formed by construction.
pub fn primitives(data: &[u8]) -> Vec<&'static str> {
    let mut c = Choices::new(data);
    if c.chance(4) {
        agreeing(&mut c);
        return Vec::new();
    }
    any(&mut c).map_or_else(Vec::new, |program| program.op_counts().into_keys().collect())
}

fn cpus() -> &'static [Cpu; 2] {
    static CPUS: OnceLock<[Cpu; 2]> = OnceLock::new();
    CPUS.get_or_init(|| {
        [1, 2].map(|threads| Cpu::with_threads(threads).expect("a pool of threads"))
    })
}

fn agreeing(c: &mut Choices<'_>) {
    let (dtype, cpu) = (c.float(), c.below(2));
    let program = c.program();
    if let Err(error) = check_program(&cpus()[cpu], &program, dtype) {
        panic!("{error}");
    }
}

/// Numbers for an input, the special ones among them.
fn numbers(dtype: DType, shape: &Shape, c: &mut Choices<'_>) -> Array {
    let special = c.chance(4);
    let values: Vec<f64> = (0..shape.count())
        .map(|i| match dtype {
            _ if special && dtype.is_float() => c.number(),
            DType::U32 => (i * 3 % 5) as f64,
            DType::Bool => (i % 2) as f64,
            _ => (1.3 * i as f64 + 0.5).sin() * 2.0,
        })
        .collect();
    Array::from_f64(dtype, shape.clone(), &values).expect("as many numbers as the shape has")
}

/// Prints what was called when something is found.
struct Listing(Vec<String>);

impl Drop for Listing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.0.join("\n"));
        }
    }
}

/// The program, where one was compiled.
fn any(c: &mut Choices<'_>) -> Option<Program> {
    let (tape, other) = (Tape::new(), Tape::new());
    let mut values = Vec::new();
    let mut arrays = Vec::new();
    let mut listing = Listing(Vec::new());
    for name in ["v0", "v1", "v2", "v3"] {
        let dtype = match name {
            "v0" => c.float(),
            "v1" => c.dtype(),
            "v2" => DType::U32,
            _ => DType::Bool,
        };
        let var = tape.input(name, dtype, c.shape(0));
        values.push(Known { var, exact: true });
        arrays.push(numbers(dtype, &var.shape(), c));
        listing.0.push(format!("{name} = input {:?}", arrays[arrays.len() - 1]));
    }
    c.plain = c.chance(2);
    if c.odd(32) {
        let var = match c.chance(2) {
            true => other.input("x", DType::F64, [2]),
            false => Tape::new().constant(DType::F64, 1.0),
        };
        listing.0.push(format!("v4 = {var:?} of another tape or of none"));
        values.push(Known { var, exact: false });
    }
    let (mut outputs, number) = (Vec::new(), 1 + c.below(12));
    let mut calls = Calls::new(&tape, values, c);
    for _ in 0..number {
        // Called inside, so that a panic shows the calls before it.
        listing.0.append(&mut calls.listing);
        let var = calls.call();
        let known = calls.values[calls.values.len() - 1];
        if !Calls::is_small(&var.shape()) && tape.error().is_none() {
            calls.values.pop();
        }
        outputs.push(known);
    }
    listing.0.append(&mut calls.listing);
    let vars: Vec<_> = outputs.iter().map(|known| known.var).collect();
    let [one, two] = cpus();
    let compile = |backend: &dyn Backend| tape.compile(backend, &vars);
    let program = match compile(one) {
        Ok(program) => program,
        Err(Error::Memory { .. }) => return None,
        Err(error) => {
            let text = error.to_string();
            // A call, or that to compile where an output itself is of another tape.
            let here = ["src/calls/", "src/programs.rs:"].iter().any(|file| text.contains(file));
            assert!(here, "says another place: {text}");
            let same = compile(&Interpreter).map(|_| ()).map_err(|e| e.to_string());
            assert_eq!(same, Err(text), "another error");
            return None;
        }
    };
    assert_eq!(tape.error(), None, "compiled though the tape had an error");
    // What no test can hold is not run; it was planned.
    let shapes = program.outputs();
    let total = shapes.iter().fold(0usize, |n, (shape, _)| n.saturating_add(shape.count()));
    if total > MOST {
        return Some(program);
    }
    for (known, (shape, dtype)) in outputs.iter().zip(&shapes) {
        assert_eq!((known.var.shape(), known.var.dtype()), (shape.clone(), *dtype));
    }
    let inputs: Vec<&Array> = arrays.iter().collect();
    let interpreted = compile(&Interpreter).expect("compiled on the cpu").run(&inputs);
    let found = program.run(&inputs);
    let (interpreted, found) = match (interpreted, found) {
        (Ok(a), Ok(b)) => (a, b),
        (Err(_), Err(_)) => return Some(program),
        (a, b) => panic!("the interpreter gives {a:?}, the cpu {b:?}"),
    };
    for (i, known) in outputs.iter().enumerate().filter(|(_, known)| known.exact) {
        let (a, b) = (interpreted[i].to_f64_vec(), found[i].to_f64_vec());
        // Zeros of either sign and not-a-numbers of any payload are equal.
        let equal = a.len() == b.len()
            && a.iter().zip(&b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()));
        assert!(equal, "exact, yet {:?}: the interpreter gives {a:?}, the cpu {b:?}", known.var);
    }
    let again = |how: &str, result: burlap::autodiff::Result<Vec<Array>>| {
        let result = result.unwrap_or_else(|error| panic!("{how}: {error}"));
        for (a, b) in result.iter().zip(&found) {
            assert!(same_bits(a, b), "{how}: {a:?} is not {b:?}");
        }
    };
    again("run again", program.run(&inputs));
    again("two threads", compile(two).expect("compiled on one thread").run(&inputs));
    let early = calls.c.below(inputs.len() + 1);
    let bound = program.bind(&inputs[..early]).and_then(|bound| bound.run(&inputs[early..]));
    again("leading inputs bound", bound);
    if calls.c.chance(8) {
        shared(&program, &inputs, &again);
    }
    Some(program)
}

/// The program on several threads at once.
fn shared(
    program: &Program,
    inputs: &[&Array],
    again: &dyn Fn(&str, burlap::autodiff::Result<Vec<Array>>),
) {
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| program.run(inputs))).collect();
        threads.into_iter().map(|thread| thread.join()).collect()
    });
    for result in results {
        again("shared by threads", result.unwrap_or_else(|cause| std::panic::resume_unwind(cause)));
    }
}

fn same_bits(a: &Array, b: &Array) -> bool {
    let bits = |a: &Array| a.to_f64_vec().into_iter().map(f64::to_bits).collect::<Vec<_>>();
    a.shape() == b.shape() && a.dtype() == b.dtype() && bits(a) == bits(b)
}
