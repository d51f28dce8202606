//! Arrays as text.

use super::{Array, Data, Values};
use crate::Element;
use std::fmt;

/// The shortest digits that give the number again, with an exponent below 10⁻⁵ and from 10¹⁶ on.
fn number<T: Element + fmt::Display + fmt::LowerExp>(x: T) -> String {
    let size = x.to_f64().abs();
    let small = size != 0.0 && size < T::from_f64(1e-5).to_f64();
    if small || size >= 1e16 { format!("{x:e}") } else { x.to_string() }
}

/// As NumPy prints it: the middle of long axes is left out, and numbers have their shortest digits.
/// An array that lives on a device is [downloaded](Array::download) to be printed; where that fails,
/// the error stands in its place.
///
/// ```
/// use burlap_autodiff::Array;
/// let a = Array::vector([1e-200, -2.5e-6, 0.00001, 0.1, 1e15, 1e16, f64::MAX, f64::INFINITY]);
/// let text = "[1e-200, -2.5e-6, 0.00001, 0.1, 1000000000000000, 1e16, 1.7976931348623157e308, inf]";
/// assert_eq!(a.to_string(), text);
/// assert_eq!(Array::vector([1e-30f32, 0.1, 3e16]).to_string(), "[1e-30, 0.1, 3e16]");
/// ```
impl fmt::Display for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = match &self.values {
            Values::Host { data, .. } => data,
            Values::Device { .. } => {
                return match self.download() {
                    Ok(host) => host.fmt(f),
                    Err(error) => write!(f, "{}{}: {error}", self.dtype(), self.shape),
                };
            }
        };
        let item = |i: usize| match data {
            Data::F32(v) => number(v[i]),
            Data::F64(v) => number(v[i]),
            Data::U32(v) => v[i].to_string(),
            Data::Bool(v) => v[i].to_string(),
        };
        if self.shape.is_empty() {
            return f.write_str(&item(0));
        }
        if self.is_empty() {
            return write!(f, "[] of shape {}", self.shape);
        }
        let row = self.shape[self.shape.len() - 1];
        let rows = self.len() / row;
        let shown = |n: usize, i: usize| n <= 8 || i < 3 || i + 3 >= n;
        for r in 0..rows {
            if !shown(rows, r) {
                if r == 3 {
                    f.write_str("\n ...")?;
                }
                continue;
            }
            // How many axes begin (and end) with this row.
            let mut begins = 1;
            let mut ends = 1;
            let mut block = 1;
            for &d in self.shape[..self.shape.len() - 1].iter().rev() {
                block *= d;
                begins += usize::from(r % block == 0);
                ends += usize::from((r + 1) % block == 0);
            }
            if r > 0 {
                write!(f, "\n{}", " ".repeat(self.shape.len() - begins))?;
            }
            f.write_str(&"[".repeat(begins))?;
            for i in 0..row {
                if shown(row, i) {
                    f.write_str(&item(r * row + i))?;
                    if i + 1 < row {
                        f.write_str(", ")?;
                    }
                } else if i == 3 {
                    f.write_str("..., ")?;
                }
            }
            f.write_str(&"]".repeat(ends))?;
            if r + 1 < rows {
                f.write_str(",")?;
            }
        }
        Ok(())
    }
}

/// Type, shape and elements; of an array that lives on a device where it is in place of those.
impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.values {
            Values::Host { .. } => write!(f, "{}{} {self}", self.dtype(), self.shape),
            Values::Device { storage, .. } => {
                write!(f, "{}{} on {}", self.dtype(), self.shape, storage.backend())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn printed_numbers_are_short_and_read_as_themselves() {
        // All exponents of both types, with fractions of every kind.
        for bits in (0..=u32::MAX).step_by(9_999_991) {
            let x = f32::from_bits(bits);
            let text = number(x);
            assert!(x.is_nan() || text.parse() == Ok(x), "{text}");
            assert!(text.len() <= 22, "{text}");
            let x = f64::from_bits(u64::from(bits) << 32 | u64::from(bits.reverse_bits()));
            let text = number(x);
            assert!(x.is_nan() || text.parse() == Ok(x), "{text}");
            assert!(text.len() <= 26, "{text}");
        }
        let plain = [(0.0, "0"), (-0.0, "-0"), (0.00001, "0.00001"), (9e15, "9000000000000000")];
        let exponent = [(9.9e-6, "9.9e-6"), (1e16, "1e16"), (-5e-324, "-5e-324")];
        for (x, text) in plain.into_iter().chain(exponent) {
            assert_eq!(number(x), text);
        }
        assert_eq!((number(1e-5f32), number(1e16f32)), ("0.00001".into(), "1e16".into()));
        assert_eq!((number(f64::NAN), number(f32::NEG_INFINITY)), ("NaN".into(), "-inf".into()));
    }
}
