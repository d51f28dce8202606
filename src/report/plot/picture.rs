//! Charts side by side under one legend.

use super::axis::Axis;
use super::chart::{BOTTOM, Chart, NORMAL, RIGHT, SMALL, fitted};
use super::contour::Levels;
use super::items::{Anchor, Items, Shape};
use super::palette::{INK, MUTED, Style, heat};
use super::render::{self, text_width};
use crate::report::Result;
use crate::report::files::write_whole;
use std::path::{Path, PathBuf};

/// The space around a picture.
const EDGE: f64 = 8.0;
/// The length of a sample of a line in the legend.
const SAMPLE: f64 = 22.0;
/// The colour bar with its labels.
const BAR: f64 = 70.0;

/// A series, what the legend says of it, and how far right.
type Key<'a> = (&'a str, String, f64);

/// Charts side by side, with a title, a legend of all series, and a bar of the colours of levels. A
/// series has one colour in all charts.
///
/// ```
/// use burlap::report::{Axis, Chart, Picture};
/// let chart = Chart::new("", Axis::linear("epoch"), Axis::log("loss"))
///     .line("sgd", [(0.0, 2.3), (1.0, 0.4), (2.0, 0.1)]);
/// let picture = Picture::new("Training").chart(chart);
/// let dir = tempfile::tempdir()?;
/// let [svg, png] = picture.write(dir.path(), "training")?;
/// assert!(std::fs::read_to_string(svg)?.contains("epoch") && png.ends_with("training.png"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Picture {
    title: String,
    /// The title for readers that do not see the picture.
    spoken: String,
    charts: Vec<Chart>,
    columns: usize,
    cell: (f64, f64),
    bar: Option<String>,
    /// All series, so that parts of a picture have its colours.
    series: Vec<String>,
}

impl Picture {
    /// An empty picture; the title may be empty.
    #[must_use]
    pub fn new(title: &str) -> Picture {
        Picture {
            title: title.to_owned(),
            spoken: title.to_owned(),
            charts: Vec::new(),
            columns: 2,
            cell: (440.0, 300.0),
            bar: None,
            series: Vec::new(),
        }
    }

    /// One more chart.
    #[must_use]
    pub fn chart(mut self, chart: Chart) -> Picture {
        for name in chart.series() {
            if !self.series.iter().any(|s| s == name) {
                self.series.push(name.to_owned());
            }
        }
        self.charts.push(chart);
        self
    }

    /// The number of columns, 2 by default.
    #[must_use]
    pub fn columns(mut self, columns: usize) -> Picture {
        self.columns = columns.max(1);
        self
    }

    /// The size of a chart with its labels in points, 440 by 300 by default.
    #[must_use]
    pub fn chart_size(mut self, width: f64, height: f64) -> Picture {
        self.cell = (width.max(160.0), height.max(120.0));
        self
    }

    /// A bar that tells what the colours of the first chart's levels mean.
    #[must_use]
    pub fn colour_bar(mut self, label: &str) -> Picture {
        self.bar = Some(label.to_owned());
        self
    }

    /// The title.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// Each chart as a picture of its own, with the colours of the whole and without its title.
    #[must_use]
    pub fn parts(&self) -> Vec<Picture> {
        let one = |chart: &Chart| Picture {
            title: String::new(),
            spoken: format!("{} {}", self.title, chart.title).trim().to_owned(),
            charts: vec![chart.clone()],
            ..self.clone()
        };
        self.charts.iter().map(one).collect()
    }

    /// As an SVG document, which is also an element of HTML.
    ///
    /// # Errors
    /// What drawing reports.
    pub fn svg(&self) -> Result<String> {
        let (items, size) = self.items()?;
        let spoken = if self.spoken.is_empty() { "chart" } else { &self.spoken };
        render::svg(&items.0, size, spoken)
    }

    /// As the bytes of a PNG file, two pixels to a point.
    ///
    /// # Errors
    /// What drawing reports.
    pub fn png(&self) -> Result<Vec<u8>> {
        let (items, size) = self.items()?;
        render::png(&items.0, size)
    }

    /// The names of the files that [`write`](Picture::write) makes.
    #[must_use]
    pub fn files(name: &str) -> [String; 2] {
        ["svg", "png"].map(|kind| format!("{name}.{kind}"))
    }

    /// Writes `name.svg` and `name.png` into a folder, which is made if it is not there. A file
    /// is there whole or not at all.
    ///
    /// # Errors
    /// What drawing and writing report.
    pub fn write(&self, folder: &Path, name: &str) -> Result<[PathBuf; 2]> {
        let paths = Picture::files(name).map(|file| folder.join(file));
        write_whole(&paths[0], self.svg()?.as_bytes())?;
        write_whole(&paths[1], &self.png()?)?;
        Ok(paths)
    }

    fn style(&self, name: &str) -> Style {
        Style::of(self.series.iter().position(|s| s == name).unwrap_or(0))
    }

    /// The shapes and the size that they take.
    pub(super) fn items(&self) -> Result<(Items, (f64, f64))> {
        let columns = self.columns.min(self.charts.len()).max(1);
        let rows = self.charts.len().div_ceil(columns);
        let bar = self.bar.as_ref().zip(self.charts.first().and_then(Chart::levels));
        let width =
            2.0 * EDGE + columns as f64 * self.cell.0 + if bar.is_some() { BAR } else { 0.0 };
        let mut items = Items::default();
        let mut top = EDGE;
        if !self.title.is_empty() {
            let title = fitted(&self.title, NORMAL + 2.0, width - 2.0 * EDGE)?;
            let anchor = (Anchor::Middle, Anchor::Start);
            items.text(&title, (width / 2.0, top), NORMAL + 2.0, anchor, INK);
            top += NORMAL + 10.0;
        }
        self.legend(&mut items, width, &mut top)?;
        // Frames of one size, above and beside one another.
        let (mut left, mut above) = (0.0f64, 0.0f64);
        for chart in &self.charts {
            left = left.max(chart.left(self.cell.1)?);
        }
        for chart in &self.charts {
            above = above.max(chart.top(left, self.cell.0)?);
        }
        for (k, chart) in self.charts.iter().enumerate() {
            let x = EDGE + (k % columns) as f64 * self.cell.0;
            let y = top + (k / columns) as f64 * self.cell.1;
            chart.draw(&mut items, ((x, y), self.cell), (left, above), &|s| self.style(s))?;
        }
        if let Some((label, levels)) = bar {
            let x = EDGE + columns as f64 * self.cell.0;
            let height = self.cell.1 - above - BOTTOM;
            draw_bar(&mut items, (x, top + above), height, label, levels)?;
        }
        Ok((items, (width, top + rows as f64 * self.cell.1 + EDGE)))
    }

    /// The legend of the series that titles do not tell, in as many rows as it takes.
    fn legend(&self, items: &mut Items, width: f64, top: &mut f64) -> Result<()> {
        let told = |name: &&String| !self.charts.iter().all(|c| c.tells_by_title(name));
        let names: Vec<&String> = self.series.iter().filter(told).collect();
        let room = width - 2.0 * EDGE;
        let mut rows: Vec<(f64, Vec<Key<'_>>)> = Vec::new();
        for name in names {
            let label = fitted(name, SMALL, room - SAMPLE - 6.0)?;
            let length = SAMPLE + 6.0 + text_width(&label, SMALL)? + 16.0;
            match rows.last_mut() {
                Some((used, row)) if *used + length <= room + 16.0 => {
                    row.push((name, label, *used));
                    *used += length;
                }
                _ => rows.push((length, vec![(name, label, 0.0)])),
            }
        }
        for (used, row) in rows {
            let start = (width - used + 16.0) / 2.0;
            let y = *top + SMALL / 2.0 + 1.0;
            for (name, label, offset) in row {
                let x = start + offset;
                let style = self.style(name);
                if self.charts.iter().all(|c| c.only_points(name)) {
                    items.point((x + SAMPLE / 2.0, y), 3.2, style.shape, style.colour);
                } else {
                    let line = [(x, y), (x + SAMPLE, y)];
                    match style.dash {
                        Some(length) => items.dashes(&line, 2.5, style.colour, length),
                        None => items.line(line.to_vec(), 2.5, style.colour),
                    }
                }
                let anchor = (Anchor::Start, Anchor::Middle);
                items.text(&label, (x + SAMPLE + 6.0, y), SMALL, anchor, INK);
            }
            *top += SMALL + 7.0;
        }
        Ok(())
    }
}

/// The colours of the bands between levels, with the levels beside them.
fn draw_bar(
    items: &mut Items,
    (x, y): (f64, f64),
    height: f64,
    label: &str,
    levels: &Levels,
) -> Result<()> {
    const WIDTH: f64 = 12.0;
    let x = x - RIGHT + 12.0;
    let values = &levels.values;
    let bands = values.len().saturating_sub(1);
    for k in 0..bands {
        let place = |k: usize| y + height * (1.0 - k as f64 / bands as f64);
        let (low, high) = (place(k), place(k + 1));
        let outline = vec![(x, low), (x + WIDTH, low), (x + WIDTH, high), (x, high)];
        let colour = heat(k as f64 / bands.max(2).saturating_sub(1) as f64);
        items.add(Shape::Area(outline), colour, 1.0);
    }
    if let (Some(&low), Some(&high)) = (values.first(), values.last()) {
        let axis = if levels.logarithmic { Axis::log("") } else { Axis::linear("") };
        let ticks = axis.with_range(low, high).scale(std::iter::empty());
        for (place, text) in ticks.ticks((height / 28.0) as usize).labelled {
            let y = y + height * (1.0 - place);
            items.line(vec![(x + WIDTH, y), (x + WIDTH + 3.0, y)], 1.0, MUTED);
            let anchor = (Anchor::Start, Anchor::Middle);
            items.text(&text, (x + WIDTH + 6.0, y), SMALL, anchor, MUTED);
        }
    }
    let label = fitted(label, SMALL, BAR + RIGHT - 12.0)?;
    items.text(&label, (x - 4.0, y - 6.0), SMALL, (Anchor::Start, Anchor::End), INK);
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::contour::Field;
    use super::*;

    /// The rectangle that a text takes: left, top, right, bottom.
    fn extent(shape: &Shape) -> Option<(String, [f64; 4])> {
        let Shape::Text { text, at, size, anchor, upwards } = shape else { return None };
        // Letters are about 0.7 of their size high, from the anchor's side.
        let (long, high) = (text_width(text, *size).unwrap(), 0.75 * size);
        let from = |at: f64, length: f64, anchor: Anchor| match anchor {
            Anchor::Start => at,
            Anchor::Middle => at - length / 2.0,
            Anchor::End => at - length,
        };
        let (wide, tall) = if *upwards { (high, long) } else { (long, high) };
        let (x, y) = (from(at.0, wide, anchor.0), from(at.1, tall, anchor.1));
        Some((text.clone(), [x, y, x + wide, y + tall]))
    }

    fn check(picture: &Picture) {
        let (items, size) = picture.items().unwrap();
        let texts: Vec<_> =
            items.0.iter().filter_map(|i| extent(&i.shape)).filter(|t| !t.0.is_empty()).collect();
        assert!(texts.len() > 8, "{texts:?}");
        for (k, (text, a)) in texts.iter().enumerate() {
            assert!(a[0] >= 0.0 && a[1] >= 0.0, "{text} {a:?} is cut off");
            assert!(a[2] <= size.0 && a[3] <= size.1, "{text} {a:?} is cut off at {size:?}");
            for (other, b) in &texts[..k] {
                let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
                assert!(apart, "{text:?} {a:?} lies over {other:?} {b:?}");
            }
        }
        for item in &items.0 {
            let places: &[(f64, f64)] = match &item.shape {
                Shape::Line { places, .. } | Shape::Area(places) => places,
                Shape::Dot { centre, .. } => std::slice::from_ref(centre),
                Shape::Text { at, .. } => std::slice::from_ref(at),
            };
            for &(x, y) in places {
                assert!((0.0..=size.0).contains(&x) && (0.0..=size.1).contains(&y), "{item:?}");
            }
        }
    }

    #[test]
    fn texts_neither_overlap_nor_leave_the_picture() {
        let long = "an optimizer of a name that is much longer than any legend would have room for, and then some more words";
        for (low, high) in [(0.0, 1.0), (-1234.5, 98765.0), (1e-9, 3e-9), (0.999, 1.001)] {
            let line = (0..20).map(|i| {
                let part = f64::from(i) / 19.0;
                (low + part * (high - low), low + (1.0 - part) * (high - low))
            });
            let chart = |axis: fn(&str) -> Axis| {
                (0..4).fold(Chart::new(long, axis(long), axis(long)), |chart, k| {
                    let name = format!("{long} {k}");
                    let at = low + 0.9 * (high - low);
                    chart.line(&name, line.clone()).rule(&name, at, "a mark at the right")
                })
            };
            let at = vec![low, (low + high) / 2.0, high];
            let values = (0..9).map(|k| 1.0 + f64::from(k)).collect();
            let field = Field::new(at.clone(), at, values).unwrap();
            let levels = Levels::spanning([&field], true, 12);
            let heat = Chart::new("map", Axis::linear("a"), Axis::linear("b")).heat(field, levels);
            let picture = Picture::new(long)
                .chart(heat)
                .chart(chart(Axis::linear))
                .chart(chart(Axis::log))
                .colour_bar("a long name of a level");
            check(&picture);
            picture.parts().iter().for_each(check);
        }
    }

    #[test]
    fn parts_keep_the_colours_of_the_whole() {
        let chart = |name: &str| {
            Chart::new("", Axis::linear("x"), Axis::linear("y"))
                .line(name, [(0.0, 0.0), (1.0, 1.0)])
        };
        let whole = Picture::new("").chart(chart("first")).chart(chart("second"));
        let colour = |p: &Picture, name: &str| p.style(name).colour;
        let part = &whole.parts()[1];
        assert_eq!(colour(&whole, "second"), colour(part, "second"));
        assert_ne!(colour(&whole, "first"), colour(&whole, "second"));
        assert!(!part.svg().unwrap().contains("first"), "a legend of what occurs alone");
    }
}
