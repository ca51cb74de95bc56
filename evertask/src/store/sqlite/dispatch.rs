//! Adding work: tasks, runs, and one task for each item.

use rusqlite::params;

use super::batch::Batch;
use super::fault::{Fault, Outcome};
use super::insert::With;
use super::sql;
use super::value::Id;
use crate::id::{RunId, WorkId};
use crate::store::rules::run_of;
use crate::store::{Dispatched, NewEach, NewRun, NewTask, NewWork, StoreError, Wait};

impl Batch<'_, '_> {
    /// Adds work, all of it or none. What is refused for a reason of its own does not undo the transaction.
    pub(super) fn dispatch(&mut self, work: &[NewWork]) -> Outcome<Result<Vec<Dispatched>, StoreError>> {
        check(work)?;
        if let Some(refusal) = self.refuses(work)? {
            return Ok(Err(refusal));
        }
        Ok(Ok(work.iter().map(|work| self.add(work, &With::default())).collect::<Outcome<_>>()?))
    }

    /// Adds work.
    pub(super) fn add(&mut self, work: &NewWork, with: &With<'_>) -> Outcome<Dispatched> {
        match work {
            NewWork::Task(task) => self.add_task(task, with),
            NewWork::Run(run) => self.add_run(run, with),
            NewWork::Each(each) => {
                let added = self.add_each(each, with)?;
                Ok(Dispatched { id: id_of(work), existing: added == 0 && !each.tasks.is_empty() })
            }
        }
    }

    /// Adds a run and its first task, and the step of another run that waits for its end. `with` is for that step.
    pub(super) fn add_run(&mut self, run: &NewRun, with: &With<'_>) -> Outcome<Dispatched> {
        if !self.insert_run(run)?
            && let Some(existing) = self.existing_run(run)?
        {
            return Ok(Dispatched { id: existing.into(), existing: true });
        }
        if let Some(step) = &run.step {
            let waits = With { wait: Some(Wait::Run), worker: None, ..*with };
            self.must_be_new(step, &waits, run.id)?;
        }
        self.must_be_new(&run.first, &With { worker: with.worker, ..With::default() }, run.id)?;
        Ok(Dispatched { id: run.id.into(), existing: false })
    }

    fn must_be_new(&mut self, task: &NewTask, with: &With<'_>, run: RunId) -> Outcome<()> {
        if self.add_task(task, with)?.existing {
            return Err(Fault::Value(format!("the task {} of run {run} is there already", task.id)));
        }
        Ok(())
    }

    fn insert_run(&self, run: &NewRun) -> Outcome<bool> {
        let due = run.first.at.unwrap_or_else(|| self.now.plus(run.first.delay));
        let step = run.step.as_ref().map(|step| step.id);
        let added = self.conn.prepare_cached(sql::INSERT_RUN)?.execute(params![
            Id(run.id.uuid()),
            run.workflow,
            run.version,
            run.end_routed,
            run.timeout.map(|timeout| due.plus(timeout).as_millis()),
            self.now.as_millis(),
            run.input,
            run.output,
            run.key,
            run.correlation,
            step.or(run.parent).map(|parent| Id(parent.uuid())),
            step.map(|step| Id(step.uuid())),
            run.fingerprint.cast_signed(),
        ])?;
        Ok(added > 0)
    }

    /// The run that is there instead; none, if its key was free then, and this one has it now.
    fn existing_run(&mut self, run: &NewRun) -> Outcome<Option<RunId>> {
        let Some(key) = &run.key else { return Ok(Some(run.id)) };
        let Some(holder) = self.run_holder(&run.workflow, key)? else { return Ok(Some(run.id)) };
        let is_free = holder.id != run.id && self.free_run_key(run, holder)?;
        Ok((!is_free || !self.insert_run(run)?).then_some(holder.id))
    }

    /// Adds the tasks of an `each`: as many as may run at once, and others that wait for their turn. Says how
    /// many were new.
    pub(super) fn add_each(&mut self, each: &NewEach, with: &With<'_>) -> Outcome<i64> {
        if self.conn.prepare_cached(sql::GROUP_THERE)?.exists([Id(each.id)])? {
            return Ok(0);
        }
        let most = each.limit.map(|limit| i64::from(limit.max(1)));
        let (mut open, mut waiting) = (0, 0);
        for (item, task) in (0..).zip(&each.tasks) {
            let waits = most.is_some_and(|most| open - waiting >= most);
            let wait = waits.then_some(Wait::Turn);
            let added = self.add_task(task, &With { group: Some((each.id, item)), wait, ..*with })?;
            if !added.existing {
                open += 1;
                waiting += i64::from(waits);
            }
        }
        if open > 0 {
            let mut count = self.conn.prepare_cached(sql::OPEN_GROUP)?;
            let run = each.tasks.first().and_then(|task| task.of.as_ref()).map(|of| Id(of.run.uuid()));
            count.execute(params![Id(each.id), open, waiting, most, run])?;
        }
        Ok(open)
    }
}

/// The id of new work.
pub(super) fn id_of(work: &NewWork) -> WorkId {
    match work {
        NewWork::Task(task) => task.id.into(),
        NewWork::Run(run) => run.id.into(),
        NewWork::Each(each) => WorkId::Task(each.id.into()),
    }
}

/// What a dispatch can add: parts of a run are added by its own tasks.
pub(super) fn check<'w>(work: impl IntoIterator<Item = &'w NewWork>) -> Outcome<()> {
    for work in work {
        if let NewWork::Each(each) = work {
            return Err(Fault::Value(format!("the items of {} can only follow a task", each.id)));
        }
        if let Some(run) = run_of(work) {
            let id = id_of(work);
            return Err(Fault::Value(format!("the {id} is a part of the run {run}: only its own tasks add to it")));
        }
    }
    Ok(())
}
