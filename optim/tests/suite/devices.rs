//! Training on a backend whose memory the host cannot address: the bits of the host, and no transfer
//! but the batch in and scalars.

use burlap_autodiff::testing::{Device, Direction, Transfer};
use burlap_autodiff::{Array, Backend, DType, Interpreter, Var};
use burlap_optim::curvature::{HessianOperator, Lanczos, Probes, trace};
use burlap_optim::penalty::{Gaussian, GradientDirection, Memory};
use burlap_optim::{
    BatchSpec, Decay, Estimator, METHODS, Member, Method, MethodSettings, Objective, Optimizer,
    Schedule, Sgd, Sharpness, SharpnessMethod, Training, method,
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
    let model = |x: Var, batch: &[Var]| {
        let first = x.slice_axis(0, 0, FEATURES * HIDDEN).reshape([FEATURES, HIDDEN]);
        let second = x.slice_axis(0, FEATURES * HIDDEN, DIM).reshape([HIDDEN, CLASSES]);
        batch[0].matmul(first).tanh().matmul(second)
    };
    let loss = |scores: Var, batch: &[Var]| {
        let labels = batch[1].reshape([batch[1].shape().count(), 1]);
        -scores.log_softmax(1).take_along(1, labels).mean()
    };
    let spec = BatchSpec::new().by_example("features").by_example("labels");
    Objective::model_and_loss(backend.boxed(), dtype, DIM, model, loss).with_batch(spec)
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
    Training::new(objective, method, optimizer, schedule, start).unwrap()
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

fn settings(member: &Member) -> MethodSettings {
    let renews = member.settings.iter().any(|setting| setting.name == "every");
    MethodSettings::new().with_some("every", renews.then_some(STEPS as u64 - 1))
}

/// Rates, steps, radii, keys, factors, thresholds and numbers of examples go in; losses, curvatures, the
/// numbers that decide a mask, coefficients of iterations come out. Of a mask with random scores
/// these go in too, when it is renewed.
fn check(label: &str, [up, down]: [(usize, usize); 2]) {
    println!("{label}: in {up:?}, out {down:?}");
    let most = if label.starts_with("ssam-d") { DIM } else { EXAMPLES };
    assert!(down.1 <= EXAMPLES && up.1 <= most, "{label}: in {up:?}, out {down:?}");
}

#[test]
fn every_method_trains_where_its_parameters_live() {
    for member in METHODS {
        for dtype in [DType::F64, DType::F32] {
            let build = || method(member.name, &settings(member)).unwrap().method;
            let label = format!("{} {dtype}", member.name);
            check(&label, follow(&label, dtype, &build, &|objective| objective));
        }
    }
}

/// A batch that goes in once is cut where it lives, into chunks of two sizes.
#[test]
fn batches_are_cut_and_gradients_added_where_they_live() {
    for member in METHODS {
        let build = || method(member.name, &settings(member)).unwrap().method;
        let cut = |objective: Objective| objective.with_micro_batch_size(4).unwrap();
        let label = format!("{} in micro-batches", member.name);
        check(&label, follow(&label, DType::F32, &build, &cut));
        if member.all_settings().any(|setting| setting.name == "m-sharpness") {
            let settings = settings(member).with("m-sharpness", 4u64);
            let build = || method(member.name, &settings).unwrap().method;
            let label = format!("{} with m-sharpness", member.name);
            check(&label, follow(&label, DType::F32, &build, &|objective| objective));
        }
    }
}

#[test]
fn every_sharpness_measure_is_minimised_where_its_parameters_live() {
    let quadratic = |tau| Sharpness::tilted(tau, Gaussian { sigma: 0.3 }).unwrap();
    let hessian: &[&dyn Fn() -> Sharpness] = &[
        &Sharpness::trace,
        &Sharpness::trace_on_sphere,
        &Sharpness::frobenius,
        &Sharpness::frobenius_plug_in,
        &|| Sharpness::log_det(0.3),
        &|| Sharpness::log_det_lebesgue(0.3),
        &|| Sharpness::determinant(0.3),
        &|| Sharpness::power_trace(3).unwrap(),
        &|| Sharpness::power_trace_unbiased(2).unwrap(),
        &|| Sharpness::schatten(4.0).unwrap(),
        &Sharpness::max_eigen,
        &|| quadratic(1.0),
        &|| Sharpness::trace().scale_invariant(),
        &|| Sharpness::max_eigen().scale_invariant(),
        &|| Sharpness::trace().with_directions(GradientDirection),
        &Sharpness::published_trace,
        &|| Sharpness::published_determinant(0.3),
        &Sharpness::published_frobenius,
    ];
    let estimators = [Estimator::OneSided, Estimator::Central, Estimator::Exact];
    for (i, measure) in hessian.iter().enumerate() {
        for estimator in estimators {
            let build = || -> Box<dyn Method> {
                let sharpness = measure().with_estimator(estimator).with_rho(0.05);
                Box::new(SharpnessMethod::new(sharpness, 0.1, 3, 5).unwrap())
            };
            let label = format!("{i}, {}, {estimator:?}", build().name());
            check(&label, follow(&label, DType::F32, &build, &|objective| objective));
        }
    }
    let build = |memory| {
        move || -> Box<dyn Method> {
            let method = SharpnessMethod::new(Sharpness::frobenius_by_hvp(), 0.1, 3, 5).unwrap();
            Box::new(method.with_memory(memory))
        }
    };
    for memory in [Memory::Keep, Memory::OneAtATime] {
        let label = format!("frobenius by products, {memory:?}");
        check(&label, follow(&label, DType::F64, &build(memory), &|objective| objective));
    }
}

/// Curvature for its own sake works on host vectors: each product takes one there and one back.
#[test]
fn curvature_of_a_device_has_the_bits_of_the_host() {
    let (x, batch) = (Array::vector(wave(DIM, 0.3)), batch(DType::F64, 0));
    let device = Device::new();
    let found = [&Interpreter as &dyn Backend, &device].map(|backend| {
        let objective = objective(backend, DType::F64);
        let mut hessian = HessianOperator::new(&objective, &x, &[&batch]).unwrap();
        let top = Lanczos::default().largest(&mut hessian, 1).unwrap();
        let trace = trace(&mut hessian, Probes::Rademacher, 6, 1).unwrap();
        let each = objective.per_example_gradients(&x, &batch).unwrap();
        (top.value.to_bits(), top.vector, trace.value.to_bits(), bits(&each))
    });
    assert!(found[0] == found[1]);
}

/// A run that is saved and goes on, on the device and from there on the host.
#[test]
fn a_run_goes_on_from_its_state() {
    for name in ["msam", "ssam-f", "max-eigen-sam"] {
        let member = METHODS.iter().find(|member| member.name == name).unwrap();
        let build = || method(name, &settings(member)).unwrap().method;
        let device = Device::new();
        let on = |backend: &dyn Backend| training(backend, objective(backend, DType::F64), build());
        let mut whole = on(&device);
        (0..3).for_each(|step| drop(whole.step(&batch(DType::F64, step)).unwrap()));
        let saved = whole.state();
        (3..6).for_each(|step| drop(whole.step(&batch(DType::F64, step)).unwrap()));
        for backend in [&device as &dyn Backend, &Interpreter, &Device::new()] {
            let mut rest = on(backend);
            let mut host = saved.clone();
            host.arrays.values_mut().for_each(|array| *array = array.download().unwrap());
            rest.restore(&host).unwrap();
            for step in 3..6 {
                device.take_transfers();
                rest.step(&batch(DType::F64, step)).unwrap();
            }
            let largest = device.take_transfers().iter().map(|t| t.count).max().unwrap_or(0);
            assert!(largest < DIM, "{name}: restored arrays moved once");
            assert_eq!(bits(rest.parameters()), bits(whole.parameters()), "{name}");
        }
        // A state of the device itself needs no way through the host; another device refuses it.
        on(&device).restore(&saved).unwrap();
        assert!(on(&Device::new()).restore(&saved).is_err());
    }
}

/// Running statistics are replaced where they live.
#[test]
fn buffers_stay_where_they_live() {
    let build = |backend: &dyn Backend| {
        let loss = |x: Var, batch: &[Var], buffers: &[Var]| {
            let mean = batch[0].mean_axes(&[0]);
            let loss = (batch[0] - buffers[0]).matmul(x.slice_axis(0, 0, FEATURES)).square().mean();
            (loss + x.square().mean(), vec![0.9 * buffers[0] + 0.1 * mean, buffers[1]])
        };
        let first = vec![
            ("mean".to_owned(), Array::vector(wave(FEATURES, 0.1))),
            ("classes".to_owned(), Array::vector([3u32, 1])),
        ];
        Objective::with_buffers(backend.boxed(), DType::F64, DIM, first, loss)
            .with_batch(BatchSpec::new().by_example("features").shared("labels"))
            .with_micro_batch_size(4)
            .unwrap()
    };
    let device = Device::new();
    let sam = || method("sam", &MethodSettings::new()).unwrap().method;
    let mut plain = training(&Interpreter, build(&Interpreter), sam());
    let mut there = training(&device, build(&device), sam());
    for step in 0..3 {
        device.take_transfers();
        plain.step(&batch(DType::F64, step)).unwrap();
        there.step(&batch(DType::F64, step)).unwrap();
        let [up, down] = besides_the_batch("buffers", device.take_transfers(), DType::F64);
        assert!(step == 0 || up.1 < FEATURES && down.1 == 1, "{up:?} {down:?}");
    }
    let both = [plain.objective().buffers(), there.objective().buffers()];
    assert_eq!(both[1][0].1.location(), device.name());
    assert_eq!(bits(&both[0][0].1), bits(&both[1][0].1));
    assert_eq!(both[0], both[1]);
}

#[test]
fn a_batch_of_another_device_is_named() {
    let device = Device::new();
    let method = method("sam", &MethodSettings::new()).unwrap().method;
    let mut training = training(&device, objective(&device, DType::F64), method);
    let [features, labels] = batch(DType::F64, 0);
    let elsewhere = Device::new().upload(&labels).unwrap();
    let error = training.step(&[features.clone(), elsewhere]).unwrap_err().to_string();
    assert!(error.contains("labels") && error.contains("test device"), "{error}");
    // Where a loss is not finite, what is wrong in the batch is found as on the host.
    let mut values = features.to_f64_vec();
    values[4] = f64::NAN;
    let broken = Array::from_vec([EXAMPLES, FEATURES], values).unwrap();
    let error = training.step(&[broken, labels]).unwrap_err().to_string();
    assert!(error.contains("features") && error.contains("NaN"), "{error}");
}
