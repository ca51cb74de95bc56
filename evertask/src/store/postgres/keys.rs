//! Keys: what becomes of new work whose key other work has.

use std::borrow::Cow;
use std::collections::HashMap;

use sqlx::{Row as _, query};
use uuid::Uuid;

use super::batch::Batch;
use super::dispatch::id_of;
use super::fault::{Fault, Outcome};
use super::request::Request;
use super::sql;
use super::value::{id, text};
use crate::id::{RunId, TaskId, WorkId};
use crate::schedule::Timestamp;
use crate::store::rules;
use crate::store::rules::key::{Taken, taken};
use crate::store::{NewRun, NewTask, NewWork, OnKey, RunState};

/// How often a key may pass to others while we look.
const TRIES: u32 = 10;

/// Who has a key, and since when there is such work.
pub(super) type Holder = (WorkId, Timestamp);

/// A key, of a run or of a task, with the name that it counts in.
pub(super) type Place = (bool, Cow<'static, str>, String);

/// What new work says of its key, whatever it is.
pub(super) struct Keyed<'w> {
    pub(super) id: WorkId,
    pub(super) name: &'w Cow<'static, str>,
    pub(super) key: Option<&'w String>,
    pub(super) on_key: OnKey,
    /// The task that it adds to a queue.
    pub(super) task: &'w NewTask,
}

impl<'w> Keyed<'w> {
    pub(super) fn of(work: &'w NewWork) -> Option<Self> {
        let id = id_of(work);
        Some(match work {
            NewWork::Task(task) => Self { id, name: &task.name, key: task.key.as_ref(), on_key: on_key(task), task },
            NewWork::Run(run) => {
                Self { id, name: &run.workflow, key: run.key.as_ref(), on_key: run.on_key, task: &run.first }
            }
            NewWork::Each(_) => return None,
        })
    }

    /// Its key, if it has one.
    pub(super) fn place(&self) -> Option<Place> {
        Some((matches!(self.id, WorkId::Run(_)), self.name.clone(), self.key?.clone()))
    }

    /// Whether more has to be known of its key than that it is taken.
    pub(super) fn is_particular(&self) -> bool {
        self.key.is_some() && self.on_key != OnKey::Return
    }
}

/// What happens when the key of a task is taken.
pub(super) fn on_key(task: &NewTask) -> OnKey {
    task.terms.as_ref().map_or(OnKey::Return, |terms| terms.on_key)
}

impl Batch<'_> {
    /// Looks up whose keys these dispatches ask for, and what of them is there, all at once.
    pub(super) async fn look_up(&mut self, requests: &[Request]) -> Outcome<()> {
        let (mut ids, mut places) = (Vec::new(), Vec::new());
        for request in requests {
            let Request::Dispatch(ask, _) = request else { continue };
            for keyed in ask.about.iter().filter_map(Keyed::of) {
                if keyed.is_particular() || self.hints.guarded.contains(&*keyed.task.queue) {
                    ids.push(keyed.id);
                    places.extend(keyed.place());
                }
            }
        }
        if ids.is_empty() {
            return Ok(());
        }
        self.flush().await?;
        self.find_there(&ids).await?;
        self.find_holders(places).await
    }

    async fn find_there(&mut self, ids: &[WorkId]) -> Outcome<()> {
        let asked: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        self.there.extend(asked.iter().map(|&id| (id, false)));
        for row in self.link.all(query(sql::THERE).bind(asked)).await? {
            self.there.insert(row.try_get(0)?, true);
        }
        Ok(())
    }

    async fn find_holders(&mut self, places: Vec<Place>) -> Outcome<()> {
        let (runs, tasks): (Vec<Place>, Vec<Place>) = places.into_iter().partition(|(is_run, ..)| *is_run);
        for (statement, places) in [(sql::TASK_HOLDERS, tasks), (sql::RUN_HOLDERS, runs)] {
            if places.is_empty() {
                continue;
            }
            let names: Vec<_> = places.iter().map(|(_, name, _)| text(name)).collect();
            let keys: Vec<_> = places.iter().map(|(.., key)| text(key)).collect();
            let rows = self.link.all(query(statement).bind(names).bind(keys)).await?;
            let mut found: HashMap<i64, Holder> = HashMap::new();
            for row in rows {
                let holder: Uuid = row.try_get(1)?;
                let work = if statement == sql::RUN_HOLDERS {
                    RunId::from(holder).into()
                } else {
                    TaskId::from(holder).into()
                };
                found.insert(row.try_get(0)?, (work, Timestamp::from_millis(row.try_get(2)?)));
            }
            self.keys.extend((1..).zip(places).map(|(number, place)| (place, found.remove(&number))));
        }
        Ok(())
    }

    /// Who has a key, as it stands in this transaction.
    pub(super) async fn holder(&mut self, place: &Place) -> Outcome<Option<Holder>> {
        if !self.keys.contains_key(place) {
            self.flush_tasks().await?;
            self.find_holders(vec![place.clone()]).await?;
        }
        Ok(self.keys.get(place).copied().flatten())
    }

    /// Whether work was added before.
    pub(super) async fn is_there(&mut self, id: WorkId) -> Outcome<bool> {
        if !self.there.contains_key(&id.uuid()) {
            self.flush().await?;
            self.find_there(&[id]).await?;
        }
        Ok(self.there.get(&id.uuid()).copied().unwrap_or(false))
    }

    /// Work has a key from now on, if it is new. What is not known is looked up when somebody asks.
    pub(super) fn has_key(&mut self, place: Place, id: WorkId, is_new: bool) {
        if is_new {
            self.there.insert(id.uuid(), true);
            self.keys.insert(place, Some((id, self.now)));
        } else {
            self.there.remove(&id.uuid());
            self.keys.remove(&place);
        }
    }

    /// What is there in place of a new task whose dispatch says what is to happen then. It has the key, and has been
    /// replaced if it was to be; none, if the key is free now.
    pub(super) async fn instead_of_task(&mut self, task: &NewTask) -> Outcome<Option<WorkId>> {
        let (policy, Some(key)) = (on_key(task), &task.key) else { return Ok(None) };
        if policy == OnKey::Return {
            return Ok(None);
        }
        if self.is_there(task.id.into()).await? {
            return Ok(Some(task.id.into()));
        }
        let place = (false, task.name.clone(), key.clone());
        // What waits for a signal, or belongs to a run, is no plain task that could take the place.
        let replaceable = task.of.is_none() && task.wait.is_none();
        for _ in 0..TRIES {
            let Some((holder, since)) = self.holder(&place).await? else { return Ok(None) };
            match taken(policy, since, self.now, replaceable) {
                // Of what follows a task, what is refused is left out.
                Taken::Given | Taken::Refused => return Ok(Some(holder)),
                Taken::Replaces => {
                    self.replace(task, holder.uuid().into(), None).await?;
                    return Ok(Some(holder));
                }
                Taken::Renews if self.release(sql::RELEASE_TASK_KEY, &place, holder).await? => return Ok(None),
                Taken::Renews => {}
            }
        }
        Err(Fault::Taken)
    }

    /// The same for a run.
    pub(super) async fn instead_of_run(&mut self, run: &NewRun) -> Outcome<Option<WorkId>> {
        let Some(key) = run.key.as_ref().filter(|_| run.on_key != OnKey::Return) else { return Ok(None) };
        if self.is_there(run.id.into()).await? {
            return Ok(Some(run.id.into()));
        }
        let place = (true, run.workflow.clone(), key.clone());
        let replaceable = run.first.wait.is_none() && run.step.is_none();
        for _ in 0..TRIES {
            let Some((holder, since)) = self.holder(&place).await? else { return Ok(None) };
            match taken(run.on_key, since, self.now, replaceable) {
                Taken::Given | Taken::Refused => return Ok(Some(holder)),
                Taken::Replaces => {
                    self.replace_run(run, holder.uuid().into()).await?;
                    return Ok(Some(holder));
                }
                Taken::Renews if self.release(sql::RELEASE_RUN_KEY, &place, holder).await? => return Ok(None),
                Taken::Renews => {}
            }
        }
        Err(Fault::Taken)
    }

    /// The key is free, unless another node has freed it first, and given it to somebody.
    async fn release(&mut self, statement: &'static str, place: &Place, holder: WorkId) -> Outcome<bool> {
        self.flush().await?;
        if self.link.execute(query(statement).bind(holder.uuid())).await? > 0 {
            self.keys.insert(place.clone(), None);
            return Ok(true);
        }
        self.keys.remove(place);
        Ok(false)
    }

    async fn replace_run(&mut self, run: &NewRun, existing: RunId) -> Outcome<()> {
        self.flush().await?;
        let row = self.run_row(existing).await?;
        let fits = |state| matches!(state, RunState::Running | RunState::Paused);
        if !row.is_some_and(|row| fits(row.state) && row.step.is_none()) {
            return Ok(());
        }
        let first = self.link.first(query(sql::FIRST_OF_RUN).bind(existing.uuid())).await?;
        let Some(first) = first.map(|row| id::<TaskId>(&row, 0)).transpose()? else { return Ok(()) };
        let due = run.first.at.unwrap_or_else(|| self.now.plus(run.first.delay));
        let replace = query(sql::REPLACE_RUN)
            .bind(existing.uuid())
            .bind(i64::from(run.version))
            .bind(run.end_routed)
            .bind(run.timeout.map(|timeout| due.plus(timeout).as_millis()))
            .bind(&run.input)
            .bind(run.output.as_deref())
            .bind(run.correlation.as_deref().map(text))
            .bind(run.fingerprint.cast_signed());
        self.link.execute(replace).await?;
        // It is read again, as it is now.
        self.runs.remove(&existing);
        self.effects.stale = true;
        self.replace(&run.first, first, Some(existing)).await
    }

    /// A task that was never claimed is this one from now on.
    async fn replace(&mut self, task: &NewTask, existing: TaskId, run: Option<RunId>) -> Outcome<()> {
        self.flush_tasks().await?;
        let terms = task.terms.as_deref();
        let slots = terms.and_then(|terms| terms.slots.as_ref());
        let rate = terms.and_then(|terms| terms.rate.as_ref());
        let run_at = task.at.unwrap_or_else(|| self.now.plus(task.delay));
        let deadline = rules::deadline(run_at, terms.and_then(|terms| terms.deadline));
        let replace = query(sql::REPLACE_TASK)
            .bind(existing.uuid())
            .bind(run.map(RunId::uuid))
            .bind(run_at.as_millis())
            .bind(self.now.as_millis())
            .bind(text(&task.queue))
            .bind(task.priority)
            .bind(&task.payload)
            .bind(task.correlation.as_deref().map(text))
            .bind(task.cancel_routed)
            .bind(deadline.map(Timestamp::as_millis))
            .bind(terms.and_then(|terms| terms.own.as_deref()))
            .bind(slots.map(|slots| text(&slots.bucket)))
            .bind(slots.map(|slots| i32::try_from(slots.most.max(1)).unwrap_or(i32::MAX)))
            .bind(rate.map(|limit| text(&limit.bucket)))
            .bind(rate.map(|limit| serde_json::to_string(&limit.rate)).transpose()?)
            .bind(text(&task.name))
            .bind(task.of.as_ref().and_then(|of| of.step.as_deref()).map(text));
        if let Some(row) = self.link.first(replace).await? {
            self.freed.extend(row.try_get::<Option<String>, _>(0)?);
            self.stir();
        }
        Ok(())
    }
}
