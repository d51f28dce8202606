//! A report as one page of HTML that needs nothing else.

use super::files::write_whole;
use super::plot::{GRID, INK, MUTED, PAPER, Picture};
use super::{Result, Table};
use std::path::Path;

/// A page in the making: headings, texts, tables and pictures, in order.
///
/// ```
/// use burlap::report::Report;
/// let mut report = Report::new("Runs of <today>");
/// report.heading("Settings");
/// report.text("One run.");
/// assert!(report.html().contains("<h1>Runs of &lt;today&gt;</h1>"));
/// ```
#[derive(Clone, Debug)]
pub struct Report {
    title: String,
    body: String,
    figures: usize,
}

/// Pages adapt to narrow screens and dark surroundings; pictures are recoloured by what they are
/// drawn with.
fn style() -> String {
    let hex = |(r, g, b): (u8, u8, u8)| format!("#{r:02X}{g:02X}{b:02X}");
    let recoloured: String = [(INK, "ink"), (MUTED, "muted"), (GRID, "grid"), (PAPER, "paper")]
        .map(|(colour, name)| {
            let hex = hex(colour);
            format!("svg [fill=\"{hex}\"]{{fill:var(--{name})}}svg [stroke=\"{hex}\"]{{stroke:var(--{name})}}\n")
        })
        .concat();
    format!(
        ":root{{color-scheme:light dark;--paper:#fff;--ink:#222;--muted:#666;--grid:#e2e2e3}}\n\
         @media(prefers-color-scheme:dark){{:root{{--paper:#16181c;--ink:#e4e4e4;--muted:#a5a7ab;--grid:#33363c}}}}\n\
         body{{margin:0 auto;padding:1rem;max-width:70rem;background:var(--paper);color:var(--ink);\
         font:1rem/1.5 system-ui,sans-serif}}\n\
         h1{{font-size:1.5rem}}h2{{font-size:1.2rem;margin-top:2rem}}\n\
         .wide{{overflow-x:auto}}table{{border-collapse:collapse;font-variant-numeric:tabular-nums}}\n\
         th,td{{padding:.25rem .6rem;border-bottom:1px solid var(--grid);text-align:right;white-space:nowrap}}\n\
         th:first-child,td:first-child{{text-align:left}}\n\
         figure{{margin:1rem 0}}figcaption{{color:var(--muted);font-size:.9rem}}\n\
         .parts{{display:grid;gap:.5rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr))}}\n\
         svg{{width:100%;height:auto}}\n{recoloured}"
    )
}

impl Report {
    /// A page with a title.
    pub fn new(title: &str) -> Report {
        Report { title: title.to_owned(), body: String::new(), figures: 0 }
    }

    /// A heading.
    pub fn heading(&mut self, text: &str) {
        self.body += &format!("<h2>{}</h2>\n", escaped(text));
    }

    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        self.body += &format!("<p>{}</p>\n", escaped(text));
    }

    /// A table.
    pub fn table(&mut self, table: &Table) {
        self.body += &format!("<div class=\"wide\">{}</div>\n", table.html());
    }

    /// A picture, its charts side by side where there is room, with a caption.
    ///
    /// # Errors
    /// What drawing reports.
    pub fn figure(&mut self, picture: &Picture, caption: &str) -> Result<()> {
        self.figures += 1;
        self.body += "<figure><div class=\"parts\">\n";
        for part in picture.parts() {
            self.body += &part.svg()?;
        }
        let number = self.figures;
        self.body += &format!(
            "</div><figcaption>Figure {number}. {}. {}</figcaption></figure>\n",
            escaped(picture.title()),
            escaped(caption)
        );
        Ok(())
    }

    /// The whole page.
    #[must_use]
    pub fn html(&self) -> String {
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}</title>\n\
             <style>\n{}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{}</body>\n</html>\n",
            style(),
            self.body,
            title = escaped(&self.title),
        )
    }

    /// Writes the page: it is there whole or not at all.
    ///
    /// # Errors
    /// What writing reports.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_whole(path, self.html().as_bytes())
    }
}

/// A text with the letters that mean something in HTML and XML as references.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not a character of XML.
            c if c.is_control() && !matches!(c, '\n' | '\t' | '\r') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
