//! The accumulated gradient is that of the whole expression L + λρ²S: against the tape,
//! against differences of estimates with equal draws, and against the published formulas.

use crate::common;
use crate::common::{Case, loss, relative};
use burlap_autodiff::{Array, DType, Tape, Var};
use burlap_optim::penalty::{Ball, Cube, Gaussian, GradientDirection, Memory, Rademacher, Sphere};
use burlap_optim::{Estimator, Evaluation, Method, Sharpness, SharpnessMethod};
use nalgebra::DVector;

const LAMBDA: f64 = 0.7;
/// Wide, so that the quotients (L(x+ρv) − L(x))/ρ² keep their digits.
const RHO: f64 = 0.4;
const SEED: u64 = 11;
const STEP: u64 = 5;
const SAMPLES: usize = 5;

fn instances() -> Vec<(&'static str, Sharpness)> {
    let power = |k| Sharpness::power_trace(k).unwrap();
    let unbiased = |k| Sharpness::power_trace_unbiased(k).unwrap();
    let mean = |t: Var| vec![t];
    vec![
        ("trace", Sharpness::trace()),
        ("trace on the sphere", Sharpness::trace_on_sphere()),
        ("frobenius", Sharpness::frobenius()),
        ("plug-in", Sharpness::frobenius_plug_in()),
        ("log-det", Sharpness::log_det(0.6)),
        ("log-det of H", Sharpness::log_det_lebesgue(0.9)),
        ("determinant", Sharpness::determinant(0.9)),
        ("power trace 1", power(1)),
        ("power trace 3", power(3)),
        ("power trace 4", power(4)),
        ("power trace 5", power(5)),
        ("k-statistic 3", unbiased(3)),
        ("k-statistic 4", unbiased(4)),
        // Differences may be negative: an even power.
        ("schatten", Sharpness::schatten(4.0).unwrap()),
        ("max-eigen", Sharpness::max_eigen()),
        ("tilted", Sharpness::tilted(0.3, Gaussian::STANDARD).unwrap()),
        ("tilted ball", Sharpness::tilted(-2.0, Ball).unwrap()),
        ("scaled trace", Sharpness::trace().scale_invariant()),
        ("scaled frobenius", Sharpness::frobenius().scale_invariant()),
        ("scaled log-det", Sharpness::log_det(0.8).scale_invariant()),
        (
            "custom",
            Sharpness::custom("custom", |t| vec![t.sin(), t * t], |a| a[0] * a[1].sqrt(), Sphere),
        ),
        (
            "cube",
            Sharpness::custom(
                "cube",
                |t| vec![t.tanh()],
                |a| a[0].square(),
                Cube { half_side: 0.8, normalised: false },
            ),
        ),
        ("signs", Sharpness::custom("signs", mean, |a| a[0].exp(), Rademacher)),
        ("published trace", Sharpness::published_trace()),
        ("published determinant", Sharpness::published_determinant(0.5)),
        ("published frobenius", Sharpness::published_frobenius()),
    ]
}

/// Every instance with every estimator it has.
fn combinations() -> Vec<(&'static str, Sharpness, Sharpness)> {
    let mut all = Vec::new();
    for estimator in [Estimator::OneSided, Estimator::Central, Estimator::Exact] {
        let pairs = instances().into_iter().zip(instances());
        all.extend(pairs.map(|((name, a), (_, b))| {
            let set = |s: Sharpness| s.with_estimator(estimator).with_rho(RHO);
            (name, set(a), set(b))
        }));
    }
    for scaled in [false, true] {
        let set = |s: Sharpness| if scaled { s.scale_invariant() } else { s }.with_rho(RHO);
        let [a, b] = [(); 2].map(|()| set(Sharpness::frobenius_by_hvp()));
        all.push(("by products", a, b));
    }
    all
}

fn evaluate(case: &Case, sharpness: Sharpness, memory: Memory) -> Evaluation {
    let method = SharpnessMethod::new(sharpness, LAMBDA, SAMPLES, SEED).unwrap();
    let mut method = method.with_memory(memory);
    method.evaluate(&case.objective, &case.x, &case.batch, STEP).unwrap()
}

/// S and ∇(L + λρ²S) of one recorded expression.
fn recorded(case: &Case, sharpness: &mut Sharpness) -> (f64, Vec<f64>) {
    let Case { objective, x, batch, .. } = case;
    let drawn = sharpness.draw(objective, x, batch, SAMPLES, (SEED, STEP)).unwrap();
    let tape = Tape::new();
    let point = tape.input("x", DType::F64, [case.dim()]);
    let data: Vec<Var> = batch.iter().map(|b| tape.literal(b)).collect();
    let samples: Vec<Var> = drawn.iter().map(|(v, _)| tape.literal(v)).collect();
    let log_weights: Vec<f64> = drawn.iter().map(|(_, w)| *w).collect();
    let log_weights = tape.literal(&Array::vector(log_weights));
    let of = |p: Var| loss(p, &data);
    let s = sharpness.record(&of, point, &samples, log_weights);
    let rho = sharpness.rho();
    let whole = of(point) + LAMBDA * rho * rho * s;
    let program = tape.compile(objective.backend(), &[s, whole.grad(point)]).unwrap();
    let outputs = program.run(&[x]).unwrap();
    (outputs[0].item().unwrap(), outputs[1].to_f64_vec())
}

#[test]
fn the_accumulated_gradient_is_that_of_the_whole_expression() {
    // Higher cumulants subtract numbers larger than themselves: about three digits are lost of
    // the sixteen, and so are in 1/ρ².
    let case = Case::convex();
    for (name, sharpness, mut other) in combinations() {
        let what = format!("{name}, {:?}", sharpness.estimator());
        let kept = evaluate(&case, sharpness, Memory::Keep);
        let (value, gradient) = recorded(&case, &mut other);
        let error = relative(&kept.gradient.to_f64_vec(), &gradient);
        assert!(error < 1e-10, "{what}: {error}");
        let found = kept.sharpness.unwrap();
        assert!((found - value).abs() < 1e-10 * value.abs().max(1e-3), "{what}: {found} {value}");
        // The penalty is a part of it that can be seen.
        let plain: Vec<f64> = case.gradient.as_slice().to_vec();
        assert!(relative(&plain, &gradient) > 1e-4, "{what}");
    }
}

#[test]
fn memory_makes_no_difference() {
    let case = Case::convex();
    for (name, keep, one) in combinations() {
        let what = format!("{name}, {:?}", keep.estimator());
        let keep = evaluate(&case, keep, Memory::Keep);
        let one = evaluate(&case, one, Memory::OneAtATime);
        // The value alone and the value with its gradient come from two programs: they may be
        // fused, hence rounded, in different ways.
        let (a, b) = (keep.gradient.to_f64_vec(), one.gradient.to_f64_vec());
        assert!(relative(&a, &b) < 1e-11, "{what}: {}", relative(&a, &b));
        assert_eq!(keep.loss, one.loss, "{what}");
    }
}

/// S at a displaced point, with the draws of seed and step 0.
fn displaced(case: &Case, sharpness: &mut Sharpness, i: usize, h: f64) -> f64 {
    let mut x = case.x.to_f64_vec();
    x[i] += h;
    let Case { objective, batch, .. } = case;
    sharpness.estimate(objective, &Array::vector(x), batch, SAMPLES, SEED).unwrap().value
}

#[test]
fn the_gradient_is_that_of_the_estimate_for_fixed_draws() {
    // Central differences over 1e-4 are right to 1e-8 of third derivatives of S, and 1e-12 of S
    // by rounding. The eigenvector of max-eigen moves here, and is held in the gradient.
    let case = Case::convex();
    let h = 1e-4;
    for (name, sharpness, mut other) in combinations() {
        let what = format!("{name}, {:?}", sharpness.estimator());
        // At a distance the eigenvector counts: a difference is no Rayleigh quotient.
        if name == "max-eigen" && sharpness.estimator().name() != "exact" {
            continue;
        }
        let rho = sharpness.rho();
        let mut method = SharpnessMethod::new(sharpness, LAMBDA, SAMPLES, SEED).unwrap();
        let Case { objective, x, batch, .. } = &case;
        let found = method.evaluate(objective, x, batch, 0).unwrap().gradient.to_f64_vec();
        let mut slope = |i| {
            let [above, below] = [h, -h].map(|h| displaced(&case, &mut other, i, h));
            case.gradient[i] + LAMBDA * rho * rho * (above - below) / (2.0 * h)
        };
        let differences: Vec<f64> = (0..case.dim()).map(&mut slope).collect();
        let error = relative(&found, &differences);
        assert!(error < 1e-6, "{what}: {error}");
    }
}

#[test]
fn max_eigen_has_the_gradient_of_the_top_eigenvalue() {
    let case = Case::saddle();
    let top = |i: usize, h: f64| {
        let mut x = case.x.to_f64_vec();
        x[i] += h;
        let program =
            case.objective.program("hessian", &case.batch, |r| vec![r.loss(r.x).hessian(r.x)]);
        let x = Array::vector(x);
        let inputs: Vec<&Array> = std::iter::once(&x).chain(&case.batch).collect();
        let values = program.unwrap().run(&inputs).unwrap()[0].to_f64_vec();
        let n = case.dim();
        let all = common::eigenvalues(&nalgebra::DMatrix::from_row_slice(n, n, &values));
        assert!(all[n - 1] > all[n - 2] + 0.3, "simple");
        all[n - 1]
    };
    let found = evaluate(&case, Sharpness::max_eigen().with_rho(RHO), Memory::Keep);
    let h = 1e-4;
    let differences: Vec<f64> = (0..case.dim())
        .map(|i| case.gradient[i] + LAMBDA * RHO * RHO * (top(i, h) - top(i, -h)) / (2.0 * h))
        .collect();
    // An eigenvector is found to 1e-6 or better, and a difference is right to 1e-8.
    let error = relative(&found.gradient.to_f64_vec(), &differences);
    assert!(error < 1e-6, "{error}");
}

#[test]
fn the_gradient_direction_is_held_fixed() {
    let case = Case::convex();
    let make = || {
        Sharpness::custom("along", |t| vec![t], |a| a[0], GradientDirection)
            .with_estimator(Estimator::Exact)
            .with_rho(RHO)
    };
    let found = evaluate(&case, make(), Memory::Keep);
    let (value, gradient) = recorded(&case, &mut make());
    assert!(relative(&found.gradient.to_f64_vec(), &gradient) < 1e-12);
    let g = &case.gradient;
    let along = (g.transpose() * &case.hessian * g)[0] / (2.0 * g.norm_squared());
    assert!((value - along).abs() < 1e-12 * along.abs(), "{value} {along}");
}

/// Losses and gradients at x + ρvᵢ, and at x.
type Points = (f64, DVector<f64>, Vec<(f64, DVector<f64>)>);

fn points(case: &Case, sharpness: &mut Sharpness, samples: usize) -> Points {
    let Case { objective, x, batch, .. } = case;
    let at = |x: &Array| {
        let (value, gradient) = objective.value_grad(x, batch).unwrap();
        (value, DVector::from_vec(gradient.to_f64_vec()))
    };
    let rho = sharpness.rho();
    let drawn = sharpness.draw(objective, x, batch, samples, (SEED, STEP)).unwrap();
    let moved = |v: &Array| -> Vec<f64> {
        x.to_f64_vec().iter().zip(v.to_f64_vec()).map(|(x, v)| x + rho * v).collect()
    };
    let perturbed = drawn.iter().map(|(v, _)| at(&Array::vector(moved(v)))).collect();
    let (value, gradient) = at(x);
    (value, gradient, perturbed)
}

fn published(make: fn() -> Sharpness, n: usize, lambda: f64, rho: f64) -> (Vec<f64>, Points) {
    let case = Case::saddle();
    let make = || make().with_rho(rho);
    let mut method = SharpnessMethod::new(make(), lambda, n, SEED).unwrap();
    let Case { objective, x, batch, .. } = &case;
    let found = method.evaluate(objective, x, batch, STEP).unwrap();
    assert_eq!(found.gradients, 1 + n);
    (found.gradient.to_f64_vec(), points(&case, &mut make(), n))
}

#[test]
fn published_updates_are_those_of_the_published_code() {
    for n in [1, 2, 7] {
        let (lambda, rho) = (1.0, 0.01);
        let (found, (_, g0, all)) = published(Sharpness::published_trace, n, lambda, rho);
        let mean = all.iter().fold(DVector::zeros(g0.len()), |sum, (_, g)| sum + (g - &g0));
        let expected = &g0 + mean * (lambda / n as f64);
        assert!(relative(&found, expected.as_slice()) < 1e-10, "trace, {n}");

        let (lambda, rho) = (0.8, 0.9);
        let determinant = || Sharpness::published_determinant(0.3);
        let (found, (l0, g0, all)) = published(determinant, n, lambda, rho);
        let weight = |l: f64| (-0.5 * (l - l0) / (rho * rho)).exp();
        let a = all.iter().map(|(l, _)| weight(*l)).sum::<f64>() / n as f64;
        let term = |(l, g): &(f64, DVector<f64>)| (g - &g0) * (-0.5 * weight(*l) / n as f64);
        let sum = all.iter().map(term).fold(DVector::zeros(g0.len()), |sum, t| sum + t);
        let expected = &g0 + sum * (lambda * -2.0 / a.powi(3));
        assert!(relative(&found, expected.as_slice()) < 1e-10, "determinant, {n}");
    }
    for n in [2, 7] {
        let (lambda, rho) = (0.005, 0.005);
        let (found, (_, g0, all)) = published(Sharpness::published_frobenius, n, lambda, rho);
        let losses: f64 = all.iter().map(|(l, _)| l).sum();
        let sum = all.iter().fold(DVector::zeros(g0.len()), |sum, (_, g)| sum + g);
        let products = all.iter().fold(DVector::zeros(g0.len()), |sum, (l, g)| sum + g * *l);
        let covariance = (products - sum * (losses / n as f64)) / (n as f64 - 1.0);
        let expected = &g0 + covariance * (lambda / (rho * rho));
        // The formula of the published code cancels: losses of 5 with differences of 0.01, both
        // factors of a product of 1e-5, times λ/ρ² = 200.
        assert!(relative(&found, expected.as_slice()) < 1e-8, "frobenius, {n}");
    }
}

#[test]
fn given_draws_are_drawn_ones_with_their_weights_and_directions() {
    let case = Case::convex();
    let Case { objective, x, batch, .. } = &case;
    for (name, mut drawing, plain) in combinations() {
        let drawn = drawing.draw(objective, x, batch, SAMPLES, (SEED, STEP)).unwrap();
        // Those of the steps before are not looked at.
        let before = vec![Array::zeros(DType::F64, [0]); SAMPLES * STEP as usize];
        let draws: Vec<Array> =
            before.into_iter().chain(drawn.iter().map(|d| d.0.clone())).collect();
        // One that has been used: what it has compiled is not to be met again.
        let given = drawing.with_draws(draws.clone());
        let expected = evaluate(&case, plain, Memory::Keep);
        let (s, of) = (expected.sharpness.unwrap(), expected.gradient.to_f64_vec());
        let found = evaluate(&case, given, Memory::OneAtATime);
        // The same numbers in programs of another form.
        assert!((found.sharpness.unwrap() - s).abs() <= 1e-9 * s.abs(), "{name}: {found:?} {s}");
        assert!(relative(&found.gradient.to_f64_vec(), &of) < 1e-9, "{name}");
    }
}

#[test]
fn draws_that_do_not_fit_are_errors() {
    let case = Case::convex();
    let fails = |draws: Vec<Array>| {
        let method = SharpnessMethod::new(Sharpness::trace().with_draws(draws), 1.0, 2, SEED);
        let found = method.unwrap().evaluate(&case.objective, &case.x, &case.batch, 1);
        found.unwrap_err().to_string()
    };
    let vector = |n| Array::zeros(DType::F64, [n]);
    let few = fails(vec![vector(5); 3]);
    assert_eq!(few, "draws of gaussian: expected at least 4 vectors, found 3");
    let short = fails(vec![vector(4); 4]);
    assert_eq!(short, "gaussian: expected a sample of 5 elements, found one of 4");
}
