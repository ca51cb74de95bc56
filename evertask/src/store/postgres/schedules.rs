//! Schedules: kept by id, turned by whoever comes first, with one occurrence for each slot.

use std::collections::{BTreeMap, HashSet};

use sqlx::postgres::PgRow;
use sqlx::{Row as _, query};

use super::batch::{Batch, Given};
use super::dispatch::check;
use super::fault::Outcome;
use super::insert::With;
use super::link::Link;
use super::sql;
use super::value::{optional_id, string, text, time};
use crate::id::{RunId, TaskId, WorkId};
use crate::schedule::Timestamp;
use crate::store::{Dispatched, NewSchedule, NewWork, ScheduleRecord, Turn};

impl Batch<'_> {
    /// Adds schedules, and changes those that are there.
    pub(super) async fn keep_schedules(&mut self, schedules: &[NewSchedule]) -> Outcome<()> {
        // Sorted, so that nodes lock them in the same order; of two of one id the last counts.
        let schedules: BTreeMap<&str, &NewSchedule> =
            schedules.iter().map(|schedule| (schedule.id.as_str(), schedule)).collect();
        if schedules.is_empty() {
            return Ok(());
        }
        let new = schedules.values();
        let keep = query(sql::KEEP_SCHEDULES)
            .bind(schedules.keys().map(|id| text(id)).collect::<Vec<_>>())
            .bind(new.clone().map(|new| text(&new.name)).collect::<Vec<_>>())
            .bind(new.clone().map(|new| &new.spec[..]).collect::<Vec<_>>())
            .bind(new.clone().map(|new| &new.template[..]).collect::<Vec<_>>())
            .bind(new.map(|new| new.next.map(Timestamp::as_millis)).collect::<Vec<_>>())
            .bind(self.now.as_millis());
        self.link.execute(keep).await?;
        self.effects.stale = true;
        Ok(())
    }

    /// Forgets a schedule. Says whether it was there.
    pub(super) async fn drop_schedule(&mut self, id: &str) -> Outcome<bool> {
        self.effects.stale = true;
        Ok(self.link.execute(query(sql::DROP_SCHEDULE).bind(text(id))).await? > 0)
    }

    /// Holds a schedule, or lets it go on. Says whether that changed anything.
    pub(super) async fn hold_schedule(&mut self, id: &str, paused: bool, next: Option<Timestamp>) -> Outcome<bool> {
        self.effects.stale = true;
        let hold = query(sql::HOLD_SCHEDULE).bind(text(id)).bind(paused).bind(next.map(Timestamp::as_millis));
        Ok(self.link.execute(hold).await? > 0)
    }

    /// Starts occurrences and moves the schedule on, unless somebody else has.
    pub(super) async fn turn_schedule(&mut self, turn: &Turn) -> Outcome<Vec<Dispatched>> {
        let Turn { id, revision, fire, skipped, next } = turn;
        check(fire.iter().map(|firing| &firing.work))?;
        self.effects.stale = true;
        if !self.link.exists(query(sql::MAY_TURN).bind(text(id)).bind(revision)).await? {
            return Ok(Vec::new());
        }
        let asked: Vec<i64> = fire.iter().map(|firing| firing.slot.as_millis()).collect();
        let occurred = self.link.all(query(sql::OCCURRED).bind(text(id)).bind(asked)).await?;
        let mut occurred: HashSet<i64> =
            occurred.iter().map(|row| Ok(row.try_get(0)?)).collect::<Outcome<HashSet<_>>>()?;
        let (mut slots, mut given) = (Vec::new(), Vec::new());
        for firing in fire.iter().filter(|firing| occurred.insert(firing.slot.as_millis())) {
            slots.push(firing.slot.as_millis());
            given.push(self.give(&firing.work).await?);
        }
        self.flush_tasks().await?;
        let started: Vec<Dispatched> = given.into_iter().map(|given| self.resolve(given)).collect();
        if !started.is_empty() {
            let works: Vec<_> = started.iter().map(|started| started.id.uuid()).collect();
            self.link.execute(query(sql::INSERT_OCCURRENCES).bind(text(id)).bind(&slots).bind(works)).await?;
        }
        let (task, run) = match started.last().map(|last| last.id) {
            Some(WorkId::Task(task)) => (Some(task.uuid()), None),
            Some(WorkId::Run(run)) => (None, Some(run.uuid())),
            None => (None, None),
        };
        let turn = query(sql::TURN_SCHEDULE)
            .bind(text(id))
            .bind(i64::try_from(started.len()).unwrap_or(i64::MAX))
            .bind(skipped.cast_signed())
            .bind(next.map(Timestamp::as_millis))
            .bind(slots.last())
            .bind(task)
            .bind(run);
        self.link.execute(turn).await?;
        Ok(started)
    }

    async fn give(&mut self, work: &NewWork) -> Outcome<Given> {
        match work {
            NewWork::Task(task) => self.give_task(task).await,
            other => Ok(Given { dispatched: self.add(other, &With::default()).await?, ticket: None }),
        }
    }
}

/// All schedules, by id.
pub(super) async fn list(link: &mut Link<'_>) -> Outcome<Vec<ScheduleRecord>> {
    link.all(query(sql::SCHEDULES)).await?.iter().map(record).collect()
}

/// Those whose slot has come, by id, and when the first of the others comes.
pub(super) async fn due(link: &mut Link<'_>, now: Timestamp) -> Outcome<(Vec<ScheduleRecord>, Option<Timestamp>)> {
    let rows = link.all(query(sql::DUE_SCHEDULES).bind(now.as_millis())).await?;
    let found: Vec<ScheduleRecord> = rows.iter().map(record).collect::<Outcome<_>>()?;
    let (mut due, later): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|schedule| schedule.next.is_some_and(|next| next <= now));
    due.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    Ok((due, later.first().and_then(|first| first.next)))
}

fn record(row: &PgRow) -> Outcome<ScheduleRecord> {
    let task = optional_id::<TaskId>(row, 9)?.map(WorkId::from);
    let work = task.or(optional_id::<RunId>(row, 10)?.map(WorkId::from));
    Ok(ScheduleRecord {
        id: string(row, 0)?,
        name: string(row, 1)?,
        spec: row.try_get(2)?,
        template: row.try_get(3)?,
        next: time(row, 4)?,
        fired: row.try_get::<i64, _>(5)?.cast_unsigned(),
        skipped: row.try_get::<i64, _>(6)?.cast_unsigned(),
        paused: row.try_get(7)?,
        last: time(row, 8)?.zip(work),
        created_at: Timestamp::from_millis(row.try_get(11)?),
        revision: row.try_get(12)?,
    })
}
