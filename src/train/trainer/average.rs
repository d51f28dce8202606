//! Averages of the weights along a run.

use super::checkpoint::Saved;
use crate::autodiff::{Array, Program, Tape};
use crate::optim::Objective;
use crate::train::{Error, Result};

/// An average of the weights, on which the model is evaluated in place of the last ones.
///
/// [`ema`](Average::ema) and [`swa`](Average::swa) differ in when weights enter, and by which part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Average(Kind);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Ema(f64),
    Swa(u64),
}

impl Average {
    /// The exponential moving average x̄ ← β x̄ + (1 − β) x of the weights after each step, which
    /// begins with those after the first (Polyak averaging).
    #[must_use]
    pub fn ema(decay: f64) -> Average {
        Average(Kind::Ema(decay))
    }

    /// The mean of the weights at the ends of epochs, from the end of epoch `first` on, counted from
    /// 1 (stochastic weight averaging, Izmailov et al. 2018, arXiv 1803.05407). Before that the weights
    /// themselves are evaluated.
    #[must_use]
    pub fn swa(first: u64) -> Average {
        Average(Kind::Swa(first))
    }

    pub(super) fn check(self) -> Result<()> {
        match self.0 {
            Kind::Ema(decay) if !(0.0..1.0).contains(&decay) => {
                Err(Error::setting("average", "the decay", decay, "at least 0 and below 1"))
            }
            Kind::Ema(_) | Kind::Swa(_) => Ok(()),
        }
    }
}

/// An average in the making.
pub(super) struct Averaged {
    pub(super) average: Average,
    value: Option<Array>,
    count: u64,
    program: Option<Program>,
}

impl Averaged {
    pub(super) fn new(average: Average) -> Averaged {
        Averaged { average, value: None, count: 0, program: None }
    }

    pub(super) fn value(&self) -> Option<&Array> {
        self.value.as_ref()
    }

    pub(super) fn after_step(&mut self, objective: &Objective, x: &Array) -> Result<()> {
        match self.average.0 {
            Kind::Ema(decay) => self.enter(objective, x, 1.0 - decay),
            Kind::Swa(_) => Ok(()),
        }
    }

    pub(super) fn after_epoch(
        &mut self,
        objective: &Objective,
        x: &Array,
        epoch: u64,
    ) -> Result<()> {
        match self.average.0 {
            Kind::Swa(first) if epoch >= first => {
                self.enter(objective, x, 1.0 / (self.count + 1) as f64)
            }
            Kind::Ema(_) | Kind::Swa(_) => Ok(()),
        }
    }

    /// x̄ ← x̄ + w (x − x̄), or x where there is nothing yet.
    fn enter(&mut self, objective: &Objective, x: &Array, weight: f64) -> Result<()> {
        let new = match &self.value {
            None => x.clone(),
            Some(value) => {
                let program = match &mut self.program {
                    Some(program) => program,
                    none => none.insert(compile(objective)?),
                };
                let weight = Array::full(objective.dtype(), (), weight);
                program.run(&[value, x, &weight])?.swap_remove(0)
            }
        };
        (self.value, self.count) = (Some(new), self.count + 1);
        Ok(())
    }

    pub(super) fn save(&self, saved: &mut Saved) {
        if let Some(value) = &self.value {
            saved.put("average", value.clone());
            saved.put_number("average.count", self.count);
        }
    }

    /// The average of a checkpoint, and the number of weights in it.
    pub(super) fn load(saved: &Saved, like: &Array) -> Result<(Option<Array>, u64)> {
        let value = saved.array_like("average", like)?;
        let count = match value {
            Some(_) => saved.number("average.count")?,
            None => 0,
        };
        Ok((value, count))
    }

    pub(super) fn set(&mut self, (value, count): (Option<Array>, u64)) {
        (self.value, self.count) = (value, count);
    }
}

fn compile(objective: &Objective) -> Result<Program> {
    let tape = Tape::new();
    let vector = |name: &str| tape.input(name, objective.dtype(), [objective.dim()]);
    let (mean, x) = (vector("average"), vector("parameters"));
    let weight = tape.input("weight", objective.dtype(), ());
    Ok(tape.compile(objective.backend(), &[mean + weight * (x - mean)])?)
}
