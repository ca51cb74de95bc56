//! The ends of runs: in the transaction that ends their last task.

use sqlx::query;

use super::batch::Batch;
use super::fault::Outcome;
use super::inner::After;
use super::insert::With;
use super::run::RunRow;
use super::value::{encode, id, string};
use super::{read, sql};
use crate::failure::FailureReport;
use crate::id::{RunId, TaskId};
use crate::store::RunState;
use crate::store::rules::revival::may_revive;
use crate::store::rules::{self, goes_on};

impl Batch<'_> {
    /// Keeps the run as it is now. Without open tasks, that is its end, once everything is undone that is to be.
    /// The first failure is the one that is kept.
    pub(super) async fn keep_run(&mut self, mut row: RunRow, failure: Option<&FailureReport>) -> Outcome<()> {
        let shortfall;
        let mut failure = failure;
        if row.open_tasks == 0 {
            shortfall = self.shortfall(&row).await?;
            if shortfall.is_some() {
                row.state = RunState::Compensating;
                failure = shortfall.as_ref();
            }
            if goes_on(row.state) || row.undos == 0 || !self.next_undo(row.id).await? {
                return self.end_run(row, failure, None).await;
            }
            row.open_tasks = 1;
        }
        note(&mut row, failure)?;
        self.put_run(row);
        Ok(())
    }

    /// Why the run can't succeed, if it can't.
    async fn shortfall(&mut self, row: &RunRow) -> Outcome<Option<FailureReport>> {
        let can_succeed = row.has_output && row.arrivals == 0 && !row.carried();
        if can_succeed || !goes_on(row.state) {
            return Ok(None);
        }
        let incomplete: Option<String> = if row.arrivals > 0 {
            let found = self.link.first(query(sql::INCOMPLETE).bind(row.id.uuid())).await?;
            found.map(|row| string(&row, 0)).transpose()?
        } else {
            None
        };
        self.flush_runs().await?;
        let Some(mut run) = read::run_of(&mut self.link, row.id).await? else { return Ok(None) };
        // What this transaction has decided is not all written.
        run.state = row.state;
        if let Some(output) = &row.output {
            run.output = Some(output.clone());
        }
        Ok(rules::falls_short(&run, incomplete.as_deref(), row.carried()))
    }

    /// Ends a run that has no open task. `undo_failed` is where its compensation has stopped.
    pub(super) async fn end_run(
        &mut self,
        mut row: RunRow,
        failure: Option<&FailureReport>,
        undo_failed: Option<TaskId>,
    ) -> Outcome<()> {
        row.state = match row.state {
            RunState::Running | RunState::Paused => RunState::Succeeded,
            RunState::Cancelling => RunState::Cancelled,
            RunState::Compensating => RunState::Failed,
            RunState::Succeeded | RunState::Failed | RunState::Cancelled => return Ok(()),
        };
        note(&mut row, failure)?;
        row.finished_at = Some(self.now.as_millis());
        row.undo_failed = undo_failed.map(TaskId::uuid);
        self.effects.ended.push(row.id.into());
        let run = row.id.uuid();
        // Of a run that has failed and may go on, what it waited for and what it was given stays.
        let stays = may_revive(row.facts(false)) && !self.was_undone(&row).await?;
        if row.arrivals > 0 && !stays {
            self.link.execute(query(sql::CLEAR_ARRIVALS).bind(run)).await?;
            row.arrivals = 0;
        }
        if row.signalled && !stays {
            self.link.execute(query(sql::CLEAR_SIGNALS).bind(run)).await?;
        }
        if let Some(step) = row.step {
            self.after.push(After::Wake { run: row.id, step, undos: row.undos });
        } else if row.undos > 0 && row.state == RunState::Succeeded {
            self.drop_undos(row.id).await?;
        }
        let (id, end_routed) = (row.id, row.end_routed);
        self.put_run(row);
        if end_routed { self.add_end(id).await } else { Ok(()) }
    }

    /// Whether anything of the run was undone.
    async fn was_undone(&mut self, row: &RunRow) -> Outcome<bool> {
        Ok(row.undos > 0 && !self.undone_of(&[row.id.uuid()]).await?.is_empty())
    }

    /// What follows the workflow is added by the transaction that ends the run.
    async fn add_end(&mut self, run: RunId) -> Outcome<()> {
        self.flush_runs().await?;
        let Some(mut run) = read::run_of(&mut self.link, run).await? else { return Ok(()) };
        match rules::end_run(&mut run, true, self.now) {
            Some(task) => self.add_task(&task, &With::default()).await.map(drop),
            None => Ok(()),
        }
    }

    /// The runs whose time is up fail.
    pub(super) async fn expire_runs(&mut self) -> Outcome<Vec<RunId>> {
        self.effects.stale = true;
        let rows = self.link.all(query(sql::EXPIRED).bind(self.now.as_millis())).await?;
        let expired: Vec<RunId> = rows.iter().map(|row| id(row, 0)).collect::<Outcome<_>>()?;
        self.lock_runs(expired.iter().copied()).await?;
        let mut failed = Vec::with_capacity(expired.len());
        for run in expired {
            // One that is a part of another may have been stopped with that a moment ago.
            let Some(row) = self.run_row(run).await?.filter(|row| goes_on(row.state)) else { continue };
            let report = rules::out_of_time(&row.workflow, run);
            self.fail_run(row, &report).await?;
            self.follow_up().await?;
            failed.push(run);
        }
        Ok(failed)
    }
}

/// The run has failed, unless it had before.
fn note(row: &mut RunRow, failure: Option<&FailureReport>) -> Outcome<()> {
    if let Some(failure) = failure
        && row.failure.is_none()
    {
        row.failure = Some(encode(failure)?);
    }
    Ok(())
}
