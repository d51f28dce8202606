//! Normal numbers by the method of Box and Muller, from words of random bits.

use super::{log, single, trig};
use crate::scalar::philox::{GROUP, TOGETHER, Words, positive_unit, positive_unit_short, unit};
use std::f64::consts::TAU;

/// A turn is 2³² of these.
const ANGLE: f32 = (TAU / (1u64 << 32) as f64) as f32;

/// The elements that a group's words make, in double precision.
#[inline(always)]
pub(in crate::cpu) fn normals<const FMA: bool>(high: &Words, low: &Words, out: &mut [f64; GROUP]) {
    for first in [0, 2] {
        let (cosines, sines) = pair(out, first);
        for i in 0..TOGETHER {
            let u = positive_unit(high[first][i], low[first][i]);
            let radius = (-2.0 * log::log::<FMA>(u)).sqrt();
            let angle = TAU * unit(high[first + 1][i], low[first + 1][i]);
            cosines[i] = radius * trig::cos::<FMA>(angle);
            sines[i] = radius * trig::sin::<FMA>(angle);
        }
    }
}

/// The elements that a group's words make, in single precision.
#[inline(always)]
pub(in crate::cpu) fn normals_short<const FMA: bool>(high: &Words, out: &mut [f32; GROUP]) {
    for first in [0, 2] {
        let (cosines, sines) = pair(out, first);
        for i in 0..TOGETHER {
            let u = positive_unit_short(high[first][i]);
            let radius = (-2.0 * single::log::<FMA>(u)).sqrt();
            // The nearest quarter of a turn, and what is left: at most an eighth.
            let word = high[first + 1][i];
            let quarter = word.wrapping_add(1 << 29) >> 30;
            let rest = word.wrapping_sub(quarter << 30) as i32 as f32 * ANGLE;
            let (sin, cos) = single::sin_cos::<FMA>(rest);
            cosines[i] = radius * single::quarter(quarter + 1, sin, cos);
            sines[i] = radius * single::quarter(quarter, sin, cos);
        }
    }
}

/// Where the cosines and the sines of a pair of words go.
#[inline(always)]
fn pair<T>(out: &mut [T; GROUP], first: usize) -> (&mut [T], &mut [T]) {
    out[first * TOGETHER..][..2 * TOGETHER].split_at_mut(TOGETHER)
}
