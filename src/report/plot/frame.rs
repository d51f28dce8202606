//! The rectangle between two axes: where points lie, and what is cut off.

use super::axis::{Axis, Scale};
use super::contour::{Field, Levels, Loop, loops};
use super::items::{Items, Place, Shape};
use super::palette::{GRID, PAPER, Rgb, Style, heat};

/// The rectangle between the axes.
pub(super) struct Frame<'a> {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) x: Scale,
    pub(super) y: Scale,
    pub(super) axes: (&'a Axis, &'a Axis),
}

impl Frame<'_> {
    fn place(&self, (x, y): (f64, f64)) -> Place {
        (self.left + self.x.place(x) * self.width, self.top + (1.0 - self.y.place(y)) * self.height)
    }

    /// The nearest place within the frame.
    pub(super) fn inside(&self, (x, y): Place) -> Place {
        (x.clamp(self.left, self.left + self.width), y.clamp(self.top, self.top + self.height))
    }

    pub(super) fn contains(&self, place: Place) -> bool {
        let near = self.inside(place);
        (near.0 - place.0).abs() < 1e-6 && (near.1 - place.1).abs() < 1e-6
    }

    /// The places of neighbouring points that have any.
    pub(super) fn pieces<T, const N: usize>(
        &self,
        points: &[T],
        of: impl Fn(&T) -> [(f64, f64); N],
    ) -> Vec<Vec<[Place; N]>> {
        let admitted = |p: &(f64, f64)| self.axes.0.admits(p.0) && self.axes.1.admits(p.1);
        let mut pieces = vec![Vec::new()];
        for point in points.iter().map(of) {
            if point.iter().all(admitted) {
                if let Some(piece) = pieces.last_mut() {
                    piece.push(point.map(|p| self.place(p)));
                }
            } else {
                pieces.push(Vec::new());
            }
        }
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    /// A line; of those that `below` holds already, each that coincides with it shows through gaps.
    pub(super) fn curve(
        &self,
        items: &mut Items,
        points: &[(f64, f64)],
        style: Style,
        below: &mut Vec<Vec<Place>>,
    ) {
        let places: Vec<Place> =
            self.pieces(points, |&p| [p]).into_iter().flatten().map(|p| p[0]).collect();
        let near = |(a, b): (&Place, &Place)| (a.0 - b.0).abs() < 1.0 && (a.1 - b.1).abs() < 1.0;
        let coincides = |other: &&Vec<Place>| {
            other.len() == places.len() && other.iter().zip(&places).all(near)
        };
        let under = below.iter().filter(coincides).count();
        // Each shorter than the previous, so that all are visible.
        let dash = if under > 0 { Some(24.0 / 2f64.powi(under as i32)) } else { style.dash };
        below.push(places);
        for piece in self.pieces(points, |&p| [p]) {
            let piece: Vec<Place> = piece.into_iter().map(|p| p[0]).collect();
            if let [only] = piece[..] {
                if self.contains(only) {
                    items.point(only, 2.5, style.shape, style.colour);
                }
                continue;
            }
            for part in self.clipped(&piece) {
                match dash {
                    Some(length) => items.dashes(&part, 2.0, style.colour, length),
                    None => items.line(part, 2.0, style.colour),
                }
            }
        }
    }

    /// The parts of a line within the frame (Liang and Barsky, ACM Trans. Graphics 3, 1984).
    fn clipped(&self, line: &[Place]) -> Vec<Vec<Place>> {
        let (right, floor) = (self.left + self.width, self.top + self.height);
        let mut parts: Vec<Vec<Place>> = Vec::new();
        for pair in line.windows(2) {
            let (p, q) = (pair[0], pair[1]);
            let (dx, dy) = (q.0 - p.0, q.1 - p.1);
            let sides = [
                (-dx, p.0 - self.left),
                (dx, right - p.0),
                (-dy, p.1 - self.top),
                (dy, floor - p.1),
            ];
            let (mut from, mut to) = (0.0f64, 1.0f64);
            for (slope, room) in sides {
                if slope == 0.0 {
                    if room < 0.0 {
                        (from, to) = (1.0, 0.0);
                    }
                } else if slope < 0.0 {
                    from = from.max(room / slope);
                } else {
                    to = to.min(room / slope);
                }
            }
            if from > to {
                continue;
            }
            let at = |t: f64| (p.0 + t * dx, p.1 + t * dy);
            match parts.last_mut() {
                Some(part) if from == 0.0 && part.last() == Some(&p) => part.push(at(to)),
                _ => parts.push(vec![at(from), at(to)]),
            }
        }
        parts
    }

    pub(super) fn heat(&self, items: &mut Items, field: &Field, levels: &Levels) {
        let count = levels.values.len();
        let colour = |band: usize| heat(band as f64 / (count.max(3) - 2) as f64);
        let corner = (self.left, self.top);
        let outline = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
            .map(|(x, y)| (corner.0 + x * self.width, corner.1 + y * self.height));
        items.add(Shape::Area(outline.to_vec()), GRID, 1.0);
        // Loops lie within one another or apart: the larger first, each in the colour of its inside.
        let mut all: Vec<(f64, Rgb, Loop)> = Vec::new();
        for (k, &level) in levels.values.iter().enumerate().take(count.max(1) - 1) {
            let from = if k == 0 { f64::NEG_INFINITY } else { level };
            for outline in loops(field, from) {
                let inside = match (outline.area > 0.0, k) {
                    (true, _) => colour(k),
                    // A gap.
                    (false, 0) => PAPER,
                    (false, _) => colour(k - 1),
                };
                all.push((outline.area.abs(), inside, outline));
            }
        }
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        for (_, colour, outline) in all {
            let places: Vec<Place> =
                outline.points.iter().map(|&p| self.inside(self.place(p))).collect();
            items.add(Shape::Area(places.clone()), colour, 1.0);
            for run in runs(&places, &outline.contour) {
                items.add(Shape::Line { places: run, width: 0.6 }, PAPER, 0.55);
            }
        }
    }
}

/// The runs of a closed line whose pieces are wanted.
fn runs(places: &[Place], wanted: &[bool]) -> Vec<Vec<Place>> {
    let n = places.len();
    let first = wanted.iter().position(|w| !w).map_or(0, |k| k + 1);
    let mut runs: Vec<Vec<Place>> = Vec::new();
    let mut going = false;
    for k in (0..n).map(|k| (first + k) % n) {
        if wanted[k] {
            if !going {
                runs.push(vec![places[k]]);
            }
            if let Some(run) = runs.last_mut() {
                run.push(places[(k + 1) % n]);
            }
        }
        going = wanted[k];
    }
    runs
}
