//! What commits with others' writes to the same file: work that is dispatched in a transaction of the caller's, and
//! what a handler writes in the transaction that completes its task.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use super::batch::{Batch, Hot};
use super::fault::{Fault, Outcome};
use super::fleet::Fleet;
use super::queues::Queues;
use super::{SqliteStore, sql};
use crate::store::{Dispatched, Finished, NewWork, StoreError, Verdict};

impl SqliteStore {
    /// Adds work in the transaction that the caller has on this connection, all of it or none.
    pub(crate) fn dispatch_in(&self, conn: &Connection, work: &[NewWork]) -> Result<Vec<Dispatched>, StoreError> {
        if !is_same_file(conn, &self.path) {
            let (theirs, ours) = (conn.path().unwrap_or("a database in memory"), self.path.display());
            let reason = format!("it is one of `{theirs}`, and the store is `{ours}`");
            return Err(StoreError::Foreign { reason });
        }
        let added = in_part(conn, || {
            let (mut hot, mut fleet, mut queues) = (Hot::prepare(conn)?, Fleet::default(), Queues::default());
            let mut batch = Batch::new(conn, &mut hot, &mut fleet, &mut queues, self.clock.now());
            batch.dispatch(work)
        });
        added.map_err(|fault| fault.at(&self.path))?
    }
}

impl Batch<'_, '_> {
    /// Writes what commits with this attempt, if it does; else says what went wrong with that, and nothing of it is
    /// written. A claim that was lost writes nothing.
    pub(super) fn write_effects(&mut self, finished: &Finished) -> Outcome<Option<String>> {
        let Verdict::Succeeded { next, .. } = &finished.verdict else { return Ok(None) };
        if next.on_commit.is_empty() || self.look_up(finished.claim)?.is_none() {
            return Ok(None);
        }
        let conn = self.conn;
        let written = in_part(conn, || Ok(next.on_commit.run(conn)))?;
        let Err(wrong) = written else { return Ok(None) };
        match wrong.downcast::<rusqlite::Error>() {
            // Not the handler's fault: the attempt is ended again when there is room.
            Ok(error) if is_of_the_disk(&error) => Err(Fault::Sqlite(*error)),
            Ok(error) => Ok(Some(error.to_string())),
            Err(wrong) => Ok(Some(wrong.to_string())),
        }
    }
}

/// Does a part of a transaction. A part that fails leaves nothing behind.
fn in_part<T, E>(conn: &Connection, work: impl FnOnce() -> Outcome<Result<T, E>>) -> Outcome<Result<T, E>> {
    conn.execute_batch(sql::BEGIN_PART)?;
    let done = work();
    if conn.is_autocommit() {
        let ended = "the transaction was ended by what was to be a part of it";
        return Err(done.err().unwrap_or_else(|| Fault::Value(ended.to_owned())));
    }
    if !matches!(done, Ok(Ok(_))) {
        conn.execute_batch(sql::UNDO_PART)?;
    }
    conn.execute_batch(sql::KEEP_PART)?;
    done
}

fn is_same_file(conn: &Connection, path: &Path) -> bool {
    let theirs = conn.path().filter(|theirs| !theirs.is_empty()).map(std::fs::canonicalize);
    matches!((theirs, path.canonicalize()), (Some(Ok(theirs)), Ok(ours)) if theirs == ours)
}

fn is_of_the_disk(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::OutOfMemory))
}
