//! Functions of elements, and over axes.

use super::Calls;
use super::tables::{
    ARITHMETIC, EXACT, EXACT_AXES, EXACT_BINARY, EXACT_NUMBERS, PRODUCTS, ROUNDED, ROUNDED_AXES,
    ROUNDED_AXIS, ROUNDED_BINARY, ROUNDED_NUMBERS,
};
use burlap::autodiff::Var;

impl Calls<'_, '_, '_> {
    pub(super) fn elementwise(&mut self) -> Var {
        match self.c.below(6) {
            0 => {
                let ((x, a), (name, f)) = (self.real(), self.c.pick(EXACT));
                self.record(format!("{a}.{name}()"), f(x), true)
            }
            1..=4 => {
                let ((x, a), (name, f)) = (self.real(), self.c.pick(ROUNDED));
                self.record(format!("{a}.{name}()"), f(x), false)
            }
            _ => {
                let ((x, a), to) = (self.any(), self.c.dtype());
                self.record(format!("{a}.cast({to})"), x.cast(to), true)
            }
        }
    }

    pub(super) fn of_two(&mut self) -> Var {
        let kind = self.c.below(5);
        let ((a, left), (b, right)) = match kind {
            0 => self.product(),
            _ => self.fitting(kind == 1),
        };
        let integer = !a.dtype().is_float();
        let ((name, f), exact) = match kind {
            0 => (self.c.pick(PRODUCTS), false),
            1 => (self.c.pick(ROUNDED_BINARY), false),
            2 => (self.c.pick(EXACT_BINARY), true),
            _ => (self.c.pick(ARITHMETIC), integer),
        };
        self.record(format!("{left} {name} {right}"), f(a, b), exact)
    }

    pub(super) fn with_number(&mut self) -> Var {
        let n = self.c.number();
        match self.c.below(4) {
            0 => {
                let ((x, a), (name, f)) = (self.any(), self.c.pick(EXACT_NUMBERS));
                self.record(format!("{a}.{name}({n:?})"), f(x, n), true)
            }
            1 => {
                let (x, a) = self.real();
                let n = self.c.pick(&[2, 1, 0, -1, 3, -2, 7, i32::MAX, i32::MIN]);
                self.record(format!("{a}.powi({n})"), x.powi(n), false)
            }
            2 => {
                let ((x, a), high) = (self.real(), self.c.number());
                self.record(format!("{a}.clamp({n:?}, {high:?})"), x.clamp(n, high), true)
            }
            _ => {
                let ((x, a), (name, f)) = (self.real(), self.c.pick(ROUNDED_NUMBERS));
                self.record(format!("{a}.{name}({n:?})"), f(x, n), false)
            }
        }
    }

    pub(super) fn over_axes(&mut self) -> Var {
        let (x, a) = if self.c.chance(4) { self.with_axis() } else { self.real() };
        let integer = !x.dtype().is_float();
        let axes = self.c.axes(x.rank());
        match self.c.below(6) {
            0 => {
                let (name, f) = self.c.pick(EXACT_AXES);
                self.record(format!("{a}.{name}({axes:?})"), f(x, &axes), true)
            }
            1 => {
                let (name, f) = self.c.pick(ROUNDED_AXES);
                self.record(format!("{a}.{name}({axes:?})"), f(x, &axes), integer)
            }
            2 => {
                let x = if x.rank() == 0 { x.flatten() } else { x };
                let (axis, (name, f)) = (self.c.axis(x.rank()), self.c.pick(ROUNDED_AXIS));
                self.record(format!("{a}.{name}({axis})"), f(x, axis), false)
            }
            3 => {
                let x = if x.rank() == 0 { x.flatten() } else { x };
                let axis = self.c.axis(x.rank());
                self.record(format!("{a}.argmax({axis})"), x.argmax(axis), true)
            }
            4 => {
                let correction = if self.c.odd(4) { self.c.size() } else { 0 };
                self.record(
                    format!("{a}.variance({axes:?}, {correction})"),
                    x.variance(&axes, correction),
                    false,
                )
            }
            _ => {
                let from = if self.c.odd(8) { self.any().0.shape() } else { x.shape() };
                let reduced = x.sum_axes(&axes);
                self.record(
                    format!("{a}.sum_axes({axes:?}).keepdims({axes:?}, {from})"),
                    reduced.keepdims(&axes, &from),
                    integer,
                )
            }
        }
    }
}
