//! Limits that tasks share: how they are declared, and the bucket that a task counts in.

use std::fmt;

use crate::store::{RateLimit, SlotLimit};
use crate::task::TaskOptions;

/// A limit of a task: `rate_limit(..)` or `concurrency(..)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit<N> {
    /// How many.
    pub most: N,
    /// Whether each key has a limit of its own (`key = ..`), or all tasks of the name share one.
    pub keyed: bool,
}

/// The keys of a task with keyed limits, from its payload.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitKeys {
    /// The key of its rate.
    pub rate: Option<String>,
    /// The key of its concurrency.
    pub concurrency: Option<String>,
}

impl<N> Limit<N> {
    /// What a task counts in: its name, and its key if each has a limit of its own.
    fn bucket(&self, name: &str, key: Option<&String>) -> Option<String> {
        // Nobody's task has a line break in its name.
        if self.keyed { key.map(|key| format!("{name}\n{key}")) } else { Some(name.to_owned()) }
    }
}

impl TaskOptions {
    /// The limits of a task with these keys. A keyed limit without its key is none: the payload is not known yet.
    pub(crate) fn limits(&self, name: &str, keys: &LimitKeys) -> (Option<RateLimit>, Option<SlotLimit>) {
        let rate = self
            .rate_limit
            .as_ref()
            .and_then(|limit| Some(RateLimit { bucket: limit.bucket(name, keys.rate.as_ref())?, rate: limit.most }));
        let slots = self.concurrency.as_ref().and_then(|limit| {
            Some(SlotLimit { bucket: limit.bucket(name, keys.concurrency.as_ref())?, most: limit.most })
        });
        (rate, slots)
    }
}

/// The key of a limit: whatever shows itself.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be the key of a limit",
    label = "it does not show itself as text",
    note = "tasks with the same text share the limit, so a key implements `Display`"
)]
pub trait LimitKey {
    /// The text.
    fn text(&self) -> String;
}

#[diagnostic::do_not_recommend]
impl<T: fmt::Display + ?Sized> LimitKey for T {
    fn text(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_of_a_name_share_what_has_no_key_and_a_key_has_its_own() {
        let rate = crate::rate::checked("5/s");
        let options = TaskOptions {
            rate_limit: Some(Limit { most: rate, keyed: true }),
            concurrency: Some(Limit { most: 2, keyed: false }),
            ..TaskOptions::DEFAULT
        };
        let slots = Some(SlotLimit { bucket: "mail".into(), most: 2 });
        let keys = LimitKeys { rate: Some("ada".into()), concurrency: None };
        let of_ada = Some(RateLimit { bucket: "mail\nada".into(), rate });
        assert_eq!(options.limits("mail", &keys), (of_ada, slots.clone()));
        assert_eq!(options.limits("mail", &LimitKeys::default()), (None, slots));
        assert_eq!(TaskOptions::DEFAULT.limits("mail", &keys), (None, None));
    }
}
