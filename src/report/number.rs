//! Numbers as tables show them.

/// A number with four digits, in powers of ten where that is shorter.
///
/// ```
/// use burlap::report::short_number;
/// assert_eq!([0.25, 1234.56, 2.5e-7].map(short_number), ["0.2500", "1235", "2.500e-7"]);
/// ```
#[must_use]
pub fn short_number(x: f64) -> String {
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
