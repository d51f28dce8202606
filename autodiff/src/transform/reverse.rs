//! Reverse mode: cotangents from the outputs back to the variables, by each primitive's
//! factor, weights or transpose.

use super::forward::check_pair;
use super::recompute::{Backward, kept, lowest, positions};
use super::squares::square;
use super::{Stemming, needed};
use crate::error::{At, Error};
use crate::graph::{Node, NodeId};
use crate::ops::{Derivative, Fact, Stretch, record_concat};
use crate::tape::{Hidden, TapeId, Var, enter, record1, with_tape};
use smallvec::SmallVec;

/// What flows into a node: a whole cotangent, or one of a slice along one axis. Slices are
/// kept apart so that those of a flat parameter vector become one concatenation.
#[derive(Clone, Copy)]
struct Contribution {
    slice: Option<(usize, usize)>,
    ct: Derivative,
}

type Contributions = SmallVec<[Contribution; 1]>;

/// Turns what flows into a stretch of an operand along its own axis into stretches of the operand:
/// slices of slices, too, become one concatenation.
fn passes_slices(tape: TapeId, node: &Node, contributions: &mut Contributions) -> bool {
    if contributions.iter().any(|c| c.slice.is_none()) {
        return false;
    }
    let Fact::Linear(linear) = node.op.rules().derivative() else { return false };
    let stretch = with_tape(tape, |t| linear.stretch(&t.node(node.args[0]).shape, &node.shape));
    let (fits, shift) = match stretch.flatten() {
        None => return false,
        Some(Stretch::Whole) => (None, 0),
        Some(Stretch::Along { axis, start }) => (Some(axis), start),
    };
    let along = |c: &Contribution| c.slice.is_some_and(|s| fits.is_none_or(|axis| axis == s.0));
    if !contributions.iter().all(along) {
        return false;
    }
    for (_, start) in contributions.iter_mut().filter_map(|c| c.slice.as_mut()) {
        *start += shift;
    }
    true
}

/// The cotangents of a node's operands, from its own.
fn pull_back(
    node: &Node,
    y: Var,
    args: &[Var],
    wanted: &[bool],
    ct: Derivative,
    mut give: impl FnMut(usize, Contribution),
) {
    let whole = |ct| Contribution { slice: None, ct };
    match node.op.rules().derivative() {
        Fact::Elementwise(factors) => {
            for i in (0..args.len()).filter(|&i| wanted[i]) {
                if let Some(t) = factors.partial(i, args, y).times(ct) {
                    give(i, whole(t));
                }
            }
        }
        Fact::Bilinear(bilinear) => {
            // A sum over products ends what a mask has said of single elements.
            for i in (0..args.len()).filter(|&i| wanted[i]) {
                give(i, whole(Derivative::plain(bilinear.transpose(i, args, ct.value))));
            }
        }
        Fact::Linear(linear) => {
            let stretch = linear.stretch(&args[0].shape(), &node.shape);
            if let Some(Stretch::Along { axis, start }) = stretch {
                give(0, Contribution { slice: Some((axis, start)), ct });
                return;
            }
            let strong = ct.strong || linear.transpose_leaves_out();
            linear.transposes(args, wanted, ct.value, &mut |i, value| {
                give(i, whole(Derivative { value, strong }));
            });
        }
        Fact::Selecting(selecting) => {
            let (weights, axes) = selecting.weights(args[0], y);
            let axes: Vec<usize> = axes.iter().map(|&a| a as usize).collect();
            let value = ct.value.keepdims(&axes, &args[0].shape());
            give(0, whole(Derivative { value, ..ct }.masked(weights)));
        }
        Fact::Constant => {}
    }
}

/// The sum of all contributions.
fn gather(x: Var, contributions: Contributions) -> Option<Derivative> {
    let mut whole: Option<Var> = None;
    // What lies beside a slice is not reached by it.
    let strong = contributions.iter().all(|c| c.ct.strong || c.slice.is_some());
    let mut slices: Vec<(usize, usize, usize, Var)> = Vec::new();
    let mut add = |ct: Var| whole = Some(whole.map_or(ct, |sum| sum + ct));
    for c in &contributions {
        match c.slice {
            None => add(c.ct.value),
            Some((axis, start)) => {
                let ct = c.ct.value;
                slices.push((axis, start, ct.shape()[axis], ct));
            }
        }
    }
    slices.sort_by_key(|&(axis, start, size, _)| (axis, start, size));
    // Equal slices add up; the others are laid side by side, in as many layers as overlap.
    let mut layers: Vec<Vec<(usize, usize, usize, Var)>> = Vec::new();
    let mut slices = slices.into_iter().peekable();
    while let Some((axis, start, size, mut ct)) = slices.next() {
        while let Some(same) = slices.next_if(|s| (s.0, s.1, s.2) == (axis, start, size)) {
            ct += same.3;
        }
        let beside = |l: &&mut Vec<(usize, usize, usize, Var)>| {
            l.last().is_some_and(|s| s.0 == axis && s.1 + s.2 <= start)
        };
        match layers.iter_mut().find(beside) {
            Some(layer) => layer.push((axis, start, size, ct)),
            None => layers.push(vec![(axis, start, size, ct)]),
        }
    }
    let shape = x.shape();
    for layer in layers {
        let axis = layer[0].0;
        let mut parts: Vec<Var> = Vec::new();
        let mut end = 0;
        let gap = |size: usize| {
            let mut shape = shape.clone();
            shape[axis] = size;
            record1(x, "zeros", At::caller(), |tape, x| {
                let (dtype, at) = (tape.node(x).dtype, tape.node(x).at);
                Ok(tape.full(0.0, &shape, dtype, at))
            })
        };
        for (_, start, size, ct) in layer {
            if start > end {
                parts.push(gap(start - end));
            }
            parts.push(ct);
            end = start + size;
        }
        if shape[axis] > end {
            parts.push(gap(shape[axis] - end));
        }
        add(record_concat(&parts, axis, At::caller()));
    }
    whole.map(|value| Derivative { value, strong })
}

/// Cotangents of `variables`, given `(output, cotangent)` pairs. The variables count as
/// independent leaves: nothing flows through one of them to another. `None` where no
/// output depends on a variable.
pub(super) fn cotangents(outputs: &[(Var, Var)], variables: &[Var]) -> Vec<Option<Var>> {
    let none = || variables.iter().map(|_| None).collect();
    let Some(id) = outputs.first().map(|(y, _)| y.tape()) else {
        return none();
    };
    let low = lowest(id, variables.iter().copied()).unwrap_or(0);
    let high = outputs.iter().map(|(y, _)| y.node()).max().unwrap_or(0);
    if low > high {
        return none();
    }
    let mut leaves = positions(id, low, high, variables.iter().copied());
    leaves.sort_unstable();
    let mut is_leaf = vec![false; (high - low + 1) as usize];
    for &(x, _) in &leaves {
        is_leaf[(x - low) as usize] = true;
    }
    // Active: needed by an output, and depending on a variable.
    let ys: Vec<Var> = outputs.iter().map(|(y, _)| *y).collect();
    let mut active = needed(&ys, low, high);
    let mut again = Backward::begin(id, low, high, &active);
    with_tape(id, |tape| {
        for node_id in low..=high {
            let i = (node_id - low) as usize;
            let node = tape.node(node_id);
            let depends = || node.args.iter().any(|&a| a >= low && active[(a - low) as usize]);
            let flows = node.op.is_differentiable() && node.dtype.is_float();
            active[i] = active[i] && (is_leaf[i] || (flows && depends()));
        }
    });
    let mut table: Vec<Contributions> = vec![Contributions::new(); active.len()];
    for &(y, ct) in
        outputs.iter().filter(|(y, _)| y.node() >= low && active[(y.node() - low) as usize])
    {
        table[(y.node() - low) as usize]
            .push(Contribution { slice: None, ct: Derivative::plain(ct) });
    }
    let mut found: Vec<Option<Var>> = vec![None; variables.len()];
    let stemming = Stemming::begin(outputs[0].0);
    for node_id in (low..=high).rev() {
        let i = (node_id - low) as usize;
        if let Some(again) = &mut again {
            again.reach(node_id);
        }
        if !active[i] || table[i].is_empty() {
            continue;
        }
        let Some(node) = with_tape(id, |tape| tape.node(node_id).clone()) else {
            continue;
        };
        stemming.from(node.at);
        if !is_leaf[i] && passes_slices(id, &node, &mut table[i]) {
            let contributions = std::mem::take(&mut table[i]);
            table[(node.args[0] - low) as usize].extend(contributions);
            continue;
        }
        let Some(ct) = gather(Var::new(id, node_id), std::mem::take(&mut table[i])) else {
            continue;
        };
        if is_leaf[i] {
            // There may be many variables.
            let first = leaves.partition_point(|&(x, _)| x < node_id);
            for &(_, position) in leaves[first..].iter().take_while(|(x, _)| *x == node_id) {
                let sum = found[position].map_or(ct.value, |sum| sum + ct.value);
                found[position] = Some(sum);
            }
            continue;
        }
        let values = match &mut again {
            Some(again) => again.values(node_id, &node, ct.value, &is_leaf),
            None => Some(kept(id, node_id, &node)),
        };
        let Some((args, y)) = values else { continue };
        let is_fixed = |id: NodeId| id >= low && is_leaf[(id - low) as usize];
        let is_active = |id: NodeId| id >= low && active[(id - low) as usize];
        if let Some(square) = square(id, &node, is_fixed, is_active) {
            let value = |f: NodeId| match &again {
                Some(again) => again.value_of(f),
                None => Var::new(id, f),
            };
            for (i, &f) in square.factors.iter().enumerate().filter(|(_, f)| is_active(**f)) {
                let ct = square.times(i, ct, value);
                table[(f - low) as usize].push(Contribution { slice: None, ct });
            }
            continue;
        }
        let wanted: SmallVec<[bool; 3]> =
            node.args.iter().map(|&a| a >= low && active[(a - low) as usize]).collect();
        pull_back(&node, y, &args, &wanted, ct, |operand, contribution| {
            if wanted[operand] {
                table[(node.args[operand] - low) as usize].push(contribution);
            }
        });
    }
    if let Some(again) = again {
        again.end();
    }
    found
}

/// Checks that `f` is a float scalar.
pub(super) fn check_scalar(op: &'static str, f: Var, at: At) -> Option<Var> {
    let checked = enter(&[f], op, at, |tape, nodes| {
        let f = nodes[0];
        let (shape, dtype) = tape.aval(f);
        if !shape.is_empty() {
            let problem = "only a scalar has a gradient; use vjp or jacobian".into();
            return Err(Error::Shape { op, problem, operands: vec![shape], at });
        }
        if !dtype.is_float() {
            let problem = "only float values have derivatives".into();
            return Err(Error::DType { op, problem, operands: vec![dtype], at });
        }
        Ok(())
    });
    checked.err()
}

/// Checks that `x` is a float value on the tape of `f`.
pub(super) fn check_variable(op: &'static str, f: Var, x: Var, at: At) -> Option<Var> {
    check_pair(op, f, x, x, at)
}

impl Var {
    /// The gradient of this scalar with respect to `x`; it has the shape of `x`, and is zero
    /// where this value does not depend on `x`.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Tape};
    /// let tape = Tape::new();
    /// let x = tape.input("x", DType::F64, [3]);
    /// let g = (x.sin() * x).sum().grad(x);
    /// let out = tape.compile(&Cpu::new(), &[g])?.run(&[&Array::vector([0.0, 1.0, 2.0])])?;
    /// assert_eq!(out[0].get(&[1]), Some(1f64.sin() + 1f64.cos()));
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    #[track_caller]
    pub fn grad(self, x: Var) -> Var {
        let at = At::caller();
        if let Some(poisoned) =
            check_scalar("grad", self, at).or_else(|| check_variable("grad", self, x, at))
        {
            return poisoned;
        }
        self.pulled_back(None, &[x], at)[0]
    }

    /// The gradients of this scalar with respect to several variables, from one sweep. The
    /// variables count as independent, even where one was computed from another.
    #[track_caller]
    pub fn grads(self, variables: &[Var]) -> Vec<Var> {
        let at = At::caller();
        let bad = variables.iter().find_map(|&x| check_variable("grads", self, x, at));
        if let Some(poisoned) = check_scalar("grads", self, at).or(bad) {
            return vec![poisoned; variables.len()];
        }
        self.pulled_back(None, variables, at)
    }

    /// The cotangent Jᵀu of `x`, for a cotangent `u` of this value; it has the shape of `x`.
    #[track_caller]
    pub fn vjp(self, x: Var, u: Var) -> Var {
        let at = At::caller();
        if let Some(poisoned) =
            check_pair("vjp", self, self, u, at).or_else(|| check_variable("vjp", self, x, at))
        {
            return poisoned;
        }
        self.pulled_back(Some(u), &[x], at)[0]
    }

    /// The cotangents of well-formed variables for a cotangent of this value, 1 by default.
    fn pulled_back(self, ct: Option<Var>, variables: &[Var], at: At) -> Vec<Var> {
        let hidden = Hidden::begin(self.tape());
        let ct = ct.unwrap_or_else(|| self.constant_like(1.0));
        let found = cotangents(&[(self, ct)], variables);
        let or_zero = |(g, x): (Option<Var>, &Var)| g.unwrap_or_else(|| x.constant_like(0.0));
        let found: Vec<Var> = found.into_iter().zip(variables).map(or_zero).collect();
        drop(hidden);
        found.into_iter().map(|g| g.own(at)).collect()
    }
}
