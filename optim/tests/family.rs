//! Every member of the SAM family, fifty steps beside explicit vectors in plain loops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod plain;

use burlap_autodiff::{Array, DType, Interpreter, Tape};
use burlap_optim::curvature::Lanczos;
use burlap_optim::random::{Draw, Purpose};
use burlap_optim::sam::{
    Adaptive, CurvatureRegularised, DynamicMask, Reuse, Score, Stochastic, SurrogateGap,
    TopDirection, Weighted,
};
use burlap_optim::{Decay, Optimizer, Radius, Sam, Schedule, Sgd, Training};
use nalgebra::{DMatrix, SymmetricEigen};
use plain::*;
use rand_distr::{Distribution, StandardUniform};

const RATE: f64 = 0.05;
const SEED: u64 = 5;

/// What a step's gradient is, and what passes the momentum by.
type Reference = Box<dyn FnMut(&[f64], &Data, u64) -> (Vec<f64>, Vec<f64>)>;

fn none() -> Vec<f64> {
    vec![0.0; DIM]
}

fn ascent(rho: f64, g: &[f64]) -> Vec<f64> {
    scaled(rho / norm(g), g)
}

/// The gradient at x + ε.
fn at(x: &[f64], c: f64, e: &[f64], data: &Data) -> Vec<f64> {
    grad(&plus(x, c, e), data)
}

fn beside(v: &[f64], of: &[f64]) -> Vec<f64> {
    plus(v, -dot(v, of) / dot(of, of), of)
}

/// A rule of the clean gradient alone.
fn perturbed(e: impl Fn(&[f64], &[f64]) -> Vec<f64> + 'static) -> Reference {
    Box::new(move |x, data, _| (at(x, 1.0, &e(x, &grad(x, data)), data), none()))
}

/// Fifty steps with momentum, of the library and of the reference.
fn follow(name: &str, method: Sam, momentum: f64, mut reference: Reference) {
    let rule = Sgd::new().with_momentum(momentum);
    let objective = objective(DType::F64);
    let optimizer = Optimizer::new(rule, objective.backend(), DType::F64, DIM).unwrap();
    let schedule = Schedule::new(RATE, Decay::Constant).unwrap();
    let x = Array::vector(start());
    let mut training = Training::new(objective, method, optimizer, schedule, x).unwrap();
    let (mut x, mut m) = (start(), none());
    let (mut plain, mut plain_m) = (start(), none());
    for step in 0..50 {
        let data = data(step, 6);
        training.step(&arrays(&data, DType::F64)).unwrap();
        let (g, decoupled) = reference(&x, &data, step);
        m = plus(&scaled(momentum, &m), 1.0, &g);
        x = plus(&plus(&x, -RATE, &m), -RATE, &decoupled);
        plain_m = plus(&scaled(momentum, &plain_m), 1.0, &grad(&plain, &data));
        plain = plus(&plain, -RATE, &plain_m);
        let found = training.parameters().to_f64_vec();
        // Steps of 0.1 and rounding of 1e-16 that 50 steps of a smooth loss enlarge a little.
        assert!(distance(&found, &x) < 1e-12, "{name}, step {step}: {}", distance(&found, &x));
    }
    assert!(distance(&plain, &x) > 1e-3, "{name} does what the plain gradient does");
}

#[test]
fn the_gradient_by_hand_is_that_of_the_formula() {
    let (x, data) = (start(), data(0, 6));
    let (loss, g) = objective(DType::F64)
        .value_grad(&Array::vector(x.clone()), &arrays(&data, DType::F64))
        .unwrap();
    let expected = value_grad(&x, &data);
    assert!((loss - expected.0).abs() < 1e-15 && distance(&g.to_f64_vec(), &expected.1) < 1e-15);
}

#[test]
fn rules_of_the_gradient() {
    follow("sam", Sam::new(0.2).unwrap(), 0.9, perturbed(|_, g| ascent(0.2, g)));
    let adaptive = perturbed(|x, g| {
        let t: Vec<f64> = x.iter().map(|x| x.abs() + 0.01).collect();
        let tg = times(&t, g);
        scaled(0.4 / norm(&tg), &times(&t, &tg))
    });
    follow("asam", Sam::adaptive(0.4, 0.01).unwrap(), 0.0, adaptive);
    let fisher = perturbed(|_, g| {
        let natural: Vec<f64> = g.iter().map(|g| g / (1.0 + 3.0 * g * g)).collect();
        scaled(0.2 / dot(g, &natural).sqrt(), &natural)
    });
    follow("fisher-sam", Sam::fisher(0.2, 3.0).unwrap(), 0.9, fisher);
}

#[test]
fn rules_with_a_running_mean() {
    let mut mean = none();
    let friendly: Reference = Box::new(move |x, data, _| {
        let g = grad(x, data);
        mean = plus(&scaled(0.7, &mean), 0.3, &g);
        (at(x, 1.0, &ascent(0.2, &plus(&g, -0.9, &mean)), data), none())
    });
    follow("f-sam", Sam::friendly(0.2, 0.9, 0.7).unwrap(), 0.9, friendly);
    let mut m = none();
    let momentum: Reference = Box::new(move |x, data, _| {
        let e = if norm(&m) == 0.0 { none() } else { ascent(-0.2, &m) };
        let g = at(x, 1.0, &e, data);
        m = plus(&scaled(0.8, &m), 1.0, &g);
        (g, none())
    });
    follow("msam", Sam::momentum(0.2, 0.8).unwrap(), 0.8, momentum);
}

#[test]
fn combinations_of_gradients() {
    let gsam = |e: fn(&[f64], &[f64]) -> Vec<f64>| -> Reference {
        Box::new(move |x, data, _| {
            let g = grad(x, data);
            let p = at(x, 1.0, &e(x, &g), data);
            (plus(&p, -0.4, &beside(&g, &p)), none())
        })
    };
    follow("gsam", Sam::surrogate_gap(0.2, 0.4).unwrap(), 0.9, gsam(|_, g| ascent(0.2, g)));
    let adaptive = Sam::with_rule(Adaptive { rho: 0.3, eta: 0.0 }).unwrap();
    let both = adaptive.combined(SurrogateGap { alpha: 0.4 }).unwrap();
    let scale = |x: &[f64], g: &[f64]| {
        let tg: Vec<f64> = x.iter().zip(g).map(|(x, g)| x.abs() * g).collect();
        let t: Vec<f64> = x.iter().map(|x| x.abs()).collect();
        scaled(0.3 / norm(&tg), &times(&t, &tg))
    };
    follow("gsam with asam", both, 0.0, gsam(scale));

    let mut kept = none();
    let look: Reference = Box::new(move |x, data, step| {
        let g = grad(x, data);
        if step % 4 == 0 {
            let p = at(x, 1.0, &ascent(0.2, &g), data);
            kept = beside(&p, &g);
            return (p, none());
        }
        (plus(&g, 0.7 * norm(&g) / norm(&kept), &kept), none())
    });
    follow("looksam", Sam::look(0.2, 0.7, 4).unwrap(), 0.9, look);

    for decoupled in [true, false] {
        let weighted: Reference = Box::new(move |x, data, _| {
            let g = grad(x, data);
            let term = scaled(0.8 / 0.2, &plus(&at(x, 1.0, &ascent(0.1, &g), data), -1.0, &g));
            if decoupled { (g, term) } else { (plus(&g, 1.0, &term), none()) }
        });
        let method = Sam::new(0.1).unwrap().combined(Weighted { gamma: 0.8, decoupled }).unwrap();
        follow("wsam", method, 0.9, weighted);
    }

    for normalised in [false, true] {
        let regularised: Reference = Box::new(move |x, data, _| {
            let (l, g) = value_grad(x, data);
            let e = ascent(0.1, &g);
            let [(high, up), (low, down)] = [1.0, -1.0].map(|c| value_grad(&plus(x, c, &e), data));
            let mut curvature = plus(&plus(&up, 1.0, &down), -2.0, &g);
            let mut slope = plus(&up, -1.0, &down);
            if normalised {
                let by = |d: f64| if d > 0.0 { 1.0 / d } else { 0.0 };
                curvature = scaled(by(high + low - 2.0 * l), &curvature);
                slope = scaled(by(high - low), &slope);
            }
            (plus(&plus(&up, 0.03, &curvature), 0.02, &slope), none())
        });
        let rule = CurvatureRegularised { alpha: 0.03, beta: 0.02, normalised };
        follow("cr-sam", Sam::new(0.1).unwrap().combined(rule).unwrap(), 0.5, regularised);
    }
}

/// The indices of the largest scores among some.
fn largest(candidates: &[usize], count: usize, scores: &[f64]) -> Vec<usize> {
    let mut order = candidates.to_vec();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order[..count].to_vec()
}

fn mask(chosen: &[usize]) -> Vec<f64> {
    (0..DIM).map(|i| f64::from(u8::from(chosen.contains(&i)))).collect()
}

#[test]
fn sparse_masks() {
    // 13 · 0.3 rounded up: 4 are not perturbed.
    let mut held = none();
    let fisher: Reference = Box::new(move |x, data, step| {
        if step % 10 == 0 {
            let mut f = none();
            for example in &data[..4] {
                let g = grad(x, &vec![*example]);
                f = plus(&f, 1.0, &times(&g, &g));
            }
            held = mask(&largest(&(0..DIM).collect::<Vec<_>>(), 9, &f));
        }
        let e = ascent(0.2, &grad(x, data));
        (at(x, 1.0, &times(&held, &e), data), none())
    });
    follow("ssam-f", Sam::fisher_masked(0.2, 0.3, 4, 10).unwrap(), 0.9, fisher);

    let random = |step, sample| -> Vec<f64> {
        let draw = Draw { seed: SEED, purpose: Purpose::Direction, step, sample };
        let mut stream = draw.stream(0);
        (0..DIM).map(|_| StandardUniform.sample(&mut stream)).collect()
    };
    for (drop_by, horizon) in [(Score::Gradient, None), (Score::Weight, Some(40))] {
        let rule = DynamicMask {
            rho: 0.2,
            sparsity: 0.5,
            drop: 0.7,
            drop_by,
            grow_by: Score::Random,
            every: 10,
            horizon,
        };
        let mut chosen: Vec<usize> = Vec::new();
        let dynamic: Reference = Box::new(move |x, data, step| {
            let g = grad(x, data);
            let all: Vec<usize> = (0..DIM).collect();
            if step == 0 {
                chosen = largest(&all, 6, &random(0, 1));
            } else if step % 10 == 0 {
                let stay: Vec<f64> =
                    if horizon.is_none() { &g } else { x }.iter().map(|s| s.abs()).collect();
                let part = match horizon {
                    None => 0.7,
                    Some(t) => {
                        let turn = std::f64::consts::PI * (step as f64 / t as f64).min(1.0);
                        0.35 * (1.0 + turn.cos())
                    }
                };
                let dropped = (6.0 * part) as usize;
                let outside: Vec<usize> = all.into_iter().filter(|i| !chosen.contains(i)).collect();
                chosen = largest(&chosen, 6 - dropped, &stay);
                chosen.extend(largest(&outside, dropped, &random(step, 1)));
            }
            (at(x, 1.0, &times(&mask(&chosen), &ascent(0.2, &g)), data), none())
        });
        follow("ssam-d", Sam::with_rule(rule).unwrap().with_seed(SEED), 0.9, dynamic);
    }
}

/// The numbers that a step's random mask is made of, by the interpreter.
fn uniform(step: u64, part: u32) -> Vec<f64> {
    let draw = Draw { seed: SEED, purpose: Purpose::Key, step, sample: 0x00ff_0000 + part };
    let tape = Tape::new();
    let key = tape.literal(&Array::vector(draw.key()));
    let program = tape.compile(&Interpreter, &[key.uniform(0, DType::F64, [DIM])]).unwrap();
    program.run(&[]).unwrap()[0].to_f64_vec()
}

#[test]
fn random_masks_and_chosen_examples() {
    let efficient: Reference = Box::new(|x, data, step| {
        let m: Vec<f64> =
            uniform(step, 0).iter().map(|u| if *u < 0.6 { 1.0 / 0.6 } else { 0.0 }).collect();
        let moved = plus(x, 1.0, &times(&m, &ascent(0.2, &grad(x, data))));
        let rise =
            |e: &([f64; 2], f64)| value_grad(&moved, &vec![*e]).0 - value_grad(x, &vec![*e]).0;
        let mut chosen = data.clone();
        chosen.sort_by(|a, b| rise(b).total_cmp(&rise(a)));
        // ⌊0.7 · 6⌋
        chosen.truncate(4);
        (grad(&moved, &chosen), none())
    });
    follow("esam", Sam::efficient(0.2, 0.6, 0.7).unwrap().with_seed(SEED), 0.9, efficient);
}

#[test]
fn towards_the_top_eigenvector() {
    let dense = objective(DType::F64);
    let mut v = none();
    let eigen: Reference = Box::new(move |x, data, step| {
        let g = grad(x, data);
        if step % 10 == 0 {
            let batch = arrays(data, DType::F64);
            let program = dense.program("dense", &batch, |r| vec![r.loss(r.x).hessian(r.x)]);
            let found = program.unwrap().run(&[&Array::vector(x), &batch[0], &batch[1]]).unwrap();
            let h = DMatrix::from_row_slice(DIM, DIM, &found[0].to_f64_vec());
            let all = SymmetricEigen::new(h);
            v = all.eigenvectors.column(all.eigenvalues.imax()).iter().copied().collect();
        }
        let part = scaled(0.5 * dot(&g, &v).signum(), &beside(&v, &g));
        let d = plus(&scaled(1.0 / norm(&g), &g), 1.0, &part);
        (at(x, 1.0, &ascent(0.2, &d), data), none())
    });
    let lanczos = Lanczos { max_products: DIM, tolerance: 1e-14 };
    let rule = TopDirection { rho: 0.2, alpha: 0.5, every: 10, lanczos };
    follow("eigen-sam", Sam::with_rule(rule).unwrap(), 0.9, eigen);
}

#[test]
fn ranges_micro_batches_and_radii() {
    // Weights only: no biases. Norms are those of what is perturbed.
    let weights = |v: &[f64]| -> Vec<f64> {
        v.iter()
            .enumerate()
            .map(|(i, v)| if i < 6 || (9..12).contains(&i) { *v } else { 0.0 })
            .collect()
    };
    let method = || Sam::new(0.2).unwrap().over(vec![0..6, 9..12]).unwrap();
    follow("ranges", method(), 0.9, perturbed(move |_, g| ascent(0.2, &weights(g))));

    // Parts of 4 and 2 examples, each with its own perturbation, and LookSAM's vector averaged.
    let mut kept = none();
    let micro: Reference = Box::new(move |x, data, step| {
        let (mut sum, mut new) = (none(), none());
        for part in data.chunks(4).map(<[_]>::to_vec) {
            let share = part.len() as f64 / 6.0;
            let g = grad(x, &part);
            let (found, beside) = if step % 3 == 0 {
                let p = at(x, 1.0, &ascent(0.2, &g), &part);
                let beside = beside(&p, &g);
                (p, beside)
            } else {
                (plus(&g, 0.7 * norm(&g) / norm(&kept), &kept), kept.clone())
            };
            sum = plus(&sum, share, &found);
            new = plus(&new, share, &beside);
        }
        kept = new;
        (sum, none())
    });
    let look = Sam::new(0.2).unwrap().combined(Reuse { alpha: 0.7, every: 3 }).unwrap();
    follow("micro-batches", look.with_micro_batches(4).unwrap(), 0.9, micro);

    // A mask for each micro-batch.
    let masked: Reference = Box::new(|x, data, step| {
        let mut sum = none();
        for (i, part) in data.chunks(2).map(<[_]>::to_vec).enumerate() {
            let m: Vec<f64> =
                uniform(step, i as u32).iter().map(|u| if *u < 0.5 { 2.0 } else { 0.0 }).collect();
            let e = times(&m, &ascent(0.1, &grad(x, &part)));
            sum = plus(&sum, 1.0 / 3.0, &at(x, 1.0, &e, &part));
        }
        (sum, none())
    });
    let random = Sam::with_rule(Stochastic { rho: 0.1, beta: 0.5 }).unwrap().with_seed(SEED);
    follow("masks", random.with_micro_batches(2).unwrap(), 0.9, masked);

    let rates = Schedule::new(0.4, Decay::Cosine { total: 30, floor: 0.0 }).unwrap();
    let tied: Reference = Box::new(|x, data, step| {
        let rate = 0.2 * (1.0 + (std::f64::consts::PI * (step as f64 / 30.0).min(1.0)).cos());
        let rho = 0.05 + (0.3 - 0.05) * rate / 0.4;
        (at(x, 1.0, &ascent(rho, &grad(x, data)), data), none())
    });
    let radius = Radius::tied(rates, (0.0, 0.4), (0.05, 0.3)).unwrap();
    follow("radius", Sam::new(0.2).unwrap().with_radius(radius), 0.9, tied);
}
