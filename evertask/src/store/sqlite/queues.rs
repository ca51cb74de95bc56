//! Queues: what was said of them, how many of their tasks may start, and whether they take what is dispatched.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::batch::Batch;
use super::fault::{Fault, Outcome};
use super::fleet::Held;
use super::sql;
use crate::schedule::Timestamp;
use crate::store::rules::rank::ageing_millis;
use crate::store::rules::rate::Budget;
use crate::store::{QueueChange, QueueRecord, QueueRules, QueueState};

/// What was said of a queue, and what is left of its rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queue {
    pub(super) state: QueueState,
    pub(super) rules: QueueRules,
    pub(super) budget: Budget,
}

impl Default for Queue {
    fn default() -> Self {
        Self { state: QueueState::Open, rules: QueueRules::default(), budget: Budget::FULL }
    }
}

/// The queues that have a row, as this writer last read them.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// What SQLite said of the file then; none, if they have to be read.
    version: Option<i64>,
    by_name: HashMap<String, Queue>,
    /// How many run, of those queues of which that was asked since.
    running: HashMap<String, u32>,
}

impl Queues {
    /// They are read anew: a transaction that changed them was undone.
    pub(super) fn forget(&mut self) {
        self.version = None;
    }
}

impl Batch<'_, '_> {
    /// What was said of a queue, if anything was. Only the first question of a transaction costs more than a look.
    pub(super) fn queue(&mut self, name: &str) -> Outcome<Option<Queue>> {
        if !self.knows_queues {
            let version = self.hot.data_version.query_row([], |row| row.get(0))?;
            if self.queues.version != Some(version) {
                self.queues.by_name = read_all(self.conn)?.into_iter().collect();
                self.queues.running.clear();
                self.queues.version = Some(version);
            }
            self.knows_queues = true;
        }
        if self.queues.by_name.is_empty() {
            return Ok(None);
        }
        Ok(self.queues.by_name.get(name).copied())
    }

    /// How many tasks of the queue may start now, of so many.
    pub(super) fn room(&mut self, name: &str, most: u32) -> Outcome<u32> {
        let Some(queue) = self.queue(name)? else { return Ok(most) };
        if queue.state == QueueState::Paused {
            return Ok(0);
        }
        let mut room = most;
        if let Some(rate) = queue.rules.rate {
            let budget = queue.budget.bounded(rate, self.now);
            if budget != queue.budget {
                self.keep_budget(name, budget)?;
            }
            room = room.min(budget.admits(rate, self.now));
        }
        if let Some(concurrency) = queue.rules.concurrency
            && room > 0
        {
            room = room.min(concurrency.saturating_sub(self.running_of(name)?));
        }
        Ok(room)
    }

    fn running_of(&mut self, name: &str) -> Outcome<u32> {
        if let Some(&running) = self.queues.running.get(name) {
            return Ok(running);
        }
        let running = self.conn.prepare_cached(sql::RUNNING_OF)?.query_row([name], |row| row.get(0))?;
        self.queues.running.insert(name.to_owned(), running);
        Ok(running)
    }

    /// A task no longer runs: it counts no more. Whoever waits for its slot gets it when all that follows was done.
    pub(super) fn end_of(&mut self, held: Held) -> Outcome<()> {
        if held.slotted {
            self.free_slot(held.seq)?;
        }
        if self.queues.running.is_empty() {
            return Ok(());
        }
        let mut find = self.conn.prepare_cached(sql::QUEUE_OF)?;
        let mut rows = find.query([held.seq])?;
        if let Some(row) = rows.next()?
            && let Some(running) = self.queues.running.get_mut(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)
        {
            *running = running.saturating_sub(1);
        }
        Ok(())
    }

    /// A task of the queue starts.
    pub(super) fn start_of(&mut self, name: &str) -> Outcome<()> {
        if let Some(running) = self.queues.running.get_mut(name) {
            *running += 1;
        }
        if let Some(queue) = self.queues.by_name.get(name)
            && let Some(rate) = queue.rules.rate
        {
            self.keep_budget(name, queue.budget.take(rate, self.now, 1))?;
        }
        Ok(())
    }

    fn keep_budget(&mut self, name: &str, budget: Budget) -> Outcome<()> {
        if let Some(queue) = self.queues.by_name.get_mut(name) {
            queue.budget = budget;
        }
        self.conn.prepare_cached(sql::SPEND_OF_QUEUE)?.execute(params![name, budget.as_micros()])?;
        Ok(())
    }

    /// When the next task of the queue may start, where its rate is all that holds it.
    pub(super) fn next_start(&mut self, name: &str) -> Outcome<Option<Timestamp>> {
        let Some(queue) = self.queue(name)?.filter(|queue| queue.state != QueueState::Paused) else { return Ok(None) };
        let next = queue.rules.rate.map(|rate| queue.budget.next(rate, self.now));
        Ok(next.filter(|&next| next > self.now))
    }

    /// How many of its tasks are due and wait for a slot.
    pub(super) fn waiting_of(&mut self, name: &str) -> Outcome<u64> {
        self.promote()?;
        Ok(self.conn.prepare_cached(sql::WAITING_OF)?.query_row([name], |row| row.get::<_, i64>(0))?.cast_unsigned())
    }

    /// Changes what was said of a queue.
    pub(super) fn change_queue(&mut self, name: &str, change: &QueueChange) -> Outcome<QueueRecord> {
        let mut queue = self.queue(name)?.unwrap_or_default();
        queue.state = change.state.unwrap_or(queue.state);
        queue.rules = change.rules.unwrap_or(queue.rules);
        let (state, rules) = (queue.state.as_str(), serde_json::to_string(&queue.rules)?);
        let ageing = ageing_millis(queue.rules.ageing);
        let mut keep = self.conn.prepare_cached(sql::KEEP_QUEUE)?;
        keep.execute(params![name, state, rules, ageing, queue.budget.as_micros()])?;
        drop(keep);
        self.queues.by_name.insert(name.to_owned(), queue);
        let counted = counts(self.conn, self.now)?;
        Ok(record(name.to_owned(), queue, counted.get(name).copied().unwrap_or_default()))
    }
}

/// Every queue that has a row or live tasks.
pub(super) fn list(conn: &Connection, now: Timestamp) -> Outcome<Vec<QueueRecord>> {
    let mut counted = counts(conn, now)?;
    let mut records: Vec<QueueRecord> = read_all(conn)?
        .into_iter()
        .map(|(name, queue)| {
            let counts = counted.remove(&name).unwrap_or_default();
            record(name, queue, counts)
        })
        .collect();
    records.extend(counted.into_iter().map(|(name, counts)| record(name, Queue::default(), counts)));
    records.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(records)
}

/// How many tasks of a queue are due, come later, and run.
type Counts = [i64; 3];

fn counts(conn: &Connection, now: Timestamp) -> Outcome<HashMap<String, Counts>> {
    let mut count = conn.prepare_cached(sql::COUNTS)?;
    let counted = count
        .query_map([now.as_millis()], |row| Ok((row.get(0)?, [row.get(1)?, row.get(2)?, row.get(3)?])))?
        .collect::<Result<_, _>>()?;
    Ok(counted)
}

fn record(name: String, queue: Queue, [due, later, running]: Counts) -> QueueRecord {
    let (due, later, running) = (due.cast_unsigned(), later.cast_unsigned(), running.cast_unsigned());
    QueueRecord { name, state: queue.state, rules: queue.rules, due, later, running }
}

fn read_all(conn: &Connection) -> Outcome<Vec<(String, Queue)>> {
    let mut find = conn.prepare_cached(sql::QUEUES)?;
    let mut rows = find.query([])?;
    let mut queues = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
        let queue = Queue {
            state: state(text(1)?)?,
            rules: serde_json::from_str(text(2)?)?,
            budget: Budget::from_micros(row.get(3)?),
        };
        queues.push((row.get(0)?, queue));
    }
    Ok(queues)
}

fn state(text: &str) -> Outcome<QueueState> {
    let all = [QueueState::Open, QueueState::Paused, QueueState::Draining];
    let state = all.into_iter().find(|state| state.as_str() == text);
    state.ok_or_else(|| Fault::Value(format!("`{text}` is no state of a queue")))
}
