//! Pictures are well-formed, draw all that is given and nothing that is not a number, and keep
//! their texts apart and within their borders.

use burlap::report::{Axis, Chart, Field, Levels, Picture};
use std::path::Path;

fn bowl(n: usize, f: impl Fn(f64, f64) -> f64) -> Field {
    let at: Vec<f64> = (0..n).map(|i| 2.0 * i as f64 / (n - 1) as f64 - 1.0).collect();
    let values = at.iter().flat_map(|&y| at.iter().map(move |&x| (x, y)));
    Field::new(at.clone(), at.clone(), values.map(|(x, y)| f(x, y)).collect()).unwrap()
}

/// Every kind of chart, with hostile names and numbers.
fn gallery() -> Picture {
    let curve = |k: f64| (0..60).map(move |i| (f64::from(i), (-k * f64::from(i)).exp() * 3.0));
    let mut lines =
        Chart::new("lines with bands", Axis::count("epoch"), Axis::log("training loss"));
    for (k, name) in ["sgd", "sam & friends", "<b>frob-sam</b>"].iter().enumerate() {
        let k = 0.05 * (k + 1) as f64;
        lines = lines.band(name, curve(k).map(|(x, y)| (x, 0.7 * y, 1.4 * y))).line(name, curve(k));
    }
    let normal = |c: f64| {
        let at = (-80..=80).map(|i| f64::from(i) / 10.0);
        at.map(move |x| (x, (-(x - c) * (x - c) / 2.0).exp() + 1e-6 / (1.0 + x * x)))
    };
    let density =
        Chart::new("densities with marks", Axis::linear("eigenvalue λ"), Axis::log("density"))
            .density("sgd", normal(0.0))
            .rule("sgd", -4.2, "λ_min = −4.20")
            .rule("sgd", 3.9, "λ_max = 3.90")
            .rule("sam & friends", 4.1, "λ_max = 4.10");
    let scatter = Chart::new("scatter", Axis::log("‖H‖_F"), Axis::linear("test accuracy"))
        .scatter("run", (0..30).map(|i| (10f64.powi(i % 5), 0.9 + 0.001 * f64::from(i))))
        .scatter("other run", (0..30).map(|i| (3.0 + f64::from(i), 0.93)));
    let field = bowl(31, |x, y| 0.02 + x * x + 3.0 * y * y * (1.0 + 0.5 * x));
    let holed = bowl(31, |x, y| if x + y > 1.2 { f64::NAN } else { 0.1 + (x * y - 0.2).powi(2) });
    let levels = Levels::spanning([&field, &holed], true, 13);
    let heat = |field: &Field, name: &str| {
        Chart::new(name, Axis::linear("direction 1"), Axis::linear("direction 2"))
            .heat(field.clone(), levels.clone())
    };
    Picture::new("Every kind of chart")
        .chart(heat(&field, "a bowl"))
        .chart(heat(&holed, "a field with a gap"))
        .chart(lines)
        .chart(density)
        .chart(scatter)
        .chart(Chart::new("", Axis::linear("x"), Axis::log("y")).line("none", [(0.0, -1.0)]))
        .colour_bar("loss")
}

#[test]
fn files_are_written_and_well_formed() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
    let [svg, png] = gallery().write(&folder, "gallery").unwrap();
    let text = std::fs::read_to_string(&svg).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    assert_eq!(document.root_element().tag_name().name(), "svg");
    assert!(!text.contains("NaN") && !text.contains("inf"), "numbers only");
    let bytes = std::fs::read(&png).unwrap();
    let reader = png::Decoder::new(&bytes[..]).read_info().unwrap();
    assert!(reader.info().width > 1000);
    let left = std::fs::read_dir(&folder).unwrap().count();
    assert_eq!(left, 2, "no temporary file remains");
}

#[test]
fn lines_that_coincide_are_all_to_be_seen() {
    let points = [(0.0, 0.0), (1.0, 1.0)];
    let chart = Chart::new("", Axis::linear("x"), Axis::linear("y"))
        .line("a", points)
        .line("b", points)
        .line("c", points.map(|(x, y)| (x, 1.0 - y)));
    let svg = Picture::new("").chart(chart).svg().unwrap();
    let lines = |colour: &str| svg.matches(&format!("stroke=\"{colour}\"")).count();
    // Each once in the legend; the second in dashes over the first.
    assert_eq!((lines("#0072B2"), lines("#009E73")), (2, 2));
    assert!(lines("#D55E00") > 10, "{}", lines("#D55E00"));
}
