//! A second run allocates nothing, but for the buffer in which matrixmultiply packs the
//! operands of each product: its interface takes none from the caller.
#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_autodiff::{Array, Cpu, DType, Program, Tape};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // A thread that ends has no counter any more.
        let _ = COUNT.try_with(|c| c.set(c.get() + 1));
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

/// Allocations of a second run, and of a second late part of a staged one.
fn of_second_runs(program: &Program, inputs: &[&Array], leading: usize) -> [usize; 2] {
    let count = || COUNT.with(Cell::get);
    let mut outputs = program.run(inputs).unwrap();
    let before = count();
    program.run_into(inputs, &mut outputs).unwrap();
    let whole = count() - before;
    let bound = program.bind(&inputs[..leading]).unwrap();
    bound.run_into(&inputs[leading..], &mut outputs).unwrap();
    let before = count();
    bound.run_into(&inputs[leading..], &mut outputs).unwrap();
    [whole, count() - before]
}

#[test]
fn a_second_run_allocates_nothing() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [40, 50]);
    let i = tape.input("i", DType::U32, [40, 1]);
    let v = tape.input("v", DType::F64, [40, 50]);
    let key = tape.literal(&Array::vector([1u32, 2]));
    let mask = key.uniform(0, DType::F64, [40, 50]).lt(0.5);
    let f = -mask.select(x, x.tanh()).log_softmax(1).take_along(1, i).mean() + x.t().square().sum();
    let all = f.value_grad_hvp(x, v);
    let outputs = [all.value, all.grad, all.hvp];
    let program = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
    let x = Array::full(DType::F64, [40, 50], 0.5);
    let inputs = [&x, &Array::full(DType::U32, [40, 1], 3.0), &x];
    assert_eq!(of_second_runs(&program, &inputs, 2), [0, 0]);
}

#[test]
fn products_allocate_their_packing_buffer_only() {
    let tape = Tape::new();
    let w = tape.input("w", DType::F32, [64 * 32 + 32]);
    let x = tape.input("x", DType::F32, [16, 64]);
    let v = tape.input("v", DType::F32, [64 * 32 + 32]);
    let weight = w.slice_axis(0, 0, 64 * 32).reshape([32, 64]);
    let hidden = (x.matmul(weight.t()) + w.slice_axis(0, 64 * 32, 64 * 32 + 32)).tanh();
    let all = hidden.square().mean().value_grad_hvp(w, v);
    let outputs = [all.value, all.grad, all.hvp];
    let program = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
    let products = program.census()["contract"];
    let w = Array::full(DType::F32, [64 * 32 + 32], 0.01);
    let inputs = [&w, &Array::full(DType::F32, [16, 64], 0.5), &w];
    let [whole, late] = of_second_runs(&program, &inputs, 2);
    assert_eq!(whole, products);
    assert!(late < products, "{late}");
}

#[test]
fn the_counter_counts() {
    let count = || COUNT.with(Cell::get);
    let before = count();
    drop(std::hint::black_box(vec![1u8; 100]));
    assert_eq!(count() - before, 1);
}
