//! Einstein's summation convention for two operands, recorded as contractions and transposes.

use crate::error::{At, Error};
use crate::graph::Contraction;
use crate::tape::{Var, record1};

struct Spec {
    left: Vec<u8>,
    right: Vec<u8>,
    result: Vec<u8>,
}

fn parse(spec: &str) -> Option<Spec> {
    let (operands, result) = spec.split_once("->")?;
    let (left, right) = operands.split_once(',')?;
    let letters = |text: &str| -> Option<Vec<u8>> {
        let mut letters: Vec<u8> = Vec::new();
        for c in text.trim().bytes() {
            // A letter twice in one operand would be a diagonal, which is not offered.
            if !c.is_ascii_alphabetic() || letters.contains(&c) {
                return None;
            }
            letters.push(c);
        }
        Some(letters)
    };
    let spec = Spec { left: letters(left)?, right: letters(right)?, result: letters(result)? };
    let known = spec.result.iter().all(|c| spec.left.contains(c) || spec.right.contains(c));
    known.then_some(spec)
}

impl Var {
    /// The product of two values in Einstein's notation, such as
    /// `q.einsum("bhqd,bhkd->bhqk", k)`: letters that are missing on the right are summed over.
    #[track_caller]
    pub fn einsum(self, spec: &str, other: Var) -> Var {
        let at = At::caller();
        let fail = |problem: String| {
            record1(self, "einsum", at, |_, _| Err(Error::Parameter { op: "einsum", problem, at }))
        };
        let Some(Spec { mut left, mut right, result }) = parse(spec) else {
            return fail(format!(
                "{spec:?} is not of the form \"ij,jk->ik\" with each letter once an operand"
            ));
        };
        if left.len() != self.rank() || right.len() != other.rank() {
            return fail(format!(
                "{spec:?} does not name the axes of {} and {}",
                self.shape(),
                other.shape()
            ));
        }
        // Letters of one operand only that the result lacks are summed at once.
        let lone = |own: &mut Vec<u8>, others: &[u8]| -> Vec<usize> {
            let gone = |c: &u8| !others.contains(c) && !result.contains(c);
            let axes = (0..own.len()).filter(|&i| gone(&own[i])).collect();
            own.retain(|c| !gone(c));
            axes
        };
        let a = self.sum_axes(&lone(&mut left, &right));
        let b = other.sum_axes(&lone(&mut right, &left));
        let place = |letters: &[u8], c: u8| letters.iter().position(|&d| d == c).unwrap_or(0) as u8;
        let mut c = Contraction::default();
        let mut order: Vec<u8> = Vec::new();
        for &letter in left.iter().filter(|l| right.contains(l)) {
            let pair = (place(&left, letter), place(&right, letter));
            if result.contains(&letter) {
                c.left_batch.push(pair.0);
                c.right_batch.push(pair.1);
                order.push(letter);
            } else {
                c.left_sum.push(pair.0);
                c.right_sum.push(pair.1);
            }
        }
        order.extend(left.iter().filter(|l| !right.contains(l)));
        order.extend(right.iter().filter(|l| !left.contains(l)));
        let product = a.contract_at(b, c, "einsum", at);
        let axes: Vec<usize> = result.iter().map(|&l| place(&order, l) as usize).collect();
        product.transpose(&axes)
    }
}
