//! Programs are known by what they compute: no name of a user's is the library's or another
//! formula's, what changes its formula takes a program of its own, and those used last are kept.
#![allow(clippy::single_range_in_vec_init)]

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::curvature::{Curvature, CurvatureOperator, LinearOperator};
use burlap_optim::{
    Combination, Combined, Combining, Error, Estimator, Method, Objective, Recording, Result, Sam,
    Sharpness, Stateful,
};
use std::sync::Arc;

/// x₀² + 3x₁² + x₀x₁²
fn objective() -> Objective {
    let loss =
        |x: Var, _: &[Var]| x.at(0).square() + 3.0 * x.at(1).square() + x.at(0) * x.at(1).square();
    Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 2, loss)
}

fn point() -> Array {
    Array::vector([1.0, 2.0])
}

/// What the objective itself computes under any name.
fn own(objective: &Objective) -> (f64, Array, Array, f64) {
    let (x, v) = (point(), Array::vector([1.0, 1.0]));
    let (value, gradient) = objective.value_grad(&x, &[]).unwrap();
    assert_eq!(objective.value(&x, &[]).unwrap(), value);
    let curvature = objective.curvature(&x, &[], &v).unwrap().0;
    (value, gradient, objective.hvp(&x, &[], &v).unwrap(), curvature)
}

#[test]
fn a_users_name_is_never_the_librarys() {
    let expected = own(&objective());
    assert_eq!(expected.0, 17.0);
    let names = [
        "value",
        "value and gradient",
        "hessian-vector product",
        "curvature",
        "gradient on each example",
        "hessian times 1 vectors",
        "accumulate 1",
    ];
    let objective = objective();
    for name in names {
        let mine = objective.program(name, &[], |r| vec![500.0 + 0.0 * r.x.sum()]).unwrap();
        assert_eq!(mine.run(&[&point()]).unwrap()[0].item().unwrap(), 500.0);
    }
    assert_eq!(own(&objective), expected);
}

#[test]
fn two_formulas_of_one_name_are_an_error() {
    let objective = objective();
    let run = |program: Result<Arc<burlap_autodiff::Program>>| {
        program.unwrap().run(&[&point()]).unwrap()[0].item().unwrap()
    };
    assert_eq!(run(objective.program("sum", &[], |r| vec![r.x.sum()])), 3.0);
    let error = objective.program("sum", &[], |r| vec![r.x.square().sum()]).unwrap_err();
    assert_eq!(error, Error::ProgramName { name: "sum".into() });
    assert_eq!(error.to_string(), "program \"sum\": another formula has this name already");
    // Another shape of batch is no excuse, another name and a cleared shelf are.
    let batch = [Array::scalar(1.0)];
    assert!(objective.program("sum", &batch, |r| vec![r.x.square().sum()]).is_err());
    assert_eq!(run(objective.program("squares", &[], |r| vec![r.x.square().sum()])), 5.0);
    objective.clear_programs();
    assert_eq!(run(objective.program("sum", &[], |r| vec![r.x.square().sum()])), 5.0);
}

#[test]
fn closures_of_one_type_that_hold_other_values_are_other_formulas() {
    let objective = objective();
    for factor in [1.0, 2.0, -3.0] {
        let program = objective.program("scaled", &[], move |r| vec![factor * r.x.sum()]).unwrap();
        assert_eq!(program.run(&[&point()]).unwrap()[0].item().unwrap(), 3.0 * factor);
    }
    for (formula, expected) in [(Var::sum as fn(Var) -> Var, 3.0), (Var::norm, 5f64.sqrt())] {
        let program = objective.program("one of them", &[], move |r| vec![formula(r.x)]).unwrap();
        assert_eq!(program.run(&[&point()]).unwrap()[0].item().unwrap(), expected);
    }
}

#[test]
fn the_programs_used_last_are_kept() {
    let objective = objective().with_program_limit(3).unwrap();
    fn formula(r: &Recording<'_>) -> Vec<Var> {
        vec![r.x.sum()]
    }
    let shaped = |n: usize| {
        let batch = [Array::vector(vec![0.0; n])];
        objective.program("sum", &batch, formula).unwrap()
    };
    let one = shaped(1);
    for n in [2, 3, 4, 5, 6] {
        shaped(n);
        // Asked for again and again, it stays; the others take one another's places.
        assert!(Arc::ptr_eq(&one, &shaped(1)), "{n}");
        assert_eq!(objective.kept_programs(), 3.min(n));
    }
    let two = shaped(2);
    assert!(Arc::ptr_eq(&two, &shaped(2)));
    for n in [7, 8, 9] {
        shaped(n);
    }
    assert!(!Arc::ptr_eq(&one, &shaped(1)));
    let none = self::objective().with_program_limit(0).unwrap_err();
    assert_eq!(
        none.to_string(),
        "objective: the number of programs to keep is 0, but must be at least 1"
    );
}

#[test]
fn a_method_that_is_changed_after_use_is_another() {
    let gradient = |method: &mut dyn Method, objective: &Objective| {
        method.evaluate(objective, &point(), &[], 0).unwrap().gradient
    };
    let objective = objective();
    let fresh = |sam: Sam| gradient(&mut { sam }, &self::objective());
    let build = || Sam::new(0.3).unwrap();
    let mut sam = build();
    assert_eq!(gradient(&mut sam, &objective), fresh(build()));
    let mut over = sam.over(vec![1..2]).unwrap();
    assert_eq!(gradient(&mut over, &objective), fresh(build().over(vec![1..2]).unwrap()));

    let estimate = |mut s: Sharpness, objective: &Objective| {
        let found = s.estimate(objective, &point(), &[], 3, 1).unwrap().value;
        (s, found)
    };
    let trace = || Sharpness::trace().with_estimator(Estimator::Exact);
    let (used, plain) = estimate(trace(), &objective);
    let (_, scaled) = estimate(used.scale_invariant(), &objective);
    let (_, expected) = estimate(trace().scale_invariant(), &self::objective());
    assert_eq!(scaled, expected);
    assert_ne!(scaled, plain);
}

/// The gradient at x + cε, with another c at every step.
#[derive(Debug)]
struct Wandering;

impl Stateful for Wandering {}

impl Combination for Wandering {
    fn name(&self) -> &str {
        "wandering"
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn points(&self, step: u64) -> &[f64] {
        [&[1.0], &[0.0], &[-2.0]][step as usize % 3]
    }

    fn record(&self, at: &Combining<'_>) -> Combined {
        at.perturbed[0].into()
    }
}

#[test]
fn points_that_differ_from_step_to_step_are_those_of_the_step() {
    let objective = objective();
    let mut wandering = Sam::new(0.5).unwrap().combined(Wandering).unwrap();
    let (x, g) = (point(), objective.value_grad(&point(), &[]).unwrap().1.to_f64_vec());
    let length = g.iter().map(|g| g * g).sum::<f64>().sqrt();
    for (step, c) in [1.0, 0.0, -2.0].into_iter().enumerate() {
        let found = wandering.evaluate(&objective, &x, &[], step as u64).unwrap().gradient;
        let at: Vec<f64> =
            x.to_f64_vec().iter().zip(&g).map(|(x, g)| x + c * 0.5 * g / length).collect();
        let expected = objective.value_grad(&Array::vector(at), &[]).unwrap().1;
        let pairs = found.to_f64_vec().into_iter().zip(expected.to_f64_vec());
        for (a, b) in pairs {
            assert!((a - b).abs() < 1e-13 * b.abs().max(1.0), "step {step}: {found} {expected}");
        }
    }
}

/// Two kinds of one name: v, and 2v.
#[derive(Debug, Default)]
struct Once;
#[derive(Debug, Default)]
struct Twice;

impl Curvature for Once {
    fn name(&self) -> &'static str {
        "multiple"
    }

    fn product(&self, _: &Recording<'_>, v: Var) -> Var {
        v
    }
}

impl Curvature for Twice {
    fn name(&self) -> &'static str {
        "multiple"
    }

    fn product(&self, _: &Recording<'_>, v: Var) -> Var {
        2.0 * v
    }
}

#[derive(Debug)]
struct Times(f64);

impl Curvature for Times {
    fn name(&self) -> &'static str {
        "multiple"
    }

    fn product(&self, _: &Recording<'_>, v: Var) -> Var {
        self.0 * v
    }
}

#[test]
fn kinds_of_curvature_are_not_known_by_their_names() {
    fn image(matrix: impl Curvature, objective: &Objective) -> [f64; 2] {
        let mut out = [0.0; 2];
        let mut operator = CurvatureOperator::of(matrix, objective, &point(), &[&[]]).unwrap();
        operator.apply(&[1.0, -1.0], &mut out).unwrap();
        out
    }
    let objective = objective();
    assert_eq!(image(Once, &objective), [1.0, -1.0]);
    assert_eq!(image(Twice, &objective), [2.0, -2.0]);
    // One type with other values, and in a box.
    for factor in [3.0, 4.0] {
        assert_eq!(image(Times(factor), &objective), [factor, -factor]);
        let boxed: Box<dyn Curvature> = Box::new(Times(-factor));
        assert_eq!(image(boxed, &objective), [-factor, factor]);
    }
}
