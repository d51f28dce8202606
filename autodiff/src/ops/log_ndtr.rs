//! log Φ with the normal distribution function Φ, as a composition in whose derivatives of all orders
//! nothing cancels: log Φ as such has λ = φ/Φ and λ′ = −λ(x + λ), where x + λ is a difference of
//! neighbours for x far to the left.

use crate::tape::Var;

/// ½ log 2π.
const LOG_SQRT_2PI: f64 = 0.9189385332046728;

/// Levels of the continued fraction from which on doubles do not change at z = 8, third derivatives
/// included.
const LEVELS: u32 = 18;

/// (z + 1.25) e^(z²/2) Φ(−z) in s = 1.2 − 12/(z + 6) for 0 ≤ z ≤ 8, by interpolation at 24 Chebyshev nodes
/// of −0.7 ≤ z ≤ 9: with their logarithm's first three derivatives within 2⁻⁵⁵, 2⁻⁵⁸, 2⁻⁵⁸ and 2⁻⁵¹.
const TAIL: [f64; 24] = [
    0.4956558668353369,
    -0.14510719553504126,
    0.07916127398217042,
    -0.01462174424136726,
    -0.028680856309231364,
    0.04451230555507687,
    -0.03951383826415031,
    0.025670775626904396,
    -0.012641427825809709,
    0.0045114548381484975,
    -0.0009449542814906553,
    -4.213881750406325e-05,
    0.00010557576863161066,
    -2.689005682256237e-05,
    -4.370483849981651e-06,
    3.9204419449682665e-06,
    -2.1143011853267534e-07,
    -4.310402773659146e-07,
    8.173743930826763e-08,
    4.450346727529511e-08,
    -2.343435743053535e-08,
    -1.6056458083008007e-08,
    -3.374249535876929e-09,
    -2.4470254235567513e-10,
];

impl Var {
    /// log Φ(x) with the normal distribution function Φ; its derivative is φ(x)/Φ(x), about −x to the
    /// left.
    ///
    /// With z = −x it is −z²/2 − ½ log 2π − log(z + 1/(z + 2/(z + 3/(z + …)))) to the left of −8, with
    /// Laplace's continued fraction of φ(z)/Φ(−z); a polynomial has the place of that up to 0, and to the
    /// right it is log(1 − Φ(−x)). First and second derivatives are within 12 units in the last place,
    /// third ones within 80.
    ///
    /// ```
    /// use burlap_autodiff::{Array, Cpu, DType, Tape};
    /// let tape = Tape::new();
    /// let x = tape.input("x", DType::F64, [1]);
    /// let one = x.constant_like(1.0);
    /// let second = x.log_ndtr().jvp(x, one).jvp(x, one);
    /// let out = tape.compile(&Cpu::new(), &[second])?.run(&[&Array::vector([-1e4])])?;
    /// assert!((out[0].to_f64_vec()[0] - (1e-8 - 1.0)).abs() < 1e-15);
    /// # Ok::<(), burlap_autodiff::Error>(())
    /// ```
    #[track_caller]
    pub fn log_ndtr(self) -> Var {
        let (far, right) = (self.lt(-8.0), self.gt(0.0));
        // Branches that are not taken get an operand where they are tame.
        let beyond = far.select(-self, 8.0);
        let between = far.select(1.0, right.select(1.0, -self));
        let above = right.select(self, 1.0);
        let half_square = |z: Var| (0.5 * z) * z;

        let ratio = (1..=LEVELS).rev().fold(beyond, |w, k| beyond + f64::from(k) / w);
        let beyond = -(half_square(beyond) + (ratio.log() + LOG_SQRT_2PI));

        let s = 1.2 - 12.0 * (between + 6.0).recip();
        let polynomial = TAIL.iter().rev().fold(s.constant_like(0.0), |p, &c| p * s + c);
        let between = polynomial.log() - (between + 1.25).log() - half_square(between);

        let above = (-(-above).normal_cdf()).log1p();
        far.select(beyond, right.select(above, between))
    }
}
