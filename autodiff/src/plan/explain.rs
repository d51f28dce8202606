//! A plan as a table that a person can read.

use super::{Buffer, Place, Plan};
use std::fmt::Write;
use std::time::Duration;

/// A number with a unit of thousands.
fn scaled(x: usize) -> String {
    match x {
        0..10_000 => format!("{x}"),
        10_000..10_000_000 => format!("{:.1} k", x as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} M", x as f64 / 1e6),
        _ => format!("{:.1} G", x as f64 / 1e9),
    }
}

/// The kernels of a plan, with their times where they were measured.
pub(crate) fn explain(plan: &Plan, times: Option<&[Duration]>) -> String {
    // A long program is not worth a listing of megabytes.
    const SHOWN: usize = 400;
    let mut text = String::new();
    let mut write = |line: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{line}");
    };
    let total: Duration = times.map_or(Duration::ZERO, |t| t.iter().sum());
    let measured = |i: usize, flops: usize| {
        let Some(&time) = times.and_then(|t| t.get(i)) else {
            return String::new();
        };
        let seconds = time.as_secs_f64().max(1e-9);
        let share = 100.0 * seconds / total.as_secs_f64().max(1e-9);
        format!(" {:>9.1} {share:>5.1} {:>7.2}", 1e6 * seconds, 1e-9 * flops as f64 / seconds)
    };
    let heads = if times.is_some() { "        µs     %  Gflop/s" } else { "" };
    write(format_args!(
        "{:>4}  {:<14} {:>9} {:>9}{heads}  work",
        "", "primitive", "flops", "bytes"
    ));
    let (mut flops, mut bytes) = (0usize, 0usize);
    let mut phase_of = vec![0; plan.kernels.len()];
    for (s, phase) in plan.phases.iter().enumerate() {
        phase.pipelines.iter().flat_map(|c| &c.kernels).for_each(|&k| phase_of[k] = s);
    }
    for (i, kernel) in plan.kernels.iter().enumerate() {
        let (f, b) = (kernel.flops(), plan.bytes(kernel));
        (flops, bytes) = (flops.saturating_add(f), bytes.saturating_add(b));
        if i < SHOWN {
            // A mark where threads meet.
            let meets = if i > 0 && phase_of[i] != phase_of[i - 1] { '-' } else { ' ' };
            write(format_args!(
                "{i:>4}{meets} {:<14} {:>9} {:>9}{}  {}",
                kernel.name,
                scaled(f),
                scaled(b),
                measured(i, f),
                kernel.work.kind().describe()
            ));
        } else if i == SHOWN {
            write(format_args!("   …  and {} more", plan.kernels.len() - SHOWN));
        }
    }
    let outside: usize = plan
        .buffers
        .iter()
        .filter(|b| !matches!(b.place, Place::Arena(_) | Place::Kept(_)))
        .map(Buffer::bytes)
        .fold(0, usize::saturating_add);
    write(format_args!(
        "{} primitives in {} kernels and {} phases: {} flops, {} bytes moved; peak {} bytes of intermediates, {} bytes of inputs and outputs",
        plan.graph.nodes.len(),
        plan.kernels.len(),
        plan.phases.len(),
        scaled(flops),
        scaled(bytes),
        scaled(plan.arena + plan.kept),
        scaled(outside),
    ));
    if times.is_some() {
        let ms = 1e3 * total.as_secs_f64();
        write(format_args!("{ms:.3} ms in all, each kernel alone on one thread"));
    }
    text
}
