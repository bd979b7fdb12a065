//! The results of a study in one SQLite file. docs/survey.md describes the tables.
//!
//! What is measured of an image is there as a whole or not at all: a process that ends at any moment leaves the file as
//! after its last transaction. Rows have keys, so that nothing is there twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};

use super::batch::Batch;
use super::failure::{FailureRow, forget};
use super::merge::merge;
use super::models::ListedModel;
use super::settings::{ColumnValue, Role};
use super::store_error::{StoreError, wrong};

/// The version of the tables; it grows when a column changes its meaning or goes away.
pub const STORE_SCHEMA_VERSION: u32 = 3;

/// SQLite's `application_id` of these files: "alsc".
const APPLICATION: i32 = 0x616c_7363;

/// How long a file is waited for that another program has locked.
const PATIENCE: Duration = Duration::from_secs(60);

const TABLES: &str = "
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE run (
    id INTEGER PRIMARY KEY, began TEXT NOT NULL, aliascope TEXT NOT NULL, command TEXT NOT NULL, device TEXT NOT NULL,
    threads INTEGER NOT NULL, shard TEXT
);
CREATE TABLE network (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, origin TEXT NOT NULL, setting TEXT NOT NULL, family TEXT NOT NULL,
    class_offset INTEGER NOT NULL, sha256 TEXT, parameters INTEGER, bytes INTEGER, input_shape TEXT, output_shape TEXT,
    preprocess TEXT, action TEXT
);
CREATE TABLE network_column (
    network INTEGER NOT NULL REFERENCES network, name TEXT NOT NULL, number REAL, words TEXT, PRIMARY KEY (network, name)
) WITHOUT ROWID;
CREATE TABLE image_set (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, setting TEXT NOT NULL
);
CREATE TABLE image (
    id INTEGER PRIMARY KEY, image_set INTEGER NOT NULL REFERENCES image_set, name TEXT NOT NULL, label INTEGER,
    sha256 TEXT, UNIQUE (image_set, name)
);
CREATE TABLE lee (
    network INTEGER NOT NULL REFERENCES network, image INTEGER NOT NULL REFERENCES image, output TEXT NOT NULL,
    derivative TEXT NOT NULL, generator TEXT NOT NULL, lee REAL NOT NULL, mean_abs REAL,
    input_energy REAL NOT NULL, PRIMARY KEY (network, image, output, derivative, generator)
) WITHOUT ROWID;
CREATE TABLE attribution (
    network INTEGER NOT NULL REFERENCES network, image INTEGER NOT NULL REFERENCES image, generator TEXT NOT NULL,
    output TEXT NOT NULL, derivative TEXT NOT NULL, lee REAL NOT NULL, rounding REAL NOT NULL, residual REAL NOT NULL,
    PRIMARY KEY (network, image, generator)
) WITHOUT ROWID;
CREATE TABLE layer (
    network INTEGER NOT NULL REFERENCES network, image INTEGER NOT NULL REFERENCES image, generator TEXT NOT NULL,
    place INTEGER NOT NULL, name TEXT NOT NULL, class TEXT NOT NULL, contribution REAL NOT NULL, signed REAL NOT NULL,
    PRIMARY KEY (network, image, generator, place)
) WITHOUT ROWID;
CREATE TABLE prediction (
    network INTEGER NOT NULL REFERENCES network, image INTEGER NOT NULL REFERENCES image, class INTEGER, is_right INTEGER,
    PRIMARY KEY (network, image)
) WITHOUT ROWID;
CREATE TABLE metric (
    network INTEGER NOT NULL REFERENCES network, image INTEGER NOT NULL REFERENCES image, metric TEXT NOT NULL,
    value REAL NOT NULL, PRIMARY KEY (network, image, metric)
) WITHOUT ROWID;
CREATE TABLE measured (
    network INTEGER NOT NULL REFERENCES network, image INTEGER NOT NULL REFERENCES image, run INTEGER NOT NULL REFERENCES run,
    milliseconds REAL NOT NULL, PRIMARY KEY (network, image)
) WITHOUT ROWID;
CREATE TABLE failure (network TEXT, image_set TEXT, image TEXT, problem TEXT NOT NULL);
CREATE UNIQUE INDEX failure_of ON failure (COALESCE(network, ''), COALESCE(image_set, ''), COALESCE(image, ''));
";

/// The run of a study that writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunHeader {
    /// When it began.
    pub began: String,
    /// The command line.
    pub command: String,
    /// What computed.
    pub device: String,
    /// With how many threads.
    pub threads: usize,
    /// Which share of the work.
    pub shard: Option<String>,
}

/// What is known of a network once it is loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    /// The hashes of its files.
    pub sha256: String,
    /// How many numbers it has learned.
    pub parameters: u64,
    /// Bytes of its files.
    pub bytes: u64,
    /// The input's shape.
    pub input_shape: String,
    /// The output's shape.
    pub output_shape: String,
    /// How photos become its input.
    pub preprocess: String,
    /// What the group does to its output.
    pub action: String,
}

/// An open store.
pub struct Store {
    path: PathBuf,
    connection: Connection,
    /// Held while this process writes.
    _lock: Option<fs::File>,
    run: i64,
}

/// Where images lie in the store, by name.
pub type ImageIds = BTreeMap<String, i64>;

impl Store {
    /// Opens the store of a study with these settings to write to it, and makes it where there is none. Until it is closed no
    /// other process of aliascope writes to it; any program may read.
    ///
    /// # Errors
    /// The file is none of these, holds a study of other settings, is written to by another, or the system refuses.
    pub fn open(path: &Path, settings: &BTreeMap<String, String>) -> Result<Self, StoreError> {
        let lock = locked(path)?;
        let connection = Connection::open(path).map_err(|error| wrong(path, &error))?;
        let mut store = Self { path: path.to_owned(), connection, _lock: Some(lock), run: 0 };
        store.prepare()?;
        if store.is_empty()? {
            store.create(settings)?;
        } else {
            store.check()?;
            store.compare(settings)?;
        }
        Ok(store)
    }

    /// Opens a store to read it.
    ///
    /// # Errors
    /// There is none, or it is no study.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            let problem = "there is no such file; `aliascope survey run STUDY.toml --into FILE` makes it".to_owned();
            return Err(StoreError::Other { path: path.to_owned(), problem });
        }
        // A journal that a killed run left is rolled back by whoever reads first, which takes writing.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .or_else(|_| Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
            .map_err(|error| wrong(path, &error))?;
        let store = Self { path: path.to_owned(), connection, _lock: None, run: 0 };
        store.prepare()?;
        store.check()?;
        Ok(store)
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn wrong(&self, error: &rusqlite::Error) -> StoreError {
        wrong(&self.path, error)
    }

    fn prepare(&self) -> Result<(), StoreError> {
        let set = || {
            self.connection.busy_timeout(PATIENCE)?;
            // A rollback journal works on every file system, those of clusters included; each commit is on disk.
            self.connection.pragma_update(None, "synchronous", "FULL")?;
            self.connection.pragma_update(None, "foreign_keys", true)
        };
        set().map_err(|error: rusqlite::Error| self.wrong(&error))
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        let tables = self.connection.query_row("SELECT COUNT(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0));
        let application = self.connection.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0));
        match (tables, application) {
            (Ok(tables), Ok(application)) => Ok(tables == 0 && application == 0),
            (Err(error), _) | (_, Err(error)) => Err(self.wrong(&error)),
        }
    }

    fn create(&mut self, settings: &BTreeMap<String, String>) -> Result<(), StoreError> {
        let path = self.path.clone();
        let make = |transaction: &Transaction<'_>| {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "application_id", APPLICATION)?;
            transaction.pragma_update(None, "user_version", STORE_SCHEMA_VERSION)?;
            for (name, value) in settings {
                transaction.execute("INSERT INTO setting VALUES (?1, ?2)", params![name, value])?;
            }
            Ok(())
        };
        self.transaction(make).map_err(|error| wrong(&path, &error))
    }

    fn transaction<T>(&mut self, run: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let result = run(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }

    fn check(&self) -> Result<(), StoreError> {
        let number = |name: &str| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let foreign = |problem: String| StoreError::Foreign { path: self.path.clone(), problem };
        match (number("application_id"), number("user_version")) {
            (Ok(application), Ok(version)) if application == i64::from(APPLICATION) => {
                if version == i64::from(STORE_SCHEMA_VERSION) {
                    return Ok(());
                }
                Err(foreign(format!(
                    "its tables have version {version}, and this aliascope writes version {STORE_SCHEMA_VERSION}"
                )))
            }
            (Ok(_), Ok(_)) => Err(foreign("it is another program's database".to_owned())),
            (Err(error), _) | (_, Err(error)) => Err(self.wrong(&error)),
        }
    }

    /// The settings, by name.
    ///
    /// # Errors
    /// The file cannot be read; so for the other methods.
    pub fn settings(&self) -> Result<BTreeMap<String, String>, StoreError> {
        self.rows("SELECT name, value FROM setting", |row| Ok((row.get(0)?, row.get(1)?)))
            .map(|rows| rows.into_iter().collect())
    }

    fn compare(&self, given: &BTreeMap<String, String>) -> Result<(), StoreError> {
        let stored = self.settings()?;
        let names: BTreeSet<&String> = stored.keys().chain(given.keys()).collect();
        let missing = "nothing".to_owned();
        for name in names {
            let (stored, given) = (stored.get(name).unwrap_or(&missing), given.get(name).unwrap_or(&missing));
            if stored != given {
                return Err(StoreError::Setting {
                    path: self.path.clone(),
                    name: name.clone(),
                    stored: stored.clone(),
                    given: given.clone(),
                });
            }
        }
        Ok(())
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn rows<T>(
        &self,
        query: &str,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let all = || self.connection.prepare(query)?.query_map([], read)?.collect::<rusqlite::Result<Vec<T>>>();
        all().map_err(|error| self.wrong(&error))
    }

    /// Writes down that a run begins; what is added from now on is of it.
    pub fn begin(&mut self, header: &RunHeader, aliascope: &str) -> Result<(), StoreError> {
        let path = self.path.clone();
        let add = |transaction: &Transaction<'_>| {
            transaction.execute(
                "INSERT INTO run (began, aliascope, command, device, threads, shard) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![header.began, aliascope, header.command, header.device, header.threads as i64, header.shard],
            )?;
            Ok(transaction.last_insert_rowid())
        };
        self.run = self.transaction(add).map_err(|error| wrong(&path, &error))?;
        Ok(())
    }

    /// Enters the networks of a study, those that are not there yet; gives the place of each.
    ///
    /// # Errors
    /// One is there with another setting.
    pub fn enter_networks(&mut self, models: &[ListedModel]) -> Result<Vec<i64>, StoreError> {
        let path = self.path.clone();
        let known = self.rows("SELECT name, setting FROM network", |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))
        })?;
        for (name, stored) in known {
            let given = models.iter().find(|model| model.name == name).map(ListedModel::setting);
            if let Some(given) = given.filter(|given| *given != stored) {
                return Err(StoreError::Setting { path, name: format!("model {name}"), stored, given });
            }
        }
        let enter = |transaction: &Transaction<'_>| {
            let mut ids = Vec::new();
            for model in models {
                transaction.execute(
                    "INSERT INTO network (name, origin, setting, family, class_offset) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (name) DO UPDATE SET family = excluded.family, class_offset = excluded.class_offset",
                    params![model.name, model.origin.stated(), model.setting(), model.family, model.class_offset],
                )?;
                let id: i64 =
                    transaction.query_row("SELECT id FROM network WHERE name = ?1", [&model.name], |row| row.get(0))?;
                transaction.execute(
                    "UPDATE prediction SET is_right = class - ?2 = (SELECT label FROM image WHERE id = image)
                     WHERE network = ?1 AND class IS NOT NULL",
                    params![id, model.class_offset],
                )?;
                for (name, value) in &model.columns {
                    let (number, words) = match value {
                        ColumnValue::Number(number) => (Some(*number), None),
                        ColumnValue::Text(words) => (None, Some(words.as_str())),
                    };
                    transaction.execute(
                        "INSERT OR REPLACE INTO network_column VALUES (?1, ?2, ?3, ?4)",
                        params![id, name, number, words],
                    )?;
                }
                ids.push(id);
            }
            Ok(ids)
        };
        self.transaction(enter).map_err(|error| wrong(&path, &error))
    }

    /// Enters a set of images by their names, with the classes that are known; gives the place of each.
    ///
    /// # Errors
    /// The set is there with another setting.
    pub fn enter_set(
        &mut self,
        name: &str,
        role: Role,
        setting: &str,
        images: &[(String, Option<i64>)],
    ) -> Result<ImageIds, StoreError> {
        let path = self.path.clone();
        let stored = self
            .connection
            .query_row("SELECT setting FROM image_set WHERE name = ?1", [name], |row| row.get::<_, String>(0))
            .optional()
            .map_err(|error| self.wrong(&error))?;
        if let Some(stored) = stored.filter(|stored| stored != setting) {
            return Err(StoreError::Setting { path, name: format!("set {name}"), stored, given: setting.to_owned() });
        }
        let enter = |transaction: &Transaction<'_>| {
            transaction.execute(
                "INSERT OR IGNORE INTO image_set (name, role, setting) VALUES (?1, ?2, ?3)",
                params![name, role.name(), setting],
            )?;
            let set: i64 =
                transaction.query_row("SELECT id FROM image_set WHERE name = ?1", [name], |row| row.get(0))?;
            let mut enter =
                transaction.prepare("INSERT OR IGNORE INTO image (image_set, name, label) VALUES (?1, ?2, ?3)")?;
            for (image, label) in images {
                enter.execute(params![set, image, label])?;
            }
            let mut list = transaction.prepare("SELECT name, id FROM image WHERE image_set = ?1")?;
            list.query_map([set], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        };
        self.transaction(enter).map_err(|error| wrong(&path, &error))
    }

    /// Writes down what is known of a network.
    ///
    /// # Errors
    /// It was measured before with other files or another input, which [`StoreError::Setting`] names.
    pub fn describe_network(&mut self, network: i64, name: &str, facts: &NetworkFacts) -> Result<(), StoreError> {
        let path = self.path.clone();
        let query = "SELECT sha256, input_shape, output_shape, preprocess, action FROM network WHERE id = ?1";
        let stored = self
            .connection
            .query_row(query, [network], |row| {
                (0..5).map(|at| row.get::<_, Option<String>>(at)).collect::<rusqlite::Result<Vec<_>>>()
            })
            .map_err(|error| self.wrong(&error))?;
        let given = [&facts.sha256, &facts.input_shape, &facts.output_shape, &facts.preprocess, &facts.action];
        let what =
            ["the SHA-256 of", "the input's shape of", "the output's shape of", "preprocessing of", "the action of"];
        for ((stored, given), what) in stored.into_iter().zip(given).zip(what) {
            if let Some(stored) = stored.filter(|stored| stored != given) {
                return Err(StoreError::Setting { path, name: format!("{what} {name}"), stored, given: given.clone() });
            }
        }
        let write = |transaction: &Transaction<'_>| {
            transaction.execute(
                "UPDATE network SET sha256 = ?2, parameters = ?3, bytes = ?4, input_shape = ?5, output_shape = ?6,
                 preprocess = ?7, action = ?8 WHERE id = ?1",
                params![
                    network,
                    facts.sha256,
                    facts.parameters as i64,
                    facts.bytes as i64,
                    facts.input_shape,
                    facts.output_shape,
                    facts.preprocess,
                    facts.action
                ],
            )
        };
        self.transaction(write).map(drop).map_err(|error| wrong(&path, &error))
    }

    /// Which images of a network are done.
    pub fn done(&self, network: i64) -> Result<BTreeSet<i64>, StoreError> {
        let query = format!("SELECT image FROM measured WHERE network = {network}");
        self.rows(&query, |row| row.get(0)).map(|ids| ids.into_iter().collect())
    }

    /// The hashes of images, where they are known.
    pub fn hashes(&self) -> Result<BTreeMap<i64, String>, StoreError> {
        self.rows("SELECT id, sha256 FROM image WHERE sha256 IS NOT NULL", |row| Ok((row.get(0)?, row.get(1)?)))
            .map(|rows| rows.into_iter().collect())
    }

    /// Writes what has been found, all or nothing; what failed before and did not now is no failure any more.
    pub fn add(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let (path, run) = (self.path.clone(), self.run);
        self.transaction(|transaction| batch.write(transaction, run)).map_err(|error| wrong(&path, &error))
    }

    /// Writes down what failed; the sentence of what failed before is replaced.
    pub fn fail(&mut self, failure: &FailureRow) -> Result<(), StoreError> {
        let path = self.path.clone();
        let write = |transaction: &Transaction<'_>| {
            forget(transaction, failure.network.as_deref(), failure.image_set.as_deref(), failure.image.as_deref())?;
            transaction.execute(
                "INSERT INTO failure VALUES (?1, ?2, ?3, ?4)",
                params![failure.network, failure.image_set, failure.image, failure.problem],
            )
        };
        self.transaction(write).map(drop).map_err(|error| wrong(&path, &error))
    }

    /// A network was loaded and prepared: what failed of it by itself has not.
    pub fn succeed(&mut self, network: &str) -> Result<(), StoreError> {
        let path = self.path.clone();
        self.transaction(|transaction| forget(transaction, Some(network), None, None))
            .map_err(|error| wrong(&path, &error))
    }

    /// What failed.
    pub fn failures(&self) -> Result<Vec<FailureRow>, StoreError> {
        let query = "SELECT network, image_set, image, problem FROM failure ORDER BY 1, 2, 3";
        self.rows(query, |row| {
            Ok(FailureRow { network: row.get(0)?, image_set: row.get(1)?, image: row.get(2)?, problem: row.get(3)? })
        })
    }

    /// Takes in all that another store of the same settings has; what both have must be the same.
    ///
    /// # Errors
    /// Its settings are others; results of the same image and network differ.
    pub fn merge(&mut self, other: &Path) -> Result<(), StoreError> {
        let theirs = Self::read(other)?;
        self.compare(&theirs.settings()?)?;
        drop(theirs);
        let contradicts = |problem: String| StoreError::Contradicts { path: other.to_owned(), problem };
        let path = self.path.clone();
        let failed = |error: rusqlite::Error| wrong(&path, &error);
        self.connection
            .execute("ATTACH ?1 AS other", [other.to_string_lossy()])
            .map_err(|error| wrong(other, &error))?;
        let merged = match self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate) {
            // Without a commit the transaction is undone.
            Ok(transaction) => merge(&transaction)
                .and_then(|problem| if problem.is_some() { Ok(problem) } else { transaction.commit().map(|()| None) })
                .map_err(failed),
            Err(error) => Err(failed(error)),
        };
        let detached = self.connection.execute("DETACH other", []).map_err(|error| wrong(&path, &error));
        match merged? {
            Some(problem) => Err(contradicts(problem)),
            None => detached.map(drop),
        }
    }
}

/// Keeps other processes of aliascope from writing to a store as long as the file is open.
fn locked(path: &Path) -> Result<fs::File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let other = |error: std::io::Error| StoreError::Other { path: path.to_owned(), problem: error.to_string() };
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(other)?;
    #[cfg(unix)]
    {
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is open as long as the file is; locking it touches no memory.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            let error = std::io::Error::last_os_error();
            return Err(match error.kind() {
                std::io::ErrorKind::WouldBlock => StoreError::Busy { path: path.to_owned() },
                _ => other(error),
            });
        }
    }
    Ok(file)
}
