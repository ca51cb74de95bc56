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
}

impl Batch<'_> {
    /// A task of the group has ended, or waits for its turn no more.
    pub(super) async fn leave_group(&mut self, id: Uuid, has_ended: bool, had_no_turn: bool) -> Outcome<Group> {
        let leave = query(sql::LEAVE_GROUP).bind(id).bind(i64::from(has_ended)).bind(i64::from(had_no_turn));
        let row = self.link.one(leave).await?;
        let group = Group { id, open: row.try_get(0)?, waiting: row.try_get(1)?, most: row.try_get(2)? };
        if group.open == 0 {
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
