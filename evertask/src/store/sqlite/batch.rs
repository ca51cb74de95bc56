//! One transaction under way: what it has to hand, and what it will have done once it is committed.

use std::collections::HashMap;

use rusqlite::{Connection, PrepFlags, Statement};

use super::effects::Effects;
use super::ended::Ends;
use super::fault::Outcome;
use super::fleet::Fleet;
use super::inner::After;
use super::queues::Queues;
use super::request::{Request, Settle};
use super::sql;
use crate::id::WorkerId;
use crate::schedule::Timestamp;
use crate::store::Known;

/// The statements that run for each row, prepared once.
pub(super) struct Hot<'c> {
    pub(super) begin: Statement<'c>,
    pub(super) commit: Statement<'c>,
    pub(super) insert_task: Statement<'c>,
    pub(super) insert_part: Statement<'c>,
    pub(super) top_priority: Statement<'c>,
    pub(super) claimable: Statement<'c>,
    pub(super) claim: Statement<'c>,
    pub(super) succeed: Statement<'c>,
    pub(super) list_ended: Statement<'c>,
    pub(super) run_row: Statement<'c>,
    pub(super) data_version: Statement<'c>,
}

impl<'c> Hot<'c> {
    pub(super) fn prepare(conn: &'c Connection) -> Outcome<Self> {
        // They live as long as the connection: not in the little memory that SQLite has at hand for what is short.
        let prepare = |sql| conn.prepare_with_flags(sql, PrepFlags::SQLITE_PREPARE_PERSISTENT);
        Ok(Self {
            begin: prepare(sql::BEGIN)?,
            commit: prepare(sql::COMMIT)?,
            insert_task: prepare(sql::INSERT_TASK)?,
            insert_part: prepare(sql::INSERT_PART)?,
            top_priority: prepare(sql::TOP_PRIORITY)?,
            claimable: prepare(sql::CLAIMABLE)?,
            claim: prepare(sql::CLAIM)?,
            succeed: prepare(sql::SUCCEED)?,
            list_ended: prepare(sql::LIST_ENDED)?,
            run_row: prepare(sql::RUN_ROW)?,
            data_version: prepare(sql::DATA_VERSION)?,
        })
    }
}

/// One transaction under way.
pub(super) struct Batch<'a, 'c> {
    pub(super) conn: &'c Connection,
    pub(super) hot: &'a mut Hot<'c>,
    pub(super) fleet: &'a mut Fleet,
    pub(super) queues: &'a mut Queues,
    /// Whether the queues are known to be as they are stored.
    pub(super) knows_queues: bool,
    pub(super) now: Timestamp,
    pub(super) effects: Effects,
    /// Tasks that have ended and are still to be listed.
    pub(super) ends: Ends,
    /// What was put aside is looked at only if there is any; known once what is due was marked.
    pub(super) apart: Option<bool>,
    /// What listed workers know, read when it is first needed.
    pub(super) knowledge: Option<Vec<Known>>,
    /// Whether a worker's row is there, asked once.
    pub(super) listed: HashMap<WorkerId, bool>,
    /// What is still to be done to other runs.
    pub(super) after: Vec<After>,
}

impl<'a, 'c> Batch<'a, 'c> {
    pub(super) fn new(
        conn: &'c Connection,
        hot: &'a mut Hot<'c>,
        fleet: &'a mut Fleet,
        queues: &'a mut Queues,
        now: Timestamp,
    ) -> Self {
        Self {
            conn,
            hot,
            fleet,
            queues,
            knows_queues: false,
            now,
            effects: Effects::default(),
            ends: Ends::default(),
            apart: None,
            knowledge: None,
            listed: HashMap::new(),
            after: Vec::new(),
        }
    }

    /// Does what is asked, within the transaction. The answer waits in the request for the commit.
    pub(super) fn apply(&mut self, request: &mut Request) -> Outcome<()> {
        match request {
            Request::Dispatch(ask, _) => match self.dispatch(&ask.about)? {
                Ok(added) => ask.answer = Some(added),
                Err(refusal) => ask.refusal = Some(refusal),
            },
            Request::Attach(ask) => {
                self.attach(&ask.about.0)?;
                ask.answer = Some(());
            }
            Request::Settle(Settle { worker, finished, settled, refused, .. }) => {
                settled.clear();
                refused.clear();
                for finished in finished.iter() {
                    match self.write_effects(finished)? {
                        None => settled.push((finished.claim, self.settle(*worker, finished)?)),
                        Some(reason) => {
                            self.note(finished.claim, &finished.notes)?;
                            refused.push((finished.claim, reason));
                        }
                    }
                }
            }
            Request::Detach(ask) => {
                self.fleet.silence(ask.about);
                ask.answer = Some(());
            }
            Request::Retire(ask) => ask.answer = Some(self.retire(ask.about)?),
            Request::Beat(ask) => ask.answer = Some(self.beat(ask.about)?),
            Request::Reclaim(ask) => ask.answer = Some(self.reclaim(&ask.about)?),
            Request::Cancel(ask) => ask.answer = Some(self.cancel(&ask.about)?),
            Request::Note(ask) => ask.answer = Some(self.note(ask.about.0, &ask.about.1)?),
            Request::Signal(ask) => {
                let (run, step, was, value) = &ask.about;
                ask.answer = Some(self.signal(*run, step, was, value)?);
            }
            Request::Pause(ask) => ask.answer = Some(self.pause(ask.about)?),
            Request::Resume(ask) => ask.answer = Some(self.resume(ask.about)?),
            Request::ResumeUndo(ask) => ask.answer = Some(self.resume_undo(ask.about)?),
            Request::ExpireRuns(ask) => ask.answer = Some(self.expire_runs()?),
            Request::ChangeQueue(ask) => ask.answer = Some(self.change_queue(&ask.about.0, &ask.about.1)?),
            Request::KeepSchedules(ask) => ask.answer = Some(self.keep_schedules(&ask.about)?),
            Request::DropSchedule(ask) => ask.answer = Some(self.drop_schedule(&ask.about)?),
            Request::HoldSchedule(ask) => {
                let (id, paused, next) = &ask.about;
                ask.answer = Some(self.hold_schedule(id, *paused, *next)?);
            }
            Request::TurnSchedule(ask) => ask.answer = Some(self.turn_schedule(&ask.about)?),
            Request::Revive(ask) => ask.answer = Some(self.revive(&ask.about.0, ask.about.1.as_ref())?),
            Request::Discard(ask) => ask.answer = Some(self.discard(&ask.about)?),
            Request::Prune(ask) => ask.answer = Some(self.prune(&ask.about.0, ask.about.1)?),
            Request::Pragmas(ask) => ask.answer = Some(super::connection::Pragmas::read(self.conn)?),
            Request::Close(ask) => ask.answer = Some(()),
            Request::Wake | Request::Stop => {}
        }
        self.follow_up()
    }

    /// The workers' rows have changed.
    pub(super) fn workers_changed(&mut self) {
        self.knowledge = None;
        self.listed.clear();
    }
}
