//! Rules that decide on the points of a step: an ascent of several steps, two perturbations, and
//! steps that perturb only where it pays.

use crate::family::combinations::COMBINATIONS;
use crate::family::rules::{At, Rule, ascent, none};
use crate::family::{follow, two_point};
use crate::plain::*;
use burlap_autodiff::{Array, DType, Var};
use burlap_optim::sam::{Next, Progress};
use burlap_optim::{
    Combination, Combined, Combining, Method, Perturbation, Perturbing, Result, Sam, Stateful,
};

/// ε ← ε + (ρ/k) ∇L(x + ε)/‖·‖, k times.
#[derive(Debug)]
struct Several {
    rho: f64,
    rounds: usize,
}

impl Stateful for Several {}

impl Perturbation for Several {
    fn name(&self) -> &str {
        "several"
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn radius(&self) -> f64 {
        self.rho / self.rounds as f64
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        at.offset + at.with_norm(at.gradient, at.gradient, at.radius)
    }

    fn decides(&self) -> bool {
        true
    }

    fn next(&self, at: &Progress<'_>) -> Result<Next> {
        assert_eq!(at.losses.len(), at.round + 1);
        Ok(if at.round + 1 < self.rounds { Next::Climb } else { Next::Combine })
    }
}

impl Rule for Several {
    fn epsilon(&mut self, at: At<'_>) -> Vec<f64> {
        let mut e = none();
        for _ in 0..self.rounds {
            let g = grad(&plus(at.x, 1.0, &e), at.data);
            e = plus(&e, 1.0, &ascent(self.rho / self.rounds as f64, &g));
        }
        e
    }
}

#[test]
fn an_ascent_of_several_steps_goes_with_every_combination() {
    for rounds in [1, 2, 4] {
        for c in COMBINATIONS {
            let rule = || Several { rho: 0.3, rounds };
            let method = (c.method)(Sam::with_rule(rule()).unwrap());
            let plain = two_point(Box::new(rule()), (c.plain)(), c.points);
            follow(&format!("{rounds} and {}", c.name), method, (0.9, 14), plain);
        }
    }
}

#[test]
fn an_ascent_of_one_step_is_sam_to_the_bit_and_each_climb_is_a_gradient() {
    let objective = objective(DType::F64);
    let (x, batch) = (Array::vector(start()), arrays(&data(0, 6), DType::F64));
    let found = |mut sam: Sam| sam.evaluate(&objective, &x, &batch, 0).unwrap();
    let one = found(Sam::with_rule(Several { rho: 0.2, rounds: 1 }).unwrap());
    let sam = found(Sam::new(0.2).unwrap());
    assert_eq!((one.gradient, one.gradients), (sam.gradient, 2));
    for rounds in 2..5 {
        let several = found(Sam::with_rule(Several { rho: 0.2, rounds }).unwrap());
        assert_eq!(several.gradients, rounds + 1);
    }
    let endless = found_error(&objective, Sam::with_rule(Endless).unwrap(), &x, &batch);
    let expected = "endless: the number of climbs in a step is 1001, but must be at most 1000";
    assert_eq!(endless, expected);
}

fn found_error(
    objective: &burlap_optim::Objective,
    mut sam: Sam,
    x: &Array,
    batch: &[Array],
) -> String {
    sam.evaluate(objective, x, batch, 0).unwrap_err().to_string()
}

/// A rule that never comes to an end.
#[derive(Debug)]
struct Endless;

impl Stateful for Endless {}

impl Perturbation for Endless {
    fn name(&self) -> &str {
        "endless"
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        0.0 * at.gradient
    }

    fn decides(&self) -> bool {
        true
    }

    fn next(&self, _: &Progress<'_>) -> Result<Next> {
        Ok(Next::Climb)
    }
}

/// The mean of the gradients at two perturbed points, of which the second lies on the other side.
#[derive(Debug)]
struct Both;

impl Stateful for Both {}

impl Combination for Both {
    fn name(&self) -> &str {
        "both"
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn record(&self, at: &Combining<'_>) -> Combined {
        (0.5 * (at.climbed[0] + at.perturbed[0])).into()
    }
}

/// ρ g/‖g‖, then −ρ ĝ/‖ĝ‖.
#[derive(Debug)]
struct Sides;

impl Stateful for Sides {}

impl Perturbation for Sides {
    fn name(&self) -> &str {
        "sides"
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        let sign = if at.round == 0 { 0.3 } else { -0.3 };
        at.with_norm(at.gradient, at.gradient, sign * at.radius)
    }

    fn decides(&self) -> bool {
        true
    }

    fn next(&self, at: &Progress<'_>) -> Result<Next> {
        Ok(if at.round == 0 { Next::Climb } else { Next::Combine })
    }
}

#[test]
fn two_perturbations_are_combined() {
    let method = Sam::with_rule(Sides).unwrap().combined(Both).unwrap();
    follow(
        "two",
        method,
        (0.9, 14),
        Box::new(|x, data, _| {
            let first = grad(&plus(x, 1.0, &ascent(0.3, &grad(x, data))), data);
            let second = grad(&plus(x, 1.0, &ascent(-0.3, &first)), data);
            (scaled(0.5, &plus(&first, 1.0, &second)), none())
        }),
    );
}

/// SAM where ‖g‖² exceeds its running mean m ← 0.8 m + 0.2 ‖g‖², else the plain gradient.
#[derive(Debug)]
struct Selective;

impl Stateful for Selective {
    fn state_names(&self) -> &[&'static str] {
        &["mean square"]
    }

    fn zeros(&self, dtype: DType, _: usize) -> Vec<Array> {
        vec![Array::zeros(dtype, ())]
    }
}

impl Perturbation for Selective {
    fn name(&self) -> &str {
        "selective"
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        at.with_norm(at.gradient, at.gradient, 0.2 * at.radius)
    }

    fn decides(&self) -> bool {
        true
    }

    fn next(&self, at: &Progress<'_>) -> Result<Next> {
        let square = at.gradient_norm()?.powi(2);
        Ok(if square < at.state[0].item()? { Next::Skip } else { Next::Combine })
    }

    fn remembers(&self) -> bool {
        true
    }

    fn remember(&self, at: &Combining<'_>) -> Vec<Var> {
        vec![0.8 * at.state[0] + 0.2 * at.gradient.square().sum()]
    }
}

struct PlainSelective {
    mean: f64,
}

impl Rule for PlainSelective {
    fn epsilon(&mut self, at: At<'_>) -> Vec<f64> {
        if dot(at.g, at.g) < self.mean { none() } else { ascent(0.2, at.g) }
    }

    fn remember(&mut self, g: &[f64], _: &[f64]) {
        self.mean = 0.8 * self.mean + 0.2 * dot(g, g);
    }
}

#[test]
fn a_step_that_is_skipped_goes_on_with_the_plain_gradient() {
    // LookSAM would keep the rounding of g − ĝ.
    for c in COMBINATIONS.iter().filter(|c| c.name != "LookSam") {
        let method = (c.method)(Sam::with_rule(Selective).unwrap());
        let rule = Box::new(PlainSelective { mean: 0.0 });
        follow(c.name, method, (0.0, 25), two_point(rule, (c.plain)(), c.points));
    }
    // Both ways are taken, the mean is kept, and restored.
    let objective = objective(DType::F64);
    let mut sam = Sam::with_rule(Selective).unwrap();
    let (mut counts, mut x) = ([0; 2], start());
    for step in 0..25 {
        let batch = arrays(&data(step, 6), DType::F64);
        let state = sam.state();
        let found = sam.evaluate(&objective, &Array::vector(x.clone()), &batch, step).unwrap();
        let mut again = Sam::with_rule(Selective).unwrap();
        again.restore(&state).unwrap();
        let repeated = again.evaluate(&objective, &Array::vector(x.clone()), &batch, step).unwrap();
        assert_eq!((repeated.gradient, again.state()), (found.gradient.clone(), sam.state()));
        counts[found.gradients - 1] += 1;
        x = plus(&x, -0.05, &found.gradient.to_f64_vec());
    }
    assert!(counts.iter().all(|&count| count > 3), "{counts:?}");
}

/// A combination whose state has the name of MSAM's.
#[derive(Debug)]
struct Clashing;

impl Stateful for Clashing {
    fn state_names(&self) -> &[&'static str] {
        &["momentum"]
    }
}

impl Combination for Clashing {
    fn name(&self) -> &str {
        "clashing"
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn record(&self, at: &Combining<'_>) -> Combined {
        Combined { state: vec![at.gradient], ..at.perturbed[0].into() }
    }
}

#[test]
fn states_of_rule_and_combination_are_kept_apart() {
    let clash = Sam::msam(0.1, 0.9).unwrap().combined(Clashing).unwrap_err().to_string();
    let expected = "two of its state arrays are named \"momentum\"";
    assert!(clash.ends_with(expected), "{clash}");
    // Of a rule and a combination with state, neither part can be missing.
    let both = || Sam::f_sam(0.1, 1.0, 0.9).unwrap().combined(Clashing).unwrap();
    let (mut sam, objective) = (both(), objective(DType::F64));
    let (x, batch) = (Array::vector(start()), arrays(&data(0, 6), DType::F64));
    assert!(both().restore(&sam.state()).is_ok(), "before the first step there is none");
    sam.evaluate(&objective, &x, &batch, 0).unwrap();
    let whole = sam.state();
    assert_eq!(whole.arrays.len(), 2);
    let mut again = both();
    again.restore(&whole).unwrap();
    assert_eq!(again.state(), whole);
    for name in whole.arrays.keys() {
        let mut part = whole.clone();
        part.arrays.remove(name);
        assert!(both().restore(&part).is_err(), "{name}");
    }
    let mut more = whole.clone();
    more.arrays.insert("another".into(), x);
    assert!(both().restore(&more).is_err());
}
