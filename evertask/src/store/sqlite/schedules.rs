//! Schedules: kept by id, turned by whoever comes first, with one occurrence for each slot.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::batch::Batch;
use super::dispatch::check;
use super::fault::Outcome;
use super::insert::With;
use super::sql;
use super::value::{Id, optional_id};
use crate::id::{RunId, TaskId, WorkId};
use crate::schedule::Timestamp;
use crate::store::{Dispatched, NewSchedule, ScheduleRecord, Turn};

impl Batch<'_, '_> {
    /// Adds schedules, and changes those that are there.
    pub(super) fn keep_schedules(&self, schedules: &[NewSchedule]) -> Outcome<()> {
        let mut keep = self.conn.prepare_cached(sql::KEEP_SCHEDULE)?;
        for NewSchedule { id, name, spec, template, next } in schedules {
            keep.execute(params![id, name, spec, template, next.map(Timestamp::as_millis), self.now.as_millis()])?;
        }
        Ok(())
    }

    /// Forgets a schedule. Says whether it was there.
    pub(super) fn drop_schedule(&self, id: &str) -> Outcome<bool> {
        Ok(self.conn.prepare_cached(sql::DROP_SCHEDULE)?.execute([id])? > 0)
    }

    /// Holds a schedule, or lets it go on. Says whether that changed anything.
    pub(super) fn hold_schedule(&self, id: &str, paused: bool, next: Option<Timestamp>) -> Outcome<bool> {
        let values = params![id, paused, next.map(Timestamp::as_millis)];
        Ok(self.conn.prepare_cached(sql::HOLD_SCHEDULE)?.execute(values)? > 0)
    }

    /// Starts occurrences and moves the schedule on, unless somebody else has.
    pub(super) fn turn_schedule(&mut self, turn: &Turn) -> Outcome<Vec<Dispatched>> {
        let Turn { id, revision, fire, skipped, next } = turn;
        check(fire.iter().map(|firing| &firing.work))?;
        if !self.conn.prepare_cached(sql::MAY_TURN)?.exists(params![id, revision])? {
            return Ok(Vec::new());
        }
        let mut started = Vec::with_capacity(fire.len());
        let mut last = None;
        for firing in fire {
            let slot = firing.slot.as_millis();
            if self.conn.prepare_cached(sql::OCCURRED)?.exists(params![id, slot])? {
                continue;
            }
            let added = self.add(&firing.work, &With::default())?;
            self.conn.prepare_cached(sql::INSERT_OCCURRENCE)?.execute(params![id, slot, Id(added.id.uuid())])?;
            started.push(added);
            last = Some((slot, added.id));
        }
        let fired = i64::try_from(started.len()).unwrap_or(i64::MAX);
        let values = params![id, fired, skipped.cast_signed(), next.map(Timestamp::as_millis)];
        self.conn.prepare_cached(sql::TURN_SCHEDULE)?.execute(values)?;
        if let Some((slot, work)) = last {
            let (task, run) = match work {
                WorkId::Task(task) => (Some(Id(task.uuid())), None),
                WorkId::Run(run) => (None, Some(Id(run.uuid()))),
            };
            self.conn.prepare_cached(sql::SET_LAST)?.execute(params![id, slot, task, run])?;
        }
        Ok(started)
    }
}

/// All schedules, by id.
pub(super) fn list(conn: &Connection) -> Outcome<Vec<ScheduleRecord>> {
    let mut find = conn.prepare_cached(sql::SCHEDULES)?;
    let schedules = find.query_map([], record)?.collect::<Result<_, _>>()?;
    Ok(schedules)
}

/// Those whose slot has come, by id, and when the first of the others comes.
pub(super) fn due(conn: &Connection, now: Timestamp) -> Outcome<(Vec<ScheduleRecord>, Option<Timestamp>)> {
    let mut find = conn.prepare_cached(sql::DUE_SCHEDULES)?;
    let mut due: Vec<ScheduleRecord> = find.query_map([now.as_millis()], record)?.collect::<Result<_, _>>()?;
    due.sort_by(|one, other| one.id.cmp(&other.id));
    let mut next = conn.prepare_cached(sql::NEXT_SCHEDULE)?;
    let next: Option<i64> = next.query_row([now.as_millis()], |row| row.get(0)).optional()?;
    Ok((due, next.map(Timestamp::from_millis)))
}

fn record(row: &Row<'_>) -> rusqlite::Result<ScheduleRecord> {
    let time = |column| row.get::<_, Option<i64>>(column).map(|time| time.map(Timestamp::from_millis));
    let task = optional_id::<TaskId>(row, 9)?.map(WorkId::from);
    let work = task.or(optional_id::<RunId>(row, 10)?.map(WorkId::from));
    Ok(ScheduleRecord {
        id: row.get(0)?,
        name: row.get(1)?,
        spec: row.get(2)?,
        template: row.get(3)?,
        next: time(4)?,
        fired: row.get::<_, i64>(5)?.cast_unsigned(),
        skipped: row.get::<_, i64>(6)?.cast_unsigned(),
        paused: row.get(7)?,
        last: time(8)?.zip(work),
        created_at: Timestamp::from_millis(row.get(11)?),
        revision: row.get(12)?,
    })
}
