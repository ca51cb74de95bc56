//! The SQLite store passes the conformance suite: each case in a folder of its own, which is removed after it.

#![allow(clippy::expect_used)]

use std::sync::Arc;

use evertask::Clock;
use evertask::store::SqliteStore;
use evertask::testing::conformance::Opened;

async fn open(clock: Arc<dyn Clock>) -> Opened {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteStore::open(&folder.path().join("work.db"), clock).expect("the store opens");
    Opened::with(store, folder)
}

evertask::testing::conformance!(sqlite, open);
