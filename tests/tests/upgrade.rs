//! Programs that start at once on a store that is not there yet, and a program that is older than its store.

#![allow(clippy::unwrap_used)]

use evertask::Dispatcher;
use evertask::testing::postgres::Server;
use evertask_tests::process::{Place, Program};
use sqlx::{Connection as _, PgConnection, Row as _};

const WORKER: &str = env!("CARGO_BIN_EXE_crash-worker");
const PROGRAMS: usize = 3;

/// They make the tables once, and all of them serve.
async fn start_at_once(place: &Place) {
    let programs: Vec<_> = (0..PROGRAMS).map(|_| Program::start(WORKER, place, &["serve"], None)).collect();
    for program in &programs {
        program.hear("serving");
    }
    for program in programs {
        assert!(program.finish().success());
    }
    let dispatcher = Dispatcher::open(&place.store()).await.unwrap();
    assert_eq!(dispatcher.verify().await.unwrap(), []);
    dispatcher.close().await.unwrap();
}

/// One that is older than the store does not touch it.
fn is_refused(place: &Place) {
    assert!(!Program::start(WORKER, place, &["serve"], None).finish().success());
}

#[tokio::test]
async fn three_programs_make_the_tables_of_a_server_at_once_and_an_older_one_is_refused() {
    let server = Server::start().unwrap();
    let place = Place::on_server(&server.url());
    start_at_once(&place).await;
    let mut conn = PgConnection::connect(&server.url()).await.unwrap();
    let count = "SELECT count(*) FROM evertask.migration";
    let had: i64 = sqlx::query(count).fetch_one(&mut conn).await.unwrap().get(0);
    println!("{PROGRAMS} programs at once made the tables, in {had} migrations");
    // A program that knew one more has been here.
    sqlx::query("INSERT INTO evertask.migration (number) VALUES ($1)")
        .bind(i32::try_from(had + 1).unwrap())
        .execute(&mut conn)
        .await
        .unwrap();
    is_refused(&place);
    let error = Dispatcher::open(&place.store()).await.unwrap_err().to_string();
    assert!(error.contains("was written by a newer evertask"), "{error}");
    let after: i64 = sqlx::query(count).fetch_one(&mut conn).await.unwrap().get(0);
    assert_eq!(after, had + 1);
}

#[tokio::test]
async fn three_programs_make_a_file_at_once_and_an_older_one_is_refused() {
    let place = Place::new();
    start_at_once(&place).await;
    let conn = rusqlite::Connection::open(place.database()).unwrap();
    let had: i64 = conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    conn.pragma_update(None, "user_version", had + 1).unwrap();
    drop(conn);
    let before = std::fs::read(place.database()).unwrap();
    is_refused(&place);
    let error = Dispatcher::open(&place.store()).await.unwrap_err().to_string();
    assert!(error.contains("was written by a newer evertask"), "{error}");
    assert_eq!(std::fs::read(place.database()).unwrap(), before, "the file was changed");
}
