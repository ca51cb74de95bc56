//! Purchases whose tasks keep a ledger in the store's own database: an entry for each step, and a balance.
//!
//! On SQLite a step writes its entry with `on_commit`; on PostgreSQL it ends its task in the transaction in which it
//! writes. Purchases are rows beside the work that was dispatched for them.

use std::collections::BTreeMap;
use std::time::Duration;

use evertask::rusqlite::{self, TransactionBehavior};
use evertask::sqlx::postgres::PgPoolOptions;
use evertask::sqlx::{self, PgPool, Row as _};
use evertask::store::{RunFilter, RunState};
use evertask::{Dispatcher, prelude::*, workflow};
use uuid::Uuid;

use crate::dice;
use crate::process::Place;
use crate::witness::{Witness, Word};

const TABLES: &str = "\
    CREATE TABLE purchase (id TEXT NOT NULL); \
    CREATE TABLE entry (purchase TEXT NOT NULL, step TEXT NOT NULL, attempt BIGINT NOT NULL); \
    CREATE TABLE account (id BIGINT NOT NULL PRIMARY KEY, balance BIGINT NOT NULL); \
    INSERT INTO account VALUES (0, 0), (1, 0), (2, 0), (3, 0)";

/// As any other program would dispatch it.
const BY_SQL: &str = "\
    SELECT evertask.dispatch('Purchase', jsonb_build_object('purchase', $1::text), jsonb_build_object('correlation', $1::text))";

/// Over so many accounts are the entries spread.
const ACCOUNTS: i64 = 4;

/// What went wrong in a step.
pub type Wrong = Box<dyn std::error::Error + Send + Sync>;

/// Where the ledger is.
#[derive(Debug, Clone)]
pub enum Books {
    /// In the store's file.
    File(std::path::PathBuf),
    /// In the store's database.
    Server(PgPool),
}

impl Books {
    /// Those beside the store with this URL.
    pub async fn open(store: &str) -> Result<Self, Wrong> {
        match store.strip_prefix("sqlite:") {
            Some(file) => Ok(Self::File(file.into())),
            None => Ok(Self::Server(PgPoolOptions::new().max_connections(16).connect(store).await?)),
        }
    }

    /// New ones. The store must have been opened before.
    pub async fn begin(&self) -> Result<(), Wrong> {
        match self {
            Self::File(file) => rusqlite::Connection::open(file)?.execute_batch(TABLES)?,
            Self::Server(pool) => {
                sqlx::raw_sql(TABLES).execute(pool).await?;
            }
        }
        Ok(())
    }

    /// Buys something: a row, and the run for it.
    pub async fn buy(&self, dispatcher: &Dispatcher) -> Result<(), Wrong> {
        let id = Uuid::now_v7();
        let purchase = id.to_string();
        let work = Purchase(debit { purchase: purchase.clone() }).correlation_id(&purchase);
        match self {
            Self::File(file) => {
                let mut conn = rusqlite::Connection::open(file)?;
                conn.busy_timeout(Duration::from_secs(30))?;
                let mut tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
                tx.execute("INSERT INTO purchase VALUES (?1)", [purchase])?;
                dispatcher.dispatch_in(&mut tx, work)?;
                tx.commit()?;
            }
            Self::Server(pool) => {
                let mut tx = pool.begin().await?;
                sqlx::query("INSERT INTO purchase VALUES ($1)").bind(&purchase).execute(&mut *tx).await?;
                if id.as_bytes()[15].is_multiple_of(2) {
                    dispatcher.dispatch_in(&mut tx, work).await?;
                } else {
                    sqlx::query(BY_SQL).bind(&purchase).execute(&mut *tx).await?;
                }
                tx.commit().await?;
            }
        }
        Ok(())
    }

    /// One row each of what a query gives.
    async fn rows(&self, query: &'static str) -> Vec<(String, i64)> {
        match self {
            Self::File(file) => {
                let conn = rusqlite::Connection::open(file).unwrap();
                let mut query = conn.prepare(query).unwrap();
                let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
                rows.collect::<Result<_, _>>().unwrap()
            }
            Self::Server(pool) => {
                let rows = sqlx::query(query).fetch_all(pool).await.unwrap();
                rows.iter().map(|row| (row.get(0), row.get(1))).collect()
            }
        }
    }
}

/// What the steps need.
#[derive(Debug)]
pub struct Ledger {
    /// Where they write.
    pub books: Books,
    /// Where they say what they do.
    pub witness: Witness,
    /// What makes their pauses.
    pub seed: u64,
}

impl Ledger {
    async fn enter(&self, purchase: &str, step: &'static str, cx: &Context) -> Result<(), Wrong> {
        self.witness.say(Word::Begin, cx);
        let chance = dice(self.seed, u64::from_le_bytes(*cx.id().uuid().as_bytes().last_chunk().unwrap_or(&[0; 8])));
        tokio::time::sleep(Duration::from_millis(10 + chance % 120)).await;
        let account = i64::try_from(chance).unwrap_or(0).rem_euclid(ACCOUNTS);
        let attempt = i64::from(cx.attempt());
        match &self.books {
            Books::File(_) => {
                let purchase = purchase.to_owned();
                cx.on_commit(move |tx| {
                    tx.execute("INSERT INTO entry VALUES (?1, ?2, ?3)", (&purchase, step, attempt))?;
                    tx.execute("UPDATE account SET balance = balance + 1 WHERE id = ?1", [account]).map(drop)
                })?;
            }
            Books::Server(pool) => {
                let mut tx = pool.begin().await?;
                let entry = sqlx::query("INSERT INTO entry VALUES ($1, $2, $3)");
                entry.bind(purchase).bind(step).bind(attempt).execute(&mut *tx).await?;
                let account = sqlx::query("UPDATE account SET balance = balance + 1 WHERE id = $1").bind(account);
                account.execute(&mut *tx).await?;
                cx.complete_in(&mut tx, &purchase.to_owned()).await?;
                tx.commit().await?;
            }
        }
        self.witness.say(Word::End, cx);
        Ok(())
    }
}

/// The other programs here know these tasks too, and have no ledger.
fn ledger(cx: &Context) -> Result<&Ledger, Wrong> {
    cx.data::<Ledger>().ok_or_else(|| "this worker has no ledger".into())
}

/// Takes the money.
#[task(retry(times = 1_000, backoff = fixed("5ms")))]
pub async fn debit(purchase: String, cx: &Context) -> Result<String, Wrong> {
    ledger(cx)?.enter(&purchase, "debit", cx).await?;
    Ok(purchase)
}

/// Gives it.
#[task(retry(times = 1_000, backoff = fixed("5ms")))]
pub async fn credit(purchase: String, cx: &Context) -> Result<String, Wrong> {
    ledger(cx)?.enter(&purchase, "credit", cx).await?;
    Ok(purchase)
}

workflow! {
    /// Both.
    pub Purchase<debit -> String> {
        debit { on_ok(purchase) => credit { purchase } }
        credit { on_ok(purchase) => done(purchase) }
    }
}

/// What is in the books, compared with the work.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Purchases.
    pub purchases: usize,
    /// Those without a run of their own, and runs without a purchase.
    pub astray: usize,
    /// Runs that have not succeeded.
    pub unfinished: usize,
    /// Steps without an entry.
    pub missing: usize,
    /// Entries beyond one for each step.
    pub doubled: usize,
    /// How far the balances are from the entries.
    pub off: i64,
}

impl Audit {
    /// Looks at what the place has, once all is done.
    pub async fn of(place: &Place) -> Self {
        let dispatcher = Dispatcher::open(&place.store()).await.unwrap();
        let books = Books::open(&place.store()).await.unwrap();
        let mut runs = BTreeMap::<String, usize>::new();
        let mut audit = Self::default();
        let mut filter = RunFilter::new().limit(500);
        loop {
            let page = dispatcher.list_runs(filter.clone()).await.unwrap();
            let Some(last) = page.last() else { break };
            filter.after = Some(last.id);
            for run in page {
                audit.unfinished += usize::from(run.state != RunState::Succeeded);
                *runs.entry(run.correlation.unwrap_or_default()).or_default() += 1;
            }
        }
        let bought = books.rows("SELECT id, count(*) FROM purchase GROUP BY id").await;
        let entries: BTreeMap<_, _> = books
            .rows("SELECT purchase || step, count(*) FROM entry GROUP BY purchase, step")
            .await
            .into_iter()
            .collect();
        audit.purchases = bought.len();
        for (purchase, _) in &bought {
            audit.astray += usize::from(runs.remove(purchase) != Some(1));
            for step in ["debit", "credit"] {
                match entries.get(&format!("{purchase}{step}")) {
                    None => audit.missing += 1,
                    Some(times) => audit.doubled += usize::try_from(times - 1).unwrap(),
                }
            }
        }
        audit.astray += runs.len();
        let balance: i64 =
            books.rows("SELECT 'all', balance FROM account").await.iter().map(|(_, balance)| balance).sum();
        audit.off = balance - entries.values().sum::<i64>();
        assert_eq!(dispatcher.verify().await.unwrap(), []);
        dispatcher.close().await.unwrap();
        audit
    }
}
