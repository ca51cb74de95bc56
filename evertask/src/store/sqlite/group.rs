//! The tasks of an `each`: how many of them live, and whose turn is next.

use rusqlite::params;
use uuid::Uuid;

use super::batch::Batch;
use super::fault::Outcome;
use super::sql;
use super::value::Id;

/// How a group stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    id: Uuid,
    open: i64,
    waiting: i64,
    most: Option<i64>,
}

impl Batch<'_, '_> {
    /// A task of the group has ended, or waits for its turn no more.
    pub(super) fn leave_group(&self, id: Uuid, has_ended: bool, had_no_turn: bool) -> Outcome<Group> {
        let mut leave = self.conn.prepare_cached(sql::LEAVE_GROUP)?;
        let values = params![Id(id), i64::from(has_ended), i64::from(had_no_turn)];
        let group = leave
            .query_row(values, |row| Ok(Group { id, open: row.get(0)?, waiting: row.get(1)?, most: row.get(2)? }))?;
        if group.open == 0 {
            self.conn.prepare_cached(sql::CLOSE_GROUP)?.execute([Id(id)])?;
        }
        Ok(group)
    }

    /// Whoever is next has its turn, as long as the group has room. Says whether the group has ended.
    pub(super) fn give_turns(&mut self, mut group: Group) -> Outcome<bool> {
        while group.waiting > 0 && group.most.is_some_and(|most| group.open - group.waiting < most) {
            let mut turn = self.conn.prepare_cached(sql::TURN)?;
            let seq = turn.query_row(params![Id(group.id), self.now.as_millis()], |row| row.get(0))?;
            drop(turn);
            self.hold_task(seq)?;
            group = self.leave_group(group.id, false, true)?;
        }
        Ok(group.open == 0)
    }
}
