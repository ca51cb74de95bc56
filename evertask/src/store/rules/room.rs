//! Whether a queue takes what is dispatched to it.

use crate::store::{QueueRules, QueueState, StoreError};

/// What one dispatch would add to a queue: how many tasks, and how many of them are due now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) tasks: u64,
    pub(crate) due: u64,
}

/// Why the queue does not take it, if it does not. `waiting` are the tasks that are due in it and wait for a slot.
pub(crate) fn refusal(
    queue: &str,
    state: QueueState,
    rules: &QueueRules,
    waiting: u64,
    load: Load,
) -> Option<StoreError> {
    let reason = match (state, rules.depth) {
        _ if load.tasks == 0 => return None,
        (QueueState::Draining, _) => "it is being drained".to_owned(),
        (_, Some(depth)) if load.due > 0 && waiting.saturating_add(load.due) > u64::from(depth) => {
            format!("{waiting} of {depth} tasks wait in it, and these are {} more", load.due)
        }
        _ => return None,
    };
    Some(StoreError::QueueFull { queue: queue.to_owned(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_must_fit_and_a_drained_queue_takes_nothing() {
        let rules = QueueRules { depth: Some(3), ..QueueRules::default() };
        let load = |tasks, due| Load { tasks, due };
        let refused = |state, waiting, load| refusal("mail", state, &rules, waiting, load).is_some();
        assert!(!refused(QueueState::Open, 1, load(2, 2)));
        assert!(refused(QueueState::Open, 2, load(2, 2)));
        assert!(refused(QueueState::Paused, 3, load(1, 1)));
        assert!(!refused(QueueState::Open, 9, load(4, 0)), "what is due later is not counted");
        assert!(refused(QueueState::Draining, 0, load(1, 0)));
        assert!(!refused(QueueState::Draining, 9, load(0, 0)), "nothing new is no load");
        assert!(refusal("mail", QueueState::Open, &QueueRules::default(), u64::MAX, load(9, 9)).is_none());
    }
}
