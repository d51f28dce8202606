//! Layers, losses, initialisation and data readers over one flat parameter vector.
//!
//! A [`Module`] describes a network and holds no numbers. A [`Model`] ties it to the
//! [`Layout`] of one flat vector with all its parameters, so that gradients, Hessian-vector
//! products and optimizer states are single vectors too.
//!
//! ```
//! use burlap_autodiff::{Array, Cpu, DType, Tape};
//! use burlap_nn::{Activation, Model, loss, mlp};
//!
//! let model = Model::new(mlp(&[2, 8, 3], Activation::Tanh)?)?;
//! let tape = Tape::new();
//! let params = tape.input("params", DType::F64, [model.layout().total()]);
//! let x = tape.input("x", DType::F64, [4, 2]);
//! let labels = tape.input("labels", DType::U32, [4]);
//! let loss = loss::cross_entropy(model.forward(params, x), labels);
//!
//! let program = tape.compile(&Cpu::new(), &[loss, loss.grad(params)])?;
//! let start = model.init(7, DType::F64);
//! let x = Array::from_vec([4, 2], vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0])?;
//! let out = program.run(&[&start, &x, &Array::vector([0u32, 1, 1, 2])])?;
//! assert!(out[0].item()? > 0.0);
//! assert_eq!(out[1].shape(), start.shape());
//! # Ok::<(), burlap_nn::Error>(())
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`Layout`] | names, shapes and places of the parameters |
//! | [`Linear`], [`Activation`], [`BatchNorm1d`], [`Dropout`], [`Flatten`], [`Sequential`] | layers |
//! | [`mlp`], [`SimpleNet`] | networks |
//! | [`Init`] | the distributions of first values |
//! | [`loss`] | losses and accuracy |
//! | [`Checkpoint`] | named arrays in a file |
//! | [`data`] | data sets, readers, mini-batches |
//! | [`files`] | reading and replacing files |
//! | [`memory`] | how much memory there is |

mod checkpoint;
pub mod data;
mod error;
pub mod files;
mod init;
mod layers;
mod layout;
pub mod loss;
pub mod memory;
mod model;
mod module;
mod networks;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use error::{Error, Result};
pub use init::Init;
pub use layers::{Activation, BatchNorm1d, Dropout, Flatten, Linear, Sequential};
pub use layout::{Entry, Layout};
pub use model::Model;
pub use module::{Context, Module, Scope};
pub use networks::{SimpleNet, mlp};
