//! A device whose memory the host cannot address, for tests of what must run on any backend.

use crate::array::{Array, Storage};
use crate::backend::{Backend, Executable};
use crate::error::{Error, Result};
use crate::plan::{Costs, Plan};
use crate::{DType, Interpreter, Shape};
use rustc_hash::FxHashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const NAME: &str = "test device";

/// A backend that stands for any device: it keeps values in a memory of its own, of which arrays
/// hold numbers only, computes with the [`Interpreter`] (or [another](Device::wrapping)) and counts
/// what crosses between host and device. So a test sees that a computation gives the bits that it
/// gives on the host, and what it transfers:
///
/// ```
/// use burlap_autodiff::testing::Device;
/// use burlap_autodiff::{Array, Backend, DType, Tape};
/// let device = Device::new();
/// let tape = Tape::new();
/// let x = tape.input("x", DType::F32, [1000]);
/// let program = tape.compile(&device, &[0.5 * x, x.square().sum()])?;
/// let mut x = device.upload(&Array::full(DType::F32, [1000], 8.0))?;
/// for _ in 0..3 {
///     x = program.run(&[&x])?.swap_remove(0);
/// }
/// assert_eq!(program.run(&[&x])?[1].item()?, 1000.0);
/// let all = device.transfers();
/// assert_eq!((all.uploads, all.uploaded_bytes, all.downloads, all.downloaded_bytes), (1, 4000, 1, 4));
/// # Ok::<(), burlap_autodiff::Error>(())
/// ```
///
/// Clones are the same device; two devices do not see one another's arrays. Literals are copied when a
/// program is compiled, and not counted.
#[derive(Clone)]
pub struct Device {
    inner: Arc<dyn Backend>,
    memory: Arc<Memory>,
}

/// A copy between host and device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Which way.
    pub direction: Direction,
    /// The element type.
    pub dtype: DType,
    /// The number of elements.
    pub count: usize,
}

/// The way of a [`Transfer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the host to the device.
    Upload,
    /// From the device to the host.
    Download,
}

/// How much was copied between host and device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfers {
    /// Copies from the host to the device.
    pub uploads: usize,
    /// Their bytes.
    pub uploaded_bytes: usize,
    /// Copies from the device to the host.
    pub downloads: usize,
    /// Their bytes.
    pub downloaded_bytes: usize,
}

#[derive(Default)]
struct Memory(Mutex<Contents>);

#[derive(Default)]
struct Contents {
    arrays: FxHashMap<u64, Array>,
    /// The number of the next array.
    next: u64,
    transfers: Vec<Transfer>,
}

/// What an array holds of its elements.
struct Remote {
    memory: Arc<Memory>,
    number: u64,
}

struct Remoted {
    device: Device,
    program: Box<dyn Executable>,
    outputs: Vec<(Shape, DType)>,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME} over {} with {} bytes", self.inner.name(), self.bytes())
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "number {} of a {NAME}", self.number)
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(self: &Arc<Self>, array: Array) -> Array {
        let (dtype, shape) = (array.dtype(), array.shape().clone());
        let mut contents = self.lock();
        let number = contents.next;
        contents.next += 1;
        contents.arrays.insert(number, array);
        drop(contents);
        Array::in_storage(dtype, shape, Arc::new(Remote { memory: Arc::clone(self), number }))
    }

    fn note(&self, direction: Direction, dtype: DType, count: usize) {
        self.lock().transfers.push(Transfer { direction, dtype, count });
    }
}

impl Remote {
    fn get(&self) -> Result<Array> {
        let found = self.memory.lock().arrays.get(&self.number).cloned();
        let problem = || format!("it has no array number {}", self.number);
        found.ok_or_else(|| Error::Backend { backend: NAME, problem: problem() })
    }
}

impl Storage for Remote {
    fn backend(&self) -> &'static str {
        NAME
    }

    fn download(&self) -> Result<Array> {
        let array = self.get()?;
        self.memory.note(Direction::Download, array.dtype(), array.len());
        Ok(array)
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let freed = self.memory.lock().arrays.remove(&self.number);
        drop(freed);
    }
}

impl Default for Device {
    fn default() -> Device {
        Device::new()
    }
}

impl Device {
    /// A device that computes as the [`Interpreter`] does.
    pub fn new() -> Device {
        Device::wrapping(Interpreter)
    }

    /// A device that computes as a backend of the host does.
    pub fn wrapping(backend: impl Backend + 'static) -> Device {
        Device { inner: Arc::new(backend), memory: Arc::default() }
    }

    /// What was copied so far, or since [`take_transfers`](Device::take_transfers).
    pub fn transfers(&self) -> Transfers {
        let mut all = Transfers::default();
        for transfer in &self.memory.lock().transfers {
            let (count, bytes) = match transfer.direction {
                Direction::Upload => (&mut all.uploads, &mut all.uploaded_bytes),
                Direction::Download => (&mut all.downloads, &mut all.downloaded_bytes),
            };
            *count += 1;
            *bytes += transfer.bytes();
        }
        all
    }

    /// Each copy in order, to begin anew.
    pub fn take_transfers(&self) -> Vec<Transfer> {
        std::mem::take(&mut self.memory.lock().transfers)
    }

    /// Bytes of all arrays that live on the device.
    pub fn bytes(&self) -> usize {
        let contents = self.memory.lock();
        contents.arrays.values().map(|array| array.len() * array.dtype().size()).sum()
    }

    /// What this device has of an array, under the array's shape.
    fn get(&self, array: &Array) -> Result<Array> {
        match array.storage::<Remote>().filter(|remote| self.has(remote)) {
            Some(remote) => remote.get()?.reshaped(array.shape().clone()),
            None => Err(array.elsewhere("run", NAME)),
        }
    }

    fn has(&self, remote: &Remote) -> bool {
        Arc::ptr_eq(&remote.memory, &self.memory)
    }
}

impl Transfer {
    /// The bytes of all elements.
    pub fn bytes(&self) -> usize {
        self.count * self.dtype.size()
    }
}

impl Backend for Device {
    fn name(&self) -> &'static str {
        NAME
    }

    fn boxed(&self) -> Box<dyn Backend> {
        Box::new(self.clone())
    }

    fn costs(&self) -> Costs {
        self.inner.costs()
    }

    fn compile(&self, plan: Plan) -> Result<Box<dyn Executable>> {
        let outputs = plan.outputs().map(|(shape, dtype)| (shape.clone(), dtype)).collect();
        let program = self.inner.compile(plan)?;
        Ok(Box::new(Remoted { device: self.clone(), program, outputs }))
    }

    fn holds(&self, array: &Array) -> bool {
        array.storage::<Remote>().is_some_and(|remote| self.has(remote))
    }

    fn allocate(&self, dtype: DType, shape: &Shape) -> Result<Array> {
        Ok(self.memory.insert(self.inner.allocate(dtype, shape)?))
    }

    fn upload(&self, array: &Array) -> Result<Array> {
        if self.holds(array) {
            return Ok(array.clone());
        }
        if !array.is_on_host() {
            return Err(array.elsewhere("upload", NAME));
        }
        self.memory.note(Direction::Upload, array.dtype(), array.len());
        Ok(self.memory.insert(array.clone()))
    }

    /// One truth value crosses.
    fn is_finite(&self, array: &Array) -> Result<bool> {
        self.memory.note(Direction::Download, DType::Bool, 1);
        self.inner.is_finite(&self.get(array)?)
    }
}

impl Remoted {
    fn values(&self, arrays: &[&Array]) -> Result<Vec<Array>> {
        arrays.iter().map(|array| self.device.get(array)).collect()
    }
}

impl Executable for Remoted {
    fn bind(&mut self, early: &[&Array]) -> Result<()> {
        let early = self.values(early)?;
        self.program.bind(&early.iter().collect::<Vec<_>>())
    }

    fn run(&self, inputs: &[&Array], outputs: &mut [Array]) -> Result<()> {
        let inputs = self.values(inputs)?;
        let inner = |(shape, dtype): &(Shape, DType)| self.device.inner.allocate(*dtype, shape);
        let mut found = self.outputs.iter().map(inner).collect::<Result<Vec<_>>>()?;
        self.program.run(&inputs.iter().collect::<Vec<_>>(), &mut found)?;
        for (output, array) in outputs.iter_mut().zip(found) {
            match output.storage_mut::<Remote>().filter(|remote| self.device.has(remote)) {
                Some(remote) => {
                    let before = self.device.memory.lock().arrays.insert(remote.number, array);
                    drop(before);
                }
                None => *output = self.device.memory.insert(array),
            }
        }
        Ok(())
    }
}
