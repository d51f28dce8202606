//! Every primitive, with every choice of batched operands.

use super::{bits, close};
use burlap_autodiff::{
    Array, Backend, Binary, Compare, Contraction, Cpu, DType, Interpreter, Op, Padding, Tape,
    Unary, Var, vmap,
};

/// An operand of a primitive: element type, shape, and what the numbers lie below.
#[derive(Clone, Copy)]
enum Operand {
    Real(&'static [usize]),
    Integer(&'static [usize], u32),
    Mask(&'static [usize]),
}

use Operand::{Integer, Mask, Real};

impl Operand {
    fn dtype(self, real: DType) -> DType {
        match self {
            Real(_) => real,
            Integer(..) => DType::U32,
            Mask(_) => DType::Bool,
        }
    }

    /// Numbers of a shape that begins with the leading axis, if any.
    fn array(self, lead: Option<usize>, number: usize, real: DType) -> Array {
        let (Real(own) | Integer(own, _) | Mask(own)) = self;
        let shape: Vec<usize> = lead.into_iter().chain(own.iter().copied()).collect();
        let golden = |i: usize| (0.137 + (i + 17 * number) as f64 * 0.618_033_988_749_895).fract();
        let values: Vec<f64> = (0..shape.iter().product())
            .map(|i| match self {
                // Positive, so that every function is defined, and coarse, so that there are ties.
                Real(_) => 0.25 + (golden(i) * 64.0).floor() / 32.0,
                Integer(_, below) => (golden(i) * f64::from(below)).floor(),
                Mask(_) => f64::from(u8::from(golden(i) < 0.5)),
            })
            .collect();
        Array::from_f64(self.dtype(real), shape, &values).unwrap()
    }
}

/// A use of a primitive.
struct Case {
    operands: Vec<Operand>,
    f: fn(&[Var]) -> Var,
}

fn case(operands: &[Operand], f: fn(&[Var]) -> Var) -> Case {
    Case { operands: operands.to_vec(), f }
}

fn unary(f: Unary) -> Vec<Case> {
    macro_rules! each {
        ($($variant:ident $method:ident),*; $($scaled:ident $of:ident $scale:literal,)*) => {
            match f {
                $(Unary::$variant => vec![
                    case(&[Real(&[2, 3])], |a| a[0].$method()),
                    case(&[Real(&[])], |a| a[0].$method()),
                ],)*
                // Brought into the domain.
                $(Unary::$scaled => vec![case(&[Real(&[2, 3])], |a| (a[0] * $scale).$of())],)*
            }
        };
    }
    each!(
        Neg negated, Abs abs, Sign sign, Exp exp,
        ExpStrong exp_strong, Expm1 expm1, Log log, Log1p log1p, Sqrt sqrt,
        Root root,
        Rsqrt rsqrt, Recip recip, Sin sin, Cos cos, Atan atan, Tanh tanh, Sech2 sech2,
        Sigmoid sigmoid, Softplus softplus, Erf erf, Floor floor, CosAtan cos_atan, Sinh sinh,
        Cosh cosh, LogCosh log_cosh, Asinh asinh, Erfc erfc, Gaussian gaussian,
        NormalCdf normal_cdf, NormalPdf normal_pdf, Exp2 exp2, Log2 log2, Log10 log10;
        Asin asin 0.4, Acos acos 0.4, SecAsin sec_asin 0.4, Atanh atanh 0.4, Acosh acosh 4.0,
    )
}

fn binary(f: Binary) -> Vec<Case> {
    macro_rules! each {
        ($($variant:ident |$a:ident, $b:ident| $value:expr;)*) => {
            match f { $(Binary::$variant => {
                fn apply($a: Var, $b: Var) -> Var { $value }
                vec![
                    case(&[Real(&[2, 3]), Real(&[2, 3])], |a| apply(a[0], a[1])),
                    case(&[Real(&[2, 1, 3]), Real(&[4, 1])], |a| apply(a[0], a[1])),
                    case(&[Real(&[]), Real(&[3])], |a| apply(a[0], a[1])),
                    case(&[Real(&[2])], |a| apply(a[0], a[0].constant_like(1.5))),
                ]
            })* }
        };
    }
    each! {
        Add |a, b| a + b;
        Sub |a, b| a - b;
        Mul |a, b| a * b;
        StrongMul |a, b| a.strong_mul(b);
        StrongMulBoth |a, b| a.strong_mul_both(b);
        Div |a, b| a / b;
        Pow |a, b| a.pow(b);
        Max |a, b| a.max(b);
        Min |a, b| a.min(b);
        LogAddExp |a, b| a.logaddexp(b);
        Atan2 |a, b| a.atan2(b);
    }
}

fn compare(f: Compare) -> Vec<Case> {
    macro_rules! each {
        ($($variant:ident $method:ident,)*) => {
            match f { $(Compare::$variant => vec![
                case(&[Real(&[4, 3]), Real(&[3])], |a| a[0].$method(a[1])),
                case(&[Integer(&[4], 3), Integer(&[4], 3)], |a| a[0].$method(a[1])),
            ],)* }
        };
    }
    each!(Eq equal, Ne not_equal, Lt lt, Le le, Gt gt, Ge ge,)
}

fn structural(name: &str) -> Vec<Case> {
    match name {
        "select" => vec![
            case(&[Mask(&[2, 3]), Real(&[2, 3]), Real(&[3])], |a| a[0].select(a[1], a[2])),
            case(&[Mask(&[]), Integer(&[2], 9), Integer(&[], 9)], |a| a[0].select(a[1], a[2])),
        ],
        "cast" => vec![
            case(&[Real(&[2, 3])], |a| (a[0] * 2.0).cast(DType::U32)),
            case(&[Integer(&[4], 3)], |a| a[0].cast(DType::Bool)),
            case(&[Mask(&[])], |a| a[0].cast(DType::F32)),
        ],
        "stop_gradient" => vec![case(&[Real(&[2, 3])], |a| a[0].stop_gradient())],
        "sum" => vec![
            case(&[Real(&[2, 3, 2])], |a| a[0].sum_axes(&[2, 0])),
            case(&[Real(&[4])], |a| a[0].sum()),
            case(&[Integer(&[2, 3], 9)], |a| a[0].sum_axes(&[1])),
        ],
        "max_over" => vec![case(&[Real(&[2, 3, 2])], |a| a[0].max_axes(&[1]))],
        "min_over" => vec![case(&[Real(&[2, 3, 2])], |a| a[0].min_axes(&[0, 2]))],
        "argmax" => vec![
            case(&[Real(&[2, 5])], |a| a[0].argmax(1)),
            case(&[Integer(&[5, 2], 3)], |a| a[0].argmax(0)),
        ],
        "reshape" => vec![
            case(&[Real(&[2, 3])], |a| a[0].reshape([3, 1, 2])),
            case(&[Real(&[2, 3])], |a| a[0].t().reshape([6])),
            case(&[Mask(&[1])], |a| a[0].reshape(())),
        ],
        "broadcast" => vec![
            case(&[Real(&[3, 1])], |a| a[0].broadcast_to([2, 3, 4])),
            case(&[Integer(&[2], 9)], |a| a[0].broadcast_axes([3, 2, 2], &[1])),
            case(&[Real(&[])], |a| a[0].broadcast_to([2, 2])),
        ],
        "transpose" => vec![
            case(&[Real(&[2, 3])], |a| a[0].t()),
            case(&[Real(&[2, 3, 1, 2])], |a| a[0].transpose(&[3, 1, 0, 2])),
        ],
        "slice" => vec![
            case(&[Real(&[5])], |a| a[0].slice_steps(&[(1, 5, 2)])),
            case(&[Real(&[3, 4])], |a| a[0].slice_axis(1, 1, 3)),
            case(&[Real(&[3, 4])], |a| a[0].slice_axis(0, 2, 2)),
        ],
        "pad" => vec![case(&[Real(&[2, 2])], |a| {
            let ends = Padding { before: 2, between: 0, after: 1 };
            a[0].pad(&[Padding { before: 0, between: 1, after: 0 }, ends])
        })],
        "concat" => vec![
            case(&[Real(&[2, 3]), Real(&[2, 1]), Real(&[2, 2])], |a| a[0].join(&a[1..], 1)),
            case(&[Mask(&[2]), Mask(&[3])], |a| a[0].join(&a[1..], 0)),
        ],
        "flip" => vec![case(&[Real(&[2, 3, 2])], |a| a[0].flip(&[2, 0]))],
        "contract" => vec![
            case(&[Real(&[2, 3]), Real(&[3, 4])], |a| a[0].matmul(a[1])),
            case(&[Real(&[2, 3]), Real(&[4, 3])], |a| a[0].matmul(a[1].t())),
            case(&[Real(&[2, 3]), Real(&[3])], |a| a[0].matmul(a[1])),
            case(&[Real(&[3]), Real(&[3, 4])], |a| a[0].matmul(a[1])),
            case(&[Real(&[2, 3]), Real(&[5, 3, 4])], |a| a[0].matmul(a[1])),
            case(&[Real(&[5, 2, 3]), Real(&[5, 3, 4])], |a| a[0].matmul(a[1])),
            case(&[Real(&[2, 3, 2]), Real(&[2, 4, 2])], |a| a[0].einsum("bij,bkj->bik", a[1])),
            case(&[Real(&[2, 3, 2]), Real(&[2, 4, 5])], |a| a[0].einsum("abc,cde->eabd", a[1])),
            case(&[Real(&[2, 3]), Real(&[3, 4, 2])], |a| {
                a[0].contract(a[1], Contraction::pairing(&[], &[(0, 2), (1, 0)]))
            }),
            case(&[Real(&[4, 2, 3]), Real(&[3, 4, 2])], |a| {
                a[0].contract(a[1], Contraction::pairing(&[(2, 0), (0, 1)], &[(1, 2)]))
            }),
            case(&[Real(&[2, 3]), Real(&[4])], |a| {
                a[0].contract(a[1], Contraction::pairing(&[], &[]))
            }),
            case(&[Real(&[]), Real(&[])], |a| a[0].contract(a[1], Contraction::pairing(&[], &[]))),
        ],
        "gather" => vec![
            case(&[Real(&[4]), Integer(&[5], 4)], |a| a[0].gather(0, a[1])),
            case(&[Real(&[2, 3, 2]), Integer(&[2, 2], 3)], |a| a[0].gather(1, a[1])),
            case(&[Integer(&[2, 3], 9), Integer(&[], 3)], |a| a[0].gather(1, a[1])),
        ],
        "scatter_add" => vec![
            case(&[Real(&[4]), Integer(&[3], 4), Real(&[3])], |a| a[0].scatter_add(0, a[1], a[2])),
            case(&[Real(&[2, 4, 2]), Integer(&[3, 1], 4), Real(&[2, 3, 1, 2])], |a| {
                a[0].scatter_add(1, a[1], a[2])
            }),
        ],
        "take_along" => vec![
            case(&[Real(&[2, 3]), Integer(&[2, 4], 3)], |a| a[0].take_along(1, a[1])),
            case(&[Real(&[2, 3]), Integer(&[5, 3], 2)], |a| a[0].take_along(0, a[1])),
        ],
        // Recorded as the transpose of `take_along`.
        "scatter_along" => vec![case(&[Real(&[2, 3]), Integer(&[2, 4], 3), Real(&[2, 4])], |a| {
            a[0].take_along(1, a[1]).vjp(a[0], a[2])
        })],
        // Recorded by reverse sweeps that pass a checkpoint.
        "recompute" => {
            vec![case(&[Real(&[2, 3])], |a| a[0].checkpoint(|x| x.sin().exp()).sum().grad(a[0]))]
        }
        "uniform" => vec![case(&[Integer(&[2], 99)], |a| a[0].uniform(3, DType::F32, [2, 3]))],
        "normal" => vec![case(&[Integer(&[2], 99)], |a| a[0].normal(3, DType::F64, [5]))],
        "bits" => vec![case(&[Integer(&[2], 99)], |a| a[0].bits(3, ()))],
        _ => vec![],
    }
}

fn cases(name: &str) -> Vec<Case> {
    if let Some(f) = Unary::ALL.iter().find(|f| f.name() == name) {
        return unary(*f);
    }
    if let Some(f) = Binary::ALL.iter().find(|f| f.name() == name) {
        return binary(*f);
    }
    match Compare::ALL.iter().find(|f| f.name() == name) {
        Some(f) => compare(*f),
        None => structural(name),
    }
}

/// One output of shape `[k, …]` per function: by `vmap`, and by the loop.
fn vmapped_and_looped(
    case: &Case,
    batched: usize,
    k: usize,
    real: DType,
    backend: &dyn Backend,
) -> [Array; 2] {
    let tape = Tape::new();
    let is_batched = |i: usize| batched >> i & 1 == 1;
    let mut values = Vec::new();
    let mut over = Vec::new();
    let mut operands = Vec::new();
    for (i, operand) in case.operands.iter().enumerate() {
        let array = operand.array(is_batched(i).then_some(k), i, real);
        let x = tape.input(&format!("{i}"), array.dtype(), array.shape());
        if is_batched(i) {
            let (Real(own) | Integer(own, _) | Mask(own)) = *operand;
            // A stand-in that no program needs.
            let entry = tape.input(&format!("entry {i}"), array.dtype(), own);
            over.push((entry, x));
            operands.push(entry);
        } else {
            operands.push(x);
        }
        values.push((x, array));
    }
    let y = (case.f)(&operands);
    let all = vmap(&[y], &over)[0];
    let rows: Vec<Var> = (0..k)
        .map(|row| {
            let at = |(i, &x): (usize, &Var)| {
                let found = over.iter().find(|p| p.0.is_same(x)).map(|p| p.1.at(row));
                assert_eq!(found.is_some(), is_batched(i));
                found.unwrap_or(x)
            };
            (case.f)(&operands.iter().enumerate().map(at).collect::<Vec<_>>())
        })
        .collect();
    let mut shape = y.shape().to_vec();
    shape.insert(0, 0);
    let looped = match k {
        0 => tape.zeros(y.dtype(), shape),
        _ => tape.stack(&rows, 0),
    };
    let inputs: Vec<Var> = values.iter().map(|v| v.0).collect();
    let arrays: Vec<&Array> = values.iter().map(|v| &v.1).collect();
    // Two programs, so that nothing of the one helps the other.
    [all, looped]
        .map(|y| tape.compile_with(backend, &inputs, &[y]).unwrap().run(&arrays).unwrap().remove(0))
}

/// Whether a program of the case contains the primitive; none contains `stop_gradient`.
fn contains(case: &Case, name: &str) -> bool {
    let tape = Tape::new();
    let input = |(i, o): (usize, &Operand)| {
        let array = o.array(None, i, DType::F64);
        tape.input(&format!("{i}"), array.dtype(), array.shape())
    };
    let operands: Vec<Var> = case.operands.iter().enumerate().map(input).collect();
    let program = tape.compile(&Interpreter, &[(case.f)(&operands)]).unwrap();
    let census = program.census();
    // A literal is no zero: it makes a product of a strong one.
    let product = name.starts_with("strong_mul") && census.contains_key("mul");
    name == "stop_gradient" || product || census.contains_key(name)
}

#[test]
fn every_primitive_as_the_loop_does() {
    let mut compared = 0;
    for name in Op::names() {
        let cases = cases(name);
        assert!(!cases.is_empty(), "no case of {name}");
        for (number, case) in cases.iter().enumerate() {
            assert!(contains(case, name), "case {number} of {name} does without it");
            for batched in 1..1 << case.operands.len() {
                for k in [0, 1, 3] {
                    for real in [DType::F64, DType::F32] {
                        let what = format!("{name}, case {number}, {batched:b}, k = {k}, {real}");
                        let [a, b] = vmapped_and_looped(case, batched, k, real, &Interpreter);
                        assert_eq!(bits(&a), bits(&b), "{what}");
                        close(&a, &b, &what);
                        let cpu = Cpu::with_threads(1).unwrap();
                        let [c, d] = vmapped_and_looped(case, batched, k, real, &cpu);
                        close(&c, &d, &what);
                        close(&c, &a, &what);
                        compared += 1;
                    }
                }
            }
        }
    }
    println!("{compared} comparisons on two backends");
}
