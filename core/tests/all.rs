//! All tests of this crate's interface, in one program: they compile and run sooner than in one for each file.

mod activation_forms;
mod figure_texts;
mod figures;
mod layer_figures;
mod lee_texts;
mod node_theorem_texts;
mod report_texts;
mod samples;
mod spectral_figures;
mod study_statistics;
mod study_store;
