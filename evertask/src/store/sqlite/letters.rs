//! Dead letters: what has failed is tried again, with the run that failed with it, or is removed.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, params};
use uuid::Uuid;

use super::batch::Batch;
use super::fault::Outcome;
use super::value::{Id, optional_id, run_state, task_state};
use super::{limits, sql};
use crate::id::{RunId, TaskId, WorkId};
use crate::store::rules::revival::{RunFacts, revival};
use crate::store::{Edited, Revived, TaskState};

/// A task that is to be tried again.
struct Letter {
    seq: i64,
    state: TaskState,
    followed: bool,
    run: Option<RunId>,
    group: Option<Uuid>,
}

/// What lives again of one run.
#[derive(Default)]
struct TakenUp {
    tasks: i64,
    groups: BTreeSet<Uuid>,
}

impl Batch<'_, '_> {
    /// Tries failed tasks again. Several of one run are taken up together.
    pub(super) fn revive(&mut self, tasks: &[TaskId], edited: Option<&Edited>) -> Outcome<Vec<(TaskId, Revived)>> {
        let mut runs: BTreeMap<RunId, TakenUp> = BTreeMap::new();
        let mut answers = Vec::with_capacity(tasks.len());
        for &task in tasks {
            let Some(letter) = self.letter(task)? else {
                answers.push((task, Revived::NotFound));
                continue;
            };
            let facts = letter.run.map(|run| self.run_facts(run)).transpose()?.flatten();
            let answer = revival(letter.state, letter.followed, facts);
            answers.push((task, answer));
            if answer != Revived::Ready {
                continue;
            }
            if letter.run.is_none() {
                self.unlist(task)?;
            }
            self.conn.prepare_cached(sql::REVIVE)?.execute(params![letter.seq, self.now.as_millis()])?;
            if let Some(edited) = edited {
                self.edit(letter.seq, edited)?;
            }
            if let Some(group) = letter.group {
                self.enter_group(group, false)?;
            }
            if let Some(run) = letter.run {
                let up = runs.entry(run).or_default();
                up.tasks += 1;
                up.groups.extend(letter.group);
            }
        }
        for (run, up) in runs {
            self.take_up(run, up)?;
        }
        Ok(answers)
    }

    /// It has another payload, and the limits of that.
    fn edit(&self, seq: i64, edited: &Edited) -> Outcome<()> {
        let slots = edited.slots.as_ref();
        let mut edit = self.conn.prepare_cached(sql::EDIT)?;
        edit.execute(params![
            seq,
            edited.payload,
            slots.map(|slots| &slots.bucket),
            slots.map(|slots| slots.most.max(1)),
            edited.rate.as_ref().map(limits::encode).transpose()?,
        ])?;
        Ok(())
    }

    fn letter(&self, task: TaskId) -> Outcome<Option<Letter>> {
        let mut find = self.conn.prepare_cached(sql::LETTER)?;
        let mut rows = find.query([Id(task.uuid())])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(Letter {
            seq: row.get(0)?,
            state: task_state(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?)?,
            followed: row.get(2)?,
            run: optional_id(row, 3)?,
            group: optional_id(row, 4)?,
        }))
    }

    pub(super) fn run_facts(&self, run: RunId) -> Outcome<Option<RunFacts>> {
        let mut find = self.conn.prepare_cached(sql::RUN_FACTS)?;
        let mut rows = find.query([Id(run.uuid())])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(RunFacts {
            state: run_state(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?,
            end_routed: row.get(1)?,
            is_step: row.get(2)?,
            lost: row.get(3)?,
            undone: row.get(4)?,
        }))
    }

    /// The run goes on with what lives again, and with what its failure has stopped.
    fn take_up(&mut self, run: RunId, mut up: TakenUp) -> Outcome<()> {
        let id = Id(run.uuid());
        let mut take = self.conn.prepare_cached(sql::TAKE_UP)?;
        let stopped = take
            .query_map(params![id, self.now.as_millis(), i64::MAX], |row| Ok((optional_id(row, 0)?, row.get(1)?)))?
            .collect::<Result<Vec<(Option<Uuid>, bool)>, _>>()?;
        drop(take);
        for (group, waits) in stopped {
            up.tasks += 1;
            if let Some(group) = group {
                self.enter_group(group, waits)?;
                up.groups.insert(group);
            }
        }
        for group in up.groups {
            let mut count = self.conn.prepare_cached(sql::TOO_MANY_OF_GROUP)?;
            let more: Option<i64> = count.query_row([Id(group)], |row| row.get(0)).optional()?;
            if let Some(more) = more.filter(|&more| more > 0) {
                let taken = self.conn.prepare_cached(sql::TAKE_TURNS)?.execute(params![id, Id(group), more])?;
                let taken = i64::try_from(taken).unwrap_or(i64::MAX);
                self.conn.prepare_cached(sql::ADD_WAITING)?.execute(params![Id(group), taken])?;
            }
        }
        self.give_kept(run)?;
        self.conn.prepare_cached(sql::REVIVE_RUN)?.execute(params![id, up.tasks, self.now.as_millis()])?;
        Ok(())
    }

    fn enter_group(&self, group: Uuid, waits: bool) -> Outcome<()> {
        self.conn.prepare_cached(sql::ENTER_GROUP)?.execute(params![Id(group), i64::from(waits)])?;
        Ok(())
    }

    /// Removes what has ended or is parked, and says how many pieces of work that were.
    pub(super) fn discard(&mut self, work: &[WorkId]) -> Outcome<u64> {
        let mut gone = 0;
        for id in work {
            gone += u64::from(match id {
                WorkId::Task(task) => self.discard_task(*task)?,
                WorkId::Run(run) => {
                    let ended = self.conn.prepare_cached(sql::RUN_ENDED)?.exists([Id(run.uuid())])?;
                    if ended {
                        self.delete_run(*run)?;
                    }
                    ended
                }
            });
        }
        Ok(gone)
    }

    fn discard_task(&mut self, task: TaskId) -> Outcome<bool> {
        self.unlist(task)?;
        let mut discard = self.conn.prepare_cached(sql::DISCARD_TASK)?;
        let gone: Option<(Option<Uuid>, bool)> =
            discard.query_row([Id(task.uuid())], |row| Ok((optional_id(row, 0)?, row.get(1)?))).optional()?;
        drop(discard);
        let Some((group, lived)) = gone else { return Ok(false) };
        if lived {
            // Whoever waits for its end waits for nothing more.
            self.effects.ended.push(task.into());
            if let Some(group) = group {
                let group = self.leave_group(group, true, false)?;
                self.give_turns(group)?;
            }
        }
        Ok(true)
    }

    /// A run goes whole.
    pub(super) fn delete_run(&self, run: RunId) -> Outcome<()> {
        let run = Id(run.uuid());
        self.conn.prepare_cached(sql::DELETE_TASKS_OF)?.execute([run])?;
        self.conn.prepare_cached(sql::DELETE_RUN)?.execute([run])?;
        Ok(())
    }

    /// Whether something was left out that can't be taken up again when the run is.
    pub(super) fn lose(&self, run: RunId) -> Outcome<()> {
        self.conn.prepare_cached(sql::LOSE)?.execute([Id(run.uuid())])?;
        Ok(())
    }
}
