#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
use burlap_autodiff::testing::{RandomProgram, check_program, random_programs};
use burlap_autodiff::{Cpu, DType};
use std::process::Command;

fn kind(text: &str) -> String {
    text.split(':').next().unwrap_or("").chars().filter(|c| !c.is_ascii_digit()).take(44).collect()
}

fn run(seed: u64, i: usize, dtype: &str, gone: &str) -> Option<String> {
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env("CASE", format!("{seed};{i};{dtype};{gone}"))
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    if !out.status.success() && !text.contains("RESULT") {
        return Some(format!("CRASH {:?}", out.status));
    }
    let line = text.split("RESULT ").nth(1)?.split("\nENDRESULT").next()?.to_owned();
    if line.starts_with("ok") { None } else { Some(line) }
}

#[test]
fn child() {
    let Ok(case) = std::env::var("CASE") else { return };
    let parts: Vec<&str> = case.split(';').collect();
    let mut p: RandomProgram =
        random_programs(parts[1].parse::<usize>().unwrap() + 1, parts[0].parse().unwrap(), false)
            .pop()
            .unwrap();
    let mut gone: Vec<usize> =
        parts[3].split(',').filter(|s| !s.is_empty()).map(|s| s.parse().unwrap()).collect();
    gone.sort();
    gone.reverse();
    for g in gone {
        p.instructions.remove(g);
    }
    let dtype = if parts[2] == "f64" { DType::F64 } else { DType::F32 };
    if std::env::var("SHOW").is_ok() {
        println!("{p:?}\n{:?}", p.instructions);
    }
    let r = std::panic::catch_unwind(|| check_program(&Cpu::with_threads(1).unwrap(), &p, dtype));
    let text = match r {
        Ok(Ok(_)) => "ok".to_owned(),
        Ok(Err(e)) => e.to_string(),
        Err(_) => format!("PANIC: {p:?}"),
    };
    println!("RESULT {text}\nENDRESULT");
}

#[test]
fn hunt() {
    let Ok(n) = std::env::var("HUNT") else { return };
    let from: usize = std::env::var("FROM").ok().map_or(0, |s| s.parse().unwrap());
    let seed: u64 = std::env::var("SEED").ok().map_or(3, |s| s.parse().unwrap());
    let mut seen = std::collections::BTreeMap::<String, usize>::new();
    for i in from..n.parse().unwrap() {
        for dtype in ["f64", "f32"] {
            let Some(first) = run(seed, i, dtype, "") else { continue };
            let k = kind(&first);
            *seen.entry(k.clone()).or_default() += 1;
            if seen[&k] > 2 {
                continue;
            }
            let len = random_programs(i + 1, seed, false).pop().unwrap().instructions.len();
            let mut gone: Vec<usize> = vec![];
            for g in (0..len).rev() {
                let mut trial = gone.clone();
                trial.push(g);
                if trial.len() == len {
                    break;
                }
                let text: Vec<String> = trial.iter().map(|g| g.to_string()).collect();
                if run(seed, i, dtype, &text.join(",")).is_some_and(|t| kind(&t) == k) {
                    gone = trial;
                }
            }
            let text: Vec<String> = gone.iter().map(|g| g.to_string()).collect();
            let text = text.join(",");
            let last = run(seed, i, dtype, &text).unwrap_or_default();
            println!(
                "=== program {i} {dtype} gone {text}\n{}",
                last.chars().take(2500).collect::<String>()
            );
            if last.starts_with("CRASH") || last.starts_with("PANIC") {
                let out = Command::new(std::env::current_exe().unwrap())
                    .args(["child", "--exact", "--nocapture"])
                    .env("CASE", format!("{seed};{i};{dtype};{text}"))
                    .env("SHOW", "1")
                    .output()
                    .unwrap();
                println!(
                    "{}{}",
                    String::from_utf8_lossy(&out.stdout),
                    String::from_utf8_lossy(&out.stderr).chars().take(700).collect::<String>()
                );
            }
        }
    }
    println!("{seen:?}");
}
