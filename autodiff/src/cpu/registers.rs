//! Which results a map computes in every block, which once, where they go, and in which
//! registers they lie.

use super::access::{Access, Load, Store};
use crate::work::{Buffer, BufferId, Map, Scalar};
use smallvec::SmallVec;

/// How an instruction's result comes to be.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Way {
    /// Computed in every block.
    Computed,
    /// Computed in every block where this store wants it.
    Stored(u16),
    /// A comparison that is part of the choices made by it.
    Absorbed,
    /// The same in all blocks, and needed as a block.
    SameBlock,
    /// The same in all blocks, and only needed as a number.
    SameNumber,
}

/// What is the same at all points, and whether somebody needs a block of it.
pub(super) fn ways(map: &Map, loads: &[Load]) -> Vec<Way> {
    let mut ways: Vec<Way> = map
        .code
        .iter()
        .map(|i| match i.scalar {
            Scalar::Constant(_) => Way::SameNumber,
            Scalar::Load(l) if matches!(loads[l as usize].access, Access::Splat { .. }) => {
                Way::SameNumber
            }
            _ => Way::Computed,
        })
        .collect();
    let as_block = |ways: &mut Vec<Way>, r: usize| {
        if ways[r] == Way::SameNumber {
            ways[r] = Way::SameBlock;
        }
    };
    for i in &map.code {
        for (k, r) in i.operands().enumerate() {
            if !i.takes_number(k) {
                as_block(&mut ways, r as usize);
            }
        }
    }
    map.stores.iter().for_each(|(r, _)| as_block(&mut ways, *r as usize));
    map.reductions.iter().for_each(|r| as_block(&mut ways, r.register as usize));
    ways
}

/// Lets choices by a comparison with a number make it themselves: masks of bytes are slow.
pub(super) fn choices(map: &Map, ways: &mut [Way]) -> Vec<Option<u16>> {
    let is_number = |r: u16| matches!(ways[r as usize], Way::SameNumber | Way::SameBlock);
    let chosen: Vec<Option<u16>> = map
        .code
        .iter()
        .map(|i| {
            let test = &map.code[i.args[0] as usize];
            let fits = matches!((i.scalar, test.scalar), (Scalar::Select, Scalar::Compare(_)))
                && test.operand == i.dtype
                && !is_number(test.args[0])
                && is_number(test.args[1]);
            fits.then_some(i.args[0])
        })
        .collect();
    let mut needed = vec![false; map.code.len()];
    for (i, instruction) in map.code.iter().enumerate() {
        let operands = instruction.operands().enumerate();
        let others = operands.filter(|&(k, _)| k > 0 || chosen[i].is_none());
        others.for_each(|(_, r)| needed[r as usize] = true);
    }
    map.stores.iter().for_each(|(r, _)| needed[*r as usize] = true);
    map.reductions.iter().for_each(|r| needed[r.register as usize] = true);
    for test in chosen.iter().flatten().filter(|&&t| !needed[t as usize]) {
        ways[*test as usize] = Way::Absorbed;
    }
    chosen
}

/// Lets results be computed where they are stored.
pub(super) fn store_directly(
    map: &Map,
    loads: &[Load],
    stores: &[Store],
    buffers: &[Buffer],
    ways: &mut [Way],
) {
    // Straight to where it is stored, unless that is memory which this kernel still reads.
    let place = |b: BufferId| buffers[b].place;
    for (s, store) in stores.iter().enumerate() {
        let same = |l: &Load| place(l.buffer) == place(store.buffer);
        let replaces = loads.iter().any(same);
        let computed = ways[store.register] == Way::Computed
            && !matches!(map.code[store.register].scalar, Scalar::Load(_));
        if computed && !replaces && matches!(store.access, Access::Contiguous { .. }) {
            ways[store.register] = Way::Stored(s as u16);
        }
    }
}

/// Gives results registers, shared by those that do not live together.
pub(super) fn assign_registers(
    map: &Map,
    ways: &[Way],
    chosen: &[Option<u16>],
) -> (Vec<u16>, usize) {
    // A choice that makes its comparison reads the operands of that as well.
    let operands = |i: usize| -> SmallVec<[u16; 5]> {
        let test = chosen[i].map(|test| &map.code[test as usize]);
        map.code[i].operands().chain(test.into_iter().flat_map(|t| t.operands())).collect()
    };
    let mut last = vec![0usize; map.code.len()];
    for i in 0..map.code.len() {
        operands(i).into_iter().for_each(|r| last[r as usize] = i);
    }
    let kept = map.stores.iter().map(|(r, _)| *r).chain(map.reductions.iter().map(|r| r.register));
    kept.for_each(|r| last[r as usize] = usize::MAX);
    let once: Vec<bool> =
        ways.iter().map(|w| matches!(w, Way::SameNumber | Way::SameBlock)).collect();
    once.iter().enumerate().filter(|(_, once)| **once).for_each(|(i, _)| last[i] = usize::MAX);
    let mut physical = vec![0; map.code.len()];
    let mut free: Vec<u16> = Vec::new();
    let mut count = 0;
    // What is filled once must not share a register with anything, before or after.
    for i in (0..map.code.len()).filter(|&i| once[i]) {
        physical[i] = count;
        count += 1;
    }
    for i in (0..map.code.len()).filter(|&i| !once[i]) {
        physical[i] = free.pop().unwrap_or_else(|| {
            count += 1;
            count - 1
        });
        // Freed only now: results are distinct from operands.
        let mut gone = operands(i);
        gone.sort_unstable();
        gone.dedup();
        free.extend(
            gone.into_iter().filter(|&r| last[r as usize] == i).map(|r| physical[r as usize]),
        );
    }
    (physical, count as usize)
}
