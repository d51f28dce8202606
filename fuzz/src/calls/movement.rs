//! Movement of elements, indices, and values from nothing.

use super::Calls;
use burlap::autodiff::{Array, DType, Var};

impl Calls<'_, '_, '_> {
    pub(super) fn moved(&mut self) -> Var {
        let (x, a) = self.with_axis();
        let (shape, rank) = (x.shape(), x.rank());
        match self.c.below(9) {
            0 => {
                let count = shape.count();
                let to = match self.c.below(5) {
                    0 => self.c.sizes(),
                    1 => vec![1, count],
                    2 => vec![count, 1, 1],
                    3 if count.is_multiple_of(2) => vec![2, count / 2],
                    _ => vec![count],
                };
                self.record(format!("{a}.reshape({to:?})"), x.reshape(to), true)
            }
            1 => {
                let mut to = self.c.sizes();
                if !self.c.odd(8) {
                    to.truncate(1);
                    to.extend(shape.iter());
                }
                self.record(format!("{a}.broadcast_to({to:?})"), x.broadcast_to(to), true)
            }
            2 => {
                let place = self.c.axis(rank + 1).min(rank);
                let (mut to, kept): (Vec<usize>, Vec<usize>) =
                    (shape.to_vec(), (0..=rank).filter(|&axis| axis != place).collect());
                to.insert(place, self.c.size());
                let kept = if self.c.odd(16) { self.c.axes(rank + 1) } else { kept };
                self.record(
                    format!("{a}.broadcast_axes({to:?}, {kept:?})"),
                    x.broadcast_axes(to, &kept),
                    true,
                )
            }
            3 => {
                let order = self.c.order(rank);
                self.record(format!("{a}.transpose({order:?})"), x.transpose(&order), true)
            }
            4 => {
                let mut ranges: Vec<(usize, usize, usize)> = Vec::new();
                for &n in shape.iter() {
                    let start = self.c.below(n + 1);
                    ranges.push((start, start + self.c.below(n - start + 1), 1 + self.c.below(3)));
                }
                if self.c.odd(16) {
                    ranges.push((self.c.size(), self.c.size(), self.c.size()));
                }
                self.record(format!("{a}.slice_steps({ranges:?})"), x.slice_steps(&ranges), true)
            }
            5 => {
                let axis = self.c.axis(rank);
                let n = shape.get(axis).copied().unwrap_or(3);
                let mut end = || if self.c.odd(16) { self.c.size() } else { self.c.below(n + 1) };
                let (start, end) = (end(), end());
                self.record(
                    format!("{a}.slice_axis({axis}, {start}, {end})"),
                    x.slice_axis(axis, start, end),
                    true,
                )
            }
            6 if rank > 0 && shape[0] > 0 || self.c.odd(4) => {
                let n = shape.first().copied().unwrap_or(1);
                let i = if self.c.odd(16) { self.c.size() } else { self.c.below(n) };
                self.record(format!("{a}.at({i})"), x.at(i), true)
            }
            7 => {
                let padding = self.c.padding(rank);
                self.record(format!("{a}.pad({padding:?})"), x.pad(&padding), true)
            }
            _ => {
                let axis = self.c.axis(rank + 1);
                self.record(format!("{a}.expand_dims({axis})"), x.expand_dims(axis), true)
            }
        }
    }

    pub(super) fn indexed(&mut self) -> Var {
        let ((x, a), (i, b)) = (self.with_axis(), self.of(|dtype| dtype == DType::U32));
        let axis = self.c.axis(x.rank());
        let n = x.shape().get(axis).copied().unwrap_or(1).max(1);
        // Mostly within the axis.
        let (i, b) = match self.c.odd(8) || i.dtype() != DType::U32 {
            true => (i, b),
            false => (i.min((n - 1) as f64), format!("{b}.min({})", n - 1)),
        };
        match self.c.below(4) {
            0 => self.record(format!("{a}.gather({axis}, {b})"), x.gather(axis, i), true),
            1 => {
                let like = x.gather(axis, i);
                let updates = if self.c.odd(8) { self.any().0 } else { like };
                let exact = !x.dtype().is_float();
                self.record(
                    format!("{a}.scatter_add({axis}, {b}, {})", updates.shape()),
                    x.scatter_add(axis, i, updates),
                    exact,
                )
            }
            2 => {
                let i = match self.c.chance(4) {
                    true => i,
                    false => i.flatten().at(0).broadcast_to(x.shape()),
                };
                self.record(format!("{a}.take_along({axis}, {b})"), x.take_along(axis, i), true)
            }
            _ => {
                let (classes, dtype) = (self.c.size(), self.c.dtype());
                self.record(
                    format!("{b}.one_hot({classes}, {dtype})"),
                    i.one_hot(classes, dtype),
                    true,
                )
            }
        }
    }

    /// Values that are made of none or of a key.
    pub(super) fn made(&mut self) -> Var {
        let dtype = self.c.dtype();
        match self.c.below(7) {
            0 => {
                let (sizes, n) = (self.c.sizes(), self.c.number());
                let var = self.tape.full(dtype, sizes.clone(), n);
                self.record(format!("tape.full({dtype}, {sizes:?}, {n:?})"), var, true)
            }
            1 => {
                let n = self.c.size();
                let var = self.tape.iota(n);
                self.record(format!("tape.iota({n})"), var, true)
            }
            2 => {
                let (x, a) = self.any();
                let data = Array::full(dtype, self.c.shape(0), self.c.number());
                self.record(format!("{a}.literal({data:?})"), x.literal(&data), true)
            }
            3 => {
                let n = self.c.number();
                let var = self.tape.constant(dtype, n);
                self.record(format!("tape.constant({dtype}, {n:?})"), var, true)
            }
            kind => {
                let ((key, a), stream) = (self.of(|dtype| dtype == DType::U32), self.c.word());
                let key = if self.c.odd(16) { key } else { key.flatten().at(0).broadcast_to([2]) };
                let (float, shape) = (self.c.float(), self.c.sizes());
                match kind {
                    4 => {
                        let var = key.uniform(stream, float, shape.clone());
                        let text = format!("{a}.uniform({stream}, {float}, {shape:?})");
                        // Bits and a product with a power of two.
                        self.record(text, var, true)
                    }
                    5 => {
                        let var = key.normal(stream, float, shape.clone());
                        self.record(format!("{a}.normal({stream}, {float}, {shape:?})"), var, false)
                    }
                    _ => {
                        let var = key.bits(stream, shape.clone());
                        self.record(format!("{a}.bits({stream}, {shape:?})"), var, true)
                    }
                }
            }
        }
    }
}
