//! The examples that each answer one question: they run, and print the numbers that they promise.
//!
//! Alone: `cargo build --examples && cargo test --test suite small_examples`.
#![allow(clippy::unwrap_used, missing_docs)]

use crate::examples::example;
use std::process::Command;

/// What an example prints.
fn output(name: &str) -> String {
    let output = Command::new(example(name)).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name}: {}: {complaint}", output.status);
    assert!(!text.contains("NaN"), "{name}: {text}");
    text
}

/// The number behind the last occurrence of a text.
fn number(text: &str, before: &str) -> f64 {
    let (_, rest) = text.rsplit_once(before).unwrap();
    let end = rest.find(|c: char| c.is_whitespace() || c == ',').unwrap_or(rest.len());
    rest[..end].parse().unwrap()
}

#[test]
fn differences_come_near_the_exact_product_and_no_nearer() {
    let text = output("exact_hvp");
    let errors = text.lines().skip(2).map(|line| number(line, "  "));
    let least = errors.fold(f64::INFINITY, f64::min);
    // √ε to ε^⅔ of double precision is what central differences can reach.
    assert!((1e-13..1e-8).contains(&least), "{least}");
}

#[test]
fn newtons_method_ends_at_a_critical_point() {
    let text = output("newton_logistic");
    assert!(number(&text, "‖∇L‖ ") < 1e-14, "{text}");
}

#[test]
fn the_differential_equation_is_solved() {
    // A network of 305 parameters; sin πx is of size 1.
    assert!(number(&output("pinn"), "largest error ") < 1e-2);
}

#[test]
fn flat_minima_are_found_by_a_rule_and_by_a_measure_of_ones_own() {
    let text = output("own_sam_rule");
    // 4 is the least trace on x₀x₁ = 1; plain descent hardly moves along it.
    assert!(number(&text, "plain:   tr H = ") > 10.0, "{text}");
    assert!(number(&text, "box-sam: tr H = ") < 6.0, "{text}");
    let text = output("own_sharpness");
    // ½ √(16 + 2·16) ≈ 3.464 at x₀ = x₁ = 1.
    assert!((3.46..4.0).contains(&number(&text, "S = ")), "{text}");
}

#[test]
fn networks_are_trained_with_parts_of_ones_own_and_judged() {
    let text = output("train_digits");
    assert!(number(&text, "accuracy ") > 0.95, "{text}");
    assert!(number(&output("own_optimizer"), "accuracy ") > 0.9);
    assert!(output("own_layer").contains("its gradient and Hessian are right"));
    let text = output("metrics");
    assert!(number(&text, "accuracy on even digits    ") > 0.9, "{text}");
    assert!(text.contains("labels by predictions"), "{text}");
}

#[test]
fn a_spectrum_a_check_and_a_profile_are_printed() {
    let text = output("model_spectrum");
    assert!(text.contains("1210 parameters") && text.matches("λ = ").count() == 4, "{text}");
    let text = output("hessian_check");
    let wrong = "∂²f/∂x[2]∂x[0] of the Hessian: expected -0.1377";
    assert!(text.contains("the product by hand is right") && text.contains(wrong), "{text}");
    assert!(output("profile_program").matches("product 256 × 64 × 128").count() == 2);
}
