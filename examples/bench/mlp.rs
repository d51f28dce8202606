//! The network of w1, its data, and the programs made of it.

use anyhow::{Result, bail};
use burlap::autodiff::{Array, Cpu, DType, InputSpec, Program, Tape, Var};
use burlap::nn::{Activation, Model, SimpleNet, loss};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

/// Numbers of an example.
const INPUTS: usize = 784;

/// Classes.
const CLASSES: usize = 10;

/// Learning rate of a step: so small that thousands of steps change nothing that matters.
const RATE: f64 = 1e-4;

/// Normal numbers, the same for a seed.
pub(crate) fn normal(seed: u64, shape: &[usize]) -> Result<Array> {
    let mut random = StdRng::seed_from_u64(seed);
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| StandardNormal.sample(&mut random)).collect();
    Ok(Array::from_vec(shape, values)?)
}

/// Network, parameters and one batch.
pub(crate) struct Mlp {
    pub(crate) model: Model,
    pub(crate) params: Array,
    pub(crate) x: Array,
    pub(crate) y: Array,
}

impl Mlp {
    /// With relu between layers.
    pub(crate) fn relu(batch: usize) -> Result<Mlp> {
        Mlp::of(Model::new(SimpleNet::new(INPUTS, CLASSES))?, batch)
    }

    /// The same layers with tanh between them.
    pub(crate) fn tanh(batch: usize) -> Result<Mlp> {
        let net = SimpleNet::with_activation(INPUTS, CLASSES, Activation::Tanh);
        Mlp::of(Model::new(net)?, batch)
    }

    fn of(model: Model, batch: usize) -> Result<Mlp> {
        let params = model.init(1, DType::F32);
        let x = normal(2, &[batch, INPUTS])?;
        let mut random = StdRng::seed_from_u64(3);
        let labels: Vec<u32> = (0..batch).map(|_| random.random_range(0..CLASSES as u32)).collect();
        Ok(Mlp { model, params, x, y: Array::vector(labels) })
    }

    /// A vector like the parameters, drawn from a seed.
    pub(crate) fn direction(&self, seed: u64) -> Result<Array> {
        normal(seed, &[self.model.layout().total()])
    }

    /// Declares what a program of a measurement takes, in the order in which it is given, and
    /// records what it computes.
    fn record(&self, tape: &Tape, what: &str) -> Result<Vec<Var>> {
        let vector = |name: &str| tape.input(name, DType::F32, self.params.shape());
        let batch = || {
            let x = tape.input("x", DType::F32, self.x.shape());
            (x, tape.input("y", DType::U32, self.y.shape()))
        };
        let f = |p: Var, (x, y): (Var, Var)| loss::cross_entropy(self.model.forward(p, x), y);
        Ok(match what {
            "forward" => {
                let p = vector("params");
                vec![f(p, batch())]
            }
            "a_grad" | "g_grad" => {
                let p = vector("params");
                let loss = f(p, batch());
                vec![loss, loss.grad(p)]
            }
            "b_grad_sgdm" => {
                let (p, m) = (vector("params"), vector("momentum"));
                let loss = f(p, batch());
                let next = 0.9 * m + loss.grad(p);
                vec![p - RATE * next, next, loss]
            }
            "c_hvp" => {
                let (p, v) = (vector("params"), vector("v"));
                vec![f(p, batch()).hvp(p, v)]
            }
            "d_hvp8" => {
                let p = vector("params");
                let shape = [super::w1::DIRECTIONS, self.params.len()];
                let directions = tape.input("directions", DType::F32, shape);
                vec![f(p, batch()).hvp_many(p, directions)]
            }
            // The direction comes last: what comes before it can be bound.
            "e_hvp_again" => {
                let p = vector("params");
                let loss = f(p, batch());
                vec![loss.hvp(p, vector("v"))]
            }
            "g_third" => {
                let (p, v) = (vector("params"), vector("v"));
                let (q, gradient) = f(p, batch()).second_directional_grad(p, v);
                vec![0.5 * q, 0.5 * gradient]
            }
            _ => bail!("w1 has no program for {what}"),
        })
    }

    /// The program of a measurement.
    pub(crate) fn program(&self, cpu: &Cpu, what: &str) -> Result<Program> {
        let tape = Tape::new();
        let outputs = self.record(&tape, what)?;
        Ok(tape.compile(cpu, &outputs)?)
    }

    /// What such a program takes: directions and momenta are random.
    pub(crate) fn inputs(&self, program: &Program) -> Result<Vec<Array>> {
        let given = |spec: &InputSpec| match spec.name.as_str() {
            "params" => Ok(self.params.clone()),
            "x" => Ok(self.x.clone()),
            "y" => Ok(self.y.clone()),
            _ => normal(4, &spec.shape),
        };
        program.inputs().iter().map(given).collect()
    }
}

/// Arrays for a program's outputs.
pub(crate) fn room(program: &Program) -> Vec<Array> {
    program.outputs().into_iter().map(|(shape, dtype)| Array::zeros(dtype, shape)).collect()
}

/// Gradient and momentum step, parameters going back and forth between two sets of arrays.
pub(crate) struct Stepper<'a> {
    mlp: &'a Mlp,
    program: Program,
    now: Vec<Array>,
    next: Vec<Array>,
}

impl<'a> Stepper<'a> {
    pub(crate) fn new(mlp: &'a Mlp, cpu: &Cpu) -> Result<Stepper<'a>> {
        let program = mlp.program(cpu, "b_grad_sgdm")?;
        let (mut now, next) = (room(&program), room(&program));
        now[0] = mlp.params.clone();
        Ok(Stepper { mlp, program, now, next })
    }

    pub(crate) fn step(&mut self) -> Result<()> {
        let inputs = [&self.now[0], &self.now[1], &self.mlp.x, &self.mlp.y];
        self.program.run_into(&inputs, &mut self.next)?;
        std::mem::swap(&mut self.now, &mut self.next);
        Ok(())
    }
}
