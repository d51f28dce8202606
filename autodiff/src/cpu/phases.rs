//! The phases of a program, divided into tasks.

use super::costs::LARGEST_PHASE;
use super::instruction_set::InstructionSet;
use super::instruction_set::Kernels;
use super::kernel::{Making, Run, compute};
use super::memory::{Base, Memory};
use super::pool::Pool;
use super::team::{MOST_TASKS, Team};
use crate::error::Result;
use crate::plan;
use crate::plan::Plan;
use crate::work::Product;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Work that a run needs to have, in nanoseconds of one thread, before it enters the pool:
/// that costs some ten microseconds, and waking a worker more.
const WORTH_ENTERING: usize = 60_000;

/// Work of a phase worth sharing with threads that are awake: meeting costs some hundred
/// nanoseconds, and a line that another core wrote as much again.
const WORTH_SHARING: usize = 3_000;

/// Work of a task, at least.
const TASK: usize = 1_500;

/// Work from which a phase is long.
const LONG: usize = 2_000_000;

/// Points of a few rows that a pipeline takes through all its kernels at a time.
const CHAIN_POINTS: usize = 8192;

/// Rows that a pipeline with products takes at a time: copying an operand pays for many, unless
/// each row has matrices of its own.
const PRODUCT_ROWS: usize = 240;

/// Rows of a product in a part of a long phase, at least.
const FEWEST_ROWS: usize = 384;

/// Some kernels in order, by rows or the one by parts.
struct RowPipeline {
    kernels: Vec<Box<dyn Run>>,
    /// Their numbers in the plan.
    numbers: Vec<usize>,
    rows: Option<usize>,
    /// Rows taken through all kernels at a time.
    few: usize,
    /// The rows (or columns, where those are divided) of its products.
    product_side: Option<usize>,
    parts: usize,
}

struct Task {
    pipeline: usize,
    part: usize,
}

struct Phase {
    pipelines: Vec<RowPipeline>,
    /// Empty where the first thread goes on alone.
    tasks: Vec<Task>,
}

/// Which phases run: those that depend on early inputs only, or the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Early,
    Late,
}

/// What the threads of one run share.
struct Shared {
    /// Where its buffers lie, once the first thread has said so.
    memory: OnceLock<Located>,
    /// For each pipeline of the present phase, the parts not yet done.
    left: [AtomicUsize; LARGEST_PHASE],
}

/// [`Memory`] as threads see it that do not hold the arena.
struct Located {
    bases: *const [Base],
    scratch: Base,
}

// SAFETY: an address alone, as of `Base`.
unsafe impl Send for Located {}
// SAFETY: as above.
unsafe impl Sync for Located {}

/// The threads of a run that has entered the pool.
pub(super) struct Crew<'a> {
    team: &'a Team<'a>,
    shared: &'a Shared,
}

pub(super) struct Phases {
    all: Vec<Phase>,
    early: usize,
    scratch: usize,
    kernels: Kernels,
    /// None where no run is worth entering it.
    pool: Option<Pool>,
}

impl Phases {
    pub(super) fn new(plan: &Plan, pool: &Pool, kernels: Kernels) -> Phases {
        let mut scratch = 0;
        let cost: Vec<usize> =
            plan.kernels.iter().map(|k| compute(&k.work).nanoseconds()).collect();
        let shared: usize = plan
            .phases
            .iter()
            .map(|s| total(s.pipelines.iter().flat_map(|c| &c.kernels).map(|&k| cost[k])))
            .filter(|&c| c >= WORTH_SHARING)
            .fold(0, usize::saturating_add);
        let threads = if shared >= WORTH_ENTERING { pool.threads() } else { 1 };
        let mut all: Vec<Phase> = Vec::with_capacity(plan.phases.len());
        for phase in &plan.phases {
            let mut pipelines: Vec<RowPipeline> = Vec::with_capacity(phase.pipelines.len());
            let mut costs = Vec::with_capacity(phase.pipelines.len());
            for pipeline in &phase.pipelines {
                costs.push(total(pipeline.kernels.iter().map(|&k| cost[k])));
                pipelines.push(RowPipeline::new(pipeline, plan, kernels.set, &mut scratch));
            }
            let tasks = divide(&mut pipelines, &costs, threads);
            all.push(Phase { pipelines, tasks });
        }
        let pool = (threads > 1).then(|| pool.clone());
        Phases { all, early: plan.early_phases, scratch, kernels, pool }
    }

    /// Words of memory for partial results.
    pub(super) fn scratch(&self) -> usize {
        self.scratch
    }

    /// Calls `first` on this thread, or, where runs are worth it, on one of the pool with others
    /// that help: in either case [`run`](Phases::run) is for it to call, once.
    pub(super) fn enter(
        &self,
        first: impl FnOnce(Option<Crew<'_>>) -> Result<()> + Send,
    ) -> Result<()> {
        let Some(pool) = &self.pool else {
            return first(None);
        };
        let shared = Shared {
            memory: OnceLock::new(),
            left: [const { AtomicUsize::new(0) }; LARGEST_PHASE],
        };
        let work = |phase: usize, task: usize| {
            let Some(located) = shared.memory.get() else {
                return Ok(());
            };
            // SAFETY: `run` has published its memory, which it holds until the phase's tasks are done;
            // each task is claimed once, and the plan's contract makes it disjoint from the others.
            unsafe {
                let memory = Memory { bases: &*located.bases, scratch: located.scratch };
                let phase: &Phase = &self.all[phase];
                let task = &phase.tasks[task];
                let left = &shared.left[task.pipeline];
                phase.pipelines[task.pipeline].part(&memory, self.kernels, task.part, left)
            }
        };
        let team = Team::new(&work);
        pool.run(&team, |team| first(Some(Crew { team, shared: &shared })))
    }

    fn stage(&self, stage: Stage) -> Range<usize> {
        match stage {
            Stage::Early => 0..self.early,
            Stage::Late => self.early..self.all.len(),
        }
    }

    /// # Safety
    /// The memory is that of a run of the plan, which nobody else touches but to read inputs,
    /// literals and what early phases left.
    pub(super) unsafe fn run(
        &self,
        stage: Stage,
        memory: &Memory,
        crew: Option<Crew<'_>>,
    ) -> Result<()> {
        let range = self.stage(stage);
        // SAFETY: the caller's.
        let alone = |phase: &Phase| unsafe {
            phase.pipelines.iter().try_for_each(|pipeline| pipeline.whole(memory, self.kernels))
        };
        let together = |crew: Crew<'_>| {
            let located = Located { bases: memory.bases, scratch: memory.scratch };
            let _ = crew.shared.memory.set(located);
            for (number, phase) in self.all[range.clone()].iter().enumerate() {
                if phase.tasks.is_empty() {
                    alone(phase)?;
                    continue;
                }
                for (pipeline, left) in phase.pipelines.iter().zip(&crew.shared.left) {
                    left.store(pipeline.parts, Ordering::Relaxed);
                }
                crew.team.phase(range.start + number, phase.tasks.len())?;
            }
            Ok(())
        };
        let result = match crew {
            Some(crew) => together(crew),
            None => self.all[range.clone()].iter().try_for_each(alone),
        };
        result.or_else(|error| {
            // Which one was met depends on the threads; this one does not.
            // SAFETY: the caller's; every run writes before it reads.
            unsafe { self.each_kernel(range, memory, |_, _| {}) }.and(Err(error))
        })
    }

    /// Runs one kernel after the other, in the plan's order, and tells how long each took.
    ///
    /// # Safety
    /// As [`Phases::run`].
    unsafe fn each_kernel(
        &self,
        phases: Range<usize>,
        memory: &Memory,
        mut done: impl FnMut(usize, Duration),
    ) -> Result<()> {
        for phase in &self.all[phases] {
            let pipelines = phase.pipelines.iter();
            let mut kernels: Vec<(usize, &dyn Run)> = pipelines
                .flat_map(|c| c.numbers.iter().copied().zip(c.kernels.iter().map(|k| &**k)))
                .collect();
            kernels.sort_unstable_by_key(|k| k.0);
            for (number, kernel) in kernels {
                let start = Instant::now();
                // SAFETY: the caller's; a phase's order is that of the plan.
                unsafe {
                    kernel.part(memory, self.kernels, 0, 1)?;
                    kernel.finish(memory);
                }
                done(number, start.elapsed());
            }
        }
        Ok(())
    }

    /// How long each kernel takes alone, in the plan's order.
    ///
    /// # Safety
    /// As [`Phases::run`].
    pub(super) unsafe fn times(&self, stage: Stage, memory: &Memory) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        // SAFETY: the caller's.
        unsafe { self.each_kernel(self.stage(stage), memory, |_, time| times.push(time))? };
        Ok(times)
    }
}

/// A sum of costs, which may be more than a number holds.
fn total(costs: impl Iterator<Item = usize>) -> usize {
    costs.fold(0, usize::saturating_add)
}

/// Sets the number of parts of each pipeline and lists them, the longest first.
fn divide(pipelines: &mut [RowPipeline], costs: &[usize], threads: usize) -> Vec<Task> {
    let total = total(costs.iter().copied());
    if threads == 1 || total < WORTH_SHARING {
        return Vec::new();
    }
    // Each pipeline in as many parts as there are threads: more would copy the operands of
    // products more often, fewer leave some thread without work. Long phases are divided finer,
    // since a thread may be taken away meanwhile, but not so that copies begin to count.
    let finer = if total > LONG { 4 } else { 1 };
    let mut tasks: Vec<(usize, Task)> = Vec::new();
    for (i, (pipeline, &cost)) in pipelines.iter_mut().zip(costs).enumerate() {
        let finer = match pipeline.product_side {
            _ if cost <= LONG / 2 => 1,
            Some(side) => (side / (FEWEST_ROWS * threads)).clamp(1, finer),
            None => finer,
        };
        let most = pipeline.most_parts().min(MOST_TASKS / costs.len()).max(1);
        pipeline.parts = (cost / TASK).clamp(1, finer * threads).min(most);
        for part in 0..pipeline.parts {
            tasks.push((cost / pipeline.parts, Task { pipeline: i, part }));
        }
    }
    if tasks.len() == 1 {
        return Vec::new();
    }
    tasks.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
    tasks.into_iter().map(|(_, task)| task).collect()
}

impl RowPipeline {
    fn new(
        pipeline: &plan::RowPipeline,
        plan: &Plan,
        set: InstructionSet,
        scratch: &mut usize,
    ) -> RowPipeline {
        let of = |&k: &usize| &plan.kernels[k];
        let rows = pipeline.rows.filter(|_| pipeline.kernels.len() > 1);
        let works = || pipeline.kernels.iter().map(|k| compute(&of(k).work));
        let largest = works().map(|work| work.points()).max();
        let mut products = works().filter_map(|work| work.product());
        let with_matrices = products.clone().any(|p| !p.batch.is_empty());
        let side = |p: &Product| rows.unwrap_or(p.m.max(p.n).max(p.batch.count()));
        let product_side = products.next().map(side);
        let few = if product_side.is_some() && !with_matrices {
            PRODUCT_ROWS
        } else {
            let row = largest.unwrap_or(0) / rows.unwrap_or(1).max(1);
            (CHAIN_POINTS / row.max(1)).max(1)
        };
        let mut making = Making { buffers: &plan.buffers, set, scratch };
        let ready = |k| compute(&of(k).work).ready(of(k), &mut making);
        RowPipeline {
            kernels: pipeline.kernels.iter().map(ready).collect(),
            numbers: pipeline.kernels.clone(),
            rows,
            few,
            product_side,
            parts: 1,
        }
    }

    fn most_parts(&self) -> usize {
        match (self.rows, &self.kernels[..]) {
            (Some(rows), _) => rows,
            (None, [kernel]) => kernel.most_parts(),
            _ => 1,
        }
    }

    /// One of some parts, but for what is left when all are done.
    ///
    /// # Safety
    /// As [`Phases::run`], for the elements of this part.
    unsafe fn some(
        &self,
        memory: &Memory,
        kernels: Kernels,
        part: usize,
        parts: usize,
    ) -> Result<()> {
        let Some(rows) = self.rows else {
            // SAFETY: the caller's.
            let one = |k: &dyn Run| unsafe { k.part(memory, kernels, part, parts) };
            return self.kernels.iter().try_for_each(|k| one(&**k));
        };
        let (mut at, last) = (part * rows / parts, (part + 1) * rows / parts);
        while at < last {
            let next = (at + self.few).min(last);
            let range = (at, next);
            // SAFETY: the caller's.
            let one = |k: &dyn Run| unsafe { k.rows(memory, kernels, range, rows) };
            self.kernels.iter().try_for_each(|k| one(&**k))?;
            at = next;
        }
        Ok(())
    }

    /// # Safety
    /// As [`Phases::run`], when all parts are done.
    unsafe fn finish(&self, memory: &Memory) {
        // SAFETY: the caller's.
        self.kernels.iter().for_each(|kernel| unsafe { kernel.finish(memory) });
    }

    /// # Safety
    /// As [`Phases::run`].
    unsafe fn whole(&self, memory: &Memory, kernels: Kernels) -> Result<()> {
        // SAFETY: the caller's; one part is all of them.
        unsafe {
            self.some(memory, kernels, 0, 1)?;
            self.finish(memory);
        }
        Ok(())
    }

    /// # Safety
    /// As [`Phases::run`], for the elements of this part; `left` counts the parts of this pipeline
    /// that are not done.
    unsafe fn part(
        &self,
        memory: &Memory,
        kernels: Kernels,
        part: usize,
        left: &AtomicUsize,
    ) -> Result<()> {
        // SAFETY: the caller's.
        let result = unsafe { self.some(memory, kernels, part, self.parts) };
        // The last one sees what all the others wrote.
        if left.fetch_sub(1, Ordering::AcqRel) == 1 {
            // SAFETY: the caller's; all parts are done.
            unsafe { self.finish(memory) };
        }
        result
    }
}
