//! Perturbation rules in plain loops.

use crate::plain::*;
use burlap_autodiff::{Array, DType, Interpreter, Tape};
use burlap_optim::random::{Draw, Purpose};
use burlap_optim::sam::{EigenSam, Esam, Score, SsamD};
use burlap_optim::{Objective, Sam, curvature::Lanczos};
use nalgebra::{DMatrix, SymmetricEigen};
use rand_distr::{Distribution, StandardUniform};

pub const SEED: u64 = 5;

/// Where a rule is asked.
#[derive(Clone, Copy)]
pub struct At<'a> {
    pub x: &'a [f64],
    pub g: &'a [f64],
    pub data: &'a Data,
    pub step: u64,
    /// The number of the micro-batch.
    pub part: u32,
}

/// A rule with its memory.
pub trait Rule {
    /// ε.
    fn epsilon(&mut self, at: At<'_>) -> Vec<f64>;

    /// Takes note of ∇L(x) and ∇L(x + ε).
    fn remember(&mut self, _: &[f64], _: &[f64]) {}
}

impl<F: FnMut(At<'_>) -> Vec<f64>> Rule for F {
    fn epsilon(&mut self, at: At<'_>) -> Vec<f64> {
        self(at)
    }
}

/// The library's type, a method of that rule, and the rule in plain loops.
pub struct Case {
    pub name: &'static str,
    pub method: fn() -> Sam,
    pub plain: fn() -> Box<dyn Rule>,
}

/// Every rule of the library.
pub const RULES: &[Case] = &[
    Case {
        name: "Ascent",
        method: || Sam::new(0.2).unwrap(),
        plain: || plain(|at| ascent(0.2, at.g)),
    },
    Case {
        name: "Asam",
        method: || Sam::asam(0.4, 0.01).unwrap(),
        plain: || {
            plain(|at| {
                let t: Vec<f64> = at.x.iter().map(|x| x.abs() + 0.01).collect();
                let tg = times(&t, at.g);
                scaled(0.4 / norm(&tg), &times(&t, &tg))
            })
        },
    },
    Case {
        name: "FisherSam",
        method: || Sam::fisher_sam(0.2, 3.0).unwrap(),
        plain: || {
            plain(|at| {
                let natural: Vec<f64> = at.g.iter().map(|g| g / (1.0 + 3.0 * g * g)).collect();
                scaled(0.2 / dot(at.g, &natural).sqrt(), &natural)
            })
        },
    },
    Case {
        name: "Esam",
        method: || {
            Sam::with_rule(Esam { rho: 0.2, keep_probability: 0.6 }).unwrap().with_seed(SEED)
        },
        plain: || plain(|at| times(&drawn_mask(at, 0.6), &ascent(0.2, at.g))),
    },
    Case {
        name: "FSam",
        method: || Sam::f_sam(0.2, 0.9, 0.7).unwrap(),
        plain: || Box::new(FSam(none())),
    },
    Case {
        name: "Vasso",
        method: || Sam::vasso(0.2, 0.4).unwrap(),
        plain: || Box::new(Vasso(none())),
    },
    Case {
        name: "Msam",
        method: || Sam::msam(0.2, 0.8).unwrap(),
        plain: || Box::new(Momentum(none())),
    },
    Case {
        name: "SsamF",
        method: || Sam::ssam_f(0.2, 0.3, 4, 5).unwrap(),
        plain: || fisher_mask(5),
    },
    Case {
        name: "SsamD",
        method: || dynamic(Score::Gradient, Score::Random, None),
        plain: || Box::new(Dynamic::new(Score::Gradient, Score::Random, None)),
    },
    Case {
        name: "EigenSam",
        method: || {
            let lanczos = Lanczos { max_matvecs: DIM, tolerance: 1e-14 };
            let rule = EigenSam { rho: 0.2, eigenvector_weight: 0.5, every: 5, lanczos };
            Sam::with_rule(rule).unwrap()
        },
        plain: || Box::new(Eigen { dense: objective(DType::F64), v: none() }),
    },
];

pub fn none() -> Vec<f64> {
    vec![0.0; DIM]
}

pub fn ascent(rho: f64, g: &[f64]) -> Vec<f64> {
    scaled(rho / norm(g), g)
}

pub fn beside(v: &[f64], of: &[f64]) -> Vec<f64> {
    plus(v, -dot(v, of) / dot(of, of), of)
}

/// A rule without a memory.
pub fn plain(rule: impl FnMut(At<'_>) -> Vec<f64> + 'static) -> Box<dyn Rule> {
    Box::new(rule)
}

struct FSam(Vec<f64>);

impl FSam {
    fn mean(&self, g: &[f64]) -> Vec<f64> {
        plus(&scaled(0.7, &self.0), 0.3, g)
    }
}

impl Rule for FSam {
    fn epsilon(&mut self, at: At<'_>) -> Vec<f64> {
        ascent(0.2, &plus(at.g, -0.9, &self.mean(at.g)))
    }

    fn remember(&mut self, g: &[f64], _: &[f64]) {
        self.0 = self.mean(g);
    }
}

struct Vasso(Vec<f64>);

impl Rule for Vasso {
    fn epsilon(&mut self, at: At<'_>) -> Vec<f64> {
        self.0 = plus(&scaled(0.6, &self.0), 0.4, at.g);
        ascent(0.2, &self.0)
    }
}

struct Momentum(Vec<f64>);

impl Rule for Momentum {
    fn epsilon(&mut self, _: At<'_>) -> Vec<f64> {
        if norm(&self.0) == 0.0 { none() } else { ascent(-0.2, &self.0) }
    }

    fn remember(&mut self, _: &[f64], perturbed: &[f64]) {
        self.0 = plus(&scaled(0.8, &self.0), 1.0, perturbed);
    }
}

/// The indices of the largest scores among some.
fn largest(candidates: &[usize], count: usize, scores: &[f64]) -> Vec<usize> {
    let mut order = candidates.to_vec();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    order[..count].to_vec()
}

fn mask(chosen: &[usize]) -> Vec<f64> {
    (0..DIM).map(|i| f64::from(u8::from(chosen.contains(&i)))).collect()
}

/// 13 · 0.3 rounded up: 4 are not perturbed.
pub fn fisher_mask(every: u64) -> Box<dyn Rule> {
    let mut held = none();
    plain(move |at| {
        if at.step.is_multiple_of(every) {
            let mut f = none();
            for example in &at.data[..4] {
                let g = grad(at.x, &vec![*example]);
                f = plus(&f, 1.0, &times(&g, &g));
            }
            held = mask(&largest(&(0..DIM).collect::<Vec<_>>(), 9, &f));
        }
        times(&held, &ascent(0.2, at.g))
    })
}

pub fn dynamic(drop_by: Score, grow_by: Score, horizon: Option<u64>) -> Sam {
    let (rho, sparsity, drop_fraction, every) = (0.2, 0.5, 0.7, 5);
    let rule = SsamD { rho, sparsity, drop_fraction, drop_by, grow_by, every, horizon };
    Sam::with_rule(rule).unwrap().with_seed(SEED)
}

/// The scores that a step's random choice is made of: sample 0 for dropping, 1 for growing.
pub fn random_scores(step: u64, sample: u32) -> Vec<f64> {
    let draw = Draw { seed: SEED, purpose: Purpose::Direction, step, sample };
    let mut stream = draw.stream(0);
    (0..DIM).map(|_| StandardUniform.sample(&mut stream)).collect()
}

pub struct Dynamic {
    by: [Score; 2],
    horizon: Option<u64>,
    chosen: Vec<usize>,
}

impl Dynamic {
    pub fn new(drop_by: Score, grow_by: Score, horizon: Option<u64>) -> Dynamic {
        Dynamic { by: [drop_by, grow_by], horizon, chosen: Vec::new() }
    }
}

impl Rule for Dynamic {
    fn epsilon(&mut self, at: At<'_>) -> Vec<f64> {
        let all: Vec<usize> = (0..DIM).collect();
        if at.step == 0 {
            self.chosen = largest(&all, 6, &random_scores(0, 1));
        } else if at.step.is_multiple_of(5) {
            let part = match self.horizon {
                None => 0.7,
                Some(t) => {
                    let turn = std::f64::consts::PI * (at.step as f64 / t as f64).min(1.0);
                    0.35 * (1.0 + turn.cos())
                }
            };
            let size = |v: &[f64]| v.iter().map(|v| v.abs()).collect();
            let [stay, grow]: [Vec<f64>; 2] = [0, 1].map(|sample| match self.by[sample] {
                Score::Gradient => size(at.g),
                Score::Weight => size(at.x),
                Score::Random => random_scores(at.step, sample as u32),
            });
            let dropped = (6.0 * part) as usize;
            let outside: Vec<usize> =
                all.into_iter().filter(|i| !self.chosen.contains(i)).collect();
            self.chosen = largest(&self.chosen, 6 - dropped, &stay);
            self.chosen.extend(largest(&outside, dropped, &grow));
        }
        times(&mask(&self.chosen), &ascent(0.2, at.g))
    }
}

/// The numbers that a step's random mask is made of, by the interpreter.
pub fn uniform(step: u64, part: u32) -> Vec<f64> {
    let draw = Draw { seed: SEED, purpose: Purpose::Key, step, sample: 0x00ff_0000 + part };
    let tape = Tape::new();
    let key = tape.literal(&Array::vector(draw.key()));
    let program = tape.compile(&Interpreter, &[key.uniform(0, DType::F64, [DIM])]).unwrap();
    program.run(&[]).unwrap()[0].to_f64_vec()
}

/// 1/β with probability β, else 0.
pub fn drawn_mask(at: At<'_>, beta: f64) -> Vec<f64> {
    let kept = |u: &f64| if *u < beta { 1.0 / beta } else { 0.0 };
    uniform(at.step, at.part).iter().map(kept).collect()
}

struct Eigen {
    dense: Objective,
    v: Vec<f64>,
}

impl Rule for Eigen {
    fn epsilon(&mut self, at: At<'_>) -> Vec<f64> {
        let At { x, g, data, step, .. } = at;
        if step.is_multiple_of(5) {
            let batch = arrays(data, DType::F64);
            let program = self.dense.program("dense", &batch, |r| vec![r.loss(r.x).hessian(r.x)]);
            let found = program.unwrap().run(&[&Array::vector(x), &batch[0], &batch[1]]).unwrap();
            let h = DMatrix::from_row_slice(DIM, DIM, &found[0].to_f64_vec());
            let all = SymmetricEigen::new(h);
            self.v = all.eigenvectors.column(all.eigenvalues.imax()).iter().copied().collect();
        }
        let part = scaled(0.5 * dot(g, &self.v).signum(), &beside(&self.v, g));
        ascent(0.2, &plus(&scaled(1.0 / norm(g), g), 1.0, &part))
    }
}
