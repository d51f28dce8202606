//! Numbers of many more digits than f64, with a range of exponents that nothing here leaves, and the
//! size of the terms that were added up to each.

use astro_float::{BigFloat, Consts, RoundingMode, Sign};
use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Neg, Sub};

const BITS: usize = 192;
const RM: RoundingMode = RoundingMode::None;

thread_local! {
    static CONSTS: RefCell<Consts> = RefCell::new(Consts::new().unwrap());
    static SQRT_2: Number = Number::from(2.0).sqrt();
    static SQRT_PI: Number = Number::pi().sqrt();
    /// The last argument of a logarithm, and that.
    static LAST: RefCell<Option<(BigFloat, Number)>> = const { RefCell::new(None) };
}

/// A number, and Σ|terms| where it is a sum: what roundings of the terms are relative to.
#[derive(Clone, Debug)]
pub struct Number {
    value: BigFloat,
    size: BigFloat,
}

/// A nearest number of 64 bits or so.
fn rough(x: &BigFloat) -> BigFloat {
    let mut x = x.abs();
    x.set_precision(64, RM).unwrap();
    x
}

impl From<BigFloat> for Number {
    fn from(value: BigFloat) -> Number {
        Number { size: rough(&value), value }
    }
}

impl From<f64> for Number {
    fn from(x: f64) -> Number {
        // Of subnormal numbers `from_f64` makes others.
        let shift = if x.abs() < f64::MIN_POSITIVE && x != 0.0 { 200 } else { 0 };
        let mut big = BigFloat::from_f64(x * f64::exp2(f64::from(shift)), BITS);
        if let Some(exponent) = big.exponent() {
            big.set_exponent(exponent - shift);
        }
        big.into()
    }
}

impl Add for Number {
    type Output = Number;
    fn add(self, b: Number) -> Number {
        Number { value: self.value.add(&b.value, BITS, RM), size: self.size.add(&b.size, 64, RM) }
    }
}

impl Sub for Number {
    type Output = Number;
    fn sub(self, b: Number) -> Number {
        self + -b
    }
}

impl Mul for Number {
    type Output = Number;
    fn mul(self, b: Number) -> Number {
        Number { value: self.value.mul(&b.value, BITS, RM), size: self.size.mul(&b.size, 64, RM) }
    }
}

impl Div for Number {
    type Output = Number;
    fn div(self, b: Number) -> Number {
        let size = self.size.div(&rough(&b.value), 64, RM);
        Number { value: self.value.div(&b.value, BITS, RM), size }
    }
}

impl Neg for Number {
    type Output = Number;
    fn neg(self) -> Number {
        Number { value: self.value.neg(), size: self.size }
    }
}

macro_rules! with_literal {
    ($($Op:ident $op:ident),*) => {$(
        impl $Op<f64> for Number {
            type Output = Number;
            fn $op(self, b: f64) -> Number {
                self.$op(Number::from(b))
            }
        }
        impl $Op<Number> for f64 {
            type Output = Number;
            fn $op(self, b: Number) -> Number {
                Number::from(self).$op(b)
            }
        }
    )*};
}
with_literal!(Add add, Sub sub, Mul mul, Div div);

/// Below 2⁻⁶⁰ (beyond 2⁶⁰) two terms of a series have all the digits that are compared.
const EDGE: i32 = 60;

impl Number {
    pub fn pi() -> Number {
        CONSTS.with_borrow_mut(|c| c.pi(BITS, RM)).into()
    }

    pub fn ln_2() -> Number {
        CONSTS.with_borrow_mut(|c| c.ln_2(BITS, RM)).into()
    }

    pub fn ln_10() -> Number {
        CONSTS.with_borrow_mut(|c| c.ln_10(BITS, RM)).into()
    }

    pub fn sqrt_2() -> Number {
        SQRT_2.with(Number::clone)
    }

    pub fn sqrt_pi() -> Number {
        SQRT_PI.with(Number::clone)
    }

    pub fn sqrt_2pi() -> Number {
        Number::sqrt_2() * Number::sqrt_pi()
    }

    /// The number, as if it were no sum: where its terms must not cancel in what is tested.
    pub fn sharp(self) -> Number {
        self.value.into()
    }

    /// The binary exponent e of m · 2ᵉ with ½ ≤ |m| < 1.
    fn exponent(&self) -> i32 {
        self.value.exponent().filter(|_| !self.value.is_zero()).unwrap_or(i32::MIN)
    }

    pub fn is_negative(&self) -> bool {
        self.value.sign() == Some(Sign::Neg) && !self.value.is_zero()
    }

    pub fn abs(self) -> Number {
        if self.is_negative() { -self } else { self }
    }

    pub fn square(self) -> Number {
        self.clone() * self
    }

    pub fn sqrt(self) -> Number {
        self.value.sqrt(BITS, RM).into()
    }

    /// eˣ; from 16384 on another number, beyond all exponents of f64 (or below) whatever powers of x it is
    /// multiplied by.
    pub fn exp(self) -> Number {
        if self.exponent() < -EDGE {
            let (x, square) = (self.clone(), self.clone().square());
            let cube = square.clone() * x.clone();
            return (1.0 + x + square / 2.0 + cube.clone() / 6.0 + cube * self / 24.0).sharp();
        }
        if self.exponent() > 14 {
            let mut power = BigFloat::from_f64(1.0, BITS);
            power.set_exponent(if self.is_negative() { -16384 } else { 16384 });
            return power.into();
        }
        CONSTS.with_borrow_mut(|c| self.value.exp(BITS, RM, c)).into()
    }

    /// eˣ − 1.
    pub fn exp_m1(self) -> Number {
        if self.exponent() < -EDGE {
            let square = self.clone().square();
            return (self.clone() + square.clone() / 2.0 + square * self / 6.0).sharp();
        }
        (self.exp() - 1.0).sharp()
    }

    pub fn ln(self) -> Number {
        let exponent = self.exponent();
        let mut m = self.value;
        m.set_exponent(1);
        let known = LAST.take().filter(|(last, _)| *last == m);
        let (m, log) = known.unwrap_or_else(|| {
            let log = CONSTS.with_borrow_mut(|c| m.ln(BITS, RM, c));
            (m, log.into())
        });
        LAST.set(Some((m, log.clone())));
        (log + Number::ln_2() * f64::from(exponent - 1)).sharp()
    }

    /// log(1 + x).
    pub fn ln_1p(self) -> Number {
        if self.exponent() < -EDGE {
            let square = self.clone().square();
            return (self.clone() - square.clone() / 2.0 + square * self / 3.0).sharp();
        }
        (1.0 + self).ln()
    }

    pub fn sinh(self) -> Number {
        if self.is_negative() {
            return -(-self).sinh();
        }
        let m = self.exp_m1();
        (0.5 * (m.clone() + m.clone() / (m + 1.0).sharp())).sharp()
    }

    pub fn cosh(self) -> Number {
        0.5 * (self.clone().exp() + (-self).exp())
    }

    pub fn atan(self) -> Number {
        let exponent = self.exponent();
        if exponent < -EDGE {
            return self;
        }
        if exponent > EDGE {
            let half = if self.is_negative() { -0.5 } else { 0.5 };
            return (Number::pi() * half - 1.0 / self).sharp();
        }
        CONSTS.with_borrow_mut(|c| self.value.atan(BITS, RM, c)).into()
    }

    /// sin x and cos x; beyond 2³⁰, where an argument's digits before the point take their time, from
    /// the standard library.
    pub fn sin_cos(self, x: f64) -> (Number, Number) {
        if self.exponent() < -EDGE {
            return (self, Number::from(1.0));
        }
        if self.exponent() > 30 {
            return (x.sin().into(), x.cos().into());
        }
        CONSTS.with_borrow_mut(|c| {
            (self.value.sin(BITS, RM, c).into(), self.value.cos(BITS, RM, c).into())
        })
    }

    /// erf x = 2/√π e^(−x²) Σ 2ⁿ x^(2n+1)/(2n+1)!!, a series without cancellation.
    pub fn erf(self) -> Number {
        let square = self.clone().square();
        let (mut term, mut sum) = (self.clone(), self);
        let mut n = 1;
        while term.exponent() > sum.exponent() - 190 {
            term = term * (2.0 * square.clone()) / f64::from(2 * n + 1);
            sum = sum + term.clone();
            n += 1;
        }
        (2.0 * sum * (-square).exp() / Number::sqrt_pi()).sharp()
    }

    /// e^(−z²/2)/√(2π).
    pub fn normal_pdf(self) -> Number {
        (self.square() / -2.0).exp() / Number::sqrt_2pi()
    }

    /// φ(z)/Φ(−z) for z ≥ 4 = z + 1/(z + 2/(z + 3/(z + …))).
    pub fn mills(self) -> Number {
        let levels = match self.exponent() {
            20.. => 10,
            7.. => 50,
            _ => 300,
        };
        (1..levels).rev().fold(self.clone(), |w, k| (self.clone() + f64::from(k) / w).sharp())
    }

    /// Φ(x).
    pub fn normal_cdf(self) -> Number {
        if self.exponent() > 2 {
            let upper = self.clone().abs();
            let tail = upper.clone().normal_pdf() / upper.mills();
            return if self.is_negative() { tail } else { (1.0 - tail).sharp() };
        }
        ((1.0 + (self / Number::sqrt_2()).erf()) / 2.0).sharp()
    }

    /// How far a float is from this number: in units of the last place that the number's size has, and
    /// in least numbers of the format.
    pub fn distance(&self, found: f64, format: Format) -> [f64; 2] {
        const FAR: [f64; 2] = [f64::INFINITY; 2];
        let Format { digits, least, most } = format;
        if found.is_nan() || self.value.is_nan() {
            return FAR;
        }
        let parts = |x: &BigFloat| match x.as_raw_parts() {
            Some((words, _, sign, exponent, _)) if !x.is_zero() => {
                let m = *words.last().unwrap() as f64 * f64::exp2(-64.0);
                (if sign == Sign::Neg { -m } else { m }, exponent)
            }
            _ => (0.0, -5000),
        };
        let ((mut m, mut e), (_, size)) = (parts(&self.value), parts(&self.size));
        if found.is_infinite() {
            // A formula has constants: up to an eighth of the largest number infinity is as near.
            return if e >= most - 3 && (m > 0.0) == (found > 0.0) { [0.0; 2] } else { FAR };
        }
        if e > most + 1 {
            return FAR;
        }
        // Far below its terms it counts as 0.
        if e < least - 2 || e < size - 300 {
            (m, e) = (0.0, least.max(size));
        }
        let half = e / 2;
        let scaled = found * f64::exp2(f64::from(-half)) * f64::exp2(f64::from(half - e));
        [(size - digits).max(least), least].map(|unit| {
            // Differences of any size, in two factors again.
            let by = (e - unit).clamp(-2000, 2000);
            (scaled - m).abs() * f64::exp2(f64::from(by / 2)) * f64::exp2(f64::from(by - by / 2))
        })
    }
}

/// A format of floats: the bits, and the powers of two of the least and beyond the largest.
#[derive(Clone, Copy)]
pub struct Format {
    pub digits: i32,
    pub least: i32,
    pub most: i32,
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // As m · 2ᵉ, for it may be no f64.
        let e = self.exponent().max(-5000);
        let m = self.value.as_raw_parts().map_or(0, |parts| *parts.0.last().unwrap());
        let sign = if self.is_negative() { "-" } else { "" };
        let value = m as f64 * f64::exp2(-64.0);
        let log10 = (value.log2() + f64::from(e)) * std::f64::consts::LOG10_2;
        write!(f, "{sign}{value} * 2^{e} (10^{log10:.3})")
    }
}
