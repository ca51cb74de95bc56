//! Work that is dispatched, and tasks that end, in transactions of their users' own.

#![allow(clippy::unwrap_used)]

#[cfg(all(feature = "postgres", unix))]
mod asked;
#[cfg(all(feature = "postgres", unix))]
mod completing;
mod effects;
#[cfg(all(feature = "postgres", unix))]
mod on_server;
mod race;
mod sqlite;

use std::convert::Infallible;
use std::path::{Path, PathBuf};

use evertask::rusqlite::Connection;
use evertask::{Dispatcher, prelude::*, workflow};

#[task]
async fn double(number: i64) -> Result<i64, Infallible> {
    Ok(number * 2)
}

#[task]
async fn add_one(number: i64) -> Result<i64, Infallible> {
    Ok(number + 1)
}

workflow! {
    /// Doubles a number, and adds one.
    DoubleAndOne<double -> i64> {
        double { on_ok => add_one }
        add_one { on_ok(sum) => done(sum) }
    }
}

/// A file with a store, and a table of somebody's own beside it.
struct Shop {
    folder: tempfile::TempDir,
    dispatcher: Dispatcher,
}

impl Shop {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dispatcher = Dispatcher::open(&url(&folder.path().join("shop.db"))).await.unwrap();
        let shop = Self { folder, dispatcher };
        shop.connect()
            .execute_batch("CREATE TABLE sale (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL CHECK (amount > 0))")
            .unwrap();
        shop
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("shop.db")
    }

    fn connect(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }

    fn sales(&self) -> Vec<(i64, i64)> {
        let conn = self.connect();
        let mut sales = conn.prepare("SELECT id, amount FROM sale ORDER BY id").unwrap();
        let sales = sales.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        sales.collect::<Result<_, _>>().unwrap()
    }
}

fn url(file: &Path) -> String {
    format!("sqlite:{}", file.display())
}
