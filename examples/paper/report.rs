//! The experiment's tables, from its file alone.

use crate::paper::Paper;
use crate::run::{FILE, FrobeniusRow};
use anyhow::Result;
use burlap::report::{Mean, Table, write_whole};
use std::fmt::Write;

/// The method that the others are compared with.
const BASE: &str = "sgd";

/// Names in the order in which they first occur.
fn names<'a>(rows: &[&'a FrobeniusRow], of: fn(&FrobeniusRow) -> &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for row in rows {
        if !names.contains(&of(row)) {
            names.push(of(row));
        }
    }
    names
}

/// Mean and standard error over the seeds of a method at an epoch.
fn mean(
    rows: &[&FrobeniusRow],
    method: &str,
    epoch: u64,
    of: fn(&FrobeniusRow) -> f64,
) -> Option<Mean> {
    let own = rows.iter().filter(|r| r.method == method && r.epoch == epoch);
    Mean::of(&own.map(|r| of(r)).collect::<Vec<f64>>())
}

/// The difference of a method to the base at an epoch, paired by seed.
fn difference(
    rows: &[&FrobeniusRow],
    method: &str,
    epoch: u64,
    of: fn(&FrobeniusRow) -> f64,
) -> Option<Mean> {
    if method == BASE {
        return None;
    }
    let at = |name: &str, seed: Option<u64>| {
        let like = |r: &&&FrobeniusRow| {
            r.method == name && r.epoch == epoch && seed.is_none_or(|s| r.seed == s)
        };
        rows.iter().filter(like).copied().collect::<Vec<_>>()
    };
    let pairs: Vec<(f64, f64)> = at(method, None)
        .into_iter()
        .filter_map(|r| Some((of(r), of(at(BASE, Some(r.seed)).first()?))))
        .collect();
    Mean::of_differences(&pairs)
}

fn marked(mean: Option<Mean>, decimals: usize) -> String {
    mean.map_or("–".into(), |m| {
        let mark = if m.differs_from_zero() { " *" } else { "" };
        format!("{}{mark}", m.text(decimals))
    })
}

impl Paper {
    /// Writes the tables of all variants to `mnist-frobenius.md`, and returns that text.
    ///
    /// # Errors
    /// When the files do not fit or cannot be written.
    pub(crate) fn table(&self) -> Result<String> {
        let results = self.results()?;
        let all: Vec<&FrobeniusRow> = results.rows().iter().collect();
        let mut text = format!(
            "‖H‖²_F by {} Gaussian products on the first {} training examples. Mean ± standard error \
             over seeds; differences are to {BASE} with the same seed, and those marked * exceed twice \
             their standard error.\n",
            self.args.hessian_probes, self.args.hessian_examples,
        );
        for variant in names(&all, |r| &r.variant) {
            let rows: Vec<&FrobeniusRow> =
                all.iter().copied().filter(|r| r.variant == variant).collect();
            write!(
                text,
                "\n### Variant {variant}\n\n{}\n{}",
                self.last(&rows).markdown(),
                self.course(&rows).markdown()
            )?;
        }
        write_whole(&self.args.out.join(format!("{FILE}.md")), text.as_bytes())?;
        Ok(text)
    }

    /// The last epoch.
    fn last(&self, rows: &[&FrobeniusRow]) -> Table {
        let epoch = self.args.epochs;
        let mut table = Table::new([
            "method",
            &format!("‖H‖²_F, epoch {epoch}"),
            "difference",
            "loss of the epoch",
            "test loss",
            "test accuracy, %",
            "difference",
            "seeds",
        ]);
        for method in names(rows, |r| &r.method) {
            let of = |f: fn(&FrobeniusRow) -> f64, decimals: usize| {
                mean(rows, method, epoch, f).map_or("–".into(), |m| m.text(decimals))
            };
            let accuracy = |r: &FrobeniusRow| 100.0 * r.test_accuracy;
            let seeds = mean(rows, method, epoch, accuracy).map_or(0, |m| m.count);
            table.row([
                method.to_owned(),
                of(|r| r.frobenius_squared, 1),
                marked(difference(rows, method, epoch, |r| r.frobenius_squared), 1),
                of(|r| r.epoch_loss, 4),
                of(|r| r.test_loss, 4),
                of(accuracy, 2),
                marked(difference(rows, method, epoch, accuracy), 2),
                seeds.to_string(),
            ]);
        }
        table
    }

    /// ‖H‖²_F over the epochs.
    fn course(&self, rows: &[&FrobeniusRow]) -> Table {
        let methods = names(rows, |r| &r.method);
        let titles = methods.iter().map(|m| format!("‖H‖²_F, {m}"));
        let mut table = Table::new(std::iter::once("epoch".to_owned()).chain(titles));
        for epoch in 1..=self.args.epochs {
            let cells = methods.iter().map(|method| {
                mean(rows, method, epoch, |r| r.frobenius_squared)
                    .map_or("–".into(), |m| m.text(1))
            });
            table.row(std::iter::once(epoch.to_string()).chain(cells));
        }
        table
    }
}
