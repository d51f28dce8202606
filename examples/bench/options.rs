//! The command line.

use anyhow::{Context, Result, bail};
use burlap::autodiff::ProductKernel;
use burlap::cli::numbers;
use burlap::nn::memory;
use clap::{Parser, Subcommand, ValueEnum};

/// Examples in a batch, at most: some gigabytes.
const MOST_EXAMPLES: usize = 100_000;

/// Times the engine on fixed workloads and prints one JSON object a line.
#[derive(Parser, Clone, Debug)]
#[command(name = "bench")]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) work: Work,

    /// Threads of the engine, at most one for each processor
    #[arg(long, global = true, default_value_t = 2, value_parser = numbers::count)]
    pub(crate) threads: usize,

    /// Examples in a batch; the default is 128, and 16 in w3
    #[arg(long, global = true, value_parser = numbers::whole(1..=MOST_EXAMPLES))]
    batch: Option<usize>,

    /// Only these measurements, by name; the default is all of the workload
    #[arg(long, global = true, value_delimiter = ',')]
    pub(crate) what: Vec<String>,

    /// Whose kernels compute the matrix products
    #[arg(long, global = true, value_enum, default_value = "burlap")]
    pub(crate) products: Products,

    /// Seconds that each measurement is repeated for
    #[arg(long, global = true, default_value_t = 1.2, value_parser = numbers::positive)]
    pub(crate) budget: f64,
}

/// Kernels of matrix products.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub(crate) enum Products {
    Burlap,
    Matrixmultiply,
}

impl From<Products> for ProductKernel {
    fn from(products: Products) -> ProductKernel {
        match products {
            Products::Burlap => ProductKernel::Burlap,
            Products::Matrixmultiply => ProductKernel::MatrixMultiply,
        }
    }
}

/// The workloads.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum Work {
    /// The six-layer network with a shared layer: gradients, steps, Hessian-vector products,
    /// and with tanh a third derivative
    W1,
    /// Peak memory of fifty steps of that network
    W1rss,
    /// A GPT of 2.7 million parameters: a step of AdamW as one program
    W3,
    /// A chain of 1000 elementwise operations on 16 numbers, and its gradient
    W4,
    /// From the start of the process to the end of the first step of w1
    W5 {
        /// When the process was started, in nanoseconds since 1970; the default is now
        #[arg(long, value_parser = numbers::whole_u64(0..=u64::MAX))]
        t0: Option<u64>,
    },
    /// A product of two matrices
    Gemm {
        /// Rows, inner size, columns
        #[arg(long, default_value = "1024x1024x1024")]
        shape: String,
    },
    /// The kernels of a measurement's program and the time of each, as a table
    Profile {
        /// w1, w3 or w4
        of: String,
    },
}

impl Options {
    /// Examples in a batch.
    pub(crate) fn batch(&self) -> usize {
        let gpt = match &self.work {
            Work::W3 => true,
            Work::Profile { of } => of == "w3",
            _ => false,
        };
        self.batch.unwrap_or(if gpt { 16 } else { 128 })
    }

    /// Whether a measurement is asked for.
    pub(crate) fn wants(&self, what: &str) -> bool {
        self.what.is_empty() || self.what.iter().any(|w| w == what)
    }

    /// Refuses names of measurements that the workload does not have.
    pub(crate) fn check(&self, known: &[&str]) -> Result<()> {
        match self.what.iter().find(|w| !known.contains(&w.as_str())) {
            Some(name) => bail!("--what {name}: there are {}", known.join(", ")),
            None => Ok(()),
        }
    }
}

/// Three sizes with x between them, of matrices that memory holds.
pub(crate) fn sizes(shape: &str) -> Result<[usize; 3]> {
    let size = numbers::whole(1..=1 << 20);
    let parsed: std::result::Result<Vec<usize>, _> = shape.split('x').map(size).collect();
    match parsed.as_deref() {
        Ok(&[m, k, n]) => {
            let numbers = (m * k + k * n + m * n) as u64;
            // Random numbers are drawn in double precision.
            memory::check(8 * numbers).with_context(|| format!("--shape {shape}"))?;
            Ok([m, k, n])
        }
        Ok(_) => bail!("--shape {shape}: three sizes such as 64x784x128 are needed"),
        Err(error) => bail!("--shape {shape}: {error}"),
    }
}
