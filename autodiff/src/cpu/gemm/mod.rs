//! Matrix products: blocked for the caches, an inner kernel for each instruction set.
//!
//! Every element of the result is summed in the order of the summed axis, in blocks of
//! [`KC`]: whatever the division into parts, the bits are the same.

mod lanes;
mod micro;
mod pack;
#[cfg(test)]
mod tests;

use super::instruction_set::InstructionSet;
use lanes::Lanes;
use micro::{Strided, Tile, tile};
use num_traits::Zero;
use std::cell::RefCell;

/// Summed elements of a block: a panel of `b` of this length stays in the first-level cache.
const KC: usize = 512;

/// Rows of a block of `a`: with [`KC`] columns it stays in the second-level cache.
const MC: usize = 144;

/// Columns of a block of `b`: with [`KC`] rows it stays in the last-level cache.
const NC: usize = 2048;

/// A matrix product c = a · b, all strided: element (i, j) of a matrix lies at
/// `at + i·strides.0 + j·strides.1`.
#[derive(Clone, Copy)]
pub(super) struct Gemm<T> {
    pub(super) m: usize,
    pub(super) k: usize,
    pub(super) n: usize,
    pub(super) a: (*const T, (isize, isize)),
    pub(super) b: (*const T, (isize, isize)),
    pub(super) c: (*mut T, (isize, isize)),
    /// Whether the product is added to what `c` holds.
    pub(super) add: bool,
}

/// Element types with inner kernels.
pub(super) trait Product: Copy + Zero + 'static {
    /// # Safety
    /// The matrices lie in memory that nobody else writes, `c` overlaps neither operand,
    /// and the processor has the instruction set.
    unsafe fn gemm(set: InstructionSet, product: &Gemm<Self>);
}

thread_local! {
    /// Packed operands, kept from run to run.
    static PACKED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with room for `bytes` on a cache line.
fn with_room(bytes: usize, f: impl FnOnce(*mut u8)) {
    PACKED.with_borrow_mut(|memory| {
        if memory.len() * 8 < bytes + 64 {
            memory.resize(bytes / 8 + 9, 0);
        }
        let start = memory.as_mut_ptr().cast::<u8>();
        f(start.wrapping_add(start.align_offset(64)));
    });
}

impl<T> Gemm<T> {
    /// cᵀ = bᵀ · aᵀ.
    fn transposed(&self) -> Gemm<T> {
        let flip = |s: (isize, isize)| (s.1, s.0);
        Gemm {
            m: self.n,
            k: self.k,
            n: self.m,
            a: (self.b.0, flip(self.b.1)),
            b: (self.a.0, flip(self.a.1)),
            c: (self.c.0, flip(self.c.1)),
            add: self.add,
        }
    }

    /// Elements copied before and after the arithmetic, against the grain of memory twice.
    fn copies(&self) -> usize {
        let grain = |stride: isize| if stride == 1 { 1 } else { 2 };
        let a = if self.packs_a() { self.m * self.k * grain(self.a.1.0) } else { 0 };
        let b = if self.packs_b() { self.k * self.n * grain(self.b.1.1) } else { 0 };
        // One by one, and read as well when added to.
        let c = if self.c.1.1 == 1 { 0 } else { 3 * self.m * self.n };
        a + b + c
    }

    /// Columns are read in vectors, so where those are contiguous a copy only pays for many
    /// rows.
    fn packs_b(&self) -> bool {
        self.b.1.1 != 1 || self.m > 32
    }

    /// Rows are read along the summed axis, so where that is contiguous a copy only pays for
    /// many columns.
    fn packs_a(&self) -> bool {
        self.a.1.1 != 1 || self.n > 512
    }
}

/// Rows as tiles of `large` and `small` such that few are wasted: the number of large ones.
fn large_tiles(rows: usize, large: usize, small: usize) -> usize {
    let fits = rows / large;
    (0..=fits)
        .rev()
        .take(3)
        .min_by_key(|&q| {
            let rest = rows - q * large;
            (q * large + rest.next_multiple_of(small), rest)
        })
        .unwrap_or(0)
}

/// How a product is blocked: sizes of the packed blocks.
struct Plan {
    kc: usize,
    pack_a: bool,
    /// Elements before the packed columns: the packed rows.
    rows: usize,
    total: usize,
}

impl Plan {
    fn new<T>(g: &Gemm<T>, width: usize, height: usize) -> Plan {
        // Blocks of equal size, whatever the other sizes.
        let kc = g.k.div_ceil(g.k.div_ceil(KC)).next_multiple_of(8);
        let nc = NC.min(g.n.next_multiple_of(width));
        let pack_a = g.packs_a();
        let mc = MC.min(g.m) + height;
        // A multiple of a cache line, for every type.
        let rows = if pack_a { (mc * kc).next_multiple_of(16) } else { 0 };
        Plan { kc, pack_a, rows, total: rows + kc * nc }
    }
}

/// # Safety
/// As [`Product::gemm`]; `V` is of the processor, `room` has the plan's size.
#[inline(always)]
unsafe fn blocked<V: Lanes, const LARGE: usize, const SMALL: usize>(
    g: &Gemm<V::T>,
    plan: &Plan,
    room: *mut V::T,
) {
    let width = 2 * V::N;
    for j0 in (0..g.n).step_by(NC) {
        let columns = NC.min(g.n - j0);
        for p0 in (0..g.k).step_by(plan.kc) {
            let k = plan.kc.min(g.k - p0);
            let add = g.add || p0 > 0;
            // SAFETY: the caller's; the room holds a block of each.
            unsafe {
                let room_b = room.add(plan.rows);
                // What is no whole panel is always copied: nothing beyond it may be read.
                let whole = if g.packs_b() { 0 } else { columns / width * width };
                for j in (whole..columns).step_by(width) {
                    let b = Strided {
                        at: g.b.0.offset(p0 as isize * g.b.1.0 + (j0 + j) as isize * g.b.1.1),
                        rows: g.b.1.0,
                        columns: g.b.1.1,
                    };
                    let exist = width.min(columns - j);
                    pack::panel::<V>(&b, k, exist, width, room_b.add(j * k));
                }
                for i0 in (0..g.m).step_by(MC) {
                    let rows = MC.min(g.m - i0);
                    let large = large_tiles(rows, LARGE, SMALL);
                    let block = Block { i0, rows, large, p0, k, j0, columns, whole, add };
                    if plan.pack_a {
                        block.pack::<V, LARGE, SMALL>(g, room);
                        block.multiply::<V, LARGE, SMALL, true>(g, room, room_b);
                    } else {
                        block.multiply::<V, LARGE, SMALL, false>(g, room, room_b);
                    }
                }
            }
        }
    }
}

/// The part of a product whose operands lie in the caches.
struct Block {
    i0: usize,
    rows: usize,
    /// How many of its tiles are large.
    large: usize,
    p0: usize,
    k: usize,
    j0: usize,
    columns: usize,
    /// The columns read where they lie.
    whole: usize,
    add: bool,
}

impl Block {
    /// The tiles' first rows and heights.
    #[inline(always)]
    fn tiles<const LARGE: usize, const SMALL: usize>(&self) -> impl Iterator<Item = (usize, bool)> {
        let large = self.large;
        let rest = self.rows - large * LARGE;
        (0..large)
            .map(|t| (t * LARGE, true))
            .chain((0..rest.div_ceil(SMALL)).map(move |t| (large * LARGE + t * SMALL, false)))
    }

    /// # Safety
    /// As [`blocked`]; `room` holds the block's rows, rounded up to tiles.
    #[inline(always)]
    unsafe fn pack<V: Lanes, const LARGE: usize, const SMALL: usize>(
        &self,
        g: &Gemm<V::T>,
        room: *mut V::T,
    ) {
        for (i, large) in self.tiles::<LARGE, SMALL>() {
            let (si, sp) = g.a.1;
            // SAFETY: the caller's.
            unsafe {
                let at = g.a.0.offset((self.i0 + i) as isize * si + self.p0 as isize * sp);
                let (a, to) = (Strided { at, rows: sp, columns: si }, room.add(i * self.k));
                let rows = self.rows - i;
                // Each height as a constant, so that rows are copied by a few moves.
                if large {
                    pack::panel::<V>(&a, self.k, LARGE.min(rows), LARGE, to);
                } else {
                    pack::panel::<V>(&a, self.k, SMALL.min(rows), SMALL, to);
                }
            }
        }
    }

    /// # Safety
    /// As [`blocked`]; the rooms hold what was packed for this block.
    #[inline(always)]
    unsafe fn multiply<V: Lanes, const LARGE: usize, const SMALL: usize, const PACKED: bool>(
        &self,
        g: &Gemm<V::T>,
        room_a: *mut V::T,
        room_b: *mut V::T,
    ) {
        let width = 2 * V::N;
        // SAFETY: the caller's.
        unsafe {
            for j in (0..self.columns).step_by(width) {
                let (b, b_rows) = if j < self.whole {
                    let (sp, sj) = g.b.1;
                    let at = self.p0 as isize * sp + (self.j0 + j) as isize * sj;
                    (g.b.0.offset(at), sp)
                } else {
                    (room_b.add(j * self.k).cast_const(), width as isize)
                };
                let exist = width.min(self.columns - j);
                for (i, large) in self.tiles::<LARGE, SMALL>() {
                    let height = if large { LARGE } else { SMALL };
                    let rows = height.min(self.rows - i);
                    let a = if PACKED {
                        let at = room_a.add(i * self.k).cast_const();
                        Strided { at, rows: 1, columns: height as isize }
                    } else {
                        let (si, sp) = g.a.1;
                        let at = (self.i0 + i) as isize * si + self.p0 as isize * sp;
                        Strided { at: g.a.0.offset(at), rows: si, columns: sp }
                    };
                    let (ci, cj) = g.c.1;
                    let at = (self.i0 + i) as isize * ci + (self.j0 + j) as isize * cj;
                    let c = Strided { at: g.c.0.offset(at), rows: ci, columns: cj };
                    let t = Tile { k: self.k, rows, columns: exist, add: self.add };
                    match (large, exist <= V::N) {
                        (true, false) => tile::<V, LARGE, 2>(t, &a, b, b_rows, &c),
                        (true, true) => tile::<V, LARGE, 1>(t, &a, b, b_rows, &c),
                        (false, false) => tile::<V, SMALL, 2>(t, &a, b, b_rows, &c),
                        (false, true) => tile::<V, SMALL, 1>(t, &a, b, b_rows, &c),
                    }
                }
            }
        }
    }
}

/// # Safety
/// As [`Product::gemm`], for a product with at least one element.
unsafe fn clear<T: Copy + Zero>(g: &Gemm<T>) {
    for i in 0..g.m as isize {
        for j in 0..g.n as isize {
            // SAFETY: the caller's.
            unsafe { *g.c.0.offset(i * g.c.1.0 + j * g.c.1.1) = T::zero() };
        }
    }
}

macro_rules! product {
    ($T:ty, $base:ty $(, $m256:ty, $m512:ty)?) => {
        const _: () = {
            unsafe fn base(g: &Gemm<$T>, plan: &Plan, room: *mut $T) {
                // SAFETY: the caller's.
                unsafe { blocked::<$base, 4, 2>(g, plan, room) }
            }
            $(
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2(g: &Gemm<$T>, plan: &Plan, room: *mut $T) {
                // SAFETY: the caller's.
                unsafe { blocked::<$m256, 6, 4>(g, plan, room) }
            }
            #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")]
            unsafe fn avx512(g: &Gemm<$T>, plan: &Plan, room: *mut $T) {
                // SAFETY: the caller's.
                unsafe { blocked::<$m512, 12, 8>(g, plan, room) }
            }
            )?
            impl Product for $T {
                unsafe fn gemm(set: InstructionSet, g: &Gemm<$T>) {
                    type Inner = unsafe fn(&Gemm<$T>, &Plan, *mut $T);
                    if g.m == 0 || g.n == 0 {
                        return;
                    }
                    if g.k == 0 {
                        if !g.add {
                            // SAFETY: the caller's; there is an element.
                            unsafe { clear(g) };
                        }
                        return;
                    }
                    let flipped = g.transposed();
                    let g = if flipped.copies() < g.copies() { &flipped } else { g };
                    let (inner, lanes, height): (Inner, usize, usize) = match set {
                        $(
                        InstructionSet::Avx512 => (avx512, <$m512>::N, 12),
                        InstructionSet::Avx2 => (avx2, <$m256>::N, 6),
                        )?
                        _ => (base, <$base>::N, 4),
                    };
                    let plan = Plan::new(g, 2 * lanes, height);
                    // SAFETY: the caller's; the room is what the plan wants.
                    with_room(plan.total * size_of::<$T>(), |room| unsafe {
                        inner(g, &plan, room.cast())
                    });
                }
            }
        };
    };
}

#[cfg(target_arch = "x86_64")]
mod types {
    pub(super) use std::arch::x86_64::{__m128, __m128d, __m256, __m256d, __m512, __m512d};
}
#[cfg(target_arch = "x86_64")]
product!(f32, types::__m128, types::__m256, types::__m512);
#[cfg(target_arch = "x86_64")]
product!(f64, types::__m128d, types::__m256d, types::__m512d);
#[cfg(target_arch = "aarch64")]
product!(f32, std::arch::aarch64::float32x4_t);
#[cfg(target_arch = "aarch64")]
product!(f64, std::arch::aarch64::float64x2_t);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
product!(f32, [f32; 4]);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
product!(f64, [f64; 4]);
