//! Pictures in one style, drawn by the crate `plotters` with an embedded font.

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
pub(super) use palette::{GRID, INK, MUTED, PAPER};
pub use picture::Picture;
