//! Elementwise primitives of two operands, and comparisons: their methods and derivatives, from the
//! rows of `graph/binary.rs`.

use super::batching::{Batched, Batching};
use super::derivative::Partial;
use super::example::{Example, Rows, Sample, example};
use super::plain::{self, Operands};
use super::primitive::{Fact, Factors, Primitive};
use crate::error::{At, Error, Result};
use crate::graph::{Binary, Compare, NodeId, Op, Unary, binary_rows, compare_rows};
use crate::tape::{TapeData, Var, record1, record2};
use crate::work::{Lowering, Scalar};
use crate::{DType, Shape};

macro_rules! derivatives {
    ($a:ident, $b:ident, $y:ident; $($(#[$doc:meta])+ $variant:ident $name:literal $function:ident
        d($da:expr, $db:expr);)*) => {
        impl Binary {
            /// The derivative factor for one operand.
            #[allow(unused_variables)]
            fn factor(self, operand: usize, $a: Var, $b: Var, $y: Var) -> Partial {
                match self {
                    $(Binary::$variant => if operand == 0 { $da } else { $db },)*
                }
            }
        }

        impl Rows for Binary {
            fn examples() -> Vec<(&'static str, Vec<Example>)> {
                vec![$(($name, {
                    fn record(args: &[Var]) -> Var {
                        binary(args[0].into(), args[1].into(), Binary::$variant, At::caller())
                    }
                    shapes(record)
                })),*]
            }
        }
    };
}
binary_rows!(derivatives);

impl Primitive for Binary {
    fn derivative(&self) -> Fact<'_> {
        Fact::Elementwise(self)
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(*self)
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        Ok(plain::zip(of.value(0), of.value(1), |a, b| match of.dtype(0) {
            DType::F32 | DType::F64 => self.eval(a, b),
            DType::U32 => f64::from(self.eval(a as u32, b as u32)),
            DType::Bool => f64::from(u8::from(self.eval(a != 0.0, b != 0.0))),
        }))
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Instruction(Scalar::Binary(*self))
    }
}

impl Factors for Binary {
    fn partial(&self, i: usize, args: &[Var], y: Var) -> Partial {
        self.factor(i, args[0], args[1], y)
    }
}

impl Primitive for Compare {
    fn derivative(&self) -> Fact<'_> {
        Fact::Constant
    }

    fn batched(&self, of: &Batching<'_>) -> Batched {
        of.all(*self)
    }

    fn plain(&self, of: &Operands<'_>) -> Result<Vec<f64>> {
        let compared = |a, b| f64::from(u8::from(self.eval(a, b)));
        Ok(plain::zip(of.value(0), of.value(1), compared))
    }

    fn lowering(&self) -> Lowering<'_> {
        Lowering::Instruction(Scalar::Compare(*self))
    }
}

/// a − b; 0 where both are the same infinity.
fn gap(a: Var, b: Var) -> Var {
    let infinite = a.equal(b).min(a.abs().equal(f64::INFINITY));
    infinite.select(0.0, a - b)
}

/// ∂ atan2(y, x) by the ordinate or the abscissa: x/(x² + y²) and −y/(x² + y²). With the larger of
/// them in the denominator, q = smaller/larger and 1/(x² + y²) = 1/(larger² (1 + q²)), whose root is
/// `cos_atan` of q.
fn turn(y: Var, x: Var, by_ordinate: bool) -> Partial {
    let flat = y.abs().le(x.abs());
    let (larger, smaller) = (flat.select(x, y), flat.select(y, x));
    let origin = larger.equal(0.0);
    let divisor = origin.select(1.0, larger);
    let q = smaller / divisor;
    let first =
        if by_ordinate { flat.select(1.0, q) } else { flat.select(-q, -q.constant_like(1.0)) };
    Partial::factors([first, origin.select(0.0, divisor.recip()), q.cos_atan(), q.cos_atan()])
}

/// ∂(aᵇ)/∂a = b aᵇ⁻¹. With a literal exponent the recording simplifies, so that powers
/// that reach 0 vanish instead of giving 0 · 0⁻¹.
fn power_base(a: Var, b: Var) -> Var {
    match b.hidden_constant() {
        Some(c) => c * a.powf(c - 1.0),
        // An exponent of 0, which a derivative brings about too, makes 0 of 0⁻¹.
        None => b.strong_mul(a.pow(b - 1.0)),
    }
}

/// ∂(aᵇ)/∂b = aᵇ log a, 0 at a = 0.
fn power_exponent(a: Var, y: Var) -> Var {
    let zero = a.equal(0.0);
    y * zero.select(a.constant_like(1.0), a).log()
}

fn chosen(wins: Var, a: Var, b: Var) -> Var {
    let half = a.constant_like(0.5);
    let none = a.constant_like(0.0);
    wins.select(a.constant_like(1.0), a.equal(b).select(half, none))
}

/// Uses of a function of two positive operands, of which powers are defined.
fn shapes(record: fn(&[Var]) -> Var) -> Vec<Example> {
    let of = |a, b| Example {
        operands: vec![Sample::Real(a), Sample::Real(b)],
        between: (0.3, 3.0),
        record,
    };
    vec![of(&[2, 3], &[2, 3]), of(&[2, 1, 3], &[4, 1]), of(&[], &[3]), of(&[], &[])]
}

macro_rules! methods {
    ($($(#[$doc:meta])+ $variant:ident $name:literal $method:ident $op:tt;)*) => {
        impl Var {
            $($(#[$doc])+
            ///
            /// The result is a mask of type `Bool`; a literal takes the type of the variable.
            #[track_caller]
            pub fn $method(self, other: impl Into<Operand>) -> Var {
                let at = At::caller();
                combine(self.into(), other.into(), $name, at, |tape, a, b, shape, _| {
                    tape.push(Op::Compare(Compare::$variant), &[a, b], shape, DType::Bool, at)
                })
            })*
        }

        impl Rows for Compare {
            fn examples() -> Vec<(&'static str, Vec<Example>)> {
                vec![$(($name, vec![
                    example(&[Sample::Real(&[4, 3]), Sample::Real(&[3])], |a| a[0].$method(a[1])),
                    example(
                        &[Sample::Integer(&[4], 3), Sample::Integer(&[4], 3)],
                        |a| a[0].$method(a[1]),
                    ),
                ])),*]
            }
        }
    };
}
compare_rows!(methods);

/// A variable or a literal, as the second operand of a binary operation.
#[derive(Clone, Copy, Debug)]
pub enum Operand {
    /// A recorded value.
    Var(Var),
    /// A literal, which takes the type of the other operand.
    Literal(f64),
}

impl From<Var> for Operand {
    fn from(var: Var) -> Operand {
        Operand::Var(var)
    }
}

impl From<i32> for Operand {
    fn from(x: i32) -> Operand {
        Operand::Literal(f64::from(x))
    }
}

impl From<f64> for Operand {
    fn from(x: f64) -> Operand {
        Operand::Literal(x)
    }
}

/// Brings two operands to one tape, type and shape, and records.
pub(crate) fn combine(
    a: Operand,
    b: Operand,
    name: &'static str,
    at: At,
    record: impl FnOnce(&mut TapeData, NodeId, NodeId, Shape, DType) -> NodeId,
) -> Var {
    match (a, b) {
        (Operand::Var(a), Operand::Var(b)) => record2(a, b, name, at, |tape, a, b| {
            let ((sa, ta), (sb, tb)) = (tape.aval(a), tape.aval(b));
            if ta != tb {
                let problem = "the element types differ".into();
                return Err(Error::DType { op: name, problem, operands: vec![ta, tb], at });
            }
            if sa == sb {
                return Ok(record(tape, a, b, sa, ta));
            }
            let shape = common_shape(name, &[&sa, &sb], at)?;
            let a = tape.broadcast_to(a, &shape, at);
            let b = tape.broadcast_to(b, &shape, at);
            Ok(record(tape, a, b, shape, ta))
        }),
        (Operand::Var(a), Operand::Literal(c)) => record1(a, name, at, |tape, a| {
            let (shape, dtype) = tape.aval(a);
            let b = tape.full(c, &shape, dtype, at);
            Ok(record(tape, a, b, shape, dtype))
        }),
        (Operand::Literal(c), Operand::Var(b)) => record1(b, name, at, |tape, b| {
            let (shape, dtype) = tape.aval(b);
            let a = tape.full(c, &shape, dtype, at);
            Ok(record(tape, a, b, shape, dtype))
        }),
        (Operand::Literal(_), Operand::Literal(_)) => Var::dead(),
    }
}

/// The common shape under NumPy's rule: aligned at the last axis, sizes equal or 1.
pub(crate) fn broadcast_shapes(a: &Shape, b: &Shape) -> Option<Shape> {
    let rank = a.len().max(b.len());
    let size = |s: &Shape, axis: usize| {
        if axis + s.len() >= rank { s[axis + s.len() - rank] } else { 1 }
    };
    (0..rank)
        .map(|axis| match (size(a, axis), size(b, axis)) {
            (m, n) if m == n => Some(m),
            (1, n) => Some(n),
            (m, 1) => Some(m),
            _ => None,
        })
        .collect()
}

/// The common shape of operands, where they have one that memory can hold.
pub(super) fn common_shape(op: &'static str, operands: &[&Shape], at: At) -> Result<Shape> {
    let fail = |problem: String| {
        let operands = operands.iter().map(|&s| s.clone()).collect();
        Err(Error::Shape { op, problem, operands, at })
    };
    let both = |common: Shape, shape: &&Shape| broadcast_shapes(&common, shape);
    let Some(common) = operands.iter().try_fold(Shape::scalar(), both) else {
        return fail("the shapes cannot be broadcast together".into());
    };
    common.problem().map_or(Ok(common), fail)
}

pub(crate) fn binary(a: Operand, b: Operand, f: Binary, at: At) -> Var {
    combine(a, b, f.name(), at, |tape, a, b, shape, dtype| {
        tape.push(Op::Binary(f), &[a, b], shape, dtype, at)
    })
}

/// A function of real numbers alone.
fn real_binary(a: Var, b: Operand, f: Binary, at: At) -> Var {
    let dtype = a.dtype();
    if dtype.is_float() {
        return binary(a.into(), b, f, at);
    }
    record1(a, f.name(), at, |_, _| {
        let problem = "the operands must be f32 or f64".into();
        Err(Error::DType { op: f.name(), problem, operands: vec![dtype], at })
    })
}

impl Var {
    /// The larger of the two, elementwise; NaN where either is. At ties each has half of the derivative.
    #[track_caller]
    pub fn max(self, other: impl Into<Operand>) -> Var {
        binary(self.into(), other.into(), Binary::Max, At::caller())
    }

    /// The smaller of the two, elementwise; NaN where either is. At ties each has half of the derivative.
    #[track_caller]
    pub fn min(self, other: impl Into<Operand>) -> Var {
        binary(self.into(), other.into(), Binary::Min, At::caller())
    }

    /// The product of the two, elementwise, but 0 where this value is 0, even if the other is
    /// infinite or NaN.
    ///
    /// With it, formulas whose limit is 0 are written as they are: entropy p log p at p = 0,
    /// weights of 0 on infinite losses. Its derivatives are those of the product; where this
    /// value is 0 and the other is not finite, the derivative of the other is left out, and that
    /// of this value is the other.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Tape};
    /// let tape = Tape::new();
    /// let p = tape.input("p", DType::F64, [3]);
    /// let entropy = -p.strong_mul(p.log()).sum();
    /// let out = tape.compile(&Cpu::new(), &[entropy])?.run(&[&Array::vector([0.5, 0.0, 0.5])])?;
    /// assert_eq!(out[0].item()?, 2f64.ln());
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    #[track_caller]
    pub fn strong_mul(self, other: impl Into<Operand>) -> Var {
        binary(self.into(), other.into(), Binary::StrongMul, At::caller())
    }

    /// The product of the two, elementwise, but 0 where either is 0, even if the other is infinite
    /// or NaN: [`Var::strong_mul`] for both.
    #[track_caller]
    pub fn strong_mul_both(self, other: impl Into<Operand>) -> Var {
        binary(self.into(), other.into(), Binary::StrongMulBoth, At::caller())
    }

    /// x log y, which is 0 where x is 0, whatever y is. At x = y = 0, where ∂/∂x = log y is
    /// infinite, its derivatives are taken as 0: so the entropy −Σ p log p of a softmax with
    /// elements of −∞ has the right ones.
    #[track_caller]
    pub fn xlogy(self, y: Var) -> Var {
        let vanishes = self.equal(0.0).min(y.equal(0.0));
        vanishes.select(0.0, self.strong_mul(y.log()))
    }

    /// log(eᵃ + eᵇ) of `self` and `other`, elementwise, without overflow; the derivatives are σ(a − b)
    /// and σ(b − a).
    ///
    /// Two equal infinities give that infinity, with first derivatives of ½ and further ones of 0.
    #[track_caller]
    pub fn logaddexp(self, other: impl Into<Operand>) -> Var {
        real_binary(self, other.into(), Binary::LogAddExp, At::caller())
    }

    /// The angle in (−π, π] of the point with ordinate `self` and abscissa `x`, elementwise.
    ///
    /// All its derivatives at the origin are taken as 0. They neither overflow nor underflow before
    /// the result does, unless |x| and |y| are both below 2⁻¹⁰²³ (2⁻¹²⁷ in F32); third ones that overflow
    /// may be NaN, as differences. Where both are infinite derivatives are NaN.
    #[track_caller]
    pub fn atan2(self, x: impl Into<Operand>) -> Var {
        real_binary(self, x.into(), Binary::Atan2, At::caller())
    }

    /// `self` to the power `other`, elementwise, both of a float type.
    #[track_caller]
    pub fn pow(self, other: impl Into<Operand>) -> Var {
        let at = At::caller();
        match other.into() {
            Operand::Literal(c) => self.power_literal(c, at),
            other => binary(self.into(), other, Binary::Pow, at),
        }
    }

    /// `self` to a literal power: `powf(2.0)` is recorded as a product, so that all its
    /// derivatives are right at 0.
    #[track_caller]
    pub fn powf(self, exponent: f64) -> Var {
        self.power_literal(exponent, At::caller())
    }

    /// `self` to an integer power.
    #[track_caller]
    pub fn powi(self, exponent: i32) -> Var {
        self.power_literal(f64::from(exponent), At::caller())
    }

    fn power_literal(self, c: f64, at: At) -> Var {
        if c == 0.0 {
            self.constant_like(1.0)
        } else if c == 1.0 {
            self.own(at)
        } else if c == 2.0 {
            binary(self.into(), self.into(), Binary::Mul, at)
        } else if c == -1.0 {
            self.unary(Unary::Recip, at)
        } else if c == 0.5 {
            self.unary(Unary::Sqrt, at)
        } else {
            binary(self.into(), c.into(), Binary::Pow, at)
        }
    }
}
