//! First values: their distribution, and that they never depend on anything but seed and name.

use burlap_autodiff::DType;
use burlap_nn::{Activation, Error, Init, Linear, Model, Sequential, mlp};

fn draw(init: Init, shape: &[usize]) -> Vec<f64> {
    init.draw(42, "weight", DType::F64, shape).unwrap().to_f64_vec()
}

/// Checks mean 0 and the given variance within four standard errors; `kurtosis` is that of
/// the distribution, 1.8 for uniform and 3 for normal.
fn check(init: Init, shape: &[usize], variance: f64, kurtosis: f64) {
    let values = draw(init, shape);
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    assert!(mean.abs() < 4.0 * (variance / n).sqrt(), "{init:?}: mean {mean}");
    let found = values.iter().map(|x| x * x).sum::<f64>() / n;
    let error = variance * ((kurtosis - 1.0) / n).sqrt();
    assert!((found - variance).abs() < 4.0 * error, "{init:?}: {found}, not {variance}");
    if kurtosis < 2.0 {
        let bound = (3.0 * variance).sqrt();
        let largest = values.iter().fold(0f64, |m, x| m.max(x.abs()));
        assert!(largest <= bound * (1.0 + 1e-15) && largest > 0.99 * bound, "{init:?}");
    }
}

#[test]
fn variances_are_those_of_the_formulas() {
    let gain = Activation::Relu.gain();
    // Fan-in and fan-out of [80, 50, 3, 2] are 300 and 480.
    for (shape, fan_in, fan_out) in
        [(&[200, 100][..], 100.0, 200.0), (&[80, 50, 3, 2], 300.0, 480.0)]
    {
        check(Init::KaimingUniform { gain }, shape, 2.0 / fan_in, 1.8);
        check(Init::KaimingNormal { gain }, shape, 2.0 / fan_in, 3.0);
        check(Init::XavierUniform { gain: 1.0 }, shape, 2.0 / (fan_in + fan_out), 1.8);
        check(Init::XavierNormal { gain: 1.0 }, shape, 2.0 / (fan_in + fan_out), 3.0);
        check(Init::linear_weight(), shape, 1.0 / (3.0 * fan_in), 1.8);
    }
    check(Init::linear_bias(100), &[20_000], 1.0 / 300.0, 1.8);
    check(Init::Normal { mean: 0.0, std: 0.02 }, &[20_000], 4e-4, 3.0);
    check(Init::Uniform { low: -1.0, high: 1.0 }, &[20_000], 1.0 / 3.0, 1.8);
    assert_eq!(draw(Init::Zeros, &[3]), [0.0; 3]);
    assert_eq!(draw(Init::Constant(-1.5), &[2]), [-1.5; 2]);
    assert_eq!(draw(Init::Uniform { low: 2.0, high: 2.0 }, &[2]), [2.0; 2]);
}

#[test]
fn values_are_a_function_of_seed_and_name() {
    let uniform = Init::Uniform { low: 0.0, high: 1.0 };
    let values = |seed, name: &str| uniform.draw(seed, name, DType::F64, [5]).unwrap();
    assert_eq!(values(1, "a"), values(1, "a"));
    assert_ne!(values(1, "a"), values(2, "a"));
    assert_ne!(values(1, "a"), values(1, "b"));

    let net = |first: &str, second: &str| {
        let net =
            Sequential::new().named(first, Linear::new(3, 3)).named(second, Linear::new(3, 3));
        let model = Model::new(net).unwrap();
        let mut parts = model.layout().split(&model.init(9, DType::F64)).unwrap();
        parts.sort_by(|a, b| a.0.cmp(&b.0));
        parts
    };
    assert_eq!(net("a", "b"), net("b", "a"));
}

#[test]
fn values_never_change_between_releases() {
    let uniform = Init::Uniform { low: 0.0, high: 1.0 };
    let values = uniform.draw(1, "fc1.weight", DType::F64, [3]).unwrap();
    assert_eq!(values.to_string(), "[0.6437004283153562, 0.7475230222202038, 0.0650625381384895]");
    let normal = Init::Normal { mean: 0.0, std: 1.0 };
    let values = normal.draw(1, "fc1.weight", DType::F64, [3]).unwrap();
    assert_eq!(values.to_string(), "[0.4629199000534163, 1.2013138722507393, -1.7540451413424667]");
}

#[test]
fn both_precisions_start_at_one_point() {
    let model = Model::new(mlp(&[5, 4, 3], Activation::Relu).unwrap()).unwrap();
    let (single, double) = (model.init(3, DType::F32), model.init(3, DType::F64));
    assert_eq!(single, double.cast(DType::F32));
    assert_eq!(*single.shape(), [model.layout().total()]);
    assert_ne!(double, model.init(4, DType::F64));
}

#[test]
fn a_linear_layer_starts_as_in_pytorch() {
    let model = Model::new(Linear::new(100, 400)).unwrap();
    for (name, array) in model.layout().split(&model.init(1, DType::F64)).unwrap() {
        let largest = array.to_f64_vec().iter().fold(0f64, |m, x| m.max(x.abs()));
        assert!(largest <= 0.1 + 1e-15 && largest > 0.099, "{name}: {largest}");
    }
    let zeros = Linear::new(4, 4).with_weight_init(Init::Zeros).with_bias_init(Init::Constant(1.0));
    let model = Model::new(zeros).unwrap();
    let values = model.init(1, DType::F64).to_f64_vec();
    assert_eq!(values, [[0.0; 16].as_slice(), &[1.0; 4]].concat());
}

#[test]
fn distributions_that_do_not_exist_are_refused() {
    let nan = f64::NAN;
    for (init, shape) in [
        (Init::KaimingUniform { gain: 1.0 }, &[3][..]),
        (Init::XavierNormal { gain: 1.0 }, &[]),
        (Init::KaimingNormal { gain: 1.0 }, &[3, 0]),
        (Init::XavierUniform { gain: 1.0 }, &[0, 0]),
        (Init::KaimingNormal { gain: -1.0 }, &[3, 3]),
        (Init::KaimingUniform { gain: f64::INFINITY }, &[3, 3]),
        (Init::Normal { mean: 0.0, std: -1.0 }, &[3]),
        (Init::Normal { mean: 0.0, std: nan }, &[3]),
        (Init::Normal { mean: nan, std: 1.0 }, &[3]),
        (Init::Normal { mean: 0.0, std: f64::INFINITY }, &[3]),
        (Init::Uniform { low: 1.0, high: 0.0 }, &[3]),
        (Init::Uniform { low: 0.0, high: nan }, &[3]),
        (Init::Uniform { low: f64::MIN, high: f64::MAX }, &[3]),
    ] {
        let error = init.draw(1, "fc.weight", DType::F64, shape).unwrap_err();
        assert!(matches!(error, Error::Init { .. }), "{init:?}: {error}");
        assert!(error.to_string().contains("\"fc.weight\""), "{error}");
    }
    for dtype in [DType::U32, DType::Bool] {
        let error = Init::Zeros.draw(1, "fc.weight", dtype, [2]).unwrap_err();
        assert!(matches!(error, Error::Init { .. }), "{error}");
    }
    let error = Init::Zeros.draw(1, "w", DType::F32, [usize::MAX, 2]).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    let error = Init::Zeros.draw(1, "w", DType::F32, [1 << 25, 1 << 25]).unwrap_err();
    assert!(matches!(error, Error::Memory { .. }), "{error}");
    let bad = Linear::new(2, 3).with_weight_init(Init::KaimingNormal { gain: nan });
    let error = Model::new(Sequential::new().named("fc", bad)).unwrap_err();
    assert!(matches!(error, Error::Init { name, .. } if name == "fc.weight"));
}
