//! docs/conventions.md says what is computed: first and second derivatives at kinks, poles and
//! ties, beside those of PyTorch and JAX (docs/conventions-peers.csv, by benches/conventions.py).

use burlap_autodiff::{Array, Cpu, DType, Interpreter, Tape, Var};

const INF: f64 = f64::INFINITY;

/// The vector [x, value].
fn pair(x: Var, value: f64) -> Var {
    x.reshape([1]).join(&[x.constant_like(value).reshape([1])], 0)
}

fn data(x: Var, value: f64) -> Var {
    x.literal(&Array::scalar(value))
}

type Case = (&'static str, f64, fn(Var) -> Var);

/// In the order of the table.
const CASES: [Case; 41] = [
    ("abs", 0.0, |x| x.abs()),
    ("abs squared", 0.0, |x| x.abs().square()),
    ("sign", 0.0, |x| x.sign()),
    ("floor", 1.0, |x| x.floor()),
    ("relu", 0.0, |x| x.relu()),
    ("leaky_relu(0.1)", 0.0, |x| x.leaky_relu(0.1)),
    ("elu", 0.0, |x| x.elu()),
    ("max(x, 0)", 0.0, |x| x.max(0.0)),
    ("min(x, 0)", 0.0, |x| x.min(0.0)),
    ("max over [x, 0]", 0.0, |x| pair(x, 0.0).max_all()),
    ("clamp(0, 1)", 0.0, |x| x.clamp(0.0, 1.0)),
    ("clamp(0, 1)", 1.0, |x| x.clamp(0.0, 1.0)),
    ("sqrt", 0.0, |x| x.sqrt()),
    ("sqrt squared", 0.0, |x| x.sqrt().square()),
    ("rsqrt", 0.0, |x| x.rsqrt()),
    ("recip", 0.0, |x| x.recip()),
    ("log", 0.0, |x| x.log()),
    ("log1p", -1.0, |x| x.log1p()),
    ("norm of [x, 0]", 0.0, |x| pair(x, 0.0).norm()),
    ("norm of [x, 0], squared", 0.0, |x| pair(x, 0.0).norm().square()),
    ("hypot(x, 0)", 0.0, |x| x.hypot(x.constant_like(0.0))),
    ("x^b, b = 0 as data", 0.0, |x| x.pow(data(x, 0.0))),
    ("x^b, b = 1 as data", 0.0, |x| x.pow(data(x, 1.0))),
    ("x^b, b = 2 as data", 0.0, |x| x.pow(data(x, 2.0))),
    ("0^x", 0.0, |x| x.constant_like(0.0).pow(x)),
    ("0^x", 1.0, |x| x.constant_like(0.0).pow(x)),
    ("x log x by xlogy", 0.0, |x| x.xlogy(x)),
    ("log Σ exp [x, −∞]", -INF, |x| pair(x, -INF).logsumexp(&[0])),
    ("softmax of [x, −∞], first", -INF, |x| pair(x, -INF).softmax(0).at(0)),
    ("log softmax of [x, −∞], first", -INF, |x| pair(x, -INF).log_softmax(0).at(0)),
    ("x ≤ 0 ? eˣ : 1 + x", 1000.0, |x| x.le(0.0).select(x.exp(), 1.0 + x)),
    ("x = 0 ? 1 : sin x / x", 0.0, |x| x.equal(0.0).select(1.0, x.sin() / x)),
    ("product of [x, 0, 0]", 0.0, |x| {
        pair(x, 0.0).join(&[pair(x, 0.0).slice_axis(0, 1, 2)], 0).prod()
    }),
    ("logaddexp(x, 0)", 0.0, |x| x.logaddexp(0.0)),
    ("logaddexp(x, −∞)", -INF, |x| x.logaddexp(-INF)),
    ("max(x, 0) + log(1 + e^−|x|)", 0.0, |x| x.relu() + (-x.abs()).exp().log1p()),
    ("atan2(x, 0)", 0.0, |x| x.atan2(0.0)),
    ("asin", 1.0, |x| x.asin()),
    ("acos", 1.0, |x| x.acos()),
    ("acosh", 1.0, |x| x.acosh()),
    ("atanh", 1.0, |x| x.atanh()),
];

/// Four significant digits.
fn text(x: f64) -> String {
    match x {
        x if x.is_nan() => "NaN".into(),
        INF => "∞".into(),
        x if x == -INF => "−∞".into(),
        x => format!("{}", (x * 1e4).round() / 1e4 + 0.0).replace('-', "−"),
    }
}

/// First derivative, and the second by two nestings, which must agree.
fn derivatives(name: &str, f: fn(Var) -> Var, at: f64) -> String {
    let tape = Tape::new();
    let x = tape.input("x", DType::F64, ());
    let y = f(x);
    let one = x.constant_like(1.0);
    let outputs = [y.grad(x), y.hvp(x, one), y.grad(x).grad(x), y.jvp(x, one)];
    let mut found: Option<String> = None;
    for program in [tape.compile(&Cpu::new(), &outputs), tape.compile(&Interpreter, &outputs)] {
        let out = program.unwrap().run(&[&Array::scalar(at)]).unwrap();
        let texts: Vec<String> = out.iter().map(|y| text(y.item().unwrap())).collect();
        assert_eq!(texts[1], texts[2], "{name}: second derivatives");
        assert_eq!(texts[0], texts[3], "{name}: first derivatives");
        let both = format!("{}, {}", texts[0], texts[1]);
        assert_eq!(found.get_or_insert(both.clone()), &both, "{name}: backends");
    }
    found.unwrap()
}

#[test]
fn the_page_says_what_is_computed() {
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/");
    let peers = std::fs::read_to_string(format!("{docs}conventions-peers.csv")).unwrap();
    let peers: Vec<Vec<&str>> = peers.lines().map(|line| line.split(';').collect()).collect();
    assert_eq!(peers.len(), 1 + CASES.len());
    let mut table = format!(
        "| function | at | burlap | {} | {} |\n|---|---|---|---|---|\n",
        peers[0][2], peers[0][3]
    );
    for ((name, at, f), peer) in CASES.into_iter().zip(&peers[1..]) {
        assert_eq!((peer[0], peer[1]), (name, text(at).as_str()));
        let (own, shown) = (derivatives(name, f, at), name.replace('|', "\\|"));
        table += &format!("| {shown} | {} | {own} | {} | {} |\n", peer[1], peer[2], peer[3]);
    }
    let page = std::fs::read_to_string(format!("{docs}conventions.md")).unwrap();
    assert!(page.contains(&table), "docs/conventions.md does not have this table:\n{table}");
}
