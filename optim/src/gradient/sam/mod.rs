//! SAM and its relatives: gradients at perturbed points.
//!
//! A [`Perturbation`] gives ε as a formula of parameters, gradient and state arrays; the step is
//! the same for all: g = ∇L(x), ĝ = ∇L(x + ε), and where a [`Combination`] is given, its formula of
//! the two. A rule may [decide](Perturbation::next) on further points after each gradient, or
//! on none. The parameters themselves are never changed and changed back.
//!
//! Any rule goes with any combination. A rule's state observes the gradients of its
//! definition: F-SAM's mean is of g, MSAM's momentum of ĝ, whatever the combination is. Published
//! codes divide by ‖g‖ + δ ([`Sam::published_sam`], [`Sam::with_norm_offset`]); to hold one against
//! its original, [give](Sam::with_draws) both the same draws. Names, formulas, papers and settings
//! are in the table at [`method`](fn@crate::method).

pub(crate) mod asam;
pub(crate) mod ascent;
mod builder;
pub(crate) mod cr_sam;
mod draws;
pub(crate) mod eigen_sam;
pub(crate) mod esam;
pub(crate) mod f_sam;
pub(crate) mod fisher_sam;
mod formulas;
pub(crate) mod gsam;
pub(crate) mod look_sam;
mod masks;
pub(crate) mod msam;
mod radius;
pub(crate) mod ssam_d;
pub(crate) mod ssam_f;
mod step;
pub(crate) mod vasso;
mod walk;
pub(crate) mod wsam;

pub use asam::Asam;
pub use ascent::Ascent;
pub use builder::Sam;
pub use cr_sam::CrSam;
pub use eigen_sam::EigenSam;
pub use esam::Esam;
pub use f_sam::FSam;
pub use fisher_sam::FisherSam;
pub use formulas::{
    Combination, Combined, Combining, Next, Perturbation, Perturbing, Preparing, Progress,
};
pub use gsam::Gsam;
pub use look_sam::LookSam;
pub use msam::Msam;
pub use radius::Radius;
pub use ssam_d::{Score, SsamD};
pub use ssam_f::SsamF;
pub use vasso::Vasso;
pub use wsam::Wsam;
