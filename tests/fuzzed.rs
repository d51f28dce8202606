//! What the fuzz targets hold: on their seeds, on everything that they found, and on some random
//! bytes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use burlap_fuzz::TARGETS;
use std::path::{Path, PathBuf};

/// Random inputs of each target.
const RANDOM: u64 = 1500;

fn files(folder: &str, target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(target);
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Runs a target; its panic is preceded by the name of what led there.
fn run(name: &str, what: &str, data: &[u8]) {
    let (_, target) = TARGETS.iter().find(|target| target.0 == name).unwrap();
    struct Named<'a>(&'a str);
    impl Drop for Named<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("found by {}", self.0);
            }
        }
    }
    let _named = Named(what);
    target(data);
}

fn replay(name: &str) {
    let seeds = files("corpus-seeds", name);
    assert!(!seeds.is_empty(), "no seeds of {name}");
    for path in seeds.into_iter().chain(files("regressions", name)) {
        run(name, &path.display().to_string(), &std::fs::read(&path).unwrap());
    }
}

/// Reproducible bytes (SplitMix64).
fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut word = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    };
    let words = 8 + word() % 40;
    (0..words).flat_map(|_| word().to_le_bytes()).collect()
}

#[test]
fn programs() {
    replay("programs");
    (0..RANDOM).for_each(|seed| run("programs", &format!("seed {seed}"), &bytes(seed)));
}

#[test]
fn transforms() {
    replay("transforms");
    (0..RANDOM).for_each(|seed| run("transforms", &format!("seed {seed}"), &bytes(seed)));
}

#[test]
fn readers() {
    replay("readers");
    (0..RANDOM).for_each(|seed| run("readers", &format!("seed {seed}"), &bytes(seed)));
}
