//! Behaviour tests of layers, losses, data and files: one binary, since linking costs more than running.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod batch_norm;
mod checkpoint;
mod data_csv;
mod data_dataset;
mod data_idx;
mod data_loader;
mod data_mnist;
mod derivatives;
mod dropout;
mod files;
mod init;
mod layers;
mod layout;
mod loss;
mod loss_targets;
mod support;
