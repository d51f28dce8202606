//! What an update rule is: a formula from gradients to parameters.

use super::groups::{Group, Grouped, Selection};
use crate::error::Result;
use crate::parameters::Parameter;
use crate::state::Stateful;
use burlap_autodiff::Var;

/// What an update rule sees: vectors of one length, those of the parameters whose settings are the
/// same, one parameter after the other.
#[derive(Debug)]
pub struct Update<'a> {
    /// The parameters.
    pub parameters: Var,
    /// The gradient, clipped already.
    pub gradient: Var,
    /// The learning rate of these parameters, a scalar.
    pub rate: Var,
    /// The number of this step, a scalar that begins with 1.
    pub step: Var,
    /// The state vectors, zero at first.
    pub state: &'a [Var],
    /// Names, shapes and places of the parameters in these vectors; empty where the objective
    /// [does not know them](crate::Objective::with_layout).
    pub layout: &'a [Parameter],
    weight_decay: Option<f64>,
}

impl<'a> Update<'a> {
    /// A step of parameters in one group, without names: for recording a rule by hand.
    pub fn new(parameters: Var, gradient: Var, rate: Var, step: Var, state: &'a [Var]) -> Self {
        Update { parameters, gradient, rate, step, state, layout: &[], weight_decay: None }
    }

    pub(super) fn with_group(
        mut self,
        layout: &'a [Parameter],
        weight_decay: Option<f64>,
    ) -> Update<'a> {
        self.layout = layout;
        self.weight_decay = weight_decay;
        self
    }

    /// The weight decay of these parameters: their group's, or else the rule's own.
    pub fn weight_decay(&self, own: f64) -> f64 {
        self.weight_decay.unwrap_or(own)
    }

    /// The gradient of the loss plus ½w‖x‖²: ∇L + w x, with the [weight
    /// decay](Update::weight_decay) w.
    pub fn decayed_gradient(&self, own: f64) -> Var {
        match self.weight_decay(own) {
            0.0 => self.gradient,
            decay => self.gradient + decay * self.parameters,
        }
    }
}

/// How parameters follow from gradients, as a formula: one definition for every type and
/// backend.
///
/// A rule of one's own is a few lines, and has groups, frozen parameters and clipping like the
/// others:
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::{Optimizer, Stateful, Update, UpdateRule};
///
/// /// x ← x − η sign(∇L) (Bernstein et al. 2018, arXiv 1802.04434).
/// #[derive(Debug)]
/// struct SignSgd;
///
/// // No momenta.
/// impl Stateful for SignSgd {}
///
/// impl UpdateRule for SignSgd {
///     fn name(&self) -> &'static str {
///         "sign-sgd"
///     }
///     fn record(&self, u: &Update<'_>) -> (Var, Vec<Var>) {
///         (u.parameters - u.rate * u.gradient.sign(), Vec::new())
///     }
/// }
///
/// let mut optimizer = Optimizer::new(SignSgd, &Cpu::new(), DType::F64, 2)?;
/// let mut x = Array::vector([1.0, 1.0]);
/// optimizer.step(&mut x, &Array::vector([3.0, -0.1]), 0.5)?;
/// assert_eq!(x.to_string(), "[0.5, 1.5]");
/// # Ok::<(), burlap_optim::Error>(())
/// ```
///
/// Its [state](Stateful) is made of vectors like the parameters. `Debug` shows its settings, by which
/// a run that goes on from a file knows that they are the same.
pub trait UpdateRule: Stateful + std::fmt::Debug + Send {
    /// The name.
    fn name(&self) -> &'static str;

    /// The new parameters and the new state vectors, in the order of their names.
    ///
    /// It is called once for each run of neighbouring parameters with the same settings.
    fn record(&self, update: &Update<'_>) -> (Var, Vec<Var>);

    /// Checks the rule's settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for one outside its range.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Groups of parameters with settings of their own, later ones before earlier ones.
    fn groups(&self) -> &[Group] {
        &[]
    }

    /// The same rule with other settings for some parameters.
    ///
    /// ```
    /// use burlap_optim::{AdamW, Group, UpdateRule};
    /// let rule = AdamW::new()
    ///     .with_group(Group::new("head.*").with_rate_factor(10.0))
    ///     .no_decay("*.bias")
    ///     .freeze("embedding.*");
    /// assert_eq!(rule.groups().len(), 3);
    /// ```
    #[must_use]
    fn with_group(self, group: Group) -> Grouped
    where
        Self: Sized + 'static,
    {
        Grouped::new(self, group)
    }

    /// The same rule without weight decay of some parameters.
    #[must_use]
    fn no_decay(self, selection: impl Into<Selection>) -> Grouped
    where
        Self: Sized + 'static,
    {
        self.with_group(Group::new(selection).with_weight_decay(0.0))
    }

    /// The same rule that leaves some parameters as they are.
    #[must_use]
    fn freeze(self, selection: impl Into<Selection>) -> Grouped
    where
        Self: Sized + 'static,
    {
        self.with_group(Group::new(selection).frozen())
    }

    /// The same rule on gradients whose Euclidean norm, if larger, is scaled down to `norm`.
    #[must_use]
    fn clip(self, norm: f64) -> Grouped
    where
        Self: Sized + 'static,
    {
        self.with_group(Group::new(Selection::all()).with_clipping(norm))
    }
}

impl<R: UpdateRule + ?Sized> UpdateRule for Box<R> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn record(&self, update: &Update<'_>) -> (Var, Vec<Var>) {
        (**self).record(update)
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }

    fn groups(&self) -> &[Group] {
        (**self).groups()
    }
}
