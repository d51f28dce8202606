//! The study's tables, from its files alone.

use crate::grid::{Candidate, StudyMethod};
use crate::run::RunRow;
use crate::study::{Study, TABLE, TIMES};
use crate::time::TimeRow;
use anyhow::{Result, bail};
use burlap::cli::results::Results;
use burlap::report::{Mean, Table, write_whole};
use std::fmt::Write;

impl Study {
    /// Writes the tables of the runs to `study.md`, and returns that text.
    ///
    /// # Errors
    /// When there are no runs, or the files do not fit.
    pub(crate) fn table(&self) -> Result<String> {
        let runs = self.runs()?;
        if runs.rows().is_empty() {
            bail!("study-run.csv has no runs yet; run `study run` first");
        }
        let mut text = format!(
            "Mean ± standard error over seeds. Differences are to {} with the same seed; those \
             marked * exceed twice their standard error. H is the Hessian of the training loss.\n",
            self.methods[0].name
        );
        for &noise in &self.args.label_noise {
            self.of_noise(runs.rows(), noise, &mut text)?;
        }
        let times = self.file(TIMES);
        if times.exists() {
            let mut table = Table::new(["method", "ms a step", "ratio"]);
            for row in Results::<TimeRow>::read(&times)? {
                let ratio = format!("{:.2}", row.ratio);
                table.row([row.method, format!("{:.3}", row.milliseconds), ratio]);
            }
            write!(text, "\n### Cost\n\n{}", table.markdown())?;
        }
        write_whole(&self.file(TABLE), text.as_bytes())?;
        Ok(text)
    }

    fn of_noise(&self, rows: &[RunRow], noise: f64, text: &mut String) -> Result<()> {
        let rows: Vec<&RunRow> = rows.iter().filter(|r| r.label_noise == noise).collect();
        let mut table = Table::new([
            "method",
            "lr",
            "strength",
            "test accuracy, %",
            "difference",
            "test loss",
            "train loss",
            "tr H",
            "‖H‖_F",
            "difference",
            "λ_max",
            "seeds",
        ]);
        let mut edges = Vec::new();
        let mut diverged = Vec::new();
        for &method in &self.methods {
            let own: Vec<&RunRow> =
                rows.iter().copied().filter(|r| r.method == method.name).collect();
            let Some(first) = own.first() else { continue };
            let chosen = Candidate { lr: first.lr, rho: first.rho, lambda: first.lambda };
            edges.extend(edge(method, &chosen));
            let failed = own.iter().filter(|r| r.test_accuracy.is_none()).count();
            if failed > 0 {
                diverged.push(format!("{} of {} runs of {}", failed, own.len(), method.name));
            }
            let mean = |of: fn(&RunRow) -> Option<f64>, factor: f64, decimals: usize| {
                let values: Vec<f64> = own.iter().filter_map(|r| of(r)).collect();
                Mean::of(&values).map_or("–".into(), |m| m.times(factor).text(decimals))
            };
            table.row([
                method.name.to_owned(),
                chosen.lr.to_string(),
                chosen.strength(),
                mean(|r| r.test_accuracy, 100.0, 2),
                self.difference(&rows, &own, |r| r.test_accuracy, 100.0),
                mean(|r| r.test_loss, 1.0, 4),
                mean(|r| r.train_loss, 1.0, 4),
                mean(|r| r.trace, 1.0, 1),
                mean(|r| r.frobenius, 1.0, 2),
                self.difference(&rows, &own, |r| r.frobenius, 1.0),
                mean(|r| r.lambda_max, 1.0, 2),
                own.len().to_string(),
            ]);
        }
        write!(
            text,
            "\n### {} % of the training labels flipped\n\n{}",
            100.0 * noise,
            table.markdown()
        )?;
        if !edges.is_empty() {
            write!(text, "\nAt the edge of its grid: {}.\n", edges.join("; "))?;
        }
        if !diverged.is_empty() {
            write!(text, "\nDiverged: {}.\n", diverged.join("; "))?;
        }
        Ok(())
    }

    /// The difference to the first method, paired by seed, in units of 1/`factor`.
    fn difference(
        &self,
        rows: &[&RunRow],
        own: &[&RunRow],
        of: fn(&RunRow) -> Option<f64>,
        factor: f64,
    ) -> String {
        let base = self.methods[0].name;
        if own.iter().all(|r| r.method == base) {
            return "–".into();
        }
        let pairs: Vec<(f64, f64)> = own
            .iter()
            .filter_map(|r| {
                let partner = rows.iter().find(|b| b.method == base && b.seed == r.seed)?;
                of(r).zip(of(partner))
            })
            .collect();
        Mean::of_differences(&pairs).map_or("–".into(), |m| {
            let mark = if m.differs_from_zero() { " *" } else { "" };
            format!("{}{mark}", m.times(factor).text(2))
        })
    }
}

fn edge(method: &StudyMethod, chosen: &Candidate) -> Option<String> {
    let at = method.at_edge(chosen);
    (!at.is_empty()).then(|| format!("{} ({})", method.name, at.join(", ")))
}
