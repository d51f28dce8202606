//! One arena for all intermediate buffers, shared by those that do not live together.

use super::plan::{Buffer, BufferId, Kernel, Place, Work};
use std::collections::BTreeMap;

/// A cache line, and the widest vector.
const ALIGNMENT: usize = 64;

fn bytes(buffer: &Buffer) -> usize {
    (buffer.count * buffer.dtype.size()).next_multiple_of(ALIGNMENT)
}

/// Free stretches of the arena by offset, and its size so far.
#[derive(Default)]
struct Arena {
    free: BTreeMap<usize, usize>,
    size: usize,
}

impl Arena {
    fn take(&mut self, bytes: usize) -> usize {
        let best =
            self.free.iter().filter(|(_, size)| **size >= bytes).min_by_key(|(_, size)| **size);
        if let Some((&offset, &size)) = best {
            self.free.remove(&offset);
            if size > bytes {
                self.free.insert(offset + bytes, size - bytes);
            }
            return offset;
        }
        // Grow the stretch at the end, if that is free.
        if let Some((&offset, &size)) = self.free.last_key_value()
            && offset + size == self.size
        {
            self.free.remove(&offset);
            self.size = offset + bytes;
            return offset;
        }
        self.size += bytes;
        self.size - bytes
    }

    fn give_back(&mut self, mut offset: usize, mut bytes: usize) {
        if let Some((&before, &size)) = self.free.range(..offset).next_back()
            && before + size == offset
        {
            self.free.remove(&before);
            offset = before;
            bytes += size;
        }
        if let Some(size) = self.free.remove(&(offset + bytes)) {
            bytes += size;
        }
        self.free.insert(offset, bytes);
    }
}

/// A buffer that `write` may take over: read for the last time here, element by element
/// in the same order in which `write` is written.
fn in_place(
    kernel: &Kernel,
    buffers: &[Buffer],
    write: BufferId,
    dying: impl Fn(BufferId) -> bool,
) -> Option<BufferId> {
    let Work::Map(map) = &kernel.work else {
        return None;
    };
    if !map.reductions.is_empty() {
        return None;
    }
    let row_major = map.domain.strides();
    let whole = |v: &super::plan::View| {
        v.offset == 0 && v.strides == row_major && buffers[v.buffer].count == map.domain.count()
    };
    let (_, store) = map.stores.iter().find(|(_, v)| v.buffer == write)?;
    if !whole(store) {
        return None;
    }
    map.loads.iter().map(|v| v.buffer).find(|&read| {
        dying(read)
            && buffers[read].dtype == buffers[write].dtype
            && map.loads.iter().filter(|v| v.buffer == read).all(whole)
    })
}

/// Gives every arena buffer an offset; returns the arena's size in bytes. Buffers that the
/// early kernels write and the late ones read stay until the end.
pub(super) fn assign(buffers: &mut [Buffer], kernels: &[Kernel], early: usize) -> usize {
    let touched: Vec<(Vec<BufferId>, Vec<BufferId>)> =
        kernels.iter().map(Kernel::touched).collect();
    let mut first = vec![usize::MAX; buffers.len()];
    let mut last = vec![0; buffers.len()];
    for (k, (reads, writes)) in touched.iter().enumerate() {
        for &b in reads.iter().chain(writes) {
            first[b] = first[b].min(k);
            last[b] = k;
        }
    }
    for b in 0..buffers.len() {
        if first[b] < early && last[b] >= early {
            last[b] = usize::MAX;
        }
    }
    let mut arena = Arena::default();
    let in_arena = |b: &Buffer| matches!(b.place, Place::Arena(_));
    for (k, (reads, writes)) in touched.iter().enumerate() {
        let mut all: Vec<BufferId> = reads.iter().chain(writes).copied().collect();
        all.sort_unstable();
        all.dedup();
        let mut taken: Vec<BufferId> = Vec::new();
        for &b in all.iter().filter(|&&b| first[b] == k) {
            if !in_arena(&buffers[b]) {
                continue;
            }
            let dying = |r: BufferId| {
                last[r] == k && first[r] < k && in_arena(&buffers[r]) && !taken.contains(&r)
            };
            let offset = match in_place(&kernels[k], buffers, b, dying) {
                Some(r) => {
                    taken.push(r);
                    buffers[r].place
                }
                None => Place::Arena(arena.take(bytes(&buffers[b]))),
            };
            buffers[b].place = offset;
        }
        for &b in all.iter().filter(|b| last[**b] == k && !taken.contains(b)) {
            if let Place::Arena(offset) = buffers[b].place {
                arena.give_back(offset, bytes(&buffers[b]));
            }
        }
    }
    arena.size
}
