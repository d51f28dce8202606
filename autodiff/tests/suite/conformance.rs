//! The CPU backend agrees with the interpreter on random programs over all primitives.

use burlap_autodiff::testing::{Device, conformance};
use burlap_autodiff::{Cpu, InstructionSet, Interpreter, ProductKernel};

#[test]
fn the_cpu_agrees_with_the_interpreter() {
    let agreement = conformance(&Cpu::with_threads(2).unwrap(), 1000).unwrap();
    println!("{agreement}");
    assert_eq!(agreement.programs, 2000);
}

#[test]
fn kernels_of_every_instruction_set_agree() {
    for &set in InstructionSet::available() {
        let cpu = Cpu::with_threads(2).unwrap().with_instructions(set).unwrap();
        let agreement = conformance(&cpu, 300).unwrap();
        println!("{set:?}: {agreement}");
        assert_eq!(agreement.programs, 600);
    }
}

#[test]
fn other_product_kernels_agree() {
    let cpu = Cpu::with_threads(2).unwrap().with_products(ProductKernel::MatrixMultiply);
    assert_eq!(conformance(&cpu, 300).unwrap().programs, 600);
}

/// Values that the host cannot address go through every kind of run and binding.
#[test]
fn a_device_with_memory_of_its_own_agrees() {
    let device = Device::new();
    assert_eq!(conformance(&device, 100).unwrap().programs, 200);
    let all = device.transfers();
    assert!(all.uploads > 1000 && all.downloads > 1000, "{all:?}");
    assert_eq!(device.bytes(), 0, "all that was allocated has been freed");
}

/// What is compared with itself agrees exactly in F64: nothing else hides in the tolerance.
#[test]
fn the_interpreter_agrees_with_itself() {
    let agreement = conformance(&Interpreter, 50).unwrap();
    assert_eq!((agreement.programs, agreement.undecided), (100, 0));
}
