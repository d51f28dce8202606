//! Recording a function so that derivatives compute its inner values again instead of
//! keeping them.

use crate::error::{At, Error};
use crate::tape::{Var, enter, record1, with_tape};

/// Records f(inputs) so that derivatives keep none of its inner values from the forward
/// pass, but compute them again, from what enters f, where they need them.
///
/// It returns what `f` returns. What f captures is treated like its inputs: kept. Derivatives
/// of any order are those without a checkpoint (to rounding, where transforms are nested), as
/// are the numbers that `f` draws from a key. A reverse sweep costs one more evaluation of
/// `f`; checkpoints may contain checkpoints, each level costing one more. For a chain of n
/// equal layers, checkpoints of √n layers each keep the values of O(√n) layers instead of n.
///
/// A directional derivative records `f` anew beside it: take the value from
/// [`Var::value_grad_hvp`], since a value recorded before is computed a second time. Values
/// shared with what was recorded outside of any checkpoint are kept, and so are those that
/// depend on [bound](crate::Program::bind) inputs alone: that is what binding is for.
///
/// Griewank & Walther 2000, "Algorithm 799: revolve"; Chen et al. 2016, arXiv 1604.06174.
///
/// # Errors
/// Left on the tape: [`Error::ForeignVar`] for inputs or outputs of several tapes,
/// [`Error::Parameter`] when there are outputs but no inputs.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Tape, checkpoint};
/// let tape = Tape::new();
/// let x = tape.input("x", DType::F64, [2]);
/// let y = checkpoint(&[x], |x| vec![x[0].exp().square(), x[0].sin()]);
/// let f = (y[0] * y[1]).sum();
/// let out = tape.compile(&Cpu::new(), &[f.grad(x)])?.run(&[&Array::vector([0.0, 0.0])])?;
/// assert_eq!(out[0].to_string(), "[1, 1]");
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
#[track_caller]
pub fn checkpoint(inputs: &[Var], f: impl FnOnce(&[Var]) -> Vec<Var>) -> Vec<Var> {
    const OP: &str = "checkpoint";
    let at = At::caller();
    let Some(&first) = inputs.first() else {
        let mut outputs = f(inputs);
        for out in &mut outputs {
            *out = record1(*out, OP, at, |_, _| {
                let problem = "without inputs there is nothing to compute again from".into();
                Err(Error::Parameter { op: OP, problem, at })
            });
        }
        return outputs;
    };
    // Says of which tape they are, on every tape.
    let _ = enter(inputs, OP, at, |_, _| Ok(()));
    let start = with_tape(first.tape(), |tape| tape.next());
    let outputs = f(inputs);
    if let Some(start) = start {
        with_tape(first.tape(), |tape| tape.close_region(start));
    }
    let mut returned: Vec<Var> = Vec::with_capacity(outputs.len());
    for out in outputs {
        let before = start.unwrap_or(0);
        let inner = enter(&[out, first], OP, at, |_, nodes| Ok(nodes[0] >= before));
        returned.push(match inner {
            Ok(true) if !returned.iter().any(|r| r.is_same(out)) => out,
            // What `f` did not record, or returned before, becomes a variable of its own.
            Ok(_) => out.own(at),
            Err(poisoned) => poisoned,
        });
    }
    returned
}

impl Var {
    /// [`checkpoint`] of a function of one value.
    ///
    /// ```
    /// use burlap_autodiff::testing::assert_hessian;
    /// assert_hessian(|x| (x * x.checkpoint(|x| x.sin().exp())).sum(), [0.2, -1.0]);
    /// ```
    #[track_caller]
    pub fn checkpoint(self, f: impl FnOnce(Var) -> Var) -> Var {
        checkpoint(&[self], |inputs| vec![f(inputs[0])])[0]
    }
}
