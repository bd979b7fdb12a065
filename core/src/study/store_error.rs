//! Why a store of a study cannot be used.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is no such file.
    #[error("{} is no study: {problem}; give another name to --into", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        problem: String,
    },
    /// It holds a study of other settings.
    #[error(
        "{} holds a study with {name} = {stored}, and this one has {name} = {given}: give another file to --into, or change \
         it back", path.display()
    )]
    Setting {
        /// The file.
        path: PathBuf,
        /// Which setting.
        name: String,
        /// As it is there.
        stored: String,
        /// As it is asked for.
        given: String,
    },
    /// Another run writes to it.
    #[error("{}: another `survey` writes to it; wait for it, or give each a file of its own (--shard) and merge them", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// Another program has it locked for long.
    #[error(
        "{}: another program has the file locked (a sqlite3 with an open transaction?); close it, then run the same command \
         again: nothing is lost", path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// There is no room left.
    #[error("{}: the disk is full, or the file as large as it may be; make room, then run the same command again: nothing is lost", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Two files have different results of the same.
    #[error("{}: {problem}; both cannot be merged", path.display())]
    Contradicts {
        /// The file that is merged.
        path: PathBuf,
        /// Where.
        problem: String,
    },
    /// SQLite's own words.
    #[error("{}: {problem}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What happened.
        problem: String,
    },
}

/// What SQLite says, in our words where they say more.
pub(super) fn wrong(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::Foreign { path, problem: "it is no SQLite file, or a damaged one".to_owned() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { path },
        Some(ErrorCode::DiskFull) => StoreError::Full { path },
        // What a limit of the file's size, as `ulimit -f` sets it, comes back as.
        Some(ErrorCode::SystemIoFailure) if is_write(error) => StoreError::Full { path },
        _ => StoreError::Other { path, problem: error.to_string() },
    }
}

fn is_write(error: &rusqlite::Error) -> bool {
    /// SQLITE_IOERR_WRITE.
    const WRITE: i32 = 10 | (3 << 8);
    matches!(error, rusqlite::Error::SqliteFailure(inner, _) if inner.extended_code == WRITE)
}
