//! What is asked of a repair, by either command.

use std::path::PathBuf;

use super::judgement::JudgementArgs;
use super::training::TrainingArgs;
use crate::antialias::Padding;
use crate::antialias::surgery::{Place, Replacement};

/// What is asked of a repair, by either command.
pub(in crate::cli) struct Request<'a> {
    pub(in crate::cli) replace: &'a [Replacement],
    pub(in crate::cli) pattern: Option<&'a str>,
    pub(in crate::cli) padding: Padding,
    pub(in crate::cli) place: Place,
    pub(in crate::cli) steps: usize,
    pub(in crate::cli) training: &'a TrainingArgs,
    pub(in crate::cli) judgement: &'a JudgementArgs,
    pub(in crate::cli) seed: u64,
    pub(in crate::cli) save: Option<&'a PathBuf>,
    pub(in crate::cli) quiet: bool,
}
