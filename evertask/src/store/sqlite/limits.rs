//! Limits that tasks share by buckets. They are asked at a claim; whoever must wait for a slot is ready again when
//! one of its bucket no longer runs, or no longer is about to.

use rusqlite::{OptionalExtension, params};

use super::batch::Batch;
use super::fault::Outcome;
use super::sql;
use crate::schedule::Timestamp;
use crate::store::RateLimit;
use crate::store::rules::rate::{Admission, Line, admit};

/// The limits of a task that could be claimed.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) slot: Option<(String, u32)>,
    pub(super) rate: Option<RateLimit>,
    pub(super) reserved: Option<Timestamp>,
}

/// The bucket of a rate and the rate, as a column.
pub(super) fn encode(limit: &RateLimit) -> Outcome<String> {
    Ok(serde_json::to_string(&(&limit.bucket, &limit.rate))?)
}

/// From a column.
pub(super) fn decode(text: &str) -> Outcome<RateLimit> {
    let (bucket, rate) = serde_json::from_str(text)?;
    Ok(RateLimit { bucket, rate })
}

impl Batch<'_, '_> {
    /// Whether a task with limits starts now. If not, it waits: for a slot, or for a time that is its own.
    pub(super) fn admits(&mut self, seq: i64, limits: &Limits, cancelled: bool) -> Outcome<bool> {
        if let Some((bucket, most)) = &limits.slot
            && self.slots_taken(bucket)? >= *most
        {
            self.conn.prepare_cached(sql::WAIT_FOR_SLOT)?.execute([seq])?;
            return Ok(false);
        }
        // What is claimed only for its cancel does nothing that is limited.
        let Some(RateLimit { bucket, rate }) = limits.rate.as_ref().filter(|_| !cancelled) else { return Ok(true) };
        let line = self
            .conn
            .prepare_cached(sql::BUCKET)?
            .query_row([bucket], |row| Ok(Line::from_micros(row.get(0)?, row.get(1)?)));
        let line = line.optional()?.unwrap_or(Line::FULL);
        match admit(line, *rate, limits.reserved, self.now) {
            Admission::Starts(left) => {
                self.spend(bucket, line, left)?;
                Ok(true)
            }
            Admission::Waits(turn, left) => {
                self.spend(bucket, line, left)?;
                let values = params![seq, turn.at.as_millis(), turn.reserved.as_millis()];
                self.conn.prepare_cached(sql::PUT_OFF)?.execute(values)?;
                // It takes no slot: the next that waits for one may.
                if let Some((bucket, _)) = &limits.slot {
                    self.effects.more |= self.give_slot(bucket)?;
                }
                Ok(false)
            }
        }
    }

    /// A task with limits has started. If there is room beside it, the next that wait are looked at too.
    pub(super) fn started(&mut self, limits: &Limits) -> Outcome<()> {
        let Some((bucket, most)) = &limits.slot else { return Ok(()) };
        self.conn.prepare_cached(sql::TAKE_SLOT)?.execute([bucket])?;
        if self.slots_taken(bucket)? < *most {
            self.effects.more |= self.give_slot(bucket)?;
        }
        Ok(())
    }

    fn spend(&self, bucket: &str, before: Line, left: Line) -> Outcome<()> {
        if left != before {
            let (given, started) = left.as_micros();
            self.conn.prepare_cached(sql::SPEND)?.execute(params![bucket, given, started])?;
        }
        Ok(())
    }

    fn slots_taken(&self, bucket: &str) -> Outcome<u32> {
        let mut find = self.conn.prepare_cached(sql::SLOTS_TAKEN)?;
        Ok(find.query_row([bucket], |row| row.get(0)).optional()?.unwrap_or(0))
    }

    /// A task no longer runs: its slot is free.
    pub(super) fn free_slot(&self, seq: i64) -> Outcome<()> {
        if let Some(bucket) = self.slot_of(seq)? {
            self.conn.prepare_cached(sql::FREE_SLOT)?.execute([&bucket])?;
            self.conn.prepare_cached(sql::FORGET_SLOTS)?.execute([&bucket])?;
        }
        Ok(())
    }

    /// A task no longer runs, or is no longer about to: another may.
    pub(super) fn leave_slot(&self, seq: i64) -> Outcome<()> {
        self.slot_of(seq)?.map_or(Ok(()), |bucket| self.give_slot(&bucket).map(drop))
    }

    pub(super) fn slot_of(&self, seq: i64) -> Outcome<Option<String>> {
        let mut find = self.conn.prepare_cached(sql::SLOT_OF)?;
        Ok(find.query_row([seq], |row| row.get(0)).optional()?)
    }

    /// Whoever waits for a slot of the bucket and is first in its queue is ready, if there is a slot: a queue that
    /// nobody serves does not keep it from the others. Says whether there is one.
    pub(super) fn give_slot(&self, bucket: &str) -> Outcome<bool> {
        let (mut queue, mut given) = (String::new(), false);
        let mut next = self.conn.prepare_cached(sql::NEXT_FOR_SLOT)?;
        while let Some(name) = next.query_row([bucket, &queue], |row| row.get(0)).optional()? {
            queue = name;
            let mut find = self.conn.prepare_cached(sql::FIRST_FOR_SLOT)?;
            let first = find.query_row([bucket, &queue], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            drop(find);
            if let Some((seq, most)) = first
                && self.slots_taken(bucket)? < most
            {
                let seq: i64 = seq;
                self.conn.prepare_cached(sql::GIVE_SLOT)?.execute(params![seq, self.now.as_millis()])?;
                self.hold_task(seq)?;
                given = true;
            }
        }
        Ok(given)
    }
}
