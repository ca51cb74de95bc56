//! What the stores with a writer of their own share: what it is asked ([`request`]), whom it serves ([`fleet`]),
//! and who waits for what it ends ([`wait`]).

pub(crate) mod fleet;
pub(crate) mod request;
pub(crate) mod wait;
