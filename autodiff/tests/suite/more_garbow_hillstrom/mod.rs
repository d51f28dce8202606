//! Values, gradients and Hessians against the test functions of Moré, Garbow and Hillstrom,
//! "Testing unconstrained optimization software", ACM TOMS 7 (1981) 17–41.
//!
//! Each function is a sum of squares f = Σ rᵢ². It is recorded on a tape, and once more its
//! residuals, their gradients and their Hessians are written out by hand in plain `f64`, from
//! which ∇f = 2 Σ rᵢ∇rᵢ and ∇²f = 2 Σ (∇rᵢ∇rᵢᵀ + rᵢ∇²rᵢ). The published minima check that
//! both are the function of the paper.

mod coupled;
mod fits;
mod fixed;
mod variable;

use burlap_autodiff::{Array, Cpu, DType, Program, Tape, Var};
use nalgebra::{DMatrix, DVector};

const TOLERANCE: f64 = 1e-10;

/// One function of the collection.
struct Case {
    name: &'static str,
    /// The standard starting point.
    start: Vec<f64>,
    /// Points near minimisers, to the digits known, and the published values of f there.
    minima: Vec<(Vec<f64>, f64)>,
    record: fn(&Tape, Var) -> Var,
    closed: fn(&[f64]) -> Residuals,
}

/// The residuals at a point, with their gradients and Hessians.
struct Residuals {
    n: usize,
    r: Vec<f64>,
    g: Vec<Vec<f64>>,
    h: Vec<Vec<Vec<f64>>>,
}

/// f, the elements of ∇f, and those of ∇²f by rows.
type Derivatives = [Vec<f64>; 3];

impl Residuals {
    fn new(n: usize) -> Residuals {
        let (r, g, h) = (Vec::new(), Vec::new(), Vec::new());
        Residuals { n, r, g, h }
    }

    /// Adds a residual by its value and what is not zero of its gradient and, on one side of
    /// the diagonal, of its Hessian.
    fn push(&mut self, r: f64, gradient: &[(usize, f64)], hessian: &[(usize, usize, f64)]) {
        let mut g = vec![0.0; self.n];
        let mut h = vec![vec![0.0; self.n]; self.n];
        for &(j, value) in gradient {
            g[j] = value;
        }
        for &(j, k, value) in hessian {
            (h[j][k], h[k][j]) = (value, value);
        }
        self.r.push(r);
        self.g.push(g);
        self.h.push(h);
    }

    fn assemble(&self) -> Derivatives {
        let n = self.n;
        let mut out = [vec![0.0], vec![0.0; n], vec![0.0; n * n]];
        for ((r, g), h) in self.r.iter().zip(&self.g).zip(&self.h) {
            out[0][0] += r * r;
            for j in 0..n {
                out[1][j] += 2.0 * r * g[j];
                for k in 0..n {
                    out[2][j * n + k] += 2.0 * (g[j] * g[k] + r * h[j][k]);
                }
            }
        }
        out
    }

    /// The sizes of what is added up: absolute values, and for a residual also Σⱼ |∂ⱼr xⱼ|,
    /// because it is itself a difference of terms that may nearly cancel.
    fn sizes(&self, x: &[f64]) -> Residuals {
        let abs = |row: &Vec<f64>| -> Vec<f64> { row.iter().map(|v| v.abs()).collect() };
        let terms = |g: &[f64]| -> f64 { g.iter().zip(x).map(|(g, x)| (g * x).abs()).sum() };
        Residuals {
            n: self.n,
            r: (self.r.iter().zip(&self.g)).map(|(r, g)| r.abs() + terms(g)).collect(),
            g: self.g.iter().map(abs).collect(),
            h: (self.h.iter()).map(|h| h.iter().map(abs).collect()).collect(),
        }
    }
}

impl Case {
    /// Computes f, ∇f, ∇²f and ∇²f v from x and v.
    fn compile(&self) -> Program {
        let n = self.start.len();
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, [n]);
        let v = tape.input("v", DType::F64, [n]);
        let f = (self.record)(&tape, x);
        let outputs = [f, f.grad(x), f.hessian(x), f.hvp(x, v)];
        tape.compile(&Cpu::new(), &outputs).expect(self.name)
    }

    /// The starting point and three points at random within a tenth of it, which are the same
    /// in each run.
    fn points(&self) -> Vec<Vec<f64>> {
        let mut state = 1_u64;
        let mut uniform = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        };
        let mut near = |&x: &f64| x + 0.1 * uniform() * if x == 0.0 { 1.0 } else { x };
        let start = &self.start;
        let mut points = vec![start.clone()];
        points.extend((0..3).map(|_| start.iter().map(&mut near).collect()));
        points
    }

    fn check(&self) -> Result<(), String> {
        let n = self.start.len();
        let program = self.compile();
        for x in self.points() {
            let closed = (self.closed)(&x);
            let (want, size) = (closed.assemble(), closed.sizes(&x).assemble());
            let mut columns = vec![0.0; n * n];
            for column in 0..n {
                let mut unit = vec![0.0; n];
                unit[column] = 1.0;
                let out = run(&program, &x, unit);
                for (row, value) in out[3].iter().enumerate() {
                    columns[row * n + column] = *value;
                }
                for (order, what) in ["f", "grad", "hessian"].iter().enumerate() {
                    agree(&out[order], &want[order], &size[order])
                        .map_err(|e| format!("{}: {what}{e} at {x:?}", self.name))?;
                }
            }
            agree(&columns, &want[2], &size[2])
                .map_err(|e| format!("{}: hvp{e} at {x:?}", self.name))?;
        }
        Ok(())
    }
}

fn run(program: &Program, x: &[f64], v: Vec<f64>) -> Vec<Vec<f64>> {
    let out = program.run(&[&Array::vector(x), &Array::vector(v)]);
    out.unwrap().iter().map(Array::to_f64_vec).collect()
}

/// Each element must agree relative to the largest one (the norm), and also relative to the
/// size of the terms that it is the sum of: where terms cancel, rounding is proportional to
/// them and not to what is left. An element that no residual contributes to must be exactly 0.
fn agree(got: &[f64], want: &[f64], size: &[f64]) -> Result<(), String> {
    let norm = want.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
    for (i, ((got, want), size)) in got.iter().zip(want).zip(size).enumerate() {
        let same = (got - want).abs() <= TOLERANCE * norm.min(*size);
        if !same {
            return Err(format!("[{i}] is {got:e}, not {want:e}"));
        }
    }
    Ok(())
}

fn cases() -> Vec<Case> {
    let mut cases = fixed::cases();
    cases.extend(fits::cases());
    cases.extend(variable::cases());
    cases.extend(coupled::cases());
    cases
}

#[test]
fn derivatives_agree_with_closed_forms() {
    for case in cases() {
        case.check().unwrap();
    }
}

/// Newton's method with the recorded derivatives, from the digits known of a minimiser, must
/// stay there and arrive at the published value, which has six digits.
#[test]
fn minima_are_the_published_ones() {
    for case in cases() {
        let program = case.compile();
        let n = case.start.len();
        assert!(!case.minima.is_empty(), "{}", case.name);
        for (near, minimum) in &case.minima {
            let near = DVector::from_column_slice(near);
            let mut x = near.clone();
            for _ in 0..8 {
                let out = run(&program, x.as_slice(), vec![0.0; n]);
                let hessian = DMatrix::from_row_slice(n, n, &out[2]);
                // Where the Hessian is singular, the minimiser is known exactly.
                let Some(step) = hessian.lu().solve(&DVector::from_column_slice(&out[1])) else {
                    break;
                };
                x -= step;
            }
            let moved = (&x - &near).amax();
            assert!(moved <= 1e-2 * near.amax(), "{}: {x}", case.name);
            let recorded = run(&program, x.as_slice(), vec![0.0; n])[0][0];
            let closed = (case.closed)(x.as_slice()).assemble()[0][0];
            for f in [recorded, closed] {
                let same = (f - minimum).abs() <= 5e-6 * minimum + 1e-20;
                assert!(same, "{}: {f:e}, not {minimum:e} at {x}", case.name);
            }
        }
    }
}

#[test]
fn a_wrong_closed_form_is_noticed() {
    let mut case = fixed::cases().remove(0);
    case.closed = |x| {
        let mut wrong = fixed::rosenbrock(x);
        wrong.h[0][0][0] *= 1.0 + 1e-7;
        wrong
    };
    assert!(case.check().is_err());
}

#[test]
fn the_table_is_long_enough() {
    let mut names: Vec<&str> = cases().iter().map(|case| case.name).collect();
    names.sort_unstable();
    names.dedup();
    assert!(names.len() >= 18, "{names:?}");
}
