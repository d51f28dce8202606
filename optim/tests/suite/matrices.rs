//! Sharpness measures of other matrices than the Hessian: curvatures are those of the operators,
//! gradients those of the estimates, whatever the matrix.

use crate::plain::{DIM, arrays, data, distance, loss_of_output, model, norm, objective, start};
use burlap_autodiff::{Array, DType, Var};
use burlap_optim::curvature::{
    Curvature, CurvatureOperator, EmpiricalFisher, Ggn, Hessian, LinearOperator,
};
use burlap_optim::penalty::{CurvatureEstimator, Gaussian, HvpNorm};
use burlap_optim::{Estimator, Method, Objective, Recording, Sharpness, SharpnessMethod};

/// c ∇L∇Lᵀ + H: a matrix of the user's, with a factor that its type does not tell.
#[derive(Debug)]
struct Mixed(f64);

impl Curvature for Mixed {
    fn name(&self) -> &'static str {
        "mixed"
    }

    fn product(&self, r: &Recording<'_>, v: Var) -> Var {
        let gradient = r.loss(r.x).grad(r.x);
        self.0 * gradient * gradient.dot(v) + r.loss(r.x).hvp(r.x, v)
    }
}

type Make = fn() -> Box<dyn Curvature>;

const MATRICES: [(&str, Make); 5] = [
    ("hessian", || Box::new(Hessian)),
    ("ggn", || Box::new(Ggn)),
    ("fisher", || Box::new(EmpiricalFisher)),
    ("mixed", || Box::new(Mixed(2.0))),
    ("other mixed", || Box::new(Mixed(-1.0))),
];

fn at() -> (Array, Vec<Array>) {
    (Array::vector(start()), arrays(&data(0, 6), DType::F64))
}

fn direction(i: usize) -> Vec<f64> {
    (0..DIM).map(|j| (1.0 + 0.7 * (i * DIM + j) as f64).cos()).collect()
}

/// C v by the operator.
fn product(matrix: Box<dyn Curvature>, v: &[f64]) -> Vec<f64> {
    let (objective, (x, batch)) = (objective(DType::F64), at());
    let mut out = vec![0.0; DIM];
    CurvatureOperator::of(matrix, &objective, &x, &[&batch]).unwrap().apply(v, &mut out).unwrap();
    out
}

#[test]
fn curvatures_are_those_of_the_operator() {
    let (objective, (x, batch)) = (objective(DType::F64), at());
    for (name, matrix) in MATRICES {
        for i in 0..4 {
            let v = direction(i);
            let image = product(matrix(), &v);
            let of = |sharpness: Sharpness| {
                let draws = vec![Array::vector(v.clone())];
                let mut sharpness = sharpness.with_curvature(matrix()).with_draws(draws);
                sharpness.estimate(&objective, &x, &batch, 1, 0).unwrap().value
            };
            let mean = Sharpness::custom("mean", |t| vec![t], |a| a[0], Gaussian::STANDARD);
            let expected: f64 = 0.5 * v.iter().zip(&image).map(|(a, b)| a * b).sum::<f64>();
            // Sums of some dozens of products, rounded one way and another.
            let error = (of(mean) - expected).abs();
            assert!(error < 1e-13 * norm(&v) * norm(&image), "{name}: {error:e}");
            let square = norm(&image).powi(2);
            let error = (of(Sharpness::frobenius_by_hvp()) - square).abs();
            assert!(error < 1e-13 * square, "{name}: {error:e}");
        }
    }
}

#[test]
fn the_trace_of_the_gauss_newton_matrix_meets_its_diagonal() {
    let (objective, (x, batch)) = (objective(DType::F64), at());
    let axis = |i: usize| (0..DIM).map(|j| f64::from(u8::from(i == j))).collect::<Vec<f64>>();
    let trace: f64 = (0..DIM).map(|i| product(Box::new(Ggn), &axis(i))[i]).sum();
    let found = Sharpness::ggn_trace().estimate(&objective, &x, &batch, 20_000, 1).unwrap();
    // 3 standard errors, of which each is below 3 %; the Hessian's trace lies further away.
    assert!((found.value - trace).abs() < 3.0 * found.standard_error, "{found}, {trace}");
    assert!(found.standard_error < 0.03 * trace);
    let hessian: f64 = (0..DIM).map(|i| product(Box::new(Hessian), &axis(i))[i]).sum();
    assert!((hessian - trace).abs() > 10.0 * found.standard_error, "{hessian}, {trace}");
}

const LAMBDA: f64 = 0.7;

fn measures(matrix: Make) -> [(&'static str, Sharpness, usize); 4] {
    [
        ("trace", Sharpness::trace().with_curvature(matrix()), 3),
        ("frobenius", Sharpness::frobenius().with_curvature(matrix()), 6),
        ("tilted", Sharpness::tilted(0.1, Gaussian::STANDARD).unwrap().with_curvature(matrix()), 3),
        ("products", Sharpness::frobenius_by_hvp().with_curvature(matrix()), 2),
    ]
}

#[test]
fn gradients_are_those_of_the_estimates_for_fixed_draws() {
    let (objective, (x, batch)) = (objective(DType::F64), at());
    let h = 1e-4;
    for (name, matrix) in MATRICES {
        for (of, sharpness, samples) in measures(matrix) {
            let mut method = SharpnessMethod::new(sharpness, LAMBDA, samples, 3).unwrap();
            let found = method.evaluate(&objective, &x, &batch, 0).unwrap();
            let mut value = |x: Vec<f64>| {
                let found = method.evaluate(&objective, &Array::vector(x), &batch, 0).unwrap();
                found.loss + LAMBDA * 1e-4 * found.sharpness.unwrap()
            };
            let gradient = found.gradient.to_f64_vec();
            for i in [0, 4, 7, 10, 12] {
                let moved = |by: f64| {
                    let mut x = start();
                    x[i] += by;
                    x
                };
                let slope = (value(moved(h)) - value(moved(-h))) / (2.0 * h);
                // Third derivatives are of the order of 1, times h²; rounding is 1e-16/h.
                let error = (gradient[i] - slope).abs();
                assert!(error < 1e-7 * norm(&gradient).max(1.0), "{name}, {of}, {i}: {error:e}");
            }
        }
    }
}

#[test]
fn micro_batches_give_the_whole_batch_s_penalty() {
    let (whole, (x, batch)) = (objective(DType::F64), at());
    let parts = objective(DType::F64).with_micro_batch_size(2).unwrap();
    // Of means over examples: the square of the mean gradient is none.
    for (name, matrix) in &MATRICES[..3] {
        for (of, sharpness, samples) in measures(*matrix) {
            let linear = sharpness.estimator().name() != HvpNorm.name();
            let mut method = SharpnessMethod::new(sharpness, LAMBDA, samples, 3).unwrap();
            let found = method.evaluate(&parts, &x, &batch, 0);
            if !linear {
                let error = found.unwrap_err().to_string();
                assert!(error.contains("must be linear in the loss"), "{error}");
                continue;
            }
            let expected = method.evaluate(&whole, &x, &batch, 0).unwrap().gradient.to_f64_vec();
            let error = distance(&found.unwrap().gradient.to_f64_vec(), &expected);
            assert!(error < 1e-12 * norm(&expected), "{name}, {of}: {error:e}");
        }
    }
}

#[test]
fn what_does_not_go_together_is_an_error() {
    let (x, batch) = at();
    for estimator in [Estimator::OneSided, Estimator::Central] {
        let sharpness = Sharpness::trace().with_curvature(Ggn).with_estimator(estimator);
        let error = SharpnessMethod::new(sharpness, 1.0, 1, 0).unwrap_err().to_string();
        let expected = format!(
            "trace: the estimator is {}, but must be exact or hvp: differences of the loss are \
             curvatures of the Hessian",
            estimator.name()
        );
        assert_eq!(error, expected);
    }
    let alone = |x: Var, batch: &[Var]| loss_of_output(model(x, batch), batch);
    let alone = Objective::new(burlap_autodiff::Cpu::new(), DType::F64, DIM, alone);
    let mut trace = Sharpness::trace().with_curvature(Ggn);
    let error = trace.estimate(&alone, &x, &batch, 1, 0).unwrap_err().to_string();
    let start = "generalised Gauss-Newton: the objective is a loss alone, but must be a model";
    assert!(error.starts_with(start), "{error}");
}
