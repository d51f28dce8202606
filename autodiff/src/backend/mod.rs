//! What a backend is: something that makes whole planned programs executable, and has the memory
//! in which their values live.

use crate::array::Array;
use crate::error::Result;
use crate::plan::{Costs, Plan};
use crate::{DType, Shape};
use std::time::Duration;

/// Something that runs programs, and the memory that they run in: the host's ([`Cpu`]), or that of one
/// device.
///
/// A backend that computes on the host leaves the methods of memory as they are: then arrays are
/// those of the host, at no cost. One that has a device puts its own [`Storage`] into arrays: it
/// writes `holds`, `allocate`, `upload` and `is_finite`, and its storage downloads.
/// [`testing::Device`](crate::testing::Device) is an example.
///
/// [`Cpu`]: crate::Cpu
/// [`Storage`]: crate::Storage
pub trait Backend: Send + Sync {
    /// The name, as in error messages.
    fn name(&self) -> &'static str;

    /// Another handle of the same backend, with which a program can compile its staged forms.
    fn boxed(&self) -> Box<dyn Backend>;

    /// What the planner must know of the machine.
    fn costs(&self) -> Costs;

    /// Makes a plan executable. Literals are copied to where it runs.
    ///
    /// # Errors
    /// What the backend cannot do.
    fn compile(&self, plan: Plan) -> Result<Box<dyn Executable>>;

    /// Whether an array lives where programs of this backend take their inputs from: on the host
    /// by default, on this very device for others.
    fn holds(&self, array: &Array) -> bool {
        array.is_on_host()
    }

    /// An array of any contents in this backend's memory, if possible in storage that no array holds
    /// any more.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) where there is none.
    fn allocate(&self, dtype: DType, shape: &Shape) -> Result<Array> {
        Array::allocate(dtype, shape.clone())
    }

    /// The array in this backend's memory: itself where it lives there, or a copy of an array of the
    /// host.
    ///
    /// # Errors
    /// [`Error::Elsewhere`](crate::Error::Elsewhere) for an array of another device, which only
    /// [`Array::download`] brings to the host; [`Error::Memory`](crate::Error::Memory), or what the
    /// device reports.
    fn upload(&self, array: &Array) -> Result<Array> {
        match self.holds(array) {
            true => Ok(array.clone()),
            false => Err(array.elsewhere("upload", self.name())),
        }
    }

    /// The arrays on the host. All copies are begun before the first is waited for.
    ///
    /// # Errors
    /// As [`Array::download`].
    fn download(&self, arrays: &[&Array]) -> Result<Vec<Array>> {
        arrays.iter().for_each(|array| array.begin_download());
        arrays.iter().map(|array| array.download()).collect()
    }

    /// Whether an array that this backend [holds](Backend::holds) has no NaN and no infinity. By
    /// default its elements are looked at on the host.
    ///
    /// # Errors
    /// As [`Array::download`].
    fn is_finite(&self, array: &Array) -> Result<bool> {
        Ok(array.download()?.position(|x| !x.is_finite()).is_none())
    }
}

impl<B: Backend + ?Sized> Backend for Box<B> {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn boxed(&self) -> Box<dyn Backend> {
        (**self).boxed()
    }

    fn costs(&self) -> Costs {
        (**self).costs()
    }

    fn compile(&self, plan: Plan) -> Result<Box<dyn Executable>> {
        (**self).compile(plan)
    }

    fn holds(&self, array: &Array) -> bool {
        (**self).holds(array)
    }

    fn allocate(&self, dtype: DType, shape: &Shape) -> Result<Array> {
        (**self).allocate(dtype, shape)
    }

    fn upload(&self, array: &Array) -> Result<Array> {
        (**self).upload(array)
    }

    fn download(&self, arrays: &[&Array]) -> Result<Vec<Array>> {
        (**self).download(arrays)
    }

    fn is_finite(&self, array: &Array) -> Result<bool> {
        (**self).is_finite(array)
    }
}

/// A program made executable by a backend. Threads share it: runs go on side by side, and one may
/// begin on a thread that waits for another.
///
/// All arrays that it is given live in the backend's memory: a [`Program`](crate::Program) uploads
/// inputs from the host first, and allocates outputs. A run may return before the device has done it:
/// then its outputs are arrays on which reading waits, and so do runs that take them as inputs.
pub trait Executable: Send + Sync {
    /// Runs what depends on the plan's early inputs alone, which are given, and keeps the results
    /// for [`run`](Executable::run). After an error nothing is bound.
    ///
    /// # Errors
    /// As [`Executable::run`].
    fn bind(&mut self, early: &[&Array]) -> Result<()>;

    /// Runs everything, or, where the plan has early inputs, the rest on what was kept. All inputs
    /// are given, the early ones too. An output whose storage other arrays share gets storage of
    /// its own.
    ///
    /// # Errors
    /// [`Error::Count`], [`Error::Input`] and [`Error::Output`] for arrays that are not of the
    /// plan's shapes and types, [`Error::Elsewhere`] for those of another memory; what goes wrong
    /// with the numbers, such as an index beyond its axis.
    ///
    /// [`Error::Count`]: crate::Error::Count
    /// [`Error::Input`]: crate::Error::Input
    /// [`Error::Output`]: crate::Error::Output
    /// [`Error::Elsewhere`]: crate::Error::Elsewhere
    fn run(&self, inputs: &[&Array], outputs: &mut [Array]) -> Result<()>;

    /// Does what a run does, each kernel alone, and tells how long each took, in the plan's order;
    /// `None` where that cannot be told.
    ///
    /// # Errors
    /// As [`Executable::run`].
    fn times(&self, inputs: &[&Array], outputs: &mut [Array]) -> Result<Option<Vec<Duration>>> {
        let _ = (inputs, outputs);
        Ok(None)
    }
}
