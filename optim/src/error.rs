//! The typed errors of optimizers and curvature tools.

/// A result whose error is an [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// An error of the optimizers and curvature tools.
#[derive(Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An error of the engine: shapes, inputs, backends.
    #[error(transparent)]
    Autodiff(#[from] burlap_autodiff::Error),
    /// A setting outside its range.
    #[error("{of}: {name} is {value}, but must be {expected}")]
    Setting {
        /// The owner of the setting.
        of: String,
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// The range or kind that is allowed.
        expected: &'static str,
    },
    /// A setting that a method does not have.
    #[error("{of}: {name} is {value}, but must be left out: the method has no such setting")]
    UnknownSetting {
        /// The method.
        of: String,
        /// The setting.
        name: String,
        /// Its value.
        value: String,
    },
    /// A loss that is NaN or infinite.
    #[error("{of}: the loss is {loss}{}", why(input.as_ref(), cause.as_deref()))]
    NonFiniteLoss {
        /// The method that evaluated it.
        of: String,
        /// The loss.
        loss: f64,
        /// The element of the batch that is no number.
        input: Option<BadElement>,
        /// The primitive that first gave a NaN or an infinity, with its place in the user's code.
        cause: Option<Box<burlap_autodiff::Error>>,
    },
    /// A gradient with a NaN or an infinity, though the loss is finite.
    #[error("{of}: the gradient is not finite{}", why(input.as_ref(), cause.as_deref()))]
    NonFiniteGradient {
        /// Who received it.
        of: String,
        /// The element of the batch that is no number.
        input: Option<BadElement>,
        /// The primitive that first gave a NaN or an infinity, with its place in the user's code.
        cause: Option<Box<burlap_autodiff::Error>>,
    },
    /// A sharpness estimate that is not finite though the loss is.
    #[error("{of}: the sharpness of {samples} samples is {value}")]
    NonFiniteSharpness {
        /// The measure.
        of: String,
        /// The number of samples.
        samples: usize,
        /// The value.
        value: f64,
    },
    /// A name that stands for nothing.
    #[error("there is no {what} named {name:?}; there are {known}")]
    Unknown {
        /// The kind of thing that was looked for.
        what: &'static str,
        /// The name.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// An array of a batch that does not fit the others, its declaration or the loss.
    #[error("batch: {array} is {found}, but must be {expected}")]
    Batch {
        /// The array's name or its place, or another part of the batch.
        array: String,
        /// Its type and shape, or its number.
        found: String,
        /// The range or kind that is allowed.
        expected: String,
    },
    /// A [ratio](crate::Loss::Ratio) by nothing.
    #[error("{of}: the loss's denominator is {denominator} {problem}")]
    Denominator {
        /// The function that evaluated the loss.
        of: String,
        /// The denominator.
        denominator: f64,
        /// The part of the batch, and the contradiction.
        problem: String,
    },
    /// One name for two formulas.
    #[error("program {name:?}: another formula has this name already")]
    ProgramName {
        /// The name.
        name: String,
    },
    /// A vector of another length or type than the objective's parameters.
    #[error("{of}: expected {expected}, found {found}")]
    Vector {
        /// Who received it.
        of: String,
        /// Type and length expected.
        expected: String,
        /// Type and shape found.
        found: String,
    },
    /// A saved state that does not fit.
    #[error("restoring {of}: {problem}")]
    State {
        /// The owner of the state.
        of: String,
        /// The misfit.
        problem: String,
    },
    /// An iteration that did not converge or broke down.
    #[error("{of}: {problem}")]
    Iteration {
        /// The algorithm.
        of: &'static str,
        /// How it ended.
        problem: String,
    },
    /// A Ritz value, within an operator's spectrum, at which a function has no value.
    #[error("{of}: the Ritz value {value:.4e} {problem}")]
    RitzValue {
        /// The function.
        of: &'static str,
        /// The Ritz value.
        value: f64,
        /// The reason.
        problem: String,
    },
}

/// The sentence of `Display`: what a program prints whose `main` returns the error.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// An element of a batch that is NaN or infinite.
#[derive(Clone, Debug, PartialEq)]
pub struct BadElement {
    /// The array's name, or its place.
    pub array: String,
    /// The element's position.
    pub position: Vec<usize>,
    /// Its value.
    pub value: f64,
}

/// The reason why a result is not finite: an input, or else the first such primitive.
fn why(input: Option<&BadElement>, cause: Option<&burlap_autodiff::Error>) -> String {
    match (input, cause) {
        (Some(BadElement { array, position, value }), _) => {
            format!("; {array} holds {value} at {position:?}")
        }
        (None, Some(cause)) => format!("; first {cause}"),
        (None, None) => String::new(),
    }
}

fn within(
    inside: bool,
    of: &str,
    name: &'static str,
    value: impl ToString,
    expected: &'static str,
) -> Result<()> {
    if inside {
        return Ok(());
    }
    Err(Error::Setting { of: of.into(), name, value: value.to_string(), expected })
}

/// Checks that a setting is finite.
pub(crate) fn finite(of: &str, name: &'static str, value: f64) -> Result<()> {
    within(value.is_finite(), of, name, value, "finite")
}

/// Checks that a setting is finite and positive.
pub(crate) fn positive(of: &str, name: &'static str, value: f64) -> Result<()> {
    within(value > 0.0 && value.is_finite(), of, name, value, "positive and finite")
}

/// Checks that a setting is finite and not negative.
pub(crate) fn not_negative(of: &str, name: &'static str, value: f64) -> Result<()> {
    within(value >= 0.0 && value.is_finite(), of, name, value, "finite and not negative")
}

/// Checks that a setting is in (0, 1].
pub(crate) fn fraction(of: &str, name: &'static str, value: f64) -> Result<()> {
    within(value > 0.0 && value <= 1.0, of, name, value, "above 0 and at most 1")
}

/// Checks that a setting is in [0, 1).
pub(crate) fn below_one(of: &str, name: &'static str, value: f64) -> Result<()> {
    within((0.0..1.0).contains(&value), of, name, value, "at least 0 and below 1")
}

/// Checks a least number of something; `expected` is its sentence.
pub(crate) fn at_least(
    of: &str,
    name: &'static str,
    value: usize,
    (least, expected): (usize, &'static str),
) -> Result<()> {
    within(value >= least, of, name, value, expected)
}

/// Checks that a number of things is positive.
pub(crate) fn positive_count(of: &str, name: &'static str, value: usize) -> Result<()> {
    at_least(of, name, value, (1, "at least 1"))
}
