//! Contractions as batches of strided matrix products.

use crate::Shape;
use crate::graph::Contract;
use crate::shape::{Axes, Strides};
use crate::work::{Added, Emit, Map, Product, View};

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
fn operand(i: usize, [batch, first, second]: [&[u8]; 3], to: &mut dyn Emit) -> View {
    let (view, shape) = (to.view(i), to.shape(i));
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
    let fresh = to.fresh(&packed, to.dtype(i));
    let from = View { strides: order.iter().map(|&a| view.strides[a as usize]).collect(), ..view };
    to.copy_operand(i, from, fresh.clone(), packed);
    let count = |axes: &[u8]| axes.iter().map(|&a| shape[a as usize]).product::<usize>() as isize;
    let mut strides: Strides = fresh.strides[..batch.len()].iter().copied().collect();
    strides.extend([count(second), 1]);
    View { strides, ..fresh }
}

impl Added for Contract {
    fn emit(&self, out: View, add: bool, to: &mut dyn Emit) {
        let c = &*self.0;
        let (shape, dtype) = to.result();
        let (shape_a, shape_b) = (to.shape(0), to.shape(1));
        let left_free = c.left_free(shape_a.len());
        let right_free = c.right_free(shape_b.len());
        let count =
            |shape: &Shape, axes: &[u8]| axes.iter().map(|&a| shape[a as usize]).product::<usize>();
        let left = operand(0, [&c.left_batch, &left_free, &c.left_sum], to);
        let right = operand(1, [&c.right_batch, &c.right_sum, &right_free], to);
        let batch: Shape = c.left_batch.iter().map(|&a| shape_a[a as usize]).collect();
        // The result's axes are the batch, the left free and the right free ones.
        let nb = batch.len();
        let rows: Axes = (nb..nb + left_free.len()).map(|i| i as u8).collect();
        let columns: Axes = (nb + left_free.len()..shape.len()).map(|i| i as u8).collect();
        let merged = |axes: &[u8]| merged(&shape, &out.strides, axes);
        let (target, copy_back) = match merged(&rows).zip(merged(&columns)) {
            Some((m, n)) => {
                let mut strides: Strides = out.strides[..nb].iter().copied().collect();
                strides.extend([m.1, n.1]);
                (View { strides, ..out.clone() }, false)
            }
            None => {
                let fresh = to.fresh(&shape, dtype);
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
            dtype,
        };
        to.push(product.into());
        if copy_back {
            let from = View { strides: shape.strides(), ..target };
            if add {
                to.push(Map::add(shape, from, out, dtype).into());
            } else {
                to.copy(from, out, shape);
            }
        }
    }
}
