//! What each primitive computes, as plainly as can be said.

use crate::error::{Error, Result};
use crate::graph::{Along, Contraction, Graph, Node, Op};
use crate::shape::Axes;
use crate::{DType, Shape};

/// All positions of a shape in row-major order.
fn positions(shape: &Shape) -> impl Iterator<Item = Vec<usize>> + '_ {
    (0..shape.count()).map(|i| position(shape, i))
}

fn position(shape: &Shape, mut i: usize) -> Vec<usize> {
    let mut p = vec![0; shape.len()];
    for axis in (0..shape.len()).rev() {
        p[axis] = i % shape[axis];
        i /= shape[axis];
    }
    p
}

fn flat(shape: &Shape, p: &[usize]) -> usize {
    p.iter().zip(shape.iter()).fold(0, |i, (p, n)| i * n + p)
}

/// The result's elements from the operands' values.
pub(super) fn eval(graph: &Graph, node: &Node, values: &[Vec<f64>]) -> Result<Vec<f64>> {
    let arg = |i: usize| -> &[f64] { &values[node.args[i] as usize] };
    let shape_of = |i: usize| -> &Shape { &graph.node(node.args[i]).shape };
    let out = &node.shape;
    let operand_type = node.args.first().map_or(node.dtype, |&a| graph.node(a).dtype);
    Ok(match &node.op {
        Op::Constant(bits) => vec![f64::from_bits(*bits)],
        Op::Unary(f) => arg(0).iter().map(|&x| f.eval(x)).collect(),
        Op::Binary(f) => zip(arg(0), arg(1), |a, b| match operand_type {
            DType::U32 => f64::from(f.eval(a as u32, b as u32)),
            DType::Bool => f64::from(u8::from(f.eval(a != 0.0, b != 0.0))),
            _ => f.eval(a, b),
        }),
        Op::Compare(f) => zip(arg(0), arg(1), |a, b| f64::from(u8::from(f.eval(a, b)))),
        Op::Select => {
            (0..out.count()).map(|i| if arg(0)[i] != 0.0 { arg(1)[i] } else { arg(2)[i] }).collect()
        }
        Op::Cast | Op::StopGradient | Op::Alias | Op::Hold(_) | Op::Recompute(_) | Op::Reshape => {
            arg(0).to_vec()
        }
        Op::Sum(axes) => reduce(arg(0), shape_of(0), out, axes, 0.0, |a, b| plus(node.dtype, a, b)),
        Op::Max(axes) => {
            reduce(arg(0), shape_of(0), out, axes, f64::NEG_INFINITY, crate::scalar::Scalar::larger)
        }
        Op::Min(axes) => {
            reduce(arg(0), shape_of(0), out, axes, f64::INFINITY, crate::scalar::Scalar::smaller)
        }
        Op::ArgMax(axis) => argmax(arg(0), shape_of(0), out, *axis as usize),
        Op::Broadcast(axes) => positions(out)
            .map(|p| {
                arg(0)[flat(shape_of(0), &axes.iter().map(|&a| p[a as usize]).collect::<Vec<_>>())]
            })
            .collect(),
        Op::Transpose(axes) => positions(out)
            .map(|p| {
                let mut from = vec![0; p.len()];
                axes.iter().enumerate().for_each(|(i, &a)| from[a as usize] = p[i]);
                arg(0)[flat(shape_of(0), &from)]
            })
            .collect(),
        Op::Slice(ranges) => positions(out)
            .map(|p| {
                let from: Vec<usize> =
                    p.iter().zip(ranges).map(|(p, r)| r.start + p * r.step).collect();
                arg(0)[flat(shape_of(0), &from)]
            })
            .collect(),
        Op::Flip(axes) => positions(out)
            .map(|mut p| {
                axes.iter().for_each(|&a| p[a as usize] = out[a as usize] - 1 - p[a as usize]);
                arg(0)[flat(out, &p)]
            })
            .collect(),
        Op::Pad(padding) => {
            let mut result = vec![0.0; out.count()];
            for (p, &x) in positions(shape_of(0)).zip(arg(0)) {
                let to: Vec<usize> =
                    p.iter().zip(padding).map(|(p, q)| q.before + p * (q.between + 1)).collect();
                result[flat(out, &to)] = x;
            }
            result
        }
        Op::Concat(axis) => {
            let axis = *axis as usize;
            let mut result = vec![0.0; out.count()];
            let mut start = 0;
            for i in 0..node.args.len() {
                for (mut p, &x) in positions(shape_of(i)).zip(arg(i)) {
                    p[axis] += start;
                    result[flat(out, &p)] = x;
                }
                start += shape_of(i)[axis];
            }
            result
        }
        Op::Contract(c) => contract(c, arg(0), shape_of(0), arg(1), shape_of(1), out),
        Op::Gather(_) | Op::TakeAlong(_) => {
            let walk = Indexing::new(arg(1), shape_of(1), node);
            let mut result = vec![0.0; out.count()];
            walk.each(out, shape_of(0), |small, whole| result[small] = arg(0)[whole])?;
            result
        }
        Op::ScatterAdd(_) | Op::ScatterAlong(_) => {
            let walk = Indexing::new(arg(1), shape_of(1), node);
            let mut result = vec![0.0; out.count()];
            walk.each(shape_of(0), out, |small, whole| {
                result[whole] = node.dtype.round(plus(node.dtype, result[whole], arg(0)[small]))
            })?;
            result
        }
        Op::Random(distribution, stream) => {
            let key = [arg(0)[0] as u32, arg(0)[1] as u32];
            (0..out.count() as u64)
                .map(|i| distribution.draw(key, *stream, i, node.dtype))
                .collect()
        }
        Op::Input(_) | Op::Literal(_) | Op::Poison(_) => Vec::new(),
    })
}

/// a + b; integers wrap.
fn plus(dtype: DType, a: f64, b: f64) -> f64 {
    match dtype {
        DType::U32 => f64::from((a as u32).wrapping_add(b as u32)),
        _ => a + b,
    }
}

fn zip(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

fn reduce(
    x: &[f64],
    from: &Shape,
    out: &Shape,
    axes: &Axes,
    start: f64,
    f: impl Fn(f64, f64) -> f64,
) -> Vec<f64> {
    let mut result = vec![start; out.count()];
    for (p, &x) in positions(from).zip(x) {
        let kept: Vec<usize> =
            (0..p.len()).filter(|&a| !axes.contains(&(a as u8))).map(|a| p[a]).collect();
        let i = flat(out, &kept);
        result[i] = f(result[i], x);
    }
    result
}

fn argmax(x: &[f64], from: &Shape, out: &Shape, axis: usize) -> Vec<f64> {
    positions(out)
        .map(|p| {
            let mut best = (0, f64::NAN);
            for j in 0..from[axis] {
                let mut q = p.clone();
                q.insert(axis, j);
                let x = x[flat(from, &q)];
                if j == 0 || (!best.1.is_nan() && (x > best.1 || x.is_nan())) {
                    best = (j, x);
                }
            }
            best.0 as f64
        })
        .collect()
}

fn contract(
    c: &Contraction,
    a: &[f64],
    sa: &Shape,
    b: &[f64],
    sb: &Shape,
    out: &Shape,
) -> Vec<f64> {
    let summed: Shape = c.left_sum.iter().map(|&i| sa[i as usize]).collect();
    let (left_free, right_free) = (c.left_free(sa.len()), c.right_free(sb.len()));
    positions(out)
        .map(|p| {
            let (batch, rest) = p.split_at(c.left_batch.len());
            let (rows, columns) = rest.split_at(left_free.len());
            let mut pa = vec![0; sa.len()];
            let mut pb = vec![0; sb.len()];
            for (i, &q) in batch.iter().enumerate() {
                pa[c.left_batch[i] as usize] = q;
                pb[c.right_batch[i] as usize] = q;
            }
            left_free.iter().zip(rows).for_each(|(&axis, &q)| pa[axis as usize] = q);
            right_free.iter().zip(columns).for_each(|(&axis, &q)| pb[axis as usize] = q);
            positions(&summed)
                .map(|s| {
                    for (i, &q) in s.iter().enumerate() {
                        pa[c.left_sum[i] as usize] = q;
                        pb[c.right_sum[i] as usize] = q;
                    }
                    a[flat(sa, &pa)] * b[flat(sb, &pb)]
                })
                .sum()
        })
        .collect()
}

/// Pairs of a position on the indexed side and one on the whole side.
struct Indexing<'a> {
    axis: usize,
    along: bool,
    labels: Option<&'static str>,
    indices: &'a [f64],
    index_shape: &'a Shape,
    node: &'a Node,
}

impl<'a> Indexing<'a> {
    fn new(indices: &'a [f64], index_shape: &'a Shape, node: &'a Node) -> Indexing<'a> {
        let (Along { axis, labels }, along) = match node.op {
            Op::TakeAlong(a) | Op::ScatterAlong(a) => (a, true),
            Op::Gather(a) | Op::ScatterAdd(a) => (a.into(), false),
            // Nothing else has indices.
            _ => (0.into(), false),
        };
        Indexing { axis: axis as usize, along, labels, indices, index_shape, node }
    }

    fn each(&self, small: &Shape, whole: &Shape, mut f: impl FnMut(usize, usize)) -> Result<()> {
        let span = if self.along { 1 } else { self.index_shape.len() };
        let size = whole[self.axis];
        // All of them, also where another axis leaves nothing to select.
        if let Some(position) = self.indices.iter().position(|&i| i as usize >= size) {
            let (op, index) = (self.node.op.name(), self.indices[position] as u32);
            return Err(Error::beyond(self.labels, op, (index, position), size, self.node.at));
        }
        for (i, p) in positions(small).enumerate() {
            let at = if self.along {
                i
            } else {
                flat(self.index_shape, &p[self.axis..self.axis + span])
            };
            let mut q: Vec<usize> = p[..self.axis].to_vec();
            q.push(self.indices[at] as usize);
            q.extend(&p[self.axis + span..]);
            f(i, flat(whole, &q));
        }
        Ok(())
    }
}
