//! What an error says about another attempt.

use std::time::Duration;

/// Whether an attempt that failed is repeated, and when.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum RetryAdvice {
    /// As its `retry` says.
    #[default]
    Usual,
    /// Not at all, however many attempts are left.
    Never,
    /// After this pause instead of the usual one, as a `Retry-After` says. It is one of the attempts that `retry`
    /// allows, like any other.
    After(Duration),
}

/// `true` is the usual pause, `false` is never.
impl From<bool> for RetryAdvice {
    fn from(again: bool) -> Self {
        if again { Self::Usual } else { Self::Never }
    }
}

/// An error that says itself whether and when the attempt is repeated.
///
/// `#[task]` finds it on the task's error type by itself; a `retry_if` on the task is asked instead of it.
///
/// ```
/// use std::time::Duration;
/// use evertask::{RetryAdvice, RetryHint, prelude::*};
///
/// #[derive(Debug)]
/// enum HttpError {
///     Status(u16),
///     Busy { retry_after: Duration },
/// }
///
/// impl std::fmt::Display for HttpError {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         write!(f, "{self:?}")
///     }
/// }
///
/// impl RetryHint for HttpError {
///     fn retry(&self) -> RetryAdvice {
///         match self {
///             Self::Status(status) => (*status >= 500).into(),
///             Self::Busy { retry_after } => RetryAdvice::After(*retry_after),
///         }
///     }
/// }
///
/// #[task(retry(times = 5))]
/// async fn fetch(url: String) -> Result<(), HttpError> {
///     Err(if url.is_empty() { HttpError::Status(404) } else { HttpError::Busy { retry_after: Duration::from_secs(9) } })
/// }
///
/// assert_eq!(fetch::retry_advice(&HttpError::Status(404)), RetryAdvice::Never);
/// ```
pub trait RetryHint {
    /// Whether and when.
    fn retry(&self) -> RetryAdvice;
}
