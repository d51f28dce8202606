//! Curvature matrices of an objective at a point as linear operators, over batches.

use super::LinearOperator;
use super::operator::{check_one, check_rows};
use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::objective::programs::Key;
use crate::objective::recording::Recording;
use crate::objective::run::inputs;
use burlap_autodiff::{Array, Bound, DType, Element, Var, map_rows};
use std::any::TypeId;
use std::marker::PhantomData;

/// How many directions share a program, chosen among 4, 8 and 16: small networks gain, large ones
/// neither gain nor lose much, and more directions cost no less.
const BLOCK: usize = 4;

/// A kind of curvature: a symmetric matrix C(x; batch), given by the formula of its product with
/// a vector. [`Hessian`](super::Hessian), [`Ggn`](super::Ggn) and
/// [`EmpiricalFisher`](super::EmpiricalFisher) are kinds; others can be added.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::curvature::{Curvature, CurvatureOperator, LinearOperator};
/// use burlap_optim::{Objective, Recording};
/// /// ∇L ∇Lᵀ
/// #[derive(Debug)]
/// struct SquaredGradient;
/// impl Curvature for SquaredGradient {
///     const NAME: &'static str = "squared gradient";
///     fn record(r: &Recording<'_>, v: Var) -> Var {
///         let gradient = r.loss(r.x).grad(r.x);
///         gradient * gradient.dot(v)
///     }
/// }
/// let objective = Objective::new(Cpu::new(), DType::F64, 2, |x: Var, _: &[Var]| x.at(0) * x.at(1));
/// let x = Array::vector([2.0, 3.0]);
/// let mut a = CurvatureOperator::<SquaredGradient>::new(&objective, &x, &[&[]])?;
/// let mut out = [0.0; 2];
/// a.apply(&[1.0, 0.0], &mut out)?;
/// assert_eq!(out, [9.0, 6.0]);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub trait Curvature: 'static {
    /// The name, as in errors.
    const NAME: &'static str;

    /// C v at the recording's parameters, for `v` of their shape.
    fn record(r: &Recording<'_>, v: Var) -> Var;

    /// Checks that an objective and a batch have this curvature.
    ///
    /// # Errors
    /// [`Error::Setting`] where they do not.
    fn check(objective: &Objective, batch: &[Array]) -> Result<()> {
        let _ = (objective, batch);
        Ok(())
    }
}

/// The curvature C of an objective at a point x, averaged over batches by their
/// [shares](Objective::shares) in the loss: Σ n_b C(x; batch_b) / Σ n_b for n_b examples in batch b,
/// and with the denominators of a [ratio](crate::Loss::Ratio) in place of n_b; and so over an
/// objective's [pieces](Objective::with_pieces) of a batch. What does not depend on the direction is computed once; each
/// product is exact.
///
/// Four directions of [`apply_many`](LinearOperator::apply_many) at a time go through one
/// program, what remains of them one by one; the first four make this program, whose intermediate
/// values take about four times the memory of a single product's.
#[derive(Debug)]
pub struct CurvatureOperator<'a, C> {
    objective: &'a Objective,
    x: Array,
    batches: Vec<(Vec<Array>, f64)>,
    single: Staged,
    block: Option<Staged>,
    products: usize,
    kind: PhantomData<C>,
}

/// The products with so many directions at the point, the primal work done.
#[derive(Debug)]
struct Staged {
    bound: Vec<(Bound, f64)>,
    directions: Array,
    outputs: [Array; 1],
}

impl Staged {
    fn new<C: Curvature>(
        objective: &Objective,
        x: &Array,
        batches: &[(Vec<Array>, f64)],
        rows: usize,
    ) -> Result<Staged> {
        let mut bound = Vec::with_capacity(batches.len());
        for (batch, weight) in batches {
            let key = Key::Matrix { kind: TypeId::of::<C>(), vectors: rows };
            let program = objective.program_of(key, batch, |r| match rows {
                1 => vec![C::record(r, r.vector("v"))],
                _ => map_rows([r.vectors("vs", rows)], |[v]| [C::record(r, v)]),
            })?;
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
    fn terms<T: Element>(to: &mut [f64], factor: f64, from: &Array) -> Result<()> {
        let from = from.as_slice::<T>()?;
        to.iter_mut().zip(from).for_each(|(t, f)| *t += factor * f.to_f64());
        Ok(())
    }
    match from.dtype() {
        DType::F32 => terms::<f32>(to, factor, from),
        DType::F64 => terms::<f64>(to, factor, from),
        DType::U32 => terms::<u32>(to, factor, from),
        DType::Bool => terms::<bool>(to, factor, from),
    }
}

/// The distance from 1 to the next number of a type.
pub(crate) fn epsilon(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => f64::from(f32::EPSILON),
        DType::F64 => f64::EPSILON,
        DType::U32 | DType::Bool => 1.0,
    }
}

impl<'a, C: Curvature> CurvatureOperator<'a, C> {
    /// At the point x, over batches, weighted by their [shares](Objective::shares) in the loss.
    /// Batches of no examples are left out.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// use burlap_optim::curvature::{HessianOperator, LinearOperator};
    /// // Of ½ mean aᵢ x² the Hessian is mean aᵢ, here of 1, 2 and 6.
    /// let loss = |x: Var, batch: &[Var]| 0.5 * (batch[0].mean() * x.square()).sum();
    /// let objective = Objective::new(Cpu::new(), DType::F64, 1, loss);
    /// let (first, second) = ([Array::vector([1.0, 2.0])], [Array::vector([6.0])]);
    /// let x = Array::vector([0.7]);
    /// let mut hessian = HessianOperator::new(&objective, &x, &[&first, &second])?;
    /// let mut out = [0.0];
    /// hessian.apply(&[1.0], &mut out)?;
    /// assert_eq!(out, [3.0]);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Vector`] for a point that is no parameter vector, [`Error::Setting`] for no batch
    /// or where objective and batch have no such curvature, [`Error::NonFiniteLoss`], or what
    /// compiling and running report.
    pub fn new(
        objective: &'a Objective,
        x: &Array,
        batches: &[&[Array]],
    ) -> Result<CurvatureOperator<'a, C>> {
        objective.check_vector(C::NAME, "parameters", x)?;
        if batches.is_empty() {
            return Err(Error::Setting {
                of: C::NAME.into(),
                name: "the number of batches",
                value: "0".into(),
                expected: "at least 1 (an empty one, for a loss without data)",
            });
        }
        let shares = objective.shares_for(C::NAME, x, batches)?;
        let mut pieces = Vec::with_capacity(batches.len());
        for (batch, share) in batches.iter().zip(shares).filter(|(_, share)| *share != 0.0) {
            C::check(objective, batch)?;
            objective.value(x, batch)?;
            match objective.parts(C::NAME, x, batch, objective.piece)? {
                None => pieces.push((batch.to_vec(), share)),
                Some(parts) => {
                    for part in parts.iter().filter(|part| part.share != 0.0) {
                        pieces.push((objective.take(batch, &part.indices)?, share * part.share));
                    }
                }
            }
        }
        let batches = pieces;
        let single = Staged::new::<C>(objective, x, &batches, 1)?;
        let (x, kind) = (x.clone(), PhantomData);
        Ok(CurvatureOperator { objective, x, batches, single, block: None, products: 0, kind })
    }
}

impl<C: Curvature> CurvatureOperator<'_, C> {
    /// The product with a vector of type `F64` in the backend's memory, as one of that type there.
    pub(super) fn apply_resident(&mut self, v: &Array) -> Result<Array> {
        self.products += 1;
        let direction = self.objective.rounded(v)?;
        let mut sum = Vec::new();
        for (bound, weight) in &self.single.bound {
            let product = bound.run(&[&direction])?.swap_remove(0);
            let product = self.objective.cast(&product, DType::F64)?;
            self.objective.add_shares(&mut sum, *weight, vec![product])?;
        }
        match sum.pop() {
            Some(sum) => Ok(sum),
            None => self.objective.cast(&self.objective.zero_vector()?, DType::F64),
        }
    }
}

impl<C: Curvature> LinearOperator for CurvatureOperator<'_, C> {
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
            let (x, batches) = (&self.x, &self.batches);
            let block = match &mut self.block {
                Some(block) => block,
                none => none.insert(Staged::new::<C>(self.objective, x, batches, BLOCK)?),
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

    fn epsilon(&self) -> f64 {
        epsilon(self.objective.dtype())
    }

    fn products(&self) -> usize {
        self.products
    }
}
