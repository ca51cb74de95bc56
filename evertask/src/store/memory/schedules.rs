//! Recurring work.

use std::collections::BTreeMap;

use crate::id::WorkId;
use crate::schedule::Timestamp;
use crate::store::{Dispatched, Firing, NewSchedule, ScheduleRecord, StoreError, Turn};

use super::state::State;

/// A schedule, and what it has started.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) record: ScheduleRecord,
    pub(super) occurrences: BTreeMap<Timestamp, WorkId>,
}

impl State {
    pub(super) fn keep_schedules(&mut self, schedules: Vec<NewSchedule>) {
        for NewSchedule { id, name, spec, template, next } in schedules {
            let Some(schedule) = self.schedules.get_mut(&id) else {
                let record = ScheduleRecord {
                    id: id.clone(),
                    name,
                    spec,
                    template,
                    next,
                    fired: 0,
                    skipped: 0,
                    paused: false,
                    last: None,
                    created_at: self.now,
                    revision: 0,
                };
                self.schedules.insert(id, Schedule { record, occurrences: BTreeMap::new() });
                continue;
            };
            let record = &mut schedule.record;
            if (&record.name, &record.spec, &record.template) == (&name, &spec, &template) {
                continue;
            }
            if record.spec != spec {
                record.next = next;
            }
            (record.name, record.spec, record.template) = (name, spec, template);
            record.revision += 1;
        }
    }

    pub(super) fn hold_schedule(&mut self, id: &str, paused: bool, next: Option<Timestamp>) -> bool {
        let Some(Schedule { record, .. }) = self.schedules.get_mut(id) else { return false };
        let next = next.or(record.next);
        if (record.paused, record.next) == (paused, next) {
            return false;
        }
        (record.paused, record.next) = (paused, next);
        record.revision += 1;
        true
    }

    pub(super) fn schedules(&self) -> Vec<ScheduleRecord> {
        self.schedules.values().map(|schedule| schedule.record.clone()).collect()
    }

    pub(super) fn due_schedules(&self) -> (Vec<ScheduleRecord>, Option<Timestamp>) {
        let open = || self.schedules.values().map(|schedule| &schedule.record).filter(|record| !record.paused);
        let due = open().filter(|record| record.next.is_some_and(|next| next <= self.now));
        (due.cloned().collect(), open().filter_map(|record| record.next).filter(|next| *next > self.now).min())
    }

    pub(super) fn turn_schedule(&mut self, turn: Turn) -> Result<Vec<Dispatched>, StoreError> {
        let Turn { id, revision, fire, skipped, next } = turn;
        Self::check_dispatch(fire.iter().map(|firing| &firing.work))?;
        let mine = |schedule: &&Schedule| schedule.record.revision == revision && !schedule.record.paused;
        let Some(schedule) = self.schedules.get(&id).filter(mine) else { return Ok(Vec::new()) };
        let mut occurrences = BTreeMap::new();
        let mut started = Vec::new();
        let mut last = schedule.record.last;
        for Firing { slot, work } in fire {
            let before = self.schedules.get(&id).is_some_and(|schedule| schedule.occurrences.contains_key(&slot));
            if before || occurrences.contains_key(&slot) {
                continue;
            }
            if let Some(dispatched) = self.add(work, None) {
                occurrences.insert(slot, dispatched.id);
                last = Some((slot, dispatched.id));
                started.push(dispatched);
            }
        }
        if let Some(Schedule { record, occurrences: kept }) = self.schedules.get_mut(&id) {
            kept.append(&mut occurrences);
            record.fired += started.len() as u64;
            record.skipped += skipped;
            record.last = last;
            record.next = next;
            record.revision += 1;
        }
        Ok(started)
    }
}
