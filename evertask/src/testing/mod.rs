//! What tests of evertask and of its users need: a clock moved by hand, the suite that every store passes,
//! and named crash points.

mod clock;
pub mod conformance;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod crash;

#[cfg(all(feature = "postgres", unix))]
pub mod postgres;

pub use crate::__conformance as conformance;
pub use clock::ManualClock;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use crash::CRASH_POINTS;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use crash::crash_point;
