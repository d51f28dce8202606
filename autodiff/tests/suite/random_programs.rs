//! Hessian-vector products of random programs over all primitives: against differences of
//! the gradient, symmetric, and the same on both backends.

use burlap_autodiff::testing::{RandomProgram, derivative, random_programs};
use burlap_autodiff::{Array, Cpu, DType, Interpreter, Tape};

/// Programs that are generated; a few are near a kink.
const PROGRAMS: usize = 10_000;

/// At least this many must be checked.
const CHECKED: usize = 9_900;

fn norm(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |n: f64, x| n.max(x.abs()))
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    // A NaN must not be skipped, as `max` would.
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, |n: f64, d| if d <= n { n } else { d })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn dot_size(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a * b).abs()).sum()
}

/// Two fixed directions with elements of order one.
fn directions(shape: &[usize]) -> [Array; 2] {
    let n: usize = shape.iter().product();
    let wave = |a: f64, b: f64| {
        let values: Vec<f64> = (0..n).map(|i| (a * i as f64 + b).sin() + 0.1).collect();
        Array::from_vec(shape, values).unwrap()
    };
    [wave(1.3, 0.5), wave(2.1, 1.2)]
}

struct Point {
    gradient: Vec<f64>,
    product: Vec<f64>,
    decisions: Vec<f64>,
    stopped: Vec<Array>,
}

/// Checks that need no differences. `None` where roundings decide on which side of a kink the
/// point lies.
fn check_at_point(program: &RandomProgram, directions: &[Array; 2]) -> Option<Point> {
    let tape = Tape::new();
    let recorded = program.record(&tape, DType::F64);
    let (x, f) = (recorded.x, recorded.loss);
    let v = tape.input("v", DType::F64, x.shape());
    let u = tape.input("u", DType::F64, x.shape());
    let mut outputs = vec![f, f.grad(x), f.hvp(x, v), f.hvp(x, u), recorded.decisions];
    outputs.extend(&recorded.stopped);
    let mut inputs: Vec<&Array> = recorded.values.iter().collect();
    inputs.extend(directions);
    let out = tape
        .compile(&Cpu::with_threads(1).unwrap(), &outputs)
        .unwrap_or_else(|e| panic!("{e}: {program:?}"))
        .run(&inputs)
        .unwrap();
    let oracle = tape.compile(&Interpreter, &outputs).unwrap().run(&inputs).unwrap();
    if out[4] != oracle[4] {
        return None;
    }
    let numbers: Vec<Vec<f64>> = out.iter().map(Array::to_f64_vec).collect();
    for (i, (found, expected)) in numbers.iter().zip(&oracle).take(4).enumerate() {
        let expected = expected.to_f64_vec();
        // Values are of order one by construction, so that 1e-12 is thousands of roundings.
        let tolerance = 1e-12 * norm(&expected).max(1.0);
        let error = distance(found, &expected);
        assert!(error <= tolerance, "output {i} differs by {error:e}: {program:?}");
    }
    let [_, gradient, hv, hu] = [0, 1, 2, 3].map(|i| &numbers[i]);
    let [along_v, along_u] = [0, 1].map(|i| directions[i].to_f64_vec());
    let size = dot_size(&along_u, hv).max(dot_size(&along_v, hu));
    // Where the Hessian vanishes what is left is roundoff of the gradient's terms.
    let tolerance = 1e-11 * size + 1e-14 * (norm(gradient) + 1.0);
    let asymmetry = (dot(&along_u, hv) - dot(&along_v, hu)).abs();
    assert!(
        asymmetry <= tolerance,
        "⟨u, Hv⟩ and ⟨v, Hu⟩ differ by {asymmetry:e} of {size:e}: {program:?}"
    );
    Some(Point {
        gradient: gradient.clone(),
        product: hv.clone(),
        decisions: numbers[4].clone(),
        stopped: out[5..].to_vec(),
    })
}

enum Outcome {
    /// With the relative error, and whether the Hessian does not vanish.
    Checked(f64, bool),
    /// No differences: the point lies on, or next to, a kink.
    Kink,
}

fn check(program: &RandomProgram) -> Outcome {
    let directions = directions(&program.variable);
    let Some(point) = check_at_point(program, &directions) else {
        return Outcome::Kink;
    };
    // Differences of the gradient while stopped values stay where they are.
    let tape = Tape::new();
    let recorded = program.record_with_stopped(&tape, DType::F64);
    let outputs = [recorded.loss.grad(recorded.x), recorded.decisions];
    let gradient = tape.compile(&Cpu::with_threads(1).unwrap(), &outputs).unwrap();
    let mut inputs = recorded.values.clone();
    let first_stopped = inputs.len() - point.stopped.len();
    inputs.splice(first_stopped.., point.stopped.iter().cloned());
    let start = inputs[0].to_f64_vec();
    let along = directions[0].to_f64_vec();
    let at = |inputs: &mut Vec<Array>, t: f64| {
        let moved: Vec<f64> = start.iter().zip(&along).map(|(x, v)| x + t * v).collect();
        inputs[0].fill_from_f64(&moved);
        let out = gradient.run(&inputs.iter().collect::<Vec<_>>()).unwrap();
        // On another smooth piece there is no difference to take: left out.
        if out[1].to_f64_vec() == point.decisions {
            out[0].to_f64_vec()
        } else {
            vec![f64::NAN; start.len()]
        }
    };
    let gradient_error = distance(&at(&mut inputs, 0.0), &point.gradient);
    assert!(
        gradient_error <= 1e-12 * norm(&point.gradient).max(1.0),
        "stopped values as inputs: {program:?}"
    );
    let Ok(estimate) = derivative(|t| Ok(at(&mut inputs, t)), 0.125) else { return Outcome::Kink };
    let size = norm(&point.product).max(norm(&estimate.value));
    // What differences cannot tell is measured by themselves. A tenth of the tolerance must
    // be left of them, or else of the gradient's roundoff where the Hessian vanishes.
    if estimate.error > 1e-7 * size + 100.0 * estimate.roundoff {
        return Outcome::Kink;
    }
    let error = distance(&point.product, &estimate.value);
    // The last term: terms of order one that cancel leave roundoff in the exact product too.
    let floor = 1e3 * estimate.roundoff + 1e-14;
    let allowed = 1e-6 * size + floor;
    assert!(
        error <= allowed,
        "Hv = {:?}, differences {estimate:?}, error {error:e}, allowed {allowed:e}: {program:?}",
        point.product
    );
    let relative = if error == 0.0 { 0.0 } else { error / (size + 1e6 * floor) };
    Outcome::Checked(relative, size > 1e-6)
}

#[test]
fn hessian_vector_products_of_random_programs() {
    let start = std::time::Instant::now();
    let (mut checked, mut kinks, mut worst) = (0, 0, 0.0f64);
    // Programs that use the variable in comparisons only have no derivatives.
    let mut curved = 0;
    for program in random_programs(PROGRAMS, 2024, true) {
        match check(&program) {
            Outcome::Checked(error, is_curved) => {
                checked += 1;
                curved += usize::from(is_curved);
                worst = worst.max(error);
            }
            Outcome::Kink => kinks += 1,
        }
    }
    println!(
        "{checked} random programs checked, {curved} of them curved; worst relative error {worst:.1e}; \
         {kinks} near a kink; {:.1} s",
        start.elapsed().as_secs_f64()
    );
    assert!(checked >= CHECKED, "only {checked} were checked; {kinks} near a kink");
    assert!(curved * 10 >= checked * 7, "only {curved} of {checked} had a Hessian");
}
