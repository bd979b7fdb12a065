//! The classes of images, where the command line names them.

use clap::Args;

use crate::input::{LabelSource, Labels, Source};

use crate::report::refuse_inputs;

use super::{Failure, Status};

/// What the images show.
#[derive(Debug, Args)]
pub(super) struct LabelArgs {
    /// The images' classes, for the top-1 accuracy: `folders`, or a list of images and classes (text or CSV).
    #[arg(long, value_name = "folders|FILE")]
    labels: Option<LabelSource>,
    /// What the network's first class is called in --labels.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "labels", allow_negative_numbers = true)]
    first_label: i64,
}

impl LabelArgs {
    /// The classes of a source's images, for a network of so many classes; none where they were not asked for.
    pub(super) fn read(&self, source: &Source, classes: Option<usize>) -> Result<Labels, Failure> {
        self.read_shifted(source, classes, 0)
    }

    /// The same for a network whose class of an image is larger by `offset`.
    pub(super) fn read_shifted(&self, source: &Source, classes: Option<usize>, offset: i64) -> Result<Labels, Failure> {
        let Some(labels) = &self.labels else { return Ok(Labels::default()) };
        let Some(classes) = classes else {
            let problem = "--labels needs a network whose output is one vector of classes; leave it out";
            return Err(Failure::new(Status::Usage, problem));
        };
        if let LabelSource::File(path) = labels {
            refuse_inputs([path.as_path()])?;
        }
        Ok(Labels::read(labels, source.listed(), classes, self.first_label.saturating_sub(offset))?)
    }
}
