//! Curvature matrices of an objective at a point as linear operators, over batches.

use super::LinearOperator;
use super::operator::{check_one, check_rows};
use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::objective::cache::{Identity, Key};
use crate::objective::recording::Recording;
use crate::objective::run::inputs;
use burlap_autodiff::{Array, Bound, DType, Element, Var, map_rows};
use std::fmt::Debug;

/// How many directions share a program, chosen among 4, 8 and 16: small networks gain, large ones
/// neither gain nor lose much, and more directions cost no less.
const BLOCK: usize = 4;

/// A curvature matrix C(x; batch), symmetric, given by the formula of its product with a vector:
/// for [operators](CurvatureOperator) and for
/// [sharpness measures](crate::Sharpness::with_curvature). [`Hessian`](super::Hessian),
/// [`Ggn`](super::Ggn) and [`EmpiricalFisher`](super::EmpiricalFisher) are such matrices; others
/// can be added.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::curvature::{Curvature, CurvatureOperator, LinearOperator};
/// use burlap_optim::{Objective, Recording};
/// /// ∇L ∇Lᵀ
/// #[derive(Debug)]
/// struct SquaredGradient;
/// impl Curvature for SquaredGradient {
///     fn name(&self) -> &'static str {
///         "squared gradient"
///     }
///     fn product(&self, r: &Recording<'_>, v: Var) -> Var {
///         let gradient = r.loss(r.x).grad(r.x);
///         gradient * gradient.dot(v)
///     }
/// }
/// let objective = Objective::new(Cpu::new(), DType::F64, 2, |x: Var, _: &[Var]| x.at(0) * x.at(1));
/// let x = Array::vector([2.0, 3.0]);
/// let mut a = CurvatureOperator::of(SquaredGradient, &objective, &x, &[&[]])?;
/// let mut out = [0.0; 2];
/// a.apply(&[1.0, 0.0], &mut out)?;
/// assert_eq!(out, [9.0, 6.0]);
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub trait Curvature: Debug + Send + 'static {
    /// The name, as in errors.
    fn name(&self) -> &'static str;

    /// C v at the recording's parameters, for `v` of their shape.
    fn product(&self, r: &Recording<'_>, v: Var) -> Var;

    /// vᵀC v, a scalar; by default the inner product of v and C v.
    fn quadratic(&self, r: &Recording<'_>, v: Var) -> Var {
        v.dot(self.product(r, v))
    }

    /// Whether it is the Hessian of the loss, whose curvatures are those of finite differences, too.
    fn is_hessian(&self) -> bool {
        false
    }

    /// Checks that an objective and a batch have this curvature.
    ///
    /// # Errors
    /// [`Error::Setting`] where they do not.
    fn check(&self, objective: &Objective, batch: &[Array]) -> Result<()> {
        let _ = (objective, batch);
        Ok(())
    }
}

impl<C: Curvature + ?Sized> Curvature for Box<C> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn product(&self, r: &Recording<'_>, v: Var) -> Var {
        (**self).product(r, v)
    }

    fn quadratic(&self, r: &Recording<'_>, v: Var) -> Var {
        (**self).quadratic(r, v)
    }

    fn is_hessian(&self) -> bool {
        (**self).is_hessian()
    }

    fn check(&self, objective: &Objective, batch: &[Array]) -> Result<()> {
        (**self).check(objective, batch)
    }
}

/// The curvature C of an objective at a point x, averaged over batches by their
/// [weights](Objective::weights) in the loss: Σ n_b C(x; batch_b) / Σ n_b for n_b examples in batch b,
/// and with the denominators of a [ratio](crate::Loss::Ratio) in place of n_b; and so over an
/// objective's [micro-batches](Objective::with_micro_batch_size). What does not depend on the direction is computed once; each
/// product is exact.
///
/// Four directions of [`matmat`](LinearOperator::matmat) at a time go through one
/// program, what remains of them one by one; the first four make this program, whose intermediate
/// values take about four times the memory of a single product's.
#[derive(Debug)]
pub struct CurvatureOperator<'a, C> {
    objective: &'a Objective,
    x: Array,
    batches: Vec<(Vec<Array>, f64)>,
    single: Staged,
    block: Option<Staged>,
    num_matvecs: usize,
    matrix: C,
    identity: Identity,
}

/// The products with so many directions at the point, the primal work done.
#[derive(Debug)]
struct Staged {
    bound: Vec<(Bound, f64)>,
    directions: Array,
    outputs: [Array; 1],
}

impl Staged {
    fn new(
        (matrix, identity): (&impl Curvature, Identity),
        objective: &Objective,
        x: &Array,
        batches: &[(Vec<Array>, f64)],
        rows: usize,
    ) -> Result<Staged> {
        let mut bound = Vec::with_capacity(batches.len());
        for (batch, weight) in batches {
            let key = Key::Matrix { kind: identity, vectors: rows };
            let program = objective.program_of(key, batch, |r| match rows {
                1 => vec![matrix.product(r, r.vector("v"))],
                _ => map_rows([r.vectors("vs", rows)], |[v]| [matrix.product(r, v)]),
            })?;
            let buffers = objective.buffers.values();
            bound.push((program.bind(&inputs(x, batch, &buffers, &[]))?, *weight));
        }
        let directions = objective.zero_vectors(rows);
        Ok(Staged { bound, outputs: [directions.clone()], directions })
    }

    fn apply(&mut self, vectors: &[f64], out: &mut [f64]) -> Result<()> {
        self.directions.fill_from_f64(vectors);
        out.fill(0.0);
        for (bound, weight) in &self.bound {
            bound.run_into(&[&self.directions], &mut self.outputs)?;
            add(out, *weight, &self.outputs[0].download()?)?;
        }
        Ok(())
    }
}

/// `to` += `factor` · `from`, in double precision on the host.
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

impl<'a, C: Curvature + Default> CurvatureOperator<'a, C> {
    /// At the point x, over batches, weighted by their [weights](Objective::weights) in the loss.
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
        CurvatureOperator::of(C::default(), objective, x, batches)
    }
}

impl<'a, C: Curvature> CurvatureOperator<'a, C> {
    /// As [`CurvatureOperator::new`], of a given matrix.
    ///
    /// # Errors
    /// As [`CurvatureOperator::new`].
    pub fn of(
        matrix: C,
        objective: &'a Objective,
        x: &Array,
        batches: &[&[Array]],
    ) -> Result<CurvatureOperator<'a, C>> {
        let identity = Identity::of(&matrix);
        objective.check_vector(matrix.name(), "parameters", x)?;
        if batches.is_empty() {
            return Err(Error::Setting {
                of: matrix.name().into(),
                name: "the number of batches",
                value: "0".into(),
                expected: "at least 1 (an empty one, for a loss without data)",
            });
        }
        let weights = objective.weights_for(matrix.name(), x, batches)?;
        let mut chunks = Vec::with_capacity(batches.len());
        for (batch, weight) in batches.iter().zip(weights).filter(|(_, weight)| *weight != 0.0) {
            matrix.check(objective, batch)?;
            objective.value(x, batch)?;
            match objective.chunks(matrix.name(), x, batch, objective.batches.micro_batch)? {
                None => chunks.push((batch.to_vec(), weight)),
                Some(parts) => {
                    for part in parts.iter().filter(|part| part.weight != 0.0) {
                        let rows = objective.gather_rows(batch, &part.indices)?;
                        chunks.push((rows, weight * part.weight));
                    }
                }
            }
        }
        let batches = chunks;
        let single = Staged::new((&matrix, identity), objective, x, &batches, 1)?;
        let (x, block, num_matvecs) = (x.clone(), None, 0);
        Ok(CurvatureOperator {
            objective,
            x,
            batches,
            single,
            block,
            num_matvecs,
            matrix,
            identity,
        })
    }
}

impl<C: Curvature> CurvatureOperator<'_, C> {
    /// The product with a vector of type `F64` in the backend's memory, as one of that type there.
    pub(super) fn apply_resident(&mut self, v: &Array) -> Result<Array> {
        self.num_matvecs += 1;
        let direction = self.objective.rounded(v)?;
        let mut sum = Vec::new();
        for (bound, weight) in &self.single.bound {
            let product = bound.run(&[&direction])?.swap_remove(0);
            let product = self.objective.cast(&product, DType::F64)?;
            self.objective.add_weighted(&mut sum, *weight, vec![product])?;
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
        self.num_matvecs += 1;
        self.single.apply(v, out)
    }

    fn matmat(&mut self, vectors: &[f64], out: &mut [f64]) -> Result<()> {
        let dim = self.dim();
        check_rows(dim, vectors, out)?;
        let length = (BLOCK * dim).max(1);
        let whole = vectors.len() - vectors.len() % length;
        let (blocks, rest) = vectors.split_at(whole);
        let (out, out_rest) = out.split_at_mut(whole);
        for (vectors, out) in blocks.chunks_exact(length).zip(out.chunks_exact_mut(length)) {
            let (x, batches, matrix) = (&self.x, &self.batches, (&self.matrix, self.identity));
            let block = match &mut self.block {
                Some(block) => block,
                none => none.insert(Staged::new(matrix, self.objective, x, batches, BLOCK)?),
            };
            self.num_matvecs += BLOCK;
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

    fn num_matvecs(&self) -> usize {
        self.num_matvecs
    }
}
