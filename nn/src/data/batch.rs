//! A mini-batch copied out of a data set.

/// Some examples of a [`Dataset`](super::Dataset), copied into one block.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Inputs, row-major, shape `len` × `dim`.
    pub features: Vec<f32>,
    /// Class of each example, `len` entries.
    pub labels: Vec<u32>,
    /// Number of examples.
    pub len: usize,
}
