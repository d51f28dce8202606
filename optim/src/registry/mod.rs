//! The registry: one row a method, from which names, settings, defaults and documentation follow.

mod rules;
mod settings;

pub use rules::{RuleMember, UPDATE_RULES, update_rule, update_rules_table};
pub use settings::{MethodSettings, Setting, SettingKind, SettingValue};

use crate::error::{Error, Result};
use crate::gradient::penalty::{Estimator, Sharpness, SharpnessMethod, ggn_trace, instances};
use crate::gradient::sam::{self, Sam};
use crate::gradient::{self, Method};
use settings::Resolution;
use std::fmt;

/// The methods that have names, a row each.
pub static METHODS: &[Member] = &[
    gradient::PLAIN,
    sam::ascent::SAM,
    sam::asam::ASAM,
    sam::ascent::PUBLISHED_SAM,
    sam::asam::PUBLISHED_ASAM,
    sam::ssam_f::SSAM_F,
    sam::ssam_d::SSAM_D,
    sam::gsam::GSAM,
    sam::look_sam::LOOK_SAM,
    sam::esam::ESAM,
    sam::f_sam::F_SAM,
    sam::wsam::WSAM,
    sam::fisher_sam::FISHER_SAM,
    sam::msam::MSAM,
    sam::cr_sam::CR_SAM,
    sam::eigen_sam::EIGEN_SAM,
    sam::vasso::VASSO,
    instances::TRACE_SAM,
    instances::FROB_SAM,
    instances::DET_SAM,
    instances::LOGDET_SAM,
    instances::MAX_EIGEN_SAM,
    instances::TILTED_SAM,
    ggn_trace::GGN_TRACE_SAM,
];

/// The settings of every member of the SAM family.
const STEP_SETTINGS: &[Setting] = &[
    Setting::off(
        "m-sharpness",
        SettingKind::Count,
        "number of examples m that share a perturbation; the whole batch if it is not given",
    )
    .formerly("micro-batch"),
    Setting::off(
        "ranges",
        SettingKind::Ranges,
        "the parameters that are perturbed; all by default",
    ),
];

/// The settings of every penalty.
const PENALTY_SETTINGS: &[Setting] =
    &[Setting::number("rho", 0.01, "radius ρ of finite differences, and of the penalty λρ²S")];

/// The settings of a penalty whose curvatures have estimators. The estimator is the first: others'
/// defaults depend on it.
const ESTIMATED_SETTINGS: &[Setting] = &[
    Setting::estimator("estimator", Estimator::Exact, "estimator of the curvatures ½vᵀHv"),
    PENALTY_SETTINGS[0],
];

/// The constructor of a method.
#[derive(Clone, Copy)]
enum Constructor {
    Plain,
    Sam(fn(&MethodSettings) -> Result<Sam>),
    /// With a choice of the estimator.
    Penalty(fn(&MethodSettings) -> Result<Sharpness>),
    /// With an estimator of its own.
    ExactPenalty(fn(&MethodSettings) -> Result<Sharpness>),
}

/// A method of the registry.
#[derive(Clone, Copy)]
pub struct Member {
    /// The name.
    pub name: &'static str,
    /// The name under which the first releases knew it, where it is another one.
    pub former_name: Option<&'static str>,
    /// The source.
    pub paper: &'static str,
    /// The gradient as a formula.
    pub formula: &'static str,
    /// Its settings without those of all [its kind](Member::all_settings).
    pub settings: &'static [Setting],
    constructor: Constructor,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.name, self.formula, self.paper)
    }
}

impl Member {
    const fn new(
        name: &'static str,
        paper: &'static str,
        formula: &'static str,
        settings: &'static [Setting],
        constructor: Constructor,
    ) -> Member {
        Member { name, former_name: None, paper, formula, settings, constructor }
    }

    pub(crate) const fn plain(
        name: &'static str,
        former_name: &'static str,
        formula: &'static str,
    ) -> Member {
        let former_name = Some(former_name);
        Member { former_name, ..Member::new(name, "", formula, &[], Constructor::Plain) }
    }

    /// A member of the SAM family.
    pub(crate) const fn sam(
        name: &'static str,
        paper: &'static str,
        formula: &'static str,
        settings: &'static [Setting],
        build: fn(&MethodSettings) -> Result<Sam>,
    ) -> Member {
        Member::new(name, paper, formula, settings, Constructor::Sam(build))
    }

    /// A sharpness measure as a penalty; `settings` begin with `samples` and `lambda`.
    pub(crate) const fn penalty(
        name: &'static str,
        paper: &'static str,
        formula: &'static str,
        settings: &'static [Setting],
        build: fn(&MethodSettings) -> Result<Sharpness>,
    ) -> Member {
        Member::new(name, paper, formula, settings, Constructor::Penalty(build))
    }

    /// The same of a measure with an estimator of its own: of another matrix than the Hessian.
    pub(crate) const fn exact_penalty(
        name: &'static str,
        paper: &'static str,
        formula: &'static str,
        settings: &'static [Setting],
        build: fn(&MethodSettings) -> Result<Sharpness>,
    ) -> Member {
        Member::new(name, paper, formula, settings, Constructor::ExactPenalty(build))
    }

    /// The member of a name, present or former.
    ///
    /// # Errors
    /// [`Error::Unknown`] for another name.
    pub fn named(name: &str) -> Result<&'static Member> {
        let is = |m: &&Member| m.name == name || m.former_name == Some(name);
        METHODS.iter().find(is).ok_or_else(|| {
            let known = METHODS.iter().map(|m| m.name).collect::<Vec<_>>().join(", ");
            Error::Unknown { what: "method", name: name.into(), known }
        })
    }

    /// All settings, those of every method of its kind among them.
    pub fn all_settings(&self) -> impl Iterator<Item = &'static Setting> {
        let (first, last): (&'static [Setting], &'static [Setting]) = match self.constructor {
            Constructor::Plain => (&[], &[]),
            Constructor::Sam(_) => (&[], STEP_SETTINGS),
            Constructor::Penalty(_) => (ESTIMATED_SETTINGS, &[]),
            Constructor::ExactPenalty(_) => (PENALTY_SETTINGS, &[]),
        };
        first.iter().chain(self.settings).chain(last)
    }

    fn resolve(&self, settings: &MethodSettings) -> Result<Resolution> {
        Resolution::new(self.name, self.all_settings(), settings)
    }

    /// The method with settings of which none is absent but those that are off.
    fn build(&self, s: &MethodSettings) -> Result<Box<dyn Method>> {
        match self.constructor {
            Constructor::Plain => Ok(Box::new(gradient::Plain)),
            Constructor::Sam(build) => {
                let mut sam = build(s)?.with_seed(s.seed());
                if let Some(SettingValue::Count(m)) = s.get("m-sharpness") {
                    sam = sam.with_m_sharpness(*m as usize)?;
                }
                if let Some(SettingValue::Ranges(ranges)) = s.get("ranges") {
                    sam = sam.over(ranges.clone())?;
                }
                Ok(Box::new(sam))
            }
            Constructor::Penalty(build) | Constructor::ExactPenalty(build) => {
                let mut sharpness = build(s)?.with_rho(s.number("rho")?);
                if let Some(estimator) = s.estimator() {
                    sharpness = sharpness.with_estimator(estimator);
                }
                let (lambda, samples) = (s.number("lambda")?, s.count("samples")? as usize);
                Ok(Box::new(SharpnessMethod::new(sharpness, lambda, samples, s.seed())?))
            }
        }
    }
}

/// A method with the settings that are in effect.
pub struct ResolvedMethod {
    /// The method.
    pub method: Box<dyn Method>,
    /// The effective settings, defaults among them; one that is off is absent.
    pub settings: MethodSettings,
}

impl fmt::Debug for ResolvedMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with {}", self.method.name(), self.settings)
    }
}

impl MethodSettings {
    /// These settings without those that a method does not have: for comparing methods that
    /// share some of them. Former names become present ones.
    ///
    /// # Errors
    /// As [`method`], which refuses the settings that this leaves out.
    pub fn applicable_to(&self, name: &str) -> Result<MethodSettings> {
        let member = Member::named(name)?;
        let resolved = member.resolve(self)?;
        member.build(&resolved.effective)?;
        Ok(resolved.applicable)
    }
}

#[doc = "A gradient estimator by its name, one of [`METHODS`]."]
#[doc = ""]
#[doc = include_str!("methods.md")]
/// From sam to eigen-sam all have `m-sharpness` and `ranges` besides, off by default. The penalties
/// λρ²S, from trace-sam on, have `rho` (0.01) besides, and those of the Hessian `estimator` (exact). det-sam is for a few
/// parameters and a positive definite Hessian only, as its [measure](Sharpness::determinant) says;
/// in other cases logdet-sam is meant.
///
/// Settings are also known by the names that they had in the first releases, `alpha` to `eta`, where
/// a method has one of them.
///
/// ```
/// use burlap_optim::{MethodSettings, method};
/// let gsam = method("gsam", &MethodSettings::new().with("rho", 0.1))?;
/// assert_eq!(gsam.settings.to_string(), "orthogonal-weight 0.4, rho 0.1");
/// let refused = method("sam", &MethodSettings::new().with("sparsity", 0.5)).unwrap_err();
/// assert_eq!(
///     refused.to_string(),
///     "sam: sparsity is 0.5, but must be left out: the method has no such setting",
/// );
/// # Ok::<(), burlap_optim::Error>(())
/// ```
///
/// # Errors
/// [`Error::Unknown`] for another name; [`Error::Setting`] for a setting out of range, or one
/// that the method does not have.
pub fn method(name: &str, settings: &MethodSettings) -> Result<ResolvedMethod> {
    let member = Member::named(name)?;
    let Resolution { effective, refused, .. } = member.resolve(settings)?;
    if let Some((setting, value)) = refused.into_iter().next() {
        return Err(Error::UnknownSetting {
            of: name.into(),
            name: setting,
            value: value.to_string(),
        });
    }
    Ok(ResolvedMethod { method: member.build(&effective)?, settings: effective })
}

/// The table of all methods in Markdown: name, formula, settings with defaults, source.
pub fn methods_table() -> String {
    table("gradient", METHODS.iter().map(|m| (m.name, m.formula, m.settings, m.paper)))
}

/// A table of name, formula, settings, source.
fn table<'a>(
    what: &str,
    rows: impl Iterator<Item = (&'a str, &'a str, &'a [Setting], &'a str)>,
) -> String {
    let mut table = format!("| name | {what} | settings | source |\n|---|---|---|---|\n");
    for (name, formula, settings, paper) in rows {
        let setting = |s: &Setting| format!("`{}` {}", s.name, s.default_text());
        let settings: Vec<String> = settings.iter().map(setting).collect();
        let escaped = |text: &str| text.replace('|', "\\|");
        let (formula, paper) = (escaped(formula), escaped(paper));
        table += &format!("| {name} | {formula} | {} | {paper} |\n", settings.join(", "));
    }
    table + "\n"
}
