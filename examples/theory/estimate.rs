//! Estimates as tables show them.

use burlap::optim::Estimate;
use burlap::report::short_number;

/// An estimate with its standard error, to digits that mean something.
pub(crate) fn with_error(e: &Estimate) -> String {
    format!("{} ± {}", short_number(e.value), short_number(e.standard_error))
}
