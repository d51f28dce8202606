//! Contraction: products of two values summed over paired axes. Bilinear; transposed
//! operands cost nothing, since any axes can be paired.

use super::batching::{Batched, Batching, behind, led, push};
use super::example::{Example, Examples, Sample::Real, example};
use super::plain::{Operands, flat, positions};
use super::primitive::{Bilinear, Fact, Primitive};
use crate::error::{At, Error, Result};
use crate::graph::{Binary, Contract, Contraction, NodeId, Op, Sum, Transpose};
use crate::shape::Axes;
use crate::tape::{TapeData, Var, node_of, record2};
use crate::work::Lowering;
use crate::{DType, Shape};

/// Rows of a product that are too few to fill the inner kernels.
const FEW_ROWS: usize = 8;

impl Primitive for Contract {
    fn derivative(&self) -> Fact<'_> {
        Fact::Bilinear(self)
    }

    /// Both operands batched: one more batch axis. The left one alone: its rows become more
    /// rows of the same product where they lie behind each other. The right one alone: the
    /// same with the operands exchanged, where the product has few rows. Else the other
    /// operand is repeated along a batch axis.
    fn batched(&self, of: &Batching<'_>) -> Batched {
        let c = &*self.0;
        let leads = |free: Axes| free.iter().enumerate().all(|(i, &a)| i == a as usize);
        let rows_lead = |operand: usize| {
            let rank = of.args[operand].rank();
            c.left_batch.is_empty()
                && leads(if operand == 0 { c.left_free(rank) } else { c.right_free(rank) })
        };
        let rows = || {
            let left = of.args[0].shape();
            c.left_free(left.len()).iter().map(|&a| left[a as usize]).product::<usize>()
        };
        match (of.batched[0], of.batched[1]) {
            (Some(left), None) if rows_lead(0) => {
                let more_rows = Contraction { left_sum: behind(&c.left_sum), ..c.clone() };
                of.push(Contract(Box::new(more_rows)), &[left, of.args[1]])
            }
            // The exchanged product is read back transposed, which pays for few rows only.
            (None, Some(right)) if rows_lead(1) && rows() < FEW_ROWS => exchanged(of, c, right),
            _ => of.all(Contract(Box::new(Contraction {
                left_batch: led(&c.left_batch),
                right_batch: led(&c.right_batch),
                left_sum: behind(&c.left_sum),
                right_sum: behind(&c.right_sum),
            }))),
        }
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        let (c, a, b, sa, sb) = (&self.0, of.value(0), of.value(1), of.shape(0), of.shape(1));
        let summed: Shape = c.left_sum.iter().map(|&i| sa[i as usize]).collect();
        let (left_free, right_free) = (c.left_free(sa.len()), c.right_free(sb.len()));
        let element = |p: Vec<usize>| {
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
            let products = positions(&summed).map(|s| {
                for (i, &q) in s.iter().enumerate() {
                    pa[c.left_sum[i] as usize] = q;
                    pb[c.right_sum[i] as usize] = q;
                }
                a[flat(sa, &pa)] * b[flat(sb, &pb)]
            });
            products.sum()
        };
        Ok(positions(&of.node.shape).map(element).collect())
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Added(self)
    }
}

/// Many rows on the right: rows of one product with the operands exchanged.
fn exchanged(of: &Batching<'_>, c: &Contraction, right: Var) -> Batched {
    let left = of.args[0];
    let rows = c.left_free(left.rank()).len();
    let (above, beside) = of.node.shape.split_at(rows);
    let shape: Shape = [of.size].iter().chain(beside).chain(above).copied().collect();
    let op = Contract(Box::new(Contraction {
        left_sum: behind(&c.right_sum),
        right_sum: c.left_sum.clone(),
        ..Contraction::default()
    }));
    let product = push(op.into(), &[right, left], shape, of.node.dtype, of.node.at)?;
    let first = 1 + beside.len();
    let order = std::iter::once(0).chain(first..first + rows).chain(1..first);
    of.push(Transpose(order.map(|a| a as u8).collect()), &[product])
}

impl Examples for Contract {
    fn examples() -> Vec<Example> {
        vec![
            example(&[Real(&[2, 3]), Real(&[3, 4])], |a| a[0].matmul(a[1])),
            example(&[Real(&[2, 3]), Real(&[4, 3])], |a| a[0].matmul(a[1].t())),
            example(&[Real(&[2, 3]), Real(&[3])], |a| a[0].matmul(a[1])),
            example(&[Real(&[3]), Real(&[3, 4])], |a| a[0].matmul(a[1])),
            example(&[Real(&[2, 3]), Real(&[5, 3, 4])], |a| a[0].matmul(a[1])),
            example(&[Real(&[5, 2, 3]), Real(&[5, 3, 4])], |a| a[0].matmul(a[1])),
            example(&[Real(&[2, 3, 2]), Real(&[2, 4, 2])], |a| a[0].einsum("bij,bkj->bik", a[1])),
            example(&[Real(&[2, 3, 2]), Real(&[2, 4, 5])], |a| a[0].einsum("abc,cde->eabd", a[1])),
            example(&[Real(&[2, 3]), Real(&[3, 4, 2])], |a| {
                a[0].contract(a[1], Contraction::pairing(&[], &[(0, 2), (1, 0)]))
            }),
            example(&[Real(&[4, 2, 3]), Real(&[3, 4, 2])], |a| {
                a[0].contract(a[1], Contraction::pairing(&[(2, 0), (0, 1)], &[(1, 2)]))
            }),
            example(&[Real(&[2, 3]), Real(&[4])], |a| {
                a[0].contract(a[1], Contraction::pairing(&[], &[]))
            }),
            example(&[Real(&[]), Real(&[])], |a| {
                a[0].contract(a[1], Contraction::pairing(&[], &[]))
            }),
        ]
    }
}

impl Bilinear for Contract {
    /// The cotangent of the result contracted with the other operand over its free axes, then put
    /// into the operand's axis order.
    fn transpose(&self, i: usize, args: &[Var], ct: Var) -> Var {
        let c = &*self.0;
        let [left, right] = [args[0], args[1]];
        let batch = c.left_batch.len();
        let left_free = c.left_free(left.rank());
        let right_free = c.right_free(right.rank());
        let (other, other_batch, other_free, own_batch, own_free, own_sum, other_sum) = if i == 0 {
            (
                right,
                &c.right_batch,
                &right_free,
                &c.left_batch,
                &left_free,
                &c.left_sum,
                &c.right_sum,
            )
        } else {
            (
                left,
                &c.left_batch,
                &left_free,
                &c.right_batch,
                &right_free,
                &c.right_sum,
                &c.left_sum,
            )
        };
        // Where the other operand's free axes lie in the cotangent.
        let first = batch + if i == 0 { left_free.len() } else { 0 };
        let in_ct: Axes = (0..other_free.len()).map(|k| (first + k) as u8).collect();
        let product = Contraction {
            left_batch: (0..batch as u8).collect(),
            right_batch: other_batch.clone(),
            left_sum: in_ct,
            right_sum: other_free.clone(),
        };
        // The product has the batch axes, own free axes and the other operand's summed axes, the
        // last in ascending order of *its* axes; each stands for the own axis it is paired with.
        let at = node_of(args[i]).map_or(At::caller(), |n| n.at);
        let mut summed: Vec<(u8, u8)> =
            other_sum.iter().copied().zip(own_sum.iter().copied()).collect();
        summed.sort_unstable();
        let summed = || summed.iter().map(|&(_, own)| own);
        let batch = || own_batch.iter().copied();
        let free = || own_free.iter().copied();
        let ct_first: Axes = batch().chain(free()).chain(summed()).collect();
        let ct_last: Axes = batch().chain(summed()).chain(free()).collect();
        // The order of the operands that needs no transpose, if one does not.
        if ct_last.is_sorted() && !ct_first.is_sorted() {
            return other.contract_at(ct, product.swapped(), "contract", at);
        }
        let own = ct.contract_at(other, product, "contract", at);
        let mut permutation = vec![0; ct_first.len()];
        for (position, &axis) in ct_first.iter().enumerate() {
            permutation[axis as usize] = position;
        }
        own.transpose(&permutation)
    }
}

fn record(
    tape: &mut TapeData,
    a: NodeId,
    b: NodeId,
    c: Contraction,
    op: &'static str,
    at: At,
) -> Result<NodeId> {
    let ((sa, ta), (sb, tb)) = (tape.aval(a), tape.aval(b));
    if ta != tb || !ta.is_float() {
        let problem = "the operands must be of one float type".into();
        return Err(Error::DType { op, problem, operands: vec![ta, tb], at });
    }
    let shape = match c.shape(&sa, &sb) {
        Ok(shape) => shape,
        Err(problem) => {
            return Err(Error::Shape { op, problem, operands: vec![sa, sb], at });
        }
    };
    tape.check_size(op, &shape, at)?;
    Ok(tape.push(Contract(Box::new(c)).into(), &[a, b], shape, ta, at))
}

impl Var {
    /// Contracts with another value over the given pairs of axes.
    #[track_caller]
    pub fn contract(self, other: Var, contraction: Contraction) -> Var {
        self.contract_at(other, contraction, "contract", At::caller())
    }

    pub(super) fn contract_at(self, other: Var, c: Contraction, op: &'static str, at: At) -> Var {
        record2(self, other, op, at, |tape, a, b| record(tape, a, b, c, op, at))
    }

    /// The matrix product, as in NumPy: vectors are rows on the left and columns on the
    /// right; leading axes are batches and are broadcast together.
    #[track_caller]
    pub fn matmul(self, other: Var) -> Var {
        let at = At::caller();
        record2(self, other, "matmul", at, |tape, mut a, mut b| {
            let (sa, sb) = (tape.aval(a).0, tape.aval(b).0);
            if sa.is_empty() || sb.is_empty() {
                let problem = "an operand is a scalar".into();
                return Err(Error::Shape { op: "matmul", problem, operands: vec![sa, sb], at });
            }
            let inner_b = if sb.len() == 1 { 0 } else { sb.len() - 2 };
            if sa[sa.len() - 1] != sb[inner_b] {
                let problem = "inner sizes differ".into();
                return Err(Error::Shape { op: "matmul", problem, operands: vec![sa, sb], at });
            }
            let mut c = Contraction::default();
            if sa.len() > 2 && sb.len() > 2 {
                let (lead_a, lead_b) =
                    (Shape::from(&sa[..sa.len() - 2]), Shape::from(&sb[..sb.len() - 2]));
                let Some(lead) = super::binary::broadcast_shapes(&lead_a, &lead_b) else {
                    let problem = "the batches cannot be broadcast together".into();
                    return Err(Error::Shape { op: "matmul", problem, operands: vec![sa, sb], at });
                };
                let full =
                    |s: &Shape| lead.iter().chain(&s[s.len() - 2..]).copied().collect::<Shape>();
                tape.check_size("matmul", &full(&sa), at)?;
                tape.check_size("matmul", &full(&sb), at)?;
                a = tape.broadcast_to(a, &full(&sa), at);
                b = tape.broadcast_to(b, &full(&sb), at);
                c.left_batch = (0..lead.len() as u8).collect();
                c.right_batch = c.left_batch.clone();
            }
            let (rank_a, rank_b) = (tape.aval(a).0.len(), tape.aval(b).0.len());
            c.left_sum = Axes::from_slice(&[rank_a as u8 - 1]);
            c.right_sum = Axes::from_slice(&[if rank_b == 1 { 0 } else { rank_b as u8 - 2 }]);
            let product = record(tape, a, b, c, "matmul", at)?;
            // A matrix against a batch of matrices: the rows come first, but belong last but one.
            if sa.len() == 2 && sb.len() > 2 {
                let (shape, dtype) = tape.aval(product);
                let mut axes: Axes = (1..shape.len() as u8 - 1).collect();
                axes.extend([0, shape.len() as u8 - 1]);
                let shape = axes.iter().map(|&i| shape[i as usize]).collect();
                return Ok(tape.push(Transpose(axes).into(), &[product], shape, dtype, at));
            }
            Ok(product)
        })
    }

    /// The inner product Σ aᵢ bᵢ over all elements of two values of one shape.
    #[track_caller]
    pub fn dot(self, other: Var) -> Var {
        let at = At::caller();
        record2(self, other, "dot", at, |tape, a, b| {
            let ((sa, ta), (sb, tb)) = (tape.aval(a), tape.aval(b));
            if sa != sb {
                let problem = "the shapes differ".into();
                return Err(Error::Shape { op: "dot", problem, operands: vec![sa, sb], at });
            }
            if ta != tb || ta == DType::Bool {
                let problem = "the operands must be of one numeric type".into();
                return Err(Error::DType { op: "dot", problem, operands: vec![ta, tb], at });
            }
            // Recorded as a product and a sum: it fuses with what computes the operands.
            let product = tape.push(Op::Binary(Binary::Mul), &[a, b], sa.clone(), ta, at);
            if sa.is_empty() {
                return Ok(product);
            }
            let axes: Axes = (0..sa.len() as u8).collect();
            Ok(tape.push(Sum(axes).into(), &[product], Shape::scalar(), ta, at))
        })
    }
}
