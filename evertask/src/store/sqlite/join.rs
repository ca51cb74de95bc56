//! Joins: the transaction in which the last member arrives adds the joined task.

use std::collections::BTreeMap;

use rusqlite::{Row, params};
use uuid::Uuid;

use super::batch::Batch;
use super::fault::Outcome;
use super::insert::With;
use super::run::RunRow;
use super::sql;
use super::value::{Id, id, optional_id, report, task_state};
use crate::failure::FailureReport;
use crate::id::{RunId, WorkerId};
use crate::store::rules::{self, Brought};
use crate::store::{Arrival, Member};

impl Batch<'_, '_> {
    /// A member has arrived, for all items of its group if it has one. The run fails if the joined task would
    /// run too often; that is said, not done.
    pub(super) fn arrive(
        &mut self,
        row: &mut RunRow,
        arrival: &Arrival,
        group: Option<Uuid>,
        worker: Option<WorkerId>,
    ) -> Outcome<Option<FailureReport>> {
        let run = Id(row.id.uuid());
        for was in arrival.then.was {
            self.conn.prepare_cached(sql::RENAME_JOIN)?.execute(params![run, arrival.join, was])?;
            let twice = self.conn.prepare_cached(sql::CLEAR_JOIN)?.execute(params![run, was])?;
            row.arrivals -= i64::try_from(twice).unwrap_or(i64::MAX);
        }
        let values = params![run, arrival.join, arrival.member, group.map(Id)];
        if self.conn.prepare_cached(sql::ARRIVE)?.execute(values)? > 0 {
            row.arrivals += 1;
        } else {
            self.conn.prepare_cached(sql::ARRIVE_AGAIN)?.execute(values)?;
        }
        let arrived = self.arrived(row.id, arrival)?;
        if arrived.len() < arrival.members.len() {
            return Ok(None);
        }
        let cleared = self.conn.prepare_cached(sql::CLEAR_JOIN)?.execute(params![run, arrival.join])?;
        row.arrivals -= i64::try_from(cleared).unwrap_or(i64::MAX);
        if let Some(failure) = self.too_many(row.id, [&arrival.then])? {
            return Ok(Some(failure));
        }
        let brought = (0..).zip(&arrival.members).map(|(number, member)| {
            let group = arrived.get(&number).copied().flatten();
            self.brought(row.id, member, group, arrival.settled)
        });
        let payload = rules::joined(brought.collect::<Outcome<Vec<_>>>()?, arrival.settled);
        let with = With { joined: Some(&payload), ..row.with(worker) };
        row.open_tasks += i64::from(!self.add_task(&arrival.then, &with)?.existing);
        Ok(None)
    }

    fn arrived(&self, run: RunId, arrival: &Arrival) -> Outcome<BTreeMap<u32, Option<Uuid>>> {
        let mut find = self.conn.prepare_cached(sql::ARRIVED)?;
        let rows =
            find.query_map(params![Id(run.uuid()), arrival.join], |row| Ok((row.get(0)?, optional_id(row, 1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn brought(&self, run: RunId, member: &Member, group: Option<Uuid>, settled: bool) -> Outcome<Brought> {
        let run = Id(run.uuid());
        if member.each {
            let Some(group) = group else { return Ok(Brought::Each(Vec::new())) };
            let mut find = self.conn.prepare_cached(sql::OF_GROUP)?;
            let mut outcomes = Vec::new();
            for step in member.step_names() {
                let mut rows = find.query(params![run, step, Id(group)])?;
                while let Some(row) = rows.next()? {
                    outcomes.extend(outcome(row)?);
                }
            }
            return Ok(Brought::Each(outcomes));
        }
        let mut find = self.conn.prepare_cached(if settled { sql::LAST_ENDED } else { sql::LAST_SUCCEEDED })?;
        for step in member.step_names() {
            if let Some(row) = find.query(params![run, step])?.next()? {
                return Ok(Brought::One(outcome(row)?));
            }
        }
        Ok(Brought::One(None))
    }
}

fn outcome(row: &Row<'_>) -> Outcome<Option<rules::Outcome>> {
    let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
    let (task, failures) = (id(row, 0)?, row.get(5)?);
    let (name, output) = (text(1)?, row.get_ref(3)?.as_blob_or_null().map_err(rusqlite::Error::from)?);
    let cancelled = || rules::step_cancelled(name, task, failures);
    Ok(rules::outcome(task_state(text(2)?)?, output, report(row, 4)?.as_ref(), cancelled))
}
