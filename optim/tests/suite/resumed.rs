//! Every estimator and measure: the same bits when repeated, on one thread and on two, when
//! stopped and resumed; also where vectors are long enough to be shared among threads.

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::penalty::{Ball, GradientDirection, Memory, Rademacher};
use burlap_optim::{
    Decay, Estimator, Method, Objective, Optimizer, Schedule, Sgd, Sharpness, SharpnessMethod,
    Training,
};

/// Longer than what one thread fills with random numbers, and than a few tiles.
const LONG: usize = 70_000;
const SHORT: usize = 500;

/// Σ log(1 + (aᵢ xᵢ)²) + a few links of neighbours: Hessians are indefinite.
fn loss(x: Var, batch: &[Var]) -> Var {
    let n = x.shape().count();
    let links = x.slice_axis(0, 0, n - 1) * x.slice_axis(0, 1, n);
    ((batch[0] * x).square() + 1.0).log().mean() + 0.1 * links.sin().mean()
}

fn batch(n: usize, step: u64) -> [Array; 1] {
    let wave = |i: usize| 1.5 + (i as f64 * 0.37 + step as f64).sin();
    [Array::vector((0..n).map(wave).collect::<Vec<f64>>())]
}

type Make = fn() -> SharpnessMethod;

fn with(sharpness: Sharpness, samples: usize) -> SharpnessMethod {
    SharpnessMethod::new(sharpness.with_rho(0.3), 0.5, samples, 9).unwrap()
}

const METHODS: [(&str, Make); 10] = [
    ("one-sided", || with(Sharpness::published_frobenius(), 2)),
    ("central", || with(Sharpness::trace_on_sphere().with_estimator(Estimator::Central), 2)),
    ("products", || with(Sharpness::frobenius_by_hvp(), 1)),
    ("one at a time", || {
        let exact = Sharpness::log_det(0.5).with_estimator(Estimator::Exact);
        with(exact, 3).with_memory(Memory::OneAtATime)
    }),
    ("kept together", || with(Sharpness::log_det(0.5).with_estimator(Estimator::Exact), 5)),
    ("scale-invariant", || {
        with(Sharpness::frobenius().scale_invariant().with_estimator(Estimator::Exact), 2)
    }),
    ("ball", || with(Sharpness::tilted(0.1, Ball).unwrap(), 2)),
    ("signs", || with(Sharpness::custom("signs", |t| vec![t], |a| a[0], Rademacher), 1)),
    ("gradient", || {
        let measure = GradientDirection;
        with(Sharpness::custom("gradient", |t| vec![t], |a| a[0], measure), 1)
    }),
    ("max-eigen", || with(Sharpness::max_eigen(), 1)),
];

fn training(method: impl Method + 'static, n: usize, threads: usize) -> Training {
    let cpu = Cpu::with_threads(threads).unwrap();
    let objective = Objective::new(cpu.clone(), DType::F64, n, loss);
    let rule = Sgd::new().with_momentum(0.9);
    let optimizer = Optimizer::new(rule, &cpu, DType::F64, n).unwrap();
    let schedule = Schedule::new(0.05, Decay::Step { every: 7, factor: 0.5 }).unwrap();
    let start: Vec<f64> = (0..n).map(|i| (i as f64 * 1.3).sin()).collect();
    Training::new(objective, method, optimizer, schedule, Array::vector(start)).unwrap()
}

fn advance(training: &mut Training, to: u64) {
    let n = training.parameters().len();
    while training.steps() < to {
        training.step(&batch(n, training.steps())).unwrap();
    }
}

#[test]
fn thirty_steps_repeat_and_resume_to_the_bit() {
    for (name, make) in METHODS {
        let mut one = training(make(), SHORT, 1);
        advance(&mut one, 11);
        let stopped = one.state();
        advance(&mut one, 30);
        for threads in [1, 2] {
            let mut again = training(make(), SHORT, threads);
            advance(&mut again, 30);
            assert_eq!(one.state(), again.state(), "{name} on {threads} threads");
        }
        // A new run with another seed, of which nothing is left.
        let mut resumed = training(make(), SHORT, 2);
        advance(&mut resumed, 2);
        resumed.restore(&stopped).unwrap();
        assert_eq!((resumed.steps(), resumed.state()), (11, stopped), "{name}");
        advance(&mut resumed, 30);
        assert_eq!(one.state(), resumed.state(), "{name} resumed");
    }
}

#[test]
fn long_vectors_have_the_same_bits_on_any_number_of_threads() {
    for (name, make) in METHODS {
        let [one, two] = [1, 2].map(|threads| {
            let mut run = training(make(), LONG, threads);
            advance(&mut run, 2);
            run.state()
        });
        assert!(one == two, "{name}");
    }
}

#[test]
fn steps_and_seeds_draw_other_directions() {
    // The same point and batch: only the draws differ, except where there are none.
    let objective = Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, SHORT, loss);
    let x = Array::vector((0..SHORT).map(|i| (i as f64 * 1.3).sin()).collect::<Vec<f64>>());
    // Max-eigen is left out: its iteration begins where the former one ended.
    for (name, make) in METHODS.into_iter().filter(|m| m.0 != "max-eigen") {
        let mut method = make();
        let mut gradient =
            |step| method.evaluate(&objective, &x, &batch(SHORT, 0), step).unwrap().gradient;
        let [first, second, again] = [gradient(0), gradient(1), gradient(0)];
        let drawn = name != "gradient";
        assert_eq!(first != second, drawn, "{name}");
        assert_eq!(first, again, "{name}");
        if drawn {
            let mut state = make().state();
            state.numbers.insert("seed".into(), 10);
            let mut other = make();
            other.restore(&state).unwrap();
            let found = other.evaluate(&objective, &x, &batch(SHORT, 0), 0).unwrap().gradient;
            assert_ne!(found, first, "{name}");
        }
    }
}
