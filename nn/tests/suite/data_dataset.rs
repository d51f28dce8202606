//! Building, splitting and corrupting data sets.

use std::collections::BTreeSet;

use burlap_nn::data::{DataError, Dataset};

/// Examples whose only feature is their index; label i has `counts[i]` of them,
/// in blocks.
fn blocks(counts: &[usize]) -> Dataset {
    let labels: Vec<u32> =
        (0..).zip(counts).flat_map(|(label, &count)| std::iter::repeat_n(label, count)).collect();
    let features = (0..labels.len()).map(|i| i as f32).collect();
    Dataset::new("blocks", features, labels, counts.len(), vec![1]).unwrap()
}

fn counts(data: &Dataset) -> Vec<usize> {
    let mut counts = vec![0; data.classes()];
    data.labels().iter().for_each(|&l| counts[l as usize] += 1);
    counts
}

fn new(features: Vec<f32>, labels: Vec<u32>, classes: usize, shape: Vec<usize>) -> DataError {
    Dataset::new("d", features, labels, classes, shape).unwrap_err()
}

#[test]
fn rows_follow_the_shape() {
    let features: Vec<f32> = (0..12).map(|i| i as f32).collect();
    let data = Dataset::new("d", features.clone(), vec![0, 2], 3, vec![2, 3]).unwrap();
    assert_eq!((data.len(), data.dim(), data.classes()), (2, 6, 3));
    assert!(!data.is_empty());
    assert_eq!(data.row(1), Some(&features[6..]));
    assert_eq!(data.row(2), None);
    assert_eq!(data.row(usize::MAX), None);
}

#[test]
fn what_does_not_fit_is_refused() {
    assert!(matches!(new(vec![], vec![], 1, vec![1]), DataError::Empty { .. }));
    assert!(matches!(new(vec![], vec![0], 1, vec![2, 0]), DataError::BadShape { .. }));
    assert!(matches!(new(vec![], vec![0], 1, vec![usize::MAX, 2]), DataError::BadShape { .. }));
    assert!(matches!(
        new(vec![1.0; 5], vec![0; 3], 1, vec![2]),
        DataError::FeatureCount { dim: 2, expected: 6, found: 5, .. }
    ));
    assert!(matches!(
        new(vec![1.0; 5], vec![0; 3], 1, vec![usize::MAX]),
        DataError::FeatureCount { .. }
    ));
    assert!(matches!(
        new(vec![0.0, 0.0, 0.0, f32::NAN], vec![0; 2], 1, vec![2]),
        DataError::FeatureNotFinite { example: 1, column: 1, .. }
    ));
    assert!(matches!(
        new(vec![1.0; 2], vec![1, 2], 2, vec![1]),
        DataError::LabelOutOfRange { example: 1, found: 2, .. }
    ));
    assert!(matches!(new(vec![1.0], vec![0], 0, vec![1]), DataError::LabelOutOfRange { .. }));
    #[cfg(target_pointer_width = "64")]
    assert!(matches!(new(vec![1.0], vec![0], 1 << 32, vec![1]), DataError::TooManyClasses { .. }));
}

#[test]
fn scaling_multiplies_and_stays_finite() {
    let data = blocks(&[2, 1]).scaled(0.5).unwrap();
    assert_eq!(data.features(), [0.0, 0.5, 1.0]);
    for factor in [f32::MAX, f32::INFINITY, f32::NAN] {
        let error = blocks(&[3, 1]).scaled(factor).unwrap_err();
        assert!(matches!(error, DataError::FeatureNotFinite { .. }));
    }
}

#[test]
fn gather_copies_in_the_order_asked() {
    let data = Dataset::new("d", vec![0., 1., 2., 3., 4., 5.], vec![0, 1, 2], 3, vec![2]).unwrap();
    let batch = data.gather(&[2, 0, 2]).unwrap();
    assert_eq!(batch.features, [4., 5., 0., 1., 4., 5.]);
    assert_eq!((batch.labels, batch.len), (vec![2, 0, 2], 3));
    assert_eq!(data.gather(&[]).unwrap().len, 0);
    assert!(matches!(
        data.gather(&[0, 3]),
        Err(DataError::IndexOutOfRange { index: 3, len: 3, .. })
    ));
}

#[test]
fn first_fraction_rounds_up_but_not_for_rounding_errors() {
    let data = blocks(&[50, 50]);
    for (fraction, expected) in [
        (1e-12, 1),
        (0.01, 1),
        (0.011, 2),
        (0.07, 7), // 0.07 × 100 is 7.000000000000001
        (0.5, 50),
        (0.995, 100),
        (1.0, 100),
    ] {
        let part = data.first_fraction(fraction).unwrap();
        assert_eq!(part.len(), expected, "{fraction}");
        assert_eq!(part.features(), &data.features()[..expected]);
        assert_eq!(part.labels(), &data.labels()[..expected]);
        assert_eq!(part.classes(), 2);
    }
    for fraction in [0.0, -0.1, 1.0 + 1e-9, f64::NAN, f64::INFINITY] {
        assert!(matches!(data.first_fraction(fraction), Err(DataError::Fraction { .. })));
    }
}

#[test]
fn flips_are_exactly_as_many_as_asked_and_never_to_the_same_class() {
    let clean = blocks(&[40, 30, 33]);
    for (fraction, expected) in [(0.0, 0), (0.004, 0), (0.01, 1), (0.2, 21), (0.5, 52), (1.0, 103)]
    {
        for seed in 0..20 {
            let noisy = clean.clone().flip_labels(fraction, seed).unwrap();
            let pairs = clean.labels().iter().zip(noisy.labels());
            let changed = pairs.filter(|(a, b)| a != b).count();
            assert_eq!(changed, expected, "{fraction} {seed}");
            assert!(noisy.labels().iter().all(|&l| l < 3));
            assert_eq!(noisy.features(), clean.features());
        }
    }
}

#[test]
fn flips_depend_on_the_seed_alone() {
    let clean = blocks(&[50, 50, 50]);
    let flip = |seed| clean.clone().flip_labels(0.3, seed).unwrap();
    assert_eq!(flip(1), flip(1));
    assert_ne!(flip(1), flip(2));
}

#[test]
fn flips_are_uniform_over_examples_and_other_classes() {
    let clean = blocks(&[10, 10, 10, 10]);
    let mut targets = [[0u32; 4]; 4];
    let mut hits = [0u32; 40];
    for seed in 0..3000 {
        let noisy = clean.clone().flip_labels(0.25, seed).unwrap();
        for (i, (&old, &new)) in clean.labels().iter().zip(noisy.labels()).enumerate() {
            if old != new {
                targets[old as usize][new as usize] += 1;
                hits[i] += 1;
            }
        }
    }
    // 2500 expected for each, standard deviation at most 50.
    for (old, row) in targets.iter().enumerate() {
        for (new, &count) in row.iter().enumerate() {
            assert!(old == new || count.abs_diff(2500) < 275, "{targets:?}");
        }
    }
    // 750 expected for each, standard deviation 24.
    assert!(hits.iter().all(|&c| c.abs_diff(750) < 130), "{hits:?}");
}

#[test]
fn impossible_flips_are_refused() {
    for fraction in [-0.1, 1.1, f64::NAN] {
        assert!(matches!(
            blocks(&[2, 2]).flip_labels(fraction, 0),
            Err(DataError::Fraction { .. })
        ));
    }
    assert!(matches!(
        blocks(&[4]).flip_labels(0.5, 0),
        Err(DataError::TooFewClasses { classes: 1, .. })
    ));
    assert_eq!(blocks(&[4]).flip_labels(0.0, 0).unwrap(), blocks(&[4]));
}

#[test]
fn splits_are_disjoint_complete_and_stratified() {
    for sizes in [&[100, 50, 10][..], &[7, 7, 7, 7, 7], &[1, 2, 3, 40], &[9, 0, 8]] {
        let data = blocks(sizes);
        for fraction in [0.1, 0.2, 0.25, 1.0 / 3.0, 0.5, 0.9] {
            for seed in 0..5 {
                let (train, test) = data.stratified_split(fraction, seed).unwrap();
                let total = (fraction * data.len() as f64).round() as usize;
                assert_eq!(test.len(), total, "{sizes:?} {fraction}");
                let ids = |part: &Dataset| -> BTreeSet<usize> {
                    part.features().iter().map(|&x| x as usize).collect()
                };
                assert!(ids(&train).is_disjoint(&ids(&test)));
                assert_eq!(train.len() + test.len(), data.len());
                assert_eq!(&ids(&train) | &ids(&test), (0..data.len()).collect::<BTreeSet<_>>());
                // Labels stayed with their examples.
                for part in [&train, &test] {
                    for (&id, &label) in part.features().iter().zip(part.labels()) {
                        assert_eq!(label, data.labels()[id as usize]);
                    }
                }
                for (&size, count) in sizes.iter().zip(counts(&test)) {
                    let exact = fraction * size as f64;
                    assert!(
                        (count as f64 - exact).abs() < 1.0,
                        "{sizes:?} {fraction} {count} {exact}"
                    );
                }
            }
        }
    }
}

#[test]
fn splits_depend_on_the_seed_and_leave_parts_in_random_order() {
    let data = blocks(&[200, 200]);
    let split = |seed| data.stratified_split(0.25, seed).unwrap();
    assert_eq!(split(5), split(5));
    assert_ne!(split(5), split(6));
    for part in [split(5).0, split(5).1] {
        let half = counts(&part.first_fraction(0.5).unwrap());
        let expected = part.len() / 4;
        // In blocks, one class would have none in the first half.
        assert!(half.iter().all(|c| c.abs_diff(expected) <= expected / 2), "{half:?}");
    }
}

#[test]
fn every_example_is_as_likely_to_be_tested() {
    let data = blocks(&[20, 12]);
    let mut hits = [0u32; 32];
    for seed in 0..2000 {
        let (_, test) = data.stratified_split(0.25, seed).unwrap();
        test.features().iter().for_each(|&id| hits[id as usize] += 1);
    }
    // 500 expected for each, standard deviation 19.
    assert!(hits.iter().all(|&c| c.abs_diff(500) < 110), "{hits:?}");
}

#[test]
fn impossible_splits_are_refused() {
    let data = blocks(&[3, 3]);
    for fraction in [0.0, 1.0, -1.0, f64::NAN] {
        assert!(matches!(data.stratified_split(fraction, 0), Err(DataError::Fraction { .. })));
    }
    for fraction in [0.01, 0.99] {
        assert!(matches!(data.stratified_split(fraction, 0), Err(DataError::Empty { .. })));
    }
}

#[test]
fn data_errors_become_errors_of_the_crate() {
    fn fails() -> burlap_nn::Result<Dataset> {
        Ok(Dataset::new("d", vec![], vec![], 1, vec![1])?)
    }
    let error = fails().unwrap_err();
    assert!(matches!(error, burlap_nn::Error::Data(DataError::Empty { .. })));
    assert_eq!(error.to_string(), "d: a data set needs at least one example");
}
