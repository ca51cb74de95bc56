//! Queues: what was said of them, how many of their tasks may start, and how they stand.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::postgres::PgRow;
use sqlx::{Row as _, query};

use super::batch::Batch;
use super::fault::{Fault, Outcome};
use super::fleet::Wanting;
use super::link::Link;
use super::sql;
use super::value::{given, names, string, text};
use crate::schedule::Timestamp;
use crate::store::rules::rank::ageing_millis;
use crate::store::rules::rate::Budget;
use crate::store::{QueueChange, QueueRecord, QueueRules, QueueState};

/// What was said of a queue, and what is left of its rate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queue {
    pub(super) state: QueueState,
    pub(super) rules: QueueRules,
    budget: Budget,
}

impl Queue {
    /// Whether anything but free slots limits how many of its tasks start.
    pub(super) const fn is_limited(&self) -> bool {
        self.rules.concurrency.is_some() || self.rules.rate.is_some()
    }

    /// How many of its tasks may start now, when so many run.
    fn room(&self, running: i64, now: Timestamp) -> u32 {
        if self.state == QueueState::Paused {
            return 0;
        }
        let beside = self.rules.concurrency.map(|most| (i64::from(most) - running).max(0));
        let beside = beside.map(|beside| u32::try_from(beside).unwrap_or(u32::MAX));
        let in_time = self.rules.rate.map(|rate| self.budget.bounded(rate, now).admits(rate, now));
        beside.into_iter().chain(in_time).min().unwrap_or(u32::MAX)
    }
}

/// What this process has seen of queues in earlier transactions. It is a hint: what counts is read by each.
#[derive(Debug, Default)]
pub(super) struct Hints {
    /// They may refuse what is dispatched to them.
    pub(super) guarded: HashSet<String>,
    /// Somewhere, what may start depends on how many run.
    pub(super) capped: bool,
}

/// How many tasks of a limited queue this transaction may start. If any, it has the queue's row.
#[derive(Debug)]
pub(super) struct Room {
    left: u32,
    queue: Queue,
    /// Whether the row is ours, and says what is not true any more.
    changed: bool,
}

impl Batch<'_> {
    /// Finds out how many may start in the queues in which slots are free. Nodes that start tasks of the same limited
    /// queue take turns; where nothing is to start, or may, nobody has to wait.
    pub(super) async fn open_queues(&mut self, wanting: &[Wanting]) -> Outcome<()> {
        let queues = self.survey.as_ref().map(|survey| &survey.queues);
        let Some(queues) = queues.filter(|queues| !queues.is_empty()) else { return Ok(()) };
        let mut limited: BTreeMap<String, Queue> = BTreeMap::new();
        for name in wanting.iter().map(|wanting| &wanting.queue) {
            let Some(&queue) = queues.get(name) else { continue };
            if queue.state == QueueState::Paused {
                self.rooms.insert(name.clone(), Room { left: 0, queue, changed: false });
            } else if queue.is_limited() {
                limited.insert(name.clone(), queue);
            }
        }
        if limited.is_empty() {
            return Ok(());
        }
        let now = self.now;
        let loads = self.loads(&limited).await?;
        let mut promising = Vec::new();
        for ((name, queue), (running, waits)) in limited.into_iter().zip(loads) {
            // What a slower rate has left is forgotten, which must be kept.
            let is_old = queue.rules.rate.is_some_and(|rate| queue.budget.bounded(rate, now) != queue.budget);
            if waits && (is_old || queue.room(running, now) > 0) {
                promising.push(name);
            } else {
                let left = 0;
                // Nothing waits that its time could wake.
                let rate = queue.rules.rate.filter(|_| waits);
                let queue = Queue { rules: QueueRules { rate, ..queue.rules }, ..queue };
                self.rooms.insert(name, Room { left, queue, changed: false });
            }
        }
        self.take_turns(promising).await
    }

    async fn take_turns(&mut self, promising: Vec<String>) -> Outcome<()> {
        if promising.is_empty() {
            return Ok(());
        }
        let lock = if self.guards.is_empty() { sql::LOCK_QUEUES } else { sql::LOCK_FREE_QUEUES };
        let rows = self.link.all(query(lock).bind(names(promising.iter().map(String::as_str)))).await?;
        let locked = rows.iter().map(locked).collect::<Outcome<BTreeMap<_, _>>>()?;
        // How many run is known once nobody else can start any.
        let loads = self.loads(&locked).await?;
        for name in promising.into_iter().filter(|name| !locked.contains_key(name)) {
            // Another node has it: it is looked at again at once.
            self.effects.more = true;
            if let Some(&queue) = self.survey.as_ref().and_then(|survey| survey.queues.get(&name)) {
                self.rooms.insert(name, Room { left: 0, queue, changed: false });
            }
        }
        let now = self.now;
        for ((name, mut queue), (running, _)) in locked.into_iter().zip(loads) {
            let before = queue.budget;
            if let Some(rate) = queue.rules.rate {
                queue.budget = before.bounded(rate, now);
            }
            let (left, changed) = (queue.room(running, now), queue.budget != before);
            self.rooms.insert(name, Room { left, queue, changed });
        }
        Ok(())
    }

    /// How many of each run, and whether anything waits.
    async fn loads(&mut self, queues: &BTreeMap<String, Queue>) -> Outcome<Vec<(i64, bool)>> {
        if queues.is_empty() {
            return Ok(Vec::new());
        }
        let asked = names(queues.keys().map(String::as_str));
        let rows = self.link.all(query(sql::LOADS).bind(asked)).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// How many tasks of the queue may start now, of so many.
    pub(super) fn room(&self, name: &str, most: u32) -> u32 {
        self.rooms.get(name).map_or(most, |room| room.left.min(most))
    }

    /// So many of the queue start.
    pub(super) fn start_of(&mut self, name: &str, tasks: usize) {
        let tasks = u32::try_from(tasks).unwrap_or(u32::MAX);
        let Some(room) = self.rooms.get_mut(name).filter(|_| tasks > 0) else { return };
        room.left = room.left.saturating_sub(tasks);
        if let Some(rate) = room.queue.rules.rate {
            room.queue.budget = room.queue.budget.take(rate, self.now, tasks);
            room.changed = true;
        }
    }

    /// Pays for what was started, and says when the first of the queues may go on that only their rates hold.
    pub(super) async fn close_queues(&mut self) -> Outcome<Option<Timestamp>> {
        let now = self.now;
        let (mut paid, mut spent) = (Vec::new(), Vec::new());
        let mut next: Option<Timestamp> = None;
        for (name, room) in &mut self.rooms {
            if std::mem::take(&mut room.changed) {
                paid.push(text(name).into_owned());
                spent.push(room.queue.budget.as_micros());
            }
            let rate = room.queue.rules.rate.filter(|_| room.queue.state != QueueState::Paused);
            let start = rate.map(|rate| room.queue.budget.next(rate, now)).filter(|&start| start > now);
            next = next.into_iter().chain(start).min();
        }
        if !paid.is_empty() {
            self.link.execute(query(sql::SPEND_OF_QUEUES).bind(paid).bind(spent)).await?;
        }
        Ok(next)
    }

    /// Changes what was said of a queue.
    pub(super) async fn change_queue(&mut self, name: &str, change: &QueueChange) -> Outcome<QueueRecord> {
        let said = [(name, change.rules.unwrap_or_default())];
        let row = self.keep_queues(&said, change.state, change.rules.is_some()).await?;
        let row = row.first().ok_or_else(|| Fault::Value(format!("the queue `{name}` was not kept")))?;
        let (state, rules) = (state(row.try_get(0)?)?, serde_json::from_str(row.try_get(1)?)?);
        self.flush_tasks().await?;
        let counts = self.link.one(query(sql::COUNTS_OF).bind(text(name)).bind(self.now.as_millis())).await?;
        Ok(record(name.to_owned(), state, rules, [counts.try_get(0)?, counts.try_get(1)?, counts.try_get(2)?]))
    }

    /// Keeps what is said of queues.
    pub(super) async fn keep_queues(
        &mut self,
        said: &[(&str, QueueRules)],
        state: Option<QueueState>,
        with_rules: bool,
    ) -> Outcome<Vec<PgRow>> {
        let rules = said.iter().map(|(_, rules)| serde_json::to_string(rules)).collect::<Result<Vec<_>, _>>()?;
        let keep = query(sql::KEEP_QUEUES)
            .bind(names(said.iter().map(|(name, _)| *name)))
            .bind(state.map(QueueState::as_str))
            .bind(with_rules)
            .bind(rules)
            .bind(said.iter().map(|(_, rules)| ageing_millis(rules.ageing)).collect::<Vec<_>>())
            .bind(said.iter().map(|(_, rules)| rules.depth.map(i64::from)).collect::<Vec<_>>());
        let kept = self.link.all(keep).await?;
        // What was read of them is old, here and elsewhere.
        self.survey = None;
        self.guards.clear();
        self.stir();
        Ok(kept)
    }
}

/// Every queue of which something was said, or that has live tasks.
pub(super) async fn list(link: &mut Link<'_>, now: Timestamp) -> Outcome<Vec<QueueRecord>> {
    link.script(sql::BY_INDEX.to_owned()).await?;
    let mut counted: HashMap<String, [i64; 3]> = HashMap::new();
    for row in link.all(query(sql::COUNTS).bind(now.as_millis())).await? {
        counted.insert(string(&row, 0)?, [row.try_get(1)?, row.try_get(2)?, row.try_get(3)?]);
    }
    let mut records = Vec::new();
    for row in link.all(query(sql::QUEUES)).await? {
        let name = string(&row, 0)?;
        let counts = counted.remove(&name).unwrap_or_default();
        records.push(record(name, state(row.try_get(1)?)?, serde_json::from_str(row.try_get(2)?)?, counts));
    }
    for (name, counts) in counted {
        records.push(record(name, QueueState::Open, QueueRules::default(), counts));
    }
    records.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(records)
}

fn record(name: String, state: QueueState, rules: QueueRules, counts: [i64; 3]) -> QueueRecord {
    let [due, later, running] = counts.map(i64::cast_unsigned);
    QueueRecord { name, state, rules, due, later, running }
}

/// What was said of queues: four texts for each, in one column.
pub(super) fn said(row: &PgRow, column: usize) -> Outcome<HashMap<String, Queue>> {
    let texts: Vec<String> = row.try_get(column)?;
    let mut queues = HashMap::with_capacity(texts.len() / 4);
    for texts in texts.chunks_exact(4) {
        let [name, said, rules, spent] = texts else { continue };
        let spent = spent.parse().map_err(|_| Fault::Value(format!("`{spent}` is no budget of a queue")))?;
        queues.insert(given(name), queue(said, rules, spent)?);
    }
    Ok(queues)
}

/// A queue whose row this transaction has, by its name.
pub(super) fn locked(row: &PgRow) -> Outcome<(String, Queue)> {
    Ok((string(row, 0)?, queue(row.try_get(1)?, row.try_get(2)?, row.try_get(3)?)?))
}

fn queue(said: &str, rules: &str, spent: i64) -> Outcome<Queue> {
    Ok(Queue { state: state(said)?, rules: serde_json::from_str(rules)?, budget: Budget::from_micros(spent) })
}

fn state(text: &str) -> Outcome<QueueState> {
    let all = [QueueState::Open, QueueState::Paused, QueueState::Draining];
    let state = all.into_iter().find(|state| state.as_str() == text);
    state.ok_or_else(|| Fault::Value(format!("`{text}` is no state of a queue")))
}
