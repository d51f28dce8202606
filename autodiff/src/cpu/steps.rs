//! The steps of a program, divided into tasks.

use super::instruction_set::InstructionSet;
use super::kernel::{Ready, nanoseconds};
use super::pool::Pool;
use super::team::{MOST_TASKS, Team};
use super::{Kernels, Memory};
use crate::backend::Part;
use crate::error::Result;
use crate::program::Plan;
use crate::program::plan::{self, Work};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Work that a run needs to have, in nanoseconds of one thread, before it enters the pool:
/// that costs some ten microseconds, and waking a worker more.
const WORTH_ENTERING: usize = 60_000;

/// Work of a step worth sharing with threads that are awake: meeting costs some hundred
/// nanoseconds, and a line that another core wrote as much again.
const WORTH_SHARING: usize = 3_000;

/// Work of a task, at least.
const TASK: usize = 1_500;

/// Work from which a step is long.
const LONG: usize = 2_000_000;

/// Points of a few rows that a chain takes through all its kernels at a time.
const CHAIN_POINTS: usize = 8192;

/// Rows that a chain with products takes at a time: copying an operand pays for many, unless
/// each row has matrices of its own.
const PRODUCT_ROWS: usize = 240;

/// Rows of a product in a part of a long step, at least.
const FEWEST_ROWS: usize = 384;

/// Some kernels in order, by rows or the one by parts.
struct Chain {
    kernels: Vec<Ready>,
    /// Their numbers in the plan.
    numbers: Vec<usize>,
    rows: Option<usize>,
    /// Rows taken through all kernels at a time.
    few: usize,
    /// The rows (or columns, where those are divided) of its products.
    product_side: Option<usize>,
    parts: usize,
    /// Parts not yet done, while the step runs.
    left: AtomicUsize,
}

struct Task {
    chain: usize,
    part: usize,
}

struct Step {
    chains: Vec<Chain>,
    /// Empty where the first thread goes on alone.
    tasks: Vec<Task>,
}

pub(super) struct Steps {
    all: Vec<Step>,
    early: usize,
    scratch: usize,
    kernels: Kernels,
    /// None where no run is worth entering it.
    pool: Option<Pool>,
}

impl Steps {
    pub(super) fn new(plan: &Plan, pool: &Pool, kernels: Kernels) -> Steps {
        let mut scratch = 0;
        let cost: Vec<usize> = plan.kernels.iter().map(nanoseconds).collect();
        let shared: usize = plan
            .steps
            .iter()
            .map(|s| s.chains.iter().flat_map(|c| &c.kernels).map(|&k| cost[k]).sum::<usize>())
            .filter(|&c| c >= WORTH_SHARING)
            .sum();
        let threads = if shared >= WORTH_ENTERING { pool.threads() } else { 1 };
        let mut all: Vec<Step> = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let mut chains: Vec<Chain> = Vec::with_capacity(step.chains.len());
            let mut costs = Vec::with_capacity(step.chains.len());
            for chain in &step.chains {
                costs.push(chain.kernels.iter().map(|&k| cost[k]).sum());
                chains.push(Chain::new(chain, plan, kernels.set, &mut scratch));
            }
            let tasks = divide(&mut chains, &costs, threads);
            all.push(Step { chains, tasks });
        }
        let pool = (threads > 1).then(|| pool.clone());
        Steps { all, early: plan.early_steps, scratch, kernels, pool }
    }

    /// Words of memory for partial results.
    pub(super) fn scratch(&self) -> usize {
        self.scratch
    }

    pub(super) fn run(&self, part: Part, memory: &Memory) -> Result<()> {
        let steps = match part {
            Part::All => 0..self.all.len(),
            Part::Early => 0..self.early,
            Part::Late => self.early..self.all.len(),
        };
        let alone = |step: &Step| {
            step.chains.iter().try_for_each(|chain| chain.whole(memory, self.kernels))
        };
        let Some(pool) = &self.pool else {
            return self.all[steps].iter().try_for_each(alone);
        };
        let work = |step: usize, task: usize| {
            let step: &Step = &self.all[step];
            let task = &step.tasks[task];
            step.chains[task.chain].part(memory, self.kernels, task.part)
        };
        let team = Team::new(&work);
        pool.run(&team, |team| {
            for (number, step) in self.all[steps.clone()].iter().enumerate() {
                match step.tasks.len() {
                    0 => alone(step)?,
                    tasks => team.step(steps.start + number, tasks)?,
                }
            }
            Ok(())
        })
    }

    /// How long each kernel takes alone, by its number.
    pub(super) fn times(&self, memory: &Memory) -> Result<Vec<Duration>> {
        let mut times: Vec<(usize, Duration)> = Vec::new();
        for chain in self.all.iter().flat_map(|step| &step.chains) {
            for (kernel, &number) in chain.kernels.iter().zip(&chain.numbers) {
                let start = Instant::now();
                kernel.part(memory, self.kernels, 0, 1)?;
                kernel.finish(memory);
                times.push((number, start.elapsed()));
            }
        }
        times.sort_unstable_by_key(|t| t.0);
        Ok(times.into_iter().map(|t| t.1).collect())
    }
}

/// Sets the number of parts of each chain and lists them, the longest first.
fn divide(chains: &mut [Chain], costs: &[usize], threads: usize) -> Vec<Task> {
    let total: usize = costs.iter().sum();
    if threads == 1 || total < WORTH_SHARING {
        return Vec::new();
    }
    // Each chain in as many parts as there are threads: more would copy the operands of
    // products more often, fewer leave some thread without work. Long steps are divided finer,
    // since a thread may be taken away meanwhile, but not so that copies begin to count.
    let finer = if total > LONG { 4 } else { 1 };
    let mut tasks: Vec<(usize, Task)> = Vec::new();
    for (i, (chain, &cost)) in chains.iter_mut().zip(costs).enumerate() {
        let finer = match chain.product_side {
            _ if cost <= LONG / 2 => 1,
            Some(side) => (side / (FEWEST_ROWS * threads)).clamp(1, finer),
            None => finer,
        };
        let most = chain.most_parts().min(MOST_TASKS / costs.len()).max(1);
        chain.parts = (cost / TASK).clamp(1, finer * threads).min(most);
        *chain.left.get_mut() = chain.parts;
        for part in 0..chain.parts {
            tasks.push((cost / chain.parts, Task { chain: i, part }));
        }
    }
    if tasks.len() == 1 {
        return Vec::new();
    }
    tasks.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
    tasks.into_iter().map(|(_, task)| task).collect()
}

impl Chain {
    fn new(chain: &plan::Chain, plan: &Plan, set: InstructionSet, scratch: &mut usize) -> Chain {
        let of = |&k: &usize| &plan.kernels[k];
        let rows = chain.rows.filter(|_| chain.kernels.len() > 1);
        let largest = chain
            .kernels
            .iter()
            .map(|k| match &of(k).work {
                Work::Map(map) => map.domain.count(),
                _ => 0,
            })
            .max();
        let matrices = |k: &usize| matches!(&of(k).work, Work::Product(p) if !p.batch.is_empty());
        let product_side = chain.kernels.iter().find_map(|k| match &of(k).work {
            Work::Product(p) => Some(rows.unwrap_or(p.m.max(p.n).max(p.batch.count()))),
            _ => None,
        });
        let few = if product_side.is_some() && !chain.kernels.iter().any(matrices) {
            PRODUCT_ROWS
        } else {
            let row = largest.unwrap_or(0) / rows.unwrap_or(1).max(1);
            (CHAIN_POINTS / row.max(1)).max(1)
        };
        Chain {
            kernels: chain.kernels.iter().map(|k| Ready::new(of(k), plan, set, scratch)).collect(),
            numbers: chain.kernels.clone(),
            rows,
            few,
            product_side,
            parts: 1,
            left: AtomicUsize::new(1),
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
    fn some(&self, memory: &Memory, kernels: Kernels, part: usize, parts: usize) -> Result<()> {
        let Some(rows) = self.rows else {
            return self.kernels.iter().try_for_each(|k| k.part(memory, kernels, part, parts));
        };
        let (mut at, last) = (part * rows / parts, (part + 1) * rows / parts);
        while at < last {
            let next = (at + self.few).min(last);
            let range = (at, next);
            self.kernels.iter().try_for_each(|k| k.rows(memory, kernels, range, rows))?;
            at = next;
        }
        Ok(())
    }

    fn finish(&self, memory: &Memory) {
        self.kernels.iter().for_each(|kernel| kernel.finish(memory));
    }

    fn whole(&self, memory: &Memory, kernels: Kernels) -> Result<()> {
        self.some(memory, kernels, 0, 1)?;
        self.finish(memory);
        Ok(())
    }

    fn part(&self, memory: &Memory, kernels: Kernels, part: usize) -> Result<()> {
        let result = self.some(memory, kernels, part, self.parts);
        // The last one sees what all the others wrote.
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.left.store(self.parts, Ordering::Relaxed);
            self.finish(memory);
        }
        result
    }
}
