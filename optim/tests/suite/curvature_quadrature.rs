//! Quadrature rules of random probes: what they integrate exactly, the density that they make, and the
//! Ritz values at which a function has no value.

use crate::common::{dense, eigenvalues, moments, operator};
use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::curvature::{HessianOperator, LinearOperator, Probes, Quadrature, Rule};
use burlap_optim::random::{Draw, Purpose};
use burlap_optim::{Error, Objective};
use nalgebra::{DMatrix, DVector};
use rand_distr::{Distribution, StandardNormal, StandardUniform};

#[test]
fn rules_integrate_polynomials_exactly_and_weights_sum_to_one() {
    let a = dense(12);
    for probes in [Probes::Rademacher, Probes::Gaussian] {
        let spectrum = Quadrature::new(&mut operator(&a), probes, 9, 4, 3).unwrap();
        assert_eq!((spectrum.rules().len(), spectrum.dim(), spectrum.num_matvecs()), (9, 12, 36));
        for (i, Rule { nodes, weights }) in spectrum.rules().iter().enumerate() {
            let draw = Draw { seed: 3, purpose: Purpose::Probe, step: 0, sample: i as u32 };
            let mut stream = draw.stream(0);
            let mut element = || match probes {
                Probes::Gaussian => StandardNormal.sample(&mut stream),
                Probes::Rademacher => {
                    let positive: bool = StandardUniform.sample(&mut stream);
                    if positive { 1.0 } else { -1.0 }
                }
            };
            let v = DVector::from_fn(12, |_, _| element()).normalize();
            assert!(nodes.is_sorted() && nodes.len() == 4);
            for power in 0..8 {
                let sum: f64 = nodes.iter().zip(weights).map(|(x, w)| w * x.powi(power)).sum();
                let expected = v.dot(&(a.pow(power as u32) * &v));
                let scale = a.norm().powi(power);
                assert!((sum - expected).abs() < 1e-13 * scale, "{power}: {sum} {expected}");
            }
        }
    }
}

#[test]
fn the_density_has_mass_one_the_moments_of_the_rules_and_a_logarithm_everywhere() {
    let a = dense(12);
    let spectrum = Quadrature::new(&mut operator(&a), Probes::Rademacher, 30, 12, 3).unwrap();
    let density = spectrum.density(4001, None).unwrap();
    let (low, high) = spectrum.spectral_bounds().unwrap();
    let exact = eigenvalues(&a);
    assert!((low - exact[0]).abs() < 1e-12 && (high - exact[11]).abs() < 1e-12);
    assert!((density.width - 0.01 * (high - low)).abs() < 1e-14);
    let (from, to) = (density.points[0], density.points[4000]);
    assert!((from - (low - 4.0 * density.width)).abs() < 1e-12);
    assert!((to - (high + 4.0 * density.width)).abs() < 1e-12);
    let step = (to - from) / 4000.0;
    let integral = |f: &dyn Fn(f64) -> f64| -> f64 {
        density.points.iter().zip(&density.values).map(|(t, p)| step * p * f(*t)).sum()
    };
    // Beyond 4 widths lie 6e-5 of the outermost eigenvalues' mass.
    assert!((integral(&|_| 1.0) - 1.0).abs() < 1e-4);
    assert!((integral(&|t| t) - spectrum.moment(1).unwrap().value).abs() < 1e-4 * high);
    // A broadened second moment is larger by the width's square.
    let second = spectrum.moment(2).unwrap().value + density.width.powi(2);
    assert!((integral(&|t| t * t) - second).abs() < 2e-4 * high * high);
    for (ln, value) in density.ln_values.iter().zip(&density.values) {
        assert!((ln.exp() - value).abs() <= 1e-12 * value);
    }
    // Far away the value is below the smallest number, its logarithm is not.
    let far = spectrum.density_at(&[high + 100.0 * density.width], density.width).unwrap();
    assert_eq!(far.values, [0.0]);
    assert!((-5010.0..-4990.0).contains(&far.ln_values[0]), "{far:?}");
    // The error is that of the mean over the rules.
    let t = [0.3, exact[4]];
    let found = spectrum.density_at(&t, 0.2).unwrap();
    for (i, t) in t.into_iter().enumerate() {
        let normal = |x: f64| (-0.5 * ((t - x) / 0.2).powi(2)).exp() / (0.2 * 2.506628274631);
        let by_rule = |r: &Rule| r.nodes.iter().zip(&r.weights).map(|(x, w)| w * normal(*x)).sum();
        let (mean, spread) = moments(&spectrum.rules().iter().map(by_rule).collect::<Vec<f64>>());
        assert!((found.values[i] - mean).abs() < 1e-10 * mean);
        assert!((found.standard_errors[i] - spread / 30f64.sqrt()).abs() < 1e-10 * mean);
        let exact: f64 = exact.iter().map(|x| normal(*x) / 12.0).sum();
        assert!((mean - exact).abs() < 3.0 * found.standard_errors[i], "{mean} {exact}");
    }
}

#[test]
fn equal_eigenvalues_have_a_density_too() {
    let of = |scale: f64, points: usize| {
        let a = scale * DMatrix::identity(6, 6);
        let spectrum = Quadrature::new(&mut operator(&a), Probes::Gaussian, 3, 5, 1).unwrap();
        spectrum.density(points, None).unwrap()
    };
    for (scale, width) in [(3.0, 0.03), (-3.0, 0.03), (0.0, 0.01)] {
        let density = of(scale, 9);
        assert!((density.width - width).abs() < 1e-10, "{density:?}");
        assert!((density.points[4] - scale).abs() < 1e-10);
        assert!((density.values[4] * width * 2.5066282746 - 1.0).abs() < 1e-8, "{density:?}");
        assert!(density.standard_errors[4] < 1e-8 * density.values[4]);
    }
    // Few points are broadened so that no eigenvalue falls between them.
    let a = DMatrix::from_diagonal(&DVector::from_column_slice(&[0.0, 1.0]));
    let spectrum = Quadrature::new(&mut operator(&a), Probes::Gaussian, 3, 5, 1).unwrap();
    assert!((spectrum.density(10, None).unwrap().width - 0.1).abs() < 1e-12);
}

#[test]
fn a_logarithm_names_the_ritz_value_that_has_none() {
    let log_det = |values: &[f64]| {
        let a = DMatrix::from_diagonal(&DVector::from_column_slice(values));
        let spectrum = Quadrature::new(&mut operator(&a), Probes::Rademacher, 4, 9, 1).unwrap();
        spectrum.log_det()
    };
    let found = log_det(&[1.0, 2.0, 4.0]).unwrap();
    assert!((found.value - 8f64.ln()).abs() < 1e-14 && found.standard_error < 1e-15, "{found:?}");
    let Error::RitzValue { of, value, problem } = log_det(&[1.0, -0.25, 4.0]).unwrap_err() else {
        panic!("another error");
    };
    assert_eq!(of, "log-determinant");
    assert!((value + 0.25).abs() < 1e-14, "{value}");
    assert_eq!(problem, "is negative, so the operator is indefinite");
    let e = log_det(&[1.0, 0.0, 4.0]).unwrap_err();
    assert!(matches!(e, Error::RitzValue { value, .. } if value.abs() < 1e-15), "{e}");
    assert!(e.to_string().ends_with("the operator is singular"), "{e}");
    assert!(log_det(&[0.0; 3]).unwrap_err().to_string().ends_with("is singular"));
    assert!(log_det(&[1e-12, 1.0, 1.0]).is_ok());
    let a = DMatrix::from_diagonal(&DVector::from_column_slice(&[1.0, 9.0]));
    let spectrum = Quadrature::new(&mut operator(&a), Probes::Rademacher, 4, 9, 1).unwrap();
    let e = spectrum.trace_of(|x| (5.0 - x).sqrt()).unwrap_err();
    assert!(matches!(e, Error::RitzValue { value, .. } if (value - 9.0).abs() < 1e-13), "{e}");
    let expected = "trace of a function: the Ritz value 9.0000e0 is where the function is NaN";
    assert_eq!(e.to_string(), expected);
}

#[test]
fn singular_in_single_precision_is_singular() {
    // (x₀ + x₁/3)²: the smaller eigenvalue is 0, and 1e-8 once rounded.
    let loss = |x: Var, _: &[Var]| (x.at(0) + x.at(1) / 3.0).square();
    for dtype in [DType::F32, DType::F64] {
        let objective = Objective::new(Cpu::with_threads(1).unwrap(), dtype, 2, loss);
        let x = Array::from_f64(dtype, [2], &[0.7, 0.1]).unwrap();
        let mut hessian = HessianOperator::new(&objective, &x, &[&[]]).unwrap();
        let mut spectrum = |shift| {
            Quadrature::new(&mut (&mut hessian).shifted(shift).unwrap(), Probes::Gaussian, 3, 2, 1)
        };
        let e = spectrum(0.0).unwrap().log_det().unwrap_err();
        assert!(e.to_string().ends_with("the operator is singular"), "{dtype}: {e}");
        let found = spectrum(1.0).unwrap().log_det().unwrap();
        let expected = (1.0 + 2.0 * (1.0 + 1.0 / 9.0f64)).ln();
        assert!((found.value - expected).abs() < 3.0 * found.standard_error, "{found:?}");
    }
}
