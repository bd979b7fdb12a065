//! Small networks that are trained here: images, layers that are both tch and ONNX, architectures, the training loop.
//!
//! `rotated_digits` and `fashion` are two studies on it, and tests/training.rs tests it.
#![allow(dead_code)]

pub mod architecture;
pub mod augmentation;
pub mod export;
pub mod idx;
pub mod images;
pub mod layers;
pub mod onnx_file;
pub mod progress;
pub mod recipe;
pub mod record;
pub mod rotation;
pub mod run;
pub mod study;
pub mod summary;

/// Why a study stops, in a sentence.
pub type Problem = Box<dyn std::error::Error>;
