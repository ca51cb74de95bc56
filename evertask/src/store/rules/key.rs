//! What happens when the key of new work is taken.

use crate::schedule::Timestamp;
use crate::store::{OnKey, TaskState, Wait};

/// What becomes of the new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is not added: whoever has the key is given back.
    Given,
    /// It is not added, and what it says takes the place of what was said.
    Replaces,
    /// It is not added, and a dispatch of it is an error.
    Refused,
    /// It is added, and has the key from now on.
    Renews,
}

/// What becomes of new work with this policy whose key other work has, that was added then.
pub(crate) fn taken(policy: OnKey, created_at: Timestamp, now: Timestamp, replaceable: bool) -> Taken {
    match policy {
        OnKey::Replace if replaceable => Taken::Replaces,
        OnKey::Return | OnKey::Replace => Taken::Given,
        OnKey::Refuse => Taken::Refused,
        OnKey::Renew(window) if now < created_at.plus(window) => Taken::Given,
        OnKey::Renew(_) => Taken::Renews,
    }
}

/// Whether a task can still be replaced: it was never claimed, and nobody wants it gone.
pub(crate) const fn is_replaceable(state: TaskState, wait: Option<Wait>, fence: i64, cancel_requested: bool) -> bool {
    let waits = match (state, wait) {
        (TaskState::Ready, _) => true,
        (TaskState::Waiting, wait) => !matches!(wait, Some(Wait::Undo)),
        _ => false,
    };
    waits && fence == 0 && !cancel_requested
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_policy_has_its_answer() {
        let (then, now) = (Timestamp::from_millis(1_000), Timestamp::from_millis(3_000));
        let answer = |policy| taken(policy, then, now, true);
        assert_eq!(answer(OnKey::Return), Taken::Given);
        assert_eq!(answer(OnKey::Replace), Taken::Replaces);
        assert_eq!(taken(OnKey::Replace, then, now, false), Taken::Given);
        assert_eq!(answer(OnKey::Refuse), Taken::Refused);
        assert_eq!(answer(OnKey::Renew(Duration::from_millis(2_001))), Taken::Given);
        assert_eq!(answer(OnKey::Renew(Duration::from_secs(2))), Taken::Renews);
        assert_eq!(answer(OnKey::Renew(Duration::MAX)), Taken::Given);
    }

    #[test]
    fn what_has_begun_is_not_replaced() {
        assert!(is_replaceable(TaskState::Ready, None, 0, false));
        assert!(is_replaceable(TaskState::Waiting, Some(Wait::Slot), 0, false));
        assert!(!is_replaceable(TaskState::Waiting, Some(Wait::Undo), 0, false));
        assert!(!is_replaceable(TaskState::Ready, None, 1, false));
        assert!(!is_replaceable(TaskState::Ready, None, 0, true));
        for state in [TaskState::Running, TaskState::Parked, TaskState::Succeeded, TaskState::Cancelled] {
            assert!(!is_replaceable(state, None, 0, false));
        }
    }
}
