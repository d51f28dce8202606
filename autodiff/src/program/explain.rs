//! A plan as a table that a person can read.

use super::plan::{Kernel, Place, Plan, Work};
use std::fmt::Write;

fn describe(kernel: &Kernel) -> String {
    match &kernel.work {
        Work::Map(map) => {
            let kind = match (map.stores.is_empty(), map.reductions.is_empty()) {
                (false, false) => "map + reduce",
                (true, false) => "reduce",
                _ => "map",
            };
            let reduced = if map.reduced.is_empty() {
                String::new()
            } else {
                format!(" over {:?}", map.reduced)
            };
            format!("{kind} {}{reduced}, {} instructions", map.domain, map.code.len())
        }
        Work::Product(p) if p.batch.count() == 1 => format!("product {} × {} × {}", p.m, p.k, p.n),
        Work::Product(p) => format!("product {} of {} × {} × {}", p.batch, p.m, p.k, p.n),
        Work::Gather(i) => format!("gather {} × {} × {}", i.outer, i.positions, i.inner),
        Work::Scatter(i) => format!("scatter {} × {} × {}", i.outer, i.positions, i.inner),
        Work::ArgMax(i) => format!("argmax {} × {} × {}", i.outer, i.size, i.inner),
        Work::Random { count, .. } => format!("random {count}"),
    }
}

/// A number with a unit of thousands.
fn scaled(x: usize) -> String {
    match x {
        0..10_000 => format!("{x}"),
        10_000..10_000_000 => format!("{:.1} k", x as f64 / 1e3),
        10_000_000..10_000_000_000 => format!("{:.1} M", x as f64 / 1e6),
        _ => format!("{:.1} G", x as f64 / 1e9),
    }
}

pub(super) fn explain(plan: &Plan) -> String {
    // A long program is not worth a listing of megabytes.
    const SHOWN: usize = 400;
    let mut text = String::new();
    let mut write = |line: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{line}");
    };
    write(format_args!("{:>4}  {:<14} {:>9} {:>9}  work", "", "primitive", "flops", "bytes"));
    let (mut flops, mut bytes) = (0, 0);
    for (i, kernel) in plan.kernels.iter().enumerate() {
        let (f, b) = (kernel.flops(), plan.bytes(kernel));
        flops += f;
        bytes += b;
        if i < SHOWN {
            write(format_args!(
                "{i:>4}  {:<14} {:>9} {:>9}  {}",
                kernel.name,
                scaled(f),
                scaled(b),
                describe(kernel)
            ));
        } else if i == SHOWN {
            write(format_args!("   …  and {} more", plan.kernels.len() - SHOWN));
        }
    }
    let outside: usize = plan
        .buffers
        .iter()
        .filter(|b| !matches!(b.place, Place::Arena(_)))
        .map(|b| b.count * b.dtype.size())
        .sum();
    write(format_args!(
        "{} primitives in {} kernels: {} flops, {} bytes moved; peak {} bytes of intermediates, {} bytes of inputs and outputs",
        plan.graph.nodes.len(),
        plan.kernels.len(),
        scaled(flops),
        scaled(bytes),
        scaled(plan.arena),
        scaled(outside),
    ));
    text
}
