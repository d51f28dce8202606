//! What the instructions of a random program record: movements, products and indexing.

use super::programs::Step;
use super::recorder::{Choices, Recorder, Value};
use super::steps::joint;
use crate::graph::{Contraction, Padding};
use crate::{DType, Shape, Var};

/// Shapes with a given number of elements.
fn shapes_of(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![0], vec![0, 3], vec![2, 0], vec![1, 0, 2]];
    }
    let factor = (2..=count).find(|p| count.is_multiple_of(*p)).unwrap_or(1);
    let rest = count / factor;
    let mut shapes = vec![
        vec![count],
        vec![1, count],
        vec![count, 1],
        vec![factor, rest],
        vec![rest, factor],
        vec![factor, 1, rest],
        vec![1, rest, factor, 1],
    ];
    if count == 1 {
        shapes.push(vec![]);
    }
    shapes
}

/// Two operands with at least one axis each get letters; equal sizes may share one.
fn pairs(a: &Shape, b: &Shape, c: &mut Choices) -> Vec<(usize, usize, bool)> {
    let mut pairs: Vec<(usize, usize, bool)> = Vec::new();
    for (i, &n) in a.iter().enumerate() {
        let partner = (0..b.len()).find(|&j| b[j] == n && pairs.iter().all(|p| p.1 != j));
        if let Some(j) = partner {
            match c.below(4) {
                0 => {}
                1 => pairs.push((i, j, true)),
                _ => pairs.push((i, j, false)),
            }
        }
    }
    pairs
}

impl Recorder<'_> {
    pub(super) fn movement(&mut self, step: Step, c: &mut Choices) {
        match step {
            Step::Concat => self.concat(c),
            Step::Contract => self.contract(c),
            Step::Matmul => self.matmul(c),
            Step::Einsum => self.einsum(c),
            Step::Gather => self.gather(c),
            Step::ScatterAdd => self.scatter_add(c),
            Step::TakeAlong => self.take_along(c),
            Step::OneHot => self.one_hot(c),
            _ => {
                let a = self.take_any(c);
                let (text, result) = self.moved(step, &a, c);
                self.give(text, result, a.bound, a.depends);
            }
        }
    }

    /// Movements of one operand.
    fn moved(&mut self, step: Step, a: &Value, c: &mut Choices) -> (String, Var) {
        let (x, name) = (a.var, &a.name);
        let shape = x.shape();
        let rank = shape.len();
        match step {
            Step::Reshape => {
                let shapes = shapes_of(shape.count());
                let to = shapes[c.below(shapes.len())].clone();
                (format!("reshape({name})"), x.reshape(to))
            }
            Step::Broadcast => match c.below(2) {
                0 => {
                    let mut to: Vec<usize> =
                        shape.iter().map(|&n| if n == 1 { 1 + c.below(3) } else { n }).collect();
                    if c.below(2) == 0 && rank < 4 {
                        to.insert(0, c.below(4));
                    }
                    (format!("broadcast({name})"), x.broadcast_to(to))
                }
                _ => {
                    let place = c.below(rank + 1);
                    let mut to = shape.to_vec();
                    to.insert(place, 1 + c.below(3));
                    let kept: Vec<usize> = (0..=rank).filter(|&axis| axis != place).collect();
                    (format!("broadcast({name}, new axis {place})"), x.broadcast_axes(to, &kept))
                }
            },
            Step::Transpose => {
                let axes = c.permutation(rank);
                (format!("transpose({name}, {axes:?})"), x.transpose(&axes))
            }
            Step::Slice => {
                let ranges: Vec<(usize, usize, usize)> = shape
                    .iter()
                    .map(|&n| {
                        let start = c.below(n.max(1)).min(n);
                        // Empty slices are rare.
                        let least = usize::from(c.below(16) != 0 && n > 0);
                        (start, start + least + c.below(n - start + 1 - least), 1 + c.below(3))
                    })
                    .collect();
                (format!("slice({name}, {ranges:?})"), x.slice_steps(&ranges))
            }
            Step::Pad => {
                let padding: Vec<Padding> = shape
                    .iter()
                    .map(|_| Padding {
                        before: c.below(3),
                        between: c.below(4) / 2,
                        after: c.below(2),
                    })
                    .collect();
                (format!("pad({name}, {padding:?})"), x.pad(&padding))
            }
            _ => {
                let axes = c.axes(rank);
                (format!("flip({name}, {axes:?})"), x.flip(&axes))
            }
        }
    }

    fn concat(&mut self, c: &mut Choices) {
        let a = self.take_any(c);
        let x = if a.var.rank() == 0 { a.var.expand_dims(0) } else { a.var };
        let (shape, dtype) = (x.shape(), x.dtype());
        let axis = c.below(shape.len());
        let fits = |v: &Value| {
            let other = v.var.shape();
            other.len() == shape.len()
                && (0..other.len()).all(|i| i == axis || other[i] == shape[i])
        };
        let b = self.values_of(dtype).find(c, fits);
        let (other, other_name, bound, depends) = match &b {
            Some(b) => (b.var, b.name.clone(), b.bound, b.depends),
            None => (x.flip(&[axis]), a.name.clone(), a.bound, a.depends),
        };
        let parts = match c.below(3) {
            0 => vec![x, other, x],
            1 => vec![other, x],
            _ => vec![x, other],
        };
        let joined = self.tape.concat(&parts, axis);
        let text =
            format!("concat({} and {other_name}, {} parts, axis {axis})", a.name, parts.len());
        self.give(text, joined, a.bound.max(bound), a.depends || depends);
    }

    fn contract(&mut self, c: &mut Choices) {
        let a = self.reals.take(c);
        let b = self.reals.take(c);
        let (sa, sb) = (a.var.shape(), b.var.shape());
        let mut contraction = Contraction::default();
        let mut n = 1;
        let mut paired = pairs(&sa, &sb, c);
        if c.below(2) == 0 {
            paired.reverse();
        }
        for &(i, j, batch) in &paired {
            let (left, right) = match batch {
                true => (&mut contraction.left_batch, &mut contraction.right_batch),
                false => (&mut contraction.left_sum, &mut contraction.right_sum),
            };
            left.push(i as u8);
            right.push(j as u8);
            n *= if batch { 1 } else { sa[i] };
        }
        // A pair is one axis of the result in place of two, or none.
        let gone = |&(i, _, batch): &(usize, usize, bool)| sa[i] * if batch { 1 } else { sa[i] };
        let gone: usize = paired.iter().map(gone).product();
        let elements = sa.count().saturating_mul(sb.count()) / gone.max(1);
        if self.is_too_large(std::iter::once(elements)) {
            return;
        }
        let text =
            format!("contract({}, {}, pairs (left, right, batch) {paired:?})", a.name, b.name);
        let result = a.var.contract(b.var, contraction);
        self.give(text, result, a.bound * b.bound * n.max(1) as f64, a.depends || b.depends);
    }

    fn matmul(&mut self, c: &mut Choices) {
        let a = self.reals.take(c);
        let x = if a.var.rank() == 0 { a.var.expand_dims(0) } else { a.var };
        let shape = x.shape();
        let inner = shape[shape.len() - 1];
        let fits = |v: &Value| {
            let other = v.var.shape();
            match other.len() {
                0 => false,
                1 => other[0] == inner,
                n if n > 2 && shape.len() > 2 => {
                    other[n - 2] == inner && (n != shape.len() || other[0] == shape[0])
                }
                n => other[n - 2] == inner,
            }
        };
        let found = if c.below(4) == 0 { None } else { self.reals.find(c, fits) };
        // Batches of different ranks or sizes may still not go together; then against itself.
        let partner = found.filter(|v| {
            v.var.rank() <= 2
                || shape.len() <= 2
                || v.var.shape()[..v.var.rank() - 2] == shape[..shape.len() - 2]
        });
        let (other, name, bound, depends) = match &partner {
            Some(b) => (b.var, b.name.clone(), b.bound, b.depends),
            None => (x.t(), format!("{} transposed", a.name), a.bound, a.depends),
        };
        let (rows, columns) = (shape.count() / inner.max(1), other.shape().count() / inner.max(1));
        if self.is_too_large([rows, columns].into_iter()) {
            return;
        }
        let result = x.matmul(other);
        let text = format!("matmul({}, {name})", a.name);
        self.give(text, result, a.bound * bound * inner.max(1) as f64, a.depends || depends);
    }

    fn einsum(&mut self, c: &mut Choices) {
        let a = self.reals.take(c);
        let b = self.reals.take(c);
        let (sa, sb) = (a.var.shape(), b.var.shape());
        let left: Vec<char> = ('a'..).take(sa.len()).collect();
        let mut right: Vec<char> = ('m'..).take(sb.len()).collect();
        for (i, j, _) in pairs(&sa, &sb, c) {
            right[j] = left[i];
        }
        let mut letters: Vec<char> = left.clone();
        letters.extend(right.iter().filter(|l| !left.contains(l)));
        let order = c.permutation(letters.len());
        let dropped = c.axes(letters.len().min(6));
        let kept: Vec<char> =
            order.iter().filter(|i| !dropped.contains(i)).map(|&i| letters[i]).collect();
        let size_of = |l: &char| match left.iter().position(|m| m == l) {
            Some(i) => sa[i],
            None => right.iter().position(|m| m == l).map_or(1, |j| sb[j]),
        };
        if self.is_too_large(kept.iter().map(size_of)) {
            return;
        }
        let text = |letters: &[char]| letters.iter().collect::<String>();
        let spec = format!("{},{}->{}", text(&left), text(&right), text(&kept));
        let result = a.var.einsum(&spec, b.var);
        let n = sa.iter().chain(sb.iter()).fold(1, |n, &d| n * d.max(1));
        self.give(
            format!("einsum({spec:?}, {}, {})", a.name, b.name),
            result,
            a.bound * b.bound * n as f64,
            a.depends || b.depends,
        );
    }

    /// Indices below `n ≥ 1` in one axis, with their names.
    fn indices_below(&mut self, n: usize, c: &mut Choices) -> (Var, String) {
        let value = self.integers.take(c);
        let flat = value.var.flatten();
        let count = flat.shape()[0].min(6);
        let flat = flat.slice_axis(0, 0, count);
        let size = flat.constant_like(n as f64);
        let below = match c.below(2) {
            // The remainder, in integer arithmetic.
            0 => flat - (flat / size) * size,
            _ => flat.min(flat.constant_like((n - 1) as f64)),
        };
        (below, format!("{} below {n}", value.name))
    }

    /// A value with an axis of at least one entry.
    fn indexable(&mut self, dtype: DType, c: &mut Choices) -> Option<(Value, Var, usize)> {
        let a = self.values_of(dtype).take(c);
        let x = if a.var.rank() == 0 { a.var.expand_dims(0) } else { a.var };
        let axis = c.below(x.rank());
        (x.shape()[axis] > 0).then_some((a, x, axis))
    }

    fn gather(&mut self, c: &mut Choices) {
        let dtype = [DType::F64, DType::F64, DType::U32, DType::Bool][c.below(4)];
        let Some((a, x, axis)) = self.indexable(dtype, c) else {
            return;
        };
        let (indices, name) = self.indices_below(x.shape()[axis], c);
        // Indices of any rank.
        let indices = match c.below(3) {
            0 => indices.expand_dims(0),
            1 if indices.shape()[0] > 0 => indices.at(0),
            _ => indices,
        };
        let result = x.gather(axis, indices);
        self.give(format!("gather({}, axis {axis}, {name})", a.name), result, a.bound, a.depends);
    }

    fn scatter_add(&mut self, c: &mut Choices) {
        let dtype = [DType::F64, DType::F64, DType::F64, DType::U32][c.below(4)];
        let Some((a, x, axis)) = self.indexable(dtype, c) else {
            return;
        };
        let (indices, name) = self.indices_below(x.shape()[axis], c);
        let like = x.gather(axis, indices);
        let other = self.values_of(dtype).take(c);
        let updates = match self.fit(other.var, &like.shape(), c) {
            Some(fitted) if joint(&like.shape(), &fitted.shape()) == like.shape() => {
                fitted.broadcast_to(like.shape())
            }
            _ => like,
        };
        let result = x.scatter_add(axis, indices, updates);
        let bound = if dtype == DType::U32 {
            f64::from(u32::MAX)
        } else {
            a.bound + 6.0 * other.bound.max(a.bound)
        };
        let text = format!("scatter_add({}, axis {axis}, {name}, {})", a.name, other.name);
        self.give(text, result, bound, a.depends || other.depends);
    }

    fn take_along(&mut self, c: &mut Choices) {
        let dtype = [DType::F64, DType::F64, DType::U32, DType::Bool][c.below(4)];
        let Some((a, x, axis)) = self.indexable(dtype, c) else {
            return;
        };
        let shape = x.shape();
        let n = shape[axis];
        let (line, name) = self.indices_below(n, c);
        let mut full = shape.clone();
        full[axis] = line.shape()[0];
        let mut indices = line.broadcast_axes(&full, &[axis]);
        // Different ones along another axis too.
        let other = (axis + 1) % shape.len();
        if other != axis {
            let shift = self.tape.iota(shape[other]).broadcast_axes(&full, &[other]);
            let size = indices.constant_like(n as f64);
            let sum = indices + shift;
            indices = sum - (sum / size) * size;
        }
        let result = x.take_along(axis, indices);
        self.give(
            format!("take_along({}, axis {axis}, {name})", a.name),
            result,
            a.bound,
            a.depends,
        );
    }

    fn one_hot(&mut self, c: &mut Choices) {
        let classes = 1 + c.below(4);
        // One beyond is allowed, and gives zeros.
        let (indices, name) = self.indices_below(classes + 1, c);
        let dtype = self.dtype;
        self.give(
            format!("one_hot({name}, {classes} classes)"),
            indices.one_hot(classes, dtype),
            1.0,
            false,
        );
    }
}
