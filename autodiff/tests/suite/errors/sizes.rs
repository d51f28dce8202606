//! Sizes: what memory cannot hold, axes that cannot be numbered, memory that is not there.

use super::{Case, check, first_error};
use burlap_autodiff::{Array, Backend, Cpu, DType, Error, Interpreter, Padding, Tape, vmap};

fn many_axes(axes: usize) -> Array {
    Array::full(DType::F64, vec![1; axes], 1.5)
}

#[test]
fn sizes_are_checked_where_values_are_recorded() {
    let f = |tape: &Tape, name: &str, shape: &[usize]| tape.input(name, DType::F64, shape);
    let cases: Vec<Case> = vec![
        (
            "mul: the shape [1099511627776, 4194304] has more elements than memory can hold: \
             [1099511627776, 1] × [1, 4194304]",
            Box::new(move |t| {
                let s = f(t, "s", &[]);
                let large = s.broadcast_to([1 << 40, 1]) * s.exp().broadcast_to([1, 1 << 22]);
                large.slice_axis(0, 1, 2).slice_axis(1, 2, 3)
            }),
        ),
        (
            "lt: the shape [4294967296, 4294967296] has more elements",
            Box::new(move |t| {
                let s = f(t, "s", &[]);
                s.broadcast_to([1 << 32, 1]).lt(s.broadcast_to([1, 1 << 32]))
            }),
        ),
        (
            "select: the shape [4294967296, 4294967296] has more elements than memory can hold: \
             [] × [4294967296, 1] × [1, 4294967296]",
            Box::new(move |t| {
                let s = f(t, "s", &[]);
                s.gt(0.0).select(s.broadcast_to([1 << 32, 1]), s.broadcast_to([1, 1 << 32]))
            }),
        ),
        (
            "matmul: the shape [4294967296, 4294967296, 1, 1] has more elements",
            Box::new(move |t| {
                let s = f(t, "s", &[]);
                s.broadcast_to([1 << 32, 1, 1, 1]).matmul(s.broadcast_to([1, 1 << 32, 1, 1]))
            }),
        ),
        (
            "literal: the shape [4294967296, 0, 4294967296] has more elements",
            Box::new(|t| {
                t.literal(&Array::from_vec([1 << 32, 0, 1 << 32], Vec::<f64>::new()).unwrap())
            }),
        ),
        ("literal: 257 axes; at most 64", Box::new(|t| t.literal(&many_axes(257)).sum_axes(&[0]))),
        (
            "stack: 65 axes; at most 64",
            Box::new(|t| {
                let x = t.literal(&many_axes(63));
                t.stack(&[t.stack(&[x], 0), t.stack(&[x], 0)], 0)
            }),
        ),
        (
            "expand_dims: 65 axes; at most 64",
            Box::new(|t| t.literal(&many_axes(64)).expand_dims(64).sum_axes(&[64])),
        ),
        (
            "broadcast: 65 axes; at most 64",
            Box::new(move |t| {
                let x = f(t, "x", &[]);
                let y = x.exp().broadcast_to(vec![1; 64]).sum_axes(&[0]);
                vmap(&[y], &[(x, t.literal(&Array::vector([1.0, 2.0])))])[0]
            }),
        ),
        ("iota: 4294967296 indices do not fit u32", Box::new(|t| t.iota(1 << 32).cast(DType::F64))),
        (
            "one_hot: 4294967297 indices do not fit u32",
            Box::new(|t| t.iota(3).one_hot((1 << 32) + 1, DType::F64)),
        ),
        (
            "one_hot: it records the literal u32[4000000000], of 16000000000 bytes; there is memory",
            Box::new(|t| t.iota(3).one_hot(4_000_000_000, DType::F64)),
        ),
        (
            "hessian: it records the literal f64[100000, 100000], of 80000000000 bytes",
            Box::new(move |t| {
                let x = f(t, "x", &[100_000]);
                x.square().sum().hessian(x)
            }),
        ),
        (
            "jacobian: it records the literal f64[1048576, 1048576], of 8796093022208 bytes",
            Box::new(move |t| {
                let x = f(t, "x", &[1 << 20]);
                x.square().jacobian(x)
            }),
        ),
    ];
    check(cases, "errors/sizes.rs:");
}

#[test]
fn what_is_more_than_memory_holds_is_an_error() {
    let error = first_error(|t| {
        let p = [Padding { before: usize::MAX, between: usize::MAX, after: 7 }];
        t.input("a", DType::F64, [3]).pad(&p)
    });
    assert!(
        error.starts_with("pad: the shape [18446744073709551615] has more elements"),
        "{error}"
    );
    let error = first_error(|t| {
        // Addressable, but on no machine of today.
        let big = t.input("a", DType::F64, ()).exp().broadcast_to([1 << 50]);
        (big * big.sin() + t.iota(1).cast(DType::F64)).flip(&[0]).slice_axis(0, 0, 5)
    });
    assert!(error.starts_with("backend cpu: there is no memory for"), "{error}");
    // A slice of one element may have any step.
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [3, 4]);
    let y = x
        .slice_steps(&[(1, 3, 1 << 62), (2, 3, usize::MAX)])
        .slice_steps(&[(0, 1, usize::MAX), (0, 1, 1 << 63)]);
    let program = tape.compile(&Cpu::new(), &[y, y.sum().grad(x)]).unwrap();
    let values: Vec<f64> = (0..12).map(f64::from).collect();
    let out = program.run(&[&Array::from_vec([3, 4], values).unwrap()]).unwrap();
    assert_eq!((out[0].to_string(), out[1].get(&[1, 2])), ("[[6]]".into(), Some(1.0)));
}

/// Sizes of 2⁴⁵ elements and more, which no machine of today has.
#[test]
fn memory_that_is_not_there_is_an_error_of_the_run_on_both_backends() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, []);
    let large = x.broadcast_to([1 << 45]);
    let backends: [&dyn Backend; 2] = [&Cpu::new(), &Interpreter];
    for backend in backends {
        let program = tape.compile(backend, &[x, large]).unwrap();
        let error = program.run(&[&Array::scalar(1.0)]).unwrap_err();
        let text = "run: there is no memory for 281474976710656 bytes of output 1, \
                    f64[35184372088832]";
        assert_eq!(error.to_string(), text);
    }
    let sum = large.exp().flip(&[0]).slice_axis(0, 0, 1);
    let error =
        tape.compile(&Interpreter, &[sum]).unwrap().run(&[&Array::scalar(1.0)]).unwrap_err();
    assert!(matches!(error, Error::Memory { op: "interpreter", .. }), "{error}");
    // Together more than can be addressed, each less: they live at the same time.
    let most = x.broadcast_to([1 << 58]);
    let parts = [most.exp(), most.sin(), most.cos()].map(|y| y.flip(&[0]).slice_axis(0, 1, 3));
    let last = most.tanh().gather(0, parts[0].cast(DType::U32));
    let error = tape.compile(&Cpu::new(), &[parts[1] + parts[2] + last]).unwrap_err();
    assert!(matches!(error, Error::Memory { .. }), "{error}");
}
