//! How a subcommand fails: one message that says what happened, where and what to do, and a status of its own.

use crate::printable::{MESSAGE, shortened};

/// The statuses that the binary ends with, beside 0; part of the interface, so numbers never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// A check that the command makes of its own result failed, or `doctor` found that the main job cannot run.
    Check = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A model file is missing, unreadable, damaged or contradicts itself.
    Model = 3,
    /// A model uses something that aliascope does not support.
    Unsupported = 4,
    /// An image, tensor or signal file is missing, unreadable or empty.
    Input = 5,
    /// An output file exists or cannot be written.
    Output = 6,
    /// NaN or infinity in weights, input or result.
    NotFinite = 7,
    /// The machine lacks something: memory, a device, a library.
    Machine = 8,
    /// A defect of aliascope itself.
    Defect = 9,
    /// Images could not be read, or some of several networks not measured; the results are those of the others.
    Skipped = 10,
    /// Ctrl-C, SIGTERM or SIGHUP.
    Interrupted = 130,
}

/// Shown at the end of `--help`.
pub const STATUS_HELP: &str = "\
Exit status: 0 done, 1 a check failed, 2 wrong usage, 3 model unreadable, 4 model not supported, 5 input unreadable, \
6 output not writable, 7 not finite, 8 machine lacks something, 9 a defect of aliascope, \
10 done without images that could not be read or networks that failed, 130 interrupted";

/// The end of a subcommand that could not do its work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit status.
    pub status: Status,
    /// One sentence: what happened, where, what to do.
    pub message: String,
    /// What it lists, one below the other.
    pub lines: Vec<String>,
}

impl Failure {
    /// A failure with this status and message.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), lines: Vec::new() }
    }

    /// A failure whose message ends in a list.
    pub fn listing(status: Status, message: impl Into<String>, lines: Vec<String>) -> Self {
        Self { status, message: message.into(), lines }
    }

    /// Prints the message on standard error and gives the exit status.
    pub fn report(&self) -> u8 {
        eprintln!("aliascope: {}", shortened(&self.message, MESSAGE));
        for line in &self.lines {
            eprintln!("  {}", shortened(line, MESSAGE));
        }
        self.status as u8
    }
}

impl From<crate::report::OutputError> for Failure {
    fn from(error: crate::report::OutputError) -> Self {
        Self::new(Status::Output, error.to_string())
    }
}

impl From<crate::report::JsonError> for Failure {
    fn from(error: crate::report::JsonError) -> Self {
        Self::new(Status::NotFinite, error.to_string())
    }
}

impl From<crate::report::VectorsError> for Failure {
    fn from(error: crate::report::VectorsError) -> Self {
        Self::new(Status::Output, error.to_string())
    }
}

impl From<crate::figure::FigureError> for Failure {
    fn from(error: crate::figure::FigureError) -> Self {
        let status = match error {
            crate::figure::FigureError::Format { .. } => Status::Usage,
            crate::figure::FigureError::NotFinite(_) => Status::NotFinite,
            _ => Status::Output,
        };
        Self::new(status, error.to_string())
    }
}

impl From<crate::input::InputError> for Failure {
    fn from(error: crate::input::InputError) -> Self {
        use crate::input::InputError::{Channels, Memory, Metadata, Resize};
        let status = match error {
            Memory { .. } => Status::Machine,
            Metadata { .. } => Status::Model,
            Channels { .. } => Status::Unsupported,
            Resize { .. } => Status::Usage,
            _ => Status::Input,
        };
        Self::new(status, error.to_string())
    }
}

impl From<crate::onnx::OnnxError> for Failure {
    fn from(error: crate::onnx::OnnxError) -> Self {
        use crate::onnx::OnnxError::{Memory, UnknownAttribute};
        let status = match error {
            UnknownAttribute { .. } => Status::Unsupported,
            Memory { .. } => Status::Machine,
            _ => Status::Model,
        };
        Self::new(status, error.to_string())
    }
}
