//! Contractions as batches of strided matrix products.

use super::lower::Lowering;
use super::{Product, View, Work};
use crate::Shape;
use crate::graph::{Contraction, NodeId, Op};
use crate::shape::{Axes, Strides};

/// A run of axes as one axis: its size and stride, if the strides allow it.
fn merged(shape: &Shape, strides: &[isize], axes: &[u8]) -> Option<(usize, isize)> {
    let mut size = 1;
    let mut stride = 0;
    for &a in axes.iter().rev() {
        let (n, s) = (shape[a as usize], strides[a as usize]);
        if n == 1 {
            continue;
        }
        if size == 1 {
            stride = s;
        } else if s != stride * size as isize {
            return None;
        }
        size *= n;
    }
    Some((size, stride))
}

/// The operand as batch axes, then `first`, then `second`, each of the latter one axis.
fn operand(l: &mut Lowering, id: NodeId, batch: &[u8], first: &[u8], second: &[u8]) -> View {
    let view = l.view(id);
    let shape = l.shape(id).clone();
    let pick =
        |strides: &[isize]| -> Strides { batch.iter().map(|&a| strides[a as usize]).collect() };
    let pair =
        |strides: &[isize]| merged(&shape, strides, first).zip(merged(&shape, strides, second));
    if let Some((f, s)) = pair(&view.strides) {
        let mut strides = pick(&view.strides);
        strides.extend([f.1, s.1]);
        return View { strides, ..view };
    }
    // Packed in the order in which the product reads it.
    let order: Axes = batch.iter().chain(first).chain(second).copied().collect();
    let packed: Shape = order.iter().map(|&a| shape[a as usize]).collect();
    let fresh = l.fresh(&packed, l.graph.node(id).dtype);
    let from = View { strides: order.iter().map(|&a| view.strides[a as usize]).collect(), ..view };
    l.copy(from, fresh.clone(), id, packed.clone());
    let count = |axes: &[u8]| axes.iter().map(|&a| shape[a as usize]).product::<usize>() as isize;
    let mut strides: Strides = fresh.strides[..batch.len()].iter().copied().collect();
    strides.extend([count(second), 1]);
    View { strides, ..fresh }
}

/// A sum of contractions: each is added to the former ones.
pub(super) fn lower_sum(l: &mut Lowering, id: NodeId, out: &View) {
    let mut terms: Vec<NodeId> = vec![id];
    let mut products: Vec<NodeId> = Vec::new();
    while let Some(term) = terms.pop() {
        match l.graph.node(term).op {
            Op::Contract(_) => products.push(term),
            _ => terms.extend(l.graph.node(term).args.iter().rev()),
        }
    }
    for (i, &product) in products.iter().enumerate() {
        if let Op::Contract(c) = &l.graph.node(product).op {
            lower(l, product, c, out.clone(), i > 0);
        }
    }
}

/// A contraction into `out`, or added to it.
pub(super) fn lower(l: &mut Lowering, id: NodeId, c: &Contraction, out: View, add: bool) {
    let node = l.graph.node(id);
    let (a, b) = (node.args[0], node.args[1]);
    let (shape_a, shape_b) = (l.shape(a).clone(), l.shape(b).clone());
    let left_free = c.left_free(shape_a.len());
    let right_free = c.right_free(shape_b.len());
    let count =
        |shape: &Shape, axes: &[u8]| axes.iter().map(|&a| shape[a as usize]).product::<usize>();
    let left = operand(l, a, &c.left_batch, &left_free, &c.left_sum);
    let right = operand(l, b, &c.right_batch, &c.right_sum, &right_free);
    let batch: Shape = c.left_batch.iter().map(|&a| shape_a[a as usize]).collect();
    // The result's axes are the batch, the left free and the right free ones.
    let nb = batch.len();
    let rows: Axes = (nb..nb + left_free.len()).map(|i| i as u8).collect();
    let columns: Axes = (nb + left_free.len()..node.shape.len()).map(|i| i as u8).collect();
    let (target, copy_back) = match merged(&node.shape, &out.strides, &rows).zip(merged(
        &node.shape,
        &out.strides,
        &columns,
    )) {
        Some((m, n)) => {
            let mut strides: Strides = out.strides[..nb].iter().copied().collect();
            strides.extend([m.1, n.1]);
            (View { strides, ..out.clone() }, false)
        }
        None => {
            let fresh = l.fresh(&node.shape.clone(), node.dtype);
            let mut strides: Strides = fresh.strides[..nb].iter().copied().collect();
            strides.extend([count(&shape_b, &right_free) as isize, 1]);
            (View { strides, ..fresh }, true)
        }
    };
    let product = Product {
        batch,
        m: count(&shape_a, &left_free),
        n: count(&shape_b, &right_free),
        k: count(&shape_a, &c.left_sum),
        left,
        right,
        out: target.clone(),
        add: add && !copy_back,
        dtype: node.dtype,
    };
    l.push(Work::Product(product), id);
    if copy_back {
        let from = View { strides: node.shape.strides(), ..target };
        if add {
            let map = super::expressions::add(node.shape.clone(), from, out, node.dtype);
            l.push(Work::Map(map), id);
        } else {
            l.copy(from, out, id, node.shape.clone());
        }
    }
}
