//! Output files: claimed before the computation that fills them, written whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::NamedTempFile;

use super::claims::Claim;
pub use super::output_error::OutputError;

/// Held while a file is written and renamed.
static WRITING: Mutex<()> = Mutex::new(());

/// Waits until no output file is being written, and keeps others from being begun while the guard lives; what ends
/// the process early takes it first.
pub fn wait_for_writers() -> MutexGuard<'static, ()> {
    WRITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place for an output, checked to be writable but not touched until [`OutputFile::write`].
///
/// ```
/// use aliascope_core::report::OutputFile;
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("new").join("lee.json");
/// let file = OutputFile::claim(&path, false)?; // before the long computation
/// file.write_bytes(b"{}\n")?;
/// assert!(OutputFile::claim(&path, false).is_err()); // it exists now
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    force: bool,
    kind: Kind,
    /// Keeps other outputs from this file.
    _claim: Option<Claim>,
}

#[derive(Debug)]
enum Kind {
    /// An ordinary file, there or not: replaced by a rename.
    Ordinary,
    /// A device such as `/dev/null`, or a file that this process has open: written to, never renamed over.
    Special,
    /// A pipe with a reader, open since the claim: a reader that loses its writer takes that for the end.
    Pipe(fs::File),
}

impl OutputFile {
    /// Checks that `path` can be written; missing parent folders are made when it is.
    ///
    /// # Errors
    /// The file exists and `force` is false; it is a folder; its nearest existing parent is no folder or refuses new
    /// files.
    pub fn claim(path: impl AsRef<Path>, force: bool) -> Result<Self, OutputError> {
        let path = path.as_ref();
        if path.as_os_str().is_empty() {
            return Err(OutputError::Empty);
        }
        if path.as_os_str() == "-" {
            return Err(OutputError::Dash);
        }
        // `out/` and `out/..` name folders whether they exist or not.
        if path.file_name().is_none() || path.as_os_str().to_string_lossy().ends_with(std::path::is_separator) {
            return Err(OutputError::IsFolder { path: path.to_owned() });
        }
        if let Some(kind) = special(path)? {
            return Ok(Self { path: path.to_owned(), force, kind, _claim: None });
        }
        // The link stays and what it points at is replaced; a link to nothing is itself what exists.
        let resolved = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        match fs::symlink_metadata(&resolved) {
            Ok(metadata) if metadata.is_dir() => return Err(OutputError::IsFolder { path: path.to_owned() }),
            Ok(_) if !force => return Err(OutputError::Exists { path: path.to_owned() }),
            Ok(_) => {}
            Err(source) if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(source) => return Err(OutputError::System { path: path.to_owned(), source }),
        }
        let claim = Some(Claim::new(path)?);
        let file = Self { path: resolved, force, kind: Kind::Ordinary, _claim: claim };
        file.probe()?;
        Ok(file)
    }

    /// Where it will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what `fill` writes: to a temporary file in the same folder, renamed when all of it is on its way to disk.
    ///
    /// # Errors
    /// `fill` failed, the disk is full, or a file of that name appeared since the claim; nothing is left behind then.
    pub fn write(self, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), OutputError> {
        if !matches!(self.kind, Kind::Ordinary) {
            return self.write_through(fill).map_err(|source| self.refused(source));
        }
        let _writing = wait_for_writers();
        let folder = self.folder();
        fs::create_dir_all(folder).map_err(|source| self.refused(source))?;
        let temporary = self.fill_temporary(folder, fill).map_err(|source| self.refused(source))?;
        // Without `force`, a file that appeared while the result was computed is as precious as one that was there.
        let renamed = if self.force { temporary.persist(&self.path) } else { temporary.persist_noclobber(&self.path) };
        match renamed {
            Ok(_) => {
                flush_folder(folder);
                Ok(())
            }
            Err(failure) if failure.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(OutputError::Exists { path: self.path })
            }
            Err(failure) => Err(self.refused(failure.error)),
        }
    }

    /// [`OutputFile::write`] of bytes that are already there.
    ///
    /// # Errors
    /// As for [`OutputFile::write`].
    pub fn write_bytes(self, bytes: &[u8]) -> Result<(), OutputError> {
        self.write(|writer| writer.write_all(bytes))
    }

    /// To a device, a pipe or an open file; what is not renamed may be interrupted at any moment.
    fn write_through(&self, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if let Kind::Pipe(pipe) = &self.kind {
            blocking(pipe)?;
            return fill(&mut &*pipe);
        }
        let mut device = fs::OpenOptions::new().append(true).open(&self.path)?;
        fill(&mut device)
    }

    fn fill_temporary(
        &self,
        folder: &Path,
        fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<NamedTempFile> {
        let temporary = temporary_in(folder)?;
        let mut writer = BufWriter::new(temporary.as_file());
        fill(&mut writer)?;
        writer.flush()?;
        drop(writer);
        // Before the rename: after a power failure there is the old file or the new one, not an empty one.
        match temporary.as_file().sync_all() {
            // Some file systems of networks and containers cannot.
            Err(error) if !matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::InvalidInput) => {
                return Err(error);
            }
            _ => {}
        }
        // A file that is replaced keeps its mode, as it would if it were written over.
        if let Ok(metadata) = fs::metadata(&self.path) {
            temporary.as_file().set_permissions(metadata.permissions())?;
        }
        Ok(temporary)
    }

    /// Makes a temporary file where the output (or the first missing folder on the way to it) will be, and drops it.
    fn probe(&self) -> Result<(), OutputError> {
        let mut ancestor = self.folder();
        let metadata = loop {
            match fs::metadata(ancestor) {
                Ok(metadata) => break metadata,
                Err(source) if matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                    ancestor = parent_of(ancestor);
                }
                Err(source) => return Err(self.refused(source)),
            }
        };
        if !metadata.is_dir() {
            return Err(OutputError::NotFolder { path: self.path.clone(), ancestor: ancestor.to_owned() });
        }
        temporary_in(ancestor).map(drop).map_err(|source| self.refused(source))
    }

    fn folder(&self) -> &Path {
        parent_of(&self.path)
    }

    fn refused(&self, source: io::Error) -> OutputError {
        OutputError::System { path: self.path.clone(), source }
    }
}

/// Whether a path names a file that a process has open, such as `/dev/stdout` or what a shell puts in the place of
/// `>(…)`.
pub fn is_descriptor(path: &Path) -> bool {
    let standard = ["/dev/stdin", "/dev/stdout", "/dev/stderr"].iter().any(|name| path == Path::new(name));
    let folder = path.parent().and_then(|folder| fs::canonicalize(folder).ok());
    standard || folder.is_some_and(|folder| folder.starts_with("/proc") && folder.ends_with("fd"))
}

/// What is written to in its place: a device, a pipe, an open file.
fn special(path: &Path) -> Result<Option<Kind>, OutputError> {
    let Ok(metadata) = fs::metadata(path) else { return Ok(None) };
    #[cfg(unix)]
    {
        use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
        if metadata.file_type().is_fifo() {
            // To open a pipe that nobody reads would wait for ever.
            let open = fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path);
            return match open {
                Ok(pipe) => Ok(Some(Kind::Pipe(pipe))),
                Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
                    Err(OutputError::NoReader { path: path.to_owned() })
                }
                Err(source) => Err(OutputError::System { path: path.to_owned(), source }),
            };
        }
    }
    let is_special = !metadata.is_dir() && (!metadata.is_file() || is_descriptor(path));
    Ok(is_special.then_some(Kind::Special))
}

/// From now on writing waits for the reader.
fn blocking(pipe: &fs::File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is open as long as the file is; setting its flags touches no memory.
        if unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, 0) } == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// The rename itself goes to disk, where the system can do that for folders.
fn flush_folder(folder: &Path) {
    #[cfg(unix)]
    if let Ok(folder) = fs::File::open(folder) {
        let _ = folder.sync_all();
    }
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new(if path.is_absolute() { "/" } else { "." }),
    }
}

fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".aliascope-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // What an ordinary new file asks for; the umask takes its share when it is created.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    // Its kind alone: the temporary file's name, which tempfile adds to its errors, means nothing to a reader.
    builder.tempfile_in(folder).map_err(|source| io::Error::from(source.kind()))
}

/// Where a result goes: standard output, written as `-`, or a file.
#[derive(Debug)]
pub enum Sink {
    /// Standard output.
    Standard,
    /// A file.
    File(OutputFile),
}

impl Sink {
    /// `-` is standard output; anything else is claimed as by [`OutputFile::claim`].
    ///
    /// # Errors
    /// As for [`OutputFile::claim`].
    pub fn claim(path: impl AsRef<Path>, force: bool) -> Result<Self, OutputError> {
        let path = path.as_ref();
        let standard = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name));
        if standard { Ok(Self::Standard) } else { OutputFile::claim(path, force).map(Self::File) }
    }

    /// Writes all of `bytes`. A reader that stopped early (`| head`) has what it wanted: no error.
    ///
    /// # Errors
    /// As for [`OutputFile::write`], or standard output cannot be written.
    pub fn write_bytes(self, bytes: &[u8]) -> Result<(), OutputError> {
        match self {
            Self::File(file) => file.write_bytes(bytes),
            Self::Standard => {
                let mut out = io::stdout().lock();
                match out.write_all(bytes).and_then(|()| out.flush()) {
                    Err(source) if source.kind() != io::ErrorKind::BrokenPipe => {
                        Err(OutputError::System { path: PathBuf::from("standard output"), source })
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}
