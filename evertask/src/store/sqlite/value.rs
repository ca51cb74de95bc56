//! How our values are columns.

use rusqlite::Row;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use uuid::Uuid;

use super::fault::{Fault, Outcome};
use crate::failure::FailureReport;
use crate::store::{Got, ParkReason, RunState, TaskState, Wait};

/// An id, as 16 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Id(pub(super) Uuid);

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

/// An id that a column holds.
pub(super) fn id<T: From<Uuid>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    row.get::<_, Id>(column).map(|id| id.0.into())
}

/// An id that a column may hold.
pub(super) fn optional_id<T: From<Uuid>>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    Ok(row.get::<_, Option<Id>>(column)?.map(|id| id.0.into()))
}

/// A state of a task.
pub(super) fn task_state(text: &str) -> Outcome<TaskState> {
    let state = TaskState::ALL.into_iter().find(|state| state.as_str() == text);
    state.ok_or_else(|| Fault::Value(format!("`{text}` is no state of a task")))
}

/// A state of a run.
pub(super) fn run_state(text: &str) -> Outcome<RunState> {
    let state = RunState::ALL.into_iter().find(|state| state.as_str() == text);
    state.ok_or_else(|| Fault::Value(format!("`{text}` is no state of a run")))
}

/// A reason to park.
pub(super) fn park_reason(text: &str) -> Outcome<ParkReason> {
    let all = [ParkReason::UnknownTask, ParkReason::UnknownStep, ParkReason::Undecodable];
    let reason = all.into_iter().find(|reason| reason.as_str() == text);
    reason.ok_or_else(|| Fault::Value(format!("`{text}` is no reason to park")))
}

/// What a task waits for, if it does.
pub(super) fn wait(row: &Row<'_>, column: usize) -> Outcome<Option<Wait>> {
    let Some(text) = row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)? else { return Ok(None) };
    let all = [Wait::Signal, Wait::Turn, Wait::Undo, Wait::Run, Wait::Pause, Wait::Slot];
    let wait = all.into_iter().find(|wait| wait.as_str() == text);
    wait.map(Some).ok_or_else(|| Fault::Value(format!("`{text}` is nothing to wait for")))
}

/// What a task waited for, as it is stored.
pub(super) const fn got_as_str(got: Got) -> &'static str {
    match got {
        Got::Signal => "signal",
        Got::Nothing => "nothing",
        Got::Run => "run",
        Got::Join => "join",
    }
}

/// What a task waited for, if it has got it.
pub(super) fn got(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Got>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    let all = [Got::Signal, Got::Nothing, Got::Run, Got::Join];
    Ok(text.and_then(|text| all.into_iter().find(|&got| got_as_str(got) == text)))
}

/// A report as it is stored.
pub(super) fn encode(report: &FailureReport) -> Outcome<String> {
    Ok(serde_json::to_string(report)?)
}

/// A report that a column may hold.
pub(super) fn report(row: &Row<'_>, column: usize) -> Outcome<Option<FailureReport>> {
    match row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from)? {
        Some(text) => Ok(Some(serde_json::from_str(text)?)),
        None => Ok(None),
    }
}
