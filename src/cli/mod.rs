//! What the examples share: their common flags, data sets and networks by name, training runs
//! that can be watched and resumed, the measurement of curvature at a solution, pictures, results
//! on disk with their statistics, and the study that compares methods.

// Both panic where nobody reads: `say!` does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod command;
mod curvature;
mod curves;
mod data;
mod experiment;
mod files;
mod landscape;
mod method_args;
pub mod numbers;
pub mod paper;
pub mod plot;
mod progress;
mod report;
pub mod results;
mod runs;
mod saved;
mod spectrum;
pub mod statistics;
pub mod study;
mod table;
pub mod theory;

pub use command::{OutputClosed, command, cpu, exit, parse, print};
pub use curvature::{CURVATURE_EXAMPLES, Curvature};
pub use curves::{History, Moment, curves_caption, curves_picture};
pub use data::{DataArgs, Normalize, Selection, arrays, model, pieces};
pub use experiment::{Epoch, Experiment, Falling, Files, Fitted, TrainingArgs};
pub use files::{writable_folder, write_whole};
pub use landscape::{
    Landscape, LandscapeArgs, filter_normalised, landscapes_caption, landscapes_picture,
};
pub use method_args::MethodArgs;
pub use progress::watched;
pub use report::Report;
pub use runs::FilesArgs;
pub use spectrum::{Spectrum, SpectrumArgs, spectra_caption, spectra_picture};
pub use table::Table;

/// A text with the letters that mean something in HTML and XML as references.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not a character of XML.
            c if c.is_control() && !matches!(c, '\n' | '\t' | '\r') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
