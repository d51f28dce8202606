//! A network together with the layout of its parameters.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use burlap_autodiff::{Array, At, Backend, DType, Shape, Tape, Var};

use crate::module::{Buffer, Context, Declared, Module, Pass, Scope};
use crate::{Checkpoint, Error, Layout, Result, memory};

/// A [`Module`] with the [`Layout`] of its parameters in one flat vector.
///
/// ```
/// use burlap_autodiff::{Array, Cpu, DType, Tape};
/// use burlap_nn::{Linear, Model};
///
/// let model = Model::new(Linear::new(2, 1))?;
/// assert!(model.layout().names().eq(["weight", "bias"]));
///
/// let tape = Tape::new();
/// let params = tape.input("params", DType::F64, [model.layout().total()]);
/// let x = tape.input("x", DType::F64, [3, 2]);
/// let program = tape.compile(&Cpu::new(), &[model.forward(params, x)])?;
/// let x = Array::from_vec([3, 2], vec![0.0, 0.0, 1.0, 0.0, 1.0, 1.0])?;
/// let out = program.run(&[&Array::vector([2.0, 3.0, 0.5]), &x])?;
/// assert_eq!(out[0].to_f64_vec(), [0.5, 2.5, 5.5]);
/// # Ok::<(), burlap_nn::Error>(())
/// ```
///
/// A clone is another handle of the same network.
#[derive(Clone)]
pub struct Model {
    module: Arc<dyn Module>,
    declared: Arc<Declared>,
}

impl Model {
    /// Lays out the parameters of a network.
    ///
    /// # Errors
    ///
    /// What [`Module::declare`] reports: names that occur twice or are reused but unknown,
    /// first values that cannot be drawn. [`Error::Memory`](crate::Error::Memory) where a vector of `f64` for the
    /// parameters, of which [`init`](Self::init) makes one, is more than the machine's memory.
    pub fn new(module: impl Module + 'static) -> Result<Self> {
        let mut declared = Declared::default();
        module.declare(&mut Scope::root(&mut declared))?;
        memory::check_parameters(declared.layout.total())?;
        Ok(Self { module: Arc::new(module), declared: Arc::new(declared) })
    }

    /// Names, shapes and places of the parameters.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.declared.layout
    }

    /// First values of all parameters, of shape `[layout().total()]`.
    ///
    /// They are a function of the seed and of the parameters' names and distributions, not of
    /// their order. `F32` values are the `F64` values rounded.
    #[must_use]
    pub fn init(&self, seed: u64, dtype: DType) -> Array {
        let entries = self.layout().entries();
        let mut values = Vec::with_capacity(self.layout().total());
        for (entry, sampler) in entries.iter().zip(&self.declared.samplers) {
            values.extend(sampler.draw(seed, entry.name(), entry.range().len()));
        }
        let mut flat = Array::zeros(dtype, [values.len()]);
        flat.fill_from_f64(&values);
        flat
    }

    /// Records the output for evaluation: without dropout.
    ///
    /// `params` has the shape `[layout().total()]` and the element type of `x`; anything else
    /// is an error of the tape, which `compile` returns.
    #[track_caller]
    #[must_use]
    pub fn forward(&self, params: Var, x: Var) -> Var {
        self.record_pass(At::caller(), params, x, &[], None).0
    }

    /// Records the output for training, with randomness from `key`, a `U32` value of shape
    /// `[2]`.
    ///
    /// One key gives the same dropout masks in every pass, whatever the parameters. Draw a new
    /// key for each step.
    #[track_caller]
    #[must_use]
    pub fn forward_training(&self, params: Var, x: Var, key: Var) -> Var {
        self.record_pass(At::caller(), params, x, &[], Some(key)).0
    }

    /// The output for these inputs, as in evaluation, on a backend: one program, compiled for this call.
    ///
    /// Who predicts again and again, by batches, keeps programs in `burlap::train::Task` or on a tape.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu};
    /// use burlap_nn::{Linear, Model};
    /// let model = Model::new(Linear::new(2, 1))?;
    /// let parameters = Array::vector([1.0, 2.0, 0.5]);
    /// let output = model.predict(&Cpu::new(), &parameters, &Array::vector([10.0, 1.0]).reshaped([1, 2])?)?;
    /// assert_eq!(output.to_string(), "[[12.5]]");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// What the engine reports of inputs and parameters that do not fit the network, or of a network with
    /// buffers, whose values this call does not have.
    #[track_caller]
    pub fn predict(
        &self,
        backend: &dyn Backend,
        parameters: &Array,
        inputs: &Array,
    ) -> burlap_autodiff::Result<Array> {
        let tape = Tape::new();
        let p = tape.input("parameters", parameters.dtype(), parameters.shape().clone());
        let x = tape.input("inputs", inputs.dtype(), inputs.shape().clone());
        let program = tape.compile(backend, &[self.forward(p, x)])?;
        Ok(program.run(&[parameters, inputs])?.swap_remove(0))
    }

    /// Names and first values of the buffers, arrays that passes in training change and no gradient
    /// does, such as the running statistics of a normalisation; none for most networks.
    #[must_use]
    pub fn buffers(&self, dtype: DType) -> Vec<(String, Array)> {
        let first = |buffer: &Buffer| {
            (buffer.name.clone(), Array::full(dtype, buffer.shape.clone(), buffer.first))
        };
        self.declared.buffers.iter().map(first).collect()
    }

    /// Records the output for evaluation, as [`forward`](Self::forward), of a network with
    /// [buffers](Self::buffers): their values, in the order of their names.
    #[track_caller]
    #[must_use]
    pub fn forward_with_buffers(&self, params: Var, buffers: &[Var], x: Var) -> Var {
        self.record_pass(At::caller(), params, x, buffers, None).0
    }

    /// Records the output for training, as [`forward_training`](Self::forward_training), and the new
    /// values of the buffers.
    #[track_caller]
    #[must_use]
    pub fn forward_training_with_buffers(
        &self,
        params: Var,
        buffers: &[Var],
        x: Var,
        key: Var,
    ) -> (Var, Vec<Var>) {
        self.record_pass(At::caller(), params, x, buffers, Some(key))
    }

    /// Whether the network draws random numbers in training, as dropout does, for inputs of a shape
    /// and type.
    #[must_use]
    pub fn is_random(&self, input: impl Into<Shape>, dtype: DType) -> bool {
        let tape = Tape::new();
        let floats = if dtype.is_float() { dtype } else { DType::F32 };
        let flat = tape.input("parameters", floats, [self.layout().total()]);
        let (x, key) = (tape.input("input", dtype, input), tape.input("key", DType::U32, [2]));
        let buffers = self.declared.buffers.iter();
        let buffers: Vec<Var> = buffers.map(|b| tape.input(&b.name, floats, &b.shape)).collect();
        let pass = Pass::new(&self.declared, flat, At::caller(), &buffers, Some(key));
        let _ = self.module.forward(&Context::root(&pass), x);
        pass.is_random()
    }

    /// Saves parameters under their names, in a safetensors file that [`load`](Self::load) and other
    /// programs read: all or nothing, as [`Checkpoint::save`].
    ///
    /// ```
    /// use burlap_autodiff::DType;
    /// use burlap_nn::{Linear, Model};
    ///
    /// let model = Model::new(Linear::new(3, 2))?;
    /// let parameters = model.init(1, DType::F32);
    /// let dir = tempfile::tempdir()?;
    /// model.save(&parameters, dir.path().join("model.safetensors"))?;
    /// assert_eq!(model.load(dir.path().join("model.safetensors"))?, parameters);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::FlatShape`](crate::Error::FlatShape) for a vector of another length,
    /// [`Error::MissingName`](crate::Error::MissingName) for a network with buffers, and what
    /// [`Checkpoint::save`] reports.
    pub fn save(&self, parameters: &Array, path: impl AsRef<Path>) -> Result<()> {
        self.save_with_buffers(parameters, &[], path)
    }

    /// As [`save`](Self::save), with the values of the [buffers](Self::buffers) in their order.
    ///
    /// # Errors
    ///
    /// As [`save`](Self::save); [`Error::ParameterShape`](crate::Error::ParameterShape) for a buffer of another shape.
    pub fn save_with_buffers(
        &self,
        parameters: &Array,
        buffers: &[Array],
        path: impl AsRef<Path>,
    ) -> Result<()> {
        let mut arrays = self.layout().split(parameters)?;
        for (i, buffer) in self.declared.buffers.iter().enumerate() {
            let name = buffer.name.clone();
            let Some(value) = buffers.get(i) else {
                return Err(Error::MissingName { name });
            };
            buffer.check(value)?;
            arrays.push((name, value.clone()));
        }
        Checkpoint { arrays, ..Checkpoint::default() }.save(path)
    }

    /// Reads the parameters that [`save`](Self::save) wrote.
    ///
    /// # Errors
    ///
    /// What [`Checkpoint::load`] reports, and what [`Layout::join`] reports of names and shapes that
    /// are not those of this network.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Array> {
        Ok(self.load_with_buffers(path)?.0)
    }

    /// Reads the parameters and buffers that [`save_with_buffers`](Self::save_with_buffers) wrote.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load); for a buffer that is missing or of another shape, too.
    pub fn load_with_buffers(&self, path: impl AsRef<Path>) -> Result<(Array, Vec<Array>)> {
        let mut arrays = Checkpoint::load(path)?.arrays;
        let mut buffers = Vec::new();
        for buffer in &self.declared.buffers {
            let Some(i) = arrays.iter().position(|(name, _)| *name == buffer.name) else {
                return Err(Error::MissingName { name: buffer.name.clone() });
            };
            let (_, value) = arrays.swap_remove(i);
            buffer.check(&value)?;
            buffers.push(value);
        }
        Ok((self.layout().join(&arrays)?, buffers))
    }

    /// Records a pass of training (with a key) or of evaluation, and the values of the buffers after it:
    /// for libraries, since mistakes of burlap's own layers are said of the place `at`.
    #[must_use]
    pub fn record_pass(
        &self,
        at: At,
        params: Var,
        x: Var,
        buffers: &[Var],
        key: Option<Var>,
    ) -> (Var, Vec<Var>) {
        // A no-op, and the caller's error if the length is wrong.
        let flat = params.record_at(at, || params.reshape([self.layout().total()]));
        let pass = Pass::new(&self.declared, flat, at, buffers, key);
        let out = self.module.forward(&Context::root(&pass), x);
        (out, pass.into_buffers())
    }
}

impl Buffer {
    fn check(&self, value: &Array) -> Result<()> {
        let name = self.name.clone();
        if *value.shape() != self.shape {
            let (expected, found) = (self.shape.clone(), value.shape().clone());
            return Err(Error::ParameterShape { name, expected, found });
        }
        match value.dtype() {
            dtype if dtype.is_float() => Ok(()),
            found => Err(Error::ParameterDType { name, expected: DType::F32, found }),
        }
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").field("layout", self.layout()).finish_non_exhaustive()
    }
}
