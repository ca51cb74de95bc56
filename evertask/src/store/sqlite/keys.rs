//! Keys: what becomes of new work whose key other work has; and what a dispatch is refused for before it begins.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::batch::Batch;
use super::dispatch::id_of;
use super::fault::Outcome;
use super::insert::Spot;
use super::value::{Id, id};
use super::{limits, sql};
use crate::id::{RunId, TaskId, WorkId};
use crate::schedule::Timestamp;
use crate::store::rules::key::{Taken, taken};
use crate::store::rules::room::{Load, refusal};
use crate::store::{NewRun, NewTask, NewWork, OnKey, StoreError};

/// Who has a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holder<I> {
    seq: i64,
    pub(super) id: I,
    created_at: Timestamp,
}

/// What new work says of its key, whatever it is.
struct Keyed<'w> {
    name: &'w str,
    key: Option<&'w str>,
    on_key: OnKey,
    /// The task that it adds to a queue.
    task: &'w NewTask,
    is_run: bool,
}

impl<'w> Keyed<'w> {
    fn of(work: &'w NewWork) -> Option<Self> {
        match work {
            NewWork::Task(task) => {
                Some(Self { name: &task.name, key: task.key.as_deref(), on_key: on_key(task), task, is_run: false })
            }
            NewWork::Run(run) => {
                let (key, task) = (run.key.as_deref(), &run.first);
                Some(Self { name: &run.workflow, key, on_key: run.on_key, task, is_run: true })
            }
            NewWork::Each(_) => None,
        }
    }
}

/// What happens when the key of a task is taken.
pub(super) fn on_key(task: &NewTask) -> OnKey {
    task.terms.as_ref().map_or(OnKey::Return, |terms| terms.on_key)
}

impl Batch<'_, '_> {
    /// Why a dispatch is refused, if it is: a key of it is taken, or a queue takes no more. Nobody else writes between
    /// this and the dispatch.
    pub(super) fn refuses(&mut self, work: &[NewWork]) -> Outcome<Option<StoreError>> {
        let mut asks = false;
        for keyed in work.iter().filter_map(Keyed::of) {
            asks |= keyed.on_key == OnKey::Refuse && keyed.key.is_some();
            asks |= self.queue(&keyed.task.queue)?.is_some();
        }
        if !asks {
            return Ok(None);
        }
        let mut loads: BTreeMap<&str, Load> = BTreeMap::new();
        let mut seen: BTreeMap<(bool, &str, &str), WorkId> = BTreeMap::new();
        for (keyed, work) in work.iter().filter_map(|work| Some((Keyed::of(work)?, work))) {
            let own = id_of(work);
            if self.is_there(own)? {
                continue;
            }
            if let Some(key) = keyed.key {
                let before = seen.get(&(keyed.is_run, keyed.name, key)).copied();
                if let Some(id) = self.key_taken(&keyed, key, before)? {
                    if keyed.on_key == OnKey::Refuse {
                        let (name, key) = (keyed.name.to_owned(), key.to_owned());
                        return Ok(Some(StoreError::KeyTaken { name, key, id }));
                    }
                    continue;
                }
                seen.insert((keyed.is_run, keyed.name, key), own);
            }
            let load = loads.entry(&keyed.task.queue).or_default();
            load.tasks += 1;
            let run_at = keyed.task.at.unwrap_or_else(|| self.now.plus(keyed.task.delay));
            load.due += u64::from(run_at <= self.now);
        }
        for (name, load) in loads {
            let Some(queue) = self.queue(name)? else { continue };
            let waiting = if queue.rules.depth.is_some() && load.due > 0 { self.waiting_of(name)? } else { 0 };
            if let Some(refusal) = refusal(name, queue.state, &queue.rules, waiting, load) {
                return Ok(Some(refusal));
            }
        }
        Ok(None)
    }

    /// Who has the key, if this work does not get it. `before` has it from the same dispatch.
    fn key_taken(&self, keyed: &Keyed<'_>, key: &str, before: Option<WorkId>) -> Outcome<Option<WorkId>> {
        if before.is_some() {
            let renews = keyed.on_key == OnKey::Renew(Duration::ZERO);
            return Ok(before.filter(|_| !renews));
        }
        let (id, created_at) = if keyed.is_run {
            let Some(holder) = self.run_holder(keyed.name, key)? else { return Ok(None) };
            (holder.id.into(), holder.created_at)
        } else {
            let Some(holder) = self.task_holder(keyed.name, key)? else { return Ok(None) };
            (holder.id.into(), holder.created_at)
        };
        Ok((taken(keyed.on_key, created_at, self.now, true) != Taken::Renews).then_some(id))
    }

    fn is_there(&self, id: WorkId) -> Outcome<bool> {
        let find = match id {
            WorkId::Task(_) => sql::TASK_THERE,
            WorkId::Run(_) => sql::RUN_THERE,
        };
        Ok(self.conn.prepare_cached(find)?.exists([Id(id.uuid())])?)
    }

    /// Who has the key of a task.
    pub(super) fn task_holder(&self, name: &str, key: &str) -> Outcome<Option<Holder<TaskId>>> {
        self.holder(sql::TASK_BY_KEY, name, key)
    }

    /// Who has the key of a run.
    pub(super) fn run_holder(&self, workflow: &str, key: &str) -> Outcome<Option<Holder<RunId>>> {
        self.holder(sql::RUN_BY_KEY, workflow, key)
    }

    fn holder<I: From<uuid::Uuid>>(&self, find: &str, name: &str, key: &str) -> Outcome<Option<Holder<I>>> {
        let mut find = self.conn.prepare_cached(find)?;
        let found = find.query_row(params![name, key], |row| {
            Ok(Holder { seq: row.get(0)?, id: id(row, 1)?, created_at: Timestamp::from_millis(row.get(2)?) })
        });
        Ok(found.optional()?)
    }

    /// The key of a new task is taken. Says whether it is free now.
    pub(super) fn free_task_key(&mut self, task: &NewTask, spot: &Spot<'_>, holder: Holder<TaskId>) -> Outcome<bool> {
        // Work that waits for a signal, or belongs to a run, is no plain task that could take the place.
        let replaceable = task.of.is_none() && task.wait.is_none();
        match taken(on_key(task), holder.created_at, self.now, replaceable) {
            // Inside a settle, a refused piece is left out.
            Taken::Given | Taken::Refused => Ok(false),
            Taken::Renews => {
                self.conn.prepare_cached(sql::RELEASE_TASK_KEY)?.execute([holder.seq])?;
                Ok(true)
            }
            Taken::Replaces => {
                self.replace(sql::REPLACE_TASK, task, spot, holder.seq, false)?;
                Ok(false)
            }
        }
    }

    /// The key of a new run is taken. Says whether it is free now.
    pub(super) fn free_run_key(&mut self, run: &NewRun, holder: Holder<RunId>) -> Outcome<bool> {
        let replaceable = run.first.wait.is_none() && run.step.is_none();
        match taken(run.on_key, holder.created_at, self.now, replaceable) {
            Taken::Given | Taken::Refused => Ok(false),
            Taken::Renews => {
                self.conn.prepare_cached(sql::RELEASE_RUN_KEY)?.execute([holder.seq])?;
                Ok(true)
            }
            Taken::Replaces => {
                self.replace_run(run, holder.id)?;
                Ok(false)
            }
        }
    }

    fn replace_run(&mut self, run: &NewRun, existing: RunId) -> Outcome<()> {
        let mut first = self.conn.prepare_cached(sql::FIRST_OF_RUN)?;
        let first: Option<i64> = first.query_row([Id(existing.uuid())], |row| row.get(0)).optional()?;
        let Some(seq) = first else { return Ok(()) };
        let due = run.first.at.unwrap_or_else(|| self.now.plus(run.first.delay));
        let replaced = self.conn.prepare_cached(sql::REPLACE_RUN)?.execute(params![
            Id(existing.uuid()),
            run.version,
            run.end_routed,
            run.timeout.map(|timeout| due.plus(timeout).as_millis()),
            run.input,
            run.output,
            run.correlation,
            run.fingerprint.cast_signed(),
        ])?;
        if replaced == 0 {
            return Ok(());
        }
        let spot = Spot::ready(due, Cow::Borrowed(&run.first.payload));
        self.replace(sql::REPLACE_FIRST, &run.first, &spot, seq, true)
    }

    fn replace(&mut self, sql: &str, task: &NewTask, spot: &Spot<'_>, seq: i64, named: bool) -> Outcome<()> {
        let terms = task.terms.as_deref();
        let slots = terms.and_then(|terms| terms.slots.as_ref());
        let rate = terms.and_then(|terms| terms.rate.as_ref()).map(limits::encode).transpose()?;
        let rank = self.rank(spot.run_at, task)?;
        let before = self.slot_of(seq)?;
        let mut replace = self.conn.prepare_cached(sql)?;
        replace.raw_bind_parameter(1, seq)?;
        replace.raw_bind_parameter(2, i64::from(spot.run_at <= self.now.as_millis()))?;
        replace.raw_bind_parameter(3, &task.queue)?;
        replace.raw_bind_parameter(4, task.priority)?;
        replace.raw_bind_parameter(5, spot.run_at)?;
        replace.raw_bind_parameter(6, rank)?;
        replace.raw_bind_parameter(7, &spot.payload)?;
        replace.raw_bind_parameter(8, &task.correlation)?;
        replace.raw_bind_parameter(9, task.cancel_routed)?;
        replace.raw_bind_parameter(10, spot.deadline(task).map(Timestamp::as_millis))?;
        replace.raw_bind_parameter(11, terms.and_then(|terms| terms.own.as_ref()))?;
        replace.raw_bind_parameter(12, slots.map(|slots| &slots.bucket))?;
        replace.raw_bind_parameter(13, slots.map(|slots| slots.most.max(1)))?;
        replace.raw_bind_parameter(14, rate)?;
        if named {
            replace.raw_bind_parameter(15, &task.name)?;
            replace.raw_bind_parameter(16, task.of.as_ref().and_then(|of| of.step.as_ref()))?;
        }
        let replaced = replace.raw_execute()? > 0;
        drop(replace);
        match before {
            Some(bucket) if replaced => self.give_slot(&bucket).map(drop),
            _ => Ok(()),
        }
    }
}
