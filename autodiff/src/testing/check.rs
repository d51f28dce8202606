//! What is checked of a recorded function: its first derivatives.

use super::against::{self, ADJOINT, Derivative, dot, dot_size};
use super::differences::norm;
use super::point::{Direction, Frame, Point, element, subscript};
use super::report::{Comparison, Granted, Report};
use super::second_order::ROUNDOFF;
use crate::error::{At, Error, Result};
use crate::scalar::philox;
use crate::{Array, Cpu, DType, Program, Tape, Var};

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
    pub(super) tape: Tape,
    pub(super) x: Var,
    pub(super) v: Var,
    pub(super) w: Var,
    u: Var,
    pub(super) f: Var,
    pub(super) frame: Frame,
    /// What makes every check pointless.
    problem: Option<Error>,
    pub(super) gradient_is_checked: bool,
    pub(super) report: Report,
}

/// Why nothing can be checked of what was recorded, if so.
pub(super) fn recording_problem(tape: &Tape, f: Var, single: bool, at: At) -> Option<Error> {
    let check = "recording";
    match tape.error() {
        Some(error @ Error::DType { .. }) if single => {
            let problem = format!(
                "{error}; here x is f64 though the point is f32, since differences of f32 values \
                 have no digits to compare: record the function for the type of x"
            );
            return Some(Error::Check { check, problem, at });
        }
        Some(error) => return Some(error),
        None => {}
    }
    if f.tape() != tape.id() {
        return Some(Error::ForeignVar { op: check, at });
    }
    let problem = match f.dtype() {
        DType::F64 => return None,
        DType::F32 => "the function rounds its value to f32, whose differences have no digits to \
                       compare: it should be of the type of x, f64"
            .into(),
        other => format!("the value of the function is {other}, which has no derivative"),
    };
    Some(Error::Check { check, problem, at })
}

pub(super) fn run(program: &Program, inputs: &[&Array]) -> Result<Vec<Vec<f64>>> {
    Ok(program.run(inputs)?.iter().map(Array::to_f64_vec).collect())
}

impl Check {
    /// Records the function. What goes wrong there is reported by the checks.
    #[track_caller]
    pub fn new(f: impl FnOnce(&Tape, Var) -> Var, point: impl Into<Point>) -> Check {
        Check::at(f, point.into(), At::caller())
    }

    pub(super) fn at(f: impl FnOnce(&Tape, Var) -> Var, point: Point, at: At) -> Check {
        let tape = Tape::new();
        let frame = Frame::new(point.array(), at);
        let x = tape.input("x", DType::F64, frame.shape());
        let f = f(&tape, x);
        let problem =
            point.problem(at).or_else(|| recording_problem(&tape, f, point.is_single(), at));
        let direction = |name| tape.input(name, DType::F64, frame.shape());
        let (v, w) = (direction("v of the check"), direction("w of the check"));
        let u = tape.input("u of the check", DType::F64, f.shape());
        let report = Report::default();
        Check { tape, x, v, w, u, f, frame, problem, gradient_is_checked: false, report }
    }

    /// What has been checked so far.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Fails where nothing can be checked.
    pub(super) fn ready(&self, scalar: bool) -> Result<()> {
        if let Some(problem) = &self.problem {
            return Err(problem.clone());
        }
        let shape = self.f.shape();
        if scalar && !shape.is_empty() {
            let problem = format!(
                "only a scalar has a gradient and a Hessian, but the value of the function has \
                 the shape {shape}: sum it, or use check_jvp_vjp"
            );
            return self.frame.fail("recording", problem);
        }
        Ok(())
    }

    pub(super) fn compile(&self, inputs: &[Var], outputs: &[Var]) -> Result<Program> {
        self.tape.compile_with(&Cpu::with_threads(1)?, inputs, outputs)
    }

    /// Records derivatives as a user's own would be: their mistakes are those of the user's line.
    pub(super) fn recorded<R>(&self, f: impl FnOnce() -> R) -> R {
        self.x.record_at(self.frame.at, f)
    }

    /// Compares what takes two ways through the tape, relative to the norm and up to a floor.
    pub(super) fn agree(
        &mut self,
        name: &'static str,
        (expected, found): (&[f64], &[f64]),
        (tolerance, floor): (f64, f64),
        place: &dyn Fn(usize) -> String,
    ) -> Result<()> {
        let granted = Granted::Norm(tolerance, floor);
        let at = self.frame.at;
        self.report.compare(Comparison { name, expected, found, granted, place, at }, "")
    }

    /// As [`check_gradient`](super::check_gradient).
    ///
    /// # Errors
    /// [`Error::Check`] with the property, the element and the numbers that disagree; errors of
    /// recording.
    pub fn gradient(&mut self) -> Result<()> {
        self.ready(true)?;
        let (x, v, f) = (self.x, self.v, self.f);
        let value = self.compile(&[x], &[f])?;
        let outputs = self.recorded(|| [f.grad(x), f.jvp(x, v)]);
        let program = self.compile(&[x, v], &outputs)?;
        let values = |x: &Array| Ok(value.run(&[x])?[0].to_f64_vec());
        let value_at = norm(&against::value(&self.frame, &self.report, &[], &values)?);
        // A value that cancels is computed from larger numbers.
        let size = value_at.max(against::noise_along(&self.frame, &values)? / f64::EPSILON);
        let zero = Array::zeros(DType::F64, self.frame.shape());
        let gradient = &run(&program, &[&self.frame.point, &zero])?[0];
        against::gradient(&self.frame, &mut self.report, gradient, &values)?;
        for direction in self.frame.directions() {
            let out = run(&program, &[&self.frame.point, &direction.vector])?;
            let along = direction.values();
            // An element of ∇f is computed from numbers as large as the slope of f, at least.
            let noise = ROUNDOFF * size / self.frame.length * along.len() as f64 * norm(&along);
            let floor = ADJOINT * dot_size(&out[0], &along) + noise;
            self.agree(
                "⟨∇f, v⟩ = jvp",
                (&out[1], &[dot(&out[0], &along)]),
                (ADJOINT, floor),
                &|_| "⟨∇f, v⟩".into(),
            )?;
        }
        self.gradient_is_checked = true;
        Ok(())
    }

    /// As [`check_jvp_vjp`](super::check_jvp_vjp).
    ///
    /// # Errors
    /// As [`Check::gradient`].
    pub fn jvp_vjp(&mut self) -> Result<()> {
        self.ready(false)?;
        let (x, v, u, f) = (self.x, self.v, self.u, self.f);
        let value = self.compile(&[x], &[f])?;
        let outputs = self.recorded(|| [f.jvp(x, v), f.vjp(x, u)]);
        let program = self.compile(&[x, v, u], &outputs)?;
        let values = |x: &Array| Ok(value.run(&[x])?[0].to_f64_vec());
        let (shape, variables) = (f.shape(), self.frame.shape().clone());
        against::value(&self.frame, &self.report, &shape, &values)?;
        let weights: Vec<f64> =
            (0..shape.count() as u64).map(|i| philox::normal([0x0BAD_CAFE, 7], 0, i)).collect();
        let cotangent = Array::from_vec(&shape, weights.clone())?;
        for direction in self.frame.directions() {
            let along = |direction: &Direction| {
                let inputs = [&self.frame.point, &direction.vector, &cotangent];
                Ok(run(&program, &inputs)?.swap_remove(0))
            };
            Derivative {
                name: "jvp = differences of f",
                along: &along,
                of: &values,
                of_name: "f",
                natural: 0.0,
                rounding: 0.0,
                place: &|i, axis| match axis {
                    Some(j) => {
                        let column = subscript(j, &variables);
                        format!("∂f{}/∂x{column} of the Jacobian", subscript(i, &shape))
                    }
                    None => element(i, &shape, "J v for a random v"),
                },
            }
            .check(&self.frame, &mut self.report, &direction)?;
            let out = run(&program, &[&self.frame.point, &direction.vector, &cotangent])?;
            let along = direction.values();
            let (left, right) = (dot(&weights, &out[0]), dot(&out[1], &along));
            let floor = ADJOINT * dot_size(&weights, &out[0]).max(dot_size(&out[1], &along));
            self.agree(
                "⟨u, Jv⟩ = ⟨Jᵀu, v⟩",
                (&[left], &[right]),
                (ADJOINT, floor),
                &|_| match direction.axis {
                    Some((j, _)) => element(j, &variables, "the vjp"),
                    None => "⟨Jᵀu, v⟩".into(),
                },
            )?;
        }
        Ok(())
    }
}
