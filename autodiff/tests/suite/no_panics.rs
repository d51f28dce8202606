//! Nothing that is recorded panics, however little sense it makes: it is well-formed, or
//! compiling reports an error.

use crate::choices::Choices;
use burlap_autodiff::{
    Array, Backend, Contraction, Costs, Cpu, DType, Error, Executable, Padding, Plan, Result,
    Shape, Tape, Var, checkpoint, vmap,
};

impl Choices {
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Mostly small, at times absurd.
    fn size(&mut self) -> usize {
        self.pick(&[0, 1, 1, 2, 2, 3, 3, 3, 4, 7, 65, 256, 257, 1 << 32, usize::MAX])
    }

    /// Sizes that memory holds.
    fn shape(&mut self) -> Vec<usize> {
        (0..self.below(4)).map(|_| self.pick(&[0, 1, 2, 2, 3, 3])).collect()
    }

    fn sizes(&mut self) -> Vec<usize> {
        (0..self.below(5)).map(|_| self.size()).collect()
    }

    fn axes(&mut self) -> Vec<usize> {
        (0..self.below(4)).map(|_| self.pick(&[0, 0, 1, 1, 2, 3, 255, 256, usize::MAX])).collect()
    }

    fn dtype(&mut self) -> DType {
        self.pick(&[DType::F64, DType::F64, DType::F64, DType::F32, DType::U32, DType::Bool])
    }

    fn letters(&mut self) -> String {
        let pieces = ["a", "b", "c", "ab", "bc", ",", "->", "", "aa", "é", " ", "1"];
        (0..self.below(7)).map(|_| self.pick(&pieces)).collect()
    }

    fn number(&mut self) -> f64 {
        self.pick(&[0.0, 1.0, -1.0, 2.0, 0.5, 3.0, f64::NAN, f64::INFINITY, 1e308, -7.25])
    }
}

/// One random call; the values may be of other tapes, or of none.
fn call(tape: &Tape, vars: &[Var], c: &mut Choices) -> Var {
    let [a, b, d] = [0; 3].map(|_| c.pick(vars));
    let scalar = a.cast(DType::F64).sum();
    match c.below(78) {
        0 => a + b,
        1 => a - b,
        2 => a * b,
        3 => a / b,
        4 => a.pow(b),
        5 => a.max(b),
        6 => a.min(c.number()),
        7 => c.number() / a,
        8 => a.powf(c.number()),
        9 => a.powi(c.pick(&[i32::MIN, -1, 0, 1, 2, 5, i32::MAX])),
        10 => -a,
        11 => !a,
        12 => a.abs().sign().floor().ceil(),
        13 => a.exp().log().expm1().log1p(),
        14 => a.sqrt().rsqrt().recip(),
        15 => a.sin().cos().atan().tan(),
        16 => a.tanh().sech2().sigmoid().softplus(),
        17 => a.erf().gelu().gelu_tanh().silu(),
        18 => a.relu().elu().leaky_relu(c.number()),
        19 => a.sinh().cosh(),
        20 => a.equal(b),
        21 => a.lt(c.number()),
        22 => a.select(b, d),
        23 => a.select(c.number(), c.number()),
        24 => a.cast(c.dtype()),
        25 => a.stop_gradient(),
        26 => a.sum_axes(&c.axes()),
        27 => a.max_axes(&c.axes()),
        28 => a.min_axes(&c.axes()),
        29 => a.argmax(c.size()),
        30 => a.mean_axes(&c.axes()),
        31 => a.variance(&c.axes(), c.size()),
        32 => a.logsumexp(&c.axes()),
        33 => a.norm(),
        34 => a.keepdims(&c.axes(), &Shape::from(c.sizes())),
        35 => a.reshape(c.sizes()),
        36 => a.flatten(),
        37 => a.broadcast_to(c.sizes()),
        38 => a.broadcast_axes(c.sizes(), &c.axes()),
        39 => a.transpose(&c.axes()),
        40 => a.t(),
        41 => a.slice_steps(
            &(0..c.below(4)).map(|_| (c.size(), c.size(), c.size())).collect::<Vec<_>>(),
        ),
        42 => a.slice_axis(c.size(), c.size(), c.size()),
        43 => a.at(c.size()),
        44 => {
            let rank = if c.below(4) == 0 { c.below(4) } else { a.rank() };
            let mut padding = || Padding { before: c.size(), between: c.size(), after: c.size() };
            a.pad(&(0..rank).map(|_| padding()).collect::<Vec<_>>())
        }
        45 => a.flip(&c.axes()),
        46 => a.expand_dims(c.size()),
        47 => tape.concat(&[a, b, d], c.size()),
        48 => tape.stack(&[a, b], c.size()),
        49 => tape.concat(&[], c.size()),
        50 => a.matmul(b),
        51 => a.dot(b),
        52 => a.einsum(&c.letters(), b),
        53 => a.einsum(c.pick(&["ab,bc->ac", "a,b->ba", "ab,ab->", "abc,cd->dab"]), b),
        54 => {
            let mut list = || c.axes().iter().map(|&x| x as u8).collect();
            let contraction = Contraction {
                left_batch: list(),
                right_batch: list(),
                left_sum: list(),
                right_sum: list(),
            };
            a.contract(b, contraction)
        }
        55 => a.gather(c.size(), b),
        56 => a.scatter_add(c.size(), b, d),
        57 => a.take_along(c.size(), b),
        58 => a.one_hot(c.size(), c.dtype()),
        59 => a.uniform(0, c.dtype(), c.sizes()),
        60 => a.normal(u32::MAX, c.dtype(), c.sizes()),
        61 => a.bits(1, c.sizes()),
        62 => a.softmax(c.size()),
        63 => a.log_softmax(c.size()),
        64 => tape.full(c.dtype(), c.sizes(), c.number()),
        65 => scalar.grad(b),
        66 => a.grad(b),
        67 => scalar.hvp(b, d),
        68 => scalar.second_directional_grad(b, d).1,
        69 => a.jvp(b, d),
        70 => a.vjp(b, d),
        71 if b.shape().count() < 20 => scalar.hessian(b),
        72 if a.shape().count().max(b.shape().count()) < 20 => a.jacobian(b),
        73 => scalar.grads(&[a, b, d])[1],
        74 => vmap(&[a, scalar], &[(b, d)])[1],
        75 | 76 => {
            // A leading axis of any size for any two values, and a derivative of the result.
            let k = c.size();
            let batched = |x: Var| {
                let sizes: Vec<usize> = [k].iter().chain(x.shape().iter()).copied().collect();
                x.broadcast_to(sizes)
            };
            let y = vmap(&[a], &[(b, batched(b)), (d, batched(d))])[0];
            if c.below(2) == 0 { y } else { y.cast(DType::F64).sum().grad(b) }
        }
        77 => scalar.hvp_many(b, d),
        _ => a.clamp(c.number(), c.number()).is_finite(),
    }
}

#[test]
fn random_calls_never_panic() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..20_000 {
        let mut c = Choices(seed);
        let tape = Tape::new();
        let other = Tape::new();
        let mut vars = vec![tape.input("x", DType::F64, c.shape())];
        for name in ["y", "z"] {
            let dtype = c.dtype();
            vars.push(tape.input(name, dtype, c.shape()));
        }
        vars.push(tape.input("key", DType::U32, [2]));
        vars.push(tape.iota(3));
        vars.push(tape.literal(&Array::vector([0.5, 1.5])));
        if seed % 16 == 0 {
            vars.push(other.input("x", DType::F64, [2]));
            vars.push(Tape::new().constant(DType::F64, 1.0));
        }
        for _ in 0..1 + c.below(4) {
            let mut call = || call(&tape, &vars, &mut c);
            let var = match seed % 4 {
                0 => checkpoint(&vars[..2], |_| vec![call()])[0],
                _ => call(),
            };
            // What is refused stays refused; what is accepted may be used further.
            if tape.error().is_some() {
                vars.push(var);
                continue;
            }
            // Results that no memory holds would end the test, not fail it.
            if var.shape().count() < 10_000 {
                vars.push(var);
            }
        }
        match tape.compile(&Cpu::with_threads(1).unwrap(), &vars) {
            Ok(program) => {
                accepted += 1;
                let inputs: Vec<Array> = program
                    .inputs()
                    .iter()
                    .map(|i| Array::zeros(i.dtype, i.shape.clone()))
                    .collect();
                // Indices may be beyond their axes: an error, no panic.
                let _ = program.run(&inputs.iter().collect::<Vec<_>>());
            }
            Err(error) => {
                refused += 1;
                let text = error.to_string();
                assert!(text.contains("no_panics.rs:"), "{text}");
                assert!(seed % 16 == 0 || tape.error() == Some(error), "{text}");
            }
        }
    }
    println!("{accepted} programs accepted and run, {refused} refused");
    assert!(accepted > 1000 && refused > 1000);
}

/// Whether a value of this shape can be addressed, and its axes numbered.
fn can_be(shape: &[usize]) -> bool {
    let elements: u128 = shape.iter().map(|&n| n.max(1) as u128).fold(1, u128::saturating_mul);
    shape.len() <= 64 && elements <= isize::MAX as u128 / 16
}

/// A backend that looks at plans and runs none.
struct Looking;

impl Backend for Looking {
    fn name(&self) -> &'static str {
        "looking"
    }

    fn boxed(&self) -> Box<dyn Backend> {
        Box::new(Looking)
    }

    fn costs(&self) -> Costs {
        Cpu::new().costs()
    }

    fn compile(&self, plan: Plan) -> Result<Box<dyn Executable>> {
        let cost = plan.kernels().iter().map(|k| plan.bytes(k).max(k.flops())).max();
        let problem = format!("a kernel that costs {cost:?}, {} bytes in all", plan.arena());
        Err(Error::Backend { backend: "looking", problem })
    }
}

/// Of views that take no memory, whatever their sizes: results are refused or can be addressed,
/// whichever call makes them, in transforms too; and no sum of bytes or costs overflows.
#[test]
fn no_value_that_is_recorded_is_more_than_memory_can_hold() {
    let (mut accepted, mut refused) = (0, 0);
    for seed in 0..8_000 {
        let mut c = Choices(seed);
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, ());
        let key = tape.input("key", DType::U32, [2]);
        let most: &[usize] = &[1; 64];
        let shapes: [&[usize]; 8] = [
            &[1 << 40, 1],
            &[1, 1 << 22],
            &[1 << 32, 1],
            &[1, 1 << 32],
            &[1 << 18, 1, 1, 1 << 18],
            &[1 << 58],
            most,
            &most[1..],
        ];
        let mut vars = vec![x, key, x.broadcast_to([2, 3])];
        for shape in shapes {
            let y = x.broadcast_to(shape);
            vars.push(if c.below(4) == 0 { y.gt(0.0) } else { y });
        }
        for _ in 0..4 {
            let y = call(&tape, &vars, &mut c);
            assert!(can_be(&y.shape()), "{seed}: {}", y.shape());
            if tape.error().is_some() {
                refused += 1;
                break;
            }
            accepted += 1;
            vars.push(y);
        }
        let ends: Vec<Var> = vars.iter().map(|v| v.flatten().flip(&[0])).collect();
        for outputs in [&vars, &ends] {
            let error = tape.compile(&Looking, outputs).unwrap_err();
            let planned = matches!(error, Error::Backend { .. } | Error::Memory { .. });
            assert!(planned == tape.error().is_none(), "{seed}: {error}");
        }
    }
    println!("{accepted} calls accepted, {refused} refused");
    assert!(accepted > 1000 && refused > 1000);
}
