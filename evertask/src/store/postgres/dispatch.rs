//! Adding work: tasks, runs, and one task for each item.

use std::collections::HashSet;

use sqlx::query;

use super::batch::{Batch, Given};
use super::fault::{Fault, Outcome};
use super::insert::With;
use super::keys::Keyed;
use super::request::Request;
use super::sql;
use super::value::{id, optional_id, text};
use crate::id::{RunId, TaskId, WorkId};
use crate::store::rules::run_of;
use crate::store::{Dispatched, NewEach, NewRun, NewTask, NewWork, OnKey, StoreError, Wait};

impl Batch<'_> {
    /// Adds work, all of it or none. What is refused for a reason of its own does not undo the transaction.
    pub(super) async fn dispatch(&mut self, work: &[NewWork]) -> Outcome<Result<Vec<Given>, StoreError>> {
        check(work)?;
        if let Some(refusal) = self.refuses(work).await? {
            return Ok(Err(refusal));
        }
        for queue in work.iter().filter_map(Keyed::of).map(|keyed| &*keyed.task.queue) {
            if !self.guards.contains_key(queue) && !self.offered.contains(queue) {
                self.offered.insert(queue.to_owned());
            }
        }
        let mut given = Vec::with_capacity(work.len());
        for work in work {
            given.push(match work {
                NewWork::Task(task) => self.give_task(task).await?,
                other => Given { dispatched: self.add(other, &With::default()).await?, ticket: None },
            });
        }
        Ok(Ok(given))
    }

    /// Adds work.
    pub(super) async fn add(&mut self, work: &NewWork, with: &With<'_>) -> Outcome<Dispatched> {
        match work {
            NewWork::Task(task) => self.add_task(task, with).await,
            NewWork::Run(run) => self.add_run(run, with).await,
            NewWork::Each(each) => {
                let added = self.add_each(each, with).await?;
                Ok(Dispatched { id: id_of(work), existing: added == 0 && !each.tasks.is_empty() })
            }
        }
    }

    /// Adds a run and its first task, and the step of another run that waits for its end. `with` is for that step.
    pub(super) async fn add_run(&mut self, run: &NewRun, with: &With<'_>) -> Outcome<Dispatched> {
        if let Some(existing) = self.instead_of_run(run).await? {
            return Ok(Dispatched { id: existing, existing: true });
        }
        let is_new = match self.added_runs.insert(run.id, false) {
            Some(is_new) => is_new,
            None => self.insert_runs(&[run]).await?.contains(&run.id),
        };
        if !is_new {
            return Ok(Dispatched { id: self.existing_run(run).await?, existing: true });
        }
        if let Some(step) = &run.step {
            let waits = With { wait: Some(Wait::Run), worker: None, ..*with };
            self.must_be_new(step, &waits, run.id).await?;
        }
        self.must_be_new(&run.first, &With { worker: with.worker, ..With::default() }, run.id).await?;
        Ok(Dispatched { id: run.id.into(), existing: false })
    }

    async fn must_be_new(&mut self, task: &NewTask, with: &With<'_>, run: RunId) -> Outcome<()> {
        if self.add_task(task, with).await?.existing {
            return Err(Fault::Value(format!("the task {} of run {run} is there already", task.id)));
        }
        Ok(())
    }

    /// Adds the runs that these requests dispatch, all at once.
    pub(super) async fn add_runs_of(&mut self, requests: &[Request]) -> Outcome<()> {
        let mut runs = Vec::new();
        for request in requests {
            let Request::Dispatch(ask, _) = request else { continue };
            if self.may_be_refused(&ask.about) {
                continue;
            }
            runs.extend(ask.about.iter().filter_map(|work| match work {
                // One that is refused in its place is not added here, and one whose key is asked about is not either.
                NewWork::Run(run) if run_of(work).is_none() && run.on_key == OnKey::Return => Some(&**run),
                _ => None,
            }));
        }
        if runs.is_empty() {
            return Ok(());
        }
        let new = self.insert_runs(&runs).await?;
        for run in runs {
            self.added_runs.entry(run.id).or_insert(new.contains(&run.id));
        }
        Ok(())
    }

    /// Adds runs, and says which are new.
    async fn insert_runs(&mut self, runs: &[&NewRun]) -> Outcome<HashSet<RunId>> {
        self.effects.stale |= runs.iter().any(|run| run.timeout.is_some());
        let step = |run: &NewRun| run.step.as_ref().map(|step| step.id);
        let deadline = |run: &NewRun| {
            let due = run.first.at.unwrap_or_else(|| self.now.plus(run.first.delay));
            run.timeout.map(|timeout| due.plus(timeout).as_millis())
        };
        let insert = query(sql::INSERT_RUNS)
            .bind(self.now.as_millis())
            .bind(runs.iter().map(|run| run.id.uuid()).collect::<Vec<_>>())
            .bind(runs.iter().map(|run| text(&run.workflow)).collect::<Vec<_>>())
            .bind(runs.iter().map(|run| i64::from(run.version)).collect::<Vec<_>>())
            .bind(runs.iter().map(|run| run.end_routed).collect::<Vec<_>>())
            .bind(runs.iter().map(|run| deadline(run)).collect::<Vec<_>>())
            .bind(runs.iter().map(|run| &run.input[..]).collect::<Vec<_>>())
            .bind(runs.iter().map(|run| run.output.as_deref()).collect::<Vec<_>>())
            .bind(runs.iter().map(|run| run.key.as_deref().map(text)).collect::<Vec<_>>())
            .bind(runs.iter().map(|run| run.correlation.as_deref().map(text)).collect::<Vec<_>>())
            .bind(runs.iter().map(|run| step(run).or(run.parent).map(TaskId::uuid)).collect::<Vec<_>>())
            .bind(runs.iter().map(|run| step(run).map(TaskId::uuid)).collect::<Vec<_>>())
            .bind(runs.iter().map(|run| run.fingerprint.cast_signed()).collect::<Vec<_>>());
        let new = self.link.all(insert).await?.iter().map(|row| id(row, 0)).collect::<Outcome<HashSet<RunId>>>()?;
        for run in runs {
            if let Some(key) = run.key.as_ref().filter(|_| run.on_key != OnKey::Return || !self.keys.is_empty()) {
                self.has_key((true, run.workflow.clone(), key.clone()), run.id.into(), new.contains(&run.id));
            }
        }
        Ok(new)
    }

    async fn existing_run(&mut self, run: &NewRun) -> Outcome<WorkId> {
        let find =
            query(sql::EXISTING_RUN).bind(run.id.uuid()).bind(text(&run.workflow)).bind(run.key.as_deref().map(text));
        let existing: Option<RunId> = optional_id(&self.link.one(find).await?, 0)?;
        Ok(existing.unwrap_or(run.id).into())
    }

    /// Adds the tasks of an `each`: as many as may run at once, and others that wait for their turn. Says how
    /// many were new.
    pub(super) async fn add_each(&mut self, each: &NewEach, with: &With<'_>) -> Outcome<i64> {
        if self.link.exists(query(sql::GROUP_THERE).bind(each.id)).await? {
            return Ok(0);
        }
        let most = each.limit.map(|limit| i64::from(limit.max(1)));
        let (mut open, mut waiting) = (0, 0);
        for (item, task) in (0..).zip(&each.tasks) {
            let waits = most.is_some_and(|most| open - waiting >= most);
            let wait = waits.then_some(Wait::Turn);
            let added = self.add_task(task, &With { group: Some((each.id, item)), wait, ..*with }).await?;
            if !added.existing {
                open += 1;
                waiting += i64::from(waits);
            }
        }
        if open > 0 {
            let run = each.tasks.first().and_then(|task| task.of.as_ref()).map(|of| of.run.uuid());
            let count = query(sql::OPEN_GROUP).bind(each.id).bind(open).bind(waiting).bind(most).bind(run);
            self.link.execute(count).await?;
        }
        Ok(open)
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

/// The id of new work.
pub(super) fn id_of(work: &NewWork) -> WorkId {
    match work {
        NewWork::Task(task) => task.id.into(),
        NewWork::Run(run) => run.id.into(),
        NewWork::Each(each) => WorkId::Task(each.id.into()),
    }
}
