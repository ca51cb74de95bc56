//! Joins: the transaction in which the last member arrives adds the joined task.

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{Row as _, query};
use uuid::Uuid;

use super::batch::Batch;
use super::fault::Outcome;
use super::insert::With;
use super::run::RunRow;
use super::sql;
use super::value::{count, id, optional_id, report, string, task_state, text};
use crate::failure::FailureReport;
use crate::id::{RunId, WorkerId};
use crate::store::rules::{self, Brought};
use crate::store::{Arrival, Member};

impl Batch<'_> {
    /// A member has arrived, for all items of its group if it has one. The run fails if the joined task would
    /// run too often; that is said, not done.
    pub(super) async fn arrive(
        &mut self,
        row: &mut RunRow,
        arrival: &Arrival,
        group: Option<Uuid>,
        worker: Option<WorkerId>,
    ) -> Outcome<Option<FailureReport>> {
        let (run, join, member) = (row.id.uuid(), text(&arrival.join), i64::from(arrival.member));
        for was in arrival.then.was {
            let rename = query(sql::RENAME_JOIN).bind(run).bind(&join).bind(text(was));
            self.link.execute(rename).await?;
            let twice = self.link.execute(query(sql::CLEAR_JOIN).bind(run).bind(text(was))).await?;
            row.arrivals -= i64::try_from(twice).unwrap_or(i64::MAX);
        }
        let arrive = query(sql::ARRIVE).bind(run).bind(&join).bind(member).bind(group);
        if self.link.execute(arrive).await? > 0 {
            row.arrivals += 1;
        } else {
            let again = query(sql::ARRIVE_AGAIN).bind(run).bind(&join).bind(member).bind(group);
            self.link.execute(again).await?;
        }
        let arrived = self.arrived(row.id, &join).await?;
        if arrived.len() < arrival.members.len() {
            return Ok(None);
        }
        let cleared = self.link.execute(query(sql::CLEAR_JOIN).bind(run).bind(&join)).await?;
        row.arrivals -= i64::try_from(cleared).unwrap_or(i64::MAX);
        if let Some(failure) = self.too_many(row.id, [&arrival.then]).await? {
            return Ok(Some(failure));
        }
        let mut brought = Vec::with_capacity(arrival.members.len());
        for (number, member) in (0..).zip(&arrival.members) {
            let group = arrived.get(&number).copied().flatten();
            brought.push(self.brought(row.id, member, group, arrival.settled).await?);
        }
        let payload = rules::joined(brought, arrival.settled);
        let with = With { joined: Some(&payload), ..row.with(worker) };
        row.open_tasks += i64::from(!self.add_task(&arrival.then, &with).await?.existing);
        Ok(None)
    }

    async fn arrived(&mut self, run: RunId, join: &str) -> Outcome<BTreeMap<i64, Option<Uuid>>> {
        let rows = self.link.all(query(sql::ARRIVED).bind(run.uuid()).bind(join)).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, optional_id(row, 1)?))).collect()
    }

    async fn brought(&mut self, run: RunId, member: &Member, group: Option<Uuid>, settled: bool) -> Outcome<Brought> {
        let run = run.uuid();
        if member.each {
            let Some(group) = group else { return Ok(Brought::Each(Vec::new())) };
            let mut outcomes = Vec::new();
            for step in member.step_names() {
                for row in self.link.all(query(sql::OF_GROUP).bind(run).bind(text(step)).bind(group)).await? {
                    outcomes.extend(outcome(&row)?);
                }
            }
            return Ok(Brought::Each(outcomes));
        }
        let find = if settled { sql::LAST_ENDED } else { sql::LAST_SUCCEEDED };
        for step in member.step_names() {
            if let Some(row) = self.link.first(query(find).bind(run).bind(text(step))).await? {
                return Ok(Brought::One(outcome(&row)?));
            }
        }
        Ok(Brought::One(None))
    }
}

fn outcome(row: &PgRow) -> Outcome<Option<rules::Outcome>> {
    let (task, failures, name) = (id(row, 0)?, count(row, 5)?, string(row, 1)?);
    let output: Option<&[u8]> = row.try_get(3)?;
    let cancelled = || rules::step_cancelled(&name, task, failures);
    Ok(rules::outcome(task_state(row.try_get(2)?)?, output, report(row, 4)?.as_ref(), cancelled))
}
