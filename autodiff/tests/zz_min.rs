#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
use burlap_autodiff::*;
fn both(f: impl Fn(Var, Var) -> Vec<Var>) {
    let tape = Tape::new();
    let a = tape.input("x", DType::F64, [2, 3]);
    let b = tape.input("v", DType::F64, [3, 2]);
    let outs = f(a, b);
    let x0 = Array::from_vec([2,3], vec![1.,2.,3.,4.,5.,6.]).unwrap();
    let v0 = Array::from_vec([3,2], vec![1.,0.,0.,2.,0.,1.]).unwrap();
    for (n, b) in [("i", &Interpreter as &dyn Backend), ("c", &Cpu::with_threads(1).unwrap())] {
        let p = tape.compile(b, &outs).unwrap();
        for (k, o) in p.run(&[&x0, &v0]).unwrap().iter().enumerate() { println!("{n} {k} {:?}", o.to_f64_vec()); }
    }
}
#[test] fn a() { println!("matmul twice"); both(|a, b| { let t = a.matmul(b).t(); vec![t, t] }) }
#[test] fn b() { println!("elementwise transposed twice"); both(|a, _| { let t = a.sin().t(); vec![t, t] }) }
#[test] fn c() { println!("elementwise and transposed"); both(|a, _| { let t = a.exp(); vec![t.t(), t] }) }
#[test] fn d() { println!("transposed and used"); both(|a, _| { let t = a.exp().t(); vec![t, t * 2.0] }) }
#[test] fn e() { println!("transposed and reshaped"); both(|a, _| { let t = a.exp().t(); vec![t, t.reshape([6])] }) }
