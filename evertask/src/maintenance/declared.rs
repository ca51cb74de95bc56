//! The schedules that are declared in the program, beside what they start. A worker that starts keeps them: it adds what
//! is new, changes what is another by now, and forgets what is declared no more.
//!
//! Each task or workflow has one at most, which is found by its name of today or of before: what it has counted, and
//! whether it is held, outlives a new name. What this program does not know is not its own, and stays.

use std::collections::{BTreeMap, BTreeSet};

use super::template::Template;
use crate::registry::{Problem, Recurs, Registered, Registry};
use crate::schedule::{Clock, Schedule};
use crate::store::{NewSchedule, ScheduleRecord, Store, StoreError};
use crate::worker::caught;
use crate::workflow::Draft;

/// A schedule of this program.
pub(crate) struct Declared {
    name: &'static str,
    schedule: Schedule,
    spec: Vec<u8>,
    template: Vec<u8>,
}

/// All of them, or what is wrong with each.
pub(crate) fn declared(registry: &Registry) -> (Vec<Declared>, Vec<Problem>) {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for (registered, recurs) in registry.recurring() {
        // Its schedule and its payload are the user's code.
        match caught(|| declaration(registered.name(), recurs)).and_then(|made| made) {
            Ok(declared) => all.push(declared),
            Err(mistake) => {
                let (name, place) = (registered.name(), registered.location().to_string());
                problems.push(Problem::Schedule { name, place, mistake });
            }
        }
    }
    (all, problems)
}

fn declaration(name: &'static str, recurs: Recurs) -> Result<Declared, String> {
    let schedule = (recurs.schedule)().map_err(|error| error.to_string())?;
    let payload = (recurs.payload)().map_err(|error| error.to_string())?;
    let template = Template::new(payload, Draft::default()).map_err(|error| error.to_string())?.declared();
    let spec = serde_json::to_vec(&schedule).map_err(|error| error.to_string())?;
    let template = serde_json::to_vec(&template).map_err(|error| error.to_string())?;
    Ok(Declared { name, schedule, spec, template })
}

/// Keeps the schedules of this program, and forgets those that it has no more.
pub(crate) async fn keep(
    store: &dyn Store,
    clock: &dyn Clock,
    registry: &Registry,
    declared: Vec<Declared>,
) -> Result<(), StoreError> {
    let stored = store.schedules().await?;
    let mut mine: BTreeMap<&str, Vec<&ScheduleRecord>> = BTreeMap::new();
    for record in &stored {
        if let Some(name) = registry.known_as(&record.name).map(|known| known.name())
            && (record.id == name || is_declared(record))
        {
            mine.entry(name).or_default().push(record);
        }
    }
    let taken: BTreeSet<&str> = stored.iter().map(|record| record.id.as_str()).collect();
    let (mut kept, mut ids) = (Vec::new(), BTreeSet::new());
    for Declared { name, schedule, spec, template } in declared {
        // Two only where two programs began at once, one under each name.
        let oldest = mine.get(name).into_iter().flatten().min_by_key(|record| (record.created_at, &record.id));
        let id = oldest.map_or_else(|| free_id(name, &taken), |record| record.id.clone());
        let next = schedule.next_after(clock.now());
        ids.insert(id.clone());
        kept.push(NewSchedule { id, name: name.to_owned(), spec, template, next });
    }
    if !kept.is_empty() {
        store.keep_schedules(kept).await?;
    }
    for record in mine.into_values().flatten() {
        if !ids.contains(&record.id) && is_declared(record) {
            forget(store, record).await?;
        }
    }
    Ok(())
}

/// The name, unless another's schedule has it.
fn free_id(name: &str, taken: &BTreeSet<&str>) -> String {
    let numbered = (2_u64..).map(|number| format!("{name} {number}"));
    let mut ids = std::iter::once(name.to_owned()).chain(numbered);
    ids.find(|id| !taken.contains(id.as_str())).unwrap_or_else(|| name.to_owned())
}

/// Whether a schedule is one of a declaration that this program, which knows what it starts, does not have.
pub(super) fn is_gone(record: &ScheduleRecord, known: Registered) -> bool {
    known.recurs().is_none() && is_declared(record)
}

/// Whether a program has declared it, and nobody has changed it by hand since.
fn is_declared(record: &ScheduleRecord) -> bool {
    serde_json::from_slice::<Template>(&record.template).is_ok_and(|template| template.is_declared())
}

/// Forgets a schedule that is declared no more.
pub(super) async fn forget(store: &dyn Store, record: &ScheduleRecord) -> Result<(), StoreError> {
    tracing::info!(schedule = record.id, task = record.name, "the schedule is declared no more, and is forgotten");
    store.drop_schedule(record.id.clone()).await.map(drop)
}
