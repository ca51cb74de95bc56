//! The crash points of this store: before and after the commit of any transaction of the writer, of those that do more
//! than one thing at once, and of what was asked by SQL.

use super::effects::Effects;
use super::request::Request;

/// Lets the process die here, if a test asks for it.
#[cfg(feature = "testing")]
pub(super) fn hit(name: &str) {
    crate::testing::crash_point(name);
}

/// Nothing.
#[cfg(not(feature = "testing"))]
pub(super) fn hit(_name: &str) {}

pub(super) fn before_commit(batch: &[Request], effects: &Effects) {
    hit("postgres.before_commit");
    for kind in kinds(batch, effects) {
        hit(&format!("postgres.{kind}.before_commit"));
    }
}

pub(super) fn after_commit(batch: &[Request], effects: &Effects) {
    hit("postgres.after_commit");
    for kind in kinds(batch, effects) {
        hit(&format!("postgres.{kind}.after_commit"));
    }
}

/// What a batch does that has points of its own, each once.
fn kinds(batch: &[Request], effects: &Effects) -> impl Iterator<Item = &'static str> {
    let keeps = batch.iter().any(|request| matches!(request, Request::KeepSchedules(_)));
    let turns = batch.iter().any(|request| matches!(request, Request::TurnSchedule(_)));
    [("end", !effects.ended.is_empty()), ("schedules", keeps), ("turn", turns)]
        .into_iter()
        .filter_map(|(kind, is_there)| is_there.then_some(kind))
}
