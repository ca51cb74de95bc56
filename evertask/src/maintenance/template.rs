//! What a schedule starts, as it is stored: a payload and the options of a dispatch.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::id::occurrence;
use crate::payload::CodecError;
use crate::registry::Prepare;
use crate::schedule::Timestamp;
use crate::store::{NewWork, ScheduleRecord};
use crate::terms::{DraftTerms, Own};
use crate::workflow::Draft;

/// What a schedule starts.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Template {
    payload: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    priority: Option<i16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<Duration>,
    #[serde(default)]
    own: Own,
    /// Whether it is the schedule of a declaration, which goes with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    declared: bool,
}

impl Template {
    /// With this payload, and what a dispatch said.
    pub(crate) fn new(payload: Vec<u8>, draft: Draft) -> Result<Self, CodecError> {
        let not_json = |reason: String| CodecError::Encode { what: "the payload of a schedule", reason };
        let payload = String::from_utf8(payload).map_err(|error| not_json(error.to_string()))?;
        let payload = RawValue::from_string(payload).map_err(|error| not_json(error.to_string()))?;
        let DraftTerms { deadline, own, .. } = draft.terms.map_or_else(DraftTerms::default, |terms| *terms);
        let (queue, priority, correlation) = (draft.queue, draft.priority, draft.correlation);
        Ok(Self { payload, queue, priority, correlation, deadline, own, declared: false })
    }

    /// As that of a declaration.
    pub(super) fn declared(self) -> Self {
        Self { declared: true, ..self }
    }

    pub(super) fn is_declared(&self) -> bool {
        self.declared
    }

    /// The occurrence of a slot. Its id follows from the schedule and the slot.
    pub(super) fn work(
        &self,
        schedule: &ScheduleRecord,
        slot: Timestamp,
        run_at: Timestamp,
        prepare: Prepare,
    ) -> Result<NewWork, CodecError> {
        let id = occurrence(&schedule.id, schedule.created_at.as_millis(), slot.as_millis());
        self.with_id(id, slot, run_at, prepare)
    }

    /// One that is started by hand, beside the slots.
    pub(crate) fn by_hand(&self, now: Timestamp, prepare: Prepare) -> Result<NewWork, CodecError> {
        self.with_id(Uuid::now_v7(), now, now, prepare)
    }

    fn with_id(&self, id: Uuid, slot: Timestamp, run_at: Timestamp, prepare: Prepare) -> Result<NewWork, CodecError> {
        let own = Own { occurrence: Some(slot), ..self.own.clone() };
        let draft = Draft {
            id,
            at: Some(run_at),
            priority: self.priority,
            queue: self.queue.clone(),
            correlation: self.correlation.clone(),
            terms: Some(Box::new(DraftTerms { deadline: self.deadline, own, ..DraftTerms::default() })),
            ..Draft::default()
        };
        prepare(self.payload.get().as_bytes(), draft)
    }
}
