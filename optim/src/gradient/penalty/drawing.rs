//! The directions of a sharpness measure: their state, and samples of them.

use super::Sharpness;
use super::directions::{DirectionDistribution, DrawContext, Drawn, HostDraw, Source};
use crate::error::{Error, Result};
use crate::objective::Objective;
use crate::random::{Draw, Purpose};
use crate::state::{State, Stateful, alike};
use burlap_autodiff::{Array, DType, Program, Tape, Var};

/// Samples as programs take them.
pub(super) struct Drawing {
    /// Vectors from the host, shape `[dim]` for one and `[count, dim]` for more, rounded to the
    /// objective's type; or keys.
    pub(super) input: Array,
    /// The vectors' log-weights; none for keys.
    pub(super) log_weights: Option<Vec<f64>>,
    /// The number of samples.
    pub(super) count: usize,
}

impl Sharpness {
    /// Checks the matrix, and prepares the directions at a point.
    pub(super) fn prepare(
        &mut self,
        (objective, x, batch): (&Objective, &Array, &[Array]),
        gradient: Option<&Array>,
        (draw, samples): (Draw, usize),
    ) -> Result<()> {
        self.curvature.check(objective, batch)?;
        let zeros = self.directions.zeros(objective.dtype(), objective.dim());
        // A state of another objective is none of this one.
        let first = !alike(&self.state, &zeros);
        if first {
            self.state = zeros;
        }
        for array in &mut self.state {
            *array = objective.resident(array)?;
        }
        let context = DrawContext { objective, x, batch, gradient, draw, samples, first };
        let prepared = self.directions.prepare(&context, &mut self.state);
        if prepared.is_err() && first {
            self.state.clear();
        }
        prepared
    }

    pub(super) fn state(&self) -> State {
        self.directions.save(&self.state)
    }

    pub(super) fn restore(&mut self, state: &State) -> Result<()> {
        self.state = self.directions.restore(&self.name, state)?;
        Ok(())
    }

    /// `count` of a step's samples, from the one that `draw` names.
    pub(super) fn samples(
        &self,
        objective: &Objective,
        draw: Draw,
        (count, samples): (usize, usize),
    ) -> Result<Drawing> {
        if let Some(direction) = self.directions.held(&self.state) {
            let input = objective.repeated(direction, count)?;
            return Ok(Drawing { input, log_weights: Some(vec![0.0; count]), count });
        }
        let (mut values, mut log_weights, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..count {
            let draw = Draw { sample: draw.sample + i as u32, ..draw };
            let at = HostDraw { draw, dim: objective.dim(), samples, state: &self.state };
            match self.directions.draw(&at) {
                Some((sample, log_weight)) => {
                    if sample.len() != objective.dim() {
                        return Err(Error::Vector {
                            of: self.directions.name().to_owned(),
                            expected: format!("a sample of {} elements", objective.dim()),
                            found: format!("one of {}", sample.len()),
                        });
                    }
                    values.extend(sample);
                    log_weights.push(log_weight);
                }
                None => keys.extend(draw.key()),
            }
        }
        if log_weights.len() == count {
            let mut samples = objective.zero_vectors(count);
            samples.fill_from_f64(&values);
            return Ok(Drawing { input: samples, log_weights: Some(log_weights), count });
        }
        let input = match count {
            1 => Array::vector(keys),
            _ => Array::from_vec([count, 2], keys)?,
        };
        Ok(Drawing { input, log_weights: None, count })
    }

    /// A sample from a key.
    pub(super) fn record_sample(&self, key: Var, dtype: DType, dim: usize) -> Drawn {
        match self.directions.record(&Source { key, dtype, dim }) {
            Some(drawn) => drawn,
            None => {
                let name = self.directions.name();
                let problem = format!("{name}: samples are neither recorded nor drawn on the host");
                key.fail("directions", problem).into()
            }
        }
    }

    /// The samples that a [`SharpnessMethod`](super::SharpnessMethod) of this seed draws at a
    /// step, with their log-weights: to look at them, or to record S with [`Sharpness::record`].
    ///
    /// # Errors
    /// What preparing the directions reports.
    pub fn draw(
        &mut self,
        objective: &Objective,
        x: &Array,
        batch: &[Array],
        samples: usize,
        (seed, step): (u64, u64),
    ) -> Result<Vec<(Array, f64)>> {
        self.check(samples)?;
        objective.check_vector(&self.name, "parameters", x)?;
        let draw = Draw { seed, purpose: Purpose::Direction, step, sample: 0 };
        self.prepare((objective, x, batch), None, (draw, samples))?;
        let tape = Tape::new();
        let key = tape.input("key", DType::U32, [2]);
        let mut program = None;
        let mut one = |i| {
            let draw = Draw { sample: i as u32, ..draw };
            let Drawing { input, log_weights, .. } = self.samples(objective, draw, (1, samples))?;
            if let Some(log_weights) = log_weights {
                return Ok((input, log_weights[0]));
            }
            let program: &Program = match &program {
                Some(program) => program,
                None => {
                    let drawn = self.record_sample(key, objective.dtype(), objective.dim());
                    let outputs: Vec<Var> =
                        std::iter::once(drawn.sample).chain(drawn.log_weight).collect();
                    program.insert(tape.compile(objective.backend(), &outputs)?)
                }
            };
            let mut outputs = program.run(&[&input])?;
            let log_weight = outputs.get(1).map_or(Ok(0.0), Array::item)?;
            Ok((outputs.swap_remove(0), log_weight))
        };
        (0..samples).map(&mut one).collect()
    }
}
