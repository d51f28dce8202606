//! Where the buffers of a run lie.

/// The address of a buffer's first element.
#[derive(Clone, Copy)]
pub(super) struct Base(pub(super) *mut u8);

impl Base {
    /// The address some bytes further on.
    pub(super) fn shifted(&self, bytes: usize) -> Base {
        Base(self.0.wrapping_add(bytes))
    }
}

// SAFETY: an address alone; whoever reads or writes there keeps the plan's contract.
unsafe impl Send for Base {}
// SAFETY: as above.
unsafe impl Sync for Base {}

/// Where the buffers of a run lie.
#[derive(Clone, Copy)]
pub(super) struct Memory<'a> {
    pub(super) bases: &'a [Base],
    /// Partial results of reductions.
    pub(super) scratch: Base,
}
