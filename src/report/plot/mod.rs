//! Pictures in one style: lines with bands, densities, scatter, heat maps with contours, each as
//! SVG and as PNG, by the crate `plotters` with a font of its own.
//!
//! A [`Picture`] is a grid of [`Chart`]s under one legend. A chart has two [`Axis`]es and what is
//! drawn between them, by the name of the series: a name has one colour in all of a picture.
//!
//! ```
//! use support::plot::{Axis, Chart, Picture};
//! let chart = Chart::new("", Axis::linear("epoch"), Axis::log("loss"))
//!     .line("sgd", [(0.0, 2.3), (1.0, 0.4), (2.0, 0.1)]);
//! let svg = Picture::new("Training").chart(chart).svg()?;
//! assert!(svg.starts_with("<svg") && svg.contains("epoch"));
//! # Ok::<(), anyhow::Error>(())
//! ```

mod axis;
mod chart;
mod contour;
mod frame;
mod items;
mod palette;
mod picture;
mod render;

pub use axis::Axis;
pub use chart::Chart;
pub use contour::{Field, Levels};
pub use palette::{GRID, INK, MUTED, PAPER};
pub use picture::Picture;
