//! The order of claims within a queue: the time when a task is due, less a head start for its priority.

use std::time::Duration;

use crate::schedule::Timestamp;
use crate::store::QueueRules;

/// The longest ageing that is told apart, in milliseconds: with it, the highest priority still fits.
const MOST_AGEING: i64 = i64::MAX / (1 << 17);

/// The rank of a task that gets ready: the lowest is claimed first. A level of priority is a head start of
/// one `ageing`, so that what waits gets its turn, whatever comes after it.
pub(crate) fn rank(run_at: Timestamp, priority: i16, ageing: Option<Duration>) -> i64 {
    run_at.as_millis().saturating_sub(i64::from(priority) * ageing_millis(ageing))
}

/// What a level of priority is worth, in milliseconds.
pub(crate) fn ageing_millis(ageing: Option<Duration>) -> i64 {
    let millis = ageing.unwrap_or(QueueRules::AGEING).as_millis();
    i64::try_from(millis).unwrap_or(MOST_AGEING).min(MOST_AGEING)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_level_of_priority_is_a_head_start_of_one_ageing() {
        assert_eq!(rank(at(1_000), 0, None), 1_000);
        assert_eq!(rank(at(120_001), 2, None), 1);
        assert_eq!(rank(at(1_000), -1, Some(Duration::from_millis(5))), 1_005);
        assert_eq!(rank(at(1_000), 9, Some(Duration::ZERO)), 1_000, "without ageing it is the time alone");
    }

    #[test]
    fn a_head_start_for_ever_is_a_strict_order() {
        let rank = |run_at, priority| rank(at(run_at), priority, Some(Duration::MAX));
        let now = 1_767_225_600_000;
        assert!(rank(now * 2, 1) < rank(0, 0));
        assert!(rank(now, i16::MAX) < rank(now, i16::MAX - 1));
        assert!(rank(now, i16::MIN) > rank(now, i16::MIN + 1));
    }

    #[test]
    fn the_ends_of_the_calendar_stay_apart_from_the_rest() {
        assert_eq!(rank(at(i64::MAX), -5, None), i64::MAX);
        assert_eq!(rank(at(i64::MIN), 5, None), i64::MIN);
    }
}
