//! Tables, statistics, pictures and pages of results.
//!
//! | item | what it is |
//! |---|---|
//! | [`Table`] | rows of text: aligned in a terminal, as Markdown, as HTML |
//! | [`Mean`], [`median`] | means with standard errors, of differences of pairs too |
//! | [`Picture`], [`Chart`], [`Axis`] | lines with bands, densities, scatter, heat maps: SVG and PNG |
//! | [`Report`] | one HTML page that loads nothing else |
//! | [`CurvatureSummary`] | trace, Frobenius norm and largest eigenvalue of a Hessian |
//! | [`training_curves`] | loss, metrics and measurements by epoch |
//! | [`Spectrum`], [`spectra_picture`] | eigenvalue densities |
//! | [`Landscape`], [`landscapes_picture`] | losses over planes through solutions |
//!
//! ```
//! use burlap::report::{Axis, Chart, Mean, Picture, Report, Table};
//!
//! let mut table = Table::new(["method", "test accuracy"]);
//! for (name, accuracies) in [("sgd", [0.91, 0.93]), ("sam", [0.94, 0.92])] {
//!     let mean = Mean::of(&accuracies).ok_or("no runs")?;
//!     table.row([name.to_owned(), mean.text(3)]);
//! }
//! assert!(table.markdown().contains("| sgd | 0.920 ± 0.010 |"));
//!
//! let loss = [(0.0, 2.3), (1.0, 0.4), (2.0, 0.1)];
//! let chart = Chart::new("", Axis::count("epoch"), Axis::log("loss")).line("sgd", loss);
//! let mut report = Report::new("Two methods");
//! report.table(&table);
//! report.figure(&Picture::new("Training").chart(chart), "Means over batches.")?;
//! assert!(report.html().contains("<figcaption>Figure 1. Training. Means over batches.<"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod curvature;
mod curves;
mod error;
mod files;
mod landscape;
mod number;
mod page;
mod plot;
mod spectrum;
mod statistics;
mod table;

pub use curvature::CurvatureSummary;
pub use curves::{ERROR_SUFFIX, RunHistory, training_curves};
pub use error::{Error, Result};
pub use files::{writable_folder, write_whole};
pub use landscape::{Landscape, Plane, filter_normalised, landscapes_caption, landscapes_picture};
pub use number::short_number;
pub use page::Report;
pub use plot::{Axis, Chart, Field, Levels, Picture};
pub use spectrum::{Spectrum, SpectrumSettings, spectra_caption, spectra_picture};
pub use statistics::{Mean, median};
pub use table::Table;
