//! The PostgreSQL store passes the conformance suite: each case in a schema of its own, which is dropped after it.

#![allow(clippy::expect_used)]

use std::sync::Arc;

use evertask::Clock;
use evertask::store::PostgresStore;
use evertask::testing::conformance::Opened;
use evertask::testing::postgres::Schema;

async fn open(clock: Arc<dyn Clock>) -> Opened {
    let schema = Schema::new().expect("a schema");
    let store = PostgresStore::open_with_clock(schema.url(), clock).await.expect("the store opens");
    Opened::with(store, schema)
}

evertask::testing::conformance!(postgres, open);
