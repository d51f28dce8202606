//! The loss over a plane through a solution.

use crate::curvature::{CURVATURE_EXAMPLES, hessian_of_first};
use crate::data::pieces;
use crate::numbers;
use crate::plot::{Axis, Chart, Field, Levels, Picture};
use anyhow::{Context, Result, bail, ensure};
use burlap::autodiff::{Array, map_rows};
use burlap::nn::Layout;
use burlap::nn::data::Dataset;
use burlap::optim::Objective;
use burlap::optim::curvature::{Lanczos, Which};
use burlap::optim::random::{Draw, Purpose};
use rand_distr::{Distribution, StandardNormal};

/// Points of a grid along a side, at most: more than the picture has.
const MOST_POINTS: usize = 1000;

/// Which plane, and where it is looked at.
#[derive(clap::Args, Clone, Debug)]
pub struct LandscapeArgs {
    /// random (Gaussian, each neuron's part as long as its weights) or eigen (the two largest
    /// eigenvectors of the Hessian)
    #[arg(long, default_value = "random")]
    pub directions: String,

    /// Points of the grid along each direction
    #[arg(long, default_value_t = 31, value_parser = numbers::whole(2..=MOST_POINTS))]
    pub grid: usize,

    /// How far the plane is looked at along each direction
    #[arg(long, default_value_t = 1.0, value_parser = numbers::positive)]
    pub range: f64,

    /// Examples of the training set, at most
    #[arg(long, default_value_t = CURVATURE_EXAMPLES, value_parser = numbers::count)]
    pub landscape_examples: usize,
}

impl LandscapeArgs {
    /// Checks the settings.
    ///
    /// # Errors
    /// Says which of them is out of range.
    pub fn check(&self) -> Result<()> {
        if !matches!(self.directions.as_str(), "random" | "eigen") {
            bail!("--directions {}: there are random and eigen", self.directions);
        }
        ensure!(
            (2..=MOST_POINTS).contains(&self.grid),
            "--grid {}: a grid has 2 to {MOST_POINTS} points a side",
            self.grid
        );
        ensure!(
            self.range > 0.0 && self.range.is_finite(),
            "--range {}: must be positive and finite",
            self.range
        );
        ensure!(self.landscape_examples > 0, "--landscape-examples 0: the loss needs an example");
        Ok(())
    }
}

/// The loss over a plane.
#[derive(Clone, Debug)]
pub struct Landscape {
    /// The optimizer that found the point.
    pub name: String,
    /// The losses at x + a d₁ + b d₂, a along the first coordinate.
    pub field: Field,
    /// The lengths of d₁ and d₂.
    pub lengths: [f64; 2],
    /// How many examples the loss is a mean of.
    pub examples: usize,
    /// The settings.
    pub args: LandscapeArgs,
}

/// A Gaussian direction whose part of each neuron is as long as the neuron's weights: row i of a
/// weight matrix has the length of row i of the parameters, and biases do not move (filter
/// normalisation: Li et al., arXiv 1712.09913, section 4).
pub fn filter_normalised(layout: &Layout, x: &[f64], draw: Draw) -> Vec<f64> {
    let mut stream = draw.stream(0);
    let mut d = vec![0.0; x.len()];
    for entry in layout.entries() {
        let (shape, range) = (entry.shape(), entry.range());
        let (Some(&rows), true) = (shape.first(), shape.len() > 1) else { continue };
        let length = range.len() / rows.max(1);
        let rows = d[range.clone()].chunks_mut(length.max(1)).zip(x[range].chunks(length.max(1)));
        for (d, x) in rows {
            d.iter_mut().for_each(|d| *d = StandardNormal.sample(&mut stream));
            let factor = norm(x) / norm(d).max(f64::MIN_POSITIVE);
            d.iter_mut().for_each(|d| *d *= factor);
        }
    }
    d
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// The examples of one run: so many points of the grid go through a program together.
const PIECE: usize = 256;

impl Landscape {
    /// Around a point, by the mean loss of the first examples of a data set.
    ///
    /// # Errors
    /// For settings out of range, or what the engine reports. A loss that is not finite is a gap.
    pub fn measure(
        name: &str,
        objective: &Objective,
        (layout, x): (&Layout, &Array),
        data: &Dataset,
        args: &LandscapeArgs,
        seed: u64,
    ) -> Result<Landscape> {
        args.check()?;
        let limit = args.landscape_examples.min(data.len());
        let directions = match args.directions.as_str() {
            "random" => [0, 1].map(|sample| {
                let draw = Draw { seed, purpose: Purpose::User, step: 0, sample };
                filter_normalised(layout, &x.to_f64_vec(), draw)
            }),
            _ => {
                let mut hessian = hessian_of_first(limit, data, objective, x)?;
                let lanczos = Lanczos { max_matvecs: 200, tolerance: 1e-4 };
                let top = lanczos.eigenpairs(&mut hessian, Which::Largest(2), None, seed)?;
                let mut vectors = top.into_iter().map(|pair| pair.vector);
                let mut next = || vectors.next().context("a plane needs two parameters");
                [next()?, next()?]
            }
        };
        let n = args.grid;
        let at: Vec<f64> =
            (0..n).map(|i| args.range * (2.0 * i as f64 / (n - 1) as f64 - 1.0)).collect();
        let batches = pieces(data, PIECE, limit)?;
        let values = losses(objective, x, &directions, &at, &batches)?;
        Ok(Landscape {
            name: name.to_owned(),
            field: Field::new(at.clone(), at, values)?,
            lengths: [norm(&directions[0]), norm(&directions[1])],
            examples: limit,
            args: args.clone(),
        })
    }
}

/// Losses on a grid, a row of it at a time, averaged over batches by their shares.
fn losses(
    objective: &Objective,
    x: &Array,
    directions: &[Vec<f64>; 2],
    at: &[f64],
    batches: &[Vec<Array>],
) -> Result<Vec<f64>> {
    let n = at.len();
    let mut plane = Array::zeros(objective.dtype(), [2, objective.dim()]);
    plane.fill_from_f64(&directions.concat());
    let mut values = vec![0.0; n * n];
    let slices: Vec<&[Array]> = batches.iter().map(Vec::as_slice).collect();
    let shares = objective.weights(x, &slices)?;
    for (batch, share) in batches.iter().zip(shares).filter(|(_, share)| *share != 0.0) {
        let program = objective.program("losses at points", batch, move |r| {
            let plane = r.vectors("plane", 2);
            let places = r.tape.input("places", r.x.dtype(), [n, 2]);
            let offsets = places.matmul(plane);
            map_rows([offsets], |[offset]| [r.loss(r.x + offset)])
        })?;
        let bound: Vec<&Array> = std::iter::once(x).chain(batch).chain([&plane]).collect();
        let bound = program.bind(&bound)?;
        let mut places = Array::zeros(objective.dtype(), [n, 2]);
        for (row, b) in values.chunks_mut(n).zip(at) {
            let pairs: Vec<f64> = at.iter().flat_map(|a| [*a, *b]).collect();
            places.fill_from_f64(&pairs);
            let found = bound.run(&[&places])?[0].to_f64_vec();
            row.iter_mut().zip(found).for_each(|(v, loss)| *v += share * loss);
        }
    }
    Ok(values)
}

/// The landscapes side by side, with the same levels.
pub fn landscapes_picture(landscapes: &[Landscape]) -> Picture {
    let levels = Levels::spanning(landscapes.iter().map(|l| &l.field), true, 16);
    let mut picture = Picture::new("Training loss around the solutions")
        .columns(landscapes.len().min(3))
        .chart_size(300.0, 300.0)
        .colour_bar("loss");
    for l in landscapes {
        let axis = |k: usize| match l.args.directions.as_str() {
            "random" => Axis::linear(&format!("random direction {}", k + 1)),
            _ => Axis::linear(&format!("eigenvector {}", k + 1)),
        };
        let chart = Chart::new(&l.name, axis(0), axis(1)).heat(l.field.clone(), levels.clone());
        picture = picture.chart(chart.scatter("solution", [(0.0, 0.0)]));
    }
    picture
}

/// What was measured, for the caption of the picture.
pub fn landscapes_caption(landscapes: &[Landscape]) -> String {
    let Some(first) = landscapes.first() else { return String::new() };
    let what = match first.args.directions.as_str() {
        "random" => {
            "two random Gaussian directions, each neuron's part as long as its weights, biases fixed \
             (arXiv 1712.09913)"
        }
        _ => "the unit eigenvectors of the two largest eigenvalues of the Hessian at the solution",
    };
    let mut said = format!(
        "Mean training loss of {} examples at x + a d₁ + b d₂ around each solution x, on {} by {} points; d₁, d₂: {what}; \
         the same colours and contours in all panels.",
        first.examples, first.args.grid, first.args.grid,
    );
    for l in landscapes.iter().filter(|l| l.field.gaps() > 0) {
        let (gaps, all) = (l.field.gaps(), l.field.values().len());
        said +=
            &format!(" {}: no finite loss at {gaps} of {all} points, which are left out.", l.name);
    }
    said
}
