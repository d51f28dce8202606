//! One chart: two axes and what is drawn between them.

use super::axis::{Axis, Scale, superscript};
use super::contour::{Field, Levels};
use super::frame::Frame;
use super::items::{Anchor, Items, Place, Shape};
use super::palette::{GRID, INK, MUTED, PAPER, Style};
use super::render::text_width;
use crate::report::Result;

/// Two axes and what is drawn between them, by the name of the series.
///
/// ```
/// use burlap::report::{Axis, Chart, Picture};
/// let chart = Chart::new("noise", Axis::linear("x"), Axis::linear("y"))
///     .band("mean", [(0.0, 0.9, 1.1), (1.0, 1.8, 2.2)])
///     .line("mean", [(0.0, 1.0), (1.0, 2.0)])
///     .scatter("runs", [(0.0, 0.95), (1.0, 2.1)])
///     .rule("mean", 0.5, "half");
/// assert!(Picture::new("").chart(chart).svg()?.contains("half"));
/// # Ok::<(), burlap::report::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Chart {
    pub(super) title: String,
    x: Axis,
    y: Axis,
    marks: Vec<Mark>,
}

#[derive(Clone, Debug)]
enum Mark {
    Line { series: String, points: Vec<(f64, f64)> },
    Density { series: String, points: Vec<(f64, f64)> },
    Band { series: String, points: Vec<(f64, f64, f64)> },
    Points { series: String, points: Vec<(f64, f64)> },
    Rule { series: String, x: f64, label: String },
    Heat { field: Field, levels: Levels },
}

/// Sizes of letters, in points.
pub(super) const SMALL: f64 = 11.0;
pub(super) const NORMAL: f64 = 12.5;
/// Between a text and what it belongs to.
const GAP: f64 = 5.0;
/// Beside the frame, for half of a tick's label.
pub(super) const RIGHT: f64 = 20.0;

/// Below a frame, for ticks and the axis' name.
pub(super) const BOTTOM: f64 = 2.0 * GAP + SMALL + GAP + NORMAL + GAP;

impl Chart {
    /// An empty chart; the title may be empty.
    #[must_use]
    pub fn new(title: &str, x: Axis, y: Axis) -> Chart {
        Chart { title: title.to_owned(), x, y, marks: Vec::new() }
    }

    fn with(mut self, mark: Mark) -> Chart {
        self.marks.push(mark);
        self
    }

    /// A line through (x, y), broken where a point has no place on the axes.
    #[must_use]
    pub fn line(self, series: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Chart {
        self.with(Mark::Line { series: series.into(), points: points.into_iter().collect() })
    }

    /// A line through (x, y) and a tint down to the lower end of the chart.
    #[must_use]
    pub fn density(self, series: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Chart {
        self.with(Mark::Density { series: series.into(), points: points.into_iter().collect() })
    }

    /// A tint between the lower and the upper of (x, lower, upper).
    #[must_use]
    pub fn band(self, series: &str, points: impl IntoIterator<Item = (f64, f64, f64)>) -> Chart {
        self.with(Mark::Band { series: series.into(), points: points.into_iter().collect() })
    }

    /// Points (x, y).
    #[must_use]
    pub fn scatter(self, series: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Chart {
        self.with(Mark::Points { series: series.into(), points: points.into_iter().collect() })
    }

    /// A dashed line across the chart at x, with a label at its upper end.
    #[must_use]
    pub fn rule(self, series: &str, x: f64, label: &str) -> Chart {
        self.with(Mark::Rule { series: series.into(), x, label: label.into() })
    }

    /// Colours by levels, and contours between them.
    #[must_use]
    pub fn heat(self, field: Field, levels: Levels) -> Chart {
        self.with(Mark::Heat { field, levels })
    }

    /// Whether a series does not occur here, or is what the title says already.
    pub(super) fn tells_by_title(&self, name: &str) -> bool {
        self.title == name || !self.series().any(|s| s == name)
    }

    /// The names of the series in their order.
    pub(super) fn series(&self) -> impl Iterator<Item = &str> {
        self.marks.iter().filter_map(|mark| match mark {
            Mark::Line { series, .. }
            | Mark::Density { series, .. }
            | Mark::Band { series, .. }
            | Mark::Points { series, .. }
            | Mark::Rule { series, .. } => Some(series.as_str()),
            Mark::Heat { .. } => None,
        })
    }

    /// Whether a series consists of points only.
    pub(super) fn only_points(&self, name: &str) -> bool {
        !self.marks.iter().any(|mark| match mark {
            Mark::Points { .. } | Mark::Heat { .. } => false,
            Mark::Line { series, .. }
            | Mark::Density { series, .. }
            | Mark::Band { series, .. }
            | Mark::Rule { series, .. } => series == name,
        })
    }

    pub(super) fn levels(&self) -> Option<&Levels> {
        self.marks.iter().find_map(|mark| match mark {
            Mark::Heat { levels, .. } => Some(levels),
            _ => None,
        })
    }

    fn values(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut xs, mut ys) = (Vec::new(), Vec::new());
        for mark in &self.marks {
            match mark {
                Mark::Line { points, .. }
                | Mark::Density { points, .. }
                | Mark::Points { points, .. } => {
                    let placed = points.iter().filter(|p| self.x.admits(p.0) && self.y.admits(p.1));
                    placed.for_each(|p| {
                        xs.push(p.0);
                        ys.push(p.1);
                    });
                }
                Mark::Band { points, .. } => points.iter().for_each(|p| {
                    xs.push(p.0);
                    ys.extend([p.1, p.2]);
                }),
                Mark::Rule { x, .. } => xs.push(*x),
                Mark::Heat { field, .. } => {
                    xs.extend(&field.xs);
                    ys.extend(&field.ys);
                }
            }
        }
        (xs, ys)
    }

    fn scales(&self) -> (Scale, Scale) {
        let (xs, ys) = self.values();
        let (mut x, mut y) = (self.x.clone(), self.y.clone());
        if self.levels().is_some() {
            // A map has no room beside it.
            let span = |v: &[f64]| {
                v.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |s, &v| (s.0.min(v), s.1.max(v)))
            };
            x.range = x.range.or(Some(span(&xs)));
            y.range = y.range.or(Some(span(&ys)));
        }
        (x.scale(xs.into_iter()), y.scale(ys.into_iter()))
    }

    /// Rows of labels above the frame that the rules need, with each label's row and middle.
    fn rule_labels(&self, left: f64, width: f64) -> Result<(usize, Vec<(usize, f64)>)> {
        let (scale, _) = self.scales();
        let mut ends: Vec<f64> = Vec::new();
        let mut placed = Vec::new();
        for mark in &self.marks {
            let Mark::Rule { x, label, .. } = mark else { continue };
            let half = text_width(label, SMALL)? / 2.0;
            let least = left + half.min(width / 2.0);
            let middle =
                (left + scale.place(*x) * width).clamp(least, (left + width - half).max(least));
            let free = ends.iter().position(|&end| end + GAP < middle - half);
            let row = free.unwrap_or(ends.len());
            if row == ends.len() {
                ends.push(0.0);
            }
            ends[row] = middle + half;
            placed.push((row, middle));
        }
        Ok((ends.len(), placed))
    }

    /// The room that the labels left of a frame need, in a chart of some height.
    pub(super) fn left(&self, height: f64) -> Result<f64> {
        let (_, y) = self.scales();
        let ticks = y.ticks((height / 28.0) as usize);
        let mut widest = 0.0f64;
        for (_, label) in &ticks.labelled {
            widest = widest.max(text_width(label, SMALL)?);
        }
        Ok(GAP + NORMAL + 2.0 * GAP + widest + GAP)
    }

    /// The room that title and rules need above a frame, in a chart of some width.
    pub(super) fn top(&self, left: f64, width: f64) -> Result<f64> {
        let rows = self.rule_labels(left, width - left - RIGHT)?.0;
        let title = if self.title.is_empty() { GAP } else { NORMAL + 2.0 * GAP };
        Ok(title + rows as f64 * (SMALL + 3.0))
    }

    /// Draws into the rectangle at a place, with room to the left and above that may be more than it needs.
    pub(super) fn draw(
        &self,
        items: &mut Items,
        (at, size): (Place, (f64, f64)),
        (left, top): (f64, f64),
        style: &dyn Fn(&str) -> Style,
    ) -> Result<()> {
        let (x, y) = self.scales();
        let frame = Frame {
            left: at.0 + left,
            top: at.1 + top,
            width: size.0 - left - RIGHT,
            height: size.1 - top - BOTTOM,
            x,
            y,
            axes: (&self.x, &self.y),
        };
        self.draw_axes(items, &frame, at)?;
        let (_, labels) = self.rule_labels(frame.left, frame.width)?;
        let mut labels = labels.into_iter();
        let mut below = Vec::new();
        for mark in &self.marks {
            match mark {
                Mark::Heat { field, levels } => frame.heat(items, field, levels),
                Mark::Band { series, points } => {
                    let colour = style(series).colour;
                    for part in frame.pieces(points, |p| [(p.0, p.1), (p.0, p.2)]) {
                        let lower = part.iter().map(|p| p[0]);
                        let upper = part.iter().rev().map(|p| p[1]);
                        let outline = lower.chain(upper).map(|p| frame.inside(p)).collect();
                        items.add(Shape::Area(outline), colour, 0.2);
                    }
                }
                Mark::Density { series, points } => {
                    let colour = style(series).colour;
                    let floor = frame.top + frame.height;
                    for part in frame.pieces(points, |&p| [p]) {
                        let line: Vec<Place> = part.iter().map(|p| frame.inside(p[0])).collect();
                        let (Some(first), Some(last)) = (line.first(), line.last()) else {
                            continue;
                        };
                        let feet = [(last.0, floor), (first.0, floor)];
                        let outline = line.iter().copied().chain(feet).collect();
                        items.add(Shape::Area(outline), colour, 0.2);
                    }
                    frame.curve(items, points, style(series), &mut below);
                }
                Mark::Line { series, points } => {
                    frame.curve(items, points, style(series), &mut below);
                }
                Mark::Points { series, points } => {
                    let Style { colour, shape, .. } = style(series);
                    for part in frame.pieces(points, |&p| [p]) {
                        for place in part.iter().map(|p| p[0]).filter(|&p| frame.contains(p)) {
                            if self.levels().is_some() {
                                // To stand out from whatever the map has there.
                                items.point(place, 4.6, shape, PAPER);
                            }
                            items.point(place, 3.2, shape, colour);
                        }
                    }
                }
                Mark::Rule { series, x, label } => {
                    let (row, middle) = labels.next().unwrap_or_default();
                    if !self.x.admits(*x) || !(0.0..=1.0).contains(&frame.x.place(*x)) {
                        continue;
                    }
                    let colour = style(series).colour;
                    let x = frame.left + frame.x.place(*x) * frame.width;
                    let line = [(x, frame.top), (x, frame.top + frame.height)];
                    items.dashes(&line, 1.2, colour, 4.0);
                    let y = frame.top - 3.0 - row as f64 * (SMALL + 3.0);
                    items.text(label, (middle, y), SMALL, (Anchor::Middle, Anchor::End), INK);
                }
            }
        }
        if self.values().0.is_empty() {
            let middle = (frame.left + frame.width / 2.0, frame.top + frame.height / 2.0);
            let anchor = (Anchor::Middle, Anchor::Middle);
            items.text("nothing finite to draw", middle, SMALL, anchor, MUTED);
        }
        Ok(())
    }

    fn draw_axes(&self, items: &mut Items, f: &Frame<'_>, at: Place) -> Result<()> {
        let (right, floor) = (f.left + f.width, f.top + f.height);
        let y_ticks = f.y.ticks((f.height / 28.0) as usize);
        for (place, label) in &y_ticks.labelled {
            let y = floor - place * f.height;
            items.line(vec![(f.left, y), (right, y)], 1.0, GRID);
            let anchor = (Anchor::End, Anchor::Middle);
            items.text(label, (f.left - GAP, y), SMALL, anchor, MUTED);
        }
        let x_ticks = f.x.ticks((f.width / 44.0) as usize);
        let mut end = f64::NEG_INFINITY;
        for (place, label) in &x_ticks.labelled {
            let x = f.left + place * f.width;
            items.line(vec![(x, f.top), (x, floor)], 1.0, GRID);
            let half = text_width(label, SMALL)? / 2.0;
            if x - half > end + GAP {
                end = x + half;
                let anchor = (Anchor::Middle, Anchor::Start);
                items.text(label, (x, floor + GAP), SMALL, anchor, MUTED);
            }
        }
        items.line(vec![(f.left, f.top), (f.left, floor), (right, floor)], 1.0, MUTED);
        let named = |axis: &Axis, exponent: i32| match exponent {
            0 => axis.label.clone(),
            e => format!("{} / 10{}", axis.label, superscript(e)),
        };
        let below = (f.left + f.width / 2.0, floor + GAP + SMALL + GAP);
        let label = fitted(&named(&self.x, x_ticks.exponent), NORMAL, f.width)?;
        items.text(&label, below, NORMAL, (Anchor::Middle, Anchor::Start), INK);
        let label = fitted(&named(&self.y, y_ticks.exponent), NORMAL, f.height)?;
        let beside = (at.0 + GAP + NORMAL / 2.0, f.top + f.height / 2.0);
        let anchor = (Anchor::Middle, Anchor::Middle);
        let shape = Shape::Text { text: label, at: beside, size: NORMAL, anchor, upwards: true };
        items.add(shape, INK, 1.0);
        let title = fitted(&self.title, NORMAL, f.width)?;
        let rows = self.rule_labels(f.left, f.width)?.0 as f64;
        let above = (f.left + f.width / 2.0, f.top - GAP - rows * (SMALL + 3.0));
        items.text(&title, above, NORMAL, (Anchor::Middle, Anchor::End), INK);
        Ok(())
    }
}

/// A text, cut where it is too wide.
pub(super) fn fitted(text: &str, size: f64, width: f64) -> Result<String> {
    if text_width(text, size)? <= width {
        return Ok(text.to_owned());
    }
    let mut letters: Vec<char> = text.chars().collect();
    while letters.pop().is_some() {
        let cut: String = letters.iter().chain(['…'].iter()).collect();
        if text_width(&cut, size)? <= width {
            return Ok(cut);
        }
    }
    Ok(String::new())
}
