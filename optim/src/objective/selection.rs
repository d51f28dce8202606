//! Choosing among the parameters by scores, where these live: numbers of elements alone go to the
//! host.

use super::Objective;
use super::cache::Key;
use crate::error::Result;
use burlap_autodiff::{Array, DType, Operand, Var};
use std::ops::Range;

/// Both of two truth values.
fn both(a: Var, b: Var) -> Var {
    a.min(b)
}

/// The number of true elements.
fn number(mask: Var) -> Var {
    mask.cast(DType::F64).sum()
}

/// Scores as they are compared: NaN counts as the largest.
fn comparable(scores: Var) -> Var {
    scores.equal(scores).select(scores, f64::INFINITY)
}

/// Which of the first elements below `bound` have exactly a score.
fn tied(scores: Var, threshold: Var, indices: Var, bound: impl Into<Operand>) -> Var {
    both(comparable(scores).equal(threshold), indices.lt(bound))
}

/// A number whose order as an integer is that of the doubles, infinities included.
fn rank(x: f64) -> i64 {
    let bits = x.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// The double of a rank.
fn of_rank(rank: i64) -> f64 {
    f64::from_bits((rank ^ (((rank >> 63) as u64) >> 1) as i64) as u64)
}

impl Objective {
    /// The parameters in some ranges, all of them for none: a mask of type `Bool`.
    pub(crate) fn within(&self, ranges: Option<&[Range<usize>]>) -> Result<Array> {
        let n = self.dim();
        let whole = std::slice::from_ref(&(0..n)).to_vec();
        let ranges = ranges.map_or(whole, <[_]>::to_vec);
        let program = self.array_program(Key::Within(ranges.clone()), &[], |tape, _| {
            let indices = tape.iota(n);
            let within = |range: &Range<usize>| {
                both(indices.ge(range.start as f64), indices.lt(range.end as f64))
            };
            let mask = ranges.iter().map(within).reduce(Var::max);
            vec![mask.unwrap_or_else(|| indices.lt(0.0))]
        })?;
        Ok(program.run(&[])?.swap_remove(0))
    }

    /// The number of true elements of a mask.
    pub(crate) fn count(&self, mask: &Array) -> Result<usize> {
        let like = std::slice::from_ref(mask);
        let program = self.array_program(Key::Count, like, |_, mask| vec![number(mask[0])])?;
        Ok(program.run(&[mask])?[0].item()? as usize)
    }

    /// Those `count` of the candidates with the largest scores, of equal ones the first: a mask of
    /// type `Bool`, like the candidates; scores are of type `F64`. NaN counts as the largest.
    ///
    /// The score from which on elements are chosen is found by bisection between all doubles: a pass
    /// over the scores for each bit at most.
    pub(crate) fn largest(
        &self,
        scores: &Array,
        candidates: &Array,
        count: usize,
    ) -> Result<Array> {
        if count >= self.count(candidates)? {
            return Ok(candidates.clone());
        }
        let like = [scores.clone(), candidates.clone()];
        let above = self.array_program(Key::Above, &like, |tape, v| {
            let threshold = tape.input("threshold", DType::F64, ());
            vec![number(both(comparable(v[0]).gt(threshold), v[1]))]
        })?;
        let run = |threshold: f64| -> Result<usize> {
            let found = above.run(&[scores, candidates, &Array::scalar(threshold)])?;
            Ok(found[0].item()? as usize)
        };
        // The least threshold with at most `count` scores above it.
        let (mut low, mut high) = (rank(f64::NEG_INFINITY) - 1, rank(f64::INFINITY));
        let mut chosen = 0;
        while chosen != count && high.abs_diff(low) > 1 {
            let middle = low.midpoint(high);
            match run(of_rank(middle))? {
                more if more > count => low = middle,
                found => (high, chosen) = (middle, found),
            }
        }
        let threshold = Array::scalar(of_rank(high));
        let bound = self.first_ties((scores, candidates), &threshold, count - chosen)?;
        let mask = self.array_program(Key::Largest, &like, |tape, v| {
            let threshold = tape.input("threshold", DType::F64, ());
            let bound = tape.input("bound", DType::U32, ());
            let tied = tied(v[0], threshold, tape.iota(self.dim()), bound);
            vec![both(comparable(v[0]).gt(threshold).max(tied), v[1])]
        })?;
        let inputs = [scores, candidates, &threshold, &Array::scalar(bound)];
        Ok(mask.run(&inputs)?.swap_remove(0))
    }

    /// The index below which `count` candidates have exactly the score of a threshold.
    fn first_ties(
        &self,
        (scores, candidates): (&Array, &Array),
        threshold: &Array,
        count: usize,
    ) -> Result<u32> {
        let (mut low, mut high) = (0, self.dim() as u32);
        if count == 0 {
            return Ok(low);
        }
        let like = [scores.clone(), candidates.clone()];
        let program = self.array_program(Key::Ties, &like, |tape, v| {
            let threshold = tape.input("threshold", DType::F64, ());
            let bound = tape.input("bound", DType::U32, ());
            vec![number(both(tied(v[0], threshold, tape.iota(self.dim()), bound), v[1]))]
        })?;
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let found = program.run(&[scores, candidates, threshold, &Array::scalar(middle)])?;
            if (found[0].item()? as usize) < count { low = middle } else { high = middle }
        }
        Ok(high)
    }

    /// What a formula makes of vectors of any types: masks, scores.
    pub(crate) fn of_vectors(
        &self,
        key: Key,
        vectors: &[&Array],
        record: impl FnOnce(&[Var]) -> Var,
    ) -> Result<Array> {
        let like: Vec<Array> = vectors.iter().map(|&v| v.clone()).collect();
        let program = self.array_program(key, &like, |_, v| vec![record(v)])?;
        Ok(program.run(vectors)?.swap_remove(0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{of_rank, rank};
    use crate::Objective;
    use burlap_autodiff::testing::Device;
    use burlap_autodiff::{Array, Backend, Cpu, DType, Var, philox4x32};

    #[test]
    fn ranks_are_in_the_order_of_numbers() {
        let all =
            [f64::NEG_INFINITY, -1.5, -5e-324, -0.0, 0.0, 5e-324, 1.0, f64::MAX, f64::INFINITY];
        assert!(all.windows(2).all(|w| rank(w[0]) < rank(w[1])));
        assert!(all.iter().all(|&x| of_rank(rank(x)).to_bits() == x.to_bits()));
        assert_eq!(of_rank(rank(1.0) + 1), 1.0 + f64::EPSILON);
    }

    /// The candidates in the order of their scores, of equal ones the first.
    fn expected(scores: &[f64], candidates: &[bool], count: usize) -> Vec<bool> {
        let mut order: Vec<usize> = (0..scores.len()).filter(|&i| candidates[i]).collect();
        let value = |i: usize| if scores[i].is_nan() { f64::INFINITY } else { scores[i] };
        order.sort_by(|&a, &b| value(b).partial_cmp(&value(a)).unwrap().then(a.cmp(&b)));
        order.truncate(count);
        (0..scores.len()).map(|i| order.contains(&i)).collect()
    }

    #[test]
    fn the_largest_are_those_of_a_sorted_list() {
        let backends: [Box<dyn Backend>; 2] = [
            Box::new(Cpu::with_threads(1).unwrap()),
            Box::new(Device::wrapping(Cpu::with_threads(1).unwrap())),
        ];
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -5e-324, 1e300, 1e-300, -1e300];
        for seed in 0..60 {
            let n = 1 + seed as usize % 37;
            let word = |i: usize| philox4x32([seed, 7], [i as u32, 0, 0, 0]);
            // Few values, so that many are equal; some of every kind.
            let score = |i: usize| match word(i)[0] % 5 {
                0 => odd[word(i)[1] as usize % odd.len()],
                1 | 2 => f64::from(word(i)[1] % 4),
                _ => f64::from(word(i)[1]) * 1e-9 - 2.0,
            };
            let scores: Vec<f64> = (0..n).map(score).collect();
            let candidates: Vec<bool> = (0..n).map(|i| word(i)[2] % 4 > 0).collect();
            let count = word(n)[0] as usize % (n + 2);
            let expected = expected(&scores, &candidates, count);
            for backend in &backends {
                let loss = |x: Var, _: &[Var]| x.sum();
                let objective = Objective::new(backend.boxed(), DType::F32, n, loss);
                let [scores, candidates] =
                    [Array::vector(scores.clone()), Array::vector(candidates.clone())];
                let found = objective.largest(&scores, &candidates, count).unwrap();
                let found = found.download().unwrap();
                assert_eq!(found.as_slice::<bool>().unwrap(), expected, "{seed}");
            }
        }
    }
}
