//! Random zeros in training.

use burlap_autodiff::{DType, Var};

use crate::{Context, Error, Module, Result, Scope};

/// Sets elements to 0 with probability p and multiplies the others by 1/(1 − p), in training
/// only (Srivastava et al. 2014).
///
/// The mask is a function of the key and of where the layer stands: all passes of a step see
/// the same one, in `f32` as in `f64`, and no two layers share theirs. A layer applied several
/// times draws anew each time.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Tape};
/// use burlap_nn::{Dropout, Model};
///
/// let model = Model::new(Dropout::new(0.5)?)?;
/// let tape = Tape::new();
/// let params = tape.input("params", DType::F64, [0]);
/// let x = tape.input("x", DType::F64, [8]);
/// let key = tape.input("key", DType::U32, [2]);
/// let (y, z) = (model.forward_training(params, x, key), model.forward(params, x));
/// let program = tape.compile(&Cpu::new(), &[y, z])?;
/// let (none, ones) = (Array::zeros(DType::F64, [0]), Array::full(DType::F64, [8], 1.0));
/// let out = program.run(&[&none, &ones, &Array::vector([1u32, 2])])?;
/// assert!(out[0].to_f64_vec().iter().all(|&y| y == 0.0 || y == 2.0));
/// assert_eq!(out[1], ones);
/// # Ok::<(), burlap_nn::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// A layer that drops elements with probability `p`.
    ///
    /// # Errors
    ///
    /// [`Error::Fraction`] unless 0 ≤ p < 1, also after rounding to `f32`.
    pub fn new(p: f64) -> Result<Self> {
        if p >= 0.0 && (p as f32) < 1.0 {
            return Ok(Self { p });
        }
        Err(Error::Fraction { what: "the probability of dropout", found: p })
    }
}

impl Module for Dropout {
    fn declare(&self, _: &mut Scope<'_>) -> Result<()> {
        Ok(())
    }

    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
        ctx.layer(x, || self.output(ctx, x))
    }
}

impl Dropout {
    fn output(&self, ctx: &Context<'_>, x: Var) -> Var {
        if self.p == 0.0 {
            return x;
        }
        let Some((key, stream)) = ctx.random() else {
            return x;
        };
        // Drawn in one type, so that the mask does not depend on the type of x.
        let kept = key.uniform(stream, DType::F32, x.shape()).ge(self.p);
        kept.select(x * (1.0 / (1.0 - self.p)), 0.0)
    }
}
