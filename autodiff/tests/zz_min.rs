#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
use burlap_autodiff::*;
fn go(name: &str, f: impl Fn(&Tape, Var, Var) -> Vec<Var>) {
    if std::env::var("ONLY").is_ok_and(|o| o != name) {
        return;
    }
    let tape = Tape::new();
    let d = tape.input("d", DType::F64, [0]);
    let x = tape.input("x", DType::F64, [2, 2]);
    let p = tape.compile(&Cpu::with_threads(1).unwrap(), &f(&tape, d, x)).unwrap();
    if std::env::var("ONLY").is_ok() {
        println!("{}", p.explain());
    }
    let out =
        p.run(&[&Array::zeros(DType::F64, [0]), &Array::full(DType::F64, [2, 2], 1.5)]).unwrap();
    println!("{name} {out:?}");
}
#[test]
fn a() {
    go("a", |_, d, _| vec![d.sum()])
}
#[test]
fn b() {
    go("b", |_, d, _| vec![(d * 2.0).sum()])
}
#[test]
fn c() {
    go("c", |_, d, x| vec![(d * 2.0).sum() + (x * x).sum()])
}
#[test]
fn d() {
    go("d", |t, d, x| {
        let l = t.literal(&Array::zeros(DType::F64, [0]));
        vec![(d * l).sum() + (x * x).sum()]
    })
}
#[test]
fn e() {
    go("e", |t, d, x| {
        let l = t.literal(&Array::zeros(DType::F64, [0]));
        let f = (d * l).sum() + (x * x).sum();
        let f = f + (0.7 * f).sin();
        vec![f, f.grad(x), f.hvp(x, x)]
    })
}
#[test]
fn f() {
    go("f", |t, _, x| {
        let f = (x.sum_axes(&[1]).broadcast_axes([2, 2], &[0]) * x).sum();
        vec![f, f.grad(x), f.hvp(x, x), t.zeros(DType::F64, [0])]
    })
}
#[test]
fn g() {
    go("g", |t, _, _| vec![t.zeros(DType::F64, [0])])
}
#[test]
fn h() {
    go("h", |_, d, _| vec![d * 2.0])
}
#[test]
fn i() {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, [2, 2]);
    let key = tape.input("key", DType::U32, [2]);
    let f = x.sum_axes(&[1]).broadcast_axes([2, 2], &[0]).sum();
    let f = f + (key.cast(DType::F64) * (1.0 / 7.0)).sum();
    let f = f + 0.5 * (0.7 * f).sin();
    let p = tape
        .compile(&Cpu::with_threads(1).unwrap(), &[f, f.grad(x), tape.zeros(DType::F64, [0])])
        .unwrap();
    let (a, b) = (Array::full(DType::F64, [2, 2], 1.5), Array::vector([1u32, 2]));
    println!("run {:?}", p.run(&[&a, &b]));
    println!("{}", p.explain());
    for k in 1..=2 {
        println!("bind {k}");
        let all = [&a, &b];
        let s = p.bind(&all[..k]).unwrap();
        println!("bound");
        println!("run {:?}", s.run(&all[k..]));
    }
}
