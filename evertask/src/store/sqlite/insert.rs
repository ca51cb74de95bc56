//! One new task: whether it waits, is ready, or is claimed as it is added.

use std::borrow::Cow;

use rusqlite::OptionalExtension;
use uuid::Uuid;

use super::batch::Batch;
use super::fault::Outcome;
use super::fleet::Held;
use super::value::{Id, got_as_str};
use super::{limits, signal};
use crate::id::{TaskId, WorkerId};
use crate::schedule::Timestamp;
use crate::store::rules::{self, rank::rank};
use crate::store::{Claim, Claimed, Dispatched, Got, NewTask, TaskState, Wait};

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

/// What is decided of a new task.
pub(super) struct Spot<'t> {
    state: TaskState,
    wait: Option<Wait>,
    due: Option<i64>,
    pub(super) run_at: i64,
    worker: Option<WorkerId>,
    pub(super) payload: Cow<'t, [u8]>,
    got: Option<Got>,
    /// The name under which the signal was kept that it got.
    signal: Option<&'t str>,
}

impl<'t> Spot<'t> {
    /// Of a task that is ready at this time.
    pub(super) const fn ready(first_due: Timestamp, payload: Cow<'t, [u8]>) -> Self {
        let run_at = first_due.as_millis();
        Self { state: TaskState::Ready, wait: None, due: None, run_at, worker: None, payload, got: None, signal: None }
    }

    /// When the time of the task in all is up. What undoes a step is due when its run fails, if it does.
    pub(super) fn deadline(&self, task: &NewTask) -> Option<Timestamp> {
        let within = task.terms.as_ref()?.deadline.filter(|_| self.wait != Some(Wait::Undo));
        rules::deadline(Timestamp::from_millis(self.run_at), within)
    }
}

/// What became of one task to add.
enum Added {
    /// It is the row with this number.
    New(i64),
    /// This one has its id or its key.
    Existing(TaskId),
}

impl Batch<'_, '_> {
    /// Adds a task; one that is due goes straight to the worker where that has a slot for it.
    pub(super) fn add_task(&mut self, task: &NewTask, with: &With<'_>) -> Outcome<Dispatched> {
        let spot = self.spot(task, with)?;
        let seq = match self.insert_task(task, with, &spot)? {
            Added::New(seq) => seq,
            Added::Existing(id) => return Ok(Dispatched { id: id.into(), existing: true }),
        };
        if let (Some(step), Some(run)) = (spot.signal, signal::place(task)) {
            self.use_signal(run, step)?;
        }
        if let Some(worker) = spot.worker {
            self.fleet.take(worker, &task.queue);
            self.start_of(&task.queue)?;
            let run = task.of.as_ref().map(|of| of.run);
            let group = with.group.map(|(group, _)| group);
            let held = Held { seq, run, group, undo: false, slotted: false, fence: 1, worker, told: false };
            self.effects.claims.push((worker, held, claimed(task, spot)));
        }
        Ok(Dispatched { id: task.id.into(), existing: false })
    }

    fn spot<'t>(&mut self, task: &'t NewTask, with: &With<'t>) -> Outcome<Spot<'t>> {
        let now = self.now.as_millis();
        let payload = Cow::Borrowed(with.joined.unwrap_or(&task.payload));
        let mut spot = Spot::ready(task.at.unwrap_or_else(|| self.now.plus(task.delay)), payload);
        (spot.wait, spot.got) = (with.wait, with.joined.map(|_| Got::Join));
        if spot.wait.is_none()
            && task.wait == Some(Wait::Signal)
            && let Some(run) = signal::place(task)
        {
            if let Some((step, value)) = self.kept_signal(run, task)? {
                (spot.payload, spot.got, spot.run_at) = (value.into(), Some(Got::Signal), now);
                spot.signal = Some(step);
            } else if task.at.is_none() && task.delay.is_zero() {
                // One that waits for ever is not among what becomes due.
                (spot.wait, spot.run_at) = (Some(Wait::Signal), i64::MAX);
            } else if spot.run_at > now {
                (spot.wait, spot.due) = (Some(Wait::Signal), Some(0));
            } else {
                spot.got = Some(Got::Nothing);
            }
        }
        if spot.wait.is_none() && with.paused {
            spot.wait = Some(Wait::Pause);
        }
        if spot.wait.is_some() {
            spot.state = TaskState::Waiting;
            return Ok(spot);
        }
        spot.due = Some(i64::from(spot.run_at <= now));
        if let Some(worker) = with.worker
            && spot.due == Some(1)
            && self.hands_over(worker, task)?
        {
            (spot.state, spot.due, spot.worker) = (TaskState::Running, None, Some(worker));
        }
        Ok(spot)
    }

    /// Whether a continuation that is due is claimed as it is added: it costs no commit and no second read. It
    /// does not overtake what is more urgent.
    fn hands_over(&mut self, worker: WorkerId, task: &NewTask) -> Outcome<bool> {
        let step = task.of.as_ref().and_then(|of| Some((of.workflow.as_ref(), of.step.as_deref()?)));
        if !self.fleet.takes(worker, &task.queue, &task.name, step) {
            return Ok(false);
        }
        // Its own limits are asked at a claim.
        if task.terms.as_ref().is_some_and(|terms| terms.rate.is_some() || terms.slots.is_some()) {
            return Ok(false);
        }
        if self.room(&task.queue, 1)? == 0 {
            return Ok(false);
        }
        // What was put aside may be more urgent, too; then a claim sorts it out.
        if self.promote()? || !self.is_listed(worker)? {
            return Ok(false);
        }
        let top: Option<i16> = self.hot.top_priority.query_row([&task.queue], |row| row.get(0)).optional()?;
        Ok(top.is_none_or(|top| task.priority >= top))
    }

    /// The order of claims of a task that is ready at this time.
    pub(super) fn rank(&mut self, run_at: i64, task: &NewTask) -> Outcome<i64> {
        let ageing = self.queue(&task.queue)?.and_then(|queue| queue.rules.ageing);
        Ok(rank(Timestamp::from_millis(run_at), task.priority, ageing))
    }

    fn insert_task(&mut self, task: &NewTask, with: &With<'_>, spot: &Spot<'_>) -> Outcome<Added> {
        if let Some(seq) = self.try_insert(task, with, spot)? {
            return Ok(Added::New(seq));
        }
        let Some(key) = &task.key else { return Ok(Added::Existing(task.id)) };
        let Some(holder) = self.task_holder(&task.name, key)? else { return Ok(Added::Existing(task.id)) };
        if holder.id != task.id
            && self.free_task_key(task, spot, holder)?
            && let Some(seq) = self.try_insert(task, with, spot)?
        {
            return Ok(Added::New(seq));
        }
        Ok(Added::Existing(holder.id))
    }

    /// The number of the new row, if there is one.
    fn try_insert(&mut self, task: &NewTask, with: &With<'_>, spot: &Spot<'_>) -> Outcome<Option<i64>> {
        let rank = self.rank(spot.run_at, task)?;
        let terms = task.terms.as_deref();
        let is_plain = spot.wait.is_none() && spot.got.is_none() && with.group.is_none() && terms.is_none();
        let insert = if is_plain { &mut self.hot.insert_task } else { &mut self.hot.insert_part };
        insert.raw_bind_parameter(1, Id(task.id.uuid()))?;
        insert.raw_bind_parameter(2, &task.name)?;
        insert.raw_bind_parameter(3, &task.queue)?;
        insert.raw_bind_parameter(4, task.priority)?;
        insert.raw_bind_parameter(5, spot.state.as_str())?;
        insert.raw_bind_parameter(6, spot.due)?;
        insert.raw_bind_parameter(7, spot.run_at)?;
        insert.raw_bind_parameter(8, i64::from(spot.worker.is_some()))?;
        insert.raw_bind_parameter(9, spot.worker.map(|worker| Id(worker.uuid())))?;
        insert.raw_bind_parameter(10, task.cancel_routed)?;
        insert.raw_bind_parameter(11, self.now.as_millis())?;
        insert.raw_bind_parameter(12, &spot.payload)?;
        insert.raw_bind_parameter(13, &task.key)?;
        insert.raw_bind_parameter(14, &task.correlation)?;
        insert.raw_bind_parameter(15, task.parent.map(|parent| Id(parent.uuid())))?;
        insert.raw_bind_parameter(16, task.of.as_ref().map(|of| Id(of.run.uuid())))?;
        insert.raw_bind_parameter(17, task.of.as_ref().map(|of| &of.workflow))?;
        insert.raw_bind_parameter(18, task.of.as_ref().and_then(|of| of.step.as_ref()))?;
        insert.raw_bind_parameter(19, rank)?;
        if !is_plain {
            let slots = terms.and_then(|terms| terms.slots.as_ref());
            insert.raw_bind_parameter(20, spot.wait.map(Wait::as_str))?;
            insert.raw_bind_parameter(21, spot.got.map(got_as_str))?;
            insert.raw_bind_parameter(22, with.undo)?;
            insert.raw_bind_parameter(23, with.group.map(|(_, item)| item))?;
            insert.raw_bind_parameter(24, with.group.map(|(group, _)| Id(group)))?;
            insert.raw_bind_parameter(25, spot.deadline(task).map(Timestamp::as_millis))?;
            insert.raw_bind_parameter(26, terms.and_then(|terms| terms.own.as_ref()))?;
            insert.raw_bind_parameter(27, slots.map(|slots| &slots.bucket))?;
            insert.raw_bind_parameter(28, slots.map(|slots| slots.most.max(1)))?;
            let rate = terms.and_then(|terms| terms.rate.as_ref()).map(limits::encode).transpose()?;
            insert.raw_bind_parameter(29, rate)?;
        }
        let is_new = insert.raw_execute()? > 0;
        Ok(is_new.then(|| self.conn.last_insert_rowid()))
    }
}

/// A task that was added as claimed.
fn claimed(task: &NewTask, spot: Spot<'_>) -> Claimed {
    Claimed {
        deadline: spot.deadline(task),
        own: task.terms.as_ref().and_then(|terms| terms.own.clone()),
        claim: Claim { id: task.id, fence: 1 },
        name: task.name.clone().into_owned(),
        queue: task.queue.clone().into_owned(),
        payload: spot.payload.into_owned(),
        failures: 0,
        crashes: 0,
        correlation: task.correlation.clone(),
        of: task.of.clone(),
        cancelled: false,
        got: spot.got,
    }
}
