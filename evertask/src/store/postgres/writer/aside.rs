//! Requests that wait for a lock of somebody who is no node: a caller whose open transaction has a key, or a handler
//! whose own has ended its task. They wait apart, so that nothing else waits for them.

use std::time::{Duration, Instant};

use super::super::effects::refuse;
use super::super::fault::Fault;
use super::super::request::Request;
use super::Writer;
use crate::store::StoreError;

/// The pause before one is tried again: the first, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Who waits longer is told.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a request has waited, and the pause before it is tried again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waited {
    since: Instant,
    pause: Duration,
}

impl Waited {
    /// It has not, but somebody of its batch has.
    pub(super) fn begin() -> Self {
        Self { since: Instant::now(), pause: PAUSES.0 }
    }

    /// In vain once more. None, when it is enough.
    fn again(self) -> Option<Self> {
        (self.since.elapsed() < PATIENCE).then(|| Self { pause: (self.pause * 2).min(PAUSES.1), ..self })
    }
}

/// Those that wait, each with when it is tried next.
#[derive(Debug, Default)]
pub(super) struct Aside {
    waiting: Vec<(Instant, Waited, Request)>,
}

impl Aside {
    fn put(&mut self, waited: Waited, request: Request) {
        self.waiting.push((Instant::now() + waited.pause, waited, request));
    }

    /// Those that are to be tried now, in the order in which they came.
    fn due(&mut self) -> Vec<(Waited, Request)> {
        let now = Instant::now();
        let mut due: Vec<_> = self.waiting.extract_if(.., |(next, ..)| *next <= now).collect();
        due.sort_by_key(|(_, waited, _)| waited.since);
        due.into_iter().map(|(_, waited, request)| (waited, request)).collect()
    }

    /// When the next one is to be tried.
    pub(super) fn pause(&self) -> Option<Duration> {
        let next = self.waiting.iter().map(|(next, ..)| *next).min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    /// All of them: they wait no more.
    pub(super) fn end(&mut self) -> impl Iterator<Item = Request> {
        self.waiting.drain(..).map(|(.., request)| request)
    }
}

impl Writer {
    /// Tries again what waits for a lock, without waiting for it.
    pub(super) async fn try_aside(&mut self) {
        for (waited, request) in self.aside.due() {
            if self.link.is_none() {
                self.held.push(request);
            } else if let Some((batch, fault)) = self.attempt(vec![request], false, Some(waited)).await {
                self.refuse_all(batch, fault);
            }
        }
    }

    /// A request that a lock kept from being done waits apart. What does not comes back.
    pub(super) fn set_aside(
        &mut self,
        mut batch: Vec<Request>,
        fault: Fault,
        serve: bool,
        waited: Option<Waited>,
    ) -> Option<(Vec<Request>, Fault)> {
        let waited = waited.map_or_else(|| Some(Waited::begin()), Waited::again);
        match (waited, batch.pop()) {
            (Some(waited), Some(request)) if batch.is_empty() && !serve => {
                tracing::debug!(?fault, "a request waits for a transaction of somebody else");
                self.aside.put(waited, request);
                None
            }
            (_, last) => {
                batch.extend(last);
                Some((batch, fault))
            }
        }
    }

    /// Nothing is waited for any more.
    pub(super) fn end_aside(&mut self) {
        let reason = "a transaction of somebody else has what it needs".to_owned();
        for request in self.aside.end() {
            refuse(request, StoreError::Unavailable { reason: reason.clone() }, &self.fleet);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_waits_comes_back_when_it_is_due_and_is_given_up_in_the_end() {
        let mut aside = Aside::default();
        assert_eq!(aside.pause(), None);
        aside.put(Waited::begin(), Request::Wake);
        assert!(aside.pause().is_some_and(|pause| pause <= PAUSES.0));
        aside.waiting[0].0 = Instant::now();
        let (waited, _) = aside.due().remove(0);
        assert_eq!(waited.again().map(|waited| waited.pause), Some(PAUSES.0 * 2));
        if let Some(long_ago) = Instant::now().checked_sub(PATIENCE) {
            assert!(Waited { since: long_ago, ..waited }.again().is_none());
        }
        aside.put(waited, Request::Wake);
        assert!(aside.due().is_empty());
        assert_eq!(aside.end().count(), 1);
    }
}
