//! Where does the time of my program go? Kernels, floating-point operations, bytes and times.
//!
//! `cargo run --release --example profile_program`

use burlap::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = Model::new(mlp(&[64, 128, 10], Activation::Tanh)?)?;
    let dim = model.layout().total();
    let tape = Tape::new();
    let p = tape.input("p", DType::F32, [dim]);
    let x = tape.input("x", DType::F32, [256, 64]);
    let labels = tape.input("labels", DType::U32, [256]);
    let v = tape.input("v", DType::F32, [dim]);
    let loss = loss::cross_entropy(model.forward(p, x), labels);

    let cpu = Cpu::with_threads(1)?;
    let gradient = tape.compile(&cpu, &[loss, loss.grad(p)])?;
    let product = tape.compile(&cpu, &[loss.hvp(p, v)])?;
    for (name, program) in [("loss and gradient", &gradient), ("Hessian-vector product", &product)]
    {
        println!("{name}: {} primitives", program.primitives());
    }

    // What was planned: each line is a kernel, in which chains of elementwise operations are one.
    println!("\n{}", gradient.explain());

    // The same table with times, on values of all inputs of the tape.
    let at = model.init(1, DType::F32);
    let features = (0..256 * 64).map(|i| (i as f32).sin()).collect::<Vec<f32>>();
    let features = Array::from_vec([256, 64], features)?;
    let classes = Array::vector((0..256u32).map(|i| i % 10).collect::<Vec<u32>>());
    let inputs = [&at, &features, &classes, &at];
    println!("{}", gradient.profile(&inputs)?);
    Ok(())
}
