//! Bad input gives a typed error that names the operation, the sizes and this file's line.

mod sizes;

use burlap_autodiff::{
    Array, Contraction, Cpu, DType, Error, Interpreter, Padding, Tape, Var, checkpoint,
};

fn first_error(build: impl FnOnce(&Tape) -> Var) -> String {
    let tape = Tape::new();
    let y = build(&tape);
    tape.compile(&Cpu::new(), &[y]).expect_err("an error").to_string()
}

/// What the error begins with, and what makes it.
type Case = (&'static str, Box<dyn Fn(&Tape) -> Var>);

fn check(cases: Vec<Case>, place: &str) {
    for (expected, build) in cases {
        let error = first_error(build);
        assert!(error.starts_with(expected), "{error}\nexpected {expected}");
        assert!(error.contains(place), "{error}");
    }
}

#[test]
fn ill_formed_operations_name_what_does_not_fit() {
    let f = |tape: &Tape, name: &str, shape: &[usize]| tape.input(name, DType::F64, shape);
    let cases: Vec<Case> = vec![
        (
            "add: the shapes cannot be broadcast together: [2, 3] × [2]",
            Box::new(move |t| f(t, "a", &[2, 3]) + f(t, "b", &[2])),
        ),
        (
            "mul: the element types differ: f64 × f32",
            Box::new(move |t| f(t, "a", &[2]) * t.input("b", DType::F32, [2])),
        ),
        ("exp: the operand must be f32 or f64: u32", Box::new(|t| t.iota(3).exp())),
        (
            "matmul: inner sizes differ: [32, 784] × [128, 10]",
            Box::new(move |t| f(t, "a", &[32, 784]).matmul(f(t, "b", &[128, 10]))),
        ),
        (
            "matmul: an operand is a scalar",
            Box::new(move |t| f(t, "a", &[]).matmul(f(t, "b", &[2]))),
        ),
        (
            "reshape: 6 elements cannot become 8: [2, 3] × [8]",
            Box::new(move |t| f(t, "a", &[2, 3]).reshape([8])),
        ),
        (
            "broadcast: the first cannot be repeated to the second: [3] × [2]",
            Box::new(move |t| f(t, "a", &[3]).broadcast_to([2])),
        ),
        (
            "transpose: axes [0, 0] are not distinct axes",
            Box::new(move |t| f(t, "a", &[2, 3]).transpose(&[0, 0])),
        ),
        (
            "slice: 1..5 along axis 0 does not fit the shape [4]",
            Box::new(move |t| f(t, "a", &[4]).slice_axis(0, 1, 5)),
        ),
        (
            "at: index 4 is beyond the first axis of the shape [4]",
            Box::new(move |t| f(t, "a", &[4]).at(4)),
        ),
        (
            "pad: 1 axes are padded, but the shape is []",
            Box::new(move |t| f(t, "a", &[]).pad(&[Padding::default()])),
        ),
        (
            "concat: the sizes differ at another axis than 0: [2, 3] × [2, 4]",
            Box::new(move |t| t.concat(&[f(t, "a", &[2, 3]), f(t, "b", &[2, 4])], 0)),
        ),
        ("concat: there is nothing to join", Box::new(|t| t.concat(&[], 0))),
        (
            "sum: axes [2] are not distinct axes of the shape [2, 3]",
            Box::new(move |t| f(t, "a", &[2, 3]).sum_axes(&[2])),
        ),
        (
            "max_over: there is no element to choose from: [0]",
            Box::new(move |t| f(t, "a", &[0]).max_all()),
        ),
        ("mean: the mean of no elements: [0]", Box::new(move |t| f(t, "a", &[0]).mean())),
        (
            "variance: 1 elements leave nothing",
            Box::new(move |t| f(t, "a", &[1]).variance(&[0], 1)),
        ),
        (
            "argmax: there is nothing to choose along axis 1",
            Box::new(move |t| f(t, "a", &[3]).argmax(1)),
        ),
        (
            "gather: the indices must be u32: f64 × f64",
            Box::new(move |t| f(t, "a", &[3]).gather(0, f(t, "b", &[1]))),
        ),
        (
            "contract: the paired axes are not distinct axes",
            Box::new(move |t| {
                let c = Contraction {
                    left_sum: [7u8].into_iter().collect(),
                    right_sum: [0u8].into_iter().collect(),
                    ..Contraction::default()
                };
                f(t, "a", &[3]).contract(f(t, "b", &[3]), c)
            }),
        ),
        (
            "einsum: \"ii,j\" is not of the form",
            Box::new(move |t| f(t, "a", &[3, 3]).einsum("ii,j", f(t, "b", &[3]))),
        ),
        (
            "uniform: a key is u32[2], not f64[3]",
            Box::new(move |t| f(t, "a", &[3]).uniform(0, DType::F64, [2])),
        ),
        (
            "logaddexp: the operands must be f32 or f64: u32",
            Box::new(|t| t.input("a", DType::U32, [3]).logaddexp(t.input("b", DType::U32, [3]))),
        ),
        (
            "select: expected a bool mask",
            Box::new(move |t| f(t, "a", &[3]).select(f(t, "b", &[3]), 0.0)),
        ),
        (
            "grad: only a scalar has a gradient; use vjp or jacobian: [3]",
            Box::new(move |t| {
                let a = f(t, "a", &[3]);
                a.grad(a)
            }),
        ),
        (
            "hvp: variable and direction must have one shape: [3] × [2]",
            Box::new(move |t| {
                let a = f(t, "a", &[3]);
                a.sum().hvp(a, f(t, "b", &[2]))
            }),
        ),
        (
            "input: there is an input named \"a\" already",
            Box::new(move |t| f(t, "a", &[3]) + f(t, "a", &[3])),
        ),
        (
            "input: the shape [4611686018427387904, 4] has more elements",
            Box::new(move |t| f(t, "a", &[1 << 62, 4])),
        ),
        (
            "mean: axes [0, 0] are not distinct axes of the shape [3]",
            Box::new(move |t| f(t, "a", &[3]).mean_axes(&[0, 0])),
        ),
        (
            "variance: axes [0, 0] are not distinct axes of the shape [1]",
            Box::new(move |t| f(t, "a", &[1]).variance(&[0, 0], 1)),
        ),
    ];
    check(cases, "errors/mod.rs:");
}

#[test]
fn the_first_error_is_the_one_reported() {
    let tape = Tape::new();
    let a = tape.input("a", DType::F64, [3]);
    let bad = a.matmul(tape.input("b", DType::F64, [4, 4]));
    let line = line!() - 1;
    let worse = (bad + tape.input("c", DType::F64, [9])).reshape([77]).sum();
    let error = tape.compile(&Cpu::new(), &[worse.grad(a)]).unwrap_err().to_string();
    assert!(error.starts_with("matmul"), "{error}");
    assert!(error.ends_with(&format!("errors/mod.rs:{line})")), "{error}");
}

#[test]
fn variables_of_other_tapes_are_found_by_both() {
    let (one, other) = (Tape::new(), Tape::new());
    let (a, b) = (one.input("a", DType::F64, [2]), other.input("b", DType::F64, [2]));
    let c = a + b;
    for (tape, y) in [(&one, c), (&other, b)] {
        assert!(matches!(
            tape.compile(&Cpu::new(), &[y]),
            Err(Error::ForeignVar { op: "add", .. })
        ));
    }
    let fresh = Tape::new();
    assert!(matches!(
        fresh.compile(&Cpu::new(), &[a]),
        Err(Error::ForeignVar { op: "compile", .. })
    ));
    let gone = Tape::new().input("x", DType::F64, [2]);
    // Nothing of this may panic, whatever it means.
    let _ = (gone.exp() + gone).sum().grad(gone).hessian(gone);
    assert_eq!(format!("{gone:?}"), "%0 of a tape that is gone");
    let y = fresh.input("y", DType::F64, [2]) * gone;
    assert!(matches!(fresh.compile(&Cpu::new(), &[y]), Err(Error::ForeignVar { op: "mul", .. })));
}

#[test]
fn a_new_tape_in_an_old_slot_does_not_know_the_old_variables() {
    let old = Tape::new().input("x", DType::F64, [2]);
    let new = Tape::new();
    let y = new.input("y", DType::F64, [2]);
    assert!(matches!(new.compile(&Cpu::new(), &[y + old]), Err(Error::ForeignVar { .. })));
}

#[test]
fn inputs_and_outputs_that_do_not_fit_are_errors_of_the_run() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [2, 3]);
    let program = tape.compile(&Cpu::new(), &[x.exp()]).unwrap();
    let message = |array: Array| program.run(&[&array]).unwrap_err().to_string();
    let wrong = message(Array::zeros(DType::F64, [3, 2]));
    assert!(
        wrong.starts_with("run: input \"x\" is f64[2, 3] but was given f64[3, 2] ("),
        "{wrong}"
    );
    assert!(wrong.contains("errors/mod.rs:"), "{wrong}");
    let wrong = message(Array::zeros(DType::F32, [2, 3]));
    assert!(wrong.contains("f64[2, 3] but was given f32[2, 3]"), "{wrong}");
    assert_eq!(
        program.run(&[]).unwrap_err().to_string(),
        "inputs: the program has 1, but 0 were given"
    );
    let x0 = Array::zeros(DType::F64, [2, 3]);
    let mut outputs = [Array::zeros(DType::F64, [6])];
    let wrong = program.run_into(&[&x0], &mut outputs).unwrap_err().to_string();
    assert_eq!(wrong, "run_into: output 0 is f64[2, 3] but was given f64[6]");
    assert!(program.bind(&[&x0, &x0]).is_err());
}

#[test]
fn an_index_beyond_its_axis_is_an_error_of_the_run_on_both_backends() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [3, 2]);
    let i = tape.input("i", DType::U32, [2, 2]);
    let rows = x.gather(0, i);
    let along = x.slice_axis(0, 0, 2).take_along(1, i);
    let inputs =
        [&Array::zeros(DType::F64, [3, 2]), &Array::from_vec([2, 2], vec![0u32, 1, 9, 0]).unwrap()];
    // Also where another axis leaves nothing to select.
    let empty = x.slice_axis(1, 0, 0);
    let nothing = empty.gather(0, i);
    let scattered = empty.scatter_add(0, i, nothing);
    for y in [rows, along, along.sum().grad(x), nothing, scattered] {
        for run in [tape.compile(&Cpu::new(), &[y]), tape.compile(&Interpreter, &[y])] {
            let error = run.unwrap().run(&inputs);
            // The gradient needs the indices only, which are still checked.
            assert!(matches!(error, Err(Error::Index { index: 9, position: 2, .. })), "{error:?}");
        }
    }
}

#[test]
fn the_finite_check_names_the_primitive_and_the_line() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [3]);
    let y = (x - 1.0).log().sum() * 2.0;
    let line = line!() - 1;
    let program = tape.compile(&Cpu::new(), &[y]).unwrap().with_finite_check();
    assert!(program.run(&[&Array::vector([2.0, 3.0, 4.0])]).is_ok());
    let error = program.run(&[&Array::vector([2.0, 0.5, 4.0])]).unwrap_err().to_string();
    assert!(error.starts_with("log: element 1 of the result, of shape [3], is NaN"), "{error}");
    assert!(error.ends_with(&format!("errors/mod.rs:{line})")), "{error}");
}

#[test]
fn an_output_that_needs_an_unlisted_input_is_an_error() {
    let tape = Tape::new();
    let (x, y) = (tape.input("x", DType::F64, ()), tape.input("y", DType::F64, ()));
    let error = tape.compile_with(&Cpu::new(), &[x], &[x * y]).unwrap_err().to_string();
    assert!(error.contains("depends on the input \"y\""), "{error}");
    assert!(tape.compile_with(&Cpu::new(), &[x + 1.0], &[x]).is_err());
    let swapped = tape.compile_with(&Cpu::new(), &[y, x], &[x - y]).unwrap();
    assert_eq!(
        swapped.run(&[&Array::scalar(1.0), &Array::scalar(5.0)]).unwrap()[0].item().unwrap(),
        4.0
    );
}

#[test]
fn no_threads_is_an_error() {
    let error = Cpu::with_threads(0).unwrap_err().to_string();
    assert!(error.contains("0 threads"), "{error}");
}

#[test]
fn arrays_check_their_sizes() {
    assert!(Array::from_vec([2, 2], vec![1.0; 3]).is_err());
    assert!(Array::zeros(DType::F64, [2]).item().is_err());
    assert!(Array::zeros(DType::F64, [2]).as_slice::<f32>().is_err());
    assert!(Array::zeros(DType::F64, [2]).reshaped([3]).is_err());
    assert_eq!(Array::zeros(DType::F64, [2]).get(&[2]), None);
}

#[test]
fn binding_takes_the_number_of_inputs_that_it_began_with() {
    let tape = Tape::new();
    let (x, y) = (tape.input("x", DType::F64, [2]), tape.input("y", DType::F64, [2]));
    let program = tape.compile(&Cpu::new(), &[x * y]).unwrap();
    let a = Array::vector([1.0, 2.0]);
    for leading in [vec![], vec![&a], vec![&a, &a]] {
        let mut bound = program.bind(&leading).unwrap();
        let rest = vec![&a; 2 - leading.len()];
        for wrong in [vec![], vec![&a], vec![&a; 2], vec![&a; 3]] {
            if wrong.len() != leading.len() {
                let error = bound.rebind(&wrong).unwrap_err();
                assert!(matches!(error, Error::Count { what: "bound inputs", .. }), "{error}");
            }
            assert_eq!(bound.run(&rest).unwrap()[0].to_string(), "[1, 4]");
        }
        bound.rebind(&leading).unwrap();
    }
}

#[test]
fn more_threads_than_are_of_use_are_left_out() {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu = Cpu::with_threads(1000).unwrap();
    assert_eq!(cpu.threads(), processors.clamp(64, 1000));
    assert_eq!(Cpu::with_threads(3).unwrap().threads(), 3);
}

#[test]
fn checkpoints_of_bad_input_are_errors() {
    let (one, other) = (Tape::new(), Tape::new());
    let (a, b) = (one.input("a", DType::F64, [2]), other.input("b", DType::F64, [2]));
    let y = checkpoint(&[a, b], |v| vec![v[0].exp()])[0];
    let foreign = |e: &Error| matches!(e, Error::ForeignVar { op: "checkpoint", .. });
    assert!(foreign(&one.compile(&Interpreter, &[y]).unwrap_err()));
    assert!(foreign(&other.error().unwrap()));

    let (one, other) = (Tape::new(), Tape::new());
    let (a, b) = (one.input("a", DType::F64, [2]), other.input("b", DType::F64, [2]));
    a.checkpoint(|_| b.exp());
    assert!(foreign(&one.error().unwrap()) && foreign(&other.error().unwrap()));

    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [2]);
    let bad = x.checkpoint(|x| x.reshape([7]));
    let line = line!() - 1;
    let error = tape.compile(&Interpreter, &[bad.sum().hvp(x, x)]).unwrap_err().to_string();
    assert!(error.starts_with("reshape") && error.ends_with(&format!(":{line})")), "{error}");
    let again = checkpoint(&[bad, x], |v| vec![v[0] + 1.0]);
    assert!(tape.compile(&Interpreter, &again).is_err());

    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [2]);
    let y = checkpoint(&[], |_| vec![x.exp()])[0];
    let error = tape.compile(&Interpreter, &[y]).unwrap_err();
    assert!(matches!(error, Error::Parameter { op: "checkpoint", .. }), "{error}");
    assert!(checkpoint(&[], |_| Vec::new()).is_empty());

    let gone = Tape::new().input("x", DType::F64, [2]);
    let y = gone.checkpoint(|x| x.exp());
    assert!(tape.compile(&Interpreter, &[y]).is_err());
}

#[test]
fn a_backend_that_does_not_tell_times_says_so() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [2]);
    let program = tape.compile(&Interpreter, &[x.exp()]).unwrap();
    let e = program.profile(&[&Array::vector([1.0, 2.0])]).unwrap_err();
    assert_eq!(e.to_string(), "backend interpreter: it does not tell times");
}
