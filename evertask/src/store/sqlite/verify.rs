//! Checking the invariants on what is stored, in one snapshot.

use rusqlite::Connection;

use super::fault::Outcome;
use super::sql;
use crate::store::Violation;

/// The most rows that are named for one invariant.
const MOST: usize = 100;

/// Every row that breaks an invariant.
pub(super) fn verify(conn: &Connection) -> Outcome<Vec<Violation>> {
    conn.execute_batch(sql::BEGIN_READ)?;
    let violations = check(conn);
    conn.execute_batch(sql::COMMIT)?;
    violations
}

fn check(conn: &Connection) -> Outcome<Vec<Violation>> {
    let mut violations = Vec::new();
    for &(invariant, sql, detail) in sql::INVARIANTS {
        let mut find = conn.prepare_cached(sql)?;
        let mut rows = find.query([])?;
        let mut named = 0;
        while let Some(row) = rows.next()?
            && named < MOST
        {
            named += 1;
            violations.push(Violation { invariant, id: name(&row.get::<_, Vec<u8>>(0)?), detail: detail.to_owned() });
        }
    }
    Ok(violations)
}

/// An id in words, even one that is none.
fn name(id: &[u8]) -> String {
    uuid::Uuid::from_slice(id).map_or_else(|_| format!("{id:02x?}"), |id| id.to_string())
}
