//! Transforms: a derivative with respect to a recorded value is that of the program in which
//! this value is an input.

use crate::choices::Choices;
use burlap::autodiff::testing::Recorded;
use burlap::autodiff::{Array, Cpu, DType, Interpreter, Result, Tape, Var, vmap};

/// Orders of differentiation of one nesting.
const ORDERS: usize = 3;

/// Relative error granted to two programs of a few hundred operations on numbers of order one,
/// which sum the same terms in other orders.
const GRANTED: f64 = 1e-9;

/// A change of all inputs: what it changes in a result is what a thousandth of this, some
/// roundings, may change too. So results that cancel are granted what they lose.
const NUDGE: f64 = 1e-12;

/// One transform of a scalar, that leaves a scalar.
#[derive(Clone, Copy, Debug)]
enum Nest {
    Gradient,
    Forward,
    Backward,
    Product,
    Curvature,
    CurvatureGradient,
    Parts,
    Rows,
    Dense,
}

impl Nest {
    const ALL: [Nest; 9] = [
        Nest::Gradient,
        Nest::Forward,
        Nest::Backward,
        Nest::Product,
        Nest::Curvature,
        Nest::CurvatureGradient,
        Nest::Parts,
        Nest::Rows,
        Nest::Dense,
    ];

    fn orders(self) -> usize {
        match self {
            Nest::Rows => 0,
            Nest::Gradient | Nest::Forward | Nest::Backward => 1,
            Nest::Product | Nest::Curvature | Nest::Parts | Nest::Dense => 2,
            Nest::CurvatureGradient => 3,
        }
    }

    fn apply(self, f: Var, h: Var) -> Var {
        let u = direction(h, 0.5);
        match self {
            Nest::Gradient => (f.grad(h) * u).sum(),
            Nest::Forward => f.jvp(h, u),
            Nest::Backward => (f.vjp(h, f.constant_like(0.7)) * u).sum(),
            Nest::Product => (f.hvp(h, u) * direction(h, 1.7)).sum(),
            Nest::Curvature => f.second_directional(h, u),
            Nest::CurvatureGradient => (f.second_directional_grad(h, u).1 * u).sum(),
            Nest::Parts => {
                let all = f.value_grad_hvp(h, u);
                all.value + (all.grad * u).sum() + (all.hvp * direction(h, 1.7)).sum()
            }
            Nest::Rows => {
                let sizes: Vec<usize> =
                    std::iter::once(2).chain(h.shape().iter().copied()).collect();
                let rows = h.broadcast_to(sizes);
                vmap(&[f], &[(h, rows)])[0].sum()
            }
            // Of more variables the matrix is too large.
            Nest::Dense if h.shape().count() > 6 => f.second_directional(h, u),
            Nest::Dense => {
                let hessian = f.hessian(h);
                (hessian * direction(hessian, 0.3)).sum()
            }
        }
    }
}

/// Numbers of order one, of the shape and type of a variable, that depend on nothing.
fn direction(x: Var, phase: f64) -> Var {
    let values: Vec<f64> =
        (0..x.shape().count()).map(|i| (1.3 * i as f64 + phase).sin() + 0.1).collect();
    match Array::from_f64(x.dtype(), x.shape(), &values) {
        Ok(array) => x.literal(&array),
        Err(error) => x.fail("direction", error.to_string()),
    }
}

/// All results that are compared.
fn nested(recorded: &Recorded, h: Var, nests: &[Nest]) -> Vec<Var> {
    let mut f = recorded.loss;
    let mut outputs = vec![f];
    for nest in nests {
        f = nest.apply(f, h);
        outputs.push(f);
    }
    outputs.push(f.grad(h));
    // Together with x, each is independent of the other.
    outputs.extend(f.grads(&[h, recorded.x]));
    outputs
}

fn norm(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |n, x| n.max(x.abs()))
}

fn run(tape: &Tape, outputs: &[Var], inputs: &[&Array], planned: bool) -> Result<Vec<Array>> {
    let program = match planned {
        true => tape.compile(&Cpu::with_threads(1)?, outputs)?,
        false => tape.compile(&Interpreter, outputs)?,
    };
    program.run(inputs)
}

/// Derivatives with respect to a recorded value, nested up to third order and in every way.
///
/// A well-formed random program is recorded twice: as it is, and with an input in the place of
/// one of its real results h, on another tape. At the value that h had, the same transforms with
/// respect to h and to that input must give the same numbers. With respect to x and h together,
/// each counts as independent of the other.
///
/// Numbers may differ by 10⁻⁹ of the largest result along the way, or of 1, and by a thousand
/// times what a change of all inputs by 10⁻¹² of themselves changes: roundoff, as far as the
/// results amplify it.
pub fn transforms(data: &[u8]) {
    let mut c = Choices::new(data);
    let (planned, place, mut nests) = (c.chance(2), c.word() as usize, Vec::new());
    let mut orders = 0;
    while nests.len() < 3 && orders < ORDERS && !c.is_empty() {
        let nest = c.pick(&Nest::ALL);
        if orders + nest.orders() <= ORDERS {
            nests.push(nest);
        }
        orders += nest.orders().max(1);
    }
    let program = c.program();
    let tape = Tape::new();
    let recorded = program.record(&tape, DType::F64);
    let reals: Vec<usize> =
        (0..recorded.computed.len()).filter(|&i| recorded.computed[i].dtype().is_float()).collect();
    if reals.is_empty() {
        return;
    }
    let number = reals[place % reals.len()];
    let h = recorded.computed[number];
    let fresh = Tape::new();
    let replaced = program.record_with_input(&fresh, DType::F64, number);
    let context =
        format!("{nests:?} with respect to the result of instruction {number} of {program:?}");
    let mut outputs = nested(&recorded, h, &nests);
    outputs.push(h);
    let inputs: Vec<&Array> = recorded.values.iter().collect();
    let mut found =
        run(&tape, &outputs, &inputs, planned).unwrap_or_else(|e| panic!("{e}: {context}"));
    let Some(at) = found.pop() else { return };
    let outputs = nested(&replaced, replaced.computed[number], &nests);
    let expect = |nudge: f64| {
        let nudged = |array: &Array| {
            let values: Vec<f64> = array.to_f64_vec().iter().map(|x| x * (1.0 + nudge)).collect();
            let mut array = array.clone();
            if array.dtype().is_float() {
                array.fill_from_f64(&values);
            }
            array
        };
        let inputs: Vec<Array> = recorded.values.iter().chain([&at]).map(nudged).collect();
        let inputs: Vec<&Array> = inputs.iter().collect();
        run(&fresh, &outputs, &inputs, planned).unwrap_or_else(|e| panic!("{e}: {context}"))
    };
    let (expected, nudged) = (expect(0.0), expect(NUDGE));
    let mut size = 1.0f64;
    let mut cancelled = 0.0f64;
    for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!(
            (found.shape(), found.dtype()),
            (expected.shape(), expected.dtype()),
            "{context}"
        );
        let [found, expected, nudged] = [found, expected, &nudged[i]].map(Array::to_f64_vec);
        // Overflow, and what follows from it, is no evidence.
        if found.iter().chain(&expected).chain(&nudged).any(|x| x.is_nan() || x.abs() > 1e12) {
            return;
        }
        let distance =
            |a: &[f64], b: &[f64]| norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>());
        size = size.max(norm(&expected));
        cancelled = cancelled.max(distance(&nudged, &expected));
        let error = distance(&found, &expected);
        let granted = GRANTED * size + 1e3 * cancelled;
        assert!(
            error <= granted,
            "result {i}: found {found:?}, with an input {expected:?}; error {error:.3e}, at most \
             {granted:.3e}: {context}"
        );
    }
}
