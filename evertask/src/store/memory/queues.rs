//! Queues as such: what limits them, whether they are served, and how they stand.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::id::WorkId;
use crate::schedule::Timestamp;
use crate::store::rules::key::{self, Taken};
use crate::store::rules::rate::Budget;
use crate::store::rules::room::{self, Load};
use crate::store::{NewTask, NewWork, OnKey, QueueChange, QueueRecord, QueueRules, QueueState, StoreError, TaskState};

use super::claims::Queue;
use super::state::{QueueId, Row, State};

/// What holds for a queue, and how many tasks of it are in which state.
#[derive(Debug)]
pub(super) struct Standing {
    /// Whether somebody named it: then it is listed even when it is empty.
    declared: bool,
    pub(super) state: QueueState,
    pub(super) rules: QueueRules,
    budget: Budget,
    /// Due and waiting for a slot.
    pub(super) due: usize,
    pub(super) later: usize,
    pub(super) running: usize,
    pub(super) live: usize,
}

impl Standing {
    pub(super) fn new() -> Self {
        Self {
            declared: false,
            state: QueueState::Open,
            rules: QueueRules::default(),
            budget: Budget::FULL,
            due: 0,
            later: 0,
            running: 0,
            live: 0,
        }
    }

    /// A task of it is as it is from now on.
    pub(super) fn enter(&mut self, row: &Row) {
        self.live += usize::from(!row.state.is_terminal());
        if let Some(count) = self.count(row) {
            *count += 1;
        }
    }

    /// A task of it is not as it was.
    pub(super) fn leave(&mut self, row: &Row) {
        self.live -= usize::from(!row.state.is_terminal());
        if let Some(count) = self.count(row) {
            *count -= 1;
        }
    }

    fn count(&mut self, row: &Row) -> Option<&mut usize> {
        match row.state {
            TaskState::Running => Some(&mut self.running),
            TaskState::Ready if row.due => Some(&mut self.due),
            TaskState::Ready => Some(&mut self.later),
            _ => None,
        }
    }

    /// Forgets what was taken at another rate, or by a later clock.
    pub(super) fn bound(&mut self, now: Timestamp) {
        if let Some(rate) = self.rules.rate {
            self.budget = self.budget.bounded(rate, now);
        }
    }

    /// Whether one more task may start now.
    pub(super) fn admits(&self, now: Timestamp) -> bool {
        self.is_served() && self.rules.rate.is_none_or(|rate| self.budget.admits(rate, now) > 0)
    }

    fn is_served(&self) -> bool {
        self.state != QueueState::Paused && self.rules.concurrency.is_none_or(|most| self.running < most as usize)
    }

    /// When its rate admits the next, if nothing else keeps that from starting.
    pub(super) fn admits_at(&self, now: Timestamp) -> Option<Timestamp> {
        let rate = self.rules.rate.filter(|_| self.is_served())?;
        Some(self.budget.next(rate, now))
    }

    /// One task starts.
    pub(super) fn take(&mut self, now: Timestamp) {
        if let Some(rate) = self.rules.rate {
            self.budget = self.budget.take(rate, now, 1);
        }
    }

    fn refuses(&self) -> bool {
        self.state == QueueState::Draining || self.rules.depth.is_some()
    }
}

impl State {
    /// A queue has these rules from now on.
    pub(super) fn declare(&mut self, name: &str, rules: QueueRules) {
        self.change_queue(name, QueueChange { rules: Some(rules), state: None });
    }

    pub(super) fn change_queue(&mut self, name: &str, change: QueueChange) -> QueueRecord {
        let id = self.queue(name);
        let standing = &mut self.queues[id].standing;
        standing.declared = true;
        standing.state = change.state.unwrap_or(standing.state);
        standing.rules = change.rules.unwrap_or(standing.rules);
        self.touched.insert(id);
        self.queue_record(id)
    }

    pub(super) fn queue_records(&self) -> Vec<QueueRecord> {
        let listed = |queue: &Queue| queue.standing.declared || queue.standing.live > 0;
        let ids = self.queues.iter().enumerate().filter(|(_, queue)| listed(queue)).map(|(id, _)| id);
        let mut records: Vec<QueueRecord> = ids.map(|id| self.queue_record(id)).collect();
        records.sort_by(|a, b| a.name.cmp(&b.name));
        records
    }

    fn queue_record(&self, id: QueueId) -> QueueRecord {
        let Queue { name, standing, .. } = &self.queues[id];
        QueueRecord {
            name: name.clone(),
            state: standing.state,
            rules: standing.rules,
            due: standing.due as u64,
            later: standing.later as u64,
            running: standing.running as u64,
        }
    }

    /// Whether all of a dispatch can be added: its queues take it, and nothing in it is refused for its key.
    pub(super) fn admit(&self, work: &[NewWork]) -> Result<(), StoreError> {
        let refuses = self.queues.iter().any(|queue| queue.standing.refuses());
        if !refuses && !work.iter().filter_map(Offer::of).any(|offer| offer.policy == OnKey::Refuse) {
            return Ok(());
        }
        let mut keys = HashMap::new();
        let mut ids = HashSet::new();
        let mut loads: BTreeMap<&str, Load> = BTreeMap::new();
        for offer in work.iter().filter_map(Offer::of) {
            if self.is_there(offer.id) || self.tasks.contains_key(&offer.first.id) || !ids.insert(offer.id) {
                continue;
            }
            if let Some(key) = offer.key {
                let place = (matches!(offer.id, WorkId::Run(_)), offer.name, key);
                let had = keys.get(&place).copied().map(|id| (id, self.now)).or_else(|| self.key_holder(place));
                match had.map(|(id, since)| (id, key::taken(offer.policy, since, self.now, false))) {
                    Some((id, Taken::Refused)) => {
                        let (name, key) = (offer.name.to_owned(), key.to_owned());
                        return Err(StoreError::KeyTaken { name, key, id });
                    }
                    Some((_, Taken::Given | Taken::Replaces)) => continue,
                    Some((_, Taken::Renews)) | None => {}
                }
                keys.insert(place, offer.id);
            }
            let load = loads.entry(&offer.first.queue).or_default();
            load.tasks += 1;
            load.due += u64::from(offer.first.first_due(self.now) <= self.now);
        }
        let refusal = |(name, load): (&str, Load)| {
            let standing = &self.queues.iter().find(|queue| queue.name == name)?.standing;
            room::refusal(name, standing.state, &standing.rules, standing.due as u64, load)
        };
        loads.into_iter().find_map(refusal).map_or(Ok(()), Err)
    }

    /// Who has a key, of a task's name or a workflow's, and since when.
    fn key_holder(&self, (is_run, name, key): (bool, &str, &str)) -> Option<(WorkId, Timestamp)> {
        if is_run {
            let run = &self.runs.get(self.run_keys.get(name)?.get(key)?)?.record;
            Some((run.id.into(), run.created_at))
        } else {
            let row = self.tasks.get(self.task_keys.get(name)?.get(key)?)?;
            Some((row.id.into(), row.created_at))
        }
    }

    fn is_there(&self, id: WorkId) -> bool {
        match id {
            WorkId::Task(id) => self.tasks.contains_key(&id),
            WorkId::Run(id) => self.runs.contains_key(&id),
        }
    }
}

/// What a piece of a dispatch asks for.
struct Offer<'a> {
    id: WorkId,
    name: &'a str,
    key: Option<&'a str>,
    policy: OnKey,
    first: &'a NewTask,
}

impl<'a> Offer<'a> {
    fn of(work: &'a NewWork) -> Option<Self> {
        Some(match work {
            NewWork::Task(task) => Self {
                id: task.id.into(),
                name: &task.name,
                key: task.key.as_deref(),
                policy: task.on_key(),
                first: task,
            },
            NewWork::Run(run) => Self {
                id: run.id.into(),
                name: &run.workflow,
                key: run.key.as_deref(),
                policy: run.on_key,
                first: &run.first,
            },
            NewWork::Each(_) => return None,
        })
    }
}

impl NewTask {
    /// What happens when its key is taken.
    pub(super) fn on_key(&self) -> OnKey {
        self.terms.as_ref().map(|terms| terms.on_key).unwrap_or_default()
    }

    /// When it is due, if it is added now.
    pub(super) fn first_due(&self, now: Timestamp) -> Timestamp {
        self.at.unwrap_or_else(|| now.plus(self.delay))
    }
}
