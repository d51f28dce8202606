//! What an objective keeps does not grow with the shapes of its batches or the number of
//! methods that it has met.
#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::single_range_in_vec_init)]

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::{
    Ascent, Decay, METHODS, Method, MethodSettings, Objective, Optimizer, Sam, Schedule, Sgd,
    Sharpness, SharpnessMethod, Training, method,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

struct Counting;

/// Bytes that are allocated now.
static LIVE: AtomicIsize = AtomicIsize::new(0);

/// Allocations of vectors like the parameters of [`steps`].
static VECTORS: AtomicIsize = AtomicIsize::new(0);

const PARAMETERS: usize = 5_003;

fn count(layout: Layout) {
    LIVE.fetch_add(layout.size() as isize, Ordering::SeqCst);
    VECTORS.fetch_add(isize::from(layout.size() == 4 * PARAMETERS), Ordering::SeqCst);
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout);
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::SeqCst);
        // SAFETY: the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn live() -> isize {
    LIVE.load(Ordering::SeqCst)
}

const MEGABYTE: isize = 1 << 20;
/// A network of few parameters and of many: 26 000, and 670 000 bytes of gradients each.
const NARROW: &[usize] = &[64, 128, 128, 10];
const WIDE: &[usize] = &[784, 200, 50, 10];

/// The squared error of a network of layers of these sizes.
fn objective(sizes: &'static [usize]) -> Objective {
    let network = move |p: Var, batch: &[Var]| {
        let (mut h, mut from) = (batch[0], 0);
        for w in sizes.windows(2) {
            let end = from + w[0] * w[1];
            let weight = p.slice_axis(0, from, end).reshape([w[0], w[1]]);
            h = (h.matmul(weight) + p.slice_axis(0, end, end + w[1])).tanh();
            from = end + w[1];
        }
        (h - 0.5).square().mean()
    };
    let dim = sizes.windows(2).map(|w| w[0] * w[1] + w[1]).sum();
    Objective::new(Cpu::with_threads(1).unwrap(), DType::F32, dim, network)
}

/// Bytes that an objective keeps after each of so many calls.
fn growth(calls: usize, mut call: impl FnMut(usize)) -> Vec<isize> {
    let mut kept = Vec::with_capacity(calls);
    for i in 0..calls {
        call(i);
        kept.push(live());
    }
    kept
}

/// The gradient on batches of `most`, of one fewer, and of `count` sizes from 1.
fn shapes(sizes: &'static [usize], most: usize, count: usize) {
    let objective = objective(sizes);
    let x = Array::full(DType::F32, [objective.dim()], 0.01);
    let evaluate = |n: usize| {
        let batch = [Array::full(DType::F32, [n, sizes[0]], 0.1)];
        objective.value_grad(&x, &batch).unwrap();
    };
    // Buffers that threads keep for their products are there afterwards.
    evaluate(most);
    objective.clear_programs();
    let before = live();
    evaluate(most);
    let one = live();
    // An epoch's last batch takes neither an arena nor storage for its outputs.
    evaluate(most - 1);
    let two = live();
    assert!(two - one < 60_000, "{} beside {}", two - one, one - before);
    let kept = growth(count, |i| evaluate(i + 1));
    let growth = kept.iter().max().unwrap() - one;
    assert!(growth < 3 * MEGABYTE, "{growth}");
    objective.clear_programs();
    // Nothing but the objective itself is left.
    let left = live() - before;
    assert!(left < 20_000 && objective.kept_programs() == 0, "{left}");
}

/// So many methods of each of three kinds, one after the other.
fn methods(count: usize) {
    let loss = |x: Var, batch: &[Var]| (batch[0] * x.at(0) + x.at(1).exp()).square().mean();
    let objective = Objective::new(Cpu::with_threads(1).unwrap(), DType::F64, 2, loss);
    let (x, batch) = (Array::vector([0.4, 0.2]), [Array::vector([1.0, 2.0, 3.0])]);
    let evaluate = |mut method: Box<dyn Method>| {
        method.evaluate(&objective, &x, &batch, 0).unwrap();
    };
    let kinds: [&dyn Fn() -> Box<dyn Method>; 3] = [
        &|| Box::new(Sam::new(0.1).unwrap()),
        &|| Box::new(Sam::with_rule(Ascent { rho: 0.1 }).unwrap().over(vec![0..1]).unwrap()),
        &|| Box::new(SharpnessMethod::new(Sharpness::trace(), 1.0, 2, 1).unwrap()),
    ];
    for kind in kinds {
        objective.clear_programs();
        let kept = growth(count, |_| evaluate(kind()));
        // Once as many programs are kept as may be, a method takes the place of another. The table
        // that they stand in may still double, which is less than one program takes.
        let (program, full, last) = (kept[1] - kept[0], kept[99], kept[count - 1]);
        assert!(program > 0 && last - full < program, "{program} {full} {last}");
        assert_eq!(objective.kept_programs(), 48);
    }
}

/// Steps by each method, of which the later ones find all vectors that they need.
fn steps() {
    // A determinant of so many parameters is no number; iterations at each step make their operators.
    let others = ["det-sam", "max-eigen-sam"];
    for member in METHODS.iter().filter(|member| !others.contains(&member.name)) {
        let model = |x: Var, batch: &[Var]| (x * batch[0].mean()).tanh();
        let loss = |output: Var, _: &[Var]| output.square().sum();
        let cpu = Cpu::with_threads(1).unwrap();
        let objective = Objective::model_and_loss(cpu, DType::F32, PARAMETERS, model, loss);
        let rule = Sgd::new().with_momentum(0.9);
        let optimizer = Optimizer::new(rule, objective.backend(), DType::F32, PARAMETERS).unwrap();
        let schedule = Schedule::new(1e-3, Decay::Constant).unwrap();
        let start = Array::full(DType::F32, [PARAMETERS], 0.1);
        let method = method(member.name, &MethodSettings::new()).unwrap().method;
        let mut training = Training::new(objective, method, optimizer, schedule, start).unwrap();
        let batch = [Array::full(DType::F32, [4], 1.0)];
        for step in 0..12 {
            let before = VECTORS.load(Ordering::SeqCst);
            training.step(&batch).unwrap();
            let made = VECTORS.load(Ordering::SeqCst) - before;
            // Every fifth step of LookSAM has another program.
            assert!(step < 6 || made == 0, "{}, step {step}: {made}", member.name);
        }
    }
}

// One test: the counter is everybody's.
#[test]
fn what_is_kept_is_bounded() {
    let before = live();
    let held = std::hint::black_box(vec![1u8; 100]);
    assert!(live() - before >= 100, "the counter counts");
    drop(held);
    shapes(NARROW, 400, 400);
    shapes(WIDE, 64, 64);
    methods(3400);
    steps();
}
