//! What is simplified while it is recorded keeps its value: expressions recorded at once
//! against the same ones evaluated operation by operation, where nothing can be simplified.

use crate::choices::Choices;
use burlap_autodiff::{Array, DType, Interpreter, Padding, Tape, Var};

const X: [f64; 3] = [0.7, -1.3, 2.1];
const Y: [f64; 3] = [-0.4, 1.9, 0.6];

/// An operand: a variable, its negative, or a literal.
#[derive(Clone, Copy, Debug)]
enum Leaf {
    X,
    Y,
    MinusX,
    MinusY,
    Literal(f64),
}

const LEAVES: [Leaf; 10] = [
    Leaf::X,
    Leaf::Y,
    Leaf::MinusX,
    Leaf::MinusY,
    Leaf::Literal(0.0),
    Leaf::Literal(1.0),
    Leaf::Literal(-1.0),
    Leaf::Literal(2.0),
    Leaf::Literal(0.5),
    Leaf::Literal(-3.0),
];

impl Leaf {
    fn record(self, x: Var, y: Var) -> Var {
        match self {
            Leaf::X => x,
            Leaf::Y => y,
            Leaf::MinusX => -x,
            Leaf::MinusY => -y,
            Leaf::Literal(c) => x.constant_like(c),
        }
    }

    fn value(self, x: f64, y: f64) -> f64 {
        match self {
            Leaf::X => x,
            Leaf::Y => y,
            Leaf::MinusX => -x,
            Leaf::MinusY => -y,
            Leaf::Literal(c) => c,
        }
    }
}

type Two = (&'static str, fn(Var, Var) -> Var, fn(f64, f64) -> f64);

const TWO: [Two; 7] = [
    ("+", |a, b| a + b, |a, b| a + b),
    ("-", |a, b| a - b, |a, b| a - b),
    ("*", |a, b| a * b, |a, b| a * b),
    ("/", |a, b| a / b, |a, b| a / b),
    ("pow", |a, b| a.pow(b), f64::powf),
    // A NaN is the result, which `f64::max` would hide.
    ("max", |a, b| a.max(b), |a, b| if a > b || a.is_nan() { a } else { b }),
    ("min", |a, b| a.min(b), |a, b| if a < b || a.is_nan() { a } else { b }),
];

type One = (&'static str, fn(Var) -> Var, fn(f64) -> f64);

const ONE: [One; 7] = [
    ("", |a| a, |a| a),
    ("-", |a| -a, |a| -a),
    ("abs", |a| a.abs(), f64::abs),
    ("cos", |a| a.cos(), f64::cos),
    ("sech2", |a| a.sech2(), |a| a.cosh().powi(-2)),
    ("sin", |a| a.sin(), f64::sin),
    ("cast", |a| a.cast(DType::F64), |a| a),
];

/// Every `one(leaf two leaf) two leaf`, and its mirror image, in turns.
#[test]
fn arithmetic() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [3]);
    let y = tape.input("y", DType::F64, [3]);
    let (mut outputs, mut expected, mut names) = (Vec::new(), Vec::new(), Vec::new());
    let mut number = 0;
    for (a, b) in LEAVES.iter().flat_map(|a| LEAVES.iter().map(move |b| (a, b))) {
        for (inner_name, inner, inner_value) in TWO {
            for (one_name, one, one_value) in ONE {
                for (outer_name, outer, outer_value) in TWO {
                    // Each combination with one of the leaves; all leaves in the long run.
                    let c = LEAVES[number % LEAVES.len()];
                    number += 7;
                    let left = one(inner(a.record(x, y), b.record(x, y)));
                    let right = c.record(x, y);
                    let mirrored = number % 2 == 0;
                    outputs.push(if mirrored { outer(right, left) } else { outer(left, right) });
                    let value = |(&x, &y): (&f64, &f64)| {
                        let left = one_value(inner_value(a.value(x, y), b.value(x, y)));
                        let right = c.value(x, y);
                        if mirrored { outer_value(right, left) } else { outer_value(left, right) }
                    };
                    expected.push(X.iter().zip(&Y).map(value).collect::<Vec<f64>>());
                    names.push(format!(
                        "{one_name}({a:?} {inner_name} {b:?}) {outer_name} {c:?}, mirrored {mirrored}"
                    ));
                }
            }
        }
    }
    let program = tape.compile(&Interpreter, &outputs).unwrap();
    let found = program.run(&[&Array::vector(X), &Array::vector(Y)]).unwrap();
    let mut compared = 0;
    for ((found, expected), name) in found.iter().zip(&expected).zip(&names) {
        for (found, expected) in found.to_f64_vec().iter().zip(expected) {
            // The identities hold for finite numbers; a zero's sign may differ, so a pole's too.
            if !expected.is_finite() || expected.abs() > 1e12 {
                continue;
            }
            compared += 1;
            // Some roundings: x² may be a product here and a power there.
            let allowed = 1e-13 * expected.abs().max(1.0);
            assert!((found - expected).abs() <= allowed, "{name}: {found} instead of {expected}");
        }
    }
    println!("{} expressions, {compared} numbers compared", outputs.len());
    assert!(compared > 60_000);
}

/// The same in integers, where only some of the identities hold.
#[test]
fn integers() {
    let xs = [0u32, 3, u32::MAX];
    let tape = Tape::new();
    let x = tape.input("x", DType::U32, [3]);
    type Case = (fn(Var, Var) -> Var, fn(u32, u32) -> u32);
    let cases: [Case; 7] = [
        (|a, b| a + b, u32::wrapping_add),
        (|a, b| a - b, u32::wrapping_sub),
        (|a, b| a * b, u32::wrapping_mul),
        (|a, b| a / b, |a, b| a.checked_div(b).unwrap_or(u32::MAX)),
        (|a, b| a.pow(b), u32::wrapping_pow),
        (|a, b| a.max(b), std::cmp::max),
        (|a, b| a.min(b), std::cmp::min),
    ];
    for (record, value) in cases {
        for c in [0u32, 1, 2, 7] {
            let literal = x.constant_like(f64::from(c));
            let outputs = [record(x, literal), record(literal, x), record(literal, literal)];
            let out =
                tape.compile(&Interpreter, &outputs).unwrap().run(&[&Array::vector(xs)]).unwrap();
            assert_eq!(out[0], Array::vector(xs.map(|x| value(x, c))), "{c} on the right");
            assert_eq!(out[1], Array::vector(xs.map(|x| value(c, x))), "{c} on the left");
            assert_eq!(out[2], Array::vector([value(c, c); 3]), "{c} on both sides");
        }
    }
}

impl Choices {
    fn some_axes(&mut self, rank: usize) -> Vec<usize> {
        let bits = self.below(1 << rank);
        (0..rank).filter(|a| bits >> a & 1 == 1).collect()
    }
}

/// Records one movement, the same for the same choices and shape.
fn movement(tape: &Tape, x: Var, c: &mut Choices) -> Var {
    let shape = x.shape();
    let rank = shape.len();
    match c.below(9) {
        0 => x.flip(&c.some_axes(rank)),
        1 => {
            let mut axes: Vec<usize> = (0..rank).collect();
            axes.rotate_left(c.below(rank.max(1)));
            if rank > 1 && c.below(2) == 0 {
                axes.swap(0, 1);
            }
            x.transpose(&axes)
        }
        2 => {
            let ranges: Vec<(usize, usize, usize)> = shape
                .iter()
                .map(|&n| {
                    let start = c.below(n + 1);
                    (start, start + c.below(n - start + 1), 1 + c.below(3))
                })
                .collect();
            x.slice_steps(&ranges)
        }
        3 if rank > 0 => {
            let axis = c.below(rank);
            tape.concat(&[x, x.flip(&[axis]), x], axis)
        }
        4 => {
            let place = c.below(rank + 1);
            let mut to = shape.to_vec();
            to.insert(place, 1 + c.below(3));
            x.broadcast_axes(to, &(0..=rank).filter(|&a| a != place).collect::<Vec<_>>())
        }
        5 if rank > 2 => x.sum_axes(&c.some_axes(rank)),
        6 => x.pad(
            &(0..rank)
                .map(|_| Padding { before: c.below(2), between: c.below(2), after: 0 })
                .collect::<Vec<_>>(),
        ),
        7 => {
            let mut to = shape.to_vec();
            to.insert(c.below(rank + 1), 1);
            x.reshape(to)
        }
        _ if shape.count() > 0 && rank > 1 => {
            let mut to = shape.to_vec();
            let last = to.remove(rank - 1);
            to[rank - 2] *= last;
            x.reshape(to)
        }
        _ => x,
    }
}

#[test]
fn movements() {
    for seed in 0..6000 {
        let start = Array::from_vec([2, 3, 2], (0..12).map(f64::from).collect()).unwrap();
        let tape = Tape::new();
        let mut recorded = tape.input("x", DType::F64, start.shape());
        let mut value = start.clone();
        let (mut at_once, mut one_by_one) = (Choices(seed), Choices(seed));
        for _ in 0..2 + seed % 5 {
            if recorded.rank() > 4 || recorded.shape().count() > 500 {
                break;
            }
            recorded = movement(&tape, recorded, &mut at_once);
            let step = Tape::new();
            let x = step.input("x", DType::F64, value.shape());
            let y = movement(&step, x, &mut one_by_one);
            value = step.compile(&Interpreter, &[y]).unwrap().run(&[&value]).unwrap().remove(0);
        }
        let all = tape.compile(&Interpreter, &[recorded]).unwrap().run(&[&start]).unwrap();
        assert_eq!(all[0], value, "seed {seed}");
    }
}
