//! The two-point methods: perturb along a rule, take the gradient there.
//!
//! A rule says the perturbation ε as a formula of parameters and gradient; the step is the
//! same for all: g = ∇L(x), ĝ = ∇L(x + ε). The parameters themselves are never changed and
//! changed back.

mod rules;

pub use rules::{Adaptive, Ascent};

use crate::error::Result;
use crate::method::{Evaluation, Method};
use crate::objective::Objective;
use burlap_autodiff::{Array, Var};

/// How far and where to step before the second gradient.
pub trait Perturbation {
    /// The name.
    fn name(&self) -> &str;

    /// ε as a formula of parameters and gradient; it must be zero where the gradient is.
    fn record(&self, parameters: Var, gradient: Var) -> Var;

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for one outside its range.
    fn check(&self) -> Result<()>;
}

/// Sharpness-aware minimisation with a perturbation rule.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Var};
/// use burlap_optim::{Method, Objective, Sam};
/// let objective = Objective::new(Cpu::new(), DType::F64, 1, |x: Var, _: &[Var]| x.square().sum());
/// let found = Sam::new(0.5)?.evaluate(&objective, &Array::vector([1.0]), &[], 0)?;
/// // ∇L(1 + 0.5) = 3
/// assert_eq!(found.gradient.to_string(), "[3]");
/// # Ok::<(), burlap_optim::Error>(())
/// ```
pub struct Sam {
    rule: Box<dyn Perturbation>,
    program: String,
}

impl std::fmt::Debug for Sam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.program)
    }
}

impl Sam {
    /// SAM: ε = ρ g/‖g‖ (Foret et al., arXiv 2010.01412, equation 2).
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless ρ is positive and finite.
    pub fn new(rho: f64) -> Result<Sam> {
        Sam::with_rule(Ascent { rho })
    }

    /// ASAM: ε = ρ T²g/‖Tg‖ with T = |x| + η (Kwon et al., arXiv 2102.11600, equation 10).
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) unless ρ is positive and η not negative.
    pub fn adaptive(rho: f64, eta: f64) -> Result<Sam> {
        Sam::with_rule(Adaptive { rho, eta })
    }

    /// Any rule.
    ///
    /// # Errors
    /// What the rule's check reports.
    pub fn with_rule(rule: impl Perturbation + 'static) -> Result<Sam> {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(0);
        rule.check()?;
        // Rules of one name may differ in their settings.
        let program =
            format!("perturbed by {} {}", rule.name(), NEXT.fetch_add(1, Ordering::Relaxed));
        Ok(Sam { rule: Box::new(rule), program })
    }
}

impl Method for Sam {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn evaluate(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        _: u64,
    ) -> Result<Evaluation> {
        let perturbed = objective.program(&self.program, batch, |r| {
            let loss = r.loss(r.x);
            vec![loss, r.x + self.rule.record(r.x, loss.grad(r.x))]
        })?;
        let (loss, outputs) = objective.run_checked(self.rule.name(), &perturbed, x, batch, &[])?;
        let (_, gradient) = objective.value_grad_for(self.rule.name(), &outputs[1], batch)?;
        Ok(Evaluation { loss, gradient, sharpness: None, gradients: 2 })
    }
}
