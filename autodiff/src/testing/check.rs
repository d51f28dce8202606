//! What is checked of a recorded function, and how closely.

use super::checks::Point;
use super::differences::{Estimate, derivative, norm};
use super::report::Report;
use crate::error::{Error, Result};
use crate::ops::philox;
use crate::{Array, Cpu, DType, Program, Tape, Var};

/// Relative error granted to differences, beyond ten times the error that they estimate
/// themselves: that is an estimate of size only, and no wrong rule is wrong by so little.
const DIFFERENCES: f64 = 1e-7;

/// Differences whose estimated error is larger than this, and not by roundoff, are no
/// evidence: the function is not smooth where it is checked.
const SETTLED: f64 = 1e-6;

/// Relative error granted to the inner-product identity: a few thousand roundings.
const ADJOINT: f64 = 1e-12;

/// Relative error granted to two derivatives that take different ways through the tape.
const IDENTITY: f64 = 1e-11;

/// Roundings, of numbers as large as those that a result is computed from, that are granted
/// even where the result itself vanishes.
const ROUNDOFF: f64 = 64.0 * f64::EPSILON;

/// Random directions of each check.
const DIRECTIONS: u32 = 3;

/// Up to this size every unit vector is tried too, and the dense Hessian is formed.
const DENSE: usize = 64;

/// Largest first step of the differences, in units of the point's size.
const FIRST_STEP: f64 = 0.25;

/// A function recorded on a fresh tape, and a point at which its derivatives are checked.
///
/// [`check_gradient`](super::check_gradient) and its like do for functions of the variable
/// alone; here the function is given the tape too, for literals such as data.
///
/// ```
/// use burlap_autodiff::Array;
/// use burlap_autodiff::testing::Check;
/// let labels = Array::vector([2u32, 0]);
/// let loss = |tape: &burlap_autodiff::Tape, x: burlap_autodiff::Var| {
///     let hot = tape.literal(&labels).one_hot(3, x.dtype());
///     -(x.reshape([2, 3]).log_softmax(1) * hot).sum()
/// };
/// let mut check = Check::new(loss, [0.1, 0.2, -0.3, 1.0, 0.5, 0.0]);
/// check.gradient()?;
/// check.hessian()?;
/// println!("{}", check.report());
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
#[derive(Debug)]
pub struct Check {
    tape: Tape,
    x: Var,
    v: Var,
    w: Var,
    u: Var,
    f: Var,
    point: Array,
    /// What counts as a change of order one in the variable: its largest element.
    length: f64,
    report: Report,
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn dot_size(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a * b).abs()).sum()
}

fn combined(a: f64, u: &[f64], b: f64, v: &[f64]) -> Vec<f64> {
    u.iter().zip(v).map(|(u, v)| a * u + b * v).collect()
}

impl Check {
    /// Records the function. What goes wrong there is reported by the checks.
    pub fn new(f: impl FnOnce(&Tape, Var) -> Var, point: impl Into<Point>) -> Check {
        let Point(point) = point.into();
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, point.shape());
        let f = f(&tape, x);
        let direction = |name| tape.input(name, DType::F64, point.shape());
        let (v, w) = (direction("v of the check"), direction("w of the check"));
        let u = tape.input("u of the check", DType::F64, f.shape());
        let length = norm(&point.to_f64_vec());
        let length = if length > 0.0 && length.is_finite() { length } else { 1.0 };
        Check { tape, x, v, w, u, f, point, length, report: Report::default() }
    }

    /// What has been checked so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// A random direction: each element about as large as the point's, but not much smaller
    /// than the largest of these.
    fn direction(&self, number: u32) -> Array {
        let mut direction = self.point.clone();
        let scale = |x: f64| {
            if x.is_finite() { x.abs().max(self.length / 16.0) } else { 1.0 }
        };
        let values: Vec<f64> = (0u64..)
            .zip(self.point.to_f64_vec())
            .map(|(i, x)| philox::normal([0x00C0_FFEE, 7], number, i) * scale(x))
            .collect();
        direction.fill_from_f64(&values);
        direction
    }

    fn directions(&self) -> Vec<Array> {
        let n = self.point.len();
        let mut directions: Vec<Array> = (0..DIRECTIONS).map(|d| self.direction(d)).collect();
        for i in (0..n).filter(|_| n <= DENSE) {
            let mut unit = vec![0.0; n];
            unit[i] = self.length;
            let mut direction = self.point.clone();
            direction.fill_from_f64(&unit);
            directions.push(direction);
        }
        directions
    }

    fn compile(&self, inputs: &[Var], outputs: &[Var]) -> Result<Program> {
        self.tape.compile_with(&Cpu::with_threads(1)?, inputs, outputs)
    }

    fn shifted(&self, t: f64, direction: &Array) -> Array {
        let mut shifted = self.point.clone();
        let values = combined(1.0, &self.point.to_f64_vec(), t, &direction.to_f64_vec());
        shifted.fill_from_f64(&values);
        shifted
    }

    /// Compares a derivative along a direction with differences of what it is a derivative
    /// of, which is computed from numbers as large as `natural`.
    fn differences(
        &mut self,
        name: &'static str,
        exact: &[f64],
        direction: &Array,
        natural: f64,
        f: impl Fn(&Array) -> Result<Vec<f64>>,
    ) -> Result<()> {
        let Estimate { value, error, roundoff, step } =
            derivative(|t| f(&self.shifted(t, direction)), FIRST_STEP)?;
        let size = norm(exact).max(norm(&value));
        let noise = roundoff + 4.0 * f64::EPSILON * natural / step;
        if error > SETTLED * size + 1e3 * noise {
            let problem = format!(
                "differences do not settle: they leave an error of {error:.3e} in {size:.3e}, down to step {step:.3e}; \
                 the function is not smooth there, or its values are too noisy"
            );
            return Err(Error::Check { check: name, problem });
        }
        let circumstances =
            format_args!("extrapolated from steps down to {step:.3e} with an error of {error:.1e}");
        self.report.compare(
            name,
            &value,
            exact,
            (DIFFERENCES, 10.0 * (error + noise)),
            circumstances,
        )
    }

    fn run(program: &Program, inputs: &[&Array]) -> Result<Vec<Vec<f64>>> {
        Ok(program.run(inputs)?.iter().map(Array::to_f64_vec).collect())
    }

    /// As [`check_gradient`](super::check_gradient).
    ///
    /// # Errors
    /// [`Error::Check`] with the property and the numbers that disagree; errors of recording.
    pub fn gradient(&mut self) -> Result<()> {
        let (x, v, f) = (self.x, self.v, self.f);
        let value = self.compile(&[x], &[f])?;
        let program = self.compile(&[x, v], &[f.grad(x), f.jvp(x, v)])?;
        for direction in self.directions() {
            let out = Check::run(&program, &[&self.point, &direction])?;
            let along = direction.to_f64_vec();
            self.differences("jvp = differences of f", &out[1], &direction, 0.0, |x| {
                Ok(value.run(&[x])?[0].to_f64_vec())
            })?;
            let floor = ADJOINT * dot_size(&out[0], &along);
            self.report.compare(
                "⟨∇f, v⟩ = jvp",
                &out[1],
                &[dot(&out[0], &along)],
                (ADJOINT, floor),
                "",
            )?;
        }
        Ok(())
    }

    /// As [`check_jvp_vjp`](super::check_jvp_vjp).
    ///
    /// # Errors
    /// As [`Check::gradient`].
    pub fn jvp_vjp(&mut self) -> Result<()> {
        let (x, v, u, f) = (self.x, self.v, self.u, self.f);
        let value = self.compile(&[x], &[f])?;
        let program = self.compile(&[x, v, u], &[f.jvp(x, v), f.vjp(x, u)])?;
        for (number, direction) in (0..).zip(self.directions()) {
            let along = direction.to_f64_vec();
            let weights: Vec<f64> = (0..f.shape().count() as u64)
                .map(|i| philox::normal([0x0BAD_CAFE, 7], number, i))
                .collect();
            let cotangent = Array::from_vec(f.shape(), weights.clone())?;
            let out = Check::run(&program, &[&self.point, &direction, &cotangent])?;
            self.differences("jvp = differences of f", &out[0], &direction, 0.0, |x| {
                Ok(value.run(&[x])?[0].to_f64_vec())
            })?;
            let (left, right) = (dot(&weights, &out[0]), dot(&out[1], &along));
            let floor = ADJOINT * dot_size(&weights, &out[0]).max(dot_size(&out[1], &along));
            self.report.compare("⟨u, Jv⟩ = ⟨Jᵀu, v⟩", &[left], &[right], (ADJOINT, floor), "")?;
        }
        Ok(())
    }

    /// As [`check_hessian`](super::check_hessian).
    ///
    /// # Errors
    /// As [`Check::gradient`].
    pub fn hessian(&mut self) -> Result<()> {
        let (x, v, f) = (self.x, self.v, self.f);
        let at = f.value_grad_hvp(x, v);
        let gradient = self.compile(&[x], &[f.grad(x)])?;
        let orders = [f.hvp(x, v), f.grad(x).jvp(x, v), f.grad(x).dot(v).grad(x)];
        let [reverse_over_forward, forward_over_reverse, reverse_over_reverse] = orders;
        let outputs = [
            reverse_over_forward,
            forward_over_reverse,
            reverse_over_reverse,
            f.second_directional(x, v),
            at.value,
            at.grad,
            at.hvp,
            f,
            f.grad(x),
        ];
        let program = self.compile(&[x, v], &outputs)?;
        let n = self.point.len();
        let dense = if n <= DENSE {
            Some(self.compile(&[x], &[f.hessian(x)])?.run(&[&self.point])?)
        } else {
            None
        };
        let directions = self.directions();
        let mut former: Option<(Vec<f64>, Vec<f64>)> = None;
        for direction in &directions {
            let out = Check::run(&program, &[&self.point, direction])?;
            let along = direction.to_f64_vec();
            let hv = &out[0];
            // What an element of H v is computed from is about this large.
            let natural =
                (norm(&out[8]) + norm(&out[7]) / self.length) * norm(&along) / self.length;
            let grant = (IDENTITY, ROUNDOFF * natural);
            let grant_dot =
                (IDENTITY, n as f64 * norm(&along) * (IDENTITY * norm(hv) + ROUNDOFF * natural));
            let slope = norm(&out[7]) / self.length;
            self.differences("H v = differences of ∇f", hv, direction, slope, |x| {
                Ok(gradient.run(&[x])?[0].to_f64_vec())
            })?;
            self.report.compare("forward over reverse = H v", hv, &out[1], grant, "")?;
            self.report.compare("reverse over reverse = H v", hv, &out[2], grant, "")?;
            let curvature = [dot(hv, &along)];
            self.report.compare(
                "forward over forward = vᵀ H v",
                &curvature,
                &out[3],
                grant_dot,
                "",
            )?;
            self.report.compare(
                "value of value_grad_hvp = f",
                &out[7],
                &out[4],
                (IDENTITY, 0.0),
                "",
            )?;
            let grant_gradient = (IDENTITY, ROUNDOFF * norm(&out[7]) / self.length);
            self.report.compare(
                "gradient of value_grad_hvp = ∇f",
                &out[8],
                &out[5],
                grant_gradient,
                "",
            )?;
            self.report.compare("product of value_grad_hvp = H v", hv, &out[6], grant, "")?;
            if let Some(dense) = &dense {
                let h = dense[0].to_f64_vec();
                let product: Vec<f64> =
                    (0..n).map(|i| dot(&h[i * n..(i + 1) * n], &along)).collect();
                let floor = n as f64 * norm(&along) * (IDENTITY * norm(&h) + ROUNDOFF * natural);
                self.report.compare(
                    "dense Hessian times v = H v",
                    hv,
                    &product,
                    (IDENTITY, floor),
                    "",
                )?;
            }
            if let Some((u, hu)) = former.replace((along.clone(), hv.clone())) {
                let floor = IDENTITY * dot_size(&u, hv).max(dot_size(&along, &hu)) + grant_dot.1;
                self.report.compare(
                    "⟨u, H v⟩ = ⟨v, H u⟩",
                    &[dot(&u, hv)],
                    &[dot(&along, &hu)],
                    (IDENTITY, floor),
                    "",
                )?;
                let mut mixed = direction.clone();
                mixed.fill_from_f64(&combined(0.75, &u, -1.5, &along));
                let together = Check::run(&program, &[&self.point, &mixed])?;
                let apart = combined(0.75, &hu, -1.5, hv);
                let floor = IDENTITY * (norm(&hu) + norm(hv)) + 4.0 * ROUNDOFF * natural;
                self.report.compare(
                    "H(au + bv) = aHu + bHv",
                    &apart,
                    &together[0],
                    (IDENTITY, floor),
                    "",
                )?;
            }
        }
        self.third_order(&directions)
    }

    fn third_order(&mut self, directions: &[Array]) -> Result<()> {
        let (x, v, w, f) = (self.x, self.v, self.w, self.f);
        let (second, third) = f.second_directional_grad(x, v);
        let along = self.compile(&[x, v], &[f.second_directional(x, v)])?;
        let nested = f.jvp(x, v).jvp(x, v);
        let outputs = [second, third, third.dot(w), nested.grad(x), nested.jvp(x, w), f, f.grad(x)];
        let program = self.compile(&[x, v, w], &outputs)?;
        let zero = Array::zeros(DType::F64, self.point.shape());
        let mut before = directions.first().unwrap_or(&zero);
        for direction in directions {
            let out = Check::run(&program, &[&self.point, direction, before])?;
            let size = norm(&direction.to_f64_vec()) / self.length;
            let natural = (norm(&out[6]) + norm(&out[5]) / self.length) * size * size;
            let n = self.point.len() as f64;
            let grant = (IDENTITY, ROUNDOFF * natural);
            let floor =
                n * norm(&before.to_f64_vec()) * (IDENTITY * norm(&out[1]) + ROUNDOFF * natural);
            self.differences(
                "⟨∇(vᵀHv), w⟩ = differences of vᵀHv",
                &out[2],
                before,
                natural * self.length,
                |x| Ok(along.run(&[x, direction])?[0].to_f64_vec()),
            )?;
            self.report.compare(
                "∇(vᵀHv) by nesting = second_directional_grad",
                &out[1],
                &out[3],
                grant,
                "",
            )?;
            self.report.compare(
                "forward three times = ⟨∇(vᵀHv), w⟩",
                &out[2],
                &out[4],
                (IDENTITY, floor),
                "",
            )?;
            before = direction;
        }
        Ok(())
    }
}
