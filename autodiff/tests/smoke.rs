#![allow(clippy::unwrap_used, missing_docs)]
use burlap_autodiff::*;

#[test]
fn mlp() {
    let tape = Tape::new();
    let d = 64 * 32 + 32 + 32 * 10 + 10;
    let w = tape.input("w", DType::F32, [d]);
    let x = tape.input("x", DType::F32, [128, 64]);
    let y = tape.input("y", DType::U32, [128]);
    let v = tape.input("v", DType::F32, [d]);
    let mut o = 0;
    let mut take = |n: usize| {
        o += n;
        w.slice_axis(0, o - n, o)
    };
    let w1 = take(64 * 32).reshape([32, 64]);
    let b1 = take(32);
    let w2 = take(320).reshape([10, 32]);
    let b2 = take(10);
    let h = (x.matmul(w1.t()) + b1).relu();
    let l = h.matmul(w2.t()) + b2;
    let loss = -(l.log_softmax(1) * y.one_hot(10, DType::F32)).sum() / 128.0;
    let p = loss.value_grad_hvp(w, v);
    let outs = [p.value, p.grad, p.hvp];
    let cpu = tape.compile(&Cpu::with_threads(2).unwrap(), &outs).unwrap();
    println!("{}", cpu.explain());
    let int = tape.compile(&Interpreter, &outs).unwrap();
    let r = |n: usize, s: f64| -> Vec<f32> { (0..n).map(|i| ((i as f64 * s).sin() * 0.3) as f32).collect() };
    let a = Array::vector(r(d, 1.7));
    let b = Array::from_vec([128, 64], r(128 * 64, 0.9)).unwrap();
    let c = Array::vector((0..128).map(|i| i % 10).collect::<Vec<u32>>());
    let e = Array::vector(r(d, 2.3));
    let o1 = cpu.run(&[&a, &b, &c, &e]).unwrap();
    let o2 = int.run(&[&a, &b, &c, &e]).unwrap();
    for (a, b) in o1.iter().zip(&o2) {
        let (a, b) = (a.to_f64_vec(), b.to_f64_vec());
        let num: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt();
        let den: f64 = b.iter().map(|b| b * b).sum::<f64>().sqrt();
        println!("{num} {den}");
        assert!(num < 1e-5 * den);
    }
}
