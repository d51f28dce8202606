//! What is said of the estimates: honest standard errors, no bias where none is promised, and
//! the errors of finite differences at critical points and away from them.

use crate::common::{Case, moments};
use burlap_autodiff::Var;
use burlap_optim::penalty::Gaussian;
use burlap_optim::{Estimate, Estimator, Sharpness};

fn estimate(case: &Case, sharpness: Sharpness, samples: usize, seed: u64) -> Estimate {
    let mut sharpness = sharpness;
    let Case { objective, x, batch, .. } = case;
    sharpness.estimate(objective, x, batch, samples, seed).unwrap()
}

type Instance = (&'static str, fn() -> Sharpness, fn(&Case) -> f64);

const INSTANCES: [Instance; 11] = [
    ("trace", Sharpness::trace, |c| c.hessian.trace()),
    ("trace on the sphere", Sharpness::trace_on_sphere, |c| c.hessian.trace()),
    ("frobenius", Sharpness::frobenius, |c| c.hessian.norm_squared()),
    ("plug-in", Sharpness::frobenius_plug_in, |c| c.hessian.norm_squared()),
    ("by products", Sharpness::frobenius_by_hvp, |c| c.hessian.norm_squared()),
    ("log-det", || Sharpness::log_det(0.5), |c| c.spectral(|l| (1.0 + 0.25 * l).ln())),
    ("log-det of H", || Sharpness::log_det_lebesgue(0.95), |c| c.spectral(f64::ln)),
    ("determinant", || Sharpness::determinant(0.95), |c| c.spectral(f64::ln).exp()),
    ("cubes", || Sharpness::power_trace(3).unwrap(), |c| c.spectral(|l| l.powi(3))),
    (
        "unbiased cubes",
        || Sharpness::power_trace_unbiased(3).unwrap(),
        |c| c.spectral(|l| l.powi(3)),
    ),
    (
        "tilted",
        || Sharpness::tilted(0.15, Gaussian::STANDARD).unwrap(),
        |c| -c.spectral(|l| (1.0 - 0.15 * l).ln()) / 0.3,
    ),
];

#[test]
fn standard_errors_are_the_spread_of_estimates() {
    let case = Case::convex();
    let seeds = 40;
    for (name, make, target) in INSTANCES {
        let all: Vec<Estimate> = (0..seeds)
            .map(|seed| {
                let s = make();
                let exact = s.estimator().name() == "hvp";
                let s = if exact { s } else { s.with_estimator(Estimator::Exact) };
                estimate(&case, s, 1000, 100 + seed)
            })
            .collect();
        let (mean, spread) = moments(&all.iter().map(|e| e.value).collect::<Vec<f64>>());
        let reported = all.iter().map(|e| e.standard_error).sum::<f64>() / seeds as f64;
        // The standard deviation of 40 normal numbers is known to 1/√78 = 11 %: 1.5 is 3.6 of
        // them. Third cumulants of 1000 samples have errors with tails of their own.
        let ratio = spread / reported;
        assert!((1.0 / 1.5..1.5).contains(&ratio), "{name}: {spread}, reported {reported}");
        let distance = (mean - target(&case)).abs();
        assert!(
            distance < 4.0 * spread / (seeds as f64).sqrt(),
            "{name}: mean {mean}, target {}",
            target(&case)
        );
    }
}

#[test]
fn unbiased_estimates_have_no_bias_at_the_fewest_samples() {
    let case = Case::convex();
    let square = case.hessian.norm_squared();
    let cubes = case.spectral(|l| l.powi(3));
    let fourth = case.spectral(|l| l.powi(4));
    let power = |k| Sharpness::power_trace_unbiased(k).unwrap();
    // The second and third columns: samples, and the plug-in estimate's expectation as a part
    // of the target, (n−1)/n and (n−1)(n−2)/n².
    let cases: [(&str, Sharpness, usize, f64, f64); 6] = [
        ("frobenius", Sharpness::frobenius(), 2, square, 1.0),
        ("plug-in", Sharpness::frobenius_plug_in(), 2, square, 0.5),
        ("published", Sharpness::published_frobenius(), 2, square, 0.25),
        ("k-statistic 3", power(3), 3, cubes, 1.0),
        ("plug-in 3", Sharpness::power_trace(3).unwrap(), 3, cubes, 2.0 / 9.0),
        ("k-statistic 4", power(4), 6, fourth, 1.0),
    ];
    for (name, sharpness, samples, target, part) in cases {
        let mut sharpness = sharpness.with_estimator(Estimator::Exact);
        let mut one = |seed| {
            let Case { objective, x, batch, .. } = &case;
            sharpness.estimate(objective, x, batch, samples, seed).unwrap().value
        };
        let values: Vec<f64> = (0..20_000).map(&mut one).collect();
        let (mean, spread) = moments(&values);
        let error = spread / (values.len() as f64).sqrt();
        assert!((mean - part * target).abs() < 3.0 * error, "{name}: {mean} ± {error}, {target}");
        // At 4 samples the bias would be of the size of the target itself.
        assert!(error < 0.15 * target, "{name}: {error}");
    }
}

/// A loss whose gradient vanishes at 0, with third and fourth derivatives.
fn critical() -> Case {
    let loss = |x: Var, _: &[Var]| {
        let n = x.shape().count();
        let neighbours = x.slice_axis(0, 0, n - 1) * x.slice_axis(0, 1, n);
        (1.2 * x.square() + 0.2 * x.square() * x).sum() + 0.3 * neighbours.sum() + x.cos().sum()
    };
    let case = Case::new(loss, &[0.0; 4], vec![]);
    assert_eq!(case.gradient.norm(), 0.0);
    case
}

#[test]
fn finite_differences_agree_with_exact_curvatures_at_a_critical_point() {
    let case = critical();
    for (name, make, _) in INSTANCES {
        if make().estimator().name() == "hvp" {
            continue;
        }
        let value = |estimator, rho| {
            let s = make().with_estimator(estimator).with_rho(rho);
            estimate(&case, s, 200, 5).value
        };
        let exact = value(Estimator::Exact, 1.0);
        // Equal draws, so no noise: errors are of order ρ and ρ², and rounding of 1e-16/ρ².
        for (estimator, order) in [(Estimator::OneSided, 1), (Estimator::Central, 2)] {
            let error = |rho| (value(estimator, rho) - exact).abs() / exact.abs();
            let (coarse, fine) = (error(1e-2), error(1e-3));
            let limit = 10.0 * 1e-3f64.powi(order);
            assert!(fine < limit, "{name}, {estimator:?}: {fine}");
            assert!(fine < 0.3 * coarse, "{name}, {estimator:?}: {coarse} {fine}");
        }
    }
}

#[test]
fn away_from_critical_points_one_sided_frobenius_measures_the_gradient() {
    // ½xᵀAx + bᵀx + Σcᵢxᵢ³: Taylor's series ends with the third order.
    const C: [f64; 3] = [0.2, -0.1, 0.15];
    let loss = |x: Var, _: &[Var]| {
        let quadratic = x.square().sum() + 0.6 * x.at(0) * x.at(1) - 0.4 * x.at(1) * x.at(2);
        let cubic = C.iter().enumerate().map(|(i, c)| *c * x.at(i) * x.at(i).square());
        cubic.fold(quadratic + 0.5 * x.sum(), |sum, term| sum + term)
    };
    let case = Case::new(loss, &[0.3, 0.1, -0.2], vec![]);
    let (g, h) = (&case.gradient, &case.hessian);
    let (rho, square): (f64, f64) = (0.25, h.norm_squared());
    // ∇tr H = 6c. The term of fourth order, which the formula leaves out, is 15ρ⁴Σc² here.
    let slope: f64 = C.iter().zip(g.iter()).map(|(c, g)| 6.0 * c * g).sum();
    let fourth = 15.0 * rho.powi(4) * C.iter().map(|c| c * c).sum::<f64>();
    let variance = g.norm_squared() + rho * rho * (0.5 * square + slope) + fourth;
    let of = |estimator| {
        let s = Sharpness::frobenius().with_estimator(estimator).with_rho(rho);
        estimate(&case, s, 100_000, 1)
    };
    // S = 2 Var((L(x+ρv) − L(x))/ρ²).
    let target = 2.0 * variance / (rho * rho);
    let one_sided = of(Estimator::OneSided);
    assert!(
        (one_sided.value - target).abs() < 3.0 * one_sided.standard_error,
        "{one_sided}, {target}"
    );
    // Each term counts: without the second order it would be far off.
    assert!(2.0 * (variance - g.norm_squared()) / (rho * rho) > 20.0 * one_sided.standard_error);
    assert!(target > 3.0 * square, "{target} {square}");
    for estimator in [Estimator::Central, Estimator::Exact] {
        let found = of(estimator);
        assert!((found.value - square).abs() < 3.0 * found.standard_error, "{found}, {square}");
    }
}
