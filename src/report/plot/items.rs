//! A picture as a list of simple shapes, in points from the upper left corner.

use super::palette::Rgb;

/// A place in a picture.
pub(super) type Place = (f64, f64);

/// Which part of a text lies at its place, from left to right or from top to bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// A simple shape.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Line { places: Vec<Place>, width: f64 },
    Area(Vec<Place>),
    Dot { centre: Place, radius: f64 },
    Text { text: String, at: Place, size: f64, anchor: (Anchor, Anchor), upwards: bool },
}

/// A shape with its colour.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Item {
    pub(super) shape: Shape,
    pub(super) colour: Rgb,
    pub(super) opacity: f64,
}

/// The shapes of a picture, in the order of drawing.
#[derive(Clone, Debug, Default)]
pub(super) struct Items(pub(super) Vec<Item>);

impl Items {
    pub(super) fn add(&mut self, shape: Shape, colour: Rgb, opacity: f64) {
        self.0.push(Item { shape, colour, opacity });
    }

    pub(super) fn line(&mut self, places: Vec<Place>, width: f64, colour: Rgb) {
        self.add(Shape::Line { places, width }, colour, 1.0);
    }

    /// A line of dashes as long as the gaps between them.
    pub(super) fn dashes(&mut self, places: &[Place], width: f64, colour: Rgb, length: f64) {
        let (mut left, mut drawn) = (length, true);
        let mut dash = places.first().map(|&p| vec![p]).unwrap_or_default();
        for pair in places.windows(2) {
            let (mut from, to) = (pair[0], pair[1]);
            loop {
                let rest = (to.0 - from.0).hypot(to.1 - from.1);
                if rest < left {
                    left -= rest;
                    dash.push(to);
                    break;
                }
                let part = left / rest;
                from = (from.0 + part * (to.0 - from.0), from.1 + part * (to.1 - from.1));
                dash.push(from);
                let whole = std::mem::replace(&mut dash, vec![from]);
                if drawn {
                    self.line(whole, width, colour);
                }
                (left, drawn) = (length, !drawn);
            }
        }
        if drawn && dash.len() > 1 {
            self.line(dash, width, colour);
        }
    }

    pub(super) fn text(
        &mut self,
        text: &str,
        at: Place,
        size: f64,
        anchor: (Anchor, Anchor),
        colour: Rgb,
    ) {
        let shape = Shape::Text { text: text.to_owned(), at, size, anchor, upwards: false };
        self.add(shape, colour, 1.0);
    }

    /// A point of one of four shapes.
    pub(super) fn point(&mut self, (x, y): Place, r: f64, shape: usize, colour: Rgb) {
        let shape = match shape {
            0 => Shape::Dot { centre: (x, y), radius: r },
            1 => Shape::Area(vec![(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)]),
            2 => Shape::Area(vec![(x, y - 1.3 * r), (x + 1.2 * r, y + r), (x - 1.2 * r, y + r)]),
            _ => {
                let r = 1.4 * r;
                Shape::Area(vec![(x, y - r), (x + r, y), (x, y + r), (x - r, y)])
            }
        };
        self.add(shape, colour, 1.0);
    }
}
