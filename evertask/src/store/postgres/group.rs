//! The tasks of an `each`: how many of them live, and whose turn is next.

use sqlx::{Row as _, query};
use uuid::Uuid;

use super::batch::Batch;
use super::fault::Outcome;
use super::sql;
use super::value::{id, optional_id};

/// How a group stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group {
    id: Uuid,
    open: i64,
    waiting: i64,
    most: Option<i64>,
    /// Whether it is of no run.
    alone: bool,
}

impl Batch<'_> {
    /// A task of the group has ended, or waits for its turn no more.
    pub(super) async fn leave_group(&mut self, id: Uuid, has_ended: bool, had_no_turn: bool) -> Outcome<Group> {
        self.all_leave_group(id, i64::from(has_ended), i64::from(had_no_turn)).await
    }

    /// So many tasks of the group have ended, and so many wait for their turn no more.
    pub(super) async fn all_leave_group(&mut self, id: Uuid, ended: i64, turned: i64) -> Outcome<Group> {
        let row = self.link.one(query(sql::LEAVE_GROUP).bind(id).bind(ended).bind(turned)).await?;
        let (open, waiting, most, alone) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
        let group = Group { id, open, waiting, most, alone };
        if group.open == 0 && group.alone {
            self.link.execute(query(sql::CLOSE_GROUP).bind(id)).await?;
        }
        Ok(group)
    }

    /// Whoever is next has its turn, as long as the group has room. Says whether the group has ended.
    pub(super) async fn give_turns(&mut self, mut group: Group) -> Outcome<bool> {
        while group.waiting > 0 && group.most.is_some_and(|most| group.open - group.waiting < most) {
            self.flush_tasks().await?;
            let turn = query(sql::TURN).bind(group.id).bind(self.now.as_millis());
            let row = self.link.one(turn).await?;
            self.hold_task(id(&row, 0)?, optional_id(&row, 1)?).await?;
            group = self.leave_group(group.id, false, true).await?;
        }
        Ok(group.open == 0)
    }
}
