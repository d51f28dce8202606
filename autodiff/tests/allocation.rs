//! A second run allocates nothing, on one thread and on several, and programs that do not run at
//! once share their memory.
#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_autodiff::{Array, Cpu, DType, Program, Tape};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

/// Of all threads: kernels run on several.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Bytes in use.
static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::SeqCst);
        LIVE.fetch_add(layout.size(), Ordering::SeqCst);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: the caller's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() -> usize {
    COUNT.load(Ordering::SeqCst)
}

/// Allocations of the second run, and of the second late part of a staged program; with
/// helpers, whose own memory is there once they have taken part, of the best of ten runs after
/// many (the queue in which threads enter the pool grows by a block now and then).
fn of_second_runs(program: &Program, inputs: &[&Array], leading: usize, cpu: &Cpu) -> [usize; 2] {
    let (before, counted) = if cpu.threads() == 1 { (0, 1) } else { (50, 10) };
    let fewest = |mut run: Box<dyn FnMut() + '_>| {
        (0..before).for_each(|_| run());
        let allocations = |_| {
            let before = count();
            run();
            count() - before
        };
        (0..counted).map(allocations).min().unwrap()
    };
    let mut outputs = program.run(inputs).unwrap();
    let whole = fewest(Box::new(|| program.run_into(inputs, &mut outputs).unwrap()));
    let bound = program.bind(&inputs[..leading]).unwrap();
    bound.run_into(&inputs[leading..], &mut outputs).unwrap();
    let late = fewest(Box::new(|| bound.run_into(&inputs[leading..], &mut outputs).unwrap()));
    [whole, late]
}

fn expressions(cpu: &Cpu) {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [40, 50]);
    let i = tape.input("i", DType::U32, [40, 1]);
    let v = tape.input("v", DType::F64, [40, 50]);
    let key = tape.literal(&Array::vector([1u32, 2]));
    let mask = key.uniform(0, DType::F64, [40, 50]).lt(0.5);
    let f = -mask.select(x, x.tanh()).log_softmax(1).take_along(1, i).mean() + x.t().square().sum();
    let all = f.value_grad_hvp(x, v);
    let outputs = [all.value, all.grad, all.hvp];
    let program = tape.compile(cpu, &outputs).unwrap();
    let x = Array::full(DType::F64, [40, 50], 0.5);
    let inputs = [&x, &Array::full(DType::U32, [40, 1], 3.0), &x];
    assert_eq!(of_second_runs(&program, &inputs, 2, cpu), [0, 0]);
}

fn products(cpu: &Cpu) {
    let tape = Tape::new();
    let parameters = 64 * 96 + 96;
    let w = tape.input("w", DType::F32, [parameters]);
    let x = tape.input("x", DType::F32, [200, 64]);
    let v = tape.input("v", DType::F32, [parameters]);
    let weight = w.slice_axis(0, 0, 64 * 96).reshape([96, 64]);
    let hidden = (x.matmul(weight.t()) + w.slice_axis(0, 64 * 96, parameters)).tanh();
    let all = hidden.square().mean().value_grad_hvp(w, v);
    let outputs = [all.value, all.grad, all.hvp];
    let program = tape.compile(cpu, &outputs).unwrap();
    let w = Array::full(DType::F32, [parameters], 0.01);
    let inputs = [&w, &Array::full(DType::F32, [200, 64], 0.5), &w];
    assert_eq!(of_second_runs(&program, &inputs, 2, cpu), [0, 0]);
}

/// One network on batches of many sizes, each a program that keeps a megabyte or more while it
/// runs: all together keep what the largest one does, and give it back in the end.
fn many_sizes(cpu: &Cpu) {
    let start = LIVE.load(Ordering::SeqCst);
    let compiled = |batch: usize| {
        let tape = Tape::new();
        let w = tape.input("w", DType::F32, [32, 32]);
        let x = tape.input("x", DType::F32, [batch, 32]);
        let loss = (0..20).fold(x, |h, _| h.matmul(w).tanh()).square().mean();
        let program = tape.compile(cpu, &[loss.grad(w)]).unwrap();
        let inputs =
            [Array::full(DType::F32, [32, 32], 0.1), Array::zeros(DType::F32, [batch, 32])];
        program.run(&[&inputs[0], &inputs[1]]).unwrap();
        (program, inputs)
    };
    let before = LIVE.load(Ordering::SeqCst);
    let alone = compiled(600);
    let one = LIVE.load(Ordering::SeqCst) - before;
    drop(alone);
    let mut all: Vec<(Program, [Array; 2])> = (460..500).map(compiled).collect();
    // Programs and inputs have memory of their own.
    for (_, inputs) in &mut all {
        *inputs = [0; 2].map(|_| Array::zeros(DType::F32, ()));
    }
    let together = LIVE.load(Ordering::SeqCst) - before;
    // An arena has 20 layers of 32 × 460 numbers at the least; forty plans are a few megabytes.
    assert!(one > 1_200_000 && together < 20_000_000, "{one} {together}");
    let inputs: Vec<Array> =
        (460..500).map(|batch| Array::zeros(DType::F32, [batch, 32])).collect();
    let w = Array::full(DType::F32, [32, 32], 0.1);
    let mut outputs = [Array::zeros(DType::F32, [32, 32])];
    let before = count();
    for ((program, _), x) in all.iter().zip(&inputs) {
        program.run_into(&[&w, x], &mut outputs).unwrap();
    }
    // With helpers the queue in which threads enter the pool grows by a block now and then.
    let allowed = if cpu.threads() == 1 { 0 } else { 20 };
    assert!(count() - before <= allowed, "{}", count() - before);
    drop((all, inputs, w, outputs));
    let left = LIVE.load(Ordering::SeqCst).saturating_sub(start);
    // Less than one arena: what threads keep to pack operands in, and the queues of the pool.
    assert!(left < 1_000_000, "{left}");
}

// One test: the counter is everybody's.
#[test]
fn a_second_run_allocates_nothing() {
    let before = count();
    drop(std::hint::black_box(vec![1u8; 100]));
    assert!(count() > before, "the counter counts");
    for threads in [1, 2] {
        let cpu = Cpu::with_threads(threads).unwrap();
        expressions(&cpu);
        products(&cpu);
        many_sizes(&cpu);
    }
}
