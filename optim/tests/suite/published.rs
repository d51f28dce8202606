//! The updates of the universal class' published code, run beside it: plain loops in its order
//! of operations, on the same draws, those of the library or given ones.

use crate::plain::{
    DIM, Data, arrays, data, distance, grad, norm, objective, plus, scaled, start, times,
    value_grad,
};
use burlap_autodiff::{Array, DType};
use burlap_optim::{
    Decay, Method, Optimizer, Sam, Schedule, Sgd, Sharpness, SharpnessMethod, Training,
};

const SEED: u64 = 4;
const RATE: f64 = 0.02;

/// The gradient that the published code hands to its base optimizer, from the draws.
type Published = fn(&[f64], &Data, &[Vec<f64>], f64, f64) -> Vec<f64>;

/// Sums ψ(tᵢ)/n and ψ'(tᵢ)/n (gᵢ − g₀), then g₀ + λφ'(Σψ) Σψ'(gᵢ − g₀).
fn universal(
    (x, data, draws): (&[f64], &Data, &[Vec<f64>]),
    (rho, lambda): (f64, f64),
    psi: fn(f64) -> (f64, f64),
    slope_of_phi: fn(f64) -> f64,
) -> Vec<f64> {
    let n = draws.len() as f64;
    let (l0, g0) = value_grad(x, data);
    let (mut argument, mut sum) = (0.0, vec![0.0; x.len()]);
    for v in draws {
        let (l, g) = value_grad(&plus(x, rho, v), data);
        let (value, slope) = psi((l - l0) / (rho * rho));
        argument += value / n;
        sum = plus(&sum, slope / n, &plus(&g, -1.0, &g0));
    }
    plus(&g0, lambda * slope_of_phi(argument), &sum)
}

fn trace(x: &[f64], data: &Data, draws: &[Vec<f64>], rho: f64, lambda: f64) -> Vec<f64> {
    universal((x, data, draws), (rho, lambda), |t| (t, 1.0), |_| 1.0)
}

fn determinant(x: &[f64], data: &Data, draws: &[Vec<f64>], rho: f64, lambda: f64) -> Vec<f64> {
    let psi = |t: f64| ((-t / 2.0).exp(), -0.5 * (-t / 2.0).exp());
    universal((x, data, draws), (rho, lambda), psi, |a| -2.0 / a.powi(3))
}

fn frobenius(x: &[f64], data: &Data, draws: &[Vec<f64>], rho: f64, lambda: f64) -> Vec<f64> {
    let n = draws.len() as f64;
    let (_, g0) = value_grad(x, data);
    let (mut losses, mut sum, mut cross) = (0.0, vec![0.0; x.len()], vec![0.0; x.len()]);
    for v in draws {
        let (l, g) = value_grad(&plus(x, rho, v), data);
        losses += l;
        cross = plus(&cross, l, &g);
        sum = plus(&sum, 1.0, &g);
    }
    let covariance = plus(&scaled(1.0 / (n - 1.0), &cross), -losses / (n - 1.0) / n, &sum);
    plus(&g0, lambda / (rho * rho), &covariance)
}

/// Fifty steps of a method beside those of a gradient.
fn beside(
    what: &str,
    method: impl Method + 'static,
    mut published: impl FnMut(&Training, &[f64], &Data, u64) -> Vec<f64>,
) {
    let net = objective(DType::F64);
    let rule = Sgd::new().with_momentum(0.9);
    let optimizer = Optimizer::new(rule, net.backend(), DType::F64, DIM).unwrap();
    let schedule = Schedule::new(RATE, Decay::Constant).unwrap();
    let mut run = Training::new(net, method, optimizer, schedule, Array::vector(start())).unwrap();
    let (mut x, mut m) = (start(), vec![0.0; DIM]);
    for step in 0..50 {
        let data = data(step, 6);
        let g = published(&run, &x, &data, step);
        run.step(&arrays(&data, DType::F64)).unwrap();
        assert!(distance(&g, &grad(&x, &data)) > 1e-6, "{what}: no penalty to be seen");
        m = plus(&scaled(0.9, &m), 1.0, &g);
        x = plus(&x, -RATE, &m);
        // Frobenius: losses near 1 and a factor λ/ρ² = 200 on a difference that cancels.
        let error = distance(&run.parameters().to_f64_vec(), &x);
        assert!(error < 1e-12, "{what}, step {step}: {error}");
    }
}

fn follow(make: fn() -> Sharpness, published: Published, (rho, lambda, n): (f64, f64, usize)) {
    let make = || make().with_rho(rho);
    let what = format!("{} of {n}", make().name());
    let method = |sharpness| SharpnessMethod::new(sharpness, lambda, n, SEED).unwrap();
    let mut drawing = make();
    beside(&what, method(make()), |run, x, data, step| {
        let (point, batch) = (Array::vector(x), arrays(data, DType::F64));
        let drawn = drawing.draw(run.objective(), &point, &batch, n, (SEED, step)).unwrap();
        let draws: Vec<Vec<f64>> = drawn.iter().map(|(v, _)| v.to_f64_vec()).collect();
        published(x, data, &draws, rho, lambda)
    });
    // As if the other code had drawn them.
    let half_side = if what.contains("determinant") { 0.3 } else { 1.0 };
    let element = |i: usize, j: usize| half_side * (1.7 * i as f64 + 0.9 * (i * j) as f64).sin();
    let given: Vec<Vec<f64>> =
        (0..50 * n).map(|i| (0..DIM).map(|j| element(i + 1, j)).collect()).collect();
    let draws = given.iter().map(|v| Array::vector(v.clone())).collect();
    beside(&what, method(make().with_draws(draws)), |_, x, data, step| {
        published(x, data, &given[n * step as usize..][..n], rho, lambda)
    });
}

#[test]
fn fifty_steps_with_published_settings_are_those_of_the_published_code() {
    follow(Sharpness::published_trace, trace, (0.01, 1.0, 1));
    follow(Sharpness::published_trace, trace, (0.01, 1.0, 3));
    follow(|| Sharpness::published_determinant(0.01), determinant, (1.0, 1.0, 1));
    follow(|| Sharpness::published_determinant(0.3), determinant, (0.9, 0.8, 4));
    follow(Sharpness::published_frobenius, frobenius, (0.005, 0.005, 2));
    follow(Sharpness::published_frobenius, frobenius, (0.01, 0.005, 5));
}

/// The gradient at x + ρ/(‖scale ⊙ g‖ + 10⁻⁷) · mask ⊙ scale² ⊙ g.
fn two_point(x: &[f64], data: &Data, rho: f64, (scale, mask): (&[f64], &[f64])) -> Vec<f64> {
    let g = grad(x, data);
    let factor = rho / (norm(&times(scale, &g)) + 1e-7);
    let e = scaled(factor, &times(mask, &times(&times(scale, scale), &g)));
    grad(&plus(x, 1.0, &e), data)
}

#[test]
fn fifty_two_point_steps_are_those_of_the_published_code() {
    let ones = || vec![1.0; DIM];
    beside("sam", Sam::published_sam(0.2).unwrap(), |_, x, data, _| {
        two_point(x, data, 0.2, (&ones(), &ones()))
    });
    beside("asam", Sam::published_asam(0.5, 0.01).unwrap(), |_, x, data, _| {
        let scale: Vec<f64> = x.iter().map(|x| 0.01 + x.abs()).collect();
        two_point(x, data, 0.5, (&scale, &ones()))
    });
    // SSAM-D with a mask of the other code's, never renewed: 13 · 0.5 rounded up are not perturbed.
    let mask: Vec<f64> = (0..DIM).map(|i| f64::from(u8::from(i % 2 == 1))).collect();
    let masked = Sam::ssam_d(0.2, 0.5, 0.5, 100).unwrap();
    let masked = masked.with_norm_offset(1e-7).unwrap();
    let masked = masked.with_draws(vec![Array::vector(mask.clone())]).unwrap();
    beside("ssam-d", masked, |_, x, data, _| two_point(x, data, 0.2, (&ones(), &mask)));
}

#[test]
fn an_offset_shows_where_gradients_are_short() {
    // 10⁻⁷ beside a gradient of 1 is lost in no digit of double precision.
    let (x, batch) = (Array::vector(start()), arrays(&data(0, 6), DType::F64));
    let gradient = |mut sam: Sam| {
        let found = sam.evaluate(&objective(DType::F64), &x, &batch, 0).unwrap();
        found.gradient.to_f64_vec()
    };
    let [own, published] =
        [Sam::new(0.2), Sam::published_sam(0.2)].map(|sam| gradient(sam.unwrap()));
    let apart = distance(&own, &published);
    assert!((1e-10..1e-6).contains(&apart), "{apart}");
    let refused = Sam::new(0.2).unwrap().with_norm_offset(-1.0).unwrap_err().to_string();
    assert_eq!(refused, "sam: the norm offset is -1, but must be finite and not negative");
}
