//! What is shared, what is repeated, and what is an error.

use crate::vmap::assert_one;
use burlap_autodiff::{Array, Cpu, DType, Error, Interpreter, Tape, Var, map_rows, vmap};

/// The error that compiling reports, which must name this file.
fn error(tape: &Tape, outputs: &[Var]) -> Error {
    let error = tape.compile(&Cpu::new(), outputs).expect_err("an error");
    assert!(error.to_string().contains("errors.rs:"), "{error}");
    error
}

fn message(build: impl FnOnce(&Tape, Var, Var) -> Vec<Var>) -> String {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [2]);
    let xs = tape.input("xs", DType::F64, [3, 2]);
    let outputs = build(&tape, x, xs);
    assert!(!outputs.is_empty());
    error(&tape, &outputs).to_string()
}

#[test]
fn what_does_not_fit_is_named() {
    let starts = |found: String, expected: &str| assert!(found.starts_with(expected), "{found}");
    starts(
        message(|t, x, xs| {
            let y = t.input("y", DType::F64, ());
            vmap(&[x.sum() + y], &[(x, xs), (y, t.input("ys", DType::F64, [4]))])
        }),
        "vmap: the leading axes differ: [3, 2] × [4] (",
    );
    starts(
        message(|_, x, xs| vmap(&[x.exp()], &[(x, xs.t())])),
        "vmap: what replaces a variable must have its shape behind a leading axis: [2] × [2, 3] (",
    );
    starts(
        message(|_, x, xs| vmap(&[x.exp()], &[(x, xs.sum())])),
        "vmap: what replaces a variable must have its shape behind a leading axis: [2] × [] (",
    );
    starts(
        message(|_, x, xs| vmap(&[x.exp(), x], &[(x, xs.cast(DType::F32))])),
        "vmap: a variable and what replaces it must be of one type: f64 × f32 (",
    );
    starts(message(|_, x, _| vmap(&[x.exp()], &[])), "vmap: nothing is replaced (");
    starts(
        message(|_, x, xs| vmap(&[x.exp()], &[(x, xs), (x, xs + 1.0)])),
        "vmap: one variable is replaced by two values (",
    );
    starts(
        message(|_, x, _| map_rows([x.sum()], |[x]| [x])),
        "map_rows: a scalar has no rows: [] (",
    );
    starts(
        message(|t, _, xs| map_rows([xs, t.iota(4)], |[x, _]| [x])),
        "map_rows: the leading axes differ: [3, 2] × [4] (",
    );
    starts(
        message(|_, x, xs| vec![x.sum().hvp_many(x, xs.t())]),
        "hvp_many: what replaces a variable must have its shape behind a leading axis: [2] × [2, 3]",
    );
    starts(message(|_, x, xs| vec![x.hvp_many(x, xs)]), "hvp_many: only a scalar has a gradient");
    starts(
        message(|_, x, _| {
            // More than memory holds, though neither part is.
            let one = x.at(0).broadcast_to([1 << 40]);
            let big = one.constant_like(0.0);
            map_rows([big], |[y]| [y.broadcast_to([1 << 30])])
        }),
        "broadcast: the shape [1099511627776, 1073741824] has more elements",
    );
    starts(
        message(|_, _, xs| {
            let keys = xs.cast(DType::U32).at(0).broadcast_to([1 << 20, 2]);
            map_rows([keys], |[key]| [key.normal(0, DType::F64, [2])])
        }),
        "normal: more than 65536 keys",
    );
}

#[test]
fn other_tapes() {
    let (one, other) = (Tape::new(), Tape::new());
    let (x, xs) = (one.input("x", DType::F64, [2]), other.input("xs", DType::F64, [3, 2]));
    let all = vmap(&[x.exp()], &[(x, xs)]);
    for (tape, outputs) in [(&one, all), (&other, vec![xs])] {
        assert!(matches!(error(tape, &outputs), Error::ForeignVar { op: "vmap", .. }));
    }
    let gone = Tape::new().input("x", DType::F64, [2]);
    // Nothing of this may panic, whatever it means.
    let _ = vmap(&[gone, gone.exp()], &[(gone, gone)]);
    let _ = map_rows([gone, x], |[a, b]| [a + b]);
    let _ = gone.hvp_many(gone, gone);
}

#[test]
fn the_line_of_an_index_beyond_its_axis() {
    let tape = Tape::new();
    let xs = tape.input("xs", DType::F64, [2, 3]);
    let indices = tape.input("i", DType::U32, [2, 2]);
    let all = map_rows([xs, indices], |[x, i]| [x.gather(0, i)]);
    let arrays = [
        &Array::from_vec([2, 3], vec![1.0; 6]).unwrap(),
        // Within the six elements of both rows, but not within its own.
        &Array::from_vec([2, 2], vec![0u32, 3, 1, 2]).unwrap(),
    ];
    for program in [tape.compile(&Cpu::new(), &all), tape.compile(&Interpreter, &all)] {
        let error = program.unwrap().run(&arrays).unwrap_err();
        assert!(matches!(error, Error::Index { index: 3, size: 3, .. }), "{error}");
        assert!(error.to_string().contains("errors.rs:"), "{error}");
    }
}

#[test]
fn nothing_that_is_shared_is_recorded_again() {
    let tape = Tape::new();
    let (x, w) = (tape.input("x", DType::F64, [4]), tape.input("w", DType::F64, [4, 4]));
    let xs = tape.input("xs", DType::F64, [5, 4]);
    let shared = w.matmul(w.exp()).sin();
    let y = shared.matmul(x).tanh();
    let primitives = |y: Var| tape.compile(&Interpreter, &[y]).unwrap().primitives();
    let all = vmap(&[y], &[(x, xs)])[0];
    // A product and tanh: no operand is repeated, no axis moved.
    assert_eq!(primitives(all), primitives(y));
    assert_one(&tape, vmap(&[y], &[(x, xs)])[0], all, String::new);
    // What is replaced need not be an input, and what it came from is left behind.
    let z = (y.exp() + shared.sum()).sum();
    let again = vmap(&[z, y, shared.sum()], &[(y, all)]);
    assert_one(&tape, again[1], all, String::new);
    assert_eq!(again[2].shape(), [5]);
    let from_x = vmap(&[z], &[(x, xs)])[0];
    assert_one(&tape, again[0], from_x, String::new);
    assert_eq!(tape.error(), None);
    // Of a pair on one path, the later one counts for what follows it.
    let both = vmap(&[z], &[(x, xs), (y, all)])[0];
    assert_one(&tape, both, from_x, String::new);
}

#[test]
fn a_row_means_nothing_outside() {
    let tape = Tape::new();
    let xs = tape.input("xs", DType::F64, [3, 2]);
    let mut leaked = None;
    let inside = map_rows([xs], |[row]| {
        leaked = Some(row);
        [row.sum()]
    });
    assert!(tape.compile(&Cpu::new(), &inside).is_ok());
    let text = error(&tape, &[leaked.unwrap().sum()]).to_string();
    assert!(text.starts_with("map_rows: an output depends on a row of its function"), "{text}");
    assert!(text.contains("errors.rs:"), "{text}");
}

#[test]
fn no_entries_and_one() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [3]);
    let f = x.softmax(0).log().sum() + x.max_all();
    let vs = |k: usize| tape.zeros(DType::F64, [k, 3]) + x;
    let outputs = [f.hvp_many(x, vs(0)), f.hvp_many(x, vs(1)), f.hvp(x, x)];
    let x0 = Array::vector([0.5, -1.0, 2.0]);
    let out = tape.compile(&Cpu::new(), &outputs).unwrap().run(&[&x0]).unwrap();
    assert_eq!(out[0].shape()[..], [0, 3]);
    assert_eq!(out[1].to_f64_vec(), out[2].to_f64_vec());
    let keys = tape.iota(2).broadcast_to([0, 2]);
    let none = map_rows([keys], |[key]| [key.normal(0, DType::F64, [2]), key]);
    let out = tape.compile(&Interpreter, &none).unwrap().run(&[&x0]).unwrap();
    assert_eq!(
        (out[0].shape()[..].to_vec(), out[1].shape()[..].to_vec()),
        (vec![0, 2], vec![0, 2])
    );
}
