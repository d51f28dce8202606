//! What theory says of sharpness measures, beside what they give on functions whose Hessians are
//! known: tables, pictures, and sentences made from the numbers.

mod penalty;
mod rescaling;
mod saddle;

pub use penalty::{
    Cell, Polynomial, one_sided_penalty, penalty_conclusion, penalty_picture, penalty_table,
};
pub use rescaling::{
    POINT, Rescaled, rescaled, rescaling_conclusion, rescaling_picture, rescaling_table,
};
pub use saddle::{
    CRITICAL_WEIGHT, Path, saddle_conclusion, saddle_measures, saddle_paths, saddle_picture,
    saddle_table,
};

use burlap::optim::Estimate;

/// An estimate with its standard error, to digits that mean something.
pub(crate) fn with_error(e: &Estimate) -> String {
    format!("{} ± {}", number(e.value), number(e.standard_error))
}

/// Four digits, in powers of ten where that is shorter.
pub(crate) fn number(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 {
        "0".into()
    } else if (1e-3..1e4).contains(&size) {
        let decimals = (3.0 - size.log10().floor()).max(0.0) as usize;
        format!("{x:.decimals$}")
    } else {
        format!("{x:.3e}")
    }
}
