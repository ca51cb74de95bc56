//! What a dispatch says of how its work runs, and what the store gets of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::LimitKeys;
use crate::payload::CodecError;
use crate::schedule::{Retry, Timestamp};
use crate::store::{OnKey, Terms};
use crate::task::TaskOptions;

/// What most dispatches do not say, apart so that a draft stays small.
#[derive(Debug, Clone, Default)]
pub(crate) struct DraftTerms {
    pub(crate) on_key: OnKey,
    pub(crate) deadline: Option<Duration>,
    pub(crate) own: Own,
}

/// What a task's dispatch said to its worker. It is stored as JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Own {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry: Option<Retry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<Duration>,
    /// The slot of the schedule that it is an occurrence of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) occurrence: Option<Timestamp>,
}

const OWN: &str = "the options of its dispatch";

impl Own {
    pub(crate) fn encode(&self) -> Result<Option<Vec<u8>>, CodecError> {
        if *self == Self::default() {
            return Ok(None);
        }
        let encoded = serde_json::to_vec(self);
        encoded.map(Some).map_err(|error| CodecError::Encode { what: OWN, reason: error.to_string() })
    }

    pub(crate) fn decode(stored: Option<&[u8]>) -> Result<Self, CodecError> {
        let Some(stored) = stored else { return Ok(Self::default()) };
        serde_json::from_slice(stored).map_err(|error| CodecError::Decode { what: OWN, reason: error.to_string() })
    }
}

impl DraftTerms {
    /// Of a run, what its first task gets of this.
    pub(crate) fn of_first_step(&self) -> Self {
        Self { own: Own { timeout: None, ..self.own.clone() }, ..Self::default() }
    }

    /// The longest that a run may take.
    pub(crate) fn of_run(&self) -> Option<Duration> {
        self.deadline.into_iter().chain(self.own.timeout).min()
    }
}

/// What the store gets of a task and its payload, if nobody said more.
pub(crate) fn declared(options: &TaskOptions, name: &str, keys: &LimitKeys) -> Option<Box<Terms>> {
    if options.deadline.is_none() && options.rate_limit.is_none() && options.concurrency.is_none() {
        return None;
    }
    let (rate, slots) = options.limits(name, keys);
    boxed(Terms { deadline: options.deadline, rate, slots, ..Terms::default() })
}

/// What the store gets of a task, its payload and its dispatch.
pub(crate) fn terms(
    options: &TaskOptions,
    name: &str,
    keys: &LimitKeys,
    said: Option<Box<DraftTerms>>,
) -> Result<Option<Box<Terms>>, CodecError> {
    let declared = declared(options, name, keys);
    let Some(said) = said else { return Ok(declared) };
    let declared = declared.map_or_else(Terms::default, |terms| *terms);
    let (own, deadline) = (said.own.encode()?, said.deadline.or(declared.deadline));
    Ok(boxed(Terms { on_key: said.on_key, deadline, own, ..declared }))
}

fn boxed(terms: Terms) -> Option<Box<Terms>> {
    (terms != Terms::default()).then(|| Box::new(terms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_said_is_not_stored() {
        assert_eq!(Own::default().encode(), Ok(None));
        let keys = LimitKeys::default();
        assert_eq!(terms(&TaskOptions::DEFAULT, "mail", &keys, None), Ok(None));
        assert_eq!(terms(&TaskOptions::DEFAULT, "mail", &keys, Some(Box::default())), Ok(None));
    }

    #[test]
    fn what_was_said_is_read_back_and_beats_the_task() {
        let own = Own { retry: Some(Retry::NONE), timeout: Some(Duration::from_secs(3)), occurrence: None };
        let stored = own.encode().ok().flatten();
        assert_eq!(Own::decode(stored.as_deref()), Ok(own.clone()));
        assert!(Own::decode(Some(b"[]7")).is_err());
        let said = DraftTerms { deadline: Some(Duration::from_secs(5)), own, ..DraftTerms::default() };
        let options = TaskOptions { deadline: Some(Duration::from_mins(1)), ..TaskOptions::DEFAULT };
        let given = terms(&options, "mail", &LimitKeys::default(), Some(Box::new(said))).ok().flatten();
        assert_eq!(given.map(|terms| (terms.deadline, terms.own)), Some((Some(Duration::from_secs(5)), stored)));
    }
}
