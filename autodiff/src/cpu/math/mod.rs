//! Elementary functions in branch-free arithmetic that the compiler vectorises.
//!
//! Results are within 2 units in the last place of the exact value over the whole range (Φ of
//! f32 within 2.2), subnormal numbers, zeros, infinities and NaN included; the tests hold every
//! function to that. exp, log, tanh, sech², sigmoid and the functions of `gauss.rs` stay in f32
//! lanes for f32; the other f32 functions compute in f64 lanes with short polynomials and round
//! once, so they need no compensated steps. An f64 function carries a second word where it must.
//!
//! With `FMA` products and sums round once: set it in code compiled for processors with
//! fused multiply-add, and only there.

mod arith;
mod atan;
mod erf;
mod exp;
mod gauss;
mod log;
mod logistic;
mod normal;
#[cfg(test)]
mod reference;
mod single;
#[cfg(test)]
mod tests;
mod trig;

pub(in crate::cpu) use normal::{normals, normals_short};

use crate::graph::Unary;
use crate::scalar::Real;

/// A float type with vectorised functions. Each is named after its primitive.
#[allow(missing_docs)]
pub(in crate::cpu) trait Fast: Real {
    /// Beyond this, [`Fast::sin`] and [`Fast::cos`] do not hold.
    const TURNS: Self;

    fn exp<const FMA: bool>(x: Self) -> Self;
    fn expm1<const FMA: bool>(x: Self) -> Self;
    fn log<const FMA: bool>(x: Self) -> Self;
    fn log1p<const FMA: bool>(x: Self) -> Self;
    fn tanh<const FMA: bool>(x: Self) -> Self;
    fn sech2<const FMA: bool>(x: Self) -> Self;
    fn sigmoid<const FMA: bool>(x: Self) -> Self;
    fn softplus<const FMA: bool>(x: Self) -> Self;
    fn erf<const FMA: bool>(x: Self) -> Self;
    fn gaussian<const FMA: bool>(x: Self) -> Self;
    fn normal_cdf<const FMA: bool>(x: Self) -> Self;
    fn normal_pdf<const FMA: bool>(x: Self) -> Self;
    fn sin<const FMA: bool>(x: Self) -> Self;
    fn cos<const FMA: bool>(x: Self) -> Self;
    fn atan<const FMA: bool>(x: Self) -> Self;
    fn floor<const FMA: bool>(x: Self) -> Self;
}

macro_rules! fast {
    ($t:ty, $turns:expr; $($name:ident = $($path:ident)::+;)*) => {
        impl Fast for $t {
            const TURNS: $t = $turns;
            $(#[inline(always)]
            fn $name<const FMA: bool>(x: $t) -> $t {
                $($path)::+::<FMA>(x.into()) as $t
            })*
        }
    };
}

fast! { f64, trig::TURNS;
    exp = exp::exp;
    expm1 = exp::expm1;
    log = log::log;
    log1p = log::log1p;
    tanh = logistic::tanh;
    sech2 = logistic::sech2;
    sigmoid = logistic::sigmoid;
    softplus = logistic::softplus;
    erf = erf::erf;
    gaussian = gauss::gaussian;
    normal_cdf = gauss::normal_cdf;
    normal_pdf = gauss::normal_pdf;
    sin = trig::sin;
    cos = trig::cos;
    atan = atan::atan;
    floor = arith::floor;
}

fast! { f32, trig::TURNS as f32;
    exp = single::exp;
    expm1 = exp::expm1_short;
    log = single::log;
    log1p = log::log1p_short;
    tanh = single::tanh;
    sech2 = single::sech2;
    sigmoid = single::sigmoid;
    softplus = logistic::softplus_short;
    erf = erf::erf_short;
    gaussian = gauss::single::gaussian;
    normal_cdf = gauss::single::normal_cdf;
    normal_pdf = gauss::single::normal_pdf;
    sin = trig::sin_short;
    cos = trig::cos_short;
    atan = atan::atan_short;
    floor = arith::floor;
}

/// Evaluates `f` on a block by branch-free arithmetic that the compiler vectorises. Returns
/// false where there is no vectorised form of its own: `f.map(x, y)` is one already.
#[inline(always)]
pub(in crate::cpu) fn map<const FMA: bool, T: Fast>(f: Unary, x: &[T], y: &mut [T]) -> bool {
    macro_rules! each {
        ($f:ident) => {
            for (y, &x) in y.iter_mut().zip(x) {
                *y = <T as Fast>::$f::<FMA>(x);
            }
        };
    }
    match f {
        Unary::Exp | Unary::ExpStrong => each!(exp),
        Unary::Expm1 => each!(expm1),
        Unary::Log => each!(log),
        Unary::Log1p => each!(log1p),
        Unary::Tanh => each!(tanh),
        Unary::Sech2 => each!(sech2),
        Unary::Sigmoid => each!(sigmoid),
        Unary::Softplus => each!(softplus),
        Unary::Erf => each!(erf),
        Unary::Gaussian => each!(gaussian),
        Unary::NormalCdf => each!(normal_cdf),
        Unary::NormalPdf => each!(normal_pdf),
        Unary::Atan => each!(atan),
        Unary::Sin => {
            each!(sin);
            repair(f, x, y);
        }
        Unary::Cos => {
            each!(cos);
            repair(f, x, y);
        }
        // Only here is rounding down a function call.
        Unary::Floor if !FMA && cfg!(target_arch = "x86_64") => each!(floor),
        _ => return false,
    }
    true
}

/// Evaluates anew the elements beyond [`Fast::TURNS`], which are rare.
#[inline(always)]
fn repair<T: Fast>(f: Unary, x: &[T], y: &mut [T]) {
    if x.iter().fold(0, |any, x| any | u32::from(x.abs() > T::TURNS)) != 0 {
        repair_each(f, x, y);
    }
}

#[cold]
#[inline(never)]
fn repair_each<T: Fast>(f: Unary, x: &[T], y: &mut [T]) {
    for (y, &x) in y.iter_mut().zip(x) {
        if x.abs() > T::TURNS {
            *y = f.eval(x);
        }
    }
}
