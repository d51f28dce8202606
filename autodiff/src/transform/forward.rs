//! Forward mode: tangents recorded next to the primal nodes, which are shared.

use super::recompute::{Forward, kept, lowest, positions};
use super::squares::square;
use super::{Stemming, needed};
use crate::error::{At, Error};
use crate::graph::{Node, NodeId};
use crate::ops::{Derivative, Fact};
use crate::tape::{Hidden, Var, enter, record_many, with_tape};
use smallvec::SmallVec;

/// The tangent of `op` in operand `i`, everything else fixed.
fn linear_part(node: &Node, args: &[Var], tangents: &[Option<Var>]) -> Var {
    // Real-valued operands are replaced by their tangents, masks and indices stay.
    let operands: SmallVec<[Var; 3]> = args
        .iter()
        .zip(tangents)
        .map(|(&arg, tangent)| match tangent {
            Some(t) => *t,
            None if arg.dtype().is_float() => arg.constant_like(0.0),
            None => arg,
        })
        .collect();
    apply(node, &operands)
}

/// Records the node's primitive on other operands of the same shapes.
fn apply(node: &Node, operands: &[Var]) -> Var {
    record_many(operands, node.op.name(), node.at, |tape, nodes| {
        Ok(tape.push(node.op.clone(), nodes, node.shape.clone(), node.dtype, node.at))
    })
}

/// The tangent of a node, from its operands' tangents, at least one of which is not zero.
fn tangent(
    node: &Node,
    y: Var,
    args: &[Var],
    tangents: &[Option<Derivative>],
) -> Option<Derivative> {
    let given = || tangents.iter().enumerate().filter_map(|(i, t)| t.map(|t| (i, t)));
    match node.op.rules().derivative() {
        Fact::Elementwise(factors) => {
            let terms = given().filter_map(|(i, t)| factors.partial(i, args, y).times(t));
            terms.reduce(Derivative::plus)
        }
        Fact::Linear(linear) => {
            // An operand that does not depend on the variables has tangents that are strong zeros.
            let real =
                |(arg, t): (&Var, &Option<Derivative>)| t.is_none() && arg.dtype().is_float();
            let strong = linear.fills_in()
                || given().all(|(_, t)| t.strong)
                || args.iter().zip(tangents).any(real);
            let values: SmallVec<[Option<Var>; 3]> =
                tangents.iter().map(|t| t.map(|t| t.value)).collect();
            Some(Derivative { value: linear_part(node, args, &values), strong })
        }
        // A sum over products ends what a mask has said of single elements.
        Fact::Bilinear(_) => given()
            .map(|(i, t)| {
                let mut operands: SmallVec<[Var; 3]> = SmallVec::from_slice(args);
                operands[i] = t.value;
                Derivative::plain(apply(node, &operands))
            })
            .reduce(Derivative::plus),
        Fact::Selecting(selecting) => {
            let (_, t) = given().next()?;
            let (weights, axes) = selecting.weights(args[0], y);
            let axes: Vec<usize> = axes.iter().map(|&a| a as usize).collect();
            Some(Derivative::plain(t.masked(weights).value.sum_axes(&axes)))
        }
        Fact::Constant => None,
    }
}

/// Tangents of `outputs` for the given `(variable, tangent)` pairs; `held` variables have
/// none whatever they depend on. `None` where an output does not depend on the variables.
pub(super) fn tangents(outputs: &[Var], pairs: &[(Var, Var)], held: &[Var]) -> Vec<Option<Var>> {
    values_and_tangents(outputs, pairs, held).into_iter().map(|(_, tangent)| tangent).collect()
}

/// The outputs, recorded again where that spares keeping values of a checkpoint, and their
/// tangents.
pub(super) fn values_and_tangents(
    outputs: &[Var],
    pairs: &[(Var, Var)],
    held: &[Var],
) -> Vec<(Var, Option<Var>)> {
    let none = || outputs.iter().map(|&o| (o, None)).collect();
    let (Some(first), Some((_, seed))) = (outputs.first(), pairs.first()) else {
        return none();
    };
    let id = first.tape();
    let low = lowest(id, pairs.iter().map(|(x, _)| *x)).unwrap_or(0);
    let high = outputs.iter().map(|o| o.node()).max().unwrap_or(0);
    if low > high {
        return none();
    }
    let needed = needed(outputs, low, high);
    let mut table: Vec<Option<Derivative>> = vec![None; needed.len()];
    let mut fixed = vec![false; needed.len()];
    for (v, _) in positions(id, low, high, held.iter().copied()) {
        fixed[(v - low) as usize] = true;
    }
    for (x, position) in positions(id, low, high, pairs.iter().map(|(x, _)| *x)) {
        table[(x - low) as usize] = Some(Derivative::plain(pairs[position].1));
        fixed[(x - low) as usize] = true;
    }
    let stemming = Stemming::begin(outputs[0]);
    let mut again = Forward::begin(id, low, high, &needed, &fixed, seed.node());
    for id_node in low..=high {
        if let Some(again) = &mut again {
            again.reach(id_node);
        }
        let i = (id_node - low) as usize;
        if !needed[i] || fixed[i] {
            continue;
        }
        let look = |arg: u32| {
            if arg >= low { table[(arg - low) as usize] } else { None }
        };
        let node = with_tape(id, |tape| {
            let node = tape.node(id_node);
            let active = node.dtype.is_float() && node.op.is_differentiable();
            let active = active && node.args.iter().any(|&a| look(a).is_some());
            (active || again.is_some()).then(|| (node.clone(), active))
        });
        let Some(Some((node, active))) = node else { continue };
        stemming.from(node.at);
        let values = match &mut again {
            Some(again) => again.values(id_node, &node),
            None => Some(kept(id, id_node, &node)),
        };
        let (Some((args, y)), true) = (values, active) else { continue };
        let is_fixed = |id: NodeId| id >= low && fixed[(id - low) as usize];
        let is_active = |id: NodeId| look(id).is_some();
        table[i] = match square(id, &node, is_fixed, is_active) {
            Some(square) => {
                let value = |f: NodeId| match &again {
                    Some(again) => again.value(f),
                    None => Var::new(id, f),
                };
                let terms = square.factors.iter().enumerate();
                terms
                    .filter_map(|(i, &f)| Some(square.times(i, look(f)?, value)))
                    .reduce(Derivative::plus)
            }
            None => {
                let given: SmallVec<[Option<Derivative>; 3]> =
                    node.args.iter().map(|&a| look(a)).collect();
                tangent(&node, y, &args, &given)
            }
        };
    }
    drop(stemming);
    let found = outputs.iter().map(|&o| match o.node().checked_sub(low) {
        Some(i) => {
            let value = again.as_ref().and_then(|again| again.copy(o.node()));
            (value.unwrap_or(o), table[i as usize].map(|t| t.value))
        }
        None => (o, None),
    });
    let found = found.collect();
    if let Some(again) = again {
        again.end();
    }
    found
}

/// Checks that `x` and `v` can be a variable and its (co)tangent: one tape, shape and float type.
pub(super) fn check_pair(op: &'static str, f: Var, x: Var, v: Var, at: At) -> Option<Var> {
    let checked = enter(&[f, x, v], op, at, |tape, nodes| {
        let ((sx, tx), (sv, tv)) = (tape.aval(nodes[1]), tape.aval(nodes[2]));
        if tx != tv || !tx.is_float() {
            let problem = "variable and direction must be of one float type".into();
            return Err(Error::DType { op, problem, operands: vec![tx, tv], at });
        }
        if sx != sv {
            let problem = "variable and direction must have one shape".into();
            return Err(Error::Shape { op, problem, operands: vec![sx, sv], at });
        }
        Ok(())
    });
    checked.err()
}

impl Var {
    /// The directional derivative J v of this value with respect to `x` along `v`:
    /// d/dε self(x + εv) at ε = 0. It has this value's shape.
    ///
    /// `x` may be any value of the tape; what was computed from it counts as its function.
    #[track_caller]
    pub fn jvp(self, x: Var, v: Var) -> Var {
        let at = At::caller();
        if let Some(poisoned) = check_pair("jvp", self, x, v, at) {
            return poisoned;
        }
        self.along(&[(x, v)], at)
    }

    /// The directional derivative along several variables at once.
    #[track_caller]
    pub fn jvp_many(self, pairs: &[(Var, Var)]) -> Var {
        let at = At::caller();
        for &(x, v) in pairs {
            if let Some(poisoned) = check_pair("jvp", self, x, v, at) {
                return poisoned;
            }
        }
        self.along(pairs, at)
    }

    /// The directional derivative along well-formed pairs.
    fn along(self, pairs: &[(Var, Var)], at: At) -> Var {
        let hidden = Hidden::begin(self.tape());
        let found = tangents(&[self], pairs, &[])[0].unwrap_or_else(|| self.constant_like(0.0));
        drop(hidden);
        found.own(at)
    }
}
