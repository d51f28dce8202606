//! Bars for long measurements of curvature.

use crate::optim::curvature::{LinearOperator, Observed};
use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// The operator with a progress bar of at most `total` products on a terminal, which goes when the
/// operator does.
pub fn with_progress_bar<A: LinearOperator>(
    a: A,
    name: &str,
    total: usize,
) -> Observed<A, impl FnMut(usize) + use<A>> {
    let bar = bar("{prefix:>13} {bar:30} {pos}/{len} {eta}", total as u64, name);
    let bar = bar.with_finish(ProgressFinish::AndClear);
    a.observed(move |done| bar.set_position(done as u64))
}

/// A bar with a name in front of it; with the style of `indicatif` where the template is none.
pub(super) fn bar(template: &str, total: u64, name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style).with_prefix(name.to_owned())
}
