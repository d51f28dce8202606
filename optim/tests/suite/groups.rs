//! Groups of parameters: own rates, weight decays and clipping, frozen ones; what a training tells of
//! its steps and lets set.

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::{
    Adam, AdamW, Error, Group, Lion, Objective, Optimizer, Plain, Schedule, Selection, Sgd,
    Training, UpdateRule,
};

/// Names and shapes of ten parameters, and where each lies.
const LAYOUT: [(&str, &[usize]); 5] = [
    ("embed.weight", &[2]),
    ("body.weight", &[2, 1]),
    ("body.bias", &[1]),
    ("head.weight", &[1, 3]),
    ("head.bias", &[2]),
];

fn objective(dtype: DType) -> Objective {
    let loss = |x: Var, batch: &[Var]| (batch[0] * x.sin()).sum();
    let layout = LAYOUT.map(|(name, shape)| (name, shape));
    let cpu = Cpu::with_threads(1).unwrap();
    Objective::new(cpu, dtype, 10, loss).with_layout(layout).unwrap()
}

fn range(name: &str) -> std::ops::Range<usize> {
    let objective = objective(DType::F64);
    objective.layout().iter().find(|p| p.name() == name).unwrap().range()
}

fn start() -> Vec<f64> {
    (0..10).map(|i| (f64::from(i) * 0.7).cos() + 0.3).collect()
}

fn gradient(step: usize) -> Vec<f64> {
    (0..10).map(|i| ((i * 3 + step * 5) as f64).sin() * 2.0).collect()
}

const STEPS: usize = 12;

/// Where an optimizer of all parameters, or of some of them, arrives.
fn run(mut optimizer: Optimizer, elements: &[usize], rate: f64) -> Vec<f64> {
    let dtype = optimizer.dtype();
    let chosen = |all: Vec<f64>| {
        let values: Vec<f64> = elements.iter().map(|&i| all[i]).collect();
        Array::from_f64(dtype, [elements.len()], &values).unwrap()
    };
    let mut x = chosen(start());
    for step in 0..STEPS {
        optimizer.step(&mut x, &chosen(gradient(step)), rate).unwrap();
    }
    x.to_f64_vec()
}

const RATE: f64 = 0.05;

/// The rules, made with a weight decay.
type Make = fn(f64) -> Box<dyn UpdateRule>;

fn rules() -> Vec<Make> {
    vec![
        |w| Box::new(Sgd::new().with_weight_decay(w)),
        |w| Box::new(Sgd::new().with_momentum(0.9).with_weight_decay(w)),
        |w| Box::new(Sgd::new().with_momentum(0.9).with_nesterov().with_weight_decay(w)),
        |w| Box::new(Adam::new().with_weight_decay(w)),
        |w| Box::new(AdamW::new().with_weight_decay(w)),
        |w| Box::new(Lion::new().with_weight_decay(w)),
    ]
}

#[test]
fn each_group_is_an_optimizer_of_its_own_to_the_bit() {
    for dtype in [DType::F32, DType::F64] {
        for make in rules() {
            let rule = make(0.1)
                .no_decay("*.bias")
                .freeze("embed.*")
                .with_group(Group::new("head.*").with_rate_factor(0.5))
                // Later groups come before earlier ones, for what they set.
                .with_group(Group::new("head.bias").with_weight_decay(0.3));
            let all = run(
                Optimizer::of(rule, &objective(dtype)).unwrap(),
                &(0..10).collect::<Vec<_>>(),
                RATE,
            );
            for (name, decay, factor) in [
                ("body.weight", 0.1, 1.0),
                ("body.bias", 0.0, 1.0),
                ("head.weight", 0.1, 0.5),
                ("head.bias", 0.3, 0.5),
            ] {
                let elements: Vec<usize> = range(name).collect();
                let cpu = Cpu::with_threads(1).unwrap();
                let own = Optimizer::new(make(decay), &cpu, dtype, elements.len()).unwrap();
                // Half a rate is exact in every type.
                let expected = run(own, &elements, RATE * factor);
                assert_eq!(all[range(name)], expected, "{dtype} {} {name}", make(0.0).name());
            }
            let frozen = range("embed.weight");
            let unchanged = Array::from_f64(dtype, [10], &start()).unwrap().to_f64_vec();
            assert_eq!(all[frozen.clone()], unchanged[frozen]);
        }
    }
}

#[test]
fn settings_that_are_those_of_all_change_no_bit() {
    let elements: Vec<usize> = (0..10).collect();
    for make in rules() {
        let plain = || Optimizer::of(make(0.1), &objective(DType::F32)).unwrap();
        let expected = run(plain(), &elements, RATE);
        for group in [Group::new("*"), Group::new(["embed.*", "head.*"]), Group::new("head.bias")] {
            let same = group.with_weight_decay(0.1).with_rate_factor(1.0);
            let grouped = make(0.1).with_group(same);
            let optimizer = Optimizer::of(grouped, &objective(DType::F32)).unwrap();
            assert_eq!(run(optimizer, &elements, RATE), expected);
        }
        let clipped = plain().with_clipping(1.0).unwrap();
        let by_rule = Optimizer::of(make(0.1).clip(1.0), &objective(DType::F32)).unwrap();
        assert_eq!(run(clipped, &elements, RATE), run(by_rule, &elements, RATE));
    }
}

#[test]
fn a_group_is_clipped_by_the_norm_of_all_its_parameters() {
    // The biases lie apart; the head's weights have a norm of their own, the rest none.
    let rule = Sgd::new()
        .with_group(Group::new("*.bias").with_clipping(0.5))
        .with_group(Group::new("head.weight").with_clipping(0.1))
        .freeze("embed.*");
    let mut optimizer = Optimizer::of(rule, &objective(DType::F64)).unwrap();
    assert_eq!(optimizer.gradient_norm(), None);
    let (before, g) = (start(), gradient(0));
    let mut x = Array::vector(before.clone());
    optimizer.step(&mut x, &Array::vector(g.clone()), 1.0).unwrap();
    let norm = |names: &[&str]| -> f64 {
        let elements = names.iter().flat_map(|name| range(name));
        elements.map(|i| g[i] * g[i]).sum::<f64>().sqrt()
    };
    let (biases, head) = (norm(&["body.bias", "head.bias"]), norm(&["head.weight"]));
    assert!(biases > 0.5 && head > 0.1);
    let x = x.to_f64_vec();
    for (name, factor) in [
        ("embed.weight", 0.0),
        ("body.weight", 1.0),
        ("body.bias", 0.5 / biases),
        ("head.weight", 0.1 / head),
        ("head.bias", 0.5 / biases),
    ] {
        for i in range(name) {
            let expected = before[i] - factor * g[i];
            // A few roundings of numbers near 1.
            assert!((x[i] - expected).abs() < 1e-15 * 4.0, "{name} {} {expected}", x[i]);
        }
    }
    // Of all that move, before clipping.
    let all = norm(&["body.weight", "body.bias", "head.weight", "head.bias"]);
    assert!((optimizer.gradient_norm().unwrap() - all).abs() < 1e-15 * 4.0);
}

#[test]
fn what_is_frozen_counts_for_nothing_and_moves_by_nothing() {
    let rule = Sgd::new().with_momentum(0.9).freeze("embed.*");
    let mut optimizer = Optimizer::of(rule, &objective(DType::F64)).unwrap();
    let mut x = Array::vector(start());
    let mut g = gradient(0);
    g[0] = f64::NAN;
    let extra = Array::vector(vec![1.0; 10]);
    optimizer.step_decoupled(&mut x, &Array::vector(g.clone()), Some(&extra), 0.5).unwrap();
    assert_eq!(x.to_f64_vec()[..2], start()[..2]);
    assert_eq!(x.to_f64_vec()[2], start()[2] - 0.5 * g[2] - 0.5);
    g[3] = f64::NAN;
    let before = (x.clone(), optimizer.state());
    assert!(optimizer.step(&mut x, &Array::vector(g), 0.5).is_err());
    assert_eq!((x, optimizer.state()), before);
    // Everything frozen: a step of nothing.
    let mut optimizer = Optimizer::of(Adam::new().freeze("*"), &objective(DType::F64)).unwrap();
    let mut x = Array::vector(start());
    optimizer.step(&mut x, &Array::vector(gradient(1)), 0.5).unwrap();
    assert_eq!((x.to_f64_vec(), optimizer.gradient_norm()), (start(), Some(0.0)));
}

#[test]
fn a_grouped_rule_goes_on_from_a_saved_state() {
    let make = || {
        let rule = AdamW::new().no_decay(Selection::vectors()).clip(1.5).freeze("embed.*");
        Optimizer::of(rule, &objective(DType::F32)).unwrap()
    };
    let step = |optimizer: &mut Optimizer, x: &mut Array, i: usize| {
        let g = Array::from_f64(DType::F32, [10], &gradient(i)).unwrap();
        optimizer.step(x, &g, RATE).unwrap();
    };
    let first = || Array::from_f64(DType::F32, [10], &start()).unwrap();
    let (mut whole, mut x) = (make(), first());
    (0..8).for_each(|i| step(&mut whole, &mut x, i));
    let (mut half, mut y) = (make(), first());
    (0..3).for_each(|i| step(&mut half, &mut y, i));
    let mut rest = make();
    rest.restore(&half.state()).unwrap();
    (3..8).for_each(|i| step(&mut rest, &mut y, i));
    assert_eq!((x, whole.state()), (y, rest.state()));
}

#[test]
fn mistakes_are_said_in_the_users_words() {
    let of = |rule: burlap_optim::Grouped| {
        Optimizer::of(rule, &objective(DType::F64)).unwrap_err().to_string()
    };
    let unnamed = |rule: burlap_optim::Grouped| {
        Optimizer::new(rule, &Cpu::new(), DType::F64, 10).unwrap_err().to_string()
    };
    let layout = |names: [&'static str; 2], sizes: [usize; 2]| {
        let objective = Objective::new(Cpu::new(), DType::F64, 3, |x: Var, _: &[Var]| x.sum());
        let pairs = names.into_iter().zip(sizes);
        objective.with_layout(pairs).unwrap_err().to_string()
    };
    for (error, expected) in [
        (
            of(Sgd::new().freeze("body.wieght")),
            "there is no parameter named \"body.wieght\"; there are embed.weight, body.weight",
        ),
        (of(Sgd::new().freeze(["*.bias", "x.*"])), "there is no parameter named \"x.*\""),
        (
            unnamed(Sgd::new().no_decay("*.bias")),
            "sgd: a group is that of [\"*.bias\"], but must be of all parameters where their names",
        ),
        (
            of(Sgd::new().with_group(Group::new("*.bias").with_rate_factor(-1.0))),
            "sgd, group of [\"*.bias\"]: the rate's factor is -1",
        ),
        (
            of(Adam::new().with_group(Group::new("*").with_weight_decay(f64::NAN))),
            "weight decay is NaN",
        ),
        (of(Adam::new().clip(0.0)), "adam, group of all parameters: clipping norm is 0"),
        (layout(["a", "a"], [1, 2]), "the parameters' layout is one with \"a\" twice"),
        (
            layout(["a", "b"], [1, 3]),
            "objective: the parameters' layout is of 4 elements for 3 parameters",
        ),
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_training_takes_rules_numbers_and_closures() {
    let batch = [Array::vector(vec![1.0; 10])];
    let made = |schedule: Schedule| {
        let rule = AdamW::new().no_decay("*.bias");
        let (objective, x) = (objective(DType::F64), Array::vector(start()));
        Training::new(objective, Plain, rule, schedule, x).unwrap()
    };
    let by_closure = |t: u64| 0.1 / (t + 1) as f64;
    let rule = AdamW::new().no_decay("*.bias");
    let (of_closure, x) = (objective(DType::F64), Array::vector(start()));
    let mut training = Training::new(of_closure, Plain, rule, by_closure, x).unwrap();
    let mut described = made(Schedule::by("0.1/(t + 1)", by_closure));
    for step in 0..5 {
        assert_eq!(training.rate(), 0.1 / f64::from(step + 1));
        let found = training.step(&batch).unwrap();
        let norm: f64 = found.gradient.to_f64_vec().iter().map(|g| g * g).sum();
        let told = training.optimizer().gradient_norm().unwrap();
        // Sums of ten numbers.
        assert!((told - norm.sqrt()).abs() < 1e-14, "{told}");
        described.step(&batch).unwrap();
    }
    assert_eq!(training.parameters(), described.parameters());

    // A warm-up leads to the rate from where a formula goes on.
    let warm = Schedule::by("falling", by_closure).with_warm_up(4);
    let rates: Vec<f64> = (0..6).map(|t| warm.rate(t)).collect();
    let full = 0.1 / 5.0;
    assert_eq!(rates, [full * 0.25, full * 0.5, full * 0.75, full, full, 0.1 / 6.0]);

    // A rate that is no number ends the step before anything changes.
    let mut bad = made(Schedule::by("bad", |t| if t == 2 { f64::NAN } else { 0.1 }));
    bad.step(&batch).unwrap();
    bad.step(&batch).unwrap();
    let before = bad.state();
    let error = bad.step(&batch).unwrap_err().to_string();
    assert_eq!(error, "adamw: learning rate is NaN, but must be finite and not negative");
    assert_eq!(bad.state(), before);

    // Parameters can be set, momenta stay.
    let state = training.optimizer().state();
    training.set_parameters(Array::vector(vec![0.5; 10])).unwrap();
    assert_eq!(training.parameters().to_f64_vec(), [0.5; 10]);
    assert_eq!(training.optimizer().state(), state);
    let error = training.set_parameters(Array::vector([0.5; 3])).unwrap_err().to_string();
    assert_eq!(error, "training, parameters: expected f64[10], found f64[3]");
    let negative =
        Training::new(objective(DType::F64), Plain, Sgd::new(), -0.1, Array::vector(start()));
    assert!(negative.unwrap_err().to_string().contains("learning rate is -0.1"));
}

#[test]
fn optimizers_go_to_other_threads() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    let optimizer = send(Optimizer::of(AdamW::new().clip(1.0), &objective(DType::F64)).unwrap());
    std::thread::spawn(move || run(optimizer, &(0..10).collect::<Vec<_>>(), RATE)).join().unwrap();
}

#[test]
fn trainings_go_to_other_threads() {
    let rule = AdamW::new().no_decay("*.bias");
    let (objective, x) = (objective(DType::F64), Array::vector(start()));
    let mut training = Training::new(objective, Plain, rule, 0.1, x).unwrap();
    let batch = [Array::vector(vec![1.0; 10])];
    std::thread::spawn(move || training.step(&batch).map(|_| ())).join().unwrap().unwrap();
}

/// A gradient whose squares are beyond its type's range is one; a single infinite element is not,
/// but where the parameter is frozen.
#[test]
fn a_gradient_is_finite_by_its_elements_not_by_its_squares() {
    let rule = Sgd::new().freeze("embed.*");
    let mut optimizer = Optimizer::of(rule, &objective(DType::F32)).unwrap();
    let (frozen, free) = (range("embed.weight").start, range("body.weight"));
    let mut x = Array::full(DType::F32, [10], 1.0);
    let mut g = vec![0.0f32; 10];
    g[frozen] = f32::INFINITY;
    (g[free.start], g[free.end - 1]) = (1e30, -2e30);
    optimizer.step(&mut x, &Array::vector(g.clone()), 1.0).unwrap();
    let after = x.clone();
    assert_eq!(
        [frozen, free.start, free.end - 1].map(|i| x.get(&[i]).unwrap() as f32),
        [1.0, -1e30, 2e30]
    );
    assert_eq!(optimizer.gradient_norm(), Some(f64::INFINITY));
    for bad in [f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
        g[free.end - 1] = bad;
        let error = optimizer.step(&mut x, &Array::vector(g.clone()), 1.0).unwrap_err();
        assert!(matches!(error, Error::NonFiniteGradient { .. }), "{error}");
        assert_eq!(x, after);
    }
}
