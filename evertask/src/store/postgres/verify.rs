//! Checking the invariants on what is stored, in one snapshot.

use sqlx::{Row as _, query};

use super::fault::Outcome;
use super::link::Link;
use super::sql;
use crate::store::Violation;

/// The most rows that are named for one invariant.
const MOST: usize = 100;

/// Every row that breaks an invariant. The caller has begun the transaction.
pub(super) async fn verify(link: &mut Link<'_>) -> Outcome<Vec<Violation>> {
    let mut violations = Vec::new();
    for &(invariant, sql, detail) in sql::INVARIANTS {
        for row in link.all(query(sql)).await?.iter().take(MOST) {
            let id = row.try_get::<uuid::Uuid, _>(0)?.to_string();
            violations.push(Violation { invariant, id, detail: detail.to_owned() });
        }
    }
    Ok(violations)
}
