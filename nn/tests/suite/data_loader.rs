//! Mini-batches.

use burlap_nn::data::{DataError, Loader};

fn flat(loader: &Loader, epoch: u64) -> Vec<usize> {
    loader.epoch(epoch).flatten().collect()
}

#[test]
fn every_epoch_covers_all_indices_once() {
    for n in [1, 2, 7, 32, 100] {
        for batch_size in [1, 2, 7, 31, 100, 101, usize::MAX] {
            for loader in [
                Loader::new(n, batch_size).unwrap(),
                Loader::new(n, batch_size).unwrap().shuffled(9),
            ] {
                let batches: Vec<_> = loader.epoch(4).collect();
                assert_eq!(batches.len(), loader.batches_per_epoch());
                let (last, full) = batches.split_last().unwrap();
                assert!(full.iter().all(|batch| batch.len() == batch_size));
                assert!((1..=batch_size).contains(&last.len()));
                let mut all = batches.concat();
                all.sort_unstable();
                assert!(all.into_iter().eq(0..n), "{n} {batch_size}");
            }
        }
    }
}

#[test]
fn without_a_seed_the_order_is_that_of_the_examples() {
    let loader = Loader::new(5, 2).unwrap();
    let batches: Vec<_> = loader.epoch(1).collect();
    assert_eq!(batches, [vec![0, 1], vec![2, 3], vec![4]]);
}

#[test]
fn drop_last_leaves_full_batches_only() {
    let loader = Loader::new(10, 4).unwrap().shuffled(1);
    let dropping = loader.clone().drop_last(true);
    assert_eq!(dropping.batches_per_epoch(), 2);
    assert!(dropping.epoch(0).eq(loader.epoch(0).take(2)));
    assert!(dropping.clone().drop_last(false).epoch(0).eq(loader.epoch(0)));
    // Nothing is dropped from full batches, and all from a short one.
    assert_eq!(Loader::new(8, 4).unwrap().drop_last(true).epoch(0).len(), 2);
    assert_eq!(Loader::new(3, 4).unwrap().drop_last(true).epoch(0).count(), 0);
}

#[test]
fn an_epoch_does_not_depend_on_those_drawn_before() {
    let loader = Loader::new(50, 8).unwrap().shuffled(3);
    let forward: Vec<_> = (0..6).map(|k| flat(&loader, k)).collect();
    let mut backward: Vec<_> = (0..6).rev().map(|k| flat(&loader, k)).collect();
    backward.reverse();
    assert_eq!(forward, backward);
    let resumed = Loader::new(50, 8).unwrap().shuffled(3);
    assert_eq!(flat(&resumed, 5), forward[5]);
    for a in 0..6 {
        for b in 0..a {
            assert_ne!(forward[a], forward[b], "epochs {a} and {b}");
        }
    }
    assert_ne!(flat(&loader.clone().shuffled(4), 0), forward[0]);
    // The order does not depend on the batch size either.
    assert_eq!(flat(&Loader::new(50, 3).unwrap().shuffled(3), 0), forward[0]);
}

#[test]
fn the_order_never_changes_between_releases() {
    let loader = Loader::new(10, 10).unwrap().shuffled(2024);
    assert_eq!(
        [flat(&loader, 0), flat(&loader, 1), flat(&loader, u64::MAX)],
        [
            [2, 4, 6, 9, 3, 8, 5, 7, 1, 0],
            [4, 0, 3, 7, 2, 5, 8, 6, 1, 9],
            [8, 5, 1, 3, 2, 9, 7, 0, 4, 6]
        ]
    );
}

#[test]
fn the_number_of_batches_left_is_known() {
    let mut epoch = Loader::new(10, 4).unwrap().epoch(0);
    for left in (0..3).rev() {
        assert!(epoch.next().is_some());
        assert_eq!(epoch.len(), left);
    }
    assert_eq!((epoch.next(), epoch.next()), (None, None));
}

#[test]
fn empty_loaders_and_batches_are_refused() {
    assert!(matches!(Loader::new(0, 4), Err(DataError::NoExamples)));
    assert!(matches!(Loader::new(4, 0), Err(DataError::ZeroBatchSize)));
    assert!(matches!(Loader::new(usize::MAX, 4), Err(DataError::Memory { .. })));
}
