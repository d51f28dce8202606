//! Where the vectors of an iteration live: on the host, or in the memory of a backend's device.

use super::vectors::{add, dot, norm, orthogonalise};
use crate::error::Result;
use crate::objective::Objective;
use crate::objective::cache::Key;
use burlap_autodiff::{Array, Var};

/// Vectors of doubles and their algebra, each sum in one order: on a device that sums in the order
/// of the elements, results have the host's bits.
pub(super) trait Space {
    /// A vector.
    type Vector: Clone;

    /// A vector like one that is made on the host, by a name under which it may be kept.
    fn noise(&self, name: (u64, u32), make: impl FnOnce() -> Vec<f64>) -> Result<Self::Vector>;

    /// aᵀb.
    fn dot(&self, a: &Self::Vector, b: &Self::Vector) -> Result<f64>;

    /// ‖v‖, also where squares overflow or underflow.
    fn norm(&self, v: &Self::Vector) -> Result<f64>;

    /// `to` += `factor` · `from`.
    fn add(&self, to: &mut Self::Vector, factor: f64, from: &Self::Vector) -> Result<()>;

    /// `v` /= `divisor`.
    fn divide(&self, v: &mut Self::Vector, divisor: f64) -> Result<()>;

    /// Σ factorᵢ · vectorᵢ.
    fn combination(&self, factors: &[f64], vectors: &[Self::Vector]) -> Result<Self::Vector>;

    /// Takes from `v` its components along orthonormal vectors, twice, so that rounding leaves
    /// nothing of them. Returns the components.
    fn orthogonalise(&self, v: &mut Self::Vector, basis: &[Self::Vector]) -> Result<Vec<f64>>;
}

/// Vectors on the host.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Host;

impl Space for Host {
    type Vector = Vec<f64>;

    fn noise(&self, _: (u64, u32), make: impl FnOnce() -> Vec<f64>) -> Result<Vec<f64>> {
        Ok(make())
    }

    fn dot(&self, a: &Vec<f64>, b: &Vec<f64>) -> Result<f64> {
        Ok(dot(a, b))
    }

    fn norm(&self, v: &Vec<f64>) -> Result<f64> {
        Ok(norm(v))
    }

    fn add(&self, to: &mut Vec<f64>, factor: f64, from: &Vec<f64>) -> Result<()> {
        add(to, factor, from);
        Ok(())
    }

    fn divide(&self, v: &mut Vec<f64>, divisor: f64) -> Result<()> {
        v.iter_mut().for_each(|x| *x /= divisor);
        Ok(())
    }

    fn combination(&self, factors: &[f64], vectors: &[Vec<f64>]) -> Result<Vec<f64>> {
        let mut sum = vec![0.0; vectors.first().map_or(0, Vec::len)];
        factors.iter().zip(vectors).for_each(|(&factor, v)| add(&mut sum, factor, v));
        Ok(sum)
    }

    fn orthogonalise(&self, v: &mut Vec<f64>, basis: &[Vec<f64>]) -> Result<Vec<f64>> {
        Ok(orthogonalise(v, basis.iter().map(Vec::as_slice)))
    }
}

/// Vectors in the memory of an objective's backend, of type `F64`. Scalars go to the host and
/// back: products of vectors, norms, factors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resident<'a>(pub(crate) &'a Objective);

/// aᵀb, with eight sums side by side as on the host.
fn record_dot(a: Var, b: Var) -> Var {
    let n = a.shape().count();
    let whole = n - n % 8;
    let rest = (a.slice_axis(0, whole, n) * b.slice_axis(0, whole, n)).sum();
    if whole == 0 {
        return rest;
    }
    let rows = |v: Var| v.slice_axis(0, 0, whole).reshape([whole / 8, 8]);
    let sums = (rows(a) * rows(b)).sum_axes(&[0]);
    // One by one: a sum of sums would become one sum, in another order.
    (1..8).fold(sums.at(0), |sum, i| sum + sums.at(i)) + rest
}

impl Resident<'_> {
    /// What a formula makes of two vectors.
    fn run(
        &self,
        key: Key,
        vectors: [&Array; 2],
        record: impl FnOnce(Var, Var) -> Vec<Var>,
    ) -> Result<Vec<Array>> {
        let like = vectors.map(Array::clone);
        let program = self.0.array_program(key, &like, |_, v| record(v[0], v[1]))?;
        Ok(program.run(&vectors)?)
    }

    /// What a formula makes of a vector and a number.
    fn scaled(
        &self,
        key: Key,
        v: &Array,
        number: f64,
        record: impl FnOnce(Var, Var) -> Var,
    ) -> Result<Array> {
        let number = Array::scalar(number);
        Ok(self.run(key, [v, &number], |v, number| vec![record(v, number)])?.swap_remove(0))
    }
}

impl Space for Resident<'_> {
    type Vector = Array;

    fn noise(&self, name: (u64, u32), make: impl FnOnce() -> Vec<f64>) -> Result<Array> {
        self.0.kept_noise(name, || Array::vector(make()))
    }

    fn dot(&self, a: &Array, b: &Array) -> Result<f64> {
        Ok(self.run(Key::Dot, [a, b], |a, b| vec![record_dot(a, b)])?[0].item()?)
    }

    fn norm(&self, v: &Array) -> Result<f64> {
        let square = self.dot(v, v)?;
        if square.is_normal() && square < f64::MAX {
            return Ok(square.sqrt());
        }
        let like = std::slice::from_ref(v);
        let largest = |_: &_, v: &[Var]| vec![v[0].abs().max_all()];
        let largest = self.0.array_program(Key::MaxNorm, like, largest)?.run(&[v])?[0].item()?;
        // The maximum of a vector with a NaN is NaN.
        if largest == 0.0 || !largest.is_finite() {
            return Ok(square.sqrt());
        }
        let squares = |v: Var, largest: Var| (v / largest).square().sum();
        Ok(largest * self.scaled(Key::SquaresBy, v, largest, squares)?.item()?.sqrt())
    }

    fn add(&self, to: &mut Array, factor: f64, from: &Array) -> Result<()> {
        let mut sum = vec![to.clone()];
        self.0.add_weighted(&mut sum, factor, vec![from.clone()])?;
        *to = sum.swap_remove(0);
        Ok(())
    }

    fn divide(&self, v: &mut Array, divisor: f64) -> Result<()> {
        *v = self.scaled(Key::Divide, v, divisor, |v, divisor| v / divisor)?;
        Ok(())
    }

    fn combination(&self, factors: &[f64], vectors: &[Array]) -> Result<Array> {
        let mut sum = Vec::new();
        for (&factor, v) in factors.iter().zip(vectors) {
            self.0.add_weighted(&mut sum, factor, vec![v.clone()])?;
        }
        sum.pop().map_or_else(|| self.0.zero_vector(), Ok)
    }

    fn orthogonalise(&self, v: &mut Array, basis: &[Array]) -> Result<Vec<f64>> {
        let mut components = Vec::with_capacity(basis.len());
        for pass in 0..2 {
            for b in basis {
                let mut found = self.run(Key::Project, [v, b], |v, b| {
                    let component = record_dot(b, v);
                    vec![v + (-component) * b, component]
                })?;
                components.extend(found.pop().filter(|_| pass == 0));
                *v = found.swap_remove(0);
            }
        }
        // No vector waits for them.
        let host = self.0.backend().download(&components.iter().collect::<Vec<_>>())?;
        Ok(host.iter().map(Array::item).collect::<burlap_autodiff::Result<_>>()?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{Host, Resident, Space};
    use crate::Objective;
    use burlap_autodiff::testing::Device;
    use burlap_autodiff::{Array, Backend, DType, Var};

    fn wave(n: usize, phase: f64, size: f64) -> Vec<f64> {
        (0..n).map(|i| size * (i as f64 * 1.3 + phase).sin()).collect()
    }

    /// Each operation, on lengths around the eight sums and on squares beyond the range.
    #[test]
    fn a_device_that_sums_in_order_gives_the_bits_of_the_host() {
        for n in [1, 7, 8, 9, 31, 64, 100] {
            let device = Device::new();
            let objective =
                Objective::new(device.boxed(), DType::F64, n, |x: Var, _: &[Var]| x.sum());
            let there = Resident(&objective);
            let move_to = |v: &[f64]| device.upload(&Array::vector(v)).unwrap();
            let bits = |v: &[f64]| v.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            let same = |a: &[f64], b: &Array| assert_eq!(bits(a), bits(&b.to_f64_vec()), "{n}");
            for size in [1.0, 1e200, 1e-200, 0.0] {
                let (mut v, w) = (wave(n, 0.2, size), wave(n, 1.0, 1.0));
                let (mut v_there, w_there) = (move_to(&v), move_to(&w));
                let dots = [Host.dot(&v, &w), there.dot(&v_there, &w_there)];
                let norms = [Host.norm(&v), there.norm(&v_there)];
                for [host, device] in [dots, norms].map(|pair| pair.map(Result::unwrap)) {
                    assert_eq!(host.to_bits(), device.to_bits(), "{n}, {size}: {host} {device}");
                }
                Host.add(&mut v, 0.3, &w).unwrap();
                there.add(&mut v_there, 0.3, &w_there).unwrap();
                same(&v, &v_there);
                let mut basis = [wave(n, 0.5, 1.0), wave(n, 2.5, 1.0)];
                let mut basis_there = basis.each_ref().map(|b| move_to(b));
                for (b, b_there) in basis.iter_mut().zip(&mut basis_there) {
                    Host.divide(b, 3.0).unwrap();
                    there.divide(b_there, 3.0).unwrap();
                    same(b, b_there);
                }
                let components = Host.orthogonalise(&mut v, &basis).unwrap();
                let found = there.orthogonalise(&mut v_there, &basis_there).unwrap();
                assert_eq!(bits(&components), bits(&found));
                same(&v, &v_there);
                let sum = Host.combination(&[0.7, -0.2], &basis).unwrap();
                same(&sum, &there.combination(&[0.7, -0.2], &basis_there).unwrap());
            }
        }
    }
}
