//! What failed has changed nothing, and says what it was that failed.

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::penalty::{DirectionDistribution, Drawn, Memory, Source, Sphere};
use burlap_optim::{
    Adam, Decay, Error, Estimator, Method, Objective, Optimizer, Sam, Schedule, Sharpness,
    SharpnessMethod, State, Stateful, Training,
};

/// ½xᵀdiag(1, 2, 3)x − log(b − x₀): a wall at x₀ = b.
fn wall(x: Var, batch: &[Var]) -> Var {
    let quadratic = x.at(0).square() + 2.0 * x.at(1).square() + 3.0 * x.at(2).square();
    0.5 * quadratic - (batch[0] - x.at(0)).log()
}

const WALL: u32 = line!() - 3;

fn at_wall(distance: f64) -> [Array; 1] {
    [Array::scalar(0.5 + distance)]
}

fn objective() -> Objective {
    Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 3, wall)
}

fn max_eigen(estimator: Estimator) -> SharpnessMethod {
    let sharpness = Sharpness::max_eigen().with_estimator(estimator).with_rho(0.1);
    SharpnessMethod::new(sharpness, 1.0, 1, 1).unwrap()
}

fn training(method: impl Method + 'static, base: f64, decay: Decay) -> Training {
    let optimizer = Optimizer::new(Adam::new(), &Cpu::new(), DType::F64, 3).unwrap();
    let schedule = Schedule::new(base, decay).unwrap();
    let x = Array::vector([0.5, 0.4, -0.3]);
    Training::new(objective(), method, optimizer, schedule, x).unwrap()
}

#[test]
fn a_step_that_fails_after_its_directions_are_known_changes_nothing() {
    // The wall is beyond x but before x + ρv: the top eigenvector, which the next iteration
    // starts from, is found already when the loss turns out to be NaN.
    for estimator in [Estimator::OneSided, Estimator::Central] {
        let mut run = training(max_eigen(estimator), 1e-3, Decay::Constant);
        run.step(&at_wall(4.0)).unwrap();
        let before = run.state();
        assert!(before.arrays.contains_key("method.top eigenvector"));
        let error = run.step(&at_wall(0.01)).unwrap_err();
        assert!(matches!(error, Error::NonFiniteLoss { .. }), "{estimator:?}: {error}");
        assert_eq!(run.state(), before, "{estimator:?}");
        run.step(&at_wall(4.0)).unwrap();
    }
}

#[test]
fn a_step_whose_rate_overflows_changes_nothing() {
    let decay = Decay::Step { every: 1, factor: 1e308 };
    let mut run = training(max_eigen(Estimator::Exact), 2.0, decay);
    run.step(&at_wall(100.0)).unwrap();
    let before = run.state();
    let error = run.step(&at_wall(50.0)).unwrap_err();
    assert_eq!(run.state(), before);
    let sentence = "adam: learning rate is inf, but must be finite and not negative";
    assert_eq!(error.to_string(), sentence);
}

/// A measure whose state never fits.
#[derive(Debug)]
struct Stubborn;

impl Stateful for Stubborn {
    fn restore(&self, _: &str, _: &State) -> burlap_optim::Result<Vec<Array>> {
        Err(Error::State { of: "stubborn".into(), problem: "no".into() })
    }
}

impl DirectionDistribution for Stubborn {
    fn name(&self) -> &str {
        "stubborn"
    }

    fn record(&self, source: &Source) -> Option<Drawn> {
        Sphere.record(source)
    }
}

#[test]
fn a_restore_that_fails_leaves_the_seed() {
    let method = |seed| {
        let sharpness = Sharpness::custom("stubborn", |t| vec![t], |a| a[0], Stubborn);
        SharpnessMethod::new(sharpness, 1.0, 1, seed).unwrap()
    };
    let mut one = method(1);
    assert!(one.restore(&method(2).state()).is_err());
    assert_eq!(one.state(), method(1).state());
    assert!(one.restore(&State::default()).is_err());
    // Within a run: optimizer and parameters stay as well.
    let mut run = training(method(1), 1e-3, Decay::Constant);
    run.step(&at_wall(4.0)).unwrap();
    let before = run.state();
    run.step(&at_wall(4.0)).unwrap();
    let after = run.state();
    assert!(run.restore(&before).is_err());
    assert_eq!(run.state(), after);
}

#[test]
fn a_state_of_another_run_is_refused() {
    let plain = |dim: usize| {
        let cpu = Cpu::new();
        let objective = Objective::new(cpu.clone(), DType::F64, dim, |x: Var, _: &[Var]| x.sum());
        let optimizer = Optimizer::new(Adam::new(), &cpu, DType::F64, dim).unwrap();
        let schedule = Schedule::new(0.1, Decay::Constant).unwrap();
        let x = Array::zeros(DType::F64, [dim]);
        Training::new(objective, burlap_optim::Plain, optimizer, schedule, x).unwrap()
    };
    let mut run = training(max_eigen(Estimator::Exact), 1e-3, Decay::Constant);
    run.step(&at_wall(4.0)).unwrap();
    let before = run.state();
    // No seed; another length; nothing at all.
    for state in [plain(3).state(), plain(4).state(), State::default()] {
        let error = run.restore(&state).unwrap_err();
        assert!(matches!(error, Error::State { .. }), "{error}");
        assert_eq!(run.state(), before);
    }
}

#[test]
fn perturbed_losses_that_are_not_finite_name_the_primitive_and_the_line() {
    let x = Array::vector([0.5, 0.4, -0.3]);
    let batch = at_wall(1e-6);
    let trace = |estimator, memory| {
        let sharpness = Sharpness::trace().with_estimator(estimator).with_rho(0.1);
        let method = SharpnessMethod::new(sharpness, 1.0, 40, 1).unwrap().with_memory(memory);
        Box::new(method) as Box<dyn Method>
    };
    let methods = [
        // The gradient points away from the wall's foot: the perturbed point lies behind it.
        Box::new(Sam::new(0.1).unwrap()) as Box<dyn Method>,
        trace(Estimator::OneSided, Memory::Keep),
        trace(Estimator::OneSided, Memory::OneAtATime),
        trace(Estimator::Central, Memory::Keep),
        trace(Estimator::Central, Memory::OneAtATime),
    ];
    for mut method in methods {
        let error = method.evaluate(&objective(), &x, &batch, 0).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::NonFiniteLoss { .. }), "{}: {text}", method.name());
        assert!(text.contains("the loss is NaN; first log: element 0"), "{text}");
        assert!(text.contains(&format!("{}:{WALL}", file!())), "{text}");
    }
}

#[test]
fn both_sides_of_a_central_difference_are_looked_at() {
    // log(−x) is NaN on one side only: the one that is not the first for one of the seeds.
    let sided = |x: Var, _: &[Var]| (0.05 - x).log().sum() + x.square().sum();
    let objective = Objective::new(Cpu::new(), DType::F64, 1, sided);
    for seed in 0..8 {
        let sharpness = Sharpness::trace_on_sphere().with_estimator(Estimator::Central);
        let mut method = SharpnessMethod::new(sharpness.with_rho(0.1), 1.0, 1, seed).unwrap();
        let error = method.evaluate(&objective, &Array::vector([0.0]), &[], 0).unwrap_err();
        assert!(matches!(error, Error::NonFiniteLoss { cause: Some(_), .. }), "{seed}: {error}");
    }
}

#[test]
fn curvatures_that_are_not_finite_are_found_among_several() {
    // The loss is 0 where its derivatives are not.
    let root = |x: Var, _: &[Var]| x.abs().sqrt().sum();
    let objective = Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 3, root);
    for memory in [Memory::Keep, Memory::OneAtATime] {
        let sharpness = Sharpness::trace().with_estimator(Estimator::Exact);
        let method = SharpnessMethod::new(sharpness, 1.0, 6, 1).unwrap();
        let mut method = method.with_memory(memory);
        let error = method.evaluate(&objective, &Array::vector([0.0; 3]), &[], 0).unwrap_err();
        assert!(matches!(error, Error::NonFiniteLoss { cause: Some(_), .. }), "{error}");
        assert!(error.to_string().contains(file!()), "{error}");
    }
}

#[test]
fn weights_that_single_precision_cannot_hold_are_an_error() {
    // e^t with t near 200, far below the limit of double precision: the published code, which
    // has one sample and f32, gets infinity times a difference of gradients.
    let steep = |x: Var, _: &[Var]| 300.0 * x.square().sum();
    let evaluate = |dtype| {
        let objective = Objective::new(Cpu::new(), dtype, 4, steep);
        let sharpness = Sharpness::published_determinant(0.5).with_rho(1.0);
        let mut method = SharpnessMethod::new(sharpness, 1.0, 1, 2).unwrap();
        method.evaluate(&objective, &Array::full(dtype, [4], 0.5), &[], 0)
    };
    let double = evaluate(DType::F64).unwrap();
    let value = double.sharpness.unwrap();
    assert!(value > 1e40 && double.gradient.to_f64_vec().iter().all(|g| g.is_finite()), "{value}");
    let error = evaluate(DType::F32).unwrap_err();
    let expected = "published determinant: the sharpness of 1 samples is inf";
    assert_eq!(error.to_string(), expected);
}
