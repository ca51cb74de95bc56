//! What the stores with a writer of their own share: how it is asked ([`mailbox`]) and what ([`request`]), whom it
//! serves ([`fleet`]), whether it waits a moment for more ([`linger`]), what follows once it is on disk ([`effects`]), and
//! who waits for what it ends ([`wait`]).

pub(crate) mod effects;
pub(crate) mod fleet;
pub(crate) mod linger;
pub(crate) mod mailbox;
pub(crate) mod request;
pub(crate) mod wait;
