//! Fused expressions, evaluated block by block over fixed tiles.

use super::Base;
use super::access::Access;
use super::instructions::{BLOCK, REGISTER_BYTES, evaluate, typed};
use super::pool::{each, is_map_worth};
use super::reduce::{Reducer, Split};
use crate::DType;
use crate::program::plan::{Buffer, BufferId, Instruction, Map, Scalar};
use crate::shape::Axes;
use smallvec::SmallVec;
use std::cell::RefCell;

/// Points of a tile: what one task does. Fixed, so that results do not depend on threads.
pub(super) const TILE: usize = 1 << 14;

struct Load {
    buffer: BufferId,
    dtype: DType,
    access: Access,
}

struct Store {
    register: usize,
    buffer: BufferId,
    dtype: DType,
    access: Access,
}

/// A map with its accesses merged and its registers assigned.
pub(super) struct MapKernel {
    points: usize,
    divide: bool,
    loads: Vec<Load>,
    stores: Vec<Store>,
    code: Vec<Instruction>,
    /// The physical register of each instruction's result.
    physical: Vec<u16>,
    /// Instructions whose result is the same in all blocks.
    once: Vec<bool>,
    registers: usize,
    reducers: Vec<Reducer>,
    split: Split,
}

thread_local! {
    /// Register blocks, kept from run to run.
    static REGISTERS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl MapKernel {
    pub(super) fn new(map: &Map, buffers: &[Buffer]) -> MapKernel {
        let order = point_order(map);
        let sizes: SmallVec<[usize; 8]> = order.iter().map(|&a| map.domain[a as usize]).collect();
        let access = |offset: isize, strides: &[isize]| {
            let strides: SmallVec<[isize; 8]> =
                order.iter().map(|&a| strides[a as usize]).collect();
            Access::new(offset, &sizes, &strides)
        };
        let loads: Vec<Load> = map
            .loads
            .iter()
            .zip(&map.load_types)
            .map(|(v, &dtype)| Load {
                buffer: v.buffer,
                dtype,
                access: access(v.offset, &v.strides),
            })
            .collect();
        let stores = map
            .stores
            .iter()
            .map(|(register, v)| Store {
                register: *register as usize,
                buffer: v.buffer,
                dtype: buffers[v.buffer].dtype,
                access: access(v.offset, &v.strides),
            })
            .collect();
        let once: Vec<bool> = map
            .code
            .iter()
            .map(|i| match i.scalar {
                Scalar::Constant(_) => true,
                Scalar::Load(l) => matches!(loads[l as usize].access, Access::Splat { .. }),
                _ => false,
            })
            .collect();
        let (physical, registers) = assign_registers(map, &once);
        let split = Split::new(map);
        let flops = map.domain.count() * (map.code.len() + map.reductions.len());
        MapKernel {
            points: map.domain.count(),
            divide: is_map_worth(flops),
            loads,
            stores,
            code: map.code.clone(),
            physical,
            once,
            registers,
            reducers: map.reductions.iter().map(|r| Reducer::new(r, buffers)).collect(),
            split,
        }
    }

    pub(super) fn run(&self, bases: &[Base], divide: bool) {
        let divide = divide && self.divide;
        if self.reducers.is_empty() {
            let tiles = self.points.div_ceil(TILE);
            each(tiles, divide, |t| {
                self.tile(bases, t * TILE, ((t + 1) * TILE).min(self.points), &mut [])
            });
            return;
        }
        self.split.run(&self.reducers, bases, divide, |start, end, targets| {
            self.tile(bases, start, end, targets);
        });
    }

    /// Evaluates points `start..end`; `targets` are where the reducers accumulate.
    fn tile(&self, bases: &[Base], start: usize, end: usize, targets: &mut [*mut u8]) {
        // Not even what is the same at all points may be read when there is none.
        if start == end {
            return;
        }
        REGISTERS.with_borrow_mut(|memory| {
            let words = (self.registers * REGISTER_BYTES) / 8 + 8;
            if memory.len() < words {
                memory.resize(words, 0);
            }
            let first = memory.as_mut_ptr().cast::<u8>();
            let first = first.wrapping_add(first.align_offset(64));
            let mut pointers: SmallVec<[*mut u8; 64]> = self
                .physical
                .iter()
                .map(|&r| first.wrapping_add(r as usize * REGISTER_BYTES))
                .collect();
            for (i, _) in self.code.iter().enumerate().filter(|(i, _)| self.once[*i]) {
                // SAFETY: registers have room for a block, splats lie in their buffers.
                unsafe { self.step(i, bases, start, BLOCK, &mut pointers) };
            }
            let mut at = start;
            while at < end {
                let len = BLOCK.min(end - at);
                for i in (0..self.code.len()).filter(|&i| !self.once[i]) {
                    // SAFETY: the points lie in the domain, so in all buffers.
                    unsafe { self.step(i, bases, at, len, &mut pointers) };
                }
                for store in &self.stores {
                    let from = pointers[store.register];
                    // SAFETY: as above; tiles write disjoint points.
                    unsafe {
                        typed!(store.dtype, T => {
                            store.access.write(bases[store.buffer].0.cast::<T>(), at, from.cast::<T>(), len);
                        });
                    }
                }
                for (reducer, target) in self.reducers.iter().zip(targets.iter()) {
                    // SAFETY: the register holds `len` elements; the target is this tile's own.
                    unsafe { reducer.accumulate(&self.split, pointers[reducer.register], start, at, len, *target) };
                }
                at += len;
            }
        });
    }

    /// One instruction on one block.
    ///
    /// # Safety
    /// The points `at..at + len` lie in the domain, or the instruction does not depend on them.
    unsafe fn step(
        &self,
        i: usize,
        bases: &[Base],
        at: usize,
        len: usize,
        pointers: &mut [*mut u8],
    ) {
        let instruction = &self.code[i];
        if let Scalar::Load(l) = instruction.scalar {
            let load = &self.loads[l as usize];
            let base = bases[load.buffer].0;
            if let Access::Contiguous { offset } = load.access {
                // Read where it lies.
                pointers[i] =
                    base.wrapping_offset((offset + at as isize) * load.dtype.size() as isize);
                return;
            }
            typed!(load.dtype, T => {
                // SAFETY: the register has room for a block; the caller's for the points.
                unsafe {
                    let to = std::slice::from_raw_parts_mut(pointers[i].cast::<T>(), len);
                    load.access.read(base.cast::<T>(), at, to);
                }
            });
            return;
        }
        let args = instruction.args.map(|r| pointers[r as usize].cast_const());
        // SAFETY: results have registers that none of the operands has.
        unsafe { evaluate(instruction, args, pointers[i], len) };
    }
}

/// The order in which axes are walked: kept ones, reduced ones, then the trailing kept ones.
fn point_order(map: &Map) -> Axes {
    let rank = map.domain.len() as u8;
    let trailing = (0..rank).rev().take_while(|a| !map.reduced.contains(a)).count() as u8;
    let inner = if map.reduced.is_empty() { 0 } else { rank - trailing };
    let outer = (0..inner).filter(|a| !map.reduced.contains(a));
    let reduced = (0..inner).filter(|a| map.reduced.contains(a));
    outer.chain(reduced).chain(inner..rank).collect()
}

/// Gives results registers, shared by those that do not live together.
fn assign_registers(map: &Map, once: &[bool]) -> (Vec<u16>, usize) {
    let mut last = vec![0usize; map.code.len()];
    for (i, instruction) in map.code.iter().enumerate() {
        for r in instruction.operands() {
            last[r as usize] = i;
        }
    }
    let kept = map.stores.iter().map(|(r, _)| *r).chain(map.reductions.iter().map(|r| r.register));
    kept.for_each(|r| last[r as usize] = usize::MAX);
    once.iter().enumerate().filter(|(_, once)| **once).for_each(|(i, _)| last[i] = usize::MAX);
    let mut physical = vec![0; map.code.len()];
    let mut free: Vec<u16> = Vec::new();
    let mut count = 0;
    // What is filled once must not share a register with anything, before or after.
    for i in (0..map.code.len()).filter(|&i| once[i]) {
        physical[i] = count;
        count += 1;
    }
    for (i, instruction) in map.code.iter().enumerate().filter(|(i, _)| !once[*i]) {
        physical[i] = free.pop().unwrap_or_else(|| {
            count += 1;
            count - 1
        });
        // Freed only now: results are distinct from operands.
        let mut gone: SmallVec<[u16; 3]> = instruction.operands().collect();
        gone.dedup();
        gone.sort_unstable();
        gone.dedup();
        free.extend(
            gone.into_iter().filter(|&r| last[r as usize] == i).map(|r| physical[r as usize]),
        );
    }
    (physical, count as usize)
}

impl Instruction {
    /// The registers read.
    fn operands(&self) -> impl Iterator<Item = u16> {
        let n = match self.scalar {
            Scalar::Load(_) | Scalar::Constant(_) => 0,
            Scalar::Unary(_) | Scalar::Cast(_) => 1,
            Scalar::Binary(_) | Scalar::Compare(_) => 2,
            Scalar::Select => 3,
        };
        self.args.into_iter().take(n)
    }
}
