//! SSAM-F.

use super::masks::{by_scores, masked};
use super::{Perturbation, Perturbing, Preparing, Sam};
use crate::error::{Result, below_one, positive, positive_count};
use crate::objective::cache::Key;
use crate::registry::{Member, Setting};
use crate::state::Stateful;
use burlap_autodiff::{Array, DType, Var};

pub(crate) const SSAM_F: Member = Member::sam(
    "ssam-f",
    "Mi et al., arXiv 2210.05177",
    "ĝ with ε = ρ m ⊙ g/‖g‖, m by the Fisher information",
    &[
        Setting::number("rho", 0.1, "radius ρ of the perturbation"),
        Setting::number("sparsity", 0.5, "part of the parameters that is not perturbed"),
        Setting::count("fisher-examples", 16, "examples that the Fisher information is taken from")
            .formerly("samples"),
        Setting::count("every", 100, "number of steps k between two masks"),
    ],
    |s| {
        let (examples, every) = (s.count("fisher-examples")?, s.count("every")?);
        Sam::ssam_f(s.number("rho")?, s.number("sparsity")?, examples as usize, every)
    },
);

/// SSAM-F: the mask holds the 1 − s of the parameters with the largest empirical Fisher
/// information, the sum of squared gradients of the loss on single examples, weighted by the
/// denominators of a [ratio](crate::Loss::Ratio) (option I of the
/// paper's algorithm 2; the labels are those of the data, as in the published code). The mask is renewed every k steps
/// from the first examples of that step's batch, before it is used; the published code, which
/// renews it after the first step of an epoch, perturbs nothing in the very first step. A loss
/// without examples counts as one example. Of [given draws](super::Sam::with_draws) each renewal
/// takes one in place of the information, so that a mask of the wanted sparsity gives itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SsamF {
    /// The length ρ.
    pub rho: f64,
    /// The sparsity s: the part of the parameters that is not perturbed.
    pub sparsity: f64,
    /// The number of examples that the information is estimated from.
    pub fisher_examples: usize,
    /// The number of steps k between two masks.
    pub every: u64,
}

impl Stateful for SsamF {
    fn state_names(&self) -> &[&'static str] {
        &["fisher mask"]
    }
}

impl Perturbation for SsamF {
    fn name(&self) -> &str {
        "ssam-f"
    }

    fn check(&self) -> Result<()> {
        positive("ssam-f", "rho", self.rho)?;
        below_one("ssam-f", "sparsity", self.sparsity)?;
        positive_count("ssam-f", "fisher-examples", self.fisher_examples)?;
        positive_count("ssam-f", "every", self.every as usize)
    }

    fn radius(&self) -> f64 {
        self.rho
    }

    fn record(&self, at: &Perturbing<'_>) -> Var {
        masked(at)
    }

    fn prepare(&self, at: &Preparing<'_>, state: &mut [Array]) -> Result<usize> {
        if !at.due(self.every) {
            return Ok(0);
        }
        if let Some(scores) = at.given(at.step / self.every)? {
            state[0] = by_scores(at, &Array::vector(scores), self.sparsity)?;
            return Ok(0);
        }
        let mut information = Vec::new();
        let n = at.objective.batches.examples(at.batch)?;
        let count = n.map_or(1, |n| n.min(self.fisher_examples));
        let first = at.objective.gather_rows(at.batch, &(0..count).collect::<Vec<_>>())?;
        let mut add = |batch: &[Array], weight: f64| -> Result<()> {
            let (_, gradient) = at.objective.value_grad_for(self.name(), at.x, batch)?;
            let squares = at
                .objective
                .of_vectors(Key::Squares, &[&gradient], |g| g[0].cast(DType::F64).square())?;
            at.objective.add_weighted(&mut information, weight, vec![squares])
        };
        match at.objective.chunks(self.name(), at.x, &first, Some(1))? {
            None => add(&first, 1.0)?,
            // One at a time: a gradient of the network's size for each would be much memory.
            Some(chunks) => {
                for chunk in chunks.iter().filter(|chunk| chunk.weight != 0.0) {
                    add(&at.objective.gather_rows(&first, &chunk.indices)?, chunk.weight)?;
                }
            }
        }
        // No example counts: all parameters are alike.
        let information = match information.pop() {
            Some(information) => information,
            None => at.objective.cast(&at.objective.zero_vector()?, DType::F64)?,
        };
        state[0] = by_scores(at, &information, self.sparsity)?;
        Ok(count)
    }

    fn draws_on_host(&self) -> bool {
        true
    }
}

impl Sam {
    /// SSAM-F with radius ρ, sparsity s, the number of examples, and a new mask every k steps, as
    /// [`SsamF`] says.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a setting outside its range.
    pub fn ssam_f(rho: f64, sparsity: f64, fisher_examples: usize, every: u64) -> Result<Sam> {
        Sam::with_rule(SsamF { rho, sparsity, fisher_examples, every })
    }
}
