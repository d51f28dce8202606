//! Every member of the SAM family beside explicit vectors in plain loops: all rules with all
//! combinations, and what the step adds to them.
#![allow(unreachable_pub, clippy::single_range_in_vec_init)]

mod combinations;
mod rules;
mod walks;

use crate::plain::*;
use burlap_autodiff::{Array, DType};
use burlap_optim::sam::{Asam, Esam, Gsam, LookSam, Score};
use burlap_optim::{Decay, Method, Optimizer, Radius, Sam, Schedule, Sgd, Training};
use combinations::{COMBINATIONS, Combination, Combined, Seen, perturbed};
use rules::*;

const RATE: f64 = 0.05;

/// A step in plain loops: the optimizer's gradient, and what passes its momentum by.
type Reference = Box<dyn FnMut(&[f64], &Data, u64) -> Combined>;

/// The step that all members share.
fn two_point(
    mut rule: Box<dyn Rule>,
    mut combine: Combination,
    points: fn(u64) -> &'static [f64],
) -> Reference {
    Box::new(move |x, data, step| {
        let (loss, g) = value_grad(x, data);
        let e = rule.epsilon(At { x, g: &g, data, step, part: 0 });
        let found = |c: &f64| value_grad(&plus(x, *c, &e), data);
        let seen = Seen { loss, g, points: points(step).iter().map(found).collect() };
        rule.remember(&seen.g, seen.points.first().map_or(&seen.g, |(_, p)| p));
        combine(&seen)
    })
}

/// A rule and the gradient at the perturbed point.
fn alone(rule: Box<dyn Rule>) -> Reference {
    two_point(rule, perturbed(), |_| &[1.0])
}

/// Steps with momentum, of the library and of the reference.
fn follow(name: &str, method: Sam, (momentum, steps): (f64, u64), mut reference: Reference) {
    let rule = Sgd::new().with_momentum(momentum);
    let objective = objective(DType::F64);
    let optimizer = Optimizer::new(rule, objective.backend(), DType::F64, DIM).unwrap();
    let schedule = Schedule::new(RATE, Decay::Constant).unwrap();
    let x = Array::vector(start());
    let mut training = Training::new(objective, method, optimizer, schedule, x).unwrap();
    let (mut x, mut m) = (start(), none());
    let (mut plain, mut plain_m) = (start(), none());
    for step in 0..steps {
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

/// The types for which the library's sources implement a trait.
fn implementors(of: &str) -> Vec<String> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/gradient/sam")).unwrap()
    {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        let heads = text.lines().filter_map(|line| line.strip_prefix(&format!("impl {of} for ")));
        all.extend(heads.filter_map(|head| Some(head.split_once(' ')?.0.to_owned())));
    }
    all.sort();
    all
}

#[test]
fn no_rule_and_no_combination_is_left_out_here() {
    let listed = |names: &mut dyn Iterator<Item = &'static str>| {
        let mut names: Vec<&str> = names.filter(|name| *name != "none").collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    assert_eq!(implementors("Perturbation"), listed(&mut RULES.iter().map(|c| c.name)));
    assert_eq!(implementors("Combination"), listed(&mut COMBINATIONS.iter().map(|c| c.name)));
}

#[test]
fn every_rule_with_every_combination_is_its_definition() {
    for rule in RULES {
        for combination in COMBINATIONS {
            let name = format!("{} with {}", rule.name, combination.name);
            let method = (combination.method)((rule.method)());
            let plain = two_point((rule.plain)(), (combination.plain)(), combination.points);
            follow(&name, method, (0.9, 14), plain);
        }
    }
}

#[test]
fn fifty_steps_of_every_rule() {
    for rule in RULES {
        follow(rule.name, (rule.method)(), (0.9, 50), alone((rule.plain)()));
    }
}

#[test]
fn fifty_steps_of_every_combination() {
    for c in COMBINATIONS {
        let plain = two_point((RULES[0].plain)(), (c.plain)(), c.points);
        follow(c.name, (c.method)((RULES[0].method)()), (0.9, 50), plain);
    }
}

#[test]
fn scores_and_horizons_of_dynamic_masks() {
    for by in [Score::Gradient, Score::Weight, Score::Random] {
        for grow in [Score::Gradient, Score::Weight, Score::Random] {
            let rule = || Box::new(Dynamic::new(by, grow, Some(30)));
            let name = format!("{by:?} {grow:?}");
            follow(&name, dynamic(by, grow, Some(30)), (0.9, 40), alone(rule()));
        }
    }
}

#[test]
fn given_draws_take_the_place_of_random_ones() {
    // Those that would be drawn anyway give the same steps, and a mask as scores gives itself.
    let draws = |all: Vec<Vec<f64>>| all.into_iter().map(Array::vector).collect::<Vec<_>>();
    let stochastic = || Sam::with_rule(Esam { rho: 0.2, keep_probability: 0.6 }).unwrap();
    let dynamic = |by| rules::dynamic(by, Score::Random, None);
    let uniform = draws((0..14).map(|step| uniform(step, 0)).collect());
    let growth = draws((0..3).map(|r| random_scores(5 * r, 1)).collect());
    let both = draws((0..6).map(|i| random_scores(5 * (i / 2), (i % 2) as u32)).collect());
    // A seed of their own, which is not used.
    let cases = [
        ("Esam", stochastic().with_seed(77).with_draws(uniform).unwrap()),
        ("SsamD", dynamic(Score::Gradient).with_seed(77).with_draws(growth).unwrap()),
    ];
    for (name, method) in cases {
        let rule = RULES.iter().find(|r| r.name == name).unwrap();
        follow(name, method, (0.9, 14), alone((rule.plain)()));
    }
    let method = dynamic(Score::Random).with_seed(77).with_draws(both).unwrap();
    let rule = Box::new(Dynamic::new(Score::Random, Score::Random, None));
    follow("both random", method, (0.9, 14), alone(rule));

    // 6 and 9 of 13 are perturbed.
    let mask = |count: usize| -> Vec<f64> {
        (0..DIM).map(|i| f64::from(u8::from(5 * i % DIM < count))).collect()
    };
    let cases =
        [(mask(6), dynamic(Score::Gradient)), (mask(9), Sam::ssam_f(0.2, 0.3, 4, 5).unwrap())];
    for (mask, method) in cases {
        let method = method.with_draws(draws(vec![mask.clone()])).unwrap();
        let rule = rules::plain(move |at| times(&mask, &ascent(0.2, at.g)));
        follow("a mask", method, (0.9, 5), alone(rule));
    }

    // The start of an iteration that finds the same vector from there.
    let rule = RULES.iter().find(|r| r.name == "EigenSam").unwrap();
    let method = (rule.method)().with_draws(draws(vec![start(), vec![1.0; DIM]])).unwrap();
    follow("top", method, (0.9, 10), alone((rule.plain)()));

    // One for each micro-batch.
    let draws = draws((0..12).map(|i| rules::uniform(i / 3, (i % 3) as u32)).collect());
    let method = stochastic().with_draws(draws).unwrap().with_m_sharpness(2).unwrap();
    follow(
        "masks",
        method,
        (0.9, 4),
        in_parts(2, |at| times(&drawn_mask(at, 0.6), &ascent(0.2, at.g))),
    );
}

#[test]
fn draws_that_do_not_fit_are_errors() {
    let (x, batch) = (Array::vector(start()), arrays(&data(0, 6), DType::F64));
    let esam =
        |draws| Sam::with_rule(Esam { rho: 0.2, keep_probability: 0.6 }).unwrap().with_draws(draws);
    let fails = |draws: Vec<Array>, step| {
        let found = esam(draws).unwrap().evaluate(&objective(DType::F64), &x, &batch, step);
        found.unwrap_err().to_string()
    };
    assert_eq!(fails(vec![], 2), "draws of esam: expected at least 3 vectors, found 0");
    let short = vec![Array::vector([0.5])];
    assert_eq!(fails(short, 0), "draws of esam, draw: expected f64[13], found f64[1]");
    let nothing = Sam::new(0.1).unwrap().with_draws(vec![x.clone()]).unwrap_err().to_string();
    let expected =
        "sam: the number of draws is 1, but must be 0: its perturbation has nothing random";
    assert_eq!(nothing, expected);
}

/// Micro-batches with a perturbation each.
fn in_parts(size: usize, rule: impl Fn(At<'_>) -> Vec<f64> + 'static) -> Reference {
    Box::new(move |x, data, step| {
        let mut sum = none();
        for (part, piece) in data.chunks(size).map(<[_]>::to_vec).enumerate() {
            let g = grad(x, &piece);
            let e = rule(At { x, g: &g, data: &piece, step, part: part as u32 });
            let share = piece.len() as f64 / data.len() as f64;
            sum = plus(&sum, share, &grad(&plus(x, 1.0, &e), &piece));
        }
        (sum, none())
    })
}

#[test]
fn random_masks_and_chosen_examples() {
    let efficient: Reference = Box::new(|x, data, step| {
        let g = grad(x, data);
        let mask = drawn_mask(At { x, g: &g, data, step, part: 0 }, 0.6);
        let moved = plus(x, 1.0, &times(&mask, &ascent(0.2, &g)));
        let rise =
            |e: &([f64; 2], f64)| value_grad(&moved, &vec![*e]).0 - value_grad(x, &vec![*e]).0;
        let mut chosen = data.clone();
        chosen.sort_by(|a, b| rise(b).total_cmp(&rise(a)));
        // ⌊0.7 · 6⌋
        chosen.truncate(4);
        (grad(&moved, &chosen), none())
    });
    let method = Sam::esam(0.2, 0.6, 0.7).unwrap().with_seed(SEED);
    follow("esam", method, (0.9, 50), efficient);
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
    let method = Sam::new(0.2).unwrap().over(vec![0..6, 9..12]).unwrap();
    let rule = rules::plain(move |at| ascent(0.2, &weights(at.g)));
    follow("ranges", method, (0.9, 50), alone(rule));

    // Parts of 4 and 2 examples, each with its own perturbation, and LookSAM's vector averaged.
    let mut kept = none();
    let micro: Reference = Box::new(move |x, data, step| {
        let (mut sum, mut new) = (none(), none());
        for part in data.chunks(4).map(<[_]>::to_vec) {
            let share = part.len() as f64 / 6.0;
            let g = grad(x, &part);
            let (found, beside) = if step % 3 == 0 {
                let p = grad(&plus(x, 1.0, &ascent(0.2, &g)), &part);
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
    let look = Sam::new(0.2).unwrap().combined(LookSam { reuse_weight: 0.7, every: 3 }).unwrap();
    follow("micro-batches", look.with_m_sharpness(4).unwrap(), (0.9, 50), micro);

    // A mask for each micro-batch.
    let masked = in_parts(2, |at| times(&drawn_mask(at, 0.5), &ascent(0.1, at.g)));
    let random = Sam::with_rule(Esam { rho: 0.1, keep_probability: 0.5 }).unwrap().with_seed(SEED);
    follow("masks", random.with_m_sharpness(2).unwrap(), (0.9, 50), masked);

    let rates = Schedule::new(0.4, Decay::Cosine { total: 30, floor: 0.0 }).unwrap();
    let tied = rules::plain(|at| {
        let rate = 0.2 * (1.0 + (std::f64::consts::PI * (at.step as f64 / 30.0).min(1.0)).cos());
        ascent(0.05 + (0.3 - 0.05) * rate / 0.4, at.g)
    });
    let radius = Radius::tied(rates, (0.0, 0.4), (0.05, 0.3)).unwrap();
    follow("radius", Sam::new(0.2).unwrap().with_radius(radius), (0.9, 50), alone(tied));
}

#[test]
fn a_method_that_has_been_used_may_be_changed() {
    // Programs and state of before must not be those of after.
    let objective = objective(DType::F64);
    let (x, batch) = (Array::vector(start()), arrays(&data(0, 6), DType::F64));
    let changes: [fn(Sam) -> Sam; 3] = [
        |sam| sam.combined(Gsam { orthogonal_weight: 0.4 }).unwrap(),
        |sam| sam.over(vec![0..6]).unwrap(),
        |sam| sam.with_norm_offset(0.5).unwrap(),
    ];
    for change in changes {
        let make = || Sam::with_rule(Asam { rho: 0.3, scale_offset: 0.0 }).unwrap();
        let mut used = make();
        used.evaluate(&objective, &x, &batch, 0).unwrap();
        let [found, expected] = [change(used), change(make())]
            .map(|mut sam| sam.evaluate(&objective, &x, &batch, 0).unwrap().gradient);
        assert_eq!(found, expected);
    }
}
