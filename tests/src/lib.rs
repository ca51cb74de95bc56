//! Whole programs under test: what they run, the processes that run it, and the checker that proves from the
//! outside that nothing was lost or doubled.
//!
//! [`laps`] are the tasks and [`courses`] the workflows; each lap of a course has an end that is known before.
//! [`ledger`] are tasks that write beside the store.
//! [`faults`] are tasks that do harm, [`constructs`] a course for each word of the language, and [`beats`] schedules.
//! [`witness`] is the file that handlers write to, which no database transaction can take back. [`process`]
//! starts and ends the programs, [`check`] compares what they left with the same laps on the memory store,
//! [`history`] is what the database's own triggers saw, [`door`] counts who tries to reach a server that is down,
//! [`chorus`] is a workflow with a join of eight, and [`wal`] reads SQLite's write-ahead log frame by frame.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

pub mod beats;
pub mod check;
pub mod chorus;
pub mod constructs;
pub mod courses;
#[cfg(unix)]
pub mod door;
pub mod faults;
pub mod history;
pub mod laps;
pub mod ledger;
pub mod pgbouncer;
pub mod process;
pub mod proxy;
pub mod record;
pub mod refusing;
pub mod wal;
pub mod warnings;
pub mod witness;

/// A number that looks random and depends on the seed alone.
pub fn dice(seed: u64, throw: u64) -> u64 {
    let mut mixed = seed.wrapping_add(throw.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// How many rounds a test makes: `EVERTASK_ROUNDS`, or what is given.
pub fn rounds(otherwise: u32) -> u32 {
    std::env::var("EVERTASK_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(otherwise)
}

/// Whether a test takes its time: `EVERTASK_FULL` is set.
pub fn full() -> bool {
    std::env::var_os("EVERTASK_FULL").is_some()
}

/// The seed of a test: `EVERTASK_SEED`, or the time. A test prints it.
pub fn seed() -> u64 {
    let given = std::env::var("EVERTASK_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        u64::from(now.subsec_nanos()) ^ now.as_secs()
    })
}
