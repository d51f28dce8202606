//! What the words of a group of random blocks make.

use super::math;
use crate::Element;
use crate::graph::Distribution;
use crate::scalar::philox::{self, GROUP, Words};

/// Elements that are drawn by groups.
pub(super) trait Drawable: Element {
    /// Whether the low halves of the random bits are of use.
    const TAKES_LOW: bool;

    /// The elements that the words of a group make.
    fn draw<const FMA: bool>(from: Distribution, high: &Words, low: &Words, to: &mut [Self; GROUP]);
}

impl Drawable for f32 {
    const TAKES_LOW: bool = false;

    #[inline(always)]
    fn draw<const FMA: bool>(from: Distribution, high: &Words, _: &Words, to: &mut [f32; GROUP]) {
        match from {
            Distribution::Normal => math::normals_short::<FMA>(high, to),
            _ => {
                let words = to.iter_mut().zip(high.as_flattened());
                words.for_each(|(to, &high)| *to = philox::unit_short(high));
            }
        }
    }
}

impl Drawable for f64 {
    const TAKES_LOW: bool = true;

    #[inline(always)]
    fn draw<const FMA: bool>(from: Distribution, high: &Words, low: &Words, to: &mut [f64; GROUP]) {
        match from {
            Distribution::Normal => math::normals::<FMA>(high, low, to),
            _ => {
                let words = high.as_flattened().iter().zip(low.as_flattened());
                to.iter_mut().zip(words).for_each(|(to, (&h, &l))| *to = philox::unit(h, l));
            }
        }
    }
}

impl Drawable for u32 {
    const TAKES_LOW: bool = false;

    #[inline(always)]
    fn draw<const FMA: bool>(_: Distribution, high: &Words, _: &Words, to: &mut [u32; GROUP]) {
        to.copy_from_slice(high.as_flattened());
    }
}
