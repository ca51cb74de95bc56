//! Starts what schedules say. Any worker that knows the task does it: who moves the schedule's revision on has started
//! its slots, in the same transaction, and the others have not.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::sync::Notify;

use super::declared;
use super::template::Template;
use crate::payload::CodecError;
use crate::registry::{Prepare, Registry};
use crate::schedule::{Clock, Schedule, Timestamp};
use crate::store::{Firing, ScheduleRecord, Store, StoreError, Turn};
use crate::worker::caught;

/// How soon a schedule that another process has added or changed is looked for; a store may know of it later.
const LOOK: Duration = Duration::from_secs(1);

/// Turns schedules for ever.
pub(super) async fn tend(store: &dyn Store, clock: &dyn Clock, registry: &Registry, moved: &Notify) {
    let mut reported = Reported::default();
    let mut in_contact = true;
    loop {
        let mut pause = LOOK;
        match turn_due(store, clock, registry, &mut reported).await {
            Ok(next) => {
                in_contact = true;
                // A clock that somebody moves wakes us by itself.
                pause = next.and_then(|next| clock.sleep_until(next)).map_or(LOOK, |until| until.min(LOOK));
            }
            Err(StoreError::Closed) => return,
            Err(error) => {
                if in_contact {
                    tracing::warn!(%error, "schedules can't be looked at");
                }
                in_contact = false;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = moved.notified() => {}
        }
    }
}

/// Starts all that is due and known here. When the next slot comes.
async fn turn_due(
    store: &dyn Store,
    clock: &dyn Clock,
    registry: &Registry,
    reported: &mut Reported,
) -> Result<Option<Timestamp>, StoreError> {
    loop {
        let (due, next) = store.due_schedules().await?;
        let mut turned = false;
        for record in due {
            // Somebody else's, or nobody's yet: it stays due, and its misfire policy says what becomes of it.
            let Some(known) = registry.known_as(&record.name) else { continue };
            // An older program has kept it again, while this one runs.
            if declared::is_gone(&record, known) {
                declared::forget(store, &record).await?;
                continue;
            }
            let Some(prepare) = registry.prepare(&record.name) else { continue };
            match turn(&record, prepare, clock.now()) {
                Ok(Some(turn)) => {
                    store.turn_schedule(turn).await?;
                    turned = true;
                }
                Ok(None) => {}
                Err(reason) => reported.report(&record, &reason),
            }
        }
        if !turned {
            return Ok(next);
        }
    }
}

/// What is to be done to a schedule at this time, if anything is.
fn turn(record: &ScheduleRecord, prepare: Prepare, now: Timestamp) -> Result<Option<Turn>, String> {
    let Some(cursor) = record.next.filter(|next| *next <= now) else { return Ok(None) };
    let schedule = record.schedule().map_err(|error| error.to_string())?;
    let template: Template = serde_json::from_slice(&record.template).map_err(|error| error.to_string())?;
    let plan = schedule.plan(&record.id, cursor, now, record.fired);
    let mut fire = Vec::with_capacity(plan.fire.len());
    for slot in plan.fire {
        // A payload's `Deserialize`, and the start of a workflow, are the user's code.
        let made = caught(|| template.work(record, slot.slot, slot.run_at, prepare))?;
        fire.push(Firing { slot: slot.slot, work: made.map_err(|error| error.to_string())? });
    }
    let (id, revision) = (record.id.clone(), record.revision);
    Ok(Some(Turn { id, revision, fire, skipped: plan.skipped, next: plan.next }))
}

/// What has been said already of schedules that can't be started: once for each change of them.
#[derive(Default)]
struct Reported(BTreeSet<(String, i64)>);

impl Reported {
    fn report(&mut self, record: &ScheduleRecord, reason: &str) {
        if self.0.insert((record.id.clone(), record.revision)) {
            tracing::error!(schedule = record.id, task = record.name, reason, "a schedule can't be started here");
        }
    }
}

impl ScheduleRecord {
    /// When it recurs.
    pub fn schedule(&self) -> Result<Schedule, CodecError> {
        serde_json::from_slice(&self.spec)
            .map_err(|error| CodecError::Decode { what: "schedule", reason: error.to_string() })
    }
}
