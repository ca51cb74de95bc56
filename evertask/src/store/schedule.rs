//! Recurring work, as a store keeps it: what recurs is opaque to it, when it does next is not.

use crate::id::WorkId;
use crate::schedule::Timestamp;
use crate::store::NewWork;

/// A schedule to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSchedule {
    /// Its id: the same in each version of a program, so that a deploy changes it and never doubles it.
    pub id: String,
    /// The task or workflow that it starts.
    pub name: String,
    /// When it recurs, as JSON.
    pub spec: Vec<u8>,
    /// What it starts, as JSON.
    pub template: Vec<u8>,
    /// Its next slot, if it is new or its spec has changed. None if there will be none.
    pub next: Option<Timestamp>,
}

/// A schedule as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleRecord {
    /// Its id.
    pub id: String,
    /// The task or workflow that it starts.
    pub name: String,
    /// When it recurs, as JSON.
    pub spec: Vec<u8>,
    /// What it starts, as JSON.
    pub template: Vec<u8>,
    /// The next slot; none if it is over.
    pub next: Option<Timestamp>,
    /// How many slots were started.
    pub fired: u64,
    /// How many slots were left out, by its misfire policy.
    pub skipped: u64,
    /// Whether it is held.
    pub paused: bool,
    /// What it started last, and for which slot.
    pub last: Option<(Timestamp, WorkId)>,
    /// When it was added.
    pub created_at: Timestamp,
    /// Changes whenever it is fired, changed, held or let go.
    pub revision: i64,
}

/// One occurrence of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// The slot: there is one occurrence for each.
    pub slot: Timestamp,
    /// What starts.
    pub work: NewWork,
}

/// What is to be done to a schedule whose time has come. All of it is one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The schedule.
    pub id: String,
    /// What its revision was when this was decided: if it has changed, nothing is done.
    pub revision: i64,
    /// What starts, in order; a slot that has an occurrence already is left out.
    pub fire: Vec<Firing>,
    /// How many slots are left out.
    pub skipped: u64,
    /// The next slot.
    pub next: Option<Timestamp>,
}
