//! How do I get an exact Hessian-vector product, and what would finite differences give?
//!
//! `cargo run --release --example exact_hvp`

use burlap::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The loss of a small network as a function of its flat parameter vector p.
    let model = Model::new(mlp(&[2, 16, 1], Activation::Tanh)?)?;
    let dim = model.layout().total();
    let tape = Tape::new();
    let p = tape.input("p", DType::F64, [dim]);
    let v = tape.input("v", DType::F64, [dim]);
    let points = Array::from_vec([3, 2], vec![0.5, -1.0, 2.0, 0.3, -0.7, 1.1])?;
    let loss = model.forward(p, tape.literal(&points)).square().mean();

    // Gradient and H v from one program: reverse over forward mode, no step size anywhere.
    let program = tape.compile(&Cpu::new(), &[loss.grad(p), loss.hvp(p, v)])?;
    let at = model.init(1, DType::F64);
    let direction = Array::vector((0..dim).map(|i| (i as f64).cos()).collect::<Vec<f64>>());
    let exact = program.run(&[&at, &direction])?[1].to_f64_vec();
    println!("‖H v‖ = {:.12}", norm(&exact));

    println!("{:>8}  relative error of (∇L(p + hv) − ∇L(p − hv)) / 2h", "h");
    for k in [1, 2, 3, 4, 5, 6, 8, 10] {
        let h = 10f64.powi(-k);
        let gradient = |sign: f64| {
            let pairs = at.to_f64_vec().into_iter().zip(direction.to_f64_vec());
            let moved = pairs.map(|(p, v)| p + sign * h * v).collect::<Vec<f64>>();
            program.run(&[&Array::vector(moved), &direction]).map(|out| out[0].to_f64_vec())
        };
        let (plus, minus) = (gradient(1.0)?, gradient(-1.0)?);
        let differences = plus.iter().zip(&minus).map(|(a, b)| (a - b) / (2.0 * h));
        let error: Vec<f64> = differences.zip(&exact).map(|(d, e)| d - e).collect();
        println!("{h:>8.0e}  {:.1e}", norm(&error) / norm(&exact));
    }
    Ok(())
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}
