//! Fields over a plane: the outlines of {f ≥ level}, by marching squares.

use crate::report::{Error, Result};
use std::collections::HashMap;

/// Numbers on a rectangular grid; NaN and infinities are gaps.
///
/// ```
/// use burlap::report::{Axis, Chart, Field, Levels, Picture};
///
/// let at = vec![-1.0, 0.0, 1.0];
/// let values = vec![2.0, 1.0, 2.0, 1.0, 0.5, 1.0, 2.0, 1.0, f64::NAN];
/// let field = Field::new(at.clone(), at, values)?;
/// assert_eq!((field.points(), field.gaps()), ([3, 3], 1));
/// let levels = Levels::spanning([&field], true, 8);
/// let chart = Chart::new("", Axis::linear("a"), Axis::linear("b")).heat(field, levels);
/// assert!(Picture::new("A bowl").chart(chart).svg()?.starts_with("<svg"));
/// # Ok::<(), burlap::report::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub(super) xs: Vec<f64>,
    pub(super) ys: Vec<f64>,
    pub(super) values: Vec<f64>,
}

impl Field {
    /// From ascending coordinates and the values, those of the first y first.
    ///
    /// # Errors
    /// [`Error::FieldCoordinates`] for fewer than two coordinates a side, [`Error::FieldValues`] for a
    /// number of values that is not their product.
    pub fn new(xs: Vec<f64>, ys: Vec<f64>, values: Vec<f64>) -> Result<Field> {
        let ascends = |c: &[f64]| c.len() > 1 && c.windows(2).all(|w| w[0] < w[1]);
        if !ascends(&xs) || !ascends(&ys) {
            return Err(Error::FieldCoordinates);
        }
        if values.len() != xs.len() * ys.len() {
            let (columns, rows, values) = (xs.len(), ys.len(), values.len());
            return Err(Error::FieldValues { columns, rows, values });
        }
        Ok(Field { xs, ys, values })
    }

    /// The values, those of the first y first.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The numbers of x and of y coordinates.
    #[must_use]
    pub fn points(&self) -> [usize; 2] {
        [self.xs.len(), self.ys.len()]
    }

    /// The number of values that are NaN or infinite.
    #[must_use]
    pub fn gaps(&self) -> usize {
        self.values.iter().filter(|v| !v.is_finite()).count()
    }

    /// The value at a node of the grid with one more ring around it; `None` in the ring and in gaps.
    fn at(&self, (i, j): Node) -> Option<f64> {
        let inside = (1..=self.xs.len()).contains(&i) && (1..=self.ys.len()).contains(&j);
        let value = inside.then(|| self.values[(j - 1) * self.xs.len() + i - 1])?;
        value.is_finite().then_some(value)
    }

    /// The place of a node; the ring lies on the border.
    fn place(&self, (i, j): Node) -> (f64, f64) {
        let within = |k: usize, c: &[f64]| c[k.clamp(1, c.len()) - 1];
        (within(i, &self.xs), within(j, &self.ys))
    }
}

/// Ascending numbers at which contours are drawn, and the colours between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Levels {
    pub(super) values: Vec<f64>,
    pub(super) logarithmic: bool,
}

impl Levels {
    /// `count` levels from the least to the largest value of some fields, equally far apart, by
    /// their logarithms if so asked and all are positive.
    #[must_use]
    pub fn spanning<'a>(
        fields: impl IntoIterator<Item = &'a Field>,
        logarithmic: bool,
        count: usize,
    ) -> Levels {
        let finite = fields.into_iter().flat_map(|f| &f.values).filter(|v| v.is_finite());
        let (low, high) =
            finite.fold((f64::INFINITY, f64::NEG_INFINITY), |s, &v| (s.0.min(v), s.1.max(v)));
        if low > high {
            return Levels { values: Vec::new(), logarithmic: false };
        }
        let logarithmic = logarithmic && low > 0.0;
        let (a, b) = if logarithmic { (low.ln(), high.ln()) } else { (low, high) };
        let values = (0..count.max(2)).map(|k| {
            let at = a + (b - a) * k as f64 / (count.max(2) - 1) as f64;
            if logarithmic { at.exp() } else { at }
        });
        Levels { values: values.collect(), logarithmic }
    }
}

/// A node of the grid with its ring.
type Node = (usize, usize);
/// An edge of the grid, from its lower or left node, by whether it goes upwards.
type Edge = (usize, usize, bool);

/// A closed line around points above a level, or around a hole among them.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Loop {
    pub(super) points: Vec<(f64, f64)>,
    /// Whether the line from each point to the next is a contour, not a border of the field.
    pub(super) contour: Vec<bool>,
    /// Twice the area, positive around points above the level.
    pub(super) area: f64,
}

/// The outlines of {f ≥ level}; of all finite points where the level is −∞.
pub(super) fn loops(field: &Field, level: f64) -> Vec<Loop> {
    let mut next: HashMap<Edge, Edge> = HashMap::new();
    for j in 0..=field.ys.len() {
        for i in 0..=field.xs.len() {
            for (from, to) in cell(field, (i, j), level) {
                next.insert(from, to);
            }
        }
    }
    let mut starts: Vec<Edge> = next.keys().copied().collect();
    starts.sort_unstable();
    let mut loops = Vec::new();
    for start in starts {
        let (mut points, mut contour, mut edge) = (Vec::new(), Vec::new(), start);
        let mut previous = true;
        while let Some(following) = next.remove(&edge) {
            let (point, crossing) = crossing(field, edge, level);
            // A piece is a contour if both its ends are.
            if let Some(last) = contour.last_mut() {
                *last = previous && crossing;
            }
            points.push(point);
            contour.push(crossing);
            previous = crossing;
            edge = following;
        }
        if let (Some(last), Some(_)) = (contour.last_mut(), points.first()) {
            *last = previous && crossing(field, start, level).1;
            let area = area(&points);
            loops.push(Loop { points, contour, area });
        }
    }
    loops
}

/// Where f passes the level on an edge, and whether both its ends are numbers.
fn crossing(field: &Field, (i, j, upwards): Edge, level: f64) -> ((f64, f64), bool) {
    let (a, b) = ((i, j), if upwards { (i, j + 1) } else { (i + 1, j) });
    let (p, q) = (field.place(a), field.place(b));
    match (field.at(a), field.at(b)) {
        (Some(f), Some(g)) => {
            let part = ((level - f) / (g - f)).clamp(0.0, 1.0);
            ((p.0 + part * (q.0 - p.0), p.1 + part * (q.1 - p.1)), true)
        }
        (Some(_), None) => (p, false),
        _ => (q, false),
    }
}

/// The pieces of the outline in one cell, each with the points above on its left.
fn cell(field: &Field, (i, j): Node, level: f64) -> Vec<(Edge, Edge)> {
    let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)].map(|n| field.at(n));
    let edges = [(i, j, false), (i + 1, j, true), (i, j + 1, false), (i, j, true)];
    let above = corners.map(|c| c.is_some_and(|c| c >= level));
    // Going around, the outline enters the cell where "below" follows "above".
    let mut pieces = Vec::with_capacity(2);
    let enters: Vec<usize> = (0..4).filter(|&k| above[k] && !above[(k + 1) % 4]).collect();
    let leaves: Vec<usize> = (0..4).filter(|&k| !above[k] && above[(k + 1) % 4]).collect();
    match (&enters[..], &leaves[..]) {
        (&[a], &[b]) => pieces.push((edges[a], edges[b])),
        (&[a, b], &[c, d]) => {
            // A saddle: opposite corners are above, and joined if their mean is.
            let mean = corners.iter().map(|c| c.unwrap_or(f64::NEG_INFINITY)).sum::<f64>() / 4.0;
            let follows = |e: usize| if (e + 1) % 4 == c { c } else { d };
            let precedes = |e: usize| if follows(e) == c { d } else { c };
            for e in [a, b] {
                let to = if mean >= level { follows(e) } else { precedes(e) };
                pieces.push((edges[e], edges[to]));
            }
        }
        _ => {}
    }
    pieces
}

fn area(points: &[(f64, f64)]) -> f64 {
    let next = points.iter().cycle().skip(1);
    points.iter().zip(next).map(|(p, q)| p.0 * q.1 - q.0 * p.1).sum()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sampled(n: usize, f: impl Fn(f64, f64) -> f64) -> Field {
        let at: Vec<f64> = (0..n).map(|i| 2.0 * i as f64 / (n - 1) as f64 - 1.0).collect();
        let values = at.iter().flat_map(|&y| at.iter().map(move |&x| (x, y)));
        Field::new(at.clone(), at.clone(), values.map(|(x, y)| f(x, y)).collect()).unwrap()
    }

    #[test]
    fn the_outline_of_a_disc_has_its_area_and_lies_on_the_circle() {
        let field = sampled(101, |x, y| -x * x - y * y);
        let found = loops(&field, -0.25);
        assert_eq!(found.len(), 1);
        // π/4, up to the chords of a grid of step 0.02.
        assert!((found[0].area / 2.0 - std::f64::consts::PI / 4.0).abs() < 1e-3);
        assert!(found[0].points.iter().all(|p| (p.0.hypot(p.1) - 0.5).abs() < 2e-4));
        assert!(found[0].contour.iter().all(|&c| c));
    }

    #[test]
    fn a_hole_is_a_loop_of_negative_area_within_one_along_the_border() {
        let found = loops(&sampled(51, |x, y| x * x + y * y), 0.25);
        let mut areas: Vec<f64> = found.iter().map(|l| l.area / 2.0).collect();
        areas.sort_by(f64::total_cmp);
        assert_eq!(areas.len(), 2);
        assert!((areas[0] + std::f64::consts::PI / 4.0).abs() < 5e-3, "{areas:?}");
        assert!((areas[1] - 4.0).abs() < 1e-12, "{areas:?}");
        let border = found.iter().find(|l| l.area > 0.0).unwrap();
        assert!(border.contour.iter().all(|c| !c));
    }

    #[test]
    fn lines_end_at_the_border() {
        let found = loops(&sampled(21, |x, _| x), 0.05);
        assert_eq!(found.len(), 1);
        assert!((found[0].area / 2.0 - 0.95 * 2.0).abs() < 1e-12);
        let drawn = found[0].contour.iter().filter(|c| **c).count();
        assert_eq!(drawn, 20, "the pieces along x = 0.05 alone");
    }

    #[test]
    fn saddles_give_lines_that_do_not_cross() {
        let field = Field::new(vec![0.0, 1.0], vec![0.0, 1.0], vec![1.0, 0.0, 0.0, 1.0]).unwrap();
        // Above the mean ½ two corners, below it one band.
        assert_eq!(loops(&field, 0.6).len(), 2);
        assert_eq!(loops(&field, 0.4).len(), 1);
    }

    #[test]
    fn gaps_are_left_out() {
        let field = sampled(5, |x, y| if x == 0.0 && y == 0.0 { f64::NAN } else { 1.0 });
        assert_eq!(field.gaps(), 1);
        let total: f64 = loops(&field, f64::NEG_INFINITY).iter().map(|l| l.area / 2.0).sum();
        // Of the square of area 4 the diamond around the middle is missing: diagonals of 1.
        assert!((total - 3.5).abs() < 1e-12, "{total}");
    }

    #[test]
    fn what_is_not_a_grid_is_refused() {
        assert!(Field::new(vec![0.0], vec![0.0, 1.0], vec![0.0; 2]).is_err());
        assert!(Field::new(vec![0.0, 1.0], vec![0.0, 1.0], vec![0.0; 3]).is_err());
        assert!(Field::new(vec![1.0, 0.0], vec![0.0, 1.0], vec![0.0; 4]).is_err());
    }
}
