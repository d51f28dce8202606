//! The loss over a plane through a solution.

use super::plot::{Axis, Chart, Field, Levels, Picture};
use super::{Error, Result};
use crate::autodiff::{Array, map_rows};
use crate::nn::Layout;
use crate::optim::Objective;
use crate::optim::curvature::{Lanczos, LinearOperator, Which};
use crate::optim::random::{Draw, Purpose};
use rand_distr::{Distribution, StandardNormal};

/// Two directions d₁, d₂ in the space of parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// d₁ and d₂, as long as the parameter vector.
    pub directions: [Vec<f64>; 2],
    /// The name of a direction on its axis, before its number.
    pub axis: String,
    /// A description of d₁ and d₂ for captions.
    pub description: String,
}

/// Lanczos for eigenvectors.
const LANCZOS: Lanczos = Lanczos { max_matvecs: 200, tolerance: 1e-4 };

impl Plane {
    /// Two [filter-normalised](filter_normalised) Gaussian directions at the parameters `x`.
    #[must_use]
    pub fn random(layout: &Layout, x: &Array, seed: u64) -> Plane {
        let x = x.to_f64_vec();
        let direction = |sample| {
            let draw = Draw { seed, purpose: Purpose::User, step: 0, sample };
            filter_normalised(layout, &x, draw)
        };
        Plane {
            directions: [0, 1].map(direction),
            axis: "random direction".into(),
            description: "two random Gaussian directions, each neuron's part as long as its weights, biases fixed \
                          (arXiv 1712.09913)"
                .into(),
        }
    }

    /// The unit eigenvectors of the two largest eigenvalues of a Hessian, by Lanczos.
    ///
    /// # Errors
    /// [`Error::Eigenvalues`] for fewer than two parameters, and what the operator reports.
    pub fn top_eigenvectors<A: LinearOperator>(hessian: &mut A, seed: u64) -> Result<Plane> {
        let top = LANCZOS.eigenpairs(hessian, Which::Largest(2), None, seed)?;
        let mut vectors = top.into_iter().map(|pair| pair.vector);
        let dim = hessian.dim();
        let mut next = || vectors.next().ok_or(Error::Eigenvalues { count: 2, dim });
        Ok(Plane {
            directions: [next()?, next()?],
            axis: "eigenvector".into(),
            description:
                "the unit eigenvectors of the two largest eigenvalues of the Hessian at the solution"
                    .into(),
        })
    }
}

/// A Gaussian direction whose part of each neuron is as long as the neuron's weights: row i of a
/// weight matrix has the length of row i of the parameters, and biases do not move (filter
/// normalisation: Li et al., arXiv 1712.09913, section 4).
#[must_use]
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

/// The losses at x + a d₁ + b d₂ on a square grid of a and b.
///
/// ```
/// use burlap::prelude::*;
/// use burlap::report::{Landscape, Plane, landscapes_picture};
///
/// let objective = Objective::new(Cpu::new(), DType::F64, 2, |x: Var, _: &[Var]| {
///     (x.at(0) * x.at(1) - 1.0).square()
/// });
/// let plane = Plane {
///     directions: [vec![1.0, 0.0], vec![0.0, 1.0]],
///     axis: "parameter".into(),
///     description: "the axes".into(),
/// };
/// let x = Array::vector([1.0, 1.0]);
/// let landscape = Landscape::measure("xy", &objective, &x, &plane, &[&[]], (3, 1.0))?;
/// assert_eq!(landscape.field.values(), [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 9.0]);
/// assert!(landscapes_picture(&[landscape]).svg()?.contains("parameter 1"));
/// # Ok::<(), burlap::report::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Landscape {
    /// The name of the solution: the title of its chart.
    pub name: String,
    /// The losses at x + a d₁ + b d₂, a along the first coordinate.
    pub field: Field,
    /// ‖d₁‖ and ‖d₂‖.
    pub lengths: [f64; 2],
    /// The name of the plane's axes.
    pub axis: String,
    /// The description of d₁ and d₂.
    pub description: String,
}

impl Landscape {
    /// The mean loss over batches at `points` by `points` places with a and b from −`range` to
    /// `range`. A loss that is not finite leaves a gap.
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer than two points or a range that is not positive and finite, and
    /// what the objective reports.
    pub fn measure(
        name: &str,
        objective: &Objective,
        x: &Array,
        plane: &Plane,
        batches: &[&[Array]],
        (points, range): (usize, f64),
    ) -> Result<Landscape> {
        let fail =
            |name, value, expected| Err(Error::Setting { of: "landscape", name, value, expected });
        if points < 2 {
            return fail("the number of points a side", points.to_string(), "at least 2");
        }
        if !(range > 0.0 && range.is_finite()) {
            return fail("the range", range.to_string(), "positive and finite");
        }
        let place = |i: usize| range * (2.0 * i as f64 / (points - 1) as f64 - 1.0);
        let at: Vec<f64> = (0..points).map(place).collect();
        let values = losses(objective, x, &plane.directions, &at, batches)?;
        Ok(Landscape {
            name: name.to_owned(),
            field: Field::new(at.clone(), at, values)?,
            lengths: [norm(&plane.directions[0]), norm(&plane.directions[1])],
            axis: plane.axis.clone(),
            description: plane.description.clone(),
        })
    }
}

/// Losses on a grid, a row of it at a time, averaged over batches by their weights.
fn losses(
    objective: &Objective,
    x: &Array,
    directions: &[Vec<f64>; 2],
    at: &[f64],
    batches: &[&[Array]],
) -> Result<Vec<f64>> {
    let n = at.len();
    let mut plane = Array::zeros(objective.dtype(), [2, objective.dim()]);
    plane.fill_from_f64(&directions.concat());
    let mut values = vec![0.0; n * n];
    let weights = objective.weights(x, batches)?;
    for (batch, weight) in batches.iter().zip(weights).filter(|(_, weight)| *weight != 0.0) {
        let program = objective.program("losses at points", batch, move |r| {
            let plane = r.vectors("plane", 2);
            let places = r.tape.input("places", r.x.dtype(), [n, 2]);
            let offsets = places.matmul(plane);
            map_rows([offsets], |[offset]| [r.loss(r.x + offset)])
        })?;
        let bound: Vec<&Array> = std::iter::once(x).chain(*batch).chain([&plane]).collect();
        let bound = program.bind(&bound)?;
        let mut places = Array::zeros(objective.dtype(), [n, 2]);
        for (row, b) in values.chunks_mut(n).zip(at) {
            let pairs: Vec<f64> = at.iter().flat_map(|a| [*a, *b]).collect();
            places.fill_from_f64(&pairs);
            let losses = bound.run(&[&places])?[0].to_f64_vec();
            row.iter_mut().zip(losses).for_each(|(v, loss)| *v += weight * loss);
        }
    }
    Ok(values)
}

/// The landscapes side by side, with the same levels.
#[must_use]
pub fn landscapes_picture(landscapes: &[Landscape]) -> Picture {
    let levels = Levels::spanning(landscapes.iter().map(|l| &l.field), true, 16);
    let mut picture = Picture::new("Training loss around the solutions")
        .columns(landscapes.len().min(3))
        .chart_size(300.0, 300.0)
        .colour_bar("loss");
    for l in landscapes {
        let axis = |k: usize| Axis::linear(&format!("{} {}", l.axis, k + 1));
        let chart = Chart::new(&l.name, axis(0), axis(1)).heat(l.field.clone(), levels.clone());
        picture = picture.chart(chart.scatter("solution", [(0.0, 0.0)]));
    }
    picture
}

/// The caption of the picture: the loss, the plane and the gaps; `examples` is the number of examples that the
/// loss is a mean of.
#[must_use]
pub fn landscapes_caption(landscapes: &[Landscape], examples: usize) -> String {
    let Some(first) = landscapes.first() else { return String::new() };
    let [columns, rows] = first.field.points();
    let mut caption = format!(
        "Mean training loss of {examples} examples at x + a d₁ + b d₂ around each solution x, on {columns} by {rows} points; d₁, d₂: {}; \
         the same colours and contours in all panels.",
        first.description,
    );
    for l in landscapes.iter().filter(|l| l.field.gaps() > 0) {
        let (gaps, all) = (l.field.gaps(), l.field.values().len());
        caption +=
            &format!(" {}: no finite loss at {gaps} of {all} points, which are left out.", l.name);
    }
    caption
}
