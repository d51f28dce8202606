//! Items to SVG and PNG by plotters, with the embedded font.

use super::items::{Anchor, Item, Place, Shape};
use super::palette::PAPER;
use crate::report::page::escaped;
use crate::report::{Error, Result};
use plotters::prelude::{
    BitMapBackend, Circle, DrawingArea, DrawingBackend, IntoDrawingArea, IntoFont, PathElement,
    Polygon, RGBColor, SVGBackend, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, FontTransform, IntoTextStyle, ShapeStyle, register_font};
use std::sync::OnceLock;

/// plotters counts in whole units: so many to a point.
const UNITS: f64 = 4.0;
/// Units to a pixel of a PNG: it has two pixels to a point, each a mean of as many units squared.
const PIXEL: usize = 2;
/// plotters' sizes are those of lines, 1.24 times the letters'.
const LINE: f64 = 1.24;

const FAMILY: &str = "sans-serif";
static FONT: &[u8] = include_bytes!("../fonts/DejaVuSans-subset.ttf");

fn with_font() -> Result<()> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let good = *REGISTERED.get_or_init(|| register_font(FAMILY, FontStyle::Normal, FONT).is_ok());
    good.then_some(()).ok_or_else(|| Error::Drawing("the embedded font is damaged".into()))
}

/// The width of a text of some size in points.
pub(super) fn text_width(text: &str, size: f64) -> Result<f64> {
    with_font()?;
    let font = (FAMILY, size * UNITS * LINE).into_font();
    let (width, _) =
        font.box_size(text).map_err(|e| Error::Drawing(format!("measuring {text:?}: {e}")))?;
    Ok(f64::from(width) / UNITS)
}

fn units(size: (f64, f64)) -> (u32, u32) {
    ((size.0 * UNITS).round() as u32, (size.1 * UNITS).round() as u32)
}

/// As a document or a part of one, with a title for readers that do not see it.
pub(super) fn svg(items: &[Item], size: (f64, f64), title: &str) -> Result<String> {
    with_font()?;
    let (width, height) = units(size);
    let mut body = String::new();
    draw(SVGBackend::with_string(&mut body, (width, height)).into_drawing_area(), items, 0.0)?;
    let (_, body) =
        body.split_once('>').ok_or_else(|| Error::Drawing("plotters drew nothing".into()))?;
    Ok(format!(
        "<svg width=\"{:.0}\" height=\"{:.0}\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n<title>{}</title>{}",
        size.0,
        size.1,
        escaped(title),
        body.replace(" opacity=\"1\"", "").replace(" \"/>", "\"/>"),
    ))
}

/// As the bytes of a PNG file.
pub(super) fn png(items: &[Item], size: (f64, f64)) -> Result<Vec<u8>> {
    with_font()?;
    // Whole pixels.
    let (width, height) = (units(size).0 as usize / PIXEL, units(size).1 as usize / PIXEL);
    let (wide, high) = (width * PIXEL, height * PIXEL);
    let mut fine = vec![0u8; 3 * wide * high];
    let backend = BitMapBackend::with_buffer(&mut fine, (wide as u32, high as u32));
    draw(backend.into_drawing_area(), items, 0.13)?;
    let mut pixels = vec![0u16; 3 * width * height];
    for (k, value) in fine.into_iter().enumerate() {
        let (row, column, part) = (k / (3 * wide), k % (3 * wide) / 3, k % 3);
        pixels[3 * (row / PIXEL * width + column / PIXEL) + part] += u16::from(value);
    }
    let square = (PIXEL * PIXEL) as u16;
    let pixels: Vec<u8> =
        pixels.into_iter().map(|sum| ((sum + square / 2) / square) as u8).collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Best);
    // Areas of one colour: what repeats is found best where no filter has touched it.
    encoder.set_filter(png::FilterType::NoFilter);
    let failed = |e: png::EncodingError| Error::Drawing(format!("encoding a PNG: {e}"));
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(&pixels).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// Draws, texts lower by a part of their size: plotters puts them higher in bitmaps than in SVG.
fn draw<B: DrawingBackend>(
    area: DrawingArea<B, plotters::coord::Shift>,
    items: &[Item],
    lower: f64,
) -> Result<()> {
    let failed =
        |e: plotters::drawing::DrawingAreaErrorKind<B::ErrorType>| Error::Drawing(e.to_string());
    let unit = |&(x, y): &Place| ((x * UNITS).round() as i32, (y * UNITS).round() as i32);
    let colour = |(r, g, b)| RGBColor(r, g, b);
    area.fill(&colour(PAPER)).map_err(failed)?;
    for item in items {
        let paint = colour(item.colour).mix(item.opacity);
        let filled = ShapeStyle { color: paint, filled: true, stroke_width: 0 };
        let drawn = match &item.shape {
            Shape::Line { places, width } => {
                let stroke_width = (width * UNITS).round().max(1.0) as u32;
                let style = ShapeStyle { color: paint, filled: false, stroke_width };
                area.draw(&PathElement::new(distinct(places.iter().map(unit)), style))
            }
            Shape::Area(places) => {
                area.draw(&Polygon::new(distinct(places.iter().map(unit)), filled))
            }
            Shape::Dot { centre, radius } => {
                area.draw(&Circle::new(unit(centre), (radius * UNITS).round() as i32, filled))
            }
            Shape::Text { text, at, size, anchor, upwards } => {
                let turn = if *upwards { FontTransform::Rotate270 } else { FontTransform::None };
                let font = (FAMILY, size * UNITS * LINE).into_font().transform(turn);
                let style = font.color(&paint).pos(position(*anchor)).into_text_style(&area);
                // Digits have no descenders: their middle is above that of the line.
                let middle = if anchor.1 == Anchor::Middle { 0.08 } else { 0.0 };
                let down = (lower + middle) * size;
                let at = if *upwards { (at.0 + down, at.1) } else { (at.0, at.1 + down) };
                area.draw(&Text::new(text.as_str(), unit(&at), style))
            }
        };
        drawn.map_err(failed)?;
    }
    area.present().map_err(failed)
}

/// Without repetitions of a place, which have no direction.
fn distinct(places: impl Iterator<Item = (i32, i32)>) -> Vec<(i32, i32)> {
    let mut all: Vec<(i32, i32)> = places.collect();
    all.dedup();
    all
}

fn position((horizontal, vertical): (Anchor, Anchor)) -> Pos {
    let h = match horizontal {
        Anchor::Start => HPos::Left,
        Anchor::Middle => HPos::Center,
        Anchor::End => HPos::Right,
    };
    let v = match vertical {
        Anchor::Start => VPos::Top,
        Anchor::Middle => VPos::Center,
        Anchor::End => VPos::Bottom,
    };
    Pos::new(h, v)
}
