//! Layers and networks against plain loops.

use crate::support::{assert_close, evaluate, f64s, noise, run};
use burlap_autodiff::{Array, Cpu, DType, Tape, Var};
use burlap_nn::{
    Activation, Context, Dropout, Error, Flatten, Init, Linear, Model, Module, Result, Scope,
    Sequential, SimpleNet, mlp,
};

/// x Wᵀ + b of one row.
fn affine(weight: &[f64], bias: &[f64], x: &[f64]) -> Vec<f64> {
    let row = |o: usize| &weight[o * x.len()..(o + 1) * x.len()];
    let dot = |o: usize| row(o).iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    (0..bias.len()).map(|o| dot(o) + bias[o]).collect()
}

fn relu(x: Vec<f64>) -> Vec<f64> {
    x.into_iter().map(|x| x.max(0.0)).collect()
}

#[test]
fn linear_is_affine_along_the_last_axis() {
    let model = Model::new(Linear::new(3, 2)).unwrap();
    let params = noise(1, 8);
    let (weight, bias) = params.split_at(6);
    for shape in [&[3][..], &[4, 3], &[1, 3], &[2, 5, 3], &[2, 1, 2, 3], &[0, 3]] {
        let n: usize = shape.iter().product();
        let x = noise(2, n);
        let y = evaluate(&model, &f64s(&[8], &params), &f64s(shape, &x));
        let mut sizes = shape.to_vec();
        sizes[shape.len() - 1] = 2;
        assert_eq!(y.shape()[..], sizes);
        let expected: Vec<f64> = x.chunks(3).flat_map(|x| affine(weight, bias, x)).collect();
        assert_close(&y.to_f64_vec(), &expected, 1e-15);
    }
    let model = Model::new(Linear::new(3, 2).without_bias()).unwrap();
    let y = evaluate(&model, &f64s(&[6], weight), &f64s(&[3], &params[..3]));
    assert_close(&y.to_f64_vec(), &affine(weight, &[0.0; 2], &params[..3]), 1e-15);
}

#[test]
fn inputs_and_parameters_that_do_not_fit_are_errors_of_the_tape() {
    let model = Model::new(mlp(&[3, 2], Activation::Relu).unwrap()).unwrap();
    let compile = |total: usize, x: &[usize], dtype| {
        let tape = Tape::new();
        let params = tape.input("params", DType::F64, [total]);
        let x = tape.input("x", dtype, x);
        let y = model.forward(params, x);
        tape.compile(&Cpu::new(), &[y]).map(|_| ()).unwrap_err().to_string()
    };
    let error = compile(8, &[5, 4], DType::F64);
    assert!(error.starts_with("linear: \"0\" takes 3 values, its input is [5, 4]"), "{error}");
    assert!(error.contains("layers.rs"), "{error}");
    let error = compile(8, &[5, 3], DType::F32);
    assert!(error.contains("f32 × f64"), "{error}");
    for total in [7, 9] {
        let error = compile(total, &[5, 3], DType::F64);
        assert!(error.contains(&format!("{total} elements cannot become 8")), "{error}");
        assert!(error.contains("layers.rs"), "{error}");
    }
}

#[test]
fn activations_have_their_closed_forms() {
    let x = [-30.0, -2.0, -0.5, 0.0, 0.25, 1.0, 3.0, 30.0];
    // Abramowitz & Stegun 7.1.5, good to 1e-15 for |x| ≤ 3/√2, and ±1 beyond.
    let erf = |x: f64| {
        let mut term = x;
        let mut sum = x;
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        if x.abs() > 4.0 { x.signum() } else { sum * std::f64::consts::FRAC_2_SQRT_PI }
    };
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    for activation in Activation::ALL {
        let expected = x.map(|x: f64| match activation {
            Activation::Relu => x.max(0.0),
            Activation::LeakyRelu { slope } => {
                if x > 0.0 {
                    x
                } else {
                    slope * x
                }
            }
            Activation::Elu => {
                if x > 0.0 {
                    x
                } else {
                    x.exp() - 1.0
                }
            }
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => sigmoid(x),
            Activation::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Activation::Silu => x * sigmoid(x),
            Activation::Gelu => 0.5 * x * (1.0 + erf(x * std::f64::consts::FRAC_1_SQRT_2)),
            Activation::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
                0.5 * x * (1.0 + inner.tanh())
            }
            _ => panic!("{activation:?} has no reference"),
        });
        let model = Model::new(activation).unwrap();
        let y = evaluate(&model, &f64s(&[0], &[]), &f64s(&[2, 4], &x));
        assert_eq!(*y.shape(), [2, 4]);
        assert_close(&y.to_f64_vec(), &expected, 1e-14);
    }
}

#[test]
fn gains_are_those_of_pytorch() {
    assert_eq!(Activation::Relu.gain(), std::f64::consts::SQRT_2);
    assert_eq!(Activation::LeakyRelu { slope: 5f64.sqrt() }.gain(), (1.0f64 / 3.0).sqrt());
    assert_eq!(Activation::Tanh.gain(), 5.0 / 3.0);
    assert_eq!(Activation::Sigmoid.gain(), 1.0);
}

#[test]
fn flatten_joins_all_axes_but_the_first() {
    let model = Model::new(Flatten).unwrap();
    let none = f64s(&[0], &[]);
    for (from, to) in [
        (&[2, 3, 4][..], &[2, 12][..]),
        (&[0, 3, 4], &[0, 12]),
        (&[2, 3], &[2, 3]),
        (&[5], &[5]),
        (&[], &[]),
    ] {
        let x = f64s(from, &noise(1, from.iter().product()));
        let y = evaluate(&model, &none, &x);
        assert_eq!(y.shape()[..], *to);
        assert_eq!(y.to_f64_vec(), x.to_f64_vec());
    }
}

#[test]
fn mlp_is_its_layers_one_after_the_other() {
    let model = Model::new(mlp(&[4, 6, 5, 3], Activation::Relu).unwrap()).unwrap();
    let names = ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"];
    assert!(model.layout().names().eq(names));
    let params = model.init(3, DType::F64);
    let part: Vec<Vec<f64>> =
        model.layout().split(&params).unwrap().iter().map(|(_, a)| a.to_f64_vec()).collect();
    let x = noise(5, 8);
    let y = evaluate(&model, &params, &f64s(&[2, 4], &x));
    let expected: Vec<f64> = x
        .chunks(4)
        .flat_map(|x| {
            let h = relu(affine(&part[0], &part[1], x));
            let h = relu(affine(&part[2], &part[3], &h));
            affine(&part[4], &part[5], &h)
        })
        .collect();
    assert_close(&y.to_f64_vec(), &expected, 1e-14);

    for sizes in [&[][..], &[3]] {
        let error = mlp(sizes, Activation::Relu).unwrap_err();
        assert!(matches!(error, Error::TooFewSizes { found } if found == sizes.len()));
    }
}

#[test]
fn simple_net_applies_its_second_layer_twice() {
    let model = Model::new(SimpleNet::default()).unwrap();
    let total = 784 * 128 + 128 + 3 * (128 * 128 + 128) + 128 * 10 + 10;
    assert_eq!((model.layout().total(), total), (151_306, 151_306));
    assert_eq!(model.layout().names().len(), 10);

    let model = Model::new(SimpleNet::new(5, 3)).unwrap();
    let params = model.init(4, DType::F64);
    let parts = model.layout().split(&params).unwrap();
    let get = |name: &str| {
        let (_, array) = parts.iter().find(|(n, _)| n == name).unwrap();
        array.to_f64_vec()
    };
    let fc = |i: usize, x: &[f64]| {
        affine(&get(&format!("fc{i}.weight")), &get(&format!("fc{i}.bias")), x)
    };
    let x = noise(6, 5);
    let mut h = x.clone();
    for layer in [1, 2, 2, 3, 4] {
        h = relu(fc(layer, &h));
    }
    let y = evaluate(&model, &params, &f64s(&[1, 5], &x));
    assert_close(&y.to_f64_vec(), &fc(5, &h), 1e-13);
}

#[test]
fn a_shared_layer_gets_the_sum_of_both_gradients() {
    let shared =
        Sequential::new().named("fc", Linear::new(3, 3)).then(Activation::Tanh).reuse("fc");
    let apart = Sequential::new()
        .named("fc", Linear::new(3, 3))
        .then(Activation::Tanh)
        .named("other", Linear::new(3, 3));
    let grad = |net: Sequential, params: &[f64]| {
        let model = Model::new(net).unwrap();
        assert_eq!(model.layout().total(), params.len());
        let tape = Tape::new();
        let p = tape.input("params", DType::F64, [params.len()]);
        let x = tape.literal(&f64s(&[2, 3], &noise(7, 6)));
        let f = model.forward(p, x).square().sum();
        run(&tape, &[f.grad(p)], &[&Array::vector(params)])[0].to_f64_vec()
    };
    let params = noise(8, 12);
    let one = grad(shared, &params);
    let two = grad(apart, &[params.clone(), params].concat());
    let sum: Vec<f64> = (0..12).map(|i| two[i] + two[12 + i]).collect();
    assert_close(&one, &sum, 1e-14);
}

#[test]
fn names_in_a_sequence_must_be_distinct_and_known() {
    let twice = Sequential::new().named("a", Activation::Relu).named("a", Activation::Tanh);
    let error = Model::new(Sequential::new().named("outer", twice)).unwrap_err();
    assert!(matches!(error, Error::DuplicateName { name } if name == "outer.a"));

    let error = Model::new(Sequential::new().then(Flatten).reuse("fc")).unwrap_err();
    assert_eq!(error.to_string(), "nothing is called \"fc\"; the names are 0");

    let error = Model::new(Sequential::new().named("", Linear::new(1, 1))).unwrap_err();
    assert!(matches!(error, Error::BadName { .. }));

    // A position that is taken as a name.
    let clash = Sequential::new().named("1", Flatten).then(Flatten);
    let error = Model::new(clash).unwrap_err();
    assert!(matches!(error, Error::DuplicateName { name } if name == "1"));
}

#[test]
fn dropout_refuses_probabilities_outside_its_range() {
    for p in [-0.1, 1.0, 1.5, 1.0 - 1e-12, f64::NAN, f64::INFINITY] {
        let error = Dropout::new(p).unwrap_err();
        assert!(matches!(error, Error::Fraction { .. }), "{p}: {error}");
    }
    assert!(Dropout::new(0.0).is_ok() && Dropout::new(0.999).is_ok());
}

#[test]
fn layers_without_inputs_or_outputs_are_refused() {
    for (inputs, outputs) in [(0, 3), (3, 0), (0, 0)] {
        let net = Sequential::new().named("fc", Linear::new(inputs, outputs).without_bias());
        let error = Model::new(net).unwrap_err();
        assert!(matches!(error, Error::LayerSize { .. }), "{error}");
        assert!(error.to_string().starts_with(&format!(
            "the linear layer \"fc\" has {inputs} inputs and {outputs} outputs"
        )));
    }
    assert!(Model::new(mlp(&[4, 0, 2], Activation::Relu).unwrap()).is_err());
}

#[test]
fn settings_that_are_no_numbers_are_refused() {
    for slope in [f64::NAN, f64::INFINITY] {
        let tape = Tape::new();
        let x = tape.input("x", DType::F64, [2]);
        let y = Activation::LeakyRelu { slope }.apply(x);
        let error = tape.compile(&Cpu::new(), &[y]).map(drop).unwrap_err().to_string();
        assert!(error.starts_with("leaky_relu: the slope must be finite, but is "), "{error}");
        assert!(error.contains("tests/suite/layers.rs"), "{error}");
        for init in [Init::Constant(slope), Init::Uniform { low: slope, high: slope }] {
            let error = Model::new(Linear::new(2, 2).with_bias_init(init)).unwrap_err();
            assert!(matches!(error, Error::Init { .. }), "{error}");
        }
    }
}

/// x minus its mean along the last axis, whose size the author forgot to keep; and a parameter that was
/// not declared.
struct Centred(bool);

const SUBTRACTED: u32 = line!() + 8;

impl Module for Centred {
    fn declare(&self, _: &mut Scope<'_>) -> Result<()> {
        Ok(())
    }

    fn forward(&self, ctx: &Context<'_>, x: Var) -> Var {
        if self.0 { x - x.mean_axes(&[1]) } else { x * ctx.parameter("scale") }
    }
}

#[test]
fn mistakes_in_a_layer_of_ones_own_are_said_of_its_line_those_in_others_of_the_callers() {
    let error = |model: Model| {
        let tape = Tape::new();
        let p = tape.input("p", DType::F64, [model.layout().total()]);
        let y = model.forward(p, tape.input("x", DType::F64, [4, 3]));
        // A mistake prints as its sentence where `main` returns it, too.
        let error = tape.compile(&Cpu::new(), &[y]).map(drop).unwrap_err();
        assert_eq!(format!("{error:?}"), error.to_string());
        (error.to_string(), line!() - 4)
    };
    for forgotten in [true, false] {
        for inner in [false, true] {
            let model = match inner {
                false => Model::new(Centred(forgotten)),
                true => Model::new(Sequential::new().named("own", Centred(forgotten))),
            };
            let (text, _) = error(model.unwrap());
            let place = format!("tests/suite/layers.rs:{SUBTRACTED}");
            assert!(text.contains(&place), "{text}");
        }
    }
    let (text, line) = error(Model::new(Linear::new(5, 2)).unwrap());
    assert!(text.contains(&format!("tests/suite/layers.rs:{line}")), "{text}");
    assert!(text.contains("takes 5 values"), "{text}");
}
