//! How an attempt runs. The nearest word wins: that of the dispatch, then the task's, then its queue's.

use std::time::Duration;

use crate::advice::RetryAdvice;
use crate::failure::Cause;
use crate::id::TaskId;
use crate::schedule::{Retry, Timestamp};
use crate::task::TaskOptions;
use crate::terms::Own;

/// How an attempt runs.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    timeout: Option<Duration>,
    retry: Retry,
    deadline: Option<Timestamp>,
}

impl Manner {
    pub(super) fn of(own: &Own, task: &TaskOptions, queue: Option<&Retry>, deadline: Option<Timestamp>) -> Self {
        let retry = own.retry.or(task.retry).or(queue.copied()).unwrap_or(Retry::NONE);
        Self { timeout: own.timeout.or(task.timeout), retry, deadline }
    }

    /// Whether the deadline has passed: no handler is called any more.
    pub(super) fn is_late(&self, now: Timestamp) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// The longest that an attempt which begins now may take.
    pub(super) fn limit(&self, now: Timestamp) -> Option<Duration> {
        self.timeout.into_iter().chain(self.left(now)).min()
    }

    /// Why an attempt that took so long is over: its own time, or that of the task.
    pub(super) fn too_slow<E>(&self, limit: Duration) -> Cause<E> {
        if self.timeout == Some(limit) { Cause::TimedOut(limit) } else { Cause::DeadlinePassed }
    }

    /// The pause before the next attempt, if there is one. One that would begin too late is not made.
    pub(super) fn again(&self, failures: u32, id: TaskId, advice: RetryAdvice, now: Timestamp) -> Option<Duration> {
        let usual = self.retry.after(failures, id)?;
        let pause = match advice {
            RetryAdvice::Usual => usual,
            RetryAdvice::After(pause) => pause,
            RetryAdvice::Never => return None,
        };
        (!self.is_late(now.plus(pause))).then_some(pause)
    }

    fn left(&self, now: Timestamp) -> Option<Duration> {
        self.deadline.map(|deadline| now.until(deadline))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Backoff;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn retry(times: u32) -> Retry {
        Retry { times, backoff: Backoff::Fixed(Duration::from_secs(1)) }
    }

    fn manner(timeout: Option<u64>, deadline: Option<u64>) -> Manner {
        let deadline = deadline.map(|seconds| NOW.plus(Duration::from_secs(seconds)));
        Manner { timeout: timeout.map(Duration::from_secs), retry: retry(2), deadline }
    }

    #[test]
    fn the_nearest_word_wins() {
        let task = TaskOptions { retry: Some(retry(2)), timeout: Some(Duration::from_secs(2)), ..TaskOptions::DEFAULT };
        let own = Own { retry: Some(retry(3)), timeout: Some(Duration::from_secs(3)), occurrence: None };
        let (queue, times) = (retry(1), |own, task, queue| Manner::of(&own, task, queue, None).retry.times);
        assert_eq!(times(own.clone(), &task, Some(&queue)), 3);
        assert_eq!(times(Own::default(), &task, Some(&queue)), 2);
        assert_eq!(times(Own::default(), &TaskOptions::DEFAULT, Some(&queue)), 1);
        assert_eq!(times(Own::default(), &TaskOptions::DEFAULT, None), 0);
        assert_eq!(Manner::of(&own, &task, None, None).timeout, Some(Duration::from_secs(3)));
        assert_eq!(Manner::of(&Own::default(), &task, None, None).timeout, Some(Duration::from_secs(2)));
    }

    #[test]
    fn an_attempt_has_its_own_time_and_no_more_than_is_left() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(manner(None, None).limit(NOW), None);
        assert_eq!(manner(Some(5), Some(9)).limit(NOW), seconds(5));
        assert_eq!(manner(Some(5), Some(3)).limit(NOW), seconds(3));
        let cause = |limit| manner(Some(5), Some(3)).too_slow::<String>(Duration::from_secs(limit));
        assert_eq!((cause(3), cause(5)), (Cause::DeadlinePassed, Cause::TimedOut(Duration::from_secs(5))));
        assert!(manner(None, Some(0)).is_late(NOW) && !manner(None, Some(1)).is_late(NOW));
    }

    #[test]
    fn advice_replaces_the_pause_and_never_the_count() {
        let again = |manner: Manner, failures, advice| manner.again(failures, TaskId::new(), advice, NOW);
        let after = |seconds| RetryAdvice::After(Duration::from_secs(seconds));
        assert_eq!(again(manner(None, None), 1, RetryAdvice::Usual), Some(Duration::from_secs(1)));
        assert_eq!(again(manner(None, None), 2, after(60)), Some(Duration::from_mins(1)));
        assert_eq!(again(manner(None, None), 3, after(60)), None);
        assert_eq!(again(manner(None, None), 1, RetryAdvice::Never), None);
        assert_eq!(again(manner(None, Some(60)), 1, after(60)), None);
        assert_eq!(again(manner(None, Some(61)), 1, after(60)), Some(Duration::from_mins(1)));
    }
}
