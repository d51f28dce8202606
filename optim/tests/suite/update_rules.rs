//! Update rules against plain loops, clipping, schedules, settings, and states.

use burlap_autodiff::{Array, Cpu, DType};
use burlap_optim::{Adam, AdamW, Decay, Error, Lion, Optimizer, Schedule, Sgd, State, UpdateRule};

const DIM: usize = 7;

fn optimizer(rule: impl UpdateRule + 'static, dtype: DType, dim: usize) -> Optimizer {
    Optimizer::new(rule, &Cpu::with_threads(1).unwrap(), dtype, dim).unwrap()
}

fn error(rule: impl UpdateRule + 'static) -> String {
    Optimizer::new(rule, &Cpu::new(), DType::F64, 3).unwrap_err().to_string()
}

fn start() -> Vec<f64> {
    (0..DIM).map(|i| (i as f64 * 0.9).cos() - 0.2).collect()
}

/// A gradient that depends on the step and the parameters.
fn gradient(x: &[f64], step: usize) -> Vec<f64> {
    let g =
        |(i, x): (usize, &f64)| (i + 1) as f64 * x.sin() + 0.3 * ((step * (i + 2)) as f64).cos();
    x.iter().enumerate().map(g).collect()
}

fn rate(step: usize) -> f64 {
    0.05 / (1.0 + 0.1 * step as f64)
}

/// 50 steps of an optimizer; the last gradients are exactly zero.
fn run(mut optimizer: Optimizer, dtype: DType) -> Vec<f64> {
    let mut x = Array::from_f64(dtype, [DIM], &start()).unwrap();
    for step in 0..50 {
        let mut g = gradient(&x.to_f64_vec(), step);
        g.iter_mut().for_each(|g| *g *= f64::from(u8::from(step < 45)));
        let g = Array::from_f64(dtype, [DIM], &g).unwrap();
        optimizer.step(&mut x, &g, rate(step)).unwrap();
    }
    assert_eq!(optimizer.steps(), 50);
    x.to_f64_vec()
}

/// The same by a rule for one element: (x, gradient, rate, step from 1, its two states).
fn reference(rule: impl Fn(f64, f64, f64, i32, &mut [f64; 2]) -> f64) -> Vec<f64> {
    let mut x = start();
    let mut states = [[0.0; 2]; DIM];
    for step in 0..50 {
        let g = gradient(&x, step);
        for i in 0..DIM {
            let g = if step < 45 { g[i] } else { 0.0 };
            x[i] = rule(x[i], g, rate(step), step as i32 + 1, &mut states[i]);
        }
    }
    x
}

fn adam_direction(g: f64, t: i32, s: &mut [f64; 2], b1: f64, b2: f64, epsilon: f64) -> f64 {
    s[0] = b1 * s[0] + (1.0 - b1) * g;
    s[1] = b2 * s[1] + (1.0 - b2) * g * g;
    let (m, v) = (s[0] / (1.0 - b1.powi(t)), s[1] / (1.0 - b2.powi(t)));
    m / (v.sqrt() + epsilon)
}

type Rule = Box<dyn Fn(DType) -> Optimizer>;

/// Each rule, and where a plain loop arrives.
fn rules() -> Vec<(&'static str, Rule, Vec<f64>)> {
    fn make(rule: impl UpdateRule + Copy + 'static) -> Rule {
        Box::new(move |dtype| optimizer(rule, dtype, DIM))
    }
    let heavy = |x: f64, g: f64, rate: f64, s: &mut [f64; 2], decay: f64, nesterov: bool| {
        let g = g + decay * x;
        s[0] = 0.9 * s[0] + g;
        x - rate * if nesterov { g + 0.9 * s[0] } else { s[0] }
    };
    let lion = |x: f64, g: f64, rate: f64, s: &mut [f64; 2], decay: f64| {
        let mixed = 0.9 * s[0] + 0.1 * g;
        s[0] = 0.99 * s[0] + 0.01 * g;
        x - rate * (mixed.signum() + decay * x)
    };
    let momentum = Sgd::new().with_momentum(0.9);
    let nesterov = momentum.with_nesterov();
    vec![
        ("sgd", make(Sgd::new()), reference(|x, g, r, _, _| x - r * g)),
        (
            "weight decay",
            make(Sgd::new().with_weight_decay(0.1)),
            reference(|x, g, r, _, _| x - r * (g + 0.1 * x)),
        ),
        ("momentum", make(momentum), reference(|x, g, r, _, s| heavy(x, g, r, s, 0.0, false))),
        ("nesterov", make(nesterov), reference(|x, g, r, _, s| heavy(x, g, r, s, 0.0, true))),
        (
            "nesterov with decay",
            make(nesterov.with_weight_decay(0.2)),
            reference(|x, g, r, _, s| heavy(x, g, r, s, 0.2, true)),
        ),
        (
            "adam",
            make(Adam::new()),
            reference(|x, g, r, t, s| x - r * adam_direction(g, t, s, 0.9, 0.999, 1e-8)),
        ),
        (
            "adam with decay",
            make(Adam::new().with_betas(0.8, 0.95).with_epsilon(1e-3).with_weight_decay(0.1)),
            reference(|x, g, r, t, s| x - r * adam_direction(g + 0.1 * x, t, s, 0.8, 0.95, 1e-3)),
        ),
        (
            "adam without means",
            make(Adam::new().with_betas(0.0, 0.0).with_epsilon(0.1)),
            reference(|x, g, r, _, _| x - r * g / (g.abs() + 0.1)),
        ),
        (
            "adamw",
            make(AdamW::new()),
            reference(|x, g, r, t, s| {
                x - r * (adam_direction(g, t, s, 0.9, 0.999, 1e-8) + 0.01 * x)
            }),
        ),
        (
            "adamw, more decay",
            make(AdamW::new().with_betas(0.8, 0.95).with_epsilon(1e-3).with_weight_decay(0.5)),
            reference(|x, g, r, t, s| x - r * (adam_direction(g, t, s, 0.8, 0.95, 1e-3) + 0.5 * x)),
        ),
        ("lion", make(Lion::new()), reference(|x, g, r, _, s| lion(x, g, r, s, 0.0))),
        (
            "lion with decay",
            make(Lion::new().with_weight_decay(0.3)),
            reference(|x, g, r, _, s| lion(x, g, r, s, 0.3)),
        ),
    ]
}

#[test]
fn rules_follow_plain_loops() {
    for (name, make, expected) in rules() {
        let found = run(make(DType::F64), DType::F64);
        for (a, b) in found.iter().zip(&expected) {
            // 1 − βᵗ by expm1 and by powers differ by 1e-16 of 1, relative to 0.001 at first.
            assert!((a - b).abs() < 1e-12, "{name}: {found:?} {expected:?}");
        }
        let single = run(make(DType::F32), DType::F32);
        for (a, b) in single.iter().zip(&expected) {
            // 50 steps of 6e-8 relative rounding each, and Adam's quotients where gradients
            // change their sign.
            assert!((a - b).abs() < 5e-5, "{name} in f32: {single:?} {expected:?}");
        }
    }
}

#[test]
fn rules_differ_from_each_other() {
    let all = rules();
    for (i, (a, _, x)) in all.iter().enumerate() {
        for (b, _, y) in &all[..i] {
            let distance = x.iter().zip(y).fold(0.0f64, |m, (x, y)| m.max((x - y).abs()));
            assert!(distance > 1e-3, "{a} and {b} arrive at the same point");
        }
    }
}

#[test]
fn clipping_scales_long_gradients_only() {
    // Norms 5, 0.5 and 0 at a limit of 2.
    for (g, expected) in
        [([3.0, 4.0], [-1.2, -1.6]), ([0.3, 0.4], [-0.3, -0.4]), ([0.0; 2], [0.0; 2])]
    {
        let mut sgd = optimizer(Sgd::new(), DType::F64, 2).with_clipping(2.0).unwrap();
        let mut x = Array::vector([0.0, 0.0]);
        sgd.step(&mut x, &Array::vector(g), 1.0).unwrap();
        for (a, b) in x.to_f64_vec().iter().zip(expected) {
            assert!((a - b).abs() < 1e-15, "{g:?}: {x}");
        }
    }
    for norm in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let e = optimizer(Sgd::new(), DType::F64, 2).with_clipping(norm).unwrap_err();
        assert_eq!(
            e.to_string(),
            format!("sgd: clipping norm is {norm}, but must be positive and finite")
        );
    }
}

#[test]
fn weight_decay_is_not_clipped() {
    let rule = Sgd::new().with_weight_decay(1.0);
    let mut sgd = optimizer(rule, DType::F64, 1).with_clipping(1.0).unwrap();
    let mut x = Array::vector([10.0]);
    sgd.step(&mut x, &Array::vector([4.0]), 0.1).unwrap();
    assert!((x.item().unwrap() - (10.0 - 0.1 * (1.0 + 10.0))).abs() < 1e-14);
}

fn rates(decay: Decay, warm_up: u64, steps: &[u64]) -> Vec<f64> {
    let schedule = Schedule::new(2.0, decay).unwrap().with_warm_up(warm_up);
    steps.iter().map(|&s| schedule.rate(s)).collect()
}

#[test]
fn schedules_give_their_rates() {
    let last = u64::MAX;
    let step = Decay::Step { every: 3, factor: 0.5 };
    let milestones = |m: &[u64]| Decay::MultiStep { milestones: m.to_vec(), factor: 0.1 };
    let cosine = |floor| Decay::Cosine { total: 10, floor };
    let cases = [
        (Decay::Constant, 0, vec![0, 5, last], vec![2.0, 2.0, 2.0]),
        (Decay::Constant, 4, vec![0, 1, 3, 4, last], vec![0.5, 1.0, 2.0, 2.0, 2.0]),
        (Decay::Constant, 1, vec![0, 1], vec![2.0, 2.0]),
        (step.clone(), 0, vec![0, 2, 3, 5, 6, last], vec![2.0, 2.0, 1.0, 1.0, 0.5, 0.0]),
        // The steps of the warm-up count.
        (step, 2, vec![0, 1, 2, 3], vec![1.0, 2.0, 2.0, 1.0]),
        (milestones(&[2, 5]), 0, vec![0, 1, 2, 4, 5, last], vec![2.0, 2.0, 0.2, 0.2, 0.02, 0.02]),
        (milestones(&[0]), 0, vec![0], vec![0.2]),
        (milestones(&[]), 0, vec![0, 9], vec![2.0, 2.0]),
        (cosine(0.0), 0, vec![0, 5, 10, 11, last], vec![2.0, 1.0, 0.0, 0.0, 0.0]),
        (cosine(0.25), 0, vec![0, 5, 10, last], vec![2.0, 1.25, 0.5, 0.5]),
        (cosine(0.0), 2, vec![0, 1, 2, 6, 10], vec![1.0, 2.0, 2.0, 1.0, 0.0]),
        // A warm-up that is longer than the decay.
        (cosine(0.0), 12, vec![11, 12, 13, last], vec![2.0, 2.0, 0.0, 0.0]),
    ];
    for (decay, warm_up, steps, expected) in cases {
        let found = rates(decay.clone(), warm_up, &steps);
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-15, "{decay:?}, {warm_up}: {found:?} at {steps:?}");
        }
    }
}

#[test]
fn schedules_refuse_what_has_no_meaning() {
    let zero = "0, but must be positive";
    let ascending = |m: Vec<u64>| Decay::MultiStep { milestones: m, factor: 0.1 };
    let step = |every, factor| Decay::Step { every, factor };
    let cases = [
        (-0.1, Decay::Constant, "learning rate is -0.1"),
        (f64::NAN, Decay::Constant, "learning rate is NaN"),
        (f64::INFINITY, Decay::Constant, "learning rate is inf"),
        (0.1, step(0, 0.5), zero),
        (0.1, step(1, -0.5), "factor is -0.5"),
        (0.1, step(1, f64::NAN), "factor is NaN"),
        (0.1, ascending(vec![3, 3]), "milestones is [3, 3], but must be ascending"),
        (0.1, ascending(vec![5, 2]), "milestones is [5, 2], but must be ascending"),
        (0.1, Decay::Cosine { total: 0, floor: 0.0 }, zero),
        (0.1, Decay::Cosine { total: 5, floor: -1.0 }, "floor is -1"),
        (0.1, Decay::Cosine { total: 5, floor: f64::NAN }, "floor is NaN"),
    ];
    for (base, decay, words) in cases {
        let found = Schedule::new(base, decay.clone()).unwrap_err();
        assert!(matches!(found, Error::Setting { .. }), "{found:?}");
        assert!(found.to_string().contains(words), "{decay:?}: {found}");
    }
}

#[test]
fn settings_outside_their_range_are_errors_that_name_them() {
    let not_negative = "but must be finite and not negative";
    let below_one = "but must be at least 0 and below 1";
    let positive = "but must be positive and finite";
    let nan = f64::NAN;
    let cases = [
        (error(Sgd::new().with_momentum(-0.5)), format!("sgd: momentum is -0.5, {not_negative}")),
        (error(Sgd::new().with_momentum(nan)), format!("sgd: momentum is NaN, {not_negative}")),
        (
            error(Sgd::new().with_weight_decay(-1.0)),
            format!("sgd: weight decay is -1, {not_negative}"),
        ),
        (error(Adam::new().with_betas(1.0, 0.9)), format!("adam: beta1 is 1, {below_one}")),
        (error(Adam::new().with_betas(0.9, -0.1)), format!("adam: beta2 is -0.1, {below_one}")),
        (error(Adam::new().with_betas(0.9, nan)), format!("adam: beta2 is NaN, {below_one}")),
        (error(Adam::new().with_epsilon(0.0)), format!("adam: epsilon is 0, {positive}")),
        (
            error(AdamW::new().with_epsilon(-1e-8)),
            format!("adamw: epsilon is -0.00000001, {positive}"),
        ),
        (
            error(AdamW::new().with_weight_decay(nan)),
            format!("adamw: weight decay is NaN, {not_negative}"),
        ),
    ];
    for (found, expected) in cases {
        assert_eq!(found, expected);
    }
}

#[test]
fn what_does_not_fit_a_step_is_an_error_and_changes_nothing() {
    let mut adam = optimizer(Adam::new(), DType::F64, 2);
    let mut x = Array::vector([1.0, 2.0]);
    let g = Array::vector([0.5, 0.5]);
    adam.step(&mut x, &g, 0.1).unwrap();
    let (state, before) = (adam.state(), x.clone());
    let expect = |found: Error, sentence: &str| assert_eq!(found.to_string(), sentence);
    for (rate, text) in [(-0.1, "-0.1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        let found = adam.step(&mut x, &g, rate).unwrap_err();
        expect(
            found,
            &format!("adam: learning rate is {text}, but must be finite and not negative"),
        );
    }
    let found = adam.step(&mut x, &Array::vector([0.5]), 0.1).unwrap_err();
    expect(found, "adam: expected f64[2], found f64[1]");
    let found = adam.step(&mut x, &g.cast(DType::F32), 0.1).unwrap_err();
    expect(found, "adam: expected f64[2], found f32[2]");
    let found = adam.step(&mut Array::vector([1.0; 3]), &g, 0.1).unwrap_err();
    expect(found, "adam: expected f64[2], found f64[3]");
    assert_eq!((adam.state(), x), (state, before));
}

#[test]
fn a_restored_state_goes_on_to_the_bit() {
    for (name, make, _) in rules() {
        let mut first = make(DType::F64);
        let mut x = Array::vector(start());
        let advance = |o: &mut Optimizer, x: &mut Array, from: usize| {
            for step in from..from + 10 {
                let g = Array::vector(gradient(&x.to_f64_vec(), step));
                o.step(x, &g, rate(step)).unwrap();
            }
        };
        advance(&mut first, &mut x, 0);
        let (state, mut y) = (first.state(), x.clone());
        advance(&mut first, &mut x, 10);
        let mut second = make(DType::F64);
        second.restore(&state).unwrap();
        advance(&mut second, &mut y, 10);
        assert_eq!((&x, first.state()), (&y, second.state()), "{name}");
        assert_eq!(second.steps(), 20);
    }
}

#[test]
fn a_foreign_state_is_refused_and_changes_nothing() {
    let sgd = || optimizer(Sgd::new(), DType::F64, 2);
    let momentum = |dim, dtype| optimizer(Sgd::new().with_momentum(0.9), dtype, dim);
    let adam = || optimizer(Adam::new(), DType::F64, 2);
    let f64s = |dim| momentum(dim, DType::F64);
    let cases: [(&str, Optimizer, State); 7] = [
        ("nothing", sgd(), State::default()),
        ("adam into momentum", f64s(2), adam().state()),
        ("momentum into adam", adam(), f64s(2).state()),
        ("adam into plain sgd", sgd(), adam().state()),
        ("plain sgd into momentum", f64s(2), sgd().state()),
        ("another length", f64s(2), f64s(3).state()),
        ("another type", f64s(2), momentum(2, DType::F32).state()),
    ];
    for (what, mut optimizer, state) in cases {
        let mut x = Array::vector([1.0, 2.0]);
        optimizer.step(&mut x, &Array::vector([0.5, 0.5]), 0.1).unwrap();
        let before = optimizer.state();
        let found = optimizer.restore(&state).expect_err(what);
        assert!(matches!(found, Error::State { .. }), "{what}: {found}");
        assert_eq!(optimizer.state(), before, "{what}");
    }
}

#[test]
fn a_decoupled_term_passes_momenta_and_clipping_by() {
    let make = || {
        let rule = Adam::new().with_weight_decay(0.1);
        Optimizer::new(rule, &Cpu::new(), DType::F64, 2).unwrap().with_clipping(0.5).unwrap()
    };
    let (mut plain, mut with) = (make(), make());
    let mut x = Array::vector([1.0, -2.0]);
    let (g, d) = (Array::vector([3.0, 4.0]), Array::vector([0.7, -0.2]));
    for _ in 0..3 {
        let mut expected = x.clone();
        plain.step(&mut expected, &g, 0.1).unwrap();
        with.step_decoupled(&mut x, &g, Some(&d), 0.1).unwrap();
        for (i, d) in [(0, 0.7), (1, -0.2)] {
            let expected = expected.get(&[i]).unwrap() - 0.1 * d;
            assert!((x.get(&[i]).unwrap() - expected).abs() < 1e-15);
        }
    }
    assert_eq!(plain.state(), with.state());
    // Then without one again, and with one that is not finite.
    let before = x.clone();
    let bad = Array::vector([f64::INFINITY, 0.0]);
    let error = with.step_decoupled(&mut x, &g, Some(&bad), 0.1).unwrap_err();
    assert!(matches!(error, Error::NonFiniteGradient { .. }), "{error}");
    assert!(matches!(
        with.step_decoupled(&mut x, &g, Some(&Array::vector([1.0])), 0.1),
        Err(Error::Vector { .. })
    ));
    assert_eq!((&x, with.state()), (&before, plain.state()));
    with.step(&mut x, &g, 0.1).unwrap();
    assert_eq!(with.steps(), 4);
}
