//! Batch normalisation: values and statistics against sums by hand, derivatives against differences,
//! and what is said of its misuse.

use burlap_autodiff::testing::{assert_gradient, assert_hessian};
use burlap_autodiff::{Array, Cpu, DType, Tape, Var};
use burlap_nn::{BatchNorm1d, Context, Error, Linear, Model, Module, Result, Scope, Sequential};

const N: usize = 5;
const FEATURES: usize = 3;

fn inputs() -> Vec<f64> {
    (0..N * FEATURES).map(|i| (i as f64 * 1.3).sin() * 2.0 + 0.2).collect()
}

/// Output and new buffers in training, and the output in evaluation with these buffers.
fn run(model: &Model, parameters: &[f64], buffers: &[Vec<f64>]) -> [Vec<f64>; 4] {
    let tape = Tape::new();
    let p = tape.input("parameters", DType::F64, [model.layout().total()]);
    let b: Vec<Var> =
        (0..2).map(|i| tape.input(&format!("buffer {i}"), DType::F64, [FEATURES])).collect();
    let x = tape.input("x", DType::F64, [N, FEATURES]);
    let key = tape.literal(&Array::vector([0u32, 0]));
    let (out, new) = model.forward_training_with_buffers(p, &b, x, key);
    let evaluated = model.forward_with_buffers(p, &b, x);
    let program = tape.compile(&Cpu::new(), &[out, new[0], new[1], evaluated]).unwrap();
    let x = Array::from_vec([N, FEATURES], inputs()).unwrap();
    let vectors = [Array::vector(buffers[0].clone()), Array::vector(buffers[1].clone())];
    let found = program.run(&[&Array::vector(parameters), &vectors[0], &vectors[1], &x]).unwrap();
    [0, 1, 2, 3].map(|i| found[i].to_f64_vec())
}

fn near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        // Sums of a few numbers near 1, and a root.
        assert!((a - b).abs() < 1e-14, "{found:?} {expected:?}");
    }
}

#[test]
fn it_is_its_definition() {
    let norm = BatchNorm1d::new(FEATURES).with_momentum(0.25).unwrap().with_epsilon(0.1).unwrap();
    let model = Model::new(norm).unwrap();
    assert!(model.layout().names().eq(["weight", "bias"]));
    let first = model.buffers(DType::F64);
    let said: Vec<String> = first.iter().map(|(name, v)| format!("{name} {v}")).collect();
    assert_eq!(said, ["running_mean [0, 0, 0]", "running_var [1, 1, 1]"]);

    let (weight, bias) = ([1.5, -0.5, 2.0], [0.1, 0.2, 0.3]);
    let (mean, variance) = (vec![0.3, -0.1, 0.2], vec![2.0, 0.5, 1.0]);
    let parameters = [weight, bias].concat();
    let found = run(&model, &parameters, &[mean.clone(), variance.clone()]);
    let x = inputs();
    let column = |j: usize| (0..N).map(|i| x[i * FEATURES + j]).collect::<Vec<f64>>();
    let (mut out, mut evaluated) = (vec![0.0; N * FEATURES], vec![0.0; N * FEATURES]);
    let (mut means, mut variances) = (Vec::new(), Vec::new());
    for j in 0..FEATURES {
        let mu = column(j).iter().sum::<f64>() / N as f64;
        let biased = column(j).iter().map(|x| (x - mu).powi(2)).sum::<f64>() / N as f64;
        for (i, x) in column(j).into_iter().enumerate() {
            let at = i * FEATURES + j;
            out[at] = (x - mu) / (biased + 0.1).sqrt() * weight[j] + bias[j];
            evaluated[at] = (x - mean[j]) / (variance[j] + 0.1).sqrt() * weight[j] + bias[j];
        }
        means.push(0.75 * mean[j] + 0.25 * mu);
        variances.push(0.75 * variance[j] + 0.25 * biased * N as f64 / (N - 1) as f64);
    }
    near(&found[0], &out);
    near(&found[1], &means);
    near(&found[2], &variances);
    near(&found[3], &evaluated);
}

#[test]
fn derivatives_go_through_the_statistics() {
    let model = Model::new(BatchNorm1d::new(2)).unwrap();
    let f = |x: Var| {
        let x = x.reshape([3, 2]);
        let p = x.literal(&Array::vector([1.5, -0.7, 0.1, 0.2]));
        let buffers = [x.literal(&Array::vector([0.0; 2])), x.literal(&Array::vector([1.0; 2]))];
        let key = x.literal(&Array::vector([0u32, 0]));
        let (out, _) = model.forward_training_with_buffers(p, &buffers, x, key);
        (out * out.sin()).sum() + out.square().mean()
    };
    let start = [0.3, -1.0, 0.8, 0.4, -0.9, 1.7];
    assert_gradient(f, start);
    assert_hessian(f, start);
}

#[test]
fn a_layer_that_is_applied_twice_updates_twice() {
    let net = Sequential::new().named("norm", BatchNorm1d::new(FEATURES)).reuse("norm");
    let found = run(
        &Model::new(net).unwrap(),
        &[1.0, 1.0, 1.0, 0.0, 0.0, 0.0],
        &[vec![0.0; 3], vec![1.0; 3]],
    );
    // The second time means are 0 and variances (nearly) 1.
    let once = run(
        &Model::new(BatchNorm1d::new(FEATURES)).unwrap(),
        &[1.0, 1.0, 1.0, 0.0, 0.0, 0.0],
        &[vec![0.0; 3], vec![1.0; 3]],
    );
    let expected: Vec<f64> = once[1].iter().map(|mean| 0.9 * mean).collect();
    near(&found[1], &expected);
}

/// A module that uses buffers as it should not.
struct Wrong(fn(&Context<'_>, Var) -> Var);

impl Module for Wrong {
    fn declare(&self, scope: &mut Scope<'_>) -> Result<()> {
        scope.buffer("mean", [2], 0.0)
    }

    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
        (self.0)(ctx, x)
    }
}

#[test]
fn misuse_is_said() {
    let compiled = |model: Result<Model>, shape: [usize; 2], given: bool, training: bool| {
        let model = model.unwrap();
        let tape = Tape::new();
        let p = tape.input("parameters", DType::F64, [model.layout().total()]);
        let buffers = model.buffers(DType::F64).into_iter().filter(|_| given);
        let buffers: Vec<Var> =
            buffers.map(|(name, v)| tape.input(&name, DType::F64, v.shape())).collect();
        let (x, key) = (tape.input("x", DType::F64, shape), tape.input("key", DType::U32, [2]));
        let out = match training {
            true => model.forward_training_with_buffers(p, &buffers, x, key).0,
            false => model.forward_with_buffers(p, &buffers, x),
        };
        tape.compile(&Cpu::new(), &[out]).expect_err("it should fail").to_string()
    };
    let norm = || Model::new(Sequential::new().named("norm", BatchNorm1d::new(2)));
    let wrong = |f: fn(&Context<'_>, Var) -> Var| Model::new(Wrong(f));
    for (error, expected) in [
        (compiled(norm(), [1, 2], true, true), "\"norm\": a batch of one example has no variance"),
        (compiled(norm(), [4, 3], true, true), "\"norm\" has 2 features, its input is [4, 3]"),
        (compiled(norm(), [4, 2], false, false), "\"norm.running_mean\" has no value"),
        (compiled(norm(), [4, 2], false, true), "\"norm.running_mean\" has no value"),
        (
            compiled(wrong(|ctx, _| ctx.buffer("men")), [4, 2], true, false),
            "\"men\" was not declared",
        ),
        (
            compiled(
                wrong(|ctx, x| {
                    ctx.update_buffer("mean", x);
                    x + ctx.buffer("mean")
                }),
                [4, 2],
                true,
                true,
            ),
            "\"mean\" of shape [4, 2]",
        ),
    ] {
        assert!(error.contains(expected), "{error}");
    }

    struct Twice;
    impl Module for Twice {
        fn declare(&self, scope: &mut Scope<'_>) -> Result<()> {
            BatchNorm1d::new(2).declare(scope)?;
            scope.buffer("weight", [2], 0.0)
        }
        fn forward(&self, _: &Context<'_>, x: Var) -> Var {
            x
        }
    }
    assert!(matches!(Model::new(Twice), Err(Error::DuplicateName { name }) if name == "weight"));
    assert!(BatchNorm1d::new(2).with_momentum(1.0).is_err());
    assert!(BatchNorm1d::new(2).with_epsilon(0.0).is_err());
}

#[test]
fn buffers_are_saved_with_the_parameters() {
    let net = || Sequential::new().then(Linear::new(2, FEATURES)).then(BatchNorm1d::new(FEATURES));
    let model = Model::new(net()).unwrap();
    let parameters = model.init(1, DType::F32);
    let buffers = [Array::vector([1f32, 2.0, 3.0]), Array::vector([4f32, 5.0, 6.0])];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    model.save_with_buffers(&parameters, &buffers, &path).unwrap();
    let (p, b) = Model::new(net()).unwrap().load_with_buffers(&path).unwrap();
    assert_eq!((p, &b[..]), (parameters.clone(), &buffers[..]));
    // Parameters alone are not the model.
    let error = model.save(&parameters, &path).unwrap_err();
    assert!(matches!(error, Error::MissingName { name } if name == "1.running_mean"));
    let other = Model::new(Linear::new(2, FEATURES)).unwrap();
    other.save(&other.init(1, DType::F32), &path).unwrap();
    assert!(model.load_with_buffers(&path).is_err());
}
