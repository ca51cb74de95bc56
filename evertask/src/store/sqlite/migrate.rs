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
    check_for(conn, path, MIGRATIONS)
}

/// Brings the file up to date, in one transaction, alone.
pub(super) fn migrate(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    migrate_to(conn, path, MIGRATIONS)
}

fn check_for(conn: &Connection, path: &Path, known: &[&str]) -> Result<(), StoreError> {
    let (application, version, tables) = state(conn).map_err(|fault| fault.at(path))?;
    if application != APPLICATION_ID && (application != 0 || tables > 0) {
        let reason = "it is the database of another program; give evertask a file of its own";
        return Err(unusable(path, reason.to_owned()));
    }
    newer(path, version, known).map_or(Ok(()), Err)
}

fn migrate_to(conn: &Connection, path: &Path, known: &[&str]) -> Result<(), StoreError> {
    let done = apply(conn, known);
    if done.is_err() && !conn.is_autocommit() {
        // The first error is the one to tell.
        let _ = conn.execute_batch(sql::ROLLBACK);
    }
    match done {
        Ok(Some(version)) => newer(path, version, known).map_or(Ok(()), Err),
        Ok(None) => Ok(()),
        Err(fault) => Err(fault.at(path)),
    }
}

/// Applies what is missing. A version that another process made newer meanwhile comes back.
fn apply(conn: &Connection, known: &[&str]) -> Outcome<Option<i64>> {
    if state(conn)?.1 == count(known) {
        return Ok(None);
    }
    conn.execute_batch(sql::BEGIN)?;
    let (_, version, _) = state(conn)?;
    let missing = usize::try_from(version).ok().and_then(|version| known.get(version..));
    let Some(missing) = missing else {
        conn.execute_batch(sql::ROLLBACK)?;
        return Ok(Some(version));
    };
    for migration in missing {
        conn.execute_batch(migration)?;
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID)?;
    conn.pragma_update(None, "user_version", count(known))?;
    super::points::hit("sqlite.migrate.before_commit");
    conn.execute_batch(sql::COMMIT)?;
    super::points::hit("sqlite.migrate.after_commit");
    Ok(None)
}

fn state(conn: &Connection) -> Outcome<(i64, i64, i64)> {
    let read = |sql: &str| conn.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok((read(sql::APPLICATION_ID)?, read(sql::USER_VERSION)?, read(sql::ANY_TABLE)?))
}

fn count(migrations: &[&str]) -> i64 {
    i64::try_from(migrations.len()).unwrap_or(i64::MAX)
}

fn newer(path: &Path, version: i64, known: &[&str]) -> Option<StoreError> {
    let known = count(known);
    (version > known).then(|| {
        let reason = format!(
            "it was written by a newer evertask (its format is {version}, this program knows {known}); \
             update this program"
        );
        unusable(path, reason)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A release that is newer by one: what its tables would need more.
    const NEWER: &[&str] = &[MIGRATIONS[0], "ALTER TABLE task ADD COLUMN later TEXT"];

    fn version(conn: &Connection) -> i64 {
        conn.query_row(sql::USER_VERSION, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_newer_release_takes_the_file_of_an_older_one_and_the_older_one_leaves_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("work.db");
        let conn = Connection::open(&path).unwrap();
        migrate_to(&conn, &path, MIGRATIONS).unwrap();
        check_for(&conn, &path, NEWER).unwrap();
        migrate_to(&conn, &path, NEWER).unwrap();
        assert_eq!(version(&conn), 2);
        conn.prepare("SELECT later FROM task").unwrap();
        // Twice is once.
        migrate_to(&conn, &path, NEWER).unwrap();
        for refused in [check_for(&conn, &path, MIGRATIONS), migrate_to(&conn, &path, MIGRATIONS)] {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains("its format is 2, this program knows 1"), "{refused}");
        }
        assert_eq!(version(&conn), 2);
    }

    #[test]
    fn a_migration_that_fails_leaves_everything_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("work.db");
        let conn = Connection::open(&path).unwrap();
        migrate_to(&conn, &path, MIGRATIONS).unwrap();
        migrate_to(&conn, &path, &[MIGRATIONS[0], "CREATE TABLE half (x); CREATE TABLE task (x)"]).unwrap_err();
        assert_eq!(version(&conn), 1);
        conn.prepare("SELECT x FROM half").unwrap_err();
        assert!(conn.is_autocommit());
    }

    #[test]
    fn several_that_migrate_a_file_at_once_do_it_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("work.db");
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let conn = Connection::open(&path).unwrap();
                    conn.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
                    migrate_to(&conn, &path, NEWER).unwrap();
                });
            }
        });
        assert_eq!(version(&Connection::open(&path).unwrap()), 2);
    }
}
