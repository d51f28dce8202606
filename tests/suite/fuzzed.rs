//! What the fuzz targets hold: on their seeds, on everything that they found, and on some random
//! bytes.

use burlap::autodiff::Op;
use burlap_fuzz::{TARGETS, Target, primitives};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Random inputs of each target.
const RANDOM: u64 = 1000;

fn files(folder: &str, target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(target);
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// What panics is preceded by the name of what led there.
fn named(what: &str, f: impl FnOnce()) {
    struct Named<'a>(&'a str);
    impl Drop for Named<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!("found by {}", self.0);
            }
        }
    }
    let _named = Named(what);
    f();
}

fn target(name: &str) -> Target {
    TARGETS.iter().find(|target| target.0 == name).unwrap().1
}

fn replay(name: &str) {
    let seeds = files("corpus-seeds", name);
    assert!(!seeds.is_empty(), "no seeds of {name}");
    for path in seeds.into_iter().chain(files("regressions", name)) {
        let data = std::fs::read(&path).unwrap();
        named(&path.display().to_string(), || target(name)(&data));
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

/// What programs do not contain: identities, which are removed.
const REMOVED: [&str; 2] = ["stop_gradient", "recompute"];

#[test]
fn programs() {
    replay("programs");
    let mut seen = BTreeSet::new();
    for seed in 0..RANDOM {
        let data = bytes(seed);
        named(&format!("seed {seed}"), || seen.extend(primitives(&data)));
    }
    let names = Op::names().into_iter().filter(|name| !REMOVED.contains(name));
    let missing: Vec<&str> = names.filter(|name| !seen.contains(name)).collect();
    assert!(missing.is_empty(), "random bytes never became {missing:?}");
}

/// Seeds and findings, and random bytes.
fn all(name: &str) {
    replay(name);
    for seed in 0..RANDOM {
        named(&format!("seed {seed}"), || target(name)(&bytes(seed)));
    }
}

#[test]
fn transforms() {
    all("transforms");
}

#[test]
fn readers() {
    all("readers");
}
