//! What is checked of a recorded function: its second and third derivatives.

use super::against::{Derivative, dot, dot_size};
use super::check::{Check, run};
use super::differences::norm;
use super::point::{DENSE, Direction, combined, element, subscript};
use crate::error::Result;

/// Relative error granted to two derivatives that take different ways through the tape.
const IDENTITY: f64 = 1e-11;

/// Roundings, of numbers as large as those that a result is computed from, that are granted
/// even where the result itself vanishes.
pub(super) const ROUNDOFF: f64 = 64.0 * f64::EPSILON;

/// ∂²f/∂x[i]∂x[j], or element i of a product with the Hessian.
pub(super) fn hessian_place(shape: &[usize]) -> impl Fn(usize, Option<usize>) -> String + '_ {
    move |i, axis| match axis {
        Some(j) => {
            let [row, column] = [i, j].map(|k| subscript(k, shape));
            format!("∂²f/∂x{row}∂x{column} of the Hessian")
        }
        None => element(i, shape, "H v for a random v"),
    }
}

impl Check {
    /// As [`check_hessian`](super::check_hessian).
    ///
    /// # Errors
    /// As [`Check::gradient`].
    pub fn hessian(&mut self) -> Result<()> {
        self.ready(true)?;
        if !self.gradient_is_checked {
            self.gradient()?;
        }
        let (x, v, f) = (self.x, self.v, self.f);
        let outputs = self.recorded(|| {
            let at = f.value_grad_hvp(x, v);
            [
                f.hvp(x, v),
                f.grad(x).jvp(x, v),
                f.grad(x).dot(v).grad(x),
                f.second_directional(x, v),
                at.value,
                at.grad,
                at.hvp,
                f,
                f.grad(x),
            ]
        });
        let gradient = self.compile(&[x], &outputs[8..])?;
        let program = self.compile(&[x, v], &outputs)?;
        let (n, length) = (self.frame.point.len(), self.frame.length);
        let (point, shape) = (self.frame.point.clone(), self.frame.shape().clone());
        let dense = match n <= DENSE {
            true => {
                let hessian = self.recorded(|| f.hessian(x));
                run(&self.compile(&[x], &[hessian])?, &[&point])?.swap_remove(0)
            }
            false => Vec::new(),
        };
        let place = hessian_place(&shape);
        let of_the_gradient = |i| element(i, &shape, "the gradient");
        let directions = self.frame.directions();
        let mut former: Option<(Vec<f64>, Vec<f64>)> = None;
        for direction in &directions {
            let out = run(&program, &[&point, &direction.vector])?;
            let along = direction.values();
            let hv = &out[0];
            // What an element of H v is computed from is about this large.
            let slope = norm(&out[7]) / length;
            let natural = (norm(&out[8]) + slope) * norm(&along) / length;
            let grant = (IDENTITY, ROUNDOFF * natural);
            let grant_dot =
                (IDENTITY, n as f64 * norm(&along) * (IDENTITY * norm(hv) + ROUNDOFF * natural));
            Derivative {
                name: "H v = differences of ∇f",
                along: &|direction: &Direction| {
                    Ok(run(&program, &[&point, &direction.vector])?.swap_remove(0))
                },
                of: &|x| Ok(gradient.run(&[x])?[0].to_f64_vec()),
                of_name: "∇f",
                natural: slope,
                rounding: 0.0,
                place: &place,
            }
            .check(&self.frame, &mut self.report, direction)?;
            // Where one variable moves, elements of H v are those of a column, but for the step.
            let of_hv = |i| match direction.axis {
                Some((j, step)) => format!("{step:?} times {}", place(i, Some(j))),
                None => place(i, None),
            };
            self.agree("forward over reverse = H v", (hv, &out[1]), grant, &of_hv)?;
            self.agree("reverse over reverse = H v", (hv, &out[2]), grant, &of_hv)?;
            let curvature = [dot(hv, &along)];
            let of_curvature = |_| "vᵀ H v".into();
            self.agree(
                "forward over forward = vᵀ H v",
                (&curvature, &out[3]),
                grant_dot,
                &of_curvature,
            )?;
            let of_value = |_| "f".into();
            self.agree(
                "value of value_grad_hvp = f",
                (&out[7], &out[4]),
                (IDENTITY, 0.0),
                &of_value,
            )?;
            self.agree(
                "gradient of value_grad_hvp = ∇f",
                (&out[8], &out[5]),
                (IDENTITY, ROUNDOFF * slope),
                &of_the_gradient,
            )?;
            self.agree("product of value_grad_hvp = H v", (hv, &out[6]), grant, &of_hv)?;
            if n <= DENSE {
                let rows = dense.chunks_exact(n.max(1));
                let product: Vec<f64> = rows.map(|row| dot(row, &along)).collect();
                let floor =
                    n as f64 * norm(&along) * (IDENTITY * norm(&dense) + ROUNDOFF * natural);
                self.agree(
                    "dense Hessian times v = H v",
                    (hv, &product),
                    (IDENTITY, floor),
                    &of_hv,
                )?;
            }
            if let Some((u, hu)) = former.replace((along.clone(), hv.clone())) {
                let floor = IDENTITY * dot_size(&u, hv).max(dot_size(&along, &hu)) + grant_dot.1;
                self.agree(
                    "⟨u, H v⟩ = ⟨v, H u⟩",
                    (&[dot(&u, hv)], &[dot(&along, &hu)]),
                    (IDENTITY, floor),
                    &|_| "⟨u, H v⟩".into(),
                )?;
                let mixed = self.frame.combined(0.75, &u, -1.5, &along);
                let together = run(&program, &[&point, &mixed])?;
                let apart = combined(0.75, &hu, -1.5, hv);
                let floor = IDENTITY * (norm(&hu) + norm(hv)) + 4.0 * ROUNDOFF * natural;
                self.agree(
                    "H(au + bv) = aHu + bHv",
                    (&apart, &together[0]),
                    (IDENTITY, floor),
                    &|i| element(i, &shape, "H(au + bv)"),
                )?;
            }
        }
        self.third_order(&directions)
    }

    fn third_order(&mut self, directions: &[Direction]) -> Result<()> {
        let (x, v, w, f) = (self.x, self.v, self.w, self.f);
        let outputs = self.recorded(|| {
            let (second, third) = f.second_directional_grad(x, v);
            let nested = f.jvp(x, v).jvp(x, v);
            [second, third, third.dot(w), nested.grad(x), nested.jvp(x, w), f, f.grad(x)]
        });
        let curvature = self.recorded(|| f.second_directional(x, v));
        let curvature = self.compile(&[x, v], &[curvature])?;
        let program = self.compile(&[x, v, w], &outputs)?;
        let (point, shape, length) =
            (self.frame.point.clone(), self.frame.shape().clone(), self.frame.length);
        let Some(mut before) = directions.first() else { return Ok(()) };
        for direction in directions {
            let out = run(&program, &[&point, &direction.vector, &before.vector])?;
            let size = norm(&direction.values()) / length;
            let natural = (norm(&out[6]) + norm(&out[5]) / length) * size * size;
            let grant = (IDENTITY, ROUNDOFF * natural);
            let floor = point.len() as f64
                * norm(&before.values())
                * (IDENTITY * norm(&out[1]) + ROUNDOFF * natural);
            let of_third = |i| element(i, &shape, "∇(vᵀHv)");
            Derivative {
                name: "⟨∇(vᵀHv), w⟩ = differences of vᵀHv",
                along: &|w: &Direction| {
                    Ok(run(&program, &[&point, &direction.vector, &w.vector])?.swap_remove(2))
                },
                of: &|x| Ok(curvature.run(&[x, &direction.vector])?[0].to_f64_vec()),
                of_name: "vᵀHv",
                natural: natural * length,
                rounding: 0.0,
                place: &|_, axis| match axis {
                    Some(j) => of_third(j),
                    None => "⟨∇(vᵀHv), w⟩ for a random w".into(),
                },
            }
            .check(&self.frame, &mut self.report, before)?;
            self.agree(
                "∇(vᵀHv) by nesting = second_directional_grad",
                (&out[1], &out[3]),
                grant,
                &of_third,
            )?;
            self.agree(
                "forward three times = ⟨∇(vᵀHv), w⟩",
                (&out[2], &out[4]),
                (IDENTITY, floor),
                &|_| "⟨∇(vᵀHv), w⟩".into(),
            )?;
            before = direction;
        }
        Ok(())
    }
}
