//! A second run allocates nothing, on one thread and on several.
#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_autodiff::{Array, Cpu, DType, Program, Tape};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

/// Of all threads: kernels run on several.
static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
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
    }
}
