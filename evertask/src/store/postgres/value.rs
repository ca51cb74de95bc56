//! How our values are columns.

use std::borrow::Cow;

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::fault::{Fault, Outcome};
use crate::failure::FailureReport;
use crate::schedule::Timestamp;
use crate::store::{Got, ParkReason, RunState, TaskState, Wait};

/// What stands for a NUL, and before itself: PostgreSQL keeps every character in a text but that one. It is in
/// Unicode's private use area, where no text has any business.
const ESCAPE: char = '\u{f8fe}';

/// Texts as they are stored.
pub(super) fn names<'t>(names: impl IntoIterator<Item = &'t str>) -> Vec<String> {
    names.into_iter().map(|name| text(name).into_owned()).collect()
}

/// A text as it is stored.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    let mut stored = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => stored.extend([ESCAPE, '0']),
            ESCAPE => stored.extend([ESCAPE, ESCAPE]),
            other => stored.push(other),
        }
    }
    Cow::Owned(stored)
}

/// The text that was stored.
pub(super) fn given(stored: &str) -> String {
    let mut text = String::with_capacity(stored.len());
    let mut characters = stored.chars();
    while let Some(character) = characters.next() {
        match character {
            ESCAPE if characters.clone().next() == Some('0') => {
                characters.next();
                text.push('\0');
            }
            ESCAPE => text.extend(characters.next()),
            other => text.push(other),
        }
    }
    text
}

/// A text that a column holds.
pub(super) fn string(row: &PgRow, column: usize) -> Outcome<String> {
    Ok(given(row.try_get(column)?))
}

/// A text that a column may hold.
pub(super) fn optional_string(row: &PgRow, column: usize) -> Outcome<Option<String>> {
    Ok(row.try_get::<Option<&str>, _>(column)?.map(given))
}

/// An id that a column holds.
pub(super) fn id<T: From<Uuid>>(row: &PgRow, column: usize) -> Outcome<T> {
    Ok(row.try_get::<Uuid, _>(column)?.into())
}

/// An id that a column may hold.
pub(super) fn optional_id<T: From<Uuid>>(row: &PgRow, column: usize) -> Outcome<Option<T>> {
    Ok(row.try_get::<Option<Uuid>, _>(column)?.map(Into::into))
}

/// A count that a column holds; they are never negative.
pub(super) fn count(row: &PgRow, column: usize) -> Outcome<u32> {
    Ok(u32::try_from(row.try_get::<i32, _>(column)?).unwrap_or(0))
}

/// A time that a column may hold.
pub(super) fn time(row: &PgRow, column: usize) -> Outcome<Option<Timestamp>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Timestamp::from_millis))
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
pub(super) fn wait(row: &PgRow, column: usize) -> Outcome<Option<Wait>> {
    let Some(text) = row.try_get::<Option<&str>, _>(column)? else { return Ok(None) };
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
pub(super) fn got(row: &PgRow, column: usize) -> Outcome<Option<Got>> {
    let text = row.try_get::<Option<&str>, _>(column)?;
    let all = [Got::Signal, Got::Nothing, Got::Run, Got::Join];
    Ok(text.and_then(|text| all.into_iter().find(|&got| got_as_str(got) == text)))
}

/// A report as it is stored. JSON escapes what a text can't hold.
pub(super) fn encode(report: &FailureReport) -> Outcome<String> {
    Ok(serde_json::to_string(report)?)
}

/// A report that a column may hold.
pub(super) fn report(row: &PgRow, column: usize) -> Outcome<Option<FailureReport>> {
    match row.try_get::<Option<&str>, _>(column)? {
        Some(text) => Ok(Some(serde_json::from_str(text)?)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_none_has_a_nul() {
        for one in ["", "plain \\0", "a\0b", "\u{f8fe}", "\u{f8fe}0", "\0\u{f8fe}\u{f8fe}0\0"] {
            assert!(!text(one).contains('\0'));
            assert_eq!(given(&text(one)), one);
        }
        assert!(matches!(text("plain"), Cow::Borrowed("plain")));
    }
}
