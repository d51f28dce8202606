//! A model's outputs and metrics on data of any size.

use super::data::described;
use super::metric::{Kind, Metric, Score};
use super::programs::{Compiled, Key};
use super::task::Task;
use super::{Data, Error, Loader, ModelState, Result};
use crate::autodiff::{Array, DType, Element, Shape, Tape, Var};
use crate::optim::{BatchSpec, Role};
use std::fmt;

/// What metrics say of a model, in the order in which they were asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    scores: Vec<(String, Score)>,
}

impl Scores {
    /// The number of a name; `None` where there is none, or a table.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.numbers().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// The table of a name, such as a confusion matrix.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Array> {
        self.scores.iter().find_map(|(known, score)| match score {
            Score::Table(table) if known == name => Some(table),
            Score::Table(_) | Score::Number(_) => None,
        })
    }

    /// Names and values of those that are numbers.
    pub fn numbers(&self) -> impl Iterator<Item = (&str, f64)> {
        self.scores.iter().filter_map(|(name, score)| match score {
            Score::Number(value) => Some((name.as_str(), *value)),
            Score::Table(_) => None,
        })
    }
}

/// `loss 0.1234, accuracy 0.9722`: the numbers.
impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.numbers().enumerate() {
            write!(f, "{}{name} {value:.4}", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl Task {
    /// The model's outputs, as it is evaluated, for any number of inputs: they go through in batches
    /// of the [evaluation's size](Task::with_evaluation_batch), and each shape of these is compiled
    /// once.
    ///
    /// # Errors
    /// [`Error::Data`] for inputs whose type or example shape is not that of the task's data,
    /// [`Error::Optim`] for parameters of another number or type.
    pub fn predict(&self, state: &(impl ModelState + ?Sized), inputs: &Array) -> Result<Array> {
        let values = self.values_of(state)?;
        let name = self.spec().arrays().nth(self.parts.input).map_or("input", |(name, _)| name);
        let data = Data::new().by_example(name, inputs.clone())?;
        self.check_array(self.parts.input, name, inputs)?;
        let mut outputs = Vec::new();
        for indices in chunks(data.len(), self.evaluation_batch) {
            let batch = [data.gather(&indices)?[0].clone()];
            let compiled = self.programs.get(&[Key::Outputs], &batch, || {
                let tape = Tape::new();
                let (p, buffers, inputs) = self.declare(&tape, &batch, |_| name);
                let arrays: Vec<Var> = (0..=self.parts.input).map(|_| inputs[0]).collect();
                let outputs = [self.parts.forward(p, &buffers, &arrays)];
                Ok(Compiled { program: tape.compile(&*self.backend, &outputs)?, counts: vec![1] })
            })?;
            let inputs: Vec<&Array> = values.iter().chain(&batch).collect();
            outputs.push(compiled.program.run(&inputs)?.swap_remove(0).download()?);
        }
        joined(outputs)
    }

    /// Metrics of the model, as it is evaluated, over a whole data set. Numerators and denominators
    /// of its batches are added up, so the result does not depend on how it is cut.
    ///
    /// # Errors
    /// [`Error::Data`] for arrays that are not the task's, [`Error::NonFiniteMetric`], and what a
    /// formula or a label that is no class gives.
    pub fn evaluate(
        &self,
        state: &(impl ModelState + ?Sized),
        data: &Data,
        metrics: &[Metric],
    ) -> Result<Scores> {
        let values = self.values_of(state)?;
        self.check_data(data)?;
        let keys: Vec<Key> = metrics.iter().map(|metric| metric.key.clone()).collect();
        let mut sums: Vec<Vec<Sum>> = vec![Vec::new(); metrics.len()];
        for indices in chunks(data.len(), self.evaluation_batch) {
            let batch = data.gather(&indices)?;
            let compiled = self.programs.get(&keys, &batch, || self.compile(&batch, metrics))?;
            let inputs: Vec<&Array> = values.iter().chain(batch.iter()).collect();
            let outputs = compiled.program.run(&inputs)?;
            let outputs = outputs.iter().map(Array::download).collect::<Result<Vec<_>, _>>()?;
            let mut outputs = outputs.into_iter();
            for ((metric, sums), &count) in metrics.iter().zip(&mut sums).zip(&compiled.counts) {
                let found: Vec<Array> = outputs.by_ref().take(count).collect();
                match (&metric.kind, &found[..]) {
                    (Kind::Loss | Kind::Average(_), [mean]) => {
                        let n = indices.len() as f64;
                        let weighted = Array::scalar(n * mean.item()?);
                        add(sums, &[weighted, Array::scalar(n)]);
                    }
                    _ => add(sums, &found),
                }
            }
        }
        let mut scores = Vec::with_capacity(metrics.len());
        for (metric, sums) in metrics.iter().zip(sums) {
            let sums: Vec<Array> = sums.into_iter().map(Sum::into_array).collect::<Result<_>>()?;
            let score = match &metric.kind {
                Kind::Loss | Kind::Average(_) => Score::Number(sums[0].item()? / sums[1].item()?),
                Kind::Sums(_, finish) => finish(&sums),
            };
            let name = metric.name().to_owned();
            if let Some(value) = score.non_finite() {
                return Err(Error::NonFiniteMetric { name, value, examples: data.len() });
            }
            scores.push((name, score));
        }
        Ok(Scores { scores })
    }

    /// How many programs of evaluations and predictions are kept: one a shape of batches, the 16 used
    /// last.
    #[must_use]
    pub fn kept_programs(&self) -> usize {
        self.programs.len()
    }

    /// The program of metrics, and how many outputs each of them has.
    fn compile(&self, batch: &[Array], metrics: &[Metric]) -> Result<Compiled> {
        let tape = Tape::new();
        let names: Vec<&str> = self.spec().arrays().map(|(name, _)| name).collect();
        let (p, buffers, arrays) = self.declare(&tape, batch, |i| names[i]);
        let out = self.parts.forward(p, &buffers, &arrays);
        let inputs = self.parts.inputs(out, &arrays);
        let recorded = metrics.iter().map(|m| m.record(&*self.loss, out, &inputs));
        let recorded: Vec<Vec<Var>> = recorded.collect();
        let counts = recorded.iter().map(Vec::len).collect();
        let program = tape.compile(&*self.backend, &recorded.concat())?;
        Ok(Compiled { program, counts })
    }

    /// Parameters, buffers and batch as inputs, in this order.
    fn declare<'a>(
        &self,
        tape: &Tape,
        batch: &[Array],
        name: impl Fn(usize) -> &'a str,
    ) -> (Var, Vec<Var>, Vec<Var>) {
        let (dtype, model) = (self.parts.dtype, self.model());
        let p = tape.input("parameters", dtype, [model.layout().total()]);
        let buffers = model.buffers(dtype).into_iter();
        let buffers = buffers.map(|(name, like)| tape.input(&name, dtype, like.shape())).collect();
        let arrays = batch.iter().enumerate();
        let arrays = arrays.map(|(i, a)| tape.input(name(i), a.dtype(), a.shape())).collect();
        (p, buffers, arrays)
    }

    /// Parameters and buffers of a state, checked.
    fn values_of(&self, state: &(impl ModelState + ?Sized)) -> Result<Vec<Array>> {
        let parameters = state.parameters();
        let (dtype, total) = (self.parts.dtype, self.model().layout().total());
        if parameters.dtype() != dtype || parameters.shape()[..] != [total] {
            let (of, expected) = ("task, parameters".into(), format!("{dtype}[{total}]"));
            let found = described(parameters);
            return Err(crate::optim::Error::Vector { of, expected, found }.into());
        }
        let mut values = self.buffers_of(state)?;
        values.insert(0, parameters.clone());
        Ok(values)
    }

    /// The model's buffers after a pass in training over a loader's first epoch at the parameters of
    /// a state: running statistics of these parameters, as averaged ones need.
    ///
    /// # Errors
    /// As [`Task::evaluate`].
    pub fn recalibrated(
        &self,
        state: &(impl ModelState + ?Sized),
        loader: &Loader,
    ) -> Result<Vec<Array>> {
        let mut values = self.values_of(state)?;
        if values.len() == 1 {
            return Ok(Vec::new());
        }
        let names: Vec<&str> = self.spec().arrays().map(|(name, _)| name).collect();
        for batch in loader.epoch(0) {
            let batch = batch?;
            let compiled = self.programs.get(&[Key::Buffers], &batch, || {
                let tape = Tape::new();
                let (p, buffers, arrays) = self.declare(&tape, &batch, |i| names[i]);
                let (x, key) = (self.parts.input(p, &arrays), p.literal(&Array::vector([0u32, 0])));
                let new = self.model().forward_training_with_buffers(p, &buffers, x, key).1;
                let counts = vec![new.len()];
                Ok(Compiled { program: tape.compile(&*self.backend, &new)?, counts })
            })?;
            let inputs: Vec<&Array> = values.iter().chain(batch.iter()).collect();
            let new = compiled.program.run(&inputs)?;
            values.splice(1.., new);
        }
        Ok(values.split_off(1))
    }

    /// Checks that data have the task's arrays.
    pub(super) fn check_data(&self, data: &Data) -> Result<()> {
        let names = |spec: &BatchSpec| -> Vec<String> {
            spec.arrays().map(|(name, role)| format!("{name} {role:?}")).collect()
        };
        if data.is_empty() {
            return Err(Error::Data {
                array: "the number of examples".into(),
                found: "0".into(),
                expected: "at least 1".into(),
            });
        }
        let (expected, found) = (names(self.spec()), names(data.spec()));
        if expected != found {
            let [expected, found] = [expected, found].map(|all| format!("[{}]", all.join(", ")));
            return Err(Error::Data { array: "the list of arrays".into(), found, expected });
        }
        let arrays = data.arrays().iter().zip(data.names()).enumerate();
        for (i, (array, name)) in arrays {
            self.check_array(i, name, array)?;
        }
        Ok(())
    }

    /// Checks type and example shape of array `i`.
    fn check_array(&self, i: usize, name: &str, array: &Array) -> Result<()> {
        let (dtype, one) = &self.parts.one[i];
        let role = self.spec().arrays().nth(i).map(|(_, role)| role);
        let of_one = usize::from(role == Some(Role::ByExample));
        let floats = |dtype: DType| dtype.is_float();
        let same_type = array.dtype() == *dtype || floats(array.dtype()) && floats(*dtype);
        if same_type && array.shape().get(of_one..) == one.get(of_one..) {
            return Ok(());
        }
        let mut sizes: Vec<String> = one.iter().map(ToString::to_string).collect();
        sizes[..of_one].fill("n".into());
        Err(Error::Data {
            array: name.to_owned(),
            found: described(array),
            expected: format!("{dtype}[{}], as the task's data", sizes.join(", ")),
        })
    }
}

/// The examples of consecutive batches.
fn chunks(n: usize, size: usize) -> impl Iterator<Item = Vec<usize>> {
    (0..n).step_by(size).map(move |first| (first..n.min(first + size)).collect())
}

/// A sum over the batches so far, in double precision.
#[derive(Clone)]
struct Sum {
    shape: Shape,
    values: Vec<f64>,
}

impl Sum {
    fn into_array(self) -> Result<Array> {
        Ok(Array::from_vec(self.shape, self.values)?)
    }
}

fn add(sums: &mut Vec<Sum>, found: &[Array]) {
    if sums.is_empty() {
        let zero = |a: &Array| Sum { shape: a.shape().clone(), values: vec![0.0; a.len()] };
        sums.extend(found.iter().map(zero));
    }
    for (sum, array) in sums.iter_mut().zip(found) {
        sum.values.iter_mut().zip(array.to_f64_vec()).for_each(|(s, v)| *s += v);
    }
}

/// Outputs of consecutive batches, one after the other.
fn joined(outputs: Vec<Array>) -> Result<Array> {
    fn all<T: Element>(outputs: &[Array], shape: Vec<usize>) -> Result<Array> {
        let mut values = Vec::with_capacity(shape.iter().product());
        for part in outputs {
            values.extend_from_slice(part.download()?.as_slice::<T>()?);
        }
        Ok(Array::from_vec(shape, values)?)
    }
    if let [_] = outputs[..] {
        return Ok(outputs[0].clone());
    }
    let mut shape = outputs[0].shape().to_vec();
    let Some(rows) = outputs.iter().map(|o| o.shape().first().copied()).sum::<Option<usize>>()
    else {
        return Err(Error::Data {
            array: "the model's output".into(),
            found: described(&outputs[0]),
            expected: "one whose first axis counts the examples".into(),
        });
    };
    shape[0] = rows;
    match outputs[0].dtype() {
        DType::F32 => all::<f32>(&outputs, shape),
        DType::F64 => all::<f64>(&outputs, shape),
        DType::U32 => all::<u32>(&outputs, shape),
        DType::Bool => all::<bool>(&outputs, shape),
    }
}
