//! One arena for all intermediate buffers, shared by those that do not live together, and a place
//! of its own for each that early phases leave for the others.

use super::schedule::may_replace;
use super::{Buffer, BufferId, Kernel, Phase, Place};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Bytes up to where the next buffer may begin; more than a number holds is as much as it holds.
fn aligned_bytes(buffer: &Buffer, alignment: usize) -> usize {
    buffer.bytes().checked_next_multiple_of(alignment).unwrap_or(usize::MAX)
}

/// Free stretches of the arena by offset and by size, and its size so far.
#[derive(Default)]
struct Arena {
    free: BTreeMap<usize, usize>,
    by_size: BTreeSet<(usize, usize)>,
    size: usize,
}

impl Arena {
    fn remove(&mut self, offset: usize) -> Option<usize> {
        let size = self.free.remove(&offset)?;
        self.by_size.remove(&(size, offset));
        Some(size)
    }

    fn insert(&mut self, offset: usize, size: usize) {
        self.free.insert(offset, size);
        self.by_size.insert((size, offset));
    }

    fn take(&mut self, bytes: usize) -> usize {
        if bytes == 0 || self.size == usize::MAX {
            return 0;
        }
        if let Some(&(size, offset)) = self.by_size.range((bytes, 0)..).next() {
            self.remove(offset);
            if size > bytes {
                self.insert(offset + bytes, size - bytes);
            }
            return offset;
        }
        // Grow the stretch at the end, if that is free.
        if let Some((&offset, &size)) = self.free.last_key_value()
            && offset + size == self.size
        {
            self.remove(offset);
            self.size = offset.saturating_add(bytes);
            return offset;
        }
        let offset = self.size;
        self.size = offset.saturating_add(bytes);
        offset
    }

    fn give_back(&mut self, mut offset: usize, mut bytes: usize) {
        if bytes == 0 || self.size == usize::MAX {
            return;
        }
        if let Some((&before, &size)) = self.free.range(..offset).next_back()
            && before + size == offset
        {
            self.remove(before);
            offset = before;
            bytes += size;
        }
        if let Some(size) = self.remove(offset + bytes) {
            bytes += size;
        }
        self.insert(offset, bytes);
    }
}

/// Up to this many blocks a quadratic search for their places is quick.
const FEW: usize = 2048;

/// What lies at one offset: a buffer and those that take over its place in turn, and the
/// phases between which they live.
struct Block {
    bytes: usize,
    first: usize,
    last: usize,
    offset: usize,
}

/// The last phase of what lives for ever.
const KEPT: usize = usize::MAX;

/// Places the large blocks first, each as low as those allow that live at the same time.
/// Small ones then fill gaps, which those that come first would otherwise split.
fn by_size(blocks: &[&Block]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..blocks.len()).collect();
    order.sort_by_key(|&i| (Reverse(blocks[i].bytes), i));
    let mut offsets = vec![0; blocks.len()];
    let mut size = 0usize;
    // Those placed already, by offset.
    let mut placed: Vec<usize> = Vec::with_capacity(blocks.len());
    for i in order {
        let block = &blocks[i];
        let mut offset = 0usize;
        for &other in &placed {
            let together = blocks[other].first <= block.last && block.first <= blocks[other].last;
            if together && offsets[other] < offset.saturating_add(block.bytes) {
                offset = offset.max(offsets[other].saturating_add(blocks[other].bytes));
            }
        }
        offsets[i] = offset;
        size = size.max(offset.saturating_add(block.bytes));
        let at = placed.partition_point(|&other| offsets[other] <= offset);
        placed.insert(at, i);
    }
    (offsets, size)
}

/// Bytes of memory.
pub(super) struct Sizes {
    /// What a run needs.
    pub(super) arena: usize,
    /// What early phases leave for the others.
    pub(super) kept: usize,
}

/// Gives every buffer that is no array of the user's an offset. What a phase touches lives until
/// its end, since its kernels run in any order. Buffers that early phases write and late ones read
/// lie apart: runs share them, and nothing else of their memory. `None` for more than a machine
/// can address.
pub(super) fn assign(
    buffers: &mut [Buffer],
    kernels: &[Kernel],
    phases: &[Phase],
    early: usize,
    alignment: usize,
) -> Option<Sizes> {
    let bytes = |buffer: &Buffer| aligned_bytes(buffer, alignment);
    let touched: Vec<(Vec<BufferId>, Vec<BufferId>)> =
        kernels.iter().map(Kernel::touched).collect();
    // The phases that touch a buffer first and last, and the kernel that does so last.
    let mut first = vec![usize::MAX; buffers.len()];
    let mut last = vec![0; buffers.len()];
    let mut last_kernel = vec![0; buffers.len()];
    let in_order = |phase: &Phase| {
        let mut all: Vec<usize> =
            phase.pipelines.iter().flat_map(|c| &c.kernels).copied().collect();
        all.sort_unstable();
        all
    };
    let mut pipeline_of = vec![(0, 0); kernels.len()];
    for (s, phase) in phases.iter().enumerate() {
        for (c, pipeline) in phase.pipelines.iter().enumerate() {
            pipeline.kernels.iter().for_each(|&k| pipeline_of[k] = (s, c));
        }
    }
    let orders: Vec<Vec<usize>> = phases.iter().map(in_order).collect();
    for (s, order) in orders.iter().enumerate() {
        for &k in order {
            for &b in touched[k].0.iter().chain(&touched[k].1) {
                first[b] = first[b].min(s);
                last[b] = s;
                last_kernel[b] = k;
            }
        }
    }
    for b in 0..buffers.len() {
        if first[b] < early && last[b] >= early {
            last[b] = KEPT;
        }
    }
    let mut arena = Arena::default();
    let mut blocks: Vec<Block> = Vec::new();
    let mut block_of: Vec<usize> = vec![usize::MAX; buffers.len()];
    let in_arena = |b: &Buffer| matches!(b.place, Place::Arena(_));
    let mut placed = vec![false; buffers.len()];
    for (s, order) in orders.iter().enumerate() {
        let mut taken: Vec<BufferId> = Vec::new();
        let mut used: Vec<BufferId> = Vec::new();
        for &k in order {
            let (reads, writes) = &touched[k];
            for &b in reads.iter().chain(writes) {
                used.push(b);
                if placed[b] || !in_arena(&buffers[b]) {
                    continue;
                }
                placed[b] = true;
                let dying = |r: BufferId| {
                    let mut others = order.iter().filter(|&&o| o != k && touches(&touched[o], r));
                    last[r] == s
                        && last_kernel[r] == k
                        && in_arena(&buffers[r])
                        && !taken.contains(&r)
                        && r != b
                        && others.all(|&o| {
                            pipeline_of[o] == pipeline_of[k]
                                && may_replace(&kernels[k], b, &kernels[o], r)
                        })
                };
                block_of[b] = match kernels[k].work.kind().in_place(b, buffers, &dying) {
                    Some(r) => {
                        taken.push(r);
                        block_of[r]
                    }
                    None => {
                        let bytes = bytes(&buffers[b]);
                        let offset = if last[b] == KEPT { 0 } else { arena.take(bytes) };
                        blocks.push(Block { bytes, first: s, last: s, offset });
                        blocks.len() - 1
                    }
                };
                let block = &mut blocks[block_of[b]];
                block.last = block.last.max(last[b]);
                buffers[b].place = Place::Arena(block.offset);
            }
        }
        used.sort_unstable();
        used.dedup();
        for &b in used.iter().filter(|b| last[**b] == s && !taken.contains(b)) {
            if let Place::Arena(offset) = buffers[b].place {
                arena.give_back(offset, bytes(&buffers[b]));
            }
        }
    }
    let mut kept = 0usize;
    for block in blocks.iter_mut().filter(|block| block.last == KEPT) {
        block.offset = kept;
        kept = kept.saturating_add(block.bytes);
    }
    if blocks.len() <= FEW {
        let passing: Vec<&Block> = blocks.iter().filter(|block| block.last != KEPT).collect();
        let (offsets, size) = by_size(&passing);
        if size < arena.size {
            arena.size = size;
            let passing = blocks.iter_mut().filter(|block| block.last != KEPT);
            passing.zip(offsets).for_each(|(block, offset)| block.offset = offset);
        }
    }
    for (buffer, &block) in buffers.iter_mut().zip(&block_of).filter(|(_, b)| **b != usize::MAX) {
        let Block { offset, last, .. } = blocks[block];
        buffer.place = if last == KEPT { Place::Kept(offset) } else { Place::Arena(offset) };
    }
    let most = isize::MAX as usize / 2;
    (arena.size.saturating_add(kept) <= most).then_some(Sizes { arena: arena.size, kept })
}

fn touches((reads, writes): &(Vec<BufferId>, Vec<BufferId>), b: BufferId) -> bool {
    reads.contains(&b) || writes.contains(&b)
}

#[cfg(test)]
mod tests {
    use super::{Block, by_size};
    use crate::philox4x32;

    #[test]
    fn blocks_that_live_together_lie_apart() {
        for seed in 0..200 {
            let draw = |i: u32, n: u32| (philox4x32([seed, 1], [i, 0, 0, 0])[0] % n) as usize;
            let blocks: Vec<Block> = (0..30)
                .map(|i| {
                    let first = draw(3 * i, 20);
                    let last = if i == 7 { usize::MAX } else { first + draw(3 * i + 1, 6) };
                    Block { bytes: 64 * draw(3 * i + 2, 5), first, last, offset: 0 }
                })
                .collect();
            let (offsets, size) = by_size(&blocks.iter().collect::<Vec<_>>());
            for (i, a) in blocks.iter().enumerate() {
                assert!(offsets[i] + a.bytes <= size);
                for (j, b) in blocks.iter().enumerate().skip(i + 1) {
                    let together = a.first <= b.last && b.first <= a.last;
                    let apart =
                        offsets[i] + a.bytes <= offsets[j] || offsets[j] + b.bytes <= offsets[i];
                    assert!(!together || apart || a.bytes * b.bytes == 0, "{seed}: {i} {j}");
                }
            }
            // No less than what lives at one time.
            let live = |k: usize| -> usize {
                blocks.iter().filter(|b| b.first <= k && k <= b.last).map(|b| b.bytes).sum()
            };
            assert!(size >= (0..30).map(live).max().unwrap_or(0));
        }
    }
}
