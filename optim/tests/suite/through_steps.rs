//! Derivatives through recorded steps of Adam and AdamW, with elements whose gradient is exactly 0
//! among others: closed forms, differences, and the bits of the steps themselves.

use burlap_autodiff::{Array, Cpu, DType, Tape, Var};
use burlap_optim::{Adam, AdamW, Error, Optimizer, Stateful, Update, UpdateRule};

/// Slopes of the gradients gᵢ = hᵢ pᵢ; the third has none.
const SLOPES: [f64; 4] = [2.0, 1.0, 0.0, -1.5];
/// The first and the last gradient are 0 too, at these parameters.
const START: [f64; 4] = [0.0, 0.3, -0.5, 0.0];
const RATE: f64 = 0.05;
const DECAY: f64 = 0.1;

/// Parameters after some steps.
fn steps(rule: &dyn UpdateRule, count: u32, start: Var, rate: Var, slopes: Var) -> Var {
    let mut x = start;
    let mut state = vec![start.constant_like(0.0); rule.state_names().len()];
    for step in 1..=count {
        let step = rate.constant_like(f64::from(step));
        let update = Update::new(x, slopes * x, rate, step, &state);
        (x, state) = rule.record(&update);
    }
    x
}

/// Runs what is recorded of start, rate and slopes.
fn run(
    dtype: DType,
    values: (&[f64], f64, &[f64]),
    record: impl Fn(Var, Var, Var) -> Vec<Var>,
) -> Vec<Vec<f64>> {
    let tape = Tape::new();
    let n = values.0.len();
    let (x, rate) = (tape.input("x", dtype, [n]), tape.input("rate", dtype, ()));
    let h = tape.input("slopes", dtype, [n]);
    let program = tape.compile(&Cpu::with_threads(1).unwrap(), &record(x, rate, h)).unwrap();
    let vector = |v: &[f64]| Array::from_f64(dtype, [n], v).unwrap();
    let inputs = [vector(values.0), Array::full(dtype, (), values.1), vector(values.2)];
    let outputs = program.run(&[&inputs[0], &inputs[1], &inputs[2]]).unwrap();
    outputs.iter().map(Array::to_f64_vec).collect()
}

fn near(found: f64, expected: f64, relative: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(error <= relative * expected.abs().max(1.0), "{what}: {found} {expected}");
}

#[test]
fn one_step_has_the_derivatives_of_its_closed_form() {
    // Of the first step x' = x − r (g/(√(g² + ε_root) + ε) + wx).
    for (epsilon, root) in [(1e-8, 0.0), (1e-3, 0.0), (1e-8, 1e-6), (1e-3, 0.01)] {
        let adam = Adam::new().with_epsilon(epsilon).with_epsilon_root(root);
        let adam_w = AdamW::new().with_epsilon(epsilon).with_epsilon_root(root);
        let adam_w = adam_w.with_weight_decay(DECAY);
        let rules: [(&dyn UpdateRule, f64); 2] = [(&adam, 0.0), (&adam_w, DECAY)];
        for ((rule, decay), dtype) in
            rules.into_iter().flat_map(|r| [(r, DType::F32), (r, DType::F64)])
        {
            let found = run(dtype, (&START, RATE, &SLOPES), |x, rate, h| {
                let sum = steps(rule, 1, x, rate, h).sum();
                vec![sum.grad(x), sum.grad(rate), sum.hessian(x), sum.grad(rate).grad(x)]
            });
            // Rounding of some ten operations on numbers up to 1/ε.
            let tolerance = if dtype == DType::F32 { 2e-5 } else { 1e-12 };
            let what = format!("{}, {dtype}, ε {epsilon}, {root}", rule.name());
            let mut by_rate = 0.0;
            for (i, (x, h)) in START.into_iter().zip(SLOPES).enumerate() {
                let g = h * x;
                let v = (g * g + root).sqrt();
                let step = g / (v + epsilon);
                // v' = g/v, v'' = ε_root/v³, by g; at g = v = 0 they are as if they were 0.
                let (slope, bend) = if v == 0.0 { (0.0, 0.0) } else { (g / v, root / v.powi(3)) };
                let first = (v + epsilon - g * slope) / (v + epsilon).powi(2);
                let second =
                    -(g * bend + 2.0 * slope * first * (v + epsilon)) / (v + epsilon).powi(2);
                by_rate -= step + decay * x;
                near(found[0][i], 1.0 - RATE * (h * first + decay), tolerance, &what);
                near(found[3][i], -(h * first + decay), tolerance, &what);
                for j in 0..4 {
                    let expected = if i == j { -RATE * h * h * second } else { 0.0 };
                    // Terms of 1/ε² cancel to this.
                    let scale = if g == 0.0 { 1.0 } else { expected.abs() + RATE / (v * v) };
                    near(found[2][4 * i + j] / scale, expected / scale, tolerance, &what);
                }
            }
            near(found[1][0], by_rate, tolerance, &what);
        }
    }
}

#[test]
fn derivatives_through_several_steps_are_those_of_differences() {
    let adam = Adam::new().with_betas(0.8, 0.9).with_epsilon(0.1);
    let adam_w = AdamW::new().with_betas(0.8, 0.9).with_epsilon(0.1);
    let decayed = adam.with_weight_decay(DECAY);
    let rules: [&dyn UpdateRule; 3] = [&adam, &decayed, &adam_w.with_weight_decay(DECAY)];
    for rule in rules {
        // Weights and squares, so that elements differ and the rate has a second derivative.
        let at = |x: &[f64], rate: f64| {
            run(DType::F64, (x, rate, &SLOPES), |x, rate, h| {
                let end = steps(rule, 5, x, rate, h);
                let target = (end.square() * (1.0 + h)).sum() + end.sum();
                let gradients = target.grads(&[x, rate]);
                let mixed = gradients[1].grad(x);
                vec![
                    target,
                    gradients[0],
                    gradients[1],
                    target.hessian(x),
                    mixed,
                    gradients[1].grad(rate),
                ]
            })
        };
        let found = at(&START, RATE);
        assert!(found.iter().flatten().all(|x| x.is_finite()), "{found:?}");
        // At a zero gradient first derivatives have a kink: central differences of them are the
        // mean of both sides. Others are wrong by a few times the step over ε for each of 5 steps.
        let (step, tolerance) = (1e-8, 1e-5);
        let difference = |k: usize, i: Option<usize>, j: usize| {
            let moved = |sign: f64| {
                let (mut x, mut rate) = (START, RATE);
                match i {
                    Some(i) => x[i] += sign * step,
                    None => rate += sign * step,
                }
                at(&x, rate)[k][j]
            };
            (moved(1.0) - moved(-1.0)) / (2.0 * step)
        };
        let name = rule.name();
        near(found[2][0], difference(0, None, 0), tolerance, name);
        near(found[5][0], difference(2, None, 0), tolerance, name);
        for i in 0..4 {
            near(found[1][i], difference(0, Some(i), 0), tolerance, name);
            near(found[4][i], difference(2, Some(i), 0), tolerance, name);
            for j in 0..4 {
                near(found[3][4 * i + j], difference(1, Some(i), j), tolerance, name);
            }
        }
    }
}

#[test]
fn gradients_of_any_size_have_the_derivative_of_their_own() {
    // Squares of the small ones are subnormal or 0.
    let sizes = [0.0, 1e-300, 1e-170, 1e-160, 1e-155, 1e-150, 1e-100, 1e-20, 1e-8, 1.0, 1e100];
    let small = [0.0, 1e-40, 1e-30, 1e-22, 1e-20, 1e-18, 1e-13, 1e-8, 1e-3, 1.0, 1e15];
    for (dtype, sizes) in [(DType::F64, sizes), (DType::F32, small)] {
        let found = run(dtype, (&sizes, 1.0, &[1.0; 11]), |x, rate, h| {
            vec![(x - steps(&Adam::new(), 1, x, rate, h)).sum().grad(x)]
        });
        for (size, found) in sizes.iter().zip(&found[0]) {
            // ε/(g + ε)², of which little remains of numbers near 1 where g is large.
            let expected = 1e-8 / (size + 1e-8).powi(2);
            let tolerance = if dtype == DType::F32 { 2e-4 } else { 1e-10 };
            near(*found, expected, tolerance, &format!("{dtype} {size:e}"));
        }
    }
}

/// Adam's step as it is written down.
#[derive(Debug)]
struct Textbook;

impl Stateful for Textbook {
    fn state_names(&self) -> &[&'static str] {
        &["m", "v"]
    }
}

impl UpdateRule for Textbook {
    fn name(&self) -> &'static str {
        "textbook"
    }

    fn record(&self, u: &Update<'_>) -> (Var, Vec<Var>) {
        let m = 0.9 * u.state[0] + (1.0 - 0.9) * u.gradient;
        let v = 0.999 * u.state[1] + (1.0 - 0.999) * u.gradient * u.gradient;
        let unbiased = |x: Var, beta: f64| x / -(u.step * beta.ln()).expm1();
        let step = unbiased(m, 0.9) / (unbiased(v, 0.999).sqrt() + 1e-8);
        (u.parameters - u.rate * step, vec![m, v])
    }

    fn check(&self) -> burlap_optim::Result<()> {
        Ok(())
    }
}

#[test]
fn steps_are_the_bits_of_the_formula_without_a_guard() {
    let gradients =
        [0.0, -0.0, 1e-45, 1e-30, -1e-22, 1e-19, 1e-10, 0.3, -7.0, 1e-300, 1e-160, 1e15];
    for dtype in [DType::F32, DType::F64] {
        let mut ends = Vec::new();
        let rules: [Box<dyn UpdateRule>; 2] = [Box::new(Adam::new()), Box::new(Textbook)];
        for rule in rules {
            let mut optimizer = Optimizer::new(rule, &Cpu::new(), dtype, 12).unwrap();
            let mut x = Array::full(dtype, [12], 1e-3);
            for step in 0..8 {
                let mut g = gradients;
                g.rotate_right(step % 3);
                optimizer.step(&mut x, &Array::from_f64(dtype, [12], &g).unwrap(), 0.1).unwrap();
            }
            ends.push(x.to_f64_vec().into_iter().map(f64::to_bits).collect::<Vec<_>>());
        }
        assert_eq!(ends[0], ends[1], "{dtype}");
    }
}

#[test]
fn a_root_epsilon_below_zero_is_refused() {
    for bad in [-1e-8, f64::NAN] {
        let rule = Adam::new().with_epsilon_root(bad);
        let error = Optimizer::new(rule, &Cpu::new(), DType::F64, 1).unwrap_err();
        assert!(matches!(error, Error::Setting { name: "epsilon root", .. }), "{error}");
    }
}
