//! What a dispatch is refused for before it begins: a key that is taken, or a queue that takes no more.
//!
//! Most queues refuse nothing, so nobody asks them: what is written says whether one of them does after all, and then
//! it is all done again, with care. From then on it is done with care at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sqlx::{Row as _, query};

use super::batch::Batch;
use super::fault::Outcome;
use super::keys::{Keyed, Place};
use super::queues::{Queue, locked};
use super::request::Request;
use super::sql;
use super::value::names;
use crate::id::WorkId;
use crate::store::rules::key::{Taken, taken};
use crate::store::rules::room::{Load, refusal};
use crate::store::{NewWork, OnKey, QueueState, StoreError};

/// A queue that may refuse what is dispatched to it, and how many wait in it. This transaction has its row.
#[derive(Debug)]
pub(super) struct Guard {
    queue: Queue,
    pub(super) waiting: u64,
}

impl Batch<'_> {
    /// Has the rows of the queues that may refuse one of these dispatches, one after the other: nodes that add to them
    /// take turns.
    pub(super) async fn lock_guards_of(&mut self, requests: &[Request]) -> Outcome<()> {
        if self.hints.guarded.is_empty() {
            return Ok(());
        }
        let mut queues: BTreeSet<&str> = BTreeSet::new();
        for request in requests {
            let Request::Dispatch(ask, _) = request else { continue };
            queues.extend(ask.about.iter().filter_map(Keyed::of).map(|keyed| &*keyed.task.queue));
        }
        let new = |name: &&str| self.hints.guarded.contains(*name) && !self.guards.contains_key(*name);
        let asked: Vec<&str> = queues.into_iter().filter(new).collect();
        if asked.is_empty() {
            return Ok(());
        }
        self.flush().await?;
        let mut guards: BTreeMap<String, Queue> = BTreeMap::new();
        for row in self.link.all(query(sql::LOCK_QUEUES).bind(names(asked.iter().copied()))).await? {
            let (name, queue) = locked(&row)?;
            if queue.state == QueueState::Draining || queue.rules.depth.is_some() {
                guards.insert(name, queue);
            }
        }
        for name in asked.into_iter().filter(|name| !guards.contains_key(*name)) {
            self.hints.guarded.remove(name);
        }
        if guards.is_empty() {
            return Ok(());
        }
        // One that is drained takes nothing, however few wait.
        let most = guards.values().map(|queue| i64::from(queue.rules.depth.unwrap_or(0))).collect::<Vec<_>>();
        let count = query(sql::WAITING).bind(names(guards.keys().map(String::as_str))).bind(most);
        let rows = self.link.all(count.bind(self.now.as_millis())).await?;
        for ((name, queue), row) in guards.into_iter().zip(rows) {
            let waiting = row.try_get::<i64, _>(0)?.cast_unsigned();
            self.guards.insert(name, Guard { queue, waiting });
        }
        Ok(())
    }

    /// Whether a dispatch may be refused.
    pub(super) fn may_be_refused(&self, work: &[NewWork]) -> bool {
        let may_be = |keyed: Keyed<'_>| {
            (keyed.on_key == OnKey::Refuse && keyed.key.is_some()) || self.hints.guarded.contains(&*keyed.task.queue)
        };
        work.iter().filter_map(Keyed::of).any(may_be)
    }

    /// Why a dispatch is refused, if it is.
    pub(super) async fn refuses(&mut self, work: &[NewWork]) -> Outcome<Option<StoreError>> {
        if !self.may_be_refused(work) {
            return Ok(None);
        }
        let mut loads: BTreeMap<&str, Load> = BTreeMap::new();
        let mut seen: BTreeMap<Place, WorkId> = BTreeMap::new();
        for keyed in work.iter().filter_map(Keyed::of) {
            if self.is_there(keyed.id).await? {
                continue;
            }
            if let Some(place) = keyed.place() {
                if let Some(id) = self.key_taken(&keyed, &place, seen.get(&place).copied()).await? {
                    if keyed.on_key == OnKey::Refuse {
                        let (.., key) = place;
                        return Ok(Some(StoreError::KeyTaken { name: keyed.name.clone().into_owned(), key, id }));
                    }
                    continue;
                }
                seen.insert(place, keyed.id);
            }
            let load = loads.entry(&keyed.task.queue).or_default();
            load.tasks += 1;
            let run_at = keyed.task.at.unwrap_or_else(|| self.now.plus(keyed.task.delay));
            load.due += u64::from(run_at <= self.now);
        }
        let refuse = |(name, load): (&str, Load)| {
            let Guard { queue, waiting } = self.guards.get(name)?;
            refusal(name, queue.state, &queue.rules, *waiting, load)
        };
        Ok(loads.into_iter().find_map(refuse))
    }

    /// Who has the key, if this work does not get it. `before` has it from the same dispatch.
    async fn key_taken(&mut self, keyed: &Keyed<'_>, place: &Place, before: Option<WorkId>) -> Outcome<Option<WorkId>> {
        if before.is_some() {
            return Ok(before.filter(|_| keyed.on_key != OnKey::Renew(Duration::ZERO)));
        }
        let Some((id, since)) = self.holder(place).await? else { return Ok(None) };
        Ok((taken(keyed.on_key, since, self.now, true) != Taken::Renews).then_some(id))
    }
}
