//! Opening the file: whose it is, and how SQLite is to treat it.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::fault::{Fault, unusable};
use super::{migrate, sql};
use crate::store::StoreError;

/// The longest that a statement waits for another process that writes, in steps of about a millisecond.
const PATIENCE: i32 = 10_000;

/// How large the WAL may stay once nobody needs it any more.
const WAL_LIMIT: i64 = 64 << 20;

/// How durable the file is, as SQLite itself says it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pragmas {
    /// `PRAGMA synchronous`: 2 is FULL.
    pub synchronous: i64,
    /// `PRAGMA journal_mode`.
    pub journal_mode: String,
}

impl Pragmas {
    pub(super) fn read(conn: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            synchronous: conn.query_row(sql::SYNCHRONOUS, [], |row| row.get(0))?,
            journal_mode: conn.query_row(sql::JOURNAL_MODE, [], |row| row.get(0))?,
        })
    }
}

/// The connection that writes. The file is made or brought up to date, unless it is somebody else's.
pub(super) fn open_writer(path: &Path, autocheckpoint: Option<u32>) -> Result<Connection, StoreError> {
    create(path)?;
    let conn = connect(path)?;
    migrate::check(&conn, path)?;
    let pragmas = durable(&conn, autocheckpoint).map_err(|fault| fault.at(path))?;
    if pragmas.synchronous != 2 || pragmas.journal_mode != "wal" {
        let reason = format!(
            "it needs a write-ahead log with synchronous=FULL, and SQLite says {} and {}; is it on a network drive?",
            pragmas.journal_mode, pragmas.synchronous
        );
        return Err(unusable(path, reason));
    }
    migrate::migrate(&conn, path)?;
    Ok(conn)
}

/// A connection that reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let conn = connect(path)?;
    conn.pragma_update(None, "query_only", true).map_err(|error| Fault::from(error).at(path))?;
    Ok(conn)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || {
        let conn = Connection::open_with_flags(path, flags)?;
        conn.busy_handler(Some(wait_a_little))?;
        conn.set_prepared_statement_cache_capacity(128);
        // One plan for each statement: else SQLite prepares it anew whenever the value of a LIMIT changes.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        conn.pragma_update(None, "foreign_keys", true)?;
        conn.pragma_update(None, "trusted_schema", false)?;
        Ok(conn)
    };
    open().map_err(|error: rusqlite::Error| Fault::from(error).at(path))
}

fn durable(conn: &Connection, autocheckpoint: Option<u32>) -> Result<Pragmas, Fault> {
    // Pages of 8 KiB took a tenth less time than the default's 4; only a new file takes notice.
    conn.pragma_update(None, "page_size", 8192)?;
    write_ahead(conn)?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    // 16 MiB: more is no faster, because each commit that splits a page looks through the whole cache.
    conn.pragma_update(None, "cache_size", -16_384)?;
    conn.pragma_update(None, "temp_store", "MEMORY")?;
    conn.pragma_update(None, "journal_size_limit", WAL_LIMIT)?;
    if let Some(pages) = autocheckpoint {
        conn.pragma_update(None, "wal_autocheckpoint", pages)?;
    }
    Ok(Pragmas::read(conn)?)
}

/// The change to a WAL needs the file alone for a moment, and SQLite does not wait for that by itself.
fn write_ahead(conn: &Connection) -> rusqlite::Result<()> {
    let mut tries = 0;
    loop {
        match conn.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) && tries < PATIENCE => {
                tries += 10;
                std::thread::sleep(Duration::from_millis(10));
            }
            done => return done,
        }
    }
}

/// Short and even pauses: SQLite's own grow to 100 ms, which starves whoever waited longest.
fn wait_a_little(tries: i32) -> bool {
    std::thread::sleep(Duration::from_micros(if tries < 10 { 100 } else { 1_000 }));
    tries < PATIENCE
}

/// Payloads are plain text, so a new file is for its owner alone; SQLite gives the WAL the same mode.
fn create(path: &Path) -> Result<(), StoreError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Unavailable { reason: format!("`{}`: {error}", path.display()) }),
    }
}
