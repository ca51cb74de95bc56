//! One connection. It belongs to one task, which waits for each statement to end: nothing is ever abandoned half
//! way, and a connection that does not answer, or was lost, is not used again.

use std::future::Future;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Postgres, Row as _};

use super::clock::DatabaseClock;
use super::fault::{Fault, Outcome};
use super::sql;
use super::url::Place;
use crate::schedule::Timestamp;

/// A statement with its values.
pub(super) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// The longest that the server may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);

/// What holds for each transaction that writes. Plans go by the indexes from the first row on, and are made once;
/// a node that is frozen in the middle of one is thrown out, so that others get its locks.
const WRITES: &[(&str, &str)] = &[
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_bitmapscan", "off"),
    ("jit", "off"),
    ("lock_timeout", "5s"),
    ("statement_timeout", "30s"),
    ("idle_in_transaction_session_timeout", "5s"),
];
/// And for each that reads.
const READS: &[(&str, &str)] =
    &[("jit", "off"), ("statement_timeout", "30s"), ("idle_in_transaction_session_timeout", "5s")];

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Read,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    conn: PgConnection,
    begin: String,
    persistent: bool,
    /// The longest that a statement may go without an answer.
    patience: Duration,
}

impl Link {
    /// Connects, once.
    pub(super) async fn open(place: &Place, purpose: Purpose, patience: Duration) -> Outcome<Self> {
        let mut settings = if purpose == Purpose::Write { WRITES.to_vec() } else { READS.to_vec() };
        if place.durable {
            settings.push(("synchronous_commit", "on"));
        }
        let path = place.quoted_schema();
        let begin = if purpose == Purpose::Write { sql::BEGIN } else { sql::BEGIN_READ };
        let (options, begin) = if place.pooled {
            // Each transaction may be another session: it brings its settings along.
            let mut begin = format!("{begin}; SET LOCAL search_path = {path}");
            for (name, value) in settings {
                begin.extend(["; SET LOCAL ", name, " = '", value, "'"]);
            }
            (place.options.clone(), begin)
        } else {
            let options = place.options.clone().options([("search_path", path.as_str())]);
            (options.options(settings), begin.to_owned())
        };
        let conn = within(CONNECT, options.connect()).await?;
        Ok(Self { conn, begin, persistent: !place.pooled, patience })
    }

    /// A transaction begins.
    pub(super) async fn begin(&mut self) -> Outcome<()> {
        let begin = self.begin.clone();
        self.script(begin).await
    }

    /// Statements without values, in one go.
    pub(super) async fn script(&mut self, script: String) -> Outcome<()> {
        within(self.patience, self.conn.execute(sqlx::raw_sql(AssertSqlSafe(script)))).await?;
        Ok(())
    }

    /// The rows that a statement gives.
    pub(super) async fn all(&mut self, statement: Statement<'_>) -> Outcome<Vec<PgRow>> {
        let statement = statement.persistent(self.persistent);
        within(self.patience, statement.fetch_all(&mut self.conn)).await
    }

    /// The row that a statement gives, if it gives one.
    pub(super) async fn first(&mut self, statement: Statement<'_>) -> Outcome<Option<PgRow>> {
        let statement = statement.persistent(self.persistent);
        within(self.patience, statement.fetch_optional(&mut self.conn)).await
    }

    /// The row that a statement gives.
    pub(super) async fn one(&mut self, statement: Statement<'_>) -> Outcome<PgRow> {
        self.first(statement).await?.ok_or_else(|| Fault::from(sqlx::Error::RowNotFound))
    }

    /// Whether a statement gives a row.
    pub(super) async fn exists(&mut self, statement: Statement<'_>) -> Outcome<bool> {
        Ok(self.first(statement).await?.is_some())
    }

    /// How many rows a statement changes.
    pub(super) async fn execute(&mut self, statement: Statement<'_>) -> Outcome<u64> {
        let statement = statement.persistent(self.persistent);
        Ok(within(self.patience, statement.execute(&mut self.conn)).await?.rows_affected())
    }

    /// Reads the database's time of day.
    pub(super) async fn tell_time(&mut self, clock: &DatabaseClock) -> Outcome<()> {
        let asked = Instant::now();
        let now: i64 = self.one(sqlx::query(sql::TIME)).await?.try_get(0)?;
        clock.set(Timestamp::from_millis(now), asked);
        Ok(())
    }

    /// Says good-bye. A server that does not listen any more does not matter.
    pub(super) async fn close(self) {
        let _ = within(CONNECT, self.conn.close()).await;
    }
}

/// Whoever waits longer has a connection that is of no use, and drops it: it is never used after that.
async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Outcome<T> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Fault::Silent),
    }
}
