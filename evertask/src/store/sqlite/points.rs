//! The crash points of this store: before and after the commit of each kind of request.

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
    #[cfg(feature = "testing")]
    testing::hit_all(batch, effects, "before_commit");
    #[cfg(not(feature = "testing"))]
    let _ = (batch, effects);
}

pub(super) fn after_commit(batch: &[Request], effects: &Effects) {
    #[cfg(feature = "testing")]
    testing::hit_all(batch, effects, "after_commit");
    #[cfg(not(feature = "testing"))]
    let _ = (batch, effects);
}

#[cfg(feature = "testing")]
mod testing {
    use super::{Effects, Request, hit};
    use crate::store::Verdict;

    /// A batch passes the points of every kind of request that is in it, each once.
    pub(super) fn hit_all(batch: &[Request], effects: &Effects, side: &str) {
        let mut kinds: Vec<&str> = batch.iter().flat_map(kinds).collect();
        if !effects.claims.is_empty() {
            kinds.push("claim");
        }
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            hit(&format!("sqlite.{kind}.{side}"));
        }
    }

    fn kinds(request: &Request) -> Vec<&'static str> {
        match request {
            Request::Settle(settle) => settle.finished.iter().map(|finished| verdict(&finished.verdict)).collect(),
            Request::Dispatch(..) => vec!["dispatch"],
            Request::Attach(_) => vec!["attach"],
            Request::Retire(_) => vec!["retire"],
            Request::Reclaim(_) => vec!["reclaim"],
            Request::Cancel(_) => vec!["cancel"],
            // Each worker asks for it again and again; it counts where a run's time was up.
            Request::ExpireRuns(ask) if ask.answer.as_ref().is_some_and(|runs| !runs.is_empty()) => vec!["expire"],
            Request::ChangeQueue(_) => vec!["queue"],
            Request::KeepSchedules(_) => vec!["schedules"],
            Request::TurnSchedule(_) => vec!["turn"],
            Request::Revive(_) => vec!["revive"],
            Request::Discard(_) => vec!["discard"],
            Request::Prune(_) => vec!["prune"],
            Request::Signal(_) => vec!["signal"],
            Request::Pause(_) => vec!["pause"],
            Request::Resume(_) | Request::ResumeUndo(_) => vec!["resume"],
            _ => Vec::new(),
        }
    }

    fn verdict(verdict: &Verdict) -> &'static str {
        match verdict {
            Verdict::Succeeded { .. } => "settle.succeeded",
            Verdict::Failed { .. } => "settle.failed",
            Verdict::Retry { .. } => "settle.retry",
            Verdict::Cancelled { .. } => "settle.cancelled",
            Verdict::Snoozed { .. } => "settle.snoozed",
            Verdict::Interrupted => "settle.interrupted",
            Verdict::Parked { .. } => "settle.parked",
        }
    }
}
