//! A smooth loss with two known kinds of curvature, and dense answers to compare with.
#![allow(dead_code, unreachable_pub)]

use burlap_autodiff::{Array, Cpu, DType, Var};
use burlap_optim::Objective;
use burlap_optim::curvature::{HessianOperator, LinearOperator, MatrixOperator};
use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// An objective at a point, with its gradient and Hessian there from the tape.
pub struct Case {
    pub objective: Objective,
    pub x: Array,
    pub batch: Vec<Array>,
    pub gradient: DVector<f64>,
    pub hessian: DMatrix<f64>,
}

/// ½xᵀAx + bᵀx + Σ e^{xᵢ/2} + ⅕ Σ sin(xᵢ) xᵢ₊₁²: every derivative is present.
pub fn loss(x: Var, batch: &[Var]) -> Var {
    let n = x.shape().count();
    let quadratic = 0.5 * x.dot(batch[0].matmul(x)) + batch[1].dot(x);
    let coupled = x.slice_axis(0, 0, n - 1).sin() * x.slice_axis(0, 1, n).square();
    quadratic + (0.5 * x).exp().sum() + 0.2 * coupled.sum()
}

/// The weighted cross-entropy of a network of two inputs, 3 tanh units and 4 classes.
pub fn network(x: Var, batch: &[Var]) -> Var {
    let hidden = batch[0].matmul(x.slice_axis(0, 0, 6).reshape([2, 3])).tanh();
    let logits = hidden.matmul(x.slice_axis(0, 6, 18).reshape([3, 4]));
    let chosen = logits.take_along(1, batch[1].expand_dims(1)).reshape(batch[1].shape());
    let each = logits.logsumexp(&[1]) - chosen;
    batch.get(2).map_or(each, |weights| each * *weights).mean()
}

/// Two inputs, a label and a weight for each example `from..to`.
pub fn points(dtype: DType, from: usize, to: usize) -> Vec<Array> {
    let n = to - from;
    let x: Vec<f64> = (2 * from..2 * to).map(|i| (i as f64 * 0.77).sin() * 2.0).collect();
    let labels: Vec<u32> = (from..to).map(|i| (i * 7 % 4) as u32).collect();
    let weights: Vec<f64> = (from..to).map(|i| 0.5 + (i % 5) as f64).collect();
    let x = Array::from_f64(dtype, [n, 2], &x).unwrap();
    vec![x, Array::vector(labels), Array::from_f64(dtype, [n], &weights).unwrap()]
}

impl Case {
    /// Any loss; the backend has one thread, since vectors are short.
    pub fn new(
        loss: impl Fn(Var, &[Var]) -> Var + Clone + Send + 'static,
        x: &[f64],
        batch: Vec<Array>,
    ) -> Case {
        let cpu = Cpu::with_threads(1).unwrap();
        let objective = Objective::new(cpu, DType::F64, x.len(), loss);
        let x = Array::vector(x.to_vec());
        let dense = objective.program("dense", &batch, |r| {
            let loss = r.loss(r.x);
            vec![loss.grad(r.x), loss.hessian(r.x)]
        });
        let inputs: Vec<&Array> = std::iter::once(&x).chain(&batch).collect();
        let outputs = dense.unwrap().run(&inputs).unwrap();
        let n = x.len();
        Case {
            gradient: DVector::from_vec(outputs[0].to_f64_vec()),
            hessian: DMatrix::from_row_slice(n, n, &outputs[1].to_f64_vec()),
            objective,
            x,
            batch,
        }
    }

    /// The smooth loss with A = diag(`diagonal`) + `coupling` beside the diagonal, away from
    /// its critical points.
    pub fn smooth(diagonal: &[f64], coupling: f64) -> Case {
        let n = diagonal.len();
        let a = DMatrix::from_fn(n, n, |i, j| match i.abs_diff(j) {
            0 => diagonal[i],
            1 => coupling,
            _ => 0.0,
        });
        let x: Vec<f64> = (0..n).map(|i| 0.4 * (1.3 * i as f64 + 0.5).sin()).collect();
        let b = (0..n).map(|i| 0.3 - 0.2 * i as f64).collect::<Vec<f64>>();
        let a = Array::from_vec([n, n], a.as_slice().to_vec()).unwrap();
        Case::new(loss, &x, vec![a, Array::vector(b)])
    }

    /// Five parameters, a positive definite Hessian with eigenvalues between 0.6 and 2.
    pub fn convex() -> Case {
        let case = Case::smooth(&[0.6, 0.9, 0.7, 1.1, 1.4], 0.15);
        let (low, high) = case.spectrum_ends();
        assert!(low > 0.6 && high < 2.0, "{low} {high}");
        case
    }

    /// Four parameters, an indefinite Hessian with eigenvalues between −0.7 and 2.
    pub fn saddle() -> Case {
        let case = Case::smooth(&[-0.7, 1.2, 0.4, -0.5], 0.3);
        let (low, high) = case.spectrum_ends();
        assert!(-0.7 < low && low < -0.3 && high < 2.0, "{low} {high}");
        case
    }

    pub fn dim(&self) -> usize {
        self.x.len()
    }

    /// Eigenvalues of the Hessian, ascending.
    pub fn eigenvalues(&self) -> Vec<f64> {
        eigenvalues(&self.hessian)
    }

    fn spectrum_ends(&self) -> (f64, f64) {
        let all = self.eigenvalues();
        (all[0], all[all.len() - 1])
    }

    /// Σ f(λ) over the Hessian's eigenvalues.
    pub fn spectral(&self, f: impl Fn(f64) -> f64) -> f64 {
        self.eigenvalues().into_iter().map(f).sum()
    }
}

/// A symmetric matrix as an operator.
pub fn operator(matrix: &DMatrix<f64>) -> MatrixOperator {
    let n = matrix.nrows();
    let array = Array::from_vec([n, n], matrix.as_slice().to_vec()).unwrap();
    MatrixOperator::new(&array).unwrap()
}

/// A symmetric matrix with elements of either sign and a larger diagonal.
pub fn dense(n: usize) -> DMatrix<f64> {
    let element = |i: usize, j: usize| (i as f64 * 1.7 + 0.3).sin() * (j as f64 * 2.1 + 0.7).cos();
    DMatrix::from_fn(n, n, |i, j| {
        element(i, j) + element(j, i) + if i == j { 1.0 + 0.1 * i as f64 } else { 0.0 }
    })
}

pub fn eigenvalues(matrix: &DMatrix<f64>) -> Vec<f64> {
    let mut all = SymmetricEigen::new(matrix.clone()).eigenvalues.as_slice().to_vec();
    all.sort_by(f64::total_cmp);
    all
}

/// ‖a − b‖ / ‖b‖.
pub fn relative(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>();
    let difference = square(&mut a.iter().zip(b).map(|(a, b)| a - b));
    (difference / square(&mut b.iter().copied())).sqrt()
}

/// Mean and standard deviation.
pub fn moments(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (square / (n - 1.0)).sqrt())
}

/// Another operator without what it can do for several vectors.
pub struct Plain<'a>(pub HessianOperator<'a>);

impl LinearOperator for Plain<'_> {
    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> burlap_optim::Result<()> {
        self.0.apply(v, out)
    }

    fn num_matvecs(&self) -> usize {
        self.0.num_matvecs()
    }
}
