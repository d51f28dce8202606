//! The cache of compiled programs, by their purpose and the shapes of their batch.

use crate::error::{Error, Result};
use burlap_autodiff::{Array, DType, Program, Shape};
use rustc_hash::FxHashMap;
use std::any::TypeId;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Programs kept unless a limit is set: the backend lends them arenas and the storage of their
/// outputs, so that each takes little.
const MOST: usize = 48;

/// The purpose of a program. Users' programs are of a kind of their own, so that their names are
/// theirs alone.
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
    /// A [curvature matrix](crate::curvature::Curvature) times vectors.
    Matrix {
        kind: Identity,
        vectors: usize,
    },
    /// Curvatures of samples of a [numbered](next_id) measure.
    Samples {
        of: u64,
        from_keys: bool,
        gradient: bool,
        count: usize,
    },
    Accumulate(usize),
    /// The points x + cε of a [numbered](next_id) method, for factors c given by their bits.
    Points {
        of: u64,
        with_loss: bool,
        factors: Vec<u64>,
    },
    /// The same after a number of climbs, with x + ε and ε.
    Round {
        of: u64,
        round: usize,
        factors: Vec<u64>,
    },
    /// The combination of the gradients at such points, and at those of climbs.
    Combine {
        of: u64,
        climbs: usize,
        factors: Vec<u64>,
    },
    /// ‖v‖.
    Norm,
    /// Weighted sums, that [begin](Objective::add_weighted) with zeros or go on.
    AddWeighted {
        begins: bool,
    },
    /// The number of elements that differ.
    Differences,
    /// Rows of an array.
    Rows {
        count: usize,
        contiguous: bool,
    },
    /// aᵀb in double precision.
    Dot,
    /// maxᵢ |xᵢ|.
    MaxNorm,
    /// Σ (xᵢ/a)².
    SquaresBy,
    /// v/a.
    Divide,
    /// The component of a vector orthogonal to a unit vector, and the other component.
    Project,
    /// The parameters in ranges.
    Within(Vec<Range<usize>>),
    /// The number of true elements.
    Count,
    /// The number of scores above a threshold.
    Above,
    /// The number of scores below an index that equal a threshold.
    Ties,
    /// A mask of the largest scores.
    Largest,
    /// gᵢ² in double precision.
    Squares,
    /// |xᵢ| in double precision.
    Sizes,
    /// The candidates inside a mask, or outside of it.
    Inside(bool),
    /// The union of two masks.
    Union,
    /// Another element type.
    Cast(DType),
    /// So many copies of a vector, as rows.
    Repeat(usize),
    User {
        name: String,
        formula: TypeId,
    },
}

/// The identity of a formula: its type where it captures nothing, a number of its own otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Identity {
    Type(TypeId),
    Number(u64),
}

impl Identity {
    pub(crate) fn of<T: 'static>(formula: &T) -> Identity {
        match size_of_val(formula) {
            0 => Identity::Type(TypeId::of::<T>()),
            _ => Identity::Number(next_id()),
        }
    }
}

/// A number that nothing else has; a formula that changes takes another.
pub(crate) fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

pub(crate) type Signature = Vec<(DType, Shape)>;

pub(crate) fn signature(batch: &[Array]) -> Signature {
    batch.iter().map(|a| (a.dtype(), a.shape().clone())).collect()
}

/// A program, or that there is none to be had, and when it was last asked for.
struct Entry {
    program: Option<Arc<Program>>,
    used: u64,
}

/// The programs used last.
#[derive(Default)]
struct Entries {
    programs: FxHashMap<(Key, Signature), Entry>,
    /// A user's.
    limit: Option<usize>,
    clock: u64,
}

/// The cache of an objective's programs.
#[derive(Default)]
pub(crate) struct ProgramCache(RefCell<Entries>);

impl Entries {
    fn is_too_much(&self) -> bool {
        self.programs.len() > self.limit.unwrap_or(MOST)
    }

    fn shrink(&mut self) {
        while self.is_too_much() {
            let oldest = self.programs.iter().min_by_key(|(_, entry)| entry.used);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.programs.remove(&key);
        }
    }
}

impl ProgramCache {
    /// The program of a key; `Some(None)` where it is known that there is no such program.
    pub(super) fn get(&self, key: &(Key, Signature)) -> Option<Option<Arc<Program>>> {
        let mut entries = self.0.borrow_mut();
        entries.clock += 1;
        let clock = entries.clock;
        let entry = entries.programs.get_mut(key)?;
        entry.used = clock;
        Some(entry.program.clone())
    }

    /// Keeps a program, and drops those that were used least recently.
    pub(super) fn insert(&self, key: (Key, Signature), program: Option<Arc<Program>>) {
        let mut entries = self.0.borrow_mut();
        entries.clock += 1;
        let used = entries.clock;
        entries.programs.insert(key, Entry { program, used });
        entries.shrink();
    }

    pub(super) fn limit(&self, limit: usize) {
        let mut entries = self.0.borrow_mut();
        entries.limit = Some(limit);
        entries.shrink();
    }

    pub(super) fn len(&self) -> usize {
        self.0.borrow().programs.len()
    }

    pub(crate) fn clear(&self) {
        self.0.borrow_mut().programs.clear();
    }

    /// Checks that a user's name stands for no other formula.
    pub(super) fn check_name(&self, name: &str, formula: TypeId) -> Result<()> {
        let another = |key: &Key| match key {
            Key::User { name: other, formula: theirs } => other == name && *theirs != formula,
            _ => false,
        };
        match self.0.borrow().programs.keys().any(|(key, _)| another(key)) {
            true => Err(Error::ProgramName { name: name.to_owned() }),
            false => Ok(()),
        }
    }
}
