//! Combinations of gradients in plain loops.

use crate::family::rules::{beside, none};
use crate::plain::*;
use burlap_optim::Sam;
use burlap_optim::sam::{CrSam, Gsam, LookSam, Wsam};

/// What was found at x and at x + cε.
pub struct Seen {
    pub loss: f64,
    pub g: Vec<f64>,
    pub points: Vec<(f64, Vec<f64>)>,
}

/// The optimizer's gradient, and what passes it by.
pub type Combined = (Vec<f64>, Vec<f64>);

/// A combination with its memory.
pub type Combination = Box<dyn FnMut(&Seen) -> Combined>;

/// The library's type, a method with that combination, the factors c of a step, and the
/// combination in plain loops.
pub struct Case {
    pub name: &'static str,
    pub method: fn(Sam) -> Sam,
    pub points: fn(u64) -> &'static [f64],
    pub plain: fn() -> Combination,
}

/// None, and every combination of the library.
pub const COMBINATIONS: &[Case] = &[
    Case { name: "none", method: |sam| sam, points: |_| &[1.0], plain: perturbed },
    Case {
        name: "Gsam",
        method: |sam| sam.combined(Gsam { orthogonal_weight: 0.4 }).unwrap(),
        points: |_| &[1.0],
        plain: || {
            Box::new(|seen| {
                let p = &seen.points[0].1;
                (plus(p, -0.4, &beside(&seen.g, p)), none())
            })
        },
    },
    Case {
        name: "LookSam",
        method: |sam| sam.combined(LookSam { reuse_weight: 0.7, every: 4 }).unwrap(),
        points: |step| if step.is_multiple_of(4) { &[1.0] } else { &[] },
        plain: look,
    },
    Case {
        name: "Wsam",
        method: |sam| sam.combined(Wsam { sharpness_weight: 0.7, decoupled: true }).unwrap(),
        points: |_| &[1.0],
        plain: || Box::new(|seen| (seen.g.clone(), weighted(seen))),
    },
    Case {
        name: "Wsam",
        method: |sam| sam.combined(Wsam { sharpness_weight: 0.7, decoupled: false }).unwrap(),
        points: |_| &[1.0],
        plain: || Box::new(|seen| (plus(&seen.g, 1.0, &weighted(seen)), none())),
    },
    Case {
        name: "CrSam",
        method: |sam| sam.combined(regularised(false)).unwrap(),
        points: |_| &[1.0, -1.0],
        plain: || Box::new(|seen| (regularise(seen, |_| 1.0), none())),
    },
    Case {
        name: "CrSam",
        method: |sam| sam.combined(regularised(true)).unwrap(),
        points: |_| &[1.0, -1.0],
        plain: || {
            Box::new(|seen| (regularise(seen, |d| if d > 0.0 { 1.0 / d } else { 0.0 }), none()))
        },
    },
];

/// The gradient at the perturbed point.
pub fn perturbed() -> Combination {
    Box::new(|seen| (seen.points[0].1.clone(), none()))
}

fn look() -> Combination {
    let mut kept = none();
    Box::new(move |seen| match seen.points.first() {
        Some((_, p)) => {
            kept = beside(p, &seen.g);
            (p.clone(), none())
        }
        None if norm(&kept) == 0.0 => (seen.g.clone(), none()),
        None => (plus(&seen.g, 0.7 * norm(&seen.g) / norm(&kept), &kept), none()),
    })
}

fn weighted(seen: &Seen) -> Vec<f64> {
    scaled(0.7 / 0.3, &plus(&seen.points[0].1, -1.0, &seen.g))
}

fn regularised(normalised: bool) -> CrSam {
    CrSam { curvature_weight: 0.03, norm_weight: 0.02, normalised }
}

/// `by` of the logarithms' arguments is what their gradients are multiplied by.
fn regularise(seen: &Seen, by: fn(f64) -> f64) -> Vec<f64> {
    let [(high, up), (low, down)] = &seen.points[..] else {
        panic!("two points");
    };
    let curvature = plus(&plus(up, 1.0, down), -2.0, &seen.g);
    let slope = plus(up, -1.0, down);
    let curved = plus(up, 0.03 * by(high + low - 2.0 * seen.loss), &curvature);
    plus(&curved, 0.02 * by(high - low), &slope)
}
