//! Why an output file cannot be had.

use std::io;
use std::path::PathBuf;

/// Why an output file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The file is there and may not be replaced.
    #[error("{} exists; give another name or --force", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The path names a folder.
    #[error("{} is a folder; name a file in it", .path.display())]
    IsFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The path is empty.
    #[error("the name of an output file is empty; name a file, or - for standard output")]
    Empty,
    /// Standard output, where only a file will do.
    #[error("- is standard output, which takes --json alone; name a file here (./- for one of that name)")]
    Dash,
    /// Two outputs are one file.
    #[error("{} and {} are one file; give each output a name of its own", .path.display(), .other.display())]
    Twice {
        /// The file.
        path: PathBuf,
        /// As it was named before.
        other: PathBuf,
    },
    /// The output would replace what the command reads.
    #[error(
        "{} would be written over {}, which this command reads; give another name", .path.display(),
        if .path == .input { "itself".into() } else { .input.display().to_string() }
    )]
    IsInput {
        /// The output.
        path: PathBuf,
        /// The input.
        input: PathBuf,
    },
    /// A pipe without a reader.
    #[error("{} is a pipe that nobody reads; start what reads it first, or name a file", .path.display())]
    NoReader {
        /// The pipe.
        path: PathBuf,
    },
    /// What should be the file's folder is something else.
    #[error("{} cannot be written: {} is not a folder; name a file elsewhere", .path.display(), .ancestor.display())]
    NotFolder {
        /// The file.
        path: PathBuf,
        /// What is in the way.
        ancestor: PathBuf,
    },
    /// The system refused.
    #[error("{} cannot be written: {source}; name a file elsewhere or make room there", .path.display())]
    System {
        /// The file, or `standard output`.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}
