//! Operators made of others: multiples, sums, shifts, submatrices; and one that tells of progress.

use super::LinearOperator;
use super::operator::{check_one, check_rows};
use super::vectors::add;
use crate::error::{Error, Result, finite};
use std::ops::Range;

/// c A + s I, made by [`LinearOperator::scaled`] and [`LinearOperator::shifted`].
#[derive(Clone, Debug)]
pub struct Affine<A> {
    inner: A,
    factor: f64,
    shift: f64,
}

impl<A: LinearOperator> Affine<A> {
    pub(super) fn scaled(inner: A, factor: f64) -> Result<Affine<A>> {
        finite("multiple", "the factor", factor)?;
        Ok(Affine { inner, factor, shift: 0.0 })
    }

    pub(super) fn shifted(inner: A, shift: f64) -> Result<Affine<A>> {
        finite("shifted operator", "the shift", shift)?;
        Ok(Affine { inner, factor: 1.0, shift })
    }

    /// Makes images of A those of c A + s I.
    fn finish(&self, vectors: &[f64], out: &mut [f64]) {
        out.iter_mut().zip(vectors).for_each(|(out, v)| *out = self.factor * *out + self.shift * v);
    }
}

impl<A: LinearOperator> LinearOperator for Affine<A> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
        self.inner.apply(v, out)?;
        self.finish(v, out);
        Ok(())
    }

    fn matmat(&mut self, vectors: &[f64], out: &mut [f64]) -> Result<()> {
        self.inner.matmat(vectors, out)?;
        self.finish(vectors, out);
        Ok(())
    }

    fn block(&self) -> usize {
        self.inner.block()
    }

    fn epsilon(&self) -> f64 {
        self.inner.epsilon()
    }

    fn num_matvecs(&self) -> usize {
        self.inner.num_matvecs()
    }
}

/// A + B, made by [`LinearOperator::plus`].
#[derive(Clone, Debug)]
pub struct Sum<A, B> {
    first: A,
    second: B,
    image: Vec<f64>,
}

impl<A: LinearOperator, B: LinearOperator> Sum<A, B> {
    pub(super) fn new(first: A, second: B) -> Result<Sum<A, B>> {
        let (n, m) = (first.dim(), second.dim());
        if n != m {
            let (expected, found) = (format!("operators of {n} rows"), format!("one of {m}"));
            return Err(Error::Vector { of: "sum".into(), expected, found });
        }
        Ok(Sum { first, second, image: Vec::new() })
    }
}

impl<A: LinearOperator, B: LinearOperator> LinearOperator for Sum<A, B> {
    fn dim(&self) -> usize {
        self.first.dim()
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
        self.first.apply(v, out)?;
        self.image.resize(out.len(), 0.0);
        self.second.apply(v, &mut self.image)?;
        add(out, 1.0, &self.image);
        Ok(())
    }

    fn matmat(&mut self, vectors: &[f64], out: &mut [f64]) -> Result<()> {
        self.first.matmat(vectors, out)?;
        self.image.resize(out.len(), 0.0);
        self.second.matmat(vectors, &mut self.image)?;
        add(out, 1.0, &self.image);
        Ok(())
    }

    fn block(&self) -> usize {
        self.first.block().max(self.second.block())
    }

    fn epsilon(&self) -> f64 {
        self.first.epsilon().max(self.second.epsilon())
    }

    fn num_matvecs(&self) -> usize {
        self.first.num_matvecs() + self.second.num_matvecs()
    }
}

/// A principal submatrix, made by [`LinearOperator::restricted`] and
/// [`restricted_to`](LinearOperator::restricted_to).
#[derive(Clone, Debug)]
pub struct Restricted<A> {
    inner: A,
    ranges: Vec<Range<usize>>,
    dim: usize,
    vectors: Vec<f64>,
    images: Vec<f64>,
}

impl<A: LinearOperator> Restricted<A> {
    pub(super) fn new(inner: A, ranges: Vec<Range<usize>>) -> Result<Restricted<A>> {
        let refuse = |value: String, expected: &'static str| {
            Err(Error::Setting { of: "restriction".into(), name: "a range", value, expected })
        };
        let wrong = |r: &&Range<usize>| r.start > r.end || r.end > inner.dim();
        if let Some(r) = ranges.iter().find(wrong) {
            let value = format!("{r:?} of {} rows", inner.dim());
            return refuse(value, "in ascending order and within the operator's rows");
        }
        let mut sorted: Vec<&Range<usize>> = ranges.iter().filter(|r| !r.is_empty()).collect();
        sorted.sort_by_key(|r| r.start);
        if let Some(pair) = sorted.windows(2).find(|pair| pair[0].end > pair[1].start) {
            return refuse(format!("{:?} beside {:?}", pair[1], pair[0]), "disjoint from others");
        }
        let dim = ranges.iter().map(Range::len).sum();
        Ok(Restricted { inner, ranges, dim, vectors: Vec::new(), images: Vec::new() })
    }

    /// Products by what the inner operator does for rows of its own.
    fn through(
        &mut self,
        vectors: &[f64],
        out: &mut [f64],
        product: impl FnOnce(&mut A, &[f64], &mut [f64]) -> Result<()>,
    ) -> Result<()> {
        let (dim, whole) = (self.dim.max(1), self.inner.dim().max(1));
        let length = vectors.len() / dim * whole;
        // What lies outside of the ranges stays zero.
        self.vectors.resize(length, 0.0);
        self.images.resize(length, 0.0);
        for (v, wide) in vectors.chunks_exact(dim).zip(self.vectors.chunks_exact_mut(whole)) {
            let mut from = v;
            for range in &self.ranges {
                let (part, rest) = from.split_at(range.len());
                wide[range.clone()].copy_from_slice(part);
                from = rest;
            }
        }
        product(&mut self.inner, &self.vectors, &mut self.images)?;
        for (wide, v) in self.images.chunks_exact(whole).zip(out.chunks_exact_mut(dim)) {
            let parts = self.ranges.iter().flat_map(|range| &wide[range.clone()]);
            v.iter_mut().zip(parts).for_each(|(v, part)| *v = *part);
        }
        Ok(())
    }
}

impl<A: LinearOperator> LinearOperator for Restricted<A> {
    fn dim(&self) -> usize {
        self.dim
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
        check_one(self.dim, v, out)?;
        if self.dim == 0 {
            return Ok(());
        }
        self.through(v, out, |a, v, out| a.apply(v, out))
    }

    fn matmat(&mut self, vectors: &[f64], out: &mut [f64]) -> Result<()> {
        check_rows(self.dim, vectors, out)?;
        self.through(vectors, out, |a, vectors, out| a.matmat(vectors, out))
    }

    fn block(&self) -> usize {
        self.inner.block()
    }

    fn epsilon(&self) -> f64 {
        self.inner.epsilon()
    }

    fn num_matvecs(&self) -> usize {
        self.inner.num_matvecs()
    }
}

/// An operator that tells of its progress, made by [`LinearOperator::observed`].
#[derive(Clone, Debug)]
pub struct Observed<A, F> {
    inner: A,
    report: F,
    done: usize,
}

impl<A: LinearOperator, F: FnMut(usize)> Observed<A, F> {
    pub(super) fn new(inner: A, report: F) -> Observed<A, F> {
        Observed { inner, report, done: 0 }
    }

    fn add(&mut self, count: usize) {
        self.done += count;
        (self.report)(self.done);
    }
}

impl<A: LinearOperator, F: FnMut(usize)> LinearOperator for Observed<A, F> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn apply(&mut self, v: &[f64], out: &mut [f64]) -> Result<()> {
        self.inner.apply(v, out)?;
        self.add(1);
        Ok(())
    }

    fn matmat(&mut self, vectors: &[f64], out: &mut [f64]) -> Result<()> {
        let dim = self.dim();
        check_rows(dim, vectors, out)?;
        let length = (self.block() * dim).max(1);
        for (vectors, out) in vectors.chunks(length).zip(out.chunks_mut(length)) {
            self.inner.matmat(vectors, out)?;
            self.add(vectors.len() / dim.max(1));
        }
        Ok(())
    }

    fn block(&self) -> usize {
        self.inner.block()
    }

    fn epsilon(&self) -> f64 {
        self.inner.epsilon()
    }

    fn num_matvecs(&self) -> usize {
        self.inner.num_matvecs()
    }
}
