//! Bars for long measurements of curvature.

use anyhow::Result;
use burlap::optim::curvature::{LinearOperator, Observed};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// The operator with a bar of the `total` products that will be asked of it at most, on a terminal; it
/// goes when the operator does.
///
/// # Errors
/// What the bar reports of its template.
pub fn watched<A: LinearOperator>(
    a: A,
    what: &str,
    total: usize,
) -> Result<Observed<A, impl FnMut(usize) + use<A>>> {
    let style = ProgressStyle::with_template("{prefix:>13} {bar:30} {pos}/{len} {eta}")?;
    let bar = ProgressBar::new(total as u64).with_style(style).with_prefix(what.to_owned());
    let bar = bar.with_finish(ProgressFinish::AndClear);
    Ok(a.observed(move |done| bar.set_position(done as u64)))
}
