//! Smaller, noisier and split versions of a data set.

use std::collections::BTreeMap;

use super::random::{Purpose, Stream};
use super::{DataError, Dataset};

impl Dataset {
    /// The first ⌈fraction · n⌉ examples.
    ///
    /// A product within rounding error of an integer counts as that integer,
    /// so 0.07 of 100 examples is 7.
    ///
    /// # Errors
    ///
    /// [`DataError::Fraction`] unless 0 < fraction ≤ 1.
    pub fn first_fraction(&self, fraction: f64) -> Result<Self, DataError> {
        if !(fraction > 0.0 && fraction <= 1.0) {
            return Err(DataError::Fraction {
                what: "the fraction of examples kept",
                range: "0 < fraction <= 1",
                found: fraction,
            });
        }
        let exact = fraction * self.len() as f64;
        let nearest = exact.round();
        let count = if (exact - nearest).abs() <= 4.0 * f64::EPSILON * exact {
            nearest
        } else {
            exact.ceil()
        };
        let indices: Vec<usize> = (0..self.len().min(count as usize)).collect();
        self.select(self.name().to_owned(), &indices)
    }

    /// Gives round(fraction · n) distinct examples a wrong class, chosen
    /// uniformly among the other classes.
    ///
    /// Equal seeds flip equal examples to equal classes.
    ///
    /// ```
    /// let (clean, _) = burlap_nn::data::digits_split()?;
    /// let noisy = clean.clone().flip_labels(0.2, 1)?;
    /// let wrong = clean.labels().iter().zip(noisy.labels()).filter(|(a, b)| a != b);
    /// assert_eq!(wrong.count(), 288); // of 1438
    /// # Ok::<(), burlap_nn::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DataError::Fraction`] unless 0 ≤ fraction ≤ 1, and
    /// [`DataError::TooFewClasses`] if a label must change but there is only
    /// one class.
    pub fn flip_labels(mut self, fraction: f64, seed: u64) -> Result<Self, DataError> {
        if !(0.0..=1.0).contains(&fraction) {
            return Err(DataError::Fraction {
                what: "the fraction of labels flipped",
                range: "0 <= fraction <= 1",
                found: fraction,
            });
        }
        let classes = self.classes();
        let count = (fraction * self.len() as f64).round() as usize;
        if count > 0 && classes < 2 {
            return Err(DataError::TooFewClasses { name: self.name().to_owned(), classes });
        }
        let mut stream = Stream::new(seed, Purpose::Flip, 0);
        let flipped = stream.sample(self.len(), count);
        let labels = self.labels_mut();
        for index in flipped {
            // A draw among the other classes, which are those below the old
            // one and, shifted by one, those above.
            let other = stream.below(classes as u64 - 1) as u32;
            labels[index] = other + u32::from(other >= labels[index]);
        }
        Ok(self)
    }

    /// Splits into (train, test) with the same proportions of the classes.
    ///
    /// The test part has round(`test_fraction` · n) examples. Its share of
    /// each class is exact up to rounding: down or up by less than one
    /// example. Both parts are in random order, so that
    /// [`first_fraction`](Self::first_fraction) of either is a random subset.
    ///
    /// ```
    /// let digits = burlap_nn::data::digits()?;
    /// let (train, test) = digits.stratified_split(0.25, 3)?;
    /// assert_eq!((train.len(), test.len()), (1348, 449));
    /// # Ok::<(), burlap_nn::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`DataError::Fraction`] unless 0 < `test_fraction` < 1, and
    /// [`DataError::Empty`] if rounding leaves a part without examples.
    pub fn stratified_split(
        &self,
        test_fraction: f64,
        seed: u64,
    ) -> Result<(Self, Self), DataError> {
        if !(test_fraction > 0.0 && test_fraction < 1.0) {
            return Err(DataError::Fraction {
                what: "the test fraction",
                range: "0 < fraction < 1",
                found: test_fraction,
            });
        }
        let mut wanted = self.test_quotas(test_fraction);
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for index in Stream::new(seed, Purpose::Split, 0).permutation(self.len()) {
            match wanted.get_mut(&self.labels()[index]) {
                Some(quota) if *quota > 0 => {
                    *quota -= 1;
                    test.push(index);
                }
                _ => train.push(index),
            }
        }
        // A class reaches the train part only when its test quota is full, so
        // the parts are not in random order yet.
        let mut stream = Stream::new(seed, Purpose::Split, 1);
        let mut shuffled = |part: Vec<usize>| -> Vec<usize> {
            let order = stream.permutation(part.len());
            order.into_iter().map(|i| part[i]).collect()
        };
        let (train, test) = (shuffled(train), shuffled(test));
        Ok((
            self.select(format!("{} train", self.name()), &train)?,
            self.select(format!("{} test", self.name()), &test)?,
        ))
    }

    /// Test examples of each class, by the largest remainder method: every
    /// class gets its share rounded down, and the classes that lost most to
    /// the rounding get one more until the total is right.
    fn test_quotas(&self, fraction: f64) -> BTreeMap<u32, usize> {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for &label in self.labels() {
            *counts.entry(label).or_default() += 1;
        }
        let total = (fraction * self.len() as f64).round() as usize;
        let mut remainders: Vec<(u32, f64)> = Vec::new();
        let mut quotas = BTreeMap::new();
        for (label, count) in counts {
            let share = fraction * count as f64;
            quotas.insert(label, share.floor() as usize);
            remainders.push((label, share.fract()));
        }
        // Stable, so ties go to the lower class.
        remainders.sort_by(|a, b| b.1.total_cmp(&a.1));
        let given: usize = quotas.values().sum();
        for (label, _) in remainders.into_iter().take(total.saturating_sub(given)) {
            *quotas.entry(label).or_default() += 1;
        }
        quotas
    }
}
