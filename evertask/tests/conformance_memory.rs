//! The in-memory store passes the conformance suite.

use std::sync::Arc;

use evertask::Clock;
use evertask::store::MemoryStore;
use evertask::testing::conformance::Opened;

async fn open(clock: Arc<dyn Clock>) -> Opened {
    MemoryStore::new(clock).into()
}

evertask::testing::conformance!(memory, open);
