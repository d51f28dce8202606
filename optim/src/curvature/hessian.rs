//! The Hessian of an objective as a linear operator.

use super::LinearOperator;
use super::operator::{check_one, check_rows};
use crate::error::{Error, Result};
use crate::objective::{Objective, inputs};
use burlap_autodiff::{Array, Bound, DType};

/// How many directions share a program, chosen among 4, 8 and 16: small networks gain, large ones
/// neither gain nor lose much, and more directions cost no less.
const BLOCK: usize = 4;

/// The Hessian ∇²L(x) of an objective, averaged over batches by their sizes. The primal work
/// is done once; each product is exact.
///
/// Four directions of [`apply_many`](LinearOperator::apply_many) at a time go through one
/// program, what remains of them one by one; the first four make this program, whose intermediate
/// values take about four times the memory of a single product's.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::Objective;
/// use burlap_optim::curvature::{HessianOperator, LinearOperator};
/// let loss = |x: Var, _: &[Var]| x.at(0).square() * x.at(1);
/// let objective = Objective::new(Cpu::new(), DType::F64, 2, loss);
/// let mut hessian = HessianOperator::new(&objective, &Array::vector([1.0, 3.0]), &[&[]])?;
/// let mut out = [0.0; 4];
/// hessian.apply_many(&[1.0, 0.0, 0.0, 1.0], &mut out)?;
/// assert_eq!((out, hessian.products()), ([6.0, 2.0, 2.0, 0.0], 2));
/// # Ok::<(), burlap_optim::Error>(())
/// ```
#[derive(Debug)]
pub struct HessianOperator<'a> {
    objective: &'a Objective,
    x: Array,
    batches: Vec<(Vec<Array>, f64)>,
    single: Staged,
    block: Option<Staged>,
    products: usize,
}

/// The products of so many directions at the point, the primal work done.
#[derive(Debug)]
struct Staged {
    bound: Vec<(Bound, f64)>,
    directions: Array,
    outputs: [Array; 1],
}

impl Staged {
    fn new(
        objective: &Objective,
        x: &Array,
        batches: &[(Vec<Array>, f64)],
        rows: usize,
    ) -> Result<Staged> {
        let mut bound = Vec::with_capacity(batches.len());
        for (batch, weight) in batches {
            let program = if rows == 1 {
                objective.program("hessian-vector product alone", batch, |r| {
                    let v = r.vector("v");
                    vec![r.loss(r.x).hvp(r.x, v)]
                })?
            } else {
                objective.program(&format!("hessian times {rows} vectors"), batch, |r| {
                    let vs = r.vectors("vs", rows);
                    vec![r.loss(r.x).hvp_many(r.x, vs)]
                })?
            };
            let buffers = objective.buffers.values();
            bound.push((program.bind(&inputs(x, batch, &buffers, &[]))?, *weight));
        }
        let directions = objective.rows(rows);
        Ok(Staged { bound, outputs: [directions.clone()], directions })
    }

    fn apply(&mut self, vectors: &[f64], out: &mut [f64]) -> Result<()> {
        self.directions.fill_from_f64(vectors);
        out.fill(0.0);
        for (bound, weight) in &self.bound {
            bound.run_into(&[&self.directions], &mut self.outputs)?;
            add(out, *weight, &self.outputs[0])?;
        }
        Ok(())
    }
}

/// `to` += `factor` · `from`, in doubles.
fn add(to: &mut [f64], factor: f64, from: &Array) -> Result<()> {
    match from.dtype() {
        DType::F64 => {
            to.iter_mut().zip(from.as_slice::<f64>()?).for_each(|(t, f)| *t += factor * f);
        }
        _ => {
            let from = from.as_slice::<f32>()?;
            to.iter_mut().zip(from).for_each(|(t, &f)| *t += factor * f64::from(f));
        }
    }
    Ok(())
}

impl<'a> HessianOperator<'a> {
    /// At the point x, over batches. A batch's weight is the first size of its first array
    /// (1 where there is none).
    ///
    /// # Errors
    /// What compiling and running report; [`Error::NonFiniteLoss`].
    pub fn new(
        objective: &'a Objective,
        x: &Array,
        batches: &[&[Array]],
    ) -> Result<HessianOperator<'a>> {
        objective.check_vector("hessian", x)?;
        if batches.is_empty() {
            return Err(Error::Setting {
                of: "hessian".into(),
                name: "the number of batches",
                value: "0".into(),
                expected: "at least 1 (an empty one, for a loss without data)",
            });
        }
        let size = |batch: &[Array]| {
            batch.first().and_then(|a| a.shape().first().copied()).unwrap_or(1).max(1) as f64
        };
        let total: f64 = batches.iter().map(|b| size(b)).sum();
        let mut pieces = Vec::with_capacity(batches.len());
        for batch in batches {
            objective.value(x, batch)?;
            let weight = size(batch) / total;
            let shared = |(piece, share)| (piece, weight * share);
            pieces.extend(objective.pieces(batch)?.into_iter().map(shared));
        }
        let batches = pieces;
        let single = Staged::new(objective, x, &batches, 1)?;
        Ok(HessianOperator { objective, x: x.clone(), batches, single, block: None, products: 0 })
    }
}

impl LinearOperator for HessianOperator<'_> {
    fn dim(&self) -> usize {
        self.objective.dim()
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
        check_one(self.dim(), v, out)?;
        self.products += 1;
        self.single.apply(v, out)
    }

    fn apply_many(&mut self, vectors: &[f64], out: &mut [f64]) -> Result<()> {
        let dim = self.dim();
        check_rows(dim, vectors, out)?;
        let length = (BLOCK * dim).max(1);
        let whole = vectors.len() - vectors.len() % length;
        let (blocks, rest) = vectors.split_at(whole);
        let (out, out_rest) = out.split_at_mut(whole);
        for (vectors, out) in blocks.chunks_exact(length).zip(out.chunks_exact_mut(length)) {
            let block = match &mut self.block {
                Some(block) => block,
                none => none.insert(Staged::new(self.objective, &self.x, &self.batches, BLOCK)?),
            };
            self.products += BLOCK;
            block.apply(vectors, out)?;
        }
        // One by one: zeros to fill the block would be whole products too.
        let rows = rest.chunks_exact(dim.max(1));
        rows.zip(out_rest.chunks_exact_mut(dim.max(1))).try_for_each(|(v, out)| self.apply(v, out))
    }

    fn block(&self) -> usize {
        BLOCK
    }

    fn products(&self) -> usize {
        self.products
    }
}
