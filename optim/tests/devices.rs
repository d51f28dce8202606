//! Training on a backend whose memory the host cannot address: the bits of the host, and no transfer
//! but the batch in and scalars.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_autodiff::testing::{Device, Direction, Transfer};
use burlap_autodiff::{Array, Backend, DType, Interpreter, Var};
use burlap_optim::{
    BatchSpec, Decay, METHODS, Method, MethodSettings, Objective, Optimizer, Schedule, Sgd,
    Training, method,
};

const EXAMPLES: usize = 6;
const FEATURES: usize = 3;
const HIDDEN: usize = 9;
const CLASSES: usize = 3;

/// More than any other array of a step has.
const DIM: usize = FEATURES * HIDDEN + HIDDEN * CLASSES;

const STEPS: usize = 4;

/// The mean cross-entropy of a network of two layers.
fn objective(backend: &dyn Backend, dtype: DType) -> Objective {
    let loss = |x: Var, batch: &[Var]| {
        let first = x.slice_axis(0, 0, FEATURES * HIDDEN).reshape([FEATURES, HIDDEN]);
        let second = x.slice_axis(0, FEATURES * HIDDEN, DIM).reshape([HIDDEN, CLASSES]);
        let scores = batch[0].matmul(first).tanh().matmul(second);
        let labels = batch[1].reshape([batch[1].shape().count(), 1]);
        -scores.log_softmax(1).take_along(1, labels).mean()
    };
    let spec = BatchSpec::new().by_example("features").by_example("labels");
    Objective::new(backend.boxed(), dtype, DIM, loss).with_batch(spec)
}

fn wave(n: usize, phase: f64) -> Vec<f64> {
    (0..n).map(|i| (i as f64 * 1.7 + phase).sin()).collect()
}

fn batch(dtype: DType, step: usize) -> [Array; 2] {
    let features = wave(EXAMPLES * FEATURES, step as f64);
    let labels: Vec<u32> = (0..EXAMPLES).map(|i| ((i * 7 + step) % CLASSES) as u32).collect();
    [Array::from_f64(dtype, [EXAMPLES, FEATURES], &features).unwrap(), Array::vector(labels)]
}

fn training(backend: &dyn Backend, objective: Objective, method: Box<dyn Method>) -> Training {
    let dtype = objective.dtype();
    let optimizer = Optimizer::new(Sgd::new().with_momentum(0.9), backend, dtype, DIM).unwrap();
    let schedule = Schedule::new(0.1, Decay::Constant).unwrap();
    let start: Vec<f64> = wave(DIM, 0.3).iter().map(|x| 0.3 * x).collect();
    let start = Array::from_f64(dtype, [DIM], &start).unwrap();
    Training::boxed(objective, method, optimizer, schedule, start).unwrap()
}

fn bits(array: &Array) -> Vec<u64> {
    array.download().unwrap().to_f64_vec().into_iter().map(f64::to_bits).collect()
}

/// What crossed in a step, besides the batch, which must have gone in once: numbers of copies and of
/// the elements of the largest, each way.
fn besides_the_batch(label: &str, mut log: Vec<Transfer>, dtype: DType) -> [(usize, usize); 2] {
    for (dtype, count) in [(dtype, EXAMPLES * FEATURES), (DType::U32, EXAMPLES)] {
        let array = Transfer { direction: Direction::Upload, dtype, count };
        let at = log.iter().position(|transfer| *transfer == array);
        log.remove(at.unwrap_or_else(|| panic!("{label}: {array:?} is not in {log:?}")));
    }
    [Direction::Upload, Direction::Download].map(|direction| {
        let all = log.iter().filter(|transfer| transfer.direction == direction);
        (all.clone().count(), all.map(|transfer| transfer.count).max().unwrap_or(0))
    })
}

/// Trains on the interpreter and on a device that computes as it does, and holds the bits against
/// one another. Returns what crossed in the last step, after those in which states begin.
fn follow(
    label: &str,
    dtype: DType,
    build: &dyn Fn() -> Box<dyn Method>,
    change: &dyn Fn(Objective) -> Objective,
) -> [(usize, usize); 2] {
    let device = Device::new();
    let mut plain = training(&Interpreter, change(objective(&Interpreter, dtype)), build());
    let mut there = training(&device, change(objective(&device, dtype)), build());
    let mut last = Vec::new();
    for step in 0..STEPS {
        let batch = batch(dtype, step);
        device.take_transfers();
        let expected = plain.step(&batch).unwrap_or_else(|e| panic!("{label}, step {step}: {e}"));
        let found = there.step(&batch).unwrap_or_else(|e| panic!("{label}, step {step}: {e}"));
        last = device.take_transfers();
        assert_eq!(found.loss.to_bits(), expected.loss.to_bits(), "{label}, step {step}");
        assert_eq!(found.sharpness.map(f64::to_bits), expected.sharpness.map(f64::to_bits));
        let same = bits(there.parameters()) == bits(plain.parameters());
        assert!(same, "{label}, step {step}: other parameters");
        assert_eq!(there.parameters().location(), device.name(), "{label}");
    }
    besides_the_batch(label, last, dtype)
}

fn settings(name: &str) -> MethodSettings {
    let renews = ["ssam-f", "ssam-d", "looksam", "eigen-sam"].contains(&name);
    MethodSettings { every: renews.then_some(STEPS as u64 - 1), ..MethodSettings::default() }
}

#[test]
fn every_method_trains_where_its_parameters_live() {
    for &name in METHODS {
        for dtype in [DType::F64, DType::F32] {
            let build = || method(name, &settings(name)).unwrap().method;
            let [up, down] = follow(name, dtype, &build, &|objective| objective);
            println!("{name} {dtype}: in {up:?}, out {down:?}");
            // Scalars, keys, the numbers and losses of examples.
            assert!(down.1 <= EXAMPLES && up.1 <= EXAMPLES, "{name}: in {up:?}, out {down:?}");
        }
    }
}
