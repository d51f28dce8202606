//! What a derivative is taken with respect to: every call that records returns a variable of its
//! own, and a transform with respect to a recorded value is that of the program in which this
//! value is an input.

use burlap_autodiff::testing::random_programs;
use burlap_autodiff::{Array, DType, Interpreter, Tape, Var, checkpoint, vmap};

fn run(tape: &Tape, outputs: &[Var], inputs: &[&Array]) -> Vec<Array> {
    tape.compile(&Interpreter, outputs).unwrap().run(inputs).unwrap()
}

/// Roundings of the same sums in another order.
fn close(found: &Array, expected: &Array, what: &dyn std::fmt::Display) {
    assert_eq!((found.shape(), found.dtype()), (expected.shape(), expected.dtype()), "{what}");
    let (found, expected) = (found.to_f64_vec(), expected.to_f64_vec());
    let size = expected.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    for (a, b) in found.iter().zip(&expected) {
        assert!((a - b).abs() <= 1e-11 * size, "{what}: {found:?} is not {expected:?}");
    }
}

type Identity = (&'static str, fn(Var) -> Var);

/// Operations that change nothing, each of which is a variable of its own.
const IDENTITIES: [Identity; 21] = [
    ("1 · x", |x| 1.0 * x),
    ("x · 1", |x| x * 1.0),
    ("x · 1, a variable", |x| x * x.constant_like(1.0)),
    ("x / 1", |x| x / 1.0),
    ("x + 0", |x| x + 0.0),
    ("0 + x", |x| 0.0 + x),
    ("x - 0", |x| x - 0.0),
    ("-(-x)", |x| -(-x)),
    ("reshape", |x| x.reshape([2])),
    ("flatten", |x| x.flatten()),
    ("cast", |x| x.cast(DType::F64)),
    ("slice of all", |x| x.slice_axis(0, 0, 2)),
    ("steps of 1", |x| x.slice_steps(&[(0, 2, 1)])),
    ("powi(1)", |x| x.powi(1)),
    ("powf(1)", |x| x.powf(1.0)),
    ("transpose", |x| x.transpose(&[0])),
    ("broadcast", |x| x.broadcast_to([2])),
    ("sum over no axes", |x| x.sum_axes(&[])),
    ("flip over no axes", |x| x.flip(&[])),
    ("pad by nothing", |x| x.pad(&[burlap_autodiff::Padding::default()])),
    ("checkpoint", |x| x.checkpoint(|x| x)),
];

#[test]
fn an_identity_is_a_variable_of_its_own() {
    for (name, identity) in IDENTITIES {
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, [2]);
        let h = identity(x);
        assert!(!h.is_same(x), "{name}");
        let f = (h * x).sum();
        // ∂/∂h Σhx = x, ∂/∂x = h + x, where h is x; only x moves with x.
        let vs = tape.literal(&Array::from_vec([1, 2], vec![10.0, 20.0]).unwrap());
        let over_h = vmap(&[h * x], &[(h, vs)])[0];
        let both = f.grads(&[h, x]);
        let outputs =
            [f.grad(h), f.grad(x), f.hvp(h, x), f.hvp(x, x), f.jvp(h, x), over_h, both[0], both[1]];
        let out = run(&tape, &outputs, &[&Array::vector([3.0, 5.0])]);
        let texts: Vec<String> = out.iter().map(ToString::to_string).collect();
        let expected =
            ["[3, 5]", "[6, 10]", "[0, 0]", "[6, 10]", "34", "[[30, 100]]", "[3, 5]", "[3, 5]"];
        assert_eq!(texts, expected, "{name}");
    }
}

#[test]
fn equal_recordings_are_different_variables() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [2]);
    let tower = |x: Var| (x.sin() * 2.0).exp();
    let (a, b) = (tower(x), tower(x));
    let (c, d) = (tape.constant(DType::F64, 3.0), tape.constant(DType::F64, 3.0));
    let data = Array::vector([1.0, 2.0]);
    let (l, m) = (tape.literal(&data), tape.literal(&data));
    let (full, zeros) = (tape.full(DType::F64, [2], 0.5), tape.zeros(DType::F64, [2]));
    let like = x.constant_like(3.0);
    let f = (a * b.square() * c * d.square() * l * m.square() * like).sum()
        + (full * x + zeros.square() * x + zeros * x).sum();
    let g = f.grads(&[a, b, c, d, l, m, full, zeros, like]);
    let singly: Vec<Var> =
        [a, b, c, d, l, m, full, zeros, like].iter().map(|&v| f.grad(v)).collect();
    let closed = [
        b.square() * c * d.square() * l * m.square() * like,
        2.0 * a * b * c * d.square() * l * m.square() * like,
        (a * b.square() * d.square() * l * m.square() * like).sum(),
        (2.0 * a * b.square() * c * d * l * m.square() * like).sum(),
        a * b.square() * c * d.square() * m.square() * like,
        2.0 * a * b.square() * c * d.square() * l * m * like,
        x,
        2.0 * zeros * x + x,
        a * b.square() * c * d.square() * l * m.square(),
    ];
    let outputs: Vec<Var> = g.into_iter().chain(singly).chain(closed).collect();
    let out = run(&tape, &outputs, &[&Array::vector([0.3, -1.1])]);
    for i in 0..closed.len() {
        close(&out[i], &out[18 + i], &i);
        close(&out[9 + i], &out[18 + i], &i);
    }
}

/// What a transform returns may be computed by nodes that another one shares; as variables
/// they are distinct.
#[test]
fn results_of_transforms_are_variables_of_their_own() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, ());
    let f = x.sin();
    // The user's cos x is not the engine's.
    let c = x.cos();
    let (g, again) = (f.grad(x), f.grad(x));
    let sums = [(g * c).grad(c), (g * again).grad(again), (g * again * c).grad(g)];
    let out = run(&tape, &sums, &[&Array::scalar(0.4)]);
    let cos = 0.4f64.cos();
    for (found, expected) in out.iter().zip([cos, cos, cos * cos]) {
        assert!((found.item().unwrap() - expected).abs() < 1e-15, "{found} {expected}");
    }
    // The cotangent itself comes back from a vjp, and the direction from a jvp.
    let u = tape.input("u", DType::F64, ());
    let (back, along) = (x.vjp(x, u), x.jvp(x, u));
    for own in [back, along] {
        assert!(!own.is_same(u));
        assert_eq!((own * u).grad(own).grad(u).constant_value(), Some(1.0));
    }
    let all = f.value_grad_hvp(x, u);
    assert!(!all.value.is_same(f));
    let outputs = checkpoint(&[x], |v| vec![v[0], v[0]]);
    assert!(!outputs[0].is_same(outputs[1]));
}

/// Derivatives with respect to every real value that a program records.
#[test]
fn a_recorded_value_is_an_input_of_what_follows() {
    let mut compared = 0;
    for program in random_programs(150, 31, false) {
        let tape = Tape::new();
        let recorded = program.record(&tape, DType::F64);
        for (number, &h) in recorded.computed.iter().enumerate() {
            if !h.dtype().is_float() {
                continue;
            }
            let fresh = Tape::new();
            let replaced = program.record_with_input(&fresh, DType::F64, number);
            let h_in = replaced.computed[number];
            let derivatives = |f: Var, h: Var, x: Var| {
                let direction = |h: Var| (h * 1.7).cos();
                let v = direction(h);
                let all = f.value_grad_hvp(h, v.stop_gradient());
                let both = f.grads(&[h, x]);
                vec![f, f.grad(h), f.jvp(h, v), all.grad, all.hvp, both[0], both[1]]
            };
            let inputs: Vec<&Array> = recorded.values.iter().collect();
            let mut outputs = derivatives(recorded.loss, h, recorded.x);
            outputs.push(h);
            let mut found = run(&tape, &outputs, &inputs);
            let at = found.pop().unwrap();
            let mut inputs = inputs;
            inputs.push(&at);
            let expected = run(&fresh, &derivatives(replaced.loss, h_in, replaced.x), &inputs);
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                close(found, expected, &format!("output {i}, instruction {number} of {program:?}"));
            }
            compared += 1;
        }
    }
    assert!(compared > 500, "{compared}");
}

/// Operations that change nothing change no derivative.
#[test]
fn identities_change_no_derivative() {
    for program in random_programs(200, 32, false) {
        let derivatives = |identities: bool| {
            let tape = Tape::new();
            let r = match identities {
                true => program.record_with_identities(&tape, DType::F64),
                false => program.record(&tape, DType::F64),
            };
            let v = (r.x * 1.7).cos().stop_gradient();
            let all = r.loss.value_grad_hvp(r.x, v);
            let outputs = [r.loss, r.loss.grad(r.x), r.loss.jvp(r.x, v), all.grad, all.hvp];
            let inputs: Vec<&Array> = r.values.iter().collect();
            run(&tape, &outputs, &inputs)
        };
        for (found, expected) in derivatives(true).iter().zip(&derivatives(false)) {
            close(found, expected, &format!("{program:?}"));
        }
    }
}
