//! The database file: its tables and how it is opened.
//!
//! The last process to leave folds the log back into the database, so that the next one need not read it.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{Error, Result};

const SCHEMA: &str = "
    -- What an op with this key made. `outputs` has one line per output: layer ids from the bottom up.
    CREATE TABLE IF NOT EXISTS results (
        sequence   INTEGER PRIMARY KEY AUTOINCREMENT,
        key        BLOB NOT NULL UNIQUE,
        result_key BLOB NOT NULL,
        outputs    TEXT NOT NULL,
        note       TEXT NOT NULL,
        used       INTEGER NOT NULL,
        boot       TEXT NOT NULL,
        durable    INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS volatile_results ON results (sequence) WHERE durable = 0;
    -- Digest of a part of a file system.
    CREATE TABLE IF NOT EXISTS contents (
        chain    BLOB NOT NULL,
        selector TEXT NOT NULL,
        digest   BLOB NOT NULL,
        PRIMARY KEY (chain, selector)
    ) WITHOUT ROWID;
    -- What a local directory looked like when it was last read.
    CREATE TABLE IF NOT EXISTS scans (
        directory BLOB PRIMARY KEY,
        entries   BLOB NOT NULL
    );
    -- Answers worth remembering: images resolved, recipes, registries that do not answer.
    CREATE TABLE IF NOT EXISTS answers (
        space TEXT NOT NULL,
        key   TEXT NOT NULL,
        value BLOB NOT NULL,
        at    INTEGER NOT NULL,
        PRIMARY KEY (space, key)
    ) WITHOUT ROWID;
";

/// Makes the tables in `path`.
///
/// # Errors
/// When the file cannot be written.
pub fn create(path: &Path) -> Result<()> {
    let make = || {
        let connection = connect(path, OpenFlags::SQLITE_OPEN_CREATE)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.execute_batch(SCHEMA)
    };
    make().map_err(|source| failed(path, source))
}

/// Opens a database that [`create`] made.
///
/// # Errors
/// When it cannot be opened.
pub fn open(path: &Path) -> Result<Connection> {
    connect(path, OpenFlags::empty()).map_err(|source| failed(path, source))
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(30))?;
    connection.set_prepared_statement_cache_capacity(32);
    // In WAL mode this is safe against crashes of the machine: the last transactions may be lost, no more.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

fn failed(path: &Path, source: rusqlite::Error) -> Error {
    Error::Database { path: path.display().to_string(), source }
}
