//! What tests of evertask and of its users need: a clock moved by hand, the suite that every store passes,
//! and named crash points.

mod clock;
pub mod conformance;
#[cfg(feature = "sqlite")]
mod crash;

pub use crate::__conformance as conformance;
pub use clock::ManualClock;
#[cfg(feature = "sqlite")]
pub use crash::CRASH_POINTS;
#[cfg(feature = "sqlite")]
pub(crate) use crash::crash_point;
