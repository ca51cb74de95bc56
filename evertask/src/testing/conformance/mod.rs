//! What every store must do, as one suite: a backend passes all of it, unchanged.
//!
//! A case is a function of a [`Bench`], by area; [`crate::testing::conformance!`] makes one test of each.
//! After each case the store's own check of its invariants must find nothing. No case sleeps: it waits for
//! a delivery or an answer, and moves the clock.
//!
//! The suite leans on this order: whatever was asked of a store first is done, and delivered, before a verb
//! of the same caller that was asked later is answered.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::schedule::Clock;
use crate::store::{Store, StoreError};

use super::ManualClock;

mod ageing;
mod bench;
mod cancel;
mod cancel_runs;
mod cases;
mod claim;
mod close;
mod deadline;
mod discard;
mod dispatch;
mod each;
mod earlier;
mod fences;
mod follow;
mod handover;
mod joins;
mod joins_many;
mod keys;
mod keys_policies;
mod letters;
mod letters_runs;
mod limits_rate;
mod limits_slots;
mod parking;
mod parts;
mod pause;
mod queues;
mod queues_rate;
mod races;
mod reads;
mod recovery;
mod renamed;
mod resilience_cases;
mod retention;
mod run_cases;
mod runs;
mod schedules;
mod settle;
mod signals;
mod subruns;
mod subruns_undo;
mod terms;
mod time;
mod undo;
mod undo_resume;
mod visits;
mod worker;

pub use bench::Bench;
pub use cases::CASES;
pub use worker::TestWorker;

/// The longest that a case may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// A kind of store, for the suite: how an empty one is opened.
pub trait Backend {
    /// Opens an empty store that takes the time from this clock.
    fn open(&self, clock: Arc<dyn Clock>) -> impl Future<Output = Opened> + Send;
}

impl<F, Opening> Backend for F
where
    F: Fn(Arc<dyn Clock>) -> Opening,
    Opening: Future<Output = Opened> + Send,
{
    fn open(&self, clock: Arc<dyn Clock>) -> impl Future<Output = Opened> + Send {
        self(clock)
    }
}

/// A store that was opened for one case.
pub struct Opened {
    store: Arc<dyn Store>,
    keep: Box<dyn Any + Send>,
}

impl Opened {
    /// A store, and what it needs for as long as it is open: a folder, say.
    pub fn with(store: impl Store, keep: impl Any + Send) -> Self {
        Self { store: Arc::new(store), keep: Box::new(keep) }
    }
}

impl<S: Store> From<S> for Opened {
    fn from(store: S) -> Self {
        Self::with(store, ())
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

/// One thing that a store must do.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it is about.
    pub area: &'static str,
    /// What must be so.
    pub name: &'static str,
    /// Shows that it is so.
    pub run: fn(Bench) -> Pin<Box<dyn Future<Output = ()>>>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.area, self.name)
    }
}

/// Runs one case on an empty store of this kind, on a runtime of its own. It panics where the store is wrong.
pub fn check(area: &str, name: &str, backend: &impl Backend) {
    let case = CASES.iter().find(|case| case.area == area && case.name == name).expect("the case is listed");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let clock = ManualClock::new();
        let Opened { store, keep } = backend.open(Arc::new(clock.clone())).await;
        let bench = Bench { store, clock };
        let in_time = tokio::time::timeout(PATIENCE, (case.run)(bench.clone())).await;
        assert!(in_time.is_ok(), "the case took longer than {PATIENCE:?}");
        match bench.store.verify().await {
            Ok(violations) => assert!(violations.is_empty(), "the invariants do not hold: {violations:#?}"),
            // The cases about closing leave nothing to be asked.
            Err(StoreError::Closed) => assert_eq!(area, "close", "the store closed by itself"),
            Err(error) => panic!("the invariants can't be checked: {error}"),
        }
        drop(bench);
        drop(keep);
    });
}

/// Makes one test of each case of the suite.
///
/// `evertask::testing::conformance!(memory, open)`: the name of the module that it makes, and a function of
/// the module that it is called in, from an `Arc<dyn Clock>` to an [`Opened`](conformance::Opened) store.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance {
    ($name:ident, $open:ident) => {
        $crate::__conformance_cases! { tests $name $open }
    };
    (tests $name:ident $open:ident { $($area:ident { $($case:ident),* $(,)? })* }) => {
        mod $name {
            $(mod $area {
                $(#[test]
                fn $case() {
                    $crate::testing::conformance::check(stringify!($area), stringify!($case), &super::super::$open);
                })*
            })*
        }
    };
    (list { $($area:ident { $($case:ident),* $(,)? })* }) => {
        &[$($($crate::testing::conformance::Case {
            area: stringify!($area),
            name: stringify!($case),
            run: |bench| Box::pin(super::$area::$case(bench)),
        }),*),*]
    };
}
