//! The edge of stability: the Hessian's largest eigenvalue along a run.

use super::{Observer, View};
use crate::autodiff::Array;
use crate::optim::curvature::{HessianOperator, Lanczos, Which};
use crate::optim::{Objective, State};
use crate::train::trainer::Measurement;
use crate::train::{Error, Result};

/// The largest eigenvalue λ_max of the loss's Hessian every so many steps, by Lanczos from the last
/// eigenvector, and η λ_max with the step's learning rate η. Gradient descent is stable where
/// η λ_max < 2, and stays near that edge when it trains neural networks (Cohen et al. 2021,
/// arXiv 2103.00065).
///
/// The Hessian is that of the first 512 training examples, without dropout, at the parameters after
/// the step.
pub struct TopEigenvalue {
    every: u64,
    examples: usize,
    lanczos: Lanczos,
    /// Where the next iteration begins.
    vector: Option<Vec<f64>>,
    /// Made when first needed.
    objective: Option<(Objective, Vec<Array>)>,
}

impl std::fmt::Debug for TopEigenvalue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TopEigenvalue every {} steps of {} examples", self.every, self.examples)
    }
}

const VALUE: &str = "top eigenvalue";
const TIMES_RATE: &str = "rate times top eigenvalue";
const VECTOR: &str = "eigenvector";

impl TopEigenvalue {
    /// After every `steps` steps.
    #[must_use]
    pub fn every(steps: u64) -> TopEigenvalue {
        let lanczos = Lanczos { max_matvecs: 30, tolerance: 1e-3 };
        TopEigenvalue { every: steps, examples: 512, lanczos, vector: None, objective: None }
    }

    /// Of the Hessian on so many of the first training examples.
    #[must_use]
    pub fn of_examples(mut self, examples: usize) -> TopEigenvalue {
        self.examples = examples;
        self
    }

    /// With another tolerance or number of products than 10⁻³ and 30.
    #[must_use]
    pub fn with_lanczos(mut self, lanczos: Lanczos) -> TopEigenvalue {
        self.lanczos = lanczos;
        self
    }
}

impl Observer for TopEigenvalue {
    fn measures(&self) -> Vec<String> {
        vec![VALUE.into(), TIMES_RATE.into()]
    }

    fn on_start(&mut self, _: &View<'_>) -> Result<()> {
        for (name, value) in
            [("the number of steps between", self.every), ("examples", self.examples as u64)]
        {
            if value == 0 {
                return Err(Error::setting("top eigenvalue", name, 0, "at least 1"));
            }
        }
        Ok(())
    }

    fn measure(&mut self, view: &View<'_>) -> Result<Vec<Measurement>> {
        if !view.step().is_multiple_of(self.every) {
            return Ok(Vec::new());
        }
        let (objective, batch) = match &mut self.objective {
            Some(made) => made,
            none => {
                let first = view.loader().data().first(self.examples)?;
                let objective = view.task().evaluation_objective(view.training())?;
                none.insert((objective, first.batch().to_vec()))
            }
        };
        // Those of the model come first.
        let buffers: Vec<Array> =
            view.training().objective().buffers().into_iter().map(|b| b.1).collect();
        objective.set_buffers(&buffers[..objective.buffers().len()])?;
        let x = view.training().parameters();
        let mut hessian = HessianOperator::new(objective, x, &[batch])?;
        let start = self.vector.as_deref();
        let pairs = self.lanczos.eigenpairs(&mut hessian, Which::Largest(1), start, 0)?;
        let Some(top) = pairs.into_iter().next() else {
            return Ok(Vec::new());
        };
        let rate = view.training().schedule().rate(view.step().saturating_sub(1));
        self.vector = Some(top.vector);
        Ok(vec![(VALUE.into(), top.value), (TIMES_RATE.into(), rate * top.value)])
    }

    fn state(&self) -> State {
        let mut state = State::default();
        if let Some(vector) = &self.vector {
            state.arrays.insert(VECTOR.into(), Array::vector(vector.as_slice()));
        }
        state
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.vector = state.arrays.get(VECTOR).map(Array::to_f64_vec);
        Ok(())
    }
}
