//! Every function within 2 units in the last place, with and without fused operations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::reference::{Reference, error_in_ulp};
use super::{Fast, map};
use crate::graph::Unary;

const FUNCTIONS: [Unary; 15] = [
    Unary::Exp,
    Unary::Expm1,
    Unary::Log,
    Unary::Log1p,
    Unary::Tanh,
    Unary::Sech2,
    Unary::Sigmoid,
    Unary::Softplus,
    Unary::Erf,
    Unary::Gaussian,
    Unary::NormalCdf,
    Unary::NormalPdf,
    Unary::Sin,
    Unary::Cos,
    Unary::Atan,
];

const BOUND: f64 = 2.0;

type Block<T> = fn(Unary, &[T], &mut [T]);

fn plain<T: Fast>(f: Unary, x: &[T], y: &mut [T]) {
    assert!(map::<false, T>(f, x, y));
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use super::{Fast, Unary, map};

    #[target_feature(enable = "avx2,fma")]
    pub(super) fn avx2<T: Fast>(f: Unary, x: &[T], y: &mut [T]) {
        assert!(map::<true, T>(f, x, y));
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
    pub(super) fn avx512<T: Fast>(f: Unary, x: &[T], y: &mut [T]) {
        assert!(map::<true, T>(f, x, y));
    }
}

/// The ways this machine can run.
fn ways<T: Fast>() -> Vec<(&'static str, Block<T>)> {
    let mut ways: Vec<(&'static str, Block<T>)> = vec![("plain", plain::<T>)];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: the processor has the features.
            ways.push(("avx2", |f, x, y| unsafe { wide::avx2(f, x, y) }));
        }
        if ["avx512f", "avx512dq", "avx512vl", "avx512bw"].iter().all(|&name| match name {
            "avx512f" => is_x86_feature_detected!("avx512f"),
            "avx512dq" => is_x86_feature_detected!("avx512dq"),
            "avx512vl" => is_x86_feature_detected!("avx512vl"),
            _ => is_x86_feature_detected!("avx512bw"),
        }) {
            // SAFETY: as above.
            ways.push(("avx512", |f, x, y| unsafe { wide::avx512(f, x, y) }));
        }
    }
    #[cfg(target_arch = "aarch64")]
    ways.push(("fused", |f, x, y| assert!(map::<true, T>(f, x, y))));
    ways
}

/// Where the function has a value: elsewhere it is NaN.
fn in_domain(f: Unary, x: f64) -> bool {
    match f {
        Unary::Log => x > 0.0,
        Unary::Log1p => x > -1.0,
        _ => true,
    }
}

/// The reference for f32: f64 has 29 bits to spare.
fn double(f: Unary, x: f64) -> f64 {
    match f {
        Unary::Exp => x.exp(),
        Unary::Expm1 => x.exp_m1(),
        Unary::Log => x.ln(),
        Unary::Log1p => x.ln_1p(),
        Unary::Tanh => x.tanh(),
        Unary::Sech2 => {
            let e = (-2.0 * x.abs()).exp();
            4.0 * e / ((1.0 + e) * (1.0 + e))
        }
        Unary::Sigmoid if x < 0.0 => x.exp() / (1.0 + x.exp()),
        Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
        Unary::Erf => libm::erf(x),
        Unary::Gaussian => (-x * x).exp(),
        Unary::NormalCdf => 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2),
        Unary::NormalPdf => (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        _ => x.atan(),
    }
}

/// How far y is from the exact value, in units of its last place in f32.
fn error_in_short_ulp(y: f32, exact: f64) -> f64 {
    if f64::from(y) == exact {
        return 0.0;
    }
    if y.is_infinite() {
        let right = exact.abs() > f64::from(f32::MAX) && exact.is_sign_negative() == (y < 0.0);
        return if right { 0.0 } else { f64::INFINITY };
    }
    let exponent = ((exact.to_bits() >> 52) & 0x7ff) as i32 - 1023;
    (f64::from(y) - exact).abs() / f64::exp2(f64::from((exponent - 23).max(-149)))
}

#[test]
fn f32_is_within_two_units_over_all_bit_patterns() {
    const STEP: usize = 1499;
    let all: Vec<f32> = (0..=u32::MAX).step_by(STEP).map(f32::from_bits).collect();
    for f in FUNCTIONS {
        let x: Vec<f32> =
            all.iter().copied().filter(|x| x.is_finite() && in_domain(f, f64::from(*x))).collect();
        let exact: Vec<f64> = x.iter().map(|&x| double(f, f64::from(x))).collect();
        let mut y = vec![0.0; x.len()];
        for (way, block) in ways::<f32>() {
            block(f, &x, &mut y);
            let mut worst = (0.0, 0.0);
            for ((&x, &y), &exact) in x.iter().zip(&y).zip(&exact) {
                let error = error_in_short_ulp(y, exact);
                if error.is_nan() || error > worst.0 {
                    worst = (error, x);
                }
            }
            println!("f32 {:9} {way:7} {:.3} ulp at {:e}", f.name(), worst.0, worst.1);
            assert!(worst.0 <= BOUND, "{} {way}: {} ulp at {:e}", f.name(), worst.0, worst.1);
        }
    }
}

/// A stream of bits.
struct Bits(u64);

impl Bits {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        x ^ (x >> 32)
    }

    /// Uniform in [low, high).
    fn within(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * ((self.next() >> 11) as f64 / (1u64 << 53) as f64)
    }
}

/// Points of all magnitudes, dense where the functions change and where the code does.
fn points(f: Unary) -> Vec<f64> {
    use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_4, LN_2, SQRT_2};
    let mut bits = Bits(u64::from(f as u8) + 1);
    let mut x = Vec::new();
    for _ in 0..500 {
        // A sign, an exponent and a mantissa.
        x.push(f64::from_bits(bits.next()));
        let exponent = bits.within(-70.0, 12.0);
        x.push(f64::exp2(exponent) * if bits.next() & 1 == 0 { 1.0 } else { -1.0 });
    }
    for bound in [1.0, 1.0, 4.0, 8.0, 40.0, 760.0] {
        x.extend((0..250).map(|_| bits.within(-bound, bound)));
    }
    for _ in 0..100 {
        x.push(bits.within(-746.0, -700.0));
        x.push(bits.within(700.0, 710.0));
        x.push(bits.within(0.5, 2.0));
        x.push(bits.within(0.99, 1.01));
        x.push(bits.within(-1.0, -0.99));
        x.push(bits.within(-1e6, 1e6));
        x.push(f64::from_bits(bits.next() >> 12));
    }
    // Multiples of π/4, the hardest for sine and cosine, and borders of ranges.
    let mut edges: Vec<f64> = (1..200).map(|n| f64::from(n) * FRAC_PI_4).collect();
    edges.extend((0..60).map(|_| (bits.within(0.0, 2e6)).floor() * FRAC_PI_4));
    edges.extend((1..60).map(|n| (f64::from(n) - 0.5) * LN_2));
    edges.extend([SQRT_2, FRAC_1_SQRT_2, SQRT_2 - 1.0, SQRT_2 + 1.0, 1.0, 2.0, 3.92, 6.0, 20.0]);
    edges.extend([
        26.64,
        27.22,
        37.5,
        38.6,
        FRAC_1_SQRT_2 - 1.0,
        40.0,
        373.0,
        1.6e6,
        709.782712893384,
        745.1332191019411,
    ]);
    edges.extend([super::arith::TINY, f64::EPSILON, f64::MIN_POSITIVE, f64::MAX, 5e-324]);
    // A double as near to a multiple of π/2 as they come below the bound of the reduction.
    edges.extend([6381956970095103.0 * f64::exp2(-40.0), 710_335.477_793_995_8]);
    for edge in edges {
        for near in [edge.next_down(), edge, edge.next_up()] {
            x.extend([near, -near]);
        }
    }
    x.retain(|x| x.is_finite() && in_domain(f, *x));
    // The reference takes the whole of a number into account, digit by digit.
    if matches!(f, Unary::Sin | Unary::Cos) {
        x.retain(|x| x.abs() < 1e9);
    }
    x
}

#[test]
fn f64_is_within_two_units_of_a_reference_of_higher_precision() {
    let mut reference = Reference::new();
    for f in FUNCTIONS {
        let x = points(f);
        assert!(x.len() >= 2000);
        let exact: Vec<_> = x.iter().map(|&x| reference.value(f, x)).collect();
        let mut y = vec![0.0; x.len()];
        for (way, block) in ways::<f64>() {
            block(f, &x, &mut y);
            let mut worst = (0.0, 0.0);
            for ((&x, &y), exact) in x.iter().zip(&y).zip(&exact) {
                let error = error_in_ulp(y, exact);
                if error.is_nan() || error > worst.0 {
                    worst = (error, x);
                }
            }
            println!("f64 {:9} {way:7} {:.3} ulp at {:e}", f.name(), worst.0, worst.1);
            assert!(worst.0 <= BOUND, "{} {way}: {} ulp at {:e}", f.name(), worst.0, worst.1);
        }
    }
}

/// Arguments and values that have one right answer, to the sign of a zero.
fn exact_values() -> Vec<(Unary, f64, f64)> {
    const INF: f64 = f64::INFINITY;
    let mut cases = vec![
        (Unary::Exp, INF, INF),
        (Unary::Exp, -INF, 0.0),
        (Unary::Exp, 0.0, 1.0),
        (Unary::Exp, -0.0, 1.0),
        (Unary::Expm1, INF, INF),
        (Unary::Expm1, -INF, -1.0),
        (Unary::Log, INF, INF),
        (Unary::Log, -INF, f64::NAN),
        (Unary::Log, -1.0, f64::NAN),
        (Unary::Log, -1e-40, f64::NAN),
        (Unary::Log, 1.0, 0.0),
        (Unary::Log, 0.0, -INF),
        (Unary::Log, -0.0, -INF),
        (Unary::Log1p, INF, INF),
        (Unary::Log1p, -INF, f64::NAN),
        (Unary::Log1p, -1.5, f64::NAN),
        (Unary::Log1p, -1.0, -INF),
        (Unary::Tanh, INF, 1.0),
        (Unary::Tanh, -INF, -1.0),
        (Unary::Sech2, INF, 0.0),
        (Unary::Sech2, -INF, 0.0),
        (Unary::Sech2, 0.0, 1.0),
        (Unary::Sigmoid, INF, 1.0),
        (Unary::Sigmoid, -INF, 0.0),
        (Unary::Sigmoid, 0.0, 0.5),
        (Unary::Softplus, INF, INF),
        (Unary::Softplus, -INF, 0.0),
        (Unary::Gaussian, INF, 0.0),
        (Unary::Gaussian, -INF, 0.0),
        (Unary::Gaussian, 0.0, 1.0),
        (Unary::NormalCdf, INF, 1.0),
        (Unary::NormalCdf, -INF, 0.0),
        (Unary::NormalCdf, 0.0, 0.5),
        (Unary::NormalPdf, INF, 0.0),
        (Unary::NormalPdf, -INF, 0.0),
        (Unary::Erf, INF, 1.0),
        (Unary::Erf, -INF, -1.0),
        (Unary::Sin, INF, f64::NAN),
        (Unary::Sin, -INF, f64::NAN),
        (Unary::Cos, INF, f64::NAN),
        (Unary::Cos, -INF, f64::NAN),
        (Unary::Cos, 0.0, 1.0),
    ];
    for f in FUNCTIONS {
        cases.push((f, f64::NAN, f64::NAN));
    }
    for f in [Unary::Expm1, Unary::Log1p, Unary::Tanh, Unary::Sin, Unary::Atan, Unary::Erf] {
        cases.extend([(f, 0.0, 0.0), (f, -0.0, -0.0)]);
    }
    cases
}

fn special_values<T: Fast>() {
    for (f, x, value) in exact_values() {
        for (way, block) in ways::<T>() {
            // A whole block, for the lanes, and one more, for the rest.
            let x = [T::lit(x); 17];
            let mut y = [T::lit(7.0); 17];
            block(f, &x, &mut y);
            for y in y.map(|y| num_traits::ToPrimitive::to_f64(&y).unwrap()) {
                let same = y == value && y.is_sign_negative() == value.is_sign_negative();
                let right = same || (y.is_nan() && value.is_nan());
                assert!(right, "{} {way} of {:?}: {y:?}, not {value:?}", f.name(), x[0]);
            }
        }
    }
}

#[test]
fn special_values_are_exact() {
    special_values::<f32>();
    special_values::<f64>();
}

fn places<T: Fast>() {
    let mut bits = Bits(5);
    let x: Vec<T> = (0..61).map(|_| T::lit(bits.within(-3.0, 9.0))).collect();
    for f in FUNCTIONS {
        for (way, block) in ways::<T>() {
            let mut y = vec![T::zero(); x.len()];
            block(f, &x, &mut y);
            for (&x, &y) in x.iter().zip(&y) {
                let mut alone = [T::zero()];
                block(f, &[x], &mut alone);
                let same = alone[0] == y || (alone[0].is_nan() && y.is_nan());
                assert!(same, "{} {way} of {x:?}: {y:?} or {:?}", f.name(), alone[0]);
            }
        }
    }
}

#[test]
fn a_result_does_not_depend_on_the_place_in_a_block() {
    places::<f32>();
    places::<f64>();
}

fn far_from_zero<T: Fast>() {
    let x: Vec<T> = [1.0, 1e5, 1.7e6, -1e9, 1e22, 0.5, -3e38, 7.0].map(T::lit).to_vec();
    for f in [Unary::Sin, Unary::Cos] {
        for (way, block) in ways::<T>() {
            let mut y = vec![T::zero(); x.len()];
            block(f, &x, &mut y);
            for (&x, &y) in x.iter().zip(&y).filter(|(x, _)| x.abs() > T::TURNS) {
                assert!(y == f.eval(x), "{} {way} of {x:?}", f.name());
            }
        }
    }
}

#[test]
fn many_turns_take_the_scalar_way() {
    far_from_zero::<f32>();
    far_from_zero::<f64>();
}

fn floors<T: Fast>() {
    let large = 4_503_599_627_370_495.5;
    for x in [0.0, -0.0, 0.3, -0.3, 0.5, 1.5, -1.5, 2.0, -2.0, large, -large, 1e300, -5e-324] {
        let x = T::lit(x);
        let y = <T as Fast>::floor::<false>(x);
        let right = Unary::Floor.eval(x);
        assert!(y == right && y.is_sign_negative() == right.is_sign_negative(), "{x:?}");
    }
    assert!(<T as Fast>::floor::<false>(T::infinity()) == T::infinity());
    assert!(<T as Fast>::floor::<false>(T::nan()).is_nan());
}

#[test]
fn floor_without_an_instruction_is_floor() {
    floors::<f32>();
    floors::<f64>();
}
