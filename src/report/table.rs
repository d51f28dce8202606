//! Tables of text: aligned in a terminal, as HTML, as Markdown.

use super::page::escaped;
use std::fmt;

/// A heading and rows of cells; cells that are missing are empty. `Display` aligns the columns for a
/// terminal, the first to the left and the others to the right.
///
/// ```
/// use burlap::report::Table;
/// let mut table = Table::new(["method", "λ_max"]);
/// table.row(["sgd", "2.393"]);
/// table.row(["logdet-sam", "1.006"]);
/// assert_eq!(table.to_string(), "method      λ_max\nsgd         2.393\nlogdet-sam  1.006\n");
/// assert!(table.markdown().ends_with("| logdet-sam | 1.006 |\n"));
/// assert!(table.html().contains("<td>2.393</td>"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table of these columns.
    pub fn new<S: Into<String>>(heading: impl IntoIterator<Item = S>) -> Table {
        Table { heading: heading.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Appends a row.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.heading.len(), String::new());
        self.rows.push(cells);
    }

    /// The table in Markdown; all columns but the first are aligned to the right.
    #[must_use]
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| {
            let cells = cells.iter().map(|c| format!(" {} |", c.replace('|', "\\|")));
            format!("|{}\n", cells.collect::<String>())
        };
        let rule = (0..self.heading.len()).map(|i| if i == 0 { " --- |" } else { " ---: |" });
        let rule = format!("|{}\n", rule.collect::<String>());
        let rows: String = self.rows.iter().map(|row| line(row)).collect();
        format!("{}{rule}{rows}", line(&self.heading))
    }

    /// The table as an element of HTML.
    #[must_use]
    pub fn html(&self) -> String {
        let line = |cells: &[String], tag: &str| {
            let cells = cells.iter().map(|c| format!("<{tag}>{}</{tag}>", escaped(c)));
            format!("<tr>{}</tr>\n", cells.collect::<String>())
        };
        let body: String = self.rows.iter().map(|r| line(r, "td")).collect();
        format!(
            "<table>\n<thead>{}</thead>\n<tbody>\n{body}</tbody>\n</table>\n",
            line(&self.heading, "th")
        )
    }
}

/// Columns as wide as they must be, the first to the left and the others to the right.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = || std::iter::once(&self.heading).chain(&self.rows);
        let widths: Vec<usize> = (0..self.heading.len())
            .map(|k| all().map(|row| row[k].chars().count()).max().unwrap_or(0))
            .collect();
        for row in all() {
            let mut line = String::new();
            for (k, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let padding = " ".repeat(width - cell.chars().count());
                line += &match k {
                    0 => format!("{cell}{padding}"),
                    _ => format!("  {padding}{cell}"),
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_letters_and_html_is_escaped() {
        let mut table = Table::new(["λ", "value"]);
        table.row(["‖H‖_F <b>", "1"]);
        table.row(["x"]);
        assert_eq!(table.to_string(), "λ          value\n‖H‖_F <b>      1\nx\n");
        assert!(table.html().contains("<td>‖H‖_F &lt;b&gt;</td><td>1</td>"));
    }
}
