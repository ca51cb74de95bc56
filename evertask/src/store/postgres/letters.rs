//! Dead letters: what has failed is tried again, with the runs that failed with it, or is removed. A handful of
//! statements, however many there are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::postgres::PgRow;
use sqlx::{Row as _, query};
use uuid::Uuid;

use super::batch::Batch;
use super::fault::Outcome;
use super::sql;
use super::value::{id, optional_id, task_state, text};
use crate::id::{RunId, TaskId, WorkId};
use crate::store::rules::revival::{RunFacts, revival};
use crate::store::{Edited, Revived, TaskState};

/// A task that is to be tried again.
struct Letter {
    state: TaskState,
    followed: bool,
    run: Option<RunId>,
    group: Option<Uuid>,
}

/// What lives again.
#[derive(Default)]
struct TakenUp {
    /// How many tasks of each run.
    runs: BTreeMap<RunId, i64>,
    /// How many items of each group, and how many of them wait for their turn.
    groups: BTreeMap<Uuid, (i64, i64)>,
}

impl TakenUp {
    fn count(&mut self, rows: &[PgRow]) -> Outcome<()> {
        for row in rows {
            let live: i64 = row.try_get(2)?;
            if let Some(run) = optional_id(row, 0)? {
                *self.runs.entry(run).or_default() += live;
            }
            if let Some(group) = optional_id(row, 1)? {
                let late: i64 = row.try_get(3)?;
                let counts = self.groups.entry(group).or_default();
                *counts = (counts.0 + live, counts.1 + late);
            }
        }
        Ok(())
    }
}

impl Batch<'_> {
    /// Tries failed tasks again. All of it is decided before anything changes, and several of one run are taken up
    /// together.
    pub(super) async fn revive(
        &mut self,
        tasks: &[TaskId],
        edited: Option<&Edited>,
    ) -> Outcome<Vec<(TaskId, Revived)>> {
        self.flush().await?;
        let letters = self.letters(tasks).await?;
        let facts = self.facts_of(letters.values().filter_map(|letter| letter.run)).await?;
        let answer = |task: &TaskId| match letters.get(task) {
            Some(letter) => revival(letter.state, letter.followed, letter.run.and_then(|run| facts.get(&run).copied())),
            None => Revived::NotFound,
        };
        let answers: Vec<(TaskId, Revived)> = tasks.iter().map(|task| (*task, answer(task))).collect();
        let again: BTreeSet<TaskId> =
            answers.iter().filter(|(_, answer)| *answer == Revived::Ready).map(|(task, _)| *task).collect();
        if !again.is_empty() {
            let groups = again.iter().filter_map(|task| letters.get(task)?.group).collect();
            self.take_up(&again, groups, edited).await?;
        }
        Ok(answers)
    }

    /// What is known of these tasks. Nobody else changes them, or their runs, from here on.
    async fn letters(&mut self, tasks: &[TaskId]) -> Outcome<HashMap<TaskId, Letter>> {
        let ids: Vec<Uuid> = tasks.iter().map(|task| task.uuid()).collect();
        let runs = self.link.all(query(sql::RUNS_OF_TASKS).bind(&ids)).await?;
        let runs: Vec<RunId> = runs.iter().map(|row| id(row, 0)).collect::<Outcome<_>>()?;
        self.lock_runs(runs).await?;
        let rows = self.link.all(query(sql::LETTERS).bind(&ids)).await?;
        let letter = |row: &PgRow| {
            let (state, followed) = (task_state(row.try_get(1)?)?, row.try_get(2)?);
            Ok((id(row, 0)?, Letter { state, followed, run: optional_id(row, 3)?, group: optional_id(row, 4)? }))
        };
        rows.iter().map(letter).collect()
    }

    async fn facts_of(&mut self, runs: impl Iterator<Item = RunId>) -> Outcome<HashMap<RunId, RunFacts>> {
        let rows: Vec<_> = runs.filter_map(|run| self.runs.get(&run)?.clone()).collect();
        let undoable: Vec<Uuid> = rows.iter().filter(|row| row.undos > 0).map(|row| row.id.uuid()).collect();
        let undone = self.undone_of(&undoable).await?;
        Ok(rows.into_iter().map(|row| (row.id, row.facts(undone.contains(&row.id)))).collect())
    }

    /// Those of these runs of which something was undone, or is about to be.
    pub(super) async fn undone_of(&mut self, runs: &[Uuid]) -> Outcome<BTreeSet<RunId>> {
        if runs.is_empty() {
            return Ok(BTreeSet::new());
        }
        self.link.all(query(sql::UNDONE).bind(runs)).await?.iter().map(|row| id(row, 0)).collect()
    }

    /// These tasks live again, and their runs go on with all that their failures have stopped.
    async fn take_up(&mut self, again: &BTreeSet<TaskId>, groups: Vec<Uuid>, edited: Option<&Edited>) -> Outcome<()> {
        let now = self.now.as_millis();
        if !groups.is_empty() {
            self.link.execute(query(sql::LOCK_GROUPS).bind(groups)).await?;
        }
        let ids: Vec<Uuid> = again.iter().map(|task| task.uuid()).collect();
        let mut up = TakenUp::default();
        up.count(&self.link.all(query(sql::REVIVE).bind(&ids).bind(now)).await?)?;
        if let Some(edited) = edited {
            self.edit(ids, edited).await?;
        }
        if !up.runs.is_empty() {
            let runs: Vec<Uuid> = up.runs.keys().map(|run| run.uuid()).collect();
            up.count(&self.link.all(query(sql::TAKE_UP).bind(&runs).bind(now).bind(i64::MAX)).await?)?;
            let signalled = |run: &RunId| self.runs.get(run).and_then(Option::as_ref).is_some_and(|row| row.signalled);
            if up.runs.keys().any(signalled) {
                self.link.execute(query(sql::GIVE_KEPT).bind(&runs).bind(now)).await?;
            }
            let live: Vec<i64> = up.runs.values().copied().collect();
            self.link.execute(query(sql::REVIVE_RUNS).bind(runs).bind(live).bind(now)).await?;
            // They are read again when they are needed.
            self.runs.retain(|run, _| !up.runs.contains_key(run));
            self.effects.stale = true;
        }
        self.enter_groups(up.groups).await?;
        // More wait in their queues than was counted.
        self.guards.clear();
        self.stir();
        Ok(())
    }

    /// They have another payload, and the limits of that.
    async fn edit(&mut self, tasks: Vec<Uuid>, edited: &Edited) -> Outcome<()> {
        let (slots, rate) = (edited.slots.as_ref(), edited.rate.as_ref());
        let edit = query(sql::EDIT)
            .bind(tasks)
            .bind(&edited.payload)
            .bind(slots.map(|slots| text(&slots.bucket)))
            .bind(slots.map(|slots| i32::try_from(slots.most.max(1)).unwrap_or(i32::MAX)))
            .bind(rate.map(|limit| text(&limit.bucket)))
            .bind(rate.map(|limit| serde_json::to_string(&limit.rate)).transpose()?);
        self.link.execute(edit).await?;
        Ok(())
    }

    async fn enter_groups(&mut self, groups: BTreeMap<Uuid, (i64, i64)>) -> Outcome<()> {
        if groups.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = groups.keys().copied().collect();
        let enter = query(sql::ENTER_GROUPS)
            .bind(&ids)
            .bind(groups.values().map(|(live, _)| *live).collect::<Vec<_>>())
            .bind(groups.values().map(|(_, late)| *late).collect::<Vec<_>>());
        let rows = self.link.all(enter).await?;
        let there: BTreeSet<Uuid> = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Outcome<_>>()?;
        let ended: Vec<_> = groups.iter().filter(|(group, _)| !there.contains(group)).collect();
        if !ended.is_empty() {
            let open = query(sql::OPEN_GROUPS)
                .bind(ended.iter().map(|(group, _)| **group).collect::<Vec<_>>())
                .bind(ended.iter().map(|(_, (live, _))| *live).collect::<Vec<_>>());
            self.link.execute(open).await?;
        }
        if groups.values().any(|(_, late)| *late > 0) {
            self.link.execute(query(sql::GIVE_TURNS).bind(ids).bind(self.now.as_millis())).await?;
        }
        Ok(())
    }

    /// Removes what has ended or is parked, and says how many pieces of work that were.
    pub(super) async fn discard(&mut self, work: &[WorkId]) -> Outcome<u64> {
        self.flush().await?;
        let (mut tasks, mut runs) = (Vec::new(), BTreeSet::new());
        for id in work {
            match id {
                WorkId::Task(task) => tasks.push(task.uuid()),
                WorkId::Run(run) => drop(runs.insert(*run)),
            }
        }
        let mut gone = 0;
        if !runs.is_empty() {
            self.lock_runs(runs.iter().copied()).await?;
            let ended = |run: &RunId| {
                let row = self.runs.get(run).and_then(Option::as_ref);
                row.is_some_and(|row| row.state.is_terminal())
            };
            let ended: Vec<RunId> = runs.into_iter().filter(ended).collect();
            gone += ended.len();
            self.delete_runs(&ended).await?;
        }
        if !tasks.is_empty() {
            gone += self.discard_tasks(tasks).await?;
        }
        self.forget_what_was_found();
        Ok(u64::try_from(gone).unwrap_or(u64::MAX))
    }

    /// Work that was there is gone, and its key is free.
    pub(super) fn forget_what_was_found(&mut self) {
        self.there.clear();
        self.keys.clear();
    }

    async fn discard_tasks(&mut self, tasks: Vec<Uuid>) -> Outcome<usize> {
        let rows = self.link.all(query(sql::DISCARD_TASKS).bind(tasks)).await?;
        for row in &rows {
            if !row.try_get::<bool, _>(2)? {
                continue;
            }
            // Whoever waits for its end waits for nothing more.
            self.effects.ended.push(id::<TaskId>(row, 0)?.into());
            if let Some(group) = optional_id(row, 1)? {
                let group = self.leave_group(group, true, false).await?;
                self.give_turns(group).await?;
            }
        }
        Ok(rows.len())
    }

    /// Runs go whole. They are locked.
    pub(super) async fn delete_runs(&mut self, runs: &[RunId]) -> Outcome<()> {
        if runs.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = runs.iter().map(|run| run.uuid()).collect();
        self.link.execute(query(sql::DELETE_TASKS_OF).bind(&ids)).await?;
        self.link.execute(query(sql::DELETE_RUNS).bind(ids)).await?;
        self.runs.extend(runs.iter().map(|run| (*run, None)));
        Ok(())
    }
}
