//! New tasks: whether each waits, is ready, or is claimed as it is added; and writing them, many at a time.

use std::collections::HashSet;

use sqlx::{Row as _, query};
use uuid::Uuid;

use super::batch::{Batch, Given};
use super::fault::{Fault, Outcome};
use super::fleet::Held;
use super::keys::on_key;
use super::queues::Queue;
use super::value::{got_as_str, names, optional_id, optional_string, text};
use super::{signal, sql};
use crate::id::{TaskId, WorkerId};
use crate::schedule::Timestamp;
use crate::store::rules::rank::rank;
use crate::store::{
    Claim, Claimed, Dispatched, Got, NewTask, OnKey, QueueState, RateLimit, SlotLimit, TaskState, Terms, Wait, rules,
};

/// Nodes without anything to do look that often for what nobody told them of, in milliseconds.
pub(super) const POLL: i64 = 5_000;

/// The most tasks that are written at once.
const MOST_FRESH: usize = 5_000;

/// How a task is added.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct With<'w> {
    /// Whose slot it goes to straight away, if it is due and that worker has one for it.
    pub(super) worker: Option<WorkerId>,
    /// Whether its run is held.
    pub(super) paused: bool,
    /// The `each` that it is an item of, and which.
    pub(super) group: Option<(Uuid, u32)>,
    /// What it waits for, apart from what it says itself.
    pub(super) wait: Option<Wait>,
    /// Its place among what undoes the steps of its run.
    pub(super) undo: Option<i64>,
    /// What a join brings it.
    pub(super) joined: Option<&'w [u8]>,
}

/// A task that is not written yet.
#[derive(Debug)]
pub(super) struct Fresh {
    ticket: usize,
    /// Whether it may be there already. Of others that is not expected, and they are relied upon.
    may_be_taken: bool,
    task: NewTask,
    state: TaskState,
    wait: Option<Wait>,
    due: Option<i16>,
    run_at: i64,
    deadline: Option<Timestamp>,
    worker: Option<WorkerId>,
    got: Option<Got>,
    /// The name under which the signal was kept that it got.
    signal: Option<String>,
    undo: Option<i64>,
    group: Option<(Uuid, u32)>,
}

impl Batch<'_> {
    /// Adds a task that was dispatched. Whether it is new is known when it is written.
    pub(super) async fn give_task(&mut self, task: &NewTask) -> Outcome<Given> {
        if let Some(existing) = self.instead_of_task(task).await? {
            return Ok(Given { dispatched: Dispatched { id: existing, existing: true }, ticket: None });
        }
        let fresh = self.place(task, &With::default()).await?;
        // Whose key was looked up is relied upon.
        let ticket = self.keep(fresh, task.key.is_none() || on_key(task) == OnKey::Return).await?;
        Ok(Given { dispatched: Dispatched { id: task.id.into(), existing: false }, ticket: Some(ticket) })
    }

    /// Adds a task; one that is due goes straight to the worker where that has a slot for it.
    pub(super) async fn add_task(&mut self, task: &NewTask, with: &With<'_>) -> Outcome<Dispatched> {
        if let Some(existing) = self.instead_of_task(task).await? {
            return Ok(Dispatched { id: existing, existing: true });
        }
        let mut fresh = self.place(task, with).await?;
        let (signal, worker) = (fresh.signal.take(), fresh.worker);
        let claimed = worker.map(|worker| (worker, claimed(&fresh)));
        let alone = self.slowly || task.key.is_some();
        let ticket = self.keep(fresh, alone).await?;
        if alone {
            self.flush_tasks().await?;
            if let Some(&existing) = self.taken.get(&ticket) {
                return Ok(Dispatched { id: existing.into(), existing: true });
            }
        }
        if let (Some(step), Some(run)) = (signal, signal::place(task)) {
            self.use_signal(run, &step).await?;
        }
        if let Some((worker, claimed)) = claimed {
            self.fleet.take(worker, &task.queue);
            let run = task.of.as_ref().map(|of| of.run);
            let group = with.group.map(|(group, _)| group);
            let held = Held { seq: 0, run, group, undo: false, slotted: false, fence: 1, worker, told: false };
            self.effects.claims.push((worker, held, claimed));
        }
        Ok(Dispatched { id: task.id.into(), existing: false })
    }

    /// Decides what a new task waits for, and whose it is.
    async fn place(&mut self, task: &NewTask, with: &With<'_>) -> Outcome<Fresh> {
        let now = self.now.as_millis();
        let due = task.at.unwrap_or_else(|| self.now.plus(task.delay));
        let within = task.terms.as_ref().and_then(|terms| terms.deadline).filter(|_| with.undo.is_none());
        let mut fresh = Fresh {
            ticket: 0,
            may_be_taken: false,
            task: task.clone(),
            state: TaskState::Ready,
            wait: with.wait,
            due: None,
            run_at: due.as_millis(),
            deadline: rules::deadline(due, within),
            worker: None,
            got: with.joined.map(|_| Got::Join),
            signal: None,
            undo: with.undo,
            group: with.group,
        };
        if let Some(joined) = with.joined {
            fresh.task.payload = joined.to_vec();
        }
        if fresh.wait.is_none()
            && task.wait == Some(Wait::Signal)
            && let Some(run) = signal::place(task)
        {
            if let Some((step, value)) = self.kept_signal(run, task).await? {
                fresh.signal = Some(step);
                (fresh.task.payload, fresh.got, fresh.run_at) = (value, Some(Got::Signal), now);
            } else if task.at.is_none() && task.delay.is_zero() {
                // One that waits for ever is not among what becomes due.
                (fresh.wait, fresh.run_at, fresh.deadline) = (Some(Wait::Signal), i64::MAX, None);
            } else if fresh.run_at > now {
                (fresh.wait, fresh.due) = (Some(Wait::Signal), Some(0));
            } else {
                fresh.got = Some(Got::Nothing);
            }
        }
        if fresh.wait.is_none() && with.paused {
            fresh.wait = Some(Wait::Pause);
        }
        if fresh.wait.is_some() {
            fresh.state = TaskState::Waiting;
            return Ok(fresh);
        }
        fresh.due = Some(i16::from(fresh.run_at <= now));
        if let Some(worker) = with.worker
            && fresh.due == Some(1)
            && self.hands_over(worker, task).await?
        {
            (fresh.state, fresh.due, fresh.worker) = (TaskState::Running, None, Some(worker));
        }
        Ok(fresh)
    }

    /// Whether a continuation that is due is claimed as it is added: it costs no commit and no second read. It
    /// does not overtake what is more urgent.
    async fn hands_over(&mut self, worker: WorkerId, task: &NewTask) -> Outcome<bool> {
        // Its own limits are asked at a claim.
        if task.terms.as_ref().is_some_and(|terms| terms.rate.is_some() || terms.slots.is_some()) {
            return Ok(false);
        }
        let step = task.of.as_ref().and_then(|of| Some((of.workflow.as_ref(), of.step.as_deref()?)));
        if !self.fleet.takes(worker, &task.queue, &task.name, step) {
            return Ok(false);
        }
        // What was put aside may be more urgent, too; then a claim sorts it out.
        if self.promote().await? || !self.is_listed(worker) {
            return Ok(false);
        }
        let top = self.top(&task.queue).await?;
        if top.is_some_and(|(_, priority)| task.priority < priority) {
            return Ok(false);
        }
        let queue = self.survey.as_ref().and_then(|survey| survey.queues.get(&*task.queue));
        if queue.is_some_and(|queue| queue.state == QueueState::Paused) {
            return Ok(false);
        }
        if queue.is_some_and(Queue::is_limited) {
            // It is first when it is known how many may start.
            self.handed.push((worker, task.queue.clone().into_owned(), task.id.uuid()));
            return Ok(false);
        }
        Ok(true)
    }

    /// The rank and the priority of the first that is ready in a queue.
    async fn top(&mut self, queue: &str) -> Outcome<Option<(i64, i16)>> {
        if let Some(&top) = self.tops.get(queue) {
            return Ok(top);
        }
        self.flush_tasks().await?;
        let row = self.link.first(query(sql::TOP_PRIORITY).bind(text(queue))).await?;
        let top = match row {
            Some(row) => Some((row.try_get(0)?, row.try_get(1)?)),
            None => None,
        };
        self.tops.insert(queue.to_owned(), top);
        Ok(top)
    }

    /// Keeps a task to be written. Its number says later what became of it.
    async fn keep(&mut self, mut fresh: Fresh, may_be_taken: bool) -> Outcome<usize> {
        let key = fresh.task.key.as_ref().map(|key| (fresh.task.name.clone(), key.clone()));
        let is_double =
            self.fresh_ids.contains(&fresh.task.id) || key.as_ref().is_some_and(|key| self.fresh_keys.contains(key));
        if is_double || self.fresh.len() >= MOST_FRESH {
            self.flush_tasks().await?;
        }
        self.fresh_ids.insert(fresh.task.id);
        if let Some((name, key)) = key.as_ref().filter(|_| !may_be_taken || !self.keys.is_empty()) {
            self.has_key((false, name.clone(), key.clone()), fresh.task.id.into(), !may_be_taken);
        }
        self.fresh_keys.extend(key);
        match fresh.due {
            Some(1) => {
                self.effects.ready += 1;
                if let Some(guard) = self.guards.get_mut(fresh.task.queue.as_ref()) {
                    guard.waiting += 1;
                }
                let rank = self.rank(&fresh);
                if let Some(top) = self.tops.get_mut(fresh.task.queue.as_ref())
                    && top.is_none_or(|(first, _)| rank < first)
                {
                    *top = Some((rank, fresh.task.priority));
                }
            }
            // Others may sleep longer than that.
            Some(0) if fresh.run_at < self.now.as_millis().saturating_add(POLL) => self.effects.ready += 1,
            _ => {}
        }
        fresh.ticket = self.tickets;
        fresh.may_be_taken = may_be_taken;
        self.tickets += 1;
        let ticket = fresh.ticket;
        self.fresh.push(fresh);
        Ok(ticket)
    }

    /// The order of claims of a task that is ready when it is written; the same is done there.
    fn rank(&self, fresh: &Fresh) -> i64 {
        let queue = self.survey.as_ref().and_then(|survey| survey.queues.get(fresh.task.queue.as_ref()));
        let ageing = queue.and_then(|queue| queue.rules.ageing);
        rank(Timestamp::from_millis(fresh.run_at), fresh.task.priority, ageing)
    }

    /// Writes the tasks that were added.
    pub(super) async fn flush_tasks(&mut self) -> Outcome<()> {
        let fresh = std::mem::take(&mut self.fresh);
        self.fresh_ids.clear();
        self.fresh_keys.clear();
        if fresh.is_empty() {
            return Ok(());
        }
        let paces: Vec<Option<String>> = fresh
            .iter()
            .map(|fresh| fresh.limit().map(|limit| serde_json::to_string(&limit.rate)).transpose())
            .collect::<Result<_, _>>()?;
        let insert = query(sql::INSERT_TASKS)
            .bind(self.now.as_millis())
            .bind(column(&fresh, |fresh| fresh.task.id.uuid()))
            .bind(column(&fresh, |fresh| text(&fresh.task.name)))
            .bind(column(&fresh, |fresh| text(&fresh.task.queue)))
            .bind(column(&fresh, |fresh| fresh.task.priority))
            .bind(column(&fresh, |fresh| fresh.state.as_str()))
            .bind(column(&fresh, |fresh| fresh.due))
            .bind(column(&fresh, |fresh| fresh.run_at))
            .bind(column(&fresh, |fresh| fresh.worker.map(WorkerId::uuid)))
            .bind(column(&fresh, |fresh| fresh.task.cancel_routed))
            .bind(column(&fresh, |fresh| &fresh.task.payload[..]))
            .bind(column(&fresh, |fresh| fresh.task.key.as_deref().map(text)))
            .bind(column(&fresh, |fresh| fresh.task.correlation.as_deref().map(text)))
            .bind(column(&fresh, |fresh| fresh.task.parent.map(TaskId::uuid)))
            .bind(column(&fresh, |fresh| fresh.task.of.as_ref().map(|of| of.run.uuid())))
            .bind(column(&fresh, |fresh| fresh.task.of.as_ref().map(|of| text(&of.workflow))))
            .bind(column(&fresh, |fresh| fresh.task.of.as_ref().and_then(|of| of.step.as_deref()).map(text)))
            .bind(column(&fresh, |fresh| fresh.wait.map(Wait::as_str)))
            .bind(column(&fresh, |fresh| fresh.got.map(got_as_str)))
            .bind(column(&fresh, |fresh| fresh.undo))
            .bind(column(&fresh, |fresh| fresh.group.map(|(_, item)| i64::from(item))))
            .bind(column(&fresh, |fresh| fresh.group.map(|(group, _)| group)))
            .bind(column(&fresh, |fresh| fresh.deadline.map(Timestamp::as_millis)))
            .bind(column(&fresh, |fresh| fresh.terms().and_then(|terms| terms.own.as_deref())))
            .bind(column(&fresh, |fresh| fresh.slots().map(|slots| text(&slots.bucket))))
            .bind(column(&fresh, |fresh| {
                fresh.slots().map(|slots| i32::try_from(slots.most.max(1)).unwrap_or(i32::MAX))
            }))
            .bind(column(&fresh, |fresh| fresh.limit().map(|limit| text(&limit.bucket))))
            .bind(paces)
            .bind(names(self.offered.iter().map(String::as_str)));
        let rows = self.link.all(insert).await?;
        self.offered.clear();
        let mut new = HashSet::with_capacity(fresh.len());
        for row in &rows {
            new.extend(optional_id::<TaskId>(row, 0)?);
        }
        if new.len() < rows.len() {
            let guarded = rows.iter().map(|row| optional_string(row, 1)).collect::<Outcome<Vec<_>>>()?;
            self.hints.guarded.extend(guarded.into_iter().flatten());
            return Err(Fault::Guarded);
        }
        self.note_taken(fresh, &new).await
    }

    /// What was not added was there already, by its id or its key.
    async fn note_taken(&mut self, mut fresh: Vec<Fresh>, new: &HashSet<TaskId>) -> Outcome<()> {
        fresh.retain(|fresh| !new.contains(&fresh.task.id));
        if fresh.is_empty() {
            return Ok(());
        }
        if fresh.iter().any(|fresh| !fresh.may_be_taken) {
            return Err(Fault::Taken);
        }
        let find = query(sql::EXISTING_TASKS)
            .bind(column(&fresh, |fresh| fresh.task.id.uuid()))
            .bind(column(&fresh, |fresh| text(&fresh.task.name)))
            .bind(column(&fresh, |fresh| fresh.task.key.as_deref().map(text)));
        for (row, fresh) in self.link.all(find).await?.iter().zip(fresh) {
            self.taken.insert(fresh.ticket, optional_id(row, 0)?.unwrap_or(fresh.task.id));
        }
        Ok(())
    }
}

impl Fresh {
    fn terms(&self) -> Option<&Terms> {
        self.task.terms.as_deref()
    }

    fn slots(&self) -> Option<&SlotLimit> {
        self.terms()?.slots.as_ref()
    }

    fn limit(&self) -> Option<&RateLimit> {
        self.terms()?.rate.as_ref()
    }
}

fn column<'f, T>(fresh: &'f [Fresh], value: impl Fn(&'f Fresh) -> T) -> Vec<T> {
    fresh.iter().map(value).collect()
}

/// A task that was added as claimed.
fn claimed(fresh: &Fresh) -> Claimed {
    let task = &fresh.task;
    Claimed {
        claim: Claim { id: task.id, fence: 1 },
        name: task.name.clone().into_owned(),
        queue: task.queue.clone().into_owned(),
        payload: task.payload.clone(),
        failures: 0,
        crashes: 0,
        correlation: task.correlation.clone(),
        of: task.of.clone(),
        cancelled: false,
        deadline: fresh.deadline,
        own: task.terms.as_ref().and_then(|terms| terms.own.clone()),
        got: fresh.got,
    }
}
