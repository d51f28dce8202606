//! Values that a call may take.

use super::Calls;
use burlap::autodiff::{DType, Var};

impl Calls<'_, '_, '_> {
    pub(super) fn any(&mut self) -> (Var, String) {
        let i = self.c.below(self.values.len());
        self.exact &= self.values[i].exact;
        (self.values[i].var, format!("v{i}"))
    }

    /// The first value of a type from a chosen one on, seldom one of another type.
    pub(super) fn of(&mut self, fits: impl Fn(DType) -> bool) -> (Var, String) {
        let (n, start) = (self.values.len(), self.c.below(self.values.len()));
        let found = (0..n).map(|i| (start + i) % n).find(|&i| fits(self.values[i].var.dtype()));
        match found {
            Some(i) if !self.c.odd(64) => {
                self.exact &= self.values[i].exact;
                (self.values[i].var, format!("v{i}"))
            }
            _ => self.any(),
        }
    }

    pub(super) fn real(&mut self) -> (Var, String) {
        self.of(DType::is_float)
    }

    /// Two values of one type.
    pub(super) fn pair(&mut self) -> ((Var, String), (Var, String)) {
        let a = self.any();
        let b = self.of(|dtype| dtype == a.0.dtype());
        (a, b)
    }

    /// Two values of one type that go together elementwise: where they do not, one entry of the
    /// second does.
    pub(super) fn fitting(&mut self, real: bool) -> ((Var, String), (Var, String)) {
        let a = if real { self.real() } else { self.any() };
        let b = self.of(|dtype| dtype == a.0.dtype());
        let (of_a, of_b) = (a.0.shape(), b.0.shape());
        let fit = |(m, n): (&usize, &usize)| m == n || *m == 1 || *n == 1;
        if of_a.iter().rev().zip(of_b.iter().rev()).all(fit) || self.c.odd(8) {
            return (a, b);
        }
        match of_b.count() {
            0 => (a.clone(), a),
            _ => (a, (b.0.flatten().at(0), format!("{}.flatten().at(0)", b.1))),
        }
    }

    /// Two reals whose inner sizes agree, mostly.
    pub(super) fn product(&mut self) -> ((Var, String), (Var, String)) {
        let (a, b) = (self.real(), self.real());
        let fit = a.0.rank() == 1 && a.0.shape() == b.0.shape();
        match (fit || self.c.odd(4), a.0.rank()) {
            (true, _) => (a, b),
            (_, 1) => (a.clone(), a),
            (_, 2) => (a.clone(), (a.0.t(), format!("{}.t()", a.1))),
            _ => {
                let flat = (a.0.flatten(), format!("{}.flatten()", a.1));
                (flat.clone(), flat)
            }
        }
    }

    /// A scalar to differentiate, and a variable that it may depend on.
    pub(super) fn differentiable(&mut self) -> (Var, Var, String) {
        self.exact = false;
        // Mostly the latest value, which depends on others.
        let latest = self.values.last().filter(|known| known.var.dtype().is_float()).copied();
        let (f, a) = match latest {
            Some(known) if !self.c.chance(4) => (known.var, format!("v{}", self.values.len() - 1)),
            _ => self.real(),
        };
        let (x, b) = self.real();
        (if self.c.odd(32) { f } else { f.sum() }, x, format!("{a}.sum(), {b}"))
    }

    /// A value of any type with an axis.
    pub(super) fn with_axis(&mut self) -> (Var, String) {
        let (x, a) = self.any();
        if x.rank() == 0 && !self.c.odd(4) {
            return (x.flatten(), format!("{a}.flatten()"));
        }
        (x, a)
    }

    /// Something with the shape and type of a value.
    pub(super) fn like(&mut self, x: Var) -> Var {
        match self.c.below(5) {
            0 => self.of(|dtype| dtype == x.dtype()).0,
            1 => x,
            2 => x.stop_gradient() * 2.0,
            _ => x.constant_like(0.5),
        }
    }

    /// Many of a value along a new first axis.
    pub(super) fn stacked(&mut self, x: Var, k: usize) -> Var {
        let sizes: Vec<usize> = std::iter::once(k).chain(x.shape().iter().copied()).collect();
        if self.c.odd(32) { x } else { x.broadcast_to(sizes) }
    }
}
