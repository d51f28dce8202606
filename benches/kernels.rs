//! Kernels by themselves, at the sizes of a small perceptron (w1) and of a small transformer
//! (w3: 16 × 128 tokens, width 192, 6 heads).
//!
//! `cargo bench --bench kernels -- product` runs those whose name contains `product`.
//! `THREADS=1` in the environment takes another number of threads than one a processor.

use anyhow::{Context, Result};
use burlap::prelude::*;
use criterion::{BenchmarkId, Criterion, Throughput};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::time::Duration;

/// Tokens of w3, and the width within its feed-forward layers.
const TOKENS: usize = 16 * 128;
const WIDE: usize = 4 * 192;

/// Name, einsum and operands' shapes of the products of w1 (batch 128) and w3.
const PRODUCTS: &[(&str, &str, &[usize], &[usize])] = &[
    ("w1 first layer", "mk,kn->mn", &[128, 784], &[784, 128]),
    ("w1 first layer, weights stored by output", "mk,nk->mn", &[128, 784], &[128, 784]),
    ("w1 first layer, gradient of weights", "km,kn->mn", &[128, 784], &[128, 128]),
    ("w1 hidden layer", "mk,kn->mn", &[128, 128], &[128, 128]),
    ("w1 hidden layer, gradient of input", "mk,nk->mn", &[128, 128], &[128, 128]),
    ("w1 last layer", "mk,kn->mn", &[128, 128], &[128, 10]),
    ("w3 queries, keys and values", "mk,kn->mn", &[TOKENS, 192], &[192, 576]),
    ("w3 projection", "mk,kn->mn", &[TOKENS, 192], &[192, 192]),
    ("w3 up", "mk,kn->mn", &[TOKENS, 192], &[192, WIDE]),
    ("w3 up, gradient of weights", "km,kn->mn", &[TOKENS, 192], &[TOKENS, WIDE]),
    ("w3 up, gradient of input", "mk,nk->mn", &[TOKENS, WIDE], &[192, WIDE]),
    ("w3 down", "mk,kn->mn", &[TOKENS, WIDE], &[WIDE, 192]),
    ("w3 scores", "bmk,bnk->bmn", &[96, 128, 32], &[96, 128, 32]),
    ("w3 values", "bmk,bkn->bmn", &[96, 128, 128], &[96, 128, 32]),
    ("w3 vocabulary", "mk,kn->mn", &[TOKENS, 192], &[192, 96]),
];

/// What a program computes of one input.
type Formula = fn(Var) -> Var;

/// Name and formula of what is done element by element.
const MAPS: &[(&str, Formula)] = &[
    ("add", |x| x + 1.5),
    ("relu", |x| x.relu()),
    ("exp", |x| x.exp()),
    ("tanh", |x| x.tanh()),
    ("gelu_tanh", |x| x.gelu_tanh()),
    ("gelu_tanh derivative", |x| x.gelu_tanh().sum().grad(x)),
];

/// Name, shape and formula of reductions and what is built of them.
const REDUCTIONS: &[(&str, [usize; 2], Formula)] = &[
    ("sum", [TOKENS, WIDE], |x| x.sum()),
    ("sum of rows", [TOKENS, WIDE], |x| x.sum_axes(&[1])),
    ("sum of columns", [TOKENS, WIDE], |x| x.sum_axes(&[0])),
    ("maximum of rows", [TOKENS, WIDE], |x| x.max_axes(&[1])),
    ("variance of rows", [TOKENS, 192], |x| x.variance(&[1], 0)),
    ("softmax of rows", [96 * 128, 128], |x| x.softmax(1)),
    ("log_softmax of rows", [TOKENS, 96], |x| x.log_softmax(1)),
    ("log_softmax of few classes", [128, 10], |x| x.log_softmax(1)),
];

/// A way to differentiate the loss of the perceptron.
type Derivative = fn(Var, Var, Var) -> Vec<Var>;

/// Name and formula of loss, parameters and direction.
const DERIVATIVES: &[(&str, Derivative)] = &[
    ("gradient", |f, p, _| vec![f, f.grad(p)]),
    ("hvp", |f, p, v| vec![f.hvp(p, v)]),
    ("curvature gradient", |f, p, v| vec![f.second_directional_grad(p, v).1]),
];

fn uniform(seed: u64, shape: &[usize]) -> Result<Array> {
    let mut random = StdRng::seed_from_u64(seed);
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| random.random_range(-1.0..1.0)).collect();
    Ok(Array::from_vec(shape, values)?)
}

/// Runs a program again and again into the same arrays.
fn time(
    criterion: &mut Criterion,
    (group, name): (&str, &str),
    throughput: Option<Throughput>,
    program: &Program,
    inputs: &[&Array],
) -> Result<()> {
    // Whatever can go wrong goes wrong the first time.
    let mut outputs = program.run(inputs)?;
    let mut group = criterion.benchmark_group(group);
    if let Some(throughput) = throughput {
        group.throughput(throughput);
    }
    group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
        bencher.iter(|| program.run_into(inputs, &mut outputs));
    });
    group.finish();
    Ok(())
}

/// Products; elements per second are floating-point operations per second.
fn products(criterion: &mut Criterion, cpu: &Cpu) -> Result<()> {
    for &(name, spec, left, right) in PRODUCTS {
        let tape = Tape::new();
        let (a, b) = (tape.input("a", DType::F32, left), tape.input("b", DType::F32, right));
        let product = a.einsum(spec, b);
        let program = tape.compile(cpu, &[product])?;
        let batch = if left.len() == 3 { left[0] } else { 1 };
        let sizes: usize = left.iter().chain(right).product::<usize>() * product.shape().count();
        // Each of m, k and n occurs twice among the six sizes, the batch thrice.
        let flops = 2.0 * (sizes as f64 / batch as f64).sqrt();
        let throughput = Some(Throughput::Elements(flops.round() as u64));
        let operands = [&uniform(1, left)?, &uniform(2, right)?];
        time(criterion, ("product", name), throughput, &program, &operands)?;
    }
    Ok(())
}

fn maps(criterion: &mut Criterion, cpu: &Cpu) -> Result<()> {
    let shape = [TOKENS, WIDE];
    let all = MAPS.iter().map(|&(name, f)| ("map", name, shape, f));
    let reductions = REDUCTIONS.iter().map(|&(name, shape, f)| ("reduction", name, shape, f));
    for (group, name, shape, f) in all.chain(reductions) {
        let tape = Tape::new();
        let x = tape.input("x", DType::F32, shape);
        let program = tape.compile(cpu, &[f(x)])?;
        let throughput = Some(Throughput::Elements(shape.iter().product::<usize>() as u64));
        time(criterion, (group, name), throughput, &program, &[&uniform(3, &shape)?])?;
    }
    Ok(())
}

/// Derivatives of the perceptron of w1 at batch 128.
fn derivatives(criterion: &mut Criterion, cpu: &Cpu) -> Result<()> {
    let model = Model::new(burlap::nn::SimpleNet::default())?;
    let params = model.init(1, DType::F32);
    let v = uniform(4, params.shape())?;
    let features = uniform(5, &[128, 784])?;
    let labels = Array::vector((0..128).map(|i| i % 10).collect::<Vec<u32>>());
    for &(name, derivative) in DERIVATIVES {
        let tape = Tape::new();
        let p = tape.input("params", DType::F32, params.shape());
        let direction = tape.input("v", DType::F32, v.shape());
        let x = tape.input("x", DType::F32, features.shape());
        let y = tape.input("y", DType::U32, labels.shape());
        let f = loss::cross_entropy(model.forward(p, x), y);
        let program = tape.compile(cpu, &derivative(f, p, direction))?;
        let inputs = [&params, &v, &features, &labels];
        time(criterion, ("perceptron", name), None, &program, &inputs)?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let cpu = match std::env::var("THREADS") {
        Ok(threads) => Cpu::with_threads(threads.parse().context("THREADS")?)?,
        Err(_) => Cpu::new(),
    };
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(20)
        .configure_from_args();
    products(&mut criterion, &cpu)?;
    maps(&mut criterion, &cpu)?;
    derivatives(&mut criterion, &cpu)?;
    criterion.final_summary();
    Ok(())
}
