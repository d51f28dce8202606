//! What the fuzz targets do with their bytes, as a library: the fuzzer calls it, and so do the
//! tests of the main workspace, which replay the seeds and every finding.
//!
//! A target returns, or panics with what is wrong and a listing of what led there.

mod calls;
mod choices;
mod programs;
mod readers;
mod transforms;

pub use programs::{primitives, programs};
pub use readers::readers;
pub use transforms::transforms;

/// A function of a fuzzer's bytes.
pub type Target = fn(&[u8]);

/// All targets by name, which is also that of their folders of seeds and findings.
pub const TARGETS: [(&str, Target); 3] =
    [("programs", programs), ("transforms", transforms), ("readers", readers)];
