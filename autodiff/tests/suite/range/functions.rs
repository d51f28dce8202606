//! Values and derivatives to third order by closed forms in which nothing cancels but where a
//! derivative has a zero.

use super::number::Number;

/// f, f′, f″, f‴.
pub type Jet = [Number; 4];

fn n(x: f64) -> Number {
    x.into()
}

/// The last derivatives of a function whose derivative this is.
pub fn integral(value: Number, [d1, d2, d3, _]: Jet) -> Jet {
    [value, d1, d2, d3]
}

pub fn scaled(by: Number, jet: Jet) -> Jet {
    jet.map(|d| by.clone() * d)
}

/// f(c·x), from the derivatives of f at c·x.
pub fn stretched(c: f64, [f0, f1, f2, f3]: Jet) -> Jet {
    [f0, c * f1, c * c * f2, c * c * c * f3]
}

pub fn linear(value: f64, slope: f64) -> Jet {
    [n(value), n(slope), n(0.0), n(0.0)]
}

/// f · g, by Leibniz.
pub fn product([f0, f1, f2, f3]: Jet, [g0, g1, g2, g3]: Jet) -> Jet {
    let of = |a: &Number, b: &Number| a.clone() * b.clone();
    [
        of(&f0, &g0),
        of(&f1, &g0) + of(&f0, &g1),
        of(&f2, &g0) + 2.0 * of(&f1, &g1) + of(&f0, &g2),
        of(&f3, &g0) + 3.0 * of(&f2, &g1) + 3.0 * of(&f1, &g2) + of(&f0, &g3),
    ]
}

/// f ∘ g, by Faà di Bruno, from f's derivatives at g.
pub fn chain([f0, f1, f2, f3]: Jet, [_, g1, g2, g3]: Jet) -> Jet {
    let square = g1.clone().square();
    [
        f0,
        f1.clone() * g1.clone(),
        f2.clone() * square.clone() + f1.clone() * g2.clone(),
        f3 * square * g1.clone() + 3.0 * f2 * g1 * g2 + f1 * g3,
    ]
}

/// uᵃ, from its value.
fn power_of(u: Number, value: Number, a: f64) -> Jet {
    let d1 = a * value.clone() / u.clone();
    let d2 = (a - 1.0) * d1.clone() / u.clone();
    let d3 = (a - 2.0) * d2.clone() / u;
    [value, d1, d2, d3]
}

/// uᵃ for a multiple of ½.
pub fn power(u: Number, a: f64) -> Jet {
    let whole = (0..a.abs().floor() as usize).fold(n(1.0), |p, _| p * u.clone());
    let value = if a.fract() == 0.0 { whole } else { whole * u.clone().sqrt() };
    let value = if a < 0.0 { 1.0 / value } else { value };
    power_of(u, value, a)
}

/// y′ = y/3x, y″ = −2y/9x², y‴ = 10y/27x³.
pub fn cbrt(x: f64) -> Jet {
    let size = (n(x).abs().ln() / n(3.0)).exp();
    let y = if x < 0.0 { -size } else { size };
    let r = 1.0 / n(x);
    let d = |factor: f64, by: f64, power: usize| {
        (0..power).fold(factor * y.clone() / n(by), |d, _| d * r.clone())
    };
    [y.clone(), d(1.0, 3.0, 1), d(-2.0, 9.0, 2), d(10.0, 27.0, 3)]
}

/// (c + s·x²)ᵃ.
fn power_of_square(x: f64, c: f64, s: f64, a: f64) -> Jet {
    // (1 − x)(1 + x) in place of 1 − x² is not needed: there are digits enough.
    let u = (c + s * n(x).square()).sharp();
    chain(power(u.clone(), a), [u, 2.0 * s * n(x), n(2.0 * s), n(0.0)])
}

pub fn exp(x: f64) -> Jet {
    [(); 4].map(|()| n(x).exp())
}

pub fn expm1(x: f64) -> Jet {
    integral(n(x).exp_m1(), exp(x))
}

pub fn exp2(x: f64) -> Jet {
    let (b, y) = (Number::ln_2(), (n(x) * Number::ln_2()).exp());
    [
        y.clone(),
        b.clone() * y.clone(),
        b.clone() * b.clone() * y.clone(),
        b.clone() * b.clone() * b * y,
    ]
}

pub fn log(x: f64) -> Jet {
    integral(n(x).ln(), power(n(x), -1.0))
}

pub fn log1p(x: f64) -> Jet {
    integral(n(x).ln_1p(), power((1.0 + n(x)).sharp(), -1.0))
}

pub fn sin(x: f64) -> Jet {
    let (s, c) = n(x).sin_cos(x);
    [s.clone(), c.clone(), -s, -c]
}

pub fn cos(x: f64) -> Jet {
    let (s, c) = n(x).sin_cos(x);
    [c.clone(), -s.clone(), -c, s]
}

pub fn tan(x: f64) -> Jet {
    let (s, c) = n(x).sin_cos(x);
    let t = s / c;
    let d1 = 1.0 + t.clone().square();
    [t.clone(), d1.clone(), 2.0 * t.clone() * d1.clone(), d1 * (2.0 + 6.0 * t.square())]
}

pub fn atan(x: f64) -> Jet {
    integral(n(x).atan(), power_of_square(x, 1.0, 1.0, -1.0))
}

pub fn cos_atan(x: f64) -> Jet {
    power_of_square(x, 1.0, 1.0, -0.5)
}

pub fn sec_asin(x: f64) -> Jet {
    power_of_square(x, 1.0, -1.0, -0.5)
}

pub fn asin(x: f64) -> Jet {
    let [c, ..] = sec_asin(x);
    let value = if x.abs() == 1.0 { Number::pi() * (0.5 * x) } else { (n(x) * c).atan() };
    integral(value, sec_asin(x))
}

pub fn acos(x: f64) -> Jet {
    let [value, ..] = asin(x);
    integral((Number::pi() / 2.0 - value).sharp(), scaled(n(-1.0), sec_asin(x)))
}

pub fn asinh(x: f64) -> Jet {
    let a = n(x).abs();
    let value = if x.abs() < 1e-18 { a } else { (a.clone() + (1.0 + a.square()).sqrt()).ln() };
    integral(if x < 0.0 { -value } else { value }, cos_atan(x))
}

pub fn acosh(x: f64) -> Jet {
    let u = (n(x).square() - 1.0).sharp();
    integral((n(x) + u.sqrt()).ln(), power_of_square(x, -1.0, 1.0, -0.5))
}

pub fn atanh(x: f64) -> Jet {
    let value = 0.5 * (n(x).ln_1p() - n(-x).ln_1p());
    integral(value.sharp(), power_of_square(x, 1.0, -1.0, -1.0))
}

pub fn sinh(x: f64) -> Jet {
    let (s, c) = (n(x).sinh(), n(x).cosh());
    [s.clone(), c.clone(), s, c]
}

pub fn cosh(x: f64) -> Jet {
    let [s, c, ..] = sinh(x);
    [c.clone(), s.clone(), c, s]
}

pub fn sech2(x: f64) -> Jet {
    let decay = (n(x).abs() * -2.0).exp();
    let s = 4.0 * decay.clone() / (1.0 + decay).square();
    let t = tanh_value(x);
    let square = t.clone().square();
    [
        s.clone(),
        -2.0 * t.clone() * s.clone(),
        4.0 * square.clone() * s.clone() - 2.0 * s.clone().square(),
        16.0 * t.clone() * s.clone().square() - 8.0 * square * t * s,
    ]
}

fn tanh_value(x: f64) -> Number {
    if x.abs() > 100.0 { n(x.signum()) } else { n(x).sinh() / n(x).cosh() }
}

pub fn tanh(x: f64) -> Jet {
    integral(tanh_value(x), sech2(x))
}

pub fn log_cosh(x: f64) -> Jet {
    let a = n(x).abs();
    let value = if x.abs() < 1.0 {
        a.sinh().square().ln_1p() / 2.0
    } else {
        a.clone() + (a * -2.0).exp().ln_1p() - Number::ln_2()
    };
    integral(value.sharp(), tanh(x))
}

pub fn sigmoid(x: f64) -> Jet {
    let decay = (-n(x).abs()).exp();
    let value = if x >= 0.0 { n(1.0) } else { decay.clone() } / (1.0 + decay);
    integral(value, scaled(n(0.25), stretched(0.5, sech2(0.5 * x))))
}

pub fn softplus(x: f64) -> Jet {
    let value = n(x.max(0.0)) + (-n(x).abs()).exp().ln_1p();
    integral(value, sigmoid(x))
}

pub fn log_sigmoid(x: f64) -> Jet {
    stretched(-1.0, scaled(n(-1.0), softplus(-x)))
}

pub fn gaussian(x: f64) -> Jet {
    let (x, g) = (n(x), (-n(x).square()).exp());
    let square = x.clone().square();
    [
        g.clone(),
        -2.0 * x.clone() * g.clone(),
        (4.0 * square.clone() - 2.0) * g.clone(),
        (12.0 - 8.0 * square) * x * g,
    ]
}

pub fn erf(x: f64) -> Jet {
    let c = 2.0 / Number::sqrt_pi();
    let value = if x.abs() > 20.0 { n(x.signum()) } else { n(x).erf() };
    integral(value, scaled(c, gaussian(x)))
}

pub fn erfc(x: f64) -> Jet {
    let c = -2.0 / Number::sqrt_pi();
    integral(2.0 * (n(-x) * Number::sqrt_2()).normal_cdf(), scaled(c, gaussian(x)))
}

pub fn normal_pdf(x: f64) -> Jet {
    let (x, p) = (n(x), n(x).normal_pdf());
    let square = x.clone().square();
    [p.clone(), -x.clone() * p.clone(), (square.clone() - 1.0) * p.clone(), (3.0 - square) * x * p]
}

pub fn normal_cdf(x: f64) -> Jet {
    integral(n(x).normal_cdf(), normal_pdf(x))
}

/// log Φ, whose derivative is λ = φ/Φ with λ′ = −λ(x + λ).
pub fn log_ndtr(x: f64) -> Jet {
    let z = n(-x);
    if x < -1e6 {
        // −z²/2 − log(z √(2π)) − 1/z² + …, and its derivatives.
        let square = z.clone().square();
        let value = -(square.clone() / 2.0) - (z.clone() * Number::sqrt_2pi()).ln();
        let r = 1.0 / square.clone();
        return [
            value,
            z.clone() + 1.0 / z.clone(),
            (r.clone() - 1.0 - 6.0 * r.clone().square()).sharp(),
            2.0 * (1.0 - 12.0 * r.clone()).sharp() * r / z,
        ];
    }
    let ratio =
        if x < -4.0 { z.clone().mills() } else { z.clone().normal_pdf() / n(x).normal_cdf() };
    let value = if x < -4.0 {
        -(z.clone().square() / 2.0) - (ratio.clone() * Number::sqrt_2pi()).ln()
    } else if x > 4.0 {
        (-n(-x).normal_cdf()).ln_1p()
    } else {
        n(x).normal_cdf().ln()
    };
    let more = (n(x) + ratio.clone()).sharp();
    let d2 = -(ratio.clone() * more.clone());
    let d3 = -(d2.clone() * more) - ratio.clone() * (1.0 + d2.clone()).sharp();
    [value.sharp(), ratio, d2, d3.sharp()]
}

/// What is a result of terms of order one: 1 is added and subtracted.
pub fn among_ones(jet: Jet) -> Jet {
    jet.map(|d| d + 1.0 - 1.0)
}

pub fn silu(x: f64) -> Jet {
    product(linear(x, 1.0), sigmoid(x))
}

pub fn gelu(x: f64) -> Jet {
    product(linear(x, 1.0), normal_cdf(x))
}

/// x σ(c(x + 0.044715 x³)) with c = √(8/π).
pub fn gelu_tanh(x: f64) -> Jet {
    let c = (8.0 / Number::pi()).sqrt();
    let (a, x0) = (0.044715, n(x));
    let square = x0.clone().square();
    let inner = [
        c.clone() * x0.clone() * (1.0 + a * square.clone()),
        c.clone() * (1.0 + 3.0 * a * square),
        6.0 * a * c.clone() * x0,
        6.0 * a * c,
    ];
    // The inner function's value rounded to f64 changes the outer one's by as much as the engine's
    // rounding does.
    let w = (2.0 * (2.0 / std::f64::consts::PI).sqrt()) * x * (1.0 + a * x * x);
    let w = w.clamp(-1e9, 1e9);
    product(linear(x, 1.0), chain(sigmoid(w), inner))
}

pub fn elu(x: f64) -> Jet {
    if x > 0.0 { linear(x, 1.0) } else { expm1(x) }
}
