//! Programs that have been compiled: by what they compute and the shapes of their batch, and
//! not more than a number of them.

use crate::error::{Error, Result, positive_count};
use crate::objective::Objective;
use crate::sharpness::Estimator;
use burlap_autodiff::{Array, DType, Program, Shape};
use rustc_hash::FxHashMap;
use std::any::TypeId;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Programs kept unless another limit is set: more than a step of any method takes of two
/// shapes of batches and their pieces, and little memory, as arenas are shared.
const LIMIT: usize = 48;

/// What a program computes. Users' programs are of a kind of their own, so that no name is
/// anything else's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    Value,
    Numerator,
    Denominator,
    Buffers,
    Gradient,
    GradientAndBuffers,
    HessianVector,
    Curvature,
    Examples {
        gradient: bool,
    },
    /// A [kind](crate::curvature::Curvature) of matrix times vectors.
    Matrix {
        kind: TypeId,
        vectors: usize,
    },
    /// Curvatures of samples of a [numbered](number) measure.
    Samples {
        of: u64,
        estimator: Estimator,
        from_keys: bool,
        gradient: bool,
        count: usize,
    },
    Accumulate(usize),
    /// The points x + cε of a [numbered](number) method, for factors c given by their bits.
    Points {
        of: u64,
        with_loss: bool,
        factors: Vec<u64>,
    },
    Combine {
        of: u64,
        points: usize,
    },
    User {
        name: String,
        formula: TypeId,
    },
}

/// A number that nothing else has: whose formula changes takes another.
pub(crate) fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(crate) type Signature = Vec<(DType, Shape)>;

pub(crate) fn signature(batch: &[Array]) -> Signature {
    batch.iter().map(|a| (a.dtype(), a.shape().clone())).collect()
}

/// A program, or that there is none to be had, and when it was last asked for.
struct Entry {
    program: Option<Rc<Program>>,
    used: u64,
}

/// The programs used last.
pub(crate) struct Programs {
    entries: FxHashMap<(Key, Signature), Entry>,
    limit: usize,
    clock: u64,
}

impl Default for Programs {
    fn default() -> Programs {
        Programs { entries: FxHashMap::default(), limit: LIMIT, clock: 0 }
    }
}

impl Programs {
    /// What is kept under a key; `Some(None)` where it is known that there is no such program.
    pub(crate) fn get(&mut self, key: &(Key, Signature)) -> Option<Option<Rc<Program>>> {
        self.clock += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.clock;
        Some(entry.program.clone())
    }

    /// Keeps a program, and drops those that were not asked for longest.
    pub(crate) fn insert(&mut self, key: (Key, Signature), program: Option<Rc<Program>>) {
        self.clock += 1;
        self.entries.insert(key, Entry { program, used: self.clock });
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.entries.len() > self.limit {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.entries.remove(&key);
        }
    }

    /// Checks that a user's name stands for no other formula.
    pub(crate) fn check_name(&self, name: &str, formula: TypeId) -> Result<()> {
        let another = |key: &Key| match key {
            Key::User { name: other, formula: theirs } => other == name && *theirs != formula,
            _ => false,
        };
        match self.entries.keys().any(|(key, _)| another(key)) {
            true => Err(Error::ProgramName { name: name.to_owned() }),
            false => Ok(()),
        }
    }
}

impl Objective {
    /// The same, keeping at most so many compiled programs (48 by default): those that were used
    /// last. One that is asked for again is compiled again.
    ///
    /// A method takes a few programs for each shape of batches, or of
    /// [pieces](Objective::with_pieces): who trains on batches of very many shapes and has the
    /// memory keeps more.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Var};
    /// use burlap_optim::Objective;
    /// let loss = |x: Var, batch: &[Var]| (x.at(0) * batch[0]).square().mean();
    /// let objective = Objective::new(Cpu::new(), DType::F64, 1, loss).with_program_limit(2)?;
    /// for n in 1..10 {
    ///     objective.value(&Array::vector([1.0]), &[Array::vector(vec![1.0; n])])?;
    /// }
    /// assert_eq!(objective.kept_programs(), 2);
    /// # Ok::<(), burlap_optim::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Setting`] for none at all.
    pub fn with_program_limit(self, limit: usize) -> Result<Objective> {
        positive_count("objective", "the number of programs to keep", limit)?;
        {
            let mut programs = self.programs.borrow_mut();
            programs.limit = limit;
            programs.shrink();
        }
        Ok(self)
    }

    /// How many compiled programs are kept.
    pub fn kept_programs(&self) -> usize {
        self.programs.borrow().entries.len()
    }

    /// Drops all compiled programs.
    pub fn clear_programs(&self) {
        self.programs.borrow_mut().entries.clear();
    }
}

/// As an objective holds them.
pub(crate) type Shelf = RefCell<Programs>;
