//! Calls of several values, and transforms.

use super::tables::EQUATIONS;
use super::{Calls, Known};
use burlap::autodiff::{At, Contraction, DType, Var, checkpoint, map_rows, vmap};

impl Calls<'_, '_, '_> {
    /// Calls with several operands.
    pub(super) fn several(&mut self) -> Var {
        match self.c.below(7) {
            0 => {
                let (m, mask) = self.of(|dtype| dtype == DType::Bool);
                let ((a, left), (b, right)) = self.fitting(false);
                let scalar = m.shape() != a.shape() && m.shape().count() > 0 && !self.c.odd(4);
                let m = if scalar { m.flatten().at(0) } else { m };
                self.record(format!("{mask}.select({left}, {right})"), m.select(a, b), true)
            }
            1 => {
                let (m, mask) = self.of(|dtype| dtype == DType::Bool);
                let ((a, left), n) = (self.any(), self.c.number());
                self.record(format!("{mask}.select({left}, {n:?})"), m.select(a, n), true)
            }
            2 => {
                let (a, left) = self.with_axis();
                let (b, right) = self.of(|dtype| dtype == a.dtype());
                let axis = self.c.axis(a.rank());
                let b = if b.shape() == a.shape() || self.c.odd(2) { b } else { a };
                let n = if self.c.odd(16) { 0 } else { 1 + self.c.below(3) };
                let parts = &[a, b, a][..n];
                let text = format!("concat({left}, {right}, {} parts, axis {axis})", parts.len());
                let var = self.tape.concat(parts, axis);
                self.record(text, var, true)
            }
            3 => {
                let ((a, left), (b, right)) = self.pair();
                let axis = self.c.axis(a.rank() + 1);
                let b = if b.shape() == a.shape() || self.c.odd(2) { b } else { a };
                let var = match self.c.below(2) {
                    _ if axis == a.rank() => self.tape.stack(&[a, b], axis),
                    0 => self.tape.stack(&[a, b], axis),
                    _ => a.join(&[b, a], axis),
                };
                self.record(format!("stack or join({left}, {right}, axis {axis})"), var, true)
            }
            4 => {
                let ((a, left), (b, right)) = (self.real(), self.real());
                let equation = match (a.rank(), b.rank()) {
                    _ if self.c.odd(4) => self.c.pick(&EQUATIONS),
                    (1, 1) => "a,b->ba",
                    (0, 1) => ",a->a",
                    (0, 0) => ",->",
                    (1, 2) => "a,bc->cab",
                    (2, 1) => "ab,c->b",
                    _ => return self.over_axes(),
                };
                self.record(
                    format!("{left}.einsum({equation:?}, {right})"),
                    a.einsum(equation, b),
                    false,
                )
            }
            5 => {
                let ((a, left), (b, right)) = self.pair();
                let b = if self.c.odd(2) { b } else { a };
                let pairs = self.c.below(1 + a.rank().min(b.rank()));
                let of_a = self.c.order(a.rank());
                let of_b = if self.c.odd(2) { self.c.order(b.rank()) } else { of_a.clone() };
                let batch = self.c.below(pairs + 1);
                let list = |axes: &[usize]| axes.iter().map(|&axis| axis as u8).collect();
                let part = |axes: &[usize], from: usize, to: usize| {
                    list(&axes[from.min(axes.len())..to.min(axes.len())])
                };
                let contraction = Contraction {
                    left_batch: part(&of_a, 0, batch),
                    right_batch: part(&of_b, 0, batch),
                    left_sum: part(&of_a, batch, pairs),
                    right_sum: part(&of_b, batch, pairs),
                };
                let text = format!("{left}.contract({right}, {contraction:?})");
                self.record(text, a.contract(b, contraction), false)
            }
            _ => {
                let (x, a) = self.any();
                let var = match self.c.odd(32) {
                    true => x.fail("fuzz", "asked to fail"),
                    false => x.record_at(At::caller(), || x.abs()),
                };
                self.record(format!("{a}.record_at(…, abs)"), var, true)
            }
        }
    }

    pub(super) fn transformed(&mut self) -> Var {
        let (f, x, text) = self.differentiable();
        let small = x.shape().count() <= 16 && f.shape().count() <= 16;
        let v = self.like(x);
        let (name, var) = match self.c.below(17) {
            0 => ("grad", f.grad(x)),
            1 => ("grads", f.grads(&[x, v, f])[self.c.below(3)]),
            2 => ("jvp", f.jvp(x, v)),
            3 => ("jvp_many", f.jvp_many(&[(x, v), (v, v)])),
            4 => ("vjp", f.vjp(x, f)),
            5 => ("hvp", f.hvp(x, v)),
            6 => {
                let all = f.value_grad_hvp(x, v);
                ("value_grad_hvp", self.c.pick(&[all.value, all.grad, all.hvp]))
            }
            7 => {
                let k = self.c.size();
                let many = self.stacked(v, k);
                ("hvp_many", f.hvp_many(x, many))
            }
            8 => {
                let many = self.stacked(v, 2);
                let all = f.value_grad_hvp_many(x, many);
                ("value_grad_hvp_many", self.c.pick(&[all.value, all.grad, all.hvp]))
            }
            9 => ("second_directional", f.second_directional(x, v)),
            10 => {
                let (second, third) = f.second_directional_grad(x, v);
                ("second_directional_grad", self.c.pick(&[second, third]))
            }
            11 if small => ("hessian", f.hessian(x)),
            12 if small => ("jacobian", f.jacobian(x)),
            13 => {
                let k = self.c.size();
                let (many, also) = (self.stacked(x, k), self.stacked(v, k));
                ("vmap", vmap(&[f, v], &[(x, many), (v, also)])[self.c.below(2)])
            }
            14 if self.depth < 2 => ("map_rows", self.inside(x, true)),
            15 if self.depth < 2 => ("checkpoint", self.inside(x, false)),
            16 if x.rank() > 0 => {
                let largest = x.take_along(0, x.argmax(0).expand_dims(0));
                ("grad of the largest", (largest * largest).sum().grad(x))
            }
            _ => ("grad", f.grad(x)),
        };
        self.exact = false;
        self.record(format!("{name} of ({text})"), var, false)
    }

    /// A call inside of a function of rows, or of a checkpoint.
    pub(super) fn inside(&mut self, x: Var, rows: bool) -> Var {
        self.depth += 1;
        let kept = self.values.len();
        let mut body = |x: Var| {
            self.values.push(Known { var: x, exact: false });
            let y = self.call();
            // The operands of another call are mostly those of the last ones.
            if self.c.chance(2) { y } else { self.call() }
        };
        let out = match rows {
            true => map_rows([x], |[row]| [body(row)])[0],
            false => checkpoint(&[x], |v| vec![body(v[0])])[0],
        };
        // What belongs to the rows means nothing outside.
        self.values.truncate(kept);
        self.depth -= 1;
        out
    }
}
