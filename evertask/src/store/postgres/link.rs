//! One connection. It belongs to one task, which waits for each statement to end: nothing is ever abandoned half
//! way, and a connection that does not answer, or was lost, is not used again.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _, Postgres, Row as _};

use super::clock::DatabaseClock;
use super::fault::{Fault, Outcome};
use super::patience::{self, Patience};
use super::sql;
use super::url::Place;
use crate::schedule::Timestamp;

/// A statement with its values.
pub(super) type Statement<'q> = Query<'q, Postgres, PgArguments>;

/// How whatever writes is planned: by the indexes from the first row on, and once. A node that is frozen in the middle
/// of a transaction is thrown out, so that others get its locks ([`patience`]).
pub(super) const PLANS: &[(&str, &str)] = &[
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_bitmapscan", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
];
/// And for each that reads.
const READS: &[(&str, &str)] = &[("jit", "off")];

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Read,
    /// Bringing the tables up to date may take longer than what workers can wait for.
    Prepare,
}

/// One connection: our own, or one that is lent for a while.
#[derive(Debug)]
pub(super) struct Link<'c> {
    conn: Conn<'c>,
    begin: String,
    persistent: bool,
    /// For a connection that writes: what it is to be.
    patience: Option<Arc<Patience>>,
    /// The longest that a statement may go without an answer, as the server knows it too.
    answer: Duration,
}

#[derive(Debug)]
enum Conn<'c> {
    Own(PgConnection),
    Lent(&'c mut PgConnection),
}

impl Link<'static> {
    /// Connects, once.
    pub(super) async fn open(place: &Place, purpose: Purpose) -> Outcome<Self> {
        let mut settings = if purpose == Purpose::Read { READS.to_vec() } else { PLANS.to_vec() };
        if place.durable {
            settings.push(("synchronous_commit", "on"));
        }
        let patience = (purpose == Purpose::Write).then(|| Arc::clone(&place.patience));
        let answer = patience.as_ref().map_or(patience::UNHURRIED, |patience| patience.answer());
        let path = place.quoted_schema();
        let begin = if purpose == Purpose::Read { sql::BEGIN_READ } else { sql::BEGIN };
        let (options, begin) = if place.pooled {
            // Each transaction may be another session: it brings its settings along.
            let mut begin = format!("{begin}; SET LOCAL search_path = {path}");
            for (name, value) in settings {
                begin.extend(["; SET LOCAL ", name, " = '", value, "'"]);
            }
            (place.options.clone(), begin)
        } else {
            let options = place.options.clone().options([("search_path", path.as_str())]);
            (options.options(settings).options(patience::settings(answer)), begin.to_owned())
        };
        let conn = within(place.patience.connect(), options.connect()).await?;
        Ok(Self { conn: Conn::Own(conn), begin, persistent: !place.pooled, patience, answer })
    }

    /// Says good-bye. A server that does not listen any more does not matter.
    pub(super) async fn close(self) {
        if let Conn::Own(conn) = self.conn {
            let _ = within(self.answer, conn.close()).await;
        }
    }
}

impl<'c> Link<'c> {
    /// A connection in a transaction of its owner, who decides how long its statements may take.
    pub(super) fn lent(conn: &'c mut PgConnection, place: &Place) -> Self {
        let (conn, persistent) = (Conn::Lent(conn), !place.pooled);
        Self { conn, begin: String::new(), persistent, patience: None, answer: Duration::MAX }
    }

    /// The same connection, for one transaction of it.
    pub(super) fn lend(&mut self) -> Link<'_> {
        let (persistent, answer) = (self.persistent, self.answer);
        Link { conn: Conn::Lent(self.conn()), begin: String::new(), persistent, patience: None, answer }
    }

    fn conn(&mut self) -> &mut PgConnection {
        match &mut self.conn {
            Conn::Own(conn) => conn,
            Conn::Lent(conn) => conn,
        }
    }

    /// A transaction begins.
    pub(super) async fn begin(&mut self) -> Outcome<()> {
        let answer = self.patience.as_ref().map_or(self.answer, |patience| patience.answer());
        let mut begin = self.begin.clone();
        let is_new = std::mem::replace(&mut self.answer, answer) != answer;
        if !self.persistent {
            set(&mut begin, "; SET LOCAL ", answer);
        } else if is_new {
            // Not within the transaction, which may be undone.
            let mut settings = String::new();
            set(&mut settings, "; SET ", answer);
            self.script(settings).await?;
        }
        self.script(begin).await
    }

    /// Statements without values, in one go.
    pub(super) async fn script(&mut self, script: String) -> Outcome<()> {
        within(self.answer, self.conn().execute(sqlx::raw_sql(AssertSqlSafe(script)))).await?;
        Ok(())
    }

    /// The rows that statements without values give.
    pub(super) async fn told(&mut self, script: String) -> Outcome<Vec<PgRow>> {
        within(self.answer, self.conn().fetch_all(sqlx::raw_sql(AssertSqlSafe(script)))).await
    }

    /// The rows that a statement gives.
    pub(super) async fn all(&mut self, statement: Statement<'_>) -> Outcome<Vec<PgRow>> {
        let statement = statement.persistent(self.persistent);
        within(self.answer, statement.fetch_all(self.conn())).await
    }

    /// The row that a statement gives, if it gives one.
    pub(super) async fn first(&mut self, statement: Statement<'_>) -> Outcome<Option<PgRow>> {
        let statement = statement.persistent(self.persistent);
        within(self.answer, statement.fetch_optional(self.conn())).await
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
        Ok(within(self.answer, statement.execute(self.conn())).await?.rows_affected())
    }

    /// Reads the database's time of day.
    pub(super) async fn tell_time(&mut self, clock: &DatabaseClock) -> Outcome<()> {
        let asked = Instant::now();
        let now: i64 = self.one(sqlx::query(sql::TIME)).await?.try_get(0)?;
        clock.set(Timestamp::from_millis(now), asked);
        Ok(())
    }
}

/// Adds what the server is told about time.
fn set(script: &mut String, word: &str, answer: Duration) {
    for (name, value) in patience::settings(answer) {
        script.extend([word, name, " = ", &value]);
    }
}

/// Whoever waits longer has a connection that is of no use, and drops it: it is never used after that.
pub(super) async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Outcome<T> {
    match tokio::time::timeout(patience, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Fault::Silent),
    }
}
