//! Library functions made of primitives, and compositions in which a factor is huge and another tiny.

use super::functions::{self, linear, power, product};
use super::number::Number;
use super::{case, check, few, step};
use burlap_autodiff::DType;

#[test]
fn library_functions() {
    check(&[
        case("relu", |x| x.relu(), |x| linear(x.max(0.0), step(x))),
        case(
            "leaky_relu",
            |x| x.leaky_relu(0.25),
            |x| {
                let slope = if x > 0.0 { 1.0 } else { 0.25 };
                linear(slope * x, slope)
            },
        ),
        case("ceil", |x| x.ceil(), |x| linear(x.ceil(), 0.0)),
        case(
            "clamp",
            |x| x.clamp(-0.75, 0.75),
            |x| linear(x.clamp(-0.75, 0.75), step(0.75 - x.abs())),
        ),
        case("square", |x| x.square(), |x| product(linear(x, 1.0), linear(x, 1.0))),
        case("elu", |x| x.elu(), functions::elu),
        case("silu", |x| x.silu(), functions::silu).times_powers(),
        case("gelu", |x| x.gelu(), functions::gelu).times_powers(),
        case("gelu_tanh", |x| x.gelu_tanh(), functions::gelu_tanh)
            .times_powers()
            .below_the_top(8)
            .within(|x, order| {
                let u = 0.8 * (x + 0.044715 * x.powi(3));
                few(x, order) + 4.0 * u.abs().min(500.0)
            }),
        case("tan", |x| x.tan(), functions::tan),
        case("log_sigmoid", |x| x.log_sigmoid(), functions::log_sigmoid),
        case("log_ndtr", |x| x.log_ndtr(), functions::log_ndtr)
            .times_powers()
            .within(|x, order| if order == 3 { 80.0 } else { few(x, order) }),
    ]);
}

/// Where the inner exponential is neither infinite nor below the normal numbers.
fn moderate(x: f64, dtype: DType) -> bool {
    x.abs() <= if dtype == DType::F32 { 85.0 } else { 700.0 }
}

#[test]
fn factors_that_leave_the_range_together() {
    let ones = |x| functions::among_ones(linear(x, 1.0));
    let log_of_sum = |x| functions::among_ones(functions::softplus(x));
    check(&[
        case("log exp", |x| x.exp().log(), ones).on(moderate),
        case("log (1 + exp)", |x| (1.0 + x.exp()).log(), log_of_sum).on(moderate),
        case("log1p exp", |x| x.exp().log1p(), log_of_sum).on(moderate),
        // Terms of derivative k are of order x¹⁻ᵏ.
        case(
            "1 / (1/x)",
            |x| x.recip().recip(),
            |x| {
                let [y, d1, ..] = functions::among_ones(linear(x, 1.0));
                let r = 1.0 / Number::from(x);
                [y, d1, r.clone() - r.clone(), r.clone().square() - r.square()]
            },
        )
        .on(|x, _| x.abs() < 1e9 && x.abs() > 1e-9),
        case(
            "log sqrt",
            |x| x.sqrt().log(),
            |x| functions::among_ones(functions::scaled(0.5.into(), functions::log(x))),
        )
        .on(|x, _| x > 0.0),
        case("rsqrt of a square", |x| x.square().rsqrt(), |x| power(x.into(), -1.0))
            .on(|x, _| x < 1e4 && x > 1e-4),
    ]);
}
