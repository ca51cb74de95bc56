//! The tables, as they grew. Migrations only go forward; a schema of a newer version is left alone.

use sqlx::Row as _;

use super::fault::{Outcome, unusable};
use super::link::Link;
use super::url::Place;
use crate::store::StoreError;

/// In order; the table `migration` says how many a schema has had.
const MIGRATIONS: &[&str] = &[concat!(
    include_str!("../../../migrations/postgres/0001_work.sql"),
    include_str!("../../../migrations/postgres/0001_requests.sql")
)];

/// Several nodes that start at once take turns.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtextextended('evertask.migrate.' || $1, 0))";
/// Whether the schema is there, and whether it is one of ours.
const FOUND: &str = "\
    SELECT to_regnamespace(quote_ident($1)) IS NOT NULL, to_regclass(quote_ident($1) || '.migration') IS NOT NULL, \
           EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1))), \
           current_setting('server_version_num')::int";
/// Which migrations it has had.
const VERSION: &str = "SELECT coalesce(max(number), 0) FROM migration";
/// One more.
const DONE: &str = "INSERT INTO migration (number) VALUES ($1)";
/// Their list. Its first row is also what new workers and those who park take turns at.
const TABLE: &str = "\
    CREATE TABLE migration (number integer NOT NULL PRIMARY KEY, at timestamptz NOT NULL DEFAULT clock_timestamp())";

/// The oldest server that has all that is used.
const OLDEST: i32 = 130_000;

/// Brings the schema up to date, in one transaction, alone.
pub(super) async fn migrate(link: &mut Link<'_>, place: &Place) -> Result<(), StoreError> {
    migrate_to(link, place, MIGRATIONS).await
}

/// The same, for a program that knows these migrations.
async fn migrate_to(link: &mut Link<'_>, place: &Place, known: &[&str]) -> Result<(), StoreError> {
    let version = apply(link, place, known).await.map_err(|fault| fault.at(&place.shown))?;
    match version {
        Found::UpToDate => Ok(()),
        Found::Foreign => Err(unusable(
            &place.shown,
            format!("its schema `{}` holds tables of another program; give evertask one of its own", place.schema),
        )),
        Found::OldServer(version) => {
            Err(unusable(&place.shown, format!("it is PostgreSQL {}; 13 is the oldest that will do", version / 10_000)))
        }
        Found::Newer(version) => Err(unusable(
            &place.shown,
            format!(
                "its schema `{}` was written by a newer evertask (its format is {version}, this program knows {}); \
                 update this program",
                place.schema,
                known.len()
            ),
        )),
    }
}

enum Found {
    UpToDate,
    Foreign,
    OldServer(i32),
    Newer(i32),
}

async fn apply(link: &mut Link<'_>, place: &Place, known: &[&str]) -> Outcome<Found> {
    link.begin().await?;
    let found = look(link, place, known).await?;
    link.script(super::sql::COMMIT.to_owned()).await?;
    if let Some(found) = found {
        return Ok(found);
    }
    link.begin().await?;
    link.execute(sqlx::query(ALONE).bind(&place.schema)).await?;
    // Another node may have done it meanwhile.
    let found = look(link, place, known).await?;
    if found.is_none() {
        let schema = link.one(sqlx::query(FOUND).bind(&place.schema)).await?;
        if !schema.try_get::<bool, _>(0)? {
            link.script(format!("CREATE SCHEMA {}", place.quoted_schema())).await?;
        }
        if !schema.try_get::<bool, _>(1)? {
            link.script(TABLE.to_owned()).await?;
        }
        let version: i32 = link.one(sqlx::query(VERSION)).await?.try_get(0)?;
        for (number, migration) in (1..).zip(known).skip(usize::try_from(version).unwrap_or(usize::MAX)) {
            link.script((*migration).to_owned()).await?;
            link.execute(sqlx::query(DONE).bind(number)).await?;
        }
        super::points::hit("postgres.migrate.before_commit");
    }
    link.script(super::sql::COMMIT.to_owned()).await?;
    super::points::hit("postgres.migrate.after_commit");
    Ok(found.unwrap_or(Found::UpToDate))
}

/// What there is; nothing, if there is something to do.
async fn look(link: &mut Link<'_>, place: &Place, known: &[&str]) -> Outcome<Option<Found>> {
    let found = link.one(sqlx::query(FOUND).bind(&place.schema)).await?;
    let server: i32 = found.try_get(3)?;
    if server < OLDEST {
        return Ok(Some(Found::OldServer(server)));
    }
    if !found.try_get::<bool, _>(1)? {
        return Ok(found.try_get::<bool, _>(2)?.then_some(Found::Foreign));
    }
    let version: i32 = link.one(sqlx::query(VERSION)).await?.try_get(0)?;
    Ok(match version.cmp(&i32::try_from(known.len()).unwrap_or(i32::MAX)) {
        std::cmp::Ordering::Less => None,
        std::cmp::Ordering::Equal => Some(Found::UpToDate),
        std::cmp::Ordering::Greater => Some(Found::Newer(version)),
    })
}

#[cfg(all(test, feature = "testing", unix))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::store::postgres::link::Purpose;
    use crate::store::{PostgresStore, Store as _};
    use crate::testing::postgres::Schema;

    /// A release that is newer by one: what its tables would need more.
    const NEWER: &[&str] = &[MIGRATIONS[0], "ALTER TABLE task ADD COLUMN later text; CREATE TABLE later (x integer)"];

    async fn migrate_alone(place: &Place, known: &[&str]) -> Result<(), StoreError> {
        let mut link = Link::open(place, Purpose::Prepare).await.map_err(|fault| fault.at(&place.shown))?;
        migrate_to(&mut link, place, known).await
    }

    async fn version(place: &Place) -> i64 {
        let mut link = Link::open(place, Purpose::Read).await.unwrap();
        link.one(sqlx::query("SELECT count(*) FROM migration")).await.unwrap().try_get(0).unwrap()
    }

    #[tokio::test]
    async fn a_newer_release_takes_the_tables_while_an_older_one_works_on_them() {
        let schema = Schema::new().unwrap();
        let place = Place::parse(schema.url()).unwrap();
        let older = Arc::new(PostgresStore::open(schema.url()).await.unwrap());
        let over = Arc::new(AtomicBool::new(false));
        let load = {
            let (older, over) = (Arc::clone(&older), Arc::clone(&over));
            tokio::spawn(async move {
                let (mut added, mut after) = (0, 0);
                // It goes on for a while after the migration, with plans that were made before.
                while after < 50 {
                    super::super::tests::add(&older).await.unwrap();
                    added += 1;
                    after += u32::from(over.load(Ordering::Acquire));
                }
                added
            })
        };
        super::super::tests::add(&older).await.unwrap();
        let several = (0..3).map(|_| {
            let place = place.clone();
            tokio::spawn(async move { migrate_alone(&place, NEWER).await })
        });
        for migrated in several.collect::<Vec<_>>() {
            migrated.await.unwrap().unwrap();
        }
        over.store(true, Ordering::Release);
        let added = load.await.unwrap();
        assert_eq!(version(&place).await, 2);
        let mut link = Link::open(&place, Purpose::Read).await.unwrap();
        let kept = link.one(sqlx::query("SELECT count(*) FROM task WHERE later IS NULL")).await.unwrap();
        assert_eq!(kept.try_get::<i64, _>(0).unwrap(), added + 1);
        println!("3 migrated at once; {added} tasks were added meanwhile, none refused");

        // The older one works on, but can't be started again.
        older.close().await.unwrap();
        let refused = PostgresStore::open(schema.url()).await.unwrap_err().to_string();
        assert!(refused.contains("its format is 2, this program knows 1"), "{refused}");
        assert_eq!(version(&place).await, 2);
    }

    #[tokio::test]
    async fn a_migration_that_fails_leaves_everything_as_it_was() {
        let schema = Schema::new().unwrap();
        let place = Place::parse(schema.url()).unwrap();
        migrate_alone(&place, MIGRATIONS).await.unwrap();
        let broken = &[MIGRATIONS[0], "CREATE TABLE half (x integer); SELECT 1 / 0"];
        migrate_alone(&place, broken).await.unwrap_err();
        assert_eq!(version(&place).await, 1);
        drop(PostgresStore::open(schema.url()).await.unwrap());
    }
}
