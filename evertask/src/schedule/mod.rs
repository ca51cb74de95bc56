//! When work runs: the clock that is passed in, and the pauses between attempts.

pub(crate) mod clock;
pub(crate) mod retry;

pub use clock::{Clock, SystemClock, Timestamp};
pub use retry::{Backoff, Retry};
