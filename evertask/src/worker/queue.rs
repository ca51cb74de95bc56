//! How a worker runs one queue, and what it declares for all workers of it.

use crate::duration::{DurationError, IntoDuration};
use crate::rate::{IntoRate, RateError};
use crate::registry::Problem;
use crate::schedule::Retry;
use crate::store::QueueRules;

/// How many tasks of a queue run at once, if nothing is said.
const DEFAULT_CONCURRENCY: u32 = 16;

/// How a worker runs one queue.
///
/// `concurrency` and `retry` are this worker's own. `across_workers`, `rate`, `depth` and `ageing` hold for the queue,
/// whichever worker serves it: they are stored when the worker starts, all of them at once, and the latest worker that
/// says any of them is right. A worker that says none leaves them as they are, and
/// [`limit_queue`](crate::Dispatcher::limit_queue) changes them without one.
///
/// ```
/// use evertask::Queue;
///
/// let mail = Queue::new().concurrency(8).across_workers(20).rate("100/s").depth(1_000);
/// # drop(mail);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    concurrency: u32,
    undeclared: bool,
    retry: Option<Retry>,
    rules: QueueRules,
    mistakes: Vec<Mistake>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Mistake {
    Duration(DurationError),
    Rate(RateError),
}

impl Queue {
    /// 16 tasks at once.
    pub fn new() -> Self {
        let (retry, rules, mistakes) = (None, QueueRules::default(), Vec::new());
        Self { concurrency: DEFAULT_CONCURRENCY, undeclared: false, retry, rules, mistakes }
    }

    /// So many tasks at once on this worker, at least one. A task that waits for a retry, a rate or its key is not among
    /// them.
    #[must_use]
    pub fn concurrency(self, tasks: u32) -> Self {
        Self { concurrency: tasks.max(1), ..self }
    }

    /// How its tasks are tried again that say nothing themselves, on this worker.
    #[must_use]
    pub fn retry(self, retry: Retry) -> Self {
        Self { retry: Some(retry), ..self }
    }

    /// So many tasks at once on all workers together, at least one.
    #[must_use]
    pub fn across_workers(self, tasks: u32) -> Self {
        self.with(|rules| rules.concurrency = Some(tasks.max(1)))
    }

    /// How many of its tasks may start in a time, on all workers together: `"100/s"`, or a
    /// [`Rate`](crate::Rate) with a burst.
    #[must_use]
    pub fn rate(mut self, rate: impl IntoRate) -> Self {
        match rate.into_rate() {
            Ok(rate) => self.with(|rules| rules.rate = Some(rate.burst(rate.burst))),
            Err(mistake) => {
                self.mistakes.push(Mistake::Rate(mistake));
                self
            }
        }
    }

    /// How many of its tasks may be due and wait for a slot. One more is
    /// [`DispatchError::QueueFull`](crate::DispatchError::QueueFull), unless it follows a task, or is due later.
    #[must_use]
    pub fn depth(self, tasks: u32) -> Self {
        self.with(|rules| rules.depth = Some(tasks))
    }

    /// How long a wait is worth one level of priority, so that what is less urgent gets its turn too. A minute if not
    /// said; with zero, priority counts for nothing: first come, first served.
    #[must_use]
    pub fn ageing(mut self, wait: impl IntoDuration) -> Self {
        match wait.into_duration() {
            Ok(wait) => self.with(|rules| rules.ageing = Some(wait)),
            Err(mistake) => {
                self.mistakes.push(Mistake::Duration(mistake));
                self
            }
        }
    }

    /// No task is declared for this queue: work comes to it by `.queue(..)` at its dispatch. Without this
    /// word, a queue that no task names is taken for a slip, and the worker does not start.
    #[must_use]
    pub fn undeclared(self) -> Self {
        Self { undeclared: true, ..self }
    }

    fn with(mut self, set: impl FnOnce(&mut QueueRules)) -> Self {
        set(&mut self.rules);
        self
    }

    pub(super) fn slots(&self) -> u32 {
        self.concurrency
    }

    pub(super) fn is_undeclared(&self) -> bool {
        self.undeclared
    }

    pub(super) fn retries(&self) -> Option<Retry> {
        self.retry
    }

    /// What it declares for all workers, if it declares anything.
    pub(super) fn rules(&self) -> Option<QueueRules> {
        (self.rules != QueueRules::default()).then_some(self.rules)
    }

    pub(super) fn problems(&self, name: &str) -> impl Iterator<Item = Problem> {
        self.mistakes.iter().map(move |mistake| match mistake {
            Mistake::Duration(mistake) => Problem::Setting(mistake.clone()),
            Mistake::Rate(mistake) => Problem::Rate { queue: name.to_owned(), mistake: mistake.clone() },
        })
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::new()
    }
}
