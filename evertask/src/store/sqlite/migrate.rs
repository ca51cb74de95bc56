//! The tables, as they grew. Migrations only go forward; a file of a newer version is left alone.

use std::path::Path;

use rusqlite::Connection;

use super::fault::{Outcome, unusable};
use super::sql;
use crate::store::StoreError;

/// In order; a file's `user_version` says how many it has had.
const MIGRATIONS: &[&str] = &[include_str!("../../../migrations/sqlite/0001_work.sql")];

/// "ever", as SQLite keeps the name of the program that a file belongs to.
const APPLICATION_ID: i64 = 0x6576_6572;

/// Looks whose file it is before anything in it is changed.
pub(super) fn check(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let (application, version, tables) = state(conn).map_err(|fault| fault.at(path))?;
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        let reason = "it is the database of another program; give evertask a file of its own";
        return Err(unusable(path, reason.to_owned()));
    }
    newer(path, version).map_or(Ok(()), Err)
}

/// Brings the file up to date, in one transaction, alone.
pub(super) fn migrate(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let done = apply(conn);
    if done.is_err() && !conn.is_autocommit() {
        // The first error is the one to tell.
        let _ = conn.execute_batch(sql::ROLLBACK);
    }
    match done {
        Ok(Some(version)) => newer(path, version).map_or(Ok(()), Err),
        Ok(None) => Ok(()),
        Err(fault) => Err(fault.at(path)),
    }
}

/// Applies what is missing. A version that another process made newer meanwhile comes back.
fn apply(conn: &Connection) -> Outcome<Option<i64>> {
    if state(conn)?.1 == known() {
        return Ok(None);
    }
    conn.execute_batch(sql::BEGIN)?;
    let (_, version, _) = state(conn)?;
    let missing = usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(version..));
    let Some(missing) = missing else {
        conn.execute_batch(sql::ROLLBACK)?;
        return Ok(Some(version));
    };
    for migration in missing {
        conn.execute_batch(migration)?;
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.pragma_update(None, "user_version", known())?;
    super::points::hit("sqlite.migrate.before_commit");
    conn.execute_batch(sql::COMMIT)?;
    super::points::hit("sqlite.migrate.after_commit");
    Ok(None)
}

fn state(conn: &Connection) -> Outcome<(i64, i64, i64)> {
    let read = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok((read(sql::APPLICATION_ID)?, read(sql::USER_VERSION)?, read(sql::ANY_TABLE)?))
}

fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

fn newer(path: &Path, version: i64) -> Option<StoreError> {
    let known = known();
    (version > known).then(|| {
        let reason = format!(
            "it was written by a newer evertask (its format is {version}, this program knows {known}); \
             update this program"
        );
        unusable(path, reason)
    })
}
