//! Fused expressions, evaluated block by block.

use super::access::{Access, Load, Store};
use super::instruction_set::InstructionSet;
use super::instructions::{REGISTER_BYTES, choose, evaluate, fill, typed};
use super::memory::{Base, Memory};
use super::reduce::{Reducer, Split};
use super::registers::{Way, assign_registers, choices, store_directly, ways};
use super::simd::{Simd, dispatch};
use crate::DType;
use crate::graph::Compare;
use crate::shape::Axes;
use crate::work::{Buffer, Instruction, Map, Scalar};
use smallvec::SmallVec;
use std::cell::RefCell;

/// A map with its accesses merged and its registers assigned.
pub(super) struct MapKernel {
    points: usize,
    loads: Vec<Load>,
    stores: Vec<Store>,
    code: Vec<Instruction>,
    ways: Vec<Way>,
    /// For each choice, the comparison that it makes itself.
    chosen: Vec<Option<u16>>,
    /// For each instruction, which operands are numbers.
    same: Vec<[bool; 3]>,
    /// The physical register of each instruction's result.
    physical: Vec<u16>,
    registers: usize,
    /// Points of a block.
    lanes: usize,
    reducers: Vec<Reducer>,
    split: Split,
    set: InstructionSet,
}

thread_local! {
    /// Register blocks, kept from run to run.
    static REGISTERS: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

impl MapKernel {
    /// `scratch` counts the words of memory for partial results that were given away.
    pub(super) fn new(
        map: &Map,
        buffers: &[Buffer],
        set: InstructionSet,
        scratch: &mut usize,
    ) -> MapKernel {
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
        let stores: Vec<Store> = map
            .stores
            .iter()
            .map(|(register, v)| Store {
                register: *register as usize,
                buffer: v.buffer,
                dtype: buffers[v.buffer].dtype,
                access: access(v.offset, &v.strides),
            })
            .collect();
        let mut ways = ways(map, &loads);
        let chosen = choices(map, &mut ways);
        store_directly(map, &loads, &stores, buffers, &mut ways);
        let same = map
            .code
            .iter()
            .map(|i| {
                let number = |k: usize| {
                    let way = ways[i.args[k] as usize];
                    i.takes_number(k) && matches!(way, Way::SameNumber | Way::SameBlock)
                };
                [number(0), number(1), number(2)]
            })
            .collect();
        let (physical, registers) = assign_registers(map, &ways, &chosen);
        let widest = map.code.iter().map(|i| i.dtype.size().max(i.operand.size())).max();
        let reducers: Vec<Reducer> =
            map.reductions.iter().map(|r| Reducer::new(r, buffers)).collect();
        MapKernel {
            points: map.domain.count(),
            loads,
            stores,
            code: map.code.clone(),
            ways,
            chosen,
            same,
            physical,
            registers,
            lanes: REGISTER_BYTES / widest.unwrap_or(8),
            split: Split::new(map, reducers.len(), scratch),
            reducers,
            set,
        }
    }

    /// Into how many parts it can be divided at most.
    pub(super) fn most_parts(&self) -> usize {
        if self.reducers.is_empty() { self.points.div_ceil(self.lanes) } else { self.split.units() }
    }

    /// Points of which each part but the last has a multiple.
    ///
    /// # Safety
    /// The memory is that of a run of the map's plan; nobody else writes what is read or touches
    /// what is written.
    pub(super) unsafe fn part(&self, memory: &Memory, part: usize, parts: usize) {
        let (units, lanes) = if self.reducers.is_empty() {
            (self.points.div_ceil(self.lanes), self.lanes)
        } else {
            (self.split.units(), 1)
        };
        let at = |p: usize| p * units / parts * lanes;
        // SAFETY: the caller's.
        unsafe { self.units(memory, at(part), at(part + 1)) };
    }

    /// What is left when all parts are done.
    ///
    /// # Safety
    /// As [`MapKernel::part`], for all parts.
    pub(super) unsafe fn finish(&self, memory: &Memory) {
        // SAFETY: the caller's.
        unsafe { self.split.finish(&self.reducers, memory) };
    }

    /// Rows `first..last` of `rows`.
    ///
    /// # Safety
    /// As [`MapKernel::part`].
    pub(super) unsafe fn rows(&self, memory: &Memory, first: usize, last: usize, rows: usize) {
        let units = if self.reducers.is_empty() { self.points } else { self.split.units() };
        let row = units / rows;
        // SAFETY: the caller's.
        unsafe { self.units(memory, first * row, last * row) };
    }

    /// Points `first..last`, or units of the reductions.
    ///
    /// # Safety
    /// As [`MapKernel::part`].
    unsafe fn units(&self, memory: &Memory, first: usize, last: usize) {
        // SAFETY: the caller's.
        unsafe {
            if self.reducers.is_empty() {
                let at = |point: usize| point.min(self.points);
                self.range(memory, at(first), at(last), &mut []);
            } else {
                self.split.run(&self.reducers, memory, first, last, |start, end, targets| {
                    self.range(memory, start, end, targets);
                });
            }
        }
    }

    /// Evaluates points `start..end`; `targets` are where the reducers accumulate.
    ///
    /// # Safety
    /// As [`MapKernel::part`]; the targets have room for these points' results.
    unsafe fn range(&self, memory: &Memory, start: usize, end: usize, targets: &mut [*mut u8]) {
        // Not even what is the same at all points may be read when there is none.
        if start == end {
            return;
        }
        REGISTERS.with_borrow_mut(|room| {
            let words = (self.registers * REGISTER_BYTES) / 8 + 8;
            if room.len() < words {
                room.resize(words, 0);
            }
            let first = room.as_mut_ptr().cast::<u8>();
            let first = first.wrapping_add(first.align_offset(64));
            // SAFETY: the caller's; the processor has the set, and the room is for all registers.
            dispatch!(self.set, S => unsafe { self.blocks::<S>(memory, first, start, end, targets) });
        });
    }

    /// # Safety
    /// As [`MapKernel::range`]; the processor has the instruction set, and `first` shows room for
    /// all registers.
    unsafe fn blocks<S: Simd>(
        &self,
        memory: &Memory,
        first: *mut u8,
        start: usize,
        end: usize,
        targets: &mut [*mut u8],
    ) {
        let mut pointers: SmallVec<[*mut u8; 64]> = SmallVec::new();
        for (i, &r) in self.physical.iter().enumerate() {
            pointers.push(first.wrapping_add(r as usize * REGISTER_BYTES));
            let len = match self.ways[i] {
                Way::SameNumber => 1,
                Way::SameBlock => self.lanes.min(end - start),
                _ => continue,
            };
            match self.code[i].scalar {
                // SAFETY: registers have room for a block.
                Scalar::Constant(c) => unsafe { fill(c, self.code[i].dtype, pointers[i], len) },
                // SAFETY: as above; what is the same at all points lies in its buffer.
                Scalar::Load(l) => unsafe { self.load(memory, l, start, len, &mut pointers[i]) },
                _ => {}
            }
        }
        let mut at = start;
        while at < end {
            let len = self.split.block(at, end, self.lanes);
            for (i, instruction) in self.code.iter().enumerate() {
                match self.ways[i] {
                    Way::Computed => {}
                    Way::Stored(s) => {
                        let store = &self.stores[s as usize];
                        if let Access::Contiguous { offset } = store.access {
                            let bytes = (offset + at as isize) * store.dtype.size() as isize;
                            pointers[i] = memory.bases[store.buffer].0.wrapping_offset(bytes);
                        }
                    }
                    _ => continue,
                }
                if let Scalar::Load(l) = instruction.scalar {
                    pointers[i] = first.wrapping_add(self.physical[i] as usize * REGISTER_BYTES);
                    // SAFETY: the points lie in the domain, the register has room for a block.
                    unsafe { self.load(memory, l, at, len, &mut pointers[i]) };
                    continue;
                }
                let args = instruction.args.map(|r| pointers[r as usize].cast_const());
                let same = self.same[i];
                // SAFETY: results have registers that none of the operands has.
                unsafe {
                    match self.test(i) {
                        Some((f, test)) => {
                            let choices = [(args[1], same[1]), (args[2], same[2])];
                            let x = test.map(|r| pointers[r as usize].cast_const());
                            choose::<S>(f, instruction.dtype, x, choices, pointers[i], len);
                        }
                        None => evaluate::<S>(instruction, args, same, pointers[i], len),
                    }
                }
            }
            for (s, store) in self.stores.iter().enumerate() {
                if self.ways[store.register] == Way::Stored(s as u16) {
                    continue;
                }
                let from = pointers[store.register];
                // SAFETY: the points lie in the domain; parts write disjoint points.
                unsafe {
                    typed!(store.dtype, T => {
                        store.access.write(memory.bases[store.buffer].0.cast::<T>(), at, from.cast::<T>(), len);
                    });
                }
            }
            for (reducer, target) in self.reducers.iter().zip(targets.iter()) {
                let values = pointers[reducer.register];
                // SAFETY: the register holds `len` elements; the target is this part's own.
                unsafe { reducer.accumulate::<S>(&self.split, values, start, at, len, *target) };
            }
            at += len;
        }
    }

    /// The comparison that a choice makes itself, and its operands.
    #[inline(always)]
    fn test(&self, i: usize) -> Option<(Compare, [u16; 2])> {
        let test = &self.code[self.chosen[i]? as usize];
        match test.scalar {
            Scalar::Compare(f) => Some((f, [test.args[0], test.args[1]])),
            _ => None,
        }
    }

    /// Lets `pointer` show points `at..at + len` of a load: where they lie, or copied there.
    ///
    /// # Safety
    /// As [`MapKernel::part`]; the points lie in the domain, and `pointer` shows room for a block.
    #[inline(always)]
    unsafe fn load(
        &self,
        memory: &Memory,
        load: u16,
        at: usize,
        len: usize,
        pointer: &mut *mut u8,
    ) {
        let load = &self.loads[load as usize];
        let Base(base) = memory.bases[load.buffer];
        if let Some(offset) = load.access.direct(at, len) {
            *pointer = base.wrapping_offset(offset * load.dtype.size() as isize);
            return;
        }
        typed!(load.dtype, T => {
            // SAFETY: the caller's.
            unsafe { load.access.read(base.cast::<T>(), at, pointer.cast::<T>(), len) };
        });
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
