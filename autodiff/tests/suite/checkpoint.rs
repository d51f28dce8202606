//! Checkpoints change what programs keep and how often they compute, and no number.

use burlap_autodiff::testing::random_programs;
use burlap_autodiff::{Array, Backend, Cpu, DType, Interpreter, Program, Tape, Var, checkpoint};

/// Runs `f` in a checkpoint or plainly.
fn maybe(checkpointed: bool, x: Var, f: impl FnOnce(Var) -> Var) -> Var {
    if checkpointed { x.checkpoint(f) } else { f(x) }
}

/// A multilayer perceptron on a flat parameter vector, `per` layers a checkpoint (0: none).
struct Mlp {
    tape: Tape,
    params: Var,
    direction: Var,
    loss: Var,
}

fn mlp(layers: usize, width: usize, batch: usize, per: usize) -> Mlp {
    let tape = Tape::new();
    let size = width * (width + 1);
    let params = tape.input("params", DType::F64, [layers * size]);
    let x = tape.input("x", DType::F64, [batch, width]);
    let direction = tape.input("direction", DType::F64, [layers * size]);
    let layer = |k: usize, x: Var| {
        let w = params.slice_axis(0, k * size, k * size + width * width);
        let b = params.slice_axis(0, k * size + width * width, (k + 1) * size);
        (x.matmul(w.reshape([width, width])) + b).tanh()
    };
    let mut h = x;
    for first in (0..layers).step_by(per.max(1)) {
        let last = layers.min(first + per.max(1));
        h = maybe(per > 0, h, |h| (first..last).fold(h, |h, k| layer(k, h)));
    }
    Mlp { loss: h.square().mean(), tape, params, direction }
}

/// Smooth numbers without symmetries.
fn numbers(n: usize, scale: f64) -> Array {
    Array::vector((0..n).map(|i| scale * (1.7 * i as f64 + 0.3).sin()).collect::<Vec<f64>>())
}

fn compile(mlp: &Mlp, outputs: &[Var]) -> Program {
    mlp.tape.compile(&Cpu::with_threads(1).unwrap(), outputs).unwrap()
}

/// Peak bytes of intermediates, as `explain` tells them.
fn peak(program: &Program) -> f64 {
    let text = program.explain().split("peak ").nth(1).unwrap();
    let (number, unit) = text.split_once(' ').unwrap();
    let units = [("k", 1e3), ("M", 1e6), ("G", 1e9)];
    let scale = units.iter().find(|(u, _)| unit.starts_with(u)).map_or(1.0, |u| u.1);
    number.parse::<f64>().unwrap() * scale
}

fn contractions(program: &Program) -> usize {
    program.op_counts().get("contract").copied().unwrap_or(0)
}

#[track_caller]
fn close(a: &Array, b: &Array, tolerance: f64) {
    let (a, b) = (a.to_f64_vec(), b.to_f64_vec());
    assert_eq!(a.len(), b.len());
    let scale = a.iter().fold(1e-300f64, |s, x| s.max(x.abs()));
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() <= tolerance * scale || a == b, "{a} {b}");
    }
}

/// Derivatives of all orders that there are methods for; the first three are of first order.
fn derivatives(f: Var, x: Var, v: Var) -> Vec<Var> {
    let g = f.grad(x);
    let all = f.value_grad_hvp(x, v);
    let (q, third) = f.second_directional_grad(x, v);
    let hvp_by_reverse = (g * v).sum().grad(x);
    let rest = [all.value, all.grad, all.hvp, hvp_by_reverse, g.jvp(x, v), q, third];
    [f, g, f.jvp(x, v)].into_iter().chain(rest).chain([(all.hvp * v).sum().grad(x)]).collect()
}

fn run(tape: &Tape, backend: &dyn Backend, outputs: &[Var], inputs: &[&Array]) -> Vec<Array> {
    tape.compile(backend, outputs).unwrap().run(inputs).unwrap()
}

/// First derivatives are the same bits on the oracle; where transforms are nested the order
/// of sums differs, and on the kernels the fusion.
#[track_caller]
fn same(plain: &[Array], checkpointed: &[Array], exact: usize) {
    assert_eq!(plain.len(), checkpointed.len());
    assert_eq!(plain[..exact], checkpointed[..exact]);
    plain.iter().zip(checkpointed).for_each(|(a, b)| close(a, b, 1e-12));
}

#[test]
fn all_orders_of_a_deep_network_are_the_same() {
    for per in [1, 2, 5] {
        let outputs = |per| {
            let m = mlp(5, 3, 4, per);
            let x0 = numbers(12, 1.0).reshaped([4, 3]).unwrap();
            let (p0, v0) = (numbers(60, 0.8), numbers(60, 0.5));
            let outputs = derivatives(m.loss, m.params, m.direction);
            let inputs = [&p0, &x0, &v0];
            let cpu = Cpu::with_threads(1).unwrap();
            (run(&m.tape, &Interpreter, &outputs, &inputs), run(&m.tape, &cpu, &outputs, &inputs))
        };
        let ((oracle, kernels), (oracle_plain, kernels_plain)) = (outputs(per), outputs(0));
        same(&oracle_plain, &oracle, 3);
        same(&kernels_plain, &kernels, 0);
    }
}

#[test]
fn the_hessian_is_the_same() {
    let hessian = |per| {
        let m = mlp(2, 2, 3, per);
        let x0 = numbers(6, 1.0).reshaped([3, 2]).unwrap();
        let (p0, v0) = (numbers(12, 0.8), numbers(12, 0.0));
        run(&m.tape, &Cpu::with_threads(1).unwrap(), &[m.loss.hessian(m.params)], &[&p0, &x0, &v0])
    };
    same(&hessian(0), &hessian(1), 0);
}

#[test]
fn random_programs_in_a_checkpoint_have_the_same_derivatives() {
    for program in random_programs(200, 21, true) {
        let outputs = |checkpointed| {
            let tape = Tape::new();
            let mut recorded = None;
            maybe(checkpointed, tape.constant(DType::F64, 1.0), |_| {
                let r = program.record(&tape, DType::F64);
                let loss = r.loss;
                recorded = Some(r);
                loss
            });
            let recorded = recorded.unwrap();
            let x = recorded.x;
            let v = numbers(x.shape().count(), 1.0).reshaped(x.shape()).unwrap();
            let inputs: Vec<&Array> = recorded.values.iter().collect();
            let outputs = derivatives(recorded.loss, x, tape.literal(&v));
            let cpu = Cpu::with_threads(1).unwrap();
            (run(&tape, &Interpreter, &outputs, &inputs), run(&tape, &cpu, &outputs, &inputs))
        };
        let ((oracle, kernels), (oracle_plain, kernels_plain)) = (outputs(true), outputs(false));
        assert_eq!(oracle_plain[..3], oracle[..3], "{program:?}");
        for (plain, checkpointed) in [(oracle_plain, oracle), (kernels_plain, kernels)] {
            for (k, (a, b)) in plain.iter().zip(&checkpointed).enumerate() {
                let (a, b) = (a.to_f64_vec(), b.to_f64_vec());
                let scale = a.iter().fold(1.0, |s: f64, x| s.max(x.abs()));
                let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-11 * scale || a == b;
                assert!(a.iter().zip(&b).all(close), "{k}: {a:?} {b:?} in {program:?}");
            }
        }
    }
}

#[test]
fn a_deep_network_keeps_less() {
    let (layers, width, batch) = (20, 64, 256);
    type Derivative = fn(&Mlp) -> Vec<Var>;
    let grad: Derivative = |m| vec![m.loss, m.loss.grad(m.params)];
    let hvp: Derivative = |m| vec![m.loss.hvp(m.params, m.direction)];
    let third: Derivative = |m| vec![m.loss.second_directional_grad(m.params, m.direction).1];
    // What two kept values a layer become, and more where more are kept.
    for (name, derivative, most) in
        [("gradient", grad, 0.6), ("hvp", hvp, 0.4), ("third order", third, 0.35)]
    {
        let peaks = [0, 1, 5, 20].map(|per| {
            let m = mlp(layers, width, batch, per);
            let program = compile(&m, &derivative(&m));
            println!("{name}, {per}: peak {}, {} products", peak(&program), contractions(&program));
            peak(&program)
        });
        assert!(peaks[1] <= most * peaks[0], "{name}: {peaks:?}");
        assert!(peaks[2] <= most * peaks[0], "{name}: {peaks:?}");
    }
}

/// Reverse over forward computes value and slope of each layer once more, and no more.
#[test]
fn products_grow_by_those_of_one_evaluation() {
    let layers = 6;
    for per in [1, 2, 6] {
        let count = |per, outputs: fn(&Mlp) -> Vec<Var>| {
            let m = mlp(layers, 8, 4, per);
            contractions(&compile(&m, &outputs(&m)))
        };
        let grad = |per| count(per, |m| vec![m.loss, m.loss.grad(m.params)]);
        assert_eq!(grad(per), grad(0) + layers);
        let jvp = |per| count(per, |m| vec![m.loss.jvp(m.params, m.direction)]);
        assert_eq!(jvp(per), jvp(0));
        let hvp = |per| count(per, |m| vec![m.loss.hvp(m.params, m.direction)]);
        assert_eq!(hvp(per), hvp(0) + jvp(0));
        let all = |per| {
            count(per, |m| {
                let all = m.loss.value_grad_hvp(m.params, m.direction);
                vec![all.value, all.grad, all.hvp]
            })
        };
        assert_eq!(all(per), all(0) + jvp(0));
    }
}

#[test]
fn the_same_derivative_recorded_twice_is_computed_once() {
    let m = mlp(4, 8, 4, 1);
    let once = compile(&m, &[m.loss.grad(m.params)]).primitives();
    let twice = compile(&m, &[m.loss.grad(m.params), m.loss.grad(m.params)]).primitives();
    assert_eq!(once, twice);
}

#[test]
fn dropout_draws_the_same_mask_again() {
    let outputs = |checkpointed| {
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, [64]);
        let key = tape.input("key", DType::U32, [2]);
        let h = maybe(checkpointed, x, |x| {
            let kept = key.uniform(0, DType::F32, x.shape()).ge(0.5);
            kept.select(x.exp() * 2.0, 0.0).sin()
        });
        let f = h.square().sum();
        let outputs = [h, f.grad(x), f.hvp(x, x)];
        let program = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
        let drawn = program.op_counts()["uniform"];
        (drawn, program.run(&[&numbers(64, 1.0), &Array::vector([3u32, 4])]).unwrap())
    };
    let ((drawn, out), (drawn_plain, plain)) = (outputs(true), outputs(false));
    assert!(drawn > drawn_plain, "the mask is kept: {drawn} {drawn_plain}");
    same(&plain, &out, 1);
    // Where the mask is zero there are no derivatives.
    let zeros = |a: &Array| a.to_f64_vec().iter().map(|&x| x == 0.0).collect::<Vec<_>>();
    assert_eq!(zeros(&out[0]), zeros(&out[1]));
    assert_eq!(zeros(&out[0]), zeros(&out[2]));
}

/// `f` of a variable with and without its checkpoints: all derivatives, on both backends.
fn check(f: impl Fn(&Tape, Var, bool) -> Var) {
    for backend in [&Interpreter as &dyn Backend, &Cpu::with_threads(1).unwrap()] {
        let [plain, checkpointed] = [false, true].map(|checkpointed| {
            let tape = Tape::new();
            let x = tape.input("x", DType::F64, [4]);
            let v = tape.input("v", DType::F64, [4]);
            let outputs = derivatives(f(&tape, x, checkpointed), x, v);
            run(&tape, backend, &outputs, &[&numbers(4, 0.9), &numbers(4, 0.6)])
        });
        same(&plain, &checkpointed, 0);
    }
}

#[test]
fn checkpoints_inside_checkpoints() {
    check(|_, x, c| {
        let h = maybe(c, x, |x| {
            let h = maybe(c, x.exp(), |h| maybe(c, h.sin(), |h| (h * x).square()) + h.square());
            maybe(c, h, |h| h.tanh() * h)
        });
        (h * x).sum()
    });
    // The whole is its part.
    check(|_, x, c| maybe(c, x, |x| maybe(c, x, |x| (x * x.exp()).sin().sum())));
}

/// The inner recomputation costs its own evaluations: forward, for the outer, for itself.
#[test]
fn each_level_costs_one_more_evaluation() {
    let count = |levels: usize| {
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, [3, 3]);
        let mut f: Box<dyn FnOnce(Var) -> Var> = Box::new(|x| x.matmul(x).sin().matmul(x).exp());
        for _ in 0..levels {
            let inner = f;
            f = Box::new(move |x| (x.square().checkpoint(inner)).tanh());
        }
        let gradient = f(x).sum().grad(x);
        contractions(&tape.compile(&Interpreter, &[gradient]).unwrap())
    };
    assert_eq!(count(1), count(0) + 2);
    assert_eq!(count(2), count(1) + 2);
    assert_eq!(count(3), count(2) + 2);
}

#[test]
fn captured_values_and_derivatives_inside() {
    check(|tape, x, c| {
        let w = (x.flip(&[0]) * tape.iota(4).cast(DType::F64)).sin();
        let h = maybe(c, x, |x| (x * w).exp() + (w * w).tanh());
        (h * w).sum()
    });
    check(|_, x, c| {
        let slope = |x: Var| (x * x.sin()).sum().grad(x);
        let h = maybe(c, x, slope);
        maybe(c, h, |h| (h * x).square().sum().hvp(h, x)).sum().tanh()
    });
}

#[test]
fn the_same_function_twice() {
    check(|_, x, c| {
        let f = |x: Var| (x.exp() * x).sin();
        let (a, b) = (maybe(c, x, f), maybe(c, x, f));
        let other = maybe(c, x.square(), f);
        (a * b + other * f(x)).sum()
    });
    // Plainly first: then nothing is left to checkpoint.
    check(|_, x, c| {
        let f = |x: Var| (x.exp() * x).sin();
        (f(x) * maybe(c, x, f)).sum()
    });
}

#[test]
fn inputs_and_outputs_of_every_kind() {
    let tape = Tape::new();
    let (x, y) = (tape.input("x", DType::F64, [2]), tape.input("y", DType::F64, [2]));
    // An output that is an input, an input that is not used, no outputs.
    let out = checkpoint(&[x, y], |v| vec![v[0], v[0].exp().sin(), v[0].floor()]);
    assert!(checkpoint(&[x, y], |_| Vec::new()).is_empty());
    let f = (out[0] * out[1]).sum() + out[2].sum();
    assert_eq!(f.grad(y).constant_value(), Some(0.0));
    let expected = ((x * x.exp().sin()).sum()).grad(x);
    let r = run(&tape, &Interpreter, &[f.grad(x), expected], &[&numbers(2, 1.0), &numbers(2, 1.0)]);
    close(&r[0], &r[1], 1e-14);
    // Derivatives with respect to an output, of a derivative with respect to the input.
    let mixed = |c| {
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, [2]);
        let mut inner = x;
        let h = maybe(c, x, |x| {
            inner = x.exp();
            inner.sin()
        });
        let f = (h.square() * h).sum();
        let g = (f.grad(x) * x).sum();
        let outputs = [g.grad(h), g.grad(inner), f.jvp(x, x).grad(h), f.grad(h).vjp(h, x)];
        run(&tape, &Interpreter, &outputs, &[&numbers(2, 1.0)])
    };
    same(&mixed(false), &mixed(true), 0);
}

#[test]
fn bound_programs_keep_what_does_not_change() {
    let m = mlp(3, 4, 4, 1);
    let program = compile(&m, &[m.loss.hvp(m.params, m.direction)]);
    let (p0, v0) = (numbers(60, 0.8), numbers(60, 0.5));
    let x0 = numbers(16, 1.0).reshaped([4, 4]).unwrap();
    let bound = program.bind(&[&p0, &x0]).unwrap();
    for _ in 0..2 {
        close(&bound.run(&[&v0]).unwrap()[0], &program.run(&[&p0, &x0, &v0]).unwrap()[0], 1e-13);
    }
}

/// No recursion, and nothing quadratic, over long chains and many checkpoints.
#[test]
fn long_chains_of_checkpoints() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, ());
    let step = |y: Var| (y.sin() + x) * 0.5;
    let y = (0..2_000).fold(x, |y, _| y.checkpoint(|y| (0..25).fold(y, |y, _| step(y))));
    let g = y.grad(x);
    let out = run(&tape, &Cpu::with_threads(1).unwrap(), &[g], &[&Array::scalar(0.7)]);
    assert!(out[0].item().unwrap().is_finite());
    let deep: Box<dyn FnOnce(Var) -> Var> = Box::new(|y| y.sin());
    let nest = |inner: Box<dyn FnOnce(Var) -> Var>| -> Box<dyn FnOnce(Var) -> Var> {
        Box::new(move |y: Var| y.exp().checkpoint(inner).sin())
    };
    let deep = (0..50).fold(deep, |inner, _| nest(inner));
    assert!(deep(x * 1e-3).grad(x).constant_value().is_none());
    assert!(tape.error().is_none());
}
