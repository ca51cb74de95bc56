//! The floor: what a good engineer writes by hand in an hour, with the same durability. No retries, no leases, no
//! keys, no names, no cancelling, nobody who waits for an end.

pub(crate) mod postgres;
pub(crate) mod sqlite;
